//! The semantic model as TMDL: tables, measures that show a figure only where one row is meant, relationships.
//!
//! Figures must not be added up. Four things see to it: no column has a default summary, the model discourages implicit measures,
//! columns of figures are hidden, and each has a measure that is blank unless exactly one row is in context.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::{Figure, ModelTable, Project, RefreshPolicy};
use crate::export::FileColumn;
use crate::feed::set_names::{COUNTRY, MUNICIPALITIES, REGIONS};
use crate::odata::value::PrimitiveType;
use crate::open::Choice;
use crate::open::names::unique;
use crate::open::power_query::{Query, Typing};

/// The column that relates figures to areas, and the one that relates them to periods.
const AREA_KEY: &str = "Områdekode";
pub(super) const PERIOD_KEY: &str = "Periode";
/// The column with the first day of a period, which relates periods to the calendar.
pub(super) const FIRST_DAY: &str = "Fra";
/// The columns that a table's relationships need, whatever the choice shows.
pub const KEYS: [&str; 2] = [AREA_KEY, PERIOD_KEY];
pub(super) const AREAS: &str = "Områder";
pub(super) const PERIODS: &str = "Perioder";
const CALENDAR: &str = "Kalender";
const DATE: &str = "Dato";
/// How numbers look whose decimals are not known.
const GENERAL_NUMBER: &str = "General Number";
/// The first day of the calendar: the databank's oldest periods begin later.
const FIRST_YEAR: u32 = 1990;

/// The names of tables and measures, which the engine compares without regard to case.
#[derive(Debug)]
pub(super) struct Names {
    pub tables: Vec<TableNames>,
}

#[derive(Debug)]
pub(super) struct TableNames {
    pub table: String,
    /// For each figure its measure and the name of its hidden column.
    pub figures: Vec<FigureNames>,
}

#[derive(Debug)]
pub(super) struct FigureNames {
    pub measure: String,
    pub column: String,
}

impl Names {
    pub fn of(project: &Project) -> Self {
        let mut tables: HashSet<String> =
            [AREAS, PERIODS, CALENDAR, "Measures"].map(str::to_lowercase).into();
        let mut measures = HashSet::new();
        let titles: Vec<String> = project.tables.iter().flat_map(measure_titles).collect();
        let shared = |title: &str| {
            titles.iter().filter(|other| other.to_lowercase() == title.to_lowercase()).count() > 1
        };
        let named = |table: &ModelTable| {
            let name = numbered(&mut tables, &table_name(&table.choice));
            let figures = table.figures.iter().map(|figure| {
                let title = clean(&figure.title);
                let title = if shared(&title) { format!("{title}, {name}") } else { title };
                let others = |taken: &str| {
                    table
                        .choice
                        .columns
                        .iter()
                        .any(|column| column.name.to_lowercase() == taken && column.name != figure.column)
                };
                let title = if others(&title.to_lowercase()) { format!("{title} (tal)") } else { title };
                let measure = numbered(&mut measures, &title);
                let clashes = measure.to_lowercase() == figure.column.to_lowercase();
                let column = if clashes { format!("{}_kilde", figure.column) } else { figure.column.clone() };
                FigureNames { measure, column }
            });
            TableNames { figures: figures.collect(), table: name }
        };
        Self { tables: project.tables.iter().map(named).collect() }
    }
}

fn measure_titles(table: &ModelTable) -> Vec<String> {
    let titles: HashSet<String> = table.figures.iter().map(|figure| clean(&figure.title)).collect();
    titles.into_iter().collect()
}

/// The name, with a number behind it if it is taken.
fn numbered(taken: &mut HashSet<String>, name: &str) -> String {
    unique(taken, |number| number.map_or_else(|| name.to_owned(), |number| format!("{name} ({number})")))
}

/// Letters, digits and blanks: Desktop refuses dots and quotes in names of tables.
fn table_name(choice: &Choice) -> String {
    let plain = |letter: char| if letter.is_alphanumeric() { letter } else { ' ' };
    format!("{} {}", choice.table, choice.set).chars().map(plain).collect()
}

