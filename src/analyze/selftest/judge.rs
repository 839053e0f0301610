//! A trace, and what the program said that it did, in; what ought to be the same, side by side, out.

use super::{Called, Comparison, Linked, Said};
use crate::analyze::build::{ActionKind, Outcome};
use crate::analyze::{Analysis, Filter, Tool};
use crate::trace::{
    Argument, CallEdge, ExitStatus, Goid, Loss, Nanos, Pid, Process, Sample, SampleKind, StackId,
    StackOwner, Trace,
};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// How much of the samples of a time may be elsewhere: the program's start and end, and Go's own
/// goroutines.
const MOST_ELSEWHERE: f64 = 0.10;
/// The same in a translated program, whose translator works beside it.
const MOST_ELSEWHERE_TRANSLATED: f64 = 0.25;
/// By how much the sum of samples may differ from the time that was measured: a sample stands for one
/// period of the clock, of which a trial has a hundred or more.
const MOST_OFF: f64 = 0.20;

/// How a loss begins that is of time, not of events.
const TIME_LOST: &[u8] = b"milliseconds of CPU time";

/// That a trace is whole: sealed, undamaged, and nothing was lost in it.
#[must_use]
pub fn whole(trace: &Trace) -> Vec<Comparison> {
    // Samples at a clock's ticks never have all of the time; whether they have enough is compared.
    let is_event = |loss: &&Loss| !trace.strings.get(loss.what).starts_with(TIME_LOST);
    let lost: u64 = trace
        .losses
        .iter()
        .filter(is_event)
        .map(|loss| loss.count)
        .sum();
    vec![
        Comparison::of("the trace is sealed and undamaged", true, {
            trace.integrity == crate::trace::file::Integrity::default()
        }),
        Comparison::of("events lost", 0, lost),
    ]
}

/// That a build ran these tools, each once, for packages that no cache can have had.
#[must_use]
pub fn tools(analysis: &Analysis<'_>) -> Vec<Comparison> {
    let expected = [
        "compile selftest",
        "compile selftest/numbers",
        "link selftest",
    ];
    let trace = analysis.trace;
    let of_ours = analysis.roles.iter().filter_map(|(id, role)| {
        let package = role
            .package
            .as_deref()
            .filter(|package| package.starts_with("selftest"))?;
        let asks_version = |process: &Process| {
            let second = process.exec.argv.get(1);
            second.is_some_and(|&word| trace.strings.get(word).starts_with(b"-V"))
        };
        let process = trace.process(id).filter(|process| !asks_version(process))?;
        let is_one = matches!(role.tool, Tool::Compile | Tool::Link);
        (is_one && !process.own).then(|| format!("{} {package}", role.tool.name()))
    });
    let mut found: Vec<String> = of_ours.collect();
    found.sort();
    vec![
        Comparison::of("tools that ran", expected.join(", "), found.join(", ")),
        Comparison::of(
            "steps that were built",
            expected.join(", "),
            steps(analysis),
        ),
    ]
}

/// The steps of our packages that had work to do.
fn steps(analysis: &Analysis<'_>) -> String {
    let actions = analysis
        .builds
        .builds
        .iter()
        .flat_map(|build| &build.actions);
    let ours = actions.filter(|action| {
        matches!(action.kind, ActionKind::Compile | ActionKind::Link)
            && action.package.starts_with("selftest")
            && action.outcome == Outcome::Built
    });
    let mut names: Vec<String> = ours
        .map(|action| format!("{} {}", action.kind.name(), action.package))
        .collect();
    names.sort();
    names.join(", ")
}

/// As [`tools`], and that each compile went through the phase in which types are checked.
#[must_use]
pub fn build(analysis: &Analysis<'_>) -> Vec<Comparison> {
    let compiles = analysis.roles.iter().filter(|(id, role)| {
        role.tool == Tool::Compile && role.package.is_some() && {
            let process = analysis.trace.process(*id);
            process.is_some_and(|process| {
                process
                    .exit
                    .is_some_and(|exit| exit.status == ExitStatus::Code(0))
            })
        }
    });
    let phases = analysis.phases();
    let mut typecheck = phases.rows.iter().filter(|row| &*row.phase == "typecheck");
    let checks = typecheck.next().map_or(0, |row| row.count);
    let mut comparisons = tools(analysis);
    comparisons.push(Comparison::of(
        "compiles that checked types",
        compiles.count() as u64,
        checks,
    ));
    comparisons
}

