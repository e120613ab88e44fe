//! Settings: environment variables, read once when the program starts. A wrong one stops it with an error that names the variable
//! and what was expected; the value of a secret is never shown.
//!
//! Each prefix is read into one flat struct. An empty variable counts as unset, because compose files pass unset ones that way.

pub mod described;
pub mod key;
pub mod redact;
pub mod redis;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use reqwest::header::HeaderName;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use thiserror::Error;
use tracing_subscriber::EnvFilter;

use crate::budget::client::TrustedProxies;
use crate::error::{closest, did_you_mean};
use crate::settings::described::DESCRIBED;
use crate::settings::key::{ApiKey, InvalidKey, KeyFileError};
use crate::settings::redis::RedisUrl;

/// The bytes of a megabyte: sizes are set in megabytes.
pub const MEGABYTE: u64 = 1024 * 1024;

/// The largest number that makes sense where nothing smaller does.
const MANY: u64 = 1_000_000_000_000;

/// The one setting whose name is not ours.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    pub bridge: BridgeSettings,
    pub upstream: UpstreamSettings,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: where traces go. Other variables of OpenTelemetry are read by its own library.
    pub collector: Option<String>,
}

/// The `BRIDGE_` settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct BridgeSettings {
    /// `BRIDGE_LISTEN`
    pub listen: SocketAddr,
    /// `BRIDGE_PUBLIC_URL`; without a slash at its end.
    pub public_url: Option<String>,
    /// `BRIDGE_DATA_DIR`
    pub data_dir: PathBuf,
    /// `BRIDGE_CELL_LIMIT`, cells
    pub cell_limit: u64,
    /// `BRIDGE_UPSTREAM_CONCURRENCY`, requests
    pub upstream_concurrency: usize,
    /// `BRIDGE_UPSTREAM_TIMEOUT_SECONDS`
    pub upstream_timeout_seconds: u64,
    /// `BRIDGE_ANSWER_SECONDS`
    pub answer_seconds: u64,
    /// `BRIDGE_PAGE_ROWS`, rows
    pub page_rows: u64,
    /// `BRIDGE_MAX_ROWS`, rows
    pub max_rows: u64,
    /// `BRIDGE_MEMORY_MB`, megabytes
    pub memory_mb: usize,
    /// `BRIDGE_ANSWERS_MB`, megabytes
    pub answers_mb: u64,
    /// `BRIDGE_DISK_MB`, megabytes
    pub disk_mb: u64,
    /// `BRIDGE_FILE_MB`, megabytes
    pub file_mb: u64,
    /// `BRIDGE_CONNECTIONS`
    pub connections: usize,
    /// `BRIDGE_CONNECTIONS_PER_CLIENT`
    pub connections_per_client: usize,
    /// `BRIDGE_UPSTREAM_CALLS_PER_HOUR`
    pub upstream_calls_per_hour: Option<u64>,
    /// `BRIDGE_UPSTREAM_CELLS_PER_HOUR`
    pub upstream_cells_per_hour: Option<u64>,
    /// `BRIDGE_CLIENT_CALLS_PER_HOUR`
    pub client_calls_per_hour: Option<u64>,
    /// `BRIDGE_CLIENT_CELLS_PER_HOUR`
    pub client_cells_per_hour: Option<u64>,
    /// `BRIDGE_TRUSTED_PROXIES`
    pub trusted_proxies: TrustedProxies,
    /// `BRIDGE_USER_HEADER`
    #[serde(deserialize_with = "own_header")]
    pub user_header: Option<HeaderName>,
    /// `BRIDGE_USERS_FILE`
    pub users_file: Option<PathBuf>,
    /// `BRIDGE_TOKEN_ISSUER`, letter by letter as tokens name it
    pub token_issuer: Option<String>,
    /// `BRIDGE_TOKEN_AUDIENCE`
    pub token_audience: Vec<String>,
    /// `BRIDGE_OPEN`
    #[serde(deserialize_with = "switch")]
    pub open: bool,
    /// `BRIDGE_METRICS_PASSWORD_FILE`
    pub metrics_password_file: Option<PathBuf>,
    /// `BRIDGE_CORS_ORIGINS`, as browsers send them
    pub cors_origins: Vec<String>,
    /// `BRIDGE_READY_TABLES`, in lower case
    pub ready_tables: Vec<String>,
    /// `BRIDGE_SERIES_LIMIT`, series
    pub series_limit: usize,
    /// `BRIDGE_LOG`
    pub log: String,
    /// `BRIDGE_LOG_FORMAT`
    pub log_format: LogFormat,
    /// `BRIDGE_ACCESS_LOG`
    pub access_log: AccessFormat,
    /// `BRIDGE_INDICATORS`
    pub indicators: Option<PathBuf>,
    /// `BRIDGE_REDIS_URL`
    pub redis_url: Option<RedisUrl>,
    /// `BRIDGE_PEERS`, bridges
    pub peers: usize,
}

