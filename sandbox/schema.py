"""The objects of an organisation and their fields."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from sandbox.objects import CUSTOM_FIELDS, DECLARATIONS

NUMBERS = frozenset({"int", "long", "double", "currency", "percent"})
WHOLE_NUMBERS = frozenset({"int", "long"})
MOMENTS = frozenset({"date", "datetime"})


@dataclass(frozen=True)
class Field:
    """One field of an object. ``type`` is a describe type; an ``address`` has parts and no column of its own.

    ``formula`` is in Salesforce's language; a field that has one follows other fields whenever it is read.
    """

    name: str
    type: str
    refers_to: str | None = None
    values: tuple[str, ...] = ()
    is_required: bool = False
    is_read_only: bool = False
    compound: str | None = None
    formula: str = ""

    @property
    def is_custom(self) -> bool:
        """Whether the name ends as the names of custom fields do."""
        return self.name.endswith("__c")

    @property
    def relationship(self) -> str | None:
        """The name that leads to the record this field refers to: ``Owner`` for ``OwnerId``."""
        if self.refers_to is None:
            return None
        return f"{self.name[:-3]}__r" if self.is_custom else self.name.removesuffix("Id")

    @property
    def is_stored(self) -> bool:
        """Whether it has a column of its own; compound fields and formulas are worked out when read."""
        return self.type != "address" and not self.formula


@dataclass(frozen=True)
class SObject:
    """One object: its key prefix and its fields by name, in the order in which they are shown.

    Not every object has a list of changes (``is_replicated``), and not every one can be read by Bulk.
    """

    name: str
    prefix: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    is_replicated: bool = True
    is_in_bulk: bool = True

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the fields that are stored, compound ones and formulas left out."""
        return tuple(name for name, each in self.fields.items() if each.is_stored)

    @cached_property
    def plain_fields(self) -> tuple[str, ...]:
        """The names of the fields that have one value, formulas included."""
        return tuple(name for name, each in self.fields.items() if each.type != "address")

    @cached_property
    def _by_lower_name(self) -> dict[str, Field]:
        return {name.lower(): each for name, each in self.fields.items()}

    @cached_property
    def _by_relationship(self) -> dict[str, Field]:
        return {each.relationship.lower(): each for each in self.fields.values() if each.relationship}

    def field(self, name: str) -> Field | None:
        """The field of that name, whatever its capitals."""
        return self._by_lower_name.get(name.lower())

    def reference(self, relationship: str) -> Field | None:
        """The reference field behind a relationship name such as ``Owner``."""
        return self._by_relationship.get(relationship.lower())

    @property
    def has_recycle_bin(self) -> bool:
        """Whether its rows can be deleted softly; users cannot."""
        return "IsDeleted" in self.fields

    @property
    def stamp_column(self) -> str:
        """The column that tells when a record last changed; a field history has only when it was made."""
        return "SystemModstamp" if "SystemModstamp" in self.fields else "CreatedDate"

    def with_columns(self, header: Iterable[str]) -> "SObject":
        """This object with the columns it does not know yet as string fields behind its own."""
        extra = {name: Field(name, "string") for name in header if self.field(name) is None}
        return self.with_fields({**self.fields, **extra})

    def with_fields(self, fields: Mapping[str, Field]) -> "SObject":
        """This object with other fields."""
        return replace(self, fields=fields)


@dataclass(frozen=True)
class Schema:
    """All objects of an organisation, and what of them the integration user may see. Formulas see everything."""

    objects: Mapping[str, SObject]
    visible: Mapping[str, SObject]

    @property
    def unlimited(self) -> "Schema":
        """The same for one who may see everything."""
        return Schema(self.objects, self.objects)


def label_of(name: str) -> str:
    """A field or object name as people read it: ``LeadSource`` is ``Lead Source``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.removesuffix("__c").replace("_", " "))


def _declared_field(line: str) -> Field:
    name, kind, *rest = line.split(maxsplit=2)
    required, is_formula = kind.endswith("*"), kind.endswith("=")
    read_only = is_formula or kind.endswith("!")
    kind = kind.rstrip("*!=")
    argument = rest[0] if rest else ""
    return Field(
        name,
        kind,
        refers_to=argument if kind == "reference" else None,
        values=tuple(argument.split("|")) if kind == "picklist" and argument else (),
        is_required=required,
        is_read_only=read_only,
        compound=argument if argument.endswith("Address") else None,
        formula=argument if is_formula else "",
    )


def _declared_fields(lines: str) -> dict[str, Field]:
    return {field.name: field for field in map(_declared_field, lines.strip().splitlines())}


STANDARD: Mapping[str, SObject] = {
    name: SObject(name, prefix, _declared_fields(lines)) for name, (prefix, lines) in DECLARATIONS.items()
}
CUSTOM: Mapping[str, Mapping[str, Field]] = {
    name: _declared_fields(lines) for name, lines in CUSTOM_FIELDS.items()
}
"""The custom fields of generated organisations, by object and name."""


def unknown_object(name: str) -> SObject:
    """An object that only a data directory knows: an id, and strings."""
    return SObject(name, "a00", {"Id": Field("Id", "id", is_read_only=True)})
