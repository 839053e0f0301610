//! A command that starts suspended, on a Mac: that it stands still, and that it goes on again. In: its process; out:
//! whether it came to that, and a signal.
//!
//! The kernel suspends a program at the end of exec, after it has closed what closes on exec: who waits for that alone
//! comes too early, and a SIGCONT is lost that comes before the program stands still.

use std::thread;
use std::time::{Duration, Instant};

use super::alive::Alive;
use super::sys;
use crate::trace::Pid;

/// How long it is waited for. An exec takes milliseconds, or tens of them where the file is looked into first.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_micros(200);

/// Waits until a process stands still; false where it has ended, or does not come to it.
pub(super) fn reached(pid: Pid) -> bool {
    let came = |alive: Option<Alive>| match alive {
        Some(Alive {
            has_ended: false,
            is_stopped,
            ..
        }) => is_stopped.then_some(true),
        _ => Some(false),
    };
    until(|| came(Alive::of(pid))).unwrap_or_default()
}

/// Has a process go on that stands still: it is told so until it does.
pub(super) fn leave(pid: Pid) {
    go_on(|| Alive::of(pid), || sys::send(pid, libc::SIGCONT));
}

fn go_on(mut look: impl FnMut() -> Option<Alive>, mut tell: impl FnMut()) {
    until(|| {
        let stands = look().is_some_and(|alive| alive.is_stopped);
        if stands {
            tell();
        }
        (!stands).then_some(())
    });
}

/// Looks again and again until there is an answer.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        let answer = look();
        if answer.is_some() || begun.elapsed() >= PATIENCE {
            return answer;
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    fn started(script: &str) -> (Child, Pid) {
        let child = Command::new("/bin/sh").args(["-c", script]).spawn();
        let child = child.expect("started");
        let pid = Pid(child.id());
        (child, pid)
    }

    #[test]
    fn a_process_stands_still_and_goes_on() {
        let (mut child, pid) = started("kill -STOP $$; exit 3");
        assert!(reached(pid));
        leave(pid);
        assert_eq!(child.wait().expect("waited").code(), Some(3));
    }

    #[test]
    fn a_process_that_ends_is_not_waited_for() {
        let (mut child, pid) = started("exit 3");
        assert!(!reached(pid), "it ends, and waits to be waited for");
        leave(pid);
        assert_eq!(child.wait().expect("waited").code(), Some(3));
        assert!(!reached(pid), "it is gone");
    }

    #[test]
    fn it_is_told_until_it_goes_on() {
        let stands = |is_stopped| Alive {
            is_stopped,
            ..Alive::default()
        };
        let mut looks = [true, true, false].map(stands).into_iter();
        let mut told = 0;
        go_on(|| looks.next(), || told += 1);
        assert_eq!((told, looks.len()), (2, 0));
    }
}
