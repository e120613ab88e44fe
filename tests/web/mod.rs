//! The edge, over HTTP: addresses, headers, statuses and bodies, whatever a client sends.

mod addresses;
mod allowed;
mod batch;
mod behind_proxy;
mod connections;
mod cors;
mod hostile;
mod http;
mod http10;
mod odata_clients;
mod open;
mod organisation;
mod payload;
mod readiness;
mod ready;
mod sign_in;
