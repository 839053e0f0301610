//! Runs of one command, again and again: under which configurations, in which order, with which
//! build cache.
//!
//! A [`Configuration`] says what is different for a run; [`turns`] puts the runs of all of them into
//! an order that lets drift of the machine hit all alike; a [`PrivateFolder`] as its build cache makes a
//! run a cold one, and `cold` says what else that takes. Each run is a [`super::session::Session`] of
//! its own.

pub(in crate::capture) mod cold;
mod configuration;
mod order;
mod private_folder;
mod toolchains;

pub use configuration::{Configuration, give_folders};
pub use order::{Turn, turns};
pub use private_folder::PrivateFolder;
pub use toolchains::{Chosen, NotChosen, Pair, target};