impl Default for BridgeSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            data_dir: PathBuf::from("./bridge-data"),
            cell_limit: 200_000,
            upstream_concurrency: 2,
            upstream_timeout_seconds: 120,
            answer_seconds: 50,
            page_rows: 50_000,
            max_rows: 5_000_000,
            memory_mb: 512,
            answers_mb: 512,
            disk_mb: 2048,
            file_mb: 256,
            connections: 4096,
            connections_per_client: 1024,
            upstream_calls_per_hour: None,
            upstream_cells_per_hour: None,
            client_calls_per_hour: None,
            client_cells_per_hour: None,
            trusted_proxies: TrustedProxies::default(),
            user_header: None,
            users_file: None,
            token_issuer: None,
            token_audience: Vec::new(),
            open: false,
            metrics_password_file: None,
            cors_origins: Vec::new(),
            ready_tables: Vec::new(),
            series_limit: 20_000,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            access_log: AccessFormat::Off,
            indicators: None,
            redis_url: None,
            peers: 2,
        }
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    /// An object on each line.
    Json,
}

/// How the access log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessFormat {
    Off,
    Text,
    Json,
}

/// The `JOBINDSATS_` settings but for the key.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
struct ApiSettings {
    api_url: Option<String>,
}

/// Which upstream is asked, and with which key.
#[derive(Debug, Clone)]
pub enum UpstreamSettings {
    /// No key: the program's own simulator.
    Simulator,
    Api {
        url: String,
        key: ApiKey,
        /// The file that the key stands in, if it stands in one.
        key_file: Option<PathBuf>,
    },
}

/// Why the settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    #[error("{variable}: {message}")]
    Wrong { variable: String, message: String },
    #[error("{variable} is not a setting of this program{}", did_you_mean(suggestion))]
    Unknown { variable: String, suggestion: Option<String> },
    #[error(
        "BRIDGE_OPEN=1 and BRIDGE_USERS_FILE are both set; keep one: either everybody may read, or the users may"
    )]
    OpenWithUsers,
    #[error(
        "BRIDGE_USER_HEADER: set BRIDGE_TRUSTED_PROXIES to the proxies that may send it, and BRIDGE_USERS_FILE to the users who may read"
    )]
    HeaderAlone,
    #[error(
        "BRIDGE_TOKEN_ISSUER and BRIDGE_TOKEN_AUDIENCE: set both, and BRIDGE_USERS_FILE to the file with the groups that may read"
    )]
    TokensAlone,
    #[error("JOBINDSATS_API_KEY and JOBINDSATS_API_KEY_FILE are both set; keep one")]
    TwoKeys,
    #[error("JOBINDSATS_API_KEY_FILE: {0}")]
    KeyFile(#[from] KeyFileError),
    #[error("{variable}: {source}")]
    BadKey { variable: &'static str, source: InvalidKey },
    #[error(
        "JOBINDSATS_API_URL is set, but no key is: set JOBINDSATS_API_KEY or JOBINDSATS_API_KEY_FILE, or remove it"
    )]
    UrlWithoutKey,
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// When a setting is wrong or unknown.
    pub fn from_env() -> Result<Self, SettingsError> {
        let variables = std::env::vars_os();
        let readable = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let mut texts = Vec::new();
        for (name, value) in readable.filter(|(name, _)| is_ours(name)) {
            let message = || "the value is not valid UTF-8".to_owned();
            let value = value
                .into_string()
                .map_err(|_| SettingsError::Wrong { variable: name.clone(), message: message() })?;
            texts.push((name, value));
        }
        Self::from_variables(texts)
    }

    /// Reads settings from pairs of name and value.
    ///
    /// # Errors
    /// When a setting is wrong or unknown.
    pub fn from_variables(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let set: BTreeMap<String, String> =
            variables.into_iter().filter(|(name, value)| is_ours(name) && !value.is_empty()).collect();
        check_names(&set)?;
        let bridge: BridgeSettings = read("BRIDGE_", &set)?;
        let api: ApiSettings = read("JOBINDSATS_", &set)?;
        let bridge = checked(bridge)?;
        let upstream = upstream(api.api_url, key(&set)?)?;
        let collector = set.get(COLLECTOR).map(|url| url_root(COLLECTOR, url)).transpose()?;
        Ok(Self { bridge, upstream, collector })
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with("BRIDGE_") || name.starts_with("JOBINDSATS_") || name == COLLECTOR
}

