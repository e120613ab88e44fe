#!/usr/bin/env python3
"""Checks grafana/ as far as that goes without Grafana: shapes by their models, queries and alert logic by promtool.

The alert rules of Grafana are the source; prometheus/rules.yml has the same ones for Prometheus itself. --write writes that file anew,
and without it the file must be what would be written.

With --prometheus URL every query of a panel or an alert must find series in a Prometheus that has scraped the bridge and has it
for remote read.

Needs promtool (Debian: prometheus) and, from PyPI, pyyaml and grafana-foundation-sdk==0.0.21.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "grafana"
RUNBOOK = "docs/runbook.md"
# What the runbook says of each alert.
PARTS = ["Means", "See", "Do"]
STATES = {"noDataState": {"Alerting", "NoData", "OK", "KeepLast"}, "execErrState": {"Alerting", "Error", "OK", "KeepLast"}}
COMPARISONS = {"gt": ">", "lt": "<"}
# Alerts that find nothing to look at in good times, or where no budget is set.
QUIET = {"jobindsats_mange_fejl", "jobindsats_ikke_klar", "jobindsats_budget_brugt"}
DURATION = re.compile(r"^\d+[smhd]$")


def dashboards():
    return {path.name: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}


def alert_rules():
    groups = yaml.safe_load((GRAFANA / "provisioning/alerting/rules.yaml").read_text())["groups"]
    return groups, [rule for group in groups for rule in group["rules"]]


def with_intervals(expr):
    return expr.replace("$__rate_interval", "5m").replace("$__range", "1h")


def without_variables(expr):
    """A query as promtool can read it: intervals become durations, other variables a word."""
    expr = with_intervals(expr)
    return re.sub(r"\$\{?\w+\}?", "word", expr)


def prometheus_rule(rule):
    """The same alert in Prometheus' own words."""
    query, threshold = rule["data"]
    expr = query["model"]["expr"]
    evaluator = threshold["model"]["conditions"][0]["evaluator"]
    compared = f"({expr}) {COMPARISONS[evaluator['type']]} {evaluator['params'][0]}"
    return {
        "alert": rule["uid"],
        # Where Grafana alerts on no data at all, Prometheus has to be told.
        "expr": f"{compared} or absent({expr})" if rule["noDataState"] == "Alerting" else compared,
        "for": rule["for"],
        "keep_firing_for": rule["keepFiringFor"],
        "labels": rule["labels"],
    }


def rule_file(groups):
    """The text of the rule file for Prometheus."""

    def written(rule):
        annotations = {name: text.replace("$values.A.Value", "$value") for name, text in rule["annotations"].items()}
        return prometheus_rule(rule) | {"annotations": {"title": rule["title"]} | annotations}

    content = {"groups": [
        {"name": group["name"], "interval": group["interval"], "rules": [written(rule) for rule in group["rules"]]} for group in groups
    ]}
    head = "# The alerts of ../provisioning/alerting/rules.yaml for Prometheus and Alertmanager, written by\n"
    head += "# tests/tools/grafana_checks.py --write. Not loaded by compose: one condition is watched in one place.\n"
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def check_rule_file(groups, write_anew):
    path = GRAFANA / "prometheus/rules.yml"
    if write_anew:
        path.write_text(rule_file(groups))
    assert path.read_text() == rule_file(groups), "prometheus/rules.yml is not what the alert rules say; run with --write"
    passed, said = promtool(GRAFANA, "check", "rules", "prometheus/rules.yml")
    assert passed, said


