//! The executables of two official toolchains: nothing is wrong with any of them.

use crate::facts::pointers;
use crate::files::{llvm, official, official_named};
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::Wanted;
use std::path::{Path, PathBuf};

const CHECK: Wanted = Wanted {
    bindings: false,
    findings: true,
};

#[test]
fn official_executables_break_no_rule() {
    for path in official() {
        let data = std::fs::read(&path).unwrap();
        let found = Inspection::of(&data, CHECK).unwrap();
        let findings = found.slices[0].findings.as_ref().unwrap();
        assert_eq!(findings, &[], "{}", path.display());
        let go = found.slices[0].go.as_ref().unwrap();
        assert_eq!(go.version, "go1.27.3");
        assert!(go.functions > 2000 && go.table == Ok("Go 1.20"), "{go:?}");
    }
}

/// They are hardened and entitled to nothing, which is why a Mac lets nobody watch them.
#[test]
fn official_executables_are_hardened() {
    for arch in ["arm64", "amd64"] {
        let Some(path) = official_named(arch, "compile") else {
            return;
        };
        let found = Inspection::of(&std::fs::read(path).unwrap(), CHECK).unwrap();
        let signature = found.slices[0].signature.as_ref().unwrap();
        assert_eq!(signature.flags, ["hardened"]);
        assert_eq!(signature.team.as_deref(), Some("EQHXZ8M8AV"));
        assert!(signature.certificates && signature.entitlements.is_empty());
        assert!(signature.undecided.len() > 3, "{signature:?}");
    }
}

/// A file of a package that is fetched.
pub(crate) fn fixture(name: &str) -> Option<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/fixtures");
    let found = fixtures.join(name);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: no {name}: scripts/fetch-fixtures");
    None
}

const ALL: Wanted = Wanted {
    bindings: true,
    findings: true,
};

/// Programs by Apple's linker of 2024 and 2026: ninja's is stripped, with a C++ library; those of
/// `PyInstaller` were built with an SDK of which dyld asks all that it ever asks.
#[test]
fn programs_in_fat_files_break_no_rule() {
    const PROGRAMS: [(&str, &str); 5] = [
        ("ninja-1.13.2/ninja-1.13.2.data/scripts/ninja", "14.5"),
        (
            "pyinstaller-6.22.3/PyInstaller/bootloader/Darwin-64bit/run",
            "26.2",
        ),
        (
            "pyinstaller-6.22.3/PyInstaller/bootloader/Darwin-64bit/run_d",
            "26.2",
        ),
        (
            "pyinstaller-6.22.3/PyInstaller/bootloader/Darwin-64bit/runw",
            "26.2",
        ),
        (
            "pyinstaller-6.22.3/PyInstaller/bootloader/Darwin-64bit/runw_d",
            "26.2",
        ),
    ];
    for (program, sdk) in PROGRAMS {
        let Some(path) = fixture(program) else {
            return;
        };
        let found = Inspection::of(&std::fs::read(&path).unwrap(), ALL).unwrap();
        assert_eq!(found.slices.len(), 2);
        for (slice, arch) in found.slices.iter().zip(["amd64", "arm64"]) {
            assert_eq!(
                slice.findings.as_deref(),
                Some(&[][..]),
                "{program}: {arch}"
            );
            assert_eq!(
                (slice.arch.as_str(), slice.kind.as_str()),
                (arch, "executable")
            );
            assert_eq!(slice.platforms[0].sdk.as_deref(), Some(sdk));
            let arch = arch.replace("amd64", "x86_64");
            let arguments = ["--macho", "--private-headers", &format!("--arch={arch}")];
            let Some(listing) = llvm("llvm-objdump", &arguments, &path) else {
                return;
            };
            let sections = [("compact", "__unwind_info"), ("eh_frame", "__eh_frame")];
            let has = |name| listing.contains(&format!("sectname {name}\n"));
            let unwind = sections.into_iter().filter(|(_, section)| has(*section));
            let unwind: Vec<&str> = unwind.map(|(what, _)| what).collect();
            assert_eq!(slice.abi.unwind, unwind);
            assert!(!slice.imports.is_empty() && slice.entry.is_some());
            let flags = slice
                .signature
                .as_ref()
                .map(|signature| signature.flags.clone());
            let signed = arch == "arm64";
            assert_eq!(flags.is_some(), signed);
            assert!(flags.is_none_or(|flags| flags == ["ad hoc", "linker-signed"]));
        }
    }
}

