//! `/nyt`: what came, what was changed and what comes, as page, feed and calendar.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use jobindsats_bridge::catalogue::id::{MeasureId, PeriodId};
use jobindsats_bridge::simulator::Publish;
use jobindsats_bridge::store::change::{Changes, FigureChange};
use serde_json::Value;

use crate::pages::{BROWSER, links, text, visit};
use crate::support::app::App;

const TABLE: &str = "y25i01";
const ROWS: &str =
    "/odata/jobindsats/y25i01/Kommuner?$filter=Periode ge '2026M01' and Periode le '2026M06'&$top=10000";

/// A service that has seen figures change, and the changes as its data has them.
async fn after_a_change() -> (App, Vec<Value>) {
    let app = App::start().await;
    app.all_rows(ROWS).await;
    app.upstream().publish(&Publish { table: TABLE.to_owned(), ..Publish::default() }).unwrap();
    app.clock.advance(Duration::from_secs(16 * 60));
    app.all_rows(ROWS).await;
    let revised = app.get("/odata/Revisions").await.rows();
    assert!(revised.len() > 1);
    (app, revised)
}

/// The figure as the page writes it, without its decimals.
fn whole(figure: f64) -> String {
    let digits = format!("{:.0}", figure.abs());
    let mut written = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            written.push('.');
        }
        written.push(digit);
    }
    written
}

/// The lines of a calendar, unfolded.
fn lines(calendar: &str) -> Vec<String> {
    calendar.replace("\r\n ", "").split("\r\n").map(str::to_owned).collect()
}

fn values(calendar: &str, name: &str) -> Vec<String> {
    let lines = lines(calendar);
    let values = lines.iter().filter_map(|line| line.split_once(':'));
    let values = values.filter(|(key, _)| key.split(';').next() == Some(name));
    values.map(|(_, value)| value.to_owned()).collect()
}

/// What stands between a tag and its end, each time.
fn elements(xml: &str, tag: &str) -> Vec<String> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    xml.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
}

const HEADER: [&str; 10] =
    ["Hvad", "Dag", "Id", "Måling", "Periode", "Mål", "Område", "Fordeling", "Før", "Efter"];

/// The lines of the table, with its header.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(b';').has_headers(false).from_reader(text.as_bytes());
    let records = reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect());
    records.collect()
}

#[actix_web::test]
async fn the_table_has_every_table_that_came_and_every_changed_figure() {
    let (app, revised) = after_a_change().await;
    let page = visit(&app, "/nyt", "da").await;
    let link = links(&page).into_iter().find(|link| link.contains("nyt.csv")).unwrap();
    let file = app.get(&format!("/{}", link.trim_start_matches("./"))).await;
    assert_eq!((file.status, file.header("Content-Type")), (200, "text/csv; charset=utf-8"));
    assert_eq!(file.header("Content-Disposition"), "attachment; filename=\"simulator_nyt.csv\"");
    let english = app.get_with("/nyt.csv", &[("Accept-Language", "en")]).await;
    assert_eq!(english.body, file.body, "its columns are those of every reader");
    let text = file.text();
    let text = text.strip_prefix('\u{feff}').expect("what Excel knows UTF-8 by");
    let rows = records(text);
    assert_eq!(rows[0], HEADER);
    assert!(rows.iter().flatten().all(|cell| !cell.ends_with(",0")), "{text}");
    let of = |what: &'static str| rows.iter().filter(move |row| row[0] == what);
    let tables = app.get("/odata/Datasets?$select=Identifier,Modified").await.rows();
    assert!(of("Nye tal").count() > 0);
    for row in of("Nye tal") {
        let table = tables.iter().find(|table| table["Identifier"] == row[2]).unwrap();
        assert_eq!(table["Modified"].as_str().unwrap()[..10], row[1], "{row:?}");
    }
    assert_eq!(of("Ændret tal").count(), revised.len());
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        number => number.to_string().trim_end_matches(".0").replace('.', ","),
    };
    let names = ["Table", "Period", "Measure", "Area", "Before", "After"];
    let mut expected: Vec<_> = revised.iter().map(|row| names.map(|name| cell(&row[name]))).collect();
    let mut changed: Vec<_> =
        of("Ændret tal").map(|row| [2, 4, 5, 6, 8, 9].map(|at: usize| row[at].clone())).collect();
    expected.sort();
    changed.sort();
    assert_eq!(changed, expected);

    let code = revised[0]["Area"].as_str().unwrap();
    let here = app.get(&format!("/nyt.csv?kommune={code}")).await;
    assert_eq!(here.status, 200);
    let here = records(here.text().trim_start_matches('\u{feff}'));
    let here: Vec<_> = here.iter().filter(|row| row[0] == "Ændret tal").collect();
    let of_area = revised.iter().filter(|row| row["Area"] == code).count();
    assert!(of_area > 0 && of_area < revised.len());
    assert!(here.len() == of_area && here.iter().all(|row| row[6] == code), "{here:?}");
    assert_eq!(app.get("/nyt.csv?emne=findes-ikke").await.status, 400);
}

