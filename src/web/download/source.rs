//! The rows of a file, page by page.

use std::sync::Arc;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use crate::answer::error::BridgeError;
use crate::answer::estimate::Estimate;
use crate::answer::stages::Stages;
use crate::answer::{Answer, Answerer, Page, Request, Resource};
use crate::budget::work::{Work, Workers};
use crate::export::ExportError;
use crate::feed::Feed;
use crate::fetch::error::FetchError;
use crate::observe::request::inherited;
use crate::web::state::AppState;

/// The request for the rows of a file, page by page.
#[derive(Clone)]
pub(in crate::web) struct FileSource {
    answerer: Answerer,
    workers: Arc<Workers>,
    /// The memory of all pages counts towards this.
    work: Work,
    pub feed: Arc<Feed>,
    /// The name of the set in the URL.
    set: String,
    /// The raw query options.
    pub options: String,
    /// What `now()` stands for: the minute that has begun, so that a file can be sought in for that long.
    pub now: DateTime<Utc>,
    pub stages: Stages,
}

impl FileSource {
    pub fn new(state: &AppState, work: &Work, feed: Arc<Feed>, set: &str, options: &str) -> Self {
        Self {
            answerer: state.answerer.clone(),
            workers: Arc::clone(&state.workers),
            work: work.clone(),
            feed,
            set: set.to_owned(),
            options: options.to_owned(),
            now: minute(state.clock.now()),
            stages: Stages::new(Arc::clone(&state.metrics)),
        }
    }

    /// The same with at most that many rows.
    pub fn limited_to(mut self, rows: u64) -> Self {
        self.answerer.limits.max_rows = self.answerer.limits.max_rows.min(rows);
        self
    }

    /// The same for what goes on behind the request.
    pub fn unrecorded(mut self) -> Self {
        self.stages = Stages::unrecorded();
        self
    }

    /// The same as work of its own, with a part of the longest wait for each page.
    pub fn waiting(mut self, part: f32) -> Self {
        self.work = self.workers.work();
        self.answerer.limits.wait = self.answerer.limits.wait.mul_f32(part);
        self
    }

    /// The request for the page at a token, or the first.
    pub fn request<'a>(&'a self, skip_token: Option<&'a str>) -> Request<'a> {
        Request {
            feed: &self.feed,
            root: "",
            path: &self.set,
            options: &self.options,
            max_page_size: None,
            all_pages: true,
            strict: false,
            skip_token,
            now: self.now,
            stages: &self.stages,
        }
    }

    /// What all pages would read. Strictness is a matter of the request alone: the pages are the same, and others get them too.
    pub async fn estimate<F: Send + 'static>(
        &self,
        strict: bool,
        negotiate: impl FnOnce(&Resource<'_>) -> Result<F, BridgeError> + Send + 'static,
    ) -> Result<(F, Estimate), BridgeError> {
        let (source, workers) = (self.clone(), &self.workers);
        let estimate = async move {
            let request = Request { strict, ..source.request(None) };
            source.answerer.estimate(&request, negotiate).await
        };
        workers.run(&workers.work(), inherited(estimate)).await.unwrap_or(Err(FetchError::Interrupted.into()))
    }

    /// Whether all figures that the pages would read are stored, and fresh.
    pub async fn has_all(&self, estimate: Estimate, now: DateTime<Utc>) -> bool {
        let (answerer, workers) = (self.answerer.clone(), &self.workers);
        let has_all = async move { answerer.has_all(&estimate, now).await };
        workers.run(&workers.work(), inherited(has_all)).await.unwrap_or(false)
    }

    /// The page at a token, or the first. Each has a processor time of its own.
    pub async fn page<F: Send + 'static>(
        &self,
        skip_token: Option<String>,
        negotiate: impl FnOnce(&Resource<'_>) -> Result<F, BridgeError> + Send + 'static,
    ) -> Result<(F, Page), BridgeError> {
        let (source, workers) = (self.clone(), &self.workers);
        let answer = async move { source.answer(skip_token.as_deref(), negotiate).await };
        let work = workers.work_beside(&self.work);
        workers.run(&work, inherited(answer)).await.unwrap_or(Err(FetchError::Interrupted.into()))
    }

    async fn answer<F>(
        &self,
        skip_token: Option<&str>,
        negotiate: impl FnOnce(&Resource<'_>) -> Result<F, BridgeError>,
    ) -> Result<(F, Page), BridgeError> {
        match self.answerer.answer(&self.request(skip_token), negotiate).await? {
            (format, Answer::Page(page)) => Ok((format, *page)),
            _ => Err(ExportError::NotASet { path: self.set.clone() }.into()),
        }
    }
}

fn minute(now: DateTime<Utc>) -> DateTime<Utc> {
    now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now)
}
