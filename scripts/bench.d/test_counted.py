"""The reading, on text and bytes as the tools write them."""

import json
import struct
import unittest

import counted
import empty
import page_of_calls
import table
from paired import Estimate


class Printed(unittest.TestCase):
    def test_batches_of_each_function(self):
        text = "Attaching 1 probe...\nfree 2.5\nempty 500\nrecorded 800.5\nrecorded 801\nempty 502\nfree 2\n"
        self.assertEqual(
            counted.costs(text), {"free": [2.5, 2.0], "empty": [500.0, 502.0], "recorded": [800.5, 801.0]},
        )

    def test_rates(self):
        text = "empty 200 1.5\nrecorded 100 2.0\nrecorded 300 1.0\n"
        self.assertEqual(counted.rates(text), {"empty": [(200, 1.5)], "recorded": [(100, 2.0), (300, 1.0)]})

    def test_names_with_blanks_keep_them(self):
        self.assertEqual(counted.printed_counts("main.a 3 2\nmain.(*inner).Method 300 300\n"),
                         {"main.a": 3, "main.(*inner).Method": 300})


class ProbedPlaces(unittest.TestCase):
    def listing(self, cost):
        exits = [{"edge": "exit", "offset": hex(at), "instruction": "ret", "cost": "single_stepped"} for at in (30, 40)]
        entry = {"edge": "entry", "offset": "0x1a", "instruction": "push rbp", "cost": cost}
        row = {"function": "main.f", "address": "0x400014", "sites": [entry, *exits]}
        return json.dumps({"rows": [{"function": "main.g", "address": "0x1", "sites": []}, row]})

    def test_entry_and_exits(self):
        places = counted.Places.of(self.listing("emulated"), "main.f")
        self.assertEqual(places, counted.Places(0x400014, 26, (30, 40)))

    def test_another_kind_of_entry_is_not_what_is_measured(self):
        with self.assertRaisesRegex(ValueError, "single_stepped"):
            counted.Places.of(self.listing("single_stepped"), "main.f")
        with self.assertRaisesRegex(ValueError, "main.h cannot be probed"):
            counted.Places.of(self.listing("emulated"), "main.h")


class Summaries(unittest.TestCase):
    TEXT = json.dumps({
        "orphan_exits": 2,
        "recording": {"lost_calls": 3, "complete": True, "losses": [{"count": 4}]},
        "rows": [
            {"function": "a", "count": 10, "open_count": 1, "unwound_count": 2},
            {"function": "b", "count": 5, "open_count": 0, "unwound_count": 0},
        ],
    })

    def test_one_function_and_all(self):
        one, every = counted.Summary.of(self.TEXT, "a"), counted.Summary.of(self.TEXT)
        self.assertEqual((one.count, one.exits), (10, 7))
        self.assertEqual((every.count, every.exits, every.open, every.unwound), (15, 12, 1, 2))
        self.assertEqual((every.orphan_exits, every.lost), (2, 7))


class DumpedEdges(unittest.TestCase):
    def test_counts(self):
        call = lambda probe, function, edge: {"record": "call", "probe": probe, "function": function, "edge": edge}
        records = [
            {"record": "setting", "key": "probe_attach_ns", "value": "12"},
            {"record": "probe", "probe": 0, "exits": 2},
            {"record": "probe", "probe": 1, "exits": 0},
            {"record": "probe_dropped", "probe": 1},
            {"record": "loss", "count": 5},
            call(0, "a", "entry"), call(0, "a", "entry"), call(1, "b", "entry"), call(0, "a", "exit"),
            call(0, "a", "tail_jump"),
        ]
        edges = counted.Edges.of(json.dumps(record) for record in records)
        self.assertEqual((edges.entries, edges.exits, edges.only_entries), (2, 2, 1))
        self.assertEqual((edges.dropped, edges.lost), (1, 5))
        self.assertEqual(edges.by_function, {"a": 2, "b": 1})
        self.assertEqual(edges.settings, {"probe_attach_ns": "12"})


def elf_with_symbols(symbols):
    """A head, the symbols (address, size), and two sections, written by hand from elf.h."""
    table = b"".join(struct.pack("<IBBHQQ", 1, 2, 0, 1, address, size) for address, size in symbols)
    sections = bytes(64) + struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, 64, len(table), 0, 0, 8, 24)
    head = bytearray(64)
    head[0x28:0x30] = struct.pack("<Q", 64 + len(table))
    head[0x3C:0x3E] = struct.pack("<H", 2)
    return bytes(head) + table + sections


class Symbols(unittest.TestCase):
    def test_one_symbol_begins_later_and_ends_where_it_did(self):
        before, after = ([(100, 20), (at, size), (300, 20)] for at, size in ((200, 20), (206, 14)))
        moved = counted.with_symbol_moved(elf_with_symbols(before), 200, 6)
        self.assertEqual(moved, elf_with_symbols(after))

    def test_what_is_not_there_cannot_be_moved(self):
        with self.assertRaisesRegex(ValueError, "0 symbols at 0x5"):
            counted.with_symbol_moved(elf_with_symbols([(100, 20)]), 5, 6)


class EmptyProgram(unittest.TestCase):
    # linux/bpf.h: offsets within union bpf_attr.
    def test_load(self):
        attributes = empty.program_load(0x1111, 0x2222)
        self.assertEqual(struct.unpack_from("<IIQQ", attributes), (2, 2, 0x1111, 0x2222))
        self.assertEqual(attributes[48:54], b"empty\0")
        self.assertEqual(struct.unpack_from("<II", attributes, 64), (0, 48))

    def test_link(self):
        attributes = empty.link_create(7, 0x1111, 0x2222, 3)
        self.assertEqual(struct.unpack_from("<IIII", attributes), (7, 0, 48, 0))
        self.assertEqual(struct.unpack_from("<QQQQ", attributes, 16), (0x1111, 0x2222, 0, 0))
        self.assertEqual(struct.unpack_from("<III", attributes, 48), (3, 0, 0))


class AtLeast(unittest.TestCase):
    def test_by_where_the_interval_lies(self):
        estimate = Estimate(median=0.85, low=0.8, high=0.9, pairs=20)
        verdict = lambda bound: table.judged_least(estimate, bound, str)
        self.assertEqual(verdict(0.8), "reached")
        self.assertEqual(verdict(0.85), "not resolved, [0.8, 0.9]")
        self.assertEqual(verdict(0.91), "missed")


class Even(unittest.TestCase):
    class Measured:
        def __init__(self, even, lost=0):
            self.even, self.lost = even, lost

    def test_only_what_is_even_is_reached(self):
        self.assertIn("| reached |", page_of_calls.even(self.Measured({"a": (3, 3, 0), "b": (4, 4, 0)})))
        for even, lost in (({"a": (3, 2, 0)}, 0), ({"a": (3, 3, 1)}, 0), ({"a": (3, 3, 0)}, 1), ({"b: 1 of 2": None}, 0)):
            self.assertIn("| missed |", page_of_calls.even(self.Measured(even, lost)))


if __name__ == "__main__":
    unittest.main()
