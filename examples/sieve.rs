//! How long it takes to add up calls: feeds the reader of trampolines' records with calls that are made up, or with
//! those of a trace, and prints what one of them took.
//!
//! ```sh
//! cargo run --release --example sieve
//! gotrace run --backend patch --probe 'compile:*' --call-mode longer=1ns -o calls.gotrace -- go build -a errors
//! cargo run --release --example sieve -- calls.gotrace
//! ```

use gotrace::capture::decode::call_sieve::{Functions, Sieve, Traits};
use gotrace::capture::decode::trampoline::{Writer, Written};
use gotrace::capture::probes::{CallMode, Keep};
use gotrace::trace::{CallEdge, Goid, Pid, ProbeId, ProcessId, StackOwner, Tid, Trace};
use std::io::{self, Write as _};
use std::path::Path;

/// Functions of the program that is made up: as many as the compiler has.
const FUNCTIONS: u32 = 14_000;
/// How many others each calls, or less.
const CALLEES: u32 = 3;
const CALLS: usize = 1 << 20;
const ROUNDS: u32 = 20;

fn main() -> io::Result<()> {
    let functions = Functions {
        first: ProbeId(0),
        traits: vec![Traits::default(); FUNCTIONS as usize],
    };
    let mode = CallMode {
        keep: Keep::Sums,
        ..CallMode::default()
    };
    if let Some(path) = std::env::args().nth(1) {
        let trace = Trace::open(Path::new(&path)).map_err(io::Error::other)?;
        let programs = recorded(&trace).map_err(io::Error::other)?;
        let functions = Functions {
            first: ProbeId(0),
            traits: vec![Traits::default(); trace.probes.len()],
        };
        return measure("recorded", &mode, &functions, &programs);
    }
    for levels in [4, 8, 10, 12] {
        let made_up = [(ProcessId(0), records(levels))];
        measure(&format!("{levels} levels"), &mode, &functions, &made_up)?;
    }
    Ok(())
}

/// What each program wrote, goroutine after goroutine for a while.
type Programs = [(ProcessId, Vec<Written>)];

fn measure(
    what: &str,
    mode: &CallMode,
    functions: &Functions,
    programs: &Programs,
) -> io::Result<()> {
    let mut sieve = Sieve::new(mode);
    let (mut spent_in_all, mut count) = (0, 0);
    for _ in 0..ROUNDS {
        for (process, records) in programs {
            let writer = Writer {
                pid: Pid(process.0),
                tid: Tid(1),
                copy: 1,
            };
            let runs: Vec<&[Written]> = records
                .chunk_by(|one, next| one.goroutine == next.goroutine)
                // No more than a chunk of the ring has.
                .flat_map(|run| run.chunks(2_047))
                .collect();
            let begun = spent()?;
            for run in runs {
                sieve.take(&writer, functions, run.iter().copied());
            }
            sieve.settle(u64::MAX);
            spent_in_all += spent()? - begun;
            count += records.len();
        }
    }
    sieve.finish(u64::MAX);
    let rows: usize = sieve.grown().iter().map(|grown| grown.rows.len()).sum();
    writeln!(
        io::stdout(),
        "{what}: {:.1} ns a record, {count} records, {rows} rows",
        spent_in_all as f64 / count as f64
    )
}

/// The records of a trace's calls.
fn recorded(trace: &Trace) -> Result<Vec<(ProcessId, Vec<Written>)>, gotrace::trace::file::Error> {
    let mut programs: Vec<(ProcessId, Vec<Written>)> = Vec::new();
    for block in trace.calls() {
        for call in block?.iter() {
            let goroutine = match call.stack {
                StackOwner::Goroutine(Goid(number)) => number,
                _ => 0,
            };
            let written = Written {
                ticks: call.time.0,
                goroutine,
                depth: call.depth,
                function: call.probe.0,
                edge: call.edge,
                argument: 0,
                left: None,
            };
            match programs.iter_mut().find(|(of, _)| *of == call.process) {
                Some((_, records)) => records.push(written),
                None => programs.push((call.process, vec![written])),
            }
        }
    }
    Ok(programs)
}

/// Time on a processor, in nanoseconds: whatever else the machine does.
fn spent() -> io::Result<u64> {
    let words = std::fs::read_to_string("/proc/self/schedstat")?;
    let first = words.split(' ').next().and_then(|word| word.parse().ok());
    first.ok_or_else(|| io::Error::other("/proc/self/schedstat: expected a number"))
}

/// Entries and exits of a program whose functions call others in a fixed order, leave some out, and return.
fn records(levels: usize) -> Vec<Written> {
    let mut records = Vec::with_capacity(2 * CALLS);
    let mut stack: Vec<(u32, u32)> = Vec::new();
    let mut seed = 1_u32;
    let mut record = |function, depth: usize, edge| {
        let ticks = records.len() as u64 + 1;
        records.push(Written {
            ticks,
            goroutine: 1,
            depth: depth as u32 * 96,
            function,
            edge,
            argument: 0,
            left: None,
        });
        records.len() >= 2 * CALLS
    };
    loop {
        let returns = stack.last().is_some_and(|(_, made)| *made >= CALLEES);
        let over = if returns || stack.len() >= levels {
            let depth = stack.len();
            let (function, _) = stack.pop().unwrap_or_default();
            record(function, depth, CallEdge::Exit)
        } else {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let function = match stack.last_mut() {
                Some((caller, made)) => {
                    *made += 1 + (seed >> 31);
                    (caller.wrapping_mul(31) + *made) % FUNCTIONS
                }
                None => 0,
            };
            stack.push((function, 0));
            record(function, stack.len(), CallEdge::Entry)
        };
        if over {
            return records;
        }
    }
}
