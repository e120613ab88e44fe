//! Removes repetitions from a table's metadata. The rest of the program relies on each dimension, hierarchy, level, member, period and
//! measure of a group being listed once: a second one would make a column, a key or a request parameter ambiguous.
//!
//! Two dimensions, hierarchies, levels or period types of one id become one with the contents of both; of anything else the first
//! counts. What was repeated is logged.

use std::collections::HashSet;
use std::mem;

use crate::error::excerpt;
use crate::upstream::wire::{Dimension, Hierarchy, Level, MeasureGroup, PeriodType, Table};

/// Something with an id that may be listed again with further contents.
trait Part {
    const KIND: &'static str;
    fn id(&self) -> &str;
    /// Takes over the contents of another part of the same id.
    fn unite(&mut self, other: Self);
}

macro_rules! part {
    ($type:ident, $kind:literal, $id:ident $(, $contents:ident)*) => {
        impl Part for $type {
            const KIND: &'static str = $kind;

            fn id(&self) -> &str {
                self.$id.as_str().trim()
            }

            fn unite(&mut self, mut other: Self) {
                $(self.$contents.0.append(&mut other.$contents.0);)*
            }
        }
    };
}

part!(MeasureGroup, "measure group", mgroup_id, measures);
part!(PeriodType, "period type", periodtype_id, values);
part!(Dimension, "dimension", dimension_id, hierarchies);
part!(Hierarchy, "hierarchy", hierarchy_id, levels);
part!(Level, "level", level_id, values);

/// The ids that were listed again, by kind.
#[derive(Default)]
struct Repeated(Vec<String>);

/// The table without repetitions. Parts without an id stay as they are: the reader refuses them by name.
pub(super) fn distinct(table: &Table) -> Table {
    let (mut table, mut repeated) = (table.clone(), Repeated::default());
    repeated.unite(&mut table.mgroups.0);
    repeated.unite(&mut table.periods.0);
    repeated.unite(&mut table.dimensions.0);
    for group in &mut table.mgroups.0 {
        repeated
            .keep_first("measure", &mut group.measures.0, &mut HashSet::new(), |it| it.measure_id.as_str());
    }
    // A period stands for the same time whatever its type, and a request names a hierarchy without its dimension.
    let (mut periods, mut hierarchies) = (HashSet::new(), HashSet::new());
    for period_type in &mut table.periods.0 {
        repeated.keep_first("period", &mut period_type.values.0, &mut periods, |it| it.period_id.as_str());
    }
    for dimension in &mut table.dimensions.0 {
        repeated.unite(&mut dimension.hierarchies.0);
        repeated.keep_first("hierarchy", &mut dimension.hierarchies.0, &mut hierarchies, Part::id);
        for hierarchy in &mut dimension.hierarchies.0 {
            repeated.unite(&mut hierarchy.levels.0);
            let mut members = HashSet::new();
            for level in &mut hierarchy.levels.0 {
                repeated.keep_first("member", &mut level.values.0, &mut members, |it| it.value_id.as_str());
            }
        }
    }
    repeated.log(table.table_id.as_str());
    table
}

impl Repeated {
    /// Unites parts of one id; the place of the first counts.
    fn unite<T: Part>(&mut self, parts: &mut Vec<T>) {
        for part in mem::take(parts) {
            match parts.iter_mut().find(|first| first.id() == part.id() && !part.id().is_empty()) {
                Some(first) => {
                    self.note(T::KIND, part.id());
                    first.unite(part);
                }
                None => parts.push(part),
            }
        }
    }

    /// Keeps of each id the first that is not among those seen.
    fn keep_first<T>(
        &mut self,
        kind: &str,
        parts: &mut Vec<T>,
        seen: &mut HashSet<String>,
        id: impl Fn(&T) -> &str,
    ) {
        parts.retain(|part| {
            let id = id(part).trim();
            let is_first = id.is_empty() || seen.insert(id.to_owned());
            if !is_first {
                self.note(kind, id);
            }
            is_first
        });
    }

    fn note(&mut self, kind: &str, id: &str) {
        self.0.push(format!("{kind} {}", excerpt(id)));
    }

    fn log(&self, table: &str) {
        const NAMED: usize = 5;
        if !self.0.is_empty() {
            let parts = self.0[..self.0.len().min(NAMED)].join(", ");
            tracing::warn!(
                table,
                count = self.0.len(),
                parts,
                "parts of the table are listed twice; each is read once"
            );
        }
    }
}
