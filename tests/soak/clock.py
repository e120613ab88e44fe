"""The wall clock of the processes, moved by libfaketime (Debian's `faketime`): the programs are those that are shipped and know nothing
of it. As on a machine whose clock is set, the time that waits are measured in goes on undisturbed."""

import datetime
import os
import pathlib
import sys
import time
import zoneinfo

COPENHAGEN = zoneinfo.ZoneInfo("Europe/Copenhagen")
CLOSED_HOUR = 22


def library() -> str:
    found = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        sys.exit("libfaketime is missing: apt-get install faketime")
    return str(found[0])


def instant(text: str) -> datetime.datetime:
    """What a program wrote in RFC 3339 with `Z`."""
    whole, _, rest = text.removesuffix("Z").partition(".")
    return datetime.datetime.fromisoformat(f"{whole}.{rest[:6]:0<6}+00:00").astimezone(COPENHAGEN)


def copenhagen(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=COPENHAGEN)


class Clock:
    def __init__(self, folder: pathlib.Path) -> None:
        self.file = folder / "clock"
        # Since when, by the time that nothing moves, the clock has been how far from the machine's.
        self.settings: list[tuple[float, int]] = []

    def set(self, to: datetime.datetime) -> None:
        offset = round(to.timestamp() - time.time())
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{offset:+d}\n", encoding="ascii")
        os.replace(fresh, self.file)
        self.settings.append((time.monotonic(), offset))

    def now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(time.time() + self.settings[-1][1], COPENHAGEN)

    def is_closed(self) -> bool:
        return self.now().hour == CLOSED_HOUR

    def moved(self, shown: datetime.datetime, not_before: float) -> float:
        """When the clock showed that, by the time that nothing moves: the first such moment not before another."""
        change = time.monotonic() - time.time()
        ends = [began for began, _ in self.settings[1:]] + [time.monotonic()]
        for (began, offset), end in zip(self.settings, ends):
            moment = shown.timestamp() - offset + change
            if began - 2 <= moment <= end + 2 and moment >= not_before - 1:
                return moment
        return not_before

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": library(),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
