//! The table from code addresses to functions, files and lines that the Go runtime itself uses.
//!
//! ```text
//!  0 u32 magic   4 0   5 0   6 u8 instruction unit   7 u8 pointer size   8 number of functions
//! 16 number of files
//! Go 1.16, 1.17:  24 names  32 units  40 files  48 pc values  56 index of functions
//! Go 1.18 on:     24 start of text (0 since 1.26: in the module data alone)
//!                 32 names  40 units  48 files  56 pc values  64 index of functions
//! index of functions: {entry, offset of the function's record} for each, and a last entry that
//! is the end; Go 1.16, 1.17: u64 addresses; Go 1.18 on: u32 offsets from the start of text
//! ```
//!
//! Names and files are strings ended by zero; the units turn a compilation unit's number of a
//! file into an offset in the files. All offsets count from the header, those of records from
//! the index. Source: `pcHeader` and `_func` in the `runtime` package, and `cmd/link`'s
//! `pcln.go`, of Go 1.16 to 1.27.

use super::Container;
use super::function::Function;
use super::module_data::{self, ModuleData};
use crate::binary::bytes::Bytes;
use crate::binary::{Error, Memory, Svma};

/// Which releases write a table like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Go 1.16 and 1.17.
    Go116,
    /// Go 1.18 and 1.19.
    Go118,
    /// Go 1.20 and later.
    Go120,
}

impl Format {
    const fn of_magic(magic: u32) -> Option<Self> {
        match magic {
            0xffff_fffa => Some(Self::Go116),
            0xffff_fff0 => Some(Self::Go118),
            0xffff_fff1 => Some(Self::Go120),
            _ => None,
        }
    }

    const fn first_offset(self) -> u64 {
        match self {
            Self::Go116 => 24,
            Self::Go118 | Self::Go120 => 32,
        }
    }

    const fn index_entry_size(self) -> u64 {
        match self {
            Self::Go116 => 16,
            Self::Go118 | Self::Go120 => 8,
        }
    }
}

/// The function table of a Go executable. Opening reads the header; each look-up reads what it
/// needs.
#[derive(Clone, Debug)]
pub struct Pclntab<'a> {
    pub(super) memory: Memory<'a>,
    pub(super) format: Format,
    pub(super) unit: u8,
    pub(super) text: Svma,
    pub(super) gofunc: Option<Svma>,
    pub(super) names: Bytes<'a>,
    pub(super) units: Bytes<'a>,
    pub(super) files: Bytes<'a>,
    pub(super) pc_values: Bytes<'a>,
    pub(super) index: Bytes<'a>,
    count: u64,
}

impl<'a> Pclntab<'a> {
    /// Finds the table of an executable.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] when there is none; another error when there is one that cannot be
    /// read.
    pub fn of(image: &impl Container<'a>) -> Result<Self, Error> {
        let address = find_header(image).ok_or(Error::Missing {
            what: "Go function table",
        })?;
        let bytes = Bytes(image.memory().bytes_from("Go function table", address)?);
        let magic = bytes.u32("magic of the Go function table", 0)?;
        let format = Format::of_magic(magic).ok_or(Error::Unsupported {
            what: "magic of the Go function table",
            expected: "fffffffa, fffffff0 or fffffff1",
            found: u64::from(magic),
        })?;
        let part = |number: u64| {
            let at = format
                .first_offset()
                .saturating_add(number.saturating_mul(8));
            let offset = bytes.u64("offset of a part of the Go function table", at)?;
            bytes.from("part of the Go function table", offset)
        };
        let names_offset = bytes.u64("offset of Go function names", format.first_offset())?;
        let names_address = address.checked_add(names_offset).unwrap_or_default();
        let module = module_data::find(image, address, names_address, format);
        let mut table = Self {
            memory: image.memory().clone(),
            format,
            unit: bytes.u8("instruction unit", 6)?.max(1),
            names: part(0)?,
            units: part(1)?,
            files: part(2)?,
            pc_values: part(3)?,
            index: part(4)?,
            count: bytes.u64("number of Go functions", 8)?,
            text: text_start(image, bytes, format, module)?,
            gofunc: module.and_then(|module| module.gofunc),
        };
        let size = table
            .count
            .checked_add(1)
            .and_then(|entries| entries.checked_mul(format.index_entry_size()))
            .unwrap_or(u64::MAX);
        table.index.slice("index of Go functions", 0, size)?;
        if format == Format::Go116 && table.count > 0 && table.entry(0)?.0.0 == 0 {
            // Position-independent: the addresses are relocations, one for each function.
            return Err(Error::Unsupported {
                what: "address of the first Go function",
                expected: "an address in the file",
                found: 0,
            });
        }
        // Nothing of the index is beyond the header's own count.
        table.count = table.count.min(u64::from(u32::MAX));
        Ok(table)
    }

    /// Which releases write such a table.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Start of the Go code.
    #[must_use]
    pub const fn text(&self) -> Svma {
        self.text
    }

    /// Whether inlined calls can be told: the place of their tables is known.
    #[must_use]
    pub const fn has_inline_trees(&self) -> bool {
        self.gofunc.is_some() || matches!(self.format, Format::Go116)
    }

