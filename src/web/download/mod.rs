//! `/export/{table}/{set}.csv` and `.parquet`: the rows of a set as a file, with OData's query options.
//!
//! A file that the plan says cannot be larger than `BRIDGE_FILE_MB` is made whole on disk ([`making`]) and can be sought in
//! ([`ranges`]); its tag is a hash of its bytes, which are never compressed on their way. If its figures have to be fetched first,
//! whoever only reads on gets it as it comes, and the file is made behind that; whoever has to know its length waits. Larger ones are
//! always sent as they come.
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
use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::http::header::{ContentRange, ContentRangeSpec, HeaderName, TryIntoHeaderValue};
use actix_web::http::{Method, StatusCode, Version as HttpVersion, header};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{Stream, TryStreamExt, stream as streams};

pub(super) use address::{file_name, holds_rows};
pub(super) use source::FileSource;
pub(super) use stream::{columns_of, file_column};

use crate::answer::error::BridgeError;
use crate::answer::estimate::Estimate;
use crate::answer::{Resource, retry_when_moved};
use crate::budget::answers::WRITING_BYTES;
use crate::budget::work;
use crate::export::ExportError;
use crate::feed::Feed;
use crate::fetch::error::FetchError;
use crate::observe::request;
use crate::odata::etag;
use crate::odata::preference::{Applied, Preferences};
use crate::odata::version::Version;
use crate::query::{BoundQuery, text_size};
use crate::store::made_files::MadeFile;
use crate::unix;
use crate::web::body::off_thread;
use crate::web::client;
use crate::web::compress::Coding;
use crate::web::respond::{self, SERVER_TIMING, joined};
use crate::web::state::AppState;
use address::{FileAddress, Kind};
use making::{FileKey, NewMaking};
use ranges::Wanted;
use stream::FileStream;
use whole_files::{MakingError, WholeFiles};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// How many bytes of a made file are read at a time.
const PIECE_BYTES: u64 = 64 * 1024;

/// Answers any request below `/export/`.
pub async fn answer(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let state = client::state(&request, &state);
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
    let of = Arc::clone(&source.feed);
    let negotiate = move |resource: &Resource<'_>| {
        let kind = Kind::read(&address, resource)?;
        Ok((kind, resource.query.map_or(0, |query| row_bytes(kind, &of, query))))
    };
    let ((kind, row_bytes), estimate) = source.estimate(preferences.strict, negotiate).await?;
    // The list of tables may just have been looked up: the rows of an updated table are other ones.
    if state.feeds.table(&table).await?.id != source.feed.id {
        return Err(FetchError::Moved { table: table.into() }.into());
    }
    let set = estimate.query.result(&source.feed);
    let name = file_name(state.feeds.origin().file_prefix(), &table, &set.name, kind.extension());
    let about_bytes = estimate.rows_at_most.saturating_mul(row_bytes);
    let download = Download { request, state, preferences, source, kind, name };
    if download.is_http10() && about_bytes > state.files.largest_bytes {
        return Err(state.files.too_large_for_http10());
    }
    let new = download.making(&estimate, about_bytes);
    if state.files.takes(&new.name, about_bytes) {
        download.made_whole(new, estimate).await
    } else {
        download.streamed(Afterwards::Nothing).await
    }
}

/// About how many bytes a row of the file has.
fn row_bytes(kind: Kind, feed: &Feed, query: &BoundQuery) -> u64 {
    let set = query.result(feed);
    let column = |column| Some((file_column(set, query, column)?, text_size::usual_text(set, column)));
    let columns: Vec<_> = query.shown(set).into_iter().filter_map(column).collect();
    kind.row_bytes(&columns)
}

/// What follows a file that is sent as it comes.
enum Afterwards {
    /// It can never be sought in.
    Nothing,
    /// It is being made for those who come later.
    UnderWay,
    /// It is made for those who come later, once all of it is sent: its figures are stored then.
    Making(Box<NewMaking>),
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
    fn making(&self, estimate: &Estimate, about_bytes: u64) -> NewMaking {
        let (source, kind, clock) = (self.source.clone(), self.kind, self.state.clock.clone());
        let (feed, identity, now) = (source.feed.id, estimate.identity.clone(), source.now);
        let key = FileKey { feed, identity, kind, now };
        NewMaking { name: key.name(estimate.revision), key, source, about_bytes, clock }
    }

    fn is_http10(&self) -> bool {
        self.request.version() < HttpVersion::HTTP_11
    }

    fn is_get(&self) -> bool {
        *self.request.method() == Method::GET
    }

    /// Whether the client has to know the length of the file, or which one it is.
    fn needs_length(&self) -> bool {
        let headers = self.request.headers();
        let seeks = ranges::range(headers).is_some() || headers.contains_key(header::IF_MATCH);
        !self.is_get() || seeks || self.is_http10()
    }

    /// What is wanted of a file that is made.
    fn wanted(&self, made: &MadeFile) -> Wanted {
        Wanted::of(self.request.headers(), self.is_get(), &etag::strong(&made.facts.tag), made.facts.bytes)
    }

