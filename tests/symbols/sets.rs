//! The sets of probes, against what `go tool nm` finds in the programs that they are for, and the
//! errors of their format.

use crate::programs::{go, go_tool, output_of, toolchain};
use gotrace::binary::elf::Elf;
use gotrace::binary::go::Version;
use gotrace::binary::instruction::Stepping;
use gotrace::capture::probes::{DEFAULT, Mode, ProbeSet, Spec, plan};
use gotrace::trace::{CallEdge, PhaseLasts};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What is asked of any program is asked of one that has goroutines, system calls and, where the
/// library has them, coroutines.
const ANY: &str = r#"package main
import ("os"; IMPORT)
func main() {
	done := make(chan string)
	go func() { name, _ := os.Hostname(); done <- name }()
	println(<-done)
	USE
}
"#;

fn any_program(version: Version) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sets-{version}"));
    std::fs::create_dir_all(&folder).unwrap();
    let coroutines = version >= Version::parse("go1.23").unwrap();
    let (import, used) = if coroutines {
        let pull =
            "next, stop := iter.Pull(func(yield func(int) bool) { yield(1) }); next(); stop()";
        (r#""iter""#, pull)
    } else {
        ("", "")
    };
    let source = folder.join("any.go");
    let text = ANY.replace("IMPORT", import).replace("USE", used);
    std::fs::write(&source, text).unwrap();
    let program = folder.join("any");
    let mut command = go().unwrap();
    command.current_dir(&folder).env("GO111MODULE", "off");
    output_of(command.args(["build", "-o"]).args([&program, &source]));
    program
}

fn symbols(program: &Path) -> BTreeSet<String> {
    let listed = go_tool("nm", &[], program, "");
    let name = |line: &str| {
        let name = line.split_whitespace().nth(2)?;
        // Assembly, which Go developers call by its name alone.
        Some(name.strip_suffix(".abi0").unwrap_or(name).to_owned())
    };
    listed.lines().filter_map(name).collect()
}

#[test]
fn every_function_of_the_sets_is_there_and_cheap_to_enter() {
    let Some(mut go) = go() else {
        println!("skipped: no go on PATH");
        return;
    };
    let version = output_of(go.args(["env", "GOVERSION"]));
    let version = Version::parse(version.trim()).unwrap();
    let mut programs = BTreeMap::new();
    let mut checked = 0;
    for set in ProbeSet::embedded().unwrap() {
        for spec in set.specs(Some(version)) {
            let image = spec.image.to_string();
            let (bytes, names) = programs.entry(image.clone()).or_insert_with(|| {
                let program = match image.as_str() {
                    "*" => any_program(version),
                    tool => toolchain(tool),
                };
                (std::fs::read(&program).unwrap(), symbols(&program))
            });
            let label = format!("{}: {spec}", set.name);
            let function = spec.function.text();
            assert!(names.contains(function), "{label}: not in {version}");
            let plan = plan(&Elf::parse(bytes).unwrap(), &[spec]).unwrap();
            assert_eq!(plan.functions.len(), 1, "{label}");
            let [entry, exits @ ..] = plan.functions[0].sites.as_slice() else {
                panic!("{label}: without places");
            };
            assert_eq!(entry.edge, CallEdge::Entry, "{label}");
            assert_eq!(entry.stepping, Stepping::Emulated, "{label}");
            assert_eq!(!exits.is_empty(), spec.mode == Mode::Call, "{label}");
            assert_eq!(plan.functions[0].blind_exits, [], "{label}");
            checked += 1;
        }
    }
    assert!(checked > 70, "{checked}");
}

#[test]
fn no_function_is_asked_for_twice_of_one_release() {
    let sets = ProbeSet::embedded().unwrap();
    for minor in 21..=28 {
        let version = Version { major: 1, minor };
        for set in &sets {
            let mut seen = BTreeSet::new();
            for spec in set.specs(Some(version)) {
                assert!(seen.insert(spec.to_string()), "{version}: {spec}");
            }
            assert!(!seen.is_empty(), "{version}: {}", set.name);
        }
    }
}

#[test]
fn the_default_set_sees_exits_only_where_the_go_command_works_on_many_goroutines() {
    let sets = ProbeSet::embedded().unwrap();
    let default = sets.iter().find(|set| set.name == DEFAULT).unwrap();
    for spec in default.specs(None) {
        assert!(
            spec.mode == Mode::Entry || spec.image.to_string() == "go",
            "{spec}"
        );
        assert!(spec.phase.is_some(), "{spec}");
    }
}

fn parse(probe: &str) -> Result<ProbeSet, String> {
    let text = format!(
        "name = \"mine\"\ndescription = \"a sentence\"\n\n[[probe]]\nimage = \"server\"\n{probe}\n"
    );
    ProbeSet::parse("mine.toml", &text).map_err(|error| {
        let mut words = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            words = format!("{words}: {error}");
            source = error.source();
        }
        words
    })
}

fn one(probe: &str) -> Spec {
    let set = parse(probe).unwrap();
    set.probes[0].spec.clone()
}

