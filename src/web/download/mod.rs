//! `/export/{table}/{set}.csv` and `.parquet`: the rows of a set as a file, with OData's query options.
//!
//! A file that the plan says cannot be larger than `BRIDGE_FILE_MB` is made whole on disk ([`making`]) and can be sought in
//! ([`ranges`]); its tag is a hash of its bytes, which are never compressed on their way. If its figures have to be fetched first, whoever
//! only reads on gets it as it comes, and the file is made behind that; whoever has to know its length waits. Larger ones are always sent as they come.
//!
//! The pages are read one after the other, all in the revision of the first. Errors before the first byte are answered as JSON; later
//! errors abort the transfer, so that an incomplete file is never taken for a complete one.

mod address;
mod making;
mod ranges;
mod source;
mod stream;
pub mod whole_files;

use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::http::header::HeaderName;
use actix_web::http::{Method, StatusCode, Version as HttpVersion, header};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{Stream, TryStreamExt, stream as streams};

pub(super) use address::{file_name, holds_rows};
pub(super) use source::FileSource;
pub(super) use stream::{columns_of, file_column};

use crate::answer::error::BridgeError;
use crate::answer::outlook::Outlook;
use crate::answer::{Resource, retry_when_moved};
use crate::budget::answers::WRITING_BYTES;
use crate::budget::work;
use crate::export::ExportError;
use crate::fetch::error::FetchError;
use crate::observe::request;
use crate::odata::etag;
use crate::odata::preference::{Applied, Preferences};
use crate::odata::version::Version;
use crate::query::text_size;
use crate::store::made_files::MadeFile;
use crate::web::client;
use crate::web::compress::Coding;
use crate::web::respond::{self, SERVER_TIMING, joined};
use crate::web::state::AppState;
use address::{FileAddress, Kind};
use making::{FileKey, NewMaking};
use ranges::{ByteRange, Wanted};
use stream::FileStream;
use whole_files::{MakingError, WholeFiles};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// How many bytes of a made file are read at a time.
const PIECE_BYTES: u64 = 64 * 1024;

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
    let source = FileSource::new(state, &state.workers.work(), feed, &address.set, options);
    let table = address.table.clone();
    let negotiate = move |resource: &Resource<'_>| Kind::read(&address, resource);
    let (kind, outlook) = source.outlook(preferences.strict, negotiate).await?;
    // The list of tables may just have been looked up: the rows of an updated table are other ones.
    if state.feeds.table(&table).await?.id != source.feed.id {
        return Err(FetchError::Moved { table: table.into() }.into());
    }
    let set = outlook.query.result(&source.feed);
    let name = file_name(state.feeds.origin().is_simulator, &table, &set.name, kind.extension());
    let download = Download { request, state, preferences, source, kind, name };
    match download.about_bytes(&outlook) {
        bytes if state.files.takes(bytes) => download.made_whole(&outlook, bytes).await,
        _ if request.version() < HttpVersion::HTTP_11 => Err(state.files.too_large_for_http10()),
        _ => download.streamed(None, Some("none")).await,
    }
}

/// A file that is asked for.
struct Download<'a> {
    request: &'a HttpRequest,
    state: &'a AppState,
    preferences: Preferences,
    source: FileSource,
    kind: Kind,
    /// The suggested name.
    name: String,
}

