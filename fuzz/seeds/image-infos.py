"""Writes the seed of the target image-infos: what a translated process of macOS 15 may have at 0x104604000.

Usage: python3 fuzz/seeds/image-infos.py >fuzz/seeds/image-infos/translated
"""

import struct
import sys

BASE, LIST = 0x104604000, 0x170
images, uuids, translated, texts = LIST, LIST + 48, LIST + 72, LIST + 128
program = 0x100000000
sys.stdout.buffer.write(
    struct.pack("<IIQQ??6xQ", 18, 2, BASE + images, 1, False, True, 0x7FFF50000000)
    + struct.pack("<8QQQ", 0, 0, 0, 0, 0, 0, 1, BASE + uuids, BASE, 2)
    + struct.pack("<QQQQQ16sQQQ", 4, *[BASE + texts] * 3, 0x5000, b"the shared cache", 0x7FF800000000, 77, 0)
    + struct.pack("<8I7Q4Q", *range(8), *[0] * 7, 1, 2, 0, 0)
    + struct.pack("<IIQQQ16s", 1, 1, BASE + translated, 77, 0, bytes(16))
    + struct.pack("<QQQQQQ", program, BASE + texts, 0, program + 0x4000, BASE + texts + 5, 0)
    + struct.pack("<Q16s", program, b"the program's id")
    + struct.pack("<QQQ32s", program, 0x101000000, 0x9000, bytes(range(32)))
    + b"/b/p\0/usr/lib/libSystem.B.dylib\0"
)
