//! `/maaling/{table}/byg`: rows are chosen, and taken along as ready texts.

use jobindsats_bridge::indicators::definition::Definitions;
use jobindsats_bridge::indicators::quantity::AreaLevel;
use jobindsats_bridge::pages::language::Language;
use jobindsats_bridge::settings::BridgeSettings;
use serde_json::Value;

use crate::pages::{links, text, visit};
use crate::support::app::{Answer, App, AppOptions};

const SOME: &str =
    "/maaling/y25i01/byg?omraade=730&omraade=Aarhus&fra=2026M01&til=2026M06&maal=Antal_ledige_personer";

/// The text of the element with that id, as a copy button takes it.
fn copied(page: &Answer, id: &str) -> String {
    let html = page.text();
    let Some((_, rest)) = html.split_once(&format!("<code id=\"{id}\">")) else { return String::new() };
    let text = rest.split_once("</code>").unwrap().0;
    let decoded = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
    decoded.iter().fold(text.to_owned(), |text, (escaped, letter)| text.replace(escaped, letter))
}

/// The cells of the preview, row by row.
fn preview(page: &Answer) -> Vec<Vec<String>> {
    let html = page.text();
    let (_, section) = html.split_once("aria-labelledby=\"eksempel\"").unwrap();
    let body = section.split_once("<tbody>").unwrap().1.split_once("</tbody>").unwrap().0;
    let cell = |cell: &str| cell.split_once('>').unwrap().1.split_once("</td>").unwrap().0.to_owned();
    let row = |row: &str| row.split("<td").skip(1).map(cell).collect();
    body.split("<tr>").skip(1).map(row).collect()
}

/// Rows of a feed as a Danish page writes them: texts, days and whole numbers.
fn written(rows: &[Value], columns: &[&str]) -> Vec<Vec<String>> {
    let cell = |value: &Value| match value {
        Value::String(text) => match text.parse() {
            Ok(day) => Language::Danish.day(day).replace(' ', "\u{a0}"),
            Err(_) => text.clone(),
        },
        Value::Null => String::new(),
        figure => Language::Danish.number(figure.to_string().parse().unwrap(), 0),
    };
    rows.iter().map(|row| columns.iter().map(|name| cell(&row[name])).collect()).collect()
}

/// The columns of a row without annotations, in the order of their names.
fn own_columns(row: &Value) -> Vec<&str> {
    row.as_object().unwrap().keys().map(String::as_str).filter(|key| !key.contains('@')).collect()
}

#[actix_web::test]
async fn the_address_gives_the_rows_of_the_preview() {
    let app = App::start().await;
    let page = visit(&app, SOME, "da").await;
    let shown = text(&page);
    assert_eq!(page.status, 200, "{shown}");
    assert!(shown.contains("Højst 12 rækker med 12 tal"), "{shown}");
    let address = copied(&page, "odata");
    assert!(address.starts_with(&app.service.url()) && address.is_ascii(), "{address}");
    let rows = app.all_rows(&address).await;
    assert_eq!(rows.len(), 12, "{address}");
    let columns = ["Periode", "Fra", "Område", "Områdekode", "Antal_ledige_personer"];
    assert_eq!(preview(&page), written(&rows[..8], &columns));
    let sorted = ["Antal_ledige_personer", "Fra", "Område", "Områdekode", "Periode"];
    assert_eq!(own_columns(&rows[0]), sorted, "Status would be that of the other measures too");
    let again = visit(&app, SOME, "da").await;
    assert!(text(&again).contains("Det hele er gemt her"), "{}", text(&again));
}

