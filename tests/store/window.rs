//! What is wanted, put together from several blocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, RecordBatch, StringArray};
use jobindsats_bridge::catalogue::figures;
use jobindsats_bridge::catalogue::id::{DimensionId, MeasureId, MemberId, PeriodId};
use jobindsats_bridge::store::StoredFigures;
use jobindsats_bridge::store::block::{CellBlock, PERIOD_COLUMN};
use jobindsats_bridge::store::key::CellKey;
use jobindsats_bridge::store::window::{Window, WindowAxis};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::blocks::{block, key, revision};

const PERIODS: [&str; 2] = ["2026M07", "2026M06"];

/// One block of the rows of two periods.
fn both(members: &[&str]) -> CellBlock {
    let [july, june] = PERIODS.map(|period| block(period, members, revision(0), 0));
    let cells = arrow_select::concat::concat_batches(&july.cells.schema(), [&july.cells, &june.cells]);
    july.with_cells(cells.unwrap())
}

/// The rows that a window of two periods and two members is given.
fn rows(blocks: &[StoredFigures]) -> Vec<String> {
    let key = CellKey { periods: PERIODS.map(PeriodId::from).into(), ..key(PERIODS[0], &["1", "2"]) };
    let axes = [(PERIOD_COLUMN, PERIODS), ("_amt", ["1", "2"])];
    let axes = axes.map(|(name, ids)| WindowAxis { name, ids: ids.to_vec() }).into();
    let window = Window { key: &key, axes, measures: vec!["m"] };
    let mut rows = Vec::new();
    for block in window.blocks(blocks).unwrap() {
        let columns = [block.periods(), block.members(&DimensionId::from("_amt"))];
        let [periods, members] = columns.map(|ids| ids.unwrap().downcast_dict::<StringArray>().unwrap());
        rows.extend(
            periods
                .into_iter()
                .zip(members)
                .map(|(period, member)| format!("{} {}", period.unwrap(), member.unwrap())),
        );
    }
    rows.sort_unstable();
    rows
}

#[test]
fn rows_under_unknown_labels_stay_where_another_block_has_a_period_of_theirs() {
    let whole = CellKey { periods: PERIODS.map(PeriodId::from).into(), ..key(PERIODS[0], &["1", "2"]) };
    let with_unknown: StoredFigures = (Arc::new(whole), Arc::new(both(&["1", "2", "?Ny"])));
    let july: StoredFigures =
        (Arc::new(key(PERIODS[0], &["1", "2"])), Arc::new(block(PERIODS[0], &["1", "2"], revision(0), 5)));
    let all = ["2026M06 1", "2026M06 2", "2026M06 ?Ny", "2026M07 1", "2026M07 2", "2026M07 ?Ny"];
    assert_eq!(rows(std::slice::from_ref(&with_unknown)), all);
    assert_eq!(rows(&[july.clone(), with_unknown.clone()]), all);
    assert_eq!(rows(&[with_unknown, july]), all);
}

const MEMBERS: [&str; 3] = ["T", "1", "2"];
const MEASURES: [&str; 3] = ["m", "n", "o"];

