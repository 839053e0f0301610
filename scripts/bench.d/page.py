"""The page of results: the table of promises first, then what was measured to judge them."""

import page_of_calls
from paired import Estimate, median, ratios
from table import added, exact, interval, judged, judged_least, row


def share(part, whole):
    """A part of a whole in percent."""
    return f"{100 * part / whole:.1f} %" if whole else "none"


def cost(results, name, base="plain"):
    """The paired CPU ratios of a recorder to another one."""
    cpu = {key: [run.cpu_s for run in runs] for key, runs in results.runs.items()}
    return Estimate.of(ratios(cpu[name], cpu[base])) if name in cpu and base in cpu else None


def rows(results):
    """The table of promises, in the order in which they were made."""
    perf, strace = cost(results, "perf 999 Hz"), cost(results, "strace")
    beside = interval(perf, added) if perf else "not installed"
    tree, samples, default = (cost(results, name) for name in ("tree", "samples", "default"))
    fast, fast_to_perf = cost(results, "999 Hz"), cost(results, "999 Hz", "perf 999 Hz")
    yield row("added CPU, process tree and build graph only", "≤ 2 %", interval(tree, added),
              judged(tree, 1.02, added), f"strace {interval(strace, added)}" if strace else "-")
    yield row("added CPU with samples at 999 Hz", "no more than perf's", interval(fast, added),
              f"{judged(fast_to_perf, 1.0, added)} (to perf's {interval(fast_to_perf, added)})"
              if fast_to_perf else "nothing to compare with", f"perf {beside}")
    dump = results.dumps["samples"]
    enough = "" if dump.samples >= 2000 else " (but too few samples)"
    yield row(f"added CPU at the default rate ({dump.rate_hz} Hz, {dump.samples:,} samples)",
              "≤ 2 %, ≥ 2,000 samples", interval(samples, added), judged(samples, 1.02, added) + enough, "-")
    dump = results.dumps["default"]
    watched = "" if dump.calls else " (but no function was watched)"
    yield row(f"added CPU of a default run, with the functions of go-build, too ({dump.calls:,} entries and exits)",
              "≤ 4 %", interval(default, added), judged(default, 1.04, added) + watched, "-")
    yield from counts(results)
    yield from limits(results)


def counts(results):
    """Promises about what is in a trace."""
    dump = results.dumps["999 Hz"]
    beside = f"perf {share(results.perf.rooted, results.perf.compile_samples)}" if results.perf else "-"
    yield row(f"samples of `compile` that reach a root ({dump.compile_samples:,} at 999 Hz)", "≥ 99 %",
              share(dump.rooted, dump.compile_samples),
              exact(dump.compile_samples and dump.rooted >= 0.99 * dump.compile_samples), beside)
    seen = results.dumps["tree"].processes
    yield row("rows against successful execs", "equal", f"{seen}",
              exact(seen == results.execs) if results.execs else "nothing to compare with",
              f"strace {results.execs}" if results.execs else "-")
    size = results.bytes_per_sample.get("999 Hz")
    smaller = results.bytes_per_sample.get("samples")
    beside = f"perf {results.perf_bytes / results.perf.samples:.0f}" if results.perf and results.perf.samples else "-"
    measured = f"{size:.1f} at 999 Hz" if size else "no samples"
    if smaller:
        measured += f", {smaller:.1f} at the default rate"
    yield row("trace bytes per sample, names included", "≤ 25", measured, exact(size and size <= 25), beside)


