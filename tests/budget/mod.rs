//! Budgets over HTTP: a client that has exhausted its own is told when to try again, and no other client is affected.

mod answers;
mod upstream;
mod work;
