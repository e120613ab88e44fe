//! What is wanted, put together from several blocks.

use std::sync::Arc;

use arrow_array::StringArray;
use jobindsats_bridge::catalogue::id::{DimensionId, PeriodId};
use jobindsats_bridge::store::StoredFigures;
use jobindsats_bridge::store::block::{CellBlock, PERIOD_COLUMN};
use jobindsats_bridge::store::key::CellKey;
use jobindsats_bridge::store::window::{Window, WindowAxis};

use super::blocks::{block, key, revision};

const PERIODS: [&str; 2] = ["2026M07", "2026M06"];

/// One block of the rows of two periods.
fn both(members: &[&str]) -> CellBlock {
    let [july, june] = PERIODS.map(|period| block(period, members, revision(0), 0));
    let cells = arrow_select::concat::concat_batches(&july.cells.schema(), [&july.cells, &june.cells]);
    CellBlock { cells: cells.unwrap(), ..july }
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
