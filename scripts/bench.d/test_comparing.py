"""What the benchmark prints, and what the page makes of it."""

import unittest

from comparing import Comparing

TRACES = """base.gotrace: 10000000 samples, 1436336 stacks, 17669 frames, 38 MiB on disk
new.gotrace: 10000000 samples, 1436336 stacks, 17669 frames, 38 MiB on disk
"""


class Printed(unittest.TestCase):
    def test_rounds_are_read(self):
        found = Comparing.of(TRACES + "3.89 s, 154 MiB, exit status: 0\n4.10 s, 155 MiB, exit status: 0\n")
        self.assertEqual(found, Comparing(10_000_000, 1_436_336, [3.89, 4.10], [154, 155]))
        page = "\n".join(found.section("a machine", 1.0, 0.1))
        self.assertIn("| ≤ 5 s | 4.00 s [3.89 s, 4.10 s] | reached |", page)
        self.assertIn("| ≤ 300 MiB | 154 MiB [154 MiB, 155 MiB] | reached |", page)

    def test_a_bound_that_is_not_kept_is_missed(self):
        page = "\n".join(Comparing(1, 1, [5.2, 5.4], [290, 310]).section("a machine", 1.0, 0.1))
        self.assertIn("| missed |", page)
        self.assertIn("| not resolved, [290 MiB, 310 MiB] |", page)

    def test_a_round_that_failed_is_an_error(self):
        for output in ("", TRACES, TRACES + "0.10 s, 9 MiB, exit status: 3\n", "4.00 s, 154 MiB, exit status: 0\n"):
            with self.assertRaises(ValueError):
                Comparing.of(output)
