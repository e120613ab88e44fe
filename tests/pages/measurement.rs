//! `/maaling/{table}`: the figures of a page are those of the feed.

use std::time::Duration;

use jobindsats_bridge::pages::language::Language;
use jobindsats_bridge::pages::municipality;
use jobindsats_bridge::simulator::Publish;
use serde_json::Value;

use crate::pages::{links, text, visit};
use crate::support::app::{App, AppOptions};

/// The page without the rows of its tables.
fn weight(html: &str) -> usize {
    let mut parts = html.split("<tbody>");
    let first = parts.next().map_or(0, str::len);
    first
        + parts
            .map(|part| part.split_once("</tbody>").map_or(part.len(), |(_, rest)| rest.len()))
            .sum::<usize>()
}

/// The address that a page gives for what it shows.
fn address(html: &str) -> String {
    let (_, rest) = html.split_once("<code id=\"adresse\">").unwrap();
    let address = rest.split_once("</code>").unwrap().0;
    let address = address.replace("&#38;", "&").replace("&#39;", "'").replace("&amp;", "&");
    address.split_once("/odata").map(|(_, path)| format!("/odata{path}")).unwrap()
}

#[actix_web::test]
async fn the_figures_are_those_of_the_address_on_the_page() {
    let app = App::start().await;
    let page = visit(&app, "/maaling/y07a02?kommune=730&aar=alle", "da").await;
    assert_eq!(page.status, 200, "{}", page.text());
    let rows = app.all_rows(&address(&page.text())).await;
    let newest = rows.iter().find(|row| row["Områdekode"] == "730" && row["Periode"] == "2026M07").unwrap();
    let before = rows.iter().find(|row| row["Områdekode"] == "730" && row["Periode"] == "2025M07").unwrap();
    let (now, before) =
        (newest["Antal_personer"].as_i64().unwrap(), before["Antal_personer"].as_i64().unwrap());
    let text = text(&page);
    let word = if now > before { "flere" } else { "færre" };
    assert!(
        text.contains(&format!("Randers {now} personer juli 2026 {} {word}", (now - before).abs())),
        "{text}"
    );
    let shown = page.text().matches("<th scope=\"row\">").count();
    let periods = rows.iter().filter(|row| row["Områdekode"] == "000").count();
    assert_eq!(shown, periods, "the table holds every period of the chart");
    assert!(text.contains("Sygedagpenge antal personer og fuldtidspersoner"));
    let is_file = |link: &String| link.contains("/Hovedtal.") || link.ends_with(".mez");
    let files: Vec<_> = links(&page).into_iter().filter(is_file).collect();
    assert_eq!(files.len(), 10, "{files:?}");
    for file in files {
        let file = file.replace("../", "/").replace("&#39;", "'");
        let answer = app.get(&file).await;
        assert_eq!(answer.status, 200, "{file}");
        if file.contains(".csv?") {
            let first =
                answer.text().lines().next().map(|head| head.trim_start_matches('\u{feff}').to_owned());
            let separator = if file.ends_with("&dialekt=dansk") { ";" } else { "," };
            let head = ["Periode", "Fra", "Område", "Områdekode", ""].join(separator);
            assert!(first.unwrap().starts_with(&head), "{}", answer.text());
            assert!(answer.text().contains(&["", "Randers", "730", ""].join(separator)), "{file}");
        }
    }
    for fact in [
        "Opdateret hos Jobindsats",
        "Ventes opdateret",
        "Tallene her er hentet",
        "Status før sygedagpenge 4",
        "Antal fuldtidspersoner (fuldtidspersoner)",
    ] {
        assert!(text.contains(fact), "{fact}: {text}");
    }
}

