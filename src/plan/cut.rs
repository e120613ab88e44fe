//! Cuts each axis of a selection into pieces, so that every combination of pieces is a request within the cell limit.
//!
//! Periods are cut first, counted from the table's oldest, so that a new period adds a piece and does not change the others; then the
//! dimensions in key order, so that a chunk is one contiguous run of rows where possible. The size of an axis' pieces follows from the
//! rows of the largest combination of the later axes. Members of different hierarchies, and members with the same label that are not
//! twins, are never in one request. URLs stay below the 2048 characters that many gateways allow.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::catalogue::dimension::{Dimension, Hierarchy};
use crate::catalogue::id::PeriodTypeId;
use crate::catalogue::measurement::Measurement;
use crate::plan::chunk::{
    Chunk, ChunkDimension, ChunkError, LONGEST_PERIOD_LIST, are_newest, columns, list_characters,
};
use crate::plan::product::{Chunks, PeriodPiece};
use crate::plan::selection::Selection;
use crate::upstream::forms::PROVEN_ADDRESS;

/// Characters of an address that the name of a dimension's hierarchy and of a level may take.
const DIMENSION_CHARACTERS: usize = 60;
/// Characters that everything may take but periods and dimensions.
const OTHER_CHARACTERS: usize = 140;

/// Cuts a selection into chunks, in the order of the rows.
///
/// # Errors
/// When a single row exceeds the limit, or a member is in no hierarchy.
pub fn cut(measurement: &Measurement, selection: &Selection, cell_limit: u64) -> Result<Chunks, ChunkError> {
    if selection.is_empty() {
        return Ok(Chunks::default());
    }
    let row_limit = row_limit(measurement, selection, cell_limit)?;
    let axes = fitted(measurement, &axes(measurement, selection)?);
    let largest: Vec<u64> = axes.iter().map(|runs| largest(measurement, runs)).collect();
    let rows_behind = |axis: usize| largest[axis..].iter().copied().fold(1, u64::saturating_mul);
    let at_once = |axis: usize| usize::try_from(row_limit / rows_behind(axis)).unwrap_or(usize::MAX);
    let longest = longest_period_list(measurement, &selection.periods, &axes);
    let periods = period_pieces(measurement, &selection.periods, at_once(0).max(1), longest);
    let lists = axes.iter().filter(|runs| runs.iter().any(|run| run.is_list(measurement))).count();
    let characters = list_characters(1 + lists);
    let cut_axis = |(axis, runs): (usize, &Vec<_>)| pieces(measurement, runs, at_once(axis + 1), characters);
    let dimensions = axes.iter().enumerate().map(cut_axis).collect();
    Ok(Chunks::new(measurement, periods, dimensions, selection.measures.clone()))
}

/// A selection as one chunk; `None` if it needs several.
#[must_use]
pub fn alone(measurement: &Measurement, selection: &Selection, cell_limit: u64) -> Option<Chunk> {
    let (first, others) = selection.periods.split_first()?;
    let period_type = &measurement.periods[*first].type_id;
    let is_one_type = others.iter().all(|&period| measurement.periods[period].type_id == *period_type);
    let one = |runs: Vec<ChunkDimension>| <[_; 1]>::try_from(runs).ok().map(|[run]| run);
    let chunk = |axes: Vec<Vec<ChunkDimension>>| {
        let dimensions = axes.into_iter().map(one).collect::<Option<_>>()?;
        let (period_type, periods) = (period_type.clone(), selection.periods.clone());
        let chunk = Chunk { period_type, periods, dimensions, measures: selection.measures.clone() };
        (chunk.fits_address(measurement) && chunk.cell_bound(measurement) <= cell_limit).then_some(chunk)
    };
    if !is_one_type {
        return None;
    }
    let axes = axes(measurement, selection).ok()?;
    chunk(axes.clone()).or_else(|| chunk(fitted(measurement, &axes)))
}

/// The most rows of a request.
fn row_limit(measurement: &Measurement, selection: &Selection, cell_limit: u64) -> Result<u64, ChunkError> {
    let cells = columns(selection.named().count(), selection.measures.len());
    match cell_limit / cells {
        0 => {
            Err(ChunkError::LimitBelowOneRow { table: measurement.id.to_string(), cells, limit: cell_limit })
        }
        rows => Ok(rows),
    }
}

