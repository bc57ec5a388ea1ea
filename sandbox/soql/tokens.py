"""SOQL text to tokens."""

import re
from dataclasses import dataclass

from sandbox.errors import malformed

_PATTERN = re.compile(
    r"""\s*(?:
      (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_][\w.]*(?::\d+)?)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<symbol><=|>=|!=|<>|[=<>(),])
    | (?P<end>$)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


@dataclass(frozen=True)
class Token:
    """A piece of SOQL; ``kind`` is a group of the pattern above, ``position`` counts characters from 0."""

    kind: str
    text: str
    position: int

    def says(self, *words: str) -> bool:
        """Whether this is one of these key words or symbols, whatever its capitals."""
        return self.kind in {"name", "symbol"} and self.text.upper() in words


def tokens_of(text: str) -> list[Token]:
    """All tokens, an ``end`` token last. Raises: ApiError MALFORMED_QUERY at the first character that fits nothing."""
    found: list[Token] = []
    position = 0
    while not found or found[-1].kind != "end":
        match = _PATTERN.match(text, position)
        if match is None or match.lastgroup is None:
            rest = text[position:].lstrip()
            raise malformed(f"line 1:{position} no viable alternative at character '{rest[:1]}'")
        found.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        position = match.end()
    return found


def unquoted(text: str) -> str:
    """The value of a string literal, its quotes and escapes taken away; ``\\%`` and ``\\_`` are left for LIKE."""

    def value(match: re.Match[str]) -> str:
        escaped = match[1]
        return match[0] if escaped in "%_" else _ESCAPES.get(escaped, escaped)

    return re.sub(r"\\(.)", value, text[1:-1], flags=re.DOTALL)
