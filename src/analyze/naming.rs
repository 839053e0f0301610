//! How many of the sampled frames have a name, and why the others have none.

use super::{Analysis, Filter, profile};
use crate::trace::{FramePlace, StackId, Unnamed};
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// Counts over samples. A frame counts as often as it was sampled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// Samples on a CPU.
    pub samples: u64,
    /// Those whose innermost frame has a name.
    pub named_samples: u64,
    /// Those whose stack was followed to its root.
    pub whole_stacks: u64,
    /// Frames of all stacks. What is missing of a stack that could not be followed is one.
    pub frames: u64,
    /// Frames without a name, by reason.
    pub unnamed: BTreeMap<Unnamed, u64>,
}

impl Naming {
    /// Counts. Reads all samples once; memory is bounded by the trace's table of stacks.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>) -> Self {
        let trace = analysis.trace;
        let mut own = vec![0_u64; trace.stacks.len()];
        Filter::default().walk(analysis, |_, stack, weight, _| {
            if let Some(count) = own.get_mut(stack.index()) {
                *count += weight.samples;
            }
        });
        let mut naming = Self::default();
        // Callers stand before their callees in the table: from the end on, each passes on to its
        // callers what was sampled at it and above it.
        let mut above = own.clone();
        let mut cut = vec![false; own.len()];
        for (index, id) in (0..own.len()).zip((0..).map(StackId)) {
            if let Some((callers, frame)) = trace.stacks.node(id) {
                let is_cut = profile::place(trace, frame) == FramePlace::Truncated;
                cut[index] = is_cut || cut[callers.index()];
            }
        }
        for index in (0..own.len()).rev() {
            let id = StackId(u32::try_from(index).unwrap_or(u32::MAX));
            let Some((callers, frame)) = trace.stacks.node(id) else {
                naming.add_without_stack(own[index]);
                continue;
            };
            if above[index] == 0 {
                continue;
            }
            above[callers.index()] += above[index];
            let why = match trace.symbol(frame) {
                Ok([_, ..]) => None,
                Ok([]) => Some(Unnamed::NoSymbol),
                Err(why) => Some(why),
            };
            naming.samples += own[index];
            naming.frames += above[index];
            naming.named_samples += if why.is_none() { own[index] } else { 0 };
            naming.whole_stacks += if cut[index] { 0 } else { own[index] };
            if let Some(why) = why {
                *naming.unnamed.entry(why).or_default() += above[index];
            }
        }
        naming
    }

    /// Samples of which nothing is known but that they were made.
    fn add_without_stack(&mut self, samples: u64) {
        if samples > 0 {
            self.samples += samples;
            self.frames += samples;
            *self.unnamed.entry(Unnamed::Truncated).or_default() += samples;
        }
    }

    /// Frames that have a name.
    #[must_use]
    pub fn named_frames(&self) -> u64 {
        self.frames - self.unnamed.values().sum::<u64>()
    }

    /// Their part of all frames, 0 to 1; `None` without any.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.frames > 0).then(|| self.named_frames() as f64 / self.frames as f64)
    }
}

impl AddAssign<&Self> for Naming {
    fn add_assign(&mut self, other: &Self) {
        self.samples += other.samples;
        self.named_samples += other.named_samples;
        self.whole_stacks += other.whole_stacks;
        self.frames += other.frames;
        for (why, count) in &other.unnamed {
            *self.unnamed.entry(*why).or_default() += count;
        }
    }
}
