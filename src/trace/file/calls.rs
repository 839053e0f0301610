//! Function entries and exits in columns.

use super::blocks::Columns;
use super::bytes::{Bytes, Malformed, difference, follow, narrow};
use super::columns::{put_column, take_column};
use super::layout::Kind;
use super::threads::{Threads, take_threads};
use crate::trace::{
    Argument, CallEdge, CallEvent, Goid, Nanos, ProbeId, ProcessId, StackOwner, StringId, Tid,
};
use rustc_hash::FxHashMap;

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

    pub(super) fn push(&mut self, event: CallEvent) {
        self.0.push(event);
    }

    /// Whether every id has a row in its table.
    pub(super) fn is_defined(&self, processes: usize, probes: usize, strings: usize) -> bool {
        self.iter().all(|event| {
            let argument = match event.argument {
                Some(Argument::Text(text)) => text.index() < strings,
                Some(Argument::Integer(_)) | None => true,
            };
            event.process.index() < processes && event.probe.index() < probes && argument
        })
    }
}

impl Columns for CallBlock {
    const KIND: Kind = Kind::Calls;

    fn rows(&self) -> usize {
        self.len()
    }

    fn span(&self) -> (Nanos, Nanos) {
        let times = || self.iter().map(|event| event.time);
        (
            times().min().unwrap_or_default(),
            times().max().unwrap_or_default(),
        )
    }

    /// The contents of a block of calls.
    ///
    /// A reader and a writer follow the calls that are open on each stack: an entry ends those
    /// of its depth and deeper ones and opens its own, an exit ends those of its depth and
    /// deeper ones. Stacks are told apart by process and owner, and by thread where that is no
    /// goroutine.
    ///
    /// ```text
    /// number of threads varint │ column: their processes │ column: their tids
    /// column: time, difference from the row before (0 at first)
    /// column: thread, its position in the list above
    /// column: owner of the stack: 0 the thread's last one (5 at first); else 1 goroutine,
    ///         2 goroutine without number, 3 system stack, 4 signal stack, 5 no g, 6 forked child,
    ///         7 system stack for a goroutine
    /// column: for rows with 1, 2 and 7: number or address, difference from the thread's last (0)
    /// column: what: 0 the exit of the innermost open call of this stack; else
    ///         1 + 3 × probe + edge (0 entry, 1 exit, 2 tail jump)
    /// column: for rows with another what than 0: depth, difference from the innermost open call's
    ///         (0 if none is open)
    /// column: for entries: argument: 0 none, 1 integer, 2 text
    /// column: the integers, difference from the one before │ column: the texts, likewise
    /// ```
    fn encode(&self) -> Vec<u8> {
        let mut threads: Threads<Thread> = Threads::default();
        let mut open = OpenCalls::default();
        let mut columns: [Vec<u64>; 9] = Default::default();
        let [
            times,
            indexes,
            owners,
            numbers,
            whats,
            depths,
            arguments,
            integers,
            texts,
        ] = &mut columns;
        let (mut time, mut before) = (0, Before::default());
        for event in self.iter() {
            times.push(difference(event.time.0, time));
            time = event.time.0;
            let (index, thread) = threads.of(event.process, event.tid);
            indexes.push(index);
            if event.stack == thread.owner {
                owners.push(0);
            } else {
                let (kind, number) = owner_parts(event.stack);
                owners.push(kind);
                if let Some(number) = number {
                    numbers.push(difference(number, thread.number));
                    thread.number = number;
                }
                thread.owner = event.stack;
                thread.stack = None;
            }
            let stack = open.stack_of(thread, (event.process, event.tid));
            let innermost = stack.last().copied();
            let entry = event.edge == CallEdge::Entry;
            if event.edge == CallEdge::Exit && innermost == Some((event.probe, event.depth)) {
                whats.push(0);
            } else {
                let probe = u64::from(event.probe.0);
                whats.push(probe.saturating_mul(3).saturating_add(1).saturating_add(
                    match event.edge {
                        CallEdge::Entry => 0,
                        CallEdge::Exit => 1,
                        CallEdge::TailJump => 2,
                    },
                ));
                let from = innermost.map_or(0, |(_, depth)| depth);
                depths.push(difference(u64::from(event.depth), u64::from(from)));
            }
            follow_calls(stack, &event);
            if entry {
                arguments.push(match event.argument {
                    None => 0,
                    Some(Argument::Integer(value)) => {
                        integers.push(difference(value, before.integer));
                        before.integer = value;
                        1
                    }
                    Some(Argument::Text(id)) => {
                        texts.push(difference(u64::from(id.0), before.text));
                        before.text = u64::from(id.0);
                        2
                    }
                });
            }
        }
        let mut out = Vec::new();
        threads.put(&mut out);
        for column in &columns {
            put_column(&mut out, column);
        }
        out
    }

