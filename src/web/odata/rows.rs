//! Writes a page of rows as the body of an answer.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, DictionaryArray};
use arrow_ipc::writer::StreamWriter;
use sha2::{Digest, Sha256};

use super::call::{Call, Service};
use super::output::{self, FeedRoot, RowOutput};
use crate::answer::error::BridgeError;
use crate::answer::stages::{Stage, Stages};
use crate::answer::{Expanded, Expansion, Page};
use crate::budget::answers::{Held, WRITING_BYTES};
use crate::budget::work::{self, blocking};
use crate::catalogue::figures;
use crate::feed::arrays::value_at;
use crate::feed::{Feed, RowSource, Set};
use crate::frame::Frame;
use crate::frame::error::FrameError;
use crate::observe::request;
use crate::odata::context_url::{self, Resource, Shape};
use crate::odata::etag;
use crate::odata::media_type::{Format, Negotiated};
use crate::odata::payload::{self, JsonContext, Message};
use crate::odata::preference::Applied;
use crate::odata::uri::{self, literal_text};
use crate::odata::value::Value;
use crate::odata::version::Version;
use crate::query::apply::BoundApply;
use crate::query::{BoundQuery, Target};
use crate::store::block;
use crate::web::body::{Body, Pieces};
use crate::web::credentials;
use crate::web::respond::Answered;

/// How many rows are written at a time.
const PIECE_ROWS: usize = 500;
/// The tag of a page with so many rows is computed in a moment.
const FEW_ROWS: usize = 5_000;

impl Call<'_> {
    /// A page as an answer, with its tag; the rows are written when the body begins.
    pub(super) fn page(
        &self,
        service: &Service,
        path: &str,
        page: Page,
        negotiated: Negotiated,
        stages: &Stages,
    ) -> Result<Answered, BridgeError> {
        let rows = page.rows.as_ref().map_or(0, Frame::row_count);
        request::count_rows(rows);
        let next_link = page.next.as_ref().map(|token| {
            let link = self.next_link(service, path, &token.encode());
            self.granted(link)
        });
        let age_seconds = page.provenance.fetched_at.map(|at| (self.state.clock.now() - at).num_seconds());
        let preference_applied =
            self.preferences.applied(&self.applied(&service.feed, &page.query, &negotiated));
        let content_type = negotiated.content_type.clone();
        let messages = match self.preferences.asks_for_annotation(Message::TERM) {
            true => {
                page.query.unknown_members.iter().map(|unknown| Message::warning(&unknown.error())).collect()
            }
            false => Vec::new(),
        };
        let writing = Writing {
            feed: Arc::clone(&service.feed),
            root: service.root.clone(),
            page,
            next_link,
            version: self.version,
            negotiated,
            omit_nulls: self.preferences.omit_nulls,
            messages,
            _held: work::hold(WRITING_BYTES)?,
        };
        let made = || stages.time(Stage::Write, || Ok::<_, BridgeError>((writing.tag()?, writing.body()?)));
        let (tag, body) = if rows > FEW_ROWS { blocking(made) } else { made() }?;
        Ok(Answered { content_type, body, tag: Some(tag), age_seconds, preference_applied })
    }

    /// The applied preferences. Pages are never larger than the service's limit.
    fn applied(&self, feed: &Feed, query: &BoundQuery, negotiated: &Negotiated) -> Applied {
        let largest = match feed.sets[query.set].rows {
            RowSource::List(_) => u64::MAX,
            RowSource::Cells(_) => self.state.answerer.limits.page_rows,
        };
        let is_paged = query.target == Target::Collection;
        Applied {
            max_page_size: self.preferences.max_page_size.filter(|_| is_paged).map(|size| size.min(largest)),
            omit_nulls: negotiated.format == Format::Json,
            include_annotations: !query.unknown_members.is_empty()
                && self.preferences.asks_for_annotation(Message::TERM),
            strict: true,
            ..Applied::default()
        }
    }

    /// The next link: the request's URL with the skip token of the next page.
    fn next_link(&self, service: &Service, path: &str, token: &str) -> String {
        let is_kept = |piece: &&str| !piece.is_empty() && !uri::is_option(piece, "$skiptoken");
        let kept = self.query.split('&').filter(is_kept);
        let token = format!("$skiptoken={token}");
        let options: Vec<&str> = kept.chain([token.as_str()]).collect();
        format!("{}{}?{}", service.root, path.trim_matches('/'), options.join("&"))
    }

    /// A link that its reader may follow without signing in again.
    fn granted(&self, link: String) -> String {
        let below = link.strip_prefix(self.base).unwrap_or(&link);
        let (path, query) = below.split_once('?').unwrap_or((below, ""));
        match self.state.sign_in.grant(&self.state.reader, &credentials::linked(path, query)) {
            Some(grant) => credentials::granted(&link, &grant),
            None => link,
        }
    }
}

