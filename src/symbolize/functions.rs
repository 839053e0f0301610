//! Symbol tables in, the function that covers an address out.

use crate::binary::Svma;
use crate::binary::elf::{Binding, Elf, Symbol, Symbols};

/// All functions that an ELF file's symbol tables name, ordered by address.
#[derive(Debug, Default)]
pub(super) struct Functions<'a> {
    rows: Vec<Row<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct Row<'a> {
    start: Svma,
    size: u64,
    binding: Binding,
    name: &'a [u8],
}

impl<'a> Functions<'a> {
    /// Adds the functions of a file's symbol tables.
    pub(super) fn add(&mut self, elf: &Elf<'a>) {
        let tables = [elf.symbols(), elf.dynamic_symbols()];
        let symbols = tables.iter().flat_map(Symbols::iter);
        let code = symbols.filter(|symbol| symbol.is_code() && !is_marker(symbol));
        self.rows.extend(code.map(|symbol| Row {
            start: symbol.address,
            size: symbol.size,
            binding: symbol.binding,
            name: symbol.name,
        }));
    }

    /// Makes them ready for look-ups: of several names for one place the one with a size is
    /// taken, then the most widely seen, then the shortest.
    pub(super) fn sort(&mut self) {
        self.rows.sort_unstable_by_key(|row| {
            let unsized_ = row.size == 0;
            (row.start, unsized_, row.binding, row.name.len(), row.name)
        });
        self.rows.dedup_by_key(|row| row.start);
    }

    /// Whether the file names no function at all.
    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The name of the function that covers an address. A symbol without a size (code written in
    /// assembly) reaches to the next symbol.
    pub(super) fn covering(&self, address: Svma) -> Option<&'a [u8]> {
        let after = self.rows.partition_point(|row| row.start <= address);
        let row = self.rows.get(after.checked_sub(1)?)?;
        let into = address.offset_from(row.start)?;
        (row.size == 0 || into < row.size).then_some(row.name)
    }
}

/// Marks that assemblers and linkers leave among the symbols: `$x` of Arm's mapping symbols, local
/// labels, and names for the ends of sections.
fn is_marker(symbol: &Symbol<'_>) -> bool {
    symbol.name.is_empty()
        || symbol.name.starts_with(b"$")
        || symbol.name.starts_with(b".L")
        || (!symbol.is_function() && symbol.size == 0 && symbol.name.starts_with(b"__"))
        || matches!(symbol.name, b"_etext" | b"etext" | b"_init" | b"_fini")
            && !symbol.is_function()
}
