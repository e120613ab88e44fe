//! The store over its folder: restarts, damage, disks that refuse, clocks that are wrong.

mod blocks;
mod changes;
mod clocks;
mod damage;
mod folder;
mod properties;
mod revisions;
