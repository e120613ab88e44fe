//! A measurement as a typed service: its sets, columns and navigation properties.

mod aggregation;
mod capabilities;
pub mod fixture;
mod integrity;
mod registry;

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use jobindsats_bridge::feed::catalogue_feed::catalogue_feed;
use jobindsats_bridge::feed::column::Fact;
use jobindsats_bridge::feed::registry::NameRegistry;
use jobindsats_bridge::feed::table_feed::table_feed;
use jobindsats_bridge::feed::{CellSource, Extent, Feed, RowSource, Set};

use fixture::table;

fn set<'a>(feed: &'a Feed, name: &str) -> &'a Set {
    &feed.sets[feed.set_index(name).unwrap_or_else(|| panic!("no set {name}"))]
}

fn cells(set: &Set) -> &CellSource {
    match &set.rows {
        RowSource::Cells(source) => source,
        RowSource::List(_) => panic!("{} is a list", set.name),
    }
}

fn list(set: &Set) -> &RecordBatch {
    match &set.rows {
        RowSource::List(batch) => batch,
        RowSource::Cells(_) => panic!("{} has cells", set.name),
    }
}

/// A column of texts of a list; null as `-`.
fn texts(feed: &Feed, name: &str, column: &str) -> Vec<String> {
    let batch = list(set(feed, name));
    let array =
        batch.column_by_name(column).unwrap_or_else(|| panic!("no column {column}")).as_string::<i32>();
    array.iter().map(|text| text.unwrap_or("-").to_owned()).collect()
}

fn columns(set: &Set) -> Vec<&str> {
    set.columns.iter().map(|column| column.name.as_str()).collect()
}

