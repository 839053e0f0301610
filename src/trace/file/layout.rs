//! Where bytes lie: the header of the file, the header of a block, the trailer.
//!
//! `docs/trace-format.md` holds the same tables for readers in other languages; a test compares.

use super::bytes::Malformed;
use crate::trace::{ClockAnchor, Nanos};

/// The first bytes of every trace. The first one is no ASCII, so a trace is no text file.
pub const MAGIC: [u8; 8] = *b"\x89gotrace";
/// The version that is written, and the newest that is read.
pub(super) const VERSION: u16 = 1;
/// Length of the file's header.
const HEADER_LENGTH_FIELD: u16 = 32;
pub(super) const HEADER_LENGTH: usize = HEADER_LENGTH_FIELD as usize;
/// The first bytes of every block.
pub(super) const SYNC: [u8; 4] = *b"\xb7blk";
/// Length of a block's header.
pub(super) const BLOCK_HEADER_LENGTH: usize = 44;
/// The last bytes of a sealed trace.
pub(super) const TRAILER_MAGIC: [u8; 8] = *b"gotrace\x89";
/// Length of the trailer.
pub(super) const TRAILER_LENGTH: usize = 20;
/// The most bytes that a block holds before compression. A longer one is damaged.
pub(super) const MAX_RAW: u32 = 16 << 20;
/// The most rows that a block holds. More are damage.
pub(super) const MAX_ROWS: u32 = 1 << 20;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Strings = 1,
    Images = 2,
    Frames = 3,
    Stacks = 4,
    Functions = 5,
    Symbols = 6,
    Records = 7,
    Samples = 8,
    Index = 9,
    Calls = 10,
    Bindings = 11,
    CallTrees = 12,
}

impl Kind {
    pub(super) const ALL: [Self; 12] = [
        Self::Strings,
        Self::Images,
        Self::Frames,
        Self::Stacks,
        Self::Functions,
        Self::Symbols,
        Self::Records,
        Self::Samples,
        Self::Index,
        Self::Calls,
        Self::Bindings,
        Self::CallTrees,
    ];

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&kind| kind as u8 == number)
    }
}

/// How the contents of a block are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Codec {
    /// As they are.
    Plain = 0,
    /// As one zstd frame.
    Zstd = 1,
}

impl Codec {
    pub(super) fn from_number(number: u8) -> Option<Self> {
        [Self::Plain, Self::Zstd]
            .into_iter()
            .find(|&codec| codec as u8 == number)
    }
}

/// The header of a file.
///
/// ```text
///  0      8    10    12            20            28     32
/// ┌───────┬─────┬─────┬─────────────┬─────────────┬──────┐
/// │ magic │ ver │ len │ monotonic   │ unix        │ crc  │   numbers are little-endian
/// └───────┴─────┴─────┴─────────────┴─────────────┴──────┘   crc: CRC-32 of bytes 0 to 28
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u16,
    pub(super) anchor: ClockAnchor,
    /// The checksum does not fit the other bytes.
    pub(super) damaged: bool,
}

impl Header {
    pub(super) fn encode(anchor: ClockAnchor) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LENGTH);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&HEADER_LENGTH_FIELD.to_le_bytes());
        bytes.extend_from_slice(&anchor.monotonic_ns.to_le_bytes());
        bytes.extend_from_slice(&anchor.unix_ns.to_le_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The version alone: a newer one need not have the rest where version 1 has it.
    pub(super) fn version(bytes: &[u8]) -> Option<u16> {
        Some(u16::from_le_bytes(array(bytes, 8)?))
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let crc = u32::from_le_bytes(array(bytes, 28)?);
        Some(Self {
            version: Self::version(bytes)?,
            anchor: ClockAnchor {
                monotonic_ns: u64::from_le_bytes(array(bytes, 12)?),
                unix_ns: u64::from_le_bytes(array(bytes, 20)?),
            },
            damaged: crc32fast::hash(bytes.get(..28)?) != crc,
        })
    }
}

