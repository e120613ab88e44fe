//! The memory of answers on their way is one budget for all clients.

use std::time::{Duration, Instant};

use jobindsats_bridge::settings::BridgeSettings;
use tokio::time::timeout;

use crate::support::app::{Answer, App, AppOptions};
use crate::support::patience::{PATIENCE, until};
use crate::support::wire::unread;

const MEGABYTE: u64 = 1024 * 1024;
/// A page of 50,000 rows.
const LARGE: &str = "/odata/jobindsats/y01dia02/Fordelt_p%C3%A5_A_kasse";
const SMALL: &str = "/odata/jobindsats/y25i01/Landet?$top=1";

async fn app(answers_mb: u64) -> App {
    let settings = BridgeSettings { answers_mb, ..AppOptions::default().settings };
    App::with(AppOptions { settings, ..AppOptions::default() }).await
}

/// How many bytes answers hold.
async fn used(app: &App) -> u64 {
    let metrics = app.get("/metrics").await.text();
    let name = r#"jobindsats_bridge_budget_used{resource="answer_bytes",share="everybody"} "#;
    metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
}

async fn until_nothing_is_held(app: &App) {
    until("nothing is held", async || used(app).await == 0).await;
}

#[actix_web::test]
async fn readers_that_do_not_read_hold_no_more_than_the_budget_together() {
    let app = app(80).await;
    assert_eq!(app.get(LARGE).await.status, 200);
    until_nothing_is_held(&app).await;
    let get_large = format!("GET {LARGE} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut readers = Vec::new();
    for _ in 0..30 {
        readers.push(unread(app.service.address, get_large.as_bytes()).await);
    }
    until("answers hold much", async || used(&app).await > 20 * MEGABYTE).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let held = used(&app).await;
    assert!(held <= 80 * MEGABYTE, "{} MB", held / MEGABYTE);
    let began = Instant::now();
    let mut refused = app.get(LARGE).await;
    while refused.status == 200 {
        assert!(began.elapsed() < 2 * PATIENCE, "readers that do not read have taken everything by then");
        // Those that found no room while all asked at once have left; another takes what they left.
        readers.push(unread(app.service.address, get_large.as_bytes()).await);
        tokio::time::sleep(Duration::from_secs(1)).await;
        refused = app.get(LARGE).await;
    }
    assert_eq!((refused.status, refused.code().as_str()), (503, "BudgetExhausted"), "{}", refused.text());
    assert_eq!(refused.header("Retry-After"), "5");
    assert!(refused.text().contains("hukommelse"), "{}", refused.text());
    assert_eq!(app.get("/healthz").await.status, 200);
    let small = timeout(PATIENCE, app.get(SMALL)).await.expect("a small answer waits for nobody");
    assert_eq!(small.status, 200);
    drop(readers);
    until_nothing_is_held(&app).await;
    assert_eq!(app.get(LARGE).await.status, 200);
}

#[actix_web::test]
async fn what_can_never_fit_is_refused_at_once_and_small_answers_are_not() {
    let app = app(8).await;
    for path in [
        LARGE.to_owned(),
        format!("{LARGE}?$orderby=Periode desc"),
        format!("{LARGE}?$apply=groupby((Periode,A_kasse))"),
        LARGE.replace("/odata/jobindsats", "/export") + ".csv",
        LARGE.replace("/odata/jobindsats", "/export") + ".parquet",
    ] {
        // At once, or another status would say that there was no room in time.
        let answer = app.get(&path).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "BeyondBudget"),
            "{path}: {}",
            answer.text()
        );
        assert_eq!(app.get(SMALL).await.status, 200, "beside {path}");
    }
    until_nothing_is_held(&app).await;
}

