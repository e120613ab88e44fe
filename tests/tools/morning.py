#!/usr/bin/env python3
"""How many people the service holds at eight in the morning, when everybody opens a workbook, and what happens beyond that.

    tests/tools/morning.py target/release/jobindsats-bridge [--seconds 15] [--most 8000 | --held 6000]

Each user does one thing of MIX, then pauses for PAUSE_SECONDS in the mean, and so on. An answer counts from the moment at which the user wanted it until its
last byte. Held is the highest number of users at which 99 of 100 answers take less than a second and none is refused or broken off, found by
doubling and then halving the distance. Then twice and four times as many come, and then the held number again. Fails if anything but announced
refusals (503 and 429 with Retry-After) comes, or if the service is not as before afterwards. A server may close a connection that nothing is asked on;
a user who finds that opens another and asks once more, as browsers, Excel and Power BI do, and that counts as part of the wait. So do users whose new connection was closed
before they asked on it, because these clients were late. All figures are stored before: what the upstream takes is measured elsewhere. Clients run on the same machine.
"""

import argparse
import asyncio
import collections
import os
import random
import resource
import socket
import statistics
import sys
import time
import urllib.parse

from service import Service, started

PAUSE_SECONDS = 10
QUOTED = urllib.parse.quote
TWO_YEARS = "?$filter=" + QUOTED("Periode ge '2024M08'")
# What a user does, how many of a hundred times, and the requests for it.
MIX = {
    "preview": (40, ["/odata/jobindsats/y25i01/Kommuner?$top=200"]),
    "refresh": (25, ["/odata/jobindsats/y25i01/$metadata", "/odata/jobindsats/y25i01/Hovedtal" + TWO_YEARS]),
    "narrow refresh": (10, ["/odata/jobindsats/y25i02/Kommuner?$filter=" + QUOTED("Område eq 'Randers'")]),
    "export": (10, ["/export/y25i01/Kommuner.csv" + TWO_YEARS]),
    "page": (10, ["/maaling/y25i01"]),
    "scrape": (5, ["/metrics/indicators"]),
}
# Twice and four times as many as are held, or as one process may have connections.
BEYOND = (2, 4)
LONGEST, REFUSED = 1.0, (429, 503)
PATIENCE = 60
# From then on a client that opens a connection is late to ask on it.
LATE_SECONDS = 0.1
# Files of the process that are not connections of users.
OTHER_FILES = 500


class Measured:
    def __init__(self) -> None:
        self.waits: list[float] = []
        self.statuses: collections.Counter = collections.Counter()
        # How late the clients themselves were: beyond a tenth of a second they are what is measured.
        self.late: list[float] = []
        # How often a connection was found closed, on which an answer had come before, and a new one that a late client had not asked on.
        self.reopened = self.asked_late = 0

    def share(self, part: float) -> float:
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0

    def others(self) -> dict:
        """What is neither an answer nor an announced refusal."""
        return {status: count for status, count in self.statuses.items() if status not in ("200", *map(str, REFUSED))}

    def is_held(self) -> bool:
        return self.share(0.99) < LONGEST and set(self.statuses) == {"200"}

    def text(self, users: int, seconds: float) -> str:
        late = statistics.quantiles(self.late, n=100)[98] if len(self.late) > 1 else 0.0
        return (
            f"{users} users, {seconds:.0f} s: {self.statuses['200'] / seconds:.0f} answers 200 a second, median {self.share(0.5) * 1000:.0f} ms, "
            f"99 of 100 within {self.share(0.99) * 1000:.0f} ms, longest {self.share(1) * 1000:.0f} ms, {dict(self.statuses)}, "
            f"{self.reopened} used connections found closed and {self.asked_late} that were asked on late, clients late by {late * 1000:.0f} ms"
        )


