#!/usr/bin/env python3
"""Hundreds of clients at once that do what hurts most, while innocent ones are timed and the service's memory is watched.

    tests/tools/nasty_clients.py target/release/jobindsats-bridge [--clients 300] [--seconds 60] [--limit-mb 1536] [--control-group]

Starts a simulator and a service on free ports, both of the given program, with their default settings. Fails if the service ends or takes
more memory than the limit. --control-group makes the system enforce the limit, as it does for a container (needs root). KINDS is the list
of what is tried.
"""

import argparse
import collections
import contextlib
import json
import random
import socket
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from service import Service, started

QUOTED = urllib.parse.quote
LARGE = "/odata/jobindsats/y01dia02/" + QUOTED("Fordelt_på_A_kasse")
ROWS = "/odata/jobindsats/y25i01/"
SMALL = ROWS + "Landet?$top=1"


def options(**named: str) -> str:
    return "?" + "&".join(f"${name}={QUOTED(text)}" for name, text in named.items())


def doubled(steps: int, separator: str) -> str:
    first = "concat(Område,Område) as c0"
    return separator.join([first] + [f"concat(c{at},c{at}) as c{at + 1}" for at in range(steps)])


def aliases(depth: int) -> str:
    links = "".join(f"&@a{at}=concat(@a{at + 1},@a{at + 1})" for at in range(depth))
    return links + f"&@a{depth}=concat('x','y')"


DEAR = " or ".join(["@a"] * 100)
DEAR_TERM = " or ".join(["indexof(Område,Periode) gt 5"] * 20)
GROWING = "contains(" + "concat(" * 30 + "Område" + ",Område)" * 30 + ",'x')"


def get(path: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *headers]
    return "\r\n".join(lines + ["", ""]).encode()


