//! Published figures, as they were retrieved from Jobindsats.dk: `metadata/simulator/figures.csv`.
//!
//! Turns labels into cells and answers what was published for a cell, and when. Makes nothing up, with one exception:
//! a dimension without a total gets the sum of its parts where the dimension is not named.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Deserialize;

use super::areas::Areas;
use super::metadata::MetadataError;
use super::periods::{Period, PeriodType};
use super::tables::Table;

pub const FIGURES: &str = include_str!("../../metadata/simulator/figures.csv");

/// A cell's place in the cube without period and measure: one byte for each dimension, the area first; 0 is the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u64);

impl Key {
    pub fn code(self, dimension: usize) -> usize {
        (self.0 >> (8 * dimension) & 0xff) as usize
    }

    pub fn with(self, dimension: usize, code: usize) -> Self {
        Self(self.0 & !(0xff << (8 * dimension)) | (code as u64) << (8 * dimension))
    }

    /// Which dimensions stand at something else than their total.
    pub fn shape(self) -> u8 {
        (0..8).filter(|dimension| self.code(*dimension) != 0).map(|dimension| 1 << dimension).sum()
    }

    /// How many dimensions stand at something else than their total.
    pub fn depth(self) -> usize {
        (0..8).filter(|dimension| self.code(*dimension) != 0).count()
    }
}

/// A measure in a period.
type Slot = u32;

fn slot(measure: usize, period: Period) -> Slot {
    (measure as u32) << 27 | period.code()
}

/// One line of the file: a series of one measure.
#[derive(Debug, Deserialize)]
struct Line {
    table: String,
    retrieved: String,
    area: String,
    /// `dimension=member`, joined by `|`.
    filters: String,
    measure: String,
    /// `period=figure`, joined by blanks; no figure where none was published.
    figures: String,
}

/// All lines of the file, by table.
#[derive(Debug)]
pub struct Library {
    lines: HashMap<String, Vec<Line>>,
}

impl Library {
    pub fn read() -> Result<Self, MetadataError> {
        let mut lines: HashMap<String, Vec<Line>> = HashMap::new();
        for line in csv::ReaderBuilder::new().delimiter(b';').from_reader(FIGURES.as_bytes()).deserialize() {
            let line: Line = line?;
            lines.entry(line.table.clone()).or_default().push(line);
        }
        Ok(Self { lines })
    }

    /// What was published of one table.
    pub fn of(&self, table: &Table, places: &Areas) -> Result<Published, MetadataError> {
        let lines = self.lines.get(&table.id).map(Vec::as_slice).unwrap_or_default();
        let retrievals: BTreeSet<_> = lines.iter().map(|line| line.moment()).collect();
        let mut published = Published { retrievals: retrievals.len(), ..Published::default() };
        for line in lines {
            let rank = retrievals.iter().position(|moment| *moment == line.moment()).unwrap_or_default();
            published.add(line, rank, table, places)?;
        }
        published.add_missing_totals(table);
        Ok(published)
    }
}

impl Line {
    /// When the line was retrieved, as text that sorts; the rest of the field says how well the day is known.
    fn moment(&self) -> &str {
        self.retrieved.split(' ').next().unwrap_or_default()
    }

    fn error(&self, what: &'static str, text: &str) -> MetadataError {
        MetadataError::Figure { table: self.table.clone(), what, text: text.into() }
    }

    fn key(&self, table: &Table, places: &Areas) -> Result<Key, MetadataError> {
        let place = places.named(&self.area).ok_or_else(|| self.error("area", &self.area))?;
        let mut key = Key::default().with(0, place);
        for filter in self.filters.split('|').filter(|filter| !filter.is_empty()) {
            let (name, label) = filter.split_once('=').ok_or_else(|| self.error("filter", filter))?;
            let dimension = table.dimension_named(name).ok_or_else(|| self.error("dimension", name))?;
            let nodes = &table.dimensions[dimension].hierarchies[0].nodes;
            let node =
                nodes.iter().find(|node| node.name == label).ok_or_else(|| self.error("member", label))?;
            key = key.with(dimension, node.code);
        }
        Ok(key)
    }
}

