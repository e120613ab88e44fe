//! Definitions of sets, columns and navigation properties with their annotations. A feed and its schema are both made from these
//! definitions, so that they cannot differ.

use crate::feed::aggregation;
use crate::feed::column::{Column, Fact};
use crate::feed::spelling::FormerNames;
use crate::feed::{Feed, FeedId, Navigation, RowSource, Set};
use crate::odata::csdl::CsdlError;
use crate::odata::csdl::check::check;
use crate::odata::edm::{
    Annotation, AnnotationValue, EntityContainer, EntitySet, EntityType, NavigationProperty, Property,
    Schema, Singleton,
};
use crate::odata::functions::{self, SPECIAL_FORMS};
use crate::odata::value::PrimitiveType;

/// The conformance level that the service announces; `docs/conformance.md` lists its requirements line by line.
const CONFORMANCE_LEVEL: &str = "Capabilities.ConformanceLevelType/Advanced";
const ODATA_VERSIONS: &str = "4.0 4.01";
const FORMATS: &[&str] = &["application/json", "application/xml"];

/// A set with its annotations.
pub(super) struct SetDefinition {
    pub name: String,
    pub alias: Option<String>,
    pub title: String,
    pub description: String,
    pub rows: RowSource,
    pub columns: Vec<ColumnDefinition>,
    pub singleton: bool,
    pub navigations: Vec<NavigationDefinition>,
    /// Names that its columns and navigation properties were given before.
    pub former: FormerNames,
}

/// A column with its annotations.
#[derive(Clone)]
pub(super) struct ColumnDefinition {
    pub column: Column,
    pub is_key: bool,
    max_length: Option<u32>,
    annotations: Vec<Annotation>,
}

/// A navigation property, by the names of the sets and columns that it joins.
#[derive(Clone)]
pub(super) struct NavigationDefinition {
    pub name: String,
    pub target: String,
    pub collection: bool,
    pub from: String,
    pub to: String,
    pub partner: String,
}

impl ColumnDefinition {
    pub fn new(name: impl Into<String>, primitive: PrimitiveType, fact: Fact, description: &str) -> Self {
        let column = Column { name: name.into(), primitive, nullable: false, fact };
        let description =
            Annotation::new("Core.Description", AnnotationValue::String(description.to_owned()));
        Self { column, is_key: false, max_length: None, annotations: vec![description] }
    }

    pub fn nullable(mut self) -> Self {
        self.column.nullable = true;
        self
    }

    pub fn key(mut self) -> Self {
        self.is_key = true;
        self
    }

    pub fn max_length(mut self, characters: u32) -> Self {
        self.max_length = Some(characters);
        self
    }

    pub fn annotated(mut self, term: &'static str, value: AnnotationValue) -> Self {
        self.annotations.push(Annotation::new(term, value));
        self
    }

    fn property(&self) -> Property {
        let Column { name, primitive, nullable, .. } = &self.column;
        let mut property = Property::new(name, *primitive, *nullable);
        property.max_length = self.max_length;
        // Without a precision OData allows whole seconds only.
        property.precision = (*primitive == PrimitiveType::DateTimeOffset).then_some(3);
        property.annotations.clone_from(&self.annotations);
        property
    }
}

impl SetDefinition {
    fn plain_columns(&self) -> impl Iterator<Item = &Column> + Clone {
        self.columns.iter().map(|column| &column.column)
    }

    /// Whether a schema can hold the set.
    ///
    /// # Errors
    /// What is wrong with the definition.
    pub fn check(&self) -> Result<(), CsdlError> {
        check(&schema("Check".to_owned(), std::slice::from_ref(self)))
    }

    fn key(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().enumerate().filter(|(_, column)| column.is_key).map(|(index, _)| index)
    }

    /// A type name that differs from every column's name: clients that generate classes do not compile otherwise.
    fn type_name(&self) -> String {
        let mut name = format!("{}Type", self.name);
        while self.columns.iter().any(|column| column.column.name.eq_ignore_ascii_case(&name)) {
            name.push('_');
        }
        name
    }

