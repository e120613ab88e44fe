"""Random expressions, each in the language of OData and in SQL with the same meaning.

OData compares null with `eq` and `ne` like any value, which in SQL is IS [NOT] DISTINCT FROM; all else is unknown on null in both.
"""

from dataclasses import dataclass, field


@dataclass
class Expr:
    odata: str
    sql: str
    kind: str  # text, number, figure, date or bool
    # Conditions within this one, for making a failing query smaller.
    parts: list = field(default_factory=list)


def text_literal(text):
    return "'" + text.replace("'", "''") + "'"


class Maker:
    """Makes expressions over the columns of a set; `samples` gives values that occur."""

    def __init__(self, random, columns, samples):
        self.random, self.columns, self.samples = random, columns, samples

    def of_kind(self, *kinds):
        return [name for name, column in self.columns.items() if column.kind in kinds]

    def column(self, *kinds):
        names = self.of_kind(*kinds)
        if not names:
            return None
        name = self.random.choice(names)
        return Expr(name, self.columns[name].sql, self.columns[name].kind)

    def literal(self, name, kind):
        """A value that the column has, or one near it."""
        value = self.random.choice(self.samples[name] or [None])
        if kind == "text":
            value = value or "T"
            if self.random.random() < 0.15:
                value = value[: self.random.randrange(len(value) + 1)]
            return Expr(text_literal(value), text_literal(value), kind)
        if kind == "date":
            value = str(value or "2020-01-31")
            return Expr(value, f"DATE '{value}'", kind)
        value = 0 if value is None else value
        if self.random.random() < 0.2:
            value += self.random.choice([-1, 1])
        text = f"{value:f}" if kind == "figure" else str(int(value))
        if kind == "figure" and "." in text:
            text = text.rstrip("0").rstrip(".")
        return Expr(text, f"({text})", kind)

    def text(self, depth):
        column = self.column("text")
        if depth <= 0 or self.random.random() < 0.5:
            return column
        inner = self.text(depth - 1)
        match self.random.randrange(5):
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
            case _:
                start, length = self.random.randrange(4), self.random.randrange(5)
                return Expr(
                    f"substring({inner.odata},{start},{length})", f"substring({inner.sql}, {start + 1}, {length})", "text"
                )

    def number(self, depth):
        choice = self.random.random()
        column = self.column("figure", "number")
        if depth <= 0 or choice < 0.45 or column is None:
            if column and self.random.random() < 0.8:
                return column
            if self.random.random() < 0.5 or not self.of_kind("date"):
                inner = self.text(depth)
                if self.random.random() < 0.5:
                    return Expr(f"length({inner.odata})", f"length({inner.sql})", "number")
                letter = self.random.choice(["a", "e", "M0", "ø", "T"])
                return Expr(
                    f"indexof({inner.odata},{text_literal(letter)})", f"(instr({inner.sql}, {text_literal(letter)}) - 1)", "number"
                )
            date, part = self.column("date"), self.random.choice(["year", "month", "day"])
            return Expr(f"{part}({date.odata})", f"{part}({date.sql})", "number")
        if choice < 0.7:
            left, right = self.number(depth - 1), self.number(0)
            sign, word = self.random.choice([("+", "add"), ("-", "sub")])
            return Expr(f"({left.odata} {word} {right.odata})", f"({left.sql} {sign} {right.sql})", "figure")
        if choice < 0.8:
            left, factor = self.number(0), self.random.choice(["2", "0.5", "-3", "10"])
            return Expr(f"({left.odata} mul {factor})", f"({left.sql} * {factor})", "figure")
        if choice < 0.87:
            # Divisors whose inverse is a short decimal: both sides are exact.
            divisor, inverse = self.random.choice([("2", "0.5"), ("4", "0.25"), ("5", "0.2"), ("10", "0.1")])
            return Expr(f"({column.odata} divby {divisor})", f"({column.sql} * {inverse})", "figure")
        if choice < 0.92:
            return Expr(f"({column.odata} mod 7)", f"({column.sql} % 7)", "figure")
        if choice < 0.95:
            return Expr(f"(-{column.odata})", f"(-{column.sql})", "figure")
        function, sql = self.random.choice([("round", "round"), ("floor", "floor"), ("ceiling", "ceil")])
        return Expr(f"{function}({column.odata})", f"{sql}({column.sql})", "figure")

    def comparison(self, depth):
        kind = self.random.choice(["text", "text", "number", "number", "date", "null", "columns", "in", "call"])
        operator = self.random.choice(["eq", "ne", "lt", "le", "gt", "ge"])
        if kind == "date" and self.of_kind("date"):
            left = self.column("date")
            return compare(operator, left, self.literal(left.odata, "date"))
        if kind == "null":
            left = self.column("text", "figure", "number", "date")
            return compare(operator, left, Expr("null", "NULL", left.kind))
        if kind == "columns":
            kinds = self.random.choice([("text",), ("figure", "number"), ("date",)])
            left, right = self.column(*kinds), self.column(*kinds)
            if left:
                return compare(operator, left, right)
        if kind == "in":
            return self.membership()
        if kind == "call":
            return self.call(depth)
        if kind == "number" and self.of_kind("figure", "number"):
            left = self.number(depth)
            names = self.of_kind("figure", "number")
            near = left.odata if left.odata in names else self.random.choice(names)
            right = self.literal(near, self.columns[near].kind)
            return compare(operator, left, right)
        left = self.text(depth - 1)
        names = self.of_kind("text")
        right = self.literal(left.odata if left.odata in names else self.random.choice(names), "text")
        if self.random.random() < 0.1:
            left, right = right, left
        return compare(operator, left, right)

    def membership(self):
        left = self.column("text", "figure", "number", "date")
        items = [self.literal(left.odata, left.kind) for _ in range(self.random.randrange(1, 5))]
        if self.random.random() < 0.2:
            items.append(Expr("null", "NULL", left.kind))
        odata = f"{left.odata} in ({','.join(item.odata for item in items)})"
        sql = " OR ".join(f"{left.sql} IS NOT DISTINCT FROM {item.sql}" for item in items)
        return Expr(odata, f"({sql})", "bool")

    def call(self, depth):
        inner = self.text(depth - 1)
        sample = self.random.choice([value for value in self.samples[self.random.choice(self.of_kind("text"))] if value] or ["T"])
        start = self.random.randrange(len(sample))
        piece = sample[start : start + self.random.randrange(1, 4)]
        function, sql = self.random.choice([("contains", "contains"), ("startswith", "starts_with"), ("endswith", "ends_with")])
        found = Expr(f"{function}({inner.odata},{text_literal(piece)})", f"{sql}({inner.sql}, {text_literal(piece)})", "bool")
        if self.random.random() < 0.2:
            truth = self.random.choice(["true", "false"])
            return Expr(f"{found.odata} eq {truth}", f"({found.sql} IS NOT DISTINCT FROM {truth})", "bool", [found])
        return found

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

    def order_term(self):
        if self.random.random() < 0.7:
            expr = self.column("text", "figure", "number", "date")
        else:
            expr = self.number(1) if self.random.random() < 0.5 else self.text(1)
        if self.random.random() < 0.5:
            return Expr(f"{expr.odata} desc", f"{expr.sql} DESC NULLS LAST", "order")
        return Expr(expr.odata, f"{expr.sql} ASC NULLS FIRST", "order")


def compare(operator, left, right):
    signs = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "IS NOT DISTINCT FROM", "ne": "IS DISTINCT FROM"}
    return Expr(f"{left.odata} {operator} {right.odata}", f"({left.sql} {signs[operator]} {right.sql})", "bool")
