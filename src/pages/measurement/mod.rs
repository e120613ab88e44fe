//! `/maaling/{table}`: a measurement as a person sees it. What it measures, its figures over time for a municipality beside its region
//! and the country, a map, a breakdown, a table. All figures come from the answers that Excel gets.

mod choice;
mod facts;
mod map;
mod over_time;
mod parts;
mod series;

use std::sync::Arc;

use askama::Template;
use futures_util::join;

use crate::answer::error::BridgeError;
use crate::answer::retry_when_moved;
use crate::catalogue::measurement::{Heading, Measurement};
use crate::catalogue::period::Period;
use crate::catalogue::revised::RevisedFigure;
use crate::error::DescribeError;
use crate::feed::Feed;
use crate::pages::builder;
use crate::pages::error::{PageError, in_english};
use crate::pages::figures::Rows;
use crate::pages::files::Files;
use crate::pages::language::Language;
use crate::pages::layout::Layout;
use crate::pages::measurement::choice::Choice;
use crate::pages::measurement::facts::Facts;
use crate::pages::measurement::map::MapView;
use crate::pages::measurement::over_time::OverTime;
use crate::pages::measurement::parts::Parts;
use crate::pages::measurement::series::{Headline, Series};
use crate::pages::municipality::{self, Municipality};
use crate::pages::revised::Revised;
use crate::pages::visit::Visit;
use crate::pages::{Html, Sources, failure};

/// How many revised figures are shown.
const REVISIONS: usize = 5;

#[derive(Template)]
#[template(path = "measurement.html")]
struct Page {
    layout: Layout,
    l: Language,
    heading: Heading,
    id: String,
    controls: Controls,
    /// Why figures are missing, if the upstream or a limit is the reason.
    trouble: Vec<String>,
    headlines: Vec<Headline>,
    over_time: Option<OverTime>,
    map: Option<MapView>,
    parts: Option<Parts>,
    revisions: Vec<String>,
    facts: Facts,
    /// The address of what is shown, for Excel and others.
    address: String,
    /// Where the figures over time are taken along, while those of a breakdown are.
    over_time_files: Option<String>,
    /// Where other rows of the table are chosen.
    builder: String,
    /// The same as files.
    files: Files,
}

/// What can be chosen.
struct Controls {
    municipality: Option<&'static Municipality>,
    municipalities: &'static [Municipality],
    /// The municipality is chosen, and the table has no figures for it.
    is_missing: bool,
    /// Value, label and whether it is chosen.
    measures: Vec<(String, String, bool)>,
    period_types: Vec<(String, String, bool)>,
    breakdowns: Vec<(String, String, bool)>,
    compared: String,
    /// Links that take a place away again.
    remove: Vec<(String, String)>,
    /// Dimensions without a total, with the member that they stand at.
    fixed: Vec<(String, String)>,
}

/// The page of a table.
pub async fn page(sources: Sources, visit: Visit, table: String) -> Html {
    match retry_when_moved(|| show(&sources, &visit, &table)).await {
        Ok(Ok(html)) => html,
        Ok(Err(error)) => failure::of(&sources, visit, error),
        Err(error) => failure::page(&sources, visit, &error),
    }
}

