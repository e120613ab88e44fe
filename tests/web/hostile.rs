//! Bad input: refused quickly with a sentence, and the service keeps running.

use tokio::time::timeout;

use crate::support::app::App;
use crate::support::patience::PATIENCE;
use crate::support::wire::{Wire, WireAnswer};

const SET: &str = "/odata/jobindsats/y25i01/Landet";

async fn refused(app: &App, request: &[u8], name: &str) -> WireAnswer {
    let mut wire = Wire::open(app.service.address).await;
    let answer = timeout(PATIENCE, wire.send_bytes(request)).await.expect(name);
    assert!((400..500).contains(&answer.status()), "{name}: {} {}", answer.status_line, excerpt(&answer));
    let mut wire = Wire::open(app.service.address).await;
    assert_eq!(wire.get("/odata/Catalogs").await.status(), 200, "after {name}");
    answer
}

fn excerpt(answer: &WireAnswer) -> String {
    answer.text().chars().take(300).collect()
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

#[actix_web::test]
async fn hostile_addresses_are_refused_in_words() {
    let app = App::start().await;
    let nested = format!("{SET}?$filter={}Periode%20eq%20'x'{}", "(".repeat(10_000), ")".repeat(10_000));
    let list = format!("{SET}?$filter=Periode%20in%20({}'x')", "'x',".repeat(10_000));
    for (name, target) in [
        ("10,000 parentheses", nested.as_str()),
        ("10,000 items of a list", &list),
        ("nots", &format!("{SET}?$filter={}true", "not%20".repeat(10_000))),
        ("unfinished", &format!("{SET}?$filter={}", "(".repeat(10_000))),
        ("broken percent", &format!("{SET}?$filter=%")),
        ("broken percent in the path", &format!("{SET}%zz")),
        ("half a percent", &format!("{SET}?$filter=Periode%20eq%20'%4'")),
        ("broken UTF-8", &format!("{SET}?$filter=Periode%20eq%20'%ff'")),
        ("overlong UTF-8", &format!("{SET}?$filter=Periode%20eq%20'%c0%af'")),
        ("surrogates", &format!("{SET}(Periode='%ed%a0%80',Omr%C3%A5de_id='T')")),
        ("NUL in a name", &format!("{SET}%00")),
        ("NUL in an option", &format!("{SET}?$filter=Peri%00ode%20eq%20'x'")),
        ("a huge skip", &format!("{SET}?$skip=99999999999999999999")),
        ("a huge top", &format!("{SET}?$top=99999999999999999999")),
        ("a negative top", &format!("{SET}?$top=-1")),
        ("a top of letters", &format!("{SET}?$top=abc")),
        ("an empty top", &format!("{SET}?$top=")),
        ("a doubled option", &format!("{SET}?$top=1&$top=2")),
        ("a doubled option under its other name", &format!("{SET}?$top=1&TOP=2")),
        ("an unknown option", &format!("{SET}?$nonsense=1")),
        ("a damaged token", &format!("{SET}?$skiptoken=AAAA")),
        ("an endless token", &format!("{SET}?$skiptoken={}", "A".repeat(40_000))),
        ("steps upward", "/odata/jobindsats/../../etc/passwd"),
        ("slashes", &format!("/odata/Datasets{}x", "/".repeat(5_000))),
        ("segments", &format!("/odata/{}", "a/".repeat(5_000))),
    ] {
        let answer = refused(&app, &get(target), name).await;
        let error = answer.json()["error"].clone();
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{name}: {error}");
        assert!(error["code"].as_str().is_some_and(|code| !code.is_empty()), "{name}: {error}");
        assert_eq!(answer.all("OData-Version"), ["4.0"], "{name}");
        assert!(answer.text().len() < 2_000, "{name}: what was sent is not sent back");
    }
    assert_eq!(app.data_requests(), 0);
}

#[actix_web::test]
async fn requests_beyond_every_limit_are_refused_before_they_are_read() {
    let app = App::start().await;
    let items = "'2026M01',".repeat(100_000);
    for (name, request) in [
        (
            "a filter of a megabyte",
            get(&format!("{SET}?$filter=Periode%20eq%20'{}'", "x".repeat(1024 * 1024))),
        ),
        ("100,000 items", get(&format!("{SET}?$filter=Periode%20in%20({items}'x')"))),
        ("a header of a megabyte", {
            let header = "x".repeat(1024 * 1024);
            format!("GET {SET} HTTP/1.1\r\nHost: localhost\r\nPrefer: {header}\r\n\r\n").into_bytes()
        }),
        ("raw bytes", b"GET /odata/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("a raw NUL", b"GET /odata/\0 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec()),
        ("no Host", b"GET /odata/ HTTP/1.1\r\n\r\n".to_vec()),
        (
            "two lengths",
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_vec(),
        ),
        ("a header without colon", b"GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n".to_vec()),
    ] {
        let answer = refused(&app, &request, name).await;
        let message = answer.json()["error"]["message"].clone();
        assert!(message.as_str().is_some_and(|message| message.len() > 10), "{name}: {message}");
    }
}

#[actix_web::test]
async fn blanks_may_stand_in_an_address_as_they_are_typed() {
    let app = App::start().await;
    let mut wire = Wire::open(app.service.address).await;
    let typed = format!("{SET}?$filter=Område eq 'Hele landet' and Periode eq '2026M06'&$select=Periode");
    let encoded = typed.replace(' ', "%20");
    let expected = wire.get(&encoded).await.json();
    assert_eq!(
        (&expected["value"][0]["Periode"], expected["value"].as_array().unwrap().len()),
        (&"2026M06".into(), 1)
    );
    assert_eq!(wire.get(&typed).await.json(), expected);
    // Behind a chunked body, and behind a wish for another protocol, on the same connection.
    let host = "Host: localhost";
    for before in [
        format!(
            "POST {SET}/$query HTTP/1.1\r\n{host}\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n$top=1\r\n0\r\n\r\n"
        ),
        format!("GET {SET}?$top=1 HTTP/1.1\r\n{host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
        format!(
            "GET {SET}?$top=1 HTTP/1.1\r\n{host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
        ),
    ] {
        let mut wire = Wire::open(app.service.address).await;
        let first = wire.send(&before).await;
        assert_eq!(first.status(), 200, "{before}: {}", first.text());
        let mut second = wire.get(&typed).await.json();
        second["@odata.context"] = expected["@odata.context"].clone();
        assert_eq!(second, expected, "{before}");
    }
}

#[actix_web::test]
async fn blanks_beside_another_framing_are_refused_in_words() {
    let app = App::start().await;
    let typed = format!("{SET}?$filter=Periode eq '2026M06'");
    for (name, line, headers) in [
        ("chunked", format!("GET {typed} HTTP/1.1"), "Transfer-Encoding: chunked\r\n"),
        ("upgrade", format!("GET {typed} HTTP/1.1"), "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        ("a second protocol", format!("GET {typed} HTTP/1.1 HTTP/1.1"), ""),
        ("no protocol", format!("GET {typed}"), ""),
    ] {
        let request = format!("{line}\r\nHost: localhost\r\n{headers}\r\n0\r\n\r\n");
        let answer = refused(&app, request.as_bytes(), name).await;
        assert_eq!(answer.status(), 400, "{name}");
        assert_eq!(answer.json()["error"]["code"], "MalformedHttp", "{name}");
    }
}

#[actix_web::test]
async fn contradictory_headers_are_refused_or_passed_over() {
    let app = App::start().await;
    for (headers, status) in [
        ("OData-MaxVersion: 3.0", 400),
        ("OData-MaxVersion: four", 400),
        ("OData-Version: 5.0", 400),
        ("OData-MaxVersion: 4.0\r\nOData-MaxVersion: 4.01", 200),
        ("OData-Version: 4.01\r\nOData-MaxVersion: 4.0", 200),
        ("Accept: application/atom+xml", 406),
        ("Accept: application/json;q=0", 406),
        ("Accept: application/json;odata.metadata=nonsense", 406),
        ("Accept: application/json;odata=verbose,text/plain, */*; q=0.01", 200),
        ("Accept: ,;=", 406),
        ("Prefer: maxpagesize=1, maxpagesize=2, omit-values=nulls, omit-values=defaults", 200),
        ("If-None-Match: nonsense", 200),
        ("Accept-Encoding: gzip;q=0, identity;q=0, *;q=0", 200),
    ] {
        let mut wire = Wire::open(app.service.address).await;
        let request = format!("GET {SET}?$top=1 HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n");
        let answer = wire.send(&request).await;
        assert_eq!(answer.status(), status, "{headers}: {}", answer.text());
        assert_eq!(answer.all("OData-Version"), ["4.0"], "{headers}");
    }
}

#[actix_web::test]
async fn addresses_of_eight_kilobytes_are_understood() {
    let app = App::start().await;
    let periods: Vec<String> = (0..900).map(|at| format!("'x{at:06}'")).collect();
    let target = format!("{SET}?$filter=Periode%20in%20('2026M06',{})", periods.join(","));
    assert!(target.len() > 8 * 1024);
    let answer = Wire::open(app.service.address).await.get(&target).await;
    assert_eq!(answer.status(), 200, "{}", excerpt(&answer));
    assert_eq!(answer.json()["value"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_body_that_nobody_needs_is_passed_over_while_it_is_small() {
    let app = App::start().await;
    let mut wire = Wire::open(app.service.address).await;
    let small = format!(
        "GET {SET}?$top=1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    assert_eq!(wire.send(&small).await.status(), 200);
    assert_eq!(wire.get("/odata/Catalogs").await.status(), 200, "the body was read off the connection");
    let mut large =
        format!("GET {SET}?$top=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2097152\r\n\r\n")
            .into_bytes();
    large.resize(large.len() + 2 * 1024 * 1024, b' ');
    let answer = refused(&app, &large, "two megabytes with a GET").await;
    assert_eq!(answer.status(), 413);
}

#[actix_web::test]
async fn letters_and_quotes_may_stand_in_an_address_as_they_are_typed() {
    let app = App::start().await;
    let mut wire = Wire::open(app.service.address).await;
    for (typed, encoded) in [
        (
            "/odata/jobindsats/y25i01/Hovedtal?$filter=Område%20eq%20'Læsø'&$select=Periode,Område&$top=2",
            "/odata/jobindsats/y25i01/Hovedtal?$filter=Omr%C3%A5de%20eq%20'L%C3%A6s%C3%B8'&$select=Periode,Omr%C3%A5de&$top=2",
        ),
        ("/odata/Datasets?$search=\"ledige\"&$top=2", "/odata/Datasets?$search=%22ledige%22&$top=2"),
        ("/odata/jobindsats/y25i01/Områder", "/odata/jobindsats/y25i01/Omr%C3%A5der"),
    ] {
        let (typed, encoded) = (wire.get(typed).await, wire.get(encoded).await);
        let without_id = |answer: &WireAnswer| answer.text().split("innererror").next().unwrap().to_owned();
        assert_eq!((typed.status(), without_id(&typed)), (encoded.status(), without_id(&encoded)));
        assert!(!typed.text().is_empty(), "an answer says something");
    }
}
