"""The requests of DevExtreme's, Syncfusion's and Kendo's grids, written down from the wire: their licences keep them out."""

import requests

import figures
from figures import PERIOD, PERSONS, PERSONS_COLUMN, same

DEVEXTREME = {"Accept": "application/json;odata=verbose,text/plain, */*; q=0.01"}
SYNCFUSION = {"Accept": "application/json, text/javascript, */*; q=0.01"}
KENDO = {"Accept": "*/*"}


def ask(address: str, headers: dict) -> dict:
    answer = requests.get(address, headers=headers, timeout=60)
    assert answer.ok, f"{address}: {answer.status_code} {answer.text}"
    assert answer.headers["Content-Type"].startswith("application/json"), answer.headers
    same("OData-Version", answer.headers["OData-Version"], "4.0")
    return answer.json()


def devextreme(rows: str) -> None:
    page = ask(
        f"{rows}?$filter=(Periode eq '{PERIOD}') and ({PERSONS_COLUMN} gt 1) and (contains(tolower(Område),'kø'))"
        f"&$orderby={PERSONS_COLUMN} desc&$top=20&$count=true",
        DEVEXTREME,
    )
    same("the largest", page["value"][0]["Område"], "København")
    same("count", page["@odata.count"], len(page["value"]))
    second = ask(
        f"{rows}?$filter=Periode eq '{PERIOD}'&$orderby=Område,{PERSONS_COLUMN} desc&$top=20&$skip=20&$count=true", DEVEXTREME
    )
    same("rows of the second page", len(second["value"]), 20)
    key = f"Periode='{PERIOD}',Område_id='T'"
    same("a row by its key", ask(f"{rows}({key})", DEVEXTREME)[PERSONS_COLUMN], PERSONS)
    for number in (f"{PERSONS}L", f"{PERSONS}m", f"{PERSONS}M", f"{PERSONS}d", f"{PERSONS}D", f"{PERSONS}f", f"{PERSONS}.0F"):
        found = ask(f"{rows}?$filter=(Periode eq '{PERIOD}') and ({PERSONS_COLUMN} eq {number})&$select=Område_id", DEVEXTREME)
        same(f"a number as older clients write it, {number}", [row["Område_id"] for row in found["value"]], ["T"])
    total = ask(f"{rows}?$filter=Periode eq '{PERIOD}'&$top=0&$count=true", DEVEXTREME)
    same("rows of a total", total["value"], [])
    assert total["@odata.count"] > 90, total


def syncfusion(rows: str) -> None:
    columns = f"Område,{PERSONS_COLUMN},Periode"
    asked = f"$select={columns}&$count=true&$filter=(startswith(tolower(Område),'hele')) and (Periode eq '{PERIOD}')"
    page = ask(f"{rows}/?{asked}&$skip=0&$top=10", SYNCFUSION)
    same("the country", [row[PERSONS_COLUMN] for row in page["value"]], [PERSONS])
    same("count", page["@odata.count"], 1)
    same("the columns", [name for name in page["value"][0] if not name.startswith("@")], columns.split(","))
    unfiltered = ask(f"{rows}/?$count=true&$skip=0&$top=10", SYNCFUSION)
    same("rows of the first page", len(unfiltered["value"]), 10)
    count = requests.get(f"{rows}/$count?$filter=(Periode eq '{PERIOD}') and (Område_id eq 'T')", headers=SYNCFUSION, timeout=60)
    same("a count alone", (count.text, count.headers["Content-Type"]), ("1", "text/plain"))
    beyond = ask(f"{rows}/?{asked}&$skip=10&$top=10", SYNCFUSION)
    same("a page beyond the end", (beyond["value"], beyond["@odata.count"]), ([], 1))


def kendo(rows: str) -> None:
    filters = (
        "(contains(tolower(Område),'s%C3%B8') and Opdateret gt 2024-01-01T00:00:00.000Z"
        f" and {PERSONS_COLUMN} ge 3.5 and Status eq null and indexof(Område,'x') eq -1 and Periode eq '{PERIOD}')"
    )
    page = ask(f"{rows}?$filter={filters}&$orderby=Område&$top=20&$skip=0&$count=true", KENDO)
    same("count", page["@odata.count"], len(page["value"]))
    names = [row["Område"] for row in page["value"]]
    assert "Samsø" in names and all("sø" in name.lower() for name in names), names
    nobody = ask(f"{rows}?$filter=(contains(tolower(Område),'O''Neil%20%26%20S%C3%B8n'))&$top=5", KENDO)
    same("a name with a quote", nobody["value"], [])
    either = (
        f"((startswith(tolower(Område),'hele') or endswith(tolower(Område),'havn')) and Periode eq '{PERIOD}' and Status ne 'mangler'"
        f" and {PERSONS_COLUMN} lt 1e6 and {PERSONS_COLUMN} gt -1.5 and not contains(Område,'O''Neil'))"
    )
    names = [row["Område"] for row in ask(f"{rows}?$filter={either}&$orderby={PERSONS_COLUMN} desc&$count=true", KENDO)["value"]]
    same("either way", names[:2], ["Hele landet", "København"])


def refusals(rows: str) -> None:
    answer = requests.get(f"{rows}?$filter=(contains(tolower(Findes_ikke),'x'))", headers=DEVEXTREME, timeout=60)
    same("status", answer.status_code, 400)
    assert "Findes_ikke" in answer.json()["error"]["message"], answer.text


def main() -> None:
    entries = requests.get(figures.catalogue(), timeout=60).json()["value"]
    wide = figures.wide_set(entry["name"] for entry in entries)
    for rows in (f"{figures.table()}Hovedtal", f"{figures.catalogue()}{wide}"):
        devextreme(rows)
        syncfusion(rows)
        kendo(rows)
        refusals(rows)


if __name__ == "__main__":
    main()