    fn decode(contents: &[u8], rows: usize) -> Result<Self, Malformed> {
        let mut bytes = Bytes::new(contents);
        let list = take_threads(&mut bytes, rows)?;
        let mut column = |rows| {
            let mut column = Vec::new();
            take_column(&mut bytes, rows, &mut column).map(|()| column)
        };
        let times = column(rows)?;
        let indexes = column(rows)?;
        let owners = column(rows)?;
        let numbered = owners.iter().filter(|&&owner| has_number(owner)).count();
        let mut numbers = column(numbered)?.into_iter();
        let whats = column(rows)?;
        let told = whats.iter().filter(|&&what| what != 0).count();
        let mut depths = column(told)?.into_iter();
        let entries = whats.iter().filter(|&&what| what % 3 == 1).count();
        let kinds = column(entries)?;
        let count = |kind| kinds.iter().filter(|&&of| of == kind).count();
        let mut arguments = Arguments {
            integers: column(count(1))?.into_iter(),
            texts: column(count(2))?.into_iter(),
            kinds: kinds.into_iter(),
            before: Before::default(),
        };
        if !bytes.is_empty() {
            return Err(Malformed("expected the end of the calls, found more bytes"));
        }
        let mut threads: Vec<Thread> = list.iter().map(|_| Thread::default()).collect();
        let mut open = OpenCalls::default();
        let mut time = 0;
        let mut events = Vec::with_capacity(rows);
        for (((step, index), owner), what) in times.into_iter().zip(indexes).zip(owners).zip(whats)
        {
            time = follow(time, step);
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            let (Some(&(process, tid)), Some(thread)) = (list.get(index), threads.get_mut(index))
            else {
                return Err(Malformed(
                    "expected a thread of the block's list, found another one",
                ));
            };
            if owner != 0 {
                if has_number(owner) {
                    thread.number = follow(thread.number, numbers.next().unwrap_or_default());
                }
                thread.owner = owner_from(owner, thread.number)?;
                thread.stack = None;
            }
            let owner = thread.owner;
            let stack = open.stack_of(thread, (process, tid));
            let innermost = stack.last().copied();
            let (probe, edge, depth) = passed(what, innermost, &mut depths)?;
            let argument = match edge {
                CallEdge::Entry => arguments.next()?,
                CallEdge::Exit | CallEdge::TailJump => None,
            };
            let event = CallEvent {
                time: Nanos(time),
                process,
                tid,
                stack: owner,
                probe,
                edge,
                depth,
                argument,
            };
            follow_calls(stack, &event);
            events.push(event);
        }
        Ok(Self(events))
    }
}

impl From<&[CallEvent]> for CallBlock {
    fn from(events: &[CallEvent]) -> Self {
        Self(events.to_vec())
    }
}

/// What was passed: an exit of the innermost open call, or what stands in the columns.
fn passed(
    what: u64,
    innermost: Option<(ProbeId, u32)>,
    depths: &mut impl Iterator<Item = u64>,
) -> Result<(ProbeId, CallEdge, u32), Malformed> {
    let Some(what) = what.checked_sub(1) else {
        let (probe, depth) =
            innermost.ok_or(Malformed("expected an open call, for an exit of one"))?;
        return Ok((probe, CallEdge::Exit, depth));
    };
    let from = innermost.map_or(0, |(_, depth)| depth);
    let depth = follow(u64::from(from), depths.next().unwrap_or_default());
    let edge = match what % 3 {
        0 => CallEdge::Entry,
        1 => CallEdge::Exit,
        _ => CallEdge::TailJump,
    };
    Ok((ProbeId(narrow(what / 3)?), edge, narrow(depth)?))
}