/// A published figure, in units of the measure's last decimal; none where the cell was published empty.
pub type Figure = Option<i64>;

/// What was published of one table.
#[derive(Debug, Default)]
pub struct Published {
    /// How many times figures of the table were retrieved.
    pub retrievals: usize,
    /// By retrieval, oldest first.
    figures: HashMap<(Key, Slot), Vec<(usize, Figure)>>,
    keys: HashSet<Key>,
    newest: HashMap<(PeriodType, usize), Period>,
}

/// Of the versions of a figure the one that stood at a retrieval; where it was retrieved only later, the earliest one.
fn standing(versions: &[(usize, Figure)], rank: usize) -> Option<Figure> {
    let known = versions.iter().rev().find(|(retrieved, _)| *retrieved <= rank).or(versions.first());
    known.map(|(_, figure)| *figure)
}

impl Published {
    fn add(&mut self, line: &Line, rank: usize, table: &Table, places: &Areas) -> Result<(), MetadataError> {
        let key = line.key(table, places)?;
        let measure =
            table.measure_named(&line.measure).ok_or_else(|| line.error("measure", &line.measure))?;
        for text in line.figures.split(' ') {
            let (period, figure) = text.split_once('=').ok_or_else(|| line.error("figure", text))?;
            let period: Period = period.parse().map_err(|_| line.error("period", period))?;
            let figure =
                scaled(figure, table.measures[measure].decimals).ok_or_else(|| line.error("figure", text))?;
            self.insert(key, measure, period, rank, figure);
        }
        Ok(())
    }

    fn insert(&mut self, key: Key, measure: usize, period: Period, rank: usize, figure: Figure) {
        let slot = slot(measure, period);
        let versions = self.figures.entry((key, slot)).or_default();
        // Of two lines retrieved on the same day the later in the file stands.
        versions.retain(|(other, _)| *other != rank);
        versions.push((rank, figure));
        versions.sort_unstable_by_key(|(rank, _)| *rank);
        let newest = self.newest.entry((period.kind, rank)).or_insert(period);
        *newest = period.max(*newest);
        self.keys.insert(key);
    }

    /// The figure of a cell as it stood at the given retrieval; where it was retrieved only later, the earliest one.
    pub fn figure(&self, key: Key, measure: usize, period: Period, rank: usize) -> Option<Figure> {
        standing(self.figures.get(&(key, slot(measure, period)))?, rank)
    }

    /// All figures as they stood at a retrieval.
    pub fn standing_at(&self, rank: usize) -> impl Iterator<Item = (Key, usize, Period, Figure)> {
        self.figures.iter().filter_map(move |((key, slot), versions)| {
            let period = Period::from_code(slot & ((1 << 27) - 1))?;
            Some((*key, (slot >> 27) as usize, period, standing(versions, rank)?))
        })
    }

    /// The retrieval that an edition of a table stands at.
    pub fn rank(&self, edition: i32) -> usize {
        (self.retrievals as i32 - 1 + edition.min(0)).max(0) as usize
    }

    /// Whether anything at all was published for the cell, in any period.
    pub fn holds(&self, key: Key) -> bool {
        self.keys.contains(&key)
    }

    /// The newest period that had been published at a retrieval.
    pub fn newest(&self, kind: PeriodType, rank: usize) -> Option<Period> {
        (0..=rank).filter_map(|rank| self.newest.get(&(kind, rank)).copied()).max()
    }

    /// Where a dimension has no total, what the table says without it is the sum of the parts.
    fn add_missing_totals(&mut self, table: &Table) {
        let without: Vec<_> =
            (1..table.dimensions.len()).filter(|d| !table.dimensions[*d].hierarchies[0].has_total).collect();
        for dimension in without {
            let members = table.dimensions[dimension].hierarchies[0].nodes.len() - 1;
            let mut sums: HashMap<(Key, Slot, usize), (usize, i64)> = HashMap::new();
            for ((key, slot), versions) in &self.figures {
                for (rank, figure) in
                    versions.iter().filter_map(|(rank, figure)| figure.map(|figure| (*rank, figure)))
                {
                    let sum = sums.entry((key.with(dimension, 0), *slot, rank)).or_default();
                    *sum = (sum.0 + 1, sum.1 + figure);
                }
            }
            for ((key, slot, rank), (_, sum)) in sums.into_iter().filter(|(_, (parts, _))| *parts == members)
            {
                self.figures.entry((key, slot)).or_default().push((rank, Some(sum)));
                self.keys.insert(key);
            }
        }
        self.figures.values_mut().for_each(|versions| versions.sort_unstable_by_key(|(rank, _)| *rank));
    }
}

