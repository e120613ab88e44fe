//! A chunk: one request to the upstream, as members and periods.
//!
//! It knows how its members are asked for, what that counts against the cell limit, and how it is cut smaller.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::catalogue::dimension::{Hierarchy, Level, Node, ROOT};
use crate::catalogue::id::PeriodTypeId;
use crate::catalogue::measurement::Measurement;
use crate::catalogue::period::PeriodKind;
use crate::error::{DescribeError, ErrorDescription};
use crate::upstream::forms::{Form, PROVEN_LIST};
use crate::upstream::request::{HierarchySelection, NonEmpty};

/// A list of so many periods has room in every address; where more of the newest are asked for, their number is sent instead.
pub(super) const LONGEST_PERIOD_LIST: usize = 60;
/// Characters that all lists of members in an address may take together, percent-encoded.
const MEMBER_CHARACTERS: usize = 1100;
/// Characters that lists of periods and of members may take together.
const LIST_CHARACTERS: usize = 1700;

/// One request to the upstream: one table, one period type, at most one hierarchy per dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chunk {
    pub period_type: PeriodTypeId,
    /// Indexes into the measurement's periods, ascending.
    pub periods: Vec<usize>,
    /// Dimensions that are named, in the measurement's order.
    pub dimensions: Vec<ChunkDimension>,
    /// Indexes of the measures, ascending.
    pub measures: Vec<usize>,
}

/// What a chunk asks of one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChunkDimension {
    pub dimension: usize,
    /// Index of the hierarchy among the dimension's.
    pub hierarchy: usize,
    /// Indexes of the members, ascending. All of them can be asked for in that hierarchy, and no two that are not twins share
    /// a label.
    pub members: Vec<usize>,
    /// Whether every node of the hierarchy is asked for, because the list would be too long; what was not wanted is dropped.
    pub with_others: bool,
}

/// Why a box cannot be cut into chunks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChunkError {
    #[error("a row of table {table} has {cells} cells, more than the limit of {limit} cells per request")]
    LimitBelowOneRow { table: String, cells: u64, limit: u64 },
    #[error("member '{member}' of dimension '{dimension}' of table {table} is in no hierarchy")]
    Unreachable { table: String, dimension: String, member: String },
}

impl DescribeError for ChunkError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::LimitBelowOneRow { .. } => ErrorDescription::new(
                500,
                "CellLimitTooLow",
                "Broens grænse for celler er sat for lavt til denne måling; sig det til den, der driver broen.",
            ),
            Self::Unreachable { .. } => ErrorDescription::internal(),
        }
    }
}

impl Chunk {
    /// Rows that are wanted of the answer at most.
    #[must_use]
    pub fn row_bound(&self) -> u64 {
        let sizes = self.dimensions.iter().map(|part| part.members.len()).chain([self.periods.len()]);
        sizes.fold(1, |product: u64, size| product.saturating_mul(size as u64))
    }

    /// The most cells of the answer, counted with all columns: the strictest meaning that the upstream's limit may have.
    #[must_use]
    pub fn cell_bound(&self, measurement: &Measurement) -> u64 {
        let nodes = self.dimensions.iter().map(|part| part.node_count(measurement));
        let rows = nodes.fold(self.periods.len() as u64, u64::saturating_mul);
        rows.saturating_mul(columns(self.dimensions.len(), self.measures.len()))
    }

    /// How many periods are asked for by their number: the newest of their type, too many for a list.
    #[must_use]
    pub fn newest(&self, measurement: &Measurement) -> Option<usize> {
        let count = self.periods.len();
        (count > LONGEST_PERIOD_LIST && are_newest(measurement, &self.period_type, &self.periods))
            .then_some(count)
    }

    /// The same request, with the members that come along because a list would be too long.
    #[must_use]
    pub(super) fn with_all_members(&self, measurement: &Measurement) -> Self {
        let dimensions = self.dimensions.iter().map(|part| part.with_all_members(measurement)).collect();
        Self { dimensions, ..self.clone() }
    }

