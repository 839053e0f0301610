//! Files that are cut, flipped and made to mislead: an error or less knowledge, never a panic,
//! and never more work than the file is long.

use crate::programs::{Programs, binutils, built, hex};
use gotrace::binary::elf::{Dynamic, Elf};
use gotrace::binary::go::{BuildInfo, Function, Pclntab, RuntimeLayout};
use gotrace::binary::{Error, FileOffset, Svma};
use object::{Object as _, ObjectSection as _};
use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert, prop_oneof};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// Asks for everything that the file says. The number of answers depends on the file alone.
fn read_all(data: &[u8]) -> usize {
    let Ok(elf) = Elf::parse(data) else { return 0 };
    let Ok(dynamic) = Dynamic::parse(data) else {
        return 0;
    };
    let named = dynamic
        .relocations()
        .filter_map(|one| dynamic.symbol(one.symbol));
    let wanted = named.count() + dynamic.offers().count() + dynamic.needed().count();
    let mut answers = wanted + dynamic.stubs().len() + dynamic.segments().len();
    answers += elf.sections().len() + elf.memory().loads().len();
    answers += elf.symbols().iter().count() + elf.dynamic_symbols().iter().count();
    answers += elf
        .relocations()
        .iter()
        .filter(|r| r.relative().is_some())
        .count();
    answers += usize::from(elf.build_id().is_some()) + usize::from(elf.go_build_id().is_some());
    answers += usize::from(BuildInfo::of(&elf).is_ok());
    answers += usize::from(RuntimeLayout::of(&elf).is_ok());
    let Ok(table) = Pclntab::of(&elf) else {
        return answers;
    };
    let step = usize::try_from(table.len() / 100 + 1).unwrap();
    for function in table.functions().step_by(step).flatten() {
        let middle = function.entry().0.midpoint(function.end().0);
        answers += function.name().map_or(0, |name| name.len());
        for address in [function.entry(), Svma(middle)] {
            answers += function.lines(address).map_or(0, |lines| lines.len());
            answers += usize::from(function.stack_depth(address).is_ok());
            answers += usize::from(table.find(address).is_ok());
        }
    }
    answers
}

/// A program and where in the file the things are that damage is done to.
struct Victim {
    data: Vec<u8>,
    /// Go's function table: its offset in the file and its address.
    table: (usize, u64),
    build_info: usize,
}

