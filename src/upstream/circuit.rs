//! Circuit breakers: after several failures in a row no calls are made for a while, then one call probes the upstream.
//!
//! Each table has its own, so that a table that always fails does not keep others from being read. A common one stands for the upstream as
//! a whole; there a single table's failures count only so often that other failures must join them to open it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::catalogue::id::MeasurementId;
use crate::clock::Clock;
use crate::observe::news::{Announcements, Facts, Informed, Topic};

/// How many failures in a row open the circuit.
const FAILURES: u32 = 5;
/// How many failures of one table in a row count for the upstream as a whole.
const FAILURES_OF_ONE_TABLE: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The circuit breakers of an upstream.
#[derive(Debug)]
pub struct Circuits {
    common: Circuit,
    tables: Mutex<HashMap<MeasurementId, Circuit>>,
}

/// Permission for one call from all circuits that it falls under.
#[derive(Debug)]
pub struct CallPermits {
    table: Option<(MeasurementId, CallPermit)>,
    common: CallPermit,
}

impl Circuits {
    /// Closed circuits: all calls are permitted.
    #[must_use]
    pub fn new(clock: Clock, announcements: Announcements) -> Self {
        Self { common: Circuit::new(String::new(), clock, announcements), tables: Mutex::default() }
    }

    /// Whether calls are held back whatever their table.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.common.is_open()
    }

    /// Permission to make one call.
    ///
    /// # Errors
    /// With the time to wait, if the circuit of the table or the common one does not permit it.
    pub fn admit(&self, table: Option<&MeasurementId>) -> Result<CallPermits, Duration> {
        let table = match table {
            Some(table) => Some((table.clone(), self.of_table(table).admit()?)),
            None => None,
        };
        Ok(CallPermits { table, common: self.common.admit()? })
    }

    fn of_table(&self, table: &MeasurementId) -> Circuit {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let circuit = || {
            let (clock, announcements) = (self.common.clock.clone(), self.common.announcements.clone());
            Circuit::new(table.to_string(), clock, announcements)
        };
        tables.entry(table.clone()).or_insert_with(circuit).clone()
    }
}

/// Circuits that other bridges have opened or closed.
impl Informed for Circuits {
    fn facts(&self) -> Facts {
        Facts::new()
    }

    fn adopt(&self, facts: Facts) {
        for (name, milliseconds) in facts {
            let table = MeasurementId::from(name.as_str());
            let circuit = if name.is_empty() { self.common.clone() } else { self.of_table(&table) };
            let pause = milliseconds.parse().map_or(FIRST_PAUSE, Duration::from_millis).min(LONGEST_PAUSE);
            circuit.adopt(pause);
        }
    }
}

impl CallPermits {
    /// Reports that the upstream answered.
    pub fn succeeded(self) {
        if let Some((_, permit)) = self.table {
            permit.succeeded();
        }
        self.common.succeeded();
    }

    /// Reports a failure that the call's own size may have caused. It counts for nothing, unless the call is a probe.
    pub fn undecided(self) {
        if let Some((_, permit)) = self.table {
            permit.undecided();
        }
        self.common.undecided();
    }

    /// Reports a failure: of the upstream as a whole, or perhaps of the table alone.
    pub fn failed(self, as_a_whole: bool) {
        let table = self.table.map(|(table, permit)| {
            permit.failed(None);
            table
        });
        self.common.failed(table.as_ref().filter(|_| !as_a_whole));
    }
}

/// One circuit breaker. Cheap to clone; clones share its state.
#[derive(Debug, Clone)]
struct Circuit {
    /// Its table; empty for the common one.
    name: String,
    clock: Clock,
    announcements: Announcements,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// How many of them each table has.
    tables: HashMap<MeasurementId, u32>,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    since: DateTime<Utc>,
    pause: Duration,
    probing: bool,
}

/// Permission for one call. Dropping it without reporting an outcome does not change the circuit.
#[derive(Debug)]
struct CallPermit {
    circuit: Circuit,
    is_probe: bool,
}

