//! HTTP: methods, conditional requests, content codings, slashes.

use std::io::Read;

use crate::support::app::App;
use crate::support::wire::{Wire, WireAnswer};

const TABLE: &str = "/odata/jobindsats/y25i01";

/// Paths of every kind of answer: small and large, kept and streamed, a single value and none.
const KINDS: [&str; 9] = [
    "/odata/",
    "/odata/$metadata",
    "/odata/Datasets",
    "/odata/jobindsats/y25i01/Kommuner?$top=900",
    "/odata/jobindsats/y25i01/Kommuner?$top=1",
    "/odata/jobindsats/y25i01/Properties",
    "/odata/jobindsats/y25i01/Landet(Periode='2026M06',Omr%C3%A5de_id='T')/Fra/$value",
    "/odata/jobindsats/y25i01/Landet(Periode='2026M06',Omr%C3%A5de_id='T')/Status",
    "/odata/jobindsats/y25i01/Nothing",
];

/// An error names its request, which no other answer does.
fn without_request_id(answer: &mut WireAnswer) {
    if answer.status() >= 400 && !answer.body.is_empty() {
        let mut error = answer.json();
        error["error"].as_object_mut().unwrap().remove("innererror").unwrap();
        answer.body = error.to_string().into_bytes();
    }
}

#[actix_web::test]
async fn head_is_answered_with_the_headers_of_get_and_no_body() {
    let app = App::start().await;
    for path in KINDS {
        for coding in ["identity", "gzip", "br"] {
            let mut wire = Wire::open(app.service.address).await;
            let mut ask = async |method: &str| {
                let request = format!(
                    "{method} {path} HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: {coding}\r\n\r\n",
                    wire.host
                );
                let mut answer = wire.send(&request).await;
                answer.headers.retain(|(name, _)| {
                    !["date", "server-timing"].contains(&name.to_ascii_lowercase().as_str())
                });
                answer.headers.sort();
                without_request_id(&mut answer);
                answer
            };
            let (get, head) = (ask("GET").await, ask("HEAD").await);
            assert_eq!(get.status_line, head.status_line, "{path} {coding}");
            assert_eq!(get.headers, head.headers, "{path} {coding}");
            assert!(head.body.is_empty());
            assert!(get.complete);
            // The connection still answers.
            assert_eq!(ask("GET").await.body, get.body, "{path} {coding}");
        }
    }
}

#[actix_web::test]
async fn allowed_methods_are_listed_and_all_others_are_refused() {
    let app = App::start().await;
    for path in
        ["/odata/", "/odata", "/odata/Datasets", &format!("{TABLE}/Landet"), &format!("{TABLE}/$metadata")]
    {
        let options = app.send("OPTIONS", path, &[]).await;
        assert_eq!((options.status, options.header("Allow")), (204, "GET, HEAD, OPTIONS"), "{path}");
        for method in ["POST", "PUT", "PATCH", "DELETE", "MERGE", "PROPFIND", "TRACE"] {
            let refused = app.send(method, path, &[]).await;
            assert_eq!(
                (refused.status, refused.header("Allow")),
                (405, "GET, HEAD, OPTIONS"),
                "{method} {path}"
            );
            assert_eq!(refused.code(), "MethodNotAllowed");
        }
    }
    let batch = app.send("OPTIONS", "/odata/$batch", &[]).await;
    assert_eq!((batch.status, batch.header("Allow")), (204, "POST, OPTIONS"));
    assert_eq!(app.get("/odata/$batch").await.header("Allow"), "POST, OPTIONS");
}

#[actix_web::test]
async fn a_slash_at_the_end_changes_nothing_and_redirects_nobody() {
    let app = App::start().await;
    for path in
        ["/odata", TABLE, "/odata/Datasets", &format!("{TABLE}/Properties"), &format!("{TABLE}/$metadata")]
    {
        let (without, with) = (app.get(path).await, app.get(&format!("{path}/")).await);
        assert_eq!((without.status, with.status), (200, 200), "{path}");
        assert_eq!(without.body, with.body, "{path}");
    }
    let slashed = app.get("/odata/Datasets/?$select=Title&$top=1").await;
    assert_eq!(slashed.body, app.get("/odata/Datasets?$select=Title&$top=1").await.body);
}

