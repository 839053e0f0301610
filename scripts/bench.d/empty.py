"""An empty BPF program on places of an executable: what the kernel alone takes for a hit.

In: a file and offsets in it. Out: a descriptor, and the program stands there in every process that
maps the file until it is closed. The program is attached as gotrace attaches its own (uprobe_multi,
Linux 6.6); nothing is compiled, for it has two instructions.
"""

import ctypes
import os
import platform
import struct
from contextlib import contextmanager

# linux/bpf.h and asm/unistd.h.
SYS_BPF = {"x86_64": 321, "aarch64": 280}
BPF_PROG_LOAD, BPF_LINK_CREATE = 5, 28
BPF_PROG_TYPE_KPROBE, BPF_TRACE_UPROBE_MULTI = 2, 48
# r0 = 0; exit
PROGRAM = bytes.fromhex("b700000000000000" "9500000000000000")


def program_load(instructions, license_text):
    """`bpf_attr` of BPF_PROG_LOAD: the two arguments are addresses."""
    return struct.pack(
        "=IIQQIIQII16sII",
        BPF_PROG_TYPE_KPROBE, len(PROGRAM) // 8, instructions, license_text,
        0, 0, 0,  # No log.
        0, 0, b"empty", 0, BPF_TRACE_UPROBE_MULTI,
    )


def link_create(program, path, offsets, count):
    """`bpf_attr` of BPF_LINK_CREATE for uprobe_multi: `path` and `offsets` are addresses."""
    return struct.pack("=IIIIQQQQIII", program, 0, BPF_TRACE_UPROBE_MULTI, 0, path, offsets, 0, 0, count, 0, 0)


def call(command, attributes):
    """bpf(2). Returns a descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    number = ctypes.c_long(SYS_BPF[platform.machine()])
    fd = libc.syscall(number, ctypes.c_long(command), buffer, ctypes.c_long(len(attributes)))
    if fd < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"bpf({command}): {os.strerror(error)}")
    return fd


@contextmanager
def standing_on(path, offsets):
    """The empty program stands on these places while the context lasts."""
    text = ctypes.create_string_buffer(PROGRAM, len(PROGRAM))
    license_text = ctypes.create_string_buffer(b"GPL")
    program = call(BPF_PROG_LOAD, program_load(ctypes.addressof(text), ctypes.addressof(license_text)))
    try:
        name = ctypes.create_string_buffer(os.fsencode(path))
        places = (ctypes.c_uint64 * len(offsets))(*offsets)
        link = call(
            BPF_LINK_CREATE,
            link_create(program, ctypes.addressof(name), ctypes.addressof(places), len(offsets)),
        )
    finally:
        os.close(program)
    try:
        yield
    finally:
        os.close(link)
