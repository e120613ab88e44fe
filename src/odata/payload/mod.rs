//! Writes answers as OData JSON and as raw text.
//!
//! Rows come as arrow record batches and are appended to a buffer as bytes, so that a page can be sent piece by piece. In charge
//! of the names, order and form of a payload's parts; the caller chooses the rows and columns.

mod column;
mod control;
mod documents;
mod entity;
mod ready;
mod scalar;

use std::ops::Range;

use arrow_array::{Array, ArrayRef, RecordBatch};

use super::media_type::MetadataLevel;
use super::value::PrimitiveType;
use super::version::Version;
use column::{ColumnValues, unsupported};
use control::{write_context, write_control_name, write_count};
use entity::{EntityWriter, TypeAnnotation};
use ready::ReadyTexts;

use documents::write_messages;
pub use documents::{ErrorBody, ErrorDetail, write_error, write_service_document};

use crate::error::{DescribeError, ErrorDescription};

/// How a JSON answer is written, the same for all its parts.
#[derive(Debug, Clone, Copy)]
pub struct JsonContext<'a> {
    pub version: Version,
    pub metadata: MetadataLevel,
    /// `Edm.Int64`, `Edm.Decimal` and counts as strings.
    pub ieee754_compatible: bool,
    /// Leave out properties that are null, which a client can request.
    pub omit_nulls: bool,
    /// The absolute context URL.
    pub context_url: &'a str,
    /// What a client that asks for annotations is told beside the answer.
    pub messages: &'a [Message],
}

/// A warning beside an answer, an element of the annotation `Core.Messages`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub code: &'static str,
    /// One plain sentence in the user's language.
    pub text: String,
    /// The same in English.
    pub detail: String,
}

impl Message {
    /// The annotation that messages are elements of.
    pub const TERM: &'static str = "Core.Messages";

    /// An error as a warning, for a request that is answered all the same.
    #[must_use]
    pub fn warning(error: &impl DescribeError) -> Self {
        let ErrorDescription { code, danish: text, .. } = error.describe();
        Self { code, text, detail: error.to_string() }
    }
}

/// Rows of a batch and their properties.
#[derive(Debug, Clone, Copy)]
pub struct Output<'a> {
    pub batch: &'a RecordBatch,
    pub properties: &'a [OutputProperty<'a>],
    pub expands: &'a [OutputExpand<'a>],
    /// The entities' identity; without it no type, id or link is written at `metadata=full`.
    pub identity: Option<Identity<'a>>,
    /// Write only the entity ids, for `/$ref`.
    pub references: bool,
}

/// A property and the column of the batch that holds it.
#[derive(Debug, Clone, Copy)]
pub struct OutputProperty<'a> {
    pub name: &'a str,
    pub column: usize,
    pub primitive: PrimitiveType,
    /// Whether `$metadata` gives the property its type; computed values and aggregates are not declared.
    pub declared: bool,
}

/// The parts of entities' ids and links.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The qualified name of the entity type.
    pub entity_type: &'a str,
    /// The address of the set or singleton, percent-encoded; the key in parentheses is appended.
    pub set_url: &'a str,
    /// The key properties in key order; empty for a singleton.
    pub key: &'a [OutputProperty<'a>],
    /// Names of the navigation properties.
    pub navigation: &'a [&'a str],
    /// Whether the rows show all columns of the key of their entity type.
    pub shows_key: bool,
}

impl Identity<'_> {
    /// The identity of rows that are not entities of a set, such as those of an aggregation: their id is null.
    #[must_use]
    pub const fn transient(shows_key: bool) -> Self {
        Self { entity_type: "", set_url: "", key: &[], navigation: &[], shows_key }
    }

    fn is_transient(&self) -> bool {
        self.set_url.is_empty()
    }
}

/// An expanded navigation property.
#[derive(Debug, Clone, Copy)]
pub struct OutputExpand<'a> {
    pub name: &'a str,
    /// The entities of the target; each row of the parent has some of them.
    pub target: &'a Output<'a>,
    pub rows: ExpandedRows<'a>,
}

/// Which rows of the target belong to each row of the parent. All slices are indexed by the parent's row.
#[derive(Debug, Clone, Copy)]
pub enum ExpandedRows<'a> {
    /// At most one.
    One(&'a [Option<usize>]),
    /// Any number, with the counts before `$top` and `$skip` for `$count=true`.
    Many { rows: &'a [Vec<usize>], counts: Option<&'a [u64]> },
    /// Only how many, for `$expand=Name/$count`.
    Count(&'a [u64]),
}

/// Why rows cannot be written. Always a fault of the program, never of a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    #[error("the property `{property}` is in column {column}, but the batch has {columns} columns")]
    NoSuchColumn { property: String, column: usize, columns: usize },
    #[error("the property `{property}` has the arrow type {found}, which has no OData form here")]
    UnsupportedColumn { property: String, found: String },
    #[error("row {row} was asked for, but there are {rows} rows")]
    NoSuchRow { row: usize, rows: usize },
    #[error("row {row} holds a date or time beyond the calendar")]
    BeyondCalendar { row: usize },
    #[error("entity references need an identity")]
    NoIdentity,
}

