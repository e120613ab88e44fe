//! CSDL JSON 4.01: the same content as the XML form, in the same order.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{CsdlError, check, vocabulary};
use crate::odata::edm::{
    Annotation, AnnotationValue, EntityContainer, EntitySet, EntityType, NavigationProperty, Property,
    Schema, Singleton,
};
use crate::odata::value::PrimitiveType;

/// Writes the schema as a metadata document; without annotations also without references to their vocabularies.
pub fn write(schema: &Schema, annotations: bool) -> Result<Vec<u8>, CsdlError> {
    check::check(schema)?;
    let mut members = vec![
        member("$Version", text("4.01")),
        member("$EntityContainer", Node::Text(schema.qualified(&schema.container.name))),
    ];
    if annotations {
        let used = vocabulary::used(schema)?;
        let references = used.into_iter().map(reference).collect::<Vec<_>>();
        if !references.is_empty() {
            members.push(member("$Reference", Node::Object(references)));
        }
    }
    let model = Model { schema, annotations };
    members.push((schema.namespace.clone(), model.schema()));
    Ok(serde_json::to_vec(&Node::Object(members)).map_err(std::io::Error::from)?)
}

/// A JSON value whose members keep their order, because clients show columns in the order of the properties.
enum Node {
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

type Member = (String, Node);

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

fn member(name: &str, value: Node) -> Member {
    (name.to_owned(), value)
}

fn text(value: &str) -> Node {
    Node::Text(value.to_owned())
}

fn reference(vocabulary: vocabulary::Vocabulary) -> Member {
    let include = Node::Object(vec![
        member("$Namespace", text(vocabulary.namespace)),
        member("$Alias", text(vocabulary.alias)),
    ]);
    let includes = member("$Include", Node::List(vec![include]));
    (vocabulary.url("json"), Node::Object(vec![includes]))
}

/// The members of an object made of text pairs.
fn pairs(name: &str, pairs: &[(String, String)]) -> Option<Member> {
    let members = pairs.iter().map(|(key, value)| member(key, text(value)));
    (!pairs.is_empty()).then(|| member(name, Node::Object(members.collect())))
}

struct Model<'a> {
    schema: &'a Schema,
    annotations: bool,
}

impl Model<'_> {
    fn schema(&self) -> Node {
        let types = self.schema.entity_types.iter();
        let mut members: Vec<Member> = types.map(|item| member(&item.name, self.entity_type(item))).collect();
        let container = &self.schema.container;
        members.push(member(&container.name, self.container(container)));
        self.object(members, &self.schema.annotations)
    }

    fn entity_type(&self, entity_type: &EntityType) -> Node {
        let mut members = vec![member("$Kind", text("EntityType"))];
        if !entity_type.key.is_empty() {
            let key = entity_type.key.iter().map(|name| text(name)).collect();
            members.push(member("$Key", Node::List(key)));
        }
        let properties = entity_type.properties.iter();
        members.extend(properties.map(|item| member(&item.name, self.property(item))));
        let navigation = entity_type.navigation.iter();
        members.extend(navigation.map(|item| member(&item.name, self.navigation(item))));
        self.object(members, &entity_type.annotations)
    }

    fn property(&self, property: &Property) -> Node {
        let mut members = Vec::new();
        // The defaults are string, not nullable and single-valued; members are written only where they differ.
        if property.primitive != PrimitiveType::String {
            members.push(member("$Type", text(property.primitive.name())));
        }
        if property.collection {
            members.push(member("$Collection", Node::Bool(true)));
        }
        if property.nullable {
            members.push(member("$Nullable", Node::Bool(true)));
        }
        // The scale of decimals is variable, which is what no `$Scale` means. Microsoft's reader stops at the word.
        let facets = [("$MaxLength", property.max_length), ("$Precision", property.precision)];
        let facet = |(name, value): (_, Option<u32>)| Some(member(name, Node::Int(value?.into())));
        members.extend(facets.into_iter().filter_map(facet));
        self.object(members, &property.annotations)
    }

    fn navigation(&self, navigation: &NavigationProperty) -> Node {
        let mut members = vec![
            member("$Kind", text("NavigationProperty")),
            member("$Type", Node::Text(self.schema.qualified(&navigation.target))),
        ];
        if navigation.collection {
            members.push(member("$Collection", Node::Bool(true)));
        } else if navigation.nullable {
            members.push(member("$Nullable", Node::Bool(true)));
        }
        if let Some(partner) = &navigation.partner {
            members.push(member("$Partner", text(partner)));
        }
        members.extend(pairs("$ReferentialConstraint", &navigation.constraints));
        self.object(members, &navigation.annotations)
    }

    fn container(&self, container: &EntityContainer) -> Node {
        let mut members = vec![member("$Kind", text("EntityContainer"))];
        let sets = container.sets.iter();
        members.extend(sets.map(|item| member(&item.name, self.entity_set(item))));
        let singletons = container.singletons.iter();
        members.extend(singletons.map(|item| member(&item.name, self.singleton(item))));
        self.object(members, &container.annotations)
    }

    fn entity_set(&self, set: &EntitySet) -> Node {
        let mut members = vec![
            member("$Collection", Node::Bool(true)),
            member("$Type", Node::Text(self.schema.qualified(&set.entity_type))),
        ];
        members.extend(pairs("$NavigationPropertyBinding", &set.bindings));
        self.object(members, &set.annotations)
    }

    fn singleton(&self, singleton: &Singleton) -> Node {
        let entity_type = self.schema.qualified(&singleton.entity_type);
        let members = vec![member("$Type", Node::Text(entity_type))];
        self.object(members, &singleton.annotations)
    }

    fn object(&self, mut members: Vec<Member>, annotations: &[Annotation]) -> Node {
        if self.annotations {
            members.extend(annotations.iter().map(annotation));
        }
        Node::Object(members)
    }
}

fn annotation(annotation: &Annotation) -> Member {
    let term = annotation.term;
    let name = match &annotation.qualifier {
        Some(qualifier) => format!("@{term}#{qualifier}"),
        None => format!("@{term}"),
    };
    (name, expression(&annotation.value))
}

fn expression(value: &AnnotationValue) -> Node {
    match value {
        AnnotationValue::Bool(value) => Node::Bool(*value),
        AnnotationValue::Int(value) => Node::Int(*value),
        // Only the member's name: the term determines the enumeration type.
        AnnotationValue::EnumMember(value) => {
            text(value.rsplit_once('/').map_or(value, |(_, member)| member))
        }
        AnnotationValue::String(value) | AnnotationValue::PropertyPath(value) => text(value),
        AnnotationValue::Collection(items) => Node::List(items.iter().map(expression).collect()),
        AnnotationValue::Record(fields) => {
            let members = fields.iter().map(|(name, value)| member(name, expression(value)));
            Node::Object(members.collect())
        }
    }
}
