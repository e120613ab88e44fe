//! Whatever labels the upstream uses, a feed's schema is valid and agrees with its sets.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::DataType;
use jobindsats_bridge::feed::catalogue_feed::catalogue_feed;
use jobindsats_bridge::feed::naming::is_identifier;
use jobindsats_bridge::feed::registry::NameRegistry;
use jobindsats_bridge::feed::table_feed::table_feed;
use jobindsats_bridge::feed::{Feed, RowSource};
use jobindsats_bridge::odata::edm::{EntityType, Schema};
use jobindsats_bridge::odata::value::PrimitiveType;
use proptest::prelude::*;

use super::fixture;

/// Names that differ in more than case, each of them an identifier.
fn assert_names<'a>(what: &str, names: impl Iterator<Item = &'a str>) {
    let mut seen = HashSet::new();
    for name in names {
        assert!(is_identifier(name), "{what}: {name:?} is no identifier");
        assert!(seen.insert(name.to_lowercase()), "{what}: {name:?} is doubled");
    }
}

fn assert_type(schema: &Schema, entity_type: &EntityType) {
    let name = &entity_type.name;
    let properties = entity_type.properties.iter().map(|property| property.name.as_str());
    let navigation = entity_type.navigation.iter().map(|navigation| navigation.name.as_str());
    assert_names(name, properties.chain(navigation).chain([name.as_str()]));
    assert!(!entity_type.key.is_empty(), "{name} has no key");
    for key in &entity_type.key {
        let property = entity_type.properties.iter().find(|property| property.name == *key).unwrap();
        assert!(!property.nullable && property.primitive == PrimitiveType::String, "{name}.{key}");
    }
    for navigation in &entity_type.navigation {
        let target = schema.entity_type(&navigation.target).expect("the type at the other end");
        let partner = target.navigation.iter().find(|back| Some(&back.name) == navigation.partner.as_ref());
        assert_eq!(partner.expect("a partner").partner.as_ref(), Some(&navigation.name));
        for (here, there) in &navigation.constraints {
            assert!(entity_type.properties.iter().any(|property| property.name == *here));
            assert_eq!(target.key, std::slice::from_ref(there));
        }
        assert_eq!(navigation.constraints.len(), usize::from(!navigation.collection));
    }
}

fn assert_container(schema: &Schema) {
    let container = &schema.container;
    let sets = container.sets.iter().map(|set| set.name.as_str());
    let singletons = container.singletons.iter().map(|singleton| singleton.name.as_str());
    assert_names("container", sets.chain(singletons));
    let types = schema.entity_types.iter().map(|entity_type| entity_type.name.as_str());
    assert_names("schema", types.chain([container.name.as_str()]));
    for set in &container.sets {
        let entity_type = schema.entity_type(&set.entity_type).expect("the set's type");
        assert_eq!(set.bindings.len(), entity_type.navigation.len());
        for (path, target) in &set.bindings {
            let navigation =
                entity_type.navigation.iter().find(|navigation| navigation.name == *path).unwrap();
            let target = container.sets.iter().find(|set| set.name == *target).expect("the bound set");
            assert_eq!(target.entity_type, navigation.target);
        }
    }
}

fn assert_sets(feed: &Feed) {
    let container = &feed.schema.container;
    assert_eq!(feed.sets.len(), container.sets.len() + container.singletons.len());
    for set in &feed.sets {
        let type_name = container
            .sets
            .iter()
            .find(|entity_set| entity_set.name == set.name)
            .map(|entity_set| &entity_set.entity_type)
            .or_else(|| {
                Some(&container.singletons.iter().find(|single| single.name == set.name)?.entity_type)
            })
            .expect("the set is in the container");
        let entity_type = feed.schema.entity_type(type_name).unwrap();
        let declared: Vec<_> = entity_type
            .properties
            .iter()
            .map(|property| (property.name.as_str(), property.primitive, property.nullable))
            .collect();
        let columns: Vec<_> = set
            .columns
            .iter()
            .map(|column| (column.name.as_str(), column.primitive, column.nullable))
            .collect();
        assert_eq!(declared, columns, "{}", set.name);
        let key: Vec<_> = set.key.iter().map(|&index| set.columns[index].name.clone()).collect();
        assert_eq!(key, entity_type.key);
        assert_eq!(set.navigation.len(), entity_type.navigation.len(), "{}", set.name);
        if let RowSource::List(batch) = &set.rows {
            let arrow: Vec<_> = batch
                .schema()
                .fields()
                .iter()
                .map(|field| (field.name().clone(), primitive(field.data_type()), field.is_nullable()))
                .collect();
            let columns: Vec<_> = columns
                .iter()
                .map(|(name, primitive, nullable)| ((*name).to_owned(), *primitive, *nullable))
                .collect();
            assert_eq!(arrow, columns, "{}", set.name);
        }
    }
}

