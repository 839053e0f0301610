//! The memory of another process: whoever watches it hands over a way to read it.

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
