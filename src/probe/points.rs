//! The list of points in which the upstream may differ from its description, and what a probe found for each.

/// A point: its name in reports, what is expected, and what the bridge does if the upstream differs.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    pub name: &'static str,
    pub expected: &'static str,
    pub handling: &'static str,
}

/// What a probe found for a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream does it, with what was seen.
    Seen(String),
    NotSeen(String),
    /// It was not tried, and why.
    NotTried(String),
}

macro_rules! points {
    ($($name:literal: $expected:literal; $handling:literal,)+) => {
        /// Every point, in the order of the report.
        pub const POINTS: &[Point] = &[$(Point { name: $name, expected: $expected, handling: $handling },)+];
    };
}

points! {
    "measures-reordered": "measure columns in the order of the metadata"; "finds each column by its heading",
    "headings-without-group": "`group: measure` where a group has several"; "accepts the measure's label alone",
    "headings-with-group": "a single measure's own label"; "accepts the group's label in front",
    "sloppy-table": "labels without stray blanks in /table"; "compares labels without regard to blanks and full stops",
    "sloppy-data": "labels without stray blanks in /data"; "compares labels without regard to blanks and full stops",
    "total-in-level": "the total not among the members of a level"; "drops the total where it was not asked for",
    "total-on-own-level": "a level without the total of another level"; "drops the total where it was not asked for",
    "total-unlisted": "a level without a total that no level lists"; "learns the total's label from an answer to the total alone",
    "gateway-502": "an answer to some ten thousand cells"; "asks for less where a question for one row is answered",
    "gateway-504": "an answer to some ten thousand cells"; "asks for less where a question for one row is answered",
    "root-in-list-refused": "no precedent for the root in a list"; "asks for the root by itself",
    "long-lists-refused": "no precedent for lists of a hundred members"; "asks for lists of at most fifty",
    "long-addresses-refused": "no precedent for addresses above 1,300 characters"; "keeps addresses below",
    "limit-400": "422 above the cell limit"; "takes 400, 413 and 422 for it",
    "limit-413": "422 above the cell limit"; "takes 400, 413 and 422 for it",
    "limit-in-danish": "an English text above the cell limit"; "knows the words of both languages",
    "labels-count": "only measures count as cells"; "counts all columns, to be safe",
    "byte-order-mark": "JSON without a byte-order mark"; "skips it",
    "headed-by-hierarchy": "a dimension's column headed by the dimension's name"; "accepts the hierarchy's name",
    "headed-otherwise": "a dimension's column headed by the dimension's name"; "tells the column by its labels",
    "request-order": "dimension columns in the order of the metadata"; "finds each column by its heading",
    "table-in-list": "/table gives one object"; "takes it out of the list",
    "periods-in-object": "/table gives a list of periods"; "reads both",
    "errors-in-text": "errors as JSON with a cause"; "reads plain text as the cause",
    "period-ahead": "/data has every period that /table lists"; "answers 502 for that table until it has",
    "shares-as-fractions": "percentages from 0 to 100"; "marks indicators as down whose figures contradict their unit",
    "numeric-subject-ids": "ids of subjects as text"; "reads both",
    "update-frequency": "one letter: M, Q or Y"; "reads either case and words",
    "year-to-date": "periods such as 2026MYTD07"; "keeps unknown patterns as text",
    "area-left-out": "the whole country"; "always names an area",
    "measure-list": "a list of measures of one group is understood"; "asks for one measure or for all",
    "group-star": "`mgroup.<id>=*` is understood"; "asks for one measure or for all",
    "old-latest": "`l(m:12)` at most an alias"; "sends latest:N",
    "upper-case-table": "upper-case table ids perhaps"; "sends lower case",
    "csv-decimal-comma": "a comma"; "reads JSON only",
    "unauthorized-in-json": "JSON for 401"; "reads JSON, text and nothing",
    "not-found-in-json": "JSON for 404"; "reads JSON, text and nothing",
    "compression": "unknown"; "offers gzip",
    "validators": "no ETag, no Last-Modified"; "relies on update_latest",
    "closed-hour": "503 or no connection from 22 to 23"; "asks nothing then",
    "rate-limit": "429 with Retry-After, if at all"; "waits as long as it is told",
    "silent-updates": "update_latest moves with every update"; "reads /table again where an answer does not fit",
    "token-lifetime": "unknown"; "reads a mended key file without a restart",
    "language-options": "none"; "sends none",
    "period-range": "not offered"; "sends lists",
}
