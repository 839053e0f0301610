//! The executables of two official toolchains: nothing is wrong with any of them.

use crate::files::{official, official_named};
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::Wanted;
use std::path::Path;

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

/// Extension modules of Python packages, for both architectures in one file, by Apple's linker.
#[test]
fn fat_files_break_no_rule() {
    const MODULES: [&str; 2] = [
        "markupsafe-3.0.2/markupsafe/_speedups.cpython-313-darwin.so",
        "cryptography-45.0.7/cryptography/hazmat/bindings/_rust.abi3.so",
    ];
    for module in MODULES {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/fixtures");
        let Ok(data) = std::fs::read(fixtures.join(module)) else {
            println!("skipped: no {module}: scripts/fetch-fixtures");
            return;
        };
        let wanted = Wanted {
            bindings: true,
            findings: true,
        };
        let found = Inspection::of(&data, wanted).unwrap();
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
