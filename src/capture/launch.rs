//! The command's start: its path, arguments, environment and identity, all as the user has them.

use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::slice::Preference;
use super::sys::{Identity, Program};
use super::{Executed, StandIn, stand_in, translated};
use crate::environment::invoker::Invoker;
use crate::environment::toolchain::{self, Toolchain};
use crate::environment::translator::{self, Translator};
use crate::trace::Arch;

use super::decode::{arguments, guest};

/// An environment as it lies in memory: entries in their order, also those that are repeated or
/// hold no `=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    entries: Vec<Vec<u8>>,
}

impl Environment {
    /// That of gotrace itself.
    #[must_use]
    pub fn inherited() -> Self {
        let entries = super::sys::raw_environment();
        Self {
            entries: entries.into_iter().map(CString::into_bytes).collect(),
        }
    }

    /// The value of a variable: of its first entry, as `getenv` has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.pairs()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Where temporary files go: `TMPDIR`, or `/tmp` where that is not set or empty.
    #[must_use]
    pub fn temporary_folder(&self) -> PathBuf {
        let named = self.get("TMPDIR").filter(|path| !path.is_empty());
        named.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
    }

    /// Sets a variable, in the place where it stood.
    pub fn set(&mut self, name: &str, value: &OsStr) {
        let entry = [name.as_bytes(), b"=", value.as_bytes()].concat();
        let prefix = [name.as_bytes(), b"="].concat();
        let mut places = self
            .entries
            .iter_mut()
            .filter(|entry| entry.starts_with(&prefix));
        match places.next() {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
    }

    /// Takes a variable out.
    pub fn remove(&mut self, name: &str) {
        let prefix = [name.as_bytes(), b"="].concat();
        self.entries.retain(|entry| !entry.starts_with(&prefix));
    }

    /// Names and values of its well-formed entries.
    pub fn pairs(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.entries.iter().filter_map(|entry| {
            let equals = entry.iter().position(|&byte| byte == b'=')?;
            let (name, value) = entry.split_at(equals);
            Some((OsStr::from_bytes(name), OsStr::from_bytes(&value[1..])))
        })
    }

    /// Makes it that of the user who called sudo. `PATH` stays, with the directories of the
    /// user's login after it where it does not lead to `command` or to a go command.
    pub fn belong_to(&mut self, invoker: &Invoker, command: &OsStr) {
        for (name, value) in invoker.variables() {
            self.set(name, value);
        }
        let path = self.get("PATH").unwrap_or_default().to_owned();
        let found = |name| toolchain::find_on_path(name, &path).is_some();
        if found(command) && found(OsStr::new("go")) {
            return;
        }
        if let Some(login) = invoker.login_path() {
            let joined = [path.as_bytes(), b":", login.as_bytes()].concat();
            self.set("PATH", &OsString::from_vec(joined));
        }
    }

    fn to_c_strings(&self) -> Vec<CString> {
        let entries = self.entries.iter().cloned();
        entries
            .filter_map(|entry| CString::new(entry).ok())
            .collect()
    }
}

/// A command line that can be run.
///
/// # Errors
///
/// When an argument holds a zero byte, which no command line of a process can.
pub(super) fn program(
    command: &[OsString],
    environment: &Environment,
    invoker: Option<&Invoker>,
) -> io::Result<Program> {
    let name = command.first().map(OsString::as_os_str).unwrap_or_default();
    let path = environment.get("PATH");
    // What execvp takes where there is no PATH at all, confstr(_CS_PATH).
    let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
    let paths = toolchain::candidates(name, path).into_iter();
    let paths = paths.map(|path| CString::new(path.into_os_string().into_vec()));
    let argv = command.iter().map(|word| CString::new(word.as_bytes()));
    Ok(Program {
        paths: paths.collect::<Result<_, _>>()?,
        argv: argv.collect::<Result<_, _>>()?,
        environment: environment.to_c_strings(),
        identity: invoker.map(|invoker| Identity {
            uid: invoker.uid,
            gid: invoker.gid,
            groups: invoker.groups.clone(),
        }),
        dies_with_parent: false,
        slice: None,
        starts_stopped: false,
        stands_in: None,
    })
}

/// Has a stand-in be tried first. Where it cannot run, the program itself does, and where there is no room for what it is
/// to inherit, that alone.
pub(super) fn put_in_place(program: &mut Program, stand_in: Option<StandIn>) {
    let stand_in = stand_in.filter(|_| stand_in::has_room());
    program.stands_in = stand_in.and_then(|stand_in| {
        let path = CString::new(stand_in.program.as_os_str().as_bytes()).ok()?;
        Some((stand_in, path))
    });
}

/// Has a translator that is called by its name run a stand-in of the program at `place`, under the name that the program
/// would have.
pub(super) fn put_in_place_of_guest(
    program: &mut Program,
    translator: &Path,
    place: guest::Place,
    stand_in: Option<StandIn>,
) {
    /// By it qemu is told the name, too.
    const NAME: &[u8] = b"QEMU_ARGV0=";
    // Its translator is what runs.
    let stand_in = stand_in.map(|stand_in| StandIn {
        in_place: None,
        ..stand_in
    });
    put_in_place(program, stand_in);
    let Some((stand_in, copy)) = program.stands_in.take() else {
        return;
    };
    let translator = CString::new(translator.as_os_str().as_bytes()).ok();
    let (Some(translator), Some(path)) = (translator, program.argv.get_mut(place.word)) else {
        return;
    };
    let original = std::mem::replace(path, copy);
    let mut variables = program.environment.iter();
    if !place.is_named && !variables.any(|variable| variable.as_bytes().starts_with(NAME)) {
        let option = [c"-0".to_owned(), original];
        program.argv.splice(place.word..place.word, option);
    }
    program.stands_in = Some((stand_in, translator));
}

/// Finds a command that is there and may be executed, before anything is made for it.
///
/// # Errors
///
/// As `execvp` would fail.
pub(super) fn find(name: &OsStr, path: &OsStr) -> io::Result<PathBuf> {
    if let Some(program) = toolchain::find_on_path(name, path) {
        return Ok(program);
    }
    let there = toolchain::candidates(name, path)
        .iter()
        .any(|path| path.exists());
    let kind = if there && !name.is_empty() {
        libc::EACCES
    } else {
        libc::ENOENT
    };
    Err(io::Error::from_raw_os_error(kind))
}

/// Where what is found out about this machine is kept. Root writes to no folder of the user who called sudo.
pub(super) fn cache(environment: &Environment, invoker: Option<&Invoker>) -> Option<PathBuf> {
    if invoker.is_some() {
        return Some("/var/cache/gotrace".into());
    }
    let folder = |name: &str| {
        let folder = environment.get(name).map(PathBuf::from);
        folder.filter(|folder| folder.is_absolute())
    };
    let caches = folder("XDG_CACHE_HOME");
    let caches = caches.or_else(|| folder("HOME").map(|home| home.join(".cache")));
    caches.map(|caches| caches.join("gotrace"))
}

/// Folders whose executables may be gone before their symbols are read.
pub(super) fn temporary(environment: &Environment) -> Vec<PathBuf> {
    let named = ["TMPDIR", "GOTMPDIR"].map(|name| environment.get(name));
    let named = named.into_iter().flatten().map(PathBuf::from);
    named.chain(["/tmp".into(), "/var/tmp".into()]).collect()
}

/// The file that a command will run.
pub(super) fn exe(command: &[OsString], environment: &Environment) -> PathBuf {
    let name = command.first().map(OsString::as_os_str).unwrap_or_default();
    let path = environment.get("PATH").unwrap_or_default();
    let exe = toolchain::find_on_path(name, path).unwrap_or_default();
    std::path::absolute(&exe).unwrap_or(exe)
}

/// The program that a command runs: of qemu, where it is called by its name, the one that it is to translate, and where
/// that stands.
pub(super) fn running(
    command: &[OsString],
    environment: &Environment,
) -> (PathBuf, Option<guest::Place>) {
    let exe = exe(command, environment);
    let translator = Translator::at(exe.as_os_str().as_bytes());
    let words: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
    let place = translator
        .filter(|translator| translator.name.starts_with("qemu-"))
        .and_then(|_| guest::Place::of(&words));
    match place.and_then(|place| Some((place, command.get(place.word)?))) {
        Some((place, path)) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
            (path, Some(place))
        }
        None => (exe, None),
    }
}

