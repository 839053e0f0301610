//! Samples in; perf samples (running) and slices of threads (waiting) out, stacks interned.

use super::goroutines::Lanes;
use super::packets::{Packets, Sequence, slice_end};
use super::programs::Threads;
use super::proto::{
    Callstack, CpuMode, Data, EventType, Frame, InternedData, InternedString, Mapping, PerfCounter,
    PerfSample, PerfSampleDefaults, Timebase, TracePacketDefaults, TrackEvent,
};
use crate::analyze::calls::lanes::Lane;
use crate::export::{frames, samples};
use crate::trace::{
    FrameId, FramePlace, Nanos, Pid, Process, Sample, SampleKind, SamplePlace, StackId, StackOwner,
    StringId, Tid, Trace,
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::hash_map::Entry;
use std::io::{self, Write};

/// Interned ids of frames that lie in no image.
const KERNEL: u64 = 1;
const UNMAPPED: u64 = 2;
const TRUNCATED: u64 = 3;
/// Interned id of the first image.
const FIRST_IMAGE: u64 = 4;

/// Writes all samples; returns how many blocks of them could not be read.
pub(super) fn write(
    trace: &Trace,
    (threads, lanes): (&mut Threads, &Lanes),
    packets: &mut Packets<impl Write>,
) -> io::Result<u64> {
    packets.begin_samples(TracePacketDefaults {
        perf_sample_defaults: Some(PerfSampleDefaults {
            timebase: Some(Timebase {
                counter: Some(PerfCounter::SwCpuClock.into()),
                name: Some("cpu-clock".to_owned()),
            }),
        }),
    })?;
    let mut writer = SampleWriter {
        trace,
        stacks: Interned::of(trace),
        waited_until: FxHashMap::default(),
        on_cpu: Nanos::ZERO,
    };
    samples::walk(trace, |process, sample| {
        writer.sample(process, sample, (threads, lanes), packets)
    })
}

struct SampleWriter<'t> {
    trace: &'t Trace,
    stacks: Interned<'t>,
    /// End of the last wait of each thread: slices of a thread must not overlap.
    waited_until: FxHashMap<(Pid, Tid), Nanos>,
    /// CPU time that the samples so far stand for: what the timebase has counted.
    on_cpu: Nanos,
}

impl SampleWriter<'_> {
    fn sample(
        &mut self,
        process: &Process,
        sample: &Sample,
        (threads, lanes): (&mut Threads, &Lanes),
        packets: &mut Packets<impl Write>,
    ) -> io::Result<()> {
        let thread = (process.pid, sample.tid);
        let (callstack, interned) = self.stacks.intern(sample.stack);
        match sample.kind {
            SampleKind::OnCpu => {
                self.on_cpu += sample.weight;
                let mode = match sample.place {
                    SamplePlace::User => CpuMode::User,
                    SamplePlace::Kernel => CpuMode::Kernel,
                    SamplePlace::TranslatedCode
                    | SamplePlace::Translator
                    | SamplePlace::TranslatorRuntime => CpuMode::Unknown,
                };
                let data = Data::PerfSample(PerfSample {
                    pid: Some(process.pid.0),
                    tid: Some(sample.tid.0),
                    cpu_mode: Some(mode.into()),
                    timebase_count: Some(self.on_cpu.0),
                    callstack_iid: callstack,
                });
                packets.at(sample.time, Sequence::Samples, data, interned)?;
                self.on_lane(sample, (process.pid, callstack), lanes, packets)
            }
            SampleKind::OffCpu => {
                let track = threads.track(thread, None, packets)?.uuid();
                let free_from = self.waited_until.entry(thread).or_default();
                let start = sample.time.since(sample.weight).max(*free_from);
                let end = sample.time.max(start);
                *free_from = end;
                let begin = TrackEvent {
                    name: Some("off CPU".to_owned()),
                    categories: vec!["off_cpu".to_owned()],
                    r#type: Some(EventType::SliceBegin.into()),
                    track_uuid: Some(track),
                    callstack_iid: callstack,
                    ..TrackEvent::default()
                };
                let begin = Data::TrackEvent(Box::new(begin));
                packets.at(start, Sequence::Samples, begin, interned)?;
                let end_event = Data::TrackEvent(Box::new(slice_end(track)));
                packets.at(end, Sequence::Samples, end_event, None)
            }
        }
    }
}