#[actix_web::test]
async fn changed_figures_are_counted_with_the_largest_change() {
    let (app, revised) = after_a_change().await;
    let page = text(&visit(&app, "/nyt", "da").await);
    assert!(page.contains(&format!("{} tal er ændret i ", revised.len())), "{page}");
    let mut largest: BTreeMap<&str, (f64, &Value)> = BTreeMap::new();
    for row in &revised {
        let (Some(before), Some(after)) = (row["Before"].as_f64(), row["After"].as_f64()) else { continue };
        let change = (after - before).abs();
        let entry = largest.entry(row["Measure"].as_str().unwrap()).or_insert((-1.0, row));
        if change > entry.0 {
            *entry = (change, row);
        }
    }
    let persons = largest["Antal ledige personer"];
    assert!(persons.0 > 0.0);
    let sentence = format!(
        "Antal ledige personer: største ændring fra {} til {} (",
        whole(persons.1["Before"].as_f64().unwrap()),
        whole(persons.1["After"].as_f64().unwrap())
    );
    assert!(page.contains(&sentence), "{sentence}: {page}");
    let english = text(&visit(&app, "/nyt?sprog=en", "da").await);
    assert!(english.contains(&format!("{} figures were revised in ", revised.len())), "{english}");
}

#[actix_web::test]
async fn a_municipality_and_a_subject_narrow_what_is_told() {
    let (app, revised) = after_a_change().await;
    let area = revised[0]["Area"].as_str().unwrap();
    let of_area = revised.iter().filter(|row| row["Area"] == area).count();
    assert!(of_area < revised.len());
    let here = text(&visit(&app, &format!("/nyt?kommune={area}"), "da").await);
    let number =
        if of_area == 1 { "1 tal er ændret".to_owned() } else { format!("{of_area} tal er ændret") };
    assert!(here.contains(&number), "{number}: {here}");
    assert!(!here.contains(&format!("{} tal er ændret", revised.len())), "{here}");

    let subject = app.get("/odata/Datasets('y07a02')?$select=SubjectId,Subject").await.json();
    let (id, label) = (subject["SubjectId"].as_str().unwrap(), subject["Subject"].as_str().unwrap());
    let of_subject = visit(&app, &format!("/nyt?emne={id}"), "da").await;
    assert!(text(&of_subject).contains("Ingen hentede tal er ændret"), "another subject's figures");
    let tables: BTreeSet<String> = links(&of_subject)
        .into_iter()
        .filter_map(|link| Some(link.split_once("maaling/")?.1.split('?').next()?.to_owned()))
        .collect();
    let listed = app.get(&format!("/odata/Datasets?$filter=SubjectId eq '{id}'&$select=Identifier")).await;
    let listed: BTreeSet<String> =
        listed.rows().iter().map(|row| row["Identifier"].as_str().unwrap().to_owned()).collect();
    assert!(!tables.is_empty() && tables.is_subset(&listed), "{tables:?} {listed:?}");
    let by_name = visit(&app, &format!("/nyt?emne={}&kommune=730", label.to_uppercase()), "da").await;
    assert!(text(&by_name).contains(&format!("{label}, Randers")));
    assert!(links(&by_name).iter().any(|link| link.contains("nyt.ics?") && link.contains("kommune=730")));
}

