//! One executable or library in, the names at its addresses out.
//!
//! Go's own table comes first: it knows inlined calls, and stripped files have it. What it does
//! not cover is C: DWARF names inlined calls, files and lines, symbol tables name functions.

use super::executable::Executable;
use super::functions::Functions;
use super::mapped::Contents;
use super::shared_cache::{self, SharedCache};
use super::{debug_file, vdso};
use crate::binary::dwarf::{DebugSections, Dwarf};
use crate::binary::elf::Elf;
use crate::binary::go::Pclntab;
use crate::binary::macho::Slices;
use crate::binary::{FileOffset, Svma};
use crate::trace::{Arch, FrameId, ImageKind, Unnamed};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

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
    /// The instruction is the call before a return address.
    pub(super) returns: bool,
}

/// An image, as far as names need it.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    pub(super) path: Vec<u8>,
    /// Its build id (the linker's or else Go's) or UUID when it was mapped; empty when it had none.
    pub(super) build_id: Vec<u8>,
    /// The architecture that it is for, or else that of the program that mapped it.
    pub(super) arch: Arch,
    pub(super) kind: ImageKind,
    /// The file itself, where it may be gone from its path.
    pub(super) held: Option<&'a File>,
    /// When it was first mapped, in nanoseconds since 1970-01-01 UTC.
    pub(super) mapped_unix_ns: Option<u64>,
    /// The recording has just ended: this is its machine, and its kernel.
    pub(super) at_once: bool,
}

/// The files that know an image's names.
#[derive(Debug)]
pub(super) struct ImageFile<'s> {
    source: &'s Source<'s>,
    code: Code,
    /// What `strip` took out of it, where a package of debug symbols is installed, or what `dsymutil`
    /// gathered.
    debug: Option<Contents>,
}

/// Where the code of an image is.
#[derive(Debug)]
enum Code {
    File(Contents),
    Cache(SharedCache),
}

impl<'s> ImageFile<'s> {
    /// Opens an image: the file that was held open since it was mapped, else what is at its path.
    pub(super) fn open(source: &'s Source<'s>) -> Result<Self, Unnamed> {
        let (code, debug) = match source.kind {
            ImageKind::File => match contents(source) {
                Ok(file) => {
                    let path = Path::new(OsStr::from_bytes(&source.path));
                    let debug = debug_file(&file, path).map(|(_, debug)| debug);
                    (Code::File(file), debug)
                }
                Err(Unnamed::FileGone) if shared_cache::may_hold(&source.path) => {
                    let cache = shared_cache::find(&source.path, &source.build_id);
                    (Code::Cache(cache.ok_or(Unnamed::SharedCache)?), None)
                }
                Err(why) => return Err(why),
            },
            ImageKind::Kernel if source.at_once && source.path == b"[vdso]" => {
                let bytes = vdso::read().map_err(|_error| Unnamed::Kernel)?;
                (Code::File(Contents::Copied(bytes)), None)
            }
            ImageKind::Kernel => return Err(Unnamed::Kernel),
            // A translator's code is named after the program that it was made from.
            ImageKind::Anonymous if !source.path.is_empty() => return Err(Unnamed::Translated),
            ImageKind::Anonymous => return Err(Unnamed::Jit),
        };
        Ok(Self {
            source,
            code,
            debug,
        })
    }

