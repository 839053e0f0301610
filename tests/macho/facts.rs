//! What load commands, symbols and bindings say, against `llvm-objdump` and `go version -m`.

use crate::files::{built, go, go_version, llvm, official_named};
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::{LinkedBy, SliceFacts, Wanted};
use gotrace::binary::go::Pclntab;
use gotrace::binary::macho::{MachO, Slices, Symbol};
use std::path::{Path, PathBuf};

fn all() -> Vec<PathBuf> {
    let built = built().unwrap_or_default().iter();
    let mut all: Vec<PathBuf> = built.map(|(_, path)| path.clone()).collect();
    for arch in ["arm64", "amd64"] {
        all.extend(official_named(arch, "gofmt"));
    }
    all
}

fn facts(path: &Path) -> SliceFacts {
    let data = std::fs::read(path).unwrap();
    let wanted = Wanted {
        bindings: true,
        findings: false,
    };
    let mut found = Inspection::of(&data, wanted).unwrap();
    assert_eq!(found.slices.len(), 1, "{}", path.display());
    found.slices.remove(0)
}

/// The values of a key in the listing of `llvm-objdump --private-headers`, in their order.
fn values<'l>(listing: &'l str, key: &str) -> Vec<&'l str> {
    let lines = listing.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
        .map(str::trim)
        .collect()
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

#[test]
fn load_commands_are_those_of_objdump() {
    for path in all() {
        let Some(listing) = llvm("llvm-objdump", &["--macho", "--private-headers"], &path) else {
            return;
        };
        let found = facts(&path);
        let names: Vec<&str> = found.commands.iter().map(|one| one.name).collect();
        let known: Vec<&str> = values(&listing, "cmd")
            .iter()
            .map(|name| name.trim_end_matches("_ONLY"))
            .collect();
        assert_eq!(names, known, "{}", path.display());

        // A section names its segment, too, after its own name.
        let own = |key: &str| -> Vec<String> {
            let mut inside = false;
            let lines = listing.lines().map(str::trim).filter_map(|line| {
                if line == "Section" || line.starts_with("cmd ") {
                    inside = line.starts_with("cmd LC_SEGMENT");
                }
                inside.then(|| line.strip_prefix(key)?.strip_prefix(' '))?
            });
            lines.map(|value| value.trim().to_owned()).collect()
        };
        let names: Vec<&str> = found.segments.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, own("segname"));
        let addresses: Vec<u64> = found.segments.iter().map(|one| one.address.0).collect();
        let known: Vec<u64> = own("vmaddr").iter().map(|text| hex(text)).collect();
        assert_eq!(addresses, known);
        let sizes: Vec<String> = found
            .segments
            .iter()
            .map(|one| one.file_size.to_string())
            .collect();
        assert_eq!(sizes, own("filesize"));

        assert_eq!(found.identity.as_deref(), values(&listing, "uuid").pop());
        let platform = &found.platforms[0];
        assert_eq!(platform.name, "macOS");
        assert_eq!(
            Some(platform.minimum.as_str()),
            values(&listing, "minos").pop()
        );
        assert_eq!(platform.sdk.as_deref(), values(&listing, "sdk").pop());
        let libraries: Vec<String> = values(&listing, "name")
            .iter()
            .filter(|name| name.contains("(offset 24)"))
            .map(|name| name.split(' ').next().unwrap().to_owned())
            .collect();
        let found_libraries: Vec<&str> = found
            .libraries
            .iter()
            .map(|library| library.path.as_str())
            .collect();
        assert_eq!(found_libraries, libraries);
        if let Some(entry) = values(&listing, "entryoff").pop() {
            let text = found.segments[1].address.0;
            assert_eq!(found.entry.unwrap().0, text + entry.parse::<u64>().unwrap());
        }
        if let Some(counter) = listing.split("rip ").nth(1) {
            let counter = counter.split_whitespace().next().unwrap();
            assert_eq!(found.entry.unwrap().0, hex(counter));
        }
    }
}

#[test]
fn bindings_are_those_of_objdump() {
    let opcodes = |path: &PathBuf| !path.ends_with("fixed");
    for path in all().into_iter().filter(opcodes) {
        let Some(listing) = llvm("llvm-objdump", &["--macho", "--bind"], &path) else {
            return;
        };
        let known: Vec<(u64, String, String)> = listing
            .lines()
            .filter_map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let [_, _, address, "pointer", _, library, symbol] = words[..] else {
                    return None;
                };
                Some((hex(address), library.to_owned(), symbol.to_owned()))
            })
            .collect();
        assert!(known.len() > 20, "{listing}");
        let found: Vec<(u64, String, String)> = facts(&path)
            .imports
            .into_iter()
            .map(|import| {
                let file = import.provider.rsplit('/').next().unwrap().to_owned();
                let library = file.split('.').next().unwrap().to_owned();
                // All but one are functions.
                let called = import.symbol != "_mach_task_self_";
                assert_eq!(import.stub.is_some(), called, "{}", import.symbol);
                assert!(import.section.unwrap().ends_with(",__got"));
                (import.slot.unwrap().0, library, import.symbol)
            })
            .collect();
        assert_eq!(found, known, "{}", path.display());
    }
}

