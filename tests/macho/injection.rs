//! Into which programs dyld loads a library by `DYLD_INSERT_LIBRARIES`, by what their files say: official tools,
//! copies of them that are signed anew, what Go and zig link.

use crate::files::{built, official, official_named, scratch, shared};
use gotrace::binary::macho::signature::AdHoc;
use gotrace::capture::dyld_variables::{heeds, takes_library};
use std::path::Path;
use std::process::Command;

fn taken(path: &Path, file: &[u8], set_id: bool) -> Result<(), String> {
    let taken = takes_library(path, file, set_id);
    taken.map_err(|refusal| refusal.to_string())
}

#[test]
fn official_tools_take_none_and_copies_that_are_signed_anew_do() {
    for path in official() {
        let file = std::fs::read(&path).unwrap();
        // The flag is that which `codesign -d` calls `runtime`: kSecCodeSignatureRuntime.
        let refused = taken(&path, &file, false).unwrap_err();
        let expected =
            "is hardened, and dyld ignores DYLD_* for it (flags 0x10000 in its code directory)";
        assert!(refused.ends_with(expected), "{refused}");
        let signer = AdHoc {
            name: "tool".to_owned(),
            ..AdHoc::default()
        };
        let copy = signer.sign(&file).unwrap();
        assert_eq!(taken(&path, &copy, false), Ok(()), "{}", path.display());
        let owners = taken(&path, &copy, true).unwrap_err();
        assert!(
            owners.contains("runs with the rights of another"),
            "{owners}"
        );
    }
}

/// For arm64 the linker signs them; for amd64 they have no signature.
#[test]
fn what_go_builds_takes_one() {
    for (name, path) in built().into_iter().flatten() {
        let file = std::fs::read(path).unwrap();
        assert_eq!(taken(path, &file, false), Ok(()), "{name}");
    }
}

#[test]
fn restricted_programs_libraries_and_scripts_take_none() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let zig = root.join(".tools/fixtures/zig-0.17.1/ziglang/zig");
    if zig.is_file() {
        let folder = scratch().join("restricted");
        std::fs::create_dir_all(&folder).unwrap();
        let (source, program) = (folder.join("main.c"), folder.join("main"));
        let text = "__attribute__((section(\"__RESTRICT,__restrict\"), used)) static char mark;\n";
        std::fs::write(&source, format!("{text}int main(void) {{ return 0; }}\n")).unwrap();
        let mut cc = Command::new(zig);
        cc.args(["cc", "-target", "aarch64-macos.13.0", "-o"]);
        cc.arg(&program).arg(&source);
        for name in ["GLOBAL", "LOCAL"] {
            cc.env(format!("ZIG_{name}_CACHE_DIR"), shared("zig"));
        }
        assert!(cc.status().unwrap().success());
        let refused = taken(&program, &std::fs::read(&program).unwrap(), false).unwrap_err();
        assert!(refused.contains("its segment __RESTRICT"), "{refused}");
    } else {
        println!("skipped: no zig: scripts/fetch-fixtures");
    }
    for (name, why) in [
        ("tests/data/macho/libmath.dylib", "is no program"),
        ("scripts/test", "is no Mach-O program"),
    ] {
        let path = root.join(name);
        let refused = taken(&path, &std::fs::read(&path).unwrap(), false).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
}

/// dyld reads the variables, and could not load the library.
#[test]
fn a_program_with_signed_pointers_takes_no_library_of_ours() {
    let Some(path) = official_named("arm64", "gofmt") else {
        return;
    };
    let file = AdHoc::default()
        .sign(&std::fs::read(&path).unwrap())
        .unwrap();
    // CPU_SUBTYPE_ARM64E, with the version of its ABI in the upper bits (<mach/machine.h>).
    let signed = [&file[..8], &0x8000_0002_u32.to_le_bytes(), &file[12..]].concat();
    assert_eq!(heeds(&path, &signed, false), Ok(()));
    let refused = taken(&path, &signed, false).unwrap_err();
    assert!(
        refused.contains("takes only libraries for arm64e"),
        "{refused}"
    );
}
