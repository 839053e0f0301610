"""What is read from the output of measuring programs, of `gotrace calls`, `dump` and `probes list`."""

import json
import struct
from dataclasses import dataclass


def costs(text):
    """The batches of `calls cost`: for each function what a call took, in ns, in their order."""
    batches = {}
    for line in text.splitlines():
        match line.split():
            case [("free" | "empty" | "recorded") as name, ns]:
                batches.setdefault(name, []).append(float(ns))
    return batches


def rates(text):
    """The lines of `calls rate` and `calls steps`: for each function (calls, seconds) of each."""
    runs = {}
    for line in text.splitlines():
        match line.split():
            case [("empty" | "recorded") as name, calls, seconds]:
                runs.setdefault(name, []).append((int(calls), float(seconds)))
    return runs


@dataclass(frozen=True)
class Places:
    """Where in its file a function is entered and left, and the address of its entry's symbol."""

    address: int
    entry: int
    exits: tuple

    @classmethod
    def of(cls, text, function):
        """From `probes list --json`. The entry must be one that the kernel emulates."""
        for row in json.loads(text)["rows"]:
            if row["function"] != function:
                continue
            at = {"entry": [], "exit": []}
            for site in row["sites"]:
                at[site["edge"]].append((int(site["offset"], 16), site["instruction"], site["cost"]))
            (entry, instruction, cost), = at["entry"]
            if cost != "emulated":
                raise ValueError(f"{function} is entered at {instruction}, which is {cost}")
            return cls(int(row["address"], 16), entry, tuple(offset for offset, _, _ in at["exit"]))
        raise ValueError(f"{function} cannot be probed")


@dataclass(frozen=True)
class Summary:
    """What `gotrace calls --json` counts, of all functions or one."""

    count: int
    open: int
    unwound: int
    orphan_exits: int
    lost: int

    @classmethod
    def of(cls, text, function=None):
        """From the object that the command writes."""
        head = json.loads(text)
        rows = [row for row in head["rows"] if function in (None, row["function"])]
        total = lambda key: sum(row[key] for row in rows)
        recording = head["recording"]
        losses = sum(loss["count"] for loss in recording["losses"])
        return cls(
            total("count"), total("open_count"), total("unwound_count"), head["orphan_exits"],
            recording["lost_calls"] + losses,
        )

    @property
    def exits(self):
        """How many calls ended with an exit that was recorded (where exits were asked for)."""
        return self.count - self.open - self.unwound


@dataclass
class Edges:
    """Entries and exits in a `gotrace dump`: of functions whose exits were asked for, and of all."""

    entries: int = 0
    exits: int = 0
    only_entries: int = 0
    dropped: int = 0
    lost: int = 0
    by_function: dict = None
    settings: dict = None

    @classmethod
    def of(cls, lines):
        """Counts in JSON lines."""
        edges, with_exits = cls(by_function={}, settings={}), {}
        for record in map(json.loads, lines):
            match record["record"]:
                case "probe":
                    with_exits[record["probe"]] = record["exits"] > 0
                case "probe_dropped":
                    edges.dropped += 1
                case "loss":
                    edges.lost += record["count"]
                case "setting":
                    edges.settings[record["key"]] = record["value"]
                case "call":
                    edges.add(record, with_exits.get(record["probe"], False))
        return edges

    def add(self, call, has_exits):
        """Counts one."""
        entry = call["edge"] == "entry"
        if entry:
            self.by_function[call["function"]] = self.by_function.get(call["function"], 0) + 1
        if not has_exits:
            self.only_entries += 1
        elif entry:
            self.entries += 1
        else:
            self.exits += 1


def printed_counts(text):
    """What tests/live_bpf/calls.go prints: entries of each function."""
    return {name: int(entries) for name, entries, _ in (line.rsplit(maxsplit=2) for line in text.splitlines())}


# ELF, 64 bits, little-endian: elf.h.
SECTION_TABLE, SECTION_COUNT = 0x28, 0x3C
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
SYMBOL_TABLE = 2


def with_symbol_moved(elf, address, by):
    """An ELF file whose function symbol at an address begins later, and ends where it did.

    A bpftrace that was built without a disassembler attaches to symbols alone: to the first
    instruction of a Go function, which the kernel cannot emulate.
    """
    elf = bytearray(elf)
    sections, = struct.unpack_from("<Q", elf, SECTION_TABLE)
    count, = struct.unpack_from("<H", elf, SECTION_COUNT)
    moved = 0
    for number in range(count):
        _, kind, _, _, offset, size, *_ = SECTION.unpack_from(elf, sections + number * SECTION.size)
        if kind != SYMBOL_TABLE:
            continue
        for at in range(offset, offset + size, SYMBOL.size):
            name, info, other, section, value, length = SYMBOL.unpack_from(elf, at)
            if value == address and section:
                SYMBOL.pack_into(elf, at, name, info, other, section, value + by, length - by)
                moved += 1
    if moved != 1:
        raise ValueError(f"{moved} symbols at {address:#x}, expected one")
    return bytes(elf)
