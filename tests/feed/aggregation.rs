//! The annotations for `$apply`, and that the service does what they announce.

use chrono::DateTime;
use jobindsats_bridge::error::DescribeError;
use jobindsats_bridge::feed::{Extent, Feed, RowSource};
use jobindsats_bridge::odata::csdl;
use jobindsats_bridge::odata::edm::{Annotation, AnnotationValue};
use jobindsats_bridge::odata::uri::{Limits, parse_request};
use jobindsats_bridge::odata::value::PrimitiveType;
use jobindsats_bridge::query::apply::BoundApply;
use jobindsats_bridge::query::bind::bind;
use jobindsats_bridge::query::error::QueryError;

use super::{fixture, table};

fn apply(feed: &Feed, set: &str, text: &str) -> Result<Option<BoundApply>, QueryError> {
    let query = format!("$apply={text}").replace(' ', "%20");
    let request = parse_request(set, &query, &Limits::default()).unwrap();
    bind(feed, &request, DateTime::UNIX_EPOCH).map(|query| query.apply)
}

fn code(feed: &Feed, text: &str) -> &'static str {
    apply(feed, "Data", text).map_or_else(|error| error.describe().code, |_| "")
}

const PINNED: &str = "Periode eq '2026M07' and Varighed_id eq '1' and Fase_pct_id eq '2'";

#[test]
fn members_that_share_a_label_but_not_their_figures_are_grouped_by_id() {
    let feed = table(&fixture::measurement());
    let by = |columns: &str| {
        code(&feed, &format!("filter({PINNED})/groupby(({columns}),aggregate(Antal_fuldtidspersoner))"))
    };
    assert_eq!(by("Ydelsesgrupper"), "SharedLabel");
    assert_eq!(by("Ydelsesgrupper_id"), "");
    assert_eq!(by("Ydelsesgrupper,Ydelsesgrupper_id"), "");
    assert_eq!(by("Ydelsesgrupper_nr"), "");
    assert_eq!(by("Ydelsesgrupper_niveau"), "NotAdditive");
    assert_eq!(by("Område"), "");
    // Two places of the fixture have no official code.
    assert_eq!(by("Områdekode"), "SharedLabel");
}

#[test]
fn a_label_that_is_shared_pins_nothing() {
    let feed = table(&fixture::measurement());
    let pinned = |condition: &str| {
        code(&feed, &format!("filter({PINNED} and {condition})/aggregate(Antal_fuldtidspersoner)"))
    };
    assert_eq!(pinned("Ydelsesgrupper eq 'Kontanthjælp'"), "NotAdditive");
    assert_eq!(pinned("Ydelsesgrupper eq 'A-dagpenge'"), "");
    assert_eq!(pinned("Ydelsesgrupper_niveau eq 'I alt'"), "");
    assert_eq!(pinned("not (Køn_id ne 'T')"), "");
    assert_eq!(pinned("startswith(Køn,'K')"), "NotAdditive");
}

#[test]
fn what_has_no_total_must_be_named() {
    let feed = table(&fixture::measurement());
    let without = |part: &str| {
        let condition =
            PINNED.split(" and ").filter(|term| !term.starts_with(part)).collect::<Vec<_>>().join(" and ");
        code(&feed, &format!("filter({condition})/aggregate(Antal_fuldtidspersoner)"))
    };
    for part in ["Periode", "Varighed_id", "Fase_pct_id"] {
        assert_eq!(without(part), "NotPinned", "{part}");
    }
    assert_eq!(without("nothing"), "");
}

#[test]
fn dimensions_that_a_query_does_not_mention_are_at_their_totals() {
    let feed = table(&fixture::measurement());
    let text =
        format!("filter({PINNED} and Køn_id eq '1')/groupby((Område_id),aggregate(Antal_fuldtidspersoner))");
    let bound = apply(&feed, "Data", &text).unwrap().unwrap();
    let RowSource::Cells(source) = &bound.source.rows else { panic!("{:?}", bound.source.rows) };
    let at_total: Vec<usize> =
        (0..source.extents.len()).filter(|&at| source.extents[at] == Extent::AtTotal).collect();
    assert_eq!(at_total, [2, 5, 6, 7, 8, 9, 10]);
    let read: Vec<&str> = bound.needed.iter().map(|&at| bound.source.columns[at].name.as_str()).collect();
    assert_eq!(
        read,
        ["Periode", "Område_id", "Køn_id", "Varighed_id", "Fase_pct_id", "Antal_fuldtidspersoner"]
    );
}

