//! `$apply` over HTTP: published totals, and errors that say what to write instead.

use std::collections::BTreeMap;

use jobindsats_bridge::settings::BridgeSettings;
use serde_json::{Map, Value, json};

use crate::support::app::{App, AppOptions};

const LEDIGE: &str = "/odata/jobindsats/y25i01";
const PERSONS: &str = "Antal_ledige_personer";

/// The columns of the rows, and no others; nothing that is said beside them.
fn only(rows: &[Value], columns: &[&str]) -> Vec<Value> {
    let cut = |row: &Value| columns.iter().map(|name| ((*name).to_owned(), row[*name].clone())).collect();
    rows.iter().map(|row| Value::Object(cut(row))).collect()
}

fn bare(rows: &[Value]) -> Vec<Value> {
    let bare =
        |row: &Value| row.as_object().unwrap().clone().into_iter().filter(|(name, _)| !name.contains('@'));
    rows.iter().map(|row| Value::Object(bare(row).collect::<Map<_, _>>())).collect()
}

fn ids(row: &Value) -> Vec<String> {
    row.as_object().unwrap().keys().filter(|name| name.ends_with("_id")).cloned().collect()
}

/// The columns that are neither of the fixed ones nor of a dimension.
fn measures(row: &Value) -> Vec<String> {
    let fixed = ["Periode", "Periodetype", "Fra", "Til", "Områdekode", "Områdeniveau", "Status", "Opdateret"];
    let stems: Vec<String> = ids(row).iter().map(|id| id.trim_end_matches("_id").to_owned()).collect();
    let is_of = |stem: &String, name: &str| {
        name.strip_prefix(stem.as_str()).is_some_and(|rest| ["", "_id", "_niveau", "_nr"].contains(&rest))
    };
    let names = row.as_object().unwrap().keys();
    let measures =
        names.filter(|name| !fixed.contains(&name.as_str()) && !stems.iter().any(|stem| is_of(stem, name)));
    measures.cloned().collect()
}

#[actix_web::test]
async fn a_measure_by_its_own_name_is_the_published_total() {
    let app = App::start().await;
    let path =
        format!("{LEDIGE}/Data?$apply=filter(Periode eq '2026M06')/groupby((Periode),aggregate({PERSONS}))");
    let answer = app.get(&path).await;
    let body = answer.json();
    assert_eq!(bare(&answer.rows()), [json!({ "Periode": "2026M06", PERSONS: 110_854 })]);
    let context = body["@odata.context"].as_str().unwrap();
    assert!(context.ends_with("$metadata#Data(Periode,Antal_ledige_personer)"), "{context}");
    assert_eq!(app.data_requests(), 1);
    let alone = format!(
        "{LEDIGE}/Landet?$apply=filter(Periode eq '2026M06')/aggregate({PERSONS} as Personer,Status)"
    );
    assert_eq!(bare(&app.get(&alone).await.rows()), [json!({ "Personer": 110_854, "Status": null })]);
}

#[actix_web::test]
async fn totals_equal_the_rows_of_the_total_members() {
    let app = App::start().await;
    let when = "Periode ge '2026M05'";
    let columns = ["Periode", "Område_id", PERSONS, "Antal_ledige_fuldtidspersoner", "Status"];
    let plain = app.all_rows(&format!("{LEDIGE}/Hovedtal?$filter={when}")).await;
    for set in ["Data", "Hovedtal", "Fordelt_på_Køn"] {
        let path = format!(
            "{LEDIGE}/{set}?$apply=filter({when})/groupby((Periode,Område_id),aggregate({PERSONS},Antal_ledige_fuldtidspersoner,Status))"
        );
        assert_eq!(bare(&app.all_rows(&path).await), only(&plain, &columns), "{set}");
    }
    let plain = app.all_rows(&format!("{LEDIGE}/Fordelt_på_Køn?$filter={when} and Område_id eq 'T'")).await;
    let path = format!(
        "{LEDIGE}/Data?$apply=filter({when} and Område_id eq 'T' and Køn_id ne 'T')/groupby((Periode,Køn),aggregate({PERSONS}))"
    );
    assert_eq!(bare(&app.all_rows(&path).await), only(&plain, &["Periode", "Køn", PERSONS]));
    let path = format!(
        "{LEDIGE}/Observations?$apply=filter(Periode eq '2026MM06' and Measure eq 'measi01_1')/groupby((Periode,Område),aggregate(Value,ValueAttribute))"
    );
    let long = app.all_rows(&path).await;
    let plain = app.all_rows(&format!("{LEDIGE}/Hovedtal?$filter=Periode eq '2026M06'")).await;
    let figures = |rows: &[Value], name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(figures(&long, "Value"), figures(&plain, PERSONS));
    assert_eq!(figures(&long, "Område"), figures(&plain, "Område_id"));
}