impl SampleWriter<'_> {
    /// Puts a sample on the lane of its goroutine, where that has one.
    fn on_lane(
        &self,
        sample: &Sample,
        (pid, callstack): (Pid, Option<u64>),
        lanes: &Lanes,
        packets: &mut Packets<impl Write>,
    ) -> io::Result<()> {
        let Some(goid) = sample.goroutine else {
            return Ok(());
        };
        let lane = Lane::of(pid, StackOwner::Goroutine(goid), Tid(0));
        let Some(track) = lanes.find(lane) else {
            return Ok(());
        };
        let leaf = self.trace.stacks.frames(sample.stack).next();
        let leaf = leaf.and_then(|leaf| frames::rows(self.trace, leaf).into_iter().next());
        let event = TrackEvent {
            name: leaf.map(|row| String::from_utf8_lossy(&row.name).into_owned()),
            categories: vec!["sample".to_owned()],
            r#type: Some(EventType::Instant.into()),
            track_uuid: Some(track.uuid()),
            callstack_iid: callstack,
            ..TrackEvent::default()
        };
        let event = Data::TrackEvent(Box::new(event));
        packets.at(sample.time, Sequence::Samples, event, None)
    }
}

/// What the file has been told of stacks, frames, names and images.
struct Interned<'t> {
    trace: &'t Trace,
    /// By stack: it has been written.
    stacks: Vec<bool>,
    /// By frame: the interned ids of its rows, innermost first; none before it was written.
    frames: Vec<Option<(u64, u32)>>,
    next_frame: u64,
    /// By image: it has been written; the three places that are no image are apart.
    mappings: Vec<bool>,
    /// Interned ids of names, by the string in the trace; those that are made here, by text.
    names: FxHashMap<StringId, u64>,
    made_names: FxHashMap<Vec<u8>, u64>,
    next_name: u64,
    paths: FxHashSet<StringId>,
}

impl<'t> Interned<'t> {
    fn of(trace: &'t Trace) -> Self {
        Self {
            trace,
            stacks: vec![false; trace.stacks.len()],
            frames: vec![None; trace.frames.len()],
            next_frame: 1,
            mappings: vec![false; trace.images.len() + 4],
            names: FxHashMap::default(),
            made_names: FxHashMap::default(),
            next_name: 1,
            paths: FxHashSet::default(),
        }
    }

    /// The interned id of a stack, and what the file must be told before it is used.
    fn intern(&mut self, stack: StackId) -> (Option<u64>, Option<InternedData>) {
        if stack == StackId::EMPTY {
            return (None, None);
        }
        let iid = u64::from(stack.0);
        match self.stacks.get_mut(stack.index()) {
            Some(known) if !*known => *known = true,
            Some(_) => return (Some(iid), None),
            None => return (None, None),
        }
        let mut data = InternedData::default();
        let mut frame_ids = Vec::new();
        let trace = self.trace;
        for frame in trace.stacks.frames(stack) {
            let (first, rows) = self.frame(frame, &mut data);
            frame_ids.extend(first..first + u64::from(rows));
        }
        // Perfetto wants the outermost first.
        frame_ids.reverse();
        data.callstacks.push(Callstack {
            iid: Some(iid),
            frame_ids,
        });
        (Some(iid), Some(data))
    }

