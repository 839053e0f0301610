//! Timelines as SVG: what ran when, in how many lanes, with the critical path.
//!
//! ```text
//! title, legend
//! chart     cores in use (area), bars under way (line)
//! path      the critical path, piece by piece
//! lanes     one bar for each action or program; on the critical path framed; of programs ticks where
//!           images were loaded
//! ```

pub mod goroutines;
mod svg;

use super::axis;
use super::gaps;
use super::palette::Family;
use super::text::middle;
use super::units;
use super::xml;
use crate::analyze::bindings::{Happened, Sums};
use crate::analyze::build::{Segment, SegmentKind};
use crate::analyze::timeline::{Bar, BarOf, Bars, CpuSource};
use crate::analyze::{Analysis, Timeline, summary, timeline};
use crate::trace::{Nanos, ProcessId};
use rustc_hash::FxHashMap;
use std::fmt::Write as _;
use std::io;

/// Width of the picture, in its own units.
const WIDTH: f64 = 1200.0;
/// Margin left and right.
const MARGIN: f64 = 14.0;
/// Height of the chart.
const CHART: f64 = 72.0;
/// Height of a lane, and of the bar in it.
const LANE: f64 = 20.0;
const BAR: f64 = 17.0;
/// Width of a character of a bar's label.
const CHARACTER: f64 = 6.1;
/// Where title and legend end.
const HEAD: f64 = 58.0;
/// Phases in the legend: those that have a colour of their own.
const PHASES: usize = 6;
/// Height of the tick of a load.
const TICK: f64 = 4.0;
/// Bins of the chart.
const BINS: u32 = 300;

/// Draws the timeline of a trace. A trace without any bar gives a picture that says so. Returns
/// how many blocks of samples could not be read.
///
/// # Errors
///
/// Those of the writer.
pub fn draw(analysis: &Analysis<'_>, bars: Bars, out: &mut dyn io::Write) -> io::Result<u64> {
    let timeline = analysis.timeline(timeline::Options {
        bars,
        bins: BINS,
        ..timeline::Options::default()
    });
    Picture::of(analysis, &timeline).write(out)?;
    Ok(timeline.unreadable_blocks)
}

/// A timeline, and where things go.
struct Picture<'a, 't> {
    analysis: &'a Analysis<'t>,
    timeline: &'a Timeline,
    /// Loads, binds and times of relocation, by program.
    linked: FxHashMap<ProcessId, Sums>,
    /// When images were loaded, by program.
    loaded: FxHashMap<ProcessId, Vec<Nanos>>,
    body: String,
    /// Where the next part begins.
    y: f64,
}

impl<'a, 't> Picture<'a, 't> {
    fn of(analysis: &'a Analysis<'t>, timeline: &'a Timeline) -> Self {
        let linked = Happened::of(analysis);
        let mut picture = Self {
            analysis,
            timeline,
            loaded: linked.load_times(),
            linked: linked.sums,
            body: String::new(),
            y: HEAD,
        };
        picture.head();
        picture.chart();
        picture.path();
        picture.lanes();
        picture.gaps();
        picture
    }

    fn x(&self, time: Nanos) -> f64 {
        let whole = self.timeline.end.0.max(1) as f64;
        MARGIN + (WIDTH - 2.0 * MARGIN) * (time.0 as f64 / whole).min(1.0)
    }

    fn add(&mut self, text: &str) {
        self.body.push_str(text);
        self.body.push('\n');
    }

    fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let text = xml::escape(text);
        let element = format!(r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{text}</text>"#);
        self.add(&element);
    }

    fn head(&mut self) {
        let summary = &self.analysis.builds.critical_path;
        let command = summary::command(self.analysis);
        let title = format!(
            "{}: {}",
            middle(&command, 90, '…'),
            units::duration(self.timeline.end)
        );
        self.text(MARGIN, 24.0, "title", &title);
        let mut x = MARGIN;
        let used = self.families();
        for family in Family::ALL
            .into_iter()
            .filter(|family| used.contains(family))
        {
            x = self.swatch(x, family, family.words());
        }
        for (rank, phase) in self.timeline.phases.iter().enumerate().take(PHASES) {
            x = self.swatch(x, Family::of_rank(rank), phase);
        }
        if summary.running > Nanos::ZERO {
            let swatch = format!(
                r#"<rect x="{x:.1}" y="36" width="11" height="11" rx="2" class="critical none"/>"#
            );
            self.add(&swatch);
            self.text(x + 16.0, 46.0, "small", "on the critical path");
        }
    }

    /// A square of a colour, and what it stands for; returns where the next one goes.
    fn swatch(&mut self, x: f64, colour: Family, words: &str) -> f64 {
        let swatch = format!(
            r#"<rect x="{x:.1}" y="36" width="11" height="11" rx="2" class="{}"/>"#,
            colour.class()
        );
        self.add(&swatch);
        self.text(x + 16.0, 46.0, "small", words);
        x + 16.0 + words.chars().count() as f64 * CHARACTER + 16.0
    }