#[actix_web::test]
async fn every_file_and_text_is_of_the_choice() {
    let app = App::start().await;
    let page = visit(&app, SOME, "da").await;
    let files: Vec<String> = links(&page)
        .into_iter()
        .filter(|link| link.contains("/open/") || link.contains("/export/"))
        .collect();
    for ending in [".xlsx?", ".odc?", ".csv?", ".parquet?", ".m?", ".pbip.zip?", ".tmdl?", ".pbids?", ".mez"]
    {
        assert!(files.iter().any(|file| file.contains(ending)), "{ending}: {files:?}");
    }
    assert_eq!(files.len(), 10, "{files:?}");
    for file in files {
        let answer = app.get(&file.replace("../../", "/")).await;
        assert_eq!(answer.status, 200, "{file}: {}", answer.text());
        assert!(answer.body.len() > 100, "{file}");
        if file.contains(".csv?") {
            let separator = if file.ends_with("&dialekt=dansk") { ";" } else { "," };
            let head = ["Periode", "Fra", "Område", "Områdekode", "Antal_ledige_personer"].join(separator);
            assert_eq!(answer.text().lines().next().unwrap().trim_start_matches('\u{feff}'), head, "{file}");
        }
    }
    assert!(text(&page).contains("CSV til dansk Excel"), "{}", text(&page));
    assert!(text(&page).contains("åbner hele målingen i Power BI Desktop; den kan ikke rumme et udtræk"));
    let m = copied(&page, "m");
    assert!(m.contains("Implementation=\"2.0\"") && m.contains("'730'"), "{m}");
    for id in ["curl", "python", "r", "duckdb"] {
        let text = copied(&page, id);
        let address = text.split(['\'', '"']).find(|part| part.starts_with("http")).unwrap();
        let answer = app.get(address).await;
        assert_eq!(answer.status, 200, "{id}: {text}");
        if address.contains(".csv?") {
            assert_eq!(answer.text().lines().count(), 13, "{id}");
        }
    }
}

/// Where all measures are chosen, the status of a row costs nothing and tells which of them are hidden.
#[actix_web::test]
async fn all_measures_have_a_status() {
    let app = App::start().await;
    let hidden = "/odata/jobindsats/y25i09/Kommuner?$filter=Status ne null&$top=1";
    let row = app.get(hidden).await.rows().remove(0);
    let (period, code) = (row["Periode"].as_str().unwrap(), row["Områdekode"].as_str().unwrap());
    let page =
        visit(&app, &format!("/maaling/y25i09/byg?omraade={code}&fra={period}&til={period}"), "da").await;
    let rows = app.all_rows(&copied(&page, "odata")).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(own_columns(&rows[0]).contains(&"Status"), "{rows:?}");
    assert_eq!(rows[0]["Status"], row["Status"]);
    assert_eq!(preview(&page)[0].last().unwrap(), row["Status"].as_str().unwrap());
}

#[actix_web::test]
async fn levels_that_are_mixed_are_told_and_offered_alone() {
    let app = App::start().await;
    let path = "/maaling/y60a02/byg?omraade=000&fordeling=Alder&maal=Antal_personer&fra=2026M06&til=2026M06";
    let page = visit(&app, path, "da").await;
    assert_eq!(page.status, 200, "{}", text(&page));
    assert!(text(&page).contains("Rækkerne for Alder er på flere niveauer"), "{}", text(&page));
    let alone: Vec<String> = links(&page).into_iter().filter(|link| link.contains("Alder_niveau=")).collect();
    assert!(alone.len() > 1, "{alone:?}");
    let all = app.all_rows(&copied(&page, "odata")).await.len();
    let mut sum = 0;
    for link in alone {
        let level = visit(&app, &link.replace("../../", "/"), "da").await;
        assert!(!text(&level).contains("på flere niveauer og"), "{link}");
        let rows = app.all_rows(&copied(&level, "odata")).await.len();
        assert!(0 < rows && rows < all, "{link}: {rows} of {all}");
        sum += rows;
    }
    assert_eq!(sum, all, "every row is on one level");
    let sex = visit(&app, &path.replace("Alder", "K%C3%B8n"), "da").await;
    assert!(!text(&sex).contains("på flere niveauer og"), "{}", text(&sex));
    assert!(text(&sex).contains("Hold Ctrl nede"), "{}", text(&sex));
}

/// Who leaves the codes out has them in the project nevertheless, which relates them to the areas.
#[actix_web::test]
async fn a_project_has_the_columns_of_its_relations() {
    let app = App::start().await;
    let page = visit(&app, &format!("{SOME}&fordeling=K%C3%B8n"), "da").await;
    let script = links(&page).into_iter().find(|link| link.contains(".tmdl?")).unwrap();
    let without = script.replace("Fra%2C", "").replace("Fra,", "").replace("Omr%C3%A5dekode,", "");
    assert!(!without.split_once("$select=").unwrap().1.contains("kode"), "{without}");
    let script = without;
    let script = app.get(&script.replace("../../", "/")).await.text();
    let (_, table) = script.split_once("table 'Y25I01 Fordelt på Køn'").unwrap();
    let (table, _) = table.split_once("\n\ttable ").unwrap();
    let columns: Vec<&str> = table.lines().filter_map(|line| line.trim().strip_prefix("column ")).collect();
    assert_eq!(columns, ["Periode", "Område", "Køn", "Antal_ledige_personer", "Områdekode"]);
    let (_, code) = table.split_once("column Områdekode").unwrap();
    assert!(code.split_once("sourceColumn").unwrap().0.contains("isHidden"), "it was not chosen: {code}");
    assert!(table.contains("\"Antal_ledige_personer\", \"Områdekode\"}"), "the query reads it: {table}");
    for (column, related) in [("Områdekode", "Områder"), ("Periode", "Perioder")] {
        let from = format!("fromColumn: 'Y25I01 Fordelt på Køn'.{column}");
        assert!(
            script.contains(&from) && script.contains(&format!("toColumn: {related}.{column}")),
            "{script}"
        );
    }
}

