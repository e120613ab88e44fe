"""The addresses that the guides for Excel and Power BI name, fetched as they stand there: pages, workbooks with the feed's rows, projects."""

import html
import io
import re
import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import requests

import figures
from figures import same

FOLDER = Path(__file__).parents[3] / "docs" / "vejledning"
WRITTEN_ADDRESS = "http://127.0.0.1:8080"
GUIDES = ("excel.md", "powerbi.md")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT")


def addresses(guide: str) -> list[str]:
    text = (FOLDER / guide).read_text()
    blocks = re.findall(r"^ *```text\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [line.strip().replace(WRITTEN_ADDRESS, figures.root()) for block in blocks for line in block.splitlines()]


def get(address: str) -> requests.Response:
    answer = requests.get(address, headers={"Accept": "text/html, */*;q=0.8"}, timeout=120)
    assert answer.ok and answer.content, (address, answer.status_code, answer.text)
    return answer


def rows(address: str) -> list[dict]:
    """The rows of the feed at an address, without annotations."""
    page = requests.get(address, timeout=120).json()
    assert page["value"] and "@odata.nextLink" not in page, address
    return [{name: value for name, value in row.items() if "@" not in name} for row in page["value"]]


def built(page: requests.Response) -> None:
    """The workbook of a page that builds a query has the rows of the address that the page shows."""
    (link,) = re.findall(r'href="[./]*(open/[^"]*\.xlsx[^"]*)"', page.text)
    (feed,) = re.findall(r'<code id="odata">(.*?)</code>', page.text)
    workbook(get(f"{figures.root()}/{html.unescape(link)}"), html.unescape(feed))


def workbook(answer: requests.Response, feed: str) -> None:
    """A workbook has the columns and the rows of an address of the feed; days and instants are compared as days."""
    expected = rows(feed)
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    head, *found = book[book.sheetnames[0]].iter_rows(values_only=True)
    same(f"columns of {feed}", list(head), list(expected[0]))
    same(f"rows of {feed}", [[day(cell) for cell in row] for row in found], [[day(cell) for cell in row.values()] for row in expected])


def day(cell: object) -> object:
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    return cell[:10] if isinstance(cell, str) and INSTANT.match(cell) else cell


def collection(address: str, answer: requests.Response) -> None:
    """A collection has a sheet for each choice, and one with its sources."""
    book = openpyxl.load_workbook(io.BytesIO(answer.content), read_only=True)
    same(f"sheets of {address}", len(book.sheetnames), address.count("valg=") + 1)


def project(address: str, answer: requests.Response) -> None:
    """A project is a whole archive, and the rows that the query of a single choice reads are there."""
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    same(f"damaged file of {address}", archive.testzip(), None)
    same(f"projects in {address}", [Path(name).suffix for name in archive.namelist()].count(".pbip"), 1)
    if "/samling." in address:
        return
    feed = address.replace("/open/", "/odata/jobindsats/").replace(".pbip.zip", "")
    assert requests.get(feed + "&$top=1", timeout=120).json()["value"], feed


if __name__ == "__main__":
    for guide in GUIDES:
        named = addresses(guide)
        assert len(named) > 5, (guide, named)
        for address in named:
            answer = get(address)
            if "/byg?" in address:
                built(answer)
            elif "/samling.xlsx" in address:
                collection(address, answer)
            elif ".xlsx" in address:
                workbook(answer, address.replace("/open/", "/odata/jobindsats/").replace(".xlsx", ""))
            elif ".pbip.zip" in address:
                project(address, answer)
        print(f"{guide}: {len(named)} addresses")
