//! Where goroutines are, against DWARF, symbols and disassembly.

use crate::programs::{Programs, binutils, built, foreign, hex, toolchain};
use gotrace::binary::elf::Elf;
use gotrace::binary::go::{GoroutineFields, Pclntab, RuntimeLayout};
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

fn layout_of(program: &Path) -> RuntimeLayout {
    let data = std::fs::read(program).unwrap();
    RuntimeLayout::of(&Elf::parse(&data).unwrap()).unwrap()
}

/// The offsets of the fields of a structure, from `readelf --debug-dump=info`.
fn fields_of(dump: &str, structure: &str) -> HashMap<String, u16> {
    let mut fields = HashMap::new();
    let (mut inside, mut named, mut member) = (false, false, None);
    for line in dump.lines() {
        if let Some(tag) = line.split("(DW_TAG_").nth(1) {
            if named && tag.starts_with("member") {
                inside = true;
            } else if inside {
                break;
            }
            named = tag.starts_with("structure_type") || inside;
            member = None;
        } else if let Some(name) = line.split("DW_AT_name").nth(1) {
            let name = name.rsplit(": ").next().unwrap().trim();
            if inside {
                member = Some(name.to_owned());
            } else {
                named &= name == structure;
            }
        } else if let Some(place) = line.split("DW_AT_data_member_location").nth(1) {
            let place = place.rsplit(": ").next().unwrap().trim();
            let place = place.split_whitespace().next().unwrap().parse();
            if let (Some(member), Ok(place)) = (member.take(), place) {
                fields.insert(member, place);
            }
        }
    }
    fields
}

/// Debug information is packed by default, which binutils unpacks.
fn fields_in_dwarf(program: &Path) -> GoroutineFields {
    let dump = binutils("readelf", &["--debug-dump=info"], program);
    let [g, m, gobuf] =
        ["runtime.g", "runtime.m", "runtime.gobuf"].map(|name| fields_of(&dump, name));
    assert_eq!(g["stack"], 0);
    GoroutineFields {
        g_m: g["m"],
        g_sched_sp: g["sched"] + gobuf["sp"],
        g_sched_pc: g["sched"] + gobuf["pc"],
        g_sched_bp: g["sched"] + gobuf["bp"],
        g_goid: g["goid"],
        m_g0: m["g0"],
        m_procid: m["procid"],
        m_gsignal: m["gsignal"],
        m_tls: m["tls"],
        m_curg: m["curg"],
    }
}

#[test]
fn fields_are_those_of_dwarf() {
    let Some(programs) = built() else { return };
    for name in ["plain", "cgo", "arm64"] {
        let layout = layout_of(programs.path(name));
        assert_eq!(
            layout.fields,
            fields_in_dwarf(programs.path(name)),
            "{name}"
        );
        assert!(!layout.assumed);
    }
}
/// Another linker's table of symbols has the place of `runtime.tlsg`, and its segments have
/// the size of all thread-local variables: those end at the thread pointer of x86-64.
#[test]
#[cfg(target_arch = "x86_64")]
fn the_offset_of_g_is_the_linkers() {
    let Some(programs) = built() else { return };
    for name in ["cgo", "cgo-pie"] {
        let program = programs.path(name);
        let symbols = binutils("readelf", &["-sW"], program);
        let symbol = symbols
            .lines()
            .find(|line| line.ends_with(" runtime.tlsg"))
            .unwrap();
        let value = hex(symbol.split_whitespace().nth(1).unwrap());
        let segments = binutils("readelf", &["-lW"], program);
        let segment = segments
            .lines()
            .find(|line| line.trim().starts_with("TLS "))
            .unwrap();
        let words: Vec<&str> = segment.split_whitespace().collect();
        let (size, align) = (hex(words[5]), hex(words[7]));
        let known =
            i64::try_from(value).unwrap() - i64::try_from(size.next_multiple_of(align)).unwrap();
        assert_eq!(
            layout_of(program).tls_offset.map(i64::from),
            Some(known),
            "{name}"
        );
    }
}

/// Go's own linker makes no symbol for it; its disassembler shows the offset.
#[test]
#[cfg(target_arch = "x86_64")]
fn the_offset_of_g_is_what_the_runtime_uses() {
    let Some(programs) = built() else { return };
    for program in [programs.path("plain"), &toolchain("compile")] {
        let code = crate::programs::go_tool("objdump", &["-s", "^runtime.mcall$"], program, "");
        let shown = code.split("FS:0x").nth(1).unwrap();
        let end = shown.find(|c: char| !c.is_ascii_hexdigit()).unwrap();
        let shown = u32::from_str_radix(&shown[..end], 16)
            .unwrap()
            .cast_signed();
        assert_eq!(layout_of(program).tls_offset, Some(shown));
    }
    // 16 bytes are the C library's, whether there is one or not.
    assert_eq!(layout_of(programs.path("arm64")).tls_offset, Some(16));
}

