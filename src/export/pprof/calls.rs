//! Calls that were added up as they were recorded in; a sample for each path out.

use super::parts::Parts;
use super::places;
use super::proto::{Profile, Sample};
use super::samples::labels_of_program;
use super::values::{Sum, Values};
use crate::analyze::calls::{ProgramTree, Trees};
use crate::analyze::profile::Weight;
use crate::analyze::{Analysis, Filter};
use std::io::{self, Write};

/// Writes them, where `values` hold calls; returns which probes they name, and how many blocks could not be read.
pub(super) fn write(
    analysis: &Analysis<'_>,
    values: Values,
    parts: &mut Parts<impl Write>,
) -> io::Result<(Vec<bool>, u64)> {
    let mut used = vec![false; analysis.trace.probes.len()];
    let mut result = Ok(());
    let walked = Trees::of(analysis, &Filter::default()).walk(|tree| {
        if result.is_ok() {
            result = put(analysis, tree, values, &mut used, parts);
        }
    });
    result.map(|()| (used, walked.unreadable_blocks))
}

fn put(
    analysis: &Analysis<'_>,
    tree: &ProgramTree<'_>,
    values: Values,
    used: &mut [bool],
    parts: &mut Parts<impl Write>,
) -> io::Result<()> {
    let labels = labels_of_program(analysis, tree.process.id, parts)?;
    for sum in tree.sums.iter().filter(|sum| sum.calls > 0) {
        // Innermost first.
        let mut locations = Vec::new();
        let mut at = Some(sum);
        while let Some(sum) = at {
            locations.push(places::of_probe(analysis.trace, sum.probe));
            if let Some(used) = used.get_mut(sum.probe.index()) {
                *used = true;
            }
            at = sum.caller.and_then(|caller| tree.sums.get(caller as usize));
        }
        let called = Weight {
            time: sum.own,
            samples: sum.calls,
        };
        let value = values.of_sum(&Sum {
            called,
            ..Sum::default()
        });
        parts.put(&Profile {
            sample: vec![Sample {
                location_id: locations,
                value,
                label: labels.clone(),
            }],
            ..Profile::default()
        })?;
    }
    Ok(())
}
