//! The go command's settings: those kept by `go env -w`, and the module's file.

use super::{Surroundings, find};
use crate::environment::go_flags;
use crate::environment::goroot::user_file;
use crate::environment::toolchain::Toolchain;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The go command's settings, beside those of the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoSettings {
    /// The file of `go env -w`.
    pub file: PathBuf,
    /// What it sets, in its order.
    pub kept: Vec<(String, String)>,
    /// Why the go command refuses `GOFLAGS`, in its own words.
    pub refused_flags: Option<String>,
    /// The program that `GOFLAGS` put before each tool (`-toolexec`), and where it is.
    pub before_tools: Option<(String, Option<PathBuf>)>,
    /// Why the toolchain that is asked for is not the one that answered: it would be fetched first.
    pub unfetched: Option<String>,
    /// The module, or the workspace, that the working folder is in.
    pub module: Option<Module>,
}

/// A `go.mod` or `go.work`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// The file.
    pub file: PathBuf,
    /// The release that it needs, of its line `go`.
    pub go: String,
    /// The toolchain that it proposes, of its line `toolchain`.
    pub toolchain: String,
    /// It is there, as it need not be where `GOWORK` names it.
    pub exists: bool,
    /// There is a folder `vendor` beside it.
    pub vendor: bool,
    /// Why the go command cannot read it, in its own words.
    pub refusal: Option<String>,
}

impl GoSettings {
    pub(super) fn of(toolchain: Option<&Toolchain>, surroundings: &Surroundings) -> Self {
        let asked = |name| toolchain.map_or("", |toolchain| toolchain.variable(name));
        let file = match asked("GOENV") {
            "" => {
                let set =
                    |name: &str| Some(surroundings.text(name)).filter(|text| !text.is_empty());
                user_file(&set).unwrap_or_default()
            }
            file => PathBuf::from(file),
        };
        let text = fs::read_to_string(&file).unwrap_or_default();
        let module = [asked("GOWORK"), asked("GOMOD")]
            .into_iter()
            .find(|file| !matches!(*file, "" | "off" | "/dev/null"));
        Self {
            kept: kept(&text),
            file,
            before_tools: before_tools(asked("GOFLAGS"), surroundings),
            module: module.map(|file| Module::at(Path::new(file))),
            ..Self::default()
        }
    }

    /// Asks the go command what it makes of `GOFLAGS`, and of the module's file; without a network.
    pub(super) fn ask(&mut self, go: &Toolchain, surroundings: &Surroundings) {
        let changes = [("GOPROXY", "off"), ("GOTOOLCHAIN", "local")];
        let refusal = |arguments: &[&OsStr]| {
            let environment = surroundings.with(&changes);
            go.refusal(arguments, environment, surroundings.invoker.as_ref())
        };
        self.refused_flags = refusal(&[OsStr::new("version")]);
        let Some(module) = &mut self.module else {
            return;
        };
        if module.exists && self.refused_flags.is_none() {
            let kind = match module.file.extension() {
                Some(extension) if extension == "work" => "work",
                _ => "mod",
            };
            let words = [kind, "edit", "-json"].map(OsStr::new);
            let refusal = refusal(&[&words[..], &[module.file.as_os_str()]].concat());
            // Nothing else that it may refuse says that builds fail, too.
            module.refusal = refusal.filter(|why| why.contains("parsing"));
        }
    }

    /// A setting that `go env -w` keeps, empty where it keeps none.
    #[must_use]
    pub fn kept(&self, name: &str) -> &str {
        let kept = self.kept.iter().rev().find(|(key, _)| key == name);
        kept.map_or("", |(_, value)| value)
    }
}

/// The program of `-toolexec`, whose value may have arguments, too.
fn before_tools(flags: &str, surroundings: &Surroundings) -> Option<(String, Option<PathBuf>)> {
    let flags = go_flags::split(flags.as_bytes()).ok()?;
    let words = go_flags::split(go_flags::value(&flags, "toolexec")?).ok()?;
    let program = words.first()?;
    let found = find(OsStr::from_bytes(program), surroundings);
    Some((String::from_utf8_lossy(program).into_owned(), found))
}

/// `NAME=VALUE` lines.
fn kept(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once('='))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

impl Module {
    fn at(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = |word: &str| {
            let mut lines = text
                .lines()
                .map(|line| line.split("//").next().unwrap_or_default());
            lines.find_map(|line| {
                let mut words = line.split_whitespace();
                (words.next() == Some(word))
                    .then(|| words.next())
                    .flatten()
                    .map(str::to_owned)
            })
        };
        Self {
            go: line("go").unwrap_or_default(),
            toolchain: line("toolchain").unwrap_or_default(),
            exists: file.is_file(),
            vendor: file.with_file_name("vendor").is_dir(),
            refusal: None,
            file: file.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_says_which_release_it_needs() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("go.mod");
        fs::write(
            &file,
            "module example.com/go // go 1.1\n\ngo 1.25.5 // as CI has it\ntoolchain go1.27.3\n",
        )
        .expect("written");
        let module = Module::at(&file);
        assert_eq!(
            (&*module.go, &*module.toolchain, module.vendor),
            ("1.25.5", "go1.27.3", false)
        );
        assert_eq!(Module::at(Path::new("/nowhere")).go, "");
    }

    #[test]
    fn kept_settings_are_lines() {
        let settings = GoSettings {
            kept: kept("# of go env -w\nGOFLAGS=-mod=mod\nGOBIN=\nGOFLAGS=-v\n"),
            ..GoSettings::default()
        };
        assert_eq!(settings.kept.len(), 2);
        assert_eq!(
            (settings.kept("GOFLAGS"), settings.kept("GOBIN")),
            ("-v", "")
        );
    }
}
