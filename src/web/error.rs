//! The one table from error to answer: status, code, the Danish sentence that a person reads, the English detail that an
//! operator reads, and when to try again. Exhaustive, so that a new error cannot be forgotten.

use actix_web::http::StatusCode;

use crate::budget::Exhausted;
use crate::error::BridgeError;
use crate::export::ExportError;
use crate::fetch::error::FetchError;
use crate::odata::batch::BatchError;
use crate::odata::media_type::NegotiationError;
use crate::odata::skip_token::SkipTokenError;
use crate::query::error::ErrorClass;
use crate::upstream::error::{Failure, UpstreamError};

/// How an error is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorDescription {
    pub status: StatusCode,
    pub code: &'static str,
    /// One Danish sentence, with what to do.
    pub message: String,
    /// The same for operators, in English.
    pub detail: String,
    /// The option or part of the request that is at fault.
    pub target: Option<String>,
    pub retry_after_seconds: Option<u64>,
    /// The methods that would have been right.
    pub allow: Option<&'static str>,
}

/// The usual pause that a client is told to make.
const PAUSE_SECONDS: u64 = 60;
/// From the last minutes before the closed hour, in which nothing starts any more, to after its end.
const CLOSED_SECONDS: u64 = 3600 + 180;

impl ErrorDescription {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>, error: &BridgeError) -> Self {
        let detail = error.to_string();
        let message = message.into();
        Self { status, code, message, detail, target: None, retry_after_seconds: None, allow: None }
    }

    fn on(mut self, target: &str) -> Self {
        self.target = Some(target.to_owned());
        self
    }

    fn again_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

