//! The hourly budgets for upstream requests: per client, for reading ahead, and for all together.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::budget::client::Client;
use crate::budget::hourly::{Booked, HourlyBudget, MINUTES};
use crate::budget::{Budget, Exhausted, Resource, Share};
use crate::clock::Clock;

/// Reading ahead may use one part in so many of the budget for all.
const READ_AHEAD_PART: u64 = 10;

/// On whose behalf the upstream is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requester {
    Client(Client),
    /// Reading ahead.
    ReadAhead,
    /// The service itself, such as its indicators.
    Service,
}

/// Calls and cells per hour; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HourlyLimits {
    pub calls: Option<u64>,
    pub cells: Option<u64>,
}

/// What several bridges spend together.
#[async_trait]
pub trait SharedLedger: Debug + Send + Sync {
    /// Spends amounts of these, all or none. `None` where it cannot be asked: then each bridge has its part of the limits.
    async fn spend(&self, expenses: &[Expense]) -> Option<Result<(), Overspent>>;

    /// Books what was spent while it could not be asked, or what it has lost. Whether it was booked.
    async fn book(&self, booked: &[Booked]) -> bool;

    /// Which ledger it is, if it can be asked: another number for one that has lost what it had.
    fn number(&self) -> Option<u64>;

    /// Into how many parts limits are divided while it cannot be asked.
    fn parts(&self) -> u64;
}

/// What of one's own spending is in the ledger.
#[derive(Debug, Default)]
struct Books {
    ledger: u64,
    unbooked: Vec<Booked>,
}

/// An amount, and the budget that it is spent from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expense {
    /// The budget; of a client, with the client.
    pub name: String,
    pub limit: u64,
    pub amount: u64,
}

/// Which of the expenses was too much, and what was spent in the last hour, minute by minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overspent {
    pub expense: usize,
    pub minutes: Vec<(i64, u64)>,
}

/// The budgets of requests for figures.
#[derive(Debug, Clone, Default)]
pub struct UpstreamBudgets {
    budgets: Arc<[Arc<HourlyBudget>]>,
    /// Where several bridges share them.
    ledger: Option<Arc<dyn SharedLedger>>,
    books: Arc<Mutex<Books>>,
}

impl UpstreamBudgets {
    /// Budgets with nothing spent.
    #[must_use]
    pub fn new(client: HourlyLimits, everybody: HourlyLimits, clock: &Clock) -> Self {
        let part = |limit: Option<u64>| limit.map(|limit| (limit / READ_AHEAD_PART).max(1));
        let ahead = HourlyLimits { calls: part(everybody.calls), cells: part(everybody.cells) };
        // The client's own budgets come first, so that the error names them if both are exhausted.
        let shares = [(Share::Client, client), (Share::ReadAhead, ahead), (Share::Everybody, everybody)];
        let budgets = shares.into_iter().flat_map(|(share, limits)| {
            let limits = Resource::OF_REQUESTS.into_iter().zip([limits.calls, limits.cells]);
            limits.filter_map(move |(resource, limit)| {
                Some(Arc::new(HourlyBudget::new(resource, share, limit?, clock.clone())))
            })
        });
        Self { budgets: budgets.collect(), ledger: None, books: Arc::default() }
    }

    /// The same, shared with other bridges.
    #[must_use]
    pub fn shared(self, ledger: Arc<dyn SharedLedger>) -> Self {
        Self { ledger: Some(ledger), ..self }
    }

    /// Spends one call and its cells from every budget that applies. What other bridges spent counts too; where they cannot be asked, this
    /// one has its part of each limit.
    ///
    /// # Errors
    /// When one of them is exhausted; nothing is spent then.
    pub async fn spend(&self, requester: Requester, cells: u64) -> Result<(), Exhausted> {
        let applying: Vec<_> = self.applying(requester, cells).collect();
        let Some(ledger) = &self.ledger else { return Self::spend_own(&applying, 1) };
        if let Some(number) = ledger.number() {
            self.catch_up(&**ledger, number).await;
            Self::spend_own(&applying, 1)?;
            let spent = ledger.spend(&expenses(&applying)).await;
            if let Some(Ok(())) = spent {
                return Ok(());
            }
            applying.iter().for_each(|(budget, client, amount)| budget.give_back(*client, *amount));
            if let Some(Err(Overspent { expense, minutes })) = spent {
                let (budget, _, amount) = applying[expense];
                return Err(budget.refused(minutes, amount));
            }
        }
        Self::spend_own(&applying, ledger.parts())?;
        let unbooked = |(budget, client, amount): &Applying<'_>| Booked {
            name: budget.name(*client),
            minute: budget.minute(),
            amount: *amount,
        };
        let mut books = self.books();
        // What was spent more than an hour ago counts no longer.
        let begun = applying.first().map_or(i64::MIN, |(budget, ..)| budget.minute() - MINUTES);
        books.unbooked.retain(|booked| booked.minute >= begun);
        books.unbooked.extend(applying.iter().map(unbooked));
        Ok(())
    }

    /// Books what was spent without the ledger, now that it is there.
    pub async fn join(&self) {
        let there = self.ledger.as_ref().and_then(|ledger| Some((ledger, ledger.number()?)));
        if let Some((ledger, number)) = there {
            self.catch_up(&**ledger, number).await;
        }
    }

    /// Books what the ledger does not have of this bridge's spending: what was spent without it, and everything where it is another one.
    async fn catch_up(&self, ledger: &dyn SharedLedger, number: u64) {
        let (missing, is_another) = {
            let mut books = self.books();
            let is_another = std::mem::replace(&mut books.ledger, number) != number;
            (std::mem::take(&mut books.unbooked), is_another)
        };
        let missing = match is_another {
            true => self.budgets.iter().flat_map(|budget| budget.minutes()).collect(),
            false => missing,
        };
        if !missing.is_empty() && !ledger.book(&missing).await {
            self.books().unbooked.extend(missing);
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spends from this bridge's own part of the budgets.
    fn spend_own(applying: &[Applying<'_>], parts: u64) -> Result<(), Exhausted> {
        for (at, (budget, client, amount)) in applying.iter().enumerate() {
            if let Err(exhausted) = budget.spend_part(*client, *amount, parts) {
                for (budget, client, amount) in &applying[..at] {
                    budget.give_back(*client, *amount);
                }
                return Err(exhausted);
            }
        }
        Ok(())
    }

    /// The budgets that a request falls under, with whose account is taken from, and how much.
    fn applying(&self, requester: Requester, cells: u64) -> impl Iterator<Item = Applying<'_>> {
        self.budgets.iter().filter_map(move |budget| {
            let amount = if budget.resource() == Resource::UpstreamCalls { 1 } else { cells };
            Some((budget, payer(budget.share(), requester)?, amount))
        })
    }

    /// All budgets, for metrics.
    pub fn iter(&self) -> impl Iterator<Item = Arc<dyn Budget>> {
        self.budgets.iter().map(|budget| Arc::clone(budget) as Arc<dyn Budget>)
    }
}

/// A budget that a request falls under, whose account is taken from, and how much.
type Applying<'a> = (&'a Arc<HourlyBudget>, Option<Client>, u64);

