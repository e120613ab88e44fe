//! An example of each code: when it comes, and an error that has it.

use std::time::Duration;

use chrono::DateTime;
use jobindsats_bridge::answer::error::{BridgeError, Usage};
use jobindsats_bridge::budget::{Exhausted, Resource, Share};
use jobindsats_bridge::catalogue::id::MeasurementId;
use jobindsats_bridge::catalogue::measure::NotAdditive;
use jobindsats_bridge::error::DescribeError;
use jobindsats_bridge::export::ExportError;
use jobindsats_bridge::fetch::error::FetchError;
use jobindsats_bridge::frame::error::FrameError;
use jobindsats_bridge::indicators::history::HistoryError;
use jobindsats_bridge::observe::upstream_observer::Endpoint;
use jobindsats_bridge::odata::batch::BatchError;
use jobindsats_bridge::odata::media_type::NegotiationError;
use jobindsats_bridge::odata::skip_token::SkipTokenError;
use jobindsats_bridge::odata::uri::{Limits, parse_request};
use jobindsats_bridge::odata::value::PrimitiveType;
use jobindsats_bridge::odata::version::VersionError;
use jobindsats_bridge::open::OpenError;
use jobindsats_bridge::plan::chunk::ChunkError;
use jobindsats_bridge::query::apply::error::ApplyError;
use jobindsats_bridge::query::error::{NotOfferedReason, QueryError, QueryErrorKind, Shape};
use jobindsats_bridge::query::eval::EvalError;
use jobindsats_bridge::sign_in::SignInError;
use jobindsats_bridge::sign_in::token::TokenError;
use jobindsats_bridge::upstream::error::{Failure, UpstreamError};
use jobindsats_bridge::web::remote_read::ReadError;

const READING: Usage = Usage {
    allow: "GET, HEAD, OPTIONS",
    danish: "tjenesten kan kun læses, ikke ændres",
    english: "the service is read-only",
};

