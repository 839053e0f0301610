//! Descriptors from the helper executable, which has the rights that gotrace has not.
//!
//! gotrace starts the helper with one end of a socket pair as its standard input and sends one
//! packet; the helper answers with packets that carry descriptors, and ends:
//!
//! ```text
//! request  "gotrace1", u32 root, u32 rate_hz, u32 off_cpu, u32 ring_bytes, u32 checksum
//! answer   'm'  ring buffer, counters, layouts          (3 descriptors)
//!          'l'  attached programs                       (at most BATCH, repeated)
//!          's'  side-band of each processor             (likewise)
//!          'd'  done
//!          'e'  text: why not
//! ```
//!
//! The helper reads no environment and no file that the caller could choose. It watches only a
//! process of the user who called it, and its programs show nothing of processes that run as
//! somebody else.

use super::Options;
use super::load::{self, Descriptors, Target};
use crate::capture::linux::sys;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};

const MAGIC: &[u8; 8] = b"gotrace1";
const REQUEST_BYTES: usize = 28;
/// Linux allows 253 in one packet (`SCM_MAX_FD`).
const BATCH: usize = 200;
/// Longest packet: the text of an error.
const PACKET_BYTES: usize = 4096;
/// How long loading may take; a slow machine needs about a second.
const PATIENCE_SECONDS: i64 = 30;
/// As many samples as the kernel lets anybody have by default
/// (`kernel.perf_event_max_sample_rate`).
const MAX_RATE_HZ: u32 = 100_000;
/// A ring buffer is memory of the kernel's, which an ordinary user gets no more of.
const MAX_RING_BYTES: u32 = 16 << 20;

/// Why the helper did not help.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandoverError {
    /// A call failed.
    #[error("{call} failed on {target}")]
    Os {
        /// Which.
        call: &'static str,
        /// On what.
        target: String,
        /// How.
        #[source]
        source: io::Error,
    },
    /// It says why.
    #[error("the helper says: {0}")]
    Told(String),
    /// It sent something else than agreed.
    #[error("the helper sent {0}")]
    Protocol(&'static str),
}

fn os(call: &'static str, target: &Path) -> impl FnOnce(io::Error) -> HandoverError {
    let target = target.display().to_string();
    move |source| HandoverError::Os {
        call,
        target,
        source,
    }
}

/// Asks the helper at `path` to watch the tree of `root`.
pub(super) fn request(
    path: &Path,
    root: u32,
    options: &Options,
) -> Result<Descriptors, HandoverError> {
    let (ours, theirs) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .map_err(|error| os("socketpair", path)(error.into()))?;
    let mut helper = Command::new(path)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(os("exec", path))?;
    let answer = converse(ours.as_fd(), path, root, options);
    drop(ours);
    if answer.is_err() {
        // It may have ended already.
        drop(helper.kill());
    }
    helper.wait().map_err(os("wait", path))?;
    answer
}

fn converse(
    socket: BorrowedFd<'_>,
    path: &Path,
    root: u32,
    options: &Options,
) -> Result<Descriptors, HandoverError> {
    sys::set_patience(socket, PATIENCE_SECONDS).map_err(os("setsockopt", path))?;
    let mut packet = MAGIC.to_vec();
    let off_cpu = u32::from(options.off_cpu);
    let numbers = [
        root,
        options.rate_hz,
        off_cpu,
        options.ring_bytes,
        load::checksum(),
    ];
    for number in numbers {
        packet.extend(number.to_le_bytes());
    }
    sys::send(socket, &packet, &[]).map_err(os("sendmsg", path))?;
    let (mut maps, mut links, mut side) = (Vec::new(), Vec::new(), Vec::new());
    let mut buffer = [0; PACKET_BYTES];
    loop {
        let (length, descriptors) =
            sys::receive(socket, &mut buffer).map_err(os("recvmsg", path))?;
        match buffer.get(..length) {
            Some([b'm']) => maps.extend(descriptors),
            Some([b'l']) => links.extend(descriptors),
            Some([b's']) => side.extend(descriptors),
            Some([b'd']) => break,
            Some([b'e', text @ ..]) => {
                return Err(HandoverError::Told(
                    String::from_utf8_lossy(text).into_owned(),
                ));
            }
            Some([]) => return Err(HandoverError::Protocol("nothing more before it was done")),
            _ => return Err(HandoverError::Protocol("a packet of an unknown kind")),
        }
    }
    let Ok([ring, counters, layouts]) = <[OwnedFd; 3]>::try_from(maps) else {
        return Err(HandoverError::Protocol("another number of maps than three"));
    };
    Ok(Descriptors {
        ring,
        counters,
        layouts,
        links,
        side,
        attacher: None,
        generations: None,
        lanes: None,
    })
}

