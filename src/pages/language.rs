//! The two languages of the pages. A text stands where it is shown, in both: `l.text("Søg", "Search")`.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Europe::Copenhagen;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::catalogue::measure::Unit;
use crate::catalogue::period::{Period, PeriodKind, month_name};

/// A language that pages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    #[default]
    Danish,
    English,
}

impl Language {
    /// The language that an address names, else the one that the browser prefers, else Danish.
    #[must_use]
    pub fn choose(named: Option<&str>, accept_language: Option<&str>) -> Self {
        named.and_then(Self::of).or_else(|| preferred(accept_language?)).unwrap_or_default()
    }

    fn of(tag: &str) -> Option<Self> {
        match tag.trim().split('-').next()?.to_ascii_lowercase().as_str() {
            "da" => Some(Self::Danish),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    /// Its code in `lang` and in addresses.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.text("da", "en")
    }

    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Danish => Self::English,
            Self::English => Self::Danish,
        }
    }

    /// The text in this language.
    #[must_use]
    pub fn text<'a>(self, danish: &'a str, english: &'a str) -> &'a str {
        match self {
            Self::Danish => danish,
            Self::English => english,
        }
    }

    /// A figure with so many decimals.
    #[must_use]
    pub fn number(self, figure: Decimal, decimals: u8) -> String {
        let rounded = rounded(figure, decimals).abs();
        let text = format!("{rounded:.*}", usize::from(decimals));
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        let (thousand, point) = (self.text(".", ","), self.text(",", "."));
        let mut written = String::new();
        if figure.is_sign_negative() && !rounded.is_zero() {
            written.push('−');
        }
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index) % 3 == 0 {
                written += thousand;
            }
            written.push(digit);
        }
        if !part.is_empty() {
            written += point;
            written += part;
        }
        written
    }

    /// A day: 11. august 2026.
    #[must_use]
    pub fn day(self, day: NaiveDate) -> String {
        let (number, month, year) = (day.day(), self.month(day.month()), day.year());
        match self {
            Self::Danish => format!("{number}. {month} {year}"),
            Self::English => format!("{number} {month} {year}"),
        }
    }

    /// An instant in Danish time, to the minute.
    #[must_use]
    pub fn instant(self, instant: DateTime<Utc>) -> String {
        let local = instant.with_timezone(&Copenhagen);
        let clock = local.format(self.text("kl. %H.%M", "%H:%M"));
        format!("{} {clock}", self.day(local.date_naive()))
    }

    /// A period: juli 2026.
    #[must_use]
    pub fn period(self, period: &Period) -> String {
        let (Self::English, Some(first), Some(last)) = (self, period.first_day(), period.last_day()) else {
            return period.label();
        };
        let (year, quarter) = (last.year(), last.month().div_ceil(3));
        match period.kind {
            PeriodKind::Month => format!("{} {year}", self.month(first.month())),
            PeriodKind::Quarter => format!("Q{quarter} {year}"),
            PeriodKind::Year => year.to_string(),
            PeriodKind::RollingYear => format!("year to Q{quarter} {year}"),
            PeriodKind::YearToDate => format!("{year} until {}", self.month(last.month())),
            PeriodKind::Unknown => period.label(),
        }
    }

    /// A kind of period, as a choice.
    #[must_use]
    pub fn period_kind(self, kind: PeriodKind) -> &'static str {
        match kind {
            PeriodKind::Month => self.text("måneder", "months"),
            PeriodKind::Quarter => self.text("kvartaler", "quarters"),
            PeriodKind::Year => self.text("år", "years"),
            PeriodKind::RollingYear => self.text("rullende år", "rolling years"),
            PeriodKind::YearToDate => self.text("år til dato", "year to date"),
            PeriodKind::Unknown => self.text("perioder", "periods"),
        }
    }

    /// What figures count.
    #[must_use]
    pub fn unit(self, unit: Unit) -> &'static str {
        let english = match unit {
            Unit::Persons => "persons",
            Unit::FullTimePersons => "full-time persons",
            Unit::Percent => "%",
            Unit::PercentagePoints => "percentage points",
            Unit::Fraction => "share (0-1)",
            Unit::Spells => "spells",
            Unit::Weeks => "weeks",
            Unit::Hours => "hours",
            Unit::Kroner => "DKK",
            Unit::Count => "number",
        };
        self.text(unit.label(), english)
    }

    fn month(self, month: u32) -> &'static str {
        const ENGLISH: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let index = usize::try_from(month).ok().and_then(|month| month.checked_sub(1));
        let english = index.and_then(|index| ENGLISH.get(index)).copied().unwrap_or_default();
        self.text(month_name(month), english)
    }
}

