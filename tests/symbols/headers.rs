//! Headers, symbols, notes and build info.

use crate::programs::{Programs, binutils, built, go, go_tool, hex, output_of, toolchain};
use gotrace::binary::elf::{Elf, Kind, Machine, Symbol};
use gotrace::binary::go::{BuildInfo, Version};
use gotrace::binary::{Error, FileOffset, Svma};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Files of a Linux machine that Go has not made: an executable and a library.
fn of_this_machine() -> Vec<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let library = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .find(|path| path.contains("libc.so") || path.contains("libc-"));
    let own = std::env::current_exe().unwrap();
    library
        .map(PathBuf::from)
        .into_iter()
        .chain([own])
        .collect()
}

fn all_programs() -> Vec<PathBuf> {
    let mut all = of_this_machine();
    if let Some(programs) = built() {
        all.extend(Programs::names().map(|name| programs.path(name).to_owned()));
        all.push(toolchain("compile"));
    }
    all
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn sections_are_those_of_readelf() {
    for program in all_programs() {
        let data = std::fs::read(&program).unwrap();
        let elf = Elf::parse(&data).unwrap();
        let listing = binutils("readelf", &["-SW"], &program);
        let known: Vec<(String, u64, u64)> = listing
            .lines()
            .filter_map(|line| {
                let words: Vec<&str> = line.split(']').nth(1)?.split_whitespace().collect();
                // The first section has neither name nor bytes.
                let [name, _, address, _, size, ..] = words[..] else {
                    return None;
                };
                let hexadecimal = address.len() == 16;
                hexadecimal.then(|| (name.to_owned(), hex(address), hex(size)))
            })
            .collect();
        let found: Vec<(String, u64, u64)> = elf
            .sections()
            .iter()
            .skip(1)
            .map(|section| (text(section.name), section.address.0, section.size))
            .collect();
        assert_eq!(found, known, "{}", program.display());
        for section in elf.sections() {
            let empty = matches!(section.section_type, 0 | 8);
            let size = if empty { 0 } else { section.size };
            assert_eq!(section.data.len() as u64, size, "{}", text(section.name));
        }
    }
}

/// Addresses and names of the defined symbols of one table of `readelf -sW`.
fn symbols_of(listing: &str, table: &str, types: &[&str]) -> BTreeSet<(u64, u64, String)> {
    let start = listing.split(&format!("Symbol table '{table}'")).nth(1);
    start
        .unwrap_or_default()
        .lines()
        .skip(2)
        .take_while(|line| !line.starts_with("Symbol table"))
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, address, size, kind, _, _, section, _, ..] = words[..] else {
                return None;
            };
            let defined = types.contains(&kind) && section != "UND" && section != "ABS";
            let size = size
                .strip_prefix("0x")
                .map_or_else(|| size.parse().ok(), |s| Some(hex(s)));
            // Names may hold spaces; those of a library are followed by a version.
            let mut rest = line;
            for _ in 0..7 {
                let column = rest.trim_start();
                rest = &column[column.find(' ')?..];
            }
            let name = rest.trim_start().split('@').next()?;
            defined.then(|| Some((hex(address), size?, name.to_owned())))?
        })
        .collect()
}

#[test]
fn symbols_are_those_of_readelf() {
    let mut functions = 0;
    for program in all_programs() {
        let data = std::fs::read(&program).unwrap();
        let elf = Elf::parse(&data).unwrap();
        let listing = binutils("readelf", &["-sW"], &program);
        for (table, symbols) in [
            (".symtab", elf.symbols()),
            (".dynsym", elf.dynamic_symbols()),
        ] {
            let known = symbols_of(&listing, table, &["FUNC", "IFUNC"]);
            let found: BTreeSet<_> = symbols
                .iter()
                .filter(Symbol::is_function)
                .map(|symbol| {
                    let name = text(symbol.name);
                    let name = name.split('@').next().unwrap().to_owned();
                    (symbol.address.0, symbol.size, name)
                })
                .collect();
            let differ: Vec<_> = found.symmetric_difference(&known).take(3).collect();
            assert!(
                differ.is_empty(),
                "{}: {table}: {differ:x?}",
                program.display()
            );
            functions += found.len();
            let known = symbols_of(&listing, table, &["OBJECT"]);
            let objects = symbols.iter().filter(Symbol::is_object);
            let found: BTreeSet<u64> = objects.map(|symbol| symbol.address.0).collect();
            let known: BTreeSet<u64> = known.into_iter().map(|(address, ..)| address).collect();
            assert_eq!(found, known, "{}: {table}", program.display());
        }
    }
    assert!(functions > 1000, "{functions}");
}