/// A page that is being written; owned, so that it can be moved to another thread.
struct Writing {
    feed: Arc<Feed>,
    root: String,
    page: Page,
    next_link: Option<String>,
    version: Version,
    negotiated: Negotiated,
    omit_nulls: bool,
    /// What the client is told beside the rows.
    messages: Vec<Message>,
    /// The memory that writing takes beside the rows.
    _held: Held,
}

impl Writing {
    /// The text of the entity tag: a hash of the columns and of everything that shapes the answer, which is faster than a hash of the
    /// text. It does not change with the revision if the rows are the same.
    fn tag(&self) -> Result<String, BridgeError> {
        let mut hash = Hashing(Sha256::new());
        let count = self.page.count.map(|count| count.to_string());
        let shape = [
            self.page.identity.as_str(),
            &self.root,
            &self.negotiated.content_type,
            self.version.header(),
            if self.omit_nulls { "omit nulls" } else { "" },
            self.next_link.as_deref().unwrap_or_default(),
            count.as_deref().unwrap_or_default(),
        ];
        shape.iter().for_each(|part| hash.text(part));
        self.messages.iter().for_each(|message| hash.text(&message.text));
        if let Some(rows) = &self.page.rows {
            hash.rows(rows)?;
        }
        hash.expansions(&self.page.expansions)?;
        Ok(etag::of_hash(hash.0))
    }

    fn body(self) -> Result<Body, BridgeError> {
        Ok(match &self.page.query.target {
            Target::Count => Body::Whole(self.page.count.unwrap_or_default().to_string().into_bytes()),
            Target::Collection => Body::Pieces(Box::new(Collection::new(self))),
            Target::Entity(_) => self.entity()?.map_or(Body::Empty, Body::Whole),
            Target::Property { column, raw, .. } => {
                self.property(*column, *raw)?.map_or(Body::Empty, Body::Whole)
            }
        })
    }

    fn set(&self) -> &Set {
        self.page.query.result(&self.feed)
    }

    fn context<'c>(&'c self, context_url: &'c str) -> JsonContext<'c> {
        JsonContext {
            version: self.version,
            metadata: self.negotiated.metadata,
            ieee754_compatible: self.negotiated.ieee754_compatible,
            omit_nulls: self.omit_nulls,
            context_url,
            messages: &self.messages,
        }
    }

    fn context_url(&self, resource: Resource<'_>) -> String {
        let is_grouped = self.page.query.apply.as_ref().is_some_and(BoundApply::is_grouped);
        let shape = match self.page.query.target {
            Target::Property { .. } => Shape::default(),
            Target::Collection | Target::Count | Target::Entity(_) => {
                output::shape(&self.feed, self.set(), &self.page.query, is_grouped)
            }
        };
        context_url::write(&self.root, resource, &shape, self.version)
    }