type Example = (&'static str, Box<dyn DescribeError>);

/// An example of each code that the source describes.
pub fn examples() -> Vec<Example> {
    [
        protocol(),
        query(),
        apply(),
        limits(),
        budgets(),
        sign_in(),
        addresses(),
        upstream(),
        batch(),
        files(),
        remote_read(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn example(when: &'static str, error: impl DescribeError + 'static) -> Example {
    (when, Box::new(error))
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn protocol() -> Vec<Example> {
    let syntax = parse_request("Hovedtal", "$filter=Periode eq", &Limits::default()).unwrap_err();
    let accept = text("text/html");
    vec![
        example("the request is not in the language; the sentence says where", syntax),
        example(
            "a version of OData older than 4.0 is asked for",
            VersionError::NotSpoken { header: "OData-MaxVersion", value: text("3.0") },
        ),
        example(
            "no format that the client takes is offered",
            NegotiationError::Accept { accept, offered: "application/json" },
        ),
        example("a next link was changed", SkipTokenError::Damaged),
        example("a next link was put behind another query", SkipTokenError::OtherQuery),
        example(
            "`$schemaversion` is neither `*` nor left out",
            BridgeError::SchemaVersion { found: text("1") },
        ),
        example(
            "an address has other methods; `Allow` and the sentence say which, and what it is for",
            BridgeError::Method { method: text("DELETE"), usage: &READING },
        ),
        example("the body of a request is too large", BridgeError::BodyTooLarge { limit: 1024 * 1024 }),
        example("the body of a request came too slowly", BridgeError::BodySlow),
        example("the body of a request did not arrive whole", BridgeError::BodyBroken),
        example(
            "what came is no request, or its address cannot be told from the rest",
            BridgeError::MalformedHttp,
        ),
        example("the head of a request is too long", BridgeError::HeadTooLarge),
        example(
            "`POST …/$query` came with another content type",
            BridgeError::QueryBody { found: text("text/html") },
        ),
        example("something went wrong in the service; its log says what", FetchError::Interrupted),
    ]
}

fn in_filter(kind: QueryErrorKind) -> QueryError {
    QueryError { target: "$filter", position: Some(0), kind }
}

fn query() -> Vec<Example> {
    use QueryErrorKind as Kind;
    let (name, set, suggestion) = (text("Omrade"), text("Hovedtal"), Some(text("Område")));
    let function = Kind::UnknownFunction { name: text("contians"), suggestion: Some(text("contains")) };
    let member = Kind::UnknownMember {
        column: text("Område"),
        value: text("Randers Kommune"),
        nearest: vec![text("Randers")],
    };
    let types =
        Kind::TypeMismatch { expected: Shape::Primitive(PrimitiveType::Boolean), found: Shape::Number };
    let key =
        Kind::WrongKey { set: set.clone(), expected: vec![text("Periode='…'"), text("Område_id='…'")] };
    let option = Kind::OptionNotApplicable { option: "$filter", target: "a single entity" };
    let construct = text("$crossjoin");
    vec![
        example("a name is no column of the set", in_filter(Kind::UnknownProperty { name, set, suggestion })),
        example("there is no such function", in_filter(function)),
        example(
            "`Prefer: handling=strict` was sent, and a condition names a member that does not exist",
            in_filter(member),
        ),
        example("a value or an expression is of another type than its place needs", in_filter(types)),
        example(
            "the parts of a key are not those of the set",
            QueryError { target: "path", position: None, kind: key },
        ),
        example(
            "an option means nothing at this address",
            QueryError { target: "$filter", position: None, kind: option },
        ),
        example(
            "an expression of constants has no value",
            in_filter(Kind::Evaluation(EvalError::DivisionByZero)),
        ),
        example("an expression has no value for a row", FrameError::Eval(EvalError::DivisionByZero)),
        example(
            "a regular expression cannot be used",
            in_filter(Kind::InvalidPattern { pattern: text("("), reason: text("unclosed") }),
        ),
        example(
            "an alias, `as` or `$compute` gives a name that is there already",
            in_filter(Kind::NameTaken { name: text("Periode") }),
        ),
        example(
            "OData has it, this service does not; the sentence says why",
            QueryError {
                target: "path",
                position: None,
                kind: Kind::NotOffered { construct, reason: NotOfferedReason::NoProducts },
            },
        ),
    ]
}

fn apply() -> Vec<Example> {
    let (expression, measure) = (text("Antal_personer"), text("Antal_personer"));
    let unknown = ApplyError::UnknownAggregate {
        name: text("Alder"),
        set: text("Hovedtal"),
        example: Some(text("Antal_personer")),
    };
    vec![
        example(
            "figures would have to be added up or computed with",
            ApplyError::Computed { expression, method: text("sum"), measure, why: NotAdditive::Persons },
        ),
        example(
            "a published total was asked for, and a column is neither grouped by nor pinned",
            ApplyError::NotPinned { column: text("Periode") },
        ),
        example(
            "it is grouped by a text that several members have",
            ApplyError::SharedLabel { column: text("Område"), id: text("Område_id") },
        ),
        example("`aggregate` names something that has no total", unknown),
        example("`aggregate` gives a name twice", ApplyError::TakenAlias { alias: text("Antal") }),
    ]
}

fn limits() -> Vec<Example> {
    use QueryErrorKind as Kind;
    let cells = ChunkError::LimitBelowOneRow { table: text("y25i01"), cells: 8, limit: 5 };
    vec![
        example(
            "the answer, or what `any`, `all` and `$count` read, could have more rows than `BRIDGE_MAX_ROWS`",
            BridgeError::TooManyRows { bound: 4_000_000, limit: 1_000_000 },
        ),
        example(
            "a long expression over many rows: more than 10⁹ terms looked at",
            BridgeError::TooMuchWork { rows: 1_000_000, terms: 2_000_000_000 },
        ),
        example("`$expand` would bring too many rows", BridgeError::TooManyExpanded { limit: 100_000 }),
        example(
            "an expression is too large with its aliases filled in",
            in_filter(Kind::ExpressionTooLarge { nodes: 10_000, depth: 100 }),
        ),
        example("`$orderby` has too many terms", in_filter(Kind::TooManyTerms { max: 64, max_computed: 8 })),
        example(
            "`$expand` names too many navigation properties",
            in_filter(Kind::TooManyExpansions { max: 32 }),
        ),
        example("`BRIDGE_CELL_LIMIT` is less than one row of the table has", cells),
    ]
}

fn budgets() -> Vec<Example> {
    let exhausted = |share, minutes: Option<u64>| Exhausted {
        resource: Resource::UpstreamCells,
        share,
        limit: 2_000_000,
        retry_after: minutes.map(|minutes| Duration::from_secs(60 * minutes)),
    };
    vec![
        example(
            "a request needs more of Jobindsats than may be fetched in an hour, or its answer more memory than `BRIDGE_ANSWERS_MB`",
            exhausted(Share::Client, None),
        ),
        example(
            "a client has fetched as much as one may in an hour, or has `BRIDGE_CONNECTIONS_PER_CLIENT` open (`Retry-After: 5`)",
            exhausted(Share::Client, Some(20)),
        ),
        example(
            "the service has fetched as much as it may in an hour, answers on their way have all of `BRIDGE_ANSWERS_MB`, or `BRIDGE_CONNECTIONS` are open (`Retry-After: 5`)",
            exhausted(Share::Everybody, Some(20)),
        ),
    ]
}

fn sign_in() -> Vec<Example> {
    vec![
        example("the request names no user and no key", SignInError::Missing),
        example("a name, a password or a key is wrong", SignInError::Wrong),
        example(
            "a request has two `Authorization` headers, two keys, or two headers in which a proxy names the user",
            SignInError::Ambiguous,
        ),
        example("a proxy has signed in somebody who is not among the users", SignInError::UnknownUser),
        example(
            "the link to the next page has expired: 60 to 70 minutes after somebody signed in, or with the token",
            SignInError::ExpiredLink,
        ),
        example("the link to the next page was changed, or given before a restart", SignInError::ForeignLink),
        example(
            "a scrape or a remote read has no password, and one is set",
            SignInError::MetricsPasswordMissing,
        ),
        example(
            "users are set, and the password of metrics and remote read is not",
            SignInError::MetricsClosed,
        ),
        example("many passwords are looked at already", SignInError::Busy),
        example("the keys of `BRIDGE_TOKEN_ISSUER` could not be fetched yet", TokenError::NoKeys),
        example("a token is not the issuer's, or is for something else", TokenError::Signature),
        example("a token is over", TokenError::Expired),
        example("a token lists no groups because they are too many", TokenError::TooManyGroups),
        example("no group or role of a token is among the users", TokenError::NoGroup),
        example(
            "the user may not read the table",
            BridgeError::NotAllowed { table: MeasurementId::from("y25i01") },
        ),
    ]
}

fn addresses() -> Vec<Example> {
    use QueryErrorKind as Kind;
    let set = Kind::UnknownSet { name: text("Hovedtall"), suggestion: Some(text("Hovedtal")) };
    let segment = Kind::UnknownSegment { name: text("x"), after: text("Hovedtal"), suggestion: None };
    let in_path = |kind| QueryError { target: "path", position: None, kind };
    let table = BridgeError::UnknownTable {
        table: text("y25i0"),
        origin: text("jobindsats"),
        suggestion: Some(text("y25i01")),
    };
    vec![
        example("the service has no such set", in_path(set)),
        example("nothing of that name stands below what is in front of it", in_path(segment)),
        example("there is no such table", table),
        example(
            "Jobindsats' metadata of the table cannot be used; `/status` says why",
            BridgeError::UnusableTable { table: MeasurementId::from("y25i01"), reason: text("no measures") },
        ),
        example(
            "the table has not been read from Jobindsats yet",
            BridgeError::TableNotRead(MeasurementId::from("y25i01")),
        ),
        example("no row has this key", BridgeError::NoSuchRow),
        example("there is nothing at this address", BridgeError::UnknownPath(text("/odat"))),
    ]
}

fn failed(failure: Failure) -> UpstreamError {
    let table = Some(MeasurementId::from("y25i01"));
    UpstreamError { endpoint: Endpoint::Data, table, request_id: None, failure }
}

fn upstream() -> Vec<Example> {
    let refused = Failure::Refused { status: 422, cause: text("Unknown hierarchies") };
    let opens_at = DateTime::UNIX_EPOCH;
    vec![
        example("Jobindsats refuses the key", failed(Failure::Unauthorized)),
        example("Jobindsats refuses a request that should have been right", failed(refused)),
        example(
            "Jobindsats answers what cannot be read or is no answer to the request; nothing is stored",
            failed(Failure::Decode(jobindsats_bridge::upstream::decode::DecodeError::Html)),
        ),
        example("Jobindsats is closed from 22 to 23, Danish time", failed(Failure::Closed { opens_at })),
        example(
            "Jobindsats does not answer, or is left alone after failures",
            failed(Failure::Timeout { after: Duration::from_secs(60) }),
        ),
        example(
            "Jobindsats has not answered within `BRIDGE_ANSWER_SECONDS`",
            BridgeError::TooSlow { seconds: 60 },
        ),
        example(
            "the table is updated at Jobindsats while it is read",
            failed(Failure::Updating { cause: text("Unknown period type: M") }),
        ),
        example(
            "the figures were replaced during a download",
            FetchError::Gone { table: MeasurementId::from("y25i01") },
        ),
    ]
}

fn batch() -> Vec<Example> {
    vec![
        example("a `$batch` has too many requests", BatchError::TooMany { limit: 100 }),
        example("a `$batch` came with another content type", BatchError::Form { found: text("text/plain") }),
        example(
            "a `$batch` cannot be taken apart",
            BatchError::Malformed { number: 1, expected: "a request line" },
        ),
        example("a `$batch` asks for `Isolation`", BridgeError::Isolation),
        example("a request that another one depends on failed", BridgeError::FailedDependency),
    ]
}

fn files() -> Vec<Example> {
    vec![
        example(
            "HEAD, a range or HTTP/1.0 wants a file that was not made within `BRIDGE_ANSWER_SECONDS`",
            BridgeError::FileNotReady { seconds: 50 },
        ),
        example(
            "an answer over HTTP/1.0 can be larger than `BRIDGE_FILE_MB`",
            BridgeError::TooLargeForHttp10 { megabytes: 256 },
        ),
        example("a range begins behind the end of the file", BridgeError::NoSuchRange { bytes: 52_041 }),
        example("`If-Match` names a file that was replaced", BridgeError::NoMatch),
        example(
            "`dialekt` is neither `dansk` nor `standard`",
            ExportError::UnknownDialect { found: text("svensk") },
        ),
        example(
            "a file is asked for of something that is no set",
            ExportError::NotASet { path: text("Hovedtal/$count") },
        ),
        example("a file to open holds no choice", OpenError::NoChoice),
        example(
            "a project is asked of a set that has codes alone",
            OpenError::OnlyCodes { set: "Observations".to_owned(), instead: "Data" },
        ),
        example("a collection has more choices than fit", OpenError::TooManyChoices { most: 20 }),
    ]
}

fn remote_read() -> Vec<Example> {
    let header = ReadError::Header {
        header: actix_web::http::header::CONTENT_TYPE,
        expected: "application/x-protobuf",
        found: None,
    };
    vec![
        example("a remote read without the headers of one", header),
        example("a remote read that cannot be unpacked", ReadError::NotSnappy(snap::Error::Empty)),
        example("a remote read with too many queries", ReadError::TooManyQueries { found: 100 }),
        example(
            "a matcher of a remote read is of an unknown kind",
            ReadError::UnknownMatcher { label: text("area"), kind: 7 },
        ),
        example(
            "a remote read's range ends before it starts",
            HistoryError::Reversed { start_ms: 1, end_ms: 0 },
        ),
        example("a remote read does not take samples", ReadError::NoSamples { accepted: vec![1] }),
        example("a remote read has too many matchers", HistoryError::TooManyMatchers { found: 100 }),
        example(
            "a remote read has too many regular expressions",
            HistoryError::TooManyPatterns { found: 100 },
        ),
        example("a remote read's answer would have too many samples", HistoryError::TooManySamples),
    ]
}

/// What is written in an address, and what is answered: advice by meaning.
pub fn advice() -> Vec<(&'static str, Box<dyn DescribeError>)> {
    let syntax = |option: &'static str| -> (&'static str, Box<dyn DescribeError>) {
        let Err(error) = parse_request("Kommuner", option, &Limits::default()) else { panic!("{option}") };
        (option, Box::new(error))
    };
    let unknown =
        QueryErrorKind::UnknownFunction { name: text("substringof"), suggestion: Some(text("contains")) };
    let function = QueryError { target: "$filter", position: Some(0), kind: unknown };
    let kind = QueryErrorKind::UnquotedText { name: text("Randers"), set: text("Kommuner") };
    let unquoted = QueryError { target: "$filter", position: Some(10), kind };
    let breakdowns = vec![text("Fordelt_på_Køn"), text("Fordelt_på_A_kasse")];
    let kind = QueryErrorKind::UnknownBreakdown { name: text("Fordelt_på_Alder"), breakdowns };
    let breakdown = QueryError { target: "path", position: None, kind };
    let address = || text("https://host/export/y25i01/Landet.csv");
    vec![
        ("$filter=substringof('A',Område)", Box::new(function) as Box<dyn DescribeError>),
        syntax("$inlinecount=allpages"),
        syntax("$filter=Opdateret gt datetime'2026-08-11T00:00:00'"),
        syntax("$filter=Område='Randers'"),
        syntax("$filter=Antal_ledige_personer > 5"),
        syntax("$filter=Område like 'A%25'"),
        syntax("$filter=Område eq \"Randers\""),
        ("$filter=Område eq Randers", Box::new(unquoted)),
        syntax("$filter=!(Område eq 'Randers')"),
        syntax("$filter=Antal_ledige_personer gt 1,5"),
        syntax("$select=Område;Periode"),
        syntax("$orderby=Område descending"),
        ("Fordelt_på_Alder", Box::new(breakdown)),
        ("Landet?$format=csv", Box::new(BridgeError::FormatElsewhere { address: address() })),
        ("Landet.csv", Box::new(BridgeError::FileElsewhere { address: address() })),
        ("Landet?explain=plans", Box::new(BridgeError::Unexplained { what: text("plans") })),
    ]
}
