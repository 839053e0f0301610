//! The goroutines of one process as SVG.
//!
//! ```text
//! title, time axis
//! for each goroutine, the busiest first:
//!   name; its states, where they were recorded
//!   its calls, each within its caller; ticks: samples
//! ```

use super::{BAR, LANE, MARGIN, WIDTH, lasting, svg};
use crate::analyze::{Analysis, CallBar, GoroutineRow, GoroutineRows, summary};
use crate::render::palette::Family;
use crate::render::text::middle;
use crate::render::{axis, gaps, units, xml};
use crate::trace::{Nanos, Pid, ProbeId, Trace};
use std::io;

/// Goroutines that are drawn at most.
const MOST: usize = 60;
/// Height of a name, and of the states.
const NAME: f64 = 15.0;
const STATE: f64 = 5.0;

/// Draws the goroutines of a process. Returns how many blocks could not be read.
///
/// # Errors
///
/// Those of the writer.
pub fn draw(analysis: &Analysis<'_>, pid: Pid, out: &mut dyn io::Write) -> io::Result<u64> {
    let rows = GoroutineRows::of(analysis, pid, MOST, 2 * WIDTH as u64);
    let mut picture = Picture {
        trace: analysis.trace,
        rows: &rows,
        body: String::new(),
        y: 40.0,
    };
    let command = summary::command(analysis);
    let title = format!(
        "goroutines of process {pid} of {}: {}",
        middle(&command, 70, '\u{2026}'),
        units::duration(rows.end.since(rows.begin))
    );
    picture.text(24.0, "title", &title);
    picture.axis();
    for row in &rows.rows {
        picture.row(row);
    }
    picture.foot();
    if let Some(words) = gaps::line(&analysis.gaps(rows.unreadable_blocks)) {
        picture.text(picture.y + 14.0, "small", &words);
        picture.y += LANE;
    }
    let height = picture.y + 14.0;
    svg::begin(WIDTH, height, out)?;
    out.write_all(picture.body.as_bytes())?;
    out.write_all(b"</svg>\n")?;
    Ok(rows.unreadable_blocks)
}

struct Picture<'a> {
    trace: &'a Trace,
    rows: &'a GoroutineRows,
    body: String,
    /// Where the next part begins.
    y: f64,
}

impl Picture<'_> {
    fn x(&self, time: Nanos) -> f64 {
        let whole = self.rows.end.since(self.rows.begin).0.max(1) as f64;
        let at = time.since(self.rows.begin).0 as f64;
        MARGIN + (WIDTH - 2.0 * MARGIN) * (at / whole).min(1.0)
    }

    fn text(&mut self, y: f64, class: &str, text: &str) {
        let text = xml::escape(text);
        let element =
            format!("<text x=\"{MARGIN}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>\n");
        self.body.push_str(&element);
    }

    fn axis(&mut self) {
        let y = self.y;
        for tick in axis::ticks(self.rows.end.since(self.rows.begin), 12) {
            let x = self.x(self.rows.begin + tick.at);
            let class = if x > WIDTH - 60.0 {
                "small end"
            } else {
                "small"
            };
            let label = xml::escape(&tick.label);
            self.body.push_str(&format!(
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{y:.1}\" y2=\"{:.1}\" class=\"tick\"/>\n<text x=\"{x:.1}\" y=\"{:.1}\" class=\"{class}\">{label}</text>\n",
                y + 4.0,
                y + 15.0
            ));
        }
        self.y += 24.0;
    }

    fn row(&mut self, row: &GoroutineRow) {
        let calls: u64 = row.calls.iter().flatten().map(|call| 1 + call.more).sum();
        let words = match calls {
            0 => row.name.clone(),
            _ => format!(
                "{}: {}, {} in them",
                row.name,
                units::counted(calls, "call", "calls"),
                units::duration(row.busy)
            ),
        };
        self.text(self.y + 11.0, "small", &words);
        self.y += NAME;
        self.states(row);
        let top = self.y;
        for calls in &row.calls {
            for call in calls {
                self.call(call);
            }
            self.y += LANE;
        }
        for &sample in &row.samples {
            let x = self.x(sample);
            self.body.push_str(&format!(
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{top:.1}\" class=\"sample\"/>\n",
                top - 3.0
            ));
        }
        self.y += 4.0;
    }

    fn states(&mut self, row: &GoroutineRow) {
        if row.states.is_empty() {
            return;
        }
        for state in &row.states {
            let name = self.trace.text(state.state);
            let class = match &*name {
                "running" => Family::Asm.class(),
                "system call" => Family::Vet.class(),
                "runnable" => Family::Link.class(),
                _ => "waiting",
            };
            let shape = svg::Shape {
                x: self.x(state.begin),
                end: self.x(state.end),
                y: self.y,
                height: STATE,
                class: class.to_owned(),
                tooltip: format!("{name}\n{}", lasting(state.begin, state.end)),
                label: String::new(),
            };
            self.body.push_str(&shape.draw());
        }
        self.y += STATE + 4.0;
    }

    fn call(&mut self, call: &CallBar) {
        let function = self.function(call.probe);
        let mut tooltip = format!("{function}\n{}", lasting(call.begin, call.end));
        if call.more > 0 {
            let more = units::counted(call.more, "shorter call", "shorter calls");
            tooltip.push_str(&format!("\nand {more} right after"));
        }
        let shape = svg::Shape {
            x: self.x(call.begin),
            end: self.x(call.end),
            y: self.y,
            height: BAR,
            class: Family::of_rank(call.probe.index() % 6).class().to_owned(),
            tooltip,
            label: function.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        self.body.push_str(&shape.draw());
    }

    fn function(&self, probe: ProbeId) -> String {
        let probe = self.trace.probe(probe);
        probe.map_or_else(String::new, |probe| {
            self.trace.text(probe.function).into_owned()
        })
    }

    fn foot(&mut self) {
        let words = if self.rows.rows.is_empty() {
            "no calls of goroutines of this process were recorded: gotrace run --probe IMAGE:FUNCTION".to_owned()
        } else if self.rows.left_out > 0 {
            let left_out = units::counted(self.rows.left_out, "goroutine", "goroutines");
            format!("{left_out} more, with less time in calls, left out")
        } else {
            return;
        };
        self.text(self.y + 12.0, "small", &words);
        self.y += LANE;
    }
}
