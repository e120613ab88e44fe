"""A service behind the program's simulator, of which a proxy changes what it says: for tools that try what an upstream could say."""

import contextlib
import http.server
import json
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from service import unset


def proxy(upstream: str, change: Callable) -> http.server.ThreadingHTTPServer:
    """Passes questions on; `change` is given the path and the JSON of each answer."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            request = urllib.request.Request(upstream + self.path, headers={"Authorization": self.headers["Authorization"]})
            with urllib.request.urlopen(request, timeout=60) as answer:
                body = json.dumps(change(self.path, json.load(answer))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def started(command: list[str], log: Path, mark: str, environment: dict[str, str]) -> tuple[subprocess.Popen, str]:
    """A program once it says where it is, and its address."""
    with log.open("w") as file:
        program = subprocess.Popen(command, stdout=file, stderr=file, env=unset() | environment)
    for _ in range(120):
        said = log.read_text()
        if mark in said:
            return program, "http://" + said.split(mark)[1].split("/")[0]
        assert program.poll() is None, said
        time.sleep(0.5)
    program.kill()
    raise SystemExit(f"{command} does not start: {log.read_text()}")


@contextlib.contextmanager
def relabelled(binary: str, change: Callable) -> Iterator[tuple[str, Path]]:
    """The address of the service, and its log."""
    programs = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            program, simulator = started([binary, "simulator", "--listen", "127.0.0.1:0"], folder / "simulator.log", 'url="http://', {})
            programs.append(program)
            settings = {"BRIDGE_LISTEN": "127.0.0.1:0", "BRIDGE_DATA_DIR": str(folder / "data")}
            # As a simulator, which has no closed hour.
            serve = [binary, "serve", "--simulator", f"http://127.0.0.1:{proxy(simulator, change).server_port}/v3"]
            program, service = started(serve, folder / "service.log", "paste http://", settings)
            programs.append(program)
            yield service, folder / "service.log"
        except BaseException:
            for log in folder.glob("*.log"):
                print(log.read_text()[-2000:])
            raise
        finally:
            for program in programs:
                program.kill()
                program.wait()
