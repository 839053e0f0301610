//! How a process becomes a program: by `execve`, or where more is wanted, by `posix_spawn` without a new process.
//! In: paths and arrays of strings; out: only errors.
#![expect(
    unsafe_code,
    reason = "posix_spawn has no safe wrapper with these attributes; each block says why it is sound"
)]

use std::ffi::{CStr, c_char, c_int, c_short};
use std::io;
use std::ptr;

use crate::capture::slice::Preference;
use crate::capture::sys::Program;

/// What is wanted of a start, made before the fork: its child may not allocate.
#[derive(Debug)]
pub(in crate::capture) struct Start(Option<Attributes>);

impl Start {
    /// Prepares what a program asks for.
    pub(in crate::capture) fn of(program: &Program) -> io::Result<Self> {
        if program.slice.is_none() && !program.starts_stopped {
            return Ok(Self(None));
        }
        let mut attributes = Attributes::new()?;
        attributes.set(program.slice, program.starts_stopped)?;
        Ok(Self(Some(attributes)))
    }

    /// Becomes the program at `path`; returns why not. The arrays end with a null pointer.
    pub(in crate::capture) fn exec(
        &self,
        path: &CStr,
        argv: *const *const c_char,
        environment: *const *const c_char,
    ) -> c_int {
        let Some(attributes) = &self.0 else {
            // SAFETY: path and arrays are zero-terminated and live until the process is replaced.
            unsafe { libc::execve(path.as_ptr(), argv, environment) };
            let error = io::Error::last_os_error();
            return error.raw_os_error().unwrap_or_default();
        };
        if attributes.forgets_affinity {
            forget_affinity();
        }
        // SAFETY: as above; with POSIX_SPAWN_SETEXEC there is no new process to tell of, and no actions are asked for.
        unsafe {
            libc::posix_spawn(
                ptr::null_mut(),
                path.as_ptr(),
                ptr::null(),
                &raw const attributes.raw,
                argv.cast(),
                environment.cast(),
            )
        }
    }
}

/// Attributes of `posix_spawn`.
#[derive(Debug)]
struct Attributes {
    raw: libc::posix_spawnattr_t,
    forgets_affinity: bool,
}

impl Attributes {
    fn new() -> io::Result<Self> {
        let mut raw = ptr::null_mut();
        // SAFETY: fills in the pointer that it is given, which is a local.
        done(unsafe { libc::posix_spawnattr_init(&raw mut raw) })?;
        Ok(Self {
            raw,
            forgets_affinity: false,
        })
    }

    fn set(&mut self, slice: Option<Preference>, stopped: bool) -> io::Result<()> {
        let stop = if stopped {
            libc::POSIX_SPAWN_START_SUSPENDED
        } else {
            0
        };
        let flags =
            c_short::try_from(libc::POSIX_SPAWN_SETEXEC | stop).map_err(io::Error::other)?;
        // SAFETY: the attributes are initialised.
        done(unsafe { libc::posix_spawnattr_setflags(&raw mut self.raw, flags) })?;
        let Some(preference) = slice else {
            return Ok(());
        };
        self.forgets_affinity = preference.forgets_affinity;
        let cpus = preference.cpus.iter();
        let mut families: Vec<i32> = cpus.clone().map(|cpu| cpu.family.cast_signed()).collect();
        let mut subtypes: Vec<i32> = cpus.map(|cpu| cpu.subtype.cast_signed()).collect();
        let mut taken = 0;
        // SAFETY: the attributes are initialised; both arrays have the length that is given.
        done(unsafe {
            libc::posix_spawnattr_setarchpref_np(
                &raw mut self.raw,
                families.len(),
                families.as_mut_ptr(),
                subtypes.as_mut_ptr(),
                &raw mut taken,
            )
        })?;
        if taken == families.len() {
            return Ok(());
        }
        Err(io::Error::other(
            "posix_spawn takes not all kinds of processors",
        ))
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: the attributes are initialised, and nobody uses them after.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.raw) };
    }
}

/// Has the kernel forget which slices the process that started this one preferred, as arch(1) does. Where it does not
/// know the name, there is nothing to forget.
fn forget_affinity() {
    let mut none: c_int = 0;
    // SAFETY: the name ends with a zero; the new value is a local of the size that is given, the old is not asked for.
    unsafe {
        libc::sysctlbyname(
            c"kern.curproc_arch_affinity".as_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            (&raw mut none).cast(),
            size_of::<c_int>(),
        )
    };
}

/// These calls return what others leave in `errno`.
fn done(error: c_int) -> io::Result<()> {
    match error {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}
