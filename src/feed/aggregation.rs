//! The annotations for `$apply` in `$metadata`: columns that can be grouped by, and measures as custom aggregates, whose values are
//! published totals. No aggregation method (sum, average …) is annotated, because figures are never summed.

use crate::feed::column::{Column, Fact, MemberFact, PeriodFact};
use crate::odata::edm::{Annotation, AnnotationValue};
use crate::odata::value::PrimitiveType;

/// The supported transformations of `$apply`.
pub const TRANSFORMATIONS: &[&str] = &[
    "identity",
    "filter",
    "search",
    "orderby",
    "top",
    "skip",
    "topcount",
    "bottomcount",
    "compute",
    "groupby",
    "aggregate",
];

/// The aggregation annotations of a set of figures.
pub(super) fn annotations<'a>(columns: impl Iterator<Item = &'a Column> + Clone) -> Vec<Annotation> {
    let transformations = TRANSFORMATIONS.iter().map(|name| AnnotationValue::String((*name).to_owned()));
    let supported = vec![
        ("Transformations", AnnotationValue::Collection(transformations.collect())),
        (
            "GroupableProperties",
            paths(columns.clone(), |fact| {
                matches!(fact, Fact::Period(_) | Fact::Member(..)) || fact == Fact::MeasureCode
            }),
        ),
    ];
    let supported = Annotation::new("Aggregation.ApplySupported", AnnotationValue::Record(supported));
    let customs = columns.filter_map(custom_aggregate);
    [supported].into_iter().chain(customs).collect()
}

/// The context-defining properties: the columns that identify a figure's cell. Each must be grouped by, pinned or at its total.
pub(super) fn context<'a>(columns: impl Iterator<Item = &'a Column>) -> AnnotationValue {
    paths(columns, |fact| {
        matches!(
            fact,
            Fact::Period(PeriodFact::Id | PeriodFact::CbsCode)
                | Fact::Member(_, MemberFact::Id)
                | Fact::MeasureCode
        )
    })
}

fn custom_aggregate(column: &Column) -> Option<Annotation> {
    let primitive = match column.fact {
        Fact::Measure(_) | Fact::Value => PrimitiveType::Decimal,
        Fact::Status | Fact::ValueAttribute => PrimitiveType::String,
        Fact::Period(_)
        | Fact::Member(..)
        | Fact::MeasureCode
        | Fact::Updated
        | Fact::ObservationId
        | Fact::Listed(_) => return None,
    };
    Some(Annotation {
        term: "Aggregation.CustomAggregate",
        qualifier: Some(column.name.clone()),
        value: AnnotationValue::String(primitive.name().to_owned()),
    })
}

fn paths<'a>(columns: impl Iterator<Item = &'a Column>, wanted: impl Fn(Fact) -> bool) -> AnnotationValue {
    let wanted = columns.filter(|column| wanted(column.fact));
    AnnotationValue::Collection(
        wanted.map(|column| AnnotationValue::PropertyPath(column.name.clone())).collect(),
    )
}
