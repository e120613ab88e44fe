//! Names in addresses and their second spellings; sets of single levels; the sets that measurements are related on; over HTTP.

use std::collections::BTreeSet;
use std::path::Path;

use jobindsats_bridge::disk;
use jobindsats_bridge::feed::registry::NameRegistry;
use jobindsats_bridge::refresh::sync::keeper::SyncScope;
use serde_json::{Value, json};

use crate::support::app::{Answer, App};

const ROOT: &str = "/odata/jobindsats/y25i01";

async fn ok(app: &App, path: &str) -> Answer {
    let answer = app.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer
}

/// The values of an attribute of an element in CSDL.
fn named(metadata: &str, element: &str) -> Vec<String> {
    let start = format!("<{element} Name=\"");
    metadata.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn every_name_of_every_table_begins_with_a_letter() {
    let app = App::start().await;
    let catalogue = &app.service.state.catalogue;
    catalogue.sync(SyncScope::All, 2, |_| {}).await.unwrap();
    let tables: Vec<String> = catalogue.current().heads.keys().map(ToString::to_string).collect();
    assert!(tables.len() > 50);
    let roots = tables.iter().map(|table| format!("/odata/jobindsats/{table}"));
    for root in roots.chain(["/odata".to_owned()]) {
        let metadata = ok(&app, &format!("{root}/$metadata")).await.text();
        for element in ["EntityType", "Property", "NavigationProperty", "EntitySet", "Singleton"] {
            for name in named(&metadata, element) {
                assert!(name.starts_with(char::is_alphabetic), "{root}: {element} {name}");
            }
        }
    }
}

#[actix_web::test]
async fn names_are_understood_without_danish_letters_and_decomposed() {
    let app = App::start().await;
    for (second, shown) in [
        (
            "Fordelt_paa_Koen?$top=3&$select=Periode,Omraade,Koen_id,Køn",
            "Fordelt_på_Køn?$top=3&$select=Periode,Område,Køn_id,Køn",
        ),
        ("Kommuner?$filter=Omraade eq 'Aarhus'&$top=2", "Kommuner?$filter=Område eq 'Aarhus'&$top=2"),
        ("Kommuner?$filter=Omra\u{30a}de eq 'Aarhus'&$top=2", "Kommuner?$filter=Område eq 'Aarhus'&$top=2"),
        (
            "Kommuner?$orderby=Omraade desc&$filter=Periode eq '2026M06'&$top=3",
            "Kommuner?$orderby=Område desc&$filter=Periode eq '2026M06'&$top=3",
        ),
        ("Landet(Periode='2026M06',Omraade_id='T')", "Landet(Periode='2026M06',Område_id='T')"),
        (
            "Landet(Periode='2026M06',Omra\u{30a}de_id='T')/Omraade",
            "Landet(Periode='2026M06',Område_id='T')/Område",
        ),
        ("OmraadeCodes?$top=2", "OmrådeCodes?$top=2"),
        (
            "Observations?$top=1&$expand=OmraadeCode($select=Title)",
            "Observations?$top=1&$expand=OmrådeCode($select=Title)",
        ),
        (
            "Observations?$top=1&$filter=OmraadeCode/Title eq 'Aarhus'",
            "Observations?$top=1&$filter=OmrådeCode/Title eq 'Aarhus'",
        ),
        (
            "Observations?$top=1&$select=Id,OmraadeCode/Title",
            "Observations?$top=1&$select=Id,OmrådeCode/Title",
        ),
        (
            "Kommuner?$apply=filter(Periode eq '2026M06')/groupby((Omraade,Omraade_id))&$top=2",
            "Kommuner?$apply=filter(Periode eq '2026M06')/groupby((Område,Område_id))&$top=2",
        ),
        (
            "Landet?$compute=length(Omraade) as N&$select=N&$top=1",
            "Landet?$compute=length(Område) as N&$select=N&$top=1",
        ),
    ] {
        let (second, shown) =
            (ok(&app, &format!("{ROOT}/{second}")).await, ok(&app, &format!("{ROOT}/{shown}")).await);
        assert_eq!(second.json(), shown.json());
    }
    // What the request names itself comes before second names, and second names are never shown.
    let own =
        ok(&app, &format!("{ROOT}/Landet?$compute=1 as Omraade&$select=Omraade,Område&$top=1")).await.rows();
    assert_eq!((&own[0]["Omraade"], &own[0]["Område"]), (&1.into(), &"Hele landet".into()));
    let shown = ok(&app, &format!("{ROOT}/Landet?$select=Omraade&$top=1")).await;
    assert_eq!(shown.rows()[0]["Område"], "Hele landet");
    assert!(shown.json()["@odata.context"].as_str().unwrap().ends_with("#Landet(Område)"));
    let csv = ok(&app, "/export/y25i01/Fordelt_paa_Koen.csv?$select=Omraade&$top=1").await.text();
    assert!(csv.starts_with("Område\r\n"), "{csv}");
    for wrong in ["omraade", "Omrade", "OMRAADE"] {
        assert_eq!(
            app.get(&format!("{ROOT}/Landet?$select={wrong}")).await.code(),
            "UnknownProperty",
            "{wrong}"
        );
    }
}

/// Changes the recorded names as another program would have written them.
fn rewrite_names(folder: &Path, change: impl Fn(&str) -> String) {
    let origin = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.join("names.json").exists());
    let path = origin.unwrap().join("names.json");
    let names: NameRegistry = disk::read(&path, 1).unwrap().unwrap();
    let text = change(&serde_json::to_string(&names).unwrap());
    disk::keep(&path, 1, &serde_json::from_str::<NameRegistry>(&text).unwrap()).unwrap();
}

