//! Chunks of random selections: they cover the selection, do not overlap, keep the limit and the order, and stay the same when the
//! table grows.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use jobindsats_bridge::catalogue::dimension::{Dimension, HierarchySource, LevelSource};
use jobindsats_bridge::catalogue::id::{DimensionId, HierarchyId, LevelId, MemberPath};
use jobindsats_bridge::catalogue::measurement::Measurement;
use jobindsats_bridge::fetch::request::data_request;
use jobindsats_bridge::plan::chunk::{Chunk, ChunkError};
use jobindsats_bridge::plan::cut::{alone, cut};
use jobindsats_bridge::plan::product::Chunks;
use jobindsats_bridge::plan::selection::{Members, Selection};
use jobindsats_bridge::store::key::CellKey;
use jobindsats_bridge::upstream::request::{HierarchySelection, PeriodSelection};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::properties::tables::{TableSelection, cases, periods};
use crate::support::patience::within;

/// Every combination of one entry of each list.
fn places(lists: &[&[usize]]) -> Vec<Vec<usize>> {
    lists.iter().fold(vec![Vec::new()], |places, list| {
        places
            .iter()
            .flat_map(|place| list.iter().map(move |&at| [place.as_slice(), &[at]].concat()))
            .collect()
    })
}

fn places_of_chunk(chunk: &Chunk) -> Vec<Vec<usize>> {
    let lists: Vec<&[usize]> = [chunk.periods.as_slice()]
        .into_iter()
        .chain(chunk.dimensions.iter().map(|part| part.members.as_slice()))
        .collect();
    places(&lists)
}

fn places_of_selection(selection: &Selection) -> HashSet<Vec<usize>> {
    let lists: Vec<&[usize]> =
        [selection.periods.as_slice()].into_iter().chain(selection.named().map(|(_, list)| list)).collect();
    places(&lists).into_iter().collect()
}

fn row_cells(selection: &Selection) -> u64 {
    (1 + selection.named().count() + selection.measures.len()) as u64
}

fn planned(case: &TableSelection, limit: u64) -> Chunks {
    cut(&case.table, &case.selection, limit).unwrap()
}

/// The cells that the upstream counts, from the request alone.
fn cells_asked(measurement: &Measurement, chunk: &Chunk) -> u64 {
    let request = data_request(measurement, chunk).unwrap();
    let periods = match &request.periods {
        PeriodSelection::List(list) => list.len(),
        PeriodSelection::Latest(count) => count.get(),
    };
    let nodes = request.hierarchies.iter().map(|(id, selection)| {
        let hierarchies = measurement.dimensions.iter().flat_map(|dimension| &dimension.hierarchies);
        let hierarchy = hierarchies.into_iter().find(|hierarchy| hierarchy.id == *id).unwrap();
        match selection {
            HierarchySelection::Total => 1,
            HierarchySelection::All => hierarchy.nodes.len(),
            HierarchySelection::Level(level) => {
                let at = hierarchy.levels.iter().position(|other| other.id == *level);
                hierarchy.nodes.iter().filter(|node| node.level == at && node.path.as_str() != "/").count()
            }
            HierarchySelection::Members(paths) => paths.len(),
        }
    });
    let rows: usize = nodes.product::<usize>() * periods;
    (rows * (request.label_count() + request.measure_count)) as u64
}

fn check_labels(measurement: &Measurement, chunk: &Chunk) -> Result<(), TestCaseError> {
    for part in &chunk.dimensions {
        let dimension = &measurement.dimensions[part.dimension];
        let nodes = &dimension.hierarchies[part.hierarchy].nodes;
        let case: Vec<usize> = match part.hierarchy_selection(measurement) {
            HierarchySelection::All => nodes.iter().map(|node| node.member).collect(),
            _ => part.members.clone(),
        };
        for (at, &member) in case.iter().enumerate() {
            prop_assert!(nodes.iter().any(|node| node.member == member), "asked for where it is not");
            for &other in &case[..at] {
                let same = dimension.members[member].label == dimension.members[other].label;
                let twins = dimension.twin(member) == Some(other) || dimension.twin(other) == Some(member);
                prop_assert!(!same || twins, "{:?}", dimension.members[member].label);
            }
        }
    }
    Ok(())
}

