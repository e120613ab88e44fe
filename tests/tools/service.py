"""A service on free ports beside a simulator of its own, for the tools that measure it from outside."""

import contextlib
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator

MEGABYTE = 1024 * 1024


class Service:
    """A running service, and the address of its simulator."""

    def __init__(self, process: subprocess.Popen, port: int, upstream: str) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.upstream = upstream

    def get(self, path: str, timeout: float = 900) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=timeout) as answer:
            return answer.read()

    def metric(self, name: str) -> float:
        lines = self.get("/metrics").decode().splitlines()
        return next(float(line.removeprefix(f"{name} ")) for line in lines if line.startswith(f"{name} "))

    def memory_mb(self, name: str = "VmRSS") -> int:
        """Resident memory now, or its peak (`VmHWM`)."""
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name))


def unset() -> dict[str, str]:
    """The environment without settings of the bridge: no key and no clock of the caller's reaches a program that is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "JOBINDSATS_", "FAKETIME"))}


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_until_listening(port: int) -> None:
    for _ in range(600):
        if listens(port):
            return
        time.sleep(0.1)
    raise SystemExit("the simulator does not listen")


def wait_until_ready(service: Service) -> None:
    for _ in range(300):
        if service.process.poll() is not None:
            raise SystemExit(f"the service ended with {service.process.returncode}")
        with contextlib.suppress(OSError):
            service.get("/readyz")
            return
        time.sleep(1)
    raise SystemExit("the service did not become ready")


@contextlib.contextmanager
def control_group(limit_mb: int | None) -> Iterator[pathlib.Path | None]:
    """A control group with a limit of memory, as a container has one; None without a limit. Needs root."""
    if limit_mb is None:
        yield None
        return
    is_second = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()
    parent = pathlib.Path("/sys/fs/cgroup" if is_second else "/sys/fs/cgroup/memory")
    group = parent / f"bridge-{os.getpid()}"
    group.mkdir()
    try:
        limits = "memory.max" if is_second else "memory.limit_in_bytes"
        (group / limits).write_text(str(limit_mb * MEGABYTE), encoding="ascii")
        yield group
    finally:
        group.rmdir()


@contextlib.contextmanager
def started(
    program: str, limit_mb: int | None = None, upstream: str | None = None, **settings: str
) -> Iterator[Service]:
    """A service of that program, with its default settings but for those given: ready, and beside a simulator, unless it has another upstream."""
    simulator, own = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder, control_group(limit_mb) as group, contextlib.ExitStack() as ends:

        def start(command: list[str], within: pathlib.Path | None, more: dict[str, str]) -> subprocess.Popen:
            enter = (lambda: (within / "cgroup.procs").write_text("0", encoding="ascii")) if within else None
            process = subprocess.Popen(command, env=unset() | more, preexec_fn=enter)
            ends.callback(process.wait)
            ends.callback(process.terminate)
            return process

        if upstream is None:
            start([program, "simulator", "--listen", f"127.0.0.1:{simulator}"], None, {})
            wait_until_listening(simulator)
        root = upstream or f"http://127.0.0.1:{simulator}"
        own_settings = {"BRIDGE_DATA_DIR": folder, "BRIDGE_LISTEN": f"127.0.0.1:{own}", "BRIDGE_LOG": "error"}
        serve = [program, "serve", "--simulator", f"{root}/v3"]
        service = Service(start(serve, group, own_settings | settings), own, root)
        if upstream is None:
            wait_until_ready(service)
        yield service
