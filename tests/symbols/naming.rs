//! Names of frames, from the trace that they were written to, against binutils and Go's own
//! `addr2line`.

use crate::programs::{binutils, built, go_tool, hex, output_of, output_with};
use crate::recording::{Names, Recording, names_of};
use gotrace::symbolize;
use gotrace::trace::{
    Avma, FramePlace, FrameRole, Image, ImageKind, ImageOffset, MadeFrom, Trace, Unnamed,
};
use object::{Object as _, ObjectSegment as _};
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Names of one frame at `offset`.
fn name_one(path: &Path, offset: u64) -> Names {
    let mut recording = Recording::of_file(path);
    recording.offset(offset, FrameRole::Executing);
    recording.named(None).remove(0)
}

/// A program made of `naming.c`.
fn c_program(folder: &Path, arguments: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/symbols/naming.c");
    let program = folder.join("naming");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-o"]).arg(&program).arg(source);
    output_of(gcc.args(arguments));
    program
}

/// Functions of a symbol table that have a size: start, end, name.
fn functions(program: &Path, arguments: &[&str]) -> Vec<(u64, u64, String)> {
    let listing = binutils("nm", arguments, program);
    let lines = listing.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [start, size, "T" | "t", name] => {
                let name = name.split('@').next().unwrap();
                Some((hex(start), hex(start) + hex(size), name.to_owned()))
            }
            _ => None,
        }
    });
    lines.collect()
}

/// Offset in the file of an address, as `object` has it.
fn offset_of(program: &[u8], address: u64) -> u64 {
    let file = object::File::parse(program).unwrap();
    let segment = file.segments().find(|segment| {
        (segment.address()..segment.address() + segment.file_range().1).contains(&address)
    });
    let segment = segment.unwrap_or_else(|| panic!("{address:#x} is in no segment"));
    address - segment.address() + segment.file_range().0
}

/// What binutils has at each address, in the form of [`Names`].
fn addr2line(program: &Path, addresses: &[u64]) -> Vec<Vec<(String, String, u32)>> {
    let mut input = String::new();
    for address in addresses {
        writeln!(input, "{address:#x}").unwrap();
    }
    let mut command = Command::new("addr2line");
    command.env("LC_ALL", "C").args(["-a", "-i", "-f", "-e"]);
    let output = output_with(command.arg(program), &input);
    let mut found: Vec<Vec<(String, String, u32)>> = Vec::new();
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("0x") {
            found.push(Vec::new());
            continue;
        }
        let place = lines.next().unwrap().split(" (").next().unwrap();
        let (file, line_number) = place.rsplit_once(':').unwrap();
        let names = found.last_mut().unwrap();
        let known = line_number.parse().ok();
        // For a local symbol without debug information it prints the name of the source file.
        let file = known.map_or("", |_: u32| file);
        names.push((line.into(), file.into(), known.unwrap_or(0)));
    }
    assert_eq!(found.len(), addresses.len());
    found
}

/// Every byte of every function that `nm` lists has the names that `addr2line` prints.
fn hold_c(program: &Path, oracle: &Path) -> usize {
    let bytes = std::fs::read(program).unwrap();
    let functions = functions(oracle, &["-S", "--defined-only"]);
    let code = functions.iter().flat_map(|(start, end, _)| *start..*end);
    let addresses: Vec<u64> = code.collect();
    let mut recording = Recording::of_file(program);
    for &address in &addresses {
        recording.offset(offset_of(&bytes, address), FrameRole::Executing);
    }
    let expected = addr2line(oracle, &addresses);
    for ((address, found), expected) in addresses.iter().zip(recording.named(None)).zip(expected) {
        assert_eq!(found, Ok(expected), "{address:#x}");
    }
    addresses.len()
}

#[test]
fn c_is_named_as_by_addr2line() {
    for arguments in [
        &["-g"][..],
        &["-g", "-no-pie"],
        &["-g", "-gdwarf-4"],
        &["-g", "-gz"],
        &[],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let program = c_program(folder.path(), arguments);
        assert!(hold_c(&program, &program) > 200, "{arguments:?}");
    }
}