#[actix_web::test]
async fn coming_days_are_the_announced_ones() {
    let app = App::start().await;
    let announced = app.get("/odata/Datasets?$filter=NextUpdate ge 2026-09-15&$select=Identifier,NextUpdate");
    let announced: BTreeSet<(String, String)> = announced.await.rows().iter().map(dated).collect();
    assert!(announced.len() > 10);
    let calendar = app.get("/nyt.ics").await;
    assert_eq!(calendar.header("Content-Type"), "text/calendar; charset=utf-8");
    let calendar = calendar.text();
    let days = values(&calendar, "DTSTART");
    let tables = values(&calendar, "URL");
    let written: BTreeSet<(String, String)> = tables.iter().zip(&days).map(table_and_day).collect();
    assert!(announced.is_subset(&written), "{announced:?} {written:?}");
    let page = visit(&app, "/nyt", "da").await;
    let soon = text(&page);
    assert!(!soon.contains("11. oktober 2026"), "more than two weeks ahead: {soon}");
    let html = page.text();
    let places = ["kom", "rettet", "kommer"].map(|id| html.find(&format!("<h2 id=\"{id}\"")).unwrap());
    assert!(places.is_sorted(), "what is new stands before what comes");
    let all = links(&page).into_iter().find(|link| link.contains("kommer=alle")).unwrap();
    let (all, place) = all.split_once('#').unwrap();
    assert_eq!(place, "kommer");
    let page = text(&visit(&app, &all.replace("./", "/"), "da").await);
    assert!(page.contains("11. oktober 2026"), "{page}");
    assert!(!page.contains("Vis alle"), "{page}");
}

fn dated(row: &Value) -> (String, String) {
    let day = row["NextUpdate"].as_str().unwrap().replace('-', "");
    (row["Identifier"].as_str().unwrap().to_owned(), day)
}

fn table_and_day((url, day): (&String, &String)) -> (String, String) {
    (url.rsplit('/').next().unwrap().to_owned(), day.clone())
}

#[actix_web::test]
async fn the_calendar_keeps_to_its_format() {
    let app = App::start().await;
    let answer = app.get("/nyt.ics?kommune=730").await;
    let calendar = answer.text();
    assert!(calendar.starts_with("BEGIN:VCALENDAR\r\n") && calendar.ends_with("END:VCALENDAR\r\n"));
    for line in calendar.split_terminator("\r\n") {
        assert!(line.len() <= 75 && !line.contains(['\r', '\n']), "{line}");
    }
    assert!(calendar.contains("\r\n "), "some lines are folded");
    assert!(!calendar.contains("DTEND"), "a day without an end is one day; one that ends on itself is none");
    let ids = values(&calendar, "UID");
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len());
    assert_eq!(ids.len(), values(&calendar, "DTSTAMP").len());
    for url in values(&calendar, "URL") {
        assert!(url.starts_with(&app.service.url()) && url.ends_with("?kommune=730"), "{url}");
    }
    let subject = app.get("/odata/Datasets('y07a02')?$select=SubjectId").await.json();
    let narrowed = format!("/nyt.ics?kommune=730&emne={}", subject["SubjectId"].as_str().unwrap());
    let pages = values(&app.get(&narrowed).await.text(), "URL");
    assert!(!pages.is_empty() && pages.len() < ids.len());
    assert!(
        pages.iter().all(|page| page.ends_with("?kommune=730")),
        "a measurement has no subject to choose"
    );
    let app = app.restart().await;
    app.clock.advance(Duration::from_secs(3600));
    assert_eq!(values(&app.get("/nyt.ics?kommune=730").await.text(), "UID"), ids, "ids outlive a restart");
}

