//! What an expression asks of the many rows that a navigation property leads to: whether any of them, or all, meet a condition, or how many do.
//!
//! All three are told by one number: how many rows that each key leads to meet one condition. Over a list that the catalogue
//! holds it is worked out while the expression is bound. Figures must be fetched first, so a question about them stays in the
//! expression until its answer is put in its place.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::lookup_table::LookupTable;
use super::{BoundExpr, BoundExprKind, BoundQuery, Comparison, Computed, OrderKey, apply};
use crate::odata::value::{PrimitiveType, Value};

/// How many rows meet a condition, by the key that leads to them. Keys that lead to none need not be there.
pub type Counts = HashMap<Arc<str>, u64>;

/// A question about the rows at the end of a navigation property.
#[derive(Debug, Clone, PartialEq)]
pub struct LambdaAggregate {
    /// Index of the set that the rows are of.
    pub set: usize,
    /// The column there that the key of the row here equals.
    pub key: usize,
    pub kind: AggregateKind,
    /// Which rows are counted.
    pub condition: BoundExpr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateKind {
    /// Whether there is a row that is counted.
    Any,
    /// Whether there is none: those are counted that do not hold.
    All,
    Count,
}

impl AggregateKind {
    pub(super) fn primitive(self) -> PrimitiveType {
        match self {
            Self::Any | Self::All => PrimitiveType::Boolean,
            Self::Count => PrimitiveType::Int64,
        }
    }

    fn value(self, count: u64) -> Value {
        match self {
            Self::Any => Value::Boolean(count > 0),
            Self::All => Value::Boolean(count == 0),
            Self::Count => Value::Integer(i64::try_from(count).unwrap_or(i64::MAX)),
        }
    }
}

impl LambdaAggregate {
    /// The answer for every key.
    #[must_use]
    pub fn lookup_table(&self, counts: Counts) -> LookupTable {
        let values = counts.into_iter().map(|(key, count)| (key, self.kind.value(count))).collect();
        LookupTable::new(values, self.kind.value(0))
    }

    /// Leaves out of the count what none of these keys leads to.
    pub fn narrow(&mut self, keys: BTreeSet<Arc<str>>) {
        let key = BoundExpr { kind: BoundExprKind::Column(self.key), primitive: Some(PrimitiveType::String) };
        let keys = keys.into_iter().map(Value::String).collect();
        let among = BoundExpr::boolean(BoundExprKind::In(Box::new(key), keys));
        self.condition = BoundExpr::all([among, self.condition.clone()]);
    }
}

impl BoundExpr {
    /// The questions that have to be answered before the expression has a value, each behind those that it waits for.
    #[must_use]
    pub fn lambda_aggregates(&self) -> Vec<&LambdaAggregate> {
        let found = self.nodes().filter_map(|expr| match &expr.kind {
            BoundExprKind::LambdaAggregate(_, lambda) => Some(&**lambda),
            _ => None,
        });
        found.flat_map(|lambda| lambda.condition.lambda_aggregates().into_iter().chain([lambda])).collect()
    }

    /// Puts the answer to a question where the question stood.
    pub fn replace_lambda(&mut self, lambda: &LambdaAggregate, table: &LookupTable) {
        if let BoundExprKind::LambdaAggregate(key, found) = &mut self.kind {
            if **found == *lambda {
                self.kind = BoundExprKind::Lookup(key.clone(), table.clone());
            } else {
                found.condition.replace_lambda(lambda, table);
            }
        }
        self.operands_mut().into_iter().for_each(|operand| operand.replace_lambda(lambda, table));
    }

    /// Changes the questions that the expression asks itself, each with the expression for its key.
    fn for_each_lambda(&mut self, change: &mut impl FnMut(&BoundExpr, &mut LambdaAggregate)) {
        if let BoundExprKind::LambdaAggregate(key, lambda) = &mut self.kind {
            change(key, lambda);
        }
        self.operands_mut().into_iter().for_each(|operand| operand.for_each_lambda(change));
    }

    /// The condition that this one is false or unknown. The form of `and` and `or` is kept, so that what it says of single columns can
    /// still be read off.
    pub(super) fn not_true(self) -> Self {
        match self.kind {
            BoundExprKind::And(terms) => Self::any(terms.into_iter().map(Self::not_true)),
            BoundExprKind::Or(terms) => Self::all(terms.into_iter().map(Self::not_true)),
            _ => {
                let truth = Self::literal(Value::Boolean(true), Some(PrimitiveType::Boolean));
                let kind = BoundExprKind::Compare(Comparison::Ne, Box::new(self), Box::new(truth));
                Self::boolean(kind)
            }
        }
    }
}

impl BoundQuery {
    /// The questions that have to be answered before the rows of the query, and of what it expands, can be read, each behind
    /// those that it waits for.
    #[must_use]
    pub fn lambda_aggregates(&self) -> Vec<&LambdaAggregate> {
        let keys = self.order.iter().map(|key| &key.expr);
        let computed = self.computed.iter().map(|computed| &computed.expr);
        let applied = self.apply.iter().flat_map(apply::BoundApply::expressions);
        let own = self.filter.iter().chain(keys).chain(computed).chain(applied);
        let beside = self.expand.iter().flat_map(|expand| expand.query.lambda_aggregates());
        own.flat_map(BoundExpr::lambda_aggregates).chain(beside).collect()
    }

    /// Puts the answer to a question wherever it was asked.
    pub fn replace_lambda(&mut self, lambda: &LambdaAggregate, table: &LookupTable) {
        self.own_expressions().for_each(|expr| expr.replace_lambda(lambda, table));
        self.expand.iter_mut().for_each(|expand| expand.query.replace_lambda(lambda, table));
    }

    /// Changes the questions that the query asks of its own rows, each with the expression for its key.
    pub fn for_each_lambda(&mut self, change: &mut impl FnMut(&BoundExpr, &mut LambdaAggregate)) {
        self.own_expressions().for_each(|expr| expr.for_each_lambda(change));
    }

    /// The expressions over the query's own rows.
    fn own_expressions(&mut self) -> impl Iterator<Item = &mut BoundExpr> {
        let keys = self.order.iter_mut().map(|OrderKey { expr, .. }| expr);
        let computed = self.computed.iter_mut().map(|Computed { expr, .. }| expr);
        let applied = self.apply.iter_mut().flat_map(apply::BoundApply::expressions_mut);
        self.filter.iter_mut().chain(keys).chain(computed).chain(applied)
    }
}