fn check_names(set: &BTreeMap<String, String>) -> Result<(), SettingsError> {
    for variable in set.keys() {
        if !DESCRIBED.iter().any(|described| described.variable == variable) {
            let suggestion = closest(variable, DESCRIBED.iter().map(|described| described.variable));
            return Err(SettingsError::Unknown { variable: variable.clone(), suggestion });
        }
    }
    Ok(())
}

/// Reads one prefix. Each variable is tried alone first, so that an error names its variable.
fn read<T: for<'de> Deserialize<'de>>(
    prefix: &str,
    set: &BTreeMap<String, String>,
) -> Result<T, SettingsError> {
    let secret = |name: &str| name.starts_with("JOBINDSATS_API_KEY");
    let of_prefix = || set.iter().filter(|(name, _)| name.starts_with(prefix) && !secret(name));
    for (name, value) in of_prefix() {
        let alone = [(name.clone(), value.clone())];
        envy::prefixed(prefix).from_iter::<_, T>(alone).map_err(|_| wrong(name, &expected(name)))?;
    }
    let all = of_prefix().map(|(name, value)| (name.clone(), value.clone()));
    envy::prefixed(prefix).from_iter(all).map_err(|error| wrong(prefix, &error.to_string()))
}

/// A setting that is on or off.
fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match String::deserialize(deserializer)?.trim() {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        other => Err(D::Error::custom(format!("{other:?} is neither 1 nor 0"))),
    }
}

/// The name of a header that has no meaning of its own in HTTP or for this program, so that no client sends it and it can be taken away.
fn own_header<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HeaderName>, D::Error> {
    const TAKEN: [&str; 17] = [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "isolation",
        "origin",
        "prefer",
        "range",
        "traceparent",
        "transfer-encoding",
        "user-agent",
        "x-request-id",
    ];
    const TAKEN_WITH_THIS_BEGINNING: [&str; 6] =
        ["accept", "access-control-", "if-", "odata-", "proxy-", "x-forwarded-for"];
    let text = String::deserialize(deserializer)?;
    let header = HeaderName::from_bytes(text.trim().as_bytes()).map_err(D::Error::custom)?;
    let name = header.as_str();
    if TAKEN.contains(&name) || TAKEN_WITH_THIS_BEGINNING.iter().any(|taken| name.starts_with(taken)) {
        return Err(D::Error::custom(format!("{name} has a meaning of its own")));
    }
    Ok(Some(header))
}

fn wrong(variable: &str, message: &str) -> SettingsError {
    SettingsError::Wrong { variable: variable.to_owned(), message: message.to_owned() }
}

