"""The objects of an organisation and their fields, in the terms of Salesforce's describe."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sandbox.objects import DECLARATIONS

NUMBERS = frozenset({"int", "double", "currency", "percent"})
MOMENTS = frozenset({"date", "datetime"})
_LENGTHS = {
    "id": 18,
    "reference": 18,
    "string": 255,
    "picklist": 255,
    "textarea": 32000,
    "email": 80,
    "phone": 40,
    "url": 255,
}
_SOAP = {"int": "xsd:int", "double": "xsd:double", "currency": "xsd:double", "percent": "xsd:double",
         "boolean": "xsd:boolean", "date": "xsd:date", "datetime": "xsd:dateTime", "id": "tns:ID",
         "reference": "tns:ID", "address": "urn:address"}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One field of an object. ``type`` is a describe type; an ``address`` has parts and no column of its own."""

    name: str
    type: str
    refers_to: str | None = None
    values: tuple[str, ...] = ()
    is_required: bool = False
    is_read_only: bool = False
    compound: str | None = None

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

    def described(self) -> dict[str, object]:
        """The entry of this field in ``fields`` of a describe answer."""
        is_number = self.type in NUMBERS
        writable = not self.is_read_only and self.type not in {"id", "address"}
        return {
            "name": self.name, "label": label_of(self.name), "type": self.type,
            "length": _LENGTHS.get(self.type, 0), "byteLength": 3 * _LENGTHS.get(self.type, 0),
            "precision": 18 if is_number and self.type != "int" else 0, "digits": 9 if self.type == "int" else 0,
            "scale": 2 if is_number and self.type != "int" else 0,
            "nillable": not self.is_required and self.type not in {"id", "boolean"},
            "defaultedOnCreate": self.is_read_only or self.type == "boolean",
            "custom": self.is_custom, "calculated": False, "calculatedFormula": None, "autoNumber": False,
            "compoundFieldName": self.compound, "createable": writable, "updateable": writable,
            "filterable": self.type not in {"address", "textarea"}, "sortable": self.type not in {"address", "textarea"},
            "groupable": not is_number, "unique": False, "externalId": False, "nameField": self.name == "Name",
            "idLookup": self.type == "id", "caseSensitive": False, "soapType": _SOAP.get(self.type, "xsd:string"),
            "referenceTo": [self.refers_to] if self.refers_to else [], "relationshipName": self.relationship,
            "restrictedPicklist": False, "picklistValues": [
                {"active": True, "defaultValue": False, "label": value, "validFor": None, "value": value}
                for value in self.values],
            "inlineHelpText": None, "defaultValue": False if self.type == "boolean" else None,
            "deprecatedAndHidden": False, "permissionable": not self.is_required,
        }  # fmt: skip


@dataclass(frozen=True)
class SObject:
    """One object: its key prefix and its fields by name, in the order in which they are shown."""

    name: str
    prefix: str
    fields: Mapping[str, Field] = field(default_factory=dict)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the fields that are stored, compound ones left out."""
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

    def with_columns(self, header: Iterable[str]) -> "SObject":
        """This object with the columns it does not know yet as string fields behind its own."""
        extra = {name: Field(name, "string") for name in header if self.field(name) is None}
        return SObject(self.name, self.prefix, {**self.fields, **extra})

    def described_briefly(self) -> dict[str, object]:
        """The entry of this object in the list of all objects; addresses are relative to the version."""
        deletable = self.has_recycle_bin and self.name != "OpportunityHistory"
        return {
            "name": self.name, "label": label_of(self.name), "labelPlural": f"{label_of(self.name)}s",
            "keyPrefix": self.prefix, "custom": self.name.endswith("__c"), "queryable": True, "retrieveable": True,
            "createable": deletable, "updateable": deletable, "deletable": deletable, "undeletable": deletable,
            "replicateable": True, "searchable": True, "layoutable": True, "triggerable": True, "mergeable": False,
            "customSetting": False, "deprecatedAndHidden": False, "feedEnabled": False, "activateable": False,
        }  # fmt: skip


def label_of(name: str) -> str:
    """A field or object name as people read it: ``LeadSource`` is ``Lead Source``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.removesuffix("__c").replace("_", " "))


def _declared_field(line: str) -> Field:
    name, kind, *rest = line.split(maxsplit=2)
    required, read_only = kind.endswith("*"), kind.endswith("!")
    kind = kind.rstrip("*!")
    argument = rest[0] if rest else ""
    return Field(
        name,
        kind,
        refers_to=argument if kind == "reference" else None,
        values=tuple(argument.split("|")) if kind == "picklist" and argument else (),
        is_required=required,
        is_read_only=read_only,
        compound=argument if argument.endswith("Address") else None,
    )


def _declared_object(name: str, prefix: str, lines: str) -> SObject:
    fields = [_declared_field(line) for line in lines.strip().splitlines()]
    return SObject(name, prefix, {each.name: each for each in fields})


STANDARD: Mapping[str, SObject] = {name: _declared_object(name, *rest) for name, rest in DECLARATIONS.items()}


def unknown_object(name: str) -> SObject:
    """An object that only a data directory knows: an id, and strings."""
    return SObject(name, "a00", {"Id": Field("Id", "id", is_read_only=True)})
