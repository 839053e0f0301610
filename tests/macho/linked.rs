//! Small files that linkers other than Go's made, for each of Apple's systems: `tests/data/macho`.

use crate::facts::pointers;
use crate::files::{go, go_version, llvm};
use crate::symbols::hold_lines;
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::{Import, LinkedBy, Wanted};
use gotrace::binary::macho::{MachO, Slices};
use gotrace::symbolize;
use gotrace::trace::{Image, Load, Trace};
use std::path::{Path, PathBuf};

const ALL: Wanted = Wanted {
    bindings: true,
    findings: true,
};

pub(crate) fn data(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/macho");
    folder.join(name)
}

/// A file that is kept packed, unpacked to where other readers find it, too: whole at once, for another
/// test may be reading it.
pub(crate) fn unpacked(name: &str) -> PathBuf {
    let packed = std::fs::read(data(&format!("{name}.zst"))).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut file = tempfile::NamedTempFile::new_in(folder).unwrap();
    zstd::stream::copy_decode(packed.as_slice(), &mut file).unwrap();
    let path = folder.join(name);
    file.persist(&path).unwrap();
    path
}

fn inspected(name: &str) -> Inspection {
    Inspection::of(&std::fs::read(data(name)).unwrap(), ALL).unwrap()
}

/// Slot, symbol and stub of imports, as LLVM's own reading of the table of indirect symbols has them.
fn indirect(name: &str) -> Option<Vec<(u64, String)>> {
    let listing = llvm(
        "llvm-objdump",
        &["--macho", "--indirect-symbols"],
        &data(name),
    )?;
    let rows = listing.lines().filter_map(|line| {
        let [address, _, name] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return None;
        };
        let address = u64::from_str_radix(address.trim_start_matches("0x"), 16).ok()?;
        Some((address, name.to_owned()))
    });
    Some(rows.collect())
}

#[test]
fn imports_of_c_have_their_slots_and_stubs() {
    for (name, how) in [
        ("classic", "lazy opcodes"),
        ("chained-arm64", "chained fixup"),
        ("chained-amd64", "chained fixup"),
    ] {
        let found = inspected(name);
        let slice = &found.slices[0];
        assert_eq!(slice.findings.as_deref(), Some(&[][..]), "{name}");
        let called: Vec<&Import> = slice
            .imports
            .iter()
            .filter(|one| one.stub.is_some())
            .collect();
        let mut names: Vec<&str> = called.iter().map(|one| one.symbol.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["_free", "_printf", "_strdup", "_strlen"], "{name}");
        let right = called.iter().all(|one| {
            one.how == how && one.provider == "/usr/lib/libSystem.B.dylib" && one.library == Some(1)
        });
        assert!(right, "{called:#?}");
        let Some(known) = indirect(name) else {
            continue;
        };
        for one in called {
            for address in [one.slot, one.stub] {
                let row = (address.unwrap().0, one.symbol.clone());
                assert!(known.contains(&row), "{name}: {row:x?} of {known:x?}");
            }
        }
    }
}

/// Go with C in it, whose tables are reached by way of the chains: the file has no address in it.
#[test]
fn chains_lead_to_the_tables_of_go() {
    let path = unpacked("chained-go.dylib");
    let found = Inspection::of(&std::fs::read(&path).unwrap(), ALL)
        .unwrap()
        .slices
        .remove(0);
    assert_eq!(found.findings.as_deref(), Some(&[][..]));
    let go = found.go.as_ref().unwrap();
    assert_eq!((go.linked_by, go.functions), (LinkedBy::System, 1542));
    let signed = found.signature.as_ref().unwrap();
    assert_eq!(signed.flags, ["ad hoc", "linker-signed"]);
    let Some(known) = pointers(&path) else {
        return;
    };
    let ours: Vec<(u64, String)> = found
        .imports
        .iter()
        .map(|one| (one.slot.unwrap().0, one.symbol.clone()))
        .collect();
    assert!(ours.iter().all(|row| known.contains(row)), "{ours:x?}");
    assert_eq!(ours.len(), 67);
    assert!(found.imports.iter().all(|one| one.how == "chained fixup"));
    if go_version().is_some() {
        assert!(hold_lines(&path, false) > 10);
    }
}

