#!/usr/bin/env python3
"""A dtrace that watches nothing and prints what a transcript beside it holds.

Lines of a transcript:

    when TEXT    it is for scripts that hold this; the first that fits is taken
    > TEXT       standard output; {pid} is the process (that of -p, or what -c starts), {wall} the wall clock in nanoseconds
    ! TEXT       standard error
    wait         until the process has ended
    exit CODE
"""

import glob
import os
import shlex
import subprocess
import sys
import time

BESIDE = os.path.dirname(os.path.abspath(sys.argv[0]))


def ended(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except OSError:
        return True


def option(letter):
    return sys.argv[sys.argv.index(letter) + 1]


def transcript(script):
    for path in sorted(glob.glob(f"{BESIDE}/*.transcript")):
        with open(path) as file:
            first, *lines = file.read().splitlines()
        if first.removeprefix("when ") in script:
            return lines
    sys.exit(f"no transcript is for this script:\n{script}")


def main():
    if sys.argv[1:] == ["-V"]:
        with open(f"{BESIDE}/version") as file:
            print(file.read(), end="")
        return 0
    child = None
    if "-c" in sys.argv:
        child = subprocess.Popen(shlex.split(option("-c")))
    pid = str(child.pid) if child else option("-p")
    with open(option("-s")) as file:
        script = file.read()
    with open(f"{BESIDE}/{pid}.asked", "a") as asked:
        asked.write(" ".join(sys.argv[1:]) + "\n" + script)
    for line in transcript(script):
        kind, _, text = line.partition(" ")
        text = text.replace("{pid}", pid).replace("{wall}", str(time.time_ns()))
        if kind == ">":
            print(text, flush=True)
        elif kind == "!":
            print(text, file=sys.stderr, flush=True)
        elif kind == "wait" and child:
            child.wait()
        elif kind == "wait":
            while not ended(pid):
                time.sleep(0.002)
        elif kind == "exit":
            return int(text)
    return 0


sys.exit(main())
