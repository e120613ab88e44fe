"""One query can be written in many ways, and sent with many headers: none may change its rows."""

import re
from dataclasses import dataclass, replace

WORDS = "eq|ne|lt|le|gt|ge|and|or|not|in|add|sub|mul|div|divby|mod|asc|desc|any|all"
FUNCTIONS = (
    "contains|startswith|endswith|length|indexof|substring|tolower|toupper|trim|concat|matchespattern"
    "|year|month|day|hour|minute|date|now|round|floor|ceiling|case|cast"
)
TEXT = re.compile(r"'(?:[^']|'')*'")
OPERATOR = re.compile(rf"(?<![\w/@$.])(?:(?:{WORDS})(?= |$|,|;)|(?:{FUNCTIONS})(?=\())|(?<=/)(?:any|all)(?=\()", re.IGNORECASE)
NUMBER = re.compile(r"(?<= (?:eq|ne|lt|le|gt|ge) )-?\d(?:[\w.+-]|:(?=\d))*")


@dataclass(frozen=True)
class Spelling:
    """How a query is written and asked for; the default is what most clients do."""

    metadata: str | None = None  # none, minimal or full
    by_format: bool = False
    version: str | None = None
    ieee754: bool = False
    omit_nulls: bool = False
    options: str = "$"  # "$", "bare" or "mixed"
    operators: str = "lower"  # or "upper"
    aliases: bool = False
    slash: bool = False
    blank: str = "%20"

    def option(self, name):
        match self.options:
            case "bare":
                return name
            case "mixed":
                return f"${name[0].upper()}{name[1:].swapcase()}"
        return f"${name}"

    def expression(self, text):
        if self.operators == "lower":
            return text
        pieces, last = [], 0
        for quoted in TEXT.finditer(text):
            pieces += [OPERATOR.sub(upper, text[last : quoted.start()]), quoted[0]]
            last = quoted.end()
        return "".join([*pieces, OPERATOR.sub(upper, text[last:])])

    def headers(self):
        headers, prefer = {}, []
        if self.metadata and not self.by_format or self.ieee754:
            level = f";odata.metadata={self.metadata}" if self.metadata and not self.by_format else ""
            headers["Accept"] = f"application/json{level}{';IEEE754Compatible=true' if self.ieee754 else ''}"
        if self.version:
            headers["OData-MaxVersion"] = self.version
        if self.omit_nulls:
            prefer.append("omit-values=nulls")
        return headers, prefer

    def simpler(self):
        for name, value in Spelling().__dict__.items():
            if getattr(self, name) != value:
                yield replace(self, **{name: value})


def upper(found):
    return found[0].upper()


def with_aliases(text, aliases):
    """Texts, and what follows a comparison, under names that `aliases` gives the values of."""

    def named(found):
        aliases[f"@p{len(aliases)}"] = found[0]
        return f"@p{len(aliases) - 1}"

    pieces, last = [], 0
    for quoted in TEXT.finditer(text):
        pieces += [NUMBER.sub(named, text[last : quoted.start()]), named(quoted)]
        last = quoted.end()
    return "".join([*pieces, NUMBER.sub(named, text[last:])])


def at_random(random):
    if random.random() < 0.4:
        return Spelling()
    by_format = random.random() < 0.3
    return Spelling(
        metadata=random.choice([None, "none", "minimal", "full"]),
        by_format=by_format,
        version=random.choice([None, None, "4.0", "4.01"]),
        ieee754=not by_format and random.random() < 0.15,
        omit_nulls=random.random() < 0.15,
        options=random.choice(["$", "$", "bare", "mixed"]),
        operators=random.choice(["lower", "lower", "upper"]),
        aliases=random.random() < 0.3,
        slash=random.random() < 0.2,
        blank=random.choice(["%20", "%20", "+"]),
    )
