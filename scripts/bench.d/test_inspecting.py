"""What the benchmark prints, and what the page makes of it."""

import unittest

from inspecting import ROUNDS, Inspecting

SIZES = "bytes 1048576\ncheck-peak 1572864\nlookup-peak 1048576\nsymbols-peak 3145728\nnamed 999000\n"


class Printed(unittest.TestCase):
    def test_rounds_are_read(self):
        found = Inspecting.of(SIZES + "".join(f"{name} 0.25\n{name} 0.35\n" for name in ROUNDS))
        page = "\n".join(found.section("a machine", 1.0, 0.1))
        self.assertIn("| ≤ 0.30 s | 0.30 s [0.25 s, 0.35 s] | not resolved", page)
        self.assertIn("| ≤ 0.50 s | 0.30 s [0.25 s, 0.35 s] | reached |", page)
        self.assertIn("1.50 times (`--check`), 1.00 times (`--lookup`), 3.00 times (`--symbols`) | missed |", page)

    def test_rounds_that_are_missing_are_an_error(self):
        for output in ("", SIZES, "check 1\n"):
            with self.assertRaises(ValueError):
                Inspecting.of(output)
