//! What `inspect --bindings` lists of ELF files, against what `readelf` lists of them and the names that
//! `llvm-objdump` gives to stubs.

use crate::dynamic::files;
use crate::programs::{binutils, built, hex, output_of};
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::{Import, Wanted};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

fn imports(path: &Path) -> Vec<Import> {
    let wanted = Wanted {
        bindings: true,
        findings: false,
    };
    let data = std::fs::read(path).unwrap();
    let mut found = Inspection::of(&data, wanted).unwrap();
    found.slices.remove(0).imports
}

/// A program by gcc that needs calls, a variable, a pointer, and what may be missing.
fn by_gcc(name: &str, arguments: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("symbols");
    std::fs::create_dir_all(&folder).unwrap();
    let source = folder.join("imports.c");
    let lines = "#include <stdio.h>\n\
        extern int maybe(void) __attribute__((weak));\n\
        int (*say)(const char *) = puts;\n\
        int main(void) { if (maybe) maybe(); fputs(\"\", stdin); return say(\"\"); }\n";
    std::fs::write(&source, lines).unwrap();
    let program = folder.join(name);
    let mut gcc = Command::new("gcc");
    output_of(gcc.args(arguments).arg("-o").arg(&program).arg(&source));
    program
}

/// Files of 64 bits: a program of each kind, of Go with C in it, libraries, and of another architecture.
/// Made once: the tests run side by side, and would write the source under each other's compilers.
fn looked_into() -> &'static [PathBuf] {
    static FILES: OnceLock<Vec<PathBuf>> = OnceLock::new();
    FILES.get_or_init(make_files)
}

fn make_files() -> Vec<PathBuf> {
    let mut paths = vec![
        by_gcc("imports-lazy", &["-pie", "-Wl,-z,lazy"]),
        by_gcc("imports-now", &["-pie", "-Wl,-z,now"]),
        by_gcc("imports-fixed", &["-no-pie", "-Wl,-z,lazy"]),
        by_gcc("imports-object.o", &["-c"]),
        PathBuf::from("/bin/ls"),
    ];
    paths.extend(files());
    if let Some(programs) = built() {
        paths.extend(["cgo", "cgo-pie", "plain"].map(|name| programs.path(name).to_owned()));
    }
    paths.retain(|path| std::fs::read(path).unwrap()[4] == 2);
    paths
}

/// `puts@GLIBC_2.2.5`, as `readelf` writes it.
fn full(import: &Import) -> String {
    match &import.version {
        Some(version) => format!("{}@{version}", import.symbol),
        None => import.symbol.clone(),
    }
}

/// Each symbol of the dynamic table with its type, where it binds, and how: `readelf --dyn-syms`.
fn symbols(path: &Path) -> BTreeMap<String, Vec<String>> {
    let listing = binutils("readelf", &["--dyn-syms", "-W"], path);
    let rows = listing.lines().filter_map(|line| {
        let mut words = line.split_whitespace().map(str::to_owned);
        words.next()?.strip_suffix(':')?.parse::<u32>().ok()?;
        let facts: Vec<String> = words.by_ref().take(6).collect();
        Some((words.next()?.replace("@@", "@"), facts))
    });
    rows.collect()
}

#[test]
fn slots_are_those_of_readelf() {
    for path in looked_into() {
        let shown = path.display();
        let listing = binutils("readelf", &["-rW"], path);
        let mut known: BTreeSet<(u64, String)> = BTreeSet::new();
        let mut kinds: BTreeMap<u64, String> = BTreeMap::new();
        let symbols = symbols(path);
        for line in listing.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [slot, _, kind, _, name, ..] = words[..] else {
                continue;
            };
            let name = name.replace("@@", "@");
            let facts = symbols.get(&name);
            // Local and hidden ones are not looked up.
            let looked_up = facts.is_some_and(|facts| facts[3] != "LOCAL" && facts[4] != "HIDDEN");
            if kind.starts_with("R_") && looked_up {
                known.insert((hex(slot), name));
                kinds.insert(hex(slot), kind.to_owned());
            }
        }
        let imports = imports(path);
        let with_slots = imports.iter().filter_map(|one| Some((one.slot?, one)));
        let found: BTreeSet<(u64, String)> = with_slots
            .clone()
            .map(|(slot, one)| (slot.0, full(one)))
            .collect();
        assert_eq!(found, known, "{shown}");
        let headers = binutils("readelf", &["-dW"], path);
        let now = headers.contains("BIND_NOW") || headers.contains("Flags: NOW");
        for (slot, import) in with_slots {
            let kind = &kinds[&slot.0];
            let expected = match import.how {
                "JUMP_SLOT" => kind.contains("JUMP_SLOT"),
                "GLOB_DAT" => kind.contains("GLOB_DAT"),
                "COPY" => kind.ends_with("_COPY"),
                "absolute" => kind == "R_X86_64_64" || kind == "R_AARCH64_ABS64",
                "thread-local" => kind.contains("TP") || kind.contains("TLS"),
                other => panic!("{other} of {import:?}"),
            };
            assert!(expected, "{kind} {import:?} of {shown}");
            assert_eq!(import.lazy, kind.contains("JUMP_SLOT") && !now, "{shown}");
        }
    }
}

