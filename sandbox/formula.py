"""Formula fields: a part of Salesforce's formula language, made into SQL over stored text.

Four kinds of value, each with its SQL: numbers are REAL, texts TEXT, booleans 0 or 1, dates and moments the text they are stored as.
What cannot be worked out, because a value is missing or bad, is null.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sandbox.errors import ApiError
from sandbox.schema import NUMBERS

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+(?:\.\d+)?) | (?P<name>[A-Za-z_][\w.]*) | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<symbol><=|>=|<>|!=|==|&&|\|\||[-+*/&=<>(),!]) | (?P<end>$)
    )""",
    re.VERBOSE,
)
_STRENGTH = {
    "||": 1, "&&": 2, "=": 3, "==": 3, "<>": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "&": 5, "*": 6, "/": 6,
}  # fmt: skip
_COMPARISONS = frozenset(operator for operator, strength in _STRENGTH.items() if strength in {3, 4})
_KINDS = {"boolean": "boolean", "date": "date", "datetime": "datetime", **dict.fromkeys(NUMBERS, "number")}
Lookup = Callable[[str], tuple[str, str]]
"""A field path to the SQL of its stored text and its type. Raises: ApiError, where there is none such."""


@dataclass(frozen=True)
class Value:
    """A worked-out part of a formula: its SQL and its kind: number, text, boolean, date or datetime."""

    sql: str
    kind: str


def formula_sql(formula: str, field_type: str, lookup: Lookup, now: datetime) -> str:
    """SQL for the stored text of a formula field of a type. Raises: ApiError, where the formula does not do."""
    found = _Parser(formula, lookup, now).whole()
    wanted = _KINDS.get(field_type, "text")
    if found.kind != wanted:
        raise bad_formula(
            f"Formula result is data type ({found.kind}), incompatible with expected data type ({wanted})."
        )
    match wanted:
        case "number":
            return f"CAST(round({found.sql}, 6) AS TEXT)"
        case "boolean":
            return f"CASE WHEN {found.sql} THEN 'true' ELSE 'false' END"
        case "text":
            return f"nullif({found.sql}, '')"
    return found.sql


def names_in(formula: str) -> set[str]:
    """The field paths that a formula reads, in small letters; its functions too."""
    return {match["name"].lower() for match in _TOKEN.finditer(formula) if match["name"]}


def bad_formula(message: str) -> ApiError:
    """400, for a formula that does not do."""
    return ApiError(400, "FIELD_INTEGRITY_EXCEPTION", message)


