//! `$search` on the catalogue, over HTTP: tables are found by everyday words.

use jobindsats_bridge::search::SearchIndex;

use crate::support::app::{App, AppOptions};

async fn synced() -> App {
    App::with(AppOptions { sync: true, ..AppOptions::default() }).await
}

async fn found(app: &App, search: &str) -> Vec<String> {
    let path = format!("/odata/Datasets?$search={search}&$select=Identifier");
    let rows = app.get(&path).await.rows();
    rows.iter().map(|row| row["Identifier"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn everyday_words_and_misspelt_ones_find_the_table() {
    let app = synced().await;
    let cases = [
        ("akasse", "y01a02"),
        ("a-kasse", "y25i01"),
        ("dagpenge", "y01a02"),
        ("langtidsledig", "y25i09"),
        ("sygemeldt", "y07a02"),
        ("sygedagpnege", "y07a02"),
        ("SYGEDAGPENGE", "y07a02"),
        ("kontanthjaelp", "y60a02"),
        ("kontanthjælp", "y60a02"),
        ("kontanthjælpen", "y60a02"),
        ("syge dagpenge", "y07a02"),
        ("dagpenge syge", "y07a02"),
        ("personer AND sygedagpenge", "y07a02"),
        ("Y07A02", "y07a02"),
        ("fyringer", "y25i05"),
        ("arbejdsløse", "y25i01"),
        ("integrationsydelse", "y35a02"),
        ("sygedagpenge i Randers", "y07a02"),
        ("kvinder fleksjob", "y08a02"),
        ("Akademikernes", "y01a02"),
        ("uger sygedagpenge", "y07a07"),
        ("maternity", "y40a02"),
        ("\"sygedagpenge\"", "y07a02"),
        ("\"fuldtidspersoner\" AND sygedagpenge", "y07a02"),
        ("sygedagpenge OR fleksjob", "y08a02"),
    ];
    for (search, table) in cases {
        let found = found(&app, search).await;
        assert!(found.contains(&table.to_owned()), "{search} finds {found:?}");
        assert!(found.len() < 104, "{search} finds everything");
    }
}

#[actix_web::test]
async fn what_is_not_meant_is_not_found() {
    let app = synced().await;
    for search in ["qqqqqqq", "sygedagpenge AND qqqqqqq", "\"dagpenge sygedag\"", "zebra", "%F0%9F%99%82"] {
        assert_eq!(found(&app, search).await, [""; 0], "{search}");
    }
    let revalidering = found(&app, "revalidering").await;
    assert!(!revalidering.contains(&"y08a02".to_owned()), "{revalidering:?}");
    let (all, without) = (found(&app, "sygedagpenge").await, found(&app, "NOT sygedagpenge").await);
    let tables = app.get("/odata/Datasets/$count").await.text();
    assert_eq!((all.len() + without.len()).to_string(), tables);
}

#[actix_web::test]
async fn every_subject_is_found_by_each_of_its_synonyms() {
    let app = synced().await;
    let synonyms: std::collections::BTreeMap<String, Vec<String>> =
        serde_json::from_str(include_str!("../../metadata/synonyms.json")).unwrap();
    for (term, words) in &synonyms {
        let of_term = found(&app, &format!("\"{term}\"")).await;
        for word in words.iter().filter(|_| !of_term.is_empty()) {
            let found = found(&app, word).await;
            let is_found = of_term.iter().any(|table| found.contains(table));
            assert!(is_found, "{word} does not find {term}");
        }
    }
}

/// Before their members are read, tables may have any area, and all other words count as ever.
#[actix_web::test]
async fn an_area_hides_no_table_that_is_not_read() {
    let app = App::start().await;
    assert_eq!(app.get("/odata/jobindsats/y07a02/").await.status, 200);
    let found = found(&app, "randers").await;
    assert!(found.contains(&"y01a02".to_owned()) && found.contains(&"y07a02".to_owned()), "{found:?}");
}

#[actix_web::test]
async fn the_best_comes_first_and_what_has_ended_last() {
    let app = synced().await;
    let index = SearchIndex::new(&app.service.state.catalogue.current());
    let best = |query: &str| -> Vec<String> {
        index.search(query).into_iter().take(3).map(|hit| hit.table.to_string()).collect()
    };
    assert_eq!(best("sygedagpenge")[0], "y07a02");
    assert_eq!(best("kontanthjælp")[0], "y60a02", "the ordinance before July 2025 has ended");
    assert_eq!(best("y25i14")[0], "y25i14");
    assert_eq!(best("langtidsledige")[0], "y25i09");
    assert_eq!(best("barsel")[0], "y40a02");
    assert_eq!(index.search(""), []);
    assert_eq!(index.search("   ?! "), []);
    assert!(index.search(&"x".repeat(100_000)).is_empty(), "a very long word is cut, and looked for once");
}

#[actix_web::test]
async fn titles_of_sets_and_feeds_name_the_subject() {
    let app = synced().await;
    let titles = async |service: &str| -> Vec<String> {
        let sets = app.get(service).await.json();
        let sets = sets["value"].as_array().unwrap().iter();
        sets.filter_map(|set| set["title"].as_str().map(str::to_owned)).collect()
    };
    let of_table = titles("/odata/jobindsats/y07a02/").await;
    for title in [
        "Sygedagpenge: hovedtal, antal personer og fuldtidspersoner",
        "Sygedagpenge: kommunerne, antal personer og fuldtidspersoner",
        "Sygedagpenge: antal personer og fuldtidspersoner fordelt på køn",
    ] {
        assert!(of_table.iter().any(|other| other == title), "{title}: {of_table:?}");
    }
    let of_all = titles("/odata/").await;
    let title = "Y07A02 Sygedagpenge: hovedtal, antal personer og fuldtidspersoner";
    assert!(of_all.iter().any(|other| other == title), "{of_all:?}");
    let metadata = app.get("/odata/jobindsats/y07a02/$metadata").await.text();
    assert!(metadata.contains("Sygedagpenge: antal personer og fuldtidspersoner. Kilde:"));
}
