//! `CLOCK_MONOTONIC`, read without a system call where the kernel offers that, and the CPU time of
//! relocations.
//!
//! The kernel maps an object into each process that knows how: vdso(7). A system call for each
//! bind would be the costliest part of recording it. CPU time takes one, and is read twice a
//! relocation, and once an image at the start.

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use crate::abi::{
    DT_GNU_HASH, DT_NULL, DT_STRTAB, DT_SYMTAB, Dynamic, FileHeader, PT_DYNAMIC, PT_LOAD, Segment,
    Symbol, Timespec,
};
use crate::system;

type Read = unsafe extern "C" fn(c_int, *mut Timespec) -> c_int;

/// The function of the vdso, or 0.
static FUNCTION: AtomicUsize = AtomicUsize::new(0);
/// What CPU time its thread had when the last relocation began: seconds, and nanoseconds. ld.so
/// opens images and changes the link map under a lock.
static BEGAN: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// Nanoseconds.
pub(crate) fn now() -> u64 {
    let mut time = Timespec::default();
    let function = FUNCTION.load(Relaxed);
    // SAFETY: what `find` found is such a function.
    let read = (function != 0).then(|| unsafe { core::mem::transmute::<usize, Read>(function) });
    // SAFETY: the time is ours to write.
    let told =
        read.is_some_and(|read| unsafe { read(system::CLOCK_MONOTONIC, &raw mut time) } == 0);
    if !told {
        system::read_clock(system::CLOCK_MONOTONIC, &mut time);
    }
    nanos(time.seconds, time.nanos)
}

/// A relocation begins, as far as is known.
pub(crate) fn begin_relocation() {
    let time = cpu();
    let parts = [time.seconds as u32, time.nanos as u32];
    for (place, part) in BEGAN.iter().zip(parts) {
        place.store(part, Relaxed);
    }
}

/// CPU time of this thread since the relocation began that it is in, in nanoseconds.
pub(crate) fn of_relocation() -> u64 {
    let time = cpu();
    let [seconds, part] = [&BEGAN[0], &BEGAN[1]].map(|place| i64::from(place.load(Relaxed)));
    nanos(time.seconds - seconds, time.nanos - part)
}

/// CPU time of this thread.
fn cpu() -> Timespec {
    let mut time = Timespec::default();
    system::read_clock(system::CLOCK_THREAD_CPUTIME_ID, &mut time);
    time
}

fn nanos(seconds: i64, nanos: i64) -> u64 {
    seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos) as u64
}

/// Looks for the function in the object at `base`.
///
/// # Safety
///
/// `base` is where the kernel says that its object is.
pub(crate) unsafe fn find(base: *const u8) {
    if base.is_null() {
        return;
    }
    // SAFETY: an ELF object.
    if let Some(address) = unsafe { look_up(base, system::VDSO_CLOCK) } {
        FUNCTION.store(address, Relaxed);
    }
}

/// Address of a symbol, found by the object's hash table as ld.so does.
unsafe fn look_up(base: *const u8, name: &CStr) -> Option<usize> {
    // SAFETY: as this function's, for each read of the object below.
    unsafe {
        let file = &*base.cast::<FileHeader>();
        let segments = base.add(file.segments).cast::<Segment>();
        let segments = core::slice::from_raw_parts(segments, usize::from(file.segment_count));
        let load = segments.iter().find(|segment| segment.kind == PT_LOAD)?;
        let bias = (base as usize)
            .wrapping_add(load.offset)
            .wrapping_sub(load.address);
        let dynamic = segments.iter().find(|segment| segment.kind == PT_DYNAMIC)?;
        let mut entry = bias.wrapping_add(dynamic.address) as *const Dynamic;
        let (mut strings, mut symbols, mut hash) = (0, 0, 0);
        while (*entry).tag != DT_NULL {
            let value = bias.wrapping_add((*entry).value);
            match (*entry).tag {
                DT_STRTAB => strings = value,
                DT_SYMTAB => symbols = value,
                DT_GNU_HASH => hash = value,
                _ => {}
            }
            entry = entry.add(1);
        }
        if strings == 0 || symbols == 0 || hash == 0 {
            return None;
        }
        let symbol = |index: u32| &*(symbols as *const Symbol).add(index as usize);
        let index = index_of(hash as *const u32, name, |index| {
            let found = (strings as *const c_char).add(symbol(index).name as usize);
            CStr::from_ptr(found) == name
        })?;
        Some(bias.wrapping_add(symbol(index).value))
    }
}

/// Index of the symbol of a name in a table of kind `DT_GNU_HASH`.
unsafe fn index_of(table: *const u32, name: &CStr, is_it: impl Fn(u32) -> bool) -> Option<u32> {
    let times_33 = |hash: u32, byte: &u8| hash.wrapping_mul(33).wrapping_add(u32::from(*byte));
    let hash = name.to_bytes().iter().fold(5381, times_33);
    // SAFETY: the table's header, then words of the filter, buckets, and chains.
    unsafe {
        let (buckets, first, filter) = (table.read(), table.add(1).read(), table.add(2).read());
        let filter_words = filter as usize * size_of::<usize>() / size_of::<u32>();
        let bucket_words = table.add(4 + filter_words);
        let chains = bucket_words.add(buckets as usize);
        let mut index = bucket_words
            .add((hash.checked_rem(buckets)?) as usize)
            .read();
        while index >= first {
            let chain = chains.add((index - first) as usize).read();
            if (chain | 1) == (hash | 1) && is_it(index) {
                return Some(index);
            }
            if chain & 1 != 0 {
                break;
            }
            index += 1;
        }
    }
    None
}
