//! Navigation properties between `Observations` and the code lists, in paths, conditions and `$expand`.

use serde_json::{Value, json};

use crate::support::app::{Answer, App};

/// A table whose only dimension is the area: period, area and measure identify an observation.
const ROOT: &str = "/odata/jobindsats/y25i10";

async fn get(app: &App, path: &str) -> Answer {
    app.get(&format!("{ROOT}/{path}")).await
}

async fn rows(app: &App, path: &str) -> Vec<Value> {
    let answer = get(app, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.rows()
}

fn context(answer: &Answer) -> String {
    let url = answer.json()["@odata.context"].as_str().unwrap().to_owned();
    url.split_once('#').unwrap().1.to_owned()
}

#[actix_web::test]
async fn a_condition_over_a_title_asks_the_upstream_for_its_code_alone() {
    let app = App::start().await;
    let by_title = "Observations?$filter=OmrådeCode/Title eq 'Aarhus' and PeriodeCode/PeriodId eq '2026M06'";
    let found = rows(&app, by_title).await;
    let code = found[0]["Område"].as_str().unwrap().to_owned();
    let by_code = format!("Observations?$filter=Område eq '{code}' and Periode eq '2026MM06'");
    assert_eq!(found, rows(&app, &by_code).await);
    assert_eq!(found.len(), 2);
    assert_eq!(app.data_requests(), 1, "both conditions are the same question to the upstream");
}

#[actix_web::test]
async fn rows_are_sorted_by_what_their_codes_are_called() {
    let app = App::start().await;
    let path = "Observations?$filter=Periode eq '2026MM06' and MeasureCode/Index eq 1 and OmrådeCode/Level eq 'Kommune'\
                &$orderby=OmrådeCode/Title desc&$expand=OmrådeCode($select=Title)&$select=Value";
    let titles: Vec<String> = rows(&app, path)
        .await
        .iter()
        .map(|row| row["OmrådeCode"]["Title"].as_str().unwrap().to_owned())
        .collect();
    let mut sorted = titles.clone();
    sorted.sort();
    sorted.reverse();
    assert!(titles.len() >= 5, "{titles:?}");
    assert_eq!(titles, sorted);
}

#[actix_web::test]
async fn every_navigation_property_of_an_observation_is_expanded_in_one_request() {
    let app = App::start().await;
    let found = rows(&app, "Observations?$top=40&$expand=*").await;
    assert_eq!(found.len(), 40);
    for row in &found {
        assert_eq!(row["OmrådeCode"]["Identifier"], row["Område"]);
        assert_eq!(row["PeriodeCode"]["Identifier"], row["Periode"]);
        assert_eq!(row["MeasureCode"]["Identifier"], row["Measure"]);
    }
    assert_eq!(app.data_requests(), 1);
}

#[actix_web::test]
async fn observations_of_all_codes_come_with_one_plan() {
    let app = App::start().await;
    let path =
        "OmrådeCodes?$filter=Level eq 'Kommune'&$expand=Observations($top=5;$filter=MeasureCode/Index eq 1)";
    let found = rows(&app, path).await;
    assert!(found.len() >= 5);
    for code in &found {
        let beside = code["Observations"].as_array().unwrap();
        assert_eq!(beside.len(), 5, "{}", code["Title"]);
        let alone = format!(
            "Observations?$filter=Område eq '{}' and MeasureCode/Index eq 1&$top=5",
            code["Identifier"].as_str().unwrap()
        );
        assert_eq!(*beside, rows(&app, &alone).await);
    }
    assert!(app.data_requests() <= 2, "{} requests", app.data_requests());
}

#[actix_web::test]
async fn expanded_rows_are_filtered_sorted_cut_and_counted() {
    let app = App::start().await;
    let path = "OmrådeCodes('T')?$select=Title&$expand=Observations($filter=Periode ge '2026MM01' and Periode le '2026MM06' \
                and MeasureCode/Index eq 1;$orderby=Value desc;$top=2;$skip=1;$count=true;$select=Periode,Value)";
    let code = get(&app, path).await.json();
    assert_eq!(code["Observations@odata.count"], 6);
    let all = rows(
        &app,
        "Observations?$filter=Område eq 'T' and Periode ge '2026MM01' and Periode le '2026MM06' and MeasureCode/Index eq 1\
         &$orderby=Value desc&$select=Periode,Value",
    )
    .await;
    assert_eq!(code["Observations"], json!(all[1..3]));
    let counted = get(
        &app,
        "MeasureCodes?$expand=Observations/$count($filter=Område eq 'T' and Periode eq '2026MM06')",
    )
    .await;
    let counted = counted.json();
    assert_eq!(counted["value"][0]["Observations@odata.count"], 1);
    assert_eq!(counted["value"][0].get("Observations"), None);
}

#[actix_web::test]
async fn each_option_of_an_expansion_shapes_the_rows_beside() {
    let app = App::start().await;
    let children = async |options: &str| {
        let code = get(&app, &format!("OmrådeCodes('T')?$expand=Children{options}")).await;
        assert_eq!(code.status, 200, "{options}: {}", code.text());
        code.json()["Children"].as_array().cloned().unwrap_or_default()
    };
    let alone =
        async |options: &str| rows(&app, &format!("OmrådeCodes?$filter=ParentId eq 'T'{options}")).await;
    let all = alone("").await;
    assert!(all.len() > 90);
    for (inner, outer) in [
        ("", ""),
        ("($filter=startswith(Title,'A'))", " and startswith(Title,'A')"),
        ("($filter=startswith(Title,@a);@a='A')", " and startswith(Title,'A')"),
        ("($orderby=Title desc)", "&$orderby=Title desc"),
        ("($orderby=Level asc,Title desc)", "&$orderby=Level asc,Title desc"),
        ("($top=3;$skip=2)", "&$top=3&$skip=2"),
        ("($search=borg OR \"aar\")", "&$search=borg OR \"aar\""),
        ("($select=Title,Index)", "&$select=Title,Index"),
        (
            "($compute=Index add 1 as N;$select=N;$orderby=N desc)",
            "&$compute=Index add 1 as N&$select=N&$orderby=N desc",
        ),
    ] {
        let found = alone(outer).await;
        assert!(!found.is_empty(), "{outer}");
        assert_eq!(children(inner).await, found, "{inner}");
    }
    let counted =
        get(&app, "OmrådeCodes('T')?$expand=Children($count=true;$top=0;$filter=startswith(Title,'A'))")
            .await;
    let with_a = alone(" and startswith(Title,'A')").await.len();
    assert_eq!(
        (&counted.json()["Children@odata.count"], &counted.json()["Children"]),
        (&json!(with_a), &json!([]))
    );
    let references = children("/$ref($top=2)").await;
    let address = |row: &Value| format!("OmrådeCodes('{}')", row["Identifier"].as_str().unwrap());
    for (reference, row) in references.iter().zip(&all) {
        let id = reference["@odata.id"].as_str().unwrap().to_owned();
        let decoded = percent_encoding::percent_decode_str(&id).decode_utf8().unwrap().into_owned();
        assert!(decoded.ends_with(&address(row)) && reference.as_object().unwrap().len() == 1, "{reference}");
    }
    assert_eq!(references.len(), 2);
    let cast = get(&app, "OmrådeCodes?$expand=jobindsats.y25i10.OmrådeCodesType/Children").await;
    assert_eq!((cast.status, cast.code().as_str()), (501, "NotOffered"));
}

#[actix_web::test]
async fn context_addresses_are_those_that_excel_accepts() {
    let app = App::start().await;
    for (path, v4, v401) in [
        ("Observations?$top=1&$expand=OmrådeCode", "Observations", "Observations(OmrådeCode())"),
        (
            "Observations?$top=1&$select=Value&$expand=OmrådeCode",
            "Observations(Value)",
            "Observations(Value,OmrådeCode())",
        ),
        (
            "Observations?$top=1&$expand=OmrådeCode($select=Title)",
            "Observations(OmrådeCode(Title))",
            "Observations(OmrådeCode(Title))",
        ),
        (
            "Observations?$top=1&$select=Value,OmrådeCode/Title",
            "Observations(Value,OmrådeCode(Title))",
            "Observations(Value,OmrådeCode(Title))",
        ),
        (
            "Observations?$top=1&$select=OmrådeCode($select=Title),OmrådeCode/Level",
            "Observations(OmrådeCode(Title,Level))",
            "Observations(OmrådeCode(Title,Level))",
        ),
        (
            "Observations?$top=1&$select=Value,OmrådeCode&$expand=OmrådeCode",
            "Observations(Value,OmrådeCode)",
            "Observations(Value,OmrådeCode,OmrådeCode())",
        ),
        (
            "Observations?$top=1&$expand=OmrådeCode/$ref",
            "Observations(OmrådeCode/$ref)",
            "Observations(OmrådeCode/$ref)",
        ),
        ("OmrådeCodes('T')/Observations?$top=1", "Observations", "Observations"),
        ("OmrådeCodes('T')/Observations/$ref?$top=1", "Collection($ref)", "Collection($ref)"),
    ] {
        assert_eq!(context(&get(&app, path).await), v4, "{path}");
        let newer = app.get_with(&format!("{ROOT}/{path}"), &[("OData-MaxVersion", "4.01")]).await;
        let url = newer.json()["@context"].as_str().unwrap().to_owned();
        assert_eq!(url.split_once('#').unwrap().1, v401, "{path}");
    }
}

#[actix_web::test]
async fn options_of_a_selected_navigation_property_are_those_of_an_expanded_one() {
    let app = App::start().await;
    let options = "$filter=contains(Title,@t);$orderby=Title desc;$top=3;$count=true;$select=Title;@t='borg'";
    let selected = get(&app, &format!("OmrådeCodes('T')?$select=Title,Children({options})")).await;
    let expanded = get(&app, &format!("OmrådeCodes('T')?$select=Title&$expand=Children({options})")).await;
    assert_eq!((selected.status, selected.json()), (200, expanded.json()));
    assert_eq!(selected.json()["Children"].as_array().unwrap().len(), 3);
    for (select, status) in [
        ("Title($select=x)", 501),
        ("Children($top=1),Children($top=2)", 400),
        ("Children($top=1)&$expand=Children", 400),
        ("Children($select=Ukendt)", 400),
    ] {
        let answer = get(&app, &format!("OmrådeCodes('T')?$select={select}")).await;
        assert_eq!(answer.status, status, "{select}: {}", answer.text());
    }
}

#[actix_web::test]
async fn paths_lead_from_row_to_row() {
    let app = App::start().await;
    let first = rows(&app, "Observations?$filter=OmrådeCode/Title eq 'Aarhus'&$top=1").await.remove(0);
    let id = first["Id"].as_str().unwrap();
    let requests = app.data_requests();
    let area = get(&app, &format!("Observations('{id}')/OmrådeCode")).await;
    assert_eq!((area.status, context(&area).as_str()), (200, "OmrådeCodes/$entity"));
    assert_eq!(area.json()["Title"], "Aarhus");
    assert!(app.data_requests() <= requests + 1, "an id names its cell");
    let title = get(&app, &format!("Observations('{id}')/OmrådeCode/Title")).await;
    assert_eq!(title.json()["value"], "Aarhus");
    let code = first["Område"].as_str().unwrap();
    assert_eq!(context(&title), format!("OmrådeCodes('{code}')/Title"));
    assert_eq!(get(&app, &format!("Observations('{id}')/OmrådeCode/Title/$value")).await.text(), "Aarhus");
    let reference = get(&app, &format!("Observations('{id}')/OmrådeCode/$ref")).await.json();
    let address = reference["@odata.id"].as_str().unwrap().to_owned();
    assert_eq!(app.get(&address).await.json()["Title"], "Aarhus");
    assert_eq!(get(&app, &format!("$entity?$id={address}")).await.json()["Title"], "Aarhus");
    assert_eq!(get(&app, "$entity?$id=OmrådeCodes('T')").await.json()["IsTotal"], true);
}

#[actix_web::test]
async fn rows_below_a_code_are_those_that_a_filter_finds() {
    let app = App::start().await;
    let below = "OmrådeCodes('T')/Observations?$filter=Periode eq '2026MM06'";
    let found = rows(&app, below).await;
    assert_eq!(found, rows(&app, "Observations?$filter=Område eq 'T' and Periode eq '2026MM06'").await);
    let count = get(&app, "OmrådeCodes('T')/Observations/$count?$filter=Periode eq '2026MM06'").await;
    assert_eq!(count.text(), found.len().to_string());
    let id = found[0]["Id"].as_str().unwrap();
    assert_eq!(get(&app, &format!("OmrådeCodes('T')/Observations('{id}')")).await.json()["Id"], id);
    let children = rows(&app, "OmrådeCodes('T')/Children").await;
    assert!(!children.is_empty() && children.iter().all(|child| child["ParentId"] == "T"), "{children:?}");
}

#[actix_web::test]
async fn a_navigation_property_without_target_is_empty_and_a_missing_row_is_not_found() {
    let app = App::start().await;
    assert_eq!(get(&app, "OmrådeCodes('T')/Parent").await.status, 204);
    assert_eq!(get(&app, "OmrådeCodes('T')/Parent/Title").await.status, 204);
    assert_eq!(get(&app, "OmrådeCodes('intet')/Parent").await.status, 404);
    assert_eq!(get(&app, "OmrådeCodes('intet')/Observations").await.status, 404);
    assert_eq!(get(&app, "Observations('2026M06|x|y')").await.status, 404);
    assert_eq!(get(&app, "OmrådeCodes('T')/Ukendt").await.status, 404);
    assert_eq!(app.data_requests(), 0);
    let total = get(&app, "OmrådeCodes('T')?$expand=Parent").await.json();
    assert_eq!(total["Parent"], Value::Null);
    assert!(total.as_object().unwrap().contains_key("Parent"));
    let path = format!("{ROOT}/OmrådeCodes('T')?$expand=Parent");
    let omitted = app.get_with(&path, &[("Prefer", "omit-values=nulls")]).await;
    assert_eq!(omitted.header("Preference-Applied"), "omit-values=nulls");
    assert_eq!(omitted.json().get("Parent"), None);
}

#[actix_web::test]
async fn a_hierarchy_is_expanded_level_by_level() {
    let app = App::start().await;
    let root = "/odata/jobindsats/y25i07/Stillingsbetegnelse_ESCOSTARCodes";
    let path = format!("{root}('T')?$select=Title&$expand=Children($select=Title;$levels=max)");
    let total = app.get(&path).await.json();
    let groups = total["Children"].as_array().unwrap();
    let below: usize = groups.iter().map(|group| group["Children"].as_array().unwrap().len()).sum();
    let all = app.get(&format!("{root}/$count?$filter=Parent/Parent/IsTotal eq true")).await.text();
    assert!(below > 100);
    assert_eq!(below.to_string(), all);
    let one = get(&app, "OmrådeCodes('T')?$expand=Children($levels=1)").await.json();
    assert_eq!(one["Children"][0].get("Children"), None);
    let wrong = get(&app, "Observations?$expand=OmrådeCode($levels=2)").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "OptionNotApplicable"));
}

