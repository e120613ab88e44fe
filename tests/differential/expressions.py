"""Random expressions, each in the language of OData and in SQL with the same meaning.

OData compares null with `eq` and `ne` like any value, which in SQL is IS [NOT] DISTINCT FROM; its other comparisons are false on null,
where SQL's are unknown. Functions are unknown on null in both.
"""

import re
from dataclasses import dataclass, field

import model

KINDS = ("text", "figure", "number", "date", "instant", "bool")
NUMBERS = ("figure", "number")
# Divisors whose inverse is a short decimal: both sides are exact.
INVERSES = [("2", "0.5"), ("4", "0.25"), ("5", "0.2"), ("10", "0.1")]
PATTERNS = ["^[A-H]", "[aeiouy]{2}", "^.{3,9}$", "[æøå]", r"\d{2}", "^(1|2|T)", " i alt$", "M0[1-6]$", r"^\w+$", "[^a-z]$"]


@dataclass
class Expr:
    odata: str
    sql: str
    kind: str
    # Conditions within this one, for making a failing query smaller.
    parts: list = field(default_factory=list)


def text_literal(text):
    return "'" + text.replace("'", "''") + "'"


class Maker:
    """Makes expressions over columns; `samples` gives values that occur, `paths` are columns that lie over navigations, `navigations` those navigations."""

    def __init__(self, random, columns, samples, paths=None, navigations=None):
        self.random, self.columns, self.samples = random, columns, samples
        self.paths = paths or {}
        # A condition on the figures at the other end would read a whole cube, and is not offered.
        self.navigations = {name: navigation for name, navigation in (navigations or {}).items() if navigation.target.kind != "long"}

    @staticmethod
    def over(random, found, computed=None):
        """Over the columns of a set, and values computed beside them."""
        columns = found.columns | {name: model.Column(f"({expr.sql})", expr.kind) for name, expr in (computed or {}).items()}
        return Maker(random, columns, found.samples, found.paths, found.navigations)

    def chance(self, probability):
        return self.random.random() < probability

    def of_kind(self, *kinds):
        return [name for name, column in self.columns.items() if column.kind in kinds]

    def column(self, *kinds):
        paths = [name for name, column in self.paths.items() if column.kind in kinds]
        names = self.of_kind(*kinds)
        if paths and (not names or self.chance(0.25)):
            name = self.random.choice(paths)
            return Expr(name, self.paths[name].sql, self.paths[name].kind)
        if not names:
            return None
        name = self.random.choice(names)
        return Expr(name, self.columns[name].sql, self.columns[name].kind)

    def values_of(self, name):
        """Values of a column; without any, of one of its kind, or something that can be compared with it."""
        column = self.columns.get(name) or self.paths.get(name)
        known = [other for other, each in self.columns.items() if column and each.kind == column.kind]
        return self.samples.get(name) or next((self.samples[other] for other in known if self.samples.get(other)), [])

    def literal(self, name, kind):
        """A value that the column has, or one near it."""
        value = self.random.choice(self.values_of(name) or [None])
        if kind == "text":
            value = str(value) if value else "T"
            if self.chance(0.15):
                value = value[: self.random.randrange(len(value) + 1)]
            return Expr(text_literal(value), text_literal(value), kind)
        if kind == "date":
            value = str(value or "2020-01-31")
            return Expr(value, f"DATE '{value}'", kind)
        if kind == "instant":
            value = str(value or "2026-01-01 00:00:00")[:19].replace("T", " ")
            return Expr(f"{value.replace(' ', 'T')}Z", f"TIMESTAMP '{value}'", kind)
        if kind == "bool":
            truth = self.random.choice(["true", "false"])
            return Expr(truth, truth, kind)
        value = 0 if value is None else value
        if self.chance(0.2):
            value += self.random.choice([-1, 1])
        text = f"{value:f}" if kind == "figure" else str(int(value))
        if kind == "figure" and "." in text:
            text = text.rstrip("0").rstrip(".")
        return Expr(text, f"({text})", kind)

    def text(self, depth):
        column = self.column("text") or Expr("'Land'", "'Land'", "text")
        if depth <= 0 or self.chance(0.5):
            return column
        inner = self.text(depth - 1)
        match self.random.randrange(7):
            case 0:
                return Expr(f"tolower({inner.odata})", f"lower({inner.sql})", "text")
            case 1:
                return Expr(f"toupper({inner.odata})", f"upper({inner.sql})", "text")
            case 2:
                tail = self.random.choice([" i alt", "æ", "", "'"])
                return Expr(f"concat({inner.odata},{text_literal(tail)})", f"({inner.sql} || {text_literal(tail)})", "text")
            case 3:
                start = self.random.randrange(6)
                return Expr(f"substring({inner.odata},{start})", f"substring({inner.sql}, {start + 1})", "text")
            case 4:
                padded = f"concat('  ',{inner.odata})"
                return Expr(f"trim({padded})", f"trim('  ' || {inner.sql})", "text")
            case 5:
                whole = self.column("number")
                if whole:
                    return Expr(f"cast({whole.odata},Edm.String)", f"CAST({whole.sql} AS TEXT)", "text")
                return inner
            case _:
                start, length = self.random.randrange(4), self.random.randrange(5)
                return Expr(
                    f"substring({inner.odata},{start},{length})", f"substring({inner.sql}, {start + 1}, {length})", "text"
                )

    def number(self, depth):
        choice = self.random.random()
        column = self.column(*NUMBERS)
        if depth <= 0 or choice < 0.45 or column is None:
            if column and self.chance(0.8):
                return column
            return self.measured(depth)
        if choice < 0.62:
            left, right = self.number(depth - 1), self.number(0)
            sign, word = self.random.choice([("+", "add"), ("-", "sub")])
            return Expr(f"({left.odata} {word} {right.odata})", f"({left.sql} {sign} {right.sql})", "figure")
        if choice < 0.7:
            left, factor = self.number(0), self.random.choice(["2", "0.5", "-3", "10"])
            return Expr(f"({left.odata} mul {factor})", f"({left.sql} * {factor})", "figure")
        if choice < 0.76:
            divisor, inverse = self.random.choice(INVERSES)
            return Expr(f"({column.odata} divby {divisor})", f"({column.sql} * {inverse})", "figure")
        if choice < 0.80:
            text = self.text(0)
            return Expr(f"(length({text.odata}) div 3)", f"(length({text.sql}) // 3)", "number")
        if choice < 0.85:
            return Expr(f"({column.odata} mod 7)", f"({column.sql} % 7)", "figure")
        if choice < 0.89:
            return Expr(f"(-{column.odata})", f"(-{column.sql})", "figure")
        if choice < 0.97:
            condition = self.comparison(0)
            odata = f"case({condition.odata}:{column.odata},true:-1)"
            return Expr(odata, f"(CASE WHEN {condition.sql} THEN {column.sql} ELSE -1 END)", "figure")
        function, sql = self.random.choice([("round", "round"), ("floor", "floor"), ("ceiling", "ceil")])
        return Expr(f"{function}({column.odata})", f"{sql}({column.sql})", "figure")

    def measured(self, depth):
        """A number that is made of something else."""
        when = self.column("date", "instant")
        if when and self.chance(0.5):
            parts = ["year", "month", "day"] + (["hour", "minute"] if when.kind == "instant" else [])
            part = self.random.choice(parts)
            return Expr(f"{part}({when.odata})", f"{part}({danish(when)})", "number")
        inner = self.text(depth)
        if self.chance(0.5):
            return Expr(f"length({inner.odata})", f"length({inner.sql})", "number")
        letter = self.random.choice(["a", "e", "M0", "ø", "T"])
        sql = f"(instr({inner.sql}, {text_literal(letter)}) - 1)"
        return Expr(f"indexof({inner.odata},{text_literal(letter)})", sql, "number")

    def comparison(self, depth):
        kinds = ["text", "text", "number", "number", "moment", "moment", "moment", "null", "columns", "in", "call", "pattern", "bool"]
        kind = self.random.choice(kinds + ["navigation"] * 8 if self.navigations else kinds)
        operator = self.random.choice(["eq", "ne", "lt", "le", "gt", "ge"])
        if kind == "navigation":
            return self.over_navigation()
        if kind == "moment" and (left := self.column("date", "instant")):
            return self.moment(operator, left)
        if kind == "null":
            left = self.column(*KINDS)
            return compare(operator, left, Expr("null", "NULL", left.kind))
        if kind == "columns":
            sorts = self.random.choice([("text",), NUMBERS, ("date",), ("instant",)])
            left, right = self.column(*sorts), self.column(*sorts)
            if left:
                return compare(operator, left, right)
        if kind == "in":
            return self.membership()
        if kind in ("call", "pattern"):
            return self.call(depth) if kind == "call" else self.pattern(depth)
        if kind == "bool" and (truth := self.column("bool")):
            if self.chance(0.5):
                return Expr(truth.odata, truth.sql, "bool")
            return compare(self.random.choice(["eq", "ne"]), truth, self.literal(truth.odata, "bool"))
        if kind == "number" and self.of_kind(*NUMBERS):
            left = self.number(depth)
            names = self.of_kind(*NUMBERS)
            near = left.odata if left.odata in names else self.random.choice(names)
            return compare(operator, left, self.literal(near, self.columns[near].kind))
        return self.text_comparison(operator, depth)

    def text_comparison(self, operator, depth):
        left = self.text(depth - 1)
        names = [*self.of_kind("text"), *(name for name, column in self.paths.items() if column.kind == "text")]
        near = left.odata if left.odata in names else self.random.choice(names or [""])
        right = self.literal(near, "text")
        if self.chance(0.1):
            left, right = right, left
        return compare(operator, left, right)

    def moment(self, operator, left):
        literal = self.literal(left.odata, left.kind)
        if left.kind == "date":
            return compare(operator, left, literal)
        match self.random.choice([0, 0, 1, 1, 1, 2, 3]):
            case 0:
                day = Expr(f"date({left.odata})", f"CAST({danish(left)} AS DATE)", "date")
                return compare(operator, day, Expr(literal.odata[:10], f"DATE '{literal.odata[:10]}'", "date"))
            case 1:
                return compare(self.random.choice(["lt", "gt"]), left, Expr("now()", "now()::TIMESTAMP", "instant"))
            case 2:
                # The same moment on a clock two hours ahead.
                ahead = Expr(f"{literal.odata[:-1]}+02:00", f"({literal.sql} - INTERVAL 2 HOUR)", "instant")
                return compare(operator, left, ahead)
            case _:
                return compare(operator, left, literal)

    def membership(self):
        left = self.column(*(kind for kind in KINDS if kind != "bool")) or self.text(0)
        items = [self.literal(left.odata, left.kind) for _ in range(self.random.randrange(1, 5))]
        if self.chance(0.2):
            items.append(Expr("null", "NULL", left.kind))
        odata = f"{left.odata} in ({','.join(item.odata for item in items)})"
        sql = " OR ".join(f"{left.sql} IS NOT DISTINCT FROM {item.sql}" for item in items)
        return Expr(odata, f"({sql})", "bool")

    def piece(self):
        """A few letters that occur somewhere."""
        names = [name for name in self.of_kind("text") if self.samples.get(name)]
        sample = self.random.choice([value for value in self.samples[self.random.choice(names)] if value] or ["T"]) if names else "T"
        start = self.random.randrange(len(sample))
        return sample[start : start + self.random.randrange(1, 4)]

    def call(self, depth):
        inner, piece = self.text(depth - 1), self.piece()
        function, sql = self.random.choice([("contains", "contains"), ("startswith", "starts_with"), ("endswith", "ends_with")])
        found = Expr(f"{function}({inner.odata},{text_literal(piece)})", f"{sql}({inner.sql}, {text_literal(piece)})", "bool")
        if self.chance(0.2):
            truth = self.random.choice(["true", "false"])
            return Expr(f"{found.odata} eq {truth}", f"({found.sql} IS NOT DISTINCT FROM {truth})", "bool", [found])
        return found

    def pattern(self, depth):
        inner, piece = self.text(depth - 1), re.sub(r"[^\w ]", ".", self.piece())
        pattern = text_literal(self.random.choice([*PATTERNS, f"^{piece}", f"{piece}$"]))
        return Expr(f"matchesPattern({inner.odata},{pattern})", f"regexp_matches({inner.sql}, {pattern})", "bool")

    def over_navigation(self):
        """Whether there is a row at the other end, how many there are, or what one of them is like."""
        navigation = self.random.choice(list(self.navigations.values()))
        source, columns = model.renamed(navigation.target)
        joined = f"FROM {source} WHERE {columns[navigation.remote].sql} = {navigation.local}"
        if not navigation.many:
            word, sql = self.random.choice([("eq", "NOT EXISTS"), ("ne", "EXISTS")])
            return Expr(f"{navigation.name} {word} null", f"({sql} (SELECT 1 {joined}))", "bool")
        choice = self.random.choice([0, 1, 1, 2, 2, 3, 3, 4, 4])
        if choice == 0:
            return Expr(f"{navigation.name}/any()", f"(EXISTS (SELECT 1 {joined}))", "bool")
        if choice == 1:
            operator, number = self.random.choice(["gt", "eq", "le"]), self.random.randrange(4)
            count = Expr(f"{navigation.name}/$count", f"(SELECT count(*) {joined})", "number")
            return compare(operator, count, Expr(str(number), str(number), "number"))
        if choice == 2:
            inner = Maker(self.random, columns, navigation.target.samples).condition(1)
            count = Expr(f"{navigation.name}/$count($filter={inner.odata})", f"(SELECT count(*) {joined} AND ({inner.sql}))", "number")
            return compare("gt", count, Expr("0", "0", "number"))
        named = {f"m/{name}": column for name, column in columns.items()}
        inner = Maker(self.random, named, {f"m/{name}": found for name, found in navigation.target.samples.items()}).condition(1)
        if choice == 3:
            return Expr(f"{navigation.name}/any(m:{inner.odata})", f"(EXISTS (SELECT 1 {joined} AND ({inner.sql})))", "bool")
        return Expr(f"{navigation.name}/all(m:{inner.odata})", f"(NOT EXISTS (SELECT 1 {joined} AND ({inner.sql}) IS NOT TRUE))", "bool")

    def condition(self, depth):
        choice = self.random.random()
        if depth <= 0 or choice < 0.35:
            return self.comparison(2)
        if choice < 0.5:
            inner = self.condition(depth - 1)
            return Expr(f"not ({inner.odata})", f"(NOT ({inner.sql}))", "bool", [inner])
        word = "and" if choice < 0.78 else "or"
        parts = [self.condition(depth - 1) for _ in range(self.random.choice([2, 2, 3]))]
        odata = f" {word} ".join(f"({part.odata})" for part in parts)
        sql = f" {word.upper()} ".join(f"({part.sql})" for part in parts)
        return Expr(odata, f"({sql})", "bool", parts)

    def computed(self):
        """A value to show beside the columns."""
        made = self.random.randrange(4)
        if made == 0:
            return self.text(2)
        if made == 1 and self.of_kind("date"):
            when = self.column("date")
            return Expr(f"year({when.odata})", f"year({when.sql})", "number")
        return self.number(2)

    def order_term(self, name=None):
        if name:
            expr = Expr(name, self.columns[name].sql, self.columns[name].kind)
        elif self.chance(0.7):
            expr = self.column(*KINDS)
        else:
            expr = self.number(1) if self.chance(0.5) else self.text(1)
        if self.chance(0.5):
            return Expr(f"{expr.odata} desc", f"{expr.sql} DESC NULLS LAST", "order")
        return Expr(expr.odata, f"{expr.sql} ASC NULLS FIRST", "order")


