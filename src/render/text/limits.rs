//! What limited a build, in lines below its critical path.

use super::page::{Page, Tone};
use super::summary::{clauses, line};
use crate::analyze::Limits;
use crate::analyze::build::{Load, TestRun, WhatIf};
use crate::render::units;
use std::io;

/// Writes a block of lines; `most` packages and `most` tests are named.
pub(super) fn write(
    limits: &Limits,
    most: usize,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    line(page, out, &limits.command, Tone::Strong)?;
    let parallelism = &limits.parallelism;
    let peak = u64::from(parallelism.peak);
    let at_once = [
        format!("{} at most", units::counted(peak, "action", "actions")),
        format!("{:.2} on average", parallelism.actions_per_wall),
        format!("{:.2} cores in use", parallelism.cpu_per_wall),
        format!(
            "of {}",
            units::counted(u64::from(limits.slots), "slot", "slots")
        ),
    ];
    clauses(page, out, "  at once: ", &at_once, Tone::Plain)?;
    let times = [
        format!(
            "waiting for a slot {}",
            units::duration(parallelism.slot_wait)
        ),
        format!("no action under way {}", units::duration(parallelism.idle)),
    ];
    clauses(page, out, "  over all actions: ", &times, Tone::Plain)?;
    let chain = format!(
        "  longest chain of dependent actions: {} of {}",
        units::duration(limits.longest_chain),
        units::duration(limits.wall)
    );
    line(page, out, &chain, Tone::Plain)?;
    clauses(page, out, "  go: load: ", &load(&limits.load), Tone::Plain)?;
    for what_if in limits.what_if.iter().take(most) {
        line(page, out, &without(what_if), Tone::Plain)?;
    }
    for test in limits.tests.iter().take(most) {
        let start = format!("  test {}: ", test.package);
        clauses(page, out, &start, &times_of(test), Tone::Plain)?;
    }
    Ok(())
}

/// What the go command did before its first action; the network is part of what it waited for.
fn load(load: &Load) -> Vec<String> {
    let mut words = vec![units::duration(load.wall)];
    if let Some(cpu) = load.cpu {
        words.push(format!("CPU {}", units::duration(cpu)));
    }
    words.push(format!("other programs {}", units::duration(load.children)));
    let waiting = units::duration(load.waiting);
    words.push(match (load.cpu, load.fetch_samples) {
        (None, _) => format!("CPU or waiting {waiting}"),
        (_, 0) => format!("waiting {waiting}"),
        (_, _) => format!("waiting {waiting}, modules were fetched"),
    });
    words
}

fn without(what_if: &WhatIf) -> String {
    format!(
        "  without {}: {}, {} less",
        what_if.package,
        units::duration(what_if.wall),
        units::duration(what_if.saved)
    )
}

fn times_of(test: &TestRun) -> [String; 4] {
    let times = [
        ("compile", test.compile),
        ("link", test.link),
        ("run", test.run),
        ("CPU of the run", test.run_cpu),
    ];
    times.map(|(what, time)| format!("{what} {}", units::duration(time)))
}