#[actix_web::test]
async fn lambdas_and_counts_range_over_lists() {
    let app = App::start().await;
    let with = rows(&app, "OmrådeCodes?$filter=Children/any(c:contains(c/Title,'Aarhus'))").await;
    let without = rows(&app, "OmrådeCodes?$filter=not Children/any(c:contains(c/Title,'Aarhus'))").await;
    let parent = rows(&app, "OmrådeCodes?$filter=contains(Title,'Aarhus')").await[0]["ParentId"].clone();
    assert!(with.iter().any(|code| code["Identifier"] == parent));
    let all: usize = get(&app, "OmrådeCodes/$count").await.text().parse().unwrap();
    assert_eq!(with.len() + without.len(), all);
    let leaves = rows(&app, "OmrådeCodes?$filter=Children/$count eq 0").await;
    assert_eq!(leaves, rows(&app, "OmrådeCodes?$filter=not Children/any()").await);
    assert!(!leaves.is_empty() && leaves.len() < all);
    let observations = rows(
        &app,
        "Observations?$filter=OmrådeCode/Children/any() and Periode eq '2026MM06' and MeasureCode/Index eq 1",
    )
    .await;
    assert_eq!(observations.len() + leaves.len(), all);
    for refused in [
        "OmrådeCodes?$filter=Observations/any(o:o/Value gt Index)",
        "OmrådeCodes?$filter=Children/any(c:c/Index gt Index)",
        "OmrådeCodes?$expand=Children($filter=$it/Index eq 1)",
        "$all",
        "$crossjoin(OmrådeCodes,MeasureCodes)",
    ] {
        let answer = get(&app, refused).await;
        assert_eq!((answer.status, answer.code().as_str()), (501, "NotOffered"), "{refused}");
    }
}

