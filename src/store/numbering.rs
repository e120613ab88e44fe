//! Numbers for the ids of one table, so that keys can be compared as figure boxes. They are valid in this process only and are
//! never saved.

use std::collections::{BTreeSet, HashMap};

use crate::catalogue::dimension::TOTAL_ID;
use crate::catalogue::id::{DimensionId, MemberId};
use crate::plan::figure_box::{FigureBox, Positions};
use crate::store::key::CellKey;
use crate::store::member_sets::MemberSets;

/// The number of a total on its dimension's axis: a key that does not name a dimension means its total.
pub(super) const TOTAL: usize = 0;

/// The members of so many keys are kept with their positions.
const MOST_MEMBER_SETS: usize = 16;

/// The numbers of a table's ids. The axes are the period, the measure, then the dimensions as they became known.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    periods: HashMap<String, usize>,
    measures: HashMap<String, usize>,
    dimensions: Vec<(DimensionId, HashMap<String, usize>)>,
    /// The positions of members that keys had last.
    members: HashMap<MemberSets, MemberPositions>,
}

/// The positions of a key's members on the axis of each dimension.
#[derive(Debug)]
struct MemberPositions {
    axes: Vec<Positions>,
    /// Whether every id of the key has one.
    are_all: bool,
}

impl Numbering {
    /// Makes sure that every id of a key has a number; says how many dimensions are new, and with them axes.
    pub fn learn(&mut self, key: &CellKey) -> usize {
        let known = self.dimensions.len();
        add(&mut self.periods, key.periods.iter().map(|id| id.as_str()));
        add(&mut self.measures, key.measures.iter().map(|id| id.as_str()));
        if self.members.get(&key.members).is_some_and(|positions| positions.are_all) {
            return 0;
        }
        for (dimension, members) in key.members.iter() {
            let position = self.dimensions.iter().position(|(id, _)| id == dimension);
            let position = position.unwrap_or_else(|| {
                self.dimensions.push((dimension.clone(), HashMap::from([(TOTAL_ID.to_owned(), TOTAL)])));
                self.dimensions.len() - 1
            });
            add(&mut self.dimensions[position].1, members.iter().map(|id| id.as_str()));
        }
        match self.dimensions.len() - known {
            0 => self.members.retain(|_, positions| positions.are_all),
            _ => self.members.clear(),
        }
        self.dimensions.len() - known
    }

    /// The same members, as the keys share them that were given last.
    pub fn shared(&self, members: &MemberSets) -> Option<MemberSets> {
        self.members.get_key_value(members).map(|(shared, _)| shared.clone())
    }

    /// The box of a key; `None` if the key has an id without a number, so that no block can hold all of it.
    pub fn figures(&mut self, key: &CellKey) -> Option<FigureBox> {
        let whole = self.known_figures(key);
        let are_listed = [key.periods.len(), key.measures.len()];
        let are_all = are_listed.iter().zip(whole.axes()).all(|(ids, positions)| positions.len() == *ids);
        (are_all && self.members(&key.members).are_all).then_some(whole)
    }

    /// The box of what has a number of a key.
    pub fn known_figures(&mut self, key: &CellKey) -> FigureBox {
        let mut axes = vec![
            positions(&self.periods, key.periods.iter().map(|id| id.as_str())),
            positions(&self.measures, key.measures.iter().map(|id| id.as_str())),
        ];
        axes.extend_from_slice(&self.members(&key.members).axes);
        FigureBox::new(axes)
    }

    fn members(&mut self, members: &MemberSets) -> &MemberPositions {
        if self.members.len() >= MOST_MEMBER_SETS && !self.members.contains_key(members) {
            self.members.clear();
        }
        let dimensions = &self.dimensions;
        self.members.entry(members.clone()).or_insert_with(|| MemberPositions::of(dimensions, members))
    }
}

impl MemberPositions {
    fn of(dimensions: &[(DimensionId, HashMap<String, usize>)], members: &MemberSets) -> Self {
        let on_axis = |(id, numbers): &(DimensionId, HashMap<String, usize>)| match members.get(id) {
            Some(members) => positions(numbers, members.iter().map(|id| id.as_str())),
            None => [TOTAL].into_iter().collect(),
        };
        let axes: Vec<Positions> = dimensions.iter().map(on_axis).collect();
        let is_whole = |(id, members): (&DimensionId, &BTreeSet<MemberId>)| {
            let mut axes = dimensions.iter().zip(&axes);
            axes.any(|((known, _), positions)| known == id && positions.len() == members.len())
        };
        let are_all = members.iter().all(is_whole);
        Self { axes, are_all }
    }
}

