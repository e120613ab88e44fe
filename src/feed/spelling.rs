//! Second names: names that are accepted in addresses but never shown. They are names that were assigned before the rules for names
//! changed, names written in ASCII (`Omraade`, `Fordelt_paa_Koen`), and names with decomposed letters, as some systems write `å`.

use std::sync::Arc;

use crate::search::folded;

/// Names that were given before, and the present name of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormerNames(Arc<[(String, String)]>);

impl FormerNames {
    fn present(&self, written: &str) -> Option<&str> {
        self.0.iter().find(|(former, _)| ascii(former) == written).map(|(_, present)| present.as_str())
    }
}

impl FromIterator<(String, String)> for FormerNames {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(names: T) -> Self {
        Self(names.into_iter().collect())
    }
}

/// The position of the name that is written: of the name itself, else of the only one that it is a second name of.
pub(super) fn position<'a>(
    written: &str,
    names: impl Iterator<Item = &'a str> + Clone,
    former: &FormerNames,
) -> Option<usize> {
    let exact = names.clone().position(|name| name == written);
    exact.or_else(|| {
        let written = ascii(written);
        let wanted = former.present(&written).map_or_else(|| written.clone(), ascii);
        let mut found = names.enumerate().filter(|(_, name)| ascii(name) == wanted);
        let (first, second) = (found.next(), found.next());
        first.filter(|_| second.is_none()).map(|(position, _)| position)
    })
}

/// Whether a name begins with another, in any spelling.
pub(super) fn begins(name: &str, with: &str) -> bool {
    ascii(name).starts_with(&ascii(with))
}

/// The name in ASCII: `å` as `aa`, `ø` as `oe`, `æ` as `ae`, other letters without their accents. Upper case stays, because names
/// are told apart by it.
fn ascii(name: &str) -> String {
    let mut ascii = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        match letter {
            '\u{30a}' if ascii.ends_with(['a', 'A']) => ascii.push('a'),
            '\u{308}' if ascii.ends_with(['a', 'A', 'o', 'O']) => ascii.push('e'),
            _ if letter.is_ascii() => ascii.push(letter),
            _ => {
                let folded = folded(letter.encode_utf8(&mut [0; 4]));
                let mut letters = folded.chars();
                let first = letters.next();
                let is_upper = letter.is_uppercase();
                ascii.extend(first.map(|first| if is_upper { first.to_ascii_uppercase() } else { first }));
                ascii.push_str(letters.as_str());
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_all_its_spellings_and_by_no_other() {
        let names = ["Periode", "Område", "Køn", "Årsag", "Mål_2_4_uger", "Områdekode"];
        let former = FormerNames::from_iter([("_2_4_uger".to_owned(), "Mål_2_4_uger".to_owned())]);
        let found = |written: &str| position(written, names.iter().copied(), &former).map(|at| names[at]);
        for (written, name) in [
            ("Område", "Område"),
            ("Omra\u{30a}de", "Område"),
            ("Omraade", "Område"),
            ("Omraadekode", "Områdekode"),
            ("Koen", "Køn"),
            ("Aarsag", "Årsag"),
            ("A\u{30a}rsag", "Årsag"),
            ("_2_4_uger", "Mål_2_4_uger"),
            ("Maal_2_4_uger", "Mål_2_4_uger"),
        ] {
            assert_eq!(found(written), Some(name), "{written}");
        }
        for written in ["periode", "omraade", "Omrade", "Kon", "2_4_uger", ""] {
            assert_eq!(found(written), None, "{written}");
        }
        let doubled = ["Når", "Naar"];
        assert_eq!(position("Naar", doubled.iter().copied(), &former), Some(1));
        assert_eq!(position("Na\u{30a}r", doubled.iter().copied(), &former), None, "it could be either");
    }
}