/// Periods that are named one by one in an address.
const LONGEST_LIST: usize = 60;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn chunks_cover_the_selection_and_no_cell_twice(case in cases(), rows in 2..400_u64) {
        let chunks = planned(&case, rows * row_cells(&case.selection));
        let mut seen = HashSet::new();
        for place in chunks.iter().flat_map(|chunk| places_of_chunk(&chunk)) {
            prop_assert!(seen.insert(place.clone()), "{place:?} is asked for twice");
        }
        prop_assert_eq!(seen, places_of_selection(&case.selection));
    }

    #[test]
    fn every_request_keeps_the_limit_and_fits_an_address(case in cases(), rows in 20..5000_u64, spare in 0..4_u64) {
        let limit = rows * row_cells(&case.selection) + spare.min(row_cells(&case.selection) - 1);
        for chunk in planned(&case, limit).iter() {
            let cells = cells_asked(&case.table, &chunk);
            prop_assert!(cells <= limit, "{cells} cells, at most {limit}");
            prop_assert_eq!(cells, chunk.cell_bound(&case.table));
            let address = data_request(&case.table, &chunk).unwrap().path_and_query();
            prop_assert!(address.len() <= 2000, "{} characters: {address}", address.len());
        }
        for chunk in planned(&case, limit).iter().take(10) {
            check_labels(&case.table, &chunk)?;
        }
    }

    #[test]
    fn what_is_too_much_is_cut_smaller_down_to_a_row_within_addresses(case in cases(), rows in 20..5000_u64) {
        let planned = planned(&case, rows * row_cells(&case.selection));
        let mut left: Vec<Chunk> = planned.iter().take(3).collect();
        while let Some(chunk) = left.pop() {
            let parts = chunk.smaller(&case.table);
            prop_assert_eq!(parts.is_empty(), chunk.row_bound() == 1);
            let mut places = Vec::new();
            for part in &parts {
                let address = data_request(&case.table, part).unwrap().path_and_query();
                prop_assert!(address.len() <= 2000, "{} characters: {address}", address.len());
                prop_assert!(part.row_bound() <= chunk.row_bound().div_ceil(2).max(chunk.row_bound() * 2 / 3));
                places.extend(places_of_chunk(part));
            }
            places.sort_unstable();
            prop_assert!(parts.is_empty() || places == places_of_chunk(&chunk));
            left.extend(parts.into_iter().take(2));
        }
    }

    #[test]
    fn less_than_a_row_is_refused_and_a_row_is_enough(case in cases()) {
        let row = row_cells(&case.selection);
        let refused = cut(&case.table, &case.selection, row - 1);
        let is_refused = matches!(&refused, Err(ChunkError::LimitBelowOneRow { cells, .. }) if *cells == row);
        prop_assert!(is_refused, "{refused:?}");
        let few = Selection {
            periods: case.selection.periods.iter().take(2).copied().collect(),
            ..case.selection.clone()
        };
        for chunk in cut(&case.table, &few, row).unwrap().iter().take(500) {
            prop_assert_eq!(chunk.row_bound(), 1);
        }
    }

    #[test]
    fn chunks_come_in_the_order_of_their_first_rows(case in cases(), rows in 1..300_u64) {
        let chunks = planned(&case, rows * row_cells(&case.selection));
        let firsts: Vec<_> = chunks.iter().map(|chunk| places_of_chunk(&chunk).swap_remove(0)).collect();
        prop_assert!(firsts.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn what_is_counted_is_what_the_walk_finds(case in cases(), rows in 1..300_u64) {
        let chunks = planned(&case, rows * row_cells(&case.selection));
        let walked: Vec<Chunk> = chunks.iter().collect();
        prop_assert_eq!(chunks.count(), walked.len() as u64);
        prop_assert_eq!(chunks.cells(), walked.iter().map(|chunk| chunk.cell_bound(&case.table)).sum::<u64>());
        for (number, chunk) in walked.iter().enumerate().step_by(1 + walked.len() / 50) {
            let same = chunks.get(number as u64);
            prop_assert_eq!(same.as_ref(), Some(chunk));
        }
        prop_assert_eq!(chunks.get(chunks.count()), None);
    }

    #[test]
    fn a_walk_from_a_place_meets_every_chunk_with_rows_behind_it_and_no_other(
        case in cases(), rows in 1..300_u64, at in any::<Index>()
    ) {
        let chunks = planned(&case, rows * row_cells(&case.selection));
        let mut places: Vec<_> = places_of_selection(&case.selection).into_iter().collect();
        places.sort_unstable();
        let place = &places[at.index(places.len())];
        let expected: Vec<Chunk> = chunks.iter().filter(|chunk| places_of_chunk(chunk).last() >= Some(place)).collect();
        prop_assert_eq!(chunks.from(place.clone()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_remembered_of_a_chunk_is_asked_for_again_in_one_request(case in cases(), rows in 20..400_u64) {
        let (measurement, limit) = (&case.table, rows * row_cells(&case.selection));
        for chunk in planned(&case, limit).iter() {
            let key = CellKey::of(measurement, &chunk);
            let again = alone(measurement, &key.selection(measurement).unwrap(), limit);
            prop_assert_eq!(again.as_ref().map(|again| CellKey::of(measurement, again)), Some(key));
            let address = data_request(measurement, &again.unwrap()).unwrap().path_and_query();
            prop_assert!(address.len() <= 2000, "{} characters: {address}", address.len());
        }
    }

    #[test]
    fn a_new_month_adds_a_chunk_and_moves_none(case in cases(), at_once in 1..60_u64) {
        let months = case.table.periods.iter().filter(|period| period.type_id.as_str() == "M").count();
        let quarters = case.table.periods.len() - months;
        let mut grown = case.clone();
        grown.table.periods = periods(months + 1, quarters);
        let all = |case: &TableSelection| Selection { periods: (0..case.table.periods.len()).collect(), ..case.selection.clone() };
        let (before, after) = (all(&case), all(&grown));
        let box_rows: u64 = before.members.iter().map(|members| members.len() as u64).product();
        let limit = at_once * box_rows * row_cells(&before);
        let old = cut(&case.table, &before, limit).unwrap();
        let new = cut(&grown.table, &after, limit).unwrap();
        let newest = &grown.table.periods[0].id;
        let named = |table: &Measurement, chunk: &Chunk| -> (BTreeSet<String>, Vec<_>) {
            let ids = chunk.periods.iter().map(|&at| &table.periods[at].id).filter(|id| *id != newest);
            (ids.map(ToString::to_string).collect(), chunk.dimensions.clone())
        };
        let old: HashSet<_> = old.iter().map(|chunk| named(&case.table, &chunk)).collect();
        let new: HashSet<_> = new.iter().map(|chunk| named(&grown.table, &chunk)).collect();
        let new: HashSet<_> = new.into_iter().filter(|(periods, _)| !periods.is_empty()).collect();
        // What is too long a list for an address is asked for as the newest while it is that, and in lists from then on.
        let long: Vec<_> = old.iter().filter(|(periods, _)| periods.len() > LONGEST_LIST).cloned().collect();
        let stays = |(periods, members): &(BTreeSet<String>, Vec<_>)| {
            !long.iter().any(|(all, measurement)| members == measurement && periods.is_subset(all))
        };
        let stay = |chunks: HashSet<_>| chunks.into_iter().filter(stays).collect::<HashSet<_>>();
        prop_assert_eq!(stay(old), stay(new));
    }
}

#[test]
fn nothing_is_planned_for_an_empty_selection() {
    let table = Measurement { periods: periods(3, 0), ..sample().table };
    let none = Selection { periods: Vec::new(), members: vec![Members::Named(vec![0])], measures: vec![0] };
    assert_eq!(cut(&table, &none, 1), Ok(Chunks::default()), "not even the limit is looked at");
}

fn sample() -> TableSelection {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    cases().new_tree(&mut TestRunner::deterministic()).unwrap().current()
}

/// A cube of thousands of millions of rows: what the upstream's largest tables would be if they had one dimension more.
fn enormous() -> TableSelection {
    let value = |at: usize| (MemberPath::from(format!("/{at}/")), format!("Fag {at}"));
    let theme = |number: usize, members: usize| {
        let id = format!("_tema{number}");
        let levels = vec![LevelSource {
            id: LevelId::from("lag"),
            label: "Lag".to_owned(),
            values: (1..members).map(value).collect(),
        }];
        let source = HierarchySource { id: HierarchyId::from(id.as_str()), label: id.clone(), levels };
        Dimension::new(DimensionId::from(id.as_str()), id, vec![source], true)
    };
    let sample = sample();
    let dimensions = vec![theme(1, 100), theme(2, 3000), theme(3, 2000)];
    let members = dimensions.iter().map(|theme| Members::Named((0..theme.members.len()).collect())).collect();
    let table = Measurement { dimensions, periods: periods(240, 0), ..sample.table };
    let selection = Selection { periods: (0..240).collect(), members, measures: sample.selection.measures };
    TableSelection { table, selection }
}

#[test]
fn planning_takes_no_longer_for_more_chunks() {
    let case = enormous();
    within(Duration::from_secs(1), || {
        let chunks = planned(&case, row_cells(&case.selection));
        assert_eq!(chunks.count(), 240 * 100 * 3000 * 2000);
        assert_eq!(chunks.cells(), chunks.count() * row_cells(&case.selection));
        let last = chunks.get(chunks.count() - 1).unwrap();
        assert_eq!(chunks.from(vec![239, 99, 2999, 1999]).collect::<Vec<_>>(), [last]);
        assert_eq!(
            chunks.from(vec![120, 50, 1500, 1000]).next().map(|chunk| places_of_chunk(&chunk)),
            Some(vec![vec![120, 50, 1500, 1000]])
        );
    });
}

#[test]
fn a_large_dimension_that_is_asked_for_as_a_whole_is_halved_into_addresses_that_fit() {
    let case = enormous();
    let few =
        Selection { periods: vec![0], members: vec![Members::Named(vec![0]); 3], ..case.selection.clone() };
    let all: Vec<usize> = (0..3000).collect();
    let members = |first| vec![Members::Named(first), Members::Named(all.clone()), Members::Named(vec![0])];
    let one_period = |first| TableSelection {
        selection: Selection { members: members(first), ..few.clone() },
        ..case.clone()
    };
    let halves = |case: &TableSelection| planned(case, u64::MAX).get(0).unwrap().smaller(&case.table);
    let lists = halves(&one_period(vec![0]));
    assert!(lists.len() > 20, "{} lists", lists.len());
    for list in &lists {
        assert!(data_request(&case.table, list).unwrap().path_and_query().len() <= 2000);
    }
    assert_eq!(halves(&one_period(vec![0, 1])).len(), 2, "the other dimension makes fewer");
}
