//! What is read of libraries against what `llvm-nm` lists of them.

use crate::data;
use gotrace::binary::linkable::{Arch, Has, Linkable, Wanted};
use gotrace::binary::tbd::Stub;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names that a file defines, by architecture, as `llvm-nm` has them. Files for one architecture
/// are listed without it: the key is empty then.
fn listed(arguments: &[&str], file: &Path) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let output = Command::new("llvm-nm")
        .args(["--extern-only", "--defined-only", "--no-demangle"])
        .args(arguments)
        .arg(file)
        .output();
    let Ok(output) = output else {
        println!("skipped: no llvm-nm: scripts/setup --for test");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", file.display());
    let mut listed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut arch = String::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        if let Some((_, rest)) = line.split_once("(for architecture ") {
            arch = rest.split(')').next().unwrap().to_owned();
        } else if let [_, _, name] = line.split_whitespace().collect::<Vec<_>>()[..]
            && !is_order(name)
        {
            listed
                .entry(arch.clone())
                .or_default()
                .insert(name.to_owned());
        }
    }
    Some(listed)
}

/// No symbol, but an order to Apple's linker.
fn is_order(name: &str) -> bool {
    name.starts_with("$ld$")
}

/// Whether a file has exactly the names that are listed: all of them, and none of those that others
/// have.
fn agrees(file: &Path, listed: &BTreeMap<String, BTreeSet<String>>, low_line: bool) {
    let names: BTreeSet<&str> = listed.values().flatten().map(String::as_str).collect();
    let names: Vec<&str> = names.into_iter().chain(["_no_such_symbol"]).collect();
    let wanted = Wanted::new(names.iter().copied(), low_line);
    let found = Linkable::of(&std::fs::read(file).unwrap(), &wanted).unwrap();
    for (arch, expected) in listed {
        let has: BTreeSet<&str> = names
            .iter()
            .enumerate()
            .filter(|(number, _)| {
                let mut parts = found.parts.iter();
                let of_arch = |part: &&_| arch.is_empty() || Arch::parse(arch) == part_arch(part);
                parts
                    .by_ref()
                    .filter(of_arch)
                    .any(|part| part.has(*number) == Some(&Has::Defined))
            })
            .map(|(_, name)| *name)
            .collect();
        let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
        assert_eq!(has, expected, "{} {arch}", file.display());
    }
}

fn part_arch(part: &gotrace::binary::linkable::Part) -> Arch {
    part.arch.clone()
}

fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![data().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let extension = path.extension().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                open.push(path);
            } else if extensions.contains(&extension.as_ref()) && !path.ends_with("libbroken.a") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

#[test]
fn macho_files_have_what_llvm_lists() {
    for file in files("mac", &["a", "dylib"]) {
        let Some(listed) = listed(&[], &file) else {
            return;
        };
        assert!(!listed.is_empty());
        agrees(&file, &listed, true);
    }
}

#[test]
fn elf_files_have_what_llvm_lists() {
    for file in files("linux/home/frob", &["a", "so"]) {
        let dynamic: &[&str] = match file.extension() {
            Some(extension) if extension == "so" => &["-D"],
            _ => &[],
        };
        let Some(listed) = listed(dynamic, &file) else {
            return;
        };
        agrees(&file, &listed, false);
    }
}

/// Holds a stub to what LLVM lists of it, for the architectures that the stub itself names. LLVM
/// does not go on where it meets one that it has not heard of: it gets another name.
fn stub_agrees(file: &Path) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let text = std::fs::read_to_string(file).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let renamed = folder.path().join("renamed.tbd");
    std::fs::write(&renamed, text.replace("arm64e.x1", "armv7k")).unwrap();
    let mut listed = listed(&[], &renamed)?;
    // Classes of the first Objective-C runtime, which 32-bit programs had, are spelled otherwise.
    listed.remove("i386");
    agrees(&renamed, &listed, true);
    Some(listed)
}

