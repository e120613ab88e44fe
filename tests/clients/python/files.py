"""Files as readers that seek in them read them: Polars, pyarrow over fsspec, pandas and DuckDB, against the published figures."""

import urllib.parse

import duckdb
import fsspec
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import requests
from duckdb_extensions import import_extension

from figures import COUNTRY, FULL_TIME, FULL_TIME_COLUMN, PERIOD, PERSONS, PERSONS_COLUMN, root, same

COLUMNS = ["Periode", "Område", PERSONS_COLUMN, FULL_TIME_COLUMN]
FIGURES = (PERIOD, COUNTRY, PERSONS, FULL_TIME)


def address(set_name: str, ending: str, **options: str) -> str:
    query = "&".join(f"${name}={urllib.parse.quote(value)}" for name, value in options.items())
    return f"{root()}/export/y25i01/{urllib.parse.quote(set_name)}.{ending}?{query}"


def rows(set_name: str) -> int:
    return int(requests.get(f"{root()}/odata/jobindsats/y25i01/{set_name}/$count", timeout=60).text.lstrip("\ufeff"))


def head_and_ranges(url: str) -> None:
    """What every reader relies on."""
    head, whole = requests.head(url, timeout=60), requests.get(url, timeout=60)
    lasting = ("Content-Length", "Content-Type", "Accept-Ranges", "ETag", "Content-Disposition")
    same("HEAD", [head.headers.get(name) for name in lasting], [whole.headers.get(name) for name in lasting])
    same("the length", int(head.headers["Content-Length"]), len(whole.content))
    size, step = len(whole.content), max(1, len(whole.content) // 7)
    parts = []
    for first in range(0, size, step):
        part = requests.get(url, headers={"Range": f"bytes={first}-{first + step - 1}"}, timeout=60)
        same("the status of a range", part.status_code, 206)
        parts.append(part.content)
    same("all ranges", b"".join(parts), whole.content)


def polars(set_name: str, count: int) -> None:
    parquet, csv = address(set_name, "parquet"), address(set_name, "csv")
    wanted = (pl.col("Periode") == PERIOD) & (pl.col("Område") == COUNTRY)
    # CSV has no types: codes are text.
    text = {"Områdekode": pl.String, "Område_id": pl.String, "Status": pl.String}
    frames = {
        "read_parquet": pl.read_parquet(parquet),
        "scan_parquet": pl.scan_parquet(parquet),
        "read_csv": pl.read_csv(csv, schema_overrides=text),
        "scan_csv": pl.scan_csv(csv, schema_overrides=text),
    }
    for name, frame in frames.items():
        same(f"Polars {name}, rows", frame.lazy().select(pl.len()).collect().item(), count)
        same(f"Polars {name}", frame.lazy().filter(wanted).select(COLUMNS).collect().rows(), [FIGURES])


def pyarrow_dataset(set_name: str, count: int) -> None:
    table = ds.dataset(address(set_name, "parquet"), filesystem=fsspec.filesystem("https"), format="parquet")
    same("pyarrow, rows", table.count_rows(), count)
    wanted = (ds.field("Periode") == PERIOD) & (ds.field("Område") == COUNTRY)
    found = table.to_table(columns=COLUMNS, filter=wanted).to_pylist()
    same("pyarrow", [tuple(row.values()) for row in found], [FIGURES])


def pandas_frames(set_name: str, count: int) -> None:
    frames = {
        "read_parquet": pd.read_parquet(address(set_name, "parquet")),
        "read_csv": pd.read_csv(address(set_name, "csv"), dtype={"Områdekode": "string", "Område_id": "string"}),
    }
    for name, frame in frames.items():
        same(f"pandas {name}, rows", len(frame), count)
        found = frame[(frame["Periode"] == PERIOD) & (frame["Område"] == COUNTRY)][COLUMNS]
        same(f"pandas {name}", [tuple(row) for row in found.itertuples(index=False)], [FIGURES])


def duckdb_httpfs(set_name: str, count: int) -> None:
    source = f"read_parquet('{address(set_name, 'parquet')}')"
    same("DuckDB, rows", duckdb.sql(f"SELECT count(*) FROM {source}").fetchone(), (count,))
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    wanted = f"SELECT {names} FROM {source} WHERE Periode = '{PERIOD}' AND \"Område\" = '{COUNTRY}'"
    same("DuckDB", duckdb.sql(wanted).fetchall(), [FIGURES])


def file_objects() -> None:
    """A file that is opened and sought in, in an order of its own."""
    url = address("Kommuner", "csv", filter=f"Periode ge '{PERIOD}'", orderby="Område desc")
    whole = requests.get(url, timeout=60).content
    with fsspec.open(url, "rb", block_size=1000, cache_type="readahead").open() as file:
        same("the size", file.size, len(whole))
        for at in (len(whole) - 50, 0, len(whole) // 2):
            file.seek(at)
            same(f"the bytes at {at}", file.read(50), whole[at : at + 50])


def main() -> None:
    import_extension("httpfs")
    for set_name in ("Hovedtal", "Landet"):
        count = rows(set_name)
        for ending in ("csv", "parquet"):
            head_and_ranges(address(set_name, ending))
        polars(set_name, count)
        pyarrow_dataset(set_name, count)
        pandas_frames(set_name, count)
        duckdb_httpfs(set_name, count)
    # Nobody has asked for these before: their readers wait for the figures.
    broken_down = address("Fordelt_på_Herkomst", "parquet", filter=f"Periode eq '{PERIOD}' and Område_id eq 'T'")
    assert pl.scan_parquet(broken_down).select(pl.len()).collect().item() > 1
    file_objects()
    print("files were sought in")


if __name__ == "__main__":
    main()
