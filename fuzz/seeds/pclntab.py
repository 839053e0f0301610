"""Cuts Go's function table down to some functions: pclntab.py TABLE COUNT OUTPUT.

TABLE is the section of a program: objcopy -O binary --only-section=.gopclntab PROGRAM TABLE. Of Go 1.20 to
1.25, whose tables have the start of the code.
"""

import struct
import sys


def words(data, at, count):
    """So many 32-bit numbers."""
    return struct.unpack_from(f"<{count}I", data, at)


def table_at(data, at):
    """A table of pc values: pairs of varints up to a zero that is not the first."""
    start, first = at, True
    while True:
        change = 0
        for part in range(2):
            value, shift = 0, 0
            while True:
                byte = data[at]
                at += 1
                value |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            if part == 0 and value == 0 and not first:
                return data[start:at]
            change = value
        first = False
        del change


def main():
    """Reads, keeps the first functions, writes."""
    source, count, output = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with open(source, "rb") as file:
        data = file.read()
    magic, _, functions, files, text, names, units, filetab, pctab, index = struct.unpack_from("<I4sQQQQQQQQ", data)
    count = min(count, functions)
    new_names, new_tables, records, new_index = bytearray(), bytearray(b"\0"), bytearray(), bytearray()
    index_size = count * 8 + 4

    def moved(offset):
        if offset == 0:
            return 0
        place = len(new_tables)
        new_tables.extend(table_at(data, pctab + offset))
        return place

    for number in range(count):
        entry, at = words(data, index + number * 8, 2)
        fields = list(words(data, index + at, 10))
        flags = data[index + at + 40 : index + at + 44]
        name = names + fields[1]
        fields[1] = len(new_names)
        new_names += data[name : data.index(0, name) + 1]
        fields[4:7] = [moved(offset) for offset in fields[4:7]]
        pcdata = [moved(offset) for offset in words(data, index + at + 44, fields[7])]
        funcdata = words(data, index + at + 44 + 4 * fields[7], flags[3])
        new_index += struct.pack("<II", entry, index_size + len(records))
        records += struct.pack("<10I", *fields) + flags
        records += struct.pack(f"<{len(pcdata) + len(funcdata)}I", *pcdata, *funcdata)
    new_index += struct.pack("<I", words(data, index + count * 8, 1)[0])
    parts, offsets, place = [bytes(new_names), data[units:filetab], data[filetab:pctab], bytes(new_tables)], [], 72
    for part in parts:
        offsets.append(place)
        place += len(part)
    header = struct.pack("<I4sQQQQQQQQ", magic, data[4:8], count, files, text, *offsets, place)
    with open(output, "wb") as file:
        file.write(header + b"".join(parts) + new_index + records)


main()
