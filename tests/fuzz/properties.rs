//! What holds for any bytes that somebody sends or that lie on the disk. Each function is one target of the fuzzer in `fuzz/`, and is given
//! all files of its corpus by the tests. A broken property panics; else the function says whether the bytes meant anything to what reads them,
//! so that a corpus of which nothing is understood any more is seen.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use arrow_array::{Array, RecordBatch};
use chrono::{DateTime, TimeDelta, Utc};
use jobindsats_bridge::feed::Feed;
use jobindsats_bridge::frame::{Frame, aggregate};
use jobindsats_bridge::indicators::history::Matcher;
use jobindsats_bridge::odata::batch;
use jobindsats_bridge::odata::skip_token::{Fingerprint, SkipToken};
use jobindsats_bridge::odata::uri::{Limits, canonical, parse_request};
use jobindsats_bridge::query::apply::BoundApply;
use jobindsats_bridge::query::bind::bind;
use jobindsats_bridge::query::{BoundExpr, BoundQuery};
use jobindsats_bridge::sign_in::error::SignInError;
use jobindsats_bridge::sign_in::link::{Grant, Links};
use jobindsats_bridge::sign_in::name::UserName;
use jobindsats_bridge::sign_in::reader::Identity;
use jobindsats_bridge::sign_in::token::{Accepted, KeySet, TokenError};
use jobindsats_bridge::sign_in::users_file::{LineError, Users, UsersFileError};
use jobindsats_bridge::store::file;
use jobindsats_bridge::upstream::data::{DataTable, LabelColumn};
use jobindsats_bridge::upstream::{decode, read, wire};
use jobindsats_bridge::web::remote_read;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{fixture, table};

/// Texts longer than this take their time without finding more.
const LONGEST: usize = 4096;
/// Requests in a batch.
const BATCH_LIMIT: usize = 20;

/// The shortest run of letters that may be a secret; the longest word of an error of the users file is shorter.
const SHORTEST_SECRET: usize = 12;

/// What a query must say of [`TABLE`], since these dimensions have no total.
const NAMED: &str = "Varighed_id eq '1' and Fase_pct_id eq '2'";

/// The key of an issuer, and what it publishes of it.
static SIGNING_KEY: LazyLock<EncodingKey> =
    LazyLock::new(|| EncodingKey::from_ec_der(include_bytes!("../support/keys/ec.der")));
static PUBLISHED: LazyLock<KeySet> = LazyLock::new(|| {
    let key = Jwk::from_encoding_key(&SIGNING_KEY, Algorithm::ES256).unwrap();
    KeySet::read(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()
});
static ACCEPTED: LazyLock<Accepted> = LazyLock::new(|| Accepted {
    issuer: "https://login.example/".to_owned(),
    audiences: vec!["https://tal.example".to_owned()],
});
static LINKS: LazyLock<Links> = LazyLock::new(|| Links::new().unwrap());
/// By how many seconds the clocks of an issuer and a bridge may differ.
const LEEWAY: i64 = 60;

/// A list of six rows.
static LIST: LazyLock<Feed> = LazyLock::new(fixture::feed);
/// Figures by many dimensions.
static TABLE: LazyLock<Feed> = LazyLock::new(|| table::table(&table::measurement()));

type Property = fn(&[u8]) -> bool;

/// Every target by its name.
pub const ALL: [(&str, Property); 12] = [
    ("apply", apply),
    ("batch", batch),
    ("filter", filter),
    ("pattern", pattern),
    ("remote_read", remote_read),
    ("sign_in", sign_in),
    ("stored_file", stored_file),
    ("token", token),
    ("upstream_figures", upstream_figures),
    ("upstream_metadata", upstream_metadata),
    ("url", url),
    ("users_file", users_file),
];

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok().filter(|text| text.len() <= LONGEST)
}

