//! Rows of a set as the body of an answer: bound, fetched, and written off the server's threads.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use actix_web::web;
use arrow_ipc::writer::StreamWriter;
use sha2::{Digest, Sha256};

use super::call::{Call, Service};
use super::output::{self, FeedRoot, RowOutput};
use crate::answer::error::BridgeError;
use crate::answer::{Expansion, Page, PageRequest};
use crate::feed::arrays::value_at;
use crate::feed::{Feed, RowSource, Set};
use crate::fetch::error::FetchError;
use crate::frame::Frame;
use crate::frame::error::FrameError;
use crate::odata::context_url::{self, Resource, Shape};
use crate::odata::media_type::{Format, Kind, Negotiated};
use crate::odata::payload::{self, JsonContext};
use crate::odata::preference::Applied;
use crate::odata::uri::literal_text;
use crate::odata::uri::syntax::{PathSegment, RequestSyntax, SystemSegment};
use crate::odata::uri::{self, Limits};
use crate::odata::value::Value;
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
        let id = resolve_entity(service, &mut syntax)?;
        let query = bind::bind(&service.feed, &syntax, self.state.clock.now())?;
        if let Some(id) = id.filter(|_| !matches!(query.target, Target::Entity(_))) {
            return Err(BridgeError::UnknownPath(id));
        }
        let negotiated = self.negotiate(&syntax, kind(&query))?;
        let explained = wants_plan(&syntax.options.custom)?;
        let skip_token = syntax.options.skiptoken.take();
        (syntax.options.format, syntax.options.custom) = (None, Vec::new());
        let request = PageRequest {
            max_page_size: self.preferences.max_page_size,
            skip_token: skip_token.as_deref(),
            all_pages: false,
            query_text: &format!("{} {syntax:?}", service.feed.schema.namespace),
        };
        if explained {
            let plan = self.state.answerer.explain(&service.feed, &query, &request).await?;
            let body = serde_json::to_vec_pretty(&plan).unwrap_or_default();
            return Ok(Answered::whole("application/json".to_owned(), body));
        }
        let page = self.state.answerer.answer(&service.feed, &query, &request).await?;
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

/// Whether the plan is asked for in place of the rows, by the custom option `explain`.
fn wants_plan(custom: &[(String, String)]) -> Result<bool, BridgeError> {
    match custom.iter().find(|(name, _)| name == "explain") {
        None => Ok(false),
        Some((_, what)) if what == "plan" => Ok(true),
        Some((_, what)) => Err(BridgeError::NotOffered {
            what: format!("explain={what}"),
            reason: "the only thing that is explained is the plan: explain=plan".to_owned(),
        }),
    }
}

