//! All that is new, collected from the list of tables and the log of revised figures.

use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Europe::Copenhagen;

use crate::catalogue::Catalogue;
use crate::catalogue::measurement::MeasurementHead;
use crate::catalogue::revised::RevisedFigure;
use crate::pages::Sources;
use crate::pages::error::PageError;
use crate::pages::news::changes::{self, Change};
use crate::pages::news::interest::Interest;
use crate::pages::visit::Visit;

/// How long figures count as new.
pub(super) const NEW_FOR_DAYS: i64 = 62;
/// How long a measurement that did not come on its day is still awaited.
const AWAITED_FOR: TimeDelta = TimeDelta::days(31);

/// A table with a day: on which its figures came, or on which they are awaited.
#[derive(Debug, Clone)]
pub(super) struct Dated {
    pub head: Arc<MeasurementHead>,
    pub day: NaiveDate,
}

/// All that is new.
#[derive(Debug)]
pub(super) struct News {
    pub interest: Interest,
    pub catalogue: Arc<Catalogue>,
    pub today: NaiveDate,
    /// The newest first.
    pub arrived: Vec<Dated>,
    /// The next first. A day may have passed without the figures.
    pub coming: Vec<Dated>,
}

impl News {
    pub fn of(sources: &Sources, visit: &Visit) -> Result<Self, PageError> {
        let catalogue = sources.feeds.listed();
        if catalogue.heads.is_empty() {
            return Err(PageError::no_tables());
        }
        let interest = Interest::of(&catalogue, visit)?;
        let today = sources.now.with_timezone(&Copenhagen).date_naive();
        let (mut arrived, mut coming) = (Vec::new(), Vec::new());
        for head in catalogue.heads.values().filter(|head| interest.has_table(&catalogue, head)) {
            let dated = |day| Dated { head: Arc::clone(head), day };
            let is_new = |day: &NaiveDate| *day <= today && today - *day < TimeDelta::days(NEW_FOR_DAYS);
            arrived.extend(head.update_latest.filter(is_new).map(dated));
            let is_awaited = |day: &NaiveDate| {
                today - *day < AWAITED_FOR && head.update_latest.is_none_or(|latest| latest < *day)
            };
            coming.extend(head.update_next.filter(is_awaited).map(dated));
        }
        arrived.sort_by_key(|one| std::cmp::Reverse(one.day));
        coming.sort_by_key(|one| one.day);
        Ok(Self { interest, catalogue, today, arrived, coming })
    }

    /// The changed figures that are of interest, with their tables. Those of tables that are no longer listed are left out.
    pub fn revised<'a>(
        &'a self,
        figures: &'a [Arc<RevisedFigure>],
    ) -> impl Iterator<Item = (&'a Arc<MeasurementHead>, &'a Arc<RevisedFigure>)> {
        let figures = figures.iter().filter(|figure| self.interest.has_figure(figure));
        let with_table = figures.filter_map(|figure| Some((self.catalogue.head(&figure.table)?, figure)));
        with_table.filter(|(head, _)| self.interest.has_subject(head))
    }

    /// The same by table and day, the newest first.
    pub fn changed(&self, sources: &Sources) -> Vec<Change> {
        changes::grouped(&self.catalogue, self.revised(&sources.feeds.revised()))
    }

    /// What the news are about, in words: the subject and the municipality.
    pub fn scope(&self) -> Option<String> {
        let subject = self.interest.subject.as_ref().map(|subject| subject.label.as_str());
        let municipality = self.interest.municipality.map(|one| one.name);
        let parts: Vec<&str> = subject.into_iter().chain(municipality).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}
