//! `.xlsx` workbooks that refresh themselves: each sheet has rows as a table, filled by a Power Query query, and the last sheet says
//! where they come from.
//!
//! `rust_xlsxwriter` writes an ordinary workbook. [`query_parts`] adds the parts for queries to the package afterwards.

mod query_parts;

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Europe::Copenhagen;
use rust_xlsxwriter::{
    ConditionalFormatBlank, DocProperties, ExcelDateTime, Format, FormatAlign, Table, TableColumn,
    TableStyle, Workbook, Worksheet,
};

use crate::export::{FileColumn, parquet};
use crate::odata::value::PrimitiveType;
use crate::open::names::unique;
use crate::open::project::Figure;
use crate::open::{Choice, OpenError};

/// The rows of a worksheet below the header.
pub const MAX_ROWS: usize = 1_048_575;
const MAX_SHEET_NAME_CHARS: usize = 31;
const SOURCE_SHEET: &str = "Kilde";
/// The width of the texts on it, in digits of the usual font.
const SOURCE_WIDTH: u32 = 90;
const NAME_WIDTH: u32 = 26;
/// The height of a line of text, in points.
const LINE_HEIGHT: u32 = 15;
const DATE_FORMAT: u8 = 14;
const INSTANT_FORMAT: u8 = 22;

/// One choice with its rows.
#[derive(Debug)]
pub struct Sheet {
    pub choice: Choice,
    pub figures: Vec<Figure>,
    /// What the sheet [`SOURCE_SHEET`] says about the choice, as names and values.
    pub facts: Vec<(String, String)>,
    pub rows: Vec<RecordBatch>,
}

/// The bytes of a workbook with a sheet for each choice. `made` is the time in its properties: the same rows give the same bytes.
///
/// # Errors
/// When a choice has more rows than a worksheet.
pub fn workbook(sheets: &[Sheet], made: DateTime<Utc>) -> Result<Vec<u8>, OpenError> {
    let names = unique_names(sheets);
    let mut workbook = Workbook::new();
    workbook.set_properties(&properties(sheets, made)?);
    for (sheet, names) in sheets.iter().zip(&names) {
        write_rows(workbook.add_worksheet_with_low_memory()?, sheet, names)?;
    }
    write_sources(workbook.add_worksheet(), sheets, &names)?;
    query_parts::with_queries(&workbook.save_to_buffer()?, sheets, &names)
}

/// What a choice is called in its workbook.
#[derive(Debug)]
struct Names {
    query: String,
    sheet: String,
}

fn unique_names(sheets: &[Sheet]) -> Vec<Names> {
    let mut queries = HashSet::new();
    let mut pages = HashSet::from([SOURCE_SHEET.to_lowercase()]);
    let named = |sheet: &Sheet| {
        let query = cut_to(&mut queries, &sheet.choice.name(), Choice::MAX_NAME_CHARS);
        let sheet = cut_to(&mut pages, &query, MAX_SHEET_NAME_CHARS);
        Names { query, sheet }
    };
    sheets.iter().map(named).collect()
}

/// The name, cut to the length and with a number behind it if it is taken.
fn cut_to(taken: &mut HashSet<String>, name: &str, most: usize) -> String {
    unique(taken, |number| {
        let suffix = number.map(|number| format!("_{number}")).unwrap_or_default();
        let kept: String = name.chars().take(most - suffix.len()).collect();
        kept + &suffix
    })
}

fn properties(sheets: &[Sheet], made: DateTime<Utc>) -> Result<DocProperties, OpenError> {
    let titles = sheets.iter().map(|sheet| sheet.choice.title.as_str()).collect::<Vec<_>>().join(", ");
    let made = ExcelDateTime::from_timestamp(made.timestamp())?;
    Ok(DocProperties::new().set_title(titles).set_creation_datetime(&made))
}

