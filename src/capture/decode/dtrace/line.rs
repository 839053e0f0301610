//! Lines of the scripts: fields with tabs between them, the first of which says what it is.
//!
//! ```text
//! b  time  pid  wall                                                  the probes of a process are armed
//! e  time  pid  tid  module  function  argument  goroutine  depth     a function was entered
//! r  time  pid  tid  module  function  offset    goroutine  depth     it returns, at this offset of its code
//! s  time  pid  tid                                                   a thread runs: frames follow, one a line,
//!                                                                     up to a line "."
//! i  time  pid  mode  place   count  header  path                     dyld loads (0) or unloads (1) this one of so
//!                                                                     many images: path, and where its header is
//! x  time  pid  ppid  name                                            a program began
//! z  time  pid  tid  how                                              a process ends: CLD_EXITED (1),
//!                                                                     CLD_KILLED (2), ...
//! ```
//!
//! Times are nanoseconds of `timestamp`, `wall` is `walltimestamp` (nanoseconds since 1970). Arguments, offsets
//! and depths are hexadecimal. A goroutine is its number, 0 on the stack of the system, and its depth is how far
//! the stack pointer is below the stack's high end; where there is no goroutine, `-`, depth is the stack pointer.
//! A frame is what `ustack()` prints: an address (`0x10002f0c4`), which it
//! is with `-x stacksymbols=disabled` and where there is no name, or a place in a function
//! (``compile`main.main+0x1c``).

use crate::trace::{Pid, Tid};
use std::mem;

/// Longer lines are none of the scripts'.
const LONGEST: usize = 16 << 10;
/// Frames of a stack, as the scripts ask for at most (`ustackframes`).
const MOST_FRAMES: usize = 127;

/// What a script saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Nanoseconds since the machine was started.
    pub time: u64,
    /// In which process.
    pub pid: Pid,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Whatever the script watches in the process is watched from now on.
    Armed {
        /// The wall clock at the same time: nanoseconds since 1970.
        wall: u64,
    },
    /// A function was entered.
    Entered(Call),
    /// A function returned.
    Returned(Call),
    /// A thread was running.
    Sampled {
        /// Which.
        tid: Tid,
        /// Its stack, innermost first.
        stack: Vec<Frame>,
        /// Frames may be missing: dtrace was ended, or there are more than a script asks for.
        cut: bool,
    },
    /// dyld told debuggers of an image.
    Image(Image),
    /// A program began.
    Executed {
        /// Who started it.
        parent: Pid,
        /// Its name: 16 bytes of it at most.
        name: Vec<u8>,
    },
    /// A process ends.
    Ended {
        /// `CLD_EXITED` (1), `CLD_KILLED` (2), ...
        how: u32,
    },
}

/// A call's beginning or end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Of which thread.
    pub tid: Tid,
    /// The image: the last part of its path.
    pub module: Vec<u8>,
    /// The function, 127 bytes of it at most.
    pub function: Vec<u8>,
    /// The first argument, or the offset of the instruction that returns.
    pub value: u64,
    /// On whose stack.
    pub stack: Stack,
}

/// An image that dyld tells debuggers of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// It comes, or goes.
    pub comes: bool,
    /// Its place among those that dyld tells of at once, from 0.
    pub place: u32,
    /// How many these are.
    pub count: u32,
    /// Where its header is.
    pub header: u64,
    /// The path that it was loaded by: 255 bytes of it at most.
    pub path: Vec<u8>,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// On a stack of Go's.
    Go {
        /// The goroutine's number; 0 on the stack of the system.
        goroutine: u64,
        /// Bytes below the stack's high end.
        depth: u64,
    },
    /// On the thread's, with this stack pointer.
    Thread(u64),
}

/// A frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Its address.
    Address(u64),
    /// What `dtrace` calls it.
    Named {
        /// The image.
        module: Vec<u8>,
        /// The function.
        function: Vec<u8>,
        /// From its start.
        offset: u64,
    },
}

/// What could not be understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Lines of another form.
    pub malformed: u64,
    /// Lines that are longer than lines are.
    pub too_long: u64,
    /// The last line has no end: `dtrace` was ended.
    pub cut: bool,
}

/// Takes lines apart, wherever they are cut.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
    /// The line is too long, and is left out up to its end.
    skipping: bool,
    /// A sample whose frames are still coming.
    sample: Option<Event>,
    shortfall: Shortfall,
}

