//! Every way in which a request can fail: one enum over the stages. What a client is told of each, and under which status, is
//! the web layer's business.

use thiserror::Error;

use crate::budget::Exhausted;
use crate::catalogue::id::MeasurementId;
use crate::export::ExportError;
use crate::fetch::error::FetchError;
use crate::frame::error::FrameError;
use crate::odata::batch::BatchError;
use crate::odata::csdl::CsdlError;
use crate::odata::media_type::NegotiationError;
use crate::odata::payload::PayloadError;
use crate::odata::skip_token::SkipTokenError;
use crate::odata::uri::SyntaxError;
use crate::odata::version::VersionError;
use crate::plan::chunk::ChunkError;
use crate::query::error::QueryError;

/// A request that cannot be answered as it was asked.
#[derive(Debug, Error)]
pub enum BridgeError {
    #[error(transparent)]
    Version(#[from] VersionError),
    #[error(transparent)]
    Negotiation(#[from] NegotiationError),
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    SkipToken(#[from] SkipTokenError),
    #[error(transparent)]
    Plan(#[from] ChunkError),
    #[error(transparent)]
    Budget(#[from] Exhausted),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Payload(#[from] PayloadError),
    #[error(transparent)]
    Csdl(#[from] CsdlError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("the answer may have {bound} rows, more than the limit of {limit}")]
    TooManyRows { bound: u64, limit: u64 },
    #[error("`any`, `all` and `$count` may read {bound} rows of figures, more than the limit of {limit}")]
    TooManyInLambdas { bound: u64, limit: u64 },
    #[error("{terms} terms over {rows} rows are more than an answer may take")]
    TooMuchWork { rows: u64, terms: u64 },
    #[error("more than {limit} rows would stand beside those of the page")]
    TooManyExpanded { limit: u64 },
    #[error("the upstream did not answer within {seconds} seconds; fetching goes on")]
    TooSlow { seconds: u64 },
    #[error("there is no table '{table}' at {origin}")]
    UnknownTable { table: String, origin: String, suggestion: Option<String> },
    #[error("table {0} has not been read from the upstream yet")]
    TableNotRead(MeasurementId),
    #[error("no row has this key")]
    NoSuchRow,
    #[error("the method {method} is not offered here; expected one of {allow}")]
    Method { method: String, allow: &'static str },
    #[error("$schemaversion is `{found}`; expected `*`, the current version")]
    SchemaVersion { found: String },
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error("the requests of a batch are not isolated from updates between them")]
    Isolation,
    #[error("the body has the content type `{found}`; expected text/plain with query options in it")]
    QueryBody { found: String },
    #[error("a request before this one failed")]
    FailedDependency,
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge { limit: usize },
    #[error("the body could not be read to its end")]
    BodyBroken,
    #[error("the answers are larger than {limit} bytes together")]
    AnswerTooLarge { limit: usize },
    #[error("there is nothing at '{0}'")]
    UnknownPath(String),
    #[error("{what} is not offered: {reason}")]
    NotOffered { what: String, reason: String },
}
