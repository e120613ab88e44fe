//! Expressions that cannot be bound: each with its error code, its position and its sentence.

use jobindsats_bridge::error::DescribeError;

use super::fixture::{ask, filter};

#[test]
fn wrong_names_and_types_are_refused_at_their_place() {
    for (text, code, position) in [
        ("Ukendt eq 1", "UnknownProperty", 0),
        ("Nr eq 1 and Område/Navn eq 'x'", "UnknownProperty", 19),
        ("Kode/Titel eq 'x'", "UnknownProperty", 5),
        ("Kode eq 'x'", "TypeMismatch", 0),
        ("case(Nr:1) eq 1", "TypeMismatch", 5),
        ("case(true:1,false:'x') eq 1", "TypeMismatch", 18),
        ("Antal eq 'x'", "TypeMismatch", 9),
        ("'x' eq Antal", "TypeMismatch", 0),
        ("Antal in (1,'x')", "TypeMismatch", 12),
        ("Område eq 5", "TypeMismatch", 10),
        ("Periode eq 2026-01-01", "TypeMismatch", 11),
        ("Periode eq Nr", "TypeMismatch", 11),
        ("Fra ge 'i går'", "TypeMismatch", 7),
        ("Antal", "TypeMismatch", 0),
        ("'true'", "TypeMismatch", 0),
        ("Nr and true", "TypeMismatch", 0),
        ("not (Nr)", "TypeMismatch", 5),
        ("Område add 'x' eq 'y'", "TypeMismatch", 0),
        ("Nr add Område eq 1", "TypeMismatch", 7),
        ("-Område eq 1", "TypeMismatch", 1),
        ("Nr in Antal", "TypeMismatch", 6),
        ("contains(Nr,'1')", "TypeMismatch", 9),
        ("year('i går') eq 1", "TypeMismatch", 5),
        ("substring(Område,1.5) eq 'x'", "TypeMismatch", 17),
        ("contians(Område,'x')", "UnknownFunction", 0),
        ("matchesPattern(Område,'(')", "InvalidPattern", 22),
        ("matchesPattern(Område,'((a{1000}){1000}){1000}')", "InvalidPattern", 22),
    ] {
        let error = filter(text).unwrap_err();
        assert_eq!((error.describe().code, error.position), (code, Some(position)), "{text}: {error}");
        assert_eq!(error.describe().status, 400, "{text}");
        assert_eq!(error.target, "$filter");
        assert!(error.describe().danish.ends_with('.'), "{}", error.describe().danish);
    }
}

#[test]
fn known_constructs_that_are_not_offered_say_so() {
    for text in [
        "Område has Jobindsats.Farve'Rød'",
        "Kode/any(k:k/Nr eq 1)",
        "isof(Område,Jobindsats.Række)",
        "cast(Område,Jobindsats.Række) eq null",
        "geo.distance(Område,Område) lt 1",
        "matchesPattern(Område,'(?=x)')",
        "matchesPattern(Område,Periode)",
        "$root/Hovedtal/$count eq 1",
        "@Core.Description eq 'x'",
        "Område/@Core.Description eq 'x'",
        "duration'P1D' mul 2 eq duration'P2D'",
    ] {
        let error = filter(text).unwrap_err();
        assert_eq!((error.describe().status, error.describe().code), (501, "NotOffered"), "{text}: {error}");
    }
}

#[test]
fn the_sentence_names_what_was_wrong_and_what_was_meant() {
    let danish = |text| filter(text).unwrap_err().describe().danish;
    assert_eq!(
        danish("Omrade eq 'x'"),
        "Kolonnen 'Omrade' findes ikke i Hovedtal, men det gør 'Område' ($filter, tegn 1)."
    );
    assert_eq!(danish("Antal eq 'x'"), "'x' er ikke et tal; ret værdien ($filter, tegn 10).");
    assert_eq!(
        danish("contians(Område,'x')"),
        "Funktionen 'contians' findes ikke, men det gør 'contains' ($filter, tegn 1)."
    );
    assert_eq!(
        danish("Område eq 5"),
        "Her skal stå en tekst i enkelte anførselstegn, men der står et helt tal ($filter, tegn 11)."
    );
    let unknown = ask("Hovedtall", "").unwrap_err();
    assert_eq!(unknown.describe().danish, "Sættet 'Hovedtall' findes ikke her, men det gør 'Hovedtal'.");
    assert_eq!(
        ask("Hovedtal", "$deltatoken=x").unwrap_err().describe().danish,
        "$deltatoken kan ikke bruges her; hent sættet igen, eller afgræns på Opdateret."
    );
}

#[test]
fn a_long_text_is_not_sent_back_whole() {
    let error = filter(&format!("Antal eq '{}'", "x".repeat(10_000))).unwrap_err();
    assert!(error.describe().danish.len() < 300 && error.to_string().len() < 300, "{error}");
}

#[test]
fn selections_and_orders_are_held_to_the_columns() {
    for (query, code, position) in [
        ("$select=Antal,Ukendt", "UnknownProperty", Some(6)),
        ("$select=Antal/Nr", "UnknownProperty", Some(0)),
        ("$orderby=Antal,Ukendt desc", "UnknownProperty", Some(6)),
    ] {
        let error = ask("Hovedtal", query).unwrap_err();
        assert_eq!((error.describe().code, error.position), (code, position), "{query}: {error}");
    }
}
