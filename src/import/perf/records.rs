//! The data section in, its records out: in the order of the file, packed ones unpacked.
//!
//! ```text
//! record:     kind u32 │ misc u16 │ size u16, this header included │ body
//! COMPRESSED: a piece of one zstd stream, in which are records again, whole or in parts
//! COMPRESSED2: length u64 │ the same │ padding
//! AUXTRACE:   length of what follows the record u64 │ more
//! ```

use super::super::bytes::{Bytes, within};
use super::header::Header;
use std::borrow::Cow;
use zstd::stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer};

/// Kinds of records. Those from 64 on are perf's own.
pub(super) mod kind {
    pub(in super::super) const MMAP: u32 = 1;
    pub(in super::super) const LOST: u32 = 2;
    pub(in super::super) const COMM: u32 = 3;
    pub(in super::super) const EXIT: u32 = 4;
    pub(in super::super) const THROTTLE: u32 = 5;
    pub(in super::super) const FORK: u32 = 7;
    pub(in super::super) const SAMPLE: u32 = 9;
    pub(in super::super) const MMAP2: u32 = 10;
    pub(in super::super) const LOST_SAMPLES: u32 = 13;
    pub(in super::super) const OWN: u32 = 64;
    pub(in super::super) const HEADER_ATTR: u32 = 64;
    pub(in super::super) const HEADER_BUILD_ID: u32 = 67;
    pub(in super::super) const FINISHED_ROUND: u32 = 68;
    pub(super) const AUXTRACE: u32 = 71;
    pub(in super::super) const HEADER_FEATURE: u32 = 80;
    pub(super) const COMPRESSED: u32 = 81;
    pub(super) const COMPRESSED2: u32 = 83;
}

const HEAD: usize = 8;
/// No piece of 64 KiB that perf packs is larger.
const MOST_UNPACKED: usize = 64 << 20;
/// A step of unpacking.
const STEP: usize = 64 << 10;

/// A record, unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) kind: u32,
    pub(super) misc: u16,
    pub(super) body: Cow<'a, [u8]>,
    /// Where in the file it begins; of an unpacked one, what it was packed in.
    pub(super) offset: u64,
}

/// A record as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plain<'a> {
    pub(super) kind: u32,
    pub(super) misc: u16,
    pub(super) body: &'a [u8],
    pub(super) offset: u64,
}

/// Why reading stopped before the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stopped {
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) why: String,
}

/// Reads records one after the other.
pub(super) struct Records<'a> {
    rest: Bytes<'a>,
    offset: u64,
    decoder: Option<Decoder<'static>>,
    /// What is unpacked and not yet read, and from where on.
    unpacked: Vec<u8>,
    read: usize,
    pub(super) stopped: Option<Stopped>,
}

impl<'a> Records<'a> {
    pub(super) fn of(file: &'a [u8], header: &Header<'_>) -> Self {
        let (from, to) = header.data;
        Self {
            rest: Bytes(within(file, from, to.saturating_sub(from))),
            offset: from,
            decoder: None,
            unpacked: Vec::new(),
            read: 0,
            stopped: None,
        }
    }

    /// The records as they stand in the file, those that are packed left packed.
    pub(super) fn plain(mut self) -> impl Iterator<Item = Plain<'a>> {
        std::iter::from_fn(move || self.next_plain())
    }

    fn next_plain(&mut self) -> Option<Plain<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let offset = self.offset;
        let mut bytes = self.rest;
        let Some((kind, misc, body)) = take(&mut bytes) else {
            self.stop(offset, "no whole record");
            return None;
        };
        if kind == kind::AUXTRACE {
            let length = Bytes(body)
                .u64()
                .and_then(|length| usize::try_from(length).ok());
            if length.and_then(|length| bytes.take(length)).is_none() {
                self.stop(offset, "no whole trace of a processor");
                return None;
            }
        }
        let taken = self.rest.0.len().saturating_sub(bytes.0.len());
        self.offset = offset.saturating_add(taken as u64);
        self.rest = bytes;
        Some(Plain {
            kind,
            misc,
            body,
            offset,
        })
    }

    fn next_unpacked(&mut self) -> Option<Record<'a>> {
        let mut bytes = Bytes(self.unpacked.get(self.read..).unwrap_or_default());
        let before = bytes.0.len();
        let (kind, misc, body) = take(&mut bytes)?;
        let body = Cow::Owned(body.to_vec());
        let taken = before.saturating_sub(bytes.0.len());
        self.read = self.read.saturating_add(taken);
        Some(Record {
            kind,
            misc,
            body,
            offset: self.offset,
        })
    }

    /// Reads no further; what begins at `offset` is left out, too.
    fn stop(&mut self, offset: u64, why: &str) {
        let end = self.offset.saturating_add(self.rest.0.len() as u64);
        self.stopped = Some(Stopped {
            offset,
            bytes: end.saturating_sub(offset),
            why: why.to_owned(),
        });
        self.rest = Bytes(&[]);
    }

    /// Unpacks a piece behind what is left of those before it.
    fn unpack(&mut self, packed: &[u8]) -> Result<(), String> {
        self.unpacked.drain(..self.read.min(self.unpacked.len()));
        self.read = 0;
        let mut decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => Decoder::new().map_err(|error| error.to_string())?,
        };
        let mut input = InBuffer::around(packed);
        let mut step = vec![0; STEP];
        loop {
            let mut output = OutBuffer::around(step.as_mut_slice());
            decoder
                .run(&mut input, &mut output)
                .map_err(|error| error.to_string())?;
            let made = output.as_slice();
            if self.unpacked.len().saturating_add(made.len()) > MOST_UNPACKED {
                return Err(format!("more than {MOST_UNPACKED} bytes in one piece"));
            }
            self.unpacked.extend_from_slice(made);
            // Where the output was filled, there may be more of the same input.
            if input.pos() == packed.len() && made.len() < STEP {
                break;
            }
        }
        self.decoder = Some(decoder);
        Ok(())
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        loop {
            if let Some(record) = self.next_unpacked() {
                return Some(record);
            }
            let record = self.next_plain()?;
            let packed = match record.kind {
                kind::COMPRESSED => Some(record.body),
                kind::COMPRESSED2 => {
                    let mut bytes = Bytes(record.body);
                    let length = bytes.u64().and_then(|length| usize::try_from(length).ok());
                    Some(bytes.take(length.unwrap_or(0)).unwrap_or_default())
                }
                _ => None,
            };
            let Some(packed) = packed else {
                return Some(Record {
                    kind: record.kind,
                    misc: record.misc,
                    body: Cow::Borrowed(record.body),
                    offset: record.offset,
                });
            };
            if let Err(why) = self.unpack(packed) {
                self.unpacked.clear();
                self.stop(
                    record.offset,
                    &format!("what is packed cannot be unpacked: {why}"),
                );
            }
        }
    }
}

impl std::fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Records");
        shown.field("offset", &self.offset).finish_non_exhaustive()
    }
}

/// Takes one record; `None` where there is no whole one.
fn take<'b>(bytes: &mut Bytes<'b>) -> Option<(u32, u16, &'b [u8])> {
    let mut left = *bytes;
    let (kind, misc) = (left.u32()?, left.u16()?);
    let length = usize::from(left.u16()?).checked_sub(HEAD)?;
    let body = left.take(length)?;
    *bytes = left;
    Some((kind, misc, body))
}
