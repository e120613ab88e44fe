#!/usr/bin/env python3
"""Hundreds of clients read for a while, and everything goes wrong at once: faults of the upstream, updates, SIGHUP, kills, a clock that passes the
closed hour and both clock changes. Every row is compared with what was published.

    tests/soak/run.py target/debug/jobindsats-bridge [--seconds 60] [--seed 7] [--clients 200]

Starts two simulators and the service on free loopback ports. The seed decides what happens when and what clients ask; which of them comes first
is not repeatable. Prints a line for each check and fails if one does not hold. Needs Debian's `faketime`.
"""

import argparse
import contextlib
import pathlib
import resource
import secrets
import statistics
import sys
import tempfile
import threading
import time

from clients import KINDS, Client, kinds
from clock import Clock, copenhagen, instant
from disturbances import FAULTS, LOGS, TOUR, Disturbances, indicators, plan
from leaks import Leaks
from processes import START_SECONDS, Bridge, Simulator
from published import SETS, TABLES, Published
from upstream_log import QUEUE_SECONDS, UpstreamLog
from world import Findings, Reader, World

LIMITED_TABLE = "y25i01"
# What memory may grow from the first to the last third of the last life: what the stores may fill, and a tenth.
MEMORY_MB, ANSWERS_MB, GROWTH_MB = 32, 128, 64
# Open files and connections at rest, above those before the clients came; twice as many files while clients read.
MORE_HANDLES = 12
# So often what is new in the data folder is searched for secrets.
SEARCHED_SECONDS = 5
# On so many days of the tour the upstream must have been called.
DAYS = 3
# Of a hundred answers so many may be broken off, because figures could not be fetched any more.
BROKEN_OFF = 2
# Of a hundred so many may be 408 because nobody read the request for ten seconds, as happens where other programs keep the machine busy.
UNREAD = 10
# Of a hundred figures so many must be ones that may not be asked for again, or the check could hardly fail. A busy machine has few in a minute.
HELD = 1


