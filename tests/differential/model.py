"""The sets of the services as both sides know them: their names from `$metadata`, their rows in DuckDB.

Columns are told by their place, so that the names that the service gives play no part in what they hold.
"""

import itertools
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

import oracle
from oracle import Column

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
# Texts of the service's own, and what it reads from labels: there is no second opinion on them.
UNKNOWN = {"Description", "Unit", "Decimals", "DataType", "Column", "ObservationCount", "ObservationsModified", "Address", "Set", "Page", "Breaks", "Floor"}
SAMPLES = 40
STEPS = 2

numbers = itertools.count()


@dataclass
class Navigation:
    """A navigation property: rows of `target` whose column `remote` is what `local` is here."""

    name: str
    target: "Set"
    many: bool
    local: str
    remote: str


@dataclass
class Set:
    service: str
    name: str
    kind: str  # wide, cube, long, codes, groups, catalogue or catalogue-wide
    columns: dict
    source: str
    order: str
    keys: list
    navigations: dict = field(default_factory=dict)
    # What `$search` looks through, in SQL.
    texts: list = field(default_factory=list)
    samples: dict = field(default_factory=dict)
    size: int = 0
    nullable: list = field(default_factory=list)
    # What identifies a row, and what holds of the totals of those parts that are not grouped by.
    ids: dict = field(default_factory=dict)
    # Columns at the other end of navigations to one row.
    paths: dict = field(default_factory=dict)

    @property
    def path(self):
        return f"{self.service}/{self.name}"


@dataclass
class Described:
    """A set in `$metadata`."""

    properties: list
    keys: list
    navigations: list


def described_sets(service, root):
    document = ElementTree.fromstring(service.get(f"{root}/$metadata"))
    types = {}
    for kind in document.iter(f"{EDM}EntityType"):
        types[kind.get("Name")] = Described(
            [found.get("Name") for found in kind.findall(f"{EDM}Property")],
            [found.get("Name") for found in kind.iter(f"{EDM}PropertyRef")],
            [found.get("Name") for found in kind.findall(f"{EDM}NavigationProperty")],
        )
    return {found.get("Name"): types[found.get("EntityType").split(".")[-1]] for found in document.iter(f"{EDM}EntitySet")}


def of_columns(root, name, kind, described, columns, source, order):
    assert len(columns) == len(described.properties), f"{root}/{name}: {described.properties}"
    found = Set(root, name, kind, dict(zip(described.properties, columns)), source, order, described.keys)
    labels = {"periode"} | {column.sql for column in columns if re.fullmatch(r"d\d+_label", column.sql)}
    found.texts = [column.sql for column in columns if column.sql in labels]
    return found


def of_names(root, name, kind, described, columns, source, order, texts=()):
    """A set of the long form, whose columns have names of their own."""
    missing = set(columns) - set(described.properties)
    unknown = set(described.properties) - set(columns) - UNKNOWN
    assert not missing and not unknown, f"{root}/{name}: lacks {missing}, has {unknown}"
    in_order = {found: columns[found] for found in described.properties if found in columns}
    return Set(root, name, kind, in_order, source, order, described.keys, texts=list(texts))


def table_sets(service, table):
    """The sets that the figures at hand suffice for."""
    root = f"/odata/jobindsats/{table.id}"
    described = described_sets(service, root)
    found = list(wide_sets(table, root, described))
    lists = {each.name: each for each in [*code_lists(table, root, described), *group_lists(table, root, described)]}
    if table.extent == "cube":
        long = long_set(table, root, described)
        link(table, long, lists)
        found += [cube(table, root, described), long]
    return found + list(lists.values())


