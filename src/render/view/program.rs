//! All that is known of one program: facts, its time line with phases, and what it started.

use super::sheet::Write;
use crate::analyze::cost::Cost;
use crate::analyze::{Analysis, Life, PhaseIndex};
use crate::render::text::{Page, Tone, columns, middle};
use crate::render::units;
use crate::trace::{ExitStatus, Nanos, Process, ProcessId};
use std::cmp::Reverse;

/// Parts that a life is divided into: more than a terminal has columns.
const PARTS: usize = 480;
/// Columns left of a strip.
const GUTTER: usize = 8;
/// Programs below it that are named.
const CHILDREN: usize = 200;

/// A phase of the program, once: which, by its place among [`Program::phases`], and when.
type Span = (usize, Nanos, Nanos);

/// One program, and what its page says.
struct Program<'a> {
    analysis: &'a Analysis<'a>,
    process: &'a Process,
    cost: Cost,
    life: Life,
    /// Names of phases and their time, the longest first.
    phases: Vec<(String, Nanos)>,
    spans: Vec<Span>,
    /// What it started, by start.
    children: Vec<&'a Process>,
}

/// Gathers what is known of a program; returns the writer of its page, and how many blocks of samples could not be
/// read. Reads all samples once.
pub(super) fn page<'a>(
    analysis: &'a Analysis<'a>,
    index: &PhaseIndex,
    process: &'a Process,
    cost: Cost,
) -> (Write<'a>, u64) {
    let spans = index.spans();
    let own = spans
        .iter()
        .filter(|span| span.process == process.id && !span.phase.beside);
    let mut phases: Vec<(String, Nanos)> = Vec::new();
    let mut found = Vec::new();
    for span in own {
        let place = phases
            .iter()
            .position(|(name, _)| **name == *span.phase.phase);
        let place = place.unwrap_or_else(|| {
            phases.push((span.phase.phase.to_string(), Nanos::ZERO));
            phases.len() - 1
        });
        phases[place].1 += span.end.since(span.begin);
        found.push((place, span.begin, span.end));
    }
    let mut order: Vec<usize> = (0..phases.len()).collect();
    order.sort_by_key(|&place| Reverse(phases[place].1));
    let rank = |place: usize| order.iter().position(|&at| at == place).unwrap_or(0);
    let spans = found
        .into_iter()
        .map(|(place, begin, end)| (rank(place), begin, end));
    let program = Program {
        life: Life::of(analysis, process, PARTS),
        spans: spans.collect(),
        phases: order.iter().map(|&place| phases[place].clone()).collect(),
        children: children(analysis, process.id),
        analysis,
        process,
        cost,
    };
    let unread = program.life.unreadable_blocks;
    (Box::new(move |page| program.write(page)), unread)
}

fn children<'a>(analysis: &'a Analysis<'_>, id: ProcessId) -> Vec<&'a Process> {
    let below = analysis.roles.iter();
    let below = below.filter(|(_, role)| role.parent == Some(id));
    let mut below: Vec<&Process> = below
        .filter_map(|(id, _)| analysis.trace.process(id))
        .collect();
    below.sort_by_key(|process| (process.start, process.id));
    below
}

