//! Differential flamegraphs: the stacks of two sides in, one picture of their difference out.
//!
//! The frames are those of one side, as wide as its stacks are heavy; their colour says what became
//! of them on the other. inferno draws frames that are called by numbers; names, hover text and
//! colours of each are put in here, since inferno's own differential mode colours a frame by what
//! ends in it alone, relative to the largest of all, and says nothing of the other side's value.

use super::drawing::{self, Drawing, FONT_SIZE, Legend};
use super::tree::Tree;
use super::{Error, LEFT_OUT, Options, fit, label, most_paths, path, shortened, stacks};
use crate::analyze::calls::{LongPaths, Merged, PathChoice, Trees};
use crate::analyze::stack_difference::{Means, Node, Side, Sides, StackDifference};
use crate::analyze::{Analysis, CallTree, Filter, Gap, Name, summary};
use crate::render::palette::{Change, Rgb};
use crate::render::text::middle;
use crate::render::{gaps, units, xml};
use crate::trace::{Nanos, SampleKind};
use inferno::flamegraph::color::PaletteMap;
use std::io;

/// How two sides are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Whose frames are drawn: those that only the other side has are not.
    pub drawn: Side,
    /// Base is scaled to what new costs: what is left is how the parts shifted.
    pub normalize: bool,
}

/// The stacks of two sides, each of one run or more.
#[derive(Debug)]
pub struct Differential {
    options: Options,
    difference: StackDifference,
    sides: Sides<Runs>,
    /// Paths of calls that are long in some run; all are where none was measured.
    long: Option<LongPaths>,
    /// Those that are merged, in all runs.
    merged: Merged,
}

/// What is told of a side's runs beside their stacks.
#[derive(Clone, Debug, Default)]
struct Runs {
    command: Option<Name>,
    /// Samples that its traces hold, whether they pass the filter or not.
    samples: u64,
    from_profiles: bool,
    gaps: Vec<Gap>,
}

