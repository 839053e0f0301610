//! Makes a trace of calls that were added up: `cargo run --release --example call_trees -- LARGE ROWS PROGRAMS`.
//! With it is measured how views bear millions of rows; nothing in it ever ran.
//!
//! Each program is a compiler with as many rows as the others, of 13,000 functions, in a tree of the shape that a
//! recursive compiler has: long paths with a few callees each. Programs have the same paths but for every tenth callee.

use anyhow::Context as _;
use gotrace::trace::file::Writer;
use gotrace::trace::{
    Arch, CallTreeRow, ClockAnchor, Ending, Exec, Exit, ExitStatus, Image, Nanos, Pid, Probe,
    ProbeId, Process, ProcessId, Record, Usage,
};
use std::path::Path;

const FUNCTIONS: u32 = 13_000;
const DEEPEST: u32 = 60;
/// What a program takes.
const LIFE: Nanos = Nanos(1_000_000_000);
const COMPILE: &str = "/go/pkg/tool/linux_amd64/compile";

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let usage = "usage: call_trees LARGE ROWS PROGRAMS";
    let large = words.next().context(usage)?;
    let rows: usize = words.next().context(usage)?.parse().context(usage)?;
    let programs: u32 = words.next().context(usage)?.parse().context(usage)?;
    let anchor = ClockAnchor {
        monotonic_ns: 1,
        unix_ns: 1,
    };
    let mut writer = Writer::create(Path::new(&large), anchor)?;
    watched(&mut writer)?;
    for program in 0..programs {
        let (start, end) = life(program);
        begin(&mut writer, program, start)?;
        let tree = tree(program, rows / programs.max(1) as usize);
        writer.call_tree(&tree, start, end)?;
        let exit = Exit {
            at: end,
            status: ExitStatus::Code(0),
            usage: Usage {
                user: LIFE,
                ..Usage::default()
            },
        };
        writer.record(Record::ProcessEnded(ProcessId(program), exit))?;
    }
    writer.record(Record::Ending(Ending {
        command_end: life(programs).0,
        ..Ending::default()
    }))?;
    writer.finish()?;
    Ok(())
}

fn life(program: u32) -> (Nanos, Nanos) {
    let start = Nanos(u64::from(program) * LIFE.0);
    (start, start + LIFE)
}

fn watched(writer: &mut Writer) -> anyhow::Result<()> {
    let path = writer.string(COMPILE.as_bytes());
    let image = writer.image(&Image {
        path,
        arch: Arch::Amd64,
        ..Image::default()
    });
    for number in 0..FUNCTIONS {
        let name = format!("cmd/compile/internal/p{}.(*T).f{number}", number % 60);
        let function = writer.string(name.as_bytes());
        writer.record(Record::Probe(Probe {
            id: ProbeId(number),
            image,
            function,
            exits: 1,
            ..Probe::default()
        }))?;
    }
    Ok(())
}

fn begin(writer: &mut Writer, program: u32, start: Nanos) -> anyhow::Result<()> {
    let package = format!("example.com/p{program}");
    let argv = [COMPILE, "-p", &package].map(|word| writer.string(word.as_bytes()));
    writer.record(Record::ProcessStarted(Process {
        id: ProcessId(program),
        pid: Pid(1_000 + program),
        start,
        exec_at: start,
        exec: Exec {
            exe: argv[0],
            argv: argv.to_vec(),
            arch: Arch::Amd64,
            ..Exec::default()
        },
        ..Process::default()
    }))?;
    Ok(())
}

/// Rows in preorder: of each the level goes up by one, or down by a few.
fn tree(program: u32, rows: usize) -> Vec<CallTreeRow> {
    let mut state = 1_u64;
    let mut level = 0;
    let mut tree = Vec::with_capacity(rows);
    for row in 0..rows {
        // Knuth's generator of 64 bits (MMIX).
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let chance = u32::try_from(state >> 33).unwrap_or_default();
        let own = if row.is_multiple_of(10) { program } else { 0 };
        let total = LIFE.0 >> (level / 2).min(20);
        tree.push(CallTreeRow {
            process: ProcessId(program),
            level,
            probe: ProbeId(chance.wrapping_add(own) % FUNCTIONS),
            calls: 1 + u64::from(chance % 1_000),
            open: 0,
            total: Nanos(total / 8),
        });
        level = match chance % 5 {
            0..=2 if level < DEEPEST => level + 1,
            _ => level.saturating_sub(chance / 5 % 4),
        };
    }
    tree
}
