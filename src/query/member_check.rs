//! Looks up whether a column has the values that a condition compares it with.

use super::expr::Binder;
use super::unknown_member::{KnownValues, UnknownMember, text};
use super::{BoundExpr, BoundExprKind};
use crate::error::excerpt;
use crate::feed::RowSource;
use crate::feed::facts;
use crate::odata::uri::syntax::{Expr, ExprKind, MemberStep};
use crate::odata::value::Value;

impl Binder<'_> {
    /// Notes the values that a column is compared with and never has. The column comes with its text in the request, each value with
    /// its position there.
    pub(super) fn note_unknown_members(
        &self,
        (operand, column): (&Expr, &BoundExpr),
        compared: &[(usize, Value)],
    ) {
        let noted = self.unknown_members();
        let Some(known) = self.known_values(column) else { return };
        for (position, value) in compared {
            let Some(wanted) = text(value).filter(|_| !noted.is_full()) else { continue };
            if !noted.is_known(&known, value, &wanted) {
                noted.note(UnknownMember {
                    part: self.part,
                    position: *position,
                    column: self.column_name(operand, column),
                    value: wanted,
                    known: known.clone(),
                });
            }
        }
    }

    fn known_values(&self, column: &BoundExpr) -> Option<KnownValues> {
        if let BoundExprKind::Lookup(_, table) = &column.kind {
            return Some(KnownValues::Table(table.clone()));
        }
        let column = self.set.columns.get(column.as_column()?)?;
        // Rows that `$apply` groups are no rows of the feed's, but their columns are.
        let set = self.feed.sets.iter().find(|set| set.name == self.set.name)?;
        match &set.rows {
            RowSource::Cells(source) => {
                let axis = facts::axis(column.fact)?;
                let measurement = source.measurement.clone();
                Some(KnownValues::Axis { measurement, axis, fact: column.fact })
            }
            // By its name, because columns of `$apply` are not all the list's own.
            RowSource::List(rows) => {
                let column = rows.schema_ref().index_of(&column.name).ok()?;
                Some(KnownValues::List { rows: rows.clone(), column })
            }
        }
    }

    /// The column as the error names it: a path through navigation properties as it is written.
    fn column_name(&self, operand: &Expr, column: &BoundExpr) -> String {
        let own = column.as_column().and_then(|index| self.set.columns.get(index));
        if let Some(own) = own {
            return own.name.clone();
        }
        let ExprKind::Path(path) = &operand.kind else { return self.set.name.clone() };
        let name = |step: &MemberStep| {
            if let MemberStep::Name { name, .. } = step { Some(name.clone()) } else { None }
        };
        excerpt(&path.steps.iter().filter_map(name).collect::<Vec<_>>().join("/"))
    }
}