/// `3.0` with one decimal is 30; an empty text is no figure.
fn scaled(text: &str, decimals: u32) -> Option<Figure> {
    if text.is_empty() {
        return Some(None);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = decimals as usize;
    if fraction.len() > digits {
        return None;
    }
    format!("{whole}{fraction:0<digits$}").parse().ok().map(Some)
}

#[cfg(test)]
mod tests {
    use super::super::metadata::Metadata;
    use super::*;

    #[test]
    fn figures_csv_resolves_to_measures_areas_members_and_periods() {
        let metadata = Metadata::get().unwrap();
        let library = Library::read().unwrap();
        let mut series = 0;
        for (id, lines) in &library.lines {
            let table = &metadata.tables[metadata.table(id).unwrap()];
            let published = library.of(table, &metadata.places).unwrap();
            assert!(!published.keys.is_empty(), "{id}");
            series += lines.len();
            for line in lines {
                for figure in line.figures.split(' ') {
                    let period: Period = figure.split_once('=').unwrap().0.parse().unwrap();
                    let range = table.periods.iter().find(|range| range.kind() == period.kind).unwrap();
                    assert!(range.periods().contains(&period), "{id} {period}");
                }
            }
        }
        assert_eq!(series, 4542);
    }

    #[test]
    fn the_latest_retrieval_of_a_cell_wins_and_earlier_ones_are_kept() {
        let metadata = Metadata::get().unwrap();
        let table = &metadata.tables[metadata.table("y25i05").unwrap()];
        let published = Library::read().unwrap().of(table, &metadata.places).unwrap();
        let may = "2026M05".parse().unwrap();
        let at = |rank| published.figure(Key::default(), 0, may, rank).unwrap();
        assert_eq!((published.retrievals, at(0), at(1)), (2, Some(997), Some(995)));
    }

    #[test]
    fn lines_that_do_not_resolve_say_what_is_unknown() {
        let metadata = Metadata::get().unwrap();
        let table = &metadata.tables[metadata.table("y25i05").unwrap()];
        let line = |area: &str, filters: &str, measure: &str, figures: &str| Line {
            table: "y25i05".into(),
            retrieved: "2026".into(),
            area: area.into(),
            filters: filters.into(),
            measure: measure.into(),
            figures: figures.into(),
        };
        let persons = "Varslinger, antal personer";
        for (line, what) in [
            (line("Atlantis", "", persons, "2026M05=1"), "area 'Atlantis'"),
            (line("Hele landet", "Køn=Mænd", persons, "2026M05=1"), "dimension 'Køn'"),
            (line("Hele landet", "Branche=Fiskeri", persons, "2026M05=1"), "member 'Fiskeri'"),
            (line("Hele landet", "", "Antal", "2026M05=1"), "measure 'Antal'"),
            (line("Hele landet", "", persons, "2026M5=1"), "period '2026M5'"),
            (line("Hele landet", "", persons, "2026M05=1.5"), "figure '2026M05=1.5'"),
        ] {
            let error = Published::default().add(&line, 0, table, &metadata.places).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    #[test]
    fn figures_are_scaled_to_the_decimals_of_their_measure() {
        assert_eq!(scaled("3", 1), Some(Some(30)));
        assert_eq!(scaled("3.10", 1), Some(Some(31)));
        assert_eq!(scaled("0.22", 2), Some(Some(22)));
        assert_eq!(scaled("", 0), Some(None));
        assert_eq!(scaled("3.14", 1), None);
        assert_eq!(scaled("x", 0), None);
    }
}
