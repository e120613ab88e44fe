//! The figures of one indicator: every area in every period, as published; the newest period, changes since earlier periods and
//! revisions. Refuses answers that are not plausible.

use std::collections::{HashMap, HashSet};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, DictionaryArray};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use crate::catalogue::area::AREA_DIMENSION;
use crate::catalogue::id::DimensionId;
use crate::catalogue::period::Period;
use crate::catalogue::value::{Figure, from_stored, to_stored};
use crate::indicators::quantity::{BaseUnit, Quantity};
use crate::indicators::resolve::{Area, ResolvedIndicator};
use crate::store::block::{CellBlock, PERIOD_COLUMN, SharedBlock};
use crate::store::change::{Changes, FigureChange};

/// Decimals that a percentage has at most.
const PERCENT_DECIMALS: u32 = 2;

/// Why an answer is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FiguresError {
    #[error("the answer has no column `{0}`")]
    MissingColumn(String),
    #[error("the column `{column}` holds `{found}`, which is not one of the table's")]
    UnknownMember { column: String, found: String },
    #[error("row {row} of the column `{column}` is empty")]
    EmptyMember { column: String, row: usize },
    #[error("row {row} holds a figure that is no decimal number")]
    NotANumber { row: usize },
    #[error("{area} has two different figures in {period}")]
    Contradiction { area: String, period: String },
    #[error("no figure is published in any of the {rows} rows")]
    NothingPublished { rows: usize },
    #[error("the figures do not look like {quantity}: {area} has {figure} in {period}")]
    Quantity { quantity: &'static str, area: String, period: String, figure: Decimal },
    #[error("only {found} rows came, fewer than half of the {kept} of last time")]
    TooFewRows { found: usize, kept: usize },
}

/// The earlier period that a change is measured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    PreviousPeriod,
    YearBefore,
}

impl Baseline {
    pub const ALL: [Self; 2] = [Self::PreviousPeriod, Self::YearBefore];

    /// The label's value.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::PreviousPeriod => "previous_period",
            Self::YearBefore => "year_before",
        }
    }

    fn sequence(self, period: &Period) -> Option<i64> {
        match self {
            Self::PreviousPeriod => Some(period.sequence()? - 1),
            Self::YearBefore => period.sequence_a_year_before(),
        }
    }
}

/// How a change is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeUnit {
    /// As a share of the earlier figure.
    Ratio,
    /// In percentage points, for shares: people say that 3.3 per cent are 0.3 points more than 3.0, not ten per cent.
    Points,
}

impl ChangeUnit {
    pub const ALL: [Self; 2] = [Self::Ratio, Self::Points];

    /// The end of the metric's name.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Ratio => "change_ratio",
            Self::Points => "change_points",
        }
    }

    /// Whether changes of such figures are measured so.
    #[must_use]
    pub fn fits(self, quantity: Quantity) -> bool {
        self == Self::Ratio || quantity.base() == BaseUnit::Ratio
    }
}

/// Every published figure of one indicator.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// The measure's heading as the table has it.
    pub measure: String,
    /// The newest first.
    pub periods: Vec<Period>,
    /// By level, then by code.
    pub areas: Vec<Area>,
    /// For each area its figures in the order of `periods`; `None` is a figure that is not published.
    pub(super) values: Vec<Figure>,
    /// How many rows the answer had.
    pub rows: usize,
    /// The table's update date that the figures belong to; the oldest of several blocks.
    pub update_latest: Option<NaiveDate>,
    /// When they were fetched; the oldest of several blocks.
    pub read_at: DateTime<Utc>,
}

impl Figures {
    /// Collects the figures from the blocks of a refresh.
    pub fn assemble(resolved: &ResolvedIndicator, blocks: &[SharedBlock]) -> Result<Self, FiguresError> {
        let periods: Vec<_> = (resolved.selection.periods.iter())
            .filter_map(|&index| resolved.measurement.periods.get(index).cloned())
            .collect();
        let cells = resolved.areas.len() * periods.len();
        let mut figures = Self {
            measure: resolved.measurement.measures[resolved.measure].heading.clone(),
            periods,
            areas: resolved.areas.clone(),
            values: vec![None; cells],
            rows: blocks.iter().map(|block| block.row_count()).sum(),
            update_latest: blocks.iter().map(|block| block.revision.update_latest).min().flatten(),
            read_at: blocks.iter().map(|block| block.fetched_at).min().unwrap_or_default(),
        };
        let mut seen = HashSet::new();
        for block in blocks {
            figures.take(resolved, block, &mut seen)?;
        }
        if figures.newest().is_none() {
            return Err(FiguresError::NothingPublished { rows: figures.rows });
        }
        match figures.contradicting(resolved.quantity) {
            Some(error) => Err(error),
            None => Ok(figures),
        }
    }