#[test]
fn inlined_calls_are_frames_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let program = c_program(folder.path(), &["-g"]);
    let bytes = std::fs::read(&program).unwrap();
    let work = functions(&program, &["-S"]);
    let (start, end, _) = work.iter().find(|(_, _, name)| name == "work").unwrap();
    let mut recording = Recording::of_file(&program);
    for address in *start..*end {
        recording.offset(offset_of(&bytes, address), FrameRole::Executing);
    }
    let chains: Vec<Vec<String>> = recording
        .named(None)
        .into_iter()
        .map(|names| {
            names
                .unwrap()
                .into_iter()
                .map(|(name, _, _)| name)
                .collect()
        })
        .collect();
    assert!(chains.contains(&["twice", "four_times", "work"].map(str::to_owned).to_vec()));
    assert!(chains.iter().all(|chain| chain.last().unwrap() == "work"));
}

/// A call at a function's end returns to what lies behind it.
#[test]
fn callers_are_looked_up_before_the_return_address() {
    let folder = tempfile::tempdir().unwrap();
    let program = c_program(folder.path(), &["-falign-functions=1"]);
    let bytes = std::fs::read(&program).unwrap();
    let functions = functions(&program, &["-S"]);
    let next = |end| functions.iter().find(|(start, _, _)| *start == end);
    let touching = functions
        .iter()
        .filter_map(|(_, end, name)| Some((*end, name, &next(*end)?.2)));
    let named = |name: &str| Ok(vec![(name.to_owned(), String::new(), 0)]);
    let mut count = 0;
    for (end, name, next) in touching {
        let mut recording = Recording::of_file(&program);
        recording.offset(offset_of(&bytes, end), FrameRole::Return);
        recording.offset(offset_of(&bytes, end), FrameRole::Executing);
        assert_eq!(recording.named(None), [named(name), named(next)]);
        count += 1;
    }
    assert!(
        count > 0,
        "without alignment functions touch: {functions:?}"
    );
}

#[test]
fn stripped_programs_are_named_from_the_file_they_are_linked_to() {
    for debug_folder in ["", ".debug"] {
        let folder = tempfile::tempdir().unwrap();
        let program = c_program(folder.path(), &["-g", "-Wl,--build-id=none"]);
        let whole = folder.path().join("whole");
        std::fs::copy(&program, &whole).unwrap();
        let (start, _, _) = functions(&whole, &["-S"])
            .into_iter()
            .find(|(_, _, name)| name == "work")
            .unwrap();
        let start = offset_of(&std::fs::read(&program).unwrap(), start);
        let debug = folder.path().join(debug_folder).join("naming.debug");
        std::fs::create_dir_all(debug.parent().unwrap()).unwrap();
        let objcopy = |option: &str, from: &Path| {
            output_of(Command::new("objcopy").arg(option).arg(from));
        };
        output_of(
            Command::new("objcopy")
                .arg("--only-keep-debug")
                .args([&program, &debug]),
        );
        output_of(Command::new("strip").arg(&program));
        assert_eq!(name_one(&program, start), Err(Unnamed::Stripped));
        objcopy(
            &format!("--add-gnu-debuglink={}", debug.display()),
            &program,
        );
        assert!(hold_c(&program, &whole) > 200);
        // Another file of that name is not believed.
        let mut other = std::fs::read(&debug).unwrap();
        *other.last_mut().unwrap() ^= 1;
        std::fs::write(&debug, other).unwrap();
        assert_eq!(name_one(&program, start), Err(Unnamed::Stripped));
    }
}