    fn entity_type(&self, definitions: &[Self]) -> EntityType {
        EntityType {
            name: self.type_name(),
            key: self.key().map(|index| self.columns[index].column.name.clone()).collect(),
            properties: self.columns.iter().map(|column| self.property(column)).collect(),
            navigation: self
                .navigations
                .iter()
                .map(|navigation| navigation.property(&self.columns, definitions))
                .collect(),
            annotations: Vec::new(),
        }
    }

    fn property(&self, column: &ColumnDefinition) -> Property {
        let property = column.property();
        match column.column.fact {
            Fact::Measure(_) | Fact::Value => property.annotated(
                "Aggregation.ContextDefiningProperties",
                aggregation::context(self.plain_columns()),
            ),
            Fact::Period(_) | Fact::Member(..) | Fact::MeasureCode | Fact::Status | Fact::ValueAttribute => {
                property
            }
            Fact::Updated | Fact::ObservationId | Fact::Listed(_) => property,
        }
    }

    fn entity_set(&self) -> EntitySet {
        EntitySet {
            name: self.name.clone(),
            entity_type: self.type_name(),
            bindings: self
                .navigations
                .iter()
                .map(|navigation| (navigation.name.clone(), navigation.target.clone()))
                .collect(),
            title: Some(self.title.clone()),
            annotations: self.annotations(),
        }
    }

    fn as_singleton(&self) -> Singleton {
        Singleton {
            name: self.name.clone(),
            entity_type: self.type_name(),
            title: Some(self.title.clone()),
            annotations: self.annotations(),
        }
    }

    fn annotations(&self) -> Vec<Annotation> {
        let refused = |term, property| {
            Annotation::new(term, AnnotationValue::Record(vec![(property, AnnotationValue::Bool(false))]))
        };
        let mut annotations =
            vec![Annotation::new("Core.Description", AnnotationValue::String(self.description.clone()))];
        if !self.singleton {
            annotations.push(refused("Capabilities.InsertRestrictions", "Insertable"));
            annotations.push(refused("Capabilities.ChangeTracking", "Supported"));
        }
        annotations.push(refused("Capabilities.UpdateRestrictions", "Updatable"));
        annotations.push(refused("Capabilities.DeleteRestrictions", "Deletable"));
        if let RowSource::Cells(_) = self.rows {
            annotations.extend(aggregation::annotations(self.plain_columns()));
        }
        annotations
    }

    fn set(self, targets: &[NavigationTarget]) -> Set {
        let key = self.key().collect();
        let columns: Vec<Column> = self.columns.into_iter().map(|column| column.column).collect();
        let navigation = self
            .navigations
            .into_iter()
            .filter_map(|navigation| navigation.bind(&columns, targets))
            .collect();
        Set {
            name: self.name,
            alias: self.alias,
            title: self.title,
            rows: self.rows,
            columns,
            key,
            singleton: self.singleton,
            navigation,
            former: self.former,
            index: None,
        }
    }
}

/// The target of a navigation property: its name and columns.
struct NavigationTarget {
    name: String,
    columns: Vec<String>,
}

impl NavigationDefinition {
    /// The partner: the navigation property in the other direction.
    pub fn back(&self, source: &str, collection: bool) -> Self {
        Self {
            name: self.partner.clone(),
            target: source.to_owned(),
            collection,
            from: self.to.clone(),
            to: self.from.clone(),
            partner: self.name.clone(),
        }
    }

    fn bind(self, columns: &[Column], targets: &[NavigationTarget]) -> Option<Navigation> {
        let target = targets.iter().position(|target| target.name == self.target)?;
        Some(Navigation {
            from_column: columns.iter().position(|column| column.name == self.from)?,
            to_column: targets[target].columns.iter().position(|name| *name == self.to)?,
            name: self.name,
            target,
            collection: self.collection,
        })
    }

