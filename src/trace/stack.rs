//! Samples, and the call stacks that they share.

use super::{Avma, FrameId, Goid, ImageId, ImageOffset, Nanos, ProcessId, StackId, Tid};

/// One distinct place in a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Where.
    pub place: FramePlace,
    /// Whether it was executing there or will return to there.
    pub role: FrameRole,
}

/// Where a frame's address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FramePlace {
    /// In an image.
    Image(ImageId, ImageOffset),
    /// In user memory that no known mapping covers.
    Unmapped(Avma),
    /// In the kernel.
    Kernel(Avma),
    /// Nowhere: the stack goes on toward its root, but could not be followed.
    Truncated,
}

/// The off-by-one of return addresses lives here: the call is *before* a return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameRole {
    /// The address of the instruction that ran.
    Executing,
    /// The address after the call that is under way.
    Return,
}

impl FrameRole {
    /// The address to look names up by: inside the call for a return address.
    #[must_use]
    pub const fn lookup(self, address: u64) -> u64 {
        match self {
            Self::Executing => address,
            Self::Return => address.saturating_sub(1),
        }
    }
}

/// All distinct stacks as a tree: a stack is a frame and the stack of its callers.
///
/// [`StackId::EMPTY`] is the root and has no frame.
#[derive(Clone, Debug)]
pub struct Stacks {
    nodes: Vec<(StackId, FrameId)>,
}

impl Default for Stacks {
    fn default() -> Self {
        Self {
            nodes: vec![(StackId::EMPTY, FrameId(u32::MAX))],
        }
    }
}

impl Stacks {
    /// Adds a stack: `frame` called from `callers`, and returns its id.
    ///
    /// Returns `None` when `callers` is not a stack of this table.
    pub fn push(&mut self, callers: StackId, frame: FrameId) -> Option<StackId> {
        if callers.index() >= self.nodes.len() {
            return None;
        }
        let id = StackId(u32::try_from(self.nodes.len()).ok()?);
        self.nodes.push((callers, frame));
        Some(id)
    }

    /// The callers and the innermost frame of a stack; `None` for the empty or an unknown one.
    #[must_use]
    pub fn node(&self, stack: StackId) -> Option<(StackId, FrameId)> {
        if stack == StackId::EMPTY {
            None
        } else {
            self.nodes.get(stack.index()).copied()
        }
    }

    /// The frames of a stack, innermost first.
    pub fn frames(&self, stack: StackId) -> impl Iterator<Item = FrameId> + '_ {
        let mut at = stack;
        std::iter::from_fn(move || {
            let (callers, frame) = self.node(at)?;
            at = callers;
            Some(frame)
        })
    }

    /// Number of stacks, the empty one included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no stack but the empty one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }
}

/// One observation of what a thread was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When; for off-CPU samples, when the thread ran again.
    pub time: Nanos,
    /// In which program.
    pub process: ProcessId,
    /// On which thread.
    pub tid: Tid,
    /// For which goroutine, where there was one.
    pub goroutine: Option<Goid>,
    /// Its call stack.
    pub stack: StackId,
    /// How much time it stands for.
    pub weight: Nanos,
    /// Running or waiting.
    pub kind: SampleKind,
    /// What kind of code was running.
    pub place: SamplePlace,
}

/// Running or waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SampleKind {
    /// The thread was running; `weight` is the sampling period.
    #[default]
    OnCpu,
    /// The thread had been off the CPU for `weight`.
    OffCpu,
}

/// What kind of code a thread was in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SamplePlace {
    /// The program's own code.
    #[default]
    User,
    /// The kernel, on the program's behalf.
    Kernel,
    /// Code that a translator made from the program's.
    TranslatedCode,
    /// The translator itself.
    Translator,
    /// The translator's run-time library.
    TranslatorRuntime,
}

/// A stack of a finished tool's own CPU profile: it has no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileSample {
    /// Whose profile.
    pub process: ProcessId,
    /// Stack.
    pub stack: StackId,
    /// CPU time it stands for.
    pub weight: Nanos,
}
