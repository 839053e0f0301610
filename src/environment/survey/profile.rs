//! Lines of shell profiles that set variables of Go. In: the files that shells read; out: which
//! line of which sets what. Nothing is run.

use super::Surroundings;
use std::fs;
use std::path::{Path, PathBuf};

/// Files in the home folder that shells read when they start.
const IN_HOME: [&str; 9] = [
    ".profile",
    ".bash_profile",
    ".bash_login",
    ".bashrc",
    ".zshenv",
    ".zprofile",
    ".zshrc",
    ".zlogin",
    ".config/fish/config.fish",
];
/// Files that are read for all users.
const OF_ALL: [&str; 6] = [
    "/etc/environment",
    "/etc/profile",
    "/etc/bash.bashrc",
    "/etc/zshenv",
    "/etc/zprofile",
    "/etc/zshrc",
];

/// A line that sets a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileLine {
    /// The file.
    pub file: PathBuf,
    /// Its number, from 1.
    pub line: usize,
    /// The variable: `GOROOT`.
    pub variable: String,
    /// What it is set to, as it is written there.
    pub value: String,
}

/// The lines that set a variable of Go, in the order of the files.
pub(super) fn lines(surroundings: &Surroundings) -> Vec<ProfileLine> {
    let in_home = surroundings
        .home()
        .into_iter()
        .flat_map(|home| IN_HOME.map(|name| home.join(name)));
    let drop_ins = fs::read_dir("/etc/profile.d")
        .into_iter()
        .flatten()
        .flatten();
    let drop_ins = drop_ins.map(|entry| entry.path());
    let of_all = OF_ALL.iter().map(PathBuf::from);
    let files = of_all.chain(drop_ins).chain(in_home);
    files.flat_map(|file| of_file(&file)).collect()
}

fn of_file(file: &Path) -> Vec<ProfileLine> {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().zip(1..).flat_map(|(text, line)| {
        assignments(text)
            .into_iter()
            .map(move |(variable, value)| ProfileLine {
                file: file.to_owned(),
                line,
                variable,
                value,
            })
    });
    lines.collect()
}

/// `export GOROOT=...`, `GOFLAGS=... ; export GOFLAGS`, fish's `set -gx GOROOT ...`.
fn assignments(line: &str) -> Vec<(String, String)> {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix("set ") {
        let mut words = rest
            .split_whitespace()
            .skip_while(|word| word.starts_with('-'));
        let Some(name) = words.next().filter(|name| is_of_go(name)) else {
            return Vec::new();
        };
        return vec![(name.to_owned(), words.collect::<Vec<_>>().join(" "))];
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let Some((name, rest)) = line.split_once('=') else {
        return Vec::new();
    };
    if !is_of_go(name) {
        return Vec::new();
    }
    let value = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => rest[1..].split(quote).next(),
        _ => rest.split([' ', ';', '\t']).next(),
    };
    vec![(name.to_owned(), value.unwrap_or_default().to_owned())]
}

fn is_of_go(name: &str) -> bool {
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    plain && (name.starts_with("GO") || name.starts_with("CGO_") || matches!(name, "CC" | "CXX"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_set_variables_of_go_are_found() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join(".zshrc");
        let text = "# export GOROOT=/old\nexport GOROOT=\"/usr/local/go\"\nif true; then\n  GOFLAGS='-mod=mod -v'; export GOFLAGS\nfi\nexport PATH=$PATH:$GOROOT/bin\nset -gx GOPATH $HOME/go\nalias GO=go\ngo=1\n";
        fs::write(&file, text).expect("written");
        let found = of_file(&file);
        let told: Vec<_> = found
            .iter()
            .map(|one| (one.line, &*one.variable, &*one.value))
            .collect();
        assert_eq!(
            told,
            [
                (2, "GOROOT", "/usr/local/go"),
                (4, "GOFLAGS", "-mod=mod -v"),
                (7, "GOPATH", "$HOME/go")
            ]
        );
    }
}
