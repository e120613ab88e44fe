//! The workbook of a request: reads the rows of its choices, and writes the file on a blocking thread.

use arrow_array::RecordBatch;
use chrono::{DateTime, Utc};
use chrono_tz::Europe::Copenhagen;

use super::choice::{Chosen, Opener};
use crate::answer::error::BridgeError;
use crate::budget::answers::Held;
use crate::catalogue::measure::NotAdditive;
use crate::error::DescribeError;
use crate::open::OpenError;
use crate::open::project::Figure;
use crate::open::workbook::{self, Sheet};
use crate::query::BoundQuery;
use crate::store::block::Revision;
use crate::web::body::off_thread;
use crate::web::download;

/// How many cells a workbook may have, all sheets together: what a small computer opens, and what is held in memory while it is made.
const MAX_CELLS: u64 = 3_000_000;

/// The rows of a choice, of which revision they are, and when they came from the upstream.
struct Rows {
    batches: Vec<RecordBatch>,
    /// Their memory.
    held: Vec<Held>,
    revision: Option<Revision>,
    fetched_at: Option<DateTime<Utc>>,
}

impl Opener<'_> {
    /// A workbook with a sheet for each choice.
    pub(super) async fn workbook(&self, chosen: Vec<Chosen>) -> Result<Vec<u8>, BridgeError> {
        let (mut sheets, mut held) = (Vec::new(), Vec::new());
        let mut cells = MAX_CELLS;
        let mut made = DateTime::UNIX_EPOCH;
        for chosen in chosen {
            let columns = u64::try_from(chosen.choice.columns.len().max(1)).unwrap_or(u64::MAX);
            let limit = (cells / columns).min(workbook::MAX_ROWS as u64);
            let rows = read(&chosen, limit).await.map_err(|error| without_room(error, limit))?;
            let count: usize = rows.batches.iter().map(RecordBatch::num_rows).sum();
            cells = cells.saturating_sub(columns * count as u64);
            made = made.max(rows.fetched_at.unwrap_or(DateTime::UNIX_EPOCH));
            let facts = self.facts(&chosen, &rows, count);
            held.extend(rows.held);
            let Chosen { choice, figures, .. } = chosen;
            sheets.push(Sheet { choice, figures, facts, rows: rows.batches });
        }
        let write = move || {
            let written = workbook::workbook(&sheets, made);
            drop(held);
            Ok(written?)
        };
        off_thread(write).await
    }

    /// What the workbook says of where a choice comes from.
    fn facts(&self, chosen: &Chosen, rows: &Rows, count: usize) -> Vec<(String, String)> {
        let choice = &chosen.choice;
        let options = choice
            .options
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" & ");
        let mut facts = vec![
            ("Måling", choice.table.clone()),
            ("Udtræk", if options.is_empty() { format!("{}: alle rækker", choice.set) } else { format!("{}: {options}", choice.set) }),
            ("Findes ikke", unknown_members(&chosen.query)),
            ("Rækker", count.to_string()),
            ("Revision", rows.revision.map(in_words).unwrap_or_default()),
            ("Hentet", rows.fetched_at.map(clock_time).unwrap_or_default()),
            ("Om tallene", chosen.description.clone()),
            ("Må ikke lægges sammen", not_additive(&chosen.figures)),
            ("Diskretionerede tal", "Grå, tomme felter er tal, der er diskretioneret eller ikke offentliggjort; de er ikke nul.".to_owned()),
            ("Adresse", address(chosen)),
            ("Opdatér", "Data > Opdater alle henter tallene igen fra adressen. Første gang: vælg Anonym, hvis du bliver spurgt.".to_owned()),
        ];
        facts.retain(|(_, value)| !value.is_empty());
        facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// What the conditions name that does not exist, one sentence for each.
fn unknown_members(query: &BoundQuery) -> String {
    query
        .unknown_members
        .iter()
        .map(|unknown| unknown.error().describe().danish)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A revision for readers: the day of the figures, and when one of them was first seen to change since.
fn in_words(revision: Revision) -> String {
    let day = revision.update_latest.map(|day| format!("tal opdateret {}", day.format("%d.%m.%Y")));
    let changed = revision.changed_at.map(|at| format!("ændring konstateret {}", clock_time(at)));
    let parts: Vec<String> = day.into_iter().chain(changed).collect();
    if parts.is_empty() { "ingen dag oplyst".to_owned() } else { parts.join(", ") }
}

/// A time on the clock of Copenhagen.
fn clock_time(at: DateTime<Utc>) -> String {
    at.with_timezone(&Copenhagen).format("%d.%m.%Y kl. %H:%M").to_string()
}

/// Why the figures may not be summed, for all that it is so for the same reason.
fn not_additive(figures: &[Figure]) -> String {
    let mut reasons: Vec<NotAdditive> = Vec::new();
    for figure in figures {
        if !reasons.contains(&figure.not_additive) {
            reasons.push(figure.not_additive);
        }
    }
    let of_all = |reason: &NotAdditive| {
        let titles = figures.iter().filter(|figure| figure.not_additive == *reason);
        let titles: Vec<&str> = titles.map(|figure| figure.title.as_str()).collect();
        format!("{}: {}", titles.join(", "), reason.danish())
    };
    match reasons.as_slice() {
        [] => NotAdditive::Unknown.danish(),
        [only] => only.danish(),
        several => several.iter().map(of_all).collect::<Vec<_>>().join(" "),
    }
}

/// The address that gives the same figures again.
fn address(chosen: &Chosen) -> String {
    let options = chosen.source.options.as_str();
    let mark = if options.is_empty() { "" } else { "?" };
    format!("{}{}{mark}{options}", chosen.choice.service, chosen.choice.set)
}

async fn read(chosen: &Chosen, limit: u64) -> Result<Rows, BridgeError> {
    let source = chosen.source.clone().limited_to(limit);
    let shown = chosen.query.shown(chosen.query.result(&source.feed));
    let mut rows = Rows { batches: Vec::new(), held: Vec::new(), revision: None, fetched_at: None };
    let mut token = None;
    loop {
        let (_, page) = source.page(token, |_| Ok(())).await?;
        rows.revision = rows.revision.or(page.provenance.revision);
        rows.fetched_at = page.provenance.fetched_at.into_iter().chain(rows.fetched_at).min();
        if let Some(frame) = page.rows {
            rows.batches.push(download::columns_of(&frame, &shown)?);
            rows.held.extend(frame.held);
        }
        match page.next {
            Some(next) => token = Some(next.encode()),
            None => return Ok(rows),
        }
    }
}

/// Says of a choice with too many rows which files have room for it.
fn without_room(error: BridgeError, limit: u64) -> BridgeError {
    match error {
        BridgeError::TooManyRows { bound, limit: found } if found == limit => {
            OpenError::TooManyRows { rows: bound, most: limit }.into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate};

    use super::in_words;
    use crate::store::block::Revision;

    #[test]
    fn a_revision_says_what_is_known_of_it_or_that_nothing_is() {
        let update_latest = NaiveDate::from_ymd_opt(2026, 8, 14);
        let changed_at = Some(DateTime::UNIX_EPOCH);
        let words = |update_latest, changed_at| in_words(Revision { update_latest, changed_at });
        assert_eq!(words(update_latest, None), "tal opdateret 14.08.2026");
        let both = "tal opdateret 14.08.2026, ændring konstateret 01.01.1970 kl. 01:00";
        assert_eq!(words(update_latest, changed_at), both);
        assert_eq!(words(None, None), "ingen dag oplyst");
    }
}
