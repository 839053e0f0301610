//! One record of the perf side-band: bytes in, [`Side`] out.
//!
//! The layouts are those of `perf_event_open(2)`, with `sample_id_all` and a `sample_type` of
//! `PERF_SAMPLE_TIME` alone, so that every record ends with its time:
//!
//! ```text
//! header   u32 type, u16 misc, u16 size
//! 2 LOST   header, u64 id, u64 lost, u64 time
//! 3 COMM   header, u32 pid, u32 tid, name padded with zero bytes to 8, u64 time
//! 10 MMAP2 header, u32 pid, u32 tid, u64 address, length, offset,
//!          with misc bit 14: u8 size, u8, u16, u8 build_id[20]; else u32, u32, u64, u64,
//!          u32 protection, u32 flags, path padded with zero bytes to 8, u64 time
//! ```

use super::bytes::{Bytes, until_zero};
use crate::capture::Monotonic;
use crate::trace::Pid;

const LOST: u32 = 2;
const COMM: u32 = 3;
const MMAP2: u32 = 10;
const MISC_COMM_EXEC: u16 = 1 << 13;
const MISC_MMAP_BUILD_ID: u16 = 1 << 14;
const PROT_WRITE: u32 = 2;
const PROT_EXEC: u32 = 4;
/// Header, and the time at the end.
const TIME_BYTES: usize = 8;

/// What the side-band tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side<'a> {
    /// An executable range was mapped, or one of a file that is only read.
    Mapped {
        /// When.
        time: Monotonic,
        /// In which process.
        pid: Pid,
        /// First address.
        start: u64,
        /// Address after the last.
        end: u64,
        /// Offset in the file.
        offset: u64,
        /// Path, as the kernel names it.
        path: &'a [u8],
        /// Build id, or empty.
        build_id: &'a [u8],
        /// It can be executed.
        executable: bool,
    },
    /// A process has given up its old memory for a new program, which is loaded from now on.
    Replaced {
        /// When.
        time: Monotonic,
        /// Which process.
        pid: Pid,
    },
    /// Records were lost.
    Lost {
        /// When.
        time: Monotonic,
        /// How many.
        count: u64,
    },
}

impl<'a> Side<'a> {
    /// Reads one record; `None` for what is of no use here, or damaged.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut b = Bytes(bytes);
        let (kind, misc) = (b.u32()?, b.u16()?);
        let _size = b.u16()?;
        let body = b.0.len().checked_sub(TIME_BYTES)?;
        let mut body = Bytes(b.take(body)?);
        let time = Monotonic(b.u64()?);
        match kind {
            LOST => {
                let _id = body.u64()?;
                let count = body.u64()?;
                Some(Self::Lost { time, count })
            }
            COMM if misc & MISC_COMM_EXEC != 0 => {
                let pid = Pid(body.u32()?);
                Some(Self::Replaced { time, pid })
            }
            MMAP2 => mapped(&mut body, misc, time),
            _ => None,
        }
    }
}

fn mapped<'a>(b: &mut Bytes<'a>, misc: u16, time: Monotonic) -> Option<Side<'a>> {
    let pid = Pid(b.u32()?);
    let _tid = b.u32()?;
    let (start, length, offset) = (b.u64()?, b.u64()?, b.u64()?);
    let mut file = Bytes(b.take(24)?);
    let build_id = if misc & MISC_MMAP_BUILD_ID == 0 {
        &[]
    } else {
        let size = file.u8()?;
        file.take(3)?;
        file.take(size.into())?
    };
    let protection = b.u32()?;
    let _flags = b.u32()?;
    let path = until_zero(b.0);
    let executable = protection & PROT_EXEC != 0;
    let is_file = path.starts_with(b"/") && !path.starts_with(b"//");
    if !executable && (protection & PROT_WRITE != 0 || !is_file) {
        return None;
    }
    Some(Side::Mapped {
        time,
        pid,
        start,
        end: start.checked_add(length)?,
        offset,
        path,
        build_id,
        executable,
    })
}

#[cfg(test)]
#[path = "side_tests.rs"]
mod tests;
