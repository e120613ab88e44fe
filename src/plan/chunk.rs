//! Chunks: requests within the cell limit, in the order of the rows that they bring.
//!
//! A box is cut along its periods first, counted from the table's oldest, so that a new period adds a chunk and moves none;
//! then along the dimensions in key order, so that every chunk is one run of rows. Members of different hierarchies, and
//! members that share a label without being twins, are never asked for together. Chunks whose rows interleave form a
//! [`Band`]: once all chunks of a band are there, its rows can be put in order and given out.

use std::collections::{BTreeMap, HashMap};

use thiserror::Error;

use crate::catalogue::dimension::{Dimension, Node, ROOT};
use crate::catalogue::id::PeriodTypeId;
use crate::catalogue::measurement::Measurement;
use crate::plan::selection::Selection;
use crate::upstream::request::{HierarchySelection, NonEmpty};

/// The longest list of members in a request: addresses stay below the 2048 characters that many gateways allow.
const LONGEST_LIST: usize = 100;

/// One request to the upstream: one table, one period type, at most one hierarchy per dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chunk {
    pub period_type: PeriodTypeId,
    /// Indexes into the measurement's periods, ascending.
    pub periods: Vec<usize>,
    /// Dimensions that are named, in the measurement's order.
    pub dimensions: Vec<ChunkDimension>,
    /// Indexes of the measures, ascending.
    pub measures: Vec<usize>,
}

/// What a chunk asks of one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChunkDimension {
    pub dimension: usize,
    /// Index of the hierarchy among the dimension's.
    pub hierarchy: usize,
    /// Indexes of the members, ascending. All of them can be asked for in that hierarchy, and no two that are not twins share
    /// a label.
    pub members: Vec<usize>,
}

/// Chunks whose rows interleave in the order of the set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    pub chunks: Vec<Chunk>,
}

/// A row's place in the order of its set: the period's index, then the index of each named dimension's member.
pub type RowPlace = Vec<usize>;

/// Why a box cannot be cut into chunks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChunkError {
    #[error("a row of table {table} has {cells} cells, more than the limit of {limit} cells per request")]
    LimitBelowOneRow { table: String, cells: u64, limit: u64 },
    #[error("member '{member}' of dimension '{dimension}' of table {table} is in no hierarchy")]
    Unreachable { table: String, dimension: String, member: String },
}

impl Chunk {
    /// Cells of the answer at most, counted with all columns: the safe reading of the upstream's limit.
    #[must_use]
    pub fn cell_bound(&self) -> u64 {
        let sizes =
            self.dimensions.iter().map(|dimension| dimension.members.len()).chain([self.periods.len()]);
        let rows = sizes.fold(1, |product: u64, size| product.saturating_mul(size as u64));
        rows.saturating_mul(columns(self.dimensions.len(), self.measures.len()))
    }

    /// The place of the first row that the chunk can hold.
    #[must_use]
    pub fn first_place(&self) -> RowPlace {
        self.place(|list| list.first())
    }

    /// The place of the last row that the chunk can hold.
    #[must_use]
    pub fn last_place(&self) -> RowPlace {
        self.place(|list| list.last())
    }

    fn place(&self, end: impl Fn(&[usize]) -> Option<&usize>) -> RowPlace {
        let lists = [self.periods.as_slice()].into_iter();
        let lists = lists.chain(self.dimensions.iter().map(|dimension| dimension.members.as_slice()));
        lists.filter_map(end).copied().collect()
    }

    /// The chunk cut in two along its periods, or along its first dimension with more than one member; `None` for one row.
    #[must_use]
    pub fn halves(&self) -> Option<(Self, Self)> {
        let (mut first, mut second) = (self.clone(), self.clone());
        if self.periods.len() > 1 {
            second.periods = first.periods.split_off(self.periods.len() / 2);
            return Some((first, second));
        }
        let at = self.dimensions.iter().position(|dimension| dimension.members.len() > 1)?;
        let middle = self.dimensions[at].members.len() / 2;
        second.dimensions[at].members = first.dimensions[at].members.split_off(middle);
        Some((first, second))
    }
}

