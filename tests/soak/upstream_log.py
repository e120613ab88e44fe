"""What the upstream was asked for, by its own log: when, and each figure how often.

A figure is a table, a period, a member of every dimension and a measure. It may be asked for once in each edition and on each Danish day. It may be asked for
again

- if the answer before was spoilt by a fault or did not come,
- if it was asked for as the newest so many periods, and there were newer ones than the service knew of: such an answer does not fit,
- if it was asked for before the list of tables had shown the edition, or the service had seen figures change, for QUEUE_SECONDS: so long the
  request may have waited for its turn, and figures of the revision before are not kept,
- if it came within KILL_SECONDS before a kill, which it need not have survived,
- if it came while the network was gone, when nobody may have waited for the answer any more, or while the disk was full or within
  DISK_SECONDS before, as it waits until the blocks that came earlier are written: then it is kept in memory alone,
- if the service has seen figures change since, and said so in its log: then a revision begins, of which each figure is asked for,
- if the clock was turned back since: what was read in the future is not believed.

Besides, a request may take a few stored figures along where that saves calls (docs/architecture.md, "A call costs as much as"):
LEEWAY_EACH for each call that it saves, of which it is allowed SAVED here, because the log does not say how many it saved; and one in
LEEWAY_SHARE of all, which is held over all requests together. A request of which no figure was missing saves nothing.
"""

import collections
import itertools
import re
import threading
import urllib.parse
from dataclasses import dataclass

from clock import CLOSED_HOUR, Clock, instant
from processes import Bridge, Simulator
from published import Published

# BRIDGE_ANSWER_SECONDS of the soak; nobody waits longer.
KILL_SECONDS, DISK_SECONDS, QUEUE_SECONDS = 3, 10, 15
LEEWAY_EACH, SAVED, LEEWAY_SHARE = 300, 10, 64
POLL_SECONDS = 3
# So long before an answer was whole its figures may have been compared with the list of tables for the last time.
TOLD_SECONDS = 5


@dataclass
class Box:
    """The figures that a request asks for: the product of what it names on each axis."""

    axes: tuple[frozenset, ...]
    # The number of the request, and by the time that nothing moves when it was answered.
    number: int
    at: float
    target: str

    def shared(self, other: "Box") -> set[tuple]:
        return set(itertools.product(*(mine & others for mine, others in zip(self.axes, other.axes))))

    def figures(self) -> int:
        product = 1
        for axis in self.axes:
            product *= len(axis)
        return product


