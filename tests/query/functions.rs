//! Operators and functions over constants, each compared with the value from the OData standard.

use super::fixture::{filter, truth};
use jobindsats_bridge::error::DescribeError;
use jobindsats_bridge::query::error::QueryErrorKind;

/// Each expression and a literal that it equals.
fn assert_equal(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        let (equal, unequal) =
            (format!("({expression}) eq {expected}"), format!("({expression}) ne {expected}"));
        assert_eq!(truth(&equal), Some(true), "{equal}");
        assert_eq!(truth(&unequal), Some(false), "{unequal}");
    }
}

#[test]
fn numbers_are_exact_and_grow_instead_of_wrapping() {
    assert_equal(&[
        ("1 add 2", "3"),
        ("0.1 add 0.2", "0.3"),
        ("5 sub 7", "-2"),
        ("-(5)", "-5"),
        ("- 5 add 3", "-2"),
        ("3 mul 1.5", "4.5"),
        ("7 div 2", "3"),
        ("-7 div 2", "-3"),
        ("7.0 div 2", "3.5"),
        ("7 divby 2", "3.5"),
        ("-7 mod 2", "-1"),
        ("7.5 mod 2", "1.5"),
        ("2 add 3 mul 4", "14"),
        ("9223372036854775807 add 1", "9223372036854775808"),
        ("-9223372036854775808 div -1", "9223372036854775808"),
        ("-9223372036854775808 mod -1", "0"),
        ("9223372036854775807 mul 9223372036854775807", "85070591730234615847396907784232501249"),
        ("1 add INF", "INF"),
        ("INF div 0", "INF"),
        ("1 add null", "null"),
        ("null div 0", "null"),
    ]);
}

#[test]
fn halves_round_away_from_zero() {
    assert_equal(&[
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(2.4999)", "2"),
        ("round(1e3)", "1000"),
        ("floor(-2.1)", "-3"),
        ("ceiling(-2.9)", "-2"),
        ("floor(7)", "7"),
        ("round(null)", "null"),
    ]);
}

#[test]
fn texts_are_counted_in_characters_and_danish_letters_have_both_cases() {
    assert_equal(&[
        ("length('Ærø 🚲')", "5"),
        ("tolower('ÆRØ Å')", "'ærø å'"),
        ("toupper('ærø å')", "'ÆRØ Å'"),
        ("trim('  x ')", "'x'"),
        ("concat('Æ','rø')", "'Ærø'"),
        ("indexof('Ærø','ø')", "2"),
        ("indexof('Ærø','x')", "-1"),
        ("indexof('Ærø','')", "0"),
        ("substring('Ærøskøbing',3)", "'skøbing'"),
        ("substring('Ærøskøbing',0,3)", "'Ærø'"),
        ("substring('Ærø',-2)", "'rø'"),
        ("substring('Ærø',-2,1)", "'r'"),
        ("substring('Ærø',-9)", "'Ærø'"),
        ("substring('Ærø',9)", "''"),
        ("substring('Ærø',1,-1)", "''"),
        ("contains('Hele landet','land')", "true"),
        ("contains('Hele landet','Land')", "false"),
        ("startswith('Ærø','Æ')", "true"),
        ("endswith('Ærø','ø')", "true"),
        ("STARTSWITH('Ærø','')", "true"),
        ("contains(null,'x')", "null"),
        ("matchesPattern('2026M07','^[0-9]{4}M(0[1-9]|1[0-2])$')", "true"),
        ("matchesPattern('2026M13','^[0-9]{4}M(0[1-9]|1[0-2])$')", "false"),
        ("matchesPattern(null,'x')", "null"),
        ("matchesPattern('x',null)", "null"),
    ]);
}

#[test]
fn patterns_are_those_of_ecmascript() {
    assert_equal(&[
        (r"matchesPattern('Kø','^\w+$')", "false"),
        (r"matchesPattern('K_1','^\w+$')", "true"),
        (r"matchesPattern('ø','^\W$')", "true"),
        (r"matchesPattern('٣','\d')", "false"),
        (r"matchesPattern('٣','^\D$')", "true"),
        (r"matchesPattern('3','^[\d.]$')", "true"),
        (r"matchesPattern('kø','k\b')", "true"),
        (r"matchesPattern('kø','k\B')", "false"),
        (r"matchesPattern('x[y','^[a-z[]+$')", "true"),
        (r"matchesPattern('a&b','^[a-b&&]+$')", "true"),
        (r"matchesPattern('b','^[^\w]$')", "false"),
        (r"matchesPattern('a/b','^a\/b$')", "true"),
        (r"matchesPattern('ø','^.$')", "true"),
    ]);
}

