//! `/nyt.csv`: the tables that came and all revised figures, as a Danish Excel opens it; in Danish, as every file for one is.

use arrow_array::RecordBatch;

use crate::answer::error::BridgeError;
use crate::catalogue::measurement::Measurement;
use crate::catalogue::revised::{RevisedFigure, in_words};
use crate::catalogue::value::Figure;
use crate::export::csv::{CsvWriter, Dialect};
use crate::export::{FileColumn, FileWriter};
use crate::feed::arrays::array;
use crate::frame::error::FrameError;
use crate::odata::value::{PrimitiveType, Value};
use crate::pages::language::Language;
use crate::pages::news::changes;
use crate::pages::news::collected::{Dated, News};
use crate::pages::visit::Visit;
use crate::pages::{File, Html, Sources, failure};

const COLUMNS: [(&str, PrimitiveType); 10] = [
    ("Hvad", PrimitiveType::String),
    ("Dag", PrimitiveType::Date),
    ("Id", PrimitiveType::String),
    ("Måling", PrimitiveType::String),
    ("Periode", PrimitiveType::String),
    ("Mål", PrimitiveType::String),
    ("Område", PrimitiveType::String),
    ("Fordeling", PrimitiveType::String),
    ("Før", PrimitiveType::Decimal),
    ("Efter", PrimitiveType::Decimal),
];

/// How many lines are written at a time.
const LINES: usize = 1000;

type Line = [Value; COLUMNS.len()];

/// `/nyt.csv`: all that the page shows, and what it only counts.
///
/// # Errors
/// With a page that says why there is no table.
pub fn table(sources: &Sources, visit: Visit) -> Result<File, Html> {
    let news = match News::of(sources, &visit) {
        Ok(news) => news,
        Err(error) => return Err(failure::of(sources, visit, error)),
    };
    let figures = sources.feeds.revised();
    let revised = news.revised(&figures).map(|(head, figure)| {
        revised(figure, &head.title, news.catalogue.measurement(&figure.table).map(AsRef::as_ref))
    });
    match written(news.arrived.iter().map(arrived).chain(revised)) {
        Ok(body) => Ok(File {
            content_type: "text/csv; charset=utf-8",
            language: Language::Danish,
            name: Some(format!("{}nyt.csv", sources.feeds.origin().file_prefix())),
            body,
        }),
        Err(error) => Err(failure::page(sources, visit, &error)),
    }
}

fn arrived(came: &Dated) -> Line {
    let [id, title] = [came.head.id.as_str(), &came.head.title].map(Value::string);
    let period = came.head.newest_period().map_or(Value::Null, |period| Value::string(period.id.as_str()));
    let [measure, area, members, before, after] = [const { Value::Null }; 5];
    let (what, day) = (Value::string("Nye tal"), Value::Date(came.day));
    [what, day, id, title, period, measure, area, members, before, after]
}

fn revised(figure: &RevisedFigure, title: &str, measurement: Option<&Measurement>) -> Line {
    let members = in_words(figure.members.as_deref().unwrap_or_default(), measurement);
    let texts = [&figure.table, title, &figure.period, &figure.measure];
    let [id, title, period, measure] = texts.map(Value::string);
    let [area, members] = [figure.area.as_deref().unwrap_or_default(), &members].map(Value::string);
    let [before, after] =
        [figure.before, figure.after].map(|figure: Figure| figure.map_or(Value::Null, Value::Decimal));
    let day = Value::Date(changes::day(figure));
    [Value::string("Ændret tal"), day, id, title, period, measure, area, members, before, after]
}

fn written(lines: impl Iterator<Item = Line>) -> Result<Vec<u8>, BridgeError> {
    let columns = COLUMNS.map(|(name, primitive)| FileColumn::new(name, primitive));
    let mut file = Box::new(CsvWriter::new(Dialect::Danish, columns.to_vec()));
    let (mut bytes, mut lines) = (Vec::new(), lines.peekable());
    while lines.peek().is_some() {
        let lines: Vec<Line> = lines.by_ref().take(LINES).collect();
        let columns = COLUMNS.iter().enumerate().map(|(at, (name, primitive))| {
            (name, array(*primitive, lines.iter().map(|line| line[at].clone())), true)
        });
        let batch = RecordBatch::try_from_iter_with_nullable(columns).map_err(FrameError::from)?;
        bytes.extend(file.rows(&batch)?);
    }
    bytes.extend(file.end()?);
    Ok(bytes)
}
