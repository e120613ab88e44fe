//! Writes a file piece by piece, page after page, all in the revision of the first.

use std::collections::VecDeque;
use std::io;

use arrow_array::RecordBatch;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::address::Kind;
use super::source::FileSource;
use crate::answer::Page;
use crate::answer::error::BridgeError;
use crate::answer::stages::Stage;
use crate::budget::answers::Held;
use crate::export::{ExportError, FileColumn, FileWriter};
use crate::feed::Set;
use crate::frame::Frame;
use crate::frame::error::FrameError;
use crate::query::BoundQuery;
use crate::web::body::off_thread;
use crate::web::compress::{Coding, Packer};

/// How many rows are written at a time.
const PIECE_ROWS: usize = 8192;

/// A file that is being sent.
pub(super) struct FileStream {
    source: FileSource,
    /// The columns of the file, by their index in the set.
    shown: Vec<usize>,
    /// Rows that are read but not written.
    waiting: VecDeque<RecordBatch>,
    /// Their memory.
    held: Vec<Held>,
    /// The memory that writing takes beside them.
    _writing: Held,
    /// The skip token of the next page.
    next: Option<String>,
    /// `None` after the end of the file is written.
    encoder: Option<FileEncoder>,
    /// How many rows were read so far.
    pub rows: u64,
    /// When the oldest of their figures was fetched.
    pub fetched_at: Option<DateTime<Utc>>,
}

/// Encodes rows as the bytes that are sent.
struct FileEncoder {
    file: Box<dyn FileWriter>,
    packer: Packer,
}

impl FileStream {
    pub fn begin(
        kind: Kind,
        coding: Coding,
        source: FileSource,
        writing: Held,
        query: &BoundQuery,
    ) -> Result<Self, BridgeError> {
        let set = query.result(&source.feed);
        let shown = query.shown(set);
        let columns = shown.iter().filter_map(|&column| file_column(set, query, column)).collect();
        let file = kind.writer(columns, source.feed.schema.description())?;
        let encoder = FileEncoder { file, packer: Packer::streaming(coding) };
        let (waiting, held) = (VecDeque::new(), Vec::new());
        let (encoder, next, rows, fetched_at) = (Some(encoder), None, 0, None);
        Ok(Self { source, shown, waiting, held, _writing: writing, next, encoder, rows, fetched_at })
    }

    /// Adds the rows of a page, cut into pieces.
    pub fn take(&mut self, page: Page) -> Result<(), FrameError> {
        self.next = page.next.map(|token| token.encode());
        self.fetched_at = self.fetched_at.into_iter().chain(page.provenance.fetched_at).min();
        if let Some(frame) = &page.rows {
            let rows = columns_of(frame, &self.shown)?;
            self.rows += rows.num_rows() as u64;
            let piece = |first| rows.slice(first, PIECE_ROWS.min(rows.num_rows() - first));
            self.held.clone_from(&frame.held);
            self.waiting.extend((0..rows.num_rows()).step_by(PIECE_ROWS).map(piece));
        }
        Ok(())
    }

    /// The next bytes of the file.
    pub async fn piece(mut self) -> Result<Option<(Bytes, Self)>, BridgeError> {
        loop {
            if self.waiting.is_empty()
                && let Some(token) = self.next.take()
            {
                self.held.clear();
                self.take(self.source.page(Some(token), |_| Ok(())).await?.1)?;
                continue;
            }
            let Some(encoder) = self.encoder.take() else { return Ok(None) };
            let rows = self.waiting.pop_front();
            let stages = self.source.stages.clone();
            let write = move || stages.time(Stage::Write, || encoder.write(rows));
            let (encoder, bytes) = off_thread(write).await?;
            self.encoder = encoder;
            if !bytes.is_empty() {
                return Ok(Some((bytes.into(), self)));
            }
        }
    }
}

impl FileEncoder {
    /// Writes rows, or the end of the file for `None`, after which there is no encoder any more.
    fn write(mut self, rows: Option<RecordBatch>) -> Result<(Option<Self>, Vec<u8>), BridgeError> {
        let Some(rows) = rows else {
            let mut bytes = self.packer.pack(&self.file.end()?).map_err(unwritten)?;
            bytes.extend(self.packer.finish().map_err(unwritten)?);
            return Ok((None, bytes));
        };
        let bytes = self.packer.pack(&self.file.rows(&rows)?).map_err(unwritten)?;
        Ok((Some(self), bytes))
    }
}

fn unwritten(error: io::Error) -> ExportError {
    ExportError::Compression(error)
}

pub(in crate::web) fn file_column(set: &Set, query: &BoundQuery, column: usize) -> Option<FileColumn> {
    if let Some(column) = set.columns.get(column) {
        let written = FileColumn::new(&column.name, column.primitive);
        return Some(if column.nullable { written } else { written.required() });
    }
    let computed = query.computed.get(column - set.columns.len())?;
    Some(FileColumn::new(&computed.name, computed.column_type()))
}

pub(in crate::web) fn columns_of(frame: &Frame, shown: &[usize]) -> Result<RecordBatch, FrameError> {
    let position = |&column: &usize| frame.position(column).ok_or(FrameError::MissingColumn { column });
    let positions = shown.iter().map(position).collect::<Result<Vec<_>, _>>()?;
    Ok(frame.batch.project(&positions)?)
}
