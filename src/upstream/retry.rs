//! Decides whether a failed try is repeated, and after which pause.

use std::time::Duration;

use crate::observe::upstream_observer::Endpoint;
use crate::upstream::error::Failure;

/// If the upstream asks for a longer pause, the call fails at once.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// The pause after the first try, where somebody waits and the failure came at once.
const QUICK_PAUSE: Duration = Duration::from_secs(1);
/// A failure that takes longer than this did not come at once.
const QUICK_FAILURE: Duration = Duration::from_secs(5);
/// A question for figures that is too much for a gateway or takes too long is tried so often.
const TRIES_OF_TOO_MUCH: usize = 2;
/// The list of tables is tried so often. All who ask for figures wait for it meanwhile, and who asks after the failure begins anew.
const TRIES_OF_THE_LIST: usize = 2;

/// Whether somebody waits for the answer to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Urgency {
    Awaited,
    #[default]
    Background,
}

/// A try that failed.
#[derive(Debug, Clone, Copy)]
pub struct FailedAttempt<'a> {
    pub failure: &'a Failure,
    /// How many tries of the call there were, this one included.
    pub number: usize,
    pub took: Duration,
    pub urgency: Urgency,
    /// Whether less could be asked for.
    pub is_divisible: bool,
}

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
    /// The pause after a try; `None` if there is no further one.
    #[must_use]
    pub fn pause(&self, endpoint: Endpoint, attempt: FailedAttempt<'_>) -> Option<Duration> {
        let failure = attempt.failure;
        if !is_worth_another_try(failure) || gives_up_early(endpoint, attempt) {
            return None;
        }
        let mut pause = *self.pauses.get(attempt.number.checked_sub(1)?)?;
        if attempt.number == 1 && attempt.urgency == Urgency::Awaited && came_at_once(attempt) {
            pause = pause.min(QUICK_PAUSE);
        }
        let wanted = failure.retry_after().unwrap_or_default();
        let pause = pause.mul_f64(1.0 + self.jitter * fastrand::f64()).max(wanted);
        (wanted <= LONGEST_WAIT).then_some(pause)
    }
}

fn is_worth_another_try(failure: &Failure) -> bool {
    failure.is_outage() || matches!(failure, Failure::Updating { .. })
}

fn came_at_once(attempt: FailedAttempt<'_>) -> bool {
    let at_once =
        matches!(attempt.failure, Failure::Connect { .. } | Failure::Server { .. } | Failure::Gateway { .. });
    at_once && attempt.took < QUICK_FAILURE
}

/// Whether the call ends before its pauses do.
fn gives_up_early(endpoint: Endpoint, attempt: FailedAttempt<'_>) -> bool {
    match endpoint {
        Endpoint::Data => may_be_too_much(attempt) && attempt.number >= TRIES_OF_TOO_MUCH,
        Endpoint::Tables => attempt.number >= TRIES_OF_THE_LIST,
        Endpoint::Subjects | Endpoint::Table => false,
    }
}

/// A request for figures that fails like this twice may be too large; its caller finds out with a smaller one.
fn may_be_too_much(attempt: FailedAttempt<'_>) -> bool {
    let at_gateway = attempt.is_divisible && matches!(attempt.failure, Failure::Gateway { .. });
    at_gateway || matches!(attempt.failure, Failure::Timeout { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::decode::DecodeError;

    fn steady() -> Retry {
        Retry { jitter: 0.0, ..Retry::default() }
    }

    /// The pause after the `number`-th try of a question for figures in the background, which failed at once.
    fn pause(retry: &Retry, failure: &Failure, number: usize) -> Option<Duration> {
        retry.pause(Endpoint::Data, attempt(failure, number))
    }

    fn attempt(failure: &Failure, number: usize) -> FailedAttempt<'_> {
        let (took, urgency) = (Duration::ZERO, Urgency::Background);
        FailedAttempt { failure, number, took, urgency, is_divisible: true }
    }

    fn server(retry_after: Option<u64>) -> Failure {
        Failure::Server { status: 503, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<_> = (1..=4).map(|number| pause(&steady(), &server(None), number)).collect();
        assert_eq!(pauses, [Some(10), Some(45), Some(90), None].map(|pause| pause.map(Duration::from_secs)));
    }

    #[test]
    fn jitter_only_lengthens_and_stays_within_its_part() {
        let pauses: Vec<_> = (0..200).filter_map(|_| pause(&Retry::default(), &server(None), 1)).collect();
        assert!(pauses.iter().all(|pause| (10.0..=12.5).contains(&pause.as_secs_f64())));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "callers would return together");
    }

    #[test]
    fn the_upstream_may_ask_for_a_longer_pause_but_not_for_any() {
        let pause = |seconds| pause(&steady(), &server(Some(seconds)), 1);
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
            assert_eq!(pause(&steady(), &failure, 1), None, "{failure}");
        }
    }

    #[test]
    fn figures_that_are_too_much_twice_are_given_back_to_be_split() {
        let timeout = Failure::Timeout { after: Duration::from_secs(120) };
        let gateway = Failure::Gateway { status: 504, retry_after: None };
        for failure in [&timeout, &gateway] {
            assert!(pause(&steady(), failure, 1).is_some());
            assert!(pause(&steady(), failure, 2).is_none());
        }
        assert!(steady().pause(Endpoint::Table, attempt(&timeout, 3)).is_some());
        let one_row = FailedAttempt { is_divisible: false, ..attempt(&gateway, 3) };
        assert!(steady().pause(Endpoint::Data, one_row).is_some(), "nothing less can be asked for");
    }

    #[test]
    fn the_list_that_all_wait_for_is_tried_again_after_the_first_pause_alone() {
        let refused = Failure::RateLimited { retry_after: None };
        let timeout = Failure::Timeout { after: Duration::from_secs(8) };
        for failure in [&refused, &timeout] {
            let pause = |number| steady().pause(Endpoint::Tables, attempt(failure, number));
            assert_eq!([pause(1), pause(2)], [Some(Duration::from_secs(10)), None], "{failure}");
        }
    }

    #[test]
    fn who_waits_sees_a_failure_that_came_at_once_tried_again_after_a_second() {
        fn awaited(failure: &Failure, number: usize, took: Duration) -> Option<u64> {
            let attempt = FailedAttempt { took, urgency: Urgency::Awaited, ..attempt(failure, number) };
            steady().pause(Endpoint::Data, attempt).map(|pause| pause.as_secs())
        }
        let (connect, at_once) = (Failure::Connect { detail: String::new() }, Duration::from_millis(20));
        let (failed, busy) = (server(None), server(Some(7)));
        let gateway = Failure::Gateway { status: 502, retry_after: None };
        for failure in [&connect, &failed, &gateway] {
            assert_eq!(awaited(failure, 1, at_once), Some(1), "{failure}");
            assert_eq!(awaited(failure, 1, Duration::from_secs(30)), Some(10), "{failure}, slowly");
            assert_eq!(pause(&steady(), failure, 1), Some(Duration::from_secs(10)), "{failure}, background");
        }
        assert_eq!(awaited(&connect, 2, at_once), Some(45));
        assert_eq!(awaited(&busy, 1, at_once), Some(7), "the upstream's wish comes first");
        assert_eq!(awaited(&Failure::Forbidden, 1, at_once), Some(10), "that is no failure of a moment");
    }
}
