//! Folded stacks to a trace: a line is the frames of a stack, outermost first, between semicolons,
//! then a space and how often it was seen.
//!
//! ```text
//! go;main.main;runtime.mallocgc 12        frames may hold spaces: the last one stands before the count
//! go;main.main;do_syscall_64_[k] 3.5      a fraction is dropped, as inferno does
//! ```
//!
//! Lines have no time, so they become [`ProfileSample`]s, which no view draws on a timeline. A name is
//! kept as it is, with the annotations of `stackcollapse-perf` (`_[k]` kernel, `_[j]` made at run time,
//! `_[i]` inlined), so that what is exported again is what was read. A count has no unit: it becomes a
//! millisecond, the unit that flamegraphs show, and the trace says so.

use super::{Error, Imported, notes};
use crate::trace::file::Writer;
use crate::trace::{
    Avma, COUNT_NS, Ending, Exec, Exit, ExitStatus, Frame, FrameId, FramePlace, FrameRole,
    FrameSymbol, Function, Host, IMPORTED, Image, ImageId, ImageKind, ImageOffset, Location, Nanos,
    Process, ProcessId, ProfileSample, Record, StringId, Usage,
};

/// As what its one program and its one image go.
const NAME: &[u8] = b"[folded stacks]";
/// What a count becomes, in nanoseconds.
const COUNT: u64 = 1_000_000;
/// The most of a wrong line that an error repeats, in characters.
const SHOWN: usize = 60;

/// A file of folded stacks.
#[derive(Debug)]
pub struct Folded<'a> {
    bytes: &'a [u8],
}

/// A line that is no empty one.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    number: u64,
    text: &'a [u8],
}

/// A stack, and how often it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted<'a> {
    stack: &'a [u8],
    count: u64,
    /// A fraction was dropped.
    cut: bool,
}

impl<'a> Folded<'a> {
    /// Looks whether there is a folded stack at all.
    ///
    /// # Errors
    ///
    /// When there is none, or when all lines have two counts.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        let folded = Self { bytes };
        let Some(first) = folded.lines().next() else {
            return Err(Error::Empty);
        };
        let mut counted = folded.lines().filter_map(Line::counted);
        if counted.next().is_none() {
            return Err(Error::NotFolded {
                line: first.number,
                found: shown(first.text),
            });
        }
        let is_difference = |line: Line<'_>| {
            let counted = line.counted();
            counted.is_some_and(|one| counted_of(one.stack).is_some())
        };
        // A single line may well be of a frame whose name ends with a number.
        if folded.lines().nth(1).is_some() && folded.lines().all(is_difference) {
            return Err(Error::Difference { line: first.number });
        }
        Ok(folded)
    }

    fn lines(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let lines = self.bytes.split(|byte| *byte == b'\n');
        let lines = (1..).zip(lines).map(|(number, text)| Line {
            number,
            text: text.trim_ascii(),
        });
        lines.filter(|line| !line.text.is_empty())
    }

    /// Writes the stacks, their one program, and what is not known of them.
    pub(super) fn write(&self, writer: &mut Writer) -> Result<Imported, Error> {
        let gotrace = writer.string(env!("CARGO_PKG_VERSION").as_bytes());
        writer.record(Record::Host(Host {
            gotrace,
            ..Host::default()
        }))?;
        notes::setting(writer, IMPORTED, b"folded stacks")?;
        notes::setting(writer, COUNT_NS, COUNT.to_string().as_bytes())?;
        let process = program(writer)?;
        let mut names = Names::new(writer);
        let (mut samples, mut wrong, mut cut) = (0_u64, 0_u64, 0_u64);
        for line in self.lines() {
            let Some(counted) = line.counted() else {
                wrong = wrong.saturating_add(1);
                continue;
            };
            cut = cut.saturating_add(u64::from(counted.cut));
            if counted.count == 0 {
                continue;
            }
            let frames = counted.stack.rsplit(|byte| *byte == b';');
            let frames: Result<Vec<FrameId>, Error> =
                frames.map(|name| names.frame(writer, name)).collect();
            samples = samples.saturating_add(1);
            let sample = ProfileSample {
                process,
                stack: writer.stack(&frames?),
                weight: Nanos(counted.count.saturating_mul(COUNT)),
            };
            writer.record(Record::Profile(sample))?;
        }
        for (what, count, why) in [
            ("lines", wrong, "they are no folded stacks"),
            ("fractions of counts", cut, "counts are whole numbers"),
        ] {
            notes::lost(writer, Nanos::ZERO, what, count, why)?;
        }
        let why = "folded stacks have none: a count of 1 is shown as 1 ms";
        notes::unseen(writer, Nanos::ZERO, "times, and units of counts", why)?;
        writer.record(Record::Ending(Ending::default()))?;
        Ok(Imported {
            samples,
            processes: 1,
        })
    }
}

