//! `$batch`: several reads in one request, each answered like a request of its own.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

use crate::support::app::{Answer, App, AppOptions};

const SERVICE: &str = "/odata/jobindsats/y25i01";

async fn post(app: &App, path: &str, content_type: &str, body: impl Into<Vec<u8>>, prefer: &str) -> Answer {
    let headers = [("Content-Type", content_type), ("Prefer", prefer)];
    app.post(path, &headers, body.into()).await
}

async fn json_batch(app: &App, requests: Value, prefer: &str) -> Vec<Value> {
    let body = json!({"requests": requests}).to_string();
    let answer = post(app, &format!("{SERVICE}/$batch"), "application/json", body, prefer).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("Content-Type"), "application/json");
    answer.json()["responses"].as_array().unwrap().clone()
}

fn read(id: &str, url: &str) -> Value {
    json!({"id": id, "method": "GET", "url": url})
}

#[actix_web::test]
async fn every_part_is_answered_as_it_would_be_alone() {
    let app = App::start().await;
    let base = app.service.url();
    let relative = "Landet?$filter=Periode%20eq%20%272026M06%27";
    let alone = app.get(&format!("{SERVICE}/{relative}")).await;
    let answers = json_batch(
        &app,
        json!([
            read("1", relative),
            read("2", &format!("{SERVICE}/{relative}")),
            read("3", &format!("{base}{SERVICE}/{relative}")),
            read("4", "/odata/Datasets/$count"),
            read("5", "Landet(Periode='2026M06',Omr%C3%A5de_id='T')/Status"),
            read("6", ""),
        ]),
        "",
    )
    .await;
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6"]);
    for answer in &answers[..3] {
        assert_eq!(answer["status"], 200, "{answer}");
        assert_eq!(answer["body"], alone.json());
        assert_eq!(answer["headers"]["etag"], alone.header("ETag"));
        assert_eq!(answer["headers"]["odata-version"], "4.0");
    }
    assert_eq!(answers[3]["body"], app.get("/odata/Datasets/$count").await.text());
    assert_eq!((&answers[4]["status"], answers[4].get("body")), (&json!(204), None));
    assert_eq!(answers[5]["body"]["value"][0]["name"], "Hovedtal");
}

#[actix_web::test]
async fn addresses_in_a_part_may_have_blanks_and_letters_as_they_are_typed() {
    let app = App::start().await;
    let typed = "Landet?$filter=Område eq 'Hele landet' and Periode ge '2026M01'&$select=Periode";
    let alone = app.get(&format!("{SERVICE}/{typed}")).await.json();
    assert_eq!(json_batch(&app, json!([read("1", typed)]), "").await[0]["body"], alone);
    let multipart = async |line: &str, headers: &str| {
        let part = format!("Content-Type: application/http\r\n\r\n{line}\r\n{headers}\r\n");
        let body = format!("--b\r\n{part}\r\n--b--\r\n");
        post(&app, &format!("{SERVICE}/$batch"), "multipart/mixed;boundary=b", body, "maxpagesize=2").await
    };
    let answer = multipart(&format!("GET {typed} HTTP/1.1"), "Prefer: maxpagesize=2\r\n").await.text();
    assert!(answer.contains("HTTP/1.1 200 OK"), "{answer}");
    let page: Value =
        serde_json::from_str(answer.split("\r\n").find(|line| line.starts_with('{')).unwrap()).unwrap();
    assert_eq!(page["value"], json!(alone["value"].as_array().unwrap()[..2]));
    let next = page["@odata.nextLink"].as_str().unwrap();
    assert!(next.bytes().all(|byte| byte.is_ascii_graphic()), "{next}");
    for (line, headers) in [
        (format!("GET {typed} HTTP/1.1"), "Transfer-Encoding: chunked\r\n"),
        (format!("GET {typed} HTTP/1.1"), "Upgrade: h2c\r\n"),
        (format!("GET {typed} HTTP/1.1 HTTP/1.1"), ""),
        (format!("GET {typed}"), ""),
    ] {
        let refused = multipart(&line, headers).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "MalformedBatch"), "{line} {headers}");
    }
}

