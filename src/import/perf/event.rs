//! The body of a record in, what it tells out.
//!
//! ```text
//! MMAP:   pid u32 │ tid u32 │ address u64 │ length u64 │ file offset u64 │ path
//! MMAP2:  as MMAP up to the file offset │ device and inode [24], or with bit 14 of misc: length of the
//!         build id u8, [3], build id [20] │ protection u32 │ flags u32 │ path
//! COMM:   pid u32 │ tid u32 │ name
//! FORK, EXIT: pid u32 │ parent's pid u32 │ tid u32 │ parent's tid u32 │ time u64
//! LOST:   id u64 │ count u64
//! LOST_SAMPLES: count u64
//! SAMPLE: the fields that sample_type names, in this order:
//!         identifier │ ip │ pid u32, tid u32 │ time │ address │ id │ stream │ cpu u32, [4] │ period
//!         │ read │ number of callers u64, callers │ more
//! read:   value │ enabled, running, id, lost: those that read_format names; of a group: number
//!         │ enabled, running │ of each: value, id, lost
//! end of all but SAMPLE, with sample_id_all: of these fields pid and tid, time, id, stream, cpu,
//!         identifier
//! ```

use super::super::bytes::Bytes;
use super::header::{Event, Header, field};
use super::records::{Record, kind};

/// What `misc` tells.
mod bit {
    pub(super) const MODE: u16 = 7;
    pub(super) const KERNEL: u16 = 1;
    pub(super) const GUEST_KERNEL: u16 = 4;
    /// Of a mapping: what is mapped is no code; of a name: an exec gave it.
    pub(super) const DATA_OR_EXEC: u16 = 1 << 13;
    pub(super) const BUILD_ID: u16 = 1 << 14;
}

/// From here on a caller is no address: it says whose the next ones are.
const CONTEXTS: u64 = (-4_095_i64).cast_unsigned();
const KERNEL: u64 = (-128_i64).cast_unsigned();
const USER: u64 = (-512_i64).cast_unsigned();
/// `PROT_EXEC`.
const EXECUTABLE: u32 = 4;

/// What a record tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told<'r> {
    Mapped(Mapped<'r>),
    /// A thread has a name; where `exec`, of the program that it now runs.
    Named {
        pid: u32,
        tid: u32,
        name: &'r [u8],
        exec: bool,
    },
    /// A thread began; where its pid is not its parent's, a process.
    Forked {
        pid: u32,
        parent: u32,
        tid: u32,
    },
    /// A thread ended.
    Ended {
        pid: u32,
        tid: u32,
    },
    LostEvents(u64),
    LostSamples(u64),
    /// The kernel took no samples for a while.
    Throttled,
    Sampled(Sampled),
    /// Nothing that is kept.
    Other,
}

/// Code that was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapped<'r> {
    pub(super) pid: u32,
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) offset: u64,
    pub(super) build_id: &'r [u8],
    pub(super) path: &'r [u8],
}

/// What a thread was doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sampled {
    pub(super) pid: u32,
    pub(super) tid: u32,
    pub(super) period: u64,
    pub(super) in_kernel: bool,
    /// Innermost first.
    pub(super) kernel: Vec<u64>,
    pub(super) user: Vec<u64>,
    /// Callers were recorded, not only where it was.
    pub(super) has_callers: bool,
}

/// Reads a record; `None` for one that is too short for its kind.
pub(super) fn told<'r>(record: &'r Record<'_>, event: &Event) -> Option<Told<'r>> {
    let mut bytes = Bytes(&record.body);
    let is_data_or_exec = record.misc & bit::DATA_OR_EXEC != 0;
    Some(match record.kind {
        kind::MMAP | kind::MMAP2 if is_data_or_exec || is_kernel(record.misc) => Told::Other,
        kind::MMAP | kind::MMAP2 => return mapped(record, bytes),
        kind::COMM => Told::Named {
            pid: bytes.u32()?,
            tid: bytes.u32()?,
            name: bytes.string(),
            exec: is_data_or_exec,
        },
        kind::FORK => {
            let (pid, parent) = (bytes.u32()?, bytes.u32()?);
            let tid = bytes.u32()?;
            Told::Forked { pid, parent, tid }
        }
        kind::EXIT => {
            let (pid, _parent) = (bytes.u32()?, bytes.u32()?);
            let tid = bytes.u32()?;
            Told::Ended { pid, tid }
        }
        kind::LOST => {
            let _id = bytes.u64()?;
            Told::LostEvents(bytes.u64()?)
        }
        kind::LOST_SAMPLES => Told::LostSamples(bytes.u64()?),
        kind::THROTTLE => Told::Throttled,
        kind::SAMPLE => Told::Sampled(sampled(record, event)?),
        _ => Told::Other,
    })
}

const fn is_kernel(misc: u16) -> bool {
    matches!(misc & bit::MODE, bit::KERNEL | bit::GUEST_KERNEL)
}

