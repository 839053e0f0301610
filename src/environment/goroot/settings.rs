//! Settings as a go command would find them, without running it.
//!
//! In this order (`cmd/go/internal/cfg`): the environment, the user's file (`GOENV`, which
//! `go env -w` writes), `go.env` in the GOROOT, and what the go command takes by itself.

use super::Goroot;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Settings that decide whether two toolchains can be compared.
const WANTED: [&str; 12] = [
    "GOROOT",
    "GOPATH",
    "GOCACHE",
    "GOMODCACHE",
    "GOTOOLCHAIN",
    "GOFLAGS",
    "GOEXPERIMENT",
    "GOOS",
    "GOARCH",
    "GOAMD64",
    "GOARM64",
    "CGO_ENABLED",
];

/// Why a side of a comparison could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SideError {
    /// There is no toolchain.
    #[error(
        "{}: no Go toolchain: expected bin/go, or go/bin/go and a file env, in it", path.display()
    )]
    NoToolchain {
        /// Where one was to be.
        path: PathBuf,
    },
    /// The file of settings cannot be read.
    #[error("{}: cannot be read", path.display())]
    Settings {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A toolchain with the settings that it would be run with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// What it is called: as the user did.
    pub name: String,
    /// Its toolchain.
    pub goroot: Goroot,
    /// Each setting: its value, and where that is from.
    pub settings: BTreeMap<&'static str, (String, String)>,
}

impl Side {
    /// Reads a side: a folder as `scripts/dual-sdk` makes it, with the toolchain in `go` and
    /// settings in `env`, or a GOROOT, which is run with the settings of `variable`.
    ///
    /// # Errors
    ///
    /// When it is neither.
    pub fn read(
        path: &Path,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, SideError> {
        let file = path.join("env");
        let (root, own) = if Goroot::is_one(path) {
            (path.to_owned(), BTreeMap::new())
        } else if Goroot::is_one(&path.join("go")) && file.is_file() {
            let own = fs::read_to_string(&file).map_err(|source| SideError::Settings {
                path: file.clone(),
                source,
            })?;
            (path.join("go"), assignments(&own))
        } else {
            return Err(SideError::NoToolchain {
                path: path.to_owned(),
            });
        };
        let goroot = Goroot::read(&root);
        let own_from = file.display().to_string();
        let set = |name: &str| {
            let own = own.get(name).map(|value| (value.clone(), own_from.clone()));
            own.or_else(|| {
                let value = variable(name)?.to_string_lossy().into_owned();
                (!value.is_empty()).then(|| (value, "environment".to_owned()))
            })
        };
        let mut settings = effective(&goroot.root, &set);
        // Two links to one folder are one folder.
        for name in ["GOROOT", "GOPATH", "GOCACHE", "GOMODCACHE"] {
            if let Some((value, _)) = settings.get_mut(name)
                && let Ok(real) = fs::canonicalize(&*value)
            {
                *value = real.display().to_string();
            }
        }
        Ok(Self {
            name: path.display().to_string(),
            goroot,
            settings,
        })
    }

    /// A setting's value; empty where it has none.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", |(value, _)| value)
    }

    /// Where a setting is from.
    #[must_use]
    pub fn source(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", |(_, source)| source)
    }
}

type Set<'a> = &'a dyn Fn(&str) -> Option<(String, String)>;

