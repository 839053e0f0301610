//! A process that has just become another program and has run none of it, made to call the system: calls in, their
//! results out.
//!
//! The calling thread traces it (`ptrace(2)`, `PTRACE_SEIZE`). An instruction that calls the system lies in the code that
//! the kernel gives every program (`vdso(7)`); nothing behind it is run, for the process stops where the call ends.
//! Signals wait meanwhile.

use crate::capture::linux::process;
use crate::capture::linux::sys::stopped::{self, Mask, Stop};
use crate::capture::sys;
use crate::trace::Pid;
use nix::sys::ptrace;
use registers::Registers;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;

/// What the kernel tells a program (`getauxval(3)`): where code of the kernel's begins (`AT_SYSINFO_EHDR`),
const KERNEL_CODE: u64 = 33;
/// and that it may take on rights which who runs it does not have (`AT_SECURE`).
const SECURE: u64 = 23;
/// Where the program begins (`AT_ENTRY`).
const ENTRY: u64 = 9;
/// How much of the kernel's code is looked at.
const KERNEL_CODE_BYTES: usize = 0x2000;
/// Errors are these, negated: `MAX_ERRNO`.
const MOST_ERRNO: u64 = 4_095;
/// What it is given to read lies so far below its stack: of that nothing has used any yet.
const BELOW_STACK: u64 = 0x4000;
/// A program is given no more words than this on its stack: a quarter of the largest (`_STK_LIM / 4 * 3`).
const MOST_WORDS: u64 = (6 << 20) / 8;

/// A process that stands still where its program begins.
#[derive(Debug)]
pub(super) struct Remote {
    pid: Pid,
    mask: Option<Mask>,
    settled: Option<Settled>,
    /// It was to stop meanwhile.
    is_to_stop: bool,
}

/// What is known once it can be made to call.
#[derive(Debug)]
struct Settled {
    memory: File,
    begin: Registers,
    /// Where an instruction calls the system.
    call_at: u64,
}

/// Has this thread trace a child that waits before its exec.
pub(super) fn seize(child: Pid) -> io::Result<()> {
    // Without gotrace nobody would put back what is changed for a moment.
    let options = ptrace::Options::PTRACE_O_TRACEEXEC
        | ptrace::Options::PTRACE_O_TRACESYSGOOD
        | ptrace::Options::PTRACE_O_EXITKILL;
    Ok(ptrace::seize(raw(child), options)?)
}

/// Waits until a process that is traced becomes another program. It runs as it would by itself until then.
pub(super) fn become_program(pid: Pid) -> io::Result<()> {
    loop {
        match stopped::wait(pid)?.ok_or_else(ended)? {
            Stop::Exec => return Ok(()),
            Stop::Signal(signal) => stopped::go_on(pid, signal)?,
            Stop::Group(_) => stopped::stay(pid)?,
            Stop::Call | Stop::Other => stopped::go_on(pid, 0)?,
        }
    }
}

impl Remote {
    /// A process that has become another program. [`Self::settle`] comes first, and whatever happens
    /// [`Self::leave`] last.
    pub(super) const fn new(pid: Pid) -> Self {
        Self {
            pid,
            mask: None,
            settled: None,
            is_to_stop: false,
        }
    }

