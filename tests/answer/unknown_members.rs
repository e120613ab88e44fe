//! Conditions on members that do not exist: an error with `handling=strict`; otherwise the rows are as without the check, and the
//! answer, the plan and the log name the members.

use jobindsats_bridge::answer::stages::Stages;
use jobindsats_bridge::answer::{Answer, Request};
use jobindsats_bridge::disk;
use jobindsats_bridge::simulator::Faults;
use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::log::listen;

const STRICT: [(&str, &str); 1] = [("Prefer", "handling=strict")];
const ANNOTATED: [(&str, &str); 1] = [("Prefer", "odata.include-annotations=\"*\"")];
const TABLE: &str = "/odata/jobindsats/y25i01";

/// Conditions below a table's service, where the value stands, and the end of the sentence about it.
const UNKNOWN: [(&str, &str); 27] = [
    ("Hovedtal?$filter=Område eq 'Randers Kommune'", "Område, men det gør 'Randers' ($filter, tegn 11)."),
    (
        "Hovedtal?$filter=Område eq 'Københavns Kommune'",
        "Område, men det gør 'København' ($filter, tegn 11).",
    ),
    ("Hovedtal?$filter=Område eq 'randers'", "Område, men det gør 'Randers' ($filter, tegn 11)."),
    ("Hovedtal?$filter=Område eq 'Århus'", "Område, men det gør 'Aarhus' ($filter, tegn 11)."),
    ("Hovedtal?$filter=Område_id eq '730'", "Område_id, men det gør '66' ($filter, tegn 14)."),
    ("Hovedtal?$filter=Områdekode eq 'Randers'", "Områdekode, men det gør '730' ($filter, tegn 15)."),
    ("Hovedtal?$filter=Områdeniveau eq 'kommune'", "Områdeniveau, men det gør 'Kommune' ($filter, tegn 17)."),
    ("Hovedtal?$filter=Område eq 'xyz'", "Område; skriv en af kolonnens værdier ($filter, tegn 11)."),
    ("Hovedtal?$filter=Periode eq '2026M7'", "Periode, men det gør '2026M07' ($filter, tegn 12)."),
    ("Hovedtal?$filter=Periode eq 'juli 2026'", "Periode, men det gør '2026M07' ($filter, tegn 12)."),
    ("Hovedtal?$filter=Periode eq '1999M01'", "Periode; skriv en af kolonnens værdier ($filter, tegn 12)."),
    ("Hovedtal?$filter=Periodetype eq 'm'", "Periodetype, men det gør 'M' ($filter, tegn 16)."),
    ("Hovedtal?$filter=Fra eq 2026-06-02", "Fra, men det gør '2026-06-01' ($filter, tegn 8)."),
    ("Hovedtal?$filter='Rander' eq Område", "Område, men det gør 'Randers' ($filter, tegn 1)."),
    ("Hovedtal?$filter=not (Område ne 'Rander')", "Område, men det gør 'Randers' ($filter, tegn 16)."),
    (
        "Hovedtal?$filter=Periode eq '2026M06' and (Antal_ledige_personer gt 5 or Område eq 'Rander')",
        "Område, men det gør 'Randers' ($filter, tegn 67).",
    ),
    ("Hovedtal?$filter=Område in ('Randers','Rander')", "Område, men det gør 'Randers' ($filter, tegn 22)."),
    ("Hovedtal/$filter(Område eq 'Rander')", "Område, men det gør 'Randers'."),
    ("Hovedtal/$count?$filter=Område eq 'Rander'", "Område, men det gør 'Randers' ($filter, tegn 11)."),
    ("Hovedtal?$apply=filter(Område eq 'Rander')", "Område, men det gør 'Randers' ($apply, tegn 18)."),
    (
        "Hovedtal?$apply=groupby((Periode,Område),aggregate(Antal_ledige_personer))&$filter=Område eq 'Rander'",
        "Område, men det gør 'Randers' ($filter, tegn 11).",
    ),
    (
        "Hovedtal?$compute=Område as Sted&$filter=Sted eq 'Rander'",
        "Område, men det gør 'Randers' ($filter, tegn 9).",
    ),
    ("Observations?$filter=Periode eq '2026M06'", "Periode, men det gør '2026MM06' ($filter, tegn 12)."),
    ("Observations?$filter=Område eq 'Randers'", "Område, men det gør '66' ($filter, tegn 11)."),
    (
        "Observations?$filter=Measure eq 'Antal ledige personer'",
        "Measure, men det gør 'measi01_1' ($filter, tegn 12).",
    ),
    (
        "Observations?$filter=OmrådeCode/Title eq 'Randers Kommune'",
        "OmrådeCode/Title, men det gør 'Randers' ($filter, tegn 21).",
    ),
    ("OmrådeCodes?$filter=Title eq 'Rander'", "Title, men det gør 'Randers' ($filter, tegn 10)."),
];

