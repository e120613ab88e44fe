//! The requests of a probe, and what follows from their answers.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::caller::{CallError, Caller, Response};
use super::facts::{DataFacts, DimensionFacts, TableFacts, is_sloppy};
use super::points::Outcome;
use crate::catalogue::label::comparable;
use crate::catalogue::measure::Unit;
use crate::upstream::dialect::Dialect;
use crate::upstream::forms::{Form, PROVEN_ADDRESS};

/// Tables that are asked for figures, the first that is listed.
const MAIN_TABLES: [&str; 4] = ["y01a02", "y60a02", "y07a02", "y25i01"];
/// Tables with several measures in a group.
const GROUPED_TABLES: [&str; 4] = ["y01h01", "y14d03", "rm01ak", "y01a21"];
/// Cells of the question that tells whether a gateway gives up early.
const MANY_CELLS: usize = 20_000;
/// The documented cell limit.
const CELL_LIMIT: usize = 200_000;

/// What a run knows so far.
#[derive(Debug)]
pub struct Run {
    pub caller: Caller,
    pub outcomes: BTreeMap<&'static str, Outcome>,
    pub dialect: Dialect,
    main: TableFacts,
    grouped: TableFacts,
    /// A period that has figures.
    period: String,
}

/// What is asked of one dimension.
fn parameter(key: &str, value: &str) -> String {
    format!("{}={}", utf8_percent_encode(key, NON_ALPHANUMERIC), utf8_percent_encode(value, NON_ALPHANUMERIC))
}

impl Run {
    /// A run that has asked nothing yet.
    #[must_use]
    pub fn new(caller: Caller) -> Self {
        Self {
            caller,
            outcomes: BTreeMap::new(),
            dialect: Dialect::default(),
            main: TableFacts::default(),
            grouped: TableFacts::default(),
            period: String::new(),
        }
    }

    /// Notes whether a point was seen.
    fn note(&mut self, point: &'static str, is_seen: bool, what: impl Into<String>) {
        let what = what.into();
        let is_known = matches!(self.outcomes.get(point), Some(Outcome::Seen(_)));
        if !is_known {
            self.outcomes.insert(point, if is_seen { Outcome::Seen(what) } else { Outcome::NotSeen(what) });
        }
    }

    async fn get(&mut self, path: &str) -> Result<Response, CallError> {
        let response = self.caller.get(path).await?;
        let is_json = response.json() != Value::Null;
        if is_json {
            self.note("byte-order-mark", response.has_mark(), path.split('?').next().unwrap_or_default());
        }
        Ok(response)
    }

    /// Figures of a table; parameters beside the measures and the format.
    async fn data(
        &mut self,
        table: &str,
        measures: &str,
        parameters: &[String],
    ) -> Result<Response, CallError> {
        let path = format!("data/{table}?{measures}&{}&format=json", parameters.join("&"));
        self.get(&path).await
    }

    fn at_period(&self) -> String {
        parameter(&format!("period.{}", self.main.period_type), &self.period)
    }

    fn hierarchy(dimension: &DimensionFacts, value: &str) -> String {
        parameter(&format!("hierarchy.{}", dimension.hierarchy), value)
    }

    fn parts(&self) -> Option<(DimensionFacts, DimensionFacts)> {
        Some((self.main.area()?.clone(), self.main.other()?.clone()))
    }

    fn one_measure(&self) -> String {
        let first = self.main.groups.first();
        let measure = first.and_then(|group| Some((group, group.measures.first()?)));
        measure.map_or_else(
            || "mgroup.*=*".to_owned(),
            |(group, (measure, _))| parameter(&format!("mgroup.{}", group.id), measure),
        )
    }

