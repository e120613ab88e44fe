//! The resource path: sets by name and by alias, keys in every spelling, single values.

use jobindsats_bridge::error::DescribeError;
use jobindsats_bridge::odata::value::Value;
use jobindsats_bridge::query::Target;
use jobindsats_bridge::query::error::QueryErrorKind;

use super::fixture::{ask, feed};

fn target(path: &str) -> Target {
    ask(path, "").unwrap_or_else(|error| panic!("{path}: {error}")).target
}

#[test]
fn a_set_is_found_by_its_name_and_by_its_table_in_any_case() {
    for path in ["Hovedtal", "Hovedtal/", "y25i01", "Y25I01", "Hovedtal()"] {
        let query = ask(path, "").unwrap();
        assert_eq!((query.set, &query.target), (0, &Target::Collection), "{path}");
    }
    assert_eq!(target("Hovedtal/$count"), Target::Count);
    assert_eq!(target("Properties"), Target::Entity(vec![]));
}

#[test]
fn a_key_is_understood_in_every_spelling() {
    let key = Target::Entity(vec![Value::string("2026M07"), Value::string("2.1")]);
    for path in [
        "Hovedtal(Periode='2026M07',Område_id='2.1')",
        "Hovedtal(Område_id='2.1',Periode='2026M07')",
        "Hovedtal(Omr%C3%A5de_id='2.1',Periode=%272026M07%27)",
        "Hovedtal/2026M07/2.1",
    ] {
        assert_eq!(target(path), key, "{path}");
    }
    assert_eq!(ask("Hovedtal(Periode=@p,Område_id=@o)", "@o='2.1'&@p='2026M07'").unwrap().target, key);
    assert_eq!(target("Codes('2.1')"), Target::Entity(vec![Value::string("2.1")]));
    assert_eq!(target("Codes/2.1"), Target::Entity(vec![Value::string("2.1")]));
    for path in ["Numbers(4)", "Numbers(4L)", "Numbers/4", "Numbers(Nr=4)"] {
        assert_eq!(target(path), Target::Entity(vec![Value::Integer(4)]), "{path}");
    }
}

#[test]
fn a_path_follows_a_navigation_property_from_the_row_before() {
    let query = ask("Hovedtal/2026M07/2.1/Kode/Antal/$value", "").unwrap();
    assert_eq!((query.set, &query.target), (1, &Target::Property { key: vec![], column: 4, raw: true }));
    let origin = query.origin.unwrap();
    assert_eq!((origin.query.set, origin.navigation.name.as_str()), (0, "Kode"));
    assert_eq!(origin.query.target, Target::Entity(vec![Value::string("2026M07"), Value::string("2.1")]));
    assert_eq!(
        origin.query.select,
        Some(vec![3]),
        "no more of the row is read than the navigation property needs"
    );
    assert!(ask("Hovedtal/2026M07/2.1/Kode('T')", "").is_err(), "the navigation property leads to one row");
    assert!(ask("Hovedtal/Kode", "").is_err(), "a navigation property begins at one row");
}

#[test]
fn references_take_no_shape() {
    assert!(ask("Hovedtal/$ref", "$filter=Nr eq 1&$top=2").unwrap().references);
    assert!(ask("Numbers(4)/$ref", "").unwrap().references);
    for query in ["$select=Nr", "$expand=Kode", "$apply=identity"] {
        assert_eq!(
            ask("Hovedtal/$ref", query).unwrap_err().describe().code,
            "OptionNotApplicable",
            "{query}"
        );
    }
}

#[test]
fn a_value_is_reached_through_its_row() {
    let key = vec![Value::Integer(-4)];
    assert_eq!(target("Numbers(-4)/Antal"), Target::Property { key: key.clone(), column: 4, raw: false });
    assert_eq!(target("Numbers/-4/Antal/$value"), Target::Property { key, column: 4, raw: true });
    assert_eq!(target("Properties/Antal"), Target::Property { key: vec![], column: 4, raw: false });
}

