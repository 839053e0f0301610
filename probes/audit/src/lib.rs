//! What the dynamic linker tells: a library for `LD_AUDIT` (see rtld-audit(7)).
//!
//! ld.so loads it into a namespace of its own before the program, and calls the functions below
//! as images are opened and closed and symbols bound. Each call becomes an event in a file of
//! this process ([`layout`]), which gotrace reads.
//!
//! It is a guest in programs that it knows nothing about, so:
//! - it needs no library, not even libc, for there would be a second one in every process;
//! - it keeps no descriptor open, writes to no stream, touches no signal and no `errno`;
//! - it changes nothing but its own name in `LD_AUDIT`, which it takes out for what is started in
//!   another root: ld.so would complain there that it is missing;
//! - it allocates nothing, waits for nobody, takes no lock: it may be called in a signal handler,
//!   in a thread with a small stack, between `vfork` and `exec`;
//! - whatever fails, it stays silent, and returns 0 from `la_version`, whereupon ld.so forgets it.

#![cfg_attr(panic = "abort", no_std)]

mod abi;
mod buffer;
mod clock;
mod events;
mod images;
pub mod layout;
mod process;
pub mod roots;
mod system;

/// Nothing here panics; a freestanding program has to say what would happen.
#[cfg(panic = "abort")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
