//! Parts of a window: periods for which each measure comes whole from one block. A part is made of columns as they are stored, so that
//! figures which were fetched measure by measure cost no more to read than those which came together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, RecordBatch, StringArray};
use arrow_schema::{ArrowError, Schema};

use crate::catalogue::id::PeriodId;
use crate::store::StoredFigures;
use crate::store::block::{CellBlock, SharedBlock};
use crate::store::key::CellKey;
use crate::store::window::{Window, latest};

/// Some periods of a window, and for each of its measures the block that it comes from.
struct Part<'a> {
    window: &'a Window<'a>,
    periods: BTreeSet<PeriodId>,
    holders: Vec<&'a StoredFigures>,
}

impl Window<'_> {
    /// The wanted rows and measures, of blocks of which the first that has a figure is taken: as parts if each measure of each period is whole
    /// in a block, else put together row by row as one block.
    ///
    /// # Errors
    /// When the columns are not those of blocks, or there is no block.
    pub fn blocks(&self, blocks: &[StoredFigures]) -> Result<Vec<SharedBlock>, ArrowError> {
        let parts = divided(self, blocks).filter(|parts| !parts.is_empty());
        let parts = parts.map(|parts| parts.iter().map(Part::block).collect::<Result<Option<_>, _>>());
        match parts.transpose()?.flatten() {
            Some(parts) => Ok(parts),
            None => Ok(vec![self.put_together(blocks)?]),
        }
    }
}

/// `None` unless each measure of each period is whole in a block, and no block has rows with unknown labels, which belong to no part,
/// unless it is the only one and has what is wanted.
fn divided<'a>(window: &'a Window<'a>, blocks: &'a [StoredFigures]) -> Option<Vec<Part<'a>>> {
    let is_only = blocks.len() == 1 && blocks.iter().all(|(key, _)| **key == *window.key);
    if !is_only && blocks.iter().any(|(_, block)| block.holds_unknown()) {
        return None;
    }
    let is_usable = |(key, block): &(&CellKey, &StoredFigures)| {
        key.covers_members(window.key) && window.axes.iter().all(|axis| block.1.ids(axis.name).is_some())
    };
    let usable: Vec<(&CellKey, &StoredFigures)> =
        blocks.iter().map(|block| (&*block.0, block)).filter(is_usable).collect();
    let holds = |measure: &&str| usable.iter().map(|(key, _)| key.measures.contains(*measure)).collect();
    let holding: Vec<Vec<bool>> = window.measures.iter().map(holds).collect();
    let mut periods: BTreeMap<Vec<usize>, BTreeSet<PeriodId>> = BTreeMap::new();
    for period in &window.key.periods {
        let with_period: Vec<usize> =
            (0..usable.len()).filter(|&at| usable[at].0.periods.contains(period)).collect();
        let holder = |holding: &Vec<bool>| with_period.iter().copied().find(|&at| holding[at]);
        let holders = holding.iter().map(holder).collect::<Option<Vec<usize>>>()?;
        periods.entry(holders).or_default().insert(period.clone());
    }
    let part = |(holders, periods): (Vec<usize>, BTreeSet<PeriodId>)| Part {
        window,
        periods,
        holders: holders.into_iter().map(|at| usable[at].1).collect(),
    };
    Some(periods.into_iter().map(part).collect())
}

impl Part<'_> {
    /// The part as one block; `None` if its blocks have other rows than each other.
    fn block(&self) -> Result<Option<SharedBlock>, ArrowError> {
        let Some(first) = self.holders.first() else { return Ok(None) };
        let rows = self.restricted(first)?;
        let mut used: Vec<(&StoredFigures, SharedBlock)> = vec![(first, Arc::clone(&rows))];
        for holder in &self.holders {
            if !used.iter().any(|(known, _)| Arc::ptr_eq(&known.1, &holder.1)) {
                let other = self.restricted(holder)?;
                if !self.has_same_rows(&rows, &other) {
                    return Ok(None);
                }
                used.push((holder, other));
            }
        }
        if used.len() == 1 { Ok(Some(rows)) } else { self.beside_each_other(&rows, &used).map(Some) }
    }

    /// The rows of the part, out of a block that has all of them.
    fn restricted(&self, (held, block): &StoredFigures) -> Result<SharedBlock, ArrowError> {
        let of_periods = match held.periods == self.periods {
            true => Arc::clone(block),
            false => block.of_periods(&self.periods, |measure| self.window.measures.contains(&measure))?,
        };
        let has_members_alone = held.members == self.window.key.members;
        if has_members_alone { Ok(of_periods) } else { of_periods.of_members(&self.window.key.members) }
    }

    fn has_same_rows(&self, one: &CellBlock, other: &CellBlock) -> bool {
        self.window.axes.iter().all(|axis| match (one.ids(axis.name), other.ids(axis.name)) {
            (Some(one), Some(other)) => has_same_ids(one, other),
            _ => false,
        })
    }

    /// The columns of blocks with the same rows: the ids of the first, and each measure of its own.
    fn beside_each_other(
        &self,
        rows: &CellBlock,
        blocks: &[(&StoredFigures, SharedBlock)],
    ) -> Result<SharedBlock, ArrowError> {
        let (mut fields, mut columns) = (Vec::new(), Vec::<ArrayRef>::new());
        let mut add = |block: &CellBlock, name: &str| {
            let at = block.cells.schema_ref().index_of(name)?;
            fields.push(block.cells.schema_ref().field(at).clone());
            columns.push(Arc::clone(block.cells.column(at)));
            Ok::<_, ArrowError>(())
        };
        for axis in &self.window.axes {
            add(rows, axis.name)?;
        }
        for (measure, holder) in self.window.measures.iter().zip(&self.holders) {
            for (_, block) in blocks.iter().filter(|(known, _)| Arc::ptr_eq(&known.1, &holder.1)) {
                add(block, measure)?;
            }
        }
        let cells = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        let used = || blocks.iter().map(|(_, block)| &**block);
        let fetched_at = used().map(|block| block.fetched_at).min().unwrap_or(rows.fetched_at);
        Ok(Arc::new(CellBlock::new(cells, rows.revision, fetched_at, latest(used()))))
    }
}

fn has_same_ids(one: &DictionaryArray<Int32Type>, other: &DictionaryArray<Int32Type>) -> bool {
    let (Some(ids), Some(others)) =
        (one.values().as_string_opt::<i32>(), other.values().as_string_opt::<i32>())
    else {
        return false;
    };
    let (keys, other_keys) = (one.keys().values(), other.keys().values());
    if ids == others {
        return keys == other_keys;
    }
    let codes = codes_of(ids);
    let code: Vec<Option<i32>> = others.iter().map(|id| codes.get(id?).copied()).collect();
    let is_same = |(key, other): (&i32, &i32)| code.get(*other as usize) == Some(&Some(*key));
    keys.len() == other_keys.len() && keys.iter().zip(other_keys).all(is_same)
}

fn codes_of(ids: &StringArray) -> HashMap<&str, i32> {
    (0..).zip(ids).filter_map(|(code, id)| Some((id?, code))).collect()
}