#[actix_web::test]
async fn a_recorded_name_without_a_letter_in_front_is_given_anew_and_still_understood() {
    let app = App::start().await;
    ok(&app, &format!("{ROOT}/$metadata")).await;
    let measure = "Antal_ledige_personer";
    let app = app
        .stopped(|folder| {
            rewrite_names(folder, |text| {
                text.replace(&format!("\"{measure}\""), "\"_2_4_uger\"").replace("\"Køn\"", "\"_24_køn\"")
            });
        })
        .await;
    let metadata = ok(&app, &format!("{ROOT}/$metadata")).await.text();
    let properties = named(&metadata, "Property");
    assert!(!metadata.contains("\"_"), "no name begins with an underscore");
    assert!(properties.iter().any(|name| name == measure) && properties.iter().any(|name| name == "Køn"));
    for (former, present) in [
        (
            "Landet?$top=1&$select=Periode,_2_4_uger".to_owned(),
            format!("Landet?$top=1&$select=Periode,{measure}"),
        ),
        (
            "Kommuner?$filter=Periode eq '2026M06' and _2_4_uger gt 5000".to_owned(),
            format!("Kommuner?$filter=Periode eq '2026M06' and {measure} gt 5000"),
        ),
        (
            "Fordelt_på__24_køn?$top=3&$orderby=_24_køn_id".to_owned(),
            "Fordelt_på_Køn?$top=3&$orderby=Køn_id".to_owned(),
        ),
        (
            "_24_kønCodes?$expand=Children($select=Title)".to_owned(),
            "KønCodes?$expand=Children($select=Title)".to_owned(),
        ),
        (
            "Observations?$top=1&$expand=_24_kønCode".to_owned(),
            "Observations?$top=1&$expand=KønCode".to_owned(),
        ),
        (
            "Landet?$apply=filter(Periode eq '2026M06')/groupby((Periode),aggregate(_2_4_uger))".to_owned(),
            format!("Landet?$apply=filter(Periode eq '2026M06')/groupby((Periode),aggregate({measure}))"),
        ),
    ] {
        let (former, present) =
            (ok(&app, &format!("{ROOT}/{former}")).await, ok(&app, &format!("{ROOT}/{present}")).await);
        assert_eq!(former.rows(), present.rows());
        assert!(!present.rows().is_empty());
    }
    let csv = ok(&app, "/export/y25i01/Landet.csv?$select=_2_4_uger&$top=1").await.text();
    assert!(csv.starts_with(&format!("{measure}\r\n")), "{csv}");
    // The catalogue's set of the table has the same columns.
    ok(&app, "/odata/y25i01?$top=1&$select=_2_4_uger").await;
    // Given anew once: the next start gives the same names.
    let again = app.restart().await;
    assert_eq!(ok(&again, &format!("{ROOT}/$metadata")).await.text(), metadata);
    ok(&again, &format!("{ROOT}/Landet?$top=1&$select=_2_4_uger")).await;
}

