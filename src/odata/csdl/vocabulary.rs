//! The published vocabularies whose terms are used in annotations, by alias.

use std::collections::BTreeSet;

use super::CsdlError;
use crate::odata::edm::{Annotation, AnnotationValue, Schema};

/// A published vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vocabulary {
    pub alias: &'static str,
    pub namespace: &'static str,
}

const KNOWN: [Vocabulary; 5] = [
    vocabulary("Aggregation", "Org.OData.Aggregation.V1"),
    vocabulary("Capabilities", "Org.OData.Capabilities.V1"),
    vocabulary("Core", "Org.OData.Core.V1"),
    vocabulary("Measures", "Org.OData.Measures.V1"),
    vocabulary("Validation", "Org.OData.Validation.V1"),
];

const fn vocabulary(alias: &'static str, namespace: &'static str) -> Vocabulary {
    Vocabulary { alias, namespace }
}

impl Vocabulary {
    /// Where the vocabulary is published, `extension` being `xml` or `json`. No client needs to fetch it.
    #[must_use]
    pub fn url(self, extension: &str) -> String {
        let namespace = self.namespace;
        format!("https://oasis-tcs.github.io/odata-vocabularies/vocabularies/{namespace}.{extension}")
    }
}

/// The aliases of all known vocabularies, for messages.
pub(super) fn aliases() -> String {
    KNOWN.map(|known| known.alias).join(", ")
}

/// The vocabularies that the annotations of a schema use, in order of alias.
pub(super) fn used(schema: &Schema) -> Result<Vec<Vocabulary>, CsdlError> {
    let mut names = BTreeSet::new();
    for annotation in schema.annotations() {
        collect_names(annotation, &mut names);
    }
    let mut used: Vec<Vocabulary> = Vec::new();
    for name in names {
        let vocabulary = find(name)?;
        if !used.contains(&vocabulary) {
            used.push(vocabulary);
        }
    }
    Ok(used)
}

fn find(name: &str) -> Result<Vocabulary, CsdlError> {
    let alias = name.split_once('.').map(|(alias, _)| alias);
    KNOWN
        .into_iter()
        .find(|known| Some(known.alias) == alias)
        .ok_or_else(|| CsdlError::UnknownVocabulary { term: name.to_owned() })
}

fn collect_names<'a>(annotation: &'a Annotation, names: &mut BTreeSet<&'a str>) {
    names.insert(annotation.term);
    collect_value_names(&annotation.value, names);
}

/// Names of enumeration types carry an alias too.
fn collect_value_names<'a>(value: &'a AnnotationValue, names: &mut BTreeSet<&'a str>) {
    match value {
        AnnotationValue::EnumMember(member) => {
            names.insert(member);
        }
        AnnotationValue::Collection(items) => {
            items.iter().for_each(|item| collect_value_names(item, names));
        }
        AnnotationValue::Record(fields) => {
            fields.iter().for_each(|(_, item)| collect_value_names(item, names));
        }
        _ => {}
    }
}
