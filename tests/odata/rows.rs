//! Rows as JSON: the same two observations in every version, metadata level and format.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array,
    Int64Array, ListArray, NullArray, RecordBatch, StringArray, TimestampMillisecondArray,
    TimestampSecondArray,
};
use jobindsats_bridge::catalogue::figures::{narrowed, with_figures};
use jobindsats_bridge::odata::media_type::MetadataLevel;
use jobindsats_bridge::odata::payload::{
    ExpandedRows, Identity, JsonContext, Output, OutputExpand, OutputProperty, PayloadError, is_null,
    write_collection_end, write_collection_start, write_entity, write_property, write_raw_value, write_rows,
};
use jobindsats_bridge::odata::value::PrimitiveType;
use jobindsats_bridge::odata::version::Version;
use serde_json::{Value, json};

const ONE: i128 = 1_000_000_000_000_000_000;

fn column(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

fn observations() -> RecordBatch {
    let areas: DictionaryArray<Int32Type> = [Some("Ærø's \"<&>\""), None].into_iter().collect();
    let values =
        Decimal128Array::from(vec![Some(3 * ONE), Some(-ONE / 4)]).with_precision_and_scale(38, 18).unwrap();
    batch(vec![
        ("Periode", column(StringArray::from(vec!["2026M06", "a/b'ø"]))),
        ("Område", column(areas)),
        ("Antal", column(values)),
        ("Fra", column(Date32Array::from(vec![Some(20_605), None]))),
        (
            "Opdateret",
            column(TimestampMillisecondArray::from(vec![Some(1_785_139_200_000), None]).with_timezone("UTC")),
        ),
        ("Nr", column(Int64Array::from(vec![Some(i64::MAX), None]))),
        ("Kendt", column(BooleanArray::from(vec![Some(true), None]))),
        ("Intet", column(NullArray::new(2))),
        ("Index", column(Int32Array::from(vec![Some(-1), None]))),
    ])
}

const fn property(name: &str, column: usize, primitive: PrimitiveType) -> OutputProperty<'_> {
    OutputProperty { name, column, primitive, declared: true }
}

const PERIOD: OutputProperty<'static> = property("Periode", 0, PrimitiveType::String);
const AREA: OutputProperty<'static> = property("Område", 1, PrimitiveType::String);
const NUMBER: OutputProperty<'static> = property("Antal", 2, PrimitiveType::Decimal);
const INDEX: OutputProperty<'static> = property("Index", 8, PrimitiveType::Int32);

const ALL: [OutputProperty<'static>; 9] = [
    PERIOD,
    AREA,
    NUMBER,
    property("Fra", 3, PrimitiveType::Date),
    property("Opdateret", 4, PrimitiveType::DateTimeOffset),
    property("Nr", 5, PrimitiveType::Int64),
    property("Kendt", 6, PrimitiveType::Boolean),
    property("Intet", 7, PrimitiveType::String),
    INDEX,
];

const CONTEXT: JsonContext<'static> = JsonContext {
    version: Version::V4,
    metadata: MetadataLevel::Minimal,
    ieee754_compatible: false,
    omit_nulls: false,
    context_url: "https://h/odata/$metadata#Observations",
    messages: &[],
};

fn output<'a>(batch: &'a RecordBatch, properties: &'a [OutputProperty<'a>]) -> Output<'a> {
    Output { batch, properties, expands: &[], identity: None, references: false }
}

fn text(out: Vec<u8>) -> String {
    let text = String::from_utf8(out).unwrap();
    serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    text
}

/// A collection in two pieces, as a stream would bring it.
/// The rows as JSON, which is the same whether figures have 128 bits or 64.
fn collection(context: &JsonContext<'_>, output: &Output<'_>, next: Option<&str>) -> String {
    let narrow = with_figures(output.batch, |wide| Some(narrowed(wide.as_primitive_opt()?))).unwrap();
    let written = collection_of(context, output, next);
    assert_eq!(collection_of(context, &Output { batch: &narrow, ..*output }, next), written);
    written
}