class User:
    def __init__(self, port: int, number: int, measured: Measured) -> None:
        self.port, self.measured = port, measured
        self.source = f"127.1.{number // 250}.{1 + number % 250}"
        self.chance = random.Random(number)
        self.streams, self.is_late = None, False

    async def run(self, until: float) -> None:
        await asyncio.sleep(self.chance.random() * PAUSE_SECONDS)
        while (wanted := time.monotonic()) < until:
            what = self.chance.choices(list(MIX), [share for share, _ in MIX.values()])[0]
            for path in MIX[what][1]:
                await self.ask(path, wanted)
                wanted = time.monotonic()
            pause = self.chance.expovariate(1 / PAUSE_SECONDS)
            due = time.monotonic() + pause
            if due >= until:
                break  # of thousands of users some would pause for minutes
            await asyncio.sleep(pause)
            self.measured.late.append(time.monotonic() - due)
        if self.streams:
            self.streams[1].close()

    async def ask(self, path: str, wanted: float) -> None:
        try:
            status = await asyncio.wait_for(self.answer(path), PATIENCE)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            status = type(error).__name__
            self.streams = None
        self.measured.waits.append(time.monotonic() - wanted)
        self.measured.statuses[status] += 1

    async def head(self, path: str) -> str:
        """Asks, on the connection of the answer before if there is one, and reads the head of the answer."""
        was_used, self.is_late = self.streams is not None, False
        question = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n".encode()
        try:
            if self.streams:
                self.streams[1].write(question)
            else:
                self.streams = await self.connect(question)
            return (await self.streams[0].readuntil(b"\r\n\r\n")).decode("latin-1")
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            if getattr(error, "partial", b"") or not (was_used or self.is_late):
                raise
            self.streams = None
            self.measured.reopened += was_used
            self.measured.asked_late += not was_used
            return await self.head(path)

    async def connect(self, question: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection, on which the question is sent at once unless it took this process long to connect: then it looked like one that asks nothing."""
        connection = socket.socket()
        connection.setblocking(False)
        connection.bind((self.source, 0))
        began = time.monotonic()
        # On this machine mostly connected without a turn of the loop.
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port))
        self.is_late = time.monotonic() - began > LATE_SECONDS
        connection.send(question)
        return await asyncio.open_connection(sock=connection, limit=1 << 20)

    async def answer(self, path: str) -> str:
        head = await self.head(path)
        reader, writer = self.streams
        status = head[9:12]
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])}
        if "content-length" in fields:
            await reader.readexactly(int(fields["content-length"]))
        else:
            while size := int(await reader.readuntil(b"\r\n"), 16):
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
        if fields.get("connection") == "close":
            writer.close()
            self.streams = None
        if int(status) in REFUSED and "retry-after" not in fields:
            return f"{status} without Retry-After"
        return status


async def together(services: list[Service], users: int, seconds: float) -> Measured:
    measured = Measured()
    until = time.monotonic() + seconds
    ports = [service.port for service in services]
    await asyncio.gather(*(User(ports[number % len(ports)], number, measured).run(until) for number in range(users)))
    return measured


def measure(services: list[Service], users: int, seconds: float) -> Measured:
    began = time.monotonic()
    measured = asyncio.run(together(services, users, seconds))
    # Beyond what is held, answers come long after the last question.
    print(measured.text(users, time.monotonic() - began), flush=True)
    return measured


def highest(services: list[Service], seconds: float, most: int) -> int:
    """The highest number of users that these hold together, to a twentieth."""
    held, beyond = 0, None
    users = 100
    while users <= most and beyond is None:
        held, beyond = (users, None) if measure(services, users, seconds).is_held() else (held, users)
        users *= 2
    while beyond and beyond - held > max(10, held // 20):
        middle = (held + beyond) // 2
        held, beyond = (middle, beyond) if measure(services, middle, seconds).is_held() else (held, middle)
    return held


def store(service: Service) -> None:
    """Reads everything that users ask for, so that the service has it."""
    for _, paths in MIX.values():
        for path in paths:
            service.get(path)


def hold(service: Service, seconds: float, most: int, known: int | None, files: int) -> bool:
    store(service)
    print(f"load of the machine: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores; all figures stored, {service.memory_mb()} MB")
    held = known or highest([service], seconds, most)
    print(f"held: {held} users")
    others = {}
    for times in BEYOND:
        others |= measure([service], min(held * times, files - OTHER_FILES), seconds).others()
    print(f"peak {service.memory_mb('VmHWM')} MB; the held number again, after a pause:")
    time.sleep(10)
    after = measure([service], held * 3 // 4, seconds)
    if others:
        print(f"neither answers nor announced refusals: {others}")
    return held > 0 and not others and after.is_held()


def before_others() -> None:
    """Clients that wait for the processor are late, which is not what the service does: they go before it, where that is allowed."""
    try:
        os.nice(-15)
    except PermissionError:
        print("the clients are not allowed to go before the service: beyond what is held they will be late")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--most", type=int, default=8000, help="users at most")
    parser.add_argument("--held", type=int, help="users that are known to be held, in place of finding out how many")
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with started(arguments.program) as service:
        before_others()
        held = hold(service, arguments.seconds, arguments.most, arguments.held, hard)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
