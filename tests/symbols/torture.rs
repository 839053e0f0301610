//! Copies with trampolines of a program that makes it hard for them: what their records tell is held against what the
//! program counted itself, call by call.

use crate::machine::Machine;
use crate::programs::{go, output_of, scratch};
use crate::records::{Record, Ring};
use crate::trampolines::{Copied, IMAGE, RING, copied};
use gotrace::binary::instruction::SiteEdge;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

/// How the program is built, and how often it does what it does.
struct Way {
    name: &'static str,
    arch: &'static str,
    cgo: bool,
    arguments: &'static [&'static str],
    often: u32,
}

/// With `-trimpath` where those of `programs` have it: the standard library is compiled once for both.
const WAYS: [Way; 7] = [
    Way {
        name: "plain",
        arch: "amd64",
        cgo: false,
        arguments: &[],
        often: 300,
    },
    Way {
        name: "stripped-pie",
        arch: "amd64",
        cgo: false,
        arguments: &["-buildmode=pie", "-trimpath", "-ldflags=-s -w"],
        often: 300,
    },
    Way {
        name: "cgo",
        arch: "amd64",
        cgo: true,
        arguments: &[],
        often: 300,
    },
    Way {
        name: "cgo-pie",
        arch: "amd64",
        cgo: true,
        arguments: &["-buildmode=pie", "-trimpath"],
        often: 300,
    },
    Way {
        name: "race",
        arch: "amd64",
        cgo: true,
        arguments: &["-race"],
        often: 15,
    },
    Way {
        name: "plain",
        arch: "arm64",
        cgo: false,
        arguments: &[],
        often: 100,
    },
    Way {
        name: "stripped-pie",
        arch: "arm64",
        cgo: false,
        arguments: &["-buildmode=pie", "-ldflags=-s -w"],
        often: 100,
    },
];
/// Room for all that the program has to tell.
const CHUNKS: u32 = 2000;

/// The ways of this machine, and those of another one that an emulator runs; none where there is no go command.
fn ways() -> Vec<(&'static Way, Machine)> {
    let machines = Machine::all();
    let machines = machines.iter().flat_map(|machine| {
        let ways = WAYS.iter().filter(|way| way.arch == machine.arch);
        ways.map(|way| (way, machine.clone()))
    });
    machines.filter(|_| go().is_some()).collect()
}

/// The program of a way and its copy, in which each function that can tells of its calls.
fn tortured(way: &Way) -> Copied {
    let folder = scratch().join("torture").join(way.arch);
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join(way.name);
    let mut build = go().unwrap();
    build
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/symbols/torture"))
        .env("CGO_ENABLED", if way.cgo { "1" } else { "0" })
        .env("GOARCH", way.arch)
        .args(["build", "-buildvcs=false", "-o"])
        .arg(&program)
        .args(way.arguments)
        .arg(".");
    output_of(&mut build);
    copied(&program, &folder.join("copies").join(way.name))
}

/// What a program prints, which has collections all the time and starts others; its number, and its ring if it gets
/// one.
fn run((way, machine): (&Way, &Machine), program: &Path, ring: Option<&Ring>) -> (String, u32) {
    let mut command = machine.command(program);
    command.arg(way.often.to_string()).env("GOGC", "5");
    if machine.runner.is_empty() {
        // Without a second word it ends at once.
        command.arg(program);
    } else {
        command.arg("/bin/true");
    }
    if let Some(ring) = ring {
        ring.give(&mut command, RING);
    }
    command.stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    let number = child.id();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    assert!(!errors.contains("child ended"), "{command:?}: {errors}");
    (String::from_utf8(output.stdout).unwrap(), number)
}

/// How often each function was entered, and returned, as the program says.
fn counted(printed: &str) -> BTreeMap<&str, (u64, u64)> {
    let lines = printed.lines().filter(|line| line.starts_with("main."));
    let counts = lines.map(|line| {
        let [name, entries, returns] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        (name, (entries.parse().unwrap(), returns.parse().unwrap()))
    });
    counts.collect()
}

