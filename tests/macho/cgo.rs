//! Go with C in it, for a Mac: libraries, an archive and a program, by the compiler and linker of
//! zig, which `scripts/fetch-fixtures` fetches.

use crate::files::{go, go_version, llvm, scratch, shared};
use crate::hostile::fat;
use crate::symbols::hold_lines;
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::{Import, LinkedBy, SliceFacts, Wanted};
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const ALL: Wanted = Wanted {
    bindings: true,
    findings: true,
};
pub(crate) const AMD64: u32 = 0x0100_0007;
pub(crate) const ARM64: u32 = 0x0100_000c;
/// What is built: file, architecture, zig's name of it, `-buildmode`.
const WAYS: [(&str, &str, &str, &str); 4] = [
    ("arm64.dylib", "arm64", "aarch64", "c-shared"),
    ("amd64.dylib", "amd64", "x86_64", "c-shared"),
    ("arm64.a", "arm64", "aarch64", "c-archive"),
    ("arm64", "arm64", "aarch64", "exe"),
];

/// The folder of what is built, once; `None` where that cannot be.
pub(crate) fn built() -> Option<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match BUILT.get_or_init(build) {
        Ok(folder) => Some(folder),
        Err(why) => {
            println!("skipped: {why}");
            None
        }
    }
}

fn build() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let version = go_version().ok_or("no go on PATH")?;
    let minor = version
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse().ok());
    if minor.is_some_and(|minor: u32| minor < 27) {
        return Err(format!(
            "runtime/cgo of {version} needs Apple's CoreFoundation"
        ));
    }
    let zig = root.join(".tools/fixtures/zig-0.17.1/ziglang/zig");
    if !zig.is_file() {
        return Err("no zig: scripts/fetch-fixtures".to_owned());
    }
    let folder = scratch().join(&version).join("cgo");
    // Go's linker calls them by the names that they have on a Mac.
    let tools = folder.join("tools");
    std::fs::create_dir_all(&tools).unwrap();
    for (tool, name) in [("llvm-strip-14", "strip"), ("dsymutil-14", "dsymutil")] {
        let path = Path::new("/usr/bin").join(tool);
        if !path.exists() {
            return Err(format!("no {tool}: scripts/setup --for test"));
        }
        drop(std::fs::remove_file(tools.join(name)));
        symlink(path, tools.join(name)).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    for (name, arch, target, mode) in WAYS {
        let output = go()
            .current_dir(root.join("tests/data/macho/area"))
            .env("PATH", format!("{}:{path}", tools.display()))
            .env("GOOS", "darwin")
            .env("GOARCH", arch)
            .env("CGO_ENABLED", "1")
            .env(
                "CC",
                format!("'{}' cc -target {target}-macos.13.0", zig.display()),
            )
            .env("ZIG_GLOBAL_CACHE_DIR", shared("zig"))
            .env("ZIG_LOCAL_CACHE_DIR", shared("zig"))
            .args(["build", "-buildvcs=false", "-trimpath"])
            .args([format!("-buildmode={mode}"), "-o".to_owned()])
            .arg(folder.join(name))
            .arg(".")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {errors}");
    }
    Ok(folder)
}

fn only(path: &Path) -> SliceFacts {
    let mut found = Inspection::of(&std::fs::read(path).unwrap(), ALL).unwrap();
    assert_eq!(found.slices.len(), 1, "{}", path.display());
    found.slices.remove(0)
}

/// Addresses and symbols of a table that LLVM lists; whatever is between them depends on the table.
fn listed(path: &Path, argument: &str) -> Option<BTreeSet<(u64, String)>> {
    let listing = llvm("llvm-objdump", &["--macho", argument], path)?;
    let rows = listing.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let address = words.iter().find_map(|word| word.strip_prefix("0x"))?;
        let address = u64::from_str_radix(address, 16).ok()?;
        Some((address, (*words.last()?).to_owned()))
    });
    Some(rows.collect())
}

fn places(imports: &[Import], of: impl Fn(&Import) -> Option<u64>) -> BTreeSet<(u64, String)> {
    let rows = imports.iter();
    rows.filter_map(|import| Some((of(import)?, import.symbol.clone())))
        .collect()
}