/// What a setting takes, with an example.
fn expected(variable: &str) -> String {
    let text = match variable {
        "BRIDGE_LISTEN" => {
            "an IP address and a port, such as 127.0.0.1:8080, or 0.0.0.0:8080 for every address of this machine"
        }
        "BRIDGE_PUBLIC_URL" => "an address without blanks and query, such as https://tal.kommune.example",
        "JOBINDSATS_API_URL" => "an address without blanks and query, such as https://api.jobindsats.dk/v3",
        "BRIDGE_TRUSTED_PROXIES" => {
            "addresses and networks with commas between, such as 10.0.0.5,172.16.0.0/12"
        }
        "BRIDGE_USER_HEADER" => {
            "a header that no client needs to send and the proxy sets, such as X-Forwarded-User"
        }
        "BRIDGE_TOKEN_ISSUER" => {
            "the iss of its tokens, an address with https, such as https://sts.windows.net/7b3c0c4e-0000-4000-8000-000000000001/"
        }
        "BRIDGE_TOKEN_AUDIENCE" => {
            "what is in the aud of its tokens, with commas between, such as https://tal.kommune.example"
        }
        "BRIDGE_OPEN" => "1 or 0",
        "BRIDGE_CORS_ORIGINS" => {
            "origins with commas between, each with scheme, host and port alone, such as https://tal.kommune.example"
        }
        "BRIDGE_REDIS_URL" => "an address such as redis://:password@redis.example:6379/0",
        "BRIDGE_READY_TABLES" => "ids of tables with commas between, such as y25i01,y30r21",
        "BRIDGE_LOG_FORMAT" => "text or json",
        "BRIDGE_ACCESS_LOG" => "off, text or json",
        COLLECTOR => {
            "the address of an OpenTelemetry collector without blanks and query, such as http://127.0.0.1:4318"
        }
        "BRIDGE_LOG" => "a level or a filter, such as info or info,jobindsats_bridge=debug",
        _ => return format!("expected a whole number from 1 to {}", most(variable)),
    };
    format!("expected {text}")
}

fn checked(mut bridge: BridgeSettings) -> Result<BridgeSettings, SettingsError> {
    for (variable, number, most) in numbers(&bridge) {
        if !(1..=most).contains(&number) {
            return Err(wrong(variable, &expected(variable)));
        }
    }
    if !is_filter(&bridge.log) {
        return Err(wrong("BRIDGE_LOG", &expected("BRIDGE_LOG")));
    }
    if bridge.open && bridge.users_file.is_some() {
        return Err(SettingsError::OpenWithUsers);
    }
    let is_alone = bridge.trusted_proxies == TrustedProxies::default() || bridge.users_file.is_none();
    if bridge.user_header.is_some() && is_alone {
        return Err(SettingsError::HeaderAlone);
    }
    check_tokens(&mut bridge)?;
    bridge.cors_origins = bridge.cors_origins.iter().map(|text| origin(text)).collect::<Result<_, _>>()?;
    bridge.ready_tables = table_ids(&bridge.ready_tables)
        .ok_or_else(|| wrong("BRIDGE_READY_TABLES", &expected("BRIDGE_READY_TABLES")))?;
    bridge.public_url = bridge.public_url.map(|url| url_root("BRIDGE_PUBLIC_URL", &url)).transpose()?;
    Ok(bridge)
}

/// Checks what is set of tokens: all of it or nothing.
fn check_tokens(bridge: &mut BridgeSettings) -> Result<(), SettingsError> {
    const VARIABLE: &str = "BRIDGE_TOKEN_ISSUER";
    let audiences = bridge.token_audience.iter().map(|text| text.trim().to_owned());
    bridge.token_audience = audiences.filter(|text| !text.is_empty()).collect();
    let Some(issuer) = &bridge.token_issuer else {
        return if bridge.token_audience.is_empty() { Ok(()) } else { Err(SettingsError::TokensAlone) };
    };
    let root = url_root(VARIABLE, issuer)?;
    if !reqwest::Url::parse(&root).is_ok_and(|url| is_protected(&url)) {
        return Err(wrong(VARIABLE, &expected(VARIABLE)));
    }
    let is_whole = !bridge.token_audience.is_empty() && bridge.users_file.is_some();
    if is_whole { Ok(()) } else { Err(SettingsError::TokensAlone) }
}

