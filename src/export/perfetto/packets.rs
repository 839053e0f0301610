//! Events with trace times in, encoded packets out, one at a time.

use super::proto::{
    AnnotationValue, CLOCK_MONOTONIC, CLOCK_REALTIME, Clock, ClockSnapshot, Data, DebugAnnotation,
    EventType, InternedData, PACKET_TAG, SEQ_INCREMENTAL_STATE_CLEARED,
    SEQ_NEEDS_INCREMENTAL_STATE, TracePacket, TracePacketDefaults, TrackDescriptor, TrackEvent,
};
use crate::export::text::{NOT_TEXT, Texts};
use crate::trace::{ClockAnchor, Nanos};
use prost::Message as _;
use std::borrow::Cow;
use std::io::{self, Write};

/// Packets that share interned data and defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Sequence {
    /// Tracks, slices, counters: nothing is interned.
    Events = 1,
    /// Samples, whose stacks are interned.
    Samples = 2,
}

/// Writes packets. Holds no more than one.
#[derive(Debug)]
pub(super) struct Packets<W> {
    out: W,
    anchor: ClockAnchor,
    buffer: Vec<u8>,
}

impl<W: Write> Packets<W> {
    /// Starts a file: says how its clock reads.
    pub(super) fn begin(out: W, anchor: ClockAnchor) -> io::Result<Self> {
        let mut packets = Self {
            out,
            anchor,
            buffer: Vec::new(),
        };
        let clock = |clock_id, timestamp| Clock {
            clock_id: Some(clock_id),
            timestamp: Some(timestamp),
        };
        let clocks = vec![
            clock(CLOCK_MONOTONIC, anchor.monotonic_ns),
            clock(CLOCK_REALTIME, anchor.unix_ns),
        ];
        packets.put(&TracePacket {
            trusted_packet_sequence_id: Some(Sequence::Events as u32),
            sequence_flags: Some(SEQ_INCREMENTAL_STATE_CLEARED),
            data: Some(Data::ClockSnapshot(ClockSnapshot {
                clocks,
                primary_trace_clock: Some(CLOCK_MONOTONIC),
            })),
            ..TracePacket::default()
        })?;
        Ok(packets)
    }

    /// Starts the sequence of samples with its defaults.
    pub(super) fn begin_samples(&mut self, defaults: TracePacketDefaults) -> io::Result<()> {
        self.put(&TracePacket {
            trusted_packet_sequence_id: Some(Sequence::Samples as u32),
            sequence_flags: Some(SEQ_INCREMENTAL_STATE_CLEARED),
            trace_packet_defaults: Some(defaults),
            ..TracePacket::default()
        })
    }

    /// Declares a track.
    pub(super) fn track(&mut self, track: TrackDescriptor) -> io::Result<()> {
        self.put(&TracePacket {
            trusted_packet_sequence_id: Some(Sequence::Events as u32),
            data: Some(Data::TrackDescriptor(Box::new(track))),
            ..TracePacket::default()
        })
    }

    /// Writes something that happened at `time`, with what it needs interned first.
    pub(super) fn at(
        &mut self,
        time: Nanos,
        sequence: Sequence,
        data: Data,
        interned: Option<InternedData>,
    ) -> io::Result<()> {
        let flags = (sequence == Sequence::Samples).then_some(SEQ_NEEDS_INCREMENTAL_STATE);
        self.put(&TracePacket {
            timestamp: Some(self.anchor.monotonic_ns.saturating_add(time.0)),
            timestamp_clock_id: Some(CLOCK_MONOTONIC),
            trusted_packet_sequence_id: Some(sequence as u32),
            sequence_flags: flags,
            interned_data: interned.map(Box::new),
            data: Some(data),
            ..TracePacket::default()
        })
    }

    /// Begins a slice within the innermost one that is open on a track.
    pub(super) fn begin_slice(
        &mut self,
        track: u64,
        time: Nanos,
        event: TrackEvent,
    ) -> io::Result<()> {
        let begin = TrackEvent {
            r#type: Some(EventType::SliceBegin.into()),
            track_uuid: Some(track),
            ..event
        };
        self.event(time, begin)
    }

