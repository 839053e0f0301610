//! Copies with trampolines: their places against `go tool objdump`, and that they run as their originals.

use crate::machine;
use crate::programs::{Programs, binutils, built, go, output_of, scratch, toolchain};
use crate::records::Ring;
use crate::sites::each_function;
use crate::torture::pair;
use gotrace::binary::elf::{Elf, Machine};
use gotrace::binary::go::Pclntab;
use gotrace::binary::instruction::SiteEdge;
use gotrace::binary::trampoline::{
    Copied as InMemory, Exempt, Graft, Marked, Piece, Place, Survey, Unpatched, copy,
};
use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The texts of the instructions from an address on.
fn texts_from(lines: &[(u64, String)], address: u64) -> impl Iterator<Item = &str> {
    let lines = lines.iter().skip_while(move |(at, _)| *at != address);
    lines.map(|(_, text)| text.as_str())
}

/// How a listing shows the places of a processor.
struct Shown {
    /// The instructions at an entry, and at an exit without what leaves.
    entry: fn(&[&str]) -> bool,
    exit: fn(&[&str]) -> bool,
    /// The check of the stack's size: an instruction, and the branch behind it.
    check: fn(&str, &str) -> bool,
    /// Of a hundred functions with a frame that check their stack's size, outside of the runtime.
    least: u32,
}

const AMD64: Shown = Shown {
    entry: |texts| {
        let opens = texts[2].starts_with("SUBQ $") && texts[2].ends_with(", SP");
        texts[..2] == ["PUSHQ BP", "MOVQ SP, BP"] && (opens || texts[2] == "ADDQ $-0x80, SP")
    },
    exit: |texts| {
        let closes = texts[0].starts_with("ADDQ $") && texts[0].ends_with(", SP");
        (closes || texts[0] == "SUBQ $-0x80, SP") && texts[1] == "POPQ BP"
    },
    check: |compare, branch| {
        compare.starts_with("CMPQ ") && compare.contains("0x10(R14)") && branch.starts_with("JBE ")
    },
    least: 97,
};
const ARM64: Shown = Shown {
    entry: |texts| {
        texts[0].starts_with("MOVD.W R30, -") && texts[0].ends_with("(RSP)")
            || texts[0].starts_with("SUB $") && texts[0].ends_with(", RSP, R20")
            || texts[0].starts_with("MOVD $") && texts[0].ends_with(", R27")
    },
    exit: |texts| !texts.is_empty(),
    check: |compare, branch| compare.starts_with("CMP R16, R") && branch.starts_with("BLS "),
    least: 100,
};

/// Holds the places of a function against its listing.
fn hold(name: &str, lines: &[(u64, String)], places: &[Place], shown: &Shown) {
    let (entry, exits) = places.split_first().unwrap();
    assert_eq!(entry.edge, SiteEdge::Entry);
    let texts: Vec<&str> = texts_from(lines, entry.address.0).take(3).collect();
    assert!((shown.entry)(&texts), "{name}: {texts:?}");
    for exit in exits {
        let texts: Vec<&str> = texts_from(lines, exit.address.0).take(9).collect();
        assert!((shown.exit)(&texts), "{name}: {texts:?}");
        let mut leaves = texts.into_iter();
        let last = leaves.find(|text| *text == "RET" || text.starts_with("JMP "));
        let expected = match exit.edge {
            SiteEdge::Return => "RET",
            _ => "JMP ",
        };
        assert!(last.unwrap().starts_with(expected), "{name}: {last:?}");
    }
    let returns = lines.iter().filter(|(_, text)| text == "RET").count();
    let found = exits.iter().filter(|exit| exit.edge == SiteEdge::Return);
    assert_eq!(found.count(), returns, "{name}: exits that were missed");
    // Functions are named. Behind the call that makes the stack grow this one begins again.
    let jumps = lines.iter().map(|(_, text)| text);
    let jumps = jumps.take_while(|text| !text.starts_with("CALL runtime.morestack"));
    let jumps = jumps.filter(|text| text.starts_with("JMP ") && text.ends_with("(SB)"));
    let found = exits.iter().filter(|exit| exit.edge == SiteEdge::TailJump);
    assert_eq!(
        found.count(),
        jumps.count(),
        "{name}: jumps that were missed"
    );
}

