"""Measures gotrace against its promises, and writes the page; scripts/bench starts this."""

import argparse
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import binding
import calls
import comparing
import inspecting
import measure
import oracles
import page
import paired
import recorders
import reporting
import table
import trampolines


EXECUTABLE = Path(".tools/fixtures/go-1.27.3-darwin-arm64/go/pkg/tool/darwin_arm64/compile")


def main():
    """Parses, measures, writes."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--gotrace", required=True)
    parser.add_argument("--decode", required=True)
    parser.add_argument("--enlarge", required=True)
    parser.add_argument("--inspect", required=True)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only")
    options = parser.parse_args()
    if options.only in ("compare", "report"):
        only_large(options)
        return
    if options.only == "inspect":
        load = os.getloadavg()[0]
        inspected = inspecting.measure(options.inspect, EXECUTABLE)
        print("\n".join(inspected.section(measure.machine(), load, measure.calibrate())))
        return
    if options.only == "bindings":
        load = os.getloadavg()[0]
        bound = binding.measure_all(options.gotrace, options.pairs, say)
        print("\n".join(bound.section(measure.machine(), load, measure.calibrate())))
        return
    if options.only and options.only.split(":")[0] == "trampolines":
        only_trampolines(options)
        return
    if options.only:
        only(options)
        return
    if options.quick:
        options.pairs = 3
    output = options.output or Path("target/bench/quick.md" if options.quick else "docs/benchmarks.md")
    results = Results(options)
    output.parent.mkdir(parents=True, exist_ok=True)
    written_by_hand = notes(output)
    output.write_text(page.write(results) + written_by_hand, encoding="utf-8")
    say(f"wrote {output}")


def only(options):
    """Pairs of plain builds and one recorder's alone, which a bound of a few percent needs many of."""
    by_name = {recorder.name: recorder for recorder in recorders.all_of(options.gotrace, options.peers)}
    if options.only not in by_name or options.only == "plain":
        names = ", ".join([*(name for name in by_name if name != "plain"), "bindings", "compare", "inspect", "report", "trampolines"])
        sys.exit(f"scripts/bench: --only {options.only}: there are {names}")
    pair, runs = {name: by_name[name] for name in ("plain", options.only)}, {}
    for number in range(options.pairs):
        for name in paired.order(pair, number):
            with measure.cold() as (folder, environment):
                run = measure.run(pair[name].wrap(recorders.BUILD), folder, environment)
                runs.setdefault(name, []).append(run.cpu_s)
        say(f"pair {number + 1} of {options.pairs}: " + ", ".join(f"{name} {cpu[-1]:.2f}" for name, cpu in runs.items()))
    cost = paired.Estimate.of(paired.ratios(runs[options.only], runs["plain"]))
    print(f"{options.only}: added CPU {table.interval(cost, table.added)}, {cost.pairs} pairs; plain builds took "
          f"{min(runs['plain']):.2f} to {max(runs['plain']):.2f} s of CPU time")


@contextmanager
def recorded(options):
    """Two traces of a cold build with its phases: at a high rate, to be enlarged, and as everybody makes them."""
    by_name = {one.name: one for one in recorders.all_of(options.gotrace, False)}
    by_name["999 Hz"] = recorders.gotrace("999 Hz", options.gotrace, "--rate", "999")
    with measure.cold() as (folder, environment):
        traces = []
        for name in ("999 Hz", "default"):
            build = Path(folder, name)
            build.mkdir()
            measure.run(by_name[name].wrap(recorders.BUILD), str(build), environment | {"GOCACHE": f"{build}/cache"})
            traces.append(build / recorders.TRACE)
        yield traces


def only_large(options):
    """The part of the page about comparing or reporting."""
    with recorded(options) as (small, default):
        load = os.getloadavg()[0]
        measured = (
            comparing.measure(options.gotrace, options.enlarge, small)
            if options.only == "compare"
            else reporting.measure(options.gotrace, options.enlarge, small, default)
        )
    print("\n".join(measured.section(measure.machine(), load, measure.calibrate())))


def only_trampolines(options):
    """The part of the page about copies: all of it, or with `trampolines:PART` one more time that alone."""
    load, parts = os.getloadavg()[0], options.only.split(":")[1:] or trampolines.PARTS
    bench = trampolines.Bench(options.gotrace, options.pairs, say)
    bench.measure(() if parts == ["page"] else parts)
    print("\n".join(bench.section(measure.machine(), load, measure.calibrate())))


def notes(output):
    """The end of the page that is written by hand: why a figure is not reached. It is kept."""
    if not output.exists():
        return ""
    _, heading, text = output.read_text(encoding="utf-8").partition("\n## Notes\n")
    return heading + text


def say(text):
    """Progress goes to stderr."""
    print(f"scripts/bench: {text}", file=sys.stderr, flush=True)


