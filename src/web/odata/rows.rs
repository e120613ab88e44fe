//! Rows of a set as the body of an answer: bound, fetched, and written off the server's threads.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use actix_web::web;
use arrow_ipc::writer::StreamWriter;
use sha2::{Digest, Sha256};

use super::call::{Call, Service};
use crate::answer::{Page, Wishes};
use crate::error::BridgeError;
use crate::feed::{Feed, RowSource, Set};
use crate::fetch::error::FetchError;
use crate::frame::error::FrameError;
use crate::odata::context_url::{self, Resource, Shape};
use crate::odata::media_type::{Format, Kind, MetadataLevel, Negotiated};
use crate::odata::payload::{self, Identity, JsonContext, Output, OutputProperty};
use crate::odata::preference::Applied;
use crate::odata::uri::literal_text;
use crate::odata::uri::syntax::RequestSyntax;
use crate::odata::version::Version;
use crate::query::apply::BoundApply;
use crate::query::{BoundQuery, Target, bind};
use crate::web::respond::{Answered, Body, Pieces};

/// Rows that are written at a time.
const PIECE_ROWS: usize = 500;

impl Call<'_> {
    pub(super) async fn rows(
        &self,
        service: &Service,
        path: &str,
        mut syntax: RequestSyntax,
    ) -> Result<Answered, BridgeError> {
        let query = bind::bind(&service.feed, &syntax, self.state.clock.now())?;
        let negotiated = self.negotiate(&syntax, kind(&query))?;
        let skip_token = syntax.options.skiptoken.take();
        (syntax.options.format, syntax.options.custom) = (None, Vec::new());
        let wishes = Wishes {
            max_page_size: self.preferences.max_page_size,
            skip_token: skip_token.as_deref(),
            whole: false,
            query_text: &format!("{} {syntax:?}", service.feed.schema.namespace),
        };
        let page = self.state.answerer.answer(&service.feed, &query, &wishes).await?;
        let next_link = page.next.as_ref().map(|token| self.next_link(service, path, &token.encode()));
        let age_seconds = page.fetched_at.map(|at| (self.state.clock.now() - at).num_seconds());
        let preference_applied = self.preferences.applied(&self.applied(&service.feed, &query, &negotiated));
        let content_type = negotiated.content_type.clone();
        let writing = Writing {
            feed: Arc::clone(&service.feed),
            root: service.root.clone(),
            query,
            page,
            next_link,
            version: self.version,
            negotiated,
            omit_nulls: self.preferences.omit_nulls,
        };
        let made = web::block(move || Ok::<_, BridgeError>((writing.tag()?, writing.body()?)));
        let (tag, body) = made.await.map_err(|_| FetchError::Interrupted)??;
        Ok(Answered { content_type, body, tag: Some(tag), age_seconds, preference_applied })
    }

    /// What is applied of the client's preferences. Pages are never larger than the service's own.
    fn applied(&self, feed: &Feed, query: &BoundQuery, negotiated: &Negotiated) -> Applied {
        let largest = match feed.sets[query.set].rows {
            RowSource::List(_) => u64::MAX,
            RowSource::Cells(_) => self.state.answerer.limits.page_rows,
        };
        let is_paged = query.target == Target::Collection;
        Applied {
            max_page_size: self.preferences.max_page_size.filter(|_| is_paged).map(|size| size.min(largest)),
            omit_nulls: negotiated.format == Format::Json,
            ..Applied::default()
        }
    }

    /// The same request with the token that the next page begins at.
    fn next_link(&self, service: &Service, path: &str, token: &str) -> String {
        let is_token = |option: &&str| {
            let name = option.split('=').next().unwrap_or_default();
            name.trim_start_matches("%24").trim_start_matches('$').eq_ignore_ascii_case("skiptoken")
        };
        let kept = self.query.split('&').filter(|option| !option.is_empty() && !is_token(option));
        let token = format!("$skiptoken={token}");
        let options: Vec<&str> = kept.chain([token.as_str()]).collect();
        format!("{}{}?{}", service.root, path.trim_matches('/'), options.join("&"))
    }
}

fn kind(query: &BoundQuery) -> Kind {
    match query.target {
        Target::Count => Kind::Count,
        Target::Property { raw: true, .. } => Kind::RawValue,
        _ => Kind::Data,
    }
}

/// A page on its way to being a body; owned, so that it can be written off the server's threads.
struct Writing {
    feed: Arc<Feed>,
    root: String,
    query: BoundQuery,
    page: Page,
    next_link: Option<String>,
    version: Version,
    negotiated: Negotiated,
    omit_nulls: bool,
}

