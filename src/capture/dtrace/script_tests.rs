//! Scripts against what a person writes for the same functions, and globs against those of the shell.

use super::*;
use crate::binary::{FileOffset, Svma};
use std::process::Command;

fn asked(symbol: &str, glob: &str, mode: Mode) -> Asked {
    Asked {
        symbol: symbol.into(),
        name: symbol.into(),
        file: b"x.go".to_vec(),
        address: Svma(0x1000),
        offset: FileOffset(0x1000),
        glob: glob.parse().expect("a glob"),
        mode,
        set: None,
        phase: None,
        keeps_conventions: true,
        takes_arguments: true,
    }
}

fn symbols(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

/// What stands below the clause that each script begins with and above the one that each ends with.
fn clauses(script: &Script) -> String {
    let text = script.text.strip_prefix(ARMED).expect("begins");
    let end = text.find("/* What the process starts.").expect("ends");
    let lines = text[..end].lines();
    let is_code = |line: &&str| !["/*", " *"].iter().any(|comment| line.starts_with(comment));
    let lines: Vec<&str> = lines.filter(is_code).collect();
    lines.join("\n").trim().to_owned()
}

#[test]
fn calls_and_samples_are_as_a_person_writes_them() {
    let functions = [
        asked("main.(*Server).Serve", "main.(*Server).Serve", Mode::Call),
        asked("runtime.goexit1", "runtime.goexit1", Mode::Entry),
    ];
    let script = Script::new(&Wanted {
        functions: &functions,
        symbols: &symbols(&["main.(*Server).Serve", "main.main", "runtime.goexit1"]),
        arch: Arch::Arm64,
        number_offset: Some(152),
        rate_hz: 997,
        images: false,
        loader: false,
    });
    let expected = r#"pid$target:a.out:main.??Server?.Serve:entry,
pid$target:a.out:?untime.goexit1:entry
{
	printf("e\t%d\t%d\t%d\t%s\t%s\t%x\t%d\t%x\n", timestamp, pid, tid, probemod, probefunc, arg0,
	    *(uint64_t *)copyin(uregs[R_X28] + 152, 8),
	    *(uint64_t *)copyin(uregs[R_X28] + 8, 8) - uregs[R_SP]);
}

pid$target:a.out:main.??Server?.Serve:return
{
	printf("r\t%d\t%d\t%d\t%s\t%s\t%x\t%d\t%x\n", timestamp, pid, tid, probemod, probefunc, arg0,
	    *(uint64_t *)copyin(uregs[R_X28] + 152, 8),
	    *(uint64_t *)copyin(uregs[R_X28] + 8, 8) - uregs[R_SP]);
}

profile-997
/pid == $target && arg1 != 0/
{
	printf("s\t%d\t%d\t%d\n", timestamp, pid, tid);
	ustack();
	printf(".\n");
}"#;
    assert_eq!(clauses(&script), expected);
    assert_eq!((script.watched, script.left_out), (vec![0, 1], vec![]));
    assert_eq!(script.descriptions, 3);
}

#[test]
fn on_amd64_registers_are_those_of_go() {
    let assembly = Asked {
        keeps_conventions: false,
        ..asked("runtime.memmove", "runtime.memmove", Mode::Entry)
    };
    let functions = [asked("main.f", "main.f", Mode::Call), assembly];
    let script = Script::new(&Wanted {
        functions: &functions,
        symbols: &symbols(&["main.f", "runtime.memmove"]),
        arch: Arch::Amd64,
        number_offset: Some(160),
        rate_hz: 0,
        images: false,
        loader: false,
    });
    let expected = r#"pid$target:a.out:?ain.f:entry
{
	printf("e\t%d\t%d\t%d\t%s\t%s\t%x\t%d\t%x\n", timestamp, pid, tid, probemod, probefunc, uregs[R_RAX],
	    *(uint64_t *)copyin(uregs[R_R14] + 160, 8),
	    *(uint64_t *)copyin(uregs[R_R14] + 8, 8) - uregs[R_SP]);
}

pid$target:a.out:?ain.f:return
{
	printf("r\t%d\t%d\t%d\t%s\t%s\t%x\t%d\t%x\n", timestamp, pid, tid, probemod, probefunc, arg0,
	    *(uint64_t *)copyin(uregs[R_R14] + 160, 8),
	    *(uint64_t *)copyin(uregs[R_R14] + 8, 8) - uregs[R_SP]);
}

pid$target:a.out:?untime.memmove:entry
{
	printf("e\t%d\t%d\t%d\t%s\t%s\t%x\t-\t%x\n", timestamp, pid, tid, probemod, probefunc, uregs[R_RAX],
	    uregs[R_SP]);
}"#;
    assert_eq!(clauses(&script), expected);
}

/// The probe descriptions of a script for these functions, without provider and module.
fn descriptions(functions: &[Asked], all: &[&str]) -> Vec<String> {
    let script = Script::new(&Wanted {
        functions,
        symbols: &symbols(all),
        arch: Arch::Arm64,
        number_offset: Some(152),
        rate_hz: 0,
        images: false,
        loader: false,
    });
    let lines = script.text.lines();
    let lines = lines.filter_map(|line| line.strip_prefix("pid$target:a.out:"));
    let lines = lines.map(|line| line.trim_end_matches(',').to_owned());
    lines.collect()
}

#[test]
fn one_glob_stands_for_many_functions_where_it_means_no_others() {
    let all = [
        "main.main",
        "ssa/x.A",
        "ssa/x.B",
        "ssa/x.M[go.shape.int]",
        "ssa.x.C",
    ];
    let of = |glob: &str, names: &[&str]| -> Vec<String> {
        let functions: Vec<Asked> = names
            .iter()
            .map(|name| asked(name, glob, Mode::Entry))
            .collect();
        descriptions(&functions, &all)
    };
    assert_eq!(of("ssa/x.[AB]", &["ssa/x.A"]), ["ssa?x.A:entry"]);
    let whole = ["ssa/x.A", "ssa/x.B", "ssa/x.M[go.shape.int]"];
    // `?` stands for the `/`, and would be the dot of another function.
    let named = [
        "ssa?x.A:entry",
        "ssa?x.B:entry",
        "ssa?x.M?go.shape.int?:entry",
    ];
    assert_eq!(of("ssa/x.*", &whole), named);
    assert_eq!(
        of("*/x.?", &["ssa/x.A", "ssa/x.B"]),
        ["ssa?x.A:entry", "ssa?x.B:entry"]
    );
    assert_eq!(of("main.*", &["main.main"]), ["?ain.main:entry"]);
    let (all, glob) = (
        ["a/t.F[go.shape.int]", "a/t.F[go.shape.string]", "b.G"],
        "a/t.F[...]",
    );
    let functions = [0, 1].map(|place| asked(all[place], glob, Mode::Call));
    assert_eq!(
        descriptions(&functions, &all),
        ["a?t.F?*?:entry", "a?t.F?*?:return"]
    );
}

#[test]
fn what_dtrace_cannot_tell_apart_is_left_out() {
    let long = "x".repeat(128);
    let wrapper = Asked {
        file: b"<autogenerated>".to_vec(),
        ..asked("main.F", "main.F", Mode::Call)
    };
    let functions = [
        wrapper,
        asked("main.F", "main.F", Mode::Call),
        asked("main.F", "main.F", Mode::Call),
        asked(&long, "x*", Mode::Call),
        asked(&long[1..], "x*", Mode::Call),
    ];
    let script = Script::new(&Wanted {
        functions: &functions,
        symbols: &[],
        arch: Arch::Arm64,
        number_offset: None,
        rate_hz: 0,
        images: false,
        loader: false,
    });
    assert_eq!(script.watched, [1, 4]);
    let left_out = [
        (0, "a function with source has the same name"),
        (2, "another function has the same name"),
        (3, "dtrace cuts names that are longer than 127 bytes"),
    ];
    assert_eq!(script.left_out, left_out);
    // Where a goroutine's number is not known to be, it is a call of its thread.
    assert!(script.text.contains("\\t-\\t%x"));
}

#[test]
fn globs_match_their_symbols_and_hold_nothing_that_d_reads_otherwise() {
    for symbol in [
        "main.main",
        "net/http.(*Server).Serve",
        "main.Map[go.shape.struct { a int; b,c string }]",
        "type:.eq.[2]interface {}",
        "main.größe·x",
        "gopkg.in/yaml%2ev3.$x`y:z!-w",
        "a",
    ] {
        let glob = of_symbol(symbol.as_bytes());
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.?*".contains(c);
        assert!(glob.chars().all(plain), "{glob}");
        assert!(glob.contains(['?', '*']), "{glob}");
        let matches = "case $1 in $2) exit 0;; esac; exit 1";
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", matches, "sh", symbol, &glob]);
        assert!(shell.status().unwrap().success(), "{symbol}, {glob}");
    }
}

#[test]
fn what_dyld_does_comes_behind_all_else() {
    let wanted = |images, loader| Wanted {
        functions: &[],
        symbols: &[],
        arch: Arch::Arm64,
        number_offset: None,
        rate_hz: 0,
        images,
        loader,
    };
    let none = Script::new(&wanted(false, false)).text;
    let all = Script::new(&wanted(true, true)).text;
    let added = all.strip_prefix(&none).expect("the same, and more");
    let (functions, images) = added
        .split_once("/*\n * dyld tells debuggers")
        .expect("both");
    // As a person writes them.
    for line in [
        "pid$target:libdyld.dylib:?lopen:entry,",
        "pid$target:libdyld.dylib:?lsym:return,",
        "pid$target:dyld:?yld4??JustInTimeLoader??applyFixups*:entry,",
        "pid$target:dyld:?ZN*dyld4*PrebuiltLoader*applyFixups*:return",
    ] {
        assert_eq!(functions.matches(line).count(), 1, "{line}");
    }
    let predicates: Vec<&str> = images
        .lines()
        .filter(|line| line.starts_with("/("))
        .collect();
    assert_eq!(predicates.len(), 64);
    assert_eq!(
        predicates[63],
        "/(uint32_t)arg0 < 2 && (uint32_t)arg1 > 63/"
    );
    assert!(images.contains("copyin(arg2 + 24 * 63 + 8, 8)"));
    assert!(!all.contains("$$"), "nothing is left to put in");
}
