//! What the address of a measurement's page chooses: measure, period type, places, breakdown, and how they are shown.

use chrono::{Months, NaiveDate};

use crate::catalogue::area::{AreaKind, COUNTRY_CODE, official_places};
use crate::catalogue::dimension::{Dimension, TOTAL_ID};
use crate::catalogue::measure::{Measure, Unit};
use crate::catalogue::measurement::{Measurement, PeriodType};
use crate::catalogue::period::Period;
use crate::error::closest;
use crate::feed::column::{Fact, MemberFact};
use crate::feed::set_names::{CUBE, MUNICIPALITIES, OVERVIEW, broken_down_by};
use crate::feed::{Feed, Set};
use crate::pages::builder::{BREAKDOWN, MEASURE, PERIOD_TYPE};
use crate::pages::error::PageError;
use crate::pages::figures::{self, SetQuery, one_of, position};
use crate::pages::municipality::Municipality;
use crate::pages::visit::Visit;
use crate::search::folded;

/// Names of the options that the builder has not too.
pub(super) const COMPARED: &str = "sammenlign";
pub(super) const SCALE: &str = "skala";
pub(super) const INDEX: &str = "indeks";
pub(super) const YEARS: &str = "aar";
pub(super) const ALL: &str = "alle";
pub(super) const MAP_PERIOD: &str = "periode";
/// The most places that are compared.
const COMPARED_LIMIT: usize = 8;
/// The columns by which rows that are taken along are told apart and joined.
const SHOWN: [&str; 4] = ["Periode", "Fra", "Område", "Områdekode"];
/// How many years are shown unless all are asked for.
const YEARS_SHOWN: u32 = 10;

/// What is shown.
pub(super) struct Choice<'a> {
    pub measurement: &'a Measurement,
    pub measure: usize,
    pub period_type: &'a PeriodType,
    /// Whether the sets of the table hold this period type; others are in `Data` only.
    is_shortest: bool,
    /// The municipality that was chosen, whether or not the table has it.
    pub municipality: Option<&'static Municipality>,
    pub places: Vec<ShownArea>,
    pub breakdown: Option<usize>,
    /// Dimensions that stand at a member because they have no total, with that member.
    pub fixed: Vec<(usize, usize)>,
    pub is_indexed: bool,
    pub all_years: bool,
    pub map_period: Option<&'a Period>,
    names: Names,
}

/// A place whose figures are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShownArea {
    pub code: &'static str,
    pub name: String,
    /// Whether it was named for comparison and can be taken away again.
    pub is_compared: bool,
}

/// The columns of the table, as clients know them.
struct Names {
    dimensions: Vec<String>,
    measures: Vec<String>,
}

impl Names {
    fn of(measurement: &Measurement, feed: &Feed) -> Self {
        let cube = feed.set_index(CUBE).and_then(|index| feed.sets.get(index));
        let name = |fact| cube.and_then(|cube| named(cube, fact)).unwrap_or_default();
        Self {
            dimensions: (0..measurement.dimensions.len())
                .map(|index| name(Fact::Member(index, MemberFact::Label)))
                .collect(),
            measures: (0..measurement.measures.len()).map(|index| name(Fact::Measure(index))).collect(),
        }
    }
}

fn named(set: &Set, fact: Fact) -> Option<String> {
    set.columns.iter().find(|column| column.fact == fact).map(|column| column.name.clone())
}

impl<'a> Choice<'a> {
    /// Reads the options of an address.
    pub fn read(measurement: &'a Measurement, feed: &Feed, visit: &Visit) -> Result<Self, PageError> {
        let names = Names::of(measurement, feed);
        let measures: Vec<&str> = names.measures.iter().map(String::as_str).collect();
        let measure = chosen(visit, MEASURE, &measures)?.unwrap_or(0);
        let shortest = measurement.shortest_period_type();
        let types: Vec<&str> = measurement.period_types.iter().map(|kind| kind.id.as_str()).collect();
        let period_type =
            chosen(visit, PERIOD_TYPE, &types)?.and_then(|index| measurement.period_types.get(index));
        let Some(period_type) = period_type.or(shortest) else { return Err(PageError::no_periods()) };
        let columns: Vec<&str> = names.dimensions.iter().map(String::as_str).collect();
        let breakdown = visit.option(BREAKDOWN);
        let breakdown =
            breakdown.map(|named| figures::breakdown(BREAKDOWN, named, measurement, &columns)).transpose()?;
        let periods: Vec<&Period> = periods_of(measurement, period_type).collect();
        let ids: Vec<&str> = periods.iter().map(|period| period.id.as_str()).collect();
        let map_period = chosen(visit, MAP_PERIOD, &ids)?.and_then(|index| periods.get(index).copied());
        let municipality = visit.municipality()?;
        Ok(Self {
            measure,
            period_type,
            is_shortest: shortest == Some(period_type),
            municipality,
            places: places(measurement, municipality, visit.option(COMPARED).unwrap_or_default())?,
            breakdown,
            fixed: fixed(measurement),
            is_indexed: visit.option(SCALE) == Some(INDEX),
            all_years: visit.option(YEARS) == Some(ALL),
            map_period,
            measurement,
            names,
        })
    }

