//! Answers in the upstream's forms: metadata as JSON, rows as JSON or CSV.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::answer::Row;
use super::dialect::{Dialect, Variant};
use super::figures::View;
use super::hierarchy::Hierarchy;
use super::metadata::Metadata;
use super::periods::{Period, PeriodType};
use super::request::{Division, Selection, lists_total, total_level_id};
use super::tables::{Dimension, Kind, Measure, PeriodRange, Table};

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
pub fn table(view: &View<'_>, dialect: &Dialect) -> Value {
    let table = view.table;
    let groups: Vec<_> = measure_groups(table)
        .into_iter()
        .map(|(id, name, measures)| {
            let measure = |index: usize| {
                let measure = &table.measures[index];
                json!({ "measure_id": measure.id, "measure_name": dialect.in_table(&measure.name, index) })
            };
            let measures: Vec<_> = measures.into_iter().map(measure).collect();
            json!({ "mgroup_id": id, "mgroup_name": dialect.in_table(name, measures.len()), "measures": measures })
        })
        .collect();
    let periods: Vec<_> = table.periods.iter().map(|range| period_type(view, range, dialect)).collect();
    let dimension = |dimension: &Dimension| table_dimension(dimension, dialect);
    let answer = json!({
        "table_id": table.id,
        "table_name": table.title,
        "mgroups": groups,
        "periods": if dialect.has(Variant::PeriodsInObject) { json!({ "periodtypes": periods }) } else { json!(periods) },
        "dimensions": table.dimensions.iter().map(dimension).collect::<Vec<_>>(),
    });
    if dialect.has(Variant::TableInList) { json!([answer]) } else { answer }
}

fn period_type(view: &View<'_>, range: &PeriodRange, dialect: &Dialect) -> Value {
    let kind = range.kind();
    let mut periods = view.periods(kind);
    if dialect.has(Variant::PeriodAhead) {
        let ahead = periods.last().map(|newest| newest.next(&range.only));
        periods.extend(ahead);
    }
    let values: Vec<_> =
        periods.iter().rev().map(|period| json!({ "period_id": period.to_string() })).collect();
    json!({ "periodtype_id": kind.id(), "periodtype_name": kind.name(), "values": values })
}

fn table_dimension(dimension: &Dimension, dialect: &Dialect) -> Value {
    let hierarchy = |hierarchy: &Hierarchy| {
        json!({
            "hierarchy_id": hierarchy.id,
            "hierarchy_name": hierarchy.name,
            "levels": levels(hierarchy, dialect),
        })
    };
    let hierarchies: Vec<_> = dimension.hierarchies.iter().map(hierarchy).collect();
    let name = dialect.in_table(&dimension.name, 0);
    json!({ "dimension_id": dimension.id, "dimension_name": name, "hierarchies": hierarchies })
}

fn levels(hierarchy: &Hierarchy, dialect: &Dialect) -> Vec<Value> {
    let value = |node: usize| {
        let about = &hierarchy.nodes[node];
        json!({ "value_id": about.id, "value_name": dialect.in_table(&about.name, node) })
    };
    let lists_total = lists_total(hierarchy, dialect);
    let in_level = dialect.has(Variant::TotalInLevel) && !hierarchy.levels.is_empty();
    let total = (lists_total && !in_level).then(|| {
        json!({ "level_id": total_level_id(hierarchy), "level_name": hierarchy.nodes[0].name, "values": [value(0)] })
    });
    let levels = hierarchy.levels.iter().enumerate().map(|(depth, level)| {
        let on_level = (1..hierarchy.nodes.len()).filter(|node| hierarchy.nodes[*node].depth == depth + 1);
        let root = (lists_total && in_level && depth == 0).then_some(0);
        let values: Vec<_> = root.into_iter().chain(on_level).map(value).collect();
        json!({ "level_id": level.id, "level_name": level.name, "values": values })
    });
    total.into_iter().chain(levels).collect()
}

