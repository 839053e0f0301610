//! Imports: which symbol of which library is put where.
//!
//! ```text
//! opcode in the upper 4 bits, a small number in the lower 4
//! 0 done   1 library, small   2 library, uleb   3 special library, negative
//! 4 symbol follows; 1: may be missing, 8: not weak   5 type   6 addend, sleb
//! 7 segment, small; offset in it, uleb   8 add to the offset, uleb
//! 9 bind   a bind, add uleb   b bind, add small * 8   c bind uleb times, skipping uleb
//! d 0: a table of uleb imports follows, of which each bind makes one; 1: apply it from here on
//!
//! pointer of a chain that a table is applied to (arm64e before there were tables of chained fixups):
//! bits 0-15 number in the table, 51-61 next pointer, in steps of 8, 0 at the end, 62 import, 63 signed
//! ```
//!
//! A bind moves on by the size of a pointer. In the lazy table each import ends with "done", and
//! none is bound lazily: the dynamic loader of macOS 12 and later binds all when a file is
//! loaded. Source: `<mach-o/loader.h>`, dyld's `MachOAnalyzer.cpp`. Newer files have chains
//! instead, see [`super::chain`]; older ones symbols alone, see [`super::symbol_binding`].

use super::command::{Command, LoaderTables, Table};
use super::cursor::Cursor;
use super::header::MachO;
use crate::binary::{Error, FileOffset, Svma, bytes::Bytes};

const POINTER: u64 = 8;
const IS_IMPORT: u64 = 1 << 62;
const IS_SIGNED: u64 = 1 << 63;

/// Where an import comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The library of this number, counted from 1 in the order of the load commands. It may be
    /// one that there is not.
    Library(u64),
    /// This file.
    Own,
    /// The program that loads it.
    MainProgram,
    /// Whatever loaded file has it first (`-flat_namespace`).
    Any,
    /// Whatever file has it first among those that define it weakly.
    Weak,
    /// A number that means nothing.
    Unknown(i64),
}

impl Provider {
    pub(super) const fn of_special(number: i64) -> Self {
        match number {
            0 => Self::Own,
            -1 => Self::MainProgram,
            -2 => Self::Any,
            -3 => Self::Weak,
            1.. => Self::Library(number.cast_unsigned()),
            _ => Self::Unknown(number),
        }
    }
}

/// How the dynamic loader is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By opcodes.
    Opcodes,
    /// By opcodes, in the table for binding at the first call.
    Lazy,
    /// By opcodes, in the table of symbols that other files may define, too.
    Weak,
    /// By chained fixups.
    Chained,
    /// By the symbol that the table of indirect symbols has for the pointer.
    Indirect,
    /// By a relocation.
    Relocation,
}

/// One place that an import is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// Symbol.
    pub symbol: &'a [u8],
    /// Where it comes from.
    pub provider: Provider,
    /// Number of the segment.
    pub segment: usize,
    /// Offset in the segment.
    pub into: u64,
    /// Its address; `None` where there is no such segment.
    pub slot: Option<Svma>,
    /// What is added.
    pub addend: i64,
    /// It may be missing.
    pub weak_import: bool,
    /// The pointer is signed (arm64e).
    pub signed: bool,
    /// How the dynamic loader is told.
    pub how: How,
    /// Where in the slice that is said: the opcode, the pointer of a chain, the entry of a table.
    pub at: FileOffset,
}

impl<'a> MachO<'a> {
    /// All imports, in the order in which the tables have them.
    ///
    /// # Errors
    ///
    /// When a table reaches beyond the end of the slice or holds what no table can.
    pub fn binds(&self) -> Result<Vec<Bind<'a>>, Error> {
        let mut binds = Vec::new();
        let tables = self.loader_tables();
        for (table, how) in [
            (tables.bind, How::Opcodes),
            (tables.lazy_bind, How::Lazy),
            (tables.weak_bind, How::Weak),
        ] {
            self.opcodes(table, how, &mut binds)
                .map_err(|error| error.further(self.start.0))?;
        }
        binds.extend(self.chained()?.binds);
        if self.is_bound_by_symbols() {
            self.bound_by_symbols(&mut binds)?;
        }
        Ok(binds)
    }

    /// The tables of `LC_DYLD_INFO`, empty where there is none.
    #[must_use]
    pub fn loader_tables(&self) -> LoaderTables {
        let mut tables = self.commands.iter().filter_map(|one| match one.command {
            Command::LoaderTables(tables) => Some(tables),
            _ => None,
        });
        tables.next().unwrap_or_default()
    }

    fn opcodes(&self, table: Table, how: How, binds: &mut Vec<Bind<'a>>) -> Result<(), Error> {
        let what = "bind opcodes";
        let data = Bytes(self.data).slice(what, table.offset, table.size)?;
        let mut run = Run {
            image: self,
            place: table.offset,
            imports: None,
            most: (self.data.len() as u64) / POINTER,
            now: Bind::nothing(how),
            binds,
        };
        let mut cursor = Cursor::new(what, data, 0);
        while !cursor.is_at_end() {
            let step = run.step(&mut cursor);
            match step.map_err(|error| error.further(table.offset))? {
                Step::On => {}
                Step::Chain => run.chain()?,
                Step::End => break,
            }
        }
        Ok(())
    }
}

impl Bind<'_> {
    pub(super) const fn nothing(how: How) -> Self {
        Self {
            symbol: &[],
            provider: match how {
                How::Weak => Provider::Weak,
                _ => Provider::Own,
            },
            segment: 0,
            into: 0,
            slot: None,
            addend: 0,
            weak_import: false,
            signed: false,
            how,
            at: FileOffset(0),
        }
    }
}

