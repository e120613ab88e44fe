//! Both forms of CSDL of a small model with Danish names. The snapshots are plain XML and JSON, so that
//! `tests/clients/validate_metadata.py` can validate them with the published schemas.

use jobindsats_bridge::odata::csdl::{CsdlError, json, xml};
use jobindsats_bridge::odata::edm::{
    Annotation, AnnotationValue, EntityContainer, EntitySet, EntityType, NavigationProperty, Property,
    Schema, Singleton,
};
use jobindsats_bridge::odata::value::PrimitiveType;
use quick_xml::Reader;
use quick_xml::events::Event;

const HOSTILE: &str = "Under <30> & \"over\" 'x'\n\tÆrø 🐎 \u{0}\u{8}\u{fffe}]]>";

fn text(value: &str) -> AnnotationValue {
    AnnotationValue::String(value.to_owned())
}

fn no(name: &'static str) -> AnnotationValue {
    AnnotationValue::Record(vec![(name, AnnotationValue::Bool(false))])
}

fn observation() -> EntityType {
    let mut period = Property::new("Periode", PrimitiveType::String, false);
    period.max_length = Some(8);
    let mut share = Property::new("Andel", PrimitiveType::Decimal, true);
    share.precision = Some(5);
    let mut notes = Property::new("Noter", PrimitiveType::String, false);
    notes.collection = true;
    let persons = Property::new("Antal_ledige_på_måleåret", PrimitiveType::Decimal, true)
        .annotated("Core.Description", text(HOSTILE))
        .annotated("Measures.Unit", text("personer"))
        .annotated("Measures.Scale", AnnotationValue::Int(0))
        .annotated(
            "Aggregation.ContextDefiningProperties",
            AnnotationValue::Collection(vec![
                AnnotationValue::PropertyPath("Periode".to_owned()),
                AnnotationValue::PropertyPath("Område".to_owned()),
            ]),
        );
    EntityType {
        name: "Observation".to_owned(),
        key: vec!["Periode".to_owned(), "Område".to_owned()],
        properties: vec![
            period,
            Property::new("Område", PrimitiveType::String, false),
            Property::new("Fra", PrimitiveType::Date, true),
            persons,
            share,
            notes,
            Property::new("Opdateret", PrimitiveType::DateTimeOffset, false),
        ],
        navigation: vec![NavigationProperty {
            name: "OmrådeCode".to_owned(),
            target: "OmrådeKode".to_owned(),
            collection: false,
            nullable: false,
            partner: Some("Observations".to_owned()),
            constraints: vec![("Område".to_owned(), "Identifier".to_owned())],
            annotations: Vec::new(),
        }],
        annotations: vec![Annotation::new("Core.Description", text("Én række"))],
    }
}

fn area() -> EntityType {
    EntityType {
        name: "OmrådeKode".to_owned(),
        key: vec!["Identifier".to_owned()],
        properties: vec![
            Property::new("Identifier", PrimitiveType::String, false),
            Property::new("Title", PrimitiveType::String, true),
            Property::new("Index", PrimitiveType::Int32, true),
        ],
        navigation: vec![NavigationProperty {
            name: "Observations".to_owned(),
            target: "Observation".to_owned(),
            collection: true,
            nullable: false,
            partner: Some("OmrådeCode".to_owned()),
            constraints: Vec::new(),
            annotations: Vec::new(),
        }],
        annotations: Vec::new(),
    }
}

fn container() -> EntityContainer {
    let formats = vec![text("application/json"), text("application/xml")];
    let level = "Capabilities.ConformanceLevelType/Advanced".to_owned();
    let mut aggregate = Annotation::new("Aggregation.CustomAggregate", text("Edm.Decimal"));
    aggregate.qualifier = Some("Antal_ledige_på_måleåret".to_owned());
    EntityContainer {
        name: "Container".to_owned(),
        sets: vec![
            EntitySet {
                name: "Observations".to_owned(),
                entity_type: "Observation".to_owned(),
                bindings: vec![("OmrådeCode".to_owned(), "OmrådeCodes".to_owned())],
                title: Some("Observationer".to_owned()),
                annotations: vec![
                    Annotation::new("Capabilities.InsertRestrictions", no("Insertable")),
                    aggregate,
                ],
            },
            EntitySet {
                name: "OmrådeCodes".to_owned(),
                entity_type: "OmrådeKode".to_owned(),
                bindings: vec![("Observations".to_owned(), "Observations".to_owned())],
                ..EntitySet::default()
            },
        ],
        singletons: vec![Singleton {
            name: "Properties".to_owned(),
            entity_type: "Egenskaber".to_owned(),
            ..Singleton::default()
        }],
        annotations: vec![
            Annotation::new("Capabilities.ConformanceLevel", AnnotationValue::EnumMember(level)),
            Annotation::new("Capabilities.SupportedFormats", AnnotationValue::Collection(formats)),
        ],
    }
}

fn model() -> Schema {
    let properties = EntityType {
        name: "Egenskaber".to_owned(),
        properties: vec![Property::new("Title", PrimitiveType::String, false)],
        ..EntityType::default()
    };
    Schema {
        namespace: "Jobmarked.Ledighed".to_owned(),
        entity_types: vec![observation(), area(), properties],
        container: container(),
        annotations: vec![Annotation::new(
            "Core.Description",
            AnnotationValue::String("Ledighed. Opdigtede tal.".to_owned()),
        )],
    }
}

#[test]
fn the_model_is_written_as_xml() {
    let document = xml::write(&model(), true).unwrap();
    insta::assert_binary_snapshot!("as_xml.xml", document);
}

