"""The client of odatapy: asks for OData 4.01 first, and reads values by the types of $metadata."""

import datetime
from decimal import Decimal

from odatapy.client import EdmEnabledODataClient
from odatapy.client.filters import Field, and_, or_
from odatapy.client.responses import ODataClientError
from odatapy.client.transport import HttpxTransport

import figures
from figures import COUNTRY, FULL_TIME, FULL_TIME_COLUMN, PERIOD, PERSONS, PERSONS_COLUMN, same


def one_published_row(client, name: str) -> None:
    asked = and_(Field("Periode").eq(PERIOD), Field("Område").eq(COUNTRY))
    answer = client.get_entity_set(client.entity_set_uri(name).filter(asked).count(True))
    same("count", answer.count, 1)
    (row,) = answer.entities
    same("persons", row.get_value(PERSONS_COLUMN), Decimal(PERSONS))
    same("full-time persons", row.get_value(FULL_TIME_COLUMN), Decimal(FULL_TIME))
    same("first day", row.get_value("Fra"), datetime.date(2026, 6, 1))


def by_key(client, name: str) -> None:
    uri = client.entity_uri(name, {"Periode": PERIOD, "Område_id": "T"})
    same("by key", client.get_entity(uri).get_value("Område"), COUNTRY)
    same("a value", client.get_property(uri.append_property_segment(PERSONS_COLUMN)).value, Decimal(PERSONS))


def pages_and_counts(client, name: str) -> None:
    uri = client.entity_set_uri(name).select("Periode", "Område_id")
    keys = [(row.get_value("Periode"), row.get_value("Område_id")) for row in client.iter_entities(uri)]
    same("rows of all pages", len(keys), client.get_count(client.entity_set_uri(name)))
    same("different rows", len(set(keys)), len(keys))


def filters(client) -> None:
    places = or_(Field("Område").startswith("Kø"), Field("Område").tolower().endswith("sø"), Field("Område").in_(["Ærø"]))
    large = Field(PERSONS_COLUMN).ge(1)
    uri = client.entity_set_uri("Kommuner").filter(and_(Field("Periode").eq(PERIOD), places, large))
    rows = client.get_entity_set(uri.orderby(Field(PERSONS_COLUMN).desc())).entities
    assert {"København", "Køge"} <= {row.get_value("Område") for row in rows}, rows
    numbers = [row.get_value(PERSONS_COLUMN) for row in rows]
    same("order", numbers, sorted(numbers, reverse=True))


def refusals(client, name: str) -> None:
    try:
        client.get_entity_set(client.entity_set_uri(name).filter(Field("Findes_ikke").eq(1)))
    except ODataClientError as error:
        same("status", error.status_code, 400)
        assert "Findes_ikke" in str(error), error
    else:
        raise AssertionError("an unknown column is not refused")


def main() -> None:
    table = EdmEnabledODataClient(figures.table(), HttpxTransport())
    catalogue = EdmEnabledODataClient(figures.catalogue(), HttpxTransport())
    sets = catalogue.get_service_document().entity_sets
    wide = figures.wide_set(sets)
    for client, name in ((table, "Hovedtal"), (catalogue, wide)):
        one_published_row(client, name)
        by_key(client, name)
        refusals(client, name)
    filters(table)
    pages_and_counts(table, "Kommuner")
    pages_and_counts(catalogue, wide)


if __name__ == "__main__":
    main()