fn expenses(applying: &[Applying<'_>]) -> Vec<Expense> {
    let expense = |(budget, client, amount): &Applying<'_>| Expense {
        name: budget.name(*client),
        limit: budget.limit(),
        amount: *amount,
    };
    applying.iter().map(expense).collect()
}

/// Whose account a budget is taken from; `None` where the requester does not fall under it.
fn payer(share: Share, requester: Requester) -> Option<Option<Client>> {
    match (share, requester) {
        (Share::Client, Requester::Client(client)) => Some(Some(client)),
        (Share::ReadAhead, Requester::ReadAhead) | (Share::Everybody, _) => Some(None),
        (Share::Client | Share::ReadAhead, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use futures_util::FutureExt;

    use super::*;

    fn limits(calls: u64, cells: u64) -> HourlyLimits {
        HourlyLimits { calls: Some(calls), cells: Some(cells) }
    }

    fn client(last: u8) -> Requester {
        Requester::Client(IpAddr::from([192, 0, 2, last]).into())
    }

    fn spend(budgets: &UpstreamBudgets, requester: Requester, cells: u64) -> Result<(), Exhausted> {
        budgets.spend(requester, cells).now_or_never().unwrap()
    }

    fn refused(budgets: &UpstreamBudgets, requester: Requester, cells: u64) -> (Share, Resource) {
        let exhausted = spend(budgets, requester, cells).unwrap_err();
        (exhausted.share, exhausted.resource)
    }

    #[test]
    fn a_client_is_stopped_by_its_own_budget_and_others_go_on_until_everybodys_is_used_up() {
        let budgets = UpstreamBudgets::new(limits(2, 1000), limits(3, 1000), &Clock::default());
        spend(&budgets, client(1), 10).unwrap();
        spend(&budgets, client(1), 10).unwrap();
        assert_eq!(refused(&budgets, client(1), 10), (Share::Client, Resource::UpstreamCalls));
        spend(&budgets, client(2), 10).unwrap();
        assert_eq!(refused(&budgets, client(2), 10), (Share::Everybody, Resource::UpstreamCalls));
        assert_eq!(refused(&budgets, Requester::Service, 10), (Share::Everybody, Resource::UpstreamCalls));
    }

    #[test]
    fn what_one_budget_refuses_is_taken_from_none() {
        let budgets = UpstreamBudgets::new(limits(10, 100), limits(10, 150), &Clock::default());
        spend(&budgets, client(1), 90).unwrap();
        assert_eq!(refused(&budgets, client(2), 70), (Share::Everybody, Resource::UpstreamCells));
        spend(&budgets, client(2), 60).unwrap();
        let used: Vec<u64> = budgets.iter().map(|budget| budget.used()).collect();
        assert_eq!(used, [1, 90, 0, 0, 2, 150]);
    }

    #[test]
    fn read_ahead_has_a_tenth_of_everybodys_and_no_limit_is_no_budget() {
        let budgets = UpstreamBudgets::new(HourlyLimits::default(), limits(20, 1000), &Clock::default());
        spend(&budgets, Requester::ReadAhead, 40).unwrap();
        spend(&budgets, Requester::ReadAhead, 40).unwrap();
        assert_eq!(refused(&budgets, Requester::ReadAhead, 1), (Share::ReadAhead, Resource::UpstreamCalls));
        spend(&budgets, client(1), 100).unwrap();
        let none = UpstreamBudgets::new(HourlyLimits::default(), HourlyLimits::default(), &Clock::default());
        spend(&none, client(1), u64::MAX).unwrap();
    }
}
