//! The log on standard error: which lines, in which form, and without secrets.

use std::error::Error;
use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::lines::SafeLines;
use crate::settings::LogFormat;

/// What is logged unless the filter says otherwise. Messages of the HTTP library about its threads are noise; and the span that has a
/// request's id has to be there for lines of every level.
const ALWAYS: &str = "actix_server=warn,request=error";

/// From now on writes the lines that pass a filter.
///
/// # Errors
/// When the filter is none.
pub(super) fn start(filter: &str, format: LogFormat) -> Result<(), Box<dyn Error>> {
    let wrong = |error| format!("BRIDGE_LOG: {error}");
    let filter = EnvFilter::try_new(format!("{ALWAYS},{filter}")).map_err(wrong)?;
    let (is_text, no_colour) = (format == LogFormat::Text, std::env::var_os("NO_COLOR").is_some());
    let coloured = is_text && !no_colour && io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter);
    let lines = lines.with_writer(move || SafeLines::new(coloured)).with_ansi(coloured);
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).init(),
    }
    Ok(())
}
