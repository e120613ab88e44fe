//! A fake source of figures: one table of three municipalities, one region and the country, whose figures, dates and faults a test
//! sets.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Decimal128Array, DictionaryArray, RecordBatch};
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use jobindsats_bridge::catalogue::dimension::{Dimension, HierarchySource, LevelSource};
use jobindsats_bridge::catalogue::id::{
    DimensionId, HierarchyId, LevelId, MeasureGroupId, MeasureId, MeasurementId, MemberPath, PeriodTypeId,
};
use jobindsats_bridge::catalogue::measure::{Measure, Unit};
use jobindsats_bridge::catalogue::measurement::{Caveats, Measurement, MeasurementHead, PeriodType};
use jobindsats_bridge::catalogue::period::{Period, PeriodKind};
use jobindsats_bridge::catalogue::value::{FIGURE_SCALE, to_stored};
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::indicators::collector::Collector;
use jobindsats_bridge::indicators::definition::Definitions;
use jobindsats_bridge::indicators::source::{FigureSource, SourceError};
use jobindsats_bridge::observe::metrics::Metrics;
use jobindsats_bridge::observe::news::Announcements;
use jobindsats_bridge::observe::upstream_observer::FailureReason;
use jobindsats_bridge::plan::selection::{Members, Selection};
use jobindsats_bridge::store::block::{CellBlock, PERIOD_COLUMN, Revision, SharedBlock};
use jobindsats_bridge::store::revisions::RevisionLog;
use jobindsats_bridge::store::writer::DiskWriter;

/// Members of the area dimension, by id.
pub const COUNTRY: &str = "T";
pub const KOEGE: &str = "reko.1.1";
pub const AARHUS: &str = "nykom.7";
pub const LAESOE: &str = "nykom.8";
pub const NEW_REGION: &str = "reko.2";

/// The measures' headings, in order.
pub const MEASURES: [&str; 5] = [
    "Antal personer",
    "Personer i pct. af arbejdsstyrken",
    "Gnsn. varighed (uger)",
    "Type: Personer i alt",
    "Sats: Personer i alt",
];

pub fn measurement() -> Arc<Measurement> {
    let period_types = [("M", PeriodKind::Month, "Måned"), ("Q", PeriodKind::Quarter, "Kvartal")];
    let ids = ["2026M06", "2026Q02", "2026M05", "2026M04", "2025M06"];
    let type_of = |id: &str| PeriodTypeId::from(&id[4..5]);
    Arc::new(Measurement {
        id: MeasurementId::from("y99a02"),
        title: "Personer".to_owned(),
        measures: MEASURES.iter().enumerate().map(|(index, heading)| measure(index, heading)).collect(),
        period_types: period_types
            .map(|(id, kind, label)| PeriodType { id: PeriodTypeId::from(id), kind, label: label.to_owned() })
            .to_vec(),
        periods: ids.iter().map(|id| Period::new(&type_of(id), id)).collect(),
        dimensions: vec![areas(), sexes(), pay_without_total()],
    })
}

fn measure(index: usize, heading: &str) -> Measure {
    Measure {
        id: MeasureId::from(format!("m_{index}")),
        source_id: MeasureId::from(format!("m_{index}")),
        group_id: MeasureGroupId::from(format!("g_{index}")),
        group_label: heading.to_owned(),
        label: heading.rsplit(": ").next().unwrap().to_owned(),
        heading: heading.to_owned(),
        unit: Unit::stated_by(heading),
    }
}

fn areas() -> Dimension {
    let both = hierarchy(
        "_reko",
        &[
            ("Region", &[("/1/", "Region Sjælland"), ("/2/", "Region Østdanmark")]),
            ("Kommune", &[("/1/1/", "Køge")]),
        ],
    );
    let municipalities =
        hierarchy("_nykom", &[("Kommune", &[("/7/", "Aarhus"), ("/8/", "Læsø"), ("/9/", "Uoplyst område")])]);
    Dimension::new(DimensionId::from("_omrade"), "Område".to_owned(), vec![municipalities, both], true)
}

fn sexes() -> Dimension {
    let source = hierarchy("_kon", &[("Køn", &[("/1/", "Mænd"), ("/2/", "Kvinder")])]);
    Dimension::new(DimensionId::from("_kon"), "Køn".to_owned(), vec![source], true)
}

fn pay_without_total() -> Dimension {
    let source = hierarchy("_sats", &[("Sats", &[("/1/", "Grundsats"), ("/2/", "Forhøjet sats")])]);
    Dimension::new(DimensionId::from("_sats"), "Sats".to_owned(), vec![source], false)
}

