//! Measures of a build: slots, parallelism, tests.

use super::{ActionIndex, ActionKind, BuildAction, Parallelism, TestRun, draft::Command};
use crate::{analyze::argv, trace::Nanos};

/// How many actions the go command can have under way: its `-p`, that of GOFLAGS, GOMAXPROCS,
/// or the number of cores (`cfg.BuildP = runtime.GOMAXPROCS(0)`).
pub(super) fn slots(command: &Command<'_>) -> Option<u32> {
    let trace = command.trace;
    let own = command
        .go
        .and_then(|go| trace.process(go))
        .and_then(|go| argv::go_flag(trace, &go.exec, b"p"))
        .and_then(number);
    let cores = trace.host.cores;
    own.or_else(|| {
        let flags = trace.setting("env.GOFLAGS")?;
        let p = flags.split_whitespace().rev().find_map(|flag| {
            let flag = flag.strip_prefix("--").or_else(|| flag.strip_prefix('-'));
            flag?.strip_prefix("p=")
        })?;
        number(p.as_bytes())
    })
    .or_else(|| number(trace.setting("env.GOMAXPROCS")?.as_bytes()))
    .or((cores > 0).then_some(cores))
}

fn number(text: &[u8]) -> Option<u32> {
    let number = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number > 0).then_some(number)
}

/// Length of the union of intervals.
pub(in crate::analyze) fn union(mut spans: Vec<(Nanos, Nanos)>) -> Nanos {
    spans.sort_unstable();
    let mut length = Nanos::ZERO;
    let mut covered = Nanos::ZERO;
    for (start, end) in spans {
        length += end.since(start.max(covered));
        covered = covered.max(end);
    }
    length
}

/// Most intervals that overlap at one moment; one that ends where another begins does not.
fn peak(spans: impl Iterator<Item = (Nanos, Nanos)>) -> u32 {
    let mut edges: Vec<(Nanos, bool)> = spans
        .filter(|(start, end)| start < end)
        .flat_map(|(start, end)| [(start, true), (end, false)])
        .collect();
    // Ends sort before starts of the same moment.
    edges.sort_unstable();
    let mut now = 0_u32;
    let mut most = 0;
    for (_, begins) in edges {
        if begins {
            now += 1;
            most = most.max(now);
        } else {
            now -= 1;
        }
    }
    most
}

impl Parallelism {
    pub(super) fn of(command: &Command<'_>, actions: &[BuildAction], cpu: Nanos) -> Self {
        let spans = || actions.iter().map(|action| (action.start, action.end));
        let wall = command.end.since(command.start);
        let per_wall = |time: Nanos| match wall {
            Nanos::ZERO => 0.0,
            wall => time.seconds() / wall.seconds(),
        };
        Self {
            cpu,
            cpu_per_wall: per_wall(cpu),
            actions_per_wall: per_wall(actions.iter().map(BuildAction::running).sum()),
            peak: peak(spans()),
            slot_wait: actions.iter().map(BuildAction::waited).sum(),
            idle: wall.since(union(spans().collect())),
        }
    }
}

/// The test binaries of a build, by position of the actions that ran them.
pub(super) fn tests(actions: &[BuildAction]) -> Vec<TestRun> {
    let runs = actions
        .iter()
        .filter(|action| action.kind == ActionKind::TestRun && action.works());
    let mut tests = Vec::new();
    for run in runs {
        let link = link_of(actions, run);
        let compile = link.map_or(Nanos::ZERO, |link| test_compiles(actions, run, link));
        tests.push(TestRun {
            package: run.package.clone(),
            compile,
            link: link.map_or(Nanos::ZERO, BuildAction::running),
            run: run.running(),
            run_cpu: run.cpu,
        });
    }
    tests
}

/// What a test run waits for, directly first, then through nodes that only tie others together.
pub(super) fn inputs<'a>(
    actions: &'a [BuildAction],
    run: &'a BuildAction,
) -> impl Iterator<Item = &'a BuildAction> {
    let direct = |action: &'a BuildAction| {
        let deps = action.deps.iter();
        deps.filter_map(|dep: &ActionIndex| actions.get(dep.index()))
    };
    let ties = direct(run).filter(|dep| dep.kind == ActionKind::Bookkeeping);
    direct(run).chain(ties.flat_map(direct))
}

/// The link that a test run waits for.
pub(super) fn link_of<'a>(
    actions: &'a [BuildAction],
    run: &'a BuildAction,
) -> Option<&'a BuildAction> {
    inputs(actions, run).find(|action| action.kind == ActionKind::Link)
}

/// What was compiled of the package under test: itself, its external tests, its main.
fn test_compiles(actions: &[BuildAction], run: &BuildAction, link: &BuildAction) -> Nanos {
    let compiles = link.deps.iter().filter_map(|dep| {
        let dep = actions.get(dep.index())?;
        let behind = dep.package.strip_prefix(&*run.package)?;
        let ours = dep.kind == ActionKind::Compile && ["", ".test", "_test"].contains(&behind);
        ours.then(|| dep.running())
    });
    compiles.sum()
}