/// Tells an error.
#[must_use]
pub fn describe(error: &BridgeError) -> ErrorDescription {
    use StatusCode as S;
    let described = |status, code, message: &str| ErrorDescription::new(status, code, message, error);
    match error {
        BridgeError::Version(_) => described(
            S::BAD_REQUEST,
            "UnsupportedVersion",
            "Tjenesten taler OData 4.0; bed om OData-MaxVersion 4.0 eller nyere.",
        )
        .on("OData-MaxVersion"),
        BridgeError::Negotiation(NegotiationError::Accept { .. }) => described(
            S::NOT_ACCEPTABLE,
            "NotAcceptable",
            "Svaret findes ikke i det format, der bedes om; bed om application/json.",
        )
        .on("Accept"),
        BridgeError::Negotiation(_) => described(
            S::BAD_REQUEST,
            "UnknownFormat",
            "Formatet i $format kendes ikke; skriv json, eller xml for $metadata.",
        )
        .on("$format"),
        BridgeError::Syntax(syntax) => {
            ErrorDescription::new(S::BAD_REQUEST, "SyntaxError", syntax.danish(), error).on(&syntax.option)
        }
        BridgeError::Query(query) => {
            let status = match query.class() {
                ErrorClass::BadRequest => S::BAD_REQUEST,
                ErrorClass::NotFound => S::NOT_FOUND,
                ErrorClass::NotOffered => S::NOT_IMPLEMENTED,
            };
            ErrorDescription::new(status, query.code(), query.danish(), error).on(query.target)
        }
        BridgeError::SkipToken(SkipTokenError::OtherQuery) => described(
            S::BAD_REQUEST,
            "SkipTokenOfAnotherQuery",
            "Sidens $skiptoken hører til en anden forespørgsel; følg det næste link uændret.",
        )
        .on("$skiptoken"),
        BridgeError::SkipToken(_) => described(
            S::BAD_REQUEST,
            "DamagedSkipToken",
            "Sidens $skiptoken er beskadiget; følg det næste link uændret, eller begynd forfra.",
        )
        .on("$skiptoken"),
        BridgeError::Plan(_) => described(
            S::INTERNAL_SERVER_ERROR,
            "CellLimitTooLow",
            "Tjenestens grænse for celler er sat for lavt til denne måling; sig det til den, der driver tjenesten.",
        ),
        BridgeError::Budget(exhausted) => of_budget(exhausted, error),
        BridgeError::Fetch(fetch) => of_fetch(fetch, error),
        BridgeError::Frame(crate::frame::error::FrameError::Eval(eval)) => {
            ErrorDescription::new(S::BAD_REQUEST, "NoValue", eval.danish(), error).on("$filter")
        }
        BridgeError::Frame(_) | BridgeError::Payload(_) | BridgeError::Csdl(_) => described(
            S::INTERNAL_SERVER_ERROR,
            "InternalError",
            "Der er en fejl i tjenesten; prøv igen, og sig det til den, der driver tjenesten.",
        ),
        BridgeError::Export(export) => of_export(export, error),
        BridgeError::TooManyRows { bound, limit } => {
            let message = format!(
                "Svaret kan få op til {bound} rækker, men grænsen er {limit}; afgræns med $filter på Periode, område eller en anden dimension."
            );
            ErrorDescription::new(S::BAD_REQUEST, "TooManyRows", message, error).on("$filter")
        }
        BridgeError::TooManyInLambdas { bound, limit } => {
            let message = format!(
                "any, all eller $count skal læse op til {bound} rækker tal, men grænsen er {limit}; skriv et filter på Periode, område eller en anden dimension inde i udtrykket."
            );
            ErrorDescription::new(S::BAD_REQUEST, "TooManyRows", message, error).on("$filter")
        }
        BridgeError::TooMuchWork { rows, .. } => {
            let message = format!(
                "Udtrykket er for langt til {rows} rækker; skriv det kortere, eller afgræns med $filter på Periode, område eller en anden dimension."
            );
            ErrorDescription::new(S::BAD_REQUEST, "TooMuchWork", message, error).on("$filter")
        }
        BridgeError::TooManyExpanded { limit } => {
            let message = format!(
                "Udfoldningen giver mere end {limit} rækker; skriv $top eller $filter i $expand, eller hent færre rækker ad gangen."
            );
            ErrorDescription::new(S::BAD_REQUEST, "TooManyExpanded", message, error).on("$expand")
        }
        BridgeError::TooSlow { .. } => described(
            S::SERVICE_UNAVAILABLE,
            "UpstreamSlow",
            "Jobindsats svarer langsomt lige nu; tallene hentes stadig, så prøv igen om et minut.",
        )
        .again_after(PAUSE_SECONDS),
        BridgeError::UnknownTable { table, suggestion, .. } => {
            let message = match suggestion {
                Some(name) => format!("Målingen '{table}' findes ikke; mente du {name}?"),
                None => format!("Målingen '{table}' findes ikke; se Datasets for dem, der findes."),
            };
            ErrorDescription::new(S::NOT_FOUND, "UnknownTable", message, error)
        }
        BridgeError::TableNotRead(_) => described(
            S::SERVICE_UNAVAILABLE,
            "TableNotRead",
            "Målingen er ikke læst fra Jobindsats endnu; prøv igen om et minut.",
        )
        .again_after(PAUSE_SECONDS),
        BridgeError::NoSuchRow => described(S::NOT_FOUND, "NoSuchRow", "Der er ingen række med den nøgle."),
        BridgeError::Method { allow, .. } => {
            let message = format!("Tjenesten kan kun læses; brug {allow} her.");
            let described = ErrorDescription::new(S::METHOD_NOT_ALLOWED, "MethodNotAllowed", message, error);
            ErrorDescription { allow: Some(allow), ..described }
        }
        BridgeError::Batch(BatchError::TooMany { limit }) => {
            let message = format!("En $batch kan højst have {limit} forespørgsler; del den op.");
            ErrorDescription::new(S::PAYLOAD_TOO_LARGE, "BatchTooLarge", message, error).on("$batch")
        }
        BridgeError::Batch(BatchError::Form { .. }) => described(
            S::UNSUPPORTED_MEDIA_TYPE,
            "UnknownBatchFormat",
            "En $batch skal sendes som multipart/mixed med boundary eller som application/json.",
        )
        .on("Content-Type"),
        BridgeError::Batch(_) => described(
            S::BAD_REQUEST,
            "MalformedBatch",
            "Denne $batch kan ikke læses; se i detaljerne, hvilken del der er forkert.",
        )
        .on("$batch"),
        BridgeError::SchemaVersion { .. } => described(
            S::NOT_FOUND,
            "UnknownSchemaVersion",
            "Der er kun den nuværende version af beskrivelsen; skriv $schemaversion=*, eller udelad den.",
        )
        .on("$schemaversion"),
        BridgeError::Isolation => described(
            S::PRECONDITION_FAILED,
            "NoIsolation",
            "Forespørgslerne i en $batch kan ikke låses til samme opdatering; udelad Isolation, eller send dem enkeltvis.",
        )
        .on("Isolation"),
        BridgeError::QueryBody { .. } => described(
            S::UNSUPPORTED_MEDIA_TYPE,
            "UnknownQueryFormat",
            "Forespørgslen efter /$query skal sendes som text/plain, skrevet som i en adresse.",
        )
        .on("Content-Type"),
        BridgeError::FailedDependency => described(
            S::FAILED_DEPENDENCY,
            "FailedDependency",
            "En tidligere forespørgsel i samme $batch gik galt; ret den først.",
        ),
        BridgeError::BodyTooLarge { limit } => {
            let message = format!("Forespørgslen fylder for meget; send højst {} kB.", limit / 1024);
            ErrorDescription::new(S::PAYLOAD_TOO_LARGE, "BodyTooLarge", message, error)
        }
        BridgeError::BodyBroken => {
            described(S::BAD_REQUEST, "BodyBroken", "Forespørgslen blev afbrudt undervejs; send den igen.")
        }
        BridgeError::AnswerTooLarge { .. } => described(
            S::PAYLOAD_TOO_LARGE,
            "BatchAnswerTooLarge",
            "Svarene fylder for meget til én $batch; hent denne forespørgsel for sig.",
        ),
        BridgeError::UnknownPath(_) => {
            described(S::NOT_FOUND, "NotFound", "Der er ikke noget på den adresse; begynd ved /odata/.")
        }
        BridgeError::NotOffered { what, .. } => {
            ErrorDescription::new(S::NOT_IMPLEMENTED, "NotOffered", format!("{what} tilbydes ikke af tjenesten."), error)
        }
    }
}

