//! Lambda aggregates: `any`, `all` and `$count` over the rows that a navigation property leads to.
//!
//! All three follow from one number: for each key, how many of the rows that it leads to meet a condition. Over lists it is counted
//! while the expression is bound. Figures must be fetched first, so an aggregate over them stays in the expression until
//! `answer/lambda.rs` replaces it by a lookup table.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::lookup_table::LookupTable;
use super::{BoundExpr, BoundExprKind, BoundQuery, Comparison, Computed, OrderKey, apply};
use crate::odata::value::{PrimitiveType, Value};

/// How many rows meet a condition, by the key that leads to them. Keys without such rows may be missing.
pub type Counts = HashMap<Arc<str>, u64>;

/// An aggregate over the rows that a navigation property leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct LambdaAggregate {
    /// Index of the target set.
    pub set: usize,
    /// The column of the target set that equals the key of the outer row.
    pub key: usize,
    pub kind: AggregateKind,
    /// Which rows are counted.
    pub condition: BoundExpr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateKind {
    /// True if at least one row is counted.
    Any,
    /// True if no row is counted; `condition` is then the negation of the lambda's condition.
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
    /// The value for every key.
    #[must_use]
    pub fn lookup_table(&self, counts: Counts) -> LookupTable {
        let values = counts.into_iter().map(|(key, count)| (key, self.kind.value(count))).collect();
        LookupTable::new(values, self.kind.value(0))
    }

    /// Restricts the condition to rows that these keys lead to.
    pub fn narrow(&mut self, keys: BTreeSet<Arc<str>>) {
        let key = BoundExpr { kind: BoundExprKind::Column(self.key), primitive: Some(PrimitiveType::String) };
        let keys = keys.into_iter().map(Value::String).collect();
        let among = BoundExpr::boolean(BoundExprKind::In(Box::new(key), keys));
        self.condition = BoundExpr::all([among, self.condition.clone()]);
    }
}

impl BoundExpr {
    /// The aggregates in the expression, inner ones before the outer ones that depend on them.
    #[must_use]
    pub fn lambda_aggregates(&self) -> Vec<&LambdaAggregate> {
        let found = self.nodes().filter_map(|expr| match &expr.kind {
            BoundExprKind::LambdaAggregate(_, lambda) => Some(&**lambda),
            _ => None,
        });
        found.flat_map(|lambda| lambda.condition.lambda_aggregates().into_iter().chain([lambda])).collect()
    }

    /// Replaces an aggregate by the lookup table of its values.
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

    /// Changes the aggregates of the expression, but not those nested in them; `change` also gets the expression for the key.
    fn for_each_lambda(&mut self, change: &mut impl FnMut(&BoundExpr, &mut LambdaAggregate)) {
        if let BoundExprKind::LambdaAggregate(key, lambda) = &mut self.kind {
            change(key, lambda);
        }
        self.operands_mut().into_iter().for_each(|operand| operand.for_each_lambda(change));
    }

    /// The condition that this one is false or unknown. `and` and `or` are kept (by De Morgan's laws), so that terms on single
    /// columns can still be pushed down.
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
    /// The aggregates of the query and its expansions, inner ones before the outer ones that depend on them.
    #[must_use]
    pub fn lambda_aggregates(&self) -> Vec<&LambdaAggregate> {
        let keys = self.order.iter().map(|key| &key.expr);
        let computed = self.computed.iter().map(|computed| &computed.expr);
        let applied = self.apply.iter().flat_map(apply::BoundApply::expressions);
        let own = self.filter.iter().chain(keys).chain(computed).chain(applied);
        let beside = self.expand.iter().flat_map(|expand| expand.query.lambda_aggregates());
        own.flat_map(BoundExpr::lambda_aggregates).chain(beside).collect()
    }

    /// Replaces an aggregate by the lookup table of its values, wherever it occurs.
    pub fn replace_lambda(&mut self, lambda: &LambdaAggregate, table: &LookupTable) {
        self.own_expressions().for_each(|expr| expr.replace_lambda(lambda, table));
        self.expand.iter_mut().for_each(|expand| expand.query.replace_lambda(lambda, table));
    }

    /// Changes the aggregates of the query's own expressions; `change` also gets the expression for the key.
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
