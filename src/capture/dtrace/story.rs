//! What the script of one process has seen: events in the order of their time in, observations out.

use std::mem;

use rustc_hash::FxHashMap;

use super::loader;
use super::target::{Target, Watched};
use crate::capture::calls::{Called, RawArgument};
use crate::capture::decode::dtrace::line::{Call, Event, Frame, Image, Stack, What};
use crate::capture::{Executed, Monotonic, Observation, Sampled};
use crate::trace::{
    CallEdge, ClockAnchor, Goid, ImageKind, Nanos, Pid, SampleKind, SamplePlace, StackOwner, Tid,
    Usage,
};

/// Stacks whose last call is remembered at most.
const MOST_STACKS: usize = 1 << 16;

/// Images whose ends are remembered at most.
const MOST_IMAGES: usize = 8_192;

/// What became of events.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Functions that were entered and left.
    pub(super) calls: Vec<Called>,
    /// All else.
    pub(super) others: Vec<Observation>,
}

/// The clock of scripts, against gotrace's.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// What is to be added to `timestamp`, in nanoseconds.
    ahead: i128,
}

/// Makes observations of events.
#[derive(Debug, Default)]
pub(super) struct Story {
    clock: Option<Clock>,
    /// The last call on each stack, where it was an entry: its function, and how deep.
    entered: FxHashMap<(Pid, Tid, u64), (Watched, u32)>,
    /// Frames that are names, not addresses.
    named_frames: u64,
    /// Where the code of images ends, by where it begins.
    mapped: FxHashMap<(Pid, u64), u64>,
    images: Images,
}

/// What became of the images that dyld told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Images {
    /// How many there were.
    pub(super) told: u64,
    /// How many were not told one by one, for there were too many at once.
    pub(super) left_out: u64,
    /// How many have no file.
    pub(super) without_file: u64,
}

impl Story {
    /// What the clocks show when probes are armed; `now` is what gotrace's show.
    pub(super) fn armed(&mut self, time: u64, wall: u64, now: ClockAnchor) {
        let monotonic = i128::from(now.monotonic_ns) - i128::from(now.unix_ns);
        self.clock = Some(Clock {
            ahead: monotonic + i128::from(wall) - i128::from(time),
        });
    }

    /// Whether the script has begun.
    pub(super) const fn is_armed(&self) -> bool {
        self.clock.is_some()
    }

    /// Frames that could not be told, for `dtrace` gave them names.
    pub(super) const fn named_frames(&self) -> u64 {
        self.named_frames
    }

    /// Images that dyld told of.
    pub(super) const fn images(&self) -> Images {
        self.images
    }

    /// Takes an event of a process of this executable.
    pub(super) fn add(&mut self, event: Event, target: &Target, told: &mut Told) {
        let time = self.time(event.time);
        match event.what {
            What::Armed { .. } => {}
            What::Entered(call) => {
                told.calls
                    .extend(self.call(time, event.pid, &call, CallEdge::Entry, target));
            }
            What::Returned(call) => {
                told.calls
                    .extend(self.call(time, event.pid, &call, CallEdge::Exit, target));
            }
            What::Sampled { tid, stack, cut } => {
                let frames = stack.len();
                let stack: Vec<u64> = stack.iter().map_while(address).collect();
                let named = frames.saturating_sub(stack.len());
                self.named_frames = self.named_frames.saturating_add(named as u64);
                told.others.push(Observation::Sampled(Sampled {
                    time,
                    pid: event.pid,
                    tid,
                    goroutine: None,
                    weight: period(target.rate_hz),
                    kind: SampleKind::OnCpu,
                    place: SamplePlace::User,
                    stack,
                    truncated: cut || named > 0,
                }));
            }
            What::Image(image) => {
                told.others
                    .extend(self.image(time, event.pid, image, target));
            }
            What::Executed { parent, name } => {
                told.others.push(Observation::Discovered {
                    parent,
                    package: Vec::new(),
                    executed: Executed {
                        time,
                        pid: event.pid,
                        argv: [name.as_slice(), b"\0"].concat(),
                        argv_truncated: true,
                        exe: name,
                        ..Executed::default()
                    },
                });
            }
            What::Ended { .. } => told.others.push(Observation::Gone {
                time,
                pid: event.pid,
                usage: Usage::default(),
            }),
        }
    }

