//! Imports, put together from bindings, stubs and re-exports.

use super::text;
use crate::binary::macho::{Bind, Exported, FileType, How, MachO, Provider, Section, Symbol};
use crate::binary::{Error, Svma};
use std::collections::BTreeMap;

/// One import: a symbol, where it comes from, and where its address is put.
#[derive(Clone, Debug)]
pub struct Import {
    /// Symbol, as the file has it.
    pub symbol: String,
    /// Path of the library, or what is searched instead.
    pub provider: String,
    /// Number of the library.
    pub library: Option<u64>,
    /// Address of the pointer that is filled; none for re-exports.
    pub slot: Option<Svma>,
    /// The section that the pointer is in.
    pub section: Option<String>,
    /// Address of the stub that jumps through the pointer.
    pub stub: Option<Svma>,
    /// `opcodes`, `lazy opcodes`, `weak opcodes`, `chained fixup`, `indirect symbol`, `relocation`,
    /// `re-export`; `undefined` in an object, where a linker has yet to say.
    pub how: &'static str,
    /// What is added to the address.
    pub addend: i64,
    /// It may be missing.
    pub weak: bool,
    /// The pointer is signed.
    pub signed: bool,
    /// The name under which a re-export passes it on, where that is another one.
    pub exported_as: Option<String>,
}

/// All imports of a slice, in the order of its tables.
pub(super) fn imports(image: &MachO<'_>) -> Result<Vec<Import>, Error> {
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
                slot: None,
                section: None,
                stub: None,
                how: "re-export",
                addend: 0,
                weak: false,
                signed: false,
                exported_as,
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
            provider: "whatever it is linked with".to_owned(),
            library: None,
            slot: None,
            section: None,
            stub: None,
            how: "undefined",
            addend: 0,
            weak: symbol.may_be_missing(),
            signed: false,
            exported_as: None,
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
        section: None,
        stub: None,
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
        exported_as: None,
    }
}

/// What a provider is called.
pub(super) fn provider_name(provider: Provider, libraries: &[String]) -> String {
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
