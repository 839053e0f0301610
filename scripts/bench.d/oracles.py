"""Counts that are read from the files of recorders: gotrace's dump, strace, perf script."""

import json
from dataclasses import dataclass

# Where a stack of a Go program begins: a goroutine, a thread of the runtime, the process.
ROOTS = {"runtime.goexit", "runtime.mstart", "runtime.rt0_go"}


def is_root(function):
    """Whether a stack that ends with this function is whole. `.abi0` marks assembly."""
    name = function.removesuffix(".abi0")
    return name in ROOTS or name.startswith("_rt0_")


@dataclass
class Dump:
    """What is counted in a `gotrace dump`."""

    processes: int = 0
    samples: int = 0
    compile_samples: int = 0
    rooted: int = 0
    calls: int = 0
    lost: int = 0
    own_cpu_s: float = 0.0
    backend: str = "unknown"
    rate_hz: str = "unknown"

    @classmethod
    def of(cls, lines):
        """Counts in JSON lines."""
        dump, compilers, rooted = cls(), set(), set()
        for record in map(json.loads, lines):
            match record["record"]:
                case "process" if not record["own"]:
                    dump.processes += 1
                    if record["exe"].rsplit("/", 1)[-1] == "compile":
                        compilers.add(record["process"])
                case "stack" if is_root(record["frames"][-1]["name"]):
                    rooted.add(record["stack"])
                case "sample" if record["kind"] == "on_cpu":
                    dump.samples += 1
                    if record["process"] in compilers:
                        dump.compile_samples += 1
                        dump.rooted += record["stack"] in rooted
                case "call":
                    dump.calls += 1
                case "loss":
                    dump.lost += record["count"]
                case "ending":
                    dump.own_cpu_s = record["own_cpu_ns"] / 1e9
                case "setting" if record["key"] == "backend":
                    dump.backend = record["value"]
                case "setting" if record["key"] == "rate_hz":
                    dump.rate_hz = record["value"]
        return dump


def successful_execs(lines):
    """Execs that strace saw succeed. Where two calls overlap, the result is on a later line."""
    return sum(
        ("execve(" in line or "execve resumed" in line) and line.rstrip().endswith("= 0")
        for line in lines
    )


@dataclass
class PerfScript:
    """What is counted in the output of `perf script -F comm,ip,sym`."""

    samples: int = 0
    compile_samples: int = 0
    rooted: int = 0

    @classmethod
    def of(cls, lines):
        """Counts in lines: a head with the program's name, its frames, an empty line."""
        script, comm, last = cls(), None, ""
        for line in [*lines, ""]:
            if line.strip() == "":
                script.samples += comm is not None
                if comm == "compile":
                    script.compile_samples += 1
                    script.rooted += is_root(last)
                comm, last = None, ""
            elif not line[0].isspace():
                comm = line.split()[0]
            else:
                last = line.split(maxsplit=1)[1].strip() if len(line.split()) > 1 else ""
        return script
