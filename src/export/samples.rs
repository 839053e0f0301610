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
    trace.walk_samples(|block| {
        let Ok(block) = block else {
            unreadable_blocks += 1;
            return Ok(());
        };
        block.iter().try_for_each(|sample| {
            let process = trace.process(sample.process);
            match process.filter(|process| !process.own) {
                Some(process) => each(process, &sample),
                None => Ok(()),
            }
        })
    })?;
    Ok(unreadable_blocks)
}