impl Differential {
    /// Two sides without runs. Of the options' filter the kind of samples counts; each run brings
    /// a filter of its own.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let sampled = !options.of_calls && options.filter.kind == SampleKind::OnCpu;
        Self {
            options,
            difference: StackDifference::new(sampled),
            sides: Sides::default(),
            long: None,
            merged: Merged::default(),
        }
    }

    /// Measures a run, one of so many that will be added: of calls that were added up the shortest paths are merged where
    /// there are very many. To be told of each run before the first one is added: a path that is merged on one side and not
    /// on the other would seem to be new.
    pub fn measure(&mut self, analysis: &Analysis<'_>, filter: &Filter, runs: u64) {
        let most = most_paths(&self.options) / runs.max(1);
        let long = self.long.get_or_insert_default();
        Trees::of(analysis, filter).find_long(most, long);
    }

    /// Adds a run. Of functions that are named after an architecture, the names of the run that
    /// was added first are shown. Without a filter, nothing of the run is what is asked for.
    pub fn add(&mut self, side: Side, analysis: &Analysis<'_>, filter: Option<&Filter>) {
        let stay = self.long.as_ref();
        let stay = stay.map_or(PathChoice::All, PathChoice::Among);
        let calls = filter.map(|filter| stacks(analysis, &self.options, filter, stay).0);
        if let Some(filter) = filter {
            self.options.filter = filter.clone();
        }
        self.add_stacks(side, analysis, &calls.unwrap_or_default());
    }

    fn add_stacks(&mut self, side: Side, analysis: &Analysis<'_>, calls: &CallTree) {
        if calls.merged.paths > 0 {
            self.merged.below = calls.merged.below;
            self.merged.paths = self.merged.paths.saturating_add(calls.merged.paths);
        }
        let runs = self.sides.of_mut(side);
        let trace = analysis.trace;
        runs.samples += trace.sample_count() + trace.profiles.len() as u64;
        runs.from_profiles |= calls.from_profiles;
        runs.command
            .get_or_insert_with(|| summary::command(analysis));
        for gap in analysis.gaps(calls.unreadable_blocks) {
            if gap.count.is_some() || !runs.gaps.contains(&gap) {
                runs.gaps.push(gap);
            }
        }
        let names: Vec<u32> = calls
            .names
            .iter()
            .map(|name| self.difference.name(name))
            .collect();
        let left_out = self.difference.name(&Name::from(LEFT_OUT));
        let options = &self.options;
        let heavy = calls.nodes.iter();
        let heavy = heavy.filter(|node| node.own.time > Nanos::ZERO);
        let stacks = heavy.map(|node| {
            let path = path(calls, node, options.reversed);
            let path = shortened(path, options.most_frames, names.len());
            let name = |at: usize| names.get(at).copied().unwrap_or(left_out);
            (path.into_iter().map(name).collect(), node.own)
        });
        self.difference.add_run(side, stacks);
    }

    /// Which calls have no frames of their own, in all runs together.
    #[must_use]
    pub const fn merged(&self) -> Merged {
        self.merged
    }

    /// What was lost or not seen of a side, in one line.
    #[must_use]
    pub fn gaps(&self, side: Side) -> Option<String> {
        gaps::line(&self.sides.of(side).gaps)
    }

    /// Draws the difference.
    ///
    /// # Errors
    ///
    /// When there is nothing to draw or to compare with, or the writer fails.
    pub fn write(mut self, view: View, out: &mut dyn io::Write) -> Result<(), Error> {
        self.check(view)?;
        if view.normalize {
            self.difference.normalize();
        }
        let picture = Picture {
            of: &self,
            drawn: view.drawn,
        };
        let svg = picture.drawing().svg()?;
        let svg = picture.named(&svg);
        out.write_all(svg.as_bytes()).map_err(Error::Write)
    }

    fn check(&self, view: View) -> Result<(), Error> {
        let of_calls = self.options.of_calls;
        for side in [Side::New, Side::Base] {
            if !of_calls && self.sides.of(side).samples == 0 {
                return Err(Error::NoSamplesOf { side: side.word() });
            }
        }
        if self.sides.base.from_profiles != self.sides.new.from_profiles {
            let (base, new) = (&self.sides.base, &self.sides.new);
            let what = |runs: &Runs| match runs.from_profiles {
                true => "the tools' own profiles",
                false => "samples",
            };
            return Err(Error::DifferentSources {
                base: what(base),
                new: what(new),
            });
        }
        let total = &self.difference.root().total;
        if total.base.sum.time == Nanos::ZERO && total.new.sum.time == Nanos::ZERO {
            return Err(match of_calls {
                true => Error::NoCalls,
                false => Error::NothingPasses {
                    samples: self.sides.base.samples + self.sides.new.samples,
                },
            });
        }
        let drawn = view.drawn;
        if total.of(drawn).sum.time == Nanos::ZERO {
            return Err(Error::NothingDrawn {
                side: drawn.word(),
                other: total.of(drawn.other()).sum.samples,
                remedy: match drawn {
                    Side::New => "--reverse draws those of base",
                    Side::Base => "without --reverse those of new are drawn",
                },
            });
        }
        if view.normalize && total.base.sum.time == Nanos::ZERO {
            return Err(Error::NothingToScale);
        }
        Ok(())
    }
}

/// A difference that is drawn from one side.
struct Picture<'a> {
    of: &'a Differential,
    drawn: Side,
}

