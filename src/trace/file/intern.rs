//! Interning: equal values get equal ids, and what they were is remembered no longer than needed.

use crate::trace::{Frame, FrameId, Function, FunctionId, Image, ImageId, StackId, StringId};
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::collections::VecDeque;
use std::hash::{BuildHasher as _, Hash, RandomState};

/// Ids of strings by a hash of 128 bits: the strings themselves are in the file.
///
/// Two `SipHash`es with keys of their own, drawn at random: nobody can choose strings that
/// collide, and by chance two of 2³² strings do so with a probability of 2⁻⁶⁵.
#[derive(Debug, Default)]
pub(super) struct StringIds {
    keys: [RandomState; 2],
    ids: FxHashMap<u128, StringId>,
    recent: VecDeque<(StringId, Box<[u8]>)>,
}

/// How many strings are held, so that the path of an image is still there when the image comes.
const RECENT: usize = 64;
/// No path is longer (`PATH_MAX`).
const LONGEST_PATH: usize = 4096;

impl StringIds {
    /// The id of a string, and whether it is a new one, which got the id `next`.
    pub(super) fn of(&mut self, bytes: &[u8], next: u32) -> (StringId, bool) {
        let [one, two] = &self.keys;
        let hash = u128::from(one.hash_one(bytes)) << 64 | u128::from(two.hash_one(bytes));
        let id = *self.ids.entry(hash).or_insert(StringId(next));
        self.remember(id, bytes);
        (id, id == StringId(next))
    }

    /// The id of a string that is known already.
    pub(super) fn known(&self, bytes: &[u8]) -> Option<StringId> {
        let [one, two] = &self.keys;
        let hash = u128::from(one.hash_one(bytes)) << 64 | u128::from(two.hash_one(bytes));
        self.ids.get(&hash).copied()
    }

    /// The bytes of a string that was asked for lately.
    pub(super) fn recent(&self, id: StringId) -> Option<&[u8]> {
        let mut recent = self.recent.iter().rev();
        recent.find(|entry| entry.0 == id).map(|entry| &*entry.1)
    }

    fn remember(&mut self, id: StringId, bytes: &[u8]) {
        if bytes.len() > LONGEST_PATH {
            return;
        }
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((id, bytes.into()));
    }
}

/// Rows that are all held, in the order of their ids.
#[derive(Debug)]
pub(super) struct Held<T> {
    ids: FxHashMap<T, u32>,
    rows: Vec<T>,
    /// How many of them are in the file.
    written: usize,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self {
            ids: FxHashMap::default(),
            rows: Vec::new(),
            written: 0,
        }
    }
}

impl<T: Clone + Eq + Hash> Held<T> {
    /// The id of a row, and whether it is a new one.
    pub(super) fn of(&mut self, row: &T) -> (u32, bool) {
        if let Some(&id) = self.ids.get(row) {
            return (id, false);
        }
        let Ok(id) = u32::try_from(self.rows.len()) else {
            return (u32::MAX, false);
        };
        self.ids.insert(row.clone(), id);
        self.rows.push(row.clone());
        (id, true)
    }

    pub(super) fn known(&self, row: &T) -> Option<u32> {
        self.ids.get(row).copied()
    }

    pub(super) fn rows(&self) -> &[T] {
        &self.rows
    }

    /// At most `most` rows that are not in the file yet, and the id of the first one.
    pub(super) fn unwritten(&self, most: usize) -> Option<(u32, &[T])> {
        let rows = self.rows.get(self.written..)?;
        let rows = rows.get(..most).unwrap_or(rows);
        let first = u32::try_from(self.written).ok()?;
        (!rows.is_empty()).then_some((first, rows))
    }

    pub(super) const fn wrote(&mut self, rows: usize) {
        self.written = self.written.saturating_add(rows);
    }
}

/// Tables that are held for the whole run.
#[derive(Debug)]
pub(super) struct HeldTables {
    pub(super) images: Held<Image>,
    pub(super) frames: Held<Frame>,
    pub(super) functions: Held<Function>,
}

/// A large build meets about as many frames, over and over; the memory for their ids is taken at
/// the start.
const FRAMES: usize = 28 << 10;

impl Default for HeldTables {
    fn default() -> Self {
        let mut frames = Held::default();
        frames.ids.reserve(FRAMES);
        Self {
            images: Held::default(),
            frames,
            functions: Held::default(),
        }
    }
}

impl HeldTables {
    pub(super) fn image(&mut self, image: &Image) -> (ImageId, bool) {
        let (id, new) = self.images.of(image);
        (ImageId(id), new)
    }

    pub(super) fn frame(&mut self, frame: Frame) -> (FrameId, bool) {
        let (id, new) = self.frames.of(&frame);
        (FrameId(id), new)
    }

    pub(super) fn function(&mut self, function: Function) -> (FunctionId, bool) {
        let (id, new) = self.functions.of(&function);
        (FunctionId(id), new)
    }
}

/// Ids of stacks. When they have grown many, all are forgotten, and stacks that come again get
/// new ids: so memory is bounded whatever the length of the run. It is taken at the start, for
/// a table that doubles needs three times as much for a moment.
#[derive(Debug)]
pub(super) struct StackIds {
    ids: FxHashMap<(StackId, FrameId), StackId>,
    next: u32,
    bound: usize,
}

impl StackIds {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            ids: FxHashMap::with_capacity_and_hasher(bound, FxBuildHasher),
            next: 1,
            bound,
        }
    }

    /// The id of `frame` called from `callers`, where that is known.
    pub(super) fn known(&self, callers: StackId, frame: FrameId) -> Option<StackId> {
        self.ids.get(&(callers, frame)).copied()
    }

    /// Gives an id to `frame` called from `callers`, which is new. `None`: there are no more ids.
    pub(super) fn add(&mut self, callers: StackId, frame: FrameId) -> Option<StackId> {
        let id = StackId(self.next);
        self.next = self.next.checked_add(1)?;
        self.ids.insert((callers, frame), id);
        Some(id)
    }

    /// Forgets all stacks if there are too many. Not to be called in the middle of one.
    pub(super) fn bound(&mut self) {
        if self.ids.len() >= self.bound {
            self.ids.clear();
        }
    }
}