#[actix_web::test]
async fn a_breakdown_is_narrowed_to_members() {
    let app = App::start().await;
    let narrowed = |members: &str| {
        format!(
            "/maaling/y25i01/byg?omraade=000&fra=2026M06&til=2026M06&fordeling=K%C3%B8n&maal=Antal_ledige_personer{members}"
        )
    };
    let rows = async |path: &str| {
        let page = visit(&app, path, "da").await;
        assert_eq!(page.status, 200, "{}", text(&page));
        let mut found: Vec<String> = Vec::new();
        for row in app.all_rows(&copied(&page, "odata")).await {
            found.push(row["Køn"].as_str().unwrap().to_owned());
        }
        (page, found)
    };
    let (page, both) = rows(&narrowed("")).await;
    assert!(both.len() > 1, "{both:?}");
    assert!(page.text().contains("name=\"Køn_id\" multiple"), "{}", page.text());
    let (page, women) = rows(&narrowed("&K%C3%B8n_id=kvinder&K%C3%B8n_id=Kvinder")).await;
    assert_eq!(women, ["Kvinder"]);
    assert!(page.text().contains(" selected>Kvinder</option>"), "the choice stays in the form");
    let indicator = copied(&page, "indicator");
    let definitions = Definitions::parse(&indicator, 20_000).unwrap();
    let own = definitions.iter().last().unwrap();
    assert_eq!(own.members.len(), 1, "one figure per area: {indicator}");
    let (_, cube) = rows(&narrowed("&K%C3%B8n_id=kvinder&K%C3%B8n_id=M%C3%A6nd&fordeling=Herkomst")).await;
    assert!(cube.len() > 2 && cube.iter().all(|label| label == "Kvinder" || label == "Mænd"), "{cube:?}");
    let unknown = visit(&app, &narrowed("&K%C3%B8n_id=Kvindre"), "da").await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.text().contains("&#39;Kvinder&#39;"), "{}", text(&unknown));
}

#[actix_web::test]
async fn areas_and_members_that_are_named_count_and_not_levels() {
    let app = App::start().await;
    let path = "/maaling/y11c02/byg?fra=2026M06&til=2026M06&maal=Antal_aktiverede&omraade=000&omraade=Hele+landet&niveau=Kommune\
                &fordeling=Tilbud&Tilbud_niveau=Tilbud,+hovedgrupper&Tilbud_id=Almen+voksenuddannelse+(AVU)";
    let page = visit(&app, path, "da").await;
    assert_eq!(page.status, 200, "{}", text(&page));
    assert!(text(&page).contains("Valgte områder og værdier gælder frem for niveauer"));
    let rows = app.all_rows(&copied(&page, "odata")).await;
    let places: Vec<_> = rows.iter().map(|row| (row["Område"].as_str(), row["Tilbud"].as_str())).collect();
    assert_eq!(
        places,
        [(Some("Hele landet"), Some("Almen voksenuddannelse (AVU)"))],
        "{}",
        copied(&page, "odata")
    );
    let definitions = Definitions::parse(&copied(&page, "indicator"), 20_000).unwrap();
    assert_eq!(definitions.iter().last().unwrap().levels, [AreaLevel::Country]);
    let levels = visit(&app, &path[..path.rfind("&Tilbud_id").unwrap()], "da").await;
    let rows = app.all_rows(&copied(&levels, "odata")).await;
    assert_eq!(rows.len(), 4, "without members, the level counts: {rows:?}");
}

