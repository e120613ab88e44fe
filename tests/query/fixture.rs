//! A feed of six rows with nulls, and helpers to query it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Int32Array, RecordBatch,
    StringArray, TimestampMillisecondArray,
};
use chrono::{DateTime, TimeZone, Utc};
use jobindsats_bridge::catalogue::figures::{narrowed, with_figures};
use jobindsats_bridge::feed::arrays::value_at;
use jobindsats_bridge::feed::column::{Column, Fact};
use jobindsats_bridge::feed::spelling::FormerNames;
use jobindsats_bridge::feed::{Feed, FeedId, Navigation, RowSource, Set};
use jobindsats_bridge::frame::Frame;
use jobindsats_bridge::odata::edm::{EntityContainer, EntityType, Schema};
use jobindsats_bridge::odata::uri::{Limits, parse_request};
use jobindsats_bridge::odata::value::{PrimitiveType, Value};
use jobindsats_bridge::query::bind::bind;
use jobindsats_bridge::query::error::QueryError;
use jobindsats_bridge::query::{BoundExpr, BoundQuery};

/// Columns of the set `Hovedtal`: name, type, whether it may be null.
const COLUMNS: [(&str, PrimitiveType, bool); 8] = [
    ("Periode", PrimitiveType::String, false),
    ("Fra", PrimitiveType::Date, true),
    ("Område", PrimitiveType::String, true),
    ("Område_id", PrimitiveType::String, false),
    ("Antal", PrimitiveType::Decimal, true),
    ("Nr", PrimitiveType::Int32, true),
    ("Åben", PrimitiveType::Boolean, true),
    ("Opdateret", PrimitiveType::DateTimeOffset, true),
];

pub fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 7, 15, 9, 30, 0).unwrap()
}

fn texts(values: [Option<&str>; 6]) -> ArrayRef {
    Arc::new(values.into_iter().collect::<DictionaryArray<Int32Type>>())
}

/// Stored as figures are: in units of 10⁻¹⁸.
fn figures(values: [Option<i128>; 6]) -> ArrayRef {
    let tenths = values.map(|value| value.map(|tenths| tenths * 10_i128.pow(17)));
    Arc::new(Decimal128Array::from(tenths.to_vec()).with_precision_and_scale(38, 18).unwrap())
}

/// Six rows; row 5 is null wherever it may be.
pub fn rows() -> RecordBatch {
    let day = |text: &str| Some(text.parse::<chrono::NaiveDate>().unwrap().to_epoch_days());
    let (june, july) = (day("2026-06-01"), day("2026-07-01"));
    let instant = Some(now().timestamp_millis());
    RecordBatch::try_from_iter_with_nullable([
        (
            "Periode",
            Arc::new(StringArray::from(vec![
                "2026M07", "2026M07", "2026M06", "2026M06", "2026M05", "2026M04",
            ])) as ArrayRef,
            false,
        ),
        ("Fra", Arc::new(Date32Array::from(vec![july, july, june, june, None, None])), true),
        (
            "Område",
            texts([
                Some("Hele landet"),
                Some("Ærø"),
                Some("Hele landet"),
                Some("Århus' opland"),
                Some("aabenraa"),
                None,
            ]),
            true,
        ),
        (
            "Område_id",
            texts([Some("T"), Some("2.1"), Some("T"), Some("2.2"), Some("2.3"), Some("2.4")]),
            false,
        ),
        ("Antal", figures([Some(1_108_540), Some(125), Some(1_100_000), Some(-25), Some(0), None]), true),
        ("Nr", Arc::new(Int32Array::from(vec![Some(1), Some(2), Some(1), Some(3), Some(0), None])), true),
        (
            "Åben",
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(true), None, Some(false), None])),
            true,
        ),
        (
            "Opdateret",
            Arc::new(
                TimestampMillisecondArray::from(vec![instant, instant, instant, None, None, None])
                    .with_timezone("Europe/Copenhagen"),
            ),
            true,
        ),
    ])
    .unwrap()
}

/// The same with figures of 64 bits.
pub fn narrow_rows() -> RecordBatch {
    with_figures(&rows(), |wide| Some(narrowed(wide.as_primitive_opt()?))).unwrap()
}

/// The batch of [`rows`] holds every column of the set, in the set's order.
pub fn all_columns() -> Vec<Option<usize>> {
    (0..COLUMNS.len()).map(Some).collect()
}