/// The header of a block. The contents follow it.
///
/// ```text
///  0      4    5     6     8     12     16     20       28     36      40       44
/// ┌──────┬────┬─────┬─────┬──────┬──────┬──────┬────────┬──────┬───────┬────────┐
/// │ sync │kind│codec│  0  │ rows │ raw  │stored│  from  │  to  │  crc  │ header │
/// └──────┴────┴─────┴─────┴──────┴──────┴──────┴────────┴──────┴───────┴────────┘
/// rows: how many the contents hold       from, to: time of the first and the last row, in ns
/// raw: bytes before compression          crc: CRC-32 of the contents as stored
/// stored: bytes that follow              header: CRC-32 of bytes 0 to 40
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockHeader {
    /// A [`Kind`], or the number of one that a later gotrace knows.
    pub(super) kind: u8,
    pub(super) codec: u8,
    pub(super) rows: u32,
    pub(super) raw: u32,
    pub(super) stored: u32,
    pub(super) from: Nanos,
    pub(super) to: Nanos,
    pub(super) crc: u32,
}

impl BlockHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BLOCK_HEADER_LENGTH);
        bytes.extend_from_slice(&SYNC);
        bytes.extend_from_slice(&[self.kind, self.codec, 0, 0]);
        bytes.extend_from_slice(&self.rows.to_le_bytes());
        bytes.extend_from_slice(&self.raw.to_le_bytes());
        bytes.extend_from_slice(&self.stored.to_le_bytes());
        bytes.extend_from_slice(&self.from.0.to_le_bytes());
        bytes.extend_from_slice(&self.to.0.to_le_bytes());
        bytes.extend_from_slice(&self.crc.to_le_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header, and `None` where the bytes are none: its checksum tells.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let crc = u32::from_le_bytes(array(bytes, 40)?);
        if array(bytes, 0)? != SYNC || crc32fast::hash(bytes.get(..40)?) != crc {
            return None;
        }
        Self::fields(bytes.get(4..40)?)
    }

    /// Reads what stands between the sync bytes and the checksum of the header.
    pub(super) fn fields(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            kind: *bytes.first()?,
            codec: *bytes.get(1)?,
            rows: u32::from_le_bytes(array(bytes, 4)?),
            raw: u32::from_le_bytes(array(bytes, 8)?),
            stored: u32::from_le_bytes(array(bytes, 12)?),
            from: Nanos(u64::from_le_bytes(array(bytes, 16)?)),
            to: Nanos(u64::from_le_bytes(array(bytes, 24)?)),
            crc: u32::from_le_bytes(array(bytes, 32)?),
        })
    }

    /// The contents as they were before compression.
    pub(super) fn unpack(&self, stored: &[u8]) -> Result<Vec<u8>, Malformed> {
        if self.raw > MAX_RAW {
            return Err(Malformed("expected at most 16 MiB of contents, found more"));
        }
        if self.rows > MAX_ROWS {
            return Err(Malformed("expected at most 1 Mi rows, found more"));
        }
        if crc32fast::hash(stored) != self.crc {
            return Err(Malformed("expected another checksum of the contents"));
        }
        let raw = match Codec::from_number(self.codec) {
            None => return Err(Malformed("expected codec 0 or 1, found another one")),
            Some(Codec::Plain) => stored.to_vec(),
            Some(Codec::Zstd) => zstd::bulk::decompress(stored, self.raw as usize)
                .map_err(|_error| Malformed("expected a whole zstd frame"))?,
        };
        if raw.len() as u64 == u64::from(self.raw) {
            Ok(raw)
        } else {
            Err(Malformed("expected contents of another length"))
        }
    }
}

/// The end of a sealed file.
///
/// ```text
///  0                8      12            20
/// ┌────────────────┬──────┬─────────────┐
/// │ offset of index│ crc  │ magic       │   crc: CRC-32 of bytes 0 to 8
/// └────────────────┴──────┴─────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) index: u64,
}

impl Trailer {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(TRAILER_LENGTH);
        bytes.extend_from_slice(&self.index.to_le_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.extend_from_slice(&TRAILER_MAGIC);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let index: [u8; 8] = array(bytes, 0)?;
        let crc = u32::from_le_bytes(array(bytes, 8)?);
        let sound = array(bytes, 12)? == TRAILER_MAGIC && crc32fast::hash(&index) == crc;
        sound.then_some(Self {
            index: u64::from_le_bytes(index),
        })
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
