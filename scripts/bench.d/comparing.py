"""Measures `gotrace compare` on two large traces, and writes the part of the page about it."""

from dataclasses import dataclass

import large
from paired import Estimate
from table import interval, judged, row


@dataclass(frozen=True)
class Comparing:
    """What the rounds took. The traces are alike: `stacks` is the number of each."""

    stacks: int
    rounds: large.Rounds

    def section(self, machine, load, loop_s):
        """The part of the page."""
        seconds, mib = "{:.2f} s".format, "{:.0f} MiB".format
        time, peak = Estimate.of(self.rounds.seconds), Estimate.of(self.rounds.peak_mib)
        of = f"comparing two traces of {large.SAMPLES:,} samples each ({self.stacks:,} stacks)"
        return [
            "## Comparing", "",
            "Two traces that `examples/enlarge.rs` makes of that at 999 Hz: its build again and again, each time as much",
            "longer as it takes, every 20th sample with one frame more; `gotrace compare` of the two,",
            f"{len(self.rounds.seconds)} times in a row. On",
            f"{machine}; load before: {load:.1f}; calibrating loop: {loop_s:.3f} s.", "",
            "| figure | to reach | measured | verdict | beside it |", "|---|---|---|---|---|",
            row(of, "≤ 5 s", interval(time, seconds), judged(time, 5.0, seconds), self.rounds.cpu()),
            row("its peak RSS", "≤ 300 MiB", interval(peak, mib), judged(peak, 300, mib), "-"),
        ]


def measure(gotrace, enlarge, trace):
    """Enlarges a recorded trace twice, and compares the two."""
    with large.traces(enlarge, trace, 2) as (base, new):
        rounds = large.Rounds.of([gotrace, "compare", base, new], base.parent)
        return Comparing(large.stacks(gotrace, base), rounds)
