//! Descriptors from the helper executable, which has the rights that gotrace has not.
//!
//! gotrace starts the helper with one end of a socket pair as its standard input and sends one
//! packet; the helper answers with packets that carry descriptors, and ends:
//!
//! ```text
//! request  "gotrace1", u32 root, u32 rate_hz, u32 off_cpu, u32 ring_bytes, u32 checksum,
//!          u32 entries_only, names of sets of probes, each ended by a line feed
//! answer   'm'  ring buffer, counters, layouts          (3 descriptors)
//!          'p'  u32 lanes, u32 entries of each, u64 ns of an emulated hit, u64 ns of another one:
//!               generations, lanes                      (2 descriptors; only with sets)
//!          'l'  attached programs                       (at most BATCH, repeated)
//!          's'  side-band of each processor             (likewise)
//!          'd'  done
//!          'e'  text: why not
//! ```
//!
//! With sets of probes it stays until gotrace closes its end: see [`super::assistant`].
//!
//! The helper reads no environment and no file that the caller could choose. It watches only a
//! process of the user who called it, and its programs show nothing of processes that run as
//! somebody else.

use super::Options;
use super::assistant::{self, Assistant};
use super::attach::Attacher;
use super::load::{self, Descriptors, SharedLanes, Target};
use super::trial::{self, Costs};
use crate::capture::linux::sys;
use crate::capture::probes::{ProbeSet, Watch};
use crate::trace::Nanos;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};

const MAGIC: &[u8; 8] = b"gotrace1";
const REQUEST_BYTES: usize = 32;
/// Linux allows 253 in one packet (`SCM_MAX_FD`).
const BATCH: usize = 200;
/// Longest packet: the text of an error.
pub(super) const PACKET_BYTES: usize = 4096;
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
    match converse(ours.as_fd(), path, root, options) {
        Ok((mut descriptors, Some(costs))) => {
            let assistant = Assistant::new(ours, helper, costs);
            descriptors.attacher = Some(Attacher::Helper(assistant));
            Ok(descriptors)
        }
        answer => {
            drop(ours);
            if answer.is_err() {
                // It may have ended already.
                drop(helper.kill());
            }
            helper.wait().map_err(os("wait", path))?;
            answer.map(|(descriptors, _)| descriptors)
        }
    }
}

