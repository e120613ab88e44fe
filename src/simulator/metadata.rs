//! What the simulator knows before any figure, read from `metadata/simulator/tables.json` once and checked.
//!
//! Knows the file's format; everything after it sees resolved tables only.

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

use serde::Deserialize;

use super::areas::{Areas, AreasError};
use super::hierarchy::{Hierarchy, HierarchyError, Level};
use super::tables::{Dimension, Measure, PeriodRange, Pin, RowOrder, Subject, Table, Update};

pub const TABLES: &str = include_str!("../../metadata/simulator/tables.json");

/// The metadata that the simulator carries does not hang together.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    #[error("metadata/simulator/{file} is no valid JSON: {source}")]
    Json { file: &'static str, source: serde_json::Error },
    #[error(transparent)]
    Hierarchy(#[from] HierarchyError),
    #[error(transparent)]
    Areas(#[from] AreasError),
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

/// Everything that the simulator knows before any figure.
#[derive(Debug)]
pub struct Metadata {
    pub subjects: Vec<Subject>,
    pub tables: Vec<Table>,
    pub places: Areas,
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
        let places = Areas::read()?;
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
    made_up: Vec<String>,
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

impl RawTable {
    fn resolve(self, dimensions: &[RawDimension], places: &Areas) -> Result<Table, MetadataError> {
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
            if !range.is_consistent() {
                return Err(self.unknown("period type", range.kind().id()));
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

    fn area_dimension(&self, places: &Areas) -> Result<Dimension, MetadataError> {
        let mut hierarchies = Vec::new();
        for id in &self.areas {
            let hierarchy = places.hierarchy(id)?;
            hierarchies.push(hierarchy.ok_or_else(|| self.unknown("area hierarchy", id))?);
        }
        let made_up = vec!["member ids within _nykom and _reko".into(), "level ids".into()];
        Ok(Dimension { id: "_omrade".into(), name: self.area_heading.clone(), hierarchies, made_up })
    }
}

impl RawDimension {
    fn resolve(&self, lists_totals: bool) -> Result<Dimension, MetadataError> {
        let hierarchies =
            self.hierarchies.iter().map(|raw| raw.resolve(lists_totals)).collect::<Result<_, _>>()?;
        let made_up = self.made_up.clone();
        Ok(Dimension { id: self.id.clone(), name: self.name.clone(), hierarchies, made_up })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_json_holds_together() {
        let metadata = Metadata::get().unwrap();
        assert_eq!((metadata.subjects.len(), metadata.tables.len()), (24, 103));
        for table in &metadata.tables {
            assert!(table.dimensions.len() <= 8, "{}: a key has a byte for each dimension", table.id);
            let mut names: Vec<_> = table.dimensions.iter().map(|dimension| &dimension.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(
                names.len(),
                table.dimensions.len(),
                "{}: columns would be told apart by nothing",
                table.id
            );
            for hierarchy in table.dimensions.iter().flat_map(|dimension| &dimension.hierarchies) {
                assert!(hierarchy.nodes.len() <= 256, "{}: a key has a byte for each member", hierarchy.id);
                assert!(
                    hierarchy.nodes.iter().all(|node| !node.name.is_empty() || !hierarchy.has_total),
                    "{}",
                    hierarchy.id
                );
            }
            for dimension in &table.dimensions[1..] {
                assert_eq!(
                    dimension.hierarchies.len(),
                    1,
                    "{}: keys know one hierarchy of {}",
                    table.id,
                    dimension.id
                );
                let shares: f64 = dimension.hierarchies[0]
                    .nodes
                    .iter()
                    .filter(|node| node.depth == 1)
                    .map(|node| node.share)
                    .sum();
                assert!(
                    (0.5..=1.06).contains(&shares),
                    "{} of {}: shares come to {shares}",
                    dimension.id,
                    table.id
                );
            }
            assert!(table.made_up.iter().any(|part| part == "table group"), "{}", table.id);
        }
    }

    #[test]
    fn a_pinned_dimension_and_member_exist() {
        let metadata = Metadata::get().unwrap();
        for table in &metadata.tables {
            let Some(pin) = &table.pinned else { continue };
            let dimension = table.dimensions.iter().find(|dimension| dimension.id == pin.dimension).unwrap();
            assert!(dimension.hierarchies[0].position(&pin.member).is_some(), "{}", table.id);
        }
    }

    #[test]
    fn broken_tables_are_refused() {
        let raw: RawMetadata = serde_json::from_str(TABLES).unwrap();
        let places = Areas::read().unwrap();
        let broken = |change: fn(&mut RawTable)| {
            let mut table = serde_json::from_str::<RawMetadata>(TABLES).unwrap().tables.swap_remove(0);
            change(&mut table);
            table.resolve(&raw.dimensions, &places).unwrap_err().to_string()
        };
        assert!(broken(|table| table.measures.clear()).ends_with("has no measures"));
        assert!(broken(|table| table.areas = vec!["_rar".into()]).contains("area hierarchy _rar"));
        assert!(broken(|table| table.dimensions.push("_x".into())).contains("dimension _x"));
        assert!(broken(|table| table.measures[0].at_most = Some(99)).contains("measure number 99"));
        assert!(broken(|table| table.measures[0].at_most = Some(0)).contains("measure in a circle"));
        assert!(broken(|table| table.measures[1].id = table.measures[0].id.clone()).contains("occurs twice"));
    }
}