def limits(results):
    """Promises about memory and speed."""
    mib = lambda kib: f"{kib / 1024:.1f} MiB"
    peak, four = Estimate.of(results.rss_kib), Estimate.of(results.rss_four_kib)
    growth = Estimate.of(ratios(results.rss_four_kib, results.rss_kib))
    yield row("peak RSS (VmHWM)", "≤ 96 MiB", f"{interval(peak, mib)}; at 999 Hz {mib(median(results.rss_999_kib))}",
              judged(peak, 96 * 1024, mib), "-")
    yield row("peak RSS for four builds in a row, to that for one", "≤ +10 %",
              f"{interval(growth, added)} ({mib(four.median)})", judged(growth, 1.10, added), "-")
    seconds = "{:.2f} s".format
    summary = Estimate.of(results.summary_s)
    yield row("command's exit to summary on screen", "≤ 0.5 s", interval(summary, seconds),
              judged(summary, 0.5, seconds), "-")
    million = lambda rate: f"{rate / 1e6:.1f} million"
    rate = Estimate.of(results.decoded_per_s)
    yield row("samples decoded a second, one core", "≥ 20 million", interval(rate, million),
              judged_least(rate, 20e6, million),
              "uftrace 8.7 million (published with its measurement elsewhere)")


def functions(measured):
    """The part about function calls."""
    return [
        "## Function calls", "",
        "Functions of one Go process that are made of the same instructions: one recorded, one with an empty BPF",
        "program, attached likewise (uprobe_multi), one with nothing. Batches of calls alternate; a cost is CPU",
        "time of the calling thread, less that of the function with nothing. bpftrace prints time, process,",
        "thread, goroutine and depth, in a run beside.", "",
        "| figure | to reach | measured | verdict | beside it |", "|---|---|---|---|---|",
        *page_of_calls.rows(measured),
    ]


def absolute(results):
    """CPU and wall seconds of each recorder."""
    for name, runs in results.runs.items():
        ratio = cost(results, name)
        yield (f"| {name} | {median([run.cpu_s for run in runs]):.2f} | {median([run.wall_s for run in runs]):.2f} "
               f"| {interval(ratio, added) if name != 'plain' else '-'} |")


def write(results):
    """The whole page."""
    options = results.options
    flags = f" --pairs {options.pairs}" if options.pairs != 20 and not options.quick else ""
    command = f"scripts/bench{flags}{' --quick' if options.quick else ''}{' --peers' if options.peers else ''}"
    warning = "\n**Made with --quick: this checks the harness and measures nothing.**\n" if options.quick else ""
    own = ", ".join(f"{name} {dump.own_cpu_s:.2f} s" for name, dump in results.dumps.items())
    lost = ", ".join(f"{name} {dump.lost}" for name, dump in results.dumps.items())
    lines = [
        "# Benchmarks", warning,
        f"Made by `{command}`. Each round runs a cold `go build cmd/gofmt` once plain and once under each",
        "recorder, forwards in one round and backwards in the next. Added CPU is the median of the paired",
        "ratios of CPU time (the whole tree and the recorder, as the kernel counts it), with the 95 % interval",
        "of the median by bootstrap. \"Reached\" means that the whole interval is within the bound, \"missed\"",
        "that it is outside, else nothing is resolved. No run is discarded.", "",
        f"- machine: {results.machine}; load before: {results.load_before:.1f}",
        f"- calibrating loop (5 million additions in Python): {results.loop_s:.3f} s",
        f"- {results.go}; gotrace's backend: {results.dumps['default'].backend}",
        f"- rounds: {options.pairs}", "",
        "| figure | to reach | measured | verdict | beside it |", "|---|---|---|---|---|",
        *rows(results), "",
        *functions(results.calls), "",
        *results.compared.section(results.machine, results.load_before, results.loop_s), "",
        *results.reported.section(results.machine, results.load_before, results.loop_s), "",
        *results.inspected.section(results.machine, results.load_before, results.loop_s), "",
        *results.bound.section(results.machine, results.load_before, results.loop_s), "",
        *results.copied.section(results.machine, results.load_before, results.loop_s), "",
        "## Seconds", "", "| recorder | CPU s, median | wall s, median | added CPU |", "|---|---|---|---|",
        *absolute(results), "",
        f"CPU time of gotrace's own process while the command ran: {own}. Events lost: {lost}.", "",
    ]
    return "\n".join(lines)
