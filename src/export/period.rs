//! A trace in, the time between samples out.

use crate::trace::{Nanos, Trace};

/// How much a thread runs between two samples of it, where the trace tells.
pub(super) fn of(trace: &Trace) -> Option<Nanos> {
    let mut settings = trace.settings.iter();
    let rate = settings.find(|setting| trace.strings.get(setting.key) == b"rate_hz")?;
    let rate: u64 = trace.text(rate.value).parse().ok()?;
    1_000_000_000_u64.checked_div(rate).map(Nanos)
}
