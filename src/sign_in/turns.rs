//! Whose turn it is to have a password computed. Hashes are made to take long, so that few are computed at a time; and a client that has
//! signed in before never waits behind those that have not, however many they are.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::budget::client::Client;

/// Hashes that are computed at a time: each takes a core and 19 MB.
const AT_ONCE: usize = 2;
/// Of these, for strangers.
const STRANGERS_AT_ONCE: usize = 1;
/// How long a password waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most clients that are known to have signed in; all are forgotten then.
const MOST_FAMILIAR: usize = 10_000;

/// Gives turns.
pub(super) struct Turns {
    /// The clients of whom a password is computed or waits for it: one of each at a time, so that who sends many waits behind itself.
    lanes: Mutex<HashMap<Client, Arc<Semaphore>>>,
    /// The clients that have signed in with a password since the start; all others are strangers.
    familiar: Mutex<HashSet<Client>>,
    strangers: Arc<Semaphore>,
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
        Self {
            lanes: Mutex::default(),
            familiar: Mutex::default(),
            strangers: of(STRANGERS_AT_ONCE),
            all: of(AT_ONCE),
            patience,
        }
    }

    /// Waits for a client's turn; `None` if it takes too long.
    pub async fn turn(&self, client: Client) -> Option<Turn> {
        let strangers = (!self.familiar().contains(&client)).then(|| Arc::clone(&self.strangers));
        let queues = [Some(self.lane(client)), strangers, Some(Arc::clone(&self.all))];
        let wait = async {
            let mut held = Vec::new();
            for queue in queues.into_iter().flatten() {
                held.push(queue.acquire_owned().await.ok()?);
            }
            Some(Turn { _held: held })
        };
        tokio::time::timeout(self.patience, wait).await.ok().flatten()
    }

    /// Makes a client familiar: its password was right.
    pub fn signed_in(&self, client: Client) {
        let mut familiar = self.familiar();
        if familiar.len() >= MOST_FAMILIAR {
            familiar.clear();
        }
        familiar.insert(client);
    }

    fn familiar(&self) -> MutexGuard<'_, HashSet<Client>> {
        self.familiar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lane(&self, client: Client) -> Arc<Semaphore> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        Arc::clone(lanes.entry(client).or_insert_with(|| Arc::new(Semaphore::new(1))))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn client(number: usize) -> Client {
        let network = u32::from(Ipv4Addr::new(10, 0, 0, 0));
        IpAddr::from(Ipv4Addr::from(network + u32::try_from(number).unwrap())).into()
    }

    #[tokio::test]
    async fn one_stranger_two_clients_and_one_of_each_have_a_turn_at_a_time() {
        let turns = Turns::waited_for(Duration::from_millis(20));
        [3, 4].into_iter().for_each(|number| turns.signed_in(client(number)));
        let stranger = turns.turn(client(1)).await.unwrap();
        assert!(turns.turn(client(2)).await.is_none(), "one stranger at a time");
        let familiar = turns.turn(client(3)).await.unwrap();
        assert!(turns.turn(client(4)).await.is_none(), "two at a time");
        drop(familiar);
        assert!(turns.turn(client(2)).await.is_none());
        let familiar = turns.turn(client(3)).await.unwrap();
        drop(stranger);
        assert!(turns.turn(client(3)).await.is_none(), "one of each client");
        assert!(turns.turn(client(2)).await.is_some());
        assert!(turns.turn(client(4)).await.is_some());
        drop(familiar);
        turns.lane(client(5));
        assert_eq!(turns.lanes.lock().unwrap().len(), 1, "who waits for nothing is forgotten");
    }

    #[tokio::test]
    async fn a_hundred_strangers_that_wait_never_keep_a_familiar_client_out() {
        let turns = Arc::new(Turns::waited_for(Duration::from_secs(60)));
        turns.signed_in(client(0));
        let first = turns.turn(client(1)).await.unwrap();
        let waiting: Vec<_> = (2..=101)
            .map(|number| {
                let turns = Arc::clone(&turns);
                tokio::spawn(async move { turns.turn(client(number)).await.is_some() })
            })
            .collect();
        while turns.lanes.lock().unwrap().len() < 101 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            let turn = tokio::time::timeout(Duration::from_millis(500), turns.turn(client(0))).await;
            assert!(turn.is_ok_and(|turn| turn.is_some()), "the other turn is kept free");
        }
        assert!(waiting.iter().all(|stranger| !stranger.is_finished()));
        drop(first);
        for stranger in waiting {
            assert!(stranger.await.unwrap(), "strangers have their turns one after another");
        }
    }

    #[tokio::test]
    async fn who_signs_in_is_familiar_until_too_many_are() {
        let turns = Turns::waited_for(Duration::from_millis(20));
        (0..MOST_FAMILIAR).for_each(|number| turns.signed_in(client(number)));
        assert_eq!(turns.familiar().len(), MOST_FAMILIAR);
        let _stranger = turns.turn(client(MOST_FAMILIAR)).await.unwrap();
        assert!(turns.turn(client(0)).await.is_some());
        turns.signed_in(client(MOST_FAMILIAR));
        assert_eq!(turns.familiar().len(), 1);
        assert!(turns.turn(client(0)).await.is_none(), "a stranger again");
    }
}
