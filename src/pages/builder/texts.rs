//! The texts and files by which a choice is taken along. Each is ready to be used where it is pasted.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::export::FileColumn;
use crate::open::Choice as Opened;
use crate::open::power_query::{Query, Typing};
use crate::pages::builder::choice::Choice;
use crate::pages::language::Language;
use crate::pages::visit::Visit;

/// What is encoded in the value of an option, so that every program and shell takes the address as it is.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b',')
    .remove(b'(')
    .remove(b')');
/// Letters beyond ASCII in a path.
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`').add(b'\'');

/// A text to be copied.
pub(super) struct Text {
    pub id: &'static str,
    pub title: String,
    pub text: String,
}

/// A choice as addresses name it.
pub(super) struct Addresses {
    table: String,
    set: String,
    options: String,
    /// Scheme, host and path of the service, without a slash at the end.
    service: String,
}

impl Addresses {
    pub fn of(choice: &Choice<'_>, visit: &Visit) -> Self {
        let question = choice.question();
        let options = [("$filter", &question.filter), ("$select", &question.select)];
        let options: Vec<String> = options
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, VALUE)))
            .collect();
        Self {
            table: choice.measurement.id.to_string(),
            set: utf8_percent_encode(&question.set, PATH).to_string(),
            options: options.join("&"),
            service: visit.service.clone(),
        }
    }

    /// The rows as OData.
    pub fn odata(&self) -> String {
        format!("{}/odata/jobindsats/{}/{}?{}", self.service, self.table, self.set, self.options)
    }

    /// The rows as a file.
    fn export(&self, ending: &str) -> String {
        format!("{}/export/{}/{}.{ending}?{}", self.service, self.table, self.set, self.options)
    }

    /// A file below the service's root, for a link.
    pub fn file(&self, visit: &Visit, folder: &str, ending: &str) -> String {
        visit.file(&format!("{folder}/{}/{}.{ending}?{}", self.table, self.set, self.options))
    }

    /// The choice as a part of a collection.
    pub fn part(&self) -> String {
        format!("{}/{}?{}", self.table, self.set, self.options)
    }
}

/// The choice as Excel and Power BI send it.
fn opened(choice: &Choice<'_>, visit: &Visit) -> Opened {
    let question = choice.question();
    let columns = choice.columns().into_iter().filter_map(|name| {
        let column = choice.set.columns.iter().find(|column| column.name == name)?;
        Some(FileColumn::new(name, column.primitive))
    });
    let filter = (!question.filter.is_empty()).then(|| ("$filter".to_owned(), question.filter.clone()));
    Opened {
        title: choice.set.title.clone(),
        table: choice.measurement.id.as_str().to_uppercase(),
        service: format!("{}/odata/jobindsats/{}/", visit.service, choice.measurement.id),
        set: choice.set.name.clone(),
        options: filter.into_iter().collect(),
        columns: columns.collect(),
    }
}

/// All texts, the most used first.
pub(super) fn texts(choice: &Choice<'_>, addresses: &Addresses, visit: &Visit, l: Language) -> Vec<Text> {
    let text = |id, title: &str, text: String| Text { id, title: title.to_owned(), text };
    let (csv, parquet) = (addresses.export("csv"), addresses.export("parquet"));
    let query = Query::of(&opened(choice, visit), Typing::Declared).to_string();
    vec![
        text("odata", l.text("OData-adresse", "OData address"), addresses.odata()),
        text("m", "Power Query (M)", query),
        text("curl", "curl", format!("curl --fail --output tal.csv '{csv}'")),
        text("python", "Python (pandas)", python(&parquet)),
        text("r", "R", r(choice, &csv)),
        text("duckdb", "DuckDB", duckdb(&parquet)),
    ]
}

/// DuckDB reads addresses with its extension httpfs, which it loads by itself. Parquet has types, so that ids stay texts.
fn duckdb(address: &str) -> String {
    format!("SELECT * FROM read_parquet('{address}');")
}

fn python(address: &str) -> String {
    format!("import pandas as pd\n\ntal = pd.read_parquet(\"{address}\")")
}

/// Codes stay texts, and an empty cell is a figure that is not published.
fn r(choice: &Choice<'_>, address: &str) -> String {
    let measures: Vec<&str> =
        choice.shown_measures().iter().map(|index| choice.measure_column(*index)).collect();
    let measures: Vec<String> = measures.iter().map(|name| format!("\"{name}\"")).collect();
    format!(
        "tal <- read.csv(\"{address}\", encoding = \"UTF-8\", check.names = FALSE, colClasses = \"character\", na.strings = \"\")\n\
         for (navn in c({})) tal[[navn]] <- as.numeric(tal[[navn]])",
        measures.join(", ")
    )
}
