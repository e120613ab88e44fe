//! CSDL XML. The document uses no construct newer than CSDL 4.0 and declares that version, whatever version the client asks for.

use std::borrow::Cow;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesStart, BytesText, Event};

use super::vocabulary::{self, Vocabulary};
use super::{CsdlError, check};
use crate::odata::edm::{
    Annotation, AnnotationValue, EntityContainer, EntitySet, EntityType, NavigationProperty, Property,
    Schema, Singleton,
};
use crate::odata::value::PrimitiveType;

type Attributes<'a> = Vec<(&'a str, String)>;

const NO_CHILDREN: (&str, Vec<Attributes<'static>>) = ("", Vec::new());

/// Writes the schema as a metadata document; without annotations also without references to their vocabularies.
pub fn write(schema: &Schema, annotations: bool) -> Result<Vec<u8>, CsdlError> {
    check::check(schema)?;
    let vocabularies = match annotations {
        true => vocabulary::used(schema)?,
        false => Vec::new(),
    };
    let mut document = Document {
        out: Writer::new_with_indent(Vec::new(), b' ', 2),
        namespace: &schema.namespace,
        annotations,
    };
    document.edmx(schema, &vocabularies)?;
    Ok(document.out.into_inner())
}

struct Document<'a> {
    out: Writer<Vec<u8>>,
    namespace: &'a str,
    annotations: bool,
}

impl Document<'_> {
    fn edmx(&mut self, schema: &Schema, vocabularies: &[Vocabulary]) -> io::Result<()> {
        let declaration = BytesDecl::new("1.0", Some("utf-8"), None);
        self.out.write_event(Event::Decl(declaration))?;
        let edmx = vec![
            ("xmlns:edmx", "http://docs.oasis-open.org/odata/ns/edmx".to_owned()),
            ("Version", "4.0".to_owned()),
        ];
        self.element("edmx:Edmx", edmx, |this| {
            vocabularies.iter().try_for_each(|used| this.reference(*used))?;
            this.element("edmx:DataServices", Vec::new(), |this| this.schema(schema))
        })
    }

    fn reference(&mut self, vocabulary: Vocabulary) -> io::Result<()> {
        let include =
            vec![("Namespace", vocabulary.namespace.to_owned()), ("Alias", vocabulary.alias.to_owned())];
        self.element("edmx:Reference", vec![("Uri", vocabulary.url("xml"))], |this| {
            this.empty("edmx:Include", include)
        })
    }

    fn schema(&mut self, schema: &Schema) -> io::Result<()> {
        let attributes = vec![
            ("xmlns", "http://docs.oasis-open.org/odata/ns/edm".to_owned()),
            ("Namespace", schema.namespace.clone()),
        ];
        self.element("Schema", attributes, |this| {
            schema.entity_types.iter().try_for_each(|item| this.entity_type(item))?;
            this.container(&schema.container)?;
            this.annotations(&schema.annotations)
        })
    }

    fn entity_type(&mut self, entity_type: &EntityType) -> io::Result<()> {
        let attributes = vec![("Name", entity_type.name.clone())];
        self.element("EntityType", attributes, |this| {
            this.key(&entity_type.key)?;
            entity_type.properties.iter().try_for_each(|item| this.property(item))?;
            entity_type.navigation.iter().try_for_each(|item| this.navigation(item))?;
            this.annotations(&entity_type.annotations)
        })
    }

    fn key(&mut self, key: &[String]) -> io::Result<()> {
        if key.is_empty() {
            return Ok(());
        }
        self.element("Key", Vec::new(), |this| {
            key.iter().try_for_each(|name| this.empty("PropertyRef", vec![("Name", name.clone())]))
        })
    }

    fn property(&mut self, property: &Property) -> io::Result<()> {
        let attributes = property_attributes(property);
        self.annotated("Property", attributes, &property.annotations, NO_CHILDREN)
    }

    fn navigation(&mut self, navigation: &NavigationProperty) -> io::Result<()> {
        let target = format!("{}.{}", self.namespace, navigation.target);
        let attributes = navigation_attributes(navigation, &target);
        let constraints = pairs("Property", "ReferencedProperty", &navigation.constraints);
        let children = ("ReferentialConstraint", constraints);
        self.annotated("NavigationProperty", attributes, &navigation.annotations, children)
    }

    fn container(&mut self, container: &EntityContainer) -> io::Result<()> {
        let attributes = vec![("Name", container.name.clone())];
        self.element("EntityContainer", attributes, |this| {
            container.sets.iter().try_for_each(|item| this.entity_set(item))?;
            container.singletons.iter().try_for_each(|item| this.singleton(item))?;
            this.annotations(&container.annotations)
        })
    }

    fn entity_set(&mut self, set: &EntitySet) -> io::Result<()> {
        let entity_type = format!("{}.{}", self.namespace, set.entity_type);
        let attributes = vec![("Name", set.name.clone()), ("EntityType", entity_type)];
        let children = ("NavigationPropertyBinding", pairs("Path", "Target", &set.bindings));
        self.annotated("EntitySet", attributes, &set.annotations, children)
    }

    fn singleton(&mut self, singleton: &Singleton) -> io::Result<()> {
        let entity_type = format!("{}.{}", self.namespace, singleton.entity_type);
        let attributes = vec![("Name", singleton.name.clone()), ("Type", entity_type)];
        self.annotated("Singleton", attributes, &singleton.annotations, NO_CHILDREN)
    }

    fn annotations(&mut self, annotations: &[Annotation]) -> io::Result<()> {
        if !self.annotations {
            return Ok(());
        }
        annotations.iter().try_for_each(|item| self.annotation(item))
    }

    fn annotation(&mut self, annotation: &Annotation) -> io::Result<()> {
        let mut attributes = vec![("Term", annotation.term.to_owned())];
        if let Some(qualifier) = &annotation.qualifier {
            attributes.push(("Qualifier", qualifier.clone()));
        }
        self.with_expression("Annotation", attributes, &annotation.value)
    }

    /// An element whose value is a constant in an attribute, or a structure in a child element.
    fn with_expression(
        &mut self,
        name: &str,
        mut attributes: Attributes<'_>,
        value: &AnnotationValue,
    ) -> io::Result<()> {
        match constant(value) {
            Some(pair) => {
                attributes.push(pair);
                self.empty(name, attributes)
            }
            None => self.element(name, attributes, |this| this.expression(value)),
        }
    }

    /// A value as an element of its own.
    fn expression(&mut self, value: &AnnotationValue) -> io::Result<()> {
        match value {
            AnnotationValue::Collection(items) => self.element("Collection", Vec::new(), |this| {
                items.iter().try_for_each(|item| this.expression(item))
            }),
            AnnotationValue::Record(fields) => self.element("Record", Vec::new(), |this| {
                fields.iter().try_for_each(|(name, value)| {
                    let attributes = vec![("Property", (*name).to_owned())];
                    this.with_expression("PropertyValue", attributes, value)
                })
            }),
            constant_value => match constant(constant_value) {
                Some((name, text)) => self.text(name, &text),
                None => Ok(()),
            },
        }
    }

    /// An element with one empty child for each of `children`, followed by its annotations.
    fn annotated(
        &mut self,
        name: &str,
        attributes: Attributes<'_>,
        annotations: &[Annotation],
        children: (&str, Vec<Attributes<'_>>),
    ) -> io::Result<()> {
        let (child, children) = children;
        if children.is_empty() && (annotations.is_empty() || !self.annotations) {
            return self.empty(name, attributes);
        }
        self.element(name, attributes, |this| {
            children.into_iter().try_for_each(|attributes| this.empty(child, attributes))?;
            this.annotations(annotations)
        })
    }

    fn element(
        &mut self,
        name: &str,
        attributes: Attributes<'_>,
        children: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let start = start(name, &attributes);
        self.out.write_event(Event::Start(start.borrow()))?;
        children(self)?;
        self.out.write_event(Event::End(start.to_end()))
    }

    fn empty(&mut self, name: &str, attributes: Attributes<'_>) -> io::Result<()> {
        self.out.write_event(Event::Empty(start(name, &attributes)))
    }

    fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        let text = allowed(text);
        let text = BytesText::new(&text);
        self.out.create_element(name).write_text_content(text)?;
        Ok(())
    }
}

