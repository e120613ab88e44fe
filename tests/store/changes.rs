//! Which figures differ between two revisions.

use std::sync::Arc;

use jobindsats_bridge::catalogue::id::PeriodId;
use jobindsats_bridge::store::StoredFigures;
use jobindsats_bridge::store::change::Changes;
use jobindsats_bridge::store::key::CellKey;

use super::blocks::{block, key, revision};

const JANUARY: &str = "2026M01";
const ONE: i128 = 1_000_000_000_000_000_000;

fn held(members: &[&str], counter: u32) -> StoredFigures {
    (Arc::new(key(JANUARY, members)), Arc::new(block(JANUARY, members, revision(counter), 0)))
}

/// A block gives its members the figures 1, 2, …, and the last of them none.
fn changes(later: &[&str], earlier: &[StoredFigures]) -> Changes {
    let later = held(later, 0);
    Changes::between(&later.1, &later.0, earlier).unwrap()
}

#[test]
fn the_same_figures_in_another_order_are_no_change() {
    let reordered = Arc::new(block(JANUARY, &["1", "2", "3"], revision(0), 5));
    let order = arrow_array::UInt32Array::from(vec![2, 0, 1]);
    let columns = reordered.cells.columns().iter();
    let columns = columns.map(|column| arrow_select::take::take(column, &order, None).unwrap()).collect();
    let cells = arrow_array::RecordBatch::try_new(reordered.cells.schema(), columns).unwrap();
    let earlier = reordered.with_cells(cells);
    assert_eq!(
        changes(&["1", "2", "3"], &[(Arc::new(key(JANUARY, &["1", "2", "3"])), Arc::new(earlier))]),
        Changes::default()
    );
}

#[test]
fn only_cells_that_both_have_are_compared() {
    // 2 was hidden and is now 2; 3 is not in the earlier block, 9 not in the later.
    let found = changes(&["1", "2", "3"], &[held(&["1", "2"], 0)]);
    assert_eq!(found.count(), 1);
    assert!(found.within_revision);
    assert_eq!(found.periods.keys().collect::<Vec<_>>(), [&PeriodId::from(JANUARY)]);
    assert_eq!((found.figures[0].before, found.figures[0].after), (None, Some(2 * ONE)));
    assert_eq!(changes(&["1", "2"], &[held(&["8", "9"], 0)]), Changes::default());
}

#[test]
fn a_cell_is_compared_with_the_last_that_was_known_of_it() {
    let found = changes(&["1", "2", "3"], &[held(&["2", "1"], 1)]);
    assert_eq!((found.count(), found.within_revision), (2, false), "an earlier revision may say anything");
    let again = changes(&["1", "2", "3"], &[held(&["1", "2", "3"], 0), held(&["2", "1"], 1)]);
    assert_eq!(again, Changes::default(), "what was told once is not told with every re-read");
    let found = changes(&["1", "2", "3"], &[held(&["2", "3"], 0), held(&["3", "2"], 0)]);
    assert_eq!(
        (found.count(), found.figures[0].before, found.figures[0].after),
        (1, Some(ONE), Some(2 * ONE))
    );
}

#[test]
fn labels_that_no_member_has_are_compared_between_answers_to_the_same_members_alone() {
    let answer = |key: CellKey, ids: &[&str]| (Arc::new(key), Arc::new(block(JANUARY, ids, revision(0), 0)));
    let all = || answer(key(JANUARY, &["1", "2", "3"]), &["1", "2", "3", "?Ny"]);
    let narrower = answer(key(JANUARY, &["1", "2"]), &["1", "2", "?Ny"]);
    let without = answer(key(JANUARY, &["1", "2", "3"]), &["1", "2", "3", "4"]);
    let found = |later: &StoredFigures, earlier| Changes::between(&later.1, &later.0, &[earlier]).unwrap();
    assert_eq!(found(&narrower, all()), Changes::default());
    assert_eq!(found(&all(), narrower.clone()), Changes::default());
    assert_eq!(found(&without, all()).count(), 1);
}

#[test]
fn a_narrowed_block_leaves_out_labels_that_no_member_has() {
    let held = Arc::new(block(JANUARY, &["1", "2", "?Ny"], revision(0), 0));
    assert_eq!(held.restricted(&key(JANUARY, &["1", "2", "3"])).unwrap().row_count(), 3);
    assert_eq!(held.restricted(&key(JANUARY, &["1"])).unwrap().row_count(), 1);
}
