//! The edge: addresses, headers and bodies. The only module besides the simulator that knows actix-web.

pub mod access_log;
mod body;
mod client;
mod compress;
pub mod connections;
mod departure;
pub mod descriptors;
pub mod download;
mod exchange;
mod health;
mod links;
pub mod listen;
mod odata;
mod open;
mod pages;
pub mod remote_read;
mod request_head;
mod request_line;
pub mod request_metrics;
mod respond;
mod routes;
mod scrape;
pub mod state;
mod status;
mod timed_stream;
mod worded_refusals;
