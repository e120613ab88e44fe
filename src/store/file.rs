//! The file format of a block: a head with its description, then the cells as an Arrow IPC stream. Both have a checksum, so that a
//! truncated, damaged or foreign file is never read as figures.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `JBCELLS\n` |
//! | 4 | version of the format, little-endian as all numbers here |
//! | 4 | length of the head |
//! | 4 | CRC-32 of version, length and head |
//! | … | the head: JSON, see [`Head`] |
//! | … | the cells: an Arrow IPC stream of one record batch; its length and CRC-32 are in the head |

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::catalogue::id::{DimensionId, MeasureId, MeasurementId, MemberId, PeriodId};
use crate::store::block::{CellBlock, PERIOD_COLUMN, Revision};
use crate::store::key::CellKey;
use crate::store::stream;

const MAGIC: [u8; 8] = *b"JBCELLS\n";
/// The format's version; increase it when older programs cannot read the files any more.
const VERSION: u32 = 2;
/// The oldest version that is read.
const OLDEST: u32 = 1;
/// Bytes before the head.
const PREFIX: usize = 20;
/// The longest head. A larger length is treated as damage and not allocated.
const LONGEST_HEAD: usize = 64 * 1024 * 1024;

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is not a file of cells")]
    Foreign,
    #[error(
        "it has the form {found}, expected {OLDEST} to {VERSION}: a newer version of the program wrote it"
    )]
    Version { found: u32 },
    #[error("its {part} has the checksum {found:08x}, expected {expected:08x}")]
    Checksum { part: &'static str, found: u32, expected: u32 },
    #[error("it has {found} bytes, expected {expected}")]
    Length { found: u64, expected: u64 },
    #[error("its head cannot be read: {0}")]
    Head(#[from] serde_json::Error),
    #[error("its cells cannot be read: {0}")]
    Cells(#[from] ArrowError),
    #[error("it holds {found}, expected {expected}")]
    Misplaced { found: String, expected: String },
}

impl FileError {
    /// Whether there is no file at all.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// The description of the file's cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub origin: String,
    table: String,
    update_latest: Option<NaiveDate>,
    #[serde(default)]
    changed_at: Option<DateTime<Utc>>,
    /// In version 1, in place of `changed_at`: the seconds from the start of the upstream's day until changes were found.
    #[serde(default, skip_serializing)]
    counter: u32,
    fetched_at: DateTime<Utc>,
    periods: BTreeSet<String>,
    members: BTreeMap<String, BTreeSet<String>>,
    measures: BTreeSet<String>,
    updated: BTreeMap<String, DateTime<Utc>>,
    cells_bytes: u64,
    cells_checksum: u32,
}

impl Head {
    pub fn table(&self) -> MeasurementId {
        MeasurementId::from(self.table.as_str())
    }

    pub fn revision(&self) -> Revision {
        let of_day = Revision::of(self.update_latest);
        let counted_from = of_day.instant().unwrap_or(DateTime::UNIX_EPOCH);
        let counted = (self.counter > 0).then(|| counted_from + TimeDelta::seconds(self.counter.into()));
        Revision { changed_at: self.changed_at.or(counted), ..of_day }
    }

    pub fn fetched_at(&self) -> DateTime<Utc> {
        self.fetched_at
    }

    pub fn key(&self) -> CellKey {
        let members = |ids: &BTreeSet<String>| ids.iter().map(|id| MemberId::from(id.as_str())).collect();
        let named =
            self.members.iter().map(|(dimension, ids)| (DimensionId::from(dimension.as_str()), members(ids)));
        CellKey {
            periods: self.periods.iter().map(|id| PeriodId::from(id.as_str())).collect(),
            members: named.collect(),
            measures: self.measures.iter().map(|id| MeasureId::from(id.as_str())).collect(),
        }
    }

    fn describe(origin: &str, table: &MeasurementId, key: &CellKey, block: &CellBlock, cells: &[u8]) -> Self {
        let members = |(dimension, ids): (&DimensionId, &BTreeSet<MemberId>)| {
            (dimension.to_string(), ids.iter().map(ToString::to_string).collect())
        };
        Self {
            origin: origin.to_owned(),
            table: table.to_string(),
            update_latest: block.revision.update_latest,
            changed_at: block.revision.changed_at,
            counter: 0,
            fetched_at: block.fetched_at,
            periods: key.periods.iter().map(ToString::to_string).collect(),
            members: key.members.iter().map(members).collect(),
            measures: key.measures.iter().map(ToString::to_string).collect(),
            updated: block.updated.iter().map(|(period, at)| (period.to_string(), *at)).collect(),
            cells_bytes: cells.len() as u64,
            cells_checksum: crc32fast::hash(cells),
        }
    }

    /// Whether the cells have the columns that the head lists.
    fn fits(&self, cells: &RecordBatch) -> bool {
        let expected: BTreeSet<&str> = [PERIOD_COLUMN]
            .into_iter()
            .chain(self.members.keys().map(String::as_str))
            .chain(self.measures.iter().map(String::as_str))
            .collect();
        let found: BTreeSet<&str> =
            cells.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
        expected == found
    }
}

/// A block as the bytes of its file.
pub fn encode(
    origin: &str,
    table: &MeasurementId,
    key: &CellKey,
    block: &CellBlock,
) -> Result<Vec<u8>, FileError> {
    let mut writer = StreamWriter::try_new(Vec::new(), block.cells.schema_ref())?;
    writer.write(&block.cells)?;
    let cells = writer.into_inner()?;
    let head = serde_json::to_vec(&Head::describe(origin, table, key, block, &cells))?;
    let length = u32::try_from(head.len()).map_err(|_| FileError::Foreign)?;
    let mut file = Vec::with_capacity(PREFIX + head.len() + cells.len());
    file.extend(MAGIC);
    file.extend(VERSION.to_le_bytes());
    file.extend(length.to_le_bytes());
    file.extend(head_checksum(VERSION, length, &head).to_le_bytes());
    file.extend(head);
    file.extend(cells);
    Ok(file)
}

/// The head of a file of that length. Only as much as the head is read.
pub fn read_head(mut file: impl Read, file_bytes: u64) -> Result<Head, FileError> {
    let mut prefix = [0; PREFIX];
    file.read_exact(&mut prefix).map_err(cut_short)?;
    let number = |at: usize| u32::from_le_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]]);
    if prefix[..8] != MAGIC {
        return Err(FileError::Foreign);
    }
    let (version, length, expected) = (number(8), number(12), number(16));
    if !(OLDEST..=VERSION).contains(&version) {
        return Err(FileError::Version { found: version });
    }
    let head_bytes = length as usize;
    if length as u64 > file_bytes || head_bytes > LONGEST_HEAD {
        return Err(FileError::Length { found: file_bytes, expected: PREFIX as u64 + u64::from(length) });
    }
    let mut head = vec![0; head_bytes];
    file.read_exact(&mut head).map_err(cut_short)?;
    let found = head_checksum(version, length, &head);
    if found != expected {
        return Err(FileError::Checksum { part: "head", found, expected });
    }
    let head: Head = serde_json::from_slice(&head)?;
    let expected = (PREFIX as u64 + u64::from(length)).saturating_add(head.cells_bytes);
    if file_bytes != expected {
        return Err(FileError::Length { found: file_bytes, expected });
    }
    Ok(head)
}

