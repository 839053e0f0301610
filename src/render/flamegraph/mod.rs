//! Flamegraphs: merged stacks in, an interactive SVG out.
//!
//! inferno draws the frames. What it leaves open is settled here: which colour a frame has (that
//! of its code's origin, see [`Origin`]), in which order siblings stand (the heaviest first), a
//! legend with each origin's share, and a dark page for those who read on one.

mod differential;
mod drawing;
mod fit;
mod label;
mod origin;
mod tree;

pub use differential::{Differential, View};
pub use origin::{Origin, is_standard};

use crate::analyze::call_tree::{self, Grouping, NodeKind};
use crate::analyze::calls::{self, PathChoice};
use crate::analyze::{Analysis, CallTree, Filter, summary};
use crate::render::palette::Rgb;
use crate::render::text::middle;
use crate::render::{gaps, units};
use crate::trace::{Nanos, SampleKind, Trace};
use drawing::{Drawing, Legend};
use inferno::flamegraph::color::PaletteMap;
use rustc_hash::FxHashMap;
use std::io;
use tree::Tree;

/// What is drawn, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Calls, not samples: the time between the entries and exits of watched functions.
    pub of_calls: bool,
    /// Which samples, or whose calls.
    pub filter: Filter,
    /// What stands below the stacks.
    pub grouping: Grouping,
    /// Stacks are merged from their innermost function: who calls what costs most.
    pub reversed: bool,
    /// The root is at the top.
    pub inverted: bool,
    /// Title instead of one made from the command.
    pub title: Option<String>,
    /// Frames narrower than this part of the picture, in percent, are left out.
    pub min_width: f64,
    /// Of stacks with more frames than this, the middle is drawn as one frame; `None` draws all.
    pub most_frames: Option<usize>,
}

/// Hardly a stack is deeper but where a compiler walks a tree; those can be a thousand frames deep,
/// and would make all others a thin line at the foot of the picture.
const MOST_FRAMES: usize = 64;

/// Frames that stand above the place where others were left out.
const FRAMES_ABOVE: usize = 15;

/// Colour of the frame below all others.
const ROOT: Rgb = Rgb(0xdd, 0xe1, 0xe6);

/// The frame that stands for frames left out.
const LEFT_OUT: &str = "(frames left out)";

impl Default for Options {
    fn default() -> Self {
        Self {
            of_calls: false,
            filter: Filter::default(),
            grouping: Grouping::Tool,
            reversed: false,
            inverted: false,
            title: None,
            min_width: 0.05,
            most_frames: Some(MOST_FRAMES),
        }
    }
}

/// What was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Blocks of samples that could not be read.
    pub unreadable_blocks: u64,
    /// Programs whose calls are left out, see [`calls::Walked::cut`].
    pub cut: u64,
    /// Calls that have no frames of their own.
    pub merged: calls::Merged,
}

/// Why no flamegraph was drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The trace holds samples, but the filter lets none pass.
    #[error("no sample passes the filter, of {samples} in the trace")]
    NothingPasses {
        /// Samples in the trace.
        samples: u64,
    },
    /// The trace holds no samples.
    #[error("the trace holds no samples")]
    NoSamples,
    /// It holds none of threads that waited.
    #[error("the trace holds no stacks of waiting threads: gotrace run --off-cpu records them")]
    NothingWaited,
    /// No watched function was entered and left.
    #[error("no call that was recorded with its exit passes the filter")]
    NoCalls,
    /// A side of a comparison holds no samples.
    #[error("{side} holds no samples")]
    NoSamplesOf {
        /// Which side.
        side: &'static str,
    },
    /// The sides were not recorded in one way.
    #[error("base holds {base}, new holds {new}: their times cannot be compared")]
    DifferentSources {
        /// What stacks of base come from.
        base: &'static str,
        /// What those of new come from.
        new: &'static str,
    },
    /// There are no frames to draw.
    #[error("nothing of {side} passes the filter, of the other side {other} do; {remedy}")]
    NothingDrawn {
        /// The side that was to be drawn.
        side: &'static str,
        /// Samples or calls of the other side that pass.
        other: u64,
        /// How the other side can be drawn.
        remedy: &'static str,
    },
    /// Nothing can be scaled to a total.
    #[error("nothing of base passes the filter: there is nothing that could be scaled")]
    NothingToScale,
    /// The picture could not be written.
    #[error("cannot write the flamegraph")]
    Write(#[source] io::Error),
}

