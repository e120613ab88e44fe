//! Memory of answers on their way, of all clients together: rows from before they are assembled until the client has taken them, and
//! the texts that expressions write. What does not fit is waited for, then refused with 503; what is more than all of it with 400.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Budget, Exhausted, Resource, Share};

/// When a refused client should try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// What writing an answer takes beside its rows: a piece of it before and after compression, and the compression's window.
pub const WRITING_BYTES: u64 = 1024 * 1024;

/// A request that holds no more than this may also use the part of the memory that is reserved for small requests.
const SMALL_BYTES: u64 = 4 * 1024 * 1024;
/// The share of the memory that only small requests may use.
const RESERVED: u64 = 8;

/// The memory that answers may hold.
#[derive(Debug)]
pub struct AnswerMemory {
    limit: u64,
    used: Mutex<u64>,
    given_back: Condvar,
    refusals: AtomicU64,
}

/// Memory that is held until the last clone of this is dropped.
#[derive(Debug, Clone, Default)]
pub struct Held(Option<Arc<Part>>);

#[derive(Debug)]
struct Part {
    memory: Arc<AnswerMemory>,
    /// What the request holds in all.
    of_request: Arc<AtomicU64>,
    bytes: AtomicU64,
}

impl AnswerMemory {
    /// So many bytes, all of them free.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { limit, used: Mutex::new(0), given_back: Condvar::new(), refusals: AtomicU64::new(0) }
    }

    /// Holds memory for a request, where there is so much; `of_request` is what it holds in all.
    ///
    /// # Errors
    /// When the request would hold more than there is. No waiting helps then.
    pub fn try_hold(
        self: &Arc<Self>,
        of_request: &Arc<AtomicU64>,
        bytes: u64,
    ) -> Result<Option<Held>, Exhausted> {
        let own = of_request.load(Ordering::Relaxed).saturating_add(bytes);
        // Otherwise clients that do not read their large answers would make all others wait.
        let reserved = if own > SMALL_BYTES { self.limit / RESERVED } else { 0 };
        let limit = self.limit - reserved;
        if own > limit {
            return Err(self.refuse(None));
        }
        let mut used = self.used();
        let sum = used.saturating_add(bytes);
        if sum > limit {
            return Ok(None);
        }
        *used = sum;
        of_request.fetch_add(bytes, Ordering::Relaxed);
        let (memory, of_request) = (Arc::clone(self), Arc::clone(of_request));
        Ok(Some(Held(Some(Arc::new(Part { memory, of_request, bytes: AtomicU64::new(bytes) })))))
    }

    /// Waits until something is given back, or for so long.
    pub fn wait(&self, longest: Duration) {
        drop(self.given_back.wait_timeout(self.used(), longest));
    }

    /// The refusal of a request that has waited long enough.
    pub fn refuse_now(&self) -> Exhausted {
        self.refuse(Some(RETRY_AFTER))
    }

    fn refuse(&self, retry_after: Option<Duration>) -> Exhausted {
        self.refusals.fetch_add(1, Ordering::Relaxed);
        let (resource, share) = (Resource::AnswerBytes, Share::Everybody);
        Exhausted { resource, share, limit: self.limit, retry_after }
    }

    fn used(&self) -> MutexGuard<'_, u64> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Holds so many bytes from now on, where that was only estimated before. They are in use already, so that nothing is refused.
    pub fn resize(&self, bytes: u64) {
        let Some(part) = &self.0 else { return };
        let before = part.bytes.swap(bytes, Ordering::Relaxed);
        part.count(before, bytes);
    }
}

impl Part {
    fn count(&self, before: u64, after: u64) {
        let mut used = self.memory.used();
        *used = used.saturating_sub(before).saturating_add(after);
        self.of_request.fetch_add(after, Ordering::Relaxed);
        self.of_request.fetch_sub(before, Ordering::Relaxed);
        drop(used);
        if after < before {
            self.memory.given_back.notify_all();
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.count(self.bytes.load(Ordering::Relaxed), 0);
    }
}

impl Budget for AnswerMemory {
    fn resource(&self) -> Resource {
        Resource::AnswerBytes
    }

    fn share(&self) -> Share {
        Share::Everybody
    }

    fn limit(&self) -> u64 {
        self.limit
    }

    fn used(&self) -> u64 {
        *Self::used(self)
    }

    fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_back_with_its_last_clone() {
        let memory = Arc::new(AnswerMemory::new(100));
        let (one, other) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let held = memory.try_hold(&one, 60).unwrap().unwrap();
        assert!(memory.try_hold(&other, 60).unwrap().is_none());
        held.resize(30);
        let clone = held.clone();
        drop(held);
        let second = memory.try_hold(&other, 70).unwrap().unwrap();
        assert_eq!(Budget::used(&*memory), 100);
        drop((clone, second));
        assert_eq!((Budget::used(&*memory), one.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn small_requests_find_room_where_large_ones_have_taken_all_of_theirs() {
        let memory = Arc::new(AnswerMemory::new(SMALL_BYTES * RESERVED * 2));
        let mut held = Vec::new();
        while let Some(more) = memory.try_hold(&Arc::default(), SMALL_BYTES + 1).unwrap() {
            held.push(more);
        }
        assert!(memory.try_hold(&Arc::default(), SMALL_BYTES).unwrap().is_some());
        assert!(memory.try_hold(&Arc::default(), SMALL_BYTES * RESERVED * 2).is_err());
    }

    #[test]
    fn what_can_never_fit_is_refused_and_what_is_in_use_is_counted() {
        let memory = Arc::new(AnswerMemory::new(100));
        let of_request = Arc::<AtomicU64>::default();
        let held = memory.try_hold(&of_request, 60).unwrap().unwrap();
        let refused = memory.try_hold(&of_request, 41).unwrap_err();
        assert_eq!((refused.retry_after, memory.refusals()), (None, 1));
        held.resize(500);
        assert!(memory.try_hold(&Arc::default(), 1).unwrap().is_none());
        drop(held);
        assert_eq!(Budget::used(&*memory), 0);
        assert!(memory.refuse_now().retry_after.is_some());
    }
}
