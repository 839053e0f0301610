//! Structures that ld.so and the kernel hand over, as far as they are read.

use core::ffi::c_char;

/// `struct link_map` of `<link.h>`: its public begin.
#[repr(C)]
pub(crate) struct LinkMap {
    /// What is added to the addresses that the file states.
    pub(crate) base: usize,
    /// Path; empty for the program itself.
    pub(crate) name: *const c_char,
    /// The dynamic section.
    pub(crate) dynamic: *const Dynamic,
}

/// An entry of the dynamic section.
#[repr(C)]
pub(crate) struct Dynamic {
    pub(crate) tag: isize,
    pub(crate) value: usize,
}

pub(crate) const DT_NULL: isize = 0;
pub(crate) const DT_STRTAB: isize = 5;
pub(crate) const DT_SYMTAB: isize = 6;
pub(crate) const DT_BIND_NOW: isize = 24;
pub(crate) const DT_FLAGS: isize = 30;
pub(crate) const DT_GNU_HASH: isize = 0x6fff_fef5;
pub(crate) const DT_FLAGS_1: isize = 0x6fff_fffb;
pub(crate) const DF_BIND_NOW: usize = 8;
pub(crate) const DF_1_NOW: usize = 1;

/// `Elf64_Sym`, or `Elf32_Sym`.
#[cfg(target_pointer_width = "64")]
#[repr(C)]
pub(crate) struct Symbol {
    pub(crate) name: u32,
    info: u8,
    other: u8,
    section: u16,
    pub(crate) value: usize,
    size: usize,
}
#[cfg(target_pointer_width = "32")]
#[repr(C)]
pub(crate) struct Symbol {
    pub(crate) name: u32,
    pub(crate) value: usize,
    size: usize,
    info: u8,
    other: u8,
    section: u16,
}

/// `Elf64_Phdr`, or `Elf32_Phdr`.
#[cfg(target_pointer_width = "64")]
#[repr(C)]
pub(crate) struct Segment {
    pub(crate) kind: u32,
    flags: u32,
    pub(crate) offset: usize,
    pub(crate) address: usize,
    physical: usize,
    file_bytes: usize,
    bytes: usize,
    align: usize,
}
#[cfg(target_pointer_width = "32")]
#[repr(C)]
pub(crate) struct Segment {
    pub(crate) kind: u32,
    pub(crate) offset: usize,
    pub(crate) address: usize,
    physical: usize,
    file_bytes: usize,
    bytes: usize,
    flags: u32,
    align: usize,
}

pub(crate) const PT_LOAD: u32 = 1;
pub(crate) const PT_DYNAMIC: u32 = 2;

/// `Elf64_Ehdr`, or `Elf32_Ehdr`.
#[repr(C)]
pub(crate) struct FileHeader {
    ident: [u8; 16],
    kind: u16,
    machine: u16,
    version: u32,
    entry: usize,
    pub(crate) segments: usize,
    sections: usize,
    flags: u32,
    bytes: u16,
    segment_bytes: u16,
    pub(crate) segment_count: u16,
}

/// An entry of the auxiliary vector, which lies behind the environment.
#[repr(C)]
pub(crate) struct Auxiliary {
    pub(crate) tag: usize,
    pub(crate) value: usize,
}

pub(crate) const AT_NULL: usize = 0;
pub(crate) const AT_BASE: usize = 7;
pub(crate) const AT_SECURE: usize = 23;
pub(crate) const AT_SYSINFO_EHDR: usize = 33;

/// `struct timespec` of the calls that are used here.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Timespec {
    pub(crate) seconds: i64,
    pub(crate) nanos: i64,
}

/// `LA_ACT_CONSISTENT`: the change of the link map is complete.
pub(crate) const LA_ACT_CONSISTENT: u32 = 0;
/// `LA_ACT_ADD`: images are about to be added to the link map.
pub(crate) const LA_ACT_ADD: u32 = 1;
/// `LA_FLG_BINDTO | LA_FLG_BINDFROM`: binds of this image's symbols are of interest.
pub(crate) const LA_FLG_BIND_BOTH: u32 = 3;
/// `LA_SYMB_NOPLTENTER | LA_SYMB_NOPLTEXIT`.
pub(crate) const LA_SYMB_NO_PLT: u32 = 3;
/// `LA_SYMB_DLSYM`.
pub(crate) const LA_SYMB_DLSYM: u32 = 8;
