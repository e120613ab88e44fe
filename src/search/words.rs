//! Words as they are compared: in lower case, with letters that are written in two ways written in one.

/// Words that say nothing about which table is meant.
const FILLERS: [&str; 24] = [
    "i", "paa", "for", "og", "af", "til", "med", "fra", "om", "ved", "den", "det", "de", "en", "et", "som",
    "er", "hvor", "mange", "in", "of", "the", "and", "by",
];

/// Whether a folded word does not count beside others.
pub(super) fn is_filler(word: &str) -> bool {
    FILLERS.contains(&word)
}

/// A text in lower case with `æ` as `ae`, `ø` as `oe`, `å` as `aa`, and other letters without their accents. A decomposed `å`, as
/// some systems write it, is the same letter.
#[must_use]
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len() + 4);
    for letter in text.chars().flat_map(char::to_lowercase) {
        match letter {
            'æ' | 'ä' => folded.push_str("ae"),
            'ø' | 'ö' => folded.push_str("oe"),
            'å' => folded.push_str("aa"),
            '\u{30a}' if folded.ends_with('a') => folded.push('a'),
            '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200b}' | '\u{feff}' => {}
            'é' | 'è' | 'ê' | 'ë' => folded.push('e'),
            'á' | 'à' | 'â' => folded.push('a'),
            'ó' | 'ò' | 'ô' => folded.push('o'),
            'ú' | 'ù' | 'ü' => folded.push('u'),
            letter => folded.push(letter),
        }
    }
    folded
}

/// The folded words of a text, those with a hyphen or an underscore as one: `A-kasse` is `akasse`.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = String> + use<> {
    let is_part =
        |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '\u{2010}'..='\u{2015}');
    let words: Vec<String> = folded(text)
        .split(|letter| !is_part(letter))
        .map(|word| word.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect();
    words.into_iter()
}

/// The folded words of a text, parted at everything that is no letter or digit.
pub(super) fn split(text: &str) -> impl Iterator<Item = String> + use<> {
    let words: Vec<String> = folded(text)
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_word_are_one_word() {
        for (one, other) in [
            ("Kontanthjælp", "kontanthjaelp"),
            ("Område", "omraade"),
            ("Omra\u{30a}de", "OMRÅDE"),
            ("Helsingør", "helsingoer"),
            ("Allé", "alle"),
        ] {
            assert_eq!(folded(one), folded(other), "{one}");
        }
        assert_eq!(tokens("A-kasse (i alt)").collect::<Vec<_>>(), ["akasse", "i", "alt"]);
        assert_eq!(split("y25i13_esco").collect::<Vec<_>>(), ["y25i13", "esco"]);
    }
}
