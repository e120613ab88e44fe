"""What Jobindsats.dk has published for June 2026, and where the service stands; the same for every client."""

import sys

PERIOD = "2026M06"
COUNTRY = "Hele landet"
PERSONS = 110854
FULL_TIME = 89907

PERSONS_COLUMN = "Antal_ledige_personer"
FULL_TIME_COLUMN = "Antal_ledige_fuldtidspersoner"


def root() -> str:
    """The address of the service, without a slash at the end: the first argument, as in `http://127.0.0.1:8080`."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} http://host:port")
    return sys.argv[1].rstrip("/")


def catalogue() -> str:
    return f"{root()}/odata/"


def table() -> str:
    return f"{root()}/odata/jobindsats/y25i01/"


def wide_set(names) -> str:
    """The table's own set among those of the catalogue service."""
    found = [name for name in names if name.startswith("Y25I01_")]
    assert len(found) == 1, f"expected one set of Y25I01, found {found}"
    return found[0]


def same(what: str, found, expected) -> None:
    assert found == expected, f"{what}: expected {expected!r}, found {found!r}"
