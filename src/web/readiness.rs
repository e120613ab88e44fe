//! Which reasons keep the service from its work or a part of it at present. Nothing is asked of the upstream for it.

use crate::observe::readiness::Reason;
use crate::peers::link::Standing;
use crate::upstream::error::Failure;
use crate::web::state::AppState;

/// The reasons that hold.
#[must_use]
pub fn reasons(state: &AppState) -> Vec<Reason> {
    Reason::ALL.into_iter().filter(|reason| holds(*reason, state)).collect()
}

fn holds(reason: Reason, state: &AppState) -> bool {
    match reason {
        Reason::Stopping => state.tasks.is_stopping(),
        Reason::CatalogueNotRead => state.catalogue.current().heads.is_empty(),
        Reason::KeyRefused => state.reports.key_is_refused(),
        Reason::UpstreamAway => state.reports.calls_are_held_back() || list_failed(state),
        Reason::DiskNotWritable => state.store.problem().is_some() || !state.catalogue.is_saved(),
        Reason::NamesNotSaved => !state.feeds.names_are_saved(),
        Reason::SettingsNotRead => !state.metrics.configuration_is_current(),
        Reason::PeersAway => state.peers.as_ref().is_some_and(|peers| peers.standing() == Standing::Alone),
        Reason::TaskPanicked => !state.tasks.panicked().is_empty(),
    }
}

/// Whether there is no list of tables because the upstream could not be asked.
fn list_failed(state: &AppState) -> bool {
    let failure = state.catalogue.why_empty();
    failure.is_some_and(|error| error.upstream().is_none_or(|error| error.failure != Failure::Unauthorized))
}
