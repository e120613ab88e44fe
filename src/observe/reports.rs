//! The latest failed calls to the upstream, for `/status`: each with the text of a mail to the agency that runs the upstream. Also how the
//! upstream takes calls at present, for `/readyz`.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use chrono_tz::Europe::Copenhagen;

use crate::observe::upstream_observer::{CallOutcome, FailedCall, UpstreamCall, UpstreamObserver};

/// So many reports are kept; older ones are dropped.
const KEPT: usize = 50;
/// The agency's address for reports, and the subject that its guide asks for.
pub const MAIL_TO: &str = "jobindsats@star.dk";
pub const MAIL_SUBJECT: &str = "vedr. fejl på api.jobindsats.dk";

/// The newest failed calls.
#[derive(Debug, Default)]
pub struct FailureReports {
    newest: Mutex<VecDeque<FailedCall>>,
    key_is_refused: AtomicBool,
    calls_are_held_back: AtomicBool,
}

impl FailureReports {
    /// The reports, the newest first.
    #[must_use]
    pub fn newest_first(&self) -> Vec<FailedCall> {
        let kept = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().cloned().collect()
    }

    /// Whether the upstream refused the key when it was last used.
    #[must_use]
    pub fn key_is_refused(&self) -> bool {
        self.key_is_refused.load(Ordering::Relaxed)
    }

    /// Whether calls are held back after failures.
    #[must_use]
    pub fn calls_are_held_back(&self) -> bool {
        self.calls_are_held_back.load(Ordering::Relaxed)
    }
}

impl UpstreamObserver for FailureReports {
    fn upstream_started(&self) -> Box<dyn Send> {
        Box::new(())
    }

    fn upstream_call(&self, call: &UpstreamCall) {
        match call.outcome {
            CallOutcome::Status(401) => self.key_is_refused.store(true, Ordering::Relaxed),
            CallOutcome::Status(200..300) => self.key_is_refused.store(false, Ordering::Relaxed),
            CallOutcome::Status(_) | CallOutcome::Timeout | CallOutcome::Connect => {}
        }
    }

    fn upstream_failed(&self, call: &FailedCall) {
        let mut kept = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(call.clone());
    }

    fn upstream_circuit(&self, open: bool) {
        self.calls_are_held_back.store(open, Ordering::Relaxed);
    }
}

impl FailedCall {
    /// The call as a curl command. The key appears only as the name of a shell variable.
    #[must_use]
    pub fn curl(&self) -> String {
        format!("curl -i -H \"Authorization: Bearer $JOBINDSATS_API_KEY\" '{}'", self.address)
    }

    /// The text of a mail to the agency, in Danish.
    #[must_use]
    pub fn mail(&self) -> String {
        let at = self.at.with_timezone(&Copenhagen).format("%d-%m-%Y kl. %H:%M:%S (dansk tid)");
        let mut text = format!("Et kald til api.jobindsats.dk er fejlet.\n\nTidspunkt: {at}\n");
        let _ = writeln!(text, "request_id: {}", self.request_id.as_deref().unwrap_or("ikke oplyst"));
        let _ = writeln!(text, "Fejl: {}", self.problem);
        let _ = writeln!(text, "Kald (uden nøgle): {}", self.curl());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::upstream_observer::Endpoint;

    fn failed(number: usize) -> FailedCall {
        FailedCall {
            at: "2026-10-24T23:30:00Z".parse().unwrap(),
            endpoint: Endpoint::Data,
            address: format!("https://api.jobindsats.dk/v3/data/y25i01?n={number}&format=json"),
            request_id: Some(format!("r-{number}")),
            problem: "500, the upstream failed".to_owned(),
        }
    }

    #[test]
    fn the_newest_reports_stay_and_come_first() {
        let reports = FailureReports::default();
        (0..KEPT + 3).for_each(|number| reports.upstream_failed(&failed(number)));
        let kept = reports.newest_first();
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept[0], failed(KEPT + 2));
        assert_eq!(kept[KEPT - 1], failed(3));
    }

    #[test]
    fn a_mail_says_when_what_and_how_to_repeat_it() {
        let mail = failed(7).mail();
        for part in [
            "25-10-2026 kl. 01:30:00 (dansk tid)",
            "request_id: r-7",
            "Fejl: 500, the upstream failed",
            "curl -i -H \"Authorization: Bearer $JOBINDSATS_API_KEY\" 'https://api.jobindsats.dk/v3/data/y25i01?n=7&format=json'",
        ] {
            assert!(mail.contains(part), "{part} is not in\n{mail}");
        }
    }
}
