//! Figures for pages: asked of `answer` in the words of an OData address, which a page can show as the address of what it shows.

use chrono::{DateTime, Utc};

use crate::answer::error::BridgeError;
use crate::answer::{Answer, Request};
use crate::catalogue::value::Figure;
use crate::feed::arrays::value_at;
use crate::feed::{Feed, Set};
use crate::frame::Frame;
use crate::odata::skip_token::SkipToken;
use crate::odata::value::Value;
use crate::pages::Sources;

/// The most rows that a page reads: more than it shows of any table.
const ROWS: usize = 20_000;

/// A set with query options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub set: String,
    pub filter: String,
    pub select: String,
}

impl Question {
    /// Set and options as in an address.
    pub fn address(&self) -> String {
        format!("{}?{}", self.set, self.options())
    }

    /// The same as a file of that kind.
    pub fn file(&self, extension: &str) -> String {
        format!("{}.{extension}?{}", self.set, self.options())
    }

    fn options(&self) -> String {
        let select = if self.select.is_empty() {
            String::new()
        } else {
            format!("&$select={}", encoded(&self.select))
        };
        format!("$filter={}{select}", encoded(&self.filter))
    }
}

/// A text as the value of an option. Only what would end or change it is encoded, so that people can read the rest.
fn encoded(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            ' '
            | '"'
            | '#'
            | '%'
            | '&'
            | '+'
            | '<'
            | '>'
            | '\\'
            | '^'
            | '`'
            | '{'
            | '|'
            | '}'
            | '\0'..='\x1f'
            | '\x7f' => {
                written += &format!("%{:02X}", u32::from(letter));
            }
            letter => written.push(letter),
        }
    }
    written
}

/// A condition that a text column has one of these values.
pub(super) fn one_of<'a>(column: &str, values: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> =
        values.into_iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
    match quoted.as_slice() {
        [one] => format!("{column} eq {one}"),
        several => format!("{column} in ({})", several.join(",")),
    }
}

/// The rows that a question was answered with.
#[derive(Debug)]
pub(super) struct Rows {
    /// The columns of the set, by name.
    columns: Vec<String>,
    frame: Option<Frame>,
    /// When the oldest figure was fetched.
    pub fetched_at: Option<DateTime<Utc>>,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.frame.as_ref().map_or(0, Frame::row_count)
    }

    /// The text in a column; empty where there is none.
    pub fn text(&self, row: usize, column: &str) -> String {
        match self.value(row, column) {
            Value::String(text) => text.to_string(),
            _ => String::new(),
        }
    }

    /// The figure in a column; `None` where it is not published.
    pub fn figure(&self, row: usize, column: &str) -> Figure {
        match self.value(row, column) {
            Value::Decimal(figure) => Some(figure),
            _ => None,
        }
    }

    fn value(&self, row: usize, column: &str) -> Value {
        let index = self.columns.iter().position(|name| name == column);
        let found = self.frame.as_ref().zip(index);
        let found =
            found.and_then(|(frame, index)| Some(value_at(frame.batch.column(frame.position(index)?), row)));
        found.unwrap_or(Value::Null)
    }
}

impl Sources {
    /// The rows of a question, all pages together.
    pub(super) async fn ask(&self, feed: &Feed, question: &Question) -> Result<Rows, BridgeError> {
        let (mut frames, mut fetched_at) = (Vec::new(), None::<DateTime<Utc>>);
        let mut columns = Vec::new();
        let mut token: Option<String> = None;
        let mut read = 0;
        loop {
            let options = question.options();
            let request = Request {
                feed,
                root: "",
                path: &question.set,
                options: &options,
                max_page_size: None,
                all_pages: false,
                skip_token: token.as_deref(),
                now: self.now,
                stages: &self.stages,
            };
            let (_, answer) = self.answerer.answer(&request, |_| Ok(())).await?;
            let Answer::Page(page) = answer else { break };
            columns = column_names(page.query.result(feed));
            fetched_at = fetched_at.into_iter().chain(page.provenance.fetched_at).min();
            token = page.next.as_ref().map(SkipToken::encode);
            read += page.rows.as_ref().map_or(0, Frame::row_count);
            frames.extend(page.rows);
            if token.is_none() || read >= ROWS {
                break;
            }
        }
        Ok(Rows { columns, frame: Frame::joined(&frames)?, fetched_at })
    }
}

fn column_names(set: &Set) -> Vec<String> {
    set.columns.iter().map(|column| column.name.clone()).collect()
}
