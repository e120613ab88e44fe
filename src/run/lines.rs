//! The lines of the log. Events repeat what others have written: the upstream's labels, clients' addresses.

use std::io::{self, Write};

use crate::settings::redact::redact;

/// Standard error, a line for each event: without keys and control characters, for events repeat what others have written.
#[derive(Debug)]
pub(super) struct SafeLines {
    out: io::Stderr,
    /// Whether escape sequences of ours are in the lines.
    coloured: bool,
}

impl SafeLines {
    pub(super) fn new(coloured: bool) -> Self {
        Self { out: io::stderr(), coloured }
    }
}

impl Write for SafeLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let event = redact(&String::from_utf8_lossy(bytes)).into_owned();
        self.out.write_all(one_line(&event, self.coloured).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// An event with the line feed at its end alone: what is named in it can begin no line of its own and gives a terminal no orders.
fn one_line(event: &str, coloured: bool) -> String {
    let is_kept = |letter: char| !letter.is_control() || (coloured && letter == '\u{1b}');
    let event = event.strip_suffix('\n').unwrap_or(event);
    let mut line = String::with_capacity(event.len() + 1);
    for letter in event.chars() {
        if is_kept(letter) { line.push(letter) } else { line.extend(letter.escape_default()) }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn what_is_named_in_an_event_begins_no_line_and_gives_a_terminal_no_orders() {
        let event = "WARN label=Læsø\n2026 ERROR forged\r\u{1b}[2J\u{7}\n";
        assert_eq!(one_line(event, false), "WARN label=Læsø\\n2026 ERROR forged\\r\\u{1b}[2J\\u{7}\n");
        assert_eq!(one_line("\u{1b}[33mWARN\u{1b}[0m a\nb\n", true), "\u{1b}[33mWARN\u{1b}[0m a\\nb\n");
    }
}
