"""Workbooks as openpyxl, pyOpenVBA and LibreOffice read them: the rows of the feed, cell by cell, and the query that gives them again."""

import datetime
import io
import subprocess
import tempfile
import zoneinfo
from itertools import chain
from pathlib import Path
from urllib.parse import quote

import openpyxl
import pyopenvba
import requests
from lxml import etree

from choices import CHOICES, NO_ROWS, Choice, feed, is_what_it_says
from figures import root, same

# A collection: two sheets of one name, and one without rows.
COLLECTED = (CHOICES[2], CHOICES[3], CHOICES[3], NO_ROWS)
INSTANT = "Opdateret"
OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
CONDITIONS = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"


def cell(name: str, value):
    """A value of the feed as a workbook holds it: instants on Copenhagen's clock, days as midnights."""
    if isinstance(value, str) and name == INSTANT:
        instant = datetime.datetime.fromisoformat(value)
        return instant.astimezone(zoneinfo.ZoneInfo("Europe/Copenhagen")).replace(tzinfo=None)
    if isinstance(value, str) and name in ("Fra", "Til"):
        return datetime.datetime.fromisoformat(value)
    return value


def expected(rows: list[dict]) -> list[list]:
    return [[*rows[0]], *([cell(name, value) for name, value in row.items()] for row in rows)]


def same_rows(what: str, found: list[list], rows: list[dict]) -> None:
    """The cells are the feed's rows; a table without rows has an empty one."""
    if not rows:
        assert found[0] and {value for row in found[1:] for value in row} <= {None}, (what, found)
        return
    wanted = expected(rows)
    same(f"{what}, rows", len(found), len(wanted))
    for number, (cells, row) in enumerate(zip(found, wanted, strict=True)):
        same(f"{what}, row {number}", cells, row)


def openpyxl_reads(what: str, content: bytes, choices: list[Choice], rows: list[list[dict]]) -> None:
    book = openpyxl.load_workbook(io.BytesIO(content))
    same(f"sheets of {what}", (len(book.sheetnames), book.sheetnames[-1]), (len(choices) + 1, "Kilde"))
    for sheet, wanted in zip(book.worksheets, rows, strict=False):
        same_rows(f"openpyxl, {what}", [list(row) for row in sheet.iter_rows(values_only=True)], wanted)
        (name,) = sheet.tables
        assert sheet.freeze_panes == "A2" and sheet.tables[name].tableType == "queryTable", name


def pyopenvba_reads(service: str, file: Path, choices: list[Choice]) -> None:
    report = pyopenvba.check_file(str(file))
    assert report.complete and not report.issues, report
    section = pyopenvba.PowerQueryWorkbook(str(file)).section_text()
    for choice in choices:
        assert f'OData.Feed("{service}/odata/jobindsats/{choice.table}/' in section, section
        assert choice.set in section and "Table.SelectColumns(" in section, section


def office_value(element):
    """A cell of a flat OpenDocument file."""
    kind = element.get(f"{{{OFFICE}}}value-type")
    match kind:
        case None:
            return None
        case "date":
            return datetime.datetime.fromisoformat(element.get(f"{{{OFFICE}}}date-value"))
        case "float" | "percentage":
            return float(element.get(f"{{{OFFICE}}}value"))
    assert kind == "string", kind
    return "\n".join("".join(paragraph.itertext()) for paragraph in element)


def office_rows(sheet) -> list[list]:
    """The rows of a sheet up to its last cell with a value."""
    rows = []
    for row in sheet.iter(f"{{{TABLE}}}table-row"):
        cells = []
        for element in row.iter(f"{{{TABLE}}}table-cell"):
            times = int(element.get(f"{{{TABLE}}}number-columns-repeated", 1))
            # What reaches to the edge of the sheet is no part of the table.
            cells += [office_value(element)] * (times if times < 1000 else 0)
        rows += [cells] * min(int(row.get(f"{{{TABLE}}}number-rows-repeated", 1)), 1000)
    while rows and set(rows[-1]) <= {None}:
        rows.pop()
    width = max(map(len, rows))
    return [row + [None] * (width - len(row)) for row in rows]


def to_open_document(folder: Path) -> None:
    """All workbooks of the folder, as LibreOffice reads them, in its own format: one process for all of them."""
    files = sorted(map(str, folder.glob("*.xlsx")))
    command = ["soffice", "--headless", f"-env:UserInstallation=file://{folder}/office", "--convert-to", "fods", "--outdir", str(folder)]
    done = subprocess.run([*command, *files], capture_output=True, text=True, timeout=300)
    same("what LibreOffice has read", len(list(folder.glob("*.fods"))), len(files))
    assert done.returncode == 0, done.stderr


def libreoffice_reads(what: str, file: Path, rows: list[list[dict]]) -> None:
    document = etree.parse(file, etree.XMLParser(huge_tree=True))
    sheets = document.findall(f".//{{{OFFICE}}}spreadsheet/{{{TABLE}}}table")
    same(f"sheets of {what} in LibreOffice", len(sheets), len(rows) + 1)
    ranges = document.findall(f".//{{{TABLE}}}database-range")
    same(f"tables of {what} in LibreOffice", len(ranges), len(rows))
    for sheet, wanted in zip(sheets, rows, strict=False):
        same_rows(f"LibreOffice, {what}", office_rows(sheet), wanted)
        marks = [mark.get(f"{{{CONDITIONS}}}value") for mark in sheet.iter(f"{{{CONDITIONS}}}condition")]
        assert marks or not any(row.get("Status") for row in wanted), f"{what}: hidden figures are not marked"


def address(choices: list[Choice]) -> str:
    if len(choices) == 1:
        return f"{choices[0].path}.xlsx?{choices[0].query}"
    parts = (f"valg={quote(f'{choice.table}/{choice.set}?{choice.query}', safe='')}" for choice in choices)
    return f"samling.xlsx?{'&'.join(parts)}"


def read_by_all(service: str, books: dict[str, list[Choice]], rows: dict[Choice, list[dict]]) -> None:
    """Every reader sees the feed's rows in these workbooks of one choice or several."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, choices in books.items():
            answer = requests.get(f"{service}/open/{address(choices)}", timeout=120)
            assert answer.ok, (what, answer.text)
            (folder / f"{what}.xlsx").write_bytes(answer.content)
            openpyxl_reads(what, answer.content, choices, [rows[choice] for choice in choices])
            pyopenvba_reads(service, folder / f"{what}.xlsx", choices)
        to_open_document(folder)
        for what, choices in books.items():
            libreoffice_reads(what, folder / f"{what}.fods", [rows[choice] for choice in choices])


def main() -> None:
    books = {choice.what: [choice] for choice in (*CHOICES, NO_ROWS)} | {"a collection": list(COLLECTED)}
    rows = {choice: feed(root(), choice) for choice in set(chain(*books.values()))}
    for choice in CHOICES:
        is_what_it_says(choice, rows[choice])
    read_by_all(root(), books, rows)
    print(f"{len(books)} workbooks")


if __name__ == "__main__":
    main()
