#!/usr/bin/env python3
"""The morning of a national roll-out in small: one, two and four bridges that share a Redis, each with a part of one processor as a machine of its own.

    tests/tools/rollout.py target/release/jobindsats-bridge [--bridges 0,1,2,4] [--share 0.15] [--analysts 490] [--seconds 60]

Three things for each number of bridges, and for one without Redis, which stands as 0:
- A morning with nothing stored: so many analysts open a workbook each within so many seconds, spread over the bridges. A workbook is the service
  document, `$metadata` and three sets of one of TABLES tables, of which a few are asked for most. The simulator takes DELAY_MS for each answer. Descriptions of
  the tables are read before. It says how many requests for figures came, and whether one came twice.
- With two bridges or more, how large the blocks of LARGE in Redis are when all of it was read.
- How many users of the mix of `morning.py` are held when all figures are stored.
Fails if an answer is not 200 or a request for figures comes twice. Needs redis-server, and root for the limits of processors. Clients run on the same machine:
with four bridges at 0.15 of a processor each more than one processor is theirs.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import random
import resource
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator

from morning import Measured, User, highest, store
from redis_server import Redis, redis_server
from service import Service, processor_seconds, simulator, started

TABLES, DELAY_MS = 24, 500
# A set of many rows.
LARGE = "y35a02/Data"
# What an analyst opens of a table beside its service document and its description.
SETS = {"Landet": "", "Kommuner": "?$filter=Periode ge '2025'", "Hovedtal": "?$top=1000"}


@contextlib.contextmanager
def bridges(program: str, upstream: str, count: int, redis: Redis | None, share: float | None) -> Iterator[list[Service]]:
    """So many bridges that share the Redis; none stands for one without it."""
    settings = {"BRIDGE_REDIS_URL": redis.url, "BRIDGE_PEERS": str(count)} if redis else {}
    with contextlib.ExitStack() as ends:
        yield [ends.enter_context(started(program, upstream=upstream, share=share, **settings)) for _ in range(max(count, 1))]


def control(upstream: str, method: str, path: str, body: object = None) -> object:
    request = urllib.request.Request(f"{upstream}/control/{path}", json.dumps(body).encode() if body else None, method=method)
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", "Bearer any")
    with urllib.request.urlopen(request) as answer:
        content = answer.read()
        return json.loads(content) if content else None


class Analyst(User):
    async def open(self, table: str, after: float, workbooks: list[float]) -> None:
        await asyncio.sleep(after)
        began = time.monotonic()
        root = f"/odata/jobindsats/{table}/"
        sets = [name + urllib.parse.quote(options, safe="?$=") for name, options in SETS.items()]
        for path in ["", "$metadata", *sets]:
            await self.ask(root + path, time.monotonic())
        workbooks.append(time.monotonic() - began)
        if self.streams:
            self.streams[1].close()


def tables(service: Service) -> list[str]:
    """Tables that have all the sets, the first of the list."""
    listed = json.loads(service.get("/odata/Datasets?$select=Identifier"))["value"]
    found = []
    for table in (one["Identifier"] for one in listed):
        with contextlib.suppress(urllib.error.HTTPError):
            names = {one["name"] for one in json.loads(service.get(f"/odata/jobindsats/{table}/"))["value"]}
            if SETS.keys() <= names:
                found.append(table)
        if len(found) == TABLES:
            break
    return found


async def opened(services: list[Service], chosen: list[str], seconds: float, measured: Measured) -> list[float]:
    workbooks: list[float] = []
    chance = random.Random(8)

    def analyst(number: int, table: str):
        return Analyst(services[number % len(services)].port, number, measured).open(table, chance.random() * seconds, workbooks)

    await asyncio.gather(*(analyst(number, table) for number, table in enumerate(chosen)))
    return workbooks


def described(sizes: list[int]) -> str:
    mean, largest = sum(sizes) / max(1, len(sizes)) / 1e3, max(sizes, default=0) / 1e3
    return f"{len(sizes)} blocks of {mean:.0f} kB in the mean, the largest {largest:.0f} kB, {sum(sizes) / 1e6:.1f} MB together"


def read_large(services: list[Service], redis: Redis) -> None:
    """Reads all of a large set at the first bridge, and counts its rows at the second."""
    before = redis.blocks()
    rows = int(services[0].get(f"/odata/jobindsats/{LARGE}/$count").decode("utf-8-sig"))
    services[0].get(f"/export/{LARGE}.csv")
    time.sleep(5)
    blocks = [size for name, size in redis.blocks().items() if name not in before]
    began = time.monotonic()
    services[1].get(f"/odata/jobindsats/{LARGE}/$count")
    print(f"  {rows} rows of {LARGE}: {described(blocks)}; the second bridge counts them in {time.monotonic() - began:.3f} s", flush=True)


def open_all(services: list[Service], upstream: str, redis: Redis | None, analysts: int, seconds: float) -> bool:
    """A morning with nothing stored."""
    known = tables(services[0])
    # As with most collections: the k-th table is asked for 1/k times as often as the first.
    chosen = random.Random(7).choices(known, [1 / (1 + rank) for rank in range(len(known))], k=analysts)
    control(upstream, "POST", "faults", {"delay_ms": DELAY_MS})
    control(upstream, "DELETE", "requests")
    before = [processor_seconds(service.process) for service in services]
    measured = Measured()
    workbooks = sorted(asyncio.run(opened(services, chosen, seconds, measured)))
    used = [processor_seconds(service.process) - before for service, before in zip(services, before)]
    control(upstream, "POST", "faults", {"delay_ms": 0})
    log = control(upstream, "GET", "requests")
    asked = collections.Counter(one["target"] for one in log["requests"])
    twice = asked.total() - len(asked)
    print(
        f"  {analysts} workbooks of {len(known)} tables: {asked.total()} requests for figures, {twice} of them sent before, at most {log['most_at_once']} at once; "
        f"a workbook takes {workbooks[len(workbooks) // 2]:.2f} s in the median, 99 of 100 within {workbooks[int(len(workbooks) * 0.99)]:.1f} s; "
        f"{dict(measured.statuses)}; processor of each bridge {', '.join(f'{one:.1f} s' for one in used)}"
    )
    if redis:
        print(
            f"  Redis: processor {processor_seconds(redis.process):.1f} s, {redis.info('total_net_output_bytes') / 1e6:.1f} MB sent, "
            f"memory {redis.info('used_memory_peak') / 1e6:.1f} MB, {described(list(redis.blocks().values()))}"
        )
    return set(measured.statuses) == {"200"} and twice == 0


def roll_out(arguments: argparse.Namespace, count: int) -> bool:
    with contextlib.ExitStack() as ends:
        upstream = ends.enter_context(simulator(arguments.program))
        redis = ends.enter_context(redis_server()) if count else None
        services = ends.enter_context(bridges(arguments.program, upstream, count, redis, arguments.share))
        print(f"{count} bridges with Redis:" if redis else "one bridge without Redis:", flush=True)
        is_right = open_all(services, upstream, redis, arguments.analysts, arguments.seconds)
        if redis and len(services) > 1:
            read_large(services, redis)
        for service in services:
            store(service)
        print(f"  held: {highest(services, 15, arguments.most)} users", flush=True)
        return is_right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--bridges", default="0,1,2,4")
    parser.add_argument("--share", type=float, default=0.15, help="processors that each bridge has")
    parser.add_argument("--analysts", type=int, default=490)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--most", type=int, default=6400, help="users at most")
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = [roll_out(arguments, int(count)) for count in arguments.bridges.split(",")]
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
