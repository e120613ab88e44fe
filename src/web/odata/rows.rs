//! Rows of a set as the body of an answer: bound, fetched, and written off the server's threads.

use std::sync::Arc;

use actix_web::web;

use super::call::{Call, Service};
use super::shown::{self, Place, ShownRows};
use crate::answer::{Page, Wishes};
use crate::error::BridgeError;
use crate::feed::list::value_at;
use crate::feed::{Feed, Set};
use crate::frame::Frame;
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
use crate::web::respond::Answered;

impl Call<'_> {
    pub(super) async fn rows(
        &self,
        service: &Service,
        path: &str,
        mut syntax: RequestSyntax,
    ) -> Result<Option<Answered>, BridgeError> {
        resolve_entity(service, &mut syntax)?;
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
        let applied = Applied {
            max_page_size: self.preferences.max_page_size.filter(|_| query.target == Target::Collection),
            omit_nulls: negotiated.format == Format::Json,
            include_annotations: false,
        };
        let preference_applied = self.preferences.applied(&applied);
        let writing = Writing {
            feed: Arc::clone(&service.feed),
            root: service.root.clone(),
            query,
            page,
            next_link,
            version: self.version,
            negotiated: negotiated.clone(),
            omit_nulls: self.preferences.omit_nulls,
        };
        let body = web::block(move || writing.body())
            .await
            .map_err(|_| crate::fetch::error::FetchError::Interrupted)??;
        let content_type = negotiated.content_type;
        Ok(body.map(|body| Answered { content_type, body, age_seconds, preference_applied }))
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

/// `$entity?$id=…` is the row that the address in `$id` names, absolute or below the service.
fn resolve_entity(service: &Service, syntax: &mut RequestSyntax) -> Result<(), BridgeError> {
    let [PathSegment::System { name: SystemSegment::Entity, .. }] = syntax.path.segments.as_slice() else {
        return Ok(());
    };
    let id = syntax.options.id.take().unwrap_or_default();
    let below = id.strip_prefix(&service.root).unwrap_or(&id);
    if below.contains("://") {
        return Err(BridgeError::UnknownPath(id));
    }
    syntax.path = uri::parse_path(below, &Limits::default())?;
    Ok(())
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
    /// The body, or `None` where there is no value.
    fn body(&self) -> Result<Option<Vec<u8>>, BridgeError> {
        match &self.query.target {
            Target::Count => Ok(Some(self.page.count.unwrap_or_default().to_string().into_bytes())),
            Target::Collection => self.collection().map(Some),
            Target::Entity(_) => self.entity(),
            Target::Property { column, raw, .. } => self.property(*column, *raw),
        }
    }

    fn set(&self) -> &Set {
        let set = &self.feed.sets[self.query.set];
        self.query.apply.as_ref().map_or(set, |apply| &apply.result)
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
            _ => shown::shape(&self.feed, self.set(), &self.query, is_grouped),
        };
        context_url::write(&self.root, resource, &shape, self.version)
    }

    fn shown(&self) -> ShownRows<'_> {
        let place = Place { feed: &self.feed, root: &self.root };
        ShownRows::new(place, self.set(), &self.query, self.page.frames.first(), &self.page.expansions)
    }

    fn collection(&self) -> Result<Vec<u8>, BridgeError> {
        let url = self.context_url(match self.query.references {
            true => Resource::References,
            false => Resource::Collection(&self.set().name),
        });
        let context = self.context(&url);
        let mut body = Vec::new();
        payload::write_collection_start(&mut body, &context, self.page.count.filter(|_| self.query.count));
        let shown = self.shown();
        for (number, frame) in self.page.frames.iter().enumerate() {
            shown.output(&frame.batch, &mut |output| {
                payload::write_rows(&mut body, &context, output, 0..frame.row_count(), number == 0)
            })?;
        }
        payload::write_collection_end(&mut body, &context, self.next_link.as_deref());
        Ok(body)
    }

    /// The row that the path names. There is nothing to show where a way leads nowhere; a key that no row has is an error.
    fn row(&self) -> Result<Option<&Frame>, BridgeError> {
        let by_way = self.query.origin.is_some()
            && matches!(&self.query.target, Target::Entity(key) | Target::Property { key, .. } if key.is_empty());
        match self.page.frames.first() {
            Some(frame) => Ok(Some(frame)),
            None if by_way => Ok(None),
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
        let properties = shown::properties(self.set(), &self.query, Some(frame), &[column]);
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
            [] => String::new(),
            [only] => format!("({})", value(only)),
            several => {
                let part = |column: &usize| format!("{}={}", set.columns[*column].name, value(column));
                format!("({})", several.iter().map(part).collect::<Vec<_>>().join(","))
            }
        }
    }
}