fn write_rows(page: &mut Worksheet, sheet: &Sheet, names: &Names) -> Result<(), OpenError> {
    let rows: usize = sheet.rows.iter().map(RecordBatch::num_rows).sum();
    if rows > MAX_ROWS {
        return Err(too_many(rows));
    }
    page.set_name(&names.sheet)?;
    page.set_freeze_panes(1, 0)?;
    let columns: Vec<ColumnStyle> =
        sheet.choice.columns.iter().map(|column| ColumnStyle::of(column, &sheet.figures)).collect();
    let heads = sheet.choice.columns.iter().zip(&columns);
    let heads =
        heads.map(|(column, style)| TableColumn::new().set_header(&column.name).set_format(&style.format));
    let table = Table::new()
        .set_name(&names.query)
        .set_style(TableStyle::Medium2)
        .set_columns(&heads.collect::<Vec<_>>());
    let last = last_row(rows)?;
    let last_column = u16::try_from(columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
    for (number, (column, style)) in (0..).zip(sheet.choice.columns.iter().zip(&columns)) {
        let width = u32::try_from(column.name.chars().count()).unwrap_or(0);
        page.set_column_width(number, f64::from(width.clamp(style.width, 40)) + 2.0)?;
        if style.is_figure {
            let hidden = Format::new().set_background_color("E6E6E6");
            page.add_conditional_format(
                1,
                number,
                last,
                number,
                &ConditionalFormatBlank::new().set_format(hidden),
            )?;
        }
    }
    page.add_table(0, 0, last, last_column, &table)?;
    let mut row = 1;
    for batch in &sheet.rows {
        write_batch(page, row, batch, &sheet.choice, &columns)?;
        row += u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
    }
    Ok(())
}

/// The last row of the table: one without rows has an empty one.
fn last_row(rows: usize) -> Result<u32, OpenError> {
    u32::try_from(rows.max(1)).map_err(|_| too_many(rows))
}

fn too_many(rows: usize) -> OpenError {
    OpenError::TooManyRows { rows: rows as u64, most: MAX_ROWS as u64 }
}

/// How the cells of a column look.
#[derive(Debug)]
struct ColumnStyle {
    format: Format,
    width: u32,
    is_figure: bool,
}

impl ColumnStyle {
    fn of(column: &FileColumn, figures: &[Figure]) -> Self {
        let (format, width, is_figure) = match column.primitive {
            PrimitiveType::Date => (Format::new().set_num_format_index(DATE_FORMAT), 10, false),
            PrimitiveType::DateTimeOffset => (Format::new().set_num_format_index(INSTANT_FORMAT), 15, false),
            fractional if fractional.is_fractional() => {
                let figure = figures.iter().find(|figure| figure.column == column.name);
                let format = figure.and_then(Figure::number_format);
                (format.map_or_else(Format::new, |format| Format::new().set_num_format(format)), 12, true)
            }
            _ => (Format::new(), 10, false),
        };
        Self { format, width, is_figure }
    }
}

fn write_batch(
    page: &mut Worksheet,
    first: u32,
    batch: &RecordBatch,
    choice: &Choice,
    styles: &[ColumnStyle],
) -> Result<(), OpenError> {
    let columns: Vec<ArrayRef> = choice
        .columns
        .iter()
        .zip(batch.columns())
        .map(|(column, array)| parquet::readable(array, &parquet::data_type(column.primitive)))
        .collect();
    for (row, number) in (0..batch.num_rows()).zip(first..) {
        for ((array, style), column) in columns.iter().zip(styles).zip(0..) {
            if array.is_valid(row) {
                write_cell(page, (number, column), array, row, &style.format)?;
            }
        }
    }
    Ok(())
}

fn write_cell(
    page: &mut Worksheet,
    (row, column): (u32, u16),
    array: &ArrayRef,
    index: usize,
    format: &Format,
) -> Result<(), OpenError> {
    match cell(array, index)? {
        Some(Cell::Number(number)) => page.write_number_with_format(row, column, number, format)?,
        Some(Cell::Text(text)) => page.write_string(row, column, text)?,
        Some(Cell::Truth(truth)) => page.write_boolean(row, column, truth)?,
        None => return Ok(()),
    };
    Ok(())
}

enum Cell<'a> {
    Number(f64),
    Text(&'a str),
    Truth(bool),
}

fn cell(array: &ArrayRef, row: usize) -> Result<Option<Cell<'_>>, OpenError> {
    Ok(Some(match array.data_type() {
        DataType::Boolean => Cell::Truth(array.as_boolean().value(row)),
        DataType::Int16 => Cell::Number(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Cell::Number(array.as_primitive::<Int32Type>().value(row).into()),
        // A worksheet knows no whole numbers beyond those that a double holds.
        DataType::Int64 => Cell::Number(array.as_primitive::<Int64Type>().value(row) as f64),
        DataType::Float64 => Cell::Number(array.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => {
            let day = array.as_primitive::<Date32Type>().value_as_date(row);
            return Ok(day.map(|day| Cell::Number(serial(day.into()))));
        }
        DataType::Timestamp(..) => {
            let instant = array.as_primitive::<TimestampMillisecondType>().value(row);
            let instant = DateTime::from_timestamp_millis(instant);
            return Ok(
                instant.map(|instant| Cell::Number(serial(instant.with_timezone(&Copenhagen).naive_local())))
            );
        }
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row)),
        DataType::Dictionary(..) => {
            let labels = array.as_dictionary::<Int32Type>();
            let label = labels.key(row).filter(|&key| labels.values().is_valid(key));
            return Ok(label.map(|key| Cell::Text(labels.values().as_string::<i32>().value(key))));
        }
        _ => return Ok(None),
    }))
}

