//! What is shown and written of made-up toolchains that have everything, as golden files have it
//! (`UPDATE=1` writes them anew), and the keys of the JSON, as the page has them.

use crate::expected;
use crate::tracing::goroot;
use gotrace::analyze::toolchain::{
    Check, InstrumentedProgram, Prepared, PreparedProgram, Standing, Tracing, tracing,
};
use gotrace::binary::macho::signature::SignatureFlags;
use gotrace::capture::instrumented;
use gotrace::capture::probes::Mode;
use gotrace::environment::goroot::{Format, Listed, Place, Runs, Signed, SliceOfProgram};
use gotrace::export::json;
use gotrace::render::text::{Page, toolchain as text};
use std::path::PathBuf;

fn macho(arch: &str, flags: u32, entitlements: &[&str]) -> Format {
    Format::MachO(vec![SliceOfProgram {
        arch: arch.to_owned(),
        signature: Some(Signed {
            flags: SignatureFlags(flags),
            team: Some("EQHXZ8M8AV".to_owned()),
            entitlements: entitlements.iter().map(|&key| key.to_owned()).collect(),
        }),
        instrumented: false,
    }])
}

fn listed() -> Vec<Listed> {
    let one = |places: &[Place], root: &str, formats: Vec<Format>, runs: Runs| {
        let mut goroot = goroot(formats);
        goroot.root = PathBuf::from(root);
        Listed {
            places: places.to_vec(),
            goroot,
            runs,
        }
    };
    let on_path = |go: &str, first| Place::Path {
        go: PathBuf::from(go),
        first,
    };
    let hardened = || macho("arm64", 0x1_0000, &[]);
    let open = || macho("amd64", 2, &["com.apple.security.get-task-allow"]);
    let unread = || Format::Unread("Permission denied (os error 13)".to_owned());
    let mut script = one(
        &[on_path("/home/me/.shims/go", true)],
        "/home/me/.shims/go",
        vec![Format::Other],
        Runs::Natively,
    );
    script.goroot.version.clear();
    vec![
        script,
        one(
            &[on_path("/usr/local/bin/go", false), Place::Official],
            "/usr/local/go",
            vec![hardened(), hardened(), unread()],
            Runs::Natively,
        ),
        one(
            &[Place::Toolchain, Place::ModuleCache],
            "/home/me/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.27.3.darwin-amd64",
            vec![open(), open()],
            Runs::Translated("rosetta".to_owned()),
        ),
        one(
            &[Place::Goroot, Place::Sdk, Place::Homebrew, Place::Package],
            "/home/me/sdk/go1.27.3",
            vec![Format::Elf { arch: "arm64" }],
            Runs::NotHere,
        ),
    ]
}

fn judged(listed: &[Listed]) -> Vec<(&Listed, Tracing)> {
    listed
        .iter()
        .map(|one| (one, tracing(&one.goroot, &one.runs)))
        .collect()
}

fn checks() -> Vec<Check> {
    let check = |name, standing, said: [&str; 4]| Check {
        name,
        standing,
        subject: said[0].to_owned(),
        expected: said[1].to_owned(),
        found: said[2].to_owned(),
        remedy: said[3].to_owned(),
    };
    vec![
        check(
            "version",
            Standing::Fine,
            ["new/go/VERSION", "go1.27.3", "go1.27.3", ""],
        ),
        check(
            "standard-library",
            Standing::Error,
            [
                "new/go/src/fmt/print.go",
                "sha256 0123...",
                "no such file",
                "unpack it again",
            ],
        ),
        check(
            "standard-library",
            Standing::Error,
            [
                "new/go/src/fmt/scan.go",
                "sha256 4567...",
                "sha256 89ab...",
                "unpack it again",
            ],
        ),
        check(
            "GOARCH",
            Standing::Warning,
            [
                "GOARCH",
                "the same for both",
                "unset",
                "set GOARCH for both",
            ],
        ),
        check(
            "GOMODCACHE",
            Standing::Note,
            ["GOMODCACHE", "a folder apart from /m", "/m", ""],
        ),
    ]
}

fn list_json() -> Vec<u8> {
    let mut written = Vec::new();
    json::toolchains(&judged(&listed()), Some("go1.27.3"), &mut written).unwrap();
    written
}

fn pair_json() -> Vec<u8> {
    let mut written = Vec::new();
    json::pair(["base", "new"], &checks(), &mut written).unwrap();
    written
}

fn prepared() -> Prepared {
    Prepared {
        programs: vec![PreparedProgram {
            path: "bin/go".to_owned(),
            arch: "arm64".to_owned(),
            before: "hardened".to_owned(),
            after: ["ad hoc", "com.apple.security.get-task-allow"]
                .map(str::to_owned)
                .into(),
            pages: 3898,
            instrumented: None,
        }],
        version: "go1.27.3".to_owned(),
        from: "/usr/local/go".to_owned(),
        to: "/home/me/traceable".to_owned(),
        files: 12_087,
    }
}

