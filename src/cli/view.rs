//! `gotrace view`: owns the terminal while a trace is walked through, and gives it back as it was.

use super::exit::Usage;
use super::output;
use super::trace_operand::TraceOperand;
use crate::analyze::Analysis;
use crate::render::view::{Key, Step, View};
use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender};
use nix::sys::signal::{self, SigSet, Signal};
use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::cursor::{Hide, Show};
use ratatui_crossterm::crossterm::event::{
    self, DisableMouseCapture, EnableMouseCapture, Event, KeyCode, KeyEvent, KeyEventKind,
    KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui_crossterm::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui_crossterm::crossterm::{execute, queue};
use std::io::{self, IsTerminal as _, Stdout, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Walks through a trace on the terminal: packages, critical path, processes, stacks, calls.
///
/// Lists are sorted, filtered and searched; a package leads to its programs, and these to their stacks. ? shows
/// the keys. The figures are those of `gotrace show`, `calls` and `flamegraph` (docs/view.md).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    trace: TraceOperand,
    /// Take clicks and the wheel; the terminal then selects no text, or only with shift held
    #[arg(long)]
    mouse: bool,
}

/// Signals that end gotrace, or stop it: the terminal is given back before.
const SIGNALS: [Signal; 5] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGTSTP,
];

/// What the terminal's owner waits for.
enum Happened {
    Input(Event),
    Signal(Signal),
    /// Nothing more can be read: the terminal has gone.
    Over,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            let words = "view draws on a terminal, and standard input or output is none: gotrace show prints \
                         tables, gotrace report writes a page";
            return Err(Usage(words.to_owned()).into());
        }
        let trace = self.trace.open()?;
        let analysis = Analysis::of(&trace);
        let view = View::new(&analysis, output::page_of_terminal());
        // Before any thread is there, so that all of them hold these back.
        let held: SigSet = SIGNALS.into_iter().collect();
        held.thread_block()
            .context("cannot hold back signals while the terminal is used")?;
        let (sender, happened) = crossbeam_channel::unbounded();
        watch_signals(held, sender.clone());
        read_input(sender);
        let ended = walk(view, self.mouse, &happened)?;
        if let Some(signal) = ended {
            suffer(signal).context("cannot end as the signal asks")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Shows the view until the user has seen enough. Returns the signal that ended it, if one did.
fn walk(
    mut view: View<'_>,
    mouse: bool,
    happened: &Receiver<Happened>,
) -> anyhow::Result<Option<Signal>> {
    let mut screen = Screen::take(mouse).context("cannot take over the terminal")?;
    screen.draw(&mut view)?;
    for one in happened {
        let step = match one {
            Happened::Input(Event::Resize(..)) => Step::Stay,
            Happened::Input(event) => match interrupts(&event) {
                true => return Ok(Some(Signal::SIGINT)),
                false => key_of(&event).map_or(Step::Stay, |key| view.press(key)),
            },
            Happened::Signal(Signal::SIGTSTP) => Step::Stop,
            Happened::Signal(signal) => return Ok(Some(signal)),
            Happened::Over => return Ok(Some(Signal::SIGHUP)),
        };
        match step {
            Step::Quit => break,
            Step::Stay => {}
            Step::Redraw => screen.terminal.clear().context(CANNOT_DRAW)?,
            Step::Stop => {
                give_back().context(CANNOT_GIVE_BACK)?;
                // It would give back what is taken next.
                drop(screen);
                suffer(Signal::SIGTSTP).context("cannot stop")?;
                screen = Screen::take(mouse).context("cannot take over the terminal again")?;
            }
            Step::Work => {
                screen.draw(&mut view)?;
                view.work();
            }
        }
        screen.draw(&mut view)?;
    }
    give_back().context(CANNOT_GIVE_BACK)?;
    Ok(None)
}

const CANNOT_DRAW: &str = "cannot draw on the terminal";
const CANNOT_GIVE_BACK: &str = "cannot give the terminal back as it was";

/// The terminal while it shows the view. Dropped, it is as it was.
struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    fn take(mouse: bool) -> io::Result<Self> {
        give_back_on_panic();
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let mut out = io::stdout();
        let taken = queue!(out, EnterAlternateScreen, Hide).and_then(|()| match mouse {
            true => queue!(out, EnableMouseCapture),
            false => Ok(()),
        });
        let terminal = taken
            .and_then(|()| out.flush())
            .and_then(|()| Terminal::new(CrosstermBackend::new(out)));
        match terminal {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                drop(give_back());
                Err(error)
            }
        }
    }

    fn draw(&mut self, view: &mut View<'_>) -> anyhow::Result<()> {
        let drawn = self.terminal.draw(|frame| {
            let area = frame.area();
            view.resize(area.width, area.height);
            view.draw(frame.buffer_mut());
        });
        drawn.map(drop).context(CANNOT_DRAW)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(give_back());
    }
}

