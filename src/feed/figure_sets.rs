//! The sets whose rows are figures: the wide ones (`Hovedtal`, `Landet`, `Fordelt_på_…`, `Data`) and `Observations`.

use std::sync::Arc;

use crate::catalogue::area::AreaKind;
use crate::catalogue::dimension::Dimension;
use crate::catalogue::id::PeriodTypeId;
use crate::catalogue::measurement::{Heading, Measurement, MeasurementHead, uncapitalised};
use crate::feed::axis_columns::AxisColumns;
use crate::feed::column::{Fact, MemberFact, PeriodFact};
use crate::feed::figure_columns::{
    AREA, MAY_NOT_ADD_UP, PERIOD, STATUS_LENGTH, area_columns, dimension_columns, label_or_id,
    measure_column, period_columns, state_columns, title_of,
};
use crate::feed::naming;
use crate::feed::registry::{Kind, NameRegistry, Part};
use crate::feed::set_definition::{ColumnDefinition, NavigationDefinition, SetDefinition};
use crate::feed::set_names::{COUNTRY, MUNICIPALITIES, REGIONS, broken_down_by};
use crate::feed::spelling::FormerNames;
use crate::feed::{CellForm, CellSource, Extent, RowSource};
use crate::odata::value::PrimitiveType;

pub(super) const OBSERVATIONS: &str = "Observations";

/// A measurement with the client-side names of its dimensions and measures.
pub(super) struct NamedMeasurement<'a> {
    pub measurement: &'a Arc<Measurement>,
    pub heading: Heading,
    /// In the measurement's order.
    pub dimensions: Vec<String>,
    /// In the measurement's order.
    pub measures: Vec<String>,
    /// The sets of single levels.
    pub levels: Vec<LevelSet>,
    /// Names that columns, navigation properties and sets were given before.
    pub former: FormerNames,
    /// For all of its sets.
    axis_columns: AxisColumns,
}

/// A set of the members of one level of a dimension.
pub(super) struct LevelSet {
    pub name: String,
    pub dimension: usize,
    hierarchy: usize,
    level: usize,
}

impl<'a> NamedMeasurement<'a> {
    /// Assigns the names. The area dimension has the same name in every table, whatever its label is. `head` is the table's entry
    /// in the list of tables, if it is listed.
    pub fn new(
        measurement: &'a Arc<Measurement>,
        head: Option<&MeasurementHead>,
        names: &mut NameRegistry,
    ) -> Self {
        let others = measurement.dimensions.iter().filter(|dimension| !dimension.is_area());
        let dimensions = others.map(|dimension| Part {
            kind: Kind::Dimension,
            id: dimension.id.as_str(),
            label: &dimension.label,
            group: "",
        });
        let measures = measurement.measures.iter().map(|measure| Part {
            kind: Kind::Measure,
            id: measure.id.as_str(),
            label: &measure.heading,
            group: &measure.group_label,
        });
        let parts: Vec<_> = dimensions.chain(measures).collect();
        let mut given = names.name_parts(&measurement.id, &parts).into_iter();
        let mut name = |dimension: &Dimension| {
            if dimension.is_area() { AREA.to_owned() } else { given.next().unwrap_or_default() }
        };
        let dimensions: Vec<String> = measurement.dimensions.iter().map(&mut name).collect();
        let measures: Vec<String> = given.collect();
        let former = former_names(measurement, &dimensions, &measures, names);
        let levels = level_sets(measurement, &dimensions, names);
        let unlisted = || Heading::new(label_or_id(&measurement.title, measurement.id.as_str()), "");
        let heading = head.map_or_else(unlisted, MeasurementHead::heading);
        let axis_columns = AxisColumns::default();
        Self { measurement, heading, dimensions, measures, levels, former, axis_columns }
    }

    /// `Hovedtal`: the main figures, with all dimensions but period and area at their totals.
    pub fn overview(&self, name: String, title: String) -> SetDefinition {
        let description = format!(
            "Tal for hver periode og hvert af målingens områder, på alle områdeniveauer. {}",
            self.other_dimensions(None)
        );
        self.wide(name, title, description, self.shortest(), self.at_total())
    }

