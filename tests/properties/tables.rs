//! Random tables: several hierarchies, duplicate labels, only children, dimensions without a total, several period types.

use jobindsats_bridge::catalogue::dimension::{Dimension, HierarchySource, LevelSource};
use jobindsats_bridge::catalogue::id::{
    DimensionId, HierarchyId, LevelId, MeasureGroupId, MeasureId, MeasurementId, MemberPath, PeriodTypeId,
};
use jobindsats_bridge::catalogue::measure::Measure;
use jobindsats_bridge::catalogue::measurement::{Measurement, PeriodType};
use jobindsats_bridge::catalogue::period::{Period, PeriodKind};
use jobindsats_bridge::plan::selection::{Members, Selection};
use proptest::prelude::*;
use proptest::sample::Index;

const PLACES: [&str; 6] = ["Aarhus", "Odense", "Aalborg", "Randers", "Viborg", "Horsens"];
const REGIONS: [&str; 3] = ["Region Midtjylland", "Region Syddanmark", "Region Nordjylland"];
const LABELS: [&str; 5] = ["Handel", "Industri", "Byggeri", "Øvrige", "Uoplyst"];

/// Rows of a selection, so that each can be looked at; a single period may have more.
const MOST_ROWS: usize = 2000;

/// A table with a selection of its cells.
#[derive(Debug, Clone)]
pub struct TableSelection {
    pub table: Measurement,
    pub selection: Selection,
}

fn level(id: &str, values: Vec<(String, String)>) -> LevelSource {
    let values = values.into_iter().map(|(path, label)| (MemberPath::from(path), label)).collect();
    LevelSource { id: LevelId::from(id), label: id.to_owned(), values }
}

fn hierarchy(id: &str, levels: Vec<LevelSource>) -> HierarchySource {
    HierarchySource { id: HierarchyId::from(id), label: id.to_owned(), levels }
}

fn numbered(names: &[&str], first: usize) -> Vec<(String, String)> {
    let path = |(index, name): (usize, &&str)| (format!("/{}/", index + first), (*name).to_owned());
    names.iter().enumerate().map(path).collect()
}

/// Area hierarchies in random combinations: municipalities, regions, or both in one hierarchy.
fn areas() -> impl Strategy<Value = Dimension> {
    (1..8_u8, 1..=PLACES.len(), 1..=REGIONS.len()).prop_map(|(which, places, regions)| {
        let mut sources = Vec::new();
        if which & 1 > 0 {
            let mut all = numbered(&PLACES[..places], 1);
            all.push(("/99/".to_owned(), "Uoplyst område".to_owned()));
            sources.push(hierarchy("_nykom", vec![level("kommune", all)]));
        }
        if which & 2 > 0 {
            sources.push(hierarchy("_region", vec![level("region", numbered(&REGIONS[..regions], 1))]));
        }
        if which & 4 > 0 {
            let below = |(path, name): (String, String)| (format!("/1{path}"), name);
            let places = numbered(&PLACES[..places], 1).into_iter().map(below).collect();
            let levels = vec![level("region", numbered(&REGIONS[..regions], 1)), level("kommune", places)];
            sources.push(hierarchy("_reko", levels));
        }
        Dimension::new(DimensionId::from("_omrade"), "Område".to_owned(), sources, true)
    })
}

/// A tree of two layers, labels from a short list so that many are doubled; wide ones would make too long an address.
fn theme(number: usize) -> impl Strategy<Value = Dimension> {
    let children = prop::collection::vec(prop::collection::vec(0..LABELS.len(), 0..3), 1..5);
    let labels = prop::collection::vec(0..LABELS.len(), 5);
    let wide = prop_oneof![4 => Just(0_usize), 1 => 80..110_usize];
    (children, labels, wide, any::<bool>(), any::<bool>()).prop_map(
        move |(tree, labels, wide, doubled, has_total)| {
            let label = |index: usize, at: usize| {
                if doubled { LABELS[index].to_owned() } else { format!("{} {at}", LABELS[index]) }
            };
            let mut first: Vec<_> =
                (0..tree.len()).map(|at| (format!("/{}/", at + 1), label(labels[at], at))).collect();
            first.extend((0..wide).map(|at| (format!("/{}/", at + 100), format!("Fag {at}"))));
            let below = tree.iter().enumerate().flat_map(|(parent, children)| {
                let of = move |(at, &index): (usize, &usize)| {
                    (format!("/{}/{}/", parent + 1, at + 1), label(index, parent * 10 + at))
                };
                children.iter().enumerate().map(of).collect::<Vec<_>>()
            });
            let id = format!("_tema{number}");
            let levels = vec![level("lag1", first), level("lag2", below.collect())];
            Dimension::new(
                DimensionId::from(id.as_str()),
                id.clone(),
                vec![hierarchy(&id, levels)],
                has_total,
            )
        },
    )
}

