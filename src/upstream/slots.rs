//! How many calls several bridges make at the same time, all together.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

/// Grants permission to make one more call.
#[async_trait]
pub trait CallSlots: Send + Sync + fmt::Debug {
    /// Waits for permission to make one call, which takes no longer than that.
    async fn slot(&self, longest: Duration) -> Slot;
}

/// Permission for one call at a time, until it is dropped.
pub struct Slot(Option<Box<dyn FnOnce() + Send>>);

impl Slot {
    /// A permission that is given back like this.
    #[must_use]
    pub fn new(give_back: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(give_back)))
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(give_back) = self.0.take() {
            give_back();
        }
    }
}

/// For a bridge that has the upstream to itself.
#[derive(Debug, Clone, Copy)]
pub struct NoOthers;

#[async_trait]
impl CallSlots for NoOthers {
    async fn slot(&self, _longest: Duration) -> Slot {
        Slot(None)
    }
}
