//! How alike a sought word and a word of the vocabulary are. Both are folded.

use strsim::osa_distance;

/// Shorter parts of words are found anywhere by chance.
const INNER_LETTERS: usize = 3;
/// Words may be written with one wrong letter from this length on, and with two from the second.
const ONE_ERROR: usize = 4;
const TWO_ERRORS: usize = 8;
/// Endings that a Danish word may have behind one of the vocabulary.
const ENDINGS: [&str; 10] = ["e", "en", "er", "et", "ene", "erne", "ne", "s", "ens", "ets"];

/// How a word was found, from the best to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    Same,
    Beginning,
    Part,
    Nearly,
}

impl Likeness {
    pub fn factor(self) -> u32 {
        match self {
            Self::Same => 10,
            Self::Beginning => 8,
            Self::Part => 5,
            Self::Nearly => 3,
        }
    }
}

/// A word that is looked for.
pub(super) struct Sought<'a> {
    word: &'a str,
    length: usize,
    letters: u64,
}

impl<'a> Sought<'a> {
    pub fn new(word: &'a str) -> Self {
        Self { word, length: word.chars().count(), letters: letters(word) }
    }

    /// Whether the sought word is the other, its beginning, or a part of it, as `dagpenge` is of `sygedagpenge`.
    pub fn within(&self, other: &str) -> Option<Likeness> {
        match other.find(self.word)? {
            0 if other.len() == self.word.len() => Some(Likeness::Same),
            0 => Some(Likeness::Beginning),
            _ => (self.length >= INNER_LETTERS).then_some(Likeness::Part),
        }
    }

    /// Whether the other is the sought word without its ending or with a typing error. `letters` are those of the other.
    pub fn nearly(&self, other: &str, letters: u64) -> Option<Likeness> {
        let errors = match self.length {
            TWO_ERRORS.. => 2,
            ONE_ERROR.. => 1,
            _ => 0,
        };
        let ending = self.word.strip_prefix(other).filter(|_| other.len() >= ONE_ERROR);
        // An error brings at most one letter into a word that the other has not; so most words need not be compared.
        let strange = (self.letters & !letters).count_ones() as usize;
        let is_found = ending.is_some_and(|ending| ENDINGS.contains(&ending))
            || errors > 0 && strange <= errors && self.is_mistyped(other, errors);
        is_found.then_some(Likeness::Nearly)
    }

    /// Whether at most so many letters are wrong, missing or swapped in the whole word, or in its beginning while it is typed.
    fn is_mistyped(&self, other: &str, errors: usize) -> bool {
        let length = other.chars().count();
        if length + errors < self.length {
            return false;
        }
        if length <= self.length + errors && osa_distance(self.word, other) <= errors {
            return true;
        }
        // A letter too few or too many in what is typed makes the beginning longer or shorter than it.
        let is_begun = |letters: usize| {
            let begun: String = other.chars().take(letters).collect();
            osa_distance(self.word, &begun) <= 1
        };
        length > self.length && (self.length - 1..=self.length + 1).any(is_begun)
    }
}

/// The letters of a word as a set of bits: words with few letters in common need not be compared.
pub(super) fn letters(word: &str) -> u64 {
    word.bytes().fold(0, |letters, letter| letters | 1 << (letter % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(word: &str, other: &str) -> Option<Likeness> {
        let sought = Sought::new(word);
        sought.within(other).or_else(|| sought.nearly(other, letters(other)))
    }

    #[test]
    fn words_are_found_as_people_write_them() {
        let cases = [
            ("sygedagpenge", "sygedagpenge", Some(Likeness::Same)),
            ("syge", "sygedagpenge", Some(Likeness::Beginning)),
            ("dagpenge", "sygedagpenge", Some(Likeness::Part)),
            ("sygedagpnege", "sygedagpenge", Some(Likeness::Nearly)),
            ("sydagpenge", "sygedagpenge", Some(Likeness::Nearly)),
            ("kontanthaelp", "kontanthjaelp", Some(Likeness::Nearly)),
            ("maendene", "maend", Some(Likeness::Nearly)),
            ("fleskjob", "fleksjob", Some(Likeness::Nearly)),
            ("sygedgp", "sygedagpenge", Some(Likeness::Nearly)),
            ("xyz", "xyw", None),
            ("revalidering", "ledighed", None),
        ];
        for (word, other, expected) in cases {
            assert_eq!(like(word, other), expected, "{word} {other}");
        }
    }
}
