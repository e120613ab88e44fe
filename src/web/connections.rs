//! Open connections: how many there may be, in all and per address, and which one is closed for a new one.
//!
//! A client that opens connections without using them must not take them from others. Where the limit is reached, the connection that
//! has waited longest for its client is closed, and told so if the client has asked meanwhile. A few new ones are kept for a moment, as
//! their clients may be about to ask. Only if nothing can be closed is the new one refused.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

use crate::budget::client::{Client, TrustedProxies};
use crate::budget::{Budget, Exhausted, Resource, Share};

/// When a refused client should try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// One in so many of the connections up to a limit may be kept because it is new: more would keep others out.
const NEW_SHARE: usize = 4;

/// How long the server waits for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// For the body of a request, where nothing or next to nothing arrives.
    pub body: Duration,
    /// For the client to take an answer, where it takes nothing or next to nothing.
    pub write: Duration,
    /// For running requests at shutdown.
    pub stop: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let [head, body, write, stop] = [10, 30, 60, 8].map(Duration::from_secs);
        Self { head, body, write, stop }
    }
}

/// How many connections may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    pub everybody: usize,
    /// Of one address, unless it is a trusted proxy's: a proxy stands for many clients.
    pub per_client: usize,
    /// How long a connection is kept for its first request, even if others need its place, as long as few are so new. Otherwise, where
    /// more clients come than are answered, they would close each other's connections before anybody has asked.
    pub first_request: Duration,
}

/// All open connections.
#[derive(Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    proxies: TrustedProxies,
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    opened: AtomicU64,
    refused: Refusals,
}

#[derive(Debug, Default)]
struct Refusals {
    client: AtomicU64,
    everybody: AtomicU64,
}

/// One connection, as far as others need to know of it.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    is_proxy: bool,
    activity: Mutex<Activity>,
    /// Woken when the connection is to be closed.
    reader: AtomicWaker,
}

#[derive(Debug)]
struct Activity {
    /// Requests so far.
    requests: u64,
    /// Requests that are not answered to the end.
    answering: usize,
    /// Whether the body of a request is awaited.
    awaits_body: bool,
    /// Whether bytes of an answer wait until the client takes them.
    is_writing: bool,
    /// When the client's turn began.
    waiting_since: Instant,
    /// Whose limit the connection is to be closed for.
    closed_for: Option<Share>,
}

/// Whose turn it is on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The service's, which answers.
    Service,
    /// The client's, since then.
    Client(Instant),
    /// The client's, since then, who has had little time for the first request.
    NewClient(Instant),
}

/// Keeps a connection in the list of those that are open until it is dropped.
#[derive(Debug)]
pub struct OpenConnection {
    id: u64,
    connection: Arc<Connection>,
    connections: Arc<Connections>,
}

/// A request that is being answered, until this is dropped.
#[derive(Debug)]
pub struct Answering(Arc<Connection>);

impl Connections {
    /// No connections yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits, proxies: TrustedProxies) -> Self {
        let (open, opened, refused) = (Mutex::default(), AtomicU64::new(0), Refusals::default());
        Self { limits, proxies, open, opened, refused }
    }

    /// Takes on a connection, and closes another for it where there is no room.
    ///
    /// # Errors
    /// When there is no room, and none of the client's connections, or of all, may be closed.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<OpenConnection, Exhausted> {
        let (client, is_proxy) = (Client::from(peer), self.proxies.contains(peer));
        let mut open = self.open();
        let own: Vec<_> = open.values().filter(|one| one.client == client && !one.is_proxy).collect();
        if !is_proxy && !self.make_room(&own, Share::Client) {
            return Err(self.refuse(Share::Client));
        }
        if open.len() >= self.limits.everybody
            && !self.make_room(&open.values().collect::<Vec<_>>(), Share::Everybody)
        {
            return Err(self.refuse(Share::Everybody));
        }
        let id = self.opened.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection::new(client, is_proxy));
        open.insert(id, Arc::clone(&connection));
        Ok(OpenConnection { id, connection, connections: Arc::clone(self) })
    }

    /// Sees to it that there is room for one more beside these, and says whether there is.
    fn make_room(&self, connections: &[&Arc<Connection>], share: Share) -> bool {
        let limit = self.limit(share);
        if connections.len() < limit {
            return true;
        }
        let turns = connections.iter().filter_map(|one| Some((one.turn(self.limits.first_request)?, *one)));
        let turns: Vec<_> = turns.collect();
        if turns.len() < limit {
            return true;
        }
        let new = turns.iter().filter(|(turn, _)| matches!(turn, Turn::NewClient(_))).count();
        let mut waiting: Vec<_> = turns
            .into_iter()
            .filter_map(|(turn, connection)| match turn {
                Turn::Client(since) => Some((since, connection)),
                Turn::NewClient(since) => (new > limit / NEW_SHARE).then_some((since, connection)),
                Turn::Service => None,
            })
            .collect();
        waiting.sort_by_key(|(since, _)| *since);
        waiting.into_iter().any(|(_, connection)| connection.close(share))
    }

    /// The two limits as budgets, for metrics.
    #[must_use]
    pub fn budgets(self: &Arc<Self>) -> [Arc<dyn Budget>; 2] {
        [Share::Client, Share::Everybody].map(|share| {
            Arc::new(ConnectionBudget { connections: Arc::clone(self), share }) as Arc<dyn Budget>
        })
    }

    fn refuse(&self, share: Share) -> Exhausted {
        self.refusals(share).fetch_add(1, Ordering::Relaxed);
        Exhausted {
            resource: Resource::Connections,
            share,
            limit: self.limit(share) as u64,
            retry_after: Some(RETRY_AFTER),
        }
    }

    fn limit(&self, share: Share) -> usize {
        match share {
            Share::Client => self.limits.per_client,
            Share::Everybody | Share::ReadAhead => self.limits.everybody,
        }
    }

    fn refusals(&self, share: Share) -> &AtomicU64 {
        match share {
            Share::Client => &self.refused.client,
            Share::Everybody | Share::ReadAhead => &self.refused.everybody,
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.open().remove(&self.id);
    }
}

