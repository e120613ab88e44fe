"""The catalogue service's own lists, worked out from the simulator's `/v3/tables` and `/v3/subjects`."""

import datetime

import model
import oracle
from oracle import Column

STATUS_CODES = [("delvis", "Delvis"), ("mangler", "Mangler")]


def heads(subjects):
    """Every table's head with the subject and the group it is under, by id."""
    return {
        table["table_id"]: (table, subject, group)
        for subject in subjects
        for group in subject["table_groups"]
        for table in group["tables"]
    }


def sets(service, known, subject_groups):
    described = model.described_sets(service, "/odata")
    yield datasets(known, described["Datasets"])
    subjects = [
        (subject["subject_id"], subject["subject_name"], group["subject_group_name"])
        for group in subject_groups
        for subject in group["subjects"]
    ]
    columns = {"Identifier": Column("id", "text"), "Title": Column("label", "text"), "Group": Column("grp", "text")}
    source = oracle.values(subjects, ["id", "label", "grp"])
    yield model.of_names("/odata", "Subjects", "catalogue", described["Subjects"], columns, source, "place", ["id", "label", "grp"])
    del columns["Group"]
    source = oracle.values(STATUS_CODES, ["id", "label"])
    yield model.of_names("/odata", "StatusCodes", "catalogue", described["StatusCodes"], columns, source, "place", ["id", "label"])


def datasets(known, described):
    names = ["id", "title", "updated", "subject", "subject_id", "grp", "types", "first", "last", "next", "frequency"]
    rows = [dataset(*head) for id, head in sorted(known.items())]
    columns = {
        "Identifier": Column("id", "text"),
        "Title": Column("title", "text"),
        "Catalog": Column("'jobindsats'", "text"),
        "Modified": Column("CAST(updated AS TIMESTAMP)", "instant"),
        "Subject": Column("subject", "text"),
        "SubjectId": Column("subject_id", "text"),
        "Group": Column("grp", "text"),
        "PeriodTypes": Column("types", "text"),
        "FirstPeriod": Column("first", "text"),
        "LastPeriod": Column("last", "text"),
        "NextUpdate": Column("CAST(next AS DATE)", "date"),
        "UpdateFrequency": Column("frequency", "text"),
        "Read": Column("true", "bool"),
    }
    source = oracle.values(rows, names)
    return model.of_names("/odata", "Datasets", "catalogue", described, columns, source, "place", ["id", "title", "subject", "grp"])


def dataset(table, subject, group):
    types = sorted(table["periods"]["periodtypes"], key=lambda kind: oracle.TYPE_ORDER.index(kind["periodtype_id"]))
    updated = oracle.midnight(table["update_latest"]).rstrip("Z")
    return (
        table["table_id"],
        table["table_name"],
        updated,
        subject["subject_name"],
        subject["subject_id"],
        group["table_group_name"],
        ", ".join(kind["periodtype_id"] for kind in table["periods"]["periodtypes"]),
        types[0]["period_first"],
        types[0]["period_last"],
        table.get("update_next") or None,
        table.get("update_freq") or None,
    )
