//! Answers in the upstream's forms: metadata as JSON, rows as JSON or CSV.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::answer::Row;
use super::figures::View;
use super::hierarchy::Hierarchy;
use super::metadata::Metadata;
use super::periods::{Period, PeriodType};
use super::request::{Division, Selection, total_level_id};
use super::tables::{Dimension, Table};

/// What a reader of figures is led to when it asks for more about a table.
const SITE: &str = "https://jobindsats.dk/";

/// `/subjects`: every subject of the databank's menu, by group.
pub fn subjects(metadata: &Metadata) -> Value {
    let mut groups: Vec<Value> = Vec::new();
    for subject in &metadata.subjects {
        let entry = json!({ "subject_id": subject.id, "subject_name": subject.name });
        match groups.iter_mut().find(|group| group["subject_group_id"] == subject.group_id) {
            Some(group) => {
                if let Some(subjects) = group["subjects"].as_array_mut() {
                    subjects.push(entry);
                }
            }
            None => groups.push(json!({
                "subject_group_id": subject.group_id,
                "subject_group_name": subject.group,
                "subjects": [entry],
            })),
        }
    }
    Value::Array(groups)
}

/// When a table was and will be updated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateDates {
    pub latest: String,
    pub next: String,
}

/// `/tables`: the tables of the subjects asked for; `state` gives each table's edition and dates.
pub fn tables<'a>(
    metadata: &'a Metadata,
    wanted: Option<&[&str]>,
    state: impl Fn(usize) -> (View<'a>, UpdateDates),
) -> Value {
    let wanted = |id: &str| wanted.is_none_or(|ids| ids.contains(&id));
    let subjects = metadata.subjects.iter().filter(|subject| wanted(&subject.id)).map(|subject| {
        let mut groups: Vec<Value> = Vec::new();
        for (index, table) in
            metadata.tables.iter().enumerate().filter(|(_, table)| table.subject == subject.id)
        {
            let (view, dates) = state(index);
            let head = head(&view, &dates);
            let found = groups.iter_mut().find(|group| group["table_group_name"] == table.group);
            match found.and_then(|group| group["tables"].as_array_mut()) {
                Some(tables) => tables.push(head),
                None => groups.push(json!({
                    "table_group_id": format!("{}{:02}", subject.id, groups.len() + 1),
                    "table_group_name": table.group,
                    "tables": [head],
                })),
            }
        }
        json!({ "subject_id": subject.id, "subject_name": subject.name, "table_groups": groups })
    });
    Value::Array(subjects.collect())
}

fn head(view: &View<'_>, dates: &UpdateDates) -> Value {
    let table = view.table;
    let group = |(id, name, _): (&str, &str, _)| json!({ "mgroup_id": id, "mgroup_name": name });
    json!({
        "table_id": table.id,
        "table_name": table.title,
        "link_infopage": SITE,
        "link_tablepage": SITE,
        "update_freq": table.update.freq,
        "update_latest": dates.latest,
        "update_next": dates.next,
        "mgroups": measure_groups(table).into_iter().map(group).collect::<Vec<_>>(),
        "periods": { "periodtypes": table.periods.iter().map(|range| span(view, range.kind())).collect::<Vec<_>>() },
        "dimensions": table.dimensions.iter().map(dimension_head).collect::<Vec<_>>(),
    })
}

fn span(view: &View<'_>, kind: PeriodType) -> Value {
    let periods = view.periods(kind);
    let text = |period: Option<&Period>| period.map(ToString::to_string);
    json!({
        "periodtype_id": kind.id(),
        "period_first": text(periods.first()),
        "period_last": text(periods.last()),
    })
}

fn dimension_head(dimension: &Dimension) -> Value {
    let head = |tree: &Hierarchy| json!({ "hierarchy_id": tree.id, "hierarchy_name": tree.name });
    let hierarchies: Vec<_> = dimension.hierarchies.iter().map(head).collect();
    json!({ "dimension_id": dimension.id, "dimension_name": dimension.name, "hierarchies": hierarchies })
}

/// The measure groups of a table in the order of their first measures, each with the positions of its measures.
fn measure_groups(table: &Table) -> Vec<(&str, &str, Vec<usize>)> {
    let mut groups: Vec<(&str, &str, Vec<usize>)> = Vec::new();
    for (index, measure) in table.measures.iter().enumerate() {
        match groups.iter_mut().find(|(id, ..)| *id == measure.group) {
            Some((.., members)) => members.push(index),
            None => groups.push((&measure.group, &measure.group_name, vec![index])),
        }
    }
    groups
}

/// `/table/{id}`: all there is to know for asking the table for figures.
pub fn table(view: &View<'_>) -> Value {
    let table = view.table;
    let groups: Vec<_> = measure_groups(table)
        .into_iter()
        .map(|(id, name, measures)| {
            let measures: Vec<_> = measures
                .into_iter()
                .map(|index| &table.measures[index])
                .map(|measure| json!({ "measure_id": measure.id, "measure_name": measure.name }))
                .collect();
            json!({ "mgroup_id": id, "mgroup_name": name, "measures": measures })
        })
        .collect();
    json!({
        "table_id": table.id,
        "table_name": table.title,
        "mgroups": groups,
        "periods": table.periods.iter().map(|range| period_type(view, range.kind())).collect::<Vec<_>>(),
        "dimensions": table.dimensions.iter().map(dimension).collect::<Vec<_>>(),
    })
}

fn period_type(view: &View<'_>, kind: PeriodType) -> Value {
    let periods = view.periods(kind);
    let values: Vec<_> =
        periods.iter().rev().map(|period| json!({ "period_id": period.to_string() })).collect();
    json!({ "periodtype_id": kind.id(), "periodtype_name": kind.name(), "values": values })
}