/// `$entity?$id=…` is the row that the address in `$id` names, absolute or below the service. Gives the address, if it is asked
/// for so.
fn resolve_entity(service: &Service, syntax: &mut RequestSyntax) -> Result<Option<String>, BridgeError> {
    let [PathSegment::System { name: SystemSegment::Entity, .. }] = syntax.path.segments.as_slice() else {
        return Ok(None);
    };
    let id = syntax.options.id.take().unwrap_or_default();
    let below = id.strip_prefix(&service.root).unwrap_or(&id);
    if below.contains("://") {
        return Err(BridgeError::UnknownPath(id));
    }
    syntax.path = uri::parse_path(below, &Limits::default())?;
    Ok(Some(id))
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
        hash.0.update(format!(
            "{:?} {} {:?}",
            self.query.selected_navigation, self.query.references, self.query.select
        ));
        for frame in &self.page.frames {
            hash.add(frame)?;
        }
        hash.add_beside(&self.page.expansions)?;
        Ok(hash.0.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect())
    }

    fn body(self) -> Result<Body, BridgeError> {
        Ok(match &self.query.target {
            Target::Count => Body::Whole(self.page.count.unwrap_or_default().to_string().into_bytes()),
            Target::Collection => Body::Pieces(Box::new(Collection { writing: self, at: Stage::Start })),
            Target::Entity(_) => self.entity()?.map_or(Body::Empty, Body::Whole),
            Target::Property { column, raw, .. } => {
                self.property(*column, *raw)?.map_or(Body::Empty, Body::Whole)
            }
        })
    }

    fn set(&self) -> &Set {
        self.query.result(&self.feed)
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

    fn context_url(&self, resource: Resource<'_>) -> String {
        let is_grouped = self.query.apply.as_ref().is_some_and(BoundApply::is_grouped);
        let shape = match self.query.target {
            Target::Property { .. } => Shape::default(),
            _ => output::shape(&self.feed, self.set(), &self.query, is_grouped),
        };
        context_url::write(&self.root, resource, &shape, self.version)
    }

    fn shown(&self) -> RowOutput<'_> {
        let feed_root = FeedRoot { feed: &self.feed, root: &self.root };
        RowOutput::new(feed_root, self.set(), &self.query, self.page.frames.first(), &self.page.expansions)
    }

    fn collection_url(&self) -> String {
        self.context_url(match self.query.references {
            true => Resource::References,
            false => Resource::Collection(&self.set().name),
        })
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
        let context = self.context(&url);
        let mut out = Vec::new();
        let is_first = number == 0 && rows.start == 0;
        self.shown().output(&frame.batch, &mut |output| {
            payload::write_rows(&mut out, &context, output, rows.clone(), is_first)
        })?;
        Ok(out)
    }

    fn end(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let url = self.collection_url();
        payload::write_collection_end(&mut out, &self.context(&url), self.next_link.as_deref());
        out
    }

    /// The row that the path names. There is nothing to show where a navigation property leads nowhere; a key that no row has is an error.
    fn row(&self) -> Result<Option<&Frame>, BridgeError> {
        let by_navigation = self.query.origin.is_some()
            && matches!(&self.query.target, Target::Entity(key) | Target::Property { key, .. } if key.is_empty());
        match self.page.frames.first() {
            Some(frame) => Ok(Some(frame)),
            None if by_navigation => Ok(None),
            None => Err(BridgeError::NoSuchRow),
        }
    }

    fn entity(&self) -> Result<Option<Vec<u8>>, BridgeError> {
        let Some(frame) = self.row()? else { return Ok(None) };
        let name = &self.set().name;
        let url = self.context_url(match self.set().singleton {
            _ if self.query.references => Resource::Reference,
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
        let properties = output::properties(self.set(), &self.query, Some(frame), &[column]);
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

    /// The key of the row, as an address has it.
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

/// A collection on its way out.
struct Collection {
    writing: Writing,
    at: Stage,
}

/// What of a collection comes next.
#[derive(Clone, Copy)]
enum Stage {
    Start,
    /// The frame and the row in it.
    Rows(usize, usize),
    Done,
}

impl Pieces for Collection {
    fn next(&mut self) -> Result<Option<Vec<u8>>, BridgeError> {
        let (piece, next) = match self.at {
            Stage::Start => (self.writing.start(), Stage::Rows(0, 0)),
            Stage::Rows(number, row) => match self.writing.page.frames.get(number) {
                Some(frame) => {
                    let end = frame.row_count().min(row + PIECE_ROWS);
                    let next = if end < frame.row_count() {
                        Stage::Rows(number, end)
                    } else {
                        Stage::Rows(number + 1, 0)
                    };
                    (self.writing.rows(number, row..end)?, next)
                }
                None => (self.writing.end(), Stage::Done),
            },
            Stage::Done => return Ok(None),
        };
        self.at = next;
        Ok(Some(piece))
    }
}

/// A hash that can be written to.
struct Hashing(Sha256);

impl Hashing {
    fn add(&mut self, frame: &Frame) -> Result<(), FrameError> {
        let mut writer = StreamWriter::try_new(&mut *self, &frame.batch.schema())?;
        Ok(writer.write(&frame.batch)?)
    }

    fn add_beside(&mut self, expansions: &[Expansion]) -> Result<(), FrameError> {
        for expansion in expansions {
            self.0.update(format!("{:?}", expansion.rows));
            self.add(&expansion.frame)?;
            self.add_beside(&expansion.expansions)?;
        }
        Ok(())
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
