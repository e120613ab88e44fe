"""feedparser and icalendar: what is new, as a feed and as a calendar, against the list of tables."""

from datetime import date, datetime, timedelta, timezone
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import feedparser
import icalendar
import requests

import figures
from figures import same

TODAY = datetime.now(ZoneInfo("Europe/Copenhagen")).date()
NEW_FOR = timedelta(days=62)
AWAITED_FOR = timedelta(days=31)


def get(path: str) -> requests.Response:
    answer = requests.get(figures.root() + path, headers={"Accept-Language": "da"}, timeout=60)
    answer.raise_for_status()
    return answer


def tables() -> list[dict]:
    """The list of tables, all pages."""
    rows, address = [], figures.catalogue() + "Datasets"
    while address:
        page = requests.get(address, timeout=60).json()
        rows += page["value"]
        address = page.get("@odata.nextLink")
    return rows


def day(instant: str) -> date:
    return datetime.fromisoformat(instant).astimezone(ZoneInfo("Europe/Copenhagen")).date()


def table(address: str) -> str:
    """The table whose page that is."""
    assert address.startswith(f"{figures.root()}/maaling/"), address
    return urlsplit(address).path.rsplit("/", 1)[1]


def the_feed(listed: list[dict]) -> None:
    feed = feedparser.parse(get("/nyt.atom").content)
    assert not feed.bozo, feed.get("bozo_exception")
    same("version", feed.version, "atom10")
    same("language", feed.feed.language, "da")
    for part in (feed.feed, *feed.entries):
        assert part.id.startswith("urn:uuid:") and part.title and part.updated_parsed, part
    same("ids", len({entry.id for entry in feed.entries}), len(feed.entries))
    links = {link.rel: link.href for link in feed.feed.links}
    same("links", links, {"self": f"{figures.root()}/nyt.atom", "alternate": f"{figures.root()}/nyt"})
    arrived = {table(entry.link) for entry in feed.entries if entry.title.startswith("Nye tal: ")}
    expected = {row["Identifier"] for row in listed if row["Modified"] and TODAY - NEW_FOR < day(row["Modified"]) <= TODAY}
    same("tables whose figures came", arrived, expected)
    english = feedparser.parse(f"{figures.root()}/nyt.atom?sprog=en")
    same("language", english.feed.language, "en")
    same("id in both languages", english.feed.id, feed.feed.id)
    same("ids in both languages", [entry.id for entry in english.entries], [entry.id for entry in feed.entries])


def is_awaited(row: dict) -> bool:
    if row["NextUpdate"] is None:
        return False
    awaited = date.fromisoformat(row["NextUpdate"])
    return TODAY - awaited < AWAITED_FOR and (row["Modified"] is None or day(row["Modified"]) < awaited)


def the_calendar(listed: list[dict]) -> None:
    raw = get("/nyt.ics").content
    assert all(len(line) <= 75 for line in raw.split(b"\r\n")) and b"\n" not in raw.replace(b"\r\n", b"")
    calendar = icalendar.Calendar.from_ical(raw)
    same("errors", calendar.errors, [])
    same("version", calendar["VERSION"], "2.0")
    events = calendar.walk("VEVENT")
    same("errors of events", [event.errors for event in events if event.errors], [])
    same("ids", len({event["UID"] for event in events}), len(events))
    coming = {(table(event["URL"]), event.decoded("DTSTART")) for event in events}
    expected = {(row["Identifier"], date.fromisoformat(row["NextUpdate"])) for row in listed if is_awaited(row)}
    same("coming days", coming, expected)
    titles = {row["Identifier"]: row["Title"] for row in listed}
    for event in events:
        content = titles[table(event["URL"])].rsplit(": ", 1)[-1]
        assert event["SUMMARY"].lower().endswith(content.lower()), event["SUMMARY"]
        assert event.decoded("DTSTAMP") <= datetime.now(timezone.utc), event
    some = icalendar.Calendar.from_ical(get("/nyt.ics?kommune=Randers").content)
    assert all("kommune=Randers" in event["URL"] for event in some.walk("VEVENT"))


listed = tables()
the_feed(listed)
the_calendar(listed)
