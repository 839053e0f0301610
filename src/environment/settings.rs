//! Which settings a Go toolchain knows: read from its own source, in its `GOROOT`.
//!
//! ```text
//! src/internal/godebugs/table.go   keys of GODEBUG:  {Name: "panicnil", Package: "runtime", ...},
//! src/runtime/runtime1.go          the runtime's:    {name: "asyncpreemptoff", value: ...},
//! src/runtime/extern.go            those it documents, and its variables:
//!                                  cpu.*: cpu.all=off disables ...     The GOGC variable sets ...
//! src/internal/cfg/cfg.go          variables of the go command, one a line of KnownEnv
//! src/internal/platform/zosarch.go what can be built for:  {"linux", "amd64"},
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use strsim::osa_distance;

/// Up to how many letters a name is short: other programs have such names, too, which differ in one letter.
const SHORT: usize = 5;

/// The names that a toolchain knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownSettings {
    /// Keys of `GODEBUG`; one that ends with `*` stands for all that begin so.
    pub debug_keys: BTreeSet<String>,
    /// Variables that the runtime of every Go program heeds.
    pub runtime_variables: BTreeSet<String>,
    /// Variables that the go command heeds.
    pub go_variables: BTreeSet<String>,
    /// What it builds for, as `linux/amd64`; empty where it does not say so.
    pub platforms: BTreeSet<String>,
}

/// A source file of the toolchain that cannot be read, or does not list what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It cannot be read.
    #[error("{}: cannot read which settings there are", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing was found in it.
    #[error("{}: no list of settings found: a layout that is not known", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
}

impl KnownSettings {
    /// Reads those of the toolchain with this `GOROOT`.
    ///
    /// # Errors
    ///
    /// When a file is not there, or has another layout.
    pub fn of(goroot: &Path) -> Result<Self, Error> {
        let list = |path: &str, parse: fn(&str) -> BTreeSet<String>| {
            let path = goroot.join("src").join(path);
            let text = fs::read_to_string(&path);
            let names = match text {
                Ok(text) => parse(&text),
                Err(source) => return Err(Error::Read { path, source }),
            };
            match names.is_empty() {
                true => Err(Error::Empty { path }),
                false => Ok(names),
            }
        };
        let mut debug_keys = list("internal/godebugs/table.go", table_keys)?;
        debug_keys.extend(list("runtime/runtime1.go", runtime_keys)?);
        debug_keys.extend(list("runtime/extern.go", documented_keys)?);
        Ok(Self {
            debug_keys,
            runtime_variables: list("runtime/extern.go", documented_variables)?,
            go_variables: list("internal/cfg/cfg.go", known_environment)?,
            platforms: list("internal/platform/zosarch.go", platforms).unwrap_or_default(),
        })
    }

    /// Why a variable with this value is no setting, in words; `None` where it is one, or is none
    /// of Go's.
    #[must_use]
    pub fn refusal(&self, name: &str, value: &str) -> Option<String> {
        match name {
            "GODEBUG" => value.split(',').find_map(|item| self.debug_refusal(item)),
            "GOMAXPROCS" => match value.parse::<u32>() {
                Ok(1..) => None,
                _ => Some(format!("GOMAXPROCS={value}: expected a number from 1")),
            },
            "GOGC" => match value.parse::<u32>() {
                Err(_) if value != "off" => Some(format!(
                    "GOGC={value}: expected a number of percent, or off"
                )),
                _ => None,
            },
            _ if !name.starts_with("GO") && !name.starts_with("CGO_") => None,
            _ if self.runtime_variables.contains(name) || self.go_variables.contains(name) => None,
            _ => {
                let all = self.runtime_variables.iter().chain(&self.go_variables);
                Some(format!(
                    "no variable is called {name}{}",
                    nearest(name, all)
                ))
            }
        }
    }

