//! What real clients write in `Accept`, and what they must get.

use proptest::prelude::*;

use super::*;

const POWER_QUERY: &str = "application/json;odata.metadata=minimal;q=1.0,\
    application/json;odata=minimalmetadata;q=0.9,application/atomsvc+xml;q=0.8,\
    application/atom+xml;q=0.8,application/xml;q=0.7,text/plain;q=0.7";
const DEVEXTREME: &str = "application/json;odata=verbose,text/plain, */*; q=0.01";
const MINIMAL: &str = "application/json;odata.metadata=minimal";

fn content_type(accept: &str, kind: Kind) -> Option<String> {
    let negotiated = negotiate(Some(accept), None, kind).ok()?;
    Some(negotiated.content_type)
}

fn by_format(format: &str, kind: Kind) -> Option<String> {
    // A header that nothing satisfies shows that `$format` beats it.
    let negotiated = negotiate(Some("image/png"), Some(format), kind).ok()?;
    Some(negotiated.content_type)
}

#[test]
fn real_clients_get_json_data_and_xml_metadata() {
    for accept in [
        POWER_QUERY,
        DEVEXTREME,
        "*/*",
        "*",
        "application/*",
        "application/xml, application/json;q=0.8",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
        "",
        " ",
    ] {
        let data = content_type(accept, Kind::Data);
        assert_eq!(data.as_deref(), Some(MINIMAL), "{accept}");
        let service = content_type(accept, Kind::ServiceDocument);
        assert_eq!(service.as_deref(), Some(MINIMAL), "{accept}");
        let metadata = content_type(accept, Kind::Metadata);
        assert_eq!(metadata.as_deref(), Some("application/xml"), "{accept}");
    }
    assert_eq!(negotiate(None, None, Kind::Metadata).unwrap().format, Format::Xml);
    assert_eq!(negotiate(None, None, Kind::Data).unwrap().content_type, MINIMAL);
}

#[test]
fn counts_are_text_whatever_is_asked_for() {
    for accept in ["application/json", "text/plain, */*;q=0.8", "image/png", "*/*"] {
        assert_eq!(content_type(accept, Kind::Count).as_deref(), Some("text/plain"));
    }
    assert_eq!(by_format("json", Kind::Count).as_deref(), Some("text/plain"));
    let raw = content_type("*/*", Kind::RawValue);
    assert_eq!(raw.as_deref(), Some("text/plain;charset=utf-8"));
}

#[test]
fn json_metadata_needs_a_client_that_reads_nothing_else() {
    for accept in [
        "application/json",
        "application/json;odata.metadata=minimal, text/plain;q=0.5",
        "application/json, application/xml;q=0",
        "Application/JSON;metadata=minimal",
    ] {
        let format = negotiate(Some(accept), None, Kind::Metadata).unwrap().format;
        assert_eq!(format, Format::Json, "{accept}");
    }
    for accept in [
        "application/json, application/xml;q=0.001",
        "application/json, */*;q=0.1",
        "application/json;q=1, application/*;q=0.2",
    ] {
        let format = negotiate(Some(accept), None, Kind::Metadata).unwrap().format;
        assert_eq!(format, Format::Xml, "{accept}");
    }
    let json = negotiate(Some("*/*"), Some("json"), Kind::Metadata).unwrap();
    assert_eq!(json.format, Format::Json);
    assert_eq!(by_format("xml", Kind::Metadata).as_deref(), Some("application/xml"));
    let full_name = by_format("application/xml", Kind::Metadata);
    assert_eq!(full_name.as_deref(), Some("application/xml"));
}

#[test]
fn parameters_that_were_asked_for_are_repeated() {
    for (accept, expected) in [
        ("application/json;odata.metadata=full", "application/json;odata.metadata=full"),
        ("application/json;metadata=none", "application/json;metadata=none"),
        (
            "application/json;IEEE754Compatible=true",
            "application/json;odata.metadata=minimal;IEEE754Compatible=true",
        ),
        (
            "application/json; odata.metadata = NONE ; charset=\"UTF-8\"",
            "application/json;odata.metadata=none;charset=utf-8",
        ),
        (
            "application/json;odata.streaming=true;ExponentialDecimals=true",
            "application/json;odata.metadata=minimal;odata.streaming=true;ExponentialDecimals=true",
        ),
    ] {
        let found = content_type(accept, Kind::Data);
        assert_eq!(found.as_deref(), Some(expected), "{accept}");
        let found = by_format(accept, Kind::Data);
        assert_eq!(found.as_deref(), Some(expected), "{accept}");
    }
    let number = "application/json;IEEE754Compatible=true";
    assert!(negotiate(Some(number), None, Kind::Data).unwrap().ieee754_compatible);
    let number = "application/json;IEEE754Compatible=false";
    assert!(!negotiate(Some(number), None, Kind::Data).unwrap().ieee754_compatible);
}

#[test]
fn the_best_understood_range_wins() {
    for (accept, level) in [
        ("application/json;odata.metadata=full;q=0.5, application/json", MetadataLevel::Minimal),
        ("*/*, application/json;odata.metadata=full", MetadataLevel::Full),
        ("application/json, application/json;odata.metadata=none", MetadataLevel::None),
        ("application/json;odata=verbose, application/json;metadata=full;q=0.1", MetadataLevel::Full),
        ("application/json;odata.metadata=huge, */*", MetadataLevel::Minimal),
        ("application/json;x=\"a,b;c\", application/json;metadata=none", MetadataLevel::None),
    ] {
        let found = negotiate(Some(accept), None, Kind::Data).unwrap().metadata;
        assert_eq!(found, level, "{accept}");
    }
}

#[test]
fn what_nothing_satisfies_is_refused_with_what_is_offered() {
    for accept in [
        "application/atom+xml",
        "application/xml",
        "text/html",
        "text/*",
        "application/json;q=0",
        "*/*, application/json;q=0",
        "application/json;odata=verbose",
        "application/json;charset=iso-8859-1",
        "application/json;q=2",
        ",;=,",
    ] {
        let refused = negotiate(Some(accept), None, Kind::Data);
        assert!(matches!(refused, Err(NegotiationError::Accept { .. })), "{accept}");
    }
    for format in ["atom", "xml", "", "json;odata=verbose", "application/*", "json,xml"] {
        assert_eq!(by_format(format, Kind::Data), None, "{format}");
    }
    assert_eq!(content_type("text/html", Kind::Metadata), None);
    assert_eq!(by_format("atom", Kind::Metadata), None);
}

proptest! {
    #[test]
    fn whatever_a_client_writes_the_answer_is_a_sound_header(
        accept in "(application/json|\\*/\\*|[a-zA-Z/+*]{0,9})([;,= \"\r\n]|charset|q|utf-8|[0-9.]|\\PC){0,20}",
    ) {
        for kind in [Kind::Data, Kind::Metadata, Kind::Count] {
            if let Ok(negotiated) = negotiate(Some(&accept), None, kind) {
                let sound = |next: char| next.is_ascii_graphic();
                prop_assert!(negotiated.content_type.chars().all(sound), "{}", negotiated.content_type);
            }
        }
    }
}