#[actix_web::test]
async fn presence_at_the_other_end_is_a_condition() {
    let app = App::start().await;
    let tops = rows(&app, "OmrådeCodes?$filter=Parent eq null").await;
    assert_eq!(tops, rows(&app, "OmrådeCodes?$filter=ParentId eq null").await);
    assert!(tops.iter().any(|code| code["Identifier"] == "T"));
    let others: usize = get(&app, "OmrådeCodes/$count?$filter=null ne Parent").await.text().parse().unwrap();
    let all: usize = get(&app, "OmrådeCodes/$count").await.text().parse().unwrap();
    assert_eq!(tops.len() + others, all);
    let answer = get(&app, "OmrådeCodes?$filter=Parent eq 'T'").await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "TypeMismatch"));
}

#[actix_web::test]
async fn expansions_are_bounded() {
    let app = App::start().await;
    for (table, code) in [("y12a27", "TooManyExpanded"), ("y25i01", "TooManyRows")] {
        let answer = app.get(&format!("/odata/jobindsats/{table}/OmrådeCodes?$expand=Observations")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{}", answer.text());
    }
    let deep = "Children($expand=Children($expand=*($levels=max));$levels=max)";
    let answer = get(&app, &format!("OmrådeCodes?$expand={deep}")).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "TooManyExpansions"));
}