/// A path and a query: what is in the language has a canonical text, which is its own canonical text.
pub fn url(data: &[u8]) -> bool {
    let Some(address) = text(data) else { return false };
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let is_request = parse_request(path, query, &Limits::default()).is_ok();
    match canonical(path, query) {
        Ok(found) => {
            let (path, query) = found.split_once('?').unwrap_or((&found, ""));
            assert_eq!(canonical(path, query).as_ref(), Ok(&found), "{address}");
        }
        Err(error) => assert!(!is_request, "{address}: {error}"),
    }
    is_request
}

/// A condition: it holds for the same rows whatever the width of figures, and for none of those for which `not` of it holds.
pub fn filter(data: &[u8]) -> bool {
    let Some(condition) = text(data) else { return false };
    let Some(met) = filtered(condition) else { return false };
    let holds =
        |condition: &BoundExpr| [fixture::rows(), fixture::narrow_rows()].map(|rows| of(&rows, condition));
    let [wide, narrow] = holds(&met);
    assert_eq!(wide, narrow, "{condition}");
    let negated = filtered(&format!("not ({condition})"));
    if let (Some(wide), Some([Some(others), _])) = (&wide, negated.map(|negated| holds(&negated))) {
        assert!(wide.iter().all(|row| !others.contains(row)), "{condition}");
    }
    wide.is_some()
}

/// The numbers of the rows for which a condition holds; `None` if it cannot be evaluated.
fn of(rows: &RecordBatch, condition: &BoundExpr) -> Option<Vec<String>> {
    let frame = Frame::of_list(rows).unwrap().filter(condition).ok()?;
    Some((0..frame.row_count()).map(|row| fixture::place(&frame.batch, row)).collect())
}

/// `$apply`: of a list it makes as many rows whatever the width of figures; of figures it is bound or refused.
pub fn apply(data: &[u8]) -> bool {
    let Some(steps) = text(data) else { return false };
    let of_list = bound(&LIST, "Hovedtal", "$apply", steps).and_then(|query| query.apply);
    if let Some(apply) = &of_list {
        let [wide, narrow] = [fixture::rows(), fixture::narrow_rows()].map(|rows| row_count(&rows, apply));
        assert_eq!(wide, narrow, "{steps}");
    }
    let of_figures = bound(&TABLE, "Data", "$apply", &format!("filter({NAMED})/{steps}"));
    of_list.is_some() || of_figures.is_some()
}

/// How many rows `$apply` makes; `None` if it cannot be evaluated.
fn row_count(rows: &RecordBatch, apply: &BoundApply) -> Option<usize> {
    let rows = Frame::of_list(rows).unwrap();
    let rows = if let Some(condition) = &apply.filter { rows.filter(condition).ok()? } else { rows };
    Some(aggregate::apply(rows, &apply.steps).ok()?.row_count())
}

/// A query of one option, if it means something.
fn bound(feed: &Feed, set: &str, option: &str, text: &str) -> Option<BoundQuery> {
    let query = format!("{option}={}", fixture::encoded(text));
    let request = parse_request(set, &query, &Limits::default()).ok()?;
    bind(feed, &request, fixture::now()).ok()
}

fn filtered(condition: &str) -> Option<BoundExpr> {
    bound(&LIST, "Hovedtal", "$filter", condition)?.filter
}

/// The body of a batch, whose first byte decides which form it has.
pub fn batch(data: &[u8]) -> bool {
    let Some((kind, body)) = data.split_first() else { return false };
    let content_type = if kind % 2 == 0 { "multipart/mixed; boundary=b" } else { "application/json" };
    let parts = batch::parse(&batch::Form::of(content_type).unwrap(), body, BATCH_LIMIT).unwrap_or_default();
    assert!(parts.len() <= BATCH_LIMIT);
    !parts.is_empty()
}

/// What is read as a token is written as the same.
pub fn token(data: &[u8]) -> bool {
    let query = Fingerprint::of("");
    if let Some(text) = text(data) {
        let _ = SkipToken::decode(text, query);
    }
    // The checksum would keep almost everything else out.
    let Ok(token) = SkipToken::decode(&SkipToken::sealed(data.to_vec()), query) else { return false };
    assert_eq!(SkipToken::decode(&token.encode(), query).map(|token| token.encode()), Ok(token.encode()));
    true
}

