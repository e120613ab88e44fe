//! What is asked for where some figures are held: all that is missing, nothing that is held, nothing twice, within the limit.

use std::collections::HashSet;

use jobindsats_bridge::catalogue::dimension::{Dimension, HierarchySource, LevelSource};
use jobindsats_bridge::catalogue::id::{DimensionId, HierarchyId, LevelId, MeasureId, MemberPath};
use jobindsats_bridge::catalogue::measure::Measure;
use jobindsats_bridge::fetch::request::data_request;
use jobindsats_bridge::plan::cut::cut;
use jobindsats_bridge::plan::figure_box::{self, FigureBox, Positions};
use jobindsats_bridge::plan::missing::{Leeway, Limits, Requests, figures_of, requests};
use jobindsats_bridge::plan::selection::{Members, Selection};
use jobindsats_bridge::upstream::forms::KnownForms;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::properties::tables::{TableSelection, cases, periods};

/// Positions of a box on each axis, by chance; often those of the box itself.
fn part(whole: &FigureBox, picks: &[(bool, Index, Index)]) -> FigureBox {
    let axis = |(axis, (all, first, last)): (&Positions, &(bool, Index, Index))| -> Positions {
        let positions: Vec<usize> = axis.iter().collect();
        let (first, last) = (first.index(positions.len()), last.index(positions.len()));
        if *all {
            axis.clone()
        } else {
            positions[first.min(last)..=first.max(last)].iter().copied().collect()
        }
    };
    FigureBox::new(whole.axes().iter().zip(picks).map(axis).collect())
}

fn picks() -> impl Strategy<Value = Vec<(bool, Index, Index)>> {
    prop::collection::vec((any::<bool>(), any::<Index>(), any::<Index>()), 8)
}

/// Mostly none to ask for what is held.
fn leeway() -> impl Strategy<Value = Leeway> {
    (
        any::<bool>(),
        prop_oneof![3 => Just(0_u64), 1 => 0..2_000_u64],
        prop_oneof![Just(u64::MAX), 0..5_000_u64],
    )
        .prop_map(|(more_periods, again, spare)| Leeway { more_periods, again, spare })
}

fn limits(cells: u64) -> Limits {
    Limits { cells, forms: KnownForms::default() }
}

