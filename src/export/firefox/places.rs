//! Stacks that are used in; tables of stacks, frames, functions, sources and texts out, which all
//! threads share.

use super::categories::Category;
use super::{put_all, put_column};
use crate::export::frames;
use crate::export::stacks::UsedStacks;
use crate::export::text::{hex, text};
use crate::trace::{Frame, FrameId, FramePlace, Image, StackId, Trace};
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use serde::Serialize;
use std::io::{self, Write};

/// Texts, each once, by their position.
#[derive(Default)]
pub(super) struct Strings(IndexSet<String, FxBuildHasher>);

impl Strings {
    /// The position of a text.
    pub(super) fn position(&mut self, text: &str) -> usize {
        match self.0.get_index_of(text) {
            Some(position) => position,
            None => self.0.insert_full(text.to_owned()).0,
        }
    }
}

/// A row of the table of frames.
struct FrameRow {
    /// In its image's file; of others −1.
    address: i128,
    /// 0 the outermost function of an address.
    inline_depth: usize,
    category: Category,
    function: usize,
    line: Option<u32>,
}

/// A row of the table of functions: name, image, and position of its file in the sources.
type Function = (usize, Option<u32>, Option<usize>);

/// What all threads share.
pub(super) struct Places<'t> {
    trace: &'t Trace,
    pub(super) strings: Strings,
    /// Rows of a frame stand together, innermost first.
    frames: Vec<FrameRow>,
    /// First row of each frame, and how many it has; none of those that are not used.
    rows_of: Vec<(usize, usize)>,
    /// Position of the innermost row of each stack in the table of stacks.
    stacks: Vec<Option<usize>>,
    functions: IndexSet<Function, FxBuildHasher>,
    /// Source files, by the position of their name.
    sources: IndexSet<usize, FxBuildHasher>,
}

impl<'t> Places<'t> {
    /// Of the stacks that are used.
    pub(super) fn of(trace: &'t Trace, used: &UsedStacks) -> Self {
        let mut places = Self {
            trace,
            strings: Strings::default(),
            frames: Vec::new(),
            rows_of: vec![(0, 0); trace.frames.len()],
            stacks: vec![None; trace.stacks.len()],
            functions: IndexSet::default(),
            sources: IndexSet::default(),
        };
        let mut rows = 0;
        for (stack, _, frame) in used.nodes(trace) {
            rows += places.add(frame);
            if let Some(position) = places.stacks.get_mut(stack.index()) {
                *position = rows.checked_sub(1);
            }
        }
        places
    }

    /// Adds a frame that is not known yet; returns how many rows it has.
    fn add(&mut self, id: FrameId) -> usize {
        let (Some(frame), Some(&(_, known))) = (
            self.trace.frames.get(id.index()),
            self.rows_of.get(id.index()),
        ) else {
            return 0;
        };
        if known > 0 {
            return known;
        }
        let rows = frames::rows(self.trace, id);
        let (first, count) = (self.frames.len(), rows.len());
        self.rows_of[id.index()] = (first, count);
        for (position, row) in rows.into_iter().enumerate() {
            let category = Category::of(self.trace, *frame, &row);
            let file = row.function.map(|function| self.trace.text(function.file));
            let source = file.filter(|file| !file.is_empty()).map(|file| {
                let name = self.strings.position(&file);
                self.sources.insert_full(name).0
            });
            let name = self.strings.position(&text(row.name));
            let function = (name, image_of(*frame), source);
            self.frames.push(FrameRow {
                address: address_of(*frame),
                inline_depth: count - 1 - position,
                category,
                function: self.functions.insert_full(function).0,
                line: (row.line > 0).then_some(row.line),
            });
        }
        count
    }

    /// The position of a stack in the table of stacks; none of an empty one.
    pub(super) fn stack(&self, stack: StackId) -> Option<usize> {
        self.stacks.get(stack.index()).copied().flatten()
    }

    /// Writes the list of images.
    pub(super) fn write_images(&self, out: &mut impl Write) -> io::Result<()> {
        put_all(
            self.trace
                .images
                .iter()
                .map(|image| Lib::of(self.trace, image)),
            out,
        )
    }

    /// Writes the tables.
    pub(super) fn write(&mut self, used: &UsedStacks, out: &mut impl Write) -> io::Result<()> {
        self.write_stacks(used, out)?;
        self.write_frames(out)?;
        self.write_functions(out)?;
        out.write_all(b"\n\"nativeSymbols\":{\"libIndex\":[],\"address\":[],\"name\":[],\"functionSize\":[],\"length\":0},")?;
        out.write_all(b"\n\"sources\":{")?;
        put_column("uuid", self.sources.iter().map(|_| ()), out)?;
        put_column("filename", &self.sources, out)?;
        write!(
            out,
            "\"length\":{}}},\n\"stringArray\":[",
            self.sources.len()
        )?;
        put_all(&self.strings.0, out)?;
        out.write_all(b"]")
    }

