//! What is different for one command from the environment that gotrace has: variables, and flags
//! for its go commands.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use super::{Environment, launch};
use crate::environment::go_flags::{self, Error};
use crate::environment::toolchain::Toolchain;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A variable has this value. Keys of `GODEBUG` are added to those that are there, for it is
    /// a list of settings, of which the last one of a key counts.
    Variable(String, OsString),
    /// A variable is not set.
    Unset(String),
    /// Programs are looked for in this folder before those of `PATH`.
    PathFirst(PathBuf),
    /// A flag for every go command, added to `GOFLAGS`.
    GoFlag(OsString),
    /// A linker flag for every go command, added to those of `-ldflags` in `GOFLAGS`.
    LinkerFlag(OsString),
}

/// A word that is no change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?}: expected NAME=VALUE, or a flag of the go command like -p=4")]
pub struct NotAChange {
    /// The word.
    pub word: OsString,
}

impl Change {
    /// Reads `NAME=VALUE`, a variable of the environment; `-NAME` or `-NAME=VALUE`, a flag for go
    /// commands; or `linkmode=VALUE`, the linker's flag of that name.
    ///
    /// # Errors
    ///
    /// When it is none of these.
    pub fn of(word: &OsStr) -> Result<Self, NotAChange> {
        let bytes = word.as_bytes();
        let none = || NotAChange {
            word: word.to_owned(),
        };
        if bytes.contains(&0) {
            return Err(none());
        }
        if let [b'-', rest @ ..] = bytes {
            let name = rest.strip_prefix(b"-").unwrap_or(rest);
            let named = name.first().is_some_and(u8::is_ascii_alphabetic);
            return match named {
                true => Ok(Self::GoFlag(word.to_owned())),
                false => Err(none()),
            };
        }
        let equals = bytes.iter().position(|&byte| byte == b'=');
        let (name, value) = bytes.split_at(equals.filter(|&at| at > 0).ok_or_else(none)?);
        let value = value.get(1..).unwrap_or_default();
        let name = str::from_utf8(name).map_err(|_not_text| none())?;
        if name == "linkmode" {
            let flag = [b"-linkmode=", value].concat();
            return Ok(Self::LinkerFlag(OsString::from_vec(flag)));
        }
        let value = OsStr::from_bytes(value).to_owned();
        Ok(Self::Variable(name.to_owned(), value))
    }
}

impl Change {
    /// Whether the command line has a flag that takes the place of this one.
    #[must_use]
    pub fn is_overridden_by(&self, command: &[OsString]) -> bool {
        let name = match self {
            Self::GoFlag(flag) => flag.to_string_lossy(),
            Self::LinkerFlag(_) => "ldflags".into(),
            Self::Variable(..) | Self::Unset(_) | Self::PathFirst(_) => return false,
        };
        let name = name.trim_start_matches('-').split('=').next();
        let words: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
        go_flags::value_on_line(&words, name.unwrap_or_default()).is_some()
    }
}

impl Environment {
    /// With all of these changes, flags of go commands included.
    #[must_use]
    pub fn changed(&self, changes: &[Change], toolchain: Option<&Toolchain>) -> Self {
        let mut environment = self.clone();
        apply(changes, &mut environment);
        let user = launch::go_flags(&environment, toolchain);
        if let Ok(Some(flags)) = go_flags(changes, &user) {
            environment.set("GOFLAGS", OsStr::from_bytes(&flags));
        }
        environment
    }
}

/// Changes the environment; flags of go commands are [`go_flags()`]'s part.
pub(super) fn apply(changes: &[Change], environment: &mut Environment) {
    for change in changes {
        match change {
            Change::Variable(name, value) => {
                let mut all = value.as_bytes().to_vec();
                let there = environment.get(name).filter(|value| !value.is_empty());
                if let Some(there) = there.filter(|_| name == "GODEBUG" && !all.is_empty()) {
                    all = [there.as_bytes(), b",", &all].concat();
                }
                environment.set(name, OsStr::from_bytes(&all));
            }
            Change::Unset(name) => environment.remove(name),
            Change::PathFirst(folder) => {
                let path = environment.get("PATH").unwrap_or_default().as_bytes();
                let folder = folder.as_os_str().as_bytes();
                let all = [folder, b":", path].concat();
                environment.set("PATH", OsStr::from_bytes(&all));
            }
            Change::GoFlag(_) | Change::LinkerFlag(_) => {}
        }
    }
}

