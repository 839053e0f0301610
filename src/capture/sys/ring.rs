//! The ring of trampolines, from the recorder's side: its memory, and the processor's time. What stands where is
//! drawn in [`crate::binary::trampoline::ring`].

use super::pages::Pages;
use crate::binary::trampoline::ring::{
    BYTES, CHUNK, CHUNK_COUNT, CHUNKS, CLOSED, DROPPED, FIRST_CHUNK, HEAD, INSISTS, MAGIC, MAPPED,
    MASK, MOST_CHUNKS, PATIENCE, QUEUE, RECORD, TAIL,
};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// Memory that programs with trampolines and their recorder share.
#[derive(Debug)]
pub(in crate::capture) struct SharedRing {
    pages: Pages,
    chunks: usize,
    patience: Patience,
    /// Free chunks that are not in the queue, the one that was freed last at the end.
    reserve: Vec<usize>,
}

/// Records of a chunk that may be missing before others that are there: a thread writes one after the other, and is
/// interrupted between taking a place and filling it, and writes others meanwhile, once at most.
const GAP: usize = 8;

/// How many chunks programs find, and how long they wait that find none.
#[derive(Clone, Copy, Debug)]
pub(in crate::capture) struct Patience {
    /// Chunks in the queue at most: where they are soon used again, their memory is in the processors' caches.
    pub(in crate::capture) chunks: usize,
    /// In sleeps of some 100 us, before they drop records,
    pub(in crate::capture) sleeps: u32,
    /// or only when no chunk was given back meanwhile.
    pub(in crate::capture) insists: bool,
}

/// A record among the words of a chunk, once it is whole; the first one has the number 0.
#[inline]
pub(in crate::capture) fn record_in(words: &[AtomicU64], number: usize) -> Option<Words> {
    const WORDS: usize = RECORD / 8;
    let record = words.get(number * WORDS..)?.first_chunk::<WORDS>()?;
    let [time, goroutine, place, argument] = record;
    let time = time.load(Ordering::Acquire);
    let word = |word: &AtomicU64| word.load(Ordering::Relaxed);
    (time != 0).then(|| [time, word(goroutine), word(place), word(argument)])
}

/// Asks for what stands some records behind one: another processor wrote it, from whose caches it takes longer to come than
/// processors look ahead for by themselves.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(in crate::capture) fn fetch_ahead(words: &[AtomicU64], number: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    const AHEAD: usize = 48;
    if let Some(time) = words.get((number + AHEAD) * (RECORD / 8)) {
        // SAFETY: nothing is read, and an address may be asked for that is not even there.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(time).cast()) };
    }
}

/// There is no way to ask for it that is the same for all of these processors.
#[cfg(not(target_arch = "x86_64"))]
pub(in crate::capture) const fn fetch_ahead(_: &[AtomicU64], _: usize) {}

/// Whether all is in a record that will be: the next one is there, or it is the last one of its chunk. What is read of it
/// after this is.
#[inline]
pub(in crate::capture) fn is_settled(words: &[AtomicU64], number: usize) -> bool {
    let next = words.get((number + 1) * (RECORD / 8));
    next.is_none_or(|time| time.load(Ordering::Acquire) != 0)
}

/// A record that was taken out, but for its time.
pub(in crate::capture) fn rest_in(words: &[AtomicU64], number: usize) -> Option<[u64; 3]> {
    let rest = words.get(number * (RECORD / 8) + 1..)?.first_chunk::<3>()?;
    Some(rest.each_ref().map(|word| word.load(Ordering::Relaxed)))
}

/// Takes a record out of the words of a chunk, while it is near: its place is free.
#[inline]
pub(in crate::capture) fn take_record(words: &[AtomicU64], number: usize) -> Option<Words> {
    let record = record_in(words, number)?;
    if let Some(time) = words.get(number * (RECORD / 8)) {
        time.store(0, Ordering::Relaxed);
    }
    Some(record)
}

/// Words of a record: [`crate::capture::decode::trampoline::Written`].
pub(in crate::capture) type Words = [u64; RECORD / 8];

