//! Signing in: which requests are let in, what the others are told, and what is never repeated.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::sign_in::name::UserName;
use jobindsats_bridge::sign_in::reader::Tables;
use jobindsats_bridge::sign_in::secret::{Key, PasswordHash};
use jobindsats_bridge::sign_in::users_file::{self, Secret};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

use crate::support::app::{Answer, App, AppOptions};

pub const PASSWORD: &str = "rød: grød æ";
pub const SCRAPE_PASSWORD: &str = "kun til Prometheus";

/// A service with users: `anne` with a password reads everything, `bo` with a key two tables, `ingen` with a key one that there is not.
pub struct SignedIn {
    pub app: App,
    pub key: String,
    pub other_key: String,
    pub folder: TempDir,
}

pub fn basic(name: &str, password: &[u8]) -> String {
    format!("Basic {}", STANDARD.encode([name.as_bytes(), b":", password].concat()))
}

fn add_key(path: &Path, name: &str, tables: &str) -> String {
    let (key, tables) = (Key::generate().unwrap(), users_file::read_tables(tables).unwrap());
    users_file::add(path, UserName::new(name).unwrap(), &Secret::Key(Key::of(&key)), &tables).unwrap();
    key.expose_secret().to_owned()
}

fn add_password(path: &Path, name: &str, password: &str) {
    let password: SecretString = password.to_owned().into();
    let secret = Secret::Password(PasswordHash::new(&password).unwrap());
    users_file::add(path, UserName::new(name).unwrap(), &secret, &Tables::All).unwrap();
}

impl SignedIn {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut AppOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (users, metrics) = (folder.path().join("users"), folder.path().join("metrics"));
        add_password(&users, "anne", PASSWORD);
        let key = add_key(&users, "bo", "y25i01,Y30R21");
        let other_key = add_key(&users, "ingen", "y99x99");
        std::fs::write(&metrics, format!("{SCRAPE_PASSWORD}\n")).unwrap();
        let mut options = AppOptions::default();
        options.settings = BridgeSettings {
            users_file: Some(users),
            metrics_password_file: Some(metrics),
            ..options.settings
        };
        change(&mut options);
        Self { app: App::with(options).await, key, other_key, folder }
    }

    pub fn users(&self) -> PathBuf {
        self.folder.path().join("users")
    }

    /// Asks as somebody who has the password.
    pub async fn anne(&self, path: &str) -> Answer {
        self.app.get_with(path, &[("Authorization", &basic("anne", PASSWORD.as_bytes()))]).await
    }

    /// Asks with a key as the password.
    pub async fn keyed(&self, key: &str, path: &str) -> Answer {
        self.app.get_with(path, &[("Authorization", &basic("", key.as_bytes()))]).await
    }
}

#[actix_web::test]
async fn excel_is_asked_for_a_password_and_is_let_in_with_it() {
    let signed = SignedIn::start().await;
    let refused = signed.app.get("/odata/").await;
    assert_eq!((refused.status, refused.code()), (401, "SignInNeeded".to_owned()));
    assert_eq!(refused.header("WWW-Authenticate"), "Basic realm=\"Jobindsats\", charset=\"UTF-8\"");
    let let_in = signed.anne("/odata/").await;
    assert_eq!(let_in.status, 200, "{}", let_in.text());
    assert_eq!(let_in.header("Cache-Control"), "private, no-cache");
    assert!(let_in.headers.get_all("vary").iter().any(|vary| vary == "Authorization"));
    for (name, password) in [("ANNE", PASSWORD), ("anne", "r\u{f8}d: gr\u{f8}d \u{e6}")] {
        let answer =
            signed.app.get_with("/odata/", &[("Authorization", &basic(name, password.as_bytes()))]).await;
        assert_eq!(answer.status, 200, "{name}");
    }
    let latin_1: Vec<u8> = PASSWORD.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    let answer = signed.app.get_with("/odata/", &[("Authorization", &basic("anne", &latin_1))]).await;
    assert_eq!(answer.status, 200, "in Latin-1");
}