/// The whole of a selection as a box.
fn wanted(case: &TableSelection) -> FigureBox {
    let chunks: Vec<_> = cut(&case.table, &case.selection, u64::MAX).unwrap().iter().collect();
    let boxes = chunks.iter().map(|chunk| figures_of(&case.table, chunk));
    boxes.reduce(|all, one| all.around(&one)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_is_missing_is_asked_for_once_and_what_is_held_never(
        case in cases(), held in prop::collection::vec(picks(), 0..5), rows in 20..5000_u64, leeway in leeway()
    ) {
        let table = &case.table;
        let wanted = wanted(&case);
        let held: Vec<FigureBox> = held.iter().map(|picks| part(&wanted, picks)).collect();
        let limit = rows * (1 + table.dimensions.len() + table.measures.len()) as u64;
        let planned = requests(table, &wanted, &held, &limits(limit), leeway).unwrap();
        prop_assert!(planned.again <= leeway.again);
        let asked = planned.chunks;
        let boxes: Vec<FigureBox> = asked.iter().map(|chunk| figures_of(table, chunk)).collect();
        let left = figure_box::missing(&wanted, held.iter().chain(&boxes));
        prop_assert!(left.is_empty(), "{left:?} is asked for by nobody");
        for (at, one) in boxes.iter().enumerate() {
            if leeway.again == 0 {
                prop_assert!(held.iter().all(|held| !held.meets(one)), "{one:?} is held in part");
                prop_assert!(boxes[..at].iter().all(|other| !other.meets(one)), "{one:?} is asked for twice in part");
            }
            prop_assert!(one.meets(&wanted), "{one:?} is of no use");
        }
        for chunk in &asked {
            prop_assert!(chunk.cell_bound(table) <= limit);
            prop_assert!([1, table.measures.len()].contains(&chunk.measures.len()), "one measure or all");
            prop_assert!(!chunk.dimensions.iter().any(|part| part.with_others));
            let address = data_request(table, chunk).unwrap().path_and_query();
            prop_assert!(address.len() <= 2000, "{} characters: {address}", address.len());
        }
    }

    #[test]
    fn a_held_box_is_never_asked_for_whatever_is_wanted_of_it(case in cases(), picks in picks()) {
        let leeway = Leeway { more_periods: true, again: u64::MAX, spare: u64::MAX };
        let held = wanted(&case);
        let wanted = part(&held, &picks);
        prop_assert_eq!(requests(&case.table, &wanted, &[held], &limits(u64::MAX), leeway).unwrap(), Requests::default());
    }
}

#[test]
fn little_is_asked_for_with_all_measures_and_much_measure_by_measure() {
    let case = one_table();
    let all: Positions = (0..case.table.measures.len()).collect();
    let axis = 1 + case.table.dimensions.len();
    let one = wanted(&case).with(axis, [0].into_iter().collect());
    let little = one.with(0, [0].into_iter().collect());
    let measures = |wanted: &FigureBox, held: &[FigureBox]| -> HashSet<usize> {
        requests(&case.table, wanted, held, &limits(u64::MAX), Leeway::default())
            .unwrap()
            .chunks
            .iter()
            .map(|chunk| chunk.measures.len())
            .collect()
    };
    assert_eq!(measures(&little, &[]), [case.table.measures.len()].into());
    let other = little.with(axis, [1].into_iter().collect());
    assert_eq!(measures(&little, &[other]), [1].into(), "a figure that is held is not asked for");
    assert!(one.with(axis, all).count() > 100_000);
    assert_eq!(measures(&one, &[]), [1].into());
}

#[test]
fn rows_that_are_too_wide_with_all_measures_are_asked_for_measure_by_measure() {
    let TableSelection { table, .. } = one_table();
    let of = |axes: [std::ops::Range<usize>; 3]| FigureBox::new(axes.map(|axis| axis.collect()).to_vec());
    let (wanted, held) = (of([0..2, 0..2, 0..3]), of([0..1, 0..1, 0..3]));
    let leeway = Leeway { more_periods: true, again: 1_000, spare: 1_000 };
    // A row has a period, a place and one of three measures.
    let planned = requests(&table, &wanted, std::slice::from_ref(&held), &limits(3), leeway).unwrap();
    let boxes: Vec<FigureBox> = planned.chunks.iter().map(|chunk| figures_of(&table, chunk)).collect();
    assert!(planned.chunks.iter().all(|chunk| chunk.cell_bound(&table) <= 3));
    assert_eq!(figure_box::missing(&wanted, boxes.iter().chain([&held])), []);
}

/// A table of three measures and many rows.
fn one_table() -> TableSelection {
    let mut table = cases().new_tree(&mut TestRunner::deterministic()).unwrap().current().table;
    let sample = table.measures[0].clone();
    let measure = |number: usize| {
        let (id, label) = (MeasureId::from(format!("m{number}").as_str()), format!("Antal {number}"));
        Measure { source_id: id.clone(), id, heading: label.clone(), label, ..sample.clone() }
    };
    let value = |at: usize| (MemberPath::from(format!("/{at}/")), format!("Sted {at}"));
    let values = (1..=100).map(value).collect();
    let level = LevelSource { id: LevelId::from("lag"), label: "Lag".to_owned(), values };
    let id = HierarchyId::from("_nykom");
    let source = HierarchySource { id, label: "Kommune".to_owned(), levels: vec![level] };
    let areas = Dimension::new(DimensionId::from("_omrade"), "Område".to_owned(), vec![source], true);
    let members = vec![Members::Named((0..areas.members.len()).collect())];
    table.measures = (0..3).map(measure).collect();
    table.periods = periods(400, 0);
    table.dimensions = vec![areas];
    let selection = Selection { periods: (0..400).collect(), members, measures: vec![0, 1, 2] };
    TableSelection { table, selection }
}
