//! Labels of the upstream, as they are shown and as they are compared. The upstream is known to write one label in several ways:
//! with two blanks inside, with a blank or a full stop at the end, with another dash.

/// Invisible characters, which are removed.
const INVISIBLE: [char; 3] = ['\u{feff}', '\u{200b}', '\u{ad}'];

/// A label as it is shown: no blanks at its ends, one between two words.
#[must_use]
pub fn cleaned(label: &str) -> String {
    let visible: String = label.chars().filter(|letter| !INVISIBLE.contains(letter)).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What labels are compared by: two labels that differ in case, blanks, kinds of dashes or full stops at the end are the same.
/// A colon ends a part of a heading (`group: measure`), so stops before it do not count either.
#[must_use]
pub fn comparable(label: &str) -> String {
    let cleaned: String = cleaned(label).to_lowercase().chars().map(plain_dash).collect();
    let parts: Vec<&str> = cleaned.split(':').map(|part| part.trim_end_matches(['.', ' '])).collect();
    let compared = parts.join(":");
    // A label that is nothing but full stops is compared as it is.
    if compared.is_empty() { cleaned } else { compared }
}

fn plain_dash(letter: char) -> char {
    if matches!(letter, '\u{2010}'..='\u{2015}' | '\u{2212}') { '-' } else { letter }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_upstream_writes_in_several_ways_is_compared_as_one() {
        let spellings = [
            "Antal personer mv",
            "Antal  personer mv.",
            " Antal personer mv. ",
            "ANTAL\u{a0}personer\tmv..",
            "\u{feff}Antal per\u{ad}soner mv .",
        ];
        for spelling in spellings {
            assert_eq!(comparable(spelling), "antal personer mv", "{spelling:?}");
        }
        assert_eq!(comparable("16–66 år"), comparable("16-66 år"));
        assert_eq!(comparable("Antal mv.: Personer."), comparable("Antal mv : personer"));
        assert_eq!((comparable("..."), comparable("")), ("...".to_owned(), String::new()));
    }

    #[test]
    fn different_labels_stay_different() {
        for (one, other) in [("Antal a", "Antal b"), ("1.2", "12"), ("a-b", "ab"), ("Pct", "Pct. point")] {
            assert_ne!(comparable(one), comparable(other));
        }
    }

    #[test]
    fn a_shown_label_keeps_its_letters_and_full_stops() {
        assert_eq!(cleaned(" Andre  serviceydelser\u{a0}mv. "), "Andre serviceydelser mv.");
    }
}
