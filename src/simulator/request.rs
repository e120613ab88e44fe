//! What a data request asks for: the query read against a table, with the upstream's own words where it refuses.

use percent_encoding::percent_decode_str;

use super::dialect::{self, Dialect, Variant};
use super::figures::{Moment, View};
use super::hierarchy::Hierarchy;
use super::periods::PeriodType;

/// A request that the upstream refuses, with its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub cause: String,
}

impl Refusal {
    pub fn new(status: u16, cause: impl Into<String>) -> Self {
        Self { status, cause: cause.into() }
    }

    fn unprocessable(cause: impl Into<String>) -> Self {
        Self::new(422, cause)
    }

    /// A list of names as the upstream writes it: `['_x', '_y']`.
    fn listing(what: &str, names: &[&str]) -> Self {
        let quoted: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
        Self::unprocessable(format!("{what}: [{}]", quoted.join(", ")))
    }
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Csv,
}

/// The decoded parameters of a request, in their order.
#[derive(Clone, Debug, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub fn parse(query: &str) -> Result<Self, Refusal> {
        let decode = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .map(|text| text.into_owned())
                .map_err(|_| Refusal::new(400, "The query is not valid UTF-8."))
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The format, which every request must state.
    pub fn format(&self, csv_is_offered: bool) -> Result<Format, Refusal> {
        match self.get("format") {
            Some("json") => Ok(Format::Json),
            Some("csv") if csv_is_offered => Ok(Format::Csv),
            Some(other) => Err(Refusal::unprocessable(format!("Unknown format: {other}"))),
            None => Err(Refusal::unprocessable("Missing parameter: format")),
        }
    }

    fn with_prefix<'a>(&'a self, prefix: &'static str) -> Vec<(&'a str, &'a str)> {
        let strip = |(key, value): &'a (String, String)| Some((key.strip_prefix(prefix)?, value.as_str()));
        self.0.iter().filter_map(strip).collect()
    }

    fn unknown(&self) -> Vec<&str> {
        let known = |key: &str| {
            key == "format"
                || ["mgroup.", "period.", "hierarchy."].iter().any(|prefix| key.starts_with(prefix))
        };
        self.0.iter().map(|(key, _)| key.as_str()).filter(|key| !known(key)).collect()
    }
}

/// The members asked for of one dimension.
#[derive(Debug)]
pub struct Division {
    /// Position in the table's dimensions; 0 is the area.
    pub dimension: usize,
    /// Position among the dimension's hierarchies.
    pub hierarchy: usize,
    /// Nodes in the upstream's order.
    pub nodes: Vec<usize>,
}

/// A data request, read.
#[derive(Debug)]
pub struct Selection {
    /// Oldest first.
    pub moments: Vec<Moment>,
    pub measures: Vec<usize>,
    /// In the order of the table's dimensions; a dimension that is not here is at its total and has no column.
    pub divisions: Vec<Division>,
}

impl Selection {
    /// Reads the parameters of a data request; refuses in the upstream's order: hierarchies, period type, count. A
    /// table that is being updated has no periods for the moment.
    pub fn read(
        parameters: &Parameters,
        view: &View<'_>,
        is_updating: bool,
        dialect: &Dialect,
    ) -> Result<Self, Refusal> {
        let chosen = Self::hierarchies(parameters, view)?;
        let moments = Self::periods(parameters, view, is_updating)?;
        let unknown = parameters.unknown();
        if !unknown.is_empty() {
            return Err(Refusal::listing("Unknown parameters", &unknown));
        }
        let mut divisions = Vec::new();
        for (dimension, hierarchy, values) in chosen {
            let tree = &view.table.dimensions[dimension].hierarchies[hierarchy];
            divisions.push(Division { dimension, hierarchy, nodes: members(tree, values, dialect)? });
        }
        if !dialect.has(Variant::RequestOrder) {
            divisions.sort_by_key(|division| division.dimension);
        }
        let mut measures = measures(parameters, view)?;
        if dialect.has(Variant::MeasuresReordered) {
            reorder(&mut measures);
        }
        Ok(Self { moments, measures, divisions })
    }

