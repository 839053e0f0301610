//! What the sieve tells of records, against values by hand and against a simpler count.

use super::*;
use crate::capture::probes::FunctionGlob;
use std::collections::BTreeMap;
use std::num::NonZero;

const PID: Pid = Pid(70);

/// Paths of functions: calls, of these those without an exit, and their time.
type Paths = BTreeMap<Vec<u32>, (u64, u64, u64)>;

fn writer(tid: u32) -> Writer {
    Writer {
        pid: PID,
        tid: Tid(tid),
        copy: 5,
    }
}

/// Functions 0 to 9, with the probes 100 to 109; some have traits.
fn functions(traits: &[(usize, Traits)]) -> Functions {
    let mut functions = Functions {
        first: ProbeId(100),
        traits: vec![Traits::default(); 10],
    };
    for (function, has) in traits {
        functions.traits[*function] = functions.traits[*function].with(*has, true);
    }
    functions
}

fn at(ticks: u64, goroutine: u64, function: u32, depth: u32, edge: CallEdge) -> Written {
    Written {
        ticks,
        goroutine,
        depth,
        function,
        edge,
        argument: ticks * 10,
        left: None,
    }
}

/// An entry on goroutine 1.
fn enter(ticks: u64, function: u32, depth: u32) -> Written {
    at(ticks, 1, function, depth, CallEdge::Entry)
}

/// An exit on goroutine 1.
fn leave(ticks: u64, function: u32, depth: u32) -> Written {
    at(ticks, 1, function, depth, CallEdge::Exit)
}

fn mode(keep: Keep) -> CallMode {
    CallMode {
        keep,
        ..CallMode::default()
    }
}

fn glob(text: &str) -> FunctionGlob {
    text.parse().unwrap()
}

/// One round of records of one goroutine.
fn round(sieve: &mut Sieve, functions: &Functions, records: &[Written]) -> Vec<Told> {
    if sieve.has_turns() {
        for written in records {
            sieve.turn(&writer(1), functions, written);
            if let Some(own) = written.own_return() {
                sieve.turn(&writer(1), functions, &own);
            }
        }
    }
    sieve.take(&writer(1), functions, records.iter().copied());
    sieve.settle(records.last().map_or(0, |last| last.ticks))
}

/// Rows as level, probe, calls, open and total.
fn rows(grown: &[Grown]) -> Vec<(u32, u32, u64, u64, u64)> {
    let rows = grown.iter().flat_map(|grown| &grown.rows);
    rows.map(|row| (row.level, row.probe.0, row.calls, row.open, row.total.0))
        .collect()
}

/// The same records as trampolines write them that span: a return is part of its entry, if nothing is between.
fn joined(records: &[Written]) -> Vec<Written> {
    let mut joined: Vec<Written> = Vec::new();
    for written in records {
        let ends = |last: &&mut Written| {
            let of = |written: &Written| (written.goroutine, written.function, written.depth);
            last.edge == CallEdge::Entry && last.left.is_none() && of(last) == of(written)
        };
        let last = joined.last_mut().filter(ends);
        match last.filter(|_| written.edge == CallEdge::Exit) {
            Some(last) => last.left = NonZero::new(written.ticks),
            None => joined.push(*written),
        }
    }
    joined
}

/// What a sieve makes of one process, whose calls end at this reading: the same, whether returns are part of their
/// entries or not.
fn sums(
    mode: &CallMode,
    functions: &Functions,
    records: &[Written],
    end: u64,
) -> Vec<(u32, u32, u64, u64, u64)> {
    let [apart, joined] = [records, &joined(records)].map(|records| {
        let mut sieve = Sieve::new(mode);
        round(&mut sieve, functions, records);
        sieve.finish(end);
        rows(&sieve.grown())
    });
    assert_eq!(apart, joined);
    apart
}

/// f0 calls f1 twice, which calls f2 each time, and then f2 itself.
fn nested() -> Vec<Written> {
    vec![
        enter(10, 0, 100),
        enter(20, 1, 200),
        enter(21, 2, 300),
        leave(25, 2, 300),
        leave(30, 1, 200),
        enter(40, 1, 200),
        enter(42, 2, 300),
        leave(43, 2, 300),
        leave(50, 1, 200),
        enter(60, 2, 200),
        leave(67, 2, 200),
        leave(100, 0, 100),
    ]
}

