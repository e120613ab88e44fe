//! Parses an answer's figures directly into columns, without an intermediate JSON tree.
//!
//! The form is `{"columns": [...], "rows": [[...]]}` with its parts in any order; labels are texts, figures numbers or `null`. Anything
//! else is an error that names the row and column: a figure is never guessed.

use std::fmt;
use std::sync::Arc;

use foldhash::HashMap;
use rust_decimal::Decimal;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::catalogue::figures::FigureBuilder;
use crate::error::excerpt;
use crate::upstream::data::{DataTable, LabelColumn};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// An answer that is not what the interface promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("expected JSON, found nothing")]
    Empty,
    #[error("expected JSON, found a page of HTML")]
    Html,
    #[error("more than {limit} bytes")]
    TooLong { limit: usize },
    #[error("expected JSON of the known shape, found at line {line}, column {column}: {found}")]
    Json { line: usize, column: usize, found: String },
    #[error("expected one list of {part}, found {found}")]
    Part { part: &'static str, found: &'static str },
    #[error("expected {expected} columns, found {}: {}", .found.len(), .found.join(", "))]
    Headings { expected: usize, found: Vec<String> },
    #[error("row {row}: expected {expected} cells, found {found}")]
    Row { row: usize, expected: usize, found: String },
    #[error("row {row}, column {heading}: expected {expected}, found {found}")]
    Cell { row: usize, heading: String, expected: &'static str, found: String },
}

/// Parses an answer to a metadata call.
///
/// # Errors
/// If the body is not JSON of that shape.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    let body = json_text(body)?;
    serde_json::from_slice(body).map_err(|error| json_error(&error))
}

impl DataTable {
    /// Parses an answer that must have so many columns of labels, followed by columns of figures.
    ///
    /// # Errors
    /// If anything in it is not as it must be; nothing of it is kept then.
    pub fn parse(body: &[u8], label_columns: usize, measure_columns: usize) -> Result<Self, DecodeError> {
        let body = json_text(body)?;
        let mut builder = Builder::new(label_columns, measure_columns);
        let mut json = serde_json::Deserializer::from_slice(body);
        let read = (&mut builder).deserialize(&mut json).and_then(|()| json.end());
        match (builder.error.take(), read) {
            (Some(error), _) => Err(error),
            (None, Err(error)) => Err(json_error(&error)),
            (None, Ok(())) => builder.finish(),
        }
    }
}

/// The body behind a byte-order mark, unless it is plainly something else than JSON.
fn json_text(body: &[u8]) -> Result<&[u8], DecodeError> {
    let body = without_mark(body);
    match body.trim_ascii_start().first() {
        None => Err(DecodeError::Empty),
        Some(b'<') => Err(DecodeError::Html),
        Some(_) => Ok(body),
    }
}

/// A body without the byte-order mark that it may begin with.
pub(super) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

fn json_error(error: &serde_json::Error) -> DecodeError {
    DecodeError::Json { line: error.line(), column: error.column(), found: excerpt(&error.to_string()) }
}

/// The columns while they are parsed. A [`DecodeError`] is kept here, because serde's errors can only carry text.
struct Builder {
    headings: Option<Vec<String>>,
    labels: Vec<LabelBuilder>,
    figures: Vec<FigureBuilder>,
    rows: Option<usize>,
    error: Option<DecodeError>,
}

impl Builder {
    fn new(label_columns: usize, measure_columns: usize) -> Self {
        Self {
            headings: None,
            labels: (0..label_columns).map(|_| LabelBuilder::default()).collect(),
            figures: (0..measure_columns).map(|_| FigureBuilder::default()).collect(),
            rows: None,
            error: None,
        }
    }

    fn width(&self) -> usize {
        self.labels.len() + self.figures.len()
    }

    fn heading(&self, column: usize) -> String {
        let heading = self.headings.as_ref().and_then(|headings| headings.get(column));
        heading.map_or_else(|| format!("number {}", column + 1), |heading| excerpt(heading))
    }