/// The program that ran under this pid: the last one, where it replaced others.
fn program(trace: &Trace, pid: Option<Pid>) -> Option<&Process> {
    let mut processes = trace.processes.iter().rev();
    processes.find(|process| !process.own && Some(process.pid) == pid)
}

/// That the program's children are recorded, as its children, and how each ended.
#[must_use]
pub fn tree(trace: &Trace, said: &Said) -> Vec<Comparison> {
    let parent = program(trace, said.pid);
    let shown = |(pid, code): &(Pid, i32)| format!("pid {pid} ended with {code}");
    let expected: BTreeSet<String> = said.children.iter().map(shown).collect();
    let children = trace.processes.iter().filter(|process| {
        process.predecessor.is_none()
            && process.parent.is_some()
            && process.parent == parent.map(|parent| parent.id)
    });
    let ends = children.map(|child| {
        // Whatever it became by exec, the end is that of the last.
        let last = program(trace, Some(child.pid)).and_then(|last| last.exit);
        match last.map(|exit| exit.status) {
            Some(ExitStatus::Code(code)) => shown(&(child.pid, code)),
            other => format!("pid {} ended with {other:?}", child.pid),
        }
    });
    let found: BTreeSet<String> = ends.collect();
    let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
    vec![Comparison::of("children", list(&expected), list(&found))]
}

/// That samples stand for the CPU time that the program used, where it used it, and on which goroutine.
#[must_use]
pub fn samples(trace: &Trace, said: &Said, translated: bool) -> Vec<Comparison> {
    let Some((goroutine, spun)) = said.spun else {
        return vec![unsaid()];
    };
    let sampled = Sampled::of(trace, said.pid, SampleKind::OnCpu, b"main.spin");
    let elsewhere = if translated {
        MOST_ELSEWHERE_TRANSLATED
    } else {
        MOST_ELSEWHERE
    };
    let mut comparisons = vec![
        about("CPU time of samples in main.spin", spun, sampled.there),
        at_least(
            "CPU time of samples that is in main.spin",
            1.0 - elsewhere,
            share(sampled.there, sampled.all),
        ),
    ];
    if !translated {
        let of_it = sampled.goroutines.get(&Some(goroutine)).copied();
        comparisons.push(at_least(
            "of these, on the program's goroutine",
            1.0 - MOST_ELSEWHERE,
            share(of_it.unwrap_or_default(), sampled.there),
        ));
    }
    comparisons
}

/// That a program is known to be translated, from this architecture.
#[must_use]
pub fn translated(trace: &Trace, said: &Said, arch: &str) -> Vec<Comparison> {
    let process = program(trace, said.pid);
    let exec = process.map(|process| &process.exec);
    vec![
        Comparison::of(
            "the program's architecture",
            arch,
            exec.map_or("unknown", |exec| exec.arch.name()),
        ),
        Comparison::of("a translator is named", true, {
            exec.is_some_and(|exec| !trace.strings.get(exec.translator).is_empty())
        }),
    ]
}

/// That the time of a waiting thread is recorded, with the stack that it waits on.
#[must_use]
pub fn waiting(trace: &Trace, said: &Said) -> Vec<Comparison> {
    let Some((_, waited)) = said.waited else {
        return vec![unsaid()];
    };
    let sampled = Sampled::of(trace, said.pid, SampleKind::OffCpu, b"main.await");
    vec![about(
        "time off the CPU in main.await",
        waited,
        sampled.there,
    )]
}

/// Samples of one process.
#[derive(Debug, Default)]
struct Sampled {
    /// What all of them stand for.
    all: Nanos,
    /// Those with the function on their stack.
    there: Nanos,
    /// Those, by goroutine.
    goroutines: FxHashMap<Option<Goid>, Nanos>,
}