/// Slots and symbols of sections of pointers, as LLVM reads the table of indirect symbols.
pub(crate) fn pointers(path: &Path) -> Option<Vec<(u64, String)>> {
    let listing = llvm("llvm-objdump", &["--macho", "--indirect-symbols"], path)?;
    let mut found = Vec::new();
    let mut inside = false;
    for line in listing.lines() {
        if line.starts_with("Indirect symbols for ") {
            inside = line.contains("__got)") || line.contains("_symbol_ptr)");
        }
        if let [address, _, name] = line.split_whitespace().collect::<Vec<_>>()[..]
            && inside
            && address.starts_with("0x")
        {
            found.push((hex(address), name.to_owned()));
        }
    }
    Some(found)
}

/// Programs that are not to be moved have nothing but symbols to say what goes where.
#[test]
fn bindings_by_symbols_are_those_of_objdump() {
    let Some((_, path)) = built().and_then(|built| built.iter().find(|(name, _)| *name == "fixed"))
    else {
        return;
    };
    let Some(known) = pointers(path) else {
        return;
    };
    assert!(known.len() > 20, "{known:?}");
    let found = facts(path).imports;
    let slots: Vec<(u64, String)> = found
        .iter()
        .map(|import| (import.slot.unwrap().0, import.symbol.clone()))
        .collect();
    assert_eq!(slots, known);
    for import in &found {
        // Go's linker does not say in symbols which library they are of.
        assert_eq!(
            (import.how, import.provider.as_str()),
            ("indirect symbol", "any loaded file")
        );
        let called = import.symbol != "_mach_task_self_";
        assert_eq!(import.stub.is_some(), called, "{}", import.symbol);
    }
    let checked = Wanted {
        bindings: false,
        findings: true,
    };
    let checked = Inspection::of(&std::fs::read(path).unwrap(), checked).unwrap();
    assert_eq!(checked.slices[0].findings.as_deref(), Some(&[][..]));
}

#[test]
fn symbols_are_those_of_nm() {
    for path in all() {
        let Some(listing) = llvm(
            "llvm-nm",
            &["--no-sort", "--format=posix", "--debug-syms"],
            &path,
        ) else {
            return;
        };
        let data = std::fs::read(&path).unwrap();
        let slices = Slices::of(&data).unwrap();
        let image = MachO::parse(&slices.slices[0]).unwrap();
        let symbols = image.symbols().unwrap();
        let mut found: Vec<String> = symbols
            .iter()
            .filter(Symbol::is_defined)
            .map(|symbol| {
                let name = String::from_utf8_lossy(symbol.name);
                format!("{name} {:x}", symbol.address.0)
            })
            .collect();
        let mut known: Vec<String> = listing
            .lines()
            .filter_map(|line| {
                // Names of Go have spaces.
                let (line, _) = line.rsplit_once(' ')?;
                let (line, address) = line.rsplit_once(' ')?;
                let (name, kind) = line.rsplit_once(' ')?;
                let address = u64::from_str_radix(address, 16).ok()?;
                let defined = !matches!(kind, "U" | "-");
                defined.then(|| format!("{name} {address:x}"))
            })
            .collect();
        found.sort();
        known.sort();
        assert_eq!(found, known, "{}", path.display());
        assert_eq!(symbols.get(u32::MAX), None);
    }
}

#[test]
fn build_information_is_that_of_go() {
    let Some(version) = go_version() else {
        println!("skipped: no go on PATH");
        return;
    };
    for path in all() {
        let output = go().args(["version", "-m"]).arg(&path).output().unwrap();
        let listing = String::from_utf8(output.stdout).unwrap();
        let facts = facts(&path);
        let go = facts.go.unwrap();
        if path.starts_with(env!("CARGO_TARGET_TMPDIR")) {
            assert_eq!(go.version, version);
        }
        assert!(listing.contains(&go.version), "{listing}");
        assert!(listing.contains(&format!("\tpath\t{}\n", go.package)));
        let settings: Vec<&str> = listing
            .lines()
            .filter_map(|line| line.strip_prefix("\tbuild\t"))
            .collect();
        let found: Vec<String> = go
            .settings
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let plain: Vec<String> = settings.iter().map(|line| line.replace('"', "")).collect();
        assert_eq!(found, plain);
        assert_eq!(go.linked_by, LinkedBy::Go);
        let stripped = path.ends_with("stripped") || !path.starts_with(env!("CARGO_TARGET_TMPDIR"));
        assert_eq!(facts.debug_information, !stripped, "{}", path.display());
    }
}

/// Functions of Go's own table are at the addresses at which its table of symbols has them.
#[test]
fn functions_are_where_symbols_say() {
    for path in all() {
        if path.ends_with("stripped") {
            continue;
        }
        let data = std::fs::read(&path).unwrap();
        let slices = Slices::of(&data).unwrap();
        let image = MachO::parse(&slices.slices[0]).unwrap();
        let table = Pclntab::of(&image).unwrap();
        let mut seen = 0;
        for symbol in image.symbols().unwrap().iter() {
            if symbol.name != b"_main.main" && symbol.name != b"_runtime.mallocgc" {
                continue;
            }
            let function = table.find(symbol.address).unwrap().unwrap();
            assert_eq!(function.entry(), symbol.address);
            let name = String::from_utf8_lossy(symbol.name);
            assert_eq!(function.linker_name().unwrap(), name[1..].as_bytes());
            seen += 1;
        }
        assert_eq!(seen, 2, "{}", path.display());
    }
}
