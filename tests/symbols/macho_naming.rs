//! Names of frames in programs for Macs, loaded at several slides, against what `go tool addr2line` and
//! LLVM read from the same files.

use crate::programs::{go, hex, output_of, output_with, scratch, shared};
use crate::recording::{Names, Recording};
use gotrace::trace::{
    Arch, Avma, FrameRole, ImageKind, ImageOffset, Mapping, Nanos, ProcessId, Record, Unnamed,
};
use object::{Object as _, ObjectSection as _, ObjectSegment as _};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How far images lie from where they are stated: in different processes, by chance.
const SLIDES: [u64; 3] = [0, 0x4a0_0000, 0x1_2c5f_4000];

/// One of LLVM's tools; `None` where it is not installed.
fn llvm(tool: &str) -> Option<Command> {
    let found = Path::new("/usr/bin").join(tool);
    if !found.exists() {
        println!("skipped: no {tool}: scripts/setup --for test");
        return None;
    }
    Some(Command::new(found))
}

/// zig's compiler of C for an architecture; `None` where it is not fetched.
fn zig_cc(arch: &str) -> Option<Command> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/fixtures");
    let zig = fixtures.join("zig-0.17.1/ziglang/zig");
    if !zig.is_file() {
        println!("skipped: no zig: scripts/fetch-fixtures");
        return None;
    }
    let mut command = Command::new(zig);
    command
        .env("ZIG_GLOBAL_CACHE_DIR", shared("zig"))
        .env("ZIG_LOCAL_CACHE_DIR", shared("zig"))
        .args(["cc", "-target", &format!("{arch}-macos.13.0")]);
    Some(command)
}

/// A program of C, `naming.c`, with its dSYM beside it.
fn c_program(folder: &Path, arch: &str) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/symbols/naming.c");
    let (object, program) = (folder.join("naming.o"), folder.join(arch));
    let mut compile = zig_cc(arch)?;
    output_of(
        compile
            .args(["-O2", "-g", "-c", "-o"])
            .args([&object, &source]),
    );
    output_of(zig_cc(arch)?.args(["-g", "-o"]).args([&program, &object]));
    output_of(llvm("dsymutil-14")?.arg(&program));
    Some(program)
}

/// What is known of a thin file by the `object` crate: UUID, stated address of its first byte, and where
/// its machine code is.
struct Stated {
    /// Empty where there is none.
    uuid: Vec<u8>,
    header: u64,
    text: std::ops::Range<u64>,
}

fn stated(path: &Path) -> Stated {
    let bytes = std::fs::read(path).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let header = file
        .segments()
        .find(|segment| segment.name().unwrap() == Some("__TEXT"));
    let text = file.section_by_name("__text").unwrap();
    Stated {
        uuid: file.mach_uuid().unwrap().map_or_else(Vec::new, Vec::from),
        header: header.unwrap().address(),
        text: text.address()..text.address() + text.size(),
    }
}

/// The names of stated addresses in a program that was loaded so much further on.
fn named(path: &Path, of: &Stated, uuid: &[u8], slide: u64, addresses: &[u64]) -> Vec<Names> {
    let mut recording = Recording::of(path, ImageKind::File, uuid);
    let mapping = Mapping {
        time: Nanos(1),
        process: ProcessId(0),
        image: recording.image,
        start: Avma(of.header + slide),
        end: Avma(of.text.end + slide),
        offset: ImageOffset(0),
    };
    recording.writer.record(Record::Mapping(mapping)).unwrap();
    for address in addresses {
        let actual = address + slide;
        let offset = mapping.offset.0 + (actual - mapping.start.0);
        recording.offset(offset, FrameRole::Executing);
    }
    recording.named(None)
}

/// `go build` of a sample for macOS.
fn go_program(name: &str, arch: &str, arguments: &[&str]) -> Option<PathBuf> {
    let folder = scratch().join("macho");
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join(name);
    let Some(mut go) = go() else {
        println!("skipped: no go on PATH");
        return None;
    };
    go.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/hello"))
        .env("GOOS", "darwin")
        .env("GOARCH", arch)
        .env("CGO_ENABLED", "0")
        .args(["build", "-buildvcs=false", "-o"])
        .arg(&program)
        .args(arguments)
        .arg(".");
    output_of(&mut go);
    Some(program)
}