impl<'a> Line<'a> {
    fn counted(self) -> Option<Counted<'a>> {
        counted_of(self.text)
    }
}

/// Takes the count from the end of a line.
fn counted_of(text: &[u8]) -> Option<Counted<'_>> {
    let space = memchr::memrchr(b' ', text)?;
    let (stack, count) = text.split_at_checked(space)?;
    let count = std::str::from_utf8(count).ok()?.trim_ascii();
    let (whole, fraction) = count.split_once('.').unwrap_or((count, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    Some(Counted {
        stack: stack.trim_ascii_end(),
        count: whole
            .parse()
            .ok()
            .filter(|count| *count <= u64::MAX / COUNT)?,
        cut: fraction.bytes().any(|digit| digit != b'0'),
    })
}

/// The beginning of a line, for an error.
fn shown(text: &[u8]) -> String {
    let text = text.get(..SHOWN.saturating_mul(4)).unwrap_or(text);
    let text = String::from_utf8_lossy(text);
    let text: String = text.escape_debug().take(SHOWN).collect();
    format!("\"{text}\"")
}

/// The row of the one program, which has no times.
fn program(writer: &mut Writer) -> Result<ProcessId, Error> {
    let name = writer.string(NAME);
    let id = ProcessId(0);
    writer.record(Record::ProcessStarted(Process {
        id,
        exec: Exec {
            argv: vec![name],
            exe: name,
            ..Exec::default()
        },
        ..Process::default()
    }))?;
    let exit = Exit {
        at: Nanos::ZERO,
        status: ExitStatus::Unknown,
        usage: Usage::default(),
    };
    writer.record(Record::ProcessEnded(id, exit))?;
    Ok(id)
}

/// Frames that have a name, and no address: the number of their function stands for that.
struct Names {
    image: ImageId,
    /// Frames that have their name already are below this one.
    next: u32,
}

impl Names {
    fn new(writer: &mut Writer) -> Self {
        let path = writer.string(NAME);
        let image = writer.image(&Image {
            path,
            kind: ImageKind::Anonymous,
            ..Image::default()
        });
        Self { image, next: 0 }
    }

    fn frame(&mut self, writer: &mut Writer, name: &[u8]) -> Result<FrameId, Error> {
        let function = Function {
            name: writer.string(name),
            file: StringId::EMPTY,
        };
        let function = writer.function(function);
        let number = u64::from(function.0);
        let place = if name.ends_with(b"_[k]") {
            FramePlace::Kernel(Avma(number))
        } else {
            FramePlace::Image(self.image, ImageOffset(number))
        };
        let role = FrameRole::Executing;
        let frame = writer.frame(Frame { place, role });
        if frame.0 >= self.next {
            self.next = frame.0.saturating_add(1);
            let names = Ok(vec![Location { function, line: 0 }]);
            writer.symbol(FrameSymbol { frame, names })?;
        }
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(line: &str) -> Option<(&str, u64)> {
        let found = counted_of(line.as_bytes())?;
        Some((std::str::from_utf8(found.stack).unwrap(), found.count))
    }

    #[test]
    fn the_count_is_what_follows_the_last_space() {
        assert_eq!(counted("a;b c;d 12"), Some(("a;b c;d", 12)));
        assert_eq!(counted("a;f_[k]  7"), Some(("a;f_[k]", 7)));
        assert_eq!(counted("thread 3 12"), Some(("thread 3", 12)));
        assert_eq!(counted("a 3.0"), Some(("a", 3)));
        assert_eq!(counted("a 18446744073709"), Some(("a", 18_446_744_073_709)));
        for none in [
            "a",
            "12",
            "a;b",
            "a -1",
            "a 1e3",
            "a 1.x",
            "a 18446744073710",
            "a 18446744073709551616",
        ] {
            assert_eq!(counted(none), None, "{none}");
        }
        assert!(counted_of(b"a 3.5").unwrap().cut);
        assert!(!counted_of(b"a 3.0").unwrap().cut);
    }

    #[test]
    fn what_is_no_folded_file_is_told_with_its_line() {
        let error = |text: &str| Folded::open(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            error("\n\n<svg \"a\">\nno\n"),
            "line 3: expected folded stacks (`main;work 12`), found \"<svg \\\"a\\\">\""
        );
        assert!(error(" \n").contains("empty"));
        assert!(error("a;b 1 2\na;c 3 4\n").starts_with("line 1: "));
        assert!(error("a;b 1 2\na;c 3 4\n").contains("two"));
        assert!(Folded::open(b"thread 3 12").is_ok());
        assert!(Folded::open(b"a 1 2\nb 3\n").is_ok());
        assert!(Folded::open(b"# a comment\nb 3\n").is_ok());
    }
}
