"""Prints the key paths of each JSON object on standard input, and each argv byte for byte.

Objects stand on lines of their own, or there is one over many lines. A line of output is
`key RECORD PATH` or `argv PROCESS HEX...`; items of lists have the path of their list.
"""

import strict


def paths(value, path):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield path + (key,)
            if key != "bytes_hex":
                yield from paths(inner, path + (key,))
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, path)


def restored(row):
    kept = row.get("bytes_hex", {})
    for position, text in enumerate(row["argv"]):
        hexadecimal = kept.get(f"argv.{position}")
        yield hexadecimal or text.encode().hex()


def argvs(whole):
    rows = [whole] if whole.get("record") == "process" else whole.get("rows", [])
    for row in rows:
        if "argv" in row:
            print("argv", row["process"], *restored(row))


text = strict.text()
lines = text.splitlines() if text.startswith('{"record"') else [text]
seen = {}
for line in lines:
    whole = strict.loads(line)
    record = whole.get("record") or whole.get("by") or whole["schema"]
    for path in paths(whole, ()):
        seen[record, path] = None
    argvs(whole)
for record, path in seen:
    print("key", record, ".".join(path))