class _Parser:
    """Precedence climbing, straight to SQL."""

    def __init__(self, text: str, lookup: Lookup, now: datetime) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._lookup = lookup
        self._now = now

    def whole(self) -> Value:
        value = self._expression(0)
        if self._kind != "end":
            raise bad_formula(f"Syntax error. Extra {self._text}")
        return value

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def _text(self) -> str:
        return self._tokens[self._at][1]

    def _accept(self, symbol: str) -> bool:
        if self._kind == "symbol" and self._text == symbol:
            self._at += 1
            return True
        return False

    def _expect(self, symbol: str) -> None:
        if not self._accept(symbol):
            raise bad_formula(f"Syntax error. Missing '{symbol}'")

    def _expression(self, weakest: int) -> Value:
        left = self._operand()
        while self._kind == "symbol" and _STRENGTH.get(self._text, 0) > weakest:
            operator = self._text
            self._at += 1
            left = _combined(operator, left, self._expression(_STRENGTH[operator]))
        return left

    def _operand(self) -> Value:
        if self._accept("("):
            value = self._expression(0)
            self._expect(")")
            return value
        if self._accept("-"):
            return Value(f"(-{_number(self._operand())})", "number")
        if self._accept("!"):
            return _not([self._operand()])
        kind, text = self._tokens[self._at]
        self._at += 1
        match kind:
            case "number":
                return Value(f"{float(text)}", "number")
            case "string":
                return Value(_quoted(re.sub(r"\\(.)", r"\1", text[1:-1])), "text")
            case "name":
                return self._call(text) if self._accept("(") else self._field(text)
        raise bad_formula("Syntax error. Found an end or a symbol where a value should be")

    def _field(self, path: str) -> Value:
        if path.upper() in {"TRUE", "FALSE"}:
            return Value(str(int(path.upper() == "TRUE")), "boolean")
        if path.upper() == "NULL":
            return Value("NULL", "text")
        stored, field_type = self._lookup(path)
        kind = _KINDS.get(field_type, "text")
        sql = {"number": f"CAST({stored} AS REAL)", "boolean": f"({stored} IS 'true')"}.get(kind, stored)
        return Value(sql, kind)

    def _call(self, name: str) -> Value:
        arguments: list[Value] = []
        if not self._accept(")"):
            arguments.append(self._expression(0))
            while self._accept(","):
                arguments.append(self._expression(0))
            self._expect(")")
        if name.upper() in {"TODAY", "NOW"}:
            return self._present(name.upper())
        function = _FUNCTIONS.get(name.upper())
        if function is None:
            raise bad_formula(f"Unknown function {name}. Check spelling.")
        fewest, most, make = function
        if not fewest <= len(arguments) <= most:
            raise bad_formula(
                f"Incorrect number of parameters for function '{name}()'. Received {len(arguments)}"
            )
        return make(arguments)

    def _present(self, name: str) -> Value:
        if name == "TODAY":
            return Value(_quoted(f"{self._now:%Y-%m-%d}"), "date")
        return Value(_quoted(f"{self._now:%Y-%m-%dT%H:%M:%S}.000Z"), "datetime")


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    while not found or found[-1][0] != "end":
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise bad_formula(f"Syntax error. Found '{text[position:].lstrip()[:1]}'")
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _number(value: Value) -> str:
    if value.kind != "number":
        raise bad_formula(f"Incorrect parameter type. Expected Number, received {value.kind.title()}")
    return value.sql


def _condition(value: Value) -> str:
    if value.kind != "boolean":
        raise bad_formula(f"Incorrect parameter type. Expected Boolean, received {value.kind.title()}")
    return value.sql


def _combined(operator: str, left: Value, right: Value) -> Value:
    if operator in {"&&", "||"}:
        return Value(
            f"({_condition(left)} {'AND' if operator == '&&' else 'OR'} {_condition(right)})", "boolean"
        )
    if operator in _COMPARISONS:
        return _compared({"==": "=", "!=": "<>"}.get(operator, operator), left, right)
    if operator == "&" or (operator == "+" and left.kind == right.kind == "text"):
        return Value(f"(ifnull({_text_of(left)}, '') || ifnull({_text_of(right)}, ''))", "text")
    if left.kind in {"date", "datetime"}:
        return _moved(operator, left, right)
    return Value(f"({_number(left)} {operator} {_number(right)})", "number")


def _compared(operator: str, left: Value, right: Value) -> Value:
    if left.kind != right.kind and "NULL" not in {left.sql, right.sql}:
        raise bad_formula(
            f"Incorrect parameter type for operator '{operator}'. Expected {left.kind.title()}, received {right.kind.title()}"
        )
    return Value(f"ifnull({left.sql} {operator} {right.sql}, 0)", "boolean")


def _moved(operator: str, left: Value, right: Value) -> Value:
    """A date with days added or taken away, or the days between two dates."""
    if operator == "-" and right.kind in {"date", "datetime"}:
        return Value(f"(julianday({left.sql}) - julianday({right.sql}))", "number")
    if operator not in {"+", "-"}:
        raise bad_formula(
            f"Incorrect parameter type for operator '{operator}'. Expected Number, received {left.kind.title()}"
        )
    shape = "%Y-%m-%d" if left.kind == "date" else "%Y-%m-%dT%H:%M:%S.000Z"
    return Value(f"strftime('{shape}', julianday({left.sql}) {operator} {_number(right)})", left.kind)


