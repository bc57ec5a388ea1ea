"""What the proof says: facts as they are in the catalogue, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """``ERROR``: a row can pass the wall, or nothing would stop it from doing so. ``WARNING``: known and narrow, but open."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that does not hold; ``str()`` is the sentence that says what to do.

    ``kind`` is stable, for programs; ``thing`` is what of the place, such as an index of a table ("": the place itself).
    """

    kind: str
    place: str
    problem: str
    remedy: str
    level: Level = Level.ERROR
    thing: str = ""

    @property
    def code(self) -> str:
        """What names this finding where it is accepted."""
        return f"{self.kind}:{self.thing or self.place}"

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}; {self.remedy}."


@dataclass(frozen=True)
class Accepted:
    """A finding that we live with, and why."""

    finding: Finding
    reason: str


@dataclass(frozen=True)
class Policy:
    """One policy: for which roles and which command ("*" for all), and its two predicates as PostgreSQL prints them."""

    name: str
    roles: tuple[str, ...]
    command: str
    is_permissive: bool
    using: str
    check: str


@dataclass(frozen=True)
class TableFacts:
    """One table as the catalogue has it. ``tenant_column`` is "" for a table that belongs to no tenant."""

    name: str
    tenant_column: str
    owner: str
    is_enabled: bool
    is_forced: bool
    policies: tuple[Policy, ...]
    unique: tuple[str, ...]
    keys: tuple[str, ...]
    grants: Mapping[str, Sequence[str]]

    @property
    def is_walled(self) -> bool:
        """Whether its rows belong to tenants."""
        return bool(self.tenant_column)


@dataclass(frozen=True)
class Function:
    """A function that runs with its owner's rights, and who may call it."""

    name: str
    owner: str
    search_path: str
    callers: tuple[str, ...]


@dataclass(frozen=True)
class RoleFacts:
    """A database role of the program: its attributes that matter, and the roles that it may take."""

    name: str
    attributes: tuple[str, ...]
    may_take: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """Everything that was read, at ``read_at``, as database role ``read_as``."""

    read_at: datetime
    read_as: str
    server: str
    tables: tuple[TableFacts, ...]
    functions: tuple[Function, ...]
    roles: tuple[RoleFacts, ...]
    findings: tuple[Finding, ...]
    accepted: tuple[Accepted, ...]

    @property
    def walled(self) -> tuple[TableFacts, ...]:
        """The tables whose rows belong to tenants."""
        return tuple(table for table in self.tables if table.is_walled)

    def of_level(self, level: Level) -> tuple[Finding, ...]:
        """The findings of that level."""
        return tuple(finding for finding in self.findings if finding.level is level)

    @property
    def holds(self) -> bool:
        """Whether no error was found; warnings are said beside it."""
        return not self.of_level(Level.ERROR)

    def as_json(self) -> dict[str, Any]:
        """For ``json.dumps``."""
        findings = [asdict(one) | {"code": one.code, "sentence": str(one)} for one in self.findings]
        plain = asdict(self) | {"read_at": self.read_at.isoformat(), "findings": findings}
        return {"holds": self.holds, **plain}
