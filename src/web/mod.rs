//! The edge: addresses, headers and bodies. The only module besides the simulator that knows actix-web.

mod client;
mod compress;
mod download;
mod health;
mod links;
pub mod listen;
mod odata;
mod pages;
pub mod remote_read;
mod request_line;
pub mod request_metrics;
mod respond;
mod routes;
mod scrape;
pub mod state;
