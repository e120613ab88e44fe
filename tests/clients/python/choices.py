"""The ten choices of rows with which every kind of file is tried, and their rows as the feed has them."""

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import requests


@dataclass(frozen=True, eq=False)
class Choice:
    what: str
    table: str
    set: str
    options: dict[str, str]

    @property
    def query(self) -> str:
        return "&".join(f"{name}={quote(value)}" for name, value in self.options.items())

    @property
    def path(self) -> str:
        return f"{self.table}/{quote(self.set)}"


CHOICES = [Choice(**choice) for choice in json.loads((Path(__file__).parents[1] / "choices.json").read_text())]
NO_ROWS = Choice("no rows", "y25i01", "Kommuner", {"$filter": "Periode eq '1066M01'"})


def feed(service: str, choice: Choice) -> list[dict]:
    """All rows of a choice, without annotations."""
    address, rows = f"{service}/odata/jobindsats/{choice.path}?{choice.query}", []
    while address:
        answer = requests.get(address, timeout=120)
        assert answer.ok, (choice.what, answer.text)
        page = answer.json()
        rows += page["value"]
        address = page.get("@odata.nextLink")
    return [{name: value for name, value in row.items() if "@" not in name} for row in rows]


def is_what_it_says(choice: Choice, rows: list[dict]) -> None:
    """Each choice has what it was chosen for."""

    def some(test) -> bool:
        return any(test(value) for row in rows for value in row.values() if isinstance(value, str))

    tests = {
        "several pages, with options": lambda: len(rows) > 2000,
        "a whole set, with instants": lambda: some(lambda text: "T00:00:00+0" in text),
        "two breakdowns": lambda: some("16-19 år".__eq__) and some("Kvinder".__eq__),
        "hidden figures": lambda: any(row["Status"] and None in row.values() for row in rows),
        "digits in front of labels": lambda: some("250 ansatte og derover".__eq__),
    }
    assert rows and tests.get(choice.what, lambda: True)(), (choice.what, rows[:2])
