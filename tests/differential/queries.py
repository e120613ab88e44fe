"""Queries in two languages: the address that asks the service, and the SQL that DuckDB answers.

Each kind has `address(spelling)`, what to ask for, and `answer(cursor)`, what must come.
"""

import datetime
import urllib.parse
import zoneinfo
from dataclasses import dataclass, field, replace
from decimal import Decimal

from expressions import Expr
from model import Set, renamed
from spelling import with_aliases

# Instants are in UTC in DuckDB, and shown with the offset of Danish clocks.
COPENHAGEN = zoneinfo.ZoneInfo("Europe/Copenhagen")
# Letters that are left as a person reads them until the request is sent.
READABLE = "'$,()=/;:@*|æøåÆØÅ"
# Without $top no more is asked for.
ROWS_AT_MOST = 3000


def quoted(text, blank="%20"):
    return urllib.parse.quote(text, safe=READABLE).replace("%20", blank)


@dataclass(frozen=True)
class Answer:
    """What comes of a query: rows and perhaps their count, one row, a value, the text of a value, a status without a body."""

    kind: str
    value: object = None
    count: int | None = None


@dataclass(frozen=True)
class Address:
    path: str
    kind: str


@dataclass
class Rows:
    """Rows of a set, or those at the end of a navigation from one row."""

    set: Set
    filter: Expr | None = None
    search: Expr | None = None
    compute: dict = field(default_factory=dict)
    order: tuple = ()
    top: int | None = None
    skip: int | None = None
    # Without any, every column is shown.
    select: tuple = ()
    expand: tuple = ()
    count: bool = False
    only_count: bool = False
    page: int | None = None
    # Where the rows are, if not in the whole set.
    path: str | None = None
    within: str | None = None

    def parts(self, spelling):
        """The options, with names and expressions spelled."""
        found = {}
        if self.compute:
            found["compute"] = ",".join(f"{spelling.expression(expr.odata)} as {name}" for name, expr in self.compute.items())
        if self.filter:
            found["filter"] = spelling.expression(self.filter.odata)
        if self.search:
            found["search"] = self.search.odata
        if self.order:
            found["orderby"] = ",".join(spelling.expression(term.odata) for term in self.order)
        shown = [*self.select, *(path for expand in self.expand if (path := expand.selected()))]
        if shown and not self.only_count:
            found["select"] = ",".join(shown)
        expanded = [expand.text(spelling) for expand in self.expand if not expand.selected()]
        if expanded:
            found["expand"] = ",".join(expanded)
        found |= {name: str(value) for name in ("top", "skip") if (value := getattr(self, name)) is not None}
        if self.count:
            found["count"] = "true"
        return found

    def address(self, spelling):
        path = (self.path or self.set.path) + ("/$count" if self.only_count else "")
        return Address(written(path, self.parts(spelling), spelling), "count" if self.only_count else "rows")

    def conditions(self):
        found = [f"({each.sql})" for each in (self.filter, self.search) if each]
        return " AND ".join([*found, *([self.within] if self.within else [])]) or "true"

    def sql_count(self):
        return f"SELECT count(*) FROM {self.set.source} WHERE {self.conditions()}"

    def sql(self):
        everything = not self.select and not any(expand.selected() for expand in self.expand)
        shown = [*self.set.columns] if everything else [name for name in self.select if name in self.set.columns]
        parts = [self.set.columns[name].sql for name in shown]
        names = list(shown)
        for name, expr in self.compute.items():
            if everything or name in self.select:
                names.append(name)
                parts.append(expr.sql)
        hidden = [expand.navigation.local for expand in self.expand] or ["1"]
        order = ", ".join([*(term.sql for term in self.order), self.set.order])
        sql = f"SELECT {', '.join([*parts, *hidden])} FROM {self.set.source} WHERE {self.conditions()} ORDER BY {order}"
        return sql + limits(self.top, self.skip), names

    def rows(self, cursor, memory):
        sql, names = self.sql()
        if sql not in memory:
            memory[sql] = cursor.execute(sql).fetchall()
        found = []
        for row in memory[sql]:
            shown = dict(zip(names, map(plain, row)))
            for expand, value in zip(self.expand, row[len(names) :]):
                for name, inner in expand.answer(cursor, value, memory).items():
                    shown[name] = shown[name] | inner if isinstance(shown.get(name), dict) else inner
            found.append(shown)
        return found

    def answer(self, cursor):
        if self.only_count:
            return Answer("count", cursor.execute(self.sql_count()).fetchone()[0])
        count = cursor.execute(self.sql_count()).fetchone()[0] if self.count else None
        return Answer("rows", self.rows(cursor, {}), count)

    def smaller(self):
        """Queries that ask for less, the largest steps first."""
        nothing = {"page": None, "count": False, "expand": (), "order": (), "search": None, "skip": None, "top": None}
        for name, none in nothing.items():
            grows = name in ("top", "search") and self.set.size > ROWS_AT_MOST
            if getattr(self, name) != none and not grows:
                yield replace(self, **{name: none})
        if self.filter:
            if self.set.size <= ROWS_AT_MOST or self.top is not None:
                yield replace(self, filter=None)
            for part in self.filter.parts:
                yield replace(self, filter=part)
        for name in ("order", "expand", "select"):
            terms = getattr(self, name)
            for at in range(len(terms)):
                if len(terms) > 1:
                    yield replace(self, **{name: terms[:at] + terms[at + 1 :]})
        for at, expand in enumerate(self.expand):
            for less in expand.smaller():
                yield replace(self, expand=self.expand[:at] + (less,) + self.expand[at + 1 :])
        for name in self.compute:
            others = [self.filter, *self.order]
            if name not in self.select and not any(name in each.odata for each in others if each):
                yield replace(self, compute={kept: expr for kept, expr in self.compute.items() if kept != name})