/// Single symbols of another library, passed on under their own name and under another one. No
/// linker here writes that: the trie is by hand, and LLVM reads it, too.
#[test]
fn single_symbols_may_be_passed_on() {
    let mut file = std::fs::read(data("classic")).unwrap();
    let trie = [
        &[0, 2][..],
        b"_length\0",
        &[20],
        b"_strlen\0",
        &[32],
        // "_length" is "_strlen" of library 1, "_strlen" the one of library 1.
        &[10, 8, 1],
        b"_strlen\0",
        &[0],
        &[3, 8, 1, 0, 0],
    ]
    .concat();
    let command = [0x8000_0022_u32, 48].map(u32::to_le_bytes).concat();
    let tables = file.windows(8).position(|bytes| bytes == command).unwrap();
    let [place, size] = [file.len(), trie.len()].map(|number| u32::try_from(number).unwrap());
    file[tables + 40..tables + 48].copy_from_slice(&[place, size].map(u32::to_le_bytes).concat());
    file.extend(trie);
    let found = Inspection::of(&file, ALL).unwrap().slices.remove(0);
    let passed: Vec<_> = found
        .imports
        .iter()
        .filter(|one| one.how == "re-export")
        .map(|one| {
            let library = (one.provider.as_str(), one.library);
            (one.exported_as.as_deref(), one.symbol.as_str(), library)
        })
        .collect();
    let system = "/usr/lib/libSystem.B.dylib";
    assert_eq!(
        passed,
        [
            (Some("_length"), "_strlen", (system, Some(1))),
            (None, "_strlen", (system, Some(1)))
        ]
    );
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("passed-on");
    std::fs::write(&path, &file).unwrap();
    let Some(listing) = llvm("llvm-objdump", &["--macho", "--exports-trie"], &path) else {
        return;
    };
    assert!(
        listing.contains("[re-export] _length (_strlen from libSystem)"),
        "{listing}"
    );
    assert!(
        listing.contains("[re-export] _strlen (from libSystem)"),
        "{listing}"
    );
}

#[test]
fn platforms_are_told_apart() {
    for (name, arch, platform, minimum) in [
        ("plus-macos.o", "arm64", "macOS", "13.0"),
        ("plus-macos-arm64e.o", "arm64e", "macOS", "13.0"),
        ("plus-ios.o", "arm64", "iOS", "15.0"),
        ("plus-ios-simulator.o", "arm64", "iOS simulator", "15.0"),
        ("plus-tvos.o", "arm64", "tvOS", "15.0"),
        (
            "plus-watchos-simulator.o",
            "arm64",
            "watchOS simulator",
            "8.0",
        ),
        ("plus-catalyst.o", "arm64", "Mac Catalyst", "15.0"),
        ("libplus-simulator.dylib", "amd64", "iOS simulator", "15.0"),
    ] {
        let found = inspected(name);
        let slice = &found.slices[0];
        assert_eq!(slice.arch, arch, "{name}");
        assert_eq!(slice.platforms.len(), 1, "{name}");
        assert_eq!(
            (
                slice.platforms[0].name.as_str(),
                slice.platforms[0].minimum.as_str()
            ),
            (platform, minimum),
            "{name}"
        );
        assert_eq!(slice.abi.signed_pointers, arch == "arm64e");
    }
}

/// What no compiler here makes a file for: the number of the platform is all that is other.
#[test]
fn platforms_have_their_names() {
    let file = std::fs::read(data("plus-ios.o")).unwrap();
    let command = [0x32_u32, 24, 2].map(u32::to_le_bytes).concat();
    let place = file.windows(12).position(|bytes| bytes == command).unwrap() + 8;
    for (number, name) in [
        (1_u8, "macOS"),
        (2, "iOS"),
        (3, "tvOS"),
        (4, "watchOS"),
        (5, "bridgeOS"),
        (6, "Mac Catalyst"),
        (7, "iOS simulator"),
        (8, "tvOS simulator"),
        (9, "watchOS simulator"),
        (10, "DriverKit"),
        (11, "visionOS"),
        (12, "visionOS simulator"),
    ] {
        let mut changed = file.clone();
        changed[place] = number;
        let found = Inspection::of(&changed, ALL).unwrap();
        assert_eq!(found.slices[0].platforms[0].name, name);
    }
}

