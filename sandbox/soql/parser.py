"""Tokens to a tree, by recursive descent."""

from datetime import UTC, datetime

from sandbox.errors import ApiError, malformed
from sandbox.soql.tokens import Token, tokens_of, unquoted
from sandbox.soql.tree import (
    Call,
    Comparison,
    Condition,
    Junction,
    Kind,
    Literal,
    Name,
    Negation,
    Ordering,
    Query,
    Selected,
)

_LONGEST = 100_000
_OPERATORS = ("=", "!=", "<>", "<", "<=", ">", ">=", "LIKE")


def parse(text: str) -> Query:
    """The tree of a query. Raises: ApiError MALFORMED_QUERY, naming the first token that should not be there."""
    if len(text) > _LONGEST:
        raise malformed(f"SOQL statements cannot be longer than {_LONGEST} characters.")
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._at = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _accept(self, *words: str) -> bool:
        if self._next.says(*words):
            self._at += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise self._unexpected()

    def _unexpected(self) -> ApiError:
        return malformed(f"unexpected token: '{self._next.text or '<EOF>'}'")

    def query(self) -> Query:
        self._expect("SELECT")
        is_count, selected, has_subquery = self._selection()
        self._expect("FROM")
        entity = self._name()
        where = self._condition() if self._accept("WHERE") else None
        group_by = self._groups()
        having = self._condition() if group_by and self._accept("HAVING") else None
        order = self._ordering()
        limit = self._whole_number() if self._accept("LIMIT") else None
        offset = self._whole_number() if self._accept("OFFSET") else None
        if self._accept("ALL"):
            self._expect("ROWS")
        if self._next.kind != "end":
            raise self._unexpected()
        return Query(
            self._text,
            selected,
            is_count,
            entity,
            where,
            group_by,
            having,
            order,
            limit,
            offset,
            has_subquery,
        )

    def _selection(self) -> tuple[bool, tuple[Selected, ...], bool]:
        """Whether ``COUNT()`` is all, what is selected, and whether children are among it, which are then left out."""
        selected: list[Selected] = []
        has_subquery = False
        while True:
            if self._next.says("("):
                self._skip_subquery()
                has_subquery = True
            else:
                what = self._name_or_call()
                if (
                    isinstance(what, Call)
                    and what.argument is None
                    and not selected
                    and self._next.says("FROM")
                ):
                    return True, (), False
                selected.append(Selected(what, self._alias()))
            if not self._accept(","):
                return False, tuple(selected), has_subquery

    def _skip_subquery(self) -> None:
        """A query of children is only told apart from nonsense, for the error it gets."""
        self._expect("(")
        if not self._next.says("SELECT"):
            raise self._unexpected()
        depth = 1
        while depth and self._next.kind != "end":
            depth += self._next.says("(") - self._next.says(")")
            self._at += 1

    def _alias(self) -> str:
        """A name before a comma or FROM; what else stands there is a misspelt key word."""
        is_name = self._next.kind == "name" and not self._next.says("FROM")
        if is_name and self._tokens[self._at + 1].says(",", "FROM"):
            return self._take().text
        return ""

    def _name_or_call(self) -> Name | Call:
        name = self._name()
        if not self._accept("("):
            return name
        if name.path.upper() == "FIELDS":
            return self._fields_function(name)
        if self._accept(")"):
            if name.path.upper() != "COUNT":
                raise self._unexpected()
            return Call("COUNT", None, name.position)
        argument = self._name()
        self._expect(")")
        return Call(name.path.upper(), argument, name.position)

    def _groups(self) -> tuple[Name | Call, ...]:
        groups: list[Name | Call] = []
        if self._accept("GROUP"):
            self._expect("BY")
            groups.append(self._name_or_call())
            while self._accept(","):
                groups.append(self._name_or_call())
        return tuple(groups)

    def _fields_function(self, name: Name) -> Name:
        if not self._next.says("ALL", "STANDARD", "CUSTOM"):
            raise self._unexpected()
        which = self._take().text.upper()
        self._expect(")")
        return Name(f"FIELDS({which})", name.position)

    def _name(self) -> Name:
        if self._next.kind != "name" or ":" in self._next.text:
            raise self._unexpected()
        token = self._take()
        return Name(token.text, token.position)

    def _whole_number(self) -> int:
        if self._next.kind != "number" or not self._next.text.isdigit():
            raise self._unexpected()
        return int(self._take().text)

    def _condition(self) -> Condition:
        """AND and OR on one level without parentheses are refused, as Salesforce refuses them."""
        parts = [self._simple_condition()]
        if not self._next.says("AND", "OR"):
            return parts[0]
        operator = self._next.text.upper()
        while self._accept(operator):
            parts.append(self._simple_condition())
        if self._next.says("AND", "OR"):
            raise self._unexpected()
        return Junction(operator, tuple(parts))

    def _simple_condition(self) -> Condition:
        if self._accept("NOT"):
            return Negation(self._simple_condition())
        if self._accept("("):
            inner = self._condition()
            self._expect(")")
            return inner
        name = self._name_or_call()
        if self._accept("IN"):
            return Comparison(name, "IN", self._literals())
        if self._accept("NOT"):
            self._expect("IN")
            return Comparison(name, "NOT IN", self._literals())
        if not self._next.says(*_OPERATORS):
            raise self._unexpected()
        operator = self._take().text.upper()
        return Comparison(name, "!=" if operator == "<>" else operator, (self._literal(),))

    def _literals(self) -> tuple[Literal, ...]:
        self._expect("(")
        literals = [self._literal()]
        while self._accept(","):
            literals.append(self._literal())
        self._expect(")")
        return tuple(literals)

    def _literal(self) -> Literal:
        token = self._next
        literal = _literal_of(token)
        if literal is None:
            raise self._unexpected()
        self._at += 1
        return literal

    def _ordering(self) -> tuple[Ordering, ...]:
        keys: list[Ordering] = []
        if self._accept("ORDER"):
            self._expect("BY")
            keys.append(self._ordering_key())
            while self._accept(","):
                keys.append(self._ordering_key())
        return tuple(keys)

    def _ordering_key(self) -> Ordering:
        name = self._name_or_call()
        is_descending = not self._accept("ASC") and self._accept("DESC")
        nulls_last = False
        if self._accept("NULLS"):
            nulls_last = self._accept("LAST")
            if not nulls_last:
                self._expect("FIRST")
        return Ordering(name, is_descending, nulls_last)


def _literal_of(token: Token) -> Literal | None:
    match token.kind:
        case "string":
            return Literal(Kind.STRING, unquoted(token.text))
        case "number":
            return Literal(Kind.NUMBER, token.text)
        case "date":
            return Literal(Kind.DATE, token.text)
        case "datetime":
            return Literal(Kind.DATETIME, _in_utc(token.text))
    if token.says("TRUE", "FALSE"):
        return Literal(Kind.BOOLEAN, token.text.lower())
    if token.says("NULL"):
        return Literal(Kind.NULL, "")
    if token.kind == "name" and is_relative_date(token.text):
        return Literal(Kind.RELATIVE_DATE, token.text.upper())
    return None


def is_relative_date(text: str) -> bool:
    """Whether this is a date literal of the kind that depends on today."""
    word, _, days = text.upper().partition(":")
    if word in {"LAST_N_DAYS", "NEXT_N_DAYS"}:
        return days.isdigit()
    return word in {"TODAY", "YESTERDAY", "TOMORROW"} and not days


def _in_utc(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise malformed(f"Invalid date/time: {text}") from error
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