fn of_export(export: &ExportError, error: &BridgeError) -> ErrorDescription {
    let described = |status, code, message: &str| ErrorDescription::new(status, code, message, error);
    match export {
        ExportError::UnknownDialect { .. } => described(
            StatusCode::BAD_REQUEST,
            "UnknownDialect",
            "Dialekten kendes ikke; skriv dialekt=dansk, eller udelad den for komma og punktum.",
        )
        .on("dialekt"),
        ExportError::NotASet { .. } => described(
            StatusCode::NOT_FOUND,
            "NotASet",
            "Kun hele sæt kan hentes som fil; skriv sættets navn efterfulgt af .csv eller .parquet.",
        ),
        ExportError::NoExpand => described(
            StatusCode::NOT_IMPLEMENTED,
            "NotOffered",
            "En fil har ingen rækker inde i rækker; hent den anden tabel som en fil for sig.",
        )
        .on("$expand"),
        ExportError::NoOption { option } => described(
            StatusCode::BAD_REQUEST,
            "OptionNotApplicable",
            &format!("{option} giver ikke mening for en fil; udelad den."),
        )
        .on(option),
        ExportError::Cells(_)
        | ExportError::Compression(_)
        | ExportError::Csv(_)
        | ExportError::Parquet(_) => described(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "Der er en fejl i tjenesten; prøv igen, og sig det til den, der driver tjenesten.",
        ),
    }
}