fn effective(root: &Path, set: Set<'_>) -> BTreeMap<&'static str, (String, String)> {
    let plain = |name: &str| set(name).map(|(value, _)| value);
    let files: Vec<(String, BTreeMap<String, String>)> =
        [user_file(&plain), Some(root.join("go.env"))]
            .into_iter()
            .flatten()
            .map(|path| {
                let text = fs::read_to_string(&path).unwrap_or_default();
                (path.display().to_string(), assignments(&text))
            })
            .collect();
    let find = |name: &str| {
        set(name).or_else(|| {
            let mut files = files.iter();
            files.find_map(|(path, file)| Some((file.get(name)?.clone(), path.clone())))
        })
    };
    let mut found: BTreeMap<&'static str, (String, String)> = WANTED
        .into_iter()
        .filter_map(|name| Some((name, find(name)?)))
        .collect();
    let gopath = found
        .get("GOPATH")
        .map(|(value, _)| value.clone())
        .or_else(|| Some(format!("{}/go", plain("HOME")?)));
    let first = gopath.as_deref().and_then(|path| path.split(':').next());
    let modules = first.map(|first| format!("{first}/pkg/mod"));
    for (name, default) in [
        ("GOPATH", gopath.clone()),
        ("GOMODCACHE", modules),
        ("GOCACHE", cache(&plain)),
        ("GOTOOLCHAIN", Some("auto".to_owned())),
    ] {
        if let Some(value) = default {
            let default = || (value, "default".to_owned());
            found.entry(name).or_insert_with(default);
        }
    }
    found
}

/// The user's file of settings: Go's `os.UserConfigDir`, and what `GOENV` says.
pub(in crate::environment) fn user_file(set: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    match set("GOENV") {
        Some(off) if off == "off" => return None,
        Some(path) => return Some(PathBuf::from(path)),
        None => {}
    }
    let folder = if is_macos() {
        format!("{}/Library/Application Support", set("HOME")?)
    } else {
        set("XDG_CONFIG_HOME").or_else(|| Some(format!("{}/.config", set("HOME")?)))?
    };
    Some(Path::new(&folder).join("go/env"))
}

/// Go's `os.UserCacheDir`.
fn cache(set: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let folder = if is_macos() {
        format!("{}/Library/Caches", set("HOME")?)
    } else {
        set("XDG_CACHE_HOME").or_else(|| Some(format!("{}/.cache", set("HOME")?)))?
    };
    Some(format!("{folder}/go-build"))
}

fn is_macos() -> bool {
    std::env::consts::OS == "macos"
}

/// Lines `NAME=VALUE`, with or without `export` and quotes, as shells and the go command read them.
pub(super) fn assignments(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let line = line.strip_prefix("export ").unwrap_or(line);
            let (name, value) = line.split_once('=')?;
            let quoted = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
            let value = quoted('\'').or_else(|| quoted('"')).unwrap_or(value);
            Some((name.trim().to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for file in ["go/bin/go", "go/src/runtime/proc.go"] {
            let path = folder.path().join(name).join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, "").expect("a file");
        }
        folder
    }

    #[test]
    fn settings_come_from_four_places() {
        let made = folder("");
        let root = made.path().join("go");
        fs::write(
            root.join("go.env"),
            "# a note\nGOTOOLCHAIN=local\nGOPATH=/no\n",
        )
        .expect("a file");
        let user = made.path().join("user");
        fs::write(&user, "GOPATH=/user\nGOFLAGS=-mod=mod\n").expect("a file");
        let user = user.display().to_string();
        let variable = |name: &str| match name {
            "GOENV" => Some(OsString::from(&user)),
            "GOCACHE" => Some("/cache".into()),
            "GOFLAGS" => Some("".into()),
            _ => None,
        };
        let side = Side::read(&root, variable).expect("a side");
        let found = |name| (side.value(name), side.source(name));
        assert_eq!(found("GOCACHE"), ("/cache", "environment"));
        assert_eq!(found("GOPATH"), ("/user", user.as_str()));
        assert_eq!(found("GOFLAGS"), ("-mod=mod", user.as_str()));
        assert_eq!(found("GOMODCACHE"), ("/user/pkg/mod", "default"));
        assert_eq!(side.value("GOTOOLCHAIN"), "local");
        assert!(side.source("GOTOOLCHAIN").ends_with("/go.env"));
        assert_eq!(found("GOARCH"), ("", ""));
    }

    #[test]
    fn a_folder_with_settings_is_a_side() {
        let made = folder("native");
        let path = made.path().join("native");
        let none = |_: &str| None;
        let error = Side::read(&path, none).expect_err("no settings");
        assert!(matches!(error, SideError::NoToolchain { .. }));
        let text = "export GOCACHE='/a b/cache'\nexport GOENV=off\nGOPATH=\"/p\"\n";
        fs::write(path.join("env"), text).expect("a file");
        let home = |name: &str| (name == "HOME").then(|| "/home/me".into());
        let side = Side::read(&path, home).expect("a side");
        assert_eq!(side.value("GOCACHE"), "/a b/cache");
        assert_eq!(side.value("GOPATH"), "/p");
        assert_eq!(
            side.goroot.root,
            path.join("go").canonicalize().expect("real")
        );
        fs::write(path.join("env"), "").expect("a file");
        let side = Side::read(&path, home).expect("a side");
        assert_eq!(side.value("GOPATH"), "/home/me/go");
        assert!(side.value("GOCACHE").starts_with("/home/me/"));
    }
}