/// LLVM 14 reads no JSON.
#[test]
fn stubs_have_what_llvm_lists() {
    let stubs = files("mac", &["tbd"]);
    let read = stubs.iter().filter(|file| !file.ends_with("libfive.tbd"));
    for file in read {
        if stub_agrees(file).is_none() {
            return;
        }
    }
}

/// The stub of libSystem that zig has: version 4, 40 libraries in one file, architectures that LLVM
/// has not heard of.
#[test]
fn a_real_stub_is_read_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join(".tools/fixtures/zig-0.17.1/ziglang/lib/libc/darwin/libSystem.tbd");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: no stub of zig: scripts/fetch-fixtures");
        return;
    };
    let stub = Stub::parse(text.as_bytes()).unwrap();
    assert_eq!(stub.version, 4);
    // As many as there are `---` and `install-name:` in the text.
    assert_eq!(stub.libraries.len(), text.matches("\n---").count() + 1);
    assert_eq!(
        stub.libraries.len(),
        text.matches("\ninstall-name:").count()
    );
    assert_eq!(stub.libraries[0].install_name, "/usr/lib/libSystem.B.dylib");
    assert_eq!(stub.libraries[0].version.as_deref(), Some("1359"));
    assert_eq!(
        stub.libraries[0].reexported[0].1.len(),
        stub.libraries.len() - 1
    );
    // All of them are re-exported, and what each exports is libSystem's. LLVM 14 lists the first
    // library alone, and not all of it: here the oracle is a search for brackets.
    let listed = bracketed(&text);
    assert!(listed["x86_64"].len() > 3000, "{}", listed["x86_64"].len());
    assert!(listed["arm64e"].contains("_open$NOCANCEL") || listed["arm64e"].contains("_open"));
    agrees(&file, &listed, true);
}

/// The names in brackets behind `symbols:`, for the architectures in those before them.
fn bracketed(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let words = |list: &str| -> Vec<String> {
        let inside = list.split('[').nth(1).unwrap().split(']').next().unwrap();
        let words = inside.split(',').map(|word| word.trim().trim_matches('\''));
        words.map(str::to_owned).collect()
    };
    let mut listed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for part in text.split("targets:").skip(1) {
        let archs = words(part);
        for symbols in part.split("symbols:").skip(1) {
            for target in archs.iter().filter(|target| target.ends_with("-macos")) {
                let arch = target.split('-').next().unwrap().to_owned();
                let symbols = words(symbols).into_iter().filter(|name| !is_order(name));
                listed.entry(arch).or_default().extend(symbols);
            }
        }
    }
    listed
}

/// What LLVM 14 does not read, by hand.
#[test]
fn version_five_is_read() {
    let file =
        data().join("mac/Library/Developer/CommandLineTools/SDKs/MacOSX.sdk/usr/lib/libfive.tbd");
    let stub = Stub::parse(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(stub.version, 5);
    let main = stub.library().unwrap();
    let archs = |symbol: &str| -> Vec<String> {
        main.exporting(symbol)
            .map(|target| target.arch.clone())
            .collect()
    };
    for symbol in ["_five", "_five_weak", "_five_data", "_five_local"] {
        assert_eq!(archs(symbol), ["x86_64", "arm64"], "{symbol}");
    }
    for symbol in [
        "_five_arm64",
        "_OBJC_CLASS_$_FiveClass",
        "_OBJC_METACLASS_$_FiveClass",
        "_OBJC_EHTYPE_$_FiveClass",
        "_OBJC_IVAR_$_FiveClass.field",
    ] {
        assert_eq!(archs(symbol), ["arm64"], "{symbol}");
    }
    assert!(archs("_inner").is_empty());
    assert_eq!(main.reexported[0].1, ["/usr/lib/libinner.dylib"]);
    assert_eq!(stub.libraries[1].exporting("_inner").count(), 1);
    assert_eq!(main.version.as_deref(), Some("5.1"));
}
