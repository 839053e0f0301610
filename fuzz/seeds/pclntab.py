"""Cuts Go's function table down to some functions: pclntab.py TABLE COUNT OUTPUT.

TABLE is the section of a program: objcopy -O binary --only-section=.gopclntab PROGRAM TABLE. Of Go 1.16 to
1.25, whose tables have the start of the code, or addresses.
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


def cut(data, chosen):
    """The table with these functions alone, a `range` of their numbers."""
    # Go 1.16 has addresses of 64 bits; since 1.18 they count from the start of the code. 1.20 has first lines.
    old = data[:4] == b"\xfa\xff\xff\xff"
    header = "<4s4sQQ" if old else "<4s4sQQQ"
    entry, fields_of = ("<QQ", "<Q8I") if old else ("<II", "<10I" if data[0] == 0xF1 else "<9I")
    start, funcdata_of = struct.calcsize(header), "Q" if old else "I"
    *head, files = struct.unpack_from(header, data)[:4]
    text = list(struct.unpack_from(header, data)[4:])
    names, units, filetab, pctab, index = struct.unpack_from("<5Q", data, start)
    count = len(chosen)
    size = struct.calcsize(entry)
    new_names, new_tables, records, new_index = bytearray(), bytearray(b"\0"), bytearray(), bytearray()
    index_size = count * size + size // 2

    def moved(offset):
        if offset == 0:
            return 0
        place = len(new_tables)
        new_tables.extend(table_at(data, pctab + offset))
        return place

    for number in chosen:
        address, at = struct.unpack_from(entry, data, index + number * size)
        fields = list(struct.unpack_from(fields_of, data, index + at))
        at += struct.calcsize(fields_of)
        flags = data[index + at : index + at + 4]
        name = names + fields[1]
        fields[1] = len(new_names)
        new_names += data[name : data.index(0, name) + 1]
        fields[4:7] = [moved(offset) for offset in fields[4:7]]
        pcdata = [moved(offset) for offset in words(data, index + at + 4, fields[7])]
        at += 4 + 4 * fields[7]
        at += -at % 8 if old else 0
        funcdata = struct.unpack_from(f"<{flags[3]}{funcdata_of}", data, index + at)
        records += bytes(-(index_size + len(records)) % 8) if old else b""
        new_index += struct.pack(entry, address, index_size + len(records))
        records += struct.pack(fields_of, *fields) + flags + struct.pack(f"<{len(pcdata)}I", *pcdata)
        records += bytes(-(index_size + len(records)) % 8) if old else b""
        records += struct.pack(f"<{len(funcdata)}{funcdata_of}", *funcdata)
    new_index += data[index + chosen.stop * size :][: size // 2]
    parts = [bytes(new_names), data[units:filetab], data[filetab:pctab], bytes(new_tables)]
    offsets, place = [], start + 40
    for part in parts:
        offsets.append(place)
        place += len(part)
    parts.append(bytes(-place % 8) if old else b"")
    place += len(parts[-1])
    head[2] = count
    head = struct.pack(header, *head, files, *text) + struct.pack("<5Q", *offsets, place)
    return b"".join([head, *parts, new_index, records])


def main():
    """Reads, keeps the first functions, writes."""
    source, count, output = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with open(source, "rb") as file:
        data = file.read()
    functions = struct.unpack_from("<Q", data, 8)[0]
    with open(output, "wb") as file:
        file.write(cut(data, range(min(count, functions))))


if __name__ == "__main__":
    main()
