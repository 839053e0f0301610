//! The buffer of this process: opens it, and writes events into it.
//!
//! A fork has the memory of its parent, and so its buffer; what it writes there would be taken
//! for the parent's. So all that is known of the buffer lies in one page, [`State`], that the
//! kernel empties in the child of a fork. In the child of a `vfork`, which runs in the memory of
//! its parent, it stays, as it should: what is bound there is bound for the parent.

use core::ffi::{CStr, c_char, c_uint};
use core::sync::atomic::{
    AtomicPtr, AtomicU32, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};

use crate::abi::LinkMap;
use crate::layout::{
    CELL_BYTES, CELLS, FILE_BYTES, HEADER_BYTES, MAGIC, RUN_BYTES, cell, flag, header, kind,
};
use crate::{clock, images, process, system};

/// Most bytes of text of an event: as many as 250 cells hold.
pub(crate) const MOST_TEXT: usize = FIRST_TEXT + 249 * MORE_TEXT;
const FIRST_TEXT: usize = CELL_BYTES - cell::TEXT;
const MORE_TEXT: usize = CELL_BYTES - cell::MORE_TEXT;

/// Cells that have memory: at first, then what is added when they are full. Most processes of a
/// build bind some hundreds of symbols.
const STEPS: [u32; 3] = [1 << 10, 1 << 13, CELLS];
/// gotrace is told when so many cells were written: it may be that it has to hurry.
const BELL: u32 = CELLS / 4;

/// What happened.
pub(crate) struct Event {
    pub(crate) kind: u8,
    pub(crate) image: u32,
    pub(crate) other: u32,
    pub(crate) flags: u32,
    pub(crate) address: u64,
    /// Ends with a zero byte.
    pub(crate) text: *const c_char,
}

impl Event {
    pub(crate) const fn of(kind: u8, image: u32) -> Self {
        Self {
            kind,
            image,
            other: 0,
            flags: 0,
            address: 0,
            text: c"".as_ptr(),
        }
    }
}

/// All zero at first, and in the child of a fork.
struct State {
    /// See [`stage`].
    stage: AtomicU32,
    /// The mapped file.
    base: AtomicPtr<u8>,
    /// Cells that have memory.
    cells: AtomicU32,
    /// The thread that opened the buffer.
    tid: AtomicU32,
    /// Other threads and processes may exist that run in this memory.
    others: AtomicU32,
    path: [AtomicU32; PATH_BYTES / 4],
}

/// Room for the folder and a name.
const PATH_BYTES: usize = RUN_BYTES + 32;

mod stage {
    pub(super) const NEW: u32 = 0;
    pub(super) const OPENING: u32 = 1;
    pub(super) const OPEN: u32 = 2;
    pub(super) const FAILED: u32 = 3;
}

static STATE: AtomicPtr<State> = AtomicPtr::new(core::ptr::null_mut());
/// The process that opened a buffer last; a fork that finds its state empty is one of it.
static OPENER: AtomicU32 = AtomicU32::new(0);
static INTERFACE: AtomicU32 = AtomicU32::new(0);

fn state() -> Option<&'static State> {
    // SAFETY: null, or a page that stays mapped.
    unsafe { STATE.load(Relaxed).as_ref() }
}

/// Opens the buffer. Whether that went well.
pub(crate) fn open(interface: c_uint, fork_of: u32) -> bool {
    INTERFACE.store(interface, Relaxed);
    if STATE.load(Relaxed).is_null() {
        match system::page_emptied_by_fork() {
            Some(page) => STATE.store(page.cast(), Relaxed),
            None => return false,
        }
    }
    let Some(state) = state() else { return false };
    if state
        .stage
        .compare_exchange(stage::NEW, stage::OPENING, Acquire, Relaxed)
        .is_err()
    {
        return false;
    }
    let file = create(state, interface, fork_of);
    let opened = file.is_some();
    let stage = if opened { stage::OPEN } else { stage::FAILED };
    state.stage.store(stage, Release);
    if opened && fork_of == 0 {
        process::describe();
    }
    // The mapping keeps it open; gotrace is told of it when the process ends, or the file grows.
    drop(file);
    opened
}

