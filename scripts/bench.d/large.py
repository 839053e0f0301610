"""A trace of ten million samples, made of a recorded one, and what a command makes of it."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import measure
from paired import Estimate
from table import interval

SAMPLES = 10_000_000
# How often the small trace's command is run in the large one.
COMMANDS = 24
ROUNDS = 5


@contextmanager
def traces(enlarge, small, count):
    """So many large traces of a small one, in a folder that is removed."""
    folder = Path(tempfile.mkdtemp(prefix="gotrace-bench-"))
    try:
        made = [folder / f"{number}.gotrace" for number in range(count)]
        for trace in made:
            subprocess.check_call([enlarge, small, trace, str(SAMPLES), str(COMMANDS)])
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stacks(gotrace, trace):
    """How many stacks a trace has."""
    dump = subprocess.Popen([gotrace, "dump", trace], stdout=subprocess.PIPE, text=True)
    count = sum(json.loads(line)["record"] == "stack" for line in dump.stdout if re.search('"record": ?"stack"', line))
    if dump.wait() != 0:
        raise measure.Failed(f"gotrace dump {trace} ended with {dump.returncode}")
    return count


@dataclass(frozen=True)
class Rounds:
    """What a command took, again and again: seconds, mebibytes at most, and seconds of CPU time."""

    seconds: tuple
    peak_mib: tuple
    cpu_s: tuple

    @classmethod
    def of(cls, command, folder):
        """Runs it."""
        runs = [measure.run(command, str(folder), dict(os.environ)) for _ in range(ROUNDS)]
        return cls(*zip(*((run.wall_s, run.max_rss_kib / 1024, run.cpu_s) for run in runs)))

    def cpu(self):
        """For the column beside a verdict: what other work on the machine changes least."""
        return f"CPU time {interval(Estimate.of(self.cpu_s), '{:.2f} s'.format)}"
