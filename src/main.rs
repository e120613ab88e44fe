//! Settings, tracing, build, serve; nothing else.

fn main() {}
