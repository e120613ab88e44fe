//! Documents that were made before and are sent as they are: nothing shows whether one was.

use std::time::Duration;

use jobindsats_bridge::simulator::{Endpoint, Faults, Publish};

use crate::support::app::{Answer, App};
use crate::support::signed_in::SignedIn;

const DOCUMENTS: [&str; 4] =
    ["/odata/", "/odata/$metadata", "/odata/jobindsats/y25i01/", "/odata/jobindsats/y25i01/$metadata"];

/// What a client sees of an answer, without what differs from one to the next.
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, &[u8]) {
    let shown = |name: &&str| !["date", "server-timing"].contains(name);
    let names = answer.headers.keys().map(|name| name.as_str()).filter(shown);
    let mut headers: Vec<_> = names.map(|name| (name.to_owned(), answer.header(name).to_owned())).collect();
    headers.sort_unstable();
    (answer.status, headers, &answer.body)
}

#[actix_web::test]
async fn a_document_that_was_made_before_is_answered_as_the_first_time() {
    let app = App::start().await;
    for path in DOCUMENTS {
        for headers in [
            &[][..],
            &[("Accept-Encoding", "gzip")],
            &[("Accept-Encoding", "br")],
            &[("Accept", "application/json;odata.metadata=none")],
            &[("OData-MaxVersion", "4.0")],
            &[("Host", "statistik.example.org")],
            &[("Prefer", "include-annotations=\"-*\"")],
        ] {
            let first = app.get_with(path, headers).await;
            for _ in 0..2 {
                let again = app.get_with(path, headers).await;
                assert_eq!(seen(&again), seen(&first), "{path} {headers:?}");
            }
            let tag = first.header("ETag");
            let held: Vec<_> = headers.iter().copied().chain([("If-None-Match", tag)]).collect();
            let expected = if first.status == 200 { 304 } else { first.status };
            assert_eq!(app.get_with(path, &held).await.status, expected, "{path} {headers:?}");
        }
    }
    let here = app.get("/odata/").await.text();
    assert!(!here.contains("statistik.example.org"), "{here}");
}

#[actix_web::test]
async fn an_updated_table_has_no_documents_until_it_is_read_again() {
    let app = App::start().await;
    let (metadata, rows) = ("/odata/jobindsats/y25i01/$metadata", "/odata/jobindsats/y25i01/Landet?$top=1");
    let at_hand = || app.service.state.feeds.at_hand(Some("y25i01")).map(|feed| feed.schema_id);
    assert_eq!(at_hand(), None, "its metadata was not read yet");
    assert_eq!(app.get(metadata).await.status, 200);
    let before = at_hand();
    let publish = Publish { table: "y25i01".to_owned(), revise_published: true, after_data_requests: 0 };
    app.upstream().publish(&publish).unwrap();
    app.clock.advance(Duration::from_secs(16 * 60));
    let failing = Faults { server_error: 50, endpoint: Endpoint::Table, ..Faults::default() };
    app.upstream().set_faults(failing);
    assert_eq!(app.get(rows).await.status, 200);
    assert_eq!(
        (before.is_some(), at_hand()),
        (true, None),
        "the list has another date, and the table is not read"
    );
    app.upstream().reset_faults();
    app.clock.advance(Duration::from_secs(60));
    assert_eq!(app.get(metadata).await.status, 200);
    assert_eq!(at_hand(), before, "its schema is the same");
}

#[actix_web::test]
async fn a_document_that_was_made_for_one_reader_is_not_given_to_another() {
    let signed = SignedIn::start().await;
    for _ in 0..3 {
        for (path, status) in [
            ("/odata/", 200),
            ("/odata/jobindsats/y25i01/", 200),
            ("/odata/jobindsats/y25i03/", 403),
            ("/odata/jobindsats/y25i03/$metadata", 403),
        ] {
            let (all, some) = (signed.anne(path).await, signed.keyed(&signed.key, path).await);
            assert_eq!((all.status, some.status), (200, status), "{path}");
            assert_eq!(signed.app.get(path).await.status, 401, "{path}");
        }
    }
}
