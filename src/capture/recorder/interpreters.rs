//! Programs whose loader told nothing: executables in, why there was nothing to hear out.
//!
//! A program's file is looked into when the program begins, for it may be gone at the end.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustc_hash::FxHashMap;

use super::images::{Stamp, stamp};
use super::sink::Sink;
use crate::binary::elf::Dynamic;
use crate::capture::{Executed, chain, dyldlog, plain_file, sys};
use crate::environment::translator::Translator;
use crate::trace::{Interpreter, Nanos, ProcessId, Record, StringId};

/// How much of a file is read: linkers put the name of the loader behind the headers.
const HEAD: u64 = 16 << 10;
/// Files that are remembered at most.
const MOST_FILES: usize = 4_096;

/// `ld-musl-x86_64.so.1`, in `/lib` or wherever it was put.
const MUSL: &[u8] = b"ld-musl-";

/// Which loaders programs ask for, of those that have told nothing yet.
#[derive(Debug, Default)]
pub(super) struct Interpreters {
    silent: FxHashMap<ProcessId, Asked>,
    /// Programs that have ended, and when: their loaders may still be heard for some moments.
    ended: VecDeque<(Nanos, ProcessId)>,
    files: FxHashMap<Vec<u8>, (Stamp, Asked)>,
}

/// Of a program: the path of its loader and why it was not heard, as in [`Interpreter`].
#[derive(Clone, Copy, Debug)]
struct Asked {
    path: StringId,
    unwatched: StringId,
}

impl Interpreters {
    /// A program begins.
    pub(super) fn began(&mut self, process: ProcessId, executed: &Executed, sink: &mut Sink) {
        let path = Path::new(OsStr::from_bytes(&executed.exe));
        let now = stamp(path);
        let asked = match self.files.get(&executed.exe) {
            Some((then, asked)) if *then == now => *asked,
            _ => {
                let (loader, unwatched) = asked(path);
                let asked = Asked {
                    path: sink.string(&loader),
                    unwatched: sink.string(unwatched.as_bytes()),
                };
                if self.files.len() >= MOST_FILES {
                    self.files.clear();
                }
                self.files.insert(executed.exe.clone(), (now, asked));
                asked
            }
        };
        self.silent.insert(process, asked);
    }

    /// The loader of a program has told something.
    pub(super) fn told(&mut self, process: ProcessId) {
        self.silent.remove(&process);
    }

    /// A program ends.
    pub(super) fn ended(&mut self, process: ProcessId, at: Nanos) {
        if self.silent.contains_key(&process) {
            self.ended.push_back((at, process));
        }
    }

    /// Records the programs that ended before `settled` and told nothing: a recorder that is killed
    /// leaves what it knew of them.
    pub(super) fn settle(&mut self, settled: Nanos, sink: &mut Sink) {
        while let Some((_, process)) = self.ended.pop_front_if(|(at, _)| *at <= settled) {
            if let Some(asked) = self.silent.remove(&process) {
                asked.record(process, sink);
            }
        }
    }

    /// Records all others that told nothing.
    pub(super) fn finish(self, sink: &mut Sink) {
        let mut silent: Vec<_> = self.silent.into_iter().collect();
        silent.sort_unstable_by_key(|(process, _)| *process);
        for (process, asked) in silent {
            asked.record(process, sink);
        }
    }
}

impl Asked {
    fn record(self, process: ProcessId, sink: &mut Sink) {
        sink.record(Record::Interpreter(Interpreter {
            process,
            path: self.path,
            unwatched: self.unwatched,
        }));
    }
}

/// Where nothing in the file tells why.
const SILENT: &str = "its loader told nothing: it was started without LD_AUDIT, in another root, or \
                      with process numbers of its own, gotrace has no library for its machine, or there \
                      was no room in /dev/shm";

