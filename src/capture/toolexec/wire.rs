//! What a shim tells the recorder, as bytes on a socket.
//!
//! ```text
//! message   length of what follows (u32) | kind (u8) | fields
//! number    u64
//! bytes     length (u32) | bytes
//! ```
//!
//! The recorder answers to [`Message::Held`] with a byte, and to [`Message::Begin`], where shims are told to ask, with
//! what is to run in the tool's place (`system::handed`).
//!
//! All little-endian. Both ends are of the same build (`shim::BUILD`), so there is no version.

use crate::capture::Monotonic;
use crate::trace::{Nanos, Pid, Usage};

/// Longer messages are refused: far above the longest arguments that Linux allows.
const LONGEST: u32 = 64 << 20;

/// What the recorder answers to [`Message::Held`].
pub(super) const LET_GO: u8 = 1;

/// One message of a shim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// A go command asks a tool for its version.
    Seen {
        /// The go command.
        go: Pid,
    },
    /// A tool begins.
    Begin {
        /// The shim.
        shim: Pid,
        /// The go command.
        go: Pid,
        /// `TOOLEXEC_IMPORTPATH`.
        package: Vec<u8>,
        /// Working directory.
        cwd: Vec<u8>,
        /// Arguments of the tool, each ended by a zero byte.
        argv: Vec<u8>,
        /// The importcfg that it was given, or nothing.
        importcfg: Vec<u8>,
    },
    /// The tool of the last [`Self::Begin`] is there, and has not run its first instruction. The shim waits for
    /// [`LET_GO`], or the end of the connection.
    Held {
        /// The tool.
        pid: Pid,
        /// Since when.
        start: Monotonic,
    },
    /// The tool of the last [`Self::Begin`] is there, and goes on without an answer.
    Started {
        /// The tool.
        pid: Pid,
        /// Since when.
        start: Monotonic,
    },
    /// The tool of the last [`Self::Begin`] has ended.
    End {
        /// The tool.
        pid: Pid,
        /// When it began.
        start: Monotonic,
        /// When it ended.
        end: Monotonic,
        /// As `wait` reports it.
        status: i32,
        /// What it used.
        usage: Usage,
        /// What the shim used.
        shim_usage: Usage,
    },
}

impl Message {
    /// The bytes of this message.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Out(vec![0; 4]);
        match self {
            Self::Seen { go } => {
                out.0.push(0);
                out.number(go.0.into());
            }
            Self::Begin {
                shim,
                go,
                package,
                cwd,
                argv,
                importcfg,
            } => {
                out.0.push(1);
                out.number(shim.0.into());
                out.number(go.0.into());
                for bytes in [package, cwd, argv, importcfg] {
                    out.bytes(bytes);
                }
            }
            Self::End {
                pid,
                start,
                end,
                status,
                usage,
                shim_usage,
            } => {
                out.0.push(2);
                out.number(pid.0.into());
                out.number(start.0);
                out.number(end.0);
                out.number(u64::from(status.cast_unsigned()));
                out.usage(usage);
                out.usage(shim_usage);
            }
            Self::Held { pid, start } | Self::Started { pid, start } => {
                out.0.push(match self {
                    Self::Held { .. } => 3,
                    _ => 4,
                });
                out.number(pid.0.into());
                out.number(start.0);
            }
        }
        let length = u32::try_from(out.0.len().saturating_sub(4)).unwrap_or(u32::MAX);
        if let Some(place) = out.0.first_chunk_mut() {
            *place = length.to_le_bytes();
        }
        out.0
    }
}

struct Out(Vec<u8>);

impl Out {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn usage(&mut self, usage: &Usage) {
        for number in [
            usage.user.0,
            usage.system.0,
            usage.max_rss_bytes,
            usage.minor_faults,
            usage.major_faults,
            usage.read_bytes,
            usage.written_bytes,
            usage.voluntary_switches,
            usage.involuntary_switches,
        ] {
            self.number(number);
        }
    }
}

/// Bytes that have come from one shim, not yet whole messages.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
}

