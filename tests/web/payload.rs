//! The parts of an answer besides its rows: metadata levels, versions, annotations.

use serde_json::Value;

use crate::support::app::App;

const ROW: &str = "/odata/jobindsats/y25i01/Landet(Periode='2026M06',Område_id='T')";

async fn with(app: &App, path: &str, name: &str, value: &str) -> Value {
    let answer = app.get_with(path, &[(name, value)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[actix_web::test]
async fn each_level_of_metadata_says_as_much_as_it_should() {
    let app = App::start().await;
    for (level, context, id) in [("none", false, false), ("minimal", true, false), ("full", true, true)] {
        for media_type in
            [format!("application/json;odata.metadata={level}"), format!("application/json;metadata={level}")]
        {
            let answer = app.get_with(ROW, &[("Accept", &media_type)]).await;
            assert_eq!(answer.header("Content-Type"), media_type);
            let row = answer.json();
            assert_eq!(row.get("@odata.context").is_some(), context, "{media_type}");
            assert_eq!(row.get("@odata.id").is_some(), id, "{media_type}");
            assert_eq!(row.get("@odata.type").is_some(), id, "{media_type}");
            assert_eq!(row["Antal_ledige_personer"], 110_854, "{media_type}");
            let format = app.get(&format!("{ROW}?$format={media_type}")).await;
            assert_eq!(format.json(), row, "$format says the same as Accept");
        }
    }
}

#[actix_web::test]
async fn an_id_leads_to_its_row() {
    let app = App::start().await;
    for path in ["/odata/jobindsats/y25i01/Kommuner?$top=2", "/odata/Datasets?$top=2"] {
        let rows = app.get_with(path, &[("Accept", "application/json;odata.metadata=full")]).await.rows();
        for row in rows {
            let again = app.get(row["@odata.id"].as_str().unwrap()).await;
            assert_eq!(again.status, 200, "{}", again.text());
            for (name, value) in
                again.json().as_object().unwrap().iter().filter(|(name, _)| !name.contains('@'))
            {
                assert_eq!(&row[name], value, "{name}");
            }
        }
    }
}

#[actix_web::test]
async fn each_version_gets_its_own_control_information() {
    let app = App::start().await;
    let path = "/odata/Datasets?$top=2&$count=true&$select=Title";
    for (version, prefix, other) in [("4.0", "@odata.", "@"), ("4.01", "@", "@odata.")] {
        let headers = [("OData-MaxVersion", version), ("Prefer", "maxpagesize=1")];
        let answer = app.get_with(path, &headers).await;
        assert_eq!(answer.header("OData-Version"), version);
        for name in ["context", "count", "nextLink"] {
            assert!(answer.json().get(format!("{prefix}{name}")).is_some(), "{version} {name}");
            assert!(answer.json().get(format!("{other}{name}")).is_none(), "{version} {name}");
        }
    }
}

#[actix_web::test]
async fn wide_numbers_are_texts_for_who_asks() {
    let app = App::start().await;
    let row = with(&app, ROW, "Accept", "application/json;IEEE754Compatible=true").await;
    assert_eq!(row["Antal_ledige_personer"], "110854");
    let count =
        with(&app, "/odata/Datasets?$top=0&$count=true", "Accept", "application/json;IEEE754Compatible=true");
    assert!(count.await["@odata.count"].is_string());
    let row = with(&app, ROW, "Accept", "application/json").await;
    assert_eq!(row["Antal_ledige_personer"], 110_854);
}

#[actix_web::test]
async fn metadata_holds_the_annotations_that_were_asked_for() {
    let app = App::start().await;
    for (wanted, core, capabilities) in [
        ("*", true, true),
        ("-*", false, false),
        ("Core.*", true, false),
        ("*,-Core.*", false, true),
        ("Capabilities.BatchSupported", false, true),
    ] {
        for preference in ["include-annotations", "odata.include-annotations"] {
            let prefer = format!("{preference}=\"{wanted}\"");
            let answer = app.get_with("/odata/$metadata", &[("Prefer", &prefer)]).await;
            assert_eq!(answer.header("Preference-Applied"), prefer);
            assert_eq!(answer.text().contains("Term=\"Core."), core, "{prefer}");
            assert_eq!(answer.text().contains("Term=\"Capabilities."), capabilities, "{prefer}");
            assert_eq!(answer.text().contains("Include Namespace=\"Org.OData.Core.V1\""), core, "{prefer}");
        }
    }
}

#[actix_web::test]
async fn a_schema_version_is_refused_unless_it_is_the_current_one() {
    let app = App::start().await;
    for path in ["/odata/$metadata", "/odata/Datasets"] {
        assert_eq!(app.get(&format!("{path}?$schemaversion=*")).await.status, 200);
        let refused = app.get(&format!("{path}?$schemaversion=1.0")).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (404, "UnknownSchemaVersion"),
            "{}",
            refused.text()
        );
    }
}

async fn minimal(app: &App, path: &str, version: &str) -> Vec<Value> {
    let answer = app.get_with(path, &[("OData-MaxVersion", version)]).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.rows()
}

/// JSON Format 4.5.8: a client cannot work out the id of a row without its key.
#[actix_web::test]
async fn rows_without_their_key_bear_their_id() {
    let app = App::start().await;
    let row = minimal(&app, "/odata/Datasets?$select=Title&$top=1", "4.0").await.remove(0);
    let again = app.get(row["@odata.id"].as_str().unwrap()).await.json();
    assert_eq!(again["Title"], row["Title"]);
    let newer = minimal(&app, "/odata/Datasets?$select=Title&$top=1", "4.01").await.remove(0);
    assert_eq!(newer["@id"], row["@odata.id"]);
    for path in ["/odata/Datasets?$top=1", "/odata/Datasets?$select=Title,Identifier&$top=1"] {
        assert!(minimal(&app, path, "4.0").await[0].get("@odata.id").is_none(), "{path}");
    }
    // A part of the key is not the key.
    let parts = "/odata/jobindsats/y25i01/Landet?$select=Periode,Antal_ledige_personer&$top=1";
    let row = minimal(&app, parts, "4.0").await.remove(0);
    assert_eq!(
        app.get(row["@odata.id"].as_str().unwrap()).await.json()["Antal_ledige_personer"],
        row["Antal_ledige_personer"]
    );

    let nested = "/odata/jobindsats/y25i10/Observations?$top=1&$select=Id&$expand=OmrådeCode($select=Title;$expand=Parent($select=Title))";
    let row = minimal(&app, nested, "4.0").await.remove(0);
    assert!(row.get("@odata.id").is_none(), "{row}");
    let code = &row["OmrådeCode"];
    assert_eq!(app.get(code["@odata.id"].as_str().unwrap()).await.json()["Title"], code["Title"]);
    let many =
        "/odata/jobindsats/y25i10/OmrådeCodes('T')?$select=Title&$expand=Children($select=Title;$top=2)";
    let row = app.get(many).await.json();
    for row in row["Children"].as_array().unwrap().iter().chain([&row]) {
        assert_eq!(app.get(row["@odata.id"].as_str().unwrap()).await.json()["Title"], row["Title"]);
    }
    let entity = app.get("/odata/Datasets('y25i01')?$select=Title").await.json();
    assert!(entity["@odata.id"].as_str().unwrap().ends_with("/odata/Datasets('y25i01')"), "{entity}");
}

#[actix_web::test]
async fn the_id_of_a_singleton_is_its_name() {
    let app = App::start().await;
    let path = "/odata/jobindsats/y25i01/Properties";
    let row = with(&app, path, "Accept", "application/json;odata.metadata=full").await;
    assert!(row["@odata.id"].as_str().unwrap().ends_with(path), "{row}");
    assert_eq!(app.get(row["@odata.id"].as_str().unwrap()).await.json()["Title"], row["Title"]);
    let reference = app.get(&format!("{path}/$ref")).await.json();
    assert_eq!(reference["@odata.id"], row["@odata.id"]);
}

#[actix_web::test]
async fn grouped_rows_with_a_whole_key_say_in_4_01_too_that_they_are_no_entities() {
    let app = App::start().await;
    let apply = "/odata/jobindsats/y25i01/Landet?$top=1&$apply=filter(Periode ge '2026M01')/groupby";
    let whole = format!("{apply}((Periode,Område_id),aggregate(Antal_ledige_personer))");
    assert_eq!(minimal(&app, &whole, "4.01").await[0]["@id"], Value::Null);
    assert!(minimal(&app, &whole, "4.01").await[0].get("@id").is_some());
    let part = format!("{apply}((Periode))");
    assert!(minimal(&app, &part, "4.01").await[0].get("@id").is_none());
    assert!(minimal(&app, &part, "4.0").await[0].get("@odata.id").is_some());
}

/// JSON Format 4.5.3: who reads a column that the model does not declare takes a text for a text.
#[actix_web::test]
async fn columns_that_the_model_does_not_declare_bear_their_type() {
    let app = App::start().await;
    let root = "/odata/jobindsats/y25i01";
    let path = format!(
        "{root}/Landet?$top=1&$compute=year(Fra) as Y,Fra as F,Opdateret as O,length(Område) as L,indexof(Område,'l') as I,\
        Antal_ledige_personer divby 2 as H,toupper(Område) as T,Fra ge 2020-01-01 as B,cast(1,Edm.Double) as D,L add 1 as M&$select=Fra,Y,F,O,L,I,H,T,B,D,M"
    );
    for (version, prefix, hash) in [("4.0", "@odata.type", "#"), ("4.01", "@type", "")] {
        let row = minimal(&app, &path, version).await.remove(0);
        for (name, kind) in [
            ("Y", Some("Int32")),
            ("F", Some("Date")),
            ("O", Some("DateTimeOffset")),
            ("L", Some("Int32")),
            ("I", Some("Int32")),
            ("H", Some("Decimal")),
            ("M", Some("Int64")),
            ("T", None),
            ("B", None),
            ("D", None),
            ("Fra", None),
        ] {
            let found = row.get(format!("{name}{prefix}")).map(|kind| kind.as_str().unwrap().to_owned());
            assert_eq!(found, kind.map(|kind| format!("{hash}{kind}")), "{version} {name}: {row}");
        }
    }
    let grouped = format!(
        "{root}/Landet?$top=1&$apply=groupby((Periodetype,Til),aggregate($count as N,Fra with max as Sidste))&$orderby=Til"
    );
    let row = minimal(&app, &grouped, "4.0").await.remove(0);
    assert_eq!(
        (&row["N@odata.type"], &row["Sidste@odata.type"]),
        (&"#Decimal".into(), &"#Date".into()),
        "{row}"
    );
    assert!(row.get("Til@odata.type").is_none(), "{row}");
    let published = format!(
        "{root}/Landet?$top=1&$apply=groupby((Periode,Område_id),aggregate(Antal_ledige_personer))/compute(length(Periode) as Fra)"
    );
    let row = minimal(&app, &published, "4.0").await.remove(0);
    assert_eq!(row["Fra@odata.type"], "#Int32", "a declared name with another type: {row}");
    assert!(row.get("Antal_ledige_personer@odata.type").is_none(), "{row}");
    let nested = "/odata/jobindsats/y25i10/Observations?$top=1&$expand=OmrådeCode($compute=length(Title) as L;$select=L)";
    assert_eq!(minimal(&app, nested, "4.0").await[0]["OmrådeCode"]["L@odata.type"], "#Int32");
    let none = with(&app, &path, "Accept", "application/json;odata.metadata=none").await;
    assert!(!none.to_string().contains("odata.type"));
}

#[actix_web::test]
async fn a_media_type_that_is_not_offered_is_not_acceptable_wherever_it_is_named() {
    let app = App::start().await;
    let rows = "/odata/Datasets?$top=1";
    for format in [
        "application/xml",
        "xml",
        "atom",
        "application/atom+xml",
        "text/html",
        "application/xml;charset=utf-8",
    ] {
        let answer = app.get(&format!("{rows}&$format={format}")).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (406, "NotAcceptable"),
            "{format}: {}",
            answer.text()
        );
        let accepted = app.get_with(rows, &[("Accept", format)]).await;
        assert!(accepted.status == 406 || !format.contains('/'), "{format}: {}", accepted.text());
    }
    for format in ["pdf", "", "json5", "application"] {
        let answer = app.get(&format!("{rows}&$format={format}")).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "SyntaxError"),
            "{format}: {}",
            answer.text()
        );
    }
    assert_eq!(app.get("/odata/$metadata?$format=application/atom%2Bxml").await.status, 406);
}

