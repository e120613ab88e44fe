//! Paths in expressions: to a column, a computed value, or through the ways of the model.
//!
//! A way to one row of a list becomes a look-up. A way to many rows of a list stands before `any`, `all` or `$count`; what that
//! comes to is worked out for every key at once, and is a look-up too. Binding does not fetch, so a way to figures becomes an
//! open question.

use arrow_array::RecordBatch;

use super::error::{Lack, QueryError, QueryErrorKind, Shape};
use super::eval::{EvalError, Row, evaluate};
use super::expr::{Binder, Bound};
use super::lambda::{Asks, Counts, Question};
use super::lookup_table::LookUp;
use super::select::unknown_property;
use super::{BoundExpr, BoundExprKind, Comparison, search};
use crate::feed::list::ListRow;
use crate::feed::{Navigation, RowSource, Set};
use crate::odata::uri::literal;
use crate::odata::uri::syntax::{Expr, ExprKind, LambdaOp, Literal, MemberPath, MemberStep, PathRoot};
use crate::odata::value::{PrimitiveType, Value};

/// What a question that has to be answered by fetching takes of the nodes that a request may use.
const OPEN_QUESTION_NODES: usize = 10_000;

/// The row that a path has come to.
struct Reached<'a> {
    set: &'a Set,
    /// The way's last step: its key as an expression over the first row; `None` at the first row itself.
    by: Option<(&'a Navigation, BoundExpr)>,
}

impl Row for ListRow<'_> {
    fn value(&self, column: usize) -> Value {
        self.at(column)
    }
}

impl<'a> Binder<'a> {
    /// The value that a path leads to.
    pub(super) fn path(&self, expr: &Expr, path: &MemberPath) -> Bound {
        let mut steps = self.own_steps(expr, path)?;
        let mut at = Reached { set: self.set, by: None };
        while let [step, rest @ ..] = steps {
            let MemberStep::Name { name, key, .. } = step else { break };
            if let Some(column) = at.set.column_index(name) {
                self.check_end(expr, at.set, name, key.is_some(), rest)?;
                return self.reached(&at, column);
            }
            if let (None, Some(computed)) = (&at.by, self.computed(name)) {
                self.check_end(expr, at.set, name, key.is_some(), rest)?;
                self.charge(computed.nodes().count())?;
                return Ok(computed.clone());
            }
            if let (None, Some(duration)) = (&at.by, bare_duration(path, at.set)) {
                return Ok(duration);
            }
            let way = self.way(expr, at.set, step)?;
            let here = self.reached(&at, way.from_column)?;
            if way.collection {
                return self.many(expr, way, here, rest);
            }
            let set = self.feed.sets.get(way.target).ok_or_else(|| self.lost(expr))?;
            at = Reached { set, by: Some((way, here)) };
            steps = rest;
        }
        match steps.first() {
            None => Err(self.mismatch(expr, Shape::Value, Shape::Entity)),
            Some(_) => Err(self.not_offered(expr, "any/all/$count/$filter", Lack::OneRow)),
        }
    }

    /// `Way eq null` and its like: whether there is a row at the other end. `None` where that is not what is compared.
    pub(super) fn presence(
        &self,
        comparison: Comparison,
        left: &Expr,
        right: &Expr,
    ) -> Result<Option<BoundExpr>, QueryError> {
        let is_null = |expr: &Expr| matches!(expr.kind, ExprKind::Literal(Literal::Value(Value::Null)));
        let path = match (&left.kind, &right.kind) {
            (ExprKind::Path(path), _) if is_null(right) => path,
            (_, ExprKind::Path(path)) if is_null(left) => path,
            _ => return Ok(None),
        };
        if !matches!(comparison, Comparison::Eq | Comparison::Ne) {
            return Ok(None);
        }
        let Ok([MemberStep::Name { name, key: None, .. }]) = self.own_steps(left, path) else {
            return Ok(None);
        };
        let way = self.set.navigation.iter().find(|way| way.name == *name && !way.collection);
        let Some(way) = way else { return Ok(None) };
        let here = self.reached(&Reached { set: self.set, by: None }, way.from_column)?;
        let set = self.feed.sets.get(way.target).ok_or_else(|| self.lost(left))?;
        let there = self.reached(&Reached { set, by: Some((way, here)) }, way.to_column)?;
        let null = BoundExpr::literal(Value::Null, None);
        let kind = BoundExprKind::Compare(comparison, Box::new(there), Box::new(null));
        Ok(Some(BoundExpr::boolean(kind)))
    }

