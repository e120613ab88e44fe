//! Numbers for the ids of one table, so that keys can be compared as figure boxes. They are valid in this process only and are
//! never saved.

use std::collections::HashMap;

use crate::catalogue::dimension::TOTAL_ID;
use crate::catalogue::id::DimensionId;
use crate::plan::figure_box::{FigureBox, Positions};
use crate::store::key::CellKey;

/// The number of a total on its dimension's axis: a key that does not name a dimension means its total.
pub(super) const TOTAL: usize = 0;

/// The numbers of a table's ids. The axes are the period, the measure, then the dimensions as they became known.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    periods: HashMap<String, usize>,
    measures: HashMap<String, usize>,
    dimensions: Vec<(DimensionId, HashMap<String, usize>)>,
}

impl Numbering {
    /// Makes sure that every id of a key has a number; says how many dimensions are new, and with them axes.
    pub fn learn(&mut self, key: &CellKey) -> usize {
        let known = self.dimensions.len();
        add(&mut self.periods, key.periods.iter().map(|id| id.as_str()));
        add(&mut self.measures, key.measures.iter().map(|id| id.as_str()));
        for (dimension, members) in &key.members {
            let position = self.dimensions.iter().position(|(id, _)| id == dimension);
            let position = position.unwrap_or_else(|| {
                self.dimensions.push((dimension.clone(), HashMap::from([(TOTAL_ID.to_owned(), TOTAL)])));
                self.dimensions.len() - 1
            });
            add(&mut self.dimensions[position].1, members.iter().map(|id| id.as_str()));
        }
        self.dimensions.len() - known
    }

    /// The box of a key; `None` if the key has an id without a number, so that no block can hold all of it.
    pub fn figures(&self, key: &CellKey) -> Option<FigureBox> {
        if key.members.keys().any(|id| !self.dimensions.iter().any(|(known, _)| known == id)) {
            return None;
        }
        let whole = self.known_figures(key);
        let expected = [key.periods.len(), key.measures.len()].into_iter();
        let members =
            self.dimensions.iter().map(|(id, _)| key.members.get(id).map_or(1, |members| members.len()));
        expected
            .chain(members)
            .zip(whole.axes())
            .all(|(ids, positions)| positions.len() == ids)
            .then_some(whole)
    }

    /// The box of what has a number of a key.
    pub fn known_figures(&self, key: &CellKey) -> FigureBox {
        let mut axes = vec![
            positions(&self.periods, key.periods.iter().map(|id| id.as_str())),
            positions(&self.measures, key.measures.iter().map(|id| id.as_str())),
        ];
        axes.extend(self.dimensions.iter().map(|(id, numbers)| match key.members.get(id) {
            Some(members) => positions(numbers, members.iter().map(|id| id.as_str())),
            None => [TOTAL].into_iter().collect(),
        }));
        FigureBox::new(axes)
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
    use std::collections::BTreeSet;

    use crate::catalogue::id::{MeasureId, MemberId, PeriodId};

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
}
