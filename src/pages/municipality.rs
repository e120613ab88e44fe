//! The 98 municipalities as the pages know them, with their regions and their places on the tile map, from `metadata/tiles.csv`.
//! The map is ours: one tile each, neighbours where people expect them.

use std::sync::LazyLock;

use crate::error::closest;
use crate::search::folded;

/// A municipality.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Municipality {
    pub code: &'static str,
    pub name: &'static str,
    /// The name as it fits on a tile.
    pub short: &'static str,
    /// The official code of its region.
    pub region: &'static str,
    pub column: u32,
    pub row: u32,
}

/// All of them, in the order of the Danish alphabet.
static ALL: LazyLock<Vec<Municipality>> = LazyLock::new(|| {
    let mut all: Vec<_> = include_str!("../../metadata/tiles.csv").lines().skip(1).filter_map(read).collect();
    all.sort_by_key(|municipality| alphabetical(municipality.name));
    all
});

fn read(line: &'static str) -> Option<Municipality> {
    let mut cells = line.split(';');
    Some(Municipality {
        code: cells.next()?,
        name: cells.next()?,
        short: cells.next()?,
        region: cells.next()?,
        column: cells.next()?.parse().ok()?,
        row: cells.next()?.parse().ok()?,
    })
}

/// What Danish names are sorted by: æ, ø, å at the end, and aa as å.
fn alphabetical(name: &str) -> String {
    let name = name.to_lowercase().replace("aa", "å");
    name.chars()
        .map(|letter| match letter {
            'æ' => '\u{f000}',
            'ø' => '\u{f001}',
            'å' => '\u{f002}',
            letter => letter,
        })
        .collect()
}

/// All municipalities, in the order of the Danish alphabet.
#[must_use]
pub fn all() -> &'static [Municipality] {
    &ALL
}

/// The municipality of an official code or a name, however its letters are written.
///
/// # Errors
/// When there is no such municipality; the error names the nearest one.
pub fn find(text: &str) -> Result<&'static Municipality, Option<String>> {
    let wanted = folded(text.trim());
    let found = ALL.iter().find(|one| one.code == text.trim() || folded(one.name) == wanted);
    found.ok_or_else(|| closest(text.trim(), ALL.iter().map(|one| one.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str) -> (i64, i64) {
        let one = find(name).unwrap();
        (one.column.into(), one.row.into())
    }

    #[test]
    fn each_municipality_has_a_tile_of_its_own() {
        let mut places: Vec<_> = all().iter().map(|one| (one.column, one.row)).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!((all().len(), places.len()), (98, 98));
        let mut short: Vec<_> = all().iter().map(|one| one.short).collect();
        short.sort_unstable();
        short.dedup();
        assert_eq!(short.len(), 98, "names on tiles are told apart");
        let mut listed = 0;
        for line in include_str!("../../metadata/area_codes.csv").lines() {
            if let ["municipality", code, name, region] = line.split(';').collect::<Vec<_>>()[..] {
                listed += 1;
                assert_eq!(find(code), find(name));
                assert_eq!((find(code).unwrap().name, find(code).unwrap().region), (name, region));
            }
        }
        assert_eq!(listed, 98);
    }

    #[test]
    fn the_tiles_of_a_region_hang_together() {
        for region in ["1081", "1082", "1083", "1084", "1085"] {
            let tiles: Vec<_> =
                all().iter().filter(|one| one.region == region).map(|one| at(one.code)).collect();
            let mut reached = vec![tiles[0]];
            let mut next = 0;
            while let Some(&(column, row)) = reached.get(next) {
                for beside in [(column + 1, row), (column - 1, row), (column, row + 1), (column, row - 1)] {
                    if tiles.contains(&beside) && !reached.contains(&beside) {
                        reached.push(beside);
                    }
                }
                next += 1;
            }
            assert_eq!(reached.len(), tiles.len(), "{region}");
        }
    }

    #[test]
    fn neighbours_are_where_people_expect_them() {
        for (north, south) in [
            ("Varde", "Esbjerg"),
            ("Hjørring", "Aalborg"),
            ("Aarhus", "Odder"),
            ("Kolding", "Haderslev"),
            ("Helsingør", "Hillerød"),
        ] {
            assert_eq!((at(south).0, at(south).1 - 1), at(north), "{north} lies north of {south}");
        }
        for (west, east) in [
            ("Esbjerg", "Vejen"),
            ("Holstebro", "Viborg"),
            ("Viborg", "Randers"),
            ("Assens", "Odense"),
            ("Odense", "Nyborg"),
            ("Kalundborg", "Holbæk"),
            ("Slagelse", "Ringsted"),
            ("Roskilde", "Høje-Taastrup"),
            ("Lolland", "Guldborgsund"),
        ] {
            assert_eq!((at(east).0 - 1, at(east).1), at(west), "{west} lies west of {east}");
        }
        let east = all().iter().max_by_key(|one| one.column).unwrap();
        assert_eq!(east.name, "Bornholm");
        assert_eq!(all().iter().filter(|one| one.column == east.column).count(), 1);
    }

    #[test]
    fn names_are_found_as_people_write_them() {
        assert_eq!(find("730").unwrap().name, "Randers");
        assert_eq!(find(" århus ").unwrap().name, "Aarhus");
        assert_eq!(find("hoeje-taastrup").unwrap().code, "169");
        assert_eq!(find("Rander"), Err(Some("Randers".to_owned())));
        assert_eq!(find("xyz"), Err(None));
        assert_eq!(all().last().map(|one| one.name), Some("Aarhus"));
    }
}
