//! `explain=plan` lists the upstream requests of a query without sending them.

use crate::support::app::{App, AppOptions};

const PATH: &str = "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode eq '2026M06' and Område eq 'Hele landet' and Antal_ledige_personer gt 5&$orderby=Antal_ledige_personer";

#[actix_web::test]
async fn a_plan_shows_requests_cells_store_and_what_is_evaluated_here() {
    let app = App::start().await;
    let plan = app.get(&format!("{PATH}&explain=plan")).await;
    assert_eq!((plan.status, plan.header("Content-Type")), (200, "application/json"));
    assert_eq!(app.data_requests(), 0);
    let plan = plan.json();
    assert_eq!(
        (&plan["requests"], &plan["figures"], &plan["figures_in_store"], &plan["rows_at_most"]),
        (&1.into(), &4.into(), &0.into(), &1.into())
    );
    assert_eq!(plan["plan"][0]["cells"], 6, "a period, an area and four measures");
    assert_eq!(plan["evaluated_here"][0]["option"], "$filter");
    assert_eq!(plan["evaluated_here"][0]["columns"][0], "Antal_ledige_personer");
    assert_eq!(plan["evaluated_here"][1]["option"], "$orderby");
    assert_eq!(app.get(PATH).await.status, 200);
    let sent = app.upstream().requests().requests[0].target.clone();
    assert_eq!(format!("/v3/{}", plan["plan"][0]["request"].as_str().unwrap()), sent);
    let after = app.get(&format!("{PATH}&explain=plan")).await.json();
    assert_eq!(
        (&after["requests"], &after["cells"], &after["figures_in_store"]),
        (&0.into(), &0.into(), &4.into())
    );
    assert_eq!(after["plan"], serde_json::json!([]));
    let wider = PATH.replace("eq '2026M06'", "ge '2026M05'");
    let wider = app.get(&format!("{wider}&explain=plan")).await.json();
    assert_eq!((&wider["figures"], &wider["figures_in_store"]), (&12.into(), &4.into()), "{wider}");
    let asked = wider["plan"][0]["request"].as_str().unwrap();
    assert!(
        !asked.contains("2026M06") && wider["requests"] == 1,
        "what is in store is not asked for: {asked}"
    );
}

#[actix_web::test]
async fn a_plan_never_holds_the_key_and_nothing_else_is_explained() {
    let app = App::start().await;
    let plan = app.get(&format!("{PATH}&explain=plan")).await.text();
    assert!(!plan.contains("noegle") && !plan.contains("Bearer"), "{plan}");
    let other = app.get(&format!("{PATH}&explain=rows")).await;
    assert_eq!((other.status, other.code().as_str()), (501, "NotOffered"));
    let list = app.get("/odata/Datasets?explain=plan").await.json();
    assert_eq!((&list["requests"], &list["table"]), (&0.into(), &serde_json::Value::Null));
}

#[actix_web::test]
async fn a_plan_of_a_hundred_thousand_requests_is_counted_and_its_first_are_shown() {
    let mut options = AppOptions::default();
    options.settings.cell_limit = 60;
    let app = App::with(options).await;
    let path = "/odata/jobindsats/y01dia02/Data";
    let plan = app.get(&format!("{path}?explain=plan")).await;
    let plain = [("Accept-Encoding", "identity")];
    assert_eq!(app.get_with(&format!("{path}?explain=plan"), &plain).await.json(), plan.json());
    assert!(plan.json()["requests"].as_u64().unwrap() > 100_000, "{}", plan.json()["requests"]);
    assert_eq!(plan.json()["plan"].as_array().unwrap().len(), 200);
    assert!(plan.body.len() < 200_000, "{} bytes", plan.body.len());
    assert!(plan.json()["first_page_requests"].as_u64().unwrap() > 200);
    let page = app.get(&format!("{path}?$top=4")).await;
    assert_eq!((page.rows().len(), app.data_requests()), (4, 1), "a first page needs one of them");
}