/// Without control characters, which no quotes make legal, and with one blank between words.
fn clean(text: &str) -> String {
    let text: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The files of the model, below the project's folder.
pub(super) fn files(project: &Project, names: &Names) -> Vec<(String, String)> {
    let folder = format!("{}.SemanticModel/definition", project.name);
    let mut files = vec![
        (format!("{folder}/database.tmdl"), "database\n\tcompatibilityLevel: 1600\n".to_owned()),
        (format!("{folder}/model.tmdl"), model(names)),
        (format!("{folder}/relationships.tmdl"), relationships(project, names)),
    ];
    if project.refresh.is_some() {
        files.push((format!("{folder}/expressions.tmdl"), expressions()));
    }
    for (number, (name, text)) in tables(project, names).into_iter().enumerate() {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
        files.push((format!("{folder}/tables/{:02}-{plain}.tmdl", number + 1), text));
    }
    files
}

/// The tables and relationships as one script.
pub(super) fn script(project: &Project, names: &Names) -> String {
    let mut objects: Vec<String> = tables(project, names).into_iter().map(|(_, text)| text).collect();
    objects.push(relationships(project, names));
    if project.refresh.is_some() {
        objects.insert(0, expressions());
    }
    let mut script = "createOrReplace\n".to_owned();
    for line in objects.iter().flat_map(|object| std::iter::once("").chain(object.lines())) {
        let indent = if line.is_empty() { "" } else { "\t" };
        let _ = writeln!(script, "{indent}{line}");
    }
    script
}

fn model(names: &Names) -> String {
    let mut text = "model Model\n\tculture: da-DK\n\tdefaultPowerBIDataSourceVersion: powerBI_V3\n\tdiscourageImplicitMeasures\n\
                    \tsourceQueryCulture: da-DK\n\tdataAccessOptions\n\t\tlegacyRedirects\n\t\treturnErrorValuesAsNull\n\n\
                    annotation __PBI_TimeIntelligenceEnabled = 0\n\n"
        .to_owned();
    let tables = names.tables.iter().map(|table| table.table.as_str());
    for table in tables.chain([AREAS, PERIODS, CALENDAR]) {
        let _ = writeln!(text, "ref table {}", quoted(table));
    }
    text
}

fn tables(project: &Project, names: &Names) -> Vec<(String, String)> {
    let chosen = project.tables.iter().zip(&names.tables);
    let mut tables: Vec<_> = chosen
        .map(|(table, names)| (names.table.clone(), figure_table(table, names, project.refresh)))
        .collect();
    tables.push((
        AREAS.to_owned(),
        dimension_table(project, AREAS, "Landets områder med officielle koder.", &project.areas, AREA_KEY),
    ));
    tables.push((
        PERIODS.to_owned(),
        dimension_table(project, PERIODS, "Alle perioder.", &project.periods, PERIOD_KEY),
    ));
    tables.push((CALENDAR.to_owned(), calendar()));
    tables
}

fn figure_table(table: &ModelTable, names: &TableNames, refresh: Option<RefreshPolicy>) -> String {
    let name = quoted(&names.table);
    let mut text = described("", &table.description);
    let _ = writeln!(text, "table {name}");
    let refresh = refresh.filter(|_| has_days(&table.choice));
    if let Some(policy) = refresh {
        text += &refresh_policy(table, policy);
    }
    for (figure, names) in table.figures.iter().zip(&names.figures) {
        text += &measure(&name, figure, names);
    }
    for column in &table.choice.columns {
        let figure =
            table.figures.iter().zip(&names.figures).find(|(figure, _)| figure.column == column.name);
        text += &match figure {
            Some((figure, names)) => figure_column(column, figure, names),
            None => {
                self::column(column, &ColumnRole { is_hidden: is_elsewhere(table, column), is_key: false })
            }
        };
    }
    let query = if refresh.is_some() {
        Query::windowed(&table.choice)
    } else {
        Query::of(&table.choice, Typing::Stated)
    };
    text + &partition(&name, &query.to_string())
}

/// Whether the rows that a choice is made of have the day by which a refresh picks its window: groups have only what they name.
fn has_days(choice: &Choice) -> bool {
    let is_grouped = choice.options.iter().any(|(name, _)| name == "$apply");
    !is_grouped || choice.columns.iter().any(|column| column.name == FIRST_DAY)
}

/// Whether readers find the column in a related table. Places without an official code have no row there.
fn is_elsewhere(table: &ModelTable, column: &FileColumn) -> bool {
    let by_level = [COUNTRY, REGIONS, MUNICIPALITIES].contains(&table.choice.set.as_str());
    let has_all_areas_coded = by_level && column.name == "Område";
    has_all_areas_coded
        || column.name.ends_with("_id")
        || matches!(column.name.as_str(), AREA_KEY | PERIOD_KEY)
}

fn measure(table: &str, figure: &Figure, names: &FigureNames) -> String {
    let (measure, column) = (quoted(&names.measure), names.column.replace(']', "]]"));
    let dax = table_in_dax(table);
    let mut text = "\n".to_owned();
    text += &described("\t", &figure.description);
    let _ = write!(
        text,
        "\tmeasure {measure} =\n\t\t\tIF(\n\t\t\t\tCOUNTROWS({dax}) = 1,\n\t\t\t\tMAX({dax}[{column}])\n\t\t\t)\n\t\tformatString: {}\n",
        format_string(figure)
    );
    text
}

/// A name of a table as DAX writes it: always in quotes.
fn table_in_dax(quoted_name: &str) -> String {
    if quoted_name.starts_with('\'') { quoted_name.to_owned() } else { format!("'{quoted_name}'") }
}

fn figure_column(column: &FileColumn, figure: &Figure, names: &FigureNames) -> String {
    format!(
        "\n\tcolumn {}\n\t\tdataType: double\n\t\tisHidden\n\t\tformatString: {}\n\t\tisAvailableInMdx: false\n\t\tsummarizeBy: none\n\
         \t\tsourceColumn: {}\n\n\t\tannotation SummarizationSetBy = User\n",
        quoted(&names.column),
        format_string(figure),
        column.name
    )
}

fn format_string(figure: &Figure) -> String {
    match (figure.number_format(), figure.unit) {
        (Some(format), Some(unit)) => format!("{format} \"{}\"", unit.label()),
        _ => GENERAL_NUMBER.to_owned(),
    }
}

struct ColumnRole {
    is_hidden: bool,
    is_key: bool,
}

fn column(column: &FileColumn, role: &ColumnRole) -> String {
    let (data_type, format) = match column.primitive {
        fractional if fractional.is_fractional() => ("double", Some(GENERAL_NUMBER)),
        PrimitiveType::Int16
        | PrimitiveType::Int32
        | PrimitiveType::Int64
        | PrimitiveType::Byte
        | PrimitiveType::SByte => ("int64", Some("0")),
        PrimitiveType::Date => ("dateTime", Some("Short Date")),
        PrimitiveType::DateTimeOffset => ("dateTime", Some("General Date")),
        PrimitiveType::Boolean => ("boolean", None),
        _ => ("string", None),
    };
    let mut text = format!("\n\tcolumn {}\n\t\tdataType: {data_type}\n", quoted(&column.name));
    if role.is_hidden {
        text += "\t\tisHidden\n";
    }
    if role.is_key {
        text += "\t\tisKey\n";
    }
    if let Some(format) = format {
        let _ = writeln!(text, "\t\tformatString: {format}");
    }
    let _ = writeln!(text, "\t\tsummarizeBy: none\n\t\tsourceColumn: {}", column.name);
    text += "\n\t\tannotation SummarizationSetBy = User\n";
    if column.primitive == PrimitiveType::Date {
        text += "\n\t\tannotation UnderlyingDateTimeDataType = Date\n";
    }
    text
}

fn dimension_table(
    project: &Project,
    name: &str,
    description: &str,
    columns: &[FileColumn],
    key: &str,
) -> String {
    let choice = Choice {
        title: name.to_owned(),
        table: String::new(),
        service: project.catalogue.clone(),
        set: name.to_owned(),
        options: Vec::new(),
        columns: columns.to_vec(),
    };
    let mut text = described("", description);
    let _ = writeln!(text, "table {}", quoted(name));
    for one in columns {
        text += &column(one, &ColumnRole { is_hidden: one.name == key, is_key: one.name == key });
    }
    text + &partition(&quoted(name), &Query::of(&choice, Typing::Stated).to_string())
}

/// A table of days, which a table of periods cannot be: months, quarters and years share their first days.
fn calendar() -> String {
    let date = FileColumn::new(DATE, PrimitiveType::Date);
    let mut text = described("", "Dage, til filtre på tid.");
    let _ = writeln!(text, "table {CALENDAR}\n\tdataCategory: Time");
    text += &column(&date, &ColumnRole { is_hidden: false, is_key: true });
    text += &column(
        &FileColumn::new("År", PrimitiveType::Int64),
        &ColumnRole { is_hidden: false, is_key: false },
    );
    text += &column(
        &FileColumn::new("Måned", PrimitiveType::Int64),
        &ColumnRole { is_hidden: false, is_key: false },
    );
    let query = format!(
        "let\n    First = #date({FIRST_YEAR}, 1, 1),\n    Last = Date.EndOfYear(Date.From(DateTime.LocalNow())),\n    \
         Days = List.Dates(First, Duration.Days(Last - First) + 1, #duration(1, 0, 0, 0)),\n    \
         Listed = Table.FromList(Days, Splitter.SplitByNothing(), {{\"{DATE}\"}}),\n    \
         Years = Table.AddColumn(Listed, \"År\", each Date.Year([{DATE}])),\n    \
         Months = Table.AddColumn(Years, \"Måned\", each Date.Month([{DATE}])),\n    \
         Types = Table.TransformColumnTypes(Months, {{{{\"{DATE}\", type date}}, {{\"År\", Int64.Type}}, {{\"Måned\", Int64.Type}}}})\n\
         in\n    Types"
    );
    text + &partition(CALENDAR, &query)
}

fn partition(table: &str, query: &str) -> String {
    let mut text = format!("\n\tpartition {table} = m\n\t\tmode: import\n\t\tsource =\n");
    for line in query.lines() {
        let _ = writeln!(text, "\t\t\t\t{line}");
    }
    text + "\n\tannotation PBI_ResultType = Table\n"
}

fn refresh_policy(table: &ModelTable, policy: RefreshPolicy) -> String {
    let mut text = format!(
        "\n\trefreshPolicy\n\t\tpolicyType: basic\n\t\trollingWindowGranularity: year\n\t\trollingWindowPeriods: {}\n\
         \t\tincrementalGranularity: month\n\t\tincrementalPeriods: {}\n\t\tsourceExpression =\n",
        policy.years, policy.months
    );
    for line in Query::windowed(&table.choice).to_string().lines() {
        let _ = writeln!(text, "\t\t\t\t{line}");
    }
    text
}

/// The two parameters that Power BI moves for an incremental refresh.
fn expressions() -> String {
    let parameter = |name: &str, year: u32| {
        format!(
            "expression {name} = #datetime({year}, 1, 1, 0, 0, 0) meta [IsParameterQuery=true, Type=\"DateTime\", IsParameterQueryRequired=true]\n"
        )
    };
    format!("{}\n{}", parameter("RangeStart", 2020), parameter("RangeEnd", 2030))
}

fn relationships(project: &Project, names: &Names) -> String {
    let mut relationships = Vec::new();
    for (table, names) in project.tables.iter().zip(&names.tables) {
        for (column, to) in [(AREA_KEY, AREAS), (PERIOD_KEY, PERIODS)] {
            if table.choice.columns.iter().any(|one| one.name == column) {
                let id = table.choice.id(&format!("relationship {to}"));
                relationships.push(relationship(&id.to_string(), (&names.table, column), (to, column)));
            }
        }
    }
    if let Some(table) = project.tables.first()
        && project.periods.iter().any(|column| column.name == FIRST_DAY)
    {
        let id = table.choice.id("relationship calendar");
        relationships.push(relationship(&id.to_string(), (PERIODS, FIRST_DAY), (CALENDAR, DATE)));
    }
    relationships.join("\n")
}

fn relationship(id: &str, from: (&str, &str), to: (&str, &str)) -> String {
    let end = |(table, column): (&str, &str)| format!("{}.{}", quoted(table), quoted(column));
    format!("relationship {id}\n\tfromColumn: {}\n\ttoColumn: {}\n", end(from), end(to))
}

/// The lines of a description; none where there is nothing to say.
fn described(indent: &str, text: &str) -> String {
    let text = clean(text);
    if text.is_empty() { text } else { format!("{indent}/// {text}\n") }
}

/// A name as TMDL writes it.
pub(super) fn quoted(name: &str) -> String {
    let begins_well = name.starts_with(|first: char| first == '_' || first.is_alphabetic());
    let is_plain = begins_well && name.chars().all(|letter| letter == '_' || letter.is_alphanumeric());
    if is_plain { name.to_owned() } else { format!("'{}'", name.replace('\'', "''")) }
}
