//! Tasks and threads that gotrace has the ports of: their memory, images, registers and counters. In: ports; out: the
//! bytes that the kernel filled in, read by [`crate::capture::decode`].
#![expect(
    unsafe_code,
    reason = "Mach has no safe wrapper; each block says why it is sound"
)]

use std::ffi::c_int;
use std::io;
use std::ops::Range;
use std::ptr;

use mach2::kern_return::{KERN_SUCCESS, kern_return_t};
use mach2::port::{MACH_PORT_NULL, mach_port_name_t};
use mach2::task::{task_info, task_resume2, task_suspend2, task_threads};
use mach2::task_info::{TASK_DYLD_INFO, TASK_DYLD_INFO_COUNT};
use mach2::thread_act::thread_get_state;
use mach2::traps::task_for_pid;
use mach2::vm::{mach_vm_deallocate, mach_vm_read_overwrite, mach_vm_region_recurse};
use mach2::vm_region::vm_region_submap_info_64;

use super::ports::{Right, done, own};
use crate::capture::decode::image_infos::DyldInfo;
use crate::capture::decode::mach::counters::VERSIONS;
use crate::capture::decode::mach::system::{self, ThreadState};
use crate::capture::decode::mach::thread::{AMD64_STATE_BYTES, INFO_BYTES, Position};
use crate::capture::decode::memory::ReadMemory;
use crate::capture::decode::rosetta::registers::{Registers, STATE_BYTES};
use crate::trace::Pid;

unsafe extern "C" {
    /// `<mach/mach_traps.h>`, which no package declares.
    fn pid_for_task(task: mach_port_name_t, pid: *mut c_int) -> kern_return_t;
}

/// A task: a process, as Mach has it.
#[derive(Debug)]
pub(in crate::capture) struct Task(Right);

impl Task {
    /// That which a program has handed over; `None` where the port is that of something else. Only the kernel answers
    /// at the port of a task: from another one an answer may never come.
    pub(in crate::capture) fn of(port: Right, pid: Pid) -> Option<Self> {
        let mut found = 0;
        // SAFETY: fills in a number, which is a local. The kernel looks the port up, and sends nothing to it.
        let failed = unsafe { pid_for_task(port.name(), &raw mut found) };
        let same = failed == KERN_SUCCESS && u32::try_from(found) == Ok(pid.0);
        same.then_some(Self(port))
    }

    /// That of any process, where the system lets gotrace have it.
    pub(in crate::capture) fn of_process(pid: Pid) -> io::Result<Self> {
        let pid = c_int::try_from(pid.0).map_err(io::Error::other)?;
        let mut task = MACH_PORT_NULL;
        // SAFETY: fills in the name of the port, which is a local.
        done(unsafe { task_for_pid(own(), pid, &raw mut task) })?;
        Ok(Self(Right::new(task)))
    }
}

impl system::Task for Task {
    type Thread = Thread;
    type Suspended = Suspended;

    fn dyld_info(&self) -> Option<DyldInfo> {
        let mut words = [0_i32; TASK_DYLD_INFO_COUNT as usize];
        let mut count = TASK_DYLD_INFO_COUNT;
        // SAFETY: the call fills in at most `count` words, which the array has.
        let failed = unsafe {
            task_info(
                self.0.name(),
                TASK_DYLD_INFO,
                words.as_mut_ptr(),
                &raw mut count,
            )
        };
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        (failed == KERN_SUCCESS).then(|| DyldInfo::read(&bytes))?
    }

    fn threads(&self) -> Option<Vec<Thread>> {
        let (mut list, mut count) = (ptr::null_mut(), 0);
        // SAFETY: fills in where the list is that the kernel makes in this process, and its length.
        if unsafe { task_threads(self.0.name(), &raw mut list, &raw mut count) } != KERN_SUCCESS {
            return None;
        }
        let length = usize::try_from(count).unwrap_or_default();
        // Of a task that ends, there is no list.
        if list.is_null() || length == 0 {
            return Some(Vec::new());
        }
        // SAFETY: the kernel has made a list of so many names.
        let names = unsafe { std::slice::from_raw_parts(list, length) };
        let threads = names.iter().map(|&name| Thread(Right::new(name)));
        let threads = threads.collect();
        // SAFETY: the list is ours, and is not used any more.
        unsafe { mach_vm_deallocate(own(), list as u64, size_of_val(names) as u64) };
        Some(threads)
    }

    /// The kernel counts this suspension by a right that gotrace holds, and ends it when that right is gone, and be it
    /// because gotrace was killed (`task_suspension_send_once` in `osfmk/kern/task.c` of xnu). Nothing of that kind
    /// stands behind the suspension of a single thread.
    fn suspend(&self) -> Option<Suspended> {
        let mut token = MACH_PORT_NULL;
        // SAFETY: fills in the name of the right, which is a local.
        let failed = unsafe { task_suspend2(self.0.name(), &raw mut token) };
        (failed == KERN_SUCCESS).then_some(Suspended(token))
    }

