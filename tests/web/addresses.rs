//! Addresses: none that exists is answered as unknown.

use crate::support::app::App;

/// Every address that is read, with the word that its refusal of other methods must have.
const READ: [(&str, &str); 13] = [
    ("/", "broen"),
    ("/status", "broen"),
    ("/metrics", "Prometheus"),
    ("/metrics/indicators", "Prometheus"),
    ("/healthz", "broen"),
    ("/readyz", "klar"),
    ("/odata/", "læses"),
    ("/export/y25i01/Landet.csv?$top=1", "fil"),
    ("/open/y25i01/Landet.m", "udtræk"),
    ("/maaling/y25i01", "måling"),
    ("/maaling/y25i01/byg", "udtræk"),
    ("/nyt", "nyt"),
    ("/nyt.csv", "nyt"),
];

#[actix_web::test]
async fn every_address_answers_head_as_it_answers_get() {
    let app = App::start().await;
    for (path, _) in READ {
        let (get, head) = (app.get(path).await, app.send("HEAD", path, &[]).await);
        assert_eq!((get.status, head.status), (200, 200), "{path}");
        assert!(head.body.is_empty(), "{path}");
        for name in ["content-type", "content-encoding", "vary", "content-disposition"] {
            assert_eq!(get.header(name), head.header(name), "{path} {name}");
        }
    }
    assert_eq!(app.send("HEAD", "/nothing", &[]).await.status, 404);
}

#[actix_web::test]
async fn other_methods_are_told_what_an_address_is_for() {
    let app = App::start().await;
    for (path, word) in READ {
        for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
            let refused = app.send(method, path, &[]).await;
            assert_eq!(
                (refused.status, refused.header("Allow")),
                (405, "GET, HEAD, OPTIONS"),
                "{method} {path}"
            );
            let sentence = refused.json()["error"]["message"].as_str().unwrap().to_owned();
            assert!(sentence.contains(word), "{method} {path}: {sentence}");
        }
        let options = app.send("OPTIONS", path, &[]).await;
        assert_eq!((options.status, options.header("Allow")), (204, "GET, HEAD, OPTIONS"), "{path}");
    }
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let refused = app.send(method, "/api/v1/read", &[]).await;
        assert_eq!((refused.status, refused.header("Allow")), (405, "POST, OPTIONS"), "{method}");
        if method != "HEAD" {
            assert!(refused.text().contains("Prometheus posts here"), "{}", refused.text());
        }
    }
    assert_eq!(app.send("OPTIONS", "/api/v1/read", &[]).await.header("Allow"), "POST, OPTIONS");
    assert_eq!(app.send("POST", "/nothing", &[]).await.status, 404);
}

#[actix_web::test]
async fn every_error_has_the_id_of_its_request() {
    let app = App::start().await;
    let mut ids = Vec::new();
    for path in ["/nothing", "/odata/Nothing", "/odata/Datasets?$filter=x", "/export/y25i01/x.csv"] {
        let error = app.get(path).await.json()["error"].clone();
        ids.push(error["innererror"]["requestId"].as_str().unwrap().to_owned());
    }
    let batch = serde_json::json!({"requests": [
        {"id": "1", "method": "GET", "url": "Nothing"}, {"id": "2", "method": "GET", "url": "Nothing"}
    ]});
    let headers = [("Content-Type", "application/json"), ("Prefer", "continue-on-error")];
    let answer = app.post("/odata/$batch", &headers, batch.to_string().into_bytes()).await.json();
    let in_batch =
        |part: usize| answer["responses"][part]["body"]["error"]["innererror"]["requestId"].clone();
    assert_eq!(in_batch(0), in_batch(1), "they are one request");
    ids.push(in_batch(0).as_str().unwrap().to_owned());
    let text = app.post("/api/v1/read", &[], Vec::new()).await.text();
    ids.push(text.rsplit_once("request ").unwrap().1.trim_end().trim_end_matches(')').to_owned());
    assert!(ids.iter().all(|id| id.len() == 36), "{ids:?}");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

#[actix_web::test]
async fn a_slash_behind_an_address_leads_to_it() {
    let app = App::start().await;
    for path in [
        "/status",
        "/metrics",
        "/metrics/indicators",
        "/healthz",
        "/readyz",
        "/api/v1/read",
        "/maaling/y25i01",
        "/maaling/y25i01/byg",
        "/nyt",
        "/nyt.atom",
        "/nyt.csv",
    ] {
        for query in ["", "?kommune=730&q=a%20b%2F", "?"] {
            for method in ["GET", "HEAD"] {
                let slashed = app.send(method, &format!("{path}/{query}"), &[]).await;
                assert_eq!(slashed.status, 308, "{method} {path}");
                assert_eq!(slashed.header("Location"), format!("{}{path}{query}", app.service.url()));
            }
        }
    }
}

#[actix_web::test]
async fn the_folder_of_the_services_leads_to_the_catalogue() {
    let app = App::start().await;
    for path in ["/odata/jobindsats/", "/odata/jobindsats"] {
        for method in ["GET", "HEAD"] {
            let led = app.send(method, path, &[]).await;
            assert_eq!(led.status, 301, "{method} {path}");
            assert_eq!(led.header("Location"), format!("{}/odata/", app.service.url()));
        }
        let refused = app.send("POST", path, &[]).await;
        assert_eq!((refused.status, refused.header("Allow")), (405, "GET, HEAD, OPTIONS"));
    }
    let led = app.get("/odata/jobindsats/?$format=json").await;
    assert_eq!(led.header("Location"), format!("{}/odata/?$format=json", app.service.url()));
    assert!(!app.get(led.header("Location")).await.rows().is_empty());
    let through_proxy = app.get_with("/odata/jobindsats/", &[("Host", "tal.example")]).await;
    assert_eq!(through_proxy.header("Location"), "http://tal.example/odata/");
}
