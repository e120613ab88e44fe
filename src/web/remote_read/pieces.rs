//! Writes the answer to a remote read piece by piece: the series of one indicator at a time. Protobuf and snappy both say first how long
//! what follows is, so the series are made twice, to be measured and to be written.

use std::mem;
use std::sync::Arc;

use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len, message};

use super::{ReadError, wire};
use crate::answer::error::BridgeError;
use crate::budget::answers::Held;
use crate::fetch::error::FetchError;
use crate::indicators::history::{self, Query, SAMPLE_LIMIT, Series};
use crate::indicators::snapshot::Snapshot;
use crate::web::body::Pieces;

/// Snappy packs blocks of this size, each for itself.
const BLOCK_BYTES: usize = 64 * 1024;
/// The number of the only field of an answer and of a result.
const REPEATED: u32 = 1;

/// An answer that is measured and not written yet.
#[derive(Debug)]
pub(super) struct Measured {
    snapshot: Arc<Snapshot>,
    queries: Vec<Query>,
    /// The length of each query's result.
    lengths: Vec<usize>,
    /// The most memory that the series of one indicator take.
    pub(super) largest: usize,
}

impl Measured {
    /// Measures the answer to queries.
    pub(super) fn of(snapshot: Arc<Snapshot>, queries: Vec<Query>) -> Result<Self, ReadError> {
        let (mut budget, mut lengths, mut largest) = (SAMPLE_LIMIT, Vec::new(), 0);
        for query in &queries {
            let mut length = 0;
            for indicator in 0..snapshot.indicators.len().max(1) {
                let series = history::read_indicator(&snapshot, indicator, query, &mut budget)?;
                let encoded: usize = series
                    .into_iter()
                    .map(|series| message::encoded_len(REPEATED, &time_series(series)))
                    .sum();
                largest = largest.max(encoded);
                length += encoded;
            }
            lengths.push(length);
        }
        // The series themselves take about as much as what is written of them, which stands in a buffer that doubles.
        Ok(Self { snapshot, queries, lengths, largest: largest * 4 })
    }

    /// The pieces of the answer.
    pub(super) fn pieces(self, held: Held) -> Answer {
        let result = |length: &usize| key_len(REPEATED) + encoded_len_varint(*length as u64) + length;
        let mut begun = Vec::new();
        encode_varint(self.lengths.iter().map(result).sum::<usize>() as u64, &mut begun);
        Answer { measured: self, begun, next: (0, 0), budget: SAMPLE_LIMIT, plain: Vec::new(), _held: held }
    }
}

/// An answer that is being written.
pub(super) struct Answer {
    measured: Measured,
    /// What is written before the first block.
    begun: Vec<u8>,
    /// The query and the indicator that come next.
    next: (usize, usize),
    budget: usize,
    /// What is not packed yet.
    plain: Vec<u8>,
    _held: Held,
}

impl Answer {
    /// Writes the series of the next indicator; false at the end.
    fn write_next(&mut self) -> Result<bool, ReadError> {
        let (query, indicator) = self.next;
        let measured = &self.measured;
        let (Some(asked), Some(length)) = (measured.queries.get(query), measured.lengths.get(query)) else {
            return Ok(false);
        };
        if indicator == 0 {
            encode_key(REPEATED, WireType::LengthDelimited, &mut self.plain);
            encode_varint(*length as u64, &mut self.plain);
        }
        for series in history::read_indicator(&measured.snapshot, indicator, asked, &mut self.budget)? {
            message::encode(REPEATED, &time_series(series), &mut self.plain);
        }
        let is_last = indicator + 1 >= measured.snapshot.indicators.len();
        self.next = if is_last { (query + 1, 0) } else { (query, indicator + 1) };
        Ok(true)
    }
}

impl Pieces for Answer {
    fn next(&mut self) -> Result<Option<Vec<u8>>, BridgeError> {
        let interrupted = |_| FetchError::Interrupted;
        while self.plain.len() < BLOCK_BYTES && self.write_next().map_err(interrupted)? {}
        if self.plain.is_empty() {
            return Ok(Some(mem::take(&mut self.begun)).filter(|begun| !begun.is_empty()));
        }
        let rest = self.plain.split_off(self.plain.len().min(BLOCK_BYTES));
        let block = mem::replace(&mut self.plain, rest);
        let packed = snap::raw::Encoder::new().compress_vec(&block).map_err(|_| FetchError::Interrupted)?;
        let mut piece = mem::take(&mut self.begun);
        piece.extend_from_slice(packed.get(encoded_len_varint(block.len() as u64)..).unwrap_or_default());
        Ok(Some(piece))
    }
}

fn time_series(series: Series) -> wire::TimeSeries {
    let label = |(name, value): (&'static str, String)| wire::Label { name: name.to_owned(), value };
    let sample = |it: history::Sample| wire::Sample { value: it.value, timestamp: it.at_ms };
    wire::TimeSeries {
        labels: series.labels.into_iter().map(label).collect(),
        samples: series.samples.into_iter().map(sample).collect(),
    }
}
