//! Looks up a definition's names in its table: labels become indexes. A name that the table does not have is an error with the
//! closest name as a suggestion.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::catalogue::dimension::{Dimension, Member};
use crate::catalogue::id::{DimensionId, MeasurementId, MemberId, PeriodTypeId};
use crate::catalogue::label::comparable;
use crate::catalogue::measure::Measure;
use crate::catalogue::measurement::Measurement;
use crate::error::closest;
use crate::indicators::definition::{Definition, Definitions, IndicatorId};
use crate::indicators::quantity::{AreaLevel, Quantity};
use crate::plan::selection::{Members, Selection};

/// How many of the offered names an error lists when none is close.
const OFFERED_NAMED: usize = 6;
/// How many labels an error names that are nearest to a measure's.
const NEAREST_NAMED: usize = 3;

/// Why a definition does not fit its table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the indicator `{indicator}` on table `{table}`: {fault}")]
pub struct ResolveError {
    pub indicator: IndicatorId,
    pub table: String,
    pub fault: Fault,
}

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the databank has no such table; {0}")]
    Table(String),
    #[error("no measure is called {names}; {hint}")]
    Measure { names: String, hint: String },
    #[error("several measures are called {names}: name one by its heading or id, {headings}")]
    AmbiguousMeasure { names: String, headings: String },
    #[error("the measure `{measure}` is in {unit}, which is not `{quantity}`")]
    Unit { measure: String, unit: &'static str, quantity: &'static str },
    #[error("there are no periods of type `{name}`; {hint}")]
    PeriodType { name: String, hint: String },
    #[error("no dimension has the id `{name}`; {hint}")]
    Dimension { name: String, hint: String },
    #[error("the area is what an indicator is divided by; choose `levels`, not a member of `{0}`")]
    AreaChosen(String),
    #[error("the dimension `{dimension}` has no member `{name}`; {hint}")]
    Member { dimension: String, name: String, hint: String },
    #[error("the dimension `{dimension}` has no total: choose one of its members in `members`; {hint}")]
    NoTotal { dimension: String, hint: String },
    #[error("there are no areas of level `{level}`; the table has {offered}")]
    Level { level: &'static str, offered: String },
}

/// An indicator whose names were all found in its table.
#[derive(Debug, Clone)]
pub struct ResolvedIndicator {
    pub quantity: Quantity,
    pub measurement: Arc<Measurement>,
    /// Index of the measure in the measurement.
    pub measure: usize,
    /// All periods of the type, all areas of the levels.
    pub selection: Selection,
    /// The areas that become series: by level, then by code.
    pub areas: Vec<Area>,
}

/// An area that has a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    pub level: AreaLevel,
    pub member: MemberId,
    /// The official code, or the member's id where the list of codes does not have the area.
    pub code: String,
    pub name: String,
}

impl ResolvedIndicator {
    /// The members of an area's cells, without those of dimensions that are at their total.
    #[must_use]
    pub fn members(&self, area: &Area) -> BTreeMap<DimensionId, MemberId> {
        let dimensions = self.measurement.dimensions.iter().zip(&self.selection.members);
        let member = |(dimension, members): (&Dimension, &Members)| {
            let member = match members {
                _ if dimension.is_area() => area.member.clone(),
                Members::Named(chosen) => dimension.members.get(*chosen.first()?)?.id.clone(),
                Members::Unnamed | Members::AtTotal => return None,
            };
            Some((dimension.id.clone(), member))
        };
        dimensions.filter_map(member).collect()
    }
}

/// Looks up a definition's names in its table.
pub fn resolve(
    definition: &Arc<Definition>,
    measurement: &Arc<Measurement>,
) -> Result<ResolvedIndicator, ResolveError> {
    resolve_parts(definition, measurement).map_err(|fault| failed(definition, fault))
}

/// All errors in definitions whose tables have been read.
#[must_use]
pub fn check(definitions: &Definitions, catalogue: &Catalogue) -> Vec<ResolveError> {
    definitions.iter().filter_map(|definition| check_one(definition, catalogue).err()).collect()
}

fn check_one(definition: &Arc<Definition>, catalogue: &Catalogue) -> Result<(), ResolveError> {
    if let Some(measurement) = catalogue.measurement(&definition.table) {
        return resolve(definition, measurement).map(|_| ());
    }
    if catalogue.heads.is_empty() || catalogue.head(&definition.table).is_some() {
        return Ok(());
    }
    let hint = hint(&definition.table, catalogue.heads.keys().map(MeasurementId::as_str));
    Err(failed(definition, Fault::Table(hint)))
}

