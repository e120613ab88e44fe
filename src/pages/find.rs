//! `/`: the catalogue by subject as the databank's menu has it, and the search.

use askama::Template;

use crate::catalogue::Catalogue;
use crate::catalogue::area::COUNTRY_CODE;
use crate::catalogue::dimension::Dimension;
use crate::catalogue::measurement::{Measurement, MeasurementHead};
use crate::feed::catalogue_feed::DATASETS;
use crate::open::CHOICE_OPTION;
use crate::pages::error::PageError;
use crate::pages::language::Language;
use crate::pages::layout::Layout;
use crate::pages::municipality::{self, Municipality};
use crate::pages::visit::{MUNICIPALITY, Visit};
use crate::pages::{Html, Sources, builder, failure};
use crate::search::{MAX_CHARS, SearchIndex, mentions};

/// The option with the search text.
const SEARCH: &str = "q";
/// The most results that are shown.
const RESULTS: usize = 50;
/// How many breakdowns a result names.
const BREAKDOWNS: usize = 6;

#[derive(Template)]
#[template(path = "find.html")]
struct Find {
    layout: Layout,
    l: Language,
    query: String,
    municipality: Option<&'static Municipality>,
    municipalities: &'static [Municipality],
    /// `None` where nothing is searched for.
    found: Option<SearchResult>,
    groups: Vec<Group>,
    table_count: usize,
    /// Why no table is listed, if the list has not been read.
    not_read: Option<String>,
}

impl Find {
    /// Searches to begin with.
    fn examples(&self) -> [&'static str; 4] {
        ["sygedagpenge", "ledige i Randers", "kontanthjælp", "a-kasse"]
    }
}

/// What a search found.
struct SearchResult {
    number: usize,
    shown: Vec<Entry>,
    /// The municipality that the search text names, which the links lead to.
    named: Option<&'static Municipality>,
}

/// A table in a list.
struct Entry {
    id: String,
    link: String,
    topic: String,
    content: String,
    newest: Option<String>,
    next: Option<String>,
    breakdowns: Option<Breakdowns>,
}

/// The breakdowns of a table, those that the search names first.
struct Breakdowns {
    /// Name and link to the table broken down by it.
    listed: Vec<(String, String)>,
    /// How many are not listed.
    more: usize,
    /// The builder with the two that the search names.
    together: Option<([String; 2], String)>,
}

/// A group of the menu.
struct Group {
    label: String,
    subjects: Vec<SubjectEntry>,
}

struct SubjectEntry {
    label: String,
    tables: Vec<Entry>,
}

/// The page.
#[must_use]
pub fn page(sources: &Sources, visit: Visit) -> Html {
    match find(sources, &visit) {
        Ok(page) => page,
        Err(error) => failure::of(sources, visit, error),
    }
}

fn find(sources: &Sources, visit: &Visit) -> Result<Html, PageError> {
    let l = visit.language;
    let municipality = visit.municipality()?;
    let query = visit.option(SEARCH).unwrap_or_default();
    if query.chars().count() > MAX_CHARS {
        return Err(PageError::long_search(MAX_CHARS));
    }
    let catalogue = sources.feeds.listed();
    let feed = sources.feeds.catalogue();
    let index = feed.sets.iter().find(|set| set.name == DATASETS).and_then(|set| set.index.as_deref());
    let found = index.filter(|_| !query.is_empty()).map(|index| search(&catalogue, index, visit, query));
    let groups = if found.is_none() { menu(&catalogue, visit) } else { Vec::new() };
    let title = l.text("Find tal om arbejdsmarkedet", "Find figures about the labour market");
    let not_read = catalogue.heads.is_empty().then(PageError::no_tables);
    let page = Find {
        layout: Layout::new(sources, visit.clone(), title.to_owned()),
        l,
        query: query.to_owned(),
        municipality,
        municipalities: municipality::all(),
        found,
        groups,
        table_count: catalogue.heads.len(),
        not_read: not_read.as_ref().map(|error| l.text(&error.danish, &error.english).to_owned()),
    };
    let html = Html::of(not_read.as_ref().map_or(200, |error| error.status), l, &page);
    Ok(Html { retry_after_seconds: not_read.and_then(|error| error.retry_after_seconds), ..html })
}

