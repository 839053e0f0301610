"""Measures copies of programs whose functions tell of their calls (docs/trampolines.md), as an ordinary user.

Each part can be measured by itself, and again: what was measured is kept in target/bench/trampolines.json, and the
part of the page is made of all of it. As root, what has copies runs as the user `nobody`; probes of the kernel and
bpftrace, on the same functions, as root.
"""

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import counted
import measure
import paired
import recorders
from calls import beyond_free
from paired import Estimate, median, ratios
from table import added, exact, interval, judged, row

HERE = Path(__file__).parent
KEPT = Path("target/bench/trampolines.json")
PARTS = ("calls", "share", "gofmt", "every", "process", "plan")
# Batches, calls in each, threads, milliseconds between batches: what a batch tells fits into memory, and is read before
# the next one. The first million of records touch the ring's pages for the first time, which takes longer: there are many
# batches behind these. Of the kernel's probes, which nobody waits for, fewer.
BATCHES, BATCHES_OF_KERNEL, PAUSE = (40, 100_000), (10, 5_000), 30
# How often each part is measured; starts of tools are short, and differ much.
RUNS = 5
RUNS_OF_STARTS = 20
VERSIONS = ("1.21.13", "1.23.9", "1.25.5", "1.27.3")
# What takes a function out of the count: it is not one that checks its stack's size and has a frame, or it is the
# runtime's (src/binary/trampoline/place/mod.rs and exempt.rs).
NOT_COUNTED = ("does not check its stack's size", "written in assembly", "runtime", "syscall", "FIPS", "no frame", "fork", "the kernel probes no")
# How often a tool is started.
STARTS = 60
EVERY = ("--probe", "compile:*", "--probe", "link:*", "--call-mode", "aggregate")
NOBODY = 65534