/// The bodies of the upstream's three metadata calls, by the first byte.
pub fn upstream_metadata(data: &[u8]) -> bool {
    let Some((kind, body)) = data.split_first() else { return false };
    let hints = Default::default();
    match kind % 3 {
        0 => decode::json::<wire::Subjects>(body).is_ok_and(|subjects| !read::subjects(&subjects).is_empty()),
        1 => decode::json::<wire::Tables>(body).is_ok_and(|tables| read::heads(&tables, &hints).is_ok()),
        _ => {
            let Ok(wire::OneTable(table)) = decode::json::<wire::OneTable>(body) else { return false };
            let id = table.table_id.as_str().trim().to_lowercase().as_str().into();
            read::measurement(&id, &table, &hints).is_ok()
        }
    }
}

/// Figures of the upstream: all columns have a cell for every row, and every label is among the column's.
pub fn upstream_figures(data: &[u8]) -> bool {
    let Some((columns, body)) = data.split_first() else { return false };
    let (labels, measures) = (usize::from(columns % 4), usize::from(columns / 4 % 4));
    let Ok(table) = DataTable::parse(body, labels, measures) else { return false };
    assert_eq!((table.labels.len(), table.figures.len()), (labels, measures));
    assert_eq!(table.headings.len(), labels + measures);
    let lengths = table
        .labels
        .iter()
        .map(|column| column.keys.len())
        .chain(table.figures.iter().map(|column| column.len()));
    let lengths: BTreeSet<usize> = lengths.collect();
    assert!(lengths.len() <= 1, "{lengths:?}");
    for LabelColumn { values, keys } in &table.labels {
        assert!(keys.iter().all(|key| (*key as usize) < values.len()));
    }
    true
}

/// A file of cells: what is read is written and read as the same cells.
pub fn stored_file(data: &[u8]) -> bool {
    let mut is_read = false;
    for bytes in [Some(data.to_vec()), vouched_for(data)].into_iter().flatten() {
        let Ok((head, block)) = file::decode(&bytes) else { continue };
        let again = file::encode("simulator", &head.table(), &head.key(), &block).unwrap();
        assert_eq!(file::decode(&again).unwrap().1.cells, block.cells);
        is_read = true;
    }
    is_read
}

/// The file with the checksums and lengths that its parts have, which would keep almost everything else out; `None` if it has no head.
fn vouched_for(data: &[u8]) -> Option<Vec<u8>> {
    const PREFIX: usize = 20;
    let length = u32::from_le_bytes(data.get(12..16)?.try_into().ok()?) as usize;
    let (head, cells) = data.get(PREFIX..)?.split_at_checked(length)?;
    let mut head: Value = serde_json::from_slice(head).ok()?;
    *head.get_mut("cells_bytes")? = cells.len().into();
    *head.get_mut("cells_checksum")? = crc32fast::hash(cells).into();
    let head = serde_json::to_vec(&head).ok()?;
    let mut file = data.get(..12)?.to_vec();
    file.extend(u32::try_from(head.len()).ok()?.to_le_bytes());
    let vouched = [&file[8..16], &head].concat();
    file.extend(crc32fast::hash(&vouched).to_le_bytes());
    Some([&file, head.as_slice(), cells].concat())
}

/// The body of a remote read.
pub fn remote_read(data: &[u8]) -> bool {
    // The snappy that a fuzzer finds by itself is short.
    let packed = snap::raw::Encoder::new().compress_vec(data).unwrap();
    [data, &packed]
        .map(|body| remote_read::unpack(body).is_ok_and(|queries| !queries.is_empty()))
        .contains(&true)
}

/// A regular expression of a matcher, in the language of Prometheus, and behind a line break the value that it is tried on.
pub fn pattern(data: &[u8]) -> bool {
    let Some((pattern, value)) = text(data).and_then(|text| text.split_once('\n')) else { return false };
    let labels = [("area", value.to_owned())];
    let accepts = |matcher: Matcher| matcher.accepts(&labels);
    let is = Matcher::matches("area".to_owned(), pattern).map(accepts);
    let is_not = Matcher::not_matches("area".to_owned(), pattern).map(accepts);
    let (is, is_not) = (is.ok(), is_not.ok());
    assert_eq!(is, is_not.map(|accepted| !accepted), "{pattern}");
    is.is_some()
}

