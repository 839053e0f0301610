//! Rules for segments, sections and load commands: those of the kernel, and those of the dynamic
//! loader, which depend on the SDK that a file says it was built with.
//!
//! Source: dyld-1378, `mach_o/Policy.cpp` and `mach_o/Image.cpp`.

use super::rule::{Finding, Rule};
use super::text;
use crate::binary::macho::{
    FileType, MachO, Platform, Section, SectionType, Segment, TableOf, Target, Triple,
};
use crate::binary::{FileOffset, Svma};

/// What dyld asks of files since the SDKs of autumn 2025.
const STRICT: u16 = 26;
/// The segment is read-only once the loader has filled it.
const SG_READ_ONLY: u32 = 0x10;

pub(super) fn check(image: &MachO<'_>) -> Vec<Finding> {
    // Of a file for debuggers the segments are those of another file.
    if image.file_type == FileType::DebugInformation {
        return Vec::new();
    }
    let mut findings = Vec::new();
    files(image, &mut findings);
    if image.file_type == FileType::Object {
        return findings;
    }
    overlaps(image, &mut findings);
    sections(image, &mut findings);
    protections(image, &mut findings);
    data(image, &mut findings);
    if spring_2025(image) && image.dylibs().next().is_none() {
        findings.push(Finding {
            rule: Rule::LibraryNone,
            section: None,
            offset: image.in_file(0),
            expected: "a load command LC_LOAD_DYLIB".to_owned(),
            found: format!("none among {}", image.commands.len()),
        });
    }
    if image.file_type == FileType::Executable {
        entry(image, &mut findings);
        if built_with(image, STRICT, STRICT) {
            order(image, &mut findings);
            names(image, &mut findings);
            twice(image, &mut findings);
        }
    }
    uuid(image, &mut findings);
    findings
}

/// Whether a file was built with an SDK for macOS, or for Apple's other systems, of at least
/// these versions.
fn built_with(image: &MachO<'_>, macos: u16, others: u16) -> bool {
    let at_least = |target: &Target| {
        let version = if target.platform == Platform::MACOS {
            macos
        } else {
            others
        };
        target.sdk >= Triple::of(version, 0)
    };
    image.targets().any(|target| at_least(&target))
}

/// Whether a file was built with the SDKs of spring 2025, by which dyld asks more of it.
fn spring_2025(image: &MachO<'_>) -> bool {
    let at_least = |target: &Target| {
        let (major, minor) = match target.platform {
            Platform::MACOS => (15, 4),
            _ => (18, 4),
        };
        target.sdk >= Triple::of(major, minor)
    };
    image.targets().any(|target| at_least(&target))
}

fn in_segment(image: &MachO<'_>, segment: &Segment<'_>, rule: Rule, said: [String; 2]) -> Finding {
    let [expected, found] = said;
    Finding {
        rule,
        section: Some(segment.name.clone()),
        offset: image.in_file(segment.command.0),
        expected,
        found,
    }
}

fn files(image: &MachO<'_>, findings: &mut Vec<Finding>) {
    for segment in image.segments() {
        let end = segment.offset.saturating_add(segment.file_size);
        let size = image.data.len() as u64;
        if end > size {
            let said = [
                format!("bytes up to {size:#x}, where the slice ends"),
                format!("bytes up to {end:#x}"),
            ];
            findings.push(in_segment(image, segment, Rule::SegmentFile, said));
        } else if segment.file_size > segment.size && segment.size > 0 {
            let said = [
                format!("{:#x} bytes at most, its size in memory", segment.size),
                format!("{:#x} bytes in the file", segment.file_size),
            ];
            findings.push(in_segment(image, segment, Rule::SegmentFile, said));
        }
    }
}

/// Segments that take memory, by their addresses.
fn by_address<'i, 'a>(image: &'i MachO<'a>) -> Vec<&'i Segment<'a>> {
    let mut segments: Vec<_> = image.segments().iter().filter(|one| one.size > 0).collect();
    segments.sort_by_key(|segment| segment.address);
    segments
}

fn overlaps(image: &MachO<'_>, findings: &mut Vec<Finding>) {
    let segments = by_address(image);
    for (before, segment) in segments.iter().zip(segments.iter().skip(1)) {
        if segment.address < before.end() {
            let said = [
                format!("{} or more, the end of {}", before.end(), before.name),
                segment.address.to_string(),
            ];
            findings.push(in_segment(image, segment, Rule::SegmentOverlap, said));
        }
    }
}

fn sections(image: &MachO<'_>, findings: &mut Vec<Finding>) {
    for segment in image.segments() {
        // DWARF is never loaded: its segment has no memory, and its sections are in the file.
        let loaded = segment.size > 0;
        for section in &segment.sections {
            let end = section.address.0.saturating_add(section.size);
            let in_memory = segment.address <= section.address && end <= segment.end().0;
            let in_file = section.kind() == SectionType::Zeroes
                || section.size == 0
                || segment.offset <= section.offset
                    && section.offset.saturating_add(section.size)
                        <= segment.offset.saturating_add(segment.file_size);
            if (in_memory || !loaded) && in_file {
                continue;
            }
            findings.push(bounds(image, segment, section, end));
        }
    }
}

fn bounds(image: &MachO<'_>, segment: &Segment<'_>, section: &Section<'_>, end: u64) -> Finding {
    Finding {
        rule: Rule::SectionBounds,
        section: Some(section.full_name()),
        offset: image.in_file(section.header.0),
        expected: format!(
            "within {} to {}, in the file within {:#x} to {:#x}",
            segment.address,
            segment.end(),
            segment.offset,
            segment.offset.saturating_add(segment.file_size)
        ),
        found: format!(
            "{} to {}, in the file from {:#x}",
            section.address,
            Svma(end),
            section.offset
        ),
    }
}

