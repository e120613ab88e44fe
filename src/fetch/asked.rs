//! Counts the figures that were asked of the upstream, and derives from the counts how many more may be asked for beside missing ones.
//!
//! Figures that are stored already and figures that nobody wanted are only requested where that saves calls. Both stay a small part of
//! all figures that were requested since the start.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::plan::missing::{Leeway, Requests};

/// Of so many requested figures, one may be in store already.
const PER_AGAIN: u64 = 64;
/// For so many wanted figures, one may be requested that nobody wants.
const PER_SPARE: u64 = 5;
/// So many figures that nobody wants may be requested in addition, so that the first requests may have some.
const FIRST_SPARE: u64 = 20_000;

/// How many figures were asked for, how many of them again, and how many that nobody wanted.
#[derive(Debug, Default)]
pub(super) struct AskedFigures {
    all: AtomicU64,
    again: AtomicU64,
    spare: AtomicU64,
}

impl AskedFigures {
    /// What the next requests may bring besides missing figures.
    pub fn leeway(&self) -> Leeway {
        let [all, again, spare] =
            [&self.all, &self.again, &self.spare].map(|count| count.load(Ordering::Relaxed));
        let wanted = all.saturating_sub(again + spare);
        Leeway {
            more_periods: true,
            again: (all / PER_AGAIN).saturating_sub(again),
            spare: (FIRST_SPARE + wanted / PER_SPARE).saturating_sub(spare),
        }
    }

    /// Counts requests that are about to be sent.
    pub fn count(&self, requests: &Requests) {
        self.all.fetch_add(requests.figures, Ordering::Relaxed);
        self.again.fetch_add(requests.again, Ordering::Relaxed);
        self.spare.fetch_add(requests.spare, Ordering::Relaxed);
    }
}
