//! The store and its folder: restarts, damaged files, disk errors, wrong clocks.

mod blocks;
mod changes;
mod clocks;
mod damage;
mod earlier;
mod folder;
mod properties;
mod revisions;
mod window;
