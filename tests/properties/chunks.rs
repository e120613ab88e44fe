//! Chunks of any selection: whole, apart, within the limit, in order, and in the same place when the table grows.

use std::collections::{BTreeSet, HashSet};

use jobindsats_bridge::catalogue::measurement::Measurement;
use jobindsats_bridge::fetch::request::data_request;
use jobindsats_bridge::plan::chunk::{Band, Chunk, ChunkError, alone, bands};
use jobindsats_bridge::plan::selection::{Members, Selection};
use jobindsats_bridge::store::key::CellKey;
use jobindsats_bridge::upstream::request::{HierarchySelection, PeriodSelection};
use proptest::prelude::*;

use super::tables::{Asked, asked, periods};

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

fn planned(asked: &Asked, limit: u64) -> Vec<Band> {
    bands(&asked.table, &asked.selection, limit).unwrap()
}

fn chunks(bands: &[Band]) -> Vec<&Chunk> {
    bands.iter().flat_map(|band| &band.chunks).collect()
}

/// The cells that the upstream counts, from the request alone.
fn cells_asked(of: &Measurement, chunk: &Chunk) -> u64 {
    let request = data_request(of, chunk).unwrap();
    let periods = match &request.periods {
        PeriodSelection::List(list) => list.len(),
        PeriodSelection::Latest(count) => count.get(),
    };
    let nodes = request.hierarchies.iter().map(|(id, selection)| {
        let hierarchies = of.dimensions.iter().flat_map(|dimension| &dimension.hierarchies);
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

fn check_labels(of: &Measurement, chunk: &Chunk) -> Result<(), TestCaseError> {
    for part in &chunk.dimensions {
        let dimension = &of.dimensions[part.dimension];
        let nodes = &dimension.hierarchies[part.hierarchy].nodes;
        let asked: Vec<usize> = match part.asked(of).0 {
            HierarchySelection::All => nodes.iter().map(|node| node.member).collect(),
            _ => part.members.clone(),
        };
        for (at, &member) in asked.iter().enumerate() {
            prop_assert!(nodes.iter().any(|node| node.member == member), "asked for where it is not");
            for &other in &asked[..at] {
                let same = dimension.members[member].label == dimension.members[other].label;
                let twins = dimension.twin(member) == Some(other) || dimension.twin(other) == Some(member);
                prop_assert!(!same || twins, "{:?}", dimension.members[member].label);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn chunks_cover_the_selection_and_no_cell_twice(asked in asked(), rows in 2..400_u64) {
        let bands = planned(&asked, rows * row_cells(&asked.selection));
        let mut seen = HashSet::new();
        for place in chunks(&bands).into_iter().flat_map(places_of_chunk) {
            prop_assert!(seen.insert(place.clone()), "{place:?} is asked for twice");
        }
        prop_assert_eq!(seen, places_of_selection(&asked.selection));
    }

    #[test]
    fn every_request_keeps_the_limit_and_fits_an_address(asked in asked(), rows in 20..5000_u64, spare in 0..4_u64) {
        let limit = rows * row_cells(&asked.selection) + spare.min(row_cells(&asked.selection) - 1);
        for chunk in chunks(&planned(&asked, limit)) {
            let cells = cells_asked(&asked.table, chunk);
            prop_assert!(cells <= limit, "{cells} cells, at most {limit}");
            prop_assert_eq!(cells, chunk.cell_bound(&asked.table));
            let address = data_request(&asked.table, chunk).unwrap().path_and_query();
            prop_assert!(address.len() <= 2000, "{} characters: {address}", address.len());
        }
        for chunk in chunks(&planned(&asked, limit)).into_iter().take(10) {
            check_labels(&asked.table, chunk)?;
        }
    }

    #[test]
    fn less_than_a_row_is_refused_and_a_row_is_enough(asked in asked()) {
        let row = row_cells(&asked.selection);
        let refused = bands(&asked.table, &asked.selection, row - 1);
        let is_refused = matches!(&refused, Err(ChunkError::LimitBelowOneRow { cells, .. }) if *cells == row);
        prop_assert!(is_refused, "{refused:?}");
        let few = Selection {
            periods: asked.selection.periods.iter().take(2).copied().collect(),
            ..asked.selection.clone()
        };
        for chunk in chunks(&bands(&asked.table, &few, row).unwrap()).into_iter().take(500) {
            prop_assert_eq!(chunk.row_bound(), 1);
        }
    }

    #[test]
    fn rows_of_a_band_come_before_those_of_the_next(asked in asked(), rows in 1..300_u64) {
        let bands = planned(&asked, rows * row_cells(&asked.selection));
        let places: Vec<BTreeSet<_>> =
            bands.iter().map(|band| band.chunks.iter().flat_map(places_of_chunk).collect()).collect();
        for pair in places.windows(2) {
            prop_assert!(pair[0].last() < pair[1].first());
        }
        for (band, places) in bands.iter().zip(&places) {
            prop_assert_eq!(Some(&band.last_place()), places.last());
            prop_assert_eq!(band.row_bound(), places.len() as u64);
        }
    }

    #[test]
    fn what_is_remembered_of_a_chunk_is_asked_for_again_in_one_request(asked in asked(), rows in 20..400_u64) {
        let (of, limit) = (&asked.table, rows * row_cells(&asked.selection));
        for chunk in chunks(&planned(&asked, limit)) {
            let key = CellKey::of(of, chunk);
            let again = alone(of, &key.selection(of).unwrap(), limit);
            prop_assert_eq!(again.as_ref().map(|again| CellKey::of(of, again)), Some(key));
            let address = data_request(of, &again.unwrap()).unwrap().path_and_query();
            prop_assert!(address.len() <= 2000, "{} characters: {address}", address.len());
        }
    }

    #[test]
    fn a_new_month_adds_a_chunk_and_moves_none(asked in asked(), at_once in 1..60_u64) {
        let months = asked.table.periods.iter().filter(|period| period.type_id.as_str() == "M").count();
        let quarters = asked.table.periods.len() - months;
        let mut grown = asked.clone();
        grown.table.periods = periods(months + 1, quarters);
        let all = |asked: &Asked| Selection { periods: (0..asked.table.periods.len()).collect(), ..asked.selection.clone() };
        let (before, after) = (all(&asked), all(&grown));
        let box_rows: u64 = before.members.iter().map(|members| members.len() as u64).product();
        let limit = at_once * box_rows * row_cells(&before);
        let old = bands(&asked.table, &before, limit).unwrap();
        let new = bands(&grown.table, &after, limit).unwrap();
        let newest = &grown.table.periods[0].id;
        let named = |table: &Measurement, chunk: &Chunk| -> (BTreeSet<String>, Vec<_>) {
            let ids = chunk.periods.iter().map(|&at| &table.periods[at].id).filter(|id| *id != newest);
            (ids.map(ToString::to_string).collect(), chunk.dimensions.clone())
        };
        let old: HashSet<_> = chunks(&old).into_iter().map(|chunk| named(&asked.table, chunk)).collect();
        let new: HashSet<_> = chunks(&new).into_iter().map(|chunk| named(&grown.table, chunk)).collect();
        let new: HashSet<_> = new.into_iter().filter(|(periods, _)| !periods.is_empty()).collect();
        prop_assert_eq!(old, new);
    }
}

#[test]
fn nothing_is_planned_for_an_empty_selection() {
    let table = Measurement { periods: periods(3, 0), ..sample().table };
    let none = Selection { periods: Vec::new(), members: vec![Members::Named(vec![0])], measures: vec![0] };
    assert_eq!(bands(&table, &none, 1), Ok(Vec::new()), "not even the limit is looked at");
}

fn sample() -> Asked {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    asked().new_tree(&mut TestRunner::deterministic()).unwrap().current()
}