#[test]
fn a_mark_is_read_with_what_it_leaves_out() {
    let spec = one("function = \"main.f\"");
    assert_eq!((spec.mode, spec.phase), (Mode::Entry, None));
    assert_eq!(spec.set.as_deref(), Some("mine"));
    let spec = one("function = \"main.f\"\nmode = \"call\"");
    assert_eq!((spec.mode, spec.phase), (Mode::Call, None));

    let spec = one("function = \"main.f\"\nphase = \"answer\"");
    let phase = spec.phase.unwrap();
    assert_eq!(spec.mode, Mode::Entry);
    assert_eq!(
        (phase.track.as_str(), phase.name.as_str()),
        ("server", "answer")
    );
    assert_eq!((phase.lasts, phase.beside), (PhaseLasts::UntilNext, false));

    let spec = one("function = \"main.f\"\nphase = \"answer\"\nlasts = \"call\"\nbeside = true");
    let phase = spec.phase.unwrap();
    assert_eq!(spec.mode, Mode::Call);
    assert_eq!((phase.lasts, phase.beside), (PhaseLasts::Call, true));

    let end = one("function = \"main.f\"\ntrack = \"requests\"")
        .phase
        .unwrap();
    assert_eq!((end.track.as_str(), end.name.as_str()), ("requests", ""));
}

#[test]
fn a_release_has_what_its_range_holds() {
    let set = parse("function = \"main.f\"\nsince = \"1.22\"\nuntil = \"1.24\"").unwrap();
    let count = |version: &str| set.specs(Version::parse(version)).count();
    let counts = ["go1.21.13", "go1.22", "go1.24.11", "go1.25rc1"].map(count);
    assert_eq!(counts, [0, 1, 1, 0]);
    assert_eq!(set.specs(None).count(), 1, "of an unknown release, all");
}

#[test]
fn a_set_without_a_name_has_that_of_its_file() {
    let text = "[[probe]]\nimage = \"x\"\nfunction = \"main.f\"\n";
    let set = ProbeSet::parse("sets/mine.toml", text).unwrap();
    assert_eq!((&*set.name, &*set.description), ("mine", ""));
}

#[test]
fn errors_name_the_file_the_line_and_the_key() {
    let cases = [
        ("", "line 4, [[probe]]: missing field `function`"),
        (
            "function = 7",
            "line 6, function: invalid type: integer `7`, expected a string",
        ),
        (
            "function = \"main.f\"\nfuntcion = \"main.g\"",
            "line 7, funtcion: unknown field `funtcion`, expected one of `image`, `function`, \
             `phase`, `track`, `lasts`, `beside`, `mode`, `since`, `until`",
        ),
        (
            "function = \"main.f\"\nphase = \"p\"\nlasts = \"forever\"",
            "line 8, lasts: unknown variant `forever`, expected `call` or `until-next`",
        ),
        (
            "function = ",
            "line 6, function: string values must be quoted, expected literal string",
        ),
        (
            "function = \"\"",
            "line 6, function: cannot be one: expected IMAGE:FUNCTION[:entry|call], found no \
             function behind the image; * is any",
        ),
        (
            "function = \"main.f\"\nsince = \"1.21.3\"",
            "line 7, since: expected a release of Go like 1.21, found \"1.21.3\"",
        ),
        (
            "function = \"main.f\"\nuntil = \"go1.21\"",
            "line 7, until: expected a release of Go like 1.21, found \"go1.21\"",
        ),
        (
            "function = \"main.f\"\nsince = \"1.24\"\nuntil = \"1.9\"",
            "line 8, until: expected go1.24 or later, where the probe begins, found go1.9",
        ),
        (
            "function = \"main.f\"\nphase = \"p\"\nlasts = \"call\"\nmode = \"entry\"",
            "line 9, mode: expected call, for the phase lasts with the call, found entry",
        ),
        (
            "function = \"main.f\"\nlasts = \"until-next\"",
            "line 7, lasts: expected a phase or a track with it, found neither",
        ),
        (
            "function = \"main.f\"\nbeside = true",
            "line 7, beside: expected a phase or a track with it, found neither",
        ),
        (
            "function = \"main.f\"\nphase = \"\"",
            "line 7, phase: expected a name; a mark that ends a phase has a track, and no phase",
        ),
        (
            "function = \"main.f\"\ntrack = \"\"",
            "line 7, track: expected a name",
        ),
        (
            "function = \"main.f\"\ntrack = \"t\"\nlasts = \"call\"",
            "line 8, lasts: expected until-next or a phase, for the mark ends a phase, found call",
        ),
        (
            "function = \"main.f\"\n[[probe]]\nimage = \"*\"\nfunction = \"main.f\"\nphase = \"p\"",
            "line 10, phase: expected a track with it, for the image is not one name",
        ),
    ];
    for (probe, expected) in cases {
        let found = parse(probe).unwrap_err();
        assert_eq!(found, format!("mine.toml, {expected}"), "{probe}");
    }
    let error = ProbeSet::parse("x.toml", "").unwrap_err().to_string();
    assert_eq!(error, "x.toml, line 1: missing field `probe`");
    for text in [
        "name = \"x\"\ndescription = \"é",
        "\u{feff}=",
        "[[probe]]\n\0",
    ] {
        ProbeSet::parse("x.toml", text).unwrap_err();
    }
}

#[test]
fn the_example_of_the_documents_is_a_set() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/probes.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let set = ProbeSet::parse("example.toml", example).unwrap();
    assert_eq!(set.probes.len(), 2);
}

#[test]
fn the_documents_name_every_phase_and_every_set() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/probes.md");
    let page = std::fs::read_to_string(page).unwrap();
    let phases: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.split('|').nth(1))
        .flat_map(|cell| cell.split(','))
        .map(str::trim)
        .collect();
    for set in ProbeSet::embedded().unwrap() {
        assert!(set.name == DEFAULT || page.contains(&format!("| `{}` |", set.name)));
        let marks = set.specs(None).filter_map(|spec| spec.phase.as_ref());
        for mark in marks.filter(|mark| set.name == DEFAULT && !mark.name.is_empty()) {
            assert!(phases.contains(mark.name.as_str()), "{}", mark.name);
        }
    }
}