    /// The menu, the list of tables, and two tables.
    pub async fn metadata(&mut self) -> Result<(), CallError> {
        let subjects = self.get("subjects?format=json").await?;
        let is_number = subjects.json()[0]["subjects"][0]["subject_id"].is_number();
        self.note("numeric-subject-ids", is_number, "ids of subjects");
        let header = |name: &str| subjects.headers.iter().any(|(other, _)| other == name);
        self.note("validators", header("etag") || header("last-modified"), "headers of /subjects");
        self.note(
            "compression",
            header("content-encoding"),
            "headers of /subjects, for a client that offers nothing",
        );
        let tables = self.get("tables?format=json").await?;
        let text = tables.text();
        let listed = |id: &&&str| text.contains(&format!("\"{id}\""));
        let main = MAIN_TABLES.iter().find(listed).copied().unwrap_or(MAIN_TABLES[0]);
        let grouped = GROUPED_TABLES.iter().find(listed).copied().unwrap_or(GROUPED_TABLES[0]);
        self.note("year-to-date", text.contains("MYTD"), "period types in /tables");
        let odd = !["\"M\"", "\"Q\"", "\"Y\""].iter().any(|letter| {
            text.contains(&format!("\"update_freq\":{letter}"))
                || text.contains(&format!("\"update_freq\": {letter}"))
        });
        self.note("update-frequency", odd, "update_freq in /tables");
        let main = self.get(&format!("table/{main}?format=json")).await?;
        self.note("table-in-list", main.json().is_array(), "/table");
        let first = if main.json().is_array() { main.json()[0].clone() } else { main.json() };
        self.note("periods-in-object", first["periods"].is_object(), "/table");
        self.main = TableFacts::read(&main.json());
        self.grouped = TableFacts::read(&self.get(&format!("table/{grouped}?format=json")).await?.json());
        let sloppy = [&self.main, &self.grouped]
            .into_iter()
            .flat_map(TableFacts::labels)
            .find(|label| is_sloppy(label));
        let sloppy = sloppy.map(|label| format!("{label:?}"));
        self.note("sloppy-table", sloppy.is_some(), sloppy.unwrap_or_default());
        Ok(())
    }

    /// Which of the listed periods has figures, and how columns are headed.
    pub async fn headings(&mut self) -> Result<(), CallError> {
        let Some((area, other)) = self.parts() else { return Ok(()) };
        let hierarchies = [Self::hierarchy(&area, "/"), Self::hierarchy(&other, "/")];
        for period in self.main.periods.clone().into_iter().take(2) {
            self.period = period;
            let parameters = [self.at_period(), hierarchies.join("&")];
            let answer = self.data(&self.main.id.clone(), "mgroup.*=*", &parameters).await?;
            if answer.is_success() {
                self.read_headings(&area, &other, &DataFacts::read(&answer.json()));
                break;
            }
            self.note("period-ahead", true, format!("{}: {}", self.period, answer.cause()));
        }
        let grouped = self.grouped.clone();
        let Some(area) = grouped.area() else { return Ok(()) };
        for period in grouped.periods.iter().take(2) {
            let parameters =
                [parameter(&format!("period.{}", grouped.period_type), period), Self::hierarchy(area, "/")];
            let answer = self.data(&grouped.id, "mgroup.*=*", &parameters).await?;
            if answer.is_success() {
                self.read_group_headings(&grouped, &DataFacts::read(&answer.json()));
                break;
            }
        }
        Ok(())
    }

    fn read_headings(&mut self, area: &DimensionFacts, other: &DimensionFacts, data: &DataFacts) {
        self.read_sloppiness(data);
        for dimension in [area, other] {
            let names = [
                dimension.name.as_str(),
                if dimension.id == "_omrade" { "Område" } else { "" },
                if dimension.id == "_omrade" { "Area" } else { "" },
            ];
            let is = |name: &str| {
                data.columns.iter().any(|heading| !name.is_empty() && comparable(heading) == comparable(name))
            };
            let by_name = names.iter().any(|name| is(name));
            let by_hierarchy = !by_name && is(&dimension.hierarchy_name);
            let shown = data.columns.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            self.note("headed-by-hierarchy", by_hierarchy, shown.clone());
            self.note("headed-otherwise", !by_name && !by_hierarchy, shown);
        }
        let headings = data.columns.get(3..).unwrap_or_default();
        let main = self.main.clone();
        self.read_measures(&main, headings);
        self.read_shares(data, 3);
    }

    fn read_group_headings(&mut self, table: &TableFacts, data: &DataFacts) {
        self.read_sloppiness(data);
        let headings = data.columns.get(2..).unwrap_or_default();
        self.read_measures(table, headings);
        let several = table.groups.iter().filter(|group| group.measures.len() > 1);
        let full = |group: &str, measure: &str| comparable(&format!("{group}: {measure}"));
        let mut alone = false;
        for group in several {
            for (_, measure) in &group.measures {
                let has = |name: &str| headings.iter().any(|heading| comparable(heading) == name);
                alone |= !has(&full(&group.name, measure)) && has(&comparable(measure));
            }
        }
        self.note("headings-without-group", alone, headings.join(", "));
    }