/// The arm64 toolchain's own program of this name; says why there is none.
fn toolchain_for_arm64(name: &str) -> Option<PathBuf> {
    let version = output_of(go()?.args(["env", "GOVERSION"]));
    let version = version.trim().replacen("go", "go-", 1);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!(".tools/{version}-arm64"));
    let program = folder.join("pkg/tool/linux_arm64").join(name);
    if !program.is_file() {
        println!("skipped: no arm64 {version}; scripts/emulate");
        return None;
    }
    Some(program)
}

/// Of the functions that check their stack's size, outside of the runtime, those of arm64, and at least 97 in 100 of
/// amd64, can tell of their entry and of all exits.
#[test]
fn places_are_those_that_another_disassembler_shows() {
    let Some(programs) = built() else { return };
    let mut listed = vec![
        (programs.path("plain").to_owned(), AMD64),
        (programs.path("arm64").to_owned(), ARM64),
    ];
    if cfg!(target_arch = "x86_64") {
        listed.push((toolchain("link"), AMD64));
        listed.extend(toolchain_for_arm64("link").map(|link| (link, ARM64)));
    }
    for (program, shown) in listed {
        let bytes = std::fs::read(&program).unwrap();
        let elf = Elf::parse(&bytes).unwrap();
        let survey = Survey::of(&elf).unwrap();
        let (mut checked, mut patched) = (0, 0);
        each_function(&program, |_, function, _, lines| {
            let name = String::from_utf8_lossy(function.linker_name().unwrap()).into_owned();
            let places = survey.places(function, true);
            if let Err(Unpatched::Exempt(why)) = &places {
                let of_runtime = ["runtime", "internal/", "sync/atomic", "_."];
                let of_runtime = of_runtime.iter().any(|begin| name.starts_with(begin));
                let declared = function.lines(function.entry()).unwrap();
                let declared = declared.last().unwrap().file;
                let declared = String::from_utf8_lossy(declared).contains("runtime/");
                assert!(of_runtime || declared || *why != Exempt::Runtime, "{name}");
                return;
            }
            let mut pairs = lines.windows(2).take(7);
            let check = pairs.any(|pair| (shown.check)(&pair[0].1, &pair[1].1));
            // Of arm64 all that check it have one.
            let frame = elf.machine != Machine::Amd64
                || lines.iter().take(12).any(|(_, text)| text == "PUSHQ BP");
            if check && frame && function.keeps_conventions() {
                checked += 1;
                patched += u32::from(places.is_ok());
            }
            if let Ok(places) = places {
                hold(&name, lines, &places, &shown);
            }
        });
        let program = program.display();
        assert!(checked > 200, "{program}: {checked}");
        println!("{program}: {patched} of {checked}");
        assert!(
            patched * 100 >= checked * shown.least,
            "{program}: {patched} of {checked}"
        );
    }
}

/// The number that the records of a copy have.
pub(crate) const IMAGE: u64 = 7;
/// At which number the tests give a ring to a copy, the second of those at which it looks.
pub(crate) const RING: u32 = 240;

/// A program, and its copy in which each function that can tells of its calls.
pub(crate) struct Copied {
    pub(crate) original: PathBuf,
    pub(crate) copy: PathBuf,
    /// Of the functions, by their numbers in records.
    pub(crate) names: Vec<String>,
    /// What of it makes the original tell.
    graft: Option<Graft>,
}

/// Writes a copy of a program.
pub(crate) fn copied(program: &Path, to: &Path) -> Copied {
    let bytes = std::fs::read(program).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let survey = Survey::of(&elf).unwrap();
    let (names, copied) = made(&elf, &survey, &bytes);
    let graft = Graft::of(&survey, &bytes, &copied).unwrap();
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    // A child that another test forks meanwhile has this file open for writing, and nobody may run what somebody
    // writes to: what runs is a copy that a process of its own has written, put in the place of one that may run.
    let folder = tempfile::tempdir_in(to.parent().unwrap()).unwrap();
    let [written, whole] = ["written", "whole"].map(|name| folder.path().join(name));
    let file = File::create(&written).unwrap();
    file.write_all_at(&copied.original, 0).unwrap();
    file.write_all_at(&copied.beside, copied.beside_at).unwrap();
    file.set_permissions(Permissions::from_mode(0o755)).unwrap();
    output_of(
        Command::new("cp")
            .args(["--preserve=mode", "--sparse=always"])
            .args([&written, &whole]),
    );
    std::fs::rename(&whole, to).unwrap();
    Copied {
        original: program.to_owned(),
        copy: to.to_owned(),
        names,
        graft,
    }
}