/// Has each exit belong to the innermost call of its goroutine that is still open; calls from which a panic led away
/// have none.
pub(crate) fn pair(records: &[Record], names: &[String]) {
    let mut goroutines: BTreeMap<u64, Vec<Record>> = BTreeMap::new();
    for record in records {
        assert!(record.goroutine > 0, "{record:?}");
        goroutines
            .entry(record.goroutine)
            .or_default()
            .push(*record);
    }
    for (goroutine, mut records) in goroutines {
        // The sort keeps the order of what has the same time: of one thread, that is.
        records.sort_by_key(|record| record.time);
        let mut open: Vec<Record> = Vec::new();
        for record in records {
            let left = |call: &Record| match record.edge {
                SiteEdge::Entry => call.depth >= record.depth,
                _ => call.depth > record.depth,
            };
            open.truncate(open.len() - open.iter().rev().take_while(|call| left(call)).count());
            if record.edge == SiteEdge::Entry {
                open.push(record);
                continue;
            }
            let name = &names[record.function as usize];
            let entry = open.pop();
            let entry = entry.unwrap_or_else(|| panic!("{goroutine}: exit of {name} alone"));
            assert_eq!(
                (entry.function, entry.depth),
                (record.function, record.depth),
                "goroutine {goroutine}: {name} ends, and not {}",
                names[entry.function as usize]
            );
        }
    }
}

/// Holds the records of a run against what it printed.
fn hold(way: &str, printed: &str, records: &[Record], names: &[String]) {
    let counted = counted(printed);
    let numbers = counted
        .keys()
        .map(|name| names.iter().position(|other| other == name));
    // Whatever might lead into a place is taken for something that does, so that one may be left alone by chance.
    let left_alone = numbers.filter(Option::is_none).count();
    assert!(
        left_alone <= 1,
        "{way}: {left_alone} of {counted:?} cannot tell of their calls"
    );
    for (name, expected) in counted {
        let Some(number) = names.iter().position(|other| other == name) else {
            println!("{way}: {name} is left alone");
            continue;
        };
        let mut found = (0, 0);
        for record in records {
            if record.function as usize == number {
                match record.edge {
                    SiteEdge::Entry => found.0 += 1,
                    _ => found.1 += 1,
                }
            }
        }
        assert_eq!(found, expected, "{way}: {name}");
    }
    pair(records, names);
}

/// Deep recursion, a thousand goroutines, panics, faults, collections, signals, a CPU profile, other processes, C that
/// calls back and forks: each call is told of, once.
#[test]
fn copies_tell_of_each_call_and_of_no_other() {
    for (way, machine) in ways() {
        let Copied {
            original,
            copy,
            names,
            ..
        } = tortured(way);
        let label = format!("{} {} {:?}", way.arch, way.name, machine.runner);
        let way = (way, &machine);
        let (expected, _) = run(way, &original, None);
        let (without, _) = run(way, &copy, None);
        assert_eq!(without, expected, "{label}: without a ring");
        let ring = Ring::new(CHUNKS);
        let (printed, process) = run(way, &copy, Some(&ring));
        assert_eq!(printed, expected, "{label}: with a ring");
        assert_eq!(ring.dropped(), 0, "{label}");
        let records = ring.records();
        let own = records
            .iter()
            .all(|record| record.process == process && record.copy == IMAGE);
        assert!(own, "{label}: another process wrote");
        hold(&label, &printed, &records, &names);
        println!("{label}: {} records", records.len());
    }
}

/// With one chunk, and with a ring that nobody reads any more: what is dropped is counted, at most.
#[test]
fn copies_drop_what_there_is_no_room_for() {
    for (way, machine) in ways() {
        if way.name != "plain" {
            continue;
        }
        let Copied { original, copy, .. } = tortured(way);
        let way = (way, &machine);
        let (expected, _) = run(way, &original, None);
        let counted = counted(&expected);
        let calls: u64 = counted.values().map(|(entries, _)| entries).sum();
        let closed = Ring::new(8);
        closed.close();
        for (ring, room) in [(Ring::new(1), 2047), (closed, 0)] {
            let (printed, _) = run(way, &copy, Some(&ring));
            assert_eq!(printed, expected, "{room}");
            let records = ring.records();
            let own = records.iter().filter(|record| !record.joined);
            // The thread that has the chunk may stop before it is full, and others go on.
            let own = own.count();
            assert!(own <= room && (own > 0) == (room > 0), "{own} of {room}");
            // Each call has a record at least.
            let entries = records.iter();
            let entries = entries.filter(|record| record.edge == SiteEdge::Entry);
            let kept = entries.count() as u64;
            let dropped = ring.dropped();
            assert!(
                dropped >= calls - kept,
                "{dropped} and {kept} kept of {calls}"
            );
        }
    }
}