/// The same with programs that are instrumented, or were to be.
fn instrumented() -> Prepared {
    let why = |function: &str, why: &str| (function.to_owned(), why.to_owned());
    let all = InstrumentedProgram {
        functions: 1_234,
        left_alone: vec![
            why(
                "main.small",
                "its entry has no room for a jump (a frame of size 0)",
            ),
            why("main.f", "its exit at 0x100001234 has no room for a jump"),
            why("main.g", "its exit at 0x100005678 has no room for a jump"),
        ],
        unmatched: vec!["bin/go: no function is called main.nothing".to_owned()],
        refused: None,
    };
    let refused = InstrumentedProgram {
        refused: Some("no copy can be made of it: it has trampolines already".to_owned()),
        ..InstrumentedProgram::default()
    };
    let mut prepared = prepared();
    let first = prepared.programs[0].clone();
    prepared.programs = [Some(all), Some(refused), None]
        .map(|instrumented| PreparedProgram {
            instrumented,
            ..first.clone()
        })
        .into();
    prepared
}

fn prepared_json(prepared: &Prepared) -> Vec<u8> {
    let mut written = Vec::new();
    json::prepared(prepared, &mut written).unwrap();
    written
}

fn functions_json() -> Vec<u8> {
    let told = |number, name, set| json::ToldRow {
        number,
        name,
        file: "/src/main.go",
        edges: if number == 0 { "call" } else { "entry" },
        set,
        entry_offset: 4_112 + 64 * number as u64,
        exit_count: if number == 0 { 2 } else { 0 },
    };
    let row = json::InstrumentedRow {
        path: "bin/go".to_owned(),
        image: "0123456789abcdef".to_owned(),
        functions: vec![
            told(0, "main.main", None),
            told(1, "main.f", Some("go-build")),
        ],
    };
    let mut written = Vec::new();
    json::instrumented(&[row], &mut written).unwrap();
    written
}

#[test]
fn text_and_json_are_as_they_were() {
    let wide = Page {
        columns: 200,
        ..Page::default()
    };
    let mut list = Vec::new();
    text::list(&judged(&listed()), &wide, &mut list).unwrap();
    expected::file("toolchain/list.txt", &list);
    let mut none = Vec::new();
    text::list(&[], &wide, &mut none).unwrap();
    assert!(none.is_empty());
    let mut pair = Vec::new();
    text::pair(["base", "new"], &checks(), true, &wide, &mut pair).unwrap();
    text::pair(["base", "new"], &checks(), false, &wide, &mut pair).unwrap();
    text::pair(["base", "new"], &checks()[3..], false, &wide, &mut pair).unwrap();
    text::pair(["base", "new"], &checks()[..1], false, &wide, &mut pair).unwrap();
    expected::file("toolchain/pair.txt", &pair);
    let mut written = Vec::new();
    text::prepared(&prepared(), &wide, &mut written).unwrap();
    text::prepared(&instrumented(), &wide, &mut written).unwrap();
    expected::file("toolchain/prepared.txt", &written);
    expected::file("toolchain/list.json", &list_json());
    expected::file("toolchain/pair.json", &pair_json());
    expected::file("toolchain/prepared.json", &prepared_json(&prepared()));
    expected::file(
        "toolchain/instrumented.json",
        &prepared_json(&instrumented()),
    );
    expected::file("toolchain/functions.json", &functions_json());
}

#[test]
fn what_functions_tell_is_read_as_it_is_written() {
    let read = instrumented::programs(&functions_json()).unwrap();
    let [program] = read.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!(
        (program.path.to_str(), program.image),
        (Some("bin/go"), 0x0123_4567_89ab_cdef)
    );
    let functions = program.functions.iter();
    let functions: Vec<_> = functions
        .map(|told| {
            (
                &*told.name,
                told.mode,
                told.set.as_deref(),
                told.entry,
                told.exits,
            )
        })
        .collect();
    let expected = [
        ("main.main", Mode::Call, None, 4_112, 2),
        ("main.f", Mode::Entry, Some("go-build"), 4_176, 0),
    ];
    assert_eq!(functions, expected);
}

#[test]
fn every_key_is_documented_and_every_documented_key_is_printed() {
    expected::keys("toolchain list", &[list_json()]);
    expected::keys("toolchain verify", &[pair_json()]);
    let prepared = [prepared(), instrumented()].map(|prepared| prepared_json(&prepared));
    expected::keys("toolchain prepare", &prepared);
    expected::keys("toolchain functions", &[functions_json()]);
}