    /// Number of functions.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.count
    }

    /// Whether there are no functions.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Entry of the function with this number (its end for the number after the last), and
    /// where its record is.
    fn entry(&self, number: u64) -> Result<(Svma, u64), Error> {
        let what = "index of Go functions";
        let at = number.saturating_mul(self.format.index_entry_size());
        Ok(match self.format {
            Format::Go116 => (
                Svma(self.index.u64(what, at)?),
                self.index.u64(what, at.saturating_add(8))?,
            ),
            Format::Go118 | Format::Go120 => {
                let offset = u64::from(self.index.u32(what, at)?);
                let entry = self.text.checked_add(offset).ok_or(Error::Malformed {
                    what,
                    offset: at,
                    value: offset,
                })?;
                let record = self.index.u32(what, at.saturating_add(4))?;
                (entry, u64::from(record))
            }
        })
    }

    /// The function with this number, in the order of addresses.
    ///
    /// # Errors
    ///
    /// When there is no such function, or the table is damaged.
    pub fn function(&self, number: u64) -> Result<Function<'a>, Error> {
        let (entry, record) = self.entry(number)?;
        let (end, _) = self.entry(number.saturating_add(1))?;
        Function::read(self, entry..end, record)
    }

    /// How many functions begin at an address or before it.
    fn begun(&self, address: Svma) -> Result<u64, Error> {
        let size = self.count.saturating_mul(self.format.index_entry_size());
        let rows = self.index.slice("index of Go functions", 0, size)?;
        let begun = match self.format {
            Format::Go116 => {
                let (rows, _) = rows.as_chunks::<16>();
                rows.partition_point(|row| {
                    let entry = row.first_chunk().copied().map(u64::from_le_bytes);
                    entry.is_some_and(|entry| entry <= address.0)
                })
            }
            Format::Go118 | Format::Go120 => {
                let (rows, _) = rows.as_chunks::<8>();
                let Some(address) = address.0.checked_sub(self.text.0) else {
                    return Ok(0);
                };
                rows.partition_point(|row| {
                    let entry = row.first_chunk().copied().map(u32::from_le_bytes);
                    entry.is_some_and(|entry| u64::from(entry) <= address)
                })
            }
        };
        Ok(begun as u64)
    }

    /// The function that holds an address.
    ///
    /// `None` where there is no Go code: before, after, and between Go functions where a linker
    /// has put others.
    ///
    /// # Errors
    ///
    /// When the table is damaged where it was read.
    pub fn find(&self, address: Svma) -> Result<Option<Function<'a>>, Error> {
        let Some(number) = self.begun(address)?.checked_sub(1) else {
            return Ok(None);
        };
        let function = self.function(number)?;
        let inside = address < function.end() && function.holds(address)?;
        Ok(inside.then_some(function))
    }

    /// All functions, in the order of addresses.
    pub fn functions(&self) -> impl Iterator<Item = Result<Function<'a>, Error>> + '_ {
        (0..self.count).map(|number| self.function(number))
    }

    /// The functions that have one of these names (in full, as the linker keeps them); one name
    /// can stand for several, for assembly has wrappers of the same name.
    ///
    /// Looks at every function, but reads no more of them than a number.
    #[must_use]
    pub fn named(&self, names: &[&str]) -> Vec<Function<'a>> {
        let offsets = self.name_offsets(names);
        (0..self.count)
            .filter(|&number| {
                let record = self.entry(number).map(|(_, record)| record);
                let name = record.and_then(|record| Function::name_offset(self, record));
                name.is_ok_and(|name| offsets.contains(&name))
            })
            .filter_map(|number| self.function(number).ok())
            .collect()
    }

    /// Where these names are among all names; each is there once at most.
    fn name_offsets(&self, wanted: &[&str]) -> Vec<u32> {
        let mut found = Vec::with_capacity(wanted.len());
        let mut at = 0_u32;
        // Every name is ended by a zero byte, and begins after one.
        for name in self.names.0.split(|&byte| byte == 0) {
            if wanted.iter().any(|wanted| wanted.as_bytes() == name) {
                found.push(at);
            }
            let next = u32::try_from(name.len()).ok().and_then(|length| {
                let end = at.checked_add(length)?;
                end.checked_add(1)
            });
            match next {
                Some(next) if found.len() < wanted.len() => at = next,
                _ => break,
            }
        }
        found
    }
}

/// Offsets of functions count from the start of the Go code, which the module data has; the
/// header had it too until Go 1.25.
fn text_start<'a>(
    image: &impl Container<'a>,
    header: Bytes<'_>,
    format: Format,
    module: Option<ModuleData>,
) -> Result<Svma, Error> {
    if let Some(module) = module {
        return Ok(module.text);
    }
    if format == Format::Go116 {
        return Ok(Svma(0));
    }
    let stated = Svma(header.u64("start of Go code", 24)?);
    if stated.0 != 0 && image.memory().is_code(stated) {
        return Ok(stated);
    }
    image.start_of_go_code().ok_or(Error::Missing {
        what: "start of Go code",
    })
}

/// Where the table is: its section, or else anything that begins as it does.
fn find_header<'a>(image: &impl Container<'a>) -> Option<Svma> {
    if let Some((address, _)) = image.go_section("gopclntab") {
        return Some(address);
    }
    // Without sections (or with all read-only data in one section) there is still the magic.
    image.memory().loads().iter().find_map(|load| {
        let data = image.memory().contents(load);
        let at = data
            .chunks_exact(8)
            .position(is_header)
            .and_then(|index| index.checked_mul(8))?;
        load.address.checked_add(at as u64)
    })
}

fn is_header(word: &[u8]) -> bool {
    let bytes = Bytes(word);
    let magic = bytes.u32("magic", 0).ok().and_then(Format::of_magic);
    magic.is_some() && matches!(word.get(4..8), Some([0, 0, 1 | 2 | 4, 8]))
}
