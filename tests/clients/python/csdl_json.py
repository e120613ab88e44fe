"""The model of odatapy from CSDL JSON: sets, keys, types, navigations and annotations, and no other than from CSDL XML."""

import requests
from odatapy.edm.json_csdl import JsonCsdlEdmProvider
from odatapy.edm.xml_io import XmlEdmProvider

import figures
from figures import FULL_TIME_COLUMN, PERSONS_COLUMN, same

TERMS = ("Core.Description", "Measures.Unit", "Measures.Scale", "Aggregation.ContextDefiningProperties")


def document(service: str, accept: str) -> bytes:
    answer = requests.get(f"{service}$metadata", headers={"Accept": accept}, timeout=60)
    answer.raise_for_status()
    assert answer.headers["Content-Type"].startswith(accept), answer.headers
    return answer.content


def annotations(of) -> dict:
    return {annotation.term: annotation for annotation in of.annotations}


def structure(schema) -> dict:
    """Each type with its key, its columns with their facets, and its navigations with what they bind."""
    return {
        kind.name: (
            [reference.name for reference in kind.key],
            {
                column.name: (column.type, column.nullable, column.max_length, column.precision, sorted(annotations(column)))
                for column in kind.properties
            },
            {
                navigation.name: (navigation.type, navigation.partner, [(each.property, each.referenced_property) for each in navigation.referential_constraints])
                for navigation in kind.navigation_properties
            },
        )
        for kind in schema.entity_types
    }


def sets(schema) -> dict:
    container = schema.entity_container
    return {
        found.name: (str(found.type), sorted((each.path, each.target) for each in found.navigation_property_bindings))
        for found in container.entity_sets
    }


def both_forms(service: str):
    (json,) = JsonCsdlEdmProvider(document(service, "application/json")).get_schemas()
    (xml,) = XmlEdmProvider(document(service, "application/xml")).get_schemas()
    same("namespace", json.namespace, xml.namespace)
    same("types", structure(json), structure(xml))
    same("sets", sets(json), sets(xml))
    same("singletons", [each.name for each in json.entity_container.singletons], [each.name for each in xml.entity_container.singletons])
    return json


def wide_type(schema, name: str) -> None:
    key, columns, _ = structure(schema)[name]
    same("key", key, ["Periode", "Område_id"])
    same("first day", columns["Fra"][:2], ("Edm.Date", True))
    same("area", columns["Område"][:2], ("Edm.String", False))
    for measure in (PERSONS_COLUMN, FULL_TIME_COLUMN):
        same("measure", columns[measure][:2], ("Edm.Decimal", True))
        assert set(TERMS) <= {f"{term.split('.')[-2]}.{term.split('.')[-1]}" for term in columns[measure][4]}, columns[measure]


def main() -> None:
    table = both_forms(figures.table())
    wide_type(table, "HovedtalType")
    _, _, navigations = structure(table)["ObservationsType"]
    same("a navigation", navigations["OmrådeCode"], ("Jobindsats.y25i01.OmrådeCodesType", "Observations", [("Område", "Identifier")]))
    assert ("OmrådeCode", "OmrådeCodes") in sets(table)["Observations"][1], sets(table)["Observations"]
    same("the singleton", [each.name for each in table.entity_container.singletons], ["Properties"])
    catalogue = both_forms(figures.catalogue())
    name = figures.wide_set(sets(catalogue))
    wide_type(catalogue, sets(catalogue)[name][0].split(".")[-1])
    assert {"Datasets", "Subjects", "StatusCodes"} <= set(sets(catalogue))


if __name__ == "__main__":
    main()
