//! Rules that the service stands or falls with, one file each.

mod hostile;
mod http;
mod odata_clients;
