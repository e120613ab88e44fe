//! The page of what is new.

use askama::Template;
use chrono::{NaiveDate, TimeDelta};

use crate::open::CHOICE_OPTION;
use crate::pages::language::Language;
use crate::pages::layout::Layout;
use crate::pages::municipality::{self, Municipality};
use crate::pages::news::changes::Change;
use crate::pages::news::collected::{self, Dated, News};
use crate::pages::news::interest::{SUBJECT, subjects};
use crate::pages::visit::Visit;
use crate::pages::{Html, Sources, failure};

/// The most tables with new figures that are shown.
const TABLES: usize = 120;
/// The most changes that are shown.
const CHANGES: usize = 40;
/// How far ahead one looks, unless all coming days are asked for.
const AHEAD_DAYS: i64 = 14;
/// The option that asks for them, and its value.
const COMING: (&str, &str) = ("kommer", "alle");

#[derive(Template)]
#[template(path = "news.html")]
struct Page {
    layout: Layout,
    l: Language,
    scope: Option<String>,
    municipality: Option<&'static Municipality>,
    municipalities: &'static [Municipality],
    /// The subject that was chosen, by its id.
    subject: String,
    subjects: Vec<(String, String)>,
    coming: Vec<Day>,
    arrived: Vec<Day>,
    changed: Vec<Changed>,
    /// Where all coming days are shown, and how many tables more there are then.
    later: Option<(String, usize)>,
    /// How many of the other parts are not shown.
    more_arrived: usize,
    more_changed: usize,
    feed: String,
    calendar: String,
    table: String,
}

/// The tables of one day.
struct Day {
    day: String,
    /// Whether a day on which figures were awaited has passed.
    is_late: bool,
    tables: Vec<Table>,
}

struct Table {
    link: String,
    topic: String,
    content: String,
    newest: Option<String>,
}

struct Changed {
    table: Table,
    day: String,
    summary: String,
    largest: Vec<String>,
}

/// `/nyt`.
#[must_use]
pub fn page(sources: &Sources, visit: Visit) -> Html {
    let news = match News::of(sources, &visit) {
        Ok(news) => news,
        Err(error) => return failure::of(sources, visit, error),
    };
    let l = visit.language;
    let subject = news.interest.subject.as_ref().map(|one| one.id.clone()).unwrap_or_default();
    // Who follows the news takes no collection along.
    let options = [(SUBJECT, subject.as_str()), (CHOICE_OPTION, "")];
    let has_all = visit.option(COMING.0) == Some(COMING.1);
    let changes = news.changed(sources);
    let soon =
        news.coming.partition_point(|one| has_all || one.day <= news.today + TimeDelta::days(AHEAD_DAYS));
    let (coming, later) = news.coming.split_at(soon);
    let page = Page {
        l,
        scope: news.scope(),
        municipality: news.interest.municipality,
        municipalities: municipality::all(),
        subjects: subjects(&news.catalogue).iter().map(|one| (one.id.clone(), one.label.clone())).collect(),
        coming: days(coming, &visit, Some(news.today)),
        later: (!later.is_empty()).then(|| (format!("{}#kommer", visit.here(&[COMING])), later.len())),
        arrived: days(&news.arrived[..news.arrived.len().min(TABLES)], &visit, None),
        changed: changed(&changes, &visit),
        more_arrived: news.arrived.len().saturating_sub(TABLES),
        more_changed: changes.len().saturating_sub(CHANGES),
        feed: visit.link("nyt.atom", &options),
        calendar: visit.link("nyt.ics", &options),
        table: visit.link("nyt.csv", &options),
        layout: Layout::new(sources, visit, l.text("Nyt", "What is new").to_owned()),
        subject,
    };
    Html::of(200, l, &page)
}

fn changed(changes: &[Change], visit: &Visit) -> Vec<Changed> {
    let l = visit.language;
    let shown = changes.iter().take(CHANGES).map(|change| Changed {
        table: Table::new(&Dated { head: change.head.clone(), day: change.day }, visit),
        day: l.day(change.day),
        summary: change.summary(l),
        largest: change.largest(l),
    });
    shown.collect()
}

/// Tables by their days; days before `awaited` are late.
fn days(dated: &[Dated], visit: &Visit, awaited: Option<NaiveDate>) -> Vec<Day> {
    let by_day = dated.chunk_by(|one, other| one.day == other.day);
    let days = by_day.filter_map(|tables| {
        let day = tables.first()?.day;
        Some(Day {
            day: visit.language.day(day),
            is_late: awaited.is_some_and(|today| day < today),
            tables: tables.iter().map(|table| Table::new(table, visit)).collect(),
        })
    });
    days.collect()
}

impl Table {
    fn new(dated: &Dated, visit: &Visit) -> Self {
        let heading = dated.head.heading();
        Self {
            link: visit.link(&format!("maaling/{}", dated.head.id), &[]),
            topic: heading.topic,
            content: heading.content,
            newest: dated.head.newest_period().map(|period| visit.language.period(&period)),
        }
    }
}
