"""Holds a processed profile to what Firefox Profiler's format (version 60) says, and prints it.

Lines, their fields between tabs: `thread PID PROCESS-NAME NAME SAMPLES`,
`sample PID TIME WEIGHT FUNCTION...` (outermost first), `marker PID TYPE NAME FROM TO TEXT` (what its
chart shows; without an end `-`), `frame FUNCTION CATEGORY LIBRARY FILE LINE DEPTH`,
`shown PROCESS-NAME`, `gap LABEL VALUE`. Times are nanoseconds.
"""

import re
from fractions import Fraction

import strict


def put(*fields):
    print(*(str(field).replace("\n", "\\n") for field in fields), sep="\t")


def nanos(millis):
    return round(Fraction(str(millis)) * 1_000_000)


def table(value, *columns):
    """A table whose columns are as long as it says."""
    length = value["length"]
    for column in columns:
        assert len(value[column]) == length, f"{column} has {length} rows"
    others = {key for key in value if isinstance(value[key], list)} - set(columns)
    assert not others, f"columns that are not known: {others}"
    return length


def within(indices, length, none=(None,)):
    for index in indices:
        assert index in none or (isinstance(index, int) and 0 <= index < length), index


whole = strict.loads(strict.text())
meta, libs, shared = whole["meta"], whole["libs"], whole["shared"]
assert meta["preprocessedProfileVersion"] == 60
assert meta["interval"] > 0 and meta["symbolicated"] is True
assert meta["sampleUnits"] == {"time": "ms", "eventDelay": "ms", "threadCPUDelta": "ns"}

colours = "transparent purple green orange yellow lightblue blue brown magenta red lightred darkgrey grey"
categories = meta["categories"]
assert any(category["color"] == "grey" for category in categories)
for category in categories:
    assert category["color"] in colours.split() and category["subcategories"][0] == "Other"

formats = "string duration time seconds milliseconds microseconds nanoseconds bytes percentage integer decimal"
places = "marker-chart marker-table timeline-overview timeline-memory timeline-ipc timeline-fileio stack-chart"
schemas = {schema["name"]: schema for schema in meta["markerSchema"]}
assert len(schemas) == len(meta["markerSchema"])
for schema in schemas.values():
    assert set(schema["display"]) <= set(places.split())
    keys = [field["key"] for field in schema["fields"]]
    assert len(keys) == len(set(keys))
    assert all(field["format"] in formats.split() for field in schema["fields"])
    for label in "chartLabel", "tableLabel", "tooltipLabel":
        for name in re.findall(r"\{marker\.data\.(\w+)\}", schema.get(label, "")):
            assert name in keys, f"{schema['name']}: {label} shows {name}"

for lib in libs:
    assert set(lib) == {"arch", "name", "path", "debugName", "debugPath", "breakpadId", "codeId"}

strings = shared["stringArray"]
assert len(strings) == len(set(strings)) and all(isinstance(text, str) for text in strings)
sources, resources = shared["sources"], shared["resourceTable"]
functions, frames, stacks = shared["funcTable"], shared["frameTable"], shared["stackTable"]
table(sources, "uuid", "filename")
within(sources["filename"], len(strings), none=())
table(resources, "type", "lib", "name", "host")
within(resources["lib"], len(libs))
within(resources["name"], len(strings), none=())
assert set(resources["type"]) <= {1}
table(functions, "name", "isJS", "relevantForJS", "resource", "source", "lineNumber", "columnNumber")
within(functions["name"], len(strings), none=())
within(functions["resource"], resources["length"], none=(-1,))
within(functions["source"], sources["length"])
table(frames, "address", "inlineDepth", "category", "subcategory", "func", "nativeSymbol",
      "innerWindowID", "line", "column")
within(frames["func"], functions["length"], none=())
within(frames["category"], len(categories), none=())
assert all(address >= -1 for address in frames["address"])
assert table(shared["nativeSymbols"], "libIndex", "address", "name", "functionSize") == 0
table(stacks, "frame", "prefix")
within(stacks["frame"], frames["length"], none=())
for stack, prefix in enumerate(stacks["prefix"]):
    assert prefix is None or 0 <= prefix < stack, "callers stand before what they call"


def name_of(frame):
    return strings[functions["name"][frames["func"][frame]]]


for frame in range(frames["length"]):
    function = frames["func"][frame]
    resource, source = functions["resource"][function], functions["source"][function]
    lib = "-" if resource < 0 else libs[resources["lib"][resource]]["path"]
    file = "-" if source is None else strings[sources["filename"][source]]
    put("frame", name_of(frame), categories[frames["category"][frame]]["name"], lib, file,
        frames["line"][frame], frames["inlineDepth"][frame])

mains, keys = {}, set()
for thread in whole["threads"]:
    key = thread["pid"], thread["tid"]
    assert isinstance(key[0], str) and key not in keys, f"{key} stands twice"
    keys.add(key)
    if thread["isMainThread"]:
        assert thread["pid"] not in mains
        mains[thread["pid"]] = thread
    assert thread["processType"] == "default" and thread["pausedRanges"] == []
    samples, markers = thread["samples"], thread["markers"]
    length = table(samples, "stack", "time", "weight", "threadCPUDelta")
    assert samples["weightType"] == "tracing-ms"
    within(samples["stack"], stacks["length"])
    assert samples["time"] == sorted(samples["time"]), "times do not go back"
    put("thread", *key[:1], thread["processName"], thread["name"], length)
    for stack, time, weight, cpu in zip(*(samples[column] for column in
                                          ("stack", "time", "weight", "threadCPUDelta"))):
        assert nanos(weight) == cpu
        names = []
        while stack is not None:
            names.append(name_of(stacks["frame"][stack]))
            stack = stacks["prefix"][stack]
        put("sample", key[0], nanos(time), cpu, *reversed(names))
    table(markers, "data", "name", "startTime", "endTime", "phase", "category")
    within(markers["name"], len(strings), none=())
    within(markers["category"], len(categories), none=())
    for data, name, start, end, phase in zip(*(markers[column] for column in
                                               ("data", "name", "startTime", "endTime", "phase"))):
        schema = schemas[data["type"]]
        known = {field["key"]: field["format"] for field in schema["fields"]}
        for field, value in data.items():
            if field != "type":
                text = known[field] == "string"
                assert isinstance(value, str if text else (int, float)), f"{field}: {value}"
        assert phase == (0 if end is None else 1) and (end is None or end >= start)
        label = schema.get("chartLabel", "{marker.name}").replace("{marker.name}", strings[name])
        label = re.sub(r"\{marker\.data\.(\w+)\}", lambda found: str(data[found[1]]), label)
        put("marker", key[0], data["type"], strings[name], nanos(start),
            "-" if end is None else nanos(end), label)
assert set(mains) == {pid for pid, _ in keys}, "each process has a main thread"
within(meta["initialVisibleThreads"] + meta["initialSelectedThreads"], len(whole["threads"]), none=())
for position in meta["initialVisibleThreads"]:
    put("shown", whole["threads"][position]["processName"])
for section in meta["extra"]:
    for entry in section["entries"]:
        put("gap", entry["label"], entry["value"])
