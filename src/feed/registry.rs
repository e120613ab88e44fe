//! The registry of assigned names. It only grows, so that a table, measure, dimension or level keeps its name when the upstream
//! changes its title. Recorded names that do not begin with a letter are replaced once; the former ones are kept, because addresses
//! with them are still accepted.
//!
//! `refresh/feeds.rs` reads it from disk, builds feeds with it, and saves it when it has [changed].
//!
//! [changed]: NameRegistry::is_changed

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::catalogue::id::MeasurementId;
use crate::feed::naming::{self, DIMENSION_LIMIT, Front, NAME_LIMIT, SET_LIMIT, TABLE_SET_LIMIT};

/// Columns of every wide set or of `Observations`; measures and dimensions may not have these names.
const FIXED_COLUMNS: &[&str] = &[
    "Periode",
    "Periodetype",
    "Fra",
    "Til",
    "Område",
    "Områdekode",
    "Områdeniveau",
    "Status",
    "Opdateret",
    "Id",
    "Measure",
    "ValueAttribute",
    "Value",
];

/// Sets of the catalogue service that are not tables, with names that are reserved for later.
const CATALOGUE_SETS: &[&str] =
    &["Datasets", "Catalogs", "Subjects", "StatusCodes", "Revisions", "Områder", "Perioder"];

/// Words that the expression parser does not read as a column.
const KEYWORDS: &[&str] = &[
    "true", "false", "null", "nan", "inf", "not", "and", "or", "eq", "ne", "gt", "ge", "lt", "le", "in",
    "has", "add", "sub", "mul", "div", "divby", "mod",
];

/// The kinds of parts that get names. Dimensions and measures become columns of the same sets, a level a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Dimension,
    Measure,
    Level,
}

/// A part of a table that needs a name.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub kind: Kind,
    pub id: &'a str,
    pub label: &'a str,
    /// The name of what it belongs to: a measure's group, the set of a level's dimension.
    pub group: &'a str,
}

/// All names ever assigned for one origin.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NameRegistry {
    tables: BTreeMap<String, TableNames>,
    #[serde(skip)]
    changed: bool,
    /// The tables that got names since they were last taken.
    #[serde(skip)]
    news: BTreeSet<String>,
    /// Whether no new names are given; what has none gets an empty one, which cannot be used.
    #[serde(skip)]
    frozen: bool,
}

/// Names of one table and its parts, by the upstream's ids.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct TableNames {
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<String>,
    dimensions: BTreeMap<String, String>,
    measures: BTreeMap<String, String>,
    /// Names of the sets of single levels, by the ids of dimension, hierarchy and level.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    levels: BTreeMap<String, String>,
    /// Names that were given before, and not since the rules for names changed.
    #[serde(skip_serializing_if = "Former::is_empty")]
    former: Former,
}

/// Former names of a table and its parts, by the upstream's ids.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Former {
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dimensions: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    measures: BTreeMap<String, String>,
}

/// Why a saved registry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("table {table}: the recorded name {name:?} is no identifier")]
    NotAnIdentifier { table: String, name: String },
    #[error("table {table}: the recorded name {name:?} stands for two things")]
    Doubled { table: String, name: String },
}

impl NameRegistry {
    /// The registry, unless it has invalid or duplicate names.
    pub fn checked(self) -> Result<Self, RegistryError> {
        self.check()?;
        Ok(self)
    }

    /// Whether names were assigned since it was read or last saved.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Records that the registry has been saved as it is now.
    pub fn mark_saved(&mut self) {
        self.changed = false;
    }

