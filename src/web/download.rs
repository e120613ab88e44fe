//! `/export/{table}/{set}.csv` and `.parquet`: the rows of a set as a file, with the options of OData.
//!
//! Pages are answered one after the other, all in the revision of the first, and leave as they come. What can be refused is
//! refused before the first byte; what fails later breaks the transfer off, so that half a file is never taken for a whole one.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use arrow_array::RecordBatch;
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};

use crate::answer::error::BridgeError;
use crate::answer::{AnswerLimits, Answerer, Page, PageRequest, retry_when_moved};
use crate::export::csv::{CsvWriter, Dialect};
use crate::export::parquet::ParquetWriter;
use crate::export::{ExportError, FileColumn, FileWriter};
use crate::feed::{Feed, Set};
use crate::fetch::error::FetchError;
use crate::frame::Frame;
use crate::frame::error::FrameError;
use crate::odata::uri::syntax::{QueryOptions, RequestSyntax};
use crate::odata::uri::{self, Limits};
use crate::odata::version::Version;
use crate::query::{BoundQuery, Target, bind};
use crate::web::client;
use crate::web::compress::{Coding, Packer};
use crate::web::respond::{self, ALLOW, joined};
use crate::web::state::AppState;

/// Rows that are written at a time.
const PIECE_ROWS: usize = 8192;

/// Answers any request below `/export/`.
pub async fn answer(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    match *request.method() {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return HttpResponse::NoContent().insert_header((header::ALLOW, ALLOW)).finish(),
        ref other => {
            let method = other.to_string();
            return respond::refuse(Version::V4, &BridgeError::Method { method, allow: ALLOW });
        }
    }
    let state = state.for_client(client::of(&request, &state.proxies));
    match retry_when_moved(async || file(&request, &state).await).await {
        Ok(response) => response,
        Err(error) => respond::refuse(Version::V4, &error),
    }
}

async fn file(request: &HttpRequest, state: &AppState) -> Result<HttpResponse, BridgeError> {
    let address = FileAddress::read(request)?;
    let feed = state.feeds.table(address.table).await?;
    let mut syntax =
        uri::parse_request(address.set, request.uri().query().unwrap_or_default(), &Limits::default())?;
    let kind = Kind::read(address.extension, &mut syntax.options)?;
    let query = rows_of(address.set, bind::bind(&feed, &syntax, state.clock.now())?)?;
    let set = query.result(&feed);
    let name = file_name(state.feeds.origin().is_simulator, address.table, &set.name, kind.extension());
    let coding = match kind {
        Kind::Csv(_) => Coding::choose(joined(request.headers(), &header::ACCEPT_ENCODING).as_deref()),
        // Packed already, column by column.
        Kind::Parquet => Coding::Identity,
    };
    let mut file = FileStream::begin(kind, coding, &state.answerer, Arc::clone(&feed), query, &syntax)?;
    let first = file.page(None).await?;

    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, kind.content_type()))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::VARY, "Accept-Encoding"));
    if let Some(at) = first.fetched_at {
        let age = (state.clock.now() - at).num_seconds().max(0);
        response.insert_header((header::AGE, age.to_string()));
    }
    if let Some(name) = coding.header() {
        response.insert_header((header::CONTENT_ENCODING, name));
    }
    if *request.method() == Method::HEAD {
        return Ok(response.streaming(stream::empty::<Result<Bytes, BridgeError>>()));
    }
    file.take(first)?;
    Ok(response.streaming(stream::try_unfold(file, FileStream::piece).inspect_err(broken_off)))
}

/// What the path names.
struct FileAddress<'a> {
    table: &'a str,
    /// The set as it stands in the address.
    set: &'a str,
    extension: &'a str,
}

impl<'a> FileAddress<'a> {
    fn read(request: &'a HttpRequest) -> Result<Self, BridgeError> {
        let nothing = || BridgeError::UnknownPath(request.path().to_owned());
        let path = request.uri().path().trim_start_matches('/');
        let (_, path) = path.split_once('/').ok_or_else(nothing)?;
        let (table, file) = path.split_once('/').ok_or_else(nothing)?;
        let (set, extension) = file.rsplit_once('.').ok_or_else(nothing)?;
        Ok(Self { table, set, extension })
    }
}

