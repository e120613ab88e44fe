//! The bytes that rows, documents and indicators are written as.

use std::sync::Arc;

use jobindsats_bridge::answer::Page;
use jobindsats_bridge::export::csv::{CsvWriter, Dialect};
use jobindsats_bridge::export::parquet::ParquetWriter;
use jobindsats_bridge::export::{FileColumn, FileWriter};
use jobindsats_bridge::feed::Set;
use jobindsats_bridge::frame::Frame;
use jobindsats_bridge::indicators::definition::Definitions;
use jobindsats_bridge::indicators::exposition::Rendered;
use jobindsats_bridge::indicators::figures::Figures;
use jobindsats_bridge::indicators::resolve::resolve;
use jobindsats_bridge::indicators::snapshot::{IndicatorState, Snapshot};
use jobindsats_bridge::odata::csdl::xml;
use jobindsats_bridge::odata::media_type::MetadataLevel;
use jobindsats_bridge::odata::payload::{self, Identity, JsonContext, Output, OutputProperty};
use jobindsats_bridge::odata::version::Version;
use jobindsats_bridge::plan::cut::cut;
use jobindsats_bridge::upstream::TableHints;
use serde_json::json;

use crate::{Bridge, CELL_LIMIT, ROOT, table};

/// Rows that are written at a time.
const PIECE_ROWS: usize = 500;
/// Rows that a file takes at a time.
const FILE_ROWS: usize = 8192;

fn rows(page: &Page) -> &Frame {
    page.rows.as_ref().unwrap()
}

fn properties<'a>(set: &'a Set, page: &Page, columns: &[usize]) -> Vec<OutputProperty<'a>> {
    let property = |&column: &usize| OutputProperty {
        name: &set.columns[column].name,
        column: rows(page).position(column).unwrap(),
        primitive: set.columns[column].primitive,
        declared: true,
    };
    columns.iter().map(property).collect()
}

/// The rows of a page as JSON, piece by piece; how many bytes that are.
#[must_use]
pub fn json(set: &Set, page: &Page) -> usize {
    let shown = page.query.shown(set);
    let (properties, key) = (properties(set, page, &shown), properties(set, page, &set.key));
    let set_url = format!("{ROOT}{}", set.name);
    let identity = Identity {
        entity_type: "Jobindsats.Y99a01.Data",
        set_url: &set_url,
        key: &key,
        navigation: &[],
        shows_key: set.key.iter().all(|column| shown.contains(column)),
    };
    let batch = &rows(page).batch;
    let output =
        Output { batch, properties: &properties, expands: &[], identity: Some(identity), references: false };
    let context = JsonContext {
        version: Version::V4,
        metadata: MetadataLevel::Minimal,
        ieee754_compatible: false,
        omit_nulls: false,
        context_url: ROOT,
        messages: &[],
    };
    // A piece begins with room for as much as the one before it had, as in an answer.
    let mut last = 0;
    let piece = |first: usize| {
        let (mut out, end) = (Vec::with_capacity(last), batch.num_rows().min(first + PIECE_ROWS));
        payload::write_rows(&mut out, &context, &output, first..end, first == 0).unwrap();
        last = out.len();
        last
    };
    (0..batch.num_rows()).step_by(PIECE_ROWS).map(piece).sum()
}

fn file(set: &Set, page: &Page, writer: impl FnOnce(Vec<FileColumn>) -> Box<dyn FileWriter>) -> usize {
    let shown = page.query.shown(set);
    let column = |&at: &usize| FileColumn::new(&set.columns[at].name, set.columns[at].primitive);
    let mut writer = writer(shown.iter().map(column).collect());
    let places: Vec<usize> = shown.iter().map(|&column| rows(page).position(column).unwrap()).collect();
    let batch = rows(page).batch.project(&places).unwrap();
    let piece = |first: usize| {
        let rows = batch.slice(first, FILE_ROWS.min(batch.num_rows() - first));
        writer.rows(&rows).unwrap().len()
    };
    let bytes: usize = (0..batch.num_rows()).step_by(FILE_ROWS).map(piece).sum();
    bytes + writer.end().unwrap().len()
}

/// The rows of a page as CSV.
#[must_use]
pub fn csv(set: &Set, page: &Page) -> usize {
    file(set, page, |columns| Box::new(CsvWriter::new(Dialect::Standard, columns)))
}

/// The rows of a page as Parquet.
#[must_use]
pub fn parquet(set: &Set, page: &Page) -> usize {
    file(set, page, |columns| Box::new(ParquetWriter::new(&columns, None).unwrap()))
}

/// `$metadata`.
#[must_use]
pub fn metadata(bridge: &Bridge) -> usize {
    xml::write(&bridge.feed.schema, true).unwrap().len()
}

/// Indicators on each measure of the table, as they are after a refresh.
#[must_use]
pub fn indicators(bridge: &Bridge) -> Snapshot {
    let measurement = &bridge.measurement;
    let quantities = ["persons", "full_time_persons", "percent", "weeks"];
    let definition = |(at, quantity): (usize, &str)| {
        json!({
            "id": format!("indicator_{at}"), "title": measurement.measures[at].label, "table": "y99a01",
            "measure": measurement.measures[at].heading, "period_type": "M", "quantity": quantity,
            "levels": ["country", "municipality"]
        })
    };
    let text =
        json!({ "indicators": quantities.into_iter().enumerate().map(definition).collect::<Vec<_>>() });
    let definitions = Definitions::parse(&text.to_string(), usize::MAX).unwrap();
    let state = |definition: &Arc<_>| {
        let resolved = resolve(definition, measurement).unwrap();
        let chunks = cut(measurement, &resolved.selection, CELL_LIMIT).unwrap();
        let block = |chunk| {
            let body = table::body(measurement, &chunk);
            Arc::new(table::block(measurement, &chunk, &body))
        };
        let blocks: Vec<_> = chunks.iter().map(block).collect();
        let figures = Some(Arc::new(Figures::assemble(&resolved, &blocks).unwrap()));
        Arc::new(IndicatorState { figures, ..IndicatorState::new(Arc::clone(definition)) })
    };
    Snapshot { origin: "bench".into(), indicators: definitions.iter().map(state).collect() }
}

/// The body of a scrape.
#[must_use]
pub fn scrape(snapshot: &Snapshot) -> usize {
    Rendered::of(snapshot, &TableHints::built_in()).text.len()
}
