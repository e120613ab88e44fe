//! Periods: what the upstream's ids mean on the calendar, and the codes that clients of Statistics Netherlands read.

use std::cmp::Reverse;

use chrono::{Days, Months, NaiveDate};

use crate::catalogue::id::{PeriodId, PeriodTypeId};

/// The most periods of one type: three hundred years of months.
const MOST_PERIODS: usize = 3_600;

/// The kind of period, which its id is written by. Ordered from the shortest to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeriodKind {
    /// `2026M07`
    Month,
    /// `2026Q01`
    Quarter,
    /// `2025Y01`
    Year,
    /// `2025QMAT04`: four quarters that end with this one.
    RollingYear,
    /// `2026MYTD07`: the year so far.
    YearToDate,
    /// An unknown pattern: the id is kept as text and has no dates.
    Unknown,
}

impl PeriodKind {
    /// The kind that a period type's id stands for.
    #[must_use]
    pub fn of(type_id: &str) -> Self {
        match type_id {
            "M" => Self::Month,
            "Q" => Self::Quarter,
            "Y" => Self::Year,
            "QMAT" => Self::RollingYear,
            "MYTD" => Self::YearToDate,
            _ => Self::Unknown,
        }
    }
}

/// One period of a measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    pub id: PeriodId,
    pub type_id: PeriodTypeId,
    pub kind: PeriodKind,
    year: i32,
    ordinal: u32,
}

impl Period {
    /// Reads an id of the given type. An id of an unknown pattern is kept as it is, with an unknown kind.
    #[must_use]
    pub fn new(type_id: &PeriodTypeId, id: &str) -> Self {
        let kind = PeriodKind::of(type_id.as_str());
        let (kind, year, ordinal) = match parts(id, type_id.as_str()) {
            Some((year, ordinal)) if first_day(kind, year, ordinal).is_some() => (kind, year, ordinal),
            _ => (PeriodKind::Unknown, 0, 0),
        };
        Self { id: PeriodId::from(id), type_id: type_id.clone(), kind, year, ordinal }
    }

    /// The first day, if the pattern is known.
    #[must_use]
    pub fn first_day(&self) -> Option<NaiveDate> {
        first_day(self.kind, self.year, self.ordinal)
    }

    /// The last day, if the pattern is known.
    #[must_use]
    pub fn last_day(&self) -> Option<NaiveDate> {
        self.day_after()?.checked_sub_days(Days::new(1))
    }

    /// The first day after the period, if the pattern is known.
    #[must_use]
    pub fn day_after(&self) -> Option<NaiveDate> {
        let months = match self.kind {
            PeriodKind::Month => 1,
            PeriodKind::Quarter => 3,
            PeriodKind::Year | PeriodKind::RollingYear => 12,
            PeriodKind::YearToDate => self.ordinal,
            PeriodKind::Unknown => return None,
        };
        self.first_day()?.checked_add_months(Months::new(months))
    }

    /// The period code of Statistics Netherlands (CBS), whose clients compute dates from it; an unknown pattern keeps its id.
    #[must_use]
    pub fn cbs_code(&self) -> String {
        let (year, ordinal) = (self.year, self.ordinal);
        match self.kind {
            PeriodKind::Month => format!("{year:04}MM{ordinal:02}"),
            PeriodKind::Quarter => format!("{year:04}KW{ordinal:02}"),
            PeriodKind::Year => format!("{year:04}JJ00"),
            PeriodKind::RollingYear => format!("{year:04}X0{ordinal:02}"),
            // CBS clients' date parser accepts no other letters than `X0` for a period that is not a year, quarter or month.
            PeriodKind::YearToDate => format!("{year:04}X01{ordinal:02}"),
            PeriodKind::Unknown => self.id.to_string(),
        }
    }