    /// The order of measure columns, and groups in front of single measures.
    fn read_measures(&mut self, table: &TableFacts, headings: &[String]) {
        let mut places = Vec::new();
        let mut with_group = false;
        for group in &table.groups {
            for (_, measure) in &group.measures {
                let full = comparable(&format!("{}: {measure}", group.name));
                let at = |name: &str| headings.iter().position(|heading| comparable(heading) == name);
                let found = at(&full);
                with_group |= group.measures.len() == 1 && found.is_some();
                places.extend(found.or_else(|| at(&comparable(measure))));
            }
        }
        let is_ordered = places.windows(2).all(|pair| pair[0] <= pair[1]);
        self.note("measures-reordered", !is_ordered, headings.join(", "));
        self.note("headings-with-group", with_group, headings.join(", "));
    }

    fn read_sloppiness(&mut self, data: &DataFacts) {
        let sloppy = data.sloppy().map(|label| format!("{label:?}"));
        self.note("sloppy-data", sloppy.is_some(), sloppy.unwrap_or_default());
    }

    /// Whether shares are in per cent, and units that labels do not state.
    fn read_shares(&mut self, data: &DataFacts, first: usize) {
        for (column, heading) in data.columns.iter().enumerate().skip(first) {
            let numbers: Vec<_> = data.numbers(column).collect();
            let Some(largest) = numbers.iter().map(|(number, _)| *number).reduce(f64::max) else { continue };
            let is_fine = numbers.iter().any(|(_, decimals)| *decimals > 2);
            let is_fraction = largest <= 1.0 && is_fine;
            let stated = Unit::stated_by(heading);
            if stated == Some(Unit::Percent) {
                self.note("shares-as-fractions", is_fraction, format!("{heading}: largest {largest}"));
            }
            let is_share = ["andel", "grad", "rate"].iter().any(|word| heading.to_lowercase().contains(word));
            if stated.is_none() && is_share {
                let unit = if is_fraction { Unit::Fraction } else { Unit::Percent };
                self.dialect.units.entry(self.main.id.clone()).or_default().insert(heading.clone(), unit);
            }
        }
    }

    /// Whether a level brings the total along, and in which order dimensions come.
    pub async fn levels(&mut self) -> Result<(), CallError> {
        let Some((area, other)) = self.parts() else { return Ok(()) };
        let Some(level) = other.level().cloned() else { return Ok(()) };
        let table = self.main.id.clone();
        let by_level = [
            self.at_period(),
            Self::hierarchy(&area, "/"),
            Self::hierarchy(&other, &format!("level:{}", level.id)),
        ];
        let answer = self.data(&table, "mgroup.*=*", &by_level).await?;
        if answer.is_success() {
            let data = DataFacts::read(&answer.json());
            self.read_sloppiness(&data);
            self.read_shares(&data, 3);
            let column =
                (1..3).max_by_key(|column| data.labels(*column).filter(|label| level.has(label)).count());
            let is_unknown = |label: &&str| !level.has(label);
            let brought = column.and_then(|column| data.labels(column).find(is_unknown)).map(str::to_owned);
            let (in_level, listed) = (other.has_root_in_level(), other.has_root());
            let shown = brought.clone().unwrap_or_else(|| "only the level's members".to_owned());
            let comes = brought.is_some();
            self.note("total-in-level", comes && in_level, shown.clone());
            self.note("total-on-own-level", comes && listed && !in_level, shown.clone());
            self.note("total-unlisted", comes && !listed, shown);
        }
        let Some((path, label)) = level.members().next().cloned() else { return Ok(()) };
        let turned = [self.at_period(), Self::hierarchy(&other, &path), Self::hierarchy(&area, "/")];
        let answer = self.data(&table, "mgroup.*=*", &turned).await?;
        let data = DataFacts::read(&answer.json());
        let is_first = data.labels(1).any(|other| comparable(other) == comparable(&label));
        self.note(
            "request-order",
            is_first,
            data.columns.iter().take(3).cloned().collect::<Vec<_>>().join(", "),
        );
        Ok(())
    }

