//! The functions of the OData language, with their numbers of arguments.

/// Name as the standard writes it, fewest and most arguments.
pub(super) type Signature = (&'static str, usize, usize);

const FUNCTIONS: [Signature; 34] = [
    ("concat", 2, 2),
    ("contains", 2, 2),
    ("endswith", 2, 2),
    ("indexof", 2, 2),
    ("length", 1, 1),
    ("matchesPattern", 2, 2),
    ("startswith", 2, 2),
    ("substring", 2, 3),
    ("tolower", 1, 1),
    ("toupper", 1, 1),
    ("trim", 1, 1),
    ("year", 1, 1),
    ("month", 1, 1),
    ("day", 1, 1),
    ("hour", 1, 1),
    ("minute", 1, 1),
    ("second", 1, 1),
    ("fractionalseconds", 1, 1),
    ("totalseconds", 1, 1),
    ("date", 1, 1),
    ("time", 1, 1),
    ("totaloffsetminutes", 1, 1),
    ("mindatetime", 0, 0),
    ("maxdatetime", 0, 0),
    ("now", 0, 0),
    ("round", 1, 1),
    ("floor", 1, 1),
    ("ceiling", 1, 1),
    ("geo.distance", 2, 2),
    ("geo.length", 1, 1),
    ("geo.intersects", 2, 2),
    ("hassubset", 2, 2),
    ("hassubsequence", 2, 2),
    ("isdefined", 1, 1),
];

/// The function of that name, in any letter case.
pub(super) fn find(name: &str) -> Option<Signature> {
    FUNCTIONS.into_iter().find(|(known, ..)| known.eq_ignore_ascii_case(name))
}