/// The arguments before the one at hand, from which it differs little.
#[derive(Default)]
struct Before {
    integer: u64,
    text: u64,
}

/// What remains of the columns of arguments.
struct Arguments {
    kinds: std::vec::IntoIter<u64>,
    integers: std::vec::IntoIter<u64>,
    texts: std::vec::IntoIter<u64>,
    before: Before,
}

impl Arguments {
    fn next(&mut self) -> Result<Option<Argument>, Malformed> {
        let before = &mut self.before;
        match self.kinds.next().unwrap_or_default() {
            0 => Ok(None),
            1 => {
                let step = self.integers.next().unwrap_or_default();
                before.integer = follow(before.integer, step);
                Ok(Some(Argument::Integer(before.integer)))
            }
            2 => {
                let step = self.texts.next().unwrap_or_default();
                before.text = follow(before.text, step);
                Ok(Some(Argument::Text(StringId(narrow(before.text)?))))
            }
            _ => Err(Malformed(
                "expected kind 0 to 2 of an argument, found another one",
            )),
        }
    }
}

/// What both sides remember of a thread.
#[derive(Debug)]
struct Thread {
    owner: StackOwner,
    number: u64,
    /// The position of its owner's stack.
    stack: Option<usize>,
}

impl Default for Thread {
    fn default() -> Self {
        Self {
            owner: StackOwner::Foreign,
            number: 0,
            stack: None,
        }
    }
}

/// The calls that are open on each stack, as far as this block knows: probe and depth.
#[derive(Default)]
struct OpenCalls {
    indexes: FxHashMap<(ProcessId, StackOwner, Tid), usize>,
    stacks: Vec<Vec<(ProbeId, u32)>>,
}

impl OpenCalls {
    fn stack_of(
        &mut self,
        thread: &mut Thread,
        (process, tid): (ProcessId, Tid),
    ) -> &mut Vec<(ProbeId, u32)> {
        let index = *thread.stack.get_or_insert_with(|| {
            let tid = match thread.owner {
                StackOwner::Goroutine(_) | StackOwner::Unnumbered(_) => Tid(0),
                _ => tid,
            };
            let next = self.stacks.len();
            let index = *(self.indexes)
                .entry((process, thread.owner, tid))
                .or_insert(next);
            if index == next {
                self.stacks.push(Vec::new());
            }
            index
        });
        #[expect(
            clippy::indexing_slicing,
            reason = "every index that is kept has a stack"
        )]
        &mut self.stacks[index]
    }
}

fn follow_calls(stack: &mut Vec<(ProbeId, u32)>, event: &CallEvent) {
    while stack.last().is_some_and(|(_, depth)| *depth >= event.depth) {
        stack.pop();
    }
    if event.edge == CallEdge::Entry {
        stack.push((event.probe, event.depth));
    }
}

const fn owner_parts(owner: StackOwner) -> (u64, Option<u64>) {
    match owner {
        StackOwner::Goroutine(goid) => (1, Some(goid.0)),
        StackOwner::Unnumbered(g) => (2, Some(g)),
        StackOwner::System(None) => (3, None),
        StackOwner::Signal => (4, None),
        StackOwner::Foreign => (5, None),
        StackOwner::Forked => (6, None),
        StackOwner::System(Some(goid)) => (7, Some(goid.0)),
    }
}

const fn has_number(owner: u64) -> bool {
    matches!(owner, 1 | 2 | 7)
}

const fn owner_from(kind: u64, number: u64) -> Result<StackOwner, Malformed> {
    Ok(match kind {
        1 => StackOwner::Goroutine(Goid(number)),
        2 => StackOwner::Unnumbered(number),
        3 => StackOwner::System(None),
        4 => StackOwner::Signal,
        5 => StackOwner::Foreign,
        6 => StackOwner::Forked,
        7 => StackOwner::System(Some(Goid(number))),
        _ => {
            return Err(Malformed(
                "expected owner 0 to 7 of a stack, found another one",
            ));
        }
    })
}
