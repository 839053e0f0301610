"""The statistics against values worked out by hand."""

import math
import unittest

import paired


class Median(unittest.TestCase):
    def test_odd_even_and_unsorted(self):
        self.assertEqual(paired.median([3, 1, 2]), 2)
        self.assertEqual(paired.median([4, 1, 3, 2]), 2.5)
        self.assertEqual(paired.median([7]), 7)

    def test_nothing_has_no_median(self):
        with self.assertRaises(ValueError):
            paired.median([])


class Quantile(unittest.TestCase):
    def test_interpolates_between_neighbours(self):
        self.assertEqual(paired.quantile([10, 20, 30], 0.5), 20)
        self.assertEqual(paired.quantile([10, 20, 30], 0.25), 15)
        self.assertEqual(paired.quantile([10, 20, 30], 1.0), 30)
        self.assertEqual(paired.quantile([10], 0.025), 10)


def share_of_medians_up_to(rank, count):
    """How many bootstrap medians of `count` distinct values are at most the one of this rank.

    The median of a resample is at most x(rank) exactly when at least half of its draws are, and
    each draw is with probability rank/count: a sum of binomial terms, for odd counts.
    """
    p = rank / count
    least = (count + 1) // 2
    return sum(math.comb(count, k) * p**k * (1 - p) ** (count - k) for k in range(least, count + 1))


class Bootstrap(unittest.TestCase):
    def test_three_values_by_hand(self):
        # 27 resamples of {1, 2, 3}: 7 have median 1, 13 have 2, 7 have 3. So 2.5 % and 97.5 %
        # fall on the ends.
        self.assertAlmostEqual(share_of_medians_up_to(1, 3), 7 / 27)
        self.assertEqual(paired.bootstrap([3, 1, 2]), (1, 3))

    def test_twenty_one_values_against_the_exact_distribution(self):
        # By the binomial sums the 2.5 % and the 97.5 % quantile are the ranks 7 and 15 of 21.
        count = 21
        ranks = range(1, count + 1)
        low = next(r for r in ranks if share_of_medians_up_to(r, count) >= 0.025)
        high = next(r for r in ranks if share_of_medians_up_to(r, count) >= 0.975)
        self.assertEqual((low, high), (7, 15))
        self.assertEqual(paired.bootstrap(list(ranks)), (low, high))

    def test_equal_values_have_no_width(self):
        self.assertEqual(paired.bootstrap([1.5] * 20), (1.5, 1.5))

    def test_the_same_runs_give_the_same_interval(self):
        values = [1.0, 1.3, 0.9, 1.1, 1.2]
        self.assertEqual(paired.bootstrap(values), paired.bootstrap(values))


class Verdict(unittest.TestCase):
    def test_by_where_the_interval_lies(self):
        estimate = paired.Estimate(median=1.01, low=1.00, high=1.02, pairs=20)
        self.assertEqual(estimate.verdict(1.02), "reached")
        self.assertEqual(estimate.verdict(1.019), "not resolved")
        self.assertEqual(estimate.verdict(1.00), "not resolved")
        self.assertEqual(estimate.verdict(0.99), "missed")


class Pairs(unittest.TestCase):
    def test_ratios_keep_their_order(self):
        self.assertEqual(paired.ratios([2, 9], [1, 3]), [2, 3])

    def test_a_missing_partner_is_an_error(self):
        with self.assertRaises(ValueError):
            paired.ratios([1, 2], [1])

    def test_order_alternates(self):
        self.assertEqual(paired.order(["a", "b", "c"], 0), ["a", "b", "c"])
        self.assertEqual(paired.order(["a", "b", "c"], 1), ["c", "b", "a"])


if __name__ == "__main__":
    unittest.main()
