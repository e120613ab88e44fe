//! Looks up whether a column has the value that a condition compares it with.

use std::collections::HashSet;
use std::rc::Rc;

use super::error::QueryErrorKind;
use super::expr::Binder;
use super::unknown_member::{KnownValues, text};
use super::{BoundExpr, BoundExprKind};
use crate::error::excerpt;
use crate::feed::RowSource;
use crate::feed::facts;
use crate::odata::uri::syntax::{Expr, ExprKind, MemberStep};

impl Binder<'_> {
    /// Notes a value that a column is compared with and never has. Both sides come with their text in the request.
    pub(super) fn note_unknown_member(
        &self,
        (operand, column): (&Expr, &BoundExpr),
        (at, value): (&Expr, &BoundExpr),
    ) {
        let Some(value) = value.as_literal() else { return };
        let Some(wanted) = text(value) else { return };
        let Some(known) = self.known_values(column).filter(|_| !self.unknown_members().is_full()) else {
            return;
        };
        let has_value = match column.as_column() {
            Some(index) => self.texts(index, &known).contains(&wanted),
            None => known.has(value),
        };
        if !has_value {
            let column = self.column_name(operand, column);
            let nearest = known.nearest(&wanted);
            let kind = QueryErrorKind::UnknownMember { column, value: excerpt(&wanted), nearest };
            self.unknown_members().note(self.part.error(at.span.start, kind));
        }
    }

    fn known_values<'e>(&'e self, column: &'e BoundExpr) -> Option<KnownValues<'e>> {
        if let BoundExprKind::Lookup(_, table) = &column.kind {
            return Some(KnownValues::Table(table.entries().collect()));
        }
        let column = self.set.columns.get(column.as_column()?)?;
        // Rows that `$apply` groups are no rows of the feed's, but their columns are.
        let set = self.feed.sets.iter().find(|set| set.name == self.set.name)?;
        match &set.rows {
            RowSource::Cells(source) => {
                let axis = facts::axis(column.fact)?;
                Some(KnownValues::Axis { measurement: &source.measurement, axis, fact: column.fact })
            }
            // By its name, because columns of `$apply` are not all the list's own.
            RowSource::List(rows) => {
                let column = rows.schema_ref().index_of(&column.name).ok()?;
                Some(KnownValues::List { rows, column })
            }
        }
    }

    /// The texts of a column, looked up once for all values that it is compared with.
    fn texts(&self, column: usize, known: &KnownValues<'_>) -> Rc<HashSet<String>> {
        Rc::clone(self.texts.borrow_mut().entry(column).or_insert_with(|| Rc::new(known.texts())))
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