    /// The steps from the row that the expression is about.
    fn own_steps<'e>(&self, expr: &Expr, path: &'e MemberPath) -> Result<&'e [MemberStep], QueryError> {
        match path.root {
            PathRoot::Root | PathRoot::These => Err(self.not_offered(expr, "$root/$these", Lack::NotBuilt)),
            PathRoot::It if self.is_inner() => Err(self.not_offered(expr, "$it", Lack::OuterRow)),
            PathRoot::It | PathRoot::This => Ok(&path.steps),
            PathRoot::Implicit => match (self.variable, path.steps.as_slice()) {
                (None, steps) => Ok(steps),
                (Some(own), [MemberStep::Name { name, key: None, .. }, rest @ ..]) if own == name => Ok(rest),
                (Some(_), [MemberStep::Name { name, .. }, ..]) => Err(self.not_of_this_row(expr, name)),
                (Some(_), steps) => Ok(steps),
            },
        }
    }

    /// What is wrong with a name within a lambda expression that is not its variable: it speaks of an outer row, or of nothing.
    fn not_of_this_row(&self, expr: &Expr, name: &str) -> QueryError {
        let is_variable = self.around.iter().any(|(variable, _)| *variable == Some(name));
        match self.around.first() {
            Some((_, set)) if !is_variable && !set.has(name) => {
                self.place.error(expr.span.start, unknown_property(set, name))
            }
            _ => self.not_offered(expr, name, Lack::OuterRow),
        }
    }

    /// A column is where a path ends.
    fn check_end(
        &self,
        expr: &Expr,
        set: &Set,
        name: &str,
        has_key: bool,
        rest: &[MemberStep],
    ) -> Result<(), QueryError> {
        match rest.first() {
            None if !has_key => Ok(()),
            Some(MemberStep::Name { name: annotation, .. }) if annotation.starts_with('@') => {
                Err(self.not_offered(expr, annotation, Lack::NotBuilt))
            }
            Some(MemberStep::Name { name: below, span, .. }) if !has_key => {
                Err(self.place.error(span.start, unknown_property(set, &format!("{name}/{below}"))))
            }
            _ => Err(self.not_offered(expr, name, Lack::NoCollections)),
        }
    }

    /// The way that a step names, or what is wrong with the step.
    fn way<'s>(&self, expr: &Expr, set: &'s Set, step: &MemberStep) -> Result<&'s Navigation, QueryError> {
        let MemberStep::Name { name, key, span } = step else { return Err(self.lost(expr)) };
        match (set.navigation.iter().find(|way| way.name == *name), key) {
            (Some(way), None) => Ok(way),
            (Some(_), Some(_)) => Err(self.not_offered(expr, &format!("{name}(…)"), Lack::NotBuilt)),
            (None, _) if name.starts_with('@') => Err(self.not_offered(expr, name, Lack::NotBuilt)),
            (None, _) if self.is_type_name(name) => Err(self.not_offered(expr, name, Lack::NoDerivedTypes)),
            (None, Some(_)) => Err(self.unknown_function(expr, name)),
            (None, None) => Err(self.place.error(span.start, unknown_property(set, name))),
        }
    }

    /// A column of the row that a path has come to.
    fn reached(&self, at: &Reached<'_>, column: usize) -> Bound {
        let primitive = at.set.columns.get(column).map(|column| column.primitive);
        let Some((way, key)) = &at.by else {
            return Ok(BoundExpr { kind: BoundExprKind::Column(column), primitive });
        };
        let RowSource::List(rows) = &at.set.rows else {
            let kind = QueryErrorKind::NotOffered { construct: way.name.clone(), lack: Lack::UnboundedCells };
            return Err(self.place.fault(kind));
        };
        let table = self.tables.borrow().get(&(way.target, way.to_column, column)).cloned();
        let table = table.unwrap_or_else(|| {
            let table = look_up(rows, way.to_column, column);
            self.tables.borrow_mut().insert((way.target, way.to_column, column), table.clone());
            table
        });
        Ok(BoundExpr { kind: BoundExprKind::LookUp(Box::new(key.clone()), table), primitive })
    }

    /// What is asked of the many rows that a way leads to.
    fn many(&self, expr: &Expr, way: &Navigation, here: BoundExpr, steps: &[MemberStep]) -> Bound {
        let target = self.feed.sets.get(way.target).ok_or_else(|| self.lost(expr))?;
        let Some((last, filters)) = steps.split_last() else {
            return Err(self.mismatch(expr, Shape::Value, Shape::List));
        };
        let mut conditions = Vec::new();
        for filter in filters {
            let MemberStep::Filter { expr: filter, .. } = filter else {
                return Err(self.mismatch(expr, Shape::Value, Shape::List));
            };
            conditions.push(self.within(target, None, |inner| inner.condition(filter))?);
        }
        let asks = self.last_step(expr, target, last, &mut conditions)?;
        let condition = BoundExpr::all(conditions);
        let question = Question { set: way.target, key: way.to_column, asks, condition };
        let kind = match &target.rows {
            RowSource::List(rows) if question.condition.questions().is_empty() => {
                self.charge(question.condition.nodes().count().saturating_mul(rows.num_rows()))?;
                let counts = count(rows, question.key, &question.condition)
                    .map_err(|error| self.place.error(expr.span.start, QueryErrorKind::Evaluation(error)))?;
                BoundExprKind::LookUp(Box::new(here), question.answer(counts))
            }
            _ => {
                self.charge(OPEN_QUESTION_NODES)?;
                BoundExprKind::Asked(Box::new(here), Box::new(question))
            }
        };
        Ok(BoundExpr { kind, primitive: Some(asks.primitive()) })
    }

    /// What the last step asks; which rows it is about goes to the conditions.
    fn last_step(
        &self,
        expr: &Expr,
        target: &Set,
        step: &MemberStep,
        conditions: &mut Vec<BoundExpr>,
    ) -> Result<Asks, QueryError> {
        match step {
            MemberStep::Lambda { op, variable, body, .. } => {
                let body = body
                    .as_deref()
                    .map(|body| self.within(target, variable.as_deref(), |inner| inner.condition(body)));
                match (op, body.transpose()?) {
                    (LambdaOp::Any, body) => {
                        conditions.extend(body);
                        Ok(Asks::Any)
                    }
                    (LambdaOp::All, body) => {
                        conditions.extend(body.map(BoundExpr::not_true));
                        Ok(Asks::All)
                    }
                }
            }
            MemberStep::Count { filter, search, .. } => {
                if let Some(filter) = filter {
                    conditions.push(self.within(target, None, |inner| inner.condition(filter))?);
                }
                if let Some(search) = search {
                    conditions.push(self.within(target, None, |inner| search::condition(inner, search))?);
                }
                Ok(Asks::Count)
            }
            _ => Err(self.mismatch(expr, Shape::Value, Shape::List)),
        }
    }

    fn lost(&self, expr: &Expr) -> QueryError {
        self.not_offered(expr, "path", Lack::NotBuilt)
    }
}

