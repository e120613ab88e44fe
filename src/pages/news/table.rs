//! `/nyt.csv`: the tables that came and all revised figures as a table, as a Danish Excel opens it.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use rust_decimal::prelude::ToPrimitive;

use crate::answer::error::BridgeError;
use crate::catalogue::measurement::MeasurementHead;
use crate::catalogue::value::Figure;
use crate::export::csv::{CsvWriter, Dialect};
use crate::export::{FileColumn, FileWriter};
use crate::frame::error::FrameError;
use crate::odata::value::PrimitiveType;
use crate::pages::language::Language;
use crate::pages::news::changes;
use crate::pages::news::collected::News;
use crate::pages::revised::Revised;
use crate::pages::visit::Visit;
use crate::pages::{File, Html, Sources, failure};

/// The columns in Danish and in English: the first of text, the last of figures.
const TEXTS: [(&str, &str); 8] = [
    ("Hvad", "What"),
    ("Dag", "Day"),
    ("Id", "Id"),
    ("Måling", "Measurement"),
    ("Periode", "Period"),
    ("Mål", "Measure"),
    ("Område", "Area"),
    ("Fordeling", "Breakdown"),
];
const FIGURES: [(&str, &str); 2] = [("Før", "Before"), ("Efter", "After")];

/// One line of the table.
struct Line {
    texts: [String; TEXTS.len()],
    figures: [Figure; FIGURES.len()],
}

/// `/nyt.csv`: all that the page shows, and what it only counts.
///
/// # Errors
/// With a page that says why there is no table.
pub fn table(sources: &Sources, visit: Visit) -> Result<File, Html> {
    let news = match News::of(sources, &visit) {
        Ok(news) => news,
        Err(error) => return Err(failure::of(sources, visit, error)),
    };
    let l = visit.language;
    let arrived = news.arrived.iter().map(|came| Line::arrived(&came.head, came.day.to_string(), l));
    let figures = sources.revisions.figures();
    let revised = changes::wanted(&news.catalogue, &news.interest, &figures).map(|(head, figure)| {
        let measurement = news.catalogue.measurement(&figure.table).map(|one| &**one);
        let words = Revised::new(figure, measurement, l);
        let day = changes::day(figure).to_string();
        Line {
            texts: [
                l.text("Ændret tal", "Revised figure").to_owned(),
                day,
                figure.table.clone(),
                head.title.clone(),
                words.period,
                words.measure,
                words.area,
                words.members,
            ],
            figures: [figure.before, figure.after],
        }
    });
    match written(&arrived.chain(revised).collect::<Vec<_>>(), l) {
        Ok(body) => Ok(File { content_type: "text/csv; charset=utf-8", language: l, body }),
        Err(error) => Err(failure::page(sources, visit, &error)),
    }
}

impl Line {
    fn arrived(head: &MeasurementHead, day: String, l: Language) -> Self {
        let newest = head.newest_period().map(|period| l.period(&period)).unwrap_or_default();
        let what = l.text("Nye tal", "New figures").to_owned();
        let empty = String::new;
        let (id, title) = (head.id.to_string(), head.title.clone());
        Self {
            texts: [what, day, id, title, newest, empty(), empty(), empty()],
            figures: [None; FIGURES.len()],
        }
    }
}

fn written(lines: &[Line], l: Language) -> Result<String, BridgeError> {
    let texts = (0..TEXTS.len()).map(|at| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(lines.iter().map(|line| &line.texts[at])))
    });
    let figures = (0..FIGURES.len()).map(|at| -> ArrayRef {
        let figures = lines.iter().map(|line| line.figures[at].and_then(|figure| figure.to_f64()));
        Arc::new(figures.collect::<Float64Array>())
    });
    let named = |names: &[(&str, &str)], primitive| -> Vec<FileColumn> {
        names.iter().map(|(danish, english)| FileColumn::new(l.text(danish, english), primitive)).collect()
    };
    let columns = [named(&TEXTS, PrimitiveType::String), named(&FIGURES, PrimitiveType::Double)].concat();
    let fields: Vec<Field> = columns
        .iter()
        .map(|column| {
            let is_figure = column.primitive == PrimitiveType::Double;
            Field::new(&column.name, if is_figure { DataType::Float64 } else { DataType::Utf8 }, true)
        })
        .collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), texts.chain(figures).collect());
    let batch = batch.map_err(FrameError::from)?;
    let mut file = CsvWriter::new(Dialect::Danish, columns)?;
    let bytes = file.rows(&batch)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
