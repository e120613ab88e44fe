//! `/status`: whether figures can be had, how fresh they are, what failed, and what is kept. It shows no secret, and asks nothing of
//! the upstream.

use std::sync::Arc;

use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rust_decimal::Decimal;

use crate::budget::Resource;
use crate::catalogue::id::MeasurementId;
use crate::catalogue::revised::RevisedFigure;
use crate::indicators::snapshot::{IndicatorState, Snapshot};
use crate::observe::readiness::{self, Reason};
use crate::observe::reports::{MAIL_SUBJECT, MAIL_TO};
use crate::observe::upstream_observer::{FailedCall, FailureReason};
use crate::pages::language::Language;
use crate::pages::layout::Layout;
use crate::pages::revised::Revised;
use crate::pages::visit::Visit;
use crate::pages::{Html, Sources};
use crate::peers::PeersReport;
use crate::refresh::read_ahead::Progress;
use crate::store::StoreSize;
use crate::upstream::opening::{self, Closed};

/// How many revised figures are listed.
const REVISIONS: usize = 20;

/// What the page tells of the service, besides its sources.
#[derive(Debug)]
pub struct ServiceState {
    /// What keeps it from its work or a part of it.
    pub reasons: Vec<Reason>,
    /// Until when the upstream is closed, if it is.
    pub closed: Result<(), Closed>,
    pub store: StoreSize,
    /// Why nothing can be written to disk.
    pub store_problem: Option<String>,
    /// Tables in store, and when their latest figures were read.
    pub stored: Vec<(MeasurementId, DateTime<Utc>)>,
    pub ahead: Progress,
    /// How it stands to other bridges, if it shares a Redis with any.
    pub peers: Option<PeersReport>,
    pub indicators: Arc<Snapshot>,
    /// Failed calls to the upstream, the newest first.
    pub failed: Vec<FailedCall>,
}

#[derive(Template)]
#[template(path = "status.html")]
struct Page {
    layout: Layout,
    l: Language,
    is_ready: bool,
    opens_at: Option<String>,
    last_read: Option<String>,
    last_failure: Option<String>,
    list_read: Option<String>,
    listed: usize,
    known: usize,
    state: ServiceState,
    fresh: Vec<Freshness>,
    indicators: Vec<Indicator>,
    /// Tables that are left out, and why.
    left_out: Vec<(String, String)>,
    failures: Vec<Failure>,
    revised: Vec<Revised>,
    revised_count: usize,
}

/// How fresh the figures of a measurement are.
struct Freshness {
    link: String,
    topic: String,
    content: String,
    newest: Option<String>,
    updated: Option<String>,
    read: String,
    next: Option<String>,
}

struct Indicator {
    id: String,
    read: Option<String>,
    state: &'static str,
    /// What failed, in the words of the log.
    problem: Option<String>,
}

struct Failure {
    at: String,
    problem: String,
    mail: String,
    link: String,
}

/// `/status`.
#[must_use]
pub fn page(sources: &Sources, visit: Visit, state: ServiceState) -> Html {
    let l = visit.language;
    let catalogue = sources.feeds.listed();
    let revised = sources.feeds.revised();
    let in_words = |figure: &Arc<RevisedFigure>| {
        Revised::new(figure, catalogue.measurement(&figure.table).map(|table| &**table), l)
    };
    let is_empty = sources.feeds.why_empty().is_some();
    let indicators = state.indicators.indicators.iter();
    let page = Page {
        l,
        is_ready: readiness::is_ready(&state.reasons),
        opens_at: state.closed.err().map(|closed| l.instant(closed.opens_at)),
        last_read: last_read(sources, &state).map(|at| l.instant(at)),
        last_failure: state.failed.first().map(|failed| l.instant(failed.at)),
        list_read: catalogue.read_at.map(|at| l.instant(at)),
        listed: catalogue.heads.len(),
        known: catalogue.measurements.len(),
        fresh: freshness(sources, &visit, &state),
        indicators: indicators.map(|indicator| Indicator::new(indicator, is_empty, l)).collect(),
        left_out: left_out(sources),
        failures: state.failed.iter().map(|failed| Failure::new(failed, l)).collect(),
        revised: revised.iter().take(REVISIONS).map(in_words).collect(),
        revised_count: revised.len(),
        layout: Layout::new(sources, visit, "Status".to_owned()),
        state,
    };
    Html::of(200, l, &page)
}

/// When the upstream last gave something that could be used.
fn last_read(sources: &Sources, state: &ServiceState) -> Option<DateTime<Utc>> {
    let indicators = state.indicators.indicators.iter().filter_map(|one| one.health.last_success);
    let stored = state.stored.iter().map(|(_, read)| *read);
    indicators.chain(stored).chain(sources.feeds.listed().read_at).max()
}

/// The measurements with figures in store, by their headings.
fn freshness(sources: &Sources, visit: &Visit, state: &ServiceState) -> Vec<Freshness> {
    let l = visit.language;
    let catalogue = sources.feeds.listed();
    let day = |day: NaiveDate| l.day(day);
    let mut fresh: Vec<Freshness> = state
        .stored
        .iter()
        .filter_map(|(table, read)| {
            let head = catalogue.heads.get(table)?;
            let heading = head.heading();
            Some(Freshness {
                link: visit.link(&format!("maaling/{table}"), &[]),
                topic: heading.topic,
                content: heading.content,
                newest: head.newest_period().map(|period| l.period(&period)),
                updated: head.update_latest.map(day),
                read: l.instant(*read),
                next: head.update_next.map(day),
            })
        })
        .collect();
    fresh.sort_by(|one, other| (&one.topic, &one.content).cmp(&(&other.topic, &other.content)));
    fresh
}

fn left_out(sources: &Sources) -> Vec<(String, String)> {
    let (catalogue, feed) = (sources.feeds.listed(), sources.feeds.catalogue());
    let unusable = catalogue.unusable.iter();
    let without_names = feed.left_out.iter().map(|left_out| (&left_out.table, &left_out.reason));
    unusable.chain(without_names).map(|(table, reason)| (table.to_string(), reason.clone())).collect()
}

impl Indicator {
    /// One reason for all is said once, above everything: then indicators do not repeat it.
    fn new(indicator: &IndicatorState, is_said_above: bool, l: Language) -> Self {
        let health = &indicator.health;
        let (state, problem) = match &health.last_failure {
            None if health.last_success.is_none() => (l.text("ikke hentet endnu", "not fetched yet"), None),
            None => (l.text("i orden", "in order"), None),
            Some(_) if is_said_above => (l.text("se øverst", "see above"), None),
            Some(error) => {
                let reason = health.last_reason;
                let danish = reason.map_or("fejlede", FailureReason::danish);
                (l.text(danish, reason.map_or("failed", FailureReason::english)), Some(error.clone()))
            }
        };
        let read = health.last_success.map(|at| l.instant(at));
        Self { id: indicator.definition.id.to_string(), read, state, problem }
    }
}

impl Failure {
    fn new(failed: &FailedCall, l: Language) -> Self {
        let text = failed.mail();
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        Self {
            at: l.instant(failed.at),
            problem: failed.problem.clone(),
            link: format!("mailto:{MAIL_TO}?subject={}&body={}", encoded(MAIL_SUBJECT), encoded(&text)),
            mail: format!("Emne: {MAIL_SUBJECT}\n\n{text}"),
        }
    }
}
