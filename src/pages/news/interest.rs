//! What somebody wants to hear of: all, or what is of a municipality and a subject.

use crate::catalogue::Catalogue;
use crate::catalogue::area::AreaKind;
use crate::catalogue::measurement::{MeasurementHead, Subject};
use crate::catalogue::revised::RevisedFigure;
use crate::error::closest;
use crate::pages::error::PageError;
use crate::pages::municipality::Municipality;
use crate::pages::visit::Visit;
use crate::search::folded;

/// The option with the subject.
pub(super) const SUBJECT: &str = "emne";

/// What somebody wants to hear of.
#[derive(Debug, Clone)]
pub(super) struct Interest {
    pub municipality: Option<&'static Municipality>,
    pub subject: Option<Subject>,
}

impl Interest {
    pub fn of(catalogue: &Catalogue, visit: &Visit) -> Result<Self, PageError> {
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
    pub fn identity(&self) -> String {
        let municipality = self.municipality.map_or("", |one| one.code);
        format!("{municipality}|{}", self.subject.as_ref().map_or("", |subject| &subject.id))
    }

    /// Whether a table is of the subject and has figures of the municipality. One that has not been read may have some.
    pub fn has_table(&self, catalogue: &Catalogue, head: &MeasurementHead) -> bool {
        let has_figures = |municipality: &Municipality| {
            let Some(measurement) = catalogue.measurements.get(&head.id) else { return true };
            let areas = measurement.area().map(|area| measurement.dimensions[area].members.as_slice());
            areas.is_some_and(|areas| areas.iter().any(|area| is_called(municipality, &area.label)))
        };
        self.has_subject(head) && self.municipality.is_none_or(has_figures)
    }

    /// Whether a table is of the subject.
    pub fn has_subject(&self, head: &MeasurementHead) -> bool {
        self.subject.as_ref().is_none_or(|subject| subject.lists(head))
    }

    /// Whether a changed figure is one of the municipality.
    pub fn has_figure(&self, figure: &RevisedFigure) -> bool {
        let is_there =
            |municipality| figure.area.as_deref().is_some_and(|area| is_called(municipality, area));
        self.municipality.is_none_or(is_there)
    }
}

fn is_called(municipality: &Municipality, area: &str) -> bool {
    AreaKind::Municipality.code(area) == Some(municipality.code)
}

/// The subjects that have tables, each once.
pub(super) fn subjects(catalogue: &Catalogue) -> Vec<&Subject> {
    let mut subjects: Vec<&Subject> = Vec::new();
    for subject in &catalogue.subjects {
        let has_tables = catalogue.heads.values().any(|head| subject.lists(head));
        if has_tables && subjects.iter().all(|other| other.id != subject.id) {
            subjects.push(subject);
        }
    }
    subjects
}
