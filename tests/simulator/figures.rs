//! Published figures come back exactly; made-up ones keep to the rules of statistics.

use std::collections::{BTreeMap, BTreeSet};

use jobindsats_bridge::simulator::{Publish, SimulatorOptions};
use proptest::prelude::*;
use serde_json::Value;

use super::Upstream;

/// A cell of the committed file: table, filters, area, measure, period.
type Cell = (String, Vec<(String, String)>, String, String, String);

/// Published figures by cell, each with its retrievals in order of time.
fn published() -> BTreeMap<Cell, Vec<(String, Option<f64>)>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/metadata/simulator/figures.csv");
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_path(path).unwrap();
    let mut cells: BTreeMap<Cell, Vec<(String, Option<f64>)>> = BTreeMap::new();
    for record in reader.records() {
        let record = record.unwrap();
        let filters: Vec<_> = record[3]
            .split('|')
            .filter_map(|filter| filter.split_once('='))
            .map(|(name, label)| (name.to_owned(), label.to_owned()))
            .collect();
        let moment = record[1].split(' ').next().unwrap().to_owned();
        for figure in record[5].split(' ') {
            let (period, value) = figure.split_once('=').unwrap();
            let cell = (record[0].into(), filters.clone(), record[2].into(), record[4].into(), period.into());
            cells.entry(cell).or_default().push((moment.clone(), value.parse().ok()));
        }
    }
    cells.values_mut().for_each(|versions| versions.sort_by(|a, b| a.0.cmp(&b.0)));
    cells
}

/// The ids that a table's metadata gives to labels.
struct Ids(Value);

impl Ids {
    async fn of(upstream: &Upstream, table: &str) -> Self {
        Self(upstream.get(&format!("/table/{table}?format=json")).await.json())
    }

    fn hierarchies(&self, dimension: &str) -> Vec<Value> {
        let dimensions = self.0["dimensions"].as_array().unwrap().iter();
        let mut found = dimensions
            .filter(|about| about["dimension_name"] == *dimension || about["dimension_id"] == *dimension);
        found.next().unwrap_or_else(|| panic!("no dimension {dimension}"))["hierarchies"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// The ids of the members of that name; the total, where it is not listed, is `/`.
    fn members(hierarchy: &Value, label: &str) -> Vec<String> {
        let levels = hierarchy["levels"].as_array().unwrap().iter();
        let values = levels.flat_map(|level| level["values"].as_array().unwrap());
        let found: Vec<_> = values
            .filter(|value| value["value_name"] == *label)
            .map(|value| value["value_id"].as_str().unwrap().to_owned())
            .collect();
        if found.is_empty() { vec!["/".into()] } else { found }
    }

    fn area_hierarchy(&self, area: &str) -> String {
        let hierarchies = self.hierarchies("_omrade");
        let holds = |hierarchy: &&Value| {
            area == "Hele landet" || hierarchy.to_string().contains(&format!("\"{area}\""))
        };
        hierarchies.iter().find(holds).unwrap()["hierarchy_id"].as_str().unwrap().to_owned()
    }

    fn kinds(&self) -> Vec<String> {
        let kinds = self.0["periods"].as_array().unwrap().iter();
        kinds.map(|kind| kind["periodtype_id"].as_str().unwrap().to_owned()).collect()
    }
}

/// Reads everything that the file has of one table and counts the cells that are right.
async fn check_table(upstream: &Upstream, table: &str, wanted: &BTreeMap<Cell, Option<f64>>) -> usize {
    let ids = Ids::of(upstream, table).await;
    let kind = &ids.kinds()[0];
    let mut right = 0;
    let requests: BTreeSet<_> =
        wanted.keys().map(|(_, filters, area, ..)| (filters.clone(), ids.area_hierarchy(area))).collect();
    for (filters, areas) in requests {
        let mut selection = format!("mgroup.*=*&hierarchy.{areas}=*");
        for (dimension, label) in &filters {
            let hierarchy = &ids.hierarchies(dimension)[0];
            let id = hierarchy["hierarchy_id"].as_str().unwrap();
            // Of a parent and its only child of the same name either one will do; take the last.
            selection += &format!("&hierarchy.{id}={}", Ids::members(hierarchy, label).pop().unwrap());
        }
        let periods: BTreeSet<_> =
            wanted.keys().filter(|cell| cell.1 == filters).map(|cell| cell.4.as_str()).collect();
        let periods = periods.into_iter().collect::<Vec<_>>().join(",");
        let reply = upstream.data(table, &format!("{selection}&period.{kind}={periods}")).await;
        let columns = reply.columns();
        for row in reply.rows() {
            for (index, measure) in columns.iter().enumerate().skip(2 + filters.len()) {
                let text = |index: usize| row[index].as_str().unwrap().to_owned();
                let cell = (table.to_owned(), filters.clone(), text(1), measure.clone(), text(0));
                if let Some(expected) = wanted.get(&cell).filter(|_| ids.area_hierarchy(&cell.2) == areas) {
                    assert_eq!(row[index].as_f64(), *expected, "{cell:?}");
                    right += 1;
                }
            }
        }
    }
    right
}

/// The labels of totals in the file.
const TOTALS: [&str; 8] = [
    "I alt",
    "A-kasse i alt",
    "Ydelsesgrupper i alt",
    "Tilbud i alt",
    "Personer i alt",
    "Ledige i alt",
    "Branche i alt",
    "Stillingsbetegnelse i alt",
];

/// The cell as it is kept inside: a filter that names a total is no filter.
fn without_totals(cell: &Cell) -> Cell {
    let mut cell = cell.clone();
    cell.1.retain(|(_, label)| !TOTALS.contains(&label.as_str()));
    cell
}

#[tokio::test]
async fn every_published_figure_comes_back_as_last_retrieved() {
    let upstream = Upstream::open().await;
    let cells = published();
    // A cell may be written with and without its totals; the latest of both stands.
    let mut latest: BTreeMap<Cell, (String, Option<f64>)> = BTreeMap::new();
    for (cell, versions) in &cells {
        let (moment, figure) = versions.last().unwrap();
        let entry = latest.entry(without_totals(cell)).or_insert((moment.clone(), *figure));
        if *moment >= entry.0 {
            *entry = (moment.clone(), *figure);
        }
    }
    let wanted: BTreeMap<Cell, Option<f64>> =
        cells.keys().map(|cell| (cell.clone(), latest[&without_totals(cell)].1)).collect();
    let tables: BTreeSet<_> = wanted.keys().map(|cell| cell.0.clone()).collect();
    let mut right = 0;
    for table in tables {
        let of_table: BTreeMap<_, _> = wanted
            .iter()
            .filter(|(cell, _)| cell.0 == table)
            .map(|(cell, figure)| (cell.clone(), *figure))
            .collect();
        let count = check_table(&upstream, &table, &of_table).await;
        assert_eq!(count, of_table.len(), "{table}");
        right += count;
    }
    assert!(right > 11_000, "{right}");
}
