#!/usr/bin/env python3
"""Random queries, answered by the service over HTTP and by DuckDB over the simulator's own figures: no answer may differ.

    run.py --service http://127.0.0.1:8080 --binary target/debug/jobindsats-bridge [--queries 1500] [--seed 1]

The queries are made from `$metadata` of the tables below; the number and the seed decide which. The service must run on its
built-in simulator. A difference is made as small as it can be and printed with both answers.
"""

import argparse
import concurrent.futures
import json
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field, replace
from decimal import Decimal

import duckdb

import oracle
from expressions import Expr, Maker
from oracle import Column

# How much of each table is dumped decides which of its sets are asked for.
TABLES = {"y25i03": "cube", "y28a15": "areas-by-dimension", "y25i01": "margins", "y07a02": "margins"}
EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
# Letters that are left as a person reads them until the request is sent.
READABLE = " '$,()=/æøåÆØÅ"
ROWS_AT_MOST = 3000
SECONDS_TO_SHRINK = 20


@dataclass
class Set:
    """A set that both sides know: its columns by the service's names, and where its rows are in DuckDB."""

    table: str
    name: str
    columns: dict
    source: str
    order: str
    samples: dict = field(default_factory=dict)
    size: int = 0
    # What identifies a row, and what holds of the totals of those parts that are not grouped by.
    ids: dict = field(default_factory=dict)


@dataclass
class Query:
    set: Set
    filter: Expr | None = None
    order: tuple = ()
    top: int | None = None
    skip: int | None = None
    select: tuple = ()
    count: bool = False
    only_count: bool = False
    groups: tuple = ()
    # Published totals of the groups; without any, the rows of each group are counted.
    totals: tuple = ()
    page: int | None = None

    def path(self):
        options = {}
        if self.groups:
            made = ",".join(self.totals) or "$count as Antal_rækker"
            grouped = f"groupby(({','.join(self.groups)}),aggregate({made}))"
            options["$apply"] = f"filter({self.filter.odata})/{grouped}" if self.filter else grouped
        elif self.filter:
            options["$filter"] = self.filter.odata
        if self.order:
            options["$orderby"] = ",".join(term.odata for term in self.order)
        if not self.only_count and not self.groups:
            options["$select"] = ",".join(self.select)
        if self.top is not None:
            options["$top"] = str(self.top)
        if self.skip is not None:
            options["$skip"] = str(self.skip)
        if self.count:
            options["$count"] = "true"
        text = "&".join(f"{name}={urllib.parse.quote(value, safe=READABLE)}" for name, value in options.items())
        return f"/odata/jobindsats/{self.set.table}/{self.set.name}{'/$count' if self.only_count else ''}?{text}"

    def sql(self):
        where = f"WHERE {self.filter.sql}" if self.filter else ""
        if self.only_count:
            return f"SELECT count(*) FROM {self.set.source} {where}"
        sort = ", ".join([*(term.sql for term in self.order), self.set.order])
        source, shown = f"{self.set.source} {where}", ", ".join(self.set.columns[name].sql for name in self.select)
        if self.totals:
            rest = [sql for name, sql in self.set.ids.items() if sql and name not in self.groups]
            where = " AND ".join([*([self.filter.sql] if self.filter else []), *rest]) or "true"
            shown = ", ".join(self.set.columns[name].sql for name in [*self.groups, *self.totals])
            return f"SELECT {shown} FROM {self.set.source} WHERE {where} ORDER BY {self.set.order}{self.limits()}"
        if self.groups:
            keys = [self.set.columns[name].sql for name in self.groups]
            numbered = f"(SELECT *, row_number() OVER (ORDER BY {self.set.order}) AS place FROM {source})"
            source = f"(SELECT {', '.join(f'{key} AS k{at}' for at, key in enumerate(keys))}, place FROM {numbered})"
            shown = ", ".join([*(f"k{at}" for at in range(len(keys))), "count(*)"])
            tail = f"GROUP BY {', '.join(f'k{at}' for at in range(len(keys)))} ORDER BY min(place)"
            return f"SELECT {shown} FROM {source} {tail}{self.limits()}"
        return f"SELECT {shown} FROM {source} ORDER BY {sort}{self.limits()}"

    def sql_count(self):
        return f"SELECT count(*) FROM ({replace(self, top=None, skip=None, order=()).sql()})"

    def limits(self):
        limit = f" LIMIT {self.top}" if self.top is not None else ""
        return limit + (f" OFFSET {self.skip}" if self.skip is not None else "")

    def smaller(self):
        """Queries that ask for less, the largest steps first."""
        for name, none in [("page", None), ("count", False), ("order", ()), ("top", None), ("skip", None), ("totals", ()), ("groups", ())]:
            grows = name in ("top", "groups", "totals") and self.set.size > ROWS_AT_MOST
            if getattr(self, name) != none and not grows:
                yield replace(self, **{name: none})
        if self.filter:
            if self.set.size <= ROWS_AT_MOST or self.top is not None:
                yield replace(self, filter=None)
            for part in self.filter.parts:
                yield replace(self, filter=part)
        for at in range(len(self.order)):
            yield replace(self, order=self.order[:at] + self.order[at + 1 :])
        for at in range(len(self.select)):
            if len(self.select) > 1:
                yield replace(self, select=self.select[:at] + self.select[at + 1 :])


