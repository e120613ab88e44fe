//! Saved figures: what is served after a restart.

use std::fs;

use jobindsats_bridge::observe::upstream_observer::FailureReason;
use serde_json::json;

use super::fake::{self, lines, sample};

#[tokio::test]
async fn a_restart_while_the_databank_is_silent_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let all = [
        fake::definition(json!({})),
        fake::definition(json!({ "id": "rate", "quantity": "percent", "measure": "m_1" })),
    ];
    let (source, clock, collector) = fake::collector(&all, folder.path());
    source.change(|databank| databank.cells.values_mut().flatten().for_each(|figure| *figure += 0.1));
    collector.refresh("personer").await;
    collector.refresh("rate").await;
    collector.save();

    source.change(|databank| databank.fault = Some(FailureReason::CircuitOpen));
    let restarted = fake::start(&source, &clock, &all, folder.path());
    for family in
        ["jobindsats_municipality", "jobindsats_region", "jobindsats_country", "jobindsats_indicator_period"]
    {
        assert_eq!(lines(&restarted, family), lines(&collector, family), "{family}");
    }
    assert_eq!(sample(&restarted, "jobindsats_indicator_up{indicator=\"personer\"}"), 0.0);
    restarted.refresh("personer").await;
    assert_eq!(lines(&restarted, "jobindsats_country_persons").len(), 1);

    source.change(|databank| databank.fault = None);
    let reads = source.change(|databank| databank.reads);
    assert!(restarted.refresh("personer").await);
    assert_eq!(source.change(|databank| databank.reads), reads, "what is kept is still the newest");
    assert_eq!(sample(&restarted, "jobindsats_indicator_up{indicator=\"personer\"}"), 1.0);
    assert_eq!(sample(&restarted, "jobindsats_indicator_revisions_total{indicator=\"personer\"}"), 0.0);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_no_reason_not_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let (source, clock, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    collector.refresh("personer").await;
    collector.save();
    let file = folder.path().join("simulator/indicators.json");
    let whole = fs::read_to_string(&file).unwrap();
    let newer = whole.replacen("\"version\":1", "\"version\":2", 1);
    let digit = whole.rfind(|letter: char| letter.is_ascii_digit()).unwrap();
    let flipped = format!(
        "{}{}{}",
        &whole[..digit],
        if &whole[digit..=digit] == "7" { "8" } else { "7" },
        &whole[digit + 1..]
    );
    for spoilt in ["", "{", &whole[..whole.len() / 2], &newer, &flipped] {
        fs::write(&file, spoilt).unwrap();
        let restarted = fake::start(&source, &clock, &[fake::definition(json!({}))], folder.path());
        assert_eq!(lines(&restarted, "jobindsats_country").len(), 0);
        assert!(restarted.refresh("personer").await);
        restarted.save();
        let again = fake::start(&source, &clock, &[fake::definition(json!({}))], folder.path());
        assert_eq!(lines(&again, "jobindsats_country").len(), 3, "the next start finds a good file");
    }
}

#[tokio::test]
async fn nothing_is_written_twice_and_no_half_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    let file = folder.path().join("simulator/indicators.json");
    collector.save();
    assert!(!file.exists(), "nothing is known yet");
    collector.refresh("personer").await;
    collector.save();
    fs::remove_file(&file).unwrap();
    collector.save();
    assert!(!file.exists(), "nothing has changed since");
    collector.refresh("personer").await;
    collector.save();
    let names: Vec<_> =
        fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["indicators.json"]);
}

#[tokio::test]
async fn a_changed_definition_does_not_take_over_kept_figures() {
    let folder = tempfile::tempdir().unwrap();
    let (source, clock, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    collector.refresh("personer").await;
    collector.save();
    let changed = fake::definition(json!({ "measure": "m_3" }));
    let restarted = fake::start(&source, &clock, &[changed], folder.path());
    assert_eq!(lines(&restarted, "jobindsats_country").len(), 0);
}
