//! The access log: a line for each request when its answer has been sent or its client has left.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::observe::request::RequestRecord;
use crate::settings::AccessFormat;
use crate::settings::redact::redact;

/// Options of a query whose values are secrets.
const SECRET: [&str; 7] = ["api_key", "apikey", "key", "token", "access_token", "password", "secret"];
const HIDDEN: &str = "[hidden]";
/// The longest path that is written.
const LONGEST: usize = 4096;
/// The status of a request whose client left before it was answered, as other servers' logs have it.
const LEFT: u16 = 499;

/// Where the lines go.
pub struct AccessLog {
    format: AccessFormat,
    out: Mutex<Box<dyn Write + Send>>,
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("format", &self.format).finish_non_exhaustive()
    }
}

/// A request that is being answered; its line is written when this is dropped.
#[derive(Debug)]
pub struct Entry {
    log: Arc<AccessLog>,
    request: Arc<RequestRecord>,
    at: DateTime<Utc>,
    began: Instant,
    method: String,
    path: String,
    /// The status of the answer, once there is one.
    pub status: Option<u16>,
    /// The bytes of the answer's body so far.
    pub bytes: u64,
}

/// What a line says.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at: String,
    id: String,
    method: &'a str,
    path: &'a str,
    status: u16,
    rows: u64,
    bytes: u64,
    milliseconds: u64,
    upstream_calls: u64,
}

impl AccessLog {
    /// A log that writes lines of that format.
    #[must_use]
    pub fn new(format: AccessFormat, out: Box<dyn Write + Send>) -> Self {
        Self { format, out: Mutex::new(out) }
    }

    /// Whether anything is logged.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.format != AccessFormat::Off
    }

    /// The entry of a request that begins, with its path and query [without secrets](without_secrets); `None` if nothing is logged.
    #[must_use]
    pub fn begin(
        self: &Arc<Self>,
        request: &Arc<RequestRecord>,
        at: DateTime<Utc>,
        method: &str,
        shown: &str,
    ) -> Option<Entry> {
        self.is_on().then(|| Entry {
            log: Arc::clone(self),
            request: Arc::clone(request),
            at,
            began: Instant::now(),
            method: method.to_owned(),
            path: shown.to_owned(),
            status: None,
            bytes: 0,
        })
    }

    fn write(&self, line: &Line<'_>) {
        let text = match self.format {
            AccessFormat::Off => return,
            AccessFormat::Text => line.to_string(),
            AccessFormat::Json => serde_json::to_string(line).unwrap_or_default(),
        };
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Where the log cannot be written, requests are answered all the same.
        let _ = out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.flush());
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, id, method, path, status, rows, bytes, milliseconds, upstream_calls } = self;
        write!(
            f,
            "{at} id={id} method={method} path={path} status={status} rows={rows} bytes={bytes} \
             milliseconds={milliseconds} upstream_calls={upstream_calls}"
        )
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.log.write(&Line {
            at: self.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            id: self.request.id.to_string(),
            method: &self.method,
            path: &self.path,
            status: self.status.unwrap_or(LEFT),
            rows: self.request.rows(),
            bytes: self.bytes,
            milliseconds: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            upstream_calls: self.request.upstream_calls(),
        });
    }
}

/// A path and query in which the values of secret options are hidden.
#[must_use]
pub fn without_secrets(target: &str) -> String {
    let shown = |option: &str| match option.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
        _ => option.to_owned(),
    };
    let target = match target.split_once('?') {
        Some((path, query)) => {
            format!("{path}?{}", query.split('&').map(shown).collect::<Vec<_>>().join("&"))
        }
        None => target.to_owned(),
    };
    let shortened: String = redact(&target).chars().take(LONGEST).collect();
    // An address must not be able to forge lines of the log.
    shortened.replace(|letter: char| letter.is_control() || letter == ' ', "?")
}

fn is_secret(name: &str) -> bool {
    let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase();
    SECRET.contains(&name.trim().trim_start_matches('$').replace('-', "_").as_str())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::observe::request::RequestId;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: AccessFormat, target: &str, status: Option<u16>) -> String {
        let kept = Kept::default();
        let log = Arc::new(AccessLog::new(format, Box::new(kept.clone())));
        let at = "2026-09-15T07:00:00Z".parse().unwrap();
        if let Some(mut entry) =
            log.begin(&RequestRecord::begin(RequestId::random(), None), at, "GET", target)
        {
            entry.bytes = 17;
            entry.status = status;
        }
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_line_is_written_when_the_request_is_over() {
        let text = written(AccessFormat::Text, "/odata/Datasets?$top=1", Some(200));
        assert!(text.starts_with("2026-09-15T07:00:00.000Z id="), "{text}");
        assert!(
            text.contains(" method=GET path=/odata/Datasets?$top=1 status=200 rows=0 bytes=17 "),
            "{text}"
        );
        let json: serde_json::Value =
            serde_json::from_str(&written(AccessFormat::Json, "/status", None)).unwrap();
        assert_eq!((json["status"].as_u64(), json["path"].as_str()), (Some(499), Some("/status")));
        assert_eq!(written(AccessFormat::Off, "/status", Some(200)), "");
    }

    #[test]
    fn the_values_of_secret_options_are_hidden_and_a_line_stays_one() {
        for (target, shown) in [
            ("/odata/?api_key=s3cret&$top=1", "/odata/?api_key=[hidden]&$top=1"),
            ("/odata/?API%5FKey=s3cret", "/odata/?API%5FKey=[hidden]"),
            ("/odata/?a=1&Access-Token=s3=cret", "/odata/?a=1&Access-Token=[hidden]"),
            ("/odata/?$filter=Titel%20eq%20'key=x'", "/odata/?$filter=Titel%20eq%20'key=x'"),
            ("/a b\n", "/a?b?"),
        ] {
            assert_eq!(without_secrets(target), shown);
        }
        assert_eq!(without_secrets(&"x".repeat(9000)).len(), LONGEST);
    }
}