fn start<'a>(name: &'a str, attributes: &Attributes<'_>) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    for (name, value) in attributes {
        start.push_attribute((*name, &*allowed(value)));
    }
    start
}

fn pairs<'a>(first: &'a str, second: &'a str, pairs: &[(String, String)]) -> Vec<Attributes<'a>> {
    pairs.iter().map(|(a, b)| vec![(first, a.clone()), (second, b.clone())]).collect()
}

fn property_attributes(property: &Property) -> Attributes<'static> {
    let primitive = property.primitive.name();
    let type_name = match property.collection {
        true => format!("Collection({primitive})"),
        false => primitive.to_owned(),
    };
    let mut attributes = vec![("Name", property.name.clone()), ("Type", type_name)];
    // The default of the attribute is true.
    if !property.nullable {
        attributes.push(("Nullable", "false".to_owned()));
    }
    // Without it OData allows no decimals.
    let scale = (property.primitive == PrimitiveType::Decimal).then(|| "variable".to_owned());
    let facets = [
        ("MaxLength", property.max_length.map(|length| length.to_string())),
        ("Precision", property.precision.map(|digits| digits.to_string())),
        ("Scale", scale),
    ];
    attributes.extend(facets.into_iter().filter_map(|(name, value)| Some((name, value?))));
    attributes
}

fn navigation_attributes(navigation: &NavigationProperty, target: &str) -> Attributes<'static> {
    let type_name = match navigation.collection {
        true => format!("Collection({target})"),
        false => target.to_owned(),
    };
    let mut attributes = vec![("Name", navigation.name.clone()), ("Type", type_name)];
    // A collection may be empty but is never null, so OData does not allow the attribute for it.
    if !navigation.collection && !navigation.nullable {
        attributes.push(("Nullable", "false".to_owned()));
    }
    if let Some(partner) = &navigation.partner {
        attributes.push(("Partner", partner.clone()));
    }
    attributes
}

/// The name and text of a constant expression, the same as attribute and as element.
fn constant(value: &AnnotationValue) -> Option<(&'static str, String)> {
    Some(match value {
        AnnotationValue::Bool(value) => ("Bool", value.to_string()),
        AnnotationValue::Int(value) => ("Int", value.to_string()),
        AnnotationValue::String(value) => ("String", value.clone()),
        AnnotationValue::EnumMember(value) => ("EnumMember", value.clone()),
        AnnotationValue::PropertyPath(value) => ("PropertyPath", value.clone()),
        AnnotationValue::Collection(_) | AnnotationValue::Record(_) => return None,
    })
}

/// The text without the characters that XML 1.0 cannot hold even when escaped.
fn allowed(text: &str) -> Cow<'_, str> {
    match text.chars().all(is_allowed) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.chars().filter(|next| is_allowed(*next)).collect()),
    }
}

fn is_allowed(next: char) -> bool {
    matches!(next, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
