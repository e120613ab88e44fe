"""What happens to the service during a soak, planned from the seed: updates, faults of the upstream, a network that is gone, a full disk,
SIGHUP, kills, and a clock that passes the closed hour and both clock changes."""

import datetime
import json
import pathlib
import random
import threading
import time
from dataclasses import dataclass

from clock import CLOSED_HOUR, COPENHAGEN, Clock, copenhagen
from processes import Bridge, Simulator
from published import TABLES, Published
from world import Findings

# Faults that hit a few calls each. Those that change which figures an answer has are left out: they would be published figures.
FAULTS = ["forbidden", "unauthorized", "server_error", "rate_limited", "hang", "drop", "truncate", "html", "wrong_columns", "wrong_types"]
LOGS = ["trace", "info,jobindsats_bridge=trace", "trace"]
# Where the clock goes, and how long it stays, as a share of a minute. It passes 22 and 23, and both clock changes, at its own pace: a call that
# is under way when the clock is set cannot know it.
TOUR = [
    ("2026-10-24 14:00:00", 0.12),
    ("2026-10-24 21:59:48", 0.27),
    ("2026-10-24 22:59:55", 0.14),
    ("2026-10-25 02:59:57", 0.07),
    ("2026-10-26 07:58:00", 0.08),
    ("2026-10-26 06:30:00", 0.04),  # turned back
    ("2026-10-26 16:45:00", 0.08),
    ("2027-03-28 01:59:57", 0.08),
    ("2027-03-28 12:00:00", 0.12),
]


ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclass
class Event:
    at: float
    what: str
    about: object = None


def plan(seconds: float, seed: int) -> list[Event]:
    chance = random.Random(f"{seed} events")
    events = tour(seconds)

    def every(mean: float, what: str, about) -> None:
        at = chance.expovariate(1 / mean)
        while at < seconds - 2:
            events.append(Event(at, what, about()))
            at += chance.expovariate(1 / mean)

    slower = 1 if seconds <= 120 else 4
    every(3 * slower, "publish", lambda: chance.choice(TABLES))
    every(4 * slower, "fault", lambda: fault(chance))
    every(6 * slower, "hang up", lambda: chance.random() < 0.3)
    every(12 * slower, "network gone", lambda: chance.uniform(0.5, 3))
    every(12 * slower, "disk full", lambda: chance.uniform(1, 4))
    # The last life is half of the run, so that what it takes can be compared over time.
    kills = max(3, int(seconds / 120))
    events += [Event(seconds / 2 * (number + 0.2 + 0.6 * chance.random()) / kills, "kill") for number in range(kills)]
    return sorted(events, key=lambda event: event.at)


def tour(seconds: float) -> list[Event]:
    """The tour as often as it fits in, each time a few years later; its stays are as long as in the minute, or longer."""
    rounds = max(1, round(seconds / 300)) if seconds > 120 else 1
    length, events, at = seconds / rounds, [], 0.0
    for number in range(rounds):
        for shown, share in TOUR:
            events.append(Event(at, "set clock", later(shown, number)))
            at += share * length
    return events


def later(shown: str, rounds: int) -> datetime.datetime:
    """The same hour so many years later, as far from the day on which clocks change."""
    at = copenhagen(shown)
    days = at.date() - change_of_clocks(at.year, at.month)
    day = change_of_clocks(at.year + rounds, at.month) + days
    return datetime.datetime.combine(day, at.time(), COPENHAGEN)


def change_of_clocks(year: int, month: int) -> datetime.date:
    """The last Sunday of a month with 31 days."""
    last = datetime.date(year, month, 31)
    return last - datetime.timedelta(days=(last.weekday() + 1) % 7)


def fault(chance: random.Random) -> dict:
    kind = chance.choice(FAULTS)
    count = chance.choice([1, 1, 2, 3])
    hit = {kind: {"count": count, "retry_after": chance.choice([None, 1])} if kind == "rate_limited" else count}
    return hit | {"endpoint": chance.choice(["data", "data", "tables", "any"]), "delay_ms": chance.choice([0, 0, 50, 300])}


def indicators() -> str:
    """A file that has the first of the built-in indicators once more, beside all of them."""
    built_in = json.loads((ROOT / "metadata/indicators.json").read_text(encoding="utf-8"))["indicators"]
    return json.dumps({"built_in": True, "indicators": built_in[:1]})


class Disturbances:
    def __init__(self, bridge: Bridge, upstream: Simulator, published: Published, clock: Clock, findings: Findings, indicators: pathlib.Path) -> None:
        self.bridge, self.upstream, self.published, self.clock, self.findings = bridge, upstream, published, clock, findings
        self.indicators = indicators
        self.turns: list[float] = []
        self.faults: set[str] = set()

    def go_through(self, events: list[Event], began: float, ended: threading.Event) -> None:
        for event in events:
            if ended.wait(max(0.0, began + event.at - time.monotonic())):
                return
            getattr(self, event.what.replace(" ", "_"))(event.about)
            self.findings.count(event.what)
            self.findings.note(f"{event.what} {event.about or ''}")

    def set_clock(self, to: datetime.datetime) -> None:
        if self.clock.settings and to < self.clock.now():
            self.turns.append(time.monotonic())
        self.clock.set(to)

    def publish(self, table: str) -> None:
        self.published.publish(table)

    def fault(self, hit: dict) -> None:
        self.faults |= set(FAULTS) & set(hit)
        self.upstream.call("POST", "/control/faults", hit)

    def hang_up(self, broken: bool) -> None:
        """A file of indicators that is whole or broken; a broken one changes nothing."""
        self.indicators.write_text("{" if broken else indicators(), encoding="utf-8")
        self.bridge.hang_up()

    def network_gone(self, seconds: float) -> None:
        # What is sent just before the closed hour must not arrive in it.
        if (self.clock.now() + datetime.timedelta(seconds=15)).hour != CLOSED_HOUR:
            self.upstream.vanish(seconds)

    def disk_full(self, seconds: float) -> None:
        self.bridge.fill_disk(seconds)

    def kill(self, _: object) -> None:
        self.bridge.kill()
        self.bridge.leaks.search_folder("data folder", self.bridge.data)
        self.indicators.write_text(indicators(), encoding="utf-8")
        self.bridge.start(LOGS[self.bridge.lives % len(LOGS)])
