//! Processes and threads in; their tracks, and a slice for each program out.

use super::packets::{self, Packets};
use super::proto::{ProcessDescriptor, ThreadDescriptor, TrackDescriptor, TrackEvent};
use super::tracks::Track;
use crate::analyze::Analysis;
use crate::export::labels;
use crate::export::text::Texts;
use crate::trace::{ExitStatus, Nanos, Pid, Process, Thread, Tid};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The tracks of threads that have been declared.
#[derive(Debug, Default)]
pub(super) struct Threads {
    tracks: FxHashMap<(Pid, Tid), Track>,
}

impl Threads {
    /// The track of a thread, declared when it is first asked for.
    pub(super) fn track(
        &mut self,
        (pid, tid): (Pid, Tid),
        name: Option<String>,
        packets: &mut Packets<impl Write>,
    ) -> io::Result<Track> {
        if let Some(&track) = self.tracks.get(&(pid, tid)) {
            return Ok(track);
        }
        let number = u32::try_from(self.tracks.len()).unwrap_or(u32::MAX);
        let track = Track::Thread(number);
        packets.track(TrackDescriptor {
            uuid: Some(track.uuid()),
            parent_uuid: Some(Track::Process(pid).uuid()),
            thread: Some(ThreadDescriptor {
                pid: Some(pid.0.cast_signed()),
                tid: Some(tid.0.into()),
                thread_name: name,
            }),
            ..TrackDescriptor::default()
        })?;
        self.tracks.insert((pid, tid), track);
        Ok(track)
    }
}

/// Writes processes, their programs and their threads; returns the threads.
pub(super) fn write(
    analysis: &Analysis<'_>,
    packets: &mut Packets<impl Write>,
) -> io::Result<Threads> {
    let trace = analysis.trace;
    let mut by_pid: BTreeMap<Pid, Vec<&Process>> = BTreeMap::new();
    for process in trace.processes.iter().filter(|process| !process.own) {
        by_pid.entry(process.pid).or_default().push(process);
    }
    for (pid, mut programs) in by_pid {
        programs.sort_by_key(|program| (program.start, program.id));
        declare(analysis, pid, &programs, packets)?;
        for (position, program) in programs.iter().enumerate() {
            // A process runs one program at a time; where ends were not seen, the next
            // program's start is the end.
            let next = programs.get(position + 1).map(|next| next.start);
            let end = program.end_or(analysis.end);
            let end = next.map_or(end, |next| end.min(next));
            let event = program_slice(analysis, program);
            packets.slice(Track::Programs(pid).uuid(), (program.start, end), event)?;
        }
    }
    let mut threads = Threads::default();
    for thread in &trace.threads {
        declare_thread(analysis, thread, &mut threads, packets)?;
    }
    Ok(threads)
}

fn declare(
    analysis: &Analysis<'_>,
    pid: Pid,
    programs: &[&Process],
    packets: &mut Packets<impl Write>,
) -> io::Result<()> {
    let Some(last) = programs.last() else {
        return Ok(());
    };
    let trace = analysis.trace;
    let argv = last.exec.argv.iter();
    let names: Vec<_> = programs
        .iter()
        .map(|program| labels::process(analysis, program.id))
        .collect();
    packets.track(TrackDescriptor {
        uuid: Some(Track::Process(pid).uuid()),
        process: Some(ProcessDescriptor {
            pid: Some(pid.0.cast_signed()),
            cmdline: argv.map(|&id| trace.text(id).into_owned()).collect(),
            process_name: Some(names.join(" → ")),
        }),
        ..TrackDescriptor::default()
    })?;
    packets.track(Track::Programs(pid).below(Track::Process(pid), "programs", 0))
}

fn declare_thread(
    analysis: &Analysis<'_>,
    thread: &Thread,
    threads: &mut Threads,
    packets: &mut Packets<impl Write>,
) -> io::Result<()> {
    let trace = analysis.trace;
    let Some(process) = trace.process(thread.process).filter(|process| !process.own) else {
        return Ok(());
    };
    let name = Some(trace.text(thread.name).into_owned()).filter(|name| !name.is_empty());
    threads.track((process.pid, thread.tid), name, packets)?;
    Ok(())
}

fn program_slice(analysis: &Analysis<'_>, process: &Process) -> TrackEvent {
    let trace = analysis.trace;
    let exec = &process.exec;
    let role = analysis.roles.get(process.id);
    let mut notes = vec![packets::number("process", process.id.0.into())];
    if let Some(role) = role {
        notes.push(packets::text("tool", role.tool.name()));
        if let Some(package) = &role.package {
            notes.push(packets::text("package", &**package));
        }
    }
    let mut texts = Texts::of(&trace.strings);
    notes.push(packets::text("exe", texts.get("exe", exec.exe)));
    notes.push(packets::text("cwd", texts.get("cwd", exec.cwd)));
    notes.push(packets::texts("argv", texts.list("argv", &exec.argv)));
    notes.extend(packets::bytes(texts));
    if exec.argv_truncated {
        notes.push(packets::truth("argv_truncated", true));
    }
    notes.push(packets::text("arch", exec.arch.name()));
    let translator = trace.text(exec.translator);
    if !translator.is_empty() {
        notes.push(packets::text("translator", translator));
    }
    let before_exec = process.exec_at.since(process.start);
    if before_exec > Nanos::ZERO {
        notes.push(packets::number("fork_to_exec_ns", before_exec.0));
    }
    match &process.exit {
        None => notes.push(packets::text("status", "end not seen")),
        Some(exit) => {
            notes.push(match exit.status {
                ExitStatus::Code(code) => packets::signed("exit_code", code.into()),
                ExitStatus::Signal(signal) => packets::signed("signal", signal.into()),
                ExitStatus::Replaced => packets::text("status", "replaced by exec"),
                ExitStatus::Unknown => packets::text("status", "unknown"),
            });
            let usage = &exit.usage;
            notes.extend([
                packets::number("user_ns", usage.user.0),
                packets::number("system_ns", usage.system.0),
                packets::number("runqueue_ns", usage.runqueue.0),
                packets::number("max_rss_bytes", usage.max_rss_bytes),
            ]);
        }
    }
    TrackEvent {
        name: Some(labels::process(analysis, process.id)),
        categories: vec!["process".to_owned()],
        debug_annotations: notes,
        ..TrackEvent::default()
    }
}