/// The root of the toolchain of a go command, as that finds it: two folders above its file, links followed, where tools
/// are (`findGOROOT` in cmd/go).
pub(super) fn goroot(go: &Path) -> Option<PathBuf> {
    let file = go.canonicalize().ok()?;
    let root = file.parent()?.parent()?;
    root.join("pkg/tool").is_dir().then(|| root.to_owned())
}

/// What a command will run as, before it does; without time and process.
pub(super) fn executed(
    command: &[OsString],
    environment: &Environment,
    slice: Option<Preference>,
) -> Executed {
    let exe = exe(command, environment);
    let cwd = std::env::current_dir().unwrap_or_default();
    let (arch, translator) = match slice {
        Some(slice) => (slice.arch(), slice.translator().to_owned()),
        None => (
            Arch::from_name(toolchain::executable_arch(&exe)),
            translator::of_executable(&exe),
        ),
    };
    let words = command.iter().flat_map(|word| [word.as_bytes(), b"\0"]);
    let mut executed = Executed {
        argv: words.flatten().copied().collect(),
        arch,
        translator: translator.into_bytes(),
        exe: exe.into_os_string().into_vec(),
        cwd: cwd.into_os_string().into_vec(),
        ..Executed::default()
    };
    translated::reveal(&mut executed);
    executed
}

