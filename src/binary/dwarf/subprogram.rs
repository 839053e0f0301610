//! Functions that were compiled for themselves: where they are, and what they are called.

use super::{Dwarf, Slice};
use crate::binary::{Error, Svma};
use gimli::{AttributeValue, DebuggingInformationEntry, Unit, UnitRef};

/// A name may be that of another entry, which may have it from a third; none goes deeper.
const DEEPEST: u8 = 8;

/// A function with code of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subprogram<'d> {
    /// First address.
    pub start: Svma,
    /// Address after the last.
    pub end: Svma,
    /// Its name as linkers have it where that is said, else as in the source.
    pub name: &'d [u8],
}

/// All units, in the order of the section: names of one may be in another.
struct Units<'u, 'a> {
    dwarf: &'u gimli::Dwarf<Slice<'a>>,
    units: Vec<(usize, Unit<Slice<'a>>)>,
}

impl<'a> Dwarf<'a> {
    /// All functions, in the order of the debug information. One whose code is in several places is
    /// told by the first.
    ///
    /// # Errors
    ///
    /// When a unit cannot be read.
    pub fn subprograms(&self) -> Result<Vec<Subprogram<'a>>, Error> {
        let read = || {
            let units = Units::of(&self.sections)?;
            let mut found = Vec::new();
            for (_, unit) in &units.units {
                units.of_unit(unit.unit_ref(&self.sections), &mut found)?;
            }
            Ok(found)
        };
        read().map_err(Error::Dwarf)
    }
}

impl<'u, 'a> Units<'u, 'a> {
    fn of(dwarf: &'u gimli::Dwarf<Slice<'a>>) -> Result<Self, gimli::Error> {
        let mut units = Vec::new();
        let mut headers = dwarf.units();
        while let Some(header) = headers.next()? {
            let start = header.debug_info_offset().map_or(0, |offset| offset.0);
            units.push((start, dwarf.unit(header)?));
        }
        Ok(Self { dwarf, units })
    }

    fn of_unit(
        &self,
        unit: UnitRef<'_, Slice<'a>>,
        found: &mut Vec<Subprogram<'a>>,
    ) -> Result<(), gimli::Error> {
        let mut entries = unit.entries();
        while let Some(entry) = entries.next_dfs()? {
            if entry.tag() != gimli::DW_TAG_subprogram || ends_nowhere(unit, entry) {
                continue;
            }
            // A declaration has no code, and what the linker left out begins at 0.
            let range = unit.die_ranges(entry)?.next()?;
            let range = range.filter(|range| range.begin != 0 && range.begin < range.end);
            if let Some(range) = range {
                let name = self.name(unit, entry, DEEPEST)?;
                found.push(Subprogram {
                    start: Svma(range.begin),
                    end: Svma(range.end),
                    name: name.unwrap_or_default(),
                });
            }
        }
        Ok(())
    }

    fn name(
        &self,
        unit: UnitRef<'_, Slice<'a>>,
        entry: &DebuggingInformationEntry<Slice<'a>>,
        deep: u8,
    ) -> Result<Option<&'a [u8]>, gimli::Error> {
        for attribute in [gimli::DW_AT_linkage_name, gimli::DW_AT_name] {
            if let Some(value) = entry.attr_value(attribute) {
                return Ok(unit.attr_string(value).ok().map(|name| name.slice()));
            }
        }
        let elsewhere = entry
            .attr_value(gimli::DW_AT_abstract_origin)
            .or_else(|| entry.attr_value(gimli::DW_AT_specification));
        let (Some(elsewhere), Some(deep)) = (elsewhere, deep.checked_sub(1)) else {
            return Ok(None);
        };
        match elsewhere {
            AttributeValue::UnitRef(offset) => self.name(unit, &unit.entry(offset)?, deep),
            AttributeValue::DebugInfoRef(offset) => {
                let after = self.units.partition_point(|(start, _)| *start <= offset.0);
                let before = after.checked_sub(1).and_then(|at| self.units.get(at));
                let Some((_, other)) = before else {
                    return Ok(None);
                };
                let Some(offset) = offset.to_unit_offset(&other.header) else {
                    return Ok(None);
                };
                let other = other.unit_ref(self.dwarf);
                self.name(other, &other.entry(offset)?, deep)
            }
            _ => Ok(None),
        }
    }
}

/// Whether a function is longer than there is memory behind its start: `gimli` adds the two unseen.
fn ends_nowhere<'a>(
    unit: UnitRef<'_, Slice<'a>>,
    entry: &DebuggingInformationEntry<Slice<'a>>,
) -> bool {
    let start = entry.attr_value(gimli::DW_AT_low_pc);
    let start = start.and_then(|start| unit.attr_address(start).ok()?);
    match (start, entry.attr_value(gimli::DW_AT_high_pc)) {
        (Some(start), Some(AttributeValue::Udata(bytes))) => start.checked_add(bytes).is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::binary::dwarf::DebugSections;

    /// `DW_AT_low_pc` of `main` in `object-dwarf.o`, by `llvm-dwarfdump --debug-info` at 0x138 of `.debug_info`,
    /// which begins at 0xd0.
    const START_OF_MAIN: usize = 520;

    #[test]
    fn a_function_behind_the_last_address_is_none() {
        let whole = include_bytes!("../../../fuzz/seeds/elf/object-dwarf.o");
        let functions = |start: u64| {
            let mut file = whole.to_vec();
            file[START_OF_MAIN..START_OF_MAIN + 8].copy_from_slice(&start.to_le_bytes());
            let sections = DebugSections::of(&file).unwrap();
            let functions = sections.dwarf().unwrap().subprograms().unwrap();
            functions
                .iter()
                .map(|function| function.start.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(functions(0x1000), [0x1000]);
        assert_eq!(functions(u64::MAX - 7), [0; 0]);
    }
}
