//! Paging: all pages of a download belong to one revision, whatever happens between them, and a late page costs no more than the
//! first.

use std::time::Duration;

use jobindsats_bridge::simulator::Publish;
use serde_json::Value;

use crate::support::app::{Answer, App, AppOptions};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const TABLE: &str = "/odata/jobindsats/y25i01";

/// The outcome of a download.
struct Download {
    pages: Vec<Vec<Value>>,
    counts: Vec<Option<u64>>,
    /// The answer that ended it, if that was not a page.
    refused: Option<Answer>,
}

impl Download {
    fn rows(&self) -> Vec<Value> {
        self.pages.concat()
    }
}

/// Follows the next links; before each page something may happen.
async fn download(app: &App, path: &str, page_size: u64, mut before: impl FnMut(usize)) -> Download {
    let prefer = format!("maxpagesize={page_size}");
    let mut download = Download { pages: Vec::new(), counts: Vec::new(), refused: None };
    let mut next = Some(path.to_owned());
    while let Some(link) = next {
        before(download.pages.len());
        let answer = app.get_with(&link, &[("Prefer", &prefer)]).await;
        if answer.status != 200 {
            download.refused = Some(answer);
            break;
        }
        let body = answer.json();
        assert!(body["value"].as_array().unwrap().len() as u64 <= page_size);
        download.pages.push(answer.rows());
        download.counts.push(body["@odata.count"].as_u64());
        next = body["@odata.nextLink"].as_str().map(str::to_owned);
    }
    download
}

#[actix_web::test]
async fn a_page_that_its_revision_no_longer_has_is_410_and_never_of_another_one() {
    let mut options = AppOptions::default();
    options.settings.cell_limit = 1000;
    let app = App::with(options).await;
    let path = format!("{TABLE}/Kommuner?$select=Periode,Område_id,Antal_ledige_personer");
    let publish = Publish { table: "y25i01".to_owned(), revise_published: true, after_data_requests: 0 };
    let expected = app.get(&format!("{path}&$top=300")).await.rows();
    let found = download(&app, &path, 90, |page| {
        if page == 2 {
            app.clock.advance(DAY);
            app.upstream().publish(&publish).unwrap();
        }
    })
    .await;
    let refused = found.refused.as_ref().expect("later chunks were not in store");
    assert_eq!((refused.status, refused.code().as_str()), (410, "RevisionGone"));
    let rows = found.rows();
    let both = rows.len().min(expected.len());
    assert!(rows.len() >= 180);
    assert_eq!(rows[..both], expected[..both]);
}

#[actix_web::test]
async fn with_top_the_links_end_after_that_many_rows() {
    let app = App::start().await;
    let base = format!("{TABLE}/Kommuner?$filter=Periode ge '2026M05'");
    for (top, page_size) in [(1, 1), (10, 3), (12, 4), (98, 97), (0, 5)] {
        let found = download(&app, &format!("{base}&$top={top}"), page_size, |_| {}).await;
        assert_eq!(found.rows().len(), top, "$top={top}, pages of {page_size}");
        assert!(found.pages.iter().all(|page| !page.is_empty()) || top == 0, "no page is empty");
    }
}

