//! A trace in, the time between samples out.

use crate::trace::{Nanos, Trace};

/// How much a thread runs between two samples of it, where the trace tells.
pub(super) fn of(trace: &Trace) -> Option<Nanos> {
    let rate: u64 = trace.setting("rate_hz")?.parse().ok()?;
    1_000_000_000_u64.checked_div(rate).map(Nanos)
}
