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


def processor_seconds(process: subprocess.Popen) -> float:
    """What a process has used of processors."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
def control_group(controller: str, limits: dict[str, str]) -> Iterator[pathlib.Path]:
    """A control group with these limits, by the name of their file in the second version of control groups, as a container has one. Needs root."""
    is_second = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()
    parent = pathlib.Path("/sys/fs/cgroup" if is_second else f"/sys/fs/cgroup/{controller}")
    if is_second:
        (parent / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")
    group = parent / f"bridge-{os.getpid()}-{free_port()}"
    group.mkdir()
    try:
        for name, limit in limits.items():
            (group / name).write_text(limit, encoding="ascii")
        yield group
    finally:
        group.rmdir()


def memory_group(limit_mb: int) -> contextlib.AbstractContextManager[pathlib.Path]:
    """Processes in it have so much memory."""
    limit = "memory.max" if pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists() else "memory.limit_in_bytes"
    return control_group("memory", {limit: str(limit_mb * MEGABYTE)})


def processor_group(share: float) -> contextlib.AbstractContextManager[pathlib.Path]:
    """Processes in it have so much of one processor together."""
    period = 10_000
    if pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return control_group("cpu", {"cpu.max": f"{share * period:.0f} {period}"})
    return control_group("cpu", {"cpu.cfs_period_us": str(period), "cpu.cfs_quota_us": f"{share * period:.0f}"})


def start(ends: contextlib.ExitStack, command: list[str], more: dict[str, str], within: pathlib.Path | None = None) -> subprocess.Popen:
    """Starts a program, in a control group if one is given. It is ended with the others."""
    enter = (lambda: (within / "cgroup.procs").write_text("0", encoding="ascii")) if within else None
    process = subprocess.Popen(command, env=unset() | more, preexec_fn=enter)
    ends.callback(process.wait)
    ends.callback(process.terminate)
    return process


@contextlib.contextmanager
def simulator(program: str) -> Iterator[str]:
    """The address of a simulator."""
    port = free_port()
    with contextlib.ExitStack() as ends:
        start(ends, [program, "simulator", "--listen", f"127.0.0.1:{port}"], {})
        wait_until_listening(port)
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def started(
    program: str,
    limit_mb: int | None = None,
    upstream: str | None = None,
    share: float | None = None,
    becomes_ready: bool = True,
    **settings: str,
) -> Iterator[Service]:
    """A service of that program, with its default settings but for those given; beside a simulator, unless it has another upstream."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        root = upstream or ends.enter_context(simulator(program))
        if limit_mb and share:
            raise SystemExit("a limit of memory and one of processors together are not supported")
        group = ends.enter_context(memory_group(limit_mb)) if limit_mb else None
        group = ends.enter_context(processor_group(share)) if share else group
        own = free_port()
        own_settings = {"BRIDGE_DATA_DIR": folder, "BRIDGE_LISTEN": f"127.0.0.1:{own}", "BRIDGE_LOG": "error"}
        serve = [program, "serve", "--simulator", f"{root}/v3"]
        service = Service(start(ends, serve, own_settings | settings, group), own, root)
        if becomes_ready:
            wait_until_ready(service)
        yield service
