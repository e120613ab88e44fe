//! `$apply` over HTTP.
