//! Paths and their cells, against stacks laid out by hand.

use gotrace::analyze::paths::{Kind, Limits, Paths};
use gotrace::analyze::{Analysis, Filter, PhaseIndex, call_tree};
use gotrace::trace::{
    Frame, FrameId, FramePlace, FrameRole, Function, FunctionId, ImageId, ImageOffset, Location,
    Nanos, Process, ProcessId, Sample, SampleKind, SamplePlace, StackId, Tid, Trace, Unnamed,
};
use std::collections::BTreeMap;

const MS: u64 = 1_000_000;
const ALL: Limits = Limits {
    paths: 1_000,
    cells: 1_000,
};

/// Frames 0 to 2: `main`; `leaf`, inlined into `work`; one without a name.
fn trace(samples: &[(u64, u32, &[u32], u64, SampleKind)]) -> Trace {
    let mut trace = Trace::default();
    for id in 0..2 {
        trace.processes.push(Process {
            id: ProcessId(id),
            ..Process::default()
        });
    }
    for name in ["main", "work", "leaf"] {
        let name = trace.strings.push(name.as_bytes());
        let file = trace.strings.push(b"a.go");
        trace.functions.push(Function { name, file });
    }
    let at = |function, line| Location {
        function: FunctionId(function),
        line,
    };
    let names = [
        Ok(vec![at(0, 7)]),
        Ok(vec![at(2, 30), at(1, 20)]),
        Err(Unnamed::Stripped),
    ];
    for (id, names) in (0..).zip(names) {
        trace.frames.push(Frame {
            place: FramePlace::Image(ImageId(0), ImageOffset(id)),
            role: FrameRole::Executing,
        });
        trace.symbols.push(names);
    }
    let samples: Vec<Sample> = samples
        .iter()
        .map(|&(time, process, outermost_first, weight, kind)| {
            let frames = outermost_first.iter().map(|&frame| FrameId(frame));
            let stack = frames.fold(StackId::EMPTY, |callers, frame| {
                trace.stacks.push(callers, frame).unwrap()
            });
            Sample {
                time: Nanos(time * MS),
                process: ProcessId(process),
                tid: Tid(1),
                goroutine: None,
                stack,
                weight: Nanos(weight * MS),
                kind,
                place: SamplePlace::User,
            }
        })
        .collect();
    trace.push_samples(&samples);
    trace
}

fn paths_of(trace: &Trace, limits: Limits) -> Paths {
    let analysis = Analysis::of(trace);
    Paths::of(&analysis, &PhaseIndex::of(&analysis), None, limits)
}

type Row = (String, Kind, u32, u64, u64, u64, u64);

/// Each cell: its path in words, kind, program, from and to, time and samples.
fn rows(paths: &Paths) -> Vec<Row> {
    let cells = paths.cells.iter();
    cells
        .map(|cell| {
            let mut names = Vec::new();
            let mut at = cell.path;
            while at != 0 {
                let path = paths.paths[at as usize];
                assert!(path.parent < at);
                let function = &paths.functions[path.function as usize];
                let inlined = if path.inlined { "~" } else { "" };
                names.push(format!("{inlined}{}:{}", function.name, path.line));
                at = path.parent;
            }
            names.reverse();
            (
                names.join(" "),
                cell.kind,
                cell.process.0,
                cell.from.0 / MS,
                cell.to.0 / MS,
                cell.weight.time.0 / MS,
                cell.weight.samples,
            )
        })
        .collect()
}

#[test]
fn samples_keep_their_path_program_and_time() {
    use SampleKind::{OffCpu, OnCpu};
    let trace = trace(&[
        (10, 0, &[0, 1], 10, OnCpu),
        (20, 1, &[0, 1], 10, OnCpu),
        (20, 0, &[0], 5, OnCpu),
        (90, 0, &[0, 2], 60, OffCpu),
    ]);
    let paths = paths_of(&trace, ALL);
    let leaf = || "main:7 work:20 ~leaf:30".to_owned();
    assert_eq!(
        rows(&paths),
        [
            (leaf(), Kind::Running, 0, 10, 10, 10, 1),
            ("main:7".to_owned(), Kind::Running, 0, 20, 20, 5, 1),
            (leaf(), Kind::Running, 1, 20, 20, 10, 1),
            (
                "main:7 [stripped]:0".to_owned(),
                Kind::Waiting,
                0,
                30,
                90,
                60,
                1
            ),
        ]
    );
    assert_eq!((paths.step, paths.folded), (Nanos::ZERO, 0));
}

