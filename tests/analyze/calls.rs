//! Calls out of entries and exits, against values worked out by hand, and laws.

use super::builder::{Builder, COMPILE, ms};
use gotrace::analyze::calls::{self, Call, CallEnd, GroupBy, PathChoice, Slowest, Statistics};
use gotrace::analyze::{Analysis, Filter, call_tree};
use gotrace::trace::{
    Argument, CallEdge, CallEvent, Goid, Nanos, PhaseLasts, PhaseMark, Probe, ProbeDropped,
    ProbeId, ProcessId, Sample, SampleKind, SamplePlace, StackOwner, StringId, Tid, Trace,
};
use proptest::prelude::*;

const F: ProbeId = ProbeId(0);
const G: ProbeId = ProbeId(1);
/// Watched by its entries alone.
const H: ProbeId = ProbeId(2);

/// A process that ran from 0 to 100 ms, and three watched functions.
fn program() -> Builder {
    let mut b = Builder::default();
    b.process(None, &format!("{COMPILE} -p example.com/p"), (0, 100), 50);
    for (id, name, exits) in [(F, "main.f", 2), (G, "main.g", 1), (H, "main.h", 0)] {
        let function = b.text(name);
        b.trace.probes.push(Probe {
            id,
            function,
            exits,
            ..Probe::default()
        });
    }
    b.end(100);
    b
}

fn event(time: u64, goroutine: u64, probe: ProbeId, edge: CallEdge, depth: u32) -> CallEvent {
    CallEvent {
        time: ms(time),
        process: ProcessId(0),
        tid: Tid(100),
        stack: StackOwner::Goroutine(Goid(goroutine)),
        probe,
        edge,
        depth,
        argument: None,
    }
}

fn enter(time: u64, goroutine: u64, probe: ProbeId, depth: u32) -> CallEvent {
    event(time, goroutine, probe, CallEdge::Entry, depth)
}

fn leave(time: u64, goroutine: u64, probe: ProbeId, depth: u32) -> CallEvent {
    event(time, goroutine, probe, CallEdge::Exit, depth)
}

fn walk(trace: &Trace) -> (Vec<Call>, calls::Walked) {
    let mut found = Vec::new();
    let walked = calls::walk(&Analysis::of(trace), &Filter::default(), |call, _| {
        found.push(*call);
    });
    (found, walked)
}

fn by_function(trace: &Trace) -> Statistics {
    Statistics::of(&Analysis::of(trace), &Filter::default(), GroupBy::Function)
}

/// A function is no longer watched from this time on.
fn give_up(b: &mut Builder, probe: ProbeId, at: u64) {
    b.trace.dropped_probes.push(ProbeDropped {
        probe,
        at: ms(at),
        hits: 1,
        unrecorded: 0,
        why: StringId::EMPTY,
    });
}

/// Function, begin and end in ms, time in callees, and how it ended.
fn told(calls: &[Call]) -> Vec<(ProbeId, u64, u64, u64, CallEnd)> {
    let millis = |time: Nanos| time.0 / 1_000_000;
    calls
        .iter()
        .map(|call| {
            (
                call.probe,
                millis(call.begin),
                millis(call.end),
                millis(call.inner),
                call.how,
            )
        })
        .collect()
}

#[test]
fn calls_nest_on_a_goroutine_whatever_thread_it_is_on() {
    let mut b = program();
    let moved = |event| CallEvent {
        tid: Tid(101),
        ..event
    };
    b.trace.push_calls(&[
        enter(1, 7, F, 100),
        enter(2, 8, F, 100),
        enter(3, 7, G, 200),
        moved(leave(6, 7, G, 200)),
        leave(7, 8, F, 100),
        moved(leave(9, 7, F, 100)),
    ]);
    let (found, walked) = walk(&b.trace);
    use CallEnd::Returned;
    assert_eq!(
        told(&found),
        [
            (G, 3, 6, 0, Returned),
            (F, 2, 7, 0, Returned),
            (F, 1, 9, 3, Returned)
        ]
    );
    assert_eq!((walked.entries, walked.orphan_exits), (3, 0));
}

#[test]
fn functions_of_sets_can_be_left_out_and_their_time_stays_theirs() {
    let mut b = program();
    b.trace.probes[1].set = b.text("go-build");
    b.trace.push_calls(&[
        enter(1, 7, F, 100),
        enter(3, 7, G, 200),
        leave(5, 7, G, 200),
        leave(10, 7, F, 100),
    ]);
    let filter = Filter {
        named: true,
        ..Filter::default()
    };
    let statistics = Statistics::of(&Analysis::of(&b.trace), &filter, GroupBy::Function);
    let rows = statistics.rows.iter();
    let told: Vec<_> = rows
        .map(|row| (&*row.function, row.total, row.own))
        .collect();
    assert_eq!(told, [("main.f", ms(9), ms(7))]);
}

