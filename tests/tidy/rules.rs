//! Rules for a single file: names, sizes, safety, platforms, comments, leaks.

use crate::Complaint;
use crate::source::{File, line_at, words};

const BANNED_NAMES: [&str; 11] = [
    "util", "utils", "helper", "helpers", "common", "shared", "types", "misc", "manager",
    "managers", "core",
];

/// Hard limit of lines in a source file; 400 are aimed at.
pub(crate) const MOST_LINES: usize = 800;

/// Modules are nouns of the domain.
pub(crate) fn names(file: &File) -> Vec<Complaint> {
    if !file.is_rust() {
        return Vec::new();
    }
    let mut named: Vec<(String, usize)> = file
        .path
        .trim_end_matches(".rs")
        .split('/')
        .map(|part| (part.to_owned(), 1))
        .collect();
    for at in words(&file.code, "mod") {
        let name = file.code[at + 3..].trim_start();
        let end = name
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(name.len());
        named.push((name[..end].to_owned(), line_at(&file.code, at)));
    }
    named
        .into_iter()
        .filter(|(name, _)| BANNED_NAMES.contains(&name.as_str()))
        .map(|(name, line)| Complaint::new(file, line, format!("`{name}` says nothing as a name")))
        .collect()
}

/// A file stays short enough to be read.
pub(crate) fn size(file: &File) -> Vec<Complaint> {
    let source = [".rs", ".c", ".h", ".py"]
        .iter()
        .any(|end| file.path.ends_with(end));
    let lines = file.text.lines().count();
    if !source && !file.path.starts_with("scripts/") || lines <= MOST_LINES {
        return Vec::new();
    }
    vec![Complaint::new(
        file,
        lines,
        format!("{lines} lines; {MOST_LINES} are the most"),
    )]
}

/// Where `unsafe` may stand: where calls to the system are made, and what is injected.
fn may_be_unsafe(path: &str) -> bool {
    const FILES: [&str; 6] = [
        "src/capture/sys.rs",
        "src/capture/linux/sys.rs",
        "src/capture/macos/sys.rs",
        "src/environment/sys.rs",
        "src/environment/linux/sys.rs",
        "src/environment/macos/sys.rs",
    ];
    const FOLDERS: [&str; 5] = [
        "probes/",
        "tests/",
        "src/capture/sys/",
        "src/capture/linux/sys/",
        "src/capture/macos/sys/",
    ];
    FILES.contains(&path)
        || path == "src/symbolize/mapped.rs"
        || FOLDERS.iter().any(|folder| path.starts_with(folder))
}

/// `unsafe` stands only where it may, and after a note that says why it is sound.
pub(crate) fn unsafe_code(file: &File) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for at in words(&file.code, "unsafe") {
        let line = line_at(&file.code, at);
        if !may_be_unsafe(&file.path) {
            complaints.push(Complaint::new(file, line, "unsafe is not for this file"));
        }
        let after = file.code[at + 6..].trim_start();
        let needs_note = after.starts_with('{') || after.starts_with("impl");
        if needs_note && !has_safety_note(&file.text, line) {
            complaints.push(Complaint::new(
                file,
                line,
                "unsafe without a SAFETY note before it",
            ));
        }
    }
    complaints
}

/// Looks for `// SAFETY:` on the lines before, as far as the statement and its comment reach.
fn has_safety_note(text: &str, line: usize) -> bool {
    let lines: Vec<&str> = text.lines().take(line).map(str::trim).collect();
    let before = lines.iter().rev().skip(1).take_while(|line| {
        line.starts_with("//") || !line.is_empty() && !line.ends_with([';', '}'])
    });
    lines
        .last()
        .into_iter()
        .chain(before)
        .any(|line| line.contains("// SAFETY:"))
}

/// Where code may depend on the operating system.
fn may_know_the_platform(path: &str) -> bool {
    const PLACES: [&str; 8] = [
        "src/capture/mod.rs",
        "src/capture/sys.rs",
        "src/capture/linux/",
        "src/capture/macos/",
        "src/environment/sys.rs",
        "src/environment/linux/",
        "src/environment/macos/",
        "probes/",
    ];
    PLACES.iter().any(|place| path.starts_with(place))
}

/// The operating system is known in few places.
pub(crate) fn platform(file: &File) -> Vec<Complaint> {
    if may_know_the_platform(&file.path) {
        return Vec::new();
    }
    words(&file.product, "target_os")
        .map(|at| {
            Complaint::new(
                file,
                line_at(&file.product, at),
                "target_os is not for this file",
            )
        })
        .collect()
}

/// Every module begins with what it is.
pub(crate) fn module_docs(file: &File) -> Vec<Complaint> {
    if !file.is_rust() || file.text.starts_with("//! ") || file.path.contains("/data/") {
        return Vec::new();
    }
    vec![Complaint::new(file, 1, "no `//!` line at the start")]
}

