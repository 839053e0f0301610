"""Measures the recording of function calls, beside an empty program of the kernel's and bpftrace.

The programs stand on functions of one process that are made of the same instructions; batches of
calls of each follow one another, forwards and backwards in turn, so that a noisy machine is noisy
for all of them.
"""

import json
import shutil
import subprocess
from pathlib import Path

import counted
import empty
import measure
import recorders
from paired import median

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# Batches and calls in each; of bpftrace fewer, for a call takes it many times as long.
COST, COST_PRINTED = ("cost", "20", "20000"), ("cost", "6", "3000")
# Rounds of one second for each of two functions, and threads.
STEPS, QUICK_STEPS = ("steps", "2", "2"), ("steps", "1", "2")
# Seconds, and threads.
RATE, QUICK_RATE = ("rate", "10", "2"), ("rate", "2", "2")
ENTRIES, CALLS = "calls:main.recorded:entry", "calls:main.recorded"
# About 11,000 functions of the compiler.
MANY = "compile:cmd/compile/internal/*:entry"
# Functions of the compiler that call one another, and some that are called often.
BUILD_CALLS, BUILD_ENTRIES = ("compile:cmd/compile/internal/ssa.Compile",), "compile:cmd/compile/internal/ssa.(*Func).newValue*:entry"
# What gotrace keeps of an entry: time, process, thread, goroutine, depth.
PRINT = (
    'printf("%llu %d %d %llu %llu\\n", nsecs, pid, tid, '
    '*(uint64*)(reg("r14") + GOID), *(uint64*)(reg("r14") + 8) - reg("sp"))'
)
# runtime.g.goid of the pinned Go on amd64, see docs/go-versions.md.
GOID = "152"
# Programs whose entries and exits must come out even: package, probes, arguments.
PROGRAMS = {
    "tests/live_bpf/calls.go": (("program:main.*",), ()),
    "samples/hello": (("program:main.*",), ()),
    "samples/generics": (("program:main.*", "program:example.com/*"), ()),
    "samples/diamond/cmd/forecast": (("program:main.*", "program:example.com/*"), ()),
    "samples/http": (("program:main.*", "program:example.com/*", "program:net/http.*"), ("-requests", "200")),
    "samples/cgo-zlib": (("program:main.*",), ()),
}