/// Whatever is grouped by: the figures are those of the plain rows whose other dimensions are at their totals.
async fn check_every_grouping(app: &App, table: &str, filter: &str) {
    let root = format!("/odata/jobindsats/{table}/Data");
    let plain = app.all_rows(&format!("{root}?$filter={filter}")).await;
    let dimensions: Vec<String> = ids(&plain[0]);
    let measures = measures(&plain[0]);
    for chosen in 0..1_usize << dimensions.len() {
        let is_chosen = |at: usize| chosen >> at & 1 == 1;
        let mut columns = vec!["Periode"];
        columns.extend(
            dimensions.iter().enumerate().filter(|(at, _)| is_chosen(*at)).map(|(_, name)| name.as_str()),
        );
        let path = format!(
            "{root}?$apply=filter({filter})/groupby(({}),aggregate({}))",
            columns.join(","),
            measures.join(",")
        );
        let at_total =
            |row: &&Value| dimensions.iter().enumerate().all(|(at, name)| is_chosen(at) || row[name] == "T");
        let expected: Vec<Value> = plain.iter().filter(at_total).cloned().collect();
        assert!(!expected.is_empty(), "{path}");
        columns.extend(measures.iter().map(String::as_str));
        assert_eq!(bare(&app.all_rows(&path).await), only(&expected, &columns), "{path}");
    }
}

#[actix_web::test]
async fn every_grouping_equals_the_rows_read_plainly() {
    let app = App::start().await;
    check_every_grouping(&app, "y31ap01", "Periode ge '2026M06' and Område_id eq 'T'").await;
    check_every_grouping(&app, "y25i08", "Fra ge 2026-01-01 and Område_id eq 'T' and A_kasse_id eq 'T'")
        .await;
    check_every_grouping(&app, "y11c02", "Periode eq '2026M05'").await;
}

#[actix_web::test]
async fn counts_and_distinct_values_equal_those_of_the_rows_read_plainly() {
    let app = App::start().await;
    let root = "/odata/jobindsats/y31ap01/Data";
    let filter = "Periode eq '2026M05' and Område_id in ('T','1','2')";
    let plain = app.all_rows(&format!("{root}?$filter={filter}")).await;
    for columns in
        [&["Områdekode"][..], &["Køn", "Alder_niveau"], &["Status"], &["Områdeniveau", "Køn_nr", "Fra"]]
    {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for row in only(&plain, columns) {
            *counts.entry(row.to_string()).or_default() += 1;
        }
        let by = columns.join(",");
        let rows = app
            .all_rows(&format!("{root}?$apply=filter({filter})/groupby(({by}),aggregate($count as N))"))
            .await;
        let found: BTreeMap<String, u64> = rows
            .iter()
            .map(|row| (only(std::slice::from_ref(row), columns)[0].to_string(), row["N"].as_u64().unwrap()))
            .collect();
        assert_eq!((found.len(), &found), (rows.len(), &counts), "{by}");
        let distinct = app.all_rows(&format!("{root}?$apply=filter({filter})/groupby(({by}))")).await;
        assert_eq!(bare(&distinct), only(&rows, columns), "{by}");
    }
    let path = format!("{root}?$apply=filter({filter})/aggregate($count as N)");
    assert_eq!(app.get(&path).await.rows()[0]["N"], plain.len());
}

