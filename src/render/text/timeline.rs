//! Timelines in the terminal: a row for each lane, a bar for each action or program.

use super::page::{Page, Tone};
use super::ranking::NO_PHASES;
use super::width::{self, middle};
use crate::analyze::bindings::{Happened, Sums};
use crate::analyze::timeline::{Bar, Bars, Lane};
use crate::analyze::{Analysis, Timeline, timeline};
use crate::render::axis;
use crate::render::palette::Family;
use crate::render::timeline::{colour_of, linking};
use crate::render::units;
use crate::trace::Nanos;
use std::io;

/// Lanes that are shown at most.
const MOST_LANES: usize = 32;
/// Phases in the legend: those that have a colour of their own.
const PHASES: usize = 6;
/// Columns left of the chart.
const GUTTER: usize = 7;
/// The chart is never wider or narrower.
const WIDEST: usize = 200;
const NARROWEST: usize = 20;

/// Writes the timeline of a trace. Returns how many blocks of samples could not be read.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    analysis: &Analysis<'_>,
    bars: Bars,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<u64> {
    let columns = page.columns.saturating_sub(GUTTER).clamp(NARROWEST, WIDEST);
    let bins = u32::try_from(columns).unwrap_or(u32::MAX);
    let timeline = analysis.timeline(timeline::Options {
        bars,
        bins,
        ..timeline::Options::default()
    });
    if timeline.lanes.is_empty() {
        writeln!(out, "nothing ran that could be seen")?;
        return Ok(timeline.unreadable_blocks);
    }
    let chart = Chart {
        page,
        timeline: &timeline,
        columns,
    };
    chart.axis(out)?;
    chart.cores(out)?;
    if !analysis.trace.loads.is_empty() {
        chart.loads(&Happened::of(analysis), out)?;
    }
    for lane in timeline.lanes.iter().take(MOST_LANES) {
        writeln!(out, "{:GUTTER$}{}", "", chart.lane(lane))?;
    }
    if let more @ 1.. = timeline.lanes.len().saturating_sub(MOST_LANES) {
        let more = units::counted(more as u64, "lane", "lanes");
        let words = page.paint(&format!("{more} more: -o FILE.svg shows all"), Tone::Dim);
        writeln!(out, "{:GUTTER$}{words}", "")?;
    }
    chart.legend(out)?;
    if bars == Bars::Phases && timeline.phases.is_empty() {
        writeln!(out, "{}", page.paint(NO_PHASES, Tone::Dim))?;
    }
    Ok(timeline.unreadable_blocks)
}

/// A timeline on a page.
struct Chart<'a> {
    page: &'a Page,
    timeline: &'a Timeline,
    columns: usize,
}

/// A column of a lane: what is written there, in which tone.
type Cell = (char, Tone);

