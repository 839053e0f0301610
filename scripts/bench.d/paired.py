"""Statistics of paired runs: what one recorder costs, as a ratio to a run beside it.

In: one ratio for each pair, in the order of the runs. Out: the median, its 95 % interval by
bootstrap, and the verdict against a bound. No pair is left out.
"""

import random
from dataclasses import dataclass

RESAMPLES = 10_000
SEED = 20_250_101  # Fixed, so that the same runs always give the same interval.


def median(values):
    """The middle of the sorted values; between the two in the middle where their number is even."""
    if not values:
        raise ValueError("the median of nothing")
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def quantile(ordered, share):
    """The value below which `share` of the sorted values lie, interpolated between neighbours."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def bootstrap(values, resamples=RESAMPLES, seed=SEED):
    """The 95 % percentile interval of the median, from resamples drawn with replacement."""
    draw = random.Random(seed)
    medians = sorted(median(draw.choices(values, k=len(values))) for _ in range(resamples))
    return quantile(medians, 0.025), quantile(medians, 0.975)


@dataclass(frozen=True)
class Estimate:
    """A median with its interval."""

    median: float
    low: float
    high: float
    pairs: int

    @classmethod
    def of(cls, values):
        """Estimates from one value for each pair."""
        low, high = bootstrap(values)
        return cls(median(values), low, high, len(values))

    def verdict(self, bound):
        """`reached` only where the whole interval is within the bound (at most `bound`)."""
        if self.high <= bound:
            return "reached"
        if self.low > bound:
            return "missed"
        return "not resolved"


def ratios(numerators, denominators):
    """The ratio of each pair."""
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def order(names, round_number):
    """The order of the runs in a round: forwards in one round, backwards in the next."""
    return list(names) if round_number % 2 == 0 else list(reversed(names))
