#!/usr/bin/env python3
"""Random queries, answered by the service over HTTP and by DuckDB over the simulator's own figures: no answer may differ.

    run.py --service http://127.0.0.1:8080 --binary target/debug/jobindsats-bridge [--queries 3000] [--seed 1]

The queries are made from `$metadata` of the tables below and of the catalogue; the number and the seed decide which. The service
must run on its built-in simulator. A difference is made as small as it can be and printed with both answers. What the queries
were made of is counted: a construct that came too seldom proves nothing, so that fails as well.
"""

import argparse
import collections
import concurrent.futures
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import duckdb

import catalogue
import making
import model
import oracle
from service import Service, same
from spelling import Spelling

# How much of each table is dumped decides which of its sets are asked for. Between them: hidden figures, several period types,
# a pinned dimension, regions, a hierarchy of ages.
TABLES = {
    "y25i03": "cube",
    "y24j": "cube",
    "y30r21": "cube",
    "y28a15": "areas-by-dimension",
    "y25i08": "margins",
    "y01h01": "margins",
    "y25i01": "margins",
}
SECONDS_TO_SHRINK = 20
# Of this many queries every construct must be in so many.
OF_QUERIES, AT_LEAST = 3000, 50


def simulated(binary):
    """What the simulator says of the tables, from a simulator of our own: subjects with tables, groups of subjects, each table."""
    simulator = subprocess.Popen(
        [binary, "simulator", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        address = next(found[0] for line in simulator.stdout if (found := re.findall(r"http://127\.0\.0\.1:\d+", line)))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def get(path):
            request = urllib.request.Request(f"{address}/v3/{path}?format=json", headers={"Authorization": "Bearer any"})
            return json.loads(opener.open(request).read())

        return get("tables"), get("subjects"), {id: get(f"table/{id}") for id in TABLES}
    finally:
        simulator.kill()


def known_sets(service, binary, database):
    subjects, groups, tables = simulated(binary)
    heads = catalogue.heads(subjects)
    found = list(catalogue.sets(service, heads, groups))
    described = model.described_sets(service, "/odata")
    with tempfile.TemporaryDirectory() as folder:
        for id, extent in TABLES.items():
            table = oracle.read_table(binary, database, (heads[id][0], tables[id]), extent, folder)
            found += model.table_sets(service, table)
            found += model.catalogue_wide(table, described)
    return [model.complete(database, each) for each in found]


class Comparison:
    """Asks both sides, and keeps what differs."""

    def __init__(self, service, database, most):
        self.service, self.database, self.most = service, database, most
        self.local, self.found = threading.local(), []

    def cursor(self):
        self.local.cursor = getattr(self.local, "cursor", None) or self.database.cursor()
        return self.local.cursor

    def compared(self, query, spelling):
        """Whether both answer the same, and both answers."""
        try:
            wanted = query.answer(self.cursor())
        except duckdb.Error as error:
            raise SystemExit(f"the oracle itself fails: {error}\n{query.address(Spelling()).path}")
        given = self.service.answer(query, spelling)
        return same(given, wanted, spelling), given, wanted

    def check(self, asked):
        """How many rows came."""
        query, spelling = asked
        if len(self.found) >= self.most:
            return 0
        agree, given, wanted = self.compared(query, spelling)
        if agree:
            return len(wanted.value) if isinstance(wanted.value, list) else 1
        self.found.append(query)
        query, spelling = self.smallest(query, spelling, isinstance(given, str), time.monotonic() + SECONDS_TO_SHRINK)
        self.report(query, spelling)
        return 0

    def smallest(self, query, spelling, refused, until):
        """A query that asks for less and still differs in the same way, as far as time allows."""
        for smaller in [(query, less) for less in spelling.simpler()] + [(less, spelling) for less in query.smaller()]:
            if time.monotonic() > until:
                break
            agree, given, _ = self.compared(*smaller)
            if not agree and isinstance(given, str) == refused:
                return self.smallest(*smaller, refused, until)
        return query, spelling

    def report(self, query, spelling):
        _, given, wanted = self.compared(query, spelling)
        sql = query.sql()[0] if hasattr(query, "sql") else getattr(getattr(query, "result", None), "sql", lambda: [""])()[0]
        print(
            f"DIFFERENCE\n  GET {query.address(spelling).path}\n  headers {spelling.headers()}, page {query.page}\n  SQL {sql}\n"
            f"  service {str(given)[:1200]}\n  oracle  {str(wanted)[:1200]}",
            flush=True,
        )


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--service", required=True)
    arguments.add_argument("--binary", required=True)
    arguments.add_argument("--queries", type=int, default=OF_QUERIES)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--threads", type=int, default=4)
    arguments.add_argument("--differences", type=int, default=5, help="stop after so many")
    chosen = arguments.parse_args()

    began = time.monotonic()
    service, database = Service(chosen.service), duckdb.connect(config={"order_by_non_integer_literal": True})
    known = known_sets(service, chosen.binary, database)
    print(f"{len(known)} sets of {len(TABLES)} tables and the catalogue, read in {time.monotonic() - began:.0f} s", flush=True)

    queries = making.Queries(known, chosen.seed)
    asked = [queries.next() for _ in range(chosen.queries)]
    counts = collections.Counter(name for query, spelling in asked for name in making.constructs(query, spelling))
    comparison = Comparison(service, database, chosen.differences)
    with concurrent.futures.ThreadPoolExecutor(chosen.threads) as pool:
        rows = list(pool.map(comparison.check, asked))

    print(", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    filled = sum(1 for count in rows if count)
    seconds = time.monotonic() - began
    print(f"{len(asked)} queries (seed {chosen.seed}), {filled} with rows, {sum(rows)} rows, {len(comparison.found)} differences, {seconds:.0f} s")
    rare = {name: count for name, count in counts.items() if count * OF_QUERIES < AT_LEAST * len(asked)}
    assert not rare, f"too seldom to prove anything: {rare}"
    assert comparison.found or filled * 3 > len(asked), "too many answers are empty to prove anything"
    sys.exit(bool(comparison.found))


if __name__ == "__main__":
    main()
