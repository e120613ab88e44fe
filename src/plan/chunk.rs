//! Chunks: requests within the cell limit, in the order of the rows that they bring.
//!
//! A box is cut along its periods first, counted from the table's oldest, so that a new period adds a chunk and moves none;
//! then along the dimensions in key order, so that every chunk is one run of rows. Members of different hierarchies, and
//! members that share a label without being twins, are never asked for together. Addresses stay below the 2048 characters that
//! many gateways allow. Chunks whose rows interleave form a [`Band`]: once all chunks of a band are there, its rows can be put
//! in order and given out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use thiserror::Error;

use crate::catalogue::dimension::{Dimension, Hierarchy, Level, Node, ROOT};
use crate::catalogue::id::PeriodTypeId;
use crate::catalogue::measurement::Measurement;
use crate::catalogue::period::PeriodKind;
use crate::plan::selection::Selection;
use crate::upstream::request::{HierarchySelection, NonEmpty};

/// The longest list of periods in a request; where the newest are asked for, their number is sent instead of a longer list.
const LONGEST_PERIOD_LIST: usize = 60;
/// Characters that all lists of members in an address may take together, percent-encoded.
const MEMBER_CHARACTERS: usize = 1100;

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
    /// Whether every node of the hierarchy is asked for, because the list would be too long; what was not wanted is dropped.
    pub with_others: bool,
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
    /// Rows that are wanted of the answer at most.
    #[must_use]
    pub fn row_bound(&self) -> u64 {
        let sizes = self.dimensions.iter().map(|part| part.members.len()).chain([self.periods.len()]);
        sizes.fold(1, |product: u64, size| product.saturating_mul(size as u64))
    }

    /// Cells of the answer at most, counted with all columns: the safe reading of the upstream's limit.
    #[must_use]
    pub fn cell_bound(&self, of: &Measurement) -> u64 {
        let rows = rows(of, &self.dimensions).saturating_mul(self.periods.len() as u64);
        rows.saturating_mul(columns(self.dimensions.len(), self.measures.len()))
    }

    /// How many periods are asked for by their number: the newest of their type, too many for a list.
    #[must_use]
    pub fn newest(&self, of: &Measurement) -> Option<usize> {
        let count = self.periods.len();
        (count > LONGEST_PERIOD_LIST && are_newest(of, &self.period_type, &self.periods)).then_some(count)
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
        (first.dimensions[at].with_others, second.dimensions[at].with_others) = (false, false);
        Some((first, second))
    }
}

impl ChunkDimension {
    /// How the members are asked for, and how many nodes that brings: all, one level, the total, or a list.
    #[must_use]
    pub fn asked(&self, of: &Measurement) -> (HierarchySelection, u64) {
        let hierarchy = &of.dimensions[self.dimension].hierarchies[self.hierarchy];
        let nodes = self.nodes(hierarchy);
        let count = nodes.len() as u64;
        let is_root = |node: &Node| node.path.as_str() == ROOT;
        match nodes.as_slice() {
            [node] if is_root(node) => (HierarchySelection::Total, 1),
            _ if self.with_others => (HierarchySelection::All, hierarchy.nodes.len() as u64),
            all if all.len() == hierarchy.nodes.len() => (HierarchySelection::All, count),
            some => {
                let level = filled_level(hierarchy, some).filter(|_| !some.iter().any(|node| is_root(node)));
                let paths = NonEmpty::new(some.iter().map(|node| node.path.clone()).collect());
                let selection = match (level, paths) {
                    (Some(level), _) => HierarchySelection::Level(level.id.clone()),
                    (None, Some(paths)) => HierarchySelection::Members(paths),
                    (None, None) => HierarchySelection::All,
                };
                (selection, count)
            }
        }
    }

    fn nodes<'a>(&self, hierarchy: &'a Hierarchy) -> Vec<&'a Node> {
        let wanted = |node: &&Node| self.members.binary_search(&node.member).is_ok();
        hierarchy.nodes.iter().filter(wanted).collect()
    }

    /// Whether the members are asked for one by one.
    fn is_list(&self, of: &Measurement) -> bool {
        self.members.len() > 1 && matches!(self.asked(of).0, HierarchySelection::Members(_))
    }

    /// The same for some of the members.
    fn of_members(&self, members: &[usize]) -> Self {
        Self { members: members.to_vec(), with_others: false, ..self.clone() }
    }

    /// Cuts the members into lists of at most so many, and of so many characters in an address.
    fn lists(&self, of: &Measurement, at_most: usize, characters: usize) -> Vec<Self> {
        let hierarchy = &of.dimensions[self.dimension].hierarchies[self.hierarchy];
        let mut length: HashMap<usize, usize> = HashMap::new();
        for node in &hierarchy.nodes {
            *length.entry(node.member).or_default() += encoded_length(node);
        }
        let mut lists: Vec<Vec<usize>> = Vec::new();
        let mut left = 0;
        for &member in &self.members {
            let needs = length.get(&member).copied().unwrap_or_default();
            match lists.last_mut().filter(|list| list.len() < at_most && needs <= left) {
                Some(list) => {
                    list.push(member);
                    left -= needs;
                }
                None => {
                    lists.push(vec![member]);
                    left = characters.saturating_sub(needs);
                }
            }
        }
        lists.iter().map(|list| self.of_members(list)).collect()
    }
}

