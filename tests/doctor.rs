//! `gotrace doctor`: what it says of broken environments that are made for it, and how it says it.
#![cfg(unix)]

#[cfg(test)]
#[path = "expected/mod.rs"]
mod expected;
#[cfg(test)]
#[path = "doctor/golden.rs"]
mod golden;
#[cfg(test)]
#[path = "doctor/macs.rs"]
mod macs;
#[cfg(test)]
#[path = "doctor/sick.rs"]
mod sick;
