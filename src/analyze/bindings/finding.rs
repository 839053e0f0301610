//! Binds that are not as files say: what a file promises and did not happen, and what another library
//! than the file names had.

use super::{Takes, image_name, taken};
use crate::analyze::Name;
use crate::analyze::scope::{Fit, Found, Promise, Promised};
use crate::trace::{StringId, Trace};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// An import whose bind is not as its file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub fit: Fit,
    /// The image that wants the symbol.
    pub importer: Name,
    /// The symbol.
    pub symbol: Name,
    /// The version that it is to have; empty where the file names none.
    pub version: Name,
    /// The library that the file names; empty where it names none.
    pub library: Name,
    /// The image that has it by the rules of the loader.
    pub expected: Option<Name>,
    /// The image that it was seen to be bound to.
    pub seen: Option<Name>,
    /// Programs in which that is so.
    pub processes: u64,
}

pub(super) fn of(trace: &Trace, takes: &Takes, promised: &[Promised<'_>]) -> Vec<Finding> {
    // Programs that differ in other images may have the same finding.
    let mut found: BTreeMap<Key, (Finding, u64)> = BTreeMap::new();
    for set in promised {
        let processes = taken(set, takes).count() as u64;
        if processes == 0 {
            continue;
        }
        for promise in set.promises.iter().filter(|one| one.fit.is_finding()) {
            let finding = finding(trace, promise);
            let key = (
                finding.fit,
                finding.importer.clone(),
                finding.symbol.clone(),
                finding.seen.clone(),
            );
            found.entry(key).or_insert((finding, 0)).1 += processes;
        }
    }
    let found = found.into_values();
    let mut rows: Vec<Finding> = found
        .map(|(finding, processes)| Finding {
            processes,
            ..finding
        })
        .collect();
    rows.sort_by_key(|row| (Reverse(row.fit == Fit::NotBound), Reverse(row.processes)));
    rows
}

/// What makes two findings one.
type Key = (Fit, Name, Name, Option<Name>);

fn finding(trace: &Trace, promise: &Promise<'_>) -> Finding {
    let text = |id: StringId| Name::from(trace.strings.get(id));
    Finding {
        fit: promise.fit,
        importer: image_name(trace, promise.importer),
        symbol: text(promise.import.symbol),
        version: text(promise.import.version),
        library: text(promise.import.library),
        expected: match promise.expected {
            Found::In(image) => Some(image_name(trace, image)),
            _ => None,
        },
        seen: promise.seen.map(|image| image_name(trace, image)),
        processes: 0,
    }
}