    /// Whether new names are given from now on.
    pub fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen;
    }

    /// The names of tables that got any since this was last asked, for other bridges: by table, all that it has.
    pub fn take_news(&mut self) -> Vec<(String, String)> {
        let news = std::mem::take(&mut self.news);
        news.into_iter().filter_map(|table| self.fact(table)).collect()
    }

    /// The names of all tables, for other bridges.
    #[must_use]
    pub fn facts(&self) -> Vec<(String, String)> {
        self.tables.keys().filter_map(|table| self.fact(table.clone())).collect()
    }

    fn fact(&self, table: String) -> Option<(String, String)> {
        let names = serde_json::to_string(self.tables.get(&table)?).ok()?;
        Some((table, names))
    }

    /// Takes over the names that another bridge gave to a table. Own names that differ become former ones, and own names of other parts
    /// are given anew where they are taken now. Whether that changed anything.
    ///
    /// # Errors
    /// When they are no names.
    pub fn adopt(&mut self, table: &str, names: &str) -> Result<bool, RegistryError> {
        let unreadable = |_| RegistryError::NotAnIdentifier {
            table: table.to_owned(),
            name: "what another bridge gave".to_owned(),
        };
        let theirs: TableNames = serde_json::from_str(names).map_err(unreadable)?;
        if self.tables.get(table) == Some(&theirs) {
            return Ok(false);
        }
        let mut changed = self.clone();
        let own = changed.tables.remove(table).unwrap_or_default();
        if let Some(set) = &theirs.set {
            changed.give_up_set(set);
        }
        changed.tables.insert(table.to_owned(), own.merged_with(theirs));
        changed.check()?;
        let has_changed = changed.tables != self.tables;
        if has_changed {
            *self = Self { changed: true, ..changed };
        }
        Ok(has_changed)
    }

    /// Gives up that name of a set where another table has it.
    fn give_up_set(&mut self, set: &str) {
        let is_taken = |name: &&mut Option<String>| {
            name.as_ref().is_some_and(|name| name.to_lowercase() == set.to_lowercase())
        };
        self.tables.values_mut().map(|names| &mut names.set).filter(is_taken).for_each(|name| *name = None);
    }

    /// The names of a table's parts, in their order: recorded names, or new ones, which are recorded. New parts with the same
    /// preferred name all get their id appended, so that names do not depend on the order; so does a part whose preferred name is
    /// taken by an earlier one or by a column of a dimension.
    pub fn name_parts(&mut self, table: &MeasurementId, parts: &[Part<'_>]) -> Vec<String> {
        let names = self.tables.entry(table.as_str().to_owned()).or_default();
        self.changed |= names.give_up(parts);
        let mut taken = names.claims();
        let proposals = proposals(parts.iter().filter(|part| !names.of(part.kind).contains_key(part.id)));
        for part in parts {
            if self.frozen || names.of(part.kind).contains_key(part.id) {
                continue;
            }
            let proposed = part.proposal();
            let is_free = |name: &str| !claims(part.kind, name).iter().any(|claim| taken.contains(claim));
            let is_doubled = proposals.get(&proposed.to_lowercase()) > Some(&1);
            let name = if is_free(&proposed) && !is_doubled {
                proposed
            } else {
                made_unique(&proposed, part.id, part.limit(), is_free)
            };
            taken.extend(claims(part.kind, &name));
            names.of_mut(part.kind).insert(part.id.to_owned(), name);
            self.changed = true;
            self.news.insert(table.to_string());
        }
        parts.iter().map(|part| names.of(part.kind).get(part.id).cloned().unwrap_or_default()).collect()
    }

    /// The name that a part had before, if it was given another.
    #[must_use]
    pub fn former_name(&self, table: &MeasurementId, kind: Kind, id: &str) -> Option<&str> {
        let former = &self.tables.get(table.as_str())?.former;
        let names = match kind {
            Kind::Dimension => &former.dimensions,
            Kind::Measure => &former.measures,
            Kind::Level => return None,
        };
        names.get(id).map(String::as_str)
    }

    /// The name that a table's set in the catalogue service had before, if it was given another.
    #[must_use]
    pub fn former_table(&self, table: &MeasurementId) -> Option<&str> {
        self.tables.get(table.as_str())?.former.set.as_deref()
    }

    /// The name of a table's set in the catalogue service.
    pub fn name_table(&mut self, table: &MeasurementId, subject: &str, title: &str) -> String {
        let names = self.tables.entry(table.as_str().to_owned()).or_default();
        if let Some(former) = names.set.take_if(|name| !naming::has_letter_first(name)) {
            names.former.set = Some(former);
        }
        if let Some(name) = &names.set {
            return name.clone();
        }
        if self.frozen {
            return String::new();
        }
        let taken = self.set_names();
        let is_free = |name: &str| !taken.contains(&name.to_lowercase());
        let proposed = naming::table_set_name(table.as_str(), subject, title);
        let name = if is_free(&proposed) {
            proposed
        } else {
            made_unique(&proposed, table.as_str(), TABLE_SET_LIMIT, is_free)
        };
        self.tables.entry(table.as_str().to_owned()).or_default().set = Some(name.clone());
        self.changed = true;
        self.news.insert(table.to_string());
        name
    }

    fn set_names(&self) -> HashSet<String> {
        let given = self.tables.values().filter_map(|names| names.set.as_deref());
        given.chain(CATALOGUE_SETS.iter().copied()).map(str::to_lowercase).collect()
    }

    fn check(&self) -> Result<(), RegistryError> {
        let mut sets: HashSet<String> = CATALOGUE_SETS.iter().map(|name| name.to_lowercase()).collect();
        for (table, names) in &self.tables {
            let mut parts = fixed_claims();
            for (kind, name) in names.given() {
                check_name(table, name, claims(kind, name), &mut parts)?;
            }
            if let Some(name) = &names.set {
                check_name(table, name, vec![name.to_lowercase()], &mut sets)?;
            }
        }
        Ok(())
    }
}

fn check_name(
    table: &str,
    name: &str,
    claims: Vec<String>,
    taken: &mut HashSet<String>,
) -> Result<(), RegistryError> {
    let (table, name) = (table.to_owned(), name.to_owned());
    if !naming::is_identifier(&name) {
        Err(RegistryError::NotAnIdentifier { table, name })
    } else if !claims.into_iter().all(|claim| taken.insert(claim)) {
        Err(RegistryError::Doubled { table, name })
    } else {
        Ok(())
    }
}

