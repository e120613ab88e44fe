//! Which members the labels of one dimension's column stand for: members that were requested, others of the dimension, or none.
//!
//! The total is a case of its own: some hierarchies list it nowhere, so that its label is known only from answers.

use std::collections::HashMap;

use crate::catalogue::dimension::{Dimension, Node};
use crate::catalogue::label::comparable;
use crate::plan::chunk::ChunkDimension;
use crate::upstream::data::LabelColumn;

/// What a label stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Members that were requested: one, or a parent and its only child of the same label.
    Requested(Vec<usize>),
    /// A member that came along without a request.
    Unrequested,
    /// No member's label.
    Unknown,
}

/// Members by their labels.
#[derive(Debug)]
pub struct Labels<'a> {
    dimension: &'a Dimension,
    requested: Lookup<'a>,
    all: Lookup<'a>,
    root: Option<Root>,
}

/// The total of a hierarchy.
#[derive(Debug)]
struct Root {
    member: usize,
    is_requested: bool,
    /// Whether nothing else was requested.
    is_alone: bool,
    /// Its label in answers, where that was seen; comparable.
    seen: Option<String>,
}

#[derive(Debug, Default)]
struct Lookup<'a> {
    exact: HashMap<&'a str, Vec<usize>>,
    comparable: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Lookup<'a> {
    fn add(&mut self, dimension: &'a Dimension, member: usize) {
        let of = &dimension.members[member];
        for (labels, label) in [(&mut self.exact, &of.label), (&mut self.comparable, &of.comparable_label)] {
            let members = labels.entry(label.as_str()).or_default();
            if !members.contains(&member) {
                members.push(member);
            }
        }
    }
}

impl<'a> Labels<'a> {
    /// The labels of what was requested. `seen_root` is the label that an answer to the root alone bore.
    #[must_use]
    pub fn of(dimension: &'a Dimension, part: &ChunkDimension, seen_root: Option<&str>) -> Self {
        // The label of a total that no hierarchy lists is made up for readers: it stands for nothing in an answer.
        let has_label = |member: usize| dimension.lists_total || !dimension.members[member].is_total();
        let (mut requested, mut all) = (Lookup::default(), Lookup::default());
        for &member in part.members.iter().filter(|&&member| has_label(member)) {
            requested.add(dimension, member);
        }
        let nodes = &dimension.hierarchies[part.hierarchy].nodes;
        for node in nodes.iter().filter(|node| has_label(node.member)) {
            all.add(dimension, node.member);
        }
        let is_root = |node: &&Node| dimension.members[node.member].is_total();
        let root = nodes.iter().find(is_root).map(|node| Root {
            member: node.member,
            is_requested: part.members.contains(&node.member),
            is_alone: part.members == [node.member],
            seen: seen_root.map(comparable),
        });
        Self { dimension, requested, all, root }
    }

    /// What each different label of a column stands for.
    #[must_use]
    pub fn meanings(&self, column: &LabelColumn) -> Vec<Meaning> {
        let mut meanings: Vec<Meaning> = column.values.iter().map(|label| self.listed(label)).collect();
        if let Some(only) = self.only_unlisted(&meanings) {
            meanings[only.0] = Meaning::Requested(vec![only.1]);
        }
        meanings
    }

    /// Whether an answer to the root alone is needed to distinguish the total's label from labels that no member has.
    #[must_use]
    pub fn needs_root(&self, meanings: &[Meaning]) -> bool {
        let is_told = |root: &Root| root.seen.is_some() || self.dimension.lists_total;
        self.root.as_ref().is_some_and(|root| !is_told(root)) && meanings.contains(&Meaning::Unknown)
    }

    /// Whether every label of a column is a member's. One may be that of a total whose label is not known: beside members, or where
    /// the total alone was requested.
    #[must_use]
    pub fn are_in(&self, column: &LabelColumn) -> bool {
        let unknown = column.values.iter().filter(|label| self.listed(label) == Meaning::Unknown).count();
        let unlisted = self.root.as_ref().filter(|_| !self.dimension.lists_total);
        unknown == 0 || unknown == 1 && unlisted.is_some_and(|root| root.is_alone || column.values.len() > 1)
    }

    /// A label that is spelt exactly as a member's is that member's, before all that are spelt alike.
    fn listed(&self, label: &str) -> Meaning {
        let alike = comparable(label);
        if let Some(members) = self.requested.exact.get(label) {
            return Meaning::Requested(members.clone());
        }
        if self.all.exact.contains_key(label) {
            return Meaning::Unrequested;
        }
        if let Some(root) = self.root.as_ref().filter(|root| root.seen.as_ref() == Some(&alike)) {
            return if root.is_requested {
                Meaning::Requested(vec![root.member])
            } else {
                Meaning::Unrequested
            };
        }
        match self.requested.comparable.get(alike.as_str()) {
            Some(members) => Meaning::Requested(members.clone()),
            None if self.all.comparable.contains_key(alike.as_str()) => Meaning::Unrequested,
            None => Meaning::Unknown,
        }
    }

    /// The only label that no member has is the total's, where the total was requested and no other label is its. Beside others it
    /// may as well be a new member's where the total's label is known.
    fn only_unlisted(&self, meanings: &[Meaning]) -> Option<(usize, usize)> {
        let may_be = |root: &&Root| root.is_alone || root.is_requested && !self.dimension.lists_total;
        let root = self.root.as_ref().filter(may_be)?;
        if root.is_alone && meanings.len() == 1 {
            return Some((0, root.member));
        }
        let is_there = |meaning: &Meaning| matches!(meaning, Meaning::Requested(members) if members.contains(&root.member));
        if meanings.iter().any(is_there) {
            return None;
        }
        let mut unknown = (0..meanings.len()).filter(|&at| meanings[at] == Meaning::Unknown);
        let only = unknown.next().filter(|_| unknown.next().is_none())?;
        Some((only, root.member))
    }
}