class Service:
    def __init__(self, address):
        self.address = address.rstrip("/")
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, url, page=None):
        if url.startswith("/"):
            url = self.address + urllib.parse.quote(url, safe="/?&=$'(),%")
        else:
            url = urllib.parse.quote(url, safe="/?&=$'(),*@:;%+-_~.!")
        request = urllib.request.Request(url, headers={"Prefer": f"odata.maxpagesize={page}"} if page else {})
        with self.opener.open(request, timeout=120) as response:
            return response.read()

    def answer(self, query):
        """The rows as tuples, and the count if it was asked for."""
        try:
            if query.only_count:
                return [(int(self.get(query.path())),)], None
            names = [*query.groups, *(query.totals or ["Antal_rækker"])] if query.groups else query.select
            rows, count, link = [], None, query.path()
            while link:
                body = json.loads(self.get(link, query.page), parse_float=Decimal, parse_int=Decimal)
                count = body.get("@odata.count", count)
                rows += [tuple(row[name] for name in names) for row in body["value"]]
                link = body.get("@odata.nextLink")
            return rows, None if count is None else int(count)
        except urllib.error.HTTPError as error:
            return f"{error.code}: {error.read().decode()[:600]}", None


def plain(value):
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Decimal(str(value))
    return str(value) if hasattr(value, "isoformat") else value


def expected(cursor, query):
    try:
        rows = [tuple(plain(value) for value in row) for row in cursor.execute(query.sql()).fetchall()]
        if not query.count:
            return rows, None
        (count,) = cursor.execute(query.sql_count()).fetchone()
        return rows, count
    except duckdb.Error as error:
        raise SystemExit(f"the oracle itself fails: {error}\n{query.sql()}")


def difference(service, cursor, query):
    """Both answers, where they differ."""
    given, wanted = service.answer(query), expected(cursor, query)
    return None if given == wanted else (given, wanted)


def minimal(service, cursor, query, until):
    """A query that asks for less and still differs, as far as time allows."""
    for smaller in query.smaller():
        if time.monotonic() > until:
            break
        if difference(service, cursor, smaller):
            return minimal(service, cursor, smaller, until)
    return query


def entity_sets(service, table):
    """The names of the properties of each set, in their order."""
    root = ElementTree.fromstring(service.get(f"/odata/jobindsats/{table}/$metadata"))
    types = {
        kind.get("Name"): [found.get("Name") for found in kind.findall(f"{EDM}Property")]
        for kind in root.iter(f"{EDM}EntityType")
    }
    return {found.get("Name"): types[found.get("EntityType").split(".")[-1]] for found in root.iter(f"{EDM}EntitySet")}


