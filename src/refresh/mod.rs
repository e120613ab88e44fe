//! What happens in the background: the catalogue is read and kept.

pub mod catalogue;