#[actix_web::test]
async fn deep_pages_cost_what_first_pages_cost() {
    let mut options = AppOptions::default();
    options.settings.cell_limit = 1000;
    let app = App::with(options).await;
    let mut costs = Vec::new();
    let mut before = app.data_requests();
    let path = format!("{TABLE}/Kommuner?$select=Periode,Område_id");
    let mut next = Some(path);
    while let Some(link) = next.filter(|_| costs.len() < 12) {
        let answer = app.get_with(&link, &[("Prefer", "maxpagesize=98")]).await;
        let now = app.data_requests();
        costs.push(now - before);
        before = now;
        next = answer.json()["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(costs.len(), 12);
    let most = costs.iter().max().unwrap();
    assert!(*most <= 2, "one page asks for no more than the chunks it shows: {costs:?}");
    assert!(costs.iter().skip(6).sum::<u64>() <= costs.iter().take(6).sum(), "{costs:?}");
}

/// How many chunks have been looked up in the store so far.
async fn chunks_opened(app: &App) -> u64 {
    let metrics = app.get("/metrics").await.text();
    let count = metrics.lines().find_map(|line| line.strip_prefix("jobindsats_bridge_cache_requests_total "));
    count.unwrap().parse().unwrap()
}

#[actix_web::test]
async fn a_page_opens_the_chunks_that_it_shows_however_deep_it_is() {
    let mut options = AppOptions::default();
    options.settings.cell_limit = 120;
    let app = App::with(options).await;
    let path = format!("{TABLE}/Kommuner?$filter=Periode ge '2026M04'&$select=Periode,Område_id");
    let whole = app.all_rows(&path).await;
    let mut opened = Vec::new();
    let mut before = chunks_opened(&app).await;
    let (mut rows, mut next) = (Vec::new(), Some(path));
    while let Some(link) = next {
        let answer = app.get_with(&link, &[("Prefer", "maxpagesize=10")]).await;
        let now = chunks_opened(&app).await;
        opened.push(now - before);
        before = now;
        rows.extend(answer.rows());
        next = answer.json()["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(rows, whole);
    assert!(opened.len() > 25, "{opened:?}");
    // Forty rows to a chunk: ten more and the first of the next page lie in at most two.
    assert!(opened.iter().all(|&opened| (1..=2).contains(&opened)), "{opened:?}");
}

#[actix_web::test]
async fn a_token_serves_its_own_query_alone() {
    let app = App::start().await;
    let path = format!("{TABLE}/Kommuner?$filter=Periode ge '2026M05'&$select=Periode");
    let first = app.get_with(&path, &[("Prefer", "maxpagesize=5")]).await.json();
    let link = first["@odata.nextLink"].as_str().unwrap();
    let token = link.split_once("$skiptoken=").unwrap().1;
    assert_eq!(app.get(link).await.status, 200);
    let spelled =
        format!("{TABLE}/Kommuner?select=Periode&%24filter=Periode%20ge%20%272026M05%27&$skiptoken={token}");
    assert_eq!(app.get(&spelled).await.status, 200, "the same query in another spelling");
    for name in ["$skiptoken", "%24skiptoken", "skiptoken", "$SkipToken", "$%73kiptoken"] {
        let link = format!("{path}&{name}={token}");
        let page = app.get_with(&link, &[("Prefer", "maxpagesize=5")]).await.json();
        let next = page["@odata.nextLink"].as_str().unwrap_or_else(|| panic!("{link}: {page}"));
        assert_eq!(next.to_lowercase().matches("kiptoken").count(), 1, "{next}");
        assert!(next.contains("&$skiptoken=") && app.get(next).await.status == 200, "{next}");
    }
    for (other, code) in [
        (format!("{TABLE}/Kommuner?$skiptoken={token}"), "SkipTokenOfAnotherQuery"),
        (
            format!("{TABLE}/Landet?$filter=Periode ge '2026M05'&$select=Periode&$skiptoken={token}"),
            "SkipTokenOfAnotherQuery",
        ),
        (format!("{path}&$top=7&$skiptoken={token}"), "SkipTokenOfAnotherQuery"),
        (format!("/odata/Datasets?$skiptoken={token}"), "SkipTokenOfAnotherQuery"),
        (format!("{path}&$skiptoken={}", &token[1..]), "DamagedSkipToken"),
        (format!("{path}&$skiptoken={token}A"), "DamagedSkipToken"),
        (format!("{path}&$skiptoken="), ""),
    ] {
        let answer = app.get(&other).await;
        assert_eq!(answer.status, 400, "{other}: {}", answer.text());
        assert!(code.is_empty() || answer.code() == code, "{other}: {}", answer.text());
    }
}

#[actix_web::test]
async fn the_page_size_that_was_used_is_said() {
    let mut options = AppOptions::default();
    options.settings.page_rows = 50;
    let app = App::with(options).await;
    for (wished, used) in [("maxpagesize=10", 10), ("odata.maxpagesize=1000000", 50)] {
        let answer = app.get_with(&format!("{TABLE}/Kommuner"), &[("Prefer", wished)]).await;
        let prefix = wished.split('=').next().unwrap();
        assert_eq!(answer.header("Preference-Applied"), format!("{prefix}={used}"));
        assert_eq!(answer.rows().len(), used);
    }
}

#[actix_web::test]
async fn the_first_rows_of_an_order_are_those_of_the_whole_order() {
    let mut options = AppOptions::default();
    options.settings.cell_limit = 1_000;
    let app = App::with(options).await;
    // Many equal levels and many hidden or equal figures, in chunks of some hundred rows.
    for order in ["Områdeniveau", "Antal_ledige_personer desc", "Områdeniveau desc,Antal_ledige_personer"] {
        let path = format!(
            "{TABLE}/Hovedtal?$filter=Periode ge '2025M08'&$select=Periode,Område_id,Antal_ledige_personer&$orderby={order}"
        );
        let whole = app.all_rows(&path).await;
        assert!(whole.len() > 1_000);
        for (skip, top) in [(0, 1), (0, 100), (3, 5), (990, 40), (whole.len() - 2, 9)] {
            let part = app.get(&format!("{path}&$skip={skip}&$top={top}&$count=true")).await;
            assert_eq!(part.rows(), whole[skip..(skip + top).min(whole.len())], "{order}, {skip}, {top}");
            assert_eq!(part.json()["@odata.count"], whole.len());
        }
        let paged = download(&app, &format!("{path}&$top=250&$count=true"), 97, |_| {}).await;
        assert_eq!(paged.rows(), whole[..250], "{order}");
        assert_eq!(paged.counts[0], Some(whole.len() as u64));
    }
}
