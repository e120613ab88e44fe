"""What was published, edition by edition, asked of a simulator of our own; and what a query must answer of it.

An edition is asked for before the upstream that the service reads has it, so that no answer can come too early.
"""

import collections
import datetime
import itertools
import random
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field

from clock import Clock
from processes import Simulator

# How many editions back an answer may be: those that wait for a list of tables, and those of a closed hour.
KEPT = 14
COUNTRY, UNKNOWN = "Hele landet", "Uoplyst område"
Row = tuple


@dataclass(frozen=True)
class Watched:
    """A set whose rows are compared, and how the upstream is asked for them."""

    table: str
    name: str
    period_type: str
    periods: int
    hierarchies: tuple[str, ...]
    dimensions: tuple[str, ...] = ()
    areas: str = "all"

    def question(self) -> str:
        divided = "".join(f"&hierarchy.{hierarchy}=*" for hierarchy in self.hierarchies)
        return f"/v3/data/{self.table}?mgroup.*=*&period.{self.period_type}=latest:{self.periods}{divided}&format=json"

    def has(self, row: Row) -> bool:
        is_area = {"all": True, "country": row[1] == COUNTRY, "others": row[1] not in (COUNTRY, UNKNOWN)}[self.areas]
        # A dimension that a set is divided by has no total there.
        return is_area and not any(label.endswith(" i alt") for label in row[2 : 2 + len(self.dimensions)])


SETS = [
    Watched("y25i01", "Landet", "M", 44, ("_nykom",), areas="country"),
    Watched("y25i01", "Kommuner", "M", 22, ("_nykom",), areas="others"),
    Watched("y25i01", "Hovedtal", "M", 22, ("_nykom",)),
    Watched("y25i01", "Fordelt_på_Køn", "M", 20, ("_nykom", "_kon"), ("Køn",)),
    Watched("y25i02", "Kommuner", "M", 22, ("_nykom",), areas="others"),
    Watched("y25i02", "Landet", "M", 44, ("_nykom",), areas="country"),
    Watched("y25i07", "Hovedtal", "M", 22, ("_nykom",)),
    Watched("y28a15", "Regioner", "Y", 20, ("_region",), areas="others"),
    Watched("y25i03", "Landet", "M", 44, ("_hele_landet",), areas="country"),
]
LAGGING = -1
GAUGE = ("y25i01", "Landet")
TABLES = sorted({each.table for each in SETS})


@dataclass
class Query:
    """A question for rows of a set, and its answer to given rows. The rows come newest period first, then in the upstream's order."""

    of: Watched
    since: str
    until: str
    area: tuple[str, str] | None = None  # an operator and its operand
    above: tuple[int, float] | None = None  # a measure by its position, and a number
    order: tuple[int, bool] | None = None  # a measure by its position, and whether it falls
    top: int | None = None
    skip: int = 0
    counted: bool = False

    def options(self, measures: list[str]) -> dict[str, str]:
        conditions = [f"Periode ge '{self.since}' and Periode le '{self.until}'"]
        if self.area:
            kind, text = self.area
            quoted = text.replace("'", "''")
            conditions.append(f"startswith(Område,'{quoted}')" if kind == "begins" else f"Område {kind} '{quoted}'")
        if self.above:
            conditions.append(f"{measures[self.above[0]]} gt {self.above[1]}")
        options = {"$filter": " and ".join(conditions)}
        if self.order:
            options["$orderby"] = measures[self.order[0]] + (" desc" if self.order[1] else "")
        if self.top is not None:
            options["$top"] = str(self.top)
        if self.skip:
            options["$skip"] = str(self.skip)
        if self.counted:
            options["$count"] = "true"
        return options

    def path(self, root: str, measures: list[str], ending: str = "") -> str:
        name = urllib.parse.quote(f"{root}/{self.of.table}/{self.of.name}{ending}")
        return name + "?" + urllib.parse.urlencode(self.options(measures), quote_via=urllib.parse.quote)

    def passes(self, row: Row, first: int) -> bool:
        if not self.since <= row[0] <= self.until:
            return False
        if self.area:
            kind, text = self.area
            if not {"eq": row[1] == text, "ne": row[1] != text, "begins": row[1].startswith(text)}[kind]:
                return False
        if self.above:
            figure = row[first + self.above[0]]
            return figure is not None and figure > self.above[1]
        return True

    def answer(self, rows: list[Row]) -> tuple[list[Row], int]:
        """The rows, and how many there are without `$top` and `$skip`."""
        first = 2 + len(self.of.dimensions)
        found = [row for row in rows if self.passes(row, first)]
        if self.order:
            at, falls = first + self.order[0], self.order[1]
            # A figure that is hidden is less than any.
            found.sort(key=lambda row: (row[at] is not None, row[at] or 0), reverse=falls)
        end = None if self.top is None else self.skip + self.top
        return found[self.skip : end], len(found)


