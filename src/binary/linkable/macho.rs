//! Mach-O: objects, libraries, fat files, archives in fat files.

use super::wanted::Seen;
use super::{Arch, Format, Kind, Linkable, Wanted};
use crate::binary::Error;
use crate::binary::macho::{
    Command, DylibUse, FileType, MachO, SliceOf, Slices, Symbol, SymbolKind,
};

pub(super) fn read(data: &[u8], wanted: &Wanted) -> Result<Linkable, Error> {
    let slices = Slices::of(data)?;
    let mut found = Linkable::new(Kind::Object, Format::MachO);
    for slice in &slices.slices {
        let cpu = match &slice.of {
            SliceOf::Thin => None,
            SliceOf::Fat(cpu) => Some(*cpu),
            SliceOf::Archive(_, cpu) => {
                found.kind = Kind::Archive;
                *cpu
            }
        };
        match (MachO::parse(slice), cpu) {
            (Ok(image), _) => of_image(&image, &mut found, wanted)?,
            // Of old architectures, it is enough that they are there.
            (Err(_), Some(cpu)) => {
                found.part(Arch::of_cpu(cpu), None);
            }
            (Err(error), None) => return Err(error),
        }
    }
    Ok(found)
}

fn of_image(image: &MachO<'_>, found: &mut Linkable, wanted: &Wanted) -> Result<(), Error> {
    let arch = Arch::of_cpu(image.cpu);
    let shared = image.file_type == FileType::Library;
    if found.kind != Kind::Archive {
        found.kind = match image.file_type {
            FileType::Library | FileType::Bundle => Kind::Shared,
            FileType::Executable => Kind::Executable,
            _ => Kind::Object,
        };
    }
    for one in &image.commands {
        match &one.command {
            Command::OwnName(name) => found.own_name = Some(text(name)),
            Command::Dylib(dylib) if dylib.used.has(DylibUse::REEXPORTED) => {
                found
                    .reexported
                    .push((Some(arch.clone()), text(dylib.path)));
            }
            _ => {}
        }
    }
    let platform = image.targets().next();
    let platform = platform.map(|target| target.platform.to_string().to_lowercase());
    let part = found.part(arch, platform);
    if wanted.is_empty() {
        return Ok(());
    }
    for symbol in image.symbols()?.iter() {
        if let Some(seen) = seen(&symbol, shared) {
            part.note(wanted.matching(bare(symbol.name), seen));
        }
    }
    if shared {
        for export in image.exports()? {
            part.note(wanted.matching(bare(&export.name), Seen::Defined));
        }
    }
    Ok(())
}

/// What others see of a library is its table of exports, which may lack what symbols have.
fn seen(symbol: &Symbol<'_>, shared: bool) -> Option<Seen> {
    match symbol.kind {
        // A size in the place of an address makes it a variable that any file may define.
        SymbolKind::Undefined if symbol.external && symbol.address.0 != 0 => Some(Seen::Defined),
        SymbolKind::Undefined if symbol.external => Some(Seen::Needed),
        SymbolKind::Debugging(_) | SymbolKind::Undefined | SymbolKind::Other => None,
        _ if shared || !symbol.external => Some(Seen::Hidden),
        _ => Some(Seen::Defined),
    }
}

fn bare(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"_").unwrap_or(name)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
