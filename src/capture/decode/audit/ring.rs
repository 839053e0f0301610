//! The ring of cells: which are there, which are still being written, which never will be.

use super::event::{Event, Fields, array};
use super::layout::{CELL_BYTES, CELLS, MAGIC, cell, header, kind};
use crate::trace::{Arch, Pid};

/// How the shared memory is read; all of it may change at any time.
pub trait Buffer {
    /// The number at a place of the header.
    fn counter(&self, place: usize) -> u32;
    /// The bytes of a cell: `number` counts from the begin, and wraps around the ring. A cell that
    /// has no memory is zero.
    fn cell(&self, number: u32) -> [u8; CELL_BYTES];
}

/// Why a file is no buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends before its header does.
    #[error("audit buffer: {0} bytes are too few for a header")]
    Short(usize),
    /// It is not ready, or something else.
    #[error("audit buffer: it does not begin with {:?}", MAGIC.escape_ascii().to_string())]
    Magic,
}

/// Who writes a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The process.
    pub pid: Pid,
    /// Its parent, when it began.
    pub parent: Pid,
    /// The process that this one is a fork of, without an exec since.
    pub fork_of: Option<Pid>,
    /// Architecture of the program.
    pub arch: Arch,
    /// Size of a pointer, in bits.
    pub word: u16,
    /// The newest version of the interface that ld.so knows: from 2 on (glibc 2.35) it tells of
    /// binds of images that ask for all of them at once, too.
    pub interface: u32,
    /// When ld.so began, a reading of `CLOCK_MONOTONIC`.
    pub start: u64,
}

impl Header {
    /// Reads the begin of a file.
    ///
    /// # Errors
    ///
    /// When it is not a buffer.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if field(bytes, 0)? != MAGIC {
            return Err(Malformed::Magic);
        }
        let number = |place| field(bytes, place).map(u32::from_ne_bytes);
        let half = |place| field(bytes, place).map(u16::from_ne_bytes);
        let fork_of = number(header::FORK_OF)?;
        Ok(Self {
            pid: Pid(number(header::PID)?),
            parent: Pid(number(header::PARENT)?),
            fork_of: (fork_of != 0).then_some(Pid(fork_of)),
            arch: match half(header::MACHINE)? {
                3 => Arch::X86,
                62 => Arch::Amd64,
                183 => Arch::Arm64,
                _ => Arch::Unknown,
            },
            word: half(header::WORD)?,
            interface: number(header::INTERFACE)?,
            start: field(bytes, header::START).map(u64::from_ne_bytes)?,
        })
    }
}

fn field<const N: usize>(bytes: &[u8], place: usize) -> Result<[u8; N], Malformed> {
    array(bytes, place).ok_or(Malformed::Short(bytes.len()))
}

/// Where a reader stands in a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    /// Cells read since the begin; the writer is told by writing it to [`header::HEAD`].
    pub read: u32,
    /// Events that found no room, as far as they were told of.
    lost: u32,
}

/// What a reading brought, besides its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Cells that were reserved and never written: their writer was killed, or its bytes are
    /// damaged.
    pub torn: u64,
    /// Events that found no room since the last reading.
    pub lost: u32,
}

impl Ring {
    /// Calls `each` with the events that are there. When the process is `gone`, nothing that is
    /// still to be written will be.
    pub fn drain(
        &mut self,
        buffer: &impl Buffer,
        gone: bool,
        mut each: impl FnMut(Event),
    ) -> Drained {
        let tail = buffer.counter(header::TAIL);
        let mut torn = 0_u64;
        if tail.wrapping_sub(self.read) > CELLS {
            // No writer goes that far ahead.
            torn = 1;
            self.read = tail.wrapping_sub(CELLS);
        }
        let mut text = Vec::new();
        while self.read != tail {
            let left = tail.wrapping_sub(self.read);
            match self.next(buffer, left, &mut text) {
                Cell::Event(fields, cells) => {
                    match fields.event(&text) {
                        Some(event) => each(event),
                        None => torn = torn.saturating_add(1),
                    }
                    self.read = self.read.wrapping_add(cells);
                }
                // The first cell of that event was never written, and is counted.
                Cell::More => self.read = self.read.wrapping_add(1),
                // Half of a ring full of others came after it: its thread was killed.
                Cell::Unwritten if gone || left > CELLS / 2 => {
                    torn = torn.saturating_add(1);
                    self.read = self.read.wrapping_add(1);
                }
                Cell::Unwritten => break,
            }
        }
        let lost = buffer.counter(header::LOST);
        let new = lost.wrapping_sub(self.lost);
        self.lost = lost;
        Drained { torn, lost: new }
    }

    fn next(&self, buffer: &impl Buffer, left: u32, text: &mut Vec<u8>) -> Cell {
        let Some(first) = written(buffer, self.read) else {
            return Cell::Unwritten;
        };
        let Some(fields) = Fields::of(&first) else {
            return Cell::Unwritten;
        };
        if fields.kind == kind::MORE {
            return Cell::More;
        }
        let cells = u32::from(fields.count).max(1);
        if cells > left {
            return Cell::Unwritten;
        }
        text.clear();
        text.extend_from_slice(first.get(cell::TEXT..).unwrap_or_default());
        for further in 1..cells {
            // Whoever sees the first cell sees the others.
            match written(buffer, self.read.wrapping_add(further)) {
                Some(more) if more.get(cell::KIND) == Some(&kind::MORE) => {
                    text.extend_from_slice(more.get(cell::MORE_TEXT..).unwrap_or_default());
                }
                _ => return Cell::Unwritten,
            }
        }
        if text.len() < usize::from(fields.text_bytes) {
            return Cell::Unwritten;
        }
        text.truncate(usize::from(fields.text_bytes));
        Cell::Event(fields, cells)
    }
}

enum Cell {
    Event(Fields, u32),
    More,
    Unwritten,
}

/// A cell, if it has been written.
fn written(buffer: &impl Buffer, number: u32) -> Option<[u8; CELL_BYTES]> {
    let cell = buffer.cell(number);
    let found = u32::from_ne_bytes(array(&cell, cell::NUMBER)?);
    (found == number.wrapping_add(1)).then_some(cell)
}
