"""What is read of traces, and what the page makes of it."""

import unittest

from binding import Binding, Told

DUMP = """{"record":"trace"}
{"record":"binding","symbol":"puts"}
{"record":"binding","symbol":"exit"}
{"record":"load"}
{"record":"linking","from_ns":100,"to_ns":350,"cpu_ns":200}
{"record":"linking","from_ns":400,"to_ns":1150,"cpu_ns":null}
{"record":"loss","count":7}
{"record":"ending","own_cpu_ns":4000}
"""


class Page(unittest.TestCase):
    def test_events_and_times_are_added_up(self):
        self.assertEqual(Told.of(DUMP.splitlines()), Told(events=5, binds=2, lost=7, own_cpu_ns=4000, linking_ns=950))

    def test_figures_are_judged(self):
        build = Told(events=1000, binds=800, lost=0, own_cpu_ns=2_000_000, linking_ns=100_000_000)
        measured = Binding(
            cpu_s={"plain": [10.0, 10.0], "audit": [10.2, 10.2], "LD_DEBUG": [11.4, 11.4],
                   "default": [10.1, 10.1], "default and bindings": [11.11, 11.11]},
            audit_ns=[150.0, 150.0], debug_ns=[2000.0, 2000.0], build=build, program=build,
            trace_bytes=8000, debug_bytes=80_000, debug_binds=1600, lost=3,
        )
        page = "\n".join(measured.section("a machine", 1.0, 0.1))
        self.assertIn("| ≤ 3 % | +2.0 % [+2.0 %, +2.0 %] | reached | LD_DEBUG=bindings +14.0 %", page)
        self.assertIn("| ≤ 3 % | +10.0 % [+10.0 %, +10.0 %] | missed |", page)
        self.assertIn("| ≤ 12 | 10.0 | reached | LD_DEBUG 50 for each of 1,600 |", page)
        self.assertIn("| none | 3 | missed |", page)
        self.assertIn("| 150 ns [150 ns, 150 ns] | - | LD_DEBUG 2000 ns", page)
        self.assertIn("| 2000 ns (the build, 1,000 events), 2000 ns (the program) |", page)
        self.assertIn("| 1.0 % |", page)
