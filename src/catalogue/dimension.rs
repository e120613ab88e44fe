//! Dimensions: themes to divide by, with the members of all their hierarchies in one ordered list.
//!
//! A place or group that stands in several hierarchies is one member, taken from the first of them; so is the total. A member
//! knows where it can be asked for, and which other member always shares its figures.

use std::collections::{HashMap, HashSet};

use crate::catalogue::area::{self, AREA_DIMENSION, AreaKind};
use crate::catalogue::id::{DimensionId, HierarchyId, LevelId, MemberId, MemberPath};
use crate::catalogue::label::comparable;

/// The path of every hierarchy's root.
pub const ROOT: &str = "/";
/// The id of the total among member ids.
pub const TOTAL_ID: &str = "T";
/// What ids of labels that no member has begin with.
const UNKNOWN: char = '?';
/// The level of a total.
const TOTAL_LEVEL: &str = "I alt";

/// A theme to divide by, with its members.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimension {
    pub id: DimensionId,
    pub label: String,
    pub hierarchies: Vec<Hierarchy>,
    /// The total first where there is one, then the upstream's order.
    pub members: Vec<Member>,
    /// Whether a hierarchy lists the total under its label; else the total's label is only made up for readers.
    pub lists_total: bool,
    /// A member that the dimension must be pinned to for the figures to mean anything; from `metadata/tables.json`.
    pub pinned: Option<usize>,
    by_id: HashMap<MemberId, usize>,
}

/// One way of dividing.
#[derive(Debug, Clone, PartialEq)]
pub struct Hierarchy {
    pub id: HierarchyId,
    pub label: String,
    pub levels: Vec<Level>,
    /// Every node, in the upstream's order, with the index of its member.
    pub nodes: Vec<Node>,
}

/// One layer of a hierarchy.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    pub id: LevelId,
    pub label: String,
}

/// A place in a hierarchy.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub path: MemberPath,
    pub member: usize,
    /// Index of the level that lists it; `None` for a root that no level lists.
    pub level: Option<usize>,
}

/// One member of a dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub id: MemberId,
    pub label: String,
    /// What the labels of answers are compared with.
    pub comparable_label: String,
    /// The level as clients see it.
    pub level: String,
    /// Index of the hierarchy that requests name this member in.
    pub hierarchy: usize,
    pub path: MemberPath,
    pub parent: Option<usize>,
    /// The kind of area, in the area dimension.
    pub area: Option<AreaKind>,
    /// The official code, in the area dimension, where there is one.
    pub code: Option<&'static str>,
}

impl Member {
    /// Whether this is the total.
    #[must_use]
    pub fn is_total(&self) -> bool {
        self.path.as_str() == ROOT
    }
}

/// A hierarchy as it was read, before its members are merged with those of the dimension's other hierarchies.
#[derive(Debug, Clone, PartialEq)]
pub struct HierarchySource {
    pub id: HierarchyId,
    pub label: String,
    pub levels: Vec<LevelSource>,
}

/// A level as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelSource {
    pub id: LevelId,
    pub label: String,
    /// Pairs of path and label.
    pub values: Vec<(MemberPath, String)>,
}

impl Dimension {
    /// Merges hierarchies into one dimension. `has_total` is false where the dimension is known to have none.
    #[must_use]
    pub fn new(id: DimensionId, label: String, mut sources: Vec<HierarchySource>, has_total: bool) -> Self {
        let is_area = id.as_str() == AREA_DIMENSION;
        if is_area {
            sources.sort_by_key(|source| area::hierarchy_rank(source.id.as_str()));
        }
        let mut dimension = Self {
            id,
            label,
            hierarchies: Vec::new(),
            members: Vec::new(),
            lists_total: false,
            pinned: None,
            by_id: HashMap::new(),
        };
        let several = sources.len() > 1;
        for source in sources {
            dimension.unite(source, several, has_total);
        }
        dimension.make_ids_unique();
        dimension.by_id =
            dimension.members.iter().enumerate().map(|(index, member)| (member.id.clone(), index)).collect();
        dimension
    }

    /// Whether this is the area dimension.
    #[must_use]
    pub fn is_area(&self) -> bool {
        self.id.as_str() == AREA_DIMENSION
    }

    /// The total's index, where the dimension has one.
    #[must_use]
    pub fn total(&self) -> Option<usize> {
        self.members.first().filter(|member| member.is_total()).map(|_| 0)
    }

