//! Interned byte strings. Paths and arguments are bytes: they need not be UTF-8.

use super::StringId;

/// A table of byte strings, one after the other in one buffer. Id 0 is the empty string.
#[derive(Clone, Debug)]
pub struct Strings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Default for Strings {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            ends: vec![0],
        }
    }
}

impl Strings {
    /// Adds a string, without looking for an equal one.
    ///
    /// Returns the empty string's id when the table is full (2³² strings).
    pub fn push(&mut self, string: &[u8]) -> StringId {
        let Ok(id) = u32::try_from(self.ends.len()) else {
            return StringId::EMPTY;
        };
        self.bytes.extend_from_slice(string);
        self.ends.push(self.bytes.len());
        StringId(id)
    }

    /// The bytes of a string; empty for an id without a row.
    #[must_use]
    pub fn get(&self, id: StringId) -> &[u8] {
        let index = id.index();
        let start = index
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        match (start, self.ends.get(index)) {
            (Some(&start), Some(&end)) => self.bytes.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Finds an equal string by looking at each.
    #[must_use]
    pub fn find(&self, string: &[u8]) -> Option<StringId> {
        (0..self.ends.len())
            .filter_map(|index| u32::try_from(index).ok().map(StringId))
            .find(|&id| self.get(id) == string)
    }

    /// Number of strings, the empty one included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no string but the empty one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.len() == 1
    }
}
