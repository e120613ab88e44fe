//! The grammar of Go's regular expressions: alternatives, groups, repetitions, escapes.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, Look, Repetition};

use super::PatternError;
use super::class;
use super::scanner::{Flags, Parser};

/// How deeply groups may be nested. Go allows a thousand; nobody writes that, and each level costs stack.
pub const NESTING_LIMIT: usize = 100;
/// The most repetitions that may be asked for, nested ones multiplied.
const REPEAT_LIMIT: u32 = 1000;

/// A part of a pattern, and how often its repetitions repeat at most, nested ones multiplied.
struct Part {
    hir: Hir,
    repeats: u32,
}

pub fn parse(pattern: &str) -> Result<Hir, PatternError> {
    // Prometheus lets a dot match a line feed.
    let flags = Flags { fold_case: false, multi_line: false, dot_matches_newline: true };
    let mut parser = Parser::new(pattern, flags);
    let whole = parser.alternatives()?;
    if parser.rest.is_empty() { Ok(whole.hir) } else { Err(PatternError::UnexpectedParenthesis) }
}

impl<'p> Parser<'p> {
    /// Alternatives, up to a closing parenthesis or the end.
    fn alternatives(&mut self) -> Result<Part, PatternError> {
        let mut alternatives = vec![self.sequence()?];
        while self.take("|") {
            alternatives.push(self.sequence()?);
        }
        let repeats = alternatives.iter().map(|part| part.repeats).max().unwrap_or(1);
        let hirs = alternatives.into_iter().map(|part| part.hir).collect();
        Ok(Part { hir: Hir::alternation(hirs), repeats })
    }

    fn sequence(&mut self) -> Result<Part, PatternError> {
        let mut parts: Vec<Part> = Vec::new();
        // The repetition that was just read: another one must not follow it.
        let mut repetition: Option<&'p str> = None;
        while let Some(next) = self.rest.chars().next().filter(|next| !matches!(next, '|' | ')')) {
            let start = self.rest;
            if let Some((least, most)) = self.repetition(next)? {
                self.take("?");
                if let Some(before) = repetition {
                    return Err(PatternError::RepeatOfRepeat(self.since(before)));
                }
                let text = self.since(start);
                let Some(last) = parts.pop() else {
                    return Err(PatternError::MissingRepeatArgument(text));
                };
                parts.push(repeated(last, least, most, next == '{', text)?);
                repetition = Some(start);
                continue;
            }
            repetition = None;
            match next {
                '(' => parts.extend(self.group()?),
                '\\' if self.take(r"\Q") => parts.extend(self.quoted()),
                _ => {
                    let hir = self.single(next)?;
                    parts.push(Part { hir, repeats: 1 });
                }
            }
        }
        let repeats = parts.iter().map(|part| part.repeats).max().unwrap_or(1);
        Ok(Part { hir: Hir::concat(parts.into_iter().map(|part| part.hir).collect()), repeats })
    }

