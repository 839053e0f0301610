//! How many signals of Go's runtime were seen: calls of its handler, where it was watched.

use super::key::{Measure, Subject};
use super::run::Run;
use crate::analyze::{Analysis, Name};
use crate::trace::{Argument, CallEdge};

/// `func sighandler(sig uint32, ...)` of `runtime/signal_unix.go`, on every signal that Go handles.
const HANDLER: &[u8] = b"runtime.sighandler";

/// The signals that the runtime sends itself, with their numbers on Linux and on macOS:
/// preemption of goroutines, and the tick of a CPU profile.
const SENT: [(&str, [i128; 2]); 2] = [("SIGURG", [23, 16]), ("SIGPROF", [27, 27])];

/// Adds them; nothing where the handler was not watched, or not with its argument. Reads all calls.
pub(super) fn add_to(analysis: &Analysis<'_>, run: &mut Run) {
    let trace = analysis.trace;
    let watched: Vec<bool> = trace
        .probes
        .iter()
        .map(|probe| trace.strings.get(probe.function) == HANDLER)
        .collect();
    if !watched.contains(&true) {
        return;
    }
    let mut counts = [0_u64; SENT.len()];
    for block in trace.calls().flatten() {
        for event in block.iter() {
            let entered = event.edge == CallEdge::Entry;
            let handler = watched.get(event.probe.index()) == Some(&true);
            let Some(Argument::Integer(word)) = event.argument.filter(|_| entered && handler)
            else {
                continue;
            };
            let kind = trace.probe(event.probe).map(|probe| probe.argument);
            let signal = kind.unwrap_or_default().number(word);
            for (count, (_, numbers)) in counts.iter_mut().zip(SENT) {
                *count += u64::from(numbers.contains(&signal));
            }
        }
    }
    for (count, (name, _)) in counts.into_iter().zip(SENT) {
        let signal = Subject::Signal(Name::from(name));
        run.put(signal, Measure::Count, count as f64);
    }
}