/// A thousand samples, one each millisecond, in two paths of one program: ten cells at most.
#[test]
fn equal_stacks_near_each_other_are_merged_when_there_are_too_many() {
    let stacks: [&[u32]; 2] = [&[0, 1], &[0]];
    let samples: Vec<_> = (0..1_000)
        .map(|time| (time, 0, stacks[(time % 2) as usize], 1, SampleKind::OnCpu))
        .collect();
    let trace = trace(&samples);
    let limits = Limits { cells: 10, ..ALL };
    let paths = paths_of(&trace, limits);
    let rows = rows(&paths);
    assert!(rows.len() <= 10, "{}", rows.len());
    assert_eq!(paths.step, Nanos(256 * MS));
    // Of the first step: the even milliseconds, 0 to 254.
    assert_eq!(
        rows[0],
        (
            "main:7 work:20 ~leaf:30".to_owned(),
            Kind::Running,
            0,
            0,
            254,
            128,
            128
        )
    );
    assert_eq!(rows.iter().map(|row| row.5).sum::<u64>(), 1_000);
}

#[test]
fn what_little_was_spent_in_is_folded_and_not_lost() {
    use SampleKind::{OffCpu, OnCpu};
    let trace = trace(&[
        (10, 0, &[0, 2], 90, OnCpu),
        (20, 0, &[0, 1], 3, OnCpu),
        (30, 0, &[0, 0, 0], 2, OnCpu),
        // Much more, but of another kind: it does not push out what ran.
        (9_000, 0, &[0], 8_000, OffCpu),
    ]);
    let limits = Limits { paths: 2, ..ALL };
    let paths = paths_of(&trace, limits);
    let folded = "main:7 [folded: too little to be shown]:0".to_owned();
    let running: Vec<_> = rows(&paths)
        .into_iter()
        .filter(|row| row.1 == Kind::Running)
        .map(|row| (row.0, row.5))
        .collect();
    assert_eq!(
        running,
        [
            ("main:7 [stripped]:0".to_owned(), 90),
            (folded.clone(), 3),
            (folded, 2),
        ]
    );
    assert_eq!(paths.folded, 4);
}

/// 243 paths of one program, once each: merging times does not make them fewer, so paths are folded again and again.
#[test]
fn a_program_of_many_paths_is_folded_until_it_fits() {
    let stacks: Vec<Vec<u32>> = (0..243_u32)
        .map(|number| (0..5).map(|place| number / 3_u32.pow(place) % 3).collect())
        .collect();
    let samples: Vec<_> = (1..)
        .zip(&stacks)
        .map(|(time, stack)| (time, 0, &stack[..], 1, SampleKind::OnCpu))
        .collect();
    let trace = trace(&samples);
    let limits = Limits {
        paths: 1_000,
        cells: 100,
    };
    let paths = paths_of(&trace, limits);
    assert!(paths.cells.len() <= 100, "{}", paths.cells.len());
    assert!(paths.folded > 100, "{}", paths.folded);
    assert_eq!(rows(&paths).iter().map(|row| row.5).sum::<u64>(), 243);
}

/// 3 ms of 10 ms, at once and in three cells. As numbers of floating point three tenths are more than 0.3; but equal
/// paths are kept in the order in which they came.
#[test]
fn of_equal_paths_the_first_is_kept() {
    use SampleKind::OnCpu;
    let trace = trace(&[
        (10, 0, &[2], 3, OnCpu),
        (20, 0, &[0], 1, OnCpu),
        (30, 0, &[0], 1, OnCpu),
        (40, 0, &[0], 1, OnCpu),
        (50, 0, &[1], 4, OnCpu),
    ]);
    let paths = paths_of(&trace, Limits { paths: 3, ..ALL });
    let kept: Vec<_> = rows(&paths).into_iter().map(|row| (row.0, row.5)).collect();
    let folded = || "[folded: too little to be shown]:0".to_owned();
    assert_eq!(
        kept,
        [
            ("[stripped]:0".to_owned(), 3),
            (folded(), 1),
            (folded(), 1),
            (folded(), 1),
            ("work:20 ~leaf:30".to_owned(), 4),
        ]
    );
}

