#!/usr/bin/env python3
"""What a Redis costs and what its loss costs: the same questions to a bridge that is alone, to one with a Redis, and to one whose Redis is gone.

    tests/tools/beside_redis.py target/release/jobindsats-bridge [--questions 1000]

Everything that is asked for is stored, first in memory, then on disk only (BRIDGE_MEMORY_MB=1, and tables by turns). The three are asked by turns, each question with another
filter. Fails if with a Redis the median of a question takes more than a round trip to Redis and MARGIN longer than without, if without the Redis it takes
more than MARGIN longer, or if Redis is asked anything for the sake of a question.
"""

import argparse
import contextlib
import http.client
import random
import socket
import statistics
import sys
import time
import urllib.parse

from redis_server import Redis, redis_server
from service import Service, simulator, started

TABLES = ["y01a02", "y07a02", "y08a02", "y09a02", "y12a02"]
# Times of the same program differ by so much from run to run, and by so many milliseconds.
MARGIN, NOISE_MS = 1.05, 0.05
PLACES = ["Randers", "Aarhus", "Odense", "Aalborg", "Esbjerg", "Vejle", "Horsens", "Kolding", "Silkeborg", "Herning"]


EVICTIONS = "jobindsats_bridge_cache_evictions_total"


class Asked:
    """A bridge, a connection to it, and how long its answers took."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        self.took: list[float] = []

    def ask(self, path: str) -> bytes:
        began = time.perf_counter()
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        self.took.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
        return body.replace(f":{self.service.port}/".encode(), b"/")

    def median(self) -> float:
        return statistics.median(self.took)

    def text(self, name: str) -> str:
        return f"{name} {self.median():.3f} ms (99 of 100 within {statistics.quantiles(self.took, n=100)[98]:.2f} ms)"


def question(chance: random.Random, number: int) -> str:
    first = f"{chance.randrange(2019, 2025)}M{chance.randrange(1, 13):02}"
    places = chance.sample(PLACES, 2)
    condition = f"Periode ge '{first}' and (Område eq '{places[0]}' or Område eq '{places[1]}')"
    return f"/odata/jobindsats/{TABLES[number % len(TABLES)]}/Hovedtal?$filter={urllib.parse.quote(condition)}&$top=200"


def round_trip_ms(redis: Redis) -> float:
    took = []
    with socket.create_connection(("127.0.0.1", redis.port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(500):
            began = time.perf_counter()
            client.sendall(b"PING\r\n")
            client.recv(64)
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def commands_of_questions(redis: Redis, asked: Asked, questions: list[str]) -> float:
    """Commands to Redis for each question, less those that come anyway in the same time."""
    before = redis.info("total_commands_processed")
    began = time.monotonic()
    for path in questions:
        asked.ask(path)
    took = time.monotonic() - began
    asking = redis.info("total_commands_processed") - before
    before = redis.info("total_commands_processed")
    time.sleep(5)
    idle = (redis.info("total_commands_processed") - before) * took / 5
    return (asking - idle) / len(questions)


def compare(program: str, name: str, count: int, **settings: str) -> bool:
    with contextlib.ExitStack() as ends:
        upstream = ends.enter_context(simulator(program))
        kept = ends.enter_context(redis_server())
        shared = {"BRIDGE_PEERS": "2"} | settings
        with redis_server() as lost:
            alone, beside, without = (
                Asked(ends.enter_context(started(program, upstream=upstream, **more)))
                for more in (settings, shared | {"BRIDGE_REDIS_URL": kept.url}, shared | {"BRIDGE_REDIS_URL": lost.url})
            )
            for asked in (alone, beside, without):
                for table in TABLES:
                    asked.ask(f"/odata/jobindsats/{table}/Hovedtal?$apply=aggregate($count%20as%20N)")
                    asked.ask(f"/odata/jobindsats/{table}/Hovedtal?$top=1000")
        # The last one is without its Redis from here on, and has noticed it.
        time.sleep(5)
        chance = random.Random(19)
        questions = [question(chance, number) for number in range(count)]
        for path in questions[:50]:
            for asked in (alone, beside, without):
                asked.ask(path)
        for asked in (alone, beside, without):
            asked.took.clear()
        before = alone.service.metric(EVICTIONS)
        for number, path in enumerate(questions):
            answers = [asked.ask(path) for asked in random.Random(number).sample((alone, beside, without), 3)]
            if len(set(answers)) != 1:
                raise SystemExit(f"{path}: answers differ")
        trip = round_trip_ms(kept)
        print(f"{name}, {count} questions: " + "; ".join(asked.text(who) for asked, who in ((alone, "alone"), (beside, "with Redis"), (without, "Redis gone"))))
        print(f"  with Redis {beside.median() / alone.median():.2f}x, Redis gone {without.median() / alone.median():.2f}x; a round trip to Redis {trip:.3f} ms")
        print(f"  blocks let go from memory for a question: {(alone.service.metric(EVICTIONS) - before) / count:.2f}")
        commands = commands_of_questions(kept, beside, questions)
        print(f"  commands to Redis for a question: {commands:.3f}", flush=True)
        most = alone.median() * MARGIN + NOISE_MS
        return beside.median() <= most + trip and without.median() <= most and commands < 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--questions", type=int, default=1000)
    arguments = parser.parse_args()
    are_right = [
        compare(arguments.program, "in memory", arguments.questions),
        compare(arguments.program, "on disk", arguments.questions, BRIDGE_MEMORY_MB="1"),
    ]
    sys.exit(0 if all(are_right) else 1)


if __name__ == "__main__":
    main()
