"""Queries at random, of every kind that the services answer, and the names of the constructs that each is made of."""

import random as randomness
import re
from dataclasses import replace

import spelling
from expressions import Maker, Searcher
from model import Column, Set
from queries import ROWS_AT_MOST, At, Expand, Grouped, Rows, Step

# How often a set of each kind is asked; figures are most of what users ask for.
WEIGHTS = {"wide": 30, "cube": 14, "long": 16, "codes": 34, "groups": 8, "catalogue": 8, "catalogue-wide": 8}
COUNTED = [1, 2, 3, 10, 98]
# What stands beside the rows of one page is limited, all navigations together; and so many children a row has at most.
BESIDE, WIDEST = 900, 110


class Queries:
    """An endless row of queries; `seed` decides which."""

    def __init__(self, sets, seed):
        self.random = randomness.Random(seed)
        self.by_kind = {kind: [found for found in sets if found.kind == kind] for kind in WEIGHTS}

    def next(self):
        kind = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        found = self.random.choice(self.by_kind[kind])
        query = self.query(found)
        return query, spelling.at_random(self.random)

    def chance(self, probability):
        return self.random.random() < probability

    def query(self, found):
        choice = self.random.random()
        if choice < 0.08:
            return self.counted(self.rows(found))
        if choice < 0.24:
            return self.grouped(found)
        if found.ids and choice < 0.50:
            return self.totals(found)
        if choice < 0.36:
            return self.at(found)
        if found.navigations and choice < 0.45:
            return self.over_navigation(found)
        return self.rows(found)

    def rows(self, found):
        compute = {f"Beregnet{at}": Maker.over(self.random, found).computed() for at in range(self.random.choice([0, 0, 0, 1, 2]))}
        maker = Maker.over(self.random, found, compute)
        rows = Rows(found, compute=compute)
        names = [*found.columns, *compute]
        if self.chance(0.8):
            rows.select = tuple(self.random.sample(names, self.random.randrange(1, min(6, len(names)) + 1)))
        if self.chance(0.75):
            rows.filter = maker.condition(self.random.randrange(4))
        if found.texts and self.chance(0.15):
            rows.search = Searcher(self.random, found).search(2)
        if self.chance(0.6):
            rows.order = self.order(maker, found)
        self.window(rows)
        if found.navigations and self.chance(0.7):
            self.expand(rows)
        return rows

    def order(self, maker, found):
        first = None
        if found.nullable and self.chance(0.5):
            first = maker.order_term(self.random.choice(found.nullable))
        others = [maker.order_term() for _ in range(self.random.randrange(0 if first else 1, 3))]
        return tuple([*([first] if first else []), *others])

    def window(self, rows):
        if self.chance(0.5) or rows.set.size > ROWS_AT_MOST:
            rows.top = self.random.choice([0, 1, 7, 50, 300])
        if self.chance(0.3):
            rows.skip = self.random.choice([0, 1, 13, 200])
        rows.count = self.chance(0.25)
        self.page(rows)

    def page(self, query):
        if self.chance(0.25):
            top = query.top if isinstance(query, Rows) else query.result.top
            query.page = self.random.choice([7, 40, 150]) if (top or 1000) <= 300 else 500

    def expand(self, rows, depth=2):
        """Expansions of each row; few rows where many stand beside each."""
        found = rows.set
        navigations = self.random.sample(list(found.navigations.values()), self.random.choice([1, 1, 2]) if len(found.navigations) > 1 else 1)
        rows.expand = tuple(self.beside(navigation, depth) for navigation in navigations)
        beside = sum(most(expand) for expand in rows.expand)
        if beside > BESIDE:
            rows.expand = ()
        elif beside > len(navigations) or found.kind == "long":
            limit = max(1, min(40, BESIDE // beside))
            rows.top = min(limit if rows.top is None else rows.top, limit)
            rows.page = None

    def beside(self, navigation, depth):
        target = navigation.target
        maker = Maker.over(self.random, target)
        inner, long = Rows(target), target.kind == "long"
        if self.chance(0.6):
            inner.select = tuple(self.random.sample(list(target.columns), self.random.randrange(1, min(4, len(target.columns)) + 1)))
        choice = self.random.random()
        if choice < 0.15 and not long:
            return Expand(navigation, Rows(target, select=(self.random.choice(list(target.columns)),)), only="select")
        if not navigation.many:
            if depth > 1 and target.navigations and self.chance(0.3):
                self.expand_inside(inner, depth)
            return Expand(navigation, inner)
        if self.chance(0.6):
            inner.filter = maker.condition(1)
        if choice < 0.6 and not long:
            return Expand(navigation, Rows(target, filter=inner.filter), only="$count")
        if self.chance(0.5):
            inner.order = self.order(maker, target)
        if long or self.chance(0.4):
            inner.top = self.random.choice([1, 3, 5])
        if self.chance(0.45):
            inner.skip = self.random.choice([1, 2])
        inner.count = self.chance(0.6)
        if target.texts and self.chance(0.55):
            inner.search = Searcher(self.random, target).word()
        levels = self.random.choice([1, 2, 3, 10]) if navigation.name == "Children" and self.chance(0.8) else None
        if levels is None and depth > 1 and self.chance(0.3):
            self.expand_inside(inner, depth)
        return Expand(navigation, inner, levels)

    def expand_inside(self, inner, depth):
        navigations = [navigation for navigation in inner.set.navigations.values() if not navigation.many or navigation.target.kind != "long"]
        if navigations:
            inner.expand = (self.beside(self.random.choice(navigations), depth - 1),)

    def a_key(self, found):
        """The key of a row that is there, or nearly."""
        key = {name: str(self.random.choice(found.samples[name])) for name in found.keys}
        if self.chance(0.1):
            name = self.random.choice(found.keys)
            key[name] += "x"
        return key

    def at(self, found):
        style = self.random.choice(["named", "bare", "segments"])
        query = At(found, self.a_key(found), style)
        navigations = [navigation for navigation in found.navigations.values() if not navigation.many]
        if navigations and self.chance(0.4):
            query.navigation = self.random.choice(navigations)
        target = query.navigation.target if query.navigation else found
        if self.chance(0.65):
            query.column = self.random.choice(list(target.columns))
            query.raw = self.chance(0.5)
            return query
        query.rows = Rows(target)
        if self.chance(0.6):
            query.rows.select = tuple(self.random.sample(list(target.columns), self.random.randrange(1, min(4, len(target.columns)) + 1)))
        if target.navigations and not query.navigation and self.chance(0.6):
            self.expand(query.rows)
            query.rows.top = None
        return query

    def over_navigation(self, found):
        """The rows at the end of a navigation to many, from one row."""
        navigations = [navigation for navigation in found.navigations.values() if navigation.many]
        if not navigations:
            return self.at(found)
        navigation = self.random.choice(navigations)
        (name,) = found.keys
        key = {name: str(self.random.choice(found.samples[name]))}
        query = self.rows(navigation.target)
        query.path = At(found, key, self.random.choice(["named", "bare", "segments"])).key_text()
        query.path = f"{found.path}{query.path}/{navigation.name}"
        there = f"(SELECT {navigation.local} FROM {found.source} WHERE {found.columns[name].sql} = '{key[name]}')"
        query.within = f"{navigation.target.columns[navigation.remote].sql} = {there}"
        if navigation.target.kind == "long":
            query.top = min(query.top, 50)
        return self.counted(query) if self.chance(0.3) else query

    def counted(self, rows):
        """How many rows there are, whatever window is asked for."""
        condition = Maker.over(self.random, rows.set).condition(2)
        return replace(rows, only_count=True, count=False, page=None, filter=condition, compute={}, order=(), expand=(), select=())

    def grouped(self, found):
        """Transformations one after the other: some before, a grouping, some behind, and the options that apply to the result."""
        chain = Chain(self.random, found)
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            chain.cut(found.kind in ("cube", "long"))
        if self.chance(0.9):
            chain.group()
        for _ in range(self.random.choice([0, 0, 0, 1, 2])):
            chain.cut()
        return self.finish(chain)

    def totals(self, found):
        chain = Chain(self.random, found)
        chain.totals()
        for _ in range(self.random.choice([0, 0, 1])):
            chain.cut()
        return self.finish(chain)

    def finish(self, chain):
        if not chain.steps:
            chain.cut()
        result = chain.result()
        maker = Maker(self.random, result.columns, result.samples)
        rows = Rows(result)
        if self.chance(0.35):
            rows.filter = maker.condition(1)
        if self.chance(0.4):
            rows.order = tuple(maker.order_term() for _ in range(self.random.randrange(1, 3)))
        if self.chance(0.3):
            names = list(result.columns)
            rows.select = tuple(self.random.sample(names, self.random.randrange(1, min(4, len(names)) + 1)))
        result.size = chain.found.size
        self.window(rows)
        query = Grouped(chain.found, tuple(chain.steps), result=rows)
        query.page = rows.page
        return query


def most(expand):
    """How many rows may stand beside one, itself included."""
    rows = expand.rows
    if expand.only == "$count":
        return 0
    width = 1 if not expand.navigation.many else WIDEST if rows.top is None else rows.top
    # Below the first level a hierarchy shares its rows out.
    return (2 if expand.levels else 1) * width * (1 + sum(most(inner) for inner in rows.expand))


class Chain:
    """A chain of transformations in the making: rows with their columns, numbered by `nth` in their order."""

    def __init__(self, random, found):
        self.random, self.found, self.steps = random, found, []
        self.columns, self.samples, self.paths, self.navigations = found.columns, found.samples, found.paths, found.navigations
        self.source = f"(SELECT *, row_number() OVER (ORDER BY {found.order}) AS nth FROM {found.source})"

    def maker(self):
        return Maker(self.random, self.columns, self.samples, self.paths, self.navigations)

    def add(self, name, inner, source):
        self.steps.append(Step(name, inner))
        self.source = source

    def cut(self, must_filter=False):
        choice = 0 if must_filter else self.random.randrange(4)
        if choice == 0:
            condition = self.maker().condition(1)
            self.add("filter", condition.odata, f"(SELECT * FROM {self.source} WHERE {condition.sql})")
        elif choice == 1:
            terms = [self.maker().order_term() for _ in range(self.random.randrange(1, 3))]
            order = ", ".join([*(term.sql for term in terms), "nth"])
            numbered = f"(SELECT * EXCLUDE (nth), row_number() OVER (ORDER BY {order}) AS nth FROM {self.source})"
            self.add("orderby", ",".join(term.odata for term in terms), numbered)
        else:
            name, number = self.random.choice(["top", "skip"]), self.random.choice([1, 5, 40])
            limit = f"LIMIT {number}" if name == "top" else f"OFFSET {number}"
            self.add(name, str(number), f"(SELECT * FROM {self.source} ORDER BY nth {limit})")

    def group(self):
        """Groups by facts of a member: a figure is none."""
        keys = [name for name, column in self.columns.items() if column.kind in ("text", "date", "bool") and column.sql != "id"]
        keys = self.random.sample(keys, min(len(keys), self.random.randrange(0, 4)))
        made = self.aggregates(may_be_none=bool(keys))
        aggregated = f"aggregate({','.join(text for _, text, _, _ in made)})" if made else ""
        shown = [(self.columns[key].sql, f"k{at}") for at, key in enumerate(keys)]
        shown += [(sql, f"a{at}") for at, (_, _, sql, _) in enumerate(made)]
        listed = ", ".join([*(f"{sql} AS {name}" for sql, name in shown), "min(nth) AS nth"])
        grouping = f"GROUP BY {', '.join(self.columns[key].sql for key in keys)}" if keys else ""
        source = f"(SELECT {listed} FROM {self.source} {grouping})"
        if keys:
            inner = f"({','.join(keys)})" + (f",{aggregated}" if made else "")
            self.add("groupby", inner, source)
        else:
            self.add("aggregate", aggregated[len("aggregate(") : -1], source)
        columns = {key: Column(f"k{at}", self.columns[key].kind) for at, key in enumerate(keys)}
        samples = {key: self.samples[key] for key in keys}
        for at, (name, _, _, (kind, values)) in enumerate(made):
            columns[name], samples[name] = Column(f"a{at}", kind), values
        self.columns, self.samples, self.paths, self.navigations = columns, samples, {}, {}

    def aggregates(self, may_be_none):
        """(name, text, SQL, kind and samples) of values that are no figures' own."""
        made = [("Antal_rækker", "$count as Antal_rækker", "count(*)", ("number", COUNTED))]
        facts = [name for name, column in self.columns.items() if column.kind in ("text", "date", "number") and column.sql != "id"]
        for at, name in enumerate(self.random.sample(facts, min(len(facts), self.random.choice([0, 0, 1, 2])))):
            method = self.random.choice(["min", "max", "countdistinct"])
            column, alias = self.columns[name], f"Værdi{at}"
            if method == "countdistinct":
                made.append((alias, f"{name} with countdistinct as {alias}", f"count(DISTINCT {column.sql})", ("number", COUNTED)))
            else:
                made.append((alias, f"{name} with {method} as {alias}", f"{method}({column.sql})", (column.kind, self.samples[name])))
        if may_be_none and self.random.random() < 0.25:
            return []
        return made

    def totals(self):
        """Groups by some ids, and filters by no more than those: the rest stands at its published total."""
        found = self.found
        free = [name for name, rest in found.ids.items() if rest]
        groups = [name for name in found.ids if name not in free or self.random.random() < 0.5]
        figures = [name for name, column in found.columns.items() if column.kind == "figure"] + ["Status"]
        totals = self.random.sample(figures, self.random.randrange(1, len(figures) + 1))
        rest = [sql for name, sql in found.ids.items() if sql and name not in groups]
        if self.random.random() < 0.6:
            condition = Maker(self.random, {name: found.columns[name] for name in groups}, found.samples).condition(1)
            self.steps.append(Step("filter", condition.odata))
            rest.append(condition.sql)
        shown = ", ".join(f"{found.columns[name].sql} AS t{at}" for at, name in enumerate([*groups, *totals]))
        where = " AND ".join(f"({each})" for each in rest) or "true"
        numbered = f"row_number() OVER (ORDER BY {found.order}) AS nth"
        inner = f"({','.join(groups)}),aggregate({','.join(totals)})"
        self.add("groupby", inner, f"(SELECT {shown}, {numbered} FROM {found.source} WHERE {where})")
        self.columns = {name: Column(f"t{at}", found.columns[name].kind) for at, name in enumerate([*groups, *totals])}
        self.samples, self.paths, self.navigations = {name: found.samples[name] for name in self.columns}, {}, {}

    def result(self):
        return Set(self.found.service, self.found.name, "result", self.columns, self.source, "nth", [], samples=self.samples)


TEXTS = {
    "matchesPattern": r"matchesPattern\(",
    "in list": r" in \(",
    "null compared": r" (eq|ne|lt|le|gt|ge) null",
    "case": r"case\(",
    "cast": r"cast\(",
    "Opdateret": r"Opdateret",
    "now, date of an instant": r"now\(\)|date\(",
    "path over a navigation": r"\b\w+/[A-Z]\w+",
    "any, all": r"/(any|all)\(",
    "count of a navigation in an expression": r"/\$count",
    "arithmetic": r" (add|sub|mul|div|divby|mod) ",
    "not": r"\bnot \(",
}


def constructs(query, spelled):
    """The names of what the query is made of."""
    rows = query.result if isinstance(query, Grouped) else query if isinstance(query, Rows) else query.rows
    found = {f"set: {query.set.kind}"} | spellings(query, spelled)
    if isinstance(query, At):
        found.add(f"key: {query.style}")
        found.add("one row" if not query.column else "$value" if query.raw else "value")
        found |= {"navigation from one row"} if query.navigation else set()
    if isinstance(query, Grouped):
        found |= transformations(query)
    return found | (parts_of(rows, query) if rows else set())


def spellings(query, spelled):
    flags = {
        f"metadata {spelled.metadata}": spelled.metadata,
        "4.01": spelled.version == "4.01",
        "IEEE754Compatible": spelled.ieee754,
        "omit-values": spelled.omit_nulls,
        "upper-case operators": spelled.operators == "upper",
        "slash behind the path": spelled.slash,
        "options without $": spelled.options == "bare",
        "options in any case": spelled.options == "mixed",
        "aliases": spelled.aliases and "@p0" in query.address(spelled).path,
    }
    return {name for name, there in flags.items() if there}


def transformations(query):
    rows = query.result
    figures = {name for name, column in query.set.columns.items() if column.kind == "figure"} | {"Status"}
    flags = {f"$apply: {step.name}": True for step in query.steps}
    flags |= {
        "published totals": any(figures & set(re.split(r"[(),]", step.inner.partition("aggregate")[2])) for step in query.steps),
        "$filter behind $apply": rows.filter,
        "$orderby behind $apply": rows.order,
        "$top, $skip behind $apply": rows.top is not None or rows.skip is not None,
    }
    return {name for name, there in flags.items() if there}


def parts_of(rows, query):
    flags = {
        "$filter": rows.filter,
        "$search": rows.search,
        "$orderby": rows.order,
        "$compute": rows.compute,
        "$select": rows.select,
        "$top": rows.top is not None,
        "$skip": rows.skip is not None,
        "$count=true": rows.count,
        "/$count": rows.only_count,
        "paging": query.page,
        "rows of a navigation": rows.path,
    }
    expressions = [each.odata for each in [rows.filter, *rows.order] if each]
    flags["$compute used in an expression"] = any("Beregnet" in text for text in expressions)
    flags["order by a column with nulls"] = any(term.odata.split(" ")[0] in rows.set.nullable for term in rows.order)
    flags["paging over nulls"] = flags["order by a column with nulls"] and query.page
    texts = expressions + [each.odata for each in rows.compute.values()]
    flags |= {name: any(re.search(pattern, text) for text in texts) for name, pattern in TEXTS.items()}
    found = {name for name, there in flags.items() if there}
    for expand in rows.expand:
        found |= expanded(expand, "$expand" if expand.navigation.name not in ("Parent", "Children") else "$expand in a hierarchy")
    return found


def expanded(expand, name):
    rows = expand.rows
    flags = {
        "$select": rows.select and not expand.only,
        "$filter": rows.filter,
        "$orderby": rows.order,
        "$top": rows.top is not None,
        "$skip": rows.skip is not None,
        "$count": rows.count,
        "/$count": expand.only == "$count",
        "$levels": expand.levels,
        "$search": rows.search,
        "$expand": rows.expand,
        "path in $select": expand.only == "select",
    }
    return {name} | {f"$expand with {option}" for option, there in flags.items() if there}
