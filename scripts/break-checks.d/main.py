"""Breaks one check after the other in a build that has all of them, and asks tests; scripts/break-checks calls it.

Comes in: the list that examples/weave.rs printed, the program of the library's tests, and those of suites. The current
folder is that of the copy. Goes out: lines on standard output, and exit code 2 where something was missed.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

# Far more than the tests of a room take, and those of a suite.
SECONDS, SUITE_SECONDS = 30, 300
BYTES = 4 << 30


def limit():
    """A check that kept something small may be broken."""
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))


def run(command, **variables):
    """How a program of tests ends: `passed`, `failed`, or `endless`."""
    try:
        done = subprocess.run(
            command,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS if len(command) > 1 else SUITE_SECONDS,
            preexec_fn=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "endless"
    return "failed" if done.returncode else "passed"


def tests_of(place):
    """The modules whose tests are asked about a place: the file itself, its folder, then its room."""
    modules = re.sub(r"\.rs:.*", "", place).removeprefix("src/").removesuffix("/mod").split("/")
    room = 2 if modules[:2] == ["capture", "decode"] else 1
    parts = {len(modules), min(room + 1, len(modules)), room}
    return ["::".join(modules[:length]) for length in sorted(parts, reverse=True)]


def programs_for(place, library, suites):
    """All that is asked about a place, the quickest first."""
    return [[library, modules + "::"] for modules in tests_of(place)] + [[suite] for suite in suites]


def broken(check, library, suites):
    """What tests make of a broken check."""
    number, name = check
    for command in programs_for(name, library, suites):
        ended = run(command, BROKEN=number)
        if ended != "passed":
            return ended
    return "missed"


def met(errors, library, suites):
    """The numbers of the errors that tests meet while nothing is broken."""
    rooms = sorted({tests_of(place)[-1] for _, place in errors})
    with tempfile.NamedTemporaryFile("r") as numbers:
        for command in [[library, room + "::"] for room in rooms] + [[suite] for suite in suites]:
            if run(command, MET=numbers.name) != "passed":
                sys.exit(f"{' '.join(command)}: does not pass although nothing is broken")
        return set(numbers.read().split())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("woven")
    parser.add_argument("library")
    parser.add_argument("suites", nargs="*")
    given = parser.parse_args()
    begun = time.monotonic()
    with open(given.woven, encoding="utf-8") as lines:
        woven = [line.rstrip("\n").split("\t") for line in lines]
    checks = [(number, name) for kind, number, name in woven if kind == "check"]
    errors = [(number, place) for kind, number, place in woven if kind == "error"]

    known = met(errors, given.library, given.suites)
    unmet = [place for number, place in errors if number not in known]
    for place in unmet:
        print(f"unmet   {place}")
    ends = []
    with ThreadPoolExecutor(given.jobs) as pool:
        tried = pool.map(lambda check: broken(check, given.library, given.suites), checks)
        for (_, name), ended in zip(checks, tried):
            ends.append(ended)
            if ended != "failed":
                print(f"{ended:7} {name}", flush=True)
    missed, endless = ends.count("missed"), ends.count("endless")
    left = sum(kind == "left" for kind, _, _ in woven)
    print(
        f"{len(checks)} checks, {left} more that would not compile: {missed} missed, {endless} endless; "
        f"{len(errors)} errors: {len(unmet)} unmet; {time.monotonic() - begun:.0f} s"
    )
    return 2 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
