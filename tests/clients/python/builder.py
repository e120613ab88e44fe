"""The builder's ready texts, run as they are copied: curl, pandas, DuckDB, R; rules and queries by promtool, the indicator by the program's `check`."""

import html
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

import duckdb
import pandas as pd
import requests
from duckdb_extensions import import_extension

import figures
from figures import same

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
from service import unset  # noqa: E402

# The program whose `check` reads the indicators.
BINARY = os.environ.get("BINARY", "target/debug/jobindsats-bridge")
COLUMN = figures.PERSONS_COLUMN
CHOICE = f"/maaling/y25i01/byg?niveau=Kommune&fra={figures.PERIOD}&til={figures.PERIOD}&maal={COLUMN}"
SHARE = f"/maaling/y25i01/byg?omraade=730&omraade=751&maal={quote('Ledige_fuldtidspersoner_i_pct_af_arbejdsstyrken_16_66_år')}"
MEMBER = f"{CHOICE}&fordeling={quote('Køn')}&{quote('Køn_id')}=Kvinder"
BREAKDOWNS = f"{CHOICE}&fordeling={quote('Køn')}&fordeling=Herkomst"


def copied(choice: str) -> dict[str, str]:
    """The texts of the page by their ids, as the copy buttons take them."""
    page = requests.get(figures.root() + choice, headers={"Accept": "text/html"}, timeout=120)
    page.raise_for_status()
    found = re.findall(r'<code id="([a-z]+)">(.*?)</code>', page.text, re.DOTALL)
    return {name: html.unescape(text) for name, text in found}


def rows(address: str) -> list[dict]:
    found = []
    while address:
        page = requests.get(address, timeout=120).json()
        found += page["value"]
        address = page.get("@odata.nextLink")
    return found


def same_rows(what: str, frame: pd.DataFrame, expected: list[dict]) -> None:
    same(f"rows of {what}", len(frame), len(expected))
    same(f"columns of {what}", list(frame.columns), [name for name in expected[0] if not name.startswith("@")])
    values = [None if pd.isna(value) else float(value) for value in frame[COLUMN]]
    same(f"figures of {what}", values, [row[COLUMN] if row[COLUMN] is None else float(row[COLUMN]) for row in expected])


def run(texts: dict[str, str], folder: Path) -> None:
    expected = rows(texts["odata"])
    subprocess.run(texts["curl"], shell=True, check=True, cwd=folder, capture_output=True)
    same_rows("curl", pd.read_csv(folder / "tal.csv", keep_default_na=False, na_values=[""]), expected)
    names: dict = {}
    exec(texts["python"], names)  # noqa: S102
    same_rows("Python", names["tal"], expected)
    same_rows("DuckDB", duckdb.sql(texts["duckdb"]).df(), expected)
    (folder / "tal.R").write_text(texts["r"] + '\nwrite.csv(tal, "r.csv", row.names = FALSE, na = "")\n', encoding="utf-8")
    subprocess.run(["Rscript", "tal.R"], check=True, cwd=folder, capture_output=True)
    same_rows("R", pd.read_csv(folder / "r.csv", keep_default_na=False, na_values=[""]), expected)


def indicator(texts: dict[str, str], folder: Path) -> dict:
    """Promtool reads the queries and the alert; the indicator is given back."""
    queries = [{"record": f"query:{name}", "expr": texts[name]} for name in ("newest", "change", "history")]
    (folder / "queries.yml").write_text(json.dumps({"groups": [{"name": "queries", "rules": queries}]}))
    (folder / "alert.yml").write_text(texts["alert"])
    for rules in ("queries.yml", "alert.yml"):
        subprocess.run(["promtool", "check", "rules", folder / rules], check=True, capture_output=True)
    return json.loads(texts["indicator"])


def check(file: dict, folder: Path) -> None:
    """`jobindsats-bridge check` finds the tables, measures and members of the indicators, beside those that are built in."""
    same("the built-in indicators stay", file["built_in"], True)
    (folder / "indicators.json").write_text(json.dumps(file))
    settings = {"BRIDGE_INDICATORS": str(folder / "indicators.json"), "BRIDGE_DATA_DIR": str(folder / "data")}
    found = subprocess.run([BINARY, "check"], env=unset() | settings, capture_output=True, text=True)
    assert found.returncode == 0 and "indicators: ok" in found.stdout, found.stdout + found.stderr


if __name__ == "__main__":
    # From PyPI, so that nothing is asked of DuckDB's own server.
    import_extension("httpfs")
    with tempfile.TemporaryDirectory() as name:
        run(copied(CHOICE), Path(name))
        run(copied(BREAKDOWNS), Path(name))
        count, share, member = (indicator(copied(choice), Path(name)) for choice in (CHOICE, SHARE, MEMBER))
        check(count | {"indicators": [one["indicators"][0] for one in (count, share, member)]}, Path(name))