#[test]
fn calls_are_added_up_by_their_callers() {
    let sums = sums(&mode(Keep::Sums), &functions(&[]), &nested(), 100);
    let expected = [
        (0, 100, 1, 0, 90),
        (1, 101, 2, 0, 20),
        (2, 102, 2, 0, 5),
        (1, 102, 1, 0, 7),
    ];
    assert_eq!(sums, expected);
}

#[test]
fn what_a_panic_takes_away_ends_with_the_next_event() {
    // f0 recovers: f1 and f2 do not return. Then f3 runs where f1 was.
    let records = [
        enter(10, 0, 100),
        enter(20, 1, 200),
        enter(30, 2, 300),
        enter(50, 3, 200),
        leave(55, 3, 200),
        enter(60, 1, 200),
        enter(70, 2, 300),
        leave(90, 0, 100),
    ];
    let sums = sums(&mode(Keep::Sums), &functions(&[]), &records, 90);
    let expected = [
        (0, 100, 1, 0, 80),
        (1, 101, 2, 2, 30 + 30),
        (2, 102, 2, 2, 20 + 20),
        (1, 103, 1, 0, 5),
    ];
    assert_eq!(sums, expected);
}

#[test]
fn what_is_open_ends_with_its_process() {
    let records = [enter(10, 0, 100), enter(20, 1, 200)];
    let expected = [(0, 100, 1, 1, 30), (1, 101, 1, 1, 20)];
    let all = &functions(&[]);
    assert_eq!(sums(&mode(Keep::Sums), all, &records, 40), expected);
    // It wrote a record after it was last known to be there.
    let expected = [(0, 100, 1, 1, 10), (1, 101, 1, 1, 0)];
    assert_eq!(sums(&mode(Keep::Sums), all, &records, 15), expected);
}

#[test]
fn recursion_is_as_deep_as_it_was() {
    let mut records: Vec<Written> = (0..5).map(|n| enter(10 + n, 1, 100 + n as u32)).collect();
    records.extend((0..5).rev().map(|n| leave(30 - n, 1, 100 + n as u32)));
    let sums = sums(&mode(Keep::Sums), &functions(&[]), &records, 40);
    let expected: Vec<_> = (0..5)
        .map(|n| (n, 101, 1, 0, 20 - 2 * u64::from(n)))
        .collect();
    assert_eq!(sums, expected);
}

#[test]
fn a_goroutine_goes_on_on_another_thread_and_others_stand_beside_it() {
    let mut sieve = Sieve::new(&mode(Keep::Sums));
    let all = functions(&[]);
    let other = |mut written: Written, goroutine| {
        written.goroutine = goroutine;
        written
    };
    let runs: [(u32, Vec<Written>); 5] = [
        (1, vec![enter(10, 0, 100), enter(20, 1, 200)]),
        (
            1,
            vec![other(enter(30, 1, 100), 2), other(leave(35, 1, 100), 2)],
        ),
        (2, vec![leave(40, 1, 200), leave(50, 0, 100)]),
        // Stacks of threads are those of their threads.
        (1, vec![other(enter(60, 2, 100), 0)]),
        (2, vec![other(leave(70, 2, 100), 0)]),
    ];
    for (tid, records) in runs {
        sieve.take(&writer(tid), &all, records.into_iter());
    }
    assert_eq!(sieve.settle(80), []);
    sieve.finish(80);
    let grown = sieve.grown();
    assert_eq!((grown[0].pid, grown[0].from, grown[0].to), (PID, 10, 80));
    let expected = [
        (0, 100, 1, 0, 40),
        (1, 101, 1, 0, 20),
        (0, 101, 1, 0, 5),
        (0, 102, 1, 1, 20),
    ];
    assert_eq!(rows(&grown), expected);
    assert_eq!(sieve.unpaired().orphans, 1);
}

#[test]
fn a_jump_to_another_function_ends_a_call() {
    let mut jump = leave(20, 1, 100);
    jump.edge = CallEdge::TailJump;
    let records = [
        enter(10, 1, 100),
        jump,
        enter(21, 2, 100),
        leave(30, 2, 100),
    ];
    let sums = sums(&mode(Keep::Sums), &functions(&[]), &records, 40);
    assert_eq!(sums, [(0, 101, 1, 0, 10), (0, 102, 1, 0, 9)]);
}

#[test]
fn a_function_whose_exits_are_not_watched_is_over_at_once() {
    let records = [enter(10, 0, 100), enter(20, 1, 200), enter(30, 2, 300)];
    let all = functions(&[(1, Traits::INSTANT)]);
    let sums = sums(&mode(Keep::Sums), &all, &records, 40);
    let expected = [(0, 100, 1, 1, 30), (1, 101, 1, 0, 0), (1, 102, 1, 1, 10)];
    assert_eq!(sums, expected);
}

