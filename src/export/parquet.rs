//! Rows as Parquet, with column types that every reader supports: figures DOUBLE, days DATE, instants TIMESTAMP in Denmark's zone, text
//! STRING, dictionary-encoded where the arrow array is.
//!
//! In memory figures are decimals, which pandas reads as slow Python objects. The upstream sends
//! figures as JSON numbers; a double holds every number of up to 15 digits exactly. The CSV has the exact digits.

use std::mem;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, Decimal64Array, Decimal128Array, Float64Array, RecordBatch, new_null_array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::{ExportError, FileColumn, FileWriter};
use crate::feed::arrays;
use crate::odata::value::PrimitiveType;

/// Rows per row group: enough for efficient reading, few enough that the first bytes are sent soon.
const ROW_GROUP_ROWS: usize = 122_880;

/// Writes a Parquet file piece by piece.
#[derive(Debug)]
pub struct ParquetWriter {
    writer: ArrowWriter<Vec<u8>>,
    schema: SchemaRef,
}

impl ParquetWriter {
    /// Begins a file. Its metadata hold the description: what the figures are and where they come from.
    ///
    /// # Errors
    /// When a column's type does not exist in Parquet.
    pub fn new(columns: &[FileColumn], description: Option<&str>) -> Result<Self, ExportError> {
        let field =
            |column: &FileColumn| Field::new(&column.name, data_type(column.primitive), column.nullable);
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_key_value_metadata(description.map(|text| vec![described(text)]))
            .set_created_by(concat!("jobindsats-bridge ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
        Ok(Self { writer, schema })
    }
}

impl FileWriter for ParquetWriter {
    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ExportError> {
        let columns = self.schema.fields().iter().zip(batch.columns());
        let columns = columns
            .map(|(field, array)| (field.name(), readable(array, field.data_type()), field.is_nullable()));
        let batch = RecordBatch::try_from_iter_with_nullable(columns).map_err(ParquetError::from)?;
        self.writer.write(&batch)?;
        self.writer.sync().map_err(ParquetError::from)?;
        Ok(mem::take(self.writer.inner_mut()))
    }

    fn end(self: Box<Self>) -> Result<Vec<u8>, ExportError> {
        Ok(self.writer.into_inner()?)
    }
}

fn described(text: &str) -> KeyValue {
    KeyValue::new("description".to_owned(), text.to_owned())
}

/// The type of a column in the file.
pub(crate) fn data_type(primitive: PrimitiveType) -> DataType {
    match primitive {
        PrimitiveType::Boolean => DataType::Boolean,
        PrimitiveType::Byte | PrimitiveType::SByte | PrimitiveType::Int16 | PrimitiveType::Int32 => {
            DataType::Int32
        }
        PrimitiveType::Int64 => DataType::Int64,
        PrimitiveType::Decimal | PrimitiveType::Double => DataType::Float64,
        PrimitiveType::Date => DataType::Date32,
        PrimitiveType::DateTimeOffset => {
            DataType::Timestamp(TimeUnit::Millisecond, Some(arrays::ZONE.into()))
        }
        _ => DataType::Utf8,
    }
}

/// The array cast to the file's type for it. One that cannot be cast is returned as it is; the writer refuses it.
pub(crate) fn readable(array: &ArrayRef, wanted: &DataType) -> ArrayRef {
    match (array.data_type(), wanted) {
        (DataType::Decimal64(_, scale), DataType::Float64) => {
            Arc::new(narrow_doubles(array.as_primitive(), *scale))
        }
        (DataType::Decimal128(_, _), DataType::Float64) => Arc::new(doubles(array.as_primitive())),
        (DataType::Null, _) => new_null_array(wanted, array.len()),
        _ => Arc::clone(array),
    }
}

/// The nearest doubles. A quotient of two numbers that doubles hold exactly is the double next to the true one; other figures are parsed.
fn narrow_doubles(figures: &Decimal64Array, scale: i8) -> Float64Array {
    const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
    let unit = u32::try_from(scale).ok().and_then(|scale| 10_u64.checked_pow(scale)).unwrap_or(1) as f64;
    figures
        .iter()
        .enumerate()
        .map(|(row, figure)| match figure? {
            units if units.unsigned_abs() <= EXACT => Some(units as f64 / unit),
            _ => figures.value_as_string(row).parse().ok(),
        })
        .collect()
}

/// The nearest doubles, parsed from the decimal digits: dividing by a power of ten would be off by one bit for some.
fn doubles(figures: &Decimal128Array) -> Float64Array {
    let double =
        |row: usize| figures.is_valid(row).then(|| figures.value_as_string(row).parse().ok()).flatten();
    (0..figures.len()).map(double).collect()
}

#[cfg(test)]
mod tests {
    use arrow_array::types::{Float64Type, Int32Type};
    use arrow_array::{Date32Array, DictionaryArray, TimestampMillisecondArray};
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::basic::{Encoding, LogicalType};

    use super::*;

    fn columns() -> Vec<FileColumn> {
        vec![
            FileColumn::new("Område", PrimitiveType::String),
            FileColumn::new("Antal", PrimitiveType::Decimal),
            FileColumn::new("Fra", PrimitiveType::Date),
            FileColumn::new("Opdateret", PrimitiveType::DateTimeOffset),
        ]
    }

    fn batch(labels: &[Option<&str>], figures: Vec<Option<i128>>) -> RecordBatch {
        let count = labels.len();
        let labels: DictionaryArray<Int32Type> = labels.iter().copied().collect();
        let figures = Decimal128Array::from(figures).with_precision_and_scale(38, 18).unwrap();
        let instants =
            TimestampMillisecondArray::from(vec![1_789_455_600_000; count]).with_timezone(arrays::ZONE);
        let arrays: [(&str, ArrayRef); 4] = [
            ("a", Arc::new(labels)),
            ("b", Arc::new(figures)),
            ("c", Arc::new(Date32Array::from(vec![20_000; count]))),
            ("d", Arc::new(instants)),
        ];
        RecordBatch::try_from_iter_with_nullable(arrays.map(|(name, array)| (name, array, true))).unwrap()
    }

    fn file(batches: &[RecordBatch]) -> ParquetRecordBatchReaderBuilder<Bytes> {
        let mut file = Box::new(ParquetWriter::new(&columns(), None).unwrap());
        let mut bytes: Vec<u8> = batches.iter().flat_map(|batch| file.rows(batch).unwrap()).collect();
        bytes.extend(file.end().unwrap());
        ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap()
    }

    fn figures(batches: &[RecordBatch]) -> Vec<Option<f64>> {
        let read = file(batches).build().unwrap().map(|batch| batch.unwrap());
        read.flat_map(|batch| batch.column(1).as_primitive::<Float64Type>().iter().collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn figures_come_back_as_the_nearest_doubles_and_nulls_as_nulls() {
        let one = 10_i128.pow(18);
        let given =
            vec![Some(110_854 * one), Some(3_100_000_000_000_000_000), None, Some(-one / 10), Some(0)];
        let read = figures(&[batch(&[Some("a"); 5], given)]);
        assert_eq!(read, [Some(110_854.0), Some(3.1), None, Some(-0.1), Some(0.0)]);
    }

    #[test]
    fn readers_see_text_days_and_instants_in_their_zone() {
        let read = file(&[batch(&[Some("Aabenraa"), None, Some("Aabenraa")], vec![None; 3])]);
        let logical = |column: usize| read.parquet_schema().column(column).logical_type_ref().cloned();
        assert_eq!(logical(0), Some(LogicalType::String));
        assert_eq!(logical(2), Some(LogicalType::Date));
        assert!(matches!(logical(3), Some(LogicalType::Timestamp(kind)) if kind.is_adjusted_to_u_t_c));
        let zone = arrow_schema::DataType::Timestamp(TimeUnit::Millisecond, Some("Europe/Copenhagen".into()));
        assert_eq!(read.schema().field(3).data_type(), &zone);
        let coded = read.metadata().row_group(0).column(0).encodings().collect::<Vec<_>>();
        assert!(coded.contains(&Encoding::RLE_DICTIONARY), "{coded:?}");
        let rows = read.build().unwrap().next().unwrap().unwrap();
        let labels = rows.column(0).as_string::<i32>();
        assert_eq!(labels.iter().collect::<Vec<_>>(), [Some("Aabenraa"), None, Some("Aabenraa")]);
    }

    #[test]
    fn bytes_leave_as_soon_as_a_row_group_is_full() {
        let mut file = Box::new(ParquetWriter::new(&columns(), None).unwrap());
        let many = batch(&vec![Some("a"); ROW_GROUP_ROWS / 2 + 1], vec![Some(1); ROW_GROUP_ROWS / 2 + 1]);
        let first = file.rows(&many).unwrap();
        let second = file.rows(&many).unwrap();
        assert!(first.len() < 100, "{}", first.len());
        assert!(second.len() > 1000, "{}", second.len());
        let bytes = [first, second, file.end().unwrap()].concat();
        let read = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
        assert_eq!(read.metadata().file_metadata().num_rows(), ROW_GROUP_ROWS as i64 + 2);
    }

    #[test]
    fn a_file_without_rows_has_its_columns() {
        let read = file(&[]);
        let names: Vec<_> = read.schema().fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["Område", "Antal", "Fra", "Opdateret"]);
        assert_eq!(read.build().unwrap().count(), 0);
    }

    #[test]
    fn a_column_of_another_type_is_refused() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![1]));
        let wrong = RecordBatch::try_from_iter([("a", days)]).unwrap();
        assert!(matches!(
            ParquetWriter::new(&columns()[..1], None).unwrap().rows(&wrong),
            Err(ExportError::Parquet(_))
        ));
    }
}
