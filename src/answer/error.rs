//! All errors that can end a request: those of the stages, and those that concern the request as a whole.

use std::sync::Arc;

use thiserror::Error;

use crate::budget::Exhausted;
use crate::budget::work::WorkError;
use crate::catalogue::id::MeasurementId;
use crate::error::{DescribeError, ErrorDescription, PAUSE_SECONDS, but_there_is};
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
use crate::open::OpenError;
use crate::plan::chunk::ChunkError;
use crate::query::error::QueryError;
use crate::sign_in::SignInError;

/// Why a request cannot be answered.
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
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error("this user may not read the table {table}")]
    NotAllowed { table: MeasurementId },
    #[error("the answer may have {bound} rows, more than the limit of {limit}")]
    TooManyRows { bound: u64, limit: u64 },
    #[error("`any`, `all` and `$count` may read {bound} rows of figures, more than the limit of {limit}")]
    TooManyInLambdas { bound: u64, limit: u64 },
    #[error("{terms} terms over {rows} rows are more than an answer may take")]
    TooMuchWork { rows: u64, terms: u64 },
    #[error(transparent)]
    Work(#[from] WorkError),
    #[error("more than {limit} rows would stand beside those of the page")]
    TooManyExpanded { limit: u64 },
    #[error("the upstream did not answer within {seconds} seconds; fetching goes on")]
    TooSlow { seconds: u64 },
    #[error("the file was not made within {seconds} seconds; making it goes on")]
    FileNotReady { seconds: u64 },
    #[error(
        "the answer may be larger than {megabytes} MB, and over HTTP/1.0 its length must be known; use HTTP/1.1"
    )]
    TooLargeForHttp10 { megabytes: u64 },
    #[error("the range begins behind the end of the file, which has {bytes} bytes")]
    NoSuchRange { bytes: u64 },
    #[error("If-Match names another state of the file than the current one")]
    NoMatch,
    /// One error for several who waited for the same.
    #[error(transparent)]
    Shared(#[from] Arc<BridgeError>),
    #[error("there is no table '{table}' at {origin}")]
    UnknownTable { table: String, origin: String, suggestion: Option<String> },
    #[error("the metadata of table {table} cannot be used: {reason}")]
    UnusableTable { table: MeasurementId, reason: String },
    #[error("table {0} has not been read from the upstream yet")]
    TableNotRead(MeasurementId),
    #[error("table {0} needs new names, which are given when the other bridges can be asked")]
    Unnamed(MeasurementId),
    #[error("no row has this key")]
    NoSuchRow,
    #[error("the method {method} is not offered here; expected one of {}: {}", usage.allow, usage.english)]
    Method { method: String, usage: &'static Usage },
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
    #[error("the body did not arrive in time")]
    BodySlow,
    #[error("the body could not be read to its end")]
    BodyBroken,
    #[error(
        "the request is no valid HTTP/1.1; expected a line such as `GET /odata/Datasets?$top=5 HTTP/1.1`, headers with colons, \
         and no blank in the address beside Transfer-Encoding or Upgrade"
    )]
    MalformedHttp,
    #[error("the head of the request is longer than 128 kB or has more than 96 headers")]
    HeadTooLarge,
    #[error("there is nothing at '{0}'")]
    UnknownPath(String),
    #[error("explain={what} is not offered; the only thing that is explained is the plan: explain=plan")]
    Unexplained { what: String },
    #[error("rows are not answered as a file here; the same rows are a file at {address}")]
    FormatElsewhere { address: String },
    #[error("there is no entity set of that name; its rows are a file at {address}")]
    FileElsewhere { address: String },
    #[error("{what} is not offered: {reason}")]
    NotOffered { what: String, reason: String },
}

impl BridgeError {
    /// Whether the table was updated while the request was answered, so that it can be started again.
    #[must_use]
    pub fn is_moved(&self) -> bool {
        match self {
            Self::Fetch(FetchError::Moved { .. }) => true,
            Self::Shared(error) => error.is_moved(),
            _ => false,
        }
    }
}

