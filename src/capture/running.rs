//! A process that runs already: what `/proc` says of it, for those who come late.

use super::alive::Alive;
use super::decode::{arguments, proc_stat::ProcStat};
use super::{Executed, Monotonic, Observation, translated};
use crate::trace::{Arch, ImageKind, Pid};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// What is known of it.
#[derive(Clone, Debug)]
pub struct Running {
    /// Which process.
    pub pid: Pid,
    /// Who started it.
    pub parent: Pid,
    /// Its executable.
    pub exe: PathBuf,
    /// Of that file.
    pub file: Metadata,
    /// Arguments, each ended by a zero byte.
    pub argv: Vec<u8>,
    /// Working directory.
    pub cwd: PathBuf,
    /// First address of its code.
    pub start_code: u64,
    /// How many threads it has.
    pub threads: u32,
    maps: String,
}

impl Running {
    /// Reads `/proc/PID`.
    ///
    /// # Errors
    ///
    /// When there is no such process, or it may not be looked into.
    pub fn of(pid: Pid) -> io::Result<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let stat = ProcStat::read(&fs::read(folder.join("stat"))?).unwrap_or_default();
        let exe = folder.join("exe");
        Ok(Self {
            pid,
            parent: stat.parent,
            file: fs::metadata(&exe)?,
            exe: fs::read_link(&exe)?,
            argv: fs::read(folder.join("cmdline"))?,
            cwd: fs::read_link(folder.join("cwd")).unwrap_or_default(),
            start_code: stat.start_code,
            threads: stat.threads,
            maps: fs::read_to_string(folder.join("maps"))?,
        })
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Alive::of(self.pid).is_some_and(|process| !process.has_ended)
    }

    /// Its command line, a word an entry.
    #[must_use]
    pub fn words(&self) -> Vec<&[u8]> {
        arguments::split(&self.argv)
    }

    /// What a backend would have told, had it been there.
    pub(super) fn told(&self, time: Monotonic) -> Vec<Observation> {
        let begun = Observation::Forked {
            time,
            pid: self.pid,
            parent: self.parent,
        };
        let mut executed = Executed {
            time,
            pid: self.pid,
            argv: self.argv.clone(),
            exe: self.exe.clone().into_os_string().into_vec(),
            cwd: self.cwd.clone().into_os_string().into_vec(),
            arch: Arch::from_name(std::env::consts::ARCH),
            ..Executed::default()
        };
        translated::reveal(&mut executed);
        let mapped = self.maps.lines().filter_map(|line| self.mapped(time, line));
        [begun, Observation::Executed(executed)]
            .into_iter()
            .chain(mapped)
            .collect()
    }

    /// `start-end rights offset device inode path`; only what may be executed.
    fn mapped(&self, time: Monotonic, line: &str) -> Option<Observation> {
        let (fields, path) = match line.find('/').or_else(|| line.find('[')) {
            Some(at) => line.split_at_checked(at)?,
            None => (line, ""),
        };
        let mut words = fields.split(' ');
        let (start, end) = words.next()?.split_once('-')?;
        let rights = words.next()?;
        let hexadecimal = |text| u64::from_str_radix(text, 16).ok();
        let offset = hexadecimal(words.next()?)?;
        rights.contains('x').then_some(())?;
        Some(Observation::Mapped {
            time,
            pid: self.pid,
            start: hexadecimal(start)?,
            end: hexadecimal(end)?,
            offset,
            path: path.as_bytes().to_vec(),
            build_id: Vec::new(),
            kind: match path {
                "" => ImageKind::Anonymous,
                path if path.starts_with('[') => ImageKind::Kernel,
                _ => ImageKind::File,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn a_process_is_what_it_says_of_itself() {
        let running = Running::of(Pid(std::process::id())).unwrap();
        assert_eq!(running.exe, std::env::current_exe().unwrap());
        assert_eq!(running.cwd, std::env::current_dir().unwrap());
        let words: Vec<Vec<u8>> = std::env::args_os().map(OsStringExt::into_vec).collect();
        assert_eq!(running.words(), words);
        assert_eq!(running.parent, Pid(std::os::unix::process::parent_id()));
        assert!(running.threads >= 1 && running.start_code > 0);
        // A function of this program lies in what is told to be mapped.
        let here = Running::of as fn(Pid) -> io::Result<Running> as usize as u64;
        let mapped = running
            .told(Monotonic(1))
            .into_iter()
            .any(|told| match told {
                Observation::Mapped {
                    start, end, kind, ..
                } => (start..end).contains(&here) && kind == ImageKind::File,
                _ => false,
            });
        assert!(mapped);
    }
}