    pub fn measure(&self) -> Option<&'a Measure> {
        self.measurement.measures.get(self.measure)
    }

    pub fn unit(&self) -> Option<Unit> {
        self.measure()?.unit
    }

    pub fn decimals(&self) -> u8 {
        self.unit().map_or(0, Unit::decimals)
    }

    /// Whether figures of places of different size can be compared: shares and durations can, counts cannot.
    pub fn is_comparable(&self) -> bool {
        match self.unit() {
            Some(Unit::Percent | Unit::PercentagePoints | Unit::Fraction | Unit::Weeks | Unit::Hours) => true,
            Some(Unit::Persons | Unit::FullTimePersons | Unit::Spells | Unit::Kroner | Unit::Count)
            | None => false,
        }
    }

    pub fn measure_column(&self) -> &str {
        self.names.measures.get(self.measure).map_or("", String::as_str)
    }

    pub fn measure_columns(&self) -> &[String] {
        &self.names.measures
    }

    pub fn dimension_column(&self, dimension: usize) -> &str {
        self.names.dimensions.get(dimension).map_or("", String::as_str)
    }

    /// The periods of the chosen type, the newest first.
    pub fn periods(&self) -> impl Iterator<Item = &'a Period> + use<'a> {
        periods_of(self.measurement, self.period_type)
    }

    /// The first day that is shown; `None` where all periods are.
    fn since(&self) -> Option<NaiveDate> {
        let newest = self.periods().find_map(Period::last_day).filter(|_| !self.all_years)?;
        newest.checked_sub_months(Months::new(12 * YEARS_SHOWN))
    }

    /// The place that is looked at, and the country beside it.
    pub fn main_places(&self) -> Vec<&ShownArea> {
        let own = self.places.first();
        let country = self.places.iter().skip(1).find(|place| place.code == COUNTRY_CODE);
        own.into_iter().chain(country).collect()
    }

    /// Whether the table has figures of municipalities.
    pub fn has_municipalities(&self) -> bool {
        let area = self.measurement.area().and_then(|area| self.measurement.dimensions.get(area));
        area.is_some_and(|area| area.members.iter().any(|one| one.area == Some(AreaKind::Municipality)))
    }

    /// The figures of the places over time.
    pub fn series(&self) -> SetQuery {
        let mut conditions = vec![one_of("Områdekode", self.places.iter().map(|place| place.code))];
        conditions.extend(self.since().map(|day| format!("Fra ge {day}")));
        self.question(OVERVIEW, conditions, None, &SHOWN)
    }

    /// The figures that are taken along: those of the breakdown where one is shown, else those over time.
    pub fn shown(&self, period: Option<&Period>) -> SetQuery {
        let parts = self.breakdown.zip(period);
        parts.map_or_else(
            || self.series(),
            |(dimension, period)| self.parts(dimension, period, &self.main_places()),
        )
    }

    /// The figures of all municipalities in one period.
    pub fn map(&self, period: &Period) -> SetQuery {
        let mut conditions = vec![one_of("Periode", [period.id.as_str()])];
        if !self.is_shortest {
            conditions.push("Områdeniveau eq 'Kommune'".to_owned());
        }
        self.question(MUNICIPALITIES, conditions, None, &["Områdekode"])
    }

    /// The figures of the members of a dimension in one period, for these places.
    pub fn parts(&self, dimension: usize, period: &Period, places: &[&ShownArea]) -> SetQuery {
        let name = self.dimension_column(dimension);
        let set = broken_down_by(name);
        let conditions = vec![
            one_of("Periode", [period.id.as_str()]),
            one_of("Områdekode", places.iter().map(|place| place.code)),
        ];
        let columns = [name.to_owned(), format!("{name}_id"), format!("{name}_niveau")];
        let columns: Vec<&str> = SHOWN.into_iter().chain(columns.iter().map(String::as_str)).collect();
        self.question(&set, conditions, Some(dimension), &columns)
    }

    /// A query for the chosen measure, broken down by a dimension if one is given. Sets hold the shortest period type with all other
    /// dimensions at their totals; of other types the same figures are asked of the whole cube.
    fn question(
        &self,
        set: &str,
        mut conditions: Vec<String>,
        broken_down: Option<usize>,
        columns: &[&str],
    ) -> SetQuery {
        if !self.is_shortest {
            conditions.insert(0, one_of("Periodetype", [self.period_type.id.as_str()]));
        }
        for (index, dimension) in self.measurement.dimensions.iter().enumerate() {
            let column = format!("{}_id", self.dimension_column(index));
            let member = self.fixed.iter().find(|(fixed, _)| *fixed == index);
            let member = member.and_then(|(_, member)| dimension.members.get(*member));
            match member {
                _ if dimension.is_area() => {}
                _ if broken_down == Some(index) && !self.is_shortest => {
                    conditions.push(format!("{column} ne '{TOTAL_ID}'"))
                }
                _ if broken_down == Some(index) => {}
                Some(member) => conditions.push(one_of(&column, [member.id.as_str()])),
                None if !self.is_shortest => conditions.push(one_of(&column, [TOTAL_ID])),
                None => {}
            }
        }
        SetQuery {
            set: if self.is_shortest { set.to_owned() } else { CUBE.to_owned() },
            filter: conditions.join(" and "),
            select: columns.iter().copied().chain([self.measure_column()]).collect::<Vec<_>>().join(","),
        }
    }
}