fn mapped<'r>(record: &'r Record<'_>, mut bytes: Bytes<'r>) -> Option<Told<'r>> {
    let (pid, _tid) = (bytes.u32()?, bytes.u32()?);
    let (start, length, offset) = (bytes.u64()?, bytes.u64()?, bytes.u64()?);
    let mut build_id = &[][..];
    if record.kind == kind::MMAP2 {
        let mut file = Bytes(bytes.take(24)?);
        if record.misc & bit::BUILD_ID != 0 {
            let size = usize::from(file.u8()?);
            let _padding = file.take(3)?;
            build_id = file.0.get(..size).unwrap_or(file.0);
        }
        let (protection, _flags) = (bytes.u32()?, bytes.u32()?);
        if protection & EXECUTABLE == 0 {
            return Some(Told::Other);
        }
    }
    Some(Told::Mapped(Mapped {
        pid,
        start,
        length,
        offset,
        build_id,
        path: bytes.string(),
    }))
}

fn sampled(record: &Record<'_>, event: &Event) -> Option<Sampled> {
    let mut bytes = Bytes(&record.body);
    let mut sample = Sampled {
        in_kernel: is_kernel(record.misc),
        ..Sampled::default()
    };
    let has = |bit: u64| event.sample_type & bit != 0;
    let number = |bit: u64, bytes: &mut Bytes<'_>| match has(bit) {
        true => bytes.u64(),
        false => Some(0),
    };
    let _identifier = number(field::IDENTIFIER, &mut bytes)?;
    let address = number(field::IP, &mut bytes)?;
    if has(field::TID) {
        sample.pid = bytes.u32()?;
        sample.tid = bytes.u32()?;
    }
    for bit in [field::TIME, field::ADDR, field::ID, field::STREAM_ID] {
        let _passed_over = number(bit, &mut bytes)?;
    }
    let _cpu = number(field::CPU, &mut bytes)?;
    sample.period = number(field::PERIOD, &mut bytes)?;
    if has(field::READ) {
        pass_over_values(&mut bytes, event.read_format)?;
    }
    sample.has_callers = has(field::CALLCHAIN);
    if sample.has_callers {
        callers(&mut bytes, &mut sample)?;
    } else if sample.in_kernel {
        sample.kernel.push(address);
    } else {
        sample.user.push(address);
    }
    Some(sample)
}

/// The read-out of counters, which no view shows.
fn pass_over_values(bytes: &mut Bytes<'_>, read_format: u64) -> Option<()> {
    const GROUP: u64 = 8;
    const TIMES: u64 = 1 | 2;
    const OF_EACH: u64 = 4 | 16;
    let ones = |bits: u64| u64::from((read_format & bits).count_ones());
    let each = ones(OF_EACH).saturating_add(1);
    let values = match read_format & GROUP {
        0 => 1,
        _ => bytes.u64()?,
    };
    let words = values.checked_mul(each)?.checked_add(ones(TIMES))?;
    let length = usize::try_from(words.checked_mul(8)?).ok()?;
    bytes.take(length).map(|_values| ())
}

fn callers(bytes: &mut Bytes<'_>, sample: &mut Sampled) -> Option<()> {
    let length = usize::try_from(bytes.u64()?.checked_mul(8)?).ok()?;
    let mut callers = Bytes(bytes.take(length)?);
    let mut context = if sample.in_kernel { KERNEL } else { USER };
    while let Some(caller) = callers.u64() {
        match context {
            _ if caller >= CONTEXTS => context = caller,
            KERNEL => sample.kernel.push(caller),
            USER => sample.user.push(caller),
            // Of a guest, or of a kind that came later.
            _ => {}
        }
    }
    Some(())
}

/// When a record was made, and of which event it is. Without a time it is zero: of what perf makes
/// itself, about what was there before.
pub(super) fn when(record: &Record<'_>, header: &Header<'_>) -> (u64, usize) {
    if record.kind >= kind::OWN {
        return (0, 0);
    }
    let Some(first) = header.events.first() else {
        return (0, 0);
    };
    let find = |bit: u64, event: &Event| {
        if record.kind == kind::SAMPLE {
            from_start(&record.body, bit, event)
        } else {
            from_end(&record.body, bit, event)
        }
    };
    // Where events differ, all of them have an identifier, which stands first and last.
    let id = find(field::IDENTIFIER, first).or_else(|| find(field::ID, first));
    let event = id.and_then(|id| header.event_with(id)).unwrap_or(0);
    let time = header
        .events
        .get(event)
        .and_then(|event| find(field::TIME, event));
    (time.unwrap_or(0), event)
}

/// A field at the start of a sample.
fn from_start(body: &[u8], bit: u64, event: &Event) -> Option<u64> {
    let order = [
        field::IDENTIFIER,
        field::IP,
        field::TID,
        field::TIME,
        field::ADDR,
        field::ID,
    ];
    let before = order.iter().take_while(|field| **field != bit);
    let at = words(before, event)?;
    (event.sample_type & bit != 0).then(|| Bytes(body.get(at..)?).u64())?
}

/// A field at the end of another record.
fn from_end(body: &[u8], bit: u64, event: &Event) -> Option<u64> {
    let order = [
        field::IDENTIFIER,
        field::CPU,
        field::STREAM_ID,
        field::ID,
        field::TIME,
    ];
    if !event.identifies_all || event.sample_type & bit == 0 {
        return None;
    }
    let behind = order.iter().take_while(|field| **field != bit);
    let from_end = words(behind, event)?.checked_add(8)?;
    Bytes(body.get(body.len().checked_sub(from_end)?..)?).u64()
}

/// The length of those fields that are there.
fn words<'f>(fields: impl Iterator<Item = &'f u64>, event: &Event) -> Option<usize> {
    let there = fields.filter(|field| event.sample_type & **field != 0);
    there.count().checked_mul(8)
}