impl Inbox {
    /// Adds what was read.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the next whole message. `Some(None)` is one that cannot be read.
    pub(super) fn next(&mut self) -> Option<Option<Message>> {
        let length = u32::from_le_bytes(*self.bytes.first_chunk()?);
        if length > LONGEST {
            self.bytes.clear();
            return Some(None);
        }
        let end = usize::try_from(length).ok()?.checked_add(4)?;
        let message = decode(self.bytes.get(4..end)?);
        self.bytes.drain(..end);
        Some(message)
    }
}

fn decode(bytes: &[u8]) -> Option<Message> {
    let (&kind, rest) = bytes.split_first()?;
    let mut rest = In(rest);
    Some(match kind {
        0 => Message::Seen { go: rest.pid()? },
        1 => Message::Begin {
            shim: rest.pid()?,
            go: rest.pid()?,
            package: rest.bytes()?,
            cwd: rest.bytes()?,
            argv: rest.bytes()?,
            importcfg: rest.bytes()?,
        },
        2 => Message::End {
            pid: rest.pid()?,
            start: Monotonic(rest.number()?),
            end: Monotonic(rest.number()?),
            status: u32::try_from(rest.number()?).ok()?.cast_signed(),
            usage: rest.usage()?,
            shim_usage: rest.usage()?,
        },
        3 => Message::Held {
            pid: rest.pid()?,
            start: Monotonic(rest.number()?),
        },
        4 => Message::Started {
            pid: rest.pid()?,
            start: Monotonic(rest.number()?),
        },
        _ => return None,
    })
}

struct In<'a>(&'a [u8]);

impl In<'_> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn pid(&mut self) -> Option<Pid> {
        u32::try_from(self.number()?).ok().map(Pid)
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.0.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (bytes, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes.to_vec())
    }

    fn usage(&mut self) -> Option<Usage> {
        Some(Usage {
            user: Nanos(self.number()?),
            system: Nanos(self.number()?),
            max_rss_bytes: self.number()?,
            minor_faults: self.number()?,
            major_faults: self.number()?,
            read_bytes: self.number()?,
            written_bytes: self.number()?,
            voluntary_switches: self.number()?,
            involuntary_switches: self.number()?,
            ..Usage::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> [Message; 5] {
        let usage = Usage {
            user: Nanos(7),
            major_faults: u64::MAX,
            ..Usage::default()
        };
        [
            Message::Seen { go: Pid(3) },
            Message::Begin {
                shim: Pid(1),
                go: Pid(2),
                package: b"a/b".to_vec(),
                cwd: vec![],
                argv: b"compile\0\xff\n\0".to_vec(),
                importcfg: vec![b'x'; 300_000],
            },
            Message::Held {
                pid: Pid(5),
                start: Monotonic(1),
            },
            Message::Started {
                pid: Pid(6),
                start: Monotonic(u64::MAX),
            },
            Message::End {
                pid: Pid(5),
                start: Monotonic(1),
                end: Monotonic(2),
                status: -1,
                usage,
                shim_usage: Usage::default(),
            },
        ]
    }

    #[test]
    fn messages_come_out_as_they_went_in_whatever_the_pieces() {
        let stream: Vec<u8> = samples().iter().flat_map(Message::encode).collect();
        for size in [1, 7, 4_096, stream.len()] {
            let mut inbox = Inbox::default();
            let mut found = Vec::new();
            for piece in stream.chunks(size) {
                inbox.add(piece);
                while let Some(message) = inbox.next() {
                    found.push(message.expect("readable"));
                }
            }
            assert_eq!(found, samples());
        }
    }

    #[test]
    fn what_is_no_message_is_told_apart() {
        let mut inbox = Inbox::default();
        inbox.add(&[1, 0, 0, 0, 9]);
        assert_eq!(inbox.next(), Some(None));
        inbox.add(&[0, 0, 0, 0]);
        assert_eq!(inbox.next(), Some(None));
        inbox.add(&[5, 0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(inbox.next(), Some(None));
        inbox.add(&[0xff; 8]);
        assert_eq!(inbox.next(), Some(None));
        assert_eq!(inbox.next(), None);
    }
}