/// What is left to do has an issue. Flamegraphs hold inferno's script.
pub(crate) fn left_to_do(file: &File) -> Vec<Complaint> {
    // In compressed bytes any three letters occur.
    let packed = [".gotrace", ".png"];
    if packed.iter().any(|end| file.path.ends_with(end)) {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    if file.path.starts_with("flamegraphs/") && file.path.ends_with(".svg") {
        return complaints;
    }
    for mark in ["TODO", "FIXME", "XXX"] {
        for at in words(&file.text, mark) {
            let after = &file.text[at + mark.len()..];
            let numbered = after
                .strip_prefix("(#")
                .is_some_and(|n| n.starts_with(char::is_numeric));
            if !numbered && !file.path.starts_with("tests/tidy") {
                let line = line_at(&file.text, at);
                complaints.push(Complaint::new(
                    file,
                    line,
                    format!("{mark} without an issue"),
                ));
            }
        }
    }
    complaints
}

/// What is written for machines is decided in `export` alone.
pub(crate) fn serialize(file: &File) -> Vec<Complaint> {
    if file.room().is_none_or(|room| room == "export") {
        return Vec::new();
    }
    words(&file.product, "Serialize")
        .map(|at| {
            let line = line_at(&file.product, at);
            Complaint::new(file, line, "Serialize is for the records of export alone")
        })
        .collect()
}

/// A lint is expected with a reason, never allowed.
pub(crate) fn allow(file: &File) -> Vec<Complaint> {
    words(&file.code, "allow")
        .filter(|&at| {
            let before = file.code[..at].trim_end();
            before.ends_with("#[") || before.ends_with("#![") || before.ends_with(',')
        })
        .filter(|at| file.code[at + 5..].trim_start().starts_with('('))
        .map(|at| {
            Complaint::new(
                file,
                line_at(&file.code, at),
                "#[expect(..., reason)], not allow",
            )
        })
        .collect()
}

/// Rooms that compute do no I/O: what they need is handed to them.
pub(crate) fn input_output(file: &File) -> Vec<Complaint> {
    let pure = [
        "src/binary/",
        "src/analyze/",
        "src/render/",
        "src/export/",
        "src/capture/decode/",
    ];
    if !pure.iter().any(|place| file.path.starts_with(place)) {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for module in ["fs", "net", "process", "env", "thread"] {
        for at in words(&file.product, module) {
            let before = file.product[..at].trim_end();
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            let grouped = before[line_start..].starts_with("use std::{");
            if before.ends_with("std::") || grouped {
                let line = line_at(&file.product, at);
                complaints.push(Complaint::new(file, line, format!("std::{module} is I/O")));
            }
        }
    }
    complaints
}

/// Only the command line prints.
pub(crate) fn print(file: &File) -> Vec<Complaint> {
    if file.room().is_none_or(|room| room == "cli") {
        return Vec::new();
    }
    ["print", "println", "eprint", "eprintln"]
        .into_iter()
        .flat_map(|name| words(&file.product, name))
        .filter(|&at| {
            file.product[at..]
                .find('!')
                .is_some_and(|end| end <= "eprintln".len())
        })
        .map(|at| Complaint::new(file, line_at(&file.product, at), "only cli prints"))
        .collect()
}

/// Nothing names a place of the machine that it was made on.
pub(crate) fn build_paths(file: &File) -> Vec<Complaint> {
    let here = env!("CARGO_MANIFEST_DIR");
    let home = std::env::var("HOME").unwrap_or_default();
    let mut places: Vec<String> = ["/work/", "/Users/"].map(str::to_owned).into();
    if here.matches('/').count() > 1 {
        places.push(here.to_owned());
    }
    if home.len() > 1 {
        places.extend([".cargo", ".rustup"].map(|folder| format!("{home}/{folder}")));
    }
    found(
        file,
        &places,
        "a path of the machine that made it",
        |before| {
            // In a longer path it is a folder of another name: cmd/go/internal/work/.
            !before.ends_with(|c: char| c.is_alphanumeric() || "_.-".contains(c))
        },
    )
}

/// Which registry a package comes from is the user's setting, not ours.
pub(crate) fn registries(file: &File) -> Vec<Complaint> {
    if file.path == "Cargo.lock" {
        return Vec::new();
    }
    let hosts = [
        ["index.crates", "io"],
        ["static.crates", "io"],
        ["pypi", "org"],
        ["files.pythonhosted", "org"],
        ["registry.npmjs", "org"],
        ["proxy.golang", "org"],
        ["deb.debian", "org"],
    ]
    .map(|parts| parts.join("."));
    found(file, &hosts, "the host name of a registry", |_| true)
}

/// What can be executed is a script, or lies where programs and libraries are kept that are made elsewhere.
pub(crate) fn executable(file: &File, is_executable: bool) -> Vec<Complaint> {
    const KEPT: [&str; 3] = ["probes/prebuilt/", "tests/data/", "fuzz/seeds/"];
    let kept = KEPT.iter().any(|folder| file.path.starts_with(folder));
    if !is_executable || kept || file.text.starts_with("#!") {
        return Vec::new();
    }
    vec![Complaint::new(file, 1, "an executable that is no script")]
}

/// Complains of texts where `begins` agrees with what stands before them.
fn found(
    file: &File,
    texts: &[String],
    what: &str,
    begins: impl Fn(&str) -> bool,
) -> Vec<Complaint> {
    if file.path.starts_with("tests/tidy") {
        return Vec::new();
    }
    texts
        .iter()
        .flat_map(|text| file.text.match_indices(text.as_str()))
        .filter(|&(at, _)| begins(&file.text[..at]))
        .map(|(at, text)| Complaint::new(file, line_at(&file.text, at), format!("{text}: {what}")))
        .collect()
}

/// Links between documents lead somewhere. `exists` is asked for a path from the root.
pub(crate) fn links(file: &File, exists: impl Fn(&str) -> bool) -> Vec<Complaint> {
    if !file.path.ends_with(".md") {
        return Vec::new();
    }
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut complaints = Vec::new();
    for (at, _) in file.text.match_indices("](") {
        let rest = &file.text[at + 2..];
        let target = rest.split([')', ' ', '#']).next().unwrap_or_default();
        if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        if !exists(&parts.join("/")) {
            let line = line_at(&file.text, at);
            complaints.push(Complaint::new(
                file,
                line,
                format!("{target}: no such file"),
            ));
        }
    }
    complaints
}