/// In a program of Go and C, Go is named by Go's table and C by DWARF or symbols.
#[test]
fn go_and_c_in_one_program_are_named_each_from_its_own() {
    let Some(programs) = built() else { return };
    let program = programs.path("cgo");
    let bytes = std::fs::read(program).unwrap();
    let all = functions(program, &["-S"]);
    let middles: Vec<u64> = all
        .iter()
        .map(|(start, end, _)| (start + end) / 2)
        .collect();
    let mut recording = Recording::of_file(program);
    for &address in &middles {
        recording.offset(offset_of(&bytes, address), FrameRole::Executing);
    }
    let mut input = String::new();
    for address in &middles {
        writeln!(input, "{address:#x}").unwrap();
    }
    let go = go_tool("addr2line", &[], program, &input);
    let go: Vec<&str> = go.lines().collect();
    let c = addr2line(program, &middles);
    let mut counts = (0, 0);
    for (index, found) in recording.named(None).into_iter().enumerate() {
        let (address, name) = (middles[index], &all[index].2);
        let Ok(found) = found else {
            panic!("{address:#x}: {name} has no name: {found:?}");
        };
        let outermost = found.last().unwrap();
        // Go's tool prints a function, a file with a line; "?" for what Go's table lacks.
        let (function, place) = (go[2 * index], go[2 * index + 1]);
        if function == "?" || place.starts_with('?') {
            counts.1 += 1;
            let expected = c[index].last().unwrap();
            // DWARF knows that a compiler's `f.cold` and `f.part.0` are pieces of f.
            let whole = name.split('.').next().unwrap();
            assert_eq!(outermost.0, whole, "{address:#x}");
            // binutils 2.40 finds no line in some units beside Go's DWARF 5.
            if expected.2 != 0 {
                assert_eq!(outermost.2, expected.2, "{address:#x}: line in {name}");
            }
        } else {
            counts.0 += 1;
            let (file, line) = place.rsplit_once(':').unwrap();
            // Behind the last function lies padding without a line: -1.
            let line = if line == "-1" { "0" } else { line };
            assert_eq!(found[0].2.to_string(), line, "{address:#x}: line in {name}");
            assert!(
                file.ends_with(found[0].1.trim_start_matches("./")),
                "{file}: {found:?}"
            );
        }
    }
    assert!(counts.0 > 1000, "Go functions: {counts:?}");
    assert!(counts.1 > 5, "C functions: {counts:?}");
}

/// A goroutine that has not run yet goes on where its function begins; no call is before it.
#[test]
fn where_a_go_function_begins_nothing_returns_to() {
    let Some(programs) = built() else { return };
    let program = programs.path("cgo");
    let bytes = std::fs::read(program).unwrap();
    let mut plain = functions(program, &["-S"]);
    plain.retain(|(_, _, name)| name.starts_with("runtime.") && !name.ends_with(".abi0"));
    let mut recording = Recording::of_file(program);
    for (start, _, _) in &plain {
        recording.offset(offset_of(&bytes, *start), FrameRole::Return);
        recording.offset(offset_of(&bytes, *start) + 1, FrameRole::Return);
    }
    let found = recording.named(None);
    assert!(plain.len() > 1000, "{}", plain.len());
    for ((_, _, name), found) in plain.iter().zip(found.chunks(2)) {
        let outermost = found
            .iter()
            .map(|names| &names.as_ref().unwrap().last().unwrap().0);
        assert!(outermost.eq([name, name]), "{name}: {found:?}");
    }
}

#[test]
fn code_of_the_vdso_is_named_from_the_running_kernel() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let Some(line) = maps.lines().find(|line| line.ends_with("[vdso]")) else {
        println!("skipped: this kernel maps no vdso");
        return;
    };
    let (range, _) = line.split_once(' ').unwrap();
    let (start, end) = range.split_once('-').unwrap();
    let mut bytes = vec![0; usize::try_from(hex(end) - hex(start)).unwrap()];
    let memory = File::open("/proc/self/mem").unwrap();
    memory.read_exact_at(&mut bytes, hex(start)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("vdso");
    std::fs::write(&copy, bytes).unwrap();

    let functions = functions(&copy, &["-D", "-S"]);
    assert!(!functions.is_empty());
    let mut recording = Recording::of(Path::new("[vdso]"), ImageKind::Kernel, &[]);
    for (start, _, _) in &functions {
        recording.offset(*start, FrameRole::Executing);
    }
    for ((_, _, name), found) in functions.iter().zip(recording.named(None)) {
        assert_eq!(found, Ok(vec![(name.clone(), String::new(), 0)]));
    }
}