    fn families(&self) -> Vec<Family> {
        if !self.timeline.phases.is_empty() {
            return Vec::new();
        }
        let bars = self.timeline.lanes.iter().flat_map(|lane| &lane.bars);
        let mut families: Vec<Family> = bars.map(|bar| Family::of(bar.tool.name())).collect();
        families.sort_unstable();
        families.dedup();
        families
    }

    /// Cores in use as an area, bars under way as a line, marks of the time axis below.
    fn chart(&mut self) {
        let timeline = self.timeline;
        let top = self.y + 14.0;
        let bottom = top + CHART;
        let most = timeline.concurrency.iter().chain(&timeline.cpu);
        let most = most.fold(f64::from(timeline.cores.max(1)), |a, &b| a.max(b));
        let height = |value: f64| bottom - CHART * value / most;
        let cores = height(f64::from(timeline.cores));
        let grid = format!(
            r#"<line x1="{MARGIN}" x2="{:.1}" y1="{cores:.1}" y2="{cores:.1}" class="grid"/>"#,
            WIDTH - MARGIN
        );
        self.add(&grid);
        let (mut area, mut line) = (String::new(), String::new());
        for (values, into) in [
            (&timeline.cpu, &mut area),
            (&timeline.concurrency, &mut line),
        ] {
            for (at, &value) in (0_u64..).zip(values) {
                let begin = self.x(Nanos(timeline.bin.0.saturating_mul(at)));
                let end = self.x(Nanos(timeline.bin.0.saturating_mul(at + 1)));
                let y = height(value);
                // Writing to a string does not fail.
                let _written = write!(into, " L{begin:.1} {y:.1} L{end:.1} {y:.1}");
            }
        }
        let right = WIDTH - MARGIN;
        let area = format!(
            r#"<path d="M{MARGIN} {bottom:.1}{area} L{right:.1} {bottom:.1} Z" class="cpu"/>"#
        );
        self.add(&area);
        let line = format!(r#"<path d="M{MARGIN} {bottom:.1}{line}" class="under-way"/>"#);
        self.add(&line);
        let source = match timeline.cpu_source {
            CpuSource::Samples => "cores in use (area)",
            CpuSource::Spread => {
                "cores in use (area, each program's CPU time spread over its life)"
            }
        };
        let words = format!(
            "{source}, under way at once (line); {}",
            units::counted(u64::from(timeline.cores), "core", "cores")
        );
        self.text(MARGIN, top - 3.0, "small", &words);
        self.y = bottom;
        self.axis();
    }

    fn axis(&mut self) {
        let y = self.y;
        for tick in axis::ticks(self.timeline.end, 12) {
            let x = self.x(tick.at);
            let mark = format!(
                r#"<line x1="{x:.1}" x2="{x:.1}" y1="{y:.1}" y2="{:.1}" class="tick"/>"#,
                y + 4.0
            );
            self.add(&mark);
            let anchor = if x > WIDTH - 60.0 {
                "small end"
            } else {
                "small"
            };
            self.text(x, y + 15.0, anchor, &tick.label);
        }
        self.y += 24.0;
    }

    /// The critical path as one row.
    fn path(&mut self) {
        let analysis = self.analysis;
        let path = &analysis.builds.critical_path;
        if path.running == Nanos::ZERO {
            return;
        }
        let share = |time| units::share(time, path.wall());
        let words = format!(
            "critical path: {} running, {} waiting for a slot, {} go itself",
            share(path.running),
            share(path.waiting),
            share(path.go)
        );
        self.text(MARGIN, self.y + 8.0, "small", &words);
        self.y += 13.0;
        for segment in &path.segments {
            let label = summary::label(analysis, segment);
            let shape = svg::Shape {
                x: self.x(segment.start),
                end: self.x(segment.end),
                y: self.y,
                height: BAR,
                class: self.class_of(segment),
                tooltip: format!("{label}\n{}", lasting(segment.start, segment.end)),
                label: label.to_string(),
            };
            self.body.push_str(&shape.draw());
        }
        self.y += LANE + 6.0;
    }

    fn class_of(&self, segment: &Segment) -> String {
        match segment.kind {
            // Colours stand for phases there.
            SegmentKind::Running(_) | SegmentKind::Load | SegmentKind::GoItself
                if !self.timeline.phases.is_empty() =>
            {
                Family::Other.class().to_owned()
            }
            SegmentKind::Running(index) => {
                let build = self.analysis.builds.builds.get(segment.build as usize);
                let action = build.and_then(|build| build.action(index));
                let tool = action.map(|action| timeline::main_tool(self.analysis, action));
                let family = tool.map_or(Family::Other, |tool| Family::of(tool.name()));
                family.class().to_owned()
            }
            SegmentKind::Waiting(_) => "waiting".to_owned(),
            SegmentKind::Load | SegmentKind::GoItself => Family::Go.class().to_owned(),
            SegmentKind::Outside => Family::Other.class().to_owned(),
        }
    }

    fn lanes(&mut self) {
        let timeline = self.timeline;
        if timeline.lanes.is_empty() {
            self.text(
                MARGIN,
                self.y + 12.0,
                "small",
                "nothing ran that could be seen",
            );
            self.y += LANE;
        }
        for lane in &timeline.lanes {
            for bar in &lane.bars {
                let family = colour_of(self.timeline, bar).class();
                let critical = if bar.critical { " critical" } else { "" };
                let shape = svg::Shape {
                    x: self.x(bar.start),
                    end: self.x(bar.end),
                    y: self.y,
                    height: BAR,
                    class: format!("{family}{critical}"),
                    tooltip: self.tooltip(bar),
                    label: match bar.phase {
                        Some(phase) => self.timeline.phase(phase).to_string(),
                        None => bar.label.to_string(),
                    },
                };
                self.body.push_str(&shape.draw());
                self.loads(bar);
            }
            self.y += LANE;
        }
    }

    /// Ticks in the bar of a program where images were loaded; one for those that are too near to
    /// each other to be told apart.
    fn loads(&mut self, bar: &Bar) {
        let BarOf::Process(process) = bar.of else {
            return;
        };
        let loaded = self.loaded.get(&process).into_iter().flatten();
        let within = loaded.filter(|time| (bar.start..bar.end).contains(*time));
        let mut ticks: Vec<String> = within.map(|&time| format!("{:.1}", self.x(time))).collect();
        ticks.dedup();
        let y = self.y + BAR - TICK;
        for x in ticks {
            self.add(&format!(r#"<path d="M{x} {y:.1}v{TICK}" class="load"/>"#));
        }
    }

    /// What dynamic linking there was in a bar, in a line of its tooltip.
    fn linking(&self, bar: &Bar) -> Option<String> {
        let sums = |process: &ProcessId| self.linked.get(process).copied();
        let all = match bar.of {
            BarOf::Process(process) => sums(&process)?,
            BarOf::Action(at) => {
                let build = self.analysis.builds.builds.get(at.build as usize)?;
                let processes = build.action(at.action)?.processes.iter();
                let mut all = Sums::default();
                processes.filter_map(sums).for_each(|one| all += one);
                all
            }
        };
        (all != Sums::default()).then(|| linking(all))
    }

    /// What the picture cannot show.
    fn gaps(&mut self) {
        let gaps = self.analysis.gaps(self.timeline.unreadable_blocks);
        if let Some(words) = gaps::line(&gaps) {
            self.text(MARGIN, self.y + 14.0, "small", &words);
            self.y += LANE;
        }
    }

    fn tooltip(&self, bar: &Bar) -> String {
        let mut words = format!("{} {}", bar.tool.name(), bar.label);
        if let Some(phase) = bar.phase {
            words = format!("{words}: {}", self.timeline.phase(phase));
        }
        words = format!("{words}\n{}", lasting(bar.start, bar.end));
        let mut line = |text: String| {
            words.push('\n');
            words.push_str(&text);
        };
        match bar.of {
            BarOf::Action(at) => {
                let build = self.analysis.builds.builds.get(at.build as usize);
                if let Some(action) = build.and_then(|build| build.action(at.action)) {
                    line(format!("{} CPU", units::duration(action.cpu)));
                    line(format!(
                        "ready {} before it began",
                        units::duration(action.waited())
                    ));
                    line(format!(
                        "unlocks {}, gates {}",
                        units::counted(u64::from(action.unlocks), "action", "actions"),
                        units::count(u64::from(action.gates))
                    ));
                }
            }
            BarOf::Process(id) => {
                if let Some(process) = self.analysis.trace.process(id) {
                    line(format!("{} CPU", units::duration(process.cpu())));
                    line(format!("process {}", process.pid.0));
                }
            }
        }
        if let Some(linking) = self.linking(bar) {
            line(linking);
        }
        if bar.critical {
            line("on the critical path".to_owned());
        }
        if bar.open {
            line("its end was not seen".to_owned());
        }
        words
    }

    fn write(self, out: &mut dyn io::Write) -> io::Result<()> {
        let height = self.y + 10.0;
        svg::begin(WIDTH, height, out)?;
        out.write_all(self.body.as_bytes())?;
        out.write_all(b"</svg>\n")
    }
}

/// What dynamic linking there was, in words.
pub(super) fn linking(all: Sums) -> String {
    let took = match all.linking {
        Nanos::ZERO => String::new(),
        time => format!(" in {} of linking", units::duration(time)),
    };
    format!(
        "{} loaded, {}{took}",
        units::counted(all.loads, "image", "images"),
        units::counted(all.binds, "bind", "binds"),
    )
}

/// Its tool's, or its phase's.
pub(super) fn colour_of(timeline: &Timeline, bar: &Bar) -> Family {
    match bar.phase {
        Some(rank) => Family::of_rank(rank),
        None if timeline.phases.is_empty() => Family::of(bar.tool.name()),
        None => Family::Other,
    }
}

fn lasting(start: Nanos, end: Nanos) -> String {
    format!(
        "{}, from {} to {}",
        units::duration(end.since(start)),
        units::duration(start),
        units::duration(end)
    )
}

#[cfg(test)]
mod tests;