#[test]
fn the_model_is_written_as_json() {
    let document = json::write(&model(), true).unwrap();
    insta::assert_binary_snapshot!("as_json.json", document);
}

#[test]
fn without_annotations_no_vocabulary_is_mentioned() {
    let document = xml::write(&model(), false).unwrap();
    insta::assert_binary_snapshot!("without_annotations.xml", document.clone());
    let document = String::from_utf8(document).unwrap();
    assert!(!document.contains("Annotation") && !document.contains("Reference Uri"));
    let document = String::from_utf8(json::write(&model(), false).unwrap()).unwrap();
    assert!(!document.contains('@') && !document.contains("$Reference\":{\"http"));
}

/// The value of the first attribute of that name, as a parser gives it to a client.
fn attribute_of(document: &[u8], element: &str, attribute: &str) -> Option<String> {
    let mut reader = Reader::from_reader(document);
    let mut buffer = Vec::new();
    loop {
        let event = reader.read_event_into(&mut buffer).unwrap();
        let start = match event {
            Event::Start(start) | Event::Empty(start) => start,
            Event::Eof => return None,
            _ => continue,
        };
        let found = start.try_get_attribute(attribute).unwrap();
        if let Some(found) = found.filter(|_| start.name().as_ref() == element) {
            return Some(quick_xml::escape::unescape(&found.value).unwrap().into_owned());
        }
    }
}

#[test]
fn hostile_text_reaches_the_client_without_what_xml_cannot_hold() {
    let readable: String =
        HOSTILE.chars().filter(|next| !['\u{0}', '\u{8}', '\u{fffe}'].contains(next)).collect();
    let document = xml::write(&model(), true).unwrap();
    assert_eq!(attribute_of(&document, "Annotation", "String"), Some(readable));

    let document: serde_json::Value = serde_json::from_slice(&json::write(&model(), true).unwrap()).unwrap();
    let property = &document["Jobmarked.Ledighed"]["Observation"]["Antal_ledige_på_måleåret"];
    assert_eq!(property["@Core.Description"], HOSTILE);
}

#[test]
fn the_document_declares_its_encoding_and_a_version_that_excel_reads() {
    let document = xml::write(&model(), true).unwrap();
    assert!(document.starts_with(b"<?xml version=\"1.0\" encoding=\"utf-8\"?>"));
    let version = attribute_of(&document, "edmx:Edmx", "Version");
    assert_eq!(version.as_deref(), Some("4.0"));
}

/// Both writers on a model with one fault.
fn refusal(spoil: impl FnOnce(&mut Schema)) -> CsdlError {
    let mut schema = model();
    spoil(&mut schema);
    let refused = json::write(&schema, true).unwrap_err();
    let also = xml::write(&schema, true).unwrap_err();
    assert_eq!(refused.to_string(), also.to_string());
    refused
}

#[test]
fn names_that_make_power_bi_refuse_a_service_are_refused_here() {
    let twice = |schema: &mut Schema| {
        let again = Property::new("PERIODE", PrimitiveType::String, true);
        schema.entity_types[0].properties.push(again);
    };
    assert!(matches!(refusal(twice), CsdlError::DuplicateName { name, .. } if name == "PERIODE"));
    let navigation = |schema: &mut Schema| {
        schema.entity_types[0].navigation[0].name = "Område".to_owned();
    };
    assert!(matches!(refusal(navigation), CsdlError::DuplicateName { .. }));
    for name in ["", "1a", "a b", "a-b", "a%", "a.b", "a\"b", &"ø".repeat(129)] {
        let spoil = |schema: &mut Schema| schema.entity_types[2].properties[0].name = name.into();
        assert!(matches!(refusal(spoil), CsdlError::InvalidName { .. }), "{name}");
    }
    let namespace = |schema: &mut Schema| schema.namespace = "Jobmarked..Ledighed".to_owned();
    assert!(matches!(refusal(namespace), CsdlError::InvalidName { .. }));
    let long = |schema: &mut Schema| {
        schema.entity_types[2].properties[0].name = "ø".repeat(128);
        schema.container.sets[0].entity_type = "Ukendt".to_owned();
    };
    assert!(matches!(refusal(long), CsdlError::UnknownEntityType { .. }));
}

#[test]
fn references_that_lead_nowhere_are_refused() {
    let key = |schema: &mut Schema| schema.entity_types[0].key.push("Foo".to_owned());
    assert!(matches!(refusal(key), CsdlError::UnknownProperty { name, .. } if name == "Foo"));
    let null = |schema: &mut Schema| schema.entity_types[0].key.push("Fra".to_owned());
    assert!(matches!(refusal(null), CsdlError::InvalidKey { name, .. } if name == "Fra"));
    let keyless = |schema: &mut Schema| schema.entity_types[1].key.clear();
    assert!(matches!(refusal(keyless), CsdlError::MissingKey { place, .. } if place == "OmrådeCodes"));
    let binding = |schema: &mut Schema| schema.container.sets[0].bindings[0].1 = "Foo".to_owned();
    assert!(matches!(refusal(binding), CsdlError::UnknownEntitySet { .. }));
    let partner = |schema: &mut Schema| {
        schema.entity_types[0].navigation[0].partner = Some("Foo".to_owned());
    };
    assert!(matches!(refusal(partner), CsdlError::UnknownProperty { .. }));
    let term = |schema: &mut Schema| {
        let unknown = Annotation::new("Display.Colour", AnnotationValue::Bool(true));
        schema.container.annotations.push(unknown);
    };
    let refused = refusal(term);
    assert!(matches!(&refused, CsdlError::UnknownVocabulary { term } if term == "Display.Colour"));
    assert!(refused.to_string().contains("Aggregation, Capabilities, Core"));
}
