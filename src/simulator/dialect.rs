//! Variants of the upstream: ways in which the real one may differ from what the simulator does by default.
//!
//! Knows the name of each variant and what it does to texts. `routes`, `render` and `request` apply it to answers.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::chance;

/// Lists of members that are longer are refused by [`Variant::LongListsRefused`].
pub const LONGEST_LIST: usize = 50;
/// Addresses of more characters are refused by [`Variant::LongAddressesRefused`].
pub const LONGEST_ADDRESS: usize = 1300;
/// The gateway gives up on answers of more cells, unless a dialect says otherwise.
const GATEWAY_CELLS: u64 = 4_000;

macro_rules! variants {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// One way in which the upstream may differ.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Variant {
            $($(#[$doc])* $variant,)+
        }

        impl Variant {
            /// Every variant.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name on the command line and in reports.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

variants! {
    /// Measure columns come in another order than the metadata lists them.
    MeasuresReordered = "measures-reordered",
    /// Measures of a group of several are headed by their own label alone.
    HeadingsWithoutGroup = "headings-without-group",
    /// Every measure's heading begins with its group's label.
    HeadingsWithGroup = "headings-with-group",
    /// `/table` writes labels with stray blanks and full stops.
    SloppyTable = "sloppy-table",
    /// `/data` writes headings and labels with stray blanks and full stops.
    SloppyData = "sloppy-data",
    /// The total is listed inside the first level of its hierarchy and comes along with it.
    TotalInLevel = "total-in-level",
    /// The total is listed on a level of its own and comes along with every other level.
    TotalOnOwnLevel = "total-on-own-level",
    /// The total is listed nowhere, comes along with every level, and bears a label that cannot be guessed.
    TotalUnlisted = "total-unlisted",
    /// A gateway answers large questions with 502 and a page.
    Gateway502 = "gateway-502",
    /// A gateway answers large questions with 504 and a page.
    Gateway504 = "gateway-504",
    /// A list of members that holds the root is refused.
    RootInListRefused = "root-in-list-refused",
    /// A long list of members is refused.
    LongListsRefused = "long-lists-refused",
    /// A long address is refused.
    LongAddressesRefused = "long-addresses-refused",
    /// A passed cell limit is 400.
    LimitIs400 = "limit-400",
    /// A passed cell limit is 413 with a page.
    LimitIs413 = "limit-413",
    /// The error for a passed cell limit is in Danish.
    LimitInDanish = "limit-in-danish",
    /// Labels count as cells.
    LabelsCount = "labels-count",
    /// JSON begins with a byte-order mark.
    ByteOrderMark = "byte-order-mark",
    /// A dimension's column is headed by its hierarchy's name.
    HeadedByHierarchy = "headed-by-hierarchy",
    /// A dimension's column is headed by something that the metadata does not have.
    HeadedOtherwise = "headed-otherwise",
    /// Dimension columns come in the order of the request.
    RequestOrder = "request-order",
    /// `/table` is a list of one table.
    TableInList = "table-in-list",
    /// `/table` gives periods in an object, as `/tables` does.
    PeriodsInObject = "periods-in-object",
    /// Errors are plain text.
    ErrorsInText = "errors-in-text",
    /// `/table` lists a newest period that `/data` does not have yet.
    PeriodAhead = "period-ahead",
    /// Percentages are sent as fractions.
    SharesAsFractions = "shares-as-fractions",
}

/// Variants of which an upstream can only have one.
const EXCLUSIVE: [&[Variant]; 5] = [
    &[Variant::HeadingsWithoutGroup, Variant::HeadingsWithGroup],
    &[Variant::TotalInLevel, Variant::TotalOnOwnLevel, Variant::TotalUnlisted],
    &[Variant::Gateway502, Variant::Gateway504],
    &[Variant::LimitIs400, Variant::LimitIs413],
    &[Variant::HeadedByHierarchy, Variant::HeadedOtherwise],
];

impl Variant {
    /// Whether no upstream has both.
    #[must_use]
    pub fn excludes(self, other: Self) -> bool {
        EXCLUSIVE.iter().any(|group| group.contains(&self) && group.contains(&other))
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is none of a variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no variant '{0}'; expected one of {known}", known = known())]
pub struct UnknownVariant(String);

fn known() -> String {
    Variant::ALL.iter().map(|variant| variant.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|variant| variant.name() == name.trim());
        found.copied().ok_or_else(|| UnknownVariant(name.to_owned()))
    }
}

/// How an upstream differs: any number of variants together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    variants: BTreeSet<Variant>,
    /// Answers of more cells are too much for the gateway.
    pub(super) gateway_cells: u64,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { variants: BTreeSet::new(), gateway_cells: GATEWAY_CELLS }
    }
}

impl<const N: usize> From<[Variant; N]> for Dialect {
    fn from(variants: [Variant; N]) -> Self {
        variants.into_iter().collect()
    }
}

impl FromIterator<Variant> for Dialect {
    fn from_iter<I: IntoIterator<Item = Variant>>(variants: I) -> Self {
        Self { variants: variants.into_iter().collect(), ..Self::default() }
    }
}

impl Dialect {
    /// Whether a variant is part of it.
    #[must_use]
    pub fn has(&self, variant: Variant) -> bool {
        self.variants.contains(&variant)
    }

    /// Whether a level brings the total along.
    pub(super) fn level_brings_total(&self) -> bool {
        [Variant::TotalInLevel, Variant::TotalOnOwnLevel, Variant::TotalUnlisted]
            .into_iter()
            .any(|variant| self.has(variant))
    }

    /// The same with a gateway that gives up on answers of more cells than these.
    #[must_use]
    pub fn with_gateway_at(mut self, cells: u64) -> Self {
        self.gateway_cells = cells;
        self
    }

    /// The status of a gateway that gives up on large answers.
    pub(super) fn gateway(&self) -> Option<u16> {
        let statuses = [(Variant::Gateway502, 502), (Variant::Gateway504, 504)];
        statuses.into_iter().find(|(variant, _)| self.has(*variant)).map(|(_, status)| status)
    }

    /// The label of a root in `/data`: one that is listed nowhere cannot be guessed either.
    pub(super) fn root_label(&self, dimension: &str, label: &str) -> String {
        if self.has(Variant::TotalUnlisted) { format!("Samlet {dimension}") } else { label.to_owned() }
    }

    /// A label as `/table` writes it; `salt` tells apart labels that are the same.
    pub(super) fn in_table(&self, label: &str, salt: usize) -> String {
        if self.has(Variant::SloppyTable) { sloppy(label, salt as u64) } else { label.to_owned() }
    }

    /// A heading or label as `/data` writes it.
    pub(super) fn in_data(&self, label: &str) -> String {
        if self.has(Variant::SloppyData) { sloppy(label, DATA_SALT) } else { label.to_owned() }
    }
}

/// Another one than `/table` uses, so that both differ where both are sloppy.
const DATA_SALT: u64 = 1_000_003;

/// A label as it should not be written: with a blank too many inside or at an end, or with a full stop.
fn sloppy(label: &str, salt: u64) -> String {
    match chance::mix(chance::seed(label), salt) % 4 {
        0 if label.contains(' ') => label.replacen(' ', "  ", 1),
        1 => format!("{label}."),
        2 => format!(" {label}"),
        _ => format!("{label} "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_has_a_name_of_its_own_that_reads_back() {
        let names: BTreeSet<_> = Variant::ALL.iter().map(|variant| variant.name()).collect();
        assert_eq!(names.len(), Variant::ALL.len());
        for variant in Variant::ALL {
            assert_eq!(variant.name().parse(), Ok(*variant));
        }
        let error = "sloppy".parse::<Variant>().unwrap_err().to_string();
        assert!(error.contains("'sloppy'") && error.contains("sloppy-table, sloppy-data"), "{error}");
    }

    #[test]
    fn labels_are_spoilt_in_every_way_and_differently_in_both_answers() {
        let both = Dialect::from([Variant::SloppyTable, Variant::SloppyData]);
        let labels: Vec<String> = (0..40).map(|number| format!("Antal personer {number}")).collect();
        let written = |ends: fn(&str) -> bool| labels.iter().any(|label| ends(&both.in_data(label)));
        assert!(written(|text| text.contains("  ")) && written(|text| text.ends_with('.')));
        assert!(written(|text| text.starts_with(' ')) && written(|text| text.ends_with(' ')));
        assert!(labels.iter().any(|label| both.in_data(label) != both.in_table(label, 3)));
        assert!(labels.iter().all(|label| Dialect::default().in_data(label) == *label));
    }
}