    fn shown(&self) -> RowOutput<'_> {
        let feed_root = FeedRoot { feed: &self.feed, root: &self.root };
        RowOutput::new(
            feed_root,
            self.set(),
            &self.page.query,
            self.page.rows.as_ref(),
            &self.page.expansions,
        )
    }

    fn collection_url(&self) -> String {
        self.context_url(match self.page.query.references {
            true => Resource::References,
            false => Resource::Collection(&self.set().name),
        })
    }

    fn start(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let url = self.collection_url();
        let count = self.page.count.filter(|_| self.page.query.count);
        payload::write_collection_start(&mut out, &self.context(&url), count);
        out
    }

    /// A run of rows, in a text of about that length.
    fn rows(&self, frame: &Frame, rows: Range<usize>, length: usize) -> Result<Vec<u8>, BridgeError> {
        let url = self.collection_url();
        let context = self.context(&url);
        let mut out = Vec::with_capacity(length);
        self.shown().output(&frame.batch, &mut |output| {
            payload::write_rows(&mut out, &context, output, rows.clone(), rows.start == 0)
        })?;
        Ok(out)
    }

    fn end(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let url = self.collection_url();
        payload::write_collection_end(&mut out, &self.context(&url), self.next_link.as_deref());
        out
    }

    /// The row that the path names: `None` if a navigation property has no target, an error if no row has the key.
    fn row(&self) -> Result<Option<&Frame>, BridgeError> {
        let by_navigation = self.page.query.origin.is_some()
            && matches!(&self.page.query.target, Target::Entity(key) | Target::Property { key, .. } if key.is_empty());
        match self.page.rows.as_ref() {
            Some(frame) => Ok(Some(frame)),
            None if by_navigation => Ok(None),
            None => Err(BridgeError::NoSuchRow),
        }
    }

    fn entity(&self) -> Result<Option<Vec<u8>>, BridgeError> {
        let Some(frame) = self.row()? else { return Ok(None) };
        let name = &self.set().name;
        let url = self.context_url(match self.set().singleton {
            _ if self.page.query.references => Resource::Reference,
            true => Resource::Singleton(name),
            false => Resource::Entity(name),
        });
        let context = self.context(&url);
        let mut body = Vec::new();
        self.shown()
            .output(&frame.batch, &mut |output| payload::write_entity(&mut body, &context, output, 0))?;
        Ok(Some(body))
    }

    fn property(&self, column: usize, raw: bool) -> Result<Option<Vec<u8>>, BridgeError> {
        let Some(frame) = self.row()? else { return Ok(None) };
        let model = &self.feed.sets[self.page.query.set];
        let properties = output::properties(model, self.set(), &self.page.query, Some(frame), &[column]);
        let property = properties.first().ok_or(BridgeError::NoSuchRow)?;
        if payload::is_null(&frame.batch, property, 0)? {
            return Ok(None);
        }
        let mut body = Vec::new();
        if raw {
            payload::write_raw_value(&mut body, &frame.batch, property, 0)?;
            return Ok(Some(body));
        }
        let path = format!("{}{}/{}", self.set().name, self.key_text(frame), property.name);
        let url = self.context_url(Resource::Property(&path));
        payload::write_property(&mut body, &self.context(&url), &frame.batch, property, 0)?;
        Ok(Some(body))
    }

    /// The key of the row, as written in a URL.
    fn key_text(&self, frame: &Frame) -> String {
        let set = self.set();
        let value = |&column: &usize| {
            let value = frame.position(column).map(|at| value_at(frame.batch.column(at), 0));
            literal_text::to_uri(&value.unwrap_or(Value::Null))
        };
        match set.key.as_slice() {
            _ if set.singleton => String::new(),
            [] => String::new(),
            [only] => format!("({})", value(only)),
            several => {
                let part = |column: &usize| format!("{}={}", set.columns[*column].name, value(column));
                format!("({})", several.iter().map(part).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// A collection that is being written.
struct Collection {
    writing: Writing,
    next: Part,
    /// How long the last piece of rows was.
    length: usize,
}

/// The part of a collection that is written next.
#[derive(Clone, Copy)]
enum Part {
    Start,
    /// Rows from this one on, or the end after the last one.
    Rows(usize),
    Nothing,
}

impl Collection {
    fn new(writing: Writing) -> Self {
        // A cell with its name is about so long.
        const CELL: usize = 32;
        let length = |rows: &Frame| rows.row_count().min(PIECE_ROWS) * rows.batch.num_columns() * CELL;
        let length = writing.page.rows.as_ref().map_or(0, length);
        Self { writing, next: Part::Start, length }
    }
}

impl Pieces for Collection {
    fn next(&mut self) -> Result<Option<Vec<u8>>, BridgeError> {
        let writing = &self.writing;
        let left = |row: &usize| writing.page.rows.as_ref().filter(|rows| *row < rows.row_count());
        let (piece, next) = match self.next {
            Part::Start => (writing.start(), Part::Rows(0)),
            Part::Rows(row) => match left(&row) {
                Some(rows) => {
                    let end = rows.row_count().min(row + PIECE_ROWS);
                    let piece = writing.rows(rows, row..end, self.length)?;
                    self.length = piece.len();
                    (piece, Part::Rows(end))
                }
                None => (writing.end(), Part::Nothing),
            },
            Part::Nothing => return Ok(None),
        };
        self.next = next;
        Ok(Some(piece))
    }
}

/// A hash that implements `Write`.
struct Hashing(Sha256);

impl Hashing {
    /// Adds a text with its length, so that the boundaries between texts count.
    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text);
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    /// Adds the columns of the set; the sort key is not included.
    fn rows(&mut self, frame: &Frame) -> Result<(), FrameError> {
        let columns = frame.columns.iter().copied().flatten();
        let labels = |&column: &usize| frame.batch.column(column).as_dictionary_opt::<Int32Type>();
        let (coded, others): (Vec<usize>, Vec<usize>) = columns.partition(|column| labels(column).is_some());
        coded.iter().filter_map(labels).for_each(|labels| self.labels(labels));
        let batch = figures::widened_batch(&frame.batch.project(&others)?)?;
        let mut writer = StreamWriter::try_new(&mut *self, &batch.schema())?;
        Ok(writer.write(&batch)?)
    }

    /// Adds a column of labels: each label once, where it comes first, and its number in every row. The dictionary may have many more.
    fn labels(&mut self, column: &DictionaryArray<Int32Type>) {
        let mut numbers = vec![0_u32; column.values().len()];
        let (mut met, mut rows) = (0, Vec::with_capacity(column.len() * size_of::<u32>()));
        for row in 0..column.len() {
            let number = column.key(row).and_then(|key| numbers.get_mut(key));
            let number = number.map_or(0, |number| {
                if *number == 0 {
                    met += 1;
                    *number = met;
                    self.text(block::text_at(column, row).unwrap_or_default());
                }
                *number
            });
            rows.extend(number.to_le_bytes());
        }
        self.0.update(rows);
    }

    fn expansions(&mut self, expansions: &[Expansion]) -> Result<(), FrameError> {
        for expansion in expansions {
            match &expansion.rows {
                Expanded::One(rows) => rows.iter().for_each(|row| self.many(row.as_slice())),
                Expanded::Many { rows, counts } => {
                    rows.iter().for_each(|rows| self.many(rows));
                    counts.iter().flatten().for_each(|count| self.number(*count));
                }
                Expanded::Count(counts) => counts.iter().for_each(|count| self.number(*count)),
            }
            self.rows(&expansion.frame)?;
            self.expansions(&expansion.expansions)?;
        }
        Ok(())
    }

    fn many(&mut self, rows: &[usize]) {
        self.number(rows.len() as u64);
        rows.iter().for_each(|row| self.number(*row as u64));
    }
}

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
