//! How functions are unwound: what a linker packs of it (`__unwind_info`), and what a compiler leaves
//! for it (`__compact_unwind`).
//!
//! ```text
//! __unwind_info   0 u32 version 1   4 u32 offset of common encodings  8 u32 number of them
//!                12 u32 offset of personalities  16 u32 number  20 u32 offset of the index  24 u32 number
//! encoding        u32, how in 0f000000: 0 not at all; amd64: 1 by rbp, 2 and 3 without, 4 by DWARF;
//!                 arm64: 2 without a frame, 3 by DWARF, 4 by x29
//! index           0 u32 first function  4 u32 offset of the page, 0 for none  8 u32 offset of LSDAs;
//!                 the last entry is the end of what is covered
//! page            0 u32 kind   4 u16 offset of entries in the page  6 u16 number
//!   2, regular    entry: 0 u32 function  4 u32 encoding
//!   3, compressed 8 u16 offset of the page's own encodings  10 u16 number; entry: function in 24 bits,
//!                 counted from that of the index, then the number of an encoding, common ones first
//! __compact_unwind  0 u64 function  8 u32 size  12 u32 encoding  16 u64 personality  24 u64 LSDA
//! ```
//!
//! Functions count from the start of `__TEXT`. An entry holds up to the next one: linkers leave out
//! what is as before, so that functions are counted by where they begin.
//! Source: `<mach-o/compact_unwind_encoding.h>`.

use super::header::{FileType, MachO};
use super::segment::Section;
use super::symbol::SymbolKind;
use crate::binary::{Error, Svma, bytes::Bytes};

/// What is read, in errors.
const ENCODING: &str = "encoding of compact unwinding";
const INDEX_ENTRY: u64 = 12;
const REGULAR: u32 = 2;
const COMPRESSED: u32 = 3;
/// A section with nothing but code (`S_ATTR_PURE_INSTRUCTIONS`).
const CODE: u32 = 0x8000_0000;
/// An entry of `__compact_unwind`.
const OF_COMPILER: usize = 32;

/// How a function is unwound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwinding {
    /// Not at all: nothing says how.
    Nothing,
    /// By its frame pointer.
    FramePointer,
    /// By the size of its frame: it keeps no frame pointer.
    Frameless,
    /// By DWARF (`__eh_frame`).
    Dwarf,
}