/// More than are handed from thread to thread at once: none is lost, none counts twice.
#[test]
fn many_samples_are_all_added() {
    let stacks: [(&[u32], &str); 3] = [
        (&[0, 1], "main:7 work:20 ~leaf:30"),
        (&[0, 2], "main:7 [stripped]:0"),
        (&[0], "main:7"),
    ];
    let mut expected: BTreeMap<(u32, &str), (u64, u64)> = BTreeMap::new();
    let mut samples = Vec::new();
    for time in 1..=50_001_u64 {
        let (process, weight) = (u32::from(time % 5 == 0), 1 + time % 7);
        let (stack, words) = stacks[(time % 3) as usize];
        samples.push((time, process, stack, weight, SampleKind::OnCpu));
        let (sum, count) = expected.entry((process, words)).or_default();
        *sum += weight;
        *count += 1;
    }
    let trace = trace(&samples);
    let rows = rows(&paths_of(&trace, ALL));
    let mut found: BTreeMap<(u32, &str), (u64, u64)> = BTreeMap::new();
    for row in &rows {
        let (sum, count) = found.entry((row.2, &row.0)).or_default();
        *sum += row.5;
        *count += row.6;
    }
    assert_eq!(found, expected);
}

/// The sums are those of the call tree, which is made apart.
#[test]
fn the_sums_are_those_of_the_call_tree() {
    let samples: Vec<_> = (0..300_u64)
        .map(|at| {
            let stack: &[u32] = [&[0][..], &[0, 1], &[0, 1, 2], &[2, 2]][(at % 4) as usize];
            let process = u32::try_from(at % 2).unwrap();
            (at, process, stack, at, SampleKind::OnCpu)
        })
        .collect();
    let trace = trace(&samples);
    let analysis = Analysis::of(&trace);
    let options = call_tree::Options {
        filter: Filter::default(),
        ..call_tree::Options::default()
    };
    let tree = analysis.call_tree(&options);
    for cells in [1_000, 4] {
        let paths = paths_of(&trace, Limits { cells, ..ALL });
        let mut own = std::collections::BTreeMap::<String, u64>::new();
        for row in rows(&paths) {
            let plain = row.0.split(' ').map(|word| word.trim_start_matches('~'));
            let plain = plain.map(|word| word.split(':').next().unwrap());
            *own.entry(plain.collect::<Vec<_>>().join(" ")).or_default() += row.5;
        }
        let expected: std::collections::BTreeMap<String, u64> = tree
            .folded()
            .map(|(path, weight)| {
                let path: Vec<&str> = path.iter().map(|name| &***name).collect();
                (path.join(" "), weight.time.0 / MS)
            })
            .collect();
        assert_eq!(own, expected);
    }
}

/// Another run of the same program, for another architecture and with Go elsewhere: its stacks are paths of the same
/// functions, and what only it called comes to them.
#[test]
fn base_is_laid_over_the_same_paths() {
    use SampleKind::{OffCpu, OnCpu};
    let mut new = trace(&[(10, 0, &[0, 1], 10, OnCpu)]);
    let mut base = trace(&[
        (10, 1, &[0, 1], 30, OnCpu),
        (20, 0, &[0, 2], 5, OnCpu),
        (30, 0, &[0], 7, OffCpu),
    ]);
    for (trace, arch) in [(&mut new, "arm64"), (&mut base, "amd64")] {
        let name = trace.strings.push(format!("cmd/{arch}.main").as_bytes());
        let file = trace.strings.push(format!("/{arch}/a.go").as_bytes());
        trace.functions[0] = Function { name, file };
    }
    let analysis = Analysis::of(&new);
    let phases = PhaseIndex::of(&analysis);
    let base = Analysis::of(&base);
    let paths = Paths::of(&analysis, &phases, Some(&base), ALL);
    let leaf = || "cmd/arm64.main:7 work:20 ~leaf:30".to_owned();
    assert_eq!(
        rows(&paths),
        [
            (leaf(), Kind::Running, 0, 10, 10, 10, 1),
            (
                "cmd/arm64.main:7 [stripped]:0".to_owned(),
                Kind::Base,
                0,
                0,
                0,
                5,
                1
            ),
            (leaf(), Kind::Base, 1, 0, 0, 30, 1),
        ]
    );
}
