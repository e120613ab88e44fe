//! The log lines of one test, at every level.
//!
//! All tests share one process, and `tracing` remembers for the whole process whether anybody listens to a line. A
//! subscriber of one thread can therefore be passed over after another thread met the line first. So there is one
//! subscriber for the process, and it keeps only lines of threads that listen.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::prelude::*;

thread_local! {
    static HEARD: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Keeps what this thread logs until it is dropped.
#[derive(Debug)]
pub struct Heard(());

/// Listens to this thread; what runs on it (as all of a test's single-threaded runtime does) is heard.
pub fn listen() -> Heard {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| ThisThread);
        let filter = dynamic_filter_fn(|_, _| HEARD.with_borrow(Option::is_some));
        tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    });
    tracing::callsite::rebuild_interest_cache();
    HEARD.set(Some(Vec::new()));
    Heard(())
}

impl Heard {
    pub fn text(&self) -> String {
        HEARD.with_borrow(|heard| String::from_utf8_lossy(heard.as_deref().unwrap_or_default()).into_owned())
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        HEARD.set(None);
    }
}

struct ThisThread;

impl Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        HEARD.with_borrow_mut(|heard| heard.iter_mut().for_each(|lines| lines.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
