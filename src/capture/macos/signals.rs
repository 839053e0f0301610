//! Blocked signals, one at a time, with a time-out: a kqueue says that there are some.
//!
//! There is no `sigtimedwait` here. A kqueue tells of a signal whether it is blocked or not, and
//! `sigpending` tells of those that came before it was asked.

use std::ffi::c_int;
use std::time::{Duration, Instant};

use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue};

use super::sys;
use crate::capture::sys::{Arrived, Sender};

/// Takes the next of `signals`, which must be blocked; `None` when `timeout_ms` is over.
pub(in crate::capture) fn next_signal(
    signals: &[c_int],
    timeout_ms: Option<u32>,
) -> Option<Arrived> {
    // Asked for first, so that what comes between the two questions is told by the second.
    let queue = queue(signals);
    let until = timeout_ms.map(|ms| Instant::now() + Duration::from_millis(ms.into()));
    loop {
        if let Some(signal) = sys::take_pending(signals) {
            let sender = sender(signal);
            return Some(Arrived { signal, sender });
        }
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return None;
        }
        wait(queue.as_ref(), left);
    }
}

/// The system does not tell who sent a signal. Those of a terminal's keys go to all processes of
/// the foreground; of the others one is told only by a process.
const fn sender(signal: c_int) -> Sender {
    match signal {
        libc::SIGCHLD | libc::SIGINT | libc::SIGQUIT | libc::SIGTSTP | libc::SIGHUP => {
            Sender::System
        }
        _ => Sender::Unknown,
    }
}

fn queue(signals: &[c_int]) -> Option<Kqueue> {
    let queue = Kqueue::new().ok()?;
    let changes: Vec<KEvent> = signals
        .iter()
        .filter_map(|&signal| usize::try_from(signal).ok())
        .map(|signal| {
            let flags = EvFlags::EV_ADD | EvFlags::EV_CLEAR;
            let filter = EventFilter::EVFILT_SIGNAL;
            KEvent::new(signal, filter, flags, FilterFlag::empty(), 0, 0)
        })
        .collect();
    queue.kevent(&changes, &mut [], None).ok()?;
    Some(queue)
}

/// Without a queue, looks again after a while.
const TICK: Duration = Duration::from_millis(10);

fn wait(queue: Option<&Kqueue>, left: Option<Duration>) {
    let Some(queue) = queue else {
        std::thread::sleep(left.unwrap_or(TICK).min(TICK));
        return;
    };
    let left = left.map(|left| libc::timespec {
        tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: left.subsec_nanos().into(),
    });
    let nothing = KEvent::new(
        0,
        EventFilter::EVFILT_SIGNAL,
        EvFlags::empty(),
        FilterFlag::empty(),
        0,
        0,
    );
    // What it says is no more than that it is time to look; an error says that, too.
    queue.kevent(&[], &mut [nothing], left).ok();
}