#[test]
fn segments_place_bytes_where_readelf_says() {
    for program in all_programs() {
        let data = std::fs::read(&program).unwrap();
        let elf = Elf::parse(&data).unwrap();
        let listing = binutils("readelf", &["-lW"], &program);
        let loads = listing
            .lines()
            .filter(|line| line.trim().starts_with("LOAD"));
        let mut count = 0;
        for line in loads {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [offset, address, _, size] = [1, 2, 3, 4].map(|index| hex(words[index]));
            let executable = line.contains(" R E ");
            count += 1;
            if size == 0 {
                continue;
            }
            let last = (FileOffset(offset + size - 1), Svma(address + size - 1));
            assert_eq!(elf.memory().offset_of(last.1), Some(last.0));
            assert_eq!(elf.memory().is_code(last.1), executable);
            let rest = elf.memory().bytes_from("test", Svma(address)).unwrap();
            assert_eq!(rest.len() as u64, size);
            if executable {
                assert_eq!(
                    elf.memory().address_of(FileOffset(offset)),
                    Some(Svma(address))
                );
                assert_eq!(elf.memory().address_of(last.0), Some(last.1));
            }
        }
        assert_eq!(elf.memory().loads().len(), count);
        let interpreter = listing.split("program interpreter: ").nth(1);
        let interpreter = interpreter.map(|rest| rest.split(']').next().unwrap().to_owned());
        assert_eq!(elf.interpreter.map(text), interpreter);
        let tls = listing.lines().find(|line| line.trim().starts_with("TLS "));
        let tls = tls.map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (hex(words[5]), hex(words[words.len() - 1]))
        });
        assert_eq!(elf.tls.map(|tls| (tls.size, tls.align)), tls);
    }
}

#[test]
fn machine_and_kind_are_those_of_readelf() {
    for program in all_programs() {
        let data = std::fs::read(&program).unwrap();
        let elf = Elf::parse(&data).unwrap();
        let header = binutils("readelf", &["-hW"], &program);
        let machine = match elf.machine {
            Machine::Amd64 => "X86-64",
            Machine::Arm64 => "AArch64",
            Machine::Other(_) => "another",
        };
        let kind = match elf.kind {
            Kind::Executable => "EXEC",
            Kind::Dynamic => "DYN",
            Kind::Other(_) => "another",
        };
        assert!(header.contains(machine), "{}", program.display());
        assert!(
            header.contains(&format!("{kind} (")),
            "{}",
            program.display()
        );
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn build_ids_are_those_of_readelf_and_go() {
    let mut seen = 0;
    for program in all_programs() {
        let data = std::fs::read(&program).unwrap();
        let elf = Elf::parse(&data).unwrap();
        let notes = binutils("readelf", &["-nW"], &program);
        let known = notes.split("Build ID: ").nth(1);
        let known = known.map(|rest| rest.lines().next().unwrap().trim().to_owned());
        seen += usize::from(known.is_some());
        assert_eq!(elf.build_id().map(digits), known, "{}", program.display());
        if elf.section(b".note.go.buildid").is_some() {
            let known = go_tool("buildid", &[], &program, "");
            assert_eq!(elf.go_build_id().map(text), Some(known.trim().to_owned()));
        }
    }
    assert!(seen > 0);
}

fn hold_build_info(program: &Path) {
    let data = std::fs::read(program).unwrap();
    let info = BuildInfo::of(&Elf::parse(&data).unwrap()).unwrap();
    let listing = output_of(go().unwrap().args(["version", "-m"]).arg(program));
    let version = listing.lines().next().unwrap();
    assert!(version.ends_with(&info.go_version), "{version} {info:?}");
    let mut settings = Vec::new();
    for line in listing.lines().skip(1) {
        let words: Vec<&str> = line.trim().split('\t').collect();
        match words[..] {
            ["path", path] => assert_eq!(info.path, path),
            ["mod", path, version, ..] => {
                assert_eq!(info.module, (path.to_owned(), version.to_owned()));
            }
            ["build", setting] => {
                let (key, value) = setting.split_once('=').unwrap();
                let value = value.trim_matches('"');
                assert_eq!(info.setting(key), Some(value), "{}", program.display());
                settings.push(key);
            }
            _ => {}
        }
    }
    assert_eq!(info.settings.len(), settings.len());
    assert!(
        info.version()
            >= Some(Version {
                major: 1,
                minor: 16
            })
    );
}

#[test]
fn build_info_is_that_of_go_version() {
    let Some(programs) = built() else { return };
    for name in Programs::names() {
        hold_build_info(programs.path(name));
    }
    hold_build_info(&toolchain("compile"));
}

#[test]
fn other_files_have_no_build_info() {
    for program in of_this_machine() {
        let data = std::fs::read(&program).unwrap();
        let elf = Elf::parse(&data).unwrap();
        assert_eq!(
            BuildInfo::of(&elf),
            Err(Error::Missing {
                what: "Go build info"
            })
        );
        assert_eq!(elf.go_build_id(), None);
    }
}