    /// The same figures in requests that bring no others, in as many lists as addresses have room for.
    #[must_use]
    pub(super) fn in_lists(&self, measurement: &Measurement) -> Vec<Self> {
        let is_list = |part: &&ChunkDimension| part.with_others || part.is_list(measurement);
        let characters = list_characters(self.dimensions.iter().filter(is_list).count());
        let mut requests = vec![self.clone()];
        for at in (0..self.dimensions.len()).filter(|&at| self.dimensions[at].with_others) {
            let lists = self.dimensions[at].lists(measurement, usize::MAX, characters);
            let with = |request: &Self, list: &ChunkDimension| {
                let mut request = request.clone();
                request.dimensions[at] = list.clone();
                request
            };
            requests = requests
                .iter()
                .flat_map(|request| lists.iter().map(move |list| with(request, list)))
                .collect();
        }
        requests
    }

    /// Whether what is listed has room in one address.
    pub(super) fn fits_address(&self, measurement: &Measurement) -> bool {
        let listed = if self.newest(measurement).is_some() { &[] } else { self.periods.as_slice() };
        let periods: usize = listed.iter().map(|&at| 3 + measurement.periods[at].id.as_str().len()).sum();
        let lists = self.dimensions.iter().filter(|part| part.is_list(measurement));
        periods + lists.map(|part| part.characters(measurement)).sum::<usize>() <= LIST_CHARACTERS
    }

    /// The same cells in smaller requests, none for a single row: in halves along the periods, else along the dimension whose halves
    /// fit into the fewest addresses.
    #[must_use]
    pub fn smaller(&self, measurement: &Measurement) -> Vec<Self> {
        if self.periods.len() > 1 {
            let halves = self.periods.chunks(self.periods.len().div_ceil(2));
            let with = |periods: Vec<usize>| Self { periods, ..self.clone() };
            return halves
                .flat_map(|half| period_lists(measurement, &self.period_type, half))
                .map(with)
                .collect();
        }
        let divided = (0..self.dimensions.len()).filter(|&at| self.dimensions[at].members.len() > 1);
        divided.map(|at| self.divided(measurement, at)).min_by_key(Vec::len).unwrap_or_default()
    }

    /// Halves along a dimension, each in as many lists as addresses have room for.
    fn divided(&self, measurement: &Measurement, at: usize) -> Vec<Self> {
        let others = self.dimensions.iter().enumerate().filter(|(other, _)| *other != at);
        let characters = list_characters(1 + others.filter(|(_, part)| part.is_list(measurement)).count());
        let half = self.dimensions[at].members.len().div_ceil(2);
        let with = |list| {
            let mut part = self.clone();
            part.dimensions[at] = list;
            part
        };
        self.dimensions[at].lists(measurement, half, characters).into_iter().map(with).collect()
    }
}

impl ChunkDimension {
    /// How the members are asked for: all, one level, the total, or a list.
    #[must_use]
    pub fn hierarchy_selection(&self, measurement: &Measurement) -> HierarchySelection {
        let hierarchy = self.hierarchy(measurement);
        let nodes: Vec<&Node> = self.nodes(hierarchy).collect();
        let holds_root = nodes.iter().any(|node| node.path.as_str() == ROOT);
        match nodes.len() {
            _ if self.with_others => return HierarchySelection::All,
            1 if holds_root => return HierarchySelection::Total,
            count if count == hierarchy.nodes.len() => return HierarchySelection::All,
            _ => {}
        }
        if let Some(level) = filled_level(hierarchy, &nodes).filter(|_| !holds_root) {
            return HierarchySelection::Level(level.id.clone());
        }
        let paths = NonEmpty::new(nodes.iter().map(|node| node.path.clone()).collect());
        paths.map_or(HierarchySelection::All, HierarchySelection::Members)
    }

    /// The forms in which a list of the members is asked for; none where no list is sent.
    #[must_use]
    pub fn forms(&self, measurement: &Measurement) -> BTreeSet<Form> {
        let mut forms = BTreeSet::new();
        if let HierarchySelection::Members(paths) = self.hierarchy_selection(measurement)
            && paths.len() > 1
        {
            forms.insert(Form::List);
            forms.extend(paths.iter().any(|path| path.as_str() == ROOT).then_some(Form::RootInList));
            forms.extend((paths.len() > PROVEN_LIST).then_some(Form::LongList));
        }
        forms
    }