    fn fail<E: serde::de::Error>(&mut self, error: DecodeError) -> E {
        let text = E::custom(&error);
        self.error.get_or_insert(error);
        text
    }

    fn set_headings(&mut self, headings: Vec<String>) -> Result<(), DecodeError> {
        if self.headings.is_some() {
            return Err(DecodeError::Part { part: "columns", found: "two" });
        }
        if headings.len() != self.width() {
            let found = headings.iter().map(|heading| excerpt(heading)).collect();
            return Err(DecodeError::Headings { expected: self.width(), found });
        }
        self.headings = Some(headings);
        Ok(())
    }

    fn finish(self) -> Result<DataTable, DecodeError> {
        let headings = self.headings.ok_or(DecodeError::Part { part: "columns", found: "none" })?;
        self.rows.ok_or(DecodeError::Part { part: "rows", found: "none" })?;
        let labels = self.labels.into_iter().map(|label| label.column).collect();
        let figures = self.figures.into_iter().map(FigureBuilder::finish).collect();
        Ok(DataTable { headings, labels, figures })
    }
}

/// A column of labels, with a map from each label to its key.
#[derive(Default)]
struct LabelBuilder {
    column: LabelColumn,
    keys: HashMap<Arc<str>, u32>,
}

impl LabelBuilder {
    /// `None` if there are too many distinct labels for the type of the keys.
    fn push(&mut self, label: &str) -> Option<()> {
        let key = match self.keys.get(label) {
            Some(&key) => key,
            None => {
                let key = u32::try_from(self.column.values.len()).ok()?;
                let label: Arc<str> = Arc::from(label);
                self.column.values.push(Arc::clone(&label));
                self.keys.insert(label, key);
                key
            }
        };
        self.column.keys.push(key);
        Some(())
    }
}

/// The whole answer.
impl<'de> DeserializeSeed<'de> for &mut Builder {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Builder {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with columns and rows")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "columns" => {
                    let headings = map.next_value()?;
                    self.set_headings(headings).map_err(|error| self.fail(error))?;
                }
                "rows" if self.rows.is_some() => {
                    return Err(self.fail(DecodeError::Part { part: "rows", found: "two" }));
                }
                "rows" => map.next_value_seed(Rows(self))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The list of rows.
struct Rows<'a>(&'a mut Builder);

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let mut row = 0;
        while rows.next_element_seed(Row { builder: self.0, row })?.is_some() {
            row += 1;
        }
        self.0.rows = Some(row);
        Ok(())
    }
}

/// One row.
struct Row<'a> {
    builder: &'a mut Builder,
    row: usize,
}

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row, which is a list of cells")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut cells: A) -> Result<(), A::Error> {
        let Self { builder, row } = self;
        let expected = builder.width();
        for column in 0..expected {
            if cells.next_element_seed(Cell { builder, row, column })?.is_none() {
                return Err(builder.fail(DecodeError::Row { row, expected, found: column.to_string() }));
            }
        }
        if cells.next_element::<IgnoredAny>()?.is_some() {
            return Err(builder.fail(DecodeError::Row { row, expected, found: "more".to_owned() }));
        }
        Ok(())
    }
}

/// One cell: a label or a figure, depending on its column.
struct Cell<'a> {
    builder: &'a mut Builder,
    row: usize,
    column: usize,
}