    /// The bounds of a repetition, where one begins here. A brace that is none is a plain character.
    fn repetition(&mut self, next: char) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        let bounds = match next {
            '*' => (0, None),
            '+' => (1, None),
            '?' => (0, Some(1)),
            '{' => return self.counted(),
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(bounds))
    }

    fn counted(&mut self) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        let Some((inner, rest)) = self.rest[1..].split_once('}') else {
            return Ok(None);
        };
        let (least, most) = match inner.split_once(',') {
            None => (count(inner), count(inner).map(Some)),
            Some((least, "")) => (count(least), Some(None)),
            Some((least, most)) => (count(least), count(most).map(Some)),
        };
        let (Some(least), Some(most)) = (least, most) else {
            return Ok(None);
        };
        let whole = &self.rest[..self.rest.len() - rest.len()];
        self.rest = rest;
        if least > REPEAT_LIMIT || most.is_some_and(|most| most > REPEAT_LIMIT || most < least) {
            return Err(PatternError::RepeatCount(whole.to_owned()));
        }
        Ok(Some((least, most)))
    }

    /// Characters between `\Q` and `\E`, or to the end.
    fn quoted(&mut self) -> Vec<Part> {
        let (text, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
        self.rest = rest;
        text.chars().map(|letter| Part { hir: self.literal(letter), repeats: 1 }).collect()
    }

    /// One character, class or assertion.
    fn single(&mut self, next: char) -> Result<Hir, PatternError> {
        match next {
            '[' => return class::bracketed(self).map(|class| Hir::class(Class::Unicode(class))),
            '\\' => return self.escaped(),
            _ => {}
        }
        self.next();
        Ok(match next {
            '.' if self.flags.dot_matches_newline => Hir::dot(regex_syntax::hir::Dot::AnyChar),
            '.' => Hir::dot(regex_syntax::hir::Dot::AnyCharExceptLF),
            '^' if self.flags.multi_line => Hir::look(Look::StartLF),
            '^' => Hir::look(Look::Start),
            '$' if self.flags.multi_line => Hir::look(Look::EndLF),
            '$' => Hir::look(Look::End),
            letter => self.literal(letter),
        })
    }

    fn escaped(&mut self) -> Result<Hir, PatternError> {
        for (text, look) in [
            (r"\A", Look::Start),
            (r"\z", Look::End),
            (r"\b", Look::WordAscii),
            (r"\B", Look::WordAsciiNegate),
        ] {
            if self.take(text) {
                return Ok(Hir::look(look));
            }
        }
        if let Some(found) = class::escaped_class(self)? {
            return Ok(Hir::class(Class::Unicode(found)));
        }
        let letter = class::escaped_letter(self)?;
        Ok(letter.map_or_else(Hir::fail, |letter| self.literal(letter)))
    }

    fn literal(&self, letter: char) -> Hir {
        if !self.flags.fold_case {
            return Hir::literal(letter.to_string().into_bytes());
        }
        let range = ClassUnicode::new([ClassUnicodeRange::new(letter, letter)]);
        Hir::class(Class::Unicode(self.folded(range)))
    }

    /// A group; nothing where it only sets flags.
    fn group(&mut self) -> Result<Option<Part>, PatternError> {
        let outer = self.flags;
        if !self.rest.starts_with("(?") {
            self.next();
        } else if self.opening()? {
            return Ok(None);
        }
        self.depth += 1;
        if self.depth > NESTING_LIMIT {
            return Err(PatternError::TooDeep);
        }
        let inner = self.alternatives()?;
        if !self.take(")") {
            return Err(PatternError::MissingParenthesis);
        }
        self.depth -= 1;
        self.flags = outer;
        Ok(Some(inner))
    }

    /// What stands behind `(?`: a name, or flags. True where the group ends with its flags, which hold from here on.
    fn opening(&mut self) -> Result<bool, PatternError> {
        let start = self.rest;
        self.rest = &start[2..];
        if self.take("P<") || self.take("<") {
            self.name(start)?;
            return Ok(false);
        }
        let mut on = true;
        let mut any = false;
        loop {
            let next = self.next().ok_or(PatternError::MissingParenthesis)?;
            match next {
                'i' => self.flags.fold_case = on,
                'm' => self.flags.multi_line = on,
                's' => self.flags.dot_matches_newline = on,
                // Which of several matches is taken does not matter where the whole value must match.
                'U' => {}
                '-' if on => (on, any) = (false, false),
                ':' | ')' if on || any => return Ok(next == ')'),
                _ => return Err(PatternError::PerlSyntax(self.since(start))),
            }
            any |= next.is_ascii_alphabetic();
        }
    }

    fn name(&mut self, start: &'p str) -> Result<(), PatternError> {
        let Some((name, rest)) = self.rest.split_once('>') else {
            return Err(PatternError::GroupName(start.to_owned()));
        };
        self.rest = rest;
        let is_word = |letter: char| letter == '_' || letter.is_ascii_alphanumeric();
        if name.is_empty() || !name.chars().all(is_word) {
            return Err(PatternError::GroupName(self.since(start)));
        }
        if self.names.insert(name) { Ok(()) } else { Err(PatternError::DoubledGroupName(name.to_owned())) }
    }
}

/// A number of repetitions: digits without leading zeros. One that is too large is still a number.
fn count(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let leading = text.len() > 1 && text.starts_with('0');
    (digits && !leading).then(|| text.parse().unwrap_or(u32::MAX))
}

fn repeated(
    part: Part,
    least: u32,
    most: Option<u32>,
    counted: bool,
    text: String,
) -> Result<Part, PatternError> {
    let times = if counted { most.unwrap_or(least).max(1) } else { 1 };
    let repeats = part.repeats.saturating_mul(times);
    if counted && times >= 2 && repeats > REPEAT_LIMIT {
        return Err(PatternError::RepeatCount(text));
    }
    let sub = Box::new(part.hir);
    Ok(Part { hir: Hir::repetition(Repetition { min: least, max: most, greedy: true, sub }), repeats })
}
