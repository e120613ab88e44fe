#!/usr/bin/env python3
"""Times two builds against each other: compare.py BASE NEW [--rounds 300] [--seconds 20] [--seed 7] [--only KIND,...] [--coding gzip]
[--new-env NAME=VALUE]

Both run on their built-in simulator with data folders of their own, and read the same set whole before. The same requests, made from the
seed and each different from the one before, go to both in turn on one connection that stays open. Printed for each kind: medians in
milliseconds and base/new (above 1: new is faster), and the same of processor time, which other programs on the machine disturb less.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote, unquote

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "tools"))

from service import free_port, unset  # noqa: E402

TABLE, SET, CUBE = "y25i01", "Fordelt_på_Herkomst", "y28a15"


class Service:
    def __init__(self, ends, binary, settings={}):
        self.folder, self.port = tempfile.mkdtemp(prefix="compare-"), free_port()
        environment = unset() | settings | {"BRIDGE_LISTEN": f"127.0.0.1:{self.port}", "BRIDGE_DATA_DIR": self.folder, "BRIDGE_LOG": "error"}
        self.process = subprocess.Popen([binary, "serve"], env=environment, cwd=self.folder,
                                        stdout=open(self.folder + "/log", "w"), stderr=subprocess.STDOUT)
        ends.callback(self.stop)
        self.connection = None
        until = time.time() + 120
        while time.time() < until:
            try:
                status, _ = self.get("/readyz")
                if status == 200:
                    return
            except OSError:
                self.connection = None
            time.sleep(0.2)
        raise SystemExit(f"{binary} is not ready: " + open(self.folder + "/log").read()[-2000:])

    def get(self, path, headers={}):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.request("GET", quote(path, safe="/?=&$(),'@%"), headers=headers)
        response = self.connection.getresponse()
        return response.status, response.read()

    def timed(self, path, headers={}):
        began = time.perf_counter()
        status, body = self.get(path, headers)
        return time.perf_counter() - began, status, body

    def cpu(self):
        """Seconds of processor time so far."""
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def json(self, path):
        status, body = self.get(path)
        if status != 200:
            raise SystemExit(f"{path}: {status} {body[:500]}")
        return json.loads(body)

    def everything(self, path):
        rows = []
        while path:
            page = self.json(path)
            rows += page["value"]
            path = unquote(page.get("@odata.nextLink", "")).partition(f":{self.port}")[2]
        return rows

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


def kinds(service, rng):
    root, cube = f"/odata/jobindsats/{TABLE}", f"/odata/jobindsats/{CUBE}"
    rows = service.everything(f"{root}/{SET}")
    periods = sorted({row["Periode"] for row in rows})
    areas = sorted({row["Område"] for row in rows})
    skip = {"Periode", "Periodetype", "Fra", "Til", "Status", "Opdateret"}
    figure = next(k for k, v in rows[0].items() if isinstance(v, (int, float)) and k not in skip and not k.endswith("_nr"))
    values = sorted(row[figure] for row in rows if row[figure] is not None)
    print(f"{TABLE}/{SET}: {len(rows)} rows read, {len(periods)} periods, {len(areas)} areas, {len(rows[0])} columns; figure {figure}", file=sys.stderr)
    bound = lambda: values[rng.randrange(len(values))]
    return {
        "period of a set": lambda: f"{root}/{SET}?$filter=Periode eq '{rng.choice(periods)}'",
        "one area, bound, sorted": lambda: f"{root}/{SET}?$filter=Område eq '{rng.choice(areas)}' and {figure} gt {bound()}&$orderby={figure} desc&$top=100",
        "whole set sorted, top 100": lambda: f"{root}/{SET}?$orderby={figure} {rng.choice(['desc', 'asc'])}&$top={rng.randint(90, 110)}",
        "count above a bound": lambda: f"{root}/{SET}/$count?$filter={figure} gt {bound()}",
        "rows per area, groupby": lambda: f"{root}/{SET}?$apply=groupby((Område),aggregate($count as N{rng.randint(1, 10**6)}))",
        "preview of a cube": lambda: f"{cube}/Data?$top={rng.randint(90, 110)}",
        "$metadata": lambda: rng.choice([f"{root}/$metadata", f"{cube}/$metadata"]),
    }


def setting(text):
    """A setting of the bridge, as NAME=VALUE."""
    name, is_set, value = text.partition("=")
    if not (is_set and name):
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, not {text!r}")
    return name, value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("base"), parser.add_argument("new")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=20, help="at most so long for one kind")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", default="")
    parser.add_argument("--coding", default="")
    parser.add_argument("--new-env", type=setting, metavar="NAME=VALUE", action="append", default=[], help="a setting of NEW alone, to compare one build with itself")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    headers = {"Accept-Encoding": options.coding} if options.coding else {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with contextlib.ExitStack() as ends:
        base, new = Service(ends, options.base), Service(ends, options.new, dict(options.new_env))
        new.everything(f"/odata/jobindsats/{TABLE}/{SET}")
        made = kinds(base, rng)
        for kind, make in made.items():
            if options.only and not any(part in kind for part in options.only.split(",")):
                continue
            for service in (base, new):
                path = make()
                for _ in range(3):
                    _, status, body = service.timed(path, headers)
                    if status != 200:
                        raise SystemExit(f"{kind}: {status} {body[:600]}")
            for _ in range(20):
                path = make()
                base.get(path, headers), new.get(path, headers)
            used = [-base.cpu(), -new.cpu()]
            took, differs, size, until = ([], []), 0, 0, time.time() + options.seconds
            for number in range(options.rounds):
                path = make()
                pair = [(0, base), (1, new)]
                bodies = [None, None]
                for side, service in pair if number % 2 else pair[::-1]:
                    seconds, status, body = service.timed(path, headers)
                    took[side].append(seconds)
                    bodies[side] = body.replace(str(service.port).encode(), b"PORT")
                    size = len(body)
                differs += bodies[0] != bodies[1]
                if time.time() > until:
                    break
            used = [(used[0] + base.cpu()) / len(took[0]) * 1000, (used[1] + new.cpu()) / len(took[0]) * 1000]
            b, n = (statistics.median(side) * 1000 for side in took)
            note = f"  ({differs} answers differ)" if differs else ""
            print(f"{kind:28} base {b:9.3f} ms   new {n:9.3f} ms   base/new {b / n:5.2f}   processor {used[0]:8.3f} {used[1]:8.3f} {used[0] / max(used[1], 0.001):5.2f}   {len(took[0])} pairs, {size} bytes{note}", flush=True)


main()