def limits(top, skip):
    limit = f" LIMIT {top}" if top is not None else ""
    return limit + (f" OFFSET {skip}" if skip is not None else "")


def written(path, options, spelling):
    """The address, with its options, their aliases and the format."""
    aliases = {}
    if spelling.aliases and "filter" in options:
        options = options | {"filter": with_aliases(options["filter"], aliases)}
    named = {spelling.option(name): value for name, value in options.items()} | aliases
    if spelling.metadata and spelling.by_format:
        named[spelling.option("format")] = f"application/json;odata.metadata={spelling.metadata}"
    slash = "/" if spelling.slash and "/$" not in path else ""
    query = "&".join(f"{name}={quoted(value, spelling.blank)}" for name, value in named.items())
    return f"{path}{slash}?{query}" if query else f"{path}{slash}"


@dataclass
class Expand:
    """What stands at the other end of a navigation: its rows, how many there are, or one of their columns by `$select`."""

    navigation: object
    rows: Rows
    levels: int | None = None
    only: str | None = None  # "$count", or "select" for a path in $select

    def selected(self):
        return f"{self.navigation.name}/{self.rows.select[0]}" if self.only == "select" else None

    def text(self, spelling):
        if self.only == "$count":
            filter = self.rows.filter
            inner = f"({spelling.option('filter')}={spelling.expression(filter.odata)})" if filter else ""
            return f"{self.navigation.name}/$count{inner}"
        options = [f"{spelling.option(name)}={value}" for name, value in self.rows.parts(spelling).items()]
        if self.levels is not None:
            options.append(f"{spelling.option('levels')}={'max' if self.levels > 9 else self.levels}")
        return f"{self.navigation.name}({';'.join(options)})" if options else self.navigation.name

    def answer(self, cursor, value, memory):
        name, target = self.navigation.name, self.navigation.target
        if value is None:
            there = "false"
        else:
            there = f"{target.columns[self.navigation.remote].sql} = '{str(value).replace(chr(39), chr(39) * 2)}'"
        rows = replace(self.rows, within=there)
        counted = lambda: Decimal(cursor.execute(rows.sql_count()).fetchone()[0])
        if self.only == "$count":
            return {f"{name}@count": counted()}
        if (self.levels or 1) > 1:
            deeper = replace(self, levels=self.levels - 1)
            rows = replace(rows, expand=(*rows.expand, deeper))
        found = rows.rows(cursor, memory)
        if not self.navigation.many:
            return {name: found[0] if found else None}
        return {name: found} | ({f"{name}@count": counted()} if rows.count else {})

    def smaller(self):
        if self.levels is not None:
            yield replace(self, levels=None)
        for rows in self.rows.smaller():
            if rows.top is not None or self.navigation.target.kind != "long":
                yield replace(self, rows=rows)


