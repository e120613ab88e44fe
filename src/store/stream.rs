//! Reads an Arrow IPC stream of one record batch. Arrow's reader panics where a message names a buffer that its body does not have, and
//! with some types of columns that no block has. So both are looked at first: a right checksum does not say who wrote a file.

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::{Buffer, Message, RecordBatch as Columns, root_as_message};
use arrow_schema::{ArrowError, DataType};

/// What stands before the length of a message.
const MESSAGE_BEGINS: [u8; 4] = [0xff; 4];

/// The batch of the stream.
///
/// # Errors
/// When the stream is none, or its columns are neither ids nor figures.
pub fn read(stream: &[u8]) -> Result<RecordBatch, ArrowError> {
    let mut reader = StreamReader::try_new(stream, None)?;
    let schema = reader.schema();
    if let Some(field) = schema.fields().iter().find(|field| !is_of_block(field.data_type())) {
        return Err(ArrowError::SchemaError(format!("a column of {}", field.data_type())));
    }
    check_buffers(stream)?;
    reader.next().ok_or_else(|| ArrowError::IpcError("no rows".to_owned()))?
}

/// Whether it is the type of ids or of figures.
fn is_of_block(column: &DataType) -> bool {
    match column {
        DataType::Dictionary(key, value) => (&**key, &**value) == (&DataType::Int32, &DataType::Utf8),
        DataType::Decimal64(..) | DataType::Decimal128(..) => true,
        _ => false,
    }
}

/// Refuses a message with a buffer outside of its body. What is no message is left to Arrow, which refuses it.
fn check_buffers(mut stream: &[u8]) -> Result<(), ArrowError> {
    while let Some((message, body, rest)) = first_message(stream) {
        let columns = message.header_as_record_batch();
        let columns = columns.or_else(|| message.header_as_dictionary_batch()?.data());
        if !columns.is_none_or(|columns| are_sound(columns, body.len())) {
            return Err(ArrowError::IpcError("a buffer outside of its message".to_owned()));
        }
        stream = rest;
    }
    Ok(())
}

/// The first message, its body, and what comes after it.
fn first_message(stream: &[u8]) -> Option<(Message<'_>, &[u8], &[u8])> {
    let (mut length, mut rest) = stream.split_first_chunk()?;
    if *length == MESSAGE_BEGINS {
        (length, rest) = rest.split_first_chunk()?;
    }
    let (head, rest) = rest.split_at_checked(usize::try_from(i32::from_le_bytes(*length)).ok()?)?;
    let message = root_as_message(head).ok()?;
    let (body, rest) = rest.split_at_checked(usize::try_from(message.bodyLength()).ok()?)?;
    Some((message, body, rest))
}

/// Whether the buffers are in a body of that length. Every second one, after a bitmap of nulls, has numbers of four bytes or a multiple;
/// the third of a dictionary has its texts.
fn are_sound(columns: Columns<'_>, length: usize) -> bool {
    let is_sound = |(at, buffer): (usize, &Buffer)| {
        let (start, bytes) = (usize::try_from(buffer.offset()).ok()?, usize::try_from(buffer.length()).ok()?);
        Some(start.checked_add(bytes)? <= length && (at % 2 == 0 || bytes % 4 == 0))
    };
    let mut buffers = columns.buffers().into_iter().flatten().enumerate();
    buffers.all(|buffer| is_sound(buffer) == Some(true))
}
