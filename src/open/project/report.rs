//! The report of a project, and the JSON files around report and model. One page for the first table: slicers by area and breakdown, a
//! line over time for each area, and a table of rows.

use serde_json::{Value, json};
use uuid::Uuid;

use super::tmdl::{AREAS, FIRST_DAY, Names, PERIOD_KEY, PERIODS, TableNames};
use super::{ModelTable, Project};

/// The column of [`AREAS`] with their names.
const AREA: &str = "Område";
const SCHEMAS: &str = "https://developer.microsoft.com/json-schemas/fabric";

/// The files of the project that are not part of the model, below its folder.
pub(super) fn files(project: &Project, names: &Names) -> Vec<(String, String)> {
    let name = &project.name;
    let (report, model) = (format!("{name}.Report"), format!("{name}.SemanticModel"));
    let mut files = vec![
        (
            format!("{name}.pbip"),
            document(
                "pbip/pbipProperties/1.0.0",
                json!({
                    "version": "1.0",
                    "artifacts": [{ "report": { "path": report } }],
                    "settings": { "enableAutoRecovery": true },
                }),
            ),
        ),
        (
            format!("{report}/definition.pbir"),
            document(
                "item/report/definitionProperties/2.0.0",
                json!({
                    "version": "4.0",
                    "datasetReference": { "byPath": { "path": format!("../{model}") } },
                }),
            ),
        ),
        (
            format!("{model}/definition.pbism"),
            document(
                "item/semanticModel/definitionProperties/1.0.0",
                json!({
                    "version": "4.0",
                    "settings": {},
                }),
            ),
        ),
        (format!("{report}/.platform"), platform(project, "Report")),
        (format!("{model}/.platform"), platform(project, "SemanticModel")),
    ];
    let definition = format!("{report}/definition");
    files.push((
        format!("{definition}/version.json"),
        document("item/report/definition/versionMetadata/1.0.0", json!({ "version": "2.0.0" })),
    ));
    files.push((
        format!("{definition}/report.json"),
        document("item/report/definition/report/3.0.0", json!({ "themeCollection": {} })),
    ));
    if let (Some(table), Some(names)) = (project.tables.first(), names.tables.first()) {
        files.extend(page(&definition, project, table, names));
    }
    files
}

fn document(schema: &str, content: Value) -> String {
    let mut whole = serde_json::Map::new();
    whole.insert("$schema".to_owned(), json!(format!("{SCHEMAS}/{schema}/schema.json")));
    if let Value::Object(content) = content {
        whole.extend(content);
    }
    format!("{:#}\n", Value::Object(whole))
}

fn platform(project: &Project, kind: &str) -> String {
    document(
        "gitIntegration/platformProperties/2.0.0",
        json!({
            "metadata": { "type": kind, "displayName": project.title.chars().take(100).collect::<String>() },
            "config": { "version": "2.0", "logicalId": id(project, kind).to_string() },
        }),
    )
}

fn id(project: &Project, part: &str) -> Uuid {
    let tables: Vec<_> = project.tables.iter().map(|table| table.choice.id(part).to_string()).collect();
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{}|{part}|{}", project.name, tables.join("|")).as_bytes())
}

/// The name of a page or visual: twenty hexadecimal digits, which its folder bears as well.
fn part_name(project: &Project, part: &str) -> String {
    id(project, part).simple().to_string().chars().take(20).collect()
}

fn page(
    definition: &str,
    project: &Project,
    table: &ModelTable,
    names: &TableNames,
) -> Vec<(String, String)> {
    let page = part_name(project, "page");
    let folder = format!("{definition}/pages/{page}");
    let mut files = vec![
        (
            format!("{definition}/pages/pages.json"),
            document(
                "item/report/definition/pagesMetadata/1.0.0",
                json!({
                    "pageOrder": [page],
                    "activePageName": page,
                }),
            ),
        ),
        (
            format!("{folder}/page.json"),
            document(
                "item/report/definition/page/2.0.0",
                json!({
                    "name": page,
                    "displayName": title(project, table),
                    "displayOption": "FitToPage",
                    "width": 1280,
                    "height": 720,
                }),
            ),
        ),
    ];
    for (part, position, visual) in visuals(table, names) {
        let name = part_name(project, &part);
        let content = json!({ "name": name, "position": position, "visual": visual });
        files.push((
            format!("{folder}/visuals/{name}/visual.json"),
            document("item/report/definition/visualContainer/2.4.0", content),
        ));
    }
    files
}

