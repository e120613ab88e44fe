//! One way of dividing a dimension: a tree of members below a root.
//!
//! Areas and named dimensions are both such trees. Knows how members nest and what share of the root each has; knows no
//! figures.

/// A layer of a hierarchy.
#[derive(Clone, Debug)]
pub struct Level {
    pub id: String,
    pub name: String,
}

/// A member. The first node of a hierarchy is its root.
#[derive(Clone, Debug)]
pub struct Node {
    /// The upstream's path, `/` for the root.
    pub id: String,
    pub name: String,
    pub parent: usize,
    /// How far below the root it lies; the root is 0.
    pub depth: usize,
    /// What names the member wherever it stands: its place for an area, else the node that its figures come from. A
    /// parent and its only child of the same name are the same group of people, so the child points to the parent.
    pub code: usize,
    /// The part of the root that the member makes up, roughly.
    pub share: f64,
}

/// A tree of members; nodes stand in the upstream's order, each parent before its children.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    pub id: String,
    pub name: String,
    pub levels: Vec<Level>,
    pub nodes: Vec<Node>,
    /// Whether the root is a member that can be had by name. Without, it is only what is left when the dimension is
    /// not named.
    pub has_total: bool,
    /// Whether the root is listed as a level of its own.
    pub lists_total: bool,
}

/// A hierarchy whose members do not form a tree.
#[derive(Debug, thiserror::Error)]
#[error("member {member} of hierarchy {hierarchy}: {problem}")]
pub struct HierarchyError {
    pub hierarchy: String,
    pub member: String,
    pub problem: &'static str,
}

impl Hierarchy {
    /// A hierarchy that holds nothing but its root.
    pub fn new(id: &str, name: &str, total: &str, levels: Vec<Level>) -> Self {
        let root = Node { id: "/".into(), name: total.into(), parent: 0, depth: 0, code: 0, share: 1.0 };
        Self {
            id: id.into(),
            name: name.into(),
            levels,
            nodes: vec![root],
            has_total: true,
            lists_total: false,
        }
    }

    /// Adds a member below the one that its path names.
    pub fn add(
        &mut self,
        id: &str,
        name: &str,
        share: f64,
        code: Option<usize>,
    ) -> Result<(), HierarchyError> {
        let error = |problem| HierarchyError { hierarchy: self.id.clone(), member: id.into(), problem };
        let inner =
            id.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|inner| !inner.is_empty());
        let inner = inner.ok_or_else(|| error("the path does not begin and end with a slash"))?;
        let parent_id = inner.rfind('/').map_or("/", |end| &id[..end + 2]);
        let parent = self.position(parent_id).ok_or_else(|| error("its parent is not listed before it"))?;
        if self.position(id).is_some() {
            return Err(error("it is listed twice"));
        }
        let depth = self.nodes[parent].depth + 1;
        if depth > self.levels.len() {
            return Err(error("it lies below the lowest level"));
        }
        let code = code.unwrap_or(self.nodes.len());
        self.nodes.push(Node { id: id.into(), name: name.into(), parent, depth, code, share });
        Ok(())
    }

    /// Lets each only child of the same name share its parent's figures.
    pub fn join_only_children(&mut self) {
        for index in 1..self.nodes.len() {
            let parent = self.nodes[index].parent;
            let only = self.nodes.iter().skip(1).filter(|node| node.parent == parent).count() == 1;
            if parent != 0 && only && self.nodes[index].name == self.nodes[parent].name {
                self.nodes[index].code = self.nodes[parent].code;
                self.nodes[index].share = self.nodes[parent].share;
            }
        }
    }

    pub fn position(&self, id: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }

    /// The level that a node belongs to; the root has none of its own here.
    pub fn level_of(&self, node: usize) -> Option<&Level> {
        self.nodes[node].depth.checked_sub(1).and_then(|depth| self.levels.get(depth))
    }
}
