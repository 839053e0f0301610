"""Writes the seeds `dyld-images` and `rosetta`: darwin_memory.py FOLDER.

Each is a piece of a process's memory from 0x10000 on. The first is dyld's list of images
(`mach-o/dyld_images.h`) of a translated process. The second is a tree of three pieces that Rosetta translated,
which begins with the pointer to its root; the layout is that of `src/capture/decode/rosetta`.
"""

import pathlib
import struct
import sys

START = 0x10000


def images():
    """Two images, one translation, and why a program did not start."""
    lists = START + 368
    translated = lists + 2 * 24
    paths = translated + 56
    names = [b"/tmp/go/pkg/tool/compile\0", b"/usr/lib/libSystem.B.dylib\0"]
    second = paths + len(names[0])
    data = bytearray(368)
    for at, value in [
        (0x08, lists), (0x20, 0x7FF841000000), (0x68, START - 0x8000), (0x78, 4), (0x80, paths),
        (0x88, second), (0x98, 0x2300000), (0xB0, 0x7FF802300000), (0xB8, 77), (0x148, translated), (0x150, 78),
    ]:
        struct.pack_into("<Q", data, at, value)
    for at, value in [(0x00, 18), (0x04, 2), (0x140, 1), (0x144, 1)]:
        struct.pack_into("<I", data, at, value)
    data[0xA0:0xB0] = b"0123456789abcdef"
    data += struct.pack("<6Q", 0x100000000, paths, 0, 0x7FF811110000, second, 9)
    data += struct.pack("<3Q", 0x100000000, 0x120000000, 0x4000) + bytes([0xAB] * 32)
    return bytes(data) + b"".join(names) + bytes(1100)


def piece(below, above, host, host_bytes, guest, guest_bytes, kind, offsets):
    data = bytearray(0xA0)
    for at, value in [(0x30, below), (0x38, above), (0x48, guest), (0x58, host), (0x80, offsets)]:
        struct.pack_into("<Q", data, at, value)
    data[0x78] = kind
    struct.pack_into("<2I", data, 0x98, guest_bytes, host_bytes)
    return bytes(data)


def packed(bits):
    """Of each byte the lowest bit first."""
    bits = bits.replace(" ", "")
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


def tree():
    """Translated code at 0x2800 with three chunks, the runtime's below, translated code with one above."""
    nodes = START + 8
    maps = nodes + 3 * 0xA0
    step = "0 10 10 0 00"  # 1 instruction, 2 bytes, for one low bit of the guest and two of the host
    far = "0 00 0 00" + "11" + "0" * 30 + "0011" + "1" * 28  # 3 instructions, 4 bytes back, in 32 bits each
    chunks = [(0, 0, 0, 1), (100, 0x400, 1, 1), (50, 0x800, 2, 1)]
    code = packed(step * 2 + far)
    first = struct.pack("<4B7I", 9, 1, 2, 0, 0, 0, 0, 0x50 + len(code), 3, 0x20, 0x50)
    first += b"".join(struct.pack("<4I", *chunk) for chunk in chunks) + code
    first += bytes(-len(first) % 8)
    second = struct.pack("<4B7I", 9, 1, 2, 0, 0, 0, 0, 0x31, 1, 0x20, 0x30)
    second += struct.pack("<4I", 0, 4, 0, 1) + packed(step)
    return b"".join([
        struct.pack("<Q", nodes),
        piece(nodes + 0xA0, nodes + 0x140, 0x2800, 0x1000, 0x400000, 200, 4, maps),
        piece(0, 0, 0x2000, 0x400, 0, 0, 0, 0),
        piece(0, 0, 0x3900, 0x100, 0x500000, 8, 4, maps + len(first)),
        first,
        second,
        bytes(256),
    ])


for name, data in [("dyld-images", images()), ("rosetta", tree())]:
    folder = pathlib.Path(sys.argv[1]) / name
    folder.mkdir(exist_ok=True)
    (folder / "process").write_bytes(data)
