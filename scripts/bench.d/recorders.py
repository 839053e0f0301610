"""The recorders that are compared: how each is told to record a command into a file."""

import shutil
from dataclasses import dataclass
from typing import Callable

BUILD = ["go", "build", "cmd/gofmt"]
TRACE = "trace.gotrace"


@dataclass(frozen=True)
class Recorder:
    """A way to run a command under a recorder."""

    name: str
    wrap: Callable[[list], list]


def gotrace(name, program, *flags):
    """gotrace with flags, quiet, so that only recording is measured."""
    return Recorder(name, lambda c: [program, "run", "--quiet", *flags, "-o", TRACE, "--", *c])


def all_of(program, peers):
    """Every recorder that is here, plain first."""
    recorders = [
        Recorder("plain", lambda c: c),
        gotrace("tree", program, "--rate", "0", "--no-probes"),
        gotrace("samples", program, "--no-probes"),
        gotrace("default", program),
        gotrace("999 Hz", program, "--rate", "999", "--no-probes"),
    ]
    found = [
        Recorder("perf 999 Hz", lambda c: ["perf", "record", "-q", "-F", "999", "-g", "-o", "perf.data", *c]),
        Recorder("strace", lambda c: ["strace", "-f", "--seccomp-bpf", "-e", "trace=execve", "-o", "strace.txt", *c]),
    ]
    if peers:
        found += [
            Recorder("samply", lambda c: ["samply", "record", "--save-only", "-r", "999", "-o", "samply.json.gz", *c]),
            Recorder("buildprof", lambda c: ["buildprof", "--no-open", "-o", "out.buildprof", "--", *c]),
        ]
    return recorders + [r for r in found if shutil.which(r.wrap(["x"])[0])]
