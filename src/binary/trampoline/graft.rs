//! What of a copy makes its original tell of its calls, put over that in memory before it begins to run.
//!
//! ```text
//! memory of the original        of the copy's file
//! code                     ◄──  the same, with jumps
//! 64 KiB behind its last   ◄──  the copy's memory
//! and behind these         ◄──  the code beside
//! ```
//!
//! All else of a copy is as in its original: where that has its headers in memory they stay, for they tell of what
//! was there before.

use super::Survey;
use super::copy::{Copied, EXECUTE, HEADER, PT_LOAD, SMALLEST_PAGE, WRITE};
use crate::binary::Error;
use crate::binary::bytes::Bytes;
use crate::binary::elf::Machine;
use serde::Deserialize;

/// A file that is loaded anywhere.
const ET_DYN: u16 = 3;
const PT_INTERP: u32 = 3;

/// A stretch of a file, and where in memory it is to be: whole pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Piece {
    /// Where it begins in memory, as linked.
    pub address: u64,
    /// And in the file of the copy.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// The pieces, and where things are; all addresses are as linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Graft {
    /// Code of the original that is replaced, all of it.
    pub code: Piece,
    /// What is beside: memory that may be written, and code behind it.
    pub beside: [Piece; 2],
    /// Where the original begins, and where the copy does.
    pub entries: [u64; 2],
    /// The system begins with a loader, which is told where the program begins.
    pub has_loader: bool,
}

impl Graft {
    /// That of a copy, and of the original that a survey is of; none where they are not such that one step puts all of
    /// the code there: on amd64 alone, where there is one segment of code, with pages of its own that nobody may write
    /// to. What is loaded anywhere and has no loader lies right below the kernel's own pages (`[vvar]`), by chance so near
    /// that there is no room.
    ///
    /// # Errors
    ///
    /// When the headers cannot be read.
    pub fn of(
        survey: &Survey<'_>,
        original: &[u8],
        copied: &Copied,
    ) -> Result<Option<Self>, Error> {
        if survey.machine != Machine::Amd64 {
            return Ok(None);
        }
        let [before, after] = [original, &copied.original].map(Bytes);
        let table_at = after.u64("segment table offset", 32)?;
        let table_at = table_at.saturating_sub(copied.beside_at);
        let length = u64::from(after.u16("segment count", 56)?).saturating_mul(HEADER as u64);
        let table = Bytes(&copied.beside).slice("segment table", table_at, length)?;
        let (mut code, mut others, mut beside) = (Vec::new(), Vec::new(), Vec::new());
        let mut has_loader = false;
        for header in table.chunks_exact(HEADER).map(Bytes) {
            let segment = Segment::of(header)?;
            has_loader |= segment.kind == PT_INTERP;
            if segment.kind != PT_LOAD {
                continue;
            }
            if segment.offset >= copied.beside_at {
                beside.push(segment);
            } else if segment.flags & EXECUTE != 0 {
                code.push(segment);
            } else {
                others.push(segment);
            }
        }
        let ([code], [memory, trampolines]) = (&*code, &*beside) else {
            return Ok(None);
        };
        let alone = others.iter().all(|other| !other.shares_pages(code));
        let has_neighbours = before.u16("file type", 16)? == ET_DYN && !has_loader;
        if !alone || has_neighbours || code.flags & WRITE != 0 || code.memory != code.file {
            return Ok(None);
        }
        Ok(Some(Self {
            code: code.piece(),
            beside: [memory.piece(), trampolines.piece()],
            entries: [
                before.u64("entry point", 24)?,
                after.u64("entry point", 24)?,
            ],
            has_loader,
        }))
    }

    /// Where what is beside begins in memory, and ends.
    #[must_use]
    pub fn room(&self) -> (u64, u64) {
        let [memory, code] = self.beside;
        (memory.address, code.address.saturating_add(code.length))
    }
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    file: u64,
    memory: u64,
}

impl Segment {
    fn of(header: Bytes<'_>) -> Result<Self, Error> {
        Ok(Self {
            kind: header.u32("segment type", 0)?,
            flags: header.u32("segment flags", 4)?,
            offset: header.u64("segment offset", 8)?,
            address: header.u64("segment address", 16)?,
            file: header.u64("segment file size", 32)?,
            memory: header.u64("segment memory size", 40)?,
        })
    }

    /// The pages that the kernel maps of it.
    fn piece(&self) -> Piece {
        let before = self.address % SMALLEST_PAGE;
        let length = self.file.saturating_add(before);
        Piece {
            address: self.address.saturating_sub(before),
            offset: self.offset.saturating_sub(before),
            length: length
                .checked_next_multiple_of(SMALLEST_PAGE)
                .unwrap_or(u64::MAX),
        }
    }

    fn shares_pages(&self, other: &Self) -> bool {
        let pages = |of: &Self| {
            let end = of.address.saturating_add(of.memory);
            let end = end.checked_next_multiple_of(SMALLEST_PAGE);
            (of.piece().address, end.unwrap_or(u64::MAX))
        };
        let ((begin, end), (other, other_end)) = (pages(self), pages(other));
        begin < other_end && other < end
    }
}
