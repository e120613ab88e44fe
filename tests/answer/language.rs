//! `$search`, `$compute` and the rest of the language, over HTTP.

use serde_json::Value;

use crate::support::app::{Answer, App};

const ROOT: &str = "/odata/jobindsats/y25i01";

async fn get(app: &App, path: &str) -> Answer {
    app.get(&format!("{ROOT}/{path}")).await
}

async fn texts(app: &App, path: &str, column: &str) -> Vec<String> {
    let answer = get(app, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.rows().iter().map(|row| row[column].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn words_are_searched_for_in_titles_whatever_their_case() {
    let app = App::start().await;
    let found = texts(&app, "OmrådeCodes?$search=ÆRØ", "Title").await;
    assert_eq!(found, ["Ærø"]);
    let both = texts(&app, "OmrådeCodes?$search=kommune AND nord NOT nordfyns", "Title").await;
    assert_eq!(both, ["Norddjurs"]);
    assert_eq!(texts(&app, "OmrådeCodes?$search=\"hele LANDET\"", "Title").await, ["Hele landet"]);
    assert!(texts(&app, "OmrådeCodes?$search=\"landet hele\"", "Title").await.is_empty());
    let either = texts(&app, "OmrådeCodes?$search=aarhus OR ærø", "Title").await;
    assert_eq!(either.len(), 2, "{either:?}");
    let all: usize = get(&app, "OmrådeCodes/$count").await.text().parse().unwrap();
    let others: usize = get(&app, "OmrådeCodes/$count?$search=NOT ærø").await.text().parse().unwrap();
    assert_eq!(others + 1, all);
    assert!(texts(&app, "OmrådeCodes?$search=findes_ikke", "Title").await.is_empty());
    let datasets = app.get("/odata/Datasets?$search=LEDIGHED&$select=Identifier,Title").await.rows();
    assert!(datasets.iter().any(|row| row["Identifier"] == "y25i01"), "{datasets:?}");
}

#[actix_web::test]
async fn a_search_over_figures_asks_for_the_rows_it_finds() {
    let app = App::start().await;
    let found = get(&app, "Hovedtal?$search=aarhus&$filter=Periode eq '2026M06'").await.rows();
    assert_eq!(found, get(&app, "Hovedtal?$filter=Periode eq '2026M06' and Område eq 'Aarhus'").await.rows());
    assert_eq!(found.len(), 1);
    assert_eq!(app.data_requests(), 1, "the search is pushed down like the condition");
    let path = "/odata/jobindsats/y25i10/Observations?$search=aarhus&$filter=Periode eq '2026MM06'";
    assert_eq!(app.get(path).await.rows().len(), 2, "codes are searched by their titles");
}

#[actix_web::test]
async fn computed_values_are_shown_filtered_and_sorted_by() {
    let app = App::start().await;
    let path = "Kommuner?$filter=Periode eq '2026M06' and Tusinder gt 1&$orderby=Tusinder desc&$top=3\
                &$compute=Antal_ledige_personer divby 1000 as Tusinder,toupper(Område) as Navn&$select=Område,Tusinder,Navn,Antal_ledige_personer";
    let answer = get(&app, path).await;
    let rows = answer.rows();
    assert_eq!(rows.len(), 3);
    let number = |value: &Value| value.as_f64().unwrap();
    for row in &rows {
        assert_eq!(number(&row["Tusinder"]), number(&row["Antal_ledige_personer"]) / 1000.0);
        assert_eq!(row["Navn"].as_str().unwrap(), row["Område"].as_str().unwrap().to_uppercase());
    }
    assert!(rows.windows(2).all(|pair| number(&pair[0]["Tusinder"]) >= number(&pair[1]["Tusinder"])));
    let context = answer.json()["@odata.context"].as_str().unwrap().to_owned();
    assert!(context.ends_with("#Kommuner(Område,Tusinder,Navn,Antal_ledige_personer)"), "{context}");
    let all =
        get(&app, "MeasureCodes?$compute=length(Title) as Længde,Længde add 1 as Mere&$top=1").await.rows();
    assert_eq!(all[0]["Mere"].as_i64().unwrap(), all[0]["Længde"].as_i64().unwrap() + 1);
    assert!(all[0]["Identifier"].is_string(), "without $select everything is shown");
}

#[actix_web::test]
async fn computed_values_that_cannot_be_are_refused() {
    let app = App::start().await;
    for (compute, status, code) in [
        ("1 add 1 as Title", 400, "NameTaken"),
        ("1 as A,2 as a", 400, "NameTaken"),
        ("Ukendt as A", 400, "UnknownProperty"),
        ("duration'P1D' as A", 501, "NotOffered"),
        ("Index div 0 as A", 400, "NoValue"),
        ("Observations as A", 400, "TypeMismatch"),
    ] {
        let answer = get(&app, &format!("MeasureCodes?$compute={compute}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{compute}: {}", answer.text());
    }
}

#[actix_web::test]
async fn case_cast_and_isof_are_evaluated() {
    let app = App::start().await;
    let path = "OmrådeCodes?$compute=case(IsTotal:'hele',Level eq 'Kommune':'del',true:'andet') as Slags&$select=Level,IsTotal,Slags";
    for row in get(&app, path).await.rows() {
        let expected = match (row["IsTotal"].as_bool().unwrap(), row["Level"].as_str().unwrap()) {
            (true, _) => "hele",
            (false, "Kommune") => "del",
            _ => "andet",
        };
        assert_eq!(row["Slags"], expected);
    }
    let count = |filter: &str| format!("OmrådeCodes/$count?$filter={filter}");
    let all = get(&app, "OmrådeCodes/$count").await.text();
    assert_eq!(get(&app, &count("isof(Title,Edm.String)")).await.text(), all);
    assert_eq!(get(&app, &count("isof(Title,Edm.Int32)")).await.text(), "0");
    assert_eq!(get(&app, &count("cast(Index,Edm.String) eq '1'")).await.text(), "1");
    assert_eq!(
        get(&app, "OmrådeCodes/$filter(Level eq 'Kommune')/$count").await.text(),
        get(&app, &count("Level eq 'Kommune'")).await.text()
    );
}
