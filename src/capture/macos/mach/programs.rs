//! What is known of the programs that run, by their files: each is read once.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::LARGEST;
use crate::capture::decode::mach::program::Program;
use crate::capture::plain_file;

/// Programs at most: a build runs a dozen, and tests make some more.
const MOST: usize = 256;

/// Path and UUID.
type Key = (Vec<u8>, Option<[u8; 16]>);

/// Programs that were read.
#[derive(Debug, Default)]
pub(super) struct Programs(FxHashMap<Key, Arc<Program>>);

impl Programs {
    /// The program at a path.
    pub(super) fn at(&mut self, path: &[u8], uuid: Option<[u8; 16]>) -> Arc<Program> {
        let key = (path.to_vec(), uuid);
        if let Some(known) = self.0.get(&key) {
            return Arc::clone(known);
        }
        let file = plain_file::read(Path::new(OsStr::from_bytes(path)), LARGEST);
        // Of a file that cannot be read nothing is known.
        let program = Arc::new(Program::of(&file.unwrap_or_default(), uuid));
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(key, Arc::clone(&program));
        program
    }
}
