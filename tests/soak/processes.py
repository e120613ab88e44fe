"""The processes of a soak: a simulator that is the upstream, one that is asked what was published, and the service between upstream and clients."""

import collections
import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

from clock import Clock, instant
from leaks import Leaks

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
from service import free_port, unset  # noqa: E402

START_SECONDS = 90
TAIL = 400
# What may be written to a file of a full disk.
SMALL_FILE = 512
# What the log says of a panic: src/observe/panics.rs.
PANIC = b"a defect of this program ended"


class Simulator:
    def __init__(self, binary: str, clock: Clock, *more: str, token: str = "any") -> None:
        self.token = token
        self.port = free_port()
        command = [binary, "simulator", "--listen", f"127.0.0.1:{self.port}", "--as-retrieved", "--token", token, *more]
        self.process = subprocess.Popen(command, env=unset() | clock.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.lock = threading.Lock()
        # When nothing could reach it, by the time that nothing moves.
        self.gone: list[tuple[float, float]] = []

    def vanish(self, seconds: float) -> None:
        """As if the network were gone: connections are made and nothing comes of them."""
        with self.lock:
            began = time.monotonic()
            self.process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            self.process.send_signal(signal.SIGCONT)
            self.gone.append((began, time.monotonic()))

    def call(self, method: str, path: str, body: object = None) -> object:
        with self.lock, contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
            return json.loads(content) if content else None

    def wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                self.call("GET", "/control/faults")
                return
            time.sleep(0.1)
        sys.exit("the simulator did not start")

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


class Bridge:
    """The service. It is killed and started again; `lives` says how often it was started."""

    def __init__(self, binary: str, clock: Clock, leaks: Leaks, data: pathlib.Path, settings: dict[str, str]) -> None:
        self.binary, self.clock, self.leaks, self.data = binary, clock, leaks, data
        self.port = free_port()
        self.settings = settings | {"BRIDGE_LISTEN": f"127.0.0.1:{self.port}", "BRIDGE_DATA_DIR": str(data)}
        self.environment = unset() | clock.environment() | self.settings
        self.lives, self.is_up = 0, False
        # Where logs are moved, for who looks for the reason of a failure.
        self.kept: pathlib.Path | None = None
        self.kills: list[float] = []
        # When its disk was full, by the time that nothing moves.
        self.full: list[tuple[float, float]] = []
        self.ended_by_itself: list[int] = []
        self.panics: list[str] = []
        # What it says of itself at the usual level, and when: by its own clock, since a log is read a while after it was written.
        self.notes: list[tuple[float, str]] = []
        # When it said the latest of them.
        self.noted = 0.0
        self.tail: collections.deque = collections.deque(maxlen=TAIL)

    def command(self, *arguments: str, said: str = "") -> str:
        """Runs a command of the program to its end."""
        result = subprocess.run([self.binary, *arguments], env=self.environment, input=said, capture_output=True, text=True, check=True)
        return result.stdout

    def start(self, log: str) -> None:
        """Starts, and waits until the service answers; whether it is ready depends on the upstream, too."""
        # A file, because a full pipe would hold the service up; by another process, for which the disk is never full.
        said = self.data.parent / f"log-{self.lives}"
        with said.open("wb") as stream:
            environment = self.environment | {"BRIDGE_LOG": log, "BRIDGE_ACCESS_LOG": "json"}
            program = ["sh", "-c", "trap '' XFSZ; exec \"$0\"", self.binary]
            self.process = subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            writer = subprocess.Popen(["cat"], stdin=self.process.stdout, stdout=stream)
            self.process.stdout.close()
        self.reader = threading.Thread(target=self.read, args=(said, writer), daemon=True)
        self.reader.start()
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                sys.exit(f"the service ended at its start with {self.process.returncode}:\n" + "\n".join(list(self.tail)[-20:]))
            with contextlib.suppress(OSError), contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    self.lives, self.is_up = self.lives + 1, True
                    return
            time.sleep(0.05)
        sys.exit("the service did not start")

    def read(self, said: pathlib.Path, writer: subprocess.Popen) -> None:
        """Searches a log while it is written, and removes or moves it behind its end."""
        with said.open("rb") as stream:
            self.rest, self.line = b"", b""
            while True:
                has_ended = writer.poll() is not None
                while chunk := stream.read(1 << 20):
                    self.look_through(chunk)
                if has_ended:
                    break
                time.sleep(0.2)
        if self.kept:
            shutil.move(said, self.kept / said.name)
        else:
            said.unlink()

    def look_through(self, chunk: bytes) -> None:
        text = self.rest + chunk
        self.leaks.search("log", text)
        self.rest = text[-self.leaks.longest :]
        *lines, self.line = (self.line + chunk).split(b"\n")
        for line in lines:
            if PANIC in line:
                self.panics.append(line[:300].decode(errors="replace"))
            # The span of a request may stand between the level and the rest.
            if line.split(None, 2)[1:2] in ([b"ERROR"], [b"WARN"], [b"INFO"]) and b"jobindsats_bridge::" in line:
                self.note(line[:600].decode(errors="replace"))
        self.tail.extend(line[:600].decode(errors="replace") for line in lines[-TAIL:])

    def note(self, line: str) -> None:
        with contextlib.suppress(ValueError):
            self.noted = self.clock.moved(instant(line.split()[0]), self.noted)
        self.notes.append((self.noted, line))

    def revised(self) -> dict[str, list[float]]:
        """For each table when the service said that it has seen figures change: there a revision may begin."""
        found: dict[str, list[float]] = collections.defaultdict(list)
        for at, line in self.notes:
            if table := re.search(r"(?:figures were revised|a revision begins).*table=(\w+)", line):
                found[table[1]].append(at)
        return found

    def kill(self) -> None:
        if self.process.poll() is not None:
            self.ended_by_itself.append(self.process.returncode)
        self.is_up = False
        self.kills.append(time.monotonic())
        self.process.kill()
        self.process.wait()

    def fill_disk(self, seconds: float) -> None:
        """As if the disk were full: no file grows beyond a few bytes."""
        began = time.monotonic()
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (SMALL_FILE, resource.RLIM_INFINITY))
        time.sleep(seconds)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.full.append((began, time.monotonic()))

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        """Ends the service as a system does; its exit code."""
        self.is_up = False
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(30)
        self.reader.join()
        return code

    def memory_mb(self) -> float:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def handles(self) -> tuple[int, int]:
        """Open files, and open connections."""
        folder, found = f"/proc/{self.process.pid}/fd", []
        for handle in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f"{folder}/{handle}").startswith("socket:"))
        return found.count(False), found.count(True)