#[actix_web::test]
async fn two_breakdowns_at_a_time_are_without_their_totals() {
    let app = App::start().await;
    let path = "/maaling/y25i01/byg?omraade=000&fra=2026M06&til=2026M06&fordeling=K%C3%B8n&fordeling=Herkomst&maal=Antal_ledige_personer";
    let page = visit(&app, path, "da").await;
    assert_eq!(page.status, 200, "{}", text(&page));
    let rows = app.all_rows(&copied(&page, "odata")).await;
    assert!(rows.len() >= 4, "{rows:?}");
    let columns = ["Periode", "Fra", "Område", "Områdekode", "Køn", "Herkomst", "Antal_ledige_personer"];
    assert_eq!(preview(&page), written(&rows[..rows.len().min(8)], &columns));
    for row in &rows {
        assert_ne!(row["Køn"], "I alt", "{row}");
        assert_ne!(row["Herkomst"], "I alt", "{row}");
    }
    let places: std::collections::BTreeSet<String> =
        rows.iter().map(|row| format!("{} {}", row["Køn"], row["Herkomst"])).collect();
    assert_eq!(places.len(), rows.len(), "each combination once");
    assert_eq!(copied(&page, "indicator"), "", "several figures per area are no indicator");
}

#[actix_web::test]
async fn one_figure_per_area_is_an_indicator() {
    let app = App::start().await;
    let page = visit(&app, "/maaling/y25i01/byg?niveau=Kommune&maal=Antal_ledige_personer", "da").await;
    let file = copied(&page, "indicator");
    let definitions = Definitions::parse(&file, 20_000).unwrap();
    let ours = Definitions::built_in(20_000).unwrap();
    assert_eq!(definitions.iter().count(), ours.iter().count() + 1, "{file}");
    let own = definitions.iter().last().unwrap();
    assert_eq!((own.table.as_str(), own.measure.first()), ("y25i01", "Antal ledige personer"));
    let newest = copied(&page, "newest");
    let expected =
        format!("jobindsats_municipality_persons{{source=\"simulator\",indicator=\"{}\"}}", own.id);
    assert_eq!(newest, expected);
    assert!(copied(&page, "alert").contains(&copied(&page, "change")));
    assert!(copied(&page, "history").contains("jobindsats_history_municipality_persons{"));
    let some = visit(
        &app,
        "/maaling/y25i01/byg?omraade=730&omraade=000&omraade=751&maal=Antal_ledige_personer",
        "da",
    )
    .await;
    for text in ["newest", "change", "history", "alert"] {
        assert!(copied(&some, text).contains(",area_code=~\"730|751\""), "{}", copied(&some, text));
    }
    let country = visit(&app, "/maaling/y25i01/byg?omraade=000&maal=Antal_ledige_personer", "da").await;
    assert!(
        copied(&country, "newest").ends_with(&format!("indicator=\"{}\"}}", own.id)),
        "{}",
        copied(&country, "newest")
    );
    let share = "Ledige_fuldtidspersoner_i_pct_af_arbejdsstyrken_16_66_år";
    let page = visit(&app, &format!("/maaling/y25i01/byg?niveau=Kommune&maal={share}"), "da").await;
    assert!(copied(&page, "change").starts_with("jobindsats_municipality_change_points{"));
    assert!(copied(&page, "alert").contains("procentpoint mere end året før"), "{}", copied(&page, "alert"));
    let two = visit(&app, "/maaling/y25i01/byg?niveau=Kommune", "da").await;
    assert_eq!(copied(&two, "indicator"), "", "several measures are no indicator");
}