/// The kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Csv(Dialect),
    Parquet,
}

impl Kind {
    /// Reads the kind, and refuses or sets aside the options that only mean something for pages.
    fn read(extension: &str, options: &mut QueryOptions) -> Result<Self, BridgeError> {
        let dialect = options.custom.iter().find(|(name, _)| name == Dialect::OPTION);
        let dialect = dialect.map(|(_, value)| Dialect::parse(value)).transpose()?;
        if options.format.is_some() {
            return Err(ExportError::NoOption { option: "$format" }.into());
        }
        if options.skiptoken.is_some() {
            return Err(ExportError::NoOption { option: "$skiptoken" }.into());
        }
        (options.count, options.custom) = (None, Vec::new());
        match extension.to_lowercase().as_str() {
            "csv" => Ok(Self::Csv(dialect.unwrap_or_default())),
            "parquet" => Ok(Self::Parquet),
            other => Err(BridgeError::UnknownPath(format!(".{other}"))),
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::Parquet => "parquet",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Csv(_) => "text/csv; charset=utf-8; header=present",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    fn writer(self, columns: Vec<FileColumn>) -> Result<Box<dyn FileWriter>, ExportError> {
        Ok(match self {
            Self::Csv(dialect) => Box::new(CsvWriter::new(dialect, columns)?),
            Self::Parquet => Box::new(ParquetWriter::new(&columns)?),
        })
    }
}

/// A file has the rows of a set, and no rows within them.
fn rows_of(path: &str, query: BoundQuery) -> Result<BoundQuery, ExportError> {
    match query.target {
        Target::Collection if !query.expand.is_empty() => Err(ExportError::NoExpand),
        Target::Collection => Ok(query),
        _ => Err(ExportError::NotASet { path: path.to_owned() }),
    }
}

/// A name that any file system takes: made of our own names alone, never of what the request says. What is made up says so.
fn file_name(is_simulator: bool, table: &str, set: &str, extension: &str) -> String {
    let origin = if is_simulator { "simulator_" } else { "" };
    let plain = |letter: char| match letter {
        'æ' => "ae".to_owned(),
        'ø' => "oe".to_owned(),
        'å' => "aa".to_owned(),
        letter if letter.is_ascii_alphanumeric() => letter.to_string(),
        _ => "_".to_owned(),
    };
    let set: String = set.chars().map(plain).collect();
    format!("{origin}{}_{set}.{extension}", table.to_lowercase())
}

/// A file on its way.
struct FileStream {
    answerer: Answerer,
    feed: Arc<Feed>,
    query: BoundQuery,
    query_text: String,
    /// The columns of the file, by their index in the set.
    shown: Vec<usize>,
    /// Rows that are answered but not written.
    waiting: VecDeque<RecordBatch>,
    /// Where the next page begins.
    next: Option<String>,
    /// Until the end is written.
    encoder: Option<FileEncoder>,
}

/// What turns rows into the bytes that are sent.
struct FileEncoder {
    file: Box<dyn FileWriter>,
    packer: Packer,
}

impl FileStream {
    fn begin(
        kind: Kind,
        coding: Coding,
        answerer: &Answerer,
        feed: Arc<Feed>,
        query: BoundQuery,
        syntax: &RequestSyntax,
    ) -> Result<Self, BridgeError> {
        let set = query.result(&feed);
        let shown = query.shown(set);
        let file =
            kind.writer(shown.iter().filter_map(|&column| file_column(set, &query, column)).collect())?;
        Ok(Self {
            answerer: Answerer { limits: page_limits(answerer.limits, &query), ..answerer.clone() },
            query_text: format!("{} {syntax:?}", feed.schema.namespace),
            feed,
            query,
            shown,
            waiting: VecDeque::new(),
            next: None,
            encoder: Some(FileEncoder { file, packer: Packer::streaming(coding) }),
        })
    }

    async fn page(&self, skip_token: Option<&str>) -> Result<Page, BridgeError> {
        let request =
            PageRequest { max_page_size: None, skip_token, all_pages: true, query_text: &self.query_text };
        self.answerer.answer(&self.feed, &self.query, &request).await
    }

    /// Takes a page's rows, cut into pieces.
    fn take(&mut self, page: Page) -> Result<(), FrameError> {
        self.next = page.next.map(|token| token.encode());
        for frame in &page.frames {
            let rows = columns_of(frame, &self.shown)?;
            let piece = |first| rows.slice(first, PIECE_ROWS.min(rows.num_rows() - first));
            self.waiting.extend((0..rows.num_rows()).step_by(PIECE_ROWS).map(piece));
        }
        Ok(())
    }

    /// The next bytes of the file.
    async fn piece(mut self) -> Result<Option<(Bytes, Self)>, BridgeError> {
        loop {
            if self.waiting.is_empty()
                && let Some(token) = self.next.take()
            {
                let page = self.page(Some(&token)).await;
                self.take(page.inspect_err(broken_off)?)?;
                continue;
            }
            let Some(encoder) = self.encoder.take() else { return Ok(None) };
            let rows = self.waiting.pop_front();
            let written =
                web::block(move || encoder.write(rows)).await.map_err(|_| FetchError::Interrupted)?;
            let (encoder, bytes) = written.inspect_err(broken_off)?;
            self.encoder = encoder;
            if !bytes.is_empty() {
                return Ok(Some((bytes.into(), self)));
            }
        }
    }
}

impl FileEncoder {
    /// Writes rows or, without any, the end; after that there is no pen.
    fn write(mut self, rows: Option<RecordBatch>) -> Result<(Option<Self>, Vec<u8>), BridgeError> {
        let Some(rows) = rows else {
            let mut bytes = self.packer.pack(&self.file.end()?).map_err(unwritten)?;
            bytes.extend(self.packer.finish().map_err(unwritten)?);
            return Ok((None, bytes));
        };
        let bytes = self.packer.pack(&self.file.rows(&rows)?).map_err(unwritten)?;
        Ok((Some(self), bytes))
    }
}

fn unwritten(error: io::Error) -> ExportError {
    ExportError::Compression(error)
}

fn broken_off(error: &BridgeError) {
    tracing::warn!(%error, "an export was broken off");
}

/// Where rows are put in order or grouped, all must be seen before the first can be given out: then one page holds them all.
fn page_limits(limits: AnswerLimits, query: &BoundQuery) -> AnswerLimits {
    let needs_all = !query.order.is_empty() || query.apply.is_some();
    AnswerLimits { page_rows: if needs_all { limits.max_rows } else { limits.page_rows }, ..limits }
}

fn file_column(set: &Set, query: &BoundQuery, column: usize) -> Option<FileColumn> {
    if let Some(column) = set.columns.get(column) {
        return Some(FileColumn::new(&column.name, column.primitive));
    }
    let computed = query.computed.get(column - set.columns.len())?;
    Some(FileColumn::new(&computed.name, computed.column_type()))
}

fn columns_of(frame: &Frame, shown: &[usize]) -> Result<RecordBatch, FrameError> {
    let position = |&column: &usize| frame.position(column).ok_or(FrameError::MissingColumn { column });
    let positions = shown.iter().map(position).collect::<Result<Vec<_>, _>>()?;
    Ok(frame.batch.project(&positions)?)
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn file_names_are_plain_and_say_what_is_made_up() {
        assert_eq!(file_name(false, "Y25I01", "Fordelt_på_Køn", "csv"), "y25i01_Fordelt_paa_Koen.csv");
        assert_eq!(file_name(true, "y01a02", "Hovedtal", "parquet"), "simulator_y01a02_Hovedtal.parquet");
    }
}