fn hierarchy(id: &str, levels: &[(&str, &[(&str, &str)])]) -> HierarchySource {
    let level = |(label, values): &(&str, &[(&str, &str)])| LevelSource {
        id: LevelId::from(label.to_lowercase()),
        label: (*label).to_owned(),
        values: values.iter().map(|(path, label)| (MemberPath::from(*path), (*label).to_owned())).collect(),
    };
    HierarchySource {
        id: HierarchyId::from(id),
        label: id.to_owned(),
        levels: levels.iter().map(level).collect(),
    }
}

/// Figures by area and period; `None` is a row without a figure, and what is not there is no row.
pub type Cells = BTreeMap<(&'static str, &'static str), Option<f64>>;

/// What the databank would answer now.
#[derive(Debug)]
pub struct Databank {
    pub measurement: Arc<Measurement>,
    pub cells: Cells,
    pub update_latest: Option<NaiveDate>,
    pub update_next: Option<NaiveDate>,
    pub fault: Option<FailureReason>,
    /// Time that passes each time figures are read.
    pub takes: Duration,
    /// How long ago the figures were fetched; they come from the store.
    pub stored_for: Duration,
    /// How often figures were read.
    pub reads: usize,
    /// How many times they can be read; then no answer comes.
    pub answers: usize,
    pub selections: Vec<Selection>,
}

/// A source whose databank a test can change at any time.
#[derive(Debug, Clone)]
pub struct FakeSource {
    pub databank: Arc<Mutex<Databank>>,
    clock: Clock,
}

impl FakeSource {
    pub fn new(clock: &Clock) -> Self {
        let cells = Cells::from([
            ((COUNTRY, "2026M06"), Some(81_234.0)),
            ((COUNTRY, "2026M05"), Some(80_000.0)),
            ((COUNTRY, "2025M06"), Some(100_000.0)),
            ((AARHUS, "2026M06"), Some(9_876.0)),
            ((AARHUS, "2026M05"), Some(9_000.0)),
            ((KOEGE, "2026M06"), None),
            ((KOEGE, "2026M05"), Some(700.0)),
            ((LAESOE, "2026M06"), Some(12.0)),
            ((LAESOE, "2026M05"), Some(0.0)),
            ((NEW_REGION, "2026M06"), Some(50_000.0)),
        ]);
        let databank = Databank {
            measurement: measurement(),
            cells,
            update_latest: NaiveDate::from_ymd_opt(2026, 7, 27),
            update_next: NaiveDate::from_ymd_opt(2026, 8, 31),
            fault: None,
            takes: Duration::from_millis(1500),
            stored_for: Duration::ZERO,
            reads: 0,
            answers: usize::MAX,
            selections: Vec::new(),
        };
        Self { databank: Arc::new(Mutex::new(databank)), clock: clock.clone() }
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut Databank) -> T) -> T {
        change(&mut self.databank.lock().unwrap())
    }

    fn answer<T>(&self, answer: impl FnOnce(&mut Databank) -> T) -> Result<T, SourceError> {
        let mut databank = self.databank.lock().unwrap();
        match databank.fault {
            Some(reason) => Err(SourceError { reason, message: "databanken svarer ikke".to_owned() }),
            None => Ok(answer(&mut databank)),
        }
    }
}

#[async_trait]
impl FigureSource for FakeSource {
    async fn head(&self, table: &MeasurementId) -> Result<Arc<MeasurementHead>, SourceError> {
        self.answer(|databank| {
            Arc::new(MeasurementHead {
                caveats: Caveats::default(),
                id: table.clone(),
                title: "Personer".to_owned(),
                subject: "Ledighed".to_owned(),
                subject_id: None,
                group: String::new(),
                page_url: None,
                update_frequency: None,
                update_latest: databank.update_latest,
                update_next: databank.update_next,
                period_types: Vec::new(),
            })
        })
    }

    async fn measurement(&self, _table: &MeasurementId) -> Result<Arc<Measurement>, SourceError> {
        self.answer(|databank| Arc::clone(&databank.measurement))
    }

    async fn cells(
        &self,
        measurement: &Arc<Measurement>,
        selection: &Selection,
    ) -> Result<Vec<SharedBlock>, SourceError> {
        if self.change(|databank| databank.reads >= databank.answers) {
            std::future::pending::<()>().await;
        }
        self.answer(|databank| {
            databank.reads += 1;
            databank.selections.push(selection.clone());
            self.clock.advance(databank.takes);
            blocks(databank, measurement, selection, self.clock.now() - databank.stored_for)
        })
    }
}

