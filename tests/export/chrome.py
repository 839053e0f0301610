"""Reads Chrome's trace JSON by the rules of its Trace Event Format and prints what it says.

Lines, their fields between tabs: `slice CATEGORY PID THREAD-NAME NAME FROM TO`,
`arrow FROM-SLICE TO-SLICE`, `counter NAME TIME VALUE`, `instant NAME TIME`,
`process PID NAME`, `sample KIND PID WEIGHT FUNCTION...` (outermost first), `argv PID HEX...`.
Times are nanoseconds.
"""

from fractions import Fraction

import strict


def nanos(micros):
    time = Fraction(str(micros)) * 1000
    assert time.denominator == 1 and time >= 0, f"{micros} is no whole number of nanoseconds"
    return int(time)


def put(*fields):
    print(*(str(field).replace("\n", "\\n") for field in fields), sep="\t")


whole = strict.loads(strict.text())
assert whole["displayTimeUnit"] in ("ms", "ns")
threads, processes, slices, arrows, begun = {}, {}, {}, {}, {}
for event in whole["traceEvents"]:
    assert isinstance(event["name"], str)
    assert isinstance(event["pid"], int) and isinstance(event["tid"], int)
    time, thread = nanos(event["ts"]), (event["pid"], event["tid"])
    args = event.get("args", {})
    match event["ph"]:
        case "M" if event["name"] == "thread_name":
            assert thread not in threads or thread[0] != 0, "a lane is named once"
            threads[thread] = args["name"]
        case "M" if event["name"] == "process_name":
            processes[event["pid"]] = args["name"]
        case "M":
            assert event["name"] == "process_labels" and isinstance(args["labels"], str)
        case "X":
            slices.setdefault(thread, []).append((time, time + nanos(event["dur"]), event))
        case "B":
            begun.setdefault(thread, []).append((time, event))
        case "E":
            begin, event = begun[thread].pop()
            slices.setdefault(thread, []).append((begin, time, event))
        case "C":
            (value,) = args.values()
            assert isinstance(value, (int, float))
            put("counter", event["name"], time, value)
        case "i":
            assert event["s"] in "gpt"
            put("instant", event["name"], time)
        case "s" | "f" as phase:
            assert phase == "s" or event["bp"] == "e"
            key = event["cat"], event["name"], event["id"]
            ends = arrows.setdefault(key, {})
            assert phase not in ends, "an arrow has one beginning and one end"
            ends[phase] = thread, time
        case other:
            raise ValueError(f"phase {other}")

assert not any(begun.values()), "what begins ends"
for thread, of_thread in slices.items():
    open_until = []
    for begin, end, event in sorted(of_thread, key=lambda s: (s[0], -s[1])):
        while open_until and open_until[-1] <= begin:
            open_until.pop()
        assert not open_until or end <= open_until[-1], f"slices of {thread} cross: {event}"
        open_until.append(end)
        category = event["cat"]
        put("slice", category, thread[0], threads.get(thread, ""), event["name"], begin, end)
        if category == "process":
            args = event["args"]
            kept = args.get("bytes_hex", {})
            argv = enumerate(args["argv"])
            argv = [kept.get(f"argv.{at}") or text.encode().hex() for at, text in argv]
            put("argv", thread[0], *argv)


def enclosing(end):
    thread, time = end
    found = [s for s in slices[thread] if s[0] <= time <= s[1]]
    begins = [s for s in found if s[0] == time] or found
    return begins[0][2]["name"]


for ends in arrows.values():
    assert ends["s"][1] <= ends["f"][1], "an arrow goes forward in time"
    put("arrow", enclosing(ends["s"]), enclosing(ends["f"]))

frames = whole["stackFrames"]
for sample in whole["samples"]:
    names, at, seen = [], sample.get("sf"), set()
    while at is not None:
        assert at not in seen, "frames are a tree"
        seen.add(at)
        names.append(frames[at]["name"])
        at = frames[at].get("parent")
    nanos(sample["ts"])
    put("sample", sample["name"], sample["pid"], sample["weight"], *reversed(names))
for pid, name in processes.items():
    put("process", pid, name)