fn create(state: &State, interface: u32, fork_of: u32) -> Option<system::File> {
    let start = clock::now();
    let pid = system::process_id();
    let mut path = [0; PATH_BYTES];
    name_file(&mut path, pid, start)?;
    let path_text = CStr::from_bytes_until_nul(&path).ok()?;
    let file = system::create(path_text)?;
    let base = allocate(&file, STEPS[0]).and_then(|()| file.map(FILE_BYTES))?;
    // SAFETY: the header has memory.
    unsafe {
        base.add(header::WORD)
            .cast::<u16>()
            .write(usize::BITS as u16);
        base.add(header::MACHINE)
            .cast::<u16>()
            .write(system::MACHINE);
        base.add(header::INTERFACE).cast::<u32>().write(interface);
        base.add(header::PID).cast::<u32>().write(pid);
        base.add(header::PARENT)
            .cast::<u32>()
            .write(system::parent_id());
        base.add(header::FORK_OF).cast::<u32>().write(fork_of);
        base.add(header::START).cast::<u64>().write(start);
        core::sync::atomic::fence(Release);
        base.cast::<[u8; 8]>().write(MAGIC);
    }
    for (word, bytes) in state.path.iter().zip(path.chunks_exact(4)) {
        word.store(bytes.try_into().map_or(0, u32::from_ne_bytes), Relaxed);
    }
    state.base.store(base, Relaxed);
    state.cells.store(STEPS[0], Relaxed);
    state.tid.store(system::thread_id(), Relaxed);
    state.others.store(u32::from(fork_of != 0), Relaxed);
    OPENER.store(pid, Relaxed);
    Some(file)
}

/// `FOLDER/PID-START`, the second in hexadecimal digits.
fn name_file(path: &mut [u8; PATH_BYTES], pid: u32, start: u64) -> Option<()> {
    let run = process::run()?;
    let mut at = 0;
    let mut push = |byte: u8| {
        if let Some(place) = path.get_mut(at) {
            *place = byte;
        }
        at += 1;
    };
    let folder = run.iter().take_while(|byte| **byte != 0);
    folder.for_each(|byte| push(*byte));
    push(b'/');
    let mut digit = 1_000_000_000;
    while digit > 0 {
        if pid >= digit || digit == 1 {
            push(b'0' + (pid / digit % 10) as u8);
        }
        digit /= 10;
    }
    push(b'-');
    for shift in (0..16).rev() {
        let digit = (start >> (4 * shift)) as u8 & 15;
        push(if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        });
    }
    Some(())
}

/// Gives the first `cells` memory, so that no write can fail, and kill the program, for want of
/// it.
fn allocate(file: &system::File, cells: u32) -> Option<()> {
    file.allocate(HEADER_BYTES + cells as usize * CELL_BYTES)
}

/// Gives more cells memory. Threads may do so at once, with the same outcome.
#[cold]
fn grow(state: &State, needed: u32) -> bool {
    let Some(cells) = STEPS.into_iter().find(|cells| *cells >= needed) else {
        return false;
    };
    let grown = reopen(state).and_then(|file| allocate(&file, cells));
    if grown.is_some() {
        state.cells.fetch_max(cells, Relaxed);
    }
    grown.is_some()
}

/// The file again; closing it tells gotrace that there is something to read.
#[cold]
fn reopen(state: &State) -> Option<system::File> {
    let mut path = [0; PATH_BYTES];
    for (bytes, word) in path.chunks_exact_mut(4).zip(&state.path) {
        bytes.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
    }
    system::reopen(CStr::from_bytes_until_nul(&path).ok()?)
}

/// Threads and forks may exist from now on, so that who runs must be asked for.
pub(crate) fn others_may_run() {
    if let Some(state) = state() {
        state.others.store(1, Relaxed);
    }
}

/// No code of the program has run yet.
pub(crate) fn is_starting() -> bool {
    state().is_some_and(|state| state.others.load(Relaxed) == 0)
}

/// Writes an event, in the child of a fork, too.
///
/// # Safety
///
/// Its text ends with a zero byte.
pub(crate) unsafe fn write(event: &Event) {
    let Some(state) = state() else { return };
    if state.stage.load(Acquire) == stage::NEW && !begin_fork() {
        return;
    }
    // SAFETY: as this function's.
    let (length, cut) = unsafe { images::length(event.text, MOST_TEXT) };
    put(state, event, (event.text.cast(), length, cut));
}

/// Writes an event without text, unless this is the child of a fork that has no buffer: for this
/// event alone it gets none.
pub(crate) fn write_unless_forked(event: &Event) {
    if let Some(state) = state() {
        put(state, event, (event.text.cast(), 0, false));
    }
}

/// Writes an event with a text of its own.
pub(crate) fn write_text(event: &Event, text: &[u8]) {
    if let Some(state) = state() {
        let length = text.len().min(MOST_TEXT);
        put(state, event, (text.as_ptr(), length, length < text.len()));
    }
}