    /// `Landet`, `Regioner` and `Kommuner`, those that the table has.
    pub fn levels(&self) -> Vec<SetDefinition> {
        let kinds = [
            (COUNTRY, "hele landet", AreaKind::Country),
            (REGIONS, "regionerne", AreaKind::Region),
            (MUNICIPALITIES, "kommunerne", AreaKind::Municipality),
        ];
        kinds
            .into_iter()
            .filter_map(|(name, places, kind)| {
                let area = self.measurement.area()?;
                let members = &self.measurement.dimensions[area].members;
                members.iter().any(|member| member.area == Some(kind)).then(|| {
                    let mut extents = self.at_total();
                    extents[area] = Extent::Areas(kind);
                    let title = self.heading.of(places);
                    let description =
                        "Som Hovedtal, men kun ét områdeniveau, så niveauerne ikke blandes.".to_owned();
                    self.wide(name.to_owned(), title, description, self.shortest(), extents)
                })
            })
            .collect()
    }

    /// `Fordelt_på_…`: one set per dimension but the area, and one per level where it has several.
    pub fn breakdowns(&self) -> Vec<SetDefinition> {
        let dimensions = self.measurement.dimensions.iter().zip(&self.dimensions).enumerate();
        dimensions
            .filter(|(_, (dimension, _))| !dimension.is_area())
            .flat_map(|(index, (dimension, name))| {
                let of_levels = self.levels.iter().filter(move |level| level.dimension == index);
                let all = self.breakdown(index, dimension, name);
                std::iter::once(all).chain(of_levels.map(|level| self.level(dimension, level)))
            })
            .collect()
    }

    fn breakdown(&self, index: usize, dimension: &Dimension, name: &str) -> SetDefinition {
        let mut extents = self.at_total();
        extents[index] = Extent::Parts;
        let label = title_of(dimension);
        let title = format!("{} fordelt på {}", self.heading, uncapitalised(label));
        let mixed = self.mixed_levels(index, dimension, name);
        let description = format!(
            "Tal for hvert område og hver værdi i fordelingen {label}, uden dens total. {mixed}{} {MAY_NOT_ADD_UP}",
            self.other_dimensions(Some(index))
        );
        self.wide(broken_down_by(name), title, description, self.shortest(), extents)
    }

    fn level(&self, dimension: &Dimension, set: &LevelSet) -> SetDefinition {
        let mut extents = self.at_total();
        extents[set.dimension] = Extent::Level { hierarchy: set.hierarchy, level: set.level };
        let (label, level) = (title_of(dimension), level_label(dimension, set.hierarchy, set.level));
        let title =
            format!("{} fordelt på {}: {}", self.heading, uncapitalised(label), own_part(level, label));
        let description = format!(
            "Tal for hvert område og hver værdi i fordelingen {label} på niveauet {level}. {} {MAY_NOT_ADD_UP}",
            self.other_dimensions(Some(set.dimension))
        );
        self.wide(set.name.clone(), title, description, self.shortest(), extents)
    }

    /// The sentences of a set whose dimension has several levels, with a filter for one of them; empty for others.
    fn mixed_levels(&self, index: usize, dimension: &Dimension, name: &str) -> String {
        let of_dimension = || self.levels.iter().filter(|set| set.dimension == index);
        let label = |set: &LevelSet| level_label(dimension, set.hierarchy, set.level).to_owned();
        let labels: Vec<String> = of_dimension().map(|set| format!("»{}«", label(set))).collect();
        let Some((last, others)) = labels.split_last() else { return String::new() };
        let sets: Vec<&str> = of_dimension().map(|set| set.name.as_str()).collect();
        // The finest level is the last one that a hierarchy lists.
        let example = of_dimension().next_back().map(label).unwrap_or_default().replace('\'', "''");
        format!(
            "Sættet blander niveauerne {} og {last}, som dækker de samme personer flere gange; hold dem ude fra hinanden med \
             $filter={name}_niveau eq '{example}', eller brug et sæt for ét niveau: {}. ",
            others.join(", "),
            sets.join(", ")
        )
    }

    /// The whole cube.
    pub fn cube(&self, name: String) -> SetDefinition {
        let title = self.heading.of("alle tal");
        let description = format!(
            "Alle kombinationer af periode, område og fordelinger, med totaler og alle periodetyper. {MAY_NOT_ADD_UP}"
        );
        self.wide(name, title, description, None, self.whole())
    }

