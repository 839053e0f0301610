//! Facts of an ELF file.

use super::go::{self, LinkedBy};
use super::{
    AbiFacts, LibraryFacts, SegmentFacts, SliceFacts, Wanted, bindings, hexadecimal, text,
};
use crate::binary::Error;
use crate::binary::elf::{Elf, Kind, Machine};
use crate::binary::linkable::Arch;

/// All that is known of a file, and its imports where they are wanted; those that cannot be read are an
/// error, as they are of a Mach-O slice.
pub(super) fn facts(data: &[u8], elf: &Elf<'_>, wanted: Wanted) -> Result<SliceFacts, Error> {
    // Compilers of C leave a line of their own; Go's linker alone leaves none.
    let linked_by = match elf.section(b".comment") {
        Some(_) => LinkedBy::System,
        None => LinkedBy::Go,
    };
    let go = go::facts(elf, linked_by);
    let loads = elf.memory().loads().iter();
    let letter = |set, letter| if set { letter } else { '-' };
    Ok(SliceFacts {
        arch: match elf.machine {
            Machine::Amd64 => "amd64".to_owned(),
            Machine::Arm64 => "arm64".to_owned(),
            Machine::Other(number) => Arch::of_machine(number).to_string(),
        },
        size: data.len() as u64,
        kind: match (elf.kind, &elf.interpreter) {
            (Kind::Executable, _) | (Kind::Dynamic, Some(_)) => "executable".to_owned(),
            (Kind::Dynamic, None) => "library".to_owned(),
            (Kind::Other(1), _) => "object".to_owned(),
            (Kind::Other(number), _) => format!("file type {number}"),
        },
        flags: match (elf.kind, &elf.interpreter) {
            (Kind::Dynamic, Some(_)) => vec!["PIE".to_owned()],
            _ => Vec::new(),
        },
        identity: elf.build_id().map(hexadecimal),
        own_name: elf.own_name().map(text),
        loader: elf.interpreter.map(text),
        entry: (elf.entry.0 != 0).then_some(elf.entry),
        segments: loads
            .map(|load| SegmentFacts {
                name: String::new(),
                address: load.address,
                size: load.size,
                offset: load.offset,
                file_size: load.file_size,
                protection: [
                    'r',
                    letter(load.writable, 'w'),
                    letter(load.executable, 'x'),
                ]
                .iter()
                .collect(),
            })
            .collect(),
        libraries: elf
            .needed()
            .map(|name| LibraryFacts {
                path: text(name),
                version: None,
                used: "required".to_owned(),
            })
            .collect(),
        run_paths: elf.run_paths().map(text).collect(),
        abi: AbiFacts {
            unwind: match elf.section(b".eh_frame") {
                Some(section) if section.size > 0 => vec!["eh_frame"],
                _ => Vec::new(),
            },
            signed_pointers: false,
            frame_pointers: go.is_some().then_some(true),
            unwound: None,
        },
        go,
        debug_information: elf.section(b".debug_info").is_some()
            || elf.section(b".zdebug_info").is_some(),
        imports: match wanted.bindings {
            true => bindings::of_elf(data, elf)?,
            false => Vec::new(),
        },
        ..SliceFacts::default()
    })
}
