#!/usr/bin/env python3
"""Files of a table whose labels are as odd as labels can be, read by the clients of ../clients/python.

    tests/tools/odd_labels.py target/debug/jobindsats-bridge

Starts the program's simulator, a proxy that gives some of its members and breakdowns other labels, and the service behind them.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "clients" / "python"))

import model  # noqa: E402
import requests  # noqa: E402
import tables  # noqa: E402
import workbook  # noqa: E402
from choices import Choice, feed  # noqa: E402
from duckdb_extensions import import_extension  # noqa: E402
from figures import same  # noqa: E402
from relabelled import relabelled  # noqa: E402

ODD = {
    "A-kassen Ase": """Kasse "A" <b>&amp;</b> 'x'""",
    "A-kassen Frie": "]]>",
    "BUPL A-kasse": "to\nlinjer",
    "CA A-kasse": "=cmd|' /C calc'!A0",
    "Det Faglige Hus A-kasse": "Lang " * 60,
    "FOAs A-kasse": "kassen",
    "Min A-kasse": "KASSEN",
    "Lederne A-kasse": "+1",
    "Lærernes A-kasse": "@SUM(1)",
    "Magistrenes A-kasse": "#(lf)",
    "Kristelig A-Kasse": "1-2",
    "Teknikernes A-Kasse": "0012",
    "HK /Danmarks A-kasse": "TRUE",
    "Akademikernes A-kasse": "_x000D_",
}
# A breakdown that differs from another only in case, and one that ends what quotes it.
BREAKDOWNS = {"Herkomst": "KØN", "Ydelsesgrupper": 'Ydelse "]]>'}
CHOSEN = (
    Choice("odd members", "y25i01", "Fordelt_på_A_kasse", {"$filter": "Periode eq '2026M06' and Område_id eq 'T'"}),
    Choice("odd columns", "y25i01", "Data", {"$filter": "Periode eq '2026M06' and Område_id eq 'T' and Alder_id eq 'T'", "$top": "500"}),
)


def odd(value):
    """A JSON value with odd labels in place of some."""
    match value:
        case str():
            return (ODD | BREAKDOWNS).get(value, value)
        case list():
            return [odd(item) for item in value]
        case dict():
            return {odd(name): odd(item) for name, item in value.items()}
    return value


def wait_for_table(service: str) -> None:
    for _ in range(120):
        if requests.get(f"{service}/odata/jobindsats/y25i01/", timeout=60).ok:
            return
        time.sleep(0.5)
    sys.exit("the table is not read")


def read_files(service: str) -> None:
    wait_for_table(service)
    for choice in CHOSEN:
        rows = feed(service, choice)
        given = {" ".join(value.split()) for row in rows for value in row.values() if isinstance(value, str)}
        missing = {" ".join(label.split()) for label in ODD.values()} - given
        same(f"labels that are not in {choice.what}", missing, set())
        names = [name.lower() for name in rows[0]]
        same("names that differ only in case", len(set(names)), len(names))
        tables.reads(service, choice)
        workbook.read_by_all(service, {choice.what: [choice]}, {choice: rows})
        with tempfile.TemporaryDirectory() as folder:
            read = model.project(service, f"{choice.path}.pbip.zip?{choice.query}", Path(folder))
            model.guarded(read, read.tables[0], list(rows[0]))
            model.related(read, 1)
            same("what is wrong with the project", model.findings(read), [])
    print(f"{len(ODD)} odd labels")


def main(binary: str) -> None:
    import_extension("httpfs")
    with relabelled(binary, lambda _, answer: odd(answer)) as (service, _):
        read_files(service)


if __name__ == "__main__":
    main(sys.argv[1])