#[actix_web::test]
async fn a_dimension_with_several_levels_has_a_set_for_each() {
    let app = App::start().await;
    let root = "/odata/jobindsats/y60a02";
    let metadata = ok(&app, &format!("{root}/$metadata")).await.text();
    let sets = named(&metadata, "EntitySet");
    let mixed = "Fordelt_på_Alder";
    let levels: Vec<&String> = sets.iter().filter(|name| name.starts_with("Fordelt_på_Alder_")).collect();
    assert_eq!(levels.len(), 2, "{sets:?}");
    let newest =
        ok(&app, &format!("{root}/{mixed}?$top=1")).await.rows()[0]["Periode"].as_str().unwrap().to_owned();
    let rows = async |set: &str, and: &str| {
        let path = format!("{root}/{set}?$filter=Periode eq '{newest}' and Område_id eq 'T'{and}");
        ok(&app, &path).await.rows()
    };
    let all = rows(mixed, "").await;
    let mut seen = Vec::new();
    for set in levels {
        let of_level = rows(set, "").await;
        let niveau: BTreeSet<&str> =
            of_level.iter().map(|row| row["Alder_niveau"].as_str().unwrap()).collect();
        assert_eq!(niveau.len(), 1, "{set}: {niveau:?}");
        let level = niveau.first().unwrap();
        assert_eq!(of_level, rows(mixed, &format!(" and Alder_niveau eq '{level}'")).await, "{set}");
        assert!(!of_level.is_empty() && of_level.len() < all.len());
        seen.extend(of_level);
    }
    assert_eq!(seen.len(), all.len(), "every member is on one level");
    // The set that mixes says so, and shows how to choose one level; the filter that it shows is right.
    let described = metadata
        .split(&format!("<EntitySet Name=\"{mixed}\""))
        .nth(1)
        .unwrap()
        .split("</EntitySet>")
        .next()
        .unwrap()
        .to_owned();
    assert!(described.contains("blander niveauerne"), "{described}");
    let filter = described.split("$filter=").nth(1).unwrap().replace("&apos;", "'");
    let example = filter.split('\'').take(2).collect::<Vec<_>>().join("'") + "'";
    let chosen = ok(&app, &format!("{root}/{mixed}?$filter={example}&$top=5")).await.rows();
    assert!(!chosen.is_empty(), "{example}");
    let file = ok(
        &app,
        &format!(
            "/export/y60a02/{}.csv?$top=1",
            sets.iter().find(|name| name.starts_with("Fordelt_på_Alder_")).unwrap()
        ),
    )
    .await;
    assert!(file.text().contains("Alder_niveau"));
}

#[actix_web::test]
async fn measurements_are_related_on_areas_and_periods() {
    let app = App::start().await;
    let areas = ok(&app, "/odata/Områder").await.rows();
    assert_eq!(areas.len(), 1 + 5 + 98);
    let area = |code: &str| areas.iter().find(|row| row["Områdekode"] == code).unwrap().clone();
    assert_eq!(
        area("751"),
        json!({ "Områdekode": "751", "Område": "Aarhus", "Områdeniveau": "Kommune", "Regionskode": "1082", "Region": "Region Midtjylland" })
    );
    assert_eq!(area("000")["Regionskode"], Value::Null);
    assert_eq!(area("1081")["Region"], "Region Nordjylland");
    assert_eq!(ok(&app, "/odata/Områder('751')").await.json()["Område"], "Aarhus");
    // Every official code of two tables with different ids is found there, under the same name.
    for table in ["y25i01", "y30r21"] {
        for row in
            ok(&app, &format!("/odata/jobindsats/{table}/OmrådeCodes?$filter=Code ne null")).await.rows()
        {
            assert_eq!(area(row["Code"].as_str().unwrap())["Område"], row["Title"], "{table}");
        }
    }
    let periods = ok(&app, "/odata/Perioder").await.rows();
    let period =
        |id: &str| periods.iter().find(|row| row["Periode"] == id).unwrap_or_else(|| panic!("{id}")).clone();
    assert_eq!(
        period("2026M07"),
        json!({ "Periode": "2026M07", "Periodetype": "M", "Fra": "2026-07-01", "Til": "2026-07-31", "År": 2026, "Kvartal": 3, "Måned": 7, "Periodenavn": "juli 2026" })
    );
    let ids: BTreeSet<&str> = periods.iter().map(|row| row["Periode"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), periods.len(), "one row for each period");
    for table in ["y25i01", "y30r21", "y24j"] {
        for row in ok(&app, &format!("/odata/jobindsats/{table}/PeriodeCodes")).await.rows() {
            let known = period(row["PeriodId"].as_str().unwrap());
            assert_eq!(
                (&known["Fra"], &known["Til"], &known["Periodenavn"]),
                (&row["FirstDay"], &row["LastDay"], &row["Title"])
            );
        }
    }
    let found = ok(&app, "/odata/Perioder?$search=\"juli 2026\" AND 2026M07").await.rows();
    assert_eq!(found, [period("2026M07")]);
    assert_eq!(ok(&app, "/odata/Områder?$search=aarhus").await.rows(), [area("751")]);
}

