//! Makes identifiers from the upstream's ids and Danish labels: pure functions. Whether a name is free or was assigned before is
//! decided in [`registry`](super::registry).
//!
//! A name is the words of the label joined by `_`. Latin letters (æ, ø, å, é … included) and the digits 0-9 are kept; everything
//! else separates words. A name begins with a letter: where the label does not, what it belongs to stands in front. Such names are
//! valid in OData, in URLs and in client tools, also in those that take no `_` at the beginning.

/// The longest identifier that OData allows.
pub const NAME_LIMIT: usize = 128;
/// The longest name of a dimension; names of sets and types add to it.
pub const DIMENSION_LIMIT: usize = 100;
/// The longest name of a set; that of its type adds to it.
pub const SET_LIMIT: usize = 120;
/// The longest name of a table's set in the catalogue service, so that it fits in a client's navigator.
pub const TABLE_SET_LIMIT: usize = 60;

/// What stands in front of a table's id that does not begin with a letter.
const TABLE: &str = "Måling";

/// What stands in front of a name that would not begin with a letter: the name of the group, where that does.
#[derive(Debug, Clone, Copy)]
pub struct Front<'a> {
    pub group: &'a str,
    pub otherwise: &'a str,
}

/// The preferred name of a measure or dimension, from its id where the label has no words.
#[must_use]
pub fn column_name(id: &str, label: &str, front: Front<'_>, limit: usize) -> String {
    let named = Some(words(label)).filter(|words| !words.is_empty()).unwrap_or_else(|| words(id));
    let group = words(front.group);
    let in_front = match () {
        () if begins_with_letter(&named) => Vec::new(),
        () if begins_with_letter(&group) => group,
        () => vec![front.otherwise.to_owned()],
    };
    shorten(&[in_front, named].concat().join("_"), limit)
}

/// The words of a level's label without those of its dimension's in front, where both begin alike.
#[must_use]
pub fn level_name(level: &str, dimension: &str) -> String {
    let (level, dimension) = (words(level), words(dimension));
    let is_repeated = level.len() > dimension.len() && level.starts_with(&dimension);
    level[if is_repeated { dimension.len() } else { 0 }..].join("_")
}

/// The name with the upstream's id appended, which makes it unique.
#[must_use]
pub fn with_id(name: &str, id: &str, limit: usize) -> String {
    // The longest ids leave room for the name, which begins with a letter.
    let id = shorten(&id_name(id), limit / 2);
    let room = limit.saturating_sub(id.chars().count() + 1);
    let stem = shorten(name, room);
    let parted = if id.starts_with('_') || stem.is_empty() { "" } else { "_" };
    shorten(&format!("{stem}{parted}{id}"), limit)
}

/// The name of a table's set in the catalogue service: id, subject and title. A prefix before a colon in the title
/// (`Ledighed: …`) is more specific than the menu's subject and replaces it; text in brackets in the subject is left out to make
/// room for the title.
#[must_use]
pub fn table_set_name(id: &str, subject: &str, title: &str) -> String {
    let mut parts = words(&id.to_uppercase());
    if !title.contains(':') {
        parts.extend(words(subject.split('(').next().unwrap_or_default()));
    }
    parts.extend(words(title));
    match parts.is_empty() {
        true => shorten(&table_name(id), TABLE_SET_LIMIT),
        false if begins_with_letter(&parts) => shorten(&parts.join("_"), TABLE_SET_LIMIT),
        false => shorten(&format!("{TABLE}_{}", parts.join("_")), TABLE_SET_LIMIT),
    }
}

/// A table's id as a name.
#[must_use]
pub fn table_name(id: &str) -> String {
    let name = id_name(id);
    if has_letter_first(&name) { name } else { format!("{TABLE}{name}") }
}

/// Whether a name begins with a letter, as names have to.
#[must_use]
pub fn has_letter_first(name: &str) -> bool {
    name.starts_with(is_letter)
}