impl Sampled {
    fn of(trace: &Trace, pid: Option<Pid>, kind: SampleKind, function: &[u8]) -> Self {
        let mut sampled = Self::default();
        let mut known: FxHashMap<StackId, bool> = FxHashMap::default();
        let process = program(trace, pid).map(|process| process.id);
        let is_asked = |sample: &Sample| sample.kind == kind && Some(sample.process) == process;
        for block in trace.samples().flatten() {
            for sample in block.iter().filter(is_asked) {
                sampled.all += sample.weight;
                let holds = known
                    .entry(sample.stack)
                    .or_insert_with(|| holds(trace, sample.stack, function));
                if *holds {
                    sampled.there += sample.weight;
                    *sampled.goroutines.entry(sample.goroutine).or_default() += sample.weight;
                }
            }
        }
        sampled
    }
}

/// Whether a function of this name is on a stack.
fn holds(trace: &Trace, stack: StackId, function: &[u8]) -> bool {
    let mut names = trace
        .stacks
        .frames(stack)
        .flat_map(|frame| trace.symbol(frame).unwrap_or_default());
    names.any(|location| {
        let named = trace.functions.get(location.function.index());
        named.is_some_and(|named| trace.strings.get(named.name) == function)
    })
}

/// That each call is recorded: of each goroutine those with the arguments 1, 2, 3 and so on, and as many
/// ends.
#[must_use]
pub fn calls(trace: &Trace, said: &Said) -> Vec<Comparison> {
    let seen = Calls::of(trace, said.pid);
    let list = |called: &[Called]| {
        let each = called
            .iter()
            .map(|one| format!("goroutine {}: {}", one.goroutine, one.times));
        each.collect::<Vec<_>>().join(", ")
    };
    let found: Vec<Called> = seen
        .arguments
        .iter()
        .map(|(&goroutine, arguments)| Called {
            goroutine,
            times: arguments.len() as u64,
        })
        .collect();
    let in_order = |arguments: &Vec<u64>| arguments.iter().copied().eq(1..=arguments.len() as u64);
    let times: u64 = said.called.iter().map(|called| called.times).sum();
    vec![
        Comparison::of("calls of main.work", list(&said.called), list(&found)),
        Comparison::of(
            "arguments are 1, 2, 3, ...",
            true,
            seen.arguments.values().all(in_order),
        ),
        Comparison::of("ends of calls", times, seen.ends),
    ]
}

/// That of a program that ran already no call is missing between the first that is recorded and the last.
#[must_use]
pub fn attached(trace: &Trace, said: &Said) -> Vec<Comparison> {
    let Some(called) = said.called.first() else {
        return vec![unsaid()];
    };
    let seen = Calls::of(trace, said.pid);
    let arguments = seen
        .arguments
        .get(&called.goroutine)
        .map_or(&[][..], Vec::as_slice);
    let (first, last) = match arguments {
        [first, .., last] => (*first, *last),
        _ => (0, 0),
    };
    let in_order = arguments.iter().copied().eq(first..=last);
    vec![
        Comparison::of(
            "there are calls, and none after the last one",
            true,
            (1..=called.times).contains(&last),
        ),
        Comparison::of(
            "no call is missing between the first and the last",
            true,
            in_order && first > 0,
        ),
    ]
}

/// Entries and exits of one process.
#[derive(Debug, Default)]
struct Calls {
    /// Arguments of the calls of each goroutine, in their order; 0 where none was recorded.
    arguments: BTreeMap<Goid, Vec<u64>>,
    /// Exits.
    ends: u64,
}

impl Calls {
    fn of(trace: &Trace, pid: Option<Pid>) -> Self {
        let mut calls = Self::default();
        let process = program(trace, pid).map(|process| process.id);
        let is_work = |probe: crate::trace::ProbeId| {
            let probe = trace.probe(probe);
            probe.is_some_and(|probe| trace.strings.get(probe.function) == b"main.work")
        };
        for block in trace.calls().flatten() {
            let ours = block
                .iter()
                .filter(|event| Some(event.process) == process && is_work(event.probe));
            for event in ours {
                match (event.edge, event.stack) {
                    (CallEdge::Entry, StackOwner::Goroutine(goroutine)) => {
                        let argument = match event.argument {
                            Some(Argument::Integer(number)) => number,
                            _ => 0,
                        };
                        calls.arguments.entry(goroutine).or_default().push(argument);
                    }
                    (CallEdge::Entry, _) => {}
                    (CallEdge::Exit | CallEdge::TailJump, _) => calls.ends += 1,
                }
            }
        }
        calls
    }
}

