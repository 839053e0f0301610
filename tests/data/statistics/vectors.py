"""Numbers, and what scipy makes of them: `python3 vectors.py SEED` writes JSON to its output.

vectors.json beside this is `PYTHONPATH=.tools/consumers/scipy-1.17.1 python3 vectors.py 1`. The
test in tests/analyze/scipy.rs reads it, and runs this with another seed where scipy is.
"""

import itertools
import json
import math
import sys

import numpy
import scipy.stats
from scipy.stats import PermutationMethod, bootstrap, false_discovery_control, mannwhitneyu

RESAMPLES = 39_999


def run_times(random, runs, slower=1.0):
    """CPU seconds as runs of a build have them: about a second, a tail to the right."""
    return slower * (1 + random.gamma(2.0, 0.02, runs))


def rank_tests(random):
    """Pairs of groups with the two-sided p-value of Mann and Whitney, each by one of its methods."""

    def case(base, new, method, name, error=0.0):
        p = mannwhitneyu(base, new, alternative="two-sided", method=method).pvalue
        return {"base": list(base), "new": list(new), "p": float(p), "method": name, "error": error}

    for base, new in [(1, 1), (1, 9), (3, 4), (5, 5), (8, 8), (10, 10), (16, 16), (12, 20), (40, 5)]:
        for slower in (1.0, 1.03, 1.2):
            groups = run_times(random, base), run_times(random, new, slower)
            yield case(*groups, "exact", "exact")
    # With ties: every division there is (C(14, 7) = 3432), and a sample of them where they are many.
    every = PermutationMethod(n_resamples=math.inf)
    for base, new, values in [(2, 3, 2), (4, 4, 3), (5, 6, 4), (6, 6, 2), (7, 7, 6), (3, 9, 5)]:
        for shift in (0, 1):
            groups = random.integers(0, values, base), random.integers(0, values, new) + shift
            yield case(*(group.astype(float) for group in groups), every, "every division")
    some = PermutationMethod(n_resamples=RESAMPLES, rng=random)
    for base, new, values in [(10, 10, 4), (16, 16, 5), (16, 16, 20)]:
        groups = random.integers(0, values, base), random.integers(0, values, new) + 1
        found = case(*(group.astype(float) for group in groups), some, "some divisions")
        # Five standard errors of a p-value that was sampled, and one more hit than is counted.
        found["error"] = 5 * math.sqrt(found["p"] / RESAMPLES) + 2 / RESAMPLES
        yield found
    for base, new, values in [(50, 50, 1000), (50, 60, 8), (300, 200, 50), (46, 46, 10)]:
        for shift in (0, values // 4):
            groups = random.integers(0, values, base), random.integers(0, values, new) + shift
            yield case(*(group.astype(float) for group in groups), "asymptotic", "asymptotic")


def intervals(random):
    """Pairs of groups with scipy's percentile interval of the ratio and of the difference of their
    medians. Its resamples are drawn: the ends are also given as the range in which they lie but
    for five standard errors of such a draw."""
    error = 5 * math.sqrt(0.025 * 0.975 / RESAMPLES)
    compare = {
        "ratio": lambda base, new, axis: numpy.median(new, axis) / numpy.median(base, axis),
        "difference": lambda base, new, axis: numpy.median(new, axis) - numpy.median(base, axis),
    }
    for base, new in [(2, 2), (3, 5), (5, 5), (8, 7), (10, 10), (16, 16), (31, 20)]:
        groups = run_times(random, base), run_times(random, new, 1.05)
        for kind, statistic in compare.items():
            result = bootstrap(
                groups, statistic, n_resamples=RESAMPLES, method="percentile", rng=random
            )
            drawn = result.bootstrap_distribution

            def at(share, method):
                return float(numpy.quantile(drawn, share, method=method))

            yield {
                "base": list(groups[0]),
                "new": list(groups[1]),
                "of": kind,
                "estimate": float(statistic(*groups, axis=0)),
                "scipy": [float(end) for end in result.confidence_interval],
                "low": [at(0.025 - error, "lower"), at(0.025 + error, "higher")],
                "high": [at(0.975 - error, "lower"), at(0.975 + error, "higher")],
            }


def families(random):
    """P-values with what Benjamini and Hochberg make of them."""
    for rows, changed in [(1, 0), (5, 2), (20, 20), (150, 3), (400, 40)]:
        p = random.uniform(size=rows)
        p[:changed] /= 5000
        yield {"p": list(p), "adjusted": list(false_discovery_control(p, method="bh"))}


def groups(random):
    """Groups with their median, quantiles and standard deviation."""
    for runs in (2, 3, 10, 33):
        values = run_times(random, runs)
        shares = [0.0, 0.05, 0.5, 0.77, 1.0]
        yield {
            "values": list(values),
            "median": float(numpy.median(values)),
            "shares": shares,
            "quantiles": [float(numpy.quantile(values, share)) for share in shares],
            "standard_deviation": float(numpy.std(values, ddof=1)),
        }


def smallest(random):
    """Values with ties and the smallest p-value of Mann and Whitney that any of their divisions into
    groups of these sizes has; all values but the last `new` are base's."""
    every = PermutationMethod(n_resamples=math.inf)
    for base, new, values in [(3, 3, 3), (4, 4, 2), (4, 4, 5), (5, 4, 3), (2, 6, 3), (5, 5, 4)]:
        both = random.integers(0, values, base + new)
        places = range(base + new)
        p = min(
            mannwhitneyu(
                both[list(chosen)],
                numpy.delete(both, chosen),
                alternative="two-sided",
                method=every,
            ).pvalue
            for chosen in itertools.combinations(places, base)
        )
        yield {"values": [float(value) for value in both], "new": new, "p": float(p)}


def main():
    """Writes all of it."""
    random = numpy.random.default_rng(int(sys.argv[1]))
    vectors = {
        "made_by": f"vectors.py {sys.argv[1]}, scipy {scipy.__version__}, numpy {numpy.__version__}",
        "rank_tests": list(rank_tests(random)),
        "intervals": list(intervals(random)),
        "families": list(families(random)),
        "groups": list(groups(random)),
        "smallest": list(smallest(random)),
    }
    # One case a line.
    print("{")
    for name, cases in vectors.items():
        if isinstance(cases, list):
            lines = ",\n    ".join(json.dumps(case) for case in cases)
            text = f"[\n    {lines}\n  ]"
        else:
            text = json.dumps(cases)
        print(f'  "{name}": {text}' + ("" if name == "smallest" else ","))
    print("}")


main()