fn dimension(dimension: &Dimension) -> Value {
    let hierarchies: Vec<_> = dimension
        .hierarchies
        .iter()
        .map(|hierarchy| json!({ "hierarchy_id": hierarchy.id, "hierarchy_name": hierarchy.name, "levels": levels(hierarchy) }))
        .collect();
    json!({ "dimension_id": dimension.id, "dimension_name": dimension.name, "hierarchies": hierarchies })
}

fn levels(hierarchy: &Hierarchy) -> Vec<Value> {
    let value = |node: usize| json!({ "value_id": hierarchy.nodes[node].id, "value_name": hierarchy.nodes[node].name });
    let total = hierarchy.lists_total.then(|| {
        json!({ "level_id": total_level_id(hierarchy), "level_name": hierarchy.nodes[0].name, "values": [value(0)] })
    });
    let levels = hierarchy.levels.iter().enumerate().map(|(depth, level)| {
        let values: Vec<_> = (1..hierarchy.nodes.len())
            .filter(|node| hierarchy.nodes[*node].depth == depth + 1)
            .map(value)
            .collect();
        json!({ "level_id": level.id, "level_name": level.name, "values": values })
    });
    total.into_iter().chain(levels).collect()
}

/// The headings of an answer: period, area, named dimensions, measures.
pub fn columns(table: &Table, selection: &Selection) -> Vec<String> {
    let divisions =
        selection.divisions.iter().map(|division| table.dimensions[division.dimension].name.clone());
    let measures = selection.measures.iter().map(|measure| table.heading(*measure));
    std::iter::once("Periode".to_owned()).chain(divisions).chain(measures).collect()
}

fn label<'a>(table: &'a Table, division: &Division, node: usize) -> &'a str {
    &table.dimensions[division.dimension].hierarchies[division.hierarchy].nodes[node].name
}

/// Rows as JSON, with every figure in the number of decimals of its measure.
pub fn json_rows(table: &Table, selection: &Selection, columns: &[String], rows: &[Row]) -> String {
    let mut text = String::with_capacity(rows.len() * 64 + 256);
    let _ = write!(text, "{{\"columns\":{},\"rows\":[", json!(columns));
    let labels = quoted_labels(table, selection);
    for (index, row) in rows.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        let _ = write!(text, "{separator}[\"{}\"", selection.moments[row.moment].period);
        for (labels, node) in labels.iter().zip(&row.nodes) {
            text.push(',');
            text.push_str(&labels[*node]);
        }
        for (measure, figure) in selection.measures.iter().zip(&row.figures) {
            text.push(',');
            match figure {
                Some(figure) => push_number(&mut text, *figure, table.measures[*measure].decimals, '.'),
                None => text.push_str("null"),
            }
        }
        text.push(']');
    }
    text.push_str("]}");
    text
}

/// For each division the labels of its nodes as JSON texts.
fn quoted_labels(table: &Table, selection: &Selection) -> Vec<Vec<String>> {
    let quote = |division: &Division| {
        let nodes = &table.dimensions[division.dimension].hierarchies[division.hierarchy].nodes;
        nodes.iter().map(|node| json!(node.name).to_string()).collect()
    };
    selection.divisions.iter().map(quote).collect()
}

/// Rows as CSV: byte-order mark, semicolons, decimal comma, nothing for a missing figure.
pub fn csv_rows(table: &Table, selection: &Selection, columns: &[String], rows: &[Row]) -> String {
    let mut text = String::from("\u{feff}");
    push_line(&mut text, columns.iter().map(String::as_str));
    for row in rows {
        let period = selection.moments[row.moment].period.to_string();
        let labels =
            selection.divisions.iter().zip(&row.nodes).map(|(division, node)| label(table, division, *node));
        let figures: Vec<_> = selection
            .measures
            .iter()
            .zip(&row.figures)
            .map(|(measure, figure)| {
                let mut number = String::new();
                if let Some(figure) = figure {
                    push_number(&mut number, *figure, table.measures[*measure].decimals, ',');
                }
                number
            })
            .collect();
        let fields = std::iter::once(period.as_str()).chain(labels).chain(figures.iter().map(String::as_str));
        push_line(&mut text, fields);
    }
    text
}

fn push_line<'a>(text: &mut String, fields: impl Iterator<Item = &'a str>) {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            text.push(';');
        }
        if field.contains([';', '"', '\n']) {
            let _ = write!(text, "\"{}\"", field.replace('"', "\"\""));
        } else {
            text.push_str(field);
        }
    }
    text.push_str("\r\n");
}

/// A figure in units of its last decimal as a number; a trailing zero is kept.
pub fn push_number(text: &mut String, figure: i64, decimals: u32, mark: char) {
    let unit = 10u64.pow(decimals);
    let size = figure.unsigned_abs();
    let sign = if figure < 0 { "-" } else { "" };
    let _ = match decimals {
        0 => write!(text, "{sign}{size}"),
        _ => write!(text, "{sign}{}{mark}{:02$}", size / unit, size % unit, decimals as usize),
    };
}

#[cfg(test)]
mod tests {
    use super::push_number;

    #[test]
    fn numbers_keep_their_decimals_and_their_sign() {
        let written = |figure, decimals| {
            let mut text = String::new();
            push_number(&mut text, figure, decimals, ',');
            text
        };
        assert_eq!(written(30, 1), "3,0");
        assert_eq!(written(-5, 1), "-0,5");
        assert_eq!(written(0, 2), "0,00");
        assert_eq!(written(-120, 0), "-120");
    }
}
