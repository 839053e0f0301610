//! Symbols and look-ups, against what Go's own tools, LLVM and binutils say of the same files.

use crate::files::{built, bytes, go, go_version, llvm, scratch};
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::Wanted;
use gotrace::analyze::inspect::symbols::{
    self, Answer, Asked, DebugFile, Symbol, SymbolFacts, Table,
};
use gotrace::binary::Svma;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn data(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/macho");
    folder.join(name)
}

const DSYM: &str = "classic.dSYM/Contents/Resources/DWARF/classic";

/// What is known of the only slice.
fn known(data: &[u8], debug: Option<&[u8]>, asked: &[Asked]) -> SymbolFacts {
    let mut found = Inspection::of(data, Wanted::default()).unwrap();
    let debug = debug.map(|data| DebugFile {
        named: "debug file",
        data,
    });
    symbols::add(&mut found, data, debug, true, asked).unwrap();
    found.slices.remove(0).symbols.unwrap()
}

/// What a command prints when it reads lines.
fn fed(command: &mut Command, lines: &str) -> Option<String> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        println!("skipped: no {command:?}");
        return None;
    };
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

fn is_by(symbol: &Symbol, table: Table) -> bool {
    symbol
        .by
        .iter()
        .any(|by| by.table == table && !by.debug_file)
}

fn by(table: Table, answers: &[Answer]) -> Option<&Answer> {
    answers.iter().find(|answer| answer.by.table == table)
}

#[test]
fn symbols_of_go_are_those_of_its_nm() {
    let Some(files) = built() else {
        return;
    };
    for name in ["arm64", "amd64"] {
        let (_, path) = files.iter().find(|(way, _)| *way == name).unwrap();
        let output = go()
            .args(["tool", "nm", "-size"])
            .arg(path)
            .output()
            .unwrap();
        let listing = String::from_utf8(output.stdout).unwrap();
        // Address, size, kind, name; imports have no address.
        let listed: BTreeSet<(u64, String)> = listing
            .lines()
            .filter_map(|line| {
                let line = line.trim_start();
                let (address, rest) = line.split_once(' ')?;
                let (_size, rest) = rest.trim_start().split_once(' ')?;
                let (_kind, name) = rest.split_once(' ')?;
                Some((u64::from_str_radix(address, 16).ok()?, name.to_owned()))
            })
            .collect();
        assert!(listed.len() > 2000);
        let found = known(&std::fs::read(path).unwrap(), None, &[]);
        assert_eq!(found.unread, Vec::<String>::new());
        let all = found.symbols.unwrap();
        let ours: BTreeSet<(u64, String)> = all
            .iter()
            .filter(|symbol| is_by(symbol, Table::Symbols))
            .map(|symbol| (symbol.start.0, symbol.name.replace(".abi0", "")))
            .collect();
        // Go's nm leaves the low line of Mach-O at names without a dot; calling conventions are not
        // in all tables.
        let plain = |name: String| match name.strip_prefix('_') {
            Some(plain) if !name.contains('.') => plain.to_owned(),
            _ => name.trim_end_matches(".abi0").to_owned(),
        };
        let listed: BTreeSet<_> = listed
            .into_iter()
            .map(|(address, name)| (address, plain(name)))
            .collect();
        let missing: Vec<_> = listed.difference(&ours).take(5).collect();
        let more: Vec<_> = ours.difference(&listed).take(5).collect();
        assert!(
            missing.is_empty() && more.is_empty(),
            "{missing:?} {more:?}"
        );
        // Functions of Go are named alike by all three tables, and have their size from the best.
        let main = all
            .iter()
            .find(|symbol| symbol.name == "main.main")
            .unwrap();
        let tables: Vec<String> = main.by.iter().map(|by| by.to_string()).collect();
        assert_eq!(tables, ["pclntab", "DWARF", "symtab"]);
        assert!(main.file.ends_with("samples/hello/main.go"));
        assert_eq!(main.section.as_ref(), "__TEXT,__text");
    }
}

