//! The text that a scrape gets.

use std::io::Read;

use serde_json::json;

use super::fake::{self, AARHUS, COUNTRY, lines, sample};

#[tokio::test]
async fn a_scrape_is_what_the_contract_says() {
    let folder = tempfile::tempdir().unwrap();
    let all = [
        fake::definition(json!({})),
        fake::definition(json!({
            "id": "andel_kvinder", "title": "Kvinder i forhold til arbejdsstyrken", "quantity": "percent",
            "measure": "Personer i pct. af arbejdsstyrken", "members": { "_kon": "Kvinder", "_sats": "1" }
        })),
        fake::definition(json!({ "id": "broken", "measure": "Findes ikke", "period_type": "Q" })),
    ];
    let (source, _, collector) = fake::collector(&all, folder.path());
    collector.refresh("personer").await;
    source.change(|databank| {
        databank.cells.values_mut().flatten().for_each(|percent| *percent = 3.2);
        databank.cells.insert((COUNTRY, "2026M06"), Some(2.9));
        databank.cells.insert((AARHUS, "2026M06"), Some(3.1));
    });
    collector.refresh("andel_kvinder").await;
    collector.refresh("broken").await;
    let published = collector.published();
    let text = String::from_utf8(published.rendered.text.to_vec()).unwrap();
    insta::assert_snapshot!(text);
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(published.rendered.series, samples);
}

#[tokio::test]
async fn the_gzip_holds_the_same_text() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    collector.refresh("personer").await;
    let rendered = &collector.published().rendered;
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(rendered.gzip.as_ref()).read_to_end(&mut text).unwrap();
    assert_eq!(text, rendered.text);
    assert!(rendered.gzip.len() < rendered.text.len() / 3);
    assert!(rendered.text.ends_with(b"\n"));
}

#[tokio::test]
async fn titles_with_quotes_and_line_feeds_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let title = "Sagt \"højt\"\\\nog tydeligt";
    let (_, _, collector) = fake::collector(&[fake::definition(json!({ "title": title }))], folder.path());
    let line = lines(&collector, "jobindsats_indicator_info").remove(0);
    assert!(line.contains(r#"title="Sagt \"højt\"\\\nog tydeligt""#), "{line}");
}

#[tokio::test]
async fn periods_begin_and_end_at_midnight_in_copenhagen() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    collector.refresh("personer").await;
    let instant = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp() as f64;
    assert_eq!(
        sample(&collector, "jobindsats_indicator_period_start_timestamp_seconds{"),
        instant("2026-05-31T22:00:00Z")
    );
    assert_eq!(
        sample(&collector, "jobindsats_indicator_period_end_timestamp_seconds{"),
        instant("2026-06-30T22:00:00Z")
    );
    assert_eq!(
        sample(&collector, "jobindsats_indicator_source_update_timestamp_seconds{"),
        instant("2026-07-26T22:00:00Z")
    );
}

#[tokio::test]
async fn numbers_are_the_shortest_that_read_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let rate = fake::definition(json!({ "quantity": "percent", "measure": "m_1", "levels": ["country"] }));
    let (source, clock, collector) = fake::collector(&[rate], folder.path());
    for (percent, text) in
        [(2.9, "0.029"), (0.7, "0.007"), (12.3, "0.123"), (58.1, "0.581"), (100.0, "1"), (0.0, "0")]
    {
        source.change(|databank| databank.cells.insert((COUNTRY, "2026M06"), Some(percent)));
        clock.advance(std::time::Duration::from_secs(25 * 3600));
        collector.refresh("personer").await;
        let line = lines(&collector, "jobindsats_country_ratio").remove(0);
        assert_eq!(line.rsplit(' ').next(), Some(text));
    }
}
