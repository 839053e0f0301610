"""Cuts a Go program down to the functions of its package main: trampoline.py PROGRAM OUTPUT.

PROGRAM is linked by Go 1.18 to 1.25 with -trimpath, for an address of its own. OUTPUT is an ELF file without
sections: the code of these functions, their table and what is known of the build, each at its address. It
cannot be run.
"""

import struct
import sys

from pclntab import cut

PAGE = 0x1000
READ, WRITE, EXECUTE = 4, 2, 1


def sections(data):
    """Name to address and bytes."""
    at, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<3H", data, 58)
    headers = [struct.unpack_from("<IIQQQQ", data, at + size * number) for number in range(count)]
    names = headers[names][4]
    found = {}
    for name, _, _, address, offset, length in headers:
        text = data[names + name : data.index(0, names + name)].decode()
        found[text] = address, data[offset : offset + length]
    return found


def functions_of_main(table):
    """The numbers of the functions whose names begin with `main.`, which the linker puts last."""
    count, _, start = struct.unpack_from("<3Q", table, 8)
    names, index = struct.unpack_from("<Q", table, 32)[0], struct.unpack_from("<Q", table, 64)[0]
    entries = [struct.unpack_from("<II", table, index + 8 * number) for number in range(count)]
    name_of = [names + struct.unpack_from("<I", table, index + at + 4)[0] for _, at in entries]
    first = next(number for number, at in enumerate(name_of) if table[at:].startswith(b"main."))
    return range(first, count), start + entries[first][0]


def main():
    """Reads, keeps, writes."""
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    parts = sections(data)
    table_at, table = parts[".gopclntab"]
    chosen, first = functions_of_main(table)
    code_at, code = parts[".text"]
    info_at, info = parts[".go.buildinfo"]
    segments = [
        (first, code[first - code_at :], READ | EXECUTE),
        (table_at, cut(table, chosen), READ),
        (info_at, info, READ | WRITE),
    ]
    headers, contents = bytearray(), bytearray()
    place = PAGE
    for address, part, flags in segments:
        place += (address - place) % PAGE
        size = len(part)
        headers += struct.pack("<IIQQQQQQ", 1, flags, place, address, address, size, size, PAGE)
        contents += bytes(place - PAGE - len(contents)) + part
        place += size
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + data[16:24]
    head += struct.pack("<QQQIHHHHHH", first, 64, 0, 0, 64, 56, len(segments), 64, 0, 0)
    with open(sys.argv[2], "wb") as file:
        file.write((head + headers).ljust(PAGE, b"\0") + contents)


main()
