//! Pages elsewhere: which may read answers, and what browsers are told before they ask.

use crate::support::app::{Answer, App, AppOptions};
use crate::support::signed_in::{PASSWORD, SignedIn, basic};

const LISTED: &str = "https://tal.kommune.example";
const ROWS: &str = "/odata/jobindsats/y25i01/Landet?$top=1";

fn listing(options: &mut AppOptions) {
    options.settings.cors_origins = vec!["http://localhost:3000".to_owned(), LISTED.to_owned()];
}

async fn open() -> App {
    let mut options = AppOptions::default();
    listing(&mut options);
    App::with(options).await
}

fn varies(answer: &Answer) -> bool {
    answer
        .headers
        .get_all("vary")
        .iter()
        .any(|vary| vary.to_str().unwrap().split(", ").any(|name| name == "Origin"))
}

fn allowed(answer: &Answer) -> (&str, &str) {
    (answer.header("Access-Control-Allow-Origin"), answer.header("Access-Control-Allow-Credentials"))
}

#[actix_web::test]
async fn pages_of_listed_origins_read_every_answer_and_its_headers() {
    let app = open().await;
    for path in [
        ROWS,
        "/odata/Datasets",
        "/export/y25i01/Landet.csv?$top=1",
        "/",
        "/nyt.atom",
        "/healthz",
        "/odata/Nothing",
        "/odata/Datasets?$filter=x",
        "/nothing",
        "/maaling/y99x99",
    ] {
        for method in ["GET", "HEAD", "DELETE"] {
            let answer = app.send(method, path, &[("Origin", LISTED)]).await;
            assert_eq!(allowed(&answer), (LISTED, "true"), "{method} {path} {}", answer.status);
            assert!(varies(&answer), "{method} {path}");
            let exposed = answer.header("Access-Control-Expose-Headers");
            for header in ["OData-Version", "Preference-Applied", "ETag", "Retry-After"] {
                assert!(exposed.contains(header), "{exposed}");
            }
        }
    }
    let first = app.get_with(ROWS, &[("Origin", LISTED)]).await;
    let held = [("Origin", LISTED), ("If-None-Match", first.header("ETag"))];
    let again = app.get_with(ROWS, &held).await;
    assert_eq!((again.status, allowed(&again)), (304, (LISTED, "true")));
    assert_eq!(
        app.get_with(ROWS, &[("Origin", "http://localhost:3000")])
            .await
            .header("Access-Control-Allow-Origin"),
        "http://localhost:3000"
    );
}

#[actix_web::test]
async fn a_page_elsewhere_reads_a_part_of_a_file() {
    let app = open().await;
    let path = "/export/y25i01/Landet.parquet?$top=5";
    assert_eq!(app.get(path).await.status, 200);
    // The file is made once its figures are there.
    let whole = app.get_with(path, &[("Origin", LISTED)]).await;
    let asked = [("Origin", LISTED), ("Range", "bytes=0-3"), ("If-Range", whole.header("ETag"))];
    let part = app.get_with(path, &asked).await;
    assert_eq!((part.status, allowed(&part)), (206, (LISTED, "true")));
    assert_eq!(part.text(), "PAR1");
    let exposed: Vec<_> = part.header("Access-Control-Expose-Headers").split(", ").collect();
    for header in ["Accept-Ranges", "Content-Range", "ETag"] {
        assert!(!part.header(header).is_empty() && exposed.contains(&header), "{header}: {exposed:?}");
    }
}

#[actix_web::test]
async fn other_origins_are_answered_without_permission() {
    let app = open().await;
    for origin in [
        "https://evil.example",
        "null",
        "*",
        "http://tal.kommune.example",
        "https://tal.kommune.example:8443",
        "https://tal.kommune.example.evil.example",
        "https://x.tal.kommune.example",
        "HTTPS://tal.kommune.example",
        "https://tal.kommune.example/",
        "https://tal.kommune.example, http://localhost:3000",
        "",
    ] {
        let answer = app.get_with(ROWS, &[("Origin", origin)]).await;
        assert_eq!((answer.status, allowed(&answer)), (200, ("", "")), "{origin}");
        assert!(varies(&answer), "{origin}");
        let asked = [("Origin", origin), ("Access-Control-Request-Method", "GET")];
        let told = app.send("OPTIONS", ROWS, &asked).await;
        assert_eq!(allowed(&told), ("", ""), "{origin}");
        assert_eq!(told.header("Access-Control-Allow-Methods"), "", "{origin}");
    }
    let twice = app.get_with(ROWS, &[("Origin", LISTED), ("Origin", "https://evil.example")]).await;
    assert_eq!(allowed(&twice), ("", ""));
    assert!(varies(&app.get(ROWS).await), "what is kept of an answer without origin is not for a page");
}

#[actix_web::test]
async fn a_browser_may_ask_before_anybody_signs_in() {
    let signed = SignedIn::with(listing).await;
    let asked = [
        ("Origin", LISTED),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "authorization,odata-maxversion,prefer"),
    ];
    for path in [ROWS, "/odata/jobindsats/y25i01/$batch", "/metrics", "/nothing"] {
        let told = signed.app.send("OPTIONS", path, &asked).await;
        assert_eq!((told.status, allowed(&told)), (204, (LISTED, "true")), "{path}");
        assert_eq!(told.header("Access-Control-Allow-Methods"), "GET, HEAD, POST");
        let headers = told.header("Access-Control-Allow-Headers");
        let sent = [
            "Authorization",
            "Content-Type",
            "If-Range",
            "OData-MaxVersion",
            "OData-Version",
            "Prefer",
            "Range",
        ];
        for header in sent {
            assert!(headers.split(", ").any(|listed| listed == header), "{headers}");
        }
        assert!(told.body.is_empty() && varies(&told), "{path}");
    }
    let refused = signed.app.get_with(ROWS, &[("Origin", LISTED)]).await;
    assert_eq!((refused.status, allowed(&refused)), (401, (LISTED, "true")), "the page reads why");
    let anne = basic("anne", PASSWORD.as_bytes());
    let answer = signed.app.get_with(ROWS, &[("Origin", LISTED), ("Authorization", &anne)]).await;
    assert_eq!((answer.status, allowed(&answer)), (200, (LISTED, "true")));
    let vary: Vec<&str> = answer.headers.get_all("vary").iter().map(|vary| vary.to_str().unwrap()).collect();
    assert!(vary.contains(&"Authorization") && vary.contains(&"Origin"), "{vary:?}");
    assert_eq!(
        signed.app.send("OPTIONS", ROWS, &[("Origin", LISTED)]).await.status,
        401,
        "that is no such question"
    );
}

#[actix_web::test]
async fn without_origins_no_answer_says_a_word_of_them() {
    let app = App::start().await;
    for method in ["GET", "OPTIONS"] {
        let asked = [("Origin", LISTED), ("Access-Control-Request-Method", "GET")];
        let answer = app.send(method, ROWS, &asked).await;
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{method}");
        assert!(!varies(&answer), "{method}");
    }
}
