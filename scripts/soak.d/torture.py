"""The program of tests/symbols/torture, again and again, by each Go toolchain."""

import os
import re
import subprocess
from pathlib import Path

from said import say

TESTS = ["torture::copies_tell_of_each_call_and_of_no_other", "torture::copies_drop_what_there_is_no_room_for"]
HELD = re.compile(r"^(\w+ [\w-]+) \[.*\]: (\d+) records$", re.MULTILINE)


def held(printed):
    """What a round says that it held: ways in which the program was linked and run, and the records of each."""
    return [(way, int(records)) for way, records in HELD.findall(printed)]


def toolchains(named):
    """Version and folder of what is in .tools/."""
    folders = [Path(f".tools/go-{version}").absolute() for version in named or []]
    if not named:
        folders = [path.absolute() for path in sorted(Path(".tools").glob("go-1.*")) if (path / "bin/go").is_file()]
    return {folder.name.removeprefix("go-"): folder for folder in folders if re.fullmatch(r"go-[0-9.]+", folder.name)}


def complaints(program, rounds, named):
    """Which rounds failed, and how."""
    complaints = []
    for version, folder in toolchains(named).items():
        runs, records = 0, 0
        environment = os.environ | {"PATH": f"{folder}/bin:{os.environ['PATH']}", "GOTOOLCHAIN": "local"}
        for number in range(rounds):
            round_of = subprocess.run(
                [program, "--exact", "--test-threads=1", "--show-output", *TESTS], env=environment, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            )
            ways = held(round_of.stdout)
            runs += len(ways)
            records += sum(count for _, count in ways)
            if round_of.returncode != 0 or not ways:
                complaints.append(f"Go {version}, round {number + 1}:\n{round_of.stdout}")
        say(f"Go {version}: {runs} runs, {records:,} entries and exits")
    return complaints