def promtool(folder, *command):
    done = subprocess.run(["promtool", *command], cwd=folder, capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


def check_rule_shapes(groups, rules):
    for group in groups:
        assert group["name"] and group["folder"] and DURATION.match(group["interval"]), group
    for rule in rules:
        uid = rule["uid"]
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", uid), uid
        assert rule["title"] and rule["data"] and rule["condition"] in {part["refId"] for part in rule["data"]}, uid
        assert DURATION.match(rule["for"]) and DURATION.match(rule["keepFiringFor"]), uid
        assert all(rule[key] in words for key, words in STATES.items()), uid
        assert rule["annotations"]["summary"] and "$" not in str(rule["labels"]), uid
        assert rule["annotations"]["description"].endswith("."), f"{uid}: why the threshold is where it is, and what to do"
    for key in ("uid", "title"):
        assert len({rule[key] for rule in rules}) == len(rules), f"a {key} occurs twice"


def check_links(rules, boards):
    panels = {(board["uid"], panel["id"]) for board in boards.values() for panel in board["panels"]}
    for rule in rules:
        assert (rule["dashboardUid"], rule["panelId"]) in panels, f"{rule['uid']} links to no panel"


def anchor(heading):
    """The anchor that forges give a heading."""
    return "".join(letter for letter in heading if letter.isalnum() or letter in " -_").replace(" ", "-").lower()


def check_runbook(rules):
    """Each alert has its section in the runbook, each section an alert, and the alert leads to it."""
    text = (ROOT / RUNBOOK).read_text()
    sections = dict(re.findall(r"^### (.+)\n((?:(?!#).*\n)*)", text, re.MULTILINE))
    titles = [rule["title"] for rule in rules]
    assert list(sections) == titles, f"{RUNBOOK} has other sections than there are alerts: {set(sections) ^ set(titles) or 'another order'}"
    for rule in rules:
        parts = re.findall(r"^- \*\*(\w+)\*\*", sections[rule["title"]], re.MULTILINE)
        assert parts == PARTS, f"{RUNBOOK}, {rule['title']}: {parts} instead of {PARTS}"
        expected = f"{RUNBOOK}#{anchor(rule['title'])}"
        assert rule["annotations"].get("runbook") == expected, f"{rule['uid']}: its annotation runbook is not {expected}"


def check_queries(folder, rules, boards):
    queries = [target["expr"] for board in boards.values() for panel in board["panels"] for target in panel.get("targets", [])]
    records = [{"record": f"query:{number}", "expr": without_variables(expr)} for number, expr in enumerate(queries)]
    alerts = [prometheus_rule(rule) for rule in rules]
    write(folder, "rules.yml", {"groups": [{"name": "queries", "rules": records}, {"name": "alerts", "rules": alerts}]})
    passed, said = promtool(folder, "check", "rules", "rules.yml")
    assert passed, said
    return len(records), len(alerts)


def write(folder, name, content):
    (folder / name).write_text(yaml.safe_dump(content, sort_keys=False))


def series(name, values, **labels):
    inner = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return {"series": f"{name}{{{inner}}}", "values": values}


def firing(uid, at, rule, *labels):
    alerts = [{"exp_labels": {**rule["labels"], **each}} for each in labels]
    return {"eval_time": at, "alertname": uid, "exp_alerts": alerts}


def alert_logic(rules):
    """For every alert: quiet in good times, waits as long as it says, fires, and is not fooled by a suppressed value."""
    by_uid = {rule["uid"]: rule for rule in rules}
    share = dict(source="simulator", indicator="ledige_andel")
    change = dict(source="simulator", indicator="ledige_fuldtidspersoner", baseline="year_before")
    people = dict(source="simulator", indicator="ledige_fuldtidspersoner")
    aarhus, laesoe = dict(area_code="751", area="Aarhus"), dict(area_code="825", area="Læsø")
    of = "jobindsats_indicator_"
    refused = dict(indicator="ledige_andel", reason="unauthorized")
    up = dict(job="jobindsats-bridge", instance="bridge:8080")

    def case(uid, inputs, *moments):
        rule = by_uid.pop(uid)
        tests = [firing(uid, at, rule, *labels) for at, labels in moments]
        return {"interval": "1m", "input_series": inputs, "alert_rule_test": tests}

    yield case(
        "jobindsats_ledige_niveau",
        [
            series("jobindsats_municipality_ratio", "0.03x9 0.051x200", **share, **aarhus),
            series("jobindsats_municipality_ratio", "0.05x210", **share, **dict(area_code="259", area="Køge")),
            series("jobindsats_municipality_ratio", "_x210", **share, **laesoe),
        ],
        ("20m", []), ("30m", [share | aarhus]),
    )
    yield case(
        "jobindsats_ledige_stigning",
        [
            series("jobindsats_municipality_change_ratio", "0.05x9 0.2x200", **change, **aarhus),
            series("jobindsats_municipality_change_ratio", "0.9x210", **(change | {"baseline": "previous_period"}), **aarhus),
            series("jobindsats_municipality_change_ratio", "0.9x210", **change, **laesoe),
            series("jobindsats_municipality_full_time_persons", "6000x210", **people, **aarhus),
            series("jobindsats_municipality_full_time_persons", "33x210", **people, **laesoe),
        ],
        ("20m", []), ("30m", [change | aarhus]),
    )
    day = 24 * 60
    yield case(
        "jobindsats_tal_forsinket",
        [
            series(f"{of}source_next_update_timestamp_seconds", f"0x{4 * day}", indicator="ledige_andel"),
            series(f"{of}source_next_update_timestamp_seconds", f"0x{4 * day}", indicator="uden_tal"),
            series("jobindsats_country_ratio", f"0.03x{4 * day}", **share),
        ],
        (f"{2 * day}m", []), (f"{2 * day + 70}m", [share, dict(indicator="uden_tal")]),
    )
    yield case(
        "jobindsats_hentning_fejler",
        [
            series(f"{of}last_success_timestamp_seconds", "0x500", indicator="ledige_andel"),
            series("jobindsats_country_ratio", "0.03x500", **share),
        ],
        ("370m", []), ("380m", [share]),
    )
    yield case(
        "jobindsats_noegle_afvist",
        [series(f"{of}refresh_failures_total", "0x60 1x300", **refused), series(f"{of}refresh_failures_total", "0+1x360", **(refused | {"reason": "timeout"}))],
        ("50m", []), ("70m", [{}]),
    )
    yield case("jobindsats_bro_nede", [series("up", "1x9 0x60", **up)], ("12m", []), ("20m", [up]))
    bridge = "jobindsats_bridge_"
    yield case("jobindsats_lager_skrives_ikke", [series(f"{bridge}disk_writable", "1x9 0x60", **up)], ("15m", []), ("25m", [up]))
    yield case(
        "jobindsats_genindlaesning_fejlede",
        [series(f"{bridge}config_last_reload_successful", "1x9 0x60", **up)],
        ("8m", []), ("12m", [up]),
    )
    yield case(
        "jobindsats_beskadigede_filer",
        [series(f"{bridge}disk_damaged_files_total", "0x29 2x200", **up)],
        ("20m", []), ("35m", [{}]),
    )
    yield case(
        "jobindsats_programfejl",
        [series(f"{bridge}panics_total", "0x29 1x200", **up)],
        ("20m", []), ("35m", [{}]),
    )
    unready = dict(route="/readyz", method="GET")
    yield case(
        "jobindsats_ikke_klar",
        [
            series(f"{bridge}http_requests_total", "0x9 0+2x60", **up, **unready, code="503"),
            series(f"{bridge}http_requests_total", "0+2x70", **up, **unready, code="200"),
        ],
        ("15m", []), ("25m", [{}]),
    )
    yield case(
        "jobindsats_mange_fejl",
        [
            series(f"{bridge}http_requests_total", "0+100x100", **up, route="/", method="GET", code="200"),
            series(f"{bridge}http_requests_total", "0x30 0+10x70", **up, route="/", method="GET", code="502"),
        ],
        ("30m", []), ("70m", [{}]),
    )
    calls = dict(resource="calls", share="everybody")
    yield case(
        "jobindsats_budget_brugt",
        [series(f"{bridge}budget_used", "0x9 95x60", **up, **calls), series(f"{bridge}budget_limit", "100x70", **up, **calls)],
        ("12m", []), ("20m", [calls]),
    )
    yield case(
        "jobindsats_broer_adskilt",
        [series(f"{bridge}peers_expected", "2x70", **up), series(f"{bridge}peers_alive", "2x9 1x60", **up)],
        ("12m", []), ("20m", [{}]),
    )
    assert not by_uid, f"no test of {', '.join(by_uid)}"


def check_alert_logic(folder, rules):
    write(folder, "alerts.yml", {"groups": [{"name": "alerts", "rules": [prometheus_rule(rule) for rule in rules]}]})
    tests = list(alert_logic(rules))
    write(folder, "tests.yml", {"rule_files": ["alerts.yml"], "evaluation_interval": "1m", "tests": tests})
    passed, said = promtool(folder, "test", "rules", "tests.yml")
    assert passed, said
    for broken in range(len(rules)):
        alerts = [prometheus_rule(rule) for rule in rules]
        alerts[broken]["expr"] = re.sub(r"\) ([<>])", lambda found: f") {'<' if found[1] == '>' else '>'}", alerts[broken]["expr"])
        write(folder, "alerts.yml", {"groups": [{"name": "alerts", "rules": alerts}]})
        passed, _ = promtool(folder, "test", "rules", "tests.yml")
        assert not passed, f"a broken {alerts[broken]['alert']} passes: its test proves nothing"
    return len(tests)


def check_round_trip(boards):
    """A key that the models of Grafana do not know is lost on the way through them."""
    plugins.register_default_plugins()
    for name, board in boards.items():
        again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
        lost = list(lost_keys(board, again, name))
        assert not lost, f"unknown to Grafana's models: {', '.join(lost)}"


def lost_keys(before, after, path):
    if isinstance(before, dict):
        for key, value in before.items():
            if not isinstance(after, dict) or key not in after:
                if value is not None:
                    yield f"{path}.{key}"
            else:
                yield from lost_keys(value, after[key], f"{path}.{key}")
    elif isinstance(before, list):
        for number, value in enumerate(before):
            found = after[number] if isinstance(after, list) and number < len(after) else None
            yield from lost_keys(value, found, f"{path}[{number}]")
    elif before != after:
        yield f"{path} ({before!r} became {after!r})"


def ask(prometheus, path, **parameters):
    url = f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)["data"]["result"]