/// What an address is used for, in half a sentence of each language, and with which methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub allow: &'static str,
    pub danish: &'static str,
    pub english: &'static str,
}

/// The `Retry-After` for a file that is being made.
const FILE_SECONDS: u64 = 10;

impl DescribeError for BridgeError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::Version(error) => error.describe(),
            Self::Negotiation(error) => error.describe(),
            Self::Syntax(error) => error.describe(),
            Self::Query(error) => error.describe(),
            Self::SkipToken(error) => error.describe(),
            Self::Plan(error) => error.describe(),
            Self::Budget(error) => error.describe(),
            Self::Fetch(error) => error.describe(),
            Self::Frame(error) => error.describe(),
            Self::Payload(error) => error.describe(),
            Self::Csdl(error) => error.describe(),
            Self::Export(error) => error.describe(),
            Self::Open(error) => error.describe(),
            Self::Batch(error) => error.describe(),
            Self::Work(error) => error.describe(),
            Self::SignIn(error) => error.describe(),
            Self::NotAllowed { table } => ErrorDescription::new(
                403,
                "TableNotAllowed",
                format!("Du har ikke adgang til målingen '{table}'; spørg den, der driver broen, om at få den."),
            ),
            Self::TooManyRows { bound, limit } => ErrorDescription::new(
                400,
                "TooManyRows",
                format!(
                    "Svaret kan få op til {bound} rækker, men grænsen er {limit}; afgræns med $filter på Periode, Område \
                     eller en fordeling."
                ),
            )
            .on("$filter"),
            Self::TooManyInLambdas { bound, limit } => ErrorDescription::new(
                400,
                "TooManyRows",
                format!(
                    "any, all eller $count skal læse op til {bound} rækker tal, men grænsen er {limit}; skriv et filter \
                     på Periode, Område eller en fordeling inde i udtrykket."
                ),
            )
            .on("$filter"),
            Self::TooMuchWork { rows, .. } => ErrorDescription::new(
                400,
                "TooMuchWork",
                format!(
                    "Udtrykket er for langt til {rows} rækker; skriv det kortere, eller afgræns med $filter på Periode, \
                     Område eller en fordeling."
                ),
            )
            .on("$filter"),
            Self::TooManyExpanded { limit } => ErrorDescription::new(
                400,
                "TooManyExpanded",
                format!(
                    "Udfoldningen giver mere end {limit} rækker; skriv $top eller $filter i $expand, eller hent færre \
                     rækker ad gangen."
                ),
            )
            .on("$expand"),
            Self::TooSlow { .. } => ErrorDescription::new(
                503,
                "UpstreamSlow",
                "Jobindsats svarer langsomt lige nu; tallene hentes stadig, så prøv igen om et minut.",
            )
            .again_after(PAUSE_SECONDS),
            Self::FileNotReady { .. } => ErrorDescription::new(
                503,
                "FileNotReady",
                "Filen er ikke færdig endnu, men laves stadig; prøv igen om lidt.",
            )
            .again_after(FILE_SECONDS),
            Self::TooLargeForHttp10 { megabytes } => ErrorDescription::new(
                400,
                "TooLargeForHttp10",
                format!(
                    "Svaret kan fylde mere end {megabytes} MB og kan ikke sendes over HTTP/1.0; brug HTTP/1.1 (nginx: \
                     proxy_http_version 1.1), eller afgræns med $filter."
                ),
            ),
            Self::NoSuchRange { bytes } => ErrorDescription::new(
                416,
                "NoSuchRange",
                format!("Filen har kun {bytes} bytes; hent den forfra, den kan være blevet opdateret."),
            )
            .on("Range"),
            Self::NoMatch => ErrorDescription::new(
                412,
                "NoMatch",
                "Filen er blevet opdateret, siden du begyndte på den; hent den forfra.",
            )
            .on("If-Match"),
            Self::Shared(error) => error.describe(),
            Self::UnknownTable { table, suggestion, .. } => ErrorDescription::new(
                404,
                "UnknownTable",
                match suggestion {
                    Some(_) => format!("Målingen '{table}' findes ikke{}.", but_there_is(suggestion)),
                    None => format!("Målingen '{table}' findes ikke; se Datasets for dem, der findes."),
                },
            ),
            Self::UnusableTable { .. } => ErrorDescription::new(
                502,
                "UnusableTable",
                "Jobindsats beskriver målingen på en måde, der ikke kan bruges; de andre målinger kan læses som før.",
            ),
            Self::TableNotRead(_) => ErrorDescription::new(
                503,
                "TableNotRead",
                "Målingen er ikke læst fra Jobindsats endnu; prøv igen om et minut.",
            )
            .again_after(PAUSE_SECONDS),
            Self::Unnamed(_) => ErrorDescription::new(
                503,
                "TableNotRead",
                "Målingen er ny her og kan først vises, når de andre broer kan nås; prøv igen om et minut.",
            )
            .again_after(PAUSE_SECONDS),
            Self::NoSuchRow => {
                ErrorDescription::new(404, "NoSuchRow", "Der er ingen række med den nøgle.")
            }
            Self::Method { usage, .. } => ErrorDescription::new(
                405,
                "MethodNotAllowed",
                format!("Brug {} her: {}.", usage.allow, usage.danish),
            )
            .allowing(usage.allow),
            Self::SchemaVersion { .. } => ErrorDescription::new(
                404,
                "UnknownSchemaVersion",
                "Der er kun den nuværende version af beskrivelsen; skriv $schemaversion=*, eller udelad den.",
            )
            .on("$schemaversion"),
            Self::Isolation => ErrorDescription::new(
                412,
                "NoIsolation",
                "Forespørgslerne i en $batch kan ikke låses til samme opdatering; udelad Isolation, eller send dem enkeltvis.",
            )
            .on("Isolation"),
            Self::QueryBody { .. } => ErrorDescription::new(
                415,
                "UnknownQueryFormat",
                "Forespørgslen efter /$query skal sendes som text/plain, skrevet som i en adresse.",
            )
            .on("Content-Type"),
            Self::Unexplained { what } => ErrorDescription::new(
                501,
                "NotOffered",
                format!("explain={what} kan ikke bruges her; skriv explain=plan."),
            )
            .on("explain"),
            Self::FormatElsewhere { address } => ErrorDescription::new(
                406,
                "NotAcceptable",
                format!("Rækkerne gives ikke som fil her; hent filen på {address}."),
            )
            .on("$format"),
            Self::FileElsewhere { address } => ErrorDescription::new(
                404,
                "UnknownSet",
                format!("Rækkerne gives ikke som fil her; hent filen på {address}."),
            ),
            Self::FailedDependency => ErrorDescription::new(
                424,
                "FailedDependency",
                "En tidligere forespørgsel i samme $batch gik galt; ret den først.",
            ),
            Self::BodyTooLarge { limit } => ErrorDescription::new(
                413,
                "BodyTooLarge",
                format!("Forespørgslen fylder for meget; send højst {} kB.", limit / 1024),
            ),
            Self::BodySlow => ErrorDescription::new(
                408,
                "BodySlow",
                "Forespørgslen kom for langsomt frem; prøv igen på en bedre forbindelse.",
            ),
            Self::BodyBroken => ErrorDescription::new(
                400,
                "BodyBroken",
                "Forespørgslen blev afbrudt undervejs; send den igen.",
            ),
            Self::MalformedHttp => ErrorDescription::new(
                400,
                "MalformedHttp",
                "Forespørgslen kan ikke læses; tjek adressen, og skriv %20 i stedet for mellemrum.",
            ),
            Self::HeadTooLarge => ErrorDescription::new(
                431,
                "HeadTooLarge",
                "Adressen er for lang; send forespørgslen med POST til …/$query.",
            ),
            Self::UnknownPath(_) => ErrorDescription::new(
                404,
                "NotFound",
                "Adressen findes ikke; begynd ved /odata/.",
            ),
            Self::NotOffered { what, .. } => {
                ErrorDescription::new(501, "NotOffered", format!("{what} tilbydes ikke af broen."))
            }
        }
    }
}
