//! Comparisons of recorded runs of one and the same build: `samples/traces/same`.

use gotrace::analyze::compare::{Comparison, Measure, Options, Run, Subject, Verdict};
use gotrace::analyze::{Analysis, Name};
use gotrace::trace::{FrameId, Location, ProcessId, Sample, SampleKind, StackId, Trace};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

fn group(side: &str) -> Vec<Run> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/traces/same");
    let runs = (1..=8).map(|run| {
        let path = folder.join(side).join(format!("{run}.gotrace"));
        let trace = Trace::open(&path).unwrap();
        Run::of(&Analysis::of(&trace), &format!("{side}/{run}"))
    });
    runs.collect()
}

fn compare(base: &[Run], new: &[Run]) -> Comparison {
    Comparison::of(base, new, &Options::default())
}

/// What is called slower or faster.
fn changed(comparison: &Comparison) -> Vec<Subject> {
    let rows = comparison.rows.iter();
    let changed = rows.filter(|row| row.verdict.as_ref().is_some_and(Verdict::is_change));
    changed.map(|row| row.key.subject.clone()).collect()
}

#[test]
fn groups_of_one_build_show_no_change() {
    let (base, new) = (group("base"), group("new"));
    let comparison = compare(&base, &new);
    assert_eq!(comparison.complaints().count(), 0);
    assert_eq!(changed(&comparison), []);
    // It is no want of runs or of rows: a change would be found.
    let needed = comparison.runs_needed.unwrap();
    assert!(
        needed <= 8 && comparison.family >= 40,
        "{}",
        comparison.family
    );

    let runtime = Subject::Package(Name::from("runtime"));
    let mut slower = new.clone();
    for run in &mut slower {
        let cpu = run.figure(runtime.clone(), Measure::Cpu);
        let times = run.figures.iter_mut();
        let (_, time) = times
            .filter(|(key, _)| key.subject == runtime && key.measure == Measure::Cpu)
            .last()
            .unwrap();
        *time = cpu * 1.5;
    }
    assert_eq!(
        changed(&compare(&base, &slower)),
        std::slice::from_ref(&runtime)
    );
    assert_eq!(changed(&compare(&slower, &base)), [runtime]);
}

#[test]
fn a_group_against_itself_is_within_noise() {
    let base = group("base");
    let comparison = compare(&base, &base);
    let verdicts = comparison.rows.iter().filter_map(|row| row.verdict.clone());
    assert!(verdicts.clone().count() >= 50);
    assert!(
        verdicts
            .into_iter()
            .all(|verdict| verdict == Verdict::WithinNoise)
    );
}

/// A side of the recorded pair of a native and a translated build.
fn emulated(side: &str) -> Trace {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/traces/emulated");
    Trace::open(&folder.join(format!("{side}.gotrace"))).unwrap()
}

/// Names on a stack, outermost first.
fn names<'t>(trace: &'t Trace, stack: StackId) -> Vec<Cow<'t, str>> {
    let mut frames: Vec<FrameId> = trace.stacks.frames(stack).collect();
    frames.reverse();
    let names = frames
        .into_iter()
        .flat_map(|frame| match trace.symbol(frame) {
            Ok(locations) => {
                let functions = locations.iter().rev();
                let name = |at: &Location| trace.text(trace.functions[at.function.index()].name);
                functions.map(name).collect()
            }
            Err(_) => vec![Cow::from("?")],
        });
    names.collect()
}

/// Start-up, steady state and neither, in seconds, of a tool's programs: of each program all samples
/// at hand, and looked for the last one that initialises and the first one at work behind it.
fn parts(trace: &Trace, tool: &str) -> [f64; 3] {
    let analysis = Analysis::of(trace);
    let mut programs: BTreeMap<ProcessId, Vec<Sample>> = BTreeMap::new();
    for sample in trace
        .samples()
        .flat_map(|block| block.unwrap().iter().collect::<Vec<_>>())
    {
        let role = analysis.roles.get(sample.process);
        if role.is_some_and(|role| role.tool.name() == tool) && sample.kind == SampleKind::OnCpu {
            programs.entry(sample.process).or_default().push(sample);
        }
    }
    let mut sums = [0.0; 3];
    for samples in programs.values_mut() {
        samples.sort_by_key(|sample| sample.time);
        let stacks: Vec<_> = samples.iter().map(|it| names(trace, it.stack)).collect();
        let has = |at: usize, wanted: &str| stacks[at].iter().any(|name| name == wanted);
        let in_main = |at: &usize| has(*at, "main.main");
        let initialises = |at: &usize| {
            let begins = ["runtime.main", "runtime.rt0_go"]
                .iter()
                .any(|name| has(*at, name));
            begins && !in_main(at)
        };
        let of_goroutine = |at: &usize| match &stacks[*at][..] {
            [root, first, ..] if root == "runtime.goexit" && first != "?" => {
                !first.starts_with("runtime.") || has(*at, "runtime.gcBgMarkWorker")
            }
            _ => false,
        };
        let all = 0..stacks.len();
        let before_main = all.clone().take_while(|at| !in_main(at));
        let last = before_main.filter(initialises).last();
        let mut behind = last.map_or(0, |at| at + 1)..stacks.len();
        let first = behind.find(|at| in_main(at) || of_goroutine(at));
        for at in all {
            let part = match first {
                Some(first) => usize::from(at >= first),
                None if last.is_some() => 0,
                None => 2,
            };
            sums[part] += samples[at].weight.seconds();
        }
    }
    sums
}

#[test]
fn start_up_and_steady_state_are_those_of_the_recorded_stacks() {
    for side in ["native", "translated"] {
        let trace = emulated(side);
        let run = Run::of(&Analysis::of(&trace), side);
        let mut whole = 0.0;
        for tool in ["go", "compile", "asm", "link"] {
            let expected = parts(&trace, tool);
            let measures = [Measure::StartUp, Measure::SteadyState, Measure::Unplaced];
            let subject = Subject::Tool(Name::from(tool));
            let found = measures.map(|it| run.figure(subject.clone(), it) / 1e9);
            for (found, expected) in found.iter().zip(expected) {
                let close = (found - expected).abs() < 1e-6;
                assert!(close, "{side} {tool}: {found:?} is not {expected:?}");
            }
            whole += expected.iter().sum::<f64>();
            // The go command works off its main goroutine.
            assert!(found[1] > 0.0, "{side} {tool}: {found:?}");
        }
        let mut samples = 0.0;
        for block in trace.samples() {
            samples += block
                .unwrap()
                .iter()
                .map(|it| it.weight.seconds())
                .sum::<f64>();
        }
        assert!((whole - samples).abs() < 1e-6, "{whole} of {samples}");
    }
}