    fn write_stacks(&self, used: &UsedStacks, out: &mut impl Write) -> io::Result<()> {
        // Of a stack's rows the outermost stands first.
        let rows = || {
            used.nodes(self.trace).flat_map(|(stack, callers, frame)| {
                let &(first, count) = self.rows_of.get(frame.index()).unwrap_or(&(0, 0));
                let last = self.stack(stack).unwrap_or_default();
                (0..count).rev().map(move |row| {
                    let above = if row + 1 == count {
                        self.stack(callers)
                    } else {
                        (last - row).checked_sub(1)
                    };
                    (first + row, above)
                })
            })
        };
        out.write_all(b"\n\"stackTable\":{")?;
        put_column("frame", rows().map(|(frame, _)| frame), out)?;
        put_column("prefix", rows().map(|(_, prefix)| prefix), out)?;
        write!(out, "\"length\":{}}},", rows().count())
    }

    fn write_frames(&self, out: &mut impl Write) -> io::Result<()> {
        let frames = &self.frames;
        let none = || frames.iter().map(|_| ());
        out.write_all(b"\n\"frameTable\":{")?;
        put_column("address", frames.iter().map(|frame| frame.address), out)?;
        put_column(
            "inlineDepth",
            frames.iter().map(|frame| frame.inline_depth),
            out,
        )?;
        put_column(
            "category",
            frames.iter().map(|frame| frame.category as u8),
            out,
        )?;
        put_column("subcategory", frames.iter().map(|_| 0), out)?;
        put_column("func", frames.iter().map(|frame| frame.function), out)?;
        put_column("nativeSymbol", none(), out)?;
        put_column("innerWindowID", none(), out)?;
        put_column("line", frames.iter().map(|frame| frame.line), out)?;
        put_column("column", none(), out)?;
        write!(out, "\"length\":{}}},", frames.len())
    }

    /// Functions, and the images that they are in.
    fn write_functions(&mut self, out: &mut impl Write) -> io::Result<()> {
        let images: IndexSet<u32, FxBuildHasher> = self
            .functions
            .iter()
            .filter_map(|&(_, image, _)| image)
            .collect();
        let resource =
            |image: Option<u32>| match image.and_then(|image| images.get_index_of(&image)) {
                Some(position) => i128::from(position as u64),
                None => -1,
            };
        let functions = &self.functions;
        let none = || functions.iter().map(|_| ());
        out.write_all(b"\n\"funcTable\":{")?;
        put_column("name", functions.iter().map(|&(name, _, _)| name), out)?;
        put_column("isJS", functions.iter().map(|_| false), out)?;
        put_column("relevantForJS", functions.iter().map(|_| false), out)?;
        put_column(
            "resource",
            functions.iter().map(|&(_, image, _)| resource(image)),
            out,
        )?;
        put_column(
            "source",
            functions.iter().map(|&(_, _, source)| source),
            out,
        )?;
        put_column("lineNumber", none(), out)?;
        put_column("columnNumber", none(), out)?;
        write!(out, "\"length\":{}}},", functions.len())?;
        out.write_all(b"\n\"resourceTable\":{")?;
        put_column("type", images.iter().map(|_| LIBRARY), out)?;
        put_column("lib", &images, out)?;
        let names: Vec<_> = images
            .iter()
            .filter_map(|&image| self.trace.images.get(image as usize))
            .map(|image| {
                self.strings
                    .position(file_name(&self.trace.text(image.path)))
            })
            .collect();
        put_column("name", names, out)?;
        put_column("host", images.iter().map(|_| ()), out)?;
        write!(out, "\"length\":{}}},", images.len())
    }
}

/// Kind of a resource.
const LIBRARY: u8 = 1;

fn image_of(frame: Frame) -> Option<u32> {
    match frame.place {
        FramePlace::Image(image, _) => Some(image.0),
        FramePlace::Unmapped(_) | FramePlace::Kernel(_) | FramePlace::Truncated => None,
    }
}

/// Within its instruction, also of a call.
fn address_of(frame: Frame) -> i128 {
    match frame.place {
        FramePlace::Image(_, offset) => frame.role.lookup(offset.0).into(),
        FramePlace::Unmapped(_) | FramePlace::Kernel(_) | FramePlace::Truncated => -1,
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// An image. Names are in the file: nobody is to look them up by its ids.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lib {
    arch: &'static str,
    name: String,
    path: String,
    debug_name: String,
    debug_path: String,
    breakpad_id: String,
    code_id: Option<String>,
}

impl Lib {
    fn of(trace: &Trace, image: &Image) -> Self {
        let path = trace.text(image.path).into_owned();
        let name = file_name(&path).to_owned();
        let id = hex(&image.build_id);
        Self {
            arch: image.arch.name(),
            debug_name: name.clone(),
            name,
            debug_path: path.clone(),
            path,
            breakpad_id: id.to_uppercase(),
            code_id: (!id.is_empty()).then_some(id),
        }
    }
}
