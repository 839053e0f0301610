//! How a trace file's bytes are spent, by kind of block.

use super::Error;
use super::disk::Disk;
use super::layout::{BLOCK_HEADER_LENGTH, Kind};
use std::collections::BTreeMap;
use std::path::Path;

/// What the blocks of one kind take in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindSize {
    /// Number of the kind, as the file has it.
    pub kind: u8,
    /// Its name; `None` for a kind that only a later gotrace knows, and for kind 0, which stands
    /// for bytes outside of blocks: header, trailer, damage.
    pub name: Option<&'static str>,
    /// How many blocks.
    pub blocks: u64,
    /// How many rows are in them.
    pub rows: u64,
    /// Bytes of contents before compression.
    pub raw_bytes: u64,
    /// Bytes in the file, headers of blocks included.
    pub stored_bytes: u64,
}

/// Says how the bytes of a file are spent. The sum of `stored_bytes` is the file's length.
///
/// # Errors
///
/// As for [`crate::trace::Trace::open`].
pub fn sizes(path: &Path) -> Result<Vec<KindSize>, Error> {
    let (disk, _header) = Disk::open(path)?;
    let found = disk.blocks()?;
    let mut kinds: BTreeMap<u8, KindSize> = BTreeMap::new();
    let mut outside = disk.length();
    for block in found.blocks.iter().chain(&found.index) {
        let header = &block.header;
        let size = kinds.entry(header.kind).or_insert(KindSize {
            kind: header.kind,
            name: Kind::from_number(header.kind).map(Kind::name),
            ..KindSize::default()
        });
        let stored = u64::from(header.stored).saturating_add(BLOCK_HEADER_LENGTH as u64);
        size.blocks = size.blocks.saturating_add(1);
        size.rows = size.rows.saturating_add(u64::from(header.rows));
        size.raw_bytes = size.raw_bytes.saturating_add(u64::from(header.raw));
        size.stored_bytes = size.stored_bytes.saturating_add(stored);
        outside = outside.saturating_sub(stored);
    }
    let mut sizes = vec![KindSize {
        stored_bytes: outside,
        ..KindSize::default()
    }];
    sizes.extend(kinds.into_values());
    Ok(sizes)
}