impl MachO<'_> {
    /// How each function is unwound, in the order of addresses; none where no table says so.
    ///
    /// # Errors
    ///
    /// When that table, or the one of where functions begin, is cut short or holds what no table can.
    pub fn unwinding(&self) -> Result<Vec<Unwinding>, Error> {
        let linked = self.file_type != FileType::Object;
        let name = if linked {
            "__unwind_info"
        } else {
            "__compact_unwind"
        };
        let section = self.section_named(name);
        let Some(section) = section.filter(|one| !one.data.is_empty()) else {
            return Ok(Vec::new());
        };
        let further = |error: Error| error.further(self.in_file(section.offset).0);
        if !linked {
            return self.of_compiler(section.data).map_err(further);
        }
        let ranges = self.ranges(Bytes(section.data)).map_err(further)?;
        let of = |function: &Svma| {
            let begun = ranges.partition_point(|(start, _)| start <= function);
            let last = begun.checked_sub(1).and_then(|at| ranges.get(at));
            last.map_or(Unwinding::Nothing, |(_, how)| *how)
        };
        Ok(self.functions()?.iter().map(of).collect())
    }

    /// Where functions begin: zig's linker leaves that to symbols.
    fn functions(&self) -> Result<Vec<Svma>, Error> {
        let starts = self.function_starts()?;
        if !starts.is_empty() {
            return Ok(starts);
        }
        let sections: Vec<&Section<'_>> = self.sections().collect();
        let symbols = self.symbols()?;
        let code = symbols.iter().filter(|symbol| {
            let SymbolKind::Section(number) = symbol.kind else {
                return false;
            };
            let section = usize::from(number).checked_sub(1);
            let section = section.and_then(|at| sections.get(at));
            section.is_some_and(|one| one.flags & CODE != 0 && one.holds(symbol.address))
        });
        let mut starts: Vec<Svma> = code.map(|symbol| symbol.address).collect();
        starts.sort_unstable();
        starts.dedup();
        Ok(starts)
    }

    fn of_compiler(&self, table: &[u8]) -> Result<Vec<Unwinding>, Error> {
        let entries = (0_u64..).zip(table.chunks_exact(OF_COMPILER));
        let read = entries.map(|(number, entry)| {
            let encoding = Bytes(entry).u32(ENCODING, 12)?;
            let at = number.saturating_mul(OF_COMPILER as u64);
            self.how(encoding, at.saturating_add(12))
        });
        read.collect()
    }

    /// Where each way to unwind begins, in the order of addresses.
    fn ranges(&self, table: Bytes<'_>) -> Result<Vec<(Svma, Unwinding)>, Error> {
        let word = |at| table.u32("compact unwinding", at).map(u64::from);
        if word(0)? != 1 {
            return Err(Error::Unsupported {
                what: "version of compact unwinding",
                expected: "1",
                found: word(0)?,
            });
        }
        let base = self.segment("__TEXT").map_or(0, |text| text.address.0);
        let (index, count) = (word(20)?, word(24)?);
        let mut ranges = Vec::new();
        for number in 0..count {
            let at = index.saturating_add(number.saturating_mul(INDEX_ENTRY));
            let function = base.saturating_add(word(at)?);
            match word(at.saturating_add(4))? {
                0 => ranges.push((Svma(function), Unwinding::Nothing)),
                page => self.page(table, page, [base, function], &mut ranges)?,
            }
        }
        ranges.sort_by_key(|(start, _)| *start);
        Ok(ranges)
    }

    /// Adds what a page says; its functions count from the start of the file, or from its first one.
    fn page(
        &self,
        table: Bytes<'_>,
        page: u64,
        [base, first]: [u64; 2],
        ranges: &mut Vec<(Svma, Unwinding)>,
    ) -> Result<(), Error> {
        let what = "page of compact unwinding";
        let kind = table.u32(what, page)?;
        let half = |at| table.u16(what, page.saturating_add(at)).map(u64::from);
        let (entries, count) = (page.saturating_add(half(4)?), half(6)?);
        // Pages that are shared would make more of a table than its bytes.
        let room = (table.0.len() / 4).saturating_sub(ranges.len()) as u64;
        if count > room {
            return Err(Error::Unexpected {
                what: "number of functions of compact unwinding",
                offset: page.saturating_add(6),
                expected: format!("{room} at most, for which the table has room"),
                found: count.to_string(),
            });
        }
        for number in 0..count {
            let (start, encoding) = match kind {
                REGULAR => {
                    let at = entries.saturating_add(number.saturating_mul(8));
                    let start = base.saturating_add(table.u32(what, at)?.into());
                    (start, at.saturating_add(4))
                }
                COMPRESSED => {
                    let entry =
                        table.u32(what, entries.saturating_add(number.saturating_mul(4)))?;
                    let start = first.saturating_add(u64::from(entry & 0x00ff_ffff));
                    (start, place_of_encoding(table, page, entry >> 24)?)
                }
                kind => {
                    return Err(Error::Malformed {
                        what,
                        offset: page,
                        value: kind.into(),
                    });
                }
            };
            let how = self.how(table.u32(ENCODING, encoding)?, encoding)?;
            ranges.push((Svma(start), how));
        }
        Ok(())
    }

    /// What the encoding at an offset says.
    fn how(&self, encoding: u32, offset: u64) -> Result<Unwinding, Error> {
        Ok(match (encoding >> 24 & 0xf, self.cpu.is_amd64()) {
            (0, _) => Unwinding::Nothing,
            (1, true) | (4, false) => Unwinding::FramePointer,
            (2 | 3, true) | (2, false) => Unwinding::Frameless,
            (4, true) | (3, false) => Unwinding::Dwarf,
            _ => {
                return Err(Error::Malformed {
                    what: ENCODING,
                    offset,
                    value: encoding.into(),
                });
            }
        })
    }
}