    /// `Observations`: the long form in the layout of Statistics Netherlands.
    pub fn observations(&self) -> SetDefinition {
        let source = CellSource {
            measurement: Arc::clone(self.measurement),
            form: CellForm::Long,
            period_type: None,
            extents: self.whole(),
            axis_columns: self.axis_columns.clone(),
        };
        SetDefinition {
            name: OBSERVATIONS.to_owned(),
            alias: None,
            title: self.heading.of("ét tal pr. række"),
            description: format!("Ét tal pr. række, med koder og id i stedet for tekster. {MAY_NOT_ADD_UP}"),
            rows: RowSource::Cells(Arc::new(source)),
            columns: self.long_columns(),
            singleton: false,
            navigations: self.navigations(),
            former: self.former.clone(),
        }
    }

    /// Navigation properties from an observation to its codes.
    pub fn navigations(&self) -> Vec<NavigationDefinition> {
        let stems = ["Measure", PERIOD].into_iter().chain(self.dimensions.iter().map(String::as_str));
        stems
            .map(|stem| NavigationDefinition {
                name: format!("{stem}Code"),
                target: format!("{stem}Codes"),
                collection: false,
                from: stem.to_owned(),
                to: "Identifier".to_owned(),
                partner: OBSERVATIONS.to_owned(),
            })
            .collect()
    }

    fn wide(
        &self,
        name: String,
        title: String,
        description: String,
        period_type: Option<PeriodTypeId>,
        extents: Vec<Extent>,
    ) -> SetDefinition {
        let columns = self.wide_columns(&extents);
        let source = CellSource {
            measurement: Arc::clone(self.measurement),
            form: CellForm::Wide,
            period_type,
            extents,
            axis_columns: self.axis_columns.clone(),
        };
        SetDefinition {
            name,
            alias: None,
            title,
            description,
            rows: RowSource::Cells(Arc::new(source)),
            columns,
            singleton: false,
            navigations: Vec::new(),
            former: self.former.clone(),
        }
    }

    /// The part of a set's description about its other dimensions: at which member each is fixed.
    fn other_dimensions(&self, about: Option<usize>) -> String {
        let mut text = "Øvrige fordelinger står på deres offentliggjorte total.".to_owned();
        for (index, dimension) in self.measurement.dimensions.iter().enumerate() {
            if dimension.is_area() || about == Some(index) {
                continue;
            }
            let label = title_of(dimension);
            if let Some(member) = dimension.pinned.and_then(|pinned| dimension.members.get(pinned)) {
                text += &format!(" {label} står på {}.", member.label);
            } else if dimension.total().is_none() {
                text += &format!(" {label} har ingen total og er derfor en kolonne.");
            }
        }
        text
    }

    fn shortest(&self) -> Option<PeriodTypeId> {
        self.measurement.shortest_period_type().map(|period_type| period_type.id.clone())
    }

    fn whole(&self) -> Vec<Extent> {
        vec![Extent::Whole; self.measurement.dimensions.len()]
    }

    /// Extents with every dimension at its total. A dimension that cannot be at a total is a column of every set: a pinned one with
    /// its one member, one without a total with all members. Areas are never pinned.
    fn at_total(&self) -> Vec<Extent> {
        let extent = |dimension: &Dimension| {
            if dimension.is_area() {
                Extent::Whole
            } else if dimension.pinned.is_some() {
                Extent::Pinned
            } else if dimension.total().is_none() {
                Extent::Whole
            } else {
                Extent::AtTotal
            }
        };
        self.measurement.dimensions.iter().map(extent).collect()
    }

    fn wide_columns(&self, extents: &[Extent]) -> Vec<ColumnDefinition> {
        let mut columns = Vec::from(period_columns());
        for (index, (dimension, name)) in self.measurement.dimensions.iter().zip(&self.dimensions).enumerate()
        {
            if dimension.is_area() {
                columns.extend(area_columns(index));
            } else if extents[index] != Extent::AtTotal {
                columns.extend(dimension_columns(index, name, title_of(dimension)));
            }
        }
        let measures = self.measurement.measures.iter().zip(&self.measures).enumerate();
        columns.extend(measures.map(|(index, (measure, name))| measure_column(index, measure, name)));
        columns.extend(state_columns());
        columns
    }

