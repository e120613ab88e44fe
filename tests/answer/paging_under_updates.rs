//! A table is updated during a download, between two pages or within one. Everything that is sent belongs to one revision: either
//! the whole answer, or its beginning followed by 410.

use std::cell::Cell;
use std::time::Duration;

use jobindsats_bridge::simulator::{Endpoint, Faults, Publish};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use crate::support::app::{App, AppOptions};

const CASES: u32 = 100;
const TABLES: [&str; 2] = ["y25i01", "y25i08"];
const RECENT: &str = "Fra ge 2025-12-01";

/// When the table is updated.
#[derive(Debug, Clone)]
enum Moment {
    /// Before that page, so long after the one before it.
    Between { page: usize, minutes: u64 },
    /// Behind that many of its data requests, while the clock stands.
    Within { data_requests: u64 },
}

#[derive(Debug, Clone)]
struct Case {
    table: &'static str,
    options: String,
    page_size: usize,
    cell_limit: u64,
    moment: Moment,
}

impl Case {
    fn path(&self) -> String {
        format!("/odata/jobindsats/{}/{}", self.table, self.options)
    }
}

fn moments() -> impl Strategy<Value = Moment> {
    let between = (1_usize..4, prop::sample::select(vec![1, 16, 16, 25 * 60]));
    prop_oneof![
        4 => between.prop_map(|(page, minutes)| Moment::Between { page, minutes }),
        2 => (1_u64..40).prop_map(|data_requests| Moment::Within { data_requests }),
        1 => (1_u64..4).prop_map(|data_requests| Moment::Within { data_requests }),
    ]
}

fn options() -> impl Strategy<Value = String> {
    let sets = vec![
        "Kommuner?$filter=",
        "Kommuner?$filter=",
        "Hovedtal?$filter=",
        "Hovedtal?$filter=",
        "Fordelt_på_Køn?$filter=Område_id in ('T','1','2') and ",
        "Fordelt_på_A_kasse?$filter=Områdekode in ('000','101') and ",
        "Data?$filter=Køn_id ne '1' and Alder_id eq 'T' and Herkomst_id eq 'T' and Ydelsesgrupper_id eq 'T' and A_kasse_id eq 'T' and ",
    ];
    let filter = vec!["", " and startswith(Område,'H')", " and (Områdekode eq '000' or Område gt 'S')"];
    let order =
        vec!["", "", "", "", "&$orderby=Område,Periode", "&$orderby=Status,Område desc", "&$orderby=Periode"];
    let top = vec!["", "", "&$top=97", "&$top=250"];
    let skip = vec!["", "", "&$skip=5"];
    let select = prop::sample::select;
    (select(sets), select(filter), select(order), select(top), select(skip)).prop_map(
        |(set, filter, order, top, skip)| format!("{set}{RECENT}{filter}{order}{top}{skip}&$count=true"),
    )
}

fn cases() -> impl Strategy<Value = Case> {
    let cell_limit = prop::sample::select(vec![60_u64, 60, 250, 1000, 200_000]);
    (prop::sample::select(TABLES.to_vec()), options(), 20_usize..70, cell_limit, moments()).prop_map(
        |(table, options, page_size, cell_limit, moment)| Case {
            table,
            options,
            page_size,
            cell_limit,
            moment,
        },
    )
}

fn publish(table: &str, after_data_requests: u64) -> Publish {
    Publish { table: table.to_owned(), revise_published: true, after_data_requests }
}

/// The rows without the column that says when they were seen to change, and how many there are in all, if that was asked for.
fn figures(body: &Value) -> (Vec<Value>, Option<u64>) {
    let mut rows = body["value"].as_array().unwrap().clone();
    rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("Opdateret").unwrap()));
    (rows, body["@odata.count"].as_u64())
}

/// The rows that were sent, all pages together, and whether the last answer was 410.
async fn download(case: &Case) -> Result<(Vec<Value>, Vec<Option<u64>>, bool), TestCaseError> {
    let mut options = AppOptions::default();
    options.settings.cell_limit = case.cell_limit;
    let app = App::with(options).await;
    app.get(&format!("/odata/jobindsats/{}/", case.table)).await;
    if let Moment::Within { data_requests } = case.moment {
        app.upstream().publish(&publish(case.table, data_requests)).unwrap();
    }
    let prefer = format!("maxpagesize={}", case.page_size);
    let (mut rows, mut counts, mut next) = (Vec::new(), Vec::new(), Some(case.path()));
    while let Some(link) = next {
        if let Moment::Between { page, minutes } = case.moment
            && page == counts.len()
        {
            app.clock.advance(Duration::from_secs(60 * minutes));
            app.upstream().publish(&publish(case.table, 0)).unwrap();
        }
        let answer = app.get_with(&link, &[("Prefer", &prefer)]).await;
        if answer.status != 200 {
            prop_assert_eq!(answer.status, 410, "{}", answer.text());
            prop_assert_eq!(answer.code(), "RevisionGone");
            return Ok((rows, counts, true));
        }
        let body = answer.json();
        let (page, count) = figures(&body);
        prop_assert!(page.len() <= case.page_size);
        rows.extend(page);
        counts.push(count);
        next = body["@odata.nextLink"].as_str().map(str::to_owned);
    }
    Ok((rows, counts, false))
}

