//! Assigned names never change.

use jobindsats_bridge::catalogue::id::MeasurementId;
use jobindsats_bridge::feed::naming::is_identifier;
use jobindsats_bridge::feed::registry::{Kind, NameRegistry, Part, RegistryError};
use proptest::prelude::*;

fn table() -> MeasurementId {
    MeasurementId::from("y25i01")
}

fn dimension<'a>(id: &'a str, label: &'a str) -> Part<'a> {
    Part { kind: Kind::Dimension, id, label, group: "" }
}

fn measure<'a>(id: &'a str, label: &'a str) -> Part<'a> {
    Part { kind: Kind::Measure, id, label, group: "" }
}

#[test]
fn equal_names_all_get_their_id_behind_whatever_the_order() {
    let parts = [
        measure("m1", "Antal"),
        measure("m2", "ANTAL"),
        dimension("_antal", "Antal."),
        measure("m3", "Andel"),
    ];
    let names = NameRegistry::default().name_parts(&table(), &parts);
    assert_eq!(names, ["Antal_m1", "ANTAL_m2", "Antal_antal", "Andel"]);
    let turned: Vec<_> = parts.into_iter().rev().collect();
    let mut turned = NameRegistry::default().name_parts(&table(), &turned);
    turned.reverse();
    assert_eq!(turned, names);
}

#[test]
fn names_of_fixed_columns_and_words_of_the_language_get_their_id_behind() {
    for label in ["Status", "periode", "Område", "Område, id", "Value", "OPDATERET", "not", "PeriodeCode"] {
        let names = NameRegistry::default().name_parts(&table(), &[measure("m1", label)]);
        assert!(names[0].ends_with("_m1"), "{names:?}");
    }
}

#[test]
fn a_measure_named_like_a_column_of_a_dimension_gets_another_name() {
    let parts = [dimension("_kon", "Køn"), measure("m1", "Køn (nr.)")];
    let names = NameRegistry::default().name_parts(&table(), &parts);
    assert_eq!(names, ["Køn", "Køn_nr_m1"]);
}

#[test]
fn retitled_parts_keep_their_names_and_new_ones_get_others() {
    let mut names = NameRegistry::default();
    assert_eq!(names.name_parts(&table(), &[measure("m1", "Antal")]), ["Antal"]);
    assert!(names.is_changed());
    names.mark_saved();
    let parts = [measure("m1", "Antal personer"), measure("m2", "antal"), measure("m3", "Antal personer")];
    assert_eq!(names.name_parts(&table(), &parts), ["Antal", "antal_m2", "Antal_personer"]);
    assert!(names.is_changed());
    names.mark_saved();
    assert_eq!(names.name_parts(&table(), &parts[1..2]), ["antal_m2"]);
    assert!(!names.is_changed());
}

fn saved_and_read(names: &NameRegistry) -> NameRegistry {
    let text = serde_json::to_string(names).unwrap();
    serde_json::from_str::<NameRegistry>(&text).unwrap().checked().unwrap()
}

#[test]
fn a_table_keeps_the_name_of_its_set() {
    let mut names = NameRegistry::default();
    let given = names.name_table(&table(), "Ledighed", "Antal ledige");
    assert_eq!(given, "Y25I01_Ledighed_Antal_ledige");
    assert_eq!(names.name_table(&table(), "Andet", "Noget nyt"), given);
    let mut read = saved_and_read(&names);
    assert!(!read.is_changed());
    assert_eq!(read.name_table(&table(), "Andet", "Noget nyt"), given);
}

#[test]
fn tables_do_not_share_a_name_with_each_other_or_with_the_lists() {
    let mut names = NameRegistry::default();
    let mut name = |id: &str, title: &str| names.name_table(&MeasurementId::from(id), "", title);
    assert_eq!(name("datasets", ""), "DATASETS_datasets");
    assert_eq!(name("a-b", "C"), "A_B_C");
    assert_eq!(name("a", "B C"), "A_B_C_a");
    assert_eq!(name("a_b", "C"), "A_B_C_a_b");
    assert_eq!(name("a.b", "C"), "A_B_C_a_b_2");
}