    fn region(&self, address: u64) -> Option<(Range<u64>, u32)> {
        let (mut start, mut size) = (address, 0);
        // Down to what lies in the shared region, too.
        let mut depth = u32::MAX;
        let mut info = vm_region_submap_info_64::default();
        let mut count = vm_region_submap_info_64::count();
        // SAFETY: the call fills in locals; the structure has the length that is given.
        let failed = unsafe {
            mach_vm_region_recurse(
                self.0.name(),
                &raw mut start,
                &raw mut size,
                &raw mut depth,
                (&raw mut info).cast(),
                &raw mut count,
            )
        };
        let range = start..start.checked_add(size)?;
        let found = failed == KERN_SUCCESS && range.contains(&address);
        found.then_some((range, info.user_tag))
    }
}

impl ReadMemory for Task {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let (size, mut read) = (into.len() as u64, 0);
        // SAFETY: the call writes at most `size` bytes, which the slice has.
        let failed = unsafe {
            let to = into.as_mut_ptr() as u64;
            mach_vm_read_overwrite(self.0.name(), address, size, to, &raw mut read)
        };
        failed == KERN_SUCCESS && read == size
    }
}

/// A task that stands still.
#[derive(Debug)]
pub(in crate::capture) struct Suspended(mach_port_name_t);

impl Drop for Suspended {
    fn drop(&mut self) {
        // SAFETY: takes no pointer; takes over the right, which was this value's.
        unsafe { task_resume2(self.0) };
    }
}

/// A thread of a task.
#[derive(Debug)]
pub(in crate::capture) struct Thread(Right);

/// Flavors of `thread_info`, `<mach/thread_info.h>`.
const IDENTIFIER: u32 = 4;
const EXTENDED: u32 = 5;

impl system::Thread for Thread {
    fn port(&self) -> u32 {
        self.0.name()
    }

    fn info(&self) -> Option<Vec<u8>> {
        self.about::<{ INFO_BYTES / 4 }>(EXTENDED)
    }

    fn number(&self) -> Option<u64> {
        // The first field of `THREAD_IDENTIFIER_INFO`.
        let bytes = self.about::<6>(IDENTIFIER)?;
        Some(u64::from_le_bytes(*bytes.first_chunk()?))
    }

    fn state(&self) -> Option<ThreadState> {
        if cfg!(target_arch = "aarch64") {
            let state = self.registers::<STATE_BYTES>(ARM64_STATE)?;
            Some(ThreadState::Arm64(Registers::read(&state)))
        } else {
            let state = self.registers::<AMD64_STATE_BYTES>(AMD64_STATE)?;
            Some(ThreadState::Amd64(Position::of_amd64(&state)))
        }
    }
}

/// `ARM_THREAD_STATE64`.
const ARM64_STATE: c_int = 6;
/// `x86_THREAD_STATE64`.
const AMD64_STATE: c_int = 4;

impl Thread {
    fn about<const WORDS: usize>(&self, flavor: u32) -> Option<Vec<u8>> {
        let mut words = [0_i32; WORDS];
        let mut count = u32::try_from(WORDS).ok()?;
        // SAFETY: the call fills in at most `count` words, which the array has.
        let failed =
            unsafe { libc::thread_info(self.0.name(), flavor, words.as_mut_ptr(), &raw mut count) };
        let filled = words.get(..usize::try_from(count).ok()?)?;
        let bytes = filled.iter().flat_map(|word| word.to_le_bytes());
        (failed == KERN_SUCCESS).then(|| bytes.collect())
    }

    fn registers<const BYTES: usize>(&self, flavor: c_int) -> Option<[u8; BYTES]> {
        let mut words = vec![0_u32; BYTES / 4];
        let mut count = u32::try_from(words.len()).ok()?;
        // SAFETY: the call fills in at most `count` words, which the array has.
        let failed =
            unsafe { thread_get_state(self.0.name(), flavor, words.as_mut_ptr(), &raw mut count) };
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        (failed == KERN_SUCCESS).then(|| bytes.try_into().ok())?
    }
}

/// What a process has used, in the newest version that the kernel knows: the buffer of `proc_pid_rusage`.
pub(in crate::capture) fn counters(pid: Pid) -> Option<Vec<u8>> {
    let pid = c_int::try_from(pid.0).ok()?;
    VERSIONS.iter().find_map(|&(version, bytes)| {
        let mut buffer = vec![0_u8; bytes];
        // SAFETY: the call fills in the structure of that version, which has so many bytes.
        let failed = unsafe { libc::proc_pid_rusage(pid, version, buffer.as_mut_ptr().cast()) };
        (failed == 0).then_some(buffer)
    })
}
