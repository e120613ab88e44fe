//! A measurement with every peculiarity that tables can have.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use jobindsats_bridge::catalogue::Catalogue;
use jobindsats_bridge::catalogue::dimension::{Dimension, HierarchySource, LevelSource};
use jobindsats_bridge::catalogue::id::{DimensionId, MeasurementId, PeriodTypeId};
use jobindsats_bridge::catalogue::measure::{Measure, Unit};
use jobindsats_bridge::catalogue::measurement::{Caveats, Measurement, MeasurementHead, PeriodType, Subject};
use jobindsats_bridge::catalogue::period::{Period, PeriodKind};
use jobindsats_bridge::feed::Feed;
use jobindsats_bridge::feed::origin::Origin;
use jobindsats_bridge::feed::registry::NameRegistry;
use jobindsats_bridge::feed::table_feed::table_feed;

pub fn hierarchy(id: &str, levels: &[(&str, &[(&str, &str)])]) -> HierarchySource {
    let level = |(label, values): &(&str, &[(&str, &str)])| LevelSource {
        id: label.to_lowercase().into(),
        label: (*label).to_owned(),
        values: values.iter().map(|(path, label)| ((*path).into(), (*label).to_owned())).collect(),
    };
    HierarchySource {
        id: id.into(),
        label: id.trim_start_matches('_').to_owned(),
        levels: levels.iter().map(level).collect(),
    }
}

pub fn dimension(id: &str, label: &str, values: &[(&str, &str)], has_total: bool) -> Dimension {
    let hierarchy = hierarchy(id, &[("Gruppe", values)]);
    Dimension::new(DimensionId::from(id), label.to_owned(), vec![hierarchy], has_total)
}

pub fn measure(id: &str, group: &str, label: &str) -> Measure {
    Measure {
        id: id.into(),
        source_id: id.into(),
        group_id: group.into(),
        group_label: format!("Gruppe {group}"),
        label: label.to_owned(),
        heading: label.to_owned(),
        unit: Unit::stated_by(label),
    }
}

pub fn areas() -> Dimension {
    let nykom = hierarchy(
        "_nykom",
        &[
            ("Landet", &[("/", "Hele landet")]),
            ("Kommune", &[("/1/", "København"), ("/2/", "Aarhus"), ("/99/", "Uoplyst område")]),
        ],
    );
    let region =
        hierarchy("_region", &[("Region", &[("/1/", "Region Hovedstaden"), ("/2/", "Region Østdanmark")])]);
    Dimension::new(DimensionId::from("_omrade"), "Area".to_owned(), vec![region, nykom], true)
}

/// Periods of the given types and ids, the newest first.
pub fn periods(ids: &[(&str, &str)]) -> Vec<Period> {
    let mut periods: Vec<_> =
        ids.iter().map(|(type_id, id)| Period::new(&PeriodTypeId::from(*type_id), id)).collect();
    periods.sort_by_key(Period::newest_first);
    periods
}

pub fn period_types(ids: &[(&str, &str)]) -> Vec<PeriodType> {
    let of = |(id, label): &(&str, &str)| PeriodType {
        id: PeriodTypeId::from(*id),
        kind: PeriodKind::of(id),
        label: (*label).to_owned(),
    };
    ids.iter().map(of).collect()
}

