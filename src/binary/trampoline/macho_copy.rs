//! Writes a copy of a Mach-O executable that has trampolines.
//!
//! ```text
//! original         unchanged, but for the load commands and the places
//! __GOTRACE_DATA   64 KiB that may be written: __ring, which has zeroes and the number of the copy
//! __GOTRACE        __trampolines: what each copy has once, trampolines
//! __LINKEDIT       as it was, further on: super::super::macho::Addition
//! ```
//!
//! Nothing of it is the program's entry. The library of `probes/ring`, which dyld loads where it is there, finds the
//! memory by its name and puts the ring's address into it; without it the program runs as ever, and tells nobody.

use super::Survey;
use super::code::{Code, Fields, IMAGE, PAGE};
use super::text::{Marked, put, trampolines};
use crate::binary::macho::{Addition, Gap, MachO, NewSegment, Protection};
use crate::binary::{Error, bytes::Bytes};

/// The segment of trampolines, which is code.
pub const CODE_SEGMENT: &str = "__GOTRACE";
/// The segment of a copy's own memory, and its one section.
pub const MEMORY_SEGMENT: &str = "__GOTRACE_DATA";
/// See [`MEMORY_SEGMENT`].
pub const MEMORY_SECTION: &str = "__ring";
const CODE_SECTION: &str = "__trampolines";
/// `S_ATTR_PURE_INSTRUCTIONS | S_ATTR_SOME_INSTRUCTIONS`.
const CODE_FLAGS: u32 = 0x8000_0400;
const READ_WRITE: Protection = Protection(3);
const READ_EXECUTE: Protection = Protection(5);

/// Writes a copy of the program that a survey is of, not signed yet. `number` is what its records' chunks say that it is;
/// `library` is where dyld looks for what maps the ring.
///
/// # Errors
///
/// When the file is one of several slices, has no room for more load commands, is not ended by `__LINKEDIT`, or its parts
/// lie too far apart for jumps: 2 GiB on amd64, 128 MiB on arm64.
pub fn macho_copy(
    survey: &Survey<'_>,
    image: &MachO<'_>,
    number: u64,
    library: &str,
    places: &[Marked<'_>],
) -> Result<Vec<u8>, Error> {
    let gap = Gap::of(image)?;
    let start = gap.address.0.saturating_add(PAGE);
    let code = Code::for_macos(survey.holes)?;
    let mut text = code.once(&Fields::of(&survey.fields))?;
    let mut original = image.data.to_vec();
    trampolines(survey, &code, start, places, &mut text, &mut original)?;
    let mut memory = vec![0; usize::try_from(PAGE).unwrap_or(0)];
    put(&mut memory, IMAGE, &number.to_le_bytes())?;
    let segment = |name, section, protection, flags, contents| NewSegment {
        name,
        section,
        protection,
        flags,
        contents,
    };
    let addition = Addition {
        segments: &[
            segment(MEMORY_SEGMENT, MEMORY_SECTION, READ_WRITE, 0, &memory),
            segment(CODE_SEGMENT, CODE_SECTION, READ_EXECUTE, CODE_FLAGS, &text),
        ],
        library,
    };
    addition.to(image, &original)
}

/// Which copy a program with trampolines is: the number that its records' chunks have; `None` for any other program.
#[must_use]
pub fn image_of(image: &MachO<'_>) -> Option<u64> {
    let memory = image.section(MEMORY_SEGMENT, MEMORY_SECTION)?;
    Bytes(memory.data)
        .u64("number of a copy", IMAGE as u64)
        .ok()
}
