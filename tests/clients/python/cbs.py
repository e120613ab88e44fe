"""cbsodata4, made for Statistics Netherlands: the long form with its labels and dates, under another base address."""

import tempfile
from datetime import datetime
from pathlib import Path

import cbsodata4
import httpx

import figures
from figures import COUNTRY, FULL_TIME, PERSONS, same

TOTALS = {name: "T" for name in ("Ydelsesgrupper", "Køn", "Alder", "Herkomst", "A_kasse")}


def arguments(folder: Path) -> dict:
    base_url = figures.catalogue().rstrip("/")
    return {"id": "y25i01", "catalog": "jobindsats", "base_url": base_url, "download_dir": folder}


def the_lists() -> None:
    base_url = figures.catalogue().rstrip("/")
    datasets = cbsodata4.get_datasets(catalog="jobindsats", base_url=base_url)
    assert "y25i01" in set(datasets["Identifier"]) and datasets["Modified"].notna().all(), datasets
    same("catalogues", [row["Identifier"] for row in cbsodata4.get_catalogs(base_url)["value"]], ["jobindsats"])
    meta = cbsodata4.get_metadata("y25i01", catalog="jobindsats", base_url=base_url)
    same("identifier", meta.identifier, "y25i01")
    same("time", meta.time_dimension_identifiers, ["Periode"])
    areas = meta.get_dimension_mapping("Område")
    same("the country", areas["T"], COUNTRY)
    assert {"København", "Aabenraa", "Ærø"} <= set(areas.values()), areas


def observations(folder: Path) -> None:
    long = cbsodata4.get_observations(
        **arguments(folder), Periode=["2026MM06", "2026MM05"], Område="T", **TOTALS
    )
    long = cbsodata4.add_unit_column(cbsodata4.add_date_column(cbsodata4.add_label_columns(long)))
    june = long[long["Periode"] == "2026MM06"].set_index("MeasureLabel")
    same("persons", june.loc["Antal ledige personer", "Value"], PERSONS)
    same("full-time persons", june.loc["Antal ledige fuldtidspersoner", "Value"], FULL_TIME)
    same("months", len(long), 2 * len(june))
    same("areas", set(june["OmrådeLabel"]), {COUNTRY})
    same("dates", set(june["Periode_date"]), {datetime(2026, 6, 1)})
    same("frequency", set(june["Periode_freq"]), {"M"})
    same("unit", june.loc["Antal ledige personer", "Unit"], "personer")


def wide(folder: Path) -> None:
    """Every area of a month: more than a page where pages are short."""
    data = cbsodata4.get_wide_data(**arguments(folder), Periode="2026MM06", **TOTALS)
    country = data[data["Område"] == "T"]
    same("persons", country["Antal ledige personer"].item(), PERSONS)
    labelled = cbsodata4.add_label_columns(data)
    assert {"København", "Aabenraa", "Ærø"} <= set(labelled["OmrådeLabel"]), labelled["OmrådeLabel"]


def refusals(folder: Path) -> None:
    try:
        cbsodata4.get_observations(**arguments(folder), query="$filter=Findes_ikke eq 'T'")
    except httpx.HTTPStatusError as error:
        same("status", error.response.status_code, 400)
    else:
        raise AssertionError("an unknown column is not refused")


def main() -> None:
    the_lists()
    with tempfile.TemporaryDirectory() as folder:
        observations(Path(folder) / "observations")
        wide(Path(folder) / "wide")
        refusals(Path(folder) / "refused")


if __name__ == "__main__":
    main()
