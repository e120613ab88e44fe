//! What `--help` says of every setting. A variable that is not listed here is refused when settings are read.

use std::fmt::Write as _;

/// What `--help` says of a setting.
#[derive(Debug, Clone, Copy)]
pub struct Described {
    pub variable: &'static str,
    pub default: &'static str,
    pub meaning: &'static str,
}

/// Every setting that this program reads.
pub const DESCRIBED: &[Described] = &[
    Described {
        variable: "JOBINDSATS_API_KEY",
        default: "none",
        meaning: "the organisation's key; without one the simulator answers",
    },
    Described { variable: "JOBINDSATS_API_KEY_FILE", default: "none", meaning: "a file that holds the key" },
    Described {
        variable: "JOBINDSATS_API_URL",
        default: "https://api.jobindsats.dk/v3",
        meaning: "root of the upstream",
    },
    Described {
        variable: "BRIDGE_LISTEN",
        default: "127.0.0.1:8080",
        meaning: "address and port to listen on",
    },
    Described {
        variable: "BRIDGE_PUBLIC_URL",
        default: "from the request's Host",
        meaning: "scheme, host and path for every link given out",
    },
    Described {
        variable: "BRIDGE_DATA_DIR",
        default: "./bridge-data",
        meaning: "folder for the catalogue, names and last good answers",
    },
    Described { variable: "BRIDGE_CELL_LIMIT", default: "200000", meaning: "cells per upstream request" },
    Described {
        variable: "BRIDGE_UPSTREAM_CONCURRENCY",
        default: "2",
        meaning: "upstream requests at a time",
    },
    Described {
        variable: "BRIDGE_UPSTREAM_TIMEOUT_SECONDS",
        default: "120",
        meaning: "longest try of an upstream request",
    },
    Described {
        variable: "BRIDGE_ANSWER_SECONDS",
        default: "50",
        meaning: "longest wait for the first byte of an answer",
    },
    Described { variable: "BRIDGE_PAGE_ROWS", default: "50000", meaning: "rows per page" },
    Described {
        variable: "BRIDGE_MAX_ROWS",
        default: "5000000",
        meaning: "rows of the longest answer, all pages together",
    },
    Described { variable: "BRIDGE_MEMORY_MB", default: "512", meaning: "megabytes of cells kept in memory" },
    Described {
        variable: "BRIDGE_ANSWERS_MB",
        default: "512",
        meaning: "megabytes of answers on their way, of all clients together",
    },
    Described {
        variable: "BRIDGE_DISK_MB",
        default: "2048",
        meaning: "megabytes of cells and made files kept on disk",
    },
    Described {
        variable: "BRIDGE_FILE_MB",
        default: "256",
        meaning: "largest file that is made whole before it is sent, at most a quarter of BRIDGE_DISK_MB, and largest answer over HTTP/1.0",
    },
    Described {
        variable: "BRIDGE_CONNECTIONS",
        default: "4096",
        meaning: "open connections of all clients together",
    },
    Described {
        variable: "BRIDGE_CONNECTIONS_PER_CLIENT",
        default: "1024",
        meaning: "open connections of one address that is no trusted proxy's",
    },
    Described {
        variable: "BRIDGE_UPSTREAM_CALLS_PER_HOUR",
        default: "6000; no limit with the simulator",
        meaning: "upstream requests for figures in an hour, for everybody",
    },
    Described {
        variable: "BRIDGE_UPSTREAM_CELLS_PER_HOUR",
        default: "400000000; no limit with the simulator",
        meaning: "cells in upstream requests in an hour, for everybody",
    },
    Described {
        variable: "BRIDGE_CLIENT_CALLS_PER_HOUR",
        default: "3000; no limit with the simulator",
        meaning: "upstream requests for figures in an hour, for one client",
    },
    Described {
        variable: "BRIDGE_CLIENT_CELLS_PER_HOUR",
        default: "200000000; no limit with the simulator",
        meaning: "cells in upstream requests in an hour, for one client",
    },
    Described {
        variable: "BRIDGE_TRUSTED_PROXIES",
        default: "none",
        meaning: "addresses and networks whose X-Forwarded-For says who the client is, with commas between",
    },
    Described {
        variable: "BRIDGE_USER_HEADER",
        default: "none",
        meaning: "the header in which a proxy of BRIDGE_TRUSTED_PROXIES names the user whom it has signed in",
    },
    Described {
        variable: "BRIDGE_USERS_FILE",
        default: "none",
        meaning: "the users and keys that may read, written by the command user; without it everybody may",
    },
    Described {
        variable: "BRIDGE_TOKEN_ISSUER",
        default: "none",
        meaning: "the iss of tokens with which accounts of the organisation sign in; groups are in BRIDGE_USERS_FILE",
    },
    Described {
        variable: "BRIDGE_TOKEN_AUDIENCE",
        default: "none",
        meaning: "what is in the aud of these tokens, with commas between",
    },
    Described {
        variable: "BRIDGE_OPEN",
        default: "0",
        meaning: "1: everybody who reaches BRIDGE_LISTEN may read, even if that is no loopback address",
    },
    Described {
        variable: "BRIDGE_METRICS_PASSWORD_FILE",
        default: "none",
        meaning: "a file with the password, under any name, of metrics and remote read",
    },
    Described {
        variable: "BRIDGE_CORS_ORIGINS",
        default: "none",
        meaning: "origins of pages elsewhere that may read answers in a browser, with commas between",
    },
    Described {
        variable: "BRIDGE_READY_TABLES",
        default: "none",
        meaning: "tables whose newest figures are kept ready whatever is asked for, with commas between",
    },
    Described {
        variable: "BRIDGE_SERIES_LIMIT",
        default: "20000",
        meaning: "series of the indicators at most",
    },
    Described {
        variable: "BRIDGE_LOG",
        default: "info",
        meaning: "what is logged, as tracing's filters say it",
    },
    Described {
        variable: "BRIDGE_LOG_FORMAT",
        default: "text",
        meaning: "lines of the log on standard error: text, or json with an object on each",
    },
    Described {
        variable: "BRIDGE_ACCESS_LOG",
        default: "off",
        meaning: "a line for each request on standard output: text, json or off",
    },
    Described {
        variable: "BRIDGE_INDICATORS",
        default: "built in",
        meaning: "a file in place of the built-in indicators",
    },
    Described {
        variable: "BRIDGE_REDIS_URL",
        default: "none",
        meaning: "a Redis or Valkey, redis://:password@host:6379/0 (rediss:// with TLS), through which several bridges share figures, names and limits",
    },
    Described {
        variable: "BRIDGE_PEERS",
        default: "2",
        meaning: "bridges that share BRIDGE_REDIS_URL; each has its part of the limits while it is out of reach",
    },
    Described {
        variable: "OTEL_EXPORTER_OTLP_ENDPOINT",
        default: "none",
        meaning: "an OpenTelemetry collector that is sent traces as OTLP over HTTP; without it none are made",
    },
];

/// The text of `--help` about settings.
#[must_use]
pub fn help() -> String {
    let mut text = String::from("Settings (environment variables):\n");
    for Described { variable, default, meaning } in DESCRIBED {
        let _ = writeln!(text, "  {variable:<32} {meaning} [default: {default}]");
    }
    text
}