#[test]
fn what_has_no_name_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let program = c_program(folder.path(), &["-Wl,--build-id=0x0102"]);
    let text = folder.path().join("text");
    std::fs::write(&text, "#!/bin/sh\n").unwrap();
    let size = std::fs::metadata(&program).unwrap().len();
    let file = |path: &Path| Recording::of_file(path);
    let kind = |kind, path: &str| Recording::of(Path::new(path), kind, &[]);
    let id = |id: &[u8]| Recording::of(&program, ImageKind::File, id);
    let at = |offset| (FrameRole::Executing, offset);
    let main = functions(&program, &["-S"]);
    let main = main.iter().find(|(_, _, name)| name == "main").unwrap().0;
    let main = offset_of(&std::fs::read(&program).unwrap(), main);
    for (mut recording, (role, offset), expected) in [
        (
            file(&folder.path().join("none")),
            at(main),
            Unnamed::FileGone,
        ),
        (file(folder.path()), at(main), Unnamed::FileGone),
        (file(&text), at(0), Unnamed::BadFile),
        (id(&[1, 3]), at(main), Unnamed::FileChanged),
        (file(&program), at(size + 1), Unnamed::NoSymbol),
        // The ELF header.
        (file(&program), at(8), Unnamed::NoSymbol),
        (kind(ImageKind::Anonymous, ""), at(main), Unnamed::Jit),
        (
            kind(ImageKind::Kernel, "[vsyscall]"),
            at(0),
            Unnamed::Kernel,
        ),
    ] {
        recording.offset(offset, role);
        assert_eq!(recording.named(None), [Err(expected)]);
    }
    let mut recording = id(&[1, 2]);
    recording.offset(main, FrameRole::Executing);
    recording.ask(FramePlace::Unmapped(Avma(4096)), FrameRole::Return);
    recording.ask(FramePlace::Kernel(Avma(u64::MAX)), FrameRole::Return);
    recording.ask(FramePlace::Truncated, FrameRole::Return);
    let named = recording.named(None);
    assert_eq!(named[0], Ok(vec![("main".into(), String::new(), 0)]));
    let reasons = [Unnamed::Unmapped, Unnamed::Kernel, Unnamed::Truncated];
    assert_eq!(named[1..], reasons.map(Err));
}

/// A file that was written to since it was mapped is another one, unless it was held open.
#[test]
fn a_replaced_program_is_not_taken_for_what_ran() {
    let folder = tempfile::tempdir().unwrap();
    let program = c_program(folder.path(), &["-Wl,--build-id=none"]);
    let main = functions(&program, &["-S"]);
    let main = main.iter().find(|(_, _, name)| name == "main").unwrap().0;
    let main = offset_of(&std::fs::read(&program).unwrap(), main);
    let recording = || {
        let mut recording = Recording::of_file(&program);
        recording.offset(main, FrameRole::Executing);
        recording
    };
    let named = [Ok(vec![("main".to_owned(), String::new(), 0)])];
    assert_eq!(recording().named(None), named);
    let (before, held) = (recording(), File::open(&program).unwrap());
    std::fs::remove_file(&program).unwrap();
    assert_eq!(before.named(Some(held.try_clone().unwrap())), named);
    c_program(folder.path(), &["-Wl,--build-id=none"]);
    let later = SystemTime::now() + Duration::from_secs(60);
    File::open(&program).unwrap().set_modified(later).unwrap();
    assert_eq!(recording().named(None), [Err(Unnamed::FileChanged)]);
    assert_eq!(recording().named(Some(held)), named);
}