/// Sex with a total, duration without one, a status pinned to a member, a label that is a fixed column's, one that is a
/// measure's, none at all, and two that are equal.
pub fn measurement() -> Arc<Measurement> {
    let benefits = hierarchy(
        "_ygrp",
        &[
            ("Gruppe", &[("/1/", "A-dagpenge"), ("/2/", "Kontanthjælp")]),
            ("Ydelse", &[("/2/1/", "Kontanthjælp"), ("/2/2/", "Uddannelseshjælp")]),
        ],
    );
    let mut pinned = dimension("_fase", "Fase (pct.)", &[("/1/", "Før"), ("/2/", "Efter")], true);
    pinned.pinned = pinned.member_index("2");
    Arc::new(Measurement {
        id: MeasurementId::from("y99x01"),
        title: "Prøve: Alt det svære".to_owned(),
        measures: vec![
            measure("meas1", "mgrp1", "Antal personer"),
            measure("meas2", "mgrp1", "Antal fuldtidspersoner"),
            measure("meas3", "mgrp2", "antal personer"),
            measure("meas4", "mgrp2", "Andel i pct. af arbejdsstyrken 16-66 år"),
            measure("meas5", "mgrp3", "16-66 år"),
            measure("meas6", "mgrp3", "Herkomst"),
            measure("meas7", "mgrp3", "Status"),
            measure("meas8", "mgrp3", "Udgift i kr."),
            measure("meas9", "mgrp3", "🙂"),
        ],
        period_types: period_types(&[("Q", "Kvartal"), ("M", "Måned"), ("MYTD", "År til dato")]),
        periods: periods(&[("M", "2026M06"), ("M", "2026M07"), ("Q", "2026Q02"), ("MYTD", "2026MYTD07")]),
        dimensions: vec![
            areas(),
            dimension("_kon", "Køn", &[("/1/", "Kvinder"), ("/2/", "Mænd")], true),
            Dimension::new("_ygrp".into(), "Ydelsesgrupper".to_owned(), vec![benefits], true),
            dimension("_varighed", "Varighed", &[("/1/", "kort"), ("/2/", "lang")], false),
            pinned,
            dimension("_status", "Status", &[("/1/", "Ny")], true),
            dimension("_periode", "Periode", &[("/1/", "Dag")], true),
            dimension("_herkomst", "Herkomst", &[("/1/", "Danmark")], true),
            dimension("_tom", "", &[("/1/", "x")], true),
            dimension("_a", "Alder, år", &[("/1/", "16")], true),
            dimension("_b", "ALDER (ÅR)", &[("/1/", "17")], true),
        ],
    })
}

/// The service of a measurement.
pub fn table(measurement: &Arc<Measurement>) -> Feed {
    let head = head(measurement.id.as_str());
    table_feed(measurement, Some(&head), &simulator(), &mut NameRegistry::default())
}

pub fn head(id: &str) -> MeasurementHead {
    MeasurementHead {
        caveats: Caveats::default(),
        id: MeasurementId::from(id),
        title: "Prøve: Alt det svære".to_owned(),
        subject: "Ledigheds- og jobindikatorer".to_owned(),
        subject_id: Some("17".to_owned()),
        group: "Prøver".to_owned(),
        page_url: None,
        update_frequency: Some("M".to_owned()),
        update_latest: NaiveDate::from_ymd_opt(2026, 8, 14),
        update_next: NaiveDate::from_ymd_opt(2026, 9, 14),
        period_types: vec![
            (PeriodTypeId::from("Q"), "2020Q01".to_owned(), "2026Q02".to_owned()),
            (PeriodTypeId::from("M"), "2020M01".to_owned(), "2026M07".to_owned()),
        ],
    }
}

/// Two tables, of which one has been read.
pub fn catalogue() -> Catalogue {
    let heads = ["y99x01", "y99x02"].map(|id| (MeasurementId::from(id), Arc::new(head(id))));
    let measurement = measurement();
    let subject = |id: &str, label: &str| Subject {
        id: id.to_owned(),
        label: label.to_owned(),
        group: "Ydelser".to_owned(),
    };
    Catalogue {
        unusable: Default::default(),
        subjects: vec![
            subject("17", "Ledigheds- og jobindikatorer"),
            subject("17", "Doublet"),
            subject("18", ""),
        ],
        heads: BTreeMap::from(heads),
        measurements: BTreeMap::from([(measurement.id.clone(), measurement)]),
        read_at: None,
    }
}

pub fn simulator() -> Origin {
    Origin {
        name: "simulator".to_owned(),
        is_simulator: true,
        description: Some("Tallene kommer fra en simulator.".to_owned()),
    }
}
