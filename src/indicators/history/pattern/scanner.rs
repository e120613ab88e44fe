//! The reader's position in a pattern and the flags that hold there.

use std::collections::HashSet;

use regex_syntax::hir::ClassUnicode;

/// The flags that hold from some place to the end of its group.
#[derive(Clone, Copy, Debug)]
pub struct Flags {
    pub fold_case: bool,
    pub multi_line: bool,
    pub dot_matches_newline: bool,
}

/// A pattern that is being read, and what holds where the reader stands.
pub struct Parser<'p> {
    pub rest: &'p str,
    pub flags: Flags,
    pub names: HashSet<&'p str>,
    pub depth: usize,
}

impl<'p> Parser<'p> {
    pub fn new(pattern: &'p str, flags: Flags) -> Self {
        Self { rest: pattern, flags, names: HashSet::new(), depth: 0 }
    }

    /// Takes the next character.
    pub fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    /// Takes that text, if it is next.
    pub fn take(&mut self, text: &str) -> bool {
        let found = self.rest.strip_prefix(text);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// What was read since a place.
    pub fn since(&self, start: &'p str) -> String {
        start[..start.len() - self.rest.len()].to_owned()
    }

    /// A class with the other cases of its letters, where case does not count here.
    pub fn folded(&self, mut class: ClassUnicode) -> ClassUnicode {
        if self.flags.fold_case {
            // It fails only where the tables of the library are not built in; then the class stays as it is.
            let _ = class.try_case_fold_simple();
        }
        class
    }
}
