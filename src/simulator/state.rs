//! What changes while the simulator runs: faults, editions of tables, the log of requests.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use chrono::{DateTime, Months, NaiveDate, Timelike, Utc};
use serde::{Deserialize, Serialize};

use super::answer::CellLimit;
use super::dialect::{Dialect, Variant};
use super::faults::{Endpoint, Fault, Faults};
use super::figures::{Edition, View};
use super::metadata::{Metadata, MetadataError};
use super::model::Model;
use super::published::{Library, Published};
use super::render::UpdateDates;
use super::tables::Table;
use super::{Longer, SimulatorError, SimulatorOptions};

/// How many requests the log keeps of each kind.
const LOGGED: usize = 10_000;
/// The hour on Copenhagen's clock in which the upstream is closed.
const CLOSED_HOUR: u32 = 22;

/// All that never changes: metadata and published figures, shared by every simulator in the program.
#[derive(Debug)]
pub struct Databank {
    pub metadata: &'static Metadata,
    library: Library,
    known: Vec<OnceLock<Result<Known, MetadataError>>>,
}

/// What was published of a table, and what the rest is made from, by retrieval.
#[derive(Debug)]
struct Known {
    published: Published,
    models: Vec<OnceLock<Model>>,
}

impl Databank {
    pub fn get() -> Result<&'static Self, SimulatorError> {
        static DATABANK: OnceLock<Result<Databank, String>> = OnceLock::new();
        let databank = DATABANK.get_or_init(|| {
            let metadata = Metadata::get().map_err(ToString::to_string)?;
            let library = Library::read().map_err(|error| error.to_string())?;
            let known = metadata.tables.iter().map(|_| OnceLock::new()).collect();
            Ok(Databank { metadata, library, known })
        });
        databank.as_ref().map_err(|cause| SimulatorError::Metadata(cause.clone()))
    }

    /// What is known of a table; read at the first use.
    fn known(&self, table: usize) -> Result<&Known, SimulatorError> {
        let about = &self.metadata.tables[table];
        let read = || {
            let published = self.library.of(about, &self.metadata.places)?;
            let models = (0..published.retrievals.max(1)).map(|_| OnceLock::new()).collect();
            Ok(Known { published, models })
        };
        self.known[table]
            .get_or_init(read)
            .as_ref()
            .map_err(|error| SimulatorError::Metadata(error.to_string()))
    }

    /// A table in an edition.
    pub fn view(&'static self, table: usize, edition: Edition) -> Result<View<'static>, SimulatorError> {
        let (about, places) = (&self.metadata.tables[table], &self.metadata.places);
        let known = self.known(table)?;
        let rank = known.published.rank(edition.number);
        let model = known.models[rank].get_or_init(|| Model::new(about, places, &known.published, rank));
        Ok(View::new(about, places, &known.published, model, edition))
    }

    /// What was filled in because nothing real was known, by subject and table.
    pub fn made_up(&self) -> MadeUp {
        let subjects =
            self.metadata.subjects.iter().map(|subject| (subject.id.clone(), subject.made_up.clone()));
        let tables = self.metadata.tables.iter().map(|table| (table.id.clone(), table.made_up.clone()));
        let dimensions = self.metadata.tables.iter().flat_map(|table| &table.dimensions);
        let dimensions = dimensions.map(|dimension| (dimension.id.clone(), dimension.made_up.clone()));
        MadeUp { subjects: subjects.collect(), tables: tables.collect(), dimensions: dimensions.collect() }
    }
}

/// The parts of the metadata that are not real: their names for each subject, table and dimension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MadeUp {
    pub subjects: BTreeMap<String, Vec<String>>,
    pub tables: BTreeMap<String, Vec<String>>,
    pub dimensions: BTreeMap<String, Vec<String>>,
}

/// How a table stands.
#[derive(Clone, Copy, Debug, Default)]
struct TableState {
    edition: Edition,
    /// The date of the newest update made by the simulator.
    published_on: Option<NaiveDate>,
}

