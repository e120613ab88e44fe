//! Definitions of indicators, as operators write them in a file, and the checks that need only the file. Whether a table has the
//! measure and the members is checked by [`resolve`](super::resolve).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::indicators::quantity::{AreaLevel, BaseUnit, Quantity};

/// The definitions that are built into the program.
const BUILT_IN: &str = include_str!("../../metadata/indicators.json");
/// Series per area: the value and its change from two baselines; of a share in two units.
const SERIES_PER_AREA: usize = 3;
const SERIES_PER_AREA_OF_A_SHARE: usize = 5;
/// Series per indicator besides those of its areas.
const SERIES_ABOUT: usize = 25;
/// How many of the largest indicators an error names.
const LARGEST_NAMED: usize = 5;

/// Why a set of definitions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    #[error("the indicators' file {path} cannot be read: {source}")]
    Unreadable { path: String, source: std::io::Error },
    #[error("the indicators are not as their schema says: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("there are no indicators: expected at least one")]
    Empty,
    #[error("the indicator `{0}` is defined twice: expected each id once")]
    Duplicate(IndicatorId),
    #[error("the indicator `{id}` has an empty `{field}`: expected a text")]
    Blank { id: IndicatorId, field: &'static str },
    #[error(
        "the indicators may become {series} series, above the limit of {limit} (BRIDGE_SERIES_LIMIT); the largest are {largest}"
    )]
    TooManySeries { series: usize, limit: usize, largest: String },
}

/// The longest id of an indicator.
pub const MAX_ID_CHARS: usize = 63;

/// An indicator's id: a small letter, then small letters, digits and underscores, at most [`MAX_ID_CHARS`] together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IndicatorId(Arc<str>);

impl IndicatorId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IndicatorId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let starts = text.starts_with(|first: char| first.is_ascii_lowercase());
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if starts && text.len() <= MAX_ID_CHARS && text.bytes().all(letter) {
            Ok(Self(text.into()))
        } else {
            let others = MAX_ID_CHARS - 1;
            Err(format!("the id `{text}` is not of the form [a-z][a-z0-9_]{{0,{others}}}"))
        }
    }
}

impl From<IndicatorId> for String {
    fn from(id: IndicatorId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for IndicatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An indicator: one table, one measure, one fixed member of every dimension but the area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    pub id: IndicatorId,
    /// The title in Danish.
    pub title: String,
    pub table: String,
    pub measure: MeasureNames,
    pub period_type: String,
    pub quantity: Quantity,
    /// Empty: every level that the table has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<AreaLevel>,
    /// Dimension id to member id or label; a dimension that is not listed is at its total.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, String>,
    /// What of the definition the databank's own answers have shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certain: Vec<DefinitionPart>,
    /// What of the definition is only likely.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guess: Vec<DefinitionPart>,
}

/// Names that a measure may have, the likeliest first: its id, its label or its heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrSeveral", into = "OneOrSeveral")]
pub struct MeasureNames(Vec<String>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrSeveral {
    One(String),
    Several(Vec<String>),
}

impl From<OneOrSeveral> for MeasureNames {
    fn from(names: OneOrSeveral) -> Self {
        match names {
            OneOrSeveral::One(name) => Self(vec![name]),
            OneOrSeveral::Several(names) => Self(names),
        }
    }
}

impl From<MeasureNames> for OneOrSeveral {
    fn from(MeasureNames(mut names): MeasureNames) -> Self {
        match (names.pop(), names.is_empty()) {
            (Some(only), true) => Self::One(only),
            (last, _) => Self::Several(names.into_iter().chain(last).collect()),
        }
    }
}

impl MeasureNames {
    /// The likeliest name.
    #[must_use]
    pub fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// All names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    fn is_blank(&self) -> bool {
        self.0.is_empty() || self.0.iter().any(|name| name.trim().is_empty())
    }
}

impl fmt::Display for MeasureNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or "))
    }
}