impl Lines {
    /// Takes some bytes of the output.
    pub fn feed(&mut self, bytes: &[u8], out: &mut impl FnMut(Event)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            if self.rest.len().saturating_add(text.len()) > LONGEST {
                self.skipping = true;
                self.rest.clear();
            }
            if !self.skipping {
                self.rest.extend_from_slice(text);
            }
            if !ended {
                continue;
            }
            let line = mem::take(&mut self.rest);
            if mem::take(&mut self.skipping) {
                self.shortfall.too_long = self.shortfall.too_long.saturating_add(1);
            } else {
                self.line(&line, out);
            }
        }
    }

    /// `dtrace` has ended: tells what came last, and what could not be understood.
    pub fn finish(mut self, out: &mut impl FnMut(Event)) -> Shortfall {
        self.shortfall.cut = !self.rest.is_empty() || self.skipping;
        self.end_sample(true, out);
        self.shortfall
    }

    fn line(&mut self, line: &[u8], out: &mut impl FnMut(Event)) {
        match (line, &mut self.sample) {
            (b".", Some(_)) => return self.end_sample(false, out),
            // `ustack()` begins with an empty line.
            (b"", _) => return,
            ([b' ', ..], Some(event)) => {
                let added = add_frame(event, line);
                return self.count_unless(added);
            }
            _ => {}
        }
        // The end of a stack is missing.
        self.end_sample(true, out);
        match event(line) {
            Some(
                event @ Event {
                    what: What::Sampled { .. },
                    ..
                },
            ) => self.sample = Some(event),
            Some(event) => out(event),
            None => self.count_unless(false),
        }
    }

    fn count_unless(&mut self, understood: bool) {
        let one = u64::from(!understood);
        self.shortfall.malformed = self.shortfall.malformed.saturating_add(one);
    }

    fn end_sample(&mut self, is_cut: bool, out: &mut impl FnMut(Event)) {
        let Some(mut event) = self.sample.take() else {
            return;
        };
        if let What::Sampled { stack, cut, .. } = &mut event.what {
            *cut = is_cut || stack.len() >= MOST_FRAMES;
        }
        out(event);
    }
}

/// Adds a line of a stack; false where it is none, or one too many.
fn add_frame(event: &mut Event, line: &[u8]) -> bool {
    let (What::Sampled { stack, .. }, Some(frame)) = (&mut event.what, frame(line)) else {
        return false;
    };
    let fits = stack.len() < MOST_FRAMES;
    if fits {
        stack.push(frame);
    }
    fits
}

fn event(line: &[u8]) -> Option<Event> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b'\t').collect();
    let [kind, time, pid, ref rest @ ..] = fields[..] else {
        return None;
    };
    let what = match (kind, rest) {
        (b"b", [wall]) => What::Armed {
            wall: decimal(wall)?,
        },
        (b"e", call) => What::Entered(self::call(call)?),
        (b"r", call) => What::Returned(self::call(call)?),
        (b"s", [tid]) => What::Sampled {
            tid: thread(tid)?,
            stack: Vec::new(),
            cut: false,
        },
        (b"i", image) => What::Image(self::image(image)?),
        (b"x", [parent, name]) => What::Executed {
            parent: Pid(decimal(parent)?),
            name: name.to_vec(),
        },
        (b"z", [_tid, how]) => What::Ended { how: decimal(how)? },
        _ => return None,
    };
    Some(Event {
        time: decimal(time)?,
        pid: Pid(decimal(pid)?),
        what,
    })
}

fn image(fields: &[&[u8]]) -> Option<Image> {
    // A path may have tabs in it.
    let [mode, place, count, header, path @ ..] = fields else {
        return None;
    };
    let image = Image {
        comes: match *mode {
            b"0" => true,
            b"1" => false,
            _ => return None,
        },
        place: decimal(place)?,
        count: decimal(count)?,
        header: hexadecimal(header)?,
        path: path.join(&b'\t'),
    };
    (!image.path.is_empty()).then_some(image)
}

fn call(fields: &[&[u8]]) -> Option<Call> {
    let &[tid, module, function, value, goroutine, depth] = fields else {
        return None;
    };
    let depth = hexadecimal(depth)?;
    Some(Call {
        tid: thread(tid)?,
        module: module.to_vec(),
        function: function.to_vec(),
        value: hexadecimal(value)?,
        stack: match goroutine {
            b"-" => Stack::Thread(depth),
            number => Stack::Go {
                goroutine: decimal(number)?,
                depth,
            },
        },
    })
}

/// ``   compile`main.main+0x1c``, `   0x10002f0c4`, or ``   compile`0x10002f0c4``.
fn frame(line: &[u8]) -> Option<Frame> {
    let line = line.trim_ascii();
    let Some(tick) = line.iter().position(|byte| *byte == b'`') else {
        return address(line);
    };
    let (module, place) = (line.get(..tick)?, line.get(tick.checked_add(1)?..)?);
    if let Some(frame) = address(place) {
        return Some(frame);
    }
    // Names have plus signs, too: the last one counts, and it may be missing.
    let plus = place.iter().rposition(|byte| *byte == b'+');
    let offset = plus.and_then(|plus| {
        let offset = place.get(plus..)?.strip_prefix(b"+0x")?;
        Some((plus, hexadecimal(offset)?))
    });
    let (end, offset) = offset.unwrap_or((place.len(), 0));
    let function = place.get(..end).filter(|name| !name.is_empty())?;
    Some(Frame::Named {
        module: module.to_vec(),
        function: function.to_vec(),
        offset,
    })
}

fn address(text: &[u8]) -> Option<Frame> {
    let digits = text.strip_prefix(b"0x")?;
    hexadecimal(digits).map(Frame::Address)
}

/// The kernel's number of a thread has 64 bits on macOS; the lower 32 tell those of a run apart.
fn thread(text: &[u8]) -> Option<Tid> {
    let number: u64 = decimal(text)?;
    u32::try_from(number & u64::from(u32::MAX)).ok().map(Tid)
}

fn decimal<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn hexadecimal(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