    /// The member that figures are of where the dimension is not a column: the pinned one, else the total.
    #[must_use]
    pub fn default_member(&self) -> Option<usize> {
        self.pinned.or_else(|| self.total())
    }

    /// The levels of its hierarchies that list other members than the total, by the indexes of hierarchy and level.
    #[must_use]
    pub fn levels_of_parts(&self) -> Vec<(usize, usize)> {
        let levels =
            self.hierarchies.iter().enumerate().flat_map(|(hierarchy, listed)| {
                (0..listed.levels.len()).map(move |level| (hierarchy, level))
            });
        let has_parts = |&(hierarchy, level): &(usize, usize)| {
            (0..self.members.len()).any(|member| self.is_on_level(member, hierarchy, level))
        };
        levels.filter(has_parts).collect()
    }

    /// Whether the member, which is not the total, is listed by a level of a hierarchy.
    #[must_use]
    pub fn is_on_level(&self, member: usize, hierarchy: usize, level: usize) -> bool {
        let Some(listed) = self.hierarchies.get(hierarchy) else { return false };
        // Nodes are sorted by their members.
        let node = listed.nodes.binary_search_by_key(&member, |node| node.member).ok();
        let is_there = node.is_some_and(|node| listed.nodes[node].level == Some(level));
        is_there && self.total() != Some(member)
    }

