//! From an instruction that Rosetta made to the one of the program that it was made for.
//!
//! ```text
//! map     0x00 k[4] (k[3] = 0)   0x04 not used     0x08 0 (u32)        0x0c 0 (u32)
//!         0x10 bytes of it all   0x14 chunks       0x18 where these    0x1c where the code is (to the end)
//! chunk   0x00 guest offset      0x04 host offset  0x08 byte of code   0x0c steps
//! ```
//!
//! All are `u32`, little-endian. A chunk is a place from which the code can be read: it has the two offsets
//! at its start. Each step of the code adds to both, in bits from the lowest of each byte on:
//!
//! ```text
//! rice(k[2]) = a
//! a > 0       the host advances by a instructions, the guest by rice(k[1]) bytes
//! a = 0       rice(k[2]) & 0xff = form
//!   form 0    32 bits: instructions of the host;  32 bits: bytes of the guest, which may be negative
//!   form 2    rice(k[2]), flags that do not matter here; then as for the others
//!   1, 3, 4   rice(k[2]) = a; a > 0: rice(k[1]) follows; a = 0: twice 32 bits, as in form 0
//! rice(k)     as many ones as the number's upper part says, a zero, and k bits of its lower part
//! ```
//!
//! Private to Rosetta. Found by the authors of rosettax87 (`guest_pc_map`), tried there on macOS 26.

use super::Torn;
use crate::capture::decode::memory::ReadMemory;

const HEADER: u32 = 0x20;
const CHUNK: u32 = 16;
/// More chunks than a map has.
const MOST_CHUNKS: u32 = 1 << 20;
/// Bytes of code that are read at once.
const WINDOW: usize = 256;
/// Bytes of code from the start of a chunk that are read at most: a chunk is there so that they are few.
const MOST_CODE: u32 = 1 << 20;
/// More than a step can advance, in instructions of 4 bytes: the whole of the largest piece.
const LONGEST_STEP: u32 = super::fragments::LARGEST / 4;

/// The map of one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetMap {
    at: u64,
    /// Parameters of [`Code::rice`]: for bytes of the guest, for instructions of the host.
    guest_bits: u32,
    host_bits: u32,
    chunks: u32,
    chunks_at: u64,
    code_at: u64,
    code_bytes: u32,
}

/// Where the code begins to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chunk {
    guest: u32,
    host: u32,
    byte: u32,
    steps: u32,
}

impl OffsetMap {
    /// Reads the head of a map.
    ///
    /// # Errors
    ///
    /// [`Torn`] where it cannot be read, is coded in another way, or has parts outside of itself.
    pub fn read(memory: &dyn ReadMemory, at: u64) -> Result<Self, Torn> {
        let mut head = [0; HEADER as usize];
        if !memory.read(at, &mut head) {
            return Err(Torn::Unmapped(at));
        }
        let [
            coding,
            _,
            zero,
            zeros,
            bytes,
            chunks,
            chunks_from,
            code_from,
        ] = words(&head);
        let [_, guest_bits, host_bits, other] = coding.to_le_bytes();
        if other != 0 || zero != 0 || zeros != 0 || guest_bits > 31 || host_bits > 31 {
            return Err(Torn::Coding(at));
        }
        let chunk_bytes = chunks.checked_mul(CHUNK).filter(|_| chunks <= MOST_CHUNKS);
        let chunks_to = chunk_bytes.and_then(|bytes| chunks_from.checked_add(bytes));
        let fits = chunks > 0
            && chunks_from >= HEADER
            && chunks_to.is_some_and(|end| end <= code_from)
            && code_from <= bytes;
        if !fits {
            return Err(Torn::Parts(at));
        }
        Ok(Self {
            at,
            guest_bits: guest_bits.into(),
            host_bits: host_bits.into(),
            chunks,
            chunks_at: at.wrapping_add(chunks_from.into()),
            code_at: at.wrapping_add(code_from.into()),
            code_bytes: bytes.saturating_sub(code_from),
        })
    }

    /// The guest's offset for one of the host, both from the start of the piece: that of the last step at
    /// or before it. `None` where it lies before the first.
    ///
    /// # Errors
    ///
    /// [`Torn`] where the map cannot be read up to there.
    pub fn guest(&self, memory: &dyn ReadMemory, host: u32) -> Result<Option<u32>, Torn> {
        let chunk = self.chunk_of(memory, host)?;
        if host < chunk.host {
            return Ok(None);
        }
        if chunk.byte > self.code_bytes {
            return Err(Torn::Parts(self.at));
        }
        let mut code = Code::new(memory, self, chunk.byte);
        let (mut at, mut guest) = (chunk.host, chunk.guest);
        for _ in 0..chunk.steps {
            let (instructions, bytes) = code.step()?;
            let advance = match instructions {
                0 => None,
                longer if longer > LONGEST_STEP => None,
                instructions => instructions.checked_mul(4),
            };
            let next = advance.and_then(|advance| at.checked_add(advance));
            at = next.ok_or(Torn::Code(self.at))?;
            if at > host {
                break;
            }
            // The guest jumps backwards, too.
            guest = guest.wrapping_add(bytes);
        }
        Ok(Some(guest))
    }