/// An update to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    pub table: String,
    /// Whether the country's published totals of recent periods change too, and not only made-up figures.
    #[serde(default)]
    pub revise_published: bool,
    /// Not now, but when this many more data requests for the table have been answered.
    #[serde(default)]
    pub after_data_requests: u64,
}

/// A data request that was received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoggedRequest {
    pub at: DateTime<Utc>,
    pub table: String,
    /// Path and query as sent.
    pub target: String,
    /// What it was hit by.
    pub fault: Option<Fault>,
    /// None while it is not answered, and for ever where the one that asked has left.
    pub answer: Option<LoggedAnswer>,
}

/// How a data request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LoggedAnswer {
    pub status: u16,
    /// The table's edition then; an update that a request itself sets off comes behind it.
    pub edition: i32,
}

/// A request that has been noted, until it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    pub fault: Option<Fault>,
    /// How many data requests had come by then.
    number: u64,
}

/// How many requests were received, and the newest of them, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestLog {
    pub subjects: u64,
    pub tables: u64,
    pub table: u64,
    pub data: u64,
    /// The most requests that were being answered at the same time.
    pub most_at_once: usize,
    /// When requests of any kind arrived.
    pub arrivals: VecDeque<DateTime<Utc>>,
    /// How often the list of tables was answered as it is.
    pub listed: u64,
    /// When that was: from then on the one that asks knows of the updates before.
    pub listings: VecDeque<DateTime<Utc>>,
    /// The data requests.
    pub requests: VecDeque<LoggedRequest>,
}

impl RequestLog {
    fn count(&mut self, endpoint: Endpoint) {
        match endpoint {
            Endpoint::Subjects => self.subjects += 1,
            Endpoint::Tables => self.tables += 1,
            Endpoint::Table => self.table += 1,
            Endpoint::Data => self.data += 1,
            Endpoint::Any => {}
        }
    }

    /// The data request that came as the `number`-th, if the log still has it.
    fn data_request(&mut self, number: u64) -> Option<&mut LoggedRequest> {
        let later = usize::try_from(self.data.checked_sub(number)?).ok()?;
        let at = self.requests.len().checked_sub(later + 1)?;
        self.requests.get_mut(at)
    }
}

/// A request that is being answered.
pub struct Answering<'a>(&'a State);

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.changing().answering -= 1;
    }
}

/// Adds an entry to a log; the oldest goes where it would be too long.
fn push<T>(log: &mut VecDeque<T>, entry: T) {
    log.push_back(entry);
    if log.len() > LOGGED {
        log.pop_front();
    }
}

/// The control path named a table that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown table {0}")]
pub struct UnknownTable(pub String);

struct Changing {
    faults: Faults,
    tables: Vec<TableState>,
    planned: Vec<Publish>,
    /// Requests that are being answered.
    answering: usize,
    log: RequestLog,
}

/// A running simulator's state.
pub struct State {
    pub databank: &'static Databank,
    /// The tables that begin earlier, by their index.
    longer: BTreeMap<usize, &'static Table>,
    options: SimulatorOptions,
    changing: Mutex<Changing>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("options", &self.options).finish_non_exhaustive()
    }
}

impl State {
    pub fn new(databank: &'static Databank, options: SimulatorOptions) -> Result<Self, UnknownTable> {
        let edition = Edition { number: options.edition, revises_published: false, months: 0 };
        // Never freed, as the databank.
        let longer = |Longer { table, years }: &Longer| {
            let index = databank.metadata.table(table).ok_or_else(|| UnknownTable(table.clone()))?;
            let longer: &'static Table = Box::leak(Box::new(databank.metadata.tables[index].longer(*years)));
            Ok((index, longer))
        };
        let longer = options.longer.iter().map(longer).collect::<Result<_, _>>()?;
        let tables = vec![TableState { edition, published_on: None }; databank.metadata.tables.len()];
        let changing = Changing {
            faults: options.faults.clone(),
            tables,
            planned: vec![],
            answering: 0,
            log: RequestLog::default(),
        };
        Ok(Self { databank, longer, options, changing: Mutex::new(changing) })
    }

