//! Power Query's formula language, M: literals, names, and the query that reads chosen rows so that later steps fold into its address.

use std::fmt::{self, Display, Write as _};

use super::Choice;
use crate::export::FileColumn;
use crate::odata::value::PrimitiveType;

/// Words that are no names unless they are quoted.
const KEYWORDS: [&str; 24] = [
    "and",
    "as",
    "each",
    "else",
    "error",
    "false",
    "if",
    "in",
    "is",
    "let",
    "meta",
    "not",
    "null",
    "nullable",
    "optional",
    "or",
    "otherwise",
    "section",
    "shared",
    "then",
    "true",
    "try",
    "type",
    "catch",
];

/// A query in steps; each uses the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    steps: Vec<(&'static str, String)>,
}

/// How instants and types are left behind by the last steps of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// As the feed declares them: for Excel, and for queries that are continued in Power Query.
    Declared,
    /// Each column's type stated in a last step, as a semantic model needs it.
    Stated,
}

impl Query {
    /// The query that reads a choice.
    #[must_use]
    pub fn of(choice: &Choice, typing: Typing) -> Self {
        Self { steps: source(choice) }.shaped(choice, typing)
    }

    /// The query that reads of a choice the periods between the two parameters of an incremental refresh, with stated types.
    #[must_use]
    pub fn windowed(choice: &Choice) -> Self {
        let mut query = Self { steps: source(choice) };
        let window = "each [Fra] >= Date.From(RangeStart) and [Fra] < Date.From(RangeEnd)";
        query.then("Window", |before| format!("Table.SelectRows({before}, {window})"));
        query.shaped(choice, Typing::Stated)
    }

    /// The steps behind the source: columns, instants, types.
    fn shaped(mut self, choice: &Choice, typing: Typing) -> Self {
        let query = &mut self;
        let columns = choice.columns.iter().map(|column| text(&column.name)).collect::<Vec<_>>().join(", ");
        query.then("Columns", |before| format!("Table.SelectColumns({before}, {{{columns}}})"));
        let transform = |name: &str| format!("{{{}, DateTimeZone.RemoveZone, type datetime}}", text(name));
        let instants =
            choice.columns.iter().filter(|column| column.primitive == PrimitiveType::DateTimeOffset);
        let instants: Vec<_> = instants.map(|column| transform(&column.name)).collect();
        if !instants.is_empty() {
            let instants = instants.join(", ");
            query.then("Times", |before| format!("Table.TransformColumns({before}, {{{instants}}})"));
        }
        if typing == Typing::Stated {
            let types: Vec<_> = choice.columns.iter().map(stated_type).collect();
            let types = types.join(", ");
            query.then("Types", |before| format!("Table.TransformColumnTypes({before}, {{{types}}})"));
        }
        self
    }

    /// The names of the steps, in their order.
    pub fn step_names(&self) -> impl Iterator<Item = &'static str> {
        self.steps.iter().map(|(name, _)| *name)
    }

    fn then(&mut self, name: &'static str, step: impl FnOnce(&str) -> String) {
        let before = self.steps.last().map_or("", |(name, _)| name);
        self.steps.push((name, step(before)));
    }
}

impl Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("let\n")?;
        for (position, (name, step)) in self.steps.iter().enumerate() {
            let comma = if position + 1 < self.steps.len() { "," } else { "" };
            writeln!(f, "    {name} = {step}{comma}")?;
        }
        let last = self.steps.last().map_or("", |(name, _)| name);
        write!(f, "in\n    {last}")
    }
}