impl Writing {
    /// What the answer's tag says: a hash of the rows as they stand in columns and of all that shapes their text, which is
    /// far less than the text itself. Rows that did not change keep it, whatever became of the revision.
    fn tag(&self) -> Result<String, BridgeError> {
        let mut hash = Hashing(Sha256::new());
        let (content_type, url) = (&self.negotiated.content_type, self.collection_url());
        let shape = (content_type, url, self.version, self.omit_nulls, &self.next_link, self.page.count);
        hash.0.update(format!("{shape:?} {:?}", self.query.target));
        for frame in &self.page.frames {
            let mut writer =
                StreamWriter::try_new(&mut hash, &frame.batch.schema()).map_err(FrameError::from)?;
            writer.write(&frame.batch).map_err(FrameError::from)?;
        }
        Ok(hash.0.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect())
    }

    fn body(self) -> Result<Body, BridgeError> {
        Ok(match &self.query.target {
            Target::Count => Body::Whole(self.page.count.unwrap_or_default().to_string().into_bytes()),
            Target::Collection => Body::Pieces(Box::new(Collection { writing: self, at: At::Start })),
            Target::Entity(_) => Body::Whole(self.entity()?),
            Target::Property { column, raw, .. } => {
                self.property(*column, *raw)?.map_or(Body::Empty, Body::Whole)
            }
        })
    }

    fn set(&self) -> &Set {
        self.query.result(&self.feed)
    }

    /// Whether the rows are no entities of the set.
    fn is_grouped(&self) -> bool {
        self.query.apply.as_ref().is_some_and(BoundApply::is_grouped)
    }

    fn context<'c>(&self, context_url: &'c str) -> JsonContext<'c> {
        JsonContext {
            version: self.version,
            metadata: self.negotiated.metadata,
            ieee754_compatible: self.negotiated.ieee754_compatible,
            omit_nulls: self.omit_nulls,
            context_url,
        }
    }

    /// The columns that are shown, in the order asked for.
    fn shown(&self) -> Vec<usize> {
        self.query.select.clone().unwrap_or_else(|| (0..self.set().columns.len()).collect())
    }

    fn shape(&self) -> Shape<'_> {
        let shown = match &self.query.select {
            // What an aggregation makes is named in any case: no type of the service has that shape.
            None if self.is_grouped() => self.shown(),
            selected => selected.clone().unwrap_or_default(),
        };
        let names = shown.into_iter().map(|column| self.set().columns[column].name.as_str());
        Shape { selected: names.collect(), expanded: Vec::new() }
    }

    fn properties(&self, columns: &[usize]) -> Vec<OutputProperty<'_>> {
        let positions = self.page.frames.first().map(|frame| frame.columns.as_slice()).unwrap_or_default();
        let property = |&column: &usize| {
            let of = &self.set().columns[column];
            let at = positions.get(column).copied().flatten()?;
            Some(OutputProperty { name: &of.name, column: at, primitive: of.primitive })
        };
        columns.iter().filter_map(property).collect()
    }

    fn collection_url(&self) -> String {
        context_url::write(&self.root, Resource::Collection(&self.set().name), &self.shape(), self.version)
    }

    fn start(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let url = self.collection_url();
        let count = self.page.count.filter(|_| self.query.count);
        payload::write_collection_start(&mut out, &self.context(&url), count);
        out
    }

    fn rows(&self, number: usize, rows: Range<usize>) -> Result<Vec<u8>, BridgeError> {
        let Some(frame) = self.page.frames.get(number) else { return Ok(Vec::new()) };
        let url = self.collection_url();
        let identity = EntityIdentity::of(self);
        let (properties, key) = (self.properties(&self.shown()), self.properties(&self.set().key));
        let output = Output {
            batch: &frame.batch,
            properties: &properties,
            expands: &[],
            identity: match self.is_grouped() {
                true => Some(Identity::TRANSIENT),
                false => identity.as_ref().map(|identity| identity.of_key(&key)),
            },
            references: false,
        };
        let mut out = Vec::new();
        let is_first = number == 0 && rows.start == 0;
        payload::write_rows(&mut out, &self.context(&url), &output, rows, is_first)?;
        Ok(out)
    }

    fn end(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let url = self.collection_url();
        payload::write_collection_end(&mut out, &self.context(&url), self.next_link.as_deref());
        out
    }

    fn entity(&self) -> Result<Vec<u8>, BridgeError> {
        let frame = self.page.frames.first().ok_or(BridgeError::NoSuchRow)?;
        let set = self.set();
        let resource =
            if set.singleton { Resource::Singleton(&set.name) } else { Resource::Entity(&set.name) };
        let url = context_url::write(&self.root, resource, &self.shape(), self.version);
        let identity = EntityIdentity::of(self);
        let (properties, key) = (self.properties(&self.shown()), self.properties(&set.key));
        let identity = identity.as_ref().map(|identity| identity.of_key(&key));
        let output = Output {
            batch: &frame.batch,
            properties: &properties,
            expands: &[],
            identity,
            references: false,
        };
        let mut body = Vec::new();
        payload::write_entity(&mut body, &self.context(&url), &output, 0)?;
        Ok(body)
    }

    fn property(&self, column: usize, raw: bool) -> Result<Option<Vec<u8>>, BridgeError> {
        let frame = self.page.frames.first().ok_or(BridgeError::NoSuchRow)?;
        let properties = self.properties(&[column]);
        let property = properties.first().ok_or(BridgeError::NoSuchRow)?;
        if payload::is_null(&frame.batch, property, 0)? {
            return Ok(None);
        }
        let mut body = Vec::new();
        if raw {
            payload::write_raw_value(&mut body, &frame.batch, property, 0)?;
            return Ok(Some(body));
        }
        let path = format!("{}{}/{}", self.set().name, self.key_text(), property.name);
        let url = context_url::write(&self.root, Resource::Property(&path), &Shape::default(), self.version);
        payload::write_property(&mut body, &self.context(&url), &frame.batch, property, 0)?;
        Ok(Some(body))
    }

    fn key_text(&self) -> String {
        let (Target::Entity(key) | Target::Property { key, .. }) = &self.query.target else {
            return String::new();
        };
        let set = self.set();
        let part = |(&column, value): (&usize, &_)| {
            format!("{}={}", set.columns[column].name, literal_text::to_uri(value))
        };
        match key.as_slice() {
            [] => String::new(),
            [only] => format!("({})", literal_text::to_uri(only)),
            several => format!("({})", set.key.iter().zip(several).map(part).collect::<Vec<_>>().join(",")),
        }
    }
}

