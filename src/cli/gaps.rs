//! What a trace lacks, said beside a view that does not show it.

use super::output;
use crate::analyze::Analysis;
use crate::render::gaps;

/// Says in one line on standard error what was lost or not seen, if there was anything.
/// `unreadable_blocks` is how many blocks of samples the view could not read.
pub(super) fn note(analysis: &Analysis<'_>, unreadable_blocks: u64) {
    if let Some(words) = gaps::line(&analysis.gaps(unreadable_blocks)) {
        output::note(&format!(
            "{words} (gotrace show --by gap says what and why)"
        ));
    }
}