#[test]
fn an_exit_without_an_entry_is_counted() {
    let mut sieve = Sieve::new(&mode(Keep::Sums));
    let records = [leave(5, 3, 100), enter(10, 0, 100), leave(20, 1, 200)];
    round(&mut sieve, &functions(&[]), &records);
    assert_eq!(sieve.unpaired().orphans, 2);
    assert_eq!(sieve.unpaired(), Unpaired::default());
}

#[test]
fn only_so_many_levels_are_kept() {
    let limited = CallMode {
        depth: Some(2),
        ..mode(Keep::Sums)
    };
    let mut records = nested();
    records.insert(3, enter(22, 3, 400));
    records.insert(4, leave(23, 3, 400));
    let sums = sums(&limited, &functions(&[]), &records, 100);
    let expected = [(0, 100, 1, 0, 90), (1, 101, 2, 0, 20), (1, 102, 1, 0, 7)];
    assert_eq!(sums, expected);
}

#[test]
fn only_calls_inside_of_a_function_are_kept() {
    let inside = CallMode {
        inside: Some(glob("main.f1")),
        ..mode(Keep::Sums)
    };
    let all = functions(&[(1, Traits::INSIDE)]);
    let expected = [(0, 101, 2, 0, 20), (1, 102, 2, 0, 5)];
    assert_eq!(sums(&inside, &all, &nested(), 100), expected);
    let first = CallMode {
        depth: Some(1),
        ..inside
    };
    assert_eq!(sums(&first, &all, &nested(), 100), [(0, 101, 2, 0, 20)]);
}

#[test]
fn only_calls_between_two_functions_are_kept() {
    let between = CallMode {
        between: Some((glob("main.f2"), glob("main.f1"))),
        ..mode(Keep::Sums)
    };
    // Open from 21 to 30, from 42 to 50, and from 60 on: the second f1 begins at 40.
    let all = functions(&[(2, Traits::FROM), (1, Traits::TO)]);
    assert_eq!(
        sums(&between, &all, &nested(), 100),
        [(0, 102, 3, 0, 4 + 1 + 7)]
    );
    // What another goroutine does counts, too, whichever comes first within a round.
    let mut sieve = Sieve::new(&between);
    let mut beside = [enter(45, 5, 100), leave(46, 5, 100), enter(55, 5, 100)];
    beside.iter_mut().for_each(|written| written.goroutine = 2);
    for written in nested().iter().chain(&beside) {
        sieve.turn(&writer(1), &all, written);
    }
    sieve.take(&writer(2), &all, beside.into_iter());
    sieve.take(&writer(1), &all, nested().into_iter());
    sieve.settle(100);
    // The window stays open in the next round.
    let mut later = [enter(110, 6, 200)];
    later[0].goroutine = 2;
    sieve.take(&writer(2), &all, later.into_iter());
    sieve.finish(120);
    let expected = [(0, 105, 1, 0, 1), (0, 106, 1, 1, 10), (0, 102, 3, 0, 12)];
    let mut found = rows(&sieve.grown());
    found.sort_by_key(|row| (row.1 == 102, row.1));
    assert_eq!(found, expected);
}

#[test]
fn what_is_told_is_the_same_whether_returns_are_part_of_their_entries() {
    let (mut records, ..) = random(5_000);
    // As if each goroutine had a thread.
    records.sort_by_key(|written| written.goroutine);
    let joined = joined(&records);
    assert!(joined.len() < records.len() * 4 / 5, "{}", joined.len());
    let all = functions(&[
        (1, Traits::MARKS),
        (2, Traits::ARGUMENT),
        (3, Traits::INSTANT),
    ]);
    for keep in [Keep::Each, Keep::Sums, Keep::Longer(Nanos(6))] {
        let [apart, joined] = [&records, &joined].map(|records| {
            let mut sieve = Sieve::new(&mode(keep));
            let mut found = Vec::new();
            for run in records.chunk_by(|one, next| one.goroutine == next.goroutine) {
                sieve.take(&writer(1), &all, run.iter().copied());
                let last = run.last().unwrap();
                found.extend(sieve.settle(last.left.map_or(last.ticks, NonZero::get)));
            }
            found.extend(sieve.settle(u64::MAX));
            sieve.finish(u64::MAX);
            (found, rows(&sieve.grown()), sieve.unpaired())
        });
        assert_eq!(apart, joined, "{keep:?}");
        assert!(apart.0.len() > 100, "{keep:?}: {}", apart.0.len());
    }
}

