//! A table in memory, made from a fixed seed, and the service's answers from it: what the benchmarks beside it measure.

pub mod arrow_count;
pub mod plain_json;
pub mod table;
pub mod written;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use jobindsats_bridge::answer::stages::Stages;
use jobindsats_bridge::answer::{Answer, AnswerLimits, Answerer, Page, Request};
use jobindsats_bridge::budget::upstream::UpstreamBudgets;
use jobindsats_bridge::catalogue::id::MeasurementId;
use jobindsats_bridge::catalogue::measurement::Measurement;
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::feed::column::Fact;
use jobindsats_bridge::feed::origin::Origin;
use jobindsats_bridge::feed::registry::NameRegistry;
use jobindsats_bridge::feed::set_names::CUBE;
use jobindsats_bridge::feed::table_feed::table_feed;
use jobindsats_bridge::feed::{Feed, RowSource, Set};
use jobindsats_bridge::fetch::ask::Asker;
use jobindsats_bridge::fetch::learnt::Learnt;
use jobindsats_bridge::fetch::{Fetcher, Updates};
use jobindsats_bridge::observe::metrics::Metrics;
use jobindsats_bridge::observe::news::Announcements;
use jobindsats_bridge::odata::uri::syntax::RequestSyntax;
use jobindsats_bridge::odata::uri::{Limits, parse_request};
use jobindsats_bridge::plan::{UpstreamPlan, Wanted, plan};
use jobindsats_bridge::query::BoundQuery;
use jobindsats_bridge::query::bind::bind;
use jobindsats_bridge::store::CellStore;
use jobindsats_bridge::store::key::CellKey;
use jobindsats_bridge::store::revisions::RevisionLog;
use jobindsats_bridge::store::tiered::TieredStore;
use jobindsats_bridge::store::uses::UseLog;
use jobindsats_bridge::store::writer::DiskWriter;
use jobindsats_bridge::upstream::caller::Caller;
use jobindsats_bridge::upstream::client::Upstream;
use jobindsats_bridge::upstream::data::DataTable;
use jobindsats_bridge::upstream::error::UpstreamError;
use jobindsats_bridge::upstream::request::DataRequest;
use jobindsats_bridge::upstream::retry::Urgency;
use jobindsats_bridge::upstream::wire::{Subjects, Table, Tables};
use tokio::runtime::Runtime;

/// Cells that one request to the upstream may ask for: what blocks are as large as.
pub const CELL_LIMIT: u64 = 200_000;
/// The address of the service.
pub const ROOT: &str = "http://127.0.0.1:8080/odata/jobindsats/y99a01/";

/// A service with one table of 100 areas × 3 × 11 rows for each period, all of it stored. It has no upstream and no disk.
pub struct Bridge {
    pub measurement: Arc<Measurement>,
    pub feed: Feed,
    answerer: Answerer,
    runtime: Runtime,
}

impl Bridge {
    /// A table of so many months: 50 are 165,000 rows, 300 are 990,000.
    #[must_use]
    pub fn of(months: usize) -> Self {
        let measurement = Arc::new(table::measurement(months));
        let origin = Origin { name: "bench".to_owned(), is_simulator: true, description: None };
        let feed = table_feed(&measurement, None, &origin, &mut NameRegistry::default());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let (store, answerer) = answerer();
        let bridge = Self { measurement, feed, answerer, runtime };
        for chunk in bridge.plan(None).chunks.iter() {
            let block = table::block(&bridge.measurement, &chunk, &table::body(&bridge.measurement, &chunk));
            store.insert(&bridge.measurement.id, CellKey::of(&bridge.measurement, &chunk), block);
        }
        bridge.runtime.block_on(store.flush());
        bridge
    }

    /// The set of all rows.
    #[must_use]
    pub fn set(&self) -> &Set {
        &self.feed.sets[self.feed.set_index(CUBE).unwrap()]
    }

    /// The name of the column of a measure.
    #[must_use]
    pub fn figure(&self, measure: usize) -> &str {
        let column = self.set().columns.iter().find(|column| column.fact == Fact::Measure(measure));
        &column.unwrap().name
    }

    /// What most rows are asked for with: where and when, and two figures.
    #[must_use]
    pub fn six_columns(&self) -> String {
        format!("Periode,Område,Køn,Alder,{},{}", self.figure(0), self.figure(2))
    }