impl TableNames {
    fn of(&self, kind: Kind) -> &BTreeMap<String, String> {
        match kind {
            Kind::Dimension => &self.dimensions,
            Kind::Measure => &self.measures,
            Kind::Level => &self.levels,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut BTreeMap<String, String> {
        match kind {
            Kind::Dimension => &mut self.dimensions,
            Kind::Measure => &mut self.measures,
            Kind::Level => &mut self.levels,
        }
    }

    /// Gives up the names of these parts that do not begin with a letter, and keeps them as former ones. Whether there were any.
    fn give_up(&mut self, parts: &[Part<'_>]) -> bool {
        let mut gave_up = false;
        for part in parts {
            let name = self.of(part.kind).get(part.id).filter(|name| !naming::has_letter_first(name));
            let Some(name) = name.cloned() else { continue };
            let former = match part.kind {
                Kind::Dimension => &mut self.former.dimensions,
                Kind::Measure => &mut self.former.measures,
                Kind::Level => continue,
            };
            former.insert(part.id.to_owned(), name);
            self.of_mut(part.kind).remove(part.id);
            gave_up = true;
        }
        gave_up
    }

    /// These names with those of another bridge, which win.
    fn merged_with(mut self, theirs: Self) -> Self {
        let taken: HashSet<String> = theirs.given().flat_map(|(kind, name)| claims(kind, name)).collect();
        let mut former = std::mem::take(&mut self.former);
        for (kind, former) in
            [(Kind::Dimension, &mut former.dimensions), (Kind::Measure, &mut former.measures)]
        {
            let differ = self
                .of(kind)
                .iter()
                .filter(|(id, name)| theirs.of(kind).get(*id).is_some_and(|other| other != *name));
            former.extend(differ.map(|(id, name)| (id.clone(), name.clone())));
        }
        if let (Some(own), Some(other)) = (&self.set, &theirs.set)
            && own != other
        {
            former.set = Some(own.clone());
        }
        for kind in [Kind::Dimension, Kind::Measure, Kind::Level] {
            let others = theirs.of(kind);
            let names = self.of_mut(kind);
            names.retain(|id, name| {
                !others.contains_key(id) && !claims(kind, name).iter().any(|claim| taken.contains(claim))
            });
            names.extend(others.clone());
        }
        former.dimensions.extend(theirs.former.dimensions);
        former.measures.extend(theirs.former.measures);
        former.set = theirs.former.set.or(former.set);
        Self { set: theirs.set.or(self.set), former, ..self }
    }

    fn given(&self) -> impl Iterator<Item = (Kind, &String)> {
        let dimensions = self.dimensions.values().map(|name| (Kind::Dimension, name));
        let levels = self.levels.values().map(|name| (Kind::Level, name));
        dimensions.chain(self.measures.values().map(|name| (Kind::Measure, name))).chain(levels)
    }

    fn claims(&self) -> HashSet<String> {
        let given = self.given().flat_map(|(kind, name)| claims(kind, name));
        given.chain(fixed_claims()).collect()
    }
}

impl Former {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Part<'_> {
    fn limit(&self) -> usize {
        match self.kind {
            Kind::Dimension => DIMENSION_LIMIT,
            Kind::Measure => NAME_LIMIT,
            Kind::Level => SET_LIMIT,
        }
    }

    fn proposal(&self) -> String {
        let front = |otherwise| Front { group: self.group, otherwise };
        match self.kind {
            Kind::Dimension => naming::column_name(self.id, self.label, front("Fordeling"), self.limit()),
            Kind::Measure => naming::column_name(self.id, self.label, front("Mål"), self.limit()),
            Kind::Level => naming::shorten(&format!("{}_{}", self.group, self.label), self.limit()),
        }
    }
}

/// All names that a part takes, in lower case: a dimension takes several columns, sets and a navigation property.
fn claims(kind: Kind, name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    match kind {
        Kind::Measure | Kind::Level => vec![name],
        Kind::Dimension => ["", "_id", "_niveau", "_nr", "code", "codes", "groups"]
            .iter()
            .map(|ending| format!("{name}{ending}"))
            .chain([format!("fordelt_på_{name}")])
            .collect(),
    }
}

fn fixed_claims() -> HashSet<String> {
    let stems = ["Periode", "Område", "Measure"].iter().flat_map(|name| claims(Kind::Dimension, name));
    let plain = FIXED_COLUMNS.iter().chain(KEYWORDS).map(|name| name.to_lowercase());
    stems.chain(plain).collect()
}

/// How many parts have each preferred name.
fn proposals<'a>(parts: impl Iterator<Item = &'a Part<'a>>) -> HashMap<String, usize> {
    let mut proposals = HashMap::new();
    for part in parts {
        *proposals.entry(part.proposal().to_lowercase()).or_default() += 1;
    }
    proposals
}

/// The name with the id appended, and a number after it if that is taken too.
fn made_unique(name: &str, id: &str, limit: usize, is_free: impl Fn(&str) -> bool) -> String {
    let first = naming::with_id(name, id, limit);
    let numbered = (2_u32..).map(|number| {
        let ending = format!("_{number}");
        format!("{}{ending}", naming::shorten(&first, limit - ending.len()))
    });
    std::iter::once(first.clone()).chain(numbered).find(|name| is_free(name)).unwrap_or_default()
}