impl SharedRing {
    /// Makes a ring of so many chunks, a power of two, of an empty file, all of them free. A program that finds none
    /// waits so long before it drops records.
    pub(in crate::capture) fn new(
        file: BorrowedFd<'_>,
        chunks: usize,
        patience: Patience,
    ) -> io::Result<Self> {
        if !chunks.is_power_of_two() || chunks > MOST_CHUNKS {
            return Err(io::Error::other(
                "chunks of a ring are no power of two, or too many",
            ));
        }
        let length = FIRST_CHUNK + chunks * CHUNK;
        nix::unistd::ftruncate(
            file,
            libc::off_t::try_from(length).map_err(io::Error::other)?,
        )?;
        let pages = Pages::map(file, length, 0, true)?;
        let mut ring = Self {
            pages,
            chunks,
            patience,
            reserve: (0..chunks).rev().collect(),
        };
        let two = |first: usize, second: usize| first as u64 | (second as u64) << 32;
        ring.word(BYTES).store(length as u64, Ordering::Relaxed);
        ring.word(MASK)
            .store(two(chunks - 1, chunks), Ordering::Relaxed);
        ring.word(INSISTS)
            .store(u64::from(patience.insists), Ordering::Relaxed);
        ring.live();
        ring.supply();
        ring.word(0).store(MAGIC, Ordering::Release);
        const { assert!(CHUNKS == MASK + 4 && CLOSED == PATIENCE + 4) };
        Ok(ring)
    }

    /// How many chunks were taken since the beginning.
    pub(in crate::capture) fn taken(&self) -> u64 {
        self.word(HEAD).load(Ordering::Acquire)
    }

    /// How many records programs say that they have dropped, at most.
    pub(in crate::capture) fn dropped(&self) -> u64 {
        self.word(DROPPED).load(Ordering::Relaxed)
    }

    /// How many programs have mapped it.
    pub(in crate::capture) fn mapped(&self) -> u64 {
        self.word(MAPPED).load(Ordering::Relaxed)
    }

    /// Which chunk was the `count`th that was taken.
    pub(in crate::capture) fn chunk_of(&self, count: u64) -> usize {
        let at = count as usize & (self.chunks - 1);
        let pair = self.word(QUEUE + 8 * (at / 2)).load(Ordering::Relaxed);
        (pair >> (32 * (at as u32 & 1))) as u32 as usize
    }

    /// The beginning of a chunk, once its thread has written it; a chunk that is not there has none.
    pub(in crate::capture) fn header(&self, chunk: usize) -> Option<Words> {
        let at = self.chunk(chunk)?;
        let count = self.word(at + CHUNK_COUNT).load(Ordering::Acquire);
        let word = |number: usize| self.word(at + 8 * number).load(Ordering::Relaxed);
        (count != 0).then(|| [word(0), word(1), count, word(3)])
    }

    /// A record of a chunk, once it is whole; the first one has the number 0.
    pub(in crate::capture) fn record(&self, chunk: usize, number: usize) -> Option<Words> {
        record_in(self.words(chunk), number)
    }

    /// The words of a chunk's records, those that are not there yet too: [`record_in`] takes them apart.
    pub(in crate::capture) fn words(&self, chunk: usize) -> &[AtomicU64] {
        self.chunk(chunk).map_or(&[], |at| {
            self.pages.atomics(at + RECORD, (CHUNK - RECORD) / 8)
        })
    }

    /// Puts another time into a record that is whole: whoever wrote it does not look at it again.
    pub(in crate::capture) fn set_time(&self, chunk: usize, number: usize, ticks: u64) {
        if let Some(time) = self.words(chunk).get(number * (RECORD / 8)) {
            time.store(ticks, Ordering::Relaxed);
        }
    }

    /// Gives a chunk back that nobody writes to any more, of which records before the number `from` were taken out.
    pub(in crate::capture) fn free(&mut self, chunk: usize, from: usize) {
        let Some(at) = self.chunk(chunk) else { return };
        self.word(at + CHUNK_COUNT).store(0, Ordering::Relaxed);
        // Without its time a record is not there; whoever takes the chunk next writes the rest before that. To look at what
        // nobody has written would have the kernel make memory for it.
        let records = self.words(chunk).chunks_exact(RECORD / 8).skip(from);
        let mut missing = 0;
        for time in records.filter_map(<[AtomicU64]>::first) {
            if missing == GAP {
                break;
            }
            if time.swap(0, Ordering::Relaxed) == 0 {
                missing += 1;
            } else {
                missing = 0;
            }
        }
        self.reserve.push(chunk);
        self.supply();
    }

    /// Puts free chunks into the queue, as many as are to be there: to be called when programs may have taken some.
    pub(in crate::capture) fn supply(&mut self) {
        let mut tail = self.word(TAIL).load(Ordering::Relaxed);
        while tail.saturating_sub(self.taken()) < self.patience.chunks as u64
            && let Some(chunk) = self.reserve.pop()
        {
            let place = tail as usize & (self.chunks - 1);
            let pair = self.word(QUEUE + 8 * (place / 2));
            let shift = 32 * (place as u32 & 1);
            let other = pair.load(Ordering::Relaxed) & !(u64::from(u32::MAX) << shift);
            pair.store(other | (chunk as u64) << shift, Ordering::Relaxed);
            tail += 1;
            self.word(TAIL).store(tail, Ordering::Release);
        }
    }

