//! What a walk has to know of a program: its file in, where its functions begin and where Go keeps goroutines out.

use crate::binary::Svma;
use crate::binary::go::{BuildInfo, GoroutineFields, Pclntab};
use crate::binary::macho::{MachO, Slices};

/// A program, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Where functions begin, in order.
    starts: Vec<Svma>,
    /// The address after its code.
    end: Svma,
    /// Where goroutines keep what they are, in a program of Go.
    pub goroutines: Option<GoroutineFields>,
}

impl Program {
    /// Reads the slice of a file that has a UUID; of nothing that is known, little is known.
    #[must_use]
    pub fn of(file: &[u8], uuid: Option<[u8; 16]>) -> Self {
        let Ok(slices) = Slices::of(file) else {
            return Self::default();
        };
        let ran = match uuid {
            Some(uuid) => slices.with_uuid(&uuid),
            None => slices.images().next(),
        };
        ran.map_or_else(Self::default, |image| Self::of_image(&image))
    }

    fn of_image(image: &MachO<'_>) -> Self {
        let table = Pclntab::of(image).ok();
        let of_go = table.iter().flat_map(Pclntab::functions);
        let of_go = of_go.filter_map(|function| Some(function.ok()?.entry()));
        let mut starts: Vec<Svma> = of_go.collect();
        starts.extend(image.function_starts().unwrap_or_default());
        starts.sort_unstable();
        starts.dedup();
        let text = image.segment("__TEXT");
        let end = text.map(|text| text.address.0.saturating_add(text.size));
        let version = BuildInfo::of(image).ok().and_then(|info| info.version());
        Self {
            starts,
            end: Svma(end.unwrap_or_default()),
            goroutines: version.and_then(|version| GoroutineFields::of(version).ok()),
        }
    }

    /// Where the function begins that covers an address.
    #[must_use]
    pub fn function(&self, address: Svma) -> Option<Svma> {
        let after = self.starts.partition_point(|start| *start <= address);
        let start = self.starts.get(after.checked_sub(1)?)?;
        (address < self.end).then_some(*start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_program_has_no_functions() {
        assert_eq!(Program::of(b"#!/bin/sh\n", None), Program::default());
        assert_eq!(Program::of(b"", None).function(Svma(0)), None);
        let other = include_bytes!("../../../../tests/data/macho/classic");
        assert_eq!(Program::of(other, Some([7; 16])), Program::default());
    }

    /// Addresses of functions by `llvm-nm`, the end of `__TEXT` by `llvm-objdump`.
    #[test]
    fn a_program_of_c_has_its_list_of_functions() {
        let chained = include_bytes!("../../../../tests/data/macho/chained-arm64");
        let program = Program::of(chained, None);
        assert_eq!(program.goroutines, None);
        let [main, square, end] = [0x1_0000_0588, 0x1_0000_0610, 0x1_0000_4000].map(Svma);
        for (address, function) in [(main, main), (Svma(square.0 - 4), main), (square, square)] {
            assert_eq!(program.function(address), Some(function), "{address}");
        }
        assert_eq!(program.function(Svma(main.0 - 4)), None);
        assert_eq!(program.function(end), None);
    }
}