class UpstreamLog:
    def __init__(self, upstream: Simulator, published: Published, clock: Clock) -> None:
        self.upstream, self.published, self.clock = upstream, published, clock
        self.requests: dict[int, dict] = {}
        self.arrivals: dict[int, str] = {}
        self.listings: dict[int, str] = {}
        self.missed = 0
        self.notes: list[tuple[float, str]] = []
        self.lock = threading.Lock()

    def look(self) -> None:
        """Takes over what the log has; earlier entries once more, because they may have been answered since."""
        with self.lock:
            log = self.upstream.call("GET", "/control/requests")
            self.take(self.requests, log["requests"], log["data"])
            self.take(self.listings, log["listings"], log["listed"])
            self.take(self.arrivals, log["arrivals"], sum(log[kind] for kind in ("subjects", "tables", "table", "data")))

    def take(self, known: dict, entries: list, count: int) -> None:
        first = count - len(entries)
        self.missed += max(0, first - (max(known) + 1 if known else 0))
        known |= dict(enumerate(entries, first))

    def watch(self, ended: threading.Event) -> None:
        while not ended.wait(POLL_SECONDS):
            self.look()

    def in_closed_hour(self) -> list[str]:
        return [at for at in self.arrivals.values() if instant(at).hour == CLOSED_HOUR]

    def cannot_tell(self, at: float, table: str, pairs: list[tuple[int, int]]) -> bool:
        """Whether nothing has told the service that figures are of two editions: both have one day, or the list of tables could not be read
        between the latest figures and the answer.
        """
        days = self.published.days
        if any(days.get((table, earlier)) == days.get((table, later)) for earlier, later in pairs):
            return True
        before, read = 0.0, []
        for _, request in sorted(self.requests.items()):
            before = self.clock.moved(instant(request["at"]), before)
            read += [before] if request["table"] == table and before <= at else []
        return bool(read) and not any(read[-1] <= listed <= at - TOLD_SECONDS for listed in self.listed())

    def listed(self) -> list[float]:
        """When the list of tables was read."""
        before, found = 0.0, []
        for _, at in sorted(self.listings.items()):
            before = self.clock.moved(instant(at), before)
            found.append(before)
        return found

    def first_listings(self) -> dict[tuple[str, int], float]:
        """When the list of tables first had an edition."""
        found, listings = {}, self.listed()
        self.notes += [(at, "the list of tables") for at in listings]
        for (table, edition), published in self.published.times.items():
            found[table, edition] = min((at for at in listings if at >= published), default=float("inf"))
        return found

    def box(self, number: int, request: dict, at: float) -> Box:
        path, _, query = request["target"].partition("?")
        about = self.published.metadata[request["table"]]
        pairs = urllib.parse.parse_qsl(query)
        edition = request["answer"]["edition"]
        periods, measures, members = set(), set(), {}
        for key, value in pairs:
            kind, _, name = key.partition(".")
            if kind == "period":
                listed = self.published.all_periods(request["table"], edition)[name]
                periods |= set(listed[: int(value[7:])] if value.startswith("latest:") else value.split(","))
            elif kind == "mgroup":
                groups = [group for group in about["mgroups"] if name in ("*", group["mgroup_id"])]
                measures |= {each["measure_id"] for group in groups for each in group["measures"] if value in ("*", each["measure_id"])}
            elif kind == "hierarchy":
                members |= self.members(about, name, value)
        places = [members.get(dimension["dimension_id"], frozenset({"T"})) for dimension in about["dimensions"]]
        return Box((frozenset(periods), frozenset(measures), *places), number, at, urllib.parse.unquote(request["target"]))

    def is_all(self, request: dict) -> bool:
        """Whether it asks for the newest periods, as many as there are."""
        asked = re.search(r"period\.(\w+)=latest:(\d+)", request["target"])
        listed = self.published.all_periods(request["table"], request["answer"]["edition"])
        return bool(asked) and len(listed[asked[1]]) == int(asked[2])

    def members(self, about: dict, hierarchy: str, value: str) -> dict[str, frozenset]:
        for dimension in about["dimensions"]:
            for tree in dimension["hierarchies"]:
                if tree["hierarchy_id"] != hierarchy:
                    continue
                levels = [level for level in tree["levels"] if value == "*" or value == f"level:{level['level_id']}"]
                paths = [each["value_id"] for level in levels for each in level["values"]] or value.split(",")
                paths = ["/", *paths] if value == "*" else paths
                return {dimension["dimension_id"]: frozenset("T" if path == "/" else f"{hierarchy} {path}" for path in paths)}
        return {}

    def asked_again(self, bridge: Bridge, turns: list[float]) -> "Again":
        """Which figures were asked for more than once in an edition and on a day."""
        kills, revised = bridge.kills, bridge.revised()
        lost = [(began - KILL_SECONDS, end + KILL_SECONDS) for began, end in self.upstream.gone]
        lost += [(began - DISK_SECONDS, end + KILL_SECONDS) for began, end in bridge.full]
        result, before = Again(), 0.0
        listed = self.first_listings()
        held: dict[tuple, list[Box]] = collections.defaultdict(list)
        for number, request in sorted(self.requests.items()):
            before = at = self.clock.moved(instant(request["at"]), before)
            answer = request["answer"]
            if not answer or answer["status"] != 200:
                result.unanswered += 1
                continue
            target = urllib.parse.unquote(request["target"])[:200]
            self.notes.append((at, f"request {number}, edition {answer['edition']}, fault {request['fault']}: {target}"))
            box = self.box(number, request, at)
            noticed = listed.get((request["table"], answer["edition"]), 0.0)
            begun = turns + revised[request["table"]] + [noticed]
            epoch = sum(turn <= at for turn in begun)
            boxes = held[request["table"], answer["edition"], instant(request["at"]).date(), epoch]
            boxes[:] = [one for one in boxes if not any(one.at <= kill <= one.at + KILL_SECONDS and kill <= at + 1 for kill in kills)]
            again = [(one.shared(box), one) for one in boxes]
            result.add(box, [(shared, one) for shared, one in again if shared])
            fits = self.is_all(request) or "latest:" not in request["target"]
            is_settled = noticed < at - QUEUE_SECONDS and not any(at - QUEUE_SECONDS <= turn <= at for turn in begun)
            is_settled &= not any(began <= at <= end for began, end in lost)
            if fits and not request["fault"] and is_settled:
                boxes.append(box)
                result.held += box.figures()
        return result


class Again:
    def __init__(self) -> None:
        self.requests = self.figures = self.held = self.again = self.unanswered = 0
        self.examples: list[str] = []

    def add(self, box: Box, shared: list[tuple[set, Box]]) -> None:
        self.requests += 1
        self.figures += box.figures()
        twice = len(set().union(*(figures for figures, _ in shared)))
        self.again += twice
        saved = SAVED * LEEWAY_EACH + box.figures() // LEEWAY_SHARE if twice < box.figures() else 0
        if twice > saved:
            figures, first = max(shared, key=lambda pair: len(pair[0]))
            count, apart = len(figures), box.at - first.at
            self.examples.append(
                f"request {box.number} asks for {twice} of {box.figures()} figures again: {box.target[:400]}\n"
                f"      {count} of them {apart:.1f} s after request {first.number}: {first.target[:400]}"
            )

    def is_within(self) -> bool:
        return not self.examples and self.again <= self.figures // LEEWAY_SHARE