#[actix_web::test]
async fn a_breakdown_that_is_shown_is_what_is_taken_along() {
    let app = App::start().await;
    let path = "/maaling/y25i01?kommune=730&fordeling=A_kasse&maal=Antal_ledige_fuldtidspersoner";
    let page = visit(&app, path, "da").await;
    assert_eq!(page.status, 200, "{}", text(&page));
    let html = page.text();
    let (_, parts) = html.split_once("<table class=\"parts\">").unwrap();
    let shown = parts.split_once("</table>").unwrap().0.matches("<th scope=\"row\"").count();
    let rows = app.all_rows(&address(&html)).await;
    let own: Vec<_> = rows.iter().filter(|row| row["Områdekode"] == "730").collect();
    assert!(shown > 10 && own.len() == shown, "{shown} shown, {} in {}", own.len(), address(&html));
    assert!(own.iter().all(|row| row["A_kasse"].is_string() && row["Fra"] == own[0]["Fra"]), "{own:?}");
    let files: Vec<_> = links(&page).into_iter().filter(|link| link.contains("/y25i01/")).collect();
    let is_breakdown = |link: &&String| link.contains("Fordelt_på_A_kasse.");
    assert_eq!(files.iter().filter(is_breakdown).count(), 9, "{files:?}");
    assert!(!files.iter().any(|link| link.contains("/Hovedtal.")), "{files:?}");
    let csv = files.iter().find(|link| link.contains(".csv?") && !link.contains("dialekt")).unwrap();
    let csv = app.get(&csv.replace("../", "/").replace("&#39;", "'")).await.text();
    assert_eq!(csv.lines().count(), rows.len() + 1, "{csv}");
    assert!(csv.starts_with("Periode,Fra,Område,Områdekode,A_kasse,"), "{csv}");
    assert!(links(&page).iter().any(|link| link.ends_with("#hent") && !link.contains("fordeling")));
}

#[actix_web::test]
async fn the_builder_opens_with_what_is_chosen() {
    let app = App::start().await;
    let measure = "Andel_langtidsledige_personer_ift_bruttoledige_personer";
    let path = format!("/maaling/y25i09?kommune=730&sammenlign=751&fordeling=K%C3%B8n&maal={measure}");
    let page = visit(&app, &path, "da").await;
    let builder = links(&page).into_iter().find(|link| link.contains("/byg?")).unwrap();
    let builder = visit(&app, &builder.replace("../", "/"), "da").await;
    assert_eq!(builder.status, 200, "{}", text(&builder));
    let html = builder.text();
    let chosen: Vec<&str> =
        html.split(" selected>").skip(1).map(|rest| rest.split_once('<').unwrap().0).collect();
    for expected in ["Randers", "Aarhus", "Region Midtjylland", "Hele landet", "Køn"] {
        assert!(chosen.contains(&expected), "{expected}: {chosen:?}");
    }
    let measures = chosen.iter().filter(|label| label.contains("ledige")).count();
    assert_eq!(measures, 1, "{chosen:?}");
    let plain = visit(&app, "/maaling/y25i09", "da").await;
    let builder = links(&plain).into_iter().find(|link| link.contains("/byg?")).unwrap();
    assert!(builder.ends_with("/byg?omraade=000"), "{builder}");
}

#[actix_web::test]
async fn counts_of_places_of_different_size_share_no_axis() {
    let app = App::start().await;
    let charts =
        async |path: &str| visit(&app, path, "da").await.text().matches("<svg class=\"chart\"").count();
    let counts = visit(&app, "/maaling/y25i09?kommune=730&sammenlign=751", "da").await;
    assert_eq!(
        counts.text().matches("<svg class=\"chart\"").count(),
        4,
        "municipality, compared, region, country"
    );
    assert!(!counts.text().contains("class=\"q5") && counts.text().contains("Antal farves ikke"));
    let share = "Andel_langtidsledige_personer_ift_bruttoledige_personer";
    let shares = visit(&app, &format!("/maaling/y25i09?kommune=730&sammenlign=751&maal={share}"), "da").await;
    assert_eq!(
        shares.text().matches("<svg class=\"chart\"").count(),
        2,
        "one for wide and one for narrow screens"
    );
    assert!(shares.text().contains("class=\"q5") && !shares.text().contains("Antal farves ikke"));
    assert!(text(&shares).contains("procentpoint"), "{}", text(&shares));
    let index = visit(&app, "/maaling/y25i09?kommune=730&sammenlign=751&skala=indeks", "da").await;
    assert_eq!(index.text().matches("<svg class=\"chart\"").count(), 2);
    assert!(text(&index).contains("Indeks: 100 er tallet for"));
    assert_eq!(charts("/maaling/y25i09").await, 2, "a place alone has its own axis anyhow");
}