/// Every set with its columns, one line each.
fn outline(feed: &Feed) -> String {
    let mut text = String::new();
    for set in &feed.sets {
        writeln!(text, "{} | {} | {:?}", set.name, set.title, set.rows).unwrap();
        for (index, column) in set.columns.iter().enumerate() {
            let key = if set.key.contains(&index) { " key" } else { "" };
            let null = if column.nullable { "?" } else { "" };
            writeln!(text, "    {}: {}{null}{key} {:?}", column.name, column.primitive, column.fact).unwrap();
        }
        for navigation in &set.navigation {
            let target = &feed.sets[navigation.target];
            writeln!(
                text,
                "    {} -> {}{} ({} = {})",
                navigation.name,
                target.name,
                if navigation.collection { "*" } else { "" },
                set.columns[navigation.from_column].name,
                target.columns[navigation.to_column].name
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn the_sets_and_columns_of_a_table() {
    insta::assert_snapshot!(outline(&table(&fixture::measurement())));
}

#[test]
fn the_sets_and_columns_of_the_catalogue() {
    let feed =
        catalogue_feed(&fixture::catalogue(), &[], &fixture::simulator(), &mut NameRegistry::default());
    insta::assert_snapshot!(outline(&feed));
}

#[test]
fn a_dimension_with_a_total_is_a_column_only_where_a_set_is_about_it() {
    let feed = table(&fixture::measurement());
    for (name, shown) in [("Hovedtal", false), ("Kommuner", false), ("Fordelt_på_Køn", true), ("Data", true)]
    {
        assert_eq!(set(&feed, name).column_index("Køn_id").is_some(), shown, "{name}");
    }
}

#[test]
fn a_pinned_dimension_and_one_without_a_total_are_columns_of_every_wide_set() {
    let feed = table(&fixture::measurement());
    let wide: Vec<_> = feed.sets.iter().filter(|set| set.column_index("Opdateret").is_some()).collect();
    assert_eq!(wide.len(), 17);
    for set in wide {
        assert!(
            set.column_index("Varighed_id").is_some() && set.column_index("Fase_pct_id").is_some(),
            "{}",
            set.name
        );
    }
}

#[test]
fn a_set_holds_the_members_that_it_says() {
    let measurement = fixture::measurement();
    let feed = table(&measurement);
    let held = |name: &str, dimension: usize| -> Vec<String> {
        let members = measurement.dimensions[dimension].members.iter().enumerate();
        let source = cells(set(&feed, name));
        members
            .filter(|(index, _)| source.holds(dimension, *index))
            .map(|(_, member)| member.id.to_string())
            .collect()
    };
    assert_eq!(held("Hovedtal", 1), ["T"]);
    assert_eq!(held("Fordelt_på_Køn", 1), ["1", "2"]);
    assert_eq!(held("Data", 1), ["T", "1", "2"]);
    assert_eq!(held("Hovedtal", 3), ["1", "2"]);
    assert_eq!(held("Fordelt_på_Varighed", 3), ["1", "2"]);
    assert_eq!(held("Hovedtal", 4), ["2"]);
    assert_eq!(held("Fordelt_på_Fase_pct", 4), ["1", "2"]);
    assert_eq!(held("Data", 4), ["T", "1", "2"]);
    assert_eq!(held("Landet", 0), ["T"]);
    assert_eq!(held("Kommuner", 0), ["nykom.1", "nykom.2"]);
    assert_eq!(held("Regioner", 0), ["region.1", "region.2"]);
    assert_eq!(held("Hovedtal", 0).len(), 6);
}

#[test]
fn only_the_whole_cube_mixes_period_types() {
    let feed = table(&fixture::measurement());
    let type_of = |name| cells(set(&feed, name)).period_type.as_ref().map(ToString::to_string);
    assert_eq!(type_of("Hovedtal").as_deref(), Some("M"));
    assert_eq!(type_of("Fordelt_på_Køn").as_deref(), Some("M"));
    assert_eq!((type_of("Data"), type_of("Observations")), (None, None));
}

#[test]
fn a_level_that_a_table_does_not_have_is_no_set() {
    let mut measurement = (*fixture::measurement()).clone();
    let country = fixture::hierarchy("_hele_landet", &[("Landet", &[("/", "Hele landet")])]);
    measurement.dimensions[0] = jobindsats_bridge::catalogue::dimension::Dimension::new(
        "_omrade".into(),
        "Område".to_owned(),
        vec![country],
        true,
    );
    let feed = table(&Arc::new(measurement));
    assert!(feed.set_index("Landet").is_some());
    assert!(feed.set_index("Regioner").is_none() && feed.set_index("Kommuner").is_none());
}

#[test]
fn the_lists_say_what_the_measurement_holds() {
    let feed = table(&fixture::measurement());
    assert_eq!(texts(&feed, "PeriodeCodes", "Identifier"), ["2026MM07", "2026MM06", "2026KW02", "2026X0107"]);
    assert_eq!(texts(&feed, "PeriodeGroups", "Id"), ["Q", "M", "MYTD"]);
    assert_eq!(texts(&feed, "OmrådeCodes", "Code"), ["000", "101", "751", "-", "1084", "-"]);
    assert_eq!(texts(&feed, "YdelsesgrupperCodes", "Identifier"), ["T", "1", "2", "2.1", "2.2"]);
    assert_eq!(texts(&feed, "YdelsesgrupperCodes", "ParentId"), ["-", "T", "T", "2", "2"]);
    assert_eq!(
        texts(&feed, "YdelsesgrupperCodes", "DimensionGroupId"),
        ["_ygrp", "_ygrp.gruppe", "_ygrp.gruppe", "_ygrp.ydelse", "_ygrp.ydelse"]
    );
    assert_eq!(texts(&feed, "YdelsesgrupperGroups", "Id"), ["_ygrp", "_ygrp.gruppe", "_ygrp.ydelse"]);
    assert_eq!(texts(&feed, "MeasureGroups", "Id"), ["mgrp1", "mgrp2", "mgrp3"]);
    assert_eq!(texts(&feed, "Dimensions", "Kind")[..3], ["TimeDimension", "GeoDimension", "Dimension"]);
    assert_eq!(texts(&feed, "Dimensions", "PinnedTo")[5], "2");
    assert_eq!(
        texts(&feed, "Properties", "Description"),
        ["Prøve: Alt det svære. Tallene kommer fra en simulator."]
    );
}

#[test]
fn every_code_of_a_list_has_a_group_of_its_own_list() {
    let feed = table(&fixture::measurement());
    for codes in feed.sets.iter().filter(|set| set.name.ends_with("Codes") && set.name != "MeasureCodes") {
        let groups = texts(&feed, &codes.name.replace("Codes", "Groups"), "Id");
        for group in texts(&feed, &codes.name, "DimensionGroupId") {
            assert!(groups.contains(&group), "{}: {group}", codes.name);
        }
    }
}

#[test]
fn lists_have_days_as_dates_and_instants_as_timestamps() {
    let feed = table(&fixture::measurement());
    let first = list(set(&feed, "PeriodeCodes")).column_by_name("FirstDay").unwrap().clone();
    assert_eq!(
        first.as_primitive::<arrow_array::types::Date32Type>().value_as_date(0).unwrap().to_string(),
        "2026-07-01"
    );
    let modified = list(set(&feed, "Properties")).column_by_name("Modified").unwrap().clone();
    let modified = modified.as_primitive::<arrow_array::types::TimestampMillisecondType>();
    // The day begins in Copenhagen, two hours before it does in Greenwich.
    assert_eq!(modified.value_as_datetime(0).unwrap().to_string(), "2026-08-13 22:00:00");
}

#[test]
fn a_table_is_found_in_the_catalogue_by_its_id_in_any_case() {
    let feed =
        catalogue_feed(&fixture::catalogue(), &[], &fixture::simulator(), &mut NameRegistry::default());
    let by_name = feed.set_index("Y99X01_Prøve_Alt_det_svære");
    assert!(by_name.is_some());
    assert_eq!(feed.set_index("Y99x01"), by_name);
    assert_eq!(feed.set_index("y99x02"), None);
    assert_eq!(texts(&feed, "Datasets", "Identifier"), ["y99x01", "y99x02"]);
    assert_eq!(texts(&feed, "Datasets", "Set"), ["Y99X01_Prøve_Alt_det_svære", "-"]);
    assert_eq!(texts(&feed, "Datasets", "LastPeriod"), ["2026M07", "2026M07"]);
    assert_eq!(texts(&feed, "Subjects", "Title"), ["Ledigheds- og jobindikatorer", "18"]);
    assert_eq!(texts(&feed, "StatusCodes", "Identifier"), ["delvis", "mangler"]);
}

#[test]
fn a_table_has_the_same_columns_in_the_catalogue_as_in_its_own_service() {
    let mut names = NameRegistry::default();
    let catalogue = fixture::catalogue();
    let overview = catalogue_feed(&catalogue, &[], &fixture::simulator(), &mut names);
    let own = table_feed(&fixture::measurement(), None, &fixture::simulator(), &mut names);
    assert_eq!(columns(set(&overview, "y99x01")), columns(set(&own, "Hovedtal")));
}

#[test]
fn a_thousand_members_are_a_thousand_codes() {
    let mut measurement = (*fixture::measurement()).clone();
    let values: Vec<_> = (1..=1000).map(|number| (format!("/{number}/"), format!("Fag {number}"))).collect();
    let values: Vec<_> = values.iter().map(|(path, label)| (path.as_str(), label.as_str())).collect();
    measurement.dimensions.push(fixture::dimension("_esco", "Fag", &values, true));
    let feed = table(&Arc::new(measurement));
    assert_eq!(list(set(&feed, "FagCodes")).num_rows(), 1001);
    assert_eq!(
        set(&feed, "FagCodes").columns.iter().filter(|column| matches!(column.fact, Fact::Listed(_))).count(),
        8
    );
}

#[test]
fn a_set_says_where_its_other_dimensions_stand() {
    let feed = table(&fixture::measurement());
    let said = |name: &str| {
        let set = feed.schema.container.sets.iter().find(|set| set.name == name).unwrap();
        format!("{:?}", set.annotations[0].value)
    };
    let (pinned, untotalled) = ("Fase (pct.) står på Efter.", "Varighed har ingen total");
    assert!(said("Hovedtal").contains(pinned) && said("Hovedtal").contains(untotalled));
    assert!(
        !said("Fordelt_på_Fase_pct").contains(pinned) && !said("Fordelt_på_Varighed").contains(untotalled)
    );
}

#[test]
fn extents_of_the_overview_are_written_down() {
    let feed = table(&fixture::measurement());
    use Extent::{AtTotal, Pinned, Whole};
    assert_eq!(
        cells(set(&feed, "Hovedtal")).extents,
        [Whole, AtTotal, AtTotal, Whole, Pinned, AtTotal, AtTotal, AtTotal, AtTotal, AtTotal, AtTotal]
    );
}