def found(prometheus, query):
    """What a query finds now; of figures on their own time axis, in the years that dashboards show."""
    if "jobindsats_history_" not in query:
        return ask(prometheus, "query", query=query)
    now = int(time.time())
    return ask(prometheus, "query_range", query=query, start=now - 20 * 365 * 86400, end=now, step=10 * 86400)


def chosen(query, values):
    query = with_intervals(query)
    return re.sub(r"\$\{?(\w+)\}?", lambda name: values[name[1]], query)


def choices(prometheus, query):
    """The query under every choice of its variables that may matter: one indicator after the other where it names none."""
    source = ask(prometheus, "query", query="count by (source) ({__name__=~'jobindsats_country_.*'})")[0]["metric"]["source"]
    values = {"source": source, "kommune": "751", "region": "1084", "area_code": ".*"}
    if "$indicator" not in query:
        return [chosen(query, values)]
    indicators = [one["metric"]["indicator"] for one in ask(prometheus, "query", query="jobindsats_indicator_info")]
    return [chosen(query, values | {"indicator": indicator}) for indicator in sorted(indicators)]


def check_live(prometheus, boards, rules):
    """Every query of every panel finds something, and every alert has something to look at."""
    wanted = {rule["uid"]: choices(prometheus, rule["data"][0]["model"]["expr"]) for rule in rules if rule["uid"] not in QUIET}
    for name, board in boards.items():
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                wanted[f"{name}, {panel['title']} ({panel['id']} {target['refId']})"] = choices(prometheus, target["expr"])
    empty = list(wanted)
    for _ in range(20):
        empty = [place for place in empty if not any(found(prometheus, query) for query in wanted[place])]
        if not empty:
            return len(wanted)
        time.sleep(1)  # a rate needs two scrapes
    raise AssertionError(f"nothing to show in {'; '.join(empty)}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--prometheus", metavar="URL")
    arguments.add_argument("--write", action="store_true", help="write prometheus/rules.yml anew")
    options = arguments.parse_args()
    boards = dashboards()
    check_round_trip(boards)
    groups, rules = alert_rules()
    check_rule_shapes(groups, rules)
    check_links(rules, boards)
    check_runbook(rules)
    check_rule_file(groups, options.write)
    with tempfile.TemporaryDirectory() as folder:
        queries, alerts = check_queries(pathlib.Path(folder), rules, boards)
        tests = check_alert_logic(pathlib.Path(folder), rules)
    passed, said = promtool(GRAFANA, "check", "config", "prometheus/prometheus.yml")
    assert passed, said
    print(f"{len(boards)} dashboards, {queries} queries, {alerts} alerts with {tests} tests")
    if options.prometheus:
        live = check_live(options.prometheus, boards, rules)
        print(f"{live} queries of panels and alerts have something to show")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(f"FAILED: {error}")
