#!/usr/bin/env python3
"""Makes the fixtures of this folder from what strace and the go command wrote.

builds.py STRACE GRAPH.json OLD=NEW... > NAME.jsonl

STRACE is the output of
    strace -f -qq -ttt -s 1000000 -e signal=none -o STRACE \\
        -e trace=execve,clone,clone3,vfork,fork,chdir,exit_group \\
        go test -work -debug-actiongraph=GRAPH.json ...
Each line of the result is a process, the importcfg of one, or an action. Times are in
nanoseconds since the first exec. OLD=NEW replaces paths of the machine.
"""
import ast, json, os, re, sys, datetime


def strace(path):
    """Yields (pid, time, call, arguments, result), the halves of unfinished calls joined."""
    begun = {}
    for line in open(path, errors="surrogateescape"):
        pid, time, rest = re.match(r"(\d+) +(\d+\.\d+) (.*)", line).groups()
        pid, time = int(pid), int(time.replace(".", "")) * 1000
        if rest.endswith("<unfinished ...>"):
            begun[pid] = time, rest[: -len(" <unfinished ...>")]
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", rest)
        if resumed:
            time, half = begun.pop(pid)
            rest = half + resumed[1]
        call = re.match(r"(\w+)\((.*)\)\s+= (.*)", rest)
        if call:
            yield pid, time, call[1], call[2], call[3]


def processes(path):
    owner, cwd, current, rows = {}, {}, {}, []
    for pid, time, call, args, result in strace(path):
        process = owner.setdefault(pid, pid)
        if call in ("clone", "clone3", "vfork", "fork") and result.split()[0].isdigit():
            child = int(result.split()[0])
            owner[child] = process if "CLONE_THREAD" in args else child
            if owner[child] == child:
                cwd[child] = cwd.get(child, cwd.get(process, os.getcwd()))
                current[child] = ("forked", current.get(process))
        elif call == "chdir" and result == "0":
            cwd[process] = os.path.join(cwd.get(process, os.getcwd()), ast.literal_eval(args))
        elif call == "execve" and result == "0":
            exe, argv = re.match(r'("(?:[^"\\]|\\.)*"), (\[.*\]), 0x', args).groups()
            parent = current.get(process)
            row = {"process": len(rows), "start": time, "end": None,
                   "parent": parent[1] if isinstance(parent, tuple) else None,
                   "exe": ast.literal_eval(exe), "argv": ast.literal_eval(argv),
                   "cwd": cwd.get(process, os.getcwd())}
            rows.append(row)
            current[process] = row["process"]
        elif call == "exit_group" and isinstance(current.get(process), int):
            rows[current[process]]["end"] = time
    return rows


def main(trace, graph, *replace):
    rows = processes(trace)
    # A vfork returns only after the child's exec, so some parents are learned afterwards.
    first = min(row["start"] for row in rows)
    for row in rows:
        row["start"] -= first
        row["end"] -= first
    for row in list(rows):
        config = next((a for o, a in zip(row["argv"], row["argv"][1:]) if o == "-importcfg"), None)
        if config and os.path.exists(config):
            lines = open(config).read().splitlines()
            names = [l.split()[1].split("=")[0] for l in lines if l.startswith("packagefile ")]
            rows.append({"imports": row["process"], "packages": names})
    for a in json.load(open(graph)):
        row = {"action": a["ID"], "mode": a["Mode"], "package": a.get("Package", ""),
               "objdir": a.get("Objdir", ""), "deps": a.get("Deps") or [], "cmd": a.get("Cmd") or []}
        for key in ("Ready", "Start", "Done"):
            day, part = re.match(r"(.*?)(?:\.(\d+))?Z", a["Time" + key]).groups()
            at = datetime.datetime.fromisoformat(day + "+00:00").timestamp()
            row[key.lower()] = max(0, int(at) * 10**9 + int((part or "0").ljust(9, "0")) - first)
        rows.append(row)
    for row in rows:
        text = json.dumps(row)
        for pair in replace:
            text = text.replace(*pair.split("=", 1))
        print(text)


main(*sys.argv[1:])