/// The headings of an answer: period, area, named dimensions, measures.
pub fn columns(table: &Table, selection: &Selection, dialect: &Dialect) -> Vec<String> {
    let divisions = selection.divisions.iter().enumerate().map(|(place, division)| {
        let dimension = &table.dimensions[division.dimension];
        if dialect.has(Variant::HeadedOtherwise) {
            format!("Opdeling {}", place + 1)
        } else if dialect.has(Variant::HeadedByHierarchy) {
            dimension.hierarchies[division.hierarchy].name.clone()
        } else {
            dimension.name.clone()
        }
    });
    let measures = selection.measures.iter().map(|&measure| {
        let about = &table.measures[measure];
        if dialect.has(Variant::HeadingsWithGroup) {
            format!("{}: {}", about.group_name, about.name)
        } else if dialect.has(Variant::HeadingsWithoutGroup) {
            about.name.clone()
        } else {
            table.heading(measure)
        }
    });
    let headings = std::iter::once("Periode".to_owned()).chain(divisions).chain(measures);
    headings.map(|heading| dialect.in_data(&heading)).collect()
}

/// For each division the labels of its nodes.
fn labels(table: &Table, selection: &Selection, dialect: &Dialect) -> Vec<Vec<String>> {
    let label = |division: &Division| {
        let dimension = &table.dimensions[division.dimension];
        let names = dimension.hierarchies[division.hierarchy].nodes.iter().map(|node| &node.name);
        let written = |(node, name): (usize, &String)| match node {
            0 => dialect.in_data(&dialect.root_label(&dimension.name, name)),
            _ => dialect.in_data(name),
        };
        names.enumerate().map(written).collect()
    };
    selection.divisions.iter().map(label).collect()
}

/// A figure's decimals: percentages that are sent as fractions have two more.
fn decimals(measure: &Measure, dialect: &Dialect) -> u32 {
    let is_share = matches!(measure.kind, Kind::Rate | Kind::Survival);
    measure.decimals + if is_share && dialect.has(Variant::SharesAsFractions) { 2 } else { 0 }
}

/// What rows are rendered by: their table, what was asked of it, and how the upstream writes.
pub struct Answer<'a> {
    pub table: &'a Table,
    pub selection: &'a Selection,
    pub columns: &'a [String],
    pub rows: &'a [Row],
    pub dialect: &'a Dialect,
}

impl Answer<'_> {
    fn labels(&self) -> Vec<Vec<String>> {
        labels(self.table, self.selection, self.dialect)
    }

    fn push_figure(&self, text: &mut String, measure: usize, figure: i64, mark: char) {
        push_number(text, figure, decimals(&self.table.measures[measure], self.dialect), mark);
    }

    /// Rows as JSON, with every figure in the number of decimals of its measure.
    pub fn json(&self) -> String {
        let mut text = String::with_capacity(self.rows.len() * 64 + 256);
        let _ = write!(text, "{{\"columns\":{},\"rows\":[", json!(self.columns));
        let quote = |labels: Vec<String>| labels.iter().map(|label| json!(label).to_string()).collect();
        let labels: Vec<Vec<String>> = self.labels().into_iter().map(quote).collect();
        for (index, row) in self.rows.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            let _ = write!(text, "{separator}[\"{}\"", self.selection.moments[row.moment].period);
            for (labels, node) in labels.iter().zip(&row.nodes) {
                text.push(',');
                text.push_str(&labels[*node]);
            }
            for (measure, figure) in self.selection.measures.iter().zip(&row.figures) {
                text.push(',');
                match figure {
                    Some(figure) => self.push_figure(&mut text, *measure, *figure, '.'),
                    None => text.push_str("null"),
                }
            }
            text.push(']');
        }
        text.push_str("]}");
        text
    }

    /// Rows as CSV: byte-order mark, semicolons, decimal comma, nothing for a missing figure.
    pub fn csv(&self) -> String {
        let mut text = String::from("\u{feff}");
        push_line(&mut text, self.columns.iter().map(String::as_str));
        let labels = self.labels();
        for row in self.rows {
            let period = self.selection.moments[row.moment].period.to_string();
            let labels = labels.iter().zip(&row.nodes).map(|(labels, node)| labels[*node].as_str());
            let figure = |(measure, figure): (&usize, &Option<i64>)| {
                let mut number = String::new();
                if let Some(figure) = figure {
                    self.push_figure(&mut number, *measure, *figure, ',');
                }
                number
            };
            let figures: Vec<_> = self.selection.measures.iter().zip(&row.figures).map(figure).collect();
            let fields =
                std::iter::once(period.as_str()).chain(labels).chain(figures.iter().map(String::as_str));
            push_line(&mut text, fields);
        }
        text
    }
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