    fn executable(&self) -> Result<Executable<'_>, Unnamed> {
        let Source {
            path,
            build_id,
            arch,
            ..
        } = self.source;
        match &self.code {
            Code::File(file) => Executable::of(file, build_id, *arch),
            Code::Cache(cache) => {
                let library = cache.library(path, build_id);
                library
                    .map(Executable::of_slice)
                    .ok_or(Unnamed::SharedCache)
            }
        }
    }

    /// Gives each frame its names, or the reason why it has none.
    pub(super) fn name<E>(
        &self,
        frames: &[Asked],
        mut give: impl FnMut(FrameId, Result<&[Named<'_>], Unnamed>) -> Result<(), E>,
    ) -> Result<(), E> {
        let image = match self.executable() {
            Ok(image) => image,
            Err(why) => {
                let mut frames = frames.iter();
                return frames.try_for_each(|asked| give(asked.frame, Err(why)));
            }
        };
        let go = image.pclntab();
        let mut rest = Vec::new();
        for asked in frames {
            let Some(address) = image.memory().address_of(asked.offset) else {
                give(asked.frame, Err(Unnamed::NoSymbol))?;
                continue;
            };
            match go
                .as_ref()
                .and_then(|go| go_names(go, address, asked.returns))
            {
                Some(names) => give(asked.frame, Ok(&names))?,
                None => rest.push((asked.frame, address)),
            }
        }
        if rest.is_empty() {
            return Ok(());
        }
        self.name_c(&image, go.is_some(), &rest, give)
    }

    /// As [`Self::name`], for what Go's table does not cover.
    fn name_c<E>(
        &self,
        image: &Executable<'_>,
        is_go: bool,
        frames: &[(FrameId, Svma)],
        mut give: impl FnMut(FrameId, Result<&[Named<'_>], Unnamed>) -> Result<(), E>,
    ) -> Result<(), E> {
        let debug = self.debug.as_deref().and_then(|file| image.debug(file));
        let mut functions = Functions::default();
        image.add_functions(&mut functions);
        if let Some(debug) = &debug {
            debug.add_functions(&mut functions);
        }
        functions.sort();
        let data = debug.as_ref().map_or(image.data, |debug| debug.data);
        let sections = DebugSections::of(data).unwrap_or_default();
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

/// Maps the file of an image: the one that was held open since it was mapped, else what is at its
/// path, if that is still the same.
pub(super) fn contents(source: &Source<'_>) -> Result<Contents, Unnamed> {
    let opened;
    let file = match source.held {
        Some(file) => file,
        None => {
            let path = Path::new(OsStr::from_bytes(&source.path));
            opened = regular(path).ok_or(Unnamed::FileGone)?;
            // Without a build id only time can tell, and only where it ran.
            let sure = source.at_once && !is_newer(&opened, source.mapped_unix_ns);
            if source.build_id.is_empty() && !sure {
                return Err(Unnamed::FileChanged);
            }
            &opened
        }
    };
    let file = Contents::map(file).map_err(|_error| Unnamed::FileGone)?;
    if source.build_id.is_empty() || is_build(&file, &source.build_id) {
        Ok(file)
    } else {
        Err(Unnamed::FileChanged)
    }
}

/// Whether a file has a build id: the linker's, Go's, or the UUID of one of its slices. What has
/// none that can be read is taken for what it was.
fn is_build(file: &[u8], id: &[u8]) -> bool {
    if let Ok(elf) = Elf::parse(file) {
        return [elf.build_id(), elf.go_build_id()].contains(&Some(id));
    }
    Slices::of(file).map_or(true, |slices| slices.with_uuid(id).is_some())
}

/// Opens a file, and nothing else: to open a pipe is to wait for its other end.
fn regular(path: &Path) -> Option<File> {
    let is_file = std::fs::metadata(path).is_ok_and(|about| about.is_file());
    is_file.then(|| File::open(path).ok())?
}

/// Whether a file was written to after it was mapped.
fn is_newer(file: &File, mapped_unix_ns: Option<u64>) -> bool {
    let written = file.metadata().and_then(|about| about.modified()).ok();
    let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    match (written, mapped_unix_ns) {
        (Some(written), Some(mapped)) => written.as_nanos() > u128::from(mapped),
        _ => false,
    }
}

/// Names by Go's table.
///
/// A goroutine that is about to run for the first time was not called from anywhere: where it
/// will go on is the very beginning of its function. No return address is one, for Go's compiler
/// lets no call end a function.
fn go_names<'a>(go: &Pclntab<'a>, address: Svma, returns: bool) -> Option<Vec<Named<'a>>> {
    let begins = |after: &Svma| {
        let function = go.find(*after).ok().flatten();
        function.is_some_and(|function| function.entry() == *after)
    };
    let after = address.0.checked_add(1).map(Svma).filter(|_| returns);
    let address = after.filter(begins).unwrap_or(address);
    let function = go.find(address).ok()??;
    let lines = function.lines(address).ok()?;
    let names = lines.iter().map(|line| Named {
        function: crate::binary::go::display_name(line.function),
        file: Cow::Borrowed(line.file),
        line: line.line,
    });
    Some(names.collect())
}

fn c_names<'f>(
    dwarf: Option<&Dwarf<'_>>,
    functions: &'f Functions<'_>,
    address: Svma,
) -> Vec<Named<'f>> {
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