#[test]
fn what_a_panic_takes_away_ends_with_the_next_event_below_it() {
    let mut b = program();
    b.trace.push_calls(&[
        enter(1, 7, F, 100),
        enter(2, 7, G, 200),
        enter(3, 7, G, 300),
        // Recovered in f, which returns.
        leave(5, 7, F, 100),
        // And again, with a call instead of a return.
        enter(6, 7, G, 200),
        enter(7, 7, G, 200),
        leave(8, 7, G, 200),
    ]);
    use CallEnd::{Returned, Unwound};
    assert_eq!(
        told(&walk(&b.trace).0),
        [
            (G, 3, 5, 0, Unwound),
            (G, 2, 5, 2, Unwound),
            (F, 1, 5, 3, Returned),
            (G, 6, 7, 0, Unwound),
            (G, 7, 8, 0, Returned),
        ]
    );
}

#[test]
fn a_goroutine_that_ends_leaves_no_call_open() {
    let mut b = program();
    let function = b.text("runtime.goexit1");
    let end = ProbeId(3);
    b.trace.probes.push(Probe {
        id: end,
        function,
        ..Probe::default()
    });
    b.trace.push_calls(&[
        enter(1, 7, F, 100),
        enter(2, 7, G, 200),
        // As runtime.Goexit has it: deeper than what it ends.
        enter(4, 7, end, 300),
    ]);
    use CallEnd::{Instant, Unwound};
    assert_eq!(
        told(&walk(&b.trace).0),
        [
            (G, 2, 4, 0, Unwound),
            (F, 1, 4, 2, Unwound),
            (end, 4, 4, 0, Instant),
        ]
    );
}

#[test]
fn a_tail_jump_ends_its_call_and_the_next_one_is_as_deep() {
    let mut b = program();
    b.trace.push_calls(&[
        enter(1, 7, F, 100),
        event(2, 7, F, CallEdge::TailJump, 100),
        enter(3, 7, G, 100),
        leave(5, 7, G, 100),
    ]);
    use CallEnd::{Returned, TailJumped};
    assert_eq!(
        told(&walk(&b.trace).0),
        [(F, 1, 2, 0, TailJumped), (G, 3, 5, 0, Returned)]
    );
}

#[test]
fn exits_without_entry_are_counted_and_nothing_is_guessed() {
    let mut b = program();
    b.trace.push_calls(&[
        leave(1, 7, F, 100),
        enter(2, 7, F, 100),
        leave(3, 7, G, 200),
        leave(4, 7, F, 100),
    ]);
    let (found, walked) = walk(&b.trace);
    assert_eq!(told(&found), [(F, 2, 4, 0, CallEnd::Returned)]);
    assert_eq!(walked.orphan_exits, 2);
}

#[test]
fn what_is_under_way_when_the_program_ends_is_open() {
    let mut b = program();
    b.trace.push_calls(&[
        enter(1, 7, F, 100),
        enter(2, 7, H, 200),
        enter(3, 7, G, 150),
    ]);
    use CallEnd::{Instant, Open};
    assert_eq!(
        told(&walk(&b.trace).0),
        [
            (H, 2, 2, 0, Instant),
            (G, 3, 100, 0, Open),
            (F, 1, 100, 97, Open)
        ]
    );
}

#[test]
fn stacks_of_threads_are_apart_from_goroutines_and_from_each_other() {
    let mut b = program();
    let on = |stack, tid, event| CallEvent {
        stack,
        tid: Tid(tid),
        ..event
    };
    let foreign = StackOwner::Foreign;
    b.trace.push_calls(&[
        enter(1, 7, F, 100),
        on(StackOwner::System(Some(Goid(7))), 100, enter(2, 7, F, 10)),
        on(StackOwner::System(None), 100, leave(3, 7, F, 10)),
        on(foreign, 100, enter(4, 7, G, u32::MAX)),
        // Deeper: the distance has run over.
        on(foreign, 100, enter(5, 7, G, 30)),
        on(foreign, 101, leave(6, 7, G, 30)),
        on(foreign, 100, leave(7, 7, G, 30)),
        on(foreign, 100, leave(8, 7, G, u32::MAX)),
        leave(9, 7, F, 100),
    ]);
    let (found, walked) = walk(&b.trace);
    use CallEnd::Returned;
    assert_eq!(
        told(&found),
        [
            (F, 2, 3, 0, Returned),
            (G, 5, 7, 0, Returned),
            (G, 4, 8, 2, Returned),
            (F, 1, 9, 0, Returned),
        ]
    );
    assert_eq!(walked.orphan_exits, 1);
}