    /// Somebody reads: programs may wait for that.
    pub(in crate::capture) fn live(&self) {
        self.word(PATIENCE)
            .store(u64::from(self.patience.sleeps), Ordering::Relaxed);
    }

    /// Somebody reads, and there is no chunk that could come free: nobody is to wait for one.
    pub(in crate::capture) fn discourage(&self) {
        self.word(PATIENCE).store(0, Ordering::Relaxed);
    }

    /// Nobody reads any more: programs neither wait nor take chunks.
    pub(in crate::capture) fn close(&self) {
        self.word(PATIENCE).store(1 << 32, Ordering::Release);
    }

    /// Where a chunk begins.
    fn chunk(&self, chunk: usize) -> Option<usize> {
        (chunk < self.chunks).then(|| FIRST_CHUNK + chunk * CHUNK)
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        self.pages.atomic(at)
    }
}

impl Drop for SharedRing {
    fn drop(&mut self) {
        self.close();
    }
}

/// The processor's time stamp counter.
pub(in crate::capture) fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: reads a counter that every processor of this kind has.
        unsafe { core::arch::x86_64::_rdtsc() }
    }
    #[cfg(target_arch = "aarch64")]
    {
        let ticks: u64;
        // SAFETY: reads a counter that Linux lets every program read, and macOS, whose own clocks read it (commpage).
        unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    #[cfg(target_os = "linux")]
    use std::fs::File;
    use std::os::fd::AsFd as _;

    /// As a program does it.
    fn take(ring: &SharedRing) -> Option<usize> {
        let head = ring.word(HEAD).load(Ordering::Relaxed);
        let is_there = head < ring.word(TAIL).load(Ordering::Relaxed);
        is_there.then(|| {
            ring.word(HEAD).store(head + 1, Ordering::Relaxed);
            ring.chunk_of(head)
        })
    }

    #[test]
    fn programs_find_some_chunks_of_many_and_soon_again_those_that_were_freed() {
        let file = tempfile::tempfile().unwrap();
        let patience = Patience {
            chunks: 2,
            sleeps: 0,
            insists: false,
        };
        let mut ring = SharedRing::new(file.as_fd(), 8, patience).unwrap();
        let first = [take(&ring), take(&ring)];
        assert_eq!(first, [Some(0), Some(1)]);
        assert_eq!(take(&ring), None);
        // Two threads keep theirs, and others come and go.
        let mut used = BTreeSet::new();
        for _ in 0..20 {
            ring.supply();
            let chunk = take(&ring).unwrap();
            used.insert(chunk);
            ring.free(chunk, 0);
        }
        assert_eq!(used, BTreeSet::from([2, 3]));
        // Whoever needs all of them has them.
        let mut all = BTreeSet::from([0, 1]);
        for _ in 0..6 {
            ring.supply();
            assert!(all.insert(take(&ring).unwrap()));
        }
        ring.supply();
        assert_eq!(take(&ring), None);
    }

    /// The kernel counts what memory a file has.
    #[cfg(target_os = "linux")]
    #[test]
    fn of_a_chunk_that_is_freed_nothing_is_left_and_what_nobody_touched_takes_no_memory() {
        use nix::sys::memfd::{MFdFlags, memfd_create};
        use std::os::unix::fs::MetadataExt as _;

        let file = File::from(memfd_create(c"ring", MFdFlags::MFD_CLOEXEC).unwrap());
        let patience = Patience {
            chunks: 2,
            sleeps: 0,
            insists: false,
        };
        let mut ring = SharedRing::new(file.as_fd(), 8, patience).unwrap();
        let chunk = take(&ring).unwrap();
        // One that was begun is not there, and the next ones are.
        for number in [0, 1, 2, 4, 5] {
            ring.set_time(chunk, number, 7);
        }
        let blocks = || file.metadata().unwrap().blocks();
        let before = blocks();
        ring.free(chunk, 1);
        let after = blocks();
        let left: Vec<usize> = (0..CHUNK / RECORD - 1)
            .filter(|number| ring.record(chunk, *number).is_some())
            .collect();
        assert_eq!(left, [0], "what was taken out before");
        assert_eq!(after, before);
    }
}