/// The level that these nodes, and no others, stand on.
fn filled_level<'a>(hierarchy: &'a Hierarchy, nodes: &[&Node]) -> Option<&'a Level> {
    let level = nodes.first()?.level?;
    let on_level = |node: &&Node| node.level == Some(level);
    let fills = hierarchy.nodes.iter().filter(on_level).count() == nodes.len();
    hierarchy.levels.get(level).filter(|_| fills && nodes.iter().all(on_level))
}

/// Characters of a path in a list: slashes and the comma behind are percent-encoded.
fn encoded_length(node: &Node) -> usize {
    let path = node.path.as_str();
    let plain = path.bytes().filter(|byte| byte.is_ascii_alphanumeric()).count();
    3 + plain + 3 * (path.len() - plain)
}

impl Band {
    /// The place of the last row that the band can hold.
    #[must_use]
    pub fn last_place(&self) -> RowPlace {
        self.chunks.iter().map(Chunk::last_place).max().unwrap_or_default()
    }

    /// Rows that are wanted of the answers at most.
    #[must_use]
    pub fn row_bound(&self) -> u64 {
        self.chunks.iter().map(Chunk::row_bound).fold(0, u64::saturating_add)
    }
}

/// Cells of the largest row that a table has: with every dimension and every measure.
#[must_use]
pub fn row_cells(of: &Measurement) -> u64 {
    columns(of.dimensions.len(), of.measures.len())
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
            for dimensions in split(of, parts, row_limit, split_characters(of, parts)) {
                let (period_type, periods) = (period_type.clone(), periods.clone());
                chunks.push(Chunk { period_type, periods, dimensions, measures: selection.measures.clone() });
            }
        }
    }
    Ok(into_bands(chunks))
}

/// A box as one request; `None` if it takes several.
#[must_use]
pub fn alone(of: &Measurement, selection: &Selection, cell_limit: u64) -> Option<Chunk> {
    let (first, others) = selection.periods.split_first()?;
    let period_type = &of.periods[*first].type_id;
    let is_one_type = others.iter().all(|&period| of.periods[period].type_id == *period_type);
    let [dimensions] = <[_; 1]>::try_from(boxes(of, selection).ok()?).ok()?;
    let chunk = Chunk {
        period_type: period_type.clone(),
        periods: selection.periods.clone(),
        dimensions,
        measures: selection.measures.clone(),
    };
    let fits_address = chunk.periods.len() <= LONGEST_PERIOD_LIST || chunk.newest(of).is_some();
    (is_one_type && fits_address && chunk.cell_bound(of) <= cell_limit).then_some(chunk)
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

/// Periods in groups of one type and at most `at_once`, counted from the oldest of the type that the table has. A group that
/// would be too long a list is cut the same way.
fn period_groups(of: &Measurement, periods: &[usize], at_once: usize) -> Vec<(PeriodTypeId, Vec<usize>)> {
    let number = numbers_from_the_oldest(of);
    let mut groups: BTreeMap<(&PeriodTypeId, usize), Vec<usize>> = BTreeMap::new();
    for &index in periods {
        groups.entry((&of.periods[index].type_id, number[index] / at_once)).or_default().push(index);
    }
    let mut listed = Vec::new();
    for ((period_type, _), group) in groups {
        if group.len() <= LONGEST_PERIOD_LIST || are_newest(of, period_type, &group) {
            listed.push((period_type.clone(), group));
            continue;
        }
        let lists =
            group.chunk_by(|&a, &b| number[a] / LONGEST_PERIOD_LIST == number[b] / LONGEST_PERIOD_LIST);
        listed.extend(lists.map(|list| (period_type.clone(), list.to_vec())));
    }
    listed
}

/// For each period, how many older ones of its type the table has.
fn numbers_from_the_oldest(of: &Measurement) -> Vec<usize> {
    let mut counts: HashMap<&PeriodTypeId, usize> = HashMap::new();
    let mut numbers = vec![0; of.periods.len()];
    for (index, period) in of.periods.iter().enumerate().rev() {
        let count = counts.entry(&period.type_id).or_default();
        numbers[index] = *count;
        *count += 1;
    }
    numbers
}

/// Whether these are the newest periods of their type. Where an id fits no pattern, nobody knows which are the newest.
fn are_newest(of: &Measurement, period_type: &PeriodTypeId, periods: &[usize]) -> bool {
    let of_type = || of.periods.iter().enumerate().filter(|(_, period)| period.type_id == *period_type);
    of_type().all(|(_, period)| period.kind != PeriodKind::Unknown)
        && of_type().map(|(index, _)| index).take(periods.len()).eq(periods.iter().copied())
}

/// Every combination of the runs of each named dimension.
fn boxes(of: &Measurement, selection: &Selection) -> Result<Vec<Vec<ChunkDimension>>, ChunkError> {
    let runs = selection.named().map(|(dimension, members)| runs(of, dimension, members));
    let runs = runs.collect::<Result<Vec<_>, _>>()?;
    let is_long = |runs: &&Vec<ChunkDimension>| runs.iter().any(|run| run.is_list(of));
    let characters = MEMBER_CHARACTERS / runs.iter().filter(is_long).count().max(1);
    let mut boxes = vec![Vec::new()];
    for runs in runs {
        let runs: Vec<_> = runs.iter().flat_map(|run| fit_address(of, run, characters)).collect();
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
            runs.push(ChunkDimension { dimension, hierarchy, members, with_others: false });
        }
    }
    Ok(runs)
}

