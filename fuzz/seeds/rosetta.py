"""Writes the seed of the target rosetta: a tree of three pieces that Rosetta translated, at 0x104604000.

Usage: python3 fuzz/seeds/rosetta.py >fuzz/seeds/rosetta/tree

It begins with the pointer to its root; the layout is that of `src/capture/decode/rosetta`.
"""

import struct
import sys

START = 0x104604000


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
    ])


sys.stdout.buffer.write(tree())
