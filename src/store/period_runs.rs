//! Where the rows of each period stand in a block.

use std::ops::Range;
use std::sync::OnceLock;

use arrow_array::types::Int32Type;
use arrow_array::{Array, DictionaryArray};

/// The rows of each period, looked for once. They follow from the block's cells.
#[derive(Debug, Clone, Default)]
pub(super) struct PeriodRuns(OnceLock<Option<Vec<Range<usize>>>>);

impl PeriodRuns {
    /// The rows of each value of the periods' dictionary; `None` if those of one do not stand together.
    pub(super) fn of(&self, periods: &DictionaryArray<Int32Type>) -> Option<&[Range<usize>]> {
        self.0.get_or_init(|| runs(periods)).as_deref()
    }
}

impl PartialEq for PeriodRuns {
    /// Blocks with the same cells have the same, whatever was looked for so far.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

fn runs(periods: &DictionaryArray<Int32Type>) -> Option<Vec<Range<usize>>> {
    let mut runs = vec![0..0; periods.values().len()];
    let mut start = 0;
    for run in periods.keys().values().chunk_by(|one, next| one == next) {
        let of_period = runs.get_mut(usize::try_from(*run.first()?).ok()?)?;
        if of_period.start < of_period.end {
            return None;
        }
        *of_period = start..start + run.len();
        start += run.len();
    }
    Some(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_period_stand_together_or_there_are_no_runs() {
        let of = |ids: &[&str]| {
            let ids: DictionaryArray<Int32Type> = ids.iter().map(|id| Some(*id)).collect();
            PeriodRuns::default().of(&ids).map(<[_]>::to_vec)
        };
        assert_eq!(of(&["b", "b", "a", "c"]), Some(vec![0..2, 2..3, 3..4]));
        assert_eq!(of(&["b", "a", "b"]), None);
        assert_eq!(of(&[]), Some(vec![]));
    }
}