fn failed(definition: &Definition, fault: Fault) -> ResolveError {
    ResolveError { indicator: definition.id.clone(), table: definition.table.clone(), fault }
}

fn resolve_parts(
    definition: &Arc<Definition>,
    measurement: &Arc<Measurement>,
) -> Result<ResolvedIndicator, Fault> {
    let measure = measure_index(definition, measurement)?;
    let periods = period_indexes(definition, measurement)?;
    refuse_unknown_dimensions(definition, measurement)?;
    let mut members = Vec::with_capacity(measurement.dimensions.len());
    let mut areas = Vec::new();
    for dimension in &measurement.dimensions {
        if dimension.is_area() {
            let chosen = area_indexes(definition, dimension)?;
            areas = areas_of(dimension, &chosen);
            members.push(Members::Named(chosen));
        } else {
            members.push(chosen_member(definition, dimension)?);
        }
    }
    let selection = Selection { periods, members, measures: vec![measure] };
    let quantity = definition.quantity;
    Ok(ResolvedIndicator { quantity, measurement: Arc::clone(measurement), measure, selection, areas })
}

fn measure_index(definition: &Definition, measurement: &Measurement) -> Result<usize, Fault> {
    let named: Vec<Vec<usize>> =
        definition.measure.iter().map(|name| measures_named(name, measurement)).collect();
    let index = match named.iter().find(|found| !found.is_empty()).map(Vec::as_slice) {
        Some([index]) => *index,
        Some(several) => {
            let heading = |index: &usize| format!("`{}`", measurement.measures[*index].heading);
            let headings = several.iter().map(heading).collect::<Vec<_>>().join(", ");
            return Err(Fault::AmbiguousMeasure { names: definition.measure.to_string(), headings });
        }
        None => {
            let headings: Vec<_> = measurement.measures.iter().map(|it| it.heading.as_str()).collect();
            let probable = hint(definition.measure.first(), headings.iter().copied());
            let hint = format!("{probable} Nearest are {}", nearest(definition.measure.iter(), &headings));
            return Err(Fault::Measure { names: definition.measure.to_string(), hint });
        }
    };
    let measure = &measurement.measures[index];
    let Some(unit) = measure.unit.filter(|unit| !definition.quantity.fits(*unit)) else {
        return Ok(index);
    };
    Err(Fault::Unit {
        measure: measure.heading.clone(),
        unit: unit.label(),
        quantity: definition.quantity.word(),
    })
}

/// The measures of that name: by id or heading, else by label. How a name is spelt does not matter.
fn measures_named(name: &str, measurement: &Measurement) -> Vec<usize> {
    let wanted = comparable(name);
    let that = |is_it: &dyn Fn(&Measure) -> bool| -> Vec<usize> {
        let measures = measurement.measures.iter().enumerate();
        measures.filter(|(_, measure)| is_it(measure)).map(|(index, _)| index).collect()
    };
    let tiers: [&dyn Fn(&Measure) -> bool; 4] = [
        &|measure| measure.id.as_str() == name.trim(),
        &|measure| comparable(&measure.heading) == wanted,
        &|measure| comparable(&measure.full_heading()) == wanted,
        &|measure| comparable(&measure.label) == wanted,
    ];
    tiers.into_iter().map(that).find(|found| !found.is_empty()).unwrap_or_default()
}

fn period_indexes(definition: &Definition, measurement: &Measurement) -> Result<Vec<usize>, Fault> {
    let wanted = PeriodTypeId::from(definition.period_type.as_str());
    let of_type = measurement.periods.iter().enumerate().filter(|(_, period)| period.type_id == wanted);
    let indexes: Vec<_> = of_type.map(|(index, _)| index).collect();
    if !indexes.is_empty() {
        return Ok(indexes);
    }
    let offered = measurement.period_types.iter().map(|period_type| period_type.id.as_str());
    Err(Fault::PeriodType {
        name: definition.period_type.clone(),
        hint: hint(&definition.period_type, offered),
    })
}

fn refuse_unknown_dimensions(definition: &Definition, measurement: &Measurement) -> Result<(), Fault> {
    for name in definition.members.keys() {
        match measurement.dimensions.iter().find(|dimension| dimension.id.as_str() == name) {
            Some(dimension) if dimension.is_area() => return Err(Fault::AreaChosen(name.clone())),
            Some(_) => {}
            None => {
                let offered = measurement.dimensions.iter().filter(|dimension| !dimension.is_area());
                let hint = hint(name, offered.map(|dimension| dimension.id.as_str()));
                return Err(Fault::Dimension { name: name.clone(), hint });
            }
        }
    }
    Ok(())
}

