"""What the clients of a soak share: who they are, what they are answered, and what they have met."""

import base64
import collections
import contextlib
import http.client
import json
import threading
import time
import urllib.parse
from dataclasses import dataclass

from clock import Clock
from leaks import Leaks
from processes import Bridge
from published import Published


@dataclass
class Reader:
    """Who a client is."""

    name: str
    secret: str = ""
    in_address: bool = False
    table: str | None = None

    def headers(self) -> dict[str, str]:
        if not self.secret or self.in_address:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{self.name}:{self.secret}".encode()).decode()}

    def address(self, path: str) -> str:
        if not self.in_address:
            return path
        return path + ("&" if "?" in path else "?") + urllib.parse.urlencode({"api_key": self.secret})

    def may_read(self, table: str) -> bool:
        return self.table in (None, table)


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)

    def code(self) -> str:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return self.json()["error"]["code"]
        return ""


class Findings:
    """What clients met, of all together."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.done: collections.Counter = collections.Counter()
        self.statuses: collections.Counter = collections.Counter()
        self.rows = 0
        self.wrong: list[str] = []
        self.wrong_rows: list[str] = []
        self.notes: list[tuple[float, str]] = []
        # Answers of two editions: when, of which table, the editions that it may be, and its text. Whether they may be is judged at the end.
        self.mixed: list[tuple[float, str, list[tuple[int, int]], str]] = []
        self.began = time.monotonic()

    def count(self, what: str, rows: int = 0) -> None:
        with self.lock:
            self.done[what] += 1
            self.rows += rows

    def answered(self, status: int, code: str) -> None:
        with self.lock:
            self.statuses[f"{status} {code}".strip()] += 1

    def note(self, text: str) -> None:
        """For those who look at what led to a failure."""
        with self.lock:
            self.notes.append((time.monotonic(), text))

    def mix(self, table: str, pairs: list[tuple[int, int]], text: str) -> None:
        with self.lock:
            self.mixed.append((time.monotonic(), table, pairs, text))

    def report(self, text: str, rows: bool = False) -> None:
        with self.lock:
            (self.wrong_rows if rows else self.wrong).append(f"{time.monotonic() - self.began:.1f} s: {text}")


@dataclass
class World:
    """What all clients share."""

    bridge: Bridge
    published: Published
    clock: Clock
    leaks: Leaks
    findings: Findings
    readers: list[Reader]
    metrics: Reader
    measures: dict
    ended: threading.Event
