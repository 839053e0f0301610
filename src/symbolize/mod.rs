//! Addresses and binaries in, names out; each address without a name carries its reason.
//!
//! [`name_frames`] runs once, when a command has ended: the names that occur are then stored in
//! its trace, and the binaries are needed no more. [`fill`] does the same in memory for a trace
//! whose recorder was killed before it could.

mod debug_file;
mod executable;
mod functions;
mod image;
mod mapped;
mod needs;
mod shared_cache;
mod vdso;

pub use debug_file::debug_file;
pub use mapped::Contents;

use crate::binary::FileOffset;
use crate::trace::file::{self, Writer};
use crate::trace::{
    Frame, FrameId, FramePlace, FrameRole, FrameSymbol, Function, FunctionId, ImageId, Location,
    MadeFrom, Nanos, Record, StringId, Trace, Unnamed,
};
use image::{Asked, ImageFile, Named, Source};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::convert::Infallible;
use std::fs::File;

/// Where names go.
trait Names {
    type Error;
    fn function(&mut self, name: &[u8], file: &[u8]) -> FunctionId;
    fn symbol(&mut self, symbol: FrameSymbol) -> Result<(), Self::Error>;
}

/// Names every frame that a recording met. `held` has files that may be gone from their paths,
/// `origins` what code was made from while programs ran.
///
/// # Errors
///
/// When the trace file cannot be written. A file that cannot be read is no error: its frames say
/// so.
pub fn name_frames(
    writer: &mut Writer,
    held: &[(ImageId, File)],
    origins: &[(FrameId, MadeFrom)],
) -> Result<(), file::Error> {
    let sources = recorded(writer, held, true);
    let mut frames: FxHashMap<FrameId, Frame> =
        (0..).map(FrameId).zip(writer.frames().to_vec()).collect();
    for (frame, from) in origins {
        match from {
            MadeFrom::Code(place) => {
                let (place, role) = (*place, FrameRole::Executing);
                frames.insert(*frame, Frame { place, role });
            }
            MadeFrom::Function(name) => {
                frames.remove(frame);
                let only = Named {
                    function: name.into(),
                    file: Cow::Borrowed(&[]),
                    line: 0,
                };
                named(writer, *frame, &[only])?;
            }
        }
    }
    name_all(frames.into_iter(), &sources, writer)
}

/// Names every frame of a recording that was imported, by the files of this machine: those that have
/// the build ids of its images. Where one is gone or another one, its frames say so.
///
/// # Errors
///
/// When the trace file cannot be written.
pub fn name_imported(writer: &mut Writer) -> Result<(), file::Error> {
    let sources = recorded(writer, &[], false);
    let frames = (0..).map(FrameId).zip(writer.frames().to_vec());
    name_all(frames, &sources, writer)
}

/// Stores what the files of images ask of the dynamic loader: their segments, and, where loads were
/// recorded, what they import. `held` is as for [`name_frames`].
///
/// # Errors
///
/// When the trace file cannot be written. A file that cannot be read is no error: its record says
/// why.
pub fn gather_needs(writer: &mut Writer, held: &[(ImageId, File)]) -> Result<(), file::Error> {
    let files = needs::files(recorded(writer, held, true));
    let imports = writer.has_loads();
    let needs = needs::gather(&files, imports, &mut |bytes| writer.string(bytes));
    let mut needs = needs.into_iter();
    needs.try_for_each(|needs| writer.record(Record::ImageNeeds(needs)))
}

/// The images of a recording; `at_once`: it has just ended, and on this machine.
fn recorded<'f>(writer: &Writer, held: &'f [(ImageId, File)], at_once: bool) -> Vec<Source<'f>> {
    let held: FxHashMap<ImageId, &File> = held.iter().map(|(id, file)| (*id, file)).collect();
    let ids = (0..).map(ImageId).zip(writer.images());
    let sources = ids.map(|(id, image)| Source {
        path: writer.image_path(id).to_vec(),
        build_id: image.build_id.clone(),
        arch: image.arch.or(writer.first_mapped_by(id)),
        kind: image.kind,
        held: held.get(&id).copied(),
        mapped_unix_ns: writer.first_mapped_unix_ns(id),
        at_once,
    });
    sources.collect()
}