fn converse(
    socket: BorrowedFd<'_>,
    path: &Path,
    root: u32,
    options: &Options,
) -> Result<(Descriptors, Option<Costs>), HandoverError> {
    sys::set_patience(socket, PATIENCE_SECONDS).map_err(os("setsockopt", path))?;
    let mut packet = MAGIC.to_vec();
    let off_cpu = u32::from(options.off_cpu);
    let numbers = [
        root,
        options.rate_hz,
        off_cpu,
        options.ring_bytes,
        load::checksum(),
        u32::from(options.watch.entries_only),
    ];
    for number in numbers {
        packet.extend(number.to_le_bytes());
    }
    for set in &options.watch.sets {
        packet.extend(set.name.as_bytes());
        packet.push(b'\n');
    }
    sys::send(socket, &packet, &[]).map_err(os("sendmsg", path))?;
    let (mut maps, mut links, mut side) = (Vec::new(), Vec::new(), Vec::new());
    let mut probing = None;
    let mut buffer = [0; PACKET_BYTES];
    loop {
        let (length, descriptors) =
            sys::receive(socket, &mut buffer).map_err(os("recvmsg", path))?;
        match buffer.get(..length) {
            Some([b'm']) => maps.extend(descriptors),
            Some([b'p', numbers @ ..]) => probing = Probing::parse(numbers, descriptors),
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
    let (costs, generations, lanes) = match probing {
        Some(probing) => (
            Some(probing.costs),
            Some(probing.generations),
            Some(probing.lanes),
        ),
        None => (None, None, None),
    };
    let descriptors = Descriptors {
        ring,
        counters,
        layouts,
        links,
        side,
        attacher: None,
        generations,
        lanes,
    };
    Ok((descriptors, costs))
}

/// What is needed to have probes.
struct Probing {
    costs: Costs,
    generations: OwnedFd,
    lanes: SharedLanes,
}

impl Probing {
    fn parse(numbers: &[u8], descriptors: Vec<OwnedFd>) -> Option<Self> {
        let [generations, map] = <[OwnedFd; 2]>::try_from(descriptors).ok()?;
        let (sizes, costs) = numbers.split_at_checked(8)?;
        let [count, entries] = <[[u8; 4]; 2]>::try_from(sizes.as_chunks().0).ok()?;
        let [emulated, single_stepped] = <[[u8; 8]; 2]>::try_from(costs.as_chunks().0).ok()?;
        Some(Self {
            costs: Costs {
                emulated: Nanos(u64::from_le_bytes(emulated)),
                single_stepped: Nanos(u64::from_le_bytes(single_stepped)),
            },
            generations,
            lanes: SharedLanes {
                map,
                count: u32::from_le_bytes(count) as usize,
                entries: u32::from_le_bytes(entries) as usize,
            },
        })
    }

    /// The packet that [`Self::parse`] reads the rest of.
    fn packet(costs: Costs, lanes: &SharedLanes) -> Vec<u8> {
        let mut packet = b"p".to_vec();
        for size in [lanes.count, lanes.entries] {
            packet.extend(u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
        }
        for cost in [costs.emulated, costs.single_stepped] {
            packet.extend(cost.0.to_le_bytes());
        }
        packet
    }
}

/// A packet of a kind with a text, as long as one may be.
pub(super) fn text_of(kind: u8, text: &str) -> Vec<u8> {
    let text = text.as_bytes();
    let text = text.get(..PACKET_BYTES - 1).unwrap_or(text);
    [&[kind], text].concat()
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
            let loaded = load::load(target, &options);
            let descriptors = loaded.map_err(|error| crate::capture::chain(&error))?;
            Ok((descriptors, options.watch))
        });
    let (mut descriptors, watch) = match answer {
        Ok(loaded) => loaded,
        Err(text) => return sys::send(socket, &text_of(b'e', &text), &[]),
    };
    let Some(Attacher::Ourselves(programs)) = descriptors.attacher.take() else {
        return hand_over(socket, &descriptors);
    };
    // Without probes, if none can be set: all else works.
    let tried = trial::costs(&programs).ok();
    if let (Some((costs, _)), Some(lanes), Some(generations)) =
        (&tried, &descriptors.lanes, &descriptors.generations)
    {
        let maps = [generations.as_fd(), lanes.map.as_fd()];
        sys::send(socket, &Probing::packet(*costs, lanes), &maps)?;
    }
    hand_over(socket, &descriptors)?;
    drop(descriptors);
    assistant::serve(socket, &programs, &watch)
}

fn parse_request(packet: &[u8]) -> Option<(u32, Options, u32)> {
    let (numbers, names) = packet.split_at_checked(REQUEST_BYTES)?;
    let (numbers, _) = numbers.strip_prefix(MAGIC)?.as_chunks();
    let [root, rate_hz, off_cpu, ring_bytes, checksum, entries_only] =
        <[[u8; 4]; 6]>::try_from(numbers)
            .ok()?
            .map(u32::from_le_bytes);
    let options = Options {
        watch: Watch {
            sets: sets(names)?,
            entries_only: entries_only != 0,
            ..Watch::default()
        },
        rate_hz: rate_hz.min(MAX_RATE_HZ),
        off_cpu: off_cpu != 0,
        ring_bytes: ring_bytes.min(MAX_RING_BYTES),
        ..Options::default()
    };
    Some((root, options, checksum))
}

/// The sets of these names; none that is not built in.
fn sets(names: &[u8]) -> Option<Vec<ProbeSet>> {
    let names: Vec<&str> = std::str::from_utf8(names).ok()?.lines().collect();
    if names.is_empty() {
        return Some(Vec::new());
    }
    let all = ProbeSet::embedded().ok()?;
    let found = names.iter().map(|name| {
        let mut all = all.iter();
        all.find(|set| set.name == *name).cloned()
    });
    found.collect()
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
        let packet = b"gotrace1\x39\x05\0\0\xc7\0\0\0\x01\0\0\0\0\0\x10\0\x01\x02\0\0\x01\0\0\0";
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
        // Sets are those that are built in.
        assert!(options.watch.sets.is_empty() && options.watch.entries_only);
        let (_, options, _) = parse_request(&[&packet[..], b"gc\nsched\n"].concat()).unwrap();
        let names: Vec<&str> = options.watch.sets.iter().map(|set| &*set.name).collect();
        assert_eq!(names, ["gc", "sched"]);
        for names in [&b"\0"[..], b"mine\n", b"\xff\n", b"../gc\n"] {
            assert!(parse_request(&[packet, names].concat()).is_none());
        }
    }

    #[test]
    fn rate_and_memory_are_limited() {
        let packet = b"gotrace1\x01\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\0";
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
