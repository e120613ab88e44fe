//! Published figures, read back through OData from end to end.
//!
//! `real_values.json` has them as they were gathered: one entry per series, with the day it was retrieved. The latest retrieval of a
//! cell counts. Each series is found by its labels alone.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;

use crate::support::app::{App, AppOptions};

#[derive(Deserialize)]
struct Series {
    table_id: String,
    retrieved: String,
    area: String,
    filters: BTreeMap<String, String>,
    measure: String,
    unit: String,
    values: BTreeMap<String, Option<Decimal>>,
}

/// A cell by its labels: table, area, members that are not totals, measure, period.
type Cell = (String, String, Vec<(String, String)>, String, String);

struct Published {
    figure: Option<Decimal>,
    retrieved: String,
    /// Another figure of the same cell from a retrieval of the same day.
    contradicted: bool,
}

fn is_total(label: &str) -> bool {
    label.to_lowercase().ends_with("i alt") && !label.starts_with("Vejledning") && !is_offer(label)
}

/// Offers whose own names end like totals.
fn is_offer(label: &str) -> bool {
    let offers =
        ["Ordinær uddannelse", "Ansættelse med løntilskud", "Offentlig ansættelse", "Virksomhedspraktik"];
    let more = ["Offentlig virksomhedspraktik", "Nytteindsats"];
    offers.iter().chain(&more).any(|offer| label.starts_with(offer))
}

fn cells() -> BTreeMap<Cell, Published> {
    let series: Vec<Series> = serde_json::from_str(include_str!("real_values.json")).unwrap();
    let mut cells: BTreeMap<Cell, Published> = BTreeMap::new();
    for series in &series {
        let filters = series.filters.iter().filter(|(_, label)| !is_total(label));
        let filters: Vec<_> = filters.map(|(name, label)| (name.clone(), label.clone())).collect();
        let day = series.retrieved.split(' ').next().unwrap().to_owned();
        // The upstream delivers this rate as a fraction; it was gathered multiplied by a hundred.
        let scale =
            if series.unit.contains("here multiplied by 100") { Decimal::ONE_HUNDRED } else { Decimal::ONE };
        for (period, figure) in &series.values {
            let area = (series.table_id.clone(), series.area.clone());
            let cell = (area.0, area.1, filters.clone(), series.measure.clone(), period.clone());
            let figure = figure.map(|figure| figure / scale);
            let earlier = cells.get(&cell).filter(|earlier| earlier.retrieved == day);
            let contradicted =
                earlier.is_some_and(|earlier| earlier.contradicted || earlier.figure != figure);
            if cells.get(&cell).is_none_or(|earlier| earlier.retrieved <= day) {
                cells.insert(cell, Published { figure, retrieved: day.clone(), contradicted });
            }
        }
    }
    cells
}

/// Figures of one table: by area, members that are not totals, measure and period.
type Figures = BTreeMap<(String, Vec<(String, String)>, String, String), BTreeSet<Option<Decimal>>>;

/// Reads the rows of `Data` in which all dimensions but the named ones stand at their totals.
async fn read(app: &App, table: &str, named: &BTreeSet<String>, periods: &BTreeSet<String>) -> Figures {
    let root = format!("/odata/jobindsats/{table}");
    let dimensions = app.get(&format!("{root}/Dimensions")).await.rows();
    let measures = app.get(&format!("{root}/MeasureCodes")).await.rows();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let divided: Vec<_> = dimensions.iter().filter(|row| row["Kind"] == "Dimension").collect();
    let column =
        |label: &str| divided.iter().find(|row| row["Title"] == label).map(|row| text(row, "Identifier"));
    let totals = divided.iter().filter(|row| !named.contains(&text(row, "Title")) && row["HasTotal"] == true);
    let mut conditions: Vec<_> = totals.map(|row| format!("{}_id eq 'T'", text(row, "Identifier"))).collect();
    let periods: Vec<_> = periods.iter().map(|period| format!("'{period}'")).collect();
    conditions.push(format!("Periode in ({})", periods.join(",")));
    let columns: Vec<_> = named
        .iter()
        .map(|label| (label, column(label).unwrap_or_else(|| panic!("{table}: {label}"))))
        .collect();
    let mut figures = Figures::new();
    for row in app.all_rows(&format!("{root}/Data?$filter={}", conditions.join(" and "))).await {
        let divided = columns.iter().filter(|(_, column)| row[format!("{column}_id")] != "T");
        let members: Vec<_> = divided.map(|(label, column)| ((*label).clone(), text(&row, column))).collect();
        for measure in &measures {
            let figure = match &row[text(measure, "Column")] {
                Value::Null => None,
                number => Some(number.to_string().parse().unwrap()),
            };
            let place =
                (text(&row, "Område"), members.clone(), text(measure, "Title"), text(&row, "Periode"));
            figures.entry(place).or_default().insert(figure);
        }
    }
    figures
}

/// A table and the dimensions that are named: what one request can answer.
type Group = (String, BTreeSet<String>);

#[actix_web::test]
async fn published_figures_are_read_back_through_odata() {
    let app = App::with(AppOptions::default()).await;
    let cells = cells();
    let mut groups: BTreeMap<Group, Vec<(&Cell, &Published)>> = BTreeMap::new();
    for (cell, published) in &cells {
        let named = cell.2.iter().map(|(label, _)| label.clone()).collect();
        groups.entry((cell.0.clone(), named)).or_default().push((cell, published));
    }
    let (mut checked, mut left_out, mut wrong) = (0, Vec::new(), Vec::new());
    for ((table, named), cells) in groups {
        let periods = cells.iter().map(|(cell, _)| cell.4.clone()).collect();
        let figures = read(&app, &table, &named, &periods).await;
        for (cell, published) in cells {
            if published.contradicted {
                left_out.push(format!("{cell:?}: two figures were retrieved on the same day"));
                continue;
            }
            let place = (cell.1.clone(), cell.2.clone(), cell.3.clone(), cell.4.clone());
            match figures.get(&place) {
                Some(read) if *read == BTreeSet::from([published.figure]) => checked += 1,
                read => wrong.push(format!("{cell:?}: published {:?}, read {read:?}", published.figure)),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert!(checked >= 10_000, "only {checked} cells were read back");
    assert_eq!(left_out.len(), 4, "{left_out:#?}");
}
