//! Decides whether a failed try is repeated, and after which pause.

use std::time::Duration;

use crate::observe::upstream_observer::Endpoint;
use crate::upstream::error::Failure;

/// If the upstream asks for a longer pause, the call fails at once.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Pauses between the tries of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// One pause before each further try.
    pub pauses: Vec<Duration>,
    /// The largest fraction by which a pause is lengthened at random, so that many callers do not retry at the same time.
    pub jitter: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { pauses: [10, 45, 90].map(Duration::from_secs).to_vec(), jitter: 0.25 }
    }
}

impl Retry {
    /// The pause after the `tries`-th try failed; `None` if there is no further try.
    #[must_use]
    pub fn pause(&self, endpoint: Endpoint, failure: &Failure, tries: usize) -> Option<Duration> {
        if !is_worth_another_try(failure) || gives_up_early(endpoint, failure, tries) {
            return None;
        }
        let pause = *self.pauses.get(tries.checked_sub(1)?)?;
        let wanted = failure.retry_after().unwrap_or_default();
        let pause = pause.mul_f64(1.0 + self.jitter * fastrand::f64()).max(wanted);
        (wanted <= LONGEST_WAIT).then_some(pause)
    }
}

fn is_worth_another_try(failure: &Failure) -> bool {
    failure.is_outage() || matches!(failure, Failure::Updating { .. })
}

/// A request for figures that times out twice is probably too large: retrying stops and the caller splits the request.
fn gives_up_early(endpoint: Endpoint, failure: &Failure, tries: usize) -> bool {
    endpoint == Endpoint::Data && matches!(failure, Failure::Timeout { .. }) && tries >= 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::decode::DecodeError;

    fn steady() -> Retry {
        Retry { jitter: 0.0, ..Retry::default() }
    }

    fn server(retry_after: Option<u64>) -> Failure {
        Failure::Server { status: 503, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<_> =
            (1..=4).map(|tries| steady().pause(Endpoint::Table, &server(None), tries)).collect();
        assert_eq!(pauses, [Some(10), Some(45), Some(90), None].map(|pause| pause.map(Duration::from_secs)));
    }

    #[test]
    fn jitter_only_lengthens_and_stays_within_its_part() {
        let pauses: Vec<_> =
            (0..200).filter_map(|_| Retry::default().pause(Endpoint::Table, &server(None), 1)).collect();
        assert!(pauses.iter().all(|pause| (10.0..=12.5).contains(&pause.as_secs_f64())));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "callers would return together");
    }

    #[test]
    fn the_upstream_may_ask_for_a_longer_pause_but_not_for_any() {
        let pause = |seconds| steady().pause(Endpoint::Data, &server(Some(seconds)), 1);
        assert_eq!(pause(5), Some(Duration::from_secs(10)));
        assert_eq!(pause(60), Some(Duration::from_secs(60)));
        assert_eq!(pause(3600), None);
    }

    #[test]
    fn what_would_fail_again_is_not_tried_again() {
        let refused = |status| Failure::Refused { status, cause: String::new() };
        let failures = [
            Failure::Unauthorized,
            refused(404),
            refused(422),
            Failure::TooLarge { status: 422, cause: String::new() },
            Failure::Decode(DecodeError::Html),
            Failure::Closed { opens_at: chrono::DateTime::UNIX_EPOCH },
            Failure::CircuitOpen { retry_after: Duration::ZERO },
        ];
        for failure in failures {
            assert_eq!(steady().pause(Endpoint::Data, &failure, 1), None, "{failure}");
        }
    }

    #[test]
    fn figures_that_time_out_twice_are_given_back_to_be_split() {
        let timeout = Failure::Timeout { after: Duration::from_secs(120) };
        assert!(steady().pause(Endpoint::Data, &timeout, 1).is_some());
        assert!(steady().pause(Endpoint::Data, &timeout, 2).is_none());
        assert!(steady().pause(Endpoint::Tables, &timeout, 3).is_some());
    }
}
