"""The simulator's own figures in DuckDB, with the columns that the service's documents promise.

Figures come from `jobindsats-bridge simulator --dump`, labels and ids from the simulator's `/v3/table`; nothing is asked of the service.
Columns are told by their place in a set, so that the names that the service gives play no part.
"""

import csv
import datetime
import json
import pathlib
import subprocess
import zoneinfo
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
AREA = "_omrade"
AREA_ORDER = {"_hele_landet": 0, "_nykom": 1, "_region": 2, "_reko": 4}
TYPE_ORDER = ["M", "Q", "Y", "QMAT", "MYTD"]
MONTHS = "januar februar marts april maj juni juli august september oktober november december".split()
COUNTRY, REGION, MUNICIPALITY = "Land", "Region", "Kommune"


@dataclass
class Member:
    hierarchy: str
    path: str
    label: str
    id: str
    level: str
    group: str
    parent: str | None = "T"
    code: str | None = None
    rank: int = 0


@dataclass
class Column:
    """A column of a set: what it is in SQL, and what kind of values it has."""

    sql: str
    kind: str  # text, number, figure, date, instant or bool


@dataclass
class Table:
    id: str
    extent: str
    updated: str
    periods: list = field(default_factory=list)
    measures: list = field(default_factory=list)  # of (id, name, group)
    measure_groups: list = field(default_factory=list)  # of (id, name)
    dimensions: list = field(default_factory=list)  # of (id, members), the areas first
    groups: list = field(default_factory=list)  # for each dimension (id, parent, title)
    # The member that a dimension stands at where it is not the subject, by the dimension's number.
    rests: dict = field(default_factory=dict)
    pinned: set = field(default_factory=set)


def area_codes():
    rows = csv.reader((ROOT / "metadata/area_codes.csv").open(encoding="utf-8"), delimiter=";")
    return {(kind, name): code for kind, code, name, _ in list(rows)[1:]}


def months(kind, year, number):
    """The first month of a period, counted from the year 0, and how many it has."""
    match kind:
        case "M":
            return year * 12 + number - 1, 1
        case "Q":
            return year * 12 + (number - 1) * 3, 3
        case "Y":
            return year * 12, 12
        case "QMAT":
            return year * 12 + number * 3 - 12, 12
        case "MYTD":
            return year * 12, number


