//! The catalogue service `/odata/jobindsats`: lists of the tables, and one wide set per table that has been read.

use std::collections::HashSet;
use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::catalogue::area;
use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::{Measurement, MeasurementHead, Subject};
use crate::catalogue::period::{Period, PeriodKind};
use crate::catalogue::revised::RevisedFigure;
use crate::catalogue::value::RowStatus;
use crate::feed::figure_columns::label_or_id;
use crate::feed::figure_sets::NamedMeasurement;
use crate::feed::listing::Listing;
use crate::feed::origin::{CATALOG, LANGUAGE, Origin};
use crate::feed::registry::NameRegistry;
use crate::feed::set_definition::{SetDefinition, assemble};
use crate::feed::table_feed::{described, published};
use crate::feed::{Feed, LeftOut};
use crate::search::SearchIndex;

/// The list of all tables.
pub const DATASETS: &str = "Datasets";

/// The catalogue as a service.
#[must_use]
pub fn catalogue_feed(
    catalogue: &Catalogue,
    revised: &[Arc<RevisedFigure>],
    origin: &Origin,
    names: &mut NameRegistry,
) -> Feed {
    let (mut tables, mut left_out) = (Vec::new(), Vec::new());
    for measurement in catalogue.measurements.values() {
        let definition = table(catalogue, measurement, names);
        // One set that cannot be described would make the metadata of all of them invalid.
        match definition.check() {
            Ok(()) => tables.push(definition),
            Err(error) => left_out.push(LeftOut { table: measurement.id.clone(), reason: error.to_string() }),
        }
    }
    let mut definitions = vec![
        datasets(catalogue, &tables, origin),
        catalogs(origin),
        subjects(&catalogue.subjects),
        status_codes(),
        revisions(revised),
        areas(),
        periods(catalogue),
    ];
    let former = tables.iter().filter_map(|table| {
        let id = MeasurementId::from(table.alias.as_deref()?);
        Some((names.former_table(&id)?.to_owned(), table.name.clone()))
    });
    let former = former.collect();
    definitions.extend(tables);
    let description = origin.describe_feed("Tal om det danske arbejdsmarked");
    let mut feed = Feed { left_out, former, ..assemble("Jobindsats".to_owned(), description, definitions) };
    if let Some(datasets) = feed.sets.iter_mut().find(|set| set.name == DATASETS) {
        datasets.index = Some(Arc::new(SearchIndex::new(catalogue)));
    }
    feed
}

/// A table's set `Hovedtal`, here named after the table.
fn table(catalogue: &Catalogue, measurement: &Arc<Measurement>, names: &mut NameRegistry) -> SetDefinition {
    let head = catalogue.heads.get(&measurement.id).map(|head| &**head);
    let subject = head.map_or("", |head| head.subject.as_str());
    let name = names.name_table(&measurement.id, subject, &measurement.title);
    let named = NamedMeasurement::new(measurement, head, names);
    let title = format!("{} {}", measurement.id.as_str().to_uppercase(), named.heading.of("hovedtal"));
    let mut definition = named.overview(name, title);
    definition.alias = Some(measurement.id.to_string());
    definition
}

struct Dataset<'a> {
    head: &'a MeasurementHead,
    description: String,
    period_types: String,
    address: String,
    set: Option<&'a str>,
    breaks: Option<String>,
}

impl<'a> Dataset<'a> {
    fn new(head: &'a MeasurementHead, tables: &'a [SetDefinition], origin: &Origin) -> Self {
        let types: Vec<_> = head.period_types.iter().map(|(id, ..)| id.as_str()).collect();
        let set = tables.iter().find(|table| table.alias.as_deref() == Some(head.id.as_str()));
        Self {
            head,
            description: described(origin, head),
            period_types: types.join(", "),
            address: format!("{CATALOG}/{}/", head.id),
            set: set.map(|table| table.name.as_str()),
            breaks: head.caveats.break_texts(),
        }
    }

    /// First and last period of the shortest type, which is the type of the wide sets.
    fn periods(&'a self) -> Option<(&'a str, &'a str)> {
        let types = self.head.period_types.iter();
        let (_, first, last) = types.min_by_key(|(id, ..)| PeriodKind::of(id.as_str()))?;
        Some((first, last))
    }
}

