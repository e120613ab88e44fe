#!/usr/bin/env python3
"""What an upstream under somebody else's control could do by the names of its tables and members, wherever these are shown for people or
programs: pages, feeds, gauges and the log. Workbooks and files are tried by odd_labels.py.

    tests/tools/hostile_labels.py target/debug/jobindsats-bridge

Needs nothing but Python.
"""

import html.parser
import re
import sys
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree

from relabelled import relabelled

SCRIPT = "<script>alert('evil')</script>"
# Each ends what it may stand in and goes on with something of its own.
AREA = f'Ev"il {SCRIPT} \\ }} 1\nevil_gauge 1\n# HELP evil evil'
TITLE = f'Evil\' onload="alert(1)" {SCRIPT}\r\nX-EVIL:1\r\nEND:VEVENT'
UNKNOWN = "Evil\n2026-01-01T00:00:00.000000Z ERROR forged: the key is evil\x1b[2J\x1b]0;evil\x07"
TITLED, MUNICIPALITY, UNLISTED = "y25i01", "Odense", "Samsø"
# The table of one indicator, whose refresh is refused for an area that its metadata does not have, which is an error with its name.
UNLISTING = "y01a02"
PAGES = ["", "?kommune=461", "?q=evil", f"maaling/{TITLED}", f"maaling/{TITLED}?kommune=461", f"maaling/{TITLED}/byg", "nyt", "status"]
SAMPLE = re.compile(r'[a-z_]+(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)*\})? \S+')
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z +(ERROR|WARN|INFO) ")


def hostile(path, value):
    """An answer of the simulator with such names. Figures name an area that the metadata does not have, too."""
    match value:
        case str():
            labels = {MUNICIPALITY: AREA} | ({UNLISTED: UNKNOWN} if f"/data/{UNLISTING}" in path else {})
            return labels.get(value, value)
        case list():
            return [hostile(path, item) for item in value]
        case dict():
            named = {"table_name": TITLE} if value.get("table_id") == TITLED and "table_name" in value else {}
            return {name: hostile(path, item) for name, item in value.items()} | named
    return value


class Page(html.parser.HTMLParser):
    """What a browser would run, and what it would show."""

    def __init__(self, text):
        super().__init__()
        self.runs, self.shown, self.script = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.script = tag == "script"
        self.runs += [f"{tag} {name}={value}" for name, value in attrs if name.startswith("on") or (value or "").strip().startswith("javascript:")]

    def handle_endtag(self, tag):
        self.script = False

    def handle_data(self, data):
        (self.runs if self.script and data.strip() else self.shown).append(data)


def get(service, path, accept="text/html"):
    request = urllib.request.Request(f"{service}/{path}", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read().decode()


def until(what, found):
    for _ in range(240):
        try:
            if answer := found():
                return answer
        except urllib.error.HTTPError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"waited in vain for {what}")


def check_pages(service):
    shown = ""
    for path in PAGES:
        page = Page(get(service, path))
        assert not page.runs, f"/{path} runs {page.runs}"
        shown += "".join(page.shown)
    for text in (SCRIPT, "onload="):
        assert text in shown, f"no page shows {text}"


def check_feeds(service):
    feed = ElementTree.fromstring(get(service, "nyt.atom"))
    assert not [element for element in feed.iter() if element.tag.endswith("script")], "an element of its own in the feed"
    lines = get(service, "nyt.ics").replace("\r\n ", "").splitlines()
    assert lines[0] == "BEGIN:VCALENDAR" and not [line for line in lines if line.startswith("X-EVIL")], "a line of its own in the calendar"
    counts = [sum(line == f"{word}:VEVENT" for line in lines) for word in ("BEGIN", "END")]
    assert counts[0] == counts[1], f"events begin and end {counts} times"


def check_gauges(service):
    """Areas of gauges are those of the official list; whatever else is there keeps to the format."""
    text = until("gauges", lambda: said if "jobindsats_municipality_" in (said := get(service, "metrics/indicators", "*/*")) else None)
    text += get(service, "metrics", "*/*")
    odd = [line for line in text.splitlines() if not line.startswith("# ") and not SAMPLE.fullmatch(line)]
    odd += [line for line in text.splitlines() if line.startswith(("# HELP evil", "evil_gauge"))]
    assert not odd, f"no samples: {odd[:3]}"


def check_log(log):
    text = until("the name in the log", lambda: said if "not refreshed" in (said := log.read_text()) and "forged" in said else None)
    assert "\x1b" not in text and "\x07" not in text, "control characters in the log"
    odd = [line for line in text.split("\n") if line and not LOG_LINE.match(line)]
    forged = [line for line in text.split("\n") if line.startswith("2026-01-01T00:00:00.000000Z")]
    assert not odd and not forged, f"lines of its own in the log: {odd[:3] or forged[:3]}"


def main(binary):
    with relabelled(binary, hostile) as (service, log):
        until("the table", lambda: get(service, f"odata/jobindsats/{TITLED}/", "application/json"))
        check_pages(service)
        check_feeds(service)
        check_gauges(service)
        check_log(log)
    print("hostile names stay names")


if __name__ == "__main__":
    main(sys.argv[1])