impl ChunkDimension {
    /// How the members are asked for, and how many nodes that brings: all, one level, the total, or a list. A list that would
    /// make too long an address becomes `*`; what was not wanted is dropped from the answer.
    #[must_use]
    pub fn asked(&self, of: &Measurement) -> (HierarchySelection, u64) {
        let hierarchy = &of.dimensions[self.dimension].hierarchies[self.hierarchy];
        let wanted = |node: &&Node| self.members.binary_search(&node.member).is_ok();
        let nodes: Vec<&Node> = hierarchy.nodes.iter().filter(wanted).collect();
        let count = nodes.len() as u64;
        let level = nodes.first().and_then(|node| node.level);
        let fills_level = |level: usize| {
            hierarchy.nodes.iter().filter(|node| node.level == Some(level)).count() == nodes.len()
        };
        match nodes.as_slice() {
            [node] if node.path.as_str() == ROOT => (HierarchySelection::Total, 1),
            all if all.len() == hierarchy.nodes.len() => (HierarchySelection::All, count),
            same if level.is_some_and(fills_level)
                && same.iter().all(|node| node.level == level && node.path.as_str() != ROOT) =>
            {
                let level = &hierarchy.levels[level.unwrap_or_default()];
                (HierarchySelection::Level(level.id.clone()), count)
            }
            few if few.len() <= LONGEST_LIST => {
                let paths = NonEmpty::new(few.iter().map(|node| node.path.clone()).collect());
                paths.map_or((HierarchySelection::All, count), |paths| {
                    (HierarchySelection::Members(paths), count)
                })
            }
            _ => (HierarchySelection::All, hierarchy.nodes.len() as u64),
        }
    }
}

impl Band {
    /// The place of the last row that the band can hold.
    #[must_use]
    pub fn last_place(&self) -> RowPlace {
        self.chunks.iter().map(Chunk::last_place).max().unwrap_or_default()
    }
}

/// Cells of a row: the period, each named dimension and each measure.
fn columns(dimensions: usize, measures: usize) -> u64 {
    (1 + dimensions + measures) as u64
}

/// Cuts a box into bands of chunks, in the order of the rows.
///
/// # Errors
/// When a single row is above the limit, or a member stands in no hierarchy.
pub fn bands(of: &Measurement, selection: &Selection, cell_limit: u64) -> Result<Vec<Band>, ChunkError> {
    if selection.is_empty() {
        return Ok(Vec::new());
    }
    let dimensions = selection.named().count();
    let row_cells = columns(dimensions, selection.measures.len());
    let row_limit = cell_limit / row_cells;
    if row_limit == 0 {
        return Err(ChunkError::LimitBelowOneRow {
            table: of.id.to_string(),
            cells: row_cells,
            limit: cell_limit,
        });
    }
    let boxes = boxes(of, selection)?;
    let largest = boxes.iter().map(|parts| rows(of, parts)).max().unwrap_or(1);
    let periods_at_once = usize::try_from((row_limit / largest).max(1)).unwrap_or(usize::MAX);
    let mut chunks = Vec::new();
    for (period_type, periods) in period_groups(of, &selection.periods, periods_at_once) {
        for parts in &boxes {
            for dimensions in split(of, parts, row_limit) {
                let (period_type, periods) = (period_type.clone(), periods.clone());
                chunks.push(Chunk { period_type, periods, dimensions, measures: selection.measures.clone() });
            }
        }
    }
    Ok(into_bands(chunks))
}

fn rows(of: &Measurement, parts: &[ChunkDimension]) -> u64 {
    parts.iter().fold(1, |product: u64, part| product.saturating_mul(part.asked(of).1))
}

/// Chunks in order, joined into a band where their rows interleave.
fn into_bands(mut chunks: Vec<Chunk>) -> Vec<Band> {
    chunks.sort_by_cached_key(Chunk::first_place);
    let mut bands: Vec<Band> = Vec::new();
    let mut end = RowPlace::new();
    for chunk in chunks {
        let last = chunk.last_place();
        match bands.last_mut().filter(|_| chunk.first_place() <= end) {
            Some(band) => band.chunks.push(chunk),
            None => bands.push(Band { chunks: vec![chunk] }),
        }
        end = end.max(last);
    }
    bands
}

/// Periods in groups of one type and at most `at_once`, counted from the oldest of the type that the table has.
fn period_groups(of: &Measurement, periods: &[usize], at_once: usize) -> Vec<(PeriodTypeId, Vec<usize>)> {
    let mut counts: HashMap<&PeriodTypeId, usize> = HashMap::new();
    let mut number = vec![0; of.periods.len()];
    for (index, period) in of.periods.iter().enumerate().rev() {
        let count = counts.entry(&period.type_id).or_default();
        number[index] = *count;
        *count += 1;
    }
    let mut groups: BTreeMap<(&PeriodTypeId, usize), Vec<usize>> = BTreeMap::new();
    for &index in periods {
        groups.entry((&of.periods[index].type_id, number[index] / at_once)).or_default().push(index);
    }
    groups.into_iter().map(|((period_type, _), periods)| (period_type.clone(), periods)).collect()
}

