//! The keys of each row, as `docs/json-schema.md` has them.

use crate::analyze::build::{ActionIndex, Build, BuildAction, SegmentKind};
use crate::analyze::cost::{Cost, CostRow};
use crate::analyze::summary::Gap;
use crate::analyze::{Analysis, Costs, ImageRow, Images, Phases, Profile, Role, summary};
use crate::export::counts::Counts;
use crate::export::graph;
use crate::export::text::Texts;
use crate::trace::{ExitStatus, ProcessId};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a group of programs cost.
#[derive(Serialize)]
struct CostKeys {
    count: u32,
    wall_ns: u64,
    cpu_ns: u64,
    user_ns: u64,
    system_ns: u64,
    runqueue_ns: u64,
    waiting_ns: u64,
    max_rss_bytes: u64,
    read_bytes: u64,
    written_bytes: u64,
    cpu_share: f64,
}

impl CostKeys {
    fn of(cost: &Cost, share: f64) -> Self {
        Self {
            count: cost.processes,
            wall_ns: cost.wall.0,
            cpu_ns: cost.cpu().0,
            user_ns: cost.usage.user.0,
            system_ns: cost.usage.system.0,
            runqueue_ns: cost.usage.runqueue.0,
            waiting_ns: cost.waiting.0,
            max_rss_bytes: cost.usage.max_rss_bytes,
            read_bytes: cost.usage.read_bytes,
            written_bytes: cost.usage.written_bytes,
            cpu_share: share,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Package<'a> {
    package: Option<&'a str>,
    #[serde(flatten)]
    cost: CostKeys,
}

pub(super) fn packages(costs: &Costs) -> impl Iterator<Item = Package<'_>> {
    costs.packages.iter().map(|row| Package {
        package: row.key.as_deref(),
        cost: CostKeys::of(&row.cost, row.share),
    })
}

#[derive(Serialize)]
pub(super) struct Tool<'a> {
    tool: &'a str,
    #[serde(flatten)]
    cost: CostKeys,
}

pub(super) fn tools(costs: &Costs) -> impl Iterator<Item = Tool<'_>> {
    costs.tools.iter().map(|row| Tool {
        tool: row.key.name(),
        cost: CostKeys::of(&row.cost, row.share),
    })
}

#[derive(Serialize)]
pub(super) struct Process<'a> {
    process: u32,
    pid: u32,
    parent: Option<u32>,
    tool: &'a str,
    package: Option<&'a str>,
    argv: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    bytes_hex: BTreeMap<String, String>,
    arch: &'static str,
    translator: Option<String>,
    start_ns: u64,
    end_ns: Option<u64>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    #[serde(flatten)]
    cost: CostKeys,
    #[serde(flatten)]
    counts: Option<Counts>,
}

pub(super) fn processes<'a>(
    analysis: &'a Analysis<'_>,
    costs: &'a Costs,
) -> impl Iterator<Item = Process<'a>> {
    costs
        .processes
        .iter()
        .filter_map(|row| process(analysis, row))
}

fn process<'a>(analysis: &'a Analysis<'_>, row: &CostRow<ProcessId>) -> Option<Process<'a>> {
    let trace = analysis.trace;
    let process = trace.process(row.key)?;
    let role = analysis.roles.get(row.key)?;
    let status = process.exit.map(|exit| exit.status);
    let mut texts = Texts::of(&trace.strings);
    let argv = texts.list("argv", &process.exec.argv);
    let translator = trace.text(process.exec.translator);
    Some(Process {
        process: process.id.0,
        pid: process.pid.0,
        parent: role.parent.map(|parent| parent.0),
        tool: role.tool.name(),
        package: role.package.as_deref(),
        argv,
        bytes_hex: texts.not_text(),
        arch: process.exec.arch.name(),
        translator: (!translator.is_empty()).then(|| translator.into_owned()),
        start_ns: process.start.0,
        end_ns: process.exit.map(|exit| exit.at.0),
        exit_code: status.and_then(ExitStatus::code),
        signal: status.and_then(ExitStatus::signal),
        cost: CostKeys::of(&row.cost, row.share),
        counts: process.counts.as_ref().map(Counts::of),
    })
}

#[derive(Serialize)]
pub(super) struct Action<'a> {
    build: u32,
    kind: &'static str,
    action: &'a str,
    package: &'a str,
    tool: Option<&'a str>,
    outcome: &'static str,
    ready_ns: u64,
    start_ns: u64,
    end_ns: u64,
    wall_ns: u64,
    slot_wait_ns: u64,
    cpu_ns: u64,
    runqueue_ns: u64,
    count: usize,
    unlocks: u32,
    gates: u32,
    critical: bool,
}

/// Actions of all builds, those that ran longest first.
pub(super) fn actions<'a>(analysis: &'a Analysis<'_>) -> impl Iterator<Item = Action<'a>> {
    let mut all = Vec::new();
    for (number, build) in (0..).zip(&analysis.builds.builds) {
        let critical = graph::critical_actions(build);
        all.extend(
            (0..)
                .map(ActionIndex)
                .zip(critical)
                .map(|(index, critical)| (number, build, index, critical)),
        );
    }
    let running = |build: &Build, index| build.action(index).map(BuildAction::running);
    all.sort_by_key(|&(number, build, index, _)| {
        (std::cmp::Reverse(running(build, index)), number, index)
    });
    all.into_iter()
        .filter_map(|(number, build, index, critical)| {
            let action = build.action(index)?;
            let main = analysis.main_process(action);
            let role: Option<&Role> = main.and_then(|process| analysis.roles.get(process.id));
            Some(Action {
                build: number,
                kind: action.kind.name(),
                action: &action.mode,
                package: &action.package,
                tool: role.map(|role| role.tool.name()),
                outcome: action.outcome.name(),
                ready_ns: action.ready.0,
                start_ns: action.start.0,
                end_ns: action.end.0,
                wall_ns: action.running().0,
                slot_wait_ns: action.waited().0,
                cpu_ns: action.cpu.0,
                runqueue_ns: action.runqueue.0,
                count: action.processes.len(),
                unlocks: action.unlocks,
                gates: action.gates,
                critical,
            })
        })
}