@dataclass
class Edition:
    number: int
    rows: dict[Watched, list[Row]] = field(default_factory=dict)
    periods: dict[str, list[str]] = field(default_factory=dict)


class Published:
    def __init__(self, oracle: Simulator, upstream: Simulator, clock: Clock) -> None:
        self.oracle, self.upstream, self.clock = oracle, upstream, clock
        self.lock = threading.Lock()
        self.editions: dict[str, collections.deque] = {table: collections.deque(maxlen=KEPT) for table in TABLES}
        self.metadata = self.read_metadata()
        # All periods of a table by edition, newest first: `latest:3` is another question in another edition.
        self.periods: dict[tuple[str, int], dict[str, list[str]]] = {}
        # When an edition was published, by the time that nothing moves.
        self.times: dict[tuple[str, int], float] = {}
        # On which Danish day, which is all that the list of tables says of it.
        self.days: dict[tuple[str, int], datetime.date] = {}
        # The figures that gauges and remote read show, of all editions: these are read anew when their turn comes.
        self.country: list[dict[str, float]] = []
        self.matched: collections.Counter = collections.Counter()
        for table in TABLES:
            self.read(table, 0)

    def read_metadata(self) -> dict[str, dict]:
        subjects = self.oracle.call("GET", "/v3/tables?format=json")
        listed = [table["table_id"] for subject in subjects for group in subject["table_groups"] for table in group["tables"]]
        return {table: self.oracle.call("GET", f"/v3/table/{table}?format=json") for table in listed}

    def read(self, table: str, number: int) -> None:
        edition = Edition(number)
        about = self.oracle.call("GET", f"/v3/table/{table}?format=json")
        self.periods[table, number] = periods_of(about)
        for watched in (each for each in SETS if each.table == table):
            answer = self.oracle.call("GET", watched.question())
            rows = [tuple(row) for row in answer["rows"]]
            rows.sort(key=lambda row: row[0], reverse=True)
            edition.rows[watched] = [row for row in rows if watched.has(row)]
            if (table, watched.name) == GAUGE:
                self.country.append({row[0]: row[2] for row in edition.rows[watched]})
        with self.lock:
            self.editions[table].appendleft(edition)

    def publish(self, table: str) -> int:
        """Makes an update of a table; its number."""
        number = self.editions[table][0].number + 1
        update = {"table": table, "revise_published": True}
        self.oracle.call("POST", "/control/publish", update)
        self.read(table, number)
        self.days[table, number] = self.clock.now().date()
        self.upstream.call("POST", "/control/publish", update)
        # Only now, because the call waits for the log to be read, and for a network that is gone: a list that was read meanwhile had it not.
        self.times[table, number] = time.monotonic()
        return number

    def all_periods(self, table: str, number: int) -> dict[str, list[str]]:
        return self.periods.get((table, number)) or periods_of(self.metadata[table])

    def answers(self, query: Query) -> Iterator[tuple[int, list[Row], int]]:
        """The answers of all editions, and those that lack only the newest periods, as LAGGING: an edition, its rows, and how many there are.

        The list of periods is read apart from the figures. While it cannot be read, the periods are those of an earlier edition.
        """
        with self.lock:
            editions = list(self.editions[query.of.table])
        for edition in editions:
            yield edition.number, *query.answer(edition.rows[query.of])
        for at, edition in enumerate(editions):
            for earlier in editions[at + 1 :]:
                newest = max(row[0] for row in earlier.rows[query.of])
                yield LAGGING, *query.answer([row for row in edition.rows[query.of] if row[0] <= newest])

    def edition_of(self, query: Query, rows: list[Row], counts: list[int]) -> int | None:
        """The edition of which these are exactly the rows, if there is one; LAGGING if only its newest periods are not among them."""
        for number, wanted, count in self.answers(query):
            if rows == wanted and all(each == count for each in counts):
                if number != LAGGING:
                    self.matched[query.of.table, number] += 1
                return number
        return None

    def mixed(self, query: Query, rows: list[Row]) -> list[tuple[int, int]]:
        """Pairs of editions such that each figure is one of either's, the later last; none if rows are absent that do not depend on figures."""
        first = 2 + len(query.of.dimensions)
        with self.lock:
            editions = list(self.editions[query.of.table])
        lengths = {len(query.answer(edition.rows[query.of])[0]) for edition in editions}
        if not rows or (not query.above and len(rows) not in lengths):
            return []
        figures = {edition.number: {row[:first]: row[first:] for row in edition.rows[query.of]} for edition in editions}

        def is_of(row: Row, pair: tuple[int, int]) -> bool:
            either = [figures[number].get(row[:first]) for number in pair]
            return all(any(one and one[at] == figure for one in either) for at, figure in enumerate(row[first:]))

        pairs = itertools.combinations(sorted(figures), 2)
        return [pair for pair in pairs if all(is_of(row, pair) for row in rows)]

    def difference(self, query: Query, rows: list[Row], counts: list[int]) -> str:
        """How rows differ from the edition that they are most like."""
        with self.lock:
            answers = [(edition.number, *query.answer(edition.rows[query.of])) for edition in self.editions[query.of.table]]
        number, wanted, count = max(answers, key=lambda answer: len(set(answer[1]) & set(rows)))
        absent, extra = [row for row in wanted if row not in rows], [row for row in rows if row not in wanted]
        editions = [answer[0] for answer in answers]
        return (
            f"{len(rows)} rows, counts {counts}; edition {number} of {editions} has {len(wanted)} of {count}; "
            f"not sent {absent[:3]}, not published {extra[:3]}, order {'as published' if absent or extra else 'differs'}"
        )

    def query(self, chance: random.Random, of: Watched | None = None) -> Query:
        of = of or chance.choice(SETS)
        rows = self.editions[of.table][0].rows[of]
        # The oldest periods that are asked for stay among those that an edition holds while updates add newer ones.
        periods = sorted({row[0] for row in self.editions[of.table][-1].rows[of]})[-(of.periods - KEPT - 2) :]
        since = chance.choice(periods)
        until = chance.choice([period for period in periods if period >= since] + ["2099"])
        query = Query(of, since, until, counted=chance.random() < 0.3)
        first = 2 + len(of.dimensions)
        figures = [row[first] for row in rows if row[first] is not None]
        if chance.random() < 0.4 and of.areas != "country":
            name = chance.choice(rows)[1]
            query.area = chance.choice([("eq", name), ("ne", name), ("begins", name[0])])
        if chance.random() < 0.2 and figures:
            query.above = (0, chance.choice(figures))
        if chance.random() < 0.2:
            query.order = (chance.randrange(len(rows[0]) - first), chance.random() < 0.5)
        if chance.random() < 0.2:
            query.top, query.skip = chance.choice([1, 7, 100]), chance.choice([0, 0, 3])
        return query


def periods_of(about: dict) -> dict[str, list[str]]:
    return {kind["periodtype_id"]: [value["period_id"] for value in kind["values"]] for kind in about["periods"]}
