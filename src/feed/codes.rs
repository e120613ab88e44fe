//! A table's lists of dimensions, measures, periods and members with their groups, in the layout of Statistics Netherlands (CBS).

use std::collections::HashSet;

use crate::catalogue::dimension::{Dimension, Member};
use crate::catalogue::measure::{Measure, Unit};
use crate::catalogue::measurement::uncapitalised;
use crate::catalogue::period::Period;
use crate::feed::figure_columns::{PERIOD, label_or_id, measure_description, title_of};
use crate::feed::figure_sets::{NamedMeasurement, OBSERVATIONS};
use crate::feed::listing::Listing;
use crate::feed::set_definition::{NavigationDefinition, SetDefinition};

const TOTAL_DESCRIPTION: &str = "Den offentliggjorte total. Den er ikke nødvendigvis summen af delene.";
const PINNED_DESCRIPTION: &str = "Målingens øvrige sæt viser tal for denne værdi.";

/// All lists of a table except `Properties`.
pub(super) fn lists(named: &NamedMeasurement<'_>) -> Vec<SetDefinition> {
    let measurement = named.measurement;
    let mut definitions =
        vec![dimensions(named), measures(named), measure_groups(named), periods(named), period_groups(named)];
    for (dimension, name) in measurement.dimensions.iter().zip(&named.dimensions) {
        definitions.push(members(dimension, name));
        definitions.push(member_groups(dimension, name));
    }
    lead_back(&mut definitions, named);
    for definition in &mut definitions {
        definition.former = named.former.clone();
    }
    definitions
}

/// Adds to every code list the navigation property from its codes to their observations.
fn lead_back(definitions: &mut [SetDefinition], named: &NamedMeasurement<'_>) {
    for navigation in named.navigations() {
        if let Some(codes) = definitions.iter_mut().find(|definition| definition.name == navigation.target) {
            codes.navigations.push(navigation.back(OBSERVATIONS, true));
        }
    }
}

struct DimensionRow<'a> {
    identifier: &'a str,
    title: &'a str,
    description: String,
    kind: &'static str,
    has_total: bool,
    pinned_to: Option<&'a str>,
    source_id: Option<&'a str>,
}

fn dimensions(named: &NamedMeasurement<'_>) -> SetDefinition {
    let period = DimensionRow {
        identifier: PERIOD,
        title: PERIOD,
        description: "Perioder af alle målingens periodetyper.".to_owned(),
        kind: "TimeDimension",
        has_total: false,
        pinned_to: None,
        source_id: None,
    };
    let dimensions = named.measurement.dimensions.iter().zip(&named.dimensions);
    let rows: Vec<_> = std::iter::once(period)
        .chain(dimensions.map(|(dimension, name)| dimension_row(dimension, name)))
        .collect();
    Listing::of(&rows)
        .key("Identifier", "Fordelingens navn, som i Observations.", |row| row.identifier)
        .text("Title", "Fordelingens titel.", |row| row.title)
        .text("Description", "Hvad fordelingen er.", |row| &row.description)
        .text(
            "Kind",
            "Slags: TimeDimension for perioder, GeoDimension for områder, ellers Dimension.",
            |row| row.kind,
        )
        .flag("ContainsGroups", "Om værdierne er samlet i grupper.", |_| true)
        .flag("HasTotal", "Om fordelingen har en offentliggjort total.", |row| row.has_total)
        .optional_text("PinnedTo", "Id for værdien, som de øvrige sæt står fast på.", |row| {
            row.pinned_to
        })
        .optional_text("SourceId", "Fordelingens id hos Jobindsats.", |row| row.source_id)
        .definition("Dimensions", "Fordelinger", "Målingens fordelinger, periode og område medregnet.")
}

fn dimension_row<'a>(dimension: &'a Dimension, name: &'a str) -> DimensionRow<'a> {
    let title = title_of(dimension);
    let total = if dimension.total().is_some() { "" } else { " Den har ingen total." };
    DimensionRow {
        identifier: name,
        title,
        description: match dimension.is_area() {
            true => format!("Målingens områder.{total}"),
            false => format!("Fordeling på {}.{total}", uncapitalised(title)),
        },
        kind: if dimension.is_area() { "GeoDimension" } else { "Dimension" },
        has_total: dimension.total().is_some(),
        pinned_to: dimension.pinned.and_then(|index| Some(dimension.members.get(index)?.id.as_str())),
        source_id: Some(dimension.id.as_str()),
    }
}

