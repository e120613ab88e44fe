//! The service of one table.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use crate::catalogue::measurement::{Measurement, MeasurementHead};
use crate::clock;
use crate::feed::Feed;
use crate::feed::codes;
use crate::feed::figure_columns::label_or_id;
use crate::feed::figure_sets::NamedMeasurement;
use crate::feed::listing::Listing;
use crate::feed::naming;
use crate::feed::origin::{CATALOG, LANGUAGE, Origin};
use crate::feed::registry::NameRegistry;
use crate::feed::set_definition::{SetDefinition, assemble};
use crate::feed::set_names::{CUBE, OVERVIEW};

/// A measurement as a service of its own. `head` is its entry in the list of tables, if it is listed.
#[must_use]
pub fn table_feed(
    measurement: &Arc<Measurement>,
    head: Option<&MeasurementHead>,
    origin: &Origin,
    names: &mut NameRegistry,
) -> Feed {
    let named = NamedMeasurement::new(measurement, head, names);
    let title = named.heading.of("hovedtal");
    let mut definitions = vec![named.overview(OVERVIEW.to_owned(), title)];
    definitions.extend(named.levels());
    definitions.extend(named.breakdowns());
    definitions.push(named.cube(CUBE.to_owned()));
    definitions.push(named.observations());
    definitions.extend(codes::lists(&named));
    definitions.push(properties(measurement, head, origin));
    let namespace = format!("Jobindsats.{}", naming::table_name(measurement.id.as_str()));
    let title = named.heading.to_string();
    let feed = assemble(namespace, origin.describe_feed(&title), definitions);
    Feed { former: named.former, ..feed }
}

/// The instant at which figures of that day were published: the day's first instant in Copenhagen, because the upstream gives no
/// time.
pub(super) fn published(day: Option<NaiveDate>) -> Option<DateTime<Utc>> {
    day.map(clock::start_of_day)
}

/// What a table shows, and what readers must know of its figures.
pub(super) fn described(origin: &Origin, head: &MeasurementHead) -> String {
    let description = origin.describe(label_or_id(&head.title, head.id.as_str()));
    match head.caveats.sentences() {
        Some(caveats) => format!("{description} {caveats}"),
        None => description,
    }
}

fn properties(measurement: &Measurement, head: Option<&MeasurementHead>, origin: &Origin) -> SetDefinition {
    let title = label_or_id(&measurement.title, measurement.id.as_str());
    let description = head.map_or_else(|| origin.describe(title), |head| described(origin, head));
    let row = (measurement, head);
    let mut definition = Listing::of(&[row])
        .key("Identifier", "Målingens id.", |(measurement, _)| measurement.id.as_str())
        .text("Title", "Målingens titel.", |_| title)
        .text("Description", "Hvad målingen viser.", |_| &description)
        .text("Language", "Sprog.", |_| LANGUAGE)
        .text("Catalog", "Katalog.", |_| CATALOG)
        .text("Source", "Hvor tallene kommer fra.", |_| origin.source())
        .text("Origin", "Navnet på den kilde, som broen henter fra.", |_| &origin.name)
        .optional_text("Subject", "Emne.", |(_, head)| head.map(|head| head.subject.as_str()))
        .optional_text("Group", "Gruppe af målinger.", |(_, head)| head.map(|head| head.group.as_str()))
        .optional_instant("Modified", "Hvornår målingen sidst blev opdateret.", |(_, head)| {
            published(head.and_then(|head| head.update_latest))
        })
        .optional_date("NextUpdate", "Hvornår målingen ventes opdateret.", |(_, head)| {
            head.and_then(|head| head.update_next)
        })
        .optional_text("UpdateFrequency", "Hvor ofte målingen opdateres.", |(_, head)| {
            head.and_then(|head| head.update_frequency.as_deref())
        })
        .optional_text("Page", "Målingens side hos Jobindsats.", |(_, head)| {
            head.and_then(|head| head.page_url.as_deref())
        })
        .definition("Properties", "Om målingen", "Målingens titel, kilde og opdateringer.");
    definition.singleton = true;
    definition
}