def sets(service, cursor, table):
    """The sets that the figures at hand suffice for."""
    named = entity_sets(service, table.id)
    others = list(range(1, len(table.dimensions)))
    wide = {"Hovedtal": (None, None), "Landet": (oracle.COUNTRY, None)}
    wide |= {"Regioner": (oracle.REGION, None), "Kommuner": (oracle.MUNICIPALITY, None)}
    if table.extent != "margins":
        breakdowns = [name for name in named if name.startswith("Fordelt_på_")]
        assert len(breakdowns) == len(others), f"{table.id}: {breakdowns}"
        wide |= {name: (None, number) for name, number in zip(breakdowns, others)}
    order = oracle.place(table)
    for name, (kind, about) in wide.items():
        if name in named:
            columns = oracle.wide_columns(table, [about] if about else [])
            yield of_columns(table, name, named[name], columns, oracle.wide_source(table, kind, about), order)
    if table.extent == "cube":
        columns = oracle.wide_columns(table, others)
        data = of_columns(table, "Data", named["Data"], columns, f"(SELECT * FROM wide_{table.id})", order)
        for name, column in data.columns.items():
            if column.sql == "periode" or re.fullmatch(r"d\d+_id", column.sql):
                data.ids[name] = "" if column.sql == "periode" else f"{column.sql} = 'T'"
        yield data
        columns = oracle.long_columns(table)
        yield of_columns(table, "Observations", named["Observations"], columns, oracle.long_source(table), f"{order}, m_rank")
    yield from code_lists(table, named)


def of_columns(table, name, names, columns, source, order):
    assert len(columns) in (len(names), len(names) - 1), f"{table.id}/{name}: {names}"
    return Set(table.id, name, dict(zip(names, columns)), source, order)


def code_lists(table, named):
    kinds = [("Identifier", Column("id", "text")), ("Title", Column("label", "text")), ("Index", Column("(rank + 1)", "number"))]
    names = [name.removesuffix("Codes") for name in named if name.endswith("Codes") and name not in ("MeasureCodes", "PeriodeCodes")]
    for number, name in enumerate(names):
        columns = dict(kinds) | {"Level": Column("level", "text")}
        yield Set(table.id, f"{name}Codes", columns, f"(SELECT * FROM member_{table.id}_{number})", "rank")
    columns = {
        "Identifier": Column("cbs", "text"),
        "Index": Column("(rank + 1)", "number"),
        "DimensionGroupId": Column("kind", "text"),
        "PeriodId": Column("id", "text"),
        "FirstDay": Column("fra", "date"),
        "LastDay": Column("til", "date"),
    }
    yield Set(table.id, "PeriodeCodes", columns, f"(SELECT * FROM period_{table.id})", "rank")


def with_samples(cursor, found):
    for name, column in found.columns.items():
        drawn = cursor.execute(
            f"SELECT v FROM (SELECT DISTINCT {column.sql} AS v FROM {found.source}) WHERE v IS NOT NULL ORDER BY hash(v), v LIMIT 40"
        )
        found.samples[name] = [value for (value,) in drawn.fetchall()]
    (found.size,) = cursor.execute(f"SELECT count(*) FROM {found.source}").fetchone()
    return found


