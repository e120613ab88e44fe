//! What all pages share: who gets them, their headers, their language, their links.

use crate::pages::{BROWSER, links, text, visit};
use crate::support::app::{App, AppOptions};

#[actix_web::test]
async fn only_who_names_html_gets_html() {
    let app = App::start().await;
    for accept in ["text/html", "application/xhtml+xml", "*/*;q=0.1, TEXT/HTML;q=0.5", BROWSER.1] {
        let page = app.get_with("/", &[("Accept", accept)]).await;
        assert!(page.header("Content-Type").starts_with("text/html"), "{accept}");
    }
    let programs = ["*/*", "application/json", "application/*", "text/*", "text/html;q=0", "text/htmlx", ""];
    for accept in programs {
        let document = app.get_with("/", &[("Accept", accept)]).await;
        if document.status == 200 {
            assert!(document.header("Content-Type").starts_with("application/json"), "{accept}");
            assert!(document.json()["@odata.context"].as_str().unwrap().ends_with("/odata/$metadata"));
        } else {
            assert_eq!(document.status, 406, "{accept}");
        }
        assert!(document.header("Vary").contains("Accept"), "{accept}");
    }
    let asked = app.get_with("/?$format=json", &[BROWSER]).await;
    assert!(asked.header("Content-Type").starts_with("application/json"));
    let xml = app.get_with("/", &[("Accept", "application/xml")]).await;
    assert_eq!(xml.status, app.get_with("/odata/", &[("Accept", "application/xml")]).await.status);
}

#[actix_web::test]
async fn a_page_brings_all_that_it_needs_and_nothing_inline() {
    let app = App::start().await;
    for path in ["/", "/?q=sygedagpenge&kommune=730", "/nyt", "/findes/ikke", "/?kommune=xyz"] {
        let page = visit(&app, path, "da").await;
        let policy = page.header("Content-Security-Policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("X-Content-Type-Options"), "nosniff");
        let html = page.text();
        for inline in ["<style", "style=", "onclick=", "<script>", "javascript:", "//fonts", "http-equiv"] {
            assert!(!html.contains(inline), "{path}: {inline}");
        }
        assert!(html.contains("<html lang=\"da\">") && html.contains("<title>"), "{path}");
        assert!(page.body.len() < 100_000, "{path}: {}", page.body.len());
    }
    let page = visit(&app, "/", "da").await;
    let assets: Vec<_> = links(&page).into_iter().filter(|link| link.contains("assets/")).collect();
    assert_eq!(assets.len(), 2);
    for asset in assets {
        let file = app.get(&asset.replace("./", "/")).await;
        assert_eq!(file.status, 200, "{asset}");
        assert!(file.header("Cache-Control").contains("immutable"), "{asset}");
        assert!(file.body.len() < 30_000);
    }
    assert_eq!(app.get("/assets/page.000000000000.css").await.status, 404);
    assert_eq!(app.get("/assets/..%2f..%2fCargo.toml").await.status, 404);
}

#[actix_web::test]
async fn the_language_is_the_address_s_else_the_browser_s() {
    let app = App::start().await;
    for (path, accepted, language, word) in [
        ("/", "da", "da", "Søg i målingerne"),
        ("/", "en-GB,en;q=0.9,da;q=0.8", "en", "Search the measurements"),
        ("/", "de", "da", "Søg i målingerne"),
        ("/?sprog=en", "da", "en", "Search the measurements"),
        ("/?sprog=da", "en", "da", "Søg i målingerne"),
        ("/?sprog=volap%C3%BCk", "en", "en", "Search the measurements"),
        ("/nothing", "en", "en", "Page not found"),
    ] {
        let page = visit(&app, path, accepted).await;
        assert_eq!(page.header("Content-Language"), language, "{path} {accepted}");
        assert!(page.text().contains(word), "{path} {accepted}");
        assert!(page.header("Vary").contains("Accept-Language"));
    }
    let english = visit(&app, "/?kommune=730&sprog=en&q=fleksjob", "da").await;
    let results: Vec<_> = links(&english).into_iter().filter(|link| link.contains("maaling/")).collect();
    assert!(!results.is_empty());
    assert!(results.iter().all(|link| link.ends_with("?kommune=730&sprog=en")), "{results:?}");
    assert!(
        links(&english).iter().any(|link| link == "./?kommune=730&q=fleksjob&sprog=da"),
        "the switch keeps the rest"
    );
}

#[actix_web::test]
async fn errors_are_sentences_in_both_languages() {
    let app = App::start().await;
    let long = format!("/?q={}", "x".repeat(201));
    for path in [
        "/?kommune=xyz",
        &long,
        "/nyt?emne=xyz",
        "/maaling/y07a02?maal=xyz",
        "/maaling/y07a02?sammenlign=xyz",
        "/maaling/y07a02?sammenlign=1,2,3,4,5,6,7,8,9",
        "/maaling/findes_ikke",
        "/findes/ikke",
    ] {
        for language in ["da", "en"] {
            let page = visit(&app, path, language).await;
            let html = page.text();
            let sentence = html.split_once("<p class=\"lead\">").map(|(_, rest)| rest.chars().next());
            assert!(sentence.flatten().is_some_and(char::is_uppercase), "{path}: {}", text(&page));
        }
    }
}

#[actix_web::test]
async fn an_address_that_does_not_exist_is_a_page_for_people_only() {
    let app = App::start().await;
    let page = visit(&app, "/findes/<script>alert(1)</script>", "da").await;
    assert_eq!(page.status, 404);
    assert!(text(&page).contains("Siden findes ikke"));
    assert!(!page.text().contains("<script>alert"));
    assert!(text(&page).contains("Adressen findes ikke; begynd på forsiden."), "{}", text(&page));
    assert!(links(&page).contains(&"../../".to_owned()), "{:?}", links(&page));
    let english = visit(&app, "/findes/ikke", "en").await;
    assert!(text(&english).contains("begin at the front page"), "{}", text(&english));
    assert_eq!(app.get("/findes/ikke").await.code(), "NotFound");
}

#[actix_web::test]
async fn what_is_held_is_not_sent_again() {
    let app = App::start().await;
    let page = visit(&app, "/", "da").await;
    let tag = page.header("ETag").to_owned();
    let again = app.get_with("/", &[BROWSER, ("If-None-Match", &tag)]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let english = app.get_with("/?sprog=en", &[BROWSER, ("If-None-Match", &tag)]).await;
    assert_eq!(english.status, 200);
}

#[actix_web::test]
async fn links_hold_behind_a_proxy_with_a_path() {
    let mut options = AppOptions::default();
    options.settings.public_url = Some("https://tal.example.dk/job".to_owned());
    let app = App::with(options).await;
    let page = visit(&app, "/", "da").await;
    assert!(text(&page).contains("https://tal.example.dk/job/odata/"));
    assert!(
        links(&page).iter().all(|link| link.starts_with("./") || link.starts_with('#')),
        "{:?}",
        links(&page)
    );
}