/// `GOFLAGS` with the flags that are changed; `None` where none is.
///
/// # Errors
///
/// When the user's `GOFLAGS` cannot be extended.
pub(super) fn go_flags(changes: &[Change], user: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let mut flags = go_flags::split(user)?;
    let before = flags.len();
    for change in changes {
        match change {
            Change::GoFlag(flag) => flags.push(flag.as_bytes().to_vec()),
            Change::LinkerFlag(flag) => {
                // The last -ldflags takes the place of all before it.
                let there = go_flags::value(&flags, "ldflags").unwrap_or_default();
                let words = [there, b" ", flag.as_bytes()].concat();
                flags.push([b"-ldflags=", words.trim_ascii()].concat());
            }
            Change::Variable(..) | Change::Unset(_) | Change::PathFirst(_) => {}
        }
    }
    match flags.len() > before {
        true => Ok(Some(go_flags::join(&flags)?)),
        false => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(word: &str) -> Result<Change, NotAChange> {
        Change::of(OsStr::new(word))
    }

    #[test]
    fn a_change_is_a_variable_or_a_flag() {
        let variable = |name: &str, value: &str| Change::Variable(name.into(), value.into());
        assert_eq!(of("A=b=c d/e"), Ok(variable("A", "b=c d/e")));
        assert_eq!(of("A="), Ok(variable("A", "")));
        assert_eq!(of("-p=4"), Ok(Change::GoFlag("-p=4".into())));
        assert_eq!(of("--race"), Ok(Change::GoFlag("--race".into())));
        let external = Change::LinkerFlag("-linkmode=external".into());
        assert_eq!(of("linkmode=external"), Ok(external));
        for bad in ["", "A", "=b", "-", "--", "-=4", "A=\0"] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_what_is_changed_differs() {
        let mut environment = Environment::inherited();
        environment.set("GODEBUG", OsStr::new("gctrace=1"));
        environment.set("PATH", OsStr::new("/bin"));
        environment.set("GOROOT", OsStr::new("/go"));
        let changes = [
            Change::Variable("GODEBUG".into(), "asyncpreemptoff=1".into()),
            Change::Variable("GOGC".into(), "50".into()),
            Change::PathFirst("/opt/go/bin".into()),
            Change::Unset("GOROOT".into()),
        ];
        apply(&changes, &mut environment);
        let get = |name| environment.get(name).and_then(OsStr::to_str);
        assert_eq!(get("GODEBUG"), Some("gctrace=1,asyncpreemptoff=1"));
        assert_eq!(get("GOGC"), Some("50"));
        assert_eq!(get("PATH"), Some("/opt/go/bin:/bin"));
        assert_eq!(get("GOROOT"), None);
        assert_eq!(go_flags(&changes, b"-v"), Ok(None));
    }

    #[test]
    fn a_flag_on_the_command_line_wins() {
        let line = |words: &str| -> Vec<OsString> { words.split(' ').map(Into::into).collect() };
        let flag = of("-p=4").expect("a change");
        assert!(flag.is_overridden_by(&line("go build -p 2 .")));
        assert!(flag.is_overridden_by(&line("go build --p=2 .")));
        assert!(!flag.is_overridden_by(&line("go test . -args -p=2")));
        let linker = of("linkmode=internal").expect("a change");
        assert!(linker.is_overridden_by(&line("go build -ldflags=-s .")));
        assert!(
            !of("A=1")
                .expect("a change")
                .is_overridden_by(&line("go -A=2"))
        );
    }

    #[test]
    fn the_users_flags_stay_and_linker_flags_are_joined() {
        let changes = ["-p=4", "linkmode=external"].map(|word| of(word).expect("a change"));
        let flags = go_flags(&changes, b"-v '-ldflags=-s -w'").expect("joinable");
        let flags = String::from_utf8(flags.expect("changed")).expect("text");
        let expected = "-v \"-ldflags=-s -w\" -p=4 \"-ldflags=-s -w -linkmode=external\"";
        assert_eq!(flags, expected);
        let alone = go_flags(&changes[1..], b"").expect("joinable");
        assert_eq!(alone.as_deref(), Some(&b"-ldflags=-linkmode=external"[..]));
    }
}
