//! Recorded conversations with real clients: their requests byte for byte, and what the answers must be. One file each.
//!
//! A conversation uses one keep-alive connection. Exchanges are separated by a line of dashes; each has three parts with blank lines
//! between: the request as it is sent, the status line and headers that the answer must have exactly once, and checks of the body.
//! `{host}` is the service's address, `{next}` the next link of the answer before; what stands for a password or a key is beside the test.
//!
//! | check | holds if |
//! |---|---|
//! | `starts …`, `has …`, `ends …` | the unpacked body does so |
//! | `rows n` | the body is a collection of n rows |
//! | `next page` / `last page` | there is a next link below the service / there is none |
//! | `digits` | the body is a number and nothing else |
//! | `columns A, B` | every row has these columns and no others, nulls included |
//! | `empty` | there is no body |

use std::path::Path;

use serde_json::json;

use crate::support::app::{App, AppOptions};
use crate::support::issuer::{AUTHORIZE, FakeIssuer, Organisation};
use crate::support::signed_in::{PASSWORD, SignedIn, basic};
use crate::support::wire::{Wire, WireAnswer};

#[actix_web::test]
async fn power_query_opens_a_table_and_loads_it_page_by_page() {
    replay("power-query-table.txt").await;
}

#[actix_web::test]
async fn power_query_opens_the_catalogue_and_loads_a_set() {
    replay("power-query-catalogue.txt").await;
}

#[actix_web::test]
async fn power_query_folds_its_steps_into_options() {
    replay("power-query-folding.txt").await;
}

#[actix_web::test]
async fn power_query_opens_columns_that_lead_to_other_rows() {
    replay("power-query-navigation.txt").await;
}

#[actix_web::test]
async fn power_query_is_understood_however_it_spells() {
    replay("power-query-spellings.txt").await;
}

#[actix_web::test]
async fn power_query_gets_errors_as_a_sentence() {
    replay("power-query-errors.txt").await;
}

#[actix_web::test]
async fn power_query_signs_in_with_a_password_or_a_key_and_follows_next_links() {
    let signed = SignedIn::with(|options| options.settings.page_rows = 400).await;
    let secrets = [
        ("{password}", basic("anne", PASSWORD.as_bytes())),
        ("{wrong}", basic("anne", b"forkert kode")),
        ("{key as password}", basic("", signed.key.as_bytes())),
        ("{key}", signed.key.clone()),
    ];
    replay_with(&signed.app, "power-query-sign-in.txt", &secrets).await;
}

#[actix_web::test]
async fn power_query_signs_in_with_the_account_of_the_organisation() {
    let organisation =
        Organisation::with(FakeIssuer::start().await, |options| options.settings.page_rows = 400).await;
    let secrets = [
        ("{authorize}", AUTHORIZE.to_owned()),
        ("{token}", organisation.issuer.token(json!({}))),
        ("{expired}", organisation.issuer.token(json!({"exp": 0}))),
    ];
    replay_with(&organisation.signed.app, "power-query-account.txt", &secrets).await;
}

async fn replay(file: &str) {
    let mut options = AppOptions::default();
    options.settings.page_rows = 400;
    replay_with(&App::with(options).await, file, &[]).await;
}

async fn replay_with(app: &App, file: &str, secrets: &[(&str, String)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let conversation = std::fs::read_to_string(path).unwrap();
    let mut wire = Wire::open(app.service.address).await;
    let mut next = String::new();
    let exchanges: Vec<&str> = conversation.split("\n----\n").collect();
    assert!(exchanges.len() > 2, "{file} is no conversation");
    for exchange in exchanges {
        let exchange = exchange.replace("{host}", &wire.host).replace("{next}", &next);
        let exchange = secrets.iter().fold(exchange, |text, (name, secret)| text.replace(name, secret));
        next = exchanged(&mut wire, &exchange).await;
    }
}

/// One exchange; the target of the next link of its answer, if there is one.
async fn exchanged(wire: &mut Wire, exchange: &str) -> String {
    let mut parts = exchange.trim().splitn(3, "\n\n");
    let (request, head, checks) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let answer = wire.send(&format!("{}\r\n\r\n", request.replace('\n', "\r\n"))).await;
    let asked = request.lines().next().unwrap();
    let mut head = head.lines();
    assert_eq!(Some(answer.status_line.as_str()), head.next(), "{asked}: {}", answer.text());
    for line in head {
        let (name, value) = line.split_once(": ").unwrap();
        assert_eq!(answer.all(name), [value], "{asked}: {name}");
    }
    assert!(answer.complete, "{asked}: the body was cut off");
    for check in checks.lines() {
        assert!(holds(check, &answer, &wire.host), "{asked}: {check}\n{}", excerpt(&answer));
    }
    next_target(&answer, &wire.host).unwrap_or_default()
}

fn holds(check: &str, answer: &WireAnswer, host: &str) -> bool {
    let (kind, rest) = check.split_once(' ').unwrap_or((check, ""));
    match kind {
        "starts" => answer.text().starts_with(rest),
        "has" => answer.text().contains(rest),
        "ends" => answer.text().ends_with(rest),
        "rows" => rows(answer).len() == rest.parse::<usize>().unwrap(),
        "next" => next_target(answer, host).is_some(),
        "last" => answer.json().get("@odata.nextLink").is_none(),
        "digits" => !answer.body.is_empty() && answer.text().bytes().all(|byte| byte.is_ascii_digit()),
        "columns" => {
            let columns: Vec<&str> = rest.split(", ").collect();
            let whole = |row: &serde_json::Value| {
                let row = row.as_object().unwrap();
                row.len() == columns.len() && columns.iter().all(|column| row.contains_key(*column))
            };
            !rows(answer).is_empty() && rows(answer).iter().all(whole)
        }
        "empty" => answer.body.is_empty(),
        _ => panic!("`{check}` is no check"),
    }
}

fn rows(answer: &WireAnswer) -> Vec<serde_json::Value> {
    answer.json()["value"].as_array().unwrap().clone()
}

/// The next link, an absolute URL that clients request unchanged.
fn next_target(answer: &WireAnswer, host: &str) -> Option<String> {
    if !answer.header("Content-Type").starts_with("application/json") || answer.body.is_empty() {
        return None;
    }
    let link = answer.json()["@odata.nextLink"].as_str()?.to_owned();
    let target = link.strip_prefix(&format!("http://{host}"));
    assert!(target.is_some_and(|target| target.starts_with("/odata/")), "{link}");
    target.map(str::to_owned)
}

fn excerpt(answer: &WireAnswer) -> String {
    let text = answer.text();
    let ends: Vec<char> = text.chars().collect();
    if ends.len() < 3000 {
        return text;
    }
    let head: String = ends[..1500].iter().collect();
    let tail: String = ends[ends.len() - 1000..].iter().collect();
    format!("{head} … {tail}")
}
