"""Measures reports, flamegraphs and exports of a large trace, and the page in a browser; writes the part about it."""

import base64
import gzip
import math
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import browsing
import large
from measure import Failed
from paired import Estimate
from table import exact, interval, judged, judged_least, row

SCRIPT = Path("src/render/report/app.js")
MOST_OF_SCRIPT = 80_000
MOST_OF_PAGE = 2_000_000
SPANS = 300_000
ATTEMPTS = 3


@dataclass(frozen=True)
class Reporting:
    """What the rounds took, by command, and the sizes of what was written."""

    stacks: int
    report: large.Rounds
    flamegraph: large.Rounds
    pprof: large.Rounds
    perfetto: large.Rounds
    large_page: int
    small_page: int
    script: int
    spans: int
    first_paint_s: list
    frames_per_s: list

    def section(self, machine, load, loop_s):
        """The part of the page."""
        seconds, mib = "{:.2f} s".format, "{:.0f} MiB".format
        millions = lambda value: f"{value / 1e6:.2f} million"
        time, peak = Estimate.of(self.report.seconds), Estimate.of(self.report.peak_mib)
        flame = Estimate.of(self.flamegraph.seconds)
        paint, frames = Estimate.of(self.first_paint_s), Estimate.of(self.frames_per_s)
        rates = {name: Estimate.of([large.SAMPLES / second for second in rounds.seconds])
                 for name, rounds in (("pprof", self.pprof), ("perfetto", self.perfetto))}
        peaks = {name: Estimate.of(rounds.peak_mib) for name, rounds in (
            ("flamegraph", self.flamegraph), ("pprof", self.pprof), ("perfetto", self.perfetto))}
        return [
            "## Reports and exports", "",
            f"A trace of {large.SAMPLES:,} samples with {self.stacks:,} stacks, made as for comparing, with the phases of",
            f"its programs; each command {len(self.report.seconds)} times in a row, what it writes on a disk. A report",
            f"with {self.spans:,} spans, none of them folded (of as many samples, but of more builds), in headless Chromium",
            "(`scripts/bench.d/browsing.py`): until the timeline is drawn, from the opening of the page; and frames while the",
            "wheel zooms all threads in and out. On",
            f"{machine}; load before: {load:.1f}; calibrating loop: {loop_s:.3f} s.", "",
            "| figure | to reach | measured | verdict | beside it |", "|---|---|---|---|---|",
            row("report, with its flame graph", "≤ 5 s", interval(time, seconds), judged(time, 5.0, seconds),
                f"{self.report.cpu()}; page of {self.large_page / 1e6:.1f} MB"),
            row("its peak RSS", "≤ 300 MiB", interval(peak, mib), judged(peak, 300, mib), "-"),
            row("flamegraph", "≤ 2 s", interval(flame, seconds), judged(flame, 2.0, seconds),
                f"{self.flamegraph.cpu()}; peak RSS {interval(peaks['flamegraph'], mib)}"),
            *(row(f"export to {name}, samples a second", "≥ 2 million", interval(rate, millions),
                  judged_least(rate, 2e6, millions), f"{rounds.cpu()}; peak RSS {interval(peaks[name], mib)}")
              for (name, rate), rounds in zip(rates.items(), (self.pprof, self.perfetto), strict=True)),
            row("page of `go build cmd/gofmt`, with samples and phases", "≤ 2 MB", f"{self.small_page / 1e6:.2f} MB",
                exact(self.small_page <= MOST_OF_PAGE), "-"),
            row("script in the page", "≤ 80,000 bytes", f"{self.script:,} bytes", exact(self.script <= MOST_OF_SCRIPT), "-"),
            row(f"first paint, {self.spans:,} spans", "≤ 1 s", interval(paint, seconds), judged(paint, 1.0, seconds), "-"),
            row("frames a second while zooming", "≥ 30", interval(frames, "{:.0f}".format),
                judged_least(frames, 30, "{:.0f}".format), "-"),
        ]


def spans_of(page):
    """How many spans the timeline of a page has: the length of a column of them, as docs/report.md describes it."""
    data = re.search(rb'id="data">([^<]+)<', page)[1]
    columns = gzip.decompress(base64.b64decode(data))
    at = columns.index(b"spans.start")
    return int.from_bytes(columns[at - 4 : at], "little")


def unfolded(gotrace, trace, page):
    """Writes a page of all spans that there are; how many."""
    subprocess.check_call([gotrace, "report", trace, "-o", page, "--max-spans", str(100 * SPANS)])
    return spans_of(page.read_bytes())


def full(gotrace, enlarge, small, trace, page):
    """Writes a page with SPANS, and few more: of `trace`, but with as many more builds as it takes."""
    commands, spans, wide = large.COMMANDS, unfolded(gotrace, trace, page), page.with_suffix(".gotrace")
    # Builds after the first one may have fewer.
    for _ in range(ATTEMPTS):
        commands = math.ceil(1.02 * commands * SPANS / spans)
        subprocess.check_call([enlarge, small, wide, str(large.SAMPLES), str(commands)])
        spans = unfolded(gotrace, wide, page)
        if spans >= SPANS:
            return
    raise Failed(f"{wide}: expected {SPANS} spans of {commands} builds, found {spans}")


def measure(gotrace, enlarge, small, default):
    """`small` is a trace at a high rate, to be enlarged; `default` a recording as everybody makes it."""
    with large.traces(enlarge, small, 1) as (trace,):
        folder = trace.parent
        page = folder / "large.html"
        rounds = lambda *words: large.Rounds.of([gotrace, words[0], trace, *words[1:]], folder)
        report = rounds("report", "-o", page)
        exports = [rounds("flamegraph", "-o", folder / "large.svg")]
        for name in ("pprof", "perfetto"):
            exports.append(rounds("export", "--format", name, "-o", folder / name))
            (folder / name).unlink()
        small_page = folder / "small.html"
        large.Rounds.of([gotrace, "report", default, "-o", small_page], folder)
        full_page = folder / "full.html"
        full(gotrace, enlarge, small, trace, full_page)
        browsed = browsing.Browsed.of(full_page)
        return Reporting(
            large.stacks(gotrace, trace), report, *exports, page.stat().st_size, small_page.stat().st_size,
            SCRIPT.stat().st_size, spans_of(full_page.read_bytes()), browsed.first_paint_s, browsed.frames_per_s,
        )
