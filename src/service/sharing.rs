//! What this bridge shares with others, if a Redis is set; every part works without it.

use std::sync::Arc;

use crate::budget::upstream::UpstreamBudgets;
use crate::fetch::learnt::Learnt;
use crate::fetch::others::Others;
use crate::observe::news::{Announcements, Informed, Topic};
use crate::peers::Peers;
use crate::peers::follow::Followed;
use crate::refresh::feeds::FeedKeeper;
use crate::refresh::sync::keeper::CatalogueKeeper;
use crate::refresh::sync::{EveryRound, Rounds};
use crate::service::{ServiceOptions, StartError};
use crate::settings::BridgeSettings;
use crate::sign_in::SignIn;
use crate::store::CellStore;
use crate::store::revisions::RevisionLog;
use crate::store::uses::UseLog;
use crate::upstream::client::{HttpUpstream, Upstream};
use crate::upstream::slots::{CallSlots, NoOthers};
use crate::web::state::AppState;

/// The other bridges, or none.
pub(super) struct Sharing {
    pub peers: Option<Peers>,
    /// Tells them what is learnt here.
    pub announcements: Announcements,
}

impl Sharing {
    /// As the settings say it. Connects to nothing yet.
    pub fn of(options: &ServiceOptions) -> Result<Self, StartError> {
        let BridgeSettings { redis_url, upstream_concurrency, peers, .. } = &options.settings;
        let announcements = Announcements::default();
        let Some(url) = redis_url else { return Ok(Self { peers: None, announcements }) };
        let peers =
            Peers::new(url, &options.upstream.folder, *upstream_concurrency, *peers, options.clock.clone());
        let peers = peers.map_err(|_| StartError::Redis { place: url.place().to_owned() })?;
        announcements.set(peers.announcer());
        Ok(Self { peers: Some(peers), announcements })
    }

    /// What permits calls at the same time.
    pub fn slots(&self) -> Arc<dyn CallSlots> {
        match &self.peers {
            Some(peers) => peers.slots(),
            None => Arc::new(NoOthers),
        }
    }

    /// The upstream, with metadata that one bridge reads for all.
    pub fn upstream(&self, upstream: Arc<dyn Upstream>) -> Arc<dyn Upstream> {
        match &self.peers {
            Some(peers) => peers.upstream(upstream),
            None => upstream,
        }
    }

    /// The budgets, of all bridges together.
    pub fn budgets(&self, budgets: UpstreamBudgets) -> UpstreamBudgets {
        match &self.peers {
            Some(peers) => budgets.shared(peers.ledger()),
            None => budgets,
        }
    }

    /// Those who fetch figures too.
    pub fn others(&self) -> Option<Arc<dyn Others>> {
        Some(Arc::new(self.peers.clone()?))
    }

    /// Sets what figures and metadata of others are taken over into.
    pub fn set_parts(&self, catalogue: &Arc<CatalogueKeeper>, store: &Arc<dyn CellStore>) {
        self.peers.iter().for_each(|peers| peers.set_parts(catalogue, store));
    }

    /// Sets who takes over what others have learnt.
    pub fn set_informed(
        &self,
        (feeds, revisions, uses, learnt): (&Arc<FeedKeeper>, &RevisionLog, &UseLog, &Learnt),
        (sign_in, client): (&Arc<SignIn>, &Arc<HttpUpstream>),
    ) {
        let Some(peers) = &self.peers else { return };
        peers.set_informed([
            (Topic::Names, Arc::clone(feeds) as Arc<dyn Informed>),
            (Topic::Learnt, Arc::new(learnt.clone())),
            (Topic::Revised, Arc::new(revisions.clone())),
            (Topic::Uses, Arc::new(uses.clone())),
            (Topic::Guesses, Arc::clone(sign_in) as _),
            (Topic::Circuits, client.circuits()),
        ]);
    }
}

/// Joins the other bridges in the background, for as long as the service runs. Says whose turn it is to read the list of tables.
pub(super) fn follow(state: &AppState, budgets: UpstreamBudgets) -> Arc<dyn Rounds> {
    let Some(peers) = state.peers.clone() else { return Arc::new(EveryRound) };
    let followed = Followed {
        fetcher: state.answerer.fetcher.clone(),
        catalogue: Arc::clone(&state.catalogue),
        sign_in: Arc::clone(&state.sign_in),
        budgets,
    };
    let rounds = Arc::new(peers.clone());
    peers.begin();
    // Stopped by itself, when no request is answered any more.
    state.tasks.start("peers", move |_| peers.clone().run(followed.clone()));
    rounds
}
