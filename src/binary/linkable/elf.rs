//! ELF: objects and shared libraries.

use super::wanted::Seen;
use super::{Arch, Format, Kind, Linkable, Wanted};
use crate::binary::elf::{Binding, Elf, Kind as ElfKind, Symbol};
use crate::binary::{Error, bytes::Bytes};

pub(super) fn read(data: &[u8], wanted: &Wanted) -> Result<Linkable, Error> {
    let bytes = Bytes(data);
    // Order and width of numbers are those of the machine; the number of the machine is at one
    // place in all of them.
    let machine = match bytes.u8("ELF byte order", 5)? {
        2 => bytes.u16("machine", 18)?.swap_bytes(),
        _ => bytes.u16("machine", 18)?,
    };
    let mut found = Linkable::new(Kind::Object, Format::Elf);
    let elf = match Elf::parse(data) {
        Ok(elf) => elf,
        // Of other machines, it is enough that they are there.
        Err(Error::Unsupported { .. }) => {
            found.part(Arch::of_machine(machine), None);
            return Ok(found);
        }
        Err(error) => return Err(error),
    };
    let own_name = elf.own_name().map(String::from_utf8_lossy);
    found.own_name = own_name.map(std::borrow::Cow::into_owned);
    found.kind = match (elf.kind, &elf.interpreter) {
        (ElfKind::Executable, _) => Kind::Executable,
        // libc.so.6 is a library that can be run.
        (ElfKind::Dynamic, Some(_)) if found.own_name.is_none() => Kind::Executable,
        (ElfKind::Dynamic, _) => Kind::Shared,
        (ElfKind::Other(_), _) => Kind::Object,
    };
    let shared = found.kind != Kind::Object;
    let part = found.part(Arch::of_machine(machine), None);
    if wanted.is_empty() {
        return Ok(found);
    }
    for symbol in elf.symbols().iter() {
        part.note(wanted.matching(symbol.name, seen(&symbol, shared)));
    }
    if shared {
        for symbol in elf.dynamic_symbols().iter() {
            part.note(wanted.matching(symbol.name, seen(&symbol, false)));
        }
    }
    Ok(found)
}

/// What others see of a library is its table for the dynamic loader; the full table has more.
fn seen(symbol: &Symbol<'_>, shared: bool) -> Seen {
    match symbol.binding {
        _ if symbol.is_undefined() => Seen::Needed,
        Binding::Local => Seen::Hidden,
        _ if shared => Seen::Hidden,
        _ => Seen::Defined,
    }
}
