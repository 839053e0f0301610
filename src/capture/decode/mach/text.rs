//! The code of an image that dyld has loaded: its header in the process's memory in, where its code lies out.

use crate::binary::FileOffset;
use crate::binary::macho::{Cpu, MachO, Slice, SliceOf};
use crate::capture::decode::memory::ReadMemory;
use crate::trace::Avma;

/// Bytes of a header, and where in it is how many those of all load commands are.
const HEADER: usize = 32;
const COMMANDS: std::ops::Range<usize> = 20..24;
/// Load commands of the largest images have some ten thousand bytes.
const MOST: usize = 1 << 20;

/// The segment `__TEXT` of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// Where it begins: at the image's header.
    pub start: Avma,
    /// The address after its last.
    pub end: Avma,
    /// Where in the file of the slice it begins.
    pub offset: FileOffset,
    /// How far it lies from where the file states that it would.
    pub slide: u64,
    /// `LC_UUID`, mostly there.
    pub uuid: Option<[u8; 16]>,
    /// Which processors it is for.
    pub cpu: Cpu,
}

impl Text {
    /// Reads the header at an address; `None` where there is none of a 64-bit image with code.
    #[must_use]
    pub fn read(memory: &dyn ReadMemory, address: Avma) -> Option<Self> {
        let mut header = [0; HEADER];
        if !memory.read(address.0, &mut header) {
            return None;
        }
        let commands = u32::from_le_bytes(*header.get(COMMANDS)?.first_chunk()?);
        let commands = usize::try_from(commands).ok()?;
        if commands > MOST {
            return None;
        }
        let mut bytes = vec![0; HEADER.checked_add(commands)?];
        if !memory.read(address.0, &mut bytes) {
            return None;
        }
        let slice = Slice {
            of: SliceOf::Thin,
            offset: FileOffset(0),
            data: &bytes,
        };
        let image = MachO::parse(&slice).ok()?;
        let text = image.segment("__TEXT")?;
        Some(Self {
            start: address,
            end: Avma(address.0.checked_add(text.size)?),
            offset: FileOffset(text.offset),
            slide: address.0.wrapping_sub(text.address.0),
            uuid: image.uuid(),
            cpu: image.cpu,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::decode::memory::MemoryCopy;
    use std::cell::Cell;

    /// Linked for arm64; the numbers are those of `llvm-objdump --macho --private-headers`.
    const CLASSIC: &[u8] = include_bytes!("../../../../tests/data/macho/classic");
    const AT: u64 = 0x1_0432_1000;

    fn memory(bytes: &[u8]) -> MemoryCopy {
        MemoryCopy {
            start: AT,
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn code_is_where_the_header_says() {
        let found = Text::read(&memory(CLASSIC), Avma(AT)).expect("a header");
        assert_eq!((found.start, found.offset), (Avma(AT), FileOffset(0)));
        assert_eq!(found.end, Avma(AT + 0x1810));
        assert_eq!(found.slide, AT - 0x1_0000_0000);
        assert!(found.cpu.is_arm64());
        // What is behind the load commands is not looked at.
        let commands = u32::from_le_bytes(CLASSIC[20..24].try_into().expect("four"));
        let length = 32 + usize::try_from(commands).expect("small");
        let only = Text::read(&memory(&CLASSIC[..length]), Avma(AT));
        assert_eq!(only, Some(found));
        let cut = Text::read(&memory(&CLASSIC[..length - 1]), Avma(AT));
        assert_eq!(cut, None);
    }

    /// Remembers the longest read.
    struct Longest(MemoryCopy, Cell<usize>);

    impl ReadMemory for Longest {
        fn read(&self, address: u64, into: &mut [u8]) -> bool {
            self.1.set(self.1.get().max(into.len()));
            self.0.read(address, into)
        }
    }

    #[test]
    fn load_commands_take_no_more_memory_than_they_may() {
        let longest = |commands: u32| {
            let mut bytes = CLASSIC.to_vec();
            bytes[20..24].copy_from_slice(&commands.to_le_bytes());
            let memory = Longest(memory(&bytes), Cell::new(0));
            assert_eq!(Text::read(&memory, Avma(AT)), None);
            memory.1.get()
        };
        assert_eq!(longest(1 << 20), (1 << 20) + 32);
        assert_eq!(longest((1 << 20) + 1), 32);
        assert_eq!(longest(u32::MAX), 32);
    }

    #[test]
    fn what_is_no_image_has_no_code() {
        let changed = |at: usize, to: &[u8]| {
            let mut bytes = CLASSIC.to_vec();
            bytes[at..at + to.len()].copy_from_slice(to);
            Text::read(&memory(&bytes), Avma(AT))
        };
        assert_eq!(changed(0, b"\x7fELF"), None);
        assert_eq!(
            changed(20, &u32::MAX.to_le_bytes()),
            None,
            "commands without end"
        );
        assert_eq!(
            changed(20, &8_u32.to_le_bytes()),
            None,
            "fewer than there are"
        );
        assert_eq!(changed(16, &0_u32.to_le_bytes()), None, "no segment");
        assert_eq!(Text::read(&memory(CLASSIC), Avma(AT - 8)), None);
        assert_eq!(Text::read(&memory(&[0; 16]), Avma(AT)), None);
        let segment = CLASSIC.windows(8).position(|name| name == b"__TEXT\0\0");
        let size = segment.expect("a segment") + 24;
        assert_eq!(
            changed(size, &u64::MAX.to_le_bytes()),
            None,
            "beyond all memory"
        );
    }
}