/// A library by Apple's linker whose pointers are signed; the table of indirect symbols says the
/// same as its chains.
#[test]
fn signed_pointers_have_their_stubs() {
    let path = unpacked("preload.dylib");
    let found = Inspection::of(&std::fs::read(&path).unwrap(), ALL).unwrap();
    let archs: Vec<&str> = found.slices.iter().map(|one| one.arch.as_str()).collect();
    assert_eq!(archs, ["amd64", "arm64", "arm64e"]);
    for slice in &found.slices {
        assert_eq!(slice.findings.as_deref(), Some(&[][..]), "{}", slice.arch);
        let signed = slice.arch == "arm64e";
        assert_eq!(slice.abi.signed_pointers, signed);
        let called = |import: &&Import| import.stub.is_some();
        let called: Vec<&Import> = slice.imports.iter().filter(called).collect();
        assert_eq!(called.len(), 19, "{}", slice.arch);
        assert!(called.iter().all(|import| import.signed == signed));
        let arch = slice.arch.replace("amd64", "x86_64");
        let arguments = ["--macho", "--indirect-symbols", &format!("--arch={arch}")];
        let Some(listing) = llvm("llvm-objdump", &arguments, &path) else {
            continue;
        };
        for import in called {
            for address in [import.stub, import.slot] {
                let row = listing.lines().find(|line| {
                    let address = format!("0x{:016x}", address.unwrap().0);
                    line.starts_with(&address)
                });
                assert!(
                    row.is_some_and(|row| row.ends_with(&import.symbol)),
                    "{import:?}"
                );
            }
        }
        // What it puts in the place of functions of others is called by nobody here.
        let interposed = slice.imports.iter().filter(|import| {
            import.section.as_deref() == Some("__DATA,__interpose") && import.stub.is_none()
        });
        assert_eq!(interposed.count(), 2);
    }
}

/// An object's imports are for the linker to find.
#[test]
fn objects_have_what_they_need() {
    let found = inspected("needs.o");
    let imports = &found.slices[0].imports;
    let rows: Vec<(&str, &str, bool)> = imports
        .iter()
        .map(|one| (one.symbol.as_str(), one.how, one.weak))
        .collect();
    assert_eq!(
        rows,
        [("_may", "undefined", true), ("_must", "undefined", false)]
    );
    let Some(listing) = llvm("llvm-nm", &["-u"], &data("needs.o")) else {
        return;
    };
    let known: Vec<&str> = listing.split_whitespace().collect();
    assert_eq!(known, ["_may", "_must"]);
}

#[test]
fn libraries_that_pass_others_on_say_so() {
    let found = inspected("libmath.dylib");
    let slice = &found.slices[0];
    assert_eq!(slice.kind, "library");
    let used: Vec<(&str, &str)> = slice
        .libraries
        .iter()
        .map(|one| (one.path.as_str(), one.used.as_str()))
        .collect();
    assert!(
        used.contains(&("/usr/local/lib/libplus.dylib", "reexported")),
        "{used:?}"
    );
    assert_eq!(slice.findings.as_deref(), Some(&[][..]));
}

#[test]
fn archives_have_their_members_in_each_slice() {
    let found = inspected("plus.a");
    assert_eq!(found.format, "fat Mach-O");
    let members: Vec<(&str, &str)> = found
        .slices
        .iter()
        .map(|slice| (slice.member.as_deref().unwrap(), slice.arch.as_str()))
        .collect();
    assert!(members.contains(&("plus-macos.o", "arm64")), "{members:?}");
    assert!(members.contains(&("plus-amd64.o", "amd64")), "{members:?}");
}

