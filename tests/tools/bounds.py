#!/usr/bin/env python3
"""What ordinary and hostile use in large numbers costs: memory that stays, time that others wait, calls of those who have left.

    tests/tools/bounds.py target/release/jobindsats-bridge downloads [--clients 12] [--downloads 300]
    tests/tools/bounds.py target/release/jobindsats-bridge sets [--memory-mb 512]
    tests/tools/bounds.py target/release/jobindsats-bridge idle [--connections 10000]
    tests/tools/bounds.py target/release/jobindsats-bridge leaving
    tests/tools/bounds.py target/release/jobindsats-bridge tables [--megabytes 30]

Each starts a simulator and a service of the given program, prints what it measured and fails beyond the bounds that are stated below.
"""

import argparse
import concurrent.futures
import contextlib
import http.server
import json
import resource
import socket
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from service import MEGABYTE, Service, started

PAGE = "/odata/jobindsats/y01dia02/" + urllib.parse.quote("Fordelt_på_A_kasse")
SMALL = "/odata/jobindsats/y25i01/Landet?$top=1"
# All figures of the set: many calls.
WHOLE = PAGE + "/$count"
# A minute after downloads; above the store's budget after everything was read.
RETURNED_MB, ABOVE_BUDGET_MB = 150, 200
# When calls end after those who wait for them have left; how long a small cold question takes beside them.
LEFT_SECONDS, COLD_SECONDS = 2, 3


def said(text: str) -> None:
    print(text, flush=True)


def downloads(arguments: argparse.Namespace) -> bool:
    with started(arguments.program, BRIDGE_MEMORY_MB="64") as service:
        service.get(PAGE)
        time.sleep(20)
        idle = service.memory_mb()
        said(f"idle: {idle} MB")
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(arguments.clients) as clients:
            sizes = list(clients.map(lambda _: len(service.get(PAGE)), range(arguments.downloads)))
        took = time.monotonic() - began
        said(f"after {len(sizes)} downloads of {sizes[0] / 1e6:.0f} MB in {took:.0f} s: {service.memory_mb()} MB, peak {service.memory_mb('VmHWM')} MB")
        waited = 0
        for seconds in (10, 30, 60):
            time.sleep(seconds - waited)
            waited = seconds
            said(f"{seconds} s later: {service.memory_mb()} MB")
        return service.memory_mb() <= idle + RETURNED_MB


def every_set(service: Service) -> list[str]:
    """The addresses of all sets of all tables."""
    tables = [row["Identifier"] for row in json.loads(service.get("/odata/Datasets?$select=Identifier"))["value"]]
    sets = []
    for table in tables:
        root = f"/odata/jobindsats/{table}"
        entries = json.loads(service.get(f"{root}/"))["value"]
        sets += [f"{root}/{one['url']}" for one in entries if one.get("kind", "EntitySet") == "EntitySet"]
    return sets


def sets(arguments: argparse.Namespace) -> bool:
    with started(arguments.program, BRIDGE_MEMORY_MB=str(arguments.memory_mb)) as service:
        addresses = every_set(service)
        said(f"idle: {service.memory_mb()} MB")
        began, refused = time.monotonic(), []
        for address in addresses:
            try:
                service.get(f"{address}?$top=3&$count=true")
            except urllib.error.HTTPError as error:
                refused.append(f"{error.code} {address}")
        stored = service.metric("jobindsats_bridge_cache_size_bytes") / MEGABYTE
        said(f"{len(addresses)} sets in {time.monotonic() - began:.0f} s: {service.memory_mb()} MB, peak {service.memory_mb('VmHWM')} MB, {stored:.0f} MB in store")
        said(f"{len(refused)} refused: {refused[:5]}")
        time.sleep(60)
        said(f"60 s later: {service.memory_mb()} MB")
        # Sets with more rows than BRIDGE_MAX_ROWS are refused before anything is read.
        return all(one.startswith("400 ") for one in refused) and len(refused) < len(addresses) / 10 and service.memory_mb() <= arguments.memory_mb + ABOVE_BUDGET_MB


def idle(arguments: argparse.Namespace) -> bool:
    with started(arguments.program) as service, contextlib.ExitStack() as open_ones:
        service.get(SMALL)
        before = service.memory_mb()
        for _ in range(arguments.connections):
            open_ones.enter_context(socket.create_connection(("127.0.0.1", service.port)))
        waits = []
        for _ in range(20):
            began = time.monotonic()
            service.get("/healthz", timeout=20)
            service.get(SMALL, timeout=20)
            waits.append(time.monotonic() - began)
        said(f"{arguments.connections} idle connections: {before} MB before, {service.memory_mb()} MB with them")
        said(f"/healthz and one row: median {sorted(waits)[10] * 1000:.0f} ms, longest {max(waits) * 1000:.0f} ms, 20 times")
        return max(waits) < 1


def figures_asked(service: Service, table: str) -> list[str]:
    """The requests for figures of a table that the simulator got; other tables' are those of the service's own indicators."""
    with urllib.request.urlopen(f"{service.upstream}/control/requests") as answer:
        return [one["target"] for one in json.load(answer)["requests"] if one["table"] == table]


def leaving(arguments: argparse.Namespace) -> bool:
    with started(arguments.program) as service:
        service.get("/odata/jobindsats/y01dia02/$metadata")
        service.get("/odata/jobindsats/y25i01/$metadata")
        faults = urllib.request.Request(
            f"{service.upstream}/control/faults", b'{"delay_ms": 500}', {"Content-Type": "application/json"}, method="POST"
        )
        urllib.request.urlopen(faults).close()
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", service.port)) as client:
                client.sendall(f"GET {WHOLE} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                time.sleep(0.1)
        began = time.monotonic()
        service.get(SMALL)
        cold = time.monotonic() - began
        time.sleep(max(0.0, LEFT_SECONDS - cold))
        made = len(figures_asked(service, "y01dia02"))
        time.sleep(10)
        later = len(figures_asked(service, "y01dia02")) - made
        said(f"a cold row beside twenty that have left: {cold * 1000:.0f} ms, of which the upstream takes 500")
        said(f"{made} calls until {LEFT_SECONDS} s after the last has left, {later} in the 10 s after that")
        return cold < COLD_SECONDS and made > 0 and later == 0


def tables(arguments: argparse.Namespace) -> bool:
    """An upstream whose list of tables is enormous."""
    one = {"TableID": "y25i01", "TableName": "x" * 1000, "SubjectID": "1", "LatestUpdate": "2026-06-01"}
    body = json.dumps([one | {"TableID": f"t{at}"} for at in range(arguments.megabytes * 1000)]).encode()

    asked = []

    class Upstream(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    upstream = f"http://127.0.0.1:{server.server_port}"
    with started(arguments.program, upstream=upstream, becomes_ready=False) as service:
        time.sleep(20)
        said(f"a list of tables of {len(body) / 1e6:.0f} MB: peak {service.memory_mb('VmHWM')} MB")
        try:
            is_refused = not service.get("/readyz")
        except urllib.error.HTTPError:
            is_refused = True
        return is_refused and any("/tables" in path for path in asked) and service.memory_mb("VmHWM") < 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("case", choices=["downloads", "sets", "idle", "leaving", "tables"])
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--downloads", type=int, default=300)
    parser.add_argument("--memory-mb", type=int, default=512)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--megabytes", type=int, default=30)
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = globals()[arguments.case](arguments)
    said("within its bounds" if held else "beyond its bounds")
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