/// Conditions that are met by no row for another reason, or compare with what is no member.
const KNOWN: [&str; 9] = [
    "Hovedtal?$filter=Område eq 'Randers' and Periode eq '2026M06'",
    "Landet?$filter=Område eq 'Randers'",
    "Hovedtal?$filter=Område in ('Randers','Aarhus') and Fra eq 2026-06-01",
    "Hovedtal?$filter=Område eq null",
    "Hovedtal?$filter=startswith(Område,'Rander')",
    "Hovedtal?$filter=Periode gt '2026M7'",
    "Hovedtal?$filter=Periode eq '2026M06' and Status eq 'x'",
    "Observations?$filter=Periode eq '2026MM06' and OmrådeCode/Title eq 'Randers'",
    "OmrådeCodes?$filter=Title eq 'Randers' and Index eq 0",
];

#[actix_web::test]
async fn who_asks_for_strictness_is_told_which_members_do_not_exist_and_which_may_be_meant() {
    let app = App::start().await;
    for (query, end) in UNKNOWN {
        let refused = app.get_with(&format!("{TABLE}/{query}"), &STRICT).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "UnknownMember"), "{query}");
        let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.ends_with(&format!(" findes ikke i {end}")), "{query}: {message}");
        let place = |text: &str, before: &str| {
            let digits = text.split_once(before)?.1;
            digits.split(|letter: char| !letter.is_ascii_digit()).next().map(str::to_owned)
        };
        let english = refused.json()["error"]["details"][0]["message"].as_str().unwrap().to_owned();
        if end.contains("tegn") {
            assert_eq!(place(&message, "tegn "), place(&english, "character "), "{english}");
        }
    }
    assert_eq!(app.data_requests(), 0);
    for query in KNOWN {
        let answer = app.get_with(&format!("{TABLE}/{query}"), &STRICT).await;
        assert_eq!((answer.status, answer.header("Preference-Applied")), (200, "handling=strict"), "{query}");
        let lenient = app.get_with(&format!("{TABLE}/{query}"), &[("Prefer", "handling=lenient")]).await;
        assert_eq!((&lenient.body, lenient.header("Preference-Applied")), (&answer.body, ""), "{query}");
    }
}

#[actix_web::test]
async fn everybody_else_gets_the_rows_and_a_warning_on_request() {
    let app = App::start().await;
    for (query, end) in UNKNOWN.into_iter().filter(|(query, _)| !query.contains("$count")) {
        let path = format!("{TABLE}/{query}");
        let plain = app.get(&path).await.json();
        assert!(plain.get("@Core.Messages").is_none(), "{query}");
        for (version, prefix) in [("4.0", "@odata."), ("4.01", "@")] {
            let headers = [ANNOTATED[0], ("OData-MaxVersion", version)];
            let answer = app.get_with(&path, &headers).await;
            assert_eq!(answer.header("Preference-Applied"), "odata.include-annotations=\"*\"", "{query}");
            let annotated = answer.json();
            assert_eq!(
                annotated["value"].as_array().unwrap().len(),
                plain["value"].as_array().unwrap().len()
            );
            assert!(annotated.get(format!("{prefix}context")).is_some());
            let [message] = annotated["@Core.Messages"].as_array().unwrap().as_slice() else {
                panic!("{annotated}")
            };
            assert_eq!(
                (&message["code"], &message["severity"]),
                (&"UnknownMember".into(), &"warning".into())
            );
            assert!(message["message"].as_str().unwrap().ends_with(end), "{message}");
            assert!(message["details"][0]["message"].as_str().unwrap().contains("has no value"), "{message}");
        }
        let left_out = [("Prefer", "include-annotations=\"*,-Core.Messages\"")];
        assert!(app.get_with(&path, &left_out).await.json().get("@Core.Messages").is_none(), "{query}");
    }
    for query in KNOWN {
        let answer = app.get_with(&format!("{TABLE}/{query}"), &ANNOTATED).await;
        assert!(answer.json().get("@Core.Messages").is_none(), "{query}");
    }
}

