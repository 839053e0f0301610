//! One function of a Go executable: its name, lines and inlined calls.
//!
//! ```text
//! record, Go 1.18 on:  0 u32 entry  4 name  8 args  12 deferreturn  16 pcsp  20 pcfile  24 pcln
//!                     28 number of pcdata  32 unit   Go 1.20 on: 36 first line
//!                      then  u8 id  u8 flag  u8 0  u8 number of funcdata
//! Go 1.16, 1.17:       0 u64 entry, and all else 4 bytes further on
//! then u32 pcdata for each, then funcdata: u32 offset from gofunc (Go 1.16, 1.17: u64 address,
//! aligned to 8); ffffffff (0) for none
//!
//! inlined call, Go 1.20 on:  0 u8 id   4 name   8 parent's pc   12 first line
//! Go 1.16 to 1.19:           0 i16 parent  2 u8 id  4 file  8 line  12 name  16 parent's pc
//! ```
//!
//! Source: `_func` in `runtime/runtime2.go`, `inlinedCall` in `runtime/symtabinl.go`.

use super::name::display_name;
use super::pc_values::Runs;
use super::pclntab::{Format, Pclntab};
use crate::binary::bytes::Bytes;
use crate::binary::{Error, Svma};
use std::borrow::Cow;
use std::ops::Range;

const PCDATA_INLINE_INDEX: u32 = 2;
const FUNCDATA_INLINE_TREE: u8 = 3;
/// `FuncFlagAsm` of `internal/abi/symtab.go`.
const FLAG_ASSEMBLY: u8 = 1 << 2;
/// No program inlines deeper; a damaged table could go on for ever.
const DEEPEST: usize = 256;

/// One function at one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Function, as the linker names it.
    pub function: &'a [u8],
    /// Source file, or empty.
    pub file: &'a [u8],
    /// Line, 0 when not known.
    pub line: u32,
}

impl Line<'_> {
    /// Function, as developers write it.
    #[must_use]
    pub fn name(&self) -> Cow<'_, [u8]> {
        display_name(self.function)
    }
}

/// A function that was not inlined, by its record.
#[derive(Clone, Debug)]
pub struct Function<'a> {
    table: Pclntab<'a>,
    range: Range<u64>,
    name: u32,
    arguments: u32,
    stack: u32,
    file: u32,
    line: u32,
    unit: u32,
    pcdata_count: u32,
    flags: u8,
    funcdata_count: u8,
    /// Offset of the pcdata in the index of functions.
    pcdata: u64,
}

impl<'a> Function<'a> {
    pub(super) fn read(
        table: &Pclntab<'a>,
        range: Range<Svma>,
        record: u64,
    ) -> Result<Self, Error> {
        let what = "Go function record";
        let field = |number: u64| {
            let at = record.saturating_add(shift(table.format));
            let at = at.saturating_add(number.saturating_mul(4));
            table.index.u32(what, at)
        };
        let flags = match table.format {
            Format::Go116 | Format::Go118 => 36,
            Format::Go120 => 40,
        };
        let flags_at = record
            .saturating_add(shift(table.format))
            .saturating_add(flags);
        Ok(Self {
            table: table.clone(),
            range: range.start.0..range.end.0,
            name: field(1)?,
            arguments: field(2)?,
            stack: field(4)?,
            file: field(5)?,
            line: field(6)?,
            pcdata_count: field(7)?,
            unit: field(8)?,
            flags: table.index.u8(what, flags_at.saturating_add(1))?,
            funcdata_count: table.index.u8(what, flags_at.saturating_add(3))?,
            pcdata: flags_at.saturating_add(4),
        })
    }

    /// The offset of a function's name, without reading more of its record.
    pub(super) fn name_offset(table: &Pclntab<'a>, record: u64) -> Result<u32, Error> {
        let at = record.saturating_add(shift(table.format)).saturating_add(4);
        table.index.u32("Go function record", at)
    }

    /// First address.
    #[must_use]
    pub const fn entry(&self) -> Svma {
        Svma(self.range.start)
    }

    /// Address after the last, padding included.
    #[must_use]
    pub const fn end(&self) -> Svma {
        Svma(self.range.end)
    }

    /// Whether it keeps Go's register conventions: it was compiled, not written in assembly, by
    /// Go 1.17 or later (of which those before 1.18 are not told from Go 1.16 here).
    #[must_use]
    pub const fn keeps_conventions(&self) -> bool {
        !matches!(self.table.format, Format::Go116) && self.flags & FLAG_ASSEMBLY == 0
    }

    /// Whether it may have parameters: the caller then leaves room for them on the stack, also where
    /// they come in registers (`cmd/compile/abi-internal.md`, spill space).
    #[must_use]
    pub const fn takes_arguments(&self) -> bool {
        self.arguments != 0
    }

