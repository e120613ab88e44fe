//! `any`, `all` and `$count` over `Observations`, compared with the plain rows.

use std::collections::{BTreeMap, BTreeSet};

use jobindsats_bridge::settings::BridgeSettings;
use serde_json::Value;

use crate::support::app::{Answer, App, AppOptions};

/// A table whose only dimension is the area: period, area and measure identify an observation.
const AREAS: &str = "/odata/jobindsats/y25i10";
/// The same, with most figures hidden.
const HIDDEN: &str = "/odata/jobindsats/y12a27";

async fn get(app: &App, table: &str, path: &str) -> Answer {
    app.get(&format!("{table}/{path}")).await
}

/// The codes that a filter finds in a list.
async fn codes(app: &App, table: &str, list: &str, filter: &str) -> BTreeSet<String> {
    let answer = get(app, table, &format!("{list}?$filter={filter}&$select=Identifier")).await;
    assert_eq!(answer.status, 200, "{filter}: {}", answer.text());
    answer.rows().iter().map(|row| row["Identifier"].as_str().unwrap().to_owned()).collect()
}

/// Every observation that a filter finds, by its area.
async fn observations(app: &App, table: &str, filter: &str) -> BTreeMap<String, Vec<Value>> {
    let mut by_code: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in app.all_rows(&format!("{table}/Observations?$filter={filter}")).await {
        by_code.entry(row["Område"].as_str().unwrap().to_owned()).or_default().push(row);
    }
    by_code
}

/// The codes that a rule over their observations picks; codes without any are there too.
fn picked(
    all: &BTreeSet<String>,
    of: &BTreeMap<String, Vec<Value>>,
    rule: impl Fn(&[Value]) -> bool,
) -> BTreeSet<String> {
    let none = Vec::new();
    all.iter().filter(|code| rule(of.get(*code).unwrap_or(&none))).cloned().collect()
}

fn value(row: &Value) -> Option<f64> {
    row["Value"].as_f64()
}

#[actix_web::test]
async fn figures_that_exist_hold_or_are_counted_are_those_of_the_plain_rows() {
    let app = App::start().await;
    let all = codes(&app, HIDDEN, "OmrådeCodes", "true").await;
    let june = observations(&app, HIDDEN, "Periode eq '2026MM06'").await;
    assert!(june.values().flatten().any(|row| row["Value"].is_null()), "a hidden figure must be among them");
    let in_june = "o/Periode eq '2026MM06'";
    let large = |row: &Value| value(row).is_some_and(|value| value > 5.0);

    let any =
        codes(&app, HIDDEN, "OmrådeCodes", &format!("Observations/any(o:{in_june} and o/Value gt 5)")).await;
    assert_eq!(any, picked(&all, &june, |rows| rows.iter().any(large)));
    assert!(!any.is_empty() && any.len() < all.len());

    let not_any =
        codes(&app, HIDDEN, "OmrådeCodes", &format!("not Observations/any(o:{in_june} and o/Value gt 5)"))
            .await;
    assert_eq!(not_any, all.difference(&any).cloned().collect());

    let every =
        codes(&app, HIDDEN, "OmrådeCodes", &format!("Observations/all(o:not ({in_june}) or o/Value gt 5)"))
            .await;
    assert_eq!(every, picked(&all, &june, |rows| rows.iter().all(large)), "what is hidden does not hold");
    assert!(!every.is_empty() && every.len() < any.len());

    let hidden =
        codes(&app, HIDDEN, "OmrådeCodes", &format!("Observations/any(o:{in_june} and o/Value eq null)"))
            .await;
    assert_eq!(hidden, picked(&all, &june, |rows| rows.iter().any(|row| row["Value"].is_null())));
    let rest =
        codes(&app, HIDDEN, "OmrådeCodes", &format!("Observations/any(o:{in_june} and not (o/Value gt 5))"))
            .await;
    let not_large = |row: &Value| !large(row);
    assert_eq!(
        rest,
        picked(&all, &june, |rows| rows.iter().any(not_large)),
        "a hidden figure is not above 5"
    );
    assert!(hidden.is_subset(&rest));
    let all_rest = codes(
        &app,
        HIDDEN,
        "OmrådeCodes",
        &format!("Observations/all(o:not ({in_june}) or not (o/Value gt 5))"),
    )
    .await;
    assert_eq!(all_rest, picked(&all, &june, |rows| rows.iter().all(not_large)));

    let counted = get(
        &app,
        HIDDEN,
        "OmrådeCodes?$compute=Observations/$count($filter=Periode eq '2026MM06' and Value gt 5) as Antal&$select=Identifier,Antal",
    )
    .await;
    for row in counted.rows() {
        let rows = june.get(row["Identifier"].as_str().unwrap()).cloned().unwrap_or_default();
        assert_eq!(row["Antal"], rows.iter().filter(|row| large(row)).count(), "{row}");
    }
}

