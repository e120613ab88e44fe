//! The stages of answering a request and how long each took: a histogram, the header `Server-Timing`, and fields of the request's
//! span. Nothing else measures them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::Span;

use crate::observe::metrics::Metrics;

/// A part of the work between a request's text and the bytes of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// From text to syntax.
    Parse,
    /// From syntax to a query over the sets of a feed.
    Bind,
    /// Which requests to the upstream bring the cells.
    Plan,
    /// The wait for cells, from the store or from the upstream.
    Fetch,
    /// From cells to the rows of a page.
    Assemble,
    /// From rows to bytes, packed.
    Write,
}

impl Stage {
    /// All stages, in the order in which a request passes them.
    pub const ALL: [Self; 6] =
        [Self::Parse, Self::Bind, Self::Plan, Self::Fetch, Self::Assemble, Self::Write];

    /// The value of the label `stage`, which is also the name of the span's field.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Bind => "bind",
            Self::Plan => "plan",
            Self::Fetch => "fetch",
            Self::Assemble => "assemble",
            Self::Write => "write",
        }
    }
}

/// The time that a request has spent in each stage so far. Clones share it; dropping the last one records it.
#[derive(Debug, Clone)]
pub struct Stages(Arc<Spent>);

#[derive(Debug)]
struct Spent {
    nanoseconds: [AtomicU64; Stage::ALL.len()],
    /// `None` for work that is no request of its own.
    metrics: Option<Arc<Metrics>>,
    span: Span,
}

impl Stages {
    /// Starts with nothing spent. The times are recorded in the current span.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let (metrics, span) = (Some(metrics), Span::current());
        Self(Arc::new(Spent { nanoseconds: Default::default(), metrics, span }))
    }

    /// The same for work that goes on behind a request and is not recorded.
    #[must_use]
    pub fn unrecorded() -> Self {
        Self(Arc::new(Spent { nanoseconds: Default::default(), metrics: None, span: Span::none() }))
    }

    /// Runs a part of a stage and adds its time.
    pub fn time<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        self.add(stage, began.elapsed());
        done
    }

    /// Awaits a part of a stage and adds its time.
    pub async fn wait<T>(&self, stage: Stage, work: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let done = work.await;
        self.add(stage, began.elapsed());
        done
    }

    fn add(&self, stage: Stage, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        self.0.nanoseconds[stage as usize].fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// The value of the header `Server-Timing`: the stages before writing, in milliseconds.
    #[must_use]
    pub fn server_timing(&self) -> String {
        let mut text = String::new();
        for (stage, took) in self.0.taken().filter(|(stage, _)| *stage != Stage::Write) {
            let comma = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{comma}{};dur={:.3}", stage.name(), took.as_secs_f64() * 1000.0);
        }
        text
    }
}

impl Spent {
    /// The stages that the request has reached.
    fn taken(&self) -> impl Iterator<Item = (Stage, Duration)> {
        let spent = Stage::ALL.into_iter().zip(&self.nanoseconds);
        let spent = spent.map(|(stage, spent)| (stage, Duration::from_nanos(spent.load(Ordering::Relaxed))));
        spent.filter(|(_, took)| !took.is_zero())
    }
}

impl Drop for Spent {
    fn drop(&mut self) {
        for (stage, took) in self.taken() {
            if let Some(metrics) = &self.metrics {
                metrics.stage(stage.name(), took);
            }
            self.span.record(stage.name(), took.as_secs_f64());
        }
    }
}