/// What somebody signs in with: a token as it is, the claims of one that the issuer has signed, or a grant of a link as it is and behind the
/// second it ends at the name of its user. The first byte says which. Nobody gets in by what was not signed or granted, nor out of its time.
pub fn sign_in(data: &[u8]) -> bool {
    let Some((kind, body)) = data.split_first() else { return false };
    match kind % 3 {
        0 => text(body).is_some_and(|token| account(token) != Err(TokenError::Malformed)),
        1 => text(body).and_then(|claims| serde_json::from_str(claims).ok()).is_some_and(signed),
        _ => body.split_first_chunk().is_some_and(|(until, name)| granted(i64::from_be_bytes(*until), name)),
    }
}

/// When the account of a token ends, if it is believed.
fn account(token: &str) -> Result<DateTime<Utc>, TokenError> {
    let account = ACCEPTED.account(&token.to_owned().into(), &PUBLISHED, fixture::now())?;
    assert!(!account.subject.is_empty(), "{token}");
    Ok(account.until)
}

fn signed(claims: Value) -> bool {
    let token = encode(&Header::new(Algorithm::ES256), &claims, &SIGNING_KEY).unwrap();
    let found = account(&token);
    if let Ok(until) = found {
        assert!(until + TimeDelta::seconds(LEEWAY) > fixture::now(), "{claims}");
        assert_eq!(claims["iss"], "https://login.example/");
    }
    // Without its last letter it is not what was signed.
    let (said, signature) = token.rsplit_once('.').unwrap();
    assert!(account(&format!("{}.{signature}", &said[..said.len() - 1])).is_err(), "{claims}");
    found.is_ok()
}

fn granted(until: i64, name: &[u8]) -> bool {
    let read = |grant: &str, target| LINKS.read(grant, |_| Some("kept".to_owned()), target, fixture::now());
    let Some(text) = text(name) else { return false };
    assert!(read(text, "/odata/").is_err(), "{text}");
    let Ok(name) = UserName::new(text) else { return false };
    let user = Identity::User(name);
    let grant = LINKS.grant(&user, "kept", "/odata/", until);
    assert_eq!(read(&grant, "/odata"), Err(SignInError::ForeignLink), "{grant}");
    let expected = match until > fixture::now().timestamp() {
        true => Ok(Grant { user, until }),
        false => Err(SignInError::ExpiredLink),
    };
    assert_eq!(read(&grant, "/odata/"), expected, "{grant}");
    true
}

/// A file of users: an error names lines that there are and repeats nothing that may be a secret.
pub fn users_file(data: &[u8]) -> bool {
    let (line, reason) = match Users::of(Path::new("users"), data) {
        Ok(users) => return users.list().next().is_some(),
        Err(UsersFileError::Line { line, reason, .. }) => (line, reason),
        Err(error) => panic!("{error}"),
    };
    let lines = data.split(|byte| *byte == b'\n').count();
    assert!((1..=lines).contains(&line), "{line} of {lines}");
    if let LineError::Twice(earlier) | LineError::KeyTwice(earlier) = reason {
        assert!((1..line).contains(&earlier), "{earlier} of {line}");
    }
    let said = reason.to_string();
    let text = String::from_utf8_lossy(data);
    let repeated = possible_secrets(&text).find(|secret| said.contains(*secret));
    assert_eq!(repeated, None, "{said}");
    false
}

/// What may be a password, a key, a salt or a hash: runs of the letters of Base64.
fn possible_secrets(text: &str) -> impl Iterator<Item = &str> {
    let is_of_base64 = |letter: char| letter.is_ascii_alphanumeric() || "+/-_".contains(letter);
    text.split(move |letter| !is_of_base64(letter)).filter(|run| run.len() >= SHORTEST_SECRET)
}