impl Program<'_> {
    fn write(&self, page: &Page) -> Vec<String> {
        let mut lines = Vec::new();
        self.facts(page, &mut lines);
        lines.push(String::new());
        self.timeline(page, &mut lines);
        self.started(page, &mut lines);
        lines
    }

    /// What it was, and what it used.
    fn facts(&self, page: &Page, lines: &mut Vec<String>) {
        let trace = self.analysis.trace;
        let Process { exec, pid, .. } = self.process;
        let words = exec.argv.iter().map(|&word| trace.text(word));
        let command = words.collect::<Vec<_>>().join(" ");
        let translator = trace.text(exec.translator);
        let how = match &*translator {
            "" => String::new(),
            translator => format!(", translated by {translator}"),
        };
        let role = self.analysis.roles.get(self.process.id);
        let package = role.and_then(|role| role.package.as_deref());
        let usage = &self.cost.usage;
        let time = |time: Nanos| match self.process.exit {
            Some(_) => units::duration(time),
            None => "not known: its end was not seen".to_owned(),
        };
        let facts = [
            ("pid", format!("{}, {}{how}", pid.0, exec.arch.name())),
            ("package", package.unwrap_or("none").to_owned()),
            ("end", end_of(self.process).to_owned()),
            ("wall", units::duration(self.cost.wall)),
            ("CPU", time(usage.cpu())),
            ("ready", format!("{}, without a core", time(usage.runqueue))),
            ("waiting", at_least(self.cost.waiting)),
            (
                "memory",
                format!("{} at most", units::bytes(usage.max_rss_bytes)),
            ),
            ("in", trace.text(exec.cwd).into_owned()),
            ("command", command),
        ];
        for (what, fact) in facts {
            let name = page.paint(&format!("{what:GUTTER$}"), Tone::Dim);
            lines.push(format!("{name}{}", fitted(page, &fact, GUTTER)));
        }
    }

    /// When it ran, as strips below one another.
    fn timeline(&self, page: &Page, lines: &mut Vec<String>) {
        let width = page.columns.saturating_sub(GUTTER).max(1);
        let (start, end) = (self.life.start, self.life.end);
        let ends = (units::duration(start), units::duration(end));
        let gap = width.saturating_sub(columns(&ends.0) + columns(&ends.1));
        let axis = format!("{:GUTTER$}{}{}{}", "time", ends.0, " ".repeat(gap), ends.1);
        lines.push(page.paint(&page.safe(&axis), Tone::Dim));
        let whole = self.analysis.end;
        let life = self.strip(width, (Nanos::ZERO, whole), &[(start, end)], page);
        lines.push(format!("{:GUTTER$}{life}", "of all"));
        for (name, parts) in [("CPU", &self.life.cpu), ("waiting", &self.life.waiting)] {
            if parts.iter().any(|part| *part > Nanos::ZERO) {
                lines.push(format!(
                    "{name:GUTTER$}{}",
                    self.heights(width, parts, page)
                ));
            }
        }
        if self.life.cpu.iter().all(|part| *part == Nanos::ZERO) {
            let words = format!("{:GUTTER$}no sample of it", "CPU");
            lines.push(page.paint(&words, Tone::Dim));
        }
        if self.phases.is_empty() {
            return;
        }
        lines.push(format!("{:GUTTER$}{}", "phases", self.phase_strip(width)));
        let all = self.cost.wall;
        for (place, (name, time)) in self.phases.iter().enumerate() {
            let words = format!(
                "{:GUTTER$}{} {name}: {}, {}",
                "",
                letter(place),
                units::duration(*time),
                units::share(*time, all)
            );
            lines.push(fitted(page, &words, 0));
        }
    }

    /// Columns of a time in which there was one of these spans.
    fn strip(
        &self,
        width: usize,
        (from, to): (Nanos, Nanos),
        spans: &[(Nanos, Nanos)],
        page: &Page,
    ) -> String {
        let (on, off) = match page.unicode {
            true => ('█', '·'),
            false => ('#', '.'),
        };
        let columns = (0..width).map(|at| {
            let column = column(at, width, (from, to));
            let is_in = spans
                .iter()
                .any(|span| span.0 < column.1 && column.0 < span.1.max(Nanos(span.0.0 + 1)));
            if is_in { on } else { off }
        });
        columns.collect()
    }

    /// How much there is in each column, up to the most in one.
    fn heights(&self, width: usize, parts: &[Nanos], page: &Page) -> String {
        const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        const TENTHS: [char; 9] = [' ', '1', '2', '3', '4', '5', '6', '7', '8'];
        let of = |at: usize| -> u64 {
            let place = |column: usize| column * parts.len() / width;
            let (from, to) = (place(at), place(at + 1).max(place(at) + 1));
            let parts = parts.get(from..to.min(parts.len())).unwrap_or_default();
            let sum: u64 = parts.iter().map(|part| part.0).sum();
            sum / parts.len().max(1) as u64
        };
        let columns: Vec<u64> = (0..width).map(of).collect();
        let most = columns.iter().copied().max().unwrap_or(0).max(1);
        let marks = if page.unicode { EIGHTHS } else { TENTHS };
        let mark = |height: &u64| {
            let eighth = (u128::from(*height) * 8).div_ceil(u128::from(most));
            marks.get(eighth as usize).copied().unwrap_or(' ')
        };
        columns.iter().map(mark).collect()
    }

    /// The phase that most of each column is.
    fn phase_strip(&self, width: usize) -> String {
        let life = (self.life.start, self.life.end);
        let columns = (0..width).map(|at| {
            let (from, to) = column(at, width, life);
            let mut times = vec![0_u64; self.phases.len()];
            for (place, begin, end) in &self.spans {
                times[*place] += to.min(*end).since(from.max(*begin)).0;
            }
            let most = (0..times.len()).max_by_key(|&place| (times[place], Reverse(place)));
            match most {
                Some(place) if times[place] > 0 => letter(place),
                _ => '.',
            }
        });
        columns.collect()
    }

    /// What it started, drawn over its own life.
    fn started(&self, page: &Page, lines: &mut Vec<String>) {
        if self.children.is_empty() {
            return;
        }
        lines.push(String::new());
        let count = units::counted(self.children.len() as u64, "program", "programs");
        lines.push(page.paint(&format!("{count} started by it"), Tone::Strong));
        let life = (self.life.start, self.life.end);
        let width = page.columns.saturating_sub(GUTTER).max(1);
        let strip = (width / 2).clamp(1, 60);
        for child in self.children.iter().take(CHILDREN) {
            let role = self.analysis.roles.get(child.id);
            let tool = role.map_or("?", |role| role.tool.name());
            let package = role.and_then(|role| role.package.as_deref()).unwrap_or("");
            let end = child.end_or(self.analysis.end);
            let bar = self.strip(strip, life, &[(child.start, end)], page);
            let name = format!("{tool} {package}");
            let room = width.saturating_sub(strip + 1);
            let name = middle(&page.safe(&name), room, ellipsis(page));
            lines.push(format!("{:<GUTTER$}{bar} {name}", child.pid.0));
        }
        if let more @ 1.. = self.children.len().saturating_sub(CHILDREN) {
            let words = format!("{} more", units::count(more as u64));
            lines.push(page.paint(&words, Tone::Dim));
        }
    }
}

