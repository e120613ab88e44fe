//! Rows as CSV (RFC 4180): a header line, lines that end in CR LF, quotes only where they are needed, UTF-8. Null is an empty
//! cell.
//!
//! Spreadsheets execute text that begins like a formula, and labels come from outside, so such cells get a `'` in front.

use std::mem;

use arrow_array::RecordBatch;
use csv_core::Terminator;

use super::{ExportError, FileColumn, FileWriter};
use crate::odata::payload::TextValues;
use crate::odata::value::PrimitiveType;

/// Excel reads a CSV file as UTF-8 only if it begins with this.
const BYTE_ORDER_MARK: &str = "\u{feff}";

const LINE_END: &[u8] = b"\r\n";

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
    fields: FieldForm,
    columns: Vec<FileColumn>,
    /// Bytes that are not handed out yet: the header line, before the first rows.
    ready: Vec<u8>,
    /// How many bytes the rows had that were written last: the next ones have about as many.
    usual_bytes: usize,
}

impl CsvWriter {
    /// Begins a file with its header line.
    #[must_use]
    pub fn new(dialect: Dialect, columns: Vec<FileColumn>) -> Self {
        let fields = FieldForm::of(dialect);
        let mut ready = Vec::new();
        if dialect == Dialect::Danish {
            ready.extend_from_slice(BYTE_ORDER_MARK.as_bytes());
        }
        for (at, column) in columns.iter().enumerate() {
            fields.separate(&mut ready, at);
            let start = ready.len();
            ready.extend_from_slice(column.name.as_bytes());
            fields.quote(&mut ready, start);
        }
        ready.extend_from_slice(LINE_END);
        Self { fields, columns, ready, usual_bytes: 0 }
    }
}

impl FileWriter for CsvWriter {
    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ExportError> {
        let (mut out, fields) = (mem::take(&mut self.ready), &self.fields);
        out.reserve(self.usual_bytes);
        let columns = batch.columns().iter().zip(&self.columns);
        let columns = columns.map(|(array, column)| {
            let format = CellFormat::of(column.primitive, fields.dialect);
            Ok((TextValues::of(&column.name, array)?, format))
        });
        let mut columns = columns.collect::<Result<Vec<_>, ExportError>>()?;
        for row in 0..batch.num_rows() {
            let start = out.len();
            for (at, (cells, format)) in columns.iter_mut().enumerate() {
                fields.separate(&mut out, at);
                cells.write(&mut out, row, |text, start| fields.write(*format, text, start))?;
            }
            // Readers skip a blank line.
            if out.len() == start {
                out.extend_from_slice(b"\"\"");
            }
            out.extend_from_slice(LINE_END);
        }
        self.usual_bytes = out.len();
        Ok(out)
    }

    fn end(self: Box<Self>) -> Result<Vec<u8>, ExportError> {
        Ok(self.ready)
    }
}

/// How fields are written in a dialect.
#[derive(Debug)]
struct FieldForm {
    dialect: Dialect,
    /// Knows which fields are quoted.
    quoting: csv_core::Writer,
}

impl FieldForm {
    fn of(dialect: Dialect) -> Self {
        let mut quoting = csv_core::WriterBuilder::new();
        quoting.delimiter(dialect.delimiter()).terminator(Terminator::CRLF);
        Self { dialect, quoting: quoting.build() }
    }

    /// Divides a field from the one before it, if there is one.
    fn separate(&self, out: &mut Vec<u8>, at: usize) {
        if at > 0 {
            out.push(self.dialect.delimiter());
        }
    }

    /// Makes a field of the text of a cell, from that place to the end.
    fn write(&self, format: CellFormat, text: &mut Vec<u8>, start: usize) {
        match format {
            CellFormat::Defuse => defuse(text, start),
            CellFormat::DecimalComma => {
                text[start..].iter_mut().filter(|byte| **byte == b'.').for_each(|byte| *byte = b',');
            }
            CellFormat::None => {}
        }
        self.quote(text, start);
    }

    /// Puts a field in quotes, if that is needed.
    fn quote(&self, text: &mut Vec<u8>, start: usize) {
        if !self.quoting.should_quote(&text[start..]) {
            return;
        }
        let field = text.split_off(start);
        let mut quoted = vec![0; 2 * field.len()];
        let (_, _, length) = csv_core::quote(&field, &mut quoted, b'"', b'"', true);
        text.push(b'"');
        text.extend_from_slice(&quoted[..length]);
        text.push(b'"');
    }
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
}

/// Puts a `'` before everything that would be read as the beginning of a formula: at the beginning of the cell, and behind whatever may
/// divide cells. A spreadsheet that expects another delimiter divides the line there, and quotes within a cell do not stop it.
fn defuse(text: &mut Vec<u8>, start: usize) {
    let cell = &text[start..];
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
        text.truncate(start);
        text.extend_from_slice(&defused);
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
    use proptest::prelude::*;

    use super::*;

    /// Labels with what must be quoted in them, and the same ones again.
    fn any_label() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a,;\"\r\n\t =+-]{0,4}",
            any::<String>(),
            Just("Hele landet".to_owned()),
            Just(String::new())
        ]
    }

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
        let mut file = Box::new(CsvWriter::new(dialect, columns()));
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
        defuse(&mut cell, 0);
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

    proptest! {
        #[test]
        fn fields_are_those_of_the_csv_crate(labels in prop::collection::vec(any_label(), 0..20), is_danish: bool) {
            let dialect = if is_danish { Dialect::Danish } else { Dialect::Standard };
            let column = FileColumn::new("Områ,de;", PrimitiveType::String);
            let plain: StringArray = labels.iter().map(Some).collect();
            let coded: DictionaryArray<arrow_array::types::Int32Type> =
                labels.iter().map(|label| Some(label.as_str())).collect();
            for array in [Arc::new(plain) as ArrayRef, Arc::new(coded)] {
                let mut file = CsvWriter::new(dialect, vec![column.clone(), column.clone()]);
                let columns = [("a", Arc::clone(&array), true), ("b", array, true)];
                let rows = file.rows(&RecordBatch::try_from_iter_with_nullable(columns).unwrap()).unwrap();
                let mark = if is_danish { BYTE_ORDER_MARK } else { "" };
                let mut expected = csv::WriterBuilder::new()
                    .delimiter(dialect.delimiter())
                    .terminator(csv::Terminator::CRLF)
                    .from_writer(mark.as_bytes().to_vec());
                expected.write_record([&column.name, &column.name]).unwrap();
                for label in &labels {
                    let mut defused = label.clone().into_bytes();
                    defuse(&mut defused, 0);
                    expected.write_record([&defused, &defused]).unwrap();
                }
                prop_assert_eq!(String::from_utf8(rows), String::from_utf8(expected.into_inner().unwrap()));
            }
        }
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
        let mut file = CsvWriter::new(Dialect::Standard, vec![column]);
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
