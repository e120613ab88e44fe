//! What the address of a file says: table, set and kind of file.

use actix_web::HttpRequest;
use arrow_schema::DataType;

use crate::answer::Resource;
use crate::answer::error::BridgeError;
use crate::export::csv::{CsvWriter, Dialect};
use crate::export::parquet::{ParquetWriter, data_type};
use crate::export::{ExportError, FileColumn, FileWriter};
use crate::query::{BoundQuery, Target};

/// The parts of the path.
pub(super) struct FileAddress {
    pub table: String,
    /// The name of the set in the URL.
    pub set: String,
    extension: String,
}

impl FileAddress {
    pub fn read(request: &HttpRequest) -> Result<Self, BridgeError> {
        let nothing = || BridgeError::UnknownPath(request.path().to_owned());
        let path = request.uri().path().trim_start_matches('/');
        let (_, path) = path.split_once('/').ok_or_else(nothing)?;
        let (table, file) = path.split_once('/').ok_or_else(nothing)?;
        let (set, extension) = file.rsplit_once('.').ok_or_else(nothing)?;
        let [table, set, extension] = [table, set, extension].map(str::to_owned);
        Ok(Self { table, set, extension })
    }
}

/// The kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Csv(Dialect),
    Parquet,
}

impl Kind {
    /// The kind of file; refuses what no file holds.
    pub fn read(address: &FileAddress, resource: &Resource<'_>) -> Result<Self, BridgeError> {
        let dialect = resource.options.custom.iter().find(|(name, _)| name == Dialect::OPTION);
        let dialect = dialect.map(|(_, value)| Dialect::parse(value)).transpose()?;
        holds_rows(resource, &address.set)?;
        match address.extension.to_lowercase().as_str() {
            "csv" => Ok(Self::Csv(dialect.unwrap_or_default())),
            "parquet" => Ok(Self::Parquet),
            other => Err(BridgeError::UnknownPath(format!(".{other}"))),
        }
    }

    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::Parquet => "parquet",
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv(_) => "text/csv; charset=utf-8; header=present",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    pub fn writer(
        self,
        columns: Vec<FileColumn>,
        description: Option<&str>,
    ) -> Result<Box<dyn FileWriter>, ExportError> {
        Ok(match self {
            Self::Csv(dialect) => Box::new(CsvWriter::new(dialect, columns)),
            Self::Parquet => Box::new(ParquetWriter::new(&columns, description)?),
        })
    }

    /// About how many bytes a row has whose texts are of these lengths; for columns without text, the length says nothing.
    pub fn row_bytes(self, columns: &[(FileColumn, u64)]) -> u64 {
        columns.iter().map(|(column, text)| self.cell_bytes(column, *text)).sum()
    }

    fn cell_bytes(self, column: &FileColumn, text: u64) -> u64 {
        match (self, data_type(column.primitive)) {
            (Self::Csv(_), DataType::Utf8) => text + 1,
            (Self::Csv(_), DataType::Timestamp(..)) => 26,
            (Self::Csv(_), DataType::Date32) => 11,
            (Self::Csv(_), _) => 7,
            (Self::Parquet, DataType::Float64 | DataType::Int32 | DataType::Int64) => 6,
            // Dictionaries of texts and dates, which are repeated.
            (Self::Parquet, _) => 1,
        }
    }
}

/// The query of a resource whose rows a file holds: a set, without the options that apply only to pages, and with no rows inside of rows.
pub(in crate::web) fn holds_rows<'a>(
    resource: &Resource<'a>,
    path: &str,
) -> Result<&'a BoundQuery, BridgeError> {
    if resource.options.format.is_some() {
        return Err(ExportError::NoOption { option: "$format" }.into());
    }
    if resource.options.skiptoken.is_some() {
        return Err(ExportError::NoOption { option: "$skiptoken" }.into());
    }
    let Some(query) = resource.query.filter(|query| query.target == Target::Collection) else {
        return Err(ExportError::NotASet { path: path.to_owned() }.into());
    };
    if query.expand.is_empty() { Ok(query) } else { Err(ExportError::NoExpand.into()) }
}

/// The suggested file name, made from the names of table and set, not from the request's text. `prefix` is that of the origin.
pub(in crate::web) fn file_name(prefix: &str, table: &str, set: &str, extension: &str) -> String {
    let plain = |letter: char| match letter {
        'æ' => "ae".to_owned(),
        'ø' => "oe".to_owned(),
        'å' => "aa".to_owned(),
        letter if letter.is_ascii_alphanumeric() => letter.to_string(),
        _ => "_".to_owned(),
    };
    let set: String = set.chars().map(plain).collect();
    format!("{prefix}{}_{set}.{extension}", table.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn file_names_are_plain() {
        assert_eq!(file_name("", "Y25I01", "Fordelt_på_Køn", "csv"), "y25i01_Fordelt_paa_Koen.csv");
        assert_eq!(
            file_name("simulator_", "y01a02", "Hovedtal", "parquet"),
            "simulator_y01a02_Hovedtal.parquet"
        );
    }
}