def midnight(day):
    """The beginning of a Danish day, as text in UTC."""
    began = datetime.datetime.fromisoformat(day).replace(tzinfo=zoneinfo.ZoneInfo("Europe/Copenhagen"))
    return began.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(month):
    return datetime.date(month // 12, month % 12 + 1, 1)


def cbs_code(kind, year, number):
    match kind:
        case "M":
            return f"{year}MM{number:02}"
        case "Q":
            return f"{year}KW{number:02}"
        case "Y":
            return f"{year}JJ00"
        case "QMAT":
            return f"{year}X0{number:02}"
        case "MYTD":
            return f"{year}X01{number:02}"


def period_title(kind, year, number):
    match kind:
        case "M":
            return f"{MONTHS[number - 1]} {year}"
        case "Q":
            return f"{number}. kvartal {year}"
        case "Y":
            return f"{year}"
        case "QMAT":
            return f"året til og med {number}. kvartal {year}"
        case "MYTD":
            return f"år til dato, {MONTHS[number - 1]} {year}"


def periods(types):
    """(id, type, first day, last day, code, title), the shortest type first, each newest first."""
    found = []
    for kind in types:
        name = kind["periodtype_id"]
        for value in kind["values"]:
            year, number = int(value["period_id"][:4]), int(value["period_id"][4 + len(name) :])
            first, length = months(name, year, number)
            last = day(first + length) - datetime.timedelta(days=1)
            found.append((value["period_id"], name, day(first), last, cbs_code(name, year, number), period_title(name, year, number)))
    return sorted(found, key=lambda period: (TYPE_ORDER.index(period[1]), -period[3].toordinal()))


def members(dimension, codes):
    is_area = dimension["dimension_id"] == AREA
    hierarchies = in_order(dimension)
    several = len(hierarchies) > 1
    total, found, places = None, [], {}
    for hierarchy in hierarchies:
        name, ids = hierarchy["hierarchy_id"], {"/": "T"}
        for level in hierarchy["levels"]:
            for value in level["values"]:
                path, label, group = value["value_id"], value["value_name"], f"{name}.{level['level_id']}"
                if path == "/":
                    level_name = COUNTRY if is_area else "I alt"
                    code = "000" if is_area else None
                    total = total or Member(name, path, label, "T", level_name, group, None, code)
                    continue
                inner = path.strip("/").replace("/", ".")
                id = f"{name.lstrip('_')}.{inner}" if several else inner
                member = Member(name, path, label, id, level["level_name"], group, ids[above(path, ids)])
                ids[path] = id
                if is_area:
                    member.level, member.code = area_facts(label, level["level_name"], codes)
                    first = places.setdefault((member.level, label), name)
                    if first != name:
                        continue
                found.append(member)
    if total is None:
        name, label = hierarchies[0]["hierarchy_id"], "Hele landet" if is_area else f"{dimension['dimension_name']} i alt"
        total = Member(name, "/", label, "T", COUNTRY if is_area else "I alt", name, None, "000" if is_area else None)
    found.insert(0, total)
    for rank, member in enumerate(found):
        member.rank = rank
    return found


def in_order(dimension):
    hierarchies = dimension["hierarchies"]
    if dimension["dimension_id"] != AREA:
        return hierarchies
    return sorted(hierarchies, key=lambda hierarchy: AREA_ORDER.get(hierarchy["hierarchy_id"], 3))


def above(path, known):
    """The nearest listed path that this one lies under."""
    while path not in known or not known[path]:
        path = path.rstrip("/").rpartition("/")[0] + "/"
    return path


def groups(dimension):
    """(id, parent, title) of each hierarchy and of its levels."""
    found = []
    for hierarchy in in_order(dimension):
        name = hierarchy["hierarchy_id"]
        found.append((name, None, hierarchy["hierarchy_name"]))
        found += [(f"{name}.{level['level_id']}", name, level["level_name"]) for level in hierarchy["levels"]]
    return found


def area_facts(label, level, codes):
    if label.startswith("Uoplyst"):
        return "Uoplyst", None
    if label.startswith("Region "):
        return REGION, codes.get(("region", label))
    if label.startswith("RAR "):
        return "RAR", None
    code = codes.get(("municipality", label))
    return (MUNICIPALITY, code) if code else (level, None)


def read_table(binary, database, described, extent, folder):
    """Reads a table into `database` as `wide_<id>`: one row per period, area and members."""
    head, json_table = described
    id = head["table_id"]
    table = Table(id, extent, midnight(head["update_latest"]))
    table.periods = periods(json_table["periods"])
    table.measure_groups = [(group["mgroup_id"], group["mgroup_name"]) for group in json_table["mgroups"]]
    for group in json_table["mgroups"]:
        table.measures += [(measure["measure_id"], measure["measure_name"], group["mgroup_id"]) for measure in group["measures"]]
    codes = area_codes()
    table.dimensions = [(dimension["dimension_id"], members(dimension, codes)) for dimension in json_table["dimensions"]]
    table.groups = [groups(dimension) for dimension in json_table["dimensions"]]
    assert table.dimensions[0][0] == AREA, f"{id}: the areas are expected first"
    pins = json.loads((ROOT / "metadata/tables.json").read_text(encoding="utf-8")).get(id, {}).get("pinned", {})
    for number, (dimension, found) in enumerate(table.dimensions):
        at = pins.get(dimension, "/")
        table.rests[number] = next(member.rank for member in found if member.path == at)
        if dimension in pins:
            table.pinned.add(number)

    dump = pathlib.Path(folder) / f"{id}.csv"
    with dump.open("wb") as file:
        subprocess.run([binary, "simulator", "--dump", "--tables", id, "--extent", extent], stdout=file, check=True)
    database.execute(
        f"CREATE TABLE period_{id} (id TEXT, kind TEXT, fra DATE, til DATE, cbs TEXT, title TEXT, rank INT)"
    )
    database.executemany(
        f"INSERT INTO period_{id} VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*period, rank) for rank, period in enumerate(table.periods)],
    )
    for number, (_, found) in enumerate(table.dimensions):
        database.execute(
            f"CREATE TABLE member_{id}_{number} (hierarchy TEXT, path TEXT, label TEXT, id TEXT, level TEXT, grp TEXT, parent TEXT, code TEXT, rank INT)"
        )
        database.executemany(
            f"INSERT INTO member_{id}_{number} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(m.hierarchy, m.path, m.label, m.id, m.level, m.group, m.parent, m.code, m.rank) for m in found],
        )
    database.execute(wide(table, dump))
    dump.unlink()
    return table


def wide(table, dump):
    id = table.id
    columns, joins, groups = [], [], []
    for number, (dimension, _) in enumerate(table.dimensions):
        facts = ["label", "id", "level", "rank"] + (["code"] if number == 0 else [])
        columns += [f"d{number}.{fact} AS d{number}_{fact}" for fact in facts]
        if number == 0:
            joins.append(
                f"JOIN member_{id}_0 d0 ON d0.hierarchy = c.area_hierarchy AND d0.path = c.area"
            )
        else:
            path = f"coalesce(nullif(regexp_extract(c.dimensions, '(^|\\|){dimension}=([^|]*)', 2), ''), '/')"
            joins.append(f"JOIN member_{id}_{number} d{number} ON d{number}.path = {path}")
        groups += [f"d{number}_rank"]
    count = len(table.measures)
    figures = [
        f"max(c.value) FILTER (c.measure = '{measure}') AS m{number}" for number, (measure, _, _) in enumerate(table.measures)
    ]
    missing = f"count(*) FILTER (c.value IS NULL)"
    status = f"CASE {missing} WHEN 0 THEN NULL WHEN {count} THEN 'mangler' ELSE 'delvis' END AS status"
    order = ", ".join(["p_rank", *groups])
    return f"""
        CREATE TABLE wide_{id} AS
        SELECT p.id AS periode, p.kind AS periodetype, p.fra, p.til, p.cbs, p.rank AS p_rank,
            {", ".join(columns)}, {", ".join(figures)}, {status}
        FROM read_csv('{dump}', delim=';', header=true, all_varchar=false, columns={{'table': 'TEXT',
            'period_type': 'TEXT', 'period': 'TEXT', 'area_hierarchy': 'TEXT', 'area': 'TEXT', 'dimensions': 'TEXT',
            'measure': 'TEXT', 'value': 'DECIMAL(20,6)'}}) c
        JOIN period_{id} p ON p.id = c.period {" ".join(joins)}
        GROUP BY ALL ORDER BY {order}
    """


def wide_columns(table, with_dimensions):
    """The columns of a wide set in their order."""
    columns = [Column("periode", "text"), Column("periodetype", "text"), Column("fra", "date"), Column("til", "date")]
    columns += [Column(f"d0_{fact}", "text") for fact in ["label", "id", "code", "level"]]
    for number in sorted({*with_dimensions, *table.pinned}):
        columns += [Column(f"d{number}_{fact}", "text") for fact in ["label", "id", "level"]]
        columns.append(Column(f"(d{number}_rank + 1)", "number"))
    columns += [Column(f"m{number}", "figure") for number in range(len(table.measures))]
    # Nothing has changed since the service started, so all is as old as the table.
    return columns + [Column("status", "text"), Column(f"TIMESTAMP '{table.updated.rstrip('Z')}'", "instant")]


def wide_source(table, kind=None, about=None):
    """`Hovedtal`, its levels and its breakdowns: the shortest periods, all else at the total or where it is pinned."""
    conditions = [f"periodetype = '{table.periods[0][1]}'"]
    if kind:
        conditions.append(f"d0_level = '{kind}'")
    for number in range(1, len(table.dimensions)):
        conditions.append(f"d{number}_rank > 0" if number == about else f"d{number}_rank = {table.rests[number]}")
    return f"(SELECT * FROM wide_{table.id} WHERE {' AND '.join(conditions)})"


def place(table):
    return ", ".join(["p_rank", *(f"d{number}_rank" for number in range(len(table.dimensions)))])


def long_source(table):
    ids = [f"d{number}_id" for number in range(len(table.dimensions))]
    parts = []
    for number, (measure, _, _) in enumerate(table.measures):
        key = " || '|' || ".join(["periode", f"'{measure}'", *ids])
        parts.append(
            f"SELECT {key} AS id, '{measure}' AS measure, {number} AS m_rank, CASE WHEN m{number} IS NULL THEN 'mangler' END AS attribute, "
            f"m{number} AS value, cbs, {place(table)}, {', '.join(ids)} FROM wide_{table.id}"
        )
    return f"({' UNION ALL '.join(parts)})"


def long_columns(table):
    columns = [Column("id", "text"), Column("measure", "text"), Column("attribute", "text"), Column("value", "figure")]
    columns.append(Column("cbs", "text"))
    return columns + [Column(f"d{number}_id", "text") for number in range(len(table.dimensions))]


def values(rows, names):
    """Rows that stand in the query itself."""
    written = ", ".join(f"({', '.join(literal(value) for value in row)}, {place})" for place, row in enumerate(rows))
    return f"(SELECT * FROM (VALUES {written}) AS listed({', '.join([*names, 'place'])}))"


def literal(value):
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
