//! The entity data model as plain values; `csdl` writes it as `$metadata`.

use super::value::PrimitiveType;

/// One schema with its container: a whole service.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub namespace: String,
    pub entity_types: Vec<EntityType>,
    pub container: EntityContainer,
    pub annotations: Vec<Annotation>,
}

/// The type of the entities of one or more sets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntityType {
    pub name: String,
    /// Names of the key properties, in key order; empty only for the type of a singleton.
    pub key: Vec<String>,
    pub properties: Vec<Property>,
    pub navigation: Vec<NavigationProperty>,
    pub annotations: Vec<Annotation>,
}

/// A structural property.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    pub name: String,
    pub primitive: PrimitiveType,
    pub collection: bool,
    pub nullable: bool,
    pub max_length: Option<u32>,
    pub precision: Option<u32>,
    pub annotations: Vec<Annotation>,
}

impl Property {
    /// A property of a primitive type.
    #[must_use]
    pub fn new(name: impl Into<String>, primitive: PrimitiveType, nullable: bool) -> Self {
        Self {
            name: name.into(),
            primitive,
            collection: false,
            nullable,
            max_length: None,
            precision: None,
            annotations: Vec::new(),
        }
    }

    /// The same property with one more annotation.
    #[must_use]
    pub fn annotated(mut self, term: &'static str, value: AnnotationValue) -> Self {
        self.annotations.push(Annotation::new(term, value));
        self
    }
}

/// A navigation property.
#[derive(Debug, Clone, PartialEq)]
pub struct NavigationProperty {
    pub name: String,
    /// Name of the entity type at the other end.
    pub target: String,
    pub collection: bool,
    pub nullable: bool,
    /// The navigation property of the target that leads back.
    pub partner: Option<String>,
    /// Pairs of a property of this type and the property of the target that it equals.
    pub constraints: Vec<(String, String)>,
    pub annotations: Vec<Annotation>,
}

/// The sets and singletons of a service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntityContainer {
    pub name: String,
    pub sets: Vec<EntitySet>,
    pub singletons: Vec<Singleton>,
    pub annotations: Vec<Annotation>,
}

/// A named collection of entities.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntitySet {
    pub name: String,
    pub entity_type: String,
    /// Pairs of a navigation property and the set that it leads to.
    pub bindings: Vec<(String, String)>,
    /// The title in a client's navigator.
    pub title: Option<String>,
    pub annotations: Vec<Annotation>,
}

/// A named single entity.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Singleton {
    pub name: String,
    pub entity_type: String,
    pub title: Option<String>,
    pub annotations: Vec<Annotation>,
}

/// A statement about a model element.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// The term, with the alias of its vocabulary: `Core.Description`.
    pub term: &'static str,
    pub qualifier: Option<String>,
    pub value: AnnotationValue,
}

impl Annotation {
    /// An annotation without a qualifier.
    #[must_use]
    pub fn new(term: &'static str, value: AnnotationValue) -> Self {
        Self { term, qualifier: None, value }
    }
}

/// The constant and dynamic expressions that annotations here are made of.
#[derive(Debug, Clone, PartialEq)]
pub enum AnnotationValue {
    Bool(bool),
    Int(i64),
    String(String),
    /// A member of an enumeration type, `Namespace.Type/Member`; never written against a string-typed term.
    EnumMember(String),
    PropertyPath(String),
    Collection(Vec<AnnotationValue>),
    Record(Vec<(&'static str, AnnotationValue)>),
}

impl Schema {
    /// The entity type of that name.
    #[must_use]
    pub fn entity_type(&self, name: &str) -> Option<&EntityType> {
        self.entity_types.iter().find(|entity_type| entity_type.name == name)
    }
}

impl Schema {
    /// What the schema says about itself.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        let mut described =
            self.annotations.iter().filter(|annotation| annotation.term == "Core.Description");
        described.find_map(|annotation| match &annotation.value {
            AnnotationValue::String(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The qualified name of something that the schema declares.
    #[must_use]
    pub fn qualified(&self, name: &str) -> String {
        format!("{}.{name}", self.namespace)
    }

    /// All annotations of the schema and its elements.
    pub fn annotations(&self) -> impl Iterator<Item = &Annotation> {
        let types = self.entity_types.iter().flat_map(EntityType::all_annotations);
        types.chain(self.container.all_annotations()).chain(&self.annotations)
    }

    /// Leaves out the annotations whose terms are not wanted.
    pub fn retain_annotations(&mut self, wants: impl Fn(&str) -> bool) {
        let keep = |annotations: &mut Vec<Annotation>| annotations.retain(|found| wants(found.term));
        for item in &mut self.entity_types {
            keep(&mut item.annotations);
            item.properties.iter_mut().for_each(|item| keep(&mut item.annotations));
            item.navigation.iter_mut().for_each(|item| keep(&mut item.annotations));
        }
        keep(&mut self.annotations);
        let container = &mut self.container;
        keep(&mut container.annotations);
        container.sets.iter_mut().for_each(|item| keep(&mut item.annotations));
        container.singletons.iter_mut().for_each(|item| keep(&mut item.annotations));
    }
}

impl EntityType {
    /// The structural property of that name.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    fn all_annotations(&self) -> impl Iterator<Item = &Annotation> {
        let properties = self.properties.iter().flat_map(|item| &item.annotations);
        let navigation = self.navigation.iter().flat_map(|item| &item.annotations);
        self.annotations.iter().chain(properties).chain(navigation)
    }
}

impl EntityContainer {
    /// The entity set of that name.
    #[must_use]
    pub fn set(&self, name: &str) -> Option<&EntitySet> {
        self.sets.iter().find(|set| set.name == name)
    }

    fn all_annotations(&self) -> impl Iterator<Item = &Annotation> {
        let sets = self.sets.iter().flat_map(|item| &item.annotations);
        let singletons = self.singletons.iter().flat_map(|item| &item.annotations);
        self.annotations.iter().chain(sets).chain(singletons)
    }
}

/// Whether a name is valid in OData and in every client: a letter or `_` first, then letters, digits and `_`, at most 128
/// characters. The rarer characters that OData also allows (letter numbers, marks, joiners) are not used here.
#[must_use]
pub fn is_identifier(name: &str) -> bool {
    const MAX_CHARS: usize = 128;
    let begins_well = !name.starts_with(|first: char| first.is_ascii_digit());
    // Not `is_alphanumeric`, which would let in `²` and `½`.
    let is_allowed = |next: char| next == '_' || next.is_alphabetic() || next.is_ascii_digit();
    !name.is_empty() && begins_well && name.chars().all(is_allowed) && name.chars().count() <= MAX_CHARS
}
