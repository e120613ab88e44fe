//! `/odata/`: the catalogue service and the services of the measurements.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::answer::{Page, Wishes};
use crate::error::BridgeError;
use crate::feed::{Feed, Set};
use crate::odata::context_url::{self, Resource, Shape};
use crate::odata::csdl;
use crate::odata::media_type::{self, Format, Kind, MetadataLevel, Negotiated};
use crate::odata::payload::{self, Identity, JsonContext, Output, OutputProperty};
use crate::odata::preference::{Applied, Preferences};
use crate::odata::uri::literal_text;
use crate::odata::uri::syntax::{PathSegment, RequestSyntax, SystemSegment};
use crate::odata::uri::{self, Limits};
use crate::odata::version::{self, Version};
use crate::query::{BoundQuery, Target, bind};
use crate::web::links;
use crate::web::respond::{self, ALLOW, Answered, joined};
use crate::web::state::AppState;

const ROOT: &str = "/odata";
const CATALOG: &str = "jobindsats";

/// Answers any request below `/odata/`.
pub async fn answer(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let version = match negotiated_version(&request) {
        Ok(version) => version,
        Err(error) => return respond::refuse(Version::V4, &error),
    };
    if *request.method() == Method::OPTIONS {
        return HttpResponse::NoContent()
            .insert_header((header::ALLOW, ALLOW))
            .insert_header(("OData-Version", version.header()))
            .finish();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return respond::refuse(version, &BridgeError::Method(request.method().to_string()));
    }
    match Call::new(&request, &state, version).answer().await {
        Ok(Some(answer)) => respond::send(&request, version, answer).await,
        Ok(None) => respond::no_content(version),
        Err(error) => respond::refuse(version, &error),
    }
}

/// There is nothing at this address.
pub async fn nothing(request: HttpRequest) -> HttpResponse {
    respond::refuse(Version::V4, &BridgeError::UnknownPath(request.path().to_owned()))
}

fn negotiated_version(request: &HttpRequest) -> Result<Version, BridgeError> {
    let value = |name: &'static str| joined(request.headers(), &HeaderName::from_static(name));
    Ok(version::negotiate(value("odata-maxversion").as_deref(), value("odata-version").as_deref())?)
}

/// One request and what it is answered with.
struct Call<'a> {
    state: &'a AppState,
    version: Version,
    base: String,
    /// The raw path below `/odata/`.
    path: &'a str,
    query: &'a str,
    accept: Option<String>,
    preferences: Preferences,
}

/// A service and where it stands.
struct Service {
    feed: Arc<Feed>,
    /// The absolute address, with its final slash.
    root: String,
}

impl<'a> Call<'a> {
    fn new(request: &'a HttpRequest, state: &'a AppState, version: Version) -> Self {
        let path = request.uri().path();
        let prefer = joined(request.headers(), &HeaderName::from_static("prefer")).unwrap_or_default();
        Self {
            state,
            version,
            base: links::base(request, state.public_url.as_deref()),
            path: path.strip_prefix(ROOT).unwrap_or(path).trim_start_matches('/'),
            query: request.uri().query().unwrap_or_default(),
            accept: joined(request.headers(), &header::ACCEPT),
            preferences: Preferences::parse(&prefer),
        }
    }

    async fn answer(&self) -> Result<Option<Answered>, BridgeError> {
        let (service, rest) = self.service().await?;
        let syntax = uri::parse_request(rest, self.query, &Limits::default())?;
        match syntax.path.segments.as_slice() {
            [] => self.service_document(&service, &syntax).map(Some),
            [PathSegment::System { name: SystemSegment::Metadata, .. }] => {
                self.metadata(&service, &syntax).map(Some)
            }
            [PathSegment::System { name: SystemSegment::Batch, .. }, ..] => Err(BridgeError::NotOffered {
                what: "$batch".to_owned(),
                reason: "requests are answered one at a time".to_owned(),
            }),
            _ => self.rows(&service, rest, syntax).await,
        }
    }

    /// The service that the path begins with, and the path below it.
    async fn service(&self) -> Result<(Service, &'a str), BridgeError> {
        let below = self.path.strip_prefix(CATALOG).and_then(|rest| rest.strip_prefix('/'));
        let Some(below) = below.filter(|below| !below.is_empty()) else {
            let root = format!("{}{ROOT}/", self.base);
            return Ok((Service { feed: self.state.feeds.catalogue(), root }, self.path));
        };
        let (table, rest) = below.split_once('/').unwrap_or((below, ""));
        let feed = self.state.feeds.table(table).await?;
        let root = format!("{}{ROOT}/{CATALOG}/{}/", self.base, table.to_lowercase());
        Ok((Service { feed, root }, rest))
    }

    fn negotiate(&self, syntax: &RequestSyntax, kind: Kind) -> Result<Negotiated, BridgeError> {
        Ok(media_type::negotiate(self.accept.as_deref(), syntax.options.format.as_deref(), kind)?)
    }

    fn context<'c>(&self, negotiated: &Negotiated, context_url: &'c str) -> JsonContext<'c> {
        JsonContext {
            version: self.version,
            metadata: negotiated.metadata,
            ieee754_compatible: negotiated.ieee754_compatible,
            omit_nulls: self.preferences.omit_nulls,
            context_url,
        }
    }

    fn service_document(&self, service: &Service, syntax: &RequestSyntax) -> Result<Answered, BridgeError> {
        let negotiated = self.negotiate(syntax, Kind::ServiceDocument)?;
        let url =
            context_url::write(&service.root, Resource::ServiceDocument, &Shape::default(), self.version);
        let mut body = Vec::new();
        payload::write_service_document(
            &mut body,
            &self.context(&negotiated, &url),
            &service.feed.schema.container,
        );
        Ok(Answered { content_type: negotiated.content_type, body, ..Answered::default() })
    }

    fn metadata(&self, service: &Service, syntax: &RequestSyntax) -> Result<Answered, BridgeError> {
        let negotiated = self.negotiate(syntax, Kind::Metadata)?;
        let annotations = self.preferences.wants_annotations();
        let body = match negotiated.format {
            Format::Json => csdl::json::write(&service.feed.schema, annotations)?,
            _ => csdl::xml::write(&service.feed.schema, annotations)?,
        };
        let applied = Applied { include_annotations: !annotations, ..Applied::default() };
        let preference_applied = self.preferences.applied(&applied);
        Ok(Answered {
            content_type: negotiated.content_type,
            body,
            preference_applied,
            ..Answered::default()
        })
    }

    async fn rows(
        &self,
        service: &Service,
        path: &str,
        mut syntax: RequestSyntax,
    ) -> Result<Option<Answered>, BridgeError> {
        let query = bind::bind(&service.feed, &syntax, self.state.clock.now())?;
        let negotiated = self.negotiate(&syntax, kind(&query))?;
        let explained = wants_plan(&syntax.options.custom)?;
        let skip_token = syntax.options.skiptoken.take();
        (syntax.options.format, syntax.options.custom) = (None, Vec::new());
        let wishes = Wishes {
            max_page_size: self.preferences.max_page_size,
            skip_token: skip_token.as_deref(),
            query_text: &format!("{} {syntax:?}", service.feed.schema.namespace),
        };
        if explained {
            let plan = self.state.answerer.explain(&service.feed, &query, &wishes).await?;
            let body = serde_json::to_vec_pretty(&plan).unwrap_or_default();
            let content_type = "application/json".to_owned();
            return Ok(Some(Answered { content_type, body, ..Answered::default() }));
        }
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
