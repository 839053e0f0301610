//! Stacks: mostly chains in which each row is called by the row before.

use super::{Rows, end, narrow};
use crate::trace::file::bytes::{Bytes, Malformed, difference, follow, put_varint};
use crate::trace::file::columns::{put_column, take_column};
use crate::trace::{FrameId, StackId};
use rustc_hash::FxHashMap;

/// Stacks, each a frame and the stack of its callers.
///
/// A chain is a row and those after it whose callers are the row before them.
///
/// ```text
/// first id │ number of chains varint
///          │ column: rows of each chain - 1
///          │ column: callers of each chain's first row: id of that row - 1 - callers
///          │ column: frame: 0 if it is the one that followed the row before's frame when that
///          │         frame was last followed in this block; else 1 + difference from the
///          │         frame of the row before (0 at first)
/// ```
pub(in crate::trace::file) fn put_stacks(first: u32, nodes: &[(StackId, FrameId)]) -> Vec<u8> {
    let (mut lengths, mut callers, mut frames) = (Vec::new(), Vec::new(), Vec::new());
    let mut followers = Followers::default();
    for (id, &(caller, frame)) in (u64::from(first)..).zip(nodes) {
        let back = id.wrapping_sub(1).wrapping_sub(u64::from(caller.0));
        match lengths.last_mut() {
            Some(length) if back == 0 => *length = u64::saturating_add(*length, 1),
            _ => {
                lengths.push(0);
                callers.push(back);
            }
        }
        frames.push(followers.code(u64::from(frame.0)));
    }
    let mut out = Vec::new();
    put_varint(&mut out, u64::from(first));
    put_varint(&mut out, lengths.len() as u64);
    put_column(&mut out, &lengths);
    put_column(&mut out, &callers);
    put_column(&mut out, &frames);
    out
}

pub(in crate::trace::file) fn take_stacks(
    contents: &[u8],
    rows: usize,
) -> Result<Rows<(StackId, FrameId)>, Malformed> {
    let mut bytes = Bytes::new(contents);
    let first = bytes.u32()?;
    let chains = usize::try_from(bytes.varint()?)
        .ok()
        .filter(|&chains| chains <= rows)
        .ok_or(Malformed("expected no more chains than rows"))?;
    let (mut lengths, mut callers, mut frames) = (Vec::new(), Vec::new(), Vec::new());
    take_column(&mut bytes, chains, &mut lengths)?;
    take_column(&mut bytes, chains, &mut callers)?;
    take_column(&mut bytes, rows, &mut frames)?;
    end(&bytes)?;
    let mut nodes = Vec::with_capacity(rows);
    let mut followers = Followers::default();
    let mut frames = frames.into_iter();
    let mut id = u64::from(first);
    for (length, back) in lengths.into_iter().zip(callers) {
        let mut caller = id
            .checked_sub(1)
            .and_then(|last| last.checked_sub(back))
            .ok_or(Malformed("expected callers that stand before their stack"))?;
        for _ in 0..=length {
            let code = frames
                .next()
                .ok_or(Malformed("expected chains of no more rows than there are"))?;
            let frame = followers.frame(code);
            nodes.push((StackId(narrow(caller)?), FrameId(narrow(frame)?)));
            caller = id;
            id = id.saturating_add(1);
        }
    }
    if nodes.len() == rows {
        Ok(Rows { first, rows: nodes })
    } else {
        Err(Malformed("expected chains of as many rows as there are"))
    }
}

/// Which frame followed which one last: calls repeat.
#[derive(Default)]
struct Followers {
    last: FxHashMap<u64, u64>,
    before: u64,
}

impl Followers {
    fn code(&mut self, frame: u64) -> u64 {
        let before = std::mem::replace(&mut self.before, frame);
        match self.last.insert(before, frame) {
            Some(expected) if expected == frame => 0,
            _ => difference(frame, before).wrapping_add(1),
        }
    }

    fn frame(&mut self, code: u64) -> u64 {
        let frame = match code.checked_sub(1) {
            None => self.last.get(&self.before).copied().unwrap_or_default(),
            Some(step) => follow(self.before, step),
        };
        self.last.insert(self.before, frame);
        self.before = frame;
        frame
    }
}