    /// Name, as the linker keeps it.
    ///
    /// # Errors
    ///
    /// When the table is damaged.
    pub fn linker_name(&self) -> Result<&'a [u8], Error> {
        self.string_of(self.name)
    }

    /// Name, as developers write it.
    ///
    /// # Errors
    ///
    /// When the table is damaged.
    pub fn name(&self) -> Result<Cow<'a, [u8]>, Error> {
        self.linker_name().map(display_name)
    }

    /// How many bytes the stack pointer lies below where it was at the entry (without the
    /// return address), just before the instruction at `address` runs.
    ///
    /// # Errors
    ///
    /// When the table is damaged.
    pub fn stack_depth(&self, address: Svma) -> Result<Option<u32>, Error> {
        let depth = self.value(self.stack, address)?;
        Ok(depth.and_then(|depth| u32::try_from(depth).ok()))
    }

    /// The functions at an address, the innermost inlined one first, this one last.
    ///
    /// For a return address, ask for the address before it.
    ///
    /// # Errors
    ///
    /// When the table is damaged.
    pub fn lines(&self, address: Svma) -> Result<Vec<Line<'a>>, Error> {
        let mut lines = Vec::with_capacity(1);
        let mut at = address;
        let tree = self.inline_tree()?;
        if let Some(tree) = tree {
            while let Some(call) = self.inlined_call(at)? {
                if lines.len() >= DEEPEST {
                    return Err(Error::Malformed {
                        what: "Go inline tree",
                        offset: address.0,
                        value: u64::from(call),
                    });
                }
                let (name, parent) = self.read_call(tree, call)?;
                lines.push(self.line_of(name, at)?);
                at = parent;
            }
        }
        lines.push(self.line_of(self.name, at)?);
        Ok(lines)
    }

    /// Whether the tables of this function cover an address: what comes after a function may
    /// not be Go code. All of them end where its code does; that of the stack is the shortest.
    pub(super) fn holds(&self, address: Svma) -> Result<bool, Error> {
        let shortest = [self.stack, self.line]
            .into_iter()
            .find(|&table| table != 0);
        shortest.map_or(Ok(true), |table| {
            self.value(table, address).map(|value| value.is_some())
        })
    }

    fn string_of(&self, name: u32) -> Result<&'a [u8], Error> {
        let names = self.table.names;
        names.string("Go function name", u64::from(name))
    }

    fn line_of(&self, name: u32, address: Svma) -> Result<Line<'a>, Error> {
        let function = self.string_of(name)?;
        let file = self.value(self.file, address)?;
        let line = self.value(self.line, address)?;
        Ok(Line {
            function,
            file: match file.and_then(|file| u32::try_from(file).ok()) {
                Some(number) => self.file_name(number)?,
                None => &[],
            },
            line: line.and_then(|line| u32::try_from(line).ok()).unwrap_or(0),
        })
    }

    fn file_name(&self, number: u32) -> Result<&'a [u8], Error> {
        let at = u64::from(self.unit).saturating_add(u64::from(number));
        let units = self.table.units;
        let offset = units.u32("Go compilation unit", at.saturating_mul(4))?;
        if offset == u32::MAX {
            return Ok(&[]);
        }
        self.table.files.string("Go file name", u64::from(offset))
    }

    /// The value of a pc-value table at an address.
    fn value(&self, table: u32, address: Svma) -> Result<Option<i32>, Error> {
        let Some(offset) = address.offset_from(self.entry()) else {
            return Ok(None);
        };
        if table == 0 {
            return Ok(None);
        }
        Runs::new(self.table.pc_values, table, self.table.unit).value_at(offset)
    }

    /// The number of the innermost inlined call at an address.
    fn inlined_call(&self, address: Svma) -> Result<Option<u32>, Error> {
        if self.pcdata_count <= PCDATA_INLINE_INDEX {
            return Ok(None);
        }
        let at = self
            .pcdata
            .saturating_add(u64::from(PCDATA_INLINE_INDEX) * 4);
        let table = self.table.index.u32("Go pcdata", at)?;
        let call = self.value(table, address)?;
        Ok(call.and_then(|call| u32::try_from(call).ok()))
    }

    fn inline_tree(&self) -> Result<Option<Bytes<'a>>, Error> {
        if self.funcdata_count <= FUNCDATA_INLINE_TREE {
            return Ok(None);
        }
        let number = u64::from(FUNCDATA_INLINE_TREE);
        let pcdata_size = u64::from(self.pcdata_count).saturating_mul(4);
        let funcdata = self.pcdata.saturating_add(pcdata_size);
        let index = self.table.index;
        let address = if self.table.format == Format::Go116 {
            let funcdata = funcdata.checked_next_multiple_of(8).unwrap_or(u64::MAX);
            Svma(index.u64("Go funcdata", funcdata.saturating_add(number * 8))?)
        } else {
            let offset = index.u32("Go funcdata", funcdata.saturating_add(number * 4))?;
            match self.table.gofunc {
                Some(gofunc) if offset != u32::MAX => {
                    gofunc.checked_add(u64::from(offset)).unwrap_or_default()
                }
                _ => Svma(0),
            }
        };
        if address.0 == 0 {
            return Ok(None);
        }
        let bytes = self.table.memory.bytes_from("Go inline tree", address)?;
        Ok(Some(Bytes(bytes)))
    }

    /// Name of an inlined function, and the address in this function that has its call's line.
    fn read_call(&self, tree: Bytes<'a>, call: u32) -> Result<(u32, Svma), Error> {
        let what = "Go inline tree";
        let (size, name, parent) = match self.table.format {
            Format::Go116 | Format::Go118 => (20, 12, 16),
            Format::Go120 => (16, 4, 8),
        };
        let at = u64::from(call).saturating_mul(size);
        let parent = tree.u32(what, at.saturating_add(parent))?;
        let caller = self.entry().checked_add(u64::from(parent));
        let caller = caller.filter(|caller| *caller < self.end());
        Ok((
            tree.u32(what, at.saturating_add(name))?,
            caller.ok_or(Error::Malformed {
                what,
                offset: at,
                value: u64::from(parent),
            })?,
        ))
    }
}

/// How much larger the first field is than in later releases.
const fn shift(format: Format) -> u64 {
    match format {
        Format::Go116 => 4,
        Format::Go118 | Format::Go120 => 0,
    }
}