/// A figure with so many decimals. A half is rounded away from zero, as people do.
pub(super) fn rounded(figure: Decimal, decimals: u8) -> Decimal {
    figure.round_dp_with_strategy(decimals.into(), RoundingStrategy::MidpointAwayFromZero)
}

/// The language that `Accept-Language` gives the most weight, the first of equal ones.
fn preferred(accept_language: &str) -> Option<Language> {
    let weighed = accept_language.split(',').filter_map(|part| {
        let mut parts = part.split(';');
        let language = Language::of(parts.next()?)?;
        let weight =
            parts.find_map(|part| part.trim().strip_prefix("q=")?.parse::<f64>().ok()).unwrap_or(1.0);
        (weight > 0.0).then_some((language, weight))
    });
    weighed.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(language, _)| language)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::id::PeriodTypeId;

    #[test]
    fn the_address_comes_before_the_browser() {
        for (named, accepted, expected) in [
            (None, None, Language::Danish),
            (Some("en"), Some("da"), Language::English),
            (Some("xx"), Some("en-GB,en;q=0.9"), Language::English),
            (None, Some("de,en;q=0.3,da;q=0.8"), Language::Danish),
            (None, Some("en;q=0,da;q=0.1"), Language::Danish),
            (None, Some("*;q=0.5,;;,q=x"), Language::Danish),
        ] {
            assert_eq!(Language::choose(named, accepted), expected, "{named:?} {accepted:?}");
        }
    }

    #[test]
    fn numbers_are_written_as_the_language_does() {
        let figure = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(Language::Danish.number(figure("1234567.891"), 1), "1.234.567,9");
        assert_eq!(Language::English.number(figure("1234567.891"), 0), "1,234,568");
        assert_eq!(Language::Danish.number(figure("-0.04"), 1), "0,0");
        assert_eq!(Language::Danish.number(figure("-12.5"), 1), "−12,5");
        assert_eq!(Language::Danish.number(figure("7"), 3), "7,000");
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        let figure = |text: &str| text.parse::<Decimal>().unwrap();
        for (exact, decimals, expected) in
            [("0.5", 0, "1"), ("2.5", 0, "3"), ("-2.5", 0, "−3"), ("4.25", 1, "4,3"), ("2.4999", 0, "2")]
        {
            assert_eq!(Language::Danish.number(figure(exact), decimals), expected, "{exact}");
        }
    }

    #[test]
    fn periods_and_days_have_both_languages() {
        let period = |kind: &str, id: &str| Period::new(&PeriodTypeId::from(kind), id);
        for (kind, id, danish, english) in [
            ("M", "2026M07", "juli 2026", "July 2026"),
            ("Q", "2026Q02", "2. kvartal 2026", "Q2 2026"),
            ("QMAT", "2025QMAT02", "året til og med 2. kvartal 2025", "year to Q2 2025"),
            ("MYTD", "2026MYTD07", "år til dato, juli 2026", "2026 until July"),
            ("W", "2026W05", "2026W05", "2026W05"),
        ] {
            let period = period(kind, id);
            assert_eq!(
                (Language::Danish.period(&period), Language::English.period(&period)),
                (danish.to_owned(), english.to_owned())
            );
        }
    }
}
