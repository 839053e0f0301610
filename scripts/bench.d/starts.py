"""Starts a tool by what GOFLAGS say, as a go command does; prints the milliseconds of each. Asked for its full
version it would run from its own file, for go commands compare what it says.

`python3 starts.py TOOL TIMES`, under gotrace.
"""

import os
import shlex
import subprocess
import sys
import time

wrapper = next(flag for flag in shlex.split(os.environ["GOFLAGS"]) if flag.startswith("-toolexec="))
command = [*shlex.split(wrapper.removeprefix("-toolexec=")), sys.argv[1], "-V"]
for _ in range(int(sys.argv[2])):
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    print((time.perf_counter() - begun) * 1000)