/// A part of a definition that may be certain or a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionPart {
    Table,
    Measure,
    PeriodType,
    Quantity,
    Levels,
}

#[cfg(test)]
impl DefinitionPart {
    pub const ALL: [Self; 5] = [Self::Table, Self::Measure, Self::PeriodType, Self::Quantity, Self::Levels];
}

impl Definition {
    /// The most series that the indicator can have.
    #[must_use]
    pub fn series_bound(&self) -> usize {
        let levels: &[AreaLevel] = if self.levels.is_empty() { &AreaLevel::ALL } else { &self.levels };
        let areas: usize = levels.iter().map(|level| level.area_count()).sum();
        let of_area = if self.quantity.base() == BaseUnit::Ratio {
            SERIES_PER_AREA_OF_A_SHARE
        } else {
            SERIES_PER_AREA
        };
        areas * of_area + SERIES_ABOUT
    }

    /// Whether both have the same figures; titles may differ.
    #[must_use]
    pub fn same_figures(&self, other: &Self) -> bool {
        let (title, certain, guess) = (self.title.clone(), self.certain.clone(), self.guess.clone());
        *self == Self { title, certain, guess, ..other.clone() }
    }

    fn check(&self) -> Result<(), DefinitionError> {
        let fields = [("title", &self.title), ("table", &self.table), ("period_type", &self.period_type)];
        if self.measure.is_blank() {
            return Err(DefinitionError::Blank { id: self.id.clone(), field: "measure" });
        }
        match fields.into_iter().find(|(_, text)| text.trim().is_empty()) {
            Some((field, _)) => Err(DefinitionError::Blank { id: self.id.clone(), field }),
            None => Ok(()),
        }
    }
}

/// Checked definitions, in the file's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definitions(Vec<Arc<Definition>>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DefinitionsFile {
    #[serde(rename = "$schema")]
    _schema: Option<String>,
    /// Whether the built-in definitions stay, except those whose ids the file defines itself.
    #[serde(default)]
    built_in: bool,
    indicators: Vec<Definition>,
}

impl Definitions {
    /// The definitions that are built into the program.
    pub fn built_in(series_limit: usize) -> Result<Self, DefinitionError> {
        Self::parse(BUILT_IN, series_limit)
    }

    /// Reads the definitions of a file.
    pub fn read(path: &Path, series_limit: usize) -> Result<Self, DefinitionError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| DefinitionError::Unreadable { path: path.display().to_string(), source })?;
        Self::parse(&text, series_limit)
    }

    /// Reads definitions from text.
    pub fn parse(text: &str, series_limit: usize) -> Result<Self, DefinitionError> {
        let file: DefinitionsFile = serde_json::from_str(text)?;
        if file.indicators.is_empty() {
            return Err(DefinitionError::Empty);
        }
        let mut seen = BTreeSet::new();
        for definition in &file.indicators {
            definition.check()?;
            if !seen.insert(&definition.id) {
                return Err(DefinitionError::Duplicate(definition.id.clone()));
            }
        }
        let mut definitions = Vec::new();
        if file.built_in {
            let ours: DefinitionsFile = serde_json::from_str(BUILT_IN)?;
            definitions.extend(ours.indicators.into_iter().filter(|one| !seen.contains(&one.id)));
        }
        definitions.extend(file.indicators);
        check_series(&definitions, series_limit)?;
        Ok(Self(definitions.into_iter().map(Arc::new).collect()))
    }

    /// All definitions, the built-in ones first, in the order of their files.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.0.iter()
    }
}

