//! The hardware, and who translates this process and those that started it.
//!
//! ```text
//! Linux   /proc/PID/stat   pid (comm) state ppid ...        /proc/PID/exe   the program, or its translator
//! macOS   ps -A -o pid=,ppid=,flags=,comm=    flags in hexadecimal, 0x20000 is P_TRANSLATED (xnu, sys/proc.h)
//!         sysctl hw.optional.arm64            1 on Apple Silicon, for translated processes, too
//! ```

use super::Surroundings;
use crate::environment::host::{self, Host};
use crate::environment::translator::{self, ROSETTA_2, Translator, binfmt_entries};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// So many processes lie at most between this one and the first of the system.
const MOST_ANCESTORS: usize = 64;
/// `P_TRANSLATED` of xnu's `bsd/sys/proc.h`.
const P_TRANSLATED: u32 = 0x0002_0000;
/// The hardware and its system, and who translates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// `linux` or `macos`.
    pub os: String,
    /// System, distribution and processor, as they name themselves.
    pub described: String,
    /// Architecture of the hardware, in Go's words.
    pub arch: String,
    /// Architecture that gotrace is built for.
    pub own_arch: String,
    /// Who translates gotrace itself.
    pub translator: Option<String>,
    /// The processes that led to gotrace, its parent first.
    pub ancestors: Vec<Ancestor>,
    /// Cores that can be used.
    pub cores: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// A process that started another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ancestor {
    /// Its number.
    pub pid: u32,
    /// What it is called.
    pub name: String,
    /// Who translates it.
    pub translator: Option<String>,
}

/// A program that runs those of other architectures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstalledTranslator {
    /// `qemu-aarch64`.
    pub name: String,
    /// The architecture that it runs, in Go's words; empty for one that Go does not know.
    pub guest: String,
    /// Where it is.
    pub path: PathBuf,
    /// The kernel starts it by itself: it is entered in `binfmt_misc`.
    pub entered: bool,
    /// It is entered, and not there.
    pub gone: bool,
}

impl Machine {
    pub(super) fn of(surroundings: &Surroundings, facts: &Host) -> Self {
        let mut machine = match facts.os.starts_with("macos") {
            true => on_macos(surroundings),
            false => on_linux(facts.arch),
        };
        facts
            .os
            .split(' ')
            .next()
            .unwrap_or_default()
            .clone_into(&mut machine.os);
        machine.described = described(facts);
        facts.arch.clone_into(&mut machine.own_arch);
        machine.cores = facts.cores;
        machine.memory_bytes = facts.memory_bytes;
        machine
    }
}

fn described(host: &Host) -> String {
    let parts = [&host.os, &host.distribution, &host.cpu];
    let parts: Vec<&str> = parts
        .into_iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(", ")
}

fn on_linux(own: &str) -> Machine {
    let translator = translator::ours();
    let arch = match (&translator, own) {
        (None, own) => own,
        // There are translators from each of these to the other, and to no third that Go runs on.
        (Some(_), "arm64") => "amd64",
        (Some(_), _) => "arm64",
    };
    Machine {
        arch: arch.to_owned(),
        ancestors: linux_ancestors(Path::new("/proc"), std::process::id()),
        translator,
        ..Machine::default()
    }
}

/// The parents of a process, nearest first, as a `/proc` has them.
fn linux_ancestors(proc: &Path, pid: u32) -> Vec<Ancestor> {
    let stat =
        |pid: u32| fs::read_to_string(proc.join(pid.to_string()).join("stat")).unwrap_or_default();
    let mut ancestors = Vec::new();
    let mut pid = parent(&stat(pid));
    while let (Some(number @ 1..), true) = (pid, ancestors.len() < MOST_ANCESTORS) {
        let text = stat(number);
        // Whose executable may not be looked at is not known to be translated.
        let exe = fs::read_link(proc.join(number.to_string()).join("exe"));
        let exe = exe
            .ok()
            .and_then(|exe| Translator::at(exe.as_os_str().as_bytes()));
        ancestors.push(Ancestor {
            pid: number,
            name: name(&text).to_owned(),
            translator: exe.map(|translator| translator.name),
        });
        pid = parent(&text);
    }
    ancestors
}

/// The name in the text of `/proc/PID/stat`; it may hold anything.
fn name(stat: &str) -> &str {
    let name = stat
        .split_once('(')
        .and_then(|(_, rest)| rest.rsplit_once(')'));
    name.map_or("", |(name, _)| name)
}

fn parent(stat: &str) -> Option<u32> {
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(1)?.parse().ok()
}

fn on_macos(surroundings: &Surroundings) -> Machine {
    let sysctl = |name| surroundings.output(Path::new("/usr/sbin/sysctl"), &["-n", name]);
    let silicon = sysctl("hw.optional.arm64").as_deref() == Ok("1");
    let processes = ["-A", "-o", "pid=,ppid=,flags=,comm="];
    let processes = surroundings.output(Path::new("/bin/ps"), &processes);
    let own = std::process::id();
    let (translated, ancestors) = macos_ancestors(&processes.unwrap_or_default(), own);
    Machine {
        arch: if silicon { "arm64" } else { "amd64" }.to_owned(),
        translator: (translated && silicon).then(|| ROSETTA_2.to_owned()),
        ancestors,
        ..Machine::default()
    }
}