fn set(name: &str, key: Vec<usize>, singleton: bool) -> Set {
    let column = |(index, (name, primitive, nullable)): (usize, &(&str, PrimitiveType, bool))| Column {
        name: (*name).to_owned(),
        primitive: *primitive,
        nullable: *nullable,
        fact: Fact::Listed(index),
    };
    Set {
        name: name.to_owned(),
        alias: None,
        title: name.to_owned(),
        rows: RowSource::List(rows()),
        columns: COLUMNS.iter().enumerate().map(column).collect(),
        key,
        singleton,
        navigation: Vec::new(),
        former: FormerNames::default(),
        index: None,
    }
}

pub fn feed() -> Feed {
    let mut main = set("Hovedtal", vec![0, 3], false);
    main.alias = Some("Y25I01".to_owned());
    main.navigation = vec![Navigation {
        name: "Kode".to_owned(),
        target: 1,
        collection: false,
        from_column: 3,
        to_column: 3,
    }];
    let entity_type = EntityType { name: "Række".to_owned(), ..EntityType::default() };
    Feed {
        left_out: Vec::new(),
        former: FormerNames::default(),
        id: FeedId::next(),
        schema_id: FeedId::next(),
        sets: vec![
            main,
            set("Codes", vec![3], false),
            set("Numbers", vec![5], false),
            set("Properties", vec![], true),
        ],
        schema: Schema {
            namespace: "Jobindsats".to_owned(),
            entity_types: vec![entity_type],
            container: EntityContainer::default(),
            annotations: Vec::new(),
        },
    }
}

/// Binds a request that is in the language.
pub fn ask(path: &str, query: &str) -> Result<BoundQuery, QueryError> {
    let request = parse_request(path, query, &Limits::default());
    bind(&feed(), &request.unwrap_or_else(|error| panic!("{path}?{query}: {error}")), now())
}

pub fn filter(text: &str) -> Result<Option<BoundExpr>, QueryError> {
    ask("Hovedtal", &format!("$filter={}", encoded(text))).map(|query| query.filter)
}

/// Whether a condition over constants is true, false or unknown.
pub fn truth(text: &str) -> Option<bool> {
    let condition = filter(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    // A condition that is always true is no filter at all.
    let Some(condition) = condition else { return Some(true) };
    match condition.as_literal() {
        Some(Value::Boolean(known)) => Some(*known),
        Some(Value::Null) => None,
        other => panic!("{text} is not constant: {other:?}"),
    }
}

pub fn encoded(text: &str) -> String {
    text.replace('%', "%25").replace('+', "%2B").replace('&', "%26").replace('#', "%23")
}

/// The places of the rows that answer, as `Periode/Område_id`.
pub fn answer(query: &str) -> Vec<String> {
    answered(query).0
}

/// The rows that answer and the count, which are the same whether figures have 128 bits or 64.
pub fn answered(query: &str) -> (Vec<String>, u64) {
    let [wide, narrow] = [rows(), narrow_rows()].map(|rows| answered_from(&rows, query));
    assert_eq!(wide, narrow, "{query}");
    wide
}

fn answered_from(rows: &RecordBatch, query: &str) -> (Vec<String>, u64) {
    let feed = feed();
    let bound = ask("Hovedtal", query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let mut frame = Frame::of_list(rows).unwrap();
    if let Some(condition) = bound.condition(&feed.sets[0]) {
        frame = frame.filter(&condition).unwrap();
    }
    let count = frame.row_count() as u64;
    let frame =
        if bound.order.is_empty() { frame } else { frame.order(&bound.order, 0..usize::MAX).unwrap() };
    let first = usize::try_from(bound.skip).unwrap().min(frame.row_count());
    let left = frame.row_count() - first;
    let take = bound.top.map_or(left, |top| usize::try_from(top).unwrap().min(left));
    let rows = frame.slice(first, take).batch;
    ((0..rows.num_rows()).map(|row| place(&rows, row)).collect(), count)
}

/// The place of a row.
pub fn place(rows: &RecordBatch, row: usize) -> String {
    format!("{}/{}", text_at(rows, 0, row), text_at(rows, 3, row))
}

fn text_at(batch: &RecordBatch, column: usize, row: usize) -> String {
    match value_at(batch.column(column), row) {
        Value::String(text) => text.to_string(),
        other => panic!("{other:?} is no text"),
    }
}
