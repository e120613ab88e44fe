//! Rules that the service stands or falls with, one file each.

mod batch;
mod hostile;
mod http;
mod odata_clients;
mod paging;
mod payload;
