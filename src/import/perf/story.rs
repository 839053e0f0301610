//! Records in the order of time in, records and samples of a trace out.

use super::super::{Error, Imported, notes};
use super::PerfData;
use super::event::{self, Mapped, Sampled, Told};
use super::header::{Header, Worth};
use super::order::{Ordered, Timed};
use super::programs::Programs;
use super::space::Range;
use crate::trace::file::{self, Writer};
use crate::trace::{
    Arch, Avma, Ending, Frame, FramePlace, FrameRole, Host, IMPORTED, Image, ImageKind,
    ImageOffset, Mapping, Nanos, ProcessId, Record, Sample, SampleKind, SamplePlace, Tid,
};

/// The kernel follows no more callers than this, unless it was told to
/// (`kernel.perf_event_max_stack`).
const MOST_CALLERS: usize = 127;

/// Writes the whole recording.
pub(super) fn tell(perf: &PerfData<'_>, writer: &mut Writer) -> Result<Imported, Error> {
    let header = &perf.header;
    preamble(header, writer)?;
    let clock = header.clock_event();
    let mut story = Story {
        header,
        clock: clock.unwrap_or(usize::MAX),
        writer,
        programs: Programs::default(),
        samples: 0,
        latest: Nanos::ZERO,
        left_out: LeftOut::default(),
    };
    let mut records = Ordered::of(perf.file, header);
    for record in records.by_ref() {
        let time = Nanos(record.time.saturating_sub(perf.begin));
        story.take(time, &record)?;
    }
    if let Some(stopped) = records.stopped() {
        let why = format!("perf.data, offset {:#x}: {}", stopped.offset, stopped.why);
        let what = "bytes at the end of perf.data";
        notes::lost(story.writer, story.latest, what, stopped.bytes, &why)?;
    }
    if header.unfinished {
        let what = "the end of perf.data";
        let why = "perf record was killed, or the file was cut";
        notes::unseen(story.writer, story.latest, what, why)?;
    }
    Ok(story.finish()?)
}

/// What perf.data says of the machine and of itself, and what it never says.
fn preamble(header: &Header<'_>, writer: &mut Writer) -> Result<(), file::Error> {
    let machine = &header.machine;
    let os = if machine.release.is_empty() {
        Vec::new()
    } else {
        [b"linux ", machine.release].concat()
    };
    let arch = Arch::from_name(&String::from_utf8_lossy(machine.arch));
    let host = Host {
        os: writer.string(&os),
        cpu: writer.string(machine.cpu),
        arch,
        cores: machine.cores,
        memory_bytes: machine.memory_kib.saturating_mul(1_024),
        gotrace: writer.string(env!("CARGO_PKG_VERSION").as_bytes()),
        ..Host::default()
    };
    writer.record(Record::Host(host))?;
    notes::setting(writer, IMPORTED, b"perf.data")?;
    notes::setting(writer, "perf.version", machine.perf)?;
    let event = header.clock_event().and_then(|at| header.events.get(at));
    let name = event.map_or("", |event| &event.name);
    notes::setting(writer, "perf.event", name.as_bytes())?;
    let what = "actions, arguments, exit codes, exact CPU times";
    let why = "perf.data has none: CPU times are sums of samples";
    notes::unseen(writer, Nanos::ZERO, what, why)?;
    if header.clock.is_none() {
        let why = "perf.data has it only of perf record -k CLOCK_MONOTONIC";
        notes::unseen(writer, Nanos::ZERO, "wall-clock time", why)?;
    }
    Ok(())
}

/// What was read and not taken.
#[derive(Debug, Default)]
struct LeftOut {
    /// Records that are too short for what they say to be, and where the first one is.
    short: u64,
    first_short: u64,
    /// Samples of events that tell no CPU time.
    other_events: u64,
    throttled: bool,
}

struct Story<'h, 'w> {
    header: &'h Header<'h>,
    /// The event whose samples are taken.
    clock: usize,
    writer: &'w mut Writer,
    programs: Programs,
    samples: u64,
    latest: Nanos,
    left_out: LeftOut,
}

impl Story<'_, '_> {
    fn take(&mut self, time: Nanos, timed: &Timed<'_>) -> Result<(), file::Error> {
        self.latest = self.latest.max(time);
        // What perf itself tells of what was there before has no time.
        let at = (timed.time > 0).then_some(time);
        let Some(event) = self.header.events.get(timed.event) else {
            return Ok(());
        };
        let Some(told) = event::told(&timed.record, event) else {
            if self.left_out.short == 0 {
                self.left_out.first_short = timed.record.offset;
            }
            self.left_out.short = self.left_out.short.saturating_add(1);
            return Ok(());
        };
        match told {
            Told::Mapped(mapped) => self.mapped(time, &mapped)?,
            Told::Named {
                pid,
                tid,
                name,
                exec,
            } => {
                let name = self.writer.string(name);
                self.programs.named(at, (pid, tid), name, exec);
            }
            Told::Forked { pid, parent, tid } => self.programs.forked(at, pid, parent, tid),
            Told::Ended { pid, tid } => {
                if let Some(thread) = self.programs.ended(time, pid, tid) {
                    self.writer.record(Record::Thread(thread))?;
                }
            }
            Told::LostEvents(count) => self.lost(time, "events", count)?,
            Told::LostSamples(count) => self.lost(time, "samples", count)?,
            Told::Throttled if self.left_out.throttled => {}
            Told::Throttled => {
                self.left_out.throttled = true;
                let why = "the kernel had perf pause for a while, here and maybe later";
                notes::unseen(self.writer, time, "some samples", why)?;
            }
            Told::Sampled(_) if timed.event != self.clock => {
                self.left_out.other_events = self.left_out.other_events.saturating_add(1);
            }
            Told::Sampled(sampled) => {
                let weight = match event.worth() {
                    Worth::Period => sampled.period,
                    Worth::Nanos(nanos) => nanos,
                    Worth::Unknown => return Ok(()),
                };
                self.sampled(time, &sampled, Nanos(weight))?;
            }
            Told::Other => {}
        }
        Ok(())
    }

