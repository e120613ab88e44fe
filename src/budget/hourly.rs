//! Budgets per hour: never more than the limit in any sixty minutes, counted minute by minute.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::budget::client::Client;
use crate::budget::{Budget, Exhausted, Resource, Share};
use crate::clock::Clock;

/// How many minutes what was spent counts.
pub const MINUTES: i64 = 60;

/// A limit per hour on a resource, for each client or for all together.
#[derive(Debug)]
pub struct HourlyBudget {
    resource: Resource,
    share: Share,
    limit: u64,
    clock: Clock,
    /// What was spent in the last hour, by client; under `None` if all share the budget.
    spent: Mutex<HashMap<Option<Client>, Spent>>,
    refusals: AtomicU64,
}

/// An amount that was spent from an account in a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    pub name: String,
    pub minute: i64,
    pub amount: u64,
}

/// What was spent in each minute of the last hour, the oldest first.
#[derive(Debug, Default)]
struct Spent {
    minutes: VecDeque<(i64, u64)>,
    total: u64,
}

impl HourlyBudget {
    /// A budget with nothing spent.
    #[must_use]
    pub fn new(resource: Resource, share: Share, limit: u64, clock: Clock) -> Self {
        let (spent, refusals) = (Mutex::default(), AtomicU64::new(0));
        Self { resource, share, limit, clock, spent, refusals }
    }

    /// Spends an amount; from the client's part if each client has its own.
    ///
    /// # Errors
    /// When less than that is left; nothing is spent then.
    pub fn spend(&self, client: Option<Client>, amount: u64) -> Result<(), Exhausted> {
        self.spend_part(client, amount, 1)
    }

    /// The same, where only one of so many parts of the limit may be spent.
    ///
    /// # Errors
    /// When less than that is left; nothing is spent then.
    pub fn spend_part(&self, client: Option<Client>, amount: u64, parts: u64) -> Result<(), Exhausted> {
        let now = self.clock.now();
        let mut all = self.spent_within_the_hour(now);
        self.fits(all.get(&client), amount, (self.limit / parts).max(1), now)?;
        all.entry(client).or_default().add(minute(now), amount);
        Ok(())
    }

    /// What was spent in each minute of the last hour, by account.
    pub fn minutes(&self) -> Vec<Booked> {
        let all = self.spent_within_the_hour(self.clock.now());
        let of = |(client, spent): (&Option<Client>, &Spent)| {
            let name = self.name(*client);
            let booked = spent.minutes.iter().map(move |(minute, amount)| (name.clone(), *minute, *amount));
            booked.map(|(name, minute, amount)| Booked { name, minute, amount }).collect::<Vec<_>>()
        };
        all.iter().flat_map(of).collect()
    }

    /// The minute of the present, as spending is counted by.
    #[must_use]
    pub fn minute(&self) -> i64 {
        minute(self.clock.now())
    }

    /// Notes that an amount was spent, whatever is left.
    pub fn note(&self, client: Option<Client>, amount: u64) {
        let now = self.clock.now();
        self.spent_within_the_hour(now).entry(client).or_default().add(minute(now), amount);
    }

    /// The refusal of an amount where others have spent as much, minute by minute; it is counted.
    pub fn refused(&self, minutes: Vec<(i64, u64)>, amount: u64) -> Exhausted {
        let total = minutes.iter().map(|(_, amount)| amount).sum();
        let spent = Spent { minutes: minutes.into(), total };
        self.refusal(Some(&spent), amount, self.limit, self.clock.now())
    }

    /// The name of a client's account, or of everybody's.
    #[must_use]
    pub fn name(&self, client: Option<Client>) -> String {
        let account = account(self.resource, self.share);
        client.map_or(account.clone(), |client| format!("{account}:{client}"))
    }

    /// Refuses as [`Self::spend`] would, and spends nothing.
    ///
    /// # Errors
    /// When less than that is left.
    pub fn check(&self, client: Option<Client>, amount: u64) -> Result<(), Exhausted> {
        let now = self.clock.now();
        self.fits(self.spent_within_the_hour(now).get(&client), amount, self.limit, now)
    }