fn add<'a>(numbers: &mut HashMap<String, usize>, ids: impl Iterator<Item = &'a str>) {
    for id in ids {
        let next = numbers.len();
        if !numbers.contains_key(id) {
            numbers.insert(id.to_owned(), next);
        }
    }
}

fn positions<'a>(numbers: &HashMap<String, usize>, ids: impl Iterator<Item = &'a str>) -> Positions {
    ids.filter_map(|id| numbers.get(id).copied()).collect()
}

#[cfg(test)]
mod tests {
    use crate::catalogue::id::{MeasureId, PeriodId};

    use super::*;

    fn key(period: &str, members: &[(&str, &[&str])]) -> CellKey {
        let ids = |list: &[&str]| list.iter().map(|id| MemberId::from(*id)).collect::<BTreeSet<_>>();
        CellKey {
            periods: [PeriodId::from(period)].into(),
            members: members.iter().map(|(id, list)| (DimensionId::from(*id), ids(list))).collect(),
            measures: [MeasureId::from("m")].into(),
        }
    }

    #[test]
    fn a_dimension_that_is_not_named_stands_at_its_total() {
        let mut numbering = Numbering::default();
        let (bare, named) = (key("2026M01", &[]), key("2026M01", &[("_kon", &["T", "1"])]));
        assert_eq!((numbering.learn(&bare), numbering.learn(&named)), (0, 1));
        let (bare, named) = (numbering.figures(&bare).unwrap(), numbering.figures(&named).unwrap());
        assert!(named.covers(&bare) && !bare.covers(&named));
        assert_eq!(numbering.figures(&key("2026M01", &[("_kon", &["T"])])), Some(bare));
    }

    #[test]
    fn what_has_no_number_is_in_no_block() {
        let mut numbering = Numbering::default();
        numbering.learn(&key("2026M01", &[("_kon", &["1"])]));
        for unknown in
            [key("2026M02", &[]), key("2026M01", &[("_kon", &["2"])]), key("2026M01", &[("_alder", &["T"])])]
        {
            assert_eq!(numbering.figures(&unknown), None);
        }
        assert!(numbering.known_figures(&key("2026M02", &[])).is_empty());
    }

    #[test]
    fn what_is_learnt_later_changes_the_boxes_of_keys_that_were_given_before() {
        let one = key("2026M01", &[("_kon", &["1"])]);
        let two = key("2026M01", &[("_kon", &["1", "2"])]);
        let of_age = key("2026M01", &[("_kon", &["1"]), ("_alder", &["20"])]);
        let mut numbering = Numbering::default();
        numbering.learn(&one);
        assert!(numbering.figures(&one).is_some());
        assert_eq!((numbering.figures(&two), numbering.figures(&of_age)), (None, None));
        assert_eq!((numbering.learn(&two), numbering.learn(&of_age)), (0, 1));
        let mut anew = Numbering::default();
        for key in [&one, &two, &of_age] {
            anew.learn(key);
        }
        for key in [&one, &two, &of_age] {
            let figures = numbering.figures(key);
            assert_eq!(figures.as_ref().map(|figures| figures.axes().len()), Some(4));
            assert_eq!(figures, anew.figures(key));
        }
    }

    #[test]
    fn equal_members_are_shared_and_no_more_are_kept_than_a_bound() {
        let mut numbering = Numbering::default();
        let first = key("2026M01", &[("_kon", &["1", "2"])]);
        numbering.learn(&first);
        numbering.known_figures(&first);
        let again = key("2026M02", &[("_kon", &["1", "2"])]).members;
        assert!(!again.are_shared_with(&first.members));
        assert!(numbering.shared(&again).unwrap().are_shared_with(&first.members));
        for number in 0..2 * MOST_MEMBER_SETS {
            numbering.known_figures(&key("2026M01", &[("_kon", &[&number.to_string()])]));
        }
        assert!(numbering.members.len() <= MOST_MEMBER_SETS);
        assert_eq!(numbering.figures(&first).map(|figures| figures.count()), Some(2));
    }
}