impl Picture<'_> {
    fn drawing(&self) -> Drawing {
        let difference = &self.of.difference;
        let mut tree = Tree::new();
        let mut palette = PaletteMap::default();
        let mut labels = Vec::with_capacity(difference.nodes().len());
        for (at, node) in difference.nodes().iter().enumerate() {
            let label = if at == 0 {
                String::new()
            } else {
                format!("{NUMBERED}{at}")
            };
            let shade = shade(difference.total(node));
            palette.insert(&label, drawing::colour(shade));
            labels.push(label);
            let own = node.own.of(self.drawn).time;
            if own > Nanos::ZERO {
                tree.add(self.path(at), own.0);
            }
        }
        Drawing {
            title: self.title(),
            lines: tree.folded(&labels),
            palette,
            legend: self.legend(),
            foot: self.foot(),
            min_width: self.of.options.min_width,
            inverted: self.of.options.inverted,
        }
    }

    /// Positions from the outermost frame to the one at `at`.
    fn path(&self, mut at: usize) -> Vec<usize> {
        let mut path = Vec::new();
        while at != 0 {
            path.push(at);
            let node = self.of.difference.nodes().get(at);
            at = node.map_or(0, |node| node.parent as usize);
        }
        path.reverse();
        path
    }

    /// inferno's picture with names and hover text in place of numbers.
    fn named(&self, svg: &str) -> String {
        const FRAME: &str = "<g><title>";
        let mut out = String::with_capacity(svg.len() * 2);
        let mut frames = svg.split(FRAME);
        if let Some(head) = frames.next() {
            out.push_str(&fit::scripted(head));
        }
        for frame in frames {
            out.push_str(FRAME);
            match self.named_frame(frame) {
                Some(named) => out.push_str(&named),
                None => out.push_str(frame),
            }
        }
        out
    }

    /// `None` for what inferno does not write.
    fn named_frame(&self, frame: &str) -> Option<String> {
        let (title, rest) = frame.split_once("</title>")?;
        let number = title
            .strip_prefix(NUMBERED)
            .and_then(|title| title.split(' ').next());
        let at: usize = number.map_or(Some(0), |number| number.parse().ok())?;
        let node = self.of.difference.nodes().get(at)?;
        let (_, width) = rest.split_once("width=\"")?;
        let (width, _) = width.split_once('%')?;
        let (before, after) = rest.split_at_checked(rest.find("</text>")?)?;
        let before = before.get(..=before.rfind('>')?)?;
        let mut name = match at {
            0 => "all".to_owned(),
            _ => {
                let names = self.of.difference.names();
                label::of(names.get(node.name as usize).map_or("", |name| name))
            }
        };
        name.push_str(&ending(self.of.difference.total(node)));
        let words = self.words(node);
        let written = fit::fitted_to(&name, width.parse().ok()?, FONT_SIZE);
        let (title, written) = (
            xml::escape(&format!("{name} ({words})")),
            xml::escape(&written),
        );
        Some(format!("{title}</title>{before}{written}{after}"))
    }

    /// Both values of a frame, and their difference. Without an opening bracket: what stands
    /// before the last one is the frame's name for inferno's script.
    fn words(&self, node: &Node) -> String {
        let difference = &self.of.difference;
        let means = difference.total(node);
        let all = difference.total(difference.root());
        let own = difference.own(node);
        let value =
            |time, whole| format!("{}, {}", units::duration(time), units::share(time, whole));
        let mut words = format!(
            "new {}; base {}; {}",
            value(means.new, all.new),
            value(means.base, all.base),
            units::difference(means.base, means.new)
        );
        if own.base != own.new {
            words.push_str("; of itself ");
            words.push_str(&units::signed(own.base, own.new));
        }
        if means.by_chance && means.base != means.new {
            words.push_str("; may be chance");
        }
        words
    }

    fn title(&self) -> String {
        let options = &self.of.options;
        if let Some(title) = &options.title {
            return label::of(title);
        }
        let what = match (options.of_calls, options.filter.kind) {
            (true, _) => "Time of calls",
            (false, SampleKind::OnCpu) => "CPU time",
            (false, SampleKind::OffCpu) => "Waiting time",
        };
        let command = |side| {
            let command = &self.of.sides.of(side).command;
            label::of(command.as_deref().unwrap_or_default())
        };
        let (base, new) = (command(Side::Base), command(Side::New));
        let commands = if base == new {
            format!("{}, new against base", middle(&new, 45, '…'))
        } else {
            format!(
                "{} against {}",
                middle(&new, 26, '…'),
                middle(&base, 26, '…')
            )
        };
        let parts = super::parts(&options.filter, options.reversed);
        let all = self.of.difference.total(self.of.difference.root());
        format!(
            "{what} of {commands}{parts}: {} against {}{}",
            units::duration(all.new),
            units::duration(all.base),
            ending(all).replacen(' ', ", ", 1)
        )
    }

    fn legend(&self) -> Legend {
        let difference = &self.of.difference;
        let mut legend = Legend::default();
        let runs = difference.runs();
        let many = |side| match *runs.of(side) {
            1 => side.word().to_owned(),
            more => format!("{} (mean of {more} runs)", side.word()),
        };
        let other = self.drawn.other();
        legend.add(
            &[],
            &format!(
                "as wide as in {}, compared with {}",
                many(self.drawn),
                many(other)
            ),
        );
        let shades =
            |change: Change, amounts: [f64; 3]| amounts.map(|amount| change.below_text(amount));
        legend.add(&shades(Change::Faster, [1.0, 0.6, 0.2]), "new is faster");
        legend.add(
            &[Change::Same.below_text(0.0)],
            "within two standard errors",
        );
        legend.add(&shades(Change::Slower, [0.2, 0.6, 1.0]), "new is slower");
        legend.add(&[], "full colour: twice or half");
        legend
    }

    fn foot(&self) -> Option<String> {
        let difference = &self.of.difference;
        let mut parts = Vec::new();
        if (difference.scale() - 1.0).abs() > f64::EPSILON {
            parts.push(format!(
                "base is scaled by {:.3} to the total of new",
                difference.scale()
            ));
        }
        let missing = self.missing();
        if missing > Nanos::ZERO {
            let whole = difference.root().total.of(self.drawn.other()).sum.time;
            let share = units::share(missing, whole);
            parts.push(match self.drawn {
                Side::New => format!("{share} of base is in stacks that new does not have: --reverse draws them"),
                Side::Base => format!("{share} of new is in stacks that base does not have: without --reverse they are drawn"),
            });
        }
        for side in [Side::Base, Side::New] {
            if let Some(line) = self.of.gaps(side) {
                parts.push(format!("{}: {line}", side.word()));
            }
        }
        if difference.has_chance() {
            parts.push(
                "each frame is looked at by itself: of those that did not change, about 1 in 20 has colour"
                    .to_owned(),
            );
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// What the other side spent where this one was not at all.
    fn missing(&self) -> Nanos {
        let nodes = self.of.difference.nodes();
        let empty = |node: &Node| node.total.of(self.drawn).sum.time == Nanos::ZERO;
        let tops = nodes.iter().filter(|node| {
            empty(node)
                && nodes
                    .get(node.parent as usize)
                    .is_some_and(|parent| !empty(parent))
        });
        let other = self.drawn.other();
        tops.map(|node| node.total.of(other).sum.time)
            .fold(Nanos::ZERO, |sum, time| sum + time)
    }
}

/// What frames are called while inferno draws them; a number follows.
const NUMBERED: &str = "f";

fn change(means: Means) -> Change {
    match means.new.cmp(&means.base) {
        _ if means.by_chance => Change::Same,
        std::cmp::Ordering::Less => Change::Faster,
        std::cmp::Ordering::Equal => Change::Same,
        std::cmp::Ordering::Greater => Change::Slower,
    }
}

fn shade(means: Means) -> Rgb {
    change(means).below_text(amount(means))
}

/// How much colour a difference is given: all from a factor of two on, and some as soon as there
/// is a difference.
fn amount(means: Means) -> f64 {
    const LEAST: f64 = 0.15;
    let factor = means.new.0.max(1) as f64 / means.base.0.max(1) as f64;
    LEAST + (1.0 - LEAST) * factor.log2().abs().min(1.0)
}

/// What stands behind a name whose change is no chance: `+25 %`, `×12`, `new`, `gone`.
fn ending(means: Means) -> String {
    let (base, new) = (means.base.0 as f64, means.new.0 as f64);
    let percent = ((new / base - 1.0) * 100.0).round();
    if means.by_chance || percent == 0.0 {
        String::new()
    } else if means.base == Nanos::ZERO {
        " new".to_owned()
    } else if means.new == Nanos::ZERO {
        " gone".to_owned()
    } else if percent >= 900.0 {
        format!(" ×{:.0}", new / base)
    } else {
        format!(" {percent:+} %")
    }
}

#[cfg(test)]
mod tests;
