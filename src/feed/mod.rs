//! A measurement as a typed OData service: sets, columns, names, types. Pure: describes what can be read, and fetches nothing.
//!
//! [`table_feed`] and [`catalogue_feed`] define the two kinds of service. `figure_sets` defines the sets of figures, which [`set_names`]
//! names, `figure_columns` their columns, `codes` the lists, `aggregation` the annotations for `$apply`; `set_definition` makes the feed
//! and its schema from these definitions.

mod aggregation;
pub mod arrays;
pub mod axis_columns;
pub mod catalogue_feed;
mod codes;
pub mod column;
pub mod facts;
mod figure_columns;
mod figure_sets;
pub mod list;
mod listing;
pub mod naming;
pub mod origin;
pub mod registry;
mod set_definition;
pub mod set_names;
pub mod spelling;
pub mod table_feed;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{ArrayRef, RecordBatch};

use crate::catalogue::area::AreaKind;
use crate::catalogue::id::{MeasurementId, PeriodTypeId};
use crate::catalogue::measurement::Measurement;
use crate::feed::axis_columns::{AxisColumns, Numbers};
use crate::feed::column::Column;
use crate::feed::facts::Axis;
use crate::feed::spelling::FormerNames;
use crate::odata::edm::{EntityType, Schema};
use crate::search::SearchIndex;

/// Identifies a feed among all that this process has built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FeedId(u64);

impl FeedId {
    /// A new id.
    #[must_use]
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// One OData service: the catalogue's, or that of one measurement.
#[derive(Debug, Clone)]
pub struct Feed {
    pub id: FeedId,
    /// The first feed with this schema: documents made from it are kept under that id.
    pub schema_id: FeedId,
    pub sets: Vec<Set>,
    /// The content of `$metadata`; names, keys and types equal those of `sets`.
    pub schema: Schema,
    /// Tables of the catalogue that have no set, because their set could not be described.
    pub left_out: Vec<LeftOut>,
    /// Names that sets were given before.
    pub former: FormerNames,
}

/// A table without a set in the catalogue service, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub table: MeasurementId,
    pub reason: String,
}

impl Feed {
    /// The entity type of a set's rows in the model.
    #[must_use]
    pub fn entity_type(&self, set: &Set) -> Option<&EntityType> {
        let container = &self.schema.container;
        let of_set = container.set(&set.name).map(|listed| &listed.entity_type);
        let of_singleton = || container.singletons.iter().find(|single| single.name == set.name);
        self.schema.entity_type(of_set.or_else(|| of_singleton().map(|single| &single.entity_type))?)
    }

    /// Whether the name is that of the set's own entity type, so that it may stand in a path as a cast that changes nothing.
    #[must_use]
    pub fn is_type_of(&self, set: &Set, name: &str) -> bool {
        let Some((namespace, name)) = name.rsplit_once('.') else { return false };
        let is_own = self.entity_type(set).is_some_and(|entity_type| entity_type.name == name);
        namespace == self.schema.namespace && is_own
    }

    /// The path without a cast to the set's own type at its beginning, if more follows.
    #[must_use]
    pub fn without_cast<'p>(&self, set: &Set, path: &'p [String]) -> &'p [String] {
        match path {
            [cast, rest @ ..] if !rest.is_empty() && self.is_type_of(set, cast) => rest,
            _ => path,
        }
    }

    /// Whether the name begins like those of sets that are broken down by a dimension.
    #[must_use]
    pub fn is_breakdown(&self, name: &str) -> bool {
        spelling::begins(name, set_names::BROKEN_DOWN)
    }

    /// Whether the name is that of an entity type of the model, which a path could contain as a cast.
    #[must_use]
    pub fn has_type(&self, name: &str) -> bool {
        let below = name.strip_prefix(&self.schema.namespace).and_then(|rest| rest.strip_prefix('.'));
        below.is_some_and(|below| self.schema.entity_type(below).is_some())
    }

    /// The index of the set that a request names. Names are case-sensitive, except table ids.
    #[must_use]
    pub fn set_index(&self, name: &str) -> Option<usize> {
        let is_alias = |set: &Set| set.alias.as_deref().is_some_and(|alias| alias.eq_ignore_ascii_case(name));
        spelling::position(name, self.sets.iter().map(|set| set.name.as_str()), &self.former)
            .or_else(|| self.sets.iter().position(is_alias))
    }
}

