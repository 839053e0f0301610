//! The memory of another process: whoever watches it hands over a way to read it.

/// Reads the memory of a process.
pub trait ReadMemory {
    /// Fills `into` from an address on; false when there is no such memory.
    fn read(&self, address: u64, into: &mut [u8]) -> bool;
}