    fn property(&self, columns: &[ColumnDefinition], definitions: &[SetDefinition]) -> NavigationProperty {
        let target = definitions.iter().find(|definition| definition.name == self.target);
        let constraint = (!self.collection).then(|| (self.from.clone(), self.to.clone()));
        NavigationProperty {
            name: self.name.clone(),
            target: target.map(SetDefinition::type_name).unwrap_or_default(),
            collection: self.collection,
            // As the column that it hangs on (CSDL 8.5); a collection is never null.
            nullable: self.collection
                || columns.iter().any(|one| one.column.name == self.from && one.column.nullable),
            partner: Some(self.partner.clone()),
            constraints: constraint.into_iter().collect(),
            annotations: Vec::new(),
        }
    }
}

/// Makes a feed from the definitions of its sets.
pub(super) fn assemble(namespace: String, description: String, definitions: Vec<SetDefinition>) -> Feed {
    let description = Annotation::new("Core.Description", AnnotationValue::String(description));
    let schema = Schema { annotations: vec![description], ..schema(namespace, &definitions) };
    let targets: Vec<NavigationTarget> = definitions
        .iter()
        .map(|definition| NavigationTarget {
            name: definition.name.clone(),
            columns: definition.columns.iter().map(|column| column.column.name.clone()).collect(),
        })
        .collect();
    let sets = definitions.into_iter().map(|definition| definition.set(&targets)).collect();
    let id = FeedId::next();
    Feed { id, schema_id: id, sets, schema, left_out: Vec::new(), former: FormerNames::default() }
}

fn schema(namespace: String, definitions: &[SetDefinition]) -> Schema {
    let of_kind =
        |singleton: bool| definitions.iter().filter(move |definition| definition.singleton == singleton);
    Schema {
        namespace,
        entity_types: definitions.iter().map(|definition| definition.entity_type(definitions)).collect(),
        container: EntityContainer {
            name: "Container".to_owned(),
            sets: of_kind(false).map(SetDefinition::entity_set).collect(),
            singletons: of_kind(true).map(SetDefinition::as_singleton).collect(),
            annotations: container_annotations(),
        },
        annotations: Vec::new(),
    }
}

fn container_annotations() -> Vec<Annotation> {
    let texts = |texts: &[&str]| {
        AnnotationValue::Collection(
            texts.iter().map(|text| AnnotationValue::String((*text).to_owned())).collect(),
        )
    };
    // Power Query folds only functions that are listed here.
    let functions: Vec<&str> = functions::offered().chain(SPECIAL_FORMS).collect();
    vec![
        Annotation::new(
            "Capabilities.ConformanceLevel",
            AnnotationValue::EnumMember(CONFORMANCE_LEVEL.to_owned()),
        ),
        Annotation::new("Core.ODataVersions", AnnotationValue::String(ODATA_VERSIONS.to_owned())),
        Annotation::new("Capabilities.SupportedFormats", texts(FORMATS)),
        Annotation::new("Capabilities.SupportedMetadataFormats", texts(FORMATS)),
        Annotation::new("Capabilities.FilterFunctions", texts(&functions)),
        Annotation::new("Capabilities.BatchSupported", AnnotationValue::Bool(true)),
        Annotation::new(
            "Capabilities.BatchSupport",
            batch_support(texts(&["multipart/mixed", "application/json"])),
        ),
        Annotation::new("Capabilities.KeyAsSegmentSupported", AnnotationValue::Bool(true)),
        Annotation::new("Capabilities.QuerySegmentSupported", AnnotationValue::Bool(true)),
        Annotation::new("Capabilities.CrossJoinSupported", AnnotationValue::Bool(false)),
    ]
}

/// Batches contain only reads, so there are no request bodies and no new entities to refer to.
fn batch_support(formats: AnnotationValue) -> AnnotationValue {
    AnnotationValue::Record(vec![
        ("Supported", AnnotationValue::Bool(true)),
        ("ContinueOnErrorSupported", AnnotationValue::Bool(true)),
        ("ReferencesInRequestBodiesSupported", AnnotationValue::Bool(false)),
        ("ReferencesAcrossChangeSetsSupported", AnnotationValue::Bool(false)),
        ("EtagReferencesSupported", AnnotationValue::Bool(false)),
        ("RequestDependencyConditionsSupported", AnnotationValue::Bool(false)),
        ("SupportedFormats", formats),
    ])
}
