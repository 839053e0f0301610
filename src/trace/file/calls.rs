//! Function entries and exits in columns, in memory or still in the file.

use super::Error;
use crate::trace::CallEvent;

/// A run of function entries and exits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallBlock(Vec<CallEvent>);

impl CallBlock {
    /// The events of this block, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = CallEvent> + '_ {
        self.0.iter().copied()
    }

    /// Number of events.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[CallEvent]> for CallBlock {
    fn from(events: &[CallEvent]) -> Self {
        Self(events.to_vec())
    }
}

/// All call blocks of a trace.
#[derive(Debug, Default)]
pub struct CallBlocks {
    held: Vec<CallBlock>,
}

impl CallBlocks {
    pub(in crate::trace) fn iter(&self) -> impl Iterator<Item = Result<CallBlock, Error>> + '_ {
        self.held.iter().cloned().map(Ok)
    }

    pub(in crate::trace) fn count(&self) -> u64 {
        self.held.iter().map(|block| block.len() as u64).sum()
    }

    pub(in crate::trace) fn push(&mut self, block: CallBlock) {
        self.held.push(block);
    }
}
