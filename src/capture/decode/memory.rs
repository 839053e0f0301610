//! The memory of another process: whoever watches it hands over a way to read it.

use std::cell::RefCell;
use std::fmt;

/// Reads the memory of a process.
pub trait ReadMemory {
    /// Fills `into` from an address on; false when there is no such memory.
    fn read(&self, address: u64, into: &mut [u8]) -> bool;

    /// Eight bytes, little-endian; `None` when there is no such memory.
    fn long(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        let whole = self.read(address, &mut bytes);
        whole.then(|| u64::from_le_bytes(bytes))
    }
}

/// A copy of memory, as of a thread's stack that was copied while the thread stood still.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryCopy {
    /// Where the first byte was.
    pub start: u64,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl ReadMemory for MemoryCopy {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let from = address
            .checked_sub(self.start)
            .and_then(|from| usize::try_from(from).ok());
        let Some(bytes) = from.and_then(|from| self.bytes.get(from..)?.get(..into.len())) else {
            return false;
        };
        into.copy_from_slice(bytes);
        true
    }
}

/// The memory of a process that stands still, read piece by piece, and each piece once: a walk along a stack reads
/// words that lie close to each other, and to read costs a call.
pub struct Pieces<'m> {
    memory: &'m dyn ReadMemory,
    read: RefCell<Vec<MemoryCopy>>,
}

/// Bytes of a piece: a page of Apple Silicon.
const PIECE: u64 = 1 << 14;
/// Where such a piece is not whole: a page of Intel, and of translated processes.
const SMALL_PIECE: u64 = 1 << 12;
/// Pieces at most: the deepest walk reads no more.
const MOST_PIECES: usize = 64;

impl<'m> Pieces<'m> {
    /// Of a process's memory.
    #[must_use]
    pub fn of(memory: &'m dyn ReadMemory) -> Self {
        Self {
            memory,
            read: RefCell::default(),
        }
    }

    fn piece(&self, address: u64, bytes: u64) -> Option<MemoryCopy> {
        let start = address.checked_div(bytes)?.checked_mul(bytes)?;
        let mut piece = vec![0; usize::try_from(bytes).ok()?];
        self.memory.read(start, &mut piece).then_some(MemoryCopy {
            start,
            bytes: piece,
        })
    }
}

impl ReadMemory for Pieces<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let mut read = self.read.borrow_mut();
        if read.iter().any(|piece| piece.read(address, into)) {
            return true;
        }
        let piece = [PIECE, SMALL_PIECE]
            .into_iter()
            .filter(|_| read.len() < MOST_PIECES)
            .find_map(|bytes| self.piece(address, bytes));
        match piece {
            Some(piece) if piece.read(address, into) => {
                read.push(piece);
                true
            }
            // Across the end of a piece, or too many of them.
            _ => self.memory.read(address, into),
        }
    }
}

impl fmt::Debug for Pieces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pieces").finish_non_exhaustive()
    }
}

/// Memory of made-up processes, in pieces.
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests may panic")]
pub(super) mod made_up {
    use super::{MemoryCopy, ReadMemory};

    /// Pieces that do not overlap; reads do not go from one into the next.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Memory(pub(crate) Vec<MemoryCopy>);

    impl Memory {
        /// Adds a piece.
        pub(crate) fn put(&mut self, start: u64, bytes: impl Into<Vec<u8>>) {
            let bytes = bytes.into();
            self.0.push(MemoryCopy { start, bytes });
        }

        /// Changes bytes of a piece.
        pub(crate) fn set(&mut self, address: u64, bytes: &[u8]) {
            let piece = self.0.iter_mut().find(|piece| {
                (piece.start..piece.start + piece.bytes.len() as u64).contains(&address)
            });
            let piece = piece.expect("a piece with this address");
            let from = usize::try_from(address - piece.start).unwrap();
            piece.bytes[from..from + bytes.len()].copy_from_slice(bytes);
        }
    }

    impl ReadMemory for Memory {
        fn read(&self, address: u64, into: &mut [u8]) -> bool {
            self.0.iter().any(|piece| piece.read(address, into))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Counts how often it is read.
    struct Counted(MemoryCopy, Cell<u32>);

    impl ReadMemory for Counted {
        fn read(&self, address: u64, into: &mut [u8]) -> bool {
            self.1.set(self.1.get().saturating_add(1));
            self.0.read(address, into)
        }
    }

    fn counted(start: u64, bytes: usize) -> Counted {
        let bytes = (0..bytes).map(|at| at.to_le_bytes()[1]).collect();
        Counted(MemoryCopy { start, bytes }, Cell::new(0))
    }

    #[test]
    fn a_piece_is_read_once() {
        let memory = counted(0x4000, 0x8000);
        let pieces = Pieces::of(&memory);
        for address in (0x4000..0x8000).step_by(8) {
            assert_eq!(pieces.long(address), memory.0.long(address));
        }
        assert_eq!(memory.1.get(), 1);
        assert_eq!(pieces.long(0x7ffc), memory.0.long(0x7ffc), "across its end");
        assert_eq!(pieces.long(0xbff8), memory.0.long(0xbff8));
        assert_eq!(pieces.long(0xc000), None);
        assert_eq!(pieces.long(u64::MAX), None);
    }

    #[test]
    fn a_piece_that_is_not_whole_is_read_as_a_smaller_one() {
        let memory = counted(0x5000, 0x1000);
        let pieces = Pieces::of(&memory);
        for address in (0x5000..0x6000).step_by(8) {
            assert_eq!(pieces.long(address), memory.0.long(address));
        }
        assert_eq!(memory.1.get(), 2, "the large one, and the small one");
        let odd = counted(0x5100, 0x100);
        assert_eq!(Pieces::of(&odd).long(0x5108), odd.0.long(0x5108));
    }

    #[test]
    fn a_process_cannot_have_it_keep_more_and_more() {
        let memory = counted(0, 200 * 0x4000);
        let pieces = Pieces::of(&memory);
        for piece in 0..200 {
            assert!(pieces.long(piece * 0x4000).is_some());
        }
        assert_eq!(pieces.read.borrow().len(), MOST_PIECES);
    }

    #[test]
    fn a_copy_has_what_it_has() {
        let copy = MemoryCopy {
            start: 0x1000,
            bytes: vec![1, 0, 0, 0, 2, 0, 0, 0],
        };
        assert_eq!(copy.long(0x1000), Some(0x2_0000_0001));
        for outside in [0xfff, 0x1001, 0x1005, u64::MAX] {
            assert_eq!(copy.long(outside), None, "{outside:#x}");
        }
    }
}
