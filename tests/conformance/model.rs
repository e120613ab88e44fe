//! The model that the grammar cases assume, as far as it makes a text invalid: checks the kinds of names in the syntax tree. In the
//! service the binder does this with the real model.

use std::collections::HashMap;

use jobindsats_bridge::odata::uri::syntax::{
    AggregateWhat, Expr, ExprKind, GroupItem, MemberStep, PathSegment, RequestSyntax, SystemSegment,
    Transformation,
};

const TYPES: [&str; 2] = ["entityTypeName", "complexTypeName"];
const PRIMITIVES: [&str; 3] = ["primitiveKeyProperty", "primitiveNonKeyProperty", "primitiveColProperty"];
const COLLECTIONS: [&str; 2] = ["entityColNavigationProperty", "complexColProperty"];
const WITHOUT_RAW_VALUE: [&str; 4] =
    ["complexProperty", "complexColProperty", "complexTypeName", "streamProperty"];
const IMPORTS: [&str; 7] = [
    "actionImport",
    "entityFunctionImport",
    "entityColFunctionImport",
    "complexFunctionImport",
    "complexColFunctionImport",
    "primitiveFunctionImport",
    "primitiveColFunctionImport",
];

type Verdict = Result<(), String>;

/// The kinds that each name is of.
pub struct Model {
    kinds: HashMap<String, Vec<String>>,
}

impl Model {
    /// From names by kind.
    pub fn new(constraints: &serde_json::Value) -> Self {
        let mut kinds: HashMap<String, Vec<String>> = HashMap::new();
        for (kind, names) in constraints.as_object().expect("constraints are an object") {
            for name in names.as_array().expect("names are a list") {
                let name = name.as_str().expect("a name is a text").to_owned();
                kinds.entry(name).or_default().push(kind.clone());
            }
        }
        Self { kinds }
    }

    fn kinds(&self, name: &str) -> &[String] {
        let simple = name.rsplit('.').next().unwrap_or(name);
        self.kinds.get(simple).map_or(&[], Vec::as_slice)
    }

    fn may_be(&self, name: &str, kinds: &[&str]) -> bool {
        self.kinds(name).iter().any(|kind| kinds.contains(&kind.as_str()))
    }

    fn can_only_be(&self, name: &str, kinds: &[&str]) -> bool {
        let own = self.kinds(name);
        !own.is_empty() && own.iter().all(|kind| kinds.contains(&kind.as_str()))
    }

    pub fn check(&self, request: &RequestSyntax) -> Verdict {
        for pair in request.path.segments.windows(2) {
            self.check_neighbours(&pair[0], &pair[1])?;
        }
        self.check_apply(request.options.apply.as_deref().unwrap_or_default())
    }

    fn check_neighbours(&self, before: &PathSegment, segment: &PathSegment) -> Verdict {
        let plain = match before {
            PathSegment::Name { name, key: None, .. } => Some(name),
            _ => None,
        };
        match segment {
            PathSegment::System { name: SystemSegment::Value, .. } => {
                refuse(plain.is_some_and(|name| self.can_only_be(name, &WITHOUT_RAW_VALUE)), "no raw value")
            }
            PathSegment::Name { name, key, .. } => {
                refuse(self.can_only_be(name, &IMPORTS), "an import below the root")?;
                let is_type = |name: &String| name.contains('.') && self.can_only_be(name, &TYPES);
                refuse(plain.is_some_and(is_type) && key.is_none() && is_type(name), "two casts")
            }
            _ => Ok(()),
        }
    }

    fn check_apply(&self, steps: &[Transformation]) -> Verdict {
        for step in steps {
            match step {
                Transformation::GroupBy { groups, then } => {
                    groups.iter().try_for_each(|group| self.check_group(group))?;
                    self.check_apply(then)?;
                }
                Transformation::Aggregate(terms) => {
                    terms.iter().try_for_each(|term| self.check_aggregate(&term.what))?;
                }
                Transformation::Concat(branches) => {
                    branches.iter().try_for_each(|branch| self.check_apply(branch))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Groups are made by single values: no collection and no primitive value lies on the way.
    fn check_group(&self, group: &GroupItem) -> Verdict {
        let GroupItem::Path(names, _) = group else {
            return Ok(());
        };
        let on_the_way = &names[..names.len() - 1];
        let leads_nowhere =
            |name: &String| self.may_be(name, &COLLECTIONS) || self.can_only_be(name, &PRIMITIVES);
        refuse(on_the_way.iter().any(leads_nowhere), "no single-valued path")
    }

    fn check_aggregate(&self, what: &AggregateWhat) -> Verdict {
        match what {
            AggregateWhat::Custom(path) => {
                let is_custom = path.last().is_some_and(|name| self.may_be(name, &["customAggregate"]));
                refuse(!is_custom, "no custom aggregate")
            }
            AggregateWhat::With { expr, .. } => match &expr.kind {
                ExprKind::Binary(_, left, right) => refuse(
                    self.reads_collection(left) || self.reads_collection(right),
                    "arithmetic on a collection",
                ),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn reads_collection(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Path(path) => matches!(path.steps.first(),
                Some(MemberStep::Name { name, key: None, .. }) if self.may_be(name, &COLLECTIONS)),
            ExprKind::Binary(_, left, right) => self.reads_collection(left) || self.reads_collection(right),
            _ => false,
        }
    }
}

fn refuse(wrong: bool, reason: &str) -> Verdict {
    if wrong { Err(reason.to_owned()) } else { Ok(()) }
}