    /// The first figure that cannot be of that quantity. A fraction is at most 1. Percentages have one decimal and counts none, so
    /// that figures which are all up to 1, with more decimals, are fractions.
    fn contradicting(&self, quantity: Quantity) -> Option<FiguresError> {
        let published = || (0..self.values.len()).filter_map(|cell| Some((cell, self.values[cell]?)));
        let are_small = || published().all(|(_, figure)| figure <= Decimal::ONE);
        let is_fine = |figure: Decimal| figure.normalize().scale() > PERCENT_DECIMALS;
        let wrong = match quantity {
            Quantity::Fraction => published().find(|(_, figure)| *figure > Decimal::ONE),
            Quantity::Percent | Quantity::Persons | Quantity::FullTimePersons | Quantity::Spells => {
                published().find(|(_, figure)| is_fine(*figure)).filter(|_| are_small())
            }
            Quantity::Weeks | Quantity::Days | Quantity::Kroner | Quantity::Value => None,
        };
        wrong.map(|(cell, figure)| {
            let (area, period) = (cell / self.periods.len(), cell % self.periods.len());
            FiguresError::Quantity {
                quantity: quantity.word(),
                area: self.areas[area].name.clone(),
                period: self.periods[period].id.to_string(),
                figure,
            }
        })
    }

    /// Refuses an answer with fewer than half of the rows of last time.
    pub fn plausible_after(&self, kept: &Self) -> Result<(), FiguresError> {
        if self.rows * 2 < kept.rows {
            return Err(FiguresError::TooFewRows { found: self.rows, kept: kept.rows });
        }
        Ok(())
    }

    /// The figure of an area in a period, both by index.
    #[must_use]
    pub fn figure(&self, area: usize, period: usize) -> Figure {
        self.values.get(area * self.periods.len() + period).copied().flatten()
    }

    /// Index of the newest period in which any area has a figure.
    #[must_use]
    pub fn newest(&self) -> Option<usize> {
        (0..self.periods.len()).find(|&period| self.published(period) > 0)
    }

    /// How many areas have a figure in a period.
    #[must_use]
    pub fn published(&self, period: usize) -> usize {
        (0..self.areas.len()).filter(|&area| self.figure(area, period).is_some()).count()
    }

    /// For each period the index of the one that its change is measured from, if the table has it.
    #[must_use]
    pub fn baselines(&self, baseline: Baseline) -> Vec<Option<usize>> {
        let indexes: HashMap<_, _> = (self.periods.iter().enumerate())
            .rev()
            .filter_map(|(index, period)| Some((period.sequence()?, index)))
            .collect();
        let of = |period: &Period| indexes.get(&baseline.sequence(period)?).copied();
        self.periods.iter().map(of).collect()
    }

    /// The change of an area's figure; `None` where either figure is missing, and in a ratio where the earlier one is zero.
    #[must_use]
    pub fn change(
        &self,
        area: usize,
        (period, baseline): (usize, usize),
        (unit, quantity): (ChangeUnit, Quantity),
    ) -> Option<Decimal> {
        let (now, before) = (self.figure(area, period)?, self.figure(area, baseline)?);
        let difference = now.checked_sub(before)?;
        match unit {
            ChangeUnit::Ratio => difference.checked_div(before),
            ChangeUnit::Points => quantity.in_base_unit(difference).checked_mul(Decimal::ONE_HUNDRED),
        }
    }

