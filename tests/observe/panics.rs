//! A panic ends what it happens in and nothing else: it is counted, logged with its request, and told to whoever asks.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use jobindsats_bridge::observe::panics::{count, watch};
use jobindsats_bridge::refresh::tasks;

use crate::support::app::{App, AppOptions, Background};
use crate::support::log::listen;
use crate::support::patience::until;

const ROWS: &str = "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M06'";

/// Watches the panics of this process as the program does, and shows them as tests need it.
fn watched() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        watch(move |panic| usual(panic));
    });
}

async fn counted(app: &App) -> u64 {
    let scrape = app.get("/metrics").await.text();
    let line = scrape.lines().find(|line| line.starts_with("jobindsats_bridge_panics_total ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[actix_web::test]
async fn a_panic_in_a_stage_ends_one_request_with_an_error_that_has_its_id() {
    watched();
    let options = AppOptions::default();
    let mut settings = options.settings;
    settings.trusted_proxies = "127.0.0.1".parse().unwrap();
    let app = App::with(AppOptions { settings, ..options }).await;
    let before = counted(&app).await;
    for (number, path) in [ROWS, "/maaling/y25i01", "/export/y25i01/Landet.csv?$top=1"].iter().enumerate() {
        app.service.state.workers.breakage.ask();
        let id = format!("broken-{number}");
        let broken = app.get_with(path, &[("X-Request-Id", &id)]).await;
        assert_eq!(broken.status, 500, "{path}: {}", broken.text());
        assert!(
            broken.text().contains("InternalError") && broken.text().contains(&id),
            "{path}: {}",
            broken.text()
        );
        assert_eq!(app.get(path).await.status, 200, "{path}: the service goes on");
    }
    assert!(counted(&app).await >= before + 3 && count() >= 3);
}

#[actix_web::test]
async fn a_panic_is_logged_with_the_request_that_it_happened_in() {
    watched();
    let heard = listen();
    let record = jobindsats_bridge::observe::request::RequestRecord::begin(
        jobindsats_bridge::observe::request::RequestId::given("broken-by-test").unwrap(),
        None,
    );
    let span = tracing::error_span!(target: "request", "request", request_id = %record.id);
    let caught = panic::catch_unwind(AssertUnwindSafe(|| {
        span.in_scope(|| panic::panic_any("something\nwrong"));
    }));
    assert!(caught.is_err());
    let log = heard.text();
    let line =
        log.lines().find(|line| line.contains("a defect of this program")).unwrap_or_else(|| panic!("{log}"));
    for part in ["broken-by-test", "something\\nwrong", "tests/observe/panics.rs"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[actix_web::test]
async fn every_task_of_the_background_is_started_again_and_readiness_tells_of_it() {
    watched();
    let app = App::with(AppOptions { background: Background::All, ..AppOptions::default() }).await;
    let ready = app.get("/readyz").await;
    assert_eq!((ready.status, ready.json()["reasons"].as_array().unwrap().len()), (200, 0));
    let told = async || {
        let ready = app.get("/readyz").await;
        assert_eq!(ready.status, 200, "figures are served all the same");
        ready.json()["reasons"][0]["code"] == "TaskPanicked"
    };
    let heard = listen();
    let panicked = || {
        let log = heard.text();
        let lines: Vec<_> = log.lines().filter(|line| line.contains("is started again")).collect();
        ["catalogue", "indicators", "read_ahead"]
            .map(|task| lines.iter().filter(|line| line.contains(&format!("task=\"{task}\""))).count())
    };
    // One that panics once more has been started again.
    for round in 1..=2 {
        let before = panicked().iter().sum::<usize>();
        for number in 1..=3 {
            app.service.state.tasks.breakage.ask();
            let has_panicked = async || panicked().iter().sum::<usize>() == before + number;
            until("a task that runs panics", has_panicked).await;
        }
        assert_eq!(panicked(), [round; 3]);
        assert!(told().await);
        app.pass(tasks::PAUSE).await;
    }
    assert_eq!(app.get(ROWS).await.status, 200);
    assert!(told().await, "for an hour");
    app.pass(std::time::Duration::from_secs(3600)).await;
    assert_eq!(app.get("/readyz").await.json()["reasons"].as_array().unwrap().len(), 0);
}