    /// The requests to the upstream that bring the rows of a query, or all rows.
    #[must_use]
    pub fn plan(&self, query: Option<&BoundQuery>) -> UpstreamPlan {
        let set = self.set();
        let RowSource::Cells(source) = &set.rows else { unreachable!("the set has figures") };
        let all = || (0..set.columns.len()).collect::<Vec<_>>();
        let needed: BTreeSet<_> = query.map_or_else(all, |query| query.columns(set)).into_iter().collect();
        let filter = query.and_then(|query| query.filter.as_ref());
        plan(&Wanted { source, columns: &set.columns, needed: &needed, filter }, CELL_LIMIT).unwrap()
    }

    /// A request for the set as syntax.
    #[must_use]
    pub fn parse(&self, options: &str) -> RequestSyntax {
        parse_request(CUBE, options, &Limits::default()).unwrap()
    }

    /// The same as a query.
    #[must_use]
    pub fn bind(&self, syntax: &RequestSyntax) -> BoundQuery {
        bind(&self.feed, syntax, now()).unwrap()
    }

    /// Answers a request on this thread.
    #[must_use]
    pub fn answer(&self, path: &str, options: &str) -> Page {
        let stages = Stages::unrecorded();
        let request = Request {
            feed: &self.feed,
            root: ROOT,
            path,
            options,
            max_page_size: None,
            all_pages: false,
            strict: true,
            skip_token: None,
            now: now(),
            stages: &stages,
        };
        let answer = self.runtime.block_on(self.answerer.answer(&request, |_| Ok(())));
        let ((), Answer::Page(page)) = answer.unwrap() else { panic!("{path}?{options} asks for no rows") };
        *page
    }

    /// A page of the set.
    #[must_use]
    pub fn page(&self, options: &str) -> Page {
        self.answer(CUBE, options)
    }

    /// How many rows of the set there are.
    #[must_use]
    pub fn count(&self, options: &str) -> u64 {
        self.answer(&format!("{CUBE}/$count"), options).count.unwrap()
    }
}

fn now() -> DateTime<Utc> {
    table::read_at()
}

fn answerer() -> (Arc<dyn CellStore>, Answerer) {
    // No folder can be made here, so that nothing is written.
    let folder = PathBuf::from("/dev/null/bench");
    let (clock, writer) = (Clock::fixed(now()), DiskWriter::start().unwrap());
    let metrics = Arc::new(Metrics::new("bench", "bench").unwrap());
    let cells = folder.join("cells");
    let store = TieredStore::open(cells, "bench", usize::MAX, u64::MAX, writer.clone(), metrics.clone());
    let store: Arc<dyn CellStore> = Arc::new(store);
    let told = Announcements::default();
    let revisions =
        RevisionLog::open(folder.join("revisions"), writer.clone(), metrics.clone(), told.clone());
    let learnt = Learnt::open(folder.clone(), writer.clone(), told.clone());
    let (nobody, never) = (Arc::new(Nobody), Arc::new(Nobody));
    let asker = Asker::new(nobody, never.clone(), learnt, UpstreamBudgets::default(), CELL_LIMIT);
    let fetcher = Fetcher::new(asker, store.clone(), never, revisions, metrics, clock.clone(), None);
    let uses = UseLog::open(folder.join("uses"), writer, clock, told);
    let limits = AnswerLimits {
        cell_limit: CELL_LIMIT,
        page_rows: u64::MAX,
        max_rows: u64::MAX,
        wait: Duration::from_secs(3600),
        chunks_ahead: 2,
    };
    (store, Answerer { fetcher, uses, limits })
}

/// An upstream that has nothing: everything is stored.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl Updates for Nobody {
    async fn keep_fresh(&self) {}

    fn update_latest(&self, _: &MeasurementId) -> Option<NaiveDate> {
        None
    }

    async fn look_up(&self) -> bool {
        true
    }

    fn outdated(&self, _: &MeasurementId) {}

    async fn has_changed(&self, _: &Measurement) -> bool {
        false
    }
}

#[async_trait]
impl Upstream for Nobody {
    async fn subjects(&self) -> Result<Subjects, UpstreamError> {
        unreachable!("nothing is asked for")
    }

    async fn tables(&self) -> Result<Tables, UpstreamError> {
        unreachable!("nothing is asked for")
    }

    async fn table(&self, _: &MeasurementId, _: Urgency) -> Result<Table, UpstreamError> {
        unreachable!("nothing is asked for")
    }

    async fn data_for(&self, _: &Caller, request: &DataRequest) -> Result<DataTable, UpstreamError> {
        unreachable!("everything is stored, but this was asked for: {request:?}")
    }
}