    /// The period's name in Danish; an unknown pattern keeps its id.
    #[must_use]
    pub fn label(&self) -> String {
        let (year, ordinal) = (self.year, self.ordinal);
        match self.kind {
            PeriodKind::Month => format!("{} {year}", month_name(ordinal)),
            PeriodKind::Quarter => format!("{ordinal}. kvartal {year}"),
            PeriodKind::Year => year.to_string(),
            PeriodKind::RollingYear => format!("året til og med {ordinal}. kvartal {year}"),
            PeriodKind::YearToDate => format!("år til dato, {} {year}", month_name(ordinal)),
            PeriodKind::Unknown => self.id.to_string(),
        }
    }

    /// The sort key that puts period types one after the other, from the shortest to the unknown, and the newest period of each
    /// first. A request has one period type, so sorted like this rows come in few requests.
    #[must_use]
    pub fn newest_first(&self) -> impl Ord + use<> {
        (self.kind, self.type_id.clone(), Reverse(self.last_day()), Reverse(self.id.clone()))
    }

    /// All periods of a type from one to another, oldest first. Only these two where the pattern of their ids is not known.
    #[must_use]
    pub fn between(type_id: &PeriodTypeId, first: &str, last: &str) -> Vec<Self> {
        let (first, last) = (Self::new(type_id, first), Self::new(type_id, last));
        let (Some(from), Some(to)) = (first.sequence(), last.sequence()) else {
            return if first.id == last.id { vec![first] } else { vec![first, last] };
        };
        let steps = match first.kind {
            PeriodKind::Month | PeriodKind::YearToDate => 12,
            PeriodKind::Quarter | PeriodKind::RollingYear => 4,
            PeriodKind::Year | PeriodKind::Unknown => 1,
        };
        let id = |number: i64| {
            format!("{:04}{type_id}{:02}", number.div_euclid(steps), number.rem_euclid(steps) + 1)
        };
        (from..=to).take(MOST_PERIODS).map(|number| Self::new(type_id, &id(number))).collect()
    }

    /// The year; `None` for an unknown pattern.
    #[must_use]
    pub fn year(&self) -> Option<i32> {
        (self.kind != PeriodKind::Unknown).then_some(self.year)
    }

    /// The quarter that the period is, lies in or ends with; `None` for years and an unknown pattern.
    #[must_use]
    pub fn quarter(&self) -> Option<i32> {
        let quarter = match self.kind {
            PeriodKind::Month | PeriodKind::YearToDate => self.ordinal.div_ceil(3),
            PeriodKind::Quarter | PeriodKind::RollingYear => self.ordinal,
            PeriodKind::Year | PeriodKind::Unknown => return None,
        };
        i32::try_from(quarter).ok()
    }

    /// The month that the period is or ends with; `None` for other periods.
    #[must_use]
    pub fn month(&self) -> Option<i32> {
        match self.kind {
            PeriodKind::Month | PeriodKind::YearToDate => i32::try_from(self.ordinal).ok(),
            PeriodKind::Quarter | PeriodKind::RollingYear | PeriodKind::Year | PeriodKind::Unknown => None,
        }
    }

    /// A number that grows by one from each period to the next of its kind; `None` for an unknown pattern.
    #[must_use]
    pub fn sequence(&self) -> Option<i64> {
        let year = i64::from(self.year);
        let ordinal = i64::from(self.ordinal) - 1;
        match self.kind {
            PeriodKind::Month | PeriodKind::YearToDate => Some(year * 12 + ordinal),
            PeriodKind::Quarter | PeriodKind::RollingYear => Some(year * 4 + ordinal),
            PeriodKind::Year => Some(year),
            PeriodKind::Unknown => None,
        }
    }

    /// The sequence number of the same period a year before.
    #[must_use]
    pub fn sequence_a_year_before(&self) -> Option<i64> {
        let step = match self.kind {
            PeriodKind::Month | PeriodKind::YearToDate => 12,
            PeriodKind::Quarter | PeriodKind::RollingYear => 4,
            PeriodKind::Year | PeriodKind::Unknown => 1,
        };
        Some(self.sequence()? - step)
    }
}

/// The Danish name of a month; empty where there is none of that number.
#[must_use]
pub fn month_name(month: u32) -> &'static str {
    const NAMES: [&str; 12] = [
        "januar",
        "februar",
        "marts",
        "april",
        "maj",
        "juni",
        "juli",
        "august",
        "september",
        "oktober",
        "november",
        "december",
    ];
    let index = usize::try_from(month).ok().and_then(|month| month.checked_sub(1));
    index.and_then(|index| NAMES.get(index)).copied().unwrap_or_default()
}