/// In the child of a fork: a buffer of its own, which begins with what is open.
#[cold]
fn begin_fork() -> bool {
    if !open(INTERFACE.load(Relaxed), OPENER.load(Relaxed)) {
        return false;
    }
    images::for_each_open(|id, map: *const LinkMap| {
        // SAFETY: the map is that of an open image.
        unsafe { write(&images::opened(map, id, 0, flag::INHERITED)) };
    });
    true
}

fn put(state: &State, event: &Event, (text, length, cut): (*const u8, usize, bool)) {
    if state.stage.load(Acquire) != stage::OPEN {
        return;
    }
    let base = state.base.load(Relaxed);
    let count = 1 + length.saturating_sub(FIRST_TEXT).div_ceil(MORE_TEXT);
    let Some(number) = reserve(state, base, count as u32) else {
        return;
    };
    let tid = if state.others.load(Relaxed) == 0 {
        state.tid.load(Relaxed)
    } else {
        system::thread_id()
    };
    let first = Cell::at(base, number);
    first.set(cell::KIND, event.kind);
    first.set(cell::COUNT, count as u8);
    first.set(cell::TEXT_BYTES, length as u16);
    first.set(cell::TIME, clock::now());
    first.set(cell::TID, tid);
    first.set(cell::IMAGE, event.image);
    first.set(cell::OTHER, event.other);
    first.set(cell::FLAGS, event.flags | if cut { flag::CUT } else { 0 });
    first.set(cell::ADDRESS, event.address);
    let mut done = length.min(FIRST_TEXT);
    // SAFETY: there are `length` bytes.
    unsafe { first.copy(cell::TEXT, text, done) };
    let mut next = number;
    while done < length {
        next = next.wrapping_add(1);
        let more = Cell::at(base, next);
        let bytes = (length - done).min(MORE_TEXT);
        more.set(cell::KIND, kind::MORE);
        // SAFETY: as above.
        unsafe { more.copy(cell::MORE_TEXT, text.add(done), bytes) };
        more.publish(next);
        done += bytes;
    }
    // Last of all: whoever sees it sees the others.
    first.publish(number);
}

/// Reserves cells, and gives the number of the first one, or counts a loss.
fn reserve(state: &State, base: *mut u8, count: u32) -> Option<u32> {
    let (tail, head) = (counter(base, header::TAIL), counter(base, header::HEAD));
    let mut number = tail.load(Relaxed);
    loop {
        let end = number.wrapping_add(count);
        let has_room = end.wrapping_sub(head.load(Acquire)) <= CELLS;
        // Numbers wrap after 2^32 cells, long after all cells got their memory.
        let needed = end.min(CELLS);
        let has_memory = needed <= state.cells.load(Relaxed) || grow(state, needed);
        if !(has_room && has_memory) {
            counter(base, header::LOST).fetch_add(1, Relaxed);
            return None;
        }
        match tail.compare_exchange_weak(number, end, Relaxed, Relaxed) {
            Ok(_) => {
                if end % BELL < count && number != 0 {
                    drop(reopen(state));
                }
                return Some(number);
            }
            Err(moved) => number = moved,
        }
    }
}

fn counter(base: *mut u8, place: usize) -> &'static AtomicU32 {
    // SAFETY: the header stays mapped, and its counters lie on multiples of 64 bytes.
    unsafe { AtomicU32::from_ptr(base.add(place).cast()) }
}

/// A cell that this thread has reserved.
struct Cell(*mut u8);

impl Cell {
    fn at(base: *mut u8, number: u32) -> Self {
        let offset = HEADER_BYTES + (number % CELLS) as usize * CELL_BYTES;
        // SAFETY: inside of the mapped file.
        Self(unsafe { base.add(offset) })
    }

    fn set<T>(&self, place: usize, value: T) {
        // SAFETY: inside of the cell, which has memory; fields lie on multiples of their sizes.
        unsafe { self.0.add(place).cast::<T>().write(value) };
    }

    unsafe fn copy(&self, place: usize, from: *const u8, bytes: usize) {
        // SAFETY: callers keep inside of the cell.
        unsafe { core::ptr::copy_nonoverlapping(from, self.0.add(place), bytes) };
    }

    fn publish(&self, number: u32) {
        // SAFETY: inside of the cell, on a multiple of 4.
        let place = unsafe { AtomicU32::from_ptr(self.0.add(cell::NUMBER).cast()) };
        place.store(number.wrapping_add(1), Release);
    }
}