#[test]
fn recursion_counts_once_in_totals() {
    let mut b = program();
    b.trace.push_calls(&[
        enter(0, 7, F, 100),
        enter(10, 7, G, 200),
        enter(20, 7, F, 300),
        leave(30, 7, F, 300),
        leave(40, 7, G, 200),
        leave(60, 7, F, 100),
    ]);
    let analysis = Analysis::of(&b.trace);
    let statistics = Statistics::of(&analysis, &Filter::default(), GroupBy::Function);
    let rows: Vec<_> = statistics
        .rows
        .iter()
        .map(|row| (&*row.function, row.count, row.total, row.own))
        .collect();
    assert_eq!(
        rows,
        [("main.f", 2, ms(60), ms(40)), ("main.g", 1, ms(30), ms(20))]
    );
    let (tree, _) = calls::tree(&analysis, &call_tree::Options::default(), PathChoice::All);
    let paths: Vec<_> = tree
        .folded()
        .map(|(path, weight)| {
            let path: Vec<&str> = path.iter().map(|name| &***name).collect();
            (path.join(";"), weight.time, weight.samples)
        })
        .collect();
    assert_eq!(
        paths,
        [
            ("main.f".to_owned(), ms(30), 1),
            ("main.f;main.g".to_owned(), ms(20), 1),
            ("main.f;main.g;main.f".to_owned(), ms(10), 1),
        ]
    );
}