#[actix_web::test]
async fn large_parts_are_written_in_pieces_and_come_out_as_they_would_alone() {
    let app = App::start().await;
    let rows = "Kommuner?$filter=Periode%20ge%20%272020M01%27&$top=4000";
    let (page, metadata) =
        (app.get(&format!("{SERVICE}/{rows}")).await, app.get(&format!("{SERVICE}/$metadata")).await);
    assert!(page.body.len() > 500_000 && metadata.body.len() > 10_000);
    let name = "Landet(Periode='2026M06',Omr%C3%A5de_id='T')/Omr%C3%A5de/$value";
    let requests = json!([read("1", rows), read("2", "$metadata"), read("3", rows), read("4", name)]);
    let answers = json_batch(&app, requests, "").await;
    assert_eq!((&answers[0]["body"], &answers[2]["body"]), (&page.json(), &page.json()));
    let decoded = URL_SAFE.decode(answers[1]["body"].as_str().unwrap()).unwrap();
    assert_eq!(decoded, metadata.body);
    assert_eq!(answers[3]["body"], app.get(&format!("{SERVICE}/{name}")).await.text());
}

#[actix_web::test]
async fn multipart_batches_are_answered_in_kind() {
    let app = App::start().await;
    let part = |id: &str, request: &str| {
        format!(
            "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {id}\r\n\r\n{request}\r\n"
        )
    };
    let one = part(
        "a",
        "GET Landet/$count?$filter=Periode%20eq%20%272026M06%27 HTTP/1.1\r\nAccept: text/plain\r\n\r\n",
    );
    let two = part(
        "b",
        &format!(
            "GET {SERVICE}/Landet?$top=1&$select=Periode HTTP/1.1\r\nHost: {}\r\n\r\n",
            app.service.address
        ),
    );
    let three = part("c", "GET Landet?$top=1&$select=Periode HTTP/1.1\r\nOData-MaxVersion: 4.01\r\n\r\n");
    let body = format!("{one}{two}{three}--b--\r\n");
    let answer = post(&app, &format!("{SERVICE}/$batch"), "multipart/mixed; boundary=b", body, "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.headers.get_all("OData-Version").iter().count(), 1);
    let boundary =
        answer.header("Content-Type").strip_prefix("multipart/mixed;boundary=").unwrap().to_owned();
    let text = answer.text();
    let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
    assert_eq!(parts.len(), 5, "{text}");
    assert!(parts[1].contains("Content-ID: a\r\n\r\nHTTP/1.1 200 OK\r\n"), "{}", parts[1]);
    assert!(
        parts[1].contains("content-type: text/plain\r\n") && parts[1].ends_with("\r\n\r\n1\r\n"),
        "{}",
        parts[1]
    );
    assert!(parts[2].contains("{\"@odata.context\":\"") && parts[2].contains("odata-version: 4.0\r\n"));
    assert!(parts[3].contains("{\"@context\":\"") && parts[3].contains("odata-version: 4.01\r\n"));
    assert_eq!(parts[4], "--\r\n");
}

#[actix_web::test]
async fn a_failure_ends_the_batch_unless_the_client_goes_on() {
    let app = App::start().await;
    let requests = json!([
        read("1", "Landet/$count?$filter=Periode%20eq%20%272026M06%27"),
        read("2", "Nothing"),
        {"id": "3", "method": "GET", "url": "Properties", "dependsOn": ["2"]},
        {"id": "4", "method": "GET", "url": "Properties", "dependsOn": ["1"]},
    ]);
    let statuses = |answers: Vec<Value>| -> Vec<u64> {
        answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect()
    };
    assert_eq!(statuses(json_batch(&app, requests.clone(), "").await), [200, 404, 424, 424]);
    assert_eq!(statuses(json_batch(&app, requests, "continue-on-error").await), [200, 404, 424, 200]);
}

#[actix_web::test]
async fn only_reading_is_offered_in_a_batch_too() {
    let app = App::start().await;
    let answers = json_batch(
        &app,
        json!([
            {"id": "1", "method": "POST", "url": "Landet", "body": {}},
            {"id": "2", "method": "DELETE", "url": "Properties"},
            {"id": "3", "method": "GET", "url": "Properties", "atomicityGroup": "g"},
            read("4", "$batch"),
            read("5", "http://elsewhere.example/odata/Datasets"),
            read("6", "/etc/passwd"),
            read("7", "../../../healthz"),
            read("8", "Landet?$filter=("),
            {"id": "9", "method": "GET", "url": "Properties", "headers": {"if-none-match": "*"}},
            {"id": "10", "method": "GET", "url": "Properties", "if": "$9/$status eq 200", "dependsOn": ["9"]},
        ]),
        "odata.continue-on-error",
    )
    .await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [405, 405, 501, 501, 404, 404, 400, 400, 304, 501]);
    assert_eq!(answers[0]["headers"]["allow"], "GET");
    let change_set = "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\n\r\nDELETE Landet HTTP/1.1\r\n\r\n--c--\r\n--b--";
    let answer = post(&app, &format!("{SERVICE}/$batch"), "multipart/mixed;boundary=b", change_set, "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("HTTP/1.1 501 Not Implemented"), "{}", answer.text());
}

#[actix_web::test]
async fn what_is_no_batch_is_refused_whole() {
    let app = App::start().await;
    let many: Vec<Value> = (0..101).map(|at| read(&at.to_string(), "Properties")).collect();
    let doubled = json!({"requests": [read("1", "Properties"), read("1", "Properties")]}).to_string();
    let ahead = json!({"requests": [{"id": "1", "method": "GET", "url": "Properties", "dependsOn": ["2"]}, read("2", "Properties")]});
    for (content_type, body, status) in [
        ("application/json", json!({"requests": many}).to_string(), 413),
        ("application/json", " ".repeat(1024 * 1024 + 1), 413),
        ("application/json", "{\"requests\":".to_owned(), 400),
        ("application/json", "[".repeat(100_000), 400),
        ("application/json", doubled, 400),
        ("application/json", ahead.to_string(), 400),
        ("multipart/mixed", "--b--".to_owned(), 415),
        ("multipart/mixed;boundary=b", "nothing".to_owned(), 400),
        ("multipart/mixed;boundary=b", "--b\r\n".repeat(200), 400),
        ("text/plain", String::new(), 415),
    ] {
        let answer = post(&app, &format!("{SERVICE}/$batch"), content_type, body, "").await;
        assert_eq!(answer.status, status, "{content_type}: {}", answer.text());
        assert!(!answer.code().is_empty());
    }
}

#[actix_web::test]
async fn a_batch_is_found_under_the_public_address() {
    let mut options = AppOptions::default();
    options.settings.public_url = Some("https://tal.example/bro".to_owned());
    let app = App::with(options).await;
    let answers = json_batch(
        &app,
        json!([
            read("1", "https://tal.example/bro/odata/Datasets?$top=1"),
            read("2", "/bro/odata/Datasets?$top=1"),
            read("3", "/odata/Datasets?$top=1"),
            read("4", "http://tal.example/bro/odata/Datasets?$top=1"),
        ]),
        "continue-on-error",
    )
    .await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 200, 404]);
    assert_eq!(answers[0]["body"]["@odata.context"], "https://tal.example/bro/odata/$metadata#Datasets");
}