#[actix_web::test]
async fn pages_carry_what_is_expanded() {
    let app = App::start().await;
    let path =
        format!("{ROOT}/OmrådeCodes?$expand=Parent($select=Title),Children/$count&$filter=Level ne 'x'");
    let whole = app.get(&path).await.rows();
    let mut paged = Vec::new();
    let mut next = Some(path);
    while let Some(link) = next {
        let answer = app.get_with(&link, &[("Prefer", "maxpagesize=17")]).await;
        assert!(answer.rows().len() <= 17);
        paged.extend(answer.rows());
        next = answer.json()["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(paged, whole);
}

#[actix_web::test]
async fn errors_about_navigation_properties_say_what_to_write_instead() {
    let app = App::start().await;
    for (path, status, part) in [
        ("OmrådeCodes?$expand=Title", 400, "vælg den med $select"),
        ("OmrådeCodes?$expand=Tittle", 400, "findes ikke"),
        ("OmrådeCodes?$expand=Parent/Children", 501, "$expand=A($expand=B)"),
        ("OmrådeCodes?$expand=Children()", 400, "en indstilling som $select"),
        ("OmrådeCodes?$filter=Parent/any(p:p/Index eq 1)", 501, "der er kun én række"),
        ("OmrådeCodes?$filter=Parent/$count eq 1", 501, "der er kun én række"),
        ("OmrådeCodes?$filter=Children/any(c:d/Title eq 'x')", 400, "Kolonnen 'd' findes ikke"),
        ("OmrådeCodes?$filter=Children/any(c:Title eq 'x')", 501, "den ydre række"),
        ("OmrådeCodes?$filter=Children/any(c:c/Children/any(d:c/Title eq 'x'))", 501, "den ydre række"),
        ("OmrådeCodes?$filter=Children/any(c:c eq 'x')", 400, "en hel række"),
        ("OmrådeCodes('T')/$count", 404, "findes ikke under OmrådeCodes"),
        ("$entity?$id=OmrådeCodes", 404, "Adressen findes ikke"),
        ("OmrådeCodes?$top=1&$TOP=1", 400, "Angiv $top kun én gang."),
        ("OmrådeCodes?$top=1.5", 400, "her skal stå slutningen"),
        ("$metadata?$filter=x eq 1", 400, "Fjern $filter: den kan ikke bruges her."),
    ] {
        let answer = get(&app, path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(part), "{path}: {message}");
    }
    assert_eq!(context(&get(&app, "Properties/Title").await), "Properties/Title");
    let month =
        "Observations?$filter=PeriodeCode/LastDay sub PeriodeCode/FirstDay eq P29D and Område eq 'T'&$top=1";
    let quoted = month.replace("P29D", "duration'P29D'");
    assert_eq!(rows(&app, month).await, rows(&app, &quoted).await);
}
