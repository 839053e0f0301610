//! Ports and messages of Mach: where programs say hello, and that they are answered. In: names; out: bytes that were
//! received, and rights that are given back when they are dropped.
#![expect(
    unsafe_code,
    reason = "Mach has no safe wrapper; each block says why it is sound"
)]

use std::ffi::CStr;
use std::io;

use mach2::bootstrap::bootstrap_register;
use mach2::kern_return::{KERN_SUCCESS, kern_return_t};
use mach2::mach_port::{
    mach_port_allocate, mach_port_deallocate, mach_port_insert_right, mach_port_mod_refs,
};
use mach2::message::{
    MACH_MSG_TYPE_MAKE_SEND, MACH_MSG_TYPE_MOVE_SEND_ONCE, MACH_MSGH_BITS, MACH_RCV_MSG,
    MACH_RCV_TIMEOUT, MACH_SEND_MSG, MACH_SEND_TIMEOUT, mach_msg, mach_msg_destroy,
    mach_msg_header_t,
};
use mach2::port::{MACH_PORT_NULL, MACH_PORT_RIGHT_RECEIVE, mach_port_t};
use mach2::task::task_get_special_port;
use mach2::task_special_ports::TASK_BOOTSTRAP_PORT;
use mach2::traps::mach_task_self;

use crate::capture::decode::preload::{HELLO_BYTES, Hello, Malformed, PortName};

/// A right to a port, given back when it is dropped.
#[derive(Debug)]
pub(in crate::capture) struct Right(mach_port_t);

impl Right {
    /// Takes over a right that the kernel has given.
    pub(super) const fn new(name: mach_port_t) -> Self {
        Self(name)
    }

    pub(super) const fn name(&self) -> mach_port_t {
        self.0
    }
}

impl Drop for Right {
    fn drop(&mut self) {
        // SAFETY: takes no pointer; a right of a port that is dead is given back as any other.
        unsafe { mach_port_deallocate(own(), self.0) };
    }
}

/// A port under a name, at which messages arrive.
#[derive(Debug)]
pub(in crate::capture) struct Port(mach_port_t);

/// What has arrived.
#[derive(Debug)]
pub(in crate::capture) enum Arrived {
    /// A program, its task, and the right to answer it.
    Hello(Hello, Right, Answer),
    /// A message that is none of ours; whatever came with it has been given back.
    Malformed(Malformed),
}

/// The right to answer once. When it is dropped without an answer, the kernel tells the program that none comes.
#[derive(Debug)]
pub(in crate::capture) struct Answer(Right);

/// As the kernel fills it in.
#[repr(C, align(8))]
struct Buffer([u8; ROOM]);

/// More than what is expected, so that a larger message is received, and judged.
const ROOM: usize = HELLO_BYTES + 152;

impl Port {
    /// Makes a port and enters it under a name, for all programs of this session to look up.
    pub(in crate::capture) fn named(name: &CStr) -> io::Result<Self> {
        let mut port = MACH_PORT_NULL;
        // SAFETY: fills in the name of the port, which is a local.
        done(unsafe { mach_port_allocate(own(), MACH_PORT_RIGHT_RECEIVE, &raw mut port) })?;
        let port = Self(port);
        // SAFETY: takes no pointer; the port is ours to receive from.
        let made =
            unsafe { mach_port_insert_right(own(), port.0, port.0, MACH_MSG_TYPE_MAKE_SEND) };
        done(made)?;
        // The bootstrap server keeps a right of its own.
        let send = Right::new(port.0);
        let mut bootstrap = MACH_PORT_NULL;
        // SAFETY: fills in the name of the port, which is a local.
        done(unsafe { task_get_special_port(own(), TASK_BOOTSTRAP_PORT, &raw mut bootstrap) })?;
        let bootstrap = Right::new(bootstrap);
        // SAFETY: the name ends with a zero, and the call does not write to it.
        done(unsafe {
            bootstrap_register(bootstrap.name(), name.as_ptr().cast_mut(), send.name())
        })?;
        Ok(port)
    }

    /// Waits for a message; `None` when the time is over.
    pub(in crate::capture) fn receive(&self, timeout_ms: u32) -> Option<Arrived> {
        /// `MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT)`.
        const WITH_AUDIT: i32 = 3 << 24;
        let mut buffer = Buffer([0; ROOM]);
        let header = (&raw mut buffer).cast::<mach_msg_header_t>();
        // SAFETY: the buffer has the length that is given, and is aligned for a header.
        let received = unsafe {
            mach_msg(
                header,
                MACH_RCV_MSG | MACH_RCV_TIMEOUT | WITH_AUDIT,
                0,
                ROOM as u32,
                self.0,
                timeout_ms,
                MACH_PORT_NULL,
            )
        };
        if received != KERN_SUCCESS {
            return None;
        }
        Some(match Hello::read(&buffer.0) {
            Ok(hello) => {
                let PortName(task) = hello.task;
                let PortName(reply) = hello.reply;
                Arrived::Hello(hello, Right::new(task), Answer(Right::new(reply)))
            }
            Err(error) => {
                // SAFETY: the kernel has filled in a whole message; its rights are given back once.
                unsafe { mach_msg_destroy(header) };
                Arrived::Malformed(error)
            }
        })
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // SAFETY: takes no pointer; the port is ours, and nobody receives from it any more.
        unsafe { mach_port_mod_refs(own(), self.0, MACH_PORT_RIGHT_RECEIVE, -1) };
    }
}

impl Answer {
    /// Has the program go on. Where it does not wait any more, there is nobody to tell.
    pub(in crate::capture) fn go_on(self) {
        let mut header = mach_msg_header_t {
            msgh_bits: MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0),
            msgh_size: size_of::<mach_msg_header_t>() as u32,
            msgh_remote_port: self.0.name(),
            ..mach_msg_header_t::default()
        };
        // SAFETY: the message is a header alone, a local that outlives the call.
        let sent = unsafe {
            mach_msg(
                &raw mut header,
                MACH_SEND_MSG | MACH_SEND_TIMEOUT,
                header.msgh_size,
                0,
                MACH_PORT_NULL,
                0,
                MACH_PORT_NULL,
            )
        };
        if sent == KERN_SUCCESS {
            // The right went with the message.
            std::mem::forget(self.0);
        }
    }
}

/// gotrace's own table of ports.
pub(super) fn own() -> mach_port_t {
    // SAFETY: reads what the C library keeps for this process.
    unsafe { mach_task_self() }
}

/// An error of Mach, by its number (`<mach/kern_return.h>`, `<mach/message.h>`).
pub(super) fn done(result: kern_return_t) -> io::Result<()> {
    match result {
        KERN_SUCCESS => Ok(()),
        other => Err(io::Error::other(format!("Mach error {other:#x}"))),
    }
}
