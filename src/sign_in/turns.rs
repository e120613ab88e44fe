//! Whose turn it is to have a password computed. Hashes are made to take long, so that few are computed at a time, and nobody who sends
//! many keeps others out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::budget::client::Client;

/// Hashes that are computed at a time: each takes a core and 19 MB.
const AT_ONCE: usize = 2;
/// How long a password waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Gives turns.
pub(super) struct Turns {
    /// The clients of whom a password is computed or waits for it: one of each at a time, so that who sends many waits behind itself.
    lanes: Mutex<HashMap<Client, Arc<Semaphore>>>,
    /// One at a time of all clients that guessed wrong within the hour, so that a turn is always near for who did not.
    suspects: Arc<Semaphore>,
    all: Arc<Semaphore>,
    patience: Duration,
}

/// A turn; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _held: Vec<OwnedSemaphorePermit>,
}

impl Default for Turns {
    fn default() -> Self {
        Self::waited_for(PATIENCE)
    }
}

impl Turns {
    pub fn waited_for(patience: Duration) -> Self {
        let of = |number| Arc::new(Semaphore::new(number));
        Self { lanes: Mutex::default(), suspects: of(1), all: of(AT_ONCE), patience }
    }

    /// Waits for a client's turn; `None` if it takes too long.
    pub async fn turn(&self, client: Client, has_guessed_wrong: bool) -> Option<Turn> {
        let suspects = has_guessed_wrong.then(|| Arc::clone(&self.suspects));
        let queues = [Some(self.lane(client)), suspects, Some(Arc::clone(&self.all))];
        let wait = async {
            let mut held = Vec::new();
            for queue in queues.into_iter().flatten() {
                held.push(queue.acquire_owned().await.ok()?);
            }
            Some(Turn { _held: held })
        };
        tokio::time::timeout(self.patience, wait).await.ok().flatten()
    }

    fn lane(&self, client: Client) -> Arc<Semaphore> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        Arc::clone(lanes.entry(client).or_insert_with(|| Arc::new(Semaphore::new(1))))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn client(last: u8) -> Client {
        IpAddr::from([192, 0, 2, last]).into()
    }

    #[tokio::test]
    async fn who_guessed_wrong_waits_behind_others_who_did_and_not_before_those_who_did_not() {
        let turns = Turns::waited_for(Duration::from_millis(20));
        let suspect = turns.turn(client(1), true).await.unwrap();
        assert!(turns.turn(client(2), true).await.is_none(), "one of those who guessed wrong at a time");
        let innocent = turns.turn(client(3), false).await.unwrap();
        assert!(turns.turn(client(4), false).await.is_none(), "two at a time");
        drop(innocent);
        assert!(turns.turn(client(2), true).await.is_none());
        assert!(turns.turn(client(1), false).await.is_none(), "one of each client");
        let innocent = turns.turn(client(4), false).await.unwrap();
        drop((suspect, innocent));
        assert!(turns.turn(client(2), true).await.is_some());
        turns.lane(client(5));
        assert_eq!(turns.lanes.lock().unwrap().len(), 1, "who waits for nothing is forgotten");
    }
}
