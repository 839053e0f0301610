"""Reads tables as Parquet with Arrow's own reader, and holds them to the same tables as CSV.

Standard input and lines of output are those of parquet.py, of which these are left: `rows TABLE COUNT`,
`on-cpu NANOSECONDS`, `cpu TOOL NANOSECONDS`.
"""

import csv
import io
from collections import Counter

import pyarrow.parquet
import strict

asked = strict.loads(strict.text())


def shown(value):
    """As CSV has it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


tables = {}
for name, text in asked["csv"].items():
    table = pyarrow.parquet.read_table(f"{asked['folder']}/{name}.parquet")
    tables[name] = table.to_pylist()
    names, *expected = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert table.column_names == names, f"{name}: {table.column_names}"
    rows = [[shown(value) for value in row.values()] for row in tables[name]]
    assert rows == expected, f"{name} differs from its CSV"
    print("rows", name, len(rows), sep="\t")

on_cpu = (sample["weight_ns"] for sample in tables["samples"] if sample["kind"] == "on_cpu")
print("on-cpu", sum(on_cpu), sep="\t")
cpu = Counter()
for process in tables["processes"]:
    cpu[process["tool"]] += (process["user_ns"] or 0) + (process["system_ns"] or 0)
for tool in sorted(cpu):
    print("cpu", tool, cpu[tool], sep="\t")