    fn changing(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request and says which fault hits it.
    pub fn receive(&self, endpoint: Endpoint, table: Option<&str>, target: &str) -> Received {
        let mut changing = self.changing();
        let at = self.options.clock.now();
        changing.log.count(endpoint);
        push(&mut changing.log.arrivals, at);
        let fault = changing.faults.take(endpoint, table);
        if endpoint == Endpoint::Data {
            let (table, target) = (table.unwrap_or_default().to_owned(), target.to_owned());
            let logged = LoggedRequest { at, table, target, fault, answer: None };
            push(&mut changing.log.requests, logged);
        }
        Received { fault, number: changing.log.data }
    }

    /// Notes how a data request was answered, and makes the updates that waited for it.
    pub fn answered(&self, table: &str, received: Received, status: u16) {
        let mut changing = self.changing();
        let edition = self.index(table).map_or(0, |index| changing.tables[index].edition.number);
        if let Some(logged) = changing.log.data_request(received.number) {
            logged.answer = Some(LoggedAnswer { status, edition });
        }
        if status == 200 {
            self.update_behind(&mut changing, table);
        }
    }

    /// A request is being answered until what is returned is dropped.
    pub fn answering(&self) -> Answering<'_> {
        let mut changing = self.changing();
        changing.answering += 1;
        changing.log.most_at_once = changing.log.most_at_once.max(changing.answering);
        drop(changing);
        Answering(self)
    }

    /// Notes that the list of tables was answered as it is.
    pub fn listed(&self) {
        let at = self.options.clock.now();
        let log = &mut self.changing().log;
        log.listed += 1;
        push(&mut log.listings, at);
    }

    /// Makes the updates that waited for this answer.
    fn update_behind(&self, changing: &mut Changing, table: &str) {
        let mut due = Vec::new();
        changing.planned.retain_mut(|plan| {
            if plan.table == table {
                plan.after_data_requests -= 1;
            }
            let waits = plan.after_data_requests > 0;
            if !waits {
                due.push(plan.clone());
            }
            waits
        });
        due.iter().for_each(|plan| self.update(changing, plan));
    }

    pub fn is_closed(&self) -> bool {
        let by_clock = || self.options.closed_hour && self.options.clock.copenhagen().hour() == CLOSED_HOUR;
        self.changing().faults.closed.unwrap_or_else(by_clock)
    }

    pub fn delay_ms(&self) -> u64 {
        self.changing().faults.delay_ms
    }

    pub fn dialect(&self) -> &Dialect {
        &self.options.dialect
    }

    pub fn is_updating(&self, table: &str) -> bool {
        self.changing().faults.updating.contains(table)
    }

    pub fn cell_limit(&self) -> CellLimit {
        let changing = self.changing();
        CellLimit {
            cells: changing.faults.cell_limit.unwrap_or(self.options.cell_limit),
            count_all_columns: changing
                .faults
                .count_all_columns
                .unwrap_or(self.options.count_all_columns || self.options.dialect.has(Variant::LabelsCount)),
        }
    }

    /// Whether the header authorizes the call: `Bearer` and the right token, or any if none was given at the start.
    pub fn admits(&self, authorization: Option<&str>) -> bool {
        let token = authorization.and_then(|header| header.strip_prefix("Bearer ")).map(str::trim);
        token.is_some_and(|token| match &self.options.token {
            Some(expected) => token == expected,
            None => !token.is_empty(),
        })
    }

    pub fn faults(&self) -> Faults {
        self.changing().faults.clone()
    }

    pub fn set_faults(&self, faults: Faults) {
        self.changing().faults = faults;
    }

    pub fn log(&self) -> RequestLog {
        self.changing().log.clone()
    }

    pub fn clear_log(&self) {
        self.changing().log = RequestLog::default();
    }

    fn index(&self, table: &str) -> Result<usize, UnknownTable> {
        self.databank.metadata.table(table).ok_or_else(|| UnknownTable(table.to_owned()))
    }

    /// Makes an update of a table, or plans it.
    pub fn publish(&self, publish: &Publish) -> Result<(), UnknownTable> {
        self.index(&publish.table)?;
        let mut changing = self.changing();
        if publish.after_data_requests == 0 {
            self.update(&mut changing, publish);
        } else {
            changing.planned.push(publish.clone());
        }
        Ok(())
    }