/// A time as Excel counts: days since 30 December 1899.
fn serial(time: NaiveDateTime) -> f64 {
    const DAY: f64 = 86_400_000.0;
    let epoch = NaiveDate::from_ymd_opt(1899, 12, 30).unwrap_or_default().and_time(Default::default());
    (time - epoch).num_milliseconds() as f64 / DAY
}

/// The sheet that says where the figures come from.
fn write_sources(page: &mut Worksheet, sheets: &[Sheet], names: &[Names]) -> Result<(), OpenError> {
    page.set_name(SOURCE_SHEET)?;
    page.set_column_width(0, NAME_WIDTH)?;
    page.set_column_width(1, SOURCE_WIDTH)?;
    let wrapped = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    let head = wrapped.clone().set_bold();
    let mut row = 0;
    for (sheet, names) in sheets.iter().zip(names) {
        let title = (&names.sheet, &sheet.choice.title, &head);
        let facts = sheet.facts.iter().map(|(name, value)| (name, value, &wrapped));
        for (name, value, format) in std::iter::once(title).chain(facts) {
            page.write_string_with_format(row, 0, name, format)?;
            page.write_string_with_format(row, 1, value, format)?;
            page.set_row_height(row, LINE_HEIGHT * line_count(name, value))?;
            row += 1;
        }
        row += 1;
    }
    Ok(())
}