type Box = (Vec<&'static str>, Vec<&'static str>, Vec<&'static str>);
/// A figure by its place: period, member and measure.
type Figures = BTreeMap<(String, String, String), Option<i128>>;

fn boxes() -> impl Strategy<Value = Box> {
    let part = |all: &[&'static str]| subsequence(all.to_vec(), 1..=all.len());
    (part(&PERIODS), part(&MEMBERS), part(&MEASURES))
}

fn cells((periods, members, measures): &Box) -> CellKey {
    let members = members.iter().copied().map(MemberId::from).collect();
    CellKey {
        periods: periods.iter().copied().map(PeriodId::from).collect(),
        members: [(DimensionId::from("_amt"), members)].into_iter().collect(),
        measures: measures.iter().copied().map(MeasureId::from).collect(),
    }
}

/// A block whose figures tell from which measure and place they are, as all blocks of a revision have the same figures; every seventh is not
/// published. `backwards` has the rows, and so the ids of its dictionaries, in the other order.
fn block_of(of: &Box, backwards: bool) -> CellBlock {
    let mut places: Vec<(&str, &str)> =
        of.0.iter().flat_map(|period| of.1.iter().map(move |member| (*period, *member))).collect();
    if backwards {
        places.reverse();
    }
    let figure = |measure: &str, (period, member): (&str, &str)| {
        let digits = format!("{}{}", period.trim_start_matches("2026M"), member.replace('T', "9"));
        let figure = i128::from(measure.as_bytes()[0]) * 1000 + digits.parse::<i128>().unwrap();
        (figure % 7 > 0).then_some(figure)
    };
    let ids = |one: fn(&(&'static str, &'static str)) -> &'static str| -> ArrayRef {
        let ids: DictionaryArray<Int32Type> = places.iter().map(|place| Some(one(place))).collect();
        Arc::new(ids)
    };
    let measures = of.2.iter().map(|measure| {
        let column = figures::column(places.iter().map(|place| figure(measure, *place)));
        (*measure, figures::narrowed(&column))
    });
    let columns = [(PERIOD_COLUMN, ids(|place| place.0)), ("_amt", ids(|place| place.1))];
    let cells = RecordBatch::try_from_iter(columns.into_iter().chain(measures)).unwrap();
    block(PERIODS[0], &[], revision(0), 0).with_cells(cells)
}

fn figures_of(block: &CellBlock, measures: &[&str]) -> Figures {
    let columns = [block.periods(), block.members(&DimensionId::from("_amt"))];
    let [periods, members] = columns.map(|ids| ids.unwrap().downcast_dict::<StringArray>().unwrap());
    let mut found = Figures::new();
    for measure in measures {
        let figures = block.figures(&MeasureId::from(*measure)).unwrap();
        for (row, (period, member)) in periods.into_iter().zip(members).enumerate() {
            let place = (period.unwrap().to_owned(), member.unwrap().to_owned(), (*measure).to_owned());
            found.insert(place, figures.is_valid(row).then(|| figures.value(row)));
        }
    }
    found
}

proptest! {
    /// Whatever boxes the blocks are, each figure that is wanted is there once.
    #[test]
    fn each_wanted_figure_is_there_once(
        wanted in boxes(),
        held in prop::collection::vec((boxes(), select(vec![false, false, true])), 0..4),
    ) {
        // The last has everything, so that nothing is missing.
        let all: Box = (PERIODS.to_vec(), MEMBERS.to_vec(), MEASURES.to_vec());
        let held = held.into_iter().chain([(all, false)]);
        let blocks: Vec<StoredFigures> = held
            .map(|(of, backwards)| (Arc::new(cells(&of)), Arc::new(block_of(&of, backwards))))
            .collect();
        let mut expected = Figures::new();
        for (key, block) in blocks.iter().rev() {
            let measures: Vec<&str> = key.measures.iter().map(MeasureId::as_str).collect();
            expected.extend(figures_of(block, &measures));
        }
        let (periods, members, measures) = &wanted;
        expected.retain(|(period, member, measure), _| {
            periods.contains(&&**period) && members.contains(&&**member) && measures.contains(&&**measure)
        });
        let key = cells(&wanted);
        let axes = [(PERIOD_COLUMN, periods), ("_amt", members)];
        let axes = axes.map(|(name, ids)| WindowAxis { name, ids: ids.clone() }).into();
        let window = Window { key: &key, axes, measures: measures.clone() };
        let parts = window.blocks(&blocks).unwrap();
        let mut found = Figures::new();
        for part in &parts {
            found.extend(figures_of(part, measures));
        }
        let rows: usize = parts.iter().map(|part| part.row_count()).sum();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(rows, periods.len() * members.len());
    }
}

#[test]
fn figures_that_came_measure_by_measure_share_the_stored_columns() {
    let of = |measures: &[&'static str]| (PERIODS.to_vec(), MEMBERS.to_vec(), measures.to_vec());
    let stored = |of: &Box, backwards| (Arc::new(cells(of)), Arc::new(block_of(of, backwards)));
    let whole = cells(&of(&MEASURES));
    let axes = [(PERIOD_COLUMN, PERIODS.to_vec()), ("_amt", MEMBERS.to_vec())];
    let axes = axes.map(|(name, ids)| WindowAxis { name, ids }).into();
    let window = Window { key: &whole, axes, measures: MEASURES.to_vec() };
    for (backwards, is_shared) in [(false, true), (true, false)] {
        let blocks: [StoredFigures; 2] = [stored(&of(&["n"]), false), stored(&of(&["m", "o"]), backwards)];
        let [part] = <[_; 1]>::try_from(window.blocks(&blocks).unwrap()).unwrap();
        let column = |block: &CellBlock| block.cells.column_by_name("n").unwrap().to_data();
        assert_eq!(column(&part).ptr_eq(&column(&blocks[0].1)), is_shared, "{backwards}");
        assert_eq!(figures_of(&part, &["m"]), figures_of(&blocks[1].1, &["m"]));
    }
}
