"""What the parser makes of a query."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a literal is; Salesforce refuses a comparison with a literal of the wrong kind."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    NULL = "null"
    DATE = "date"
    DATETIME = "datetime"
    RELATIVE_DATE = "relative date"


@dataclass(frozen=True)
class Literal:
    """A value in a condition, as text: datetimes in UTC with milliseconds, relative dates as written."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Name:
    """A field as written (``Owner.Email``) and where it stands, for error messages."""

    path: str
    position: int


@dataclass(frozen=True)
class Call:
    """A function of a field: ``SUM(Amount) total``; without an argument only ``COUNT()``. ``function`` is in capitals."""

    function: str
    argument: "Name | None"
    position: int


@dataclass(frozen=True)
class Selected:
    """What is between SELECT and FROM, one piece of it."""

    what: Name | Call
    alias: str = ""


@dataclass(frozen=True)
class Comparison:
    """``field operator literals``; only IN and NOT IN have other than one literal."""

    name: Name | Call
    operator: str
    literals: tuple[Literal, ...]


@dataclass(frozen=True)
class Negation:
    """NOT of a condition."""

    of: "Condition"


@dataclass(frozen=True)
class Junction:
    """Conditions joined by AND or by OR."""

    operator: str
    parts: tuple["Condition", ...]


Condition = Comparison | Negation | Junction


@dataclass(frozen=True)
class Ordering:
    """One key of ORDER BY; nulls come first unless ``nulls_last``."""

    name: Name | Call
    is_descending: bool
    nulls_last: bool


@dataclass(frozen=True)
class Query:
    """A whole query. ``selected`` is empty for ``COUNT()``; ``FIELDS(…)`` shows as one name with that text."""

    text: str
    selected: tuple[Selected, ...]
    is_count: bool
    entity: Name
    where: Condition | None = None
    group_by: tuple[Name | Call, ...] = ()
    having: Condition | None = None
    order: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int | None = None
    has_subquery: bool = False

    @property
    def is_aggregate(self) -> bool:
        """Whether rows are groups of records: ``COUNT()`` alone, which gives a number, is not meant."""
        return bool(self.group_by) or any(isinstance(each.what, Call) for each in self.selected)