/// A run whose list is too long for an address is asked for with the few that are not wanted, or in several lists.
fn fit_address(of: &Measurement, run: &ChunkDimension, characters: usize) -> Vec<ChunkDimension> {
    if !run.is_list(of) {
        return vec![run.clone()];
    }
    let lists = run.lists(of, usize::MAX, characters);
    let facts = &of.dimensions[run.dimension];
    let all: BTreeSet<usize> =
        facts.hierarchies[run.hierarchy].nodes.iter().map(|node| node.member).collect();
    let all: Vec<usize> = all.into_iter().collect();
    let few_others = all.len() <= 2 * run.members.len();
    if lists.len() > 1 && few_others && unambiguous(facts, &all).len() == 1 {
        return vec![ChunkDimension { with_others: true, ..run.clone() }];
    }
    lists
}

/// The fewest hierarchies that are easily found: again and again the one that holds most of what is left, the first of equals.
fn by_hierarchy(
    of: &Measurement,
    facts: &Dimension,
    members: &[usize],
) -> Result<Vec<(usize, Vec<usize>)>, ChunkError> {
    let mut left: BTreeSet<usize> = members.iter().copied().collect();
    let mut groups = Vec::new();
    while let Some(&first) = left.first() {
        let held = |hierarchy: &Hierarchy| -> BTreeSet<usize> {
            hierarchy.nodes.iter().map(|node| node.member).filter(|member| left.contains(member)).collect()
        };
        let held = facts.hierarchies.iter().map(held).enumerate();
        let most = held.max_by_key(|(index, held)| (held.len(), Reverse(*index)));
        let Some((hierarchy, held)) = most.filter(|(_, held)| !held.is_empty()) else {
            return Err(ChunkError::Unreachable {
                table: of.id.to_string(),
                dimension: facts.label.clone(),
                member: facts.members.get(first).map(|member| member.label.clone()).unwrap_or_default(),
            });
        };
        left.retain(|member| !held.contains(member));
        groups.push((hierarchy, held.into_iter().collect()));
    }
    Ok(groups)
}

/// Splits members so that no two in a list share a label, twins apart: they share their figures too.
fn unambiguous(facts: &Dimension, members: &[usize]) -> Vec<Vec<usize>> {
    let mut lists: Vec<Vec<usize>> = Vec::new();
    let mut namesakes: HashMap<&str, Vec<(usize, usize)>> = HashMap::new();
    for &member in members {
        let placed = namesakes.entry(facts.members[member].label.as_str()).or_default();
        let twin = if placed.is_empty() { None } else { facts.twin(member) };
        let with_twin = placed.iter().find(|(_, other)| twin == Some(*other)).map(|(list, _)| *list);
        let free = |list: &usize| placed.iter().all(|(taken, _)| taken != list);
        let list = with_twin.or_else(|| (0..).find(free)).unwrap_or_default();
        placed.push((list, member));
        if lists.len() <= list {
            lists.resize_with(list + 1, Vec::new);
        }
        lists[list].push(member);
    }
    lists
}

/// Characters for a list that a split makes, beside the lists that are there.
fn split_characters(of: &Measurement, parts: &[ChunkDimension]) -> usize {
    MEMBER_CHARACTERS / (1 + parts.iter().filter(|part| part.is_list(of)).count())
}

/// Cuts one period's box into runs of rows within the limit: along the first dimension, and within each of its members along the
/// next where one member alone is too much.
fn split(
    of: &Measurement,
    parts: &[ChunkDimension],
    row_limit: u64,
    characters: usize,
) -> Vec<Vec<ChunkDimension>> {
    let Some((first, rest)) = parts.split_first() else { return vec![Vec::new()] };
    let at_once = row_limit / rows(of, rest);
    if first.asked(of).1 <= at_once {
        return vec![parts.to_vec()];
    }
    let (at_most, tails) = match usize::try_from(at_once) {
        Ok(0) => (1, split(of, rest, row_limit, characters)),
        Ok(at_once) => (at_once, vec![rest.to_vec()]),
        Err(_) => (usize::MAX, vec![rest.to_vec()]),
    };
    let runs = first.lists(of, at_most, characters);
    let with =
        |run: &ChunkDimension, tail: &Vec<ChunkDimension>| [run].into_iter().chain(tail).cloned().collect();
    runs.iter().flat_map(|run| tails.iter().map(move |tail| with(run, tail))).collect()
}
