"""Asks a dataset of Parquet the questions of this folder: ask.py ENGINE DATASET, ENGINE duckdb or spark.

The dataset is DATASET/date=D/repository=R/host=H/revision=V/run=N/TABLE.parquet. Fails where the answers are
not what examples/fleet.rs has planted.
"""

import os
import pathlib
import sys

TABLES = ["traces", "actions"]
PARTITIONS = "/*" * 5


def duckdb_rows(dataset):
    import duckdb

    base = duckdb.connect()
    for table in TABLES:
        files = f"{dataset}{PARTITIONS}/{table}.parquet"
        base.execute(f"CREATE VIEW {table} AS FROM read_parquet('{files}', hive_partitioning = true)")

    def rows(question):
        answer = base.execute(question)
        return [column[0] for column in answer.description], answer.fetchall()

    return rows, base.close


def spark_rows(dataset):
    import pyspark
    from pyspark.sql import SparkSession

    # Workers are started from there, and nobody else is to reach them.
    os.environ.setdefault("SPARK_HOME", str(pathlib.Path(pyspark.__file__).parent))
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    # Two workers, each a process of its own with a core and a gibibyte.
    cluster = SparkSession.builder.master("local-cluster[2,1,1024]")
    spark = cluster.config("spark.ui.showConsoleProgress", False).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    for table in TABLES:
        files = f"{dataset}{PARTITIONS}/{table}.parquet"
        spark.read.option("basePath", dataset).parquet(files).createOrReplaceTempView(table)

    def rows(question):
        answer = spark.sql(question)
        return answer.columns, [tuple(row) for row in answer.collect()]

    # Workers that are left to end with this process have a hundred lines to say about that.
    return rows, spark.stop


def planted(name, rows):
    if name == "slowest":
        return rows[0][0] == "web/templates"
    if name == "regressions":
        return [(row[0], int(row[1])) for row in rows] == [("billing/ledger", 20)]
    return [row[:2] for row in rows] == [("mac-2", "rosetta")] and 1.7 < rows[0][3] < 1.9


engine, dataset = sys.argv[1:]
ask, close = {"duckdb": duckdb_rows, "spark": spark_rows}[engine](dataset)
wrong = []
for path in sorted(pathlib.Path(__file__).parent.glob("*.sql")):
    columns, rows = ask(path.read_text())
    print(f"\n{engine}: {path.stem}")
    lines = [columns] + [[str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print("  ".join(value.ljust(width) for value, width in zip(line, widths)).rstrip())
    if not planted(path.stem, rows):
        wrong.append(path.stem)
close()
if wrong:
    sys.exit(f"{engine}: not what was planted: {', '.join(wrong)}")