fn periods_of<'a>(
    measurement: &'a Measurement,
    period_type: &'a PeriodType,
) -> impl Iterator<Item = &'a Period> + use<'a> {
    measurement.periods.iter().filter(|period| period.type_id == period_type.id)
}

/// The index of the value of an option among those that there are.
fn chosen(visit: &Visit, option: &str, values: &[&str]) -> Result<Option<usize>, PageError> {
    visit.option(option).map(|named| position(option, named, values)).transpose()
}

/// Dimensions that cannot be at a total: at the member that they are pinned to, else at their first.
fn fixed(measurement: &Measurement) -> Vec<(usize, usize)> {
    let fixed = |dimension: &Dimension| match dimension.pinned {
        Some(member) => Some(member),
        None => (dimension.total().is_none() && !dimension.members.is_empty()).then_some(0),
    };
    let dimensions = measurement.dimensions.iter().enumerate().filter(|(_, dimension)| !dimension.is_area());
    dimensions.filter_map(|(index, dimension)| Some((index, fixed(dimension)?))).collect()
}

/// The municipality, its region and the country, as far as the table has them, and the places to compare with.
fn places(
    measurement: &Measurement,
    municipality: Option<&Municipality>,
    compared: &str,
) -> Result<Vec<ShownArea>, PageError> {
    let codes = municipality.into_iter().flat_map(|one| [one.code, one.region]).chain([COUNTRY_CODE]);
    let mut places: Vec<ShownArea> = codes.filter_map(|code| place(measurement, code, false)).collect();
    let named: Vec<&str> =
        compared.split([',', ';']).map(str::trim).filter(|name| !name.is_empty()).collect();
    if named.len() > COMPARED_LIMIT {
        return Err(PageError::too_many_compared(COMPARED_LIMIT));
    }
    // Behind the chosen municipality, in front of its region and the country.
    let mut at =
        places.iter().take_while(|place| municipality.is_some_and(|one| one.code == place.code)).count();
    for name in named {
        let Some(added) = place(measurement, code_of(name)?, true) else { continue };
        if places.iter().all(|other| other.code != added.code) {
            places.insert(at, added);
            at += 1;
        }
    }
    Ok(places)
}

/// The official code of the municipality, the region or the country of that code or name, however its letters are written.
fn code_of(name: &str) -> Result<&'static str, PageError> {
    let (all, wanted) = (official_places(), folded(name));
    let found = all.iter().find(|place| place.code == name || folded(place.name) == wanted);
    let nearest = || closest(name, all.iter().map(|place| place.name));
    found.map(|place| place.code).ok_or_else(|| PageError::area(name, nearest()))
}

fn place(measurement: &Measurement, code: &str, is_compared: bool) -> Option<ShownArea> {
    let area = measurement.dimensions.get(measurement.area()?)?;
    let member = area.members.iter().find(|member| member.code == Some(code))?;
    Some(ShownArea { code: member.code?, name: member.label.clone(), is_compared })
}
