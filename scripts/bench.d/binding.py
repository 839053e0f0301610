"""Measures `gotrace run --bindings` on a build with C, and in a program that does nothing but bind.

The build is a cold one of samples/cgo-zlib, whose C is compiled by gcc; plain, under gotrace and under
`LD_DEBUG=bindings`, in rounds that alternate their order. The program opens a library that wants as many
symbols of another one, with and without gotrace.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import measure
import paired
import recorders
from paired import Estimate, median, ratios
from table import added, exact, interval, judged, row

HERE = Path(__file__).parent
SAMPLE = HERE.parent.parent / "samples/cgo-zlib"
BUILD = ["go", "build", "-C", "module", "-o", "../made", "."]
# Symbols of the library, and how often a process opens it.
SYMBOLS, OPENS = 4000, 5
MOST_BYTES, MOST_ADDED = 12, 1.03
# Records of a trace that stand for an event of a loader.
EVENTS = ("binding", "load", "unload", "search", "linking")


def recorders_of(program):
    """How the build is watched, plain first."""
    # A file for each process, of which each has a folder of its own to work in.
    debug = ["sh", "-c", 'LD_DEBUG=bindings LD_DEBUG_OUTPUT=$PWD/ld-debug exec "$@"', "sh"]
    return {recorder.name: recorder for recorder in (
        recorders.Recorder("plain", lambda c: c),
        recorders.gotrace("audit", program, "--bindings", "--backend", "audit"),
        recorders.gotrace("default", program),
        recorders.gotrace("default and bindings", program, "--bindings"),
        recorders.Recorder("LD_DEBUG", lambda c: [*debug, *c]),
    )}


@dataclass
class Told:
    """What a trace of bindings says of itself."""

    events: int
    binds: int
    lost: int
    own_cpu_ns: int
    # CPU time of relocation; of `dlopen` by the clock on the wall.
    linking_ns: int

    @classmethod
    def of(cls, dump):
        """Reads the lines of `gotrace dump`."""
        told = cls(0, 0, 0, 0, 0)
        for line in dump:
            record = json.loads(line)
            kind = record["record"]
            told.events += kind in EVENTS
            told.binds += kind == "binding"
            match kind:
                case "loss":
                    told.lost += record["count"]
                case "ending":
                    told.own_cpu_ns = record["own_cpu_ns"]
                case "linking":
                    cpu_ns = record["cpu_ns"]
                    told.linking_ns += record["to_ns"] - record["from_ns"] if cpu_ns is None else cpu_ns
        return told


@dataclass
class Binding:
    """Everything that was measured."""

    cpu_s: dict = field(default_factory=dict)
    # Of one bind in its own process, beyond what it takes without a recorder, in nanoseconds.
    audit_ns: list = field(default_factory=list)
    debug_ns: list = field(default_factory=list)
    # Of the last builds: what the trace says, its size, what LD_DEBUG wrote and how many binds it told.
    build: Told = None
    program: Told = None
    trace_bytes: int = 0
    debug_bytes: int = 0
    debug_binds: int = 0
    # Of every run that recorded binds.
    lost: int = 0

    def section(self, machine, load, loop_s):
        """The part of the page."""
        cost = {name: Estimate.of(ratios(runs, self.cpu_s["plain"])) for name, runs in self.cpu_s.items()}
        beside = Estimate.of(ratios(self.cpu_s["default and bindings"], self.cpu_s["default"]))
        ns = "{:.0f} ns".format
        one, debug = Estimate.of(self.audit_ns), Estimate.of(self.debug_ns)
        each = self.trace_bytes / self.build.binds
        own = [ns(told.own_cpu_ns / told.events) for told in (self.build, self.program)]
        share = self.build.linking_ns / 1e9 / median(self.cpu_s["plain"])
        return [
            "## Dynamic linking", "",
            f"A cold `go build` of samples/cgo-zlib with gcc, {len(self.cpu_s['plain'])} rounds, and a program that opens a",
            f"library with {SYMBOLS:,} symbols of another one {OPENS} times. On {machine}; load before: {load:.1f};",
            f"calibrating loop: {loop_s:.3f} s.", "",
            "| figure | to reach | measured | verdict | beside it |", "|---|---|---|---|---|",
            row("added CPU of `--bindings`, by the backend `audit` alone", "≤ 3 %", interval(cost["audit"], added),
                judged(cost["audit"], MOST_ADDED, added), f"LD_DEBUG=bindings {interval(cost['LD_DEBUG'], added)}"),
            row("added CPU of `--bindings`, to a default run", "≤ 3 %", interval(beside, added),
                judged(beside, MOST_ADDED, added), f"to a plain one {interval(cost['default and bindings'], added)}"),
            row(f"trace bytes for each of {self.build.binds:,} binds, all else included", f"≤ {MOST_BYTES}",
                f"{each:.1f}", exact(each <= MOST_BYTES), f"LD_DEBUG {self.debug_bytes / self.debug_binds:.0f} for each of {self.debug_binds:,}"),
            row("events lost, in all of these runs", "none", f"{self.lost:,}", exact(self.lost == 0), "-"),
            row("cost of one bind to the program that makes it", "-", interval(one, ns), "-",
                f"LD_DEBUG {interval(debug, ns)}"),
            row("CPU time of gotrace's own process for one event", "-",
                f"{own[0]} (the build, {self.build.events:,} events), {own[1]} (the program)", "-", "-"),
            row("time of relocation, to the CPU time of the build", "-", f"{100 * share:.1f} %", "-", "-"),
        ]


def measure_all(gotrace, rounds, say):
    """All rounds of the build, then of the program."""
    measured = Binding()
    ways = recorders_of(gotrace)
    for number in range(rounds):
        for name in paired.order(ways, number):
            with measure.cold() as (folder, environment):
                shutil.copytree(SAMPLE, Path(folder, "module"))
                run = measure.run(ways[name].wrap(BUILD), folder, environment)
                measured.cpu_s.setdefault(name, []).append(run.cpu_s)
                trace = Path(folder, recorders.TRACE)
                if name in ("audit", "default and bindings"):
                    build = told(gotrace, trace)
                    measured.lost += build.lost
                if name == "audit":
                    measured.build, measured.trace_bytes = build, trace.stat().st_size
                if name == "LD_DEBUG":
                    written = [path.read_bytes() for path in Path(folder).glob("ld-debug*")]
                    measured.debug_bytes = sum(map(len, written))
                    measured.debug_binds = sum(text.count(b"binding file ") for text in written)
        line = ", ".join(f"{name} {cpu[-1]:.2f}" for name, cpu in measured.cpu_s.items())
        say(f"bindings, round {number + 1} of {rounds}, CPU seconds: {line}")
    with measure.cold() as (folder, environment):
        program = opening(Path(folder))
        for number in range(rounds):
            taken = {}
            for name in paired.order(("plain", "audit", "LD_DEBUG"), number):
                measure.run(ways[name].wrap(program), folder, environment)
                lines = Path(folder, "output").read_text(encoding="ascii").split()
                taken[name] = median([int(line) for line in lines]) / SYMBOLS
                if name == "audit":
                    measured.program = told(gotrace, Path(folder, recorders.TRACE))
                    measured.lost += measured.program.lost
            measured.audit_ns.append(taken["audit"] - taken["plain"])
            measured.debug_ns.append(taken["LD_DEBUG"] - taken["plain"])
    return measured


def told(gotrace, trace):
    """What a trace says of itself."""
    with subprocess.Popen([gotrace, "dump", trace], stdout=subprocess.PIPE, text=True) as dump:
        found = Told.of(dump.stdout)
    if dump.returncode != 0:
        raise measure.Failed(f"gotrace dump {trace} ended with {dump.returncode}")
    return found


def opening(folder):
    """Makes the program and its libraries; returns the command."""
    numbers = range(SYMBOLS)
    inner = "".join(f"int a_function_of_a_library_{n}(void) {{ return {n}; }}\n" for n in numbers)
    outer = "".join(f"int a_function_of_a_library_{n}(void);\n" for n in numbers)
    outer += "".join(f"int outer_{n}(void) {{ return a_function_of_a_library_{n}() + 1; }}\n" for n in numbers)
    shared = ["-shared", "-fPIC", "-fplt"]
    for name, source, flags in (
        ("libinner.so", inner, shared),
        ("libouter.so", outer, [*shared, f"-L{folder}", f"-Wl,-rpath,{folder}", "-linner"]),
    ):
        path = folder / f"{name}.c"
        path.write_text(source, encoding="ascii")
        subprocess.run(["gcc", "-O1", "-o", folder / name, path, *flags], check=True)
    program = folder / "opens"
    subprocess.run(["gcc", "-O1", "-o", program, HERE / "opens.c"], check=True)
    return [str(program), str(folder / "libouter.so"), str(OPENS)]
