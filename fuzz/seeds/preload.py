"""Writes the seed of the target preload: what gotrace receives when a program says hello, with its trailer.

Usage: python3 fuzz/seeds/preload.py >fuzz/seeds/preload/hello
"""

import struct
import sys

sys.stdout.buffer.write(
    struct.pack("<IIIIII", 0x80001112, 52, 0x1403, 0x0E0B, 0, 0x676F7472)
    + struct.pack("<IIIHBB", 1, 0x2107, 0, 0, 17, 0)
    + struct.pack("<III", 1, 4711, 812)
    + struct.pack("<5I8I", 0, 52, 3, 501, 20, 500, 501, 20, 501, 20, 4711, 9, 1)
)