#[derive(Serialize)]
pub(super) struct Function<'a> {
    function: &'a str,
    file: Option<&'a str>,
    own_ns: u64,
    own_count: u64,
    own_share: f64,
    total_ns: u64,
    total_count: u64,
    total_share: f64,
}

pub(super) fn functions(profile: &Profile) -> impl Iterator<Item = Function<'_>> {
    profile.functions.iter().map(|row| Function {
        function: &row.name,
        file: (!row.file.is_empty()).then_some(&*row.file),
        own_ns: row.own.time.0,
        own_count: row.own.samples,
        own_share: row.own.share(profile.total),
        total_ns: row.total.time.0,
        total_count: row.total.samples,
        total_share: row.total.share(profile.total),
    })
}

#[derive(Serialize)]
pub(super) struct Image<'a> {
    image: &'a str,
    own_ns: u64,
    own_count: u64,
    own_share: f64,
    process_count: u64,
    mapped_bytes: u64,
    #[serde(flatten)]
    slides: Option<ImageSlides>,
}

#[derive(Serialize)]
struct ImageSlides {
    slide_count: u64,
    slide_lowest: String,
    slide_highest: String,
    slide_entropy_bits: f64,
    slide_varying_bits: u32,
    slide_checked_count: u64,
    slide_mismatch_count: u64,
}

impl ImageSlides {
    fn of(row: &ImageRow) -> Option<Self> {
        let slides = &row.places.slides;
        let (lowest, _) = slides.first_key_value()?;
        let (highest, _) = slides.last_key_value()?;
        Some(Self {
            slide_count: slides.len() as u64,
            slide_lowest: format!("{lowest:#x}"),
            slide_highest: format!("{highest:#x}"),
            slide_entropy_bits: row.places.entropy_bits(),
            slide_varying_bits: row.places.varying_bits(),
            slide_checked_count: row.places.checked,
            slide_mismatch_count: row.mismatches,
        })
    }
}

pub(super) fn images<'i>(
    images: &'i Images,
    profile: &Profile,
) -> impl Iterator<Item = Image<'i>> + use<'i> {
    let total = profile.total;
    images.rows.iter().map(move |row| Image {
        image: &row.name,
        own_ns: row.own.time.0,
        own_count: row.own.samples,
        own_share: row.own.share(total),
        process_count: row.places.processes,
        mapped_bytes: row.places.mapped_bytes,
        slides: ImageSlides::of(row),
    })
}

#[derive(Serialize)]
pub(super) struct Segment {
    kind: &'static str,
    label: String,
    package: Option<String>,
    build: Option<u32>,
    start_ns: u64,
    end_ns: u64,
    wall_ns: u64,
    wall_share: f64,
}

/// The `top` longest pieces of the critical path of the whole command, in the order of time.
pub(super) fn critical_path(analysis: &Analysis<'_>, top: usize) -> impl Iterator<Item = Segment> {
    let builds = &analysis.builds;
    let path = &builds.critical_path;
    let whole: u64 = path.segments.iter().map(|piece| piece.length().0).sum();
    path.longest(top).into_iter().map(move |segment| {
        let package = |index| {
            let build = builds.builds.get(segment.build as usize)?;
            let package = &build.action(index)?.package;
            (!package.is_empty()).then(|| package.to_string())
        };
        let (kind, package) = match segment.kind {
            SegmentKind::Running(index) => ("running", package(index)),
            SegmentKind::Waiting(index) => ("slot_wait", package(index)),
            SegmentKind::Load => ("load", None),
            SegmentKind::GoItself => ("go", None),
            SegmentKind::Outside => ("outside", None),
        };
        let length = segment.length();
        Segment {
            kind,
            label: summary::label(analysis, &segment).to_string(),
            package,
            build: (kind != "outside").then_some(segment.build),
            start_ns: segment.start.0,
            end_ns: segment.end.0,
            wall_ns: length.0,
            wall_share: if whole == 0 {
                0.0
            } else {
                length.0 as f64 / whole as f64
            },
        }
    })
}

#[derive(Serialize)]
struct PhaseKeys<'a> {
    track: &'a str,
    phase: &'a str,
    beside: bool,
    count: u64,
    wall_ns: u64,
    cpu_ns: u64,
    sample_count: u64,
    cpu_share: f64,
    critical_path_ns: u64,
    critical_path_share: f64,
}

pub(super) fn phases(phases: &Phases) -> impl Iterator<Item = impl Serialize + '_> {
    phases.rows.iter().map(|row| PhaseKeys {
        track: &row.track,
        phase: &row.phase,
        beside: row.beside,
        count: row.count,
        wall_ns: row.wall.0,
        cpu_ns: row.cpu.time.0,
        sample_count: row.cpu.samples,
        cpu_share: row.cpu.share(phases.cpu),
        critical_path_ns: row.critical.0,
        critical_path_share: if phases.critical.0 == 0 {
            0.0
        } else {
            row.critical.seconds() / phases.critical.seconds()
        },
    })
}

#[derive(Serialize)]
struct GapKeys<'a> {
    what: &'a str,
    why: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

pub(super) fn gaps(gaps: &[Gap]) -> impl Iterator<Item = impl Serialize + '_> {
    gaps.iter().map(|gap| GapKeys {
        what: &gap.what,
        why: &gap.why,
        count: gap.count,
    })
}