@dataclass
class Grouped:
    """Rows that a chain of transformations makes, and the options that apply to them."""

    set: Set
    steps: tuple
    # The columns that come out, by name.
    made: dict = field(default_factory=dict)
    result: Rows | None = None
    page: int | None = None

    def address(self, spelling):
        chain = "/".join(step.text(spelling) for step in self.steps)
        return Address(written(self.set.path, {"apply": chain} | self.result.parts(spelling), spelling), "rows")

    def answer(self, cursor):
        return self.result.answer(cursor)

    def smaller(self):
        # The result's own set was made from all steps, so only what applies to it becomes less.
        for result in self.result.smaller():
            yield replace(self, result=result)
        if self.page:
            yield replace(self, page=None)


@dataclass
class Step:
    """A transformation: its text, and the rows that it makes of `source` in the order `order`."""

    name: str
    inner: str

    def text(self, spelling):
        return f"{self.name}({spelling.expression(self.inner) if self.name == 'filter' else self.inner})"


@dataclass
class At:
    """One row by its key, or what lies behind it."""

    set: Set
    key: dict
    style: str  # "named", "bare" or "segments"
    tail: str = ""
    # Of the row itself, what is shown.
    rows: Rows | None = None
    # A column, for its value.
    column: str | None = None
    raw: bool = False
    # A navigation, and a column at its other end.
    navigation: object = None
    page: int | None = None

    def key_text(self):
        texts = {name: "'" + value.replace("'", "''") + "'" for name, value in self.key.items()}
        if self.style == "segments":
            return "".join(f"/{urllib.parse.quote(value, safe='|')}" for value in self.key.values())
        if self.style == "bare" and len(texts) == 1:
            return f"({urllib.parse.quote(next(iter(texts.values())), safe=READABLE)})"
        return "(" + ",".join(f"{name}={urllib.parse.quote(text, safe=READABLE)}" for name, text in texts.items()) + ")"

    def address(self, spelling):
        path = f"{self.set.path}{self.key_text()}"
        if self.navigation:
            path += f"/{self.navigation.name}"
        if self.column:
            return Address(written(f"{path}/{self.column}{'/$value' if self.raw else ''}", {}, spelling), "raw" if self.raw else "value")
        return Address(written(path, self.rows.parts(spelling), spelling), "row")

    def here(self):
        return " AND ".join(f"{self.set.columns[name].sql} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in self.key.items())

    def answer(self, cursor):
        target, within = self.set, self.here()
        if self.navigation:
            found = cursor.execute(f"SELECT {self.navigation.local} FROM {target.source} WHERE {within}").fetchall()
            if not found:
                return Answer("status", 404)
            ((value,),) = found
            if value is None:
                # What lies behind nothing is nothing, as in an expression.
                return Answer("status", 204)
            target = self.navigation.target
            within = f"{target.columns[self.navigation.remote].sql} = '{value}'"
        if self.column:
            found = cursor.execute(f"SELECT {target.columns[self.column].sql} FROM {target.source} WHERE {within}").fetchall()
            if not found:
                return Answer("status", 404)
            value = plain(found[0][0])
            return Answer("status", 204) if value is None else Answer("raw" if self.raw else "value", value)
        found = replace(self.rows, set=target, within=within).rows(cursor, {})
        return Answer("row", found[0]) if found else Answer("status", 404)

    def smaller(self):
        if self.rows:
            for rows in self.rows.smaller():
                yield replace(self, rows=rows)


def plain(value):
    """A value as it stands in JSON."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return Decimal(str(value))
    if hasattr(value, "hour"):
        return value.replace(tzinfo=datetime.timezone.utc).astimezone(COPENHAGEN).isoformat()
    return value.isoformat() if hasattr(value, "isoformat") else value
