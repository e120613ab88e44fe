//! A morning of queries as people ask them: each figure is asked for once, few that no answer needs, in few requests.

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;

use fastrand::Rng;
use jobindsats_bridge::feed::{Extent, RowSource, Set};

use super::figures::{RequestedFigures, figures};
use super::queries::{Query, query};
use crate::support::app::App;

/// Tables of months, quarters and years; of two to eight measures; with no, few and many parts.
const TABLES: [&str; 8] = ["y25i01", "y25i01", "y25i03", "y01dia02", "y28a15", "y30r21", "y12a27", "ptvg01"];
const QUERIES: usize = 200;

/// What a morning took.
#[derive(Debug)]
struct Morning {
    calls: u64,
    asked: u64,
    distinct: u64,
    needed: u64,
}

/// Whether queries are made of a set: of those that the commit before had too, so that both are asked the same.
fn is_tried(set: &Set) -> bool {
    let RowSource::Cells(source) = &set.rows else { return false };
    !source.extents.iter().any(|extent| matches!(extent, Extent::Level { .. }))
}

/// The figures that an answer needs.
fn needed(query: &Query) -> Vec<u64> {
    let all = figures(&query.scope);
    let measures = query.scope.last().unwrap().0.len();
    // All measures of a place stand together, and places in the order of the rows.
    all.into_iter().take(query.places.map_or(usize::MAX, |places| places * measures)).collect()
}

async fn morning(seed: u64) -> Morning {
    let mut rng = Rng::with_seed(seed);
    let app = App::start().await;
    let mut needed_figures: BTreeMap<&str, HashSet<u64>> = BTreeMap::new();
    for number in 0..QUERIES {
        let table = *rng.choice(&TABLES).unwrap();
        let feed = app.service.state.feeds.table(table).await.unwrap();
        let sets: Vec<_> = feed.sets.iter().filter(|set| is_tried(set)).collect();
        let set = *rng.choice(&sets).unwrap();
        let RowSource::Cells(source) = &set.rows else { unreachable!() };
        let query = query(&mut rng, table, set, source);
        let answer = app.get(&query.path).await;
        assert_eq!(answer.status, 200, "seed {seed}, query {number}: {}: {}", query.path, answer.text());
        needed_figures.entry(table).or_default().extend(needed(&query));
    }
    let mut asked: BTreeMap<&str, RequestedFigures> = BTreeMap::new();
    let log = app.upstream().requests();
    assert_eq!(log.data, log.requests.len() as u64);
    for table in TABLES {
        asked.entry(table).or_default();
    }
    for (table, asked) in &mut asked {
        let measurement = app.service.state.catalogue.measurement(table).await.unwrap();
        for request in log.requests.iter().filter(|request| request.table == *table) {
            asked.add(&measurement, &request.target);
        }
        for figure in needed_figures.get(table).into_iter().flatten() {
            assert!(asked.times.contains_key(figure), "{table}: {figure} was needed and not asked for");
        }
    }
    Morning {
        calls: log.data,
        asked: asked.values().map(RequestedFigures::total).sum(),
        distinct: asked.values().map(|asked| asked.times.len() as u64).sum(),
        needed: needed_figures.values().map(|figures| figures.len() as u64).sum(),
    }
}

/// Calls that were needed while chunks were stored as they were asked for, by seed: measured at c97a84f, into which `tests/fetch/{figures,morning,queries}.rs` were
/// copied, by `MORNING_SEEDS=1,2,3,4,5,6,7,8 cargo test --test integration fetch::morning -- --nocapture`.
const CALLS_BEFORE: [(u64, u64); 8] =
    [(1, 168), (2, 169), (3, 132), (4, 143), (5, 157), (6, 162), (7, 138), (8, 169)];

/// Seeds that are tried where `MORNING_SEEDS` names no others, such as `2,3,17`.
const SEEDS: &str = "1,4";

#[actix_web::test]
async fn a_morning_of_queries_asks_for_each_figure_once() {
    let seeds = std::env::var("MORNING_SEEDS").unwrap_or_else(|_| SEEDS.to_owned());
    let mut broken = Vec::new();
    for seed in seeds.split(',').map(|seed| seed.parse().unwrap()) {
        let morning = morning(seed).await;
        let (asked, distinct, needed) =
            (morning.asked as f64, morning.distinct as f64, morning.needed as f64);
        let before =
            CALLS_BEFORE.iter().find(|(known, _)| *known == seed).map_or(u64::MAX, |(_, calls)| *calls);
        let (times, spare) = (asked / distinct, distinct / needed);
        let line = format!(
            "seed {seed}: {morning:?}; asked {times:.3} times, {spare:.3} of what was needed; {before} calls before"
        );
        let _ = writeln!(std::io::stdout(), "{line}");
        if times > 1.02 || spare > 1.5 || morning.calls > before {
            broken.push(line);
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