    /// What a variable that the toolchain does not know may have been meant to be: one that has a letter
    /// more, less or another one, or two in the other order; of short names, those in the other order alone.
    #[must_use]
    pub fn meant(&self, name: &str) -> Option<&str> {
        let mut all = self.runtime_variables.iter().chain(&self.go_variables);
        if all.clone().any(|known| known == name) {
            return None;
        }
        let near = all.find(|known| {
            let swapped = || sorted(name) == sorted(known);
            osa_distance(name, known) == 1 && (known.len() > SHORT || swapped())
        });
        near.map(String::as_str)
    }

    fn debug_refusal(&self, item: &str) -> Option<String> {
        let Some((key, _)) = item.split_once('=') else {
            return Some(format!("GODEBUG={item}: expected KEY=VALUE"));
        };
        let known = self
            .debug_keys
            .iter()
            .any(|known| match known.strip_suffix('*') {
                Some(start) => key.starts_with(start),
                None => key == known,
            });
        (!known).then(|| {
            let near = nearest(key, self.debug_keys.iter());
            format!("no key of GODEBUG is called {key}{near}")
        })
    }
}

fn sorted(word: &str) -> Vec<u8> {
    let mut letters = word.as_bytes().to_vec();
    letters.sort_unstable();
    letters
}

/// `{Name: "panicnil", ...}`; what is commented out is none.
fn table_keys(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim);
    let names = lines.filter_map(|line| line.strip_prefix("{Name: \"")?.split('"').next());
    names.map(str::to_owned).collect()
}

/// `{name: "asyncpreemptoff", ...}`, within `dbgvars`.
fn runtime_keys(text: &str) -> BTreeSet<String> {
    let lines = text.lines();
    let list = lines.skip_while(|line| !line.starts_with("var dbgvars"));
    let list = list.skip(1).take_while(|line| !line.starts_with('}'));
    let names = list.filter_map(|line| {
        let item = line.trim().strip_prefix('{')?;
        let item = item.strip_prefix("name: ").unwrap_or(item);
        item.strip_prefix('"')?.split('"').next()
    });
    names.map(str::to_owned).collect()
}

/// Paragraphs of the package's comment that begin with `key:`, indented once.
fn documented_keys(text: &str) -> BTreeSet<String> {
    let lines = text.lines().take_while(|line| !line.starts_with("*/"));
    let names = lines.filter_map(|line| {
        let (name, _) = line.strip_prefix('\t')?.split_once(": ")?;
        let is_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let plain = name
            .bytes()
            .all(|byte| is_key(byte) || matches!(byte, b'.' | b'*'));
        (plain && !name.is_empty()).then_some(name)
    });
    names.map(str::to_owned).collect()
}

/// `The GOGC variable sets ...`
fn documented_variables(text: &str) -> BTreeSet<String> {
    let lines = text.lines().take_while(|line| !line.starts_with("*/"));
    let names = lines.filter_map(|line| {
        let (name, rest) = line.strip_prefix("The ")?.split_once(' ')?;
        (name.starts_with("GO") && rest.starts_with("variable")).then_some(name)
    });
    names.map(str::to_owned).collect()
}

