//! Copies with trampolines: their places against `go tool objdump`, and that they run as their originals.

use crate::programs::{Programs, binutils, built, output_of, scratch, toolchain};
use crate::sites::each_function;
use gotrace::binary::elf::Elf;
use gotrace::binary::go::Pclntab;
use gotrace::binary::instruction::SiteEdge;
use gotrace::binary::trampoline::{Exempt, Marked, Place, Survey, Unpatched, copy};
use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The texts of the instructions from an address on.
fn texts_from(lines: &[(u64, String)], address: u64) -> impl Iterator<Item = &str> {
    let lines = lines.iter().skip_while(move |(at, _)| *at != address);
    lines.map(|(_, text)| text.as_str())
}

fn opens_frame(text: &str) -> bool {
    (text.starts_with("SUBQ $") && text.ends_with(", SP")) || text == "ADDQ $-0x80, SP"
}

fn closes_frame(text: &str) -> bool {
    (text.starts_with("ADDQ $") && text.ends_with(", SP")) || text == "SUBQ $-0x80, SP"
}

/// Holds the places of a function against its listing.
fn hold(name: &str, lines: &[(u64, String)], places: &[Place]) {
    let (entry, exits) = places.split_first().unwrap();
    assert_eq!(entry.edge, SiteEdge::Entry);
    let texts: Vec<&str> = texts_from(lines, entry.address.0).take(3).collect();
    assert_eq!(texts[..2], ["PUSHQ BP", "MOVQ SP, BP"], "{name}");
    assert!(opens_frame(texts[2]), "{name}: {texts:?}");
    for exit in exits {
        let mut texts = texts_from(lines, exit.address.0);
        let above = texts.next().unwrap();
        assert!(closes_frame(above), "{name}: {above}");
        assert_eq!(texts.next(), Some("POPQ BP"), "{name}");
        let last = texts.find(|text| !text.contains("NOP") && *text != "XCHGL AX, AX");
        let expected = match exit.edge {
            SiteEdge::Return => "RET",
            _ => "JMP ",
        };
        assert!(last.unwrap().starts_with(expected), "{name}: {last:?}");
    }
    let returns = lines.iter().filter(|(_, text)| text == "RET").count();
    let found = exits.iter().filter(|exit| exit.edge == SiteEdge::Return);
    assert_eq!(found.count(), returns, "{name}: exits that were missed");
}

/// Of the functions with a frame that check their stack's size, outside of the runtime, at least 97 in 100 can tell of
/// their entry and of all exits.
#[test]
#[cfg(target_arch = "x86_64")]
fn places_are_those_that_another_disassembler_shows() {
    let Some(programs) = built() else { return };
    for program in [programs.path("plain"), &toolchain("link")] {
        let bytes = std::fs::read(program).unwrap();
        let elf = Elf::parse(&bytes).unwrap();
        let survey = Survey::of(&elf).unwrap();
        let (mut checked, mut patched) = (0, 0);
        each_function(program, |_, function, _, lines| {
            let name = String::from_utf8_lossy(function.linker_name().unwrap()).into_owned();
            let places = survey.places(function, true);
            if let Err(Unpatched::Exempt(why)) = &places {
                let runtime = name.starts_with("runtime.") || name.starts_with("internal/");
                assert!(runtime || *why != Exempt::Runtime || name.starts_with("sync/atomic"));
                return;
            }
            let check = lines.iter().take(6).any(|(_, text)| {
                text.starts_with("CMPQ ") && text.ends_with(", 0x10(R14)")
                    || text == "CMPQ SP, 0x10(R14)"
                    || text == "CMPQ 0x10(R14), SP"
            });
            let frame = lines.iter().take(12).any(|(_, text)| text == "PUSHQ BP");
            if check && frame && function.keeps_conventions() {
                checked += 1;
                patched += usize::from(places.is_ok());
            }
            if let Ok(places) = places {
                hold(&name, lines, &places);
            }
        });
        assert!(checked > 300, "{}: {checked}", program.display());
        let share = f64::from(u32::try_from(patched).unwrap()) / f64::from(checked);
        assert!(
            share >= 0.97,
            "{}: {patched} of {checked}",
            program.display()
        );
    }
}

/// Writes a copy of a program in which each function that can tells of its calls.
fn copy_of(program: &Path, to: &Path) -> usize {
    let bytes = std::fs::read(program).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let survey = Survey::of(&elf).unwrap();
    let functions = Pclntab::of(&elf).unwrap();
    let places = functions.functions().flatten();
    let places = places.filter_map(|function| survey.places(&function, true).ok());
    let places: Vec<Vec<Place>> = places.collect();
    let marked: Vec<Marked<'_>> = (0..)
        .zip(&places)
        .flat_map(|(number, places)| places.iter().map(move |place| Marked { number, place }))
        .collect();
    let copied = copy(&survey, &bytes, 7, [1000, 240, 60], &marked).unwrap();
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let file = File::create(to).unwrap();
    file.write_all_at(&copied.original, 0).unwrap();
    file.write_all_at(&copied.beside, copied.beside_at).unwrap();
    file.set_permissions(Permissions::from_mode(0o755)).unwrap();
    places.len()
}

/// Linked by Go and by the C compiler, for fixed addresses and for any: without a ring it does what the original does.
#[test]
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn copies_run_as_their_originals() {
    let Some(programs) = built() else { return };
    for name in Programs::names().filter(|name| *name != "arm64") {
        let program = programs.path(name);
        let to: PathBuf = scratch().join("copies").join(name);
        assert!(copy_of(program, &to) > 100, "{name}");
        assert_eq!(
            output_of(&mut Command::new(&to)),
            output_of(&mut Command::new(program)),
            "{name}"
        );
        let segments = binutils("readelf", &["-lW"], &to);
        let loads = |text: &str| {
            text.lines()
                .filter(|line| line.trim().starts_with("LOAD"))
                .count()
        };
        let before = loads(&binutils("readelf", &["-lW"], program));
        assert_eq!(loads(&segments), before + 2, "{name}: {segments}");
        // Whatever reads the copy for names finds what it found before.
        let names = |program: &Path| binutils("nm", &["-a"], program);
        if name == "plain" {
            assert_eq!(names(&to), names(program));
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn what_is_not_for_this_is_refused() {
    let Some(programs) = built() else { return };
    let bytes = programs.bytes("arm64");
    let refused = Survey::of(&Elf::parse(&bytes).unwrap()).unwrap_err();
    assert!(refused.to_string().contains("amd64"), "{refused}");
}