    fn update(&self, changing: &mut Changing, publish: &Publish) {
        let Ok(index) = self.index(&publish.table) else {
            return;
        };
        let table = &self.databank.metadata.tables[index];
        let state = &mut changing.tables[index];
        let today = self.options.clock.copenhagen().date_naive();
        let before = self.latest(table, state);
        state.edition.number += 1;
        state.edition.revises_published |= publish.revise_published;
        // The upstream's own dates hold as long as its own editions do; either way an update moves the date.
        let real = self.latest(table, &TableState { published_on: None, ..*state });
        let moves = state.edition.number <= 0 && real > before;
        state.published_on = if moves { None } else { Some(today.max(before + chrono::Days::new(1))) };
    }

    /// Sets one table, or all, to an edition.
    pub fn set_edition(&self, table: Option<&str>, number: i32) -> Result<(), UnknownTable> {
        let only = table.map(|table| self.index(table)).transpose()?;
        let state = TableState {
            edition: Edition { number, revises_published: false, months: 0 },
            published_on: None,
        };
        let mut changing = self.changing();
        for (index, table) in changing.tables.iter_mut().enumerate() {
            if only.is_none_or(|only| only == index) {
                *table = state;
            }
        }
        Ok(())
    }

    /// Sets a table to an edition while the list of tables keeps its date.
    pub fn set_edition_silently(&self, table: &str, number: i32) -> Result<(), UnknownTable> {
        let index = self.index(table)?;
        let mut changing = self.changing();
        let date = self.latest(&self.databank.metadata.tables[index], &changing.tables[index]);
        let edition = Edition { number, revises_published: false, months: 0 };
        changing.tables[index] = TableState { edition, published_on: Some(date) };
        Ok(())
    }

    pub fn view(&self, table: usize) -> Result<View<'static>, SimulatorError> {
        let edition = self.changing().tables[table].edition;
        let update = &self.databank.metadata.tables[table].update;
        let months = self.calendar(edition.number).map_or(0, |today| update.months_until(today));
        let mut view = self.databank.view(table, Edition { months, ..edition })?;
        if let Some(longer) = self.longer.get(&table) {
            view.table = longer;
        }
        Ok(view)
    }

    pub fn dates(&self, table: usize) -> UpdateDates {
        let state = self.changing().tables[table];
        let table = &self.databank.metadata.tables[table];
        let today = self.options.clock.copenhagen().date_naive();
        UpdateDates { latest: self.latest(table, &state).to_string(), next: next(table, today) }
    }

    /// The day up to which scheduled updates are made, where the simulator follows the clock. Earlier editions stay as they
    /// were.
    fn calendar(&self, edition: i32) -> Option<NaiveDate> {
        let follows = self.options.follows_clock && edition >= 0;
        follows.then(|| self.options.clock.copenhagen().date_naive())
    }

    /// The date of the update that made the edition that stands.
    fn latest(&self, table: &Table, state: &TableState) -> NaiveDate {
        let update = &table.update;
        let number = state.edition.number;
        let by_calendar = |today: NaiveDate| update.scheduled().take_while(|date| *date <= today).last();
        let earlier = Months::new(number.min(0).unsigned_abs() * update.months());
        let scheduled = self.calendar(number).and_then(by_calendar);
        let scheduled =
            scheduled.or_else(|| update.latest.checked_sub_months(earlier)).unwrap_or(update.latest);
        state.published_on.map_or(scheduled, |date| date.max(scheduled))
    }
}

/// The first scheduled date after today; empty for a table that is no longer updated.
fn next(table: &Table, today: NaiveDate) -> String {
    let Ok(planned) = table.update.next.parse::<NaiveDate>() else {
        return String::new();
    };
    let step = Months::new(table.update.months());
    let back = std::iter::successors(Some(planned), |date| date.checked_sub_months(step));
    let start = back.take_while(|date| *date > today).last().unwrap_or(planned);
    let forth = std::iter::successors(Some(start), |date| date.checked_add_months(step));
    forth.into_iter().find(|date| *date > today).map_or_else(String::new, |date| date.to_string())
}