/// Decimals of a figure whose unit is not known: enough for a share from 0 to 1.
const UNKNOWN_DECIMALS: u8 = 3;

struct MeasureRow<'a> {
    measure: &'a Measure,
    column: &'a str,
    description: String,
    index: i32,
}

fn measures(named: &NamedMeasurement<'_>) -> SetDefinition {
    let measures = named.measurement.measures.iter().zip(&named.measures).zip(1..);
    let rows: Vec<_> = measures
        .map(|((measure, column), index)| MeasureRow {
            measure,
            column,
            description: measure_description(measure),
            index,
        })
        .collect();
    Listing::of(&rows)
        .key("Identifier", "Målets id, som i Observations.", |row| row.measure.id.as_str())
        .text("Title", "Målets titel.", |row| label_or_id(&row.measure.heading, row.measure.id.as_str()))
        .text("Description", "Hvad målet viser, og hvordan det må bruges.", |row| &row.description)
        .optional_text("Unit", "Enhed; tom, hvor den ikke er kendt.", |row| row.measure.unit.map(Unit::label))
        .number("Decimals", "Hvor mange decimaler tallet vises med.", |row| {
            i32::from(row.measure.unit.map_or(UNKNOWN_DECIMALS, Unit::decimals))
        })
        .text("MeasureGroupId", "Gruppen, som målet hører til.", |row| row.measure.group_id.as_str())
        .text("DataType", "Tallenes type.", |_| "Decimal")
        .number("Index", "Rækkefølge.", |row| row.index)
        .text("Column", "Kolonnen, som målet har i de brede sæt.", |row| row.column)
        .definition("MeasureCodes", "Mål", "Målingens mål med enhed og decimaler.")
}

fn measure_groups(named: &NamedMeasurement<'_>) -> SetDefinition {
    let mut seen = HashSet::new();
    let rows: Vec<Group> = named
        .measurement
        .measures
        .iter()
        .filter(|measure| seen.insert(&measure.group_id))
        .map(|measure| Group {
            id: measure.group_id.to_string(),
            parent: None,
            title: label_or_id(&measure.group_label, measure.group_id.as_str()).to_owned(),
        })
        .collect();
    groups(&rows, "MeasureGroups", "Grupper af mål")
}

struct PeriodRow<'a> {
    period: &'a Period,
    code: String,
    title: String,
    index: i32,
}

fn periods(named: &NamedMeasurement<'_>) -> SetDefinition {
    let periods = named.measurement.periods.iter().zip(1..);
    let rows: Vec<_> = periods
        .map(|(period, index)| PeriodRow { period, code: period.cbs_code(), title: period.label(), index })
        .collect();
    Listing::of(&rows)
        .key("Identifier", "Periodens kode, som i Observations.", |row| &row.code)
        .text("Title", "Perioden som tekst.", |row| &row.title)
        .number("Index", "Rækkefølge, nyeste først.", |row| row.index)
        .text("DimensionGroupId", "Periodens type; se PeriodeGroups.", |row| row.period.type_id.as_str())
        .text("PeriodId", "Periodens kode, som i de brede sæt.", |row| row.period.id.as_str())
        .optional_date("FirstDay", "Periodens første dag.", |row| row.period.first_day())
        .optional_date("LastDay", "Periodens sidste dag.", |row| row.period.last_day())
        .definition("PeriodeCodes", "Perioder", "Målingens perioder, nyeste først.")
}

fn period_groups(named: &NamedMeasurement<'_>) -> SetDefinition {
    let rows: Vec<Group> = named
        .measurement
        .period_types
        .iter()
        .map(|period_type| Group {
            id: period_type.id.to_string(),
            parent: None,
            title: label_or_id(&period_type.label, period_type.id.as_str()).to_owned(),
        })
        .collect();
    groups(&rows, "PeriodeGroups", "Periodetyper")
}

struct MemberRow<'a> {
    dimension: &'a Dimension,
    member: &'a Member,
    position: usize,
    index: i32,
    group: String,
}

