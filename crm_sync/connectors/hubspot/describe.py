"""HubSpot's properties, in the engine's words."""

from __future__ import annotations

import msgspec

from crm_sync.connectors.base import FieldDescription, Kind
from crm_sync.connectors.hubspot.client import Client

_KINDS = {
    "number": Kind.NUMBER,
    "bool": Kind.FLAG,
    "date": Kind.DATE,
    "datetime": Kind.INSTANT,
}


class _Option(msgspec.Struct):
    value: str = ""
    hidden: bool = False


class _Property(msgspec.Struct):
    name: str
    label: str = ""
    type: str = "string"
    fieldType: str = ""
    calculated: bool = False
    hubspotDefined: bool | None = None
    externalOptions: bool = False
    options: list[_Option] = []


class _Properties(msgspec.Struct):
    results: list[_Property]


def properties(client: Client, name: str) -> dict[str, FieldDescription]:
    """{name: description} of an object's properties that are in use."""
    answer = client.get(f"/crm/v3/properties/{name}", _Properties)
    return {each.name: _described(each) for each in answer.results}


def _described(each: _Property) -> FieldDescription:
    return FieldDescription(
        name=each.name,
        label=each.label or each.name,
        type=each.type,
        kind=_KINDS.get(each.type, Kind.TEXT),
        is_custom=not each.hubspotDefined,
        is_calculated=each.calculated,
        options=tuple(option.value for option in each.options if option.value and not option.hidden),
        # Several values at once ("checkbox") and the options of other systems are not in the list one by one.
        is_restricted=each.fieldType in {"select", "radio"} and not each.externalOptions,
    )
