"""Writes the seed of the target stack: memory at 0x104604000 with frames, a goroutine and its thread.

Usage: python3 fuzz/seeds/stack.py >fuzz/seeds/stack/frames
"""

import struct
import sys

BASE = 0x104604000
code, g, m = 0x100001000, BASE + 0x80, BASE + 0x180
sys.stdout.buffer.write(
    # Where a thread is: pc, sp, fp, link, g.
    struct.pack("<5Q", code, BASE + 0x30, BASE + 0x38, code + 0x40, g)
    + bytes(16)
    + struct.pack("<6Q", BASE + 0x48, code + 8, BASE + 0x58, code + 16, 0, code + 24)
    + bytes(0x80 - 0x68)
    # Of g: its stack, m, goid; of m: g0, gsignal, curg.
    + struct.pack("<2Q32xQ", BASE, BASE + 0x80, m)
    + bytes(152 - 56)
    + struct.pack("<Q", 7)
    + bytes(0x180 - 0x80 - 160)
    + struct.pack("<Q64xQ104xQ", g, g, g)
)
