//! What can happen, as values; who counts, logs or shows them is a sink's concern.

pub mod upstream;