    /// Ends the innermost open slice of a track; what `event` says is added to it.
    pub(super) fn end_slice(
        &mut self,
        track: u64,
        time: Nanos,
        event: TrackEvent,
    ) -> io::Result<()> {
        let end = TrackEvent {
            debug_annotations: event.debug_annotations,
            ..slice_end(track)
        };
        self.event(time, end)
    }

    /// Writes a slice of a track: `event` where it begins, and its end.
    pub(super) fn slice(
        &mut self,
        track: u64,
        (start, end): (Nanos, Nanos),
        event: TrackEvent,
    ) -> io::Result<()> {
        self.begin_slice(track, start, event)?;
        self.event(end.max(start), slice_end(track))
    }

    /// Writes a point of a track.
    pub(super) fn instant(&mut self, track: u64, time: Nanos, event: TrackEvent) -> io::Result<()> {
        let instant = TrackEvent {
            r#type: Some(EventType::Instant.into()),
            track_uuid: Some(track),
            ..event
        };
        self.event(time, instant)
    }

    /// Writes a value of a counter track: give one of `counter_value`, `double_counter_value`.
    pub(super) fn counter(&mut self, track: u64, time: Nanos, value: TrackEvent) -> io::Result<()> {
        let counter = TrackEvent {
            r#type: Some(EventType::Counter.into()),
            track_uuid: Some(track),
            ..value
        };
        self.event(time, counter)
    }

    fn event(&mut self, time: Nanos, event: TrackEvent) -> io::Result<()> {
        let data = Data::TrackEvent(Box::new(event));
        self.at(time, Sequence::Events, data, None)
    }

    fn put(&mut self, packet: &TracePacket) -> io::Result<()> {
        self.buffer.clear();
        self.buffer.push(PACKET_TAG);
        packet
            .encode_length_delimited(&mut self.buffer)
            .map_err(io::Error::other)?;
        self.out.write_all(&self.buffer)
    }
}

/// The event that ends the innermost open slice of a track.
pub(super) fn slice_end(track: u64) -> TrackEvent {
    TrackEvent {
        r#type: Some(EventType::SliceEnd.into()),
        track_uuid: Some(track),
        ..TrackEvent::default()
    }
}

/// An annotation with a text.
pub(super) fn text(name: &str, text: impl Into<String>) -> DebugAnnotation {
    annotation(name, AnnotationValue::Text(text.into()))
}

/// An annotation with a number; its name says the unit.
pub(super) fn number(name: &str, number: u64) -> DebugAnnotation {
    annotation(name, AnnotationValue::Uint(number))
}

/// An annotation with a number that may be negative.
pub(super) fn signed(name: &str, number: i64) -> DebugAnnotation {
    annotation(name, AnnotationValue::Int(number))
}

/// An annotation that is true or false.
pub(super) fn truth(name: &str, truth: bool) -> DebugAnnotation {
    annotation(name, AnnotationValue::Bool(truth))
}

/// The texts of a list.
pub(super) fn texts(name: &str, texts: Vec<Cow<'_, str>>) -> DebugAnnotation {
    let values = texts.into_iter().map(Cow::into_owned);
    list(name, values.map(AnnotationValue::Text))
}

/// The bytes of what was no text, in hexadecimal by key, if there was any.
pub(super) fn bytes(from: Texts<'_>) -> Option<DebugAnnotation> {
    let not_text = from.not_text();
    let entries = not_text.into_iter().map(|(key, hex)| text(&key, hex));
    let dict_entries: Vec<_> = entries.collect();
    (!dict_entries.is_empty()).then(|| DebugAnnotation {
        name: Some(NOT_TEXT.to_owned()),
        dict_entries,
        ..DebugAnnotation::default()
    })
}

/// An annotation with a list.
pub(super) fn list(
    name: &str,
    values: impl IntoIterator<Item = AnnotationValue>,
) -> DebugAnnotation {
    let array_values = values.into_iter().map(|value| DebugAnnotation {
        value: Some(value),
        ..DebugAnnotation::default()
    });
    DebugAnnotation {
        name: Some(name.to_owned()),
        array_values: array_values.collect(),
        ..DebugAnnotation::default()
    }
}

fn annotation(name: &str, value: AnnotationValue) -> DebugAnnotation {
    DebugAnnotation {
        name: Some(name.to_owned()),
        value: Some(value),
        ..DebugAnnotation::default()
    }
}
