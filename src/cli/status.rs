//! The status line: how far a run has come, or work of gotrace's own that takes long, below what stands
//! on a terminal already.

use super::output::Output;
use crate::capture::Progress;
use crate::render::text;
use crate::render::units;
use crate::trace::Nanos;
use crossbeam_channel::{RecvTimeoutError, Sender};
use nix::sys::termios::{LocalFlags, tcgetattr};
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the line is drawn anew. A command that ends within this time has none.
const INTERVAL: Duration = Duration::from_millis(400);

/// A status line that is shown for as long as this value lives.
#[derive(Debug)]
pub(super) struct Status {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Status {
    /// Begins to show how far `progress` is, after words of the caller's, if standard error is a
    /// terminal that can show it.
    pub(super) fn start(progress: Arc<Progress>, words: String) -> Option<Self> {
        Self::of(move |elapsed| line(&words, &progress, elapsed))
    }

    /// Begins to show what `line` says, if standard error is a terminal that can show it.
    fn of(line: impl Fn(Duration) -> String + Send + 'static) -> Option<Self> {
        if !can_be_shown() {
            return None;
        }
        let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
        let thread = thread::Builder::new()
            .name("gotrace-status".to_owned())
            .spawn(move || {
                let start = Instant::now();
                let mut shown = false;
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    if may_draw() {
                        draw(&line(start.elapsed()));
                        shown = true;
                    }
                }
                if shown && may_draw() {
                    draw("");
                }
            })
            .ok()?;
        Some(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A status line that failed has nothing to say about it.
            drop(thread.join());
        }
    }
}

/// Work of gotrace's own that may take long. For as long as this value lives the status line says what
/// is being done, for how long already, how much was written, and how much of how many things is left.
#[derive(Debug)]
pub(super) struct Work {
    told: Arc<Mutex<Told>>,
    status: Option<Status>,
}

/// What is being done.
#[derive(Debug)]
struct Told {
    words: String,
    /// Which of how many things it is done with, where there are several.
    part: Option<(usize, usize)>,
}

impl Work {
    /// Begins work, and shows it unless the user wants it quiet.
    pub(super) fn begin(quiet: bool, words: &str) -> Self {
        Self::counting(quiet, words, Arc::default())
    }

    /// Begins to write a file. What goes to standard output is shown by nobody, for it may be the same
    /// terminal, or a reader's who draws on that.
    pub(super) fn writing(quiet: bool, output: &Output) -> Self {
        match output.file_name() {
            Some(name) => Self::counting(quiet, &format!("writing {name}"), output.written()),
            None => Self::begin(true, ""),
        }
    }

    fn counting(quiet: bool, words: &str, bytes: Arc<AtomicU64>) -> Self {
        let told = Arc::new(Mutex::new(Told {
            words: words.to_owned(),
            part: None,
        }));
        let shown = Arc::clone(&told);
        let line = move |elapsed| {
            let told = shown.lock().unwrap_or_else(PoisonError::into_inner);
            line_of_work(&told, elapsed, bytes.load(Ordering::Relaxed))
        };
        Self {
            told,
            status: (!quiet).then(|| Status::of(line)).flatten(),
        }
    }

    /// What is being done from now on.
    pub(super) fn goes_on(&self, words: &str) {
        if self.status.is_some() {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            words.clone_into(&mut told.words);
        }
    }

    /// Which of how many things, from 1 on, it is done with from now on.
    pub(super) fn comes_to(&self, number: usize, all: usize) {
        if self.status.is_some() {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.part = (all > 1).then_some((number, all));
        }
    }
}

fn line_of_work(told: &Told, elapsed: Duration, bytes: u64) -> String {
    let mut line = text::safe(&told.words);
    if let Some((number, all)) = told.part {
        line.push_str(&format!(", {number} of {all}"));
    }
    line.push_str(&format!(", {}", duration(elapsed)));
    if bytes > 0 {
        line.push_str(&format!(", {}", units::bytes(bytes)));
    }
    line
}

fn duration(elapsed: Duration) -> String {
    units::duration(Nanos(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)))
}

/// Whether standard error is a terminal that can show a status line.
pub(super) fn can_be_shown() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    !dumb && io::stderr().is_terminal()
}

/// Whether the terminal is the command's, in the foreground, and used line by line: an editor or
/// a pager draws the whole screen itself.
fn may_draw() -> bool {
    let terminal = io::stderr();
    let ours = nix::unistd::tcgetpgrp(&terminal).is_ok_and(|group| group == nix::unistd::getpgrp());
    ours && tcgetattr(&terminal)
        .is_ok_and(|settings| settings.local_flags.contains(LocalFlags::ICANON))
}

fn line(words: &str, progress: &Progress, elapsed: Duration) -> String {
    let mut parts = vec![
        text::safe(words),
        duration(elapsed),
        units::counted(progress.processes(), "process", "processes"),
        units::counted(progress.events(), "event", "events"),
    ];
    if progress.lost() > 0 {
        parts.push(format!("{} lost", units::count(progress.lost())));
    }
    parts.retain(|part| !part.is_empty());
    let building = progress.building();
    if !building.is_empty() {
        parts.push(text::safe(&building.join(" ")));
    }
    parts.join(", ")
}

/// Draws the line below the one that the cursor is in, which is the command's.
///
/// ```text
/// ESC D    a line down, at the bottom by scrolling      ESC M    a line up again
/// ESC 7    remembers where the cursor is                ESC 8    goes back there
/// ESC [ K  clears the rest of the line                  ESC [ B  a line down
/// ```
///
/// The cursor ends where it was, so that what the command wrote so far stays whole. Whatever is
/// right of it is an older status line, and is cleared.
fn draw(text: &str) {
    let size = terminal_size::terminal_size_of(io::stderr());
    let columns = size.map_or(80, |(terminal_size::Width(columns), _)| columns);
    let text = cut(text, usize::from(columns.saturating_sub(1)));
    let drawn = format!("\x1b[K\x1bD\x1bM\x1b7\x1b[B\r\x1b[K\x1b[2m{text}\x1b[0m\x1b8");
    let mut out = io::stderr().lock();
    // A terminal that is gone shows nothing, and there is nobody to tell.
    drop(out.write_all(drawn.as_bytes()).and_then(|()| out.flush()));
}

fn cut(line: &str, columns: usize) -> String {
    if text::columns(line) <= columns {
        return line.to_owned();
    }
    let mut kept = String::new();
    for letter in line.chars() {
        kept.push(letter);
        if text::columns(&kept) > columns {
            kept.pop();
            break;
        }
    }
    kept
}
