"""Salesforce's description of an object, in the engine's words."""

from __future__ import annotations

import msgspec

from crm_sync.connectors.base import FieldDescription, Kind, PassingProblem

# Describe types that hold more than one value or none that a row could carry.
_UNREADABLE = {"address", "location", "base64", "complexvalue"}
_KINDS = {
    "date": Kind.DATE,
    "datetime": Kind.INSTANT,
    "currency": Kind.NUMBER,
    "double": Kind.NUMBER,
    "percent": Kind.NUMBER,
    "int": Kind.NUMBER,
    "long": Kind.NUMBER,
    "boolean": Kind.FLAG,
}


class _Option(msgspec.Struct):
    value: str | None = None
    active: bool = True


class _Field(msgspec.Struct):
    name: str
    label: str = ""
    type: str = "string"
    nillable: bool = True
    custom: bool = False
    calculated: bool = False
    length: int = 0
    picklistValues: list[_Option] = []
    restrictedPicklist: bool = False


class _Description(msgspec.Struct):
    fields: list[_Field]


def fields_of(answer: object) -> dict[str, FieldDescription]:
    """{name: description} of the fields that can be read. Raises: PassingProblem for an answer without fields."""
    try:
        description = msgspec.convert(answer, _Description)
    except msgspec.ValidationError as error:
        sentence = f"Salesforce described an object in an unknown way ({error})."
        raise PassingProblem("odd_answer", sentence) from error
    return {field.name: _described(field) for field in description.fields if field.type not in _UNREADABLE}


def _described(field: _Field) -> FieldDescription:
    return FieldDescription(
        name=field.name,
        label=field.label or field.name,
        type=field.type,
        kind=_KINDS.get(field.type, Kind.TEXT),
        is_nullable=field.nillable,
        is_custom=field.custom,
        is_calculated=field.calculated,
        length=field.length,
        options=tuple(option.value for option in field.picklistValues if option.active and option.value),
        is_restricted=field.restrictedPicklist,
    )