#[actix_web::test]
async fn a_warning_is_part_of_what_the_entity_tag_stands_for() {
    let app = App::start().await;
    let path = format!("{TABLE}/Kommuner?$filter=Område eq 'Rander'");
    let (plain, annotated) = (app.get(&path).await, app.get_with(&path, &ANNOTATED).await);
    assert_ne!(plain.header("ETag"), annotated.header("ETag"));
    let held = [ANNOTATED[0], ("If-None-Match", annotated.header("ETag"))];
    assert_eq!(app.get_with(&path, &held).await.status, 304);
}

#[actix_web::test]
async fn single_rows_carry_the_warning_of_what_is_expanded() {
    let app = App::start().await;
    let path = format!("{TABLE}/OmrådeCodes('T')?$expand=Children($filter=Title eq 'Rander')");
    let row = app.get_with(&path, &ANNOTATED).await.json();
    let message = row["@Core.Messages"][0]["message"].as_str().unwrap();
    assert_eq!(message, "'Rander' findes ikke i Title, men det gør 'Randers' ($expand, tegn 27).");
}

#[actix_web::test]
async fn files_the_catalogue_and_parts_of_batches_are_held_to_the_same() {
    let app = App::start().await;
    for path in [
        "/export/y25i01/Kommuner.csv?$filter=Område eq 'Rander'",
        "/export/y25i01/Kommuner.parquet?$filter=Område eq 'Rander'",
        "/odata/Y25I01?$filter=Område eq 'Rander'",
        "/odata/Områder?$filter=Område eq 'Københavns Kommune'",
        "/odata/Datasets?$filter=Subject eq 'Dagpenge'",
    ] {
        let refused = app.get_with(path, &STRICT).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "UnknownMember"), "{path}");
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
    let file = app.get_with("/export/y25i01/Landet.csv?$top=1", &STRICT).await;
    assert_eq!((file.status, file.header("Preference-Applied")), (200, "handling=strict"));
    let part = json!({ "id": "1", "method": "get", "url": "Landet?$filter=Område eq 'Rander'",
        "headers": { "prefer": "handling=strict" } });
    let body = json!({ "requests": [part] }).to_string().into_bytes();
    let batch =
        app.post(&format!("{TABLE}/$batch"), &[("Content-Type", "application/json")], body).await.json();
    assert_eq!(batch["responses"][0]["body"]["error"]["code"], "UnknownMember", "{batch}");
}

#[actix_web::test]
async fn a_plan_says_it_too() {
    let app = App::start().await;
    let path = format!("{TABLE}/Kommuner?$filter=Område eq 'Rander'&explain=plan");
    let plan = app.get(&path).await.json();
    let said = ["'Rander' findes ikke i Område, men det gør 'Randers' ($filter, tegn 11)."];
    assert_eq!((&plan["unknown_members"], &plan["requests"]), (&json!(said), &0.into()));
    assert_eq!(app.get_with(&path, &STRICT).await.code(), "UnknownMember");
    let known = path.replace("Rander'", "Randers'");
    let known = app.get_with(&known, &STRICT).await;
    assert_eq!(
        (&known.json()["unknown_members"], known.header("Preference-Applied")),
        (&json!([]), "handling=strict")
    );
}

#[actix_web::test]
async fn the_log_has_one_line_for_a_request() {
    let app = App::start().await;
    let feed = app.service.state.feeds.table("y25i01").await.unwrap();
    let stages = Stages::new(std::sync::Arc::clone(&app.service.state.metrics));
    let heard = listen();
    for options in ["$filter=Område in ('Rander','Aarhu')", "$filter=Område eq 'Randers'"] {
        let request = Request {
            feed: &feed,
            root: "",
            path: "Kommuner",
            options,
            max_page_size: None,
            all_pages: false,
            strict: false,
            skip_token: None,
            now: app.clock.now(),
            stages: &stages,
        };
        let (_, answer) = app.service.state.answerer.answer(&request, |_| Ok(())).await.unwrap();
        assert!(matches!(answer, Answer::Page(_)));
    }
    let text = heard.text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("does not exist")).collect();
    let [line] = lines.as_slice() else { panic!("{text}") };
    assert!(
        line.contains("INFO") && line.contains("did you mean `Randers`?") && line.contains("others=1"),
        "{line}"
    );
}

#[actix_web::test]
async fn thousands_of_values_that_do_not_exist_are_said_briefly() {
    let app = App::start().await;
    let values: Vec<_> = (0..5000).map(|number| format!("'x{number}'")).collect();
    let body = format!("$filter=Område in ({})", values.join(",")).into_bytes();
    let headers = [ANNOTATED[0], ("Content-Type", "text/plain")];
    let answer = app.post(&format!("{TABLE}/Kommuner/$query"), &headers, body).await.json();
    assert_eq!(answer["@Core.Messages"].as_array().unwrap().len(), 20);
}

