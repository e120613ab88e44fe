//! Periods of the upstream: `2026M07`, `2026Q01`, `2025QMAT04`, `2025Y01`, `2026MYTD07`.
//!
//! Knows how they are written and follow each other; knows no table.

use std::fmt;
use std::str::FromStr;

/// A period type, exactly as the upstream writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PeriodType {
    M,
    Q,
    Qmat,
    Y,
    Mytd,
}

impl PeriodType {
    const ALL: [Self; 5] = [Self::M, Self::Q, Self::Qmat, Self::Y, Self::Mytd];

    pub fn id(self) -> &'static str {
        match self {
            Self::M => "M",
            Self::Q => "Q",
            Self::Qmat => "QMAT",
            Self::Y => "Y",
            Self::Mytd => "MYTD",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::M => "Måned",
            Self::Q => "Kvartal",
            Self::Qmat => "Rullende år",
            Self::Y => "År",
            Self::Mytd => "År til dato",
        }
    }

    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }

    /// How many periods of this type a year has.
    fn in_a_year(self) -> u32 {
        match self {
            Self::M | Self::Mytd => 12,
            Self::Q | Self::Qmat => 4,
            Self::Y => 1,
        }
    }
}

/// One period. The order within a type is the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period {
    pub kind: PeriodType,
    pub year: u32,
    pub number: u32,
}

impl Period {
    /// The next period of the same type whose number is one of `only` (all, when `only` is empty).
    pub fn next(self, only: &[u32]) -> Self {
        let mut next = self;
        loop {
            next.number += 1;
            if next.number > next.kind.in_a_year() {
                next.number = 1;
                next.year += 1;
            }
            if only.is_empty()
                || !only.iter().any(|n| *n <= next.kind.in_a_year())
                || only.contains(&next.number)
            {
                return next;
            }
        }
    }

    /// The month in which the period ends, counted from year 0.
    pub fn last_month(self) -> u32 {
        self.year * 12 + self.number * (12 / self.kind.in_a_year())
    }

    /// A number that tells this period from every other.
    pub fn code(self) -> u32 {
        (self.kind as u32) << 24 | self.year << 8 | self.number
    }

    /// The period that a number from [`Self::code`] stands for.
    pub fn from_code(code: u32) -> Option<Self> {
        let kind = PeriodType::ALL.into_iter().find(|kind| *kind as u32 == code >> 24)?;
        Some(Self { kind, year: code >> 8 & 0xffff, number: code & 0xff })
    }

    /// All periods from `first` to `last`, oldest first.
    pub fn range(first: Self, last: Self, only: &[u32]) -> Vec<Self> {
        std::iter::successors(Some(first), |period| Some(period.next(only)))
            .take_while(|period| *period <= last)
            .collect()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:02}", self.year, self.kind.id(), self.number)
    }
}

/// The text is no period.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is no period such as 2026M07, 2026Q01, 2025QMAT04, 2025Y01 or 2026MYTD07")]
pub struct PeriodError(String);

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || PeriodError(text.to_owned());
        let (year, rest) = text.split_at_checked(4).ok_or_else(error)?;
        let digits = rest.find(|c: char| c.is_ascii_digit()).ok_or_else(error)?;
        let (kind, number) = rest.split_at(digits);
        let period = Self {
            kind: PeriodType::from_id(kind).ok_or_else(error)?,
            year: year.parse().map_err(|_| error())?,
            number: number.parse().map_err(|_| error())?,
        };
        // Only the written form counts: 2026M7 is another text.
        if period.number == 0 || period.number > period.kind.in_a_year() || period.to_string() != text {
            return Err(error());
        }
        Ok(period)
    }
}

impl<'de> serde::Deserialize<'de> for Period {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(text: &str) -> Period {
        text.parse().unwrap()
    }

    #[test]
    fn periods_are_read_and_written_alike() {
        for text in ["2026M07", "2026Q01", "2025QMAT04", "2025Y01", "2026MYTD12"] {
            assert_eq!(period(text).to_string(), text);
            assert_eq!(Period::from_code(period(text).code()), Some(period(text)));
        }
    }

    #[test]
    fn other_texts_are_no_periods() {
        for text in
            ["", "2026", "2026M", "2026M7", "2026M13", "2026M00", "2026X01", "2026Y02", "æøåM01", "2026M007"]
        {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_may_have_gaps() {
        let texts: Vec<_> = Period::range(period("2025M09"), period("2026M06"), &[3, 6, 9, 12])
            .iter()
            .map(Period::to_string)
            .collect();
        assert_eq!(texts, ["2025M09", "2025M12", "2026M03", "2026M06"]);
    }
}