/// What the helper executable does: one request on its standard input.
///
/// # Errors
///
/// When it cannot answer at all; a refusal is an answer.
pub fn serve() -> io::Result<()> {
    let stdin = io::stdin();
    let socket = stdin.as_fd();
    let mut buffer = [0; PACKET_BYTES];
    let (length, _) = sys::receive(socket, &mut buffer)?;
    let answer = buffer
        .get(..length)
        .and_then(parse_request)
        .filter(|(.., checksum)| *checksum == load::checksum())
        .ok_or_else(|| "it is that of another gotrace: sudo gotrace setup".to_owned())
        .and_then(|(root, options, _)| {
            let user = owner(root)?;
            let target = Target {
                root,
                user,
                running: None,
            };
            load::load(target, &options).map_err(|error| crate::capture::chain(&error))
        });
    match answer {
        Ok(descriptors) => hand_over(socket, &descriptors),
        Err(text) => {
            let text = text.as_bytes();
            let text = text.get(..PACKET_BYTES - 1).unwrap_or(text);
            sys::send(socket, &[b"e", text].concat(), &[])
        }
    }
}

fn parse_request(packet: &[u8]) -> Option<(u32, Options, u32)> {
    if packet.len() != REQUEST_BYTES {
        return None;
    }
    let (numbers, _) = packet.strip_prefix(MAGIC)?.as_chunks();
    let [root, rate_hz, off_cpu, ring_bytes, checksum] = <[[u8; 4]; 5]>::try_from(numbers)
        .ok()?
        .map(u32::from_le_bytes);
    let options = Options {
        rate_hz: rate_hz.min(MAX_RATE_HZ),
        off_cpu: off_cpu != 0,
        ring_bytes: ring_bytes.min(MAX_RING_BYTES),
        ..Options::default()
    };
    Some((root, options, checksum))
}

/// For whom a process may be watched: its user, who must be who called the helper; for root,
/// without limit.
fn owner(root: u32) -> Result<Option<u32>, String> {
    let caller = nix::unistd::getuid().as_raw();
    if caller == 0 {
        return Ok(None);
    }
    let path = format!("/proc/{root}/status");
    let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    if belongs_to(&status, caller) {
        Ok(Some(caller))
    } else {
        Err(format!("process {root} does not belong to user {caller}"))
    }
}

/// Whether all four user ids (real, effective, saved, file system) are this one.
fn belongs_to(status: &str, user: u32) -> bool {
    let ids = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .unwrap_or_default();
    let mut count = 0;
    let all = ids.split_ascii_whitespace().all(|id| {
        count += 1;
        id.parse() == Ok(user)
    });
    all && count == 4
}

fn hand_over(socket: BorrowedFd<'_>, descriptors: &Descriptors) -> io::Result<()> {
    let maps = [
        descriptors.ring.as_fd(),
        descriptors.counters.as_fd(),
        descriptors.layouts.as_fd(),
    ];
    sys::send(socket, b"m", &maps)?;
    for (kind, all) in [(b"l", &descriptors.links), (b"s", &descriptors.side)] {
        for batch in all.chunks(BATCH) {
            let batch: Vec<_> = batch.iter().map(OwnedFd::as_fd).collect();
            sys::send(socket, kind, &batch)?;
        }
    }
    sys::send(socket, b"d", &[])
}

#[cfg(test)]
mod tests {
    use super::{belongs_to, parse_request};

    #[test]
    fn a_request_has_one_form_only() {
        let packet = b"gotrace1\x39\x05\0\0\xc7\0\0\0\x01\0\0\0\0\0\x10\0\x01\x02\0\0";
        let (root, options, checksum) = parse_request(packet).unwrap();
        assert_eq!((root, options.rate_hz, options.off_cpu), (1337, 199, true));
        assert_eq!(checksum, 513);
        assert_eq!(options.ring_bytes, 1 << 20);
        for length in 0..packet.len() {
            assert!(parse_request(&packet[..length]).is_none(), "{length}");
        }
        let mut other = packet.to_vec();
        other[7] = b'2';
        assert!(parse_request(&other).is_none());
        assert!(parse_request(&[&packet[..], b"\0"].concat()).is_none());
    }

    #[test]
    fn rate_and_memory_are_limited() {
        let packet = b"gotrace1\x01\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\x40\0\0\0\0";
        let (_, options, _) = parse_request(packet).unwrap();
        assert_eq!(options.rate_hz, 100_000);
        assert_eq!(options.ring_bytes, 16 << 20);
    }

    #[test]
    fn a_process_belongs_to_a_user_only_with_all_its_ids() {
        let status = |ids: &str| format!("Name:\tx\nUid:\t{ids}\nGid:\t7\t7\t7\t7\n");
        assert!(belongs_to(&status("1000\t1000\t1000\t1000"), 1000));
        assert!(!belongs_to(&status("1000\t0\t0\t0"), 1000), "setuid");
        assert!(!belongs_to(&status("1000\t1000\t0\t1000"), 1000));
        assert!(!belongs_to(&status("1001\t1001\t1001\t1001"), 1000));
        assert!(!belongs_to(&status("1000\t1000"), 1000));
        assert!(!belongs_to("", 1000));
    }
}
