//! The schedule of the indicators: each is refreshed about once an hour, sooner after a failure, one at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::clock::{Clock, is_within};
use crate::indicators::collector::Collector;
use crate::indicators::definition::{Definition, IndicatorId};

/// The intervals of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two refreshes of an indicator, varied by up to a tenth so that they spread out.
    pub interval: Duration,
    /// After a first failure; doubled after each further one, up to `interval`.
    pub retry: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { interval: Duration::from_secs(3600), retry: Duration::from_secs(60) }
    }
}

/// When an indicator was last refreshed, and when it will be next.
#[derive(Debug, Clone)]
struct Turn {
    had_at: DateTime<Utc>,
    /// Until the next refresh.
    pause: Duration,
    failures: u32,
    /// What was refreshed. If the id has another definition now, the indicator is due at once.
    definition: Arc<Definition>,
}

/// Refreshes indicators until `stop` becomes true or its sender is dropped, then saves the figures to disk, as after each refresh. A
/// refresh that is running then is cancelled. All indicators are due at the start; those defined later are due at once.
pub async fn run(collector: Arc<Collector>, pace: Pace, clock: Clock, mut stop: watch::Receiver<bool>) {
    let mut turns = HashMap::new();
    tokio::select! {
        () = refresh_for_ever(&collector, pace, &clock, &mut turns) => {}
        _ = stop.wait_for(|stopped| *stopped) => {}
    }
    save(&collector).await;
}

async fn refresh_for_ever(
    collector: &Arc<Collector>,
    pace: Pace,
    clock: &Clock,
    turns: &mut HashMap<IndicatorId, Turn>,
) {
    loop {
        let due = due(collector, clock.now(), turns);
        for definition in &due {
            let up = collector.refresh(definition.id.as_str()).await;
            let failures = if up {
                0
            } else {
                turns.get(&definition.id).map_or(1, |turn| turn.failures.saturating_add(1))
            };
            let (had_at, pause) = (clock.now(), pace.pause(failures));
            let turn = Turn { had_at, pause, failures, definition: Arc::clone(definition) };
            turns.insert(definition.id.clone(), turn);
            // A kill loses no more than the one that is being refreshed.
            save(collector).await;
        }
        clock.sleep(pace.look()).await;
    }
}

/// The indicators that are due. Forgets the turns of those whose definition has changed or is gone.
fn due(
    collector: &Collector,
    now: DateTime<Utc>,
    turns: &mut HashMap<IndicatorId, Turn>,
) -> Vec<Arc<Definition>> {
    let snapshot = Arc::clone(&collector.published().snapshot);
    turns.retain(|id, turn| {
        snapshot.indicator(id.as_str()).is_some_and(|state| state.definition.same_figures(&turn.definition))
    });
    let waits = |turn: &Turn| is_within(turn.pause, turn.had_at, now);
    let definitions = snapshot.indicators.iter().map(|state| &state.definition);
    let due = definitions.filter(|it| !turns.get(&it.id).is_some_and(waits));
    due.cloned().collect()
}

async fn save(collector: &Arc<Collector>) {
    let collector = Arc::clone(collector);
    if let Err(error) = tokio::task::spawn_blocking(move || collector.save()).await {
        tracing::error!(%error, "indicators were not kept on disk");
    }
}

impl Pace {
    /// The pause until the next refresh after that many failures in a row.
    fn pause(self, failures: u32) -> Duration {
        let whole = match failures.checked_sub(1) {
            None => self.interval,
            Some(doublings) => self.retry.saturating_mul(2_u32.saturating_pow(doublings)).min(self.interval),
        };
        whole.mul_f64(0.9 + 0.2 * fastrand::f64())
    }

    /// The pause until the schedule is checked again.
    fn look(self) -> Duration {
        (self.retry / 2).min(Duration::from_secs(5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_tried_again_soon_and_then_ever_later_up_to_the_interval() {
        let pace = Pace { interval: Duration::from_secs(3600), retry: Duration::from_secs(60) };
        for (failures, seconds) in
            [(0, 3600.0), (1, 60.0), (2, 120.0), (3, 240.0), (7, 3600.0), (u32::MAX, 3600.0)]
        {
            let pause = pace.pause(failures).as_secs_f64();
            assert!((seconds * 0.9..=seconds * 1.1).contains(&pause), "{failures} failures: {pause} s");
        }
        let pauses: std::collections::HashSet<_> = (0..20).map(|_| pace.pause(0)).collect();
        assert!(pauses.len() > 1, "without jitter all indicators would be due together");
    }
}