#[actix_web::test]
async fn who_holds_an_answer_is_not_sent_it_again() {
    let app = App::start().await;
    for path in KINDS.into_iter().take(7) {
        let first = app.get(path).await;
        let tag = first.header("ETag");
        assert!(tag.starts_with("W/\"") && tag.len() > 10, "{path}: {tag}");
        for held in [tag, "*", &format!("\"x\", {tag}"), tag.trim_start_matches("W/")] {
            let again = app.get_with(path, &[("If-None-Match", held)]).await;
            assert_eq!((again.status, again.body.len()), (304, 0), "{path} {held}");
            for name in ["ETag", "Vary", "OData-Version", "Cache-Control"] {
                assert_eq!(again.header(name), first.header(name), "{path} {name}");
            }
        }
        assert_eq!(app.get_with(path, &[("If-None-Match", "\"other\"")]).await.status, 200);
    }
}

#[actix_web::test]
async fn answers_that_differ_have_different_tags() {
    let app = App::start().await;
    let path = format!("{TABLE}/Landet?$top=2");
    let mut tags = Vec::new();
    for (options, headers) in [
        ("", [("Accept", "*/*")]),
        ("&$skip=1", [("Accept", "*/*")]),
        ("&$count=true", [("Accept", "*/*")]),
        ("&$select=Periode", [("Accept", "*/*")]),
        ("&$select=Periode,Fra", [("Accept", "*/*")]),
        ("", [("Accept", "application/json;odata.metadata=full")]),
        ("", [("Accept", "application/json;IEEE754Compatible=true")]),
        ("", [("OData-MaxVersion", "4.01")]),
        ("", [("Prefer", "omit-values=nulls")]),
        ("", [("Prefer", "maxpagesize=1")]),
        ("", [("Host", "other.example")]),
    ] {
        let answer = app.get_with(&format!("{path}{options}"), &headers).await;
        tags.push((answer.header("ETag").to_owned(), options, headers));
    }
    tags.sort();
    let doubled: Vec<_> = tags.windows(2).filter(|pair| pair[0].0 == pair[1].0).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
}

#[actix_web::test]
async fn bodies_are_packed_as_the_client_likes_and_unpack_to_the_same() {
    let app = App::start().await;
    for path in ["/odata/$metadata", "/odata/Datasets", &format!("{TABLE}/Kommuner?$top=2000")] {
        let plain = app.get_with(path, &[("Accept-Encoding", "identity")]).await;
        assert_eq!(plain.header("Content-Encoding"), "");
        let mut wire = Wire::open(app.service.address).await;
        let mut ask = async |accepted: &str| {
            let head = format!("Host: {}\r\nAccept-Encoding: {accepted}", app.service.address);
            wire.send(&format!("GET {path} HTTP/1.1\r\n{head}\r\n\r\n")).await
        };
        let (gzip, brotli) = (ask("gzip, deflate").await, ask("br, gzip;q=0.5").await);
        assert_eq!((gzip.header("Content-Encoding"), brotli.header("Content-Encoding")), ("gzip", "br"));
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&*gzip.body).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body, "{path}");
        unpacked.clear();
        brotli::Decompressor::new(&*brotli.body, 4096).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body, "{path}");
        assert!(gzip.body.len() * 3 < plain.body.len(), "{path}");
        assert!(brotli.body.len() <= gzip.body.len(), "{path}");
        assert_eq!(
            gzip.header("ETag"),
            plain.header("ETag"),
            "the tag is weak: it names the figures, not the bytes"
        );
    }
    let small = app.get_with("/odata/Datasets/$count", &[("Accept-Encoding", "gzip")]).await;
    assert_eq!(small.header("Content-Encoding"), "", "a few digits are not worth packing");
}