    /// Whether that much of a limit is left to who has spent that; a refusal is counted.
    fn fits(
        &self,
        spent: Option<&Spent>,
        amount: u64,
        limit: u64,
        now: DateTime<Utc>,
    ) -> Result<(), Exhausted> {
        let total = spent.map_or(0, |spent| spent.total);
        let is_left = total.saturating_add(amount) <= limit;
        if is_left { Ok(()) } else { Err(self.refusal(spent, amount, limit, now)) }
    }

    fn refusal(&self, spent: Option<&Spent>, amount: u64, limit: u64, now: DateTime<Utc>) -> Exhausted {
        self.refusals.fetch_add(1, Ordering::Relaxed);
        let left = limit.checked_sub(amount);
        let retry_after = left.map(|left| spent.map_or(Duration::ZERO, |spent| spent.wait(now, left)));
        Exhausted { resource: self.resource, share: self.share, limit, retry_after }
    }

    /// Gives back an amount that was just spent and not used.
    pub fn give_back(&self, client: Option<Client>, amount: u64) {
        if let Some(spent) = self.spent().get_mut(&client) {
            spent.take_back(amount);
        }
    }

    /// Without clients that have spent nothing for an hour, so that the map does not grow without bound.
    fn spent_within_the_hour(&self, now: DateTime<Utc>) -> MutexGuard<'_, HashMap<Option<Client>, Spent>> {
        let mut all = self.spent();
        all.retain(|_, spent| spent.come_to(minute(now)));
        all
    }

    fn spent(&self) -> MutexGuard<'_, HashMap<Option<Client>, Spent>> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Budget for HourlyBudget {
    fn resource(&self) -> Resource {
        self.resource
    }

    fn share(&self) -> Share {
        self.share
    }

    fn limit(&self) -> u64 {
        self.limit
    }

    fn used(&self) -> u64 {
        let now = minute(self.clock.now());
        let mut all = self.spent();
        all.retain(|_, spent| spent.come_to(now));
        all.values().map(|spent| spent.total).max().unwrap_or(0)
    }

    fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }
}

impl Spent {
    /// Drops what was spent more than an hour before that minute; returns whether anything is left.
    fn come_to(&mut self, now: i64) -> bool {
        // If the clock was set back, all earlier spending is shifted back by as much, so that it counts for an hour at most.
        let ahead = self.minutes.back().map_or(0, |(last, _)| (last - now).max(0));
        self.minutes.iter_mut().for_each(|(at, _)| *at -= ahead);
        while let Some(&(_, amount)) = self.minutes.front().filter(|(at, _)| at + MINUTES < now) {
            self.total -= amount;
            self.minutes.pop_front();
        }
        self.total > 0
    }

    fn add(&mut self, now: i64, amount: u64) {
        match self.minutes.back_mut().filter(|(at, _)| *at == now) {
            Some((_, spent)) => *spent += amount,
            None => self.minutes.push_back((now, amount)),
        }
        self.total += amount;
    }

    fn take_back(&mut self, amount: u64) {
        if let Some((_, spent)) = self.minutes.back_mut() {
            let amount = amount.min(*spent);
            *spent -= amount;
            self.total -= amount;
        }
    }

    /// How long until at most `left` of what is spent now still counts.
    fn wait(&self, now: DateTime<Utc>, left: u64) -> Duration {
        let mut total = self.total;
        let last = self.minutes.iter().find_map(|&(at, amount)| {
            total -= amount;
            (total <= left).then_some(at)
        });
        // A minute counts until an hour after it has ended.
        let end = last.map_or(0, |at| (at + 1 + MINUTES) * 60);
        let wait = TimeDelta::seconds(end - now.timestamp()).to_std().unwrap_or_default();
        wait.clamp(Duration::from_secs(1), Duration::from_secs(3660))
    }
}

fn minute(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(60)
}