#[actix_web::test]
async fn the_feed_has_an_entry_for_what_came_and_what_was_changed() {
    let (app, revised) = after_a_change().await;
    let feed = app.get("/nyt.atom?kommune=").await;
    assert_eq!(feed.header("Content-Type"), "application/atom+xml; charset=utf-8");
    let tag = feed.header("ETag").to_owned();
    let xml = feed.text();
    let (ids, titles) = (elements(&xml, "id"), elements(&xml, "title"));
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len());
    assert!(titles.iter().any(|title| title.starts_with("Nye tal: ")), "{titles:?}");
    assert!(titles.iter().any(|title| title.starts_with("Ændrede tal: ")), "{titles:?}");
    let summaries = elements(&xml, "summary");
    let number = format!("{} tal er ændret", revised.len());
    assert!(summaries.iter().any(|summary| summary.starts_with(&number)), "{summaries:?}");
    let updated = elements(&xml, "updated");
    assert!(updated[1..].is_sorted_by(|one, other| one >= other), "the newest first");
    assert_eq!(updated[0], updated[1]);
    let again = app.get_with("/nyt.atom?kommune=", &[("If-None-Match", &tag)]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let app = app.restart().await;
    assert_eq!(elements(&app.get("/nyt.atom").await.text(), "id"), ids, "ids outlive a restart");
}

#[actix_web::test]
async fn what_is_not_shown_is_counted() {
    let (app, revised) = after_a_change().await;
    let quiet = text(&visit(&app, "/nyt", "da").await);
    assert!(!quiet.contains("Der er flere, som ikke vises"), "{quiet}");
    let catalogue = app.service.state.catalogue.current();
    let figure = &revised[0];
    let change = FigureChange {
        period: PeriodId::from(figure["Period"].as_str().unwrap()),
        members: BTreeMap::new(),
        measure: MeasureId::from(figure["MeasureId"].as_str().unwrap()),
        before: Some(1),
        after: Some(2),
    };
    for day in 1..=45 {
        let after = Some(day);
        let change = FigureChange { after, ..change.clone() };
        let changes = Changes { figures: vec![change], ..Changes::default() };
        let seen_at = app.clock.now() - TimeDelta::days(day.try_into().unwrap());
        app.service.state.feeds.log().note(catalogue.measurement(TABLE).unwrap(), &changes, seen_at);
    }
    for (language, sentence) in
        [("da", "Der er flere, som ikke vises: 6."), ("en", "There are more that are not shown: 6.")]
    {
        let page = visit(&app, "/nyt", language).await;
        assert!(text(&page).contains(sentence), "{}", text(&page));
    }
}

#[actix_web::test]
async fn bad_input_is_a_friendly_page_with_its_status() {
    let app = App::start().await;
    for address in ["/nyt", "/nyt.atom", "/nyt.ics", "/nyt.csv"] {
        for (options, status, sentence) in [
            ("kommune=999", 400, "Kommunen &#39;999&#39; findes ikke"),
            ("emne=sygedagpnege", 400, "men det gør &#39;Sygedagpenge&#39;"),
            ("emne=%3Cscript%3Ealert(1)%3C/script%3E", 400, "&#60;script&#62;"),
        ] {
            let page = visit(&app, &format!("{address}?{options}"), "da").await;
            assert_eq!(page.status, status, "{address} {options}");
            assert!(page.header("Content-Type").starts_with("text/html"));
            assert!(page.text().contains(sentence), "{address} {options}: {}", text(&page));
            assert!(!page.text().contains("<script>alert"));
        }
        let empty = visit(&app, &format!("{address}?emne=&kommune=&&=&x=%FF%00"), "da").await;
        assert_eq!(empty.status, 200, "{address}");
        assert_eq!(app.send("POST", address, &[]).await.status, 405);
        assert_eq!(app.get(&format!("{address}/")).await.status, 308);
    }
    assert_eq!(app.data_requests(), 0, "nothing asks for figures");
}

/// Nothing is said rather than that nothing comes: a calendar would lose its days.
#[actix_web::test]
async fn without_a_list_of_tables_there_is_no_news() {
    let app = App::start().await;
    let app = app.stopped(|folder| std::fs::remove_dir_all(folder.join("simulator")).unwrap()).await;
    for address in ["/nyt", "/nyt.atom", "/nyt.ics", "/nyt.csv"] {
        let answer = app.get_with(address, &[BROWSER]).await;
        assert_eq!((answer.status, answer.header("Retry-After")), (503, "60"), "{address}");
    }
}
