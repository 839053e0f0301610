//! One stack, and what is called and left on it.

use super::tree::{ROOT, Tree};
use super::{FRAMES, Frame, Functions, LEVELS, Stack, State, Told, Traits, Window};
use crate::capture::decode::trampoline::{Writer, Written};
use crate::capture::probes::Keep;
use crate::trace::{CallEdge, ProbeId};

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
    /// Takes the next record.
    #[inline]
    pub(super) fn pass(&mut self, written: &Written) {
        let Some(&traits) = self.functions.traits.get(written.function as usize) else {
            self.state.unpaired.orphans = self.state.unpaired.orphans.wrapping_add(1);
            return;
        };
        let probe = self.functions.first.0.wrapping_add(written.function);
        match written.edge {
            CallEdge::Entry => {
                while self.top().is_some_and(|top| top.depth >= written.depth) {
                    self.close(written.ticks, None);
                }
                match written.own_return() {
                    None => self.begin(written, probe, traits),
                    Some(own) => self.span(written, &own, probe, traits),
                }
            }
            CallEdge::Exit | CallEdge::TailJump => self.leave(written, probe, traits),
        }
    }

    fn top(&self) -> Option<&Frame> {
        self.stack.frames.last()
    }

    /// Where a call that begins now belongs.
    #[inline]
    fn place(&mut self, begin: u64, probe: u32, traits: Traits) -> Place {
        let options = self.state.options;
        let (mut node, level, within) = self
            .top()
            .map_or((ROOT, 0, false), |top| (top.node, top.level, top.inside));
        let inside = within || !options.inside || traits.has(Traits::INSIDE);
        let mut kept =
            inside && level < options.depth && (!options.between || self.window.is_open_at(begin));
        if kept && options.keep == Keep::Sums {
            if level < LEVELS {
                let before = match self.stack.frames.last_mut() {
                    Some(top) => &mut top.after,
                    None => &mut self.stack.after,
                };
                node = self.tree.child(node, *before, probe);
                *before = node;
            } else {
                self.state.unpaired.deep = self.state.unpaired.deep.wrapping_add(1);
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

    #[inline]
    fn begin(&mut self, written: &Written, probe: u32, traits: Traits) {
        let options = self.state.options;
        let Place {
            node,
            level,
            inside,
            kept,
        } = self.place(written.ticks, probe, traits);
        let frame = Frame {
            begin: written.ticks,
            argument: traits.has(Traits::ARGUMENT).then_some(written.argument),
            depth: written.depth,
            probe,
            tid: self.writer.tid,
            node,
            after: super::NONE,
            level,
            inside,
            kept,
            told: traits.has(Traits::MARKS) || (kept && options.keep == Keep::Each),
        };
        if frame.told {
            let entry = frame.entry(self.writer.pid, self.stack.goroutine);
            self.state.told.push(entry);
        }
        if traits.has(Traits::INSTANT) {
            if kept && options.keep == Keep::Sums {
                self.tree.end(node, 0, false);
            }
        } else if self.state.frames < FRAMES {
            self.state.frames = self.state.frames.wrapping_add(1);
            self.stack.frames.push(frame);
        } else {
            self.state.unpaired.beyond = self.state.unpaired.beyond.wrapping_add(1);
        }
    }

    /// A call of which both ends are known, and that called nothing that is recorded: it is never open here, where
    /// nothing but its time counts.
    #[inline]
    fn span(&mut self, written: &Written, own: &Written, probe: u32, traits: Traits) {
        let counts = self.state.options.keep == Keep::Sums;
        if counts && !traits.has(Traits::MARKS.with(Traits::INSTANT, true)) {
            let Place { node, kept, .. } = self.place(written.ticks, probe, traits);
            if kept {
                let length = own.ticks.saturating_sub(written.ticks);
                self.tree.end(node, length, false);
            }
        } else {
            self.begin(written, probe, traits);
            self.leave(own, probe, traits);
        }
    }

    #[inline]
    fn leave(&mut self, written: &Written, probe: u32, traits: Traits) {
        while let Some(top) = self.top()
            && top.depth >= written.depth
        {
            let is_own = top.depth == written.depth && top.probe == probe;
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
    #[inline]
    pub(super) fn close(&mut self, ticks: u64, edge: Option<CallEdge>) -> bool {
        let Some(frame) = self.stack.frames.pop() else {
            return false;
        };
        self.state.frames = self.state.frames.saturating_sub(1);
        let length = ticks.saturating_sub(frame.begin);
        let options = self.state.options;
        let mut told = frame.told;
        match options.keep {
            Keep::Sums if frame.kept => self.tree.end(frame.node, length, edge.is_none()),
            Keep::Longer(_) if frame.kept && !told && length >= options.threshold => {
                let entry = frame.entry(self.writer.pid, self.stack.goroutine);
                self.state.told.push(entry);
                told = true;
            }
            _ => {}
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
