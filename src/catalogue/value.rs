//! A published figure. One that is hidden or not yet published is null: never zero, and never computed from a total.

use rust_decimal::Decimal;

/// Decimals of stored figures; enough for a fraction between 0 and 1 in double precision without loss.
pub const FIGURE_SCALE: u32 = 18;
/// Digits of stored figures: as many as 128 bits hold.
pub const FIGURE_PRECISION: u8 = 38;

/// A figure, or `None` where the upstream sends `null`: hidden, not yet observable or not yet published. The upstream does not
/// say which of the three.
pub type Figure = Option<Decimal>;

/// The figure in units of 10⁻¹⁸, as it is stored; `None` if it has more digits than can be kept exactly.
#[must_use]
pub fn to_stored(figure: Decimal) -> Option<i128> {
    in_units(figure, FIGURE_SCALE)
}

/// The figure as a whole number with so many decimals; `None` if it has more of them, or more digits than 128 bits hold.
#[must_use]
pub fn in_units(figure: Decimal, scale: u32) -> Option<i128> {
    let figure = if figure.scale() > scale { figure.normalize() } else { figure };
    let shift = scale.checked_sub(figure.scale())?;
    figure.mantissa().checked_mul(10_i128.checked_pow(shift)?)
}

/// The figure behind a stored number.
#[must_use]
pub fn from_stored(stored: i128) -> Option<Decimal> {
    let (mut mantissa, mut scale) = (stored, FIGURE_SCALE);
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    Decimal::try_from_i128_with_scale(mantissa, scale).ok()
}

/// How complete the figures of one row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowStatus {
    Published,
    Partial,
    Missing,
}

impl RowStatus {
    /// The status of a row in which `missing` of `all` figures are not published.
    #[must_use]
    pub fn of(missing: usize, all: usize) -> Self {
        match missing {
            0 => Self::Published,
            n if n == all => Self::Missing,
            _ => Self::Partial,
        }
    }

    /// The code that clients see; complete rows have none.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::Published => None,
            Self::Partial => Some("delvis"),
            Self::Missing => Some("mangler"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stored_figures_come_back_exactly(mantissa in -1_000_000_000_000_000_i64..1_000_000_000_000_000, scale in 0_u32..=18) {
            let figure = Decimal::new(mantissa, scale);
            prop_assert_eq!(to_stored(figure).and_then(from_stored), Some(figure.normalize()));
        }
    }

    #[test]
    fn a_figure_with_too_many_decimals_is_not_rounded_in_silence() {
        assert_eq!(to_stored(Decimal::new(1, 19)), None);
        assert_eq!(to_stored(Decimal::new(10, 19)), Some(1));
    }
}
