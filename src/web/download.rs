//! `/export/{table}/{set}.csv` and `.parquet`: the rows of a set as a file, with OData's query options.
//!
//! The pages are read one after the other, all in the revision of the first, and are sent as they come. Errors before the first byte are
//! answered as JSON; later errors abort the transfer, so that an incomplete file is never taken for a complete one.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use actix_web::http::header::HeaderName;
use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use arrow_array::RecordBatch;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{TryStreamExt, stream};

use crate::answer::error::BridgeError;
use crate::answer::stages::{Stage, Stages};
use crate::answer::{Answer, Answerer, Page, Request, Resource, retry_when_moved};
use crate::budget::answers::{Held, WRITING_BYTES};
use crate::budget::work::{self, Work, Workers};
use crate::export::csv::{CsvWriter, Dialect};
use crate::export::parquet::ParquetWriter;
use crate::export::{ExportError, FileColumn, FileWriter};
use crate::feed::{Feed, Set};
use crate::fetch::error::FetchError;
use crate::frame::Frame;
use crate::frame::error::FrameError;
use crate::observe::request::{self, inherited};
use crate::odata::preference::{Applied, Preferences};
use crate::odata::version::Version;
use crate::query::{BoundQuery, Target};
use crate::web::client;
use crate::web::compress::{Coding, Packer};
use crate::web::respond::{self, SERVER_TIMING, joined, off_thread};
use crate::web::state::AppState;

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// How many rows are written at a time.
const PIECE_ROWS: usize = 8192;

/// Answers any request below `/export/`.
pub async fn answer(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let state = state.for_client(client::of(&request, &state.proxies));
    match retry_when_moved(|| file(&request, &state)).await {
        Ok(response) => response,
        Err(error) => respond::refuse(Version::V4, &error),
    }
}

