//! What came and what was changed, as an Atom feed (RFC 4287).

use askama::Template;
use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use crate::clock;
use crate::pages::language::Language;
use crate::pages::news::changes::Change;
use crate::pages::news::collected::{Dated, News};
use crate::pages::news::interest::SUBJECT;
use crate::pages::visit::Visit;
use crate::pages::{File, Html, Sources, failure};

/// The most entries; readers keep those that they have seen.
const ENTRIES: usize = 150;

#[derive(Template)]
#[template(path = "news.xml")]
struct Feed {
    l: Language,
    id: Uuid,
    title: String,
    updated: String,
    page: String,
    address: String,
    entries: Vec<Entry>,
}

struct Entry {
    id: Uuid,
    title: String,
    at: DateTime<Utc>,
    link: String,
    category: String,
    summary: String,
}

impl Entry {
    fn updated(&self) -> String {
        written(&self.at)
    }
}

fn written(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `/nyt.atom`: an entry for each table whose figures came, and for each day on which figures of a table were seen to change.
///
/// # Errors
/// With a page that says why there is no feed.
pub fn feed(sources: &Sources, visit: Visit) -> Result<File, Html> {
    let news = match News::of(sources, &visit) {
        Ok(news) => news,
        Err(error) => return Err(failure::of(sources, visit, error)),
    };
    let l = visit.language;
    let mut entries: Vec<Entry> =
        news.arrived.iter().map(|one| Entry::arrived(sources, &visit, one)).collect();
    entries.extend(news.changed(sources).iter().map(|one| Entry::changed(sources, &visit, one)));
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    entries.truncate(ENTRIES);
    let subject = visit.option(SUBJECT).unwrap_or_default();
    let mut title = l.text("Nyt fra Jobindsats", "News from Jobindsats").to_owned();
    if let Some(scope) = news.scope() {
        title = format!("{title}: {scope}");
    }
    let newest = entries.first().map(|entry| entry.at).or(news.catalogue.read_at).unwrap_or(sources.now);
    let feed = Feed {
        l,
        id: id(sources, &format!("feed|{}", news.interest.identity())),
        title,
        updated: written(&newest),
        page: visit.absolute("nyt", &[(SUBJECT, subject)]),
        address: visit.absolute("nyt.atom", &[(SUBJECT, subject)]),
        entries,
    };
    let mut made = Html::of(200, l, &feed);
    if made.status != 200 {
        return Err(made);
    }
    made.body.retain(is_allowed);
    Ok(File {
        content_type: "application/atom+xml; charset=utf-8",
        language: l,
        name: None,
        body: made.body.into_bytes(),
    })
}

/// An id of the entry that is the same under every address of the service.
fn id(sources: &Sources, what: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{}|{what}", sources.feeds.origin().name).as_bytes())
}

/// Whether XML may contain a character.
fn is_allowed(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

impl Entry {
    fn arrived(sources: &Sources, visit: &Visit, arrived: &Dated) -> Self {
        let (head, l) = (&arrived.head, visit.language);
        let heading = head.heading();
        let newest = head.newest_period().map(|period| l.period(&period));
        let mut summary = match &newest {
            Some(period) => {
                format!("{} {period}.", l.text("De seneste tal er for", "The latest figures are for"))
            }
            None => String::new(),
        };
        if let Some(next) = head.update_next {
            summary += &format!(" {} {}.", l.text("De næste ventes", "The next are awaited on"), l.day(next));
        }
        let title = format!("{}: {heading}", l.text("Nye tal", "New figures"));
        Self {
            id: id(sources, &format!("arrived|{}|{}", head.id, arrived.day)),
            title: newest.map_or(title.clone(), |period| format!("{title}, {period}")),
            at: clock::start_of_day(arrived.day),
            link: visit.absolute(&format!("maaling/{}", head.id), &[]),
            category: head.subject.clone(),
            summary,
        }
    }

    fn changed(sources: &Sources, visit: &Visit, change: &Change) -> Self {
        let (head, l) = (&change.head, visit.language);
        let sentences = std::iter::once(change.summary(l)).chain(change.largest(l));
        Self {
            id: id(sources, &format!("changed|{}|{}", head.id, change.day)),
            title: format!("{}: {}", l.text("Ændrede tal", "Revised figures"), head.heading()),
            at: change.seen_at,
            link: visit.absolute(&format!("maaling/{}", head.id), &[]),
            category: head.subject.clone(),
            summary: sentences.map(|sentence| format!("{sentence}.")).collect::<Vec<_>>().join(" "),
        }
    }
}
