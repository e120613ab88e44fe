//! Files that open chosen rows in Excel and Power BI. Pure: rows and descriptions go in, bytes come out; knows no HTTP and fetches
//! nothing. The same choice gives the same bytes.

pub mod connection;
pub mod connector;
pub mod format;
pub mod mashup;
mod names;
pub mod power_query;
pub mod project;
pub mod workbook;

use thiserror::Error;
use uuid::Uuid;

use crate::error::{DescribeError, ErrorDescription};
use crate::export::{ExportError, FileColumn};
use crate::odata::payload::PayloadError;

/// The name of the file that holds several choices.
pub const COLLECTION: &str = "samling";
/// The query option that names a choice of a collection.
pub const CHOICE_OPTION: &str = "valg";
/// The most choices of a collection.
pub const MAX_CHOICES: usize = 20;

/// Chosen rows of a set, as a query that Excel and Power BI can send again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub title: String,
    /// The table's id, in capitals.
    pub table: String,
    /// The absolute address of the table's service, with its final slash.
    pub service: String,
    pub set: String,
    /// The decoded query options, with their dollar signs, without `$select` and whatever belongs to paging.
    pub options: Vec<(String, String)>,
    /// The columns that are shown, in their order.
    pub columns: Vec<FileColumn>,
}

impl Choice {
    /// Queries and tables of a workbook have names of at most this many characters.
    const MAX_NAME_CHARS: usize = 80;

    /// The name of the query and of the table that it fills: letters, digits and `_`, a letter first. Excel takes anything else for a
    /// reference to a cell, or refuses the file.
    #[must_use]
    pub fn name(&self) -> String {
        let name = format!("{}_{}", self.table, self.set);
        let allowed = |letter: char| if letter.is_alphanumeric() { letter } else { '_' };
        let name: String = name.chars().map(allowed).take(Self::MAX_NAME_CHARS).collect();
        if name.starts_with(char::is_alphabetic) { name } else { format!("T{name}") }
    }

    /// An id made from what is chosen, for formats that require one.
    #[must_use]
    fn id(&self, part: &str) -> Uuid {
        let Self { service, set, options, columns, .. } = self;
        let columns: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        Uuid::new_v5(
            &Uuid::NAMESPACE_URL,
            format!("{service}|{set}|{options:?}|{columns:?}|{part}").as_bytes(),
        )
    }
}

/// Why a file cannot be made.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("there is no choice; expected `valg={{table}}/{{set}}?{{options}}`, percent-encoded")]
    NoChoice,
    #[error("{set} has codes in place of labels, which relate to no other table of a model; use {instead}")]
    OnlyCodes { set: String, instead: &'static str },
    #[error("a collection has at most {most} choices")]
    TooManyChoices { most: usize },
    #[error(
        "the choice may have {rows} rows, but a workbook has room for {most} of them; use CSV or Parquet"
    )]
    TooManyRows { rows: u64, most: u64 },
    #[error(transparent)]
    Cells(#[from] PayloadError),
    #[error(transparent)]
    Columns(#[from] ExportError),
    #[error("the workbook cannot be written: {0}")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
    #[error("the workbook cannot be packed: {0}")]
    Package(#[from] zip::result::ZipError),
    #[error("the workbook cannot be packed: {0}")]
    Bytes(#[from] std::io::Error),
    #[error("the workbook has no single '{mark}' in {part}")]
    Mark { part: String, mark: String },
}

impl DescribeError for OpenError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::NoChoice => ErrorDescription::new(
                400,
                "NoChoice",
                "Der er ikke valgt noget; skriv valg= efterfulgt af måling, sæt og filter, som siden »Byg et udtræk« gør det.",
            )
            .on(CHOICE_OPTION),
            Self::OnlyCodes { set, instead } => ErrorDescription::new(
                400,
                "OnlyCodes",
                format!(
                    "Sættet '{set}' har koder i stedet for tekster og kan ikke stå i et Power BI-projekt; \
                     vælg '{instead}', som har de samme tal."
                ),
            )
            .on("path"),
            Self::TooManyChoices { most } => ErrorDescription::new(
                400,
                "TooManyChoices",
                format!("En samling rummer højst {most} udtræk; del den i flere."),
            )
            .on(CHOICE_OPTION),
            Self::TooManyRows { rows, most } => ErrorDescription::new(
                400,
                "TooManyRows",
                format!(
                    "Udtrækket kan have op til {rows} rækker, og der er plads til {most} i et regneark; \
                     vælg færre rækker, eller hent dem som .csv eller .parquet."
                ),
            )
            .on("$filter"),
            Self::Columns(error) => error.describe(),
            Self::Cells(_) | Self::Workbook(_) | Self::Package(_) | Self::Bytes(_) | Self::Mark { .. } => {
                ErrorDescription::internal()
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    //! A choice for tests, and how they look into what was made of it.

    use std::io::{Cursor, Read as _};

    use super::Choice;
    use crate::export::FileColumn;
    use crate::odata::value::PrimitiveType;

    /// A text in a package.
    pub fn part(package: &[u8], path: &str) -> String {
        let mut package = zip::ZipArchive::new(Cursor::new(package)).unwrap();
        let mut text = String::new();
        let found = package.by_name(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        { found }.read_to_string(&mut text).unwrap();
        text
    }

    pub fn choice(options: &[(&str, &str)]) -> Choice {
        let column = |name: &str, primitive| FileColumn::new(name, primitive);
        Choice {
            title: "Sygedagpenge: hovedtal".to_owned(),
            table: "Y07A02".to_owned(),
            service: "http://localhost:8080/odata/jobindsats/y07a02/".to_owned(),
            set: "Kommuner".to_owned(),
            options: options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            columns: vec![
                column("Fra", PrimitiveType::Date),
                column("Område", PrimitiveType::String),
                column("Antal", PrimitiveType::Decimal),
                column("Opdateret", PrimitiveType::DateTimeOffset),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::choice;

    #[test]
    fn names_of_queries_are_taken_for_no_cell() {
        let named = |table: &str, set: &str| {
            super::Choice { table: table.to_owned(), set: set.to_owned(), ..choice(&[]) }.name()
        };
        assert_eq!(named("Y25I01", "Fordelt_på_Køn"), "Y25I01_Fordelt_på_Køn");
        assert_eq!(named("1A", "x.y"), "T1A_x_y");
        assert_eq!(named("Y", &"x".repeat(200)).chars().count(), 80);
    }

    #[test]
    fn ids_belong_to_what_is_chosen() {
        let all = choice(&[]);
        let some = choice(&[("$filter", "Område eq 'Randers'")]);
        assert_eq!(all.id("query"), choice(&[]).id("query"));
        assert_ne!(all.id("query"), all.id("part"));
        assert_ne!(all.id("query"), some.id("query"));
    }
}