/// Each address has the function, the file and the line that Go's own tool prints; how many are inlined.
fn hold_go(path: &Path, oracle: &Path, uuid: &[u8], slide: u64) -> usize {
    let of = stated(oracle);
    let step = usize::try_from((of.text.end - of.text.start) / 4000 * 4).unwrap();
    let addresses: Vec<u64> = of.text.clone().step_by(step).collect();
    let input = addresses.iter().fold(String::new(), |mut input, address| {
        writeln!(input, "{address:#x}").unwrap();
        input
    });
    let mut addr2line = go().unwrap();
    let output = output_with(addr2line.args(["tool", "addr2line"]).arg(oracle), &input);
    let theirs: Vec<&str> = output.lines().collect();
    let found = named(path, &of, uuid, slide, &addresses);
    let (mut known, mut inlined) = (0, 0);
    for ((address, found), theirs) in addresses.iter().zip(&found).zip(theirs.chunks(2)) {
        let [function, place] = theirs else {
            panic!("{theirs:?}");
        };
        // Padding has no line, and what is no function no name.
        if *function == "?" || place.starts_with('?') || place.ends_with(":-1") {
            continue;
        }
        let found = found
            .as_ref()
            .unwrap_or_else(|why| panic!("{address:#x}: {why}"));
        // Type arguments are shown shorter than linkers have them.
        let plain = |name: &str| name.split('[').next().unwrap().to_owned();
        assert_eq!(
            plain(&found.last().unwrap().0),
            plain(function),
            "{address:#x}"
        );
        let (_, file, line) = &found[0];
        assert_eq!(
            format!("{file}:{line}"),
            *place,
            "{address:#x} in {function}"
        );
        known += 1;
        inlined += usize::from(found.len() > 1);
    }
    assert!(known > 500, "{known} of {}", addresses.len());
    inlined
}

#[test]
fn go_is_named_as_by_its_addr2line_wherever_it_is_loaded() {
    let ways: [(&str, &str, &[&str]); 4] = [
        ("arm64", "arm64", &[]),
        ("amd64", "amd64", &[]),
        ("stripped", "arm64", &["-ldflags=-s -w", "-trimpath"]),
        ("pie", "amd64", &["-buildmode=pie", "-ldflags=-s"]),
    ];
    for ((name, arch, arguments), slide) in ways.into_iter().zip(SLIDES.into_iter().cycle()) {
        let Some(program) = go_program(name, arch, arguments) else {
            return;
        };
        let uuid = stated(&program).uuid;
        assert!(hold_go(&program, &program, &uuid, slide) > 10, "{name}");
    }
}

/// The compiler of the official toolchains for Macs: stripped of DWARF, and signed.
#[test]
fn official_go_tools_are_named_as_by_addr2line() {
    for arch in ["arm64", "amd64"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/fixtures");
        let tools = format!("go-1.27.3-darwin-{arch}/go/pkg/tool/darwin_{arch}");
        let compile = root.join(tools).join("compile");
        if go().is_none() || !compile.is_file() {
            println!("skipped: no go on PATH, or no official toolchain: scripts/fetch-fixtures");
            return;
        }
        let uuid = stated(&compile).uuid;
        assert!(hold_go(&compile, &compile, &uuid, SLIDES[1]) > 10, "{arch}");
    }
}

/// What `llvm-symbolizer` has at each address, in the form of [`Names`].
fn symbolizer(program: &Path, addresses: &[u64]) -> Option<Vec<Names>> {
    let input = addresses.iter().fold(String::new(), |mut input, address| {
        writeln!(input, "{address:#x}").unwrap();
        input
    });
    let mut command = llvm("llvm-symbolizer-14")?;
    let of = format!("--obj={}", program.display());
    let output = output_with(command.args(["-i", "--no-demangle", &of]), &input);
    let groups = output.trim_end().split("\n\n").map(|group| {
        let lines: Vec<&str> = group.lines().collect();
        let names = lines.chunks(2).map(|lines| {
            // FILE:LINE:COLUMN
            let mut place = lines[1].rsplitn(3, ':');
            let line = place.nth(1).unwrap().parse().unwrap();
            let file = place.next().unwrap().replace("??", "");
            (lines[0].to_owned(), file, line)
        });
        let names: Vec<_> = names.collect();
        match names[0].0.as_str() {
            "??" => Err(Unnamed::NoSymbol),
            _ => Ok(names),
        }
    });
    let groups: Vec<Names> = groups.collect();
    assert_eq!(groups.len(), addresses.len());
    Some(groups)
}

