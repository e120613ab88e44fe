//! One OData request from its text to a page. [`Answerer::answer`] calls the stages in order.
//!
//! Rows are read chunk by chunk in the order of the set, so that a first page in that order fetches only what it shows. All rows of
//! a page belong to one revision. The next page starts at the row after it, in the same revision, or is refused.

pub mod error;
pub mod estimate;
mod expand;
pub mod explain;
mod lambda;
mod origin;
mod page;
mod page_start;
mod read;
mod resource;
mod rows;
mod scan;
pub mod stages;
mod unknown_members;

use std::time::Duration;

use chrono::{DateTime, Utc};

pub use expand::{Expanded, Expansion};
pub use scan::Provenance;

use crate::answer::error::BridgeError;
use crate::answer::explain::Explanation;
use crate::answer::page_start::PageStart;
use crate::answer::resource::RequestText;
use crate::answer::stages::{Stage, Stages};
use crate::feed::Feed;
use crate::fetch::Fetcher;
use crate::frame::Frame;
use crate::odata::media_type::Kind;
use crate::odata::skip_token::SkipToken;
use crate::odata::uri::syntax::QueryOptions;
use crate::query::BoundQuery;
use crate::store::uses::UseLog;

/// Answers requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Answerer {
    pub fetcher: Fetcher,
    /// Counts the chunks that are read, for reading ahead.
    pub uses: UseLog,
    pub limits: AnswerLimits,
}

/// Limits of an answer.
#[derive(Debug, Clone, Copy)]
pub struct AnswerLimits {
    pub cell_limit: u64,
    pub page_rows: u64,
    pub max_rows: u64,
    /// The longest wait for the cells of one scan.
    pub wait: Duration,
    /// How many chunks one scan fetches at the same time.
    pub chunks_ahead: usize,
}

/// A request as text, and what the client prefers.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub feed: &'a Feed,
    /// The absolute address of the service, with its final slash.
    pub root: &'a str,
    /// The raw path below the service.
    pub path: &'a str,
    /// The raw query options.
    pub options: &'a str,
    /// The page size that the client prefers.
    pub max_page_size: Option<u64>,
    /// Whether all pages will be requested, as for a file: then the first page is refused if a later one would be, and rows are not
    /// counted.
    pub all_pages: bool,
    /// Whether a condition on a member that does not exist is an error (`handling=strict`).
    pub strict: bool,
    /// The skip token, if it is not among the options.
    pub skip_token: Option<&'a str>,
    /// The instant that `now()` stands for.
    pub now: DateTime<Utc>,
    pub stages: &'a Stages,
}

/// What the caller of [`Answerer::bind`] and [`Answerer::answer`] checks, and negotiates a format from.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a> {
    pub kind: Kind,
    pub options: &'a QueryOptions,
    /// `None` for the documents of a service.
    pub query: Option<&'a BoundQuery>,
}

/// What a request is answered with.
#[derive(Debug)]
pub enum Answer {
    ServiceDocument,
    Metadata,
    /// The plan instead of the rows, for the option `explain=plan`.
    Plan(Box<Explanation>),
    Page(Box<Page>),
}

/// A request whose text was understood.
#[derive(Debug)]
pub enum Bound {
    /// For a document of the service, which is known already.
    Document(Answer),
    /// For rows, which are still to be read.
    Rows(Box<BoundRows>),
}

/// A request for rows.
#[derive(Debug)]
pub struct BoundRows {
    query: BoundQuery,
    text: RequestText,
}

/// One page of rows; for `/$count` only their number.
#[derive(Debug, Clone)]
pub struct Page {
    pub query: BoundQuery,
    /// Rows in order; `None` if there are none.
    pub rows: Option<Frame>,
    /// How many rows match, where that was asked for.
    pub count: Option<u64>,
    /// Where the next page starts, if there is one.
    pub next: Option<SkipToken>,
    pub provenance: Provenance,
    /// The rows of expanded navigation properties, in the order of the query.
    pub expansions: Vec<Expansion>,
    /// The canonical text of the query: skip tokens and entity tags belong to it.
    pub identity: String,
}

/// How often a request is started when its table is updated while it is answered.
const MOVED_ATTEMPTS: usize = 4;

/// Starts a request again when its table was updated while it was answered. Sets and periods may have changed too, so that nothing
/// of the first attempt is kept.
///
/// # Errors
/// When the request fails for another reason, or the table was updated during every attempt.
pub async fn retry_when_moved<T, F>(ask: impl Fn() -> F) -> Result<T, BridgeError>
where
    F: Future<Output = Result<T, BridgeError>>,
{
    for _ in 1..MOVED_ATTEMPTS {
        match ask().await {
            Err(error) if error.is_moved() => {}
            answer => return answer,
        }
    }
    ask().await
}

impl Answerer {
    /// What a request asks for, without reading any rows. The caller checks it as soon as that is known: negotiates its format, refuses
    /// what it does not answer.
    ///
    /// # Errors
    /// When the request is not valid, and what the check refuses.
    pub fn bind<C>(
        &self,
        request: &Request<'_>,
        check: impl FnOnce(&Resource<'_>) -> Result<C, BridgeError>,
    ) -> Result<(C, Bound), BridgeError> {
        let text = request.stages.time(Stage::Parse, || resource::parse(request))?;
        if let Some((kind, document)) = resource::document(&text.syntax)? {
            let checked = check(&Resource { kind, options: &text.syntax.options, query: None })?;
            return Ok((checked, Bound::Document(document)));
        }
        let query = request.stages.time(Stage::Bind, || self.bind_checked(request, &text))?;
        let checked = check(&resource::of_rows(&text.syntax.options, &query))?;
        Ok((checked, Bound::Rows(Box::new(BoundRows { query, text }))))
    }

    /// Answers a request. The caller negotiates the format when it is known what is requested, before anything is fetched.
    ///
    /// # Errors
    /// When the request is not valid, cannot be answered in an acceptable format, exceeds a limit, or its cells are not available.
    pub async fn answer<F>(
        &self,
        request: &Request<'_>,
        negotiate: impl FnOnce(&Resource<'_>) -> Result<F, BridgeError>,
    ) -> Result<(F, Answer), BridgeError> {
        let (feed, stages) = (request.feed, request.stages);
        let (format, bound) = self.bind(request, negotiate)?;
        let BoundRows { query, text } = match bound {
            Bound::Document(document) => return Ok((format, document)),
            Bound::Rows(rows) => *rows,
        };
        let token = request.skip_token.or(text.syntax.options.skiptoken.as_deref());
        if token.is_none() {
            unknown_members::log(request.path, &query);
        }
        let start = PageStart::read(token, &text.identity, request.max_page_size, request.all_pages)?;
        if !request.all_pages && explain::is_asked_for(&text.syntax.options.custom)? {
            return Ok((format, Answer::Plan(Box::new(self.explain(feed, &query, &start).await?))));
        }
        let resolved = self.resolve_lambdas(feed, stages, &query, start.revision).await?;
        let origin = self.origin(feed, stages, &resolved.query).await?;
        let planned = stages.time(Stage::Plan, || self.plan_page(feed, &resolved.query, origin, &start));
        let (scan, rows) = planned?;
        let (rows, read) = self.scan(stages, &scan, resolved.provenance.revision, &rows).await?;
        let read = resolved.provenance.and(read);
        let page = stages.time(Stage::Assemble, || rows.into_page(text.identity, read))?;
        let page = self.expand(feed, stages, page).await?;
        Ok((format, Answer::Page(Box::new(page))))
    }
}
