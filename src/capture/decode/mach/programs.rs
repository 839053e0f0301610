//! What is known of the programs and libraries that are loaded: each file of a program, and each header of the shared
//! cache of system libraries, is read once.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::program::Program;
use super::system::System;
use super::text::Text;
use crate::capture::decode::image_infos::{LoadedImage, SharedCache};
use crate::capture::decode::memory::{Pieces, ReadMemory};
use crate::trace::Avma;

/// Headers at most: a shared cache has some three thousand images, and there is one for each architecture.
const MOST_TEXTS: usize = 8_192;
/// Programs at most: a build runs a dozen, and tests make some more.
const MOST: usize = 256;

/// Path and UUID.
type Key = (Vec<u8>, Option<[u8; 16]>);

/// What was read.
#[derive(Debug, Default)]
pub struct Programs {
    programs: FxHashMap<Key, Arc<Program>>,
    /// Images of shared caches, which are the same in all processes.
    texts: FxHashMap<(SharedCache, Avma, Option<Vec<u8>>), Text>,
}

impl Programs {
    /// The program at a path.
    pub fn at(
        &mut self,
        path: &[u8],
        uuid: Option<[u8; 16]>,
        system: &impl System,
    ) -> Arc<Program> {
        let key = (path.to_vec(), uuid);
        if let Some(known) = self.programs.get(&key) {
            return Arc::clone(known);
        }
        let program = Arc::new(Program::of(&system.file(path), uuid));
        if self.programs.len() >= MOST {
            self.programs.clear();
        }
        self.programs.insert(key, Arc::clone(&program));
        program
    }

    /// The code of an image in a process's memory.
    pub fn text(
        &mut self,
        memory: &dyn ReadMemory,
        cache: Option<&SharedCache>,
        image: &LoadedImage,
    ) -> Option<Text> {
        // dyld lists the UUIDs of all others.
        let cache = cache.filter(|_| image.uuid.is_none());
        let key = cache.map(|cache| (*cache, image.address, image.path.clone()));
        if let Some(known) = key.as_ref().and_then(|key| self.texts.get(key)) {
            return Some(*known);
        }
        // One call for what is mostly less than a piece.
        let text = Text::read(&Pieces::of(memory), image.address)?;
        if let Some(key) = key {
            if self.texts.len() >= MOST_TEXTS {
                self.texts.clear();
            }
            self.texts.insert(key, text);
        }
        Some(text)
    }
}