#[actix_web::test]
async fn nothing_is_any_of_nothing_and_all_of_nothing_holds() {
    let app = App::start().await;
    let all = codes(&app, AREAS, "OmrådeCodes", "true").await;
    let never = "o/Periode eq '1999MM01'";
    assert!(codes(&app, AREAS, "OmrådeCodes", &format!("Observations/any(o:{never})")).await.is_empty());
    assert_eq!(codes(&app, AREAS, "OmrådeCodes", &format!("Observations/all(o:not ({never}))")).await, all);
    assert_eq!(
        codes(&app, AREAS, "OmrådeCodes", "Observations/$filter(Periode eq '1999MM01')/any()").await.len(),
        0
    );
    assert_eq!(
        codes(&app, AREAS, "OmrådeCodes", &format!("Observations/any(o:{never} and o/Value gt 1) eq false"))
            .await,
        all
    );
    let none =
        get(&app, AREAS, "OmrådeCodes?$filter=Observations/$count($filter=Periode eq '1999MM01') eq 0").await;
    assert_eq!(none.rows().len(), all.len());
    assert_eq!(app.data_requests(), 0, "what cannot be is not asked for");
    let missing = codes(&app, AREAS, "OmrådeCodes", "Observations/any(o:o/Periode eq @p)&@p=null").await;
    assert!(missing.is_empty());
}

#[actix_web::test]
async fn only_the_figures_that_the_answer_can_depend_on_are_asked_for() {
    let app = App::start().await;
    let path = "OmrådeCodes?$filter=startswith(Title,'A') and Observations/any(o:o/Periode eq @p and o/Value gt 10)&@p='2026MM06'";
    let plan = get(&app, AREAS, &format!("{path}&explain=plan")).await.json();
    assert_eq!((app.data_requests(), &plan["requests"]), (0, &1.into()), "{plan}");
    let found = get(&app, AREAS, path).await.rows().len();
    let seen = app.upstream().requests().requests;
    let asked: Vec<&str> = seen.iter().map(|seen| seen.target.as_str()).collect();
    assert_eq!(app.data_requests(), 1, "{asked:?}");
    assert_eq!(format!("/v3/{}", plan["plan"][0]["request"].as_str().unwrap()), asked[0]);
    assert!(asked[0].contains("2026M06"), "{asked:?}");
    let rows =
        get(&app, AREAS, "Observations?$filter=startswith(OmrådeCode/Title,'A') and Periode eq '2026MM06'")
            .await;
    assert_eq!(app.data_requests(), 1, "the same cells as the plain rows are");
    let above = rows.rows().iter().filter(|row| value(row).is_some_and(|value| value > 10.0)).count();
    assert!(above >= found && found > 0, "{above} {found}");
}

#[actix_web::test]
async fn lambda_aggregates_are_nested_and_combined_with_other_options() {
    let app = App::start().await;
    let june = observations(&app, AREAS, "Periode eq '2026MM06'").await;
    let large = |code: &str| {
        june.get(code)
            .is_some_and(|rows| rows.iter().any(|row| value(row).is_some_and(|value| value > 900.0)))
    };
    let list = get(&app, AREAS, "OmrådeCodes").await.rows();
    let parents: BTreeSet<String> = list
        .iter()
        .filter(|code| large(code["Identifier"].as_str().unwrap()))
        .filter_map(|code| Some(code["ParentId"].as_str()?.to_owned()))
        .collect();
    let any = "Observations/any(o:o/Periode eq '2026MM06' and o/Value gt 900)";
    let found = codes(&app, AREAS, "OmrådeCodes", &format!("Children/any(c:c/{any})")).await;
    assert_eq!(found, parents, "figures of the children of a list's row");
    assert!(!parents.is_empty() && parents.len() < list.len());

    let periods = codes(&app, AREAS, "PeriodeCodes", "Observations/any(p:p/OmrådeCode/Observations/any(o:o/Periode eq '2026MM06' and o/Value gt 900) and p/Periode in ('2026MM05','2026MM04'))").await;
    assert_eq!(periods, BTreeSet::from(["2026MM04".to_owned(), "2026MM05".to_owned()]));

    let rows = get(&app, AREAS, &format!("Observations?$filter=Periode eq '2026MM05' and OmrådeCode/{any}"))
        .await
        .rows();
    assert!(!rows.is_empty());
    assert!(rows.iter().all(|row| large(row["Område"].as_str().unwrap())));
    let others = get(
        &app,
        AREAS,
        &format!("Observations/$count?$filter=Periode eq '2026MM05' and not OmrådeCode/{any}"),
    )
    .await;
    let all = get(&app, AREAS, "Observations/$count?$filter=Periode eq '2026MM05'").await.text();
    assert_eq!(others.text().parse::<usize>().unwrap() + rows.len(), all.parse::<usize>().unwrap());

    let expanded =
        get(&app, AREAS, &format!("OmrådeCodes('T')?$expand=Children($filter={any};$select=Identifier)"))
            .await;
    let children = expanded.json()["Children"].as_array().unwrap().clone();
    assert!(!children.is_empty() && children.iter().all(|code| large(code["Identifier"].as_str().unwrap())));

    let applied =
        get(&app, AREAS, &format!("OmrådeCodes?$apply=filter({any})/aggregate($count as N)")).await.rows();
    assert_eq!(
        applied[0]["N"],
        list.iter().filter(|code| large(code["Identifier"].as_str().unwrap())).count()
    );
    let searched = codes(
        &app,
        AREAS,
        "MeasureCodes",
        "Observations/$count($search=aarhus;$filter=Periode eq '2026MM06') eq 1",
    )
    .await;
    assert!(!searched.is_empty(), "the inner rows are searched by the titles of their codes");
}

