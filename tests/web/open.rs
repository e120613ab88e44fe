//! Files that open chosen rows in Excel and Power BI, over HTTP: they hold the rows of the feed, and the query that gives them again.

use std::io::Cursor;

use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::Faults;

use crate::support::app::{Answer, App, AppOptions};
use crate::support::zip_part;

const CHOSEN: &str =
    "$filter=Periode eq '2026M06' and startswith(Område,'A')&$select=Område,Antal_ledige_personer,Opdateret";

fn part(file: &Answer, path: &str) -> String {
    String::from_utf8(zip_part(&file.body, path)).unwrap()
}

fn parts(file: &Answer) -> Vec<String> {
    let archive = zip::ZipArchive::new(Cursor::new(&file.body[..])).unwrap();
    archive.file_names().map(|name| name.unwrap().into_owned()).collect()
}

/// The text of a package inside the workbook: the queries of all sheets.
fn queries(file: &Answer) -> String {
    use base64::Engine as _;
    let bytes = zip_part(&file.body, "customXml/item1.xml");
    let units: Vec<u16> = bytes[2..].chunks(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    let xml = String::from_utf16(&units).unwrap();
    let text = xml.split_once("DataMashup\">").unwrap().1.strip_suffix("</DataMashup>").unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    String::from_utf8(zip_part(&bytes[8..8 + length], "Formulas/Section1.m")).unwrap()
}

#[actix_web::test]
async fn a_workbook_has_the_rows_of_the_feed_and_the_query_that_gives_them() {
    let app = App::start().await;
    let feed = app.get(&format!("/odata/jobindsats/y25i01/Kommuner?{CHOSEN}")).await;
    let file = app.get(&format!("/open/y25i01/Kommuner.xlsx?{CHOSEN}")).await;
    assert_eq!(file.status, 200, "{}", file.text());
    assert!(file.header("content-disposition").ends_with("filename=\"simulator_y25i01_Kommuner.xlsx\""));
    let rows = feed.rows();
    let (cells, texts) = (part(&file, "xl/worksheets/sheet1.xml"), part(&file, "xl/sharedStrings.xml"));
    assert_eq!(cells.matches("<row ").count(), rows.len() + 1);
    for row in &rows {
        assert!(texts.contains(row["Område"].as_str().unwrap()), "{row}");
        if let Some(figure) = row["Antal_ledige_personer"].as_f64() {
            assert!(cells.contains(&format!("<v>{figure}</v>")), "{row}");
        }
    }
    let section = queries(&file);
    assert!(
        section.contains("#\"$filter\"=\"Periode eq '2026M06' and startswith(Område,'A')\""),
        "{section}"
    );
    assert!(section.contains("{\"Område\", \"Antal_ledige_personer\", \"Opdateret\"}"), "{section}");
    assert!(!section.contains("$select"), "{section}");
}

#[actix_web::test]
async fn the_sheet_of_sources_says_what_gives_the_same_figures_again() {
    let app = App::start().await;
    let feed = app.get(&format!("/odata/jobindsats/y25i01/Kommuner?{CHOSEN}")).await;
    let file = app.get(&format!("/open/y25i01/Kommuner.xlsx?{CHOSEN}")).await;
    let texts = part(&file, "xl/sharedStrings.xml");
    let updated = app.get("/odata/Datasets('y25i01')?$select=Modified").await.json();
    let day: Vec<&str> = updated["Modified"].as_str().unwrap()[..10].split('-').collect();
    let revision = format!("<t>tal opdateret {}.{}.{}</t>", day[2], day[1], day[0]);
    for holds in [
        "<t>Y25I01</t>",
        "<t>Udtræk</t>",
        "<t>Revision</t>",
        &revision,
        "<t>Hentet</t>",
        "<t>Må ikke lægges sammen</t>",
    ] {
        assert!(texts.contains(holds), "{holds}: {texts}");
    }
    let (_, address) = texts.split_once("/odata/jobindsats/y25i01/Kommuner?").unwrap();
    let address = address.split_once("</t>").unwrap().0.replace("&amp;", "&");
    let again = app.get(&format!("/odata/jobindsats/y25i01/Kommuner?{address}")).await;
    assert_eq!(again.rows(), feed.rows());
    let source = part(&file, "xl/worksheets/sheet2.xml");
    assert!(source.contains("ht=\"30\""), "rows of wrapped texts are as high as their lines: {source}");
}

#[actix_web::test]
async fn the_sheet_of_sources_says_which_members_do_not_exist() {
    let app = App::start().await;
    let sheet = async |name: &str| {
        let path = format!("/open/y25i01/Kommuner.xlsx?$filter=Periode eq '2026M06' and Område eq '{name}'");
        part(&app.get(&path).await, "xl/sharedStrings.xml")
    };
    let unknown = sheet("Randers Kommune").await;
    assert!(unknown.contains("findes ikke i Område, men det gør 'Randers'"), "{unknown}");
    assert!(!sheet("Randers").await.contains("Findes ikke"));
    // A label that no member has, but figures came under.
    app.upstream().set_faults(Faults { unknown_label: 1, ..Faults::default() });
    app.get("/odata/jobindsats/y25i01/Kommuner?$filter=Periode eq '2026M05'").await;
    assert!(!sheet("Nyoprettet kategori").await.contains("Findes ikke"));
}

#[actix_web::test]
async fn a_hidden_figure_is_no_cell() {
    let app = App::start().await;
    let options =
        "$filter=Periode eq '2026M06' and Status ne null&$select=Område,Antal_ledige_personer&$top=5";
    let set = "Fordelt_på_Herkomst";
    let hidden = app.get(&format!("/odata/jobindsats/y25i01/{set}?{options}")).await.rows();
    let nulls = hidden.iter().filter(|row| row["Antal_ledige_personer"].is_null()).count();
    assert!(nulls > 0, "the simulator hides small figures: {hidden:?}");
    let cells =
        part(&app.get(&format!("/open/y25i01/{set}.xlsx?{options}")).await, "xl/worksheets/sheet1.xml");
    let figures = cells.matches("<c r=\"B").count() - 1;
    assert_eq!(figures, hidden.len() - nulls, "{cells}");
}

#[actix_web::test]
async fn every_file_names_the_public_address() {
    let settings = BridgeSettings {
        public_url: Some("https://tal.example/bro".to_owned()),
        ..AppOptions::default().settings
    };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let service = "https://tal.example/bro/odata/jobindsats/y25i01/";
    for file in ["Landet.m", "Landet.odc", "Landet.pbids", "Landet.tmdl"] {
        let answer = app.get(&format!("/open/y25i01/{file}")).await;
        assert_eq!(answer.status, 200, "{file}: {}", answer.text());
        assert!(answer.text().contains(service), "{file}: {}", answer.text());
    }
    let connector = app.get("/open/JobindsatsBridge.mez").await;
    assert!(part(&connector, "JobindsatsBridge.pq").contains("{\"https://tal.example/bro/odata/\"}"));
    assert_eq!(app.data_requests(), 0, "no rows are read for them");
}

#[actix_web::test]
async fn a_collection_has_a_sheet_a_query_and_a_table_for_each_choice() {
    let app = App::start().await;
    let choices =
        "valg=y25i01%2FLandet%3F%24top%3D3&valg=y07a02%2FHovedtal%3F%24top%3D2&valg=y25i01%2FLandet";
    let book = app.get(&format!("/open/samling.xlsx?{choices}")).await;
    assert_eq!(book.status, 200, "{}", book.text());
    let sheets = part(&book, "xl/workbook.xml");
    for sheet in ["Y25I01_Landet", "Y07A02_Hovedtal", "Y25I01_Landet_2", "Kilde"] {
        assert!(sheets.contains(&format!("<sheet name=\"{sheet}\"")), "{sheets}");
    }
    assert_eq!(queries(&book).matches("\r\nshared #").count(), 3);
    let project = app.get(&format!("/open/samling.pbip.zip?{choices}")).await;
    let tables = parts(&project).iter().filter(|path| path.contains("/tables/")).count();
    assert_eq!(tables, 6, "three choices, areas, periods, days: {:?}", parts(&project));
    let relations = parts(&project).into_iter().find(|path| path.ends_with("relationships.tmdl")).unwrap();
    let relations = part(&project, &relations);
    assert_eq!(relations.matches("toColumn: Områder.Områdekode").count(), 3, "{relations}");
}

/// The first page shows figures for several areas at once: a line and rows for each, and what a breakdown means.
#[actix_web::test]
async fn the_first_page_of_a_project_tells_areas_and_members_apart() {
    let app = App::start().await;
    let select = "$select=Område,Køn,Antal_ledige_personer&$filter=Områdekode in ('730','751')";
    let project = app.get(&format!("/open/y25i01/Fordelt_på_Køn.pbip.zip?{select}")).await;
    let visuals: Vec<String> =
        parts(&project).into_iter().filter(|path| path.ends_with("visual.json")).collect();
    let visuals: Vec<serde_json::Value> =
        visuals.iter().map(|path| serde_json::from_str(&part(&project, path)).unwrap()).collect();
    let of_type = |kind: &'static str| visuals.iter().filter(move |one| one["visual"]["visualType"] == kind);
    let shown = |visual: &serde_json::Value, role: &str| {
        let shown = visual["visual"]["query"]["queryState"][role]["projections"].as_array().unwrap().clone();
        shown.iter().map(|one| one["queryRef"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let slicers: std::collections::BTreeSet<_> =
        of_type("slicer").flat_map(|one| shown(one, "Values")).collect();
    let table = "Y25I01 Fordelt på Køn";
    let sexes = format!("{table}.Køn");
    assert_eq!(slicers, ["Områder.Område".to_owned(), sexes.clone()].into());
    let line = of_type("lineChart").next().unwrap();
    assert_eq!(shown(line, "Series"), ["Områder.Område"]);
    assert_eq!(shown(line, "Category"), ["Perioder.Fra"]);
    let rows = shown(of_type("tableEx").next().unwrap(), "Values");
    assert_eq!(rows[..3], ["Områder.Område".to_owned(), "Perioder.Periode".to_owned(), sexes]);
    let page = parts(&project).into_iter().find(|path| path.ends_with("/page.json")).unwrap();
    let page: serde_json::Value = serde_json::from_str(&part(&project, &page)).unwrap();
    assert!(page["displayName"].as_str().unwrap().ends_with(" (vælg køn)"), "{page}");
}

#[actix_web::test]
async fn what_is_computed_from_figures_is_hidden_and_guarded_in_a_project() {
    let app = App::start().await;
    let options = "$compute=Antal_ledige_personer mul 2 as Dobbelt&$select=Periode,Dobbelt&$top=5";
    let script = app.get(&format!("/open/y25i01/Landet.tmdl?{options}")).await.text();
    let column = script.split("column ").find(|column| column.starts_with("Dobbelt_kilde"));
    assert!(column.is_some_and(|column| column.contains("isHidden")), "{script}");
    assert!(script.contains("measure Dobbelt =") && script.contains("[Dobbelt_kilde])"), "{script}");
}

#[actix_web::test]
async fn figures_have_the_decimals_of_their_unit() {
    let app = App::start().await;
    let styles = part(&app.get("/open/y25i01/Landet.xlsx?$top=5").await, "xl/styles.xml");
    for format in ["#,##0", "#,##0.0"] {
        assert!(styles.contains(&format!("formatCode=\"{format}\"")), "{format} in {styles}");
    }
    assert!(!styles.contains("0.#"), "Excel would end whole numbers with a comma: {styles}");
}

#[actix_web::test]
async fn what_does_not_fit_is_refused_before_anything_is_asked() {
    let app = App::start().await;
    let many = "valg=y25i01%2FLandet&".repeat(21);
    for (path, status, code) in [
        ("/open/y25i01/Data.xlsx", 400, "TooManyRows"),
        ("/open/y25i01/Observations.tmdl?$top=5", 400, "OnlyCodes"),
        ("/open/samling.pbip.zip?valg=y25i01%2FObservations", 400, "OnlyCodes"),
        ("/open/samling.xlsx", 400, "NoChoice"),
        ("/open/samling.xlsx?valg=y25i01", 400, "NoChoice"),
        ("/open/samling.xlsx?valg=%ff", 400, "NoChoice"),
        (&format!("/open/samling.xlsx?{many}"), 400, "TooManyChoices"),
        ("/open/samling.odc?valg=y25i01%2FLandet", 404, "NotFound"),
        ("/open/y25i01/Findes_ikke.xlsx", 404, "UnknownSet"),
        ("/open/y99x99/Landet.xlsx", 404, "UnknownTable"),
        ("/open/y25i01/Landet.exe", 404, "NotFound"),
        ("/open/y25i01/.xlsx", 404, "NotASet"),
        ("/open/y25i01/$metadata.m", 404, "NotASet"),
        ("/open/y25i01/Landet/$count.m", 404, "NotASet"),
        ("/open/", 404, "NotFound"),
        ("/open/y25i01/Landet.xlsx?$filter=Findes_ikke eq 1", 400, "UnknownProperty"),
        ("/open/y25i01/Observations.m?$expand=MeasureCode", 501, "NotOffered"),
        ("/open/y25i01/Landet.m?$format=json", 400, "OptionNotApplicable"),
        ("/open/y25i01/Landet.xlsx?$skiptoken=x", 400, "OptionNotApplicable"),
        ("/open/samling.xlsx?valg=y25i01%2FLandet%3F%24format%3Djson", 400, "OptionNotApplicable"),
        ("/open/y25i01/Landet(Periode='2026M06',Område_id='T').m", 404, "NotASet"),
    ] {
        let answer = app.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}: {}", answer.text());
    }
    for path in
        ["y25i01/Landet.x?$format=json", "y25i01/Landet.x?$skiptoken=x", "y25i01/.x", "y25i01/$metadata.x"]
    {
        let [open, export] = ["/open/", "/export/"].map(|root| format!("{root}{path}"));
        let (open, export) = (open.replace(".x", ".m"), export.replace(".x", ".csv"));
        assert_eq!(app.get(&open).await.code(), app.get(&export).await.code(), "{path}");
    }
    let tables = app.get("/open/y25i01/Data.xlsx").await;
    assert!(tables.text().contains(".csv") && tables.text().contains(".parquet"), "{}", tables.text());
    assert_eq!(app.data_requests(), 0);
    assert_eq!(app.send("POST", "/open/y25i01/Landet.m", &[]).await.status, 405);
}

#[actix_web::test]
async fn a_choice_without_rows_is_an_empty_table_and_head_has_its_length() {
    let app = App::start().await;
    let path = "/open/y25i01/Landet.xlsx?$filter=Periode eq '1066M01'";
    let file = app.get(path).await;
    assert!(part(&file, "xl/tables/table1.xml").contains("2\""), "one empty row");
    let head = app.send("HEAD", path, &[]).await;
    assert_eq!((head.status, head.header("content-length")), (200, file.body.len().to_string().as_str()));
}
