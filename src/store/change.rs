//! Compares a block with the earlier blocks that have the same cells.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::{Array, Decimal128Array};
use arrow_schema::{ArrowError, DataType};

use crate::catalogue::dimension::is_unknown;
use crate::catalogue::id::{DimensionId, MeasureId, MemberId, PeriodId};
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
        earlier: &[(CellKey, SharedBlock)],
    ) -> Result<Self, ArrowError> {
        let mut pairs = Vec::with_capacity(earlier.len());
        for (held, block) in earlier {
            pairs.push((later.restricted(held)?, block.restricted(key)?));
        }
        let names = id_columns(later);
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
            let mut differing = differing(before, after);
            differing.retain(|cell, _| {
                said(&earlier[index].0, cell) && !newer.iter().any(|(held, _)| said(held, cell))
            });
            within_revision |= before.revision == later.revision && !differing.is_empty();
            changed.append(&mut differing);
        }
        Ok(Self::of(changed, &names, within_revision))
    }

    fn of(changed: Cells<'_>, names: &[&str], within_revision: bool) -> Self {
        let mut changes = Self { within_revision, ..Self::default() };
        for ((place, measure), (before, after)) in changed {
            let period = PeriodId::from(place.first().copied().unwrap_or_default());
            let (before, after) = (before.flatten(), after.flatten());
            if before != after && changes.figures.len() < LISTED {
                let members = names.iter().zip(&place).skip(1);
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
        members => members.is_some_and(|members| members.contains(*id)),
    };
    place.first().is_some_and(|period| held.periods.contains(*period))
        && held.measures.contains(measure)
        && names.iter().zip(place).skip(1).all(member)
}

/// The names of the columns of ids, the period's first.
fn id_columns(block: &CellBlock) -> Vec<&str> {
    let fields = block.cells.schema_ref().fields().iter();
    let ids = fields.filter(|field| matches!(field.data_type(), DataType::Dictionary(..)));
    let others = ids.map(|field| field.name().as_str()).filter(|name| *name != PERIOD_COLUMN);
    [PERIOD_COLUMN].into_iter().chain(others).collect()
}

/// The cells that differ between two blocks, for the measures that both have.
fn differing<'a>(before: &'a Arc<CellBlock>, after: &'a Arc<CellBlock>) -> Cells<'a> {
    let names = id_columns(after);
    let measures: Vec<(&str, &Decimal128Array, &Decimal128Array)> = measure_names(after)
        .filter_map(|name| Some((name, figures(before, name)?, figures(after, name)?)))
        .collect();
    let mut old: HashMap<Vec<&str>, usize> =
        (0..before.row_count()).map(|row| (place(before, &names, row), row)).collect();
    let mut differing = Cells::new();
    for row in 0..after.row_count() {
        let place = place(after, &names, row);
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
    let ids: BTreeSet<&str> = id_columns(block).into_iter().collect();
    let names = block.cells.schema_ref().fields().iter().map(|field| field.name().as_str());
    names.filter(move |name| !ids.contains(name))
}

fn figures<'a>(block: &'a CellBlock, measure: &str) -> Option<&'a Decimal128Array> {
    block.cells.column_by_name(measure)?.as_primitive_opt::<Decimal128Type>()
}

fn figure(figures: &Decimal128Array, row: usize) -> Option<i128> {
    figures.is_valid(row).then(|| figures.value(row))
}

fn place<'a>(block: &'a CellBlock, names: &[&str], row: usize) -> Vec<&'a str> {
    let id = |name: &&str| block.ids(name).and_then(|column| text_at(column, row)).unwrap_or_default();
    names.iter().map(id).collect()
}
