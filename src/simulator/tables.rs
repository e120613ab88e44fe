//! The simulator's tables: what `metadata/simulator/` says of them, read once and checked.
//!
//! Knows subjects, tables, measures, dimensions and areas; knows no figures and no HTTP.

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

use serde::Deserialize;

use super::hierarchy::{Hierarchy, HierarchyError, Level};
use super::periods::{Period, PeriodType};
use super::places::{Places, PlacesError};

const TABLES: &str = include_str!("../../metadata/simulator/tables.json");

/// The metadata that the simulator carries does not hang together.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    #[error("metadata/simulator/{file} is no valid JSON: {source}")]
    Json { file: &'static str, source: serde_json::Error },
    #[error(transparent)]
    Hierarchy(#[from] HierarchyError),
    #[error(transparent)]
    Places(#[from] PlacesError),
    #[error("table {table} names {what} {name}, which does not exist")]
    Unknown { table: String, what: &'static str, name: String },
    #[error("{what} {name} occurs twice")]
    Twice { what: &'static str, name: String },
    #[error("table {table} has no {what}")]
    Empty { table: String, what: &'static str },
    #[error("metadata/simulator/figures.csv cannot be read: {0}")]
    Figures(#[from] csv::Error),
    #[error("figure of table {table}: {what} '{text}' is unknown")]
    Figure { table: String, what: &'static str, text: String },
}

/// A subject of the databank's menu.
#[derive(Clone, Debug, Deserialize)]
pub struct Subject {
    pub id: String,
    pub name: String,
    pub group: String,
    pub group_id: String,
    #[serde(default)]
    pub made_up: Vec<String>,
}

/// What sort of number a measure is, which decides how it is made up and hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// People, spells, cases: parts are smaller than their total, small ones are hidden.
    Count,
    /// Money: adds up like a count, never hidden, grows with the length of the period.
    Amount,
    /// Per cent, 0-100.
    Rate,
    /// A share, 0-1.
    Fraction,
    /// A mean, such as weeks or kroner per person.
    Average,
    /// Per cent still there after some weeks; falls from one measure to the next.
    Survival,
    /// One measure minus another.
    Difference,
    /// A municipality's place in a ranking.
    Rank,
}

/// One figure of a table.
#[derive(Clone, Debug, Deserialize)]
pub struct Measure {
    pub id: String,
    pub name: String,
    pub group: String,
    pub group_name: String,
    pub kind: Kind,
    /// The usual size for the whole country.
    pub level: f64,
    pub decimals: u32,
    /// Counts below this are hidden.
    pub floor: Option<i64>,
    /// The measure that this one never exceeds: full-time persons are at most as many as persons.
    pub at_most: Option<usize>,
    /// How many of the newest periods are not yet observable.
    #[serde(default)]
    pub lag: usize,
    /// What a difference is taken between.
    pub of: Option<[usize; 2]>,
    /// The dimension over whose members the percentages come to 100.
    pub adds_up_over: Option<String>,
}

/// When a table is updated.
#[derive(Clone, Debug, Deserialize)]
pub struct Update {
    pub freq: String,
    pub latest: chrono::NaiveDate,
    /// A scheduled date; empty for a table that is no longer updated.
    pub next: String,
}

/// A period type of a table and the periods it began with.
#[derive(Clone, Debug, Deserialize)]
pub struct PeriodRange {
    #[serde(rename = "type")]
    kind: String,
    first: Period,
    last: Period,
    /// The only numbers within a year that exist; empty: all.
    #[serde(default)]
    pub only: Vec<u32>,
}

impl PeriodRange {
    pub fn kind(&self) -> PeriodType {
        self.first.kind
    }

    /// The periods of the newest edition, oldest first.
    pub fn periods(&self) -> Vec<Period> {
        Period::range(self.first, self.last, &self.only)
    }
}

/// The member that a dimension must stand at for the figures to mean anything.
#[derive(Clone, Debug, Deserialize)]
pub struct Pin {
    pub dimension: String,
    pub member: String,
}

#[derive(Debug, Deserialize)]
struct RawMember {
    id: String,
    name: String,
    share: f64,
}

#[derive(Debug, Deserialize)]
struct RawLevel {
    id: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct RawHierarchy {
    id: String,
    name: String,
    total: Option<String>,
    levels: Vec<RawLevel>,
    members: Vec<RawMember>,
}

#[derive(Debug, Deserialize)]
struct RawDimension {
    id: String,
    name: String,
    hierarchies: Vec<RawHierarchy>,
}

#[derive(Debug, Deserialize)]
struct RawTable {
    id: String,
    title: String,
    subject: String,
    group: String,
    update: Update,
    periods: Vec<PeriodRange>,
    areas: Vec<String>,
    #[serde(default = "area_heading")]
    area_heading: String,
    dimensions: Vec<String>,
    pinned: Option<Pin>,
    lists_totals: bool,
    #[serde(default)]
    order: RowOrder,
    #[serde(default)]
    leaves_out_empty: bool,
    #[serde(default = "usual_season")]
    season: f64,
    #[serde(default)]
    area_shares: BTreeMap<String, f64>,
    measures: Vec<Measure>,
    made_up: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct RawMetadata {
    subjects: Vec<Subject>,
    dimensions: Vec<RawDimension>,
    tables: Vec<RawTable>,
}

fn area_heading() -> String {
    "Område".into()
}

fn usual_season() -> f64 {
    0.06
}

/// In which order a table delivers its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowOrder {
    #[default]
    ByPeriod,
    /// Dimension by dimension, the periods in odd blocks.
    ByDimension,
}

/// A theme to divide by. Areas are the first dimension of every table.
#[derive(Clone, Debug)]
pub struct Dimension {
    pub id: String,
    pub name: String,
    pub hierarchies: Vec<Hierarchy>,
}

/// A table as the simulator knows it before any edition of it.
#[derive(Debug)]
pub struct Table {
    pub id: String,
    pub title: String,
    pub subject: String,
    pub group: String,
    pub update: Update,
    pub periods: Vec<PeriodRange>,
    /// The area dimension first, then the named ones in the order of their columns.
    pub dimensions: Vec<Dimension>,
    pub pinned: Option<Pin>,
    pub order: RowOrder,
    /// Whether combinations without any figure have no row.
    pub leaves_out_empty: bool,
    /// How much the figures swing over a year.
    pub season: f64,
    /// What part of the country each place makes up here.
    pub place_shares: Vec<f64>,
    pub measures: Vec<Measure>,
    /// The parts that were filled in because nothing real was known.
    pub made_up: Vec<String>,
}

impl Table {
    pub fn measure_named(&self, heading: &str) -> Option<usize> {
        (0..self.measures.len()).find(|index| self.heading(*index) == heading)
    }

    /// The column heading of a measure: with its group in front when the group has several.
    pub fn heading(&self, measure: usize) -> String {
        let measure = &self.measures[measure];
        let fellows = self.measures.iter().filter(|other| other.group == measure.group).count();
        if fellows > 1 { format!("{}: {}", measure.group_name, measure.name) } else { measure.name.clone() }
    }

    pub fn dimension_named(&self, name: &str) -> Option<usize> {
        self.dimensions.iter().position(|dimension| dimension.name == name)
    }
}

/// Everything that the simulator knows before any figure.
#[derive(Debug)]
pub struct Metadata {
    pub subjects: Vec<Subject>,
    pub tables: Vec<Table>,
    pub places: Places,
}

impl Metadata {
    /// The metadata built into the program; read at the first call.
    pub fn get() -> Result<&'static Self, &'static MetadataError> {
        static METADATA: OnceLock<Result<Metadata, MetadataError>> = OnceLock::new();
        METADATA.get_or_init(Self::read).as_ref()
    }

    pub fn table(&self, id: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.id == id)
    }

    fn read() -> Result<Self, MetadataError> {
        let raw: RawMetadata = serde_json::from_str(TABLES)
            .map_err(|source| MetadataError::Json { file: "tables.json", source })?;
        let places = Places::read()?;
        let subjects: HashSet<_> = raw.subjects.iter().map(|subject| subject.id.as_str()).collect();
        unique("subject", raw.subjects.iter().map(|subject| &subject.id))?;
        unique("dimension", raw.dimensions.iter().map(|dimension| &dimension.id))?;
        unique("table", raw.tables.iter().map(|table| &table.id))?;
        let tables = raw
            .tables
            .into_iter()
            .map(|table| {
                if !subjects.contains(table.subject.as_str()) {
                    return Err(MetadataError::Unknown {
                        table: table.id,
                        what: "subject",
                        name: table.subject,
                    });
                }
                table.resolve(&raw.dimensions, &places)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { subjects: raw.subjects, tables, places })
    }
}

fn unique<'a>(what: &'static str, ids: impl Iterator<Item = &'a String>) -> Result<(), MetadataError> {
    let mut seen = HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(MetadataError::Twice { what, name: id.clone() });
        }
    }
    Ok(())
}

impl RawTable {
    fn resolve(self, dimensions: &[RawDimension], places: &Places) -> Result<Table, MetadataError> {
        self.check()?;
        let mut resolved = vec![self.area_dimension(places)?];
        for id in &self.dimensions {
            let raw = dimensions.iter().find(|dimension| dimension.id == *id);
            let raw = raw.ok_or_else(|| self.unknown("dimension", id))?;
            resolved.push(raw.resolve(self.lists_totals)?);
        }
        Ok(Table {
            place_shares: places.shares(&self.id, &self.area_shares),
            id: self.id,
            title: self.title,
            subject: self.subject,
            group: self.group,
            update: self.update,
            periods: self.periods,
            dimensions: resolved,
            pinned: self.pinned,
            order: self.order,
            leaves_out_empty: self.leaves_out_empty,
            season: self.season,
            measures: self.measures,
            made_up: self.made_up,
        })
    }

    fn unknown(&self, what: &'static str, name: &str) -> MetadataError {
        MetadataError::Unknown { table: self.id.clone(), what, name: name.into() }
    }

    fn check(&self) -> Result<(), MetadataError> {
        unique("measure", self.measures.iter().map(|measure| &measure.id))?;
        let sizes =
            [("measures", self.measures.len()), ("periods", self.periods.len()), ("areas", self.areas.len())];
        if let Some((what, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(MetadataError::Empty { table: self.id.clone(), what });
        }
        for index in 0..self.measures.len() {
            self.check_references(index)?;
        }
        for range in &self.periods {
            if PeriodType::from_id(&range.kind) != Some(range.first.kind)
                || range.last.kind != range.first.kind
            {
                return Err(self.unknown("period type", &range.kind));
            }
        }
        Ok(())
    }

    /// A measure may lean on others, but not in the end on itself.
    fn check_references(&self, measure: usize) -> Result<(), MetadataError> {
        let mut waiting = vec![measure];
        for _ in 0..=self.measures.len() {
            let leans_on = |index: usize| {
                let measure = self
                    .measures
                    .get(index)
                    .ok_or_else(|| self.unknown("measure number", &index.to_string()));
                measure.map(|measure| measure.at_most.into_iter().chain(measure.of.into_iter().flatten()))
            };
            waiting = waiting
                .into_iter()
                .map(leans_on)
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect();
            if waiting.is_empty() {
                return Ok(());
            }
        }
        Err(self.unknown("measure in a circle", &self.measures[measure].id))
    }

    fn area_dimension(&self, places: &Places) -> Result<Dimension, MetadataError> {
        let mut hierarchies = Vec::new();
        for id in &self.areas {
            let hierarchy = places.hierarchy(id)?;
            hierarchies.push(hierarchy.ok_or_else(|| self.unknown("area hierarchy", id))?);
        }
        Ok(Dimension { id: "_omrade".into(), name: self.area_heading.clone(), hierarchies })
    }
}

impl RawDimension {
    fn resolve(&self, lists_totals: bool) -> Result<Dimension, MetadataError> {
        let hierarchies =
            self.hierarchies.iter().map(|raw| raw.resolve(lists_totals)).collect::<Result<_, _>>()?;
        Ok(Dimension { id: self.id.clone(), name: self.name.clone(), hierarchies })
    }
}

impl RawHierarchy {
    fn resolve(&self, lists_totals: bool) -> Result<Hierarchy, MetadataError> {
        let levels = self
            .levels
            .iter()
            .map(|level| Level { id: level.id.clone(), name: level.name.clone() })
            .collect();
        let mut hierarchy =
            Hierarchy::new(&self.id, &self.name, self.total.as_deref().unwrap_or_default(), levels);
        hierarchy.has_total = self.total.is_some();
        hierarchy.lists_total = hierarchy.has_total && lists_totals;
        for member in &self.members {
            hierarchy.add(&member.id, &member.name, member.share, None)?;
        }
        hierarchy.join_only_children();
        Ok(hierarchy)
    }
}
