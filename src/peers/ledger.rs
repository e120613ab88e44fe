//! The hourly budgets of all bridges together: what was spent in each minute, by budget. All of a request's expenses are booked at once, or
//! none is.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use redis::Script;

use crate::budget::hourly::{Booked, MINUTES, account};
use crate::budget::upstream::{Expense, Overspent, SharedLedger};
use crate::budget::{Resource, Share, Spent};
use crate::clock::Clock;
use crate::peers::link::{Away, Link};

/// How long a client's book is kept after the last entry, in seconds: more than the hour that counts. Those of everybody stay, so that a Redis
/// without room does not drop them.
const KEPT: &str = "7500";

/// What was spent from a book within so many MINUTES; what is no number, or of another hour, is dropped.
const WITHIN_THE_HOUR: &str = "local function within_the_hour(book, now)
    local spent, minutes, entries = 0, {}, redis.call('HGETALL', book)
    for at = 1, #entries, 2 do
        local minute, amount = tonumber(entries[at]), tonumber(entries[at + 1])
        if not minute or not amount or minute + MINUTES < now or minute > now + MINUTES then
            redis.call('HDEL', book, entries[at])
        else
            spent = spent + amount
            minutes[#minutes + 1] = entries[at]
            minutes[#minutes + 1] = entries[at + 1]
        end
    end
    return spent, minutes
end
";

/// A script that looks at what was spent.
fn script_on_books(script: &str) -> Script {
    Script::new(&format!("local MINUTES = {MINUTES} {WITHIN_THE_HOUR} {script}"))
}

/// Books expenses: `{}`, or which was too much, counted from 0, and what was spent in which minute.
static SPEND: LazyLock<Script> = LazyLock::new(|| {
    script_on_books(
        "for at, book in ipairs(KEYS) do
             local limit, amount = tonumber(ARGV[2 * at + 1]), tonumber(ARGV[2 * at + 2])
             local spent, minutes = within_the_hour(book, tonumber(ARGV[1]))
             if spent + amount > limit then
                 table.insert(minutes, 1, tostring(at - 1))
                 return minutes
             end
         end
         for at, book in ipairs(KEYS) do
             redis.call('HINCRBY', book, ARGV[1], ARGV[2 * at + 2])
             if string.find(book, ':client:') then redis.call('EXPIRE', book, ARGV[2]) end
         end
         return {}",
    )
});

/// Books amounts as they are.
static BOOK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "for at, book in ipairs(KEYS) do
             redis.call('HINCRBY', book, ARGV[2 * at], ARGV[2 * at + 1])
             if string.find(book, ':client:') then redis.call('EXPIRE', book, ARGV[1]) end
         end
         return 1",
    )
});

/// What was spent from books in the last hour; nil for one that there is not.
static SPENT: LazyLock<Script> = LazyLock::new(|| {
    script_on_books(
        "local spent = {}
         for at, book in ipairs(KEYS) do
             local is_book = redis.call('TYPE', book).ok == 'hash'
             spent[at] = is_book and within_the_hour(book, tonumber(ARGV[1])) or false
         end
         return spent",
    )
});

/// The calls for figures of all bridges in the last hour, and their cells; `None` for what has no limit.
///
/// # Errors
/// When Redis is away.
pub async fn spent_by_all(link: &Link, now: DateTime<Utc>) -> Result<Spent, Away> {
    let minute = now.timestamp().div_euclid(60).to_string();
    let names = Resource::OF_REQUESTS.map(|resource| key(&account(resource, Share::Everybody)));
    let names = names.each_ref().map(String::as_str);
    let (calls, cells) = link.script(&SPENT, &names, &[minute.as_bytes()]).await?;
    Ok([calls, cells])
}

/// The budgets as Redis has them.
#[derive(Debug)]
pub struct RedisLedger {
    link: Arc<Link>,
    clock: Clock,
    peers: usize,
}

impl RedisLedger {
    /// The books of so many bridges.
    #[must_use]
    pub fn new(link: Arc<Link>, clock: Clock, peers: usize) -> Self {
        Self { link, clock, peers }
    }
}

#[async_trait]
impl SharedLedger for RedisLedger {
    async fn spend(&self, expenses: &[Expense]) -> Option<Result<(), Overspent>> {
        if expenses.is_empty() {
            return Some(Ok(()));
        }
        let minute = self.clock.now().timestamp().div_euclid(60);
        let mut arguments = vec![minute.to_string(), KEPT.to_owned()];
        arguments.extend(
            expenses.iter().flat_map(|expense| [expense.limit.to_string(), expense.amount.to_string()]),
        );
        let names: Vec<String> = expenses.iter().map(|expense| key(&expense.name)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        let answer: Vec<String> = self.link.script(&SPEND, &names, &arguments).await.ok()?;
        let mut numbers: VecDeque<i64> = answer.iter().filter_map(|number| number.parse().ok()).collect();
        let Some(expense) = numbers.pop_front() else { return Some(Ok(())) };
        let expense = usize::try_from(expense).ok().filter(|expense| *expense < expenses.len())?;
        let mut minutes: Vec<(i64, u64)> =
            numbers.make_contiguous().chunks_exact(2).map(|pair| (pair[0], pair[1].unsigned_abs())).collect();
        minutes.sort_unstable();
        Some(Err(Overspent { expense, minutes }))
    }

    async fn book(&self, booked: &[Booked]) -> bool {
        let names: Vec<String> = booked.iter().map(|booked| key(&booked.name)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let amounts = booked.iter().flat_map(|booked| [booked.minute.to_string(), booked.amount.to_string()]);
        let arguments: Vec<String> = [KEPT.to_owned()].into_iter().chain(amounts).collect();
        let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        self.link.script::<u8>(&BOOK, &names, &arguments).await.is_ok()
    }

    fn number(&self) -> Option<u64> {
        self.link.is_together().then(|| self.link.redis_number())
    }

    fn parts(&self) -> u64 {
        self.peers as u64
    }
}

fn key(name: &str) -> String {
    format!("spent:{name}")
}