fn of_term<'a>(annotations: &'a [Annotation], term: &str) -> Vec<&'a Annotation> {
    annotations.iter().filter(|annotation| annotation.term == term).collect()
}

fn texts(value: &AnnotationValue) -> Vec<&str> {
    let AnnotationValue::Collection(items) = value else { panic!("{value:?}") };
    items.iter().map(text).collect()
}

fn text(value: &AnnotationValue) -> &str {
    match value {
        AnnotationValue::String(text) | AnnotationValue::PropertyPath(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_transformation_grouping_and_aggregate_that_metadata_names_is_answered() {
    let feed = table(&fixture::measurement());
    for set in &feed.schema.container.sets {
        let supported = of_term(&set.annotations, "Aggregation.ApplySupported");
        let RowSource::Cells(_) = feed.sets[feed.set_index(&set.name).unwrap()].rows else {
            assert!(supported.is_empty(), "{}", set.name);
            continue;
        };
        let AnnotationValue::Record(fields) = &supported[0].value else { panic!("{supported:?}") };
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["Transformations", "GroupableProperties"]);
        let groupable = texts(&fields[1].1);
        for transformation in texts(&fields[0].1) {
            let text = match transformation {
                "identity" => "identity".to_owned(),
                "filter" => "filter(Periode eq 'x')".to_owned(),
                "orderby" => "orderby(Periode)".to_owned(),
                "search" => "search(x)".to_owned(),
                "compute" => "compute(1 as Én)".to_owned(),
                "topcount" | "bottomcount" => format!("{transformation}(1,Periode)"),
                "top" | "skip" => format!("{transformation}(1)"),
                "aggregate" => "aggregate($count as N)".to_owned(),
                "groupby" => format!("groupby(({}))", groupable.join(",")),
                other => panic!("{other}"),
            };
            assert!(apply(&feed, &set.name, &text).is_ok(), "{} {text}", set.name);
        }
        let customs = of_term(&set.annotations, "Aggregation.CustomAggregate");
        let entity_type = feed.schema.entity_type(&set.entity_type).unwrap();
        let decimals =
            entity_type.properties.iter().filter(|property| property.primitive == PrimitiveType::Decimal);
        assert_eq!(customs.len(), decimals.count() + 1, "every measure and the state: {}", set.name);
        for custom in customs {
            let name = custom.qualifier.as_deref().unwrap();
            let property = entity_type.property(name).unwrap();
            assert_eq!(custom.value, AnnotationValue::String(property.primitive.name().to_owned()));
            let text = format!("groupby(({}),aggregate({name}))", groupable.join(","));
            assert!(apply(&feed, &set.name, &text).is_ok(), "{} {text}", set.name);
            if property.primitive == PrimitiveType::Decimal {
                let context = of_term(&property.annotations, "Aggregation.ContextDefiningProperties");
                let context = texts(&context[0].value);
                assert!(context.iter().all(|name| groupable.contains(name)), "{context:?}");
                let text = format!("groupby(({}),aggregate({name}))", context.join(","));
                assert!(apply(&feed, &set.name, &text).is_ok(), "{} {text}", set.name);
            }
        }
    }
}

#[test]
fn metadata_says_it_in_both_forms() {
    let feed = table(&fixture::measurement());
    let xml = String::from_utf8(csdl::xml::write(&feed.schema, true).unwrap()).unwrap();
    for part in [
        r#"<Annotation Term="Aggregation.CustomAggregate" Qualifier="Antal_fuldtidspersoner" String="Edm.Decimal"/>"#,
        r#"<Annotation Term="Aggregation.ContextDefiningProperties">"#,
        "<PropertyPath>Område_id</PropertyPath>",
        r#"<PropertyValue Property="GroupableProperties">"#,
    ] {
        assert!(xml.contains(part), "{part}");
    }
    let json = String::from_utf8(csdl::json::write(&feed.schema, true).unwrap()).unwrap();
    assert!(json.contains("@Aggregation.CustomAggregate#Antal_fuldtidspersoner"));
}