/// What comes after an opcode.
enum Step {
    /// The next one.
    On,
    /// A chain of pointers.
    Chain,
    /// Nothing.
    End,
}

/// What opcodes have set so far.
struct Run<'r, 'a> {
    image: &'r MachO<'a>,
    /// Where the table begins in the slice.
    place: u64,
    /// The table of imports that chains of pointers name, where there is one.
    imports: Option<Vec<Bind<'a>>>,
    /// A file has no room for more binds.
    most: u64,
    now: Bind<'a>,
    binds: &'r mut Vec<Bind<'a>>,
}

impl<'a> Run<'_, 'a> {
    /// Takes one opcode.
    fn step(&mut self, cursor: &mut Cursor<'a>) -> Result<Step, Error> {
        let at = cursor.at;
        self.now.at = FileOffset(self.place.saturating_add(at));
        let byte = cursor.u8()?;
        let small = u64::from(byte & 0xf);
        match byte >> 4 {
            0 if self.now.how != How::Lazy => return Ok(Step::End),
            0 => self.now = Bind::nothing(How::Lazy),
            1 if small == 0 => self.now.provider = Provider::Own,
            1 => self.now.provider = Provider::Library(small),
            2 => self.now.provider = Provider::Library(cursor.unsigned()?),
            3 if small == 0 => self.now.provider = Provider::Own,
            3 => {
                let number = small.cast_signed().saturating_sub(16);
                self.now.provider = Provider::of_special(number);
            }
            4 => {
                self.now.symbol = cursor.string()?;
                self.now.weak_import = small & 1 != 0;
            }
            5 => {}
            6 => self.now.addend = cursor.signed()?,
            7 => {
                self.now.segment = usize::from(byte & 0xf);
                self.now.into = cursor.unsigned()?;
            }
            8 => self.now.into = self.now.into.wrapping_add(cursor.unsigned()?),
            9 => self.bind(1, 0, at)?,
            0xa => {
                let skip = cursor.unsigned()?;
                self.bind(1, skip, at)?;
            }
            0xb => self.bind(1, small.saturating_mul(POINTER), at)?,
            0xc => {
                let count = cursor.unsigned()?;
                let skip = cursor.unsigned()?;
                self.bind(count, skip, at)?;
            }
            // How many follow is seen as they do.
            0xd if small == 0 => {
                cursor.unsigned()?;
                self.imports = Some(Vec::new());
            }
            0xd if small == 1 => return Ok(Step::Chain),
            _ => {
                return Err(Error::Unexpected {
                    what: "bind opcode",
                    offset: at,
                    expected: "00 to d1".to_owned(),
                    found: format!("{byte:02x}"),
                });
            }
        }
        Ok(Step::On)
    }

    fn bind(&mut self, count: u64, skip: u64, at: u64) -> Result<(), Error> {
        let room = self.most.saturating_sub(self.binds.len() as u64);
        if count > room {
            return Err(Error::Unexpected {
                what: "number of binds",
                offset: at,
                expected: format!("{room} at most, for which the file has room"),
                found: count.to_string(),
            });
        }
        if let Some(imports) = &mut self.imports {
            if count != 1 || imports.len() as u64 >= self.most {
                return Err(Error::Malformed {
                    what: "import of a table",
                    offset: at,
                    value: imports.len() as u64,
                });
            }
            imports.push(self.now);
            return Ok(());
        }
        for _ in 0..count {
            let segment = self.image.segments().get(self.now.segment);
            self.now.slot = segment.and_then(|segment| segment.address.checked_add(self.now.into));
            self.binds.push(self.now);
            let step = POINTER.wrapping_add(skip);
            self.now.into = self.now.into.wrapping_add(step);
        }
        Ok(())
    }

    /// Walks a chain of pointers from here on: those of imports name one of the table.
    fn chain(&mut self) -> Result<(), Error> {
        let wrong = |what, offset, value| Error::Malformed {
            what,
            offset,
            value,
        };
        let imports = self.imports.as_deref().unwrap_or_default();
        let number = self.now.segment;
        let segment = self.image.segments().get(number);
        let segment = segment.ok_or(wrong("segment of a chain", self.now.at.0, number as u64))?;
        let contents = Bytes(self.image.data).slice("segment", segment.offset, segment.file_size);
        let contents = Bytes(contents?);
        let mut into = self.now.into;
        loop {
            let at = segment.offset.saturating_add(into);
            let pointer = contents.u64("pointer of a chain", into);
            let pointer = pointer.map_err(|error| error.further(segment.offset))?;
            if pointer & IS_IMPORT != 0 {
                let index = pointer & 0xffff;
                let import = usize::try_from(index).ok().and_then(|at| imports.get(at));
                let import = import.ok_or(wrong("number of an import", at, index))?;
                if self.binds.len() as u64 >= self.most {
                    return Err(wrong("chain of pointers, which is walked again", at, into));
                }
                self.binds.push(Bind {
                    segment: number,
                    into,
                    slot: segment.address.checked_add(into),
                    signed: pointer & IS_SIGNED != 0,
                    at: FileOffset(at),
                    ..*import
                });
            }
            match (pointer >> 51 & 0x7ff).saturating_mul(POINTER) {
                0 => return Ok(()),
                step => into = into.saturating_add(step),
            }
        }
    }
}
