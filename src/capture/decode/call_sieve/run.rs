//! One stack, and what is called and left on it.

use super::tree::{ROOT, Tree};
use super::{FRAMES, Frame, Functions, LEVELS, Stack, State, Told, Traits, Window};
use crate::capture::decode::trampoline::{Writer, Written};
use crate::capture::probes::Keep;
use crate::trace::{CallEdge, ProbeId};
use std::num::NonZero;

/// A run of records that one thread wrote on one stack.
pub(super) struct Run<'a> {
    pub(super) state: &'a mut State,
    pub(super) tree: &'a mut Tree,
    pub(super) window: &'a Window,
    pub(super) stack: &'a mut Stack,
    pub(super) functions: &'a Functions,
    pub(super) writer: &'a Writer,
}

/// Where a call belongs: what [`Frame`] has of it.
struct Place {
    node: u32,
    level: u32,
    inside: bool,
    kept: bool,
}

impl Run<'_> {
    /// Takes records; the reading of the counter at the last one. `ALL` is whether all calls are added up, whatever their
    /// callers and their time, as is most often the case.
    // A call for each record, which goes by memory then, took as long as a third of all else, and what hardly any record
    // needs took as long between the rest.
    pub(super) fn take<const ALL: bool>(
        &mut self,
        first: Written,
        mut rest: impl Iterator<Item = Written>,
    ) -> u64 {
        let mut written = first;
        loop {
            if !ALL {
                self.pass(&written);
            } else if !self.add(&written) {
                self.pass_apart(&written);
            }
            match rest.next() {
                Some(next) => written = next,
                None => return written.left.map_or(written.ticks, NonZero::get),
            }
        }
    }

    /// Does what [`Self::pass`] does, where all calls are added up, if no more is to be done: calls of an ordinary
    /// function come and go as they should. Otherwise it does nothing, and this is false.
    #[inline(always)]
    fn add(&mut self, written: &Written) -> bool {
        let Functions { first, traits } = self.functions;
        let traits = traits.get(written.function as usize);
        if traits.is_none_or(|traits| traits.has(Traits::APART)) {
            return false;
        }
        let probe = first.0.wrapping_add(written.function);
        match written.edge {
            CallEdge::Entry => self.add_entry(written, probe),
            CallEdge::Exit | CallEdge::TailJump => self.add_exit(written, probe),
        }
    }

    /// An entry, where nothing is open that its call would end.
    #[inline(always)]
    fn add_entry(&mut self, written: &Written, probe: u32) -> bool {
        let (parent, level) = match self.top() {
            Some(top) if top.depth >= written.depth => return false,
            Some(top) => (top.node, top.level),
            None => (ROOT, 0),
        };
        // A call that is over takes no room.
        let has_room = written.left.is_some() || self.state.frames < FRAMES;
        if level >= LEVELS || !has_room {
            return false;
        }
        let node = self.tree.child(parent, probe);
        if let Some(left) = written.left {
            let length = left.get().saturating_sub(written.ticks);
            self.tree.end(node, length, false);
        } else {
            self.state.frames = self.state.frames.wrapping_add(1);
            self.stack.frames.push(Frame {
                begin: written.ticks,
                argument: None,
                depth: written.depth,
                probe,
                tid: self.writer.tid,
                node,
                level: level.wrapping_add(1),
                inside: true,
                kept: true,
                told: false,
            });
        }
        true
    }

    /// An exit of the innermost call that is open.
    #[inline(always)]
    fn add_exit(&mut self, written: &Written, probe: u32) -> bool {
        let top = self.top();
        let Some(top) = top.filter(|top| top.kept && is_of(top, written, probe)) else {
            return false;
        };
        let length = written.ticks.saturating_sub(top.begin);
        self.tree.end(top.node, length, false);
        self.stack.frames.pop();
        self.state.frames = self.state.frames.wrapping_sub(1);
        true
    }

    /// The same as [`Self::pass`], apart from the loop that hardly ever needs it.
    #[inline(never)]
    fn pass_apart(&mut self, written: &Written) {
        self.pass(written);
    }

    /// Takes the next record.
    #[inline(always)]
    fn pass(&mut self, written: &Written) {
        let Some(&traits) = self.functions.traits.get(written.function as usize) else {
            self.state.unpaired.orphans = self.state.unpaired.orphans.wrapping_add(1);
            return;
        };
        let probe = self.functions.first.0.wrapping_add(written.function);
        if written.edge == CallEdge::Entry {
            while self.top().is_some_and(|top| top.depth >= written.depth) {
                self.close(written.ticks, None);
            }
            self.begin(written, probe, traits);
            if let Some(own) = written.own_return() {
                self.leave(&own, probe, traits);
            }
        } else {
            self.leave(written, probe, traits);
        }
    }

    #[inline]
    fn top(&self) -> Option<&Frame> {
        self.stack.frames.last()
    }

    /// Where a call that begins now belongs.
    #[inline]
    fn place(&mut self, begin: u64, probe: u32, traits: Traits) -> Place {
        let State {
            options, unpaired, ..
        } = &mut *self.state;
        let (mut node, level, within) = match self.stack.frames.last() {
            Some(top) => (top.node, top.level, top.inside),
            None => (ROOT, 0, false),
        };
        let inside = within || !options.inside || traits.has(Traits::INSIDE);
        let mut kept =
            inside && level < options.depth && (!options.between || self.window.is_open_at(begin));
        if kept && options.keep == Keep::Sums {
            if level < LEVELS {
                node = self.tree.child(node, probe);
            } else {
                unpaired.deep = unpaired.deep.wrapping_add(1);
                kept = false;
            }
        }
        Place {
            node,
            level: level.saturating_add(u32::from(kept)),
            inside,
            kept,
        }
    }

    /// A call begins.
    fn begin(&mut self, written: &Written, probe: u32, traits: Traits) {
        let Place {
            node,
            level,
            inside,
            kept,
        } = self.place(written.ticks, probe, traits);
        let keep = self.state.options.keep;
        let frame = Frame {
            begin: written.ticks,
            argument: traits.has(Traits::ARGUMENT).then_some(written.argument),
            depth: written.depth,
            probe,
            tid: self.writer.tid,
            node,
            level,
            inside,
            kept,
            told: traits.has(Traits::MARKS) || (kept && keep == Keep::Each),
        };
        if frame.told {
            let entry = frame.entry(self.writer.pid, self.stack.goroutine);
            self.state.told.push(entry);
        }
        if traits.has(Traits::INSTANT) {
            if kept && keep == Keep::Sums {
                self.tree.end(node, 0, false);
            }
        } else if self.state.frames < FRAMES {
            self.state.frames = self.state.frames.wrapping_add(1);
            self.stack.frames.push(frame);
        } else {
            self.state.unpaired.beyond = self.state.unpaired.beyond.wrapping_add(1);
        }
    }

    /// An exit of a call that may not be the innermost one that is open.
    fn leave(&mut self, written: &Written, probe: u32, traits: Traits) {
        while let Some(top) = self.top()
            && top.depth >= written.depth
        {
            let is_own = is_of(top, written, probe);
            self.close(written.ticks, is_own.then_some(written.edge));
            if is_own {
                return;
            }
        }
        // Its entry is not there: it is told as it is, if its calls are told in any case.
        if traits.has(Traits::MARKS) {
            let exit = self.exit(written.ticks, written.depth, probe, written.edge);
            self.state.told.push(exit);
        } else {
            self.state.unpaired.orphans = self.state.unpaired.orphans.wrapping_add(1);
        }
    }

    /// Ends the innermost open call, by an exit or because it is gone; whether there was one.
    pub(super) fn close(&mut self, ticks: u64, edge: Option<CallEdge>) -> bool {
        let Some(frame) = self.stack.frames.pop() else {
            return false;
        };
        self.state.frames = self.state.frames.saturating_sub(1);
        let length = ticks.saturating_sub(frame.begin);
        let options = &self.state.options;
        let mut told = frame.told;
        match options.keep {
            _ if !frame.kept => {}
            Keep::Sums => self.tree.end(frame.node, length, edge.is_none()),
            Keep::Longer(_) if !told && length >= options.threshold => {
                let entry = frame.entry(self.writer.pid, self.stack.goroutine);
                self.state.told.push(entry);
                told = true;
            }
            Keep::Longer(_) | Keep::Each => {}
        }
        if let Some(edge) = edge.filter(|_| told) {
            let exit = self.exit(ticks, frame.depth, frame.probe, edge);
            self.state.told.push(exit);
        }
        true
    }

    fn exit(&self, ticks: u64, depth: u32, probe: u32, edge: CallEdge) -> Told {
        Told {
            ticks,
            pid: self.writer.pid,
            tid: self.writer.tid,
            goroutine: self.stack.goroutine,
            probe: ProbeId(probe),
            edge,
            depth,
            argument: None,
        }
    }
}

/// Whether an exit is that of a call that is open.
#[inline]
const fn is_of(frame: &Frame, written: &Written, probe: u32) -> bool {
    frame.depth == written.depth && frame.probe == probe
}