    /// The last chunk that begins at or before an offset of the host, or the first.
    fn chunk_of(&self, memory: &dyn ReadMemory, host: u32) -> Result<Chunk, Torn> {
        let (mut from, mut to) = (0, self.chunks);
        while to.saturating_sub(from) > 1 {
            let middle = from.midpoint(to);
            if self.chunk(memory, middle)?.host <= host {
                from = middle;
            } else {
                to = middle;
            }
        }
        self.chunk(memory, from)
    }

    fn chunk(&self, memory: &dyn ReadMemory, index: u32) -> Result<Chunk, Torn> {
        let address = self
            .chunks_at
            .wrapping_add(u64::from(index).wrapping_mul(CHUNK.into()));
        let mut bytes = [0; CHUNK as usize];
        if !memory.read(address, &mut bytes) {
            return Err(Torn::Unmapped(address));
        }
        let [guest, host, byte, steps] = words(&bytes);
        Ok(Chunk {
            guest,
            host,
            byte,
            steps,
        })
    }
}

/// The code, read window by window: the map of a program that was translated ahead of time has hundreds
/// of kilobytes.
struct Code<'m> {
    memory: &'m dyn ReadMemory,
    map: OffsetMap,
    window: Vec<u8>,
    /// Byte of the code that the window begins with.
    window_from: u32,
    /// The next bit.
    byte: u32,
    bit: u32,
    /// Behind the last byte.
    end: u32,
}

impl<'m> Code<'m> {
    fn new(memory: &'m dyn ReadMemory, map: &OffsetMap, byte: u32) -> Self {
        Self {
            memory,
            map: *map,
            window: Vec::with_capacity(WINDOW),
            window_from: 0,
            byte,
            bit: 0,
            end: map.code_bytes.min(byte.saturating_add(MOST_CODE)),
        }
    }

    /// Instructions of the host, and bytes of the guest.
    fn step(&mut self) -> Result<(u32, u32), Torn> {
        let map = self.map;
        let mut instructions = self.rice(map.host_bits)?;
        if instructions == 0 {
            match self.rice(map.host_bits)? & 0xff {
                0 => return Ok((self.bits(32)?, self.bits(32)?)),
                1 | 3 | 4 => {}
                2 => {
                    self.rice(map.host_bits)?;
                }
                _ => return Err(Torn::Coding(map.at)),
            }
            instructions = self.rice(map.host_bits)?;
            if instructions == 0 {
                return Ok((self.bits(32)?, self.bits(32)?));
            }
        }
        Ok((instructions, self.rice(map.guest_bits)?))
    }

    fn rice(&mut self, low_bits: u32) -> Result<u32, Torn> {
        let most = u32::MAX >> low_bits;
        let mut high = 0_u32;
        while self.one()? {
            high = high.wrapping_add(1);
            if high > most {
                return Err(Torn::Code(self.map.at));
            }
        }
        Ok(high.unbounded_shl(low_bits) | self.bits(low_bits)?)
    }

    fn bits(&mut self, count: u32) -> Result<u32, Torn> {
        let mut value = 0;
        for bit in 0..count {
            value |= u32::from(self.one()?).unbounded_shl(bit);
        }
        Ok(value)
    }

    /// Whether the next bit is set.
    fn one(&mut self) -> Result<bool, Torn> {
        let byte = self.current()?;
        let set = byte & 1_u8.unbounded_shl(self.bit) != 0;
        self.bit = self.bit.wrapping_add(1) % 8;
        if self.bit == 0 {
            self.byte = self.byte.saturating_add(1);
        }
        Ok(set)
    }

    fn current(&mut self) -> Result<u8, Torn> {
        let into = self.byte.saturating_sub(self.window_from);
        let into = usize::try_from(into).unwrap_or(WINDOW);
        if let Some(byte) = self.window.get(into) {
            return Ok(*byte);
        }
        let left = self.end.saturating_sub(self.byte);
        let bytes = usize::try_from(left).unwrap_or(WINDOW).min(WINDOW);
        let address = self.map.code_at.wrapping_add(self.byte.into());
        self.window.resize(bytes, 0);
        let is_there = self.memory.read(address, &mut self.window);
        self.window_from = self.byte;
        // At its end there is nothing to read.
        let first = self.window.first().copied();
        let first = first.ok_or(Torn::Code(self.map.at))?;
        is_there.then_some(first).ok_or(Torn::Unmapped(address))
    }
}

fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let (chunks, _) = bytes.as_chunks::<4>();
    let mut words = [0; N];
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u32::from_le_bytes(*chunk);
    }
    words
}

#[cfg(test)]
#[path = "offset_map_tests.rs"]
mod tests;
