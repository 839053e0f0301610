//! Chrome's trace JSON, which many viewers read.
//!
//! One object: `traceEvents` with slices, arrows, counters and instants, `samples`, and
//! `stackFrames`, the tree of their stacks. Times are microseconds since the trace's start,
//! with nanoseconds as decimals; a sample's `weight` is in nanoseconds. Builds stand as pid 0,
//! a lane as a thread of it; phases, goroutines and dynamic linking are threads of their process,
//! with numbers that no thread has. Arguments and paths that are not UTF-8 are shown with replacement
//! characters, and `bytes_hex` in the event's `args` has their bytes.

mod events;
mod goroutines;
mod linking;
mod stacks;

use super::stacks::UsedStacks;
use super::text::Texts;
use super::{graph, labels, levels, samples};
use crate::analyze::build::BuildAction;
use crate::analyze::{Analysis, summary};
use crate::trace::file::Integrity;
use crate::trace::{SampleKind, Trace};
use events::{Args, Event, Events};
use std::io::{self, Write};

/// The number under which builds stand: no process of a user has it.
const BUILD_PID: u32 = 0;

/// Writes a trace.
///
/// Blocks of samples that cannot be read are left out and counted, in the file and in what is
/// returned.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(analysis: &Analysis<'_>, out: &mut impl Write) -> io::Result<u64> {
    let trace = analysis.trace;
    out.write_all(b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
    let mut events = Events::begin(&mut *out);
    recording(trace, &mut events)?;
    builds(analysis, &mut events)?;
    processes(analysis, &mut events)?;
    let unreadable_calls = goroutines::write(analysis, &mut events)?;
    let unreadable_bindings = linking::write(analysis, &mut events)?;
    counters(analysis, &mut events)?;
    out.write_all(b"\n],\n\"samples\":[")?;
    let (used, unreadable_samples) = put_samples(trace, out)?;
    out.write_all(b"\n],\n\"stackFrames\":{")?;
    stacks::write(trace, &used, out)?;
    writeln!(
        out,
        "\n}},\n\"otherData\":{{\"unreadable_sample_blocks\":{unreadable_samples},\"unreadable_call_blocks\":{unreadable_calls},\"unreadable_binding_blocks\":{unreadable_bindings}}}}}"
    )?;
    Ok(unreadable_samples + unreadable_calls + unreadable_bindings)
}

fn recording(trace: &Trace, events: &mut Events<impl Write>) -> io::Result<()> {
    events.name_process(BUILD_PID, "builds", &[])?;
    for loss in &trace.losses {
        events.put(&Event {
            name: &format!("lost: {}", trace.text(loss.what)),
            cat: "loss",
            args: Some(
                Args::default()
                    .number("count", loss.count)
                    .text("why", trace.text(loss.why)),
            ),
            ..Event::instant(loss.from)
        })?;
    }
    for spot in &trace.blind_spots {
        events.put(&Event {
            name: &format!("not seen: {}", trace.text(spot.what)),
            cat: "blind_spot",
            args: Some(Args::default().text("why", trace.text(spot.why))),
            ..Event::instant(spot.time)
        })?;
    }
    let integrity = &trace.integrity;
    if *integrity != Integrity::default() {
        events.put(&Event {
            name: "the trace file is not whole",
            cat: "loss",
            args: Some(
                Args::default()
                    .truth("unsealed", integrity.unsealed)
                    .number("cut_bytes", integrity.cut_bytes)
                    .number("damaged_blocks", integrity.damaged_blocks)
                    .number("missing_rows", integrity.missing_rows)
                    .number("lost_samples", integrity.lost_samples)
                    .number("lost_calls", integrity.lost_calls)
                    .number("lost_bindings", integrity.lost_bindings),
            ),
            ..Event::instant(trace.end())
        })?;
    }
    Ok(())
}

fn builds(analysis: &Analysis<'_>, events: &mut Events<impl Write>) -> io::Result<()> {
    let mut tid = 1;
    events.name_thread((BUILD_PID, tid), "critical path")?;
    for segment in &analysis.builds.critical_path.segments {
        events.put(&Event {
            name: &summary::label(analysis, segment),
            cat: "critical_path",
            ..Event::slice((BUILD_PID, tid), (segment.start, segment.end))
        })?;
    }
    for (number, build) in (0_u32..).zip(&analysis.builds.builds) {
        let critical = graph::critical_actions(build);
        let mut thread_of = vec![0; build.actions.len()];
        for lane in graph::action_lanes(build) {
            tid += 1;
            events.name_thread((BUILD_PID, tid), &build.command)?;
            for (index, action) in lane {
                if let Some(thread) = thread_of.get_mut(index.index()) {
                    *thread = tid;
                }
                let critical = critical.get(index.index()).is_some_and(|&yes| yes);
                put_action(analysis, action, (tid, critical), events)?;
            }
        }
        for (name, lane) in graph::wait_lanes(build) {
            tid += 1;
            events.name_thread((BUILD_PID, tid), &name)?;
            for (_, action) in lane {
                events.put(&Event {
                    name: &action.label(),
                    cat: "wait",
                    ..Event::slice((BUILD_PID, tid), (action.ready, action.start))
                })?;
            }
        }
        for arrow in graph::arrows(build) {
            let id = (u64::from(number) << 32) | u64::from(arrow.id);
            for (phase, end) in [("s", arrow.from), ("f", arrow.to)] {
                let Some(action) = build.action(end) else {
                    continue;
                };
                let tid = thread_of.get(end.index()).copied().unwrap_or_default();
                events.put(&Event::arrow(phase, id, (BUILD_PID, tid), action.start))?;
            }
        }
    }
    Ok(())
}

