//! Builds, programs and their threads in; the list of threads out.
//!
//! Viewers gather threads by the text that stands for their process. A pid that execs has a process
//! for each of its programs, told apart by a number behind it.

use super::markers::{self, Marker, Markers};
use super::places::Places;
use super::samples::{Counted, Held, ThreadKey};
use super::{millis, put_open};
use crate::analyze::Analysis;
use crate::export::labels;
use crate::trace::{Nanos, Pid, Process, Tid, Trace};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::io::{self, Write};

/// Programs whose threads are shown at first: those with the most CPU time.
const MOST_SHOWN: usize = 15;

/// A thread, or what is shown as one.
pub(super) struct Thread {
    head: Head,
    /// Of threads of programs.
    key: Option<ThreadKey>,
    samples: u64,
    /// Time that its samples stand for.
    cpu: Nanos,
    markers: Vec<Marker>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    name: String,
    process_name: String,
    process_type: &'static str,
    pid: String,
    tid: u32,
    is_main_thread: bool,
    show_markers_in_timeline: bool,
    process_startup_time: f64,
    process_shutdown_time: Option<f64>,
    register_time: f64,
    unregister_time: Option<f64>,
    paused_ranges: [(); 0],
}

/// Threads of builds first, then those of programs by their start.
pub(super) fn all(analysis: &Analysis<'_>, counted: &Counted, mut markers: Markers) -> Vec<Thread> {
    let mut threads = Vec::new();
    let builds = analysis.builds.builds.iter();
    for (build, markers) in builds.zip(std::mem::take(&mut markers.builds)) {
        let life = (build.start, Some(build.end));
        threads.push(Thread::of_markers(&build.command, life, markers));
    }
    if !markers.gaps.is_empty() {
        let life = (Nanos::ZERO, Some(analysis.end));
        threads.push(Thread::of_markers("lost or not seen", life, markers.gaps));
    }
    let mut tids: FxHashMap<_, Vec<Tid>> = FxHashMap::default();
    for &(process, tid) in counted.threads.keys() {
        tids.entry(process).or_default().push(tid);
    }
    let mut names = Names::of(analysis.trace);
    for (id, _) in analysis.roles.iter() {
        let Some(process) = analysis.trace.process(id) else {
            continue;
        };
        let main = Tid(process.pid.0);
        let others = tids.remove(&id).unwrap_or_default();
        let others = others.into_iter().filter(|tid| *tid != main);
        let pid = names.pid(process.pid);
        for tid in [main].into_iter().chain(others) {
            let (samples, cpu) = counted.threads.get(&(id, tid)).copied().unwrap_or_default();
            let markers = match tid == main {
                true => markers.programs.remove(&id).unwrap_or_default(),
                false => Vec::new(),
            };
            threads.push(Thread {
                head: names.head(analysis, process, (&pid, tid)),
                key: Some((id, tid)),
                samples,
                cpu,
                markers,
            });
        }
    }
    threads
}

impl Thread {
    /// One that is a place for markers alone.
    fn of_markers(name: &str, (start, end): (Nanos, Option<Nanos>), markers: Vec<Marker>) -> Self {
        Self {
            head: Head {
                name: name.to_owned(),
                process_name: name.to_owned(),
                process_type: "default",
                pid: name.to_owned(),
                tid: 0,
                is_main_thread: true,
                show_markers_in_timeline: true,
                process_startup_time: millis(start),
                process_shutdown_time: end.map(millis),
                register_time: millis(start),
                unregister_time: end.map(millis),
                paused_ranges: [],
            },
            key: None,
            samples: 0,
            cpu: Nanos::ZERO,
            markers,
        }
    }
}

/// What processes and threads are called.
struct Names<'t> {
    threads: FxHashMap<ThreadKey, &'t crate::trace::Thread>,
    /// Programs of each pid so far.
    pids: FxHashMap<Pid, u32>,
}

impl<'t> Names<'t> {
    fn of(trace: &'t Trace) -> Self {
        let threads = trace.threads.iter();
        Self {
            threads: threads
                .map(|thread| ((thread.process, thread.tid), thread))
                .collect(),
            pids: FxHashMap::default(),
        }
    }

    /// The text that stands for the next program of a pid.
    fn pid(&mut self, pid: Pid) -> String {
        let programs = self.pids.entry(pid).or_default();
        *programs += 1;
        match *programs {
            1 => pid.to_string(),
            programs => format!("{pid}.{programs}"),
        }
    }

    fn head(&self, analysis: &Analysis<'_>, process: &Process, (pid, tid): (&str, Tid)) -> Head {
        let process_name = labels::process(analysis, process.id);
        let is_main_thread = tid.0 == process.pid.0;
        let thread = self.threads.get(&(process.id, tid));
        let name = match thread {
            _ if is_main_thread => process_name.clone(),
            Some(thread) => analysis.trace.text(thread.name).into_owned(),
            None => "thread".to_owned(),
        };
        let end = process.exit.map(|exit| millis(exit.at));
        Head {
            name,
            process_name,
            process_type: "default",
            pid: pid.to_owned(),
            tid: tid.0,
            is_main_thread,
            show_markers_in_timeline: is_main_thread,
            process_startup_time: millis(process.start),
            process_shutdown_time: end,
            register_time: millis(thread.map_or(process.start, |thread| thread.start)),
            unregister_time: thread
                .and_then(|thread| thread.end)
                .map_or(end, |end| Some(millis(end))),
            paused_ranges: [],
        }
    }
}

/// Positions of the threads that are shown at first, in their order: those without a program, and main
/// threads of the programs with the most CPU time.
pub(super) fn shown(threads: &[Thread]) -> Vec<usize> {
    let mut busiest: FxHashMap<_, Nanos> = FxHashMap::default();
    for thread in threads {
        if let Some((process, _)) = thread.key {
            *busiest.entry(process).or_default() += thread.cpu;
        }
    }
    let mut ranking: Vec<_> = busiest.into_iter().collect();
    ranking.sort_unstable_by_key(|&(process, cpu)| (std::cmp::Reverse(cpu), process));
    ranking.truncate(MOST_SHOWN);
    let shows = |thread: &Thread| {
        let busy = |process| ranking.iter().any(|(shown, _)| *shown == process);
        thread.key.is_none_or(|(process, _)| busy(process))
    };
    let positions = threads.iter().enumerate();
    let positions = positions.filter(|(_, thread)| shows(thread));
    positions.map(|(position, _)| position).collect()
}

/// Writes the elements of the list.
pub(super) fn write(
    trace: &Trace,
    threads: &[Thread],
    places: &Places<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut rest = threads;
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(Held::batch(rest.iter().map(|thread| thread.samples)));
        let counts = batch
            .iter()
            .filter_map(|thread| Some((thread.key?, thread.samples)));
        let held = Held::of(trace, counts);
        for (position, thread) in batch.iter().enumerate() {
            let first = position == 0 && rest.len() == threads.len();
            out.write_all(if first { b"\n" } else { b",\n" })?;
            put_open(&thread.head, out)?;
            out.write_all(b",\n\"samples\":{")?;
            held.write((thread.key, thread.samples), places, out)?;
            out.write_all(b"},")?;
            markers::write(&thread.markers, out)?;
            out.write_all(b"}")?;
        }
        rest = later;
    }
    Ok(())
}
