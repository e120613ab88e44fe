//! Budgets over HTTP: whoever has used up its own is told so and when to come back, and costs nobody else anything.

mod answers;
mod upstream;
mod work;