/// Every address from the first function to what lies behind the last one.
fn all(of: &Stated) -> Vec<u64> {
    (of.text.start..of.text.end + 24).step_by(4).collect()
}

#[test]
fn c_is_named_as_by_llvm_with_a_dsym_and_without() {
    for (arch, slide) in [("aarch64", SLIDES[1]), ("x86_64", SLIDES[2])] {
        let folder = tempfile::tempdir().unwrap();
        let Some(program) = c_program(folder.path(), arch) else {
            return;
        };
        let of = stated(&program);
        let addresses = all(&of);
        for dsym in [true, false] {
            let Some(expected) = symbolizer(&program, &addresses) else {
                return;
            };
            let lines = expected.iter().flatten().flatten();
            let lines = lines.filter(|(_, _, line)| *line != 0).count();
            assert_eq!(lines > 30, dsym, "{arch}: {lines}");
            let chain = ["twice", "four_times", "work"];
            let inlined = expected.iter().flatten().any(|names| {
                let names = names.iter().map(|(name, _, _)| name.as_str());
                names.eq(chain)
            });
            assert_eq!(inlined, dsym, "{arch}");
            let found = named(&program, &of, &of.uuid, slide, &addresses);
            for ((address, found), expected) in addresses.iter().zip(found).zip(expected) {
                assert_eq!(found, expected, "{arch}: {address:#x}");
            }
            if dsym {
                std::fs::remove_dir_all(program.with_extension("dSYM")).unwrap();
            }
        }
    }
}

/// A dSYM of another build is not believed.
#[test]
fn a_dsym_with_another_uuid_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = c_program(folder.path(), "aarch64") else {
        return;
    };
    let of = stated(&program);
    let inside = format!(
        "{}.dSYM/Contents/Resources/DWARF/aarch64",
        program.display()
    );
    let mut debug = std::fs::read(&inside).unwrap();
    let own = debug.windows(16).position(|bytes| bytes == of.uuid);
    debug[own.unwrap()] ^= 1;
    std::fs::write(&inside, debug).unwrap();
    let found = named(&program, &of, &of.uuid, 0, &[of.text.start]);
    assert_eq!(found, [Ok(vec![("main".into(), String::new(), 0)])]);
}

/// Programs without names: where functions begin tells what an export does not reach.
#[test]
fn what_strip_leaves_is_named_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let strip = |from: &Path| {
        let stripped = folder.path().join("stripped");
        let command = &mut llvm("llvm-strip-14")?;
        output_of(command.arg(from).arg("-o").arg(&stripped));
        Some(stripped)
    };
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/macho");
    for arch in ["arm64", "amd64"] {
        let whole = data.join(format!("chained-{arch}"));
        let Some(stripped) = strip(&whole) else {
            return;
        };
        let of = stated(&whole);
        let listing = output_of(llvm("llvm-nm-14").unwrap().arg(&whole));
        let at = |name: &str| {
            let line = listing.lines().find(|line| line.ends_with(name)).unwrap();
            hex(line.split(' ').next().unwrap())
        };
        let (main, square) = (at(" T _main"), at(" t _square"));
        let addresses = [main, square - 1, square, of.text.end - 1, of.text.end];
        let name = |name: &str| Ok(vec![(name.to_owned(), String::new(), 0)]);
        let known = [
            name("main"),
            name("main"),
            name("square"),
            name("square"),
            Err(Unnamed::NoSymbol),
        ];
        assert_eq!(named(&whole, &of, &of.uuid, 0, &addresses), known);
        let [main, square] = [name("main"), Err(Unnamed::NoSymbol)];
        let left = [main.clone(), main, square.clone(), square.clone(), square];
        assert_eq!(
            named(&stripped, &of, &of.uuid, 0, &addresses),
            left,
            "{arch}"
        );
    }
    // This one does not say where functions begin: `main`, which it exports, may be anything's name.
    let Some(program) = c_program(folder.path(), "aarch64") else {
        return;
    };
    let of = stated(&program);
    let stripped = strip(&program).unwrap();
    let found = named(
        &stripped,
        &of,
        &of.uuid,
        0,
        &[of.text.start, of.text.end - 4],
    );
    assert_eq!(found, [Err(Unnamed::Stripped), Err(Unnamed::Stripped)]);
}