fn told(told: &[Told]) -> Vec<(u64, u32, CallEdge)> {
    let each = told
        .iter()
        .map(|told| (told.ticks, told.probe.0 - 100, told.edge));
    each.collect()
}

#[test]
fn phases_are_told_one_by_one_whatever_is_added_up() {
    let mut sieve = Sieve::new(&mode(Keep::Sums));
    let all = functions(&[(1, Traits::MARKS), (3, Traits::MARKS)]);
    let mut records = nested();
    // One whose entry is not there.
    records.push(leave(110, 3, 300));
    let found = round(&mut sieve, &all, &records);
    let (entry, exit) = (CallEdge::Entry, CallEdge::Exit);
    let expected = [
        (20, 1, entry),
        (30, 1, exit),
        (40, 1, entry),
        (50, 1, exit),
        (110, 3, exit),
    ];
    assert_eq!(told(&found), expected);
    assert_eq!(
        (found[0].tid, found[0].goroutine, found[0].depth),
        (Tid(1), 1, 200)
    );
    sieve.finish(110);
    assert_eq!(rows(&sieve.grown()).len(), 4);
}

#[test]
fn all_that_is_kept_one_by_one_is_told_with_its_exits() {
    let inside = CallMode {
        inside: Some(glob("main.f1")),
        ..CallMode::default()
    };
    let mut sieve = Sieve::new(&inside);
    let all = functions(&[(1, Traits::INSIDE), (2, Traits::ARGUMENT)]);
    let found = round(&mut sieve, &all, &nested());
    let (entry, exit) = (CallEdge::Entry, CallEdge::Exit);
    let expected = [
        (20, 1, entry),
        (21, 2, entry),
        (25, 2, exit),
        (30, 1, exit),
        (40, 1, entry),
        (42, 2, entry),
        (43, 2, exit),
        (50, 1, exit),
    ];
    assert_eq!(told(&found), expected);
    let arguments: Vec<_> = found.iter().map(|told| told.argument).collect();
    assert_eq!(arguments[..3], [None, Some(210), None]);
    sieve.finish(100);
    assert_eq!(sieve.grown(), []);
}

#[test]
fn calls_are_told_once_they_are_long_and_in_the_order_of_time() {
    let mut sieve = Sieve::new(&mode(Keep::Longer(Nanos(20))));
    let all = functions(&[]);
    let (entry, exit) = (CallEdge::Entry, CallEdge::Exit);
    // f1 and f2 are short, f0 is not known to be long by 25.
    let found = round(&mut sieve, &all, &nested()[..4]);
    assert_eq!(told(&found), []);
    // At 43 it is, and so is all that began before 23.
    let found = round(&mut sieve, &all, &nested()[4..8]);
    assert_eq!(told(&found), [(10, 0, entry)]);
    let found = round(&mut sieve, &all, &nested()[8..]);
    assert_eq!(told(&found), []);
    // Its exit came at 100: what is told at 120 is whole until then.
    assert_eq!(told(&sieve.settle(119)), []);
    assert_eq!(told(&sieve.settle(120)), [(100, 0, exit)]);
    // Two ticks a nanosecond: f0 takes 45 ns, f1 five.
    let mut sieve = Sieve::new(&mode(Keep::Longer(Nanos(45))));
    sieve.pace(0.5);
    let found = round(&mut sieve, &all, &nested());
    assert_eq!(told(&found), [(10, 0, entry)]);
    let mut sieve = Sieve::new(&mode(Keep::Longer(Nanos(46))));
    sieve.pace(0.5);
    round(&mut sieve, &all, &nested());
    assert_eq!(told(&sieve.settle(u64::MAX)), []);
}

#[test]
fn a_tree_has_so_many_levels_and_its_callers_the_rest() {
    let mut sieve = Sieve::new(&mode(Keep::Sums));
    let deep = LEVELS + 3;
    let down = (0..deep).map(|n| enter(u64::from(n) + 1, 1, n));
    sieve.take(&writer(1), &functions(&[]), down);
    sieve.finish(u64::from(deep));
    assert_eq!(sieve.unpaired().deep, 3);
    assert_eq!(rows(&sieve.grown()).len(), LEVELS as usize);
}

