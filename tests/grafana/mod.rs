//! Dashboards and alert rules use only existing metrics and labels, and keep the project's rules for layout.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jobindsats_bridge::budget::hourly::HourlyBudget;
use jobindsats_bridge::budget::{Resource, Share};
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::indicators::definition::Definitions;
use jobindsats_bridge::indicators::quantity::{AreaLevel, BaseUnit};
use jobindsats_bridge::observe::metrics::Metrics;
use serde_json::{Value, json};

use crate::indicators::fake;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana")
}

fn dashboards() -> Vec<(String, Value)> {
    let files = fs::read_dir(folder().join("dashboards")).unwrap().map(|file| file.unwrap().path());
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
    };
    files.map(read).collect()
}

fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter()
}

fn figure_panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    panels(dashboard).filter(|panel| panel["type"] != "row")
}

fn targets(panel: &Value) -> impl Iterator<Item = &Value> {
    panel["targets"].as_array().unwrap().iter()
}

/// Every query of dashboards, their variables and alert rules, with the place that it stands in.
fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for (name, dashboard) in dashboards() {
        for panel in figure_panels(&dashboard) {
            let place = format!("{name}, {}", panel["title"]);
            queries.extend(targets(panel).map(|it| (place.clone(), it["expr"].as_str().unwrap().to_owned())));
        }
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            if let Some(query) = variable["query"]["query"].as_str() {
                queries.push((format!("{name}, {}", variable["name"]), query.to_owned()));
            }
        }
    }
    let rules = fs::read_to_string(folder().join("provisioning/alerting/rules.yaml")).unwrap();
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: '")?.strip_suffix('\''));
    queries.extend(alerts.map(|expr| ("rules.yaml".to_owned(), expr.to_owned())));
    queries
}

/// Names of metrics in a query: words before a brace, and those in a pattern for `__name__`.
fn metric_names(query: &str) -> BTreeSet<&str> {
    let words = query.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| ["jobindsats_", "process_"].iter().any(|start| word.starts_with(start))).collect()
}

/// The quoted value of a label in a query, if it is matched exactly.
fn label<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split_once(&format!("{name}=\""))?.1.split_once('"').map(|(value, _)| value)
}