def wide_sets(table, root, described):
    others = [number for number in range(1, len(table.dimensions))]
    wanted = {"Hovedtal": (None, None), "Landet": (oracle.COUNTRY, None)}
    wanted |= {"Regioner": (oracle.REGION, None), "Kommuner": (oracle.MUNICIPALITY, None)}
    if table.extent != "margins":
        breakdowns = [name for name in described if name.startswith("Fordelt_på_")]
        # The sets of single levels have the name of their dimension's set in front.
        breakdowns = [name for name in breakdowns if not any(name.startswith(f"{other}_") for other in breakdowns)]
        assert len(breakdowns) == len(others), f"{table.id}: {breakdowns}"
        wanted |= {name: (None, number) for name, number in zip(breakdowns, others)}
    for name, (kind, about) in wanted.items():
        if name in described:
            columns = oracle.wide_columns(table, [about] if about else [])
            source = oracle.wide_source(table, kind, about)
            yield of_columns(root, name, "wide", described[name], columns, source, oracle.place(table))


def catalogue_wide(table, described):
    """The table's `Hovedtal` in the catalogue service, under its long name and under its id."""
    name = next(name for name in described if name.startswith(f"{table.id.upper()}_"))
    columns = oracle.wide_columns(table, [])
    for known_as in (name, table.id.upper(), table.id):
        yield of_columns("/odata", known_as, "catalogue-wide", described[name], columns, oracle.wide_source(table), oracle.place(table))


def cube(table, root, described):
    columns = oracle.wide_columns(table, range(1, len(table.dimensions)))
    data = of_columns(root, "Data", "cube", described["Data"], columns, f"(SELECT * FROM wide_{table.id})", oracle.place(table))
    for name, column in data.columns.items():
        if column.sql == "periode":
            data.ids[name] = ""
        elif dimension := re.fullmatch(r"d(\d+)_id", column.sql):
            data.ids[name] = "" if int(dimension[1]) in table.pinned else f"{column.sql} = 'T'"
    return data


def long_set(table, root, described):
    columns = oracle.long_columns(table)
    order = f"{oracle.place(table)}, m_rank"
    return of_columns(root, "Observations", "long", described["Observations"], columns, oracle.long_source(table), order)


def code_lists(table, root, described):
    names = [name for name in described if name.endswith("Codes") and name not in ("MeasureCodes", "PeriodeCodes")]
    for number, name in enumerate(names):
        columns = {
            "Identifier": Column("id", "text"),
            "Title": Column("label", "text"),
            "Index": Column("(rank + 1)", "number"),
            "DimensionGroupId": Column("grp", "text"),
            "IsTotal": Column("(rank = 0)", "bool"),
            "Level": Column("level", "text"),
            "ParentId": Column("parent", "text"),
        }
        if number == 0:
            columns["Code"] = Column("code", "text")
        texts = ["id", "label", "level"] + (["code"] if number == 0 else [])
        source = f"(SELECT * FROM member_{table.id}_{number})"
        codes = of_names(root, name, "codes", described[name], columns, source, "rank", texts)
        family(codes, "parent", "id", "Identifier", "ParentId")
        yield codes
    columns = {
        "Identifier": Column("code", "text"),
        "Title": Column("title", "text"),
        "Index": Column("(rank + 1)", "number"),
        "DimensionGroupId": Column("kind", "text"),
        "PeriodId": Column("id", "text"),
        "FirstDay": Column("fra", "date"),
        "LastDay": Column("til", "date"),
    }
    source = f"(SELECT id, kind, fra, til, title, cbs AS code, rank FROM period_{table.id})"
    yield of_names(root, "PeriodeCodes", "codes", described["PeriodeCodes"], columns, source, "rank", ["code", "title"])
    source = oracle.values(measures(table), ["id", "label", "grp"])
    columns = {
        "Identifier": Column("id", "text"),
        "Title": Column("label", "text"),
        "MeasureGroupId": Column("grp", "text"),
        "Index": Column("(place + 1)", "number"),
    }
    yield of_names(root, "MeasureCodes", "codes", described["MeasureCodes"], columns, source, "place", [])


def measures(table):
    """Each with its group's name in front where the group holds several."""
    names, groups = dict(table.measure_groups), [group for _, _, group in table.measures]
    for id, name, group in table.measures:
        yield id, f"{names[group]}: {name}" if groups.count(group) > 1 else name, group


