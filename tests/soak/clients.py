"""The clients of a soak: hundreds at once, each of one kind, each with its own connection, address and credentials."""

import contextlib
import csv
import datetime
import gzip
import http.client
import io
import json
import math
import pathlib
import random
import socket
import struct
import time
import urllib.parse

import remote_read
from clock import COPENHAGEN
from published import LAGGING, TABLES, Query
from world import Answer, Reader, World

# What the service says while the upstream cannot be read, refuses the key or answers what makes no sense: docs/errors.md.
UPSTREAM_FAULTS = {"UpstreamAnswer", "UpstreamKeyRefused", "UpstreamRefused"}
# What a question is told that OData has and the service has not; only the hostile ask for it.
NOT_OFFERED = "NotOffered"
PANICS = "jobindsats_bridge_panics_total"
# Pages a client reads at most; its think time; how long an answer may take.
MOST_PAGES, THINK_SECONDS, PATIENCE = 6, 3.0, 90
ADDRESSES = 12


class Lost(Exception):
    """No answer, because the service was killed or has broken the answer off."""


class Wrong(Exception):
    """An answer that must not be."""


class WrongRows(Wrong):
    """Figures that were not published together."""


class Client:
    def __init__(self, world: World, kind: str, number: int, seed: int) -> None:
        self.world, self.kind = world, kind
        self.chance = random.Random(f"{seed} {kind} {number}")
        # A few addresses, as of municipalities; those who guess have others.
        self.source = f"127.0.{2 if kind == 'stranger' else 1}.{2 + number % ADDRESSES}"
        self.reader = world.readers[number % len(world.readers)]
        self.connection: http.client.HTTPConnection | None = None
        self.life = 0

    def run(self) -> None:
        while not self.world.ended.wait(self.chance.expovariate(1 / THINK_SECONDS)):
            if not self.world.bridge.is_up:
                continue
            try:
                getattr(self, self.kind)()
            except Lost:
                self.close()
            except Wrong as wrong:
                text = f"{self.world.clock.now():%Y-%m-%d %H:%M:%S} {self.kind} as {self.reader.name}: {wrong}"
                self.world.findings.report(text, rows=isinstance(wrong, WrongRows))
                self.close()
            except Exception as error:  # noqa: BLE001: a client that ended would look like one that found nothing
                self.world.findings.report(f"{self.kind}: an answer that cannot be read: {error!r}")
                self.close()
        self.close()

    def close(self) -> None:
        if self.connection:
            self.connection.close()
            self.connection = None

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, reader: Reader | None = None, **headers: str) -> Answer:
        """One answer, read to its end. Its bytes are searched; 5xx are judged here, for all kinds."""
        reader, bridge = reader or self.reader, self.world.bridge
        life, began = bridge.lives, time.monotonic()
        if life != self.life:
            self.close()
            self.life = life
        is_fresh = self.connection is None
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=PATIENCE, source_address=(self.source, 0))
                self.connection.connect()
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            self.connection.request(method, reader.address(path), body, reader.headers() | named)
            response = self.connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self.world.leaks.search("broken answer: " + path, getattr(error, "partial", b""))
            self.lost(error, life, began, is_fresh, path)
        if response.headers.get("Connection") == "close":
            self.close()
        if response.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        answer = Answer(response.status, response.headers, content)
        self.world.leaks.search("answer: " + path, str(answer.headers).encode() + content)
        if answer.status == 408:
            # The client, or the service on a busy machine, was late; how many is judged at the end.
            self.close()
            self.world.findings.count("not read in time")
            raise Lost
        code = answer.code() if answer.status >= 400 else ""
        self.world.findings.answered(answer.status, code)
        self.judge(answer, code, path)
        return answer

    def lost(self, error: Exception, life: int, began: float, is_fresh: bool, path: str) -> None:
        bridge = self.world.bridge
        killed = not bridge.is_up or bridge.lives != life or any(began <= kill for kill in bridge.kills)
        if killed or self.world.ended.is_set():
            self.world.findings.count("lost by a kill")
            raise Lost
        if isinstance(error, (http.client.RemoteDisconnected, BrokenPipeError)) and not is_fresh:
            # The service closes idle connections, just when a client uses one again.
            self.world.findings.count("closed between two requests")
            raise Lost
        if isinstance(error, (http.client.IncompleteRead, ConnectionResetError)):
            # An answer that was begun and whose figures cannot be fetched any more is broken off; how many is judged at the end.
            self.world.findings.count("broken off")
            self.world.findings.note(f"broken off: {error!r} {path}")
            raise Lost
        raise Wrong(f"{error!r} after {time.monotonic() - began:.0f} s: {path}")

    def judge(self, answer: Answer, code: str, path: str) -> None:
        is_bare = not answer.body  # of HEAD
        is_page = "html" in answer.headers.get("Content-Type", "")
        if answer.status == 503 and (not answer.headers.get("Retry-After") or not (code or is_bare or is_page)):
            raise Wrong(f"503 without code or Retry-After: {path}: {answer.body[:300]!r}")
        if answer.status >= 500 and answer.status != 503 and code not in UPSTREAM_FAULTS | {NOT_OFFERED} and not (answer.status == 502 and (is_bare or is_page)):
            raise Wrong(f"{answer.status} {code}: {path}: {answer.body[:300]!r}")

    def expect(self, answer: Answer, path: str, *others: int) -> bool:
        """Whether it is an answer; no announced refusal, and none of the other statuses that may be."""
        if answer.status in (200, *others):
            return answer.status == 200
        if answer.status in (502, 503) or (answer.status == 429 and answer.headers.get("Retry-After")):
            return False
        raise Wrong(f"{answer.status} {answer.code()}: {path}: {answer.body[:300]!r}")

    # What is asked for rows, and how they are compared.

    def query(self) -> Query:
        while True:
            query = self.world.published.query(self.chance)
            if self.reader.may_read(query.of.table):
                return query

    def path(self, query: Query, root: str = "/odata/jobindsats", ending: str = "") -> str:
        return query.path(root, self.world.measures[query.of], ending)

    def figures(self, query: Query, rows: list[dict]) -> list[tuple]:
        names = ["Periode", "Område", *query.of.dimensions, *self.world.measures[query.of]]
        return [tuple(row[name] for name in names) for row in rows]

    def compare(self, query: Query, rows: list[tuple], counts: list[int], path: str) -> None:
        found = self.world.published.edition_of(query, rows, counts)
        if found == LAGGING:
            self.world.findings.note(f"without the newest period: {urllib.parse.unquote(path)}")
            self.world.findings.count("without the newest period")
        elif found is None:
            text = f"no edition: {urllib.parse.unquote(path)}: {self.world.published.difference(query, rows, counts)}"
            pairs = self.world.published.mixed(query, rows)
            if not pairs:
                raise WrongRows(text)
            self.world.findings.mix(query.of.table, pairs, text)
        self.world.findings.count(self.kind, len(rows))

    def rows(self) -> None:
        """Pages of rows, with next links, as Power BI follows them."""
        query = self.query()
        path = link = self.path(query)
        rows, counts = [], []
        size = self.chance.choice([50, 200, 1000])
        for page in range(MOST_PAGES):
            # The link itself lets its holder read on, until the service is started again.
            reader = Reader("a link") if page and self.chance.random() < 0.5 else self.reader
            answer = self.ask(link, reader=reader, Prefer=f"maxpagesize={size}", Accept_Encoding=self.chance.choice(["gzip", "identity"]))
            may_be = [410] if page else []
            # The service was started again, or the clock was set.
            may_be += [401] if reader is not self.reader and answer.code() in ("LinkExpired", "LinkRefused") else []
            if not self.expect(answer, link, *may_be):
                return
            body = answer.json()
            rows += self.figures(query, body["value"])
            counts += [body["@odata.count"]] if "@odata.count" in body else []
            if "@odata.nextLink" not in body:
                return self.compare(query, rows, counts, path)
            link = self.below(body["@odata.nextLink"])
            if self.chance.random() < 0.2:
                time.sleep(self.chance.random() * 3)

    def below(self, link: str) -> str:
        if not link.startswith("/"):
            parts = urllib.parse.urlsplit(link)
            link = parts.path + "?" + parts.query
        return link

    def counted(self) -> None:
        query = self.query()
        query.top, query.skip, query.order, query.counted = None, 0, None, False
        path = self.path(query, ending="/$count")
        answer = self.ask(path)
        if self.expect(answer, path):
            number = int(answer.body)
            if number not in [count for _, _, count in self.world.published.answers(query)]:
                raise WrongRows(f"{number} rows counted: {path}")
            self.world.findings.count(self.kind)

    def batch(self) -> None:
        queries = [self.query() for _ in range(self.chance.randint(2, 5))]
        parts = [{"id": str(at), "method": "GET", "url": self.path(query)} for at, query in enumerate(queries)]
        body = json.dumps({"requests": parts}).encode()
        answer = self.ask("/odata/$batch", "POST", body, Content_Type="application/json", Prefer="continue-on-error")
        if not self.expect(answer, "/odata/$batch"):
            return
        for part in answer.json()["responses"]:
            query, code = queries[int(part["id"])], ""
            if part["status"] != 200:
                code = part["body"]["error"]["code"]
                if part["status"] not in (502, 503) or (part["status"] == 502 and code not in UPSTREAM_FAULTS):
                    raise Wrong(f"{part['status']} {code} in a batch")
                continue
            value = part["body"]
            self.compare(query, self.figures(query, value["value"]), [value["@odata.count"]] if "@odata.count" in value else [], self.path(query))

    def export(self) -> None:
        query = self.query()
        query.counted = False
        path = self.path(query, "/export", ".csv")
        answer = self.ask(path)
        if self.expect(answer, path):
            table = list(csv.DictReader(io.StringIO(answer.body.decode())))
            texts = 2 + len(query.of.dimensions)
            rows = [row[:texts] + tuple(float(cell) if cell else None for cell in row[texts:]) for row in self.figures(query, table)]
            self.compare(query, rows, [], path)

    def parquet(self) -> None:
        path = self.path(self.query(), "/export", ".parquet")
        answer = self.ask(path, self.chance.choice(["GET", "HEAD"]))
        if self.expect(answer, path) and answer.body:
            if answer.body[:4] + answer.body[-4:] != b"PAR1PAR1":
                raise Wrong(f"no whole Parquet file: {path}")
            tag = answer.headers.get("ETag")
            if tag:
                again = self.ask(path, If_None_Match=tag)
                self.expect(again, path, 304)
        if answer.status == 200:
            self.world.findings.count(self.kind)

    # Metrics.

    def scrape(self) -> None:
        path = self.chance.choice(["/metrics", "/metrics/indicators"])
        answer = self.ask(path, reader=self.world.metrics, Accept_Encoding="gzip")
        if not self.expect(answer, path):
            return
        lines = [line for line in answer.body.decode().splitlines() if line and not line.startswith("#")]
        values = {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}
        if values.get(PANICS, 0.0) > 0:
            raise Wrong(f"{PANICS} is {values[PANICS]}")
        start = 'jobindsats_country_persons{source="jobindsats",indicator="ledige_personer"} '
        shown = [float(line.removeprefix(start)) for line in lines if line.startswith(start)]
        newest = {figures[max(figures)] for figures in list(self.world.published.country)}
        if path.endswith("indicators") and not set(shown) <= newest:
            raise WrongRows(f"ledige_personer is {shown}, and was published as {newest}")
        self.world.findings.count(self.kind)

    def remote(self) -> None:
        labels = {"__name__": "jobindsats_history_country_persons", "source": "jobindsats", "indicator": "ledige_personer"}
        months = sorted(self.world.published.country[0])[-12:]
        first = datetime.datetime(int(months[0][:4]), int(months[0][5:]), 1, tzinfo=COPENHAGEN)
        last = datetime.datetime(int(months[-1][:4]), int(months[-1][5:]), 1, tzinfo=COPENHAGEN)
        body = remote_read.question(labels, int(first.timestamp() * 1000), int(last.timestamp() * 1000))
        answer = self.ask("/api/v1/read", "POST", body, self.world.metrics, Content_Type="application/x-protobuf", Content_Encoding="snappy")
        if not self.expect(answer, "/api/v1/read"):
            return
        found = {}
        for at, value in remote_read.samples(answer.body):
            day = datetime.datetime.fromtimestamp(at / 1000, COPENHAGEN)
            figure = struct.unpack("<d", value)[0]
            # Where the series ends, there is a mark that is no number.
            if not math.isnan(figure):
                found[f"{day.year}M{day.month:02}"] = figure
        known = list(self.world.published.country)
        if not any(all(one.get(month) == value for month, value in found.items()) for one in known):
            raise WrongRows(f"remote read has {found}, the newest edition {known[-1]}")
        self.world.findings.count(self.kind if found else "remote without samples", len(found))

    # Pages and documents, and those who are up to no good.

    def page(self) -> None:
        table = self.chance.choice([table for table in TABLES if self.reader.may_read(table)])
        paths = ["/", f"/maaling/{table}", f"/maaling/{table}/byg", "/nyt", "/nyt.csv", "/nyt.atom", "/status"]
        path = self.chance.choice(paths) + self.chance.choice(["", "?sprog=en"])
        answer = self.ask(path, Accept="text/html", Accept_Encoding="gzip")
        if self.expect(answer, path):
            if answer.headers["Content-Type"].startswith("text/html") and not answer.body.rstrip().endswith(b"</html>"):
                raise Wrong(f"half a page: {path}")
            self.world.findings.count(self.kind)

    def document(self) -> None:
        table = self.chance.choice([table for table in TABLES if self.reader.may_read(table)])
        paths = ["/odata/", "/odata/$metadata", "/odata/Datasets?$search=ledige&$top=5", f"/odata/jobindsats/{table}/$metadata"]
        paths += [f"/odata/jobindsats/{table}/Kommuner?$top=5&explain=plan" if table != "y25i03" else "/odata/Perioder?$top=3"]
        path = self.chance.choice(paths)
        if self.expect(self.ask(path), path):
            self.world.findings.count(self.kind)

    def forbidden(self) -> None:
        """Somebody who may read one table asks for others."""
        limited = next(reader for reader in self.world.readers if reader.table)
        table = self.chance.choice([table for table in TABLES if table != limited.table])
        path = self.chance.choice([f"/odata/jobindsats/{table}/Landet?$top=1", f"/export/{table}/Landet.csv", f"/maaling/{table}"])
        answer = self.ask(path, reader=limited)
        if answer.status != 403 and self.expect(answer, path):
            raise Wrong(f"{limited.name} reads {path}")
        self.world.findings.count(self.kind)

    def stranger(self) -> None:
        """Somebody without a password, or with a wrong one."""
        path = self.chance.choice(["/odata/jobindsats/y25i01/Landet?$top=1", "/metrics", "/export/y25i01/Landet.csv", "/status"])
        guesses = [Reader("nobody"), Reader("anne", f"guess-{self.chance.randrange(10**6)}"), Reader("x", "a-key-that-is-none", in_address=True)]
        answer = self.ask(path, reader=self.chance.choice(guesses))
        if answer.status not in (401, 429, 503):
            raise Wrong(f"a stranger is answered {answer.status}: {path}")
        self.world.findings.count(self.kind)

    def leaver(self) -> None:
        """Somebody who does not wait for the answer."""
        path = self.path(self.query())
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.connection = http.client.HTTPConnection("127.0.0.1", self.world.bridge.port, timeout=5, source_address=(self.source, 0))
            self.connection.request("GET", self.reader.address(path), headers=self.reader.headers())
            time.sleep(self.chance.random())
        self.close()
        self.world.findings.count(self.kind)

    def hostile(self) -> None:
        """Somebody who sends what the fuzzer knows, with a few bytes changed, or what is no HTTP."""
        if self.chance.random() < 0.3:
            self.no_http()
            return
        kind = self.chance.choice(["filter", "apply", "url", "token", "batch", "remote_read"])
        text = self.changed(self.chance.choice(CORPORA[kind]))
        table = self.chance.choice([table for table in TABLES if self.reader.may_read(table)])
        rows = f"/odata/jobindsats/{table}/Kommuner"
        match kind:
            case "filter" | "apply":
                path = f"{rows}?${kind}={urllib.parse.quote(text)}"
            case "token":
                path = f"{rows}?$skiptoken={urllib.parse.quote(text)}"
            case "url":
                path = "/odata/" + urllib.parse.quote(text, safe="/?$&=%'()@,;:")
            case "batch":
                path = "/odata/$batch"
            case "remote_read":
                path = "/api/v1/read"
        if kind == "batch":
            self.ask(path, "POST", text, Content_Type="multipart/mixed; boundary=b")
        elif kind == "remote_read":
            self.ask(path, "POST", text, self.world.metrics, Content_Type="application/x-protobuf", Content_Encoding="snappy")
        else:
            self.ask(path)
        self.world.findings.count(self.kind)

    def changed(self, text: bytes) -> bytes:
        changed = bytearray(text)
        for _ in range(self.chance.choice([0, 1, 3])):
            if changed:
                changed[self.chance.randrange(len(changed))] = self.chance.randrange(256)
        return bytes(changed)

    def no_http(self) -> None:
        """What comes back is a refusal, if anything: never an answer of ours that says that it has failed."""
        bridge, text = self.world.bridge, self.chance.choice(NO_HTTP)
        life, said = bridge.lives, b""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", bridge.port), 5, (self.source, 0)) as connection:
            connection.sendall(text)
            while piece := connection.recv(65536):
                said += piece
        self.world.leaks.search("answer: no HTTP", said)
        status = said[9:12]
        if bridge.lives == life and status >= b"5" and status != b"503":
            raise Wrong(f"{said[:300]!r} for {text[:100]!r}")
        self.world.findings.count("no HTTP")


