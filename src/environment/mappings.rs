//! The files that a running process has in its memory, from `/proc/PID/maps`.
//!
//! ```text
//! FIRST-END PROTECTION OFFSET DEVICE INODE      PATH, with ` (deleted)` where it is gone
//! ```
//!
//! Source: `proc_pid_maps(5)`.

use super::Refusal;
use crate::binary::FileOffset;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A stretch of memory that shows a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First actual address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// `r-xp`.
    pub protection: String,
    /// What of the file is at its first address.
    pub offset: FileOffset,
    /// Number of the file in its file system.
    pub inode: u64,
}

/// A file in a process's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedFile {
    /// Its path, as the process sees it.
    pub path: PathBuf,
    /// Where it is mapped, by address.
    pub mappings: Vec<Mapping>,
}

/// The files that a process has mapped, by path. What has no file is left out.
///
/// # Errors
///
/// Where it cannot be told: there is no such process, it is another user's or has no memory, or this
/// system has no `/proc`.
pub fn mapped_files(pid: u32) -> Result<Vec<MappedFile>, Refusal> {
    let place = format!("/proc/{pid}/maps");
    let maps = std::fs::read(&place).map_err(|error| refusal(pid, &place, &error))?;
    match maps.is_empty() {
        true => Err(without_memory(pid)),
        false => Ok(files(&maps)),
    }
}

/// Of a process that has ended, and of a thread of the kernel, the list of mappings is empty.
fn without_memory(pid: u32) -> Refusal {
    let place = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&place).unwrap_or_default();
    // `PID (NAME) STATE`; the name may hold anything.
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    let why = match state {
        Some('Z' | 'X') => "has ended, and its parent has not asked how",
        _ => "is a thread of the kernel",
    };
    Refusal {
        reason: format!("process {pid} has no memory: it {why}"),
        evidence: match state {
            Some(state) => format!("/proc/{pid}/maps is empty, {place} has state {state}"),
            None => format!("/proc/{pid}/maps is empty"),
        },
        remedy: "name one that runs: ps -e".to_owned(),
    }
}

fn refusal(pid: u32, place: &str, error: &io::Error) -> Refusal {
    let evidence = format!("{place}: {error}");
    let (reason, remedy) = match error.kind() {
        ErrorKind::NotFound if Path::new("/proc/self/maps").exists() => (
            format!("there is no process {pid}"),
            "name one that runs: ps -e".to_owned(),
        ),
        ErrorKind::NotFound => (
            "where this system puts images into processes is not read yet".to_owned(),
            format!("vmmap {pid} tells where an image is: give that address to --slide"),
        ),
        ErrorKind::PermissionDenied if nix::unistd::geteuid().is_root() => (
            format!("root may not look at process {pid} here"),
            "a container needs the capability SYS_PTRACE for that, and may lack processes of the machine: run gotrace outside of it"
                .to_owned(),
        ),
        ErrorKind::PermissionDenied => (
            format!("process {pid} is another user's"),
            format!("sudo gotrace inspect --at-runtime {pid}"),
        ),
        _ => (format!("process {pid} cannot be looked at"), String::new()),
    };
    Refusal {
        reason,
        evidence,
        remedy,
    }
}

fn files(maps: &[u8]) -> Vec<MappedFile> {
    let mut by_path: BTreeMap<&[u8], Vec<Mapping>> = BTreeMap::new();
    for line in maps.split(|&byte| byte == b'\n') {
        if let Some((path, mapping)) = mapping(line) {
            by_path.entry(path).or_default().push(mapping);
        }
    }
    let files = by_path.into_iter().map(|(path, mappings)| MappedFile {
        path: OsStr::from_bytes(path).into(),
        mappings,
    });
    files.collect()
}

fn mapping(line: &[u8]) -> Option<(&[u8], Mapping)> {
    // Five words, and the path, which may have spaces.
    let mut rest = line;
    let mut words = [&[][..]; 5];
    for word in &mut words {
        let start = rest.iter().position(|&byte| byte != b' ')?;
        rest = rest.get(start..)?;
        let end = rest.iter().position(|&byte| byte == b' ')?;
        (*word, rest) = rest.split_at_checked(end)?;
    }
    let path = rest.trim_ascii_start();
    let [range, protection, offset, _device, inode] = words;
    let text = |word| std::str::from_utf8(word).ok();
    let hexadecimal = |word| u64::from_str_radix(word, 16).ok();
    let (start, end) = text(range)?.split_once('-')?;
    let mapping = Mapping {
        start: hexadecimal(start)?,
        end: hexadecimal(end)?,
        protection: text(protection)?.to_owned(),
        offset: FileOffset(hexadecimal(text(offset)?)?),
        inode: text(inode)?.parse().ok()?,
    };
    (mapping.inode != 0 && path.starts_with(b"/")).then_some((path, mapping))
}

impl MappedFile {
    /// Opens what is mapped: by the mapping itself, where the kernel lets us, else what is at the
    /// path, if that is the same file still.
    ///
    /// # Errors
    ///
    /// When it is gone, was replaced, or may not be read.
    pub fn open(&self, pid: u32) -> io::Result<File> {
        let first = self.mappings.first();
        let first = first.ok_or_else(|| io::Error::other("not mapped"))?;
        let held = format!("/proc/{pid}/map_files/{:x}-{:x}", first.start, first.end);
        if let Ok(file) = File::open(held) {
            return Ok(file);
        }
        let root = PathBuf::from(format!("/proc/{pid}/root"));
        let file = File::open(root.join(self.path.strip_prefix("/").unwrap_or(&self.path)))?;
        if file.metadata()?.ino() == first.inode {
            Ok(file)
        } else {
            Err(io::Error::other("another file is at its path now"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_their_mappings() {
        let maps = b"\
55d0c7e00000-55d0c7e02000 r--p 00000000 08:01 42                         /usr/bin/a b
55d0c7e02000-55d0c7e07000 r-xp 00002000 08:01 42                         /usr/bin/a b
55d0c9000000-55d0c9021000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000001000 rw-s 00000000 00:01 7                          /tmp/x (deleted)
7f0000001000-7f0000002000 rw-p 00000000 00:00 0 
nonsense
";
        let found = files(maps);
        let paths: Vec<_> = found.iter().map(|file| file.path.to_str()).collect();
        assert_eq!(paths, [Some("/tmp/x (deleted)"), Some("/usr/bin/a b")]);
        let code = &found[1].mappings[1];
        assert_eq!((code.start, code.end), (0x55d0_c7e0_2000, 0x55d0_c7e0_7000));
        assert_eq!(
            (code.offset, code.inode, code.protection.as_str()),
            (FileOffset(0x2000), 42, "r-xp")
        );
    }

    #[test]
    fn own_files_are_told_and_opened() {
        let Ok(files) = mapped_files(std::process::id()) else {
            return;
        };
        let own = std::env::current_exe().unwrap();
        let own = files.iter().find(|file| file.path == own).unwrap();
        let opened = own.open(std::process::id()).unwrap();
        assert_eq!(opened.metadata().unwrap().ino(), own.mappings[0].inode);
        let nobody = mapped_files(u32::MAX).unwrap_err();
        assert!(nobody.reason.starts_with("there is no process"), "{nobody}");
    }
}
