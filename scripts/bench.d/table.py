"""A row of a table: figures with their intervals, and verdicts on them."""


def added(value):
    """A ratio as added cost in percent, with its sign."""
    return f"{(value - 1) * 100:+.1f} %"


def row(figure, reach, measured, verdict, peer):
    """A row of the table."""
    return f"| {figure} | {reach} | {measured} | {verdict} | {peer} |"


def interval(estimate, show):
    """A median with its interval."""
    return f"{show(estimate.median)} [{show(estimate.low)}, {show(estimate.high)}]"


def judged(estimate, bound, show):
    """The verdict, with the interval where nothing is resolved."""
    verdict = estimate.verdict(bound)
    return verdict if verdict != "not resolved" else f"not resolved, [{show(estimate.low)}, {show(estimate.high)}]"


def exact(ok):
    """The verdict on a count, which has no interval."""
    return "reached" if ok else "missed"


def judged_least(estimate, bound, show):
    """The verdict where a figure is to be at least a bound."""
    if estimate.low >= bound:
        return "reached"
    if estimate.high < bound:
        return "missed"
    return f"not resolved, [{show(estimate.low)}, {show(estimate.high)}]"
