//! Service documents and error bodies.

use jobindsats_bridge::odata::edm::{EntityContainer, EntitySet, Singleton};
use jobindsats_bridge::odata::media_type::MetadataLevel;
use jobindsats_bridge::odata::payload::{
    ErrorBody, ErrorDetail, JsonContext, write_error, write_service_document,
};
use jobindsats_bridge::odata::version::Version;

fn service_document(version: Version, metadata: MetadataLevel) -> String {
    let container = EntityContainer {
        sets: vec![
            EntitySet {
                name: "Områder".to_owned(),
                title: Some("Landets \"områder\"".to_owned()),
                ..EntitySet::default()
            },
            EntitySet { name: "Fordelt_på_Køn".to_owned(), ..EntitySet::default() },
        ],
        singletons: vec![Singleton { name: "Properties".to_owned(), ..Singleton::default() }],
        ..EntityContainer::default()
    };
    let context = JsonContext {
        version,
        metadata,
        ieee754_compatible: false,
        omit_nulls: false,
        context_url: "https://h/odata/$metadata",
        messages: &[],
    };
    let mut out = Vec::new();
    write_service_document(&mut out, &context, &container);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_service_document_lists_sets_and_singletons_with_addresses_that_need_no_encoding() {
    let list = concat!(
        r#""value":[{"name":"Områder","kind":"EntitySet","url":"Omr%C3%A5der","title":"Landets \"områder\""},"#,
        r#"{"name":"Fordelt_på_Køn","kind":"EntitySet","url":"Fordelt_p%C3%A5_K%C3%B8n"},"#,
        r#"{"name":"Properties","kind":"Singleton","url":"Properties"}]}"#,
    );
    assert_eq!(
        service_document(Version::V4, MetadataLevel::Minimal),
        format!(r#"{{"@odata.context":"https://h/odata/$metadata",{list}"#)
    );
    assert_eq!(
        service_document(Version::V401, MetadataLevel::Full),
        format!(r#"{{"@context":"https://h/odata/$metadata",{list}"#)
    );
    assert_eq!(service_document(Version::V4, MetadataLevel::None), format!("{{{list}"));
}

#[test]
fn an_error_has_a_message_for_the_user_and_details_for_the_developer() {
    let detail =
        ErrorDetail { code: "UnknownProperty", message: "No property 'Foo' in Observations.", target: None };
    let mut error = ErrorBody {
        code: "UnknownProperty",
        message: "Kolonnen 'Foo\u{0}' findes ikke i \"Observations\".",
        target: Some("$filter"),
        details: std::slice::from_ref(&detail),
        request_id: None,
    };
    let mut out = Vec::new();
    write_error(&mut out, &error);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"{"error":{"code":"UnknownProperty","message":"Kolonnen 'Foo\u0000' findes ikke i \"Observations\".","#,
            r#""target":"$filter","details":[{"code":"UnknownProperty","message":"No property 'Foo' in Observations."}]}}"#,
        )
    );
    (error.target, error.details) = (None, &[]);
    let mut out = Vec::new();
    write_error(&mut out, &error);
    let body: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(body["error"]["details"], serde_json::json!([]));
    assert_eq!(body["error"].get("target"), None);
}