#[actix_web::test]
async fn large_answers_come_in_chunks_and_small_ones_whole() {
    let app = App::start().await;
    let mut wire = Wire::open(app.service.address).await;
    let large = wire.get(&format!("{TABLE}/Kommuner?$top=2000")).await;
    assert_eq!((large.status(), large.header("Transfer-Encoding")), (200, "chunked"));
    assert_eq!(large.json()["value"].as_array().unwrap().len(), 2000);
    let small = wire.get(&format!("{TABLE}/Kommuner?$top=5")).await;
    assert_eq!(small.header("Content-Length"), small.body.len().to_string());
}

#[actix_web::test]
async fn query_options_may_come_in_the_body() {
    let app = App::start().await;
    let ask = async |path: &str, content_type: &str, body: &str| {
        let headers = [("Content-Type", content_type)];
        app.post(&format!("{TABLE}/{path}"), &headers, body.as_bytes().to_vec()).await
    };
    let options = "$filter=Periode%20in%20(%272026M06%27,%272026M05%27)&$orderby=Periode&$select=Periode";
    let alone = app.get(&format!("{TABLE}/Landet?{options}&$count=true")).await;
    assert_eq!(alone.rows().len(), 2);
    for (path, body) in [
        ("Landet/$query", format!("{options}&$count=true")),
        ("Landet/%24query/", format!("{options}&$count=true\n")),
        ("Landet/$query?$count=true", options.to_owned()),
        ("Landet/$query?$count=true", options.replace("%20", " ").replace("%27", "'")),
    ] {
        let answer = ask(path, "text/plain;charset=utf-8", &body).await;
        assert_eq!((answer.status, answer.json()), (200, alone.json()), "{path} {body}");
    }
    let count = ask("Landet/$count/$query", "text/plain", "$filter=Periode eq '2026M06'").await;
    assert_eq!((count.status, count.text()), (200, "1".to_owned()));
    let held = [("Content-Type", "text/plain"), ("If-None-Match", "*")];
    let again = app.post(&format!("{TABLE}/Landet/$query"), &held, options.as_bytes().to_vec()).await;
    assert_eq!(again.status, 200);

    let blanks = "$filter=Periode ge '2020M01' and startswith(Område,'H')";
    let headers = [("Content-Type", "text/plain"), ("Prefer", "maxpagesize=3")];
    let first = app.post(&format!("{TABLE}/Landet/$query"), &headers, blanks.as_bytes().to_vec()).await;
    let next = first.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    assert!(next.bytes().all(|byte| byte.is_ascii_graphic()), "{next}");
    assert_eq!(app.get(&next).await.rows().first().unwrap()["Område"], "Hele landet");

    for (path, content_type, body, status, code) in [
        ("Landet/$query", "application/json", "{}", 415, "UnknownQueryFormat"),
        ("Landet/$query", "", "$top=1", 415, "UnknownQueryFormat"),
        ("Landet/$query?$top=1", "text/plain", "$top=1", 400, "SyntaxError"),
        ("Landet/$query", "text/plain", "$top=x", 400, "SyntaxError"),
        ("Ukendt/$query", "text/plain", "", 404, "UnknownSet"),
        ("Landet/$query/x", "text/plain", "", 405, "MethodNotAllowed"),
    ] {
        let answer = ask(path, content_type, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path} {body}");
    }
    // What is accepted makes links that can be followed.
    let longest = format!("$filter=Periode ge '2020M01' and Område ne '{}'", "x".repeat(61_340));
    let first = app.post(&format!("{TABLE}/Landet/$query"), &headers, longest.as_bytes().to_vec()).await;
    let next = first.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    assert!(next.len() > 61_400 && !app.get(&next).await.rows().is_empty());
    let longer = ask("Landet/$query", "text/plain", &format!("{longest}{}", "x".repeat(200))).await;
    assert_eq!((longer.status, longer.code().as_str()), (413, "BodyTooLarge"));
    let wrong = app.get(&format!("{TABLE}/Landet/$query?$top=1")).await;
    assert_eq!((wrong.status, wrong.header("Allow")), (405, "POST, OPTIONS"));
}
