//! `gotrace run` from outside: what becomes of the command, and what of its trace.
#![cfg(unix)]

#[path = "run/builds.rs"]
mod builds;
#[path = "run/command.rs"]
mod command;
#[path = "run/files.rs"]
mod files;
#[path = "run/lifetime.rs"]
mod lifetime;
#[path = "run/terminal.rs"]
mod terminal;
#[path = "run/traced.rs"]
mod traced;
