#!/usr/bin/env python3
"""Memory of the service before, right after and a while after many downloads of one page of 50,000 rows.

    tests/tools/memory_after_downloads.py target/release/jobindsats-bridge [--clients 12] [--rounds 2] [--preload LIBRARY]

Starts a simulator and a service on free ports, both of the given program. --preload replaces the allocator, to compare.
"""

import argparse
import contextlib
import os
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

SET = "/odata/jobindsats/y01dia02/" + urllib.parse.quote("Fordelt_på_A_kasse")
LATER_SECONDS = (10, 30, 60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def memory_mb(pid: int) -> str:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        sizes = dict(line.split(":", 1) for line in status if line.startswith(("VmRSS", "VmHWM")))
    resident, peak = (int(sizes[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM"))
    return f"{resident} MB resident, peak {peak} MB"


def download(url: str) -> None:
    with urllib.request.urlopen(url, timeout=900) as answer:
        while answer.read(1 << 20):
            pass


def wait_until_ready(url: str) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError):
            download(f"{url}/readyz")
            return
        time.sleep(1)
    raise SystemExit("the service did not become ready")


def measure(pid: int, url: str, clients: int, rounds: int) -> None:
    wait_until_ready(url)
    download(url + SET)
    time.sleep(20)
    print("idle:", memory_mb(pid), flush=True)
    began = time.monotonic()
    for _ in range(rounds):
        threads = [threading.Thread(target=download, args=(url + SET,)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(f"after {clients * rounds} downloads in {time.monotonic() - began:.0f} s:", memory_mb(pid), flush=True)
    waited = 0
    for seconds in LATER_SECONDS:
        time.sleep(seconds - waited)
        waited = seconds
        print(f"{seconds} s later:", memory_mb(pid), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--preload")
    arguments = parser.parse_args()
    upstream, own = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "BRIDGE_DATA_DIR": folder,
            "BRIDGE_LISTEN": f"127.0.0.1:{own}",
            "BRIDGE_LOG": "error",
            "BRIDGE_MEMORY_MB": "64",
        }
        if arguments.preload:
            settings["LD_PRELOAD"] = arguments.preload
        simulator = subprocess.Popen([arguments.program, "simulator", "--listen", f"127.0.0.1:{upstream}"])
        time.sleep(2)
        serve = [arguments.program, "serve", "--simulator", f"http://127.0.0.1:{upstream}/v3"]
        service = subprocess.Popen(serve, env=os.environ | settings)
        try:
            measure(service.pid, f"http://127.0.0.1:{own}", arguments.clients, arguments.rounds)
        finally:
            for process in (service, simulator):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
