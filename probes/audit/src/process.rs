//! This process: what it was started with, and where its events go.

use core::ffi::{CStr, c_char, c_int, c_uint};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};

use crate::abi::{AT_BASE, AT_NULL, AT_SECURE, AT_SYSINFO_EHDR, Auxiliary};
use crate::buffer::{self, Event};
use crate::clock;
use crate::layout::{RUN_BYTES, RUN_MARK, kind};
use crate::roots;
use crate::system;

/// First argument of gotrace where it stands in front of a tool.
const SHIM: &CStr = c"__shim";
/// The variable by which the go command tells a tool for which package it runs.
const PACKAGE: &[u8] = b"TOOLEXEC_IMPORTPATH=";
/// The variable by which ld.so found this library.
const AUDIT: &[u8] = b"LD_AUDIT=";

/// What gotrace writes here when it unpacks this library for a run.
#[used]
static RUN: [u8; RUN_BYTES] = {
    let mut run = [0; RUN_BYTES];
    let mut at = 0;
    while at < RUN_MARK.len() {
        run[at] = RUN_MARK[at];
        at += 1;
    }
    run
};

/// Arguments, each ended by a zero byte, lie one behind the other in memory.
static ARGUMENTS: AtomicPtr<c_char> = AtomicPtr::new(core::ptr::null_mut());
/// What the environment has for [`PACKAGE`].
static PACKAGE_TEXT: AtomicPtr<c_char> = AtomicPtr::new(core::ptr::null_mut());
static ARGUMENT_BYTES: AtomicUsize = AtomicUsize::new(0);
/// This is gotrace itself, in front of a tool.
static OWN: AtomicBool = AtomicBool::new(false);
/// ld.so itself was started, to start the program.
static BY_NAME: AtomicBool = AtomicBool::new(false);
static SECURE: AtomicBool = AtomicBool::new(false);
static LEAVES: AtomicBool = AtomicBool::new(false);
/// Where [`AUDIT`] has to be changed, if that has to be done.
static AUDIT_TEXT: AtomicPtr<c_char> = AtomicPtr::new(core::ptr::null_mut());
static ENDING: AtomicBool = AtomicBool::new(false);

/// glibc hands each constructor what `main` gets.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
static CONSTRUCTOR: unsafe extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char) = construct;

unsafe extern "C" fn construct(
    count: c_int,
    arguments: *mut *mut c_char,
    variables: *mut *mut c_char,
) {
    // SAFETY: as many arguments as said, each ends with a zero byte.
    if count > 1 && unsafe { CStr::from_ptr(arguments.add(1).read()) } == SHIM {
        OWN.store(true, Relaxed);
    }
    if count > 0 {
        // SAFETY: there are `count` arguments.
        let (first, last) = unsafe { (arguments.read(), arguments.add(count as usize - 1).read()) };
        // SAFETY: each ends with a zero byte.
        let (length, _) = unsafe { crate::images::length(last, buffer::MOST_TEXT) };
        // They are the kernel's, in order, unless ld.so was called by name and has moved them.
        if let Some(bytes) = (last as usize + length + 1).checked_sub(first as usize) {
            ARGUMENTS.store(first, Relaxed);
            ARGUMENT_BYTES.store(bytes, Relaxed);
        }
    }
    // SAFETY: as many arguments as said, each ends with a zero byte.
    let words = (0..count as usize)
        .map(|at| unsafe { CStr::from_ptr(arguments.add(at).read()) }.to_bytes());
    let name = words
        .clone()
        .next()
        .and_then(|path| path.rsplit(|byte| *byte == b'/').next());
    LEAVES.store(
        name.is_some_and(|name| roots::leaves_root(name, words.skip(1))),
        Relaxed,
    );
    // SAFETY: the environment ends with a null pointer.
    unsafe {
        let mut variable = variables;
        while !variable.read().is_null() {
            let text = variable.read();
            if LEAVES.load(Relaxed) && CStr::from_ptr(text).to_bytes().starts_with(AUDIT) {
                AUDIT_TEXT.store(text.add(AUDIT.len()), Relaxed);
            }
            if *text.cast::<u8>() == b'T' && CStr::from_ptr(text).to_bytes().starts_with(PACKAGE) {
                PACKAGE_TEXT.store(text.add(PACKAGE.len()), Relaxed);
            }
            variable = variable.add(1);
        }
        auxiliary(variable.add(1).cast());
    }
}