impl DescribeError for PayloadError {
    fn describe(&self) -> ErrorDescription {
        ErrorDescription::internal()
    }
}

/// Begins a collection: the context URL and the count come first, so that the rows can be streamed.
pub fn write_collection_start(out: &mut Vec<u8>, context: &JsonContext<'_>, count: Option<u64>) {
    out.push(b'{');
    write_context(out, context);
    write_messages(out, context.messages);
    if let Some(count) = count {
        scalar::separate(out);
        write_control_name(out, context, "", "count");
        write_count(out, context, count);
    }
    scalar::separate(out);
    out.extend_from_slice(b"\"value\":[");
}

/// Appends rows to a collection; `first` says that they are its first.
pub fn write_rows(
    out: &mut Vec<u8>,
    context: &JsonContext<'_>,
    output: &Output<'_>,
    rows: Range<usize>,
    first: bool,
) -> Result<(), PayloadError> {
    let mut writer = EntityWriter::new(context, output, rows.len())?;
    for row in rows.clone() {
        if !first || row != rows.start {
            out.push(b',');
        }
        writer.write(out, row, false)?;
    }
    Ok(())
}

/// Ends a collection, with the address of the next page if there is one.
pub fn write_collection_end(out: &mut Vec<u8>, context: &JsonContext<'_>, next_link: Option<&str>) {
    out.push(b']');
    if let Some(next_link) = next_link {
        out.push(b',');
        write_control_name(out, context, "", "nextLink");
        scalar::write_string(out, next_link);
    }
    out.push(b'}');
}

/// One entity as a whole answer.
pub fn write_entity(
    out: &mut Vec<u8>,
    context: &JsonContext<'_>,
    output: &Output<'_>,
    row: usize,
) -> Result<(), PayloadError> {
    EntityWriter::new(context, output, 1)?.write(out, row, true)
}

/// One property as a whole answer. A null property has no body: check [`is_null`] first and answer 204.
pub fn write_property(
    out: &mut Vec<u8>,
    context: &JsonContext<'_>,
    batch: &RecordBatch,
    property: &OutputProperty<'_>,
    row: usize,
) -> Result<(), PayloadError> {
    let cells = checked_cells(batch, property, row)?;
    out.push(b'{');
    write_context(out, context);
    write_messages(out, context.messages);
    if let Some(annotation) = TypeAnnotation::of(context, "", property, &cells) {
        scalar::separate(out);
        out.extend_from_slice(&annotation.text);
    }
    scalar::separate(out);
    out.extend_from_slice(b"\"value\":");
    cells.write_json(out, row, entity::is_quoted(context, property.primitive))?;
    out.push(b'}');
    Ok(())
}

/// The text of a property for `/$value`; empty for null.
pub fn write_raw_value(
    out: &mut Vec<u8>,
    batch: &RecordBatch,
    property: &OutputProperty<'_>,
    row: usize,
) -> Result<(), PayloadError> {
    let cells = checked_cells(batch, property, row)?;
    match cells.is_null(row) {
        true => Ok(()),
        false => cells.write_raw(out, row),
    }
}

/// A column whose cells are written as text, each in a form that is made of it once for all rows that have the same value.
#[derive(Debug)]
pub struct TextValues<'a> {
    cells: ColumnValues<'a>,
    ready: ReadyTexts,
}

impl<'a> TextValues<'a> {
    /// The cells of a column of that name.
    pub fn of(name: &str, array: &'a ArrayRef) -> Result<Self, PayloadError> {
        let cells = ColumnValues::of_array(array).ok_or_else(|| unsupported(name, array))?;
        let ready = ReadyTexts::of(&cells, array.len());
        Ok(Self { cells, ready })
    }

    /// Appends the text of a cell as in `/$value`, of which `form` has made something else from that place on; nothing for null. It is
    /// kept, so the form has to be the same for all cells of the column. The row must exist.
    pub fn write(
        &mut self,
        out: &mut Vec<u8>,
        row: usize,
        form: impl Fn(&mut Vec<u8>, usize),
    ) -> Result<(), PayloadError> {
        let Self { cells, ready } = self;
        if cells.is_null(row) {
            return Ok(());
        }
        let make = |text: &mut Vec<u8>| {
            let start = text.len();
            cells.write_raw(text, row)?;
            form(text, start);
            Ok(())
        };
        match ready.text(cells, row, make)? {
            Some(text) => out.extend_from_slice(text),
            None => make(out)?,
        }
        Ok(())
    }
}

/// Whether a property is null in a row.
pub fn is_null(batch: &RecordBatch, property: &OutputProperty<'_>, row: usize) -> Result<bool, PayloadError> {
    Ok(checked_cells(batch, property, row)?.is_null(row))
}

fn checked_cells<'a>(
    batch: &'a RecordBatch,
    property: &OutputProperty<'_>,
    row: usize,
) -> Result<ColumnValues<'a>, PayloadError> {
    let rows = batch.num_rows();
    if row >= rows {
        return Err(PayloadError::NoSuchRow { row, rows });
    }
    ColumnValues::of(batch, property)
}
