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

/// A comparison with null is false, so `not` of it is true: every row is in a comparison or in its opposite, whichever of the two
/// the planner narrows the request by.
#[actix_web::test]
async fn conditions_and_their_rest_are_all_rows_of_a_set() {
    let app = App::start().await;
    let count = async |path: &str| -> usize {
        let answer = app.get(path).await;
        answer.text().parse().unwrap_or_else(|_| panic!("{path}: {}", answer.text()))
    };
    for (set, base, condition) in [
        ("/odata/Datasets", "true", "ObservationCount gt 5"),
        ("/odata/Datasets", "true", "Modified ge 2026-06-01T00:00:00Z"),
        ("/odata/Datasets", "true", "NextUpdate lt 2026-09-01"),
        ("/odata/jobindsats/y12a27/Kommuner", "Periode eq '2026M06'", MEASURE),
        ("/odata/jobindsats/y12a27/Hovedtal", "Periode eq '2026M06'", "Områdekode lt '5'"),
        (
            "/odata/jobindsats/y12a27/Data",
            "Periode eq '2026M06'",
            "length(Områdekode) gt 2 and Fra ge 2026-01-01",
        ),
        (
            "/odata/jobindsats/y12a27/Data",
            "Periode eq '2026M06'",
            "Status ge 'a' or Områdekode in ('000','101')",
        ),
        ("/odata/jobindsats/y12a27/Observations", "Periode eq '2026MM06'", "Value le 5"),
        ("/odata/jobindsats/y12a27/OmrådeCodes", "true", "Code ge '1'"),
        ("/odata/jobindsats/y12a27/OmrådeCodes", "true", "Parent/Title gt 'a'"),
        ("/odata/jobindsats/y12a27/OmrådeCodes", "true", "Parent/Index le 3"),
    ] {
        let measures = app.get("/odata/jobindsats/y12a27/MeasureCodes").await.rows();
        let measure = measures[0]["Column"].as_str().unwrap().to_owned();
        let condition = condition.replace(MEASURE, &format!("{measure} gt 5"));
        let all = count(&format!("{set}/$count?$filter={base}")).await;
        let met = count(&format!("{set}/$count?$filter={base} and ({condition})")).await;
        let rest = count(&format!("{set}/$count?$filter={base} and not ({condition})")).await;
        assert_eq!(met + rest, all, "{set}: {condition}");
        assert!(rest > 0, "{set}: {condition}");
    }
}

const MEASURE: &str = "MEASURE";

/// A cast to the type that the rows have anyway changes nothing; to another type there is none.
#[actix_web::test]
async fn a_cast_to_the_own_type_changes_nothing() {
    let app = App::start().await;
    let metadata = app.get(&format!("{ROOT}/$metadata")).await.text();
    let namespace = metadata
        .split(" Namespace=\"Job")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .map(|rest| format!("Job{rest}"))
        .unwrap();
    let list = format!("{namespace}.OmrådeCodesType");
    for (cast, plain) in [
        (format!("OmrådeCodes?$top=3&$select={list}/Title"), "OmrådeCodes?$top=3&$select=Title"),
        (format!("OmrådeCodes?$filter={list}/Title eq 'Aarhus'"), "OmrådeCodes?$filter=Title eq 'Aarhus'"),
        (format!("OmrådeCodes?$top=3&$orderby={list}/Title desc"), "OmrådeCodes?$top=3&$orderby=Title desc"),
        (format!("OmrådeCodes?$top=3&$expand={list}/Parent"), "OmrådeCodes?$top=3&$expand=Parent"),
        (format!("OmrådeCodes?$top=3&$expand=Parent/{list}"), "OmrådeCodes?$top=3&$expand=Parent"),
        (
            format!("OmrådeCodes?$filter=Parent/{list}/Title eq 'Hele landet'&$top=1"),
            "OmrådeCodes?$filter=Parent/Title eq 'Hele landet'&$top=1",
        ),
        (format!("OmrådeCodes/{list}?$top=3"), "OmrådeCodes?$top=3"),
        (format!("OmrådeCodes('T')/{list}/Title"), "OmrådeCodes('T')/Title"),
    ] {
        let (cast, plain) = (get(&app, &cast).await, get(&app, plain).await);
        assert_eq!((cast.status, cast.json()), (200, plain.json()));
    }
    let datasets = app.get("/odata/Datasets?$top=1&$select=Jobindsats.DatasetsType/Title").await;
    assert_eq!(datasets.json(), app.get("/odata/Datasets?$top=1&$select=Title").await.json());
    let other = format!("{namespace}.HovedtalType");
    for path in [
        format!("OmrådeCodes?$select={other}/Periode"),
        format!("OmrådeCodes?$filter={other}/Periode eq '1'"),
        format!("OmrådeCodes?$expand={other}/Parent"),
        format!("OmrådeCodes/{other}"),
        format!("OmrådeCodes('T')/{other}"),
    ] {
        let answer = get(&app, &path).await;
        assert_eq!((answer.status, answer.code().as_str()), (501, "NotOffered"), "{path}: {}", answer.text());
    }
}

#[actix_web::test]
async fn a_search_without_words_between_its_operators_is_refused() {
    let app = App::start().await;
    for search in [
        "a AND",
        "AND",
        "OR a",
        "a OR",
        "NOT",
        "a NOT",
        "(AND)",
        "a AND AND b",
        "a OR OR b",
        "()",
        "AND a",
        "NOT NOT",
    ] {
        let answer = get(&app, &format!("OmrådeCodes?$search={search}")).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "SyntaxError"),
            "{search}: {}",
            answer.text()
        );
    }
}
