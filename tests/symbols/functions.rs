//! Functions, files, lines and inlined calls.

use crate::programs::{built, foreign, go_tool, hex, toolchain};
use gotrace::binary::Svma;
use gotrace::binary::elf::Elf;
use gotrace::binary::go::{BuildInfo, Pclntab};
use object::{Object as _, ObjectSection as _};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

/// A function as `go tool nm` prints it.
struct Known {
    size: u64,
    name: String,
}

fn nm(program: &Path) -> BTreeMap<u64, Known> {
    let listing = go_tool("nm", &["-n", "-size"], program, "");
    let mut functions = BTreeMap::new();
    for line in listing.lines() {
        let mut words = line.split_whitespace();
        let (Some(address), Some(size), Some("T" | "t")) =
            (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let at = line.find(" T ").or_else(|| line.find(" t ")).unwrap();
        let name = line[at + 3..].trim();
        let name = name.strip_suffix(".abi0").unwrap_or(name).to_owned();
        let size = size.parse().unwrap();
        // Sizes are 0 for marks such as runtime.text.
        if size > 0 {
            functions.insert(hex(address), Known { size, name });
        }
    }
    functions
}

/// The linkers of Go 1.18 and 1.19 shorten type arguments in the table, not in symbols and DWARF.
fn as_in_table(name: &str, table: &str) -> String {
    match (name.split_once('['), name.rsplit_once(']')) {
        (Some((before, _)), Some((_, after))) if table.contains("[...]") => {
            format!("{before}[...]{after}")
        }
        _ => name.to_owned(),
    }
}

/// Every function of the table is where `go tool nm` has it, with its name and at least its
/// size; every Go function of `nm` is in the table. Returns how many.
fn hold_functions(program: &Path) -> usize {
    let data = std::fs::read(program).unwrap();
    let elf = Elf::parse(&data).unwrap();
    let table = Pclntab::of(&elf).unwrap();
    let known = nm(program);
    let mut count = 0;
    for function in table.functions() {
        let function = function.unwrap();
        let (entry, end) = (function.entry().0, function.end().0);
        let name = String::from_utf8_lossy(function.linker_name().unwrap());
        // Local types are numbered with a middle dot, which nm writes as another one.
        let name = name.replace('·', ".");
        let Some(symbol) = known.get(&entry) else {
            panic!(
                "{}: nm has nothing at {entry:#x} ({name})",
                program.display()
            );
        };
        let known = as_in_table(&symbol.name, &name);
        assert_eq!(known, name, "{}: {entry:#x}", program.display());
        assert!(
            symbol.size <= end - entry,
            "{name}: {} in {entry:#x}..{end:#x}",
            symbol.size
        );
        for address in [entry, entry + symbol.size - 1] {
            let found = table.find(Svma(address)).unwrap();
            let found = found.unwrap_or_else(|| panic!("nothing at {address:#x} in {name}"));
            assert_eq!(found.entry().0, entry, "{name}");
        }
        count += 1;
    }
    // In a program that another linker made, code of C lies before and after.
    let first = table.function(0).unwrap().entry().0;
    let last = table.functions().last().unwrap().unwrap().end().0;
    for (entry, symbol) in known.range(first..last) {
        let found = table.find(Svma(*entry)).unwrap();
        assert!(found.is_some(), "{}: {}", program.display(), symbol.name);
    }
    count
}

#[test]
fn functions_are_those_of_go_tool_nm() {
    let Some(programs) = built() else { return };
    for name in ["plain", "cgo", "cgo-pie", "arm64"] {
        assert!(hold_functions(programs.path(name)) > 1000, "{name}");
    }
}

#[test]
fn functions_of_the_toolchain_are_those_of_go_tool_nm() {
    if built().is_none() {
        return;
    }
    for name in ["go", "gofmt", "compile"] {
        assert!(hold_functions(&toolchain(name)) > 2000, "{name}");
    }
}

/// Addresses all over the Go code: entries, and every `step`th byte.
fn addresses(table: &Pclntab<'_>, step: usize) -> Vec<u64> {
    let functions = table.functions().map(Result::unwrap);
    functions
        .flat_map(|function| {
            let (entry, end) = (function.entry().0, function.end().0);
            (entry..end).step_by(step)
        })
        .collect()
}

/// The outermost function, and the file and line of the innermost, are what
/// `go tool addr2line` says. Returns how many addresses were asked.
fn hold_lines(program: &Path, step: usize) -> usize {
    let data = std::fs::read(program).unwrap();
    let elf = Elf::parse(&data).unwrap();
    let table = Pclntab::of(&elf).unwrap();
    let addresses = addresses(&table, step);
    let asked: String = addresses.iter().map(|a| format!("{a:#x}\n")).collect();
    let answers = go_tool("addr2line", &[], program, &asked);
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), 2 * addresses.len());
    for (address, answer) in addresses.iter().zip(answers.chunks(2)) {
        let found = table.find(Svma(*address)).unwrap();
        let Some(function) = found else {
            // Padding after the last instruction of a function: without a line.
            let known = answer[1].rsplit_once(':').unwrap().0;
            assert!(
                known.is_empty() || known == "?",
                "{}: {address:#x}",
                program.display()
            );
            continue;
        };
        let lines = function.lines(Svma(*address)).unwrap();
        let (inner, outer) = (lines.first().unwrap(), lines.last().unwrap());
        let file = String::from_utf8_lossy(inner.file);
        if inner.line == 0 {
            // A mark that is no code, or code of C that Go's own linker placed: without lines,
            // where each reader reads on in its own way.
            assert_eq!(outer.function, answer[0].as_bytes(), "{address:#x}");
            continue;
        }
        let said = [
            String::from_utf8_lossy(outer.function).into_owned(),
            format!("{file}:{}", inner.line),
        ];
        assert_eq!(said, *answer, "{}: {address:#x}", program.display());
    }
    addresses.len()
}

