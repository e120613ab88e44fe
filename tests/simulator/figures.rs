//! The simulator returns published figures exactly; made-up figures are consistent with each other.

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
        let only_country = wanted.keys().all(|cell| cell.1 != filters || cell.2 == "Hele landet");
        let members = if only_country { "/" } else { "*" };
        let mut selection = format!("mgroup.*=*&hierarchy.{areas}={members}");
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

/// Every cell with its figure as it stood at the latest retrieval that `counts`.
fn as_of(counts: impl Fn(&Cell, &str) -> bool) -> BTreeMap<Cell, Option<f64>> {
    let cells = published();
    // A cell may be written with and without its totals; the latest of both stands.
    let mut latest: BTreeMap<Cell, (&str, Option<f64>)> = BTreeMap::new();
    for (cell, versions) in &cells {
        for (moment, figure) in versions.iter().filter(|(moment, _)| counts(cell, moment)) {
            let entry = latest.entry(without_totals(cell)).or_insert((moment, *figure));
            if moment.as_str() >= entry.0 {
                *entry = (moment, *figure);
            }
        }
    }
    cells.keys().filter_map(|cell| Some((cell.clone(), latest.get(&without_totals(cell))?.1))).collect()
}

#[tokio::test]
async fn earlier_retrievals_are_earlier_editions() {
    let options = SimulatorOptions { edition: -1, closed_hour: false, ..SimulatorOptions::default() };
    let upstream = Upstream::with(options).await;
    let earlier =
        |cell: &Cell, moment: &str| moment == "2026-07-27" && cell.0 != "y25i06b" && cell.0 != "y01c01";
    let wanted = as_of(earlier);
    let newest = as_of(|_, _| true);
    let revised = wanted.iter().filter(|(cell, figure)| newest[*cell] != **figure).count();
    assert!(revised > 60, "{revised} figures were revised");
    for table in ["y01dia02", "y01h01", "y25i01", "y25i05", "y25i06", "y25i09"] {
        let of_table: BTreeMap<_, _> = wanted
            .iter()
            .filter(|(cell, _)| cell.0 == table)
            .map(|(cell, figure)| (cell.clone(), *figure))
            .collect();
        assert_eq!(check_table(&upstream, table, &of_table).await, of_table.len(), "{table}");
    }
}

#[tokio::test]
async fn every_published_figure_comes_back_as_last_retrieved() {
    let upstream = Upstream::open().await;
    let wanted = as_of(|_, _| true);
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

/// Checks a property of tables chosen at random, all in one simulator; the numbers choose within the table.
fn property(check: impl AsyncFn(&Upstream, String, [usize; 2]) -> Result<(), TestCaseError>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let upstream = runtime.block_on(Upstream::open());
    let tables: Vec<_> = upstream.simulator.control().made_up().tables.into_keys().collect();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(64));
    let cases = (0..tables.len(), [0usize..64, 0usize..64]);
    let case =
        |(table, choices): (usize, _)| runtime.block_on(check(&upstream, tables[table].clone(), choices));
    runner.run(&cases, case).unwrap();
}

impl Ids {
    /// Every hierarchy of the table.
    fn all_hierarchies(&self) -> Vec<Value> {
        let dimensions = self.0["dimensions"].as_array().unwrap().iter();
        dimensions.flat_map(|dimension| dimension["hierarchies"].as_array().unwrap().clone()).collect()
    }

    fn periods(&self) -> Vec<String> {
        let values = self.0["periods"][0]["values"].as_array().unwrap().iter();
        values.map(|value| value["period_id"].as_str().unwrap().to_owned()).collect()
    }
}

fn id(of: &Value, name: &str) -> String {
    of[name].as_str().unwrap().to_owned()
}

fn some_member(hierarchy: &Value, choice: usize) -> String {
    let levels = hierarchy["levels"].as_array().unwrap().iter();
    let values: Vec<_> = levels.flat_map(|level| level["values"].as_array().unwrap()).collect();
    if values.is_empty() { "/".into() } else { id(values[choice % values.len()], "value_id") }
}

#[test]
fn no_part_exceeds_its_total() {
    property(async |upstream, table, [by, other]| {
        upstream.simulator.control().set_edition(None, other as i32 % 5 - 2).unwrap();
        let ids = Ids::of(upstream, &table).await;
        let hierarchies = ids.all_hierarchies();
        let (by, beside) = (&hierarchies[by % hierarchies.len()], &hierarchies[other % hierarchies.len()]);
        let periods = ids.periods();
        let mut fixed = format!("period.{}={}", ids.kinds()[0], periods[other % periods.len()]);
        if by["hierarchy_id"] != beside["hierarchy_id"]
            && !id(beside, "hierarchy_id").starts_with("_re")
            && !id(by, "hierarchy_id").starts_with("_re")
        {
            fixed += &format!("&hierarchy.{}={}", id(beside, "hierarchy_id"), some_member(beside, other));
        }
        let total = upstream.data(&table, &format!("mgroup.*=*&{fixed}")).await;
        let parts = upstream
            .data(&table, &format!("mgroup.*=*&{fixed}&hierarchy.{}=*", id(by, "hierarchy_id")))
            .await;
        let (columns, total) = (total.columns(), total.rows());
        let Some(total) = total.first() else { return Ok(()) };
        let shift = parts.columns().len() - columns.len();
        for row in parts.rows() {
            for (index, heading) in
                columns.iter().enumerate().filter(|(_, heading)| heading.starts_with("Antal"))
            {
                if let Some(part) = row[index + shift].as_f64() {
                    let whole = total[index].as_f64();
                    prop_assert!(
                        whole.is_some_and(|whole| part <= whole),
                        "{table} {fixed} {heading}: {row:?} of {total:?}"
                    );
                }
            }
        }
        Ok(())
    });
}

