//! Rows of a set as the body of an answer: bound, fetched, and written off the server's threads.

use std::sync::Arc;

use actix_web::web;

use super::call::{Call, Service};
use crate::answer::{Page, Wishes};
use crate::error::BridgeError;
use crate::feed::{Feed, Set};
use crate::odata::context_url::{self, Resource, Shape};
use crate::odata::media_type::{Format, Kind, MetadataLevel, Negotiated};
use crate::odata::payload::{self, Identity, JsonContext, Output, OutputProperty};
use crate::odata::preference::Applied;
use crate::odata::uri::literal_text;
use crate::odata::uri::syntax::RequestSyntax;
use crate::odata::version::Version;
use crate::query::{BoundQuery, Target, bind};
use crate::web::respond::Answered;

impl Call<'_> {
    pub(super) async fn rows(
        &self,
        service: &Service,
        path: &str,
        mut syntax: RequestSyntax,
    ) -> Result<Option<Answered>, BridgeError> {
        let query = bind::bind(&service.feed, &syntax, self.state.clock.now())?;
        let negotiated = self.negotiate(&syntax, kind(&query))?;
        let skip_token = syntax.options.skiptoken.take();
        (syntax.options.format, syntax.options.custom) = (None, Vec::new());
        let wishes = Wishes {
            max_page_size: self.preferences.max_page_size,
            skip_token: skip_token.as_deref(),
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
    /// The body, or `None` for a value that is null.
    fn body(&self) -> Result<Option<Vec<u8>>, BridgeError> {
        match &self.query.target {
            Target::Count => Ok(Some(self.page.count.unwrap_or_default().to_string().into_bytes())),
            Target::Collection => self.collection().map(Some),
            Target::Entity(_) => self.entity().map(Some),
            Target::Property { column, raw, .. } => self.property(*column, *raw),
        }
    }

    fn set(&self) -> &Set {
        &self.feed.sets[self.query.set]
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
        let names =
            self.query.select.iter().flatten().map(|&column| self.set().columns[column].name.as_str());
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

    fn collection(&self) -> Result<Vec<u8>, BridgeError> {
        let url = context_url::write(
            &self.root,
            Resource::Collection(&self.set().name),
            &self.shape(),
            self.version,
        );
        let context = self.context(&url);
        let mut body = Vec::new();
        payload::write_collection_start(&mut body, &context, self.page.count.filter(|_| self.query.count));
        let identity = EntityIdentity::of(self);
        let (properties, key) = (self.properties(&self.shown()), self.properties(&self.set().key));
        for (number, frame) in self.page.frames.iter().enumerate() {
            let identity = identity.as_ref().map(|identity| identity.of_key(&key));
            let output = Output {
                batch: &frame.batch,
                properties: &properties,
                expands: &[],
                identity,
                references: false,
            };
            payload::write_rows(&mut body, &context, &output, 0..frame.row_count(), number == 0)?;
        }
        payload::write_collection_end(&mut body, &context, self.next_link.as_deref());
        Ok(body)
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