fn of_budget(exhausted: &Exhausted, error: &BridgeError) -> ErrorDescription {
    let status = StatusCode::from_u16(exhausted.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let described = ErrorDescription::new(status, exhausted.code(), exhausted.danish(), error);
    let seconds = exhausted.retry_after.map(|wait| wait.as_secs().max(1));
    ErrorDescription { retry_after_seconds: seconds, ..described }
}

fn of_fetch(fetch: &FetchError, error: &BridgeError) -> ErrorDescription {
    let described = |status, code, message: &str| ErrorDescription::new(status, code, message, error);
    match fetch {
        FetchError::Upstream(upstream) => of_upstream(upstream, error),
        FetchError::Budget(exhausted) => of_budget(exhausted, error),
        FetchError::Join(_) => described(
            StatusCode::BAD_GATEWAY,
            "UpstreamAnswer",
            "Jobindsats svarede med noget, der ikke passer til målingen; intet er gemt, prøv igen senere.",
        ),
        FetchError::Columns(_) | FetchError::Interrupted => described(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "Der er en fejl i tjenesten; prøv igen, og sig det til den, der driver tjenesten.",
        ),
        FetchError::Moved { .. } => described(
            StatusCode::SERVICE_UNAVAILABLE,
            "UpstreamUpdating",
            "Målingen bliver opdateret hos Jobindsats netop nu; prøv igen om et minut.",
        )
        .again_after(PAUSE_SECONDS),
        FetchError::Gone { .. } => described(
            StatusCode::GONE,
            "RevisionGone",
            "Tallene er blevet opdateret, mens du hentede dem; begynd forfra.",
        ),
    }
}

fn of_upstream(upstream: &UpstreamError, error: &BridgeError) -> ErrorDescription {
    let described = |status, code, message: &str| ErrorDescription::new(status, code, message, error);
    let away = StatusCode::SERVICE_UNAVAILABLE;
    let pause = |seconds: Option<u64>| seconds.unwrap_or(PAUSE_SECONDS).max(1);
    match &upstream.failure {
        Failure::Unauthorized => described(
            StatusCode::BAD_GATEWAY,
            "UpstreamKeyRefused",
            "Jobindsats afviser organisationens nøgle; sig det til den, der driver tjenesten.",
        ),
        Failure::Refused { .. } | Failure::TooLarge { .. } => described(
            StatusCode::BAD_GATEWAY,
            "UpstreamRefused",
            "Jobindsats afviste forespørgslen; prøv igen senere, eller afgræns den.",
        ),
        Failure::Decode(_) => described(
            StatusCode::BAD_GATEWAY,
            "UpstreamAnswer",
            "Jobindsats svarede med noget, der ikke kan læses; intet er gemt, prøv igen senere.",
        ),
        Failure::Closed { .. } => described(
            away,
            "UpstreamClosed",
            "Jobindsats er lukket mellem kl. 22 og 23, og tallene er ikke hentet før; prøv igen efter kl. 23.",
        )
        .again_after(CLOSED_SECONDS),
        Failure::CircuitOpen { retry_after } => described(
            away,
            "UpstreamAway",
            "Jobindsats svarer ikke lige nu, og tallene er ikke hentet før; prøv igen om lidt.",
        )
        .again_after(pause(Some(retry_after.as_secs()))),
        Failure::Updating { .. } => described(
            away,
            "UpstreamUpdating",
            "Målingen er ved at blive opdateret hos Jobindsats; prøv igen om en halv time.",
        )
        .again_after(1800),
        Failure::RateLimited { .. }
        | Failure::Forbidden
        | Failure::Server { .. }
        | Failure::Timeout { .. }
        | Failure::Connect { .. } => described(
            away,
            "UpstreamAway",
            "Jobindsats svarer ikke lige nu, og tallene er ikke hentet før; prøv igen om lidt.",
        )
        .again_after(pause(upstream.failure.asked_pause().map(|pause| pause.as_secs()))),
    }
}