fn chosen_member(definition: &Definition, dimension: &Dimension) -> Result<Members, Fault> {
    let chosen = match definition.members.get(dimension.id.as_str()) {
        Some(name) => member_index(dimension, name)?,
        None => dimension.default_member().ok_or_else(|| Fault::NoTotal {
            dimension: dimension.id.to_string(),
            hint: hint("", dimension.members.iter().map(|member| member.label.as_str())),
        })?,
    };
    Ok(named(dimension, vec![chosen]))
}

fn member_index(dimension: &Dimension, name: &str) -> Result<usize, Fault> {
    let wanted = comparable(name);
    let by_label = || dimension.members.iter().position(|member| member.comparable_label == wanted);
    dimension.member_index(name).or_else(by_label).ok_or_else(|| Fault::Member {
        dimension: dimension.id.to_string(),
        name: name.to_owned(),
        hint: hint(name, dimension.members.iter().map(|member| member.label.as_str())),
    })
}

/// The members as a selection; the total alone is not named in requests.
fn named(dimension: &Dimension, members: Vec<usize>) -> Members {
    match members.as_slice() {
        [only] if dimension.total() == Some(*only) => Members::Unnamed,
        _ => Members::Named(members),
    }
}

fn area_indexes(definition: &Definition, dimension: &Dimension) -> Result<Vec<usize>, Fault> {
    let has = |level: AreaLevel| dimension.members.iter().any(|member| member.area == Some(level.kind()));
    let offered: Vec<_> = AreaLevel::ALL.into_iter().filter(|level| has(*level)).collect();
    let wanted = if definition.levels.is_empty() { &offered } else { &definition.levels };
    if let Some(missing) = wanted.iter().find(|level| !offered.contains(level)) {
        let offered: Vec<_> = offered.iter().map(|level| level.word()).collect();
        return Err(Fault::Level { level: missing.word(), offered: listed(&offered) });
    }
    // Two areas of one name and code would be one series twice, for which Prometheus refuses the whole scrape.
    let mut series = HashSet::new();
    let is_wanted = |&index: &usize| {
        let member = &dimension.members[index];
        let level = level_of(member).filter(|level| wanted.contains(level));
        level.is_some_and(|level| series.insert((level, member.code, &member.label)))
    };
    Ok((0..dimension.members.len()).filter(is_wanted).collect())
}

fn level_of(member: &Member) -> Option<AreaLevel> {
    AreaLevel::ALL.into_iter().find(|level| member.area == Some(level.kind()))
}

fn areas_of(dimension: &Dimension, indexes: &[usize]) -> Vec<Area> {
    let members = indexes.iter().map(|&index| &dimension.members[index]);
    let mut areas: Vec<_> = members.filter_map(|member| Some(area_of(level_of(member)?, member))).collect();
    areas.sort_by(|a, b| (a.level, &a.code).cmp(&(b.level, &b.code)));
    areas
}

fn area_of(level: AreaLevel, member: &Member) -> Area {
    Area {
        level,
        member: member.id.clone(),
        code: member.code.map_or_else(|| member.id.to_string(), str::to_owned),
        name: member.label.clone(),
    }
}

/// A hint for the error: the closest name if one is close, otherwise some of the names.
fn hint<'a>(name: &str, offered: impl Iterator<Item = &'a str>) -> String {
    let offered: Vec<_> = offered.collect();
    match closest(name, offered.iter().copied()) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("it has {}", listed(&offered)),
    }
}

/// The offered names that are nearest to any of those that were looked for.
fn nearest<'a>(names: impl Iterator<Item = &'a str>, offered: &[&str]) -> String {
    let names: Vec<_> = names.map(comparable).collect();
    let distance = |other: &str| {
        let other = comparable(other);
        names.iter().map(|name| strsim::osa_distance(name, &other)).min().unwrap_or_default()
    };
    let mut sorted = offered.to_vec();
    sorted.sort_by_cached_key(|other| distance(other));
    sorted.truncate(NEAREST_NAMED);
    listed(&sorted)
}

fn listed(names: &[&str]) -> String {
    let mut text =
        names.iter().take(OFFERED_NAMED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(OFFERED_NAMED) {
        _ if names.is_empty() => "none".clone_into(&mut text),
        0 => {}
        more => text.push_str(&format!(" and {more} more")),
    }
    text
}