#[actix_web::test]
async fn a_request_goes_on_where_an_earlier_one_led() {
    let app = App::start().await;
    let requests = json!([
        read("1", "Omr%C3%A5deCodes('T')?$select=Title"),
        read("2", "$1/Children/$count"),
        read("3", "$1/Parent"),
        {"id": "4", "method": "GET", "url": "$2", "dependsOn": ["2"]},
        read("5", "Omr%C3%A5deCodes('intet')"),
        read("6", "$5/Children"),
        read("7", "$8/Children"),
    ]);
    let answers = json_batch(&app, requests, "continue-on-error").await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 204, 200, 404, 424, 400], "{answers:?}");
    let alone = app.get(&format!("{SERVICE}/OmrådeCodes('T')/Children/$count")).await.text();
    assert_eq!((&answers[1]["body"], &answers[3]["body"]), (&json!(alone), &json!(alone)));
    let multipart = "--b\r\nContent-Type: application/http\r\nContent-ID: x1\r\n\r\nGET Omr%C3%A5deCodes('T') HTTP/1.1\r\n\r\n\r\n\
         --b\r\nContent-Type: application/http\r\nContent-ID: x2\r\n\r\nGET $x1/Title/$value HTTP/1.1\r\n\r\n\r\n--b--\r\n"
        .to_owned();
    let answer =
        post(&app, &format!("{SERVICE}/$batch"), "multipart/mixed;boundary=b", multipart, "").await.text();
    assert!(answer.trim_end().contains("Hele landet\r\n"), "{answer}");
}

#[actix_web::test]
async fn requests_that_may_see_different_updates_are_not_called_isolated() {
    let app = App::start().await;
    let body = json!({"requests": [read("1", "Landet?$top=1")]}).to_string();
    for name in ["Isolation", "OData-Isolation"] {
        let headers = [("Content-Type", "application/json"), (name, "snapshot")];
        let answer = app.post(&format!("{SERVICE}/$batch"), &headers, body.clone().into_bytes()).await;
        assert_eq!((answer.status, answer.code().as_str()), (412, "NoIsolation"));
        let alone = app.get_with(&format!("{SERVICE}/Landet?$top=1"), &[(name, "snapshot")]).await;
        assert_eq!(alone.status, 200, "a download is of one revision");
    }
}
