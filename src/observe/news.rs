//! What one bridge learns and others have to know: small facts by topic, told when they are new.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

/// What facts are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// What answers of the upstream taught.
    Learnt,
    /// Figures that were revised.
    Revised,
    /// Which cells clients use.
    Uses,
    /// Wrong passwords and keys.
    Guesses,
    /// Calls that are held back after failures.
    Circuits,
    /// Names of tables and their parts.
    Names,
}

/// Facts by name. A later fact of a name replaces the earlier one.
pub type Facts = Vec<(String, String)>;

/// Tells other bridges.
pub trait Announcer: Debug + Send + Sync {
    /// Tells them soon. Waits for nobody.
    fn announce(&self, topic: Topic, facts: Facts);

    /// Whether new names may be given: not by a bridge that has been with others and is cut off from them.
    fn may_name(&self) -> bool;
}

/// The one that tells others, if there are any. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Announcements(Arc<OnceLock<Arc<dyn Announcer>>>);

impl Announcements {
    /// Sets who tells others.
    pub fn set(&self, announcer: Arc<dyn Announcer>) {
        // It is set once, when the service is put together.
        let _ = self.0.set(announcer);
    }

    /// Tells others of facts, if there are any of either.
    pub fn tell(&self, topic: Topic, facts: impl FnOnce() -> Facts) {
        let Some(announcer) = self.0.get() else { return };
        let facts = facts();
        if !facts.is_empty() {
            announcer.announce(topic, facts);
        }
    }

    /// Whether new names may be given.
    #[must_use]
    pub fn may_name(&self) -> bool {
        self.0.get().is_none_or(|announcer| announcer.may_name())
    }
}

/// What keeps facts of a topic.
pub trait Informed: Debug + Send + Sync {
    /// All facts that are of use to others.
    fn facts(&self) -> Facts;

    /// Takes over facts of another bridge.
    fn adopt(&self, facts: Facts);

    /// Makes facts that will be needed while others cannot be asked. May take a while.
    fn prepare(&self) {}
}