    fn image(
        &mut self,
        time: Monotonic,
        pid: Pid,
        image: Image,
        target: &Target,
    ) -> Option<Observation> {
        if image.place == 0 {
            let left_out = image.count.saturating_sub(loader::MOST_AT_ONCE);
            self.images.left_out = self.images.left_out.saturating_add(left_out.into());
        }
        self.images.told = self.images.told.saturating_add(1);
        let (start, key) = (image.header, (pid, image.header));
        if !image.comes {
            let end = self.mapped.remove(&key)?;
            return Some(Observation::Unmapped {
                time,
                pid,
                start,
                end,
            });
        }
        let Some(text) = loader::text(&image.path, start, target.arch) else {
            self.images.without_file = self.images.without_file.saturating_add(1);
            return None;
        };
        if self.mapped.len() < MOST_IMAGES {
            self.mapped.insert(key, text.end.0);
        }
        Some(Observation::Mapped {
            time,
            pid,
            start,
            end: text.end.0,
            offset: text.offset.0,
            path: image.path,
            build_id: text.uuid.map_or_else(Vec::new, Vec::from),
            kind: ImageKind::File,
        })
    }

    fn time(&self, timestamp: u64) -> Monotonic {
        let ahead = self.clock.map_or(0, |clock| clock.ahead);
        let time = i128::from(timestamp) + ahead;
        Monotonic(u64::try_from(time.max(0)).unwrap_or(u64::MAX))
    }

    fn call(
        &mut self,
        time: Monotonic,
        pid: Pid,
        call: &Call,
        edge: CallEdge,
        target: &Target,
    ) -> Option<Called> {
        // Globs of D match more than was meant.
        let of_program = || target.functions.get(&call.function).copied();
        let watched = target.loader.function(call).or_else(of_program)?;
        let (stack, depth) = stack(call.stack);
        let key = match stack {
            StackOwner::Goroutine(number) => (pid, Tid::default(), number.0),
            _ => (pid, call.tid, 0),
        };
        let last = if self.entered.len() < MOST_STACKS {
            self.entered.remove(&key)
        } else {
            mem::take(&mut self.entered).remove(&key)
        };
        if edge == CallEdge::Entry {
            self.entered.insert(key, (watched, depth));
            // A function whose stack must grow begins again at its first instruction.
            if watched.exits && last == Some((watched, depth)) {
                return None;
            }
        }
        let argument = watched.argument && edge == CallEdge::Entry;
        Some(Called {
            time,
            pid,
            tid: call.tid,
            stack,
            probe: watched.probe,
            edge,
            depth,
            argument: argument.then_some(RawArgument::Integer(call.value)),
        })
    }
}

fn address(frame: &Frame) -> Option<u64> {
    match frame {
        Frame::Address(address) => Some(*address),
        Frame::Named { .. } => None,
    }
}

/// Whose stack, and how far the stack pointer is below its end: of a thread's below the end of the address
/// space, the lowest 32 bits.
fn stack(stack: Stack) -> (StackOwner, u32) {
    match stack {
        Stack::Go { goroutine, depth } => {
            let owner = match goroutine {
                0 => StackOwner::System(None),
                number => StackOwner::Goroutine(Goid(number)),
            };
            (owner, u32::try_from(depth).unwrap_or(u32::MAX))
        }
        Stack::Thread(pointer) => {
            let lowest = pointer.wrapping_neg() & u64::from(u32::MAX);
            let depth = u32::try_from(lowest).unwrap_or(u32::MAX);
            (StackOwner::Foreign, depth)
        }
    }
}

/// What a sample stands for.
fn period(rate_hz: u32) -> Nanos {
    Nanos(1_000_000_000_u64.checked_div(rate_hz.into()).unwrap_or(0))
}

#[cfg(test)]
#[path = "story_tests.rs"]
mod tests;