fn scraped_names() -> BTreeSet<String> {
    let metrics = Metrics::new("1", "a").unwrap();
    metrics.upstream_call("data", "200", Duration::ZERO);
    metrics.http_request(None, "GET", 200, Duration::ZERO);
    let budget = HourlyBudget::new(Resource::UpstreamCalls, Share::Everybody, 1, Clock::default());
    metrics.budgets(&[Arc::new(budget)]);
    let folder = tempfile::tempdir().unwrap();
    let (_, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    futures_util::FutureExt::now_or_never(collector.refresh("personer")).unwrap();
    let both = [metrics.render(), collector.published().rendered.text.to_vec()].concat();
    let text = String::from_utf8(both).unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// The families that hold figures, and the base unit of each.
fn figure_families() -> BTreeMap<String, Option<BaseUnit>> {
    let mut families = BTreeMap::new();
    for level in AreaLevel::ALL.map(AreaLevel::word) {
        for unit in BaseUnit::ALL {
            families.insert(format!("jobindsats_{level}_{}", unit.suffix()), Some(unit));
            families.insert(format!("jobindsats_history_{level}_{}", unit.suffix()), Some(unit));
        }
        for history in ["", "history_"] {
            families.insert(format!("jobindsats_{history}{level}_change_ratio"), None);
            let points = format!("jobindsats_{history}{level}_change_points");
            families.insert(points, Some(BaseUnit::Ratio));
        }
    }
    families
}

#[test]
fn every_metric_that_is_named_exists_and_holds_the_indicator_that_is_asked_of_it() {
    let (scraped, families) = (scraped_names(), figure_families());
    let definitions = Definitions::built_in(20_000).unwrap();
    let mut named = BTreeSet::new();
    for (place, query) in queries() {
        let indicator = label(&query, "indicator").filter(|it| !it.starts_with('$'));
        let definition = indicator.map(|id| {
            let found = definitions.iter().find(|one| one.id.as_str() == id);
            found.unwrap_or_else(|| panic!("{place}: no indicator {id}"))
        });
        for name in metric_names(&query) {
            let pattern = query.contains(&format!("{name}(")) || name.ends_with('_');
            let Some(unit) = families.get(name).copied().filter(|_| !pattern) else {
                let known =
                    scraped.contains(name) || pattern && families.keys().any(|it| it.starts_with(name));
                assert!(known, "{place}: no scrape shows {name}");
                continue;
            };
            named.insert(name.to_owned());
            if let (Some(unit), Some(definition)) = (unit, definition) {
                assert_eq!(definition.quantity.base(), unit, "{place}: {name} never holds {}", definition.id);
            }
        }
    }
    assert!(named.len() > 8, "the queries were not read: {named:?}");
}

/// Indicators of the operator's own may have other areas and units than the built-in ones.
#[test]
fn the_areas_to_choose_from_are_those_of_the_chosen_indicator() {
    let (_, query) =
        queries().into_iter().find(|(place, _)| place == "indicator.json, \"area_code\"").unwrap();
    let (_, pattern) = query.split_once("__name__=~\"").unwrap();
    let (pattern, others) = pattern.split_once('"').unwrap();
    assert_eq!(others, ",source=\"$source\",indicator=\"$indicator\"}))");
    let pattern = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
    for unit in BaseUnit::ALL {
        for level in [AreaLevel::Region, AreaLevel::Municipality] {
            let family = format!("jobindsats_{}_{}", level.word(), unit.suffix());
            assert!(pattern.is_match(&family), "{family}");
        }
    }
}

#[test]
fn dashboards_are_fixed_and_found_by_a_name_of_their_own() {
    let all = dashboards();
    assert_eq!(all.len(), 3);
    for key in ["uid", "title"] {
        let different: BTreeSet<_> = all.iter().map(|(_, it)| it[key].as_str().unwrap()).collect();
        assert_eq!(different.len(), all.len(), "a {key} occurs twice");
    }
    let uids: BTreeSet<_> = all.iter().map(|(_, it)| it["uid"].as_str().unwrap()).collect();
    for (name, dashboard) in &all {
        assert_eq!(dashboard["schemaVersion"], 42, "{name}");
        assert_eq!(dashboard["editable"], false, "{name}");
        assert_eq!(dashboard["timezone"], "Europe/Copenhagen", "{name}");
        assert_eq!(dashboard["weekStart"], "monday", "{name}");
        for link in dashboard["links"].as_array().unwrap() {
            let uid = link["url"].as_str().unwrap().strip_prefix("/d/").unwrap();
            assert!(uids.contains(uid) && dashboard["uid"] != uid, "{name} links to {uid}");
        }
    }
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit_from_the_chosen_data_source() {
    let chosen = json!({ "type": "prometheus", "uid": "${datasource}" });
    for (name, dashboard) in dashboards() {
        for panel in figure_panels(&dashboard) {
            let place = format!("{name}, panel {}", panel["id"]);
            for key in ["title", "description"] {
                assert!(panel[key].as_str().is_some_and(|text| !text.is_empty()), "{place} has no {key}");
            }
            let description = panel["description"].as_str().unwrap();
            assert!(description.ends_with('.'), "{place}: a description is a sentence");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{place} has no unit");
            assert_eq!(panel["datasource"], chosen, "{place}");
            assert!(targets(panel).count() > 0, "{place} asks nothing");
            assert!(targets(panel).all(|target| target["datasource"] == chosen), "{place}");
            let different: BTreeSet<_> =
                targets(panel).map(|target| target["refId"].as_str().unwrap()).collect();
            assert_eq!(different.len(), targets(panel).count(), "{place}: a refId occurs twice");
        }
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            let fits = variable["type"] == "datasource"
                || variable["datasource"] == chosen && variable["refresh"] == 2;
            assert!(fits, "{name}, {}", variable["name"]);
        }
    }
}

#[test]
fn panels_have_a_place_and_an_id_of_their_own() {
    for (name, dashboard) in dashboards() {
        let ids: BTreeSet<_> = panels(&dashboard).map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels(&dashboard).count(), "{name}: an id occurs twice");
        let mut taken = BTreeSet::new();
        for panel in panels(&dashboard) {
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{name}, {} is too wide", panel["title"]);
            for place in
                (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
            {
                assert!(taken.insert(place), "{name}, {} lies over another panel", panel["title"]);
            }
        }
    }
}

#[test]
fn counters_are_read_by_their_rise_and_the_process_by_its_job() {
    for (place, query) in queries() {
        for name in metric_names(&query)
            .into_iter()
            .filter(|name| name.ends_with("_total") || name.ends_with("_bucket"))
        {
            let risen =
                ["rate(", "increase("].iter().any(|function| query.contains(&format!("{function}{name}")));
            assert!(risen, "{place}: {name} outside rate and increase");
        }
        let chosen_by_grafana =
            |rest: &str| ["$__rate_interval]", "$__range]"].iter().any(|it| rest.starts_with(it));
        let interval = query.split('[').skip(1).all(chosen_by_grafana);
        assert!(interval || place == "rules.yaml", "{place}: an interval that Grafana does not choose");
        if query.contains("jobindsats_bridge_") || query.contains("process_") {
            assert!(query.contains("job=\"jobindsats-bridge\""), "{place}: whose process?");
        }
    }
}

#[test]
fn prometheus_asks_a_bridge_with_users_as_it_asks_an_open_one_but_with_the_password() {
    let read = |name: &str| fs::read_to_string(folder().join("prometheus").join(name)).unwrap();
    let with_password = read("prometheus.users.yml");
    let (signing_in, others): (Vec<_>, Vec<_>) =
        with_password.lines().partition(|line| line.trim_start().starts_with("basic_auth: "));
    assert_eq!(others, read("prometheus.yml").lines().collect::<Vec<_>>());
    assert_eq!(signing_in.len(), with_password.matches("bridge:8080").count());
}

#[test]
fn history_is_asked_for_with_the_source_that_remote_read_needs() {
    let with_history: Vec<_> =
        queries().into_iter().filter(|(_, it)| it.contains("jobindsats_history_")).collect();
    assert!(with_history.len() >= 6);
    for (place, query) in with_history {
        assert_eq!(label(&query, "source"), Some("$source"), "{place}");
    }
    let configuration = fs::read_to_string(folder().join("prometheus/prometheus.yml")).unwrap();
    for source in ["jobindsats", "simulator"] {
        assert!(configuration.contains(&format!("source: {source}\n")), "{source}");
    }
}