pub fn periods(months: usize, quarters: usize) -> Vec<Period> {
    let month = |at: usize| {
        Period::new(&PeriodTypeId::from("M"), &format!("{:04}M{:02}", 2000 + at / 12, at % 12 + 1))
    };
    let quarter =
        |at: usize| Period::new(&PeriodTypeId::from("Q"), &format!("{:04}Q{:02}", 2000 + at / 4, at % 4 + 1));
    let mut periods: Vec<_> = (0..months).map(month).chain((0..quarters).map(quarter)).collect();
    periods.sort_by_key(Period::newest_first);
    periods
}

fn measure(number: usize) -> Measure {
    let label = format!("Antal {number}");
    Measure {
        id: MeasureId::from(format!("m{number}")),
        source_id: MeasureId::from(format!("m{number}")),
        group_id: MeasureGroupId::from(format!("g{number}")),
        group_label: label.clone(),
        label: label.clone(),
        heading: label,
        unit: None,
    }
}

fn table() -> impl Strategy<Value = Measurement> {
    let themes = (0..3_usize).prop_flat_map(|count| (0..count).map(theme).collect::<Vec<_>>());
    (areas(), themes, 1..150_usize, 0..9_usize, 1..4_usize).prop_map(
        |(areas, themes, months, quarters, measures)| Measurement {
            id: MeasurementId::from("y99a01"),
            title: "Prøve".to_owned(),
            measures: (0..measures).map(measure).collect(),
            period_types: [("M", PeriodKind::Month), ("Q", PeriodKind::Quarter)]
                .map(|(id, kind)| PeriodType { id: PeriodTypeId::from(id), kind, label: id.to_owned() })
                .to_vec(),
            periods: periods(months, quarters),
            dimensions: [areas].into_iter().chain(themes).collect(),
        },
    )
}

/// Some of a list, in order; often all.
fn some(count: usize) -> impl Strategy<Value = Vec<usize>> {
    let few = prop::collection::vec(any::<Index>(), 1..6).prop_map(move |picked| {
        let mut list: Vec<_> = picked.iter().map(|index| index.index(count)).collect();
        list.sort_unstable();
        list.dedup();
        list
    });
    let most = any::<Index>().prop_map(move |left_out| {
        (0..count).filter(|&at| count == 1 || at != left_out.index(count)).collect::<Vec<_>>()
    });
    prop_oneof![Just((0..count).collect::<Vec<_>>()), few, most]
}

pub fn cases() -> impl Strategy<Value = TableSelection> {
    table().prop_flat_map(|table| {
        let members = |dimension: &Dimension| {
            let named = some(dimension.members.len()).prop_map(Members::Named);
            let may_rest = !dimension.is_area() && dimension.total().is_some();
            let rests = if may_rest { 1 } else { 0 };
            prop_oneof![3 => named, rests => Just(Members::Unnamed)]
        };
        let members: Vec<_> = table.dimensions.iter().map(members).collect();
        let measures = (0..table.measures.len()).collect::<Vec<_>>();
        (some(table.periods.len()), members).prop_map(move |(mut periods, members)| {
            let rows_per_period: usize = members.iter().map(Members::len).product();
            periods.truncate((MOST_ROWS / rows_per_period.max(1)).max(1));
            let selection = Selection { periods, members, measures: measures.clone() };
            TableSelection { selection, table: table.clone() }
        })
    })
}
