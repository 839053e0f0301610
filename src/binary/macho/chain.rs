//! Chained fixups: imports and addresses as linked lists through the pointers themselves.
//!
//! ```text
//! header    0 u32 version 0  4 u32 offset of starts  8 u32 offset of imports  12 u32 of names
//!          16 u32 number of imports  20 u32 format of imports  24 u32 format of names
//! starts    0 u32 number of segments   4 u32 offset of each segment's, 0 for none
//! segment   0 u32 size  4 u16 size of pages  6 u16 format of pointers  8 u64 offset of the segment
//!          16 u32 largest pointer  20 u16 number of pages  22 u16 first pointer of each page
//! ```
//!
//! Source: `<mach-o/fixup-chains.h>`. The chains are walked by the `object` crate, which knows all
//! formats of pointers.

use super::binding::{Bind, How, Provider};
use super::command::TableOf;
use super::header::MachO;
use crate::binary::{Error, FileOffset, Svma, bytes::Bytes};
use object::LittleEndian;
use object::read::macho::{DyldChainedFixups, Fixup};

/// What the chains of a file hold.
#[derive(Clone, Debug, Default)]
pub struct Chained<'a> {
    /// Imports.
    pub binds: Vec<Bind<'a>>,
    /// Places that hold addresses of the file itself, and these.
    pub rebases: Vec<(Svma, Svma)>,
    /// Whether there are pointers that are signed.
    pub signed: bool,
}

impl<'a> MachO<'a> {
    /// Walks the chains; nothing where the file has none.
    ///
    /// # Errors
    ///
    /// When the table or a chain cannot be read.
    pub fn chained(&self) -> Result<Chained<'a>, Error> {
        let mut found = Chained::default();
        let data = self.table_bytes(TableOf::ChainedFixups)?;
        let Some(table) = self.table(TableOf::ChainedFixups) else {
            return Ok(found);
        };
        let unread = |source| Error::Table {
            what: "chained fixups",
            offset: self.in_file(table.offset).0,
            source,
        };
        let endian = LittleEndian;
        let fixups = DyldChainedFixups::parse(endian, data).map_err(unread)?;
        let imports: Vec<_> = fixups
            .imports(endian)
            .map_err(unread)?
            .collect::<Result<_, _>>()
            .map_err(unread)?;
        let base = self.segment("__TEXT").map_or(0, |text| text.address.0);
        // A file has no room for more pointers than one every four bytes.
        let mut room = self.data.len() / 4;
        for starts in fixups.segments(endian).map_err(unread)? {
            let starts = starts.map_err(unread)?;
            let index = usize::try_from(starts.index()).unwrap_or(usize::MAX);
            let segment = self.segments().get(index).ok_or(Error::Unexpected {
                what: "segment of a chain",
                offset: self.in_file(table.offset).0,
                expected: format!("one below {}", self.segments().len()),
                found: index.to_string(),
            })?;
            let contents = Bytes(self.data).slice("segment", segment.offset, segment.file_size);
            let contents = contents.map_err(|error| error.further(self.start.0))?;
            for fixup in starts.fixups(endian, base, contents) {
                let (into, fixup) = fixup.map_err(unread)?;
                room = room.checked_sub(1).ok_or(Error::Malformed {
                    what: "chain of pointers, which has no end",
                    offset: self.in_file(segment.offset.saturating_add(into)).0,
                    value: into,
                })?;
                let slot = segment.address.checked_add(into);
                match fixup {
                    Fixup::Bind(bind) => {
                        let import = usize::try_from(bind.ordinal)
                            .ok()
                            .and_then(|at| imports.get(at));
                        let import = import.ok_or(Error::Unexpected {
                            what: "number of an import",
                            offset: self.in_file(segment.offset.saturating_add(into)).0,
                            expected: format!("one below {}", imports.len()),
                            found: bind.ordinal.to_string(),
                        })?;
                        found.signed |= bind.auth.is_some();
                        found.binds.push(Bind {
                            symbol: import.name,
                            provider: Provider::of_special(import.dylib.0.into()),
                            segment: index,
                            into,
                            slot,
                            addend: import.addend.saturating_add(bind.addend.into()),
                            weak_import: import.weak_import,
                            signed: bind.auth.is_some(),
                            how: How::Chained,
                            at: FileOffset(segment.offset.saturating_add(into)),
                        });
                    }
                    Fixup::Rebase(rebase) => {
                        found.signed |= rebase.auth.is_some();
                        let target = Svma(base.wrapping_add(rebase.target_offset));
                        found.rebases.extend(slot.map(|slot| (slot, target)));
                    }
                    Fixup::KernelCacheRebase(_) | Fixup::SegmentedRebase(_) => {}
                }
            }
        }
        Ok(found)
    }
}
