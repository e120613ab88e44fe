"""A Redis for the tools that measure several bridges from outside. Needs Debian's redis-server."""

import contextlib
import subprocess
from collections.abc import Iterator

from service import free_port, start, wait_until_listening


class Redis:
    """A running redis-server, as docker-compose.scale.yml has it."""

    def __init__(self, process: subprocess.Popen, port: int) -> None:
        self.process, self.port = process, port
        self.url = f"redis://127.0.0.1:{port}/0"

    def ask(self, *words: str) -> str:
        return subprocess.run(["redis-cli", "-p", str(self.port), *words], check=True, capture_output=True, text=True).stdout

    def info(self, name: str) -> int:
        return next(int(line.split(":")[1]) for line in self.ask("INFO", "everything").splitlines() if line.startswith(f"{name}:"))

    def blocks(self) -> dict[str, int]:
        """Bytes of each block."""
        names = [name for name in self.ask("--scan", "--pattern", "*:block:*").splitlines() if name]
        return {name: int(self.ask("STRLEN", name)) for name in names}


@contextlib.contextmanager
def redis_server() -> Iterator[Redis]:
    port = free_port()
    more = ["--save", "", "--appendonly", "no", "--maxmemory", "768mb", "--maxmemory-policy", "volatile-ttl", "--loglevel", "warning", "--logfile", "/dev/null"]
    with contextlib.ExitStack() as ends:
        process = start(ends, ["redis-server", "--bind", "127.0.0.1", "--port", str(port), *more], {})
        wait_until_listening(port)
        yield Redis(process, port)