    fn long_columns(&self) -> Vec<ColumnDefinition> {
        let text = |name: &str, fact, description: &str| {
            ColumnDefinition::new(name, PrimitiveType::String, fact, description)
        };
        let mut columns = vec![
            text(
                "Id",
                Fact::ObservationId,
                "Rækkens nøgle: periodens kode og id for mål, område og fordelinger.",
            )
            .key(),
            text("Measure", Fact::MeasureCode, "Målets id; se MeasureCodes."),
            text(
                "ValueAttribute",
                Fact::ValueAttribute,
                "Tom, når tallet er offentliggjort, ellers mangler.",
            )
            .nullable()
            .max_length(STATUS_LENGTH),
            ColumnDefinition::new(
                "Value",
                PrimitiveType::Decimal,
                Fact::Value,
                &format!("Tallet. {MAY_NOT_ADD_UP}"),
            )
            .nullable(),
            text(PERIOD, Fact::Period(PeriodFact::CbsCode), "Periodens kode; se PeriodeCodes."),
        ];
        columns.extend(self.dimensions.iter().enumerate().map(|(index, name)| {
            text(
                name,
                Fact::Member(index, MemberFact::Id),
                &format!("Id i fordelingen {name}; se {name}Codes."),
            )
        }));
        columns
    }
}

fn level_label(dimension: &Dimension, hierarchy: usize, level: usize) -> &str {
    let level = dimension.hierarchies.get(hierarchy).and_then(|hierarchy| hierarchy.levels.get(level));
    level.map_or("", |level| label_or_id(&level.label, level.id.as_str()))
}

/// The sets of single levels of the dimensions that have several.
fn level_sets(measurement: &Measurement, dimensions: &[String], names: &mut NameRegistry) -> Vec<LevelSet> {
    let mut sets = Vec::new();
    for (index, (dimension, name)) in measurement.dimensions.iter().zip(dimensions).enumerate() {
        let levels = dimension.levels_of_parts();
        if dimension.is_area() || levels.len() < 2 {
            continue;
        }
        let group = broken_down_by(name);
        let described: Vec<(String, String, String)> = levels
            .iter()
            .map(|&(hierarchy, level)| {
                let listed = &dimension.hierarchies[hierarchy];
                let id = listed.levels[level].id.to_string();
                let label = naming::level_name(level_label(dimension, hierarchy, level), &dimension.label);
                (format!("{}/{}/{id}", dimension.id, listed.id), label, id)
            })
            .collect();
        let parts: Vec<Part<'_>> = described
            .iter()
            .map(|(key, label, id)| Part {
                kind: Kind::Level,
                id: key,
                label: if label.is_empty() { id } else { label },
                group: &group,
            })
            .collect();
        let given = names.name_parts(&measurement.id, &parts);
        sets.extend(given.into_iter().zip(levels).map(|(name, (hierarchy, level))| LevelSet {
            name,
            dimension: index,
            hierarchy,
            level,
        }));
    }
    sets
}

/// Names that columns, navigation properties and sets of a table were given before, with the present ones.
fn former_names(
    measurement: &Measurement,
    dimensions: &[String],
    measures: &[String],
    names: &NameRegistry,
) -> FormerNames {
    let former = |kind, id: &str| names.former_name(&measurement.id, kind, id);
    let of_measures = measurement.measures.iter().zip(measures).filter_map(|(measure, name)| {
        Some((former(Kind::Measure, measure.id.as_str())?.to_owned(), name.clone()))
    });
    let of_dimensions = measurement
        .dimensions
        .iter()
        .zip(dimensions)
        .filter_map(|(dimension, name)| Some((former(Kind::Dimension, dimension.id.as_str())?, name)));
    let of_dimensions = of_dimensions.flat_map(|(former, name)| {
        let same = |written: &dyn Fn(&str) -> String| (written(former), written(name));
        let endings = ["", "_id", "_niveau", "_nr", "Code", "Codes", "Groups"];
        let columns = endings.map(|ending| same(&|stem| format!("{stem}{ending}")));
        columns.into_iter().chain([same(&|stem| broken_down_by(stem))])
    });
    of_measures.chain(of_dimensions).collect()
}

/// What a level's label says beside that of its dimension: of `Alder, 5 års intervaller` in `Alder` the second part.
fn own_part(level: &str, dimension: &str) -> String {
    let own = level.strip_prefix(dimension).and_then(|rest| rest.strip_prefix(", "));
    uncapitalised(own.unwrap_or(level))
}