impl Chart<'_> {
    /// The column that a time falls into.
    fn column(&self, time: Nanos) -> usize {
        let whole = u128::from(self.timeline.end.0.max(1));
        let column = u128::from(time.0) * self.columns as u128 / whole;
        usize::try_from(column).map_or(self.columns, |column| column.min(self.columns))
    }

    fn axis(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut line = String::new();
        for tick in axis::ticks(self.timeline.end, (self.columns / 12) as u64) {
            let column = self.column(tick.at);
            let written = width::columns(&line);
            if column >= written && column + tick.label.len() <= self.columns {
                line.push_str(&" ".repeat(column - written));
                line.push_str(&tick.label);
            }
        }
        let line = self.page.safe(&line);
        writeln!(out, "{:GUTTER$}{}", "", self.page.paint(&line, Tone::Dim))
    }

    /// Cores in use, of all.
    fn cores(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let cores = f64::from(self.timeline.cores.max(1));
        let line = self.heights(self.timeline.cpu.iter().map(|cpu| cpu / cores));
        let label = format!("{} cpu", self.timeline.cores);
        let line = self
            .page
            .paint(line.trim_end(), Tone::Palette(Family::Compile.terminal()));
        writeln!(out, "{label:<GUTTER$}{line}")
    }

    /// Images that were loaded in each column, of those in the fullest one, and what came of them.
    fn loads(&self, happened: &Happened, out: &mut dyn io::Write) -> io::Result<()> {
        let mut counts = vec![0_u32; self.columns];
        for mark in &happened.marks {
            let column = self.column(mark.load.time).min(self.columns - 1);
            if let Some(count) = counts.get_mut(column) {
                *count += 1;
            }
        }
        let most = f64::from(counts.iter().copied().max().unwrap_or(0).max(1));
        // A single one is seen, too.
        let parts = counts.iter().map(|&count| match count {
            0 => 0.0,
            count => (f64::from(count) / most).max(0.125),
        });
        let line = self.heights(parts);
        let mut all = Sums::default();
        happened.sums.values().for_each(|one| all += *one);
        let line = self.page.paint(line.trim_end(), Tone::Dim);
        writeln!(out, "{:<GUTTER$}{line}", "loads")?;
        let words = self.page.paint(&linking(all), Tone::Dim);
        writeln!(out, "{:GUTTER$}{words}", "")
    }

    /// Parts of a whole, an eighth of the height for each step.
    fn heights(&self, parts: impl Iterator<Item = f64>) -> String {
        const STEPS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        const ASCII: [char; 9] = [' ', '.', '.', ':', ':', '=', '=', '#', '#'];
        let steps = if self.page.unicode { STEPS } else { ASCII };
        let step = |part: f64| (part * 8.0).round().clamp(0.0, 8.0) as usize;
        parts
            .map(|part| steps.get(step(part)).copied().unwrap_or(' '))
            .collect()
    }

    fn lane(&self, lane: &Lane) -> String {
        let mut cells: Vec<Cell> = vec![(' ', Tone::Plain); self.columns];
        let mut free = 0;
        for bar in &lane.bars {
            let start = self.column(bar.start).max(free);
            let end = self.column(bar.end).max(self.column(bar.start) + 1);
            let Some(place) = cells.get_mut(start..end.min(self.columns)) else {
                continue;
            };
            self.bar(bar, place);
            free = free.max(end);
        }
        self.paint(&cells)
    }

    /// Draws a bar: its label between brackets, as far as there is room.
    fn bar(&self, bar: &Bar, place: &mut [Cell]) {
        let tone = if bar.critical {
            Tone::Critical
        } else {
            Tone::Palette(colour_of(self.timeline, bar).terminal())
        };
        let (line, one) = match (self.page.unicode, bar.critical) {
            (true, true) => ('━', '▮'),
            (true, false) => ('─', '▪'),
            (false, true) => ('=', '#'),
            (false, false) => ('-', '|'),
        };
        let inside = place.len().saturating_sub(2);
        let label = if inside >= 3 {
            let ellipsis = if self.page.unicode { '…' } else { '~' };
            let label = match bar.phase {
                Some(phase) => self.timeline.phase(phase),
                None => short(&bar.label, inside),
            };
            middle(&self.page.safe(label), inside, ellipsis)
        } else {
            String::new()
        };
        // A name that takes two columns a character is left out: one cell is one column.
        let narrow = width::columns(&label) == label.chars().count();
        let mut label = label.chars().filter(|_| narrow);
        let last = place.len().saturating_sub(1);
        for (at, cell) in place.iter_mut().enumerate() {
            let c = match at {
                _ if last == 0 => one,
                0 => '[',
                _ if at == last => ']',
                _ => label.next().unwrap_or(line),
            };
            *cell = (c, tone);
        }
    }

    fn paint(&self, cells: &[Cell]) -> String {
        let used = cells
            .iter()
            .rposition(|(c, _)| *c != ' ')
            .map_or(0, |at| at + 1);
        let cells = cells.get(..used).unwrap_or_default();
        let runs = cells.chunk_by(|(_, one), (_, other)| one == other);
        runs.map(|run| {
            let text: String = run.iter().map(|(c, _)| *c).collect();
            let tone = run.first().map_or(Tone::Plain, |(_, tone)| *tone);
            self.page.paint(&text, tone)
        })
        .collect()
    }

    fn legend(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let line = if self.page.unicode { '━' } else { '=' };
        let words = format!("{line} on the critical path");
        writeln!(out, "{:GUTTER$}{}", "", self.page.paint(&words, Tone::Dim))?;
        let phases = self.timeline.phases.iter().take(PHASES).enumerate();
        let phases = phases.map(|(rank, phase)| {
            let tone = Tone::Palette(Family::of_rank(rank).terminal());
            self.page.paint(&self.page.safe(phase), tone)
        });
        let phases: Vec<String> = phases.collect();
        match phases.is_empty() {
            true => Ok(()),
            false => writeln!(out, "{:GUTTER$}{}", "", phases.join(", ")),
        }
    }
}

/// The label, or where there is no room for it the last element of its path.
fn short(label: &str, columns: usize) -> &str {
    if width::columns(label) <= columns {
        return label;
    }
    label.rsplit('/').next().unwrap_or(label)
}