    /// Gets ready to have it call.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.mask = Some(Mask::of(self.pid)?);
        Mask::ALL.put(self.pid)?;
        // To the end of its call of exec, which else would write its result over a register.
        self.go_on_to_call()?;
        let begin = Registers::of(self.pid)?;
        let memory = format!("/proc/{}/mem", self.pid);
        let memory = OpenOptions::new().read(true).write(true).open(memory)?;
        let kernel = self.told(KERNEL_CODE)?;
        let mut code = vec![0; KERNEL_CODE_BYTES];
        let read = memory.read_at(&mut code, kernel)?;
        code.truncate(read);
        let call = memchr::memmem::find(&code, registers::CALL);
        let call = call.ok_or_else(|| io::Error::other("the kernel's code has no system call"))?;
        self.settled = Some(Settled {
            memory,
            begin,
            call_at: kernel + call as u64,
        });
        Ok(())
    }

    /// Lets it go, where its program begins or at another place.
    pub(super) fn leave(self, at: Option<u64>) -> io::Result<()> {
        if let Some(settled) = &self.settled {
            let begin = &settled.begin;
            at.map_or(*begin, |at| begin.at(at)).put(self.pid)?;
        }
        if let Some(mask) = self.mask {
            mask.put(self.pid)?;
        }
        ptrace::detach(raw(self.pid), None)?;
        if self.is_to_stop {
            sys::send(self.pid, libc::SIGSTOP);
        }
        Ok(())
    }

    /// The program's first address, as the kernel has told it.
    pub(super) fn entry(&self) -> io::Result<u64> {
        self.told(ENTRY)
    }

    /// Where the process begins to run: a loader, or the program itself.
    pub(super) fn begins_at(&self) -> io::Result<u64> {
        Ok(self.settled()?.begin.instruction())
    }

    /// Whether it has rights that it would not have while it is traced.
    pub(super) fn is_secure(&self) -> io::Result<bool> {
        Ok(self.told(SECURE)? != 0)
    }

    /// Tells the program's loader that the program begins elsewhere.
    pub(super) fn move_entry(&self, to: u64) -> io::Result<()> {
        let settled = self.settled()?;
        let stack = settled.begin.stack();
        let word = |number: u64| {
            let mut word = [0; 8];
            let at = stack + 8 * number;
            settled.memory.read_exact_at(&mut word, at)?;
            Ok::<u64, io::Error>(u64::from_le_bytes(word))
        };
        // Arguments, their number before them, variables, and then what the kernel tells; a zero behind each.
        let mut at = word(0)?.saturating_add(2).min(MOST_WORDS);
        while word(at)? != 0 {
            at += 1;
        }
        at += 1;
        loop {
            match word(at)? {
                ENTRY => {
                    let at = stack + 8 * (at + 1);
                    return settled.memory.write_all_at(&to.to_le_bytes(), at);
                }
                0 => return Err(io::Error::other("its stack does not say where it begins")),
                _ => at += 2,
            }
        }
    }

    /// Has it call the system; the result, or with which error the call ended.
    pub(super) fn call(&mut self, number: i64, arguments: [u64; 6]) -> io::Result<u64> {
        let settled = self.settled()?;
        let calling = settled.begin.at(settled.call_at).calling(number, arguments);
        calling.put(self.pid)?;
        self.go_on_to_call()?;
        self.go_on_to_call()?;
        let result = Registers::of(self.pid)?.result();
        match result.wrapping_neg() {
            errno @ 1..=MOST_ERRNO => {
                let errno = i32::try_from(errno).unwrap_or_default();
                Err(io::Error::from_raw_os_error(errno))
            }
            _ => Ok(result),
        }
    }

    /// Puts bytes into its memory for a call; where they are.
    pub(super) fn lend(&self, bytes: &[u8]) -> io::Result<u64> {
        let settled = self.settled()?;
        let at = settled.begin.stack().saturating_sub(BELOW_STACK);
        settled.memory.write_all_at(bytes, at)?;
        Ok(at)
    }

    fn settled(&self) -> io::Result<&Settled> {
        let settled = self.settled.as_ref();
        settled.ok_or_else(|| io::Error::other("it has not settled"))
    }

    /// What the kernel tells it under a number.
    fn told(&self, number: u64) -> io::Result<u64> {
        let auxiliary = process::auxv(self.pid)?;
        let (words, _) = auxiliary.as_chunks::<8>();
        let words: Vec<u64> = words.iter().copied().map(u64::from_le_bytes).collect();
        let (pairs, _) = words.as_chunks::<2>();
        let found = pairs.iter().find(|[key, _]| *key == number);
        let found = found.map(|[_, value]| *value);
        found.ok_or_else(|| io::Error::other(format!("/proc/{}/auxv lacks {number}", self.pid)))
    }

    fn go_on_to_call(&mut self) -> io::Result<()> {
        loop {
            stopped::go_on_to_call(self.pid)?;
            match stopped::wait(self.pid)?.ok_or_else(ended)? {
                Stop::Call => return Ok(()),
                // All others wait; a filter's own (SIGSYS) is an answer to a call that it does not know of.
                Stop::Signal(signal) => self.is_to_stop |= signal == libc::SIGSTOP,
                Stop::Group(_) => self.is_to_stop = true,
                // SIGCONT takes back what was to stop it.
                Stop::Other => self.is_to_stop = false,
                Stop::Exec => {}
            }
        }
    }
}

const fn raw(pid: Pid) -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(pid.0.cast_signed())
}

/// What is said of a process that is gone.
fn ended() -> io::Error {
    io::Error::from_raw_os_error(libc::ESRCH)
}

/// Registers by what they are for: `Documentation/arch/x86/entry_64.rst`, and the psABI's appendix on Linux.
#[cfg(target_arch = "x86_64")]
mod registers {
    use super::raw;
    use crate::trace::Pid;
    use nix::sys::ptrace;
    use std::io;

    /// The instruction that calls the system.
    pub(super) const CALL: &[u8] = &[0x0f, 0x05];

    #[derive(Clone, Copy, Debug)]
    pub(super) struct Registers(libc::user_regs_struct);

    impl Registers {
        pub(super) fn of(pid: Pid) -> io::Result<Self> {
            Ok(Self(ptrace::getregs(raw(pid))?))
        }

        pub(super) fn put(self, pid: Pid) -> io::Result<()> {
            Ok(ptrace::setregs(raw(pid), self.0)?)
        }

        pub(super) const fn instruction(&self) -> u64 {
            self.0.rip
        }

        pub(super) const fn stack(&self) -> u64 {
            self.0.rsp
        }

        pub(super) const fn result(&self) -> u64 {
            self.0.rax
        }

        /// The same, with another instruction next.
        pub(super) const fn at(mut self, instruction: u64) -> Self {
            self.0.rip = instruction;
            self
        }

        /// The same, with what a system call takes; and no call under way, which the kernel would begin anew.
        pub(super) const fn calling(mut self, number: i64, arguments: [u64; 6]) -> Self {
            let registers = &mut self.0;
            registers.rax = number.cast_unsigned();
            registers.orig_rax = u64::MAX;
            [
                registers.rdi,
                registers.rsi,
                registers.rdx,
                registers.r10,
                registers.r8,
                registers.r9,
            ] = arguments;
            self
        }
    }
}

/// Where there are no grafts.
#[cfg(not(target_arch = "x86_64"))]
mod registers {
    use crate::trace::Pid;
    use std::io;

    pub(super) const CALL: &[u8] = &[];

    #[derive(Clone, Copy, Debug)]
    pub(super) enum Registers {}

    impl Registers {
        pub(super) fn of(_pid: Pid) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) const fn put(self, _pid: Pid) -> io::Result<()> {
            match self {}
        }

        pub(super) const fn instruction(&self) -> u64 {
            match *self {}
        }

        pub(super) const fn stack(&self) -> u64 {
            match *self {}
        }

        pub(super) const fn result(&self) -> u64 {
            match *self {}
        }

        pub(super) const fn at(self, _instruction: u64) -> Self {
            match self {}
        }

        pub(super) const fn calling(self, _number: i64, _arguments: [u64; 6]) -> Self {
            match self {}
        }
    }
}
