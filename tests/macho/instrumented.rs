//! Copies of Go programs for macOS in which functions tell of their calls. None has run on a Mac: what they are is held
//! against what LLVM reads from them, against their originals, and against the rules of dyld and the kernel.

use crate::files::{built, llvm, official_named, scratch};
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::Wanted;
use gotrace::analyze::toolchain::{Unsound, resigned};
use gotrace::binary::macho::signature::AdHoc;
use gotrace::binary::macho::{MachO, Slices};
use gotrace::binary::trampoline::image_of;
use gotrace::capture::instrumented::{Instrumented, NotInstrumented};
use gotrace::capture::probes::Watch;
use object::{Object as _, ObjectSegment as _};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const LIBRARY: &str = "@executable_path/../pkg/gotrace/libgotrace-ring.dylib";

fn watch(specs: &[&str]) -> Watch {
    Watch {
        named: specs.iter().map(|spec| spec.parse().unwrap()).collect(),
        ..Watch::default()
    }
}

/// Every function of a program that can be.
fn all_of(data: &[u8]) -> Result<Option<Instrumented>, NotInstrumented> {
    Instrumented::of(data, b"/it", &watch(&["*:*"]), LIBRARY)
}

/// The programs that are tried: of both architectures, small official ones and those of this machine's go command.
fn programs() -> Vec<PathBuf> {
    let official = ["arm64", "amd64"].map(|arch| official_named(arch, "preprofile"));
    let own = built().unwrap_or_default().iter();
    let own = own.filter(|(name, _)| ["arm64", "amd64", "fixed", "stripped"].contains(name));
    let own = own.map(|(_, path)| path.clone());
    official.into_iter().flatten().chain(own).collect()
}

/// A program, and its copy in which every function tells of its calls that can.
struct Tried {
    program: PathBuf,
    data: Vec<u8>,
    made: Instrumented,
    /// The copy, signed, in a file of its own.
    copy: PathBuf,
}

/// The copies of all programs, made once.
fn tried() -> &'static [Tried] {
    static TRIED: OnceLock<Vec<Tried>> = OnceLock::new();
    TRIED.get_or_init(|| {
        let numbered = (0..).zip(programs());
        let tried = numbered.map(|(number, program): (usize, PathBuf)| {
            let data = std::fs::read(&program).unwrap();
            let made = all_of(&data).unwrap().unwrap();
            let copy = scratch().join(format!("copy-{number}"));
            let signer = AdHoc {
                name: "it".to_owned(),
                ..AdHoc::default()
            };
            std::fs::write(&copy, signer.sign(&made.bytes).unwrap()).unwrap();
            Tried {
                program,
                data,
                made,
                copy,
            }
        });
        tried.collect()
    })
}

/// Names, addresses and places in the file of a program's segments, by another reader.
fn segments(data: &[u8]) -> Vec<(String, u64, u64, u64)> {
    let file = object::File::parse(data).unwrap();
    let segments = file.segments().map(|segment| {
        let (offset, size) = segment.file_range();
        let name = segment.name().unwrap().unwrap().to_owned();
        (name, segment.address(), offset, size)
    });
    segments.collect()
}

/// Instructions by address, as LLVM disassembles a section.
fn listed(program: &Path, section: &str) -> Option<BTreeMap<u64, String>> {
    let arguments = ["-d", "--no-show-raw-insn", "-j", section];
    let listing = llvm("llvm-objdump", &arguments, program)?;
    let lines = listing.lines().filter_map(|line| {
        let (address, text) = line.split_once(':')?;
        let address = u64::from_str_radix(address.trim(), 16).ok()?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then_some((address, text))
    });
    Some(lines.collect())
}

/// Where a jump leads.
fn led(text: &str) -> Option<u64> {
    let to = text.strip_prefix("jmp ").or(text.strip_prefix("b "))?;
    let to = to.split(' ').next()?.strip_prefix("0x")?;
    u64::from_str_radix(to, 16).ok()
}

