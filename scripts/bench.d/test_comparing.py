"""What the page makes of comparisons."""

import unittest

from comparing import Comparing
from large import Rounds


class Section(unittest.TestCase):
    def test_what_is_within_the_bounds_is_reached(self):
        page = "\n".join(Comparing(1_436_336, Rounds([3.89, 4.10], [154, 155], [3.89, 4.10])).section("a machine", 1.0, 0.1))
        self.assertIn("(1,436,336 stacks) | ≤ 5 s | 4.00 s [3.89 s, 4.10 s] | reached |", page)
        self.assertIn("| ≤ 300 MiB | 154 MiB [154 MiB, 155 MiB] | reached |", page)

    def test_a_bound_that_is_not_kept_is_missed(self):
        page = "\n".join(Comparing(1, Rounds([5.2, 5.4], [290, 310], [5.2, 5.4])).section("a machine", 1.0, 0.1))
        self.assertIn("| missed |", page)
        self.assertIn("| not resolved, [290 MiB, 310 MiB] |", page)