/// Sums of each path.
fn paths(rows: &[(u32, u32, u64, u64, u64)]) -> Paths {
    let mut path = Vec::new();
    let mut paths = BTreeMap::new();
    for (level, probe, calls, open, total) in rows {
        path.truncate(*level as usize);
        path.push(*probe);
        let sum: &mut (u64, u64, u64) = paths.entry(path.clone()).or_default();
        *sum = (sum.0 + calls, sum.1 + open, sum.2 + total);
    }
    paths.retain(|_, sum| sum.0 > 0);
    paths
}

/// Calls at random, of three goroutines; what each path comes to is added up while they are made up.
fn random(count: usize) -> (Vec<Written>, Paths, u64) {
    let mut seed = 3_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % below
    };
    let mut open: [Vec<(u32, u64)>; 3] = Default::default();
    let mut expected: Paths = BTreeMap::new();
    let mut records = Vec::new();
    let mut ticks = 0;
    let mut end = |stack: &mut Vec<(u32, u64)>, ticks: u64, is_open: bool| {
        let path: Vec<u32> = stack.iter().map(|(probe, _)| 100 + probe).collect();
        let (probe, begin) = stack.pop().unwrap();
        let sum = expected.entry(path).or_default();
        *sum = (sum.0 + 1, sum.1 + u64::from(is_open), sum.2 + ticks - begin);
        probe
    };
    for _ in 0..count {
        ticks += 1 + random(5);
        let goroutine = random(3);
        let stack = &mut open[goroutine as usize];
        let depth = stack.len() as u32 * 10;
        if stack.is_empty() || (stack.len() < 8 && random(2) == 0) {
            let function = random(4) as u32;
            stack.push((function, ticks));
            records.push(at(ticks, goroutine + 1, function, depth, CallEdge::Entry));
        } else if random(20) == 0 && stack.len() > 2 {
            // A panic: two are gone, and the third one returns.
            end(stack, ticks, true);
            end(stack, ticks, true);
            let function = end(stack, ticks, false);
            records.push(at(
                ticks,
                goroutine + 1,
                function,
                depth - 30,
                CallEdge::Exit,
            ));
        } else {
            let function = end(stack, ticks, false);
            records.push(at(
                ticks,
                goroutine + 1,
                function,
                depth - 10,
                CallEdge::Exit,
            ));
        }
    }
    for stack in &mut open {
        while !stack.is_empty() {
            end(stack, ticks, true);
        }
    }
    (records, expected, ticks)
}

#[test]
fn sums_are_exact_however_often_trees_begin_anew() {
    let (records, expected, end) = random(20_000);
    let all = functions(&[]);
    let joined = joined(&records);
    assert!(joined.len() < records.len());
    const NEVER: usize = usize::MAX;
    for (records, of_one, of_all) in [
        (&records, NEVER, NEVER),
        (&joined, NEVER, NEVER),
        (&records, 300, NEVER),
        (&joined, 300, NEVER),
        (&records, 20, NEVER),
        (&records, NEVER, 300),
        (&joined, NEVER, 300),
        (&joined, NEVER, 20),
    ] {
        let mut sieve = Sieve::new(&mode(Keep::Sums));
        let mut grown = Vec::new();
        for run in records.chunk_by(|one, next| one.goroutine == next.goroutine) {
            (sieve.most, sieve.most_of_all) = (of_one, of_all);
            sieve.take(&writer(1), &all, run.iter().copied());
            grown.extend(sieve.grown());
        }
        sieve.finish(end);
        grown.extend(sieve.grown());
        assert_eq!(
            grown.len() > 1,
            of_one.min(of_all) < NEVER,
            "{}",
            grown.len()
        );
        assert_eq!(paths(&rows(&grown)), expected, "{of_one} {of_all}");
        assert_eq!(sieve.unpaired(), Unpaired::default());
    }
}

#[test]
fn a_process_that_becomes_another_program_has_two_trees() {
    let mut sieve = Sieve::new(&mode(Keep::Sums));
    let all = functions(&[]);
    sieve.take(&writer(1), &all, [enter(10, 0, 100)].into_iter());
    let next = Writer {
        copy: 6,
        ..writer(1)
    };
    let records = [enter(50, 1, 100), leave(60, 1, 100)];
    sieve.take(&next, &all, records.into_iter());
    sieve.end(PID, 70);
    let grown = sieve.grown();
    assert_eq!(rows(&grown[..1]), [(0, 100, 1, 1, 40)]);
    assert_eq!(rows(&grown[1..]), [(0, 101, 1, 0, 10)]);
    sieve.end(PID, 80);
    assert_eq!(sieve.grown(), []);
}