/// Functions, files and lines of a program are those that `go tool addr2line` has, and those of its
/// DWARF, where it has some. Returns how many addresses lie in inlined calls.
pub(crate) fn hold_lines(path: &Path, dwarf: bool) -> usize {
    let data = std::fs::read(path).unwrap();
    let all = known(&data, None, &[]).symbols.unwrap();
    // The build id and the like are no code.
    let is_code = |one: &&Symbol| is_by(one, Table::Pclntab) && !one.name.starts_with("go:");
    let functions = all.iter().filter(is_code);
    // In the middle of each tenth function, where calls are inlined.
    let addresses: Vec<u64> = functions
        .step_by(10)
        .map(|symbol| symbol.start.0 + symbol.size / 8 * 4)
        .collect();
    let lines: String = addresses.iter().map(|one| format!("{one:#x}\n")).collect();
    let listing = fed(go().args(["tool", "addr2line"]).arg(path), &lines).unwrap();
    let asked: Vec<Asked> = addresses.iter().map(|one| Asked::Address(*one)).collect();
    let found = known(&data, None, &asked);
    let theirs: Vec<&str> = listing.lines().collect();
    let (mut inlined, mut agreed) = (0, 0);
    for (lookup, theirs) in found.lookups.iter().zip(theirs.chunks(2)) {
        let [function, place] = theirs else {
            panic!("{theirs:?}");
        };
        let Some(answer) = by(Table::Pclntab, &lookup.answers) else {
            // Padding: no instruction is there.
            continue;
        };
        assert_eq!(answer.name, *function);
        let inner = &answer.places[0];
        assert_eq!(
            format!("{}:{}", inner.file, inner.line),
            *place,
            "{lookup:?}"
        );
        inlined += usize::from(answer.places.len() > 1);
        assert_eq!(lookup.names().len(), 1, "{lookup:?}");
        // DWARF is made by the same compiler, and read by another reader.
        let by_dwarf = by(Table::Dwarf, &lookup.answers);
        assert_eq!(by_dwarf.is_some(), dwarf, "{lookup:?}");
        agreed += usize::from(by_dwarf.is_some_and(|by_dwarf| by_dwarf.places == answer.places));
    }
    assert!(found.lookups.len() > 100);
    assert!(
        !dwarf || agreed * 10 > found.lookups.len() * 9,
        "{agreed} of {}",
        found.lookups.len()
    );
    inlined
}

#[test]
fn lines_of_go_are_those_of_its_addr2line() {
    let Some(files) = built() else {
        return;
    };
    for name in ["arm64", "amd64", "fixed", "calls"] {
        let (_, path) = files.iter().find(|(way, _)| *way == name).unwrap();
        assert!(hold_lines(path, true) > 10, "{name}");
    }
}

/// Of the package that was compiled without inlining no function has a tree of inlined calls.
#[test]
fn functions_without_inlined_calls_have_lines() {
    let Some(file) = bytes("calls") else {
        return;
    };
    let all = known(&file, None, &[]).symbols.unwrap();
    let own = all.iter().filter(|one| one.name.starts_with("main."));
    let functions: Vec<&Symbol> = own.filter(|one| is_by(one, Table::Pclntab)).collect();
    assert!(!functions.is_empty());
    for function in functions {
        let asked = (0..function.size)
            .step_by(4)
            .map(|into| Asked::Address(function.start.0 + into))
            .collect::<Vec<_>>();
        for lookup in known(&file, None, &asked).lookups {
            if let Some(answer) = by(Table::Pclntab, &lookup.answers) {
                assert_eq!(answer.places.len(), 1, "{answer:?}");
                assert!(answer.places[0].file.ends_with("samples/hello/main.go"));
            }
        }
    }
}

/// Go's compiler writes DWARF 4 for a Mac, unless it is told otherwise.
#[test]
fn dwarf_5_of_go_has_its_lines() {
    let Some(version) = go_version() else {
        println!("skipped: no go on PATH");
        return;
    };
    let minor = version
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse().ok());
    if minor.is_some_and(|minor: u32| minor < 25) {
        println!("skipped: {version} has no DWARF 5");
        return;
    }
    let folder = scratch().join(&version).join("dwarf");
    std::fs::create_dir_all(&folder).unwrap();
    let source = folder.join("main.go");
    std::fs::write(
        &source,
        "package main\n\nfunc main() { println(len(\"five\")) }\n",
    )
    .unwrap();
    for (experiment, version) in [("nodwarf5", 4), ("dwarf5", 5)] {
        let program = folder.join(experiment);
        let output = go()
            .current_dir(&folder)
            .envs([
                ("GOOS", "darwin"),
                ("GOARCH", "arm64"),
                ("GOEXPERIMENT", experiment),
            ])
            .args(["build", "-ldflags=-compressdwarf=false", "-o"])
            .args([&program, &source])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert!(hold_lines(&program, true) > 10);
        let Some(listing) = llvm("llvm-dwarfdump", &["--debug-info"], &program) else {
            return;
        };
        let units = listing
            .lines()
            .filter(|line| line.contains("Compile Unit:"));
        let wanted = format!("version = 0x{version:04x}");
        assert!(units.clone().count() > 5 && units.clone().all(|unit| unit.contains(&wanted)));
    }
}