def _text_of(value: Value) -> str:
    """The text of a value as TEXT() gives it: whole numbers without a fraction."""
    if value.kind == "number":
        return f"CASE WHEN {value.sql} = round({value.sql}) THEN CAST(CAST({value.sql} AS INTEGER) AS TEXT) ELSE CAST({value.sql} AS TEXT) END"
    return value.sql


def _same_kind(values: Sequence[Value]) -> str:
    kinds = {value.kind for value in values if value.sql != "NULL"} or {"text"}
    if len(kinds) > 1:
        raise bad_formula(f"Incorrect parameter type. Expected {' and '.join(sorted(kinds))} to be the same")
    return kinds.pop()


def _if(a: Sequence[Value]) -> Value:
    return Value(f"CASE WHEN {_condition(a[0])} THEN {a[1].sql} ELSE {a[2].sql} END", _same_kind(a[1:]))


def _case(a: Sequence[Value]) -> Value:
    """CASE(value, when, then, …, otherwise)."""
    if len(a) % 2:
        raise bad_formula("Incorrect number of parameters for function 'CASE()'")
    pairs = " ".join(f"WHEN {a[n].sql} THEN {a[n + 1].sql}" for n in range(1, len(a) - 1, 2))
    return Value(f"CASE {a[0].sql} {pairs} ELSE {a[-1].sql} END", _same_kind([*a[2::2], a[-1]]))


def _not(a: Sequence[Value]) -> Value:
    return Value(f"(NOT {_condition(a[0])})", "boolean")


def _joined(word: str) -> Callable[[Sequence[Value]], Value]:
    return lambda a: Value("(" + f" {word} ".join(map(_condition, a)) + ")", "boolean")


def _numeric(template: str) -> Callable[[Sequence[Value]], Value]:
    return lambda a: Value(template.format(", ".join(map(_number, a))), "number")


def _textual(template: str) -> Callable[[Sequence[Value]], Value]:
    return lambda a: Value(template.format(*(value.sql for value in a)), "text")


def _part(first: int, length: int) -> Callable[[Sequence[Value]], Value]:
    return lambda a: Value(f"CAST(substr({a[0].sql}, {first}, {length}) AS REAL)", "number")


_FUNCTIONS: dict[str, tuple[int, int, Callable[[Sequence[Value]], Value]]] = {
    "IF": (3, 3, _if),
    "CASE": (4, 100, _case),
    "AND": (1, 100, _joined("AND")),
    "OR": (1, 100, _joined("OR")),
    "NOT": (1, 1, _not),
    "TEXT": (1, 1, lambda a: Value(_text_of(a[0]), "text")),
    "ISPICKVAL": (2, 2, lambda a: Value(f"(ifnull({a[0].sql}, '') = {a[1].sql})", "boolean")),
    "ISBLANK": (1, 1, lambda a: Value(f"(nullif({a[0].sql}, '') IS NULL)", "boolean")),
    "BLANKVALUE": (2, 2, lambda a: Value(f"ifnull({a[0].sql}, {a[1].sql})", _same_kind(a))),
    "DATEVALUE": (1, 1, lambda a: Value(f"date({a[0].sql})", "date")),
    "YEAR": (1, 1, _part(1, 4)),
    "MONTH": (1, 1, _part(6, 2)),
    "DAY": (1, 1, _part(9, 2)),
    "ROUND": (2, 2, _numeric("round({})")),
    "ABS": (1, 1, _numeric("abs({})")),
    "MIN": (2, 100, _numeric("min({})")),
    "MAX": (2, 100, _numeric("max({})")),
    "LEN": (1, 1, lambda a: Value(f"CAST(length(ifnull({a[0].sql}, '')) AS REAL)", "number")),
    "LEFT": (2, 2, _textual("substr({}, 1, {})")),
    "UPPER": (1, 1, _textual("upper({})")),
    "LOWER": (1, 1, _textual("lower({})")),
    "CONTAINS": (2, 2, lambda a: Value(f"(instr(ifnull({a[0].sql}, ''), {a[1].sql}) > 0)", "boolean")),
}
"""Fewest and most arguments of each function, and what makes its value."""
