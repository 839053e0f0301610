//! The message by which a program of a Mac hands over its task: in, what `mach_msg` received; out, who it is and
//! the names of the two ports that came with it.
//!
//! The library in `probes/preload` sends it; its `hello.h` is the description for both sides. Behind the message the
//! kernel puts a trailer, `mach_msg_audit_trailer_t` of `<mach/message.h>`, in which it says who the sender is: what
//! the sender says of itself counts only if that is the same. Anybody who knows the name may send anything.
//!
//! ```text
//! 0x00 bits (u32)          0x04 size (u32)   0x08 where to answer (port)   0x0c where it came in (port)
//! 0x10 voucher (port)      0x14 id (u32)     0x18 number of descriptors (u32)
//! 0x1c task (port)         0x20 unused (6 bytes)   0x26 disposition (u8)   0x27 type (u8)
//! 0x28 version (u32)       0x2c pid (u32)    0x30 parent (u32)
//! 0x34 trailer: type (u32) 0x38 its size (u32)     0x3c number (u32)       0x40 security token (2 u32)
//!      0x48 audit token: 8 u32, of which the sixth is the pid
//! ```

use crate::trace::Pid;

/// The variable that has the name of the port: `GOTRACE_HELLO_VARIABLE`.
pub const PORT_VARIABLE: &str = "GOTRACE_PRELOAD_PORT";
/// Bytes of the message.
const MESSAGE: u32 = 0x34;
/// Bytes of the trailer.
const TRAILER: u32 = 52;
/// Bytes of both: room for what is received.
pub const HELLO_BYTES: usize = 104;
/// `GOTRACE_HELLO_ID`.
const ID: u32 = 0x676f_7472;
/// `GOTRACE_HELLO_VERSION`.
const VERSION: u32 = 1;
/// `MACH_MSGH_BITS_COMPLEX`: it has descriptors.
const COMPLEX: u32 = 0x8000_0000;
/// `MACH_MSGH_BITS_REMOTE_MASK`: what right there is to answer.
const REMOTE: u32 = 0x1f;
/// `MACH_MSG_TYPE_MOVE_SEND_ONCE` and `MACH_MSG_TYPE_MOVE_SEND`, as they are called where they arrive.
const SEND_ONCE: u32 = 18;
const SEND: u32 = 17;
/// `MACH_MSG_PORT_DESCRIPTOR`.
const PORT: u32 = 0;

/// The name of a right to a port, in gotrace's own table of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortName(pub u32);

/// A program that has just begun, and waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The process, as the kernel knows it.
    pub pid: Pid,
    /// Its parent, as it says itself.
    pub parent: Pid,
    /// Its task.
    pub task: PortName,
    /// Where the answer goes.
    pub reply: PortName,
}

/// A message that is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It is of another length.
    #[error("message to gotrace: expected {MESSAGE} bytes, found {found}")]
    Length {
        /// How many it has.
        found: u32,
    },
    /// It was cut short.
    #[error("message to gotrace: expected {HELLO_BYTES} bytes with its trailer, found {found}")]
    Short {
        /// How many there are.
        found: usize,
    },
    /// It is of another kind, or of another version.
    #[error("message to gotrace: expected {what} {expected:#x}, found {found:#x}")]
    Field {
        /// Which field.
        what: &'static str,
        /// What it has to be.
        expected: u32,
        /// What it is.
        found: u32,
    },
    /// It says that it is of another process than the kernel does.
    #[error(
        "message to gotrace: expected one of process {sender}, which sent it, found that of {named}"
    )]
    Sender {
        /// Who sent it.
        sender: Pid,
        /// Whom it names.
        named: Pid,
    },
}

impl Hello {
    /// Reads a message with its trailer.
    ///
    /// # Errors
    ///
    /// When it is not what `hello.h` says, or is sent in another's name. Whatever rights came with it are still
    /// there, and are to be given back.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let short = Malformed::Short { found: bytes.len() };
        let (words, _) = bytes.first_chunk::<HELLO_BYTES>().ok_or(short)?.as_chunks();
        let mut words = words.iter().copied().map(u32::from_le_bytes);
        let mut next = || words.next().unwrap_or_default();
        let [bits, size, reply, _, _, id] = std::array::from_fn(|_| next());
        let [descriptors, task, _, kind] = std::array::from_fn(|_| next());
        let [version, named, parent] = std::array::from_fn(|_| next());
        let [trailer, trailer_size, _, _, _] = std::array::from_fn(|_| next());
        let [_, _, _, _, _, sender, _, _] = std::array::from_fn(|_| next());
        if size != MESSAGE {
            return Err(Malformed::Length { found: size });
        }
        let [_, _, disposition, type_] = kind.to_le_bytes().map(u32::from);
        for (what, expected, found) in [
            ("id", ID, id),
            ("descriptors in its bits", COMPLEX, bits & COMPLEX),
            ("number of descriptors", 1, descriptors),
            ("type of its descriptor", PORT, type_),
            ("right to the task", SEND, disposition),
            ("right to answer", SEND_ONCE, bits & REMOTE),
            ("version", VERSION, version),
            ("type of its trailer", 0, trailer),
            ("size of its trailer", TRAILER, trailer_size),
        ] {
            if expected != found {
                return Err(Malformed::Field {
                    what,
                    expected,
                    found,
                });
            }
        }
        let [sender, named, parent] = [sender, named, parent].map(Pid);
        if sender != named {
            return Err(Malformed::Sender { sender, named });
        }
        Ok(Self {
            pid: sender,
            parent,
            task: PortName(task),
            reply: PortName(reply),
        })
    }
}

#[cfg(test)]
#[path = "preload_tests.rs"]
mod tests;