    fn hierarchies<'a>(
        parameters: &'a Parameters,
        view: &View<'_>,
    ) -> Result<Vec<(usize, usize, &'a str)>, Refusal> {
        let find = |id: &str| {
            view.table.dimensions.iter().enumerate().find_map(|(dimension, about)| {
                about
                    .hierarchies
                    .iter()
                    .position(|hierarchy| hierarchy.id == id)
                    .map(|hierarchy| (dimension, hierarchy))
            })
        };
        let asked = parameters.with_prefix("hierarchy.");
        let unknown: Vec<_> = asked.iter().map(|(id, _)| *id).filter(|id| find(id).is_none()).collect();
        if !unknown.is_empty() {
            return Err(Refusal::listing("Unknown hierarchies", &unknown));
        }
        let mut chosen: Vec<(usize, usize, &str)> = Vec::new();
        for (id, values) in asked {
            let Some((dimension, hierarchy)) = find(id) else {
                continue;
            };
            if let Some((_, other, _)) = chosen.iter().find(|(other, ..)| *other == dimension) {
                let other = &view.table.dimensions[dimension].hierarchies[*other].id;
                return Err(Refusal::listing("More than one hierarchy of the same dimension", &[other, id]));
            }
            chosen.push((dimension, hierarchy, values));
        }
        Ok(chosen)
    }

    fn periods(parameters: &Parameters, view: &View<'_>, is_updating: bool) -> Result<Vec<Moment>, Refusal> {
        let asked = parameters.with_prefix("period.");
        let [(id, wanted)] = asked.as_slice() else {
            let types: Vec<_> = asked.iter().map(|(id, _)| *id).collect();
            return Err(match types.is_empty() {
                true => Refusal::unprocessable("Missing parameter: period"),
                false => Refusal::listing("More than one period type", &types),
            });
        };
        let unknown = || Refusal::unprocessable(format!("Unknown period type: {id}"));
        let kind = PeriodType::from_id(id).ok_or_else(unknown)?;
        let moments = if is_updating { vec![] } else { view.moments(kind) };
        if moments.is_empty() {
            return Err(unknown());
        }
        match wanted.strip_prefix("latest:") {
            Some(count) => latest(count, kind, moments),
            None => listed(wanted, moments),
        }
    }
}

/// The last measure comes second: a, b, c, x become a, x, b, c. Of two it comes first.
fn reorder(measures: &mut [usize]) {
    let from = usize::from(measures.len() > 2);
    if let Some(moved) = measures.get_mut(from..).filter(|moved| !moved.is_empty()) {
        moved.rotate_right(1);
    }
}

fn latest(count: &str, kind: PeriodType, mut moments: Vec<Moment>) -> Result<Vec<Moment>, Refusal> {
    let wanted: usize =
        count.parse().map_err(|_| Refusal::listing("Unknown periods", &[&format!("latest:{count}")]))?;
    if wanted == 0 {
        return Err(Refusal::listing("Unknown periods", &["latest:0"]));
    }
    if wanted > moments.len() {
        return Err(Refusal::unprocessable(format!(
            "Requested latest:{wanted} for type {}, but only {} periods are available.",
            kind.id(),
            moments.len()
        )));
    }
    Ok(moments.split_off(moments.len() - wanted))
}

fn listed(wanted: &str, moments: Vec<Moment>) -> Result<Vec<Moment>, Refusal> {
    let wanted: Vec<_> = wanted.split(',').collect();
    let ids: Vec<_> = moments.iter().map(|moment| moment.period.to_string()).collect();
    let unknown: Vec<_> = wanted.iter().copied().filter(|id| !ids.iter().any(|known| known == id)).collect();
    if !unknown.is_empty() {
        return Err(Refusal::listing("Unknown periods", &unknown));
    }
    let chosen = |(moment, id): (Moment, &String)| wanted.contains(&id.as_str()).then_some(moment);
    Ok(moments.into_iter().zip(&ids).filter_map(chosen).collect())
}

