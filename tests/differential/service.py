"""The service over HTTP: what it answers, without what it says about itself."""

import json
import urllib.error
import urllib.parse
import urllib.request
from decimal import Decimal

from model import UNKNOWN
from queries import Answer

SAFE = "/?&=$'(),*@:;%+-_~.!|"


class Service:
    def __init__(self, address):
        self.address = address.rstrip("/")
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path, headers=None):
        """The body, and the status."""
        return self.ask(path, headers or {})[1]

    def ask(self, path, headers):
        address = path if path.startswith("http") else self.address + path
        request = urllib.request.Request(urllib.parse.quote(address, safe=SAFE), headers=headers)
        with self.opener.open(request, timeout=120) as response:
            return response.status, response.read()

    def answer(self, query, spelling):
        """What comes of the query, in the form of `Answer`; a refusal as text."""
        address = query.address(spelling)
        headers, prefer = spelling.headers()
        if query.page:
            prefer = [*prefer, f"odata.maxpagesize={query.page}"]
        if prefer:
            headers["Prefer"] = ",".join(prefer)
        try:
            return getattr(self, f"of_{address.kind}")(address.path, headers)
        except urllib.error.HTTPError as error:
            body = error.read().decode()
            return Answer("status", 404) if error.code == 404 and "NoSuchRow" in body else f"{error.code}: {body[:600]}"

    def of_rows(self, path, headers):
        rows, count, link = [], None, path
        while link:
            _, body = self.ask(link, headers)
            page = read(body)
            count = first(page, "count", count)
            rows += page["value"]
            link = first(page, "nextLink")
        return Answer("rows", [stripped(row) for row in rows], None if count is None else int(count))

    def of_row(self, path, headers):
        status, body = self.ask(path, headers)
        return Answer("status", 204) if status == 204 else Answer("row", stripped(read(body)))

    def of_value(self, path, headers):
        status, body = self.ask(path, headers)
        return Answer("status", 204) if status == 204 else Answer("value", read(body)["value"])

    def of_raw(self, path, headers):
        status, body = self.ask(path, headers)
        return Answer("status", 204) if status == 204 else Answer("raw", body.decode())

    def of_count(self, path, headers):
        _, body = self.ask(path, headers)
        return Answer("count", int(body))


def read(body):
    return json.loads(body, parse_float=Decimal, parse_int=Decimal)


def first(page, term, otherwise=None):
    """Control information in the spelling of 4.0 or of 4.01."""
    return page.get(f"@odata.{term}", page.get(f"@{term}", otherwise))


def stripped(value):
    """Without control information, except counts of what was expanded."""
    if isinstance(value, list):
        return [stripped(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, inner in value.items():
        column, at, term = name.partition("@")
        if not at:
            found[name] = stripped(inner)
        elif column and term.removeprefix("odata.") == "count":
            found[f"{column}@count"] = inner
    return found


def same(given, wanted, spelling):
    """Whether both answers are one, as far as both sides know."""
    if not isinstance(given, Answer) or (given.kind, given.count) != (wanted.kind, wanted.count):
        return False
    if given.kind == "raw":
        return same_text(given.value, wanted.value)
    return same_value(given.value, wanted.value, spelling)


def same_text(given, wanted):
    """A value as plain text."""
    if isinstance(wanted, bool):
        return given == str(wanted).lower()
    return Decimal(given) == wanted if isinstance(wanted, Decimal) else given == wanted


def same_value(given, wanted, spelling):
    if isinstance(wanted, list):
        pairs = zip(given, wanted) if isinstance(given, list) and len(given) == len(wanted) else None
        return pairs is not None and all(same_value(*pair, spelling) for pair in pairs)
    if isinstance(wanted, dict):
        if not isinstance(given, dict) or set(given) - set(wanted) - UNKNOWN:
            return False
        absent = [name for name in wanted if name not in given]
        if any(wanted[name] is not None or not spelling.omit_nulls for name in absent):
            return False
        return all(same_value(given[name], value, spelling) for name, value in wanted.items() if name in given)
    if spelling.ieee754 and isinstance(wanted, Decimal) and isinstance(given, str):
        return Decimal(given) == wanted
    return given == wanted and isinstance(given, bool) == isinstance(wanted, bool)