def danish(when):
    """A date, or an instant as Danish clocks show it."""
    return when.sql if when.kind == "date" else f"timezone('Europe/Copenhagen', timezone('UTC', {when.sql}))"


def compare(operator, left, right):
    signs = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "IS NOT DISTINCT FROM", "ne": "IS DISTINCT FROM"}
    sql = f"({left.sql} {signs[operator]} {right.sql})"
    if operator not in ("eq", "ne"):
        sql = f"coalesce({sql}, false)"
    return Expr(f"{left.odata} {operator} {right.odata}", sql, "bool")


class Searcher:
    """Makes `$search` expressions out of words that occur."""

    def __init__(self, random, found):
        self.random, self.found = random, found
        texts = [name for name in [*found.columns, *found.paths] if (found.columns | found.paths)[name].kind == "text"]
        self.words = sorted({word for name in texts for value in found.samples[name] for word in re.findall(r"[^\W_]+", value)})

    def word(self):
        word = self.random.choice(self.words)
        if self.random.random() < 0.3:
            word = word[: self.random.randrange(1, len(word) + 1)]
        if self.random.random() < 0.3:
            word = word.upper()
        quoted = word in ("AND", "OR", "NOT") or self.random.random() < 0.3
        sql = " OR ".join(f"contains(lower(coalesce({text}, '')), lower({text_literal(word)}))" for text in self.found.texts)
        return Expr(f'"{word}"' if quoted else word, f"({sql})", "search")

    def search(self, depth):
        choice = self.random.random()
        if depth <= 0 or choice < 0.4:
            return self.word()
        left = self.search(depth - 1)
        if choice < 0.55:
            return Expr(f"NOT ({left.odata})", f"(NOT {left.sql})", "search")
        right = self.search(depth - 1)
        word, sign = self.random.choice([(" AND ", "AND"), (" ", "AND"), (" OR ", "OR")])
        return Expr(f"({left.odata}){word}({right.odata})", f"({left.sql} {sign} {right.sql})", "search")