#[actix_web::test]
async fn what_other_languages_write_is_answered_with_what_to_write_instead() {
    let app = App::start().await;
    for (path, status, advice) in [
        ("Kommuner?$filter=substringof('A',Område)", 400, "contains"),
        ("Kommuner?$filter=substringof('A',Område) eq true", 400, "contains"),
        ("Kommuner?$filter=len(Område) gt 3", 400, "length"),
        ("Kommuner?$inlinecount=allpages", 400, "skriv $count=true"),
        ("Kommuner?$filter=Opdateret gt datetime'2026-08-11T00:00:00'", 400, "skriv 2026-08-11."),
        ("Kommuner?$filter=datetime'2026-08-11' lt Opdateret", 400, "skriv 2026-08-11."),
        ("Kommuner?$filter=Område='Randers'", 400, "skriv eq."),
        ("Kommuner?$filter=Område = 'Randers'", 400, "skriv eq."),
        ("Kommuner?$filter=Antal_ledige_personer > 5", 400, "skriv gt."),
        ("Kommuner?$filter=Antal_ledige_personer>=5", 400, "skriv ge."),
        ("Kommuner?$filter=Antal_ledige_personer <> 5", 400, "skriv ne."),
        ("Kommuner?$filter=Område eq 'A' || Område eq 'B'", 400, "skriv or."),
        ("Kommuner?$filter=Område like 'A%25'", 400, "contains"),
        ("Kommuner?$filter=Status is null", 400, "eq null"),
        ("Kommuner?$orderby=Område descending", 400, "skriv desc."),
        ("Kommuner?$orderby=Fra ascending,Område", 400, "skriv asc."),
        ("Kommuner?explain=plans", 501, "skriv explain=plan."),
        ("Kommuner?$format=csv", 406, "/export/y25i01/Kommuner.csv"),
        ("Kommuner?$format=text/csv", 406, "/export/y25i01/Kommuner.csv"),
        ("Kommuner?$top=5&%24format=xlsx", 406, "/export/y25i01/Kommuner.csv"),
        ("Kommuner?$format=parquet", 406, "/export/y25i01/Kommuner.parquet"),
        ("Landet.csv", 404, "/export/y25i01/Landet.csv"),
        ("Landet.xlsx?$top=1", 404, "/open/y25i01/Landet.xlsx"),
        ("Landet.parquet", 404, "/export/y25i01/Landet.parquet"),
        ("Fordelt_på_Tilbud", 404, "Fordelt_på_Køn, "),
        ("Fordelt_paa_Tilbud?$top=1", 404, "Fordelt_på_Alder"),
    ] {
        let answer = app.get(&format!("{ROOT}/{path}")).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(advice) && message.ends_with('.'), "{path}: {message}");
    }
    let catalogue = app.get("/odata/y25i01?$format=csv").await;
    assert!(catalogue.text().contains("/export/y25i01/Hovedtal.csv"), "{}", catalogue.text());
    let file =
        app.get(&format!("{ROOT}/Landet.csv")).await.json()["error"]["message"].as_str().unwrap().to_owned();
    let address = file.split("hent filen på ").nth(1).unwrap().trim_end_matches('.').to_owned();
    assert_eq!(app.get(&address).await.status, 200, "{address}");
}
