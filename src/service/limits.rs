//! The limits that the parts start with, out of the settings: of answers, connections, upstream requests and cells per request.

use std::sync::Arc;
use std::time::Duration;

use crate::answer::AnswerLimits;
use crate::budget::upstream::{HourlyLimits, UpstreamBudgets};
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::feed::origin::Origin;
use crate::plan::chunk;
use crate::service::StartError;
use crate::settings::BridgeSettings;
use crate::unix;
use crate::web::connections::{ConnectionLimits, Connections};

/// Open files that are left for stored figures, calls to the upstream and refusals.
const RESERVED: u64 = 256;
/// How long a new connection is kept for its first request: even a slow network delivers it sooner.
const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// The smallest row: a period, an area and a measure.
const LEAST_CELLS: u64 = 3;

/// What one client may request from the upstream in an hour if nothing is set: more than an analyst needs in a working day, less than
/// it takes to copy the databank.
const CLIENT_CALLS: u64 = 3_000;
const CLIENT_CELLS: u64 = 200_000_000;
/// The same for everybody together.
const EVERYBODYS_CALLS: u64 = 6_000;
const EVERYBODYS_CELLS: u64 = 400_000_000;

pub(super) fn connections(settings: &BridgeSettings) -> Arc<Connections> {
    Arc::new(Connections::new(connection_limits(settings), settings.trusted_proxies.clone()))
}

pub(super) fn answer_limits(settings: &BridgeSettings, cell_limit: u64) -> AnswerLimits {
    AnswerLimits {
        cell_limit,
        page_rows: settings.page_rows,
        max_rows: settings.max_rows,
        wait: Duration::from_secs(settings.answer_seconds),
        chunks_ahead: settings.upstream_concurrency,
    }
}

/// As many connections as are set, if the process may have so many files open.
fn connection_limits(settings: &BridgeSettings) -> ConnectionLimits {
    let files = unix::raise_open_files();
    let possible = usize::try_from(files - RESERVED.min(files / 4)).unwrap_or(usize::MAX);
    if possible < settings.connections {
        tracing::warn!(
            possible,
            set = settings.connections,
            "the limit of open files allows fewer connections than BRIDGE_CONNECTIONS; raise it (ulimit -n)"
        );
    }
    ConnectionLimits {
        everybody: settings.connections.min(possible),
        per_client: settings.connections_per_client.min(possible),
        first_request: FIRST_REQUEST,
    }
}

/// The hourly budgets of upstream requests. The built-in simulator needs no protection, so it has limits only where they are set.
pub(super) fn upstream_budgets(settings: &BridgeSettings, origin: &Origin, clock: &Clock) -> UpstreamBudgets {
    let limit = |set: Option<u64>, default: u64| set.or((!origin.is_simulator).then_some(default));
    let client = HourlyLimits {
        calls: limit(settings.client_calls_per_hour, CLIENT_CALLS),
        cells: limit(settings.client_cells_per_hour, CLIENT_CELLS),
    };
    let everybody = HourlyLimits {
        calls: limit(settings.upstream_calls_per_hour, EVERYBODYS_CALLS),
        cells: limit(settings.upstream_cells_per_hour, EVERYBODYS_CELLS),
    };
    UpstreamBudgets::new(client, everybody, clock)
}

/// Refuses a cell limit that a single row of every known table would exceed. A table that is wider than the others is logged: it
/// cannot be read, but is no reason not to serve the others.
pub(super) fn check_cell_limit(limit: u64, catalogue: &Catalogue) -> Result<(), StartError> {
    let widths = || catalogue.measurements.iter().map(|(id, table)| (chunk::row_cells(table), id));
    let least = widths().map(|(cells, _)| cells).min().unwrap_or_default().max(LEAST_CELLS);
    if limit < least {
        return Err(StartError::CellLimit { limit, least });
    }
    for (cells, table) in widths().filter(|(cells, _)| *cells > limit) {
        tracing::error!(%table, cells, limit, "a row of the table has more cells than BRIDGE_CELL_LIMIT; it cannot be read");
    }
    Ok(())
}