    /// How many nodes the answer brings.
    #[must_use]
    pub fn node_count(&self, measurement: &Measurement) -> u64 {
        let hierarchy = self.hierarchy(measurement);
        let count = if self.with_others { hierarchy.nodes.len() } else { self.nodes(hierarchy).count() };
        count as u64
    }

    fn with_all_members(&self, measurement: &Measurement) -> Self {
        if !self.with_others {
            return self.clone();
        }
        let mut members: Vec<usize> =
            self.hierarchy(measurement).nodes.iter().map(|node| node.member).collect();
        members.dedup();
        Self { members, with_others: false, ..self.clone() }
    }

    fn hierarchy<'a>(&self, measurement: &'a Measurement) -> &'a Hierarchy {
        &measurement.dimensions[self.dimension].hierarchies[self.hierarchy]
    }

    /// The nodes of the members, which stand in the order of members.
    fn nodes<'a>(&self, hierarchy: &'a Hierarchy) -> impl Iterator<Item = &'a Node> {
        self.members.iter().flat_map(move |&member| nodes_of(hierarchy, member))
    }

    /// Whether the members are asked for one by one.
    pub(super) fn is_list(&self, measurement: &Measurement) -> bool {
        self.members.len() > 1
            && matches!(self.hierarchy_selection(measurement), HierarchySelection::Members(_))
    }

    /// Characters of the list of members.
    pub(super) fn characters(&self, measurement: &Measurement) -> usize {
        let hierarchy = self.hierarchy(measurement);
        self.members.iter().flat_map(|&member| nodes_of(hierarchy, member)).map(encoded_length).sum()
    }

    /// Cuts the members into lists of at most so many, and of so many characters in an address.
    pub(super) fn lists(&self, measurement: &Measurement, at_most: usize, characters: usize) -> Vec<Self> {
        let hierarchy = self.hierarchy(measurement);
        let mut lists: Vec<Vec<usize>> = Vec::new();
        let mut left = 0;
        for &member in &self.members {
            let needs = nodes_of(hierarchy, member).iter().map(encoded_length).sum();
            match lists.last_mut().filter(|list| list.len() < at_most && needs <= left) {
                Some(list) => {
                    list.push(member);
                    left -= needs;
                }
                None => {
                    lists.push(vec![member]);
                    left = characters.saturating_sub(needs);
                }
            }
        }
        let list = |members| Self { members, with_others: false, ..self.clone() };
        lists.into_iter().map(list).collect()
    }
}

/// Where a hierarchy lists a member.
fn nodes_of(hierarchy: &Hierarchy, member: usize) -> &[Node] {
    let first = hierarchy.nodes.partition_point(|node| node.member < member);
    let listed = hierarchy.nodes[first..].partition_point(|node| node.member == member);
    &hierarchy.nodes[first..first + listed]
}

/// The level that these nodes, and no others, stand on.
fn filled_level<'a>(hierarchy: &'a Hierarchy, nodes: &[&Node]) -> Option<&'a Level> {
    let level = nodes.first()?.level?;
    let on_level = |node: &&Node| node.level == Some(level);
    let fills = hierarchy.nodes.iter().filter(on_level).count() == nodes.len();
    hierarchy.levels.get(level).filter(|_| fills && nodes.iter().all(on_level))
}

/// Characters of a path in a list: slashes and the comma behind are percent-encoded.
fn encoded_length(node: &Node) -> usize {
    let path = node.path.as_str();
    let plain = path.bytes().filter(|byte| byte.is_ascii_alphanumeric()).count();
    3 + plain + 3 * (path.len() - plain)
}

/// Cells of the largest row that a table has: with every dimension and every measure.
#[must_use]
pub fn row_cells(measurement: &Measurement) -> u64 {
    columns(measurement.dimensions.len(), measurement.measures.len())
}

