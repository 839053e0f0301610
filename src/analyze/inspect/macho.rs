//! Facts of a Mach-O slice.

use super::go::{self, LinkedBy};
use super::rule::{Finding, Rule};
use super::{
    AbiFacts, CommandFacts, LibraryFacts, PlatformFacts, SegmentFacts, SignatureFacts, SliceFacts,
    Unwound, Wanted, bindings, hexadecimal, layout, signing, stubs, text,
};
use crate::binary::Error;
use crate::binary::macho::signature::{CodeDirectory, Signature};
use crate::binary::macho::{Command, FileType, Flags, MachO, Triple, Unwinding};

/// All that is known of a slice, and what is wanted besides. Imports that are wanted and cannot
/// be read are an error: none would be shown for none that there are.
pub(super) fn facts(image: &MachO<'_>, wanted: Wanted) -> Result<SliceFacts, Error> {
    let one = |pick: &dyn Fn(&Command<'_>) -> Option<String>| {
        image.commands.iter().find_map(|one| pick(&one.command))
    };
    let signature = Signature::of(image);
    let read = signature.as_ref().ok().and_then(Option::as_ref);
    let go = go::facts(image, linked_by(image));
    let imports = if wanted.bindings {
        bindings::of_macho(image)?
    } else {
        Vec::new()
    };
    Ok(SliceFacts {
        arch: image.cpu.to_string(),
        kind: image.file_type.to_string(),
        platforms: image.targets().map(|target| platform(&target)).collect(),
        flags: image.flags.names(),
        identity: image.uuid().map(|uuid| uuid_text(&uuid)),
        own_name: image.own_name().map(text),
        loader: one(&|command| match command {
            Command::Loader(path) => Some(text(path)),
            _ => None,
        }),
        entry: image.entry(),
        source_version: one(&|command| match command {
            Command::SourceVersion(version) => Some(version.clone()),
            _ => None,
        }),
        segments: segments(image),
        commands: commands(image),
        libraries: libraries(image),
        run_paths: image.rpaths().map(text).collect(),
        abi: abi(image, go.is_some()),
        go,
        debug_information: has_debug_information(image),
        signature: read.map(signature_facts),
        imports,
        findings: wanted.findings.then(|| findings(image, &signature)),
        ..SliceFacts::default()
    })
}

fn findings(image: &MachO<'_>, signature: &Result<Option<Signature<'_>>, Error>) -> Vec<Finding> {
    let mut findings = layout::check(image);
    if matches!(
        image.file_type,
        FileType::Executable | FileType::Library | FileType::Bundle
    ) {
        findings.extend(stubs::check(image));
        findings.extend(signing::check(image, signature));
    }
    findings.sort_by_key(|finding| Rule::ALL.iter().position(|rule| *rule == finding.rule));
    findings
}

fn platform(target: &crate::binary::macho::Target) -> PlatformFacts {
    PlatformFacts {
        name: target.platform.to_string(),
        minimum: target.minimum.to_string(),
        sdk: (target.sdk != Triple(0)).then(|| target.sdk.to_string()),
    }
}

pub(super) fn uuid_text(uuid: &[u8; 16]) -> String {
    let digits = hexadecimal(uuid).to_uppercase();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    let parts: Vec<&str> = parts
        .into_iter()
        .filter_map(|part| digits.get(part))
        .collect();
    parts.join("-")
}

fn segments(image: &MachO<'_>) -> Vec<SegmentFacts> {
    let facts = image.segments().iter().map(|segment| SegmentFacts {
        name: segment.name.clone(),
        address: segment.address,
        size: segment.size,
        offset: image.in_file(segment.offset),
        file_size: segment.file_size,
        protection: segment.initial.to_string(),
    });
    facts.collect()
}

fn commands(image: &MachO<'_>) -> Vec<CommandFacts> {
    let facts = image.commands.iter().map(|command| CommandFacts {
        name: command.name(),
        number: command.number,
        offset: image.in_file(command.offset.0),
        size: command.size,
    });
    facts.collect()
}

fn libraries(image: &MachO<'_>) -> Vec<LibraryFacts> {
    let facts = image.dylibs().map(|dylib| LibraryFacts {
        path: text(dylib.path),
        version: (dylib.version != Triple(0)).then(|| dylib.version.to_string()),
        used: dylib.used.words(),
    });
    facts.collect()
}

/// Go's linker puts its stubs into a section of another name than all others do, and never says
/// that imports name their library; what is linked with `-flat_namespace` does not say so either.
fn linked_by(image: &MachO<'_>) -> LinkedBy {
    let has = |stubs| image.section("__TEXT", stubs).is_some();
    if image.file_type == FileType::Object {
        LinkedBy::None
    } else if has("__symbol_stub1") || !image.flags.has(Flags::TWO_LEVEL) && !has("__stubs") {
        LinkedBy::Go
    } else {
        LinkedBy::System
    }
}

fn abi(image: &MachO<'_>, go: bool) -> AbiFacts {
    let filled = |name| {
        let section = image.section_named(name);
        section.is_some_and(|section| !section.data.is_empty())
    };
    let mut unwind = Vec::new();
    if filled("__unwind_info") || filled("__compact_unwind") {
        unwind.push("compact");
    }
    if filled("__eh_frame") {
        unwind.push("eh_frame");
    }
    let chained = image.chained().is_ok_and(|chained| chained.signed);
    AbiFacts {
        unwind,
        signed_pointers: image.cpu.is_arm64e() || filled("__auth_stubs") || chained,
        frame_pointers: go.then_some(true),
        unwound: unwound(image),
    }
}

fn unwound(image: &MachO<'_>) -> Option<Result<Unwound, String>> {
    let functions = match image.unwinding() {
        Ok(functions) if functions.is_empty() => return None,
        Ok(functions) => functions,
        Err(error) => return Some(Err(error.to_string())),
    };
    let count = |way| functions.iter().filter(|one| **one == way).count() as u64;
    Some(Ok(Unwound {
        frame_pointer: count(Unwinding::FramePointer),
        frameless: count(Unwinding::Frameless),
        dwarf: count(Unwinding::Dwarf),
        nothing: count(Unwinding::Nothing),
    }))
}

fn has_debug_information(image: &MachO<'_>) -> bool {
    image.sections().any(|section| {
        let name = section.name.as_str();
        name.starts_with("__debug_info") || name.starts_with("__zdebug_info")
    })
}

fn signature_facts(signature: &Signature<'_>) -> SignatureFacts {
    let directory = signature.directory();
    let of = |pick: &dyn Fn(&CodeDirectory<'_>) -> String| directory.map_or_else(String::new, pick);
    let entitlements = signature.entitlements();
    SignatureFacts {
        flags: directory.map_or_else(Vec::new, |directory| directory.flags.names()),
        identifier: of(&|directory| text(directory.identifier)),
        team: directory.and_then(|directory| directory.team).map(text),
        hash: of(&|directory| directory.hash.to_string()),
        pages: directory.map_or(0, |directory| directory.pages),
        page_size: directory.map_or(0, |directory| directory.page_size),
        cdhash: directory
            .and_then(CodeDirectory::cdhash)
            .map(|hash| hexadecimal(&hash)),
        certificates: signature.has_certificates(),
        entitlements: entitlements.iter().map(ToString::to_string).collect(),
        undecided: signing::undecided(signature),
    }
}