fn collection_of(context: &JsonContext<'_>, output: &Output<'_>, next: Option<&str>) -> String {
    let mut out = Vec::new();
    write_collection_start(&mut out, context, Some(7));
    write_rows(&mut out, context, output, 0..1, true).unwrap();
    write_rows(&mut out, context, output, 1..2, false).unwrap();
    write_collection_end(&mut out, context, next);
    text(out)
}

fn entity(context: &JsonContext<'_>, output: &Output<'_>, row: usize) -> String {
    let mut out = Vec::new();
    write_entity(&mut out, context, output, row).unwrap();
    text(out)
}

#[test]
fn a_collection_begins_with_its_context_and_shows_every_column_of_every_row() {
    let batch = observations();
    let next = Some("https://h/odata/Observations?$skiptoken=A\"B");
    assert_eq!(
        collection(&CONTEXT, &output(&batch, &ALL), next),
        concat!(
            r#"{"@odata.context":"https://h/odata/$metadata#Observations","@odata.count":7,"value":["#,
            r#"{"Periode":"2026M06","Område":"Ærø's \"<&>\"","Antal":3,"Fra":"2026-06-01","#,
            r#""Opdateret":"2026-07-27T08:00:00Z","Nr":9223372036854775807,"Kendt":true,"Intet":null,"Index":-1},"#,
            r#"{"Periode":"a/b'ø","Område":null,"Antal":-0.25,"Fra":null,"#,
            r#""Opdateret":null,"Nr":null,"Kendt":null,"Intet":null,"Index":null}],"#,
            r#""@odata.nextLink":"https://h/odata/Observations?$skiptoken=A\"B"}"#,
        )
    );
}

#[test]
fn a_4_01_answer_has_no_prefix_and_metadata_none_has_no_context() {
    let batch = observations();
    let output = output(&batch, &[PERIOD]);
    let newer = JsonContext { version: Version::V401, ..CONTEXT };
    assert_eq!(
        collection(&newer, &output, Some("x")),
        concat!(
            r#"{"@context":"https://h/odata/$metadata#Observations","@count":7,"#,
            r#""value":[{"Periode":"2026M06"},{"Periode":"a/b'ø"}],"@nextLink":"x"}"#,
        )
    );
    let none = JsonContext { metadata: MetadataLevel::None, ..CONTEXT };
    assert_eq!(
        collection(&none, &output, Some("x")),
        concat!(
            r#"{"@odata.count":7,"value":[{"Periode":"2026M06"},{"Periode":"a/b'ø"}],"#,
            r#""@odata.nextLink":"x"}"#,
        )
    );
    let mut out = Vec::new();
    write_collection_start(&mut out, &none, None);
    write_rows(&mut out, &none, &output, 0..0, true).unwrap();
    write_collection_end(&mut out, &none, None);
    assert_eq!(text(out), r#"{"value":[]}"#);
}

#[test]
fn wide_numbers_are_strings_for_clients_whose_numbers_are_doubles() {
    let batch = observations();
    let properties = [NUMBER, ALL[5], INDEX];
    let context = JsonContext { ieee754_compatible: true, ..CONTEXT };
    let found: Value =
        serde_json::from_str(&collection(&context, &output(&batch, &properties), None)).unwrap();
    assert_eq!(found["@odata.count"], "7");
    assert_eq!(
        found["value"],
        json!([
            {"Antal": "3", "Nr": "9223372036854775807", "Index": -1},
            {"Antal": "-0.25", "Nr": null, "Index": null},
        ])
    );
}

#[test]
fn nulls_are_left_out_only_when_that_was_negotiated() {
    let batch = observations();
    let context = JsonContext { omit_nulls: true, ..CONTEXT };
    assert_eq!(
        entity(&context, &output(&batch, &ALL), 1),
        r#"{"@odata.context":"https://h/odata/$metadata#Observations","Periode":"a/b'ø","Antal":-0.25}"#
    );
}

const IDENTITY: Identity<'static> = Identity {
    entity_type: "Jobmarked.Observation",
    set_url: "https://h/odata/Observations",
    key: &[PERIOD, INDEX],
    navigation: &["OmrådeCode"],
    shows_key: true,
};

