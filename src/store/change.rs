//! Compares a block with the earlier blocks that have the same cells.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow_array::{Array, Decimal128Array};
use arrow_schema::ArrowError;

use crate::catalogue::dimension::{TOTAL_ID, is_unknown};
use crate::catalogue::id::{DimensionId, MeasureId, MemberId, PeriodId};
use crate::store::StoredFigures;
use crate::store::block::{CellBlock, PERIOD_COLUMN, SharedBlock, text_at};
use crate::store::key::CellKey;

/// The most changes that are listed; further ones are only counted.
const LISTED: usize = 1000;

/// The differences between a block and earlier ones, in the cells that they share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Whether it differs from a block of its own revision.
    pub within_revision: bool,
    /// How many figures differ, period by period. A row that only one of two blocks has counts once for each measure.
    pub periods: BTreeMap<PeriodId, usize>,
    /// The first of those whose value changed.
    pub figures: Vec<FigureChange>,
}

/// A changed figure, in units of 10⁻¹⁸.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureChange {
    pub period: PeriodId,
    pub members: BTreeMap<DimensionId, MemberId>,
    pub measure: MeasureId,
    pub before: Option<i128>,
    pub after: Option<i128>,
}

/// A cell's figure; the outer `None` where there is no row.
type Cell = Option<Option<i128>>;
/// Cells by their row's ids and the name of their measure.
type Cells<'a> = BTreeMap<(Vec<&'a str>, &'a str), (Cell, Cell)>;

impl Changes {
    /// Compares a block with those that share cells with it, the newest first: each cell is compared with its newest earlier figure.
    ///
    /// # Errors
    /// When the columns are not those of a block.
    pub fn between(
        later: &SharedBlock,
        key: &CellKey,
        earlier: &[StoredFigures],
    ) -> Result<Self, ArrowError> {
        let mut pairs = Vec::with_capacity(earlier.len());
        for (held, block) in earlier {
            pairs.push((later.restricted(held)?, block.restricted(key)?));
        }
        let blocks = [later].into_iter().chain(earlier.iter().map(|(_, block)| block));
        let names: BTreeSet<&str> = blocks.flat_map(|block| block.id_columns()).collect();
        let others = names.into_iter().filter(|name| *name != PERIOD_COLUMN);
        let names: Vec<&str> = [PERIOD_COLUMN].into_iter().chain(others).collect();
        let mut changed = Cells::new();
        let mut within_revision = false;
        for (index, (after, before)) in pairs.iter().enumerate() {
            if after.cells == before.cells {
                continue;
            }
            let newer = &earlier[..index];
            let said = |held: &CellKey, (place, measure): &(Vec<&str>, &str)| {
                holds(held, key, &names, place, measure)
            };
            let mut differing = differing(before, after, &names);
            differing.retain(|cell, _| {
                said(&earlier[index].0, cell) && !newer.iter().any(|(held, _)| said(held, cell))
            });
            within_revision |= before.revision == later.revision && !differing.is_empty();
            changed.append(&mut differing);
        }
        Ok(Self::of(changed, &later.id_columns(), &names, within_revision))
    }

    /// Changes name the members of the dimensions that the later block has.
    fn of(changed: Cells<'_>, named: &[&str], names: &[&str], within_revision: bool) -> Self {
        let mut changes = Self { within_revision, ..Self::default() };
        for ((place, measure), (before, after)) in changed {
            let period = PeriodId::from(place.first().copied().unwrap_or_default());
            let (before, after) = (before.flatten(), after.flatten());
            if before != after && changes.figures.len() < LISTED {
                let members = names.iter().zip(&place).skip(1).filter(|(name, _)| named.contains(name));
                let member = |(name, id): (&&str, &&str)| (DimensionId::from(*name), MemberId::from(*id));
                changes.figures.push(FigureChange {
                    period: period.clone(),
                    members: members.map(member).collect(),
                    measure: MeasureId::from(measure),
                    before,
                    after,
                });
            }
            *changes.periods.entry(period).or_default() += 1;
        }
        changes
    }

    /// How many figures differ.
    #[must_use]
    pub fn count(&self) -> usize {
        self.periods.values().sum()
    }
}

/// Whether the block of one key has the cell of the block of a later key. Which unknown labels an answer has depends on the members
/// that were requested, so they are compared only between answers for the same members.
fn holds(held: &CellKey, later: &CellKey, names: &[&str], place: &[&str], measure: &str) -> bool {
    let member = |(name, id): (&&str, &&str)| match held.members.get(*name) {
        members if is_unknown(id) => members == later.members.get(*name),
        Some(members) => members.contains(*id),
        None => *id == TOTAL_ID,
    };
    place.first().is_some_and(|period| held.periods.contains(*period))
        && held.measures.contains(measure)
        && names.iter().zip(place).skip(1).all(member)
}

/// The cells of two blocks that are not alike, among the measures that both have.
fn differing<'a>(before: &'a CellBlock, after: &'a CellBlock, names: &[&str]) -> Cells<'a> {
    let measures: Vec<(&str, Decimal128Array, Decimal128Array)> = measure_names(after)
        .filter_map(|name| Some((name, before.figures_of(name)?, after.figures_of(name)?)))
        .collect();
    let mut old: HashMap<Vec<&str>, usize> =
        (0..before.row_count()).map(|row| (place(before, names, row), row)).collect();
    let mut differing = Cells::new();
    for row in 0..after.row_count() {
        let place = place(after, names, row);
        let old_row = old.remove(&place);
        for (name, old_figures, new_figures) in &measures {
            let (was, is) = (old_row.map(|row| figure(old_figures, row)), Some(figure(new_figures, row)));
            if was != is {
                differing.insert((place.clone(), *name), (was, is));
            }
        }
    }
    for (place, row) in old {
        for (name, old_figures, _) in &measures {
            differing.insert((place.clone(), *name), (Some(figure(old_figures, row)), None));
        }
    }
    differing
}

fn measure_names(block: &CellBlock) -> impl Iterator<Item = &str> {
    let ids: BTreeSet<&str> = block.id_columns().into_iter().collect();
    let names = block.cells.schema_ref().fields().iter().map(|field| field.name().as_str());
    names.filter(move |name| !ids.contains(name))
}

fn figure(figures: &Decimal128Array, row: usize) -> Option<i128> {
    figures.is_valid(row).then(|| figures.value(row))
}

/// The ids of a row; it stands at the total of a dimension that its block does not name.
fn place<'a>(block: &'a CellBlock, names: &[&str], row: usize) -> Vec<&'a str> {
    let id =
        |name: &&str| block.ids(name).map_or(TOTAL_ID, |column| text_at(column, row).unwrap_or_default());
    names.iter().map(id).collect()
}