/// A file that is sent page by page holds one of them; a workbook holds all until it is written.
#[actix_web::test]
async fn a_workbook_holds_all_of_its_pages() {
    let settings = BridgeSettings { answers_mb: 2, page_rows: 1000, ..AppOptions::default().settings };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let whole = "y25i01/Kommuner.x?";
    let year = "y25i01/Kommuner.x?$filter=Periode ge '2025M01'";
    let sheet = |set: &str| format!("/open/{}", set.replace(".x", ".xlsx"));
    let csv = app.get(&format!("/export/{}", whole.replace(".x", ".csv"))).await;
    assert!(csv.status == 200 && csv.text().lines().count() > 20_000, "{}", csv.status);
    // The file is made for those who come later; meanwhile there is no room for now.
    until("the workbook can never fit", async || {
        let refused = app.get(&sheet(whole)).await;
        assert!(refused.status == 503 || refused.status == 400, "{}", refused.text());
        refused.code() == "BeyondBudget"
    })
    .await;
    until_nothing_is_held(&app).await;
    assert_eq!(app.get(&sheet(year)).await.status, 200);
    let collection = "valg=y25i01%2FKommuner%3F%24filter%3DPeriode%20ge%20'2025M01'&".repeat(20);
    let refused = app.get(&format!("/open/samling.xlsx?{collection}")).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "BeyondBudget"), "{}", refused.text());
    until_nothing_is_held(&app).await;
}

/// Two that have room alone and may have none together: each is right or refused, neither asks for what is stored, and both give
/// their room back.
#[actix_web::test]
async fn two_workbooks_at_once_are_right_or_refused() {
    const MOST: usize = 13_000;
    let set = "y25i01/Kommuner.x?$filter=Periode ge '2016M01'";
    for answers_mb in [512, 3] {
        let settings = BridgeSettings {
            answers_mb,
            page_rows: 1000,
            max_rows: MOST as u64,
            ..AppOptions::default().settings
        };
        let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
        let csv = app.get(&format!("/export/{}", set.replace(".x", ".csv"))).await.text();
        let rows = csv.lines().count();
        assert!((MOST * 9 / 10..=MOST).contains(&rows), "near the limit: {rows}");
        // The file is made for those who come later; there is no room for more meanwhile.
        until_nothing_is_held(&app).await;
        let asked = app.data_requests();
        let sheet = format!("/open/{}", set.replace(".x", ".xlsx"));
        let is_right = |answer: &Answer| {
            let cells = crate::support::zip_part(&answer.body, "xl/worksheets/sheet1.xml");
            String::from_utf8(cells).unwrap().matches("<row ").count() == rows
        };
        let (one, other) = tokio::join!(app.get(&sheet), app.get(&sheet));
        for answer in [one, other] {
            if answer.status == 200 {
                assert!(is_right(&answer), "{answers_mb}");
            } else {
                let refused = (answer.status, answer.code());
                assert_eq!(refused, (503, "BudgetExhausted".to_owned()), "{answers_mb}: {}", answer.text());
                assert!(answers_mb < 512, "there is room for both");
            }
        }
        until_nothing_is_held(&app).await;
        let alone = app.get(&sheet).await;
        assert!(alone.status == 200 && is_right(&alone), "{answers_mb}: {}", alone.status);
        assert_eq!(app.data_requests(), asked, "{answers_mb}");
    }
}

#[actix_web::test]
async fn texts_that_are_written_count_while_the_answer_is_worked_out() {
    let app = app(64).await;
    let path = "/odata/jobindsats/y25i01/Kommuner/$count?$filter=";
    let plain = app.get(&format!("{path}contains(Område,'x')")).await;
    assert_eq!(plain.status, 200, "{}", plain.text());
    let long = ["contains(concat(concat(concat(Område,Periode),Område),concat(Område,Periode)),'§')"; 60];
    let answer = app.get(&format!("{path}{}", long.join(" or "))).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(["BeyondBudget", "TooMuchWork"].contains(&answer.code().as_str()), "{}", answer.text());
    until_nothing_is_held(&app).await;
}