def group_lists(table, root, described):
    columns = {"Id": Column("id", "text"), "ParentId": Column("parent", "text"), "Title": Column("label", "text")}
    names = [name for name in described if name.endswith("Groups") and name not in ("MeasureGroups", "PeriodeGroups")]
    for name, rows in zip(names, table.groups):
        source = oracle.values(rows, ["id", "parent", "label"])
        groups = of_names(root, name, "groups", described[name], columns, source, "place", ["id", "label"])
        family(groups, "parent", "id", "Id", "ParentId")
        yield groups
    source = oracle.values([(id, None, name) for id, name in table.measure_groups], ["id", "parent", "label"])
    yield of_names(root, "MeasureGroups", "groups", described["MeasureGroups"], columns, source, "place", ["id", "label"])


def family(codes, parent, id, id_column, parent_column):
    codes.navigations["Parent"] = Navigation("Parent", codes, False, parent, id_column)
    codes.navigations["Children"] = Navigation("Children", codes, True, id, parent_column)


def link(table, long, lists):
    """The navigations between the figures and the codes, in both directions: to the measure, the period, and each dimension."""
    names = [name for name in lists if name.endswith("Codes") and name not in ("MeasureCodes", "PeriodeCodes")]
    pairs = [("MeasureCodes", "measure", "id"), ("PeriodeCodes", "cbs", "code")]
    pairs += [(name, f"d{number}_id", "id") for number, name in enumerate(names)]
    for name, local, remote in pairs:
        codes, navigation = lists[name], name.removesuffix("s")
        column = next(found for found, each in long.columns.items() if each.sql == local)
        long.navigations[navigation] = Navigation(navigation, codes, False, local, "Identifier")
        codes.navigations["Observations"] = Navigation("Observations", long, True, remote, column)


def renamed(target):
    """The set's rows under column names that nothing else has, so that a row outside can be spoken of beside them."""
    prefix = f"w{next(numbers)}_"
    columns = {name: Column(f"{prefix}{at}", column.kind) for at, (name, column) in enumerate(target.columns.items())}
    shown = ", ".join(f"{column.sql} AS {prefix}{at}" for at, column in enumerate(target.columns.values()))
    return f"(SELECT {shown} FROM {target.source})", columns


def paths_of(found, steps):
    """What can be reached over navigations to one row, as columns of this set."""
    reached = {}
    if not steps:
        return reached
    for navigation in found.navigations.values():
        if navigation.many:
            continue
        source, columns = renamed(navigation.target)
        joined = f"FROM {source} WHERE {columns[navigation.remote].sql} = {navigation.local}"
        for name, column in columns.items():
            reached[f"{navigation.name}/{name}"] = Column(f"(SELECT {column.sql} {joined})", column.kind)
        if steps > 1 and "Parent" in navigation.target.navigations:
            id, parent, label = ("Id" if "Id" in columns else "Identifier"), columns["ParentId"].sql, "Title"
            further, beyond = renamed(navigation.target)
            above = f"(SELECT {beyond[label].sql} FROM {further} WHERE {beyond[id].sql} = {parent})"
            reached[f"{navigation.name}/Parent/{label}"] = Column(f"(SELECT {above} {joined})", "text")
    return reached


def complete(cursor, found):
    """What occurs in the set: samples of each column, which of them has nulls, and what lies behind its navigations."""
    found.paths = paths_of(found, STEPS)
    if found.kind == "long":
        found.texts = [found.paths[f"{navigation}/Title"].sql for navigation in found.navigations]
    for name, column in found.columns.items():
        found.samples[name], some = samples(cursor, column.sql, found.source)
        if some:
            found.nullable.append(name)
    for name in found.paths:
        navigation, _, column = name.partition("/")
        target = found.navigations[navigation].target
        sql = target.columns[column.rpartition("/")[2]].sql
        found.samples[name], _ = samples(cursor, sql, target.source)
    (found.size,) = cursor.execute(f"SELECT count(*) FROM {found.source}").fetchone()
    return found


def samples(cursor, sql, source):
    drawn = f"SELECT v FROM (SELECT DISTINCT {sql} AS v FROM {source}) ORDER BY v IS NOT NULL, hash(v), v LIMIT {SAMPLES}"
    found = [value for (value,) in cursor.execute(drawn).fetchall()]
    return [value for value in found if value is not None], None in found
