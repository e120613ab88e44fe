//! The days on which measurements are awaited, as iCalendar (RFC 5545).

use icalendar::{Calendar, Component, Event, EventLike, Property};
use uuid::Uuid;

use crate::clock;
use crate::pages::news::collected::{Dated, News};
use crate::pages::visit::Visit;
use crate::pages::{File, Html, Sources, failure};

/// How often calendars need to look.
const REFRESH: &str = "PT12H";

/// `/nyt.ics`: an event for the whole of each day.
///
/// # Errors
/// With a page that says why there is no calendar.
pub fn calendar(sources: &Sources, visit: Visit) -> Result<File, Html> {
    let news = match News::of(sources, &visit) {
        Ok(news) => news,
        Err(error) => return Err(failure::of(sources, visit, error)),
    };
    let l = visit.language;
    let mut title = l.text("Nye tal fra Jobindsats", "New figures from Jobindsats").to_owned();
    if let Some(scope) = news.scope() {
        title = format!("{title}: {scope}");
    }
    let mut refresh = Property::new("REFRESH-INTERVAL", REFRESH);
    refresh.add_parameter("VALUE", "DURATION");
    let mut calendar = Calendar::empty();
    calendar
        .append_property(("VERSION", "2.0"))
        .append_property(("PRODID", "-//jobindsats-bridge//nyt//DA"))
        .append_property(("METHOD", "PUBLISH"))
        .append_property(("X-WR-CALNAME", line(&title).as_str()))
        .append_property(refresh)
        .append_property(("X-PUBLISHED-TTL", REFRESH));
    for coming in &news.coming {
        calendar.push(event(sources, &visit, &news, coming));
    }
    let body = calendar.to_string().into_bytes();
    Ok(File { content_type: "text/calendar; charset=utf-8", language: l, name: None, body })
}

/// The event stays the same when its day is moved: its id is that of the figures that follow the newest ones.
fn event(sources: &Sources, visit: &Visit, news: &News, coming: &Dated) -> Event {
    let (head, l) = (&coming.head, visit.language);
    let newest = head.newest_period();
    let after = newest.as_ref().map_or("", |period| period.id.as_str());
    let origin = &sources.feeds.origin().name;
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{origin}|{}|after {after}", head.id).as_bytes());
    let mut description = l.text("Nye tal ventes", "New figures are awaited").to_owned();
    if let Some(newest) = newest {
        description +=
            &format!("; {} {}", l.text("de seneste er for", "the latest are for"), l.period(&newest));
    }
    let page = visit.absolute(&format!("maaling/{}", head.id), &[]);
    let stamp = head.update_latest.map(clock::start_of_day).or(news.catalogue.read_at).unwrap_or(sources.now);
    let mut event = Event::new();
    event
        .uid(&id.to_string())
        .timestamp(stamp)
        .starts(coming.day)
        .summary(&line(&head.heading().to_string()))
        .description(&format!("{}\n{page}", line(&description)))
        .url(&page)
        .categories([line(&head.subject)])
        .add_property("TRANSP", "TRANSPARENT");
    event.done()
}

/// A text without control characters, which would end its line or are not allowed there.
fn line(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}