class Soak:
    def __init__(self, arguments: argparse.Namespace, folder: pathlib.Path) -> None:
        self.arguments, self.folder = arguments, folder
        self.clock = Clock(folder)
        self.clock.set(copenhagen(TOUR[0][0]))
        key, password = f"soak-{secrets.token_hex(16)}", secrets.token_urlsafe(12)
        words = {"the key": key, "a password": password, "another password": secrets.token_urlsafe(12), "the password of metrics": secrets.token_urlsafe(12)}
        self.leaks = Leaks(words)
        self.upstream = Simulator(arguments.binary, self.clock, "--closed-hour", token=key)
        self.oracle = Simulator(arguments.binary, self.clock)
        (folder / "indicators.json").write_text(indicators(), encoding="utf-8")
        (folder / "key").write_text(key, encoding="utf-8")
        (folder / "metrics-password").write_text(words["the password of metrics"], encoding="utf-8")
        (folder / "data").mkdir()
        self.bridge = Bridge(arguments.binary, self.clock, self.leaks, folder / "data", self.settings())
        self.bridge.kept = arguments.notes and arguments.notes.resolve().parent
        self.readers = self.make_readers(words)
        self.metrics = Reader("prometheus", words["the password of metrics"])
        self.findings, self.samples = Findings(), []
        self.ended = threading.Event()
        threading.excepthook = lambda of: self.findings.report(f"a thread of the soak ended: {of.exc_value!r}")

    def settings(self) -> dict[str, str]:
        return {
            "JOBINDSATS_API_URL": f"http://127.0.0.1:{self.upstream.port}/v3",
            "JOBINDSATS_API_KEY_FILE": str(self.folder / "key"),
            "BRIDGE_USERS_FILE": str(self.folder / "users"),
            "BRIDGE_METRICS_PASSWORD_FILE": str(self.folder / "metrics-password"),
            "BRIDGE_INDICATORS": str(self.folder / "indicators.json"),
            "BRIDGE_UPSTREAM_TIMEOUT_SECONDS": "8",
            "BRIDGE_ANSWER_SECONDS": str(QUEUE_SECONDS),
            "BRIDGE_MEMORY_MB": str(MEMORY_MB),
            "BRIDGE_ANSWERS_MB": str(ANSWERS_MB),
            "BRIDGE_DISK_MB": "512",
        }

    def make_readers(self, words: dict[str, str]) -> list[Reader]:
        """Users of every kind; their keys are among what must be found nowhere."""
        self.bridge.command("user", "add", "anne", said=words["a password"] + "\n")
        self.bridge.command("user", "add", "dorte", "--tables", LIMITED_TABLE, said=words["another password"] + "\n")
        keys = [self.bridge.command("user", "add", name, "--key").split()[-1] for name in ("bo", "rapport")]
        self.leaks = self.bridge.leaks = Leaks(words | {"a user's key": keys[0], "another user's key": keys[1]})
        return [
            Reader("anne", words["a password"]),
            Reader("bo", keys[0]),
            Reader("rapport", keys[1], in_address=True),
            Reader("dorte", words["another password"], table=LIMITED_TABLE),
        ]

    def run(self) -> bool:
        self.upstream.wait()
        self.oracle.wait()
        # Its first answer takes long, because the figures are made up then.
        self.upstream.call("GET", "/v3/tables?format=json")
        published = Published(self.oracle, self.upstream, self.clock)
        self.log = UpstreamLog(self.upstream, published, self.clock)
        self.bridge.start(LOGS[0])
        self.world = World(
            self.bridge, published, self.clock, self.leaks, self.findings, self.readers, self.metrics, self.names_of_measures(), self.ended
        )
        self.wait_until_read()
        self.disturbances = Disturbances(self.bridge, self.upstream, published, self.clock, self.findings, self.folder / "indicators.json")
        self.handles_before = self.bridge.handles()
        began = self.findings.began = time.monotonic()
        threads = [
            threading.Thread(target=Client(self.world, kind, number, self.arguments.seed).run)
            for number, kind in enumerate(kinds(self.arguments.clients))
        ]
        threads += [threading.Thread(target=self.watch), threading.Thread(target=self.log.watch, args=(self.ended,))]
        for thread in threads:
            thread.start()
        try:
            self.disturbances.go_through(plan(self.arguments.seconds, self.arguments.seed), began, self.ended)
            self.ended.wait(max(0.0, began + self.arguments.seconds - time.monotonic()))
        finally:
            self.ended.set()
            for thread in threads:
                thread.join()
        return self.judge()

    def wait_until_read(self) -> None:
        """Until the service has its first gauges, so that there is something to lose."""
        client, until = Client(self.world, "rows", 0, 0), time.monotonic() + START_SECONDS
        while b'{source="jobindsats",indicator="ledige_personer"}' not in client.ask("/metrics/indicators", reader=self.metrics).body:
            if time.monotonic() > until:
                sys.exit("the service did not read its indicators:\n" + "\n".join(line for _, line in self.bridge.notes[-20:]))
            time.sleep(0.5)
        client.close()

    def names_of_measures(self) -> dict:
        """The names of each set's measures, in their order."""
        client = Client(World(self.bridge, None, self.clock, self.leaks, self.findings, self.readers, self.metrics, {}, self.ended), "rows", 0, 0)
        found = {}
        for of in SETS:
            for _ in range(60):
                answer = client.ask(f"/odata/jobindsats/{of.table}/$metadata?$format=json", reader=self.readers[0])
                if answer.status == 200:
                    break
                time.sleep(1)
            found[of] = measures(answer.json(), of)
        client.close()
        return found

    def watch(self) -> None:
        """Memory and open files, a sample each second: when, in which life, how much. Every few seconds the data folder is searched, as files go again."""
        while not self.ended.wait(1):
            if len(self.samples) % SEARCHED_SECONDS == 0:
                with contextlib.suppress(FileNotFoundError):  # a folder was removed just now; it is searched whole at kills and at the end
                    self.leaks.search_folder("data folder", self.bridge.data)
            try:
                self.samples.append((time.monotonic(), self.bridge.lives, self.bridge.memory_mb(), self.bridge.handles()[0]))
            except (OSError, TypeError):
                pass  # it was killed just now

    def judge(self) -> bool:
        time.sleep(5)  # connections that clients have closed are noticed
        self.log.look()
        handles = self.bridge.handles()
        self.leaks.search_folder("data folder", self.bridge.data)
        code = self.bridge.stop()
        checks = [self.rows(), self.answers(), self.closed_hour(), self.asked_once(), self.memory(), self.handles(handles)]
        checks += [self.ends(code), self.secrets(), self.everything_happened()]
        for holds, name, text, examples in checks:
            print(f"{'ok' if holds else 'FAILED':6}  {name}: {text}")
            for example in [] if holds else examples[:8]:
                print(f"        {example}")
        if self.arguments.notes:
            notes = sorted(self.findings.notes + self.log.notes + self.bridge.notes)
            lines = [f"{at - self.findings.began:6.1f} s: {text}" for at, text in notes]
            self.arguments.notes.write_text("\n".join(lines + self.findings.wrong_rows + self.findings.wrong), encoding="utf-8")
        return all(holds for holds, *_ in checks)

    # Each check: whether it holds, its name, what was counted, examples of what is wrong.

    def rows(self) -> tuple:
        matched, mixed = self.world.published.matched, self.findings.mixed
        wrong = self.findings.wrong_rows + [text for at, table, pairs, text in mixed if not self.log.cannot_tell(at, table, pairs)]
        answers = sum(matched.values())
        editions = {table: len([1 for one, _ in matched if one == table]) for table in TABLES}
        text = f"{self.findings.rows} rows compared; {answers} answers are those of one edition; editions met: {editions}"
        lagging = f"; {self.findings.done['without the newest period']} more without the newest period, {len(mixed)} of two editions"
        return not wrong and answers > self.arguments.seconds / 4, "rows as published", text + lagging, wrong

    def answers(self) -> tuple:
        done, statuses = self.findings.done, self.findings.statuses
        broken, answers = done["broken off"], sum(statuses.values())
        text = f"{answers} answers, {dict(statuses.most_common())}; {broken} broken off, {done['lost by a kill']} lost by kills"
        unread = done["not read in time"]
        text += f", {unread} not read in time"
        held = not self.findings.wrong and broken * 100 <= answers * BROKEN_OFF and unread * 100 <= answers * UNREAD
        return held, "answers are announced", text, self.findings.wrong

    def closed_hour(self) -> tuple:
        within = self.log.in_closed_hour()
        text = f"{len(within)} of {len(self.log.arrivals)} calls from 22 to 23, {self.log.missed} calls not seen"
        return not within and not self.log.missed, "closed hour", text, within

    def asked_once(self) -> tuple:
        again = self.log.asked_again(self.bridge, self.disturbances.turns)
        text = (
            f"{again.figures} figures in {again.requests} requests; {again.held} must not be asked for again, "
            f"{again.again} were; {again.unanswered} requests had no answer"
        )
        enough = again.held * 100 > again.figures * HELD
        few = [] if enough else [f"less than {HELD} % of the figures must not be asked for again: this says too little"]
        return again.is_within() and enough, "each figure once", text, again.examples + few

    def thirds(self, at: int) -> tuple[float, float]:
        last = [sample[at] for sample in self.samples if sample[1] == self.bridge.lives]
        third = max(1, len(last) // 3)
        return statistics.median(last[:third]), statistics.median(last[-third:])

    def memory(self) -> tuple:
        first, last = self.thirds(2)
        text = f"last life: {first:.0f} MB in the first third, {last:.0f} MB in the last; highest of all {max(sample[2] for sample in self.samples):.0f} MB"
        return last <= first * 1.1 + GROWTH_MB, "memory is flat", text, []

    def handles(self, after: tuple[int, int]) -> tuple:
        first, last = self.thirds(3)
        rest, before = sum(after), sum(self.handles_before)
        text = f"last life: {first:.0f} files in the first third, {last:.0f} in the last; at rest {rest} files and connections, {before} before"
        return last <= first + 2 * MORE_HANDLES and rest <= before + MORE_HANDLES, "open files are flat", text, []

    def ends(self, code: int) -> tuple:
        wrong = [f"ended by itself with {code}" for code in self.bridge.ended_by_itself] + self.bridge.panics
        text = f"{self.bridge.lives} lives, {len(self.bridge.panics)} panics, exit code {code} at the end"
        return not wrong and code == 0, "it goes on", text, wrong + list(self.bridge.tail)[-5:]

    def secrets(self) -> tuple:
        seen = ", ".join(f"{count / 1e6:.1f} MB of {kind}" for kind, count in sorted(self.leaks.seen.items()))
        kinds_seen = {"log", "answer", "data folder"} <= set(self.leaks.seen)
        missed = [f"would not be found: {one}" for one in self.leaks.control()]
        found = self.leaks.found + missed
        return not found and kinds_seen, "secrets", f"{len(self.leaks.found)} found in {seen}", found

    def everything_happened(self) -> tuple:
        """A soak in which something did not happen has not tried it."""
        done = self.findings.done
        days = {instant(at).date() for at in self.log.arrivals.values()}
        wanted = [*KINDS, "no HTTP", "publish", "fault", "hang up", "disk full", "kill", "set clock", "lost by a kill"]
        absent = [what for what in wanted if not done[what]]
        absent = [what for what in absent if what != "remote" or not done["remote without samples"]]
        absent += [] if self.findings.statuses["503 UpstreamClosed"] else ["503 UpstreamClosed"]
        absent += ["a network that is gone"] if not self.upstream.gone else []
        absent += [] if len(days) >= DAYS else [f"calls on {DAYS} days, not only {sorted(map(str, days))}"]
        absent += [fault for fault in FAULTS if fault not in self.disturbances.faults] if self.arguments.seconds >= 600 else []
        return not absent, "everything happened", f"{dict(done.most_common())}, faults {sorted(self.disturbances.faults)}", [f"absent: {absent}"]


def measures(metadata: dict, of) -> list[str]:
    """The columns of a set that are figures: those with a decimal type."""
    schema = next(value for name, value in metadata.items() if not name.startswith("$"))
    containers = [each for each in schema.values() if isinstance(each, dict) and each.get("$Kind") == "EntityContainer"]
    kind = containers[0][of.name]["$Type"].rpartition(".")[2]
    return [name for name, column in schema[kind].items() if isinstance(column, dict) and column.get("$Type") == "Edm.Decimal"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--notes", type=pathlib.Path, help="a file for what happened when; logs are kept beside it")
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    threading.stack_size(512 * 1024)
    print(f"seed {arguments.seed}, {arguments.clients} clients, {arguments.seconds:.0f} s", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(arguments, pathlib.Path(folder))
        try:
            held = soak.run()
        finally:
            soak.ended.set()
            soak.upstream.end()
            soak.oracle.end()
            soak.bridge.process.kill()
    plan_again = f"--seed {arguments.seed} --seconds {arguments.seconds:.0f} --clients {arguments.clients}"
    print("the soak has held" if held else f"the soak has failed; to repeat its plan: {plan_again}")
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