/// Whether nobody on the way can change what is read from an address: it is encrypted, or of this machine.
#[must_use]
pub fn is_protected(url: &reqwest::Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// Whether an address is of this machine.
#[must_use]
pub fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Ids of tables as people list them; `None` if one of them is no id.
#[must_use]
pub fn table_ids(listed: &[String]) -> Option<Vec<String>> {
    let is_id = |id: &String| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let ids: Vec<String> =
        listed.iter().map(|id| id.trim().to_lowercase()).filter(|id| !id.is_empty()).collect();
    ids.iter().all(is_id).then_some(ids)
}

/// Whether a text is a filter of what is logged. A word that is no level would silence everything else.
fn is_filter(text: &str) -> bool {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let is_known = |part: &str| {
        let word = part.trim().to_ascii_lowercase();
        levels.contains(&word.as_str()) || part.contains(['=', ':', '[', '_'])
    };
    EnvFilter::try_new(text).is_ok() && text.split(',').all(is_known)
}

/// The largest value of a setting that is a number.
fn most(variable: &str) -> u64 {
    let every = BridgeSettings::default();
    let found = numbers(&every).into_iter().find(|(name, ..)| *name == variable);
    found.map_or(MANY, |(_, _, most)| most)
}

/// Every setting that is a number, with the largest one that makes sense: beyond it something would overflow sooner or later.
fn numbers(bridge: &BridgeSettings) -> Vec<(&'static str, u64, u64)> {
    const DAY: u64 = 24 * 3600;
    let hourly = [
        ("BRIDGE_UPSTREAM_CALLS_PER_HOUR", bridge.upstream_calls_per_hour),
        ("BRIDGE_UPSTREAM_CELLS_PER_HOUR", bridge.upstream_cells_per_hour),
        ("BRIDGE_CLIENT_CALLS_PER_HOUR", bridge.client_calls_per_hour),
        ("BRIDGE_CLIENT_CELLS_PER_HOUR", bridge.client_cells_per_hour),
    ];
    let hourly = hourly.into_iter().filter_map(|(variable, limit)| Some((variable, limit?, MANY)));
    let others = [
        ("BRIDGE_CELL_LIMIT", bridge.cell_limit, MANY),
        ("BRIDGE_UPSTREAM_CONCURRENCY", bridge.upstream_concurrency as u64, 1000),
        ("BRIDGE_UPSTREAM_TIMEOUT_SECONDS", bridge.upstream_timeout_seconds, DAY),
        ("BRIDGE_ANSWER_SECONDS", bridge.answer_seconds, DAY),
        ("BRIDGE_PAGE_ROWS", bridge.page_rows, MANY),
        ("BRIDGE_MAX_ROWS", bridge.max_rows, MANY),
        ("BRIDGE_MEMORY_MB", bridge.memory_mb as u64, 1_000_000),
        ("BRIDGE_ANSWERS_MB", bridge.answers_mb, 1_000_000),
        ("BRIDGE_DISK_MB", bridge.disk_mb, MANY),
        ("BRIDGE_FILE_MB", bridge.file_mb, 1_000_000),
        ("BRIDGE_CONNECTIONS", bridge.connections as u64, 1_000_000),
        ("BRIDGE_CONNECTIONS_PER_CLIENT", bridge.connections_per_client as u64, 1_000_000),
        ("BRIDGE_SERIES_LIMIT", bridge.series_limit as u64, MANY),
        ("BRIDGE_PEERS", bridge.peers as u64, 100),
    ];
    hourly.chain(others).collect()
}

/// An http or https address without a slash at its end.
fn url_root(variable: &str, text: &str) -> Result<String, SettingsError> {
    let expected = || wrong(variable, &expected(variable));
    // Line breaks, blanks and backslashes are removed or turned round on parsing: what is written would not be what is meant.
    let is_plain = |letter: char| !(letter.is_whitespace() || letter.is_control() || letter == '\\');
    let url = reqwest::Url::parse(text).ok().filter(|_| text.chars().all(is_plain)).ok_or_else(expected)?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    let is_bare = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if is_web && is_bare { Ok(url.as_str().trim_end_matches('/').to_owned()) } else { Err(expected()) }
}

/// An origin as browsers send it. `*` is none: it would let every page read what its reader may.
fn origin(text: &str) -> Result<String, SettingsError> {
    const VARIABLE: &str = "BRIDGE_CORS_ORIGINS";
    let root = url_root(VARIABLE, text.trim())?;
    let origin = reqwest::Url::parse(&root).ok().map(|url| url.origin().ascii_serialization());
    origin.filter(|origin| *origin == root).ok_or_else(|| wrong(VARIABLE, &expected(VARIABLE)))
}

/// The key, and the file that it stands in.
fn key(set: &BTreeMap<String, String>) -> Result<Option<(ApiKey, Option<PathBuf>)>, SettingsError> {
    match (set.get("JOBINDSATS_API_KEY"), set.get("JOBINDSATS_API_KEY_FILE")) {
        (Some(_), Some(_)) => Err(SettingsError::TwoKeys),
        (None, None) => Ok(None),
        (Some(key), None) => {
            let wrong = |source| SettingsError::BadKey { variable: "JOBINDSATS_API_KEY", source };
            Ok(Some((ApiKey::new(key).map_err(wrong)?, None)))
        }
        (None, Some(path)) => {
            let path = PathBuf::from(path);
            Ok(Some((ApiKey::read_file(&path)?, Some(path))))
        }
    }
}

fn upstream(
    url: Option<String>,
    key: Option<(ApiKey, Option<PathBuf>)>,
) -> Result<UpstreamSettings, SettingsError> {
    match (url, key) {
        (None, None) => Ok(UpstreamSettings::Simulator),
        (Some(_), None) => Err(SettingsError::UrlWithoutKey),
        (url, Some((key, key_file))) => {
            let url = url.unwrap_or_else(|| "https://api.jobindsats.dk/v3".to_owned());
            Ok(UpstreamSettings::Api { url: url_root("JOBINDSATS_API_URL", &url)?, key, key_file })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_variables(
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn nothing_set_gives_the_defaults_and_the_simulator() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.bridge, BridgeSettings::default());
        assert!(matches!(settings.upstream, UpstreamSettings::Simulator));
    }

    #[test]
    fn every_described_setting_is_read_and_an_empty_one_is_unset() {
        for described in
            DESCRIBED.iter().filter(|described| !described.variable.starts_with("JOBINDSATS_API_KEY"))
        {
            assert!(settings(&[(described.variable, "")]).is_ok(), "{}", described.variable);
        }
        let read = settings(&[
            ("BRIDGE_PAGE_ROWS", "7"),
            ("BRIDGE_PUBLIC_URL", "https://tal.example/odata/"),
            ("OTHER", "x"),
        ])
        .unwrap();
        assert_eq!(
            (read.bridge.page_rows, read.bridge.public_url.as_deref()),
            (7, Some("https://tal.example/odata"))
        );
    }

    #[test]
    fn wrong_settings_say_what_is_expected_with_an_example() {
        for (variable, value, example) in [
            ("BRIDGE_LISTEN", "8080", "127.0.0.1:8080"),
            ("BRIDGE_LISTEN", "localhost:8080", "127.0.0.1:8080"),
            ("BRIDGE_LISTEN", ":8080", "127.0.0.1:8080"),
            ("BRIDGE_PUBLIC_URL", "https://tal.example/a b", "such as https://tal.kommune.example"),
            ("BRIDGE_PUBLIC_URL", "tal.example", "such as https://tal.kommune.example"),
            ("BRIDGE_LOG", "bogus==", "such as info"),
            ("BRIDGE_LOG", "verbose", "such as info"),
            ("BRIDGE_LOG", "info,jobindsats_bridge=loud", "such as info"),
            ("BRIDGE_LOG_FORMAT", "xml", "text or json"),
            ("BRIDGE_ACCESS_LOG", "yes", "off, text or json"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318", "such as http://127.0.0.1:4318"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:secret@otel.example", "such as http://127.0.0.1:4318"),
            ("BRIDGE_PAGE_ROWS", "mange", "a whole number from 1 to 1000000000000"),
            ("BRIDGE_UPSTREAM_CONCURRENCY", "2,5", "a whole number from 1 to 1000"),
            ("BRIDGE_TRUSTED_PROXIES", "nginx", "such as 10.0.0.5"),
            ("BRIDGE_READY_TABLES", "y25i01;y30r21", "such as y25i01,y30r21"),
            ("BRIDGE_USER_HEADER", "X Bruger", "such as X-Forwarded-User"),
            ("BRIDGE_USER_HEADER", "Authorization", "such as X-Forwarded-User"),
            ("BRIDGE_USER_HEADER", "Accept-Language", "such as X-Forwarded-User"),
            ("BRIDGE_USER_HEADER", "if-none-match", "such as X-Forwarded-User"),
            ("BRIDGE_USER_HEADER", "OData-MaxVersion", "such as X-Forwarded-User"),
            ("BRIDGE_USER_HEADER", "X-Forwarded-For", "such as X-Forwarded-User"),
            ("BRIDGE_USER_HEADER", "User-Agent", "such as X-Forwarded-User"),
            ("BRIDGE_USER_HEADER", "traceparent", "such as X-Forwarded-User"),
            ("BRIDGE_USER_HEADER", "X-Request-Id", "such as X-Forwarded-User"),
            ("BRIDGE_USER_HEADER", "X-Forwarded-User", "set BRIDGE_TRUSTED_PROXIES"),
            ("BRIDGE_CORS_ORIGINS", "*", "such as https://tal.kommune.example"),
            ("BRIDGE_CORS_ORIGINS", "null", "such as https://tal.kommune.example"),
            ("BRIDGE_CORS_ORIGINS", "https://tal.example;https://x.example", "with commas between"),
            ("BRIDGE_CORS_ORIGINS", "https://tal.example,tal.example", "scheme, host and port alone"),
            ("BRIDGE_CORS_ORIGINS", "https://tal.example/side", "scheme, host and port alone"),
            ("BRIDGE_OPEN", "ja", "1 or 0"),
            ("BRIDGE_TOKEN_ISSUER", "http://login.example/", "an address with https"),
            ("BRIDGE_TOKEN_ISSUER", "login.example", "an address with https"),
            ("BRIDGE_TOKEN_ISSUER", "https://login.example/?tenant=1", "an address with https"),
            ("BRIDGE_TOKEN_ISSUER", "https://login.example/", "BRIDGE_TOKEN_AUDIENCE: set both"),
        ] {
            let error = settings(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.starts_with(variable) && error.contains(example), "{variable}={value}: {error}");
        }
        for filter in ["info", "WARN", "off", "info,jobindsats_bridge=debug", "jobindsats_bridge::web=trace"]
        {
            assert!(settings(&[("BRIDGE_LOG", filter)]).is_ok(), "{filter}");
        }
        let read = settings(&[("BRIDGE_READY_TABLES", " Y25I01, ptv_a02,")]).unwrap();
        assert_eq!(read.bridge.ready_tables, ["y25i01", "ptv_a02"]);
        let listed = "https://Tal.example/, http://localhost:3000,https://blåbær.example:443";
        let read = settings(&[("BRIDGE_CORS_ORIGINS", listed)]).unwrap();
        let origins = ["https://tal.example", "http://localhost:3000", "https://xn--blbr-roah.example"];
        assert_eq!(read.bridge.cors_origins, origins);
    }

    #[test]
    fn wrong_settings_name_their_variable() {
        let cases = [
            ("BRIDGE_PAGE_ROWS", "-1"),
            ("BRIDGE_PAGE_ROWS", "0"),
            ("BRIDGE_UPSTREAM_CONCURRENCY", "18446744073709551615"),
            ("BRIDGE_UPSTREAM_TIMEOUT_SECONDS", "18446744073709551615"),
            ("BRIDGE_MEMORY_MB", "18446744073709551615"),
            ("BRIDGE_CONNECTIONS", "0"),
            ("BRIDGE_CLIENT_CALLS_PER_HOUR", "0"),
            ("BRIDGE_UPSTREAM_CELLS_PER_HOUR", "-1"),
            ("BRIDGE_TRUSTED_PROXIES", "10.0.0.0/33"),
            ("BRIDGE_PUBLIC_URL", "https://tal.example\r\nX-Evil: 1"),
            ("BRIDGE_PUBLIC_URL", "https://tal.example/a\tb"),
            ("BRIDGE_PUBLIC_URL", "https://a\\@evil"),
            ("BRIDGE_PUBLIC_URL", "https:\\\\evil"),
            ("BRIDGE_PUBLIC_URL", "https://a b"),
            ("BRIDGE_PUBLIC_URL", " https://tal.example"),
            ("BRIDGE_PUBLIC_URL", "https://user@tal.example"),
            ("BRIDGE_REDIS_URL", "redis.example:6379"),
            ("BRIDGE_REDIS_URL", "https://redis.example"),
            ("BRIDGE_PEERS", "0"),
            ("JOBINDSATS_API_URL", "https://api.jobindsats.dk/v3"),
        ];
        for (variable, value) in cases {
            let error = settings(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.contains(variable), "{variable}={value}: {error}");
        }
        let both = settings(&[("BRIDGE_OPEN", "1"), ("BRIDGE_USERS_FILE", "users")]).unwrap_err();
        assert_eq!(both, SettingsError::OpenWithUsers);
        let header = [("BRIDGE_USER_HEADER", "X-Forwarded-User"), ("BRIDGE_TRUSTED_PROXIES", "10.0.0.5")];
        assert_eq!(settings(&header).unwrap_err(), SettingsError::HeaderAlone, "without users");
        let with_users = settings(&[header[0], header[1], ("BRIDGE_USERS_FILE", "users")]).unwrap();
        assert_eq!(with_users.bridge.user_header, Some(HeaderName::from_static("x-forwarded-user")));
        let tokens = [
            ("BRIDGE_TOKEN_ISSUER", "http://127.0.0.1:9/a/"),
            ("BRIDGE_TOKEN_AUDIENCE", "https://tal.example, api://tal,"),
        ];
        for alone in [&tokens[..1], &tokens[1..], &tokens] {
            assert_eq!(settings(alone).unwrap_err(), SettingsError::TokensAlone, "{alone:?}");
        }
        let with_users = settings(&[tokens[0], tokens[1], ("BRIDGE_USERS_FILE", "users")]).unwrap().bridge;
        assert_eq!(with_users.token_issuer.as_deref(), Some(tokens[0].1), "letter by letter");
        assert_eq!(with_users.token_audience, ["https://tal.example", "api://tal"]);
        let error = settings(&[("BRIDGE_PAGEROWS", "7")]).unwrap_err().to_string();
        assert!(
            error.contains("BRIDGE_PAGEROWS") && error.contains("did you mean `BRIDGE_PAGE_ROWS`"),
            "{error}"
        );
    }

    #[test]
    fn the_key_is_never_shown() {
        let settings = settings(&[
            ("JOBINDSATS_API_KEY", "s3cret-key"),
            ("JOBINDSATS_API_URL", "http://127.0.0.1:1/v3/"),
        ])
        .unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
        for (variable, value) in
            [("JOBINDSATS_API_KEY", "s3cret key"), ("JOBINDSATS_API_KEY_FILE", "/nonexistent/s3cret")]
        {
            let error = Settings::from_variables([(variable.to_owned(), value.to_owned())]).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn a_key_file_is_read_as_a_pasted_key_is_and_excludes_the_key() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        for text in ["abc-4567\n", " Bearer abc-4567\r\n"] {
            std::fs::write(file.path(), text).unwrap();
            match settings(&[("JOBINDSATS_API_KEY_FILE", path)]).unwrap().upstream {
                UpstreamSettings::Api { key, .. } => assert_eq!(key.header().unwrap(), "Bearer abc-4567"),
                UpstreamSettings::Simulator => panic!("the key was not read"),
            }
        }
        std::fs::write(file.path(), "\n").unwrap();
        let error = settings(&[("JOBINDSATS_API_KEY_FILE", path)]).unwrap_err().to_string();
        assert!(error.starts_with("JOBINDSATS_API_KEY_FILE: the file is empty; expected the key"), "{error}");
        assert_eq!(
            settings(&[("JOBINDSATS_API_KEY_FILE", path), ("JOBINDSATS_API_KEY", "x")]).unwrap_err(),
            SettingsError::TwoKeys
        );
    }
}