/// Whether the terminal is not as it was before.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Makes the terminal as it was before, once.
fn give_back() -> io::Result<()> {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return Ok(());
    }
    let left = execute!(
        io::stdout(),
        DisableMouseCapture,
        Show,
        LeaveAlternateScreen
    );
    disable_raw_mode().and(left)
}

/// Lets a panic be read: on the screen that is left, not on the one that goes away.
fn give_back_on_panic() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            drop(give_back());
            before(panic);
        }));
    });
}

/// Hands on the signals that are held back, as long as somebody takes them.
fn watch_signals(held: SigSet, to: Sender<Happened>) {
    thread::spawn(move || {
        while let Ok(signal) = held.wait() {
            if to.send(Happened::Signal(signal)).is_err() {
                break;
            }
        }
    });
}

/// Hands on what the user types, as long as somebody takes it.
fn read_input(to: Sender<Happened>) {
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if to.send(Happened::Input(event)).is_err() {
                return;
            }
        }
        drop(to.send(Happened::Over));
    });
}

/// Lets a signal that is held back do what it does to who does not expect it: the shell sees why gotrace ended, or
/// that it was stopped. A stop does nothing where no shell would let it go on.
fn suffer(signal: Signal) -> nix::Result<()> {
    signal::raise(signal)?;
    let held = SigSet::from(signal);
    held.thread_unblock()?;
    held.thread_block()
}

/// Whether the user typed what interrupts: a raw terminal sends no signal for it.
fn interrupts(event: &Event) -> bool {
    matches!(
        event,
        Event::Key(KeyEvent {
            code: KeyCode::Char('c'),
            modifiers: KeyModifiers::CONTROL,
            ..
        })
    )
}

/// What a user did, in the words of the view; `None` for what it has no use for.
fn key_of(event: &Event) -> Option<Key> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => match key.code {
            KeyCode::Char(letter) if key.modifiers.contains(KeyModifiers::CONTROL) => {
                match letter {
                    'z' => Some(Key::Stop),
                    'l' => Some(Key::Redraw),
                    'd' | 'f' => Some(Key::PageDown),
                    'u' | 'b' => Some(Key::PageUp),
                    _ => None,
                }
            }
            KeyCode::Char(letter) => Some(Key::Char(letter)),
            KeyCode::Enter => Some(Key::Enter),
            KeyCode::Backspace => Some(Key::Backspace),
            KeyCode::Esc => Some(Key::Escape),
            KeyCode::Tab => Some(Key::Tab),
            KeyCode::BackTab => Some(Key::BackTab),
            KeyCode::Up => Some(Key::Up),
            KeyCode::Down => Some(Key::Down),
            KeyCode::Left => Some(Key::Left),
            KeyCode::Right => Some(Key::Right),
            KeyCode::PageUp => Some(Key::PageUp),
            KeyCode::PageDown => Some(Key::PageDown),
            KeyCode::Home => Some(Key::Home),
            KeyCode::End => Some(Key::End),
            _ => None,
        },
        Event::Mouse(MouseEvent {
            kind, column, row, ..
        }) => match kind {
            MouseEventKind::Down(MouseButton::Left) => Some(Key::Click(*column, *row)),
            MouseEventKind::ScrollUp => Some(Key::WheelUp),
            MouseEventKind::ScrollDown => Some(Key::WheelDown),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::openpty;
    use nix::sys::termios::tcgetattr;
    use std::fs::File;
    use std::io::Read as _;
    use std::process::Command;

    /// Told to this test's own program, which then is the one that panics.
    const PANICS: &str = "GOTRACE_TEST_PANICS";

    #[test]
    fn a_panic_is_read_on_the_terminal_as_it_was_before() {
        if std::env::var_os(PANICS).is_some() {
            let _screen = Screen::take(true).unwrap();
            panic!("on purpose");
        }
        let terminal = openpty(None, None).unwrap();
        let before = tcgetattr(&terminal.slave).unwrap();
        let end = || terminal.slave.try_clone().unwrap();
        let name = "cli::view::tests::a_panic_is_read_on_the_terminal_as_it_was_before";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(PANICS, "1")
            .env("TERM", "xterm")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let mut master = File::from(terminal.master);
        let mut said = String::new();
        let mut piece = [0; 4_096];
        while !said.contains("test result: ") {
            let count = master.read(&mut piece).unwrap();
            said.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
        assert!(!child.wait().unwrap().success());
        assert_eq!(tcgetattr(&terminal.slave).unwrap(), before);
        // Private modes of xterm: the alternate screen, the cursor, the mouse.
        let entered = said.find("\x1b[?1049h").unwrap();
        let told = said.find("on purpose").unwrap();
        for given_back in ["\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l"] {
            let at = said.find(given_back).unwrap();
            assert!(entered < at && at < told, "{given_back:?}: {said:?}");
            assert_eq!(said.matches(given_back).count(), 1, "{said:?}");
        }
    }
}
