"""What a Mach-O file says of its signature, read with struct and hashlib alone.

Prints a line of JSON: one object for each slice. Whatever is not as it must be is in `wrong`.
"""

import hashlib
import json
import plistlib
import struct
import sys

EMPTY = "0" * 64


def slices(data):
    """Offset, bytes and alignment of each slice."""
    magic, count = struct.unpack(">II", data[:8])
    if magic not in (0xCAFEBABE, 0xCAFEBABF):
        return [(0, data, 1)]
    form = ">5I" if magic == 0xCAFEBABE else ">2I2Q2I"
    entries = [
        struct.unpack_from(form, data, 8 + number * struct.calcsize(form))
        for number in range(count)
    ]
    return [(entry[2], data[entry[2] : entry[2] + entry[3]], 1 << entry[4]) for entry in entries]


def der(data):
    """Tag, contents and rest of the first element."""
    tag, size, start = data[0], data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start], "big")
    return tag, data[start : start + size], data[start + size :]


def der_dictionary(data):
    tag, contents, rest = der(data)
    assert (tag, rest) == (0x70, b""), "application"
    tag, version, rest = der(contents)
    assert (tag, version) == (2, b"\x01"), "version"
    tag, entries, rest = der(rest)
    assert (tag, rest) == (0xB0, b""), "dictionary"
    found = {}
    while entries:
        tag, entry, entries = der(entries)
        assert tag == 0x30, "entry"
        tag, key, value = der(entry)
        assert tag == 0x0C, "key"
        assert value == b"\x01\x01\xff", "value"
        found[key.decode()] = True
    return found


def read(image):
    wrong = []

    def need(what, condition):
        if not condition:
            wrong.append(what)

    cpu, _, kind, count, size = struct.unpack_from("<5I", image, 4)
    at, place, linkedit, text = 32, None, None, (0, 0)
    first = len(image)
    segments = []
    for _ in range(count):
        command, length = struct.unpack_from("<II", image, at)
        if command == 0x1D:
            need("one signature", place is None)
            place = struct.unpack_from("<II", image, at + 8)
        if command == 0x19:
            name = image[at + 8 : at + 24].rstrip(b"\0")
            address, memory, offset, held = struct.unpack_from("<4Q", image, at + 24)
            segments.append((name.decode(), address, memory, offset, held))
            if name == b"__LINKEDIT":
                linkedit = (address, memory, offset, held)
            if name == b"__TEXT":
                text = (offset, held)
            sections = struct.unpack_from("<I", image, at + 64)[0]
            for number in range(sections):
                section = at + 72 + 80 * number
                start = struct.unpack_from("<I", image, section + 48)[0]
                if start:
                    first = min(first, start)
        at += length
    need("size of commands", at == 32 + size)
    need("commands end before sections", at <= first)
    if place is None:
        return {"signed": False, "wrong": wrong}
    offset, length = place
    need("signature is aligned", offset % 16 == 0)
    need("signature ends the file", offset + length == len(image))
    need("__LINKEDIT ends the file", linkedit[2] + linkedit[3] == len(image))
    page = 0x4000 if cpu == 0x0100000C else 0x1000
    need("__LINKEDIT is whole pages", linkedit[1] % page == 0 and 0 <= linkedit[1] - linkedit[3] < page)
    for name, address, memory, _, _ in segments:
        inside = address < linkedit[0] + linkedit[1] and linkedit[0] < address + memory
        need(f"{name} overlaps", name == "__LINKEDIT" or not inside)

    signature = image[offset : offset + length]
    magic, whole, blobs = struct.unpack_from(">3I", signature)
    need("superblob", magic == 0xFADE0CC0 and whole <= length and length - whole < 16)
    need("padding", not any(signature[whole:]))
    slots, end = {}, 12 + 8 * blobs
    for number in range(blobs):
        slot, start = struct.unpack_from(">2I", signature, 12 + 8 * number)
        need(f"blob {slot} follows", start == end)
        end = start + struct.unpack_from(">I", signature, start + 4)[0]
        slots[slot] = signature[start:end]
    need("blobs end the superblob", end == whole)
    need("slots are sorted", list(slots) == sorted(slots))

    directory = slots[0]
    fields = struct.unpack_from(">9I4BI", directory)
    magic, length, version, flags, hashes, identifier, special, pages, limit = fields[:9]
    need("code directory", magic == 0xFADE0C02 and length == len(directory))
    need("SHA-256", fields[9:11] == (32, 2) and fields[11] == 0)
    need("signed up to the signature", limit == offset)
    power = fields[12]
    need("pages", pages == -(-limit // (1 << power)))
    need("hashes end the directory", hashes + 32 * pages == len(directory))
    scatter, team, spare, wide, base, size, marks = struct.unpack_from(">3I4Q", directory, 44)
    need("unused fields", not (scatter or team or spare or wide))
    need("place of __TEXT", (base, size) == text)
    need("program", marks == (1 if kind == 2 else 0))
    for page in range(pages):
        bytes_of = image[page << power : min((page + 1) << power, limit)]
        stored = directory[hashes + 32 * page : hashes + 32 * (page + 1)]
        need(f"page {page}", hashlib.sha256(bytes_of).digest() == stored)
    used = {}
    for slot in range(1, special + 1):
        stored = directory[hashes - 32 * slot : hashes - 32 * (slot - 1)].hex()
        if slot in slots:
            need(f"slot {slot}", hashlib.sha256(slots[slot]).hexdigest() == stored)
        if stored != EMPTY:
            used[slot] = stored
    need("every blob has a hash", all(slot in used for slot in slots if 0 < slot < 0x1000))
    entitlements = plistlib.loads(slots[5][8:]) if 5 in slots else None
    need("DER is the XML", (5 in slots) == (7 in slots))
    if 7 in slots:
        need("DER is the XML", der_dictionary(slots[7][8:]) == entitlements)
    return {
        "signed": True,
        "wrong": wrong,
        "slots": sorted(slots),
        "magics": [f"{struct.unpack('>I', blob[:4])[0]:x}" for _, blob in sorted(slots.items())],
        "version": version,
        "flags": flags,
        "identifier": directory[identifier:].split(b"\0")[0].decode(),
        "identifier_at": identifier,
        "page": 1 << power,
        "special": special,
        "hashed": sorted(used),
        "entitlements": entitlements,
        "code": hashlib.sha256(b"".join(code(image, segments))).hexdigest(),
        "cdhash": hashlib.sha256(directory).hexdigest()[:40],
    }


def code(image, segments):
    """The bytes of all segments but the last, without header and load commands."""
    commands = 32 + struct.unpack_from("<I", image, 20)[0]
    for name, _, _, offset, held in segments:
        if name != "__LINKEDIT":
            # A load command more or less: the first page is compared from its sections on.
            start = offset if offset else commands + 16
            yield image[start : offset + held]


def main():
    data = open(sys.argv[1], "rb").read()
    found = []
    end = 0
    for offset, image, align in slices(data):
        facts = read(image)
        if offset % align or offset < end:
            facts["wrong"].append("place of the slice")
        end = offset + len(image)
        found.append(facts)
    if end != len(data):
        found[-1]["wrong"].append("end of the file")
    print(json.dumps(found))


main()
