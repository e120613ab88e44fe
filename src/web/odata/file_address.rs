//! Where rows that are asked for as a file below `/odata/` are files: `$format=csv`, `…/Landet.csv`.

use percent_encoding::percent_decode_str;

use crate::answer::error::BridgeError;
use crate::feed::set_names::OVERVIEW;
use crate::odata::media_type::NegotiationError;
use crate::odata::uri;
use crate::query::error::{QueryError, QueryErrorKind};

/// A request below `/odata/`, as far as an address of a file follows from it.
pub(super) struct RequestAddress<'a> {
    /// The absolute address of the program.
    pub(super) base: &'a str,
    /// The table; `None` in the catalogue service, whose sets are named after tables.
    pub(super) table: Option<&'a str>,
    /// The raw path below the service.
    pub(super) path: &'a str,
    /// The raw query.
    pub(super) query: &'a str,
}

impl RequestAddress<'_> {
    /// The error, or one that says where the file is, if a file was asked for.
    pub(super) fn advised(&self, error: BridgeError) -> BridgeError {
        let segment = percent_decode_str(self.path.split(['/', '(']).next().unwrap_or_default());
        let segment = segment.decode_utf8_lossy();
        match &error {
            BridgeError::Syntax(wrong) if wrong.option.eq_ignore_ascii_case("$format") => {
                self.format().and_then(|format| self.address(&segment, ending(&format)?))
            }
            BridgeError::Negotiation(NegotiationError::Format { format, .. }) => {
                ending(format).and_then(|ending| self.address(&segment, ending))
            }
            BridgeError::Syntax(wrong) if wrong.option == "path" => {
                return self.file(&segment).map_or(error, |address| BridgeError::FileElsewhere { address });
            }
            BridgeError::Query(QueryError { kind: QueryErrorKind::UnknownSet { .. }, .. }) => {
                return self.file(&segment).map_or(error, |address| BridgeError::FileElsewhere { address });
            }
            _ => None,
        }
        .map_or(error, |address| BridgeError::FormatElsewhere { address })
    }

    /// The address of `Landet.csv`.
    fn file(&self, segment: &str) -> Option<String> {
        let (set, format) = segment.rsplit_once('.')?;
        self.address(set, ending(format)?)
    }

    /// The value of `$format`.
    fn format(&self) -> Option<String> {
        let piece = self.query.split('&').find(|piece| uri::is_option(piece, "$format"))?;
        let (_, value) = piece.split_once('=')?;
        Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
    }

    fn address(&self, set: &str, ending: &str) -> Option<String> {
        // In the catalogue a set has its table's id in front, and is the table's `Hovedtal`.
        let id = set.split('_').next().unwrap_or_default().to_lowercase();
        let (table, set) = self.table.map_or((id.as_str(), OVERVIEW), |table| (table, set));
        let is_plain = |text: &str| {
            !text.is_empty() && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
        };
        if !is_plain(table) || !is_plain(set) {
            return None;
        }
        let base = self.base;
        Some(match ending {
            "xlsx" => format!("{base}/export/{table}/{set}.csv eller {base}/open/{table}/{set}.xlsx"),
            ending => format!("{base}/export/{table}/{set}.{ending}"),
        })
    }
}

/// The ending of files of a format, which is written as an ending or as a media type.
fn ending(format: &str) -> Option<&'static str> {
    let format = format.to_lowercase();
    match () {
        () if format.contains("csv") => Some("csv"),
        () if format.contains("parquet") => Some("parquet"),
        () if ["xls", "excel", "spreadsheet"].iter().any(|word| format.contains(word)) => Some("xlsx"),
        () => None,
    }
}
