//! Low-volume records to rows of bytes, and back.
//!
//! ```text
//! row = number of the record kind u8 │ length of the fields varint │ fields
//! ```
//!
//! A reader skips a row of a kind that it does not know, and what follows the fields that it
//! knows. Times and process numbers are differences from those of the row before, so a block is
//! decoded from its first row on.

mod fields;
mod linking;

use super::bytes::{Bytes, Malformed, put_bytes};
use crate::trace::{
    Action, ArgumentKind, BlindSpot, Counter, Ending, Exec, Exit, ExitStatus, Finding, Host,
    ImageOffset, Imports, Loss, Mapping, Nanos, PhaseLasts, PhaseMark, Probe, ProbeDropped,
    ProbeId, Process, ProcessorCounts, ProfileSample, Record, Setting, Severity, Thread, Toolchain,
    Unmapping, Usage,
};
pub(super) use fields::Limits;
use fields::{Before, Put, Take};

/// Encodes records one after the other.
#[derive(Debug, Default)]
pub(super) struct RecordRows {
    bytes: Vec<u8>,
    before: Before,
    rows: u32,
    span: Option<(Nanos, Nanos)>,
}

impl RecordRows {
    pub(super) const fn rows(&self) -> u32 {
        self.rows
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Time of the first and of the last record that has one.
    pub(super) fn span(&self) -> (Nanos, Nanos) {
        self.span.unwrap_or_default()
    }

    pub(super) fn contents(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn push(&mut self, record: &Record) {
        let mut put = Put::new(&mut self.before);
        let number = put_record(&mut put, record);
        let (fields, time) = put.done();
        self.bytes.push(number);
        put_bytes(&mut self.bytes, &fields);
        self.rows = self.rows.saturating_add(1);
        if let Some(time) = time {
            let (from, to) = self.span.unwrap_or((time, time));
            self.span = Some((from.min(time), to.max(time)));
        }
    }
}

/// Decodes the rows of a block. Rows of unknown kinds are counted in `unknown`, rows that name
/// strings or stacks that are not there in `undefined`.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) records: Vec<Record>,
    pub(super) unknown: u64,
    pub(super) undefined: u64,
}

impl Decoded {
    pub(super) fn of(contents: &[u8], rows: usize, limits: Limits) -> Result<Self, Malformed> {
        let mut bytes = Bytes::new(contents);
        let mut before = Before::default();
        let mut decoded = Self::default();
        for _ in 0..rows {
            let number = bytes.u8()?;
            let mut take = Take::new(bytes.bytes()?, &mut before, limits);
            match take_record(&mut take, number)? {
                Some(record) if take.all_defined() => decoded.records.push(record),
                Some(_) => decoded.undefined = decoded.undefined.saturating_add(1),
                None => decoded.unknown = decoded.unknown.saturating_add(1),
            }
        }
        if bytes.is_empty() {
            Ok(decoded)
        } else {
            Err(Malformed(
                "expected the end of the records, found more bytes",
            ))
        }
    }
}

/// The number that stands for the kind of a record in the file.
const fn number_of(record: &Record) -> u8 {
    match record {
        Record::ProcessStarted(_) => 1,
        Record::ProcessEnded(..) => 2,
        Record::Thread(_) => 3,
        Record::Mapping(_) => 4,
        Record::Profile(_) => 5,
        Record::Action(_) => 6,
        Record::Imports(_) => 7,
        Record::Host(_) => 8,
        Record::Toolchain(_) => 9,
        Record::Setting(_) => 10,
        Record::Loss(_) => 11,
        Record::BlindSpot(_) => 12,
        Record::Counter(_) => 13,
        Record::Ending(_) => 14,
        Record::Probe(_) => 15,
        Record::ProbeDropped(_) => 16,
        Record::Finding(_) => 17,
        Record::Load(_) => 18,
        Record::Unload(_) => 19,
        Record::Linking(_) => 20,
        Record::Search(_) => 21,
        Record::Interpreter(_) => 22,
        Record::ImageNeeds(_) => 23,
        Record::Unmapping(_) => 24,
        Record::ProcessorCounts(..) => 25,
    }
}

fn put_record(put: &mut Put<'_>, record: &Record) -> u8 {
    match record {
        Record::ProcessStarted(process) => put_process(put, process),
        Record::ProcessEnded(process, exit) => {
            put.process(*process);
            put_exit(put, exit);
        }
        Record::Thread(thread) => put_thread(put, thread),
        Record::Mapping(mapping) => put_mapping(put, mapping),
        Record::Profile(sample) => {
            put.process(sample.process);
            put.number(u64::from(sample.stack.0));
            put.number(sample.weight.0);
        }
        Record::Action(action) => put_action(put, action),
        Record::Imports(imports) => {
            put.process(imports.process);
            put.strings(&imports.packages);
        }
        Record::Host(host) => put_host(put, host),
        Record::Toolchain(tool) => put_toolchain(put, tool),
        Record::Setting(setting) => put.strings(&[setting.key, setting.value, setting.source]),
        Record::Loss(loss) => {
            put.time(loss.from);
            put.time(loss.to);
            put.strings(&[loss.what, loss.why]);
            put.number(loss.count);
        }
        Record::BlindSpot(spot) => {
            put.time(spot.time);
            put.strings(&[spot.what, spot.why]);
        }
        Record::Counter(counter) => {
            put.time(counter.time);
            put.string(counter.name);
            put.signed(counter.value);
        }
        Record::Ending(ending) => put_ending(put, ending),
        Record::Probe(probe) => put_probe(put, probe),
        Record::ProbeDropped(dropped) => put_dropped(put, dropped),
        Record::Finding(finding) => put_finding(put, finding),
        Record::Load(load) => linking::put_load(put, load),
        Record::Unload(unload) => linking::put_unload(put, unload),
        Record::Linking(linking) => linking::put_linking(put, linking),
        Record::Search(search) => linking::put_search(put, search),
        Record::Interpreter(interpreter) => linking::put_interpreter(put, interpreter),
        Record::ImageNeeds(needs) => linking::put_needs(put, needs),
        Record::Unmapping(unmapping) => put_unmapping(put, unmapping),
        Record::ProcessorCounts(process, counts) => {
            put.process(*process);
            put_counts(put, counts);
        }
    }
    number_of(record)
}

fn put_host(put: &mut Put<'_>, host: &Host) {
    put.strings(&[host.os, host.distribution, host.cpu, host.gotrace]);
    put.arch(host.arch);
    put.number(u64::from(host.cores));
    put.number(host.memory_bytes);
}

fn put_toolchain(put: &mut Put<'_>, tool: &Toolchain) {
    put.strings(&[tool.path, tool.version, tool.translator, tool.goroot]);
    put.arch(tool.arch);
}

fn take_record(take: &mut Take<'_, '_>, number: u8) -> Result<Option<Record>, Malformed> {
    Ok(Some(match number {
        1 => Record::ProcessStarted(take_process(take)?),
        2 => Record::ProcessEnded(take.process()?, take_exit(take)?),
        3 => Record::Thread(take_thread(take)?),
        4 => Record::Mapping(take_mapping(take)?),
        5 => Record::Profile(ProfileSample {
            process: take.process()?,
            stack: take.stack()?,
            weight: take.nanos()?,
        }),
        6 => Record::Action(take_action(take)?),
        7 => Record::Imports(Imports {
            process: take.process()?,
            packages: take.strings()?,
        }),
        8 => Record::Host(take_host(take)?),
        9 => Record::Toolchain(take_toolchain(take)?),
        10 => {
            let [key, value, source] = take.some_strings()?;
            Record::Setting(Setting { key, value, source })
        }
        11 => {
            let (from, to) = (take.time()?, take.time()?);
            let [what, why] = take.some_strings()?;
            let count = take.number()?;
            Record::Loss(Loss {
                from,
                to,
                what,
                count,
                why,
            })
        }
        12 => {
            let time = take.time()?;
            let [what, why] = take.some_strings()?;
            Record::BlindSpot(BlindSpot { time, what, why })
        }
        13 => Record::Counter(Counter {
            time: take.time()?,
            name: take.string()?,
            value: take.signed()?,
        }),
        14 => Record::Ending(Ending {
            command_end: take.time()?,
            status: take.optional(take_status)?,
            own_cpu: take.nanos()?,
            own_max_rss_bytes: take.number()?,
            kernel_cpu: take.optional(Take::nanos)?,
        }),
        15 => Record::Probe(take_probe(take)?),
        16 => Record::ProbeDropped(ProbeDropped {
            at: take.time()?,
            probe: ProbeId(take.narrow()?),
            hits: take.number()?,
            unrecorded: take.number()?,
            why: take.string()?,
        }),
        17 => Record::Finding(take_finding(take)?),
        18 => Record::Load(linking::take_load(take)?),
        19 => Record::Unload(linking::take_unload(take)?),
        20 => Record::Linking(linking::take_linking(take)?),
        21 => Record::Search(linking::take_search(take)?),
        22 => Record::Interpreter(linking::take_interpreter(take)?),
        23 => Record::ImageNeeds(linking::take_needs(take)?),
        24 => Record::Unmapping(take_unmapping(take)?),
        25 => Record::ProcessorCounts(take.process()?, take_counts(take)?),
        _ => return Ok(None),
    }))
}

fn put_finding(put: &mut Put<'_>, finding: &Finding) {
    put.number(match finding.severity {
        Severity::Note => 0,
        Severity::Warning => 1,
        Severity::Error => 2,
    });
    put.strings(&[
        finding.check,
        finding.text,
        finding.evidence,
        finding.remedy,
    ]);
}

fn take_finding(take: &mut Take<'_, '_>) -> Result<Finding, Malformed> {
    let severity = match take.number()? {
        0 => Severity::Note,
        1 => Severity::Warning,
        2 => Severity::Error,
        _ => {
            return Err(Malformed(
                "expected a finding's severity of 0 to 2, found another one",
            ));
        }
    };
    let [check, text, evidence, remedy] = take.some_strings()?;
    Ok(Finding {
        check,
        severity,
        text,
        evidence,
        remedy,
    })
}

fn put_dropped(put: &mut Put<'_>, dropped: &ProbeDropped) {
    put.time(dropped.at);
    put.number(u64::from(dropped.probe.0));
    put.number(dropped.hits);
    put.number(dropped.unrecorded);
    put.string(dropped.why);
}

fn put_ending(put: &mut Put<'_>, ending: &Ending) {
    put.time(ending.command_end);
    put.optional(ending.status, |put, status| put_status(put, status));
    put.number(ending.own_cpu.0);
    put.number(ending.own_max_rss_bytes);
    put.optional(ending.kernel_cpu, |put, cpu| put.number(cpu.0));
}

fn put_probe(put: &mut Put<'_>, probe: &Probe) {
    put.number(u64::from(probe.id.0));
    put.number(u64::from(probe.image.0));
    put.strings(&[probe.function, probe.file, probe.instruction, probe.set]);
    put.number(probe.entry.0);
    put.number(probe.entry_cost.0);
    put.number(u64::from(probe.exits));
    put.number(probe.exit_cost.0);
    put.number(match probe.argument {
        ArgumentKind::None => 0,
        ArgumentKind::Integer => 1,
        ArgumentKind::Text => 2,
        ArgumentKind::Signed(_) => 3,
        ArgumentKind::Unsigned(_) => 4,
    });
    if let ArgumentKind::Signed(bytes) | ArgumentKind::Unsigned(bytes) = probe.argument {
        put.number(u64::from(bytes));
    }
    put.optional(probe.phase, |put, mark| {
        put.strings(&[mark.track, mark.phase]);
        put.flag(mark.lasts == PhaseLasts::UntilNext);
        put.flag(mark.beside);
    });
}

/// Bytes of an integer.
fn take_width(take: &mut Take<'_, '_>) -> Result<u8, Malformed> {
    let width = u8::try_from(take.number()?).ok();
    let width = width.filter(|width| matches!(width, 1 | 2 | 4 | 8));
    width.ok_or(Malformed(
        "expected an integer of 1, 2, 4 or 8 bytes, found another one",
    ))
}

fn take_probe(take: &mut Take<'_, '_>) -> Result<Probe, Malformed> {
    let id = ProbeId(take.narrow()?);
    let image = take.image()?;
    let [function, file, instruction, set] = take.some_strings()?;
    Ok(Probe {
        id,
        image,
        function,
        file,
        instruction,
        set,
        entry: ImageOffset(take.number()?),
        entry_cost: take.nanos()?,
        exits: take.narrow()?,
        exit_cost: take.nanos()?,
        argument: match take.number()? {
            0 => ArgumentKind::None,
            1 => ArgumentKind::Integer,
            2 => ArgumentKind::Text,
            3 => ArgumentKind::Signed(take_width(take)?),
            4 => ArgumentKind::Unsigned(take_width(take)?),
            _ => {
                return Err(Malformed(
                    "expected kind 0 to 4 of an argument, found another one",
                ));
            }
        },
        phase: take.optional(|take| {
            let [track, phase] = take.some_strings()?;
            Ok(PhaseMark {
                track,
                phase,
                lasts: if take.flag()? {
                    PhaseLasts::UntilNext
                } else {
                    PhaseLasts::Call
                },
                beside: take.flag()?,
            })
        })?,
    })
}

fn put_process(put: &mut Put<'_>, process: &Process) {
    put.time(process.start);
    put.time(process.exec_at);
    put.process(process.id);
    put.number(u64::from(process.pid.0));
    put.optional(process.parent, Put::process);
    put.optional(process.predecessor, Put::process);
    put.flag(process.own);
    let exec = &process.exec;
    put.strings(&exec.argv);
    put.flag(exec.argv_truncated);
    put.strings(&[exec.cwd, exec.exe, exec.translator, exec.package]);
    put.arch(exec.arch);
}

fn take_process(take: &mut Take<'_, '_>) -> Result<Process, Malformed> {
    let (start, exec_at) = (take.time()?, take.time()?);
    let id = take.process()?;
    let pid = crate::trace::Pid(take.narrow()?);
    let parent = take.optional(Take::process)?;
    let predecessor = take.optional(Take::process)?;
    let own = take.flag()?;
    let argv = take.strings()?;
    let argv_truncated = take.flag()?;
    let [cwd, exe, translator, package] = take.some_strings()?;
    let arch = take.arch()?;
    Ok(Process {
        id,
        pid,
        parent,
        predecessor,
        start,
        exec_at,
        exec: Exec {
            argv,
            argv_truncated,
            cwd,
            exe,
            package,
            arch,
            translator,
        },
        exit: None,
        counts: None,
        own,
    })
}

fn put_exit(put: &mut Put<'_>, exit: &Exit) {
    put.time(exit.at);
    put_status(put, exit.status);
    let usage = &exit.usage;
    for number in [
        usage.user.0,
        usage.system.0,
        usage.runqueue.0,
        usage.max_rss_bytes,
        usage.minor_faults,
        usage.major_faults,
        usage.read_bytes,
        usage.written_bytes,
        usage.voluntary_switches,
        usage.involuntary_switches,
        u64::from(usage.forks_folded),
    ] {
        put.number(number);
    }
}

fn take_exit(take: &mut Take<'_, '_>) -> Result<Exit, Malformed> {
    Ok(Exit {
        at: take.time()?,
        status: take_status(take)?,
        usage: Usage {
            user: take.nanos()?,
            system: take.nanos()?,
            runqueue: take.nanos()?,
            max_rss_bytes: take.number()?,
            minor_faults: take.number()?,
            major_faults: take.number()?,
            read_bytes: take.number()?,
            written_bytes: take.number()?,
            voluntary_switches: take.number()?,
            involuntary_switches: take.number()?,
            forks_folded: take.narrow()?,
        },
    })
}

fn put_status(put: &mut Put<'_>, status: ExitStatus) {
    let (number, value) = match status {
        ExitStatus::Code(code) => (0, code),
        ExitStatus::Signal(signal) => (1, signal),
        ExitStatus::Replaced => (2, 0),
        ExitStatus::Unknown => (3, 0),
    };
    put.number(number);
    put.signed(i64::from(value));
}

fn take_status(take: &mut Take<'_, '_>) -> Result<ExitStatus, Malformed> {
    let number = take.number()?;
    let value = i32::try_from(take.signed()?)
        .map_err(|_error| Malformed("expected an exit status of 32 bits, found a larger one"))?;
    match number {
        0 => Ok(ExitStatus::Code(value)),
        1 => Ok(ExitStatus::Signal(value)),
        2 => Ok(ExitStatus::Replaced),
        3 => Ok(ExitStatus::Unknown),
        _ => Err(Malformed("expected exit status 0 to 3, found another one")),
    }
}

fn put_thread(put: &mut Put<'_>, thread: &Thread) {
    put.time(thread.start);
    put.process(thread.process);
    put.number(u64::from(thread.tid.0));
    put.optional(thread.end, |put, end| {
        put.number(end.0.wrapping_sub(thread.start.0));
    });
    put.string(thread.name);
    put.number(thread.cpu.0);
    put.number(thread.runqueue.0);
}

fn take_thread(take: &mut Take<'_, '_>) -> Result<Thread, Malformed> {
    let start = take.time()?;
    Ok(Thread {
        process: take.process()?,
        tid: crate::trace::Tid(take.narrow()?),
        start,
        end: take.optional(|take| Ok(Nanos(start.0.wrapping_add(take.number()?))))?,
        name: take.string()?,
        cpu: take.nanos()?,
        runqueue: take.nanos()?,
    })
}

fn take_mapping(take: &mut Take<'_, '_>) -> Result<Mapping, Malformed> {
    let time = take.time()?;
    let process = take.process()?;
    let image = take.image()?;
    let start = take.number()?;
    Ok(Mapping {
        time,
        process,
        image,
        start: crate::trace::Avma(start),
        end: crate::trace::Avma(start.wrapping_add(take.number()?)),
        offset: crate::trace::ImageOffset(take.number()?),
    })
}

fn put_mapping(put: &mut Put<'_>, mapping: &Mapping) {
    put.time(mapping.time);
    put.process(mapping.process);
    put.number(u64::from(mapping.image.0));
    put.number(mapping.start.0);
    put.number(mapping.end.0.wrapping_sub(mapping.start.0));
    put.number(mapping.offset.0);
}

fn put_unmapping(put: &mut Put<'_>, unmapping: &Unmapping) {
    put.time(unmapping.time);
    put.process(unmapping.process);
    put.number(u64::from(unmapping.image.0));
    put.number(unmapping.start.0);
}

fn take_unmapping(take: &mut Take<'_, '_>) -> Result<Unmapping, Malformed> {
    Ok(Unmapping {
        time: take.time()?,
        process: take.process()?,
        image: take.image()?,
        start: crate::trace::Avma(take.number()?),
    })
}

fn put_counts(put: &mut Put<'_>, counts: &ProcessorCounts) {
    for number in [
        counts.instructions,
        counts.cycles,
        counts.performance_core_instructions,
        counts.performance_core_cycles,
        counts.energy_nj,
    ] {
        put.number(number);
    }
}

fn take_counts(take: &mut Take<'_, '_>) -> Result<ProcessorCounts, Malformed> {
    Ok(ProcessorCounts {
        instructions: take.number()?,
        cycles: take.number()?,
        performance_core_instructions: take.number()?,
        performance_core_cycles: take.number()?,
        energy_nj: take.number()?,
    })
}

fn put_action(put: &mut Put<'_>, action: &Action) {
    put.number(u64::from(action.graph));
    put.optional(action.go, Put::process);
    put.number(u64::from(action.number));
    put.strings(&[
        action.mode,
        action.package,
        action.target,
        action.objdir,
        action.action_id,
        action.build_id,
    ]);
    put.flag(action.failed);
    put.flag(action.need_build);
    for time in [action.ready, action.start, action.done] {
        put.optional(time, Put::time);
    }
    put.number(action.deps.len() as u64);
    for &dep in &action.deps {
        put.number(u64::from(dep));
    }
    put.strings(&action.commands);
}

fn take_action(take: &mut Take<'_, '_>) -> Result<Action, Malformed> {
    let graph = take.narrow()?;
    let go = take.optional(Take::process)?;
    let number = take.narrow()?;
    let [mode, package, target, objdir, action_id, build_id] = take.some_strings()?;
    let failed = take.flag()?;
    let need_build = take.flag()?;
    let ready = take.optional(Take::time)?;
    let start = take.optional(Take::time)?;
    let done = take.optional(Take::time)?;
    let count = take.number()?;
    let mut deps = Vec::new();
    for _ in 0..count {
        deps.push(take.narrow()?);
    }
    Ok(Action {
        graph,
        go,
        number,
        mode,
        package,
        target,
        objdir,
        failed,
        deps,
        ready,
        start,
        done,
        need_build,
        action_id,
        build_id,
        commands: take.strings()?,
    })
}

fn take_host(take: &mut Take<'_, '_>) -> Result<Host, Malformed> {
    let [os, distribution, cpu, gotrace] = take.some_strings()?;
    Ok(Host {
        os,
        distribution,
        cpu,
        arch: take.arch()?,
        cores: take.narrow()?,
        memory_bytes: take.number()?,
        gotrace,
    })
}

fn take_toolchain(take: &mut Take<'_, '_>) -> Result<Toolchain, Malformed> {
    let [path, version, translator, goroot] = take.some_strings()?;
    Ok(Toolchain {
        path,
        version,
        arch: take.arch()?,
        translator,
        goroot,
    })
}
