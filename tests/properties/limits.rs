//! Within one revision an answer never depends on how the request was cut into chunks.

use jobindsats_bridge::settings::BridgeSettings;

use crate::support::app::{App, AppOptions};

const QUERIES: [&str; 12] = [
    "y25i01/Hovedtal?$filter=Periode ge '2026M03' and Områdeniveau ne 'Kommune'",
    "y25i01/Kommuner?$filter=startswith(Periode,'2026') and startswith(Område,'A')&$count=true",
    "y25i01/Hovedtal?$filter=Periode ge '2026M05'&$top=7&$skip=3",
    "y25i01/Hovedtal?$filter=Periode eq '2026M06'&$orderby=Antal_ledige_personer desc,Område&$top=5",
    "y25i03/Observations?$top=11",
    "y25i03/Data?$top=5&$skip=2",
    "y01dia02/Fordelt_på_A_kasse?$filter=Periode eq '2026M05' and Område_id eq 'T'",
    "y30r21/Hovedtal?$filter=Fra ge 2024-01-01&$top=9",
    "y25i06/Hovedtal?$filter=Område_id eq 'T' and Fra ge 2026-01-01&$top=20",
    "y24j/Hovedtal?$filter=Fra ge 2025-01-01&$top=4",
    "y28a15/Hovedtal?$filter=Fra ge 2024-01-01 and (Område_id eq 'T' or Områdeniveau eq 'Region')&$top=13",
    "y25i14/Hovedtal?$filter=Fra ge 2026-01-01 and not (Område_id eq 'T')&$top=12",
];

async fn app(cell_limit: u64) -> App {
    let settings = BridgeSettings { cell_limit, ..AppOptions::default().settings };
    App::with(AppOptions { settings, ..AppOptions::default() }).await
}

#[actix_web::test]
async fn the_answer_is_the_same_whatever_the_cell_limit_is() {
    let (tiny, small, usual) = (app(30).await, app(300).await, app(200_000).await);
    for query in QUERIES {
        let path = format!("/odata/jobindsats/{query}");
        let expected = usual.get(&path).await;
        assert_eq!(expected.status, 200, "{query}: {}", expected.text());
        assert!(!expected.rows().is_empty(), "{query}");
        for app in [&small, &tiny] {
            let answer = app.get(&path).await;
            assert_eq!(answer.status, 200, "{query}: {}", answer.text());
            let port = |app: &App| app.service.address.port().to_string();
            let same_host = answer.text().replace(&port(app), &port(&usual));
            assert_eq!(same_host, expected.text(), "{query}");
        }
    }
    assert!(tiny.data_requests() > 3 * usual.data_requests());
}

#[actix_web::test]
async fn pages_of_any_size_make_the_same_rows_under_any_cell_limit() {
    let (tiny, usual) = (app(40).await, app(200_000).await);
    let path = "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode ge '2026M05'&$top=40";
    let whole = usual.get(path).await.rows();
    assert_eq!(whole.len(), 40);
    for size in [1, 7, 33] {
        let prefer = format!("odata.maxpagesize={size}");
        let mut rows = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(link) = next {
            let answer = tiny.get_with(&link, &[("Prefer", &prefer)]).await;
            rows.extend(answer.rows());
            next = answer.json()["@odata.nextLink"].as_str().map(str::to_owned);
        }
        assert_eq!(rows, whole, "pages of {size}");
    }
}
