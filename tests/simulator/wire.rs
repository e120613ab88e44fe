//! The upstream's interface, call by call.

use jobindsats_bridge::simulator::SimulatorOptions;
use serde_json::json;

use super::Upstream;

#[tokio::test]
async fn published_figures_of_unemployment_come_back_exactly() {
    let upstream = Upstream::open().await;
    let reply = upstream.data("y25i01", "mgroup.*=*&period.M=2026M06&hierarchy._nykom=/").await;
    assert_eq!(
        reply.body,
        concat!(
            r#"{"columns":["Periode","Område","Antal ledige personer","Antal ledige fuldtidspersoner","#,
            r#""Ledige fuldtidspersoner i pct. af arbejdsstyrken 16-66 år","#,
            r#""Ledige fuldtidspersoner i pct. af befolkningen 16-66 år"],"#,
            r#""rows":[["2026M06","Hele landet",110854,89907,3.0,2.3]]}"#
        )
    );
    upstream.simulator.stop().await;
}

#[tokio::test]
async fn the_token_must_be_sent_as_bearer() {
    let upstream = Upstream::open().await;
    for authorization in [None, Some("some-token"), Some("Bearer "), Some("Basic some-token")] {
        let reply = upstream.get_as("/subjects?format=json", authorization).await;
        assert_eq!(reply.status, 401, "{authorization:?}");
        assert_eq!(reply.json()["code"], json!(401));
    }
    assert_eq!(upstream.get("/subjects?format=json").await.status, 200);
}

#[tokio::test]
async fn a_given_token_is_the_only_one_admitted() {
    let token = Some("right".to_owned());
    let upstream =
        Upstream::with(SimulatorOptions { token, closed_hour: false, ..SimulatorOptions::default() }).await;
    assert_eq!(upstream.get_as("/subjects?format=json", Some("Bearer wrong")).await.status, 401);
    assert_eq!(upstream.get_as("/subjects?format=json", Some("Bearer right")).await.status, 200);
}

#[tokio::test]
async fn every_table_is_listed_under_its_subject_and_can_be_read() {
    let upstream = Upstream::open().await;
    let subjects = upstream.get("/subjects?format=json").await.json();
    let count: usize =
        subjects.as_array().unwrap().iter().map(|group| group["subjects"].as_array().unwrap().len()).sum();
    assert_eq!(count, 24);
    let list = upstream.get("/tables?format=json").await.json();
    let mut tables = 0;
    for subject in list.as_array().unwrap() {
        for group in subject["table_groups"].as_array().unwrap() {
            for head in group["tables"].as_array().unwrap() {
                tables += 1;
                let id = head["table_id"].as_str().unwrap();
                assert!(head["periods"].is_object());
                let table = upstream.get(&format!("/table/{id}?format=json")).await.json();
                assert_eq!(table["table_name"], head["table_name"]);
                assert!(table["periods"].is_array());
                let newest = &table["periods"][0]["values"][0]["period_id"];
                assert_eq!(*newest, head["periods"]["periodtypes"][0]["period_last"], "{id}");
                let kind = table["periods"][0]["periodtype_id"].as_str().unwrap();
                let reply = upstream.data(id, &format!("mgroup.*=*&period.{kind}=latest:1")).await;
                assert_eq!(reply.status, 200, "{id}: {}", reply.body);
            }
        }
    }
    assert_eq!(tables, 103);
}