impl Victim {
    fn of(programs: &Programs, name: &str) -> Self {
        let data = programs.bytes(name);
        let file = object::File::parse(&*data).unwrap();
        let section = |name: &str| {
            // In programs for any address, until Go 1.25.
            let relocated = format!(".data.rel.ro{name}");
            let section = file.section_by_name(name);
            let section = section
                .or_else(|| file.section_by_name(&relocated))
                .unwrap();
            let offset = usize::try_from(section.file_range().unwrap().0).unwrap();
            (offset, section.address())
        };
        let (table, build_info) = (section(".gopclntab"), section(".go.buildinfo").0);
        Self {
            data,
            table,
            build_info,
        }
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.data[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn u64(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.data[offset..offset + 8].try_into().unwrap())
    }

    fn table_error(&self) -> Error {
        let elf = Elf::parse(&self.data).unwrap();
        Pclntab::of(&elf).unwrap_err()
    }

    /// What a look at the first functions gives, as soon as one fails.
    fn first_error(&self, look: impl Fn(&Function<'_>) -> Result<(), Error>) -> Option<Error> {
        let elf = Elf::parse(&self.data).unwrap();
        let table = Pclntab::of(&elf).unwrap();
        table
            .functions()
            .take(1000)
            .find_map(|function| function.and_then(|function| look(&function)).err())
    }
}

fn lines_at_entry(function: &Function<'_>) -> Result<(), Error> {
    function.lines(function.entry()).map(drop)
}

fn what(error: &Error) -> &'static str {
    match error {
        Error::Unsupported { what, .. }
        | Error::CutShort { what, .. }
        | Error::Malformed { what, .. }
        | Error::Missing { what } => what,
        _ => "",
    }
}

#[test]
fn what_is_no_elf_file_is_told_from_what_is_another_kind() {
    for found in [&b""[..], b"\x7fEL", b"#!/bin/sh\n"] {
        let start = found[..found.len().min(4)].to_vec();
        assert_eq!(
            Elf::parse(found).unwrap_err(),
            Error::NotElf { found: start }
        );
    }
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    for (offset, bytes, expected) in [
        (4, &[1][..], "ELF class"),
        (5, &[2], "ELF byte order"),
        (54, &[40, 0], "segment header size"),
        (56, &[255, 255], "segment table"),
        (32, &[255; 8], "segment table"),
    ] {
        let mut data = own.clone();
        data[offset..offset + bytes.len()].copy_from_slice(bytes);
        if expected == "segment table" {
            data.truncate(8192);
        }
        assert_eq!(what(&Elf::parse(&data).unwrap_err()), expected, "{offset}");
    }
    assert_eq!(what(&Elf::parse(&own[..20]).unwrap_err()), "entry point");
}

#[test]
fn addresses_that_the_file_does_not_fill_have_no_bytes() {
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let elf = Elf::parse(&own).unwrap();
    assert_eq!(elf.memory().address_of(FileOffset(u64::MAX)), None);
    assert_eq!(elf.memory().offset_of(Svma(u64::MAX)), None);
    assert!(!elf.memory().is_code(Svma(u64::MAX)));
    let error = elf.memory().bytes_from("test", Svma(u64::MAX)).unwrap_err();
    assert_eq!(what(&error), "test");
    // The headers promise more than there is.
    let elf = Elf::parse(&own[..8192]).unwrap();
    let last = elf.memory().loads().last().unwrap();
    let error = elf.memory().bytes_from("test", last.address).unwrap_err();
    assert_eq!(what(&error), "test");
}

/// A running program needs no section headers, and some tools remove them.
#[test]
fn section_headers_are_not_needed() {
    let Some(programs) = built() else { return };
    for name in ["stripped", "pie"] {
        let mut victim = Victim::of(programs, name);
        let whole = victim.data.clone();
        let elf = Elf::parse(&whole).unwrap();
        let known = Pclntab::of(&elf).unwrap();
        for shoff in [0_u64, u64::MAX] {
            victim.put(40, &shoff.to_le_bytes());
            let elf = Elf::parse(&victim.data).unwrap();
            assert!(elf.sections().is_empty());
            let table = Pclntab::of(&elf).unwrap();
            assert_eq!(
                (table.len(), table.text()),
                (known.len(), known.text()),
                "{name}"
            );
            assert!(table.has_inline_trees(), "{name}");
            assert!(BuildInfo::of(&elf).is_ok(), "{name}");
        }
    }
}

#[test]
fn a_damaged_function_table_is_named() {
    let Some(programs) = built() else { return };
    let (whole, at) = {
        let victim = Victim::of(programs, "stripped");
        (victim.data, victim.table.0)
    };
    for (offset, bytes, expected) in [
        (0, &[1, 2, 3, 4][..], "magic of the Go function table"),
        (8, &[255; 8], "index of Go functions"),
        (
            8,
            &[255, 255, 255, 255, 0, 0, 0, 0],
            "index of Go functions",
        ),
        (32, &[255; 8], "part of the Go function table"),
        (40, &[255; 8], "part of the Go function table"),
        (48, &[255; 8], "part of the Go function table"),
        (56, &[255; 8], "part of the Go function table"),
        (64, &[255; 8], "part of the Go function table"),
    ] {
        let mut victim = Victim::of(programs, "stripped");
        victim.put(at + offset, bytes);
        assert_eq!(what(&victim.table_error()), expected, "{offset}");
    }
    let mut cut = Victim::of(programs, "stripped");
    cut.data = whole[..at + 36].to_vec();
    let expected = "offset of Go function names";
    assert_eq!(what(&cut.table_error()), expected);
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let error = Pclntab::of(&Elf::parse(&own).unwrap()).unwrap_err();
    assert_eq!(what(&error), "Go function table");
}

#[test]
fn without_module_data_there_is_the_header_or_an_error() {
    let Some(programs) = built() else { return };
    let mut victim = Victim::of(programs, "stripped");
    let address = victim.table.1.to_le_bytes();
    let aligned = (0..victim.data.len() - 8).step_by(8);
    let places: Vec<usize> = aligned
        .filter(|&at| victim.data[at..at + 8] == address)
        .collect();
    for place in places {
        // The section's own header has it, too.
        let is_header = victim.u64(place + 8) == victim.table.0 as u64;
        if !is_header {
            victim.put(place, &[0; 8]);
        }
    }
    let stated = victim.u64(victim.table.0 + 24);
    let elf = Elf::parse(&victim.data).unwrap();
    match Pclntab::of(&elf) {
        Ok(table) => {
            assert_eq!(table.text(), Svma(stated));
            assert!(!table.has_inline_trees());
            let function = table.function(0).unwrap();
            assert_eq!(function.lines(function.entry()).unwrap().len(), 1);
        }
        Err(error) => {
            assert_eq!(stated, 0);
            assert_eq!(what(&error), "start of Go code");
        }
    }
}

#[test]
fn a_damaged_function_is_named() {
    let Some(programs) = built() else { return };
    let start = Victim::of(programs, "stripped");
    let index = start.table.0 + usize::try_from(start.u64(start.table.0 + 64)).unwrap();
    let units = start.table.0 + usize::try_from(start.u64(start.table.0 + 40)).unwrap();
    let files = start.table.0 + usize::try_from(start.u64(start.table.0 + 48)).unwrap();
    let record = u32::from_le_bytes(start.data[index + 4..index + 8].try_into().unwrap());
    let record = index + record as usize;
    for (offset, expected) in [
        (index + 4, "Go function record"),
        (record + 4, "Go function name"),
        (record + 16, "pc-value table"),
        (record + 20, "pc-value table"),
        (record + 24, "pc-value table"),
        (record + 32, "Go compilation unit"),
    ] {
        let mut victim = Victim::of(programs, "stripped");
        victim.put(offset, &[255; 4]);
        let error = victim.first_error(|function| {
            function.stack_depth(function.entry())?;
            lines_at_entry(function)
        });
        assert_eq!(error.as_ref().map(what), Some(expected), "{offset:#x}");
    }
    let fill = |value: [u8; 4]| {
        let mut victim = Victim::of(programs, "stripped");
        for at in (units..files).step_by(4) {
            let end = (at + 4).min(files);
            victim.put(at, &value[..end - at]);
        }
        victim
    };
    let error = fill([254, 255, 255, 255]).first_error(lines_at_entry);
    assert_eq!(error.as_ref().map(what), Some("Go file name"));
    // This one says that the file is not known.
    assert_eq!(fill([255; 4]).first_error(lines_at_entry), None);
}

#[test]
fn inlined_calls_that_lead_nowhere_or_to_themselves_end() {
    let Some(programs) = built() else { return };
    let symbols = binutils("nm", &[], programs.path("plain"));
    let trees = symbols.lines().find(|line| line.ends_with(" go:func.*"));
    let trees = Svma(hex(trees.unwrap().split(' ').next().unwrap()));
    let whole = programs.bytes("plain");
    let elf = Elf::parse(&whole).unwrap();
    let table = Pclntab::of(&elf).unwrap();
    let (entry, into) = table
        .functions()
        .map(Result::unwrap)
        .find_map(|function| {
            let mut addresses = function.entry().0..function.end().0;
            let inlined = |at: &u64| function.lines(Svma(*at)).is_ok_and(|l| l.len() > 1);
            let inlined = addresses.find(inlined)?;
            Some((function.entry(), inlined - function.entry().0))
        })
        .unwrap();
    let offset = elf.memory().offset_of(trees).unwrap().0;
    let offset = usize::try_from(offset).unwrap();
    for parent in [u32::MAX, u32::try_from(into).unwrap()] {
        let mut victim = Victim::of(programs, "plain");
        for word in 0..20_000 {
            victim.put(offset + 4 * word, &parent.to_le_bytes());
        }
        let elf = Elf::parse(&victim.data).unwrap();
        let function = Pclntab::of(&elf).unwrap().find(entry).unwrap().unwrap();
        let error = function.lines(Svma(entry.0 + into)).unwrap_err();
        assert_eq!(what(&error), "Go inline tree", "{parent:#x}");
    }
}

#[test]
fn damaged_build_info_is_named() {
    let Some(programs) = built() else { return };
    for (offset, bytes, expected) in [
        (1, &b"?"[..], "Go build info"),
        (15, &[1], "build info flags"),
        (32, &[255; 6], "build info string length"),
        (32, &[255, 255, 255, 127], "build info string"),
    ] {
        let mut victim = Victim::of(programs, "stripped");
        victim.put(victim.build_info + offset, bytes);
        let elf = Elf::parse(&victim.data).unwrap();
        assert_eq!(
            what(&BuildInfo::of(&elf).unwrap_err()),
            expected,
            "{offset}"
        );
        assert_eq!(
            what(&RuntimeLayout::of(&elf).unwrap_err()),
            expected,
            "{offset}"
        );
    }
}

/// Go 1.17 and earlier wrote addresses of strings, which may lead nowhere.
#[test]
fn build_info_by_address_is_checked() {
    let Some(programs) = built() else { return };
    let start = Victim::of(programs, "stripped");
    let elf = Elf::parse(&start.data).unwrap();
    let section = elf.section(b".go.buildinfo").unwrap().address.0;
    let (header, name) = (section + 48, section + 64);
    let with = |address: u64, text: u64, length: u64| {
        let mut victim = Victim::of(programs, "stripped");
        let at = victim.build_info;
        victim.put(at + 14, &[8, 0]);
        victim.put(at + 16, &address.to_le_bytes());
        victim.put(at + 24, &[0; 8]);
        victim.put(at + 48, &text.to_le_bytes());
        victim.put(at + 56, &length.to_le_bytes());
        victim.put(at + 64, b"go1.17.2");
        let elf = Elf::parse(&victim.data).unwrap();
        BuildInfo::of(&elf).map(|info| info.go_version)
    };
    assert_eq!(with(header, name, 8).unwrap(), "go1.17.2");
    assert_eq!(with(header, name, 0).unwrap(), "");
    assert_eq!(with(0, name, 8).unwrap(), "");
    let error = with(1, name, 8).unwrap_err();
    assert_eq!(what(&error), "build info string header");
    for (text, length) in [(1, 8), (name, u64::MAX)] {
        let error = with(header, text, length).unwrap_err();
        assert_eq!(what(&error), "build info string");
    }
}

#[test]
fn layouts_of_other_versions_are_refused_or_assumed() {
    let Some(programs) = built() else { return };
    let with = |version: &[u8; 2]| {
        let mut victim = Victim::of(programs, "stripped");
        let at = victim.build_info + 33;
        assert_eq!(&victim.data[at..at + 4], b"go1.");
        victim.put(at + 4, version);
        RuntimeLayout::of(&Elf::parse(&victim.data).unwrap())
    };
    assert_eq!(what(&with(b"15").unwrap_err()), "minor version of Go");
    assert_eq!(
        what(&with(b"xy").unwrap_err()),
        "Go version in the build info"
    );
    assert!(with(b"99").unwrap().assumed);
    assert!(!with(b"16").unwrap().assumed);
}

#[test]
fn a_file_cut_anywhere_is_read_as_far_as_it_goes() {
    let Some(programs) = built() else { return };
    let whole = programs.bytes("stripped");
    let all = read_all(&whole);
    assert!(all > 1000, "{all}");
    let steps = (0..1024).chain((1024..whole.len()).step_by(whole.len() / 64));
    for length in steps {
        read_all(&whole[..length]);
    }
}

/// Where damage does most: headers, the head of the function table, build info; else anywhere.
fn places(victim: &Victim) -> impl Strategy<Value = usize> + use<> {
    let (table, info) = (victim.table.0, victim.build_info);
    let after = victim.data.len().saturating_sub(4096);
    prop_oneof![
        0..1024_usize,
        table..table + 4096,
        info..info + 2048,
        after..victim.data.len(),
        0..victim.data.len(),
    ]
}

#[test]
fn flipped_bits_are_no_panic() {
    let Some(programs) = built() else { return };
    for name in ["stripped", "pie"] {
        let victim = Victim::of(programs, name);
        let damage = prop::collection::vec((places(&victim), any::<u8>()), 1..24);
        let config = ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(100)
        };
        let mut runner =
            TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let outcome = runner.run(&damage, |damage| {
            let mut data = victim.data.clone();
            for (at, byte) in damage {
                data[at] = byte;
            }
            // Every answer is a name, a line or an entry of the file.
            prop_assert!(read_all(&data) < 2 * data.len());
            Ok(())
        });
        outcome.unwrap();
    }
}
