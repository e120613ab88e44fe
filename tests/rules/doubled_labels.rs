//! The upstream's answers have labels but no ids: members with the same label are never in one request, except a parent and its only
//! child, which share their rows.

use jobindsats_bridge::catalogue::id::MeasurementId;
use jobindsats_bridge::catalogue::measurement::Measurement;
use jobindsats_bridge::fetch::join::{self, JoinError, Joined, RootLabels};
use jobindsats_bridge::fetch::request::data_request;
use jobindsats_bridge::plan::chunk::Chunk;
use jobindsats_bridge::plan::cut::cut;
use jobindsats_bridge::plan::selection::{Members, Selection};
use jobindsats_bridge::store::block::text_at;
use jobindsats_bridge::upstream::data::DataTable;
use jobindsats_bridge::upstream::{TableHints, decode, read};
use serde_json::{Value, json};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;

/// A parent and its only child of one name, and another member with the same label elsewhere.
fn table() -> Measurement {
    let value = |id: &str, name: &str| json!({"value_id": id, "value_name": name});
    let body = json!({
        "table_id": "y99a01", "table_name": "Prøve",
        "mgroups": [{"mgroup_id": "g", "mgroup_name": "Antal", "measures": [{"measure_id": "m", "measure_name": "Antal"}]}],
        "periods": [{"periodtype_id": "M", "values": [{"period_id": "2026M01"}]}],
        "dimensions": [
            {"dimension_id": "_omrade", "dimension_name": "Område", "hierarchies": [{"hierarchy_id": "_hele_landet", "hierarchy_name": "Land", "levels": []}]},
            {"dimension_id": "_branche", "dimension_name": "Branche", "hierarchies": [{"hierarchy_id": "_branche", "hierarchy_name": "Branche", "levels": [
                {"level_id": "l1", "level_name": "Gruppe", "values": [value("/1/", "Handel"), value("/2/", "Industri")]},
                {"level_id": "l2", "level_name": "Branche", "values": [value("/1/1/", "Handel"), value("/2/1/", "Handel"), value("/2/2/", "Øvrige")]}]}]}]});
    let table = decode::json(body.to_string().as_bytes()).unwrap();
    read::measurement(&MeasurementId::from("y99a01"), &table, &TableHints::default()).unwrap()
}

fn chunks(table: &Measurement, ids: &[&str]) -> Vec<Chunk> {
    let mut wanted: Vec<_> = ids.iter().map(|id| table.dimensions[1].member_index(id).unwrap()).collect();
    wanted.sort_unstable();
    let members = vec![Members::Named(vec![0]), Members::Named(wanted)];
    let selection = Selection { periods: vec![0], members, measures: vec![0] };
    cut(table, &selection, 200_000).unwrap().iter().collect()
}

fn lists(table: &Measurement, ids: &[&str]) -> Vec<String> {
    let of = |chunk: &Chunk| data_request(table, chunk).unwrap().path_and_query();
    let list =
        |address: String| address.split("_branche=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    chunks(table, ids).iter().map(of).map(list).collect()
}

fn answer(rows: Value) -> DataTable {
    let body = json!({"columns": ["Periode", "Område", "Branche", "Antal"], "rows": rows});
    DataTable::parse(body.to_string().as_bytes(), 3, 1).unwrap()
}

fn join(table: &Measurement, chunk: &Chunk, answer: &DataTable) -> Result<Joined, JoinError> {
    join::join(table, chunk, &chunk.periods, answer, &RootLabels::new())
}

#[test]
fn namesakes_are_asked_for_apart_even_where_their_twin_is_not_wanted() {
    let table = table();
    assert_eq!(lists(&table, &["1.1", "2.1"]), ["%2F1%2F1%2F", "%2F2%2F1%2F"]);
    assert_eq!(lists(&table, &["1", "2.1"]).len(), 2);
    assert_eq!(lists(&table, &["1", "1.1"]), ["%2F1%2F%2C%2F1%2F1%2F"], "twins go together");
    assert_eq!(lists(&table, &["T", "1", "2", "1.1", "2.1", "2.2"]).len(), 2);
}

#[test]
fn one_row_or_two_equal_rows_serve_a_parent_and_its_only_child() {
    let table = table();
    let [chunk] = chunks(&table, &["1", "1.1"]).try_into().unwrap();
    let row = json!(["2026M01", "Hele landet", "Handel", 7]);
    for rows in [json!([row]), json!([row, row])] {
        let joined = join(&table, &chunk, &answer(rows)).unwrap();
        let ids = joined.cells.column_by_name("_branche").unwrap().as_dictionary::<Int32Type>();
        let mut ids: Vec<_> = (0..joined.cells.num_rows()).map(|row| text_at(ids, row).unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["1", "1.1"]);
    }
}

#[test]
fn two_different_rows_of_one_name_are_a_contradiction() {
    let table = table();
    let [chunk] = chunks(&table, &["1", "1.1"]).try_into().unwrap();
    let rows = json!([["2026M01", "Hele landet", "Handel", 7], ["2026M01", "Hele landet", "Handel", 8]]);
    assert!(matches!(join(&table, &chunk, &answer(rows)), Err(JoinError::Contradiction(_))));
}

#[test]
fn a_period_or_heading_that_was_not_asked_for_is_refused() {
    let table = table();
    let [chunk] = chunks(&table, &["2"]).try_into().unwrap();
    let other_period = answer(json!([["2025M12", "Hele landet", "Industri", 7]]));
    assert_eq!(join(&table, &chunk, &other_period), Err(JoinError::Period("2025M12".to_owned())));
    let body = json!({"columns": ["Periode", "Område", "Køn", "Antal"], "rows": [["2026M01", "Hele landet", "Mænd", 7]]});
    let other_heading = DataTable::parse(body.to_string().as_bytes(), 3, 1).unwrap();
    assert!(matches!(join(&table, &chunk, &other_heading), Err(JoinError::Heading { .. })));
    let body = json!({"columns": ["Periode", "Område", "Branche", "Andel"], "rows": []});
    let other_measure = DataTable::parse(body.to_string().as_bytes(), 3, 1).unwrap();
    assert!(matches!(join(&table, &chunk, &other_measure), Err(JoinError::Measure { .. })));
}

#[test]
fn an_unknown_label_gets_an_id_with_a_question_mark_and_is_reported() {
    let table = table();
    let [chunk] = chunks(&table, &["2", "2.2"]).try_into().unwrap();
    let rows = json!([["2026M01", "Hele landet", "Industri", 7], ["2026M01", "Hele landet", "Ny", 8]]);
    let joined = join(&table, &chunk, &answer(rows)).unwrap();
    assert_eq!(joined.unknown.iter().map(|it| it.label.as_str()).collect::<Vec<_>>(), ["Ny"]);
    let ids = joined.cells.column_by_name("_branche").unwrap().as_dictionary::<Int32Type>();
    assert_eq!((text_at(ids, 0), text_at(ids, 1)), (Some("2"), Some("?Ny")));
}

#[test]
fn columns_are_found_wherever_their_heading_stands() {
    let table = table();
    let [chunk] = chunks(&table, &["2"]).try_into().unwrap();
    let body = json!({"columns": ["Periode", "Branche", "Area", "Antal"], "rows": [["2026M01", "Industri", "Hele landet", 7]]});
    let swapped = DataTable::parse(body.to_string().as_bytes(), 3, 1).unwrap();
    let joined = join(&table, &chunk, &swapped).unwrap();
    let ids = joined.cells.column_by_name("_branche").unwrap().as_dictionary::<Int32Type>();
    assert_eq!(text_at(ids, 0), Some("2"));
}