/// Each place is a jump to a trampoline, which runs on without leaving, until it returns or jumps back behind the place or
/// to another function; no other instruction of the program has changed.
#[test]
fn places_are_jumps_to_trampolines_that_come_back() {
    for Tried {
        program,
        data,
        made,
        copy,
    } in tried()
    {
        assert!(made.functions.len() > 100, "{}", made.functions.len());
        let (Some(old), Some(new)) = (listed(program, "__text"), listed(copy, "__text")) else {
            return;
        };
        let beside = listed(copy, "__trampolines").unwrap();
        let address_of = |offset: u64| {
            let segments = segments(data);
            let holds =
                |(_, _, at, size): &&(String, u64, u64, u64)| (*at..at + size).contains(&offset);
            let (_, address, at, _) = segments.iter().find(holds).unwrap();
            address + offset - at
        };
        let mut replaced = BTreeSet::new();
        let mut trampolines = BTreeSet::new();
        let mut shared = BTreeSet::new();
        for &(offset, length) in &made.places {
            let place = address_of(offset);
            replaced.extend(place..place + length);
            let to = led(&new[&place]).unwrap_or_else(|| panic!("{place:#x}: {}", new[&place]));
            assert!(trampolines.insert(to), "two places lead to {to:#x}");
            let mut way = beside.range(to..);
            let (_, last) = way
                .find(|(_, text)| {
                    // What all of them share is there, too.
                    if let Some(called) = text.strip_prefix("callq 0x") {
                        let called = called.split(' ').next().unwrap();
                        let called = u64::from_str_radix(called, 16).unwrap();
                        assert!(beside.contains_key(&called), "{to:#x}: {text}");
                        shared.insert(called);
                    }
                    text.starts_with("ret") || led(text).is_some()
                })
                .unwrap();
            let behind = place + length;
            match led(last) {
                // On arm64 the jump away was the place itself.
                Some(back) if length == 4 && old[&place].starts_with("b ") => {
                    assert_eq!(Some(back), led(&old[&place]));
                }
                Some(back) => assert_eq!(back, behind, "{place:#x}: {last}"),
                None => assert!(
                    old.range(place..)
                        .take(9)
                        .any(|(_, text)| text.starts_with("ret")),
                    "{place:#x}: {last}"
                ),
            }
        }
        // On arm64 each has all by itself; on amd64 there is one of an entry, and one of an exit.
        assert!(matches!(shared.len(), 0 | 2), "{shared:?}");
        let changed = old
            .iter()
            .filter(|(address, text)| new.get(address) != Some(text));
        for (address, text) in changed {
            assert!(replaced.contains(address), "{address:#x}: {text}");
        }
    }
}

/// All but load commands and places is what it was: where it was, or in `__LINKEDIT` further on.
#[test]
fn nothing_else_changes() {
    for Tried {
        program,
        data,
        made,
        copy: path,
    } in tried()
    {
        let copy = std::fs::read(path).unwrap();
        let mut masked = data.clone();
        for &(offset, length) in &made.places {
            let place = usize::try_from(offset).unwrap()..usize::try_from(offset + length).unwrap();
            masked[place.clone()].copy_from_slice(&copy[place]);
        }
        let (old, new) = (segments(data), segments(&copy));
        let names: Vec<&str> = new.iter().map(|segment| segment.0.as_str()).collect();
        assert_eq!(
            names[names.len() - 3..],
            ["__GOTRACE_DATA", "__GOTRACE", "__LINKEDIT"]
        );
        for (before, after) in old.iter().zip(&new) {
            if before.0 == "__LINKEDIT" {
                continue;
            }
            assert_eq!(before, after);
            let from = before.2.max(4096);
            let bytes =
                usize::try_from(from).unwrap()..usize::try_from(before.2 + before.3).unwrap();
            assert!(
                bytes.start >= bytes.end || masked[bytes.clone()] == copy[bytes],
                "{}",
                before.0
            );
        }
        let [of_original, of_copy] = [program, path].map(|file| {
            let nm = llvm("llvm-nm", &["--no-sort"], file)?;
            let bound = llvm("llvm-objdump", &["--macho", "--bind", "--rebase"], file)?;
            Some((nm, without_heading(&bound)))
        });
        assert!(of_original == of_copy, "{}", program.display());
    }
}

/// A listing without the name of its file.
fn without_heading(listing: &str) -> String {
    listing.lines().skip(1).collect::<Vec<_>>().join("\n")
}

#[test]
fn copies_hold_to_every_rule_and_are_told_from_originals() {
    for Tried {
        program,
        data,
        made,
        copy: path,
    } in tried()
    {
        let copy = std::fs::read(path).unwrap();
        let wanted = Wanted {
            findings: true,
            ..Wanted::default()
        };
        for slice in Inspection::of(&copy, wanted).unwrap().slices {
            assert_eq!(
                slice.findings.as_deref(),
                Some(&[][..]),
                "{}",
                program.display()
            );
        }
        resigned(data, &copy, &made.places).unwrap();
        let read = |data: &[u8]| {
            let slices = Slices::of(data).unwrap();
            image_of(&MachO::parse(&slices.slices[0]).unwrap())
        };
        assert_eq!((read(data), read(&copy)), (None, Some(made.image)));
        let again = all_of(&copy).unwrap_err();
        assert_eq!(
            again.source().unwrap().to_string(),
            "it has trampolines already"
        );
        let list = llvm("llvm-objdump", &["--macho", "--dylibs-used"], path);
        let Some(list) = list else { return };
        // The last one, so that imports, which number libraries, name the same ones.
        assert!(
            list.trim_end().lines().last().unwrap().contains(LIBRARY),
            "{list}"
        );
    }
}