class Results:
    """Everything that was measured."""

    def __init__(self, options):
        self.options = options
        self.machine = measure.machine()
        self.loop_s = measure.calibrate()
        self.go = subprocess.check_output(["go", "version"], text=True).strip()
        self.load_before = os.getloadavg()[0]
        self.recorders = recorders.all_of(options.gotrace, options.peers)
        self.kept = Path("target/bench").absolute()
        self.kept.mkdir(parents=True, exist_ok=True)
        self.cpu_rounds()
        self.read_traces()
        self.one_offs()
        self.calls = calls.Calls(options.gotrace, options.pairs, options.quick, say)
        say("comparing")
        with recorded(options) as (small, default):
            self.compared = comparing.measure(options.gotrace, options.enlarge, small)
            say("reports and exports")
            self.reported = reporting.measure(options.gotrace, options.enlarge, small, default)
        say("looking into executables")
        self.inspected = inspecting.measure(options.inspect, EXECUTABLE)
        self.bound = binding.measure_all(options.gotrace, options.pairs, say)
        self.copied = trampolines.Bench(options.gotrace, options.pairs, say)
        self.copied.forget()
        self.copied.measure(trampolines.PARTS)

    def cpu_rounds(self):
        """The rounds: every recorder once in each, forwards and backwards in turn."""
        by_name = {recorder.name: recorder for recorder in self.recorders}
        self.runs = {name: [] for name in by_name}
        for number in range(self.options.pairs):
            for name in paired.order(by_name, number):
                with measure.cold() as (folder, environment):
                    run = measure.run(by_name[name].wrap(recorders.BUILD), folder, environment)
                    self.runs[name].append(run)
                    self.keep(name, folder)
            line = ", ".join(f"{name} {runs[-1].cpu_s:.2f}" for name, runs in self.runs.items())
            say(f"round {number + 1} of {self.options.pairs}, CPU seconds: {line}")

    def keep(self, name, folder):
        """Keeps what a recorder wrote, of the last round."""
        for path in Path(folder).iterdir():
            if path.is_file() and path.name not in ("output", "gofmt"):
                shutil.move(path, self.kept / f"{name.replace(' ', '-')}-{path.name}")

    def file(self, recorder, name):
        """What a recorder wrote in the last round."""
        return self.kept / f"{recorder.replace(' ', '-')}-{name}"

    def read_traces(self):
        """Counts in the traces of the last round."""
        self.dumps, self.bytes_per_sample = {}, {}
        for name in ("tree", "samples", "default", "999 Hz"):
            trace = self.file(name, recorders.TRACE)
            dump = subprocess.Popen([self.options.gotrace, "dump", trace], stdout=subprocess.PIPE, text=True)
            self.dumps[name] = oracles.Dump.of(dump.stdout)
            if dump.wait() != 0:
                raise measure.Failed(f"gotrace dump {trace} ended with {dump.returncode}")
            if self.dumps[name].samples:
                self.bytes_per_sample[name] = trace.stat().st_size / self.dumps[name].samples
        self.execs = self.perf = None
        if "strace" in self.runs:
            with open(self.file("strace", "strace.txt"), encoding="utf-8", errors="replace") as lines:
                self.execs = oracles.successful_execs(lines)
        if "perf 999 Hz" in self.runs:
            data = self.file("perf 999 Hz", "perf.data")
            script = subprocess.run(
                ["perf", "script", "-F", "comm,ip,sym", "-i", data],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
            )
            self.perf = oracles.PerfScript.of(script.stdout.splitlines())
            self.perf_bytes = data.stat().st_size

    def one_offs(self):
        """Memory, the time to the summary, and the rate of decoding."""
        repeats = 3 if self.options.quick else 5
        run = [self.options.gotrace, "run", "-o", recorders.TRACE]
        once = " ".join(recorders.BUILD)
        again = "; ".join(f"GOCACHE=$PWD/cache{i} {once}" for i in range(4))
        self.rss_kib, self.rss_four_kib, self.rss_999_kib, self.summary_s = [], [], [], []
        for number in range(repeats):
            say(f"memory and summary, {number + 1} of {repeats}")
            for peaks, flags, script in (
                (self.rss_kib, [], once),
                (self.rss_999_kib, ["--rate", "999"], once),
                (self.rss_four_kib, [], again),
            ):
                with measure.cold() as (folder, environment):
                    command = [*run, *flags, "--", "sh", "-c", f"{script}; date +%s.%N >ended"]
                    result = measure.run(command, folder, environment, watch_memory=True)
                    peaks.append(result.peak_rss_kib)
                    if peaks is self.rss_kib:
                        ended = float(Path(folder, "ended").read_text(encoding="ascii"))
                        self.summary_s.append(result.ended_at - ended)
        trace = self.file("999 Hz", recorders.TRACE)
        output = subprocess.check_output([self.options.decode, "--bench", trace], text=True)
        self.decoded_per_s = [float(line) for line in output.split()]


if __name__ == "__main__":
    main()