    /// What changed in the periods that had been published before.
    #[must_use]
    pub fn changes_since(&self, kept: &Self, resolved: &ResolvedIndicator) -> Changes {
        let areas: HashMap<_, _> =
            kept.areas.iter().enumerate().map(|(index, area)| (&area.member, index)).collect();
        let periods: HashMap<_, _> = (kept.periods.iter().enumerate())
            .filter(|(index, _)| kept.published(*index) > 0)
            .map(|(index, period)| (&period.id, index))
            .collect();
        let mut changes = Changes::default();
        for (now, period) in self.periods.iter().enumerate() {
            let Some(then) = periods.get(&period.id) else { continue };
            for (index, area) in self.areas.iter().enumerate() {
                let Some(kept_index) = areas.get(&area.member) else { continue };
                let (before, after) = (kept.figure(*kept_index, *then), self.figure(index, now));
                if before != after {
                    *changes.periods.entry(period.id.clone()).or_default() += 1;
                    changes.figures.push(FigureChange {
                        period: period.id.clone(),
                        members: resolved.members(area),
                        measure: resolved.measurement.measures[resolved.measure].id.clone(),
                        before: before.and_then(to_stored),
                        after: after.and_then(to_stored),
                    });
                }
            }
        }
        changes
    }

    fn take(
        &mut self,
        resolved: &ResolvedIndicator,
        block: &CellBlock,
        seen: &mut HashSet<usize>,
    ) -> Result<(), FiguresError> {
        let measure = &resolved.measurement.measures[resolved.measure].id;
        let stored =
            block.figures(measure).ok_or_else(|| FiguresError::MissingColumn(measure.to_string()))?;
        let periods = self.period_lookup(block)?;
        let areas = self.area_lookup(block)?;
        for row in 0..block.row_count() {
            let cell = areas.at(row)? * self.periods.len() + periods.at(row)?;
            let figure = if stored.is_null(row) {
                None
            } else {
                Some(from_stored(stored.value(row)).ok_or(FiguresError::NotANumber { row })?)
            };
            if !seen.insert(cell) && self.values[cell] != figure {
                return Err(self.contradiction(cell));
            }
            self.values[cell] = figure;
        }
        Ok(())
    }

    fn period_lookup<'a>(&self, block: &'a CellBlock) -> Result<Lookup<'a>, FiguresError> {
        let column = block.periods().ok_or_else(|| FiguresError::MissingColumn(PERIOD_COLUMN.to_owned()))?;
        Ok(Lookup::new(PERIOD_COLUMN, column, |id| {
            self.periods.iter().position(|period| period.id.as_str() == id)
        }))
    }

    /// Indexes of areas. A block without an area column is about the whole country.
    fn area_lookup<'a>(&self, block: &'a CellBlock) -> Result<Lookup<'a>, FiguresError> {
        match block.members(&DimensionId::from(AREA_DIMENSION)) {
            Some(column) => Ok(Lookup::new(AREA_DIMENSION, column, |id| {
                self.areas.iter().position(|area| area.member.as_str() == id)
            })),
            None if self.areas.len() == 1 => Ok(Lookup::Always(0)),
            None => Err(FiguresError::MissingColumn(AREA_DIMENSION.to_owned())),
        }
    }

    fn contradiction(&self, cell: usize) -> FiguresError {
        let (area, period) = (cell / self.periods.len(), cell % self.periods.len());
        FiguresError::Contradiction {
            area: self.areas[area].name.clone(),
            period: self.periods[period].id.to_string(),
        }
    }
}

/// Indexes for the ids of a column; each distinct id is looked up once.
enum Lookup<'a> {
    Always(usize),
    Column { name: &'static str, column: &'a DictionaryArray<Int32Type>, indexes: Vec<Option<usize>> },
}

impl<'a> Lookup<'a> {
    fn new(
        name: &'static str,
        column: &'a DictionaryArray<Int32Type>,
        find: impl Fn(&str) -> Option<usize>,
    ) -> Self {
        let texts = column.values().as_string_opt::<i32>();
        let indexes = texts.map(|texts| texts.iter().map(|id| find(id?)).collect()).unwrap_or_default();
        Self::Column { name, column, indexes }
    }

    fn at(&self, row: usize) -> Result<usize, FiguresError> {
        match self {
            Self::Always(index) => Ok(*index),
            Self::Column { name, column, indexes } => {
                let empty = || FiguresError::EmptyMember { column: (*name).to_owned(), row };
                let key = column.key(row).ok_or_else(empty)?;
                indexes.get(key).copied().flatten().ok_or_else(|| FiguresError::UnknownMember {
                    column: (*name).to_owned(),
                    found: crate::store::block::text_at(column, row).unwrap_or_default().to_owned(),
                })
            }
        }
    }
}
