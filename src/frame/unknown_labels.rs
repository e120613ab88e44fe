//! The positions of a block's rows on one axis, including rows with unknown labels.
//!
//! The upstream gives no order between unknown labels and members, but pages need one, because a page may end at such a row. Rows with
//! unknown labels are sorted directly after the last member that their block requested, and are distinguished by a number. No other
//! block has rows there, so the next page continues from them as from any other row.

use std::collections::BTreeSet;

use arrow_array::DictionaryArray;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;

use crate::feed::axis_columns::Numbers;

/// The positions of a block's rows on one axis.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct AxisPositions {
    /// The position of each row: that of its member, or of the last requested member for an unknown label.
    pub positions: Vec<u32>,
    /// The same, but unknown labels have positions after all members.
    pub shown: Vec<u32>,
    /// The ids of unknown labels, in order.
    pub unknown_labels: Vec<String>,
    members: u32,
}

impl AxisPositions {
    /// Rows that all have one position.
    pub(super) fn at(position: u32, count: usize) -> Self {
        Self { positions: vec![position; count], ..Self::default() }
    }

    /// The positions of rows by their ids; `last` is the last requested member.
    pub(super) fn of(ids: &DictionaryArray<Int32Type>, known: &Numbers, last: u32) -> Self {
        let values: Vec<&str> = ids
            .values()
            .as_string_opt::<i32>()
            .into_iter()
            .flatten()
            .map(Option::unwrap_or_default)
            .collect();
        let members = u32::try_from(known.len()).unwrap_or(u32::MAX);
        let keys = || ids.keys().values().iter().map(|&key| usize::try_from(key).unwrap_or(usize::MAX));
        let all_known: Option<Vec<u32>> = values.iter().map(|id| known.get(*id).copied()).collect();
        let position = |of_value: &[u32], key: usize| of_value.get(key).copied().unwrap_or(last);
        if let Some(of_value) = all_known {
            let positions = keys().map(|key| position(&of_value, key)).collect();
            return Self { positions, ..Self::default() };
        }
        let unknown = |key: usize| values.get(key).copied().filter(|id| !known.contains_key(*id));
        let unknown_labels: BTreeSet<&str> = keys().filter_map(unknown).collect();
        let unknown_labels: Vec<&str> = unknown_labels.into_iter().collect();
        let behind = |id: &&str| {
            let number =
                unknown_labels.binary_search(id).map_or(u32::MAX, |at| u32::try_from(at).unwrap_or(u32::MAX));
            members.saturating_add(number)
        };
        let shown_of: Vec<u32> =
            values.iter().map(|id| known.get(*id).copied().unwrap_or_else(|| behind(id))).collect();
        let shown: Vec<u32> = keys().map(|key| position(&shown_of, key)).collect();
        let positions = shown.iter().map(|&at| if at < members { at } else { last }).collect();
        Self {
            positions,
            shown,
            unknown_labels: unknown_labels.into_iter().map(str::to_owned).collect(),
            members,
        }
    }

    /// The number of a row's unknown label, from one; 0 for a member.
    fn number(&self, row: usize) -> u32 {
        self.shown.get(row).map_or(0, |&at| (at + 1).saturating_sub(self.members))
    }
}

/// The number that distinguishes rows at one position: 0 for rows of members, another number for each combination of unknown labels.
pub(super) fn unknown_label_numbers(axes: &[AxisPositions], count: usize) -> Vec<u32> {
    let with_unknown: Vec<&AxisPositions> =
        axes.iter().filter(|axis| !axis.unknown_labels.is_empty()).collect();
    if with_unknown.is_empty() {
        return vec![0; count];
    }
    let number = |row: usize| {
        with_unknown.iter().fold(0_u32, |number, axis| {
            let choices = u32::try_from(axis.unknown_labels.len() + 1).unwrap_or(u32::MAX);
            number.saturating_mul(choices).saturating_add(axis.number(row))
        })
    };
    (0..count).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(ids: &[&str], last: u32) -> AxisPositions {
        let known = Numbers::from([("a".into(), 0), ("b".into(), 1), ("c".into(), 2)]);
        AxisPositions::of(&ids.iter().map(|id| Some(*id)).collect(), &known, last)
    }

    #[test]
    fn unknown_labels_sort_after_the_last_requested_member_and_are_numbered() {
        let axis = axis(&["b", "?y", "a", "?x", "?y"], 1);
        assert_eq!(axis.positions, [1, 1, 0, 1, 1]);
        assert_eq!(axis.shown, [1, 4, 0, 3, 4]);
        assert_eq!(axis.unknown_labels, ["?x", "?y"]);
        assert_eq!(unknown_label_numbers(&[axis], 5), [0, 2, 0, 1, 2]);
    }

    #[test]
    fn every_combination_of_unknown_labels_has_a_number_of_its_own() {
        let (left, right) = (axis(&["?x", "?x", "a", "a", "?y"], 2), axis(&["?x", "a", "?x", "a", "?x"], 0));
        let mut numbers = unknown_label_numbers(&[left, AxisPositions::at(7, 5), right], 5);
        assert_eq!(numbers[3], 0);
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 5);
    }

    #[test]
    fn known_rows_need_no_second_list() {
        let known = axis(&["c", "a"], 2);
        assert_eq!((known.positions.as_slice(), known.shown.len()), (&[2, 0][..], 0));
        assert_eq!(unknown_label_numbers(&[known], 2), [0, 0]);
    }
}
