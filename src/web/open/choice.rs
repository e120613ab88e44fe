//! Choices as addresses name them, read against their feeds.

use percent_encoding::percent_decode_str;

use crate::answer::Resource;
use crate::answer::error::BridgeError;
use crate::budget::work::Work;
use crate::catalogue::measure::NotAdditive;
use crate::feed::column::{Fact, MemberFact};
use crate::feed::set_names::CUBE;
use crate::feed::{Feed, RowSource, Set};
use crate::odata::edm::AnnotationValue;
use crate::odata::uri;
use crate::open::project::{Figure, KEYS, ModelTable};
use crate::open::{Choice, OpenError};
use crate::query::BoundQuery;
use crate::web::download::{self, FileSource};
use crate::web::state::AppState;

/// Options that have no part in a query that is sent again: the columns are pinned by a step of their own.
const LEFT_OUT: [&str; 3] = ["$select", "$count", "$schemaversion"];

const COMPUTED: &str = "Broen har beregnet kolonnen ud fra andre. Må ikke lægges sammen.";

/// Makes files of choices for one request.
pub(super) struct Opener<'a> {
    pub state: &'a AppState,
    /// Scheme, host and path of this service, without a slash at the end.
    pub root: &'a str,
    /// Its memory counts together, whatever it reads.
    pub work: Work,
}

/// A choice, and what is known of it before its rows are read.
pub(super) struct Chosen {
    pub choice: Choice,
    pub description: String,
    pub figures: Vec<Figure>,
    pub source: FileSource,
    pub query: BoundQuery,
}

impl Opener<'_> {
    /// The choice of a set with these raw options.
    pub async fn choose(&self, table: &str, set: &str, options: &str) -> Result<Chosen, BridgeError> {
        let state = self.state;
        let feed = state.feeds.table(table).await?;
        let source = FileSource::new(state, &self.work, feed, set, options);
        let check = |resource: &Resource<'_>| Ok(download::holds_rows(resource, set)?.clone());
        let (query, _) = state.answerer.bind(&source.request(None), check)?;
        let feed = &source.feed;
        let result = query.result(feed);
        let columns = query.shown(result).into_iter();
        let columns = columns.filter_map(|column| download::file_column(result, &query, column)).collect();
        let original = feed.sets.get(query.set).unwrap_or(result);
        let choice = Choice {
            title: original.title.clone(),
            table: table.to_uppercase(),
            service: format!("{}/odata/jobindsats/{}/", self.root, table.to_lowercase()),
            set: original.name.clone(),
            options: kept_options(options)?,
            columns,
        };
        let description = feed.schema.description().unwrap_or_default().to_owned();
        let figures = figures(feed, original, &choice);
        Ok(Chosen { choice, description, figures, query, source })
    }
}

impl Chosen {
    /// The choice as a table of a model, with the columns of its relationships even where they are not shown.
    ///
    /// # Errors
    /// When the set has other codes than the tables that it would relate to.
    pub fn into_table(mut self) -> Result<ModelTable, OpenError> {
        let (feed, query) = (&self.source.feed, &self.query);
        let result = query.result(feed);
        let set = feed.sets.get(query.set).unwrap_or(result);
        if set.columns.iter().any(|column| column.fact == Fact::Value) {
            return Err(OpenError::OnlyCodes { set: set.name.clone(), instead: CUBE });
        }
        let dimensions = dimensions(set, &self.choice);
        for key in KEYS {
            let columns = &mut self.choice.columns;
            if columns.iter().all(|column| column.name != key) {
                let added = result.columns.iter().position(|column| column.name == key);
                columns.extend(added.and_then(|column| download::file_column(result, query, column)));
            }
        }
        let Self { choice, description, figures, .. } = self;
        Ok(ModelTable { choice, description, figures, dimensions })
    }
}

/// The values of a query option that is none of the system's.
pub(super) fn values(options: &str, name: &str) -> Result<Vec<String>, BridgeError> {
    let pairs = options.split('&').filter_map(|piece| piece.split_once('='));
    let values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| {
        let value = percent_decode_str(value).decode_utf8().map_err(|_| OpenError::NoChoice)?;
        Ok(value.into_owned())
    });
    values.collect()
}

fn kept_options(options: &str) -> Result<Vec<(String, String)>, BridgeError> {
    let mut kept = uri::content_options(options)?;
    kept.retain(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
    Ok(kept)
}

/// The shown columns that hold figures, also of all measures at once and what is computed from figures.
fn figures(feed: &Feed, set: &Set, choice: &Choice) -> Vec<Figure> {
    let RowSource::Cells(source) = &set.rows else { return Vec::new() };
    let figure = |name: &str| {
        let column = set.columns.iter().find(|column| column.name == name);
        let measure = match column.map(|column| column.fact) {
            Some(Fact::Measure(index)) => source.measurement.measures.get(index),
            _ => None,
        };
        Figure {
            column: name.to_owned(),
            title: measure.map_or(name, |measure| &measure.heading).to_owned(),
            description: column.map_or(COMPUTED.to_owned(), |_| description(feed, set, name)),
            unit: measure.and_then(|measure| measure.unit),
            not_additive: measure.map_or(NotAdditive::Unknown, |measure| measure.additivity()),
        }
    };
    let fractional = choice.columns.iter().filter(|column| column.primitive.is_fractional());
    fractional.map(|column| figure(&column.name)).collect()
}

/// The shown columns with the members of breakdowns.
fn dimensions(set: &Set, choice: &Choice) -> Vec<String> {
    let RowSource::Cells(source) = &set.rows else { return Vec::new() };
    let is_breakdown = |name: &str| {
        let column = set.columns.iter().find(|column| column.name == name);
        let Some(Fact::Member(index, MemberFact::Label)) = column.map(|column| column.fact) else {
            return false;
        };
        source.measurement.area() != Some(index)
    };
    let names = choice.columns.iter().map(|column| &column.name);
    names.filter(|name| is_breakdown(name)).cloned().collect()
}

/// What the model says of a property.
fn description(feed: &Feed, set: &Set, property: &str) -> String {
    let property = feed.entity_type(set).and_then(|entity| entity.property(property));
    let annotations = property.map(|property| property.annotations.as_slice()).unwrap_or_default();
    let described = annotations.iter().find(|annotation| annotation.term == "Core.Description");
    match described.map(|annotation| &annotation.value) {
        Some(AnnotationValue::String(text)) => text.clone(),
        _ => String::new(),
    }
}