fn check_series(definitions: &[Definition], limit: usize) -> Result<(), DefinitionError> {
    let mut sizes: Vec<_> = definitions.iter().map(|one| (one.series_bound(), &one.id)).collect();
    let series = sizes.iter().map(|(size, _)| size).sum();
    if series <= limit {
        return Ok(());
    }
    sizes.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let largest: Vec<_> =
        sizes.iter().take(LARGEST_NAMED).map(|(size, id)| format!("{id} ({size})")).collect();
    Err(DefinitionError::TooManySeries { series, limit, largest: largest.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::measure::Unit;

    fn one(change: impl FnOnce(&mut serde_json::Value)) -> Result<Definitions, DefinitionError> {
        let mut indicator = serde_json::json!({
            "id": "a", "title": "A", "table": "y25i01", "measure": "Antal", "period_type": "M", "quantity": "persons"
        });
        change(&mut indicator);
        Definitions::parse(&serde_json::json!({ "indicators": [indicator] }).to_string(), 1000)
    }

    #[test]
    fn the_built_in_definitions_are_what_a_labour_market_department_wants() {
        let definitions = Definitions::built_in(20_000).unwrap();
        let tables: BTreeSet<_> = definitions.iter().map(|one| one.table.as_str()).collect();
        for table in ["y25i01", "y25i03", "y25i09", "y25i05", "y25i07", "y60a02", "y07a02", "y01h01"] {
            assert!(tables.contains(table), "{table}");
        }
        for one in definitions.iter() {
            let units = one.measure.iter().filter_map(Unit::stated_by);
            assert!(units.into_iter().all(|unit| one.quantity.fits(unit)), "{}: a unit is wrong", one.id);
        }
    }

    #[test]
    fn the_schema_and_the_code_know_the_same_words() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../metadata/indicators.schema.json")).unwrap();
        let properties = &schema["$defs"]["indicator"]["properties"];
        let quantities = properties["quantity"]["enum"].as_array().unwrap();
        let known: Vec<Quantity> =
            quantities.iter().map(|word| serde_json::from_value(word.clone()).unwrap()).collect();
        let levels = serde_json::to_value(AreaLevel::ALL).unwrap();
        let bases: BTreeSet<_> = known.iter().map(|quantity| format!("{quantity:?}")).collect();
        assert_eq!((bases.len(), quantities.len()), (9, 9));
        assert!(known.iter().zip(quantities).all(|(quantity, word)| quantity.word() == word));
        let parts = serde_json::to_value(DefinitionPart::ALL).unwrap();
        assert_eq!(schema["$defs"]["parts"]["items"]["enum"], parts);
        assert_eq!(properties["levels"]["items"]["enum"], levels);
        assert_eq!(levels, serde_json::to_value(AreaLevel::ALL.map(AreaLevel::word)).unwrap());
        let whole = Definition {
            levels: AreaLevel::ALL.to_vec(),
            members: BTreeMap::from([("_kon".into(), "1".into())]),
            certain: vec![DefinitionPart::Table],
            guess: vec![DefinitionPart::Measure],
            ..Definition::clone(Definitions::built_in(20_000).unwrap().iter().next().unwrap())
        };
        let written = serde_json::to_value(whole).unwrap();
        let fields: Vec<_> = written.as_object().unwrap().keys().collect();
        let described: Vec<_> = properties.as_object().unwrap().keys().collect();
        assert_eq!(fields.iter().collect::<BTreeSet<_>>(), described.iter().collect());
    }

    #[test]
    fn every_built_in_indicator_says_what_is_certain_and_what_is_a_guess() {
        for one in Definitions::built_in(20_000).unwrap().iter() {
            let mut parts: Vec<_> = one.certain.iter().chain(&one.guess).copied().collect();
            parts.sort_unstable();
            assert_eq!(parts, DefinitionPart::ALL, "{}", one.id);
        }
    }

    #[test]
    fn a_measure_has_one_name_or_several() {
        let several = one(|it| it["measure"] = serde_json::json!(["A", "B"])).unwrap();
        assert_eq!(several.iter().next().unwrap().measure.iter().collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(several.iter().next().unwrap().measure.to_string(), "`A` or `B`");
        for blank in [serde_json::json!([]), serde_json::json!(["A", " "]), serde_json::json!("")] {
            let error = one(|it| it["measure"] = blank).unwrap_err().to_string();
            assert!(error.contains("`measure`"), "{error}");
        }
    }

    #[test]
    fn ids_that_are_no_label_are_refused() {
        for id in ["", "A", "1a", "_a", "a-b", "æ", "a b", &"a".repeat(64)] {
            let error = one(|it| it["id"] = id.into()).unwrap_err().to_string();
            assert!(error.contains("[a-z][a-z0-9_]{0,62}"), "{id}: {error}");
        }
        assert!(one(|it| it["id"] = "a".repeat(63).into()).is_ok());
    }

    #[test]
    fn unknown_words_and_missing_fields_are_named() {
        let wrong_word = one(|it| it["quantity"] = "procent".into()).unwrap_err().to_string();
        assert!(wrong_word.contains("procent") && wrong_word.contains("`percent`"), "{wrong_word}");
        let unknown_field = one(|it| it["mesure"] = "x".into()).unwrap_err().to_string();
        assert!(unknown_field.contains("mesure") && unknown_field.contains("`measure`"), "{unknown_field}");
        let blank = one(|it| it["title"] = "  ".into()).unwrap_err().to_string();
        assert!(blank.contains("`a`") && blank.contains("`title`"), "{blank}");
        assert!(matches!(Definitions::parse(r#"{"indicators":[]}"#, 1), Err(DefinitionError::Empty)));
        assert!(Definitions::parse("[]", 1).is_err());
    }

    #[test]
    fn an_id_stands_for_one_indicator() {
        let definition =
            r#"{"id":"a","title":"A","table":"t","measure":"m","period_type":"M","quantity":"value"}"#;
        let twice = format!(r#"{{"indicators":[{definition},{definition}]}}"#);
        let error = Definitions::parse(&twice, 1000).unwrap_err();
        assert!(matches!(error, DefinitionError::Duplicate(id) if id.as_str() == "a"));
    }

    #[test]
    fn a_file_may_add_to_the_built_in_definitions() {
        let ours: Vec<_> = Definitions::built_in(20_000).unwrap().iter().cloned().collect();
        let mut own = serde_json::to_value(&*ours[0]).unwrap();
        let mut ids = |change: &dyn Fn(&mut serde_json::Value), limit| {
            let mut file = serde_json::json!({ "built_in": true, "indicators": [own] });
            change(&mut file);
            own = file["indicators"][0].clone();
            let definitions = Definitions::parse(&file.to_string(), limit)?;
            Ok::<_, DefinitionError>(
                definitions.iter().map(|one| (one.id.to_string(), one.title.clone())).collect::<Vec<_>>(),
            )
        };
        let replaced = ids(&|file| file["indicators"][0]["title"] = "Vores".into(), 20_000).unwrap();
        assert_eq!(replaced.len(), ours.len());
        let same: Vec<_> = replaced.iter().filter(|(id, _)| *id == ours[0].id.as_str()).collect();
        assert_eq!(same, [&(ours[0].id.to_string(), "Vores".to_owned())], "the file's own comes before ours");
        let added = ids(&|file| file["indicators"][0]["id"] = "vores".into(), 20_000).unwrap();
        assert_eq!((added.len(), added.last().unwrap().0.as_str()), (ours.len() + 1, "vores"));
        let alone = ids(&|file| file["built_in"] = false.into(), 20_000).unwrap();
        assert_eq!(alone.len(), 1, "without the word the file stands alone");
        let all: usize = ours.iter().map(|one| one.series_bound()).sum();
        let error = ids(&|_| {}, all).unwrap_err();
        assert!(matches!(error, DefinitionError::TooManySeries { .. }), "ours count too: {error}");
    }

    #[test]
    fn too_many_series_name_the_largest() {
        let error = Definitions::built_in(1000).unwrap_err().to_string();
        assert!(error.contains("limit of 1000") && error.contains("ledige_andel (545)"), "{error}");
        assert!(!error.contains("saesonkorrigeret"), "the smallest are not the largest: {error}");
        assert!(one(|it| it["levels"] = serde_json::json!(["country"])).is_ok());
    }
}