/// The name of an account that is not a client's.
#[must_use]
pub fn account(resource: Resource, share: Share) -> String {
    format!("{}:{}", resource.as_str(), share.as_str())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn budget(share: Share, limit: u64) -> (Clock, HourlyBudget) {
        let clock = Clock::fixed("2026-09-01T08:00:30Z".parse().unwrap());
        (clock.clone(), HourlyBudget::new(Resource::UpstreamCalls, share, limit, clock))
    }

    fn client(last: u8) -> Option<Client> {
        Some(IpAddr::from([192, 0, 2, last]).into())
    }

    #[test]
    fn never_more_than_the_limit_in_any_hour_and_the_wait_is_true() {
        let (clock, budget) = budget(Share::Everybody, 10);
        budget.spend(None, 6).unwrap();
        clock.advance(30 * MINUTE);
        budget.spend(None, 4).unwrap();
        let refused = budget.spend(None, 1).unwrap_err();
        let wait = refused.retry_after.unwrap();
        assert!(wait <= 32 * MINUTE, "{wait:?}");
        clock.advance(wait - Duration::from_secs(1));
        assert!(budget.spend(None, 1).is_err());
        clock.advance(Duration::from_secs(1));
        budget.spend(None, 6).unwrap();
        assert_eq!((budget.used(), budget.refusals()), (10, 2));
    }

    #[test]
    fn each_client_has_its_own_and_who_has_spent_nothing_for_an_hour_is_forgotten() {
        let (clock, budget) = budget(Share::Client, 2);
        budget.spend(client(1), 2).unwrap();
        assert!(budget.spend(client(1), 1).is_err());
        budget.spend(client(2), 1).unwrap();
        assert_eq!((budget.used(), budget.spent().len()), (2, 2));
        let have_left = |amount| [1, 2, 3].map(|number| budget.check(client(number), amount).is_ok());
        assert_eq!((have_left(1), have_left(2)), ([false, true, true], [false, false, true]));
        clock.advance(62 * MINUTE);
        assert_eq!(have_left(2), [true; 3]);
        assert_eq!((budget.used(), budget.spent().len()), (0, 0));
    }

    #[test]
    fn what_is_more_than_all_of_it_never_fits() {
        let (_, budget) = budget(Share::Client, 2);
        assert_eq!(budget.spend(client(1), 3).unwrap_err().retry_after, None);
        assert_eq!(budget.check(client(1), 3).unwrap_err().retry_after, None);
        assert_eq!(budget.used(), 0, "what was refused was not spent");
    }

    #[test]
    fn what_is_asked_beforehand_is_refused_alike_counted_and_not_spent() {
        let (clock, budget) = budget(Share::Client, 2);
        budget.spend(client(1), 1).unwrap();
        for _ in 0..3 {
            budget.check(client(1), 1).unwrap();
        }
        budget.spend(client(1), 1).unwrap();
        let asked = budget.check(client(1), 1).unwrap_err();
        assert_eq!(asked, budget.spend(client(1), 1).unwrap_err());
        assert_eq!((budget.used(), budget.refusals()), (2, 2));
        clock.advance(asked.retry_after.unwrap());
        budget.check(client(1), 2).unwrap();
    }

    #[test]
    fn what_is_given_back_can_be_spent_again() {
        let (_, budget) = budget(Share::Client, 2);
        budget.spend(client(1), 2).unwrap();
        budget.give_back(client(1), 1);
        budget.spend(client(1), 1).unwrap();
        budget.give_back(client(2), 5);
        assert_eq!(budget.used(), 2);
    }

    #[test]
    fn a_clock_that_is_set_back_neither_frees_the_budget_nor_blocks_it_for_longer_than_an_hour() {
        let (clock, budget) = budget(Share::Everybody, 2);
        budget.spend(None, 1).unwrap();
        clock.set(clock.now() - TimeDelta::days(1));
        budget.spend(None, 1).unwrap();
        let wait = budget.spend(None, 1).unwrap_err().retry_after.unwrap();
        assert!(wait <= 61 * MINUTE, "{wait:?}");
        clock.set(clock.now() + TimeDelta::days(1));
        clock.advance(62 * MINUTE);
        budget.spend(None, 2).unwrap();
    }
}
