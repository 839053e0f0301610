//! Frames of stacks in; locations, functions, and mappings out.
//!
//! Images have addresses of their own making, for what several processes mapped lies elsewhere in
//! each: an image's bytes begin at its [`base`], one after the other as in its file.

use super::parts::Parts;
use super::proto::{Function, Line, Location, Mapping, Profile};
use crate::export::frames;
use crate::export::stacks::UsedStacks;
use crate::export::text::{hex, text};
use crate::trace::{FrameId, FramePlace, ImageId, Probe, ProbeId, StackId, Trace};
use rustc_hash::{FxHashMap, FxHashSet};
use std::io::{self, Write};

/// Room for the bytes of an image.
const IMAGE_BYTES: u64 = 1 << 40;
/// Where the kernel's half of all addresses begins.
const KERNEL: u64 = 1 << 63;

/// Where the addresses of an image begin.
const fn base(image: ImageId) -> u64 {
    mapping_of(image).wrapping_mul(IMAGE_BYTES)
}

/// Number of the kernel's mapping; 0 stands for none. Numbers are small, for readers count on from the
/// largest.
const KERNEL_MAPPING: u64 = 1;

/// Number of an image's mapping.
const fn mapping_of(image: ImageId) -> u64 {
    image.0 as u64 + 2
}

/// Number of the location that stands for a stack without frames.
const NO_STACK: u64 = 1;

/// Number of a frame's location.
const fn location_of(frame: FrameId) -> u64 {
    frame.0 as u64 + 2
}

/// The locations of a stack, innermost first; at least one.
pub(super) fn of_stack(trace: &Trace, stack: StackId) -> Vec<u64> {
    match stack {
        StackId::EMPTY => vec![NO_STACK],
        _ => trace.stacks.frames(stack).map(location_of).collect(),
    }
}

/// Number of the location of a watched function: behind those of all frames.
pub(super) fn of_probe(trace: &Trace, probe: ProbeId) -> u64 {
    trace.frames.len() as u64 + 2 + u64::from(probe.0)
}

/// Writes what stacks that are used refer to, and what probes do, by their number.
pub(super) fn write(
    trace: &Trace,
    used: &UsedStacks,
    probes: &[bool],
    parts: &mut Parts<impl Write>,
) -> io::Result<()> {
    let mut writer = PlaceWriter {
        trace,
        locations: vec![false; trace.frames.len()],
        mappings: FxHashSet::default(),
        functions: FxHashMap::default(),
        parts,
    };
    writer.no_stack()?;
    let mut nodes = used.nodes(trace);
    nodes.try_for_each(|(_, _, frame)| writer.frame(frame))?;
    let probes = trace.probes.iter().zip(probes);
    let mut probes = probes.filter(|(_, used)| **used);
    probes.try_for_each(|(probe, _)| writer.probe(probe))
}

struct PlaceWriter<'a, W: Write> {
    trace: &'a Trace,
    /// Which frames have been written.
    locations: Vec<bool>,
    mappings: FxHashSet<u64>,
    /// By the positions of name and file.
    functions: FxHashMap<(i64, i64), u64>,
    parts: &'a mut Parts<W>,
}

impl<W: Write> PlaceWriter<'_, W> {
    fn frame(&mut self, id: FrameId) -> io::Result<()> {
        let Some(frame) = self.trace.frames.get(id.index()) else {
            return Ok(());
        };
        if std::mem::replace(&mut self.locations[id.index()], true) {
            return Ok(());
        }
        let (mapping_id, address) = match frame.place {
            FramePlace::Image(image, offset) => {
                self.image(image)?;
                let offset = frame.role.lookup(offset.0).min(IMAGE_BYTES - 1);
                (mapping_of(image), base(image).saturating_add(offset))
            }
            FramePlace::Kernel(address) => {
                self.kernel()?;
                (KERNEL_MAPPING, frame.role.lookup(address.0))
            }
            FramePlace::Unmapped(address) => (0, frame.role.lookup(address.0)),
            FramePlace::Truncated => (0, 0),
        };
        let rows = frames::rows(self.trace, id);
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            let file = row.function.map(|function| function.file);
            let file = self.trace.text(file.unwrap_or_default());
            lines.push(Line {
                function_id: self.function(&text(row.name), &file)?,
                line: row.line.into(),
            });
        }
        self.parts.put(&Profile {
            location: vec![Location {
                id: location_of(id),
                mapping_id,
                address,
                line: lines,
            }],
            ..Profile::default()
        })
    }

    fn probe(&mut self, probe: &Probe) -> io::Result<()> {
        self.image(probe.image)?;
        let (name, file) = (self.trace.text(probe.function), self.trace.text(probe.file));
        let line = Line {
            function_id: self.function(&name, &file)?,
            line: 0,
        };
        let offset = probe.entry.0.min(IMAGE_BYTES - 1);
        self.parts.put(&Profile {
            location: vec![Location {
                id: of_probe(self.trace, probe.id),
                mapping_id: mapping_of(probe.image),
                address: base(probe.image).saturating_add(offset),
                line: vec![line],
            }],
            ..Profile::default()
        })
    }

    fn no_stack(&mut self) -> io::Result<()> {
        let line = Line {
            function_id: self.function("[no stack]", "")?,
            line: 0,
        };
        self.parts.put(&Profile {
            location: vec![Location {
                id: NO_STACK,
                line: vec![line],
                ..Location::default()
            }],
            ..Profile::default()
        })
    }

    /// The number of a function, which is written when it is first asked for.
    fn function(&mut self, name: &str, file: &str) -> io::Result<u64> {
        let (name, filename) = (self.parts.text(name)?, self.parts.text(file)?);
        let next = self.functions.len() as u64 + 1;
        let id = *self.functions.entry((name, filename)).or_insert(next);
        if id == next {
            self.parts.put(&Profile {
                function: vec![Function {
                    id,
                    name,
                    system_name: name,
                    filename,
                }],
                ..Profile::default()
            })?;
        }
        Ok(id)
    }

    fn image(&mut self, id: ImageId) -> io::Result<()> {
        let Some(image) = self.trace.images.get(id.index()) else {
            return Ok(());
        };
        if !self.mappings.insert(mapping_of(id)) {
            return Ok(());
        }
        let filename = self.parts.text(&self.trace.text(image.path))?;
        let build_id = self.parts.text(&hex(&image.build_id))?;
        self.mapping(Mapping {
            id: mapping_of(id),
            memory_start: base(id),
            memory_limit: base(id).saturating_add(IMAGE_BYTES),
            filename,
            build_id,
            ..Mapping::default()
        })
    }

    fn kernel(&mut self) -> io::Result<()> {
        if !self.mappings.insert(KERNEL_MAPPING) {
            return Ok(());
        }
        let filename = self.parts.text("[kernel]")?;
        self.mapping(Mapping {
            id: KERNEL_MAPPING,
            memory_start: KERNEL,
            memory_limit: u64::MAX,
            filename,
            ..Mapping::default()
        })
    }

    /// Writes a mapping, of which readers need not look for names.
    fn mapping(&mut self, mapping: Mapping) -> io::Result<()> {
        self.parts.put(&Profile {
            mapping: vec![Mapping {
                has_functions: true,
                has_filenames: true,
                has_line_numbers: true,
                has_inline_frames: true,
                ..mapping
            }],
            ..Profile::default()
        })
    }
}