/// That dtrace takes hold of a program that was started suspended, as tools of a build are. Whether it does so of
/// one that it starts itself tells whether the suspended start is at fault, or dtrace on this machine.
#[must_use]
pub fn held(suspended: Result<(), String>, started: Result<(), String>) -> Vec<Comparison> {
    let words = |outcome: Result<(), String>| outcome.err().unwrap_or_else(|| "seen".to_owned());
    let [suspended, started] = [suspended, started].map(words);
    vec![
        Comparison::of(
            "the first function of a program that was suspended",
            "seen".to_owned(),
            suspended,
        ),
        Comparison::of(
            "the first function of a program that dtrace started",
            "seen".to_owned(),
            started,
        ),
    ]
}

/// That what the loader tells of is recorded; more images may be: it does not tell of the kernel's.
#[must_use]
pub fn linking(analysis: &Analysis<'_>, said: &Said, expected: &Linked) -> Vec<Comparison> {
    let trace = analysis.trace;
    let process = program(trace, said.pid).map(|process| process.id);
    let loads = trace
        .loads
        .iter()
        .filter(|load| Some(load.process) == process);
    let loaded: BTreeSet<String> = loads
        .filter_map(|load| trace.images.get(load.image.index()))
        .map(|image| trace.text(image.path).into_owned())
        .collect();
    let filter = Filter {
        pid: said.pid,
        ..Filter::default()
    };
    let bound = analysis.bindings(&filter, false).symbols.into_iter();
    let bound: BTreeSet<String> = bound.map(|row| row.symbol.to_string()).collect();
    let missing = |expected: &BTreeSet<String>, found: &BTreeSet<String>| {
        let missing = expected.difference(found).cloned().collect::<Vec<_>>();
        match missing.is_empty() {
            true => "none".to_owned(),
            false => missing.join(", "),
        }
    };
    let none = || "none".to_owned();
    let something = !expected.libraries.is_empty() && !expected.symbols.is_empty();
    let mut comparisons = vec![
        Comparison::of("something is expected", true, something),
        Comparison::of(
            "libraries that were not recorded",
            none(),
            missing(&expected.libraries, &loaded),
        ),
        Comparison::of(
            "symbols whose binds were not recorded",
            none(),
            missing(&expected.symbols, &bound),
        ),
    ];
    if expected.is_all {
        comparisons.push(Comparison::of(
            "symbols that nobody was bound to",
            none(),
            missing(&bound, &expected.symbols),
        ));
    }
    comparisons
}

/// Without the program's word there is nothing to compare with.
fn unsaid() -> Comparison {
    Comparison::of("the program says what it did", true, false)
}

fn share(part: Nanos, all: Nanos) -> f64 {
    if all == Nanos::ZERO {
        0.0
    } else {
        part.0 as f64 / all.0 as f64
    }
}

/// A time that ought to be this long, but for what sampling cannot tell.
fn about(what: &'static str, expected: Nanos, found: Nanos) -> Comparison {
    let (low, high) = (1.0 - MOST_OFF, 1.0 + MOST_OFF);
    let milliseconds = |time: Nanos| format!("{:.0} ms", time.0 as f64 / 1e6);
    Comparison {
        what,
        expected: format!(
            "{} within {:.0} %",
            milliseconds(expected),
            MOST_OFF * 100.0
        ),
        found: milliseconds(found),
        fits: (low..=high).contains(&share(found, expected)),
    }
}

fn at_least(what: &'static str, expected: f64, found: f64) -> Comparison {
    Comparison {
        what,
        expected: format!("{:.0} % or more", expected * 100.0),
        found: format!("{:.1} %", found * 100.0),
        fits: found >= expected,
    }
}
