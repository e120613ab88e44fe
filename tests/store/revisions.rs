//! Changed figures: with a new update date, without one, and during a download.

use std::time::Duration;

use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::Publish;
use serde_json::Value;

use crate::support::app::{App, AppOptions};

const TABLE: &str = "y25i01";
const ROWS: &str =
    "/odata/jobindsats/y25i01/Kommuner?$filter=Periode ge '2026M01' and Periode le '2026M06'&$top=10000";

fn small_chunks() -> AppOptions {
    let options = AppOptions::default();
    let settings = BridgeSettings { cell_limit: 600, ..options.settings };
    AppOptions { settings, ..options }
}

/// Rows without the column that tells when their figures were seen to change.
fn figures(rows: &[Value]) -> Vec<Value> {
    let mut rows = rows.to_vec();
    rows.iter_mut().for_each(|row| {
        row.as_object_mut().unwrap().remove("Opdateret").unwrap();
    });
    rows
}

/// The rows as a service sees them that meets the table in that edition.
async fn rows_of_edition(edition: i32) -> Vec<Value> {
    let app = App::with(small_chunks()).await;
    app.upstream().set_edition(Some(TABLE), edition).unwrap();
    figures(&app.all_rows(ROWS).await)
}

#[actix_web::test]
async fn changes_without_a_new_date_begin_a_revision_of_their_own() {
    let app = App::with(small_chunks()).await;
    let before = app.all_rows(ROWS).await;
    app.upstream().set_edition(Some(TABLE), 1).unwrap();
    assert_eq!(app.all_rows(ROWS).await, before, "within a day what is stored is believed");
    app.clock.advance(Duration::from_secs(25 * 3600));
    let after = app.all_rows(ROWS).await;
    assert_ne!(figures(&after), figures(&before), "the edition changes figures of these periods");
    assert_eq!(figures(&after), rows_of_edition(1).await, "not one old figure among the new");
    let app = app.restart().await;
    let asked = app.data_requests();
    assert_eq!(app.all_rows(ROWS).await, after, "the counter outlives a restart");
    assert_eq!(app.data_requests(), asked);
}

#[actix_web::test]
async fn a_download_stays_in_its_revision_or_ends() {
    let app = App::start().await;
    let whole = app.all_rows(ROWS).await;
    let first = app.get_with(ROWS, &[("Prefer", "odata.maxpagesize=50")]).await;
    let next = first.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    app.upstream().set_edition(Some(TABLE), 1).unwrap();
    app.clock.advance(Duration::from_secs(25 * 3600));
    assert_ne!(figures(&app.all_rows(ROWS).await), figures(&whole));
    let app = app.restart().await;
    // The address is another after the restart; the token is what counts.
    let next = format!("/odata{}", next.split_once("/odata").unwrap().1);
    let second = app.get_with(&next, &[("Prefer", "odata.maxpagesize=50")]).await;
    assert_eq!(second.rows(), whole[50..100], "the second page is of the first page's revision");
    for edition in [2, 3] {
        app.upstream().set_edition(Some(TABLE), edition).unwrap();
        app.clock.advance(Duration::from_secs(25 * 3600));
        app.all_rows(ROWS).await;
    }
    let third = app.get(&next).await;
    assert_eq!(third.status, 410, "{}", third.text());
}

#[actix_web::test]
async fn a_new_period_is_asked_for_as_soon_as_the_update_is_known() {
    let app = App::start().await;
    let all = "/odata/jobindsats/y25i01/Landet";
    app.get("/odata/jobindsats/y25i01/").await;
    let before =
        app.get(&format!("{all}&explain=plan").replace('&', "?")).await.json()["rows_at_most"].clone();
    app.upstream().publish(&Publish { table: TABLE.to_owned(), ..Publish::default() }).unwrap();
    app.clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(app.get("/odata/jobindsats/y25i03/Landet?$top=1").await.status, 200);
    assert_eq!(app.all_rows(all).await.len() as u64, before.as_u64().unwrap() + 1);
}

#[actix_web::test]
async fn an_update_in_the_middle_of_an_answer_has_it_read_again() {
    let app = App::with(small_chunks()).await;
    app.get("/odata/jobindsats/y25i01/").await;
    let publish = Publish { table: TABLE.to_owned(), after_data_requests: 2, ..Publish::default() };
    app.upstream().publish(&publish).unwrap();
    let mut faults = app.upstream().faults();
    faults.delay_ms = 30;
    app.upstream().set_faults(faults);
    let passing_time = async {
        while app.data_requests() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        app.clock.advance(Duration::from_secs(16 * 60));
    };
    let (rows, ()) = futures_util::join!(app.all_rows(ROWS), passing_time);
    assert_eq!(figures(&rows), rows_of_edition(1).await);
}

#[actix_web::test]
async fn changed_figures_are_counted_listed_and_shown() {
    let app = App::start().await;
    assert_eq!(app.get("/odata/Revisions").await.rows(), Vec::<Value>::new());
    let before = app.all_rows(ROWS).await;
    app.upstream().publish(&Publish { table: TABLE.to_owned(), ..Publish::default() }).unwrap();
    app.clock.advance(Duration::from_secs(16 * 60));
    let after = app.all_rows(ROWS).await;
    let revised = app.get("/odata/Revisions").await.rows();
    assert!(!revised.is_empty());
    for change in &revised {
        assert_eq!(change["Table"], TABLE);
        assert_ne!(change["Before"], change["After"]);
        let of_place =
            |row: &&Value| row["Periode"] == change["Period"] && row["Område_id"] == change["AreaId"];
        let (was, is) = (before.iter().find(of_place).unwrap(), after.iter().find(of_place).unwrap());
        assert_eq!(was["Område"], change["Area"]);
        assert!(was.as_object().unwrap().values().any(|value| *value == change["Before"]), "{change} {was}");
        assert!(is.as_object().unwrap().values().any(|value| *value == change["After"]), "{change} {is}");
        assert!(is["Opdateret"].as_str().unwrap() > was["Opdateret"].as_str().unwrap());
    }
    let ids: std::collections::BTreeSet<&str> =
        revised.iter().map(|row| row["Id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), revised.len());
    let metrics = app.get("/metrics").await.text();
    let count = format!("\njobindsats_bridge_revised_figures_total {}\n", revised.len());
    assert!(metrics.contains(&count), "{} in\n{metrics}", count.trim());
    assert!(app.get("/status").await.text().contains(&format!("{} tal er ændret", revised.len())));
    let app = app.restart().await;
    assert_eq!(app.get("/odata/Revisions").await.rows(), revised, "the list outlives a restart");
}