#[actix_web::test]
async fn rows_are_sorted_by_how_many_figures_they_have() {
    let app = App::start().await;
    let count = "Observations/$count($filter=startswith(Periode,'2026MM') and Value gt 250)";
    let rows = get(
        &app,
        AREAS,
        &format!("OmrådeCodes?$orderby={count} desc,Identifier&$compute={count} as N&$select=Identifier,N"),
    )
    .await
    .rows();
    let order: Vec<(i64, String)> = rows
        .iter()
        .map(|row| (-row["N"].as_i64().unwrap(), row["Identifier"].as_str().unwrap().to_owned()))
        .collect();
    let mut sorted = order.clone();
    sorted.sort();
    assert_eq!(order, sorted);
    assert!(order.first() != order.last() && order[0].0 < 0);
}

#[actix_web::test]
async fn pages_of_a_list_go_on_in_the_revision_of_the_figures() {
    let app = App::start().await;
    let path =
        format!("{AREAS}/OmrådeCodes?$filter=Observations/any(o:o/Periode eq '2026MM06' and o/Value ge 0)");
    let whole = app.get(&path).await.rows();
    let mut paged = Vec::new();
    let mut next = Some(path);
    while let Some(link) = next {
        let answer = app.get_with(&link, &[("Prefer", "maxpagesize=30")]).await;
        paged.extend(answer.rows());
        next = answer.json()["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert!(whole.len() > 60);
    assert_eq!(paged, whole);
    assert!(app.data_requests() <= 2);
}

#[actix_web::test]
async fn more_figures_than_an_answer_may_have_are_not_read() {
    let settings = BridgeSettings { max_rows: 500, ..AppOptions::default().settings };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    for refused in [
        "OmrådeCodes?$filter=Observations/any()",
        "OmrådeCodes?$filter=Observations/any(o:o/Value gt 5)",
        "OmrådeCodes?$filter=Observations/all(o:o/Value gt 5)",
        "OmrådeCodes?$orderby=Observations/$count",
        "OmrådeCodes?$filter=Observations/any(o:o/Periode eq '2026MM06') and Observations/any(o:o/Periode eq '2026MM05') and Observations/any(o:o/Periode eq '2026MM04')",
    ] {
        let answer = get(&app, AREAS, refused).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "TooManyRows"), "{refused}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("500") && message.contains("Periode"), "{message}");
    }
    let fits =
        get(&app, AREAS, "OmrådeCodes?$filter=Observations/any(o:o/Periode eq '2026MM06' and o/Value gt 5)")
            .await;
    assert_eq!(fits.status, 200, "{}", fits.text());
}

#[actix_web::test]
async fn malformed_lambda_expressions_are_refused() {
    let app = App::start().await;
    for (filter, status) in [
        ("Observations/any(o:o/Ukendt eq 1)", 400),
        ("Observations/any(o:o/Value eq 'x')", 400),
        ("Observations/any(o:o/Value)", 400),
        ("Observations/all()", 400),
        ("Observations", 400),
        ("Observations eq null", 400),
        ("Observations/any(o:o/Value div 0 gt 1)", 400),
        ("Observations/any(o:Level eq 'Kommune' and o/Value gt 1)", 501),
        ("Observations/any(o:o/Value gt $it/Index)", 501),
        ("Observations/$count($filter=$it/Index eq 1) gt 1", 501),
    ] {
        let answer = get(&app, AREAS, &format!("OmrådeCodes?$filter={filter}")).await;
        assert_eq!(answer.status, status, "{filter}: {}", answer.text());
    }
}
