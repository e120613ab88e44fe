//! The store over its folder: restarts, damage, disks that refuse.

mod blocks;
mod changes;
mod folder;
mod properties;
mod revisions;