fn datasets(catalogue: &Catalogue, tables: &[SetDefinition], origin: &Origin) -> SetDefinition {
    let rows: Vec<_> = catalogue.heads.values().map(|head| Dataset::new(head, tables, origin)).collect();
    Listing::of(&rows)
        .key("Identifier", "Målingens id.", |row| row.head.id.as_str())
        .text("Title", "Målingens titel.", |row| label_or_id(&row.head.title, row.head.id.as_str()))
        .text("Catalog", "Katalog.", |_| CATALOG)
        .text("Description", "Hvad målingen viser.", |row| &row.description)
        .optional_instant("Modified", "Hvornår målingen sidst blev opdateret.", |row| {
            published(row.head.update_latest)
        })
        .optional_instant("ObservationsModified", "Hvornår tallene sidst blev opdateret.", |row| {
            published(row.head.update_latest)
        })
        .optional_count("ObservationCount", "Antal tal; tom, så længe det ikke er kendt.", |_| None)
        .text("Subject", "Emne.", |row| &row.head.subject)
        .optional_text("SubjectId", "Emnets id; se Subjects.", |row| row.head.subject_id.as_deref())
        .text("Group", "Gruppe af målinger.", |row| &row.head.group)
        .text("PeriodTypes", "Målingens periodetyper.", |row| &row.period_types)
        .optional_text("FirstPeriod", "Første periode af den korteste type.", |row| {
            row.periods().map(|(first, _)| first)
        })
        .optional_text("LastPeriod", "Seneste periode af den korteste type.", |row| {
            row.periods().map(|(_, last)| last)
        })
        .optional_date("NextUpdate", "Hvornår målingen ventes opdateret.", |row| row.head.update_next)
        .optional_text("UpdateFrequency", "Hvor ofte målingen opdateres.", |row| {
            row.head.update_frequency.as_deref()
        })
        .optional_text("Floor", "Hvad målingens mindste tal står for, hvor det er et interval.", |row| {
            row.head.caveats.floor.as_deref()
        })
        .optional_text("Breaks", "Databrud: dag og årsag.", |row| row.breaks.as_deref())
        .text("Address", "Adressen på målingens egen tjeneste, regnet fra denne.", |row| &row.address)
        .flag("Read", "Om målingen er læst og kan hentes her.", |row| row.set.is_some())
        .optional_text("Set", "Målingens sæt i denne tjeneste.", |row| row.set)
        .optional_text("Page", "Målingens side hos Jobindsats.", |row| row.head.page_url.as_deref())
        .definition(DATASETS, "Målinger", "Alle målinger hos Jobindsats, også dem, der endnu ikke er læst.")
}

fn catalogs(origin: &Origin) -> SetDefinition {
    let description = origin.describe("Tal om det danske arbejdsmarked");
    Listing::of(&[CATALOG])
        .key("Identifier", "Katalogets id.", |id| id)
        .text("Title", "Katalogets titel.", |_| "Jobindsats")
        .text("Description", "Hvad kataloget er.", |_| &description)
        .text("Publisher", "Hvor tallene kommer fra.", |_| origin.source())
        .text("Origin", "Navnet på den kilde, som broen henter fra.", |_| &origin.name)
        .text("Language", "Sprog.", |_| LANGUAGE)
        .definition("Catalogs", "Kataloger", "Kataloger i denne tjeneste.")
}

fn subjects(subjects: &[Subject]) -> SetDefinition {
    let mut seen = HashSet::new();
    let rows: Vec<_> = subjects.iter().filter(|subject| seen.insert(&subject.id)).collect();
    Listing::of(&rows)
        .key("Identifier", "Emnets id.", |subject| &subject.id)
        .text("Title", "Emnets titel.", |subject| label_or_id(&subject.label, &subject.id))
        .text("Group", "Overskriften, som emnet står under.", |subject| &subject.group)
        .definition("Subjects", "Emner", "Emnerne i menuen på Jobindsats.dk.")
}

/// The areas to relate measurements on: their ids differ from table to table, their official codes do not.
fn areas() -> SetDefinition {
    Listing::of(area::official_places())
        .key("Områdekode", "Officiel kode: 000, regionens fire cifre eller kommunens tre.", |place| place.code)
        .text("Område", "Områdets navn.", |place| place.name)
        .text("Områdeniveau", "Land, Region eller Kommune.", |place| place.kind.label().unwrap_or_default())
        .optional_text("Regionskode", "Koden for regionen, som området er eller ligger i.", |place| place.region)
        .optional_text("Region", "Regionen, som området er eller ligger i.", |place| place.region_name())
        .definition(
            "Områder",
            "Områder",
            "Ét område pr. række: landet, regionerne og kommunerne. Saml flere målinger på Områdekode; Område_id er ikke den \
             samme i alle målinger.",
        )
}

