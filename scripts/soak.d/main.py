"""Compares Go's own tests untraced and traced; scripts/soak starts this."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import outcomes

PACKAGES = ["runtime", "os/exec", "os/signal", "syscall", "net/http"]
PROBES = ["*:runtime.mallocgc:entry", "*:runtime.newproc*", "*:net/http.*"]
OUT = Path("target/soak").absolute()


def say(text):
    """Progress goes to stderr."""
    print(f"scripts/soak: {text}", file=sys.stderr, flush=True)


def main():
    """Tests each package; ends with 1 where something differs or was lost."""
    parser = argparse.ArgumentParser(prog="scripts/soak")
    parser.add_argument("--gotrace", required=True)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("packages", nargs="*", default=PACKAGES)
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    goroot = Path(subprocess.check_output(["go", "env", "GOROOT"], text=True).strip())
    complaints = []
    for package in options.packages:
        complaints += Soak(options.gotrace, goroot / "src", options.long).of(package)
    for complaint in complaints:
        print(complaint)
    say("nothing differs, nothing was lost" if not complaints else f"{len(complaints)} complaints")
    sys.exit(1 if complaints else 0)


class Soak:
    """A toolchain's tests, and the gotrace that is tried on them."""

    def __init__(self, gotrace, sources, long):
        self.gotrace, self.sources, self.flags = gotrace, sources, [] if long else ["-test.short"]
        self.environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "", "LC_ALL": "C"}

    def of(self, package):
        """What is wrong with a package."""
        name = package.replace("/", "-")
        trace = OUT / f"{name}.gotrace"
        probes = [flag for probe in PROBES for flag in ("--probe", probe)]
        run = [self.gotrace, "run", "--quiet", "--max-tax", "off", "-o", trace, *probes, "--"]
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
        for blind in recorded.blind:
            say(f"{package}: not seen: {blind}")
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


if __name__ == "__main__":
    main()