fn largest(measurement: &Measurement, runs: &[ChunkDimension]) -> u64 {
    runs.iter().map(|run| run.node_count(measurement)).max().unwrap_or(1)
}

/// The pieces of one dimension, in the order of their first members; those with too many nodes are cut into lists.
fn pieces(
    measurement: &Measurement,
    runs: &[ChunkDimension],
    at_once: usize,
    characters: usize,
) -> Vec<ChunkDimension> {
    let fits = |run: &ChunkDimension| run.node_count(measurement) <= at_once as u64;
    let cut = |run: &ChunkDimension| match fits(run) {
        true => vec![run.clone()],
        false => run.lists(measurement, at_once.max(1), characters),
    };
    let mut pieces: Vec<_> = runs.iter().flat_map(cut).collect();
    pieces.sort_by_key(|piece| piece.members.first().copied());
    pieces
}

/// Periods in pieces of one type and at most `at_once` periods, counted from the table's oldest of that type. A piece that would be
/// too long a list is cut again.
fn period_pieces(
    measurement: &Measurement,
    periods: &[usize],
    at_once: usize,
    longest: usize,
) -> Vec<PeriodPiece> {
    let number = numbers_from_the_oldest(measurement);
    let mut groups: BTreeMap<(&PeriodTypeId, usize), Vec<usize>> = BTreeMap::new();
    for &index in periods {
        groups.entry((&measurement.periods[index].type_id, number[index] / at_once)).or_default().push(index);
    }
    let mut pieces = Vec::new();
    for ((period_type, _), group) in groups {
        let may_be_long = group.len() <= longest || are_newest(measurement, period_type, &group);
        let at_once = if may_be_long { usize::MAX } else { longest };
        let lists = group.chunk_by(|&a, &b| number[a] / at_once == number[b] / at_once);
        pieces.extend(
            lists.map(|list| PeriodPiece { period_type: period_type.clone(), periods: list.to_vec() }),
        );
    }
    pieces.sort_by_key(|piece| piece.periods.first().copied());
    pieces
}

/// The longest list of periods that leaves an address in no doubt beside what is listed of the dimensions.
fn longest_period_list(measurement: &Measurement, periods: &[usize], axes: &[Vec<ChunkDimension>]) -> usize {
    let listed = axes.iter().map(|runs| {
        let lists = runs.iter().filter(|run| run.is_list(measurement));
        lists.map(|run| run.characters(measurement)).max().unwrap_or_default()
    });
    let taken = listed.sum::<usize>() + axes.len() * DIMENSION_CHARACTERS + OTHER_CHARACTERS;
    let of_one = periods.iter().map(|&period| 3 + measurement.periods[period].id.as_str().len()).max();
    (PROVEN_ADDRESS.saturating_sub(taken) / of_one.unwrap_or(1)).max(LONGEST_PERIOD_LIST)
}

/// For each period the number of older ones of its type in the table.
fn numbers_from_the_oldest(measurement: &Measurement) -> Vec<usize> {
    let mut counts: HashMap<&PeriodTypeId, usize> = HashMap::new();
    let mut numbers = vec![0; measurement.periods.len()];
    for (index, period) in measurement.periods.iter().enumerate().rev() {
        let count = counts.entry(&period.type_id).or_default();
        numbers[index] = *count;
        *count += 1;
    }
    numbers
}

/// For each named dimension its members, grouped into runs that can be requested together.
fn axes(measurement: &Measurement, selection: &Selection) -> Result<Vec<Vec<ChunkDimension>>, ChunkError> {
    selection.named().map(|(dimension, members)| runs(measurement, dimension, members)).collect()
}

/// The same, with runs split so that they fit into a URL.
fn fitted(measurement: &Measurement, axes: &[Vec<ChunkDimension>]) -> Vec<Vec<ChunkDimension>> {
    let is_long = |runs: &&Vec<ChunkDimension>| runs.iter().any(|run| run.is_list(measurement));
    let characters = list_characters(axes.iter().filter(is_long).count());
    let fit = |runs: &Vec<_>| runs.iter().flat_map(|run| fit_address(measurement, run, characters)).collect();
    axes.iter().map(fit).collect()
}