    /// Forms of selections that nobody is known to have used.
    pub async fn forms(&mut self) -> Result<(), CallError> {
        let Some((area, other)) = self.parts() else { return Ok(()) };
        let table = self.main.id.clone();
        let paths = |dimension: &DimensionFacts, count: usize| -> String {
            let members = dimension.levels.iter().flat_map(|level| level.members());
            members.take(count).map(|(path, _)| path.as_str()).collect::<Vec<_>>().join(",")
        };
        let with_root = [
            self.at_period(),
            Self::hierarchy(&area, "/"),
            Self::hierarchy(&other, &format!("/,{}", paths(&other, 1))),
        ];
        let answer = self.data(&table, "mgroup.*=*", &with_root).await?;
        self.note_form("root-in-list-refused", Form::RootInList, &answer);
        let one = self.one_measure();
        let long = [self.at_period(), Self::hierarchy(&area, &paths(&area, 60))];
        let answer = self.data(&table, &one, &long).await?;
        self.note_form("long-lists-refused", Form::LongList, &answer);
        // Every byte percent-encoded: a long address for a question that is not large.
        let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let start = self.main.periods.iter().position(|period| *period == self.period).unwrap_or_default();
        let periods: Vec<_> = self.main.periods.iter().skip(start).take(30).map(String::as_str).collect();
        let address = [
            format!(
                "{}={}",
                encoded(&format!("period.{}", self.main.period_type)),
                encoded(&periods.join(","))
            ),
            format!("{}={}", encoded(&format!("hierarchy.{}", area.hierarchy)), encoded(&paths(&area, 40))),
        ];
        let length: usize = address.iter().map(String::len).sum();
        if length > PROVEN_ADDRESS {
            let answer = self.data(&table, &one, &address).await?;
            self.note_form("long-addresses-refused", Form::LongAddress, &answer);
        }
        Ok(())
    }

    fn note_form(&mut self, point: &'static str, form: Form, answer: &Response) {
        let is_refused = matches!(answer.status, 400 | 404 | 414 | 422);
        if is_refused {
            self.dialect.forms.refused.insert(form);
        } else if answer.is_success() {
            self.dialect.forms.answered.insert(form);
        }
        let shown = if is_refused { answer.cause() } else { format!("answered with {}", answer.status) };
        self.note(point, is_refused, shown);
    }

    /// How errors are reported.
    pub async fn errors(&mut self) -> Result<(), CallError> {
        let Some((area, _)) = self.parts() else { return Ok(()) };
        let table = self.main.id.clone();
        let wrong = [self.at_period(), parameter("hierarchy._omrade_x", "/")];
        let answer = self.data(&table, "mgroup.*=*", &wrong).await?;
        self.note(
            "errors-in-text",
            answer.json()["cause"].is_null(),
            format!("{}: {}", answer.status, answer.cause()),
        );
        let missing = self.get("table/findes_ikke?format=json").await?;
        self.note("not-found-in-json", !missing.json()["cause"].is_null(), format!("{}", missing.status));
        let refused = self.caller.get_without_key("subjects?format=json").await?;
        self.note("unauthorized-in-json", !refused.json()["cause"].is_null(), format!("{}", refused.status));
        let all = self.main.periods.len();
        let latest = [
            parameter(&format!("period.{}", self.main.period_type), &format!("latest:{all}")),
            Self::hierarchy(&area, "/"),
        ];
        let one = self.one_measure();
        let answer = self.data(&table, &one, &latest).await?;
        self.note(
            "period-ahead",
            answer.status == 422,
            if answer.is_success() { format!("latest:{all} was answered") } else { answer.cause() },
        );
        Ok(())
    }

