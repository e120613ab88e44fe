//! Rows as CSV (RFC 4180): a header line, lines that end in CR LF, quotes only where they are needed, UTF-8. Null is an empty
//! cell.
//!
//! Spreadsheets execute text that begins like a formula, and labels come from outside, so such cells get a `'` in front.

use std::mem;

use arrow_array::RecordBatch;
use csv::{Terminator, Writer, WriterBuilder};

use super::{ExportError, FileColumn, FileWriter};
use crate::odata::payload::TextValues;
use crate::odata::value::PrimitiveType;

/// Excel reads a CSV file as UTF-8 only if it begins with this.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Which separators and which decimal character a file has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Commas between cells, decimal points.
    #[default]
    Standard,
    /// What a Danish Excel opens correctly on a double click: semicolons, decimal commas, a byte-order mark.
    Danish,
}

impl Dialect {
    /// The query option that chooses the dialect.
    pub const OPTION: &str = "dialekt";

    /// The option's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Danish => "dansk",
        }
    }

    /// Reads the option's value.
    ///
    /// # Errors
    /// When it names no dialect.
    pub fn parse(text: &str) -> Result<Self, ExportError> {
        let found = [Self::Standard, Self::Danish].into_iter().find(|one| one.name() == text.to_lowercase());
        found.ok_or_else(|| ExportError::UnknownDialect { found: text.to_owned() })
    }

    fn delimiter(self) -> u8 {
        match self {
            Self::Standard => b',',
            Self::Danish => b';',
        }
    }
}

/// Writes a CSV file piece by piece.
#[derive(Debug)]
pub struct CsvWriter {
    dialect: Dialect,
    columns: Vec<FileColumn>,
    /// Bytes that are not handed out yet: the header line, before the first rows.
    ready: Vec<u8>,
}

impl CsvWriter {
    /// Begins a file with its header line.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn new(dialect: Dialect, columns: Vec<FileColumn>) -> Result<Self, ExportError> {
        let mut file = Self { dialect, columns, ready: Vec::new() };
        if dialect == Dialect::Danish {
            file.ready.extend_from_slice(BYTE_ORDER_MARK.as_bytes());
        }
        let mut lines = file.lines();
        lines.write_record(file.columns.iter().map(|column| &column.name))?;
        file.ready = finished(lines)?;
        Ok(file)
    }

    /// A writer that appends to the bytes that are ready.
    fn lines(&mut self) -> Writer<Vec<u8>> {
        WriterBuilder::new()
            .delimiter(self.dialect.delimiter())
            .terminator(Terminator::CRLF)
            .from_writer(mem::take(&mut self.ready))
    }
}

impl FileWriter for CsvWriter {
    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ExportError> {
        let mut lines = self.lines();
        let columns = batch.columns().iter().zip(&self.columns);
        let columns = columns
            .map(|(array, column)| {
                Ok((TextValues::of(&column.name, array)?, CellFormat::of(column.primitive, self.dialect)))
            })
            .collect::<Result<Vec<_>, ExportError>>()?;
        let mut cell = Vec::new();
        for row in 0..batch.num_rows() {
            for (cells, care) in &columns {
                cell.clear();
                cells.write(&mut cell, row)?;
                care.take(&mut cell);
                lines.write_field(&cell)?;
            }
            lines.write_record(None::<&[u8]>)?;
        }
        finished(lines)
    }

    fn end(self: Box<Self>) -> Result<Vec<u8>, ExportError> {
        Ok(self.ready)
    }
}

fn finished(lines: Writer<Vec<u8>>) -> Result<Vec<u8>, ExportError> {
    lines.into_inner().map_err(|error| csv::Error::from(error.into_error()).into())
}

/// How the cells of a column are changed before they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellFormat {
    None,
    Defuse,
    DecimalComma,
}

impl CellFormat {
    fn of(primitive: PrimitiveType, dialect: Dialect) -> Self {
        match (primitive, dialect) {
            (PrimitiveType::String, _) => Self::Defuse,
            (primitive, Dialect::Danish) if primitive.is_fractional() => Self::DecimalComma,
            _ => Self::None,
        }
    }

    fn take(self, cell: &mut Vec<u8>) {
        match self {
            Self::Defuse => defuse(cell),
            Self::DecimalComma => {
                cell.iter_mut().filter(|byte| **byte == b'.').for_each(|byte| *byte = b',');
            }
            Self::None => {}
        }
    }
}

/// Puts a `'` before everything that would be read as the beginning of a formula: at the beginning of the cell, and behind whatever may
/// divide cells. A spreadsheet that expects another delimiter divides the line there, and quotes within a cell do not stop it.
fn defuse(cell: &mut Vec<u8>) {
    let mut defused = Vec::new();
    let (mut copied, mut is_beginning) = (0, true);
    for (at, byte) in cell.iter().enumerate() {
        if is_beginning && begins_formula(&cell[at..], at == 0) {
            defused.extend_from_slice(&cell[copied..at]);
            defused.push(b'\'');
            copied = at;
        }
        is_beginning = match byte {
            b',' | b';' | b'|' | b'\t' | b'\r' | b'\n' => true,
            b'"' => is_beginning,
            _ => false,
        };
    }
    if !defused.is_empty() {
        defused.extend_from_slice(&cell[copied..]);
        *cell = defused;
    }
}

