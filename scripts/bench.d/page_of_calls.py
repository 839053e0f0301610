"""The rows of the page about function calls."""

from paired import Estimate, median, ratios
from table import exact, interval, judged, judged_least, row

MOST_BYTES = 5
ENTRIES_A_SECOND = 500_000
STEP_SHARE = 0.8
ATTACH_S = 0.1
COST_OF_EMPTY, COST_OF_PRINTED = 1.25, 0.5


def rows(calls):
    """The promises about function calls, in the order in which they were made."""
    times, percent = "{:.2f} times".format, "{:.0%}".format
    ours, kernel = zip(*calls.cost)
    ratio = Estimate.of(ratios(ours, kernel))
    yield row(
        f"cost of one recorded entry on `push rbp` ({median(ours):,.0f} ns; and {median(calls.cpu_ns):,.0f} ns of gotrace's own process)",
        f"≤ {COST_OF_EMPTY} times an empty program's", interval(ratio, times), judged(ratio, COST_OF_EMPTY, times),
        f"empty program {median(kernel):,.0f} ns",
    )
    yield printed(calls, ours, times)
    yield sustained(calls)
    steps, empty = zip(*calls.step_rates)
    share = Estimate.of(ratios(steps, empty))
    yield row(
        f"sustained exits, 2 threads, with their entries ({median(steps):,.0f} a second)",
        "≥ 80 % of an empty program's on the exits alone",
        interval(share, percent), judged_least(share, STEP_SHARE, percent), f"empty program {median(empty):,.0f} a second",
    )
    sizes = {kind: max(values) for kind, values in calls.bytes.items()}
    yield row(
        "trace bytes for each entry or exit, names included", f"≤ {MOST_BYTES}",
        f"{sizes['entries']:.2f} (entries), {sizes['calls']:.2f} (entries and exits), "
        f"{sizes['build']:.2f} (entries in a build, with all else in its trace)",
        exact(max(sizes.values()) <= MOST_BYTES), "uftrace 16 (its record)",
    )
    yield attach(calls)
    yield even(calls)


def printed(calls, ours, times):
    """Beside bpftrace."""
    figure, reach = "cost of one recorded entry, to bpftrace printing it", f"≤ {COST_OF_PRINTED} times"
    if not calls.printed:
        return row(figure, reach, "-", "nothing to compare with", "bpftrace is not installed")
    ratio = Estimate.of(ratios(ours, calls.printed))
    return row(figure, reach, interval(ratio, times), judged(ratio, COST_OF_PRINTED, times),
               f"bpftrace {median(calls.printed):,.0f} ns")


def sustained(calls):
    """The rate of entries, of which none may be lost."""
    show = "{:,.0f}".format
    rate = Estimate.of([rate for rate, _ in calls.entry_rates])
    lost = sum(lost for _, lost in calls.entry_rates)
    verdict = judged_least(rate, ENTRIES_A_SECOND, show) if lost == 0 else "missed"
    return row("sustained entries on `push rbp`, 2 threads", f"≥ {ENTRIES_A_SECOND:,} a second, none lost",
               f"{interval(rate, show)} a second, {lost:,} lost; peak RSS {max(calls.peak_kib) / 1024:.0f} MiB",
               verdict, "-")


def attach(calls):
    """Attaching to the compiler."""
    places, attaching, planning = zip(*calls.attached)
    show = "{:.3f} s".format
    time = Estimate.of(attaching)
    return row(f"attaching {min(places):,} probes to `compile`", f"≤ {ATTACH_S} s for 10,000", interval(time, show),
               judged(time, ATTACH_S, show), f"planning them {show(median(planning))}")


def even(calls):
    """Entries against exits, of every program."""
    uneven = []
    for program, counts in calls.even.items():
        if counts is None:
            uneven.append(program)
            continue
        entries, ended, wrong = counts
        if entries != ended or wrong:
            uneven.append(f"{program}: {entries:,} entries, {ended:,} ended, {wrong:,} not told apart or lost")
    pairs = [counts for counts in calls.even.values() if counts]
    measured = f"{sum(entries for entries, _, _ in pairs):,} entries in {len(pairs)} programs"
    if uneven or calls.lost:
        measured += f"; not so: {'; '.join(uneven)}; lost {calls.lost:,}"
    return row("entries against exits, calls that a panic or Goexit ended, and open ones", "equal, in every program",
               measured, exact(not uneven and not calls.lost), "-")
