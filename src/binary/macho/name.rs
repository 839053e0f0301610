//! What the tables of a Mach-O file call the places in it: symbols and exports, in one form.

use super::export::Exported;
use super::header::MachO;
use super::symbol::SymbolKind;
use crate::binary::{Error, Svma};
use std::borrow::Cow;

/// A place of the file, and what a table calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPlace<'a> {
    /// First address.
    pub address: Svma,
    /// Number of its section, counted from 1; exports do not tell it.
    pub section: Option<u8>,
    /// Name, without the low line that Mach-O puts before each.
    pub name: Cow<'a, [u8]>,
    /// Other files see it.
    pub external: bool,
}

/// A name without the low line that Mach-O puts before each.
#[must_use]
pub fn plain_name(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"_").unwrap_or(name)
}

impl<'a> MachO<'a> {
    /// What the table of symbols names in the file's sections, in its order.
    ///
    /// # Errors
    ///
    /// When the table reaches beyond the end of the slice.
    pub fn named_symbols(&self) -> Result<Vec<NamedPlace<'a>>, Error> {
        let symbols = self.symbols()?;
        let in_sections = symbols.iter().filter_map(|symbol| match symbol.kind {
            SymbolKind::Section(number) => Some(NamedPlace {
                address: symbol.address,
                section: Some(number),
                name: Cow::Borrowed(plain_name(symbol.name)),
                external: symbol.external,
            }),
            _ => None,
        });
        Ok(in_sections.collect())
    }

    /// What is exported of the file itself, in the order of the trie.
    ///
    /// # Errors
    ///
    /// As [`Self::exports`].
    pub fn named_exports(&self) -> Result<Vec<NamedPlace<'a>>, Error> {
        let exports = self.exports()?.into_iter();
        let here = exports.filter_map(|export| match export.of {
            Exported::Here(address) | Exported::Resolved(address) => Some(NamedPlace {
                address,
                section: None,
                name: Cow::Owned(plain_name(&export.name).to_vec()),
                external: true,
            }),
            Exported::Library { .. } => None,
        });
        Ok(here.collect())
    }
}