/// An outer error ends the request, and starts it again if the table was updated meanwhile; an inner error is a mistake in the
/// address of the page.
async fn show(sources: &Sources, visit: &Visit, table: &str) -> Result<Result<Html, PageError>, BridgeError> {
    let feed = sources.feeds.table(table).await?;
    let catalogue = sources.feeds.listed();
    let (Some(head), Some(measurement)) = (catalogue.head(table), catalogue.measurement(table)) else {
        return Err(BridgeError::TableNotRead(table.to_lowercase().as_str().into()));
    };
    let choice = match Choice::read(measurement, &feed, visit) {
        Ok(choice) => choice,
        Err(error) => return Ok(Err(error)),
    };
    let shown = Figures::read(sources, &feed, &choice).await?;
    let l = visit.language;
    let status = shown.status();
    let question = choice.shown(shown.period);
    let heading = head.heading();
    let map = shown.map.as_ref().and_then(|(period, rows)| MapView::new(visit, &choice, period, rows));
    let parts = shown.parts.as_ref().map(|(period, rows)| Parts::new(visit, &choice, period, rows));
    let page = Page {
        layout: Layout::new(sources, visit.clone(), heading.to_string()),
        l,
        id: head.id.to_string(),
        controls: Controls::new(visit, &choice),
        trouble: shown.trouble(l),
        headlines: shown.series.as_ref().map(|series| series.headlines(l, &choice)).unwrap_or_default(),
        over_time: shown.series.as_ref().and_then(|series| OverTime::new(visit, &choice, head, series)),
        map,
        parts,
        revisions: revisions(sources, measurement, l),
        facts: Facts::of(l, measurement, head, shown.fetched_at),
        address: format!("{}/odata/jobindsats/{}/{}", visit.service, head.id, question.address()),
        builder: builder_link(visit, &choice),
        over_time_files: choice.breakdown.map(|_| visit.here(&[(builder::BREAKDOWN, "")])),
        files: Files::new(visit, |folder, ending| {
            visit.file(&format!("{folder}/{}/{}", head.id, question.file(ending)))
        }),
        heading,
    };
    let html = Html::of(status, l, &page);
    Ok(Ok(Html { retry_after_seconds: shown.retry_after_seconds(), ..html }))
}

/// The builder with what is chosen here.
fn builder_link(visit: &Visit, choice: &Choice<'_>) -> String {
    let same = [builder::BREAKDOWN, builder::MEASURE, builder::PERIOD_TYPE];
    let same = same.into_iter().filter_map(|name| Some((name, visit.option(name)?)));
    let areas = choice.places.iter().map(|place| (builder::AREA, place.code));
    let options: Vec<_> = areas.chain(same).collect();
    visit.link(&builder::path(&choice.measurement.id), &options)
}