impl<'a> MemberRow<'a> {
    fn description(&'a self) -> Option<&'a str> {
        if self.dimension.pinned == Some(self.position) {
            Some(PINNED_DESCRIPTION)
        } else {
            self.member.is_total().then_some(TOTAL_DESCRIPTION)
        }
    }

    fn parent(&'a self) -> Option<&'a str> {
        Some(self.dimension.members.get(self.member.parent?)?.id.as_str())
    }
}

fn members(dimension: &Dimension, name: &str) -> SetDefinition {
    let numbered = dimension.members.iter().enumerate().zip(1..);
    let rows: Vec<_> = numbered
        .map(|((position, member), index)| MemberRow {
            dimension,
            member,
            position,
            index,
            group: group_of(dimension, position, member),
        })
        .collect();
    let mut listing = Listing::of(&rows)
        .key("Identifier", "Værdiens id, som i Observations.", |row| row.member.id.as_str())
        .text("Title", "Værdiens tekst.", |row| label_or_id(&row.member.label, row.member.id.as_str()))
        .optional_text("Description", "Hvad der er særligt ved værdien.", MemberRow::description)
        .number("Index", "Rækkefølge.", |row| row.index)
        .text("DimensionGroupId", "Gruppen, som værdien hører til.", |row| &row.group)
        .flag("IsTotal", "Om værdien er den offentliggjorte total.", |row| row.member.is_total())
        .text("Level", "Niveau.", |row| &row.member.level)
        .optional_text("ParentId", "Id for værdien et niveau højere.", MemberRow::parent);
    if dimension.is_area() {
        listing =
            listing.optional_text("Code", "Officiel kode for området; saml målinger på den.", |row| {
                row.member.code
            });
    }
    let label = title_of(dimension);
    let title = format!("Værdier: {label}");
    let description = match dimension.is_area() {
        true => "Målingens områder.".to_owned(),
        false => format!("Værdierne i fordelingen {label}."),
    };
    with_levels(listing.definition(format!("{name}Codes"), title, &description), "Identifier")
}

/// Adds to a list the navigation properties `Parent` and `Children`.
fn with_levels(mut definition: SetDefinition, key: &str) -> SetDefinition {
    let up = NavigationDefinition {
        name: "Parent".to_owned(),
        target: definition.name.clone(),
        collection: false,
        from: "ParentId".to_owned(),
        to: key.to_owned(),
        partner: "Children".to_owned(),
    };
    let down = up.back(&definition.name, true);
    definition.navigations.extend([up, down]);
    definition
}

fn member_groups(dimension: &Dimension, name: &str) -> SetDefinition {
    let mut rows = Vec::new();
    for (index, hierarchy) in dimension.hierarchies.iter().enumerate() {
        rows.push(Group {
            id: group_id(dimension, index, None),
            parent: None,
            title: label_or_id(&hierarchy.label, hierarchy.id.as_str()).to_owned(),
        });
        rows.extend(hierarchy.levels.iter().enumerate().map(|(number, level)| Group {
            id: group_id(dimension, index, Some(number)),
            parent: Some(group_id(dimension, index, None)),
            title: label_or_id(&level.label, level.id.as_str()).to_owned(),
        }));
    }
    let label = title_of(dimension);
    with_levels(groups(&rows, &format!("{name}Groups"), &format!("Grupper: {label}")), "Id")
}

/// A group of codes: a hierarchy, or a level of one.
fn group_id(dimension: &Dimension, hierarchy: usize, level: Option<usize>) -> String {
    let hierarchy = &dimension.hierarchies[hierarchy];
    match level {
        Some(level) => format!("{}.{}", hierarchy.id, hierarchy.levels[level].id),
        None => hierarchy.id.to_string(),
    }
}

/// The group of a member: the level that lists it, in the hierarchy that requests name it in.
fn group_of(dimension: &Dimension, position: usize, member: &Member) -> String {
    // Nodes are sorted by their members.
    let nodes = &dimension.hierarchies[member.hierarchy].nodes;
    let node = nodes.binary_search_by_key(&position, |node| node.member).ok();
    group_id(dimension, member.hierarchy, node.and_then(|node| nodes[node].level))
}

struct Group {
    id: String,
    parent: Option<String>,
    title: String,
}

fn groups(rows: &[Group], name: &str, title: &str) -> SetDefinition {
    Listing::of(rows)
        .key("Id", "Gruppens id.", |row| &row.id)
        .optional_text("ParentId", "Id for gruppen et niveau højere.", |row| row.parent.as_deref())
        .text("Title", "Gruppens titel.", |row| &row.title)
        .definition(name, title, "Grupper, som værdierne hører til.")
}
