//! Imports of files that have neither opcodes nor chains: symbols alone say what is put where.
//!
//! ```text
//! section of pointers   its entries in the table of indirect symbols name what each is filled with
//! relocation            0 i32 offset from the first segment that may be written to
//!                       4 u32 number of the symbol in 24 bits, then 1 relative, 2 size, 1 external,
//!                         4 kind: a whole pointer is 0 with a size of 3, and has its addend in place
//! ```
//!
//! Go's linker makes such programs for amd64 with `-buildmode=exe`, which was its default up to
//! Go 1.21, and all linkers did before macOS 10.6. Source: dyld's `MachOAnalyzer.cpp`
//! (`forEachBindLocation_Relocations`, `forEachIndirectPointer`).

use super::binding::{Bind, How, Provider};
use super::command::{Command, TableOf};
use super::header::{FileType, Flags, MachO};
use super::segment::SectionType;
use super::symbol::{Indirect, Symbol, Symbols};
use crate::binary::{Error, FileOffset, Svma, bytes::Bytes};

const POINTER: u64 = 8;
const RELOCATION: usize = 8;
const EXTERNAL: u32 = 1 << 27;
/// Relative to the place, size, and kind of relocations of whole pointers.
const FORM: u32 = 0xf700_0000;
const WHOLE_POINTER: u32 = 3 << 25;
/// Numbers of libraries that mean something else (`DYNAMIC_LOOKUP_ORDINAL`, `EXECUTABLE_ORDINAL`).
const ANY: u8 = 0xfe;
const MAIN_PROGRAM: u8 = 0xff;

impl<'a> MachO<'a> {
    /// Whether the dynamic loader has no more than symbols to bind by.
    pub(super) fn is_bound_by_symbols(&self) -> bool {
        let mut commands = self.commands.iter();
        self.file_type != FileType::Object
            && self.table(TableOf::ChainedFixups).is_none()
            && !commands.any(|one| matches!(one.command, Command::LoaderTables(_)))
    }

    pub(super) fn bound_by_symbols(&self, binds: &mut Vec<Bind<'a>>) -> Result<(), Error> {
        let symbols = self.symbols()?;
        self.pointers(&symbols, binds)?;
        self.relocations(&symbols, binds)
            .map_err(|error| error.further(self.start.0))
    }

    fn pointers(&self, symbols: &Symbols<'a>, binds: &mut Vec<Bind<'a>>) -> Result<(), Error> {
        let indirect = self.indirect_symbols()?;
        let table = self.dynamic_symbols().indirect.offset;
        // Each entry is of one pointer: sections that share entries are not taken at their word.
        let mut room = indirect.len();
        for section in self.sections() {
            if !matches!(
                section.kind(),
                SectionType::Pointers | SectionType::LazyPointers
            ) {
                continue;
            }
            let first = usize::try_from(section.reserved1).unwrap_or(usize::MAX);
            let entries = indirect.get(first..).unwrap_or_default();
            let count = usize::try_from(section.size / POINTER).unwrap_or(usize::MAX);
            for (number, entry) in (0_u64..).zip(entries.iter().take(count.min(room))) {
                room = room.saturating_sub(1);
                let Indirect::Symbol(symbol) = *entry else {
                    continue;
                };
                let Some(symbol) = symbols.get(symbol) else {
                    continue;
                };
                let place = u64::from(section.reserved1).saturating_add(number);
                let at = table.saturating_add(place.saturating_mul(4));
                let slot = section.address.checked_add(number.saturating_mul(POINTER));
                binds.push(self.named(&symbol, slot, How::Indirect, at));
            }
        }
        Ok(())
    }

    fn relocations(&self, symbols: &Symbols<'a>, binds: &mut Vec<Bind<'a>>) -> Result<(), Error> {
        let place = self.dynamic_symbols().relocations;
        if place.size == 0 {
            return Ok(());
        }
        let size = place.size.saturating_mul(RELOCATION as u64);
        let entries = Bytes(self.data).slice("relocations", place.offset, size)?;
        let mut segments = self.segments().iter();
        let base = segments.find(|segment| segment.initial.writable());
        let base = base.map_or(Svma(0), |segment| segment.address);
        for (number, entry) in (0_u64..).zip(entries.chunks_exact(RELOCATION)) {
            let offset = Bytes(entry).u32("relocation", 0)?.cast_signed();
            let rest = Bytes(entry).u32("relocation", 4)?;
            if rest & EXTERNAL == 0 || rest & FORM != WHOLE_POINTER {
                continue;
            }
            let Some(symbol) = symbols.get(rest & 0x00ff_ffff) else {
                continue;
            };
            let slot = Svma(base.0.wrapping_add_signed(offset.into()));
            let at = place
                .offset
                .saturating_add(number.saturating_mul(RELOCATION as u64));
            let bind = self.named(&symbol, Some(slot), How::Relocation, at);
            let contents = self.memory().bytes_from("pointer", slot).map(Bytes);
            let addend = contents.and_then(|contents| contents.u64("pointer", 0));
            let addend = addend.unwrap_or(0).cast_signed();
            binds.push(Bind { addend, ..bind });
        }
        Ok(())
    }

    /// An import that is told by its symbol.
    fn named(&self, symbol: &Symbol<'a>, slot: Option<Svma>, how: How, at: u64) -> Bind<'a> {
        let holds = |segment: &super::Segment<'_>| slot.is_some_and(|slot| segment.holds(slot));
        let segment = self.segments().iter().position(holds);
        let index = segment.unwrap_or(usize::MAX);
        let into = self.segments().get(index).zip(slot);
        Bind {
            symbol: symbol.name,
            provider: self.provider(symbol),
            segment: index,
            into: into
                .and_then(|(segment, slot)| slot.offset_from(segment.address))
                .unwrap_or(0),
            slot,
            weak_import: symbol.may_be_missing(),
            at: FileOffset(at),
            ..Bind::nothing(how)
        }
    }

    fn provider(&self, symbol: &Symbol<'_>) -> Provider {
        if symbol.is_weak_definition() {
            return Provider::Weak;
        }
        if !self.flags.has(Flags::TWO_LEVEL) {
            return Provider::Any;
        }
        match symbol.description.to_be_bytes()[0] {
            0 => Provider::Own,
            ANY => Provider::Any,
            MAIN_PROGRAM => Provider::MainProgram,
            number => Provider::Library(number.into()),
        }
    }
}
