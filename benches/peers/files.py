"""What the machine and DuckDB do with the same bytes and rows; answers one JSON object.

files.py bytes FILE: seconds of zlib's level 1 and of memcpy for the bytes of a file.
files.py files FOLDER ORDERS: checks that bridge.csv and bridge.parquet in the folder hold equal rows, and gives the seconds of DuckDB's
COPY of them for each order of the columns in the file ORDERS.
files.py questions ROWS QUESTIONS: the median seconds of DuckDB for each list of questions in a file, with the rows in memory and nothing made of
the answers but columns.
"""

import json
import statistics
import sys
import time
import zlib
from pathlib import Path

import duckdb


def seconds(work) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def of_bytes(file: str) -> dict:
    data = Path(file).read_bytes()
    target = bytearray(data)
    view = memoryview(target)

    def copy() -> None:
        view[:] = data

    return {
        "memcpy": statistics.median(seconds(copy) for _ in range(101)),
        "zlib": statistics.median(seconds(lambda: zlib.compress(data, 1)) for _ in range(11)),
        "version": zlib.ZLIB_RUNTIME_VERSION,
    }


def of_files(folder: str, orders: str) -> dict:
    base = duckdb.connect()
    base.execute(f"CREATE TABLE figures AS FROM '{folder}/bridge.parquet'")
    columns = {name: kind for name, kind, *_ in base.execute("DESCRIBE figures").fetchall()}
    base.execute(f"CREATE TABLE text AS FROM read_csv('{folder}/bridge.csv', header = true, columns = {columns})")
    # A text is never empty beside null in these tables, and a CSV cannot tell them apart.
    for left, right in (("figures", "text"), ("text", "figures")):
        different = base.execute(f"SELECT count(*) FROM (FROM {left} EXCEPT ALL FROM {right})").fetchone()[0]
        if different:
            raise SystemExit(f"{different} rows of {left} are not in {right}")
    base.execute("DROP TABLE text")
    times = {"csv": [], "parquet": []}
    for order in json.loads(Path(orders).read_text()):
        chosen = ", ".join(f'"{name}"' for name in order)
        for kind, taken in times.items():
            statement = f"COPY (SELECT {chosen} FROM figures) TO '{folder}/duckdb.{kind}' (FORMAT {kind})"
            taken.append(seconds(lambda: base.execute(statement)))
    return {
        "rows": base.execute("SELECT count(*) FROM figures").fetchone()[0],
        "csv": statistics.median(times["csv"]),
        "parquet": statistics.median(times["parquet"]),
        "version": duckdb.__version__,
    }


def of_questions(rows: str, questions: str) -> dict:
    base = duckdb.connect()
    base.execute(f"CREATE TABLE figures AS FROM read_json('{rows}', sample_size = -1, maximum_object_size = 1000000000)")
    taken = {}
    for name, statements in json.loads(Path(questions).read_text()).items():
        taken[name] = statistics.median(seconds(lambda: base.execute(one).fetchnumpy()) for one in statements)
    return {"version": duckdb.__version__, "seconds": taken}


kind, *arguments = sys.argv[1:]
print(json.dumps({"bytes": of_bytes, "files": of_files, "questions": of_questions}[kind](*arguments)))
