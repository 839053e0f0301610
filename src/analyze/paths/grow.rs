//! Stacks to paths, as they come.

use super::{Function, Path, ROOT};
use crate::analyze::children::Children;
use crate::analyze::{Name, frame, portable};
use crate::trace::{FrameId, FunctionId, StackId, Trace, Unnamed};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// A function of a frame: which, at which line, and whether it was inlined.
type Step = (u32, u32, bool);

/// Paths that grow by stacks; each stands behind its caller's.
pub(super) struct Growth<'t> {
    trace: &'t Trace,
    pub(super) functions: Vec<Function>,
    pub(super) paths: Vec<Path>,
    ids: FxHashMap<Function, u32>,
    children: Children,
    /// The path of each stack that was asked for; the root of others.
    of_stacks: Vec<u32>,
    /// Those of all frames that were met, and where they stand of each.
    steps: Vec<Step>,
    of_frames: Vec<Option<Range<usize>>>,
    of_functions: FxHashMap<FunctionId, u32>,
    /// By names without architecture, once the stacks of another trace are laid over the first one's.
    portable: Option<FxHashMap<Name, u32>>,
}

impl<'t> Growth<'t> {
    pub(super) fn of(trace: &'t Trace) -> Self {
        Self {
            trace,
            functions: Vec::new(),
            paths: vec![Path {
                parent: ROOT,
                function: 0,
                line: 0,
                inlined: false,
            }],
            ids: FxHashMap::default(),
            children: Children::default(),
            of_stacks: vec![ROOT; trace.stacks.len()],
            steps: Vec::new(),
            of_frames: vec![None; trace.frames.len()],
            of_functions: FxHashMap::default(),
            portable: None,
        }
    }

    /// Stacks are those of this trace from now on. A function is the one that is known by its name already, in
    /// whichever file: another machine has Go elsewhere.
    pub(super) fn turn_to(&mut self, trace: &'t Trace) {
        self.trace = trace;
        self.of_stacks = vec![ROOT; trace.stacks.len()];
        self.steps.clear();
        self.of_frames = vec![None; trace.frames.len()];
        self.of_functions.clear();
        let mut portable = FxHashMap::default();
        for (function, id) in self.functions.iter().zip(0..) {
            // Of several that are one now, the first.
            portable.entry(portable_name(function)).or_insert(id);
        }
        self.portable = Some(portable);
    }

    /// The path of a stack; callers that were met before are not walked again.
    pub(super) fn of_stack(&mut self, stack: StackId) -> u32 {
        let mut above: Vec<(StackId, FrameId)> = Vec::new();
        let mut at = stack;
        let mut path = loop {
            match self.of_stacks.get(at.index()) {
                Some(&known) if known != ROOT => break known,
                _ => {}
            }
            let Some((callers, frame)) = self.trace.stacks.node(at) else {
                break ROOT;
            };
            above.push((at, frame));
            at = callers;
        };
        while let Some((stack, frame)) = above.pop() {
            for at in self.steps_of(frame) {
                if let Some(&(function, line, inlined)) = self.steps.get(at) {
                    path = self.child(path, function, line, inlined);
                }
            }
            if let Some(known) = self.of_stacks.get_mut(stack.index()) {
                *known = path;
            }
        }
        path
    }

    pub(super) fn child(&mut self, parent: u32, function: u32, line: u32, inlined: bool) -> u32 {
        let next = u32::try_from(self.paths.len()).unwrap_or(u32::MAX);
        let paths = &self.paths;
        let edge_of = |path: u32| {
            let path = paths.get(path as usize);
            path.map_or((ROOT, 0), |path| (path.parent, path.function))
        };
        let path = (self.children).get_or_add((parent, function), next, edge_of);
        if path == next {
            self.paths.push(Path {
                parent,
                function,
                line,
                inlined,
            });
        } else if let Some(known) = self.paths.get_mut(path as usize) {
            if known.line != line {
                known.line = 0;
            }
            // What is once a function of its own is not shown as inlined.
            known.inlined &= inlined;
        }
        path
    }

    /// Where the functions of a frame stand, outermost first.
    fn steps_of(&mut self, frame: FrameId) -> Range<usize> {
        if let Some(Some(known)) = self.of_frames.get(frame.index()) {
            return known.clone();
        }
        let begin = self.steps.len();
        self.add_steps(frame);
        let steps = begin..self.steps.len();
        if let Some(known) = self.of_frames.get_mut(frame.index()) {
            *known = Some(steps.clone());
        }
        steps
    }

    fn add_steps(&mut self, frame: FrameId) {
        let trace = self.trace;
        let why = match trace.symbol(frame) {
            Ok(locations @ [.., _]) => {
                for (depth, at) in locations.iter().rev().enumerate() {
                    let function = self.function(at.function);
                    self.steps.push((function, at.line, depth > 0));
                }
                return;
            }
            Ok([]) => Unnamed::NoSymbol,
            Err(why) => why,
        };
        let name = frame::unnamed(trace, frame, why);
        let unnamed = self.unnamed(&name);
        self.steps.push((unnamed, 0, false));
    }

    fn function(&mut self, id: FunctionId) -> u32 {
        if let Some(&known) = self.of_functions.get(&id) {
            return known;
        }
        let function = self.trace.functions.get(id.index());
        let function = function.copied().unwrap_or_default();
        let new = self.id(Function {
            name: Name::from(self.trace.strings.get(function.name)),
            file: Name::from(self.trace.strings.get(function.file)),
            named: true,
        });
        self.of_functions.insert(id, new);
        new
    }

    /// Functions that were watched, by the number of their probe: those that samples name, where they do.
    pub(super) fn of_probes(&mut self, trace: &Trace) -> Vec<u32> {
        let names = trace.functions.iter().zip((0..).map(FunctionId));
        let sampled: FxHashMap<&[u8], FunctionId> = names
            .map(|(function, id)| (trace.strings.get(function.name), id))
            .collect();
        let probes = trace.probes.iter().map(|probe| {
            let name = trace.strings.get(probe.function);
            match sampled.get(name) {
                Some(&id) => self.function(id),
                None => self.id(Function {
                    name: Name::from(name),
                    file: Name::from(trace.strings.get(probe.file)),
                    named: true,
                }),
            }
        });
        probes.collect()
    }

    /// The number of what has no name of its own.
    pub(super) fn unnamed(&mut self, words: &[u8]) -> u32 {
        self.id(Function {
            name: Name::from(words),
            file: Name::default(),
            named: false,
        })
    }

    /// The number of a function.
    pub(super) fn id(&mut self, function: Function) -> u32 {
        let next = u32::try_from(self.functions.len()).unwrap_or(u32::MAX);
        if let Some(known) = &mut self.portable {
            return *known.entry(portable_name(&function)).or_insert_with(|| {
                self.functions.push(function);
                next
            });
        }
        *self.ids.entry(function).or_insert_with_key(|function| {
            self.functions.push(function.clone());
            next
        })
    }
}

fn portable_name(function: &Function) -> Name {
    Name::from(&*portable(&function.name))
}