/// The title of the page. It says what to choose, for the line is blank where a breakdown is not narrowed to one member.
fn title(project: &Project, table: &ModelTable) -> String {
    const MAX_CHARS: usize = 80;
    let names: Vec<String> =
        table.dimensions.iter().map(|name| name.replace('_', " ").to_lowercase()).collect();
    let hint = if names.is_empty() { String::new() } else { format!(" (vælg {})", names.join(" og ")) };
    let hint = if hint.chars().count() < MAX_CHARS { hint } else { " (vælg i listerne)".to_owned() };
    let room = MAX_CHARS - hint.chars().count();
    project.title.chars().take(room).chain(hint.chars()).collect()
}

/// The visuals of the page, each with what it is called and its position.
fn visuals(table: &ModelTable, names: &TableNames) -> Vec<(String, Value, Value)> {
    let dimensions = &table.dimensions;
    let height = 700.0 / (dimensions.len() + 1) as f64 - 10.0;
    let mut visuals =
        vec![("slicer Område".to_owned(), position(0, 10.0, 10.0, 250.0, height), slicer(AREAS, AREA))];
    for (number, dimension) in (1..).zip(dimensions) {
        let top = 10.0 + f64::from(number) * (height + 10.0);
        visuals.push((
            format!("slicer {dimension}"),
            position(number, 10.0, top, 250.0, height),
            slicer(&names.table, dimension),
        ));
    }
    let next = u32::try_from(visuals.len()).unwrap_or_default();
    if let Some(first) = names.figures.first() {
        visuals.push((
            "line".to_owned(),
            position(next, 270.0, 10.0, 1000.0, 340.0),
            line(&names.table, &first.measure),
        ));
    }
    let rows = rows(names, dimensions);
    visuals.push(("table".to_owned(), position(next + 1, 270.0, 360.0, 1000.0, 350.0), rows));
    visuals
}

fn position(order: u32, x: f64, y: f64, width: f64, height: f64) -> Value {
    json!({ "x": x, "y": y, "z": order, "width": width, "height": height, "tabOrder": order })
}

fn column(table: &str, column: &str) -> Value {
    projection("Column", table, column)
}

fn projection(kind: &str, table: &str, property: &str) -> Value {
    json!({
        "field": { kind: { "Expression": { "SourceRef": { "Entity": table } }, "Property": property } },
        "queryRef": format!("{table}.{property}"),
        "nativeQueryRef": property,
    })
}

fn active(mut projection: Value) -> Value {
    if let Some(object) = projection.as_object_mut() {
        object.insert("active".to_owned(), json!(true));
    }
    projection
}

fn literal(value: &str) -> Value {
    json!({ "expr": { "Literal": { "Value": value } } })
}

fn slicer(table: &str, name: &str) -> Value {
    json!({
        "visualType": "slicer",
        "query": { "queryState": { "Values": { "projections": [active(column(table, name))] } } },
        "objects": {
            "data": [{ "properties": { "mode": literal("'Basic'") } }],
            "selection": [{ "properties": { "singleSelect": literal("true") } }],
        },
        "drillFilterOtherVisuals": true,
    })
}

fn line(table: &str, measure: &str) -> Value {
    let time = column(PERIODS, FIRST_DAY);
    json!({
        "visualType": "lineChart",
        "query": {
            "queryState": {
                "Category": { "projections": [active(time.clone())] },
                "Series": { "projections": [column(AREAS, AREA)] },
                "Y": { "projections": [projection("Measure", table, measure)] },
            },
            "sortDefinition": { "sort": [{ "field": time["field"], "direction": "Ascending" }] },
        },
        "drillFilterOtherVisuals": true,
    })
}

fn rows(names: &TableNames, dimensions: &[String]) -> Value {
    let mut projections = vec![column(AREAS, AREA), column(PERIODS, PERIOD_KEY)];
    projections.extend(dimensions.iter().map(|dimension| column(&names.table, dimension)));
    projections
        .extend(names.figures.iter().map(|figure| projection("Measure", &names.table, &figure.measure)));
    json!({
        "visualType": "tableEx",
        "query": { "queryState": { "Values": { "projections": projections } } },
        "objects": { "total": [{ "properties": { "totals": literal("false") } }] },
        "drillFilterOtherVisuals": true,
    })
}
