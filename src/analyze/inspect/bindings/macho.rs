//! Imports of a Mach-O slice, put together from bindings, stubs and re-exports.

use super::{FOR_THE_LINKER, Import};
use crate::analyze::inspect::text;
use crate::binary::macho::{Bind, Exported, FileType, How, MachO, Provider, Section, Symbol};
use crate::binary::{Error, Svma};
use std::collections::BTreeMap;

/// All imports of a slice, in the order of its tables.
pub(in crate::analyze::inspect) fn imports(image: &MachO<'_>) -> Result<Vec<Import>, Error> {
    if image.file_type == FileType::Object {
        return undefined(image);
    }
    let stubs: BTreeMap<Svma, Svma> = image
        .stubs()
        .iter()
        .filter_map(|stub| Some((stub.target.ok()?, stub.address)))
        .collect();
    let libraries: Vec<String> = image.dylibs().map(|dylib| text(dylib.path)).collect();
    let mut imports: Vec<Import> = image
        .binds()?
        .iter()
        .map(|bind| {
            let section = bind.slot.and_then(|slot| image.section_at(slot));
            Import {
                section: section.map(Section::full_name),
                stub: bind.slot.and_then(|slot| stubs.get(&slot)).copied(),
                ..import(bind, &libraries)
            }
        })
        .collect();
    for export in image.exports()? {
        if let Exported::Library { number, name } = export.of {
            let provider = Provider::Library(number);
            let (symbol, exported_as) = match name.is_empty() {
                true => (text(&export.name), None),
                false => (text(&name), Some(text(&export.name))),
            };
            imports.push(Import {
                symbol,
                provider: provider_name(provider, &libraries),
                library: Some(number),
                how: "re-export",
                exported_as,
                ..Import::default()
            });
        }
    }
    Ok(imports)
}

/// What an object needs: from where is for the linker to find out.
fn undefined(image: &MachO<'_>) -> Result<Vec<Import>, Error> {
    let symbols = image.symbols()?;
    let needed = symbols.iter().filter(Symbol::is_needed);
    Ok(needed
        .map(|symbol| Import {
            symbol: text(symbol.name),
            provider: FOR_THE_LINKER.to_owned(),
            how: "undefined",
            weak: symbol.may_be_missing(),
            ..Import::default()
        })
        .collect())
}

fn import(bind: &Bind<'_>, libraries: &[String]) -> Import {
    Import {
        symbol: text(bind.symbol),
        provider: provider_name(bind.provider, libraries),
        library: match bind.provider {
            Provider::Library(number) => Some(number),
            _ => None,
        },
        slot: bind.slot,
        how: match bind.how {
            How::Opcodes => "opcodes",
            How::Lazy => "lazy opcodes",
            How::Weak => "weak opcodes",
            How::Chained => "chained fixup",
            How::Indirect => "indirect symbol",
            How::Relocation => "relocation",
        },
        addend: bind.addend,
        weak: bind.weak_import,
        signed: bind.signed,
        ..Import::default()
    }
}

/// What a provider is called.
pub(in crate::analyze::inspect) fn provider_name(
    provider: Provider,
    libraries: &[String],
) -> String {
    match provider {
        Provider::Library(number) => {
            let before = usize::try_from(number)
                .ok()
                .and_then(|at| at.checked_sub(1));
            let path = before.and_then(|at| libraries.get(at));
            path.cloned()
                .unwrap_or_else(|| format!("library {number} of {}", libraries.len()))
        }
        Provider::Own => "this file".to_owned(),
        Provider::MainProgram => "the main program".to_owned(),
        Provider::Any => "any loaded file".to_owned(),
        Provider::Weak => "the first definition, weak".to_owned(),
        Provider::Unknown(number) => format!("special library {number}"),
    }
}
