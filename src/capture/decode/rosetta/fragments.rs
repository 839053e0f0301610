//! The pieces that Rosetta translated the program in: a tree in the memory of its runtime.
//!
//! ```text
//! runtime + 0x3ba08   -> root of the tree by addresses of the host
//! piece   0x30 -> pieces below   0x38 -> pieces above   0x48 guest's start     0x58 host's start
//!         0x78 kind (u8)         0x80 -> map            0x98 guest bytes (u32) 0x9c host bytes (u32)
//! ```
//!
//! Private to Rosetta, and of one runtime: [`Runtime::of`] knows it by its UUID. Found by the authors of
//! rosettax87 (`guest_pc_map`), tried there on macOS 26.

use super::Torn;
use super::offset_map::OffsetMap;
use crate::capture::decode::memory::ReadMemory;

/// Bytes of code of the largest piece: a program that was translated ahead of time is one.
pub(super) const LARGEST: u32 = 64 << 20;
/// The tree is not balanced; a circle must end all the same.
const DEEPEST: u32 = 4096;
/// The part of a piece that is read.
const PIECE_FROM: u64 = 0x30;
const PIECE_BYTES: usize = 0x70;
/// Below it no piece is: the first page is never mapped.
const LOWEST: u64 = 0x1000;

/// `kind` of code that is the runtime's own.
const OWN: u8 = 0;
/// `kind` of translated code.
const TRANSLATED: u8 = 4;

/// A runtime of Rosetta, `/usr/libexec/rosetta/runtime`, whose structures are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Where its header is.
    pub address: u64,
    /// Of the pointer to the root, from there.
    pub root: u64,
}

/// What is known of runtimes: the UUID of the file, the root's offset.
///
/// Empty: the offset `0x3ba08` is known of a runtime of macOS 26 whose UUID nobody has written down.
const KNOWN: &[([u8; 16], u64)] = &[];

impl Runtime {
    /// The runtime at an address, if its UUID is one whose structures are known.
    #[must_use]
    pub fn of(address: u64, uuid: [u8; 16]) -> Option<Self> {
        let known = KNOWN.iter().find(|(known, _)| *known == uuid);
        known.map(|(_, root)| Self {
            address,
            root: *root,
        })
    }

    /// The place in the program for one of the machine.
    ///
    /// # Errors
    ///
    /// [`Torn`]: the structures are not as expected, or were changed while they were read.
    pub fn guest(&self, memory: &dyn ReadMemory, host: u64) -> Result<Guest, Torn> {
        let Some(piece) = self.piece(memory, host)? else {
            return Ok(Guest::Elsewhere);
        };
        match piece.kind {
            OWN => Ok(Guest::Runtime),
            TRANSLATED => piece.guest(memory, host),
            kind => Err(Torn::Kind(piece.at, kind)),
        }
    }

    /// The piece that has an address of the host.
    fn piece(&self, memory: &dyn ReadMemory, host: u64) -> Result<Option<Piece>, Torn> {
        let root = self.address.wrapping_add(self.root);
        let mut next = memory.long(root).ok_or(Torn::Unmapped(root))?;
        for _ in 0..DEEPEST {
            if next == 0 {
                return Ok(None);
            }
            let piece = Piece::read(memory, next)?;
            next = match host.checked_sub(piece.host) {
                None => piece.below,
                Some(into) if into < piece.host_bytes.into() => return Ok(Some(piece)),
                Some(_) => piece.above,
            };
        }
        Err(Torn::Depth(DEEPEST))
    }
}

/// What the program was doing at a place of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// It was at this address: the pinned registers hold its own.
    At(u64),
    /// In a translated piece, before the first instruction of the program that it was made for.
    Entering,
    /// In Rosetta's own code.
    Runtime,
    /// In no piece: in a system call, or in code that Rosetta does not list.
    Elsewhere,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    at: u64,
    below: u64,
    above: u64,
    guest: u64,
    host: u64,
    kind: u8,
    map: u64,
    guest_bytes: u32,
    host_bytes: u32,
}

impl Piece {
    fn read(memory: &dyn ReadMemory, at: u64) -> Result<Self, Torn> {
        if at < LOWEST || !at.is_multiple_of(8) {
            return Err(Torn::Pointer(at));
        }
        let from = at.checked_add(PIECE_FROM).ok_or(Torn::Pointer(at))?;
        let mut bytes = [0; PIECE_BYTES];
        if !memory.read(from, &mut bytes) {
            return Err(Torn::Unmapped(from));
        }
        let (longs, _) = bytes.as_chunks::<8>();
        let longs: &[[u8; 8]; PIECE_BYTES / 8] = longs.try_into().unwrap_or(&[[0; 8]; 14]);
        let [
            below,
            above,
            _,
            guest,
            _,
            host,
            _,
            _,
            _,
            kind,
            map,
            _,
            _,
            sizes,
        ] = longs.map(u64::from_le_bytes);
        let [guest_bytes, host_bytes] = halves(sizes);
        if host_bytes == 0 || host_bytes > LARGEST {
            return Err(Torn::Size(at, host_bytes));
        }
        let [kind, ..] = kind.to_le_bytes();
        Ok(Self {
            at,
            below,
            above,
            guest,
            host,
            kind,
            map,
            guest_bytes,
            host_bytes,
        })
    }

    fn guest(&self, memory: &dyn ReadMemory, host: u64) -> Result<Guest, Torn> {
        if self.map == 0 || self.guest_bytes == 0 {
            return Err(Torn::NoMap(self.at));
        }
        let map = OffsetMap::read(memory, self.map)?;
        let into = host.wrapping_sub(self.host);
        let into = u32::try_from(into).unwrap_or(u32::MAX);
        match map.guest(memory, into)? {
            None => Ok(Guest::Entering),
            // At its end when all of its instructions are done.
            Some(into) if into <= self.guest_bytes => {
                Ok(Guest::At(self.guest.wrapping_add(into.into())))
            }
            Some(_) => Err(Torn::Outside(self.map)),
        }
    }
}

/// The lower and the upper half.
fn halves(long: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = long.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes)
}

#[cfg(test)]
#[path = "fragments_tests.rs"]
mod tests;