impl OpenConnection {
    /// Counts that its client is refused for that limit, and says what it is told.
    #[must_use]
    pub fn count_refusal(&self, share: Share) -> Exhausted {
        self.connections.refuse(share)
    }

    /// The connection.
    #[must_use]
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Connection {
    fn new(client: Client, is_proxy: bool) -> Self {
        let activity = Activity {
            requests: 0,
            answering: 0,
            awaits_body: false,
            is_writing: false,
            waiting_since: Instant::now(),
            closed_for: None,
        };
        Self { client, is_proxy, activity: Mutex::new(activity), reader: AtomicWaker::new() }
    }

    /// Begins to answer a request. If the connection was to be closed since the request was read, it is kept.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> Answering {
        let mut activity = self.activity();
        activity.requests += 1;
        activity.answering += 1;
        activity.closed_for = None;
        Answering(Arc::clone(self))
    }

    /// Says whether the body of a request is awaited from now on.
    pub fn await_body(&self, awaits: bool) {
        let mut activity = self.activity();
        if awaits && !activity.awaits_body {
            activity.waiting_since = Instant::now();
        }
        activity.awaits_body = awaits;
        if !awaits {
            // The body has come, or an answer does without it.
            activity.closed_for = None;
        }
    }

    /// How many requests have begun, and whether one of them is being answered.
    #[must_use]
    pub fn progress(&self) -> (u64, bool) {
        let activity = self.activity();
        (activity.requests, activity.answering > 0)
    }

    /// Says whether bytes of an answer wait until the client takes them.
    pub fn note_writing(&self, is_writing: bool) {
        self.activity().is_writing = is_writing;
    }

    /// Whose limit the connection is to be closed for, if it is; whoever asks is woken then.
    #[must_use]
    pub fn closed_for(&self, context: &mut Context<'_>) -> Option<Share> {
        self.reader.register(context.waker());
        self.activity().closed_for
    }

    /// Has the connection closed, if it is still the client's turn; says whether it is.
    fn close(&self, share: Share) -> bool {
        let mut activity = self.activity();
        if !activity.is_clients_turn() {
            return false;
        }
        activity.closed_for = Some(share);
        drop(activity);
        self.reader.wake();
        true
    }

