"""Measures `gotrace inspect` on a large executable, and writes the part of the page about it."""

import subprocess
from dataclasses import dataclass

from paired import Estimate
from table import interval, judged, row

ROUNDS = ("check", "lookup", "symbols", "open", "functions", "lines")
ONCE = ("bytes", "check-peak", "lookup-peak", "symbols-peak", "named")


@dataclass(frozen=True)
class Inspecting:
    """What the rounds took in seconds, and sizes in bytes, by name."""

    seconds: dict
    sizes: dict

    @classmethod
    def of(cls, output):
        """Reads what `benches/inspect.rs` printed."""
        seconds, sizes = {name: [] for name in ROUNDS}, {}
        for line in output.splitlines():
            name, value = line.split(" ")
            if name in ONCE:
                sizes[name] = float(value)
            else:
                seconds[name].append(float(value))
        if not all(seconds.values()) or set(sizes) != set(ONCE):
            raise ValueError(f"expected rounds of {', '.join(ROUNDS)}, found:\n{output}")
        return cls(seconds, sizes)

    def section(self, machine, load, loop_s):
        """The part of the page."""
        time = {name: Estimate.of(values) for name, values in self.seconds.items()}
        s, ms, times = "{:.2f} s".format, lambda value: f"{value * 1000:.1f} ms", "{:.2f} times".format
        peak = {name: self.sizes[f"{name}-peak"] / self.sizes["bytes"] for name in ("check", "lookup", "symbols")}
        largest = max(peak.values())
        mib = self.sizes["bytes"] / 1024**2

        def timed(what, name, bound, show):
            return row(what, f"≤ {show(bound)}", interval(time[name], show), judged(time[name], bound, show), "-")

        return [
            "## Looking into executables", "",
            f"The compiler of the official Go toolchain for macOS on arm64, {mib:.1f} MiB, {len(self.seconds['check'])}",
            f"times in a row (`benches/inspect.rs`). On {machine}; load before: {load:.1f}; calibrating loop:",
            f"{loop_s:.3f} s.", "",
            "| figure | to reach | measured | verdict | beside it |", "|---|---|---|---|---|",
            timed("`inspect --check`, all page hashes included", "check", 0.3, s),
            timed("opening it for symbols, up to the first name", "open", 0.03, ms),
            timed(f"1 million random addresses to functions ({self.sizes['named']:,.0f} have one)", "functions", 0.5, s),
            row("the same to files, lines and inlined calls", "-", interval(time["lines"], s), "-", "-"),
            row("peak RSS, to the size of the file", "≤ 2 times",
                ", ".join(f"{times(ratio)} (`--{name}`)" for name, ratio in peak.items()),
                "reached" if largest <= 2 else "missed", "-"),
            row("`inspect --symbols`, written to nowhere", "-", interval(time["symbols"], s), "-", "-"),
        ]


def measure(program, executable):
    """Runs the benchmark on an executable."""
    return Inspecting.of(subprocess.check_output([program, executable], text=True))
