"""odata-query: filters built as trees, written as text for the service, and as SQL over a copy of the rows.

Both must find the same rows: a second opinion on what a filter means, nulls included.
"""

import sqlite3

import requests
from odata_query import ast
from odata_query.grammar import ODataLexer, ODataParser
from odata_query.roundtrip import AstToODataVisitor
from odata_query.sql import AstToSqliteSqlVisitor

import figures
from figures import PERIOD, PERSONS, PERSONS_COLUMN, same

KEY = ("Periode", "Område_id")
PERIOD_IS = ast.Compare(ast.Eq(), ast.Identifier("Periode"), ast.String(PERIOD))
FILTERS = (
    f"{PERSONS_COLUMN} eq {PERSONS}",
    f"{PERSONS_COLUMN} ge 2000 and {PERSONS_COLUMN} lt 3000",
    f"not ({PERSONS_COLUMN} gt 100)",
    f"{PERSONS_COLUMN} eq null or Status ne null",
    "Område in ('København', 'Ærø', 'Findes ikke')",
    "startswith(Område, 'Kø') or endswith(Område, 'ø')",
    "contains(Område, 'sund') and Områdeniveau eq 'Kommune'",
    "length(Område) gt 11",
    "concat(Område, Områdekode) eq 'Hele landet000'",
    "Område gt 'Vejle'",
    "Fra le 2026-06-01 and Til gt 2026-06-29",
)


def parsed(text: str):
    return ODataParser().parse(ODataLexer().tokenize(text))


def rows(service: str, name: str, filter_text: str) -> list[dict]:
    """All pages."""
    found, link, asked = [], service + name, {"$filter": filter_text}
    while link:
        answer = requests.get(link, asked, timeout=60)
        assert answer.ok, f"{filter_text}: {answer.text}"
        found += answer.json()["value"]
        link, asked = answer.json().get("@odata.nextLink"), None
    return found


def copy(of: list[dict]) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    columns = [name for name in of[0] if not name.startswith("@")]
    names = ", ".join(f'"{name}"' for name in columns)
    database.execute(f"CREATE TABLE feed ({names})")
    marks = ", ".join("?" * len(columns))
    database.executemany(f"INSERT INTO feed VALUES ({marks})", [[row[name] for name in columns] for row in of])
    return database


def keys_by_sql(database: sqlite3.Connection, tree) -> set:
    condition = AstToSqliteSqlVisitor().visit(tree)
    return set(database.execute(f'SELECT "Periode", "Område_id" FROM feed WHERE {condition}'))


def try_service(service: str, name: str) -> None:
    database = copy(rows(service, name, AstToODataVisitor().visit(PERIOD_IS)))
    for text in FILTERS:
        tree = ast.BoolOp(ast.And(), PERIOD_IS, parsed(text))
        written = AstToODataVisitor().visit(tree)
        found = {tuple(row[column] for column in KEY) for row in rows(service, name, written)}
        same(written, found, keys_by_sql(database, tree))


def main() -> None:
    catalogue = figures.catalogue()
    entries = requests.get(catalogue, timeout=60).json()["value"]
    try_service(figures.table(), "Hovedtal")
    try_service(catalogue, figures.wide_set(entry["name"] for entry in entries))


if __name__ == "__main__":
    main()