    /// The index of the member with that id.
    #[must_use]
    pub fn member_index(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The id for a label that no member has. With several hierarchies the hierarchy's id is put in front, because the same label
    /// may be known in another one.
    #[must_use]
    pub fn unknown_id(&self, hierarchy: usize, label: &str) -> String {
        match self.hierarchies.get(hierarchy).filter(|_| self.hierarchies.len() > 1) {
            Some(several) => format!("{UNKNOWN}{}.{label}", several.short_id()),
            None => format!("{UNKNOWN}{label}"),
        }
    }

    /// The label behind an id that no member has.
    #[must_use]
    pub fn unknown_label<'a>(&self, id: &'a str) -> &'a str {
        let label = id.trim_start_matches(UNKNOWN);
        let in_hierarchy =
            |hierarchy: &Hierarchy| label.strip_prefix(hierarchy.short_id())?.strip_prefix('.');
        match self.hierarchies.len() {
            0 | 1 => label,
            _ => self.hierarchies.iter().find_map(in_hierarchy).unwrap_or(label),
        }
    }

    /// The other member that always has the same figures: a parent and its only child with the same label are the same group of
    /// people, which the upstream lists twice.
    #[must_use]
    pub fn twin(&self, index: usize) -> Option<usize> {
        let member = self.members.get(index)?;
        let same_label = |other: usize| self.members[other].comparable_label == member.comparable_label;
        let child = self.only_child(index).filter(|&child| same_label(child));
        child.or_else(|| {
            let parent = member.parent?;
            (self.only_child(parent) == Some(index) && same_label(parent)).then_some(parent)
        })
    }

    fn only_child(&self, index: usize) -> Option<usize> {
        let mut children = (0..self.members.len()).filter(|&child| self.members[child].parent == Some(index));
        let first = children.next()?;
        children.next().is_none().then_some(first)
    }

    fn unite(&mut self, source: HierarchySource, several: bool, has_total: bool) {
        let mut hierarchy =
            Hierarchy { id: source.id, label: source.label, levels: Vec::new(), nodes: Vec::new() };
        let root_listed =
            source.levels.iter().flat_map(|level| &level.values).find(|(path, _)| path.as_str() == ROOT);
        self.lists_total |= has_total && root_listed.is_some();
        if has_total {
            let label = root_listed.map_or_else(|| self.unlisted_root_label(), |(_, label)| label.clone());
            let member = self.total_member(label);
            hierarchy.nodes.push(Node { path: MemberPath::from(ROOT), member, level: None });
        }
        let mut by_path: HashMap<String, usize> = HashMap::new();
        for (level_index, level) in source.levels.into_iter().enumerate() {
            for (path, label) in level.values {
                if path.as_str() == ROOT {
                    if let Some(root) = hierarchy.nodes.first_mut().filter(|node| node.path.as_str() == ROOT)
                    {
                        root.level = Some(level_index);
                    }
                    continue;
                }
                let member = self.member(&hierarchy.id, &path, label, &level.label, several);
                by_path.insert(path.as_str().to_owned(), member);
                hierarchy.nodes.push(Node { path, member, level: Some(level_index) });
            }
            hierarchy.levels.push(Level { id: level.id, label: level.label });
        }
        self.link_parents(&by_path);
        hierarchy.nodes.sort_by_key(|node| node.member);
        self.hierarchies.push(hierarchy);
    }

    /// Gives members whose ids another has, or which mean something else, a number behind: `/1.2/` and `/1/2/` would both be `1.2`.
    fn make_ids_unique(&mut self) {
        let mut taken = HashSet::new();
        for member in &mut self.members {
            let (wanted, is_total) = (member.id.clone(), member.is_total());
            let stem = wanted.as_str().trim_start_matches(UNKNOWN);
            let numbered = (2_u32..).map(|number| MemberId::from(format!("{stem}_{number}")));
            let means_else = |id: &MemberId| {
                id.as_str().is_empty() || is_unknown(id.as_str()) || (id.as_str() == TOTAL_ID && !is_total)
            };
            let mut ids = [wanted.clone()].into_iter().chain(numbered);
            let free = ids.find(|id| !means_else(id) && taken.insert(id.clone()));
            member.id = free.unwrap_or(wanted.clone());
        }
    }

    fn unlisted_root_label(&self) -> String {
        if self.is_area() { area::COUNTRY_NAME.to_owned() } else { format!("{} i alt", self.label) }
    }

    /// The total of all hierarchies, which is the first of the members; made of the first hierarchy that has one.
    fn total_member(&mut self, label: String) -> usize {
        if self.total().is_none() {
            let area = self.is_area().then_some(AreaKind::Country);
            let member = Member {
                id: MemberId::from(TOTAL_ID),
                level: area.and_then(AreaKind::label).unwrap_or(TOTAL_LEVEL).to_owned(),
                code: area.and_then(|kind| kind.code(&label)),
                comparable_label: comparable(&label),
                label,
                hierarchy: self.hierarchies.len(),
                path: MemberPath::from(ROOT),
                parent: None,
                area,
            };
            self.members.insert(0, member);
        }
        0
    }

    fn member(
        &mut self,
        hierarchy: &HierarchyId,
        path: &MemberPath,
        label: String,
        level: &str,
        several: bool,
    ) -> usize {
        let area = self.is_area().then(|| AreaKind::of(&label, false));
        let label = area.and_then(|kind| kind.official_name(&label)).map_or(label, str::to_owned);
        if let Some(same) = self.same_place(area, &label, self.hierarchies.len()) {
            return same;
        }
        self.members.push(Member {
            id: member_id(hierarchy, path, several),
            level: area.and_then(AreaKind::label).unwrap_or(level).to_owned(),
            code: area.and_then(|kind| kind.code(&label)),
            comparable_label: comparable(&label),
            label,
            hierarchy: self.hierarchies.len(),
            path: path.clone(),
            parent: None,
            area,
        });
        self.members.len() - 1
    }

    fn same_place(&self, area: Option<AreaKind>, label: &str, hierarchy: usize) -> Option<usize> {
        let kind = area.filter(|kind| *kind != AreaKind::Other)?;
        let label = comparable(label);
        self.members.iter().position(|member| {
            member.area == Some(kind) && member.comparable_label == label && member.hierarchy < hierarchy
        })
    }

    fn link_parents(&mut self, by_path: &HashMap<String, usize>) {
        for (path, &member) in by_path {
            let parent =
                parent_path(path).and_then(|parent| by_path.get(parent).copied()).or_else(|| self.total());
            if self.members[member].parent.is_none() && parent != Some(member) {
                self.members[member].parent = parent;
            }
        }
    }
}

/// Whether an id was made for a label that no member has.
#[must_use]
pub fn is_unknown(id: &str) -> bool {
    id.starts_with(UNKNOWN)
}

impl Hierarchy {
    /// The part of the hierarchy's id that is used in ids of members.
    fn short_id(&self) -> &str {
        short(&self.id)
    }
}

fn short(hierarchy: &HierarchyId) -> &str {
    hierarchy.as_str().trim_start_matches('_')
}

/// A member's id: its path without outer slashes, inner ones as full stops; with several hierarchies the hierarchy in front.
fn member_id(hierarchy: &HierarchyId, path: &MemberPath, several: bool) -> MemberId {
    let inner = path.as_str().trim_matches('/').replace('/', ".");
    if several { MemberId::from(format!("{}.{inner}", short(hierarchy))) } else { MemberId::from(inner) }
}

