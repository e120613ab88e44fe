//! Danish areas: the country, its regions and municipalities, and the unknown area, in four hierarchies.
//!
//! A place has one code wherever it stands, so that a municipality has the same figures in `_nykom` and in `_reko`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::chance;
use super::hierarchy::{Hierarchy, HierarchyError, Level};

pub const AREAS: &str = include_str!("../../metadata/simulator/areas.json");

/// The areas that the simulator carries do not hang together.
#[derive(Debug, thiserror::Error)]
pub enum AreasError {
    #[error("metadata/simulator/areas.json is no valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("municipality {municipality} lies in region {region}, which does not exist")]
    Region { municipality: String, region: String },
}

#[derive(Debug, Deserialize)]
struct RawArea {
    id: String,
    #[serde(default)]
    code: String,
    name: String,
    #[serde(default)]
    region: String,
    /// The labour force in thousands, from published figures.
    #[serde(default)]
    weight: f64,
}

#[derive(Debug, Deserialize)]
struct RawAreas {
    country: RawArea,
    unknown: RawArea,
    regions: Vec<RawArea>,
    municipalities: Vec<RawArea>,
}

/// One area.
#[derive(Debug)]
pub struct Area {
    /// The path within `_region` for a region, within `_nykom` for a municipality.
    id: String,
    /// The official code; empty for the unknown area.
    pub official_code: String,
    pub name: String,
    /// The place that it is part of; the country is its own.
    pub parent: usize,
    weight: f64,
}

/// All areas; the country is the first.
#[derive(Debug)]
pub struct Areas {
    places: Vec<Area>,
    regions: usize,
}

/// The country's code among places.
pub const COUNTRY: usize = 0;

