//! The key appears in no log, error, address or debug output.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use jobindsats_bridge::upstream::client::{HttpUpstream, Upstream};
use tracing_subscriber::fmt::MakeWriter;

use super::{KEY, ONE_CELL, one_cell, options};
use crate::support::canned::{Canned, CannedServer};

#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn the_key_is_in_no_error_no_debug_text_and_no_log_line() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let echo = format!("The token '{KEY}' is not welcome");
    let cell = ONE_CELL.replace("7]", &format!("\"{KEY}\"]"));
    let answers = [
        Canned::cause(401, &echo),
        Canned::cause(422, &echo),
        Canned::cause(422, &format!("{echo}: over the limit")),
        Canned::cause(422, &format!("Unknown period type: {KEY}")),
        Canned::new(403, echo.as_str()),
        Canned::new(500, echo.as_str()).header("X-Request-Id", KEY),
        Canned::ok(&cell),
        Canned::Drop,
    ];
    let mut shown = String::new();
    for answer in answers {
        let server = CannedServer::start([answer]).await;
        let options = options(&server);
        shown.push_str(&format!("{options:?}"));
        let client = HttpUpstream::new(options).unwrap();
        let error = client.data(&one_cell()).await.unwrap_err();
        shown.push_str(&format!("{client:?} {error:?} {error}\n"));
        assert!(server.requests()[0].contains(KEY), "the key is sent");
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("trying again"), "the log is heard");
    for line in shown.lines().chain(log.lines()) {
        assert!(!line.contains(KEY), "{line}");
    }
}