/// Cells of a row: the period, each named dimension and each measure.
pub(super) fn columns(dimensions: usize, measures: usize) -> u64 {
    (1 + dimensions + measures) as u64
}

/// Whether these are the newest periods of their type. Where an id fits no pattern, nobody knows which are the newest.
pub(super) fn are_newest(measurement: &Measurement, period_type: &PeriodTypeId, periods: &[usize]) -> bool {
    let of_type =
        || measurement.periods.iter().enumerate().filter(|(_, period)| period.type_id == *period_type);
    of_type().all(|(_, period)| period.kind != PeriodKind::Unknown)
        && of_type().map(|(index, _)| index).take(periods.len()).eq(periods.iter().copied())
}

/// Periods of one type as they can be asked for: by the number of the newest, else in lists that are not too long.
fn period_lists(measurement: &Measurement, period_type: &PeriodTypeId, periods: &[usize]) -> Vec<Vec<usize>> {
    let at_once =
        if are_newest(measurement, period_type, periods) { usize::MAX } else { LONGEST_PERIOD_LIST };
    periods.chunks(at_once).map(<[_]>::to_vec).collect()
}

/// Characters that each of so many lists of members in an address may take.
pub(super) fn list_characters(lists: usize) -> usize {
    MEMBER_CHARACTERS / lists.max(1)
}

#[cfg(test)]
mod tests {
    use crate::plan::fixture::table;

    use super::*;

    fn areas(members: &[usize]) -> ChunkDimension {
        ChunkDimension { dimension: 0, hierarchy: 0, members: members.to_vec(), with_others: false }
    }

    fn asked(part: &ChunkDimension) -> String {
        match part.hierarchy_selection(&table()) {
            HierarchySelection::Total => "/".to_owned(),
            HierarchySelection::All => "*".to_owned(),
            HierarchySelection::Level(level) => level.to_string(),
            HierarchySelection::Members(paths) => paths.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn members_are_asked_for_by_the_shortest_name_that_brings_them_alone() {
        let measurement = table();
        for (members, name) in [
            (&[0][..], "/"),
            (&[0, 1, 2, 3, 4], "*"),
            (&[1, 2, 3, 4], "lag"),
            (&[0, 2], "//2/"),
            (&[3], "/3/"),
        ] {
            assert_eq!(asked(&areas(members)), name);
            assert_eq!(areas(members).node_count(&measurement), members.len() as u64);
        }
        let with_others = ChunkDimension { with_others: true, ..areas(&[1, 2]) };
        assert_eq!((asked(&with_others).as_str(), with_others.node_count(&measurement)), ("*", 5));
    }

    #[test]
    fn lists_end_where_their_members_or_characters_do() {
        let lengths = |at_most, characters| {
            let lists = areas(&[0, 1, 2, 3, 4]).lists(&table(), at_most, characters);
            lists.iter().map(|list| list.members.len()).collect::<Vec<_>>()
        };
        assert_eq!(lengths(3, 1000), [3, 2]);
        // A path of one digit takes seven characters and its comma three.
        assert_eq!(lengths(9, 26), [3, 2]);
        assert_eq!(lengths(9, 1), [1, 1, 1, 1, 1], "what fits nowhere stands alone");
    }

    #[test]
    fn a_chunk_is_halved_along_its_periods_before_its_members() {
        let measurement = table();
        let chunk = Chunk {
            period_type: PeriodTypeId::from("M"),
            periods: vec![0, 1, 2],
            dimensions: vec![areas(&[0, 1, 2, 3, 4])],
            measures: vec![0],
        };
        let parts = chunk.smaller(&measurement);
        assert_eq!(parts.iter().map(|part| part.periods.len()).collect::<Vec<_>>(), [2, 1]);
        let parts = parts[1].smaller(&measurement);
        assert_eq!(parts.iter().map(|part| part.dimensions[0].members.len()).collect::<Vec<_>>(), [3, 2]);
        let row = Chunk { periods: vec![0], dimensions: vec![areas(&[4])], ..chunk };
        assert_eq!(row.smaller(&measurement), []);
    }
}
