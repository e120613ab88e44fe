//! Areas: which kind of area a name is (country, region, municipality), and its official code. The upstream gives names only, so
//! codes are looked up by name in `metadata/area_codes.csv`; a name that is not listed there (a new region, say) has no code.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::catalogue::label::{cleaned, comparable};

/// The dimension that every measurement has.
pub const AREA_DIMENSION: &str = "_omrade";

/// The name of the country among areas.
pub const COUNTRY_NAME: &str = "Hele landet";
/// The country's code among area codes.
pub const COUNTRY_CODE: &str = "000";

/// A place that has an official code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfficialPlace {
    pub kind: AreaKind,
    pub code: &'static str,
    pub name: &'static str,
    /// The code of the region that it lies in or is; `None` for the country.
    pub region: Option<&'static str>,
}

/// Every place with an official code: the country, the regions, the municipalities.
static LISTED: LazyLock<Vec<OfficialPlace>> = LazyLock::new(|| {
    let country =
        OfficialPlace { kind: AreaKind::Country, code: COUNTRY_CODE, name: COUNTRY_NAME, region: None };
    let listed = include_str!("../../metadata/area_codes.csv").lines().skip(1).filter_map(|line| {
        let mut cells = line.split(';');
        let (kind, code, name) = (cells.next()?, cells.next()?, cells.next()?);
        let kind = if kind == "region" { AreaKind::Region } else { AreaKind::Municipality };
        Some(OfficialPlace { kind, code, name, region: cells.next() })
    });
    std::iter::once(country).chain(listed).collect()
});

/// By kind and comparable name: the upstream's spelling of a name may differ in blanks and full stops.
static PLACES: LazyLock<HashMap<(AreaKind, String), OfficialPlace>> =
    LazyLock::new(|| LISTED.iter().map(|place| ((place.kind, comparable(place.name)), *place)).collect());

/// Every place with an official code, the country first.
#[must_use]
pub fn official_places() -> &'static [OfficialPlace] {
    &LISTED
}

impl OfficialPlace {
    /// The name of the region that it lies in or is.
    #[must_use]
    pub fn region_name(&self) -> Option<&'static str> {
        let region =
            LISTED.iter().find(|place| place.kind == AreaKind::Region && Some(place.code) == self.region);
        region.map(|region| region.name)
    }
}

/// What kind of place an area is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AreaKind {
    Country,
    Region,
    Municipality,
    /// One of the regional labour-market council areas.
    Rar,
    Unknown,
    Other,
}

impl AreaKind {
    /// The kind of the area with that name.
    #[must_use]
    pub fn of(name: &str, is_root: bool) -> Self {
        let name = cleaned(name);
        if is_root {
            Self::Country
        } else if name.starts_with("Uoplyst") {
            Self::Unknown
        } else if name.starts_with("Region ") {
            Self::Region
        } else if name.starts_with("RAR ") {
            Self::Rar
        } else if PLACES.contains_key(&(Self::Municipality, comparable(&name))) {
            Self::Municipality
        } else {
            Self::Other
        }
    }

    /// The level as clients see it; `None` where the upstream's own level name says more.
    #[must_use]
    pub fn label(self) -> Option<&'static str> {
        match self {
            Self::Country => Some("Land"),
            Self::Region => Some("Region"),
            Self::Municipality => Some("Kommune"),
            Self::Rar => Some("RAR"),
            Self::Unknown => Some("Uoplyst"),
            Self::Other => None,
        }
    }

    /// The official code of the place of that name, if it has one.
    #[must_use]
    pub fn code(self, name: &str) -> Option<&'static str> {
        match self {
            Self::Country => Some(COUNTRY_CODE),
            _ => self.official(name).map(|place| place.code),
        }
    }

    /// The name of that place as it is officially written, if it has a code.
    #[must_use]
    pub fn official_name(self, name: &str) -> Option<&'static str> {
        self.official(name).map(|place| place.name)
    }

    fn official(self, name: &str) -> Option<&'static OfficialPlace> {
        match self {
            Self::Region | Self::Municipality => PLACES.get(&(self, comparable(name))),
            Self::Country | Self::Rar | Self::Unknown | Self::Other => None,
        }
    }
}

/// Where an area hierarchy stands among others when they are united: the country first, then municipalities, regions, others, and
/// regions over municipalities last.
#[must_use]
pub fn hierarchy_rank(hierarchy_id: &str) -> u8 {
    match hierarchy_id {
        "_hele_landet" => 0,
        "_nykom" => 1,
        "_region" => 2,
        "_reko" => 4,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_codes_is_whole() {
        let of = |kind: AreaKind| PLACES.keys().filter(|(k, _)| *k == kind).count();
        assert_eq!((of(AreaKind::Region), of(AreaKind::Municipality)), (5, 98));
        let length = |kind: AreaKind| if kind == AreaKind::Region { 4 } else { 3 };
        assert!(LISTED.iter().all(|place| place.code.len() == length(place.kind)));
        assert!(
            LISTED.iter().all(|place| place.region_name().is_some() == (place.kind != AreaKind::Country))
        );
        let in_region = |region: &str| LISTED.iter().filter(|place| place.region == Some(region)).count() - 1;
        assert_eq!(["1084", "1085", "1083", "1082", "1081"].map(in_region), [29, 17, 22, 19, 11]);
    }

    #[test]
    fn names_become_kinds_and_codes() {
        let cases = [
            ("Hele landet", true, AreaKind::Country, Some("000")),
            ("Aarhus", false, AreaKind::Municipality, Some("751")),
            (" Aarhus. ", false, AreaKind::Municipality, Some("751")),
            ("Region  Sjælland", false, AreaKind::Region, Some("1085")),
            ("Region Sjælland", false, AreaKind::Region, Some("1085")),
            ("Region Østdanmark", false, AreaKind::Region, None),
            ("Uoplyst område", false, AreaKind::Unknown, None),
            ("Christiansø", false, AreaKind::Other, None),
        ];
        for (name, is_root, kind, code) in cases {
            assert_eq!(AreaKind::of(name, is_root), kind, "{name}");
            assert_eq!(kind.code(name), code, "{name}");
        }
    }
}
