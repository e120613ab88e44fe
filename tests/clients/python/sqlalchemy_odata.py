"""sqlalchemy-odata, the way Superset uses it: every set is a table of SQL.

It asks for 500 rows at a time with $top and $skip and follows next links inside that window. SQL is worked out on the
client, over all rows of the set, so a filter is never refused; what can be is a service that is not there, which it logs.
"""

import contextlib
import logging

from sqlalchemy import create_engine, inspect, text

import figures
from figures import COUNTRY, FULL_TIME, FULL_TIME_COLUMN, PERIOD, PERSONS, PERSONS_COLUMN, same


def engine(address: str):
    return create_engine(address.replace("http://", "odata://").rstrip("/"))


def rows(connection, statement: str, **values):
    return connection.execute(text(statement), values).fetchall()


def table_service() -> None:
    service = engine(figures.table())
    columns = {column["name"] for column in inspect(service).get_columns("Landet")}
    assert {"Periode", "Område", PERSONS_COLUMN} <= columns, columns
    with service.connect() as connection:
        statement = f'SELECT "{PERSONS_COLUMN}", "{FULL_TIME_COLUMN}", "Område" FROM "Landet" WHERE Periode = :period'
        same("the country", rows(connection, statement, period=PERIOD), [(PERSONS, FULL_TIME, COUNTRY)])
        statement = 'SELECT COUNT(*), COUNT(DISTINCT "Område_id") FROM "Kommuner" WHERE Periode = :period'
        ((every, different),) = rows(connection, statement, period=PERIOD)
        same("municipalities", every, different)


def catalogue_service() -> None:
    service = engine(figures.catalogue())
    wide = figures.wide_set(inspect(service).get_table_names())
    with service.connect() as connection:
        statement = f'SELECT "{PERSONS_COLUMN}", "{FULL_TIME_COLUMN}" FROM "{wide}" WHERE Periode = :period AND "Område" = :area'
        same("the country", rows(connection, statement, period=PERIOD, area=COUNTRY), [(PERSONS, FULL_TIME)])
        statement = f'SELECT COUNT(*), COUNT(DISTINCT "Periode" || "Område_id") FROM "{wide}"'
        ((every, different),) = rows(connection, statement)
        same("rows of all pages", every, different)
        assert every > 20000, every
        statement = 'SELECT Identifier FROM "Datasets" WHERE Title LIKE :words ORDER BY Identifier'
        assert ("y25i01",) in rows(connection, statement, words="%ledige%")


@contextlib.contextmanager
def logged(name: str):
    """What the client logs meanwhile."""
    records, handler = [], logging.Handler()
    handler.emit = lambda record: records.append(handler.format(record))
    logging.getLogger(name).addHandler(handler)
    yield records
    logging.getLogger(name).removeHandler(handler)


def refusals() -> None:
    with logged("shillelagh_odata") as records:
        same("tables", inspect(engine(f"{figures.root()}/odata/jobindsats/findes_ikke/")).get_table_names(), [])
    assert any("404" in record for record in records), records


def main() -> None:
    table_service()
    catalogue_service()
    refusals()


if __name__ == "__main__":
    main()