#[test]
fn a_damaged_registry_is_refused_with_the_name_that_is_wrong() {
    let parsed = |text: &str| serde_json::from_str::<NameRegistry>(text).unwrap().checked();
    let read = |text: &str| parsed(text).expect_err("damaged");
    let error = read(r#"{"tables":{"t":{"measures":{"m":"a b"}}}}"#);
    assert!(
        matches!(&error, RegistryError::NotAnIdentifier { table, name } if table == "t" && name == "a b"),
        "{error}"
    );
    for doubled in [
        r#"{"tables":{"t":{"measures":{"m":"A","n":"a"}}}}"#,
        r#"{"tables":{"t":{"measures":{"m":"Status"}}}}"#,
        r#"{"tables":{"t":{"dimensions":{"m":"A"},"measures":{"n":"A_id"}}}}"#,
        r#"{"tables":{"t":{"set":"X"},"u":{"set":"x"}}}"#,
        r#"{"tables":{"t":{"set":"datasets"}}}"#,
    ] {
        assert!(matches!(read(doubled), RegistryError::Doubled { .. }), "{doubled}");
    }
    assert!(parsed(r#"{"tables":{}}"#).is_ok());
}

fn level<'a>(id: &'a str, label: &'a str, group: &'a str) -> Part<'a> {
    Part { kind: Kind::Level, id, label, group }
}

#[test]
fn levels_that_would_have_one_name_get_their_id_behind() {
    let mut names = NameRegistry::default();
    let parts = [dimension("_alder", "Alder"), dimension("_alder5", "Alder, 5 år")];
    assert_eq!(names.name_parts(&table(), &parts), ["Alder", "Alder_5_år"]);
    let set = "Fordelt_på_Alder";
    let levels = [
        level("_alder/_a/a5", "5_år", set),
        level("_alder/_b/x", "Grupper", set),
        level("_alder/_c/y", "Grupper", set),
    ];
    let given = names.name_parts(&table(), &levels);
    assert_eq!(given[0], "Fordelt_på_Alder_5_år_alder__a_a5", "a dimension's set has that name");
    assert_eq!(given[1..], ["Fordelt_på_Alder_Grupper_alder__b_x", "Fordelt_på_Alder_Grupper_alder__c_y"]);
    assert_eq!(saved_and_read(&names).name_parts(&table(), &levels), given);
}

/// Names given before names had to begin with a letter: they are given anew once, and the former ones are remembered.
#[test]
fn names_that_do_not_begin_with_a_letter_are_given_anew_once() {
    let text = r#"{"tables":{"t":{"set":"_24J","dimensions":{"_d":"_5_år"},"measures":{"m":"_2_4_uger","n":"Antal"}}}}"#;
    let mut names = serde_json::from_str::<NameRegistry>(text).unwrap().checked().unwrap();
    let table = MeasurementId::from("t");
    let grouped = Part { group: "Afsluttede forløb", ..measure("m", "2-4 uger") };
    let parts = [dimension("_d", "5 år"), grouped, measure("n", "Antal")];
    assert_eq!(names.name_parts(&table, &parts), ["Fordeling_5_år", "Afsluttede_forløb_2_4_uger", "Antal"]);
    assert_eq!(names.name_table(&table, "", "24 j"), "T_24_j");
    assert!(names.is_changed());
    let mut names = saved_and_read(&names);
    assert_eq!(names.name_parts(&table, &parts), ["Fordeling_5_år", "Afsluttede_forløb_2_4_uger", "Antal"]);
    assert!(!names.is_changed(), "once");
    assert_eq!(names.former_name(&table, Kind::Measure, "m"), Some("_2_4_uger"));
    assert_eq!(names.former_name(&table, Kind::Dimension, "_d"), Some("_5_år"));
    assert_eq!(names.former_name(&table, Kind::Measure, "n"), None);
    assert_eq!(names.former_table(&table), Some("_24J"));
}

proptest! {
    #[test]
    fn a_name_stays_whatever_comes_after_it(
        labels in proptest::collection::vec(prop_oneof!["[ab]{1,2}", "[Aa] ?(id|nr|m1|2)?", ".{0,140}"], 1..12),
        cut in 0_usize..12,
    ) {
        let ids: Vec<_> = (0..labels.len()).map(|index| if index % 3 == 0 { format!("_{index}") } else { format!("m{index}") }).collect();
        let parts: Vec<_> = ids.iter().zip(&labels).enumerate().map(|(index, (id, label))| {
            if index % 3 == 0 { dimension(id, label) } else { measure(id, label) }
        }).collect();
        let cut = cut.min(parts.len());
        let mut names = NameRegistry::default();
        let before = names.name_parts(&table(), &parts[..cut]);
        let all = names.name_parts(&table(), &parts);
        prop_assert_eq!(&all[..cut], &before[..]);
        prop_assert_eq!(&names.name_parts(&table(), &parts), &all);
        let mut folded: Vec<_> = all.iter().map(|name| name.to_lowercase()).collect();
        folded.sort();
        folded.dedup();
        prop_assert_eq!(folded.len(), all.len());
        prop_assert!(all.iter().all(|name| is_identifier(name)));
    }
}