#[test]
fn dates_and_times_come_apart_and_together() {
    assert_equal(&[
        ("year(2026-06-30)", "2026"),
        ("month('2026-06-30')", "6"),
        ("day(2026-06-30T23:30:00-02:00)", "30"),
        ("hour(2026-06-30T23:30:00-02:00)", "23"),
        ("minute(12:34:56.5)", "34"),
        ("second(12:34:56.5)", "56"),
        ("fractionalseconds(12:34:56.5)", "0.5"),
        ("totaloffsetminutes(2026-06-30T23:30:00-02:00)", "-120"),
        ("totalseconds(duration'PT1M0.5S')", "60.5"),
        ("totalseconds(duration'-PT0.5S')", "-0.5"),
        ("date(2026-06-30T23:30:00Z)", "2026-06-30"),
        ("time(2026-06-30T23:30:00Z)", "23:30:00"),
        ("now()", "2026-07-15T09:30:00Z"),
        ("hour(now())", "11"),
        ("totaloffsetminutes(now())", "120"),
        ("totaloffsetminutes(now() add duration'P150D')", "60"),
        ("hour(2026-07-15T09:30:00Z add duration'P150D')", "9"),
        ("mindatetime()", "0001-01-01T00:00:00Z"),
        ("year(maxdatetime())", "9999"),
        ("2026-06-30 add duration'P1D'", "2026-07-01"),
        ("2026-07-01 sub 2026-06-30", "duration'P1D'"),
        ("2026-07-01T00:00:00Z sub duration'PT1S'", "2026-06-30T23:59:59Z"),
        ("duration'P1D' add duration'PT1H'", "duration'PT25H'"),
        ("-duration'P1D'", "duration'-P1D'"),
    ]);
}

#[test]
fn values_are_cast_or_become_null() {
    assert_equal(&[
        ("cast('12',Edm.Int32)", "12"),
        ("cast(12.9,Edm.Int32)", "12"),
        ("cast(300,Edm.Byte)", "null"),
        ("cast('x',Edm.Decimal)", "null"),
        ("cast(1.50,Edm.String)", "'1.5'"),
        ("cast(2026-06-30,Edm.String)", "'2026-06-30'"),
        ("cast(2026-06-30T12:00:00Z,Edm.Date)", "2026-06-30"),
        ("cast(2026-06-30,Edm.DateTimeOffset)", "2026-06-30T00:00:00+02:00"),
        ("cast(1890-06-30,Edm.DateTimeOffset)", "1890-06-30T00:00:00Z"),
        ("cast('2026-01-30T12:00:00',Edm.DateTimeOffset)", "2026-01-30T12:00:00+01:00"),
        ("cast(true,Edm.Date)", "null"),
        ("cast(null,Edm.Date)", "null"),
    ]);
}

#[test]
fn values_of_different_types_meet_where_the_standard_lets_them() {
    for condition in [
        "1 eq 1.0",
        "1 lt 1.5",
        "1.5 lt 2e0",
        "1 lt INF",
        "4L eq 4",
        "1.5m eq 1.5",
        "'12' eq 12",
        "12 lt '13.5'",
        "2026-06-30 eq '2026-06-30'",
        "2026-06-30 eq 2026-06-30T00:00:00Z",
        "2026-06-30 lt 2026-06-30T00:00:01Z",
        "2026-06-30 eq 2026-06-30T00:00:00+02:00",
        "cast(2026-06-30,Edm.DateTimeOffset) eq 2026-06-29T22:00:00Z",
        "2026-06-30T01:00:00+01:00 eq 2026-06-30T00:00:00Z",
        "'true' eq true",
        "'a' lt 'b'",
        "'Z' lt 'a'",
        "true gt false",
        "NaN ne NaN",
        "1 in (3,2,1)",
        "1 in (1)",
        "null in ('a',null)",
        "not ('x' in ('a',null))",
        "2 in (1 add 1,5)",
    ] {
        assert_eq!(truth(condition), Some(true), "{condition}");
    }
    assert_eq!(truth("NaN eq NaN"), Some(false));
}

#[test]
fn what_has_no_value_fails_the_request_with_its_place() {
    for (condition, position) in
        [("1 eq (1 div 0)", 6), ("1 divby 0 eq 1", 0), ("1.5 mod 0 eq 1", 0), ("1e0 div 0 eq 1", 0)]
    {
        let error = filter(condition).unwrap_err();
        assert!(matches!(error.kind, QueryErrorKind::Evaluation(_)), "{condition}: {error}");
        assert_eq!((error.describe().status, error.position), (400, Some(position)), "{condition}");
    }
    assert!(filter("maxdatetime() add duration'P999999999D' gt now()").is_err());
}