#[actix_web::test]
async fn choices_become_a_collection() {
    let app = App::start().await;
    let page = visit(&app, SOME, "da").await;
    let add = links(&page).into_iter().find(|link| link.contains("&valg=")).unwrap();
    let page = visit(&app, &add.replace("../../", "/"), "da").await;
    assert!(text(&page).contains("projektmappe (1)"), "{}", text(&page));
    let find = links(&page).into_iter().find(|link| link.contains("nyt?")).unwrap();
    let news = visit(&app, &format!("/{}", find.trim_start_matches("../")), "da").await;
    let elsewhere = links(&news);
    assert!(elsewhere.iter().any(|link| link.contains("samling.xlsx?valg=")), "{elsewhere:?}");
    let other = elsewhere.iter().find(|link| link.contains("maaling/")).unwrap();
    assert!(other.contains("valg="), "{other}");
    let feeds: Vec<_> = elsewhere.iter().filter(|link| link.contains("nyt.")).collect();
    assert!(feeds.len() >= 3 && feeds.iter().all(|link| !link.contains("valg=")), "{feeds:?}");
    for name in ["samling.xlsx", "samling.pbip.zip"] {
        let file = links(&page).into_iter().find(|link| link.contains(name)).unwrap();
        let answer = app.get(&file.replace("../../", "/")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert!(
        !links(&page).iter().any(|link| link.matches("valg=").count() > 1),
        "the same is not added twice"
    );
}

/// The page that has so many choices already.
async fn with_choices(app: &App, number: usize) -> Answer {
    let choices: String = (0..number).map(|at| format!("&valg=y25i01%2FLandet%3F%24top%3D{at}")).collect();
    visit(app, &format!("{SOME}{choices}"), "da").await
}

const IS_FULL: &str = "Samlingen har ikke plads til dette udtræk.";
const IS_LOST: &str = "Samlingen i adressen er for lang";

#[actix_web::test]
async fn a_collection_has_room_for_twenty_choices() {
    let app = App::start().await;
    for (number, has_room) in [(19, true), (20, false)] {
        let page = with_choices(&app, number).await;
        let adds = links(&page).iter().any(|link| link.matches("valg=").count() == number + 1);
        assert_eq!((adds, text(&page).contains(IS_FULL)), (has_room, !has_room), "{number}");
        assert!(text(&page).contains(&format!("én projektmappe ({number})")), "{}", text(&page));
        assert!(!text(&page).contains(IS_LOST), "{number}");
    }
    let page = with_choices(&app, 21).await;
    assert!(text(&page).contains(IS_LOST) && !text(&page).contains("projektmappe ("), "{}", text(&page));
    assert!(links(&page).iter().all(|link| link.matches("valg=").count() < 2));
}

/// Links hold 8 kB of a collection, in which each choice counts as it is written there.
#[actix_web::test]
async fn a_choice_counts_in_full_as_it_is_written() {
    const ROOM: usize = 8 * 1024;
    const BEFORE: usize = "&amp;valg=".len();
    let app = App::start().await;
    let page = visit(&app, SOME, "da").await;
    let add = links(&page).into_iter().find(|link| link.contains("&valg=")).unwrap();
    let choice = add.split_once("&valg=").unwrap().1;
    assert!(choice.contains("%3F") && !choice.contains('&'), "it is the last option: {choice}");
    let left = ROOM - 2 * BEFORE - choice.len();
    for (length, has_room) in [(left, true), (left + 1, false)] {
        let page = visit(&app, &format!("{SOME}&valg={}", "a".repeat(length)), "da").await;
        let adds = links(&page).iter().any(|link| link.matches("valg=").count() == 2);
        assert_eq!((adds, text(&page).contains(IS_FULL)), (has_room, !has_room), "{length}");
    }
}

#[actix_web::test]
async fn a_choice_that_is_too_large_says_so_before_anything_is_asked() {
    let mut options = AppOptions::default();
    options.settings = BridgeSettings { max_rows: 1000, ..options.settings };
    let app = App::with(options).await;
    let page = visit(&app, "/maaling/y25i01/byg?fra=alle&fordeling=K%C3%B8n&fordeling=Alder", "da").await;
    assert_eq!(page.status, 400, "{}", text(&page));
    assert!(text(&page).contains("grænsen er 1000"), "{}", text(&page));
    assert!(page.text().contains("<form"), "the choice can be made smaller");
    assert_eq!(app.data_requests(), 0);
}

#[actix_web::test]
async fn bad_input_is_a_friendly_page_with_its_status() {
    let app = App::start().await;
    for (path, status, sentence) in [
        ("/maaling/y99z99/byg", 404, ""),
        ("/maaling/y25i01/byg?fordeling=K%C3%B8nn", 400, "&#39;Køn&#39;"),
        ("/maaling/y25i01/byg?fordeling=K%C3%B8n&fordeling=Alder&fordeling=Herkomst", 400, "højst 2"),
        ("/maaling/y25i01/byg?omraade=%3Cscript%3Ealert(1)%3C/script%3E", 400, "&#60;script&#62;"),
        ("/maaling/y25i01/byg?maal=x&fra=2026M01", 400, "maal=x"),
        ("/maaling/y25i01/byg?fra=2026M99", 400, "fra=2026M99"),
        ("/maaling/y25i01/byg?kommune=xyz", 400, "Kommunen"),
        ("/maaling/y25i01/byg?valg=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", 200, ""),
    ] {
        let page = visit(&app, path, "da").await;
        assert_eq!(page.status, status, "{path}: {}", text(&page));
        assert!(page.text().contains(sentence), "{path}: {}", text(&page));
        assert!(!page.text().contains("<script>alert"), "{path}");
    }
}
