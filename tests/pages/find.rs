//! `/`: the catalogue by subject, and the search.

use chrono::Duration;

use crate::pages::{links, text, visit};
use crate::support::app::{App, AppOptions};

#[actix_web::test]
async fn every_table_stands_under_its_subject() {
    let app = App::start().await;
    let page = visit(&app, "/", "da").await;
    let tables: usize = app.get("/odata/Datasets/$count").await.text().parse().unwrap();
    let listed = links(&page).into_iter().filter(|link| link.starts_with("./maaling/")).count();
    assert_eq!((page.status, listed), (200, tables));
    let text = text(&page);
    for word in ["Ydelser", "Sygedagpenge 9", "Ledigheds- og jobindikatorer", "103 målinger"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[actix_web::test]
async fn a_result_tells_subject_newest_period_breakdowns_and_next_update() {
    let app = App::with(AppOptions { sync: true, ..AppOptions::default() }).await;
    let page = visit(&app, "/?q=sygedagpnege", "da").await;
    let text = text(&page);
    let expected = "Sygedagpenge antal personer og fuldtidspersoner Seneste juli 2026 Næste 11. oktober 2026 Fordelt på køn , herkomst";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("Id y07a02"));
    let english = visit(&app, "/?q=sick+leave&sprog=en", "da").await;
    assert!(crate::pages::text(&english).contains("Latest July 2026"));
}

#[actix_web::test]
async fn the_first_link_of_a_search_is_what_people_mean() {
    let app = App::with(AppOptions { sync: true, ..AppOptions::default() }).await;
    for (query, table) in [
        ("sygedagpenge+i+Randers", "maaling/y07a02?kommune=730"),
        ("ledige+aarhus", "?kommune=751"),
        ("kontanthjaelp", "maaling/y60a02"),
        ("Y25I14", "maaling/y25i14"),
        ("langtidsledige", "maaling/y25i09"),
    ] {
        let page = visit(&app, &format!("/?q={query}"), "da").await;
        let first = links(&page).into_iter().find(|link| link.contains("maaling/")).unwrap();
        assert!(first.ends_with(table), "{query}: {first}");
    }
    let chosen = visit(&app, "/?q=sygedagpenge+i+Randers&kommune=751", "da").await;
    assert!(
        links(&chosen).iter().any(|link| link.ends_with("maaling/y07a02?kommune=751")),
        "what is chosen stays"
    );
}

#[actix_web::test]
async fn a_result_leads_to_its_breakdowns_and_to_the_two_that_are_named() {
    let app = App::with(AppOptions { sync: true, ..AppOptions::default() }).await;
    let found = visit(&app, "/?q=ledige+akasse+i+Randers", "da").await;
    let link =
        links(&found).into_iter().find(|link| link.contains("y25i01") && link.contains("akasse")).unwrap();
    assert!(link.contains("kommune=730"), "{link}");
    assert!(!links(&found).iter().any(|link| link.contains("/byg?")), "one breakdown is named");
    let page = visit(&app, link.trim_start_matches('.'), "da").await;
    assert!(text(&page).contains("Fordelt på a-kasse , "), "{}", text(&page));
    for (query, place) in
        [("kontanthj%C3%A6lp+k%C3%B8n+alder", "000"), ("kontanthj%C3%A6lp+Randers+k%C3%B8n+og+alder", "730")]
    {
        let found = visit(&app, &format!("/?q={query}"), "da").await;
        let link = links(&found).into_iter().find(|link| link.contains("/byg?")).unwrap();
        assert!(link.starts_with("./maaling/y60a02/byg?"), "{link}");
        let page = visit(&app, link.trim_start_matches('.'), "da").await;
        assert_eq!(page.status, 200, "{link}: {}", text(&page));
        let file = links(&page).into_iter().find(|link| link.contains(".csv?")).unwrap();
        let file = app.get(&file.replace("../../", "/")).await.text();
        let mut lines = file.trim_start_matches('\u{feff}').lines();
        assert!(lines.next().unwrap().starts_with("Periode;Fra;Område;Områdekode;Køn;Alder;"), "{file}");
        assert!(lines.clone().count() > 100, "{file}");
        assert!(lines.all(|line| line.split(';').nth(3) == Some(place)), "{place}: {file}");
    }
}

#[actix_web::test]
async fn only_names_are_danish_on_an_english_page() {
    let app = App::with(AppOptions { sync: true, ..AppOptions::default() }).await;
    let found = visit(&app, "/?q=kontanthj%C3%A6lp+k%C3%B8n+alder&sprog=en", "da").await;
    let both = r#"<span lang="da">køn</span> and <span lang="da">alder</span></a>"#;
    assert!(found.text().contains(both), "{}", found.text());
}

/// Pages have hundreds of links, and what is in an address may be in each.
#[actix_web::test]
async fn no_address_makes_a_page_huge() {
    let app = App::with(AppOptions { sync: true, ..AppOptions::default() }).await;
    let long = "x".repeat(55_000);
    let choice = format!("y25i01%2FLandet%3F%24filter%3D{}", "x".repeat(350));
    let full = format!("valg={choice}&").repeat(20);
    for path in ["/?", "/?q=antal&", "/nyt?", "/maaling/y25i01?", "/maaling/y07a02?", "/maaling/y25i01/byg?"]
    {
        for options in [
            format!("valg={long}"),
            format!("valg={}", "%22".repeat(18_000)),
            format!("sprog={long}"),
            format!("kommune={long}"),
            format!("emne={long}"),
            format!("x={long}"),
            format!("{long}=x"),
            format!("{}x=", "x=1&".repeat(10_000)),
            "valg=a&".repeat(5_000),
            full.clone(),
        ] {
            let page = visit(&app, &format!("{path}{options}"), "da").await;
            let (size, options) = (page.body.len(), &options[..20]);
            let is_refused = options.starts_with("kommune") || path == "/nyt?" && options.starts_with("emne");
            let status = if is_refused { 400 } else { 200 };
            assert!(page.status == status && size < 2_000_000, "{path}{options}: {} {size}", page.status);
        }
    }
    let kept = visit(&app, &format!("/?q=antal&{full}"), "da").await;
    let of_tables = |breakdown| {
        let links = links(&kept).into_iter().filter(move |link| link.contains("maaling/"));
        links.filter(move |link| link.contains("fordeling=") == breakdown).collect::<Vec<_>>()
    };
    assert!(of_tables(false).iter().all(|link| link.matches("valg=").count() == 20));
    assert!(of_tables(true).len() > 50 && of_tables(true).iter().all(|link| !link.contains("valg=")));
}

#[actix_web::test]
async fn nothing_found_says_what_to_do() {
    let app = App::start().await;
    let page = visit(&app, "/?q=qqqqqq", "da").await;
    assert_eq!(page.status, 200);
    assert!(text(&page).contains("Ingen målinger passer"));
}

#[actix_web::test]
async fn bad_input_is_a_friendly_page_with_its_status() {
    let app = App::start().await;
    let long = "x".repeat(201);
    for (path, status, sentence) in [
        ("/?kommune=999".to_owned(), 400, "Kommunen &#39;999&#39; findes ikke"),
        ("/?kommune=Rander".to_owned(), 400, "men det gør &#39;Randers&#39;"),
        ("/?kommune=%3Cscript%3Ealert(1)%3C/script%3E".to_owned(), 400, "&#60;script&#62;"),
        (format!("/?q={long}"), 400, "højst 200 tegn"),
        ("/?q=%3Cscript%3Ealert(1)%3C/script%3E".to_owned(), 200, "&#60;script&#62;alert(1)"),
        ("/?q=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E".to_owned(), 200, "&#34;&#62;&#60;img"),
        ("/?q=%FF%FE&kommune=&&&=&x".to_owned(), 200, ""),
        ("/?q=%F0%9F%99%82%00%0A".to_owned(), 200, "Ingen målinger passer"),
    ] {
        let page = visit(&app, &path, "da").await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.text().contains(sentence), "{path}: {}", page.text());
        assert!(!page.text().contains("<script>alert") && !page.text().contains("<img src=x"), "{path}");
    }
    let page = visit(&app, "/", "da").await;
    assert!(page.text().contains("maxlength=\"200\""));
    assert_eq!(app.data_requests(), 0, "no page of `/` asks for figures");
}

/// The list of tables was never read, and the upstream is closed: the page says when to come again.
#[actix_web::test]
async fn a_closed_upstream_with_nothing_stored_is_told() {
    let app = App::start().await;
    let app = app.stopped(|folder| std::fs::remove_dir_all(folder.join("simulator")).unwrap()).await;
    app.clock.advance(Duration::hours(13).to_std().unwrap());
    assert!(app.service.state.catalogue.refresh_list().await.is_err());
    let page = visit(&app, "/", "da").await;
    assert_eq!((page.status, page.header("Retry-After")), (503, "60"));
    assert!(text(&page).contains("mellem kl. 22 og 23"), "{}", text(&page));
}