async fn file(request: &HttpRequest, state: &AppState) -> Result<HttpResponse, BridgeError> {
    let address = FileAddress::read(request)?;
    let feed = state.feeds.table(&address.table).await?;
    let options = request.uri().query().unwrap_or_default();
    let preferences = Preferences::parse(&joined(request.headers(), &PREFER).unwrap_or_default());
    let source =
        FileSource::new(state, &state.workers.work(), feed, &address.set, options).strict(preferences.strict);
    let table = address.table.clone();
    let negotiate =
        move |resource: &Resource<'_>| Ok((Kind::read(&address, resource)?, work::hold(WRITING_BYTES)?));
    let ((kind, writing), first) = source.page(None, negotiate).await?;
    let set = first.query.result(&source.feed);
    let name = file_name(state.feeds.origin().is_simulator, &table, &set.name, kind.extension());
    let coding = match kind {
        Kind::Csv(_) => Coding::choose(joined(request.headers(), &header::ACCEPT_ENCODING).as_deref()),
        // Parquet is compressed already.
        Kind::Parquet => Coding::Identity,
    };
    let timing = source.stages.server_timing();
    let mut file = FileStream::begin(kind, coding, source, writing, &first.query)?;

    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, kind.content_type()))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::VARY, "Accept-Encoding"))
        .insert_header((SERVER_TIMING, timing));
    if let Some(at) = first.provenance.fetched_at {
        let age = (state.clock.now() - at).num_seconds().max(0);
        response.insert_header((header::AGE, age.to_string()));
    }
    if let Some(applied) = preferences.applied(&Applied { strict: true, ..Applied::default() }) {
        response.insert_header(("Preference-Applied", applied));
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

/// The parts of the path.
struct FileAddress {
    table: String,
    /// The name of the set in the URL.
    set: String,
    extension: String,
}

impl FileAddress {
    fn read(request: &HttpRequest) -> Result<Self, BridgeError> {
        let nothing = || BridgeError::UnknownPath(request.path().to_owned());
        let path = request.uri().path().trim_start_matches('/');
        let (_, path) = path.split_once('/').ok_or_else(nothing)?;
        let (table, file) = path.split_once('/').ok_or_else(nothing)?;
        let (set, extension) = file.rsplit_once('.').ok_or_else(nothing)?;
        let [table, set, extension] = [table, set, extension].map(str::to_owned);
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
    /// The kind of file; refuses what no file holds.
    fn read(address: &FileAddress, resource: &Resource<'_>) -> Result<Self, BridgeError> {
        let dialect = resource.options.custom.iter().find(|(name, _)| name == Dialect::OPTION);
        let dialect = dialect.map(|(_, value)| Dialect::parse(value)).transpose()?;
        holds_rows(resource, &address.set)?;
        match address.extension.to_lowercase().as_str() {
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

    fn writer(
        self,
        columns: Vec<FileColumn>,
        description: Option<&str>,
    ) -> Result<Box<dyn FileWriter>, ExportError> {
        Ok(match self {
            Self::Csv(dialect) => Box::new(CsvWriter::new(dialect, columns)?),
            Self::Parquet => Box::new(ParquetWriter::new(&columns, description)?),
        })
    }
}

/// The query of a resource whose rows a file holds: a set, without the options that apply only to pages, and with no rows inside of rows.
pub(super) fn holds_rows<'a>(resource: &Resource<'a>, path: &str) -> Result<&'a BoundQuery, BridgeError> {
    if resource.options.format.is_some() {
        return Err(ExportError::NoOption { option: "$format" }.into());
    }
    if resource.options.skiptoken.is_some() {
        return Err(ExportError::NoOption { option: "$skiptoken" }.into());
    }
    let Some(query) = resource.query.filter(|query| query.target == Target::Collection) else {
        return Err(ExportError::NotASet { path: path.to_owned() }.into());
    };
    if query.expand.is_empty() { Ok(query) } else { Err(ExportError::NoExpand.into()) }
}

/// The suggested file name, made from the names of table and set, not from the request's text. Says so if the figures are made up.
pub(super) fn file_name(is_simulator: bool, table: &str, set: &str, extension: &str) -> String {
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

/// The request for the rows of a file, page by page.
#[derive(Clone)]
pub(super) struct FileSource {
    answerer: Answerer,
    workers: Arc<Workers>,
    /// The memory of all pages counts towards this.
    work: Work,
    pub feed: Arc<Feed>,
    /// The name of the set in the URL.
    set: String,
    /// The raw query options.
    pub options: String,
    now: DateTime<Utc>,
    strict: bool,
    stages: Stages,
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
            now: state.clock.now(),
            strict: false,
            stages: Stages::new(Arc::clone(&state.metrics)),
        }
    }

    /// The same, refused for conditions on members that do not exist if that is so.
    pub fn strict(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// The same with at most that many rows.
    pub fn limited_to(mut self, rows: u64) -> Self {
        self.answerer.limits.max_rows = self.answerer.limits.max_rows.min(rows);
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
            strict: self.strict,
            skip_token,
            now: self.now,
            stages: &self.stages,
        }
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

/// A file that is being sent.
struct FileStream {
    source: FileSource,
    /// The columns of the file, by their index in the set.
    shown: Vec<usize>,
    /// Rows that are read but not written.
    waiting: VecDeque<RecordBatch>,
    /// Their memory.
    held: Vec<Held>,
    /// The memory that writing takes beside them.
    _writing: Held,
    /// The skip token of the next page.
    next: Option<String>,
    /// `None` after the end of the file is written.
    encoder: Option<FileEncoder>,
}

/// Encodes rows as the bytes that are sent.
struct FileEncoder {
    file: Box<dyn FileWriter>,
    packer: Packer,
}

impl FileStream {
    fn begin(
        kind: Kind,
        coding: Coding,
        source: FileSource,
        writing: Held,
        query: &BoundQuery,
    ) -> Result<Self, BridgeError> {
        let set = query.result(&source.feed);
        let shown = query.shown(set);
        let columns = shown.iter().filter_map(|&column| file_column(set, query, column)).collect();
        let file = kind.writer(columns, source.feed.schema.description())?;
        let encoder = FileEncoder { file, packer: Packer::streaming(coding) };
        let (waiting, held) = (VecDeque::new(), Vec::new());
        Ok(Self { source, shown, waiting, held, _writing: writing, next: None, encoder: Some(encoder) })
    }

    /// Adds the rows of a page, cut into pieces.
    fn take(&mut self, page: Page) -> Result<(), FrameError> {
        self.next = page.next.map(|token| token.encode());
        if let Some(frame) = &page.rows {
            let rows = columns_of(frame, &self.shown)?;
            request::count_rows(rows.num_rows());
            let piece = |first| rows.slice(first, PIECE_ROWS.min(rows.num_rows() - first));
            self.held.clone_from(&frame.held);
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
                self.held.clear();
                let page = self.source.page(Some(token), |_| Ok(())).await;
                self.take(page.inspect_err(broken_off)?.1)?;
                continue;
            }
            let Some(encoder) = self.encoder.take() else { return Ok(None) };
            let rows = self.waiting.pop_front();
            let stages = self.source.stages.clone();
            let write = move || stages.time(Stage::Write, || encoder.write(rows));
            let (encoder, bytes) = off_thread(write).await.inspect_err(broken_off)?;
            self.encoder = encoder;
            if !bytes.is_empty() {
                return Ok(Some((bytes.into(), self)));
            }
        }
    }
}

impl FileEncoder {
    /// Writes rows, or the end of the file for `None`, after which there is no encoder any more.
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

pub(super) fn file_column(set: &Set, query: &BoundQuery, column: usize) -> Option<FileColumn> {
    if let Some(column) = set.columns.get(column) {
        let written = FileColumn::new(&column.name, column.primitive);
        return Some(if column.nullable { written } else { written.required() });
    }
    let computed = query.computed.get(column - set.columns.len())?;
    Some(FileColumn::new(&computed.name, computed.column_type()))
}

pub(super) fn columns_of(frame: &Frame, shown: &[usize]) -> Result<RecordBatch, FrameError> {
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
