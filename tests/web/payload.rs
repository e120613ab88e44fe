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
