//! Documents that were made before and are sent as they are: nothing shows whether one was.

use std::time::Duration;

use jobindsats_bridge::simulator::Publish;

use crate::support::app::{Answer, App};
use crate::support::signed_in::SignedIn;

const DOCUMENTS: [&str; 4] =
    ["/odata/", "/odata/$metadata", "/odata/jobindsats/y25i01/", "/odata/jobindsats/y25i01/$metadata"];

/// What a client sees of an answer, without what differs from one to the next.
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, &[u8]) {
    let shown = |name: &&str| !["date", "server-timing"].contains(name);
    let names = answer.headers.keys().map(|name| name.as_str()).filter(shown);
    let headers = names.map(|name| (name.to_owned(), answer.header(name).to_owned()));
    (answer.status, headers.collect(), &answer.body)
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
async fn an_updated_table_has_new_documents() {
    let app = App::start().await;
    let (service, metadata) = ("/odata/jobindsats/y25i01/", "/odata/jobindsats/y25i01/$metadata");
    for path in [service, metadata] {
        app.get(path).await;
    }
    let before = app.get(metadata).await;
    let publish = Publish { table: "y25i01".to_owned(), revise_published: true, after_data_requests: 0 };
    app.upstream().publish(&publish).unwrap();
    app.clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(app.get("/odata/jobindsats/y25i01/Landet?$top=1").await.status, 200);
    let after = app.get(metadata).await;
    assert_ne!(after.text(), before.text());
    assert_eq!(seen(&app.get(metadata).await), seen(&after));
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
            if path == "/odata/" {
                assert_ne!(all.body, some.body);
            }
        }
    }
}