/// How many lines a row of the sheet takes. Programs that do not measure wrapped texts themselves would write them over each other.
fn line_count(name: &str, value: &str) -> u32 {
    /// No row is higher.
    const MAX_ROW_HEIGHT: u32 = 409;
    let lines = |text: &str, width: u32| {
        // Words leave the end of a line empty, and other programs have wider fonts.
        let used = width * 4 / 5;
        let of = |line: &str| u32::try_from(line.chars().count()).unwrap_or(u32::MAX).div_ceil(used).max(1);
        text.split('\n').map(of).fold(0, u32::saturating_add)
    };
    lines(value, SOURCE_WIDTH).max(lines(name, NAME_WIDTH)).min(MAX_ROW_HEIGHT / LINE_HEIGHT)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        Date32Array, Decimal128Array, DictionaryArray, StringArray, TimestampMillisecondArray,
    };

    use super::*;
    use crate::open::fixture::{choice, part};

    fn batch(labels: &[Option<&str>]) -> RecordBatch {
        let count = labels.len();
        let labels: DictionaryArray<Int32Type> = labels.iter().copied().collect();
        let figures: Decimal128Array =
            (0..count).map(|row| (row > 0).then_some(1_500_000_000_000_000_000)).collect();
        let arrays: [(&str, ArrayRef); 4] = [
            ("Fra", Arc::new(Date32Array::from(vec![20_000; count]))),
            ("Område", Arc::new(labels)),
            ("Antal", Arc::new(figures.with_precision_and_scale(38, 18).unwrap())),
            (
                "Opdateret",
                Arc::new(
                    TimestampMillisecondArray::from(vec![1_789_455_600_000; count]).with_timezone("UTC"),
                ),
            ),
        ];
        RecordBatch::try_from_iter_with_nullable(arrays.map(|(name, array)| (name, array, true))).unwrap()
    }

    fn sheet(rows: Vec<RecordBatch>) -> Sheet {
        let facts = vec![("Kilde".to_owned(), "Jobindsats.dk, =1+1".to_owned())];
        Sheet { choice: choice(&[]), figures: Vec::new(), facts, rows }
    }

    #[test]
    fn a_workbook_has_its_rows_and_the_parts_of_its_query() {
        let sheets = [sheet(vec![batch(&[Some("=cmd|' /C calc'!A0"), None]), batch(&[Some("Århus")])])];
        let bytes = workbook(&sheets, DateTime::UNIX_EPOCH).unwrap();
        let table = part(&bytes, "xl/tables/table1.xml");
        assert!(table.contains("ref=\"A1:D4\"") && table.contains("tableType=\"queryTable\""), "{table}");
        assert!(
            table.contains("<tableColumn id=\"2\" uniqueName=\"2\" queryTableFieldId=\"2\" name=\"Område\""),
            "{table}"
        );
        let book = part(&bytes, "xl/workbook.xml");
        assert!(book.contains("'Y07A02_Kommuner'!$A$1:$D$4</definedName></definedNames><calcPr"), "{book}");
        let cells = part(&bytes, "xl/worksheets/sheet1.xml");
        assert!(!cells.contains("<f>"), "labels are never formulas: {cells}");
        assert!(cells.contains("<v>45569</v>"), "4 October 2024: {cells}");
        for (part_name, holds) in [
            ("xl/connections.xml", "Location=Y07A02_Kommuner;"),
            ("xl/queryTables/queryTable1.xml", "name=\"Område\" tableColumnId=\"2\""),
            ("xl/tables/_rels/table1.xml.rels", "../queryTables/queryTable1.xml"),
            ("customXml/_rels/item1.xml.rels", "itemProps1.xml"),
            ("customXml/itemProps1.xml", "http://schemas.microsoft.com/DataMashup"),
            ("[Content_Types].xml", "spreadsheetml.queryTable+xml"),
            ("xl/_rels/workbook.xml.rels", "../customXml/item1.xml"),
        ] {
            assert!(part(&bytes, part_name).contains(holds), "{holds} in {part_name}");
        }
    }

    #[test]
    fn a_choice_without_rows_has_one_empty_row() {
        let bytes = workbook(&[sheet(Vec::new())], DateTime::UNIX_EPOCH).unwrap();
        assert!(part(&bytes, "xl/tables/table1.xml").contains("ref=\"A1:D2\""));
    }

    #[test]
    fn the_same_choice_twice_has_two_names() {
        let bytes = workbook(&[sheet(Vec::new()), sheet(Vec::new())], DateTime::UNIX_EPOCH).unwrap();
        let connections = part(&bytes, "xl/connections.xml");
        assert!(connections.contains("Location=Y07A02_Kommuner_2;"), "{connections}");
        let second = part(&bytes, "xl/workbook.xml");
        assert!(second.contains("ExternalData_2\" localSheetId=\"1\""), "{second}");
        assert_eq!(connections.matches("<connection id=").count(), 2);
    }

    #[test]
    fn equal_rows_give_equal_bytes() {
        let made = || workbook(&[sheet(vec![batch(&[Some("a")])])], DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(made(), made());
    }

    #[test]
    fn instants_show_the_clock_of_copenhagen() {
        let array: ArrayRef =
            Arc::new(TimestampMillisecondArray::from(vec![1_786_399_200_000]).with_timezone("UTC"));
        let Ok(Some(Cell::Number(serial))) = cell(&array, 0) else { panic!("no number") };
        let day =
            NaiveDate::from_ymd_opt(2026, 8, 11).unwrap() - NaiveDate::from_ymd_opt(1899, 12, 30).unwrap();
        assert_eq!(serial, day.num_days() as f64);
        let plain: ArrayRef = Arc::new(StringArray::from(vec!["000"]));
        assert!(matches!(cell(&plain, 0), Ok(Some(Cell::Text("000")))));
    }
}