#[test]
fn a_changed_copy_is_told() {
    let Some(program) = official_named("arm64", "preprofile") else {
        return;
    };
    let data = std::fs::read(program).unwrap();
    let made = all_of(&data).unwrap().unwrap();
    let signer = AdHoc::default();
    let mut changed = made.bytes.clone();
    let place = usize::try_from(made.places[0].0).unwrap();
    changed[place + 4] ^= 1;
    let found = resigned(&data, &signer.sign(&changed).unwrap(), &made.places).unwrap_err();
    assert!(matches!(found, Unsound::Changed { .. }), "{found}");
    // A nop where the jump was.
    let mut changed = made.bytes.clone();
    changed[place..place + 4].copy_from_slice(&0xd503_201f_u32.to_le_bytes());
    let found = resigned(&data, &signer.sign(&changed).unwrap(), &made.places).unwrap_err();
    assert!(matches!(found, Unsound::NoJump { .. }), "{found}");
    let plain = signer.sign(&made.bytes).unwrap();
    assert!(matches!(
        resigned(&data, &plain, &[]),
        Err(Unsound::Changed { .. })
    ));
}

#[test]
fn what_is_asked_for_tells_of_its_calls_and_nothing_else() {
    let Some(program) = official_named("amd64", "preprofile") else {
        return;
    };
    let data = std::fs::read(program).unwrap();
    let asked = |specs: &[&str]| {
        Instrumented::of(&data, b"/bin/preprofile", &watch(specs), LIBRARY).unwrap()
    };
    assert!(asked(&["compile:main.main"]).is_none());
    let made = asked(&[
        "preprofile:fmt.Fprintf:entry",
        "preprofile:runtime.mallocgc",
    ])
    .unwrap();
    let names: Vec<&str> = made
        .functions
        .iter()
        .map(|told| told.name.as_str())
        .collect();
    assert_eq!((names, made.places.len()), (vec!["fmt.Fprintf"], 1));
    assert_eq!(
        made.left_alone,
        [(
            "runtime.mallocgc".to_owned(),
            "it belongs to the runtime".to_owned()
        )]
    );
    let none = asked(&["preprofile:main.nothing"]).unwrap();
    assert!(none.functions.is_empty() && none.bytes == data);
    assert_eq!(none.unmatched.len(), 1);
}

/// Changes the four bytes at an offset.
fn with_word(data: &[u8], at: usize, word: u32) -> Vec<u8> {
    let mut data = data.to_vec();
    data[at..at + 4].copy_from_slice(&word.to_le_bytes());
    data
}

#[test]
fn what_cannot_be_rewritten_is_refused_with_why() {
    let Some(program) = official_named("arm64", "preprofile") else {
        return;
    };
    let data = std::fs::read(program).unwrap();
    let refused = |data: &[u8]| {
        let error = all_of(data).unwrap_err();
        error.source().unwrap().to_string()
    };
    let commands = u32::from_le_bytes(data[20..24].try_into().unwrap());
    let end = 32 + commands as usize;
    // Something stands in the room behind the load commands, near and just within reach.
    for into in [0, 300] {
        let why = refused(&with_word(&data, end + into, 1));
        assert!(why.contains("room behind the load commands"), "{why}");
        assert!(why.ends_with("found other bytes"), "{why}");
    }
    let library = refused(&with_word(&data, 12, 6));
    assert_eq!(library, "it is no executable");
    let other = refused(&with_word(&data, 4, 0x0100_0012));
    assert_eq!(other, "trampolines are there for amd64 and arm64");
    let mut longer = data.clone();
    longer.push(0);
    let why = refused(&longer);
    assert!(why.starts_with("end of __LINKEDIT"), "{why}");
    // LC_UUID becomes a command that does not exist.
    let uuid = (32..end)
        .step_by(4)
        .find(|&at| data[at..at + 8] == [0x1b, 0, 0, 0, 24, 0, 0, 0]);
    let why = refused(&with_word(&data, uuid.unwrap(), 0x77));
    assert_eq!(
        why,
        "load command: expected one of which is known where its tables are, found 0x77"
    );
    let fat = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(".tools/fixtures/ninja-1.13.2/ninja-1.13.2.data/scripts/ninja");
    let fat = all_of(&std::fs::read(fat).unwrap()).unwrap_err();
    assert!(matches!(fat, NotInstrumented::Fat { slices: 2 }), "{fat}");
}
