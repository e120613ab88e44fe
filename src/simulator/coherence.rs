//! Tests that the simulator's figures, which are the first that people see, are consistent.
//!
//! For every table and its newest periods: parts of made-up figures add up to their total but for what is hidden or unknown,
//! full-time persons are never more than persons, and shares lie between those of their parts.

use super::areas::COUNTRY;
use super::figures::{Cell, Edition, Moment, View};
use super::hierarchy::Hierarchy;
use super::state::Databank;
use super::tables::{Kind, Measure};

/// A member and those directly below it, by their codes or nodes.
type Group = (usize, Vec<usize>);

/// The groups of a tree: each node that has others below it, with those.
fn groups(hierarchy: &Hierarchy) -> Vec<Group> {
    let own = |node: &usize| hierarchy.nodes[*node].code == *node;
    let below = |parent: usize| -> Vec<usize> {
        (1..hierarchy.nodes.len())
            .filter(own)
            .filter(|node| hierarchy.nodes[*node].parent == parent)
            .collect()
    };
    (0..hierarchy.nodes.len())
        .map(|node| (node, below(node)))
        .filter(|(_, below)| !below.is_empty())
        .collect()
}

/// The country over its regions, over its municipalities, and each region over its municipalities.
fn area_groups(view: &View<'_>) -> Vec<Group> {
    let places = view.places;
    let unknown = places.len() - 1;
    let regions: Vec<_> = (1..places.municipalities().start).collect();
    let of_country = |mut places: Vec<usize>| {
        places.push(unknown);
        (COUNTRY, places)
    };
    let mut groups = vec![of_country(regions.clone()), of_country(places.municipalities().collect())];
    for region in regions {
        groups.push((
            region,
            places.municipalities().filter(|place| places.parent(*place) == region).collect(),
        ));
    }
    groups
}

struct Checker<'a> {
    view: View<'a>,
    moment: Moment,
    wrong: Vec<String>,
    checked: usize,
}

impl Checker<'_> {
    fn check(&mut self, dimension: usize, whole: &Cell, parts: &[Cell]) {
        for (index, measure) in self.view.table.measures.iter().enumerate() {
            let is_published = |cell: &Cell| self.view.is_published_in(cell, index, &self.moment);
            if parts.iter().any(is_published) {
                continue;
            }
            let value = |cell: &Cell| self.view.value(cell, index, &self.moment);
            let (total, figures) = (value(whole), parts.iter().map(value).collect::<Vec<_>>());
            let adds_up = measure.adds_up_over.contains(&self.view.table.dimensions[dimension].id);
            let problem = match measure.kind {
                // Published industries overlap: a person has several jobs.
                Kind::Count | Kind::Amount if is_published(whole) => {
                    not_adding_up(measure, total, &figures, 10)
                }
                Kind::Count | Kind::Amount => not_adding_up(measure, total, &figures, 100),
                _ if adds_up => not_coming_to(total, &figures),
                Kind::Rate | Kind::Fraction | Kind::Average | Kind::Survival => not_between(total, &figures),
                Kind::Difference | Kind::Rank => None,
            };
            self.checked += 1;
            if let Some(problem) = problem {
                self.wrong.push(format!(
                    "{} {} {} {:?} by {}: {problem}",
                    self.view.table.id,
                    measure.name,
                    self.moment.period,
                    whole.key,
                    self.view.table.dimensions[dimension].name,
                ));
            }
        }
    }

    fn check_limits(&mut self, cell: &Cell) {
        for (index, measure) in self.view.table.measures.iter().enumerate() {
            let Some(upper) = measure.at_most else { continue };
            let (figure, limit) =
                (self.view.value(cell, index, &self.moment), self.view.value(cell, upper, &self.moment));
            if figure.is_some_and(|figure| figure > limit.unwrap_or(figure)) {
                self.wrong.push(format!("{} {}: {figure:?} of {limit:?}", self.view.table.id, measure.name));
            }
        }
    }

    /// All groups of one dimension, at the country and at some areas.
    fn walk_dimension(&mut self, dimension: usize) {
        let total = vec![0; self.view.table.dimensions.len() - 1];
        let hierarchy = &self.view.table.dimensions[dimension].hierarchies[0];
        // The country, a region, and a large and a small municipality.
        for place in [COUNTRY, 1, 6, 60] {
            for (whole, parts) in
                groups(hierarchy).into_iter().filter(|(node, _)| *node != 0 || hierarchy.has_total)
            {
                let at = |node: usize| {
                    let mut nodes = total.clone();
                    nodes[dimension - 1] = node;
                    self.view.cell(place, &nodes)
                };
                let parts: Vec<_> = parts.into_iter().map(at).collect();
                self.check(dimension, &at(whole), &parts);
                parts.iter().for_each(|part| self.check_limits(part));
            }
        }
    }

    /// All areas, by themselves and at one member of every other dimension.
    fn walk_areas(&mut self) {
        let total = vec![0; self.view.table.dimensions.len() - 1];
        let mut sets = vec![total.clone()];
        for dimension in 1..self.view.table.dimensions.len() {
            let mut nodes = total.clone();
            nodes[dimension - 1] = self.view.table.dimensions[dimension].hierarchies[0].nodes.len() - 1;
            sets.push(nodes);
        }
        for nodes in sets {
            for (whole, parts) in area_groups(&self.view) {
                let parts: Vec<_> = parts.into_iter().map(|place| self.view.cell(place, &nodes)).collect();
                self.check(0, &self.view.cell(whole, &nodes), &parts);
                parts.iter().for_each(|part| self.check_limits(part));
            }
        }
    }
}