/// Programs and plug-ins of Mac OS X 10.4 and newer, for PowerPC, too; up to 10.5 symbols and
/// relocations alone say what is imported.
#[test]
fn old_files_break_no_rule() {
    let Some(folder) = fixture("py2app-0.28.8/py2app") else {
        return;
    };
    let (mut checked, mut listed) = (0, 0);
    for template in ["apptemplate", "bundletemplate"] {
        for entry in std::fs::read_dir(folder.join(template).join("prebuilt")).unwrap() {
            let path = entry.unwrap().path();
            let named = path.display();
            let found = match Inspection::of(&std::fs::read(&path).unwrap(), ALL) {
                Ok(found) => found,
                Err(error) => {
                    let said = error.to_string();
                    assert!(
                        said.starts_with("Mach-O file at 0x0: expected 64 bits"),
                        "{said}"
                    );
                    let arch = said.rsplit(' ').next().unwrap();
                    assert!(named.to_string().ends_with(&arch.replace("386", "i386")));
                    listed += 1;
                    continue;
                }
            };
            for slice in &found.slices {
                if slice.unread.is_some() {
                    assert!(
                        ["386", "ppc", "ppc64"].contains(&slice.arch.as_str()),
                        "{named}"
                    );
                    listed += 1;
                    continue;
                }
                assert_eq!(
                    slice.findings.as_deref(),
                    Some(&[][..]),
                    "{named}: {}",
                    slice.arch
                );
                assert!(slice.imports.len() > 20, "{named}");
                checked += 1;
            }
        }
    }
    assert!(checked >= 20 && listed >= 20, "{checked} {listed}");
}

#[test]
fn relocations_are_those_of_objdump() {
    let Some(path) = fixture("py2app-0.28.8/py2app/bundletemplate/prebuilt/main-x86_64") else {
        return;
    };
    let Some(listing) = llvm("llvm-objdump", &["--macho", "-r"], &path) else {
        return;
    };
    let (Some(known), Ok(data)) = (pointers(&path), std::fs::read(&path)) else {
        return;
    };
    let found = Inspection::of(&data, ALL).unwrap().slices.remove(0);
    let by = |how: &str| -> Vec<(u64, String)> {
        let imports = found.imports.iter().filter(|import| import.how == how);
        imports
            .map(|import| (import.slot.unwrap().0, import.symbol.clone()))
            .collect()
    };
    let imported = |row: &(u64, String)| found.imports.iter().any(|one| one.symbol == row.1);
    let known: Vec<_> = known.into_iter().filter(imported).collect();
    assert_eq!(by("indirect symbol"), known);
    // Relocations count from the first segment that may be written to.
    let data = found
        .segments
        .iter()
        .find(|one| one.name == "__DATA")
        .unwrap();
    let listing: Vec<(u64, String)> = listing
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [address, "False", "quad", "True", "UNSIGND", "False", name] = words[..] else {
                return None;
            };
            let address = u64::from_str_radix(address, 16).unwrap();
            Some((data.address.0 + address, name.to_owned()))
        })
        .collect();
    assert!(listing.len() > 50);
    assert_eq!(by("relocation"), listing);
    let string = found
        .imports
        .iter()
        .find(|one| one.symbol == "___CFConstantStringClassReference");
    assert!(string.unwrap().provider.ends_with("/CoreFoundation"));
}

/// Extension modules of Python packages, for both architectures in one file, by Apple's linker.
#[test]
fn fat_files_break_no_rule() {
    const MODULES: [&str; 2] = [
        "markupsafe-3.0.2/markupsafe/_speedups.cpython-313-darwin.so",
        "cryptography-45.0.7/cryptography/hazmat/bindings/_rust.abi3.so",
    ];
    for module in MODULES {
        let Some(path) = fixture(module) else {
            return;
        };
        let found = Inspection::of(&std::fs::read(path).unwrap(), ALL).unwrap();
        assert_eq!(found.format, "fat Mach-O");
        let archs: Vec<&str> = found
            .slices
            .iter()
            .map(|slice| slice.arch.as_str())
            .collect();
        assert_eq!(archs, ["amd64", "arm64"]);
        for slice in &found.slices {
            assert_eq!(
                slice.findings.as_deref(),
                Some(&[][..]),
                "{module}: {}",
                slice.arch
            );
            assert!(slice.go.is_none() && !slice.abi.unwind.is_empty());
            let of_python = slice
                .imports
                .iter()
                .filter(|one| one.symbol.starts_with("_Py"));
            // Python is the program that loads the module: no library is named.
            assert!(of_python.clone().count() > 0);
            assert!(
                of_python
                    .clone()
                    .all(|one| one.provider == "any loaded file")
            );
        }
        let signature = found.slices[1].signature.as_ref().unwrap();
        assert!(
            signature.flags.contains(&"ad hoc".to_owned()),
            "{signature:?}"
        );
    }
}
