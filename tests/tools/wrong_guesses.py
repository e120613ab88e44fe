#!/usr/bin/env python3
"""Asks small questions as a user who has signed in, and as others who sign in anew, while strangers guess passwords.

    tests/tools/wrong_guesses.py target/release/jobindsats-bridge [seconds] [guesses a second]

Guesses come from 100 addresses, 127.0.1.1 to 127.0.1.100, each on a connection of its own, and are sent when they are due, whether or not
earlier ones were answered. The questions come from 127.0.0.1, whose user has signed in before the first guess. Prints how many guesses were
looked at, how many refused and with what, and the median and the slowest answer in milliseconds of the user who is remembered, of users who
sign in at that address, and of users who sign in at addresses that nobody has signed in at, 127.0.2.1 and so on: those wait among the
guessers. Fails if one of the first two waited for more than 500, or if less than nine in ten of the guesses due were sent."""

import base64
import collections
import contextlib
import http.client
import os
import pathlib
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from service import Service, started, unset

# Seconds, and guesses a second.
DEFAULTS = ["20", "200"]
LIMIT_MS = 500
SENT = 0.9
ADDRESSES = 100
# A guess waits for its turn for ten seconds at most.
LAST_ANSWERS_SECONDS = 20
IDLE_TRIES = 40
KNOWN = "127.0.0.1"
LOOKED_AT = "401"


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class Guesses:
    """Guesses at a rate for so many seconds, by one thread."""

    def __init__(self, port: int, seconds: float, rate: float) -> None:
        self.port, self.rate, self.due = port, rate, int(seconds * rate)
        self.sent, self.answers = 0, collections.Counter()
        self.open = selectors.DefaultSelector()

    def run(self) -> None:
        began, number = time.monotonic(), 0
        while number < self.due or self.open.get_map():
            now = time.monotonic() - began
            if now > self.due / self.rate + LAST_ANSWERS_SECONDS:
                break
            while number < self.due and number / self.rate <= now:
                self.begin(number)
                number += 1
            wait = number / self.rate - now if number < self.due else 1
            for key, _ in self.open.select(max(0, wait)):
                self.go_on(key.fileobj, key.data)
        if unanswered := len(self.open.get_map()):
            self.answers["no answer"] += unanswered

    def begin(self, number: int) -> None:
        guesser = socket.socket()
        guesser.setblocking(False)
        guesser.bind((f"127.0.1.{1 + number % ADDRESSES}", 0))
        guesser.connect_ex(("127.0.0.1", self.port))
        request = (
            "GET /odata/Datasets?$top=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Authorization: {basic('anne', f'gæt {number}')}\r\n\r\n"
        )
        self.open.register(guesser, selectors.EVENT_WRITE, request.encode())

    def go_on(self, guesser: socket.socket, request: bytes) -> None:
        """Sends the request of a connection that is open, or reads the status of its answer."""
        try:
            if request:
                guesser.sendall(request)
                self.sent += 1
                self.open.modify(guesser, selectors.EVENT_READ, b"")
                return
            status = guesser.recv(1 << 16)[9:12].decode() or "no answer"
        except OSError as error:
            status = type(error).__name__
        self.answers[status] += 1
        self.open.unregister(guesser)
        guesser.close()


class Questions:
    """Small questions, one after another, and the milliseconds that each took."""

    def __init__(self, port: int) -> None:
        self.port, self.times, self.refused = port, [], collections.Counter()

    def ask(self, name: str, source: str = KNOWN) -> None:
        began = time.monotonic()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(source, 0))) as connection:
            connection.request("GET", "/odata/Datasets?$top=1", headers={"Authorization": basic(name, f"hemmelig {name}")})
            answer = connection.getresponse()
            answer.read()
        self.times.append((time.monotonic() - began) * 1000)
        if answer.status != 200:
            self.refused[answer.status] += 1

    def is_fast(self) -> bool:
        return bool(self.times) and not self.refused and max(self.times) <= LIMIT_MS

    def __str__(self) -> str:
        refused = f", refused {dict(self.refused)}" if self.refused else ""
        if not self.times:
            return "no answer"
        return f"{len(self.times)} answers, median {statistics.median(self.times):.0f} ms, slowest {max(self.times):.0f} ms{refused}"


def add(program: str, file: pathlib.Path, name: str) -> None:
    settings = unset() | {"BRIDGE_USERS_FILE": str(file)}
    subprocess.run([program, "user", "add", name], input=f"hemmelig {name}\n", text=True, env=settings, check=True, capture_output=True)


def wait_until_idle(service: Service) -> None:
    """What the service does at its start is over when it has taken less than a tenth of a core for three seconds."""
    stat = pathlib.Path(f"/proc/{service.process.pid}/stat")

    def cpu_seconds() -> float:
        return sum(map(int, stat.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    for _ in range(IDLE_TRIES):
        before = cpu_seconds()
        time.sleep(3)
        if cpu_seconds() - before < 0.3:
            return
    raise SystemExit("the service did not become idle")


def measure(port: int, seconds: float, rate: float, new: collections.deque) -> bool:
    """Whether who has signed in before, and who signs in there, waited no longer than the limit; `new` are users who sign in once."""
    remembered, signing_in, strangers = Questions(port), Questions(port), Questions(port)
    # The first time a password is computed.
    Questions(port).ask("anne")
    guesses, until = Guesses(port, seconds, rate), time.monotonic() + seconds

    def come_from_elsewhere() -> None:
        while new and time.monotonic() < until:
            strangers.ask(new.popleft(), f"127.0.2.{1 + len(strangers.times)}")

    threads = [threading.Thread(target=work) for work in (guesses.run, come_from_elsewhere)]
    for thread in threads:
        thread.start()
    while time.monotonic() < until:
        remembered.ask("anne")
        if new and len(remembered.times) % 8 == 0:
            signing_in.ask(new.popleft())
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    refused = {what: count for what, count in guesses.answers.items() if what != LOOKED_AT}
    print(f"load of the machine: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    print(f"{guesses.sent} of {guesses.due} guesses sent in {seconds:.0f} s: {guesses.answers[LOOKED_AT]} looked at, refused {refused}")
    print(f"who is remembered: {remembered}\nwho signs in: {signing_in}\nwho signs in from elsewhere: {strangers}")
    return guesses.sent >= SENT * guesses.due and remembered.is_fast() and signing_in.is_fast()


def main() -> None:
    program, seconds, rate = sys.argv[1], *map(float, [*sys.argv[2:], *DEFAULTS[len(sys.argv) - 2 :]])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "users"
        new = collections.deque(f"ny{number}" for number in range(60))
        for name in ("anne", *new):
            add(program, file, name)
        with started(program, BRIDGE_USERS_FILE=str(file)) as service:
            wait_until_idle(service)
            is_fast = measure(service.port, seconds, rate, new)
    sys.exit(0 if is_fast else 1)


if __name__ == "__main__":
    main()