#[actix_web::test]
async fn columns_that_are_no_figures_have_least_greatest_and_distinct_values() {
    let app = App::start().await;
    let path = format!(
        "{LEDIGE}/Landet?$apply=aggregate(Fra with min as F,Til with max as T,Periode with countdistinct as N,Områdekode with max as K)"
    );
    let expected = json!({ "F": "2008-01-01", "T": "2026-07-31", "N": 223, "K": "000" });
    assert_eq!(bare(&app.get(&path).await.rows()), [expected]);
    // Null is not among the values.
    let path = format!(
        "{LEDIGE}/Hovedtal?$apply=filter(Områdekode eq null)/aggregate(Områdekode with min as K,Områdekode with countdistinct as N)"
    );
    assert_eq!(bare(&app.get(&path).await.rows()), [json!({ "K": null, "N": 0 })]);
}

#[actix_web::test]
async fn the_other_options_apply_to_the_result() {
    let app = App::start().await;
    let apply = format!(
        "$apply=filter(Periode eq '2026M06')/groupby((Område_id,Områdeniveau),aggregate({PERSONS} as N))"
    );
    let all = app.get(&format!("{LEDIGE}/Hovedtal?{apply}")).await.rows();
    let path = format!(
        "{LEDIGE}/Hovedtal?{apply}&$filter=N gt 1000 and Områdeniveau eq 'Kommune'&$orderby=N desc&$skip=1&$top=3&$select=N,Område_id&$count=true"
    );
    let answer = app.get(&path).await;
    let mut expected: Vec<&Value> = all
        .iter()
        .filter(|row| row["N"].as_f64() > Some(1000.0) && row["Områdeniveau"] == "Kommune")
        .collect();
    assert_eq!(answer.json()["@odata.count"], expected.len());
    expected.sort_by(|a, b| b["N"].as_f64().partial_cmp(&a["N"].as_f64()).unwrap());
    let expected: Vec<Value> = expected[1..4].iter().copied().cloned().collect();
    assert_eq!(bare(&answer.rows()), only(&expected, &["N", "Område_id"]));
    assert!(answer.text().contains("$metadata#Hovedtal(N,Område_id)"), "{}", answer.text());
    let steps = format!(
        "{LEDIGE}/Hovedtal?{apply}/filter(N gt 1000 and Områdeniveau eq 'Kommune')/orderby(N desc)/skip(1)/top(3)/identity"
    );
    assert_eq!(
        only(&app.get(&steps).await.rows(), &["N", "Område_id"]),
        only(&expected, &["N", "Område_id"])
    );
    let levels = format!("{LEDIGE}/Hovedtal?{apply}/groupby((Områdeniveau),aggregate($count as Antal))");
    assert_eq!(app.get(&levels).await.rows().iter().filter(|row| row["Antal"] == 98).count(), 1);
    let count = app.get(&format!("{LEDIGE}/Hovedtal/$count?{apply}&$filter=Områdeniveau eq 'Kommune'")).await;
    assert_eq!(count.text(), "98");
}

#[actix_web::test]
async fn conditions_alone_are_a_filter_and_rows_that_were_only_cut_are_entities() {
    let app = App::start().await;
    let plain =
        app.get(&format!("{LEDIGE}/Hovedtal?$filter=Periode eq '2026M06' and Område_id eq 'T'")).await;
    let path =
        format!("{LEDIGE}/Hovedtal?$apply=filter(Periode eq '2026M06')/identity&$filter=Område_id eq 'T'");
    assert_eq!(app.get(&path).await.rows(), plain.rows());
    let path = format!("{LEDIGE}/Hovedtal?$apply=filter(Periode eq '2026M06')/top(1)");
    let cut = app.get(&path).await;
    assert_eq!(cut.rows(), plain.rows());
    assert!(cut.json()["@odata.context"].as_str().unwrap().ends_with("#Hovedtal"));
    let full = app.get(&format!("{path}&$format=application/json;odata.metadata=full")).await;
    assert!(full.rows()[0]["@odata.id"].as_str().unwrap().contains("Hovedtal"));
}

#[actix_web::test]
async fn grouped_rows_say_that_they_are_no_entities() {
    let app = App::start().await;
    let path = format!("{LEDIGE}/Landet?$apply=groupby((Periodetype),aggregate($count as N))");
    let with = async |level: &str, version: &str| {
        let accept = format!("application/json;odata.metadata={level}");
        app.get_with(&path, &[("Accept", accept.as_str()), ("OData-MaxVersion", version)]).await.rows()
    };
    assert_eq!(
        with("minimal", "4.0").await,
        [json!({ "@odata.id": null, "Periodetype": "M", "N@odata.type": "#Decimal", "N": 223 })]
    );
    assert_eq!(with("none", "4.0").await, [json!({ "Periodetype": "M", "N": 223 })]);
    let full = json!({ "@odata.id": null, "Periodetype": "M", "N@odata.type": "#Decimal", "N": 223 });
    assert_eq!(with("full", "4.0").await, [full]);
}

