"""sqlalchemy-odata, the way Superset uses it: every set is a table of SQL.

It asks for 500 rows at a time with $top and $skip and follows next links inside that window. SQL is worked out on the
client, over all rows of the set. A refusal is only logged by it, so there is none to try.
"""

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
    figures.wide_set(inspect(service).get_table_names())
    with service.connect() as connection:
        statement = 'SELECT Identifier FROM "Datasets" WHERE Title LIKE :words ORDER BY Identifier'
        assert ("y25i01",) in rows(connection, statement, words="%ledige%")


def main() -> None:
    table_service()
    catalogue_service()


if __name__ == "__main__":
    main()