fn primitive(data_type: &DataType) -> PrimitiveType {
    match data_type {
        DataType::Utf8 => PrimitiveType::String,
        DataType::Int32 => PrimitiveType::Int32,
        DataType::Int64 => PrimitiveType::Int64,
        DataType::Decimal128(38, 18) => PrimitiveType::Decimal,
        DataType::Boolean => PrimitiveType::Boolean,
        DataType::Date32 => PrimitiveType::Date,
        DataType::Timestamp(_, Some(zone)) if &**zone == "Europe/Copenhagen" => PrimitiveType::DateTimeOffset,
        other => panic!("no list has columns of {other}"),
    }
}

fn assert_sound(feed: &Feed) {
    assert!(feed.schema.namespace.split('.').all(is_identifier), "{}", feed.schema.namespace);
    for entity_type in &feed.schema.entity_types {
        assert_type(&feed.schema, entity_type);
    }
    assert_container(&feed.schema);
    assert_sets(feed);
}

#[test]
fn the_services_of_the_fixture_are_sound() {
    let mut names = NameRegistry::default();
    assert_sound(&table_feed(&fixture::measurement(), None, &fixture::simulator(), &mut names));
    assert_sound(&catalogue_feed(&fixture::catalogue(), &[], &fixture::simulator(), &mut names));
}

#[test]
fn an_empty_catalogue_and_an_empty_table_are_sound() {
    let mut names = NameRegistry::default();
    assert_sound(&catalogue_feed(&Default::default(), &[], &fixture::simulator(), &mut names));
    let mut measurement = (*fixture::measurement()).clone();
    measurement.measures.clear();
    measurement.dimensions.clear();
    measurement.periods.clear();
    measurement.period_types.clear();
    assert_sound(&table_feed(&Arc::new(measurement), None, &fixture::simulator(), &mut names));
}

#[test]
fn every_measure_says_that_it_must_not_be_added_up() {
    let feed = table_feed(&fixture::measurement(), None, &fixture::simulator(), &mut NameRegistry::default());
    let text = |entity_type: &EntityType, name: &str| {
        let property = entity_type.properties.iter().find(|property| property.name == name).unwrap();
        format!("{:?}", property.annotations)
    };
    let data = feed.schema.entity_type("DataType").unwrap();
    let decimals: Vec<_> =
        data.properties.iter().filter(|property| property.primitive == PrimitiveType::Decimal).collect();
    assert_eq!(decimals.len(), 9);
    for measure in decimals {
        assert!(text(data, &measure.name).contains("må ikke lægges sammen"), "{}", measure.name);
    }
    assert!(text(data, "Udgift_i_kr").contains("Measures.ISOCurrency"));
    assert!(text(data, "Antal_fuldtidspersoner").contains("fuldtidspersoner"));
}

/// Labels that are likely to collide with each other and with what is fixed.
fn label() -> impl Strategy<Value = String> {
    let words = [
        "",
        "Køn",
        "køn",
        "Køn id",
        "Køn nr",
        "Køn niveau",
        "KønCode",
        "KønCodes",
        "Status",
        "Periode",
        "Område",
        "Value",
        "Measure",
        "Id",
        "Data",
        "Hovedtal",
        "HovedtalType",
        "DataType",
        "not",
        "16-66 år",
        "Fordelt på Køn",
        "Observations",
        "Container",
        "Dimensions",
        "Køn_kon",
        "Køn m1",
        "🙂",
    ];
    prop_oneof![4 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => ".{0,150}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_service_is_sound_whatever_its_parts_are_called(
        dimensions in proptest::collection::vec(label(), 0..6),
        measures in proptest::collection::vec(label(), 0..8),
    ) {
        let mut measurement = (*fixture::measurement()).clone();
        measurement.dimensions.truncate(1);
        for (index, label) in dimensions.iter().enumerate() {
            let id = if index == 0 { "_kon".to_owned() } else { format!("_d{index}") };
            measurement.dimensions.push(fixture::dimension(&id, label, &[("/1/", "x")], index % 3 > 0));
        }
        measurement.measures =
            measures.iter().enumerate().map(|(index, label)| fixture::measure(&format!("m{index}"), "g", label)).collect();
        let measurement = Arc::new(measurement);
        let mut catalogue = fixture::catalogue();
        catalogue.measurements.insert(measurement.id.clone(), Arc::clone(&measurement));
        let mut names = NameRegistry::default();
        assert_sound(&table_feed(&measurement, None, &fixture::simulator(), &mut names));
        assert_sound(&catalogue_feed(&catalogue, &[], &fixture::simulator(), &mut names));
        // What was given can be kept and read again.
        let text = serde_json::to_string(&names).unwrap();
        let kept = serde_json::from_str::<NameRegistry>(&text).unwrap().checked().unwrap();
        prop_assert_eq!(serde_json::to_string(&kept).unwrap(), text);
    }
}
