"""python-odata: classes made from $metadata, queries built from their attributes."""

from odata import ODataService
from odata.exceptions import ODataError

import figures
from figures import COUNTRY, FULL_TIME, FULL_TIME_COLUMN, PERIOD, PERSONS, PERSONS_COLUMN, same


def one_published_row(service, rows) -> None:
    found = service.query(rows).filter(rows.Periode == PERIOD).filter(rows.Område == COUNTRY).all()
    same("rows", len(found), 1)
    same("persons", int(getattr(found[0], PERSONS_COLUMN)), PERSONS)
    same("full-time persons", int(getattr(found[0], FULL_TIME_COLUMN)), FULL_TIME)
    same("first day", found[0].Fra, "2026-06-01")
    same("by key", service.query(rows).get(Periode=PERIOD, Område_id="T").Område, COUNTRY)


def pages_and_counts(service, rows) -> None:
    query = service.query(rows)
    everything = query.select(rows.Periode, rows.Område_id).all()
    same("rows of all pages", len(everything), query.count())
    same("different rows", len({(row["Periode"], row["Område_id"]) for row in everything}), len(everything))


def sorted_and_limited(service, rows) -> None:
    persons = getattr(rows, PERSONS_COLUMN)
    municipalities = service.query(rows).filter(rows.Periode == PERIOD).filter(rows.Områdeniveau == "Kommune")
    top = municipalities.order_by(persons.desc()).limit(3).offset(1).all()
    same("rows", len(top), 3)
    numbers = [getattr(row, PERSONS_COLUMN) for row in top]
    same("order", numbers, sorted(numbers, reverse=True))
    names = municipalities.filter(rows.Område.startswith("Kø") | rows.Område.endswith("ø")).all()
    assert {"København", "Køge", "Læsø"} <= {row.Område for row in names}, names


def refusals(service, rows) -> None:
    try:
        service.query(rows).raw({"$filter": "Findes_ikke eq 1"})
    except ODataError as error:
        same("status", error.status_code, "HTTP 400")
        same("code", error.code, "UnknownProperty")
        assert "Findes_ikke" in error.message and "findes ikke" in error.message, error.message
    else:
        raise AssertionError("an unknown column is not refused")


def main() -> None:
    table = ODataService(figures.table(), reflect_entities=True, quiet_progress=True)
    catalogue = ODataService(figures.catalogue(), reflect_entities=True, quiet_progress=True)
    wide = figures.wide_set(catalogue.entities)
    for service, name in ((table, "Hovedtal"), (catalogue, wide)):
        rows = service.entities[name]
        one_published_row(service, rows)
        sorted_and_limited(service, rows)
        refusals(service, rows)
    pages_and_counts(table, table.entities["Kommuner"])
    pages_and_counts(catalogue, catalogue.entities[wide])
    datasets = catalogue.entities["Datasets"]
    same("the table in the list", catalogue.query(datasets).get("y25i01").Catalog, "jobindsats")


if __name__ == "__main__":
    main()
