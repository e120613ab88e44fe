//! `/maaling/{table}/byg`: rows of a table are chosen, with what they cost and how they look, and are taken along as ready texts. The
//! whole choice is in the address.

mod choice;
mod indicator;
mod texts;

use askama::Template;
use futures_util::TryFutureExt;

use crate::answer::error::BridgeError;
use crate::answer::explain::Explanation;
use crate::answer::retry_when_moved;
use crate::catalogue::dimension::Dimension;
use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::Heading;
use crate::catalogue::period::Period;
use crate::error::DescribeError;
use crate::feed::Feed;
use crate::open::CHOICE_OPTION;
use crate::open::format::Format;
pub(super) use crate::pages::builder::choice::{AREA, BREAKDOWN, MEASURE, PERIOD_TYPE};
use crate::pages::builder::choice::{Breakdown, Choice, levels_of};
use crate::pages::builder::texts::{Addresses, Text};
use crate::pages::error::{PageError, in_english};
use crate::pages::figures::Rows;
use crate::pages::files::Files;
use crate::pages::language::Language;
use crate::pages::layout::Layout;
use crate::pages::visit::{Visit, fits};
use crate::pages::{Html, Sources, failure};

/// How many rows are shown.
const PREVIEW: u64 = 8;
/// The most requests to the upstream that a preview may need.
const PREVIEW_REQUESTS: u64 = 2;
/// How many requests to the upstream are listed.
const LISTED: usize = 5;

#[derive(Template)]
#[template(path = "builder.html")]
struct Page {
    layout: Layout,
    l: Language,
    heading: Heading,
    measurement: String,
    controls: Vec<Control>,
    /// Why the choice cannot be shown or taken along.
    trouble: Vec<String>,
    plan: Option<Plan>,
    mixed: Vec<Mixed>,
    preview: Option<Preview>,
    texts: Vec<Text>,
    files: Option<Files>,
    indicator: Vec<Text>,
    collection: Collection,
}

/// A field of the form.
struct Control {
    name: String,
    label: String,
    /// Whether several may be chosen.
    is_multiple: bool,
    /// What stands for none.
    none: Option<String>,
    options: Vec<Selectable>,
}

struct Selectable {
    value: String,
    label: String,
    is_chosen: bool,
}

/// What the choice costs.
struct Plan {
    rows: String,
    figures: String,
    /// What would be asked of the upstream.
    requests: String,
    cells: String,
    /// How many of the first figures are in store.
    stored: String,
    looked_up: String,
    is_stored: bool,
    /// The first requests, and how many more there are.
    listed: Vec<String>,
    more: u64,
}

