//! The shared buffer: a file that one process writes and gotrace reads, both through memory.
//!
//! ```text
//! 0     header, a page: who writes, and three counters, each on a cache line of its own
//! 4096  a ring of cells of 64 bytes
//! ```
//!
//! An event takes as many cells in a row as its text needs. A writer reserves them by moving
//! `TAIL`, fills them, and publishes each by writing its number, last. A cell whose number is not
//! the expected one has not been written yet, or never will be, for its writer was killed: that
//! costs just this event, since every cell says what it is. The reader moves `HEAD`; what finds no
//! room is counted in `LOST`. All numbers are in the byte order of the machine, and wrap.
//!
//! This file is a part of both programs: the library in `probes/audit`, and gotrace's decoder.

/// First bytes of a file that is ready.
pub const MAGIC: [u8; 8] = *b"GOTRAUD1";
/// Size of the header, in bytes.
pub const HEADER_BYTES: usize = 4096;
/// Size of a cell, in bytes.
pub const CELL_BYTES: usize = 64;
/// Cells of the ring; a power of two.
pub const CELLS: u32 = 1 << 16;
/// Size of the whole file, in bytes, if all of it is in use.
pub const FILE_BYTES: usize = HEADER_BYTES + CELLS as usize * CELL_BYTES;

/// How the bytes begin in the library that gotrace overwrites when it unpacks it: with the path of
/// the folder of buffers, a zero byte, and gotrace's process id in digits.
pub const RUN_MARK: [u8; 16] = *b"gotrace-audit-v1";
/// How many bytes these are; the last one stays zero.
pub const RUN_BYTES: usize = 256;

/// Places of the header's fields, in bytes from its begin.
pub mod header {
    /// Size of a pointer, in bits: u16.
    pub const WORD: usize = 8;
    /// The machine, as ELF numbers them (`e_machine`): u16.
    pub const MACHINE: usize = 10;
    /// What the dynamic linker calls the newest version of the interface that it knows: u32.
    pub const INTERFACE: usize = 12;
    /// Process id: u32.
    pub const PID: usize = 16;
    /// Process id of the parent: u32.
    pub const PARENT: usize = 20;
    /// Process id of the process that this one is a fork of, without an exec since; else 0: u32.
    pub const FORK_OF: usize = 24;
    /// Reading of `CLOCK_MONOTONIC` when the dynamic linker began, in nanoseconds: u64.
    pub const START: usize = 32;
    /// Cells reserved since the begin: u32.
    pub const TAIL: usize = 64;
    /// Cells read since the begin: u32.
    pub const HEAD: usize = 128;
    /// Events that found no room: u32.
    pub const LOST: usize = 192;
}

/// Places of a cell's fields, in bytes from its begin.
pub mod cell {
    /// The cell's number plus one; written last: u32.
    pub const NUMBER: usize = 0;
    /// What it is, of [`super::kind`]: u8.
    pub const KIND: usize = 4;
    /// Cells of the event, this one included: u8.
    pub const COUNT: usize = 5;
    /// Bytes of text of the event: u16.
    pub const TEXT_BYTES: usize = 6;
    /// Further text, of a cell of kind [`super::kind::MORE`].
    pub const MORE_TEXT: usize = 8;
    /// Reading of `CLOCK_MONOTONIC`, in nanoseconds: u64.
    pub const TIME: usize = 8;
    /// Thread: u32.
    pub const TID: usize = 16;
    /// The image that it is about; the importer: u32.
    pub const IMAGE: usize = 20;
    /// The provider; of a load, the namespace: u32.
    pub const OTHER: usize = 24;
    /// Flags, of [`super::flag`], or of the dynamic linker where the kind says so: u32.
    pub const FLAGS: usize = 28;
    /// An address: u64.
    pub const ADDRESS: usize = 32;
    /// Begin of the text.
    pub const TEXT: usize = 40;
}

/// Kinds of cells.
pub mod kind {
    /// More text of the event that began before.
    pub const MORE: u8 = 1;
    /// The program: text is the path of its executable.
    pub const PROGRAM: u8 = 2;
    /// Its arguments, each ended by a zero byte.
    pub const ARGUMENTS: u8 = 3;
    /// Its working directory.
    pub const FOLDER: u8 = 4;
    /// An image was opened: text is its path (of the program itself empty, unless ld.so was started to
    /// start it: then as it was named), address what is added to the addresses that its
    /// file states (`l_addr`), other the namespace.
    pub const OPENED: u8 = 5;
    /// An image was closed.
    pub const CLOSED: u8 = 6;
    /// A symbol was bound: text is its name, address where it is.
    pub const BOUND: u8 = 7;
    /// A name of a library, or a path, is tried: flags are those of `la_objsearch`.
    pub const SEARCHED: u8 = 8;
    /// The link map changes: flags are those of `la_activity`. When it is consistent again, address
    /// is the CPU time of the thread, in nanoseconds: at the start since the last image was opened,
    /// later since the link map began to change.
    pub const ACTIVITY: u8 = 9;
    /// The program's own code is about to run.
    pub const STARTED: u8 = 10;
    /// The process ends by way of `exit`.
    pub const ENDING: u8 = 11;
    /// The package that the go command runs the program for (`TOOLEXEC_IMPORTPATH`).
    pub const PACKAGE: u8 = 12;
    /// What the program starts is in another root, and is not watched.
    pub const LEAVES: u8 = 13;
}

/// Flags of events.
pub mod flag {
    /// Of `OPENED`: the image asks for all its symbols to be bound at once.
    pub const BIND_NOW: u32 = 1;
    /// Of `OPENED`: it was open already when this process was forked.
    pub const INHERITED: u32 = 2;
    /// Of `BOUND`: by a call through the procedure linkage table, at the first use.
    pub const LAZY: u32 = 1;
    /// Of `BOUND`: by `dlsym`.
    pub const ASKED_FOR: u32 = 2;
    /// The text is longer than what is there.
    pub const CUT: u32 = 1 << 31;
}
