//! The build cache of the go command: 256 folders, `00` to `ff`, over which its files are spread
//! evenly (`cmd/go/internal/cache`), so that a few of them tell of all.

use super::folder::{self, Folder};
use super::{Surroundings, find};
use crate::environment::toolchain::Toolchain;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Folders that are looked into.
const SAMPLE: [&str; 4] = ["00", "55", "aa", "ff"];
const FOLDERS: u64 = 256;
/// Files that are looked at in each.
const MOST_FILES: usize = 500;

/// The build cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cache {
    /// Its folder.
    pub folder: Folder,
    /// About how many files it has.
    pub files: u64,
    /// About how many bytes these have.
    pub bytes: u64,
    /// A file in it that another user owns and this one cannot write to, and the owner's number.
    pub foreign: Option<(PathBuf, u32)>,
    /// The program that keeps the cache instead (`GOCACHEPROG`), and where it is.
    pub program: Option<(String, Option<PathBuf>)>,
}

impl Cache {
    pub(super) fn of(toolchain: Option<&Toolchain>, surroundings: &Surroundings) -> Self {
        let setting = |name| {
            let asked = toolchain.map_or("", |toolchain| toolchain.variable(name));
            match asked {
                "" => surroundings.text(name),
                asked => asked.to_owned(),
            }
        };
        let program = setting("GOCACHEPROG");
        let program = program
            .split_whitespace()
            .next()
            .map(|word| (word.to_owned(), find(OsStr::new(word), surroundings)));
        let path = setting("GOCACHE");
        if path.is_empty() {
            return Self {
                program,
                ..Self::default()
            };
        }
        let path = Path::new(&path);
        let mut cache = Self {
            folder: Folder::of(path, surroundings.invoker.as_ref()),
            program,
            ..Self::default()
        };
        for name in SAMPLE {
            cache.look_into(&path.join(name), surroundings);
        }
        let times = FOLDERS / SAMPLE.len() as u64;
        cache.files = cache.files.saturating_mul(times);
        cache.bytes = cache.bytes.saturating_mul(times);
        cache
    }

    fn look_into(&mut self, folder: &Path, surroundings: &Surroundings) {
        let invoker = surroundings.invoker.as_ref();
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        if self.folder.refusal.is_none() {
            self.folder.refusal = folder::refusal(folder, invoker);
        }
        let user = invoker.map_or_else(|| nix::unistd::geteuid().as_raw(), |invoker| invoker.uid);
        let (mut count, mut looked_at, mut bytes) = (0_u64, 0_u64, 0_u64);
        for (at, entry) in entries.flatten().enumerate() {
            count += 1;
            let Some(found) = (at < MOST_FILES).then(|| entry.metadata().ok()).flatten() else {
                continue;
            };
            looked_at += 1;
            bytes = bytes.saturating_add(found.blocks().saturating_mul(512));
            // Root may write everywhere.
            if found.uid() != user && user != 0 && self.foreign.is_none() {
                self.foreign = Some((entry.path(), found.uid()));
            }
        }
        self.files = self.files.saturating_add(count);
        let average = bytes.checked_div(looked_at).unwrap_or(0);
        self.bytes = self.bytes.saturating_add(average.saturating_mul(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn four_folders_of_256_tell_of_all() {
        let folder = tempfile::tempdir().expect("folder");
        for name in ["00", "01", "55", "aa", "ff"] {
            fs::create_dir(folder.path().join(name)).expect("made");
            fs::write(folder.path().join(name).join("a-d"), [1; 4096]).expect("written");
        }
        let variables = [
            ("GOCACHE", folder.path().as_os_str()),
            ("GOCACHEPROG", OsStr::new("no-such-program -x")),
        ];
        let variables: BTreeMap<_, _> = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let surroundings = Surroundings {
            variables,
            ..Surroundings::default()
        };
        let cache = Cache::of(None, &surroundings);
        assert_eq!(cache.files, 256);
        assert_eq!(cache.bytes, 256 * 4096);
        assert_eq!(cache.program, Some(("no-such-program".to_owned(), None)));
        assert!(cache.folder.exists && cache.folder.refusal.is_none() && cache.foreign.is_none());
    }
}