impl Download<'_> {
    /// About how large the file can be.
    fn about_bytes(&self, outlook: &Outlook) -> u64 {
        let (query, set) = (&outlook.query, outlook.query.result(&self.source.feed));
        let column = |column| Some((file_column(set, query, column)?, text_size::usual_text(set, column)));
        let columns: Vec<_> = query.shown(set).into_iter().filter_map(column).collect();
        outlook.rows_at_most.saturating_mul(self.kind.row_bytes(&columns))
    }

    fn is_get(&self) -> bool {
        *self.request.method() == Method::GET
    }

    /// Whether the client has to know the length of the file, or which one it is.
    fn needs_length(&self) -> bool {
        let headers = self.request.headers();
        let seeks = ByteRange::of(headers).is_some() || headers.contains_key(header::IF_MATCH);
        !self.is_get() || seeks || self.request.version() < HttpVersion::HTTP_11
    }

    /// The file from disk. If its figures have to be fetched first and nothing but its bytes is wanted, as it comes.
    async fn made_whole(self, outlook: &Outlook, about_bytes: u64) -> Result<HttpResponse, BridgeError> {
        let (state, source) = (self.state, self.source.clone());
        let key = FileKey {
            feed: source.feed.id,
            identity: outlook.identity.clone(),
            kind: self.kind,
            now: source.now,
        };
        let name = key.name(outlook.revision);
        let made = state.files.made.find(&name);
        if let Some(made) = made.filter(|made| made.facts.is_fresh(state.clock.now())) {
            return Ok(self.sent(Arc::new(made)));
        }
        let new = NewMaking { name, key, source, about_bytes, clock: state.clock.clone() };
        if !self.needs_length() && !self.source.has_all(outlook, state.clock.now()).await {
            let later = NewMaking { source: new.source.unrecorded(), ..new };
            return self.streamed(Some(later), None).await;
        }
        let making = new.begin(&state.files);
        match tokio::time::timeout(state.answerer.limits.wait, making.clone()).await {
            Ok(Ok(made)) => return Ok(self.sent(made)),
            Ok(Err(MakingError::Disk)) => return self.streamed(None, Some("none")).await,
            Ok(Err(MakingError::Rows(error))) => return Err(error.into()),
            // Who asks again should find the file then.
            Err(_) => whole_files::finish(making),
        }
        match self.needs_length() {
            true => Err(BridgeError::FileNotReady { seconds: state.answerer.limits.wait.as_secs() }),
            false => self.streamed(None, None).await,
        }
    }

    /// What is wanted of a file that is made.
    fn sent(&self, made: Arc<MadeFile>) -> HttpResponse {
        let (bytes, tag) = (made.facts.bytes, etag::strong(&made.facts.tag));
        let (status, part) = match Wanted::of(self.request.headers(), self.is_get(), &tag, bytes) {
            Wanted::Whole => (StatusCode::OK, 0..bytes),
            Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
            Wanted::Held => (StatusCode::NOT_MODIFIED, 0..0),
            Wanted::Nothing => return no_such_range(bytes),
            Wanted::Other => return respond::refuse(Version::V4, &BridgeError::NoMatch),
        };
        let mut response = self.begin(status, made.facts.fetched_at);
        response.insert_header((header::ACCEPT_RANGES, "bytes")).insert_header((header::ETAG, tag));
        match status {
            StatusCode::NOT_MODIFIED => return response.finish(),
            StatusCode::PARTIAL_CONTENT => {
                let range = format!("bytes {}-{}/{bytes}", part.start, part.end - 1);
                response.insert_header((header::CONTENT_RANGE, range));
            }
            _ if self.is_get() => request::count_rows(usize::try_from(made.facts.rows).unwrap_or_default()),
            _ => {}
        }
        let length = part.end - part.start;
        // The answer to HEAD has the length of the file, and none of it.
        let read = if self.is_get() { part } else { 0..0 };
        response.body(SizedStream::new(length, content(made, read)))
    }

    /// The file as it comes. Behind it another is made, for those who come later: all of its figures are stored then.
    async fn streamed(
        self,
        later: Option<NewMaking>,
        accept_ranges: Option<&'static str>,
    ) -> Result<HttpResponse, BridgeError> {
        let (writing, first) = self.source.page(None, |_| Ok(work::hold(WRITING_BYTES)?)).await?;
        let coding = match self.kind {
            Kind::Csv(_) => {
                Coding::choose(joined(self.request.headers(), &header::ACCEPT_ENCODING).as_deref())
            }
            // Parquet is compressed already.
            Kind::Parquet => Coding::Identity,
        };
        let mut response = self.begin(StatusCode::OK, first.provenance.fetched_at);
        if let Some(accept_ranges) = accept_ranges {
            response.insert_header((header::ACCEPT_RANGES, accept_ranges));
        }
        if let Some(name) = coding.header() {
            response.insert_header((header::CONTENT_ENCODING, name));
        }
        if !self.is_get() {
            return Ok(response.streaming(streams::empty::<Result<Bytes, BridgeError>>()));
        }
        let mut file = FileStream::begin(self.kind, coding, self.source, writing, &first.query)?;
        file.take(first)?;
        let later = later.map(|later| (later, Arc::clone(&self.state.files)));
        Ok(response.streaming(pieces(file, later)))
    }

    /// The headers that every file has.
    fn begin(&self, status: StatusCode, fetched_at: Option<DateTime<Utc>>) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(status);
        response
            .insert_header((header::CONTENT_TYPE, self.kind.content_type()))
            .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", self.name)))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .insert_header((header::VARY, "Accept-Encoding"))
            .insert_header((SERVER_TIMING, self.source.stages.server_timing()));
        if let Some(at) = fetched_at {
            let age = (self.state.clock.now() - at).num_seconds().max(0);
            response.insert_header((header::AGE, age.to_string()));
        }
        if let Some(applied) = self.preferences.applied(&Applied { strict: true, ..Applied::default() }) {
            response.insert_header(("Preference-Applied", applied));
        }
        response
    }
}

fn no_such_range(bytes: u64) -> HttpResponse {
    let mut response = respond::refuse(Version::V4, &BridgeError::NoSuchRange { bytes });
    if let Ok(range) = format!("bytes */{bytes}").parse() {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}

/// The bytes of a file that is being written, and a file that is made when they are read to their end.
fn pieces(
    file: FileStream,
    later: Option<(NewMaking, Arc<WholeFiles>)>,
) -> impl Stream<Item = Result<Bytes, BridgeError>> {
    request::count_rows(usize::try_from(file.rows).unwrap_or_default());
    let pieces = streams::try_unfold((file, later), |(file, later)| async move {
        let before = file.rows;
        let Some((bytes, file)) = file.piece().await? else {
            let later = later.map(|(new, files)| new.begin(&files));
            later.into_iter().for_each(whole_files::finish);
            return Ok(None);
        };
        request::count_rows(usize::try_from(file.rows - before).unwrap_or_default());
        Ok(Some((bytes, (file, later))))
    });
    pieces.inspect_err(|error| tracing::warn!(%error, "an export was broken off"))
}

/// A part of a made file.
fn content(made: Arc<MadeFile>, part: Range<u64>) -> impl Stream<Item = Result<Bytes, BridgeError>> {
    streams::try_unfold((made, part), |(made, Range { start, end })| async move {
        if start >= end {
            return Ok(None);
        }
        let read = move || {
            let size = usize::try_from(PIECE_BYTES.min(end - start)).unwrap_or_default();
            let mut bytes = vec![0; size];
            let read = made.file.read_exact_at(&mut bytes, start).map_err(ExportError::MadeFile);
            Ok(read.map(|()| (Bytes::from(bytes), made))?)
        };
        let (bytes, made) = respond::off_thread(read).await?;
        let next = start + bytes.len() as u64..end;
        Ok(Some((bytes, (made, next))))
    })
}