/// A named collection of rows, or a single row.
#[derive(Debug, Clone)]
pub struct Set {
    pub name: String,
    /// Another name that is accepted but not listed: a table's id in the catalogue service.
    pub alias: Option<String>,
    pub title: String,
    pub rows: RowSource,
    pub columns: Vec<Column>,
    /// Indexes of the key columns, in key order.
    pub key: Vec<usize>,
    pub singleton: bool,
    pub navigation: Vec<Navigation>,
    /// Names that its columns and navigation properties were given before.
    pub former: FormerNames,
    /// What `$search` looks in, where the rows are tables; other sets are searched by the texts of their rows.
    pub index: Option<Arc<SearchIndex>>,
}

impl Set {
    /// The index of the column of that name.
    #[must_use]
    pub fn column_index(&self, name: &str) -> Option<usize> {
        spelling::position(name, self.columns.iter().map(|column| column.name.as_str()), &self.former)
    }

    /// The index of the navigation property of that name.
    #[must_use]
    pub fn navigation_index(&self, name: &str) -> Option<usize> {
        let names = self.navigation.iter().map(|navigation| navigation.name.as_str());
        spelling::position(name, names, &self.former)
    }

    /// The navigation property of that name.
    #[must_use]
    pub fn navigation(&self, name: &str) -> Option<&Navigation> {
        self.navigation.get(self.navigation_index(name)?)
    }

    /// Whether a column or a navigation property has that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.column_index(name).is_some() || self.navigation_index(name).is_some()
    }
}

/// A navigation property: from the rows of one set to those of another of the same feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Navigation {
    pub name: String,
    /// Index of the set at the other end.
    pub target: usize,
    pub collection: bool,
    /// The column of this set and the column of the target that are equal.
    pub from_column: usize,
    pub to_column: usize,
}

/// Where the rows of a set come from.
#[derive(Clone)]
pub enum RowSource {
    /// Figures of a measurement, fetched when they are asked for.
    Cells(Arc<CellSource>),
    /// Rows made from the catalogue; the batch has the set's columns.
    List(RecordBatch),
}

impl fmt::Debug for RowSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cells(source) => write!(f, "Cells({:?} of {})", source.form, source.measurement.id),
            Self::List(batch) => write!(f, "List({} rows)", batch.num_rows()),
        }
    }
}

/// Which cells of a measurement a set is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSource {
    pub measurement: Arc<Measurement>,
    pub form: CellForm,
    /// Only periods of this type; `None` for all.
    pub period_type: Option<PeriodTypeId>,
    /// What the set takes of each dimension of the measurement, in the measurement's order.
    pub extents: Vec<Extent>,
    /// Shared by all sets of the measurement.
    pub(super) axis_columns: AxisColumns,
}

/// How cells are arranged in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellForm {
    /// One row per combination of members, one column per measure.
    Wide,
    /// One row per combination of members and measure.
    Long,
}

/// Which members of one dimension a set has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The total; no column.
    AtTotal,
    /// Only the member that the dimension is pinned to, with its columns, so that readers see what the figures are about.
    Pinned,
    /// Every member, the total included.
    Whole,
    /// Every member but the total.
    Parts,
    /// The members of one level of a hierarchy, without the total.
    Level { hierarchy: usize, level: usize },
    /// Areas of one kind.
    Areas(AreaKind),
}

impl CellSource {
    /// The values of a column at all positions of its axis; `None` if it does not depend on one axis alone.
    #[must_use]
    pub fn axis_column(&self, column: &Column) -> Option<ArrayRef> {
        self.axis_columns.column(&self.measurement, column)
    }

    /// The positions of an axis by their ids.
    #[must_use]
    pub fn axis_numbers(&self, axis: Axis) -> Arc<Numbers> {
        self.axis_columns.numbers(&self.measurement, axis)
    }

    /// The same cells, with these dimensions at their totals.
    #[must_use]
    pub fn at_totals(&self, dimensions: &[usize]) -> Self {
        let mut source = self.clone();
        for &dimension in dimensions {
            if let Some(extent) = source.extents.get_mut(dimension) {
                *extent = Extent::AtTotal;
            }
        }
        source
    }

    /// Whether the set's extent of that dimension holds the member.
    #[must_use]
    pub fn holds(&self, dimension: usize, member: usize) -> bool {
        let Some(listed) = self.measurement.dimensions.get(dimension) else { return false };
        match self.extents.get(dimension) {
            Some(Extent::Whole) => member < listed.members.len(),
            Some(Extent::Parts) => listed.members.get(member).is_some_and(|member| !member.is_total()),
            Some(Extent::Level { hierarchy, level }) => listed.is_on_level(member, *hierarchy, *level),
            Some(Extent::Areas(kind)) => {
                listed.members.get(member).is_some_and(|member| member.area == Some(*kind))
            }
            Some(Extent::AtTotal) => listed.total() == Some(member),
            Some(Extent::Pinned) => listed.pinned == Some(member),
            None => false,
        }
    }
}