/// Every combination of the runs of each named dimension.
fn boxes(of: &Measurement, selection: &Selection) -> Result<Vec<Vec<ChunkDimension>>, ChunkError> {
    let mut boxes = vec![Vec::new()];
    for (dimension, members) in selection.named() {
        let runs = runs(of, dimension, members)?;
        boxes = boxes
            .into_iter()
            .flat_map(|parts: Vec<ChunkDimension>| {
                runs.iter().map(move |run| parts.iter().chain([run]).cloned().collect::<Vec<_>>())
            })
            .collect();
    }
    Ok(boxes)
}

/// Members of a dimension in runs that can be asked for together: one hierarchy each, and no ambiguous label.
fn runs(of: &Measurement, dimension: usize, members: &[usize]) -> Result<Vec<ChunkDimension>, ChunkError> {
    let facts = &of.dimensions[dimension];
    let mut runs = Vec::new();
    for (hierarchy, members) in by_hierarchy(of, facts, members)? {
        for members in unambiguous(facts, &members) {
            runs.push(ChunkDimension { dimension, hierarchy, members });
        }
    }
    Ok(runs)
}

/// The fewest hierarchies that are easily found: one that holds all members if there is one, else each member's own. The total
/// stands in every hierarchy and goes along with the first.
fn by_hierarchy(
    of: &Measurement,
    facts: &Dimension,
    members: &[usize],
) -> Result<Vec<(usize, Vec<usize>)>, ChunkError> {
    let holds = |hierarchy: usize, member: usize| {
        facts.hierarchies[hierarchy].nodes.iter().any(|node| node.member == member)
    };
    let one = (0..facts.hierarchies.len())
        .find(|&hierarchy| members.iter().all(|&member| holds(hierarchy, member)));
    if let Some(hierarchy) = one {
        return Ok(vec![(hierarchy, members.to_vec())]);
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut totals = Vec::new();
    for &index in members {
        let member = &facts.members[index];
        if member.is_total() {
            totals.push(index);
        } else if member.hierarchy < facts.hierarchies.len() {
            groups.entry(member.hierarchy).or_default().push(index);
        } else {
            return Err(ChunkError::Unreachable {
                table: of.id.to_string(),
                dimension: facts.label.clone(),
                member: member.label.clone(),
            });
        }
    }
    if let Some(mut first) = groups.first_entry() {
        first.get_mut().splice(0..0, totals);
    }
    Ok(groups.into_iter().collect())
}

/// Splits members so that no two in a list share a label, twins apart: they share their figures too.
fn unambiguous(facts: &Dimension, members: &[usize]) -> Vec<Vec<usize>> {
    let mut seen: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut lists: Vec<Vec<usize>> = Vec::new();
    for &index in members {
        let fellows = seen.entry(facts.members[index].label.as_str()).or_default();
        let twin = facts.twin(index).filter(|twin| fellows.contains(twin));
        let list = match twin {
            Some(twin) => lists.iter().position(|list| list.contains(&twin)).unwrap_or(0),
            None => {
                fellows.iter().filter(|&&fellow| facts.twin(fellow).is_none_or(|twin| twin >= fellow)).count()
            }
        };
        fellows.push(index);
        if lists.len() <= list {
            lists.resize_with(list + 1, Vec::new);
        }
        lists[list].push(index);
    }
    lists
}

/// Cuts one period's box into runs of rows within the limit: along the first dimension, and within each of its members along the
/// next where one member alone is too much.
fn split(of: &Measurement, parts: &[ChunkDimension], row_limit: u64) -> Vec<Vec<ChunkDimension>> {
    let Some((first, rest)) = parts.split_first() else { return vec![Vec::new()] };
    let inner = rows(of, rest);
    let at_once = usize::try_from(row_limit / inner).unwrap_or(usize::MAX);
    let with = |members: &[usize], tail: Vec<ChunkDimension>| {
        let mut all = vec![ChunkDimension { members: members.to_vec(), ..first.clone() }];
        all.extend(tail);
        all
    };
    if first.asked(of).1 <= at_once as u64 {
        return vec![parts.to_vec()];
    }
    if at_once >= 1 {
        let at_once = at_once.min(LONGEST_LIST);
        return first.members.chunks(at_once).map(|members| with(members, rest.to_vec())).collect();
    }
    let tails = split(of, rest, row_limit);
    let each = |member: &[usize]| tails.iter().map(|tail| with(member, tail.clone())).collect::<Vec<_>>();
    first.members.chunks(1).flat_map(each).collect()
}