impl Cell<'_> {
    fn is_label(&self) -> bool {
        self.column < self.builder.labels.len()
    }

    fn misfit<E: serde::de::Error>(self, expected: &'static str, found: impl fmt::Display) -> E {
        let heading = self.builder.heading(self.column);
        self.builder.fail(DecodeError::Cell {
            row: self.row,
            heading,
            expected,
            found: excerpt(&found.to_string()),
        })
    }

    fn wrong_type<E: serde::de::Error>(self, found: impl fmt::Display) -> E {
        let expected = if self.is_label() { "a text" } else { "a number or null" };
        self.misfit(expected, found)
    }

    /// The column of figures that the cell belongs to; `None` for a label.
    fn figures(&mut self) -> Option<&mut FigureBuilder> {
        let place = self.column.checked_sub(self.builder.labels.len())?;
        self.builder.figures.get_mut(place)
    }

    fn number<E: serde::de::Error>(
        mut self,
        number: Option<Decimal>,
        written: impl fmt::Display,
    ) -> Result<(), E> {
        let Some(figures) = self.figures() else {
            return Err(self.wrong_type(format_args!("the number {written}")));
        };
        match number.and_then(|number| figures.push(Some(number))) {
            Some(()) => Ok(()),
            None => Err(self.misfit("a number that can be kept exactly", written)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cell")
    }

    fn visit_str<E: serde::de::Error>(self, label: &str) -> Result<(), E> {
        match self.builder.labels.get_mut(self.column) {
            Some(column) => column.push(label).ok_or_else(|| E::custom("too many labels")),
            None => Err(self.wrong_type(format_args!("the text \"{label}\""))),
        }
    }

    fn visit_unit<E: serde::de::Error>(mut self) -> Result<(), E> {
        self.figures().and_then(|figures| figures.push(None)).ok_or_else(|| self.wrong_type("null"))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        self.number(Some(Decimal::from(number)), number)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        self.number(Some(Decimal::from(number)), number)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        self.number(as_written(number), number)
    }

    fn visit_bool<E: serde::de::Error>(self, found: bool) -> Result<(), E> {
        Err(self.wrong_type(found))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.wrong_type("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.wrong_type("an object"))
    }
}

/// The number as it was written: the shortest that parses to the same double. `None` if it has more digits than can be kept.
fn as_written(number: f64) -> Option<Decimal> {
    with_few_decimals(number).or_else(|| Decimal::from_str_exact(&number.to_string()).ok())
}

/// Most figures have few decimals and no more than the 15 digits that any double carries: then the whole number that gives the same double
/// when it is divided is the one that was written.
fn with_few_decimals(number: f64) -> Option<Decimal> {
    const DIGITS: f64 = 1e15;
    let powers = [(1.0, 0), (10.0, 1), (100.0, 2), (1000.0, 3)];
    let tried = powers.into_iter().map(|(power, decimals)| ((number * power).round(), power, decimals));
    let found = tried
        .take_while(|(units, ..)| units.abs() < DIGITS)
        .find(|(units, power, _)| units / power == number);
    found.map(|(units, _, decimals)| Decimal::new(units as i64, decimals))
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::catalogue::figures::{column, figure_at, widened};

    const ONE: i128 = 1_000_000_000_000_000_000;

    fn parse(body: &str) -> Result<DataTable, DecodeError> {
        DataTable::parse(body.as_bytes(), 2, 2)
    }

    fn rows(rows: &str) -> Result<DataTable, DecodeError> {
        parse(&format!(r#"{{"columns": ["Periode", "Område", "Personer", "Pct."], "rows": {rows}}}"#))
    }

    #[test]
    fn labels_are_held_once_and_figures_exactly() {
        let table =
            rows(r#"[["2026M06", "Læsø", null, 0.0], ["2026M06", "Aarhus", -3, 2.7], ["2026M05", "Læsø", 18446744073709551615, 1e2]]"#)
                .unwrap();
        assert_eq!(table.headings, ["Periode", "Område", "Personer", "Pct."]);
        assert_eq!(table.row_count(), 3);
        assert_eq!(table.labels[0].keys, [0, 0, 1]);
        assert_eq!(table.labels[1].values.iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["Læsø", "Aarhus"]);
        assert_eq!(table.labels[1].keys, [0, 1, 0]);
        let figures = |column: usize| widened(&table.figures[column]);
        assert_eq!(figures(0), Some(column([None, Some(-3 * ONE), Some(18_446_744_073_709_551_615 * ONE)])));
        assert_eq!(figures(1), Some(column([Some(0), Some(27 * ONE / 10), Some(100 * ONE)])));
        assert_eq!(*table.figures[1].data_type(), DataType::Decimal64(18, 1));
    }

    #[test]
    fn the_parts_may_come_in_any_order_with_others_between() {
        let usual = rows(r#"[["2026M06", "Læsø", 3, 1.0]]"#).unwrap();
        let turned = r#"{"note": {"a": [1]}, "rows": [["2026M06", "Læsø", 3, 1.0]], "x": null, "columns": ["Periode", "Område", "Personer", "Pct."]}"#;
        assert_eq!(parse(turned).unwrap(), usual);
    }

    #[test]
    fn a_byte_order_mark_is_skipped_once() {
        let usual = r#"{"columns": ["Periode", "Område", "Personer", "Pct."], "rows": [["2026M06", "Læsø", 3, 1.0]]}"#;
        assert_eq!(parse(&format!("\u{feff}{usual}")), parse(usual));
        assert_eq!(json::<Vec<u8>>("\u{feff}[3]".as_bytes()), Ok(vec![3]));
        assert!(matches!(parse(&format!("\u{feff}\u{feff}{usual}")), Err(DecodeError::Json { .. })));
    }

    #[test]
    fn an_answer_may_have_no_rows() {
        assert_eq!(rows("[]").unwrap().row_count(), 0);
    }

    #[test]
    fn a_wrong_cell_is_named_by_its_place() {
        let cases = [
            (
                r#"[["2026M06", "A", 3, 1.0], ["2026M06", "B", "3", 1.0]]"#,
                "row 1, column Personer: expected a number or null, found the text \"3\"",
            ),
            (r#"[["2026M06", "A", 3, true]]"#, "row 0, column Pct.: expected a number or null, found true"),
            (
                r#"[["2026M06", "A", [3], 1.0]]"#,
                "row 0, column Personer: expected a number or null, found a list",
            ),
            (
                r#"[["2026M06", "A", {"v": 3}, 1.0]]"#,
                "row 0, column Personer: expected a number or null, found an object",
            ),
            (r#"[["2026M06", null, 3, 1.0]]"#, "row 0, column Område: expected a text, found null"),
            (r#"[[202606, "A", 3, 1.0]]"#, "row 0, column Periode: expected a text, found the number 202606"),
            (
                r#"[["2026M06", "A", 1e30, 1.0]]"#,
                "row 0, column Personer: expected a number that can be kept exactly, found 1000000000000000000000000000000",
            ),
            (
                r#"[["2026M06", "A", 1e-19, 1.0]]"#,
                "row 0, column Personer: expected a number that can be kept exactly, found 0.0000000000000000001",
            ),
            (r#"[["2026M06", "A", 3]]"#, "row 0: expected 4 cells, found 3"),
            (r#"[["2026M06", "A", 3, 1.0, 2]]"#, "row 0: expected 4 cells, found more"),
        ];
        for (body, message) in cases {
            assert_eq!(rows(body).unwrap_err().to_string(), message, "{body}");
        }
    }

    #[test]
    fn a_wrong_cell_before_the_headings_is_named_by_its_number() {
        let error = parse(r#"{"rows": [["2026M06", "A", "x", 1.0]], "columns": []}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "row 0, column number 3: expected a number or null, found the text \"x\""
        );
    }

    #[test]
    fn wrong_columns_are_refused() {
        let three = parse(r#"{"columns": ["Periode", "Område", "Personer"], "rows": []}"#).unwrap_err();
        assert_eq!(three.to_string(), "expected 4 columns, found 3: Periode, Område, Personer");
        let five = parse(r#"{"rows": [], "columns": ["a", "b", "c", "d", "e"]}"#).unwrap_err();
        assert!(matches!(five, DecodeError::Headings { expected: 4, .. }), "{five}");
    }

    #[test]
    fn missing_and_doubled_parts_are_refused() {
        let columns = r#""columns": ["a", "b", "c", "d"]"#;
        let cases = [
            ("{}".to_owned(), "columns", "none"),
            (format!("{{{columns}}}"), "rows", "none"),
            (r#"{"rows": []}"#.to_owned(), "columns", "none"),
            (format!(r#"{{{columns}, "rows": [], "rows": []}}"#), "rows", "two"),
            (format!(r#"{{{columns}, {columns}, "rows": []}}"#), "columns", "two"),
        ];
        for (body, part, found) in cases {
            assert_eq!(parse(&body), Err(DecodeError::Part { part, found }), "{body}");
        }
    }

    #[test]
    fn answers_that_are_not_json_have_an_error_of_their_own() {
        assert_eq!(parse(" \n"), Err(DecodeError::Empty));
        assert_eq!(parse("\n<!DOCTYPE html><html></html>"), Err(DecodeError::Html));
        assert_eq!(json::<Vec<u8>>(b"<html>"), Err(DecodeError::Html));
        assert_eq!(parse("\u{feff} "), Err(DecodeError::Empty));
        assert_eq!(parse("\u{feff}<html>"), Err(DecodeError::Html));
        for body in
            ["nonsense", "[]", "3", "{\"columns\": 3}", r#"{"columns": ["a", "b", "c", "d"], "rows": {}}"#]
        {
            assert!(matches!(parse(body), Err(DecodeError::Json { .. })), "{body}");
        }
        assert!(matches!(rows("[]} {"), Err(DecodeError::Json { .. })), "something follows the answer");
    }

    #[test]
    fn an_answer_cut_anywhere_is_an_error() {
        let whole = json!({"columns": ["Periode", "Område", "a", "b"], "rows": [["2026M06", "Ærø", 3, 1.5], ["2026M06", "Fanø", null, 2]]})
            .to_string();
        assert!(parse(&whole).is_ok());
        for end in 0..whole.len() {
            assert!(DataTable::parse(&whole.as_bytes()[..end], 2, 2).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn errors_repeat_only_the_beginning_of_a_long_text() {
        let error = rows(&format!(r#"[["2026M06", "A", "{}", 1]]"#, "æ".repeat(5000))).unwrap_err();
        assert!(error.to_string().chars().count() < 250, "{error}");
    }

    proptest! {
        // Fifteen digits are what double precision carries whatever they are.
        #[test]
        fn every_fraction_comes_through_digit_by_digit(digits in 0_u64..1_000_000_000_000_000, scale in 0_u32..=16) {
            let written = Decimal::from_i128_with_scale(i128::from(digits), scale);
            let table = rows(&format!(r#"[["p", "a", {written}, -{written}]]"#)).unwrap();
            prop_assert_eq!(figure_at(&table.figures[0], 0), Some(written.normalize()));
            prop_assert_eq!(figure_at(&table.figures[1], 0), Some((-written).normalize()));
        }

        #[test]
        fn a_short_way_to_the_decimals_finds_what_the_text_says(
            number in any::<f64>(), digits in any::<i64>(), few in -100_000_i64..100_000, scale in 0..20_i32, short in 0..4_u32
        ) {
            for number in [number, digits as f64, digits as f64 / 10_f64.powi(scale), few as f64 / 10_f64.powi(scale)] {
                let said = Decimal::from_str_exact(&number.to_string()).ok();
                prop_assert_eq!(as_written(number).map(|number| number.normalize()), said.map(|said| said.normalize()));
            }
            let written = Decimal::new(few, short);
            let number: f64 = written.to_string().parse().unwrap();
            prop_assert_eq!(with_few_decimals(number).map(|found| found.normalize()), Some(written.normalize()));
        }

        #[test]
        fn no_body_makes_the_reader_fall_over(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = DataTable::parse(&body, 1, 1);
        }
    }
}