/// A fat program of Go, for both architectures: itself, and its parts.
fn fat(folder: &Path, arguments: &[&str]) -> Option<(PathBuf, [PathBuf; 2])> {
    let part = |arch| go_program(&format!("{arch}-{}", arguments.len()), arch, arguments);
    let parts = [part("arm64")?, part("amd64")?];
    let program = folder.join("fat");
    let mut lipo = llvm("llvm-lipo-14")?;
    output_of(
        lipo.arg("-create")
            .args(&parts)
            .arg("-output")
            .arg(&program),
    );
    Some((program, parts))
}

#[test]
fn of_a_fat_file_the_slice_with_the_uuid_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let Some((program, parts)) = fat(folder.path(), &[]) else {
        return;
    };
    for part in &parts {
        let of = stated(part);
        assert!(hold_go(&program, part, &of.uuid, SLIDES[2]) > 10);
        let other = [7; 16];
        let found = named(&program, &of, &other, 0, &[of.text.start]);
        assert_eq!(found, [Err(Unnamed::FileChanged)]);
    }
}

#[test]
fn without_a_uuid_the_architecture_tells_the_slice() {
    let folder = tempfile::tempdir().unwrap();
    let Some((program, [arm64, amd64])) = fat(folder.path(), &["-ldflags=-B none"]) else {
        return;
    };
    let main = |part: &Path| {
        let listing = output_of(go().unwrap().args(["tool", "nm"]).arg(part));
        let main = listing.lines().find(|line| line.ends_with(" T main.main"));
        hex(main.unwrap().split_whitespace().next().unwrap()) - stated(part).header
    };
    let [in_arm64, in_amd64] = [&arm64, &amd64].map(|part| main(part));
    assert_ne!(in_arm64, in_amd64);
    for (file, arch, offset, expected) in [
        (&program, Arch::Arm64, in_arm64, Ok("main.main")),
        (&program, Arch::Amd64, in_amd64, Ok("main.main")),
        (&program, Arch::X86, in_amd64, Err(Unnamed::WrongSlice)),
        (&program, Arch::Unknown, in_amd64, Err(Unnamed::WrongSlice)),
        (&arm64, Arch::Unknown, in_arm64, Ok("main.main")),
        (&arm64, Arch::Amd64, in_arm64, Err(Unnamed::WrongSlice)),
    ] {
        let mut recording = Recording::by(arch, file, ImageKind::File, &[]);
        recording.offset(offset, FrameRole::Executing);
        let found = recording.named(None).remove(0);
        let found = found.as_ref().map(|names| names[0].0.as_str());
        assert_eq!(
            found,
            expected.as_ref().copied(),
            "{arch:?} of {}",
            file.display()
        );
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/macho/classic");
    let of = stated(&data);
    let reason = |path: &Path, uuid: &[u8], offset| {
        let mut recording = Recording::of(path, ImageKind::File, uuid);
        recording.offset(offset, FrameRole::Executing);
        recording.named(None).remove(0).unwrap_err()
    };
    let gone = folder.path().join("gone");
    assert_eq!(reason(&gone, &of.uuid, 0x1628), Unnamed::FileGone);
    // macOS has no file of it, and the cache has none with this UUID.
    let system = Path::new("/usr/lib/libgone.dylib");
    assert_eq!(reason(system, &of.uuid, 0x1628), Unnamed::SharedCache);
    assert_eq!(reason(&data, &of.uuid, u64::MAX), Unnamed::NoSymbol);
    let cut = folder.path().join("cut");
    std::fs::write(&cut, &std::fs::read(&data).unwrap()[..100]).unwrap();
    assert_eq!(reason(&cut, &of.uuid, 0x1628), Unnamed::FileChanged);
    assert_eq!(reason(&cut, &[], 0x1628), Unnamed::BadFile);
    std::fs::write(&cut, [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 9]).unwrap();
    assert_eq!(reason(&cut, &[], 0x1628), Unnamed::BadFile);
}
