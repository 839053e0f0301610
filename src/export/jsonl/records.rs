//! The keys of each line, as `docs/json-schema.md` has them.

use super::SCHEMA;
use crate::export::counts::Counts;
use crate::export::frames;
use crate::export::text::{Texts, hex};
use crate::export::words;
use crate::trace::{self, ExitStatus, FramePlace, FrameRole, Nanos, StackId, StringId, Trace};
use serde::Serialize;
use std::borrow::Cow;

type Text<'t> = Cow<'t, str>;

#[derive(Serialize)]
pub(super) struct Head {
    schema: &'static str,
    start_unix_ns: u64,
    start_monotonic_ns: u64,
    sealed: bool,
    damaged_header: bool,
    cut_bytes: u64,
    damaged_blocks: u64,
    missing_rows: u64,
    lost_samples: u64,
    lost_calls: u64,
    lost_bindings: u64,
    undefined: u64,
    unknown_blocks: u64,
    unknown_records: u64,
}

impl Head {
    pub(super) const fn of(trace: &Trace) -> Self {
        let integrity = &trace.integrity;
        Self {
            schema: SCHEMA,
            start_unix_ns: trace.anchor.unix_ns,
            start_monotonic_ns: trace.anchor.monotonic_ns,
            sealed: !integrity.unsealed,
            damaged_header: integrity.damaged_header,
            cut_bytes: integrity.cut_bytes,
            damaged_blocks: integrity.damaged_blocks,
            missing_rows: integrity.missing_rows,
            lost_samples: integrity.lost_samples,
            lost_calls: integrity.lost_calls,
            lost_bindings: integrity.lost_bindings,
            undefined: integrity.undefined,
            unknown_blocks: integrity.unknown_blocks,
            unknown_records: integrity.unknown_records,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Host<'t> {
    os: Text<'t>,
    distribution: Text<'t>,
    cpu: Text<'t>,
    arch: &'static str,
    cores: u32,
    memory_bytes: u64,
    gotrace: Text<'t>,
}

impl<'t> Host<'t> {
    pub(super) fn of(host: &trace::Host, texts: &mut Texts<'t>) -> Self {
        Self {
            os: texts.get("os", host.os),
            distribution: texts.get("distribution", host.distribution),
            cpu: texts.get("cpu", host.cpu),
            arch: host.arch.name(),
            cores: host.cores,
            memory_bytes: host.memory_bytes,
            gotrace: texts.get("gotrace", host.gotrace),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Toolchain<'t> {
    path: Text<'t>,
    version: Text<'t>,
    arch: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    translator: Option<Text<'t>>,
    goroot: Text<'t>,
}

impl<'t> Toolchain<'t> {
    pub(super) fn of(toolchain: &trace::Toolchain, texts: &mut Texts<'t>) -> Self {
        Self {
            path: texts.get("path", toolchain.path),
            version: texts.get("version", toolchain.version),
            arch: toolchain.arch.name(),
            translator: present(texts, "translator", toolchain.translator),
            goroot: texts.get("goroot", toolchain.goroot),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Setting<'t> {
    key: Text<'t>,
    value: Text<'t>,
    source: Text<'t>,
}

impl<'t> Setting<'t> {
    pub(super) fn of(setting: &trace::Setting, texts: &mut Texts<'t>) -> Self {
        Self {
            key: texts.get("key", setting.key),
            value: texts.get("value", setting.value),
            source: texts.get("source", setting.source),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Process<'t> {
    process: u32,
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    predecessor: Option<u32>,
    own: bool,
    start_ns: u64,
    exec_ns: u64,
    exe: Text<'t>,
    argv: Vec<Text<'t>>,
    argv_truncated: bool,
    cwd: Text<'t>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<Text<'t>>,
    arch: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    translator: Option<Text<'t>>,
    #[serde(flatten)]
    exit: Option<Exit>,
    #[serde(flatten)]
    counts: Option<Counts>,
}

#[derive(Serialize)]
struct Exit {
    end_ns: u64,
    #[serde(flatten)]
    status: Status,
    user_ns: u64,
    system_ns: u64,
    runqueue_ns: u64,
    max_rss_bytes: u64,
    minor_faults: u64,
    major_faults: u64,
    read_bytes: u64,
    written_bytes: u64,
    voluntary_switches: u64,
    involuntary_switches: u64,
    forks_folded: u32,
}

impl<'t> Process<'t> {
    pub(super) fn of(process: &trace::Process, texts: &mut Texts<'t>) -> Self {
        let exec = &process.exec;
        Self {
            process: process.id.0,
            pid: process.pid.0,
            parent: process.parent.map(|parent| parent.0),
            predecessor: process.predecessor.map(|predecessor| predecessor.0),
            own: process.own,
            start_ns: process.start.0,
            exec_ns: process.exec_at.0,
            exe: texts.get("exe", exec.exe),
            argv: texts.list("argv", &exec.argv),
            argv_truncated: exec.argv_truncated,
            cwd: texts.get("cwd", exec.cwd),
            package: present(texts, "package", exec.package),
            arch: exec.arch.name(),
            translator: present(texts, "translator", exec.translator),
            exit: process.exit.as_ref().map(Exit::of),
            counts: process.counts.as_ref().map(Counts::of),
        }
    }
}

impl Exit {
    const fn of(exit: &trace::Exit) -> Self {
        let usage = &exit.usage;
        Self {
            end_ns: exit.at.0,
            status: Status::of(exit.status),
            user_ns: usage.user.0,
            system_ns: usage.system.0,
            runqueue_ns: usage.runqueue.0,
            max_rss_bytes: usage.max_rss_bytes,
            minor_faults: usage.minor_faults,
            major_faults: usage.major_faults,
            read_bytes: usage.read_bytes,
            written_bytes: usage.written_bytes,
            voluntary_switches: usage.voluntary_switches,
            involuntary_switches: usage.involuntary_switches,
            forks_folded: usage.forks_folded,
        }
    }
}

/// How a process ended: a word, and the number that goes with it.
#[derive(Serialize)]
struct Status {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
}

impl Status {
    const fn of(status: ExitStatus) -> Self {
        Self {
            status: words::status(status),
            exit_code: status.code(),
            signal: status.signal(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Thread<'t> {
    process: u32,
    tid: u32,
    name: Text<'t>,
    start_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_ns: Option<u64>,
    cpu_ns: u64,
    runqueue_ns: u64,
}

impl<'t> Thread<'t> {
    pub(super) fn of(thread: &trace::Thread, texts: &mut Texts<'t>) -> Self {
        Self {
            process: thread.process.0,
            tid: thread.tid.0,
            name: texts.get("name", thread.name),
            start_ns: thread.start.0,
            end_ns: thread.end.map(|end| end.0),
            cpu_ns: thread.cpu.0,
            runqueue_ns: thread.runqueue.0,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Image<'t> {
    image: usize,
    path: Text<'t>,
    build_id: String,
    arch: &'static str,
    kind: &'static str,
}

impl<'t> Image<'t> {
    pub(super) fn of(id: usize, image: &trace::Image, texts: &mut Texts<'t>) -> Self {
        Self {
            image: id,
            path: texts.get("path", image.path),
            build_id: hex(&image.build_id),
            arch: image.arch.name(),
            kind: words::image_kind(image.kind),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Mapping {
    time_ns: u64,
    process: u32,
    image: u32,
    start: String,
    end: String,
    offset: String,
}

impl Mapping {
    pub(super) fn of(mapping: &trace::Mapping) -> Self {
        Self {
            time_ns: mapping.time.0,
            process: mapping.process.0,
            image: mapping.image.0,
            start: mapping.start.to_string(),
            end: mapping.end.to_string(),
            offset: format!("{:#x}", mapping.offset.0),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Unmapping {
    time_ns: u64,
    process: u32,
    image: u32,
    start: String,
}

impl Unmapping {
    pub(super) fn of(unmapping: &trace::Unmapping) -> Self {
        Self {
            time_ns: unmapping.time.0,
            process: unmapping.process.0,
            image: unmapping.image.0,
            start: unmapping.start.to_string(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Action<'t> {
    graph: u32,
    number: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    go: Option<u32>,
    mode: Text<'t>,
    package: Text<'t>,
    target: Text<'t>,
    objdir: Text<'t>,
    deps: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_ns: Option<u64>,
    need_build: bool,
    failed: bool,
    action_id: Text<'t>,
    build_id: Text<'t>,
    commands: Vec<Text<'t>>,
}

impl<'t> Action<'t> {
    pub(super) fn of(action: &trace::Action, texts: &mut Texts<'t>) -> Self {
        let ns = |time: Option<Nanos>| time.map(|time| time.0);
        Self {
            graph: action.graph,
            number: action.number,
            go: action.go.map(|go| go.0),
            mode: texts.get("mode", action.mode),
            package: texts.get("package", action.package),
            target: texts.get("target", action.target),
            objdir: texts.get("objdir", action.objdir),
            deps: action.deps.clone(),
            ready_ns: ns(action.ready),
            start_ns: ns(action.start),
            done_ns: ns(action.done),
            need_build: action.need_build,
            failed: action.failed,
            action_id: texts.get("action_id", action.action_id),
            build_id: texts.get("build_id", action.build_id),
            commands: texts.list("commands", &action.commands),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Imports<'t> {
    process: u32,
    packages: Vec<Text<'t>>,
}

impl<'t> Imports<'t> {
    pub(super) fn of(imports: &trace::Imports, texts: &mut Texts<'t>) -> Self {
        Self {
            process: imports.process.0,
            packages: texts.list("packages", &imports.packages),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Counter<'t> {
    time_ns: u64,
    name: Text<'t>,
    value: i64,
}

impl<'t> Counter<'t> {
    pub(super) fn of(counter: &trace::Counter, texts: &mut Texts<'t>) -> Self {
        Self {
            time_ns: counter.time.0,
            name: texts.get("name", counter.name),
            value: counter.value,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Loss<'t> {
    from_ns: u64,
    to_ns: u64,
    what: Text<'t>,
    count: u64,
    why: Text<'t>,
}

impl<'t> Loss<'t> {
    pub(super) fn of(loss: &trace::Loss, texts: &mut Texts<'t>) -> Self {
        Self {
            from_ns: loss.from.0,
            to_ns: loss.to.0,
            what: texts.get("what", loss.what),
            count: loss.count,
            why: texts.get("why", loss.why),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Finding<'t> {
    check: Text<'t>,
    level: &'static str,
    text: Text<'t>,
    evidence: Text<'t>,
    remedy: Text<'t>,
}

impl<'t> Finding<'t> {
    pub(super) fn of(finding: &trace::Finding, texts: &mut Texts<'t>) -> Self {
        Self {
            check: texts.get("check", finding.check),
            level: finding.severity.name(),
            text: texts.get("text", finding.text),
            evidence: texts.get("evidence", finding.evidence),
            remedy: texts.get("remedy", finding.remedy),
        }
    }
}

#[derive(Serialize)]
pub(super) struct BlindSpot<'t> {
    time_ns: u64,
    what: Text<'t>,
    why: Text<'t>,
}

impl<'t> BlindSpot<'t> {
    pub(super) fn of(spot: &trace::BlindSpot, texts: &mut Texts<'t>) -> Self {
        Self {
            time_ns: spot.time.0,
            what: texts.get("what", spot.what),
            why: texts.get("why", spot.why),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Ending {
    command_end_ns: u64,
    #[serde(flatten)]
    status: Option<Status>,
    own_cpu_ns: u64,
    own_max_rss_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_cpu_ns: Option<u64>,
}

impl Ending {
    pub(super) fn of(ending: &trace::Ending) -> Self {
        Self {
            command_end_ns: ending.command_end.0,
            status: ending.status.map(Status::of),
            own_cpu_ns: ending.own_cpu.0,
            own_max_rss_bytes: ending.own_max_rss_bytes,
            kernel_cpu_ns: ending.kernel_cpu.map(|cpu| cpu.0),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Stack<'t> {
    stack: u32,
    frames: Vec<Frame<'t>>,
}

/// A row of a stack. Rows of inlined functions share the place of the frame they are in.
#[derive(Serialize)]
struct Frame<'t> {
    name: Text<'t>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<Text<'t>>,
    #[serde(skip_serializing_if = "is_zero")]
    line: u32,
    #[serde(skip_serializing_if = "is_false")]
    inlined: bool,
    #[serde(skip_serializing_if = "is_false")]
    unnamed: bool,
    place: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(rename = "return", skip_serializing_if = "is_false")]
    return_address: bool,
}

impl<'t> Stack<'t> {
    pub(super) fn of(trace: &'t Trace, stack: StackId, texts: &mut Texts<'t>) -> Self {
        let mut frames = Vec::new();
        for id in trace.stacks.frames(stack) {
            let Some(frame) = trace.frames.get(id.index()) else {
                continue;
            };
            let (image, offset, address) = match frame.place {
                FramePlace::Image(image, offset) => {
                    (Some(image.0), Some(format!("{:#x}", offset.0)), None)
                }
                FramePlace::Unmapped(address) | FramePlace::Kernel(address) => {
                    (None, None, Some(address.to_string()))
                }
                FramePlace::Truncated => (None, None, None),
            };
            for row in frames::rows(trace, id) {
                let key = |name: &str| format!("frames.{}.{name}", frames.len());
                let file = row.function.map(|function| function.file);
                let file = file.and_then(|file| present(texts, &key("file"), file));
                frames.push(Frame {
                    name: texts.bytes(|| key("name"), row.name),
                    file,
                    line: row.line,
                    inlined: row.inlined,
                    unnamed: row.function.is_none(),
                    place: words::frame_place(frame.place),
                    image,
                    offset: offset.clone(),
                    address: address.clone(),
                    return_address: frame.role == FrameRole::Return,
                });
            }
        }
        Self {
            stack: stack.0,
            frames,
        }
    }
}

/// Name of a stack's innermost row; its `stack` line has all of them.
fn innermost<'t>(trace: &'t Trace, stack: StackId, texts: &mut Texts<'t>) -> Option<Text<'t>> {
    let frame = trace.stacks.frames(stack).next()?;
    let row = frames::rows(trace, frame).into_iter().next()?;
    Some(texts.bytes(|| "function".to_owned(), row.name))
}

#[derive(Serialize)]
pub(super) struct Profile<'t> {
    process: u32,
    weight_ns: u64,
    stack: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<Text<'t>>,
}

impl<'t> Profile<'t> {
    pub(super) fn of(
        trace: &'t Trace,
        profile: &trace::ProfileSample,
        texts: &mut Texts<'t>,
    ) -> Self {
        Self {
            process: profile.process.0,
            weight_ns: profile.weight.0,
            stack: profile.stack.0,
            function: innermost(trace, profile.stack, texts),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Sample<'t> {
    time_ns: u64,
    process: u32,
    tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    goroutine: Option<u64>,
    kind: &'static str,
    place: &'static str,
    weight_ns: u64,
    stack: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<Text<'t>>,
}

impl<'t> Sample<'t> {
    pub(super) fn of(trace: &'t Trace, sample: &trace::Sample, texts: &mut Texts<'t>) -> Self {
        Self {
            time_ns: sample.time.0,
            process: sample.process.0,
            tid: sample.tid.0,
            goroutine: sample.goroutine.map(|goroutine| goroutine.0),
            kind: words::sample_kind(sample.kind),
            place: words::sample_place(sample.place),
            weight_ns: sample.weight.0,
            stack: sample.stack.0,
            function: innermost(trace, sample.stack, texts),
        }
    }
}

#[derive(Serialize)]
pub(super) struct End {
    pub(super) samples: u64,
    pub(super) calls: u64,
    pub(super) call_trees: u64,
    pub(super) bindings: u64,
    pub(super) unreadable_blocks: u64,
}

/// A string that is left out when it is empty.
pub(super) fn present<'t>(texts: &mut Texts<'t>, key: &str, id: StringId) -> Option<Text<'t>> {
    (id != StringId::EMPTY).then(|| texts.get(key, id))
}

const fn is_zero(number: &u32) -> bool {
    *number == 0
}

const fn is_false(truth: &bool) -> bool {
    !*truth
}