def corpus(name: str) -> list[bytes]:
    """The inputs that the fuzzer of that name keeps, but for the longest: they would take the soak's time."""
    folder = pathlib.Path(__file__).resolve().parents[2] / "fuzz" / "corpus" / name
    return [text for path in sorted(folder.iterdir()) if len(text := path.read_bytes()) <= LONGEST_INPUT]


LONGEST_INPUT = 8_000
CORPORA = {name: corpus(name) for name in ("filter", "apply", "url", "token", "batch", "remote_read")}
# Requests that are none, or only half.
NO_HTTP = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"GET /odata/ HTTP/9.9\r\n\r\n",
    b"GET /odata/ HTTP/1.1\r\nHost localhost\r\n\r\n",
    b"GET /odata/\x00\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: " + b"x" * 100_000 + b"\r\n\r\n",
    b"POST /odata/$batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /odata/$batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /",
    b"POST /odata/$batch HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
    b"POST /odata/$batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50 + b"GET /odata/ HT",
]

# How many of a hundred clients are of each kind.
KINDS = {
    "rows": 40,
    "batch": 8,
    "export": 10,
    "parquet": 5,
    "counted": 6,
    "scrape": 6,
    "remote": 4,
    "page": 8,
    "document": 5,
    "forbidden": 3,
    "stranger": 2,
    "leaver": 3,
    "hostile": 3,
}


def kinds(clients: int) -> list[str]:
    """The kind of each client, in the shares above, and at least one of each."""
    return [kind for kind, share in KINDS.items() for _ in range(max(1, round(share * clients / 100)))]