/// The figures that a page shows, as far as they could be had.
struct Figures<'a> {
    /// The period of the map and of the breakdown.
    period: Option<&'a Period>,
    series: Option<Series<'a>>,
    map: Option<(&'a Period, Rows)>,
    parts: Option<(&'a Period, Rows)>,
    fetched_at: Option<chrono::DateTime<chrono::Utc>>,
    errors: Vec<BridgeError>,
}

impl<'a> Figures<'a> {
    /// Asks for the series, and then for the newest period in which it has a figure.
    async fn read(sources: &Sources, feed: &Feed, choice: &'a Choice<'a>) -> Result<Self, BridgeError> {
        let mut errors = Vec::new();
        let rows = if choice.places.is_empty() {
            None
        } else {
            kept(sources.ask(feed, &choice.series()).await, &mut errors)?
        };
        let fetched_at = rows.as_ref().and_then(|rows| rows.fetched_at);
        let series = rows.as_ref().map(|rows| Series::new(choice, rows));
        let newest = series.as_ref().and_then(|series| Some(series.periods[series.newest()?]));
        let period = choice.map_period.or(newest);
        let (mut map, mut parts) = (None, None);
        if let Some(period) = period.filter(|_| errors.is_empty()) {
            let of_map = async {
                let has_map = choice.has_municipalities();
                if has_map { Some(sources.ask(feed, &choice.map(period)).await) } else { None }
            };
            let of_parts = async {
                let question =
                    choice.breakdown.map(|dimension| choice.parts(dimension, period, &choice.main_places()));
                match question {
                    Some(question) => Some(sources.ask(feed, &question).await),
                    None => None,
                }
            };
            let (of_map, of_parts) = join!(of_map, of_parts);
            if let Some(answer) = of_map {
                map = kept(answer, &mut errors)?.map(|rows| (period, rows));
            }
            if let Some(answer) = of_parts {
                parts = kept(answer, &mut errors)?.map(|rows| (period, rows));
            }
        }
        let period = period.or_else(|| choice.periods().next());
        Ok(Self { period, series, map, parts, fetched_at, errors })
    }

    /// The status of the first error, for without figures the page is not what was asked for.
    fn status(&self) -> u16 {
        self.errors.first().map_or(200, |error| error.describe().status)
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        self.errors.first().and_then(|error| error.describe().retry_after_seconds)
    }

    fn trouble(&self, l: Language) -> Vec<String> {
        let mut sentences: Vec<String> = self
            .errors
            .iter()
            .map(|error| l.text(&error.describe().danish, &in_english(error)).to_owned())
            .collect();
        sentences.dedup();
        sentences
    }
}

/// The rows, or the error among the others. That the table was updated meanwhile is no error of the page: it is made again.
fn kept(
    answer: Result<Rows, BridgeError>,
    errors: &mut Vec<BridgeError>,
) -> Result<Option<Rows>, BridgeError> {
    match answer {
        Ok(rows) => Ok(Some(rows)),
        Err(error) if error.is_moved() => Err(error),
        Err(error) => {
            errors.push(error);
            Ok(None)
        }
    }
}

/// The figures of the table that were changed last, each in a sentence.
fn revisions(sources: &Sources, measurement: &Measurement, l: Language) -> Vec<String> {
    let figures = sources.feeds.revised();
    let own = figures.iter().filter(|figure| figure.table == measurement.id.as_str()).take(REVISIONS);
    let sentence = |figure: &Arc<RevisedFigure>| {
        let one = Revised::new(figure, Some(measurement), l);
        let cell = Revised::joined(&[&one.period, &one.area, &one.members, &one.measure]);
        format!("{cell}: {} → {}", one.before, one.after)
    };
    own.map(sentence).collect()
}

impl Controls {
    fn new(visit: &Visit, choice: &Choice<'_>) -> Self {
        let (l, measurement) = (visit.language, choice.measurement);
        let compared: Vec<_> = choice.places.iter().filter(|place| place.is_compared).collect();
        let without = |code: &str| {
            let others: Vec<&str> =
                compared.iter().map(|place| place.code).filter(|other| *other != code).collect();
            visit.here(&[(choice::COMPARED, &others.join(","))])
        };
        let is_missing =
            choice.municipality.is_some_and(|one| choice.places.iter().all(|place| place.code != one.code));
        let dimensions =
            measurement.dimensions.iter().enumerate().filter(|(_, dimension)| !dimension.is_area());
        Self {
            municipality: choice.municipality,
            municipalities: municipality::all(),
            is_missing,
            measures: measurement
                .measures
                .iter()
                .zip(choice.measure_columns())
                .enumerate()
                .map(|(index, (measure, column))| {
                    (column.clone(), measure.heading.clone(), index == choice.measure)
                })
                .collect(),
            period_types: measurement
                .period_types
                .iter()
                .map(|kind| {
                    (kind.id.to_string(), l.period_kind(kind.kind).to_owned(), kind == choice.period_type)
                })
                .collect(),
            breakdowns: dimensions
                .map(|(index, dimension)| {
                    (
                        choice.dimension_column(index).to_owned(),
                        dimension.label.clone(),
                        choice.breakdown == Some(index),
                    )
                })
                .collect(),
            compared: compared.iter().map(|place| place.name.as_str()).collect::<Vec<_>>().join(", "),
            remove: compared.iter().map(|place| (place.name.clone(), without(place.code))).collect(),
            fixed: choice
                .fixed
                .iter()
                .filter_map(|(dimension, member)| {
                    let dimension = measurement.dimensions.get(*dimension)?;
                    Some((dimension.label.clone(), dimension.members.get(*member)?.label.clone()))
                })
                .collect(),
        }
    }
}
