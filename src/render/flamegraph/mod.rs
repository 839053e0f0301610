//! Flamegraphs: merged stacks in, an interactive SVG out.
//!
//! inferno draws the frames. What it leaves open is settled here: which colour a frame has (that
//! of its code's origin, see [`Origin`]), in which order siblings stand (the heaviest first), a
//! legend with each origin's share, and a dark page for those who read on one.

mod fit;
mod label;
mod origin;
mod tree;

pub use origin::Origin;

use crate::analyze::call_tree::{self, Grouping, NodeKind};
use crate::analyze::{Analysis, CallTree, Filter, summary};
use crate::render::text::middle;
use crate::render::{gaps, units, xml};
use crate::trace::{Nanos, SampleKind, Trace};
use inferno::flamegraph as inferno_graph;
use inferno_graph::color::{BackgroundColor, Color, PaletteMap};
use rustc_hash::FxHashMap;
use std::fmt::Write as _;
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
    /// No watched function was entered and left.
    #[error("no call that was recorded with its exit passes the filter")]
    NoCalls,
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
    let choice = call_tree::Options {
        filter: options.filter.clone(),
        grouping: options.grouping,
    };
    let calls = if options.of_calls {
        crate::analyze::calls::tree(analysis, &choice)
    } else {
        analysis.call_tree(&choice)
    };
    if calls.total().time == Nanos::ZERO && options.of_calls {
        return Err(Error::NoCalls);
    }
    if calls.total().time == Nanos::ZERO {
        let samples = analysis.trace.sample_count() + analysis.trace.profiles.len() as u64;
        return Err(if samples == 0 {
            Error::NoSamples
        } else {
            Error::NothingPasses { samples }
        });
    }
    let mut picture = Picture::of(analysis, &calls, options);
    picture.gaps = gaps::line(&analysis.gaps(calls.unreadable_blocks));
    picture.write(options, out)?;
    Ok(Drawn {
        unreadable_blocks: calls.unreadable_blocks,
    })
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
            let shade = origin.shade(label);
            palette.insert(label, Color::new(shade.0, shade.1, shade.2));
        }
        palette.insert("", Color::new(0xdd, 0xe1, 0xe6));
        let mut own = [Nanos::ZERO; Origin::LEGEND.len()];
        let mut tree = Tree::new();
        for node in calls
            .nodes
            .iter()
            .filter(|node| node.own.time > Nanos::ZERO)
        {
            let path = path(calls, node, options.reversed);
            tree.add(
                shortened(path, options.most_frames, left_out),
                node.own.time.0,
            );
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

    fn write(mut self, options: &Options, out: &mut dyn io::Write) -> Result<(), Error> {
        let mut settings = inferno_graph::Options::default();
        settings.title = std::mem::take(&mut self.title);
        // Keeps the row under the title free: the legend stands there.
        settings.subtitle = Some(" ".to_owned());
        settings.palette_map = Some(&mut self.palette);
        settings.bgcolors = Some(BackgroundColor::Flat(Color::new(255, 255, 255)));
        settings.font_size = 12;
        settings.frame_height = 17;
        settings.min_width = options.min_width;
        settings.count_name = "ms".to_owned();
        settings.factor = 1e-6;
        settings.name_type = String::new();
        // As the lines come, and not sorted by name: see `Tree::folded`. In this mode inferno
        // begins with the last line.
        settings.flame_chart = true;
        if options.inverted {
            settings.direction = inferno_graph::Direction::Inverted;
        }
        let lines = self.lines.iter().rev().map(String::as_str);
        let mut drawn = Vec::new();
        inferno_graph::from_lines(&mut settings, lines, &mut drawn).map_err(Error::Write)?;
        let svg = String::from_utf8_lossy(&drawn);
        let svg = fit::labels(&svg);
        let svg = svg.replacen("</style>", &format!("{STYLE}</style>"), 1);
        let legend = self.legend();
        let frames = r#"<svg id="frames""#;
        let svg = svg.replacen(frames, &format!("{legend}{frames}"), 1);
        out.write_all(svg.as_bytes()).map_err(Error::Write)
    }

    /// A row of swatches in the middle, under the title.
    fn legend(&self) -> String {
        /// Width of a character, of the swatch with its gap, and between entries, in pixels.
        const CHARACTER: f64 = 6.7;
        const SWATCH: f64 = 16.0;
        const BETWEEN: f64 = 18.0;
        let mut x = 0.0;
        let mut entries = String::new();
        for (origin, share) in &self.legend {
            let words = format!("{} {}", origin.words(), units::percent(*share));
            let written = write!(
                entries,
                r#"<rect x="{x:.0}" y="39" width="11" height="11" rx="2" fill="{}"/><text x="{:.0}" y="49" style="font-size:11px">{}</text>"#,
                origin.colour(),
                x + SWATCH,
                xml::escape(&words),
            );
            debug_assert!(written.is_ok(), "writing to a string does not fail");
            x += SWATCH + words.chars().count() as f64 * CHARACTER + BETWEEN;
        }
        let middle = (x - BETWEEN) / 2.0;
        format!(
            r#"<svg class="legend" x="50%" overflow="visible"><g transform="translate({:.0} 0)">{entries}</g></svg>{}"#,
            -middle,
            self.gaps()
        )
    }
}

impl Picture {
    /// At the foot, below inferno's own lines.
    fn gaps(&self) -> String {
        let Some(words) = &self.gaps else {
            return String::new();
        };
        let words = xml::escape(words);
        format!(
            r#"<svg class="legend" overflow="visible"><text x="50%" y="100%" dy="-4" text-anchor="middle" style="font-size:11px">{words}</text></svg>"#
        )
    }
}

/// Text and page colours beside inferno's own. A rule wins over inferno's attributes.
const STYLE: &str = "
#frames text { pointer-events:none; fill:#14171a; }
@media (prefers-color-scheme: dark) {
  svg > rect { fill:#15181c; }
  #title, #details, #unzoom, #search, #matched, .legend text { fill:#e3e6ea; }
  #frames > *:hover { stroke:white; }
}
";

fn title(analysis: &Analysis<'_>, calls: &CallTree, options: &Options) -> String {
    let what = match options.filter.kind {
        SampleKind::OnCpu => "CPU time",
        SampleKind::OffCpu => "Waiting time",
    };
    let command = label::of(&summary::command(analysis));
    let mut title = format!("{what} of {}", middle(&command, 60, '…'));
    let filter = &options.filter;
    for part in [&filter.package, &filter.tool].into_iter().flatten() {
        title.push_str(", ");
        title.push_str(&label::of(part));
    }
    if let Some(pid) = filter.pid {
        title.push_str(&format!(", process {}", pid.0));
    }
    if options.reversed {
        title.push_str(", callers of each function");
    }
    let total = calls.total();
    let stacks = if calls.from_profiles {
        let stacks = units::counted(total.samples, "stack", "stacks");
        format!("{stacks} of the tools' own profiles")
    } else {
        units::counted(total.samples, "sample", "samples")
    };
    format!("{title}: {} in {stacks}", units::duration(total.time))
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
    let below = most.saturating_sub(above + 1);
    path.splice(below..path.len() - above, [left_out]);
    path
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
            NodeKind::Unnamed if name.starts_with("[kernel") => Origin::Kernel,
            NodeKind::Unnamed => Origin::Unnamed,
            NodeKind::Function | NodeKind::Inlined => {
                let file = files.get(&**name).copied().unwrap_or_default();
                Origin::of(name, &trace.text(file))
            }
        };
    }
    origins
}

#[cfg(test)]
mod tests;
