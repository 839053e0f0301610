//! Whether dyld heeds `DYLD_*` for a program: bytes of its file in, a refusal with its reason out.
//!
//! The kernel and AMFI decide, and dyld asks them (`DyldProcessConfig.cpp`, `Security`); what they go by
//! is in the file. A program that is refused also takes the variables away from what it starts.

use crate::binary::macho::signature::{Signature, SignatureFlags};
use crate::binary::macho::{Cpu, FileType, MachO, Slices};
use crate::environment::Refusal;
use std::path::Path;

/// `CS_RESTRICT`.
const RESTRICT: u32 = 0x800;
/// Where the code directory says that a program is a part of the system.
const PLATFORM: usize = 38;
const ALLOWS: &str = "com.apple.security.cs.allow-dyld-environment-variables";
/// `CS_REQUIRE_LV`: it takes libraries of the system and of its own team alone. So does one that is hardened.
const VALIDATES: u32 = 0x2000;
const ANY_LIBRARY: &str = "com.apple.security.cs.disable-library-validation";
const COPY: &str = "gotrace toolchain prepare makes a copy that can be watched; codesign --force --sign - COPY does for other programs";

/// Whether dyld heeds the variables for a program; `set_id` is whether it runs as its owner.
///
/// # Errors
///
/// Why it does not, and what would help.
pub fn heeds(path: &Path, file: &[u8], set_id: bool) -> Result<(), Refusal> {
    let name = path.display().to_string();
    let refuse = |reason: &str, evidence: String, remedy: &str| {
        Err(Refusal {
            reason: format!("{name} {reason}"),
            evidence,
            remedy: remedy.to_owned(),
        })
    };
    if set_id {
        let evidence = "its set-user-id or set-group-id bit".to_owned();
        return refuse(
            "runs with the rights of another",
            evidence,
            "run a copy without it",
        );
    }
    let slices = match Slices::of(file) {
        Ok(slices) => slices,
        Err(error) => {
            let remedy = "trace the program itself: an interpreter of the system, such as /bin/sh, passes DYLD_* on to nobody";
            return refuse("is no Mach-O program", error.to_string(), remedy);
        }
    };
    for slice in &slices.slices {
        let Ok(image) = MachO::parse(slice) else {
            continue;
        };
        if image.file_type != FileType::Executable {
            let evidence = format!("it is a {}", image.file_type);
            return refuse("is no program", evidence, "");
        }
        if image
            .segments()
            .iter()
            .any(|segment| segment.name == "__RESTRICT")
        {
            let evidence = "its segment __RESTRICT".to_owned();
            return refuse("is restricted", evidence, COPY);
        }
        let Ok(Some(signature)) = Signature::of(&image) else {
            continue;
        };
        let Some(directory) = signature.directory() else {
            continue;
        };
        let evidence = format!("flags {:#x} in its code directory", directory.flags.0);
        if directory
            .data
            .get(PLATFORM)
            .is_some_and(|platform| *platform != 0)
        {
            let remedy = "run a program that is no part of macOS: a compiler of a toolchain of its own instead of /usr/bin/cc";
            return refuse("is a part of macOS", evidence, remedy);
        }
        if directory.flags.has(RESTRICT) {
            return refuse("is restricted", evidence, COPY);
        }
        if directory.flags.has(SignatureFlags::RUNTIME) && !is_entitled(&signature, ALLOWS) {
            return refuse(
                "is hardened, and dyld ignores DYLD_* for it",
                evidence,
                COPY,
            );
        }
    }
    Ok(())
}

fn is_entitled(signature: &Signature<'_>, key: &str) -> bool {
    let entitlements = signature.entitlements();
    let mut entitlements = entitlements.iter();
    entitlements.any(|one| one.key == key && one.value == "true")
}