/// A trace whose recorder was killed is named when it is read, as it would have been.
#[test]
fn an_unsealed_trace_is_named_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let program = c_program(folder.path(), &["-g", "-Wl,--build-id=0x0102"]);
    let bytes = std::fs::read(&program).unwrap();
    let ask = |build_id: &[u8]| {
        let mut recording = Recording::of(&program, ImageKind::File, build_id);
        for (start, end, _) in functions(&program, &["-S"]) {
            for address in start..end {
                recording.offset(offset_of(&bytes, address), FrameRole::Return);
            }
        }
        recording.ask(FramePlace::Truncated, FrameRole::Return);
        recording
    };
    let killed = |build_id: &[u8]| {
        let mut killed = ask(build_id);
        killed.writer.flush().unwrap();
        Trace::open(&killed.path()).unwrap()
    };
    let mut trace = killed(&[1, 2]);
    assert!(
        names_of(&trace)
            .iter()
            .all(|names| *names == Err(Unnamed::NotLookedUp))
    );
    symbolize::fill(&mut trace);
    assert_eq!(names_of(&trace), ask(&[1, 2]).named(None));
    // Perhaps on another machine: what has no build id may be another program.
    let mut unsure = killed(&[]);
    symbolize::fill(&mut unsure);
    let names = names_of(&unsure);
    let (truncated, rest) = names.split_last().unwrap();
    assert_eq!(*truncated, Err(Unnamed::Truncated));
    assert!(rest.iter().all(|names| *names == Err(Unnamed::FileChanged)));
}

/// Go's linker alone leaves no build id that the kernel reads, up to 1.23; Go's own is one, too.
#[test]
fn a_go_program_is_known_by_its_own_build_id() {
    let Some(programs) = built() else { return };
    let program = programs.path("plain");
    let id = go_tool("buildid", &[], program, "");
    let bytes = std::fs::read(program).unwrap();
    let main = functions(program, &["-S"]);
    let main = main.iter().find(|(_, _, name)| name == "main.main");
    let main = main.unwrap().0;
    for (id, named) in [(id.trim_end(), true), ("another", false)] {
        let mut recording = Recording::of(program, ImageKind::File, id.as_bytes());
        recording.offset(offset_of(&bytes, main), FrameRole::Executing);
        let found = recording.named(None).remove(0);
        match named {
            true => assert_eq!(found.unwrap()[0].0, "main.main"),
            false => assert_eq!(found, Err(Unnamed::FileChanged)),
        }
    }
}

/// Code that was made while a program ran has the names of what it was made from, and where that is
/// not known, none.
#[test]
fn made_code_is_named_by_what_it_was_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let program = c_program(folder.path(), &["-g", "-Wl,--build-id=0x0102"]);
    let bytes = std::fs::read(&program).unwrap();
    let (start, _, name) = functions(&program, &["-S"]).swap_remove(0);
    let mut recording = Recording::of(&program, ImageKind::File, &[1, 2]);
    let made = Image {
        kind: ImageKind::Anonymous,
        ..Image::default()
    };
    let made = recording.writer.image(&made);
    let mut at = |offset| {
        let place = FramePlace::Image(made, ImageOffset(offset));
        recording.ask(place, FrameRole::Return)
    };
    let [code, function, _unknown] = [0x10, 0x20, 0x30].map(&mut at);
    let first = FramePlace::Image(recording.image, ImageOffset(offset_of(&bytes, start)));
    recording.origins = vec![
        (code, MadeFrom::Code(first)),
        (function, MadeFrom::Function(b"main.f".to_vec())),
    ];
    let names = recording.named(None);
    assert_eq!(names[0].as_ref().unwrap()[0].0, name);
    assert_eq!(names[1], Ok(vec![("main.f".into(), String::new(), 0)]));
    assert_eq!(names[2], Err(Unnamed::Jit));
}