    /// Whose turn it is, unless the connection is to be closed.
    fn turn(&self, first_request: Duration) -> Option<Turn> {
        let activity = self.activity();
        if activity.closed_for.is_some() {
            return None;
        }
        let since = activity.waiting_since;
        let is_new = activity.requests == 0 && since.elapsed() < first_request;
        Some(match (activity.is_clients_turn(), is_new) {
            (false, _) => Turn::Service,
            (true, false) => Turn::Client(since),
            (true, true) => Turn::NewClient(since),
        })
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Activity {
    /// Whether the client is waited for: for its next request, or for the body of one.
    fn is_clients_turn(&self) -> bool {
        (self.answering == 0 || self.awaits_body) && !self.is_writing
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut activity = self.0.activity();
        activity.answering -= 1;
        activity.awaits_body = false;
        activity.waiting_since = Instant::now();
    }
}

/// One of the two limits.
#[derive(Debug)]
struct ConnectionBudget {
    connections: Arc<Connections>,
    share: Share,
}

impl Budget for ConnectionBudget {
    fn resource(&self) -> Resource {
        Resource::Connections
    }

    fn share(&self) -> Share {
        self.share
    }

    fn limit(&self) -> u64 {
        self.connections.limit(self.share) as u64
    }

    fn used(&self) -> u64 {
        let open = self.connections.open();
        let kept = open.values().filter(|connection| connection.activity().closed_for.is_none());
        match self.share {
            Share::Client => {
                let mut counts: HashMap<Client, u64> = HashMap::new();
                for connection in kept.filter(|connection| !connection.is_proxy) {
                    *counts.entry(connection.client).or_default() += 1;
                }
                counts.into_values().max().unwrap_or(0)
            }
            Share::Everybody | Share::ReadAhead => kept.count() as u64,
        }
    }

    fn refusals(&self) -> u64 {
        self.connections.refusals(self.share).load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn connections(everybody: usize, per_client: usize) -> Arc<Connections> {
        patient_connections(everybody, per_client, Duration::ZERO)
    }

    fn patient_connections(everybody: usize, per_client: usize, first_request: Duration) -> Arc<Connections> {
        let limits = ConnectionLimits { everybody, per_client, first_request };
        Arc::new(Connections::new(limits, "10.0.0.1".parse().unwrap()))
    }

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn is_closed(open: &OpenConnection) -> bool {
        open.connection.closed_for(&mut Context::from_waker(Waker::noop())).is_some()
    }

    #[test]
    fn a_client_at_its_limit_loses_the_connection_that_it_left_waiting_longest() {
        let connections = connections(100, 3);
        let mut open: Vec<_> = (0..3).map(|_| connections.admit(address(1)).unwrap()).collect();
        let other = connections.admit(address(2)).unwrap();
        let _answering = open[0].connection.begin();
        open.push(connections.admit(address(1)).unwrap());
        assert_eq!(open.iter().map(is_closed).collect::<Vec<_>>(), [false, true, false, false]);
        assert!(!is_closed(&other));
    }

    #[test]
    fn only_if_all_are_being_answered_is_a_new_one_refused() {
        let connections = connections(2, 2);
        let open: Vec<_> = (1..=2).map(|last| connections.admit(address(last)).unwrap()).collect();
        let answering: Vec<_> = open.iter().map(|open| open.connection.begin()).collect();
        let refused = connections.admit(address(3)).unwrap_err();
        assert_eq!(refused.share, Share::Everybody);
        open[1].connection.await_body(true);
        connections.admit(address(3)).unwrap();
        assert!(is_closed(&open[1]), "a body that does not come is no reason to keep a connection");
        drop(answering);
        assert_eq!(connections.budgets().map(|budget| (budget.used(), budget.refusals())), [(1, 0), (1, 1)]);
    }

    #[test]
    fn a_new_connection_is_kept_for_its_first_request_unless_many_are_new() {
        let connections = patient_connections(8, 8, Duration::from_secs(3600));
        let mut open: Vec<_> = (1..=8).map(|last| connections.admit(address(last)).unwrap()).collect();
        for used in &open[2..] {
            drop(used.connection.begin());
        }
        let mut closed = |last| {
            open.push(connections.admit(address(last)).unwrap());
            open.iter().enumerate().filter(|(_, open)| is_closed(open)).map(|(at, _)| at).collect::<Vec<_>>()
        };
        assert_eq!(closed(9), [2], "two are new");
        assert_eq!(closed(10), [0, 2], "three are");
    }

    #[test]
    fn a_request_that_begins_keeps_its_connection_which_was_to_be_closed() {
        let connections = connections(1, 1);
        let first = connections.admit(address(1)).unwrap();
        let _second = connections.admit(address(2)).unwrap();
        assert!(is_closed(&first));
        let _answering = first.connection.begin();
        assert!(!is_closed(&first));
        assert!(!first.connection.close(Share::Everybody), "it is the service's turn");
    }

    #[test]
    fn an_answer_that_its_client_has_not_taken_keeps_the_connection() {
        let connections = connections(1, 1);
        let first = connections.admit(address(1)).unwrap();
        drop(first.connection.begin());
        first.connection.note_writing(true);
        assert!(connections.admit(address(2)).is_err());
        first.connection.note_writing(false);
        connections.admit(address(2)).unwrap();
        assert!(is_closed(&first));
    }

    #[test]
    fn a_trusted_proxy_is_not_one_client() {
        let connections = connections(10, 1);
        let open: Vec<_> = (0..5).map(|_| connections.admit([10, 0, 0, 1].into()).unwrap()).collect();
        assert!(!open.iter().any(is_closed));
        drop(open);
        assert!(connections.open().is_empty());
    }
}
