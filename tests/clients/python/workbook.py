"""Workbooks as openpyxl and pyOpenVBA read them: the rows of the feed, cell by cell, and the query that gives them again."""

import datetime
import io
import sys
import tempfile
import urllib.parse
import zoneinfo

import openpyxl
import pyopenvba
import requests

CHOICES = (
    ("y25i01", "Kommuner", "$filter=Periode eq '2026M06'"),
    ("y25i01", "Landet", ""),
    ("y25i01", "Fordelt_på_Herkomst", "$filter=Periode eq '2026M06' and Område_id eq 'T'"),
    ("y25i01", "Data", "$filter=Periode eq '2026M06' and Område_id eq 'T' and A_kasse_id eq 'T'"),
    ("y25i01", "Observations", "$top=50"),
    ("y25i01", "Hovedtal", "$apply=filter(Periode eq '2026M06')/groupby((Område,Periode))"),
    ("y25i01", "Kommuner", "$compute=length(Område) as Bogstaver&$select=Område,Bogstaver&$top=9"),
    ("y07a02", "Hovedtal", "$top=200&$orderby=Periode"),
    ("y30r21", "Hovedtal", "$top=20"),
    ("y25i01", "Kommuner", "$filter=Periode eq '1066M01'"),
)


def feed(address: str, table: str, set_name: str, options: str) -> list:
    url, rows = f"{address}/odata/jobindsats/{table}/{urllib.parse.quote(set_name)}?{options}", []
    while url:
        page = requests.get(url, timeout=60).json()
        rows += page["value"]
        url = page.get("@odata.nextLink")
    return [{name: value for name, value in row.items() if "@" not in name} for row in rows]


def cell(value):
    """A value of the feed as the workbook holds it: instants without their zone, days as midnights."""
    if isinstance(value, str):
        for form, text in (("%Y-%m-%d", value), ("%Y-%m-%dT%H:%M:%S", value[:19])):
            try:
                return datetime.datetime.strptime(text, form)
            except ValueError:
                pass
    return value


def copenhagen(text: str):
    """Instants of the feed carry an offset; one in UTC is moved to the clock that workbooks show."""
    instant = datetime.datetime.fromisoformat(text)
    return instant.astimezone(zoneinfo.ZoneInfo("Europe/Copenhagen")).replace(tzinfo=None)


def same_rows(table: str, set_name: str, sheet, rows: list) -> None:
    head, *found = sheet.iter_rows(values_only=True)
    if not rows:
        assert found in ([], [(None,) * len(head)]), found
        return
    assert list(head) == list(rows[0]), (table, set_name, head)
    assert len(found) == len(rows), (table, set_name, len(found), len(rows))
    for row, values in zip(rows, found, strict=True):
        for (name, wanted), value in zip(row.items(), values, strict=True):
            wanted = copenhagen(wanted) if name == "Opdateret" and wanted else cell(wanted)
            assert value == wanted, (table, set_name, name, value, wanted)


def query_reads(section: str, address: str, table: str, set_name: str) -> None:
    service = f"{address}/odata/jobindsats/{table}/"
    assert f'OData.Feed("{service}' in section, section
    assert set_name in section and "Table.SelectColumns(" in section, section


def main(address: str) -> None:
    for table, set_name, options in CHOICES:
        answer = requests.get(f"{address}/open/{table}/{urllib.parse.quote(set_name)}.xlsx?{options}", timeout=120)
        assert answer.status_code == 200, (table, set_name, answer.text)
        book = openpyxl.load_workbook(io.BytesIO(answer.content))
        sheet = book[book.sheetnames[0]]
        assert book.sheetnames[-1] == "Kilde"
        same_rows(table, set_name, sheet, feed(address, table, set_name, options))
        (name,) = sheet.tables
        assert sheet.freeze_panes == "A2" and sheet.tables[name].tableType == "queryTable"
        with tempfile.NamedTemporaryFile(suffix=".xlsx") as file:
            file.write(answer.content)
            file.flush()
            report = pyopenvba.check_file(file.name)
            assert report.complete and not report.issues, report
            query_reads(pyopenvba.PowerQueryWorkbook(file.name).section_text(), address, table, set_name)
    print(f"{len(CHOICES)} workbooks")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