/// The copy of a program, and the names of its functions.
fn made(elf: &Elf<'_>, survey: &Survey<'_>, bytes: &[u8]) -> (Vec<String>, InMemory) {
    let functions = Pclntab::of(elf).unwrap();
    let places = functions.functions().flatten().filter_map(|function| {
        let name = String::from_utf8_lossy(function.linker_name().unwrap()).into_owned();
        Some((name, survey.places(&function, true).ok()?))
    });
    let (names, places): (Vec<String>, Vec<Vec<Place>>) = places.unzip();
    // Of half of them with their arguments, which have their returns in records of their own then.
    let numbered = (0..).zip(&places);
    let marked = Marked::all(numbered.map(|(number, places)| (number % 2 == 1, places.as_slice())));
    let copied = copy(survey, bytes, IMAGE, [1000, RING, 60], &marked);
    (names, copied.unwrap())
}

/// Segments that are loaded, as `readelf` lists them: offset, address, bytes in the file, flags.
fn loads(listed: &str) -> Vec<(u64, u64, u64, String)> {
    let lines = listed.lines().map(str::trim);
    let lines = lines.filter(|line| line.starts_with("LOAD"));
    let loads = lines.map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u64::from_str_radix(&words[at][2..], 16).unwrap();
        let flags = words[6..words.len() - 1].concat();
        (number(1), number(2), number(4), flags)
    });
    loads.collect()
}

/// What is put over a program is the segment of its code, and the two that its copy has more.
fn hold_graft(graft: &Graft, program: &Path, copy: &Path) {
    const PAGE: u64 = 4096;
    let listed = binutils("readelf", &["-hlW"], copy);
    let loads = loads(&listed);
    let piece = |(offset, address, bytes, _): &(u64, u64, u64, String)| Piece {
        address: address / PAGE * PAGE,
        offset: offset / PAGE * PAGE,
        length: (address % PAGE + bytes).next_multiple_of(PAGE),
    };
    let code = loads.iter().find(|(.., flags)| flags == "RE").unwrap();
    assert_eq!(graft.code, piece(code));
    let [.., memory, beside] = &*loads else {
        panic!("{listed}")
    };
    assert_eq!((&*memory.3, &*beside.3), ("RW", "RE"));
    assert_eq!(graft.beside, [piece(memory), piece(beside)]);
    assert_eq!(graft.has_loader, listed.contains("INTERP"));
    let entries = [program, copy].map(|file| {
        let listed = binutils("readelf", &["-hW"], file);
        let mut lines = listed.lines().map(str::trim);
        let line = lines.find_map(|line| line.strip_prefix("Entry point address:"));
        u64::from_str_radix(&line.unwrap().trim()[2..], 16).unwrap()
    });
    assert_eq!(graft.entries, entries);
}

/// Nothing is put over a program whose code has no pages of its own.
#[test]
fn only_code_that_nobody_writes_to_is_replaced() {
    let Some(programs) = built() else { return };
    if cfg!(not(target_arch = "x86_64")) {
        return;
    }
    let graft = |bytes: &[u8]| {
        let elf = Elf::parse(bytes).unwrap();
        let survey = Survey::of(&elf).unwrap();
        let (_, copied) = made(&elf, &survey, bytes);
        Graft::of(&survey, bytes, &copied).unwrap()
    };
    let mut bytes = programs.bytes("plain");
    assert!(graft(&bytes).is_some());
    // Type and flags of the program headers, which Go's linker puts behind the file's.
    let mut headers = (0..usize::from(bytes[56])).map(|number| 64 + 56 * number);
    let code = headers.find(|at| (bytes[*at], bytes[at + 4]) == (1, 5));
    let code = code.unwrap();
    bytes[code + 4] = 7;
    assert_eq!(graft(&bytes), None);
    bytes[code + 4] = 5;
    // It reaches into the first page of what comes behind it.
    for at in [code + 32, code + 40] {
        let field = bytes[at..].first_chunk_mut::<8>().unwrap();
        *field = (u64::from_le_bytes(*field) + 4096).to_le_bytes();
    }
    assert_eq!(graft(&bytes), None);
}

