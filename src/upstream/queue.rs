//! The queue for calls: a limited number is made at the same time, and those that wait take turns by client.
//!
//! The client whose last turn is longest ago is next; of its calls, the one whose request needs the fewest figures from the upstream. So
//! a small request does not wait for a large one, neither another client's nor its own. Before all of them come the list of tables
//! and the metadata that an answer waits for: they are small, and whatever is asked of a table waits for them. No call is overtaken by
//! later ones more than [`OVERTAKEN_LIMIT`] times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::budget::upstream::Requester;

/// How often a call may be overtaken by calls that came later.
pub const OVERTAKEN_LIMIT: u32 = 20;

/// The queue. Clones share it.
#[derive(Debug, Clone)]
pub struct CallQueue(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// In order of arrival.
    waiting: Vec<WaitingCall>,
    /// For each requester with waiting calls, the number of its last turn.
    turns: HashMap<Requester, u64>,
    turn: u64,
}

#[derive(Debug)]
struct WaitingCall {
    /// `None` is next.
    requester: Option<Requester>,
    remaining_cells: u64,
    overtaken: u32,
    admit: oneshot::Sender<Permit>,
}

/// Permission for one call at a time, until it is dropped.
#[derive(Debug)]
pub struct Permit(Option<CallQueue>);

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.release();
        }
    }
}

impl CallQueue {
    /// A queue for so many calls at the same time.
    #[must_use]
    pub fn new(concurrency: usize) -> Self {
        let state = State { free: concurrency, waiting: Vec::new(), turns: HashMap::new(), turn: 0 };
        Self(Arc::new(Mutex::new(state)))
    }

    /// How many calls could start now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.state().free
    }

    /// Waits for permission to make a call for a request that still needs so many cells; without a requester it is next. Dropping the
    /// future leaves the queue.
    pub async fn permit(&self, requester: Option<Requester>, remaining_cells: u64) -> Permit {
        let waiting = {
            let mut state = self.state();
            if let Some(free) = state.free.checked_sub(1) {
                state.free = free;
                state.note_turn(requester);
                None
            } else {
                let (admit, admitted) = oneshot::channel();
                state.waiting.push(WaitingCall { requester, remaining_cells, overtaken: 0, admit });
                Some(admitted)
            }
        };
        match waiting {
            None => Permit(Some(self.clone())),
            // The sender is dropped only with the queue itself.
            Some(admitted) => admitted.await.unwrap_or(Permit(None)),
        }
    }

    /// Gives the permit to the next call that is still waited for.
    fn release(&self) {
        loop {
            let next = {
                let mut state = self.state();
                let next = state.next();
                if next.is_none() {
                    state.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.admit.send(Permit(Some(self.clone()))) {
                Ok(()) => return,
                // Its caller has left; the permit goes to another.
                Err(mut permit) => permit.0 = None,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self) -> Option<WaitingCall> {
        self.waiting.retain(|call| !call.admit.is_closed());
        let last_turn =
            |call: &WaitingCall| call.requester.map(|requester| self.turns.get(&requester).copied());
        let key = |call: &WaitingCall| (last_turn(call), call.remaining_cells);
        let overdue = self.waiting.iter().position(|call| call.overtaken >= OVERTAKEN_LIMIT);
        let first = || (0..self.waiting.len()).min_by_key(|&at| key(&self.waiting[at]));
        let index = overdue.or_else(first)?;
        self.waiting.iter_mut().take(index).for_each(|earlier| earlier.overtaken += 1);
        let next = self.waiting.remove(index);
        self.note_turn(next.requester);
        Some(next)
    }

    fn note_turn(&mut self, requester: Option<Requester>) {
        if self.waiting.is_empty() {
            self.turns.clear();
        }
        self.turn += 1;
        if let Some(requester) = requester {
            self.turns.insert(requester, self.turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures_util::future::{BoxFuture, FutureExt};

    use super::*;
    use crate::budget::client::Client;

    /// Number 0 is next.
    fn client(number: u8) -> Option<Requester> {
        (number > 0).then(|| Requester::Client(Client::from(IpAddr::V4(Ipv4Addr::new(10, 0, 0, number)))))
    }

    /// The order in which calls are made that wait in the order of the list, each with its client and its cells.
    fn order(calls: &[(u8, u64)]) -> Vec<usize> {
        let queue = CallQueue::new(1);
        let mut held = queue.permit(Some(Requester::Service), 0).now_or_never();
        assert!(held.is_some());
        let mut waiting: Vec<Option<BoxFuture<'_, Permit>>> = Vec::new();
        for &(number, cells) in calls {
            let mut call = queue.permit(client(number), cells).boxed();
            assert!((&mut call).now_or_never().is_none(), "there is one permit");
            waiting.push(Some(call));
        }
        let mut order = Vec::new();
        while order.len() < calls.len() {
            drop(held.take());
            let admitted = waiting.iter_mut().position(|call| {
                held = call.as_mut().and_then(|call| call.now_or_never());
                held.is_some()
            });
            let index = admitted.unwrap();
            waiting[index] = None;
            order.push(index);
        }
        order
    }

    #[test]
    fn clients_take_turns_and_small_requests_go_first() {
        // Client 1 asks for much, client 2 for little, later.
        assert_eq!(order(&[(1, 900), (1, 900), (1, 900), (2, 5), (2, 3)]), [4, 0, 3, 1, 2]);
        assert_eq!(order(&[(1, 900), (1, 1), (1, 900), (1, 2)]), [1, 3, 0, 2]);
        // Without a requester they come first, and take nobody's turn.
        assert_eq!(order(&[(1, 1), (2, 1), (0, 9), (0, 5)]), [3, 2, 0, 1]);
    }

    #[test]
    fn no_call_is_overtaken_more_often_than_the_limit() {
        let limit = OVERTAKEN_LIMIT as usize;
        let calls: Vec<_> = std::iter::once((1, 900)).chain((0..limit + 10).map(|_| (1, 1))).collect();
        assert_eq!(order(&calls).iter().position(|&call| call == 0), Some(limit));
    }

    #[test]
    fn who_leaves_the_queue_takes_no_permit_along() {
        let queue = CallQueue::new(1);
        let held = queue.permit(client(1), 1).now_or_never().unwrap();
        let mut left = queue.permit(client(2), 1).boxed();
        let mut last = queue.permit(client(3), 9).boxed();
        assert!((&mut left).now_or_never().is_none() && (&mut last).now_or_never().is_none());
        drop(left);
        drop(held);
        let admitted = (&mut last).now_or_never().unwrap();
        assert_eq!(queue.free(), 0);
        drop(admitted);
        assert_eq!(queue.free(), 1);
    }

    #[test]
    fn a_permit_that_was_given_but_not_taken_is_given_back() {
        let queue = CallQueue::new(1);
        let held = queue.permit(client(1), 1).now_or_never().unwrap();
        let mut left = queue.permit(client(2), 1).boxed();
        assert!((&mut left).now_or_never().is_none());
        drop(held);
        assert_eq!(queue.free(), 0, "given to the one that waits");
        drop(left);
        assert_eq!(queue.free(), 1);
    }
}
