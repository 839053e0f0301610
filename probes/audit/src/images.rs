//! Which images are open: each has a number of its own, never used again in this process.

use core::ffi::c_char;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering::Relaxed};

use crate::abi::{
    DF_1_NOW, DF_BIND_NOW, DT_BIND_NOW, DT_FLAGS, DT_FLAGS_1, DT_NULL, Dynamic, LinkMap,
};
use crate::buffer::Event;
use crate::layout::{flag, kind};
use crate::process;

/// The number of the program itself, which is opened first.
pub(crate) const PROGRAM: u32 = 1;

/// Images that are open at the same time, and told apart in binds.
const SLOTS: usize = 2048;

/// An open image; ld.so keeps its address as the image's cookie.
struct Slot {
    /// 0 when free.
    id: AtomicU32,
    map: AtomicPtr<LinkMap>,
}

impl Slot {
    const fn free() -> Self {
        Self {
            id: AtomicU32::new(0),
            map: AtomicPtr::new(core::ptr::null_mut()),
        }
    }
}

/// Pages of it that are not used take no memory.
static TABLE: [Slot; SLOTS] = [const { Slot::free() }; SLOTS];
/// The cookie of images that found no slot.
static BEYOND: Slot = Slot::free();
/// Images opened so far, and where to look for a free slot. ld.so opens images under a lock.
static OPENED: AtomicU32 = AtomicU32::new(0);

/// Gives an image a number and a cookie.
///
/// # Safety
///
/// `map` stays valid until the image is closed.
pub(crate) unsafe fn open(map: *const LinkMap) -> (u32, usize) {
    let opened = OPENED.fetch_add(1, Relaxed);
    let id = opened.wrapping_add(1);
    let from = opened as usize % SLOTS;
    let (before, after) = TABLE.split_at(from);
    let mut slots = after.iter().chain(before);
    let slot = match slots.find(|slot| slot.id.load(Relaxed) == 0) {
        Some(slot) => {
            slot.id.store(id, Relaxed);
            slot.map.store(map.cast_mut(), Relaxed);
            slot
        }
        None => &BEYOND,
    };
    (id, core::ptr::from_ref(slot) as usize)
}

/// The number of an open image; 0 if it is not known.
///
/// # Safety
///
/// `cookie` is one that ld.so hands over.
pub(crate) unsafe fn id(cookie: *const usize) -> u32 {
    // SAFETY: as this function's.
    match unsafe { slot(cookie) } {
        Some(slot) => slot.id.load(Relaxed),
        None => 0,
    }
}

/// Frees the slot of an image.
///
/// # Safety
///
/// `cookie` is one that ld.so hands over.
pub(crate) unsafe fn close(cookie: *const usize) {
    // SAFETY: as this function's.
    if let Some(slot) = unsafe { slot(cookie) } {
        slot.map.store(core::ptr::null_mut(), Relaxed);
        slot.id.store(0, Relaxed);
    }
}

/// Until [`open`] has written it, a cookie holds the address of the link map.
unsafe fn slot(cookie: *const usize) -> Option<&'static Slot> {
    // SAFETY: as this function's.
    let cookie = unsafe { cookie.read() };
    let table = TABLE.as_ptr() as usize;
    let offset = cookie.wrapping_sub(table);
    TABLE.get(offset / size_of::<Slot>())
}

/// The event of an image that was opened.
///
/// # Safety
///
/// `map` is that of an open image.
pub(crate) unsafe fn opened(map: *const LinkMap, id: u32, namespace: u32, flags: u32) -> Event {
    // SAFETY: as this function's.
    let map = unsafe { &*map };
    // SAFETY: as this function's.
    let now = if unsafe { binds_now(map.dynamic) } {
        flag::BIND_NOW
    } else {
        0
    };
    let name = if map.name.is_null() {
        c"".as_ptr()
    } else {
        map.name
    };
    // SAFETY: it ends with a zero byte.
    let is_named = id != PROGRAM || unsafe { name.read() } != 0;
    let name = match process::named_program() {
        Some(path) if !is_named => path,
        _ => name,
    };
    Event {
        other: namespace,
        flags: flags | now,
        address: map.base as u64,
        text: name,
        ..Event::of(kind::OPENED, id)
    }
}

/// Calls `each` with what is open: the number and the link map.
pub(crate) fn for_each_open(mut each: impl FnMut(u32, *const LinkMap)) {
    for slot in &TABLE {
        let (id, map) = (slot.id.load(Relaxed), slot.map.load(Relaxed));
        if id != 0 && !map.is_null() {
            each(id, map);
        }
    }
}

/// Whether an image asks for all its symbols to be bound when it is opened.
unsafe fn binds_now(mut entry: *const Dynamic) -> bool {
    if entry.is_null() {
        return false;
    }
    loop {
        // SAFETY: the dynamic section ends with an entry of tag DT_NULL.
        let Dynamic { tag, value } = *unsafe { &*entry };
        match tag {
            DT_NULL => return false,
            DT_BIND_NOW => return true,
            DT_FLAGS if value & DF_BIND_NOW != 0 => return true,
            DT_FLAGS_1 if value & DF_1_NOW != 0 => return true,
            _ => {}
        }
        // SAFETY: there is another entry.
        entry = unsafe { entry.add(1) };
    }
}

/// Length of a string that ends with a zero byte, at most `most`, and whether it goes on.
///
/// # Safety
///
/// `text` ends with a zero byte.
pub(crate) unsafe fn length(text: *const c_char, most: usize) -> (usize, bool) {
    let mut length = 0;
    // SAFETY: no byte behind the zero byte is read.
    while unsafe { text.add(length).read() } != 0 {
        if length == most {
            return (length, true);
        }
        length += 1;
    }
    (length, false)
}