/// The selected cells, the country's and those of other areas in blocks of their own, as hierarchies are asked for apart.
fn blocks(
    databank: &Databank,
    measurement: &Measurement,
    selection: &Selection,
    fetched_at: DateTime<Utc>,
) -> Vec<SharedBlock> {
    let periods: Vec<_> =
        selection.periods.iter().map(|&index| measurement.periods[index].id.as_str()).collect();
    let areas: Option<Vec<_>> = match &selection.members[0] {
        Members::Unnamed | Members::AtTotal => None,
        Members::Named(indexes) => Some(
            indexes.iter().map(|&index| measurement.dimensions[0].members[index].id.to_string()).collect(),
        ),
    };
    let wanted = |area: &str, period: &str| {
        let in_areas = areas.as_ref().map_or(area == COUNTRY, |areas| areas.iter().any(|it| it == area));
        in_areas && periods.contains(&period)
    };
    let rows = || databank.cells.iter().filter(|((area, period), _)| wanted(area, period));
    let (country, others): (Vec<_>, Vec<_>) = rows().partition(|((area, _), _)| *area == COUNTRY);
    let name = measurement.measures[selection.measures[0]].id.as_str();
    [country, others]
        .into_iter()
        .map(|rows| block(&rows, areas.is_some(), name, databank.update_latest, fetched_at))
        .collect()
}

fn block(
    rows: &[(&(&'static str, &'static str), &Option<f64>)],
    with_areas: bool,
    measure: &str,
    update_latest: Option<NaiveDate>,
    fetched_at: DateTime<Utc>,
) -> SharedBlock {
    let ids =
        |column: Vec<&str>| Arc::new(column.into_iter().collect::<DictionaryArray<Int32Type>>()) as ArrayRef;
    let mut columns = vec![(PERIOD_COLUMN, ids(rows.iter().map(|((_, period), _)| *period).collect()))];
    if with_areas {
        columns.push(("_omrade", ids(rows.iter().map(|((area, _), _)| *area).collect())));
    }
    let stored = |figure: f64| to_stored(figure.to_string().parse().unwrap()).unwrap();
    let figures: Decimal128Array = rows.iter().map(|(_, figure)| figure.map(stored)).collect();
    let figures = figures.with_precision_and_scale(38, i8::try_from(FIGURE_SCALE).unwrap()).unwrap();
    columns.push((measure, Arc::new(figures)));
    let cells =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, it)| (name, it, true)));
    let revision = Revision::of(update_latest);
    Arc::new(CellBlock::new(cells.unwrap(), revision, fetched_at, BTreeMap::new()))
}

/// A definition's JSON, with fields changed or added.
pub fn definition(changes: serde_json::Value) -> serde_json::Value {
    let mut definition = serde_json::json!({
        "id": "personer", "title": "Personer", "table": "y99a02", "measure": "Antal personer",
        "period_type": "M", "quantity": "persons", "members": { "_sats": "Grundsats" }
    });
    let fields = definition.as_object_mut().unwrap();
    fields.extend(changes.as_object().unwrap().clone());
    definition
}

pub fn definitions(all: &[serde_json::Value]) -> Definitions {
    Definitions::parse(&serde_json::json!({ "indicators": all }).to_string(), 20_000).unwrap()
}

pub fn noon() -> DateTime<Utc> {
    "2026-07-28T10:00:00Z".parse().unwrap()
}

/// A collector over a fake source, at a time that stands still.
pub fn collector(all: &[serde_json::Value], folder: &Path) -> (FakeSource, Clock, Collector) {
    let clock = Clock::fixed(noon());
    let source = FakeSource::new(&clock);
    let collector = start(&source, &clock, all, folder);
    (source, clock, collector)
}

pub fn start(source: &FakeSource, clock: &Clock, all: &[serde_json::Value], folder: &Path) -> Collector {
    start_with_log(source, clock, all, folder).0
}

/// A collector and the log that it notes revisions in.
pub fn start_with_log(
    source: &FakeSource,
    clock: &Clock,
    all: &[serde_json::Value],
    folder: &Path,
) -> (Collector, RevisionLog) {
    let file = folder.join("simulator").join("indicators.json");
    let metrics = Arc::new(Metrics::new("0", "0").unwrap());
    let log = RevisionLog::open(
        folder.join("revisions.json"),
        DiskWriter::start().unwrap(),
        metrics,
        Announcements::default(),
    );
    let (source, definitions) = (Arc::new(source.clone()), definitions(all));
    (Collector::start(source, clock.clone(), "simulator", &definitions, file, log.clone()), log)
}

/// The lines of the present rendering that begin so.
pub fn lines(collector: &Collector, start: &str) -> Vec<String> {
    let text = String::from_utf8(collector.published().rendered.text.to_vec()).unwrap();
    text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}

/// The value of the one sample whose line begins so.
pub fn sample(collector: &Collector, start: &str) -> f64 {
    let found = lines(collector, start);
    assert_eq!(found.len(), 1, "{start}: {found:?}");
    found[0].rsplit(' ').next().unwrap().parse().unwrap()
}
