//! The product's main use: a client reads known published figures.

use crate::support::app::App;

#[actix_web::test]
async fn the_published_unemployment_of_june_is_one_request_away() {
    let app = App::start().await;
    let path = "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode eq '2026M06' and Område eq 'Hele landet'";
    let rows = app.get(path).await.rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["Antal_ledige_personer"], 110_854);
    assert_eq!(rows[0]["Antal_ledige_fuldtidspersoner"], 89_907);
    assert_eq!(rows[0]["Ledige_fuldtidspersoner_i_pct_af_arbejdsstyrken_16_66_år"], 3);
    assert_eq!(app.data_requests(), 1);
    assert_eq!(app.get(path).await.rows(), rows);
    assert_eq!(app.data_requests(), 1, "what is in store is not asked for again");
}

#[actix_web::test]
async fn what_was_read_is_there_at_once_after_a_restart() {
    let app = App::start().await;
    let path = "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode eq '2026M06'";
    let rows = app.get(path).await.rows();
    let requests = app.data_requests();
    let app = app.restart().await;
    assert_eq!(app.get(path).await.rows(), rows);
    assert_eq!(app.data_requests(), requests, "the figures are kept on disk");
}

#[actix_web::test]
async fn all_pages_together_are_the_whole_set_in_its_order() {
    let app = App::start().await;
    let whole =
        app.get("/odata/jobindsats/y25i01/Kommuner?$filter=Periode ge '2026M01'&$top=10000").await.rows();
    assert!(whole.len() > 500, "{}", whole.len());
    let mut paged = Vec::new();
    let mut next =
        Some("/odata/jobindsats/y25i01/Kommuner?$filter=Periode ge '2026M01'&$top=10000".to_owned());
    while let Some(link) = next {
        let answer = app.get_with(&link, &[("Prefer", "odata.maxpagesize=97")]).await;
        assert_eq!(answer.header("Preference-Applied"), "odata.maxpagesize=97");
        paged.extend(answer.rows());
        next = answer.json()["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(paged, whole);
}