/// The whole file as a block.
pub fn decode(file: &[u8]) -> Result<(Head, CellBlock), FileError> {
    let head = read_head(file, file.len() as u64)?;
    let cells = usize::try_from(head.cells_bytes).ok().and_then(|bytes| file.len().checked_sub(bytes));
    let cells = cells.and_then(|start| file.get(start..)).ok_or(FileError::Foreign)?;
    let (found, expected) = (crc32fast::hash(cells), head.cells_checksum);
    if found != expected {
        return Err(FileError::Checksum { part: "cells", found, expected });
    }
    let batch = stream::read(cells)?;
    if !head.fits(&batch) {
        return Err(FileError::Foreign);
    }
    let updated = head.updated.iter().map(|(period, at)| (PeriodId::from(period.as_str()), *at));
    let block = CellBlock::new(batch, head.revision(), head.fetched_at, updated.collect());
    // In version 1 every figure has 128 bits.
    Ok((head, block.narrowed()?))
}

fn head_checksum(version: u32, length: u32, head: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&version.to_le_bytes());
    hasher.update(&length.to_le_bytes());
    hasher.update(head);
    hasher.finalize()
}

fn cut_short(error: io::Error) -> FileError {
    if error.kind() == io::ErrorKind::UnexpectedEof { FileError::Foreign } else { FileError::Io(error) }
}
