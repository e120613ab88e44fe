//! Figures for pages: asked of `answer` in the words of an OData address, which a page can show as the address of what it shows.

use chrono::{DateTime, NaiveDate, Utc};

use crate::answer::error::BridgeError;
use crate::answer::explain::Explanation;
use crate::answer::{Answer, Request};
use crate::catalogue::measurement::Measurement;
use crate::catalogue::value::Figure;
use crate::error::closest;
use crate::feed::arrays::value_at;
use crate::feed::{Feed, Set};
use crate::frame::Frame;
use crate::odata::skip_token::SkipToken;
use crate::odata::value::Value;
use crate::pages::Sources;
use crate::pages::error::PageError;
use crate::search::folded;

/// The most rows that a page reads: more than it shows of any table.
const ROWS: usize = 20_000;

/// A set with query options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SetQuery {
    pub set: String,
    pub filter: String,
    pub select: String,
}

impl SetQuery {
    /// Set and options as in an address.
    pub fn address(&self) -> String {
        format!("{}?{}", self.set, self.options())
    }

    /// The same as a file of that kind.
    pub fn file(&self, extension: &str) -> String {
        format!("{}.{extension}?{}", self.set, self.options())
    }

    fn options(&self) -> String {
        let options = [("$filter", &self.filter), ("$select", &self.select)];
        let options = options.into_iter().filter(|(_, value)| !value.is_empty());
        options.map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
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

/// The index of the name that an option has, however its letters are written; nothing has an empty name.
pub(super) fn position(option: &str, named: &str, names: &[&str]) -> Result<usize, PageError> {
    let wanted = folded(named);
    let found = names.iter().position(|name| !name.is_empty() && folded(name) == wanted);
    found.ok_or_else(|| {
        let names = names.iter().copied().filter(|name| !name.is_empty());
        PageError::choice(option, named, closest(named, names))
    })
}

/// The dimension that an option names as a breakdown: by its id, which is known before the table's names are, or by the name of its
/// column. The area is none.
pub(super) fn breakdown(
    option: &str,
    named: &str,
    measurement: &Measurement,
    columns: &[&str],
) -> Result<usize, PageError> {
    let (dimensions, wanted) = (&measurement.dimensions, folded(named));
    let by_id = dimensions.iter().position(|one| !one.is_area() && folded(one.id.as_str()) == wanted);
    let names = columns.iter().zip(dimensions).map(|(name, one)| if one.is_area() { "" } else { name });
    by_id.map_or_else(|| position(option, named, &names.collect::<Vec<_>>()), Ok)
}

/// The rows that a query was answered with.
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

    /// The day in a column, if it has one.
    pub fn day(&self, row: usize, column: &str) -> Option<NaiveDate> {
        match self.value(row, column) {
            Value::Date(day) => Some(day),
            _ => None,
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
    /// The rows of a query, all pages together.
    pub(super) async fn ask(&self, feed: &Feed, query: &SetQuery) -> Result<Rows, BridgeError> {
        self.read(feed, query, None).await
    }

    /// The first rows of a query, so many.
    pub(super) async fn first(
        &self,
        feed: &Feed,
        query: &SetQuery,
        number: u64,
    ) -> Result<Rows, BridgeError> {
        self.read(feed, query, Some(number)).await
    }

    /// What a query asks of the upstream, and what its first rows, so many, ask.
    pub(super) async fn explain(
        &self,
        feed: &Feed,
        query: &SetQuery,
        first: u64,
    ) -> Result<Explanation, BridgeError> {
        let options = format!("{}&explain=plan", query.options());
        let request = self.request(feed, query, &options, Some(first), None);
        match self.answerer.answer(&request, |_| Ok(())).await? {
            ((), Answer::Plan(plan)) => Ok(*plan),
            _ => Ok(Explanation::default()),
        }
    }

    fn request<'a>(
        &'a self,
        feed: &'a Feed,
        query: &'a SetQuery,
        options: &'a str,
        max_page_size: Option<u64>,
        skip_token: Option<&'a str>,
    ) -> Request<'a> {
        Request {
            feed,
            root: "",
            path: &query.set,
            options,
            max_page_size,
            all_pages: false,
            strict: false,
            skip_token,
            now: self.now,
            stages: &self.stages,
        }
    }

    /// One page of that size, or all pages together.
    async fn read(&self, feed: &Feed, query: &SetQuery, size: Option<u64>) -> Result<Rows, BridgeError> {
        let (mut frames, mut fetched_at) = (Vec::new(), None::<DateTime<Utc>>);
        let mut columns = Vec::new();
        let mut token: Option<String> = None;
        let mut read = 0;
        let options = query.options();
        loop {
            let request = self.request(feed, query, &options, size, token.as_deref());
            let (_, answer) = self.answerer.answer(&request, |_| Ok(())).await?;
            let Answer::Page(page) = answer else { break };
            columns = column_names(page.query.result(feed));
            fetched_at = fetched_at.into_iter().chain(page.provenance.fetched_at).min();
            token = page.next.as_ref().map(SkipToken::encode);
            read += page.rows.as_ref().map_or(0, Frame::row_count);
            frames.extend(page.rows);
            if size.is_some() || token.is_none() || read >= ROWS {
                break;
            }
        }
        Ok(Rows { columns, frame: Frame::joined(&frames)?, fetched_at })
    }
}

fn column_names(set: &Set) -> Vec<String> {
    set.columns.iter().map(|column| column.name.clone()).collect()
}