    /// Small questions whose answers the bridge does not depend on.
    pub async fn habits(&mut self) -> Result<(), CallError> {
        let Some((area, _)) = self.parts() else { return Ok(()) };
        let table = self.main.id.clone();
        let at = [self.at_period()];
        let answer = self.data(&table, "mgroup.*=*", &at).await?;
        self.note("area-left-out", answer.is_success(), format!("{}", answer.status));
        let upper = self.get(&format!("table/{}?format=json", table.to_uppercase())).await?;
        self.note("upper-case-table", upper.is_success(), format!("{}", upper.status));
        let old =
            [parameter(&format!("period.{}", self.main.period_type), "l(m:2)"), Self::hierarchy(&area, "/")];
        let answer = self.data(&table, "mgroup.*=*", &old).await?;
        self.note("old-latest", answer.is_success(), format!("{}", answer.status));
        let grouped = self.grouped.clone();
        let several = grouped.groups.iter().find(|group| group.measures.len() > 1);
        if let (Some(group), Some(area), Some(period)) = (several, grouped.area(), grouped.periods.get(1)) {
            let parameters =
                [parameter(&format!("period.{}", grouped.period_type), period), Self::hierarchy(area, "/")];
            let list: Vec<_> = group.measures.iter().take(2).map(|(id, _)| id.as_str()).collect();
            for (point, value) in [("measure-list", list.join(",")), ("group-star", "*".to_owned())] {
                let measures = parameter(&format!("mgroup.{}", group.id), &value);
                let answer = self.data(&grouped.id, &measures, &parameters).await?;
                self.note(point, answer.is_success(), format!("{}", answer.status));
            }
        }
        let path = format!(
            "data/{table}?mgroup.*=*&{}&{}&format=csv",
            self.at_period(),
            Self::hierarchy(&area, "/")
        );
        let csv = self.caller.get(&path).await?.text();
        let figures = csv.lines().nth(1).unwrap_or_default();
        self.note(
            "csv-decimal-comma",
            figures.split(';').skip(2).any(|cell| cell.contains(',')),
            "one line of CSV",
        );
        Ok(())
    }

    /// Larger questions, ever larger, as long as they are answered.
    pub async fn limits(&mut self) -> Result<(), CallError> {
        let Some((area, other)) = self.parts() else { return Ok(()) };
        let rows = area.size() * other.size();
        let measures = self.main.measure_count().max(1);
        let columns = 3 + measures;
        let answer = self.large(&area, &other, MANY_CELLS / (rows * columns).max(1)).await?;
        for (point, status) in [("gateway-502", 502), ("gateway-504", 504)] {
            let is_it = answer.status == status && answer.is_page();
            self.note(point, is_it, format!("{MANY_CELLS} cells: {}", answer.status));
            if is_it {
                self.dialect.cell_limit = Some(MANY_CELLS as u64 / 2);
            }
        }
        let within = CELL_LIMIT * 3 / 4 / (rows * measures).max(1);
        let answer = self.large(&area, &other, within).await?;
        let is_refused = matches!(answer.status, 400 | 413 | 422);
        self.note(
            "labels-count",
            is_refused,
            format!("{} measure cells: {}", within * rows * measures, answer.status),
        );
        let beyond = CELL_LIMIT / (rows * measures).max(1) + 1;
        let answer = self.large(&area, &other, beyond).await?;
        let shown = format!(
            "{} measure cells: {} {}",
            beyond * rows * measures,
            answer.status,
            if answer.is_success() { String::new() } else { answer.cause() }
        );
        self.note("limit-400", answer.status == 400, shown.clone());
        self.note("limit-413", answer.status == 413, shown.clone());
        let cause = answer.cause().to_lowercase();
        let is_danish = !answer.is_success() && (cause.contains("celler") || cause.contains("udtræk"));
        self.note("limit-in-danish", is_danish, shown);
        Ok(())
    }

    async fn large(
        &mut self,
        area: &DimensionFacts,
        other: &DimensionFacts,
        periods: usize,
    ) -> Result<Response, CallError> {
        let start = self.main.periods.iter().position(|period| *period == self.period).unwrap_or_default();
        let count = periods.clamp(1, self.main.periods.len().saturating_sub(start).max(1));
        // The number of the newest is short in an address, but it counts from a period that may not be there yet.
        let wanted = if start == 0 {
            format!("latest:{count}")
        } else {
            self.main.periods.iter().skip(start).take(count).cloned().collect::<Vec<_>>().join(",")
        };
        let parameters = [
            parameter(&format!("period.{}", self.main.period_type), &wanted),
            Self::hierarchy(area, "*"),
            Self::hierarchy(other, "*"),
        ];
        let table = self.main.id.clone();
        self.data(&table, "mgroup.*=*", &parameters).await
    }
}