#[test]
fn libraries_with_c_bind_as_objdump_says() {
    let Some(folder) = built() else {
        return;
    };
    for arch in ["arm64", "amd64"] {
        let path = folder.join(format!("{arch}.dylib"));
        let found = only(&path);
        assert_eq!(
            (found.arch.as_str(), found.kind.as_str()),
            (arch, "library")
        );
        assert_eq!(found.findings.as_deref(), Some(&[][..]), "{arch}");
        let go = found.go.as_ref().unwrap();
        assert_eq!(go.linked_by, LinkedBy::System);
        assert!(go.functions > 1000, "{}", go.functions);
        let mode = ("-buildmode".to_owned(), "c-shared".to_owned());
        assert!(go.settings.contains(&mode), "{:?}", go.settings);
        assert_eq!(found.abi.unwind, ["compact", "eh_frame"]);
        assert_eq!(found.signature.is_some(), arch == "arm64");
        for (argument, how) in [
            ("--bind", "opcodes"),
            ("--lazy-bind", "lazy opcodes"),
            ("--weak-bind", "weak opcodes"),
        ] {
            let Some(known) = listed(&path, argument) else {
                return;
            };
            let ours = places(&found.imports, |import| {
                (import.how == how).then_some(import.slot?.0)
            });
            assert!(!known.is_empty());
            assert_eq!(ours, known, "{arch}: {how}");
        }
        // The table has the pointers of stubs and the stubs.
        let known = listed(&path, "--indirect-symbols").unwrap();
        let stubs = places(&found.imports, |import| Some(import.stub?.0));
        assert!(stubs.len() > 50 && stubs.is_subset(&known), "{stubs:x?}");
        hold_lines(&path, false);
    }
}

#[test]
fn fat_libraries_with_c_break_no_rule() {
    let Some(folder) = built() else {
        return;
    };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (arm64, amd64) = (read("arm64.dylib"), read("amd64.dylib"));
    let second = u32::try_from(0x4000 + arm64.len().next_multiple_of(0x4000)).unwrap();
    let both = fat(&[(ARM64, 0x4000, &arm64), (AMD64, second, &amd64)]);
    let found = Inspection::of(&both, ALL).unwrap();
    let archs: Vec<&str> = found.slices.iter().map(|one| one.arch.as_str()).collect();
    assert_eq!(archs, ["arm64", "amd64"]);
    for (slice, alone) in found.slices.iter().zip([arm64, amd64]) {
        let alone = Inspection::of(&alone, ALL).unwrap().slices.remove(0);
        assert_eq!(slice.findings.as_deref(), Some(&[][..]), "{}", slice.arch);
        assert_eq!(slice.identity, alone.identity);
        assert_eq!(slice.imports.len(), alone.imports.len());
        let functions = |slice: &SliceFacts| slice.go.as_ref().map(|go| go.functions);
        assert_eq!(functions(slice), functions(&alone));
    }
}

#[test]
fn archives_with_c_have_gos_object_and_those_of_c() {
    let Some(folder) = built() else {
        return;
    };
    let path = folder.join("arm64.a");
    let found = Inspection::of(&std::fs::read(&path).unwrap(), ALL).unwrap();
    assert_eq!(found.format, "archive");
    for slice in &found.slices {
        let member = slice.member.as_deref().unwrap();
        assert_eq!(
            (&slice.unread, slice.kind.as_str()),
            (&None, "object"),
            "{member}"
        );
        assert_eq!(slice.findings.as_deref(), Some(&[][..]), "{member}");
        assert_eq!(slice.platforms[0].name, "macOS");
    }
    let of_go = found
        .slices
        .iter()
        .filter_map(|one| Some((one, one.go.as_ref()?)));
    let of_go: Vec<_> = of_go.collect();
    assert_eq!(of_go.len(), 1);
    let (object, go) = of_go[0];
    assert_eq!(object.member.as_deref(), Some("go.o"));
    assert_eq!(go.linked_by, LinkedBy::None);
    assert!(go.functions > 1000);
    // What the members need, by another reader.
    let Some(listing) = llvm("llvm-nm", &["-u"], &path) else {
        return;
    };
    let known: BTreeSet<&str> = listing
        .lines()
        .filter(|line| !line.ends_with(':') && !line.is_empty())
        .map(str::trim)
        .collect();
    let needed = found.slices.iter().flat_map(|slice| &slice.imports);
    let needed: BTreeSet<&str> = needed.map(|import| import.symbol.as_str()).collect();
    assert_eq!(needed, known);
}

/// DWARF of Go's compiler and of C's, which dsymutil has gathered and Go's linker put in.
#[test]
fn programs_with_c_have_lines_of_both() {
    let Some(folder) = built() else {
        return;
    };
    let path = folder.join("arm64");
    let found = only(&path);
    assert_eq!(found.findings.as_deref(), Some(&[][..]));
    assert!(found.debug_information);
    hold_lines(&path, true);
    let listing = Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .args(["inspect", "--lookup", "twice_of", "--lookup", "Area"])
        .arg(&path)
        .output()
        .unwrap();
    let listing = String::from_utf8(listing.stdout).unwrap();
    assert!(listing.contains("main.go:9"), "{listing}");
}
