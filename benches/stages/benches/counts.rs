//! Instructions of the stages that one thread works through, counted by callgrind. `counts`, which runs this, compares them with those
//! that are committed.

use std::hint::black_box;
use std::ops::Range;

use gungraun::Callgrind;
use gungraun::prelude::*;
use jobindsats_bridge::answer::Page;
use jobindsats_bridge::frame::Frame;
use jobindsats_bridge::indicators::snapshot::Snapshot;
use jobindsats_bridge::odata::uri::syntax::RequestSyntax;
use jobindsats_bridge::plan::UpstreamPlan;
use jobindsats_bridge::plan::chunk::Chunk;
use jobindsats_bridge::query::{BoundExpr, BoundQuery, OrderKey};
use jobindsats_bridge::store::block::CellBlock;
use stages::{Bridge, table, written};

/// Months of 3,300 rows each.
const MONTHS: usize = 4;
const GROUPED: &str = "$apply=groupby((Område),aggregate($count as N))";

type Asked = (&'static Bridge, String);

/// Never dropped, so that dropping is not counted.
fn bridge() -> &'static Bridge {
    Box::leak(Box::new(Bridge::of(MONTHS)))
}

fn asked(options: impl FnOnce(&Bridge) -> String) -> Asked {
    let bridge = bridge();
    (bridge, options(bridge))
}

fn a_period() -> Asked {
    asked(|bridge| {
        let (above, shown) = (bridge.figure(0), bridge.six_columns());
        format!("$filter=Periode eq '2026M11' and {above} gt 100&$select={shown}&$top=1000")
    })
}

fn above_a_bound() -> Asked {
    asked(|bridge| format!("$filter={} gt 1000", bridge.figure(0)))
}

fn above_and_below() -> Asked {
    asked(|bridge| format!("$filter={} gt 1000 and {} lt 1000", bridge.figure(0), bridge.figure(1)))
}

fn sorted() -> Asked {
    asked(|bridge| format!("$orderby={} desc", bridge.figure(0)))
}

fn sorted_top() -> Asked {
    asked(|bridge| format!("$orderby={} desc&$top=100", bridge.figure(0)))
}

fn all() -> Asked {
    asked(|_| String::new())
}

fn grouped() -> Asked {
    asked(|_| GROUPED.to_owned())
}

fn syntax((bridge, options): Asked) -> (&'static Bridge, RequestSyntax) {
    (bridge, bridge.parse(&options))
}

fn query(asked: Asked) -> (&'static Bridge, BoundQuery) {
    let (bridge, syntax) = syntax(asked);
    (bridge, bridge.bind(&syntax))
}

fn page((bridge, options): Asked) -> (&'static Bridge, Page) {
    (bridge, bridge.page(&options))
}

fn chunk() -> (&'static Bridge, Chunk, Vec<u8>) {
    let bridge = bridge();
    let chunk = bridge.plan(None).chunks.get(0).unwrap();
    let body = table::body(&bridge.measurement, &chunk);
    (bridge, chunk, body)
}

fn to_filter() -> (Frame, BoundExpr) {
    let (bridge, query) = query(above_a_bound());
    (bridge.page("").rows.unwrap(), query.filter.unwrap())
}

fn to_order() -> (Frame, Vec<OrderKey>) {
    let (bridge, query) = query(sorted());
    (bridge.page("").rows.unwrap(), query.order)
}

fn snapshot() -> Snapshot {
    written::indicators(bridge())
}

#[library_benchmark]
#[bench::a_period(a_period())]
fn parse((bridge, options): Asked) -> RequestSyntax {
    black_box(bridge.parse(&options))
}

#[library_benchmark]
#[bench::a_period(syntax(a_period()))]
fn bind((bridge, syntax): (&'static Bridge, RequestSyntax)) -> BoundQuery {
    black_box(bridge.bind(&syntax))
}

#[library_benchmark]
#[bench::a_period(query(a_period()))]
fn plan((bridge, query): (&'static Bridge, BoundQuery)) -> UpstreamPlan {
    black_box(bridge.plan(Some(&query)))
}

#[library_benchmark]
#[bench::to_a_block(chunk())]
fn decode((bridge, chunk, body): (&'static Bridge, Chunk, Vec<u8>)) -> CellBlock {
    black_box(table::block(&bridge.measurement, &chunk, &body))
}

#[library_benchmark]
#[bench::above_a_bound(to_filter())]
fn filter((rows, condition): (Frame, BoundExpr)) -> Frame {
    black_box(rows.filter(&condition).unwrap())
}

#[library_benchmark]
#[bench::whole(to_order(), 0..usize::MAX)]
#[bench::top_100(to_order(), 0..100)]
fn sort((rows, order): (Frame, Vec<OrderKey>), wanted: Range<usize>) -> Frame {
    black_box(rows.order(&order, wanted).unwrap())
}

#[library_benchmark]
#[bench::a_period(a_period())]
#[bench::sorted_top_100(sorted_top())]
#[bench::rows_per_area(grouped())]
#[bench::all_columns(all())]
fn answer((bridge, options): Asked) -> Page {
    black_box(bridge.page(&options))
}

#[library_benchmark]
#[bench::above_a_bound(above_a_bound())]
#[bench::two_figures(above_and_below())]
fn count((bridge, options): Asked) -> u64 {
    black_box(bridge.count(&options))
}

#[library_benchmark]
#[bench::six_columns(page(a_period()))]
#[bench::all_columns(page(all()))]
fn json((bridge, page): (&'static Bridge, Page)) -> usize {
    black_box(written::json(bridge.set(), &page))
}

#[library_benchmark]
#[bench::all_columns(page(all()))]
fn csv((bridge, page): (&'static Bridge, Page)) -> usize {
    black_box(written::csv(bridge.set(), &page))
}

#[library_benchmark]
#[bench::all_columns(page(all()))]
fn parquet((bridge, page): (&'static Bridge, Page)) -> usize {
    black_box(written::parquet(bridge.set(), &page))
}

#[library_benchmark]
#[bench::whole(bridge())]
fn metadata(bridge: &'static Bridge) -> usize {
    black_box(written::metadata(bridge))
}

#[library_benchmark]
#[bench::whole(snapshot())]
fn scrape(snapshot: Snapshot) -> usize {
    black_box(written::scrape(&snapshot))
}

library_benchmark_group!(
    name = all_stages;
    benchmarks = parse, bind, plan, decode, filter, sort, answer, count, json, csv, parquet, metadata, scrape
);

// Caches are not simulated: only instructions are compared.
main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"]));
    library_benchmark_groups = all_stages
);
