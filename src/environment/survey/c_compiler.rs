//! The C compiler that cgo takes: whether it is there, and for what it compiles.

use super::{Surroundings, find};
use crate::environment::go_flags;
use crate::environment::toolchain::Toolchain;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The C compiler that cgo takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CCompiler {
    /// Its command line: `gcc`, `zig cc -target ...`.
    pub command: String,
    /// The program that this names first: `gcc`, `zig`, `ccache`.
    pub program: String,
    /// It was chosen (`CC`), and is not the go command's own choice.
    pub chosen: bool,
    /// Where it is.
    pub found: Option<PathBuf>,
    /// For what it says it compiles (`-dumpmachine`): `x86_64-linux-gnu`.
    pub target: Option<String>,
    /// Why it refuses the flags of its command line, in its own words.
    pub refusal: Option<String>,
    /// What is named is a folder.
    pub is_folder: bool,
}

impl CCompiler {
    pub(super) fn of(toolchain: Option<&Toolchain>, surroundings: &Surroundings) -> Self {
        let asked = toolchain.map_or("", |toolchain| toolchain.variable("CC"));
        let command = match asked {
            "" => surroundings.text("CC"),
            asked => asked.to_owned(),
        };
        let program = words(&command).into_iter().next().unwrap_or_default();
        Self {
            chosen: surroundings.get("CC").is_some(),
            found: find(OsStr::new(&program), surroundings).filter(|_| !program.is_empty()),
            is_folder: Path::new(&program).is_absolute() && Path::new(&program).is_dir(),
            command,
            program,
            ..Self::default()
        }
    }

    /// Asks it for what it compiles, and whether it takes its flags: it preprocesses an empty file.
    pub(super) fn ask(&mut self, surroundings: &Surroundings) {
        let Some(path) = &self.found else { return };
        let words = words(&self.command);
        let flags: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let answer = surroundings.output(path, &[&flags[..], &["-dumpmachine"]].concat());
        // A triple is one word with dashes.
        self.target = answer
            .ok()
            .filter(|answer| answer.contains('-') && !answer.contains(char::is_whitespace));
        if !flags.is_empty() {
            let nothing = ["-E", "-x", "c", "/dev/null"];
            let answer = surroundings.output(path, &[&flags[..], &nothing].concat());
            self.refusal = answer.err().filter(|why| !why.is_empty());
        }
    }
}

/// The words of `CC`, as the go command splits them.
fn words(command: &str) -> Vec<String> {
    let words = go_flags::split(command.as_bytes()).unwrap_or_default();
    let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
    words.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_a_path_together() {
        assert_eq!(words("'/a b/cc' -m64  \"x y\""), ["/a b/cc", "-m64", "x y"]);
        assert_eq!(words("gcc"), ["gcc"]);
        assert!(words(" ").is_empty());
    }
}