#[actix_web::test]
async fn the_map_has_a_tile_for_each_municipality_and_leads_to_it() {
    let app = App::start().await;
    let page = visit(&app, "/maaling/y07a02?kommune=730&periode=2026M05", "da").await;
    let html = page.text();
    let (_, map) = html.split_once("<svg class=\"map\"").unwrap();
    let map = map.split_once("</svg>").unwrap().0;
    assert_eq!(map.matches("<rect").count(), 98);
    for one in municipality::all() {
        assert!(map.contains(&format!("{}: ", one.name)), "{}", one.name);
        assert!(map.contains(&format!("kommune={}", one.code)), "{}", one.name);
    }
    let rows = app
        .get("/odata/jobindsats/y07a02/Kommuner?$filter=Periode eq '2026M05' and Område eq 'Odense'")
        .await
        .rows();
    let figure = rows[0]["Antal_personer"].as_i64().unwrap();
    let written =
        if figure > 999 { format!("{}.{:03}", figure / 1000, figure % 1000) } else { figure.to_string() };
    assert!(map.contains(&format!("Odense: {written}")), "{written}");
    let country_only = visit(&app, "/maaling/y25i03", "da").await;
    assert!(!country_only.text().contains("<svg class=\"map\""));
}

#[actix_web::test]
async fn a_hidden_figure_is_shown_as_such() {
    let app = App::start().await;
    let path =
        "/odata/jobindsats/y25i09/Kommuner?$filter=Antal_langtidsledige_fuldtidspersoner eq null&$top=1";
    let hidden = app.get(path).await.rows();
    let code = hidden[0]["Områdekode"].as_str().unwrap();
    let page = visit(&app, &format!("/maaling/y25i09?kommune={code}&aar=alle"), "da").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("class=\"number none\"><span aria-hidden=\"true\">–</span>"), "{code}");
    assert!(text(&page).contains("Det er ikke 0."));
    let english = visit(&app, &format!("/maaling/y25i09?kommune={code}&aar=alle&sprog=en"), "da").await;
    assert!(text(&english).contains("not published"));
}

#[actix_web::test]
async fn measure_period_type_breakdown_and_comparison_can_be_switched() {
    let app = App::start().await;
    let page = visit(
        &app,
        "/maaling/y25i09?fordeling=k%C3%B8n&kommune=odense&sammenlign=aalborg,%20K%C3%B8benhavn",
        "da",
    )
    .await;
    let told = text(&page);
    assert!(
        told.contains("Fordelt på køn , juli 2026") || told.contains("Fordelt på køn, juli 2026"),
        "{told}"
    );
    assert!(told.contains("Kvinder") && told.contains("Mænd"), "{told}");
    for place in ["Odense", "Aalborg", "København", "Region Syddanmark", "Hele landet"] {
        assert!(page.text().contains(&format!("<span class=\"place\">{place}</span>")), "{place}");
    }
    assert!(links(&page).iter().any(|link| link.ends_with("sammenlign=101")), "{:?}", links(&page));
    let several = app
        .get("/odata/Datasets?$filter=contains(PeriodTypes,',')&$select=Identifier,PeriodTypes&$top=3")
        .await;
    for table in several.rows() {
        let id = table["Identifier"].as_str().unwrap();
        for kind in table["PeriodTypes"].as_str().unwrap().split(", ") {
            let page = visit(&app, &format!("/maaling/{id}?kommune=751&periodetype={kind}"), "da").await;
            assert_eq!(page.status, 200, "{id} {kind} {}", text(&page));
            assert!(page.text().contains("<svg class=\"chart\""), "{id} {kind}");
            let rows = app.all_rows(&address(&page.text())).await;
            assert!(!rows.is_empty(), "{id} {kind}");
            assert!(rows.iter().all(|row| row["Periode"].as_str().unwrap().contains(kind)), "{id} {kind}");
        }
    }
    assert_eq!(several.rows().len(), 3, "there are tables of several period types");
}