def post(path: str, content_type: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def batch(paths: list[str]) -> bytes:
    requests = [{"id": str(at), "method": "GET", "url": path} for at, path in enumerate(paths)]
    body = json.dumps({"requests": requests}).encode()
    return post("/odata/$batch", "application/json", body, "Prefer: continue-on-error")


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def remote_read(body: bytes, packed: bytes | None = None) -> bytes:
    """As snappy: the length and one literal."""
    literal = bytes([61 << 2]) + max(0, len(body) - 1).to_bytes(2, "little") + body
    packed = varint(len(body)) + literal if packed is None else packed
    return post("/api/v1/read", "application/x-protobuf", packed, "Content-Encoding: snappy")


def everything() -> bytes:
    """All series over all years in small steps."""
    times = varint(1 << 3) + varint(0) + varint(2 << 3) + varint(1_900_000_000_000)
    return remote_read(field(1, times) * 4)


# What a kind sends, how many bytes a second it takes of the answer (None: all that come), and whether it leaves at once.
KINDS: dict[str, tuple[bytes, int | None]] = {
    "a page that nobody reads": (get(LARGE), 0),
    "a compressed page that nobody reads": (get(LARGE, "Accept-Encoding: br"), 0),
    "a page at one byte a second": (get(LARGE), 1),
    "a sorted set that nobody reads": (get(LARGE + options(orderby="Periode desc")), 0),
    "a grouped set": (get(LARGE + options(apply="groupby((Periode,A_kasse))")), None),
    "a file as CSV that nobody reads": (get(LARGE.replace("/odata/jobindsats", "/export") + ".csv"), 0),
    "a file as Parquet that nobody reads": (get(LARGE.replace("/odata/jobindsats", "/export") + ".parquet"), 0),
    "a batch of ten pages that nobody reads": (batch([LARGE] * 10), 0),
    "a batch of a hundred pages": (batch([LARGE] * 100), None),
    "a remote read of everything that nobody reads": (everything(), 0),
    "a remote read whose body is a bomb": (remote_read(b"", varint(2**31) + b"\xfe\xff\x01" * 100_000), None),
    "a batch whose body is a bomb": (
        post("/odata/$batch", "application/json", b"\x1f\x8b" + bytes(1000), "Content-Encoding: gzip"),
        None,
    ),
    "a dear condition": (get(ROWS + "Hovedtal/$count" + options(filter=DEAR) + "&@a=" + QUOTED(DEAR_TERM)), None),
    "texts that double in steps": (get(ROWS + "Hovedtal" + options(apply=f"compute({doubled(24, ')/compute(')})")), None),
    "texts that double in $compute": (get(ROWS + "Hovedtal" + options(compute=doubled(16, ","))), None),
    "texts that double in aliases": (
        get(ROWS + "Hovedtal" + options(filter="contains(@a0,'x')") + QUOTED(aliases(20), safe="&=@")),
        None,
    ),
    "texts that double within $expand": (
        get(ROWS + "Observations" + options(expand=f"Area($compute={doubled(14, ',')};$select=c13)")),
        None,
    ),
    "texts that double in the condition of any": (
        get(ROWS + QUOTED("OmrådeCodes") + options(filter=f"Observations/any(o:{GROWING.replace('Område', 'o/Periode')})")),
        None,
    ),
    "long texts within the limits": (
        get(ROWS + "Hovedtal" + options(compute="concat(concat(Område,Periode),concat(Område,Periode)) as c", orderby="c")),
        0,
    ),
    "a body that never comes": (get("/")[:0] + b"POST /odata/$batch HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", 0),
    "a head that drips": (b"GET /odata/ HTTP/1.1\r\nX-Slow: ", 0),
    "an idle connection": (b"", 0),
    "sixteen requests behind each other": (get(LARGE) * 16, 0),
    "metadata that nobody reads": (get(ROWS + "$metadata") * 16, 0),
    "a client that leaves": (get(ROWS + "Kommuner" + options(filter="Antal_fuldtidspersoner gt 1", top="1")), -1),
}


def act(port: int, kind: str, until: float, statuses: collections.Counter) -> None:
    """Does the same again and again."""
    request, pace = KINDS[kind]
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
            client.settimeout(max(0.1, until - time.monotonic()))
            client.connect(("127.0.0.1", port))
            client.sendall(request)
            if pace == -1:
                time.sleep(random.random())
                continue
            if pace is None:
                first = client.recv(1 << 16)
                statuses[kind, first[9:12].decode(errors="replace")] += 1
                while client.recv(1 << 16):
                    pass
            while pace == 1 and time.monotonic() < until:
                client.recv(1)
                time.sleep(1)
            time.sleep(max(0.0, until - time.monotonic()))


def innocent(url: str, until: float, waits: dict[str, list[float]], statuses: collections.Counter) -> None:
    while time.monotonic() < until:
        for path in ("/healthz", SMALL):
            began = time.monotonic()
            try:
                with urllib.request.urlopen(url + path, timeout=60) as answer:
                    answer.read()
                    statuses[path, str(answer.status)] += 1
            except urllib.error.HTTPError as refused:
                statuses[path, str(refused.code)] += 1
            except OSError as error:
                statuses[path, type(error).__name__] += 1
            waits[path].append(time.monotonic() - began)
        time.sleep(0.1)


def attack(service: Service, arguments: argparse.Namespace) -> bool:
    for path in (LARGE, SMALL):
        service.get(path)
    print(f"idle: {service.memory_mb()} MB", flush=True)
    until = time.monotonic() + arguments.seconds
    statuses: collections.Counter = collections.Counter()
    waits: dict[str, list[float]] = {"/healthz": [], SMALL: []}
    kinds = [list(KINDS)[at % len(KINDS)] for at in range(arguments.clients)]
    threads = [threading.Thread(target=act, args=(service.port, kind, until, statuses), daemon=True) for kind in kinds]
    threads.append(threading.Thread(target=innocent, args=(service.url, until, waits, statuses), daemon=True))
    for thread in threads:
        thread.start()
    threads[-1].join()
    for (kind, status), count in sorted(statuses.items()):
        print(f"{kind}: {status or 'no answer'} {count} times")
    if service.process.poll() is not None:
        print(f"the service ended with {service.process.returncode}")
        return False
    peak = service.memory_mb("VmHWM")
    print(f"peak: {peak} MB; now {service.memory_mb()} MB")
    for path, times in waits.items():
        times.sort()
        print(f"{path}: median {times[len(times) // 2] * 1000:.0f} ms, longest {times[-1] * 1000:.0f} ms, {len(times)} times")
    for thread in threads:
        thread.join(5)
    time.sleep(arguments.later)
    if service.process.poll() is not None:
        print(f"the service ended with {service.process.returncode}")
        return False
    print(f"{arguments.later} s later: {service.memory_mb()} MB")
    return peak <= arguments.limit_mb


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--later", type=int, default=60)
    parser.add_argument("--limit-mb", type=int, default=1536)
    parser.add_argument("--control-group", action="store_true")
    arguments = parser.parse_args()
    with started(arguments.program, arguments.limit_mb if arguments.control_group else None) as service:
        held = attack(service, arguments)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
