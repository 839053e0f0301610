//! What `probes list --json` writes.

use super::object;
use serde::Serialize;
use std::io::{self, Write};

/// Name and version of what `probes list --json` writes.
pub const PROBES_SCHEMA: &str = "gotrace.probes/1";

#[derive(Serialize)]
struct Head<'a> {
    schema: &'static str,
    image: &'a str,
    probed_count: usize,
    refused: &'a [RefusedRow],
}

/// A function that cannot be probed.
#[derive(Clone, Debug, Serialize)]
pub struct RefusedRow {
    /// Its name.
    pub function: String,
    /// Why.
    pub why: String,
}

/// A function that can be probed. Addresses and offsets are text in hexadecimal.
#[derive(Clone, Debug, Serialize)]
pub struct ProbedRow {
    /// Its name.
    pub function: String,
    /// Its source file.
    pub file: String,
    /// Its first address.
    pub address: String,
    /// Its places, the entry first.
    pub sites: Vec<SiteRow>,
    /// Exits that cannot be seen.
    pub unseen_exits: Vec<UnseenRow>,
}

/// A place.
#[derive(Clone, Debug, Serialize)]
pub struct SiteRow {
    /// `entry`, `exit` or `tail_jump`.
    pub edge: &'static str,
    /// In the file.
    pub offset: String,
    /// What stands there.
    pub instruction: String,
    /// `emulated` or `single_stepped`.
    pub cost: &'static str,
}

/// An exit that cannot be seen.
#[derive(Clone, Debug, Serialize)]
pub struct UnseenRow {
    /// Where.
    pub address: String,
    /// Why.
    pub why: String,
}

/// Writes the object of `probes list --json`: at most `top` functions.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn probes(
    image: &str,
    probed: &[ProbedRow],
    refused: &[RefusedRow],
    top: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let head = Head {
        schema: PROBES_SCHEMA,
        image,
        probed_count: probed.len(),
        refused,
    };
    object(&head, probed.iter().take(top), out)
}