    fn lost(&mut self, time: Nanos, what: &str, count: u64) -> Result<(), file::Error> {
        notes::lost(self.writer, time, what, count, "perf could not keep up")
    }

    fn mapped(&mut self, time: Nanos, mapped: &Mapped<'_>) -> Result<(), file::Error> {
        let kind = kind_of(mapped.path);
        let path = match kind {
            ImageKind::Anonymous => &b""[..],
            ImageKind::File | ImageKind::Kernel => mapped.path,
        };
        let build_id = match mapped.build_id {
            [] => self.header.build_ids.get(path).copied().unwrap_or_default(),
            known => known,
        };
        let path = self.writer.string(path);
        let image = self.writer.image(&Image {
            path,
            build_id: build_id.to_vec(),
            kind,
            ..Image::default()
        });
        let range = Range {
            start: mapped.start,
            end: mapped.start.saturating_add(mapped.length),
            offset: mapped.offset,
            image,
        };
        let file = (kind == ImageKind::File).then_some(path);
        match self.programs.mapped(mapped.pid, range, file) {
            Some(process) => self.mapping(time, process, range),
            None => Ok(()),
        }
    }

    fn mapping(
        &mut self,
        time: Nanos,
        process: ProcessId,
        range: Range,
    ) -> Result<(), file::Error> {
        self.writer.record(Record::Mapping(Mapping {
            time,
            process,
            image: range.image,
            start: Avma(range.start),
            end: Avma(range.end),
            offset: ImageOffset(range.offset),
        }))
    }

    fn sampled(
        &mut self,
        time: Nanos,
        sampled: &Sampled,
        weight: Nanos,
    ) -> Result<(), file::Error> {
        let Some((process, shown)) = self.programs.sampled(sampled.pid) else {
            return Ok(());
        };
        for range in shown.iter().flat_map(|shown| &shown.ranges) {
            self.mapping(time, process, *range)?;
        }
        let frames = self.frames(sampled);
        let frames: Vec<_> = frames
            .into_iter()
            .map(|frame| self.writer.frame(frame))
            .collect();
        let stack = self.writer.stack(&frames);
        self.samples = self.samples.saturating_add(1);
        self.programs
            .used(process, sampled.tid, weight, sampled.in_kernel);
        self.writer.sample(Sample {
            time,
            process,
            tid: Tid(sampled.tid),
            goroutine: None,
            stack,
            weight,
            kind: SampleKind::OnCpu,
            place: if sampled.in_kernel {
                SamplePlace::Kernel
            } else {
                SamplePlace::User
            },
        })
    }

    /// The program's own frames, innermost first, as gotrace records them itself; where there are
    /// none, that of the kernel.
    fn frames(&self, sampled: &Sampled) -> Vec<Frame> {
        let mut frames = Vec::with_capacity(sampled.user.len().saturating_add(1));
        let space = self.programs.space(sampled.pid);
        for &address in &sampled.user {
            let role = match frames.len() {
                0 => FrameRole::Executing,
                _ => FrameRole::Return,
            };
            let unmapped = FramePlace::Unmapped(Avma(address));
            let place = space.map_or(unmapped, |space| space.place(address, role.lookup(address)));
            frames.push(Frame { place, role });
        }
        if let (true, Some(address)) = (frames.is_empty(), sampled.kernel.first()) {
            frames.push(Frame {
                place: FramePlace::Kernel(Avma(*address)),
                role: FrameRole::Executing,
            });
            return frames;
        }
        let followed = sampled.user.len().saturating_add(sampled.kernel.len());
        if !sampled.has_callers || followed >= MOST_CALLERS {
            frames.push(Frame {
                place: FramePlace::Truncated,
                role: FrameRole::Return,
            });
        }
        frames
    }

    fn finish(mut self) -> Result<Imported, file::Error> {
        let programs = std::mem::take(&mut self.programs);
        let dropped = programs.dropped_ranges;
        let rows = programs.into_rows();
        let mut processes = 0_u64;
        for (process, exit) in rows {
            processes = processes.saturating_add(1);
            let id = process.id;
            self.writer.record(Record::ProcessStarted(process))?;
            if let Some(exit) = exit {
                self.writer.record(Record::ProcessEnded(id, exit))?;
            }
        }
        let first = self.left_out.first_short;
        let short =
            format!("they are shorter than what they say to be, the first at offset {first:#x}");
        let other = "they are of events that tell no CPU time, or the same once more";
        for (what, count, why) in [
            ("records of perf.data", self.left_out.short, &*short),
            ("samples of other events", self.left_out.other_events, other),
            ("mappings", dropped, "there are too many at once"),
        ] {
            notes::lost(self.writer, self.latest, what, count, why)?;
        }
        self.writer.record(Record::Ending(Ending {
            command_end: self.latest,
            ..Ending::default()
        }))?;
        Ok(Imported {
            samples: self.samples,
            processes,
        })
    }
}

/// What is mapped, by the name that the kernel gives it.
fn kind_of(path: &[u8]) -> ImageKind {
    match path {
        b"[vdso]" | b"[vsyscall]" => ImageKind::Kernel,
        [b'/', b'/', ..] | [b'[', ..] | [] => ImageKind::Anonymous,
        _ => ImageKind::File,
    }
}