#[test]
fn a_dsym_has_files_and_lines() {
    let file = std::fs::read(data("classic")).unwrap();
    let debug = std::fs::read(data(DSYM)).unwrap();
    let found = known(&file, Some(&debug), &[]);
    assert_eq!(found.unread, Vec::<String>::new());
    let rows: Vec<(String, String, u32)> = found
        .symbols
        .unwrap()
        .into_iter()
        .filter(|symbol| symbol.by.iter().any(|by| by.table == Table::Dwarf))
        .map(|symbol| (symbol.name, symbol.file.to_string(), symbol.line))
        .collect();
    let row = |name: &str, line| (name.to_owned(), "/src/prog.c".to_owned(), line);
    // The lines of the source at which they begin; `twice` is only inlined.
    assert_eq!(rows, [row("main", 13), row("square", 6)]);

    // Each place of main and square, by another reader.
    let addresses: Vec<u64> = (0x1_0000_1628..0x1_0000_16b8).step_by(4).collect();
    let lines: String = addresses.iter().map(|one| format!("{one:#x}\n")).collect();
    let mut symbolizer = Command::new("llvm-symbolizer");
    let symbolizer = symbolizer.arg("--inlining").arg("--obj").arg(data(DSYM));
    let Some(listing) = fed(symbolizer, &lines) else {
        return;
    };
    let asked: Vec<Asked> = addresses.iter().map(|one| Asked::Address(*one)).collect();
    let lookups = known(&file, Some(&debug), &asked).lookups;
    let listing: Vec<&str> = listing.trim_end().split("\n\n").collect();
    assert_eq!(listing.len(), lookups.len());
    let mut inlined = 0;
    for (lookup, theirs) in lookups.iter().zip(listing) {
        let dwarf = by(Table::Dwarf, &lookup.answers).unwrap();
        let ours: Vec<String> = dwarf
            .places
            .iter()
            .map(|place| format!("{} {}:{}", place.function, place.file, place.line))
            .collect();
        let lines: Vec<&str> = theirs.lines().collect();
        let theirs: Vec<String> = lines
            .chunks(2)
            .map(|pair| format!("{} {}", pair[0], pair[1].rsplit_once(':').unwrap().0))
            .collect();
        assert_eq!(ours, theirs);
        inlined += usize::from(ours.len() == 2);
        // Exports do not reach into what is private.
        let names: Vec<&str> = lookup.names().into_iter().collect();
        assert_eq!(names, [ours.last().unwrap().split(' ').next().unwrap()]);
    }
    assert!(inlined > 3, "{inlined}");
}

/// Nothing lies behind it, which is where a look-up of a range would end.
#[test]
fn the_last_address_has_no_lines() {
    use gotrace::binary::Svma;
    use gotrace::binary::dwarf::DebugSections;
    let debug = std::fs::read(data(DSYM)).unwrap();
    let sections = DebugSections::of(&debug).unwrap();
    let dwarf = sections.dwarf().unwrap();
    assert_eq!(dwarf.lines(Svma(u64::MAX)).unwrap(), []);
}

#[test]
fn a_dsym_of_another_build_is_refused() {
    let file = std::fs::read(data("classic")).unwrap();
    let mut debug = std::fs::read(data(DSYM)).unwrap();
    let uuid = debug
        .windows(8)
        .position(|bytes| bytes == [0x1b, 0, 0, 0, 24, 0, 0, 0]);
    debug[uuid.unwrap() + 8] ^= 0xff;
    let found = known(&file, Some(&debug), &[]);
    assert_eq!(found.debug_file, None);
    assert!(found.unread[0].starts_with("debug file: of another build: expected "));
    assert!(found.tables.iter().all(|(by, _)| !by.debug_file));
}

/// Stripped files have no more than where functions begin.
#[test]
fn function_starts_are_those_of_objdump() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/fixtures/markupsafe-3.0.2/markupsafe");
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("skipped: no extension modules: scripts/fetch-fixtures");
        return;
    };
    let path = entries.map(|entry| entry.unwrap().path()).next().unwrap();
    let Some(listing) = llvm(
        "llvm-objdump",
        &["--macho", "--arch=all", "--function-starts"],
        &path,
    ) else {
        return;
    };
    let known: Vec<u64> = listing
        .lines()
        .filter_map(|line| u64::from_str_radix(line.trim(), 16).ok())
        .collect();
    assert_eq!(known.len(), 4, "{listing}");
    let data = std::fs::read(&path).unwrap();
    let mut found = Inspection::of(&data, Wanted::default()).unwrap();
    symbols::add(&mut found, &data, None, true, &[]).unwrap();
    let slices = found
        .slices
        .iter()
        .map(|slice| slice.symbols.as_ref().unwrap());
    let ours: Vec<u64> = slices
        .flat_map(|facts| facts.symbols.as_ref().unwrap())
        .filter(|symbol| is_by(symbol, Table::FunctionStarts))
        .map(|symbol| symbol.start.0)
        .collect();
    assert_eq!(ours.iter().collect::<BTreeSet<_>>(), known.iter().collect());
}

