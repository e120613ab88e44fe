//! The hourly budgets for upstream requests: per client, for reading ahead, and for all together.

use std::sync::Arc;

use crate::budget::client::Client;
use crate::budget::hourly::HourlyBudget;
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

/// The budgets of requests for figures.
#[derive(Debug, Clone, Default)]
pub struct UpstreamBudgets(Arc<[Arc<HourlyBudget>]>);

impl UpstreamBudgets {
    /// Budgets with nothing spent.
    #[must_use]
    pub fn new(client: HourlyLimits, everybody: HourlyLimits, clock: &Clock) -> Self {
        let part = |limit: Option<u64>| limit.map(|limit| (limit / READ_AHEAD_PART).max(1));
        let ahead = HourlyLimits { calls: part(everybody.calls), cells: part(everybody.cells) };
        // The client's own budgets come first, so that the error names them if both are exhausted.
        let shares = [(Share::Client, client), (Share::ReadAhead, ahead), (Share::Everybody, everybody)];
        let budgets = shares.into_iter().flat_map(|(share, limits)| {
            let limits = [(Resource::UpstreamCalls, limits.calls), (Resource::UpstreamCells, limits.cells)];
            limits.into_iter().filter_map(move |(resource, limit)| {
                Some(Arc::new(HourlyBudget::new(resource, share, limit?, clock.clone())))
            })
        });
        Self(budgets.collect())
    }

    /// Spends one call and its cells from every budget that applies.
    ///
    /// # Errors
    /// When one of them is exhausted; nothing is spent then.
    pub fn spend(&self, requester: Requester, cells: u64) -> Result<(), Exhausted> {
        let mut spent = Vec::new();
        for budget in self.0.iter() {
            let Some(client) = payer(budget.share(), requester) else { continue };
            let amount = if budget.resource() == Resource::UpstreamCalls { 1 } else { cells };
            if let Err(exhausted) = budget.spend(client, amount) {
                for (budget, client, amount) in spent {
                    HourlyBudget::give_back(budget, client, amount);
                }
                return Err(exhausted);
            }
            spent.push((budget, client, amount));
        }
        Ok(())
    }

    /// All budgets, for metrics.
    pub fn iter(&self) -> impl Iterator<Item = Arc<dyn Budget>> {
        self.0.iter().map(|budget| Arc::clone(budget) as Arc<dyn Budget>)
    }
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

    use super::*;

    fn limits(calls: u64, cells: u64) -> HourlyLimits {
        HourlyLimits { calls: Some(calls), cells: Some(cells) }
    }

    fn client(last: u8) -> Requester {
        Requester::Client(IpAddr::from([192, 0, 2, last]).into())
    }

    fn refused(budgets: &UpstreamBudgets, requester: Requester, cells: u64) -> (Share, Resource) {
        let exhausted = budgets.spend(requester, cells).unwrap_err();
        (exhausted.share, exhausted.resource)
    }

    #[test]
    fn a_client_is_stopped_by_its_own_budget_and_others_go_on_until_everybodys_is_used_up() {
        let budgets = UpstreamBudgets::new(limits(2, 1000), limits(3, 1000), &Clock::default());
        budgets.spend(client(1), 10).unwrap();
        budgets.spend(client(1), 10).unwrap();
        assert_eq!(refused(&budgets, client(1), 10), (Share::Client, Resource::UpstreamCalls));
        budgets.spend(client(2), 10).unwrap();
        assert_eq!(refused(&budgets, client(2), 10), (Share::Everybody, Resource::UpstreamCalls));
        assert_eq!(refused(&budgets, Requester::Service, 10), (Share::Everybody, Resource::UpstreamCalls));
    }

    #[test]
    fn what_one_budget_refuses_is_taken_from_none() {
        let budgets = UpstreamBudgets::new(limits(10, 100), limits(10, 150), &Clock::default());
        budgets.spend(client(1), 90).unwrap();
        assert_eq!(refused(&budgets, client(2), 70), (Share::Everybody, Resource::UpstreamCells));
        budgets.spend(client(2), 60).unwrap();
        let used: Vec<u64> = budgets.iter().map(|budget| budget.used()).collect();
        assert_eq!(used, [1, 90, 0, 0, 2, 150]);
    }

    #[test]
    fn read_ahead_has_a_tenth_of_everybodys_and_no_limit_is_no_budget() {
        let budgets = UpstreamBudgets::new(HourlyLimits::default(), limits(20, 1000), &Clock::default());
        budgets.spend(Requester::ReadAhead, 40).unwrap();
        budgets.spend(Requester::ReadAhead, 40).unwrap();
        assert_eq!(refused(&budgets, Requester::ReadAhead, 1), (Share::ReadAhead, Resource::UpstreamCalls));
        budgets.spend(client(1), 100).unwrap();
        let none = UpstreamBudgets::new(HourlyLimits::default(), HourlyLimits::default(), &Clock::default());
        none.spend(client(1), u64::MAX).unwrap();
    }
}
