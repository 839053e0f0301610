//! Stubs of the PLT: which code jumps through which pointer.
//!
//! ```text
//! amd64   [f3 0f 1e fa]  [f2] ff 25 (i32: pointer - end)     endbr64, bnd jmp *pointer(%rip)
//! 386     [f3 0f 1e fb]  ff 25 (u32: pointer)                jmp *pointer
//!         [f3 0f 1e fb]  ff a3 (i32: pointer - GOT)          jmp *pointer(%ebx)
//! arm64   [bti c]  adrp x16, page   ldr x17, [x16, #offset]
//! ```

use super::{Dynamic, layout::Class};
use crate::binary::{Svma, bytes::Bytes, elf::Machine};
use std::collections::BTreeMap;

const DT_PLTGOT: u64 = 3;
/// Where linkers put stubs.
const SECTIONS: [&[u8]; 4] = [b".plt", b".plt.sec", b".plt.got", b".iplt"];
const BTI_C: u32 = 0xd503_245f;

impl Dynamic<'_> {
    /// The stub of each pointer that one jumps through, by the pointer's address. Empty in files
    /// without section headers, where nothing says where stubs are.
    #[must_use]
    pub fn stubs(&self) -> BTreeMap<Svma, Svma> {
        let mut stubs = BTreeMap::new();
        for (address, code) in self.stub_sections() {
            let step = if self.machine == Machine::Arm64 { 4 } else { 8 };
            let starts = (0..code.len()).step_by(step);
            for into in starts {
                let Some(at) = address.checked_add(into as u64) else {
                    break;
                };
                let found = code.get(into..).and_then(|code| self.stub(Bytes(code), at));
                if let Some(slot) = found {
                    // Where each pointer has two stubs, calls go to the later section's.
                    stubs.insert(slot, at);
                }
            }
        }
        stubs
    }

    /// The pointer that a stub at `at` jumps through, if it is one.
    fn stub(&self, code: Bytes<'_>, at: Svma) -> Option<Svma> {
        match (self.machine, self.class) {
            (Machine::Amd64, _) => amd64(code, at),
            (Machine::Other(3), Class::Bits32) => i386(code, self.value(DT_PLTGOT)),
            (Machine::Arm64, _) => arm64(code, at),
            _ => None,
        }
    }

    fn stub_sections(&self) -> Vec<(Svma, &[u8])> {
        let mut found = Vec::new();
        for name in SECTIONS {
            let section = self.section(name);
            found.extend(section);
        }
        found
    }

    /// Address and bytes of a section.
    pub(super) fn section(&self, wanted: &[u8]) -> Option<(Svma, &[u8])> {
        let file = Bytes(self.data);
        let (header, layout) = (self.class.header(), self.class.section());
        let table = self.class.word(file, "sections", header.sections).ok()?;
        if u64::from(file.u16("section size", header.section_size).ok()?) != layout.size {
            return None;
        }
        let count = file.u16("section count", header.section_count).ok()?;
        let names = file.u16("section of names", header.section_names).ok()?;
        let entry = |number: u16| {
            let at = u64::from(number).checked_mul(layout.size)?;
            let entry = file.slice("section", table.checked_add(at)?, layout.size);
            entry.ok().map(Bytes)
        };
        let contents = |entry: Bytes<'_>| {
            let offset = self.class.word(entry, "section", layout.offset).ok()?;
            let length = self.class.word(entry, "section", layout.length).ok()?;
            file.slice("section", offset, length).ok()
        };
        let names = Bytes(contents(entry(names)?)?);
        let found = (0..count).filter_map(entry).find(|entry| {
            let name = entry.u32("section name", 0).map(u64::from);
            let name = name.and_then(|name| names.string("section name", name));
            name == Ok(wanted)
        })?;
        let address = self.class.word(found, "section", layout.address).ok()?;
        Some((Svma(address), contents(found)?))
    }
}

/// How long a landing pad for indirect jumps at the start of a stub is.
fn landing_pad(code: Bytes<'_>) -> u64 {
    match code.slice("stub", 0, 4) {
        Ok([0xf3, 0x0f, 0x1e, 0xfa | 0xfb]) => 4,
        _ => 0,
    }
}

fn amd64(code: Bytes<'_>, at: Svma) -> Option<Svma> {
    let mut into = landing_pad(code);
    if code.u8("stub", into).ok()? == 0xf2 {
        into = into.checked_add(1)?;
    }
    if code.slice("stub", into, 2).ok()? != [0xff, 0x25] {
        return None;
    }
    let distance = code.u32("stub", into.checked_add(2)?).ok()?.cast_signed();
    let end = at.checked_add(into.checked_add(6)?)?;
    Some(Svma(end.0.wrapping_add_signed(distance.into())))
}

fn i386(code: Bytes<'_>, table: Option<u64>) -> Option<Svma> {
    let into = landing_pad(code);
    let jump = code.slice("stub", into, 2).ok()?;
    let pointer = code.u32("stub", into.checked_add(2)?).ok()?;
    match jump {
        [0xff, 0x25] => Some(Svma(pointer.into())),
        [0xff, 0xa3] => {
            let from = u32::try_from(table?).ok()?;
            Some(Svma(from.wrapping_add(pointer).into()))
        }
        _ => None,
    }
}

fn arm64(code: Bytes<'_>, at: Svma) -> Option<Svma> {
    let into = if code.u32("stub", 0).ok()? == BTI_C {
        4
    } else {
        0
    };
    let page = code.u32("stub", into).ok()?;
    let load = code.u32("stub", into.checked_add(4)?).ok()?;
    // adrp x16; ldr x17, [x16, #offset]
    if page & 0x9f00_001f != 0x9000_0010 || load & 0xffc0_03ff != 0xf940_0211 {
        return None;
    }
    let high = i64::from((page << 8).cast_signed() >> 11) & !3;
    let pages = high | i64::from((page >> 29) & 3);
    let from = at.checked_add(into)?.0 & !0xfff;
    let page = from.wrapping_add_signed(pages.wrapping_mul(4096));
    let offset = u64::from((load >> 10) & 0xfff).wrapping_mul(8);
    Some(Svma(page.wrapping_add(offset)))
}