/// Lines of the text that is `KnownEnv`.
fn known_environment(text: &str) -> BTreeSet<String> {
    let lines = text.lines();
    let list = lines.skip_while(|line| !line.starts_with("const KnownEnv"));
    let list = list.skip(1).take_while(|line| !line.starts_with('`'));
    list.map(|line| line.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// `{"linux", "amd64"},`, within `List`.
fn platforms(text: &str) -> BTreeSet<String> {
    let lines = text.lines();
    let list = lines.skip_while(|line| !line.starts_with("var List"));
    let list = list.skip(1).take_while(|line| !line.starts_with('}'));
    let names = list.filter_map(|line| {
        let (os, arch) = line.trim().strip_prefix("{\"")?.split_once("\", \"")?;
        Some(format!("{os}/{}", arch.split('"').next()?))
    });
    names.collect()
}

/// What may have been meant: `; did you mean asyncpreemptoff?`, or nothing.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let near = known.map(|known| (osa_distance(name, known), known)).min();
    match near {
        Some((1..=2, known)) => format!("; did you mean {known}?"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `GOROOT` with the shapes that the files have.
    fn goroot() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join("src").join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        write(
            "internal/godebugs/table.go",
            "var All = []Info{\n\t{Name: \"panicnil\", Package: \"runtime\"},\n\t//{Name: \"multipartfiles\"},\n}\n",
        );
        write(
            "runtime/runtime1.go",
            "var other = []*dbgVar{\n\t{name: \"none\"},\n}\nvar dbgvars = []*dbgVar{\n\t{name: \"asyncpreemptoff\", value: &x},\n\t{\"old\", &y},\n}\n\t{name: \"late\"},\n",
        );
        write(
            "runtime/extern.go",
            "/*\nThe GOGC variable sets\nThe GOMAXPROCS variable limits\nThe GODEBUG variable controls\n\n\tcpu.*: cpu.all=off\n\tgctrace: setting\n\tNote: this\n\t\tgc: deeper\n*/\n\tlate: no\nThe GOLATE variable\n",
        );
        write(
            "internal/cfg/cfg.go",
            "const KnownEnv = `\n\tCC\n\tGOAMD64\n\tGOFLAGS\n`\nGOLATE\n",
        );
        write(
            "internal/platform/zosarch.go",
            "var List = []OSArch{\n\t{\"aix\", \"ppc64\"},\n\t{\"linux\", \"amd64\"},\n}\n\nvar distInfo = map[OSArch]osArchInfo{\n\t{\"aix\", \"none\"}: {},\n}\n",
        );
        folder
    }

    #[test]
    fn names_are_read_from_the_toolchains_source() {
        let folder = goroot();
        let known = KnownSettings::of(folder.path()).expect("known");
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
        let keys = "asyncpreemptoff cpu.* gctrace old panicnil";
        assert_eq!(names(&known.debug_keys), keys);
        assert_eq!(names(&known.runtime_variables), "GODEBUG GOGC GOMAXPROCS");
        assert_eq!(names(&known.go_variables), "CC GOAMD64 GOFLAGS");
        assert_eq!(names(&known.platforms), "aix/ppc64 linux/amd64");
        fs::write(
            folder.path().join("src/runtime/runtime1.go"),
            "package runtime\n",
        )
        .expect("written");
        assert!(matches!(
            KnownSettings::of(folder.path()),
            Err(Error::Empty { .. })
        ));
        let gone = KnownSettings::of(Path::new("/nowhere"));
        assert!(matches!(gone, Err(Error::Read { .. })));
    }

    #[test]
    fn what_does_not_exist_is_refused_by_name() {
        let known = KnownSettings::of(goroot().path()).expect("known");
        for (name, value) in [
            ("GODEBUG", "asyncpreemptoff=1,cpu.avx2=off"),
            ("GOGC", "off"),
            ("GOGC", "50"),
            ("GOMAXPROCS", "2"),
            ("GOAMD64", "v3"),
            ("ANY", "thing"),
        ] {
            assert_eq!(known.refusal(name, value), None, "{name}={value}");
        }
        for (name, value, words) in [
            (
                "GODEBUG",
                "gctrace=1,asyncpremptoff=1",
                "called asyncpremptoff; did you mean asyncpreemptoff?",
            ),
            ("GODEBUG", "zzzzzz=1", "no key of GODEBUG is called zzzzzz"),
            ("GODEBUG", "gctrace", "GODEBUG=gctrace: expected KEY=VALUE"),
            ("GODEBUG", "", "GODEBUG=: expected KEY=VALUE"),
            (
                "GOMAXPROC",
                "1",
                "no variable is called GOMAXPROC; did you mean GOMAXPROCS?",
            ),
            ("CGO_NOTHING", "1", "no variable is called CGO_NOTHING"),
            ("GOMAXPROCS", "0", "GOMAXPROCS=0: expected a number from 1"),
            (
                "GOGC",
                "much",
                "GOGC=much: expected a number of percent, or off",
            ),
        ] {
            let refusal = known.refusal(name, value).unwrap_or_default();
            assert!(refusal.contains(words), "{name}={value}: {refusal}");
        }
    }
}