/// Whether dyld loads a library for arm64 and amd64, signed ad hoc, into a program that `DYLD_INSERT_LIBRARIES` names:
/// it heeds the variable, takes libraries of anybody, and the library is for each of its slices. A program whose
/// library cannot be loaded is ended.
///
/// # Errors
///
/// Why it does not, and what would help.
pub fn takes_library(path: &Path, file: &[u8], set_id: bool) -> Result<(), Refusal> {
    heeds(path, file, set_id)?;
    let slices = Slices::of(file).map_or_else(|_| Vec::new(), |slices| slices.slices);
    let images: Vec<MachO<'_>> = slices
        .iter()
        .filter_map(|slice| MachO::parse(slice).ok())
        .collect();
    for image in &images {
        let Ok(Some(signature)) = Signature::of(image) else {
            continue;
        };
        let Some(flags) = signature.directory().map(|directory| directory.flags) else {
            continue;
        };
        let hardened = flags.has(SignatureFlags::RUNTIME) && !is_entitled(&signature, ANY_LIBRARY);
        if hardened || flags.has(VALIDATES) {
            return Err(Refusal {
                reason: format!("{} takes only libraries of its own team", path.display()),
                evidence: format!("flags {:#x} in its code directory", flags.0),
                remedy: COPY.to_owned(),
            });
        }
    }
    let fits = |cpu: &Cpu| cpu.is_amd64() || cpu.is_arm64() && !cpu.is_arm64e();
    let other = images.iter().map(|image| image.cpu).find(|cpu| !fits(cpu));
    let Some(cpu) = other else {
        return Ok(());
    };
    Err(Refusal {
        reason: format!("{} takes only libraries for {cpu}", path.display()),
        evidence: format!("it has a slice for {cpu}"),
        remedy: "build it for arm64".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::macho::signature::AdHoc;

    const CLASSIC: &[u8] = include_bytes!("../../tests/data/macho/classic");
    const CHAINED: &[u8] = include_bytes!("../../tests/data/macho/chained-arm64");

    /// The file with other flags and another platform in its code directory.
    fn signed(flags: u32, platform: u8) -> Vec<u8> {
        changed(CHAINED, flags, platform)
    }

    fn changed(file: &[u8], flags: u32, platform: u8) -> Vec<u8> {
        let mut file = file.to_vec();
        let magic = 0xfade_0c02_u32.to_be_bytes();
        let at = file
            .windows(4)
            .position(|bytes| bytes == magic)
            .expect("signed");
        file[at + 12..at + 16].copy_from_slice(&flags.to_be_bytes());
        file[at + PLATFORM] = platform;
        file
    }

    #[test]
    fn what_is_in_the_file_decides() {
        let path = Path::new("/x/tool");
        let refused = |file: &[u8]| heeds(path, file, false).expect_err("refused").reason;
        assert_eq!(heeds(path, CLASSIC, false), Ok(()));
        assert_eq!(heeds(path, CHAINED, false), Ok(()));
        // Ad hoc, by a linker.
        assert_eq!(heeds(path, &signed(0x2_0002, 0), false), Ok(()));
        let hardened = "/x/tool is hardened, and dyld ignores DYLD_* for it";
        assert_eq!(refused(&signed(0x1_0000, 0)), hardened);
        assert_eq!(refused(&signed(0x800, 0)), "/x/tool is restricted");
        assert_eq!(refused(&signed(0x2, 14)), "/x/tool is a part of macOS");
        assert_eq!(refused(b"#!/bin/sh\n"), "/x/tool is no Mach-O program");
        assert!(heeds(path, CLASSIC, true).is_err());
    }

    #[test]
    fn a_library_of_ours_is_taken_where_those_of_anybody_are() {
        let path = Path::new("/x/tool");
        let entitled = |flags: u32, keys: &[&str]| {
            let maker = AdHoc {
                name: "tool".to_owned(),
                entitlements: keys.iter().map(|&key| key.to_owned()).collect(),
                ..AdHoc::default()
            };
            let file = maker.sign(CHAINED).expect("signed");
            takes_library(path, &changed(&file, flags, 0), false).map_err(|refusal| refusal.reason)
        };
        let own_team = Err("/x/tool takes only libraries of its own team".to_owned());
        assert_eq!(entitled(0x1_0000, &[ALLOWS, ANY_LIBRARY]), Ok(()));
        assert_eq!(entitled(0x1_0000, &[ALLOWS]), own_team);
        assert_eq!(entitled(0x2, &[]), Ok(()));
        assert_eq!(entitled(0x2002, &[]), own_team);
        let ignores = "/x/tool is hardened, and dyld ignores DYLD_* for it".to_owned();
        assert_eq!(entitled(0x1_0000, &[ANY_LIBRARY]), Err(ignores));
    }

    #[test]
    fn a_refusal_says_how_it_is_known_and_what_helps() {
        let refusal = heeds(Path::new("/go"), &signed(0x1_0000, 0), false).expect_err("refused");
        assert_eq!(refusal.evidence, "flags 0x10000 in its code directory");
        assert!(refusal.remedy.contains("gotrace toolchain prepare"));
    }
}