#[test]
fn naming_a_total_changes_no_figure() {
    property(async |upstream, table, [by, choice]| {
        let ids = Ids::of(upstream, &table).await;
        let hierarchies = ids.all_hierarchies();
        let by = id(&hierarchies[by % hierarchies.len()], "hierarchy_id");
        let periods = ids.periods();
        let selection = format!("mgroup.*=*&period.{}={}", ids.kinds()[0], periods[choice % periods.len()]);
        let unnamed = upstream.data(&table, &selection).await;
        let named = upstream.data(&table, &format!("{selection}&hierarchy.{by}=/")).await;
        if by == "_var13uger" {
            prop_assert!(named.rows().is_empty());
            return Ok(());
        }
        let without_label = |mut row: Vec<Value>| {
            row.remove(1);
            row
        };
        let named: Vec<_> = named.rows().into_iter().map(without_label).collect();
        let shortened: Vec<_> = unnamed.rows();
        // The label of the dimension stands after those named before it; only one is named here.
        prop_assert_eq!(named, shortened);
        Ok(())
    });
}

#[test]
fn figures_keep_to_the_bounds_of_their_measures() {
    property(async |upstream, table, [by, choice]| {
        let ids = Ids::of(upstream, &table).await;
        let hierarchies = ids.all_hierarchies();
        let by = id(&hierarchies[by % hierarchies.len()], "hierarchy_id");
        let periods = ids.periods();
        let selection = format!("mgroup.*=*&period.{}={}", ids.kinds()[0], periods[choice % periods.len()]);
        let reply = upstream.data(&table, &format!("{selection}&hierarchy.{by}=*")).await;
        let again = upstream.data(&table, &format!("{selection}&hierarchy.{by}=*")).await;
        prop_assert_eq!(&reply.body, &again.body);
        let columns = reply.columns();
        for row in reply.rows() {
            for (heading, value) in columns.iter().zip(&row).skip(2) {
                let Some(value) = value.as_f64() else { continue };
                if heading.starts_with("Antal") {
                    prop_assert!(value >= 2.0 && value.fract() == 0.0, "{table} {heading} {row:?}");
                }
                if heading.starts_with("Andel") || heading.contains("pct. af") {
                    prop_assert!((0.0..=100.0).contains(&value), "{table} {heading} {row:?}");
                }
            }
        }
        Ok(())
    });
}

#[tokio::test]
async fn small_municipalities_are_hidden_and_parts_add_up_to_less_than_the_total() {
    let upstream = Upstream::open().await;
    let selection = "mgroup.mgrpa02_1=*&period.M=2026M01&hierarchy._nykom=*";
    let rows = upstream.data("y04a02", selection).await.rows();
    let hidden = rows.iter().filter(|row| row[2].is_null()).count();
    assert!((1..60).contains(&hidden), "{hidden} municipalities hidden");
    let figures: Vec<_> = rows.iter().map(|row| row[2].as_i64().unwrap_or(0)).collect();
    let parts: i64 = figures[1..].iter().sum();
    assert!(parts < figures[0] && parts * 10 > figures[0] * 8, "{parts} of {}", figures[0]);
}

#[tokio::test]
async fn a_follow_up_measure_has_no_figure_for_the_newest_periods() {
    let upstream = Upstream::open().await;
    let rows = upstream.data("y25i08", "mgroup.*=*&period.Q=latest:6&hierarchy._nykom=/").await.rows();
    let known: Vec<Vec<bool>> =
        rows.iter().map(|row| row[2..].iter().map(|cell| !cell.is_null()).collect()).collect();
    assert_eq!(known[5], [false; 4]);
    assert_eq!(known[4], [true, false, false, false]);
    assert_eq!(known[1], [true; 4]);
}

#[tokio::test]
async fn the_newest_month_of_notices_of_dismissal_is_empty() {
    let upstream = Upstream::open().await;
    let rows = upstream.data("y25i05", "mgroup.*=*&period.M=latest:1&hierarchy._nykom=*").await.rows();
    assert_eq!(rows.len(), 100);
    assert!(rows.iter().all(|row| row[2].is_null() && row[3].is_null()));
}

#[tokio::test]
async fn figures_of_foreign_citizens_mean_nothing_without_the_pinned_population() {
    let upstream = Upstream::open().await;
    let free = upstream.data("y24j", "mgroup.*=*&period.Y=2018Y01&hierarchy._nykom=/").await.rows();
    let pinned = upstream
        .data("y24j", "mgroup.*=*&period.Y=2018Y01&hierarchy._nykom=/&hierarchy._popbeskudl=/2/")
        .await;
    assert!(free[0][2..].iter().all(Value::is_null));
    assert!(pinned.rows()[0][3..].iter().all(Value::is_number));
}

#[tokio::test]
async fn an_earlier_edition_answers_the_earlier_retrieval_and_an_update_brings_the_later_one() {
    let options = SimulatorOptions { edition: -1, closed_hour: false, ..SimulatorOptions::default() };
    let upstream = Upstream::with(options).await;
    let june = "mgroup.*=*&period.M=2026M06&hierarchy._nykom=/";
    let july = "mgroup.*=*&period.M=2026M07&hierarchy._nykom=/";
    let full_time = |rows: Vec<Vec<Value>>| rows[0][3].as_i64();
    assert_eq!(full_time(upstream.data("y25i01", june).await.rows()), Some(88080));
    assert_eq!(upstream.data("y25i01", july).await.status, 422);
    upstream.simulator.control().publish(&Publish { table: "y25i01".into(), ..Publish::default() }).unwrap();
    assert_eq!(full_time(upstream.data("y25i01", june).await.rows()), Some(89907));
    assert_eq!(upstream.data("y25i01", july).await.status, 200);
}