#[actix_web::test]
async fn pages_together_are_the_whole_result() {
    let app = App::start().await;
    let path = format!(
        "{LEDIGE}/Hovedtal?$apply=filter(Periode ge '2026M06')/groupby((Periode,Område_id),aggregate({PERSONS}))&$orderby={PERSONS} desc&$top=150"
    );
    let whole = app.get(&path).await.rows();
    assert_eq!(whole.len(), 150);
    let (mut paged, mut next) = (Vec::new(), Some(path));
    while let Some(link) = next {
        let answer = app.get_with(&link, &[("Prefer", "maxpagesize=40")]).await;
        paged.extend(answer.rows());
        next = answer.json()["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(paged, whole);
}

#[actix_web::test]
async fn where_nothing_is_published_the_figure_is_null_and_the_status_says_so() {
    let app = App::start().await;
    let root = "/odata/jobindsats/y24j/Hovedtal";
    let hidden =
        app.get(&format!("{root}?$filter=Status eq 'mangler' and Område_id eq 'T'&$top=1")).await.rows();
    let (measure, period) = (&measures(&hidden[0])[0], hidden[0]["Periode"].as_str().unwrap());
    let path = format!("{root}?$apply=filter(Periode eq '{period}')/aggregate({measure},Status)");
    assert_eq!(bare(&app.get(&path).await.rows()), [json!({ measure: null, "Status": "mangler" })]);
    // No row at all is no figure either.
    let path = format!(
        "{LEDIGE}/Landet?$apply=filter(Periode eq '1900M01')/aggregate({PERSONS},Status,$count as N)"
    );
    assert_eq!(bare(&app.get(&path).await.rows()), [json!({ PERSONS: null, "Status": "mangler", "N": 0 })]);
    let path = format!(
        "{LEDIGE}/Hovedtal?$apply=filter(Periode eq '1900M01')/groupby((Periode),aggregate({PERSONS}))"
    );
    assert_eq!(app.get(&path).await.rows(), [] as [Value; 0]);
}

#[actix_web::test]
async fn computed_doubles_are_filtered_and_ordered_like_other_values() {
    let app = App::start().await;
    let path = format!(
        "{LEDIGE}/Landet?$apply=filter(Periode ge '2026M05')/compute({PERSONS} mul 1.5e0 as D)/filter(D gt 1e0)/orderby(D desc)"
    );
    let rows = app.get(&path).await.rows();
    assert_eq!(rows.len(), 3);
    assert!(rows.is_sorted_by(|a, b| a["D"].as_f64() > b["D"].as_f64()));
    assert_eq!(rows[0]["D"].as_f64(), rows[0][PERSONS].as_f64().map(|persons| persons * 1.5));
}

#[actix_web::test]
async fn members_that_share_label_and_figures_are_one_group() {
    let app = App::start().await;
    let root = "/odata/jobindsats/y11c02/Data";
    let pinned = "Periode eq '2026M05' and Område_id eq 'T'";
    let plain = app.get(&format!("{root}?$filter={pinned}")).await.rows();
    let measure = &measures(&plain[0])[0];
    let grouped = app
        .get(&format!("{root}?$apply=filter({pinned})/groupby((Tilbud),aggregate({measure}))"))
        .await
        .rows();
    let mut expected = only(&plain, &["Tilbud", measure]);
    assert!(expected.len() > grouped.len(), "twins are there");
    let mut seen = std::collections::BTreeSet::new();
    expected.retain(|row| seen.insert(row.to_string()));
    assert_eq!(bare(&grouped), expected);
}

/// Refusals: what is asked of which set, the status, the code and what the sentence says.
/// What is refused: status and code, then each address with a part of its sentence.
const REFUSALS: &str = "
501 NotAdditive
    Hovedtal?$apply=aggregate({PERSONS} with sum as S) | aggregate(Antal_ledige_personer)
    Hovedtal?$apply=filter(Periode eq '2026M06')/groupby((Periode),aggregate({PERSONS} with average as S)) | regnes med average
    Data?$apply=aggregate({PERSONS} with max as S) | max
    Data?$apply=aggregate({PERSONS} with min as S) | min
    Data?$apply=aggregate({PERSONS} with countdistinct as S) | countdistinct
    Data?$apply=aggregate({PERSONS} mul 2 with sum as S) | samme person
    Observations?$apply=aggregate(Value with sum as S) | aggregate(Value)
    Data?$apply=filter(Køn_id ne 'T')/groupby((Periode),aggregate({PERSONS})) | lægges sammen på tværs af Køn_id
    Data?$apply=filter(Køn_id in ('1','2'))/groupby((Periode),aggregate({PERSONS})) | filter(Køn_id eq 'T')
    Data?$apply=filter(Køn_id eq '1' or Alder_id eq '1')/groupby((Periode),aggregate({PERSONS})) | Køn_id
    Hovedtal?$apply=groupby((Periode,Områdeniveau),aggregate({PERSONS})) | Område_id
    Hovedtal?$apply=filter({PERSONS} gt 100)/groupby((Periode),aggregate({PERSONS})) | Område_id
    Hovedtal?$apply=groupby((Periode,Status),aggregate({PERSONS})) | Område_id
    Hovedtal?$apply=groupby((Periode,Område_id),aggregate({PERSONS} as P))/aggregate(P with sum as S) | sum
    Hovedtal?$apply=compute({PERSONS} mul 2 as D)/aggregate(D with sum as S) | sum
400 NotPinned
    Hovedtal?$apply=groupby((Område),aggregate({PERSONS})) | gruppér efter Periode
    Hovedtal?$apply=aggregate({PERSONS}) | Periode
    Hovedtal?$apply=filter(Fra ge 2026-01-01)/groupby((Område),aggregate({PERSONS})) | Periode
    Observations?$apply=groupby((Periode,Område),aggregate(Value)) | Measure
501 NotOffered
    Hovedtal?$apply=groupby((Periode),aggregate({PERSONS},$count as N)) | hver for sig
    Hovedtal?$apply=top(5)/groupby((Periode,Område_id),aggregate({PERSONS})) | sættets egne rækker
    Hovedtal?$apply=groupby((Periode,Område_id),aggregate({PERSONS}))/groupby((Periode),aggregate({PERSONS})) | sættets egne rækker
    Hovedtal?$apply=groupby(({PERSONS})) | fordelingerne
    Hovedtal?$apply=aggregate(Fra with sum as S) | countdistinct
    Hovedtal?$apply=groupby((rollup(Periode,Område))) | rollup
    Hovedtal?$apply=concat(identity,groupby((Periode))) | concat
    Hovedtal?$apply=topsum(5,{PERSONS}) | topcount
    Hovedtal?$apply=bottompercent(5,{PERSONS}) | lægges sammen
    Hovedtal?$apply=nest(groupby((Periode)) as P) | $expand
    Hovedtal?$apply=join(Områder as O) | $expand
    OmrådeCodes?$apply=ancestors($root/OmrådeCodes,H,Identifier,identity) | Parent
    Hovedtal?$apply=Model.Own() | sæt
    Hovedtal?$apply=compute({PERSONS} mul 2 as D)/groupby((D)) | fordelingerne
    Hovedtal?$apply=compute({PERSONS} mul 2 as D)/groupby((Periode,Område_id),aggregate(D)) | sættets egne
    Hovedtal?$apply=groupby((Periode),top(1)) | groupby
400 UnknownAggregate
    Hovedtal?$apply=aggregate(Periode) | {PERSONS}
    Hovedtal?$apply=aggregate(Ledighed) | ikke et mål
    MeasureCodes?$apply=aggregate(Title) | $count
400 UnknownProperty
    Hovedtal?$apply=groupby((Køn)) | Køn
    Hovedtal?$apply=groupby((Periode))&$orderby=Område | Område
400 TakenAlias
    Hovedtal?$apply=groupby((Periode),aggregate($count as Periode)) | Periode
    Hovedtal?$apply=groupby((Periode,Område_id),aggregate({PERSONS},{PERSONS})) | {PERSONS}
400 TypeMismatch
    Hovedtal?$apply=topcount(0,{PERSONS}) | fra 1
    Hovedtal?$apply=topcount({PERSONS},{PERSONS}) | fra 1
400 NameTaken
    Hovedtal?$apply=compute(1 as Periode) | Periode
400 OptionNotApplicable
    Hovedtal(Periode='2026M06',Område_id='T')?$apply=identity | $apply
    Properties?$apply=groupby((Title)) | $apply
400 SyntaxError
    Hovedtal?$apply=groupby((Periode) | $apply
";

#[actix_web::test]
async fn what_would_have_to_be_worked_out_is_refused_with_a_sentence() {
    let app = App::start().await;
    let (mut expected, mut refused) = (String::new(), 0);
    for line in REFUSALS.trim().lines().map(|line| line.replace("{PERSONS}", PERSONS)) {
        let Some((path, part)) = line.split_once(" | ") else {
            expected = line;
            continue;
        };
        let answer = app.get(&format!("{LEDIGE}/{}", path.trim())).await;
        assert_eq!(format!("{} {}", answer.status, answer.code()), expected, "{path}: {}", answer.text());
        let sentence = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(sentence.contains(part), "{path}: {sentence}");
        refused += 1;
    }
    assert_eq!(refused, 48);
    assert_eq!(app.data_requests(), 0, "a refusal costs the upstream nothing");
}

#[actix_web::test]
async fn topcount_and_bottomcount_keep_the_order_of_rows() {
    let app = App::start().await;
    let when = "filter(Periode eq '2026M06' and Områdeniveau eq 'Kommune')";
    let plain = app.get(&format!("{LEDIGE}/Kommuner?$filter=Periode eq '2026M06'")).await.rows();
    let figure = |row: &Value| row[PERSONS].as_f64();
    let mut figures: Vec<f64> = plain.iter().filter_map(figure).collect();
    figures.sort_by(f64::total_cmp);
    let (least, greatest) = (figures[6], figures[figures.len() - 7]);
    let top = app.get(&format!("{LEDIGE}/Kommuner?$apply={when}/topcount(7,{PERSONS})")).await.rows();
    let expected: Vec<_> =
        plain.iter().filter(|row| figure(row) >= Some(greatest)).take(7).cloned().collect();
    assert_eq!(top, expected, "no two of these are equal");
    let bottom =
        format!("{LEDIGE}/Kommuner?$apply={when}/filter({PERSONS} ne null)/bottomcount(3 add 4,{PERSONS})");
    let expected: Vec<_> =
        plain.iter().filter(|row| figure(row).is_some_and(|value| value <= least)).cloned().collect();
    assert_eq!(app.get(&bottom).await.rows(), expected[..7]);
    let one_each = format!(
        "{LEDIGE}/Data?$apply=filter(Periode ge '2026M05')/groupby((Periode,Område_id),aggregate({PERSONS}))/topcount(2,{PERSONS})"
    );
    let totals = bare(&app.get(&one_each).await.rows());
    assert!(totals.iter().all(|row| row["Område_id"] == "T") && totals.len() == 2, "{totals:?}");
}

#[actix_web::test]
async fn search_and_compute_work_between_other_transformations() {
    let app = App::start().await;
    let searched = format!("{LEDIGE}/Hovedtal?$apply=search(aarhus)/filter(Periode eq '2026M06')");
    let plain =
        app.get(&format!("{LEDIGE}/Hovedtal?$search=aarhus&$filter=Periode eq '2026M06'")).await.rows();
    assert_eq!(app.get(&searched).await.rows(), plain);
    assert_eq!((plain.len(), app.data_requests()), (1, 1), "the search is pushed down");

    let steps = format!(
        "filter(Periode eq '2026M06')/compute({PERSONS} divby 2 as Halve,length(Område) as Bogstaver,Bogstaver gt 6 as Lang,null as Intet,Fra as Dag)\
         /filter(Halve gt 10 and Intet eq null)"
    );
    let answer = app.get(&format!("{LEDIGE}/Kommuner?$apply={steps}&$orderby=Halve desc&$count=true")).await;
    let rows = answer.rows();
    let plain = app
        .get(&format!(
            "{LEDIGE}/Kommuner?$filter=Periode eq '2026M06' and {PERSONS} gt 20&$orderby={PERSONS} desc"
        ))
        .await
        .rows();
    assert_eq!(answer.json()["@odata.count"], plain.len());
    for (row, plain) in rows.iter().zip(&plain) {
        assert_eq!(row["Halve"].as_f64().unwrap() * 2.0, plain[PERSONS].as_f64().unwrap());
        let letters = plain["Område"].as_str().unwrap().chars().count();
        assert_eq!((&row["Bogstaver"], &row["Lang"]), (&json!(letters), &json!(letters > 6)));
        assert_eq!((&row["Intet"], &row["Dag"], &row["Fra"]), (&Value::Null, &plain["Fra"], &plain["Fra"]));
    }
    let grouped = format!(
        "{LEDIGE}/Kommuner?$apply={steps}/groupby((Lang),aggregate($count as N,Bogstaver with max as Flest))"
    );
    let groups = bare(&app.get(&grouped).await.rows());
    for group in &groups {
        let of: Vec<_> = rows.iter().filter(|row| row["Lang"] == group["Lang"]).collect();
        let most = of.iter().map(|row| row["Bogstaver"].as_u64().unwrap()).max().unwrap();
        assert_eq!((&group["N"], &group["Flest"]), (&json!(of.len()), &json!(most)));
    }
    assert_eq!(groups.len(), 2);
}

#[actix_web::test]
async fn a_dimension_without_a_total_or_with_a_pin_must_be_grouped_or_pinned() {
    let app = App::start().await;
    let status = async |path: &str| {
        let answer = app.get(&format!("/odata/jobindsats/{path}")).await;
        (answer.status, answer.text())
    };
    let (code, text) =
        status("y25i06/Hovedtal?$apply=groupby((Periode,Område_id),aggregate(Antal_personer))").await;
    assert!(code == 400 && text.contains("NotPinned") && text.contains("Arbejdsfordelingstype_id"), "{text}");
    let pinned = "y25i06/Hovedtal?$apply=filter(Arbejdsfordelingstype_id eq '1')/groupby((Periode,Område_id),aggregate(Antal_personer))&$top=1";
    assert_eq!(status(pinned).await.0, 200);
    let measure = "Arbejdsmarkedsstatus_Andel_i_beskæftigelse_efter_6_mdr";
    let (code, text) = status(&format!("y24j/Data?$apply=groupby((Periode),aggregate({measure}))")).await;
    assert!(code == 400 && text.contains("Population_id"), "{text}");
    let rows = app.all_rows("/odata/jobindsats/y24j/Landet").await;
    let path = format!("/odata/jobindsats/y24j/Hovedtal?$apply=groupby((Periode),aggregate({measure}))");
    assert_eq!(bare(&app.all_rows(&path).await), only(&rows, &["Periode", measure]));
}

#[actix_web::test]
async fn more_rows_than_the_limit_are_refused_before_anything_is_fetched() {
    let settings = BridgeSettings {
        max_rows: 1000,
        listen: "127.0.0.1:0".parse().unwrap(),
        ..BridgeSettings::default()
    };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let answer = app.get(&format!("{LEDIGE}/Data?$apply=groupby((Køn))&$top=1")).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "TooManyRows"));
    assert_eq!(app.data_requests(), 0);
    // The total of a million cells is one cell.
    let path = format!("{LEDIGE}/Data?$apply=groupby((Periode),aggregate({PERSONS}))&$top=1");
    assert_eq!(app.get(&path).await.rows().len(), 1);
}

#[actix_web::test]
async fn lists_of_the_catalogue_are_grouped_and_counted_too() {
    let app = App::start().await;
    let datasets = app.all_rows("/odata/Datasets").await;
    let rows = app.all_rows("/odata/Datasets?$apply=groupby((Subject),aggregate($count as N))").await;
    let counted: u64 = rows.iter().map(|row| row["N"].as_u64().unwrap()).sum();
    assert_eq!(counted, datasets.len() as u64);
    let first = datasets.iter().filter(|row| row["Subject"] == rows[0]["Subject"]).count();
    assert_eq!(rows[0]["N"], first);
}