#[test]
fn a_download_is_the_whole_answer_of_one_revision_or_ends_in_410() {
    let config =
        Config { cases: CASES, max_shrink_iters: 50, failure_persistence: None, ..Config::default() };
    // The same cases every time, so that it is certain that both outcomes are among them.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let system = actix_web::rt::System::new();
    let (before, after) = system.block_on(async { (App::start().await, App::start().await) });
    TABLES.iter().for_each(|table| after.upstream().publish(&publish(table, 0)).unwrap());
    let (whole, gone, changed) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let check = |case: Case| {
        system.block_on(async {
            let (old, count_of_old) = figures(&before.get(&case.path()).await.json());
            let (new, count_of_new) = figures(&after.get(&case.path()).await.json());
            let (rows, counts, ended) = download(&case).await?;
            changed.set(changed.get() + u32::from(old != new));
            let (expected, count) =
                match old.starts_with(&rows) && counts.iter().all(|found| *found == count_of_old) {
                    true => (&old, count_of_old),
                    false => (&new, count_of_new),
                };
            let alike =
                |whole: &[Value]| rows.iter().zip(whole).take_while(|(row, other)| row == other).count();
            prop_assert!(
                expected.starts_with(&rows),
                "of {} rows, {} are as before the update and {} as after it",
                rows.len(),
                alike(&old),
                alike(&new)
            );
            prop_assert!(counts.iter().all(|found| *found == count), "every page has the same count");
            prop_assert!(ended || rows.len() == expected.len(), "the last page is missing");
            let outcome = if ended { &gone } else { &whole };
            outcome.set(outcome.get() + 1);
            Ok(())
        })
    };
    runner.run(&cases(), check).unwrap();
    assert!(changed.get() > CASES / 2, "an update that changes nothing proves nothing: {changed:?}");
    assert!(whole.get() > 1 && gone.get() > 1, "{whole:?} whole, {gone:?} ended in 410");
}

/// The list of tables says that a table was updated, and its metadata cannot be read until after the first page, which therefore lacks the
/// new periods. What comes then has them, so that pages that depend on all rows do not fit the first.
#[actix_web::test]
async fn periods_that_become_known_between_two_pages_of_an_order_end_it_in_410() {
    let prefer = [("Prefer", "maxpagesize=50")];
    for (options, goes_on) in [
        (format!("Kommuner?$filter={RECENT}&$count=true"), true),
        (format!("Kommuner?$filter={RECENT}&$orderby=Antal_ledige_fuldtidspersoner desc&$count=true"), false),
        (format!("Kommuner?$filter={RECENT}&$orderby=Periode,Område"), false),
        (format!("Kommuner?$apply=filter({RECENT})/groupby((Område),aggregate($count as N))"), false),
    ] {
        let app = App::start().await;
        let path = format!("/odata/jobindsats/y25i01/{options}");
        let before = app.get(&path).await;
        assert_eq!(before.status, 200, "{path}: {}", before.text());
        app.upstream().publish(&publish("y25i01", 0)).unwrap();
        let failing = Faults { server_error: 50, endpoint: Endpoint::Table, ..Faults::default() };
        app.upstream().set_faults(failing);
        app.clock.advance(Duration::from_secs(16 * 60));
        let first = app.get_with(&path, &prefer).await.json();
        assert_eq!(first["value"].as_array().unwrap().len(), 50, "{path}");
        app.upstream().reset_faults();
        app.clock.advance(Duration::from_secs(60));
        let second = app.get_with(first["@odata.nextLink"].as_str().unwrap(), &prefer).await;
        match goes_on {
            true => assert_eq!(second.status, 200, "{path}: {}", second.text()),
            false => assert_eq!((second.status, second.code().as_str()), (410, "RevisionGone"), "{path}"),
        }
    }
}