/// Whether a text is a valid identifier.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    let starts_well = text.starts_with(|first| first == '_' || is_letter(first));
    starts_well && text.chars().count() <= NAME_LIMIT && text.chars().all(|c| c == '_' || is_word_part(c))
}

/// An id as an identifier: unchanged if it is one.
#[must_use]
pub fn id_name(id: &str) -> String {
    let name: String = id.chars().map(|c| if is_word_part(c) { c } else { '_' }).collect();
    if name.starts_with(|first| first == '_' || is_letter(first)) { name } else { format!("_{name}") }
}

/// `name` cut to at most `limit` characters, between words if possible.
#[must_use]
pub fn shorten(name: &str, limit: usize) -> String {
    let Some((end, next)) = name.char_indices().nth(limit) else { return name.to_owned() };
    let cut = &name[..end];
    let whole = match cut.rfind('_') {
        _ if next == '_' => cut,
        Some(at) if !cut[..at].trim_matches('_').is_empty() => &cut[..at],
        _ => cut,
    };
    whole.to_owned()
}

fn begins_with_letter(words: &[String]) -> bool {
    words.first().is_some_and(|word| has_letter_first(word))
}

fn words(text: &str) -> Vec<String> {
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    visible
        .split(|c| !is_word_part(c))
        .map(|word| word.trim_start_matches(is_mark).to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

fn is_word_part(c: char) -> bool {
    is_letter(c) || c.is_ascii_digit() || is_mark(c)
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || (('\u{c0}'..='\u{24f}').contains(&c) && !matches!(c, '×' | '÷'))
}

/// Combining accents, which follow their letter.
fn is_mark(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// Invisible characters such as soft hyphens, which may occur inside a word.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MEASURE: Front<'static> = Front { group: "", otherwise: "Mål" };

    #[test]
    fn a_label_that_begins_with_a_digit_has_its_group_in_front() {
        let named = |group, label| column_name("m1", label, Front { group, ..MEASURE }, NAME_LIMIT);
        assert_eq!(named("Afsluttede forløb", "2-4 uger"), "Afsluttede_forløb_2_4_uger");
        assert_eq!(named("2-4 uger", "2-4 uger"), "Mål_2_4_uger");
        assert_eq!(named("Varighed", "Over 52 uger"), "Over_52_uger");
        assert_eq!(column_name("24", "", MEASURE, NAME_LIMIT), "Mål_24");
        assert_eq!(column_name("", "", MEASURE, NAME_LIMIT), "Mål");
    }

    #[test]
    fn a_level_does_not_repeat_its_dimension() {
        assert_eq!(level_name("Alder, 5 års intervaller", "Alder"), "5_års_intervaller");
        assert_eq!(level_name("Alder", "Alder"), "Alder");
        assert_eq!(level_name("Aldersgrupper", "Alder"), "Aldersgrupper");
    }

    #[test]
    fn labels_become_names() {
        let cases = [
            ("Antal ledige personer", "Antal_ledige_personer"),
            ("Varslinger, antal personer", "Varslinger_antal_personer"),
            ("Antal i lønmodtagerbeskæftigelse / uddannelse", "Antal_i_lønmodtagerbeskæftigelse_uddannelse"),
            ("Stillingsbetegnelse (ESCOSTAR)", "Stillingsbetegnelse_ESCOSTAR"),
            (
                "Fuldtidspersoner i pct. af arbejdsstyrken 16-66 år",
                "Fuldtidspersoner_i_pct_af_arbejdsstyrken_16_66_år",
            ),
            ("Andel (%)", "Andel"),
            ("A-kasse", "A_kasse"),
            ("16-66 år", "Mål_16_66_år"),
            ("52 uger", "Mål_52_uger"),
            ("Status 3 mdr. efter nyledighed, pct.: Job", "Status_3_mdr_efter_nyledighed_pct_Job"),
            ("  Køn\t", "Køn"),
            ("__Køn__", "Køn"),
            ("Ydel\u{ad}ses\u{200b}grupper", "Ydelsesgrupper"),
            ("Glad 🙂 borger", "Glad_borger"),
            ("5 × 2 ÷ 3", "Mål_5_2_3"),
            ("Gennemsnit ½ år", "Gennemsnit_år"),
            ("Omra\u{30a}de", "Omra\u{30a}de"),
            ("\u{30a}Køn", "Køn"),
            ("Ét’s", "Ét_s"),
            ("", "kon"),
            ("🙂", "kon"),
            (" -/()%, ", "kon"),
            ("性别", "kon"),
        ];
        for (label, name) in cases {
            assert_eq!(column_name("_kon", label, MEASURE, NAME_LIMIT), name, "{label:?}");
        }
    }

    #[test]
    fn long_names_end_with_a_whole_word() {
        let label = "ord ".repeat(100);
        assert_eq!(column_name("x", &label, MEASURE, 15), "ord_ord_ord_ord");
        assert_eq!(column_name("x", &label, MEASURE, 14), "ord_ord_ord");
        assert_eq!(column_name("x", &"å".repeat(300), MEASURE, NAME_LIMIT), "å".repeat(128));
        assert_eq!(column_name("x", &"7".repeat(300), MEASURE, 10), "Mål");
        assert_eq!(with_id(&"ord_".repeat(5), "meas_1", 15), "ord_ord_meas_1");
    }

    #[test]
    fn an_id_behind_a_name_has_one_underscore_between() {
        assert_eq!(with_id("Status", "_status", NAME_LIMIT), "Status_status");
        assert_eq!(with_id("Antal", "measa02_1", NAME_LIMIT), "Antal_measa02_1");
        assert_eq!(with_id("Antal", "1-2", NAME_LIMIT), "Antal_1_2");
    }

    #[test]
    fn tables_are_named_by_id_subject_and_title() {
        let cases = [
            (
                "y25i01",
                "Ledigheds- og jobindikatorer",
                "Ledighed: Faktiske antal ledige og fuldtidsledige",
                "Y25I01_Ledighed_Faktiske_antal_ledige_og_fuldtidsledige",
            ),
            (
                "y01a02",
                "A-dagpenge",
                "Antal personer og fuldtidspersoner",
                "Y01A02_A_dagpenge_Antal_personer_og_fuldtidspersoner",
            ),
            (
                "ptvc01",
                "Offentligt forsørgede (alle ydelser under ét)",
                "Antal aktiverede og fuldtidsaktiverede",
                "PTVC01_Offentligt_forsørgede_Antal_aktiverede_og",
            ),
            (
                "y36a02",
                "Kontanthjælp",
                "Kontanthjælp (ordning før 1. juli 2025): antal personer og fuldtidspersoner",
                "Y36A02_Kontanthjælp_ordning_før_1_juli_2025_antal_personer",
            ),
            ("smt02", "", "Jobsamtaler", "SMT02_Jobsamtaler"),
            ("ptv_a02", "Ydelser", "", "PTV_A02_Ydelser"),
            ("24j", "", "", "Måling_24J"),
        ];
        for (id, subject, title, name) in cases {
            assert_eq!(table_set_name(id, subject, title), name);
            assert!(name.chars().count() <= TABLE_SET_LIMIT);
        }
    }

    proptest! {
        #[test]
        fn every_name_is_an_identifier_within_its_limit(id in ".{0,200}", label in ".{0,200}", limit in 20_usize..=NAME_LIMIT) {
            let name = column_name(&id, &label, MEASURE, limit);
            let with_own_id = with_id(&name, &id, limit);
            for name in [&name, &with_own_id, &table_set_name(&id, &label, &label)] {
                prop_assert!(is_identifier(name) && has_letter_first(name), "{name:?}");
            }
            prop_assert!(name.chars().count() <= limit && with_own_id.chars().count() <= limit, "{name:?}");
        }
    }
}