fn members(tree: &Hierarchy, wanted: &str, dialect: &Dialect) -> Result<Vec<usize>, Refusal> {
    let all = usize::from(!tree.has_total)..tree.nodes.len();
    if wanted == "*" {
        return Ok(all.collect());
    }
    if let Some(id) = wanted.strip_prefix("level:") {
        let has_own_level = lists_total(tree, dialect) && !dialect.has(Variant::TotalInLevel);
        if has_own_level && id == total_level_id(tree) {
            return Ok(vec![0]);
        }
        if !tree.levels.iter().any(|level| level.id == id) {
            return Err(Refusal::listing("Unknown levels", &[id]));
        }
        let comes_along = |node: usize| node == 0 && tree.has_total && dialect.level_brings_total();
        let is_on_level = |node: usize| tree.level_of(node).is_some_and(|level| level.id == id);
        return Ok(all.filter(|node| is_on_level(*node) || comes_along(*node)).collect());
    }
    let ids: Vec<_> = wanted.split(',').collect();
    let holds_root = ids.len() > 1 && ids.contains(&"/");
    let is_refused = holds_root && dialect.has(Variant::RootInListRefused)
        || ids.len() > dialect::LONGEST_LIST && dialect.has(Variant::LongListsRefused);
    if is_refused {
        return Err(Refusal::unprocessable(format!("Invalid list of values for hierarchy {}", tree.id)));
    }
    let unknown: Vec<_> = ids.iter().copied().filter(|id| tree.position(id).is_none()).collect();
    if !unknown.is_empty() {
        return Err(Refusal::listing(&format!("Unknown values for hierarchy {}", tree.id), &unknown));
    }
    Ok(all.filter(|node| ids.contains(&tree.nodes[*node].id.as_str())).collect())
}

/// Whether the metadata lists the root.
pub fn lists_total(tree: &Hierarchy, dialect: &Dialect) -> bool {
    let is_listed = [Variant::TotalInLevel, Variant::TotalOnOwnLevel].into_iter().any(|it| dialect.has(it));
    match dialect.has(Variant::TotalUnlisted) {
        true => false,
        false => tree.has_total && (tree.lists_total || is_listed),
    }
}

/// The id of the level that the root has to itself, in hierarchies that list it.
pub fn total_level_id(tree: &Hierarchy) -> String {
    format!("{}_i_alt", tree.id.trim_start_matches('_'))
}

fn measures(parameters: &Parameters, view: &View<'_>) -> Result<Vec<usize>, Refusal> {
    let asked = parameters.with_prefix("mgroup.");
    let table = view.table;
    let exists = |group: &str| table.measures.iter().any(|measure| measure.group == group);
    let unknown: Vec<_> =
        asked.iter().map(|(group, _)| *group).filter(|id| *id != "*" && !exists(id)).collect();
    if !unknown.is_empty() {
        return Err(Refusal::listing("Unknown measure groups", &unknown));
    }
    let mut chosen = vec![asked.is_empty(); table.measures.len()];
    for (group, wanted) in asked {
        for id in wanted.split(',') {
            let meant = |index: &usize| {
                let measure = &table.measures[*index];
                (group == "*" || measure.group == group) && (id == "*" || measure.id == id)
            };
            let found: Vec<_> = (0..table.measures.len()).filter(meant).collect();
            if found.is_empty() {
                return Err(Refusal::listing("Unknown measures", &[id]));
            }
            found.into_iter().for_each(|index| chosen[index] = true);
        }
    }
    Ok((0..chosen.len()).filter(|index| chosen[*index]).collect())
}
