//! What is shown after a run, as values.

use super::{
    Analysis, Bindings, Limits, Name, Phases, argv,
    build::{ActionKind, BuildAction, CriticalPath, Origin, Outcome, Segment, SegmentKind},
    calls::Recorded,
    cost::{Cost, CostRow},
    machine::Machine,
    profile::{FunctionRow, Profile, Weight},
};
use crate::trace::{Arch, ExitStatus, NOT_FOR_TIMING, Nanos, Severity, Trace};
use rustc_hash::FxHashMap;
use std::cmp::Reverse;

/// The toolchain that the command used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolchainFacts {
    /// `go1.27.3`.
    pub version: Name,
    /// Architecture of the go command.
    pub arch: Arch,
    /// Name of the translator that ran it; `None` if native.
    pub translator: Option<Name>,
}

/// A piece of the critical path, named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSegment {
    /// The segment.
    pub segment: Segment,
    /// `compile runtime`, `waiting for a slot: link m`, `go: load`, `outside of go`.
    pub label: Name,
}

/// Something lost or not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What.
    pub what: Name,
    /// Why.
    pub why: Name,
    /// How many; `None` where it was not to be counted.
    pub count: Option<u64>,
}

/// What was wrong with the machine's Go when the recording began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub text: Name,
}

/// What recording cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tax {
    /// CPU time of gotrace itself while the command ran.
    pub own: Nanos,
    /// CPU time that the command's own processes paid: in the kernel for gotrace's programs, and in copies for telling of
    /// calls, where known. It is part of theirs.
    pub kernel: Option<Nanos>,
    /// `(own + kernel) / CPU time of the command`; `None` where that is not known.
    pub share: Option<f64>,
    /// gotrace's largest resident set in bytes.
    pub max_rss_bytes: u64,
}

impl Tax {
    /// That of a run whose programs cost so much; `None` where the recorder was killed, or was another tool.
    #[must_use]
    pub fn of(trace: &Trace, total: Cost) -> Option<Self> {
        let ending = trace.ending.filter(|_| trace.imported().is_none())?;
        let all = ending.own_cpu + ending.kernel_cpu.unwrap_or_default();
        Some(Self {
            own: ending.own_cpu,
            kernel: ending.kernel_cpu,
            share: ratio(all, total.cpu()),
            max_rss_bytes: ending.own_max_rss_bytes,
        })
    }
}

/// How much there was to build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildCounts {
    /// Go commands that built something.
    pub builds: usize,
    /// Actions that were built, over all builds; those that failed or were not begun do not count.
    pub built: usize,
    /// Packages that came from the cache, over all builds.
    pub cached: usize,
}

impl BuildCounts {
    /// Counts them.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>) -> Self {
        let builds = &analysis.builds.builds;
        let actions = || builds.iter().flat_map(|build| &build.actions);
        let cached = |action: &&BuildAction| {
            action.kind == ActionKind::Compile && action.outcome == Outcome::Cached
        };
        let built = |action: &&BuildAction| action.works() && action.outcome == Outcome::Built;
        Self {
            builds: builds.iter().filter(|b| !b.actions.is_empty()).count(),
            built: actions().filter(built).count(),
            cached: actions().filter(cached).count(),
        }
    }
}

/// What is shown after a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What the trace was imported from, where gotrace did not record it itself.
    pub imported: Option<Name>,
    /// The traced command line.
    pub command: Name,
    /// How it ended, where that was seen.
    pub status: Option<ExitStatus>,
    /// Toolchains, the command's own first.
    pub toolchains: Vec<ToolchainFacts>,
    /// Architecture of the machine.
    pub host_arch: Arch,
    /// Cores that the command could use.
    pub cores: u32,
    /// Wall time of the command.
    pub wall: Nanos,
    /// What all its programs cost.
    pub total: Cost,
    /// CPU time / wall time: cores kept busy on average.
    pub parallelism: f64,
    /// Number of builds: go commands that built something.
    pub builds: usize,
    /// Actions that were built, over all builds; those that failed or were not begun do not count.
    pub built: usize,
    /// Packages that came from the cache, over all builds.
    pub cached: usize,
    /// The critical path through the whole command.
    pub critical_path: CriticalPath,
    /// Its longest segments, longest first.
    pub critical_segments: Vec<NamedSegment>,
    /// What limited the longest build.
    pub limits: Option<Limits>,
    /// Packages that cost most.
    pub packages: Vec<CostRow<Name>>,
    /// Tools that cost most.
    pub tools: Vec<CostRow<Name>>,
    /// Phases of the tools, where they were recorded.
    pub phases: Phases,
    /// Dynamic linking; `None` where none was recorded.
    pub bindings: Option<Bindings>,
    /// All samples; of the tools' own profiles, all stacks.
    pub samples: Weight,
    /// The samples are the tools' own profiles.
    pub from_profiles: bool,
    /// Functions with most own time.
    pub functions: Vec<FunctionRow>,
    /// What was wrong with the machine's Go when the recording began, the worst first.
    pub wrong: Vec<Wrong>,
    /// How calls were recorded, where that was not each by itself.
    pub calls: Option<Recorded>,
    /// What was lost, not seen, or is wrong with the file.
    pub gaps: Vec<Gap>,
    /// What recording cost; `None` where the recorder was killed, or was another tool.
    pub tax: Option<Tax>,
}