class Calls:
    """Everything that was measured of function calls."""

    def __init__(self, gotrace, rounds, quick, say):
        self.gotrace = gotrace
        self.cost, self.printed, self.step_rates = [], [], []
        self.entry_rates, self.cpu_ns, self.bytes, self.peak_kib = [], [], {"entries": [], "calls": [], "build": []}, []
        self.attached, self.even, self.lost = [], {}, 0
        with measure.cold() as (folder, environment):
            self.folder, self.environment = Path(folder), environment | {"GOCACHE": folder + "/go-cache"}
            self.program = self.build(HERE / "calls.go", "calls")
            self.empty, self.recorded = self.places("main.empty"), self.places("main.recorded")
            self.bpftrace = shutil.which("bpftrace")
            for number in range(rounds):
                self.round(number, quick)
                say(f"calls, round {number + 1} of {rounds}: {self.line()}")
            for number in range(3 if quick else 5):
                self.sustained(QUICK_RATE if quick else RATE)
                self.attach()
                say(f"sustained entries, {number + 1}: {self.entry_rates[-1][0]:,.0f} a second")
            for source, (probes, arguments) in PROGRAMS.items():
                say(f"entries and exits of {source}")
                self.even[source] = self.pair(self.build(ROOT / source, "program"), probes, arguments)
            say("entries and exits of go build cmd/gofmt")
            self.even["go build cmd/gofmt"] = self.pair(None, BUILD_CALLS, ())
            self.built()

    def build(self, source, name):
        """Builds a Go program."""
        program = self.folder / name
        cwd = source if source.is_dir() else source.parent
        what = "." if source.is_dir() else source.name
        command = ["go", "build", "-o", program, what]
        subprocess.run(command, cwd=cwd, env=self.environment, check=True)
        return program

    def places(self, function):
        """Where a function of the measuring program is probed."""
        command = [self.gotrace, "probes", "list", "--json", self.program, function]
        text = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
        return counted.Places.of(text, function)

    def output_of(self, command, **options):
        """Runs a command to its end, and returns what it printed with how it ran."""
        run = measure.run(command, str(self.folder), self.environment, **options)
        return (self.folder / "output").read_text(encoding="utf-8"), run

    def record(self, command, *probes, **options):
        """Runs a command under gotrace without samples."""
        probes = [flag for probe in probes for flag in ("--probe", probe)]
        flags = ["--quiet", "--rate", "0", "--max-tax", "off", *probes]
        return self.output_of([self.gotrace, "run", *flags, "-o", recorders.TRACE, "--", *command], **options)

    def summary(self, function=None):
        """What `gotrace calls` counts in the last trace."""
        command = [self.gotrace, "calls", "--json", recorders.TRACE]
        text = subprocess.run(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
        ).stdout
        summary = counted.Summary.of(text, function)
        self.lost += summary.lost
        return summary

    def edges(self):
        """Entries and exits in the last trace."""
        command = [self.gotrace, "dump", recorders.TRACE]
        with subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, text=True) as dump:
            edges = counted.Edges.of(dump.stdout)
        if dump.returncode != 0:
            raise measure.Failed(f"gotrace dump ended with {dump.returncode}")
        return edges

    def trace_bytes(self):
        """Size of the last trace."""
        return (self.folder / recorders.TRACE).stat().st_size

    def round(self, number, quick):
        """Costs beside an empty program, beside bpftrace, and rates; backwards every other time."""
        parts = [self.recorded_cost, self.printed_cost, lambda: self.steps(QUICK_STEPS if quick else STEPS)]
        for part in parts if number % 2 == 0 else reversed(parts):
            part()

    def recorded_cost(self):
        """One entry, recorded and passed to an empty program: (ns, ns)."""
        with empty.standing_on(self.program, [self.empty.entry]):
            text, _ = self.record([self.program, *COST], ENTRIES)
        self.cost.append(beyond_free(counted.costs(text)))

    def printed_cost(self):
        """One entry, printed by bpftrace: ns."""
        if not self.bpftrace:
            return
        program = self.folder / "printed"
        entry, address = self.recorded.entry, self.recorded.address
        moved = entry - self.file_offset(address)
        program.write_bytes(counted.with_symbol_moved(self.program.read_bytes(), address, moved))
        program.chmod(0o755)
        action = f'uprobe:{program}:"main.recorded" {{ {PRINT.replace("GOID", GOID)} }}'
        child = " ".join([str(program), *COST_PRINTED])
        text, _ = self.output_of([self.bpftrace, "-o", "printed.txt", "-c", child, "-e", action])
        self.printed.append(beyond_free(counted.costs(text))[0])

    def file_offset(self, address):
        """Where the byte at an address of the measuring program lies in the file."""
        text = subprocess.check_output(["readelf", "-lW", self.program], text=True)
        for line in text.splitlines():
            match line.split():
                case ["LOAD", offset, start, _, size, *_]:
                    if int(start, 16) <= address < int(start, 16) + int(size, 16):
                        return address - int(start, 16) + int(offset, 16)
        raise ValueError(f"no segment of {self.program} has {address:#x}")

    def steps(self, arguments):
        """Exits a second from two cores, recorded and passed to an empty program."""
        with empty.standing_on(self.program, self.empty.exits):
            text, _ = self.record([self.program, *arguments], CALLS)
        rates = {name: sum(calls for calls, _ in runs) / sum(seconds for _, seconds in runs)
                 for name, runs in counted.rates(text).items()}
        self.step_rates.append((rates["recorded"], rates["empty"]))
        summary = self.summary("main.recorded")
        made = sum(calls for calls, _ in counted.rates(text)["recorded"])
        self.exact("calls of two cores", made, summary.exits)
        self.bytes["calls"].append(self.trace_bytes() / (summary.count + summary.exits))

    def sustained(self, arguments):
        """Entries a second from two cores, and how many were lost."""
        text, run = self.record([self.program, *arguments], ENTRIES, watch_memory=True)
        (made, seconds), = counted.rates(text)["recorded"]
        summary = self.summary("main.recorded")
        self.entry_rates.append((summary.count / seconds, made - summary.count))
        self.bytes["entries"].append(self.trace_bytes() / summary.count)
        self.peak_kib.append(run.peak_rss_kib)
        self.cpu_ns.append(self.own_cpu_ns() / summary.count)

    def own_cpu_ns(self):
        """CPU time of gotrace's own process in the last run; the line comes before the calls."""
        command = f"{self.gotrace} dump {recorders.TRACE} 2>/dev/null | grep -m1 '\"record\":\"ending\"'"
        text = subprocess.check_output(["sh", "-c", command], cwd=self.folder, text=True)
        return json.loads(text)["own_cpu_ns"]

    def exact(self, what, made, recorded):
        """Keeps that a count is not what the program says."""
        if made != recorded:
            self.even[f"{what}: {recorded:,} of {made:,}"] = None

    def attach(self):
        """Attaching to the compiler: (places, seconds to attach, seconds to plan)."""
        self.record(["go", "tool", "compile", "-V=full"], MANY)
        settings = self.edges().settings
        places, attach, plan = (int(settings[f"probe_{key}"]) for key in ("places", "attach_ns", "plan_ns"))
        self.attached.append((places, attach / 1e9, plan / 1e9))

    def pair(self, program, probes, arguments):
        """Entries, exits, open and unwound calls of a program; without one, of the go command's tools."""
        if program is None:
            shutil.rmtree(self.folder / "go-cache")
        command = [program, *arguments] if program else recorders.BUILD
        text, _ = self.record(command, *probes)
        edges, summary = self.edges(), self.summary()
        if "main.goDeep" in edges.by_function:
            for name, made in counted.printed_counts(text).items():
                self.exact(name, made, edges.by_function.get(name, 0))
        ended = edges.exits + summary.open + summary.unwound
        return edges.entries, ended, summary.orphan_exits + summary.lost + edges.dropped

    def built(self):
        """Bytes for an entry of a build: all that is in the trace counts."""
        shutil.rmtree(self.folder / "go-cache")
        self.record(recorders.BUILD, BUILD_ENTRIES)
        summary = self.summary()
        self.bytes["build"] = [self.trace_bytes() / summary.count]

    def line(self):
        """The last round in a line."""
        (ours, kernel), (step, step_kernel) = self.cost[-1], self.step_rates[-1]
        printed = f", printed {self.printed[-1]:.0f}" if self.printed else ""
        return (f"an entry {ours:.0f} ns, empty {kernel:.0f}{printed}; "
                f"{step:,.0f} exits a second, empty {step_kernel:,.0f}")


def beyond_free(batches):
    """What a call of the recorded function and of the empty one takes more than a free one."""
    free = median(batches["free"])
    return median(batches["recorded"]) - free, median(batches["empty"]) - free