impl Areas {
    pub fn read() -> Result<Self, AreasError> {
        let raw: RawAreas = serde_json::from_str(AREAS)?;
        let regions = raw.regions.len();
        let codes: Vec<_> = raw.regions.iter().map(|region| region.code.clone()).collect();
        let mut places = vec![Area::new(raw.country, COUNTRY)];
        places.extend(raw.regions.into_iter().map(|region| Area::new(region, COUNTRY)));
        for municipality in raw.municipalities {
            let region = codes.iter().position(|code| *code == municipality.region);
            let region = region.ok_or_else(|| AreasError::Region {
                municipality: municipality.name.clone(),
                region: municipality.region.clone(),
            })?;
            places.push(Area::new(municipality, region + 1));
        }
        places.push(Area::new(raw.unknown, COUNTRY));
        Ok(Self { places, regions })
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn named(&self, name: &str) -> Option<usize> {
        self.places.iter().position(|place| place.name == name)
    }

    pub fn parent(&self, place: usize) -> usize {
        self.places[place].parent
    }

    pub fn is_municipality(&self, place: usize) -> bool {
        self.municipalities().contains(&place)
    }

    pub fn municipalities(&self) -> std::ops::Range<usize> {
        self.regions + 1..self.places.len() - 1
    }

    fn regions(&self) -> std::ops::Range<usize> {
        1..self.regions + 1
    }

    fn unknown(&self) -> usize {
        self.places.len() - 1
    }

    /// What part of the country each place makes up in one table: as published where `known` has it (by official
    /// code), else by labour force with a leaning of the table's own.
    pub fn shares(&self, table: &str, known: &BTreeMap<String, f64>) -> Vec<f64> {
        let seed = chance::seed(table);
        let mut shares = vec![0.0; self.len()];
        for (index, place) in self.places.iter().enumerate().skip(self.regions + 1) {
            shares[index] = known.get(&place.official_code).copied().unwrap_or_else(|| {
                place.weight * (0.75 + 0.5 * chance::unit(chance::mix(seed, index as u64)))
            });
        }
        if known.is_empty() {
            let sum: f64 = shares.iter().sum();
            shares.iter_mut().for_each(|share| *share *= 0.99 / sum);
        } else {
            shares[self.unknown()] = 0.002;
        }
        for region in self.regions() {
            shares[region] = self
                .municipalities()
                .filter(|place| self.parent(*place) == region)
                .map(|place| shares[place])
                .sum();
        }
        shares[COUNTRY] = 1.0;
        shares
    }

    /// The labour force of every area, which shares of people are weighted by. A few live in no known area.
    pub fn labour_force(&self) -> Vec<f64> {
        let of = |places: &mut dyn Iterator<Item = usize>| {
            places.map(|place| self.places[place].weight).sum::<f64>()
        };
        let all = of(&mut self.municipalities());
        let weight = |place: usize| match place {
            COUNTRY => all,
            place if self.regions().contains(&place) => {
                of(&mut self.municipalities().filter(|other| self.parent(*other) == place))
            }
            place if place == self.unknown() => all * 0.002,
            place => self.places[place].weight,
        };
        (0..self.len()).map(weight).collect()
    }

    /// An area hierarchy by its id, or `None` where there is no such.
    pub fn hierarchy(&self, id: &str) -> Result<Option<Hierarchy>, HierarchyError> {
        let country = &self.places[COUNTRY].name;
        let region = || level("region", "Regioner");
        let municipality = || level("kommune", "Kommuner");
        let mut hierarchy = match id {
            "_hele_landet" => Hierarchy::new(id, "Hele landet", country, vec![]),
            "_nykom" => Hierarchy::new(id, "Kommuner", country, vec![municipality()]),
            "_region" => Hierarchy::new(id, "Regioner", country, vec![region()]),
            "_reko" => Hierarchy::new(id, "Regioner og kommuner", country, vec![region(), municipality()]),
            _ => return Ok(None),
        };
        // The upstream lists the root in some hierarchies only.
        hierarchy.lists_total = matches!(id, "_hele_landet" | "_nykom");
        match id {
            "_nykom" => self.add_all(&mut hierarchy, self.municipalities())?,
            "_region" => self.add_all(&mut hierarchy, self.regions())?,
            "_reko" => self.add_nested(&mut hierarchy)?,
            _ => return Ok(Some(hierarchy)),
        }
        self.add(&mut hierarchy, &self.places[self.unknown()].id, self.unknown())?;
        Ok(Some(hierarchy))
    }

    fn add_all(
        &self,
        hierarchy: &mut Hierarchy,
        places: std::ops::Range<usize>,
    ) -> Result<(), HierarchyError> {
        places.into_iter().try_for_each(|place| self.add(hierarchy, &self.places[place].id, place))
    }

    fn add_nested(&self, hierarchy: &mut Hierarchy) -> Result<(), HierarchyError> {
        for region in self.regions() {
            self.add(hierarchy, &self.places[region].id, region)?;
            for place in self.municipalities().filter(|place| self.parent(*place) == region) {
                let id = format!("{}{}", self.places[region].id, &self.places[place].id[1..]);
                self.add(hierarchy, &id, place)?;
            }
        }
        Ok(())
    }

    fn add(&self, hierarchy: &mut Hierarchy, id: &str, place: usize) -> Result<(), HierarchyError> {
        hierarchy.add(id, &self.places[place].name, 1.0, Some(place))
    }
}

fn level(id: &str, name: &str) -> Level {
    Level { id: id.into(), name: name.into() }
}

impl Area {
    fn new(raw: RawArea, parent: usize) -> Self {
        Self { id: raw.id, official_code: raw.code, name: raw.name, parent, weight: raw.weight }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_json_holds_every_area_once() {
        let places = Areas::read().unwrap();
        assert_eq!(places.municipalities().len(), 98);
        assert_eq!(places.len(), 1 + 5 + 98 + 1);
        let mut names: Vec<_> = places.places.iter().map(|place| &place.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), places.len());
        for place in places.municipalities() {
            assert_eq!(places.places[place].official_code.len(), 3);
            assert!(places.regions().contains(&places.parent(place)));
            assert!(places.places[place].id != format!("/{}/", places.places[place].official_code));
        }
    }

    #[test]
    fn hierarchies_hold_what_the_upstream_says() {
        let places = Areas::read().unwrap();
        for (id, nodes, lists_total) in
            [("_hele_landet", 1, true), ("_nykom", 100, true), ("_region", 7, false), ("_reko", 105, false)]
        {
            let hierarchy = places.hierarchy(id).unwrap().unwrap();
            assert_eq!((hierarchy.nodes.len(), hierarchy.lists_total), (nodes, lists_total), "{id}");
        }
        assert!(places.hierarchy("_rar").unwrap().is_none());
        let nested = places.hierarchy("_reko").unwrap().unwrap();
        let odense = nested.nodes.iter().find(|node| node.name == "Odense").unwrap();
        assert_eq!((odense.depth, nested.nodes[odense.parent].name.as_str()), (2, "Region Syddanmark"));
    }

    #[test]
    fn municipalities_make_up_most_of_the_country() {
        let places = Areas::read().unwrap();
        let shares = places.shares("y07a02", &BTreeMap::new());
        let sum: f64 = places.municipalities().map(|place| shares[place]).sum();
        assert!((0.95..1.0).contains(&sum), "{sum}");
    }
}