/// Linked by Go and by the C compiler, for fixed addresses and for any: without a ring it does what the original does.
#[test]
fn copies_run_as_their_originals() {
    let Some(programs) = built() else { return };
    for machine in machine::Machine::all() {
        let names = Programs::names();
        for name in names.filter(|name| (*name == "arm64") == (machine.arch == "arm64")) {
            let program = programs.path(name);
            let to: PathBuf = scratch().join("copies").join(name);
            let made = copied(program, &to);
            assert!(made.names.len() > 100, "{name}");
            assert_eq!(
                output_of(&mut machine.command(&to)),
                output_of(&mut machine.command(program)),
                "{name}"
            );
            let segments = binutils("readelf", &["-lW"], &to);
            let before = loads(&binutils("readelf", &["-lW"], program)).len();
            assert_eq!(loads(&segments).len(), before + 2, "{name}: {segments}");
            match &made.graft {
                Some(graft) => hold_graft(graft, program, &to),
                None => assert_eq!(name, "arm64"),
            }
            // Whatever reads the copy for names finds what it found before.
            let names = |program: &Path| binutils("nm", &["-a"], program);
            if matches!(name, "plain" | "arm64") {
                assert_eq!(names(&to), names(program), "{name}");
            }
        }
    }
}

/// The compiler makes the same of a package, whether its functions tell of their calls, to a ring or to none, or not.
#[test]
fn a_copy_of_the_compiler_compiles_the_same() {
    let Some(mut go) = go() else { return };
    // Imports nothing.
    let source = Path::new(output_of(go.args(["env", "GOROOT"])).trim()).join("src/container/list");
    for machine in machine::Machine::all() {
        let native = machine.runner.is_empty();
        let compiler = if native {
            Some(toolchain("compile"))
        } else {
            toolchain_for_arm64("compile")
        };
        let Some(compiler) = compiler else { continue };
        let folder = scratch().join("compilers").join(machine.arch);
        let Copied {
            original,
            copy,
            names,
            ..
        } = copied(&compiler, &folder.join("compile"));
        assert!(names.len() > 10_000, "{}", names.len());
        let compile = |program: &Path, ring: Option<&Ring>| {
            let object = folder.join("package.a");
            let mut command = machine.command(program);
            command.current_dir(&source).args(["-p", "container/list"]);
            command.args(["-std", "-complete", "-o"]);
            command.arg(&object).arg("list.go");
            if let Some(ring) = ring {
                ring.give(&mut command, RING);
            }
            output_of(&mut command);
            std::fs::read(object).unwrap()
        };
        let expected = compile(&original, None);
        assert!(
            compile(&copy, None) == expected,
            "{machine:?}: without a ring"
        );
        let ring = Ring::new(4000);
        assert!(
            compile(&copy, Some(&ring)) == expected,
            "{machine:?}: with a ring"
        );
        assert_eq!(ring.dropped(), 0);
        let records = ring.records();
        println!(
            "{machine:?}: {} functions, {} records",
            names.len(),
            records.len()
        );
        pair(&records, &names);
        let main = records
            .iter()
            .filter(|record| names[record.function as usize] == "main.main");
        assert_eq!(main.count(), 1, "{machine:?}");
    }
}

#[test]
fn what_is_not_for_this_is_refused() {
    let Some(programs) = built() else { return };
    let mut bytes = programs.bytes("arm64");
    bytes[18] = 0xf3; // RISC-V
    let refused = Survey::of(&Elf::parse(&bytes).unwrap()).unwrap_err();
    assert!(refused.to_string().contains("amd64 and arm64"), "{refused}");
}