/// What is stripped from a program does not change what it does.
#[test]
fn stripped_programs_have_the_same_layout() {
    let Some(programs) = built() else { return };
    let [plain, stripped] = ["plain", "stripped"].map(|name| layout_of(programs.path(name)));
    assert_eq!(plain, stripped);
    let pie = layout_of(programs.path("pie"));
    assert_eq!(pie.fields, plain.fields);
    assert_eq!(pie.tls_offset, plain.tls_offset);
}

fn symbols(program: &Path) -> HashMap<String, Range<u64>> {
    let listing = binutils("nm", &["-S"], program);
    let sized = listing.lines().filter_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let [address, size, _, name] = words[..] else {
            return None;
        };
        let start = hex(address);
        Some((name.to_owned(), start..start + hex(size)))
    });
    sized.collect()
}

/// Each range begins where `nm` has the function written in assembly, and holds it.
#[test]
fn edges_of_stacks_are_those_of_nm() {
    let Some(programs) = built() else { return };
    let compile = toolchain("compile");
    for name in ["plain", "cgo", "cgo-pie", "arm64", "compile"] {
        let program = match name {
            "compile" => &compile,
            name => programs.path(name),
        };
        let known = symbols(program);
        let edges = layout_of(program).edges;
        for (function, found) in [
            ("goexit", edges.goexit),
            ("mstart", edges.mstart),
            ("rt0_go", edges.rt0_go),
            ("sigtramp", edges.sigtramp),
            ("systemstack_switch", edges.systemstack_switch),
            ("morestack", edges.morestack),
        ] {
            let plain = format!("runtime.{function}");
            let known = known
                .get(&format!("{plain}.abi0"))
                .or_else(|| known.get(&plain));
            let known = known.unwrap_or_else(|| panic!("{name}: no {function}"));
            assert_eq!(found.start, known.start, "{name}: {function}");
            assert!(found.end >= known.end, "{name}: {function}");
            assert!(found.end < known.end + 64, "{name}: {function}");
        }
        let header = binutils("readelf", &["-hW"], program);
        let entry = header.split("Entry point address:").nth(1).unwrap();
        let entry = hex(entry.split_whitespace().next().unwrap());
        assert_eq!(edges.entry.start, entry, "{name}");
        let known = known.values().find(|range| range.start == entry);
        assert!(edges.entry.end >= known.unwrap().end, "{name}");
    }
}

#[test]
fn code_begins_where_readelf_says() {
    let Some(programs) = built() else { return };
    for name in Programs::names() {
        let segments = binutils("readelf", &["-lW"], programs.path(name));
        let code = segments
            .lines()
            .find(|line| line.trim().starts_with("LOAD") && line.contains(" R E "))
            .unwrap();
        let address = hex(code.split_whitespace().nth(2).unwrap());
        assert_eq!(layout_of(programs.path(name)).text.0, address, "{name}");
    }
}

/// Functions of the runtime that use a field have its offset in their code.
fn hold_fields_in_code(program: &Path, table: &Pclntab<'_>, fields: GoroutineFields) {
    for (function, used) in [
        ("runtime.newproc1", &[fields.g_goid][..]),
        ("runtime.newstack", &[fields.m_curg]),
        (
            "runtime.mcall",
            &[
                fields.g_m,
                fields.g_sched_sp,
                fields.g_sched_pc,
                fields.g_sched_bp,
            ],
        ),
        ("runtime.morestack", &[fields.m_gsignal]),
    ] {
        let mut code = String::new();
        for found in table.named(&[function]) {
            let start = format!("--start-address={:#x}", found.entry().0);
            let end = format!("--stop-address={:#x}", found.end().0);
            code += &binutils("objdump", &["-d", &start, &end], program);
        }
        for field in used {
            let place = format!("{field:#x}(%r");
            assert!(
                code.contains(&place),
                "{}: {function}: {place}",
                program.display()
            );
        }
    }
}

/// Releases before those of `scripts/go-toolchains` have what later ones have, too.
#[test]
#[ignore = "takes executables by other releases of Go: GOTRACE_GO_BINARIES=PATH:PATH..."]
fn other_releases_have_a_layout() {
    let programs = foreign();
    assert!(!programs.is_empty(), "GOTRACE_GO_BINARIES names none");
    for program in programs {
        let layout = layout_of(&program);
        assert_eq!(layout.tls_offset, Some(-8), "{}", program.display());
        let data = std::fs::read(&program).unwrap();
        let elf = Elf::parse(&data).unwrap();
        let table = Pclntab::of(&elf).unwrap();
        assert!(table.has_inline_trees(), "{}", program.display());
        if elf
            .section(b".debug_info")
            .or(elf.section(b".zdebug_info"))
            .is_some()
        {
            assert_eq!(layout.fields, fields_in_dwarf(&program));
        }
        hold_fields_in_code(&program, &table, layout.fields);
        let edges = layout.edges;
        for range in [
            edges.goexit,
            edges.mstart,
            edges.rt0_go,
            edges.entry,
            edges.sigtramp,
            edges.systemstack_switch,
            edges.morestack,
        ] {
            assert!(!range.is_empty(), "{}", program.display());
        }
    }
}
