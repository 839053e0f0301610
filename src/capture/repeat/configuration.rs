//! What is different for some of the runs, and the folder that their traces go to.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::capture::Change;

/// One way to run the command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// What the user calls it: `GOGC=50`, `go1.27.3-arm64`.
    pub name: String,
    /// The name of its folder: safe in a path, and of no other configuration.
    pub folder: String,
    /// What is different.
    pub changes: Vec<Change>,
    /// What its traces say of it besides: key and value of settings.
    pub settings: Vec<(String, Vec<u8>)>,
}

impl Configuration {
    /// A configuration that has no folder yet.
    #[must_use]
    pub fn new(name: impl Into<String>, changes: Vec<Change>) -> Self {
        Self {
            name: name.into(),
            changes,
            ..Self::default()
        }
    }

    /// That of one change, with the words that it was given by as its name.
    #[must_use]
    pub fn varied(words: &OsStr, change: Change) -> Self {
        let name = words.to_string_lossy();
        Self::new(name, vec![change]).with("repeat.vary", words.as_bytes())
    }

    /// What a comparison with another one is to let differ, because it is what was varied: facts as
    /// `compare --allow` names them. `GOGC` and `GODEBUG` need no leave.
    #[must_use]
    pub fn varies_against(&self, other: &Self) -> Vec<&'static str> {
        let mut facts = Vec::new();
        let only_here = self
            .changes
            .iter()
            .filter(|one| !other.changes.contains(one));
        let only_there = other
            .changes
            .iter()
            .filter(|one| !self.changes.contains(one));
        for change in only_here.chain(only_there) {
            let fact = match change {
                Change::GoFlag(_) | Change::LinkerFlag(_) => "flags",
                // Toolchains are called by their version: `go1.27.3-arm64`.
                Change::PathFirst(_) if version(self) == version(other) => continue,
                Change::PathFirst(_) => "go",
                Change::Variable(name, _) => match name.as_str() {
                    "GOFLAGS" => "flags",
                    "GOMAXPROCS" => "gomaxprocs",
                    "GOOS" | "GOARCH" | "CGO_ENABLED" => "target",
                    _ => continue,
                },
                Change::Unset(_) => continue,
            };
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        facts
    }

    /// Has its traces say this of it.
    #[must_use]
    pub fn with(mut self, key: &str, value: &[u8]) -> Self {
        self.settings.push((key.to_owned(), value.to_vec()));
        self
    }
}

fn version(configuration: &Configuration) -> Option<&str> {
    configuration.name.split('-').next()
}

/// The longest name of a folder; file systems take 255 bytes.
const LONGEST: usize = 100;

/// Gives each configuration a folder of its own, of letters that no shell and no file system takes
/// for something else. Names that become the same, also where case does not count, get a number;
/// those that are the same (A against A) have it in the name, too.
pub fn give_folders(configurations: &mut [Configuration]) {
    let mut taken: Vec<String> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for configuration in configurations {
        let of_this_name = names.iter().filter(|name| **name == configuration.name);
        let before = of_this_name.count();
        names.push(configuration.name.clone());
        let plain = safe(&configuration.name);
        let mut folder = plain.clone();
        let mut number = 1;
        while taken.contains(&folder.to_ascii_lowercase()) {
            number += 1;
            folder = format!("{plain}-{number}");
        }
        taken.push(folder.to_ascii_lowercase());
        configuration.folder = folder;
        if before > 0 {
            let number = before + 1;
            configuration.name.push_str(&format!("-{number}"));
        }
    }
}

/// Letters, digits and `.,+=@_-`; what else there is becomes `_`. A first letter that would make
/// it hidden or a flag is left out.
fn safe(name: &str) -> String {
    let plain = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() || ".,+=@_-".contains(letter) => letter,
        _ => '_',
    };
    let name = name.trim_start_matches(['.', '-']);
    let name: String = name.chars().take(LONGEST).map(plain).collect();
    match name.as_str() {
        "" => "_".to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(names: &[&str]) -> Vec<String> {
        let configurations = names.iter().map(|name| Configuration::new(*name, vec![]));
        let mut configurations: Vec<Configuration> = configurations.collect();
        give_folders(&mut configurations);
        let folders = configurations.into_iter().map(|one| one.folder);
        folders.collect()
    }

    #[test]
    fn every_value_has_a_safe_folder() {
        let names = [
            "GOGC=50",
            "-p=4",
            "GOFLAGS=-ldflags=-s -w",
            "CC=/usr/bin/gcc",
            "..",
            "",
            "A=ä\n\"$(x)\"",
        ];
        let expected = [
            "GOGC=50",
            "p=4",
            "GOFLAGS=-ldflags=-s_-w",
            "CC=_usr_bin_gcc",
            "_",
            "_-2",
            "A=_____x__",
        ]
        .map(str::to_owned);
        assert_eq!(folders(&names), expected);
        let long = "x".repeat(1_000);
        assert_eq!(folders(&[&long])[0].len(), LONGEST);
    }

    #[test]
    fn what_was_varied_on_purpose_may_differ() {
        let varied = |words: &str| {
            let words = OsStr::new(words);
            Configuration::varied(words, Change::of(words).expect("a change"))
        };
        let facts = |one: &str, other: &str| varied(one).varies_against(&varied(other));
        assert_eq!(facts("GOGC=50", "GODEBUG=gctrace=1"), [""; 0]);
        assert_eq!(facts("-p=1", "-p=2"), ["flags"]);
        assert_eq!(facts("-p=1", "-p=1"), [""; 0]);
        assert_eq!(
            facts("linkmode=internal", "GOMAXPROCS=1"),
            ["flags", "gomaxprocs"]
        );
        assert_eq!(facts("GOARCH=arm64", "A=1"), ["target"]);
        let toolchain = |name: &str| Configuration::new(name, vec![Change::PathFirst(name.into())]);
        let facts = |one: &str, other: &str| toolchain(one).varies_against(&toolchain(other));
        assert_eq!(facts("go1.27.3-amd64", "go1.27.3-arm64"), [""; 0]);
        assert_eq!(facts("go1.26.1-amd64", "go1.27.3-amd64"), ["go"]);
    }

    #[test]
    fn the_same_twice_has_two_names() {
        let same = || Configuration::new("A=1", vec![]);
        let mut all = [same(), Configuration::new("A=2", vec![]), same(), same()];
        give_folders(&mut all);
        let names = all.map(|one| one.name);
        assert_eq!(names, ["A=1", "A=2", "A=1-2", "A=1-3"]);
    }

    #[test]
    fn names_that_become_the_same_stay_apart() {
        let names = ["A=b/c", "A=b c", "A=B_C", "A=b_c-2", "A=b/c"];
        let expected = ["A=b_c", "A=b_c-2", "A=B_C-3", "A=b_c-2-2", "A=b_c-4"];
        assert_eq!(folders(&names), expected);
    }
}
