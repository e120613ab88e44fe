//! Looking up a definition's names in its table.

use std::collections::BTreeMap;
use std::sync::Arc;

use jobindsats_bridge::catalogue::Catalogue;
use jobindsats_bridge::indicators::quantity::AreaLevel;
use jobindsats_bridge::indicators::resolve::{Fault, ResolvedIndicator, check, resolve};
use jobindsats_bridge::plan::selection::Members;
use serde_json::json;

use super::fake;

fn resolved(changes: serde_json::Value) -> Result<ResolvedIndicator, Fault> {
    let definitions = fake::definitions(&[fake::definition(changes)]);
    let definition = definitions.iter().next().unwrap();
    resolve(definition, &fake::measurement()).map_err(|error| error.fault)
}

fn message(changes: serde_json::Value) -> String {
    resolved(changes).unwrap_err().to_string()
}

#[test]
fn names_become_indexes_and_totals_stay_unnamed() {
    let indicator = resolved(json!({ "members": { "_sats": "Forhøjet sats", "_kon": "T" } })).unwrap();
    let selection = &indicator.selection;
    assert_eq!(indicator.measure, 0);
    assert_eq!(selection.periods, [0, 2, 3, 4], "quarters are not months");
    assert_eq!(selection.members[1..], [Members::Unnamed, Members::Named(vec![1])]);
    assert!(matches!(&selection.members[0], Members::Named(areas) if areas.len() == 6), "{selection:?}");
}

#[test]
fn areas_come_by_level_and_code_and_unknown_places_are_none() {
    let indicator = resolved(json!({})).unwrap();
    let areas: Vec<_> = indicator
        .areas
        .iter()
        .map(|area| (area.level.word(), area.code.as_str(), area.name.as_str()))
        .collect();
    assert_eq!(
        areas,
        [
            ("country", "000", "Hele landet"),
            ("region", "1085", "Region Sjælland"),
            ("region", fake::NEW_REGION, "Region Østdanmark"),
            ("municipality", "259", "Køge"),
            ("municipality", "751", "Aarhus"),
            ("municipality", "825", "Læsø"),
        ]
    );
}

#[test]
fn the_country_alone_is_named_as_well() {
    let indicator = resolved(json!({ "levels": ["country"] })).unwrap();
    assert_eq!(indicator.selection.members[0], Members::Named(vec![0]), "an area is always named");
    assert_eq!(indicator.areas.iter().map(|area| area.level).collect::<Vec<_>>(), [AreaLevel::Country]);
}

#[test]
fn a_measure_is_found_by_heading_label_or_id_in_any_case() {
    for (name, index) in [("antal PERSONER", 0), ("m_0", 0), ("Type: Personer i alt", 3), ("m_4", 4)] {
        assert_eq!(resolved(json!({ "measure": name })).unwrap().measure, index, "{name}");
    }
    let ambiguous = message(json!({ "measure": "Personer i alt" }));
    assert!(ambiguous.contains("`Type: Personer i alt`, `Sats: Personer i alt`"), "{ambiguous}");
}

#[test]
fn what_the_table_does_not_have_is_refused_with_what_was_probably_meant() {
    let cases = [
        (json!({ "measure": "Antal person" }), "did you mean `Antal personer`?"),
        (json!({ "measure": "Noget helt andet" }), "it has `Antal personer`, "),
        (json!({ "period_type": "Y" }), "it has `M`, `Q`"),
        (json!({ "members": { "_sats": "1", "_koen": "1" } }), "did you mean `_kon`?"),
        (json!({ "members": { "_sats": "1", "_kon": "Mand" } }), "did you mean `Mænd`?"),
        (
            json!({ "members": {} }),
            "`_sats` has no total: choose one of its members in `members`; it has `Grundsats`",
        ),
        (json!({ "members": { "_sats": "1", "_omrade": "T" } }), "choose `levels`"),
    ];
    for (changes, expected) in cases {
        let message = message(changes.clone());
        assert!(message.contains(expected), "{changes}: {message}");
    }
}

#[test]
fn a_family_never_mixes_units() {
    let percent = message(json!({ "measure": "Personer i pct. af arbejdsstyrken" }));
    assert!(percent.contains("is in %, which is not `persons`"), "{percent}");
    let weeks = message(json!({ "measure": "Gnsn. varighed (uger)", "quantity": "fraction" }));
    assert!(weeks.contains("is in uger, which is not `fraction`"), "{weeks}");
    assert!(resolved(json!({ "measure": "Gnsn. varighed (uger)", "quantity": "weeks" })).is_ok());
}

#[test]
fn a_level_that_is_asked_for_must_exist_but_all_may_be_left_to_the_table() {
    let mut table = jobindsats_bridge::catalogue::measurement::Measurement::clone(&fake::measurement());
    let only_total = jobindsats_bridge::catalogue::dimension::Dimension::new(
        "_omrade".into(),
        "Område".to_owned(),
        vec![jobindsats_bridge::catalogue::dimension::HierarchySource {
            id: "_hele_landet".into(),
            label: "Hele landet".to_owned(),
            levels: Vec::new(),
        }],
        true,
    );
    table.dimensions[0] = only_total;
    let table = Arc::new(table);
    let definitions = fake::definitions(&[
        fake::definition(json!({})),
        fake::definition(json!({ "id": "b", "levels": ["country", "region"] })),
    ]);
    let outcomes: Vec<_> = definitions.iter().map(|one| resolve(one, &table)).collect();
    assert_eq!(outcomes[0].as_ref().unwrap().areas.len(), 1);
    let error = outcomes[1].as_ref().unwrap_err().to_string();
    assert!(
        error.contains("`b` on table `y99a02`") && error.contains("`region`; the table has `country`"),
        "{error}"
    );
}

#[test]
fn a_check_names_every_wrong_indicator_as_far_as_the_catalogue_is_read() {
    let measurement = fake::measurement();
    let clock = jobindsats_bridge::clock::Clock::fixed(fake::noon());
    let source: Arc<dyn jobindsats_bridge::indicators::source::FigureSource> =
        Arc::new(fake::FakeSource::new(&clock));
    let head = futures_util::FutureExt::now_or_never(source.head(&measurement.id)).unwrap().unwrap();
    let unread = "y98a02".into();
    let catalogue = Catalogue {
        heads: BTreeMap::from([(measurement.id.clone(), Arc::clone(&head)), (unread, head)]),
        measurements: BTreeMap::from([(measurement.id.clone(), measurement)]),
        ..Catalogue::default()
    };
    let definitions = fake::definitions(&[
        fake::definition(json!({ "table": "Y99A02" })),
        fake::definition(json!({ "id": "renamed", "measure": "Antal hoveder" })),
        fake::definition(json!({ "id": "unread", "table": "y98a02", "measure": "?" })),
        fake::definition(json!({ "id": "retired", "table": "y99a03" })),
    ]);
    let wrong = check(&definitions, &catalogue);
    let ids: Vec<_> = wrong.iter().map(|error| error.indicator.as_str()).collect();
    assert_eq!(ids, ["renamed", "retired"]);
    assert!(wrong[1].to_string().contains("no such table; did you mean `y99a02`?"), "{}", wrong[1]);
    assert_eq!(check(&definitions, &Catalogue::default()), [], "an empty catalogue says nothing");
}
