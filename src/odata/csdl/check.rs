//! Checks a model before it is written, for the errors because of which Power BI refuses a whole service.

use std::collections::HashSet;

use super::CsdlError;
use crate::odata::edm::{EntitySet, EntityType, NavigationProperty, Property, Schema, is_identifier};
use crate::odata::value::PrimitiveType;

/// Whether a model can be written: refuses names that are not identifiers or occur twice, and references to elements that do not exist.
pub fn check(schema: &Schema) -> Result<(), CsdlError> {
    let container = &schema.container;
    let types = schema.entity_types.iter().map(|item| item.name.as_str());
    check_namespace(&schema.namespace)?;
    check_names(&schema.namespace, types.chain([container.name.as_str()]))?;
    schema.entity_types.iter().try_for_each(|entity_type| check_type(schema, entity_type))?;

    let sets = container.sets.iter().map(|set| set.name.as_str());
    let singletons = container.singletons.iter().map(|item| item.name.as_str());
    check_names(&container.name, sets.chain(singletons))?;
    container.sets.iter().try_for_each(|set| check_set(schema, set))?;
    container
        .singletons
        .iter()
        .try_for_each(|singleton| find_type(schema, &singleton.name, &singleton.entity_type).map(|_| ()))
}

/// A namespace is identifiers joined by dots.
fn check_namespace(namespace: &str) -> Result<(), CsdlError> {
    match namespace.split('.').all(is_identifier) {
        true => Ok(()),
        false => Err(CsdlError::InvalidName { place: "the schema".to_owned(), name: namespace.to_owned() }),
    }
}

fn check_type(schema: &Schema, entity_type: &EntityType) -> Result<(), CsdlError> {
    let place = &entity_type.name;
    let properties = entity_type.properties.iter().map(|item| item.name.as_str());
    let navigation = entity_type.navigation.iter().map(|item| item.name.as_str());
    check_names(place, properties.chain(navigation))?;
    entity_type.key.iter().try_for_each(|name| check_key(entity_type, name))?;
    entity_type.navigation.iter().try_for_each(|item| check_navigation(schema, entity_type, item))
}

fn check_key(entity_type: &EntityType, name: &str) -> Result<(), CsdlError> {
    let property = find_property(entity_type, &entity_type.name, name)?;
    let unfit =
        matches!(property.primitive, PrimitiveType::Double | PrimitiveType::Single | PrimitiveType::Binary);
    if property.nullable || property.collection || unfit {
        return Err(CsdlError::InvalidKey { place: entity_type.name.clone(), name: name.to_owned() });
    }
    Ok(())
}

fn check_navigation(
    schema: &Schema,
    source: &EntityType,
    navigation: &NavigationProperty,
) -> Result<(), CsdlError> {
    let place = format!("{}/{}", source.name, navigation.name);
    let target = find_type(schema, &place, &navigation.target)?;
    for (here, there) in &navigation.constraints {
        let column = find_property(source, &place, here)?;
        find_property(target, &place, there)?;
        if column.nullable != navigation.nullable {
            return Err(CsdlError::Multiplicity { place, name: here.clone() });
        }
    }
    match &navigation.partner {
        Some(partner) if !target.navigation.iter().any(|item| item.name == *partner) => {
            Err(CsdlError::UnknownProperty { place, name: partner.clone() })
        }
        _ => Ok(()),
    }
}

fn check_set(schema: &Schema, set: &EntitySet) -> Result<(), CsdlError> {
    let entity_type = find_type(schema, &set.name, &set.entity_type)?;
    if entity_type.key.is_empty() {
        let (place, name) = (set.name.clone(), set.entity_type.clone());
        return Err(CsdlError::MissingKey { place, name });
    }
    for (path, target) in &set.bindings {
        if !entity_type.navigation.iter().any(|item| item.name == *path) {
            return Err(CsdlError::UnknownProperty { place: set.name.clone(), name: path.clone() });
        }
        if schema.container.set(target).is_none() {
            return Err(CsdlError::UnknownEntitySet { place: set.name.clone(), name: target.clone() });
        }
    }
    Ok(())
}

fn find_type<'a>(schema: &'a Schema, place: &str, name: &str) -> Result<&'a EntityType, CsdlError> {
    schema
        .entity_type(name)
        .ok_or_else(|| CsdlError::UnknownEntityType { place: place.to_owned(), name: name.to_owned() })
}

fn find_property<'a>(
    entity_type: &'a EntityType,
    place: &str,
    name: &str,
) -> Result<&'a Property, CsdlError> {
    entity_type
        .property(name)
        .ok_or_else(|| CsdlError::UnknownProperty { place: place.to_owned(), name: name.to_owned() })
}

fn check_names<'a>(place: &str, names: impl Iterator<Item = &'a str>) -> Result<(), CsdlError> {
    let mut seen = HashSet::new();
    for name in names {
        let (place, name) = (place.to_owned(), name.to_owned());
        if !is_identifier(&name) {
            return Err(CsdlError::InvalidName { place, name });
        }
        if !seen.insert(name.to_lowercase()) {
            return Err(CsdlError::DuplicateName { place, name });
        }
    }
    Ok(())
}