/// What can be compiled for an iPhone without its SDK.
#[test]
fn objects_of_go_say_for_what_they_are() {
    let Some(version) = go_version() else {
        println!("skipped: no go on PATH");
        return;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, object) = (folder.join("p.go"), folder.join("p-ios.o"));
    std::fs::write(
        &source,
        "package p\n\nfunc Add(a, b int) int { return a + b }\n",
    )
    .unwrap();
    let compiled = go()
        .env("GOOS", "ios")
        .env("GOARCH", "arm64")
        .args(["tool", "compile", "-p", "p", "-o"])
        .args([&object, &source])
        .status();
    assert!(compiled.unwrap().success());
    let found = Inspection::of(&std::fs::read(object).unwrap(), ALL).unwrap();
    assert_eq!(found.format, "archive");
    let code = found
        .slices
        .iter()
        .find(|one| one.member.as_deref() == Some("_go_.o"));
    let code = code.unwrap();
    assert_eq!(
        (code.arch.as_str(), code.kind.as_str()),
        ("arm64", "Go object")
    );
    assert_eq!(code.platforms[0].name, "iOS");
    assert_eq!(code.flags[0], version);
}

/// Archives of this system's objects.
#[test]
fn archives_may_have_elf_files() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (object, archive) = (folder.join("prog-member.o"), folder.join("prog.a"));
    let run = |program: &str, arguments: &[&Path]| {
        let status = std::process::Command::new(program).args(arguments).status();
        assert!(status.unwrap().success());
    };
    drop(std::fs::remove_file(&archive));
    run(
        "gcc",
        &[Path::new("-c"), Path::new("-o"), &object, &data("prog.c")],
    );
    run("ar", &[Path::new("crD"), &archive, &object]);
    let found = Inspection::of(&std::fs::read(archive).unwrap(), ALL).unwrap();
    let member = found
        .slices
        .iter()
        .find(|one| one.member.as_deref() == Some("prog-member.o"));
    assert_eq!(member.unwrap().kind, "object");
}

/// Symbol, library, slot, stub, whether it may be missing.
type Row = (String, Option<String>, u64, Option<u64>, bool);

/// What a trace keeps of a file is what is shown of it: each import with its slot, its stub and its
/// library.
#[test]
fn traces_keep_the_imports_that_are_shown() {
    for name in ["classic", "chained-arm64", "chained-amd64"] {
        let found = inspected(name);
        let slice = &found.slices[0];
        let mut trace = Trace::default();
        let path = data(name);
        let path = trace.strings.push(path.to_str().unwrap().as_bytes());
        trace.images.push(Image {
            path,
            build_id: uuid(name),
            ..Image::default()
        });
        trace.loads.push(Load::default());
        symbolize::fill(&mut trace);
        let [needs] = &trace.needs[..] else {
            panic!("{name}: {:?}", trace.needs);
        };
        let text = |id| trace.text(id).into_owned();
        assert_eq!(text(needs.unread), "", "{name}");
        let shown: Vec<Row> = slice
            .imports
            .iter()
            .filter(|import| import.slot.is_some())
            .map(|import| {
                (
                    import.symbol.clone(),
                    import.library.map(|_| import.provider.clone()),
                    import.slot.unwrap().0,
                    import.stub.map(|stub| stub.0),
                    import.weak,
                )
            })
            .collect();
        let kept: Vec<Row> = needs
            .imports
            .iter()
            .map(|import| {
                let library = Some(text(import.library)).filter(|library| !library.is_empty());
                (
                    text(import.symbol),
                    library,
                    import.slot,
                    import.stub,
                    import.weak,
                )
            })
            .collect();
        assert!(!kept.is_empty(), "{name}");
        assert_eq!(kept, shown, "{name}");
        let segments: Vec<(u64, u64)> = needs
            .segments
            .iter()
            .map(|segment| (segment.offset.0, segment.stated))
            .collect();
        let known: Vec<(u64, u64)> = slice
            .segments
            .iter()
            .filter(|segment| segments.contains(&(segment.offset.0, segment.address.0)))
            .map(|segment| (segment.offset.0, segment.address.0))
            .collect();
        assert_eq!(segments, known, "{name}");
    }
}

/// The UUID of the first slice, as bytes.
fn uuid(name: &str) -> Vec<u8> {
    let data = std::fs::read(data(name)).unwrap();
    let slices = Slices::of(&data).unwrap();
    MachO::parse(&slices.slices[0])
        .unwrap()
        .uuid()
        .unwrap()
        .to_vec()
}