impl Circuit {
    /// A closed circuit: all calls are permitted.
    fn new(name: String, clock: Clock, announcements: Announcements) -> Self {
        Self { name, clock, announcements, state: Arc::default() }
    }

    /// Opens for that long as another bridge has; closes where the pause is none.
    fn adopt(&self, pause: Duration) {
        let open = Open { since: self.clock.now(), pause, probing: false };
        *self.state() = State { open: (!pause.is_zero()).then_some(open), ..State::default() };
    }

    /// Tells other bridges that it opened for so long, or has closed.
    fn announce(&self, pause: Duration) {
        self.announcements.tell(Topic::Circuits, || vec![(self.name.clone(), pause.as_millis().to_string())]);
    }

    /// Whether the circuit is open, so that only probes are permitted.
    fn is_open(&self) -> bool {
        self.state().open.is_some()
    }

    /// Permission to make one call.
    ///
    /// # Errors
    /// With the time to wait, if the circuit is open and it is too early for a probe or a probe is running.
    fn admit(&self) -> Result<CallPermit, Duration> {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(open) = &mut state.open else {
            return Ok(CallPermit { circuit: self.clone(), is_probe: false });
        };
        match open.wait(now) {
            Some(wait) => Err(wait),
            None if open.probing => Err(open.pause),
            None => {
                open.probing = true;
                Ok(CallPermit { circuit: self.clone(), is_probe: true })
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// The time until a probe is permitted. If the clock was set back, it is permitted at once.
    fn wait(self, now: DateTime<Utc>) -> Option<Duration> {
        let passed = (now - self.since).to_std().ok()?;
        self.pause.checked_sub(passed).filter(|left| !left.is_zero())
    }
}

impl CallPermit {
    /// Reports that the upstream answered.
    fn succeeded(self) {
        let mut state = self.circuit.state();
        // Only the probe closes an open circuit; a late answer to an earlier call does not show that the upstream works now.
        if self.is_probe || state.open.is_none() {
            let has_closed = std::mem::take(&mut *state).open.is_some();
            if has_closed {
                self.circuit.announce(Duration::ZERO);
            }
        }
    }

    /// Reports a failure that the call's own size may have caused.
    fn undecided(self) {
        if self.is_probe {
            self.failed(None);
        }
    }

    /// Reports a failure. If it may concern one table alone, it counts only as often as one table's failures may.
    fn failed(self, table: Option<&MeasurementId>) {
        let mut state = self.circuit.state();
        if let Some(table) = table {
            let failures = state.tables.entry(table.clone()).or_default();
            *failures += 1;
            if *failures > FAILURES_OF_ONE_TABLE && !self.is_probe {
                return;
            }
        }
        state.failures = state.failures.saturating_add(1);
        let pause = match state.open {
            Some(open) if self.is_probe => (open.pause * 2).min(LONGEST_PAUSE),
            None if state.failures >= FAILURES => FIRST_PAUSE,
            _ => return,
        };
        state.open = Some(Open { since: self.circuit.clock.now(), pause, probing: false });
        self.circuit.announce(pause);
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        if self.is_probe
            && let Some(open) = &mut self.circuit.state().open
        {
            open.probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circuit() -> (Clock, Circuit) {
        let clock = Clock::fixed("2026-09-01T08:00:00Z".parse().unwrap());
        (clock.clone(), Circuit::new(String::new(), clock, Announcements::default()))
    }

    fn fail(circuit: &Circuit, times: u32) {
        for _ in 0..times {
            circuit.admit().unwrap().failed(None);
        }
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_success_between_starts_over() {
        let (_, circuit) = circuit();
        fail(&circuit, 4);
        circuit.admit().unwrap().succeeded();
        fail(&circuit, 4);
        assert!(!circuit.is_open());
        fail(&circuit, 1);
        assert_eq!(circuit.admit().unwrap_err(), Duration::from_secs(30));
    }

    #[test]
    fn each_failed_probe_doubles_the_pause_up_to_ten_minutes() {
        let (clock, circuit) = circuit();
        fail(&circuit, 5);
        for seconds in [30, 60, 120, 240, 480, 600, 600] {
            let pause = Duration::from_secs(seconds);
            assert_eq!(circuit.admit().unwrap_err(), pause);
            clock.advance(pause);
            circuit.admit().unwrap().failed(None);
        }
    }

    #[test]
    fn one_probe_goes_out_at_a_time_and_its_success_closes_the_circuit() {
        let (clock, circuit) = circuit();
        fail(&circuit, 5);
        clock.advance(FIRST_PAUSE);
        let probe = circuit.admit().unwrap();
        assert!(circuit.admit().is_err());
        probe.succeeded();
        assert!(!circuit.is_open());
        fail(&circuit, 4);
        assert!(!circuit.is_open(), "the count starts anew");
    }

    #[test]
    fn a_probe_that_is_given_up_lets_the_next_one_go() {
        let (clock, circuit) = circuit();
        fail(&circuit, 5);
        clock.advance(FIRST_PAUSE);
        drop(circuit.admit().unwrap());
        assert!(circuit.is_open());
        circuit.admit().unwrap().succeeded();
        assert!(!circuit.is_open());
    }

    #[test]
    fn questions_that_may_be_too_large_open_nothing_but_do_not_close_it_either() {
        let (clock, circuit) = circuit();
        (0..20).for_each(|_| circuit.admit().unwrap().undecided());
        assert!(!circuit.is_open());
        fail(&circuit, 5);
        clock.advance(FIRST_PAUSE);
        circuit.admit().unwrap().undecided();
        assert_eq!(circuit.admit().unwrap_err(), FIRST_PAUSE * 2, "the pause grows as after any failure");
    }

    #[test]
    fn a_clock_that_is_set_back_a_day_does_not_keep_it_open_for_a_day() {
        let (clock, circuit) = circuit();
        fail(&circuit, 5);
        clock.set(clock.now() - chrono::Duration::days(1));
        circuit.admit().unwrap().succeeded();
        assert!(!circuit.is_open());
    }

    #[test]
    fn calls_from_before_it_opened_neither_close_it_nor_lengthen_the_pause() {
        let (_, circuit) = circuit();
        let (late_success, late_failure) = (circuit.admit().unwrap(), circuit.admit().unwrap());
        fail(&circuit, 5);
        late_success.succeeded();
        late_failure.failed(None);
        assert_eq!(circuit.admit().unwrap_err(), FIRST_PAUSE);
    }

    #[test]
    fn a_table_that_always_fails_holds_back_itself_and_no_other() {
        let clock = Clock::fixed("2026-09-01T08:00:00Z".parse().unwrap());
        let circuits = Circuits::new(clock.clone(), Announcements::default());
        let (broken, also_broken, healthy) = ("y1".into(), "y2".into(), "y3".into());
        for table in [&broken, &also_broken] {
            (0..5).for_each(|_| circuits.admit(Some(table)).unwrap().failed(false));
            assert_eq!(circuits.admit(Some(table)).unwrap_err(), FIRST_PAUSE);
        }
        assert!(!circuits.is_open());
        circuits.admit(Some(&healthy)).unwrap().succeeded();
        clock.advance(FIRST_PAUSE);
        circuits.admit(Some(&broken)).unwrap().succeeded();
        circuits.admit(Some(&broken)).unwrap().succeeded();
    }

    #[test]
    fn failures_of_several_tables_or_of_the_whole_open_the_common_circuit() {
        let clock = Clock::fixed("2026-09-01T08:00:00Z".parse().unwrap());
        let circuits = Circuits::new(clock.clone(), Announcements::default());
        for (table, times) in [("y1", 2), ("y2", 2), ("y3", 1)] {
            assert!(!circuits.is_open());
            (0..times).for_each(|_| circuits.admit(Some(&table.into())).unwrap().failed(false));
        }
        assert!(circuits.is_open() && circuits.admit(Some(&"y4".into())).is_err());
        let circuits = Circuits::new(clock, Announcements::default());
        (0..5).for_each(|_| circuits.admit(Some(&"y1".into())).unwrap().failed(true));
        assert!(circuits.is_open());
    }
}
