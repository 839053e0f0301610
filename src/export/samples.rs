//! A trace in, the samples of the command's own programs out.

use crate::trace::{Process, Sample, Trace};

/// Hands all samples but those of gotrace itself to `each`, with their processes, in the order of
/// recording; returns how many blocks could not be read.
///
/// # Errors
///
/// Those of `each`, which end the walk.
pub(super) fn walk<E>(
    trace: &Trace,
    mut each: impl FnMut(&Process, &Sample) -> Result<(), E>,
) -> Result<u64, E> {
    let mut unreadable_blocks = 0;
    for block in trace.samples() {
        let Ok(block) = block else {
            unreadable_blocks += 1;
            continue;
        };
        for sample in block.iter() {
            let process = trace.process(sample.process);
            if let Some(process) = process.filter(|process| !process.own) {
                each(process, &sample)?;
            }
        }
    }
    Ok(unreadable_blocks)
}
