//! What may be asked of the upstream in an hour, by one client and by everybody.

use std::time::Duration;

use jobindsats_bridge::settings::BridgeSettings;

use crate::support::app::{Answer, App, AppOptions};

const FIRST: &str = "203.0.113.7";
const SECOND: &str = "203.0.113.8";

async fn app(settings: BridgeSettings) -> App {
    let settings = BridgeSettings { trusted_proxies: "127.0.0.1".parse().unwrap(), ..settings };
    App::with(AppOptions { settings, ..AppOptions::default() }).await
}

fn defaults() -> BridgeSettings {
    AppOptions::default().settings
}

/// One small question that is in no store yet.
fn question(number: u32) -> String {
    format!(
        "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '20{:02}M{:02}'",
        25 - number / 12,
        number % 12 + 1
    )
}

async fn ask(app: &App, number: u32, client: &str) -> Answer {
    app.get_with(&question(number), &[("X-Forwarded-For", client)]).await
}

fn wait(answer: &Answer) -> Duration {
    Duration::from_secs(answer.header("Retry-After").parse().unwrap())
}

#[actix_web::test]
async fn a_client_that_has_used_up_its_own_budget_gets_429_and_others_go_on() {
    let app = app(BridgeSettings { client_calls_per_hour: Some(5), ..defaults() }).await;
    for number in 0..5 {
        assert_eq!(ask(&app, number, FIRST).await.status, 200);
    }
    let refused = ask(&app, 5, FIRST).await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "ClientBudgetExhausted"));
    assert!(wait(&refused) <= Duration::from_secs(3661), "{refused:?}");
    assert_eq!(ask(&app, 5, SECOND).await.status, 200, "another client's budget is another");
    assert_eq!(ask(&app, 5, FIRST).await.status, 200, "what is stored is answered");
    assert_eq!(app.data_requests(), 6);
    app.clock.advance(wait(&refused));
    assert_eq!(ask(&app, 6, FIRST).await.status, 200, "after the time that was told");
}

#[actix_web::test]
async fn when_everybodys_budget_is_used_up_new_questions_get_503_and_stored_figures_are_answered() {
    let app = app(BridgeSettings { upstream_calls_per_hour: Some(20), ..defaults() }).await;
    let mut answers = Vec::new();
    for number in 0..60 {
        answers.push(ask(&app, number, &format!("203.0.113.{number}")).await);
    }
    let (answered, refused) = answers.split_at(20);
    assert!(answered.iter().all(|answer| answer.status == 200));
    for answer in refused {
        assert_eq!((answer.status, answer.code().as_str()), (503, "BudgetExhausted"), "{answer:?}");
        assert!(wait(answer) >= Duration::from_secs(1));
    }
    assert_eq!(app.data_requests(), 20);
    assert_eq!(ask(&app, 7, FIRST).await.body, answers[7].body);
}

#[actix_web::test]
async fn cells_are_counted_as_well_as_calls_and_what_never_fits_is_refused_for_good() {
    let app = app(BridgeSettings { client_cells_per_hour: Some(100), ..defaults() }).await;
    assert_eq!(ask(&app, 0, FIRST).await.status, 200);
    let huge = "/odata/jobindsats/y25i01/Kommuner?$filter=Periode eq '2026M06'";
    let refused = app.get_with(huge, &[("X-Forwarded-For", FIRST)]).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "BeyondBudget"), "{refused:?}");
    assert_eq!(refused.header("Retry-After"), "");
    assert_eq!(app.data_requests(), 1);
}

#[actix_web::test]
async fn a_header_that_no_trusted_proxy_wrote_makes_no_new_client() {
    let settings = BridgeSettings { client_calls_per_hour: Some(2), ..defaults() };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    for number in 0..2 {
        assert_eq!(ask(&app, number, &format!("203.0.113.{number}")).await.status, 200);
    }
    assert_eq!(ask(&app, 2, SECOND).await.status, 429);
}

#[actix_web::test]
async fn past_their_age_stored_figures_are_served_when_the_budget_is_used_up() {
    let app = app(BridgeSettings { client_calls_per_hour: Some(1), ..defaults() }).await;
    let first = ask(&app, 0, FIRST).await;
    app.clock.advance(Duration::from_secs(25 * 3600));
    assert_eq!(ask(&app, 1, FIRST).await.status, 200);
    let stale = ask(&app, 0, FIRST).await;
    assert_eq!((stale.status, stale.rows()), (200, first.rows()));
    assert_eq!(stale.header("Age"), (25 * 3600).to_string());
}

#[actix_web::test]
async fn metrics_show_every_budget() {
    let app = app(BridgeSettings {
        client_calls_per_hour: Some(2),
        upstream_cells_per_hour: Some(9000),
        ..defaults()
    })
    .await;
    for number in 0..3 {
        ask(&app, number, FIRST).await;
    }
    let metrics = app.get("/metrics").await.text();
    for line in [
        r#"jobindsats_bridge_budget_limit{resource="upstream_calls",share="client"} 2"#,
        r#"jobindsats_bridge_budget_used{resource="upstream_calls",share="client"} 2"#,
        r#"jobindsats_bridge_budget_refusals_total{resource="upstream_calls",share="client"} 1"#,
        r#"jobindsats_bridge_budget_limit{resource="upstream_cells",share="everybody"} 9000"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
}