impl Summary {
    /// Gathers it. Reads all samples three times, all calls, and all binds twice.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, top: usize) -> Self {
        let trace = analysis.trace;
        let profile = Profile::of(analysis, &super::Filter::default());
        let costs = analysis.costs();
        let path = &analysis.builds.critical_path;
        let wall = path.wall();
        let counts = BuildCounts::of(analysis);
        Self {
            imported: trace.imported().map(|from| Name::from(&*from)),
            command: command(analysis),
            status: trace.ending.and_then(|ending| ending.status),
            toolchains: toolchains(trace),
            host_arch: trace.host.arch,
            cores: trace.host.cores,
            wall,
            total: costs.total,
            parallelism: ratio(costs.total.cpu(), wall).unwrap_or(0.0),
            builds: counts.builds,
            built: counts.built,
            cached: counts.cached,
            critical_path: path.clone(),
            critical_segments: longest_segments(analysis, top),
            limits: analysis.limits(),
            packages: named(costs.packages, top, |package| package),
            tools: named(costs.tools, top, |tool| Some(Name::from(tool.name()))),
            phases: analysis.phases(),
            bindings: (!trace.loads.is_empty())
                .then(|| analysis.bindings(&super::Filter::default(), false)),
            samples: profile.total,
            from_profiles: profile.from_profiles,
            functions: profile.functions.iter().take(top).cloned().collect(),
            wrong: wrong(trace),
            calls: Recorded::of(trace),
            gaps: gaps(analysis, profile.unreadable_blocks),
            tax: Tax::of(trace, costs.total),
        }
    }
}

/// Findings that are more than notes.
fn wrong(trace: &Trace) -> Vec<Wrong> {
    let findings = trace.findings.iter();
    let findings = findings.filter(|finding| finding.severity > Severity::Note);
    let mut wrong: Vec<Wrong> = findings
        .map(|finding| Wrong {
            severity: finding.severity,
            text: trace.text(finding.text).as_ref().into(),
        })
        .collect();
    wrong.sort_by_key(|one| Reverse(one.severity));
    wrong
}

/// How often a whole goes into a part; `None` where there is no whole.
fn ratio(part: Nanos, whole: Nanos) -> Option<f64> {
    (whole > Nanos::ZERO).then(|| part.seconds() / whole.seconds())
}

/// The command line of the first program.
#[must_use]
pub fn command(analysis: &Analysis<'_>) -> Name {
    let first = analysis.roles.iter().next();
    let Some(process) = first.and_then(|(id, _)| analysis.trace.process(id)) else {
        return Name::default();
    };
    let words: Vec<_> = argv::args(analysis.trace, &process.exec)
        .map(String::from_utf8_lossy)
        .collect();
    Name::from(words.join(" "))
}

/// Toolchains that the command used, its own first.
#[must_use]
pub fn toolchains(trace: &Trace) -> Vec<ToolchainFacts> {
    let machine = Machine::of(trace);
    let facts = trace.toolchains.iter().map(|toolchain| ToolchainFacts {
        version: Name::from(trace.strings.get(toolchain.version)),
        arch: toolchain.arch,
        translator: machine.translator(trace, toolchain.arch, toolchain.translator),
    });
    facts.collect()
}

fn named<K>(
    rows: Vec<CostRow<K>>,
    top: usize,
    name: impl Fn(K) -> Option<Name>,
) -> Vec<CostRow<Name>> {
    let rows = rows.into_iter().filter_map(|row| {
        Some(CostRow {
            key: name(row.key)?,
            cost: row.cost,
            share: row.share,
        })
    });
    rows.take(top).collect()
}

