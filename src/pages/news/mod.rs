//! `/nyt`: figures that came, figures of old periods that were changed, and what comes next; for everybody, or for a municipality and a
//! subject. As a page, as an Atom feed and as a calendar of the coming days.

mod calendar;
mod changes;
mod feed;
mod page;

use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Europe::Copenhagen;

pub use self::calendar::calendar;
pub use self::feed::feed;
pub use self::page::page;
use crate::catalogue::Catalogue;
use crate::catalogue::area::AreaKind;
use crate::catalogue::measurement::{MeasurementHead, Subject};
use crate::catalogue::revised::RevisedFigure;
use crate::error::closest;
use crate::pages::Sources;
use crate::pages::error::PageError;
use crate::pages::municipality::Municipality;
use crate::pages::news::changes::Change;
use crate::pages::visit::Visit;
use crate::search::folded;

/// The option with the subject.
const SUBJECT: &str = "emne";
/// How long figures count as new.
const NEW_FOR: TimeDelta = TimeDelta::days(62);
/// How long a measurement that did not come on its day is still awaited.
const AWAITED_FOR: TimeDelta = TimeDelta::days(31);

/// What somebody wants to hear of.
#[derive(Debug, Clone)]
struct Interest {
    municipality: Option<&'static Municipality>,
    subject: Option<Subject>,
}

/// A table with a day: on which its figures came, or on which they are awaited.
#[derive(Debug, Clone)]
struct Dated {
    head: Arc<MeasurementHead>,
    day: NaiveDate,
}

/// All that is new.
#[derive(Debug)]
struct News {
    interest: Interest,
    catalogue: Arc<Catalogue>,
    today: NaiveDate,
    /// The newest first.
    arrived: Vec<Dated>,
    /// The newest first.
    changed: Vec<Change>,
    /// The next first. A day may have passed without the figures.
    coming: Vec<Dated>,
}

impl Interest {
    fn of(catalogue: &Catalogue, visit: &Visit) -> Result<Self, PageError> {
        let municipality = visit.municipality()?;
        let Some(named) = visit.option(SUBJECT) else { return Ok(Self { municipality, subject: None }) };
        let wanted = folded(named);
        let subjects = subjects(catalogue);
        let found = subjects.iter().find(|one| folded(&one.id) == wanted || folded(&one.label) == wanted);
        match found {
            Some(subject) => Ok(Self { municipality, subject: Some((*subject).clone()) }),
            None => {
                let nearest = closest(named, subjects.iter().map(|one| one.label.as_str()));
                Err(PageError::subject(named, nearest))
            }
        }
    }

    /// The same text for the same interest, in both languages.
    fn identity(&self) -> String {
        let municipality = self.municipality.map_or("", |one| one.code);
        format!("{municipality}|{}", self.subject.as_ref().map_or("", |subject| &subject.id))
    }

    /// Whether a table is of the subject and has figures of the municipality. One that has not been read may have some.
    fn has_table(&self, catalogue: &Catalogue, head: &MeasurementHead) -> bool {
        let is_of_subject = self.subject.as_ref().is_none_or(|subject| subject.lists(head));
        let has_figures = |municipality: &Municipality| {
            let Some(measurement) = catalogue.measurements.get(&head.id) else { return true };
            let areas = measurement.area().map(|area| measurement.dimensions[area].members.as_slice());
            areas.is_some_and(|areas| areas.iter().any(|area| is_called(municipality, &area.label)))
        };
        is_of_subject && self.municipality.is_none_or(has_figures)
    }

    /// Whether a changed figure is one of the municipality.
    fn has_figure(&self, figure: &RevisedFigure) -> bool {
        let is_there =
            |municipality| figure.area.as_deref().is_some_and(|area| is_called(municipality, area));
        self.municipality.is_none_or(is_there)
    }
}

fn is_called(municipality: &Municipality, area: &str) -> bool {
    AreaKind::Municipality.code(area) == Some(municipality.code)
}

/// The subjects that have tables, each once.
fn subjects(catalogue: &Catalogue) -> Vec<&Subject> {
    let mut subjects: Vec<&Subject> = Vec::new();
    for subject in &catalogue.subjects {
        let has_tables = catalogue.heads.values().any(|head| subject.lists(head));
        if has_tables && subjects.iter().all(|other| other.id != subject.id) {
            subjects.push(subject);
        }
    }
    subjects
}

impl News {
    fn of(sources: &Sources, visit: &Visit) -> Result<Self, PageError> {
        let catalogue = sources.catalogue.current();
        if catalogue.heads.is_empty() {
            return Err(PageError::no_tables());
        }
        let interest = Interest::of(&catalogue, visit)?;
        let today = sources.now.with_timezone(&Copenhagen).date_naive();
        let heads = catalogue.heads.values().filter(|head| interest.has_table(&catalogue, head));
        let (mut arrived, mut coming) = (Vec::new(), Vec::new());
        for head in heads {
            let dated = |day| Dated { head: Arc::clone(head), day };
            let is_new = |day: &NaiveDate| *day <= today && today - *day < NEW_FOR;
            arrived.extend(head.update_latest.filter(is_new).map(dated));
            let is_awaited = |day: &NaiveDate| {
                today - *day < AWAITED_FOR && head.update_latest.is_none_or(|latest| latest < *day)
            };
            coming.extend(head.update_next.filter(is_awaited).map(dated));
        }
        arrived.sort_by_key(|one| std::cmp::Reverse(one.day));
        coming.sort_by_key(|one| one.day);
        let figures = sources.revisions.figures();
        let changed = changes::grouped(&catalogue, &interest, &figures);
        Ok(Self { interest, catalogue, today, arrived, changed, coming })
    }

    /// What is told, in words: the subject and the municipality.
    fn scope(&self) -> Option<String> {
        let subject = self.interest.subject.as_ref().map(|subject| subject.label.as_str());
        let municipality = self.interest.municipality.map(|one| one.name);
        let parts: Vec<&str> = subject.into_iter().chain(municipality).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}
