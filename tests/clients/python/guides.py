"""The guides of docs/vejledning, followed as they are written: every block of code, in an empty folder, against this service.

    guides.py http://127.0.0.1:8080 [folder]

Where `SIGN_IN` names a user, as in `basic anne:hemmelig`, the guides sign in as they say it, with that name and password. A folder keeps
what the guides make there, and what they print in `printed.txt`.
"""

import csv
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import requests

import figures
from figures import same

FOLDER = Path(__file__).parents[3] / "docs" / "vejledning"
VERSIONS = Path(__file__).parents[1] / "guides.txt"
WRITTEN_ADDRESS = "http://127.0.0.1:8080"
MARK = "== block {} =="
# A guide's language, how a line is printed in it, and what runs a file of it once the guide's shell blocks were run.
GUIDES = {
    "python.md": ("python", 'print("{}")', "python guide.python"),
    "duckdb.md": ("sql", ".print '{}'", "duckdb < guide.sql"),
    "r.md": ("r", 'cat("{}\\n")', "Rscript guide.r"),
}
# A number that is no part of a date, a period or a name.
FIGURE = re.compile(r"(?<![\w.-])-?\d+(\.\d+)?(?![\w-])")
EMPTY = re.compile(r"Empty DataFrame|\b0 rows")
# The name and the password that the guides sign in with, and those with which they are followed; none where everybody reads.
WRITTEN_USER, USER = "anne:adgangskode", os.environ.get("SIGN_IN", "").removeprefix("basic ")
# The first block of a guide prepares, each of the others prints a table.
TABLES = 8
FUNDS = "odata/jobindsats/y25i01/Fordelt_på_A_kasse"
FUND_COLUMNS = ["Periode", "A_kasse", "Antal_ledige_personer", "Antal_ledige_fuldtidspersoner"]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def signing_in(text: str, language: str) -> str:
    """What a guide says of signing in, for the user with whom it is followed."""
    (login,) = blocks(text, f"{language} login")
    name, password = USER.split(":", 1)
    written = login.replace(WRITTEN_USER, USER).replace('"anne", "adgangskode"', f'"{name}", "{password}"')
    same(f"places of the user in {language}", (written.count(password), "adgangskode" in written), (1, False))
    return written


def follow(guide: str, service: str, folder: Path) -> None:
    """Runs a guide's blocks in its order, and looks at what each one prints."""
    language, line, command = GUIDES[guide]
    text = (FOLDER / guide).read_text().replace(WRITTEN_ADDRESS, service)
    parts = blocks(text, language)
    if USER:
        parts[0] += signing_in(text, language)
    code = "".join(f"{line.format(MARK.format(index))}\n{part}\n" for index, part in enumerate(parts))
    (folder / f"guide.{language}").write_text(code)
    steps = "\n".join(["set -euo pipefail", *blocks(text, "sh"), command])
    environment = os.environ | {"HOME": str(folder), "LC_ALL": "C.UTF-8", "PIP_CONSTRAINT": str(VERSIONS), "PIP_QUIET": "1"}
    done = subprocess.run(["bash", "-c", steps], cwd=folder, env=environment, capture_output=True, text=True, timeout=150)
    if done.returncode:
        sys.exit(f"{guide}:\n{done.stdout}\n{done.stderr}")
    (folder / "printed.txt").write_text(done.stdout)
    printed = re.split(r"^== block \d+ ==$", done.stdout, flags=re.MULTILINE)[1:]
    same(f"blocks of {guide} that ran", len(printed), len(parts))
    prepared, *tables = printed
    # Signing in may print that it succeeded.
    assert not FIGURE.search(prepared), f"the first block of {guide} prints figures:\n{prepared}"
    same(f"tables of {guide}", len(tables), TABLES)
    for table in tables:
        assert FIGURE.search(table) and not EMPTY.search(table), f"{guide} prints no figures:\n{table}"


def funds(service: str) -> list[list]:
    """The newest figures by unemployment fund, as the feed has them."""
    user = tuple(USER.split(":", 1)) if USER else None
    newest = requests.get(f"{service}/odata/jobindsats/y25i01/Landet?$top=1", auth=user, timeout=60).json()["value"][0]["Periode"]
    options = {"$filter": f"Periode eq '{newest}' and Område_id eq 'T'", "$orderby": "Antal_ledige_personer desc"}
    rows = requests.get(f"{service}/{FUNDS}", options, auth=user, timeout=60).json()["value"]
    return [as_numbers([row[column] for column in FUND_COLUMNS]) for row in rows]


def saved(file: Path) -> list[list]:
    """The rows of a CSV file that a guide saves, its figures as numbers."""
    with file.open(newline="") as lines:
        head, *rows = csv.reader(lines)
    same(f"columns of {file}", head, FUND_COLUMNS)
    return [as_numbers(row) for row in rows]


def as_numbers(row: list) -> list:
    return [*row[:2], *(None if figure in (None, "") else float(figure) for figure in row[2:])]


def main(service: str, kept: Path) -> None:
    expected = funds(service)
    assert len(expected) > 15, expected
    for guide in GUIDES:
        folder = kept / guide.removesuffix(".md")
        folder.mkdir(parents=True)
        follow(guide, service, folder)
        same(f"what {guide} saves", sorted(saved(folder / "akasser.csv"), key=str), sorted(expected, key=str))
        print(f"{guide} was followed")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(sys.argv[1].rstrip("/"), Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(figures.root(), Path(folder))
