//! The threads of a block: each stands once in a list, rows name its position there.

use super::bytes::{Bytes, Malformed, narrow, put_varint};
use super::columns::{put_column, take_column};
use crate::trace::{ProcessId, Tid};
use rustc_hash::FxHashMap;

/// The threads of a block in the order in which they first occur, and what is remembered of each.
#[derive(Debug, Default)]
pub(super) struct Threads<T> {
    indexes: FxHashMap<(ProcessId, Tid), usize>,
    list: Vec<(ProcessId, Tid)>,
    states: Vec<T>,
    last: usize,
}

impl<T: Default> Threads<T> {
    /// The position of a thread, and what is remembered of it.
    pub(super) fn of(&mut self, process: ProcessId, tid: Tid) -> (u64, &mut T) {
        if self.list.get(self.last) != Some(&(process, tid)) {
            let next = self.list.len();
            self.last = *self.indexes.entry((process, tid)).or_insert(next);
            if self.last == next {
                self.list.push((process, tid));
                self.states.push(T::default());
            }
        }
        let index = self.last;
        #[expect(
            clippy::indexing_slicing,
            reason = "as many states as entries of the list, and `last` is one of them"
        )]
        (index as u64, &mut self.states[index])
    }

    /// Appends the list: a number, and columns of processes and of thread numbers.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.list.len() as u64);
        let processes: Vec<u64> = self.list.iter().map(|(p, _)| u64::from(p.0)).collect();
        let tids: Vec<u64> = self.list.iter().map(|(_, t)| u64::from(t.0)).collect();
        put_column(out, &processes);
        put_column(out, &tids);
    }
}

/// Reads what [`Threads::put`] wrote, in a block of so many rows.
pub(super) fn take_threads(
    bytes: &mut Bytes<'_>,
    rows: usize,
) -> Result<Vec<(ProcessId, Tid)>, Malformed> {
    let count = usize::try_from(bytes.varint()?)
        .ok()
        .filter(|&count| count <= rows)
        .ok_or(Malformed("expected no more threads than rows"))?;
    let (mut processes, mut tids) = (Vec::new(), Vec::new());
    take_column(bytes, count, &mut processes)?;
    take_column(bytes, count, &mut tids)?;
    processes
        .into_iter()
        .zip(tids)
        .map(|(process, tid)| Ok((ProcessId(narrow(process)?), Tid(narrow(tid)?))))
        .collect()
}

/// The thread that a row names by its position.
pub(super) fn thread_at(
    list: &[(ProcessId, Tid)],
    index: u64,
) -> Result<(ProcessId, Tid), Malformed> {
    let thread = usize::try_from(index)
        .ok()
        .and_then(|index| list.get(index));
    thread.copied().ok_or(Malformed(
        "expected a thread of the block's list, found another one",
    ))
}