/// Draws the stacks of a trace.
///
/// # Errors
///
/// When there is nothing to draw, or the writer fails.
pub fn draw(
    analysis: &Analysis<'_>,
    options: &Options,
    out: &mut dyn io::Write,
) -> Result<Drawn, Error> {
    let stay = PathChoice::Longest(most_paths(options));
    let (calls, cut) = stacks(analysis, options, &options.filter, stay);
    if calls.total().time == Nanos::ZERO && options.of_calls {
        return Err(Error::NoCalls);
    }
    if calls.total().time == Nanos::ZERO {
        let samples = analysis.trace.sample_count() + analysis.trace.profiles.len() as u64;
        let waiting = options.filter.kind == SampleKind::OffCpu;
        return Err(if samples == 0 {
            Error::NoSamples
        } else if waiting && !analysis.has_waiting_samples() {
            Error::NothingWaited
        } else {
            Error::NothingPasses { samples }
        });
    }
    let mut picture = Picture::of(analysis, &calls, options);
    picture.gaps = gaps::line(&analysis.gaps(calls.unreadable_blocks));
    picture.write(options, out)?;
    Ok(Drawn {
        unreadable_blocks: calls.unreadable_blocks,
        cut,
        merged: calls.merged,
    })
}

/// How many paths of calls are drawn at most.
const fn most_paths(options: &Options) -> u64 {
    match options.reversed {
        true => calls::MOST_WHOLE_PATHS,
        false => calls::MOST_PATHS,
    }
}

/// The stacks of a trace that pass a filter; of calls the paths that `stay`. And of how many programs calls are left out.
fn stacks(
    analysis: &Analysis<'_>,
    options: &Options,
    filter: &Filter,
    stay: PathChoice<'_>,
) -> (CallTree, u64) {
    let choice = call_tree::Options {
        filter: filter.clone(),
        grouping: options.grouping,
    };
    if options.of_calls {
        let (tree, walked) = calls::tree(analysis, &choice, stay);
        (tree, walked.cut)
    } else {
        (analysis.call_tree(&choice), 0)
    }
}

/// Labels, colours and folded lines, ready to be drawn.
struct Picture {
    title: String,
    lines: Vec<String>,
    palette: PaletteMap,
    legend: Vec<(Origin, f64)>,
    /// What was lost or not seen, if anything.
    gaps: Option<String>,
}

impl Picture {
    fn of(analysis: &Analysis<'_>, calls: &CallTree, options: &Options) -> Self {
        let mut labels: Vec<String> = calls.names.iter().map(|name| label::of(name)).collect();
        let mut origins = origins(analysis.trace, calls);
        let left_out = labels.len();
        labels.push(LEFT_OUT.to_owned());
        origins.push(Origin::Unnamed);
        let mut palette = PaletteMap::default();
        for (label, origin) in labels.iter().zip(&origins) {
            palette.insert(label, drawing::colour(origin.shade(label)));
        }
        palette.insert("", drawing::colour(ROOT));
        let mut own = [Nanos::ZERO; Origin::LEGEND.len()];
        let mut tree = Tree::new();
        for (node, time) in calls.nodes.iter().zip(drawn(calls, options)) {
            if time > Nanos::ZERO {
                let path = path(calls, node, options.reversed);
                tree.add(shortened(path, options.most_frames, left_out), time.0);
            }
            let origin = origins.get(node.name as usize).copied();
            let slot = Origin::LEGEND
                .iter()
                .position(|&other| Some(other) == origin);
            if let Some(sum) = slot.and_then(|slot| own.get_mut(slot)) {
                *sum += node.own.time;
            }
        }
        let whole = calls.total();
        let legend = Origin::LEGEND
            .into_iter()
            .zip(own)
            .filter(|&(_, sum)| sum > Nanos::ZERO)
            .map(|(origin, sum)| (origin, sum.0 as f64 / whole.time.0 as f64))
            .collect();
        Self {
            title: options.title.clone().map_or_else(
                || title(analysis, calls, options),
                |title| label::of(&title),
            ),
            lines: tree.folded(&labels),
            palette,
            legend,
            gaps: None,
        }
    }

    fn write(self, options: &Options, out: &mut dyn io::Write) -> Result<(), Error> {
        let mut legend = Legend::default();
        for (origin, share) in &self.legend {
            let words = format!("{} {}", origin.words(), units::percent(*share));
            legend.add(&[origin.colour()], &words);
        }
        let drawing = Drawing {
            title: self.title,
            lines: self.lines,
            palette: self.palette,
            legend,
            foot: self.gaps,
            min_width: options.min_width,
            inverted: options.inverted,
        };
        let svg = fit::labels(&drawing.svg()?);
        out.write_all(svg.as_bytes()).map_err(Error::Write)
    }
}