/// The steps that open the set. One without options is opened by navigation, as Excel writes it itself.
fn source(choice: &Choice) -> Vec<(&'static str, String)> {
    const OPTIONS: &str = r#"Implementation="2.0", ODataVersion=4, OmitValues=ODataOmitValues.Nulls"#;
    let Choice { service, set, options, .. } = choice;
    if options.is_empty() {
        let feed = format!("OData.Feed({}, null, [{OPTIONS}])", text(service));
        let data = format!(r#"Source{{[Name={},Signature="table"]}}[Data]"#, text(set));
        return vec![("Source", feed), ("Data", data)];
    }
    let option = |(option, value): &(String, String)| format!("{}={}", name(option), text(value));
    let query = options.iter().map(option).collect::<Vec<_>>().join(", ");
    let address = text(&format!("{service}{set}"));
    vec![("Source", format!("OData.Feed({address}, null, [Query=[{query}], {OPTIONS}])"))]
}

fn stated_type(column: &FileColumn) -> String {
    let primitive = match column.primitive {
        PrimitiveType::Boolean => "type logical",
        PrimitiveType::Byte | PrimitiveType::SByte | PrimitiveType::Int16 | PrimitiveType::Int32 => {
            "Int64.Type"
        }
        PrimitiveType::Int64 => "Int64.Type",
        PrimitiveType::Decimal | PrimitiveType::Double | PrimitiveType::Single => "type number",
        PrimitiveType::Date => "type date",
        PrimitiveType::DateTimeOffset => "type datetime",
        _ => "type text",
    };
    format!("{{{}, {primitive}}}", text(&column.name))
}

/// A text literal. Line breaks, tabs and other control characters are written as escapes.
#[must_use]
pub fn text(value: &str) -> String {
    let mut literal = String::with_capacity(value.len() + 2);
    literal.push('"');
    let mut letters = value.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => literal.push_str("\"\""),
            '#' if letters.peek() == Some(&'(') => literal.push_str("#(#)"),
            '\r' => literal.push_str("#(cr)"),
            '\n' => literal.push_str("#(lf)"),
            '\t' => literal.push_str("#(tab)"),
            control if control.is_control() || matches!(control, '\u{2028}' | '\u{2029}') => {
                // Writing to a text does not fail.
                let _ = write!(literal, "#({:04X})", u32::from(control));
            }
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

/// A name, quoted unless it is plain.
#[must_use]
pub fn name(value: &str) -> String {
    let begins_well = value.starts_with(|first: char| first == '_' || first.is_alphabetic());
    let is_plain = begins_well && value.chars().all(|letter| letter == '_' || letter.is_alphanumeric());
    if is_plain && !KEYWORDS.contains(&value) { value.to_owned() } else { format!("#{}", text(value)) }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::choice;
    use super::*;

    #[test]
    fn texts_escape_what_would_end_or_change_them() {
        for (value, literal) in [
            ("Køn", "\"Køn\""),
            ("\"", "\"\"\"\""),
            ("#(lf)", "\"#(#)(lf)\""),
            ("a#b", "\"a#b\""),
            ("a\r\n\tb", "\"a#(cr)#(lf)#(tab)b\""),
            ("\u{1}\u{85}\u{2028}", "\"#(0001)#(0085)#(2028)\""),
            ("\\\"", "\"\\\"\"\""),
        ] {
            assert_eq!(text(value), literal);
        }
    }

    #[test]
    fn names_are_quoted_unless_they_are_plain() {
        for (value, written) in [
            ("Område", "Område"),
            ("Køn_id", "Køn_id"),
            ("type", "#\"type\""),
            ("2_4", "#\"2_4\""),
            ("$filter", "#\"$filter\""),
            ("a b", "#\"a b\""),
            ("", "#\"\""),
        ] {
            assert_eq!(name(value), written);
        }
    }

    #[test]
    fn a_set_is_opened_by_navigation_and_its_columns_are_pinned() {
        assert_eq!(
            Query::of(&choice(&[]), Typing::Declared).to_string(),
            r#"let
    Source = OData.Feed("http://localhost:8080/odata/jobindsats/y07a02/", null, [Implementation="2.0", ODataVersion=4, OmitValues=ODataOmitValues.Nulls]),
    Data = Source{[Name="Kommuner",Signature="table"]}[Data],
    Columns = Table.SelectColumns(Data, {"Fra", "Område", "Antal", "Opdateret"}),
    Times = Table.TransformColumns(Columns, {{"Opdateret", DateTimeZone.RemoveZone, type datetime}})
in
    Times"#
        );
    }

    #[test]
    fn options_stand_in_a_record_and_types_in_the_last_step() {
        let chosen = choice(&[("$filter", "Område eq 'Høje \"Taastrup\"'"), ("$top", "3")]);
        let query = Query::of(&chosen, Typing::Stated);
        assert_eq!(query.step_names().collect::<Vec<_>>(), ["Source", "Columns", "Times", "Types"]);
        let text = query.to_string();
        assert!(
            text.contains(r##"[Query=[#"$filter"="Område eq 'Høje ""Taastrup""'", #"$top"="3"], Imp"##),
            "{text}"
        );
        assert!(
            text.contains(r#"{{"Fra", type date}, {"Område", type text}, {"Antal", type number}, {"#),
            "{text}"
        );
    }
}
