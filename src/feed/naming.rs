//! Makes identifiers from the upstream's ids and Danish labels: pure functions. Whether a name is free or was assigned before is
//! decided in [`registry`](super::registry).
//!
//! A name is the words of the label joined by `_`. Latin letters (æ, ø, å, é … included) and the digits 0-9 are kept; everything
//! else separates words. Such names are valid in OData, in URLs and in client tools.

/// The longest identifier that OData allows.
pub const NAME_LIMIT: usize = 128;
/// The longest name of a dimension; names of sets and types add to it.
pub const DIMENSION_LIMIT: usize = 100;
/// The longest name of a table's set in the catalogue service, so that it fits in a client's navigator.
pub const TABLE_SET_LIMIT: usize = 60;

/// The preferred name of a measure or dimension; the id where the label has no words.
#[must_use]
pub fn column_name(id: &str, label: &str, limit: usize) -> String {
    let words = words(label);
    if words.is_empty() { shorten(&id_name(id), limit) } else { shorten(&join(&words), limit) }
}

/// The name with the upstream's id appended, which makes it unique.
#[must_use]
pub fn with_id(name: &str, id: &str, limit: usize) -> String {
    let id = id_name(id);
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
    if parts.is_empty() { id_name(id) } else { shorten(&join(&parts), TABLE_SET_LIMIT) }
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

fn join(words: &[String]) -> String {
    let name = words.join("_");
    if name.starts_with(is_letter) { name } else { format!("_{name}") }
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
            ("16-66 år", "_16_66_år"),
            ("52 uger", "_52_uger"),
            ("Status 3 mdr. efter nyledighed, pct.: Job", "Status_3_mdr_efter_nyledighed_pct_Job"),
            ("  Køn\t", "Køn"),
            ("__Køn__", "Køn"),
            ("Ydel\u{ad}ses\u{200b}grupper", "Ydelsesgrupper"),
            ("Glad 🙂 borger", "Glad_borger"),
            ("5 × 2 ÷ 3", "_5_2_3"),
            ("Gennemsnit ½ år", "Gennemsnit_år"),
            ("Omra\u{30a}de", "Omra\u{30a}de"),
            ("\u{30a}Køn", "Køn"),
            ("Ét’s", "Ét_s"),
            ("", "_kon"),
            ("🙂", "_kon"),
            (" -/()%, ", "_kon"),
            ("性别", "_kon"),
        ];
        for (label, name) in cases {
            assert_eq!(column_name("_kon", label, NAME_LIMIT), name, "{label:?}");
        }
    }

    #[test]
    fn long_names_end_with_a_whole_word() {
        let label = "ord ".repeat(100);
        assert_eq!(column_name("x", &label, 15), "ord_ord_ord_ord");
        assert_eq!(column_name("x", &label, 14), "ord_ord_ord");
        assert_eq!(column_name("x", &"å".repeat(300), NAME_LIMIT), "å".repeat(128));
        assert_eq!(column_name("x", &"7".repeat(300), 10), format!("_{}", "7".repeat(9)));
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
            ("24j", "", "", "_24J"),
        ];
        for (id, subject, title, name) in cases {
            assert_eq!(table_set_name(id, subject, title), name);
            assert!(name.chars().count() <= TABLE_SET_LIMIT);
        }
    }

    proptest! {
        #[test]
        fn every_name_is_an_identifier_within_its_limit(id in ".{0,200}", label in ".{0,200}", limit in 20_usize..=NAME_LIMIT) {
            let name = column_name(&id, &label, limit);
            let with_own_id = with_id(&name, &id, limit);
            for name in [&name, &with_own_id] {
                prop_assert!(is_identifier(name) && name.chars().count() <= limit, "{name:?}");
            }
            let set = table_set_name(&id, &label, &label);
            prop_assert!(is_identifier(&set), "{set:?}");
        }
    }
}
