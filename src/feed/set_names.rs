//! What the sets with figures of a table are called.

/// All areas, with every dimension at its total.
pub const OVERVIEW: &str = "Hovedtal";
pub const COUNTRY: &str = "Landet";
pub const REGIONS: &str = "Regioner";
pub const MUNICIPALITIES: &str = "Kommuner";
/// All figures; its columns are every dimension and measure.
pub const CUBE: &str = "Data";
/// The beginning of the names of sets that are broken down by a dimension.
pub const BROKEN_DOWN: &str = "Fordelt_på_";

/// The set that is broken down by the dimension with that column.
#[must_use]
pub fn broken_down_by(column: &str) -> String {
    format!("{BROKEN_DOWN}{column}")
}
