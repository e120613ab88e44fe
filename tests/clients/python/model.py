"""The models of Power BI projects as coop-dax-review reads TMDL, reports and DAX: tables, columns and relationships are as meant, no figure
can be added up by default, and no measure, relationship or visual names what is not there."""

import io
import tempfile
import zipfile
from pathlib import Path
from urllib.parse import quote

import requests
from coop_dax_review.engine import run_rules
from coop_dax_review.model import ModelCatalog, ReportReference
from coop_dax_review.parsers.pbir import parse_report_references
from coop_dax_review.parsers.tmdl import parse_tmdl_model
from coop_dax_review.rules import all_rules

from choices import CHOICES, Choice, feed
from figures import root, same

# What is meant as it is: names are the agency's, a measure is a line, and figures lead to periods, which lead to days.
MEANT = {"DAX-MEASURE-CATEGORY", "DAX-VAR-RETURN", "DAX-SNOWFLAKE", "DAX-HIDE-FK-COLUMNS", "DAX-DISPLAY-FOLDERS"}
SHARED = ["Områder", "Perioder", "Kalender"]


def project(service: str, path: str, folder: Path) -> ModelCatalog:
    """Unpacks a project and gives its model."""
    answer = requests.get(f"{service}/open/{path}", timeout=120)
    assert answer.ok, (path, answer.text)
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(folder)
    files = {str(file.relative_to(folder)): file.read_bytes().decode() for file in folder.rglob("*.tmdl")}
    model = parse_tmdl_model(path, files)
    same(f"what could not be read of {path}", model.diagnostics, [])
    # Its command looks for the report in another folder than Power BI has it.
    (report,) = folder.glob("*/*.Report")
    model.report_refs = parse_report_references(report)
    assert model.report_refs, path
    return model


def guarded(model: ModelCatalog, table, choices_columns: list[str]) -> None:
    """A table of figures: all columns of the choice, none of which is added up, and a measure for each figure."""
    # A column that is called as its measure has another name in the model.
    names = {column.name.removesuffix("_kilde") for column in table.columns}
    assert set(choices_columns) <= names, (table.name, choices_columns, names)
    same(f"what columns of {table.name} are added up", {column.summarize_by for column in table.columns}, {"none"})
    figures = {column.name for column in table.columns if column.data_type == "double"}
    same(f"visible figures of {table.name}", [c.name for c in table.columns if c.name in figures and not c.is_hidden], [])
    measures = {"".join(measure.dax.split()): measure for measure in model.measures if measure.table == table.name}
    place = "".join(table.name.split())
    guards = {f"IF(COUNTROWS('{place}')=1,MAX('{place}'[{figure}]))" for figure in figures}
    same(f"measures of {table.name}", set(measures), guards)
    assert all(measure.format_string and measure.description for measure in measures.values()), table.name


def related(model: ModelCatalog, figures: int) -> None:
    """Each relationship leads from a column that is there to one that is there, and every table of figures that can relate does."""
    columns = {(table.name, column.name) for table in model.tables for column in table.columns}
    for lead in model.relationships:
        assert {(lead.from_table, lead.from_column), (lead.to_table, lead.to_column)} <= columns, lead
        assert lead.is_active and lead.cross_filter == "single", lead
    keys = (("Områdekode", "Områder"), ("Periode", "Perioder"))
    tables = {table.name: {column.name for column in table.columns} for table in model.tables[:figures]}
    wanted = {(table, key, to) for table, names in tables.items() for key, to in keys if key in names}
    leads = {(lead.from_table, lead.from_column, lead.to_table) for lead in model.relationships}
    same("relationships", leads, wanted | {("Perioder", "Fra", "Kalender")})
    same("the table of days", model.date_table, "Kalender")


def findings(model: ModelCatalog) -> list:
    """What all of its rules say of a model and its report, but for what is meant."""
    result = run_rules([model], all_rules())
    same("rules that could not be followed", result.diagnostics, [])
    return [finding for finding in result.findings if finding.rule_id not in MEANT]


def mistakes_are_found(model: ModelCatalog) -> None:
    """That its rules see a visual that shows a column which no table has."""
    model.report_refs.append(ReportReference(field="Områder[Omraade]", visual_file="visual.json"))
    same("what is wrong", [finding.rule_id for finding in findings(model)], ["DAX-BROKEN-FIELD-REF"])


def main() -> None:
    service = root()
    # A set that has codes alone is refused: it relates to no other table.
    chosen = [choice for choice in CHOICES if choice.set != "Observations"]
    columns: dict[Choice, list[str]] = {choice: list(feed(service, choice)[0]) for choice in chosen}
    several = "&".join(f"valg={quote(f'{choice.table}/{choice.set}?{choice.query}', safe='')}" for choice in chosen)
    projects = {f"{choice.path}.pbip.zip?{choice.query}": [choice] for choice in chosen}
    projects |= {"y25i01/Landet.pbip.zip?trinvis=ja": [CHOICES[1]], f"samling.pbip.zip?{several}": chosen}
    with tempfile.TemporaryDirectory() as name:
        for number, (path, choices) in enumerate(projects.items()):
            model = project(service, path, Path(name, str(number)))
            same(f"tables of {path}", [table.name for table in model.tables][len(choices) :], SHARED)
            for table, choice in zip(model.tables, choices, strict=False):
                guarded(model, table, columns[choice])
            related(model, len(choices))
            same(f"what is wrong with {path}", findings(model), [])
        mistakes_are_found(model)
    print(f"{len(projects)} projects")


if __name__ == "__main__":
    main()