fn protections(image: &MachO<'_>, findings: &mut Vec<Finding>) {
    if let Some(segment) = image.segment("__TEXT") {
        let initial = segment.initial;
        if initial.writable() || !initial.executable() {
            let said = ["r-x".to_owned(), initial.to_string()];
            findings.push(in_segment(image, segment, Rule::TextWritable, said));
        }
    }
    let strict = image.file_type == FileType::Executable && built_with(image, STRICT, STRICT);
    if let Some(segment) = image.segment("__LINKEDIT").filter(|_| strict) {
        let initial = segment.initial;
        if initial.writable() || initial.executable() || !initial.readable() {
            let said = ["r--".to_owned(), initial.to_string()];
            findings.push(in_segment(image, segment, Rule::LinkEditWritable, said));
        }
    }
}

/// Libraries that tell how their segments may be moved are for the shared cache, where others make
/// data read-only.
fn data(image: &MachO<'_>, findings: &mut Vec<Finding>) {
    let cached = image.file_type == FileType::Library && image.table(TableOf::SplitInfo).is_some();
    let flagged = spring_2025(image) && !cached;
    let strict = image.file_type == FileType::Executable && built_with(image, STRICT, STRICT);
    for segment in image.segments() {
        let constant = segment.name == "__DATA_CONST";
        if !constant && segment.name != "__DATA" {
            continue;
        }
        let initial = segment.initial;
        let right = initial.readable() && initial.writable() && !initial.executable();
        if strict && !right {
            let said = ["rw-".to_owned(), initial.to_string()];
            findings.push(in_segment(image, segment, Rule::DataProtection, said));
        } else if flagged && constant && segment.flags & SG_READ_ONLY == 0 {
            let said = [
                format!("flags with {SG_READ_ONLY:#x}, SG_READ_ONLY"),
                format!("flags {:#x}", segment.flags),
            ];
            findings.push(in_segment(image, segment, Rule::DataConstFlag, said));
        }
    }
}

fn entry(image: &MachO<'_>, findings: &mut Vec<Finding>) {
    let Some(entry) = image.entry() else {
        return;
    };
    let mut code = image
        .segments()
        .iter()
        .filter(|one| one.initial.executable());
    if !code.any(|segment| segment.holds(entry)) {
        findings.push(Finding {
            rule: Rule::EntryOutside,
            section: image.section_at(entry).map(Section::full_name),
            offset: command(image, &["LC_MAIN", "LC_UNIXTHREAD"]),
            expected: "an address in a segment that may be run".to_owned(),
            found: entry.to_string(),
        });
    }
}

/// Where the first load command of one of these names is.
fn command(image: &MachO<'_>, names: &[&str]) -> FileOffset {
    let mut commands = image.commands.iter();
    let found = commands.find(|command| names.contains(&command.name()));
    image.in_file(found.map_or(0, |command| command.offset.0))
}

fn order(image: &MachO<'_>, findings: &mut Vec<Finding>) {
    let loaded: Vec<_> = image.segments().iter().filter(|one| one.size > 0).collect();
    for (before, segment) in loaded.iter().zip(loaded.iter().skip(1)) {
        if segment.address < before.address {
            let said = [
                format!("above {}, the address of {}", before.address, before.name),
                segment.address.to_string(),
            ];
            findings.push(in_segment(image, segment, Rule::SegmentOrder, said));
        }
    }
}

fn names(image: &MachO<'_>, findings: &mut Vec<Finding>) {
    for (at, segment) in image.segments().iter().enumerate() {
        let mut earlier = image.segments().iter().take(at);
        if earlier.any(|other| other.name == segment.name) {
            let said = [
                "a name of its own".to_owned(),
                format!("{}, for the second time", segment.name),
            ];
            findings.push(in_segment(image, segment, Rule::SegmentName, said));
        }
    }
}

fn twice(image: &MachO<'_>, findings: &mut Vec<Finding>) {
    let libraries: Vec<&[u8]> = image.dylibs().map(|dylib| dylib.path).collect();
    let run_paths: Vec<&[u8]> = image.rpaths().collect();
    for (rule, names, of) in [
        (Rule::LibraryTwice, libraries, "LC_LOAD_DYLIB"),
        (Rule::RunPathTwice, run_paths, "LC_RPATH"),
    ] {
        for (at, name) in names.iter().enumerate() {
            if names.iter().take(at).any(|other| other == name) {
                findings.push(Finding {
                    rule,
                    section: None,
                    offset: command(image, &[of]),
                    expected: "each once".to_owned(),
                    found: format!("{}, for the second time", text(name)),
                });
            }
        }
    }
}

/// dyld asks it of programs built with SDKs of 2025 or newer, of libraries since those of 2021.
fn uuid(image: &MachO<'_>, findings: &mut Vec<Finding>) {
    let needed = match image.file_type {
        FileType::Executable => built_with(image, STRICT, STRICT),
        FileType::Library | FileType::Bundle => built_with(image, 12, 15),
        _ => false,
    };
    if needed && image.uuid().is_none() {
        findings.push(Finding {
            rule: Rule::UuidMissing,
            section: None,
            offset: image.in_file(0),
            expected: "a load command LC_UUID".to_owned(),
            found: format!("none among {}", image.commands.len()),
        });
    }
}
