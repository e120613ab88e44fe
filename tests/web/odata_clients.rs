//! The ten rules without which Excel and Power BI cannot connect.

use std::collections::BTreeSet;

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;

use crate::support::app::{App, AppOptions};

const SERVICES: [&str; 2] = ["/odata/", "/odata/jobindsats/y25i01/"];
const POWER_QUERY: [(&str, &str); 3] = [
    (
        "Accept",
        "application/json;odata.metadata=minimal;q=1.0,application/json;odata=minimalmetadata;q=0.9,application/atomsvc+xml;q=0.8,application/atom+xml;q=0.8,application/xml;q=0.7,text/plain;q=0.7",
    ),
    ("OData-MaxVersion", "4.0"),
    ("MaxDataServiceVersion", "3.0"),
];

#[actix_web::test]
async fn rule_1_every_answer_says_version_4_0_exactly_once() {
    let app = App::start().await;
    let table = "/odata/jobindsats/y25i01";
    let held = app.get(&format!("{table}/Landet?$top=1")).await.header("ETag").to_owned();
    for (method, path, status) in [
        ("GET", "/odata".to_owned(), 200),
        ("GET", "/odata/$metadata".to_owned(), 200),
        ("GET", format!("{table}/Landet/$count?$filter=Periode eq '2026M06'"), 200),
        ("HEAD", format!("{table}/Landet?$top=1"), 200),
        ("OPTIONS", format!("{table}/Landet"), 204),
        ("GET", format!("{table}/Landet(Periode='2026M06',Område_id='T')/Status"), 204),
        ("GET", format!("{table}/Nothing"), 404),
        ("GET", "/odata/nothing/at/all".to_owned(), 404),
        ("GET", "/elsewhere".to_owned(), 404),
        ("GET", format!("{table}/Landet?$filter=("), 400),
        ("GET", format!("{table}/Landet?$format=atom"), 406),
        ("DELETE", format!("{table}/Landet"), 405),
        ("GET", format!("{table}/$batch"), 405),
        ("POST", format!("{table}/$batch"), 415),
    ] {
        let answer = app.send(method, &path, &[("OData-MaxVersion", "4.0")]).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        let versions: Vec<_> = answer.headers.get_all("OData-Version").iter().collect();
        assert_eq!(versions, ["4.0"], "{method} {path}");
    }
    let unchanged = app.get_with(&format!("{table}/Landet?$top=1"), &[("If-None-Match", &held)]).await;
    assert_eq!((unchanged.status, unchanged.header("OData-Version")), (304, "4.0"));
}

#[actix_web::test]
async fn rule_2_rows_are_json_however_atom_and_xml_are_ranked() {
    let app = App::start().await;
    for path in ["/odata/", "/odata/Datasets?$top=1", "/odata/jobindsats/y25i01/Landet?$top=1"] {
        let answer = app.get_with(path, &POWER_QUERY).await;
        assert!(answer.json().is_object(), "{path}");
    }
}

#[actix_web::test]
async fn rule_3_json_says_its_type_and_metadata_level() {
    let app = App::start().await;
    for path in
        ["/odata/", "/odata/Datasets?$top=1", "/odata/Datasets('y25i01')", "/odata/Datasets('y25i01')/Title"]
    {
        for headers in [&POWER_QUERY[..], &[]] {
            let answer = app.get_with(path, headers).await;
            assert_eq!(answer.header("Content-Type"), "application/json;odata.metadata=minimal", "{path}");
        }
    }
}