#[test]
fn lines_are_those_of_go_tool_addr2line() {
    let Some(programs) = built() else { return };
    for name in crate::programs::Programs::names() {
        assert!(hold_lines(programs.path(name), 7) > 10_000, "{name}");
    }
}

#[test]
fn lines_of_the_toolchain_are_those_of_go_tool_addr2line() {
    if built().is_none() {
        return;
    }
    for name in ["go", "gofmt", "compile"] {
        assert!(hold_lines(&toolchain(name), 211) > 5_000, "{name}");
    }
}

/// Files by any release of Go, stripped or not.
#[test]
#[ignore = "takes executables by other releases of Go: GOTRACE_GO_BINARIES=PATH:PATH..."]
fn lines_of_other_releases_are_those_of_go_tool_addr2line() {
    let programs = foreign();
    assert!(!programs.is_empty(), "GOTRACE_GO_BINARIES names none");
    for program in programs {
        let data = std::fs::read(&program).unwrap();
        let elf = Elf::parse(&data).unwrap();
        let version = BuildInfo::of(&elf).unwrap().go_version;
        let asked = hold_lines(&program, 101);
        assert!(asked > 5_000);
        let functions = match elf.symbols().is_empty() {
            true => 0,
            false => hold_functions(&program),
        };
        let chains = match elf.section(b".debug_info").or(elf.section(b".zdebug_info")) {
            Some(_) => hold_chains(&program, 31),
            None => 0,
        };
        println!(
            "{}: {version}: {asked} addresses, {functions} functions with symbols, \
             {chains} chains of inlined calls with DWARF",
            program.display()
        );
    }
}

/// The chain of functions and lines at an address, innermost first.
type Chain = Vec<(String, String)>;

type Debug = addr2line::Context<gimli::EndianSlice<'static, gimli::LittleEndian>>;

fn debug_information(data: &[u8]) -> Debug {
    let file = object::File::parse(data).unwrap();
    let section = |id: gimli::SectionId| {
        let found = file.section_by_name(id.name());
        let bytes = found.map_or(Cow::default(), |s| s.uncompressed_data().unwrap());
        let bytes = bytes.into_owned().leak();
        Ok::<_, gimli::Error>(gimli::EndianSlice::new(bytes, gimli::LittleEndian))
    };
    addr2line::Context::from_dwarf(gimli::Dwarf::load(section).unwrap()).unwrap()
}

fn chain_of_dwarf(debug: &Debug, address: u64) -> Chain {
    let mut frames = debug.find_frames(address).skip_all_loads().unwrap();
    let mut chain = Vec::new();
    while let Some(frame) = frames.next().unwrap() {
        let function = frame.function.map(|function| {
            let name = function.raw_name().unwrap();
            name.into_owned()
        });
        let place = frame.location.map(|place| {
            // Paths that begin nowhere stand for the compiler's own files.
            let file = place.file.unwrap_or_default().trim_start_matches("./");
            format!("{file}:{}", place.line.unwrap_or(0))
        });
        chain.push((function.unwrap_or_default(), place.unwrap_or_default()));
    }
    chain
}

/// At each address both have the same chain of inlined calls. Returns how many addresses are in
/// inlined calls.
fn hold_chains(program: &Path, step: usize) -> usize {
    let data = std::fs::read(program).unwrap();
    let elf = Elf::parse(&data).unwrap();
    let table = Pclntab::of(&elf).unwrap();
    let debug = debug_information(&data);
    let (mut asked, mut inlined, mut differ) = (0, 0, Vec::new());
    for address in addresses(&table, step) {
        let Some(function) = table.find(Svma(address)).unwrap() else {
            continue;
        };
        let lines = function.lines(Svma(address)).unwrap();
        if lines.iter().all(|line| line.line == 0) {
            continue; // a mark that is no code, or code of C
        }
        let found: Chain = lines
            .iter()
            .map(|line| {
                let file = String::from_utf8_lossy(line.file);
                let function = String::from_utf8_lossy(line.function).into_owned();
                (function, format!("{file}:{}", line.line))
            })
            .collect();
        let mut known = chain_of_dwarf(&debug, address);
        // DWARF has no line for some code that the compiler made up.
        if let (Some(found), Some(known)) = (found.last(), known.last_mut())
            && found.1 == "<autogenerated>:1"
            && known.1.is_empty()
        {
            known.1.clone_from(&found.1);
        }
        inlined += usize::from(found.len() > 1);
        for (found, known) in found.iter().zip(&mut known) {
            known.0 = as_in_table(&known.0, &found.0);
        }
        asked += 1;
        if found != known {
            differ.push((address, found, known));
        }
    }
    // Where DWARF alone is wrong: Go 1.21's gives a few instructions the line of an inlined call
    // that they are not part of; Go 1.19's has no inlined calls in wrappers of methods.
    assert!(
        differ.len() * 1000 <= asked,
        "{}: {differ:x?}",
        program.display()
    );
    inlined
}

/// Go's own table and DWARF are made from the same instructions, but by different code.
#[test]
fn inlined_calls_are_those_of_dwarf() {
    let Some(programs) = built() else { return };
    for name in ["plain", "cgo"] {
        let inlined = hold_chains(programs.path(name), 7);
        assert!(inlined > 10_000, "{name}: {inlined}");
    }
}
