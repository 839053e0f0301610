//! Addresses as an executable file states them.

use std::fmt;

/// Stated virtual memory address: where the file says that a byte is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Svma(pub u64);

/// Offset of a byte in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileOffset(pub u64);

impl Svma {
    /// The address `by` bytes further on, `None` beyond the end of the address space.
    #[must_use]
    pub const fn checked_add(self, by: u64) -> Option<Self> {
        match self.0.checked_add(by) {
            Some(address) => Some(Self(address)),
            None => None,
        }
    }

    /// How many bytes this address lies after `start`, `None` when it lies before it.
    #[must_use]
    pub const fn offset_from(self, start: Self) -> Option<u64> {
        self.0.checked_sub(start.0)
    }
}

impl fmt::Display for Svma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for FileOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{:#x}", self.0)
    }
}
