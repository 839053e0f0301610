#!/usr/bin/env python3
"""Makes the fixtures of this folder and the numbers that the tests expect of them.

graphs.py reduce GRAPH.json > NAME.jsonl   one action a line, times in ns since the first one
graphs.py expect NAME.jsonl... > expected.json

The second command knows nothing of gotrace: it computes from the definitions in the
documentation of `analyze::build`, by recursion and by brute force.
"""
import functools, json, re, sys
sys.setrecursionlimit(100_000)


def ns(text):
    day, hour, minute, second, part = re.match(
        r"\d+-\d+-(\d+)T(\d+):(\d+):(\d+)(?:\.(\d+))?Z", text).groups()
    whole = ((int(day) * 24 + int(hour)) * 60 + int(minute)) * 60 + int(second)
    return whole * 10**9 + int((part or "0").ljust(9, "0"))


def reduce(path):
    graph = json.load(open(path))
    first = min(ns(a["TimeReady"]) for a in graph)
    for a in graph:
        row = {key: a.get(key) for key in ("ID", "Mode", "Package", "Objdir", "Deps", "NeedBuild")}
        row |= {key: ns(a["Time" + key]) - first for key in ("Ready", "Start", "Done")}
        row["Cmds"] = len(a.get("Cmd") or [])
        print(json.dumps({k: v for k, v in row.items() if v not in (None, "", [])}))


def simulate(graph, slots, free=None):
    """Second by second list scheduling, without any heap: the simplest that can be right."""
    left = {a["ID"]: set(a.get("Deps", [])) for a in graph.values()}
    order = sorted(graph, key=lambda i: (graph[i]["Start"], graph[i]["place"]))
    running, now = [], 0
    while left or running:
        for i in order:
            if i in left and not left[i] and len(running) < slots:
                del left[i]
                # What the go command does to look into its cache it would still do.
                is_free = free and graph[i].get("Package") == free and graph[i]["Mode"] != "build check cache"
                cost = 0 if is_free else graph[i]["Done"] - graph[i]["Start"]
                running.append((now + cost, graph[i]["place"], i))
        now, _, done = min(running)
        running.remove(min(running))
        for deps in left.values():
            deps.discard(done)
    return now


def expect(path):
    rows = [json.loads(line) for line in open(path)]
    for place, a in enumerate(rows):
        a["place"] = place
    graph = {a["ID"]: a for a in rows}

    @functools.cache
    def chain(i):
        a = graph[i]
        return a["Done"] - a["Start"] + max((chain(d) for d in a.get("Deps", [])), default=0)

    at = max(a["Done"] for a in rows)
    sums, steps = {"running": 0, "waiting": 0, "go": 0}, []
    a = max(rows, key=lambda a: (a["Done"], -a["place"]))
    wall = at - min(a["Ready"] for a in rows)
    while a:
        for to, kind in ((a["Done"], "go"), (a["Start"], "running"), (a["Ready"], "waiting")):
            if to < at:
                sums[kind] += at - to
                if kind == "running":
                    steps.append(a["ID"])
                at = to
        deps = [graph[d] for d in a.get("Deps", [])]
        a = max(deps, key=lambda a: (a["Done"], -a["place"]), default=None)
    sums["go"] += at - min(a["Ready"] for a in rows)
    span = simulate(graph, 2)
    packages = sorted({a["Package"] for a in rows if "Package" in a},
                      key=lambda p: -sum(a["Done"] - a["Start"] for a in rows if a.get("Package") == p))
    return {
        "actions": len(rows), "wall": wall, **sums, "steps": steps[::-1],
        "longest_chain": max(map(chain, graph)),
        "slot_wait": sum(a["Start"] - a["Ready"] for a in rows),
        "span": span,
        "saved": {p: max(0, span - simulate(graph, 2, p)) for p in packages[:8]},
    }


if __name__ == "__main__":
    if sys.argv[1] == "reduce":
        reduce(sys.argv[2])
    else:
        print(json.dumps({path: expect(path) for path in sys.argv[2:]}, indent=1))