/// Whether a spreadsheet takes text that begins like this for a formula. Full-width signs count as well, and at the beginning of a cell
/// white space that is skipped.
fn begins_formula(text: &[u8], is_cell: bool) -> bool {
    const WIDE: [&str; 4] = ["＝", "＋", "－", "＠"];
    match text {
        [b'=' | b'+' | b'-' | b'@', ..] => true,
        [b'\t' | b'\r' | b'\n', ..] => is_cell,
        _ => WIDE.iter().any(|sign| text.starts_with(sign.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use arrow_array::{ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Int32Array, StringArray};

    use super::*;

    fn columns() -> Vec<FileColumn> {
        vec![
            FileColumn::new("Område", PrimitiveType::String),
            FileColumn::new("Nr", PrimitiveType::Int32),
            FileColumn::new("Andel", PrimitiveType::Decimal),
            FileColumn::new("Fra", PrimitiveType::Date),
        ]
    }

    fn batch(label: &str, figure: Option<i128>) -> RecordBatch {
        let label: DictionaryArray<arrow_array::types::Int32Type> = [label].into_iter().collect();
        let figure = Decimal128Array::from(vec![figure]).with_precision_and_scale(38, 18).unwrap();
        let arrays: [(&str, ArrayRef); 4] = [
            ("a", Arc::new(label)),
            ("b", Arc::new(Int32Array::from(vec![-7]))),
            ("c", Arc::new(figure)),
            ("d", Arc::new(Date32Array::from(vec![20_000]))),
        ];
        RecordBatch::try_from_iter_with_nullable(arrays.map(|(name, array)| (name, array, true))).unwrap()
    }

    fn written(dialect: Dialect, batches: &[RecordBatch]) -> String {
        let mut file = Box::new(CsvWriter::new(dialect, columns()).unwrap());
        let mut bytes: Vec<u8> = batches.iter().flat_map(|batch| file.rows(batch).unwrap()).collect();
        bytes.extend(file.end().unwrap());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_that_a_spreadsheet_would_run_is_defused_and_numbers_are_left_alone() {
        for label in
            ["=1+1", "+45", "-x", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1+1", "＋1", "－1", "＠x", "\u{ff1d}"]
        {
            let text = written(Dialect::Standard, &[batch(label, Some(-1_500_000_000_000_000_000))]);
            let mut lines = csv::Reader::from_reader(text.as_bytes());
            let record = lines.records().next().unwrap().unwrap();
            assert_eq!(record.iter().collect::<Vec<_>>(), [&format!("'{label}"), "-7", "-1.5", "2024-10-04"]);
        }
        for label in ["'=1", " =1", "a=1", "æ", ""] {
            let text = written(Dialect::Standard, &[batch(label, None)]);
            assert_eq!(text, format!("Område,Nr,Andel,Fra\r\n{label},-7,,2024-10-04\r\n"));
        }
    }

    #[test]
    fn no_formula_begins_wherever_a_spreadsheet_may_divide_the_line() {
        let labels = [
            "x;=1+1", "x,=1+1", "x\t+1", "x|@a", "x\n=1", "x\r\n=1", "x;\"=1", "=1;=2", "a;;＝1", "\t=1",
            "\"=1",
        ];
        for dialect in [Dialect::Standard, Dialect::Danish] {
            for label in labels {
                let text = written(dialect, &[batch(label, None)]);
                let cells =
                    text.split([',', ';', '\t', '|', '\r', '\n']).skip(4).filter(|cell| *cell != "-7");
                for cell in cells.map(|cell| cell.trim_start_matches('"')) {
                    assert!(
                        !cell.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']),
                        "{label:?}: {text:?}"
                    );
                }
            }
        }
        for label in ["16-66 år", "a, b", "a; b", "1.5", "a=1", "A/B - C"] {
            assert!(written(Dialect::Standard, &[batch(label, None)]).contains(label), "{label}");
        }
    }

    #[test]
    fn a_long_text_of_nothing_but_formulas_is_defused_in_one_pass() {
        let began = Instant::now();
        let mut cell = b";=".repeat(1_000_000);
        defuse(&mut cell);
        assert!(cell == b";'=".repeat(1_000_000));
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }

    #[test]
    fn cells_are_quoted_as_the_standard_says() {
        let text = written(Dialect::Standard, &[batch("a,\"b\"\r\nc;d", Some(10_i128.pow(18)))]);
        assert_eq!(text, "Område,Nr,Andel,Fra\r\n\"a,\"\"b\"\"\r\nc;d\",-7,1,2024-10-04\r\n");
        assert_eq!(
            written(Dialect::Standard, &[batch("a;b", None)]).lines().last(),
            Some("a;b,-7,,2024-10-04")
        );
    }

    #[test]
    fn danish_excel_gets_semicolons_decimal_commas_and_a_byte_order_mark_once() {
        let rows = [batch("a;b", Some(3_100_000_000_000_000_000)), batch("1.5", None)];
        let text = written(Dialect::Danish, &rows);
        let expected = "\u{feff}Område;Nr;Andel;Fra\r\n\"a;b\";-7;3,1;2024-10-04\r\n1.5;-7;;2024-10-04\r\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_file_without_rows_still_names_its_columns() {
        assert_eq!(written(Dialect::Standard, &[]), "Område,Nr,Andel,Fra\r\n");
    }

    #[test]
    fn a_single_null_differs_from_a_blank_line() {
        let column = FileColumn::new("Status", PrimitiveType::String);
        let mut file = CsvWriter::new(Dialect::Standard, vec![column]).unwrap();
        let array: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
        let batch = RecordBatch::try_from_iter_with_nullable([("Status", array, true)]).unwrap();
        assert_eq!(file.rows(&batch).unwrap(), b"Status\r\n\"\"\r\n");
    }

    #[test]
    fn only_known_dialects_are_taken() {
        assert_eq!(Dialect::parse("Dansk").unwrap(), Dialect::Danish);
        assert!(matches!(Dialect::parse("da"), Err(ExportError::UnknownDialect { found }) if found == "da"));
    }
}