/// Figures of 11 August are published at midnight in Denmark, which is the day before in UTC.
#[actix_web::test]
async fn a_day_in_denmark_is_that_day_in_answers_conditions_and_files() {
    let app = App::start().await;
    let row = app.get("/odata/Datasets('y25i01')?$select=Identifier,Modified").await.json();
    let modified = row["Modified"].as_str().unwrap().to_owned();
    let day = modified.strip_suffix("T00:00:00+02:00").unwrap_or_else(|| panic!("{modified}")).to_owned();
    let (year, rest) = day.split_once('-').unwrap();
    let (month, of_month) = rest.split_once('-').unwrap();
    let (month, of_month): (u32, u32) = (month.parse().unwrap(), of_month.parse().unwrap());
    for condition in [
        format!("date(Modified) eq {day}"),
        format!("Modified eq {day}"),
        format!("Modified ge {day} and Modified le {day}"),
        format!("Modified eq {modified}").replace('+', "%2B"),
        format!("Modified eq '{day}'"),
        format!("year(Modified) eq {year} and month(Modified) eq {month} and day(Modified) eq {of_month}"),
        "hour(Modified) eq 0 and minute(Modified) eq 0".to_owned(),
        "time(Modified) eq 00:00:00".to_owned(),
        "totaloffsetminutes(Modified) eq 120".to_owned(),
        format!("cast(Modified,Edm.Date) eq {day}"),
        format!("startswith(cast(Modified,Edm.String),'{day}T00:00')"),
        format!("day(Modified add duration'P1D') eq day({day} add duration'P1D')"),
        "date(now()) gt date(Modified)".to_owned(),
    ] {
        let found =
            app.get(&format!("/odata/Datasets/$count?$filter=Identifier eq 'y25i01' and {condition}")).await;
        assert_eq!(found.text(), "1", "{condition}");
    }
    let table = "/odata/jobindsats/y25i01";
    let computed = app.get("/odata/Datasets('y25i01')?$compute=date(Modified) as D,day(Modified) as N,Modified as M&$select=D,N,M").await.json();
    assert_eq!(
        (&computed["D"], &computed["N"], &computed["M"]),
        (&day.as_str().into(), &of_month.into(), &modified.as_str().into())
    );
    assert_eq!(app.get(&format!("{table}/Properties/Modified/$value")).await.text(), modified);
    let landet = app.get(&format!("{table}/Landet?$top=1")).await.rows().remove(0);
    let updated = landet["Opdateret"].as_str().unwrap().to_owned();
    assert!(updated.ends_with("T00:00:00+02:00"), "{updated}");
    let at = format!("Opdateret eq {}", &updated[..10]);
    assert_ne!(app.get(&format!("{table}/Landet/$count?$filter={at}")).await.text(), "0");
    let grouped = format!("{table}/Landet?$apply=aggregate(Opdateret with max as Sidst)");
    assert!(app.get(&grouped).await.rows()[0]["Sidst"].as_str().unwrap().ends_with("T00:00:00+02:00"));
    let csv = app.get("/export/y25i01/Landet.csv?$top=1").await.text();
    assert!(csv.contains(&updated), "{csv}");
    // The bounds that Power BI sets for an incremental refresh select the same rows as before.
    for (bound, same) in [
        ("Fra ge 2026-06-01T00:00:00Z and Fra lt 2026-07-01T00:00:00Z", "Fra eq 2026-06-01"),
        ("Fra ge 2026-06-01T00:00:00%2B02:00 and Fra lt 2026-07-01T00:00:00%2B02:00", "Fra eq 2026-06-01"),
    ] {
        let rows = async |filter: &str| {
            app.get(&format!("{table}/Landet?$select=Periode&$filter={filter}")).await.rows()
        };
        assert_eq!(rows(bound).await, rows(same).await, "{bound}");
        assert_eq!(rows(bound).await.len(), 1);
    }
}
