//! What a file puts where in memory, before relocation.

use super::{Error, FileOffset, Svma, bytes::Bytes};
use std::fmt;
use std::sync::Arc;

/// One stretch of memory that the file fills: a `PT_LOAD` of ELF, a segment of Mach-O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// First address.
    pub address: Svma,
    /// Size in memory; what the file does not fill is zero.
    pub size: u64,
    /// Where its bytes are in the file.
    pub offset: FileOffset,
    /// How many there are.
    pub file_size: u64,
    /// Code may run there.
    pub executable: bool,
    /// It may be written to.
    pub writable: bool,
}

/// Translates between the file's offsets and addresses, and reads bytes by their address.
#[derive(Clone)]
pub struct Memory<'a> {
    data: &'a [u8],
    loads: Arc<[Load]>,
}

impl fmt::Debug for Memory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.loads.iter()).finish()
    }
}

impl<'a> Memory<'a> {
    pub(super) fn new(data: &'a [u8], loads: Vec<Load>) -> Self {
        Self {
            data,
            loads: loads.into(),
        }
    }

    /// The stretches, in the order of the file.
    #[must_use]
    pub fn loads(&self) -> &[Load] {
        &self.loads
    }

    /// The address that the byte at a file offset is loaded to.
    ///
    /// Where two stretches show the same byte (linkers share the page between code and data),
    /// code wins: the offsets that are asked about come from code.
    #[must_use]
    pub fn address_of(&self, offset: FileOffset) -> Option<Svma> {
        let shown = |load: &Load| {
            let into = offset.0.checked_sub(load.offset.0)?;
            (into < load.file_size).then(|| load.address.checked_add(into))?
        };
        let by_kind = |executable| {
            self.loads
                .iter()
                .filter(move |load| load.executable == executable)
                .find_map(shown)
        };
        by_kind(true).or_else(|| by_kind(false))
    }

    /// Where in the file the byte at an address comes from.
    #[must_use]
    pub fn offset_of(&self, address: Svma) -> Option<FileOffset> {
        self.loads.iter().find_map(|load| {
            let into = address.offset_from(load.address)?;
            let inside = into < load.file_size;
            inside.then(|| load.offset.0.checked_add(into).map(FileOffset))?
        })
    }

    /// Whether code may run at an address.
    #[must_use]
    pub fn is_code(&self, address: Svma) -> bool {
        self.loads.iter().any(|load| {
            load.executable
                && address
                    .offset_from(load.address)
                    .is_some_and(|into| into < load.size)
        })
    }

    /// The bytes at an address and after it, up to the end of the stretch that it lies in.
    ///
    /// # Errors
    ///
    /// When the file puts nothing there, or ends before.
    pub fn bytes_from(&self, what: &'static str, address: Svma) -> Result<&'a [u8], Error> {
        let missing = Error::Malformed {
            what,
            offset: address.0,
            value: address.0,
        };
        let load = self.loads.iter().find(|load| {
            address
                .offset_from(load.address)
                .is_some_and(|into| into < load.file_size)
        });
        let Some(load) = load else {
            return Err(missing);
        };
        let into = address.offset_from(load.address).unwrap_or(0);
        let start = load.offset.0.saturating_add(into);
        let wanted = load.file_size.saturating_sub(into);
        let available = (self.data.len() as u64).saturating_sub(start);
        if available == 0 {
            return Err(missing);
        }
        Bytes(self.data).slice(what, start, wanted.min(available))
    }

    /// The bytes of a stretch, as far as the file has them.
    #[must_use]
    pub fn contents(&self, load: &Load) -> &'a [u8] {
        self.bytes_from("segment", load.address).unwrap_or_default()
    }
}