/// Parts come to the total but for those that are hidden, the unknown (at most one in `unknown`), and what is lost in
/// rounding.
fn not_adding_up(
    measure: &Measure,
    total: Option<i64>,
    parts: &[Option<i64>],
    unknown: i64,
) -> Option<String> {
    let shown: i64 = parts.iter().flatten().sum();
    let hidden = parts.iter().filter(|part| part.is_none()).count() as i64;
    let Some(total) = total else {
        return (shown > 0).then(|| format!("{shown} below a hidden total"));
    };
    let largest_hidden = (measure.floor.unwrap_or(0).max(1) - 1).max(1);
    let missing = total - shown;
    let allowed = hidden * largest_hidden + parts.len() as i64 + 1 + total / unknown;
    (missing < 0 || missing > allowed).then(|| format!("parts come to {shown} of {total}, {hidden} hidden"))
}

/// Shares that add up come to that of the total, but for rounding.
fn not_coming_to(total: Option<i64>, parts: &[Option<i64>]) -> Option<String> {
    let (total, sum) = (total?, parts.iter().copied().sum::<Option<i64>>()?);
    let allowed = parts.len() as i64 / 2 + 1 + total / 100;
    ((total - sum).abs() > allowed).then(|| format!("shares come to {sum} of {total}"))
}

/// A share of all lies between the smallest and the largest of its parts.
fn not_between(total: Option<i64>, parts: &[Option<i64>]) -> Option<String> {
    let (total, parts) = (total?, parts.iter().copied().collect::<Option<Vec<_>>>()?);
    let (least, most) = (*parts.iter().min()?, *parts.iter().max()?);
    (!(least..=most).contains(&total)).then(|| format!("{total} is not between {least} and {most}"))
}

#[test]
fn sums_and_shares_hold_in_every_table_and_newest_period() {
    let databank = Databank::get().unwrap();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for months in [0, 3] {
        for table in 0..databank.metadata.tables.len() {
            let view = databank.view(table, Edition { months, ..Edition::default() }).unwrap();
            for range in &view.table.periods {
                let moments = view.moments(range.kind());
                let Some(moment) = moments.last() else { continue };
                let mut walk = Checker { view, moment: moment.clone(), wrong: vec![], checked: 0 };
                walk.walk_areas();
                (1..view.table.dimensions.len()).for_each(|dimension| walk.walk_dimension(dimension));
                wrong.append(&mut walk.wrong);
                checked += walk.checked;
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {checked} wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(60)].join("\n")
    );
    assert!(checked > 30_000, "{checked}");
}

/// Figures below this move by a large part from period to period in published series too.
const SMALL: i64 = 300;

/// The relative change from one figure to the next.
fn step(from: i64, to: i64) -> f64 {
    (to as f64 / from.max(1) as f64 - 1.0).abs()
}

/// A series in order of time, each figure with whether it was published.
type Series = Vec<(i64, bool)>;

fn series(view: &View<'_>, cell: &Cell, measure: usize, moments: &[Moment]) -> Series {
    let figure = |moment: &Moment| {
        let figure = view.value(cell, measure, moment)?;
        Some((figure, view.is_published_in(cell, measure, moment)))
    };
    moments.iter().filter_map(figure).collect()
}

/// The largest step where a made-up figure stands beside a published one, and the largest between two of a kind.
fn steps(series: &Series) -> (f64, f64) {
    let (mut joins, mut others) = (0.0f64, 0.0f64);
    for pair in series.windows(2) {
        let step = if pair[0].0.min(pair[1].0) < SMALL { 0.0 } else { step(pair[0].0, pair[1].0) };
        if pair[0].1 == pair[1].1 { others = others.max(step) } else { joins = joins.max(step) }
    }
    (joins, others)
}

#[test]
fn made_up_series_join_published_figures_without_a_jump() {
    let databank = Databank::get().unwrap();
    let (mut jumps, mut checked) = (Vec::new(), 0);
    for table in 0..databank.metadata.tables.len() {
        let view = databank.view(table, Edition { months: 3, ..Edition::default() }).unwrap();
        let moments = view.moments(view.table.periods[0].kind());
        let total = vec![0; view.table.dimensions.len() - 1];
        for place in [COUNTRY, 1, 6, 7] {
            let cell = view.cell(place, &total);
            for (measure, about) in view.table.measures.iter().enumerate() {
                let series = series(&view, &cell, measure, &moments);
                let joined = series.iter().any(|(_, published)| *published)
                    && series.iter().any(|(figure, published)| !*published && *figure >= SMALL);
                if !joined || !matches!(about.kind, Kind::Count | Kind::Rate | Kind::Average) {
                    continue;
                }
                checked += 1;
                let (joins, others) = steps(&series);
                if joins > (1.5 * others).max(0.15) {
                    jumps.push(format!(
                        "{} {} at {place}: {joins:.2}, else {others:.2}",
                        view.table.id, about.name
                    ));
                }
            }
        }
    }
    assert!(jumps.is_empty(), "{} of {checked}:\n{}", jumps.len(), jumps.join("\n"));
    assert!(checked > 50, "{checked}");
}