/// Common encodings are numbered first, then those of the page.
fn place_of_encoding(table: Bytes<'_>, page: u64, number: u32) -> Result<u64, Error> {
    let number = u64::from(number);
    let common = u64::from(table.u32("compact unwinding", 8)?);
    let (first, into) = match number.checked_sub(common) {
        None => (u64::from(table.u32("compact unwinding", 4)?), number),
        Some(own) => {
            let offset = table.u16("page of compact unwinding", page.saturating_add(8))?;
            (page.saturating_add(offset.into()), own)
        }
    };
    Ok(first.saturating_add(into.saturating_mul(4)))
}

#[cfg(test)]
mod tests {
    use super::super::{Slice, SliceOf};
    use super::*;

    /// A table of one common encoding, a regular page and a compressed one.
    fn table() -> Vec<u8> {
        let header = [1, 28, 1, 32, 0, 32, 3];
        let common = [0x0100_0000]; // at 28: by the frame pointer
        let index = [0x10, 68, 0, 0x30, 84, 0, 0x90, 0, 0]; // at 32
        let regular = [REGULAR, 0x0001_0008, 0x10, 0x0200_0000]; // at 68: one entry, without
        let compressed = [
            COMPRESSED,
            0x0002_000c,
            0x0001_0014,
            0x0000_0000,
            0x0100_0010,
        ]; // at 84
        let own = [0x0400_0123]; // the encoding of its second entry: by DWARF
        let words: [&[u32]; 6] = [&header, &common, &index, &regular, &compressed, &own];
        let words = words.concat().into_iter();
        words.flat_map(u32::to_le_bytes).collect()
    }

    fn ranges(table: &[u8]) -> Result<Vec<(u64, Unwinding)>, Error> {
        let head = [0xfeed_facf_u32, 0x0100_0007, 3, 2, 0, 0, 0, 0];
        let head: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
        let image = MachO::parse(&Slice {
            of: SliceOf::Thin,
            offset: crate::binary::FileOffset(0),
            data: &head,
        })?;
        let ranges = image.ranges(Bytes(table))?;
        Ok(ranges
            .into_iter()
            .map(|(start, how)| (start.0, how))
            .collect())
    }

    #[test]
    fn pages_of_both_kinds_are_read() {
        use Unwinding::{Dwarf, FramePointer, Frameless, Nothing};
        let known = [
            (0x10, Frameless),
            (0x30, FramePointer),
            (0x40, Dwarf),
            (0x90, Nothing),
        ];
        assert_eq!(ranges(&table()), Ok(known.to_vec()));
    }

    #[test]
    fn what_no_table_holds_is_refused() {
        let broken = |at: usize, value: u32| {
            let mut table = table();
            table[at..at + 4].copy_from_slice(&value.to_le_bytes());
            ranges(&table).unwrap_err().to_string()
        };
        assert_eq!(
            broken(0, 2),
            "version of compact unwinding: expected 1, found 0x2"
        );
        assert_eq!(
            broken(68, 4),
            "page of compact unwinding at 0x44: 0x4 cannot be"
        );
        assert_eq!(
            broken(72, 0xffff_0008),
            "number of functions of compact unwinding at 0x4a: expected 27 at most, for which the \
             table has room, found 65535"
        );
        assert_eq!(
            broken(28, 0x0f00_0000),
            "encoding of compact unwinding at 0x1c: 0xf000000 cannot be"
        );
        // An encoding, a page and an index beyond the end.
        for (at, value) in [(100, 0xff00_0010), (48, 0x1000), (20, 0x1000), (4, 0x1000)] {
            let said = broken(at, value);
            assert!(said.contains("expected 4 bytes, found 0"), "{said}");
        }
        for length in 0..table().len() {
            assert!(ranges(&table()[..length]).is_err(), "cut to {length}");
        }
    }
}
