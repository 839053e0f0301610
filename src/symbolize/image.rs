//! One executable or library in, the names at its addresses out.
//!
//! Go's own table comes first: it knows inlined calls, and stripped files have it. What it does
//! not cover is C: DWARF names inlined calls, files and lines, symbol tables name functions.

use super::functions::Functions;
use super::mapped::Mapped;
use crate::binary::dwarf::{DebugSections, Dwarf};
use crate::binary::elf::Elf;
use crate::binary::go::Pclntab;
use crate::binary::{FileOffset, Svma};
use crate::trace::{FrameId, Unnamed};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// One function at one line, the innermost inlined one first in a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) function: Cow<'a, [u8]>,
    pub(super) file: Cow<'a, [u8]>,
    pub(super) line: u32,
}

/// A frame, and the file offset of an instruction in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) frame: FrameId,
    pub(super) offset: FileOffset,
}

/// The files that know an image's names.
#[derive(Debug)]
pub(super) struct ImageFile {
    file: Mapped,
    /// What `strip` took out of it, where a package of debug symbols is installed.
    debug: Option<Mapped>,
}

impl ImageFile {
    /// Opens an image: the file that was held open since it was mapped, else what is at its path.
    pub(super) fn open(held: Option<&File>, path: &[u8], build_id: &[u8]) -> Result<Self, Unnamed> {
        let file = match held {
            Some(file) => Mapped::of(file),
            None => File::open(Path::new(OsStr::from_bytes(path))).and_then(|f| Mapped::of(&f)),
        };
        let file = file.map_err(|_error| Unnamed::FileGone)?;
        let elf = Elf::parse(&file).map_err(|_error| Unnamed::BadFile)?;
        let found = elf.build_id().unwrap_or_default();
        if !build_id.is_empty() && build_id != found {
            return Err(Unnamed::FileChanged);
        }
        let debug = debug_path(found)
            .and_then(|path| File::open(path).ok())
            .and_then(|file| Mapped::of(&file).ok());
        Ok(Self { file, debug })
    }

    /// Gives each frame its names, or the reason why it has none.
    pub(super) fn name<E>(
        &self,
        frames: &[Asked],
        mut give: impl FnMut(FrameId, Result<&[Named<'_>], Unnamed>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Ok(elf) = Elf::parse(&self.file) else {
            return frames
                .iter()
                .try_for_each(|asked| give(asked.frame, Err(Unnamed::BadFile)));
        };
        let go = Pclntab::of(&elf).ok();
        let mut rest = Vec::new();
        for asked in frames {
            let Some(address) = elf.memory().address_of(asked.offset) else {
                give(asked.frame, Err(Unnamed::NoSymbol))?;
                continue;
            };
            match go.as_ref().and_then(|go| go_names(go, address)) {
                Some(names) => give(asked.frame, Ok(&names))?,
                None => rest.push((asked.frame, address)),
            }
        }
        if rest.is_empty() {
            return Ok(());
        }
        self.name_c(&elf, go.is_some(), &rest, give)
    }

    /// As [`Self::name`], for what Go's table does not cover.
    fn name_c<E>(
        &self,
        elf: &Elf<'_>,
        is_go: bool,
        frames: &[(FrameId, Svma)],
        mut give: impl FnMut(FrameId, Result<&[Named<'_>], Unnamed>) -> Result<(), E>,
    ) -> Result<(), E> {
        let debug = self.debug.as_deref();
        let mut functions = Functions::default();
        functions.add(elf);
        if let Some(debug) = debug.and_then(|data| Elf::parse(data).ok()) {
            functions.add(&debug);
        }
        functions.sort();
        let sections = DebugSections::of(debug.unwrap_or(&self.file)).unwrap_or_default();
        let dwarf = sections.dwarf().ok();
        let nameless = if functions.is_empty() && !is_go {
            Unnamed::Stripped
        } else {
            Unnamed::NoSymbol
        };
        for &(frame, address) in frames {
            let names = c_names(dwarf.as_ref(), &functions, address);
            if names.is_empty() {
                give(frame, Err(nameless))?;
            } else {
                give(frame, Ok(&names))?;
            }
        }
        Ok(())
    }
}

/// Where Debian, Fedora and others put what they strip: `/usr/lib/debug/.build-id/ab/cdef.debug`.
fn debug_path(build_id: &[u8]) -> Option<PathBuf> {
    let (first, rest) = build_id.split_first()?;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = format!("/usr/lib/debug/.build-id/{first:02x}/{rest}.debug");
    Some(PathBuf::from(path))
}

fn go_names<'a>(go: &Pclntab<'a>, address: Svma) -> Option<Vec<Named<'a>>> {
    let function = go.find(address).ok()??;
    let lines = function.lines(address).ok()?;
    let names = lines.iter().map(|line| Named {
        function: crate::binary::go::display_name(line.function),
        file: Cow::Borrowed(line.file),
        line: line.line,
    });
    Some(names.collect())
}

fn c_names<'a>(
    dwarf: Option<&Dwarf<'_>>,
    functions: &Functions<'a>,
    address: Svma,
) -> Vec<Named<'a>> {
    let symbol = functions.covering(address);
    let lines = dwarf.and_then(|dwarf| dwarf.lines(address).ok());
    let lines = lines.unwrap_or_default();
    if let Some(last) = lines.len().checked_sub(1) {
        let known = |line: &&crate::binary::dwarf::Line| !line.function.is_empty();
        if symbol.is_some() || lines.iter().all(|line| known(&line)) {
            let name = |(index, line): (usize, crate::binary::dwarf::Line)| Named {
                // Code written in assembly has lines, but no functions in its DWARF.
                function: match symbol {
                    Some(symbol) if index == last && line.function.is_empty() => symbol.into(),
                    _ => line.function.into(),
                },
                file: line.file.into(),
                line: line.line,
            };
            return lines.into_iter().enumerate().map(name).collect();
        }
    }
    let only = symbol.map(|symbol| Named {
        function: symbol.into(),
        file: Cow::Borrowed(&[]),
        line: 0,
    });
    only.into_iter().collect()
}