#[test]
fn the_slowest_come_first_with_their_callers_and_arguments() {
    let mut b = program();
    let with = |event| CallEvent {
        argument: Some(Argument::Integer(0x2a)),
        ..event
    };
    b.trace.push_calls(&[
        enter(0, 7, F, 100),
        with(enter(10, 7, G, 200)),
        leave(40, 7, G, 200),
        enter(50, 7, G, 200),
        leave(51, 7, G, 200),
        leave(60, 7, F, 100),
    ]);
    let slowest = Slowest::of(&Analysis::of(&b.trace), &Filter::default(), 2);
    let told: Vec<_> = slowest
        .calls
        .iter()
        .map(|slow| {
            let callers: Vec<&str> = slow.callers.iter().map(|name| &**name).collect();
            (
                &*slow.function,
                slow.call.total(),
                slow.argument.as_deref(),
                callers,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("main.f", ms(60), None, vec![]),
            ("main.g", ms(30), Some("0x2a"), vec!["main.f"]),
        ]
    );
}

#[test]
fn calls_are_grouped_by_package_process_and_goroutine() {
    let mut b = program();
    b.trace.push_calls(&[
        enter(1, 7, F, 100),
        leave(2, 7, F, 100),
        enter(3, 8, F, 100),
        leave(6, 8, F, 100),
    ]);
    let analysis = Analysis::of(&b.trace);
    let groups = |by| {
        let statistics = Statistics::of(&analysis, &Filter::default(), by);
        let rows = statistics.rows.iter();
        rows.map(|row| (row.group.to_string(), row.count))
            .collect::<Vec<_>>()
    };
    let pid = b.trace.processes[0].pid;
    assert_eq!(groups(GroupBy::Package), [("example.com/p".to_owned(), 2)]);
    assert_eq!(groups(GroupBy::Process), [(format!("compile ({pid})"), 2)]);
    assert_eq!(
        groups(GroupBy::Goroutine),
        [
            (format!("compile ({pid}) goroutine 8"), 1),
            (format!("compile ({pid}) goroutine 7"), 1),
        ]
    );
}

prop_compose! {
    fn any_event()(
        time in 0..50_u64,
        goroutine in 1..4_u64,
        owner in 0..6_u8,
        probe in 0..4_u32,
        edge in 0..3_u8,
        depth in prop_oneof![any::<u32>(), 0..6_u32],
        tid in 100..102_u32,
    ) -> CallEvent {
        CallEvent {
            tid: Tid(tid),
            stack: [
                StackOwner::Goroutine(Goid(goroutine)),
                StackOwner::Unnumbered(goroutine),
                StackOwner::System(Some(Goid(goroutine))),
                StackOwner::Signal,
                StackOwner::Foreign,
                StackOwner::Forked,
            ][usize::from(owner)],
            ..event(
                time,
                goroutine,
                ProbeId(probe),
                [CallEdge::Entry, CallEdge::Exit, CallEdge::TailJump][usize::from(edge)],
                depth,
            )
        }
    }
}

proptest! {
    /// Whatever comes: every entry becomes one call, and every exit ends one or is an orphan.
    #[test]
    fn entries_are_exits_and_open_calls(events in proptest::collection::vec(any_event(), 0..200)) {
        let mut b = program();
        b.trace.push_calls(&events);
        let (found, walked) = walk(&b.trace);
        let entries = events.iter().filter(|event| event.edge == CallEdge::Entry).count();
        prop_assert_eq!(walked.entries, entries as u64);
        prop_assert_eq!(found.len(), entries);
        let exits = (events.len() - entries) as u64;
        let ended = found.iter().filter(|call| {
            matches!(call.how, CallEnd::Returned | CallEnd::TailJumped)
        });
        prop_assert_eq!(ended.count() as u64 + walked.orphan_exits, exits);
        prop_assert!(found.iter().all(|call| call.begin <= call.end));
    }

    /// A program that calls and returns, on goroutines that change threads: all is paired.
    #[test]
    fn legal_calls_all_return(steps in proptest::collection::vec((0..3_usize, any::<bool>(), 0..2_u32), 0..300)) {
        let mut open: [Vec<(ProbeId, u32)>; 3] = Default::default();
        let mut events = Vec::new();
        for (time, (goroutine, calls, probe)) in (0..).zip(steps) {
            let stack = &mut open[goroutine];
            let id = goroutine as u64 + 1;
            if calls || stack.is_empty() {
                let depth = stack.last().map_or(64, |(_, depth)| depth + 32);
                stack.push((ProbeId(probe), depth));
                events.push(enter(time, id, ProbeId(probe), depth));
            } else {
                let (probe, depth) = stack.pop().unwrap();
                events.push(leave(time, id, probe, depth));
            }
        }
        let mut b = program();
        b.trace.push_calls(&events);
        let (found, walked) = walk(&b.trace);
        let left: usize = open.iter().map(Vec::len).sum();
        prop_assert_eq!(walked.orphan_exits, 0);
        prop_assert_eq!(found.iter().filter(|call| call.how == CallEnd::Open).count(), left);
        prop_assert!(found.iter().all(|call| matches!(call.how, CallEnd::Open | CallEnd::Returned)));
    }
}

#[test]
fn a_call_of_a_function_that_was_given_up_is_open_until_then() {
    let mut b = program();
    give_up(&mut b, F, 4);
    b.trace.push_calls(&[
        enter(1, 7, F, 100),
        enter(3, 7, G, 200),
        leave(5, 7, G, 200),
        // Not deeper: f is over, since when is not known.
        enter(9, 7, G, 50),
        leave(10, 7, G, 50),
    ]);
    use CallEnd::{Open, Returned};
    assert_eq!(
        told(&walk(&b.trace).0),
        [
            (G, 3, 5, 0, Returned),
            (F, 1, 4, 2, Open),
            (G, 9, 10, 0, Returned),
        ]
    );
    let statistics = by_function(&b.trace);
    let rows = statistics.rows.iter();
    let given_up: Vec<_> = rows.map(|row| (&*row.function, row.given_up)).collect();
    assert_eq!(given_up, [("main.g", None), ("main.f", Some(ms(4)))]);
}

/// The kernel takes a probe away some milliseconds after it was given up.
#[test]
fn calls_of_a_function_that_was_given_up_are_cut_behind_its_last_event() {
    let mut b = program();
    give_up(&mut b, F, 4);
    b.trace.push_calls(&[
        enter(1, 7, F, 100),
        enter(3, 7, F, 200),
        leave(6, 7, F, 200),
        enter(50, 7, G, 50),
        leave(51, 7, G, 50),
    ]);
    let statistics = by_function(&b.trace);
    let row = &statistics.rows[0];
    assert_eq!((&*row.function, row.count, row.open), ("main.f", 2, 1));
    assert_eq!((row.total, row.own), (ms(5), ms(5)));
}

#[test]
fn the_outermost_call_within_a_time_range_has_the_total() {
    let mut b = program();
    b.trace.push_calls(&[
        enter(0, 7, F, 100),
        enter(10, 7, F, 200),
        enter(20, 7, F, 300),
        leave(30, 7, F, 300),
        leave(50, 7, F, 200),
        leave(60, 7, F, 100),
    ]);
    let filter = Filter {
        from: Some(ms(5)),
        ..Filter::default()
    };
    let statistics = Statistics::of(&Analysis::of(&b.trace), &filter, GroupBy::Function);
    let row = &statistics.rows[0];
    assert_eq!((row.count, row.total, row.own), (2, ms(40), ms(40)));
}

/// Marks of a track: parse until the next at 10, ssa until the end at 40, with a call of its own
/// goroutine within, and a collection beside.
#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one history, and all that is to be known of it"
)]
fn phases_follow_each_other_and_a_goroutine_has_its_own() {
    let mut b = program();
    let mark = |b: &mut Builder, id: ProbeId, phase: &str, lasts, beside| {
        let mark = PhaseMark {
            track: b.text(if beside { "runtime" } else { "compile" }),
            phase: if phase.is_empty() {
                StringId::EMPTY
            } else {
                b.text(phase)
            },
            lasts,
            beside,
        };
        let exits = u32::from(lasts == PhaseLasts::Call);
        let probe = Probe {
            id,
            phase: Some(mark),
            exits,
            ..Probe::default()
        };
        b.trace.probes.push(probe);
    };
    use PhaseLasts::UntilNext;
    let [parse, ssa, end, regalloc, gc, gc_end] = [3, 4, 5, 6, 7, 8].map(ProbeId);
    mark(&mut b, parse, "parse", UntilNext, false);
    mark(&mut b, ssa, "ssa", UntilNext, false);
    mark(&mut b, end, "", UntilNext, false);
    mark(&mut b, regalloc, "regalloc", PhaseLasts::Call, false);
    mark(&mut b, gc, "GC", UntilNext, true);
    mark(&mut b, gc_end, "", UntilNext, true);
    b.trace.push_calls(&[
        enter(2, 1, parse, 10),
        enter(10, 1, ssa, 10),
        // The same phase again is no new one.
        enter(12, 1, ssa, 10),
        enter(15, 9, gc, 10),
        enter(20, 7, regalloc, 10),
        enter(25, 9, gc_end, 10),
        leave(30, 7, regalloc, 10),
        enter(40, 1, end, 10),
    ]);
    let stack = b.cut();
    let stack = b.stack(&[stack]);
    let at = |time, goroutine| Sample {
        time: ms(time),
        process: ProcessId(0),
        tid: Tid(100),
        goroutine: Some(Goid(goroutine)),
        stack,
        weight: ms(1),
        kind: SampleKind::OnCpu,
        place: SamplePlace::User,
    };
    // Before all; parse; ssa; ssa elsewhere than in regalloc, during a collection; regalloc; after.
    b.trace.push_samples(&[
        at(1, 1),
        at(5, 1),
        at(14, 7),
        at(22, 1),
        at(22, 7),
        at(45, 1),
    ]);
    let phases = Analysis::of(&b.trace).phases();
    assert_eq!(phases.cpu.samples, 6);
    let rows: Vec<_> = phases
        .rows
        .iter()
        .map(|row| {
            (
                &*row.phase,
                row.beside,
                row.count,
                row.wall,
                row.cpu.samples,
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("ssa", false, 1, ms(30), 2),
            ("regalloc", false, 1, ms(10), 1),
            ("parse", false, 1, ms(8), 1),
            ("GC", true, 1, ms(10), 2),
        ]
    );
    let tree = Analysis::of(&b.trace).call_tree(&call_tree::Options {
        grouping: call_tree::Grouping::Phase,
        ..call_tree::Options::default()
    });
    let groups = tree.nodes.iter().filter(|node| node.parent == 0).skip(1);
    let groups: Vec<_> = groups
        .map(|node| (tree.name(node), node.total.samples))
        .collect();
    assert_eq!(
        groups,
        [
            ("[no phase]", 2),
            ("compile: parse", 1),
            ("compile: regalloc", 1),
            ("compile: ssa", 2),
        ]
    );
    // ssa may have gone on after its successor was given up: nothing is known of the track then.
    b.trace.dropped_probes.push(ProbeDropped {
        probe: end,
        at: ms(20),
        hits: 1,
        unrecorded: 0,
        why: StringId::EMPTY,
    });
    let phases = Analysis::of(&b.trace).phases();
    let ssa = phases.rows.iter().find(|row| &*row.phase == "ssa").unwrap();
    assert_eq!((ssa.wall, ssa.cpu.samples), (ms(10), 1));
}
