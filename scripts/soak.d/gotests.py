"""Go's own tests, untraced and traced."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import outcomes
from said import OUT, say

PACKAGES = ["runtime", "os/exec", "os/signal", "syscall", "net/http"]
# Of what was not seen so much is told; the trace has the rest.
MOST_TOLD = 10


@dataclass(frozen=True)
class Way:
    """How tests are watched."""

    packages: list
    flags: list
    # Copies of programs wait for who reads, milliseconds at most, and then drop what they would have told.
    drops: bool


def probes(*named):
    """The flags that ask for functions."""
    return [flag for probe in named for flag in ("--probe", probe)]


WAYS = {
    "bpf": Way(PACKAGES, ["--backend", "bpf", *probes("*:runtime.mallocgc:entry", "*:runtime.newproc*", "*:net/http.*")], False),
    "patch": Way([*PACKAGES, "cmd/compile/internal/test"], ["--backend", "patch", *probes("*:*")], True),
}


def complaints(options):
    """What is wrong with any package."""
    OUT.mkdir(parents=True, exist_ok=True)
    goroot = Path(subprocess.check_output(["go", "env", "GOROOT"], text=True).strip())
    way = WAYS[options.backend]
    soak = Soak(options, way, goroot / "src")
    return [complaint for package in options.packages or way.packages for complaint in soak.of(package)]


class Soak:
    """A toolchain's tests, and the gotrace that is tried on them."""

    def __init__(self, options, way, sources):
        self.gotrace, self.way, self.sources = options.program, way, sources
        self.flags = [] if options.long else ["-test.short"]
        if options.run:
            self.flags.append(f"-test.run={options.run}")
        self.environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "", "LC_ALL": "C"}

    def of(self, package):
        """What is wrong with a package."""
        name = package.replace("/", "-")
        trace = OUT / f"{name}.gotrace"
        run = [self.gotrace, "run", "--quiet", "--max-tax", "off", "-o", trace, *self.way.flags, "--"]
        plain = self.tests([], package, OUT / f"{name}-plain.json")
        say(f"{package}, untraced: {outcomes.words(plain)}")
        traced = self.tests(run, package, OUT / f"{name}-traced.json")
        say(f"{package}, traced: {outcomes.words(traced)}")
        complaints = [f"{package}: no test ran untraced"] if not plain else []
        differing = outcomes.differences(plain, traced)
        again = self.tests([], package, OUT / f"{name}-again.json") if differing else {}
        for test in differing:
            before, then = plain.get(test, "not run"), traced.get(test, "not run")
            complaint = f"{package}: {test}: {before} untraced, {then} traced"
            if again.get(test) == traced.get(test):
                say(f"{complaint}, and likewise untraced a second time")
            else:
                complaints.append(complaint)
        recorded = recording(self.gotrace, trace)
        say(f"{package}: {recorded.calls:,} entries and exits of {recorded.probes:,} functions")
        for blind in recorded.blind[:MOST_TOLD]:
            say(f"{package}: not seen: {blind}")
        if len(recorded.blind) > MOST_TOLD:
            say(f"{package}: {len(recorded.blind) - MOST_TOLD} more of this kind: gotrace dump {trace}")
        if self.way.drops:
            for loss in recorded.forgive_drops():
                say(f"{package}: {loss}")
        return complaints + [f"{package}: {complaint}" for complaint in recorded.complaints()]

    def build(self, package, program):
        """Builds a package's tests beforehand: so they are watched from their first instruction."""
        command = ["go", "test", "-c", "-o", program, package]
        subprocess.run(command, cwd=self.sources, env=self.environment, check=True)

    def tests(self, wrap, package, output):
        """Runs a package's tests as `go test -json` does; returns the outcome of each."""
        program = OUT / f"{package.replace('/', '-')}.test"
        self.build(package, program)
        command = [*wrap, program, "-test.paniconexit0", "-test.v=test2json", "-test.timeout=60m", *self.flags]
        errors = output.with_suffix(".txt")
        with open(output, "w", encoding="utf-8") as out, open(errors, "w", encoding="utf-8") as err:
            process = subprocess.Popen(
                command, cwd=self.sources / package, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err,
            )
            convert = ["go", "tool", "test2json", "-t", "-p", package]
            subprocess.run(convert, env=self.environment, stdin=process.stdout, stdout=out, check=True)
            process.stdout.close()
            process.wait()
        with open(output, encoding="utf-8", errors="replace") as lines:
            return outcomes.of(lines)


def recording(gotrace, trace):
    """What a trace tells of its own making."""
    with subprocess.Popen([gotrace, "dump", trace], stdout=subprocess.PIPE, text=True) as dump:
        recorded = outcomes.Recorded.of(dump.stdout)
    if dump.returncode != 0:
        raise subprocess.CalledProcessError(dump.returncode, f"gotrace dump {trace}")
    return recorded
