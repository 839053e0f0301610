"""Measures `gotrace compare` on two large traces, and writes the part of the page about it."""

import re
import subprocess
from dataclasses import dataclass

from paired import Estimate
from table import interval, judged, row

MADE = re.compile(r"\w+\.gotrace: (\d+) samples, (\d+) stacks, (\d+) frames, (\d+) MiB on disk")
ROUND = re.compile(r"([\d.]+) s, (\d+) MiB, exit status: 0")


@dataclass(frozen=True)
class Comparing:
    """What the rounds took. The traces are alike: `samples` and `stacks` are those of each."""

    samples: int
    stacks: int
    seconds: list
    peak_mib: list

    @classmethod
    def of(cls, output):
        """Reads what `benches/compare.rs` printed; a round that failed is an error."""
        lines = output.splitlines()
        made = [match for match in map(MADE.fullmatch, lines) if match]
        rounds = [match for match in map(ROUND.fullmatch, lines) if match]
        if len(made) != 2 or not rounds or len(made) + len(rounds) != len(lines):
            raise ValueError(f"expected two traces and what comparing them took, found:\n{output}")
        return cls(int(made[0][1]), int(made[0][2]), [float(r[1]) for r in rounds], [int(r[2]) for r in rounds])

    def section(self, machine, load, loop_s):
        """The part of the page."""
        seconds, mib = "{:.2f} s".format, "{:.0f} MiB".format
        time, peak = Estimate.of(self.seconds), Estimate.of(self.peak_mib)
        of = f"comparing two traces of {self.samples:,} samples each ({self.stacks:,} stacks)"
        return [
            "## Comparing", "",
            "Two traces like that at 999 Hz, whose samples are written again and again, every 20th with one frame",
            f"more (`benches/compare.rs`); `gotrace compare` of the two, {len(self.seconds)} times in a row. On",
            f"{machine}; load before: {load:.1f}; calibrating loop: {loop_s:.3f} s.", "",
            "| figure | to reach | measured | verdict | beside it |", "|---|---|---|---|---|",
            row(of, "≤ 5 s", interval(time, seconds), judged(time, 5.0, seconds), "-"),
            row("its peak RSS", "≤ 300 MiB", interval(peak, mib), judged(peak, 300, mib), "-"),
        ]


def measure(program, trace):
    """Runs the benchmark on a recorded trace."""
    return Comparing.of(subprocess.check_output([program, trace], text=True))