#[test]
fn each_undefined_symbol_is_listed_with_library_and_kind() {
    for path in looked_into() {
        let shown = path.display();
        let imports = imports(path);
        if shown.to_string().ends_with(".o") {
            let mut found: Vec<&str> = imports.iter().map(|one| one.symbol.as_str()).collect();
            let nm = binutils("nm", &["-u"], path);
            let mut known: Vec<&str> = nm
                .split_whitespace()
                .filter(|word| word.len() > 1)
                .collect();
            found.sort_unstable();
            known.sort_unstable();
            assert_eq!(found, known);
            assert!(imports.iter().all(|one| one.how == "undefined"));
            continue;
        }
        let symbols = symbols(path);
        let listed: BTreeMap<String, &Import> =
            imports.iter().map(|one| (full(one), one)).collect();
        let versions = needed_versions(path);
        for (name, facts) in symbols.iter().filter(|(_, facts)| facts[5] == "UND") {
            let import = listed
                .get(name)
                .unwrap_or_else(|| panic!("{name} of {shown}"));
            assert_eq!(import.weak, facts[3] == "WEAK", "{name} of {shown}");
            let kind = match facts[2].as_str() {
                "FUNC" => Some("function"),
                "OBJECT" => Some("object"),
                "TLS" => Some("thread-local"),
                _ => None,
            };
            assert_eq!(import.kind, kind, "{name} of {shown}");
            let version = import.version.as_deref().unwrap_or_default();
            match versions.get(version) {
                // One version can be needed of two libraries.
                Some(files) => assert!(files.contains(&import.provider), "{import:?} of {shown}"),
                None => assert_eq!(import.provider, "any loaded file", "{name} of {shown}"),
            }
        }
    }
}

/// The libraries of each version that is needed: `readelf -V`.
fn needed_versions(path: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let listing = binutils("readelf", &["-VW"], path);
    let (mut versions, mut file) = (BTreeMap::<String, BTreeSet<String>>::new(), "");
    for line in listing.lines() {
        let word = |after: &str| line.split_once(after)?.1.split_whitespace().next();
        if let Some(name) = word("File: ") {
            file = name;
        } else if let (Some(name), true) = (word("Name: "), line.contains("Flags: ")) {
            // Definitions have an index and no version of their own.
            if !line.contains("Index: ") {
                versions
                    .entry(name.to_owned())
                    .or_default()
                    .insert(file.to_owned());
            }
        }
    }
    versions
}

#[test]
fn stubs_are_those_of_objdump() {
    let mut count = 0;
    for path in looked_into() {
        let sections = ["-d", "-j", ".plt", "-j", ".plt.got", "-j", ".plt.sec"];
        let listing = binutils("llvm-objdump", &sections, path);
        let named = listing.lines().filter_map(|line| {
            let (address, name) = line.strip_suffix("@plt>:")?.split_once(" <")?;
            (name != "*ABS*").then(|| (hex(address), name.to_owned()))
        });
        let known: BTreeSet<(u64, String)> = named.collect();
        let imports = imports(path);
        let found: BTreeSet<(u64, String)> = imports
            .iter()
            .filter_map(|one| Some((one.stub?.0, one.symbol.clone())))
            .collect();
        let missing: Vec<_> = known.difference(&found).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", path.display());
        count += known.len();
    }
    assert!(count > 100, "{count}");
}

/// A table of symbols that give one long name again and again is refused before memory is filled.
#[test]
fn one_name_again_and_again_is_refused() {
    // A header, one segment for all, DYNAMIC, then symbols and relocations that share one name.
    let (symbols, relocations, names) = (0x1000_u64, 0x1100_u64, 0x10000_u64);
    let count = 1000_u64;
    let mut data = vec![0_u8; 0x20000];
    let size = data.len() as u64;
    let mut put = |at: u64, bytes: &[u8]| {
        let at = usize::try_from(at).unwrap();
        data[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &[3, 0, 62, 0, 1]);
    put(32, &[64]);
    put(52, &[64, 0, 56, 0, 2]);
    let mut segment = |number: u64, kind: u8, offset: u64, length: u64| {
        let at = 64 + 56 * number;
        put(at, &[kind, 0, 0, 0, 4]);
        for (field, value) in [(8, offset), (16, offset), (32, length), (40, length)] {
            put(at + field, &value.to_le_bytes());
        }
    };
    segment(0, 1, 0, size);
    segment(1, 2, 0x800, 16 * 6);
    let entries = [(5, names), (6, symbols), (7, relocations), (8, 24 * count)];
    for (at, (tag, value)) in (0x800_u64..).step_by(16).zip(entries) {
        put(at, &u64::to_le_bytes(tag));
        put(at + 8, &value.to_le_bytes());
    }
    put(symbols + 24 + 4, &[0x12]);
    for number in 0..count {
        put(
            relocations + 24 * number + 8,
            &(1_u64 << 32 | 6).to_le_bytes(),
        );
    }
    put(names, &vec![b'a'; 0x8000]);
    let wanted = Wanted {
        bindings: true,
        findings: false,
    };
    let error = Inspection::of(&data, wanted).unwrap_err().to_string();
    assert!(error.starts_with("names of imports"), "{error}");
    // With a name of three letters it is a file.
    data[usize::try_from(names).unwrap() + 3] = 0;
    let found = Inspection::of(&data, wanted).unwrap();
    assert_eq!(found.slices[0].imports.len(), 1000);
}