def make(random, found):
    maker, names = Maker(random, found.columns, found.samples), list(found.columns)
    query = Query(found, select=tuple(random.sample(names, random.randrange(1, min(6, len(names)) + 1))))
    if random.random() < 0.9:
        query.filter = maker.condition(random.randrange(4))
    if random.random() < 0.08:
        query.only_count = True
        return query
    if random.random() < 0.12:
        # A figure cannot be grouped by: it is no fact of a member.
        keys = [name for name, column in found.columns.items() if column.kind in ("text", "date") and column.sql not in ("status", "attribute", "id")]
        query.groups = tuple(random.sample(keys, min(len(keys), random.randrange(1, 4))))
    elif found.ids and random.random() < 0.12:
        totals(random, found, query)
    elif random.random() < 0.6:
        query.order = tuple(maker.order_term() for _ in range(random.randrange(1, 4)))
    if random.random() < 0.5 or found.size > ROWS_AT_MOST:
        query.top = random.choice([0, 1, 7, 50, 300])
    if random.random() < 0.3:
        query.skip = random.choice([0, 1, 13, 200])
    query.count = random.random() < 0.25
    if random.random() < 0.25:
        query.page = random.choice([7, 40, 150]) if (query.top or 1000) <= 300 else 500
    return query


def totals(random, found, query):
    """Groups by some ids, and filters by no more than those: the rest stands at its published total."""
    free = [name for name, rest in found.ids.items() if rest]
    query.groups = tuple(name for name in found.ids if name not in free or random.random() < 0.5)
    figures = [name for name, column in found.columns.items() if column.kind == "figure"] + ["Status"]
    query.totals = tuple(random.sample(figures, random.randrange(1, len(figures) + 1)))
    columns = {name: found.columns[name] for name in query.groups}
    query.filter = Maker(random, columns, found.samples).condition(1) if random.random() < 0.6 else None


def simulated_tables(binary):
    """What the simulator says of the tables, from a simulator of our own."""
    simulator = subprocess.Popen(
        [binary, "simulator", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        address = next(found[0] for line in simulator.stdout if (found := re.findall(r"http://127\.0\.0\.1:\d+", line)))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = lambda id: urllib.request.Request(f"{address}/v3/table/{id}?format=json", headers={"Authorization": "Bearer any"})
        return {id: json.loads(opener.open(request(id)).read()) for id in TABLES}
    finally:
        simulator.kill()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--service", required=True)
    arguments.add_argument("--binary", required=True)
    arguments.add_argument("--queries", type=int, default=1500)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--threads", type=int, default=4)
    arguments.add_argument("--differences", type=int, default=5, help="stop after so many")
    chosen = arguments.parse_args()

    began = time.monotonic()
    service, database = Service(chosen.service), duckdb.connect()
    described = simulated_tables(chosen.binary)
    with tempfile.TemporaryDirectory() as folder:
        tables = [oracle.read_table(chosen.binary, database, described[id], id, extent, folder) for id, extent in TABLES.items()]
    known = [with_samples(database, found) for table in tables for found in sets(service, database, table)]
    print(f"{len(known)} sets of {len(tables)} tables, read in {time.monotonic() - began:.0f} s")

    maker = random.Random(chosen.seed)
    queries = [make(maker, maker.choice(known)) for _ in range(chosen.queries)]
    local, found, rows = threading.local(), [], 0

    def check(query):
        if len(found) >= chosen.differences:
            return 0
        local.cursor = getattr(local, "cursor", None) or database.cursor()
        wanted = expected(local.cursor, query)
        if service.answer(query) == wanted:
            return len(wanted[0])
        found.append(query)
        query = minimal(service, local.cursor, query, time.monotonic() + SECONDS_TO_SHRINK)
        given, wanted = difference(service, local.cursor, query)
        print(f"DIFFERENCE\n  GET {query.path()}\n  page {query.page}\n  SQL {query.sql()}\n  service {str(given)[:700]}\n  oracle  {str(wanted)[:700]}", flush=True)
        return 0

    with concurrent.futures.ThreadPoolExecutor(chosen.threads) as pool:
        rows = list(pool.map(check, queries))
    filled = sum(1 for count in rows if count)
    print(f"{len(queries)} queries (seed {chosen.seed}), {filled} with rows, {sum(rows)} rows, {len(found)} differences, {time.monotonic() - began:.0f} s")
    assert found or filled * 3 > len(queries), "too many answers are empty to prove anything"
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