fn put_action(
    analysis: &Analysis<'_>,
    action: &BuildAction,
    (tid, critical): (u32, bool),
    events: &mut Events<impl Write>,
) -> io::Result<()> {
    let mut args = Args::default()
        .text("package", &*action.package)
        .text("action", &*action.mode)
        .text("outcome", action.outcome.name())
        .number("wait_ns", action.waited().0)
        .number("cpu_ns", action.cpu.0);
    if let Some(process) = analysis.main_process(action) {
        let mut texts = Texts::of(&analysis.trace.strings);
        let argv = texts.list("argv", &process.exec.argv);
        args = args.list("argv", argv).bytes(texts);
    }
    let cat = if critical {
        "action,critical_path"
    } else {
        "action"
    };
    events.put(&Event {
        name: &action.label(),
        cat,
        args: Some(args),
        ..Event::slice((BUILD_PID, tid), (action.start, action.end))
    })
}

fn processes(analysis: &Analysis<'_>, events: &mut Events<impl Write>) -> io::Result<()> {
    let trace = analysis.trace;
    let end = trace.end();
    for process in trace.processes.iter().filter(|process| !process.own) {
        let name = labels::process(analysis, process.id);
        let mut texts = Texts::of(&trace.strings);
        let argv = texts.list("argv", &process.exec.argv);
        events.name_process(process.pid.0, &name, &argv)?;
        let mut args = Args::default()
            .list("argv", argv)
            .text("exe", texts.get("exe", process.exec.exe))
            .text("cwd", texts.get("cwd", process.exec.cwd))
            .bytes(texts)
            .text("arch", process.exec.arch.name());
        if let Some(exit) = &process.exit {
            args = args
                .number("user_ns", exit.usage.user.0)
                .number("system_ns", exit.usage.system.0)
                .number("max_rss_bytes", exit.usage.max_rss_bytes);
        }
        events.put(&Event {
            name: &name,
            cat: "process",
            args: Some(args),
            ..Event::slice(
                (process.pid.0, process.pid.0),
                (process.start, process.end_or(end)),
            )
        })?;
    }
    for thread in &trace.threads {
        let process = trace.process(thread.process);
        if let Some(process) = process.filter(|process| !process.own) {
            let name = trace.text(thread.name);
            events.name_thread((process.pid.0, thread.tid.0), &name)?;
        }
    }
    Ok(())
}

fn counters(analysis: &Analysis<'_>, events: &mut Events<impl Write>) -> io::Result<()> {
    let trace = analysis.trace;
    let builds = &analysis.builds.builds;
    let running: Vec<_> = builds.iter().flat_map(graph::spans).collect();
    let waiting: Vec<_> = builds.iter().flat_map(graph::wait_spans).collect();
    for (name, spans) in [
        ("actions under way", running),
        ("actions waiting for a slot", waiting),
    ] {
        for (time, value) in levels::under_way(&spans) {
            events.put(&Event {
                args: Some(Args::default().signed("actions", value)),
                ..Event::counter(name, time)
            })?;
        }
    }
    for counter in &trace.counters {
        let name = trace.text(counter.name);
        events.put(&Event {
            args: Some(Args::default().signed("value", counter.value)),
            ..Event::counter(&name, counter.time)
        })?;
    }
    Ok(())
}

/// Writes all samples; returns which stacks they use, and how many blocks were unreadable.
fn put_samples(trace: &Trace, out: &mut impl Write) -> io::Result<(UsedStacks, u64)> {
    let mut used = UsedStacks::of(trace);
    let mut first = true;
    let unreadable_blocks = samples::walk(trace, |process, sample| {
        used.mark(trace, sample.stack);
        out.write_all(if first { b"\n" } else { b",\n" })?;
        first = false;
        let sample = events::Sample {
            cpu: 0,
            pid: process.pid.0,
            tid: sample.tid.0,
            ts: events::micros(sample.time),
            name: match sample.kind {
                SampleKind::OnCpu => "on-cpu",
                SampleKind::OffCpu => "off-cpu",
            },
            sf: stacks::id(sample.stack, 0),
            weight: sample.weight.0,
        };
        serde_json::to_writer(&mut *out, &sample)?;
        io::Result::Ok(())
    })?;
    Ok((used, unreadable_blocks))
}