/// A collection on its way out.
struct Collection {
    writing: Writing,
    at: At,
}

/// What of a collection comes next.
#[derive(Clone, Copy)]
enum At {
    Start,
    /// The frame and the row in it.
    Rows(usize, usize),
    Done,
}

impl Pieces for Collection {
    fn next(&mut self) -> Result<Option<Vec<u8>>, BridgeError> {
        let (piece, next) = match self.at {
            At::Start => (self.writing.start(), At::Rows(0, 0)),
            At::Rows(number, row) => match self.writing.page.frames.get(number) {
                Some(frame) => {
                    let end = frame.row_count().min(row + PIECE_ROWS);
                    let next =
                        if end < frame.row_count() { At::Rows(number, end) } else { At::Rows(number + 1, 0) };
                    (self.writing.rows(number, row..end)?, next)
                }
                None => (self.writing.end(), At::Done),
            },
            At::Done => return Ok(None),
        };
        self.at = next;
        Ok(Some(piece))
    }
}

/// A hash that can be written to.
struct Hashing(Sha256);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the ids of entities are made of; only written out at `metadata=full`.
struct EntityIdentity {
    entity_type: String,
    set_url: String,
}

impl EntityIdentity {
    fn of(writing: &Writing) -> Option<Self> {
        if writing.negotiated.metadata != MetadataLevel::Full {
            return None;
        }
        let set = writing.set();
        let schema = &writing.feed.schema;
        let listed = schema.container.set(&set.name).map(|listed| listed.entity_type.as_str());
        let single = schema.container.singletons.iter().find(|single| single.name == set.name);
        let entity_type = listed.or(single.map(|single| single.entity_type.as_str()))?;
        let name = percent_encoding::utf8_percent_encode(&set.name, percent_encoding::NON_ALPHANUMERIC);
        Some(Self { entity_type: schema.qualified(entity_type), set_url: format!("{}{name}", writing.root) })
    }

    fn of_key<'a>(&'a self, key: &'a [OutputProperty<'a>]) -> Identity<'a> {
        Identity { entity_type: &self.entity_type, set_url: &self.set_url, key, navigation: &[] }
    }
}