#[actix_web::test]
async fn strictness_is_that_of_each_who_asks_for_one_file() {
    let app = App::start().await;
    let path = "/export/y25i01/Kommuner.csv?$filter=Område eq 'Rander'";
    let lenient = app.send("HEAD", path, &[]).await;
    assert_eq!((lenient.status, lenient.header("accept-ranges")), (200, "bytes"), "the file is made");
    let ranged = [STRICT[0], ("Range", "bytes=0-3")];
    for (method, headers) in [("GET", &STRICT[..]), ("GET", &ranged), ("HEAD", &STRICT)] {
        let refused = app.send(method, path, headers).await;
        assert_eq!(refused.status, 400, "{method} {headers:?}");
        assert_eq!(refused.body.is_empty(), method == "HEAD");
    }
    assert_eq!(app.get_with(path, &ranged).await.code(), "UnknownMember");
    let again = app.get_with(path, &[("Range", "bytes=0-3")]).await;
    assert_eq!((again.status, again.header("etag")), (206, lenient.header("etag")));
}

const NEW: &str = "Nyoprettet kategori";

/// A service that has read figures under a label that no member has, and was started anew.
async fn app_with_a_new_label() -> App {
    let app = App::start().await;
    app.upstream().set_faults(Faults { unknown_label: 1, ..Faults::default() });
    let seen: Vec<Value> = app.get(&format!("{TABLE}/Kommuner?$filter=Periode eq '2026M06'")).await.rows();
    assert!(seen.iter().any(|row| row["Område_id"] == format!("?{NEW}")));
    app.restart().await
}

#[actix_web::test]
async fn a_label_that_only_figures_have_exists() {
    let app = app_with_a_new_label().await;
    let figures = format!("Observations/any(o:o/Periode eq '2026MM06' and o/Område eq '?{NEW}')");
    let expanded = "OmrådeCodes('66')?$expand=Observations($filter=Periode eq '2026MM06' and Område eq";
    for path in [
        format!("Kommuner?$filter=Periode eq '2026M06' and Område eq '{NEW}'"),
        format!("Kommuner?$filter=Periode eq '2026M06' and Område in ('{NEW}','Aarhus')"),
        format!("Kommuner?$filter=Periode eq '2026M06' and Område_id eq '?{NEW}'"),
        format!("OmrådeCodes?$filter={figures}"),
        format!("{expanded} '?{NEW}')"),
    ] {
        let answer = app.get_with(&format!("{TABLE}/{path}"), &STRICT).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    for path in [
        "Kommuner?$filter=Område eq 'Nyoprettet'".to_owned(),
        format!("Kommuner?$filter=Område eq '?{NEW}'"),
        format!("Kommuner?$filter=Område_id eq '?x{NEW}'"),
        format!("Kommuner?$filter=Område_id eq '{NEW}'"),
        format!("Kommuner?$filter=Periode eq '{NEW}'"),
        format!("OmrådeCodes?$filter=Title eq '{NEW}'"),
        format!("OmrådeCodes?$filter={}", figures.replace('?', "?x")),
        format!("{expanded} '?x{NEW}')"),
    ] {
        assert_eq!(app.get_with(&format!("{TABLE}/{path}"), &STRICT).await.code(), "UnknownMember", "{path}");
    }
}

#[actix_web::test]
async fn labels_of_figures_are_kept_whole_and_read_as_they_were_kept_before() {
    let long = "Kommune med et langt navn ".repeat(10);
    let kept = json!({ "unlisted": { "y25i01": [long] } });
    let app = App::start().await.stopped(|data| {
        disk::keep(&data.join("simulator/learnt.json"), 1, &kept).unwrap();
    });
    let app = app.await;
    for (name, status) in [(long.as_str(), 200), (&long[..120], 400), (&format!("{long}x"), 400)] {
        let path = format!("{TABLE}/Kommuner?$top=1&$filter=Periode eq '2026M06' and Område eq '{name}'");
        assert_eq!(app.get_with(&path, &STRICT).await.status, status, "{name}");
    }
}

#[actix_web::test]
async fn what_a_path_may_mean_is_named_in_the_same_words_each_time() {
    let app = App::start().await;
    let path = format!("{TABLE}/Observations?$filter=OmrådeCode/Title eq 'Fane'");
    let message = async || app.get_with(&path, &STRICT).await.json()["error"]["message"].clone();
    let first = message().await;
    assert!(first.as_str().unwrap().contains(" og 'Fa"), "several may be meant: {first}");
    for _ in 0..5 {
        assert_eq!(message().await, first);
    }
}
