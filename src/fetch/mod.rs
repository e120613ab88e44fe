//! Runs a plan: what is in store first, then the upstream, chunk by chunk.
