"""CSV and Parquet of the ten choices, whole: each row as pandas, Polars and DuckDB read it is the feed's."""

import datetime
import decimal
import io
import re

import duckdb
import pandas as pd
import polars as pl
import requests
from duckdb_extensions import import_extension

from choices import CHOICES, NO_ROWS, Choice, feed
from figures import root, same

INSTANTS, DAYS = {"Opdateret"}, {"Fra", "Til"}


def value(name: str, found, is_number: bool):
    """A value as every reader gives it: numbers as floats, days and instants as such, nothing as None."""
    if found is None or found is pd.NaT or found is pd.NA or found != found or found == "":
        return None
    if name in INSTANTS:
        return datetime.datetime.fromisoformat(str(found)).astimezone(datetime.UTC)
    if name in DAYS:
        return datetime.date.fromisoformat(str(found)[:10])
    if is_number:
        assert isinstance(found, int | float | decimal.Decimal | str), (name, found)
        return float(str(found).replace(",", "."))
    assert isinstance(found, str), (name, found)
    return found


def unguarded(found, expected):
    """A text of a CSV file without the apostrophes before what a spreadsheet would take for a formula."""
    assert not (isinstance(expected, str) and found[:1] in {"=", "+", "@"}), found
    is_guarded = isinstance(expected, str) and found != expected and re.search("[=+@-]", expected)
    return expected if is_guarded and found.replace("'", "") == expected.replace("'", "") else found


def rows_of(columns: list[str], rows, numbers: set[str]) -> list[list]:
    return [[value(name, found, name in numbers) for name, found in zip(columns, row, strict=True)] for row in rows]


def from_pandas(frame: pd.DataFrame):
    return list(frame.columns), frame.astype(object).itertuples(index=False)


def from_polars(frame: pl.DataFrame):
    return frame.columns, frame.iter_rows()


def from_duckdb(query: str):
    found = duckdb.sql(query).to_arrow_table()
    return found.column_names, zip(*found.to_pydict().values(), strict=True)


def readers(files: dict[str, str], content: dict[str, bytes]) -> dict:
    """What reads each file. CSV has no types: its fields are read as text, and an empty one is nothing."""
    csv, danish, parquet = (io.BytesIO(content[name]) for name in ("csv", "danish", "parquet"))
    texts = {"dtype": "string", "keep_default_na": False}
    return {
        "pandas, CSV": lambda: from_pandas(pd.read_csv(csv, **texts)),
        "pandas, Danish CSV": lambda: from_pandas(pd.read_csv(danish, sep=";", encoding="utf-8-sig", **texts)),
        "pandas, Parquet": lambda: from_pandas(pd.read_parquet(parquet)),
        "Polars, CSV": lambda: from_polars(pl.read_csv(content["csv"], infer_schema=False)),
        "Polars, Parquet": lambda: from_polars(pl.read_parquet(content["parquet"])),
        "DuckDB, CSV": lambda: from_duckdb(f"FROM read_csv('{files['csv']}', header = true, all_varchar = true)"),
        "DuckDB, Parquet": lambda: from_duckdb(f"FROM read_parquet('{files['parquet']}')"),
    }


def reads(service: str, choice: Choice) -> None:
    rows = feed(service, choice)
    address = f"{service}/export/{choice.path}"
    files = {ending: f"{address}.{ending}?{choice.query}" for ending in ("csv", "parquet")}
    files["danish"] = f"{files['csv']}&dialekt=dansk"
    content = {}
    for name, file in files.items():
        answer = requests.get(file, timeout=120)
        assert answer.ok, (file, answer.text)
        content[name] = answer.content
    numbers = {name for row in rows for name, found in row.items() if isinstance(found, int | float)}
    for reader, read in readers({name: file.replace("'", "''") for name, file in files.items()}, content).items():
        columns, found = read()
        found = rows_of(columns, found, numbers)
        if rows:
            same(f"columns, {reader}, {choice.what}", list(columns), list(rows[0]))
        same(f"rows, {reader}, {choice.what}", len(found), len(rows))
        expected = rows_of(columns, (row.values() for row in rows), numbers)
        if reader.endswith("CSV"):
            found = [list(map(unguarded, *pair)) for pair in zip(found, expected, strict=True)]
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            same(f"{reader}, {choice.what}, row {number}", one, other)


if __name__ == "__main__":
    import_extension("httpfs")
    for chosen in (*CHOICES, NO_ROWS):
        reads(root(), chosen)
    print(f"{len(CHOICES) + 1} choices")
