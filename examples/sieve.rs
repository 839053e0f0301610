//! How long it takes to add up calls: feeds the reader of trampolines' records with calls that are made up, and prints
//! what one of them took.
//!
//! ```sh
//! cargo run --release --example sieve
//! ```

use gotrace::capture::decode::call_sieve::{Functions, Sieve, Traits};
use gotrace::capture::decode::trampoline::{Writer, Written};
use gotrace::capture::probes::{CallMode, Keep};
use gotrace::trace::{CallEdge, Pid, ProbeId, Tid};
use std::io::{self, Write as _};

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
    let writer = Writer {
        pid: Pid(1),
        tid: Tid(1),
        copy: 1,
    };
    for levels in [4, 8, 10, 12] {
        let records = records(levels);
        let mut sieve = Sieve::new(&mode);
        let begun = spent()?;
        for _ in 0..ROUNDS {
            // As many as a chunk of the ring has.
            for chunk in records.chunks(2_047) {
                sieve.take(&writer, &functions, chunk.iter().copied());
            }
            sieve.settle(u64::MAX);
        }
        let spent = (spent()? - begun) as f64;
        let count = f64::from(ROUNDS) * records.len() as f64;
        sieve.finish(u64::MAX);
        let rows: usize = sieve.grown().iter().map(|grown| grown.rows.len()).sum();
        writeln!(
            io::stdout(),
            "{levels} levels: {:.1} ns a record, {rows} rows",
            spent / count
        )?;
    }
    Ok(())
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