/// Takes this library out of `LD_AUDIT` for what this program starts, if that is in another root. Not
/// before ld.so has loaded all that the variable names: it reads it as it goes.
pub(crate) fn leave() {
    let value = AUDIT_TEXT.swap(core::ptr::null_mut(), Relaxed);
    if value.is_null() {
        return;
    }
    // SAFETY: a variable of the environment, which ends with a zero byte and may be written, and the
    // program does not run yet.
    let bytes = unsafe {
        let length = CStr::from_ptr(value).to_bytes().len();
        core::slice::from_raw_parts_mut(value.cast::<u8>(), length)
    };
    let length = roots::take_out(bytes);
    if let Some(end) = bytes.get_mut(length) {
        *end = 0;
    }
}

/// Whether [`leave`] has something to do.
pub(crate) fn is_to_leave() -> bool {
    !AUDIT_TEXT.load(Relaxed).is_null()
}

/// Reads the auxiliary vector.
unsafe fn auxiliary(mut entry: *const Auxiliary) {
    loop {
        // SAFETY: it ends with an entry of tag AT_NULL.
        let Auxiliary { tag, value } = *unsafe { &*entry };
        match tag {
            AT_NULL => return,
            // The kernel has loaded no loader.
            AT_BASE => BY_NAME.store(value == 0, Relaxed),
            AT_SECURE => SECURE.store(value != 0, Relaxed),
            // SAFETY: the kernel's own object.
            AT_SYSINFO_EHDR => unsafe { clock::find(value as *const u8) },
            _ => {}
        }
        // SAFETY: there is another entry.
        entry = unsafe { entry.add(1) };
    }
}

/// The run that this library was unpacked for: the path of the folder of buffers, a zero byte, and
/// gotrace's process id in digits. None where it was not unpacked, or gotrace is gone: nobody
/// would read what is written, nor take it away. A process with numbers of its own (a container)
/// finds nobody either.
pub(crate) fn run() -> Option<[u8; RUN_BYTES]> {
    // Volatile, lest the compiler takes it for what is written above.
    // SAFETY: a static.
    let run = unsafe { core::ptr::from_ref(&RUN).read_volatile() };
    let mut parts = run.split(|byte| *byte == 0);
    let (path, digits) = (parts.next()?, parts.next()?);
    let pid = digits.iter().try_fold(0_u32, |pid, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        pid.checked_mul(10)?.checked_add(u32::from(digit))
    })?;
    (path.first() == Some(&b'/') && system::exists(pid)).then_some(run)
}

/// Whether nothing is to be told of this program: one that is set-id, or has capabilities, or
/// gotrace itself.
pub(crate) fn is_exempt() -> bool {
    SECURE.load(Relaxed) || OWN.load(Relaxed)
}

/// The path of the program, where ld.so was started to start it, and the kernel knows ld.so alone.
pub(crate) fn named_program() -> Option<*const c_char> {
    // ld.so has taken itself and its options away.
    let first = ARGUMENTS.load(Relaxed);
    (BY_NAME.load(Relaxed) && !first.is_null()).then_some(first.cast_const())
}

/// Opens the buffer. Whether there is one.
pub(crate) fn begin(interface: c_uint) -> bool {
    buffer::open(interface, 0)
}

/// Writes what this process runs.
pub(crate) fn describe() {
    let mut path = [0_u8; 4096];
    text(kind::PROGRAM, path_of_executable(&mut path));
    let arguments = ARGUMENTS.load(Relaxed);
    if !arguments.is_null() {
        let bytes = ARGUMENT_BYTES.load(Relaxed);
        // SAFETY: the memory of the arguments, which the program has not touched yet.
        text(kind::ARGUMENTS, unsafe {
            core::slice::from_raw_parts(arguments.cast(), bytes)
        });
    }
    text(kind::FOLDER, working_directory(&mut path));
    let package = PACKAGE_TEXT.load(Relaxed);
    if !package.is_null() {
        // SAFETY: a variable of the environment, which the program has not touched yet.
        text(kind::PACKAGE, unsafe { CStr::from_ptr(package) }.to_bytes());
    }
    if LEAVES.load(Relaxed) {
        text(kind::LEAVES, b"");
    }
}

fn text(kind: u8, text: &[u8]) {
    buffer::write_text(&Event::of(kind, 0), text);
}

fn path_of_executable(path: &mut [u8; 4096]) -> &[u8] {
    let length = system::read_link(c"/proc/self/exe", path);
    path.get(..length).unwrap_or(&[])
}

fn working_directory(path: &mut [u8; 4096]) -> &[u8] {
    // The kernel counts the zero byte.
    let length = system::working_directory(path);
    path.get(..length.saturating_sub(1)).unwrap_or(&[])
}

/// The process ends by way of `exit`.
pub(crate) fn end() {
    if !ENDING.swap(true, Relaxed) {
        buffer::write_unless_forked(&Event::of(kind::ENDING, 0));
    }
}

/// Whether [`end`] was called.
pub(crate) fn is_ending() -> bool {
    ENDING.load(Relaxed)
}
