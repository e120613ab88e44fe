#!/usr/bin/env python3
"""Compares what a Prometheus with remote read shows of every period with what the bridge's OData feed publishes.

    tests/tools/history_checks.py http://127.0.0.1:8080 http://127.0.0.1:9090

Each evaluation must see exactly the published figure of the period it lies in, and nothing where none is published.
Needs Python alone.
"""

import datetime
import json
import sys
import urllib.parse
import urllib.request

DAY = 24 * 60 * 60
COMPARED = (
    ("ledige_personer", "country", "persons", "y25i01", "Landet", "Antal_ledige_personer", 1),
    ("ledige_personer", "municipality", "persons", "y25i01", "Kommuner", "Antal_ledige_personer", 1),
    ("langtidsledige_andel", "region", "ratio", "y25i09", "Regioner", "Andel_langtidsledige_personer_ift_bruttoledige_personer", 0.01),
    ("sanktioner", "country", "spells", "y01h01", "Landet", "Antal_sanktioner_i_alt", 1),
    ("sygedagpenge_varighed", "country", "duration_seconds", "y07a07", "Landet", None, 7 * DAY),
)
# Of the first of these the changes as well.
CHANGED = 2
# Regular expressions that Go and other libraries read differently, and plain ones.
PATTERNS = (
    r"\w+", r"\W+", r"\d+", r"\D+", r"\s*\S+", r"L\b.*", r"L\B.*", r"\pL+", r"\PL+", r"\pN", r"\p{Lu}\p{Ll}+", r"\p{Latin}+",
    r"\P{Latin}+", r"\p{^Greek}+", "{foo}", "A{,3}arhus", "Aa{0}rhus", "A{2}rhus", "A{1}arhus", "A{1", "a}", "[[]x|Aarhus", "[]A]arhus",
    "[^]x]+", "[a-z&&b]+", "[!--]+", "[A~~a]arhus", "[-A]arhus", r"[\w-]+", r"[\d-z]+", "[[:alpha:]]+", "[[:^alpha:]]+", "[[:word:]]+",
    r"\QAarhus\E", r"\Qaa.\E+", r"\101arhus", r"\x41arhus", r"\x{41}arhus", r"\AAarhus\z", "^Aarhus$", "(?i)LÆSØ",
    "(?i:a)arhus", "(?i)a(?-i)arhus", "(?U)A.+", "(?P<x>A)arhus", "(?:Læsø|Køge)", ".*ø.*", "L.*|", "(a*)*", "Fanø|[KL].*", "K+?øge", "(|Vejle)",
    r"\_|Ærø", r".+\-.+",
)
# Published by Jobindsats: unemployed persons in the whole country in June 2026.
KNOWN = ("ledige_personer", "2026-06", 110854.0)


