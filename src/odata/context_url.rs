//! Context URLs: they describe the shape of an answer.
//!
//! Excel and Power BI compare them character by character. The versions differ for expanded navigation properties: 4.0 names one
//! only where it has a select list or was selected by name, 4.01 always and with parentheses.

use super::version::Version;

/// What an answer contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    ServiceDocument,
    /// Entities of a set.
    Collection(&'a str),
    /// One entity of a set.
    Entity(&'a str),
    Singleton(&'a str),
    /// A property below an entity: `Observations(5)/Value`.
    Property(&'a str),
    Reference,
    References,
}

/// Which properties an answer contains; all, if none is named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape<'a> {
    /// The items of `$select`, `*` included, or the columns of an aggregation.
    pub selected: Vec<&'a str>,
    pub expanded: Vec<Expanded<'a>>,
}

/// An expanded navigation property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expanded<'a> {
    pub name: &'a str,
    pub suffix: ExpandSuffix,
    pub shape: Shape<'a>,
}

/// The form of an expanded navigation property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpandSuffix {
    #[default]
    Entities,
    /// `Name/$ref`
    References,
    /// `Name/$count`
    Count,
}

/// The context URL of an answer. `root` is the absolute service root with its final slash.
#[must_use]
pub fn write(root: &str, resource: Resource<'_>, shape: &Shape<'_>, version: Version) -> String {
    let list = || match list(shape, version) {
        items if items.is_empty() => String::new(),
        items => format!("({items})"),
    };
    let fragment = match resource {
        Resource::ServiceDocument => return format!("{root}$metadata"),
        Resource::Collection(set) => format!("{set}{}", list()),
        Resource::Entity(set) => format!("{set}{}/$entity", list()),
        Resource::Singleton(name) => format!("{name}{}", list()),
        Resource::Property(path) => path.to_owned(),
        Resource::Reference => "$ref".to_owned(),
        Resource::References => "Collection($ref)".to_owned(),
    };
    format!("{root}$metadata#{fragment}")
}

fn list(shape: &Shape<'_>, version: Version) -> String {
    let selected = shape.selected.iter().map(|name| (*name).to_owned());
    let expanded = shape.expanded.iter();
    let items: Vec<String> =
        selected.chain(expanded.filter_map(|item| expanded_item(item, version))).collect();
    items.join(",")
}

fn expanded_item(expanded: &Expanded<'_>, version: Version) -> Option<String> {
    let name = expanded.name;
    match expanded.suffix {
        ExpandSuffix::References => return Some(format!("{name}/$ref")),
        ExpandSuffix::Count => return None,
        ExpandSuffix::Entities => {}
    }
    let nested = list(&expanded.shape, version);
    match version {
        Version::V4 if nested.is_empty() => None,
        _ => Some(format!("{name}({nested})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(name: &'static str, shape: Shape<'static>) -> Expanded<'static> {
        let suffix = ExpandSuffix::Entities;
        Expanded { name, suffix, shape }
    }

    fn shape(selected: &[&'static str], expanded: &[Expanded<'static>]) -> Shape<'static> {
        let (selected, expanded) = (selected.to_vec(), expanded.to_vec());
        Shape { selected, expanded }
    }

    fn fragment(resource: Resource<'_>, shape: &Shape<'_>, version: Version) -> String {
        let url = write("https://h/odata/", resource, shape, version);
        url.strip_prefix("https://h/odata/$metadata#").unwrap().to_owned()
    }

    #[test]
    fn lists_are_what_each_version_expects() {
        let plain = expand("AreaCode", Shape::default());
        let titled = expand("AreaCode", shape(&["Title"], &[]));
        let deep = expand("A", shape(&[], &[expand("B", Shape::default())]));
        let deeper = expand("A", shape(&[], &[expand("B", shape(&["C"], &[]))]));
        let set = Resource::Collection("Observations");
        for (shape, v4, v401) in [
            (shape(&[], &[]), "Observations", "Observations"),
            (shape(&["Area", "Value"], &[]), "Observations(Area,Value)", "Observations(Area,Value)"),
            (shape(&["*"], &[]), "Observations(*)", "Observations(*)"),
            (shape(&[], std::slice::from_ref(&plain)), "Observations", "Observations(AreaCode())"),
            (
                shape(&["Value"], std::slice::from_ref(&plain)),
                "Observations(Value)",
                "Observations(Value,AreaCode())",
            ),
            (shape(&[], &[titled]), "Observations(AreaCode(Title))", "Observations(AreaCode(Title))"),
            (
                shape(&["Value", "AreaCode"], &[plain]),
                "Observations(Value,AreaCode)",
                "Observations(Value,AreaCode,AreaCode())",
            ),
            (shape(&[], &[deep]), "Observations", "Observations(A(B()))"),
            (shape(&[], &[deeper]), "Observations(A(B(C)))", "Observations(A(B(C)))"),
        ] {
            assert_eq!(fragment(set, &shape, Version::V4), v4);
            assert_eq!(fragment(set, &shape, Version::V401), v401);
        }
    }

    #[test]
    fn every_resource_has_its_form() {
        let values = shape(&["Område"], &[]);
        for (resource, expected) in [
            (Resource::Entity("Observations"), "Observations(Område)/$entity"),
            (Resource::Singleton("Properties"), "Properties(Område)"),
            (Resource::Property("Observations(5)/Value"), "Observations(5)/Value"),
            (Resource::Reference, "$ref"),
            (Resource::References, "Collection($ref)"),
        ] {
            assert_eq!(fragment(resource, &values, Version::V4), expected);
            assert_eq!(fragment(resource, &values, Version::V401), expected);
        }
        let document = write("https://h/", Resource::ServiceDocument, &values, Version::V4);
        assert_eq!(document, "https://h/$metadata");
    }

    #[test]
    fn expanded_references_are_named_and_counts_are_not() {
        let with = |suffix| Expanded { name: "A", suffix, shape: Shape::default() };
        let references = shape(&[], &[with(ExpandSuffix::References)]);
        let counts = shape(&[], &[with(ExpandSuffix::Count)]);
        for version in [Version::V4, Version::V401] {
            let set = Resource::Collection("S");
            assert_eq!(fragment(set, &references, version), "S(A/$ref)");
            assert_eq!(fragment(set, &counts, version), "S");
        }
    }
}
