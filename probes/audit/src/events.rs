//! The interface of rtld-audit(7): what ld.so calls, and the events that come of it.

use core::ffi::{c_char, c_long, c_uint};

use crate::abi::{
    LA_ACT_ADD, LA_ACT_CONSISTENT, LA_FLG_BIND_BOTH, LA_SYMB_DLSYM, LA_SYMB_NO_PLT, LinkMap, Symbol,
};
use crate::buffer::{self, Event};
use crate::clock;
use crate::images;
use crate::layout::{flag, kind};
use crate::process;

/// Versions of the interface that are known: 1 to glibc 2.34, 2 since, 3 on loongarch64.
const KNOWN: core::ops::RangeInclusive<c_uint> = 1..=3;

/// Begins: opens the buffer of this process. Returns 0, "leave me out", where there is none and nothing
/// else to do.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn la_version(version: c_uint) -> c_uint {
    // ld.so says on stderr when it does not like the answer, so it gets its own number back.
    let wanted = KNOWN.contains(&version) && !process::is_exempt();
    if wanted && (process::begin(version) || process::is_to_leave()) {
        version
    } else {
        0
    }
}

/// An image was opened.
///
/// # Safety
///
/// `map` and `cookie` are those that ld.so hands over.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn la_objopen(
    map: *const LinkMap,
    namespace: c_long,
    cookie: *mut usize,
) -> c_uint {
    // SAFETY: as this function's.
    let (id, slot) = unsafe { images::open(map) };
    // SAFETY: the cookie is ours to write.
    unsafe { cookie.write(slot) };
    // SAFETY: the map is that of an open image.
    unsafe { buffer::write(&images::opened(map, id, namespace as u32, 0)) };
    if buffer::is_starting() {
        // This may be the last image before they are relocated.
        clock::begin_relocation();
    }
    LA_FLG_BIND_BOTH
}

/// An image is about to be closed, be it at the end of the process.
///
/// # Safety
///
/// `cookie` is one that [`la_objopen`] has written.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn la_objclose(cookie: *mut usize) -> c_uint {
    // SAFETY: as this function's.
    let image = unsafe { images::id(cookie) };
    // ld.so closes the program itself first, and then all else, because the process ends.
    if image == images::PROGRAM {
        process::end();
    } else if !process::is_ending() {
        buffer::write_unless_forked(&Event::of(kind::CLOSED, image));
    }
    // SAFETY: as this function's.
    unsafe { images::close(cookie) };
    0
}

/// A name or a path is tried in search of a library.
///
/// # Safety
///
/// `name` ends with a zero byte, `cookie` is one that [`la_objopen`] has written.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn la_objsearch(
    name: *const c_char,
    cookie: *mut usize,
    flags: c_uint,
) -> *mut c_char {
    // SAFETY: as this function's.
    let image = unsafe { images::id(cookie) };
    let event = Event {
        flags,
        text: name,
        ..Event::of(kind::SEARCHED, image)
    };
    // SAFETY: as this function's.
    unsafe { buffer::write(&event) };
    name.cast_mut()
}

/// The link map begins to change, or is consistent again.
///
/// # Safety
///
/// `cookie` is one that [`la_objopen`] has written.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn la_activity(cookie: *mut usize, action: c_uint) {
    // SAFETY: as this function's.
    let image = unsafe { images::id(cookie) };
    if process::is_ending() {
        return;
    }
    let consistent = action == LA_ACT_CONSISTENT;
    buffer::write_unless_forked(&Event {
        flags: action,
        address: if consistent {
            clock::of_relocation()
        } else {
            0
        },
        ..Event::of(kind::ACTIVITY, image)
    });
    if action == LA_ACT_ADD {
        clock::begin_relocation();
    }
    if consistent {
        process::leave();
        // From here on, code of the program runs, which may make threads and processes.
        buffer::others_may_run();
    }
}

/// Constructors have run, and `main` is about to.
///
/// # Safety
///
/// `cookie` is one that [`la_objopen`] has written.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn la_preinit(cookie: *mut usize) {
    buffer::others_may_run();
    // SAFETY: as this function's.
    let image = unsafe { images::id(cookie) };
    buffer::write_unless_forked(&Event::of(kind::STARTED, image));
}

/// A symbol was bound. Returns where, unchanged.
///
/// # Safety
///
/// The arguments are those that ld.so hands over.
#[cfg_attr(target_pointer_width = "64", unsafe(export_name = "la_symbind64"))]
#[cfg_attr(target_pointer_width = "32", unsafe(export_name = "la_symbind32"))]
pub(crate) unsafe extern "C" fn la_symbind(
    symbol: *const Symbol,
    _index: c_uint,
    importer: *mut usize,
    provider: *mut usize,
    flags: *mut c_uint,
    name: *const c_char,
) -> usize {
    // SAFETY: a copy of the symbol, whose value is the address.
    let address = unsafe { (*symbol).value };
    // SAFETY: flags are ours to read and write.
    let told = unsafe { flags.read() };
    // Where symbols are bound at once, no call will go through the table, and ld.so says so.
    let how = if told & LA_SYMB_DLSYM != 0 {
        flag::ASKED_FOR
    } else if told & LA_SYMB_NO_PLT == 0 {
        flag::LAZY
    } else {
        0
    };
    // Before glibc 2.35 each call would come here otherwise.
    // SAFETY: as above.
    unsafe { flags.write(told | LA_SYMB_NO_PLT) };
    // SAFETY: cookies are those that `la_objopen` has written.
    let (image, other) = unsafe { (images::id(importer), images::id(provider)) };
    let event = Event {
        other,
        flags: how,
        address: address as u64,
        text: name,
        ..Event::of(kind::BOUND, image)
    };
    // SAFETY: the name ends with a zero byte.
    unsafe { buffer::write(&event) };
    address
}