#[actix_web::test]
async fn what_is_wrong_is_refused_and_named() {
    let signed = SignedIn::start().await;
    let cyrillic = "\u{430}nne";
    for wrong in [
        basic("anne", b"forkert kode"),
        basic("anne", b""),
        basic("anne", PASSWORD.to_uppercase().as_bytes()),
        basic(cyrillic, PASSWORD.as_bytes()),
        basic("nobody", PASSWORD.as_bytes()),
        basic("bo", PASSWORD.as_bytes()),
        basic("", signed.key.to_lowercase().as_bytes()),
        basic("", signed.key.replace('j', "\u{458}").as_bytes()),
    ] {
        let refused = signed.app.get_with("/odata/", &[("Authorization", &wrong)]).await;
        assert_eq!((refused.status, refused.code()), (401, "SignInRefused".to_owned()), "{wrong}");
        assert!(refused.header("WWW-Authenticate").starts_with("Basic "), "{wrong}");
    }
    for nothing in ["Basic", "Basic %%%", "Basic YW5uZQ==", "Bearer", "Bearer abc", "Negotiate abc", ""] {
        let refused = signed.app.get_with("/odata/", &[("Authorization", nothing)]).await;
        assert_eq!((refused.status, refused.code()), (401, "SignInNeeded".to_owned()), "{nothing}");
    }
    let (right, wrong) = (basic("anne", PASSWORD.as_bytes()), basic("anne", b"forkert kode"));
    let twice = signed.app.get_with("/odata/", &[("Authorization", &right), ("Authorization", &wrong)]).await;
    assert_eq!((twice.status, twice.code()), (400, "AmbiguousSignIn".to_owned()));
    let keys = format!("/odata/?api_key={}&api_key={}", signed.key, signed.other_key);
    assert_eq!(signed.app.get(&keys).await.code(), "AmbiguousSignIn");
}

#[actix_web::test]
async fn a_key_signs_in_as_a_password_and_in_the_address_and_is_never_repeated() {
    let signed = SignedIn::start().await;
    let path = "/odata/jobindsats/y25i01/Landet?$top=3";
    assert_eq!(signed.keyed(&signed.key, path).await.status, 200);
    for address in [format!("{path}&api_key={}", signed.key), format!("{path}&API%5fkey={}", signed.key)] {
        let answer = signed.app.get_with(&address, &[("Prefer", "odata.maxpagesize=1")]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("nextLink"));
        assert!(!answer.text().contains(&signed.key));
        assert!(!answer.text().to_lowercase().contains("api_key"));
    }
    let slashed = signed.app.get(&format!("/nyt/?api_key={}&kommune=751", signed.key)).await;
    assert_eq!(slashed.header("Location"), format!("{}/nyt?kommune=751", signed.app.service.url()));
    let page = signed.app.get_with(&format!("/nyt?api_key={}", signed.key), &[("Accept", "text/html")]).await;
    assert_eq!(page.status, 200);
    assert!(!page.text().contains(&signed.key));
    let auth = basic("", signed.key.as_bytes());
    let headers =
        [("Authorization", auth.as_str()), ("Content-Type", "text/plain"), ("Prefer", "maxpagesize=1")];
    let body = format!("$top=3&api_key={}", signed.key).into_bytes();
    let posted = signed.app.post("/odata/jobindsats/y25i01/Landet/$query", &headers, body).await;
    assert!(posted.status == 200 && posted.text().contains("nextLink"), "{}", posted.text());
    assert!(!posted.text().contains(&signed.key));
    let batch = serde_json::json!({"requests": [{"id": "1", "method": "GET",
        "url": format!("Landet?$top=3&api_key={}", signed.key), "headers": {"Prefer": "maxpagesize=1"}}]});
    let headers = [("Authorization", auth.as_str()), ("Content-Type", "application/json")];
    let answer =
        signed.app.post("/odata/jobindsats/y25i01/$batch", &headers, batch.to_string().into_bytes()).await;
    assert!(answer.status == 200 && answer.text().contains("nextLink"), "{}", answer.text());
    assert!(!answer.text().contains(&signed.key));
}

#[actix_web::test]
async fn people_see_a_page_that_asks_them_to_sign_in() {
    let signed = SignedIn::start().await;
    for path in ["/", "/nyt", "/maaling/y25i01", "/nothing"] {
        let page = signed.app.get_with(path, &[("Accept", "text/html")]).await;
        assert_eq!(page.status, 401, "{path}");
        assert!(page.header("Content-Type").starts_with("text/html"), "{path}");
        assert!(page.header("WWW-Authenticate").starts_with("Basic "), "{path}");
        assert!(page.text().contains("Log ind"), "{path}: {}", page.text());
    }
    for open in ["/healthz", "/readyz", "/healthz/"] {
        assert!([200, 308].contains(&signed.app.get(open).await.status), "{open}");
    }
}

