//! The stages of an answer: how long each took, and that `docs/architecture.md` lists the types between them.

use std::path::Path;

use crate::support::app::{Answer, App};

const SET: &str = "/odata/jobindsats/y25i01/Hovedtal?$top=3";

/// The stages that an answer says it has passed, each with a duration in milliseconds.
fn stages(answer: &Answer) -> Vec<String> {
    let stage = |entry: &str| {
        let (name, duration) = entry.trim().split_once(";dur=").unwrap();
        assert!(duration.parse::<f64>().unwrap() >= 0.0, "{entry}");
        name.to_owned()
    };
    answer.header("server-timing").split(',').map(stage).collect()
}

async fn measured(app: &App, stage: &str) -> u64 {
    let metrics = app.get("/metrics").await.text();
    let name = format!("jobindsats_bridge_stage_duration_seconds_count{{stage=\"{stage}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

#[actix_web::test]
async fn an_answer_says_how_long_each_stage_before_its_first_byte_took() {
    let app = App::start().await;
    assert_eq!(stages(&app.get(SET).await), ["parse", "bind", "plan", "fetch", "assemble"]);
    // Rows of the catalogue are not fetched, documents are not bound.
    assert_eq!(stages(&app.get("/odata/Datasets?$top=1").await), ["parse", "bind", "plan", "assemble"]);
    assert_eq!(stages(&app.get("/odata/$metadata").await), ["parse"]);
    let file = app.get("/export/y25i01/Hovedtal.csv?$top=3").await;
    assert_eq!(stages(&file), ["parse", "bind", "plan", "fetch", "assemble"]);
}

#[actix_web::test]
async fn every_stage_of_every_request_is_counted_once() {
    let app = App::start().await;
    for (requests, path) in [(1, SET), (2, SET), (3, "/export/y25i01/Hovedtal.csv?$top=3")] {
        assert_eq!(app.get(path).await.status, 200);
        for stage in ["parse", "bind", "plan", "fetch", "assemble", "write"] {
            assert_eq!(measured(&app, stage).await, requests, "{stage} {path}");
        }
    }
    // What is refused while it is parsed has no further stage.
    assert_eq!(app.get("/odata/Datasets?$filter=(").await.status, 400);
    assert_eq!((measured(&app, "parse").await, measured(&app, "bind").await), (4, 3));
}

#[actix_web::test]
async fn the_parts_of_a_batch_do_not_say_how_long_they_took() {
    let app = App::start().await;
    let body = r#"{"requests":[{"id":"1","method":"GET","url":"Datasets?$top=1"}]}"#;
    let headers = [("content-type", "application/json")];
    let answer = app.post("/odata/$batch", &headers, body.as_bytes().to_vec()).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.text().to_lowercase().contains("server-timing"), "{}", answer.text());
    assert_eq!(measured(&app, "parse").await, 1);
}

#[test]
fn the_document_names_at_most_ten_types_and_each_is_in_its_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let named: Vec<(&str, &str)> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | `src/"))
        .filter_map(|(name, rest)| Some((name, rest.split_once("` |")?.0)))
        .collect();
    assert_eq!(named.len(), 10, "{named:?}");
    for (name, file) in named {
        let source = std::fs::read_to_string(root.join("src").join(file)).unwrap();
        assert!(source.contains(&format!("struct {name}")), "{name} is not in {file}");
    }
}
