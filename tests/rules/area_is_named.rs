//! Every request names an area; area hierarchies are chosen so that the fewest contain the wanted areas.

use jobindsats_bridge::catalogue::id::MeasurementId;
use jobindsats_bridge::catalogue::measurement::Measurement;
use jobindsats_bridge::fetch::request::data_request;
use jobindsats_bridge::plan::cut::cut;
use jobindsats_bridge::plan::selection::{Members, Selection};
use jobindsats_bridge::upstream::{TableHints, decode, read};
use serde_json::{Value, json};

fn hierarchy(id: &str, levels: Value) -> Value {
    json!({"hierarchy_id": id, "hierarchy_name": id, "levels": levels})
}

fn municipalities(prefix: &str) -> Value {
    let value =
        |(at, name): (usize, &&str)| json!({"value_id": format!("{prefix}/{}/", at + 1), "value_name": name});
    let names = ["Aarhus", "Odense", "Randers"];
    json!({"level_id": "kom", "level_name": "Kommune", "values": names.iter().enumerate().map(value).collect::<Vec<_>>()})
}

fn regions() -> Value {
    json!({"level_id": "reg", "level_name": "Region", "values": [
        {"value_id": "/1/", "value_name": "Region Midtjylland"}, {"value_id": "/2/", "value_name": "Region Syddanmark"}]})
}

fn table(hierarchies: &[Value]) -> Measurement {
    let body = json!({
        "table_id": "y99a01", "table_name": "Prøve",
        "mgroups": [{"mgroup_id": "g", "mgroup_name": "Antal", "measures": [{"measure_id": "m", "measure_name": "Antal"}]}],
        "periods": [{"periodtype_id": "M", "values": [{"period_id": "2026M01"}]}],
        "dimensions": [{"dimension_id": "_omrade", "dimension_name": "Område", "hierarchies": hierarchies}]});
    let table = decode::json(body.to_string().as_bytes()).unwrap();
    read::measurement(&MeasurementId::from("y99a01"), &table, &TableHints::default()).unwrap()
}

/// The area parts of the requests for places of those levels.
fn asked(table: &Measurement, levels: &[&str]) -> Vec<String> {
    let members = &table.dimensions[0].members;
    let wanted = (0..members.len()).filter(|&at| levels.contains(&members[at].level.as_str())).collect();
    let selection = Selection { periods: vec![0], members: vec![Members::Named(wanted)], measures: vec![0] };
    let chunks = cut(table, &selection, 200_000).unwrap();
    let area =
        |address: String| address.split('&').find(|part| part.starts_with("hierarchy.")).unwrap().to_owned();
    let mut areas: Vec<_> =
        chunks.iter().map(|chunk| area(data_request(table, &chunk).unwrap().path_and_query())).collect();
    areas.sort();
    areas
}

fn all() -> Measurement {
    table(&[
        hierarchy("_nykom", json!([municipalities("")])),
        hierarchy("_region", json!([regions()])),
        hierarchy("_reko", json!([regions(), municipalities("/1")])),
    ])
}

#[test]
fn municipalities_and_regions_are_one_request_where_one_hierarchy_holds_both() {
    let everything = ["Land", "Region", "Kommune"];
    assert_eq!(asked(&all(), &everything), ["hierarchy._reko=*"]);
    assert_eq!(asked(&all(), &everything[1..]).len(), 1);
}

#[test]
fn one_kind_of_area_is_asked_for_in_its_own_hierarchy() {
    assert_eq!(asked(&all(), &["Region"]), ["hierarchy._region=level%3Areg"]);
    assert_eq!(asked(&all(), &["Kommune"]), ["hierarchy._nykom=level%3Akom"]);
    assert_eq!(asked(&all(), &["Land", "Region"]), ["hierarchy._region=*"]);
}

#[test]
fn the_country_is_asked_for_in_the_smallest_hierarchy() {
    assert_eq!(asked(&all(), &["Land"]), ["hierarchy._nykom=%2F"]);
    let with_country =
        table(&[hierarchy("_nykom", json!([municipalities("")])), hierarchy("_hele_landet", json!([]))]);
    assert_eq!(asked(&with_country, &["Land"]), ["hierarchy._hele_landet=%2F"]);
}

#[test]
fn without_a_common_hierarchy_there_is_a_request_for_each_and_the_country_once() {
    let apart =
        table(&[hierarchy("_nykom", json!([municipalities("")])), hierarchy("_region", json!([regions()]))]);
    let asked = asked(&apart, &["Land", "Region", "Kommune"]);
    assert_eq!(asked, ["hierarchy._nykom=*", "hierarchy._region=level%3Areg"]);
}