/// The first rows.
struct Preview {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

struct Column {
    name: String,
    /// The decimals of its figures; `None` where it holds texts.
    decimals: Option<u8>,
}

struct Cell {
    /// `None` where a figure is not published.
    text: Option<String>,
    is_figure: bool,
}

/// A breakdown whose rows are on several levels, so that the same persons are in several of them.
struct Mixed {
    label: String,
    /// Each level, with the address of this page that has it alone.
    levels: Vec<(String, String)>,
}

/// Choices that become one workbook or project.
struct Collection {
    number: usize,
    /// The address of this page with the choice added; `None` where it is full or has it already.
    add: Option<String>,
    is_full: bool,
    /// Whether the address has more choices than links can keep, so that they were left out.
    is_lost: bool,
    workbook: String,
    project: String,
    empty: String,
}

/// Where the builder of a table is.
pub(super) fn path(table: &MeasurementId) -> String {
    format!("maaling/{table}/byg")
}

/// The page of a table.
pub async fn page(sources: Sources, visit: Visit, table: String) -> Html {
    match retry_when_moved(|| build(&sources, &visit, &table)).await {
        Ok(Ok(html)) => html,
        Ok(Err(error)) => failure::of(&sources, visit, error),
        Err(error) => failure::page(&sources, visit, &error),
    }
}

/// An outer error ends the request, and starts it again if the table was updated meanwhile; an inner error is a mistake in the
/// address of the page.
async fn build(
    sources: &Sources,
    visit: &Visit,
    table: &str,
) -> Result<Result<Html, PageError>, BridgeError> {
    let feed = sources.feeds.table(table).await?;
    let catalogue = sources.feeds.listed();
    let (Some(head), Some(measurement)) = (catalogue.head(table), catalogue.measurement(table)) else {
        return Err(BridgeError::TableNotRead(table.to_lowercase().as_str().into()));
    };
    let choice = match Choice::read(measurement, &feed, visit) {
        Ok(choice) => choice,
        Err(error) => return Ok(Err(error)),
    };
    let (l, heading) = (visit.language, head.heading());
    let looked_up = LookedUp::of(sources, &feed, &choice).await?;
    let addresses = Addresses::of(&choice, visit);
    let is_usable = looked_up.plan.is_some();
    let source = &sources.feeds.origin().name;
    let title = heading.to_string();
    let page = Page {
        layout: Layout::new(
            sources,
            visit.clone(),
            format!("{}: {heading}", l.text("Byg et udtræk", "Build a query")),
        ),
        l,
        measurement: visit.link(&format!("maaling/{}", head.id), &[]),
        controls: controls(&choice, l),
        mixed: choice.breakdowns.iter().filter_map(|one| Mixed::new(one, &choice, visit)).collect(),
        trouble: looked_up
            .errors
            .iter()
            .map(|error| l.text(&error.describe().danish, &in_english(error)).to_owned())
            .collect(),
        plan: looked_up.plan.as_ref().map(|plan| Plan::new(plan, &choice, l)),
        preview: looked_up.rows.as_ref().map(|rows| Preview::new(rows, &choice, l)),
        texts: if is_usable { texts::texts(&choice, &addresses, visit, l) } else { Vec::new() },
        files: is_usable.then(|| Files::new(visit, |folder, ending| addresses.file(visit, folder, ending))),
        indicator: if is_usable { indicator::texts(&choice, &title, source, l) } else { Vec::new() },
        collection: Collection::new(visit, &addresses.part(), is_usable),
        heading,
    };
    let first = looked_up.errors.first().map(DescribeError::describe);
    let html = Html::of(first.as_ref().map_or(200, |error| error.status), l, &page);
    Ok(Ok(Html { retry_after_seconds: first.and_then(|error| error.retry_after_seconds), ..html }))
}

/// What is known of a choice.
struct LookedUp {
    plan: Option<Explanation>,
    rows: Option<Rows>,
    errors: Vec<BridgeError>,
}

impl LookedUp {
    /// Plans the choice, and reads its first rows if they are cheap. A choice that is too large is not planned further.
    async fn of(sources: &Sources, feed: &Feed, choice: &Choice<'_>) -> Result<Self, BridgeError> {
        let question = choice.question();
        let limit = sources.answerer.limits.max_rows;
        let planned = sources.explain(feed, &question, PREVIEW).and_then(|plan| async {
            match plan.rows_at_most > limit {
                true => Err(BridgeError::TooManyRows { bound: plan.rows_at_most, limit }),
                false => Ok(plan),
            }
        });
        let plan = match planned.await {
            Ok(plan) => plan,
            Err(error) if error.is_moved() => return Err(error),
            Err(error) => return Ok(Self { plan: None, rows: None, errors: vec![error] }),
        };
        let first = if is_cheap(&plan) { Some(sources.first(feed, &question, PREVIEW).await) } else { None };
        match first.transpose() {
            Ok(rows) => Ok(Self { plan: Some(plan), rows, errors: Vec::new() }),
            Err(error) if error.is_moved() => Err(error),
            Err(error) => Ok(Self { plan: Some(plan), rows: None, errors: vec![error] }),
        }
    }
}

/// Whether the first rows are in store, or almost.
fn is_cheap(plan: &Explanation) -> bool {
    plan.requests.min(plan.first_page_requests) <= PREVIEW_REQUESTS
}

impl Plan {
    fn new(plan: &Explanation, choice: &Choice<'_>, l: Language) -> Self {
        let measures = choice.shown_measures().len() as u64;
        let listed: Vec<String> = plan.plan.iter().take(LISTED).map(|one| one.request.clone()).collect();
        let number = |number: u64| l.number(number.into(), 0);
        Self {
            rows: number(plan.rows_at_most),
            figures: number(plan.rows_at_most.saturating_mul(measures)),
            requests: number(plan.requests),
            cells: number(plan.cells),
            stored: number(plan.figures_in_store),
            looked_up: number(plan.figures),
            is_stored: plan.requests == 0,
            more: plan.requests.saturating_sub(listed.len() as u64),
            listed,
        }
    }
}

impl Preview {
    fn new(rows: &Rows, choice: &Choice<'_>, l: Language) -> Self {
        let columns = choice.columns();
        let decimals = |name: &str| {
            let measure =
                choice.shown_measures().into_iter().find(|index| choice.measure_column(*index) == name)?;
            Some(choice.measurement.measures.get(measure)?.unit.map_or(0, |unit| unit.decimals()))
        };
        let columns: Vec<Column> =
            columns.into_iter().map(|name| Column { decimals: decimals(&name), name }).collect();
        let cell = |row: usize, Column { name, decimals }: &Column| match decimals {
            Some(decimals) => {
                let text = rows.figure(row, name).map(|figure| l.number(figure, *decimals));
                Cell { text, is_figure: true }
            }
            None => {
                // Unbroken, since a narrow column would make three lines of it.
                let day = rows.day(row, name).map(|day| l.day(day).replace(' ', "\u{a0}"));
                Cell { text: Some(day.unwrap_or_else(|| rows.text(row, name))), is_figure: false }
            }
        };
        let shown = (0..rows.len()).map(|row| columns.iter().map(|column| cell(row, column)).collect());
        Self { rows: shown.collect(), columns }
    }
}

impl Mixed {
    fn new(breakdown: &Breakdown, choice: &Choice<'_>, visit: &Visit) -> Option<Self> {
        let dimension = choice.measurement.dimensions.get(breakdown.dimension)?;
        let (level, id) = (choice.level_column(breakdown.dimension), choice.id_column(breakdown.dimension));
        let shown = choice.shown_levels(breakdown);
        let alone = |name: &str| (name.to_owned(), visit.here(&[(level, name), (id, "")]));
        (shown.len() > 1)
            .then(|| Self { label: dimension.label.clone(), levels: shown.into_iter().map(alone).collect() })
    }
}

impl Collection {
    fn new(visit: &Visit, part: &str, is_usable: bool) -> Self {
        let part = (CHOICE_OPTION, part);
        let number = visit.collected().count();
        let more: Vec<_> = visit.collected().chain([part]).collect();
        let is_new = is_usable && visit.collected().all(|one| one != part);
        let can_add = is_new && fits(more.iter().copied());
        Self {
            number,
            add: can_add.then(|| visit.here(&more)),
            is_full: is_new && !can_add,
            is_lost: visit.has_lost_collection,
            workbook: visit.collection(Format::Workbook),
            project: visit.collection(Format::PowerBiProject),
            empty: visit.here(&[(CHOICE_OPTION, "")]),
        }
    }
}

/// The fields of the form, in the order in which people choose.
fn controls(choice: &Choice<'_>, l: Language) -> Vec<Control> {
    let measurement = choice.measurement;
    let mut controls = Vec::new();
    if let Some(area) = measurement.area() {
        let members = measurement.dimensions[area].members.iter().enumerate();
        let areas = members.map(|(index, member)| Selectable {
            value: member.code.unwrap_or(member.id.as_str()).to_owned(),
            label: member.label.clone(),
            is_chosen: choice.areas.contains(&index),
        });
        controls.push(Control::several(choice::AREA, l.text("Områder", "Areas"), areas.collect()));
        let levels = selectable(levels_of(measurement, area), &choice.area_levels);
        controls.push(Control::several(choice::AREA_LEVEL, l.text("Niveauer", "Levels"), levels));
    }
    let types = measurement.period_types.iter().map(|one| Selectable {
        value: one.id.to_string(),
        label: one.label.clone(),
        is_chosen: one == choice.period_type,
    });
    controls.push(Control::one(
        choice::PERIOD_TYPE,
        l.text("Periodetype", "Period type"),
        None,
        types.collect(),
    ));
    let periods = |chosen: Option<&Period>| {
        let periods = choice.periods().map(|period| Selectable {
            value: period.id.to_string(),
            label: l.period(period),
            is_chosen: chosen == Some(period),
        });
        periods.collect::<Vec<_>>()
    };
    let mut from = periods(choice.from);
    let first = l.text("den første", "the first").to_owned();
    from.push(Selectable { value: choice::FIRST.to_owned(), label: first, is_chosen: choice.from.is_none() });
    controls.push(Control::one(choice::FROM, l.text("Fra", "From"), None, from));
    let newest = Some(l.text("altid den nyeste", "always the newest"));
    controls.push(Control::one(choice::UNTIL, l.text("Til", "Until"), newest, periods(choice.until)));
    controls.extend(breakdown_controls(choice, l));
    let measures = measurement.measures.iter().enumerate().map(|(index, measure)| Selectable {
        value: choice.measure_column(index).to_owned(),
        label: measure.heading.clone(),
        is_chosen: choice.measures.contains(&index),
    });
    controls.push(Control::several(choice::MEASURE, l.text("Mål", "Measures"), measures.collect()));
    controls
}

/// The breakdowns, and the levels and members of those that are chosen.
fn breakdown_controls(choice: &Choice<'_>, l: Language) -> Vec<Control> {
    let dimensions = choice.measurement.dimensions.iter().enumerate();
    let others =
        dimensions.filter(|(_, dimension)| !dimension.is_area()).map(|(index, dimension)| Selectable {
            value: choice.label_column(index).to_owned(),
            label: dimension.label.clone(),
            is_chosen: choice.breakdowns.iter().any(|chosen| chosen.dimension == index),
        });
    let others: Vec<_> = others.collect();
    let mut controls = Vec::new();
    if !others.is_empty() {
        let label = l.text("Fordelt på (højst to)", "Broken down by (at most two)");
        controls.push(Control::several(choice::BREAKDOWN, label, others));
    }
    for chosen in &choice.breakdowns {
        let dimension = &choice.measurement.dimensions[chosen.dimension];
        let levels = selectable(levels_of(choice.measurement, chosen.dimension), &chosen.levels);
        let has_levels = levels.len() > 1;
        if has_levels {
            let label = format!("{}: {}", l.text("Niveauer", "Levels"), dimension.label);
            controls.push(Control::several(choice.level_column(chosen.dimension), &label, levels));
        }
        let label = if has_levels {
            format!("{}: {}", l.text("Kun", "Only"), dimension.label)
        } else {
            dimension.label.clone()
        };
        let members = members(dimension, chosen, has_levels);
        controls.push(Control::several(choice.id_column(chosen.dimension), &label, members));
    }
    controls
}

/// The members of a breakdown that are on its chosen levels, and those that are chosen anyhow.
fn members(dimension: &Dimension, chosen: &Breakdown, has_levels: bool) -> Vec<Selectable> {
    let names_levels = has_levels && chosen.levels.len() != 1;
    let members = dimension.members.iter().enumerate().filter(|(index, member)| {
        let is_listed = chosen.levels.is_empty() || chosen.levels.contains(&member.level);
        !member.is_total() && (is_listed || chosen.members.contains(index))
    });
    let members = members.map(|(index, member)| Selectable {
        value: member.id.to_string(),
        label: if names_levels {
            format!("{} ({})", member.label, member.level)
        } else {
            member.label.clone()
        },
        is_chosen: chosen.members.contains(&index),
    });
    members.collect()
}

fn selectable(known: Vec<&str>, chosen: &[String]) -> Vec<Selectable> {
    let one = |value: &str| Selectable {
        value: value.to_owned(),
        label: value.to_owned(),
        is_chosen: chosen.iter().any(|level| level == value),
    };
    known.into_iter().map(one).collect()
}

impl Control {
    fn one(name: &str, label: &str, none: Option<&str>, options: Vec<Selectable>) -> Self {
        let (name, label, none) = (name.to_owned(), label.to_owned(), none.map(str::to_owned));
        Self { name, label, is_multiple: false, none, options }
    }

    fn several(name: &str, label: &str, options: Vec<Selectable>) -> Self {
        Self { is_multiple: true, ..Self::one(name, label, None, options) }
    }
}