#[actix_web::test]
async fn regions_and_the_country_are_compared_by_name() {
    let app = App::start().await;
    let shown = async |options: &str| {
        let page = visit(&app, &format!("/maaling/y25i09?{options}"), "da").await;
        assert_eq!(page.status, 200, "{options}: {}", text(&page));
        let html = page.text();
        let places = html.split("<span class=\"place\">").skip(1);
        places.map(|rest| rest.split_once('<').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    let expected = ["Randers", "Region Sjælland", "Aarhus", "Region Midtjylland", "Hele landet"];
    for named in ["Region%20Sj%C3%A6lland,Aarhus", "region+sjaelland;+751", "1085,hele+landet,Aarhus"] {
        assert_eq!(shown(&format!("kommune=730&sammenlign={named}")).await, expected, "{named}");
    }
    assert_eq!(
        shown("sammenlign=Region+Sj%C3%A6lland,730").await,
        ["Region Sjælland", "Randers", "Hele landet"]
    );
    let page = visit(&app, "/maaling/y25i09?sammenlign=1085", "da").await;
    assert!(
        page.text().contains("name=\"sammenlign\" value=\"Region Sjælland\""),
        "what the form sends again"
    );
}

/// Screen readers pronounce a text in the language that it is marked with.
#[actix_web::test]
async fn an_english_page_marks_what_is_danish_and_nothing_else() {
    let app = App::start().await;
    let page = visit(&app, "/maaling/y01h01?sprog=en&aar=alle", "en").await;
    assert_eq!(page.status, 200, "{}", text(&page));
    let html = page.text();
    let day = "Break in the series 1 January 2021: <span lang=\"da\">Sanktioner opgøres";
    assert_eq!(html.matches(day).count(), 2, "below the chart and among the facts: {html}");
    let marked = html.split(" lang=\"da\"").skip(1).map(|rest| rest.split_once('>').unwrap().1);
    for danish in marked.map(|rest| rest.split_once("</").unwrap().0) {
        assert!(
            !danish.contains("(per") && !danish.contains("more") && !danish.contains("Break"),
            "{danish}"
        );
    }
    assert!(
        html.contains("</span> <span class=\"small\">(%)</span>"),
        "a unit is not part of the name: {html}"
    );
}

#[actix_web::test]
async fn revised_figures_name_their_members() {
    let app = App::start().await;
    let rows = "/odata/jobindsats/y25i09/Fordelt_p%C3%A5_K%C3%B8n?$filter=Periode ge '2026M01'&$top=10000";
    app.all_rows(rows).await;
    app.upstream().publish(&Publish { table: "y25i09".to_owned(), ..Publish::default() }).unwrap();
    app.clock.advance(Duration::from_secs(16 * 60));
    app.all_rows(rows).await;
    let revised = app.get("/odata/Revisions?$top=20").await.rows();
    assert!(revised.iter().any(|row| !row["Members"].is_null()), "{revised:?}");
    let page = visit(&app, "/maaling/y25i09", "da").await;
    let (_, told) = page
        .text()
        .split_once("Ændrede tal</h3>")
        .map(|(one, two)| (one.to_owned(), two.to_owned()))
        .unwrap();
    let told = told.split_once("</ul>").unwrap().0;
    assert_eq!(told.matches("<li>").count(), 5, "{told}");
    assert!(told.contains(", Køn: Kvinder, ") || told.contains(", Køn: Mænd, "), "{told}");
    let status = visit(&app, "/status", "da").await.text();
    let (_, table) = status.split_once("<th scope=\"col\">Konstateret</th>").unwrap();
    let lines: Vec<&str> = table.split_once("</table>").unwrap().0.split("<tr>").skip(1).collect();
    assert_eq!(lines.len(), revised.len());
    let mut shares = 0;
    for (line, row) in lines.iter().zip(&revised) {
        let is_share = row["Measure"].as_str().unwrap().starts_with("Andel");
        shares += usize::from(is_share);
        let written = |name: &str| match &row[name] {
            Value::Null => "ikke offentliggjort".to_owned(),
            figure => Language::Danish.number(figure.to_string().parse().unwrap(), u8::from(is_share)),
        };
        for name in ["Before", "After"] {
            let cell = format!("<td class=\"number\">{}</td>", written(name));
            assert!(line.contains(&cell), "{cell}: {line}");
        }
        for cell in [row["Area"].as_str().unwrap(), row["Measure"].as_str().unwrap()] {
            assert!(line.contains(&format!("<td>{cell}</td>")), "{cell}: {line}");
        }
        assert!(line.contains(" 2026</td>"), "the period is in words: {line}");
    }
    assert!(0 < shares && shares < revised.len(), "both kinds of figures: {revised:?}");
    assert!(status.contains("<td>Køn: Kvinder</td>") || status.contains("<td>Køn: Mænd</td>"), "{status}");
    assert!(text(&visit(&app, "/nyt", "da").await).contains("største ændring fra"));
}

#[actix_web::test]
async fn bad_input_is_a_friendly_page_and_starts_nothing() {
    let app = App::start().await;
    assert_eq!(app.get("/odata/jobindsats/y07a02/").await.status, 200);
    let many = (0..9).map(|index| municipality::all()[index].code).collect::<Vec<_>>().join(",");
    for (path, status, sentence) in [
        ("/maaling/findes_ikke".to_owned(), 404, "findes ikke; find en på forsiden"),
        ("/maaling/y07a2".to_owned(), 404, "y07a02"),
        ("/maaling/%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned(), 404, "findes ikke"),
        ("/maaling/y07a02?kommune=0".to_owned(), 400, "Kommunen"),
        ("/maaling/y07a02?maal=Antal_person".to_owned(), 400, "Antal_personer"),
        ("/maaling/y07a02?fordeling=%3Cimg%20src=x%3E".to_owned(), 400, "vælg på siden"),
        ("/maaling/y07a02?periodetype=Q".to_owned(), 400, "vælg på siden"),
        ("/maaling/y07a02?periode=2099M01".to_owned(), 400, "vælg på siden"),
        ("/maaling/y07a02?sammenlign=Atlantis".to_owned(), 400, "Området &#39;Atlantis&#39; findes ikke"),
        ("/maaling/y07a02?sammenlign=Region+Syddanmrk".to_owned(), 400, "&#39;Region Syddanmark&#39;"),
        (format!("/maaling/y07a02?sammenlign={many}"), 400, "højst 8"),
        (format!("/maaling/y07a02?maal={}", "x".repeat(5000)), 400, "vælg på siden"),
    ] {
        let page = visit(&app, &path, "da").await;
        assert_eq!(page.status, status, "{path}");
        assert!(text(&page).contains(sentence), "{path}: {}", text(&page));
        assert!(!page.text().contains("<script>alert") && !page.text().contains("<img"), "{path}");
    }
    assert_eq!(app.data_requests(), 0);
}

#[actix_web::test]
async fn a_closed_upstream_leaves_what_is_known_and_says_when_to_come_again() {
    let app = App::start().await;
    assert_eq!(app.get("/odata/jobindsats/y07a02/").await.status, 200);
    // 22.30 in Copenhagen.
    app.clock.advance(Duration::from_secs(13 * 3600 + 1800));
    let page = visit(&app, "/maaling/y07a02?kommune=730", "da").await;
    assert_eq!(page.status, 503, "{}", text(&page));
    assert!(page.header("Retry-After").parse::<u64>().unwrap() > 0);
    assert!(text(&page).contains("Jobindsats") && text(&page).contains("Om målingen"), "{}", text(&page));
    let unread = visit(&app, "/maaling/y60a02", "da").await;
    assert_eq!(unread.status, 503, "a table that was never read");
    assert!(text(&unread).contains("prøv igen"), "{}", text(&unread));
    let english = visit(&app, "/maaling/y07a02?kommune=730&sprog=en", "da").await;
    assert_eq!(english.status, 503);
}

#[actix_web::test]
async fn every_measurement_has_a_page_of_little_weight_in_both_languages() {
    let app = App::with(AppOptions { sync: true, ..AppOptions::default() }).await;
    let tables = app.get("/odata/Datasets?$select=Identifier").await.rows();
    for (index, table) in tables.iter().enumerate() {
        let (id, language) =
            (table["Identifier"].as_str().unwrap(), if index % 2 == 0 { "da" } else { "en" });
        let page = visit(&app, &format!("/maaling/{id}?kommune=751"), language).await;
        assert_eq!(page.status, 200, "{id}: {}", text(&page));
        assert!(page.text().contains("<svg class=\"chart\""), "{id}: {}", text(&page));
        let weight = weight(&page.text());
        assert!(weight < 100_000, "{id}: {weight} bytes");
    }
}