/// Groups members of a dimension into runs that can be requested together: of one hierarchy and without ambiguous labels.
fn runs(
    measurement: &Measurement,
    dimension: usize,
    members: &[usize],
) -> Result<Vec<ChunkDimension>, ChunkError> {
    let facts = &measurement.dimensions[dimension];
    let mut runs = Vec::new();
    for (hierarchy, members) in by_hierarchy(measurement, facts, members)? {
        for members in unambiguous(facts, &members) {
            runs.push(ChunkDimension { dimension, hierarchy, members, with_others: false });
        }
    }
    Ok(runs)
}

/// Splits a run whose list is too long for a URL into several lists, or requests the whole hierarchy if few members are unwanted.
fn fit_address(measurement: &Measurement, run: &ChunkDimension, characters: usize) -> Vec<ChunkDimension> {
    if !run.is_list(measurement) {
        return vec![run.clone()];
    }
    let lists = run.lists(measurement, usize::MAX, characters);
    let facts = &measurement.dimensions[run.dimension];
    let all = members_of(&facts.hierarchies[run.hierarchy]);
    let few_others = all.len() <= 2 * run.members.len();
    if lists.len() > 1 && few_others && unambiguous(facts, &all).len() == 1 {
        return vec![ChunkDimension { with_others: true, ..run.clone() }];
    }
    lists
}

/// Chooses few hierarchies greedily: repeatedly the one with the most remaining members, the first of equal ones.
fn by_hierarchy(
    measurement: &Measurement,
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
                table: measurement.id.to_string(),
                dimension: facts.label.clone(),
                member: facts.members.get(first).map(|member| member.label.clone()).unwrap_or_default(),
            });
        };
        left.retain(|member| !held.contains(member));
        groups.push((hierarchy, held.into_iter().collect()));
    }
    Ok(groups)
}

/// A chunk with every member of a dimension's hierarchy asked for; `None` if that would double a label.
#[must_use]
pub fn with_others(measurement: &Measurement, chunk: &Chunk, position: usize) -> Option<Chunk> {
    let part = chunk.dimensions.get(position)?;
    let facts = &measurement.dimensions[part.dimension];
    if unambiguous(facts, &members_of(&facts.hierarchies[part.hierarchy])).len() > 1 {
        return None;
    }
    let mut with = chunk.clone();
    with.dimensions[position].with_others = true;
    Some(with)
}

/// The members that a hierarchy lists.
fn members_of(hierarchy: &Hierarchy) -> Vec<usize> {
    let members: BTreeSet<usize> = hierarchy.nodes.iter().map(|node| node.member).collect();
    members.into_iter().collect()
}

/// Splits members so that no two in a list have the same label, except twins, which have the same figures.
fn unambiguous(facts: &Dimension, members: &[usize]) -> Vec<Vec<usize>> {
    let mut lists: Vec<Vec<usize>> = Vec::new();
    let mut namesakes: HashMap<&str, Vec<(usize, usize)>> = HashMap::new();
    for &member in members {
        let placed = namesakes.entry(facts.members[member].comparable_label.as_str()).or_default();
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

#[cfg(test)]
mod tests {
    use crate::plan::chunk::Chunk;
    use crate::plan::fixture::{everything, table};

    use super::*;

    /// How many periods and members the first chunk asks for, when a request may have so many rows.
    fn first(rows: u64) -> Vec<usize> {
        let Chunk { periods, dimensions, .. } =
            cut(&table(), &everything(), rows * 5).unwrap().get(0).unwrap();
        [periods.len()].into_iter().chain(dimensions.iter().map(|part| part.members.len())).collect()
    }

    #[test]
    fn periods_are_cut_first_and_then_the_dimensions_in_key_order() {
        assert_eq!(first(360), [12, 5, 3, 2]);
        assert_eq!(
            first(359),
            [1, 5, 3, 2],
            "the newest stands alone: the oldest eleven are counted off first"
        );
        assert_eq!(first(30), [1, 5, 3, 2]);
        assert_eq!(first(29), [1, 4, 3, 2]);
        assert_eq!(first(6), [1, 1, 3, 2]);
        assert_eq!(first(5), [1, 1, 2, 2]);
        assert_eq!(first(1), [1, 1, 1, 1]);
    }

    #[test]
    fn one_row_more_than_the_limit_is_refused() {
        let refused = cut(&table(), &everything(), 4);
        assert!(
            matches!(refused, Err(ChunkError::LimitBelowOneRow { cells: 5, limit: 4, .. })),
            "{refused:?}"
        );
    }
}