/// A program and an object of this machine, by the system's compiler.
fn compiled(name: &str, arguments: &[&str]) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let status = Command::new("gcc")
        .args(["-g", "-O1", "-o"])
        .arg(&program)
        .args(arguments)
        .arg(data("prog.c"))
        .status()
        .unwrap();
    assert!(status.success());
    program
}

#[test]
fn symbols_of_elf_are_those_of_nm() {
    for (name, arguments) in [("prog-elf", &[][..]), ("prog-elf.o", &["-c"][..])] {
        let path = compiled(name, arguments);
        let output = Command::new("nm")
            .arg("--defined-only")
            .arg(&path)
            .output()
            .unwrap();
        let listing = String::from_utf8(output.stdout).unwrap();
        let theirs: BTreeSet<(u64, &str)> = listing
            .lines()
            .filter_map(|line| {
                let [address, kind, name] = line.split(' ').collect::<Vec<_>>()[..] else {
                    return None;
                };
                let address = u64::from_str_radix(address, 16).ok()?;
                (kind != "a").then_some((address, name))
            })
            .collect();
        let data = std::fs::read(&path).unwrap();
        let found = known(
            &data,
            None,
            &[Asked::Address(0), Asked::Name("main".to_owned())],
        );
        let all = found.symbols.unwrap();
        let ours = all.iter().filter(|symbol| is_by(symbol, Table::Symbols));
        let ours: BTreeSet<(u64, &str)> = ours
            .map(|symbol| (symbol.start.0, symbol.name.as_str()))
            .collect();
        assert_eq!(ours, theirs);
        let main = &found.lookups[1].answers;
        assert_eq!(all.iter().filter(|one| one.name == "main").count(), 1);
        if name.ends_with(".o") {
            assert!(found.lookups[0].refused.is_some());
            assert!(found.unread[0].starts_with("DWARF: its addresses are put in when"));
            let square = all.iter().find(|symbol| symbol.name == "square").unwrap();
            assert_eq!((square.start, square.section.as_ref()), (Svma(0), ".text"));
        } else {
            let dwarf = by(Table::Dwarf, main).unwrap();
            let symbol = by(Table::Symbols, main).unwrap();
            assert_eq!((dwarf.start, dwarf.end), (symbol.start, symbol.end));
            assert_eq!(dwarf.places[0].line, 13);
            assert!(dwarf.places[0].file.ends_with("tests/data/macho/prog.c"));
        }
    }
}

#[test]
fn what_is_nearly_a_name_is_told() {
    let Some(file) = bytes("stripped") else {
        return;
    };
    let found = known(&file, None, &[Asked::Name("mallocgc".to_owned())]);
    let lookup = &found.lookups[0];
    assert!(lookup.answers.is_empty());
    assert_eq!(lookup.near[0], "runtime.mallocgc");
    // Go's table is all that strip leaves, with lines.
    let main = known(&file, None, &[Asked::Name("main.main".to_owned())]).lookups;
    assert_eq!(main[0].answers.len(), 1);
    assert!(main[0].answers[0].places[0].file.ends_with("main.go"));
}

#[test]
fn exit_codes_tell_whether_it_was_found() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_gotrace"))
            .arg("inspect")
            .args(arguments)
            .arg(data("classic"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text)
    };
    let (code, text) = run(&["--lookup", "square", "--lookup", "0x100001628"]);
    assert_eq!(code, Some(0), "{text}");
    // The dSYM beside it is found.
    assert!(text.contains("debug file's DWARF"), "{text}");
    assert!(text.contains("/src/prog.c:13"), "{text}");
    assert_eq!(run(&["--lookup", "square", "--lookup", "cube"]).0, Some(1));
    assert_eq!(run(&["--lookup", "0xzz"]).0, Some(2));
    let (code, text) = run(&["--symbols"]);
    assert_eq!(code, Some(0));
    assert_eq!(text.matches("[symtab").count(), 11, "{text}");
    let (_, json) = run(&["--symbols", "--json", "--lookup", "square"]);
    assert_eq!(json, "", "--symbols and --lookup exclude each other");
}