/// The time that a column of a strip stands for.
fn column(at: usize, width: usize, (from, to): (Nanos, Nanos)) -> (Nanos, Nanos) {
    let length = u128::from(to.since(from).0);
    let time = |at: usize| {
        let passed = length * at as u128 / width as u128;
        Nanos(from.0 + u64::try_from(passed).unwrap_or(u64::MAX))
    };
    (time(at), time(at + 1))
}

/// The letter of a phase; those behind the alphabet have one together.
fn letter(place: usize) -> char {
    u32::try_from(place)
        .ok()
        .filter(|place| *place < 26)
        .and_then(|place| char::from_u32(u32::from('a') + place))
        .unwrap_or('*')
}

fn ellipsis(page: &Page) -> char {
    if page.unicode { '…' } else { '~' }
}

fn fitted(page: &Page, text: &str, taken: usize) -> String {
    let room = page.columns.saturating_sub(taken);
    middle(&page.safe(text), room, ellipsis(page))
}

fn at_least(waiting: Nanos) -> String {
    match waiting {
        Nanos::ZERO => "not known: threads that run side by side hide it".to_owned(),
        time => format!("{} at least", units::duration(time)),
    }
}

fn end_of(process: &Process) -> String {
    match process.exit.map(|exit| exit.status) {
        None => "not seen".to_owned(),
        Some(ExitStatus::Code(code)) => format!("exit code {code}"),
        Some(ExitStatus::Signal(signal)) => format!("killed by signal {signal}"),
        Some(ExitStatus::Replaced) => "went on as another program".to_owned(),
        Some(ExitStatus::Unknown) => "how is not known".to_owned(),
    }
}
