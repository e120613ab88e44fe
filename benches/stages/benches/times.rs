//! How long each stage takes, with what the same work takes elsewhere: `cargo bench --bench times` in `benches/stages`.
//!
//! `LARGE=1` adds the count over 9,900,000 rows. Where there is something to measure beside, both are measured by turns and their
//! ratio is printed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use fastrand::Rng;
use jobindsats_bridge::upstream::data::DataTable;
use stages::arrow_count::Columns;
use stages::{Bridge, plain_json, table, written};

/// As in the program.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SEED: u64 = 16;
/// How often two kinds of the same work are measured by turns.
const TURNS: usize = 41;

/// 165,000 rows.
fn of_a_query(c: &mut Criterion) {
    let bridge = Bridge::of(50);
    let six = bridge.six_columns();
    let options =
        format!("$filter=Periode eq '2025M06' and {} gt 100&$select={six}&$top=1000", bridge.figure(0));
    c.bench_function("parse", |b| b.iter(|| bridge.parse(black_box(&options))));
    let syntax = bridge.parse(&options);
    c.bench_function("bind", |b| b.iter(|| bridge.bind(black_box(&syntax))));
    let query = bridge.bind(&syntax);
    c.bench_function("plan", |b| b.iter(|| bridge.plan(black_box(Some(&query)))));

    let rows = bridge.page("").rows.unwrap();
    let bound = |options: &str| bridge.bind(&bridge.parse(options));
    let filter = bound(&format!("$filter={} gt 1000", bridge.figure(0))).filter.unwrap();
    c.bench_function("filter, 165,000 rows", |b| {
        b.iter_batched(|| rows.clone(), |rows| rows.filter(&filter).unwrap(), BatchSize::LargeInput);
    });
    let order = bound(&format!("$orderby={} desc", bridge.figure(0))).order;
    c.bench_function("sort, 165,000 rows", |b| b.iter(|| rows.order(&order, 0..usize::MAX).unwrap()));
    c.bench_function("top-k, 100 of 165,000 rows", |b| b.iter(|| rows.order(&order, 0..100).unwrap()));

    let period = format!("$filter=Periode eq '2025M06'&$top=1000&$select={six}");
    c.bench_function("page, a period's 1,000 rows of 6 columns", |b| {
        b.iter(|| bridge.page(black_box(&period)))
    });
    c.bench_function("page, 50,000 rows of all columns", |b| b.iter(|| bridge.page(black_box("$top=50000"))));
    let sorted = format!("$orderby={} desc&$top=100", bridge.figure(0));
    c.bench_function("page, sorted whole, top 100", |b| b.iter(|| bridge.page(black_box(&sorted))));
    let grouped = "$apply=groupby((Område),aggregate($count as N))";
    c.bench_function("page, rows per area", |b| b.iter(|| bridge.page(black_box(grouped))));
    let above = format!("$filter={} gt 1000", bridge.figure(0));
    c.bench_function("count above a bound", |b| b.iter(|| bridge.count(black_box(&above))));

    let (narrow, wide) = (bridge.page(&period), bridge.page("$top=50000"));
    let set = bridge.set();
    c.bench_function("JSON, 1,000 rows of 6 columns", |b| b.iter(|| written::json(set, &narrow)));
    c.bench_function("JSON, 50,000 rows of all columns", |b| b.iter(|| written::json(set, &wide)));
    c.bench_function("CSV, 50,000 rows of all columns", |b| b.iter(|| written::csv(set, &wide)));
    c.bench_function("Parquet, 50,000 rows of all columns", |b| b.iter(|| written::parquet(set, &wide)));
    c.bench_function("$metadata", |b| b.iter(|| written::metadata(&bridge)));
    let snapshot = written::indicators(&bridge);
    c.bench_function("scrape", |b| b.iter(|| written::scrape(&snapshot)));
}

/// A chunk as the upstream sends it.
fn of_a_chunk(c: &mut Criterion) {
    let bridge = Bridge::of(50);
    // The first may have fewer months than the others.
    let chunk = bridge.plan(None).chunks.iter().last().unwrap();
    let body = table::body(&bridge.measurement, &chunk);
    let read =
        || DataTable::parse(black_box(&body), 1 + chunk.dimensions.len(), chunk.measures.len()).unwrap();
    let block = || table::block(&bridge.measurement, &chunk, black_box(&body));
    let plain = || plain_json::read(black_box(&body));
    println!("a chunk of {} rows, {} bytes", plain().rows.len(), body.len());
    c.bench_function("decode of a chunk", |b| b.iter(read));
    c.bench_function("decode of a chunk to a block", |b| b.iter(block));
    beside("decode of a chunk", "serde_json into plain vectors", |_| read(), |_| plain());
    beside("decode of a chunk to a block", "serde_json into plain vectors", |_| block(), |_| plain());
}

/// A count with a filter on two figures, with other bounds each time.
fn of_two_figures(_: &mut Criterion) {
    two_figures(300);
    if std::env::var_os("LARGE").is_some() {
        two_figures(3000);
    }
}

fn two_figures(months: usize) {
    let bridge = Bridge::of(months);
    let [first, second] = [0, 1].map(|measure| bridge.figure(measure));
    let columns = Columns::of(&bridge.page(&format!("$select={first},{second}")));
    let mut rng = Rng::with_seed(SEED);
    let bounds: Vec<(i64, i64)> = (0..TURNS).map(|_| (rng.i64(0..5000), rng.i64(0..5000))).collect();
    let ours = |turn: usize| {
        let (above, below) = bounds[turn];
        bridge.count(&format!("$filter={first} gt {above} and {second} lt {below}"))
    };
    let theirs = |turn: usize| columns.count(bounds[turn].0, bounds[turn].1) as u64;
    for turn in 0..3 {
        assert_eq!(ours(turn), theirs(turn));
    }
    let name = format!("count with a filter on two figures, {} rows", bridge.count(""));
    beside(&name, "arrow's Int64 kernels", ours, theirs);
}

/// Prints how long two kinds of the same work take, measured by turns so that both meet the same machine.
fn beside<A, B>(name: &str, other: &str, ours: impl Fn(usize) -> A, theirs: impl Fn(usize) -> B) {
    let took = (0..TURNS).map(|turn| (timed(|| ours(turn)), timed(|| theirs(turn))));
    let (ours, theirs): (Vec<_>, Vec<_>) = took.unzip();
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("{name}: {ours:.2?}; {other}: {theirs:.2?}; ratio {ratio:.2}");
}

/// What the work gives is dropped after it was timed.
fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    let given = black_box(work());
    let took = began.elapsed();
    drop(given);
    took
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() / 2]
}

criterion_group! {
    name = stages;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = of_a_query, of_a_chunk, of_two_figures
}
criterion_main!(stages);