#[test]
fn a_key_is_the_condition_of_its_row() {
    let feed = feed();
    let by_key = ask("Codes('2.1')", "").unwrap().condition(&feed.sets[1]);
    let by_filter = ask("Codes", "$filter=Område_id eq '2.1'").unwrap().condition(&feed.sets[1]);
    assert!(by_key.is_some());
    assert_eq!(by_key, by_filter);
    assert_eq!(ask("Properties", "").unwrap().condition(&feed.sets[3]), None);
    let both = ask("Hovedtal/2026M07/2.1", "").unwrap().condition(&feed.sets[0]);
    let written = ask("Hovedtal", "$filter=Periode eq '2026M07' and Område_id eq '2.1'").unwrap();
    assert_eq!(both, written.filter);
}

#[test]
fn what_is_not_there_is_not_found() {
    for (path, suggestion) in [
        ("Hovedtall", Some("Hovedtal")),
        ("hovedtal", Some("Hovedtal")),
        ("Noget_helt_andet", None),
        ("Numbers(4)/Anntal", Some("Antal")),
        ("Numbers(4)/Antal/Nr", Some("Nr")),
    ] {
        let error = ask(path, "").unwrap_err();
        assert_eq!(error.describe().status, 404, "{path}: {error}");
        let (QueryErrorKind::UnknownSet { suggestion: found, .. }
        | QueryErrorKind::UnknownSegment { suggestion: found, .. }) = &error.kind
        else {
            panic!("{path}: {error}")
        };
        assert_eq!(found.as_deref(), suggestion, "{path}");
    }
}

#[test]
fn a_key_of_another_shape_is_refused_with_the_right_one() {
    for path in [
        "Hovedtal('2026M07')",
        "Hovedtal(Periode='2026M07')",
        "Hovedtal(Periode='2026M07',Område='x')",
        "Hovedtal(Periode='2026M07',Område_id='x',Nr=1)",
        "Hovedtal/2026M07",
        "Codes(@p)",
        "Properties(1)",
    ] {
        let error = ask(path, "").unwrap_err();
        assert_eq!(error.describe().status, 400, "{path}: {error}");
    }
    let error = ask("Hovedtal('2026M07')", "").unwrap_err();
    assert_eq!(error.describe().danish, "Nøglen til Hovedtal skal angives som (Periode='…',Område_id='…').");
    assert_eq!(ask("Numbers('x')", "").unwrap_err().describe().code, "TypeMismatch");
    assert_eq!(ask("Codes(4)", "").unwrap_err().describe().code, "TypeMismatch");
}

#[test]
fn options_for_many_rows_are_refused_on_one() {
    for query in ["$apply=identity", "$filter=Nr eq 1", "$top=1", "$orderby=Nr", "$count=true", "$skip=1"] {
        let error = ask("Numbers(4)", query).unwrap_err();
        assert_eq!(error.describe().code, "OptionNotApplicable", "{query}");
        assert!(query.starts_with(error.target), "{query}: {}", error.target);
    }
    assert!(ask("Numbers(4)", "$select=Antal").is_ok());
    assert!(ask("Numbers(4)/Antal", "$select=Antal").is_err());
}

#[test]
fn what_the_standard_has_and_we_do_not_is_not_offered() {
    for (path, query) in [
        ("$all", ""),
        ("Hovedtal/$each", ""),
        ("Hovedtal/$value", ""),
        ("Numbers(4)/$value", ""),
        ("Hovedtal", "$expand=Jobindsats.Række/Kode"),
        ("Hovedtal", "$compute=duration'P1D' as D"),
        ("$crossjoin(Codes,Numbers)", ""),
        ("Hovedtal/Jobindsats.Række", ""),
        ("Hovedtal", "$apply=concat(identity,identity)"),
        ("Hovedtal", "$deltatoken=x"),
    ] {
        let error = ask(path, query).unwrap_err();
        assert_eq!(error.describe().status, 501, "{path}?{query}: {error}");
    }
}