def read(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def ask(prometheus, path, **parameters):
    answer = read(f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
    assert not answer.get("warnings"), answer["warnings"]
    return answer["data"]["result"]


def rows(bridge, table, name):
    url = f"{bridge}/odata/jobindsats/{table}/{urllib.parse.quote(name)}"
    while url:
        page = read(url)
        yield from page["value"]
        url = page.get("@odata.nextLink")


def measure_of(row, wanted):
    """The column of the wanted measure; the only one about a duration where none is named."""
    return wanted if wanted else next(name for name in row if "uger" in name)


def noon(day):
    return int(datetime.datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp())


def published(bridge, table, name, measure, factor):
    """By area's code, empty for the country: the periods, each with its first and last noon and the figure."""
    found = {}
    for row in rows(bridge, table, name):
        figure = row[measure_of(row, measure)]
        code = row["Områdekode"] if row["Områdeniveau"] != "Land" else ""
        value = None if figure is None else figure * factor
        found.setdefault(code, []).append((noon(row["Fra"]), noon(row["Til"]), value))
    return found


def changed(expected):
    """The same periods, each with its figure's change from the same period a year before."""

    def year_before(at):
        day = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
        return int(day.replace(year=day.year - 1).timestamp())

    def change(figure, before):
        return None if figure is None or not before else (figure - before) / before

    figures = {(code, begins): figure for code, periods in expected.items() for begins, _, figure in periods}
    return {
        code: [(begins, ends, change(figure, figures.get((code, year_before(begins))))) for begins, ends, figure in periods]
        for code, periods in expected.items()
    }


def shown(prometheus, indicator, level, unit, baseline, source, first, last, step):
    query = f'jobindsats_history_{level}_{unit}{{source="{source}",indicator="{indicator}",baseline="{baseline}"}}'
    series = ask(prometheus, "query_range", query=query, start=first, end=last, step=step)
    return {one["metric"].get("area_code", ""): {int(at): float(value) for at, value in one["values"]} for one in series}


def compare(prometheus, source, expected, indicator, level, unit, baseline=""):
    first = min(period[0] for periods in expected.values() for period in periods) - 3 * DAY
    last = max(period[1] for periods in expected.values() for period in periods) + 3 * DAY
    step = DAY if len(expected) == 1 else 9 * DAY
    seen = shown(prometheus, indicator, level, unit, baseline, source, first, last, step)
    evaluations = 0
    for code, periods in expected.items():
        values = dict(seen.get(code, {}))
        for begins, ends, figure in periods:
            for at in range(first + -(-(begins - first) // step) * step, ends + 1, step):
                found = values.pop(at, None)
                same = found == figure if None in (found, figure) else abs(found - figure) <= 1e-12 * abs(figure)
                assert same, f"{indicator}, {level} {unit} {code}, {datetime.datetime.fromtimestamp(at)}: {found}, published is {figure}"
                evaluations += 1
        assert not values, f"{indicator}, {level} {code}: shown outside every period: {values}"
    assert set(seen) <= set(expected), f"{indicator}: {set(seen) - set(expected)} are not published"
    return evaluations


def check_known(prometheus, source):
    indicator, month, figure = KNOWN
    selector = f'jobindsats_history_country_persons{{source="{source}",indicator="{indicator}"}}'
    at = f"{month}-15T12:00:00Z"
    for query in (
        selector,
        selector.replace("_country_persons{", "_country_persons{area_code=\"\","),
        f'{{__name__=~"jobindsats_history_country_.*",source="{source}",indicator="{indicator}",baseline=""}}',
        f"last_over_time({selector}[1d])",
        f"avg_over_time({selector}[7d])",
        f"max_over_time(({selector})[3d:1d])",
    ):
        found = ask(prometheus, "query", query=query, time=at)
        assert [float(one["value"][1]) for one in found] == [figure], f"{query} at {at}: {found}"
    newest = ask(prometheus, "query", query=f"last_over_time({selector}[400d]) - on () {selector.replace('history_', '')}")
    assert [float(one["value"][1]) for one in newest] == [0], f"the newest figure of a window that ends now: {newest}"
    later = ask(prometheus, "query", query=f"{selector} offset 365d", time="2027-06-15T12:00:00Z")
    assert [float(one["value"][1]) for one in later] == [figure], f"with an offset: {later}"


def compare_patterns(prometheus, source):
    """Every pattern chooses the same areas among scraped series and among those of remote read."""
    indicator = "ledige_personer"
    chosen = 0
    for pattern in PATTERNS:
        area = json.dumps(pattern, ensure_ascii=False)
        scraped = f'jobindsats_municipality_persons{{indicator="{indicator}",area=~{area}}}'
        remote = f'last_over_time(jobindsats_history_municipality_persons{{source="{source}",indicator="{indicator}",area=~{area}}}[400d])'
        here, there = ({one["metric"]["area"] for one in ask(prometheus, "query", query=query)} for query in (scraped, remote))
        assert here == there, f"{pattern}: scraped series have {sorted(here - there)} more, remote ones {sorted(there - here)}"
        chosen += len(here)
    assert chosen > 500, f"the patterns choose {chosen} areas"
    return len(PATTERNS)


def main(bridge, prometheus):
    source = ask(prometheus, "query", query="count by (source) ({__name__=~'jobindsats_country_.*'})")[0]["metric"]["source"]
    check_known(prometheus, source)
    evaluations = changes = 0
    for number, (indicator, level, unit, *feed) in enumerate(COMPARED):
        expected = published(bridge, *feed)
        evaluations += compare(prometheus, source, expected, indicator, level, unit)
        if number < CHANGED:
            changes += compare(prometheus, source, changed(expected), indicator, level, "change_ratio", "year_before")
    print(f"{compare_patterns(prometheus, source)} patterns choose the same scraped and remote series")
    print(f"remote read: {evaluations} evaluations see the published figure of their period, {changes} its change from the year before")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except AssertionError as error:
        sys.exit(f"FAILED: {error}")