/// Whether a command is the go command.
pub(super) fn is_go(name: &OsStr) -> bool {
    arguments::base_name(name.as_bytes()) == b"go"
}

/// The user's GOFLAGS: those of the environment, or else those that `go env` reports; where no go
/// command can be asked, those of the file that `go env -w` writes.
pub(super) fn go_flags(environment: &Environment, go: Option<&Toolchain>) -> Vec<u8> {
    let variable = |name| environment.get(name).filter(|value| !value.is_empty());
    // `go env` writes JSON, which holds text alone.
    if let Some(flags) = variable("GOFLAGS") {
        return flags.as_bytes().to_vec();
    }
    if let Some(go) = go {
        return go.variable("GOFLAGS").as_bytes().to_vec();
    }
    let home = || Some(PathBuf::from(variable("HOME")?).join(".config"));
    let config = variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home);
    let file = variable("GOENV").map(PathBuf::from);
    let file = file
        .or_else(|| Some(config?.join("go/env")))
        .unwrap_or_default();
    let text = fs::read(file).unwrap_or_default();
    let mut lines = text.split(|&byte| byte == b'\n');
    let flags = lines.find_map(|line| line.strip_prefix(b"GOFLAGS="));
    flags.unwrap_or_default().to_vec()
}

/// The exit code of a command that could not be run, as env(1) has it.
pub(super) fn exit_code(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound => 127,
        _ => 126,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_is_set_takes_the_place_of_what_stood_there() {
        let mut environment = Environment {
            entries: ["A=1", "odd", "B=2", "A=3"]
                .map(|e| e.as_bytes().to_vec())
                .to_vec(),
        };
        environment.set("A", OsStr::new("x=y"));
        environment.set("C", OsStr::new(""));
        let expected = ["A=x=y", "odd", "B=2", "A=3", "C="];
        assert_eq!(environment.entries, expected.map(|e| e.as_bytes().to_vec()));
        assert_eq!(environment.get("A"), Some(OsStr::new("x=y")));
        assert_eq!(environment.get("odd"), None);
    }

    /// What the original would inherit, it would hand on to all its children.
    #[test]
    fn a_stand_in_that_cannot_run_leaves_nothing_behind() {
        use super::super::sys;
        let inherits = |stand_in: Option<StandIn>| {
            let script = "for number in 1000 240 60; do test ! -e /dev/fd/$number || exit 1; done";
            let command = ["/bin/sh", "-c", script].map(OsString::from);
            let mut program = program(&command, &Environment { entries: vec![] }, None).unwrap();
            put_in_place(&mut program, stand_in);
            let held = sys::fork_held(&program, &sys::block_signals(&[])).unwrap();
            let pid = held.pid;
            held.release().unwrap();
            match sys::wait(pid, true).unwrap() {
                Some(sys::Change::Ended(status, _)) => status != 0,
                other => panic!("{other:?}"),
            }
        };
        let stand_in = |program: &str| StandIn {
            program: program.into(),
            descriptor: std::sync::Arc::new(fs::File::open("/dev/null").unwrap().into()),
            in_place: None,
        };
        assert!(!inherits(None));
        assert!(inherits(Some(stand_in("/bin/sh"))));
        assert!(!inherits(Some(stand_in("/nonexistent"))));
        let text = tempfile::NamedTempFile::new().unwrap();
        assert!(!inherits(Some(stand_in(text.path().to_str().unwrap()))));
    }

    #[test]
    fn a_zero_byte_cannot_be_passed_on() {
        let command = [OsString::from("a\0b")];
        assert!(program(&command, &Environment { entries: vec![] }, None).is_err());
    }

    #[test]
    fn a_guest_keeps_its_name_where_its_copy_runs() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let environment = |entries: &[&str]| Environment {
            entries: entries
                .iter()
                .map(|entry| entry.as_bytes().to_vec())
                .collect(),
        };
        let named = environment(&["PATH=/nowhere", "QEMU_ARGV0=name"]);
        let plain = environment(&["PATH=/nowhere"]);
        for (line, environment, expected) in [
            ("q -L / /g/go build", &plain, "q -L / -0 /g/go /c/go build"),
            ("q /g/go build", &named, "q /c/go build"),
            ("q -0 gone /g/go", &plain, "q -0 gone /c/go"),
        ] {
            let command = words(line);
            let mut program = program(&command, environment, None).expect("no zero byte");
            let stand_in = StandIn {
                program: "/c/go".into(),
                descriptor: std::sync::Arc::new(fs::File::open("/dev/null").expect("there").into()),
                in_place: None,
            };
            let bytes: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
            let place = guest::Place::of(&bytes).expect("a program");
            put_in_place_of_guest(&mut program, Path::new("/bin/q"), place, Some(stand_in));
            let runs = program.stands_in.map(|(_, path)| path);
            assert_eq!(runs.as_deref(), Some(c"/bin/q"));
            let argv: Vec<&[u8]> = program.argv.iter().map(CString::as_bytes).collect();
            assert_eq!(argv.join(&b' '), expected.as_bytes());
        }
        let folder = tempfile::tempdir().expect("a folder");
        for part in ["bin", "pkg/tool", "link"] {
            fs::create_dir_all(folder.path().join(part)).expect("made");
        }
        let [qemu, go, link] =
            ["qemu-aarch64-static", "bin/go", "link/go"].map(|name| folder.path().join(name));
        for file in [&qemu, &go] {
            fs::write(file, "").expect("written");
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("set");
        }
        std::os::unix::fs::symlink(&go, &link).expect("made");
        let root = folder.path().canonicalize().expect("there");
        assert_eq!(goroot(&link), Some(root));
        assert_eq!(goroot(&qemu), None);
        let by_name = [qemu.into_os_string(), "-strace".into(), go.clone().into()];
        let place = guest::Place {
            word: 2,
            is_named: false,
        };
        assert_eq!(running(&by_name, &plain), (go.clone(), Some(place)));
        assert_eq!(running(&by_name[2..], &plain), (go, None));
    }
}
