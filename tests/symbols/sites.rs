//! Where functions can be probed, against `go tool objdump`, a decoder of its own.

use crate::programs::{built, go_tool, hex, toolchain};
use gotrace::binary::elf::{Elf, Machine};
use gotrace::binary::go::{Function, Pclntab};
use gotrace::binary::instruction::{NoSite, SiteEdge, Stepping, sites};
use gotrace::capture::probes::{Mode, Spec, plan};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

/// Instructions of each function: address, and the text without its operands' spaces.
fn listing(program: &Path) -> BTreeMap<u64, Vec<(u64, String)>> {
    let text = go_tool("objdump", &[], program, "");
    let mut functions = BTreeMap::new();
    for function in text.split("TEXT ").skip(1) {
        let lines = function.lines().skip(1).filter_map(|line| {
            let mut fields = line
                .split('\t')
                .map(str::trim)
                .filter(|field| !field.is_empty());
            let address = hex(fields.nth(1)?);
            Some((address, fields.nth(1)?.to_owned()))
        });
        let lines: Vec<_> = lines.collect();
        if let Some((entry, _)) = lines.first() {
            functions.insert(*entry, lines);
        }
    }
    functions
}

/// Calls `each` with every Go function of a program, its code, and its listing.
pub(crate) fn each_function(
    program: &Path,
    mut each: impl FnMut(Machine, &Function<'_>, &[u8], &[(u64, String)]),
) -> usize {
    let bytes = std::fs::read(program).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let listing = listing(program);
    let mut count = 0;
    for function in Pclntab::of(&elf).unwrap().functions() {
        let function = function.unwrap();
        let code = elf.memory().bytes_from("code", function.entry()).unwrap();
        if let Some(lines) = listing.get(&function.entry().0) {
            count += 1;
            each(elf.machine, &function, code, lines);
        }
    }
    count
}

/// The address behind the check of the stack's size, where a function begins with one of its
/// usual forms.
fn behind_check(lines: &[(u64, String)]) -> Option<u64> {
    let first: Vec<&str> = lines
        .iter()
        .take(5)
        .map(|(_, text)| text.as_str())
        .collect();
    let check = match first.as_slice() {
        ["CMPQ SP, 0x10(R14)", branch, ..] if branch.starts_with("JBE ") => 2,
        [lea, "CMPQ R12, 0x10(R14)", branch, ..]
            if lea.starts_with("LEAQ ") && branch.starts_with("JBE ") =>
        {
            3
        }
        ["MOVD 16(R28), R16", "CMP R16, RSP", branch, ..] if branch.starts_with("BLS ") => 3,
        ["MOVD 16(R28), R16", _, "CMP R16, R17", branch, ..] if branch.starts_with("BLS ") => 4,
        _ => return None,
    };
    lines.get(check).map(|(address, _)| *address)
}

#[test]
fn entries_stand_behind_the_check_and_every_return_is_an_exit() {
    let Some(programs) = built() else { return };
    for name in ["plain", "cgo", "cgo-pie", "arm64"] {
        let (mut checked, mut returns) = (0, 0);
        let count = each_function(programs.path(name), |machine, function, code, lines| {
            let found = sites(machine, function, code);
            let label = String::from_utf8_lossy(&function.name().unwrap()).into_owned();
            let expected = lines
                .iter()
                .filter(|(_, text)| text.split(' ').next() == Some("RET"));
            let expected: Vec<u64> = expected.map(|(address, _)| *address).collect();
            let exits = found
                .exits
                .iter()
                .filter(|exit| exit.edge == SiteEdge::Return);
            let mut seen: Vec<u64> = exits.map(|exit| exit.address.0).collect();
            let blind = found.blind_exits.iter();
            let blind = blind.filter(|(address, _)| expected.contains(&address.0));
            seen.extend(blind.map(|(address, _)| address.0));
            seen.sort_unstable();
            // Go's decoder does not know all instructions that assembly uses.
            if function.keeps_conventions() {
                assert_eq!(seen, expected, "{name}: {label}");
            }
            returns += expected.len();
            if let Some(address) = behind_check(lines) {
                let entry = found
                    .entry
                    .as_ref()
                    .unwrap_or_else(|why| panic!("{label}: {why}"));
                assert_eq!(entry.address.0, address, "{name}: {label}");
                assert_eq!(entry.stack_depth, 0, "{name}: {label}");
                checked += 1;
            }
            if let Ok(entry) = &found.entry {
                let place = lines
                    .iter()
                    .position(|(address, _)| *address == entry.address.0);
                let place =
                    place.unwrap_or_else(|| panic!("{name}: {label}: within an instruction"));
                let jumps_there = format!("{:#x}", entry.address.0);
                let jumps = lines.iter().filter(|(_, text)| {
                    let mut words = text.split(' ');
                    words.next().is_some_and(|word| word.starts_with('J'))
                        && words.next() == Some(&jumps_there)
                });
                assert_eq!(jumps.count(), 0, "{name}: {label}");
                if machine == Machine::Amd64 && entry.stepping == Stepping::Emulated {
                    let kind = lines[place].1.split(' ').next().unwrap();
                    let emulated =
                        matches!(kind, "PUSHQ" | "NOPL" | "CALL") || kind.starts_with('J');
                    assert!(emulated || kind == "NOP", "{name}: {label}: {kind}");
                }
            }
        });
        assert!(
            count > 1_000 && checked > count / 2 && returns > count,
            "{name}: {count} {checked}"
        );
    }
}

#[test]
fn most_functions_of_the_compiler_are_cheap_to_enter() {
    let Some(_) = built() else { return };
    let bytes = std::fs::read(toolchain("compile")).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let all: Spec = "*:*".parse().unwrap();
    let plan = plan(&elf, &[&all]).unwrap();
    let emulated = plan
        .functions
        .iter()
        .filter(|function| function.sites[0].stepping == Stepping::Emulated);
    // 89 % of Go 1.27's 20,291, of which 33 cannot be probed.
    assert!(emulated.count() * 100 > plan.functions.len() * 85);
    assert!(plan.left_out.len() * 100 < plan.functions.len());
    assert!(
        plan.functions
            .iter()
            .all(|function| function.sites.len() < 4_000)
    );
}

#[test]
fn no_place_is_probed_twice() {
    let Some(_) = built() else { return };
    let bytes = std::fs::read(toolchain("compile")).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let all: Spec = "*:*".parse().unwrap();
    let functions = plan(&elf, &[&all]).unwrap().functions;
    for function in &functions {
        let mut offsets: Vec<u64> = function.sites.iter().map(|site| site.offset).collect();
        offsets.sort_unstable();
        offsets.dedup();
        let name = String::from_utf8_lossy(&function.name);
        assert_eq!(offsets.len(), function.sites.len(), "{name}");
    }
    // Functions that are left where they are entered are there, and are entered.
    let single = functions.iter().filter(|function| {
        function.mode == Mode::Call && function.sites.len() == 1 && function.sites[0].text == "ret"
    });
    assert!(single.count() > 0);
}

#[test]
fn what_the_user_names_wins_over_sets_and_calls_over_entries() {
    let Some(programs) = built() else { return };
    let bytes = programs.bytes("plain");
    let elf = Elf::parse(&bytes).unwrap();
    let named: Spec = "*:main.main:entry".parse().unwrap();
    let of_set = Spec {
        set: Some("a set".to_owned()),
        mode: Mode::Call,
        ..named.clone()
    };
    let call: Spec = "*:main.*:call".parse().unwrap();
    let mode = |specs: &[&Spec]| {
        let plan = plan(&elf, specs).unwrap();
        let function = plan
            .functions
            .iter()
            .find(|function| function.name == b"main.main");
        let function = function.unwrap();
        (
            function.mode,
            function.set.clone(),
            function.sites.len() > 1,
        )
    };
    assert_eq!(mode(&[&named]), (Mode::Entry, None, false));
    assert_eq!(mode(&[&of_set, &named]), (Mode::Entry, None, false));
    assert_eq!(
        mode(&[&of_set]),
        (Mode::Call, Some("a set".to_owned()), true)
    );
    assert_eq!(mode(&[&named, &call]), (Mode::Call, None, true));
}

#[test]
fn a_name_that_is_not_there_is_told_with_what_comes_near() {
    let Some(programs) = built() else { return };
    let bytes = programs.bytes("plain");
    let elf = Elf::parse(&bytes).unwrap();
    for (glob, near) in [
        ("runtime.MallocGC", "runtime.mallocgc"),
        ("runtime.malocgc", "runtime.mallocgc"),
        ("gcStrat", "runtime.gcStart"),
    ] {
        let spec: Spec = format!("*:{glob}").parse().unwrap();
        let plan = plan(&elf, &[&spec]).unwrap();
        assert!(plan.functions.is_empty());
        let words = plan.unmatched[0].words("/bin/program");
        assert!(words.starts_with(&format!(
            "/bin/program: no function is called {glob}; near it: "
        )));
        assert!(
            plan.unmatched[0].nearest.iter().any(|name| name == near),
            "{glob}: {words}"
        );
    }
}

#[test]
fn programs_without_go_functions_are_told_apart() {
    let Some(programs) = built() else { return };
    let spec: Spec = "*:main.main".parse().unwrap();
    let refused = |bytes: &[u8]| {
        plan(&Elf::parse(bytes).unwrap(), &[&spec])
            .unwrap_err()
            .to_string()
    };
    let c = std::fs::read("/bin/sh").unwrap();
    assert_eq!(refused(&c), "it has no Go functions that can be read");
    // The same with UPX's mark, which is no more than that.
    let mut packed = c;
    let at = packed.len().min(900);
    packed[at - 4..at].copy_from_slice(b"UPX!");
    assert!(
        refused(&packed).starts_with("it is packed by UPX"),
        "{}",
        refused(&packed)
    );
    // Stripped programs have them.
    let bytes = programs.bytes("stripped");
    assert_eq!(
        plan(&Elf::parse(&bytes).unwrap(), &[&spec])
            .unwrap()
            .functions
            .len(),
        1
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_taken_as_code(code in proptest::collection::vec(any::<u8>(), 0..2_000), at in any::<prop::sample::Index>()) {
        let Some(programs) = built() else { return Ok(()) };
        for name in ["plain", "arm64"] {
            let bytes = programs.bytes(name);
            let elf = Elf::parse(&bytes).unwrap();
            let table = Pclntab::of(&elf).unwrap();
            let number = at.index(usize::try_from(table.len()).unwrap());
            let function = table.function(number as u64).unwrap();
            let found = sites(elf.machine, &function, &code);
            prop_assert!(!code.is_empty() || found.entry == Err(NoSite::NoCode));
            prop_assert!(found.exits.len() <= code.len());
        }
    }
}
