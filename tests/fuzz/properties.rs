//! What holds for any bytes that somebody sends or that lie on the disk. Each function is one target of the fuzzer in `fuzz/`, and is given
//! all files of its corpus by the tests. A broken property panics.

use std::fs;

use jobindsats_bridge::frame::Frame;
use jobindsats_bridge::indicators::history::Matcher;
use jobindsats_bridge::odata::batch;
use jobindsats_bridge::odata::skip_token::{Fingerprint, SkipToken};
use jobindsats_bridge::odata::uri::{Limits, canonical, parse_request};
use jobindsats_bridge::query::bind::bind;
use jobindsats_bridge::query::{BoundExpr, BoundQuery};
use jobindsats_bridge::sign_in::users_file::Users;
use jobindsats_bridge::store::file;
use jobindsats_bridge::upstream::data::DataTable;
use jobindsats_bridge::upstream::{decode, read, wire};
use jobindsats_bridge::web::remote_read;
use serde_json::Value;

use super::fixture;

/// Texts longer than this take their time without finding more.
const LONGEST: usize = 4096;
/// Requests in a batch.
const BATCH_LIMIT: usize = 20;

type Property = fn(&[u8]);

/// Every target by its name.
pub const ALL: [(&str, Property); 11] = [
    ("apply", apply),
    ("batch", batch),
    ("filter", filter),
    ("pattern", pattern),
    ("remote_read", remote_read),
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
pub fn url(data: &[u8]) {
    let Some(address) = text(data) else { return };
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let is_request = parse_request(path, query, &Limits::default()).is_ok();
    match canonical(path, query) {
        Ok(found) => {
            let (path, query) = found.split_once('?').unwrap_or((&found, ""));
            assert_eq!(canonical(path, query).as_ref(), Ok(&found), "{address}");
        }
        Err(error) => assert!(!is_request, "{address}: {error}"),
    }
}

/// A condition: it holds for the same rows whatever the width of figures, and for none of those for which `not` of it holds.
pub fn filter(data: &[u8]) {
    let Some(condition) = text(data) else { return };
    let Some(met) = filtered(condition) else { return };
    let holds =
        |condition: &BoundExpr| [fixture::rows(), fixture::narrow_rows()].map(|rows| of(&rows, condition));
    let [wide, narrow] = holds(&met);
    assert_eq!(wide, narrow, "{condition}");
    let Some(negated) = filtered(&format!("not ({condition})")) else { return };
    if let (Some(wide), [Some(others), _]) = (wide, holds(&negated)) {
        assert!(wide.iter().all(|row| !others.contains(row)), "{condition}");
    }
}

/// The numbers of the rows for which a condition holds; `None` if it cannot be evaluated.
fn of(rows: &arrow_array::RecordBatch, condition: &BoundExpr) -> Option<Vec<String>> {
    let frame = Frame::of_list(rows).unwrap().filter(condition).ok()?;
    Some((0..frame.row_count()).map(|row| fixture::place(&frame.batch, row)).collect())
}

/// `$apply` is bound or refused.
pub fn apply(data: &[u8]) {
    let _ = text(data).and_then(|steps| bound("$apply", steps));
}

/// A query of one option, if it means something.
fn bound(option: &str, text: &str) -> Option<BoundQuery> {
    let query = format!("{option}={}", fixture::encoded(text));
    let request = parse_request("Hovedtal", &query, &Limits::default()).ok()?;
    bind(&fixture::feed(), &request, fixture::now()).ok()
}

fn filtered(condition: &str) -> Option<BoundExpr> {
    bound("$filter", condition)?.filter
}

/// The body of a batch, whose first byte decides which form it has.
pub fn batch(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else { return };
    let content_type = if kind % 2 == 0 { "multipart/mixed; boundary=b" } else { "application/json" };
    if let Ok(parts) = batch::parse(&batch::Form::of(content_type).unwrap(), body, BATCH_LIMIT) {
        assert!(parts.len() <= BATCH_LIMIT);
    }
}

/// What is read as a token is written as the same.
pub fn token(data: &[u8]) {
    let query = Fingerprint::of("");
    if let Some(text) = text(data) {
        let _ = SkipToken::decode(text, query);
    }
    // The checksum would keep almost everything else out.
    if let Ok(token) = SkipToken::decode(&SkipToken::sealed(data.to_vec()), query) {
        assert_eq!(SkipToken::decode(&token.encode(), query).map(|token| token.encode()), Ok(token.encode()));
    }
}

/// The bodies of the upstream's three metadata calls, by the first byte.
pub fn upstream_metadata(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else { return };
    let hints = Default::default();
    match kind % 3 {
        0 => drop(decode::json::<wire::Subjects>(body).map(|subjects| read::subjects(&subjects))),
        1 => drop(decode::json::<wire::Tables>(body).map(|tables| read::heads(&tables, &hints))),
        _ => {
            let Ok(wire::OneTable(table)) = decode::json::<wire::OneTable>(body) else { return };
            let id = table.table_id.as_str().trim().to_lowercase().as_str().into();
            drop(read::measurement(&id, &table, &hints));
        }
    }
}

/// Figures of the upstream: all columns have a cell for every row.
pub fn upstream_figures(data: &[u8]) {
    let Some((columns, body)) = data.split_first() else { return };
    let (labels, measures) = (usize::from(columns % 4), usize::from(columns / 4 % 4));
    if let Ok(table) = DataTable::parse(body, labels, measures) {
        assert_eq!((table.labels.len(), table.figures.len()), (labels, measures));
        assert_eq!(table.headings.len(), labels + measures);
        assert!(table.figures.windows(2).all(|pair| pair[0].len() == pair[1].len()));
    }
}

/// A file of cells: what is read is written and read as the same cells.
pub fn stored_file(data: &[u8]) {
    for bytes in [Some(data.to_vec()), vouched_for(data)].into_iter().flatten() {
        let Ok((head, block)) = file::decode(&bytes) else { continue };
        let again = file::encode("simulator", &head.table(), &head.key(), &block).unwrap();
        assert_eq!(file::decode(&again).unwrap().1.cells, block.cells);
    }
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
pub fn remote_read(data: &[u8]) {
    let _ = remote_read::unpack(data);
    // The snappy that a fuzzer finds by itself is short.
    let packed = snap::raw::Encoder::new().compress_vec(data).unwrap();
    let _ = remote_read::unpack(&packed);
}

/// A regular expression of a matcher, in the language of Prometheus, and behind a line break the value that it is tried on.
pub fn pattern(data: &[u8]) {
    let Some((pattern, value)) = text(data).and_then(|text| text.split_once('\n')) else { return };
    let labels = [("area", value.to_owned())];
    let accepts = |matcher: Matcher| matcher.accepts(&labels);
    let is = Matcher::matches("area".to_owned(), pattern).map(accepts);
    let is_not = Matcher::not_matches("area".to_owned(), pattern).map(accepts);
    assert_eq!(is.ok(), is_not.ok().map(|accepted| !accepted), "{pattern}");
}

/// A file of users: an error names a line that there is and repeats nothing of it.
pub fn users_file(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, data).unwrap();
    let Err(error) = Users::read(&path) else { return };
    let said = error.to_string();
    let secrets = String::from_utf8_lossy(data);
    let secrets = secrets.split([':', '\n']).filter(|secret| secret.len() > 80);
    for secret in secrets {
        assert!(!said.contains(secret), "{said}");
    }
}