#[test]
fn full_metadata_names_types_ids_and_links() {
    let batch = observations();
    let mut output = output(&batch, &ALL);
    output.identity = Some(IDENTITY);
    let context = JsonContext { metadata: MetadataLevel::Full, ..CONTEXT };
    let id = "https://h/odata/Observations(Periode='2026M06',Index=-1)";
    assert_eq!(
        entity(&context, &output, 0),
        [
            r##"{"@odata.context":"https://h/odata/$metadata#Observations","@odata.type":"#Jobmarked.Observation","##,
            &format!(r#""@odata.id":"{id}","#),
            &format!(r#""OmrådeCode@odata.associationLink":"{id}/Omr%C3%A5deCode/$ref","#),
            &format!(r#""OmrådeCode@odata.navigationLink":"{id}/Omr%C3%A5deCode","#),
            r##""Periode":"2026M06","Område":"Ærø's \"<&>\"","Antal@odata.type":"#Decimal","Antal":3,"##,
            r##""Fra@odata.type":"#Date","Fra":"2026-06-01","Opdateret@odata.type":"#DateTimeOffset","##,
            r##""Opdateret":"2026-07-27T08:00:00Z","Nr@odata.type":"#Int64","Nr":9223372036854775807,"Kendt":true,"##,
            r##""Intet":null,"Index@odata.type":"#Int32","Index":-1}"##,
        ]
        .concat()
    );
    let newer = JsonContext { version: Version::V401, ..context };
    let found: Value = serde_json::from_str(&entity(&newer, &output, 0)).unwrap();
    assert_eq!(found["@type"], "#Jobmarked.Observation");
    assert_eq!(found["Antal@type"], "Decimal");
    assert_eq!(found["@id"], id);
}

#[test]
fn keys_in_ids_are_quoted_and_encoded() {
    let batch = observations();
    let mut output = output(&batch, &[]);
    output.references = true;
    let key = [PERIOD];
    output.identity = Some(Identity { key: &key, ..IDENTITY });
    let context = JsonContext { context_url: "https://h/odata/$metadata#$ref", ..CONTEXT };
    assert_eq!(
        entity(&context, &output, 1),
        concat!(
            r#"{"@odata.context":"https://h/odata/$metadata#$ref","#,
            r#""@odata.id":"https://h/odata/Observations('a%2Fb''%C3%B8')"}"#,
        )
    );
    output.identity = Some(Identity { key: &[], ..IDENTITY });
    assert!(entity(&context, &output, 1).ends_with(r#""@odata.id":"https://h/odata/Observations"}"#));
    output.identity = None;
    let refused = write_entity(&mut Vec::new(), &context, &output, 1);
    assert_eq!(refused, Err(PayloadError::NoIdentity));
}

/// JSON Format 4.5.8 and 4.6.9.
#[test]
fn an_id_stands_in_minimal_metadata_where_it_does_not_follow_from_the_key() {
    let batch = observations();
    let mut output = output(&batch, &[NUMBER]);
    let id = "https://h/odata/Observations(Periode='2026M06',Index=-1)";
    let ids = |output: &Output<'_>, metadata, version| {
        let row: Value =
            serde_json::from_str(&entity(&JsonContext { metadata, version, ..CONTEXT }, output, 0)).unwrap();
        row.get("@odata.id").or(row.get("@id")).cloned()
    };
    output.identity = Some(Identity { shows_key: false, ..IDENTITY });
    for version in [Version::V4, Version::V401] {
        assert_eq!(ids(&output, MetadataLevel::Minimal, version), Some(json!(id)));
        assert_eq!(ids(&output, MetadataLevel::None, version), None);
    }
    output.identity = Some(IDENTITY);
    assert_eq!(ids(&output, MetadataLevel::Minimal, Version::V4), None);
    for (shows_key, version, found) in [
        (true, Version::V4, Some(Value::Null)),
        (false, Version::V4, Some(Value::Null)),
        (true, Version::V401, Some(Value::Null)),
        (false, Version::V401, None),
    ] {
        output.identity = Some(Identity::transient(shows_key));
        assert_eq!(ids(&output, MetadataLevel::Minimal, version), found, "{version:?} {shows_key}");
    }
}

/// JSON Format 4.5.3.
#[test]
fn what_the_model_does_not_declare_bears_its_type_in_minimal_metadata() {
    let doubles = Float64Array::from(vec![Some(1.5), Some(f64::NAN)]);
    let batch = batch(vec![
        ("Dag", column(Date32Array::from(vec![Some(20_605), None]))),
        ("Antal", column(Int32Array::from(vec![1, 2]))),
        ("Navn", column(StringArray::from(vec!["a", "b"]))),
        ("Andel", column(doubles)),
    ]);
    let undeclared =
        |name, column, primitive| OutputProperty { declared: false, ..property(name, column, primitive) };
    let properties = [
        undeclared("Dag", 0, PrimitiveType::Date),
        undeclared("Antal", 1, PrimitiveType::Int32),
        undeclared("Navn", 2, PrimitiveType::String),
        undeclared("Andel", 3, PrimitiveType::Double),
    ];
    let found = |version, metadata, row| {
        let context = JsonContext { version, metadata, context_url: "x", ..CONTEXT };
        let text = entity(&context, &output(&batch, &properties), row);
        text.trim_start_matches(r#"{"@odata.context":"x","#)
            .trim_start_matches(r#"{"@context":"x","#)
            .to_owned()
    };
    let typed = r##""Dag@odata.type":"#Date","Dag":"2026-06-01","Antal@odata.type":"#Int32","Antal":1,"Navn":"a","Andel":1.5}"##;
    assert_eq!(found(Version::V4, MetadataLevel::Minimal, 0), typed);
    assert_eq!(found(Version::V4, MetadataLevel::Full, 0), typed);
    assert_eq!(
        found(Version::V401, MetadataLevel::Minimal, 1),
        r#""Dag":null,"Antal@type":"Int32","Antal":2,"Navn":"b","Andel@type":"Double","Andel":"NaN"}"#
    );
    assert_eq!(
        found(Version::V4, MetadataLevel::None, 0),
        r#"{"Dag":"2026-06-01","Antal":1,"Navn":"a","Andel":1.5}"#
    );
}

fn areas() -> RecordBatch {
    batch(vec![("Title", column(StringArray::from(vec![Some("Ærø"), Some("Læsø"), None])))])
}

const TITLE: [OutputProperty<'static>; 1] = [property("Title", 0, PrimitiveType::String)];

#[test]
fn expanded_rows_are_written_inside_their_row() {
    let (batch, areas) = (observations(), areas());
    let target = output(&areas, &TITLE);
    let many = [vec![2, 0], Vec::new()];
    let expands = [
        OutputExpand { name: "OmrådeCode", target: &target, rows: ExpandedRows::One(&[Some(1), None]) },
        OutputExpand {
            name: "Naboer",
            target: &target,
            rows: ExpandedRows::Many { rows: &many, counts: Some(&[9, 0]) },
        },
        OutputExpand { name: "Antal", target: &target, rows: ExpandedRows::Count(&[4, 0]) },
    ];
    let mut output = output(&batch, &[PERIOD]);
    output.expands = &expands;
    let context = JsonContext { metadata: MetadataLevel::None, ..CONTEXT };
    assert_eq!(
        collection(&context, &output, None),
        concat!(
            r#"{"@odata.count":7,"value":[{"Periode":"2026M06","OmrådeCode":{"Title":"Læsø"},"#,
            r#""Naboer@odata.count":9,"Naboer":[{"Title":null},{"Title":"Ærø"}],"Antal@odata.count":4},"#,
            r#"{"Periode":"a/b'ø","OmrådeCode":null,"Naboer@odata.count":0,"Naboer":[],"Antal@odata.count":0}]}"#,
        )
    );
}

#[test]
fn expands_nest() {
    let (batch, areas) = (observations(), areas());
    let inner = output(&areas, &TITLE);
    let back = [OutputExpand { name: "B", target: &inner, rows: ExpandedRows::One(&[None, Some(0), None]) }];
    let mut middle = output(&areas, &[]);
    middle.expands = &back;
    let expands = [OutputExpand { name: "A", target: &middle, rows: ExpandedRows::One(&[Some(1), Some(7)]) }];
    let mut output = output(&batch, &[]);
    output.expands = &expands;
    let context = JsonContext { metadata: MetadataLevel::None, ..CONTEXT };
    assert_eq!(entity(&context, &output, 0), r#"{"A":{"B":{"Title":"Ærø"}}}"#);
    let refused = write_entity(&mut Vec::new(), &context, &output, 1);
    assert_eq!(refused, Err(PayloadError::NoSuchRow { row: 7, rows: 3 }));
}

#[test]
fn a_property_is_an_answer_of_its_own_and_a_text() {
    let batch = observations();
    let write = |context: &JsonContext<'_>, property: &OutputProperty<'_>| {
        let mut out = Vec::new();
        write_property(&mut out, context, &batch, property, 0).unwrap();
        text(out)
    };
    let context = JsonContext { context_url: "u", ..CONTEXT };
    assert_eq!(write(&context, &NUMBER), r#"{"@odata.context":"u","value":3}"#);
    let full = JsonContext { metadata: MetadataLevel::Full, ..context };
    assert_eq!(write(&full, &NUMBER), r##"{"@odata.context":"u","@odata.type":"#Decimal","value":3}"##);
    let none = JsonContext { metadata: MetadataLevel::None, ..context };
    assert_eq!(write(&none, &AREA), r#"{"value":"Ærø's \"<&>\""}"#);

    let raw = |property: &OutputProperty<'_>| {
        let mut out = Vec::new();
        write_raw_value(&mut out, &batch, property, 0).unwrap();
        String::from_utf8(out).unwrap()
    };
    let texts: Vec<String> = ALL.iter().map(raw).collect();
    let expected = ["2026M06", "Ærø's \"<&>\"", "3", "2026-06-01", "2026-07-27T08:00:00Z"];
    assert_eq!(texts[..5], expected);
    assert_eq!(texts[5..], ["9223372036854775807", "true", "", "-1"]);
    assert!(is_null(&batch, &AREA, 1).unwrap() && !is_null(&batch, &AREA, 0).unwrap());
}

#[test]
fn lists_and_doubles_have_their_forms() {
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
        Some(vec![Some(1), None]),
        Some(Vec::new()),
        None,
    ]);
    let doubles = Float64Array::from(vec![0.1, f64::NAN, f64::NEG_INFINITY]);
    let batch = batch(vec![("L", column(lists)), ("D", column(doubles))]);
    let properties = [property("L", 0, PrimitiveType::Int32), property("D", 1, PrimitiveType::Double)];
    let mut out = Vec::new();
    write_rows(&mut out, &CONTEXT, &output(&batch, &properties), 0..3, true).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"L":[1,null],"D":0.1},{"L":[],"D":"NaN"},{"L":null,"D":"-INF"}"#
    );
    let full = JsonContext { metadata: MetadataLevel::Full, ..CONTEXT };
    let found: Value = serde_json::from_str(&entity(&full, &output(&batch, &properties), 0)).unwrap();
    assert_eq!(found["L@odata.type"], "#Collection(Int32)");
    assert_eq!(found.get("D@odata.type"), None);
}

#[test]
fn what_cannot_be_written_is_an_error_and_not_a_panic() {
    let strange = batch(vec![
        ("S", column(TimestampSecondArray::from(vec![1]))),
        ("D", column(Date32Array::from(vec![i32::MAX]))),
    ]);
    let write = |property: OutputProperty<'_>, row| {
        let properties = [property];
        write_entity(&mut Vec::new(), &CONTEXT, &output(&strange, &properties), row)
    };
    let unsupported = write(property("S", 0, PrimitiveType::DateTimeOffset), 0);
    assert!(matches!(unsupported, Err(PayloadError::UnsupportedColumn { property, .. }) if property == "S"));
    let missing = write(property("X", 2, PrimitiveType::String), 0);
    assert!(matches!(missing, Err(PayloadError::NoSuchColumn { columns: 2, .. })));
    let date = property("D", 1, PrimitiveType::Date);
    assert_eq!(write(date, 0), Err(PayloadError::BeyondCalendar { row: 0 }));
    assert_eq!(write(date, 1), Err(PayloadError::NoSuchRow { row: 1, rows: 1 }));
    assert!(is_null(&strange, &date, 1).is_err());
    let rows = write_rows(&mut Vec::new(), &CONTEXT, &output(&strange, &[]), 0..2, true);
    assert_eq!(rows, Err(PayloadError::NoSuchRow { row: 1, rows: 1 }));
}