fn longest_segments(analysis: &Analysis<'_>, top: usize) -> Vec<NamedSegment> {
    let mut segments = analysis.builds.critical_path.segments.clone();
    segments.sort_by_key(|segment| Reverse(segment.length()));
    segments.truncate(top);
    let named = segments.into_iter().map(|segment| NamedSegment {
        segment,
        label: label(analysis, &segment),
    });
    named.collect()
}

/// What a segment of a critical path is called.
#[must_use]
pub fn label(analysis: &Analysis<'_>, segment: &Segment) -> Name {
    let build = analysis.builds.builds.get(segment.build as usize);
    let action = |index| {
        let action = build.and_then(|build| build.action(index));
        action.map_or_else(String::new, BuildAction::label)
    };
    Name::from(match segment.kind {
        SegmentKind::Running(index) => action(index),
        SegmentKind::Waiting(index) => format!("waiting for a slot: {}", action(index)),
        SegmentKind::Load => "go: load".to_owned(),
        SegmentKind::GoItself => "go itself".to_owned(),
        SegmentKind::Outside => "outside of go".to_owned(),
    })
}

/// What is wrong with the file of a trace.
fn damage(trace: &Trace, note: &mut dyn FnMut(&str, &str, Option<u64>)) {
    // What recovered the trace has told already.
    let mut spots = trace.blind_spots.iter();
    let is_told = spots.any(|spot| trace.strings.get(spot.what) == b"the end of the trace");
    if !is_told && (trace.integrity.unsealed || trace.ending.is_none()) {
        let why = "the recorder was killed or the file was cut";
        note("the end of the recording", why, None);
    }
    if trace.integrity.cut_bytes > 0 {
        let bytes = trace.integrity.cut_bytes;
        note(
            "bytes at the end of the file",
            "they hold no whole block",
            Some(bytes),
        );
    }
    let damaged = trace.integrity.damaged_blocks;
    if damaged > 0 {
        note(
            "blocks of the file",
            "their checksum or contents are wrong",
            Some(damaged),
        );
    }
}

/// Everything that was lost or not seen; equal ones are counted together.
pub(super) fn gaps(analysis: &Analysis<'_>, unreadable_blocks: u64) -> Vec<Gap> {
    let trace = analysis.trace;
    let mut found: Vec<Gap> = Vec::new();
    let mut places: FxHashMap<(Name, Name), usize> = FxHashMap::default();
    let mut note = |what: &str, why: &str, count: Option<u64>| {
        let key = (Name::from(what), Name::from(why));
        let place = *places.entry(key.clone()).or_insert_with(|| {
            let (what, why) = key;
            found.push(Gap {
                what,
                why,
                count: None,
            });
            found.len() - 1
        });
        if let Some(more) = count {
            let sum = &mut found[place].count;
            *sum = Some(sum.unwrap_or(0).saturating_add(more));
        }
    };
    for loss in &trace.losses {
        note(
            &trace.text(loss.what),
            &trace.text(loss.why),
            Some(loss.count),
        );
    }
    for setting in &trace.settings {
        if trace.strings.get(setting.key) == NOT_FOR_TIMING.as_bytes() {
            note(
                "times without what gotrace adds",
                &trace.text(setting.value),
                None,
            );
        }
    }
    for spot in &trace.blind_spots {
        note(&trace.text(spot.what), &trace.text(spot.why), None);
    }
    damage(trace, &mut note);
    if unreadable_blocks > 0 {
        let blocks = Some(unreadable_blocks);
        note("blocks of samples", "they cannot be read", blocks);
    }
    for (id, _) in analysis.roles.iter() {
        let process = trace.process(id);
        if process.is_some_and(|process| process.exec.argv_truncated) {
            let why = "too long to be read, or those of another user";
            note("arguments of processes", why, Some(1));
        }
        if trace.ending.is_some() && process.is_some_and(|process| process.exit.is_none()) {
            let why = "they went on after the command";
            note("ends of processes, and their CPU time", why, Some(1));
        }
    }
    for build in analysis
        .builds
        .builds
        .iter()
        .filter(|b| !b.actions.is_empty())
    {
        let why = match build.origin {
            Origin::ActionGraph => continue,
            Origin::UntimedGraph => "the go command did not live to write it",
            Origin::Processes => "none was written; inferred from command lines",
        };
        note(&format!("the action graph of {}", build.command), why, None);
    }
    found
}