#[actix_web::test]
async fn metrics_have_a_password_of_their_own_however_their_address_is_written() {
    let signed = SignedIn::start().await;
    for path in ["/metrics", "/metrics/indicators", "/%6Detrics", "/metrics/%69ndicators", "//metrics"] {
        for header in [basic("anne", PASSWORD.as_bytes()), basic("", signed.key.as_bytes())] {
            let refused = signed.app.get_with(path, &[("Authorization", &header)]).await;
            assert!(!refused.text().contains("# TYPE"), "{path}");
            assert!([401, 404].contains(&refused.status), "{path} {}", refused.status);
        }
    }
    let scraper = basic("prometheus", SCRAPE_PASSWORD.as_bytes());
    for path in ["/metrics", "/metrics/indicators"] {
        assert_eq!(signed.app.get(path).await.status, 401);
        let scraped = signed.app.get_with(path, &[("Authorization", &scraper)]).await;
        assert!(scraped.status == 200 && scraped.text().contains("# TYPE"), "{path}");
    }
    let read = signed.app.post("/api/v1/read", &[], Vec::new()).await;
    assert_eq!(read.status, 401);
    assert!(read.text().starts_with("Log ind"), "{}", read.text());
    assert_eq!(signed.app.post("/api/v1/read", &[("Authorization", &scraper)], Vec::new()).await.status, 415);
    assert_eq!(signed.app.get_with("/odata/", &[("Authorization", &scraper)]).await.status, 401);
    let closed = SignedIn::with(|options| options.settings.metrics_password_file = None).await;
    let refused = closed.app.get_with("/metrics", &[("Authorization", &scraper)]).await;
    assert_eq!((refused.status, refused.code()), (401, "MetricsClosed".to_owned()));
}

#[actix_web::test]
async fn wrong_guesses_are_few_in_an_hour_and_keep_nobody_else_out() {
    let signed = SignedIn::start().await;
    assert_eq!(signed.anne("/odata/").await.status, 200);
    let same = basic("anne", b"gemt forkert kode");
    for _ in 0..100 {
        let refused = signed.app.get_with("/odata/", &[("Authorization", &same)]).await;
        assert_eq!(refused.status, 401, "a program that repeats one wrong password guesses once");
    }
    let mut statuses = Vec::new();
    for guess in 0..70 {
        let header = basic("x", format!("jb_{guess}").as_bytes());
        statuses.push(signed.app.get_with("/odata/", &[("Authorization", &header)]).await);
    }
    let refused = statuses.last().unwrap();
    assert_eq!((refused.status, refused.code()), (429, "ClientBudgetExhausted".to_owned()));
    assert!(!refused.header("Retry-After").is_empty());
    assert_eq!(signed.anne("/odata/").await.status, 200, "who has signed in stays");
    assert_eq!(signed.keyed(&signed.key, "/odata/").await.status, 200, "keys are not guesses");
    signed.app.clock.advance(Duration::from_secs(62 * 60));
    assert_eq!(signed.anne("/odata/").await.status, 200);
}

#[actix_web::test]
async fn users_are_read_again_and_a_broken_line_changes_nothing() {
    let signed = SignedIn::start().await;
    assert_eq!(signed.anne("/odata/").await.status, 200);
    let right = std::fs::read_to_string(signed.users()).unwrap();
    std::fs::write(signed.users(), format!("{right}eva:hemmelig:*\n")).unwrap();
    let error = signed.app.service.state.sign_in.reload().unwrap_err().to_string();
    assert!(error.contains("line 4: the secret is no argon2 hash"), "{error}");
    assert!(!error.contains("hemmelig"), "{error}");
    assert_eq!(signed.anne("/odata/").await.status, 200);
    std::fs::write(signed.users(), &right).unwrap();
    users_file::remove(&signed.users(), UserName::new("Anne").unwrap()).unwrap();
    signed.app.service.reload().unwrap();
    assert_eq!(signed.anne("/odata/").await.status, 401, "a password is not remembered longer than its user");
    assert_eq!(signed.keyed(&signed.key, "/odata/").await.status, 200);
}
