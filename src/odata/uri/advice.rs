//! The advice at the end of a syntax error's sentence: what to write in place of constructs of other languages and of older
//! versions of OData. A fixed list, because their spelling is too different for suggestions by similarity.

/// Options of older versions of OData and of other services, and what stands for them here.
const OPTIONS: [(&str, &str); 15] = [
    ("explain", "explain=plan"),
    ("inlinecount", "$count=true"),
    ("where", "$filter=…"),
    ("query", "$filter=…"),
    ("sort", "$orderby=…"),
    ("sortby", "$orderby=…"),
    ("order", "$orderby=…"),
    ("limit", "$top=…"),
    ("take", "$top=…"),
    ("first", "$top=…"),
    ("offset", "$skip=…"),
    ("fields", "$select=…"),
    ("columns", "$select=…"),
    ("include", "$expand=…"),
    ("groupby", "$apply=groupby((…))"),
];

/// Operators of other languages, the longer ones first.
const OPERATORS: [(&str, &str); 17] = [
    ("<>", "ne"),
    ("!=", "ne"),
    (">=", "ge"),
    ("=>", "ge"),
    ("<=", "le"),
    ("=<", "le"),
    ("==", "eq"),
    ("=", "eq"),
    (">", "gt"),
    ("<", "lt"),
    ("&&", "and"),
    ("||", "or"),
    ("|", "or"),
    ("*", "mul"),
    ("-", "sub"),
    ("+", "add"),
    ("%", "mod"),
];

/// Words of other languages that stand where an operator or a direction should.
const WORDS: [(&str, &str); 8] = [
    ("descending", "desc"),
    ("ascending", "asc"),
    ("equals", "eq"),
    ("like", "contains(Kolonne,'tekst')"),
    ("between", "Kolonne ge … and Kolonne le …"),
    ("is null", "eq null"),
    ("is not null", "ne null"),
    ("not in", "not (Kolonne in (…))"),
];

/// Types that stood in front of literals in OData 2 and 3.
const OLD_PREFIXES: [&str; 4] = ["datetimeoffset", "datetime", "time", "guid"];

/// The option that does what one of that name does elsewhere.
pub(super) fn option(name: &str) -> Option<&'static str> {
    let bare = name.trim_start_matches('$').to_lowercase();
    OPTIONS.iter().find(|(option, _)| *option == bare).map(|(_, instead)| *instead)
}

/// What stands here for the operator or word of another language that was found.
pub(super) fn operator(found: &str) -> Option<&'static str> {
    let found = found.trim_start().to_lowercase();
    let is_word = |word: &str| {
        found.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
    };
    let sign = OPERATORS.iter().find(|(sign, _)| found.starts_with(sign));
    sign.or_else(|| WORDS.iter().find(|(word, _)| is_word(word))).map(|(_, instead)| *instead)
}

/// What stands here for the decimal comma of Danish, or the semicolon between terms.
pub(super) fn separator(found: &str) -> Option<&'static str> {
    let follows = |sign| found.strip_prefix(sign).and_then(|rest: &str| rest.chars().next());
    match (follows(','), follows(';')) {
        (Some(digit), _) if digit.is_ascii_digit() => Some("decimaltal med punktum, som 1.5"),
        (_, Some(_)) => Some("komma imellem"),
        _ => None,
    }
}

/// What stands here for an expression that begins as in another language: a text in double quotes, or a negation.
pub(super) fn expression(found: &str) -> Option<String> {
    let quoted = found.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    match quoted {
        Some((text, _)) => Some(format!("'{}'", text.replace('\'', "''"))),
        None => found.starts_with('!').then(|| "not (…)".to_owned()),
    }
}

/// `datetime'2026-08-11T00:00:00'` as `2026-08-11`: literals have no type in front and no quotes.
pub(super) fn bare_literal(text: &str) -> Option<String> {
    let (prefix, quoted) = text.split_once('\'')?;
    OLD_PREFIXES.iter().find(|old| prefix.eq_ignore_ascii_case(old))?;
    let value = quoted.trim_end_matches('\'');
    let (day, time) = value.split_once('T').unwrap_or((value, ""));
    let has_offset = time.ends_with('Z') || time.contains(['+', '-']);
    let is_midnight = time.trim_end_matches('Z').chars().all(|char| matches!(char, '0' | ':' | '.'));
    Some(match prefix.to_lowercase().starts_with("datetime") {
        true if is_midnight => day.to_owned(),
        true if !has_offset => format!("{value}Z"),
        _ => value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_languages_write_has_its_meaning_here() {
        for (found, meaning) in [
            ("='Randers'", Some("eq")),
            ("== 'Randers'", Some("eq")),
            (">= 5", Some("ge")),
            ("<> 5", Some("ne")),
            ("DESCENDING,Fra", Some("desc")),
            ("like 'A%'", Some("contains(Kolonne,'tekst')")),
            ("is not null", Some("ne null")),
            ("descendingly", None),
            ("'x'", None),
            ("", None),
        ] {
            assert_eq!(operator(found), meaning, "{found}");
        }
    }

    #[test]
    fn texts_negations_and_separators_of_elsewhere_are_known() {
        for (found, instead) in
            [("\"Randers\" and x", Some("'Randers'")), ("\"O'x\"", Some("'O''x'")), ("!(a", Some("not (…)"))]
        {
            assert_eq!(expression(found).as_deref(), instead, "{found}");
        }
        assert_eq!((expression("\"open"), expression("(")), (None, None));
        assert_eq!(separator(",5"), Some("decimaltal med punktum, som 1.5"));
        assert_eq!(separator(";Periode"), Some("komma imellem"));
        assert_eq!((separator(",a"), separator("x"), separator("")), (None, None, None));
    }

    #[test]
    fn old_literals_lose_their_type_and_quotes() {
        for (old, bare) in [
            ("datetime'2026-08-11T00:00:00'", Some("2026-08-11")),
            ("DateTime'2026-08-11'", Some("2026-08-11")),
            ("datetime'2026-08-11T12:30:00'", Some("2026-08-11T12:30:00Z")),
            ("datetimeoffset'2026-08-11T12:30:00+02:00'", Some("2026-08-11T12:30:00+02:00")),
            ("guid'00000000-0000-0000-0000-000000000000'", Some("00000000-0000-0000-0000-000000000000")),
            ("color'red'", None),
            ("x", None),
        ] {
            assert_eq!(bare_literal(old).as_deref(), bare, "{old}");
        }
    }
}
