//! Wrong clocks that are corrected: figures recorded in the future are fetched again, and no data is lost.

use jobindsats_bridge::simulator::Publish;

use crate::support::app::{App, morning};

const PATH: &str = "/odata/jobindsats/y25i01/Landet?$filter=Periode ge '2026M01'";
const TABLE: &str = "y25i01";

fn publish(app: &App) {
    let publish = Publish { table: TABLE.to_owned(), revise_published: true, ..Publish::default() };
    app.upstream().publish(&publish).unwrap();
}

/// Sends a query while the clock is so far ahead, then corrects the clock; the figures change in between.
async fn after_a_clock_ahead(days: i64, restart: bool) {
    let mut app = App::start().await;
    let ahead = chrono::Duration::days(days);
    for hour in 0..3 {
        app.clock.set(morning() + ahead + chrono::Duration::hours(hour));
        publish(&app);
        assert_eq!(app.get(PATH).await.status, 200);
    }
    app.clock.set(morning());
    publish(&app);
    if restart {
        app = app.restart().await;
    }
    let asked = app.data_requests();
    let answer = app.get(PATH).await;
    assert_eq!((answer.header("Age"), app.data_requests() - asked), ("0", 1), "{days} days, {restart}");
    let again = app.get(PATH).await;
    assert_eq!((again.rows(), app.data_requests() - asked), (answer.rows(), 1), "{days} days: stored");
    let wider = PATH.replace("2026M01", "2025M01");
    let first = app.get(&wider).await.rows();
    assert_eq!(first[..answer.rows().len()], answer.rows());
    let app = app.restart().await;
    let asked = app.data_requests();
    assert_eq!(app.get(PATH).await.rows(), answer.rows());
    assert_eq!(app.get(&wider).await.rows(), first);
    assert_eq!(app.data_requests(), asked, "{days} days: a restart loses nothing");
}

#[actix_web::test]
async fn a_clock_that_was_ahead_leaves_nothing_that_is_believed() {
    for days in [1, 365] {
        for restart in [false, true] {
            after_a_clock_ahead(days, restart).await;
        }
    }
}

#[actix_web::test]
async fn a_small_block_that_was_read_now_is_found_beside_a_large_one_from_the_future() {
    let app = App::start().await;
    app.clock.set(morning() + chrono::Duration::days(365));
    assert_eq!(app.get("/odata/jobindsats/y25i01/Landet").await.status, 200);
    app.clock.set(morning());
    assert_eq!(app.get(PATH).await.status, 200);
    let asked = app.data_requests();
    assert_eq!(app.get(PATH).await.status, 200);
    assert_eq!(app.data_requests(), asked);
}

#[actix_web::test]
async fn a_list_of_tables_from_tomorrow_is_looked_up_again() {
    let app = App::start().await;
    let looked_up = || app.upstream().requests().tables;
    let before = looked_up();
    app.clock.set(morning() - chrono::Duration::days(1));
    assert_eq!(app.get(PATH).await.status, 200);
    let after = looked_up();
    assert!(after > before);
    assert_eq!(app.get(PATH).await.status, 200);
    assert_eq!(looked_up(), after, "once is enough");
}
