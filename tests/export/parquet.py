"""Reads tables as Parquet with DuckDB, and holds them to the same tables as CSV.

Standard input is a JSON object: `folder` has TABLE.parquet of each of `csv`, the tables by name.
Lines of output, their fields between tabs: `column TABLE NAME TYPE REPETITION`, `said TABLE KEY VALUE`,
`group TABLE ROWS COMPRESSION...`, `rows TABLE COUNT`, `on-cpu NANOSECONDS`, `cpu TOOL NANOSECONDS`.
"""

import csv
import io

import duckdb
import strict

asked = strict.loads(strict.text())
base = duckdb.connect()


def put(*fields):
    print(*fields, sep="\t")


def path(table):
    return f"{asked['folder']}/{table}.parquet"


def ask(question, *values):
    return base.execute(question, values).fetchall()


def shown(value):
    """As CSV has it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


for name, text in asked["csv"].items():
    file = path(name)
    repetitions = dict(ask("SELECT name, repetition_type FROM parquet_schema(?)", file))
    for column, kind, *_ in ask("DESCRIBE SELECT * FROM read_parquet(?)", file):
        put("column", name, column, kind, repetitions[column])
    for key, value in ask("SELECT key, value FROM parquet_kv_metadata(?)", file):
        put("said", name, key.decode(), value.decode())
    groups = ask(
        "SELECT row_group_num_rows, list(DISTINCT compression) FROM parquet_metadata(?)"
        " GROUP BY row_group_id, row_group_num_rows ORDER BY row_group_id", file)
    for rows, compressions in groups:
        put("group", name, rows, *compressions)
    rows = [[shown(value) for value in row] for row in ask("SELECT * FROM read_parquet(?)", file)]
    names, *expected = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert rows == expected, f"{name} differs from its CSV"
    put("rows", name, len(rows))

for (weight,) in ask(
        "SELECT sum(weight_ns) FROM read_parquet(?) WHERE kind = 'on_cpu'", path("samples")):
    put("on-cpu", weight)
for tool, cpu in ask(
        "SELECT tool, sum(user_ns + system_ns) FROM read_parquet(?) GROUP BY tool ORDER BY tool",
        path("processes")):
    put("cpu", tool, cpu)