fn title(analysis: &Analysis<'_>, calls: &CallTree, options: &Options) -> String {
    let what = match options.filter.kind {
        SampleKind::OnCpu => "CPU time",
        SampleKind::OffCpu => "Waiting time",
    };
    let command = label::of(&summary::command(analysis));
    let mut title = format!("{what} of {}", middle(&command, 60, '…'));
    title.push_str(&parts(&options.filter, options.reversed));
    let total = calls.total();
    let stacks = |one, many| units::counted(total.samples, one, many);
    let stacks = match (calls.from_profiles, analysis.trace.imported()) {
        (true, None) => format!("{} of the tools' own profiles", stacks("stack", "stacks")),
        (true, Some(_)) => stacks("imported stack", "imported stacks"),
        (false, _) => stacks("sample", "samples"),
    };
    format!("{title}: {} in {stacks}", units::duration(total.time))
}

/// Which part of a trace is drawn, and how, for titles: `, m/a, compile`.
fn parts(filter: &Filter, reversed: bool) -> String {
    let mut words = String::new();
    for part in [&filter.package, &filter.tool].into_iter().flatten() {
        words.push_str(", ");
        words.push_str(&label::of(part));
    }
    if let Some(pid) = filter.pid {
        words.push_str(&format!(", process {}", pid.0));
    }
    if reversed {
        words.push_str(", callers of each function");
    }
    words
}

/// What is drawn to end in each node. What is too narrow to be seen ends in what it grows from, which is as wide as
/// before: of a million paths a picture has room for some thousands.
fn drawn(calls: &CallTree, options: &Options) -> Vec<Nanos> {
    let mut own: Vec<Nanos> = calls.nodes.iter().map(|node| node.own.time).collect();
    if options.reversed {
        // What is narrow as a path may be wide where it meets others.
        return own;
    }
    let narrow = calls.total().time.0 as f64 * options.min_width / 100.0;
    // So may what stands above frames that are left out.
    let highest = options.most_frames.map_or(usize::MAX, below_left_out);
    let mut depths = vec![0_usize; own.len()];
    let mut drawn: Vec<usize> = (0..own.len()).collect();
    for (at, node) in calls.nodes.iter().enumerate().skip(1) {
        let parent = node.parent as usize;
        depths[at] = depths[parent] + 1;
        let is_narrow = (node.total.time.0 as f64) < narrow && depths[at] <= highest;
        if drawn[parent] != parent || is_narrow {
            drawn[at] = drawn[parent];
            let time = std::mem::take(&mut own[at]);
            own[drawn[at]] += time;
        }
    }
    own
}

/// Positions in [`CallTree::names`], outermost first; reversed, the groups stay outermost.
fn path(calls: &CallTree, node: &call_tree::Node, reversed: bool) -> Vec<usize> {
    let mut groups = Vec::new();
    let mut stack = Vec::new();
    let mut node = node;
    while node.kind != NodeKind::Root {
        if node.kind == NodeKind::Group {
            groups.push(node.name as usize);
        } else {
            stack.push(node.name as usize);
        }
        let Some(parent) = calls.nodes.get(node.parent as usize) else {
            break;
        };
        node = parent;
    }
    groups.reverse();
    if !reversed {
        stack.reverse();
    }
    groups.extend(stack);
    groups
}

/// The path with at most `most` frames, `left_out` standing for those in between.
fn shortened(mut path: Vec<usize>, most: Option<usize>, left_out: usize) -> Vec<usize> {
    let Some(most) = most.filter(|&most| path.len() > most) else {
        return path;
    };
    let above = FRAMES_ABOVE.min(most / 2);
    path.splice(below_left_out(most)..path.len() - above, [left_out]);
    path
}

/// Frames that stand below those that are left out, of `most` that stay.
fn below_left_out(most: usize) -> usize {
    most.saturating_sub(FRAMES_ABOVE.min(most / 2) + 1)
}

/// The origin of each name: by the kind of the node that bears it and the file of the function.
fn origins(trace: &Trace, calls: &CallTree) -> Vec<Origin> {
    let files: FxHashMap<_, _> = trace
        .functions
        .iter()
        .map(|function| (trace.text(function.name), function.file))
        .collect();
    let mut origins = vec![Origin::Unnamed; calls.names.len()];
    for node in &calls.nodes {
        let index = node.name as usize;
        let (Some(origin), Some(name)) = (origins.get_mut(index), calls.names.get(index)) else {
            continue;
        };
        *origin = match node.kind {
            NodeKind::Root => continue,
            NodeKind::Group => Origin::Group,
            kind => {
                let file = files.get(&**name).copied().unwrap_or_default();
                Origin::of_frame(trace, name, &trace.text(file), kind != NodeKind::Unnamed)
            }
        };
    }
    origins
}

#[cfg(test)]
mod tests;
