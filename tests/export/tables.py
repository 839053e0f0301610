"""Reads tables as CSV (RFC 4180) and joins them by their numbers.

Standard input is a JSON object of tables by name. Lines of output, their fields between tabs:
`columns TABLE NAME...`, `rows TABLE COUNT`,
`process PID TOOL PACKAGE PARENT-PID START END STATUS EXIT-CODE SIGNAL USER SYSTEM`,
`argv PID HEX...`, `action KIND PACKAGE TOOL OUTCOME READY START END CRITICAL`,
`need PACKAGE NEEDED-PACKAGE`, `phase PID TRACK PHASE START END`,
`sample KIND PID WEIGHT FUNCTION...` (outermost first), `sampled-in PID TIME TRACK PHASE`,
`call FUNCTION STACK-OF GOROUTINE START TOTAL SELF END INTEGER TEXT`,
`bind SYMBOL IMPORTER PROVIDER HOW KIND ADDRESS SLOT`, `load IMAGE CAUSE SLIDE`.
No value is printed as `-`.
"""

import csv
import io

import strict


def rows(text):
    ends = text.replace("\r\n", "")
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert text.endswith("\r\n")
    # Line breaks of their own stand within quotes alone.
    assert ends.count("\n") == sum(cell.count("\n") for line in lines for cell in line)
    names, *lines = lines
    assert len(set(names)) == len(names)
    assert all(len(line) == len(names) for line in lines)
    return names, [dict(zip(names, line)) for line in lines]


def put(*fields):
    print(*("-" if field == "" else str(field) for field in fields), sep="\t")


def of(row, *names):
    return [row[name] for name in names]


tables = {}
for name, text in strict.loads(strict.text()).items():
    names, tables[name] = rows(text)
    put("columns", name, *names)
    put("rows", name, len(tables[name]))


def by(table, *keys):
    found = {tuple(of(row, *keys)): row for row in tables[table]}
    assert len(found) == len(tables[table]), f"{keys} tell the rows of {table} apart"
    return found


process = by("processes", "process")
image = by("images", "image")
stack = by("stacks", "stack")
frame = by("frames", "frame", "position")
by("probes", "probe")
action = by("actions", "build", "number")


def pid(row):
    return process[row["process"],]["pid"]


for row in tables["processes"]:
    parent = row["parent"] and process[row["parent"],]["pid"]
    whole = of(row, "pid", "tool", "package") + [parent]
    put("process", *whole, *of(row, "start_ns", "end_ns", "status", "exit_code", "signal"),
        *of(row, "user_ns", "system_ns"))
    arguments = [a for a in tables["arguments"] if a["process"] == row["process"]]
    assert [int(a["position"]) for a in arguments] == list(range(len(arguments)))
    put("argv", row["pid"], *(a["bytes_hex"] or a["argument"].encode().hex() for a in arguments))
for row in tables["actions"]:
    assert int(row["wall_ns"]) == int(row["end_ns"]) - int(row["start_ns"])
    put("action", *of(row, "kind", "package", "tool", "outcome"),
        *of(row, "ready_ns", "start_ns", "end_ns", "critical"))
for row in tables["dependencies"]:
    needs = action[row["build"], row["needs"]]
    put("need", action[row["build"], row["number"]]["package"], needs["package"])
for row in tables["phases"]:
    put("phase", pid(row), *of(row, "track", "phase", "start_ns", "end_ns"))
for row in tables["samples"]:
    names, at = [], row["stack"]
    while at != "0":
        found = stack[at,]
        position = 0
        while (found["frame"], str(position)) in frame:
            names.append(frame[found["frame"], str(position)]["name"])
            position += 1
        assert position > 0
        at = found["callers"]
    assert row["function"] == (names[0] if names else "")
    put("sample", *of(row, "kind"), pid(row), row["weight_ns"], *reversed(names))
    if row["phase"]:
        put("sampled-in", pid(row), *of(row, "time_ns", "track", "phase"))
for row in tables["calls"]:
    pid(row)
    put("call", *of(row, "function", "stack_of", "goroutine", "start_ns", "total_ns", "self_ns"),
        *of(row, "end", "argument_integer", "argument_text"))
for row in tables["bindings"]:
    provider = row["provider"] and image[row["provider"],]["path"]
    symbol = row["symbol"].encode().hex()
    put("bind", symbol, image[row["importer"],]["path"], provider,
        *of(row, "how", "kind", "address", "slot"))
for row in tables["loads"]:
    put("load", image[row["image"],]["path"], *of(row, "cause", "slide"))