fn parts(id: &str, type_id: &str) -> Option<(i32, u32)> {
    let (year, rest) = id.split_at_checked(4)?;
    let ordinal = rest.strip_prefix(type_id)?;
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(year) || !all_digits(ordinal) || ordinal.len() > 2 {
        return None;
    }
    Some((year.parse().ok()?, ordinal.parse().ok()?))
}

fn first_day(kind: PeriodKind, year: i32, ordinal: u32) -> Option<NaiveDate> {
    let quarter = |number: u32| (1..=4).contains(&number).then(|| (number - 1) * 3 + 1);
    match kind {
        PeriodKind::Month => NaiveDate::from_ymd_opt(year, ordinal, 1),
        PeriodKind::Quarter => NaiveDate::from_ymd_opt(year, quarter(ordinal)?, 1),
        PeriodKind::Year => NaiveDate::from_ymd_opt(year, 1, 1),
        PeriodKind::RollingYear => {
            NaiveDate::from_ymd_opt(year, quarter(ordinal)?, 1)?.checked_sub_months(Months::new(9))
        }
        PeriodKind::YearToDate => {
            (1..=12).contains(&ordinal).then_some(())?;
            NaiveDate::from_ymd_opt(year, 1, 1)
        }
        PeriodKind::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(type_id: &str, id: &str) -> Period {
        Period::new(&PeriodTypeId::from(type_id), id)
    }

    #[test]
    fn every_known_pattern_has_its_days_its_code_and_its_label() {
        let cases = [
            ("M", "2026M02", "2026-02-01", "2026-02-28", "2026MM02", "februar 2026"),
            ("Q", "2026Q01", "2026-01-01", "2026-03-31", "2026KW01", "1. kvartal 2026"),
            ("QMAT", "2025QMAT04", "2025-01-01", "2025-12-31", "2025X004", "året til og med 4. kvartal 2025"),
            ("QMAT", "2025QMAT02", "2024-07-01", "2025-06-30", "2025X002", "året til og med 2. kvartal 2025"),
            ("Y", "2025Y01", "2025-01-01", "2025-12-31", "2025JJ00", "2025"),
            ("MYTD", "2026MYTD07", "2026-01-01", "2026-07-31", "2026X0107", "år til dato, juli 2026"),
        ];
        for (type_id, id, first, last, code, label) in cases {
            let period = period(type_id, id);
            assert_eq!(period.first_day().map(|day| day.to_string()).as_deref(), Some(first), "{id}");
            assert_eq!(period.last_day().map(|day| day.to_string()).as_deref(), Some(last), "{id}");
            assert_eq!((period.cbs_code().as_str(), period.label().as_str()), (code, label));
        }
    }

    #[test]
    fn what_fits_no_pattern_stays_text() {
        for (type_id, id) in [
            ("M", "2026M13"),
            ("M", "26M01"),
            ("W", "2026W05"),
            ("M", "2026M"),
            ("Q", "2026Q05"),
            ("M", "æøå"),
            ("M", "2026M+1"),
        ] {
            let period = period(type_id, id);
            assert_eq!(
                (period.kind, period.first_day(), period.last_day()),
                (PeriodKind::Unknown, None, None),
                "{id}"
            );
            assert_eq!((period.cbs_code().as_str(), period.label().as_str()), (id, id));
        }
    }

    #[test]
    fn the_newest_of_each_type_comes_first_and_the_unknown_last() {
        let mut periods = [
            period("W", "x"),
            period("M", "2025M12"),
            period("M", "2026M01"),
            period("Y", "2025Y01"),
            period("Q", "2025Q04"),
        ];
        periods.sort_by_key(Period::newest_first);
        assert_eq!(
            periods.map(|period| period.id.to_string()),
            ["2026M01", "2025M12", "2025Q04", "2025Y01", "x"]
        );
    }
}