/// Whether a process is translated, and its parents, nearest first, in what `ps` prints.
fn macos_ancestors(processes: &str, pid: u32) -> (bool, Vec<Ancestor>) {
    let find = |wanted: u32| {
        processes.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            let pid: u32 = words.next()?.parse().ok()?;
            let parent: u32 = words.next()?.parse().ok()?;
            let flags = u32::from_str_radix(words.next()?, 16).ok()?;
            let name = words.collect::<Vec<_>>().join(" ");
            (pid == wanted).then_some((parent, flags & P_TRANSLATED != 0, name))
        })
    };
    let Some((mut parent, translated, _)) = find(pid) else {
        return (false, Vec::new());
    };
    let mut ancestors = Vec::new();
    while let (Some((next, translated, name)), true) =
        (find(parent), ancestors.len() < MOST_ANCESTORS)
    {
        ancestors.push(Ancestor {
            pid: parent,
            name,
            translator: translated.then(|| ROSETTA_2.to_owned()),
        });
        parent = next;
    }
    (translated, ancestors)
}

/// The translators of this machine: those that the kernel starts, and those on `PATH`.
pub(super) fn installed(path: &OsStr) -> Vec<InstalledTranslator> {
    let mut found: Vec<InstalledTranslator> = Vec::new();
    for entry in binfmt_entries().into_iter().filter(|entry| entry.enabled) {
        let path = PathBuf::from(OsStr::from_bytes(&entry.interpreter));
        let known = Translator::at(&entry.interpreter);
        // Wine, Java, Python have entries, too; guests that Go cannot be built for are of no use.
        let Some(known) = known.filter(|known| !known.guest.is_empty()) else {
            continue;
        };
        found.push(InstalledTranslator {
            name: known.name,
            guest: known.guest.to_owned(),
            // With F the kernel holds the file open, and needs no path any more.
            gone: !entry.flags.contains('F') && !path.exists(),
            path,
            entered: true,
        });
    }
    for folder in std::env::split_paths(path) {
        for name in [
            "qemu-aarch64",
            "qemu-aarch64-static",
            "qemu-x86_64",
            "qemu-x86_64-static",
            "box64",
            "FEXInterpreter",
        ] {
            let path = folder.join(name);
            let known = Translator::at(path.as_os_str().as_bytes());
            let Some(known) = known.filter(|_| path.is_file()) else {
                continue;
            };
            if found.iter().all(|other| other.name != known.name) {
                found.push(InstalledTranslator {
                    name: known.name,
                    guest: known.guest.to_owned(),
                    path,
                    ..InstalledTranslator::default()
                });
            }
        }
    }
    // One from the other's own architecture to it translates nothing.
    found.retain(|translator| translator.guest != host::ARCH);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn parents_are_followed_to_the_first() {
        let proc = tempfile::tempdir().expect("folder");
        let process = |pid: &str, stat: &str, exe: &str| {
            let folder = proc.path().join(pid);
            fs::create_dir_all(&folder).expect("made");
            fs::write(folder.join("stat"), stat).expect("written");
            symlink(exe, folder.join("exe")).expect("linked");
        };
        process("9", "9 (gotrace) S 7 9 9", "/usr/bin/gotrace");
        process(
            "7",
            "7 (a) (b)) S 3 7 7",
            "/usr/libexec/qemu-binfmt/aarch64-binfmt-P",
        );
        process("3", "3 (sh) S 0 3 3", "/bin/sh");
        let ancestors = linux_ancestors(proc.path(), 9);
        let told: Vec<_> = ancestors
            .iter()
            .map(|one| (one.pid, &*one.name, one.translator.as_deref()))
            .collect();
        assert_eq!(told, [(7, "a) (b)", Some("qemu-aarch64")), (3, "sh", None)]);
    }

    #[test]
    fn flags_of_ps_tell_who_is_translated() {
        // As macOS prints them; 0x4006 are P_EXEC and others, of which none says "translated".
        let processes = "    1     0  4004 /sbin/launchd\n  500     1 24006 /Applications/My Term.app/Term\n  501   500 24006 -zsh\n  600   501 24006 gotrace\n  700     1  4006 other\n";
        let (translated, ancestors) = macos_ancestors(processes, 600);
        assert!(translated);
        let told: Vec<_> = ancestors
            .iter()
            .map(|one| (one.pid, &*one.name, one.translator.is_some()))
            .collect();
        assert_eq!(
            told,
            [
                (501, "-zsh", true),
                (500, "/Applications/My Term.app/Term", true),
                (1, "/sbin/launchd", false)
            ]
        );
        assert!(!macos_ancestors(processes, 700).0);
        assert_eq!(macos_ancestors("", 600), (false, Vec::new()));
    }

    #[test]
    fn this_process_has_a_parent() {
        let machine = Machine::of(&Surroundings::default(), &host::host());
        assert_eq!(
            machine.ancestors.first().map(|one| one.pid),
            Some(std::os::unix::process::parent_id())
        );
        assert!(!machine.described.is_empty() && machine.cores > 0);
    }
}