fn search(catalogue: &Catalogue, index: &SearchIndex, visit: &Visit, query: &str) -> SearchResult {
    let chosen = visit.option(MUNICIPALITY).is_some();
    let named = municipality::all().iter().filter(|one| mentions(query, one.name));
    let named = named.max_by_key(|one| one.name.len()).filter(|_| !chosen);
    let hits = index.search(query);
    let heads = hits.iter().filter_map(|hit| catalogue.heads.get(&hit.table));
    let options: Vec<_> = named.map(|one| (MUNICIPALITY, one.code)).into_iter().collect();
    let shown = heads.take(RESULTS).map(|head| {
        let table = catalogue.measurements.get(&head.id);
        let breakdowns = table.and_then(|table| Breakdowns::new(table, visit, query, &options));
        Entry { breakdowns, ..Entry::new(head, visit, &options) }
    });
    SearchResult { number: hits.len(), shown: shown.collect(), named }
}

/// All tables as the menu has them; those of no subject in it stand at the end, under the name that they bring.
fn menu(catalogue: &Catalogue, visit: &Visit) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for subject in &catalogue.subjects {
        add(&mut groups, &subject.group, &subject.label);
    }
    for head in catalogue.heads.values() {
        let other = visit.language.text("Øvrige", "Other");
        let known = catalogue.subjects.iter().find(|subject| subject.lists(head));
        let label = known.map_or(&head.subject, |subject| &subject.label);
        let group = known.map_or(other, |subject| &subject.group);
        add(&mut groups, group, label).tables.push(Entry::new(head, visit, &[]));
    }
    for group in &mut groups {
        group.subjects.retain(|subject| !subject.tables.is_empty());
    }
    groups.retain(|group| !group.subjects.is_empty());
    groups
}

/// The subject of that name in its group, added where it is not there yet.
fn add<'a>(groups: &'a mut Vec<Group>, group: &str, label: &str) -> &'a mut SubjectEntry {
    let at = groups.iter().position(|other| other.label == group).unwrap_or_else(|| {
        groups.push(Group { label: group.to_owned(), subjects: Vec::new() });
        groups.len() - 1
    });
    let subjects = &mut groups[at].subjects;
    let at = subjects.iter().position(|other| other.label == label).unwrap_or_else(|| {
        subjects.push(SubjectEntry { label: label.to_owned(), tables: Vec::new() });
        subjects.len() - 1
    });
    &mut subjects[at]
}

impl Entry {
    /// `options` are those of the link to the table.
    fn new(head: &MeasurementHead, visit: &Visit, options: &[(&str, &str)]) -> Self {
        let (l, heading) = (visit.language, head.heading());
        Self {
            id: head.id.to_string(),
            link: visit.link(&format!("maaling/{}", head.id), options),
            topic: heading.topic,
            content: heading.content,
            newest: head.newest_period().map(|period| l.period(&period)),
            next: head.update_next.map(|day| l.day(day)),
            breakdowns: None,
        }
    }
}

impl Breakdowns {
    /// `options` are those of the links to the table.
    fn new(table: &Measurement, visit: &Visit, query: &str, options: &[(&str, &str)]) -> Option<Self> {
        let others = table.dimensions.iter().filter(|dimension| !dimension.is_area());
        let (named, others): (Vec<&Dimension>, Vec<_>) =
            others.partition(|dimension| mentions(query, &dimension.label));
        let name = |dimension: &Dimension| dimension.label.to_lowercase();
        let link = |dimension: &Dimension| {
            // Hundreds of links, so without the collection.
            let own = [(builder::BREAKDOWN, dimension.id.as_str()), (CHOICE_OPTION, "")];
            let options = [options, &own].concat();
            visit.link(&format!("maaling/{}", table.id), &options)
        };
        let together = |one: &Dimension, other: &Dimension| {
            let breakdowns = [one, other].map(|dimension| (builder::BREAKDOWN, dimension.id.as_str()));
            // Without a place the two would be those of every area.
            let has_place = visit.option(MUNICIPALITY).is_some() || !options.is_empty();
            let area = table.area().and_then(|area| table.dimensions.get(area));
            let country = area
                .filter(|_| !has_place)
                .and_then(|area| area.members.iter().find(|one| one.code == Some(COUNTRY_CODE)));
            let country = country.map(|_| (builder::AREA, COUNTRY_CODE));
            let options: Vec<_> = options.iter().copied().chain(country).chain(breakdowns).collect();
            ([name(one), name(other)], visit.link(&builder::path(&table.id), &options))
        };
        let number = named.len() + others.len();
        let all = named.iter().chain(&others);
        (number > 0).then(|| Self {
            listed: all.take(BREAKDOWNS).map(|one| (name(one), link(one))).collect(),
            more: number.saturating_sub(BREAKDOWNS),
            together: if let [one, other] = named.as_slice() { Some(together(one, other)) } else { None },
        })
    }
}
