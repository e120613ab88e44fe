//! `/status`: the state of the service.

use std::fmt::Write as _;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use chrono_tz::Europe::Copenhagen;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::catalogue::revised::{self, RevisedFigure};
use crate::catalogue::value::Figure;
use crate::error::DescribeError;
use crate::observe::reports::{MAIL_SUBJECT, MAIL_TO};
use crate::observe::upstream_observer::{FailedCall, FailureReason};
use crate::refresh::sync::keeper::CatalogueError;
use crate::upstream::error::UpstreamError;
use crate::web::state::AppState;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:56rem;padding:0 1rem;color:#1a1a1a}\
    code,input{font:inherit;font-family:ui-monospace,monospace;background:#f3f3f0;padding:.1rem .3rem}\
    .banner{background:#fff4ce;border-left:.3rem solid #c90;padding:.5rem 1rem}\
    pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f3f3f0;padding:.5rem}\
    table{border-collapse:collapse}td,th{text-align:left;padding:.2rem 1rem .2rem 0;border-bottom:1px solid #ddd;vertical-align:top}\
    .day{white-space:nowrap}";

/// How many revised figures `/status` shows.
const SHOWN_REVISIONS: usize = 20;

/// `/status`: the state of the service.
pub async fn page(state: web::Data<AppState>) -> HttpResponse {
    let catalogue = state.catalogue.current();
    let size = state.store.size();
    let ahead = state.ahead.progress();
    let read_at = instant(catalogue.read_at);
    let mut body = format!(
        "<table><tr><td>Listen over målinger læst</td><td>{read_at}</td></tr>\
         <tr><td>Målinger på listen</td><td>{}</td></tr><tr><td>Målinger læst</td><td>{}</td></tr>\
         <tr><td>Celler i hukommelsen</td><td>{} blokke, {} kB</td></tr>\
         <tr><td>Celler på disk</td><td>{} blokke, {} kB{}</td></tr>\
         <tr><td>Udtræk i daglig brug</td><td>{} er klar, {} mangler; {} læst på forhånd i dag</td></tr></table>\
         <h2>Nøgletal</h2><table><tr><th>Nøgletal</th><th>Sidst læst</th><th>Tilstand</th></tr>",
        catalogue.heads.len(),
        catalogue.measurements.len(),
        size.blocks,
        size.bytes / 1024,
        size.disk_blocks,
        size.disk_bytes / 1024,
        state
            .store
            .problem()
            .map(|problem| format!("; der kan ikke skrives: <code lang=\"en\">{}</code>", escape(&problem)))
            .unwrap_or_default(),
        ahead.ready,
        ahead.left,
        ahead.read,
    );
    // One reason for all is said once, at the top.
    let is_empty = state.catalogue.why_empty().is_some();
    for indicator in &state.indicators.published().snapshot.indicators {
        let health = &indicator.health;
        let last = instant(health.last_success);
        let how = match &health.last_failure {
            None if health.last_success.is_none() => "ikke læst endnu".to_owned(),
            None => "i orden".to_owned(),
            Some(_) if is_empty => "se øverst".to_owned(),
            Some(error) => {
                let reason = health.last_reason.map_or("fejlede", FailureReason::danish);
                format!("{reason}: <code lang=\"en\">{}</code>", escape(error))
            }
        };
        let _ = write!(
            body,
            "<tr><td>{}</td><td>{last}</td><td>{how}</td></tr>",
            escape(indicator.definition.id.as_str())
        );
    }
    body.push_str("</table>");
    left_out(&mut body, &state);
    body.push_str(&failures(&state.reports.newest_first()));
    revised_figures(&mut body, &state);
    framed(&state, "Status", &body)
}

/// Tables that cannot be read here, each with its reason.
fn left_out(body: &mut String, state: &AppState) {
    let feed = state.feeds.catalogue();
    let catalogue = state.catalogue.current();
    let unusable = catalogue.unusable.iter();
    let described = feed.left_out.iter().map(|left_out| (&left_out.table, &left_out.reason));
    let rows: Vec<_> = unusable.chain(described).collect();
    if rows.is_empty() {
        return;
    }
    body.push_str(
        "<h2>Udeladte målinger</h2><p>Jobindsats beskriver dem på en måde, der ikke kan bruges; de andre målinger er ikke berørt.</p>\
         <table><tr><th>Tabel</th><th>Grund</th></tr>",
    );
    for (table, reason) in rows {
        let _ = write!(
            body,
            "<tr><td>{}</td><td><code lang=\"en\">{}</code></td></tr>",
            escape(table.as_str()),
            escape(reason)
        );
    }
    body.push_str("</table>");
}

/// The latest revised figures.
fn revised_figures(body: &mut String, state: &AppState) {
    let figures = state.revisions.figures();
    let _ = write!(
        body,
        "<h2>Ændrede tal</h2><p>{} tal er ændret, efter at de var hentet; alle står i <a href=\"odata/Revisions\">Revisions</a>.</p>\
         <table><tr><th>Konstateret</th><th>Tabel</th><th>Periode</th><th>Område</th><th>Opdeling</th><th>Mål</th><th>Før</th><th>Nu</th></tr>",
        figures.len()
    );
    let catalogue = state.catalogue.current();
    let members = |figure: &RevisedFigure| {
        let members = figure.members.as_deref().unwrap_or_default();
        let measurement = catalogue.measurement(&figure.table);
        revised::in_words(members, measurement.map(|table| &**table))
    };
    let shown = |figure: Figure| figure.map_or_else(|| "–".to_owned(), |figure| figure.to_string());
    for figure in figures.iter().take(SHOWN_REVISIONS) {
        let _ = write!(
            body,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            instant(Some(figure.seen_at)),
            escape(&figure.table),
            escape(&figure.period),
            escape(figure.area.as_deref().unwrap_or_default()),
            escape(&members(figure)),
            escape(&figure.measure),
            shown(figure.before),
            shown(figure.after),
        );
    }
    body.push_str("</table>");
}

/// The latest failed calls to the upstream, with a mail to the agency for each.
fn failures(reports: &[FailedCall]) -> String {
    let mut text = "<h2>Fejl hos Jobindsats</h2>".to_owned();
    if reports.is_empty() {
        text.push_str("<p>Ingen siden start.</p>");
    }
    for report in reports {
        let mail = report.mail();
        let parameter = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let _ = write!(
            text,
            "<details><summary>{at} <code lang=\"en\">{problem}</code></summary><pre>{mail_text}</pre>\
             <p><a href=\"mailto:{MAIL_TO}?subject={subject}&amp;body={body}\">Send til Jobindsats</a></p></details>",
            at = instant(Some(report.at)),
            problem = escape(&report.problem),
            mail_text = escape(&format!("Emne: {MAIL_SUBJECT}\n\n{mail}")),
            subject = parameter(MAIL_SUBJECT),
            body = parameter(&mail),
        );
    }
    text
}

/// Why there is nothing to show yet, in a sentence, if the upstream is the reason.
fn trouble(state: &AppState) -> String {
    let why = state.catalogue.why_empty();
    let why = why.as_ref().and_then(CatalogueError::upstream).map(UpstreamError::describe);
    why.map_or_else(String::new, |why| format!("<p class=\"banner\">{}</p>", escape(&why.danish)))
}

fn framed(state: &AppState, title: &str, body: &str) -> HttpResponse {
    let trouble = trouble(state);
    let origin = state.feeds.origin();
    let banner = if origin.is_simulator {
        "<p class=\"banner\">Tallene kommer fra en indbygget simulator: offentliggjorte tal, hvor de kendes, ellers opdigtede. \
         Sæt organisationens nøgle i JOBINDSATS_API_KEY for at få rigtige tal.</p>"
    } else {
        ""
    };
    let html = format!(
        "<!doctype html><html lang=\"da\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>{banner}{trouble}{body}\
         <p>Kilde: Jobindsats.dk, Styrelsen for Arbejdsmarked og Rekruttering.</p></body></html>"
    );
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header(("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"))
        .body(html)
}

/// An instant in Danish local time, to the minute.
fn instant(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(
        || "aldrig".to_owned(),
        |at| at.with_timezone(&Copenhagen).format("%Y-%m-%d %H:%M").to_string(),
    )
}

fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
