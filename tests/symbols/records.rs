//! The ring of a copy with trampolines, as a recorder would make it, and what is in it when the program has ended.
#![expect(
    unsafe_code,
    reason = "a program gets the ring under a number that its copy has built in"
)]

use gotrace::binary::instruction::SiteEdge;
use gotrace::binary::trampoline::ring;
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// A ring that nobody reads while programs write.
pub(crate) struct Ring(File);

/// What one passing of a place wrote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) time: u64,
    pub(crate) goroutine: u64,
    pub(crate) depth: u32,
    pub(crate) function: u32,
    pub(crate) edge: SiteEdge,
    pub(crate) process: u32,
    pub(crate) copy: u64,
    /// It stands in the record of its entry.
    pub(crate) joined: bool,
}

impl Ring {
    /// One with so many free chunks.
    pub(crate) fn new(chunks: u32) -> Self {
        let file = File::from(memfd_create("ring", MFdFlags::MFD_CLOEXEC).unwrap());
        let bytes = ring::FIRST_CHUNK + usize::try_from(chunks).unwrap() * ring::CHUNK;
        file.set_len(bytes as u64).unwrap();
        let ring = Self(file);
        ring.put(0, &ring::MAGIC.to_le_bytes());
        ring.put(ring::BYTES, &(bytes as u64).to_le_bytes());
        let mask = chunks.next_power_of_two() - 1;
        ring.put(ring::MASK, &mask.to_le_bytes());
        ring.put(ring::CHUNKS, &chunks.to_le_bytes());
        ring.put(ring::TAIL, &u64::from(chunks).to_le_bytes());
        let queue: Vec<u8> = (0..chunks).flat_map(u32::to_le_bytes).collect();
        ring.put(ring::QUEUE, &queue);
        ring
    }

    /// Nobody reads it any more.
    pub(crate) fn close(&self) {
        self.put(ring::CLOSED, &1_u32.to_le_bytes());
    }

    /// Has a program find it under this number.
    pub(crate) fn give(&self, command: &mut Command, number: u32) {
        let from = self.0.as_raw_fd();
        let give = move || {
            // SAFETY: both numbers are the child's own.
            let given = unsafe { libc::dup2(from, number.cast_signed()) };
            if given < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        };
        // SAFETY: what runs in the child calls dup2 alone, which is safe there.
        unsafe { command.pre_exec(give) };
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.word(ring::DROPPED)
    }

    /// All records, those of a chunk one after the other, and chunks as they were taken.
    pub(crate) fn records(&self) -> Vec<Record> {
        let taken = self.word(ring::HEAD);
        let mut bytes = vec![0; ring::CHUNK];
        let mut records = Vec::new();
        for number in 0..usize::try_from(taken).unwrap() {
            let at = ring::FIRST_CHUNK + number * ring::CHUNK;
            self.0.read_exact_at(&mut bytes, at as u64).unwrap();
            assert_eq!(word(&bytes, ring::CHUNK_COUNT), number as u64 + 1);
            assert!(half(&bytes, ring::CHUNK_THREAD) > 0);
            let written = bytes.chunks_exact(ring::RECORD).skip(1);
            let mut ended = false;
            for record in written {
                let time = word(record, 0);
                if time == 0 {
                    ended = true;
                    continue;
                }
                assert!(!ended, "a record behind one that was not written");
                let spans = half(record, 20) & ring::SPANS != 0;
                let of = Record {
                    time,
                    goroutine: word(record, 8),
                    depth: half(record, 16),
                    function: half(record, 20) & ring::FUNCTION,
                    edge: match half(record, 20) & !(ring::FUNCTION | ring::SPANS) {
                        0 => SiteEdge::Entry,
                        ring::RETURN => SiteEdge::Return,
                        ring::TAIL_JUMP => SiteEdge::TailJump,
                        other => panic!("edge {other:#x}"),
                    },
                    process: half(&bytes, ring::CHUNK_PROCESS),
                    copy: word(&bytes, ring::CHUNK_COPY),
                    joined: false,
                };
                records.push(of);
                if spans && of.edge == SiteEdge::Entry && word(record, 24) != 0 {
                    let returned = Record {
                        time: word(record, 24),
                        edge: SiteEdge::Return,
                        joined: true,
                        ..of
                    };
                    assert!(returned.time >= of.time, "{returned:?} of {of:?}");
                    records.push(returned);
                }
            }
        }
        records
    }

    fn word(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, at as u64).unwrap();
        u64::from_le_bytes(bytes)
    }

    fn put(&self, at: usize, bytes: &[u8]) {
        self.0.write_all_at(bytes, at as u64).unwrap();
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn half(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}