/// Names the frames of a trace that have not been looked up, and reads what images ask of the
/// dynamic loader where that is missing, from the files of this machine.
pub fn fill(trace: &mut Trace) {
    let mut mapped: FxHashMap<ImageId, Nanos> = FxHashMap::default();
    for mapping in &trace.mappings {
        let first = mapped.entry(mapping.image).or_insert(mapping.time);
        *first = mapping.time.min(*first);
    }
    let ids = (0..).map(ImageId).zip(&trace.images);
    let sources = ids.map(|(id, image)| Source {
        path: trace.strings.get(image.path).to_vec(),
        build_id: image.build_id.clone(),
        // Asked for where there is no build id: then nothing is read on another day.
        arch: image.arch,
        kind: image.kind,
        held: None,
        mapped_unix_ns: mapped.get(&id).map(|time| trace.anchor.unix_ns(*time)),
        at_once: false,
    });
    let sources: Vec<Source<'_>> = sources.collect();
    if trace.needs.is_empty() {
        fill_needs(trace, &sources);
    }
    trace
        .symbols
        .resize(trace.frames.len(), Err(Unnamed::NotLookedUp));
    let frames = (0..).map(FrameId).zip(trace.frames.clone());
    let unnamed = frames.zip(trace.symbols.clone());
    let wanted = unnamed.filter(|(_, symbol)| *symbol == Err(Unnamed::NotLookedUp));
    let mut names = InMemory {
        functions: FxHashMap::default(),
        trace,
    };
    match name_all(wanted.map(|(frame, _)| frame), &sources, &mut names) {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

/// As [`gather_needs`], in memory.
fn fill_needs(trace: &mut Trace, sources: &[Source<'_>]) {
    let files = needs::files(sources.iter().cloned());
    let strings = &mut trace.strings;
    let mut known: FxHashMap<Vec<u8>, StringId> = FxHashMap::default();
    for id in (0..strings.len()).filter_map(|index| u32::try_from(index).ok()) {
        known.insert(strings.get(StringId(id)).to_vec(), StringId(id));
    }
    let mut intern = |bytes: &[u8]| {
        let known = known.entry(bytes.to_vec());
        *known.or_insert_with_key(|bytes| strings.push(bytes))
    };
    trace.needs = needs::gather(&files, !trace.loads.is_empty(), &mut intern);
}

/// Names frames image by image, so that one file at a time is mapped, in the order of addresses,
/// so that its tables are read from front to back.
fn name_all<N: Names>(
    frames: impl Iterator<Item = (FrameId, Frame)>,
    sources: &[Source<'_>],
    names: &mut N,
) -> Result<(), N::Error> {
    let mut asked: Vec<(ImageId, Asked)> = Vec::new();
    for (frame, Frame { place, role }) in frames {
        match place {
            FramePlace::Image(image, offset) => {
                let offset = FileOffset(role.lookup(offset.0));
                let returns = role == FrameRole::Return;
                let frame = Asked {
                    frame,
                    offset,
                    returns,
                };
                asked.push((image, frame));
            }
            FramePlace::Unmapped(_) => unnamed(names, frame, Unnamed::Unmapped)?,
            FramePlace::Kernel(_) => unnamed(names, frame, Unnamed::Kernel)?,
            FramePlace::Truncated => unnamed(names, frame, Unnamed::Truncated)?,
        }
    }
    asked.sort_unstable_by_key(|(image, asked)| (*image, asked.offset, asked.frame));
    for group in asked.chunk_by(|(one, _), (other, _)| one == other) {
        let frames: Vec<Asked> = group.iter().map(|(_, asked)| *asked).collect();
        let source = group.first().and_then(|(id, _)| sources.get(id.index()));
        match source.map_or(Err(Unnamed::Unmapped), ImageFile::open) {
            Ok(file) => file.name(&frames, |frame, found| match found {
                Ok(found) => named(names, frame, found),
                Err(why) => unnamed(names, frame, why),
            })?,
            Err(why) => frames
                .iter()
                .try_for_each(|asked| unnamed(names, asked.frame, why))?,
        }
    }
    Ok(())
}

fn named<N: Names>(names: &mut N, frame: FrameId, found: &[Named<'_>]) -> Result<(), N::Error> {
    let locations = found.iter().map(|named| Location {
        function: names.function(&named.function, &named.file),
        line: named.line,
    });
    let locations = locations.collect();
    names.symbol(FrameSymbol {
        frame,
        names: Ok(locations),
    })
}

fn unnamed<N: Names>(names: &mut N, frame: FrameId, why: Unnamed) -> Result<(), N::Error> {
    names.symbol(FrameSymbol {
        frame,
        names: Err(why),
    })
}

impl Names for Writer {
    type Error = file::Error;

    fn function(&mut self, name: &[u8], file: &[u8]) -> FunctionId {
        let name = self.string(name);
        let file = self.string(file);
        Self::function(self, Function { name, file })
    }

    fn symbol(&mut self, symbol: FrameSymbol) -> Result<(), file::Error> {
        Self::symbol(self, symbol)
    }
}

/// A trace that is given names in memory.
struct InMemory<'a> {
    functions: FxHashMap<(Vec<u8>, Vec<u8>), FunctionId>,
    trace: &'a mut Trace,
}

impl Names for InMemory<'_> {
    type Error = Infallible;

    fn function(&mut self, name: &[u8], file: &[u8]) -> FunctionId {
        let trace = &mut *self.trace;
        *self
            .functions
            .entry((name.to_vec(), file.to_vec()))
            .or_insert_with(|| {
                let id = FunctionId(u32::try_from(trace.functions.len()).unwrap_or(u32::MAX));
                let function = Function {
                    name: trace.strings.push(name),
                    file: trace.strings.push(file),
                };
                trace.functions.push(function);
                id
            })
    }

    fn symbol(&mut self, symbol: FrameSymbol) -> Result<(), Infallible> {
        if let Some(names) = self.trace.symbols.get_mut(symbol.frame.index()) {
            *names = symbol.names;
        }
        Ok(())
    }
}
