//! The rules of the house, held by tests: `cargo test --test tidy`.
//!
//! A rule looks at one file and complains. Every rule is run here over the whole repository,
//! and in a test of its own on something bad, to show that it can fail.

#[cfg(test)]
#[path = "tidy/bad.rs"]
mod bad;
#[cfg(test)]
#[path = "tidy/licences.rs"]
mod licences;
#[cfg(test)]
#[path = "tidy/rooms.rs"]
mod rooms;
#[cfg(test)]
#[path = "tidy/rules.rs"]
mod rules;
#[cfg(test)]
#[path = "tidy/source.rs"]
mod source;

use source::File;
use std::path::Path;
use std::process::Command;

/// A broken rule, and where.
#[derive(Debug)]
struct Complaint {
    place: String,
    what: String,
}

impl Complaint {
    fn new(file: &File, line: usize, what: impl Into<String>) -> Self {
        Self {
            place: format!("{}:{line}", file.path),
            what: what.into(),
        }
    }
}

/// Fails with every complaint of a rule over the repository.
fn hold(rule: impl Fn(&File) -> Vec<Complaint>) {
    let complaints: Vec<String> = source::files()
        .iter()
        .flat_map(rule)
        .map(|complaint| format!("{}: {}", complaint.place, complaint.what))
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn the_repository_is_seen() {
    let files = source::files();
    for path in [
        "Cargo.toml",
        "src/lib.rs",
        "src/trace/mod.rs",
        "tests/tidy.rs",
        ".ci/run",
    ] {
        assert!(
            files.iter().any(|file| file.path == path),
            "{path} is not looked at"
        );
    }
}

#[test]
fn data_flows_one_way() {
    hold(rooms::one_way);
}

#[test]
fn the_map_of_the_house_is_true() {
    let mut there_are: Vec<String> = source::files()
        .iter()
        .filter_map(|file| file.room().map(str::to_owned))
        .filter(|room| room != "bin")
        .collect();
    there_are.sort();
    there_are.dedup();
    let complaints = rooms::untrue(
        &std::fs::read_to_string("ARCHITECTURE.md").unwrap(),
        &there_are,
    );
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    let library = std::fs::read_to_string("src/lib.rs").unwrap();
    for room in there_are {
        let named = library.contains(&format!("[`{room}`]"));
        assert!(named, "src/lib.rs does not say what {room} is for");
    }
}

#[test]
fn modules_are_nouns_of_the_domain() {
    hold(rules::names);
}

#[test]
fn files_are_short() {
    hold(rules::size);
}

#[test]
fn functions_are_short() {
    let limits = std::fs::read_to_string("clippy.toml").unwrap();
    assert!(limits.contains("too-many-lines-threshold = 80"), "{limits}");
    let lints = std::fs::read_to_string("Cargo.toml").unwrap();
    assert!(
        lints.contains("too_many_lines = \"warn\""),
        "clippy does not count lines"
    );
}

#[test]
fn unsafe_code_is_rare_and_explained() {
    hold(rules::unsafe_code);
}

#[test]
fn few_files_know_the_platform() {
    hold(rules::platform);
}

#[test]
fn modules_say_what_they_are() {
    hold(rules::module_docs);
}

#[test]
fn what_is_left_to_do_has_an_issue() {
    hold(rules::left_to_do);
}

#[test]
fn only_export_serializes() {
    hold(rules::serialize);
}

#[test]
fn lints_are_expected_and_never_allowed() {
    hold(rules::allow);
}

#[test]
fn rooms_that_compute_do_no_input_or_output() {
    hold(rules::input_output);
}

#[test]
fn only_the_command_line_prints() {
    hold(rules::print);
}

#[test]
fn no_path_of_a_build_machine() {
    hold(rules::build_paths);
}

#[test]
fn no_host_name_of_a_registry() {
    hold(rules::registries);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    hold(|file| rules::links(file, |path| root.join(path).exists()));
}

#[test]
fn the_list_of_documents_is_whole() {
    let list = std::fs::read_to_string("docs/README.md").unwrap();
    for file in source::files() {
        let name = file.path.strip_prefix("docs/").unwrap_or("README.md");
        assert!(
            name == "README.md" || list.contains(&format!("({name})")),
            "docs/README.md does not list {name}"
        );
    }
}

#[test]
fn dependencies_are_sorted() {
    let manifest = std::fs::read_to_string("Cargo.toml").unwrap();
    for section in manifest
        .split("\n[")
        .filter(|s| s.contains("dependencies]\n"))
    {
        let names: Vec<&str> = section
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(" = "))
            .map(|(name, _)| name)
            .collect();
        assert!(!names.is_empty() && names.is_sorted(), "{names:?}");
    }
}

#[test]
fn dependencies_may_be_used() {
    let toml = std::fs::read_to_string("deny.toml").unwrap();
    let (allowed, banned) = (
        licences::list(&toml, "allow"),
        licences::list(&toml, "deny"),
    );
    let packages = licences::packages();
    assert!(
        packages.iter().any(|package| package.name == "inferno"),
        "cargo lists no inferno"
    );
    let objections: Vec<String> = packages
        .iter()
        .filter_map(|package| licences::objection(package, &allowed, &banned))
        .collect();
    assert!(objections.is_empty(), "\n{}", objections.join("\n"));
}

#[test]
fn what_can_be_executed_is_a_script() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    hold(|file| {
        let mode = root.join(&file.path).metadata().unwrap().permissions();
        rules::executable(file, mode.mode() & 0o111 != 0)
    });
}

#[test]
fn every_script_explains_itself() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut scripts = 0;
    for file in source::files() {
        let place = file.path.starts_with("scripts/") || file.path.starts_with(".ci/");
        if !place || !file.text.starts_with("#!") {
            continue;
        }
        scripts += 1;
        let output = Command::new(root.join(&file.path)).arg("--help").output();
        let output = output.unwrap_or_else(|e| panic!("{}: {e}", file.path));
        let help = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{} --help: {}",
            file.path,
            output.status
        );
        assert!(
            help.to_lowercase().starts_with("usage: "),
            "{} --help: {help}",
            file.path
        );
    }
    assert!(scripts >= 5, "{scripts} scripts");
}