class Bench:
    """What is measured, and what was before."""

    def __init__(self, gotrace, pairs, say):
        self.gotrace, self.pairs, self.say = gotrace, pairs, say
        self.kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}

    def keep(self, part, values):
        """Adds to what is kept of a part."""
        for name, value in values.items():
            self.kept.setdefault(part, {}).setdefault(name, []).append(value)
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        KEPT.write_text(json.dumps(self.kept), encoding="utf-8")

    def forget(self):
        """Begins anew."""
        self.kept = {}

    def measure(self, parts):
        """Measures these parts."""
        for part in parts:
            getattr(self, part)()

    @contextmanager
    def place(self):
        """A folder and environment of an ordinary user, and gotrace where they can reach it."""
        with measure.cold() as (folder, environment):
            for executable in (self.gotrace, f"{self.gotrace}-shim"):
                shutil.copy2(executable, folder)
            home = environment | {"HOME": folder, "XDG_CACHE_HOME": f"{folder}/caches", "GOFLAGS": "", "GOENV": "off"}
            Path(folder, ".config/go/telemetry").mkdir(parents=True)
            Path(folder, ".config/go/telemetry/mode").write_text("off", encoding="ascii")
            own(folder)
            yield Place(folder, home)

    def calls(self):
        """What an entry, and an entry and an exit cost, on one thread and on each processor."""
        cores = os.cpu_count()
        for number in range(RUNS):
            with self.place() as place:
                program = place.build(HERE / "calls.go")
                measured = {}
                for name, suffix in (("entry", ":entry"), ("both", "")):
                    probe = f"calls:main.recorded{suffix}"
                    for threads in (1, cores):
                        command = [program, "cost", *map(str, (*BATCHES, threads, PAUSE))]
                        text = place.record(["--backend", "patch", "--rate", "0", "--probe", probe], command)
                        measured[f"patch {name} {threads}"] = beyond(text)
                        measured.setdefault("lost", 0)
                        measured["lost"] += place.lost()
                        if os.geteuid() == 0:
                            command[2:4] = map(str, BATCHES_OF_KERNEL)
                            flags = ["--backend", "bpf", "--rate", "0", "--max-tax", "off", "--probe", probe]
                            measured[f"bpf {name} {threads}"] = beyond(place.record(flags, command, as_root=True))
                if shutil.which("bpftrace") and os.geteuid() == 0:
                    measured["bpftrace entry 1"] = beyond(place.bpftrace(program))
                self.keep("calls", measured)
                self.say(f"calls, {number + 1} of {RUNS}: {measured}")

    def share(self):
        """Of functions with a frame that check their stack's size, those that can tell of their entry and all exits."""
        for version in VERSIONS:
            for tool in ("compile", "link"):
                goroot = Path(f".tools/go-{version}").absolute()
                if not goroot.is_dir():
                    self.say(f"no {goroot}: scripts/setup --go {version}")
                    continue
                program = goroot / "pkg/tool/linux_amd64" / tool
                with self.place() as place:
                    place.record(["--backend", "patch", "--rate", "0", "--probe", f"{tool}:*"], [program, "-V=full"])
                    told, left = place.told()
                self.keep("share", {f"{tool} {version}": [told, left]})
                self.say(f"{tool} of Go {version}: {told:,} of {told + left:,}")

    def gofmt(self):
        """Pairs of plain builds and those with the set go-build. What that adds is less than what the machine's speed
        changes within a minute: so both builds of a pair run at once, each on one processor, and once more on that of
        the other."""
        flags = ["--backend", "patch"]
        with self.place() as plain, self.place() as traced:
            traced.build_in(traced.folder / "first", lambda command: traced.recorded(flags, command))
            for number in range(self.pairs):
                first = at_once(plain, traced, flags, (0, 1))
                second = at_once(plain, traced, flags, (1, 0))
                measured = {name: first[name][0] + second[name][0] for name in first}
                outputs = [one[name][1] for one in (first, second) for name in one]
                measured["same"] = all(one == outputs[0] for one in outputs)
                measured["outputs"] = len(outputs[0])
                measured["lost"] = traced.lost()
                self.keep("gofmt", measured)
                self.say(f"gofmt, pair {number + 1} of {self.pairs}: {measured}")

    def every(self):
        """The same with every function, counted while the command runs, where this gotrace can do that."""
        usage = subprocess.run([self.gotrace, "run", "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
        if "--call-mode" not in usage:
            self.say("this gotrace has no --call-mode")
            return
        self.builds("every", ["--backend", "patch", *EVERY])

    def builds(self, part, flags):
        """Pairs of cold builds, of which each begins with copies that were made before."""
        with self.place() as place:
            place.build_in(place.folder / "first", lambda command: place.recorded(flags, command))
            for number in range(self.pairs):
                measured, outputs = {}, {}
                for name in paired.order(("plain", "traced"), number):
                    wrap = (lambda c: c) if name == "plain" else lambda c: place.recorded(flags, c)
                    measured[name], outputs[name] = place.build_in(place.folder / "build", wrap)
                measured["same"] = outputs["plain"] == outputs["traced"]
                measured["outputs"] = len(outputs["plain"])
                measured["lost"] = place.lost()
                self.keep(part, measured)
                self.say(f"{part}, pair {number + 1} of {self.pairs}: {measured}")

    def process(self):
        """What a tool takes longer that runs by a copy, at the time of its start."""
        script = (HERE / "starts.py").read_text(encoding="utf-8")
        probes = {
            "alone": ["--backend", "toolexec", "--no-probes"],
            "set": ["--backend", "patch"],
            "every": ["--backend", "patch", "--probe", "compile:*"],
        }
        with self.place() as place:
            goroot = subprocess.check_output(["go", "env", "GOROOT"], text=True).strip()
            tool = f"{goroot}/pkg/tool/linux_amd64/compile"
            for number in range(RUNS_OF_STARTS):
                measured = {}
                for name in paired.order(probes, number):
                    text = place.record(probes[name], ["python3", "-c", script, tool, str(STARTS)])
                    # The first one makes the copy.
                    measured[name] = median([float(line) for line in text.split()][1:])
                self.keep("process", measured)
                self.say(f"process, {number + 1} of {RUNS_OF_STARTS}: {measured}")

    def plan(self):
        """Planning and writing the copy of the compiler, once for the set and once for all functions."""
        for number in range(RUNS):
            measured = {}
            for name, flags in (("set", []), ("every", ["--probe", "compile:*"])):
                with self.place() as place:
                    place.record(["--backend", "patch", "--rate", "0", *flags], ["go", "tool", "compile", "-V"])
                    settings = place.settings()
                    nanoseconds = settings.get("patch_ns:compile")
                    if nanoseconds is None:
                        continue
                    measured[name] = int(nanoseconds) / 1e9
            self.keep("plan", measured)
            self.say(f"plan, {number + 1} of {RUNS}: {measured}")

    def section(self, machine, load, loop_s):
        """The part of the page."""
        rows = [one for part in PARTS if part in self.kept for one in getattr(self, f"rows_of_{part}")(self.kept[part])]
        return [
            "## Trampolines", "",
            "Copies of programs whose functions tell of their calls, as an ordinary user (`scripts/bench --only trampolines`).",
            "Calls are those of the section above: batches of a function that tells and of one that does not, in turn; CPU time",
            f"of the calling thread. On {machine}; load before: {load:.1f}; calibrating loop: {loop_s:.3f} s.", "",
            "| figure | to reach | measured | verdict | beside it |", "|---|---|---|---|---|", *rows,
        ]

    def rows_of_calls(self, kept):
        """Of one thread, and of one on each processor."""
        ns = "{:,.1f} ns".format
        cores = os.cpu_count()
        for name, words, bound in (("entry", "an entry", 15), ("both", "an entry and an exit", 30)):
            for threads, where in ((1, "one thread"), (cores, f"{cores} threads at once")):
                cost = Estimate.of(kept[f"patch {name} {threads}"])
                beside = [f"{recorder} {ns(median(kept[f'{recorder} {name} {threads}']))}"
                          for recorder in ("bpf", "bpftrace") if f"{recorder} {name} {threads}" in kept]
                yield row(f"{words}, {where}", f"≤ {bound} ns", interval(cost, ns), judged(cost, bound, ns),
                          ", ".join(beside) or "-")
        lost = sum(kept["lost"])
        yield row("calls of these that were lost", "none", f"{lost:,}", exact(lost == 0), "-")

    def rows_of_share(self, kept):
        """Of each tool in all versions."""
        for tool in ("compile", "link"):
            found = {name.split()[1]: values[-1] for name, values in kept.items() if name.startswith(f"{tool} ")}
            shares = {version: told / (told + left) for version, (told, left) in found.items()}
            measured = ", ".join(f"{share:.2%} of {sum(found[version]):,} (Go {version})" for version, share in shares.items())
            yield row(f"functions of `{tool}` with a frame that check their stack's size, and can tell of entry and all exits",
                      "≥ 97 %", measured, exact(min(shares.values()) >= 0.97), "-")

    def rows_of_gofmt(self, kept):
        """Of the set."""
        yield from self.rows_of_builds(kept, "the set go-build, two builds at once", 1.015, "≤ 1.5 %", added)

    def rows_of_every(self, kept):
        """Of all functions."""
        yield from self.rows_of_builds(kept, "every function of compile and link that can tell, `--call-mode aggregate`",
                                       2.5, "≤ 2.5 times", "{:.2f} times".format)

    def rows_of_builds(self, kept, what, bound, reach, show):
        """What a build takes more, and what it leaves."""
        cost = Estimate.of(ratios(kept["traced"], kept["plain"]))
        lost, outputs = sum(kept["lost"]), min(kept["outputs"])
        yield row(f"CPU time of `go build cmd/gofmt` with {what}, {cost.pairs} pairs", reach, interval(cost, show),
                  judged(cost, bound, show), f"plain {min(kept['plain']):.2f} to {max(kept['plain']):.2f} s; calls lost: {lost:,}")
        yield row(f"the program and {outputs:,} outputs in the cache, with {what}", "identical",
                  f"in {sum(kept['same'])} of {cost.pairs} pairs", exact(all(kept["same"])), "-")

    def rows_of_process(self, kept):
        """Of a start."""
        ms = "{:+.2f} ms".format
        for name, words in (("set", "the set go-build"), ("every", "every function of `compile`")):
            more = Estimate.of([with_copy - alone for with_copy, alone in zip(kept[name], kept["alone"], strict=True)])
            yield row(f"a new process of `compile` by a copy that is there, {words}", "≤ 1 ms", interval(more, ms),
                      judged(more, 1, ms), f"without copies {median(kept['alone']):.1f} ms, shim included")

    def rows_of_plan(self, kept):
        """Of making a copy."""
        seconds = "{:.2f} s".format
        for name, words in (("set", "the set go-build"), ("every", "every function")):
            if name in kept:
                time = Estimate.of(kept[name])
                yield row(f"planning and writing the copy of `compile`, {words}", "≤ 0.5 s", interval(time, seconds),
                          judged(time, 0.5, seconds), "-")


class Place:
    """A folder of an ordinary user."""

    def __init__(self, folder, environment):
        self.folder, self.environment = Path(folder), environment

    def run(self, command, as_root=False, **changed):
        """Runs a command there; what it printed, and how it ran."""
        if os.geteuid() == 0 and not as_root:
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
        measured = measure.run(command, str(self.folder), self.environment | changed)
        own(self.folder)
        return (self.folder / "output").read_text(encoding="utf-8", errors="replace"), measured

    def recorded(self, flags, command):
        """A command under gotrace."""
        trace = str(self.folder / recorders.TRACE)
        return [str(self.folder / "gotrace"), "run", "--quiet", *flags, "-o", trace, "--", *map(str, command)]

    def record(self, flags, command, as_root=False):
        """Runs a command under gotrace; what it printed."""
        return self.run(self.recorded(flags, command), as_root)[0]

    def build(self, source):
        """Builds a Go program."""
        program = self.folder / source.stem
        copied = self.folder / source.name
        shutil.copy2(source, copied)
        self.run(["go", "build", "-o", str(program), str(copied)])
        return program

    def build_in(self, folder, wrap):
        """A cold build of gofmt: its CPU time, and what it leaves."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        own(folder)
        command = wrap(["go", "build", "-o", str(folder / "gofmt"), "cmd/gofmt"])
        _, measured = self.run(command, GOCACHE=str(folder / "cache"))
        outputs = sorted(path.name for path in (folder / "cache").glob("??/*-d"))
        return measured.cpu_s, [*outputs, hashlib.sha256((folder / "gofmt").read_bytes()).hexdigest()]

    def bpftrace(self, program):
        """The same batches with an entry that bpftrace counts."""
        batches = " ".join(map(str, (*BATCHES_OF_KERNEL, 1, PAUSE)))
        action = f'uprobe:{program}:"main.recorded" {{ @ = count(); }}'
        return self.run(["bpftrace", "-c", f"{program} cost {batches}", "-e", action], as_root=True)[0]

    def table(self, name):
        """A table of the last trace: of what was recorded there may be millions of rows in others, which take long to read."""
        command = [self.folder / "gotrace", "export", "--quiet", "--format", "csv", "--table", name, self.folder / recorders.TRACE]
        text = subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL)
        return list(csv.DictReader(io.StringIO(text)))

    def lost(self):
        """Calls that the last trace has not."""
        return sum(int(row["count"]) for row in self.table("losses") if row["what"] == "calls")

    def settings(self):
        """What the last trace says of its making."""
        return {row["key"]: row["value"] for row in self.table("settings")}

    def told(self):
        """How many functions tell, and how many of those that count do not."""
        left = 0
        for row in self.table("blind_spots"):
            if not any(why in row["why"] for why in NOT_COUNTED):
                words = row["what"].split()
                left += int(words[2]) if words[:2] == ["calls", "of"] and words[2].isdigit() else 1
        return len(self.table("probes")), left


def at_once(plain, traced, flags, processors):
    """A plain build and a traced one beside each other, each on a processor: of each its CPU time and what it leaves."""
    wraps = {"plain": (plain, lambda command: command), "traced": (traced, lambda command: traced.recorded(flags, command))}

    def build(name, processor):
        place, wrap = wraps[name]
        return place.build_in(place.folder / "build", lambda command: ["taskset", "-c", str(processor), *wrap(command)])

    with ThreadPoolExecutor() as pool:
        builds = {name: pool.submit(build, name, processor) for name, processor in zip(wraps, processors)}
    return {name: build.result() for name, build in builds.items()}


def beyond(text):
    """What a recorded call takes more than a free one: medians of a run."""
    return beyond_free(counted.costs(text))[0]


def own(folder):
    """Gives a folder to the ordinary user, where that is another one."""
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", folder], check=True)
