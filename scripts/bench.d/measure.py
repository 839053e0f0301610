"""Runs a command and measures it from outside: CPU time of its tree, wall time, peak memory."""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """What one run took. `cpu_s` holds user and system time of all processes that were waited for, `max_rss_kib` the
    largest of them (the command alone, where it starts none)."""

    cpu_s: float
    wall_s: float
    ended_at: float
    peak_rss_kib: int = 0
    max_rss_kib: int = 0


class Failed(Exception):
    """A command that did not end with 0."""


@contextmanager
def cold():
    """A folder to build in, and an environment whose build cache in it is empty."""
    folder = tempfile.mkdtemp(prefix="gotrace-bench-")
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "USER") if name in os.environ}
    environment = keep | {"GOCACHE": folder + "/cache", "GOTOOLCHAIN": "local", "LC_ALL": "C"}
    try:
        yield folder, environment
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(command, folder, environment, watch_memory=False):
    """Runs a command to its end; its output goes to a file that a failure shows."""
    with open(folder + "/output", "w+b") as output:
        start = time.time()
        child = subprocess.Popen(
            command, cwd=folder, env=environment,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )
        peak = Peak(child.pid) if watch_memory else None
        _, status, usage = os.wait4(child.pid, 0)
        ended = time.time()
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            output.seek(0)
            text = output.read().decode(errors="replace")
            raise Failed(f"{command} ended with {child.returncode}:\n{text}")
    return Run(
        cpu_s=usage.ru_utime + usage.ru_stime,
        wall_s=ended - start,
        ended_at=ended,
        peak_rss_kib=peak.stop() if peak else 0,
        max_rss_kib=usage.ru_maxrss,
    )


class Peak:
    """Reads the VmHWM of one process (not of its children) until it ends.

    The kernel only lets it grow, so what is missed is the growth of the last millisecond or so.
    """

    def __init__(self, pid):
        self.kib = 0
        self.status = f"/proc/{pid}/status"
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        """Reads until the process is gone, or `stop` is called."""
        while not self.ended.wait(0.001):
            try:
                with open(self.status, encoding="ascii", errors="replace") as status:
                    self.kib = max(self.kib, high_water_kib(status.read()))
            except OSError:
                return

    def stop(self):
        """Ends the reading, and returns the peak in KiB."""
        self.ended.set()
        self.thread.join()
        return self.kib


def high_water_kib(status):
    """VmHWM of a /proc/PID/status; 0 for a zombie, which has none."""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def calibrate():
    """Seconds for a fixed loop of Python: the median of five, to tell machines apart."""
    times = []
    for _ in range(5):
        start = time.process_time()
        total = 0
        for i in range(5_000_000):
            total += i & 7
        times.append(time.process_time() - start)
    return sorted(times)[2]


def machine():
    """The machine in a few words."""
    cpu, virtual = "unknown processor", False
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                cpu = value.strip()
            virtual = virtual or key.strip() == "flags" and " hypervisor" in value
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kind = "virtual machine" if virtual else "no virtual machine"
    return f"{os.cpu_count()} × {cpu} ({kind}), {memory:.0f} GiB, Linux {os.uname().release}"
