//! Addresses in code that data and jumps of an executable lead to.

use crate::binary::Svma;
use crate::binary::go::Container;

/// Where code may go on, other than by what a function does within itself: more addresses than there are, for
/// whatever could be a pointer or a jump is taken for one.
#[derive(Debug, Default)]
pub(super) struct Targets(Vec<u64>);

impl Targets {
    /// Words in data that are addresses of code (jump tables, functions as values), what relocations make such, and
    /// wherever four bytes behind an opcode of a call or a jump would lead: Go's assembler and linker write all jumps
    /// from one function into another with so many (`R_CALL`).
    ///
    /// In a Mach-O file data that is not written to lies in the segment of code.
    pub(super) fn of<'a>(image: &impl Container<'a>) -> Self {
        let memory = image.memory();
        let code = memory.loads().iter().filter(|load| load.executable);
        let ranges: Vec<_> = code
            .map(|load| load.address.0..load.address.0.saturating_add(load.size))
            .collect();
        let is_code = |address: &u64| ranges.iter().any(|range| range.contains(address));
        let mut targets = Vec::new();
        for load in memory.loads() {
            let bytes = memory.contents(load);
            if load.executable {
                targets.extend(relative(bytes, load.address.0).filter(is_code));
            }
            let (words, _) = bytes.as_chunks();
            let words = words.iter().map(|word| u64::from_le_bytes(*word));
            targets.extend(words.filter(is_code));
        }
        let written = image.addresses().map(|(_, to)| to.0);
        targets.extend(written.filter(is_code));
        targets.sort_unstable();
        targets.dedup();
        Self(targets)
    }

    /// The first of them behind the first byte of a stretch of code.
    pub(super) fn inside(&self, start: Svma, length: u64) -> Option<Svma> {
        let first = self.0.partition_point(|&target| target <= start.0);
        let target = *self.0.get(first)?;
        (target < start.0.saturating_add(length)).then_some(Svma(target))
    }
}

/// Where each `call`, `jmp` and `jcc` with four bytes would lead that the bytes could be.
fn relative(code: &[u8], address: u64) -> impl Iterator<Item = u64> {
    // An address may be whatever a file says: it is added where something leads on, and checked there.
    let calls = (5..).zip(code.windows(5));
    let calls = calls.filter_map(move |(behind, bytes)| match bytes {
        [0xe8 | 0xe9, distance @ ..] => led(address.checked_add(behind)?, distance),
        _ => None,
    });
    let conditional = (6..).zip(code.windows(6));
    let conditional = conditional.filter_map(move |(behind, bytes)| match bytes {
        [0x0f, 0x80..=0x8f, distance @ ..] => led(address.checked_add(behind)?, distance),
        _ => None,
    });
    calls.chain(conditional)
}

fn led(behind: u64, distance: &[u8]) -> Option<u64> {
    let distance = i32::from_le_bytes(distance.try_into().ok()?);
    behind.checked_add_signed(distance.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_inside_is_found_and_one_at_the_edges_is_not() {
        let targets = Targets(vec![100, 105, 110]);
        assert_eq!(targets.inside(Svma(100), 5), None);
        assert_eq!(targets.inside(Svma(100), 6), Some(Svma(105)));
        assert_eq!(targets.inside(Svma(101), 4), None);
        assert_eq!(targets.inside(Svma(104), 2), Some(Svma(105)));
        assert_eq!(targets.inside(Svma(110), 99), None);
    }

    #[test]
    fn calls_jumps_and_conditional_jumps_lead_somewhere() {
        // call +0x10; jne -6; nop
        let code = [
            0xe8, 0x10, 0, 0, 0, 0x0f, 0x85, 0xfa, 0xff, 0xff, 0xff, 0x90,
        ];
        let found: Vec<u64> = relative(&code, 0x1000).collect();
        assert_eq!(found, [0x1015, 0x1005]);
        // Where addresses end there is nothing behind an instruction.
        assert_eq!(relative(&code, u64::MAX - 8).next(), None);
    }
}
