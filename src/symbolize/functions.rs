//! Symbol tables in, the function that covers an address out.

use crate::binary::Svma;
use crate::binary::elf::{Binding, Elf, Symbol, Symbols};
use crate::binary::macho::{MachO, NamedPlace};
use std::borrow::Cow;

/// All functions that a file's symbol tables name, ordered by address.
#[derive(Debug, Default)]
pub(super) struct Functions<'a> {
    rows: Vec<Row<'a>>,
}

#[derive(Clone, Debug)]
struct Row<'a> {
    start: Svma,
    /// 0 where no table says it.
    size: u64,
    binding: Binding,
    /// Empty where something begins that has no name, or nothing does.
    name: Cow<'a, [u8]>,
}

impl<'a> Functions<'a> {
    /// Adds the functions of an ELF file's symbol tables.
    pub(super) fn add_elf(&mut self, elf: &Elf<'a>) {
        let tables = [elf.symbols(), elf.dynamic_symbols()];
        let symbols = tables.iter().flat_map(Symbols::iter);
        let code = symbols.filter(|symbol| symbol.is_code() && !is_marker(symbol));
        self.rows.extend(code.map(|symbol| Row {
            start: symbol.address,
            size: symbol.size,
            binding: symbol.binding,
            name: Cow::Borrowed(symbol.name),
        }));
    }

    /// Adds the functions that a Mach-O file's symbols and exports name. These have no sizes: what ends
    /// them is the next one, the next place where a function begins, or the end of the section.
    pub(super) fn add_macho(&mut self, image: &MachO<'a>) {
        let code: Vec<_> = image
            .sections()
            .filter(|section| section.is_code())
            .collect();
        let is_code = |place: &NamedPlace<'_>| {
            let mut code = code.iter();
            !place.name.is_empty() && code.any(|section| section.holds(place.address))
        };
        // A table that cannot be read names nothing.
        let starts = image.function_starts().unwrap_or_default();
        let mut places = image.named_symbols().unwrap_or_default();
        // What is private would be taken for the export before it.
        if !starts.is_empty() {
            places.extend(image.named_exports().unwrap_or_default());
        }
        let named = places.into_iter().filter(is_code);
        self.rows.extend(named.map(|place| Row {
            start: place.address,
            size: 0,
            binding: match place.external {
                true => Binding::Global,
                false => Binding::Local,
            },
            name: place.name,
        }));
        let edges = code.iter().flat_map(|section| {
            let end = section.address.checked_add(section.size);
            [Some(section.address), end].into_iter().flatten()
        });
        self.rows
            .extend(starts.into_iter().chain(edges).map(|start| Row {
                start,
                size: 0,
                binding: Binding::Local,
                name: Cow::Borrowed(&[]),
            }));
    }

    /// Makes them ready for look-ups: of several names for one place the one with a size is
    /// taken, then the most widely seen, then the shortest.
    pub(super) fn sort(&mut self) {
        self.rows.sort_unstable_by(|one, other| {
            let key = |row: &Row<'_>| {
                let (nameless, unsized_) = (row.name.is_empty(), row.size == 0);
                (row.start, nameless, unsized_, row.binding, row.name.len())
            };
            let by_name = || one.name.cmp(&other.name);
            key(one).cmp(&key(other)).then_with(by_name)
        });
        self.rows.dedup_by_key(|row| row.start);
    }

    /// Whether the file names no function at all.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.iter().all(|row| row.name.is_empty())
    }

    /// The name of the function that covers an address. A symbol without a size (code written in
    /// assembly) reaches to the next symbol.
    pub(super) fn covering(&self, address: Svma) -> Option<&[u8]> {
        let after = self.rows.partition_point(|row| row.start <= address);
        let row = self.rows.get(after.checked_sub(1)?)?;
        let into = address.offset_from(row.start)?;
        let covers = row.size == 0 || into < row.size;
        (covers && !row.name.is_empty()).then_some(&row.name)
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