/// The periods to relate measurements on: those of all tables, newest first.
fn periods(catalogue: &Catalogue) -> SetDefinition {
    let listed = catalogue.heads.values().flat_map(|head| &head.period_types);
    let listed = listed.flat_map(|(type_id, first, last)| Period::between(type_id, first, last));
    let read = catalogue.measurements.values().flat_map(|measurement| measurement.periods.iter().cloned());
    let mut rows: Vec<Period> = listed.chain(read).collect();
    rows.sort_by_cached_key(Period::newest_first);
    let mut seen = HashSet::new();
    rows.retain(|period| seen.insert(period.id.clone()));
    let rows: Vec<(Period, String)> =
        rows.into_iter().map(|period| (period.clone(), period.label())).collect();
    Listing::of(&rows)
        .key("Periode", "Periodens kode, som i de brede sæt.", |(period, _)| period.id.as_str())
        .text("Periodetype", "M er måned, Q kvartal, Y år, QMAT rullende år, MYTD år til dato.", |(period, _)| {
            period.type_id.as_str()
        })
        .optional_date("Fra", "Periodens første dag.", |(period, _)| period.first_day())
        .optional_date("Til", "Periodens sidste dag.", |(period, _)| period.last_day())
        .optional_number("År", "Året, som perioden ligger i eller slutter i.", |(period, _)| period.year())
        .optional_number("Kvartal", "Kvartalet, som perioden er, ligger i eller slutter med.", |(period, _)| {
            period.quarter()
        })
        .optional_number("Måned", "Måneden, som perioden er eller slutter med.", |(period, _)| period.month())
        .text("Periodenavn", "Perioden som tekst.", |(_, label)| label)
        .definition(
            "Perioder",
            "Perioder",
            "Én periode pr. række, for alle målinger, nyeste først i hver periodetype. Saml flere målinger på Periode.",
        )
}

fn status_codes() -> SetDefinition {
    let statuses = [
        (
            RowStatus::Partial,
            "Delvis",
            "Nogle af rækkens tal er ikke offentliggjort: diskretioneret eller endnu ikke opgjort.",
        ),
        (
            RowStatus::Missing,
            "Mangler",
            "Ingen af rækkens tal er offentliggjort: diskretioneret eller endnu ikke opgjort.",
        ),
    ];
    let rows: Vec<_> = statuses
        .iter()
        .filter_map(|(status, title, description)| Some((status.code()?, *title, *description)))
        .collect();
    Listing::of(&rows)
        .key("Identifier", "Koden, som den står i Status.", |(code, ..)| code)
        .text("Title", "Kodens titel.", |(_, title, _)| title)
        .text("Description", "Hvad koden betyder.", |(.., description)| description)
        .definition("StatusCodes", "Statuskoder", "Hvad koderne i kolonnen Status betyder.")
}

fn revisions(revised: &[Arc<RevisedFigure>]) -> SetDefinition {
    Listing::of(revised)
        .key("Id", "Ændringens id.", |row| &row.id)
        .text("Table", "Målingens id.", |row| &row.table)
        .text("Period", "Perioden, som tallet gælder.", |row| &row.period)
        .optional_text("Area", "Området, som tallet gælder.", |row| row.area.as_deref())
        .optional_text("AreaId", "Områdets id.", |row| row.area_id.as_deref())
        .text("Measure", "Målet, som tallet hører til.", |row| &row.measure)
        .text("MeasureId", "Målets id.", |row| &row.measure_id)
        .optional_text(
            "Members",
            "Fordelinger, som tallet gælder, hvor de ikke står på deres total.",
            |row| row.members.as_deref(),
        )
        .optional_figure("Before", "Tallet, som det var; tomt, hvis det ikke var offentliggjort.", |row| {
            row.before
        })
        .optional_figure(
            "After",
            "Tallet, som det er nu; tomt, hvis det ikke længere er offentliggjort.",
            |row| row.after,
        )
        .optional_instant("SeenAt", "Hvornår ændringen blev konstateret.", |row| Some(row.seen_at))
        .definition(
            "Revisions",
            "Ændrede tal",
            "Tal, som blev ændret, efter at de var hentet her; de seneste 400 dage.",
        )
}