    /// The file from disk. If its figures have to be fetched first and nothing but its bytes is wanted, as it comes.
    async fn made_whole(self, new: NewMaking, estimate: Estimate) -> Result<HttpResponse, BridgeError> {
        let (state, now) = (self.state, self.state.clock.now());
        let made = state.files.made.find(&new.name).await.map(Arc::new);
        if let Some(made) = made.as_ref().filter(|made| made.facts.is_fresh(now)) {
            return Ok(self.sent(Arc::clone(made)));
        }
        // Whoever has the file of figures that are too old most likely has that of the new ones.
        let is_held = made.is_some_and(|made| self.wanted(&made) == Wanted::NotModified);
        if !self.needs_length() && !is_held && !self.source.has_all(estimate, now).await {
            let later = NewMaking { source: new.source.unrecorded(), ..new };
            return self.streamed(Afterwards::Making(Box::new(later))).await;
        }
        let making = new.begin(&state.files);
        match tokio::time::timeout(state.answerer.limits.wait, making.clone()).await {
            Ok(Ok(made)) => return Ok(self.sent(made)),
            Ok(Err(MakingError::Disk | MakingError::TooLarge)) => {
                return self.streamed(Afterwards::Nothing).await;
            }
            Ok(Err(MakingError::Rows(error))) => return Err(error.into()),
            // Who asks again should find the file then.
            Err(_) => whole_files::finish(making),
        }
        if self.needs_length() {
            Err(BridgeError::FileNotReady { seconds: state.answerer.limits.wait.as_secs() })
        } else {
            self.streamed(Afterwards::UnderWay).await
        }
    }

    /// What is wanted of a file that is made.
    fn sent(&self, made: Arc<MadeFile>) -> HttpResponse {
        let (bytes, tag) = (made.facts.bytes, etag::strong(&made.facts.tag));
        let (status, part) = match self.wanted(&made) {
            Wanted::Whole => (StatusCode::OK, 0..bytes),
            Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
            Wanted::NotModified => (StatusCode::NOT_MODIFIED, 0..0),
            Wanted::NotSatisfiable => return no_such_range(bytes),
            Wanted::PreconditionFailed => return respond::refuse(Version::V4, &BridgeError::NoMatch),
        };
        let mut response = self.begin(status, made.facts.fetched_at);
        response.insert_header((header::ACCEPT_RANGES, "bytes")).insert_header((header::ETAG, tag));
        match status {
            StatusCode::NOT_MODIFIED => return response.finish(),
            StatusCode::PARTIAL_CONTENT => {
                response.insert_header(content_range(Some((part.start, part.end - 1)), bytes));
            }
            _ if self.is_get() => request::count_rows(usize::try_from(made.facts.rows).unwrap_or_default()),
            _ => {}
        }
        let length = part.end - part.start;
        // The answer to HEAD has the length of the file, and none of it.
        let read = if self.is_get() { part } else { 0..0 };
        response.body(SizedStream::new(length, content(made, read)))
    }

    /// The file as it comes.
    async fn streamed(self, afterwards: Afterwards) -> Result<HttpResponse, BridgeError> {
        let (writing, first) = self.source.page(None, |_| Ok(work::hold(WRITING_BYTES)?)).await?;
        let coding = match self.kind {
            Kind::Csv(_) => respond::coding(self.request),
            // Parquet is compressed already.
            Kind::Parquet => Coding::Identity,
        };
        let mut response = self.begin(StatusCode::OK, first.provenance.fetched_at);
        let later = match afterwards {
            Afterwards::Nothing => {
                response.insert_header((header::ACCEPT_RANGES, "none"));
                None
            }
            Afterwards::UnderWay => None,
            Afterwards::Making(later) => Some((*later, Arc::clone(&self.state.files))),
        };
        if let Some(name) = coding.header() {
            response.insert_header((header::CONTENT_ENCODING, name));
        }
        // Over HTTP/1.0 the length is found out by what comes.
        if !self.is_get() && !self.is_http10() {
            return Ok(response.streaming(streams::empty::<Result<Bytes, BridgeError>>()));
        }
        let mut file = FileStream::begin(self.kind, coding, self.source, writing, &first.query)?;
        file.take(first)?;
        Ok(response.streaming(pieces(file, later)))
    }

    /// The headers that every file has.
    fn begin(&self, status: StatusCode, fetched_at: Option<DateTime<Utc>>) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(status);
        response
            .insert_header((header::CONTENT_TYPE, self.kind.content_type()))
            .insert_header(respond::attachment(&self.name))
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
    if let Ok(range) = content_range(None, bytes).try_into_value() {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}

fn content_range(range: Option<(u64, u64)>, bytes: u64) -> ContentRange {
    ContentRange(ContentRangeSpec::Bytes { range, instance_length: Some(bytes) })
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
            let read = unix::read_exact_at(&made.file, &mut bytes, start).map_err(ExportError::MadeFile);
            Ok(read.map(|()| (Bytes::from(bytes), made))?)
        };
        let (bytes, made) = off_thread(read).await?;
        let next = start + bytes.len() as u64..end;
        Ok(Some((bytes, (made, next))))
    })
}