/// A duration without quotes, as some clients write it, where no name of the set stands in its way.
fn bare_duration(path: &MemberPath, set: &Set) -> Option<BoundExpr> {
    let [MemberStep::Name { name, key: None, .. }] = path.steps.as_slice() else { return None };
    let value = literal::duration(name).filter(|_| !set.has(name))?;
    Some(BoundExpr::literal(Value::Duration(value), Some(PrimitiveType::Duration)))
}

/// One column of a list by another.
fn look_up(rows: &RecordBatch, key: usize, column: usize) -> LookUp {
    let entry = |row: usize| {
        let row = ListRow { rows, row };
        if let Value::String(key) = row.at(key) { Some((key, row.at(column))) } else { None }
    };
    LookUp::new((0..rows.num_rows()).filter_map(entry).collect(), Value::Null)
}

/// For each key the rows that meet the condition.
fn count(rows: &RecordBatch, key: usize, condition: &BoundExpr) -> Result<Counts, EvalError> {
    let mut counts = Counts::new();
    for row in 0..rows.num_rows() {
        let row = ListRow { rows, row };
        if let Value::String(key) = row.at(key)
            && evaluate(condition, &row)? == Value::Boolean(true)
        {
            *counts.entry(key).or_default() += 1;
        }
    }
    Ok(counts)
}
