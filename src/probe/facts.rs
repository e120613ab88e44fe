//! What a probe reads from metadata and figures. Read from plain JSON, with every spelling as it was sent, because the probe looks
//! for differences that the client's own reader tolerates.

use serde_json::Value;

use crate::catalogue::label::{cleaned, comparable};

/// A table as `/table` tells it.
#[derive(Debug, Clone, Default)]
pub struct TableFacts {
    pub id: String,
    pub groups: Vec<Group>,
    pub period_type: String,
    /// Of that type, the newest first.
    pub periods: Vec<String>,
    pub dimensions: Vec<DimensionFacts>,
}

/// A measure group.
#[derive(Debug, Clone, Default)]
pub struct Group {
    pub id: String,
    pub name: String,
    /// Ids and names of its measures.
    pub measures: Vec<(String, String)>,
}

/// A dimension by its first hierarchy.
#[derive(Debug, Clone, Default)]
pub struct DimensionFacts {
    pub id: String,
    pub name: String,
    pub hierarchy: String,
    pub hierarchy_name: String,
    pub levels: Vec<LevelFacts>,
}

/// A level with its paths and labels.
#[derive(Debug, Clone, Default)]
pub struct LevelFacts {
    pub id: String,
    pub values: Vec<(String, String)>,
}

/// Figures of an answer.
#[derive(Debug, Clone, Default)]
pub struct DataFacts {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

const ROOT: &str = "/";

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.as_u64().map(|n| n.to_string()).unwrap_or_default(), str::to_owned)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

impl TableFacts {
    /// Reads an answer, wrapped or not.
    #[must_use]
    pub fn read(answer: &Value) -> Self {
        let table = if answer.is_array() { &answer[0] } else { answer };
        let periods =
            if table["periods"].is_object() { &table["periods"]["periodtypes"] } else { &table["periods"] };
        let shortest = list(periods).iter().min_by_key(|kind| {
            let order = ["M", "Q", "QMAT", "Y"];
            order.iter().position(|id| kind["periodtype_id"] == **id).unwrap_or(order.len())
        });
        let periods =
            shortest.map(|kind| list(&kind["values"]).iter().map(|it| text(&it["period_id"])).collect());
        let mut periods: Vec<String> = periods.unwrap_or_default();
        periods.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            id: text(&table["table_id"]),
            groups: list(&table["mgroups"]).iter().map(group).collect(),
            period_type: shortest.map(|kind| text(&kind["periodtype_id"])).unwrap_or_default(),
            periods,
            dimensions: list(&table["dimensions"]).iter().map(dimension).collect(),
        }
    }

    /// The area dimension.
    #[must_use]
    pub fn area(&self) -> Option<&DimensionFacts> {
        self.dimensions.iter().find(|dimension| dimension.id == "_omrade")
    }

    /// The other dimension of the most members, if it has a level of several.
    #[must_use]
    pub fn other(&self) -> Option<&DimensionFacts> {
        let is_it = |dimension: &&DimensionFacts| dimension.id != "_omrade" && dimension.level().is_some();
        self.dimensions.iter().filter(is_it).max_by_key(|dimension| dimension.size())
    }

    /// Every label of the metadata.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        let measures = self.groups.iter().flat_map(|group| {
            group.measures.iter().map(|(_, name)| name.as_str()).chain([group.name.as_str()])
        });
        let members = self.dimensions.iter().flat_map(|dimension| {
            let values = dimension.levels.iter().flat_map(|level| &level.values);
            values.map(|(_, label)| label.as_str()).chain([dimension.name.as_str()])
        });
        measures.chain(members)
    }

    /// How many measures there are.
    #[must_use]
    pub fn measure_count(&self) -> usize {
        self.groups.iter().map(|group| group.measures.len()).sum()
    }
}

fn group(value: &Value) -> Group {
    let measure = |measure: &Value| (text(&measure["measure_id"]), text(&measure["measure_name"]));
    Group {
        id: text(&value["mgroup_id"]),
        name: text(&value["mgroup_name"]),
        measures: list(&value["measures"]).iter().map(measure).collect(),
    }
}

fn dimension(value: &Value) -> DimensionFacts {
    let hierarchy = &value["hierarchies"][0];
    let level = |level: &Value| LevelFacts {
        id: text(&level["level_id"]),
        values: list(&level["values"])
            .iter()
            .map(|it| (text(&it["value_id"]), text(&it["value_name"])))
            .collect(),
    };
    DimensionFacts {
        id: text(&value["dimension_id"]),
        name: text(&value["dimension_name"]),
        hierarchy: text(&hierarchy["hierarchy_id"]),
        hierarchy_name: text(&hierarchy["hierarchy_name"]),
        levels: list(&hierarchy["levels"]).iter().map(level).collect(),
    }
}

impl DimensionFacts {
    /// The first level with several members.
    #[must_use]
    pub fn level(&self) -> Option<&LevelFacts> {
        self.levels.iter().find(|level| level.members().count() > 1)
    }

    /// Whether a level holds the root among others.
    #[must_use]
    pub fn has_root_in_level(&self) -> bool {
        self.levels.iter().any(|level| level.values.len() > 1 && level.holds_root())
    }

    /// Whether a level holds the root.
    #[must_use]
    pub fn has_root(&self) -> bool {
        self.levels.iter().any(LevelFacts::holds_root)
    }

    /// How many members all levels have, the root included.
    #[must_use]
    pub fn size(&self) -> usize {
        1 + self.levels.iter().map(|level| level.members().count()).sum::<usize>()
    }
}

impl LevelFacts {
    /// The members below the root.
    pub fn members(&self) -> impl Iterator<Item = &(String, String)> {
        self.values.iter().filter(|(path, _)| path != ROOT)
    }

    fn holds_root(&self) -> bool {
        self.values.iter().any(|(path, _)| path == ROOT)
    }

    /// Whether a label is one of the members'.
    #[must_use]
    pub fn has(&self, label: &str) -> bool {
        self.members().any(|(_, other)| comparable(other) == comparable(label))
    }
}

impl DataFacts {
    /// Reads an answer.
    #[must_use]
    pub fn read(answer: &Value) -> Self {
        let row = |row: &Value| list(row).to_vec();
        Self {
            columns: list(&answer["columns"]).iter().map(text).collect(),
            rows: list(&answer["rows"]).iter().map(row).collect(),
        }
    }

    /// The labels of a column.
    pub fn labels(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().filter_map(move |row| row.get(column)?.as_str())
    }

    /// The numbers of a column, as they are written.
    pub fn numbers(&self, column: usize) -> impl Iterator<Item = (f64, usize)> {
        self.rows.iter().filter_map(move |row| {
            let number = row.get(column)?.as_number()?;
            let written = number.to_string();
            let decimals = written.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            Some((number.as_f64()?, decimals))
        })
    }

    /// A heading or label with stray blanks.
    #[must_use]
    pub fn sloppy(&self) -> Option<&str> {
        let labels = self.rows.iter().flatten().filter_map(Value::as_str);
        labels.chain(self.columns.iter().map(String::as_str)).find(|label| is_sloppy(label))
    }
}

/// Whether a label has stray blanks.
#[must_use]
pub fn is_sloppy(label: &str) -> bool {
    cleaned(label) != label
}
