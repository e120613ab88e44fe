//! `groupby` and `aggregate`: the grouping columns and the aggregates.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::error::ApplyError;
use super::totals::Totals;
use super::{Aggregate, Grouping, Line, Step};
use crate::catalogue::measure::{Measure, NotAdditive};
use crate::error::excerpt;
use crate::feed::column::{Column, Fact};
use crate::feed::{RowSource, Set};
use crate::odata::uri::syntax::{AggregateTerm, AggregateWhat, Expr, GroupItem};
use crate::odata::value::PrimitiveType;
use crate::query::BoundExprKind;
use crate::query::error::{NotOfferedReason, QueryError, QueryErrorKind};
use crate::query::request_part::APPLY;
use crate::query::select::unknown_property;

impl Line<'_> {
    /// The grouping columns, without duplicates.
    pub(super) fn group_columns(&self, groups: &[GroupItem]) -> Result<Vec<usize>, QueryError> {
        let mut by = Vec::new();
        for group in groups {
            let column = self.group_column(group)?;
            if !by.contains(&column) {
                by.push(column);
            }
        }
        Ok(by)
    }

    fn group_column(&self, group: &GroupItem) -> Result<usize, QueryError> {
        let not_offered = |at, construct: &str, reason| {
            Err(APPLY.error(at, QueryErrorKind::NotOffered { construct: construct.to_owned(), reason }))
        };
        let (path, span) = match group {
            GroupItem::Rollup(span) => {
                return not_offered(span.start, "rollup(…)", NotOfferedReason::Separately);
            }
            GroupItem::Path(path, span) => (path, span),
        };
        match path.as_slice() {
            [name]
                if self
                    .shape
                    .column_index(name)
                    .is_some_and(|index| is_figure(&self.shape.columns[index])) =>
            {
                Err(refused(span.start, ApplyError::GroupedByFigure { column: name.clone() }))
            }
            [name] if name.starts_with('@') => not_offered(span.start, name, NotOfferedReason::NotBuilt),
            [name, ..] if self.shape.navigation_index(name).is_some() => {
                not_offered(span.start, name, NotOfferedReason::NotBuilt)
            }
            [name] if self.shape.column_index(name).is_some() => {
                Ok(self.shape.column_index(name).unwrap_or_default())
            }
            _ => Err(APPLY.error(span.start, unknown_property(&self.shape, &excerpt(&path.join("/"))))),
        }
    }

    /// Adds a grouping step; later steps see the columns of its result.
    pub(super) fn group(&mut self, by: Vec<usize>, terms: &[AggregateTerm]) -> Result<(), QueryError> {
        let mut columns: Vec<Column> = by.iter().map(|&column| self.shape.columns[column].clone()).collect();
        let mut aggregates = Vec::with_capacity(terms.len());
        for term in terms {
            let (aggregate, column) = self.aggregate(term)?;
            let taken = columns.iter().chain(&self.shape.columns).any(|other| other.name == column.name);
            let stands_for_itself = aggregate.is_published() && term.alias.is_none();
            let twice = columns.iter().any(|other| other.name == column.name);
            if twice || (taken && !stands_for_itself) {
                return Err(refused(term.span.start, ApplyError::TakenAlias { alias: column.name }));
            }
            aggregates.push(aggregate);
            columns.push(column);
        }
        self.put_at_totals(&by, &aggregates, terms)?;
        self.steps.push(Step::Group(Grouping { by, aggregates }));
        self.shape = result(&self.shape, columns);
        Ok(())
    }

    /// If published totals are aggregated, puts every dimension that is not grouped at its total, or refuses.
    fn put_at_totals(
        &mut self,
        by: &[usize],
        aggregates: &[Aggregate],
        terms: &[AggregateTerm],
    ) -> Result<(), QueryError> {
        let published = aggregates.iter().zip(terms).find(|(aggregate, _)| aggregate.is_published());
        let (Some((_, term)), RowSource::Cells(source)) = (published, &self.source.rows) else {
            return Ok(());
        };
        let totals = Totals::of(&self.source.columns, source, self.filter.as_ref(), by);
        let at_total = totals.dimensions().map_err(|error| refused(term.span.start, error))?;
        if let Some(&dimension) = at_total.first()
            && aggregates.iter().any(|aggregate| !aggregate.is_published())
        {
            let dimension = totals.dimension_name(dimension);
            return Err(refused(term.span.start, ApplyError::MixedAggregates { dimension }));
        }
        let totals = source.at_totals(&at_total);
        self.source.rows = RowSource::Cells(Arc::new(totals));
        Ok(())
    }

    fn aggregate(&self, term: &AggregateTerm) -> Result<(Aggregate, Column), QueryError> {
        let at = term.span.start;
        let named = |name: &str, primitive| Column {
            name: term.alias.as_deref().unwrap_or(name).to_owned(),
            primitive,
            nullable: true,
            fact: Fact::Listed(0),
        };
        match &term.what {
            // By the OData standard, counts in `$apply` are decimals without a fraction.
            AggregateWhat::Count(path) if path.is_empty() => {
                Ok((Aggregate::Count, named("", PrimitiveType::Decimal)))
            }
            AggregateWhat::Count(path) => {
                let (construct, reason) =
                    (format!("{}/$count", path.join("/")), NotOfferedReason::NoCollections);
                Err(APPLY.error(at, QueryErrorKind::NotOffered { construct: excerpt(&construct), reason }))
            }
            AggregateWhat::With { expr, method } => {
                let (aggregate, column) = self.with_method(expr, method)?;
                let primitive = match aggregate {
                    Aggregate::CountDistinct(_) => PrimitiveType::Decimal,
                    _ => self.shape.columns[column].primitive,
                };
                Ok((aggregate, named("", primitive)))
            }
            AggregateWhat::Custom(path) => {
                let aggregate = self.custom(path).map_err(|error| refused(at, error))?;
                let source = &self.shape.columns[aggregate.column().unwrap_or_default()];
                Ok((aggregate, Column { fact: source.fact, ..named(&source.name, source.primitive) }))
            }
            AggregateWhat::Other => {
                let (construct, reason) = ("from".to_owned(), NotOfferedReason::NotBuilt);
                Err(APPLY.error(at, QueryErrorKind::NotOffered { construct, reason }))
            }
        }
    }

    /// `… with method`: allowed where no figure is involved.
    fn with_method(&self, expr: &Expr, method: &str) -> Result<(Aggregate, usize), QueryError> {
        let bound = self.binder().bind(expr)?;
        let read = bound.columns();
        let figure = read.iter().map(|&column| &self.shape.columns[column]).find(|column| is_figure(column));
        let expression = read.iter().map(|&column| self.shape.columns[column].name.as_str());
        let expression = expression.collect::<Vec<_>>().join(", ");
        if let Some(measure) = figure {
            let (method, why, measure) = (excerpt(method), self.why_not(measure.fact), measure.name.clone());
            return Err(refused(expr.span.start, ApplyError::Computed { expression, method, measure, why }));
        }
        let aggregate = match (&bound.kind, method) {
            (BoundExprKind::Column(column), "min") => Some((Aggregate::Least(*column), *column)),
            (BoundExprKind::Column(column), "max") => Some((Aggregate::Greatest(*column), *column)),
            (BoundExprKind::Column(column), "countdistinct") => {
                Some((Aggregate::CountDistinct(*column), *column))
            }
            _ => None,
        };
        aggregate.ok_or_else(|| {
            let method = excerpt(method);
            refused(expr.span.start, ApplyError::Method { method, expression })
        })
    }

    /// Why figures of that kind may not be summed.
    fn why_not(&self, fact: Fact) -> NotAdditive {
        match (&self.source.rows, fact) {
            (RowSource::Cells(source), Fact::Measure(index)) => {
                source.measurement.measures.get(index).map_or(NotAdditive::Unknown, Measure::additivity)
            }
            _ => NotAdditive::Unknown,
        }
    }

    /// A custom aggregate: a measure's published total, or the status of the row's figures.
    fn custom(&self, path: &[String]) -> Result<Aggregate, ApplyError> {
        let name = excerpt(&path.join("/"));
        let column = self.shape.column_index(&name);
        let aggregate = column.and_then(|index| match self.shape.columns[index].fact {
            Fact::Measure(_) | Fact::Value => Some(Aggregate::Published(index)),
            Fact::Status | Fact::ValueAttribute => Some(Aggregate::State(index)),
            Fact::Period(_) | Fact::Member(..) | Fact::Updated => None,
            Fact::ObservationId | Fact::MeasureCode | Fact::Listed(_) => None,
        });
        match aggregate {
            Some(aggregate) if self.is_whole() => Ok(aggregate),
            Some(_) => Err(ApplyError::NotOfTheSet { aggregate: name }),
            None => Err(ApplyError::UnknownAggregate {
                name,
                set: self.shape.name.clone(),
                example: self
                    .shape
                    .columns
                    .iter()
                    .find(|column| is_figure(column))
                    .map(|column| column.name.clone()),
            }),
        }
    }
}

impl Aggregate {
    fn is_published(self) -> bool {
        matches!(self, Self::Published(_) | Self::State(_))
    }
}

/// Whether a column shows figures, which may not be summed.
fn is_figure(column: &Column) -> bool {
    shows_figures(column.fact)
}

pub(super) fn shows_figures(fact: Fact) -> bool {
    matches!(fact, Fact::Measure(_) | Fact::Value)
}

/// The columns of grouped rows as a set without a key.
fn result(source: &Set, columns: Vec<Column>) -> Set {
    Set {
        name: source.name.clone(),
        alias: None,
        title: source.title.clone(),
        rows: RowSource::List(RecordBatch::new_empty(Arc::new(Schema::empty()))),
        columns,
        key: Vec::new(),
        singleton: false,
        navigation: Vec::new(),
        former: source.former.clone(),
        index: None,
    }
}

fn refused(position: usize, error: ApplyError) -> QueryError {
    APPLY.error(position, QueryErrorKind::Apply(error))
}