/// The loader that a program asks for, and if it says nothing, why.
fn asked(path: &Path) -> (Vec<u8>, String) {
    let head = match plain_file::head(path, HEAD) {
        Ok(head) => head,
        Err(error) => {
            return (
                Vec::new(),
                format!("its file cannot be read: {}", chain(&error)),
            );
        }
    };
    let Ok(elf) = Dynamic::parse(&head) else {
        return (Vec::new(), other_than_elf(path, &head));
    };
    let Some(loader) = elf.interpreter else {
        // The kernel starts it without a loader, even where it relocates itself (static PIE). What
        // a translator runs is another program, which is not known here.
        let silent = Translator::at(path.as_os_str().as_bytes()).map_or("", |_| SILENT);
        return (Vec::new(), silent.to_owned());
    };
    let name = loader.rsplit(|byte| *byte == b'/').next();
    let why = if name.is_some_and(|name| name.starts_with(MUSL)) {
        "musl's loader does not know LD_AUDIT"
    } else if is_set_id(path) {
        "it runs with the rights of its file's owner or group, and ld.so ignores LD_AUDIT then"
    } else if sys::has_capabilities(path) {
        "its file has capabilities, and ld.so ignores LD_AUDIT then"
    } else {
        SILENT
    };
    (loader.to_vec(), why.to_owned())
}

fn other_than_elf(path: &Path, head: &[u8]) -> String {
    if head.starts_with(b"#!") {
        return "it is a script, whose interpreter told nothing".to_owned();
    }
    match dyldlog::heeds(path) {
        Ok(()) => "its loader told nothing".to_owned(),
        Err(refusal) => refusal.reason,
    }
}

fn is_set_id(path: &Path) -> bool {
    let found = std::fs::metadata(path);
    found.is_ok_and(|found| found.permissions().mode() & 0o6000 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};

    /// An ELF file of 64 bits with one segment, `PT_INTERP`, which is said to be this long.
    fn program(loader: &[u8], length: u64) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        file.extend([3_u16, 62].map(u16::to_le_bytes).concat());
        file.extend(1_u32.to_le_bytes());
        file.extend([0_u64, 64, 0].map(u64::to_le_bytes).concat());
        file.extend(0_u32.to_le_bytes());
        file.extend([64_u16, 56, 1, 64, 0, 0].map(u16::to_le_bytes).concat());
        file.extend([3_u32, 4].map(u32::to_le_bytes).concat());
        let fields = [120, 0, 0, length, length, 1];
        file.extend(fields.map(u64::to_le_bytes).concat());
        file.extend(loader);
        file
    }

    #[test]
    fn what_is_in_a_file_and_about_it_tells_why_its_loader_is_silent() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("program");
        let asked_of = |bytes: &[u8], mode: u32| {
            fs::write(&path, bytes).expect("written");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
            let (loader, why) = asked(&path);
            (String::from_utf8(loader).expect("text"), why)
        };
        let (glibc, musl) = (b"/lib64/ld-linux-x86-64.so.2\0", b"/lib/ld-musl-arm.so.1\0");
        let (loader, why) = asked_of(&program(glibc, 28), 0o755);
        assert_eq!(loader, "/lib64/ld-linux-x86-64.so.2");
        assert_eq!(why, SILENT);
        let (loader, why) = asked_of(&program(musl, 22), 0o755);
        assert_eq!(loader, "/lib/ld-musl-arm.so.1");
        assert!(why.starts_with("musl's loader"), "{why}");
        for mode in [0o4755, 0o2755] {
            let (_, why) = asked_of(&program(glibc, 28), mode);
            assert!(why.contains("rights of its file's owner"), "{why}");
        }
        // Its name lies where nobody has looked: it has a loader all the same.
        let (loader, why) = asked_of(&program(b"", 28), 0o755);
        assert_eq!((&*loader, &*why), ("", SILENT));
        let static_program = include_bytes!("../../../fuzz/seeds/elf/program");
        assert_eq!(asked_of(static_program, 0o755), Default::default());
        let (_, why) = asked_of(b"#!/bin/sh\n", 0o755);
        assert!(why.starts_with("it is a script"), "{why}");
        let (_, why) = asked_of(b"garbage", 0o755);
        assert!(why.ends_with("is no Mach-O program"), "{why}");
        fs::remove_file(&path).expect("removed");
        let (_, why) = asked(&path);
        assert!(why.starts_with("its file cannot be read: "), "{why}");
    }
}
