//! The table, what the upstream would answer of it, and that answer as a block.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use fastrand::Rng;
use jobindsats_bridge::catalogue::area::{AREA_DIMENSION, AreaKind, COUNTRY_NAME, official_places};
use jobindsats_bridge::catalogue::dimension::{Dimension, HierarchySource, LevelSource, ROOT};
use jobindsats_bridge::catalogue::id::{
    DimensionId, HierarchyId, LevelId, MeasureGroupId, MeasureId, MeasurementId, MemberPath, PeriodTypeId,
};
use jobindsats_bridge::catalogue::measure::{Measure, Unit};
use jobindsats_bridge::catalogue::measurement::{Measurement, PeriodType};
use jobindsats_bridge::catalogue::period::{Period, PeriodKind};
use jobindsats_bridge::fetch::join::join;
use jobindsats_bridge::plan::chunk::Chunk;
use jobindsats_bridge::store::block::{CellBlock, Revision};
use jobindsats_bridge::upstream::data::DataTable;

/// Two counts, a share and an average.
const MEASURES: [&str; 4] =
    ["Antal personer", "Antal fuldtidspersoner", "Personer i pct. af befolkningen", "Gnsn. varighed (uger)"];
const AGES: [&str; 10] = [
    "16-19 år",
    "20-24 år",
    "25-29 år",
    "30-34 år",
    "35-39 år",
    "40-44 år",
    "45-49 år",
    "50-54 år",
    "55-59 år",
    "60 år og derover",
];
/// The year of the newest month.
const NEWEST: usize = 2026;
/// One figure of so many is hidden.
const HIDDEN: u32 = 20;

/// When everything was fetched, and when it is asked for.
#[must_use]
pub fn read_at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_789_455_600, 0).unwrap()
}

/// So many months × 100 areas × 3 × 11, with four figures in each row.
#[must_use]
pub fn measurement(months: usize) -> Measurement {
    let month = PeriodTypeId::from("M");
    let id = |ago: usize| format!("{}M{:02}", NEWEST - ago / 12, 12 - ago % 12);
    Measurement {
        id: MeasurementId::from("y99a01"),
        title: "Antal personer".to_owned(),
        measures: MEASURES.iter().enumerate().map(measure).collect(),
        periods: (0..months).map(|ago| Period::new(&month, &id(ago))).collect(),
        period_types: vec![PeriodType { id: month, kind: PeriodKind::Month, label: "Måned".to_owned() }],
        dimensions: vec![
            dimension(AREA_DIMENSION, "Område", COUNTRY_NAME, areas()),
            dimension("_kon", "Køn", "Begge køn", vec!["Mænd", "Kvinder"]),
            dimension("_alder", "Alder", "Alder i alt", AGES.to_vec()),
        ],
    }
}

fn measure((at, heading): (usize, &&str)) -> Measure {
    Measure {
        id: MeasureId::from(format!("m{at}")),
        source_id: MeasureId::from(format!("m{at}")),
        group_id: MeasureGroupId::from(format!("g{at}")),
        group_label: (*heading).to_owned(),
        label: (*heading).to_owned(),
        heading: (*heading).to_owned(),
        unit: Unit::stated_by(heading),
    }
}

/// The municipalities, and those of unknown address.
fn areas() -> Vec<&'static str> {
    let places = official_places().iter().filter(|place| place.kind == AreaKind::Municipality);
    places.map(|place| place.name).chain(["Uoplyst kommune"]).collect()
}

/// A dimension of one hierarchy that lists its total.
fn dimension(id: &str, label: &str, total: &str, parts: Vec<&str>) -> Dimension {
    let level = |id: &str, values: Vec<(MemberPath, String)>| LevelSource {
        id: LevelId::from(id),
        label: label.to_owned(),
        values,
    };
    let part = |(at, label): (usize, &str)| (MemberPath::from(format!("/{at}/")), label.to_owned());
    let levels = vec![
        level("total", vec![(MemberPath::from(ROOT), total.to_owned())]),
        level("parts", (1..).zip(parts).map(part).collect()),
    ];
    let source = HierarchySource { id: HierarchyId::from(id), label: label.to_owned(), levels };
    Dimension::new(DimensionId::from(id), label.to_owned(), vec![source], true)
}

/// What the upstream would answer: the same for the same chunk.
#[must_use]
pub fn body(measurement: &Measurement, chunk: &Chunk) -> Vec<u8> {
    let mut rng = Rng::with_seed(chunk.periods[0] as u64);
    let mut body = String::from("{\"columns\":[\"Periode\"");
    let dimensions = chunk.dimensions.iter().map(|part| &measurement.dimensions[part.dimension].label);
    let measures = chunk.measures.iter().map(|&measure| &measurement.measures[measure].heading);
    dimensions.chain(measures).for_each(|heading| write!(body, ",\"{heading}\"").unwrap());
    body.push_str("],\"rows\":[");
    let mut labels = vec![String::new()];
    for part in &chunk.dimensions {
        let members = &measurement.dimensions[part.dimension].members;
        let with = |before: &String| {
            let label = |&member: &usize| format!("{before},\"{}\"", members[member].label);
            part.members.iter().map(label).collect::<Vec<_>>()
        };
        labels = labels.iter().flat_map(with).collect();
    }
    for &period in &chunk.periods {
        for labels in &labels {
            write!(body, "[\"{}\"{labels}", measurement.periods[period].id.as_str()).unwrap();
            chunk.measures.iter().for_each(|&measure| write_figure(&mut body, measure, &mut rng));
            body.push_str("],");
        }
    }
    body.pop();
    body.push_str("]}");
    body.into_bytes()
}

/// Counts are mostly small and seldom large, shares and averages have one decimal.
fn write_figure(body: &mut String, measure: usize, rng: &mut Rng) {
    let digits = rng.u32(3..18);
    let written = match measure {
        _ if rng.u32(..HIDDEN) == 0 => write!(body, ",null"),
        0 | 1 => write!(body, ",{}", rng.u32(..1 << digits)),
        _ => write!(body, ",{}.{}", rng.u32(..100), rng.u32(..10)),
    };
    written.unwrap();
}

/// The answer with ids in place of labels, as it is stored.
#[must_use]
pub fn block(measurement: &Measurement, chunk: &Chunk, body: &[u8]) -> CellBlock {
    let table = DataTable::parse(body, 1 + chunk.dimensions.len(), chunk.measures.len()).unwrap();
    let joined = join(measurement, chunk, &chunk.periods, &table, &HashMap::new()).unwrap();
    let updated = chunk.periods.iter().map(|&period| (measurement.periods[period].id.clone(), read_at()));
    let updated: BTreeMap<_, _> = updated.collect();
    let (revision, fetched_at) = (Revision::of(None), read_at());
    CellBlock::new(joined.cells, revision, fetched_at, updated)
}
