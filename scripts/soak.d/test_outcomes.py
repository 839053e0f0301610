"""The comparison, on lines as the tools write them."""

import json
import unittest

import outcomes


class Tests(unittest.TestCase):
    LINES = [
        '{"Action":"start","Package":"os"}\n',
        '{"Action":"run","Package":"os","Test":"TestA"}\n',
        '{"Action":"output","Package":"os","Test":"TestA","Output":"--- PASS\\n"}\n',
        '{"Action":"pass","Package":"os","Test":"TestA","Elapsed":0.1}\n',
        "printed by a program that a test began\n",
        "7\n",
        '{"Action":"run","Package":"os","Test":"TestB/sub"}\n',
        '{"Action":"skip","Package":"os","Test":"TestC"}\n',
        '{"Action":"fail","Package":"os"}\n',
    ]

    def test_each_test_has_its_outcome(self):
        expected = {"TestA": "pass", "TestB/sub": "unfinished", "TestC": "skip"}
        self.assertEqual(outcomes.of(self.LINES), expected)

    def test_differences(self):
        plain = {"a": "pass", "b": "pass", "c": "skip", "d": "pass"}
        traced = {"a": "pass", "b": "fail", "c": "skip", "e": "pass"}
        self.assertEqual(outcomes.differences(plain, traced), ["b", "d", "e"])
        self.assertEqual(outcomes.differences(plain, dict(plain)), [])


class Recordings(unittest.TestCase):
    TRACE = {"record": "trace", "damaged_blocks": 0, "lost_calls": 0, "sealed": True}

    def recorded(self, *records):
        lines = (json.dumps(record, separators=(",", ":")) for record in records)
        return outcomes.Recorded.of(lines)

    def test_a_whole_one(self):
        whole = self.recorded(self.TRACE, {"record": "probe"}, {"record": "call"}, {"record": "call"})
        self.assertEqual((whole.probes, whole.calls, whole.complaints()), (1, 2, []))

    def test_what_must_not_be(self):
        bad = self.recorded(
            self.TRACE | {"sealed": False},
            {"record": "probe_dropped", "probe": 3, "why": "dear"},
            {"record": "loss", "what": "calls", "count": 2, "why": "full"},
        )
        self.assertEqual(len(bad.complaints()), 4)

    def test_what_there_was_no_room_for(self):
        full = {"record": "loss", "what": "calls", "count": 7, "why": "the memory for them was full (that many at most)"}
        bad = self.recorded(self.TRACE, {"record": "call"}, full, full | {"why": "they could not be read"})
        self.assertEqual(bad.forgive_drops(), ["7 calls lost: the memory for them was full (that many at most)"])
        self.assertEqual(bad.complaints(), ["7 calls lost: they could not be read"])


if __name__ == "__main__":
    unittest.main()