#[actix_web::test]
async fn rule_4_metadata_is_xml_unless_json_is_all_that_a_client_reads() {
    let app = App::start().await;
    for service in SERVICES {
        let path = format!("{service}$metadata");
        for accept in
            [POWER_QUERY[0].1, "*/*", "application/json, */*;q=0.1", "application/json,application/xml;q=0.1"]
        {
            let answer = app.get_with(&path, &[("Accept", accept)]).await;
            assert_eq!(answer.header("Content-Type"), "application/xml", "{accept}");
            assert!(answer.text().starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?>"), "{accept}");
        }
        for json in [
            app.get(&format!("{path}?$format=json")).await,
            app.get_with(&path, &[("Accept", "application/json")]).await,
        ] {
            assert_eq!(json.json()["$Version"], "4.01");
        }
    }
}

#[actix_web::test]
async fn rule_5_the_xml_says_version_4_0_even_to_clients_of_4_01() {
    let app = App::start().await;
    for version in ["4.0", "4.01"] {
        let answer = app.get_with("/odata/$metadata", &[("OData-MaxVersion", version)]).await;
        let edmx = "<edmx:Edmx xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\" Version=\"4.0\">";
        assert!(answer.text().contains(edmx));
        assert_eq!(answer.header("OData-Version"), version);
    }
}

#[actix_web::test]
async fn rule_6_the_context_comes_first_and_is_absolute_as_the_client_spoke_to_us() {
    let app = App::start().await;
    for (path, context) in [
        ("/odata", "/odata/$metadata"),
        ("/odata/Datasets?$top=1", "/odata/$metadata#Datasets"),
        ("/odata/Datasets/?$top=1&$select=Title,Identifier", "/odata/$metadata#Datasets(Title,Identifier)"),
        ("/odata/Datasets('y25i01')", "/odata/$metadata#Datasets/$entity"),
        ("/odata/Datasets('y25i01')/Title", "/odata/$metadata#Datasets('y25i01')/Title"),
        ("/odata/jobindsats/Y25I01/Properties", "/odata/jobindsats/y25i01/$metadata#Properties"),
    ] {
        let answer = app.get_with(path, &[("Host", "statistik.example:8443")]).await;
        let begin = format!("{{\"@odata.context\":\"http://statistik.example:8443{context}\"");
        assert!(answer.text().starts_with(&begin), "{path}: {}", &answer.text()[..200]);
    }
}

#[actix_web::test]
async fn rule_7_links_carry_the_public_address_and_nothing_else_can_set_it() {
    let mut options = AppOptions::default();
    options.settings.public_url = Some("https://tal.example/bro".to_owned());
    let app = App::with(options).await;
    let headers = [("Host", "internal:1"), ("X-Forwarded-Host", "evil.example"), ("Prefer", "maxpagesize=2")];
    let answer = app.get_with("/odata/Datasets?$select=Title", &headers).await.json();
    assert_eq!(answer["@odata.context"], "https://tal.example/bro/odata/$metadata#Datasets(Title)");
    let next = answer["@odata.nextLink"].as_str().unwrap();
    assert!(next.starts_with("https://tal.example/bro/odata/Datasets?$select=Title&$skiptoken="), "{next}");
    let full = app.get("/odata/Datasets?$top=1&$format=application/json;odata.metadata=full").await.json();
    let id = full["value"][0]["@odata.id"].as_str().unwrap();
    assert!(id.starts_with("https://tal.example/bro/odata/Datasets('"), "{id}");
}

#[actix_web::test]
async fn rule_7_a_host_that_could_not_be_one_is_not_repeated() {
    let app = App::start().await;
    for host in ["evil\"><script>", "a b", "x/../y", "user@evil", "evil\\x", "%0d%0a"] {
        let answer = app.get_with("/odata/", &[("Host", host)]).await;
        if answer.status == 200 {
            let own = format!("http://{}/odata/$metadata", app.service.address);
            assert_eq!(answer.json()["@odata.context"], own, "{host}");
        } else {
            assert_eq!(answer.status, 400, "{host}");
        }
    }
}

#[actix_web::test]
async fn rule_8_null_columns_are_there_unless_they_were_to_be_left_out() {
    let app = App::start().await;
    let path = "/odata/jobindsats/y25i01/Landet?$top=1&$select=Periode,Status";
    let row = app.get_with(path, &POWER_QUERY).await.rows()[0].clone();
    assert_eq!(row.as_object().unwrap().get("Status"), Some(&Value::Null));
    let answer = app.get_with(path, &[("Prefer", "omit-values=nulls")]).await;
    assert_eq!(answer.header("Preference-Applied"), "omit-values=nulls");
    assert!(answer.rows()[0].get("Status").is_none());
}

#[actix_web::test]
async fn rule_9_headers_that_are_not_understood_change_nothing() {
    let app = App::start().await;
    let path = "/odata/Datasets?$top=2";
    let plain = app.get(path).await;
    for (name, value) in [
        ("MaxDataServiceVersion", "3.0"),
        ("DataServiceVersion", "1.0;NetFx"),
        ("Prefer", "respond-async, wait=10, return=minimal, handling=lenient, x=\"a,b;c\""),
        ("Prefer", "omit-values=defaults, maxpagesize=abc"),
        ("Accept-Charset", "iso-8859-1"),
        ("Accept-Language", "da"),
        ("If-Match", "*"),
        ("Isolation", "snapshot"),
        ("Content-Type", "application/json"),
        ("X-Requested-With", "XMLHttpRequest"),
    ] {
        let answer = app.get_with(path, &[(name, value)]).await;
        assert_eq!((answer.status, &answer.body), (200, &plain.body), "{name}: {value}");
        assert_eq!(answer.header("Preference-Applied"), "", "{name}: {value}");
    }
}

#[actix_web::test]
async fn rule_10_the_metadata_holds_nothing_that_a_4_0_client_could_trip_over() {
    let app = App::start().await;
    for service in SERVICES {
        let xml = app.get(&format!("{service}$metadata")).await.text();
        assert!(!xml.contains("Scale=\"floating\""));
        let mut reader = Reader::from_str(&xml);
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut elements: BTreeSet<String> = BTreeSet::new();
        let mut properties = 0;
        loop {
            let (Event::Start(element) | Event::Empty(element)) = (match reader.read_event().unwrap() {
                Event::Eof => break,
                event @ (Event::Start(_) | Event::Empty(_)) => event,
                _ => continue,
            }) else {
                continue;
            };
            let name = element.name().as_ref().to_owned();
            if name == "EntityType" {
                seen.clear();
            }
            if name == "Property" || name == "NavigationProperty" {
                properties += 1;
                let named = element.try_get_attribute("Name").unwrap().unwrap();
                let named = named.value.to_lowercase();
                assert!(seen.insert(named.clone()), "{named} is declared twice");
            }
            elements.insert(name);
        }
        assert!(properties > 20);
        let of_4_0 = [
            "edmx:Edmx",
            "edmx:Reference",
            "edmx:Include",
            "edmx:DataServices",
            "Schema",
            "EntityType",
            "Key",
            "PropertyRef",
            "Property",
            "NavigationProperty",
            "ReferentialConstraint",
            "EntityContainer",
            "EntitySet",
            "Singleton",
            "NavigationPropertyBinding",
            "Annotation",
            "Record",
            "PropertyValue",
            "Collection",
            "String",
            "PropertyPath",
            "NavigationPropertyPath",
            "EnumMember",
            "Int",
            "Bool",
            "Date",
            "Annotations",
        ];
        let newer: Vec<_> = elements.iter().filter(|name| !of_4_0.contains(&name.as_str())).collect();
        assert!(newer.is_empty(), "{newer:?}");
    }
}