/// `/2/4/` → `/2/`; `None` for a path with one part, whose parent is the root.
fn parent_path(path: &str) -> Option<&str> {
    let inner = path.strip_suffix('/')?;
    let cut = inner.rfind('/')?;
    (cut > 0).then(|| &path[..=cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(id: &str, levels: &[(&str, &[(&str, &str)])]) -> HierarchySource {
        let level = |(label, values): &(&str, &[(&str, &str)])| LevelSource {
            id: LevelId::from(label.to_lowercase()),
            label: (*label).to_owned(),
            values: values
                .iter()
                .map(|(path, label)| (MemberPath::from(*path), (*label).to_owned()))
                .collect(),
        };
        HierarchySource {
            id: HierarchyId::from(id),
            label: id.to_owned(),
            levels: levels.iter().map(level).collect(),
        }
    }

    fn areas() -> Dimension {
        let sources = vec![
            source(
                "_reko",
                &[
                    ("Region", &[("/1/", "Region Sjælland")]),
                    ("Kommune", &[("/1/1/", "Køge"), ("/1/2/", "Greve")]),
                ],
            ),
            source(
                "_region",
                &[
                    ("Landet", &[("/", "Hele landet")]),
                    ("Region", &[("/1/", "Region Sjælland"), ("/9/", "Uoplyst område")]),
                ],
            ),
            source("_nykom", &[("Kommune", &[("/5/", "Køge"), ("/6/", "Uoplyst område")])]),
        ];
        Dimension::new(DimensionId::from(AREA_DIMENSION), "Område".to_owned(), sources, true)
    }

    #[test]
    fn area_hierarchies_are_merged_in_their_order_and_each_area_occurs_once() {
        let ids: Vec<_> =
            areas().members.iter().map(|member| format!("{}={}", member.id, member.label)).collect();
        assert_eq!(
            ids,
            [
                "T=Hele landet",
                "nykom.5=Køge",
                "nykom.6=Uoplyst område",
                "region.1=Region Sjælland",
                "reko.1.2=Greve"
            ]
        );
    }

    #[test]
    fn every_hierarchy_finds_every_area_that_it_lists() {
        let areas = areas();
        let reko = &areas.hierarchies[2];
        assert_eq!(reko.id.as_str(), "_reko");
        let nodes: Vec<_> = reko
            .nodes
            .iter()
            .map(|node| format!("{}={}", node.path, areas.members[node.member].id))
            .collect();
        assert_eq!(nodes, ["/=T", "/1/1/=nykom.5", "/1/=region.1", "/1/2/=reko.1.2"]);
    }

    #[test]
    fn a_parent_and_its_only_child_of_the_same_label_are_twins() {
        let levels: &[(&str, &[(&str, &str)])] = &[
            ("A", &[("/1/", "Praktik"), ("/2/", "Tilskud")]),
            ("B", &[("/1/1/", "Praktik"), ("/2/1/", "Stat"), ("/2/2/", "Tilskud")]),
        ];
        let dimension =
            Dimension::new(DimensionId::from("_t"), "Tilbud".to_owned(), vec![source("_t", levels)], true);
        let index = |id: &str| dimension.member_index(id).unwrap();
        assert_eq!(dimension.twin(index("1")), Some(index("1.1")));
        assert_eq!(dimension.twin(index("1.1")), Some(index("1")));
        assert_eq!(dimension.twin(index("2")), None);
        assert_eq!(dimension.twin(index("2.2")), None);
        assert_eq!(dimension.members[0].label, "Tilbud i alt");
    }

    #[test]
    fn a_label_that_no_member_has_gets_an_id_and_back() {
        let areas = areas();
        for (hierarchy, label, id) in
            [(0, "Ny. by", "?nykom.Ny. by"), (1, "Ny. by", "?region.Ny. by"), (1, "?", "?region.?")]
        {
            assert_eq!(areas.unknown_id(hierarchy, label), id);
            assert_eq!(areas.unknown_label(id), label);
            assert!(is_unknown(id) && areas.member_index(id).is_none());
        }
        let one = Dimension::new(DimensionId::from("_t"), "T".to_owned(), vec![source("_t", &[])], true);
        assert_eq!((one.unknown_id(0, "_t.x").as_str(), one.unknown_label("?_t.x")), ("?_t.x", "_t.x"));
    }

    #[test]
    fn a_dimension_without_a_total_has_no_total() {
        let dimension = Dimension::new(
            DimensionId::from("_v"),
            "Type".to_owned(),
            vec![source("_v", &[("A", &[("/1/", "x")])])],
            false,
        );
        assert_eq!((dimension.total(), dimension.members.len(), dimension.default_member()), (None, 1, None));
    }
}
