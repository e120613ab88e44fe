//! `$apply`: the transformations of the aggregation extension. Supported ones become typed nodes. The others are parsed
//! completely, so that syntax errors in them are found, and kept by name only.

use super::error::Expected;
use super::lexer::{Parsed, Parser};
use super::syntax::{
    AggregateTerm, AggregateWhat, Expr, ExprKind, GroupItem, Literal, MemberPath, MemberStep, PathRoot, Span,
    Transformation,
};
use crate::odata::value::Value;

impl Parser<'_> {
    /// The value of `$apply`: transformations with slashes between them.
    pub(super) fn apply(&mut self) -> Parsed<Vec<Transformation>> {
        let mut steps = vec![self.transformation()?];
        while self.eat('/') {
            self.check_items(steps.len() + 1)?;
            steps.push(self.transformation()?);
        }
        Ok(steps)
    }

    fn transformation(&mut self) -> Parsed<Transformation> {
        self.count_node()?;
        let start = self.position();
        let name = self.dotted_name().map_err(|_| self.unexpected(Expected::Transformation))?;
        if name == "identity" {
            return Ok(Transformation::Identity);
        }
        if self.peek() != Some('(') {
            self.rewind(start);
            return Err(self.unexpected(Expected::Transformation));
        }
        if name.contains('.') {
            self.optional_key()?;
            let span = self.span_from(start);
            return Ok(Transformation::Other { name, span });
        }
        self.nested(|parser| {
            parser.open()?;
            let transformation = parser.transformation_body(name, start)?;
            parser.close()?;
            Ok(transformation)
        })
    }

    fn transformation_body(&mut self, name: String, start: usize) -> Parsed<Transformation> {
        Ok(match name.as_str() {
            "filter" => Transformation::Filter(self.expression()?),
            "search" => Transformation::Search(self.search()?),
            "orderby" => Transformation::OrderBy(self.list(Self::order_term)?),
            "top" => Transformation::Top(self.row_count()?),
            "skip" => Transformation::Skip(self.row_count()?),
            "compute" => Transformation::Compute(self.list(Self::compute_term)?),
            "groupby" => self.group_by()?,
            "aggregate" => Transformation::Aggregate(self.list(Self::aggregate_term)?),
            "concat" => self.concat()?,
            "topcount" | "bottomcount" => {
                let (count, by) = self.number_and_value()?;
                Transformation::Extremes { greatest: name == "topcount", count, by }
            }
            _ => {
                self.unoffered(&name, start)?;
                let span = Span { start: self.span_from(start).start, end: self.span_from(start).end + 1 };
                Transformation::Other { name, span }
            }
        })
    }

    /// The arguments of a known transformation that is not supported.
    fn unoffered(&mut self, name: &str, start: usize) -> Parsed<()> {
        match name {
            "topsum" | "toppercent" | "bottomsum" | "bottompercent" => {
                self.number_and_value()?;
                Ok(())
            }
            "nest" => self.nested_results(),
            "addnested" => {
                self.names()?;
                self.required_comma()?;
                self.nested_results()
            }
            "join" | "outerjoin" => self.join(),
            "ancestors" | "descendants" => self.relatives(),
            "traverse" => self.traverse(),
            _ => {
                self.rewind(start);
                Err(self.unexpected(Expected::Transformation))
            }
        }
    }

    fn number_and_value(&mut self) -> Parsed<(Expr, Expr)> {
        let number = self.expression()?;
        self.required_comma()?;
        Ok((number, self.expression()?))
    }

    fn row_count(&mut self) -> Parsed<Expr> {
        let start = self.position();
        let number = i64::try_from(self.whole_number()?).map_err(|_| self.unexpected(Expected::Integer))?;
        Ok(Expr {
            kind: ExprKind::Literal(Literal::Value(Value::Integer(number))),
            span: self.span_from(start),
        })
    }

    fn concat(&mut self) -> Parsed<Transformation> {
        let mut branches = vec![self.apply()?];
        self.required_comma()?;
        branches.extend(self.list(Self::apply)?);
        Ok(Transformation::Concat(branches))
    }

    // groupby

    fn group_by(&mut self) -> Parsed<Transformation> {
        self.open()?;
        let groups = self.list(Self::group_item)?;
        self.close()?;
        let then = if self.comma() { self.apply()? } else { Vec::new() };
        Ok(Transformation::GroupBy { groups, then })
    }

    fn group_item(&mut self) -> Parsed<GroupItem> {
        let start = self.position();
        if self.eat_text("rollup(") {
            self.blanks();
            let levels = self.list(Self::grouping_path)?;
            if levels.len() == 1 && levels.iter().flatten().count() > 1 {
                return Err(self.unexpected(Expected::Text(",")));
            }
            self.close()?;
            return Ok(GroupItem::Rollup(self.span_from(start)));
        }
        if self.eat_text("rolluprecursive(") {
            self.blanks();
            self.hierarchy()?;
            if self.comma() {
                self.apply()?;
            }
            self.close()?;
            return Ok(GroupItem::Rollup(self.span_from(start)));
        }
        let path = self.grouping_path()?;
        Ok(GroupItem::Path(path, self.span_from(start)))
    }

    /// A path of single-valued steps; it ends in a property, not in a type.
    fn grouping_path(&mut self) -> Parsed<Vec<String>> {
        let path = self.names()?;
        if path.last().is_some_and(|name| name.contains('.')) {
            return Err(self.unexpected(Expected::Property));
        }
        Ok(path)
    }

    /// Names of properties and types with slashes between them.
    fn names(&mut self) -> Parsed<Vec<String>> {
        let mut path = vec![self.path_name()?];
        while self.eat('/') {
            path.push(self.path_name()?);
        }
        Ok(path)
    }

    fn path_name(&mut self) -> Parsed<String> {
        match self.peek() {
            Some('@') => self.annotation(),
            _ => self.dotted_name(),
        }
    }

    // aggregate

    fn aggregate_term(&mut self) -> Parsed<AggregateTerm> {
        let start = self.position();
        let (what, needs_alias) = self.aggregate_what()?;
        let alias = self.optional_alias()?;
        if alias.is_none() && needs_alias {
            return Err(self.unexpected(Expected::Alias));
        }
        Ok(AggregateTerm { what, alias, span: self.span_from(start) })
    }

    /// The terms of the path function `…/aggregate(…)`, which need no alias.
    pub(super) fn aggregate_function(&mut self) -> Parsed<()> {
        self.open()?;
        self.aggregate_what()?;
        self.close()
    }

    /// What is aggregated and how, and whether the result needs a name of its own.
    fn aggregate_what(&mut self) -> Parsed<(AggregateWhat, bool)> {
        if self.eat_word("$count") {
            let has_from = self.grouped_from()?;
            return Ok((or_other(AggregateWhat::Count(Vec::new()), has_from), true));
        }
        let expr = self.expression()?;
        if self.keyword_between("with")? {
            let method = self.aggregation_method()?;
            let has_from = self.grouped_from()?;
            return Ok((or_other(AggregateWhat::With { expr, method }, has_from), true));
        }
        let Some((path, is_count)) = plain_path(&expr) else {
            return Err(self.unexpected(Expected::Text("with")));
        };
        if is_count {
            let has_from = self.grouped_from()?;
            return Ok((or_other(AggregateWhat::Count(path), has_from), true));
        }
        let has_from = self.custom_grouped_from()?;
        Ok((or_other(AggregateWhat::Custom(path), has_from), false))
    }

    fn aggregation_method(&mut self) -> Parsed<String> {
        let start = self.position();
        let name = self.dotted_name()?;
        let known = ["sum", "min", "max", "average", "countdistinct"];
        if name.contains('.') || known.contains(&name.as_str()) {
            return Ok(name);
        }
        self.rewind(start);
        Err(self.unexpected(Expected::AggregationMethod))
    }

    /// `from A,B with m` any number of times; returns whether there was any.
    fn grouped_from(&mut self) -> Parsed<bool> {
        let mut any = false;
        while self.keyword_between("from")? {
            self.list(Self::grouping_path)?;
            if !self.keyword_between("with")? {
                return Err(self.unexpected(Expected::Text("with")));
            }
            self.aggregation_method()?;
            any = true;
        }
        Ok(any)
    }

    /// The same for a custom aggregate, which has a method of its own.
    fn custom_grouped_from(&mut self) -> Parsed<bool> {
        let mut any = false;
        while self.keyword_between("from")? {
            self.list(Self::grouping_path)?;
            if self.keyword_between("with")? {
                self.aggregation_method()?;
            }
            any = true;
        }
        Ok(any)
    }

    // Transformations that are only checked.

    /// Transformations with the names of their results.
    fn nested_results(&mut self) -> Parsed<()> {
        self.list(|parser| {
            parser.apply()?;
            parser.alias()
        })?;
        Ok(())
    }

    fn join(&mut self) -> Parsed<()> {
        self.names()?;
        self.alias()?;
        if self.comma() {
            self.apply()?;
        }
        Ok(())
    }

    /// The nodes, the hierarchy on them and the property that identifies a node.
    fn hierarchy(&mut self) -> Parsed<()> {
        let expr = self.expression()?;
        if !matches!(&expr.kind, ExprKind::Path(path) if path.root == PathRoot::Root) {
            return Err(self.unexpected(Expected::Text("$root")));
        }
        self.required_comma()?;
        self.identifier()?;
        self.required_comma()?;
        self.names()?;
        Ok(())
    }

    /// The rest of `ancestors(…)` and `descendants(…)`: start nodes, distance, `keep start`.
    fn relatives(&mut self) -> Parsed<()> {
        self.hierarchy()?;
        self.required_comma()?;
        self.apply()?;
        let mut more = self.comma();
        if more && self.peek().is_some_and(|char| char.is_ascii_digit()) {
            self.whole_number()?;
            more = self.comma();
        }
        if more {
            self.expect("keep start")?;
        }
        Ok(())
    }

    /// The rest of `traverse(…)`: the order of the walk, perhaps transformations, perhaps sort terms.
    fn traverse(&mut self) -> Parsed<()> {
        self.hierarchy()?;
        self.required_comma()?;
        if !self.eat_word("preorder") && !self.eat_word("postorder") {
            return Err(self.unexpected(Expected::Text("preorder")));
        }
        let mut more = self.comma();
        if more && self.at_transformation() {
            self.apply()?;
            more = self.comma();
        }
        if more {
            self.list(Self::order_term)?;
        }
        Ok(())
    }

    fn at_transformation(&mut self) -> bool {
        let start = self.position();
        let name = self.dotted_name().unwrap_or_default();
        let found = match name.as_str() {
            "identity" => true,
            "filter" | "search" | "orderby" | "top" | "skip" | "topcount" | "topsum" | "toppercent"
            | "bottomcount" | "bottomsum" | "bottompercent" | "ancestors" | "descendants" | "traverse" => {
                self.peek() == Some('(')
            }
            _ => false,
        };
        self.rewind(start);
        found
    }
}

fn or_other(what: AggregateWhat, has_from: bool) -> AggregateWhat {
    if has_from { AggregateWhat::Other } else { what }
}

/// The names of a path that is nothing but names, and whether `/$count` stood behind them.
fn plain_path(expr: &Expr) -> Option<(Vec<String>, bool)> {
    let ExprKind::Path(MemberPath { root, steps }) = &expr.kind else {
        return None;
    };
    let (names, is_count) = match steps.split_last() {
        Some((MemberStep::Count { filter: None, search: None, .. }, names)) => (names, true),
        _ => (steps.as_slice(), false),
    };
    let names: Option<Vec<String>> = names
        .iter()
        .map(|step| match step {
            MemberStep::Name { name, key: None, .. } => Some(name.clone()),
            _ => None,
        })
        .collect();
    names.filter(|names| *root == PathRoot::Implicit && !names.is_empty()).map(|names| (names, is_count))
}