    fn frame(&mut self, id: FrameId, data: &mut InternedData) -> (u64, u32) {
        if let Some(Some(known)) = self.frames.get(id.index()) {
            return *known;
        }
        let trace = self.trace;
        let place = trace.frames.get(id.index()).map(|frame| frame.place);
        let mapping_id = self.mapping(place, data);
        let rel_pc = match place {
            Some(FramePlace::Image(_, offset)) => offset.0,
            Some(FramePlace::Unmapped(address) | FramePlace::Kernel(address)) => address.0,
            Some(FramePlace::Truncated) | None => 0,
        };
        let first = self.next_frame;
        let mut rows = 0;
        for row in frames::rows(trace, id) {
            let (function_name_id, source_path_iid) = match row.function {
                Some(function) => (
                    self.name(function.name, data),
                    self.path(function.file, data),
                ),
                None => (self.made_name(&row.name, data), None),
            };
            data.frames.push(Frame {
                iid: Some(self.next_frame),
                function_name_id: Some(function_name_id),
                mapping_id: Some(mapping_id),
                rel_pc: Some(rel_pc),
                source_path_iid,
                line_number: (row.line > 0).then_some(row.line),
            });
            self.next_frame += 1;
            rows += 1;
        }
        if let Some(known) = self.frames.get_mut(id.index()) {
            *known = Some((first, rows));
        }
        (first, rows)
    }

    fn mapping(&mut self, place: Option<FramePlace>, data: &mut InternedData) -> u64 {
        let iid = match place {
            Some(FramePlace::Image(image, _)) => FIRST_IMAGE + u64::from(image.0),
            Some(FramePlace::Kernel(_)) => KERNEL,
            Some(FramePlace::Unmapped(_)) => UNMAPPED,
            Some(FramePlace::Truncated) | None => TRUNCATED,
        };
        match usize::try_from(iid)
            .ok()
            .and_then(|at| self.mappings.get_mut(at))
        {
            Some(known) if !*known => *known = true,
            _ => return iid,
        }
        let image = match place {
            Some(FramePlace::Image(image, _)) => self.trace.images.get(image.index()),
            _ => None,
        };
        let path = match (image, iid) {
            (Some(image), _) => self.trace.strings.get(image.path),
            (None, KERNEL) => b"[kernel]",
            (None, UNMAPPED) => b"[unmapped]",
            (None, _) => b"[truncated]",
        };
        data.mapping_paths.push(interned(iid, path.to_vec()));
        let build_id = image.filter(|image| !image.build_id.is_empty());
        if let Some(image) = build_id {
            data.build_ids.push(interned(iid, image.build_id.clone()));
        }
        data.mappings.push(Mapping {
            iid: Some(iid),
            build_id: build_id.map(|_| iid),
            path_string_ids: vec![iid],
        });
        iid
    }

    fn name(&mut self, name: StringId, data: &mut InternedData) -> u64 {
        match self.names.entry(name) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let iid = self.next_name;
                self.next_name += 1;
                let bytes = self.trace.strings.get(name).to_vec();
                data.function_names.push(interned(iid, bytes));
                *new.insert(iid)
            }
        }
    }

    fn made_name(&mut self, name: &[u8], data: &mut InternedData) -> u64 {
        if let Some(&known) = self.made_names.get(name) {
            return known;
        }
        let iid = self.next_name;
        self.next_name += 1;
        data.function_names.push(interned(iid, name.to_vec()));
        self.made_names.insert(name.to_vec(), iid);
        iid
    }

    fn path(&mut self, path: StringId, data: &mut InternedData) -> Option<u64> {
        if path == StringId::EMPTY {
            return None;
        }
        let iid = u64::from(path.0);
        if self.paths.insert(path) {
            let bytes = self.trace.strings.get(path).to_vec();
            data.source_paths.push(interned(iid, bytes));
        }
        Some(iid)
    }
}

fn interned(iid: u64, bytes: Vec<u8>) -> InternedString {
    InternedString {
        iid: Some(iid),
        str: Some(bytes),
    }
}
